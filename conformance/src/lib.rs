//! Conformance harness: judges SCIM servers, an endpoint's partial updates, provisioners, and our own provisioner
//! against our own mock.
//!
//! [`subject`] is the way to what is judged, [`report`] what every command tells its results as, [`matrix`] the preference
//! matrix. Nothing here shares code with what it judges: verdicts see methods, statuses, headers and JSON.

/// Appends formatted text to a `String`, which cannot fail.
macro_rules! append {
    ($text:expr, $($arguments:tt)*) => {
        std::fmt::Write::write_fmt(&mut $text, format_args!($($arguments)*)).unwrap_or_default()
    };
}

pub mod case;
mod casing;
mod causes;
pub mod cli;
pub mod client;
pub mod exit;
pub mod format;
pub mod identities;
pub(crate) mod json;
mod json_text;
pub mod matrix;
pub mod mutants;
pub mod probe;
pub mod query_string;
pub mod redact;
pub mod report;
pub mod requirement;
pub mod select;
pub mod server;
pub mod subject;
mod table;
pub mod transcript;
