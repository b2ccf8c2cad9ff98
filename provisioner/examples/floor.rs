//! What the provisioner is measured against: the same work without deciding or keeping anything.
//!
//! ```text
//! floor post URL TOKEN BODIES.ndjson CONCURRENCY    posts each line to URL/Users, with CONCURRENCY requests in flight
//! floor parse FILE.ndjson                           parses each line into a serde_json::Value, on one thread
//! ```
//!
//! Prints one JSON object with the seconds. The program is started by `bench/provisioner.py`.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::{Value, json};

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let figures = match arguments.as_slice() {
        ["post", url, token, bodies, concurrency] => post(url, token, bodies, concurrency.parse()?).await?,
        ["parse", file] => parse(file)?,
        _ => {
            return Err(
                "usage: floor post URL TOKEN BODIES.ndjson CONCURRENCY | floor parse FILE.ndjson".into()
            );
        }
    };
    println!("{figures}");
    Ok(())
}

async fn post(url: &str, token: &str, bodies: &str, concurrency: usize) -> Result<Value, Failure> {
    let bodies: Arc<Vec<String>> =
        Arc::new(std::fs::read_to_string(bodies)?.lines().map(str::to_owned).collect());
    let address = format!("{url}/Users");
    let provider = rustls::crypto::ring::default_provider();
    provider.install_default().map_err(|_| "a second TLS provider")?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut loops = tokio::task::JoinSet::new();
    for _ in 0..concurrency {
        let (bodies, next, client) = (Arc::clone(&bodies), Arc::clone(&next), client.clone());
        let (address, token) = (address.clone(), token.to_owned());
        loops.spawn(async move {
            while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                let request = client.post(&address).bearer_auth(&token);
                let request = request.header("content-type", "application/scim+json").body(body.clone());
                let response = request.send().await?;
                if response.status() != 201 {
                    return Err(format!("answered {}", response.status()).into());
                }
                response.bytes().await?;
            }
            Ok::<(), Failure>(())
        });
    }
    while let Some(ended) = loops.join_next().await {
        ended??;
    }
    Ok(json!({"posted": bodies.len(), "seconds": started.elapsed().as_secs_f64()}))
}

fn parse(file: &str) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(file)?;
    let started = Instant::now();
    let mut users = 0;
    for line in text.lines() {
        let value: Value = serde_json::from_str(line)?;
        users += usize::from(std::hint::black_box(&value).is_object());
    }
    Ok(json!({"users": users, "seconds": started.elapsed().as_secs_f64()}))
}
