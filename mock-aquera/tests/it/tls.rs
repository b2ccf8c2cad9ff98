//! The program over TLS: who trusts its authority, and nobody else, is served.

use std::sync::Arc;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::json;
use tokio::net::TcpStream;

use crate::program::{Running, finished, written};

/// Trusts what stands in a PEM.
fn trusting(pem: &str, alpn: &[&str]) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let mut config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

fn client(pem: &str, port: u16) -> reqwest::Client {
    reqwest::Client::builder()
        .tls_backend_preconfigured(trusting(pem, &["http/1.1"]))
        .no_proxy()
        .resolve("scim.test", ([127, 0, 0, 1], port).into())
        .build()
        .unwrap()
}

fn port_of(url: &str) -> u16 {
    url.split(':').nth(2).unwrap().split('/').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_certificate_that_was_made_is_trusted_by_its_authority() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem").to_str().unwrap().to_owned();
    let start = |ca: &str| {
        let mut server = Running::start(&[
            "--listen",
            "127.0.0.1:0",
            "--json",
            "--tls",
            "self-signed",
            "--tls-ca",
            ca,
            "--tls-name",
            "scim.test",
            "--users",
            "2",
            "--auth",
            "oauth:c:s",
            "--auth",
            "bearer:t",
        ]);
        let ready = server.ready();
        (server, ready)
    };
    let (_server, ready) = start(&ca);
    let url = ready["scimUrl"].as_str().unwrap();
    let port = port_of(url);
    assert_eq!(ready["scimUrl"], json!(format!("https://127.0.0.1:{port}/scim")));
    assert_eq!(ready["adminUrl"], json!(format!("https://127.0.0.1:{port}/_mock")));
    assert_eq!(ready["tokenUrl"], json!(format!("https://127.0.0.1:{port}/oauth/token")));
    assert_eq!((&ready["caFile"], &ready["profile"]), (&json!(ca), &json!("aquera")));

    let pem = std::fs::read_to_string(&ca).unwrap();
    for url in [url.to_owned(), format!("https://scim.test:{port}/scim")] {
        let list = client(&pem, port).get(format!("{url}/Users")).bearer_auth("t").send().await.unwrap();
        assert_eq!(list.version(), reqwest::Version::HTTP_11);
        let list: serde_json::Value = list.json().await.unwrap();
        assert_eq!(list["totalResults"], json!(2));
        let location = list["Resources"][0]["meta"]["location"].as_str().unwrap();
        assert!(location.starts_with(&format!("{url}/Users/")), "{location}");
    }

    // HTTP/2, where the client offers it.
    let tls = tokio_rustls::TlsConnector::from(Arc::new(trusting(&pem, &["h2", "http/1.1"])));
    let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let stream = tls.connect(ServerName::try_from("localhost").unwrap(), socket).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::get(format!("https://localhost:{port}/scim/Users"))
        .header("authorization", "Bearer t")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, hyper::Version::HTTP_2));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("\"totalResults\":2"));

    // Each file has an authority of its own.
    let other = folder.path().join("other.pem").to_str().unwrap().to_owned();
    let (_other_server, _) = start(&other);
    let wrong = std::fs::read_to_string(&other).unwrap();
    let refused = client(&wrong, port).get(format!("{url}/Users")).bearer_auth("t").send().await;
    assert!(refused.is_err());

    assert_eq!(finished(&["healthcheck", url, "--ca", &ca]), (0, String::new(), String::new()));
    let (code, _, err) = finished(&["healthcheck", url, "--ca", &other]);
    assert!(code == 1 && err.contains(&format!("127.0.0.1:{port}")), "{err}");
    let (code, _, err) = finished(&["healthcheck", url, "--ca", "nowhere.pem"]);
    assert!(code == 2 && err.contains("nowhere.pem") && err.contains("--ca"), "{err}");
    let plain = url.replace("https", "http");
    for (arguments, code) in
        [(&["healthcheck", plain.as_str()][..], 1), (&["verify", plain.as_str(), "POST times=never"], 3)]
    {
        let (ended, _, err) = finished(arguments);
        assert!(ended == code && err.contains("speaks TLS") && err.contains("https://"), "{err}");
    }
}

