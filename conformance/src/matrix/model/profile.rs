//! The behaviour of each built-in profile of the mock, copied by hand from the table of the design.

use crate::matrix::model::types::{Attribute, Path, Way};

/// The handling of a PATCH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchWay {
    /// The PATCH is passed on.
    Works,
    /// The gateway answers this status and passes nothing on.
    Refused(u16),
    /// The gateway answers 2xx and passes nothing on.
    Swallowed,
    /// The PATCH is passed on and carried out, and the answer is a SCIM 404.
    AppliedThenNotFound,
}

/// The handling of a PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutWay {
    /// The PUT is passed on.
    Works,
    /// The gateway answers a 404 that is not SCIM.
    HtmlNotFound,
}

/// The handling of a DELETE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteWay {
    /// The account is gone.
    Works,
    /// The gateway answers 405.
    Refused,
    /// Answered 204; the account stays, inactive.
    Deactivates,
}

/// The handling of a path that is not simply stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathRule {
    /// A write succeeds and leaves the value as it was.
    NotStored,
    /// A create stores it; later writes succeed and leave the value as it was.
    NotUpdated,
    /// A PATCH succeeds and leaves the value as it was.
    NotPatched,
    /// An e-mail address is stored without its type.
    Untyped,
    /// A write that would change it is refused.
    ReadOnly,
}

impl PathRule {
    /// Whether a write by `way` leaves the value as it was.
    pub(crate) fn keeps(self, way: Way) -> bool {
        match self {
            Self::NotStored | Self::ReadOnly => true,
            Self::NotUpdated => way != Way::Post,
            Self::NotPatched => way == Way::Patch,
            Self::Untyped => false,
        }
    }
}

/// The behaviour of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behaviour {
    /// The name at the mock.
    pub name: &'static str,
    /// The value of `patch.supported` in ServiceProviderConfig.
    pub advertises_patch: bool,
    /// PATCH.
    pub patch: PatchWay,
    /// PUT.
    pub put: PutWay,
    /// DELETE.
    pub delete: DeleteWay,
    /// Whether the application behind the gateway accepts partial updates.
    pub partial_update: bool,
    /// Whether a change to `active: false` deletes the account.
    pub disable_deletes: bool,
    /// The paths that are not simply stored.
    pub paths: &'static [(Path, PathRule)],
    /// Whether it differs from `aquera` in attributes alone: it is run under fewer settings.
    pub of_attributes: bool,
}

impl Behaviour {
    /// Returns the rule for a path that is not simply stored.
    pub(crate) fn rule(&self, path: Path) -> Option<PathRule> {
        self.paths.iter().find(|(of, _)| *of == path).map(|(_, rule)| *rule)
    }
}

const AQUERA: Behaviour = Behaviour {
    name: "aquera",
    advertises_patch: true,
    patch: PatchWay::Works,
    put: PutWay::Works,
    delete: DeleteWay::Works,
    partial_update: true,
    disable_deletes: false,
    paths: &[],
    of_attributes: false,
};

/// Returns a profile that differs from `aquera` in these paths.
const fn of_attributes(name: &'static str, paths: &'static [(Path, PathRule)]) -> Behaviour {
    Behaviour { name, paths, of_attributes: true, ..AQUERA }
}

const TITLE: Path = Path::Attribute(Attribute::Title);
const GIVEN: Path = Path::Attribute(Attribute::Given);
const FAMILY: Path = Path::Attribute(Attribute::Family);
const EMAIL: Path = Path::Attribute(Attribute::Email);

const BUILTINS: [Behaviour; 22] = [
    AQUERA,
    Behaviour { name: "no-partial-update", advertises_patch: false, partial_update: false, ..AQUERA },
    Behaviour { name: "patch-405", advertises_patch: false, patch: PatchWay::Refused(405), ..AQUERA },
    Behaviour { name: "patch-501", advertises_patch: false, patch: PatchWay::Refused(501), ..AQUERA },
    Behaviour { name: "patch-400", patch: PatchWay::Refused(400), ..AQUERA },
    Behaviour { name: "patch-ignored-200", patch: PatchWay::Swallowed, ..AQUERA },
    Behaviour { name: "patch-ignored-204", patch: PatchWay::Swallowed, ..AQUERA },
    Behaviour { name: "patch-lies-200", patch: PatchWay::Swallowed, ..AQUERA },
    Behaviour { name: "patch-then-404", patch: PatchWay::AppliedThenNotFound, ..AQUERA },
    Behaviour { name: "no-put", put: PutWay::HtmlNotFound, ..AQUERA },
    Behaviour { name: "no-delete", delete: DeleteWay::Refused, ..AQUERA },
    Behaviour { name: "delete-deactivates", delete: DeleteWay::Deactivates, ..AQUERA },
    Behaviour { name: "disable-deletes", disable_deletes: true, ..AQUERA },
    of_attributes("no-title", &[(TITLE, PathRule::NotStored)]),
    of_attributes("no-title-echoed", &[(TITLE, PathRule::NotStored)]),
    of_attributes("no-external-id", &[(Path::ExternalId, PathRule::NotStored)]),
    of_attributes("external-id-read-only", &[(Path::ExternalId, PathRule::ReadOnly)]),
    of_attributes("drops-email-type", &[(EMAIL, PathRule::Untyped)]),
    of_attributes("family-name-ignored", &[(FAMILY, PathRule::NotUpdated)]),
    of_attributes("swallows-dotted-paths", &[(GIVEN, PathRule::NotPatched), (FAMILY, PathRule::NotPatched)]),
    // Every PUT says what `active` is.
    of_attributes("put-clears-active", &[]),
    of_attributes("schemas-optional", &[]),
];

/// Returns every built-in profile.
pub fn builtins() -> &'static [Behaviour] {
    &BUILTINS
}

/// Returns the built-in profile of this name.
pub fn builtin(name: &str) -> Option<Behaviour> {
    BUILTINS.iter().copied().find(|behaviour| behaviour.name == name)
}
