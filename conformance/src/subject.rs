//! The subjects that are judged: SCIM servers over HTTP, and provisioners.

pub mod provisioner;
pub mod server;
