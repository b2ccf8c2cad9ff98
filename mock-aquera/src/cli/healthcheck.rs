//! `mock-aquera healthcheck [URL]`: one request, for containers and scripts.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use clap::Args;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::Failure;
use super::serve::CA_FILE;

const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Any URL of the server
    #[arg(default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The authority to trust, as PEM, where the URL begins with https
    #[arg(long, value_name = "FILE", default_value = CA_FILE)]
    ca: PathBuf,
}

pub(super) fn run(Options { url, ca }: &Options) -> Result<(), Failure> {
    let uri: Uri = url.parse().map_err(|error| Failure::usage(format!("read the URL `{url}`: {error}")))?;
    let tls = match uri.scheme_str() {
        Some("http") => None,
        Some("https") => Some(trusting(ca)?),
        _ => return Err(bad_url(url)),
    };
    let authority = uri.authority().ok_or_else(|| bad_url(url))?;
    let (host, port) =
        (authority.host(), authority.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 }));
    let status =
        ask(host, port, tls).map_err(|error| Failure::failed(format!("reach {host}:{port}: {error}")))?;
    if status == "200" {
        Ok(())
    } else {
        Err(Failure::failed(format!("find a ready server at {host}:{port}: it answers {status}")))
    }
}

fn bad_url(url: &str) -> Failure {
    Failure::usage(format!("read the URL `{url}`: it looks like http://HOST:PORT or https://HOST:PORT"))
}

/// Trusts the authority in a file and nobody else.
fn trusting(file: &Path) -> Result<Arc<ClientConfig>, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("read the authority {}: {error}; --ca names another file", file.display()))
    };
    let pem = fs::read(file).map_err(|error| failed(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| failed(&error))?;
        roots.add(certificate).map_err(|error| failed(&error))?;
    }
    if roots.is_empty() {
        return Err(failed(&"it holds no PEM block `CERTIFICATE`"));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// The status code of `/_mock/health`.
fn ask(host: &str, port: u16, tls: Option<Arc<ClientConfig>>) -> io::Result<String> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<_> = (bare, port).to_socket_addrs()?.collect();
    let mut last = io::Error::other("the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                let Some(config) = tls else { return status(host, port, stream) };
                let name = ServerName::try_from(bare.to_owned()).map_err(io::Error::other)?;
                let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
                return status(host, port, StreamOwned::new(connection, stream));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn status(host: &str, port: u16, mut stream: impl Read + Write) -> io::Result<String> {
    write!(stream, "GET /_mock/health HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n")?;
    stream.flush()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let status = line.split_whitespace().nth(1).filter(|_| line.starts_with("HTTP/1."));
    status.map(str::to_owned).ok_or_else(|| io::Error::other("that is not HTTP"))
}
