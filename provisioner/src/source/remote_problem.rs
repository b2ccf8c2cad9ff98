//! Problems with a source that is read over HTTP.

/// A problem with the server of a source, or with what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteProblem {
    /// No connection can be made ready: certificates are missing, for instance.
    #[error("{what}")]
    Unusable {
        /// The cause.
        what: String,
        /// The way out.
        way_out: &'static str,
    },
    /// No whole answer came, however often it was tried.
    #[error("{what} after {attempts} attempts")]
    Unreachable {
        /// What happened.
        what: String,
        /// The number of attempts.
        attempts: u32,
    },
    /// The credentials are refused.
    #[error("{0}")]
    Unauthorized(String),
    /// The credentials have no right to read the users.
    #[error("{0}")]
    Forbidden(String),
    /// The server finds the request wrong.
    #[error("{0}")]
    BadRequest(String),
    /// Any other answer than the expected one.
    #[error("{0}")]
    Answer(String),
    /// An answer that is larger than any page.
    #[error("a page has more than {} MiB", .0 >> 20)]
    TooLarge(usize),
    /// The next page is at another origin or path.
    #[error("the link to the next page leads to {0}, which is not below the address of the source")]
    ForeignLink(String),
    /// The pages contradict each other, each time they were read.
    #[error("the pages contradict each other, each of {reads} times they were read: {what}")]
    Contradiction {
        /// The last contradiction.
        what: String,
        /// How often the source was read.
        reads: u32,
    },
    /// Pages without the number of all users prove nothing.
    #[error(
        "no page names the number of all users (`count` or `totalResults`), so nothing proves that all were read"
    )]
    NoCount,
    /// No population or group has the name.
    #[error("unknown {kind} `{name}`{}", .meant.as_ref().map_or_else(String::new, |meant| format!("; did you mean `{meant}`?")))]
    UnknownName {
        /// `population` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
        /// The name that is probably meant.
        meant: Option<String>,
    },
    /// Several populations or groups have the name.
    #[error("{count} {kind}s have the name `{name}`")]
    AmbiguousName {
        /// `population` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
        /// Their number.
        count: usize,
    },
}

impl RemoteProblem {
    /// Returns the way out.
    pub const fn way_out(&self) -> &'static str {
        match self {
            Self::Unusable { way_out, .. } => way_out,
            Self::Unreachable { .. } => {
                "nothing is removed by half a source: see that the server is reachable, and run again"
            }
            Self::Unauthorized(_) => "correct or renew the credentials under [source]",
            Self::Forbidden(_) => {
                "give the credentials the right to read users: in PingOne, assign a role such as Identity Data Read Only to the \
                 worker application"
            }
            Self::BadRequest(_) | Self::Answer(_) => {
                "see that the address under [source] is right, and what the server logged"
            }
            Self::TooLarge(_) => "ask for smaller pages with page-size under [source]",
            Self::ForeignLink(_) => {
                "credentials are sent to the address under [source] only: correct it if the server has another one"
            }
            Self::Contradiction { .. } => {
                "users who are missing count as deleted, so nothing was done: run again when the source is at rest"
            }
            Self::NoCount => "export the users to a file, and use kind = \"file\"",
            Self::UnknownName { .. } => "correct the name under [source]; names compare exactly",
            Self::AmbiguousName { .. } => "rename one of them, so that the name is unique",
        }
    }
}
