//! What the outcomes mean for a PingOne connection to Aquera with this endpoint behind it, setting by setting.
//!
//! The rules are those of the provisioner: PUT and PATCH as the update method, Delete and Disable as the Remove
//! Action, never one in place of the other.

use serde_json::Value;

use crate::probe::Findings;
use crate::probe::outcome::{Class, Damage, Outcome};

/// How a setting will fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fares {
    /// As one would wish.
    Well,
    /// With something to know.
    Limited,
    /// Not at all.
    Badly,
    /// It could not be found out.
    Unknown,
}

impl Fares {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Well => "works",
            Self::Limited => "limited",
            Self::Badly => "does not work",
            Self::Unknown => "unknown",
        }
    }
}

/// What to expect of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// As PingOne calls it.
    pub setting: &'static str,
    /// In a word.
    pub fares: Fares,
    /// What will happen, why, and what to do.
    pub text: String,
}

/// The settings, in the order in which they are told.
pub const SETTINGS: [&str; 9] = [
    "Enable users creation",
    "Update method: PUT",
    "Update method: PATCH",
    "Enable users disable",
    "Enabling users again",
    "Deprovision, Remove Action = Disable",
    "Deprovision, Remove Action = Delete",
    "A client whose PUT does not say active",
    "Group members",
];

/// What to expect of every setting.
pub fn advise(findings: &Findings) -> Vec<Advice> {
    let of = |name: &str| {
        findings.outcome(name).cloned().unwrap_or_else(|| Outcome::Untried("no such form".to_owned()))
    };
    vec![
        creation(&of("post"), &of("post-inactive")),
        method(
            "Update method: PUT",
            "PUT",
            [&of("put-title"), &of("put-inactive"), &of("put-active")],
            &of("patch-title"),
        ),
        method(
            "Update method: PATCH",
            "PATCH",
            [&of("patch-title"), &of("patch-inactive"), &of("patch-active")],
            &of("put-title"),
        ),
        toggle(
            "Enable users disable",
            "stay active when they are disabled in PingOne",
            &of("patch-inactive"),
            &of("put-inactive"),
        ),
        enabling(&of("patch-active"), &of("put-active")),
        remove_by_disable(&of("patch-inactive"), &of("put-inactive"), &of("delete")),
        remove_by_delete(&of("delete"), &of("patch-inactive"), &of("put-inactive")),
        unsaid(&of("put-without-active"), &of("put-without-active-inactive")),
        groups(&of("group-add-member"), &of("group-remove-member"), &of("group-put")),
    ]
}

/// Why something does not work, in a clause.
fn because(request: &str, outcome: &Outcome) -> String {
    let status = outcome.status().unwrap_or_default();
    match outcome.class() {
        Class::Refused => format!("{request} is answered {status}"),
        Class::Ignored if outcome.damages().is_empty() => {
            format!("{request} is answered {status} and changes nothing")
        }
        Class::Ignored | Class::Done => match outcome.damages().first() {
            Some(damage) if damage.pointer.is_empty() && damage.now.is_none() => {
                format!("{request} is answered {status} and the account is gone")
            }
            Some(damage) if damage.pointer.is_empty() => {
                format!("after {request} the account answers 404 and its user name stays taken")
            }
            Some(damage) if damage.now.is_none() => {
                format!("{request} is answered {status} and {} is lost", damage.attribute())
            }
            Some(damage) => format!("{request} also changes {}", damage.attribute()),
            None => format!("{request} works"),
        },
        Class::Partly => format!("{request} is answered {status} and takes effect only in part"),
        Class::DoneWithError => format!("{request} takes effect and is answered {status}"),
        Class::Untried => match outcome {
            Outcome::Untried(why) => format!("{request} could not be tried ({why})"),
            Outcome::Tried(_) => format!("{request} could not be tried"),
        },
    }
}

fn advice(setting: &'static str, fares: Fares, text: impl Into<String>) -> Advice {
    Advice { setting, fares, text: text.into() }
}

