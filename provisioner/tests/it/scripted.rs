//! A target whose responses a test defines, for behaviour that no profile of the mock has.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request for a script.
pub(crate) struct Asked {
    pub(crate) method: String,
    /// The path with the query, as sent.
    pub(crate) path: String,
    pub(crate) head: String,
    pub(crate) body: Value,
}

/// A response: status, further header lines, body.
pub(crate) struct Answer(pub(crate) u16, pub(crate) &'static str, pub(crate) String);

impl Answer {
    pub(crate) fn scim(status: u16, body: &Value) -> Self {
        Self(status, "content-type: application/scim+json\r\n", body.to_string())
    }

    pub(crate) fn error(status: u16, detail: &str) -> Self {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.to_string(), "detail": detail,
        });
        Self::scim(status, &body)
    }

    pub(crate) fn list(resources: &[Value]) -> Self {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": resources.len(), "Resources": resources,
        });
        Self::scim(200, &body)
    }
}

/// Starts a target that passes the connection test and leaves other requests to `script`; returns its SCIM URL.
pub(crate) async fn target(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> String {
    raw_target(move |asked| {
        let Answer(status, headers, body) = match asked.path.as_str() {
            "/scim/ServiceProviderConfig" => Answer::error(404, "no discovery here"),
            "/scim/Users?count=1" => Answer::list(&[]),
            _ => script(asked),
        };
        let length = body.len();
        format!(
            "HTTP/1.1 {status} Answer\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    })
    .await
}

/// Starts a target that answers each request with the bytes of `script`, and closes; returns its SCIM URL.
pub(crate) async fn raw_target(script: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let script = Arc::new(script);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let script = Arc::clone(&script);
            tokio::spawn(async move { serve(socket, &*script).await });
        }
    });
    format!("http://{address}/scim")
}

async fn serve(mut socket: TcpStream, script: &(impl Fn(&Asked) -> Vec<u8> + Send + Sync)) -> Option<()> {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        let mut buffer = [0; 4096];
        let read = socket.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head
                .to_lowercase()
                .split_once("content-length: ")
                .map_or(0, |(_, rest)| rest.split("\r\n").next().unwrap().trim().parse::<usize>().unwrap());
            break (head.to_owned(), length);
        }
    };
    while bytes.len() < head.len() + 4 + length {
        let mut buffer = [0; 4096];
        let read = socket.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
    }
    let body = serde_json::from_slice(&bytes[head.len() + 4..]).unwrap_or(Value::Null);
    let mut words = head.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let reply = script(&Asked { method, path, head: head.clone(), body });
    socket.write_all(&reply).await.ok()
}
