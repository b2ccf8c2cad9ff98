//! The findings as text, and as the report of all suites.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::casing::lower_case;
use crate::format;
use crate::probe::advice::{Rating, advise};
use crate::probe::inference::InferredProfile;
use crate::probe::outcome::{Class, Outcome};
use crate::probe::variant::{Goal, Sent, Start, Topic, Variant};
use crate::probe::{Finding, Findings};
use crate::report::{CaseResult, Report, Verdict};
use crate::requirement::{Level, Spec};
use crate::server::hint::{HINT, template_hint};

/// Returns the findings as text: the advice about the preferences first, then the outcomes.
pub fn text(findings: &Findings) -> String {
    let mut text = format!("{}\n", findings.subject);
    let said = match findings.patch_advertised {
        Some(true) => "says that it supports PATCH",
        Some(false) => "says that it does not support PATCH",
        None => "does not say whether it supports PATCH",
    };
    append!(text, "ServiceProviderConfig {said}.\n");
    text.push_str("\nWhat this means for a connection of PingOne to Aquera\n");
    for advice in advise(findings) {
        append!(text, "  {} ({})\n    {}\n", advice.setting, advice.rating.as_str(), advice.text);
    }
    let width = findings.findings.iter().map(|finding| finding.variant.title.len()).max().unwrap_or_default();
    let mut topic = None;
    for finding in &findings.findings {
        if topic != Some(finding.variant.topic) {
            topic = Some(finding.variant.topic);
            append!(text, "\n{}\n", finding.variant.topic.as_str());
        }
        append!(text, "  {:width$}  {}\n", finding.variant.title, told(finding.variant, &finding.outcome));
    }
    if findings.active_is_text() {
        append!(text, "\n{ACTIVE_IS_TEXT}\n");
    }
    if !findings.left_behind.is_empty() {
        let left: Vec<_> = findings.left_behind.iter().map(|path| format::one_line(path)).collect();
        append!(text, "\nThe endpoint did not delete {}\n", left.join(", "));
    }
    text
}

/// The reason if `active` is a text.
const ACTIVE_IS_TEXT: &str = "`active` is returned as a text (\"True\", \"False\") and was read as the boolean that it says. RFC 7643 §4.1.1 makes it a boolean: clients that compare it with true or false go wrong.";

/// The id of the finding that `active` is a text.
pub const ACTIVE_TYPE: &str = "probe/active-is-a-boolean";

/// Describes that finding, for `explain`.
pub fn describe_active_type() -> String {
    format!(
        "{ACTIVE_TYPE}\nactive is true or false\n\nRFC 7643 §4.1.1  `active` is a boolean.\nSeen where  an account is read, \
         whatever form is tried; a text is then read as the boolean that it says\n\nTry it: conformance probe URL\n"
    )
}

/// Returns the finding that `active` is a text, if it is.
fn active_type(findings: &Findings) -> Option<CaseResult> {
    let seen = findings.findings.iter().find(|finding| finding.active_is_text)?;
    Some(CaseResult {
        verdict: Verdict::Fail,
        because: Some(ACTIVE_IS_TEXT.to_owned()),
        mend: Some("Write active as true or false, without quotes.".to_owned()),
        expected: json!("true or false"),
        actual: json!("a text"),
        exchanges: seen.exchanges.clone(),
        ..CaseResult::new(
            ACTIVE_TYPE.to_owned(),
            "active is true or false".to_owned(),
            Level::Must,
            "`active` is a boolean.".to_owned(),
            Spec { document: "RFC 7643".to_owned(), section: "4.1.1".to_owned(), also: Vec::new() },
        )
    })
}

/// Returns a hint if the account that the probe creates is refused because attributes are missing.
pub fn hint(findings: &Findings) -> Option<String> {
    let post = findings.findings.iter().find(|finding| finding.variant.slug == "post")?;
    if post.outcome.class() != Class::Refused || !post.outcome.without().is_empty() {
        return None;
    }
    let last = post.exchanges.iter().rev().find(|exchange| exchange.request.method == "POST")?;
    let answer = last.response.as_ref()?;
    template_hint(answer.status, &answer.body)
}

/// Returns the findings as cases.
pub fn report(findings: &Findings, seed: u64, milliseconds: u64) -> Report {
    let cases = findings.findings.iter().map(|finding| case(finding, findings));
    let cases: Vec<_> = cases.chain(active_type(findings)).collect();
    let mut facts: BTreeMap<_, _> = advise(findings)
        .into_iter()
        .map(|advice| (advice.setting.to_owned(), format!("{}: {}", advice.rating.as_str(), advice.text)))
        .collect();
    facts.extend(hint(findings).map(|hint| (HINT.to_owned(), hint)));
    Report { seed, milliseconds, facts, ..Report::new("probe", &findings.subject, cases) }
}

