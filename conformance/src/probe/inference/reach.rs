//! Whether what was found shows all that a switch reaches. A profile that says more than was seen would mislead whoever tests with it.

use std::collections::BTreeSet;

use crate::json::get;
use crate::json::is_absent;
use crate::probe::inference::switch::Switch;
use crate::probe::outcome::{Class, Damage, Effect, Outcome, Reply, Shows, attribute};
use crate::probe::variant::{Sent, Topic};
use crate::probe::{Finding, Findings};
use crate::transcript::Exchange;

/// Whether `word` of `switch` claims no more than `found` shows.
pub(super) fn is_seen(switch: &Switch, word: &str, found: &Findings) -> bool {
    match (switch.section, switch.name) {
        ("errors", "body") => errors_are_alike(found, &|reply| reply.shows == Shows::Error),
        ("errors", "scim-type") => errors_are_alike(found, &|reply| reply.scim_type.is_some()),
        ("gateway", "put") if word.starts_with("ignored") => {
            ignores_everything(found, Topic::Group, false, &|sent| matches!(sent, Sent::Put(_)))
        }
        ("gateway", "patch") if word.starts_with("ignored") || word.starts_with("lies") => {
            ignores_everything(found, Topic::Group, false, &|sent| matches!(sent, Sent::Patch(_)))
        }
        ("gateway", "group-put") if word.starts_with("ignored") => {
            ignores_everything(found, Topic::Group, true, &|sent| matches!(sent, Sent::Put(_)))
        }
        ("gateway", "group-patch") if word.starts_with("ignored") || word.starts_with("lies") => {
            ignores_everything(found, Topic::Group, true, &|sent| matches!(sent, Sent::Patch(_)))
        }
        ("application", "not-stored") => !is_kept(found, word),
        ("application", "read-only") => is_refused(found, word),
        _ => true,
    }
}

/// Whether a POST was refused for an attribute, and taken without it.
fn is_refused(found: &Findings, attribute: &str) -> bool {
    found.findings.iter().any(|finding| finding.outcome.without().contains(&attribute))
}

/// Whether some request stored an attribute: then it has a place, and what loses it is another request.
fn is_kept(found: &Findings, path: &str) -> bool {
    let is_path = |pointer: &str| attribute(pointer) == path;
    found.findings.iter().any(|finding| {
        let Outcome::Tried(tried) = &finding.outcome else { return false };
        let lost = |damage: &Damage| path.starts_with(&damage.attribute());
        if tried.effect != Effect::Done || tried.damages.iter().any(lost) {
            return false;
        }
        let goal = finding.form.goal;
        match finding.form.sent {
            Sent::Patch(_) | Sent::Put(_) => {
                goal.iter().any(|(pointer, json)| is_path(pointer) && *json != "null")
            }
            // An account that can no longer be read because it is not active shows nothing.
            Sent::Post(_) => !goal.contains(&("/active", "false")) && sent(finding, path),
            Sent::Delete => false,
        }
    })
}

/// Whether the request that a form is about carried an attribute.
fn sent(finding: &Finding, path: &str) -> bool {
    let is_form = |exchange: &&Exchange| {
        exchange.step == finding.form.title
            && exchange.response.as_ref().is_some_and(|answer| answer.status / 100 == 2)
    };
    let body = finding.exchanges.iter().find(is_form).map(|exchange| &exchange.request.body);
    let at = path.split('.').try_fold(body, |place, part| {
        let place = place?;
        Some(get(place.get(0).unwrap_or(place), part))
    });
    matches!(at, Some(Some(value)) if !is_absent(Some(value)))
}

/// Whether errors were seen with two methods at least, and all of them are alike in `what`.
fn errors_are_alike(found: &Findings, what: &dyn Fn(&Reply) -> bool) -> bool {
    let errors: Vec<_> = found
        .findings
        .iter()
        .filter_map(|finding| match &finding.outcome {
            Outcome::Tried(tried) if tried.reply.status >= 400 => Some((method(finding), what(&tried.reply))),
            Outcome::Tried(_) | Outcome::Untried(_) => None,
        })
        .collect();
    let methods: BTreeSet<_> = errors.iter().map(|(method, _)| method).collect();
    let kinds: BTreeSet<_> = errors.iter().map(|(_, kind)| kind).collect();
    methods.len() > 1 && kinds.len() == 1
}

