//! The two hops: which downstream operations a gateway request becomes (docs/decisions.md, "The mock's two hops"). Pure, over closed enums.

use std::fmt;

use serde_json::{Map, Value};

use crate::journal::Downstream;
use crate::journal::DownstreamOperation::{self, Delete, PartialUpdate, Replace};
use crate::profile::{ActiveChange, OperationRule, PartialUpdateRule, Profile};

/// How long an id is that is kept in place: a UUID has 36 characters.
const IN_PLACE: usize = 38;

/// An id as the journal keeps it. A short one is copied: the journal forgets it a thousand requests later, when the
/// account's own has long left the cache.
#[derive(Clone)]
pub(crate) enum TargetId {
    /// Up to [`IN_PLACE`] bytes, and how many they are.
    Short(u8, [u8; IN_PLACE]),
    Long(Box<str>),
}

impl TargetId {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            // It was a text when it came.
            Self::Short(length, text) => {
                std::str::from_utf8(text.get(..usize::from(*length)).unwrap_or_default()).unwrap_or_default()
            }
            Self::Long(text) => text,
        }
    }
}

impl From<&str> for TargetId {
    fn from(id: &str) -> Self {
        let mut text = [0; IN_PLACE];
        match (u8::try_from(id.len()), text.get_mut(..id.len())) {
            (Ok(length), Some(place)) => {
                place.copy_from_slice(id.as_bytes());
                Self::Short(length, text)
            }
            _ => Self::Long(id.into()),
        }
    }
}

impl fmt::Debug for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// The operations that a request became.
#[derive(Debug, Clone, Default)]
pub(crate) enum Downstreams {
    /// Refused or swallowed at the gateway.
    #[default]
    None,
    /// What one request becomes, all of it accepted or refused.
    Few { operations: &'static [DownstreamOperation], target: Option<TargetId>, accepted: bool },
    /// What the operations of a bulk request became.
    Many(Vec<Downstream>),
}

impl Downstreams {
    /// Accepted operations on one resource.
    pub(crate) fn done(operations: &'static [DownstreamOperation], target: &str) -> Self {
        Self::Few { operations, target: Some(target.into()), accepted: true }
    }

    /// The operations one by one, as they are told.
    pub(crate) fn to_list(&self) -> Vec<Downstream> {
        match self {
            Self::None => Vec::new(),
            Self::Few { operations, target, accepted } => {
                told(operations, target.as_ref().map(TargetId::as_str), *accepted)
            }
            Self::Many(list) => list.clone(),
        }
    }
}

/// Operations on one account, one by one, as they are told.
pub(crate) fn told(
    operations: &[DownstreamOperation],
    target: Option<&str>,
    accepted: bool,
) -> Vec<Downstream> {
    let one = |operation: &DownstreamOperation| Downstream {
        operation: *operation,
        target: target.map(str::to_owned),
        accepted,
    };
    operations.iter().map(one).collect()
}

/// What a write would change in an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    /// The new value of `active`, where it differs.
    pub(crate) active: Option<bool>,
    /// Whether anything else differs.
    pub(crate) rest: bool,
}

impl Change {
    /// Compares two representations; what the server writes (`schemas`, `id`, `meta`) doesn't count.
    pub(crate) fn between(before: &Value, after: &Map<String, Value>) -> Self {
        let active = |value: Option<&Value>| value.and_then(Value::as_bool).unwrap_or(true);
        let wanted = active(after.get("active"));
        let counts = |name: &str| !matches!(name, "active" | "schemas" | "meta" | "id");
        let empty = Map::new();
        let before_members = before.as_object().unwrap_or(&empty);
        let said = before_members.contains_key("active") != after.contains_key("active");
        let rest = said
            || after.iter().any(|(name, value)| counts(name) && before_members.get(name) != Some(value))
            || before_members.keys().any(|name| counts(name) && !after.contains_key(name));
        Self { active: (wanted != active(before.get("active"))).then_some(wanted), rest }
    }

    pub(crate) fn is_nothing(self) -> bool {
        self.active.is_none() && !self.rest
    }
}

/// What a PUT becomes.
pub(crate) fn of_put(profile: &Profile, change: Change) -> &'static [DownstreamOperation] {
    let Some(active) = change.active else { return &[Replace] };
    match (profile.gateway.active_change, active) {
        (ActiveChange::Delete, false) => &[Delete],
        (ActiveChange::Replace, _) => &[Replace],
        (ActiveChange::Delete, true) | (ActiveChange::PartialUpdate, _) if change.rest => {
            &[PartialUpdate, Replace]
        }
        (ActiveChange::Delete, true) | (ActiveChange::PartialUpdate, _) => &[PartialUpdate],
    }
}

