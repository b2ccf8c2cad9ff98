//! Conformance harness: the preference matrix, and in time suites for SCIM servers and provisioners.
//!
//! [`scenario`] says what happens, [`model`] what must come of it, [`run`] plays the same steps with the real
//! provisioner against the mock and compares, [`report`] tells the result. The model shares no code with what it
//! judges; verdicts see methods, statuses and JSON.

/// Appends formatted text to a `String`, which cannot fail.
macro_rules! append {
    ($text:expr, $($arguments:tt)*) => {
        std::fmt::Write::write_fmt(&mut $text, format_args!($($arguments)*)).unwrap_or_default()
    };
}

pub mod cell;
pub mod cli;
pub mod exit;
pub mod identities;
pub mod model;
pub mod report;
pub mod run;
pub mod scenario;
pub mod select;
pub mod setting;
