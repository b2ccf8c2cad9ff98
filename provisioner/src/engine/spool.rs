//! Users with something to do, kept outside of the heap: those of a large first run would take gigabytes.

use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::SpooledTempFile;

/// How many bytes are kept in memory before the rest goes to a file.
const IN_MEMORY: usize = 32 << 20;

/// The place of a value in a spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpoolPlace {
    start: u64,
    length: u32,
}

/// Values as JSON, in memory or in an unnamed file that only this process can open.
pub(crate) struct Spool {
    file: Mutex<SpooledTempFile>,
    end: u64,
}

impl Spool {
    /// Creates an empty spool; a large one is kept in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { file: Mutex::new(SpooledTempFile::new_in(IN_MEMORY, folder)), end: 0 }
    }

    /// Returns `value` as it is written to a spool.
    pub(crate) fn encode(value: &impl Serialize) -> io::Result<Vec<u8>> {
        serde_json::to_vec(value).map_err(io::Error::from)
    }

    /// Appends an encoded value.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn push(&mut self, encoded: &[u8]) -> io::Result<SpoolPlace> {
        let length = u32::try_from(encoded.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.end))?;
        file.write_all(encoded)?;
        let place = SpoolPlace { start: self.end, length };
        self.end += u64::from(length);
        Ok(place)
    }

    /// Reads the value at `place`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn read<T: DeserializeOwned>(&self, place: SpoolPlace) -> io::Result<T> {
        let mut encoded = vec![0; place.length as usize];
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(place.start))?;
            file.read_exact(&mut encoded)?;
        }
        serde_json::from_slice(&encoded).map_err(io::Error::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_back_from_memory_and_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(folder.path());
        let long = "x".repeat(IN_MEMORY / 2);
        let values = ["", "short", &long, "ünï", &long, "last"];
        let places: Vec<SpoolPlace> =
            values.iter().map(|value| spool.push(&Spool::encode(value).unwrap()).unwrap()).collect();
        for (value, place) in values.iter().zip(places).rev() {
            assert_eq!(spool.read::<String>(place).unwrap(), *value);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
    }
}
