//! Phrases for steps and resources in reports, which do not show the names of a case file.

use std::collections::BTreeMap;

use crate::case::step::{Action, Step};
use crate::case::template::{Place, Property, Template};
use crate::casing::lower_case;

/// The phrase for each name of a case, as in `the second user`.
pub type Nouns = BTreeMap<String, String>;

/// The first ones in words.
const ORDINALS: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

/// Returns what the names stand for that these steps give.
pub fn nouns<'a>(steps: impl Iterator<Item = &'a Step> + Clone) -> Nouns {
    let created = steps.filter_map(|step| match &step.action {
        Action::Create { resource_type, count, .. } => Some((resource_type, step.name.as_str(), *count)),
        _ => None,
    });
    let mut totals: BTreeMap<&str, usize> = BTreeMap::new();
    for (resource_type, _, count) in created.clone() {
        *totals.entry(resource_type).or_default() += count.unwrap_or(1);
    }
    let mut nouns = Nouns::new();
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    for (resource_type, name, count) in created {
        let kind = lower_case(resource_type);
        let several = totals.get(resource_type.as_str()).is_some_and(|total| *total > 1);
        let number = made.entry(resource_type).or_default();
        let mut next = || {
            *number += 1;
            match ORDINALS.get(*number - 1).filter(|_| several) {
                Some(ordinal) => format!("the {ordinal} {kind}"),
                None if several => format!("{kind} number {number}"),
                None => format!("the {kind}"),
            }
        };
        match count {
            None => {
                nouns.insert(name.to_owned(), next());
            }
            Some(count) => {
                nouns.extend((1..=count).map(|at| (format!("{name}.{at}"), next())));
                nouns.insert(format!("{name}.*"), format!("the {kind}s"));
            }
        }
    }
    nouns
}

/// Returns the phrase for a step, as in `patch the user`.
pub fn label(action: &Action, name: &str, nouns: &Nouns) -> String {
    let noun = |name: &str| nouns.get(name).cloned().unwrap_or_else(|| "the resource".to_owned());
    match action {
        Action::Create { resource_type, count: Some(count), .. } => {
            format!("create {count} {}s", lower_case(resource_type))
        }
        Action::Create { resource_type, .. } => {
            let known = nouns.get(name).filter(|noun| !noun.starts_with("the first "));
            let kind = lower_case(resource_type);
            match known.and_then(|noun| noun.strip_prefix("the ")).filter(|noun| *noun != kind) {
                Some(noun) => format!("create a {noun}"),
                None => format!("create a {kind}"),
            }
        }
        Action::Read(name) => format!("read {}", noun(name)),
        Action::Replace(name, _) => format!("replace {}", noun(name)),
        Action::Patch(name, _) => format!("patch {}", noun(name)),
        Action::Delete(name) => format!("delete {}", noun(name)),
        Action::List(resource_type) => format!("list {}s", lower_case(resource_type)),
        Action::Search(resource_type, _) if resource_type.is_empty() => "search everything".to_owned(),
        Action::Search(resource_type, _) => format!("search {}s", lower_case(resource_type)),
        Action::Walk(resource_type, _) => format!("walk through all {}s", lower_case(resource_type)),
        Action::Bulk(_) => "bulk request".to_owned(),
        Action::Together { steps, .. } => {
            let inner: Vec<_> = steps.iter().map(|step| label(&step.action, &step.name, nouns)).collect();
            format!("at the same time: {}", inner.join(", "))
        }
        Action::Send { method, path, .. } => send(method, path, nouns),
    }
}

fn send(method: &str, path: &Template, nouns: &Nouns) -> String {
    let mut places = path.places();
    if let (Some(Place::Of(name, Property::Path | Property::Location)), None) = (places.next(), places.next())
        && let Some(noun) = nouns.get(name)
        && path.is_a_place()
    {
        return format!("{method} of {noun}");
    }
    let path = path.outline(|place| match place {
        Place::Of(name, Property::Path) if !nouns.contains_key(name) => format!("/{name}s"),
        Place::Urn(name) => name.clone(),
        Place::Base => String::new(),
        _ => "…".to_owned(),
    });
    format!("{method} {path}")
}

#[cfg(test)]
mod tests {
    use crate::case::load::built_in;

    #[test]
    fn names_of_case_files_are_in_no_label() {
        for case in built_in().expect("good cases") {
            for step in case.steps.iter().chain(&case.clean_up) {
                let label = &step.label;
                assert!(!label.contains("{{"), "{}: {label}", case.id);
                let is_name = |word: &str| {
                    ["ada", "bob", "cid", "zoe", "boss", "chief", "crew", "band", "twin"].contains(&word)
                };
                assert!(!label.split([' ', '/']).any(is_name), "{}: {label}", case.id);
            }
        }
    }

    #[test]
    fn step_labels_name_the_resource() {
        let cases = built_in().expect("good cases");
        let labels = |id: &str| -> Vec<String> {
            let case = cases.iter().find(|case| case.id == id).expect(id);
            case.steps.iter().map(|step| step.label.clone()).collect()
        };
        assert_eq!(labels("rfc7644/3.6/is-gone"), ["create a user", "delete the user", "read the user"]);
        assert_eq!(labels("rfc7644/3.3/refuses-a-second-one"), ["create a user", "create a second user"]);
        assert_eq!(labels("rfc7644/3.4.1/unknown-id-is-404"), ["GET /Users/…-nobody"]);
        assert_eq!(labels("rfc7643/3.1/location-works")[2], "GET of the user");
    }
}
