//! The environment of a provisioner.

use std::sync::Arc;

use super::Progress;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::recording::Recording;
use crate::state::location::StateLocation;
use crate::state::store::Durability;
use crate::transport::{Transport, TransportError};

/// The environment of a provisioner: time, network, disk and randomness.
#[derive(Clone)]
pub struct Environment {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The connections.
    pub transport: Transport,
    /// The place of the state.
    pub state: StateLocation,
    /// The durability of a finished write.
    pub durability: Durability,
    /// The seed of the jitter between retries.
    pub seed: u64,
    /// The listener for the progress of a run.
    pub progress: Arc<dyn Progress>,
    /// Who causes the runs, and who is told about them.
    pub recording: Recording,
}

impl Environment {
    /// Returns the system's clock and network for `config`, with the state at `state`.
    ///
    /// # Errors
    /// No HTTP client can be made, for instance because there are no certificates to verify an `https` target with.
    pub fn system(config: &Config, state: StateLocation, seed: u64) -> Result<Self, TransportError> {
        Ok(Self {
            clock: Arc::new(SystemClock),
            transport: Transport::for_config(config)?,
            state,
            durability: Durability::Full,
            seed,
            progress: Arc::new(()),
            recording: Recording::default(),
        })
    }
}
