//! The integration tests of the provisioner: one binary.

mod config;
mod mapping;
mod source;
