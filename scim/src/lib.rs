//! The SCIM protocol (RFC 7643, RFC 7644) without any I/O.
//!
//! The crate parses and evaluates filters and attribute paths, decodes and validates resources, applies and computes
//! PATCH requests, and has the schemas of users and groups as data. It uses no runtime, no clock and no random numbers;
//! servers and clients build on it.
//!
//! ```
//! use scim::{filter::Filter, schema::SchemaSet};
//! use serde_json::json;
//!
//! let filter = Filter::parse(r#"emails[type eq "work"].value ew "@example.com""#)?;
//! let user = json!({"emails": [{"type": "work", "value": "mara@example.com"}]});
//! assert!(filter.matches(&user, SchemaSet::user()));
//! # Ok::<(), scim::parse_error::ParseError>(())
//! ```

pub mod date_time;
pub mod decode;
pub mod dialect;
pub mod error;
pub mod filter;
pub mod json;
pub mod name;
pub mod parse_error;
pub mod patch;
pub mod path;
pub mod precis;
pub mod project;
mod rules;
pub mod schema;
pub mod sort;
pub mod text;
pub mod validate;
