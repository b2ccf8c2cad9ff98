//! Whether what was found shows all that a switch reaches. A profile that says more than was seen would mislead whoever tests with it.

use std::collections::BTreeSet;

use super::switch::Switch;
use crate::probe::form::{Sent, Topic};
use crate::probe::outcome::{Class, Outcome, Reply, Shows};
use crate::probe::{Finding, Findings};

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
        _ => true,
    }
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
