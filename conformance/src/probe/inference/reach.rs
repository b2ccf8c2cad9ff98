//! Checks that the findings show the whole effect of a switch: a profile that claims more than was seen misleads the
//! tests that use it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::json::{get, is_absent};
use crate::probe::inference::switch::Switch;
use crate::probe::outcome::{Class, Damage, Effect, Outcome, Reply, Shows, attribute};
use crate::probe::variant::{Sent, Topic, Variant};
use crate::probe::{Finding, Findings};
use crate::transcript::Exchange;

/// Whether `word` of `switch` claims no more than `found` shows.
pub(super) fn is_seen(switch: &Switch, word: &str, found: &Findings) -> bool {
    let is_told_apart = |pairs: &[(&str, &str)]| is_told_apart(found, pairs);
    match (switch.section, switch.name, word) {
        ("errors", "body", _) => errors_are_alike(found, &|reply| reply.shows == Shows::Error),
        ("errors", "scim-type", _) => errors_are_alike(found, &|reply| reply.scim_type.is_some()),
        ("application", "not-stored", _) => !is_kept(found, word),
        ("application", "read-only", _) => is_refused(found, word),
        // Default words claim nothing.
        (_, _, "works" | "accepted" | "whole" | "200" | "removes") => true,
        ("gateway", "put", _) => is_whole_method(found, word, false, &is_put),
        ("gateway", "patch", _) => is_whole_method(found, word, false, &is_patch),
        ("gateway", "group-put", _) => is_whole_method(found, word, true, &is_put),
        ("gateway", "group-patch", _) => is_whole_method(found, word, true, &is_patch),
        ("application", "replace", _) => {
            !is_done(found, &|variant| is_put(variant) && is_user(variant) && !changes_active(variant))
        }
        ("application", "partial-update", _) => {
            !is_done(found, &|variant| is_patch(variant) && is_user(variant) && !changes_active(variant))
        }
        ("gateway", "disable", _) => {
            !is_done(found, &|variant| is_write(variant) && sets_active(variant, "false"))
        }
        ("gateway", "enable", _) => {
            !is_done(found, &|variant| is_write(variant) && sets_active(variant, "true"))
        }
        ("gateway", "patch-paths", _) => are_paths_refused(found, ""),
        ("gateway", "patch-value-filters", _) => are_paths_refused(found, "["),
        ("gateway", "patch-reply", _) => !answers(found, &is_patch, &|reply| reply.status == 200),
        ("replies", "put-body", _) => !answers(found, &is_put, &|reply| reply.shows != Shows::Nothing),
        ("replies", "create-body", _) => !answers(found, &is_post, &|reply| reply.shows != Shows::Nothing),
        // What a PUT cannot change, a PUT that leaves it out cannot clear.
        ("gateway", "put-missing-attributes", _) => is_done(found, &|variant| {
            is_put(variant) && variant.goal.iter().any(|goal| goal.is_value_of("/title"))
        }),
        ("gateway", "put-without-active", "activates" | "deactivates" | "clears") => is_told_apart(&[
            ("put-without-active", "put-title"),
            ("put-without-active-inactive", "put-title-inactive"),
        ]),
        ("gateway", "create-disabled", _) => is_told_apart(&[("post-inactive", "post")]),
        // A PUT of a group replaces its members too, which shows where every PATCH is refused.
        ("gateway", "replace-all-members", _) => {
            is_told_apart(&[("group-replace-members", "group-add-member"), ("group-put", "put-title")])
        }
        ("requests.dialects", "capitalised-op", _) => {
            is_told_apart(&[("patch-inactive-capitalised", "patch-inactive")])
        }
        ("requests.dialects", "string-booleans", _) => {
            is_told_apart(&[("patch-inactive-text", "patch-inactive")])
        }
        ("requests.dialects", "dotted-keys", _) => {
            is_told_apart(&[("patch-dotted-keys", "patch-given-name")]) || are_paths_refused(found, "")
        }
        ("requests.dialects", "pathless-add", _) => {
            is_told_apart(&[("patch-add-without-path", "patch-title")]) || are_paths_refused(found, "")
        }
        ("requests.dialects", "single-operation", _) => {
            is_told_apart(&[("patch-single-operation", "patch-title")])
        }
        ("requests.dialects", "remove-by-value", _) => {
            is_told_apart(&[("group-remove-by-value", "group-remove-member")])
        }
        ("requests.dialects", "bare-manager", _) => {
            is_told_apart(&[("patch-manager-id", "patch-department"), ("post-manager-id", "post")])
        }
        _ => true,
    }
}

/// Whether one of the variants is answered otherwise than its control: the same change, asked for plainly. Where both are
/// answered alike, the attribute may be the cause and not the variant.
fn is_told_apart(found: &Findings, pairs: &[(&str, &str)]) -> bool {
    let tried = |name: &str| found.outcome(name).filter(|outcome| !outcome.is_untried());
    pairs.iter().any(|(variant, control)| {
        matches!((tried(variant), tried(control)), (Some(variant), Some(control)) if variant != control)
    })
}

