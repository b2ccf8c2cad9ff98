//! A first guess at a profile, from the outcomes of the plainest variants.

use mock_aquera::Profile;
use serde_json::{Value, json};

use crate::probe::Findings;
use crate::probe::outcome::{Class, Outcome, Shows};

/// Returns a first guess from the plainest variants, so that few profiles have to be tried.
pub(super) fn guess(found: &Findings) -> Value {
    let mut profile = Profile::new("probed", "").to_json();
    let mut put = |section: &str, name: &str, word: &str| profile[section][name] = json!(word);
    let of = |name: &str| found.outcome(name);
    let (patch, put_title) = (of("patch-title"), of("put-title"));
    let (patch_inactive, put_inactive) = (of("patch-inactive"), of("put-inactive"));
    let refused = |outcome: Option<&Outcome>, status: u16| {
        outcome.is_some_and(|outcome| outcome.class() == Class::Refused && outcome.status() == Some(status))
    };
    // Whatever becomes of a PATCH without a path, if it is not the same refusal.
    let paths_refused = refused(patch, 400)
        && of("patch-add-without-path").is_some_and(|pathless| {
            pathless.is_clean() || pathless.status().is_some_and(|status| status != 400)
        });
    if paths_refused {
        put("gateway", "patch-paths", "answers-400");
    } else if let Some(word) =
        patch.filter(|_| !patch_inactive.is_some_and(Outcome::works)).and_then(patch_word)
    {
        if refused(patch, 501) && refused(put_inactive, 501) && !refused(put_title, 501) {
            put("application", "partial-update", "refused-501");
        } else {
            put("gateway", "patch", word);
        }
    }
    if let Some(Outcome::Tried(tried)) = patch
        && tried.reply.status == 204
        && patch.is_some_and(|patch| patch.class() == Class::Done)
    {
        put("gateway", "patch-reply", "204");
    }
    // Groups are treated as users are, unless said otherwise.
    // A title that is not stored is no PUT that is ignored.
    let stores_active = put_inactive.is_some_and(Outcome::works);
    let [replace, replace_group] = [put_title.filter(|_| !stores_active), of("group-put")]
        .map(|outcome| outcome.and_then(put_word).unwrap_or("works"));
    put("gateway", "put", replace);
    if replace_group != replace {
        put("gateway", "group-put", replace_group);
    }
    let [delete, delete_group] = [of("delete"), of("group-delete")].map(delete_word);
    if delete_group != delete {
        put("gateway", "group-delete", delete_group);
    }
    match of("delete").map(|outcome| (outcome.class(), outcome.damages().is_empty())) {
        Some((Class::Ignored, false)) => put("application", "delete", "deactivates"),
        Some((Class::Done, false)) => put("application", "delete", "hides"),
        _ => put("gateway", "delete", delete),
    }
    if refused(of("post"), 501) {
        put("application", "create", "refused-501");
    }
    // Deactivated accounts are out of reach: still there, or not.
    let lost = [patch_inactive, put_inactive]
        .into_iter()
        .flatten()
        .flat_map(Outcome::damages)
        .find(|damage| damage.pointer.is_empty());
    match lost.map(|damage| damage.now.is_some()) {
        Some(true) => put("application", "deactivated-users", "answer-404"),
        Some(false) => put("gateway", "active-change", "delete"),
        None => {}
    }
    // What is refused for an attribute is not refused for being inactive.
    let inactive = of("post-inactive").filter(|outcome| outcome.without().is_empty());
    match inactive.map(|outcome| (outcome.class(), outcome.status())) {
        Some((Class::Refused, Some(400))) => put("gateway", "create-disabled", "answers-400"),
        Some((Class::Ignored, _)) => put("gateway", "create-disabled", "creates-enabled"),
        _ => {}
    }
    for (variant, flip) in
        [("put-without-active", "deactivates"), ("put-without-active-inactive", "activates")]
    {
        let damages = of(variant).map(Outcome::damages).unwrap_or_default();
        if let Some(damage) = damages.iter().find(|damage| damage.pointer == "/active") {
            put("gateway", "put-without-active", if damage.now.is_none() { "clears" } else { flip });
        }
    }
    if of("put-clears")
        .is_some_and(|outcome| outcome.class() == Class::Ignored && put_title.is_some_and(Outcome::is_clean))
    {
        put("gateway", "put-missing-attributes", "keeps");
    }
    if patch.is_some_and(Outcome::is_clean) {
        for (variant, name) in [
            ("patch-inactive-capitalised", "capitalised-op"),
            ("patch-inactive-text", "string-booleans"),
            ("patch-dotted-keys", "dotted-keys"),
            ("group-remove-by-value", "remove-by-value"),
            ("patch-manager-id", "bare-manager"),
            ("patch-add-without-path", "pathless-add"),
            ("patch-single-operation", "single-operation"),
        ] {
            if refused(of(variant), 400) {
                profile["requests"]["dialects"][name] = json!("refused");
            }
        }
    }
    let mut put = |section: &str, name: &str, word: &str| profile[section][name] = json!(word);
    for (variant, name) in
        [("group-replace-members", "replace-all-members"), ("patch-work-email", "patch-value-filters")]
    {
        if refused(of(variant), 400) && !refused(patch, 400) {
            put("gateway", name, "answers-400");
        }
    }
    if let Some(group) = of("group-replace-members")
        && let Some(word) = patch_word(group).or_else(|| group.is_clean().then_some("works"))
        && patch.and_then(patch_word).unwrap_or("works") != word
        && word != "answers-400"
    {
        put("gateway", "group-patch", word);
    }
    if refused(of("patch-active"), 400) && refused(of("put-active"), 400) {
        put("gateway", "enable", "answers-400");
    }
    if refused(patch_inactive, 400) && refused(put_inactive, 400) && !refused(patch, 400) {
        put("gateway", "disable", "answers-400");
    }
    // What is said of PATCH need not be so.
    if let (Some(said), Ok(guessed)) = (found.patch_advertised, Profile::from_json(&profile))
        && guessed.advertises_patch() != said
    {
        profile["discovery"]["patch"] = json!(if said { "claimed" } else { "denied" });
    }
    profile
}

