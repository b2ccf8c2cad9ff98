//! The authority that is kept in a file, with its private key in another one beside it.
//!
//! A file that is there is never written over: it may be an authority that clients trust, or somebody else's.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::super::Failure;
use super::super::{banner, write_replacing};
use crate::net::Authority;

/// The authority in a file; a new one where there is neither the file nor its key.
pub(super) fn authority(certificate: &Path) -> Result<Authority, Failure> {
    let key = key_file(certificate);
    // In this order: another mock that starts in the same folder makes the key first.
    let has_certificate = certificate.exists();
    match File::open(&key) {
        Ok(opened) => {
            // Waits for another mock that is just making the pair. Not every file system has locks.
            let _ = opened.lock_shared();
            let text = read(&opened, &key)?;
            let is_new = text.is_empty() && !certificate.exists();
            drop(opened);
            if is_new {
                return make(certificate, &key);
            }
            warn_of_readers(&key);
            kept(certificate, &key, &text)
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unreadable(&key, &error)),
        Err(_) if has_certificate => Err(Failure::usage(format!(
            "use the authority {}: its key {} is missing, and without it no certificate can be signed; put it back, \
             delete the authority to have a new pair made, which clients have to trust anew, or name another file with \
             --tls-ca",
            certificate.display(),
            key.display()
        ))),
        Err(_) => make(certificate, &key),
    }
}

fn kept(certificate: &Path, key: &Path, key_text: &str) -> Result<Authority, Failure> {
    let certificate_text = match File::open(certificate) {
        Ok(opened) => read(&opened, certificate)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(unreadable(certificate, &error)),
    };
    Authority::from_pem(&certificate_text, key_text, Timestamp::now()).map_err(|error| {
        Failure::usage(format!(
            "use the authority {} with its key {}: {error}; put back the files that belong together, delete both to \
             have a new pair made, which clients have to trust anew, or name another file with --tls-ca",
            certificate.display(),
            key.display()
        ))
    })
}

/// Makes a new authority, unless another process does at the same time.
fn make(certificate: &Path, key: &Path) -> Result<Authority, Failure> {
    let unwritable = |file: &Path, error: &io::Error| {
        let advice = "--tls-ca names another file, whose key is written beside it";
        Failure::usage(format!("write the authority to {}: {error}; {advice}", file.display()))
    };
    let mut opened = open_private(key).map_err(|error| unwritable(key, &error))?;
    let _ = opened.lock();
    let mut text = String::new();
    opened.read_to_string(&mut text).map_err(|error| unreadable(key, &error))?;
    if !text.is_empty() {
        return kept(certificate, key, &text);
    }
    let made = Authority::generate().map_err(|error| Failure::failed(error.to_string()));
    let written = made.and_then(|made| {
        write_replacing(certificate, made.pem()).map_err(|error| unwritable(certificate, &error))?;
        opened.write_all(made.key_pem().as_bytes()).map_err(|error| unwritable(key, &error))?;
        Ok(made)
    });
    if written.is_err() {
        // An empty key says nothing; what is left of one would be told as damaged.
        let _ = fs::remove_file(key);
    }
    written
}

/// `ca.pem` has its key in `ca-key.pem`.
fn key_file(certificate: &Path) -> PathBuf {
    let mut name = certificate.file_stem().map_or_else(OsString::new, OsString::from);
    name.push("-key");
    if let Some(extension) = certificate.extension() {
        name.push(".");
        name.push(extension);
    }
    certificate.with_file_name(name)
}

/// Opens a file that nobody but its owner can read.
#[cfg(unix)]
fn open_private(file: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(file)
}

/// Opens a file that nobody but its owner can read.
#[cfg(windows)]
fn open_private(file: &Path) -> io::Result<File> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(file)?;
    let owner = std::env::var("USERNAME").unwrap_or_default();
    // What the folder grants is taken away before anything is in the file.
    let taken = std::process::Command::new("icacls")
        .arg(file)
        .args(["/inheritance:r", "/grant:r", &format!("{owner}:F")])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    if !taken.is_ok_and(|status| status.success()) {
        banner::warning(&format!("other users may be able to read {}: icacls failed", file.display()));
    }
    Ok(opened)
}

#[cfg(unix)]
fn warn_of_readers(key: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(key).map_or(0, |about| about.permissions().mode());
    if mode & 0o077 != 0 {
        let file = key.display();
        banner::warning(&format!(
            "the private key {file} can be read by other users, who could then pose as any server to those who trust it: \
             chmod 600 {file}"
        ));
    }
}

#[cfg(not(unix))]
fn warn_of_readers(_: &Path) {}

fn read(mut opened: &File, file: &Path) -> Result<String, Failure> {
    let mut text = Vec::new();
    opened.read_to_end(&mut text).map_err(|error| unreadable(file, &error))?;
    // What is no text is told as damaged.
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn unreadable(file: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("read {}: {error}; --tls-ca names another file", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_beside_its_certificate() {
        for (certificate, key) in [
            ("mock-aquera-ca.pem", "mock-aquera-ca-key.pem"),
            ("a/b.c/ca", "a/b.c/ca-key"),
            ("/x/my.ca.crt", "/x/my.ca-key.crt"),
        ] {
            assert_eq!(key_file(Path::new(certificate)), Path::new(key), "{certificate}");
        }
    }

    #[test]
    fn mocks_that_start_together_keep_one_authority() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let start = || {
            let made = authority(&file).unwrap();
            (made.pem().to_owned(), made.key_pem())
        };
        let all: Vec<_> = std::thread::scope(|scope| {
            let started: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            started.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let there = (
            fs::read_to_string(&file).unwrap(),
            fs::read_to_string(folder.path().join("ca-key.pem")).unwrap(),
        );
        assert!(all.iter().all(|one| *one == there), "{all:?}");
    }
}
