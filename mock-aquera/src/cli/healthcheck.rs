//! `mock-aquera healthcheck [URL]`: one request, for containers and scripts. Plain HTTP only, like the server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use axum::http::Uri;

use super::Failure;

const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn run(url: &str) -> Result<(), Failure> {
    let uri: Uri = url.parse().map_err(|error| Failure::usage(format!("read the URL `{url}`: {error}")))?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http"));
    let authority = authority
        .ok_or_else(|| Failure::usage(format!("read the URL `{url}`: it looks like http://HOST:PORT")))?;
    let host = authority.host();
    let port = authority.port_u16().unwrap_or(80);
    let status = ask(host, port).map_err(|error| Failure::failed(format!("reach {host}:{port}: {error}")))?;
    if status == "200" {
        Ok(())
    } else {
        Err(Failure::failed(format!("find a ready server at {host}:{port}: it answers {status}")))
    }
}

/// The status code of `/_mock/health`.
fn ask(host: &str, port: u16) -> std::io::Result<String> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<_> = (bare, port).to_socket_addrs()?.collect();
    let mut last = std::io::Error::other("the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(mut stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                write!(
                    stream,
                    "GET /_mock/health HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
                )?;
                let mut line = String::new();
                BufReader::new(stream).read_line(&mut line)?;
                let status = line.split_whitespace().nth(1).filter(|_| line.starts_with("HTTP/1."));
                return status.map(str::to_owned).ok_or_else(|| std::io::Error::other("that is not HTTP"));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
