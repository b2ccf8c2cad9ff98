//! An outbound SCIM provisioner for a PingOne-to-Aquera connection.

pub mod config;
pub mod ids;
pub mod mapping;
pub mod preferences;
pub mod rule;
pub mod source;