#[tokio::test]
async fn https_at_a_plain_port_names_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let ca = written(folder.path(), "ca.pem", &made.cert.pem());
    let mut server = Running::start(&["--listen", "127.0.0.1:0", "--json"]);
    let url = server.ready()["scimUrl"].as_str().unwrap().replace("http://127.0.0.1", "https://localhost");
    for (arguments, code) in [
        (&["healthcheck", url.as_str(), "--ca", &ca][..], 1),
        (&["verify", url.as_str(), "POST times=never", "--ca", &ca], 3),
    ] {
        let (ended, _, err) = finished(arguments);
        assert!(ended == code && err.contains("http://"), "{err}");
        assert!(!err.contains("HandshakeFailure"), "{err}");
    }
}

/// A client that knows beforehand that the server speaks HTTP/2 has no use for an answer in HTTP/1.1.
#[tokio::test]
async fn http2_without_tls_is_told_so_in_http2() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem").to_str().unwrap().to_owned();
    let mut server =
        Running::start(&["--listen", "127.0.0.1:0", "--json", "--tls", "self-signed", "--tls-ca", &ca]);
    let port = port_of(server.ready()["scimUrl"].as_str().unwrap());
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::get(format!("http://localhost:{port}/scim/Users"))
        .header("authorization", "Bearer mock-token")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status().as_u16(), 400);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert!(body["detail"].as_str().unwrap().contains("https://"), "{body}");
}

#[tokio::test]
async fn a_certificate_of_ones_own_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let made =
        || rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let (one, other) = (made(), made());
    let file = |name: &str, text: &str| written(folder.path(), name, text);
    let cert = file("cert.pem", &one.cert.pem());
    let key = file("key.pem", &one.signing_key.serialize_pem());
    let other_key = file("other.pem", &other.signing_key.serialize_pem());
    let base = ["--listen", "127.0.0.1:0", "--json"];
    let mut server = Running::start(&[&base[..], &["--tls-cert", &cert, "--tls-key", &key]].concat());
    let ready = server.ready();
    assert_eq!(ready.get("caFile"), None);
    let url = ready["scimUrl"].as_str().unwrap();
    let http = client(&one.cert.pem(), port_of(url));
    let answer = http.get(format!("{url}/Users")).bearer_auth("mock-token").send().await.unwrap();
    assert_eq!(answer.status(), 200);

    #[track_caller]
    fn refused(arguments: &[&str], code: i32, parts: &[&str]) {
        let (status, _, err) = finished(&[&["--listen", "127.0.0.1:0"], arguments].concat());
        assert_eq!(status, code, "{err}");
        for part in parts {
            assert!(err.contains(part), "{part}: {err}");
        }
    }
    refused(&["--tls-cert", &cert], 2, &["--tls-key"]);
    refused(&["--tls-cert", &cert, "--tls-key", &key, "--tls", "self-signed"], 2, &["--tls"]);
    refused(&["--tls-name", "x"], 2, &["--tls"]);
    refused(&["--tls-cert", &cert, "--tls-key", &other_key], 2, &["other.pem", "not that of the first"]);
    refused(&["--tls-cert", &cert, "--tls-key", &cert], 2, &["PRIVATE KEY"]);
    refused(&["--tls-cert", "nowhere.pem", "--tls-key", &key], 2, &["--tls-cert nowhere.pem"]);
    refused(&["--tls", "self-signed", "--tls-name", "näme"], 2, &["make a certificate", "host name"]);
    let nowhere = folder.path().join("no/ca.pem").to_str().unwrap().to_owned();
    refused(&["--tls", "self-signed", "--tls-ca", &nowhere], 2, &["no/ca-key.pem", "--tls-ca"]);
}

