//! The authority that signs the certificate of a server, made new or read from where it was kept.

use std::fmt;

use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rcgen::{PublicKeyData as _, date_time_ymd};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use x509_parser::certificate::X509Certificate;

use super::TlsError;

/// A certificate authority with its private key. `Debug` shows no key.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Authority(..)")
    }
}

/// Why a certificate and a key can't sign the certificates of servers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AuthorityError {
    #[error("the certificate is damaged or missing: no PEM block `CERTIFICATE` can be read")]
    Certificate,
    #[error("the certificate is not that of an authority: it may not sign other certificates")]
    NotAnAuthority,
    #[error(
        "the key is damaged or missing: no PEM block `PRIVATE KEY` (PKCS #8, without a password) can be read"
    )]
    Key,
    #[error("the key does not belong to the certificate")]
    Mismatch,
    #[error("the certificate is valid from {0} only")]
    NotYet(Timestamp),
    #[error("the certificate expired at {0}")]
    Expired(Timestamp),
}

impl From<pem::Error> for AuthorityError {
    fn from(_: pem::Error) -> Self {
        Self::Certificate
    }
}

impl Authority {
    /// Makes a new authority.
    pub(crate) fn generate() -> Result<Self, TlsError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "mock-aquera authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        long_lived(&mut params);
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { pem, issuer: Issuer::new(params, key) })
    }

    /// Reads an authority from its certificate and its private key, both as PEM.
    ///
    /// # Errors
    /// Says which of the two can't be used, and why; never what stands in the key.
    pub(crate) fn from_pem(certificate: &str, key: &str, now: Timestamp) -> Result<Self, AuthorityError> {
        let der = CertificateDer::from_pem_slice(certificate.as_bytes())?;
        let (_, read) = x509_parser::parse_x509_certificate(&der).map_err(|_| AuthorityError::Certificate)?;
        check_authority(&read)?;
        let validity = read.validity();
        let instant = |seconds| Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        let (from, until) =
            (instant(validity.not_before.timestamp()), instant(validity.not_after.timestamp()));
        if now < from {
            return Err(AuthorityError::NotYet(from));
        }
        if now > until {
            return Err(AuthorityError::Expired(until));
        }
        // The errors could quote the key.
        let key = KeyPair::from_pem(key).map_err(|_| AuthorityError::Key)?;
        if read.public_key().raw != key.subject_public_key_info() {
            return Err(AuthorityError::Mismatch);
        }
        let issuer = Issuer::from_ca_cert_der(&der, key).map_err(|_| AuthorityError::Certificate)?;
        Ok(Self { pem: certificate.to_owned(), issuer })
    }

    /// The certificate as PEM: what a client has to trust.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// The private key as PEM.
    pub(crate) fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    pub(super) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }
}

fn check_authority(certificate: &X509Certificate<'_>) -> Result<(), AuthorityError> {
    let usage = certificate.key_usage().map_err(|_| AuthorityError::Certificate)?;
    let may_sign = usage.is_none_or(|usage| usage.value.key_cert_sign());
    if certificate.is_ca() && may_sign { Ok(()) } else { Err(AuthorityError::NotAnAuthority) }
}

/// Makes a certificate valid from long ago to far ahead, whatever the clock of this machine says.
pub(super) fn long_lived(params: &mut CertificateParams) {
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2049, 12, 31));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-31T12:00:00Z".parse().unwrap()
    }

    fn error(certificate: &str, key: &str, now: Timestamp) -> String {
        let error = Authority::from_pem(certificate, key, now).unwrap_err().to_string();
        assert!(!error.contains("c2VjcmV0"), "the key is told: {error}");
        error
    }

    #[test]
    fn authority_is_read_back_with_its_key() {
        let made = Authority::generate().unwrap();
        let read = Authority::from_pem(made.pem(), &made.key_pem(), now()).unwrap();
        assert_eq!((read.pem(), read.key_pem()), (made.pem(), made.key_pem()));
        assert_eq!(format!("{read:?}"), "Authority(..)");
    }

    #[test]
    fn authority_that_cannot_sign_is_refused_with_the_reason() {
        let (one, other) = (Authority::generate().unwrap(), Authority::generate().unwrap());
        let (pem, key) = (one.pem(), one.key_pem());
        let part = |text: &str| text[..text.len() / 2].to_owned();
        let secret = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
        for damaged in ["", "x", &key, &part(pem), &pem.replace("MII", "AAA")] {
            assert!(
                error(damaged, &key, now()).starts_with("the certificate is damaged or missing"),
                "{damaged}"
            );
        }
        for damaged in ["", "x", pem, secret, &part(&key)] {
            assert!(error(pem, damaged, now()).starts_with("the key is damaged or missing"), "{damaged}");
        }
        assert_eq!(error(pem, &other.key_pem(), now()), "the key does not belong to the certificate");
        let server = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let server = error(&server.cert.pem(), &server.signing_key.serialize_pem(), now());
        assert_eq!(server, "the certificate is not that of an authority: it may not sign other certificates");
        let early: Timestamp = "2019-12-31T00:00:00Z".parse().unwrap();
        assert_eq!(error(pem, &key, early), "the certificate is valid from 2020-01-01T00:00:00Z only");
        let late: Timestamp = "2050-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(error(pem, &key, late), "the certificate expired at 2049-12-31T00:00:00Z");
    }
}
