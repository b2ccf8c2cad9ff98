//! The trusted servers: authorities and self-signed certificates in `ca-file`, names and dates.

use std::sync::Arc;

use provisioner::{Config, ConnectionReport, Environment, Provisioner};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;
use tokio_rustls::rustls::server::WebPkiClientVerifier;

/// A certificate with its key.
struct Identity {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

fn params(name: &str, is_authority: bool) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if is_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

fn self_signed(params: &CertificateParams) -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Identity { pem: certificate.pem(), certificate: certificate.der().clone(), key }
}

/// Starts a server with this certificate that answers every request with an empty list of users; returns its port.
async fn serve(identity: &Identity) -> u16 {
    serve_to(identity, None).await
}

/// Starts a server as [`serve`] does, which asks for a client certificate of the authority `clients`.
async fn serve_to(identity: &Identity, clients: Option<&Identity>) -> u16 {
    let key = PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        Some(clients) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(clients.certificate.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    let config = builder.with_single_cert(vec![identity.certificate.clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(socket).await.ok()?;
                let mut buffer = [0; 8192];
                stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
                let body =
                    r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0}"#;
                let length = body.len();
                let reply =
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
                stream.write_all(reply.as_bytes()).await.ok()?;
                stream.shutdown().await.ok()
            });
        }
    });
    port
}

/// Tests a connection to `host` with `pem` as its `ca-file`.
async fn test(host: &str, port: u16, pem: Option<&str>) -> ConnectionReport {
    test_as(host, port, pem, None).await
}

/// Tests a connection as [`test`] does, and shows the certificate of `client`.
async fn test_as(host: &str, port: u16, pem: Option<&str>, client: Option<&Identity>) -> ConnectionReport {
    let folder = tempfile::tempdir().unwrap();
    let mut options = "[connection.options]\nmax-attempts = 1\n".to_owned();
    if let Some(pem) = pem {
        std::fs::write(folder.path().join("ca.pem"), pem).unwrap();
        options.push_str("ca-file = \"ca.pem\"\n");
    }
    let mut authentication = String::new();
    if let Some(client) = client {
        std::fs::write(folder.path().join("client.pem"), &client.pem).unwrap();
        std::fs::write(folder.path().join("client.key"), client.key.serialize_pem()).unwrap();
        authentication
            .push_str("client-certificate = \"client.pem\"\nclient-key = { file = \"client.key\" }\n");
    }
    let text = format!(
        "[connection]\nname = \"test\"\n[connection.authentication]\nscim-url = \"https://{host}:{port}/scim\"\n\
         profile = \"bearer-token\"\noauth-access-token = \"a-token-for-tests\"\n{authentication}\
         [connection.preferences]\n{options}[source]\nkind = \"file\"\npath = \"users.ndjson\"\n"
    );
    let config = Config::parse(&text, &folder.path().join("aquera.toml")).unwrap();
    let environment = Environment::system(&config, folder.path().join("aquera.db").into(), 1).unwrap();
    let provisioner = Provisioner::open(config, environment).await.unwrap();
    let report = provisioner.test_connection().await.unwrap();
    provisioner.close().await;
    report
}

/// Returns a certificate that `issuer` has signed for a client.
fn client_of(authority: CertificateParams, issuer: &Identity) -> Identity {
    let mut params = params("client.example", false);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let signed = params.signed_by(&key, &Issuer::new(authority, &issuer.key)).unwrap();
    Identity { pem: signed.pem(), certificate: signed.der().clone(), key }
}

#[tokio::test]
async fn client_certificate_is_shown_to_a_server_that_asks_for_one() {
    let server = self_signed(&params("localhost", true));
    let (authority, other) = (params("Clients", true), params("Others", true));
    let (clients, others) = (self_signed(&authority), self_signed(&other));
    let (known, unknown) = (client_of(authority, &clients), client_of(other, &others));
    let port = serve_to(&server, Some(&clients)).await;
    let report = test_as("localhost", port, Some(&server.pem), Some(&known)).await;
    assert!(report.succeeded(), "{report}");
    for client in [None, Some(&unknown)] {
        let report = test_as("localhost", port, Some(&server.pem), client).await;
        let failure = report.failure.unwrap();
        assert_eq!(failure.code, "tls", "{failure:?}");
        assert!(failure.message.contains("wants a client certificate"), "{failure:?}");
        assert!(failure.next.contains("client-key"), "{failure:?}");
    }
    // A server that does not ask gets none.
    let port = serve(&server).await;
    assert!(test_as("localhost", port, Some(&server.pem), Some(&known)).await.succeeded());
}

