//! The exit code of the program.

use std::process::ExitCode;

/// The exit codes of the outer face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// No case failed and nothing broke.
    Passed = 0,
    /// At least one `fail`.
    Failed = 1,
    /// A usage error.
    Usage = 2,
    /// At least one `error`: the harness or the network broke.
    Broken = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
