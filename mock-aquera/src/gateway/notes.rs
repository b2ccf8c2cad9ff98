//! Notes on what in a request has no effect: attributes that no schema knows, comparisons that nothing satisfies.

use scim::decode::MAX_DROPPED;
use scim::filter::{CompareOp, Filter, Literal};
use scim::patch::{PatchError, PatchRequest};
use scim::path::AttrPath;
use scim::schema::{AttributeType, SchemaSet};
use scim::validate::{self, ProblemKind};

use crate::journal::{Note, NoteKind};
use crate::problem::Problem;
use crate::types::TypeInfo;
use crate::units::suggest::{attribute_name, did_you_mean, nearest};

/// Notes on attributes that were left out because no schema knows them, and on so many more.
pub(super) fn dropped(kind: &TypeInfo, places: &[String], more: usize) -> Vec<Note> {
    let each = places.iter().map(|place| dropped_one(kind, place));
    each.chain(and_more(more)).collect()
}

fn and_more(more: usize) -> Option<Note> {
    (more > 0).then(|| Note {
        kind: NoteKind::Dropped,
        text: format!("and {more} more"),
        path: "…".to_owned(),
        nearest: None,
    })
}

/// A note on a part of a request that was left out: `what` follows its name.
pub(super) fn note(path: &str, nearest: Option<String>, what: &str) -> Note {
    let hint = did_you_mean(nearest.as_deref());
    let path = shown(path);
    Note { kind: NoteKind::Dropped, text: format!("`{path}` {what}{hint}"), path, nearest }
}

/// Notes on attributes that the profile does not let be stored.
pub(super) fn not_stored(paths: &[String]) -> Vec<Note> {
    by_profile(paths, "was not stored: the profile of this application leaves it out")
}

/// Notes on what the profile of the application does to parts of a request: `what` follows the name of each.
pub(super) fn by_profile(paths: &[String], what: &str) -> Vec<Note> {
    let more = paths.len().saturating_sub(MAX_DROPPED);
    paths.iter().take(MAX_DROPPED).map(|path| note(path, None, what)).chain(and_more(more)).collect()
}

/// What the operations of a PATCH are about: their paths, or the members of a value without one.
pub(super) fn named(request: &PatchRequest) -> Vec<String> {
    let mut named: Vec<String> = Vec::new();
    let mut add = |path: String| {
        if !named.contains(&path) && named.len() < 2 * MAX_DROPPED {
            named.push(path);
        }
    };
    for operation in &request.operations {
        match (operation.path(), operation.value()) {
            (Some(path), _) => add(path.to_string()),
            (None, Some(serde_json::Value::Object(members))) => members.keys().cloned().for_each(&mut add),
            (None, _) => {}
        }
    }
    named
}

/// What to say of a body that does not fit the schemas.
pub(super) fn unfit(kind: &TypeInfo, problems: &[validate::Problem]) -> Problem {
    let texts = problems.iter().map(|problem| match problem.kind {
        ProblemKind::Unknown => {
            if let Some(where_to) = misplaced(&kind.schemas, &problem.place) {
                format!("`{}` is a path where the name of a member belongs; {where_to}", problem.place)
            } else {
                let nearest = attribute_name(&kind.schemas, &problem.place);
                format!("{problem}{}", did_you_mean(nearest.as_deref()))
            }
        }
        _ => problem.to_string(),
    });
    Problem::BadValue(texts.collect::<Vec<_>>().join("; "))
}

/// What to say of a PATCH that cannot be applied.
pub(super) fn bad_patch(kind: &TypeInfo, error: &PatchError) -> Problem {
    let word = error.misspelt_word().and_then(|(word, known)| nearest(word, known.iter().copied()));
    let attribute = || error.unknown_attribute().and_then(|place| attribute_name(&kind.schemas, place));
    let meant = word.map(str::to_owned).or_else(attribute);
    let detail = format!("{error}{}", did_you_mean(meant.as_deref()));
    Problem::BadPatch { scim_type: error.scim_type(), detail }
}

