//! Conformance harness: the preference matrix, and in time suites for SCIM servers and provisioners.

pub mod model;
pub mod scenario;
pub mod setting;
