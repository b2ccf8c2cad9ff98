//! The trusted servers: those with a certificate of an authority that the system knows, or that a file names.
//!
//! A file may also name the certificate of the server itself, as it is common for self-signed ones. The host name and
//! the dates of a certificate count in every case.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
};
use rustls_platform_verifier::Verifier;

/// An error of the trusted certificates.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The system knows no authority.
    #[error("failed to load the system's certificate authorities")]
    NoAuthorities(#[source] Error),
    /// The certificate of this client cannot be used.
    #[error("failed to use the client's certificate")]
    Identity(#[source] Error),
    /// The file with certificates cannot be read.
    #[error("failed to read the certificates in {file}: {}", crate::file_error::words(*.why))]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The kind of the error.
        why: std::io::ErrorKind,
    },
    /// The file has no certificate in it.
    #[error("invalid certificate file {0}: expected PEM, with -----BEGIN CERTIFICATE-----")]
    NoCertificate(PathBuf),
    /// A certificate in the file is malformed.
    #[error("invalid certificate {number} in {file}: expected X.509 in DER")]
    Malformed {
        /// The file.
        file: PathBuf,
        /// The number of the certificate, from 1.
        number: usize,
    },
}

impl TlsError {
    /// Returns the way out.
    pub const fn way_out(&self) -> &'static str {
        match self {
            Self::NoAuthorities(_) => {
                "install them (Debian and Ubuntu: `apt-get install ca-certificates`, Fedora: `dnf install ca-certificates`, \
                 Alpine: `apk add ca-certificates`), or point SSL_CERT_FILE at a PEM file"
            }
            Self::Identity(_) => "check client-certificate and client-key under [connection.authentication]",
            Self::Unreadable { .. } => "correct the path, and make the file readable",
            Self::NoCertificate(_) | Self::Malformed { .. } => "save the certificates in the file as PEM",
        }
    }
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

/// The certificate that this client shows to a server that asks for one (mutual TLS), with its key.
pub struct ClientIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity")
            .field("chain", &self.chain.len())
            .field("key", &"[redacted]")
            .finish()
    }
}

/// A certificate of a client and a key that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The certificate is not one.
    #[error("expected a certificate in PEM, with -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    /// The key is not one, or is encrypted.
    #[error("expected an unencrypted private key in PEM, with -----BEGIN PRIVATE KEY-----")]
    NoKey,
    /// The two do not belong together, or are of a kind that is not supported.
    #[error("the key does not belong to the certificate, or is of an unsupported kind")]
    Mismatch,
}

impl ClientIdentity {
    /// Parses a certificate (with the intermediate ones after it) and its key.
    ///
    /// # Errors
    ///
    /// One of the two is not valid PEM, or they do not belong together.
    pub fn parse(certificates: &str, key: &str) -> Result<Self, IdentityError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificates.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| IdentityError::NoCertificate)?;
        if chain.is_empty() {
            return Err(IdentityError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| IdentityError::NoKey)?;
        CertifiedKey::from_der(chain.clone(), key.clone_key(), &ring::default_provider())
            .map_err(|_| IdentityError::Mismatch)?;
        Ok(Self { chain, key })
    }
}

/// Returns the settings of a client that trusts the system's authorities and the certificates in `ca_file`, and shows
/// `identity` to a server that asks for a certificate.
///
/// # Errors
///
/// `ca_file` cannot be used, or there is none and the system knows no authority.
pub fn client_config(
    ca_file: Option<&Path>,
    identity: Option<&ClientIdentity>,
) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let named = ca_file.map_or(Ok(Vec::new()), read_certificates)?;
    let system = Verifier::new_with_extra_roots(named.iter().cloned(), Arc::clone(&provider))
        .map_err(TlsError::NoAuthorities)?;
    let builder =
        builder(provider)?.dangerous().with_custom_certificate_verifier(Arc::new(Named { system, named }));
    match identity {
        Some(ClientIdentity { chain, key }) => {
            builder.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(TlsError::Identity)
        }
        None => Ok(builder.with_no_client_auth()),
    }
}

/// Returns the settings of a client that trusts no server, for `http`.
pub(crate) fn without_certificates() -> Result<ClientConfig, TlsError> {
    let roots = rustls::RootCertStore::empty();
    Ok(builder(Arc::new(ring::default_provider()))?.with_root_certificates(roots).with_no_client_auth())
}

fn builder(
    provider: Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TlsError> {
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::NoAuthorities)
}

/// A verifier that trusts the system's authorities, and a server whose own certificate was named.
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

/// The way out of a failure of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Name the certificate, or its authority, in `ca-file`.
    Trust,
    /// Use a host name that the certificate is valid for.
    Name,
    /// Have the server's certificate renewed or replaced.
    Replace,
    /// Show a certificate of this client that the server accepts.
    ClientCertificate,
    /// Find out which protocol the port uses.
    Protocol,
}

impl Advice {
    /// Returns the way out.
    pub const fn next(self) -> &'static str {
        match self {
            Self::Trust => {
                "a certificate of a private authority, or a self-signed one, goes into a PEM file that is named by ca-file = \"…\" \
                 under [connection.options]"
            }
            Self::Name => {
                "set scim-url to a host name that the certificate is valid for, or have the server given a certificate for this \
                 host; ca-file does not help here"
            }
            Self::Replace => {
                "have the server given another certificate, made for servers and valid today; ca-file does not help here"
            }
            Self::ClientCertificate => {
                "name a certificate that the server accepts, and its key, by client-certificate = \"…\" and client-key = \"…\" under \
                 [connection.authentication]"
            }
            Self::Protocol => "check that scim-url's port speaks TLS (https), and TLS 1.2 or 1.3",
        }
    }
}