fn is_put(variant: &Variant) -> bool {
    matches!(variant.sent, Sent::Put(_))
}

fn is_patch(variant: &Variant) -> bool {
    matches!(variant.sent, Sent::Patch(_))
}

fn is_post(variant: &Variant) -> bool {
    matches!(variant.sent, Sent::Post(_))
}

fn is_write(variant: &Variant) -> bool {
    is_put(variant) || is_patch(variant)
}

fn is_user(variant: &Variant) -> bool {
    variant.topic != Topic::Group
}

/// Whether every PATCH whose path holds `part` is refused, whatever its attribute.
fn are_paths_refused(found: &Findings, part: &str) -> bool {
    fails_everything(found, Class::Refused, 2, &|variant| has_path(variant, part))
}

/// Whether a variant is a PATCH whose path holds `part`.
fn has_path(variant: &Variant, part: &str) -> bool {
    let Sent::Patch(json) = &variant.sent else { return false };
    let operations: Value = serde_json::from_str(json.as_str()).unwrap_or_default();
    let operations = operations.as_array().map(Vec::as_slice).unwrap_or_default();
    let path = |operation| get(operation, "path").and_then(Value::as_str);
    operations.iter().filter_map(path).any(|path| path.contains(part))
}

fn changes_active(variant: &Variant) -> bool {
    variant.goal.iter().any(|goal| goal.at == "/active")
}

fn sets_active(variant: &Variant, value: &str) -> bool {
    variant.goal.iter().any(|goal| goal.is("/active", value))
}

/// Whether a variant of a kind took effect as a whole.
fn is_done(found: &Findings, kind: &dyn Fn(&Variant) -> bool) -> bool {
    found.findings.iter().any(|finding| kind(finding.variant) && finding.outcome.class() == Class::Done)
}

/// Whether a variant of a kind took effect and was answered in some way.
fn answers(found: &Findings, kind: &dyn Fn(&Variant) -> bool, how: &dyn Fn(&Reply) -> bool) -> bool {
    found.findings.iter().any(|finding| match &finding.outcome {
        Outcome::Tried(tried) => {
            kind(finding.variant) && finding.outcome.class() == Class::Done && how(&tried.reply)
        }
        Outcome::Untried(_) => false,
    })
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
        let goals = &finding.variant.goal;
        match finding.variant.sent {
            Sent::Patch(_) | Sent::Put(_) => {
                goals.iter().any(|goal| is_path(&goal.at) && goal.is_value_of(&goal.at))
            }
            // An account that can no longer be read because it is not active shows nothing.
            Sent::Post(_) => !sets_active(finding.variant, "false") && sent(finding, path),
            Sent::Delete => false,
        }
    })
}