/// What a request does beside what was asked of it, where that is harmless: labels of values that are not kept.
fn labels(outcome: &Outcome) -> Option<String> {
    let labels: Vec<_> = outcome.damages().iter().map(Damage::attribute).collect();
    (!labels.is_empty()).then(|| format!("{} is not kept as it is sent", labels.join(", ")))
}

/// What is said of something that could not be tried, and of which nothing follows.
fn untried(setting: &'static str, tries: &[(&str, &Outcome)]) -> Advice {
    let why: Vec<_> = tries.iter().map(|(request, outcome)| because(request, outcome)).collect();
    advice(setting, Fares::Unknown, format!("It could not be found out: {}.", why.join("; ")))
}

fn creation(post: &Outcome, inactive: &Outcome) -> Advice {
    const SETTING: &str = "Enable users creation";
    if post.is_untried() {
        return untried(SETTING, &[("a POST", post)]);
    }
    if !post.works() {
        // Attributes that are missing afterwards: the account is there.
        let missing: Vec<_> = post
            .damages()
            .iter()
            .filter(|damage| !damage.pointer.is_empty())
            .map(Damage::attribute)
            .collect();
        if post.class() == Class::Done && missing.len() == post.damages().len() {
            let text = format!(
                "Users are created, but not as they are sent: {}. Leave these attributes out of the mapping.",
                missing.join(", ")
            );
            return advice(SETTING, Fares::Limited, text);
        }
        let text = format!("Users will not arrive as they should: {}.", because("a POST", post));
        return advice(SETTING, Fares::Badly, text);
    }
    if let Some(labels) = labels(post) {
        return advice(SETTING, Fares::Limited, format!("Users are created; {labels}."));
    }
    if inactive.works() || inactive.is_untried() {
        return advice(SETTING, Fares::Well, "Users are created.");
    }
    advice(
        SETTING,
        Fares::Limited,
        format!(
            "Users are created active. An inactive one cannot be made: {}. PingOne creates active users only, so this matters to other clients.",
            because("a POST with active false", inactive)
        ),
    )
}

/// An update method: what became of a changed title, of disabling and of enabling, and of the title by the other method.
fn method(
    setting: &'static str,
    request: &str,
    [title, disable, enable]: [&Outcome; 3],
    other: &Outcome,
) -> Advice {
    let named = format!("a {request}");
    if title.is_untried() {
        return untried(setting, &[(&named, title)]);
    }
    if !title.works() {
        let switches = disable.works() || enable.works();
        if title.class() == Class::Ignored && title.damages().is_empty() && switches {
            let text = format!(
                "Users are disabled or enabled with it, but the title that was tried is not stored: {}. Whether other attributes are was not tried.",
                because(&named, title)
            );
            return advice(setting, Fares::Limited, text);
        }
        let instead = match (other.works(), other.is_untried()) {
            (true, _) => " Use the other method.",
            (false, true) => "",
            (false, false) => " The other method does not update them either.",
        };
        let text = format!("Attributes are not updated this way: {}.{instead}", because(&named, title));
        return advice(setting, Fares::Badly, text);
    }
    let refused: Vec<_> = [("disabled", disable), ("enabled", enable)]
        .into_iter()
        .filter(|(_, outcome)| !outcome.is_untried() && !outcome.works())
        .map(|(word, outcome)| {
            format!(
                "users cannot be {word} with it: {}",
                because(&format!("a {request} that changes active"), outcome)
            )
        })
        .collect();
    let unknown: Vec<_> = [("disabled", disable), ("enabled", enable)]
        .into_iter()
        .filter(|(_, outcome)| outcome.is_untried())
        .map(|(word, _)| format!("whether users are {word} with it could not be tried"))
        .collect();
    match (refused.is_empty(), unknown.is_empty()) {
        (true, true) => match labels(title) {
            Some(labels) => advice(setting, Fares::Limited, format!("Attributes are updated; {labels}.")),
            None => advice(
                setting,
                Fares::Well,
                "Attributes are updated, and users disabled and enabled with it.",
            ),
        },
        (true, false) => {
            advice(setting, Fares::Unknown, format!("Attributes are updated; {}.", unknown.join("; ")))
        }
        (false, _) => {
            advice(setting, Fares::Limited, format!("Attributes are updated, but {}.", refused.join("; ")))
        }
    }
}

