//! A mock inside a Rust program: a client meets a fault, and the journal tells what it did.
//!
//! `cargo run -p mock-aquera --example rust_client`. How the same looks in a test is in `tests/it/library.rs`.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use mock_aquera::blocking::MockAquera;
use mock_aquera::{Auth, Expect, Fault};

fn main() -> Result<(), Box<dyn Error>> {
    let builder = MockAquera::builder().auth(Auth::bearer("a-token")).users(3).seed(7);
    let mock = MockAquera::start(builder)?;
    let application = mock.default_application();
    println!("listening at {}", mock.scim_url());

    // The first write is refused, as a busy endpoint does it, and then no more.
    let outage = application.scoped_fault("status=503 method=POST retry-after=0 times=1".parse::<Fault>()?);
    let user = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ida@example.com"}"#;
    let mut statuses = Vec::new();
    while statuses.last() != Some(&201) {
        statuses.push(post(&mock, "/Users", user)?);
    }
    println!("the client was answered {statuses:?}, and {} of that was the fault", outage.struck());

    let verification = application.verify(&Expect::request().method("POST").status(201).times(1));
    println!("{verification}");
    let names: Vec<String> = application.users().iter().map(|user| user["userName"].to_string()).collect();
    println!("{} users: {}", names.len(), names.join(", "));
    if verification.satisfied && statuses == [503, 201] {
        Ok(())
    } else {
        Err("that was not as expected".into())
    }
}

/// The client under test, as small as can be.
fn post(mock: &MockAquera, path: &str, body: &str) -> Result<u16, Box<dyn Error>> {
    let mut stream = TcpStream::connect(mock.addr())?;
    let length = body.len();
    write!(
        stream,
        "POST /scim{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a-token\r\nConnection: close\r\n\
         Content-Type: application/scim+json\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = BufReader::new(stream);
    let mut line = String::new();
    answer.read_line(&mut line)?;
    answer.read_to_end(&mut Vec::new())?;
    Ok(line.split(' ').nth(1).ok_or("that is no HTTP")?.parse()?)
}
