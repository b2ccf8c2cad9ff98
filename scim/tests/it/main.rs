//! The integration tests of the crate, in one binary.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as it should be")]
#![expect(clippy::needless_pass_by_value, reason = "checks are called with json!")]

mod dialects;
mod exchanges;
mod extension_paths;
mod filters;
mod fixtures;
mod many_operations;
mod patch_errors;
mod patches;
mod properties;
mod robust;
mod rules;
