//! Conformance harness: judges SCIM servers, an endpoint's partial updates, provisioners, and our own provisioner
//! against our own mock.
//!
//! [`subject`] connects to the subject, [`report`] is the model of the results of every command, [`matrix`] the preference
//! matrix. The harness shares no code with its subjects: verdicts see methods, statuses, headers and JSON.

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
pub mod explore;
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
