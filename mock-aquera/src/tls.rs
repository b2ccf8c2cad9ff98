//! Certificate and key of a server, as those who set one up give them.

use crate::net::{Authority, TlsConfig, TlsError};

/// What a server needs to speak TLS: HTTP/2 and HTTP/1.1 by ALPN, over TLS 1.3 and 1.2. `Debug` shows no key.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use mock_aquera::{MockAquera, Tls};
///
/// let mock = MockAquera::builder().tls(Tls::self_signed(&["scim.test"])?).start().await?;
/// assert!(mock.scim_url().starts_with("https://"));
/// // What a client has to trust, as PEM:
/// assert!(mock.ca_pem().is_some_and(|pem| pem.contains("BEGIN CERTIFICATE")));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Tls {
    pub(crate) config: TlsConfig,
    ca_pem: Option<String>,
}

impl Tls {
    /// A new certificate for `localhost`, `127.0.0.1`, `::1` and these names (addresses are names too), signed by an
    /// authority that is made for it and never signs anything else.
    ///
    /// # Errors
    /// A name can't stand in a certificate.
    pub fn self_signed(names: &[&str]) -> Result<Self, TlsError> {
        let (config, ca_pem) = TlsConfig::self_signed(names)?;
        Ok(Self { config, ca_pem: Some(ca_pem) })
    }

    /// A new certificate for `localhost`, `127.0.0.1`, `::1` and these names, signed by an authority that is kept.
    pub(crate) fn issued_by(authority: &Authority, names: &[&str]) -> Result<Self, TlsError> {
        let config = TlsConfig::issued_by(authority, names)?;
        Ok(Self { config, ca_pem: Some(authority.pem().to_owned()) })
    }

    /// A certificate chain, the server's own first, and the private key of that one, both as PEM.
    ///
    /// # Errors
    /// Says which of the two is no good, and why; never what stands in the key.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Ok(Self { config: TlsConfig::from_pem(chain, key)?, ca_pem: None })
    }

    /// The PEM of the authority that a client has to trust; none where the certificate is one's own.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }
}
