//! The downstream application: which operations on it a gateway request becomes (docs/decisions.md, "The mock's two hops").
//! Pure, over closed enums.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use self::DownstreamOperation::{Delete, PartialUpdate, Replace};
use crate::profile::{ActiveChange, OperationRule, PartialUpdateRule, Profile};

/// One operation on the second hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Downstream {
    /// What was asked for.
    pub operation: DownstreamOperation,
    /// The id of the account; none for a list and for a refused Create.
    pub target: Option<String>,
    /// Whether the application did it.
    pub accepted: bool,
}

/// What a gateway can ask of the application behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum DownstreamOperation {
    /// Make an account.
    Create,
    /// Write an account whole.
    Replace,
    /// Write parts of an account.
    PartialUpdate,
    /// Remove an account.
    Delete,
    /// Read one account or a list.
    Read,
}

/// The operations that a request became.
#[derive(Debug, Clone, Default)]
pub(crate) enum Downstreams {
    /// Refused or swallowed at the gateway.
    #[default]
    None,
    /// What one request becomes, all of it accepted or refused.
    Few { operations: &'static [DownstreamOperation], target: Option<String>, accepted: bool },
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
            Self::Few { operations, target, accepted } => told(operations, target.as_deref(), *accepted),
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
        (ActiveChange::Delete, true) | (ActiveChange::PartialUpdate, _) => {
            if change.rest {
                &[PartialUpdate, Replace]
            } else {
                &[PartialUpdate]
            }
        }
    }
}

/// What a PATCH becomes.
pub(crate) fn of_patch(profile: &Profile, change: Change) -> &'static [DownstreamOperation] {
    match (profile.gateway.active_change, change.active) {
        (ActiveChange::Delete, Some(false)) => &[Delete],
        (ActiveChange::Replace, Some(_)) => &[Replace],
        _ => &[PartialUpdate],
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