#[tokio::test]
async fn authority_is_kept_over_restarts_and_signs_a_new_certificate_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, key) = (folder.path().join("ca.pem"), folder.path().join("ca-key.pem"));
    let start = |name: &str| {
        let arguments =
            ["--listen", "127.0.0.1:0", "--json", "--tls", "self-signed", "--tls-ca", ca.to_str().unwrap()];
        let mut server = Running::start(&[&arguments[..], &["--tls-name", name]].concat());
        let url = server.ready()["scimUrl"].as_str().unwrap().to_owned();
        (server, url)
    };
    let (first, url) = start("first.test");
    let pem = std::fs::read_to_string(&ca).unwrap();
    let http = client(&pem, port_of(&url));
    let ask = async |url: &str| http.get(format!("{url}/Users")).bearer_auth("mock-token").send().await;
    assert_eq!(ask(&url).await.unwrap().status(), 200);
    drop(first);
    // The client is told nothing anew; names are those of this start.
    let (_second, url) = start("scim.test");
    assert_eq!(ask(&url).await.unwrap().status(), 200);
    let http = client(&pem, port_of(&url));
    let url = url.replace("127.0.0.1", "scim.test");
    let answer = http.get(format!("{url}/Users")).bearer_auth("mock-token").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(std::fs::read_to_string(&ca).unwrap(), pem);
    let private = std::fs::read_to_string(&key).unwrap();
    assert!(private.starts_with("-----BEGIN PRIVATE KEY-----") && !pem.contains("PRIVATE"), "{pem}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn authority_that_is_damaged_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let made = |name: &str| {
        let ca = folder.path().join(format!("{name}.pem"));
        let mut server = Running::start(&[
            "--listen",
            "127.0.0.1:0",
            "--json",
            "--tls",
            "self-signed",
            "--tls-ca",
            ca.to_str().unwrap(),
        ]);
        server.ready();
        let key = folder.path().join(format!("{name}-key.pem"));
        (std::fs::read_to_string(ca).unwrap(), std::fs::read_to_string(key).unwrap())
    };
    let (ca, key) = made("one");
    let (_, other_key) = made("other");
    #[track_caller]
    fn check(folder: &std::path::Path, ca: Option<&str>, key: Option<&str>, parts: &[&str]) {
        let files = [("x.pem", ca), ("x-key.pem", key)];
        for (name, text) in files {
            let _ = std::fs::remove_file(folder.join(name));
            if let Some(text) = text {
                written(folder, name, text);
            }
        }
        let file = folder.join("x.pem");
        let (code, out, err) = finished(&[
            "--listen",
            "127.0.0.1:0",
            "--tls",
            "self-signed",
            "--tls-ca",
            file.to_str().unwrap(),
        ]);
        assert_eq!((code, &*out), (2, ""), "{err}");
        for part in [&["x.pem", "x-key.pem", "--tls-ca", "delete"], parts].concat() {
            assert!(err.contains(part), "{part}: {err}");
        }
        for (name, text) in files {
            assert_eq!(std::fs::read_to_string(folder.join(name)).ok().as_deref(), text, "{name}");
        }
    }
    let folder = folder.path();
    check(folder, Some(&ca), None, &["is missing"]);
    check(folder, None, Some(&key), &["the certificate is damaged or missing"]);
    check(folder, Some("no certificate"), Some(&key), &["the certificate is damaged or missing"]);
    check(folder, Some(&ca[..ca.len() / 2]), Some(&key), &["the certificate is damaged or missing"]);
    check(folder, Some(&ca), Some(""), &["the key is damaged or missing"]);
    check(folder, Some(&ca), Some(&key[..key.len() / 2]), &["the key is damaged or missing"]);
    check(folder, Some(&ca), Some(&other_key), &["the key does not belong to the certificate"]);
}

/// Loopback has many addresses on Linux.
#[cfg(target_os = "linux")]
#[test]
fn a_made_certificate_is_good_for_the_address_that_is_listened_at() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem").to_str().unwrap().to_owned();
    let mut server =
        Running::start(&["--listen", "127.0.0.7:0", "--json", "--tls", "self-signed", "--tls-ca", &ca]);
    let ready = server.ready();
    let url = ready["scimUrl"].as_str().unwrap();
    assert_eq!(finished(&["healthcheck", url, "--ca", &ca]), (0, String::new(), String::new()));
    let elsewhere = url.replace("127.0.0.7", "127.0.0.8");
    assert_eq!(finished(&["healthcheck", &elsewhere, "--ca", &ca]).0, 1);
}
