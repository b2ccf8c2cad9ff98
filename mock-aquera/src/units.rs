//! Small grammars that several modules read: durations, sizes, path patterns; and the suggestions for misspelt names.

pub(crate) mod duration;
pub(crate) mod glob;
pub(crate) mod size;
pub(crate) mod suggest;