/// The update methods by which users can be disabled (or enabled) without harm.
fn ways(patch: &Outcome, put: &Outcome) -> Vec<&'static str> {
    [("PATCH", patch), ("PUT", put)]
        .into_iter()
        .filter(|(_, outcome)| outcome.works())
        .map(|(way, _)| way)
        .collect()
}

/// The requests that change `active`, by their method.
fn switching<'a>(patch: &'a Outcome, put: &'a Outcome) -> [(&'static str, &'a Outcome); 2] {
    [("a PATCH of active", patch), ("a PUT that changes active", put)]
}

/// Which method works alone, and why the other one does not.
fn only(way: &str, patch: &Outcome, put: &Outcome) -> String {
    let [patch, put] = switching(patch, put);
    let (request, outcome) = if way == "PUT" { patch } else { put };
    if outcome.is_untried() {
        return format!("Works with {way} as the update method: {}.", because(request, outcome));
    }
    format!("Works with {way} as the update method, and not otherwise: {}.", because(request, outcome))
}

fn toggle(setting: &'static str, otherwise: &str, patch: &Outcome, put: &Outcome) -> Advice {
    let tries = switching(patch, put);
    match ways(patch, put).as_slice() {
        [] if patch.is_untried() || put.is_untried() => untried(setting, &tries),
        [] => {
            let why = tries.map(|(request, outcome)| because(request, outcome)).join("; ");
            advice(setting, Fares::Badly, format!("Users {otherwise}, or worse: {why}."))
        }
        [way] => advice(setting, Fares::Limited, only(way, patch, put)),
        _ => advice(setting, Fares::Well, "Works, with PUT and with PATCH."),
    }
}

fn enabling(patch: &Outcome, put: &Outcome) -> Advice {
    toggle("Enabling users again", "stay inactive when they come back", patch, put)
}

fn remove_by_disable(patch: &Outcome, put: &Outcome, delete: &Outcome) -> Advice {
    const SETTING: &str = "Deprovision, Remove Action = Disable";
    let tries = switching(patch, put);
    match ways(patch, put).as_slice() {
        [] if patch.is_untried() || put.is_untried() => untried(SETTING, &tries),
        [] => {
            let gone = |outcome: &Outcome| {
                outcome.damages().iter().any(|damage| damage.pointer.is_empty() && damage.now.is_none())
            };
            let happens = if gone(patch) || gone(put) {
                "Accounts are lost instead of disabled"
            } else {
                "Users stay active at the application after they have left"
            };
            let instead = match delete.class() {
                Class::Untried => "Whether Delete works could not be tried.",
                Class::Done if delete.damages().is_empty() => "Use Delete, which removes the account.",
                Class::Ignored | Class::Done if deactivates(delete) => {
                    "Use Delete: this endpoint deactivates the account and keeps it."
                }
                _ => "Delete does not work either: leavers have to be removed by hand.",
            };
            let why = tries.map(|(request, outcome)| because(request, outcome)).join(", and ");
            advice(SETTING, Fares::Badly, format!("{happens}, because {why}. {instead}"))
        }
        [way] => advice(SETTING, Fares::Limited, only(way, patch, put)),
        _ => advice(SETTING, Fares::Well, "The account is kept and made inactive."),
    }
}

fn deactivates(delete: &Outcome) -> bool {
    delete.damages().iter().any(|damage| damage.pointer == "/active")
}

