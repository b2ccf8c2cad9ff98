//! Deliberately broken servers, to find out whether the suite finds them.
//!
//! A mutant is the mock with one defect, as data ([`mod@file`], described in `conformance/data/mutants/README.md`): `proxy` is the
//! server in front of the mock that carries it out, [`operations`] and [`edit`] are the pure parts of that. [`run`] plays
//! the suite against each and builds the kill matrix; the interface shared with broken clients is in [`defect`].

pub mod condition;
pub mod defect;
pub mod edit;
pub mod file;
pub mod kill_matrix;
pub mod load;
pub mod operations;
mod proxy;
pub mod run;
#[cfg(test)]
mod saved;
