//! An outbound SCIM provisioner for a PingOne-to-Aquera connection.

pub mod ids;
pub mod preferences;
pub mod source;