/// Whether the request of a variant carried an attribute.
fn sent(finding: &Finding, path: &str) -> bool {
    let is_form = |exchange: &&Exchange| {
        exchange.step == finding.variant.title
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
    match finding.variant.sent {
        Sent::Patch(_) => "PATCH",
        Sent::Put(_) => "PUT",
        Sent::Delete => "DELETE",
        Sent::Post(_) => "POST",
    }
}

/// Whether a word about a whole method is seen. What is answered 200 or 400 may be so because of one attribute; other
/// statuses are about the method.
fn is_whole_method(found: &Findings, word: &str, of_groups: bool, kind: &dyn Fn(&Variant) -> bool) -> bool {
    let class = match word.split('-').next() {
        Some("ignored" | "lies") => Class::Ignored,
        Some("applied") => Class::DoneWithError,
        _ => Class::Refused,
    };
    let may_be_an_attribute = class == Class::Ignored || word == "answers-400";
    let enough = if may_be_an_attribute && !of_groups { 2 } else { 1 };
    fails_everything(found, class, enough, &|variant| kind(variant) && is_user(variant) != of_groups)
}

/// Whether no variant of a kind took effect, and variants about `enough` attributes at least ended as `class`: one attribute that
/// is not stored is no method that is ignored.
fn fails_everything(found: &Findings, class: Class, enough: usize, kind: &dyn Fn(&Variant) -> bool) -> bool {
    let tried = || found.findings.iter().filter(|finding| kind(finding.variant));
    let failed = tried().filter(|finding| finding.outcome.class() == class);
    let attributes: BTreeSet<_> =
        failed.flat_map(|finding| finding.variant.goal.iter().map(|goal| goal.at.as_str())).collect();
    attributes.len() >= enough
        && !tried().any(|finding| matches!(finding.outcome.class(), Class::Done | Class::Partly))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::probe::inference::reach::*;
    use crate::probe::inference::switch::switches;
    use crate::probe::outcome::Tried;
    use crate::probe::variant::Variant;
    use crate::transcript::{Received, Sent as Request};

    /// Returns the findings of a server that stores the title, but drops it from requests of some methods.
    fn without_title_by(methods: &[&str]) -> Findings {
        let outcome = |variant: &Variant, method: &str| {
            let drops = methods.contains(&method);
            let titles = variant.goal.iter().filter(|goal| goal.at == "/title").count();
            let effect = match titles {
                0 => Effect::Done,
                _ if !drops => Effect::Done,
                count if count < variant.goal.len() => Effect::Partly,
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
        let mut found = Findings::made_up(|variant| outcome(variant, "PATCH"));
        for finding in &mut found.findings {
            let method = method(finding);
            finding.outcome = outcome(finding.variant, method);
            finding.exchanges = vec![Exchange {
                step: finding.variant.title.clone(),
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
    fn attribute_stored_by_one_method_is_not_unstored() {
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

    /// Returns findings in which the matching variants end as `failed`, and all others are done.
    fn failing(failed: (u16, Effect), is_failing: &dyn Fn(&Variant) -> bool) -> Findings {
        Findings::made_up(|variant| {
            let (status, effect) = if is_failing(variant) { failed } else { (200, Effect::Done) };
            let reply = Reply { status, scim_type: None, shows: Shows::Truth };
            Outcome::Tried(Tried { effect, reply, damages: Vec::new(), without: Vec::new() })
        })
    }

    #[test]
    fn variant_failing_like_its_control_shows_no_switch() {
        let titles =
            |variant: &Variant| is_put(variant) && variant.goal.iter().any(|goal| goal.at == "/title");
        for (name, word, variants, controls) in [
            ("capitalised-op", "refused", &["patch-inactive-capitalised"][..], &["patch-inactive"][..]),
            ("string-booleans", "refused", &["patch-inactive-text"], &["patch-inactive"]),
            ("dotted-keys", "refused", &["patch-dotted-keys"], &["patch-given-name"]),
            ("pathless-add", "refused", &["patch-add-without-path"], &["patch-title"]),
            ("single-operation", "refused", &["patch-single-operation"], &["patch-title"]),
            ("remove-by-value", "refused", &["group-remove-by-value"], &["group-remove-member"]),
            (
                "bare-manager",
                "refused",
                &["patch-manager-id", "post-manager-id"],
                &["patch-department", "post"],
            ),
            ("replace-all-members", "answers-400", &["group-replace-members"], &["group-add-member"]),
            ("create-disabled", "answers-400", &["post-inactive"], &["post"]),
            ("put-without-active", "clears", &["put-without-active"], &["put-title"]),
        ] {
            let switches = switches();
            let switch = switches.iter().find(|switch| switch.name == name).expect(name);
            let refused = (400, Effect::Nothing);
            let alone = failing(refused, &|variant| variants.contains(&variant.slug.as_str()));
            assert!(is_seen(switch, word, &alone), "{name}");
            let with_controls = failing(refused, &|variant| {
                variants.contains(&variant.slug.as_str()) || controls.contains(&variant.slug.as_str())
            });
            assert!(!is_seen(switch, word, &with_controls), "{name}");
        }
        let switches = switches();
        let keeps =
            switches.iter().find(|switch| switch.name == "put-missing-attributes").expect("the switch");
        let ignored = (200, Effect::Nothing);
        assert!(is_seen(keeps, "keeps", &failing(ignored, &|variant| variant.slug == "put-clears")));
        assert!(!is_seen(keeps, "keeps", &failing(ignored, &titles)), "no PUT changes the title");
    }

    #[test]
    fn one_failing_attribute_is_no_failing_method() {
        let refused = (400, Effect::Nothing);
        let has = |variant: &Variant, wanted: &str| variant.goal.iter().any(|goal| goal.at == wanted);
        for (name, word, all, one) in [
            ("put", "answers-400", is_put as fn(&Variant) -> bool, "/title"),
            ("patch", "answers-400", is_patch, "/title"),
            ("patch-paths", "answers-400", |variant| has_path(variant, ""), "/title"),
            ("patch-value-filters", "answers-400", |variant| has_path(variant, "["), "/emails/0/value"),
            ("replace", "refused-501", is_put, "/name/givenName"),
            ("partial-update", "refused-501", is_patch, "/title"),
            ("disable", "answers-400", |variant| sets_active(variant, "false"), "/title"),
            ("enable", "answers-400", |variant| sets_active(variant, "true"), "/title"),
        ] {
            let switches = switches();
            let switch = switches.iter().find(|switch| switch.name == name).expect(name);
            assert!(is_seen(switch, word, &failing(refused, &|variant| all(variant))), "{name}");
            assert!(!is_seen(switch, word, &failing(refused, &|variant| has(variant, one))), "{name}");
        }
    }
}
