//! An outbound SCIM provisioner for a PingOne-to-Aquera connection.
//!
//! [`Config`] is the configuration, [`Environment`] has time, network and disk, and [`Provisioner`] carries out runs. The
//! core (rules, mapping, policy, differences) is synchronous and free of I/O; async lives in the HTTP client and the
//! state.

pub mod account_values;
pub mod address;
pub mod audit;
pub mod causes;
pub mod cli;
pub mod clock;
pub mod config;
mod diff;
pub mod document;
pub mod engine;
pub mod exit;
mod file_error;
pub mod group_rule;
pub mod id_set;
pub mod ids;
pub mod interrupt;
mod key;
pub mod links;
pub mod mapping;
pub mod metrics;
pub mod policy;
pub mod preferences;
pub mod reader;
pub mod recording;
pub mod report;
pub mod rule;
mod scalars;
pub mod signal;
pub mod source;
pub mod state;
mod target;
pub mod tls;
pub mod trace;
pub mod transport;
mod visible;
pub mod watch;

pub use clock::Clock;
pub use config::{Config, ConfigError};
pub use engine::{Environment, Provisioner, SyncOptions};
pub use exit::Exit;
pub use recording::Recording;
pub use report::{RunReport, Summary, UserLine};
pub use state::location::StateLocation;
pub use state::store::{Durability, StoreError};
pub use target::connection_test::{ConnectionReport, TestFailure};
pub use transport::Transport;
