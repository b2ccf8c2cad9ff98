//! Plain words for errors of files.

use std::io::ErrorKind;

/// Returns `kind` in plain words: the standard library calls a missing file an entity.
pub(crate) fn words(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::IsADirectory => "it is a directory".to_owned(),
        ErrorKind::NotADirectory => "a part of its path is a file and no folder".to_owned(),
        ErrorKind::PermissionDenied => "this program has no right to read it".to_owned(),
        ErrorKind::InvalidData => "it is not UTF-8".to_owned(),
        ErrorKind::InvalidFilename => "its name cannot be one of a file".to_owned(),
        other => other.to_string(),
    }
}
