//! The file that says the port.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::Failure;
use super::{FRESH, write_replacing};
use crate::data::beside;

/// A file that can be written, as was tried. What was tried with goes with this.
pub(super) struct PortFile {
    file: PathBuf,
}

impl PortFile {
    /// Makes sure that the file can be written.
    pub(super) fn open(file: &Path) -> Result<Self, Failure> {
        let tried = if file.is_dir() {
            Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"))
        } else {
            fs::write(beside(file, FRESH), "")
        };
        match tried {
            Ok(()) => Ok(Self { file: file.to_owned() }),
            Err(error) => Err(Failure::usage(unwritable(file, &error))),
        }
    }

    /// Writes the port.
    pub(super) fn write(&self, port: u16) -> Result<(), Failure> {
        write_replacing(&self.file, &format!("{port}\n"))
            .map_err(|error| Failure::failed(unwritable(&self.file, &error)))
    }
}

impl Drop for PortFile {
    fn drop(&mut self) {
        // It is gone where the port was written.
        let _ = fs::remove_file(beside(&self.file, FRESH));
    }
}

fn unwritable(file: &Path, error: &io::Error) -> String {
    format!("write the port to {}: {error}; --port-file names another file", file.display())
}