fn patch_word(outcome: &Outcome) -> Option<&'static str> {
    let Outcome::Tried(tried) = outcome else { return None };
    let status = tried.reply.status;
    Some(match (outcome.class(), status) {
        (Class::Refused, 400) => "answers-400",
        (Class::Refused, 403) => "answers-403",
        (Class::Refused, 404) => "answers-404-html",
        (Class::Refused, 405) => "answers-405",
        (Class::Refused, _) => "answers-501",
        (Class::Ignored, 204) => "ignored-204",
        (Class::Ignored, _) if tried.reply.shows == Shows::WrongState => "lies-200",
        (Class::Ignored, _) => "ignored-200",
        (Class::DoneWithError, 404) => "applied-then-404",
        (Class::DoneWithError, _) => "applied-then-500",
        _ => return None,
    })
}

fn put_word(outcome: &Outcome) -> Option<&'static str> {
    Some(match (outcome.class(), outcome.status()?) {
        (Class::Refused, 404) => "html-404",
        (Class::Refused, 400) => "answers-400",
        (Class::Refused, 405) => "answers-405",
        (Class::Refused, 501) => "answers-501",
        (Class::Ignored, _) => "ignored-200",
        _ => return None,
    })
}

fn delete_word(outcome: Option<&Outcome>) -> &'static str {
    match outcome.map(|outcome| (outcome.class(), outcome.status())) {
        Some((Class::Refused, Some(403))) => "answers-403",
        Some((Class::Refused, Some(405))) => "answers-405",
        Some((Class::Refused, _)) => "answers-501",
        Some((Class::Ignored, _)) => "ignored-204",
        _ => "works",
    }
}