/// Describes how well the profile in a file imitates the endpoint.
pub fn inference_text(inferred: &InferredProfile, findings: &Findings, file: &str) -> String {
    let all = findings.findings.len();
    let tried = findings.findings.iter().filter(|finding| !finding.outcome.is_untried()).count();
    let InferredProfile { differing, tries, .. } = inferred;
    let mut text = format!(
        "{file} answers {} of {tried} forms that were tried as the endpoint does ({tries} profiles compared)\n",
        tried - differing.len(),
    );
    if tried < all {
        append!(text, "unknown, because they could not be tried: {} forms\n", all - tried);
    }
    if !differing.is_empty() {
        let ids: Vec<_> = differing.iter().map(|variant| id_of(variant)).collect();
        append!(text, "not imitated: {}\n", ids.join(", "));
    }
    append!(text, "run it: mock-aquera --profile {file}\n");
    text
}

/// Returns the id of a variant's case.
pub fn id(variant: &Variant) -> String {
    id_of(&variant.slug)
}

fn id_of(variant: &str) -> String {
    format!("probe/{variant}")
}

/// Describes a variant, for `explain`.
pub fn describe(variant: &Variant) -> String {
    let mut text = format!(
        "{}\n{}\n\nRFC 7644 §{}  {}\n",
        id(variant),
        variant.title,
        variant.section,
        requirement(variant)
    );
    let start = match variant.start {
        Start::Active => "an active account",
        Start::Inactive => "an account that is not active",
        Start::Nothing => "no account",
        Start::Group => "a group with one member, and another user",
    };
    let sent = match &variant.sent {
        Sent::Patch(operations) => format!("PATCH with the operations {}", operations.as_str()),
        Sent::Put(members) => {
            format!("PUT of what was read, with {} laid over it (null: left out)", members.as_str())
        }
        Sent::Delete => "DELETE".to_owned(),
        Sent::Post(members) => format!("POST of a new account with {}", members.as_str()),
    };
    let other = if variant.names_another_user() { ", and another user" } else { "" };
    append!(text, "Before      {start}{other}\nSent        {sent}\nHolds when  {}", expected(variant));
    for Goal { at, equals } in &variant.goal {
        append!(text, "; {at} is {}", if equals.as_str() == "null" { "gone" } else { equals.as_str() });
    }
    text.push('\n');
    if !variant.senders.is_empty() {
        let senders: Vec<_> = variant.senders.iter().map(|sender| sender.as_str()).collect();
        append!(text, "Sent by     {}\n", senders.join(", "));
    }
    text.push_str("\nTry it: conformance probe URL\n");
    text
}

fn case(finding: &Finding, findings: &Findings) -> CaseResult {
    let Finding { variant, outcome, exchanges, .. } = finding;
    let verdict = verdict(variant, outcome, findings);
    let good = verdict == Verdict::Pass;
    CaseResult {
        verdict,
        because: (!good).then(|| outcome.describe()),
        mend: (!good).then(|| mend(variant, outcome)).flatten(),
        expected: if good { Value::Null } else { json!(expected(variant)) },
        actual: if good { Value::Null } else { json!(outcome.describe()) },
        tags: std::iter::once(lower_case(variant.topic.as_str()))
            .chain(variant.senders.iter().map(|sender| lower_case(sender.as_str())))
            .collect(),
        milliseconds: exchanges.iter().map(|exchange| exchange.milliseconds).sum(),
        exchanges: exchanges.clone(),
        ..CaseResult::new(
            id(variant),
            variant.title.clone(),
            if variant.standard { Level::Must } else { Level::May },
            requirement(variant),
            Spec { document: "RFC 7644".to_owned(), section: variant.section.clone(), also: Vec::new() },
        )
    }
}

/// Returns the verdict: a refusal is honest, while a false success and damage never are.
fn verdict(variant: &Variant, outcome: &Outcome, findings: &Findings) -> Verdict {
    let patch = matches!(variant.sent, Sent::Patch(_));
    let clean = outcome.damages().is_empty();
    match outcome.class() {
        Class::Untried => Verdict::Skipped,
        Class::Done if clean || clears_active(variant, outcome) => Verdict::Pass,
        // A default that the server may set, and that does harm.
        Class::Done if sets_active(variant, outcome) => Verdict::Warn,
        // The values are there, without their labels.
        Class::Done if outcome.works() => Verdict::Warn,
        // What a PUT leaves out may be removed and may be kept (RFC 7644 §3.5.1).
        Class::Ignored if clean && variant.slug == "put-clears" => Verdict::Pass,
        Class::Refused if patch && findings.patch_advertised != Some(true) => Verdict::NotAdvertised,
        Class::Refused if !variant.standard => Verdict::Warn,
        Class::Done | Class::Partly | Class::Ignored | Class::DoneWithError | Class::Refused => Verdict::Fail,
    }
}