/// What a PATCH becomes.
pub(crate) fn of_patch(profile: &Profile, change: Change) -> &'static [DownstreamOperation] {
    match (profile.gateway.active_change, change.active) {
        (ActiveChange::Delete, Some(false)) => &[Delete],
        (ActiveChange::Replace, Some(_)) => &[Replace],
        (ActiveChange::Delete, Some(true) | None)
        | (ActiveChange::Replace, None)
        | (ActiveChange::PartialUpdate, _) => &[PartialUpdate],
    }
}

/// Whether the application behind the gateway has the operation at all.
pub(crate) fn has(profile: &Profile, operation: DownstreamOperation) -> bool {
    let accepted = |rule: OperationRule| rule == OperationRule::Accepted;
    match operation {
        PartialUpdate => profile.application.partial_update == PartialUpdateRule::Accepted,
        DownstreamOperation::Create => accepted(profile.application.create),
        Replace => accepted(profile.application.replace),
        Delete | DownstreamOperation::Read => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::profile::GatewayRules;

    #[test]
    fn a_request_becomes_operations() {
        #[track_caller]
        fn check(
            rule: ActiveChange,
            active: Option<bool>,
            rest: bool,
            put: &[DownstreamOperation],
            patch: &[DownstreamOperation],
        ) {
            let gateway = GatewayRules { active_change: rule, ..GatewayRules::default() };
            let profile = Profile { gateway, ..Profile::default() };
            let change = Change { active, rest };
            assert_eq!(of_put(&profile, change), put, "PUT {change:?}");
            assert_eq!(of_patch(&profile, change), patch, "PATCH {change:?}");
        }
        for rule in [ActiveChange::PartialUpdate, ActiveChange::Replace, ActiveChange::Delete] {
            check(rule, None, false, &[Replace], &[PartialUpdate]);
            check(rule, None, true, &[Replace], &[PartialUpdate]);
        }
        for active in [true, false] {
            check(ActiveChange::PartialUpdate, Some(active), false, &[PartialUpdate], &[PartialUpdate]);
            check(
                ActiveChange::PartialUpdate,
                Some(active),
                true,
                &[PartialUpdate, Replace],
                &[PartialUpdate],
            );
            check(ActiveChange::Replace, Some(active), false, &[Replace], &[Replace]);
            check(ActiveChange::Replace, Some(active), true, &[Replace], &[Replace]);
        }
        check(ActiveChange::Delete, Some(false), false, &[Delete], &[Delete]);
        check(ActiveChange::Delete, Some(false), true, &[Delete], &[Delete]);
        check(ActiveChange::Delete, Some(true), false, &[PartialUpdate], &[PartialUpdate]);
        check(ActiveChange::Delete, Some(true), true, &[PartialUpdate, Replace], &[PartialUpdate]);
    }

    #[test]
    fn ids_come_out_as_they_went_in() {
        let (just, more) = ("i".repeat(IN_PLACE), "é".repeat(IN_PLACE));
        for id in ["", "a", "2819c223-7f76-453a-919d-413861904646", "é", &just, &more] {
            assert_eq!(TargetId::from(id).as_str(), id);
        }
        assert!(matches!(TargetId::from(just.as_str()), TargetId::Short(38, _)));
        assert!(matches!(TargetId::from(more.as_str()), TargetId::Long(_)));
    }

    #[test]
    fn a_change_is_seen_apart_from_id_and_meta() {
        #[track_caller]
        fn check(after: Value, active: Option<bool>, rest: bool) {
            let before =
                json!({"id": "1", "meta": {"version": "1"}, "userName": "a", "active": true, "title": "t"});
            let Value::Object(after) = after else { panic!("an object") };
            assert_eq!(Change::between(&before, &after), Change { active, rest });
        }
        check(json!({"userName": "a", "active": true, "title": "t"}), None, false);
        check(json!({"userName": "a", "title": "t"}), None, true);
        check(json!({"userName": "a", "active": false, "title": "t"}), Some(false), false);
        check(json!({"userName": "b", "active": false, "title": "t"}), Some(false), true);
        check(json!({"userName": "a", "active": true}), None, true);
        check(json!({"userName": "a", "active": true, "title": "t", "x": 1}), None, true);
    }
}
