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
    /// Returns the worse of two ends, for a run over several connections.
    ///
    /// From the best to the worst: 0, 1 (some users), 4 (stopped by the guard, for a person to approve), 5 (no source), 3 (no
    /// target), 2 (nothing could be tried), 130 (not all were tried).
    #[must_use]
    pub const fn worse(self, other: Self) -> Self {
        if self.badness() >= other.badness() { self } else { other }
    }

    const fn badness(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::SomeFailed => 1,
            Self::DeleteGuard => 2,
            Self::SourceUnreadable => 3,
            Self::ConnectionUnusable => 4,
            Self::Usage => 5,
            Self::Interrupted => 6,
        }
    }

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
