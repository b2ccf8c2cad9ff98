//! What an application was started with, and the way back to it.

use std::sync::Arc;

use super::{Application, ApplicationConfig, new_store};
use crate::clock::Clock as _;
use crate::data::{FillError, InitialData, LoadNote};
use crate::fault::Fault;
use crate::gateway::Settings;
use crate::journal::JournalLimits;
use crate::lock;
use crate::store::Store;

/// What an application was started with.
#[derive(Debug)]
pub(crate) struct Start {
    settings: Arc<Settings>,
    journal: JournalLimits,
    faults: Vec<Fault>,
    data: InitialData,
    /// What was left out of the resources that it began with.
    notes: Vec<LoadNote>,
}

impl Start {
    /// How an application is set up that begins like this.
    pub(crate) fn config(&self, seed: u64) -> ApplicationConfig {
        let Settings { profile, gatekeeper, .. } = &*self.settings;
        ApplicationConfig { profile: profile.clone(), auth: gatekeeper.accepted().to_vec(), seed }
    }
}

impl Application {
    /// Fills the application with what it starts with. What it is by then is what a reset returns to.
    pub(crate) fn begin(&self, data: InitialData) -> Result<(), FillError> {
        let settings = self.settings();
        let mut notes = Vec::new();
        // The resources of a snapshot are in the store already.
        if let InitialData::Given { .. } = data {
            let (store, told) = self.filled(&settings, &data)?;
            drop(std::mem::replace(&mut *lock(&self.0.store), store));
            notes = told;
        }
        let faults = lock(&self.0.faults).rules();
        // The first beginning counts.
        let _ = self.0.start.set(Arc::new(Start {
            settings,
            journal: self.journal_limits(),
            faults,
            data,
            notes,
        }));
        Ok(())
    }

    /// Lets an application begin as one of its name did that is gone.
    pub(crate) fn begin_as(&self, start: Arc<Start>) {
        let _ = self.0.start.set(start);
        self.reset();
    }

    /// What it was started with, once it has begun.
    pub(crate) fn start(&self) -> Option<&Arc<Start>> {
        self.0.start.get()
    }

    /// What was left out of the resources that the application began with, such as those of
    /// [`MockAqueraBuilder::load`](crate::MockAqueraBuilder::load).
    pub fn load_notes(&self) -> &[LoadNote] {
        self.0.start.get().map_or(&[], |start| &start.notes)
    }

    /// A store with what an application starts with, and what was left out of that.
    fn filled(&self, settings: &Settings, data: &InitialData) -> Result<(Store, Vec<LoadNote>), FillError> {
        let mut store = new_store(settings, self.0.seed, &self.0.name);
        let notes = data.fill(settings, &mut store, self.0.clock.now())?;
        Ok((store, notes))
    }

    /// Returns to the start: resources, faults, profile, credentials and limits of the journal are what they were then,
    /// ids start over from the seed, the clock runs on time again; journal, counters, tokens and rate limits are empty.
    pub fn reset(&self) {
        self.reset_settings();
        self.reset_data();
        self.clear_journal();
        self.reset_counters();
        self.reset_faults();
        self.0.clock.reset();
        self.reset_tokens();
        self.reset_limits();
    }

    /// Returns to the profile, the credentials and the limits of the journal that the application started with.
    pub fn reset_settings(&self) {
        let Some(start) = self.0.start.get() else { return };
        let auth = start.settings.gatekeeper.accepted().to_vec();
        self.reconfigure(|now| now.with_profile(start.settings.profile.clone()).with_auth(auth));
        self.set_journal_limits(start.journal);
    }

    /// Returns to the faults that the application started with. Each counts from the beginning.
    pub fn reset_faults(&self) {
        self.clear_faults();
        for fault in self.0.start.get().into_iter().flat_map(|start| &start.faults) {
            self.add_fault(fault.clone());
        }
    }

    /// Returns to the resources that the application started with. Ids start over from the seed.
    pub fn reset_data(&self) {
        let settings = self.settings();
        let _alone = lock(&self.0.many);
        let filled = match self.0.start.get() {
            Some(start) => self.filled(&start.settings, &start.data).map(|(store, _)| store),
            None => Ok(new_store(&settings, self.0.seed, &self.0.name)),
        };
        match filled {
            Ok(store) => drop(std::mem::replace(&mut *lock(&self.0.store), store)),
            // It was taken at the start.
            Err(error) => tracing::error!(?error, "failed to return to the resources of the start"),
        }
    }
}