/// Where something must stand whose path was sent as the name of a member.
fn misplaced(schemas: &SchemaSet, place: &str) -> Option<String> {
    let path: AttrPath = place.parse().ok()?;
    let found = schemas.locate(&path)?;
    let name = &found.leaf().name;
    match (found.extension.filter(|_| path.urn.is_some()), &path.sub) {
        (Some(extension), None) => {
            Some(format!("`{name}` must stand inside the object of `{}`", extension.id()))
        }
        (Some(extension), Some(_)) => Some(format!(
            "`{name}` must stand inside the object of `{}` in that of `{}`",
            found.attribute.name,
            extension.id()
        )),
        (None, Some(_)) => {
            Some(format!("`{name}` must stand inside the object of `{}`", found.attribute.name))
        }
        (None, None) if path.urn.is_some() => Some(format!("`{name}` must be the name alone")),
        (None, None) => None,
    }
}

fn dropped_one(kind: &TypeInfo, place: &str) -> Note {
    if let Some(where_to) = misplaced(&kind.schemas, place) {
        let what = format!("is a path where the name of a member belongs, and was left out; {where_to}");
        return note(place, None, &what);
    }
    let what = format!("is not an attribute of {} and was left out", kind.name());
    note(place, attribute_name(&kind.schemas, place), &what)
}

/// The beginning of a text that somebody else wrote, with nothing in it that steers a terminal.
pub(super) fn shown(text: &str) -> String {
    let cut = text.chars().take(200);
    cut.map(|sign| if sign.is_control() { char::REPLACEMENT_CHARACTER } else { sign }).collect()
}

/// A comparison in a filter.
struct Comparison<'f> {
    path: AttrPath,
    operator: CompareOp,
    value: &'f Literal,
    /// Whether a `not` stands before it, or an odd number of them.
    negated: bool,
}

/// The comparisons of a filter. `parent` is the attribute whose values the filter is about.
fn comparisons<'f>(
    filter: &'f Filter,
    parent: Option<&AttrPath>,
    negated: bool,
    found: &mut Vec<Comparison<'f>>,
) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => {
            for part in parts {
                comparisons(part, parent, negated, found);
            }
        }
        Filter::Not(inner) => comparisons(inner, parent, !negated, found),
        Filter::ValuePath { path, filter } => comparisons(filter, Some(path), negated, found),
        Filter::Compare { path, op, value } => {
            let path = parent.map_or_else(|| path.clone(), |parent| parent.child(path.name.clone()));
            found.push(Comparison { path, operator: *op, value, negated });
        }
        Filter::Present(_) => {}
    }
}

