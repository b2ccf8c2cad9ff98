//! What a run of the matrix is told as: tables, failures, a summary, JSON.

pub mod json;
pub mod limitation;
pub mod summary;
pub mod table;