fn remove_by_delete(delete: &Outcome, patch: &Outcome, put: &Outcome) -> Advice {
    const SETTING: &str = "Deprovision, Remove Action = Delete";
    let instead = match (ways(patch, put).is_empty(), patch.is_untried() || put.is_untried()) {
        (false, _) => "Use Disable.",
        (true, true) => "Whether Disable works could not be found out.",
        (true, false) => "Disable does not work either.",
    };
    match delete.class() {
        Class::Untried => untried(SETTING, &[("a DELETE", delete)]),
        Class::Done if delete.damages().is_empty() => {
            advice(SETTING, Fares::Well, "The account is removed, and its user name is free again.")
        }
        Class::Done => advice(
            SETTING,
            Fares::Limited,
            "The account goes out of sight, but its user name stays taken: whoever comes back cannot be created anew.",
        ),
        Class::Ignored if deactivates(delete) => advice(
            SETTING,
            Fares::Limited,
            "The account is not removed but made inactive, and stays readable: whoever comes back is linked to it, and must be enabled.",
        ),
        _ => advice(
            SETTING,
            Fares::Badly,
            format!("Accounts stay as they are: {}. {instead}", because("a DELETE", delete)),
        ),
    }
}

fn unsaid(active: &Outcome, inactive: &Outcome) -> Advice {
    const SETTING: &str = "A client whose PUT does not say active";
    let found = |outcome: &Outcome| {
        outcome.damages().iter().find(|damage| damage.pointer == "/active").map(|damage| damage.now.clone())
    };
    let (active_now, inactive_now) = (found(active), found(inactive));
    if active_now == Some(Some(Value::Bool(false))) {
        return advice(
            SETTING,
            Fares::Badly,
            "It locks users out: such a PUT makes an active account inactive, which RFC 7644 §3.5.1 leaves to the server. Our provisioner always says active.",
        );
    }
    if inactive_now == Some(Some(Value::Bool(true))) {
        return advice(
            SETTING,
            Fares::Badly,
            "It lets leavers in again: such a PUT makes an inactive account active, which RFC 7644 §3.5.1 leaves to the server. Our provisioner always says active.",
        );
    }
    if active_now.is_some() || inactive_now.is_some() {
        return advice(
            SETTING,
            Fares::Limited,
            "Such a PUT clears active, as RFC 7644 §3.5.1 allows: the account no longer says whether it is active, which is not the same as inactive. Our provisioner always says active.",
        );
    }
    let seen = |outcome: &Outcome| matches!(outcome.class(), Class::Done | Class::Partly | Class::Ignored);
    if !seen(active) || !seen(inactive) {
        return untried(
            SETTING,
            &[("such a PUT of an active account", active), ("such a PUT of an inactive one", inactive)],
        );
    }
    advice(SETTING, Fares::Well, "It does no harm: active stays as it is.")
}

fn groups(add: &Outcome, remove: &Outcome, put: &Outcome) -> Advice {
    const SETTING: &str = "Group members";
    let patches = add.is_untried() || remove.is_untried();
    match (add.works() && remove.works(), put.works()) {
        (true, true) => advice(SETTING, Fares::Well, "Members come and go by PATCH, and by PUT."),
        (true, false) => advice(
            SETTING,
            Fares::Well,
            format!("Members come and go by PATCH; {}.", because("a PUT of the group", put)),
        ),
        (false, true) => {
            let worse = if add.works() { remove } else { add };
            advice(
                SETTING,
                Fares::Limited,
                format!("By PUT of the whole group: {}.", because("a PATCH of members", worse)),
            )
        }
        (false, false) if patches || put.is_untried() => untried(
            SETTING,
            &[
                ("a PATCH that adds a member", add),
                ("a PATCH that removes one", remove),
                ("a PUT of the group", put),
            ],
        ),
        (false, false) => advice(
            SETTING,
            Fares::Badly,
            format!(
                "Members cannot be changed: {}; {}.",
                because("a PATCH of members", if add.works() { remove } else { add }),
                because("a PUT of the group", put)
            ),
        ),
    }
}
