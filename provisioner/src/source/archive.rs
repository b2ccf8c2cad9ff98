//! Compressed files: gzip and zstd, decompressed piece by piece.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use super::{Format, SourceProblem};

/// The compression of a file, by its last extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// Returns the compression of `path`, and the path of the file within.
    pub(super) fn of(path: &Path) -> (Self, PathBuf) {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
        match extension.as_str() {
            "gz" => (Self::Gzip, path.with_extension("")),
            "zst" => (Self::Zstd, path.with_extension("")),
            _ => (Self::None, path.to_owned()),
        }
    }
}

/// What a gzip file begins with (RFC 1952 §2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// What a frame of a zstd file begins with (RFC 8878 §3.1.1).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// What a frame of a zstd file that is skipped begins with, behind its first byte, 0x50 to 0x5f (RFC 8878 §3.1.2).
const SKIPPED: [u8; 3] = [0x2a, 0x4d, 0x18];

impl Compression {
    /// Returns the name of the compression if a file that begins with `start` has none of it.
    fn is_missed_by(self, start: &[u8]) -> Option<&'static str> {
        let begins_with = |magic: &[u8]| start.iter().zip(magic).all(|(found, expected)| found == expected);
        let is_skipped = || {
            matches!(start.first(), Some(0x50..=0x5f))
                && start.iter().skip(1).zip(SKIPPED).all(|(found, expected)| *found == expected)
        };
        match self {
            Self::None => None,
            Self::Gzip => (!begins_with(&GZIP)).then_some("gzip"),
            Self::Zstd => (!begins_with(&ZSTD) && !is_skipped()).then_some("zstd"),
        }
    }
}

/// The bytes of a file of users, decompressed.
pub(super) enum Bytes {
    Plain(File),
    Gzip(Box<MultiGzDecoder<BufReader<File>>>),
    Zstd(Box<ZstdFrames<BufReader<File>>>),
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

/// Returns the format of a file of users, compressed or not.
pub(super) fn format(path: &Path) -> Option<Format> {
    Format::of(&Compression::of(path).1)
}

/// Opens a file of users, and returns its format.
pub(super) fn open(path: &Path) -> Result<(Bytes, Format), SourceProblem> {
    if !path.exists() {
        return Err(SourceProblem::NotFound);
    }
    let (compression, _) = Compression::of(path);
    let format = format(path).ok_or(SourceProblem::UnknownFormat)?;
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => SourceProblem::NotFound,
        ErrorKind::IsADirectory => SourceProblem::Directory,
        kind => SourceProblem::Unreadable(kind),
    })?;
    let bytes = match compression {
        Compression::None => Bytes::Plain(file),
        Compression::Gzip | Compression::Zstd => {
            let mut file = BufReader::new(file);
            let start = file.fill_buf().map_err(|error| match error.kind() {
                ErrorKind::IsADirectory => SourceProblem::Directory,
                kind => SourceProblem::Unreadable(kind),
            })?;
            if start.is_empty() {
                // A decoder takes no archive at all for an archive of nothing.
                return Err(SourceProblem::DamagedArchive);
            }
            if let Some(name) = compression.is_missed_by(start) {
                return Err(SourceProblem::NotCompressed(name));
            }
            match compression {
                Compression::Zstd => Bytes::Zstd(Box::new(ZstdFrames::new(file))),
                Compression::None | Compression::Gzip => Bytes::Gzip(Box::new(MultiGzDecoder::new(file))),
            }
        }
    };
    Ok((bytes, format))
}

/// The frames of a zstd file, one after the other, each with its check sum.
pub(super) struct ZstdFrames<R: BufRead> {
    state: State<R>,
}

enum State<R: BufRead> {
    Between(R),
    Within(Box<StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>),
    Broken,
}

impl<R: BufRead> ZstdFrames<R> {
    fn new(inner: R) -> Self {
        Self { state: State::Between(inner) }
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(&mut self.state, State::Broken) {
                State::Between(mut inner) => {
                    if inner.fill_buf()?.is_empty() {
                        self.state = State::Between(inner);
                        return Ok(0);
                    }
                    let decoder = StreamingDecoder::new(inner).map_err(damaged)?;
                    self.state = State::Within(Box::new(decoder));
                }
                State::Within(mut decoder) => {
                    let count = decoder.read(buffer).map_err(damaged)?;
                    if count > 0 || buffer.is_empty() {
                        self.state = State::Within(decoder);
                        return Ok(count);
                    }
                    let told = decoder.decoder.get_checksum_from_data();
                    if told.is_some() && told != decoder.decoder.get_calculated_checksum() {
                        return Err(damaged("the check sum differs"));
                    }
                    self.state = State::Between(decoder.into_inner());
                }
                State::Broken => return Err(damaged("the archive is damaged")),
            }
        }
    }
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}
