//! What may be changed while an application lives, and what follows from it, worked out once.

use std::sync::{Arc, OnceLock};

use scim::dialect::Dialects;

use super::discovery::Documents;
use super::{patches_are_plain, resource, withholds};
use crate::auth::{Auth, Gatekeeper};
use crate::profile::rate::Buckets;
use crate::profile::{self, DeactivatedUsers, FilterRules, ListRules, PathCase, Profile};
use crate::route::Route;
use crate::store::render::MembersShown;
use crate::types::{Role, TypeId, Types};

/// The settings of an application. Another set takes their place; they are never changed.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) profile: Profile,
    pub(crate) gatekeeper: Arc<Gatekeeper>,
    pub(crate) scim_url: String,
    pub(crate) types: Arc<Types>,
    pub(crate) buckets: Buckets,
    /// Whether lists and filters are as the RFC has them, so that the quick way may be taken.
    pub(crate) plain_lists: bool,
    /// Whether nothing in the profile looks closer at a PATCH of one plain attribute.
    pub(crate) plain_patches: bool,
    /// Whether values are changed or counted when they come in.
    pub(crate) normalises: bool,
    /// The habits of clients that are taken.
    pub(crate) dialects: Dialects,
    /// Whether some attribute is not stored, not updated, or read-only.
    pub(crate) withholds: bool,
    documents: OnceLock<Documents>,
}

impl Settings {
    /// What a path below the base URL means.
    pub(crate) fn route<'p>(&self, path: &'p str) -> Route<'p, TypeId> {
        let exact = self.profile.requests.path_case == PathCase::Exact;
        Route::parse(path, exact).typed(|endpoint| self.types.at_endpoint(endpoint, exact))
    }

    pub(crate) fn new(
        profile: Profile,
        gatekeeper: Arc<Gatekeeper>,
        scim_url: String,
        types: Arc<Types>,
    ) -> Self {
        Self {
            plain_lists: profile.filter == FilterRules::default()
                && profile.list == ListRules::default()
                && profile.application.deactivated_users == DeactivatedUsers::Readable,
            plain_patches: patches_are_plain(&profile),
            normalises: resource::normalises(&profile),
            withholds: withholds(&profile),
            dialects: profile.requests.dialects.taken(),
            buckets: Buckets::new(profile.rate_limits.clone()),
            documents: OnceLock::new(),
            profile,
            gatekeeper,
            scim_url,
            types,
        }
    }

    pub(crate) fn with_profile(&self, profile: Profile) -> Self {
        Self::new(profile, Arc::clone(&self.gatekeeper), self.scim_url.clone(), Arc::clone(&self.types))
    }

    pub(crate) fn with_auth(&self, auth: Vec<Auth>) -> Self {
        let gatekeeper = Arc::new(self.gatekeeper.accepting(auth));
        Self::new(self.profile.clone(), gatekeeper, self.scim_url.clone(), Arc::clone(&self.types))
    }

    /// What the describing endpoints answer, made when first asked for.
    pub(crate) fn documents(&self) -> &Documents {
        self.documents.get_or_init(|| {
            Documents::new(&self.profile, self.gatekeeper.accepted(), &self.scim_url, &self.types)
        })
    }

    /// Whether resources of a type are out of sight while they are not active.
    pub(crate) fn hides_inactive(&self, kind: TypeId) -> bool {
        self.profile.application.deactivated_users == DeactivatedUsers::Answer404
            && self.types.get(kind).role == Role::User
    }

    /// How one group shows its members.
    pub(crate) fn members_in_reads(&self) -> MembersShown {
        let list = &self.profile.list;
        match list.members {
            profile::MembersShown::Missing => MembersShown::Missing,
            profile::MembersShown::Empty => MembersShown::Empty,
            profile::MembersShown::Whole if list.members_cut > 0 => {
                MembersShown::First(list.members_cut as usize)
            }
            profile::MembersShown::Whole => MembersShown::Whole,
        }
    }

    /// How groups in a list show their members.
    pub(crate) fn members_in_lists(&self) -> MembersShown {
        match self.profile.list.group_members_in_lists {
            profile::MembersInLists::AsRead => self.members_in_reads(),
            profile::MembersInLists::Missing => MembersShown::Missing,
            profile::MembersInLists::Empty => MembersShown::Empty,
        }
    }
}
