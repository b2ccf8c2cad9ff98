//! What the outcomes mean for a PingOne connection to Aquera with this endpoint behind it, setting by setting.
//!
//! The rules are those of the provisioner: PUT and PATCH as the update method, Delete and Disable as the Remove
//! Action, never one in place of the other.

use crate::probe::Findings;
use crate::probe::outcome::{Class, Outcome};

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

/// What to expect of every setting.
pub fn advise(findings: &Findings) -> Vec<Advice> {
    let of = |name: &str| {
        findings.outcome(name).cloned().unwrap_or_else(|| Outcome::Untried("no such form".to_owned()))
    };
    vec![
        creation(&of("post"), &of("post-inactive")),
        method("Update method: PUT", &of("put-title"), "PUT", &of("put-inactive"), &of("put-active")),
        method(
            "Update method: PATCH",
            &of("patch-title"),
            "PATCH",
            &of("patch-inactive"),
            &of("patch-active"),
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
            Some(damage) => format!("{request} also changes {}", damage.pointer.trim_start_matches('/')),
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

fn creation(post: &Outcome, inactive: &Outcome) -> Advice {
    const SETTING: &str = "Enable users creation";
    if post.class() == Class::Untried {
        return advice(SETTING, Fares::Unknown, because("a POST", post));
    }
    if !post.is_clean() {
        return advice(
            SETTING,
            Fares::Badly,
            format!("Users will not arrive as they should: {}.", because("a POST", post)),
        );
    }
    if inactive.is_clean() || inactive.class() == Class::Untried {
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

fn method(
    setting: &'static str,
    title: &Outcome,
    request: &str,
    disable: &Outcome,
    enable: &Outcome,
) -> Advice {
    if title.class() == Class::Untried {
        return advice(setting, Fares::Unknown, because(request, title));
    }
    if !title.is_clean() {
        return advice(
            setting,
            Fares::Badly,
            format!(
                "Attributes are not updated this way: {}. Use the other method.",
                because(&format!("a {request}"), title)
            ),
        );
    }
    let refused: Vec<_> = [("disabled", disable), ("enabled", enable)]
        .into_iter()
        .filter(|(_, outcome)| outcome.class() != Class::Untried && !outcome.is_clean())
        .map(|(word, outcome)| {
            format!(
                "users cannot be {word} with it: {}",
                because(&format!("a {request} that changes active"), outcome)
            )
        })
        .collect();
    if refused.is_empty() {
        advice(setting, Fares::Well, "Attributes are updated, and users disabled and enabled with it.")
    } else {
        advice(setting, Fares::Limited, format!("Attributes are updated, but {}.", refused.join("; ")))
    }
}

/// The update methods by which users can be disabled (or enabled) without harm.
fn ways(patch: &Outcome, put: &Outcome) -> Vec<&'static str> {
    [("PATCH", patch), ("PUT", put)]
        .into_iter()
        .filter(|(_, outcome)| outcome.is_clean())
        .map(|(way, _)| way)
        .collect()
}

fn toggle(setting: &'static str, otherwise: &str, patch: &Outcome, put: &Outcome) -> Advice {
    match ways(patch, put).as_slice() {
        [] => advice(
            setting,
            if patch.class() == Class::Untried && put.class() == Class::Untried {
                Fares::Unknown
            } else {
                Fares::Badly
            },
            format!(
                "Users {otherwise}, or worse: {}; {}.",
                because("a PATCH of active", patch),
                because("a PUT that changes active", put)
            ),
        ),
        [way] => {
            let (other, outcome) =
                if *way == "PUT" { ("a PATCH of active", patch) } else { ("a PUT that changes active", put) };
            advice(
                setting,
                Fares::Limited,
                format!(
                    "Works with {way} as the update method, and not otherwise: {}.",
                    because(other, outcome)
                ),
            )
        }
        _ => advice(setting, Fares::Well, "Works, with PUT and with PATCH."),
    }
}

fn enabling(patch: &Outcome, put: &Outcome) -> Advice {
    const SETTING: &str = "Enabling users again";
    if patch.class() == Class::Untried && put.class() == Class::Untried {
        return advice(
            SETTING,
            Fares::Unknown,
            format!("It could not be tried: {}.", because("a PATCH of active", patch)),
        );
    }
    toggle(SETTING, "stay inactive when they come back", patch, put)
}

fn remove_by_disable(patch: &Outcome, put: &Outcome, delete: &Outcome) -> Advice {
    const SETTING: &str = "Deprovision, Remove Action = Disable";
    let ways = ways(patch, put);
    match ways.as_slice() {
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
                Class::Done if delete.damages().is_empty() => "Use Delete, which removes the account.",
                Class::Ignored | Class::Done if deactivates(delete) => {
                    "Use Delete: this endpoint deactivates the account and keeps it."
                }
                _ => "Delete does not work either: leavers have to be removed by hand.",
            };
            advice(
                SETTING,
                Fares::Badly,
                format!(
                    "{happens}, because {}, and {}. {instead}",
                    because("a PATCH of active", patch),
                    because("a PUT that changes active", put)
                ),
            )
        }
        [way] => {
            let (other, outcome) =
                if *way == "PUT" { ("a PATCH of active", patch) } else { ("a PUT that changes active", put) };
            advice(
                SETTING,
                Fares::Limited,
                format!(
                    "Works with {way} as the update method. With the other one it fails, because {}.",
                    because(other, outcome)
                ),
            )
        }
        _ => advice(SETTING, Fares::Well, "The account is kept and made inactive."),
    }
}

fn deactivates(delete: &Outcome) -> bool {
    delete.damages().iter().any(|damage| damage.pointer == "/active")
}

fn remove_by_delete(delete: &Outcome, patch: &Outcome, put: &Outcome) -> Advice {
    const SETTING: &str = "Deprovision, Remove Action = Delete";
    let instead = if ways(patch, put).is_empty() { "Disable does not work either." } else { "Use Disable." };
    match delete.class() {
        Class::Untried => advice(SETTING, Fares::Unknown, because("a DELETE", delete)),
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
    let flips = |outcome: &Outcome| outcome.damages().iter().any(|damage| damage.pointer == "/active");
    if active.class() == Class::Refused
        || (active.class() == Class::Untried && inactive.class() == Class::Untried)
    {
        return advice(
            SETTING,
            Fares::Unknown,
            format!("It could not be seen: {}.", because("such a PUT", active)),
        );
    }
    match (flips(active), flips(inactive)) {
        (true, _) => advice(
            SETTING,
            Fares::Badly,
            "It locks users out: such a PUT makes an active account inactive. Our provisioner always says active.",
        ),
        (_, true) => advice(
            SETTING,
            Fares::Badly,
            "It lets leavers in again: such a PUT makes an inactive account active. Our provisioner always says active.",
        ),
        _ => advice(SETTING, Fares::Well, "It does no harm: active stays as it is."),
    }
}

fn groups(add: &Outcome, remove: &Outcome, put: &Outcome) -> Advice {
    const SETTING: &str = "Group members";
    if add.class() == Class::Untried && put.class() == Class::Untried {
        return advice(SETTING, Fares::Unknown, because("a PATCH of members", add));
    }
    match (add.is_clean() && remove.is_clean(), put.is_clean()) {
        (true, true) => advice(SETTING, Fares::Well, "Members come and go by PATCH, and by PUT."),
        (true, false) => advice(
            SETTING,
            Fares::Well,
            format!("Members come and go by PATCH; {}.", because("a PUT of the group", put)),
        ),
        (false, true) => {
            let worse = if add.is_clean() { remove } else { add };
            advice(
                SETTING,
                Fares::Limited,
                format!("Only by PUT of the whole group: {}.", because("a PATCH of members", worse)),
            )
        }
        (false, false) => advice(
            SETTING,
            Fares::Badly,
            format!(
                "Members cannot be changed: {}; {}.",
                because("a PATCH of members", add),
                because("a PUT of the group", put)
            ),
        ),
    }
}
