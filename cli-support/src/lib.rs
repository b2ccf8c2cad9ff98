//! The parts that the command lines of this workspace share.
//!
//! Usage errors in plain words, errors with their causes, the log filter from `RUST_LOG`, and suggestions for misspelt names.
//! The crate depends on no other crate of the workspace.

mod chain;
pub mod log_filter;
pub mod suggest;
mod usage;

pub use chain::error_chain;
pub use usage::print_usage_error;
