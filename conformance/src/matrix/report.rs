//! The results of the matrix: tables, counts, and the cases of the report that all suites share.

pub mod cases;
pub mod limitation;
pub mod summary;
pub mod table;
