//! The floor: axum answering fixed bytes. It has no store and reads nothing but the route.
//!
//! `floor DIR` serves what `DIR/user.json`, `DIR/found.json` and `DIR/page.json` hold (one user, a
//! list of one, a list of a hundred), so that it moves as many bytes as the server that it is
//! compared with. Bodies of POST and PATCH are read to their end. The port stands alone on the first line.

use std::{fs, io, path::Path, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

struct Fixed {
    user: Bytes,
    found: Bytes,
    page: Bytes,
}

impl Fixed {
    fn read(folder: &Path) -> io::Result<Self> {
        let bytes = |name| fs::read(folder.join(name)).map(Bytes::from);
        Ok(Self { user: bytes("user.json")?, found: bytes("found.json")?, page: bytes("page.json")? })
    }
}

fn answer(status: StatusCode, body: &Bytes) -> Response {
    (status, [(header::CONTENT_TYPE, "application/scim+json")], body.clone()).into_response()
}

async fn read(State(fixed): State<Arc<Fixed>>) -> Response {
    answer(StatusCode::OK, &fixed.user)
}

async fn list(State(fixed): State<Arc<Fixed>>, RawQuery(query): RawQuery) -> Response {
    let page = query.is_some_and(|query| query.contains("count=100"));
    answer(StatusCode::OK, if page { &fixed.page } else { &fixed.found })
}

async fn create(State(fixed): State<Arc<Fixed>>, _body: Bytes) -> Response {
    answer(StatusCode::CREATED, &fixed.user)
}

async fn change(State(fixed): State<Arc<Fixed>>, _body: Bytes) -> Response {
    answer(StatusCode::OK, &fixed.user)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1).ok_or_else(|| io::Error::other("usage: floor DIR"))?;
    let fixed = Arc::new(Fixed::read(Path::new(&folder))?);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?.port());
    let routes = Router::new()
        .route("/scim/Users", get(list).post(create))
        .route("/scim/Users/{id}", get(read).patch(change))
        .with_state(fixed);
    axum::serve(listener, routes).await
}
