//! Conformance harness: the preference matrix, and in time suites for SCIM servers and provisioners.

pub mod cell;
pub mod exit;
pub mod identities;
pub mod model;
pub mod scenario;
pub mod select;
pub mod setting;
