//! Advice about an update method, from the outcomes of every attribute that was tried with it.

use crate::probe::Findings;
use crate::probe::advice::{Advice, Rating, advice, because, labels, untried};
use crate::probe::outcome::Outcome;

/// An update method, and the variants that show its behaviour.
pub(super) struct Method {
    setting: &'static str,
    /// The request with its article.
    request: &'static str,
    /// The variants about attributes: name, attribute, and the request in words.
    attributes: &'static [(&'static str, &'static str, &'static str)],
    disable: &'static str,
    enable: &'static str,
    /// The variant that changes an attribute and disables at once.
    at_once: &'static str,
}

pub(super) const PUT: Method = Method {
    setting: "Update method: PUT",
    request: "a PUT",
    attributes: &[
        ("put-title", "title", "a PUT that changes title"),
        ("put-title-inactive", "title", "a PUT that changes title of an inactive account"),
    ],
    disable: "put-inactive",
    enable: "put-active",
    at_once: "put-inactive-and-title",
};

pub(super) const PATCH: Method = Method {
    setting: "Update method: PATCH",
    request: "a PATCH",
    attributes: &[
        ("patch-title", "title", "a PATCH of title"),
        ("patch-given-name", "name.givenName", "a PATCH of name.givenName"),
        ("patch-work-email", "emails[type eq \"work\"].value", "a PATCH of emails[type eq \"work\"].value"),
        ("patch-department", "department", "a PATCH of department"),
        ("patch-remove", "title", "a PATCH that removes title"),
    ],
    disable: "patch-inactive",
    enable: "patch-active",
    at_once: "patch-inactive-and-title",
};

/// The outcome of one variant.
struct Try {
    attribute: &'static str,
    request: &'static str,
    outcome: Outcome,
}

impl Method {
    fn tries(&self, findings: &Findings) -> Vec<Try> {
        let tries = self.attributes.iter().map(|&(variant, attribute, request)| Try {
            attribute,
            request,
            outcome: outcome(findings, variant),
        });
        tries.collect()
    }
}

fn outcome(findings: &Findings, variant: &str) -> Outcome {
    findings.outcome(variant).cloned().unwrap_or_else(|| Outcome::Untried("no such form".to_owned()))
}

/// Returns the attributes of some attempts, each once.
fn names(tries: &[&Try]) -> Vec<&'static str> {
    let mut names = Vec::new();
    for one in tries {
        if !names.contains(&one.attribute) {
            names.push(one.attribute);
        }
    }
    names
}

/// Returns the reason for failed attempts: in one clause about the method if `as_one` and all of them failed alike.
fn why(method: &Method, failed: &[&Try], as_one: bool) -> String {
    let mut alike: Vec<_> = failed.iter().map(|one| because(method.request, &one.outcome)).collect();
    alike.dedup();
    if as_one && let [one] = alike.as_slice() {
        return one.clone();
    }
    let each: Vec<_> = failed.iter().map(|one| because(one.request, &one.outcome)).collect();
    each.join("; ")
}

/// Returns the advice about `method`, compared with `other`.
pub(super) fn method(findings: &Findings, method: &Method, other: &Method) -> Advice {
    let tries = method.tries(findings);
    let tried: Vec<_> = tries.iter().filter(|one| !one.outcome.is_untried()).collect();
    let [disable, enable] = [method.disable, method.enable].map(|variant| outcome(findings, variant));
    if tried.is_empty() {
        let all: Vec<_> = tries.iter().map(|one| (one.request, &one.outcome)).collect();
        return untried(method.setting, &all);
    }
    let (done, failed): (Vec<_>, Vec<_>) = tried.into_iter().partition(|one| one.outcome.works());
    if done.is_empty() {
        return none_updated(findings, method, other, &failed, [&disable, &enable]);
    }
    let mut clauses = Vec::new();
    let mut rating = Rating::Well;
    let lead = if failed.is_empty() {
        "Attributes are updated".to_owned()
    } else {
        rating = Rating::Limited;
        let names = names(&done).join(", ");
        format!("Some attributes are updated ({names}), others are not: {}", why(method, &failed, false))
    };
    let changes = format!("{} that changes active", method.request);
    let switches = [("disabled", &disable), ("enabled", &enable)];
    for (word, outcome) in switches {
        if outcome.is_untried() || outcome.works() {
            continue;
        }
        rating = Rating::Limited;
        let clause = because(&changes, outcome);
        clauses.push(if outcome.hides_account() {
            format!("whether users are {word} with it cannot be read: {clause}")
        } else {
            format!("users cannot be {word} with it: {clause}")
        });
    }
    let at_once = outcome(findings, method.at_once);
    if clauses.is_empty()
        && failed.is_empty()
        && !disable.is_untried()
        && !at_once.works()
        && !at_once.is_untried()
    {
        rating = Rating::Limited;
        clauses.push(because(&format!("{} that changes title and active at once", method.request), &at_once));
    }
    for (word, _) in switches.into_iter().filter(|(_, outcome)| outcome.is_untried()) {
        if rating == Rating::Well {
            rating = Rating::Unknown;
        }
        clauses.push(format!("whether users are {word} with it could not be tried"));
    }
    let known = names(&failed);
    for one in tries.iter().filter(|one| one.outcome.is_untried() && !known.contains(&one.attribute)) {
        if rating == Rating::Well {
            rating = Rating::Limited;
        }
        clauses.push(because(one.request, &one.outcome));
    }
    if let Some(labels) = done.iter().find_map(|one| labels(&one.outcome)) {
        if rating == Rating::Well {
            rating = Rating::Limited;
        }
        clauses.push(labels);
    }
    if rating == Rating::Well {
        return advice(
            method.setting,
            rating,
            "Attributes are updated, and users disabled and enabled with it.",
        );
    }
    if clauses.is_empty() {
        clauses.push("users are disabled and enabled with it".to_owned());
    }
    advice(method.setting, rating, format!("{lead}; {}.", clauses.join("; ")))
}

/// Returns the advice about a method that updates none of the attributes that were tried.
fn none_updated(
    findings: &Findings,
    method: &Method,
    other: &Method,
    failed: &[&Try],
    [disable, enable]: [&Outcome; 2],
) -> Advice {
    let why = why(method, failed, true);
    let switches = match (disable.works(), enable.works()) {
        (true, true) => "disabled and enabled",
        (true, false) => "disabled",
        (false, true) => "enabled",
        (false, false) => {
            let others = other.tries(findings);
            let works = others.iter().filter(|one| one.outcome.works()).count();
            let fails = others.iter().any(|one| !one.outcome.works() && !one.outcome.is_untried());
            let instead = match (works > 0, fails) {
                (true, false) => " Use the other method.",
                (true, true) => " The other method updates some of them.",
                (false, true) => " The other method does not update them either.",
                (false, false) => "",
            };
            let text = format!("Attributes are not updated this way: {why}.{instead}");
            return advice(method.setting, Rating::Badly, text);
        }
    };
    let names = names(failed);
    let is = if names.len() == 1 { "is" } else { "are" };
    let rest = if names.len() == 1 { " Whether other attributes are was not tried." } else { "" };
    let text =
        format!("Users are {switches} with it, but {} {is} not updated: {why}.{rest}", names.join(", "));
    advice(method.setting, Rating::Limited, text)
}
