//! Certificates and keys.

mod authority;

use std::fmt;
use std::sync::Arc;

pub(crate) use authority::Authority;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Under these every client on this machine finds the server.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A server's certificate and private key. Offers HTTP/2 and HTTP/1.1 by ALPN, over TLS 1.3 and 1.2.
#[derive(Clone)]
pub(crate) struct TlsConfig(Arc<ServerConfig>);

/// Without the key.
impl fmt::Debug for TlsConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("TlsConfig(..)")
    }
}

/// Why a certificate and a key can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The chain holds none.
    #[error("use the certificate chain: it holds no PEM block `CERTIFICATE`; the server's own comes first")]
    NoCertificate,
    /// A block can't be read.
    #[error("use the certificate chain: its PEM block number {0} is broken")]
    BrokenCertificate(usize),
    /// There is no key, or one that needs a password.
    #[error(
        "use the private key: there is no PEM block `PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY`; one under \
         a password has to be decrypted first"
    )]
    NoKey,
    /// They don't belong together.
    #[error("use the private key: it is not that of the first certificate in the chain")]
    Mismatch,
    /// What the TLS library says.
    #[error("use the certificate and its key: {0}")]
    Refused(String),
    /// A name that no certificate can hold, or no randomness.
    #[error("make a certificate: {0}; a name is a host name or an address, such as scim.test or 192.0.2.1")]
    Generate(String),
}

impl From<rcgen::Error> for TlsError {
    fn from(error: rcgen::Error) -> Self {
        Self::Generate(error.to_string())
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InconsistentKeys(_) => Self::Mismatch,
            other => Self::Refused(other.to_string()),
        }
    }
}

impl TlsConfig {
    /// A certificate for this machine's own names and these, and the PEM of the authority that signed it: what a
    /// client has to trust. The authority's key is forgotten, so nothing else will ever be signed by it.
    ///
    /// # Errors
    /// A name can't stand in a certificate.
    pub(crate) fn self_signed(names: &[&str]) -> Result<(Self, String), TlsError> {
        let authority = Authority::generate()?;
        Ok((Self::issued_by(&authority, names)?, authority.pem().to_owned()))
    }

    /// A new certificate of an authority for this machine's own names and these.
    ///
    /// # Errors
    /// A name can't stand in a certificate.
    pub(crate) fn issued_by(authority: &Authority, names: &[&str]) -> Result<Self, TlsError> {
        let mut all: Vec<String> = Vec::new();
        for name in LOCAL_NAMES.iter().chain(names) {
            if !all.iter().any(|known| known == name) {
                all.push((*name).to_owned());
            }
        }
        let mut server = CertificateParams::new(all)?;
        server.distinguished_name.push(DnType::CommonName, "mock-aquera");
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        authority::long_lived(&mut server);
        let server_key = KeyPair::generate()?;
        let certificate = server.signed_by(&server_key, authority.issuer())?;
        let key = PrivateKeyDer::Pkcs8(server_key.serialize_der().into());
        Self::new(vec![certificate.der().clone()], key)
    }

    /// A certificate chain, the server's own first, and the private key of that one.
    ///
    /// # Errors
    /// Says which of the two is no good, and why; never what stands in the key.
    pub(crate) fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let mut certificates = Vec::new();
        for (index, certificate) in CertificateDer::pem_slice_iter(chain).enumerate() {
            certificates.push(certificate.map_err(|_| TlsError::BrokenCertificate(index + 1))?);
        }
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        // The error could quote the key.
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NoKey)?;
        Self::new(certificates, key)
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, TlsError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    pub(super) fn acceptor(self) -> TlsAcceptor {
        TlsAcceptor::from(self.0)
    }
}
