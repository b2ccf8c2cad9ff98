//! Which servers are trusted: those with a certificate of an authority that the system knows, or that a file names.
//!
//! A file may also name the certificate of the server itself, as it is common for self-signed ones. The host name and
//! the dates of a certificate count in every case.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

/// Why it cannot be told which servers are trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The system knows no authority.
    #[error(
        "cannot verify https targets: {0}; install the system's certificate authorities \
         (Debian and Ubuntu: `apt-get install ca-certificates`, Fedora: `dnf install ca-certificates`, Alpine: `apk add ca-certificates`), \
         or point SSL_CERT_FILE at a PEM file"
    )]
    NoAuthorities(String),
    /// The file with certificates cannot be read.
    #[error("the file {file} cannot be read: {why}")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What stands in the way.
        why: std::io::ErrorKind,
    },
    /// The file has no certificate in it.
    #[error("there is no certificate in {0}: PEM is expected, with -----BEGIN CERTIFICATE-----")]
    NoCertificate(PathBuf),
    /// A certificate in the file is malformed.
    #[error("certificate {number} in {file} is malformed")]
    Malformed {
        /// The file.
        file: PathBuf,
        /// Which one, counted from 1.
        number: usize,
    },
}

/// Reads the certificates of a PEM file; there is at least one, and each can be parsed.
///
/// # Errors
///
/// The file cannot be read, has no certificate, or has a malformed one.
pub fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes =
        fs::read(file).map_err(|error| TlsError::Unreadable { file: file.to_owned(), why: error.kind() })?;
    let mut certificates = Vec::new();
    for (index, certificate) in CertificateDer::pem_slice_iter(&bytes).enumerate() {
        let malformed = || TlsError::Malformed { file: file.to_owned(), number: index + 1 };
        let certificate = certificate.map_err(|_| malformed())?;
        ParsedCertificate::try_from(&certificate).map_err(|_| malformed())?;
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate(file.to_owned()));
    }
    Ok(certificates)
}

/// The settings of a client that trusts the system's authorities, and the certificates in `ca_file`.
///
/// # Errors
///
/// `ca_file` cannot be used, or there is none and the system knows no authority.
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let named = ca_file.map_or(Ok(Vec::new()), read_certificates)?;
    let system = Verifier::new_with_extra_roots(named.iter().cloned(), Arc::clone(&provider))
        .map_err(|error| TlsError::NoAuthorities(error.to_string()))?;
    Ok(builder(provider)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Named { system, named }))
        .with_no_client_auth())
}

/// The settings of a client that trusts nobody, for `http`.
pub(crate) fn without_certificates() -> Result<ClientConfig, TlsError> {
    let roots = rustls::RootCertStore::empty();
    Ok(builder(Arc::new(ring::default_provider()))?.with_root_certificates(roots).with_no_client_auth())
}

fn builder(
    provider: Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TlsError> {
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::NoAuthorities(error.to_string()))
}

/// Trusts what the system trusts, and a server whose own certificate was named.
#[derive(Debug)]
struct Named {
    system: Verifier,
    named: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let refused = match self.system.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        ) {
            Ok(verified) => return Ok(verified),
            Err(refused) => refused,
        };
        if is_about_issuer(&refused) && self.named.contains(&end_entity.clone().into_owned()) {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        Err(refused)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.system.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.system.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.system.supported_verify_schemes()
    }
}

/// What went wrong in TLS, in the words of whoever has to mend it.
pub fn words(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "its certificate is self-signed, or of an authority that is not known here".to_owned()
        }
        refused if is_about_issuer(refused) => {
            "its certificate is self-signed, and not known here".to_owned()
        }
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            format!("its certificate is refused: {other}")
        }
        other => other.to_string(),
    }
}

/// Whether a certificate was refused for who issued it. The dates are checked before that, so they are in order then.
fn is_about_issuer(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        // Another certificate that is trusted has the issuer's name, and not its key.
        Error::InvalidCertificate(CertificateError::BadSignature) => true,
        // What `openssl req -x509` makes is a certificate of an authority, and is refused as one of a server.
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            format!("{other:?}").contains("CaUsedAsEndEntity")
        }
        _ => false,
    }
}
