//! What the connection's answers teach, and the permits that keep one write of an unlearned kind in flight.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Mutex as Permits, MutexGuard};

use crate::state::{DisableKind, Kind, Learned};

/// The two methods that write to an existing account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Patch,
    Put,
}

/// Leave to send one write.
pub(crate) enum Permit<'a> {
    /// Nobody knows yet what comes of it: it is read back, and no other one is in flight.
    First(#[expect(dead_code, reason = "held, not read")] MutexGuard<'a, ()>),
    /// It is known to work.
    Known,
}

impl Permit<'_> {
    pub(crate) const fn is_first(&self) -> bool {
        matches!(self, Self::First(_))
    }
}

/// What was learned on this connection. Permits are taken in the order disable, PATCH, PUT.
#[derive(Debug)]
pub(crate) struct Learning {
    learned: Mutex<Learned>,
    disable: Permits<()>,
    patch: Permits<()>,
    put: Permits<()>,
}

impl Learning {
    pub(crate) fn new(learned: Learned) -> Self {
        Self {
            learned: Mutex::new(learned),
            disable: Permits::new(()),
            patch: Permits::new(()),
            put: Permits::new(()),
        }
    }

    /// What is known now.
    pub(crate) fn learned(&self) -> Learned {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what is known.
    pub(crate) fn learn(&self, lesson: impl FnOnce(&mut Learned)) {
        lesson(&mut self.learned.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What is known of `method`.
    pub(crate) fn kind(&self, method: Method) -> Kind {
        let learned = self.learned();
        match method {
            Method::Patch => learned.patch,
            Method::Put => learned.put,
        }
    }

    /// Leave to write by `method`, or why there is none.
    pub(crate) async fn permit(&self, method: Method) -> Result<Permit<'_>, Kind> {
        let lane = match method {
            Method::Patch => &self.patch,
            Method::Put => &self.put,
        };
        let mut waited = None;
        loop {
            match (self.kind(method), waited) {
                (Kind::Works, _) => return Ok(Permit::Known),
                (Kind::Unknown, Some(guard)) => return Ok(Permit::First(guard)),
                (Kind::Unknown, None) => waited = Some(lane.lock().await),
                (kind @ (Kind::Ignored | Kind::Unusable), _) => return Err(kind),
            }
        }
    }

    /// Leave to disable an account; `None` where none is sent any more.
    pub(crate) async fn disable_permit(&self) -> Option<Permit<'_>> {
        let mut waited = None;
        loop {
            match (self.learned().disable, waited) {
                (DisableKind::Works, _) => return Some(Permit::Known),
                (DisableKind::Withheld, _) => return None,
                (DisableKind::Unknown, Some(guard)) => return Some(Permit::First(guard)),
                (DisableKind::Unknown, None) => waited = Some(self.disable.lock().await),
            }
        }
    }
}