/// Notes on comparisons whose outcome does not depend on any resource: an attribute of one type with a value of another,
/// or with one that it never has.
pub(super) fn never_matching(filter: &Filter, kinds: &[&TypeInfo]) -> Vec<Note> {
    let mut found = Vec::new();
    comparisons(filter, None, false, &mut found);
    let mut notes: Vec<Note> = Vec::new();
    for Comparison { path, operator, value, negated } in found {
        let mut outcomes = kinds.iter().filter_map(|kind| outcome(kind, &path, operator, value));
        let Some(Outcome::Same { what, hint }) = outcomes.next() else { continue };
        if outcomes.any(|outcome| matches!(outcome, Outcome::Depends)) {
            continue;
        }
        let is_ne = operator == CompareOp::Ne;
        let comes_to = match (is_ne, negated) {
            (false, false) => "never matches",
            (true, false) => "matches everything",
            (false, true) => "never matches, so that `not` matches everything",
            (true, true) => "matches everything, so that `not` never matches",
        };
        let text = format!("`{path}` {what}: the comparison {comes_to}{hint}");
        let note = Note { kind: NoteKind::NeverMatches, path: path.to_string(), nearest: None, text };
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

/// What a comparison comes to.
enum Outcome {
    /// It depends on the resource.
    Depends,
    /// It is the same for every resource.
    Same { what: String, hint: &'static str },
}

/// Returns what a comparison comes to for resources of a type; `None` if the type has no such attribute.
fn outcome(kind: &TypeInfo, path: &AttrPath, operator: CompareOp, value: &Literal) -> Option<Outcome> {
    use CompareOp::{Co, Eq, Ew, Ge, Gt, Le, Lt, Ne, Sw};
    let leaf = kind.schemas.attribute(path)?;
    let compared = if leaf.is_complex() { leaf.sub("value").unwrap_or(leaf) } else { leaf };
    let of = compared.kind;
    let same = |what: String, hint: &'static str| Some(Outcome::Same { what, hint });
    let is_top = |name: &str| path.sub.is_none() && path.name == *name;
    let is_meta = |sub: &str| path.name == *"meta" && path.sub.as_ref().is_some_and(|name| *name == *sub);
    let always_there = is_top("id") || path.name == *"meta" || (path.sub.is_none() && leaf.required);
    if !can_match(of, value) {
        let (is, with) = (described(of), described_value(value));
        return same(format!("is {is}, and the filter compares it with {with}"), hint(of, value, operator));
    }
    match value {
        Literal::Null if always_there && matches!(operator, Eq | Ne) => {
            same("always has a value, and the filter compares it with null".to_owned(), "")
        }
        Literal::Bool(_) if matches!(operator, Co | Sw | Ew) => {
            same(format!("is a boolean, and `{operator}` compares strings"), "; write `eq`")
        }
        Literal::Number(_) if matches!(operator, Co | Sw | Ew) => {
            same(format!("is a number, and `{operator}` compares strings"), "; write `eq`, `gt` or `lt`")
        }
        Literal::String(text) if text.is_empty() && always_there && matches!(operator, Eq | Ne) => {
            same("is never empty, and the filter compares it with an empty string".to_owned(), "")
        }
        Literal::String(text)
            if of == AttributeType::DateTime
                && matches!(operator, Eq | Ne | Gt | Ge | Lt | Le)
                && scim::date_time::instant(text).is_none() =>
        {
            same(
                "is a date and time, and the filter compares it with a text that is none".to_owned(),
                "; write one such as \"2026-01-31T00:00:00Z\"",
            )
        }
        Literal::String(text)
            if is_top("schemas")
                && matches!(operator, Eq | Ne)
                && !kind.schemas.schemas().any(|schema| schema.id().as_str().eq_ignore_ascii_case(text)) =>
        {
            let what =
                format!("names schemas of {} alone, and the filter compares it with another", kind.name());
            same(what, "")
        }
        Literal::String(text)
            if is_meta("resourceType")
                && matches!(operator, Eq | Ne)
                && !text.eq_ignore_ascii_case(kind.name()) =>
        {
            same(format!("is \"{}\" of everything at this endpoint", kind.name()), "")
        }
        _ => Some(Outcome::Depends),
    }
}

fn can_match(kind: AttributeType, value: &Literal) -> bool {
    match (kind, value) {
        // `null` is no value at all, which most attributes may have.
        (_, Literal::Null) => true,
        (AttributeType::Boolean, value) => matches!(value, Literal::Bool(_)),
        (AttributeType::Integer | AttributeType::Decimal, value) => matches!(value, Literal::Number(_)),
        (AttributeType::Complex, _) => true,
        (
            AttributeType::String
            | AttributeType::Reference
            | AttributeType::Binary
            | AttributeType::DateTime,
            value,
        ) => matches!(value, Literal::String(_)),
    }
}

fn described(kind: AttributeType) -> &'static str {
    match kind {
        AttributeType::String => "a string",
        AttributeType::Boolean => "a boolean",
        AttributeType::Decimal | AttributeType::Integer => "a number",
        AttributeType::DateTime => "a date and time",
        AttributeType::Binary => "binary data",
        AttributeType::Reference => "a reference",
        AttributeType::Complex => "a complex attribute",
    }
}

fn described_value(value: &Literal) -> &'static str {
    match value {
        Literal::String(_) => "a string",
        Literal::Number(_) => "a number",
        Literal::Bool(_) => "a boolean",
        Literal::Null => "null",
    }
}

fn hint(kind: AttributeType, value: &Literal, operator: CompareOp) -> &'static str {
    let has_parts = matches!(operator, CompareOp::Co | CompareOp::Sw | CompareOp::Ew);
    match (kind, value) {
        (AttributeType::Boolean, _) if has_parts => "; write `eq`, and true or false without quotes",
        (AttributeType::Integer | AttributeType::Decimal, _) if has_parts => {
            "; write `eq`, `gt` or `lt`, and a number without quotes"
        }
        (AttributeType::Boolean, _) => "; write true or false without quotes",
        (AttributeType::Integer | AttributeType::Decimal, _) => "; write a number without quotes",
        (AttributeType::DateTime, _) => "; write one such as \"2026-01-31T00:00:00Z\"",
        (_, Literal::Number(_) | Literal::Bool(_)) => "; put the value in double quotes",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::TypeId;
    use crate::types::Types;

    #[test]
    fn what_was_dropped_has_the_nearest_name() {
        let types = Types::standard();
        #[track_caller]
        fn check(kind: &TypeInfo, place: &str, nearest: Option<&str>) {
            let [note] = dropped(kind, &[place.to_owned()], 0).try_into().unwrap();
            assert_eq!((note.path.as_str(), note.nearest.as_deref()), (place, nearest), "{}", note.text);
        }
        let user = types.get(TypeId::FIRST);
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        check(user, "firstName", Some("name.givenName"));
        check(user, "first_name", Some("name.givenName"));
        check(user, "emails[0].valu", Some("emails[0].value"));
        check(user, "name.givenNam", Some("name.givenName"));
        check(user, "name.first", Some("name.givenName"));
        check(user, "name.surname", Some("name.familyName"));
        check(user, "name.last_name", Some("name.familyName"));
        check(user, "emails[0].address", Some("emails[0].value"));
        check(user, "emials.value", Some("emails"));
        check(user, "nickname2", Some("nickName"));
        check(user, "familyName", Some("name.familyName"));
        check(user, "department", Some(&format!("{enterprise}:department")));
        check(user, &format!("{enterprise}:departmnt"), Some(&format!("{enterprise}:department")));
        check(user, &format!("{enterprise}:manager.vale"), Some(&format!("{enterprise}:manager.value")));
        check(user, "qqqqqq", None);
        check(types.get(TypeId::SECOND), "users", Some("members"));
        check(types.get(TypeId::SECOND), "firstName", None);
        let misplaced = |place: &str| dropped(user, &[place.to_owned()], 0)[0].text.clone();
        assert_eq!(
            misplaced(&format!("{enterprise}:department")),
            format!(
                "`{enterprise}:department` is a path where the name of a member belongs, and was left out; `department` \
                 must stand inside the object of `{enterprise}`"
            )
        );
        assert!(misplaced("name.givenName").ends_with("`givenName` must stand inside the object of `name`"));
        let note = &dropped(user, &["firstName".to_owned()], 0)[0];
        assert_eq!(
            note.text,
            "`firstName` is not an attribute of User and was left out; did you mean `name.givenName`?"
        );
    }

    #[test]
    fn comparisons_that_nothing_satisfies_are_noted() {
        let types = Types::standard();
        let of = |text: &str, kinds: &[&TypeInfo]| {
            let notes = never_matching(&Filter::parse(text).unwrap(), kinds);
            notes.into_iter().map(|note| note.text).collect::<Vec<_>>()
        };
        let (user, group) = (types.get(TypeId::FIRST), types.get(TypeId::SECOND));
        for fine in [
            "active eq true",
            "userName eq \"true\"",
            "active eq null",
            "emails eq \"a\"",
            "meta.created gt \"2024-01-01T00:00:00Z\"",
            "emails[primary eq true and value co \"a\"]",
            "shoe eq 1",
        ] {
            assert!(of(fine, &[user]).is_empty(), "{fine}");
        }
        assert_eq!(
            of("active eq \"true\" and title pr", &[user]),
            [
                "`active` is a boolean, and the filter compares it with a string: the comparison never matches; \
              write true or false without quotes"
            ]
        );
        assert_eq!(
            of("userName ne 1", &[user, group]),
            [
                "`userName` is a string, and the filter compares it with a number: the comparison matches everything; \
              put the value in double quotes"
            ]
        );
        assert_eq!(of("emails[primary eq \"True\"]", &[user]).len(), 1);
        for (never, part) in [
            ("active eq 1", "write true or false without quotes"),
            ("not (active eq \"true\")", "never matches, so that `not` matches everything"),
            ("not (not (active eq 1))", "the comparison never matches;"),
            ("meta.lastModified gt \"2020-01-01\"", "2026-01-31T00:00:00Z"),
            ("meta.lastModified gt \"yesterday\"", "a text that is none"),
            ("meta.resourceType eq \"Group\"", "is \"User\" of everything"),
            ("userName eq null", "always has a value"),
            ("id eq \"\"", "is never empty"),
            ("active co true", "write `eq`"),
        ] {
            let told = of(never, &[user]);
            assert!(told.len() == 1 && told[0].contains(part), "{never}: {told:?}");
        }
        assert!(of("meta.resourceType eq \"Group\"", &[user, group]).is_empty());
        assert_eq!(of("emails.value eq true", &[user]).len(), 1);
    }
}