/// Describes a TLS error for an operator, with the way out.
pub fn words(error: &Error) -> (String, Advice) {
    let words = match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            let words = "its certificate is self-signed, or of an authority that is not known here";
            return (words.to_owned(), Advice::Trust);
        }
        refused if is_about_issuer(refused) => {
            return ("its certificate is self-signed, and not known here".to_owned(), Advice::Trust);
        }
        Error::InvalidCertificate(refused) => return certificate_words(refused),
        Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied,
        ) => {
            let words = "the server wants a client certificate, and was shown none that it accepts";
            return (words.to_owned(), Advice::ClientCertificate);
        }
        Error::AlertReceived(alert) => format!("the server broke off the handshake: {}", alert_words(*alert)),
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. } => "what the port answers is not TLS".to_owned(),
        Error::PeerIncompatible(_) => {
            "the server shares no version or cipher of TLS with this program".to_owned()
        }
        Error::NoCertificatesPresented => "the server shows no certificate".to_owned(),
        other => other.to_string(),
    };
    (words, Advice::Protocol)
}

fn certificate_words(refused: &CertificateError) -> (String, Advice) {
    match refused {
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<String> = presented.iter().map(|name| bare_name(name)).collect();
            let valid = if names.is_empty() { "no host name".to_owned() } else { names.join(", ") };
            let words = format!("its certificate is not valid for {}, but for {valid}", expected.to_str());
            (words, Advice::Name)
        }
        CertificateError::NotValidForName => {
            ("its certificate is not valid for this host name".to_owned(), Advice::Name)
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("its certificate has expired".to_owned(), Advice::Replace)
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("its certificate is not valid yet: see that the clocks are right".to_owned(), Advice::Replace)
        }
        CertificateError::Revoked => ("its certificate was revoked".to_owned(), Advice::Replace),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            (NOT_FOR_SERVERS.to_owned(), Advice::Replace)
        }
        // The verifier's own type is private, and its name is all that tells it.
        CertificateError::Other(other) if format!("{other:?}").contains("EkuError") => {
            (NOT_FOR_SERVERS.to_owned(), Advice::Replace)
        }
        CertificateError::Other(other) => {
            (format!("its certificate is refused: {}", other.0), Advice::Replace)
        }
        other => (format!("its certificate is refused: {other}"), Advice::Replace),
    }
}

const NOT_FOR_SERVERS: &str = "its certificate is not one for servers (extendedKeyUsage lacks serverAuth)";

/// Returns a name of a certificate without the form in which the library shows it: `DnsName("host")`,
/// `IpAddress(10.0.0.1)`.
fn bare_name(shown: &str) -> String {
    let inner = shown.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(shown);
    inner.trim_matches('"').to_owned()
}

fn alert_words(alert: AlertDescription) -> String {
    let words = match alert {
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            "it takes no cipher that this program has, or does not speak TLS for this host"
        }
        AlertDescription::ProtocolVersion => "it speaks neither TLS 1.2 nor 1.3",
        AlertDescription::UnrecognisedName => "it does not know this host name",
        AlertDescription::NoApplicationProtocol => "it does not speak HTTP",
        AlertDescription::InternalError => "it had an error of its own",
        other => return format!("it sent the alert {}", u8::from(other)),
    };
    words.to_owned()
}

/// Whether a certificate was refused for who issued it. The dates are checked before that, so they are in order then.
fn is_about_issuer(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        // Another certificate that is trusted has the issuer's name, and not its key.
        Error::InvalidCertificate(CertificateError::BadSignature) => true,
        // `openssl req -x509` creates a certificate of an authority, which is refused as one of a server.
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            format!("{other:?}").contains("CaUsedAsEndEntity")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_plain_words_with_advice_that_fits() {
        let name = ServerName::try_from("host.example").unwrap();
        let presented = vec!["DnsName(\"other.example\")".to_owned(), "IpAddress(10.0.0.1)".to_owned()];
        let eku = rustls::OtherError(Arc::new(std::io::Error::other("not for servers")));
        for (error, words, advice) in [
            (
                Error::InvalidCertificate(CertificateError::NotValidForNameContext {
                    expected: name,
                    presented,
                }),
                "not valid for host.example, but for other.example, 10.0.0.1",
                Advice::Name,
            ),
            (
                Error::InvalidCertificate(CertificateError::Other(eku)),
                "refused: not for servers",
                Advice::Replace,
            ),
            (Error::InvalidCertificate(CertificateError::Expired), "expired", Advice::Replace),
            (Error::InvalidCertificate(CertificateError::UnknownIssuer), "self-signed", Advice::Trust),
            (
                Error::AlertReceived(AlertDescription::HandshakeFailure),
                "broke off the handshake",
                Advice::Protocol,
            ),
            (Error::AlertReceived(AlertDescription::DecodeError), "the alert 50", Advice::Protocol),
        ] {
            let (told, to_do) = super::words(&error);
            assert!(told.contains(words), "{error:?}: {told}");
            assert_eq!(to_do, advice, "{error:?}");
        }
    }
}
