//! Broken clients, to find out whether the cases find them.
//!
//! A mutant is our own provisioner with one defect, as data ([`mod@file`], described in `conformance/data/client/README.md`): a layer
//! between it and the mock carries the defect out, on the bytes of the wire. [`run`] makes the kill table.

pub mod file;
mod proxy;
pub mod run;
mod wire;
