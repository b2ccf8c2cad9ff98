//! What an application was started with, and the way back to it.

use std::sync::Arc;

use super::transfer::{Load, LoadError, LoadNote};
use super::{Application, ApplicationConfig, Settings, new_store};
use crate::fault::Fault;
use crate::generate::write_users;
use crate::journal::JournalLimits;
use crate::load::Source;
use crate::lock;
use crate::problem::Problem;
use crate::snapshot::Stock;
use crate::store::Store;

/// The resources that an application starts with.
#[derive(Debug, Default)]
pub(crate) enum Data {
    /// None.
    #[default]
    Nothing,
    /// Resources as a load takes them, and so many made-up users behind them.
    Given { sources: Vec<Source>, users: MadeUp },
    /// Those of a snapshot.
    Kept(Stock),
}

/// Made-up users.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MadeUp {
    pub(crate) kind: u16,
    pub(crate) seed: u64,
    pub(crate) count: usize,
}

/// Why an application can't be filled.
#[derive(Debug)]
pub(crate) enum FillError {
    Load(LoadError),
    /// The made-up user at this position would be refused.
    MadeUp(usize, Problem),
    Kept(String),
}

impl From<LoadError> for FillError {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

/// What an application was started with.
#[derive(Debug)]
pub(crate) struct Start {
    settings: Arc<Settings>,
    journal: JournalLimits,
    faults: Vec<Fault>,
    data: Data,
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
    pub(crate) fn begin(&self, data: Data) -> Result<(), FillError> {
        let settings = self.settings();
        let mut notes = Vec::new();
        if !matches!(data, Data::Nothing | Data::Kept(_)) {
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
    fn filled(&self, settings: &Settings, data: &Data) -> Result<(Store, Vec<LoadNote>), FillError> {
        let mut notes = Vec::new();
        let mut store = new_store(settings, self.0.seed, &self.0.name);
        match data {
            Data::Nothing => {}
            Data::Given { sources, users } => {
                notes = self.load_into(settings, &mut store, sources, Load::default())?.notes;
                let MadeUp { kind, seed, count } = *users;
                let mut failed = None;
                write_users(seed, count, |index, body| {
                    if failed.is_none()
                        && let Err(problem) = self.add_to(settings, &mut store, kind, body)
                    {
                        failed = Some(FillError::MadeUp(index, problem));
                    }
                });
                if let Some(failed) = failed {
                    return Err(failed);
                }
            }
            Data::Kept(stock) => stock.put_back(&mut store).map_err(FillError::Kept)?,
        }
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