/// Whether all else that changed is `active`, which the request leaves out, and whether it has a value now.
fn changes_active_alone(variant: &Variant, outcome: &Outcome, has_value: bool) -> bool {
    let damages = outcome.damages();
    variant.leaves_active_out()
        && !damages.is_empty()
        && damages.iter().all(|damage| damage.pointer == "/active" && damage.now.is_some() == has_value)
}

fn clears_active(variant: &Variant, outcome: &Outcome) -> bool {
    changes_active_alone(variant, outcome, false)
}

fn sets_active(variant: &Variant, outcome: &Outcome) -> bool {
    changes_active_alone(variant, outcome, true)
}

/// Describes the outcome of a variant in a sentence without its start.
fn told(variant: &Variant, outcome: &Outcome) -> String {
    if outcome.class() == Class::Done && clears_active(variant, outcome) {
        let status = outcome.status().unwrap_or_default();
        return format!("accepted and done: {status}; active is cleared, as RFC 7644 §3.5.1 allows");
    }
    outcome.describe()
}

fn requirement(variant: &Variant) -> String {
    if variant.leaves_active_out() {
        return "The change takes effect. What becomes of active, which is left out, is the server's choice \
                (RFC 7644 §3.5.1): it may stay or be cleared. A value that the account did not have does harm."
            .to_owned();
    }
    match (variant.standard, &variant.sent) {
        (true, Sent::Patch(_)) => {
            "Where PATCH is offered, this takes effect, nothing else changes, and the answer says so."
                .to_owned()
        }
        (true, _) => "This takes effect, nothing else changes, and the answer says so.".to_owned(),
        (false, _) => {
            "Widespread clients send this. It takes effect, or it is refused; it is not swallowed.".to_owned()
        }
    }
}

fn expected(variant: &Variant) -> &'static str {
    match variant.start {
        _ if variant.leaves_active_out() => {
            "accepted and done, active as it was or cleared, and nothing else changed"
        }
        Start::Group if variant.goal.is_empty() => "accepted, and the group is gone",
        _ if variant.goal.is_empty() => "accepted, and the account is gone",
        _ => "accepted and done, and nothing else changed",
    }
}

fn mend(variant: &Variant, outcome: &Outcome) -> Option<String> {
    let text = match outcome.class() {
        Class::Done if sets_active(variant, outcome) => {
            "Keep active where a PUT leaves it out, or clear it. To set a value is allowed (RFC 7644 §3.5.1), but false locks users out, and true lets leavers in again."
        }
        Class::Ignored if outcome.damages().is_empty() => {
            "Carry it out, or refuse it with an error: a client that is told 2xx takes the change for done."
        }
        Class::Ignored | Class::Done | Class::Partly => match variant.topic {
            Topic::Disable => {
                "Change active and nothing else: a disabled account is kept, readable, and can be enabled again."
            }
            _ => "Change what was asked for and nothing else.",
        },
        Class::DoneWithError => {
            "Answer 2xx once the change has taken effect: a client that is told of an error tries again, or gives the user up."
        }
        Class::Refused => match &variant.sent {
            Sent::Patch(_) if variant.standard => {
                "Carry it out; or say in ServiceProviderConfig that patch is not supported, and answer 501."
            }
            Sent::Patch(_) => "Take it leniently: clients in wide use send it.",
            Sent::Put(_) => "Carry it out: PUT is not optional.",
            Sent::Post(_) if !variant.standard => "Take it leniently: clients in wide use send it.",
            Sent::Delete => "Carry it out, or tell your users that accounts stay.",
            Sent::Post(_) => "Take the account as it is sent.",
        },
        Class::Untried => return None,
    };
    Some(text.to_owned())
}

/// Returns the settings that do not work, for a last line.
pub fn troubles(findings: &Findings) -> Vec<&'static str> {
    advise(findings)
        .into_iter()
        .filter(|advice| advice.rating == Rating::Badly)
        .map(|advice| advice.setting)
        .collect()
}

#[cfg(test)]
mod tests {
    use mock_aquera::Profile;

    use crate::probe::outcome::{Effect, Reply, Shows, Tried};
    use crate::probe::report::*;

    #[test]
    fn differing_variants_are_listed_by_full_id() {
        let findings = Findings::made_up(|_| {
            let reply = Reply { status: 202, scim_type: None, shows: Shows::Truth };
            Outcome::Tried(Tried { effect: Effect::Done, reply, damages: Vec::new(), without: Vec::new() })
        });
        let profile = Profile::new("probed", "");
        let inferred = InferredProfile { profile, differing: vec!["post", "put-title"], tries: 3 };
        let text = inference_text(&inferred, &findings, "a.toml");
        assert!(text.contains("not imitated: probe/post, probe/put-title\n"), "{text}");
    }
}
