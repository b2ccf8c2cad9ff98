//! Certificates of a server: accepted and refused ones.

use std::process::Command;

use mock_aquera::{Auth, MockAquera, Tls};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

async fn exit_of(tls: Tls, arguments: &[&str]) -> (Option<i32>, String) {
    let mock =
        MockAquera::builder().auth(Auth::bearer("a-long-token")).tls(tls).start().await.expect("a mock");
    let mut program = Command::new(env!("CARGO_BIN_EXE_conformance"));
    program.args([
        "server",
        &mock.scim_url(),
        "--bearer",
        "a-long-token",
        "--select",
        "id=rfc7644/3.6/is-gone",
    ]);
    program.args(arguments);
    let output = tokio::task::spawn_blocking(move || program.output()).await.expect("a task");
    let output = output.expect("the program runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[track_caller]
fn assert_refused((code, error): &(Option<i32>, String)) {
    assert_eq!(*code, Some(3), "{error}");
    assert!(error.contains("TLS failed") && error.contains("--ca-file FILE.pem"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_certificate_is_refused_without_its_authority_or_insecure() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    let tls = Tls::self_signed(&[]).expect("a certificate");
    std::fs::write(&file, tls.ca_pem().expect("an authority")).expect("a file");
    let named = exit_of(tls, &["--ca-file", &file.display().to_string()]).await;
    assert_eq!(named.0, Some(0), "{}", named.1);
    assert_refused(&exit_of(Tls::self_signed(&[]).expect("a certificate"), &[]).await);
    let other = exit_of(Tls::self_signed(&[]).expect("one"), &["--ca", &file.display().to_string()]).await;
    assert_refused(&other);
    let any = exit_of(Tls::self_signed(&[]).expect("a certificate"), &["--insecure"]).await;
    assert_eq!(any.0, Some(0), "{}", any.1);
}

/// The certificate is its own authority, as `openssl req -x509` makes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn self_signed_certificate_in_the_file_is_accepted_for_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("server.pem");
    for (name, taken) in [("127.0.0.1", true), ("elsewhere.example", false)] {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        std::fs::write(&file, &pem).expect("a file");
        let tls = Tls::from_pem(pem.as_bytes(), key.serialize_pem().as_bytes()).expect("TLS");
        let outcome = exit_of(tls, &["--ca-file", &file.display().to_string()]).await;
        if taken {
            assert_eq!(outcome.0, Some(0), "{}", outcome.1);
        } else {
            assert_refused(&outcome);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_certificate_is_explained() {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let pem = params.self_signed(&key).expect("a certificate").pem();
    let tls = Tls::from_pem(pem.as_bytes(), key.serialize_pem().as_bytes()).expect("TLS");
    let outcome = exit_of(tls, &[]).await;
    assert_refused(&outcome);
    assert!(outcome.1.contains("its certificate is self-signed, and not known here"), "{}", outcome.1);
    assert!(!outcome.1.contains("OtherError"), "{}", outcome.1);
}
