//! Broken clients, to find out whether the cases find them.
//!
//! A mutant is our own provisioner with one defect, as data ([`mod@file`], described in `conformance/data/client/README.md`): a
//! proxy between it and the mock applies the defect to the bytes on the wire. [`run`] builds the kill matrix.

pub mod file;
mod proxy;
pub mod run;
mod wire;
