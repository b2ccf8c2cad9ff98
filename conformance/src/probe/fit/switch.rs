//! The switches that a profile is fitted with.

use mock_aquera::{
    ActiveChange, Claim, CreateDisabled, DeactivatedUsers, DeleteRule, Dialect, DisableRule,
    DownstreamDelete, ErrorBody, MembersShown, OperationRule, PartialUpdateRule, PatchReply, PatchRule,
    Presence, PutMissingAttributes, PutRule, PutWithoutActive, ReplyBody, Support,
};
use serde_json::{Value, json};

/// One switch of a profile: section, name, and its words.
pub(super) struct Switch {
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    pub(super) words: Vec<&'static str>,
    /// Hidden behind others, so that it is tried together with another one too.
    pub(super) core: bool,
}

pub(super) fn switches() -> Vec<Switch> {
    macro_rules! switch {
        ($section:literal, $name:literal, $kind:ident, $core:literal) => {
            Switch {
                section: $section,
                name: $name,
                words: $kind::ALL.iter().map(|word| word.as_str()).collect(),
                core: $core,
            }
        };
    }
    vec![
        switch!("application", "create", OperationRule, true),
        switch!("application", "partial-update", PartialUpdateRule, true),
        switch!("application", "replace", OperationRule, true),
        switch!("gateway", "patch", PatchRule, true),
        switch!("gateway", "put", PutRule, true),
        switch!("gateway", "active-change", ActiveChange, true),
        switch!("gateway", "disable", DisableRule, true),
        switch!("gateway", "enable", Support, true),
        switch!("gateway", "delete", DeleteRule, true),
        switch!("application", "delete", DownstreamDelete, true),
        switch!("application", "deactivated-users", DeactivatedUsers, true),
        switch!("gateway", "create-disabled", CreateDisabled, true),
        switch!("gateway", "put-without-active", PutWithoutActive, true),
        switch!("gateway", "put-missing-attributes", PutMissingAttributes, true),
        switch!("gateway", "patch-reply", PatchReply, false),
        switch!("gateway", "patch-value-filters", Support, false),
        switch!("gateway", "patch-paths", Support, false),
        switch!("gateway", "replace-all-members", Support, false),
        switch!("gateway", "group-patch", PatchRule, false),
        switch!("gateway", "group-put", PutRule, false),
        switch!("gateway", "group-delete", DeleteRule, false),
        switch!("requests.dialects", "capitalised-op", Dialect, false),
        switch!("requests.dialects", "string-booleans", Dialect, false),
        switch!("requests.dialects", "dotted-keys", Dialect, false),
        switch!("requests.dialects", "remove-by-value", Dialect, false),
        switch!("requests.dialects", "pathless-add", Dialect, false),
        switch!("requests.dialects", "single-operation", Dialect, false),
        switch!("replies", "create-body", ReplyBody, false),
        switch!("replies", "put-body", ReplyBody, false),
        switch!("list", "members", MembersShown, false),
        switch!("errors", "body", ErrorBody, false),
        switch!("errors", "scim-type", Presence, false),
        switch!("discovery", "patch", Claim, false),
    ]
}

pub(super) fn set(profile: &Value, switch: &Switch, word: &str) -> Value {
    let mut changed = profile.clone();
    let mut place = &mut changed;
    for part in switch.section.split('.') {
        place = &mut place[part];
    }
    place[switch.name] = json!(word);
    changed
}

pub(super) fn word<'a>(profile: &'a Value, switch: &Switch) -> Option<&'a str> {
    let mut place = profile;
    for part in switch.section.split('.') {
        place = place.get(part)?;
    }
    place.get(switch.name)?.as_str()
}
