//! What a run of the matrix is told as: tables, counts, and the cases of the report that all suites share.

pub mod cases;
pub mod limitation;
pub mod summary;
pub mod table;
