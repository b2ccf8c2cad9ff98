//! An in-memory fake of the Aquera SCIM endpoint with switchable behaviour.
//!
//! A server holds many *applications*, each with accounts, credentials, a profile, faults, a journal and a seed of
//! its own. A request to one goes through two hops: the gateway, and the application behind it; a [`Profile`] says
//! what each of them accepts. The program `mock-aquera` runs one server; as a library it serves tests:
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use mock_aquera::{Auth, Fault, MockAquera, Profile};
//!
//! let mock = MockAquera::builder()
//!     .auth(Auth::bearer("a-token"))
//!     .profile(Profile::builtin("no-partial-update").ok_or("no such profile")?)
//!     .fault(Fault::status(503).times(2))
//!     .start()
//!     .await?;
//! println!("{}", mock.scim_url());
//! let application = mock.default_application();
//! assert!(application.journal().is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! The protocol itself (filters, paths, PATCH, schemas) is the crate `scim`'s.

mod address;
mod application;
mod auth;
pub mod blocking;
mod breakpoint;
mod builder;
pub mod cli;
mod clock;
mod data;
mod downstream;
mod fault;
mod gateway;
mod guard;
mod host;
mod journal;
mod log;
mod net;
mod parse_message;
mod patched_paths;
mod problem;
mod profile;
mod reply;
mod route;
mod server;
mod store;
mod text;
mod tls;
mod types;
mod units;
mod verify;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use crate::breakpoint::Hold;
pub use address::{PublicUrl, PublicUrlError};
pub use application::{Application, ApplicationConfig};
pub use auth::{Auth, AuthKind, DEFAULT_TOKEN, DEFAULT_TOKEN_LIFETIME, ParseAuthError};
pub use builder::{MockAquera, MockAqueraBuilder, StartError};
pub use clock::{AppClock, Clock, ClockState, ManualClock, SystemClock};
pub use data::{Load, LoadError, LoadNote, LoadProblem, Loaded, SnapshotError};
pub use downstream::{Downstream, DownstreamOperation};
pub use fault::{
    Fault, FaultId, FaultKind, FaultState, Latency, Moment, ParseFaultError, ParseFaultsError, Phase,
};
pub use guard::{ExpectGuard, FaultGuard};
pub use hyper::StatusCode;
pub use journal::{
    AttributeChange, Change, ChangeKind, Counters, Exchange, HarCreator, JournalLimits, JournalQuery,
    JournalSize, Live, Note, NoteKind, OperationKind, Order, PatchedPath, QueryError, ScimOperation, Scrape,
    StatusMatch, Subscription, WaitError, har, render_prometheus,
};
pub use net::TlsError;
pub use profile::{
    ActiveChange, ApplicationRules, AttributePath, CanonicalValues, Claim, ConfigMember, CreateDisabled,
    CursorRule, DeactivatedUsers, DeleteRule, Deviation, Dialect, Dialects, Difference, DisableRule,
    DiscoveryAccess, DiscoveryRules, DottedPaths, DownstreamDelete, EmailValue, Endpoint, ErrorBody,
    ErrorContentType, ErrorRules, EtagRule, Feature, FeatureRules, FilterCase, FilterMiss, FilterRules,
    FilterSubset, FilteredGroupsStartIndex, GatewayRules, Ids, ItemsPerPage, ListRules, Location,
    MembersInLists, MembersPastCut, MembersShown, NotStoredReply, OperationRule, Pages,
    ParseAttributePathError, ParsePeriodError, PartialUpdateRule, PastEnd, PatchReply, PatchRule, PathCase,
    Period, Presence, Profile, ProfileAttributeError, ProfileError, PutMissingAttributes, PutRule,
    PutWithoutActive, RateLimit, RateMethods, RatePer, ReplyBody, ReplyContentType, ReplyRules,
    RequestContentType, RequestRules, RetryAfter, SortRule, StartIndex, Support, TotalResults,
    UnknownAttributes, UnknownMember, UnsupportedFilter, UserAgent, UserNameValue, WithoutFilter,
};
pub use route::DEFAULT_APPLICATION;
pub use scim::error::ScimType;
pub use server::{ApplicationError, MAX_APPLICATIONS, Origin, OriginError};
pub use store::Inconsistency;
pub use tls::Tls;
pub use verify::{Expect, Expectation, Miss, ParseExpectationError, Seen, Times, Verification};

/// Takes a lock. What a panic left behind is used as it is: every write under our locks is whole or not begun.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the value of a conversion that fails only if the program is wrong. A failure is logged, and the default
/// takes its place.
fn or_default<T: Default>(result: Result<T, impl std::fmt::Display>, what: &str) -> T {
    result.unwrap_or_else(|error| {
        tracing::error!(%error, "failed to {what}");
        T::default()
    })
}