#[track_caller]
fn assert_refused(report: &ConnectionReport, words: &str) {
    let failure = report.failure.as_ref().unwrap();
    assert_eq!(failure.code, "tls", "{failure:?}");
    assert!(failure.message.contains(words), "{failure:?}");
    assert!(failure.next.contains("ca-file"), "{failure:?}");
}

/// Asserts a refusal that no `ca-file` solves, in words that are not the library's.
#[track_caller]
fn assert_refused_for_itself(report: &ConnectionReport, words: &str, next: &str) {
    let failure = report.failure.as_ref().unwrap();
    assert_eq!(failure.code, "tls", "{failure:?}");
    assert!(failure.message.contains(words), "{failure:?}");
    assert!(!failure.message.contains("DnsName") && !failure.message.contains("OtherError"), "{failure:?}");
    assert!(failure.next.contains(next) && failure.next.contains("ca-file does not help"), "{failure:?}");
}

#[tokio::test]
async fn certificate_that_is_not_for_servers_is_refused_in_words() {
    let mut client = params("localhost", false);
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let server = self_signed(&client);
    let port = serve(&server).await;
    let report = test("localhost", port, Some(&server.pem)).await;
    assert_refused_for_itself(&report, "its certificate is not one for servers", "another certificate");
}

#[tokio::test]
async fn certificate_that_ca_file_names_is_trusted() {
    let other = self_signed(&params("localhost", true));
    // `openssl req -x509` makes the certificate of an authority, others that of a server.
    for is_authority in [true, false] {
        let server = self_signed(&params("localhost", is_authority));
        let port = serve(&server).await;
        let words = if is_authority {
            "its certificate is self-signed"
        } else {
            "of an authority that is not known here"
        };
        assert_refused(&test("localhost", port, None).await, words);
        assert_refused(&test("localhost", port, Some(&other.pem)).await, words);
        let both = format!("# comment\n{}\n{}", other.pem, server.pem);
        let trusted = test("localhost", port, Some(&both)).await;
        assert!(trusted.succeeded(), "is_authority = {is_authority}: {trusted}");
        // The name counts all the same, and the advice is not to name the certificate again.
        let named = test("127.0.0.1", port, Some(&server.pem)).await;
        assert_refused_for_itself(
            &named,
            "its certificate is not valid for 127.0.0.1, but for localhost",
            "scim-url",
        );
    }
}

#[tokio::test]
async fn authority_that_ca_file_names_is_trusted() {
    let authority = params("Example authority", true);
    let root = self_signed(&authority);
    let key = KeyPair::generate().unwrap();
    let signed = params("localhost", false).signed_by(&key, &Issuer::new(authority, &root.key)).unwrap();
    let server = Identity { pem: signed.pem(), certificate: signed.der().clone(), key };
    let port = serve(&server).await;
    assert!(test("localhost", port, Some(&root.pem)).await.succeeded());
    let named = test("localhost", port, Some(&server.pem)).await;
    assert!(named.succeeded(), "the server itself is named: {named}");
    assert_refused(&test("localhost", port, None).await, "of an authority that is not known here");
}

#[tokio::test]
async fn expired_certificate_is_refused_though_ca_file_names_it() {
    for is_authority in [true, false] {
        let mut over = params("localhost", is_authority);
        (over.not_before, over.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
        let server = self_signed(&over);
        let port = serve(&server).await;
        assert_refused_for_itself(
            &test("localhost", port, Some(&server.pem)).await,
            "expired",
            "another certificate",
        );
    }
}
