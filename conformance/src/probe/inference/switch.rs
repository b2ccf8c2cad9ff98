//! The switches that a profile is fitted with.

use mock_aquera::{
    ActiveChange, Claim, CreateDisabled, DeactivatedUsers, DeleteRule, Dialect, DisableRule, DottedPaths,
    DownstreamDelete, ErrorBody, NotStoredReply, OperationRule, PartialUpdateRule, PatchReply, PatchRule,
    Presence, PutMissingAttributes, PutRule, PutWithoutActive, ReplyBody, Support,
};
use serde_json::{Value, json};

/// A switch of a profile: section, name, and its words.
pub(super) struct Switch {
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    pub(super) words: Vec<&'static str>,
    /// Whether the switch is a list that holds words, instead of one word.
    pub(super) list: bool,
    /// Whether it affects more than the variants that show it, so that a single sight of it proves little.
    pub(super) wide: bool,
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
                list: false,
                wide: false,
                core: $core,
            }
        };
    }
    let wide = |switch: Switch| Switch { wide: true, ..switch };
    vec![
        // Attributes that the forms write, so that their loss is seen.
        Switch {
            section: "application",
            name: "not-stored",
            words: vec!["title", "emails.type", "externalId", "name.givenName"],
            list: true,
            wide: false,
            core: false,
        },
        Switch {
            section: "application",
            name: "read-only",
            words: vec!["externalId", "title"],
            list: true,
            wide: false,
            core: false,
        },
        switch!("application", "not-stored-reply", NotStoredReply, true),
        switch!("gateway", "patch-dotted-paths", DottedPaths, false),
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
        switch!("requests.dialects", "bare-manager", Dialect, false),
        switch!("requests.dialects", "pathless-add", Dialect, false),
        switch!("requests.dialects", "single-operation", Dialect, false),
        switch!("replies", "create-body", ReplyBody, false),
        switch!("replies", "put-body", ReplyBody, false),
        wide(switch!("errors", "body", ErrorBody, false)),
        wide(switch!("errors", "scim-type", Presence, false)),
        switch!("discovery", "patch", Claim, false),
    ]
}

pub(super) fn set(profile: &Value, switch: &Switch, word: &str) -> Value {
    let mut changed = profile.clone();
    let mut place = &mut changed;
    for part in switch.section.split('.') {
        place = &mut place[part];
    }
    if !switch.list {
        place[switch.name] = json!(word);
    } else if let Some(words) = place[switch.name].as_array_mut() {
        words.push(json!(word));
    } else {
        place[switch.name] = json!([word]);
    }
    changed
}

/// Resets a switch to its word in another profile.
pub(super) fn reset(profile: &mut Value, switch: &Switch, as_in: &Value) {
    let usual = place(as_in, switch).cloned();
    let section = switch.section.split('.').try_fold(profile, |place, part| place.get_mut(part));
    if let Some(members) = section.and_then(Value::as_object_mut) {
        match usual {
            Some(usual) => members.insert(switch.name.to_owned(), usual),
            None => members.remove(switch.name),
        };
    }
}

fn place<'a>(profile: &'a Value, switch: &Switch) -> Option<&'a Value> {
    let section = switch.section.split('.').try_fold(profile, |place, part| place.get(part));
    section?.get(switch.name)
}

/// Returns the word that a switch has; `None` for a list.
pub(super) fn word<'a>(profile: &'a Value, switch: &Switch) -> Option<&'a str> {
    place(profile, switch)?.as_str()
}

/// Whether a switch has, or holds, a word.
pub(super) fn has(profile: &Value, switch: &Switch, word: &str) -> bool {
    match place(profile, switch) {
        Some(Value::Array(words)) => words.iter().any(|known| known == word),
        Some(value) => value == word,
        None => false,
    }
}