const fn method(finding: &Finding) -> &'static str {
    match finding.form.sent {
        Sent::Patch(_) => "PATCH",
        Sent::Put(_) => "PUT",
        Sent::Delete => "DELETE",
        Sent::Post(_) => "POST",
    }
}

/// Whether no write of the kind took effect, though writes of different attributes were tried: one attribute that is not
/// stored is no method that is ignored.
fn ignores_everything(found: &Findings, topic: Topic, of_topic: bool, kind: &dyn Fn(Sent) -> bool) -> bool {
    let tried = || {
        found.findings.iter().filter(|finding| {
            kind(finding.form.sent)
                && (finding.form.topic == topic) == of_topic
                && !finding.outcome.is_untried()
        })
    };
    let attributes: BTreeSet<_> = tried()
        .filter(|finding| finding.outcome.class() == Class::Ignored)
        .flat_map(|finding| finding.form.goal.iter().map(|(pointer, _)| *pointer))
        .collect();
    let enough = if of_topic { 1 } else { 2 };
    attributes.len() >= enough
        && !tried().any(|finding| matches!(finding.outcome.class(), Class::Done | Class::Partly))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::probe::inference::reach::*;
    use crate::probe::inference::switch::switches;
    use crate::probe::outcome::Tried;
    use crate::probe::variant::Form;
    use crate::transcript::{Received, Sent as Request};

    /// What a server does that has a place for the title, and drops it out of requests of some methods.
    fn without_title_by(methods: &[&str]) -> Findings {
        let outcome = |form: &Form, method: &str| {
            let drops = methods.contains(&method);
            let titles = form.goal.iter().filter(|(pointer, _)| *pointer == "/title").count();
            let effect = match titles {
                0 => Effect::Done,
                _ if !drops => Effect::Done,
                count if count < form.goal.len() => Effect::Partly,
                _ => Effect::Nothing,
            };
            let lost = drops && method == "POST";
            let damages = lost.then(|| Damage { pointer: "/title".to_owned(), now: None });
            let reply = Reply { status: 200, scim_type: None, shows: Shows::Truth };
            Outcome::Tried(Tried {
                effect,
                reply,
                damages: damages.into_iter().collect(),
                without: Vec::new(),
            })
        };
        let mut found = Findings::made_up(|form| outcome(form, "PATCH"));
        for finding in &mut found.findings {
            let method = method(finding);
            finding.outcome = outcome(finding.form, method);
            finding.exchanges = vec![Exchange {
                step: finding.form.title.to_owned(),
                request: Request {
                    method: method.to_owned(),
                    url: String::new(),
                    headers: Vec::new(),
                    body: json!({ "title": "Tester", "emails": [{ "value": "a@b.example", "type": "work" }] }),
                },
                response: Some(Received { status: 200, headers: Vec::new(), body: Value::Null }),
                error: None,
                milliseconds: 0,
            }];
        }
        found
    }

    #[test]
    fn an_attribute_that_one_method_stores_has_a_place() {
        let switches = switches();
        let not_stored = switches.iter().find(|switch| switch.name == "not-stored").expect("the switch");
        let may_be_written =
            |methods: &[&str], path: &str| is_seen(not_stored, path, &without_title_by(methods));
        assert!(may_be_written(&["POST", "PUT", "PATCH"], "title"));
        assert!(!may_be_written(&["POST", "PUT"], "title"), "PATCH stores it");
        assert!(!may_be_written(&["POST", "PATCH"], "title"), "PUT stores it");
        assert!(!may_be_written(&["PUT", "PATCH"], "title"), "POST stores it");
        assert!(!may_be_written(&[], "emails.type"), "POST stores it");
        assert!(may_be_written(&[], "externalId"), "nobody sent it");
    }
}
