//! The consequences of the outcomes for a PingOne connection to Aquera with this endpoint behind it, setting by
//! setting.
//!
//! The rules are those of the provisioner: PUT and PATCH as the update method, Delete and Disable as the Remove
//! Action, never one in place of the other.

mod method;

use serde_json::Value;

use crate::probe::Findings;
use crate::probe::advice::method::{PATCH, PUT, method};
use crate::probe::outcome::{Class, Damage, Outcome};
use crate::probe::report::hint;

/// The rating of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rating {
    /// The setting works.
    Well,
    /// The setting works with limitations.
    Limited,
    /// The setting does not work.
    Badly,
    /// The rating is unknown.
    Unknown,
}

impl Rating {
    /// Returns the word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Well => "works",
            Self::Limited => "limited",
            Self::Badly => "does not work",
            Self::Unknown => "unknown",
        }
    }
}

/// The advice about one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// The name of the setting in PingOne.
    pub setting: &'static str,
    /// The rating.
    pub rating: Rating,
    /// The consequence, its reason, and the next step.
    pub text: String,
}

/// Returns the advice about every setting.
pub fn advise(findings: &Findings) -> Vec<Advice> {
    let of = |name: &str| {
        findings.outcome(name).cloned().unwrap_or_else(|| Outcome::Untried("no such form".to_owned()))
    };
    vec![
        creation(&of("post"), &of("post-inactive"), hint(findings)),
        method(findings, &PUT, &PATCH),
        method(findings, &PATCH, &PUT),
        toggle(
            "Enable users disable",
            "stay active when they are disabled in PingOne",
            "when users are disabled in PingOne",
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

/// Returns the reason for a failure, in a clause.
fn because(request: &str, outcome: &Outcome) -> String {
    let status = outcome.status().unwrap_or_default();
    match outcome.class() {
        Class::Refused if !outcome.without().is_empty() => {
            format!("{request} with {} is answered {}", outcome.without().join(", "), outcome.answered())
        }
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
            Some(damage) if outcome.class() == Class::Ignored => {
                format!("{request} is answered {status} and changes {} instead", damage.attribute())
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

fn advice(setting: &'static str, rating: Rating, text: impl Into<String>) -> Advice {
    Advice { setting, rating, text: text.into() }
}

/// Returns the harmless side effects of a request: labels of values that are not kept.
fn labels(outcome: &Outcome) -> Option<String> {
    let labels: Vec<_> = outcome.damages().iter().map(Damage::attribute).collect();
    (!labels.is_empty()).then(|| format!("{} is not kept as it is sent", labels.join(", ")))
}

/// Returns the advice if a variant that it depends on could not be tried.
fn untried(setting: &'static str, tries: &[(&str, &Outcome)]) -> Advice {
    let why: Vec<_> = tries.iter().map(|(request, outcome)| because(request, outcome)).collect();
    advice(setting, Rating::Unknown, format!("It could not be found out: {}.", why.join("; ")))
}

fn creation(post: &Outcome, inactive: &Outcome, hint: Option<String>) -> Advice {
    const SETTING: &str = "Enable users creation";
    // An attribute that the account lacks is no creation that does not work.
    if let Some(hint) = hint {
        return advice(SETTING, Rating::Unknown, format!("It could not be found out: {hint}."));
    }
    if post.is_untried() {
        return untried(SETTING, &[("a POST", post)]);
    }
    if let names @ [first, ..] = post.without() {
        let it = if names.len() == 1 { "it" } else { "them" };
        let option = if *first == "externalId" {
            " (externalId: `external-id = false` under [connection.options])"
        } else {
            ""
        };
        let text = format!(
            "A POST with {} is answered {}. Users are created without {it}: leave {it} out of the mapping{option}.",
            names.join(", "),
            post.answered()
        );
        return advice(SETTING, Rating::Limited, text);
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
            return advice(SETTING, Rating::Limited, text);
        }
        let text = format!("Users will not arrive as they should: {}.", because("a POST", post));
        return advice(SETTING, Rating::Badly, text);
    }
    if let Some(labels) = labels(post) {
        return advice(SETTING, Rating::Limited, format!("Users are created; {labels}."));
    }
    if inactive.works() || inactive.is_untried() {
        return advice(SETTING, Rating::Well, "Users are created.");
    }
    if inactive.class() == Class::Done {
        let text = format!("Users are created; {}.", because("a POST with active false", inactive));
        return advice(SETTING, Rating::Limited, text);
    }
    advice(
        SETTING,
        Rating::Limited,
        format!(
            "Users are created active. An inactive one cannot be made: {}. PingOne creates active users only, so this matters to other clients.",
            because("a POST with active false", inactive)
        ),
    )
}

/// Returns the update methods by which users can be disabled (or enabled) without harm.
fn ways(patch: &Outcome, put: &Outcome) -> Vec<&'static str> {
    [("PATCH", patch), ("PUT", put)]
        .into_iter()
        .filter(|(_, outcome)| outcome.works())
        .map(|(way, _)| way)
        .collect()
}

/// Returns the requests that change `active`, by their method.
fn switching<'a>(patch: &'a Outcome, put: &'a Outcome) -> [(&'static str, &'a Outcome); 2] {
    [("a PATCH of active", patch), ("a PUT that changes active", put)]
}

/// Returns the advice if one method alone works, with the reason why the other one does not.
fn only(way: &str, patch: &Outcome, put: &Outcome) -> String {
    let [patch, put] = switching(patch, put);
    let (request, outcome) = if way == "PUT" { patch } else { put };
    if outcome.is_untried() {
        return format!("Works with {way} as the update method: {}.", because(request, outcome));
    }
    format!("Works with {way} as the update method, and not otherwise: {}.", because(request, outcome))
}

/// Returns the advice if neither method changes `active` correctly.
fn without_a_way(patch: &Outcome, put: &Outcome, unchanged: &str, when: &str) -> (Rating, String) {
    let both = [patch, put];
    if both.iter().any(|outcome| outcome.loses_account()) {
        (Rating::Badly, format!("Accounts are lost {when}"))
    } else if both.iter().any(|outcome| outcome.hides_account()) {
        let text = "The account goes out of sight, so whether it is inactive cannot be read";
        (Rating::Limited, text.to_owned())
    } else if both.iter().all(|outcome| matches!(outcome.class(), Class::Refused | Class::Ignored)) {
        (Rating::Badly, format!("Users {unchanged}"))
    } else {
        (Rating::Badly, "It takes effect, and not as it should".to_owned())
    }
}

fn toggle(setting: &'static str, otherwise: &str, when: &str, patch: &Outcome, put: &Outcome) -> Advice {
    let tries = switching(patch, put);
    match ways(patch, put).as_slice() {
        [] if patch.is_untried() || put.is_untried() => untried(setting, &tries),
        [] => {
            let why = tries.map(|(request, outcome)| because(request, outcome)).join("; ");
            let (rating, happens) = without_a_way(patch, put, otherwise, when);
            advice(setting, rating, format!("{happens}: {why}."))
        }
        [way] => advice(setting, Rating::Limited, only(way, patch, put)),
        _ => advice(setting, Rating::Well, "Works, with PUT and with PATCH."),
    }
}

fn enabling(patch: &Outcome, put: &Outcome) -> Advice {
    let when = "when users are enabled again";
    toggle("Enabling users again", "stay inactive when they come back", when, patch, put)
}

fn remove_by_disable(patch: &Outcome, put: &Outcome, delete: &Outcome) -> Advice {
    const SETTING: &str = "Deprovision, Remove Action = Disable";
    let tries = switching(patch, put);
    match ways(patch, put).as_slice() {
        [] if patch.is_untried() || put.is_untried() => untried(SETTING, &tries),
        [] => {
            let unchanged = "stay active at the application after they have left";
            let (rating, happens) = without_a_way(patch, put, unchanged, "instead of disabled");
            let why = tries.map(|(request, outcome)| because(request, outcome)).join(", and ");
            let delete = delete_instead(delete, rating);
            advice(SETTING, rating, format!("{happens}, because {why}. {delete}"))
        }
        [way] => advice(SETTING, Rating::Limited, only(way, patch, put)),
        _ => advice(SETTING, Rating::Well, "The account is kept and made inactive."),
    }
}

/// Returns the advice about Delete in place of a Disable with this rating.
fn delete_instead(delete: &Outcome, disable: Rating) -> &'static str {
    match delete.class() {
        Class::Untried => "Whether Delete works could not be tried.",
        Class::Done if delete.damages().is_empty() && disable == Rating::Badly => {
            "Use Delete, which removes the account."
        }
        Class::Done if delete.damages().is_empty() => {
            "Delete removes the account, and its user name is free again."
        }
        Class::Ignored | Class::Done if deactivates(delete) && disable == Rating::Badly => {
            "Use Delete: this endpoint deactivates the account and keeps it."
        }
        Class::Ignored | Class::Done if deactivates(delete) => "Delete deactivates the account and keeps it.",
        Class::Done => "Delete takes the account out of sight too, and its user name stays taken.",
        Class::DoneWithError => "Delete takes effect and is answered with an error.",
        Class::Partly | Class::Ignored | Class::Refused if disable == Rating::Badly => {
            "Delete does not work either: leavers have to be removed by hand."
        }
        Class::Partly | Class::Ignored | Class::Refused => "Delete does not work.",
    }
}

fn deactivates(delete: &Outcome) -> bool {
    delete.damages().iter().any(|damage| damage.pointer == "/active")
}

fn remove_by_delete(delete: &Outcome, patch: &Outcome, put: &Outcome) -> Advice {
    const SETTING: &str = "Deprovision, Remove Action = Delete";
    let instead = if !ways(patch, put).is_empty() {
        "Use Disable."
    } else if patch.is_untried() || put.is_untried() {
        "Whether Disable works could not be found out."
    } else if patch.hides_account() || put.hides_account() {
        "Disable takes the account out of sight, and its user name stays taken."
    } else {
        "Disable does not work either."
    };
    match delete.class() {
        Class::Untried => untried(SETTING, &[("a DELETE", delete)]),
        Class::Done if delete.damages().is_empty() => {
            advice(SETTING, Rating::Well, "The account is removed, and its user name is free again.")
        }
        Class::Done => advice(
            SETTING,
            Rating::Limited,
            "The account goes out of sight, but its user name stays taken: whoever comes back cannot be created anew.",
        ),
        Class::Ignored if deactivates(delete) => advice(
            SETTING,
            Rating::Limited,
            "The account is not removed but made inactive, and stays readable: whoever comes back is linked to it, and must be enabled.",
        ),
        Class::DoneWithError => advice(
            SETTING,
            Rating::Limited,
            format!("The account is removed, but {}.", because("a DELETE", delete)),
        ),
        Class::Partly | Class::Ignored | Class::Refused => advice(
            SETTING,
            Rating::Badly,
            format!("Accounts stay: {}. {instead}", because("a DELETE", delete)),
        ),
    }
}

fn unsaid(active: &Outcome, inactive: &Outcome) -> Advice {
    const SETTING: &str = "A client whose PUT does not say active";
    let found = |outcome: &Outcome| {
        outcome.damages().iter().find(|damage| damage.pointer == "/active").map(|damage| damage.now.clone())
    };
    let (active_now, inactive_now) = (found(active), found(inactive));
    let tries = [("such a PUT of an active account", active), ("such a PUT of an inactive one", inactive)];
    let told = |tries: &[(&str, &Outcome)]| {
        let told: Vec<_> = tries.iter().map(|(request, outcome)| because(request, outcome)).collect();
        told.join("; ")
    };
    let away: Vec<_> =
        tries.into_iter().filter(|(_, outcome)| outcome.loses_account() || outcome.hides_account()).collect();
    if !away.is_empty() {
        return advice(SETTING, Rating::Badly, format!("It does harm: {}.", told(&away)));
    }
    if active_now == Some(Some(Value::Bool(false))) {
        return advice(
            SETTING,
            Rating::Badly,
            "It locks users out: such a PUT makes an active account inactive, which RFC 7644 §3.5.1 leaves to the server. Our provisioner always says active.",
        );
    }
    if inactive_now == Some(Some(Value::Bool(true))) {
        return advice(
            SETTING,
            Rating::Badly,
            "It lets leavers in again: such a PUT makes an inactive account active, which RFC 7644 §3.5.1 leaves to the server. Our provisioner always says active.",
        );
    }
    if active_now.is_some() || inactive_now.is_some() {
        return advice(
            SETTING,
            Rating::Limited,
            "Such a PUT clears active, as RFC 7644 §3.5.1 allows: the account no longer says whether it is active, which is not the same as inactive. Our provisioner always says active.",
        );
    }
    let seen = |outcome: &Outcome| matches!(outcome.class(), Class::Done | Class::Partly | Class::Ignored);
    let unseen: Vec<_> = tries.into_iter().filter(|(_, outcome)| !seen(outcome)).collect();
    if !unseen.is_empty() {
        return untried(SETTING, &unseen);
    }
    advice(SETTING, Rating::Well, "It does no harm: active stays as it is.")
}

fn groups(add: &Outcome, remove: &Outcome, put: &Outcome) -> Advice {
    const SETTING: &str = "Group members";
    let patches = add.is_untried() || remove.is_untried();
    // Which of the two fails, and both where they fail differently.
    let alike = because("a PATCH of members", add) == because("a PATCH of members", remove);
    let refused: Vec<_> = [("a PATCH that adds a member", add), ("a PATCH that removes a member", remove)]
        .into_iter()
        .filter(|(_, outcome)| !outcome.works())
        .map(|(request, outcome)| because(request, outcome))
        .collect();
    let happens = match (add.works(), remove.works()) {
        (true, _) => "Members are added, and cannot be removed",
        (false, true) => "Members are removed, and cannot be added",
        (false, false) => "Members cannot be changed",
    };
    let worse = if alike { because("a PATCH of members", add) } else { refused.join("; ") };
    match (add.works() && remove.works(), put.works()) {
        (true, true) => advice(SETTING, Rating::Well, "Members come and go by PATCH, and by PUT."),
        (true, false) => advice(
            SETTING,
            Rating::Well,
            format!("Members come and go by PATCH; {}.", because("a PUT of the group", put)),
        ),
        (false, true) => advice(SETTING, Rating::Limited, format!("By PUT of the whole group: {worse}.")),
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
            Rating::Badly,
            format!("{happens}: {worse}; {}.", because("a PUT of the group", put)),
        ),
    }
}
