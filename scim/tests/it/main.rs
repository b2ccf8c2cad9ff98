//! The one integration binary of the crate.

mod filters;
mod patches;
