//! `conformance client`.
