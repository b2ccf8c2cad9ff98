//! The exit codes, which scripts rely on.

use std::process::ExitCode;

/// The end of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Everything was done; unsynced and partial by preference are not failures.
    Done = 0,
    /// Some users failed.
    SomeFailed = 1,
    /// The command line, the configuration, the state or a plan cannot be used as it is.
    Usage = 2,
    /// The connection is off, or its test failed.
    ConnectionUnusable = 3,
    /// The delete guard stopped the run before anything was written.
    DeleteGuard = 4,
    /// The source could not be read whole.
    SourceUnreadable = 5,
    /// The run was ended by a signal. Finished work is stored, and the next run resumes.
    Interrupted = 130,
}

impl Exit {
    /// Returns the exit code of the process.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
