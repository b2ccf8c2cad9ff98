//! The SCIM protocol (RFC 7643, RFC 7644) without any I/O.
//!
//! Filters and attribute paths are parsed and evaluated here, PATCH requests are applied and
//! computed, and the schemas of users and groups are data. Nothing in this crate knows a runtime,
//! a server, a client, a clock or a random number: what a server or a client does with the
//! results is theirs.
//!
//! ```
//! use scim::{filter::Filter, schema::SchemaSet};
//! use serde_json::json;
//!
//! let filter = Filter::parse(r#"emails[type eq "work"].value ew "@example.com""#)?;
//! let user = json!({"emails": [{"type": "work", "value": "mara@example.com"}]});
//! assert!(filter.matches(&user, SchemaSet::user()));
//! # Ok::<(), scim::filter::ParseError>(())
//! ```

pub mod date_time;
pub mod decode;
pub mod dialect;
pub mod error;
pub mod filter;
pub mod name;
pub mod patch;
pub mod path;
pub mod precis;
pub mod project;
mod rules;
pub mod schema;
pub mod sort;
pub mod text;
pub mod validate;
