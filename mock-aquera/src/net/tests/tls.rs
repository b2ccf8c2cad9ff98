//! Certificates, and what is spoken under them.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{BODY, Paths, config, faulty, patiently, serve};
use crate::net::{NetConfig, Running, SocketFault, TlsConfig, TlsError};

const KEY: &str = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";

fn start(handler: Paths) -> (Running, String) {
    let (tls, authority) = TlsConfig::self_signed(&["mock.example"]).unwrap();
    let server = serve(NetConfig { tls: Some(tls), ..config() }, handler).unwrap();
    (server, authority)
}

async fn connect(
    server: &Running,
    authority: &str,
    name: &'static str,
    protocol: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(server.addr()).await?;
    patiently(TlsConnector::from(Arc::new(client)).connect(ServerName::try_from(name).unwrap(), stream)).await
}

#[tokio::test]
async fn who_trusts_the_authority_is_served_under_each_name() {
    let (server, authority) = start(Paths::default());
    for name in ["localhost", "127.0.0.1", "::1", "mock.example"] {
        let mut stream = connect(&server, &authority, name, b"http/1.1").await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut all = String::new();
        patiently(stream.read_to_string(&mut all)).await.unwrap();
        assert!(all.starts_with("HTTP/1.1 200 OK\r\n") && all.ends_with(BODY), "{all}");
    }
    connect(&server, &authority, "other.example", b"http/1.1").await.unwrap_err();
    let (_, stranger) = TlsConfig::self_signed(&[]).unwrap();
    connect(&server, &stranger, "localhost", b"http/1.1").await.unwrap_err();
}

#[tokio::test]
async fn requests_with_bodies_are_answered_through_tls() {
    let (server, authority) = start(Paths::default());
    let mut stream = connect(&server, &authority, "localhost", b"http/1.1").await.unwrap();
    for length in [10, 20_000] {
        let body = "x".repeat(length);
        let request = format!("PUT /told HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        while !reply.ends_with(b"x\"") {
            assert!(patiently(stream.read_buf(&mut reply)).await.unwrap() > 0);
        }
        assert!(reply.starts_with(b"HTTP/1.1 200 OK\r\n") && reply.len() > length, "{length}");
    }
}

#[tokio::test]
async fn the_protocol_is_agreed_on() {
    let (server, authority) = start(Paths::default());
    let stream = connect(&server, &authority, "localhost", b"h2").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::builder().uri("https://localhost/version");
    let request = request.body(http_body_util::Empty::<hyper::body::Bytes>::new()).unwrap();
    let reply = patiently(sender.send_request(request)).await.unwrap();
    let body = http_body_util::BodyExt::collect(reply.into_body()).await.unwrap().to_bytes();
    assert_eq!(body, "HTTP/2.0");
}

#[tokio::test]
async fn a_reset_goes_through_the_encryption() {
    let (server, authority) = start(faulty(SocketFault::Reset));
    let mut stream = connect(&server, &authority, "localhost", b"http/1.1").await.unwrap();
    stream.write_all(b"GET /faulty HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let error = patiently(stream.read_u8()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_client_without_tls_holds_nobody_up() {
    let (server, authority) = start(Paths::default());
    let silent = TcpStream::connect(server.addr()).await.unwrap();
    let mut plain = super::Client::connect(&server).await;
    plain.get("/").await;
    assert!(plain.rest().await.0.contains("https://"));
    connect(&server, &authority, "localhost", b"http/1.1").await.unwrap();
    drop(silent);
    patiently(server.stop()).await;
}

#[test]
fn a_certificate_of_ones_own() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let config = TlsConfig::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    assert_eq!(format!("{config:?}"), "TlsConfig(..)");

    #[track_caller]
    fn check(chain: &str, key: &str, expected: &str) {
        let error = TlsConfig::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err();
        let told = error.to_string();
        assert!(told.contains(expected), "{told}");
        assert!(!format!("{told} {error:?}").contains("c2VjcmV0"), "the key is told: {told}");
    }
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    check("", &key, "the certificate chain: it holds no PEM block");
    check(&key, &key, "the certificate chain: it holds no PEM block");
    check("-----BEGIN CERTIFICATE-----\n%\n-----END CERTIFICATE-----\n", &key, "number 1 is broken");
    check(&chain, "", "the private key: there is no PEM block");
    check(&chain, &chain, "the private key: there is no PEM block");
    check(&chain, "-----BEGIN c2VjcmV0\nPRIVATE", "the private key: there is no PEM block");
    check(&chain, KEY, "the certificate and its key: ");
    check(&chain, &other, "not that of the first certificate");
    assert!(matches!(TlsConfig::self_signed(&["näme"]), Err(TlsError::Generate(_))));
}

#[tokio::test]
async fn http_without_tls_is_told_to_use_it() {
    let (server, _) = start(Paths::default());
    for request in [
        "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\nx",
    ] {
        let mut client = super::Client::connect(&server).await;
        client.send(request).await;
        super::limits::check_refusal(&mut client, 400, "https://").await;
    }
}
