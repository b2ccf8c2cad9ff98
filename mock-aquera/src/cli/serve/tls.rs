//! What the command line says about TLS.

mod kept;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::super::Failure;
use super::LISTENING;
use crate::tls::Tls;

/// Where the authority of a self-signed certificate goes, and where `healthcheck` looks for it.
pub(in crate::cli) const CA_FILE: &str = "mock-aquera-ca.pem";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A certificate is made at each start, signed by an authority that is kept
    SelfSigned,
}

#[derive(Debug, Args)]
pub(super) struct TlsOptions {
    /// Speak TLS with a certificate made now for localhost, 127.0.0.1 and ::1
    #[arg(long, value_name = "KIND", conflicts_with = "tls_cert", help_heading = LISTENING)]
    tls: Option<Kind>,
    /// Put this host name or address into the certificate too (repeatable)
    #[arg(long, value_name = "NAME", requires = "tls", help_heading = LISTENING)]
    tls_name: Vec<String>,
    /// Keep the authority that clients have to trust in this file over restarts, and its private key beside it
    /// (ca.pem: ca-key.pem)
    #[arg(long, value_name = "FILE", default_value = CA_FILE, requires = "tls", help_heading = LISTENING)]
    tls_ca: PathBuf,
    /// Speak TLS with the certificate chain in this PEM file
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = LISTENING)]
    tls_cert: Option<PathBuf>,
    /// The private key that goes with --tls-cert, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = LISTENING)]
    tls_key: Option<PathBuf>,
}

/// What came of it.
pub(super) struct Chosen {
    pub(super) tls: Tls,
    /// The file with the authority; none where the certificate is one's own.
    pub(super) ca_file: Option<PathBuf>,
}

impl TlsOptions {
    /// The certificate, made or read; the authority of a made one is kept. A made one is good for the address that is
    /// listened at, too.
    pub(super) fn read(&self, listen: IpAddr) -> Result<Option<Chosen>, Failure> {
        if let (Some(chain), Some(key)) = (&self.tls_cert, &self.tls_key) {
            let tls = Tls::from_pem(&file("--tls-cert", chain)?, &file("--tls-key", key)?);
            let files = format!("{} and {}", chain.display(), key.display());
            let tls = tls.map_err(|error| Failure::usage(format!("use {files}: failed to {error}")))?;
            return Ok(Some(Chosen { tls, ca_file: None }));
        }
        let Some(Kind::SelfSigned) = self.tls else { return Ok(None) };
        let address = (!listen.is_unspecified()).then(|| listen.to_string());
        let names: Vec<&str> = self.tls_name.iter().chain(&address).map(String::as_str).collect();
        let authority = kept::authority(&self.tls_ca)?;
        let tls = Tls::issued_by(&authority, &names).map_err(|error| Failure::usage(error.to_string()))?;
        let ca_file = Some(self.tls_ca.clone());
        Ok(Some(Chosen { tls, ca_file }))
    }
}

fn file(option: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::usage(format!("read {option} {}: {error}", path.display())))
}
