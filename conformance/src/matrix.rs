//! The preference matrix: our provisioner against our mock, every setting of the preferences end to end.
//!
//! [`scenario`] says what happens, [`model`] what must come of it, [`run`] plays the same steps with the real
//! provisioner against the mock and compares, [`report`] tells the result. The model shares no code with what it
//! judges; verdicts see methods, statuses and JSON.

pub mod cell;
pub mod groups;
pub mod model;
pub mod report;
pub mod run;
pub mod scenario;
pub mod setting;
