//! Resources in bulk: export, import, and what a snapshot keeps.

use std::sync::Mutex;

use super::{Application, new_store};
use crate::clock::Clock as _;
use crate::data::{Arrivals, Destination, Load, LoadError, Loaded, RestoreTarget, Stock, export, take_in};
use crate::lock;
use crate::store::Store;

impl Application {
    /// All resources in full representation, one JSON object a line, type by type in order of creation.
    pub fn dump(&self) -> Vec<u8> {
        export(&lock(&self.0.store))
    }

    /// Takes in resources of all types, and gives how many. The text has one JSON object a line, an array of them, or
    /// SCIM list responses as an endpoint answered them, several pages one after another. The type of a resource is what
    /// `meta.resourceType` says, or else whose schema it has; of one that says neither it is User. `id` and `meta` are kept where they are there; the
    /// members of a group may come after it; whoever has no `id` comes behind all others. So what [`dump`](Self::dump) gave comes back as it was, save passwords.
    ///
    /// Others are served meanwhile, and may see a part of it.
    ///
    /// # Errors
    /// What is wrong, with its line. Nothing has changed then.
    pub fn load(&self, text: &[u8], how: Load) -> Result<usize, LoadError> {
        self.load_noting(text, how).map(|loaded| loaded.count)
    }

    /// Takes in resources as [`load`](Self::load) does, and tells what it left out of them.
    ///
    /// # Errors
    /// As `load`.
    pub fn load_noting(&self, text: &[u8], how: Load) -> Result<Loaded, LoadError> {
        let settings = self.settings();
        let arrivals = Arrivals::read(&settings, [(None, text)], how, self.0.clock.now());
        let _alone = lock(&self.0.many);
        if how.replace {
            let mut store = new_store(&settings, self.0.seed, &self.0.name);
            let loaded = take_in(&settings, &mut Destination::Own(&mut store), arrivals, how)?;
            // What was there goes once the others are let in.
            drop(std::mem::replace(&mut *lock(&self.0.store), store));
            return Ok(loaded);
        }
        take_in(&settings, &mut Destination::Shared(&self.0.store), arrivals, how)
    }

    /// What a snapshot keeps of the application.
    pub(crate) fn stock(&self) -> Stock {
        Stock::of(self.name(), self.0.seed, &self.0.store)
    }
}

impl RestoreTarget for Application {
    fn seed(&self) -> u64 {
        self.0.seed
    }

    fn store(&self) -> &Mutex<Store> {
        &self.0.store
    }
}
