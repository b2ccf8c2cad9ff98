//! Faults on the wire, and holds.

mod holds;
mod http2;
mod kinds;
mod never;
mod rules;
mod urns;
