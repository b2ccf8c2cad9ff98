//! Faults and expectations that end with the test that made them.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use mock_aquera::{Expect, Fault, MockAquera};
//!
//! let mock = MockAquera::builder().start().await?;
//! let application = mock.default_application();
//! // Panics at the end of the test, with the nearest miss, if there was not exactly one.
//! let _expected = application.expect(Expect::request().method("PATCH").patch_path("active").times(1));
//! {
//!     let outage = application.scoped_fault(Fault::status(503).always());
//!     // … whatever is sent now is answered 503 …
//!     assert_eq!(outage.struck(), 0);
//! }
//! // … and from here on it is not.
//! # Ok(())
//! # }
//! ```

use std::fmt::Write as _;
use std::panic::Location;

use crate::application::Application;
use crate::fault::{Fault, FaultId, FaultState};
use crate::verify::{Expectation, Verification};

impl Application {
    /// Adds a fault that goes when the guard is dropped, wherever the test ends.
    #[must_use = "the fault is gone as soon as its guard is dropped; bind it to a name such as `_fault`"]
    pub fn scoped_fault(&self, fault: Fault) -> FaultGuard {
        FaultGuard { id: self.add_fault(fault), application: self.clone() }
    }

    /// Expects requests from here to where the guard is dropped, which panics with the nearest miss unless so many
    /// came. With [`since`](Expectation::since), those after that one count instead.
    #[must_use = "an expectation is judged as soon as its guard is dropped; bind it to a name such as `_expected`"]
    #[track_caller]
    pub fn expect(&self, expectation: Expectation) -> ExpectGuard {
        let mut expectation = expectation;
        let since = *expectation.request.since_seq.get_or_insert_with(|| self.last_seq());
        let place = Location::caller();
        ExpectGuard { application: self.clone(), expectation, since, place, open: true }
    }
}

/// A fault that goes with this; see [`Application::scoped_fault`].
#[derive(Debug)]
pub struct FaultGuard {
    application: Application,
    id: FaultId,
}

impl FaultGuard {
    /// The name of the fault.
    pub fn id(&self) -> FaultId {
        self.id
    }

    /// What has become of it. None where something else took it away, or where a hundred other faults have been used
    /// up after it.
    pub fn state(&self) -> Option<FaultState> {
        self.application.fault_states().into_iter().find(|state| state.id == self.id)
    }

    /// How many requests it concerned.
    pub fn matched(&self) -> u64 {
        self.state().map_or(0, |state| state.matched)
    }

    /// How many requests it struck.
    pub fn struck(&self) -> u64 {
        self.state().map_or(0, |state| state.struck)
    }
}

impl Drop for FaultGuard {
    fn drop(&mut self) {
        self.application.remove_fault(self.id);
    }
}

/// An expectation that is judged when this is dropped; see [`Application::expect`].
///
/// While a panic is under way nothing is judged, so that the first failure is the one that is told.
#[derive(Debug)]
pub struct ExpectGuard {
    application: Application,
    expectation: Expectation,
    since: u64,
    place: &'static Location<'static>,
    open: bool,
}

impl ExpectGuard {
    /// How it stands, without ending it.
    pub fn verification(&self) -> Verification {
        self.application.verify(&self.expectation)
    }

    /// Judges it now.
    ///
    /// # Panics
    /// Unless so many requests came as were expected. The message says what the nearest one lacks.
    pub fn verify(self) {
        drop(self);
    }

    /// Gives the expectation up: nothing is judged.
    pub fn cancel(mut self) {
        self.open = false;
    }

    /// What to say where it was not met.
    fn failure(&self) -> Option<String> {
        let verification = self.verification();
        if verification.satisfied {
            return None;
        }
        let mut text = verification.to_string();
        let came = self.application.last_seq().saturating_sub(self.since);
        let forgotten = came.saturating_sub(verification.looked_at);
        if forgotten > 0 {
            // Writing to a text cannot fail.
            let _ = write!(
                text,
                "\nthe journal has forgotten {forgotten} of the {came} requests since then; \
                 `set_journal_limits` gives it more room"
            );
        }
        let _ = write!(text, "\nexpected at {}", self.place);
        Some(text)
    }
}

impl Drop for ExpectGuard {
    fn drop(&mut self) {
        if !self.open || std::thread::panicking() {
            return;
        }
        if let Some(failure) = self.failure() {
            panic!("{failure}");
        }
    }
}
