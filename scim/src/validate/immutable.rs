//! The check that a replacement keeps immutable values (RFC 7644 §3.5.1).

use serde_json::{Map, Value};

use super::{Problem, ProblemKind};
use crate::json::get_ci;
use crate::json::is_unassigned;
use crate::schema::{Attribute, Mutability, SchemaSet};
use crate::text::same_without_case;

type Members = Map<String, Value>;

/// Checks that a resource keeps its immutable values: it may get a first value, but not another one or none.
///
/// Sub-attributes of single complex values are checked too. The values of a multi-valued attribute are added and
/// removed as a whole, so a member of a group never changes.
///
/// # Errors
/// Every attribute whose value would change or be removed, each as [`ProblemKind::Immutable`].
pub fn check_immutable(before: &Value, after: &Value, schemas: &SchemaSet) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    if let Some(before) = before.as_object() {
        let after = after.as_object();
        let top = schemas.common().iter().chain(schemas.core().attributes());
        compare(before, after, top, "", &mut problems);
        for schema in schemas.extensions() {
            let urn = schema.id().as_str();
            let inside = |members| get_ci(members, urn).and_then(Value::as_object);
            if let Some(before) = inside(before) {
                let prefix = format!("{urn}:");
                compare(before, after.and_then(inside), schema.attributes().iter(), &prefix, &mut problems);
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Checks one attribute; `place` is the attribute in messages.
pub(crate) fn immutable_change(
    attr: &Attribute,
    before: Option<&Value>,
    after: Option<&Value>,
    place: &str,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    attribute(attr, before, after, place, &mut problems);
    problems
}

fn compare<'a>(
    before: &Members,
    after: Option<&Members>,
    attrs: impl Iterator<Item = &'a Attribute>,
    prefix: &str,
    problems: &mut Vec<Problem>,
) {
    for attr in attrs {
        let name = attr.name.as_str();
        let after = after.and_then(|members| get_ci(members, name));
        attribute(attr, get_ci(before, name), after, &format!("{prefix}{name}"), problems);
    }
}

fn attribute(
    attr: &Attribute,
    before: Option<&Value>,
    after: Option<&Value>,
    place: &str,
    problems: &mut Vec<Problem>,
) {
    let Some(before) = before.filter(|value| !is_unassigned(value)) else { return };
    let after = after.filter(|value| !is_unassigned(value));
    if attr.mutability == Mutability::Immutable {
        if !after.is_some_and(|after| same(attr, before, after)) {
            problems.push(Problem { place: place.to_owned(), kind: ProblemKind::Immutable });
        }
    } else if let (false, Value::Object(before)) = (attr.multi_valued, before) {
        let after = after.and_then(Value::as_object);
        compare(before, after, attr.sub_attributes.iter(), &format!("{place}."), problems);
    }
}

/// Whether two values are equal by the schema: member names compare without case, and so does text unless it is
/// case-exact.
fn same(attr: &Attribute, a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) if !attr.case_exact => same_without_case(a, b),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(attr, a, b))
        }
        (Value::Object(a), Value::Object(b)) if attr.is_complex() => attr.sub_attributes.iter().all(|sub| {
            let value = |members| get_ci(members, sub.name.as_str()).filter(|value| !is_unassigned(value));
            match (value(a), value(b)) {
                (Some(a), Some(b)) => same(sub, a, b),
                (None, None) => true,
                _ => false,
            }
        }),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Schema;

    fn things() -> SchemaSet {
        let inner = |name: &str| json!({"name": name, "mutability": "immutable"});
        let core = json!({"id": "urn:example:thing", "attributes": [
            {"name": "serial", "mutability": "immutable"},
            {"name": "code", "mutability": "immutable", "caseExact": true},
            {"name": "made", "type": "complex", "subAttributes": [inner("place"), {"name": "by"}]},
            {"name": "parts", "type": "complex", "multiValued": true, "subAttributes": [inner("value")]},
            {"name": "labels", "multiValued": true, "mutability": "immutable"},
        ]});
        let extension = json!({"id": "urn:example:more", "attributes": [inner("owner")]});
        let read = |document| Schema::from_json(document).unwrap();
        SchemaSet::new(read(&core), vec![read(&extension)])
    }

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "called with json!")]
    fn check(before: Value, after: Value, places: &[&str]) {
        let found = check_immutable(&before, &after, &things()).err().unwrap_or_default();
        assert!(found.iter().all(|p| p.kind == ProblemKind::Immutable));
        assert_eq!(found.iter().map(|p| p.place.as_str()).collect::<Vec<_>>(), places);
    }

    #[test]
    fn immutable_attribute_accepts_a_first_value() {
        check(json!({}), json!({"serial": "1", "made": {"place": "x"}, "labels": ["a"]}), &[]);
        check(json!({"serial": null, "labels": []}), json!({"serial": "1", "labels": ["a"]}), &[]);
        check(json!({"made": {"by": "me"}}), json!({"made": {"by": "you", "place": "x"}}), &[]);
    }

    #[test]
    fn immutable_value_must_not_change_or_go() {
        check(json!({"serial": "ab"}), json!({"SERIAL": "AB"}), &[]);
        check(json!({"serial": "ab"}), json!({"serial": "b"}), &["serial"]);
        check(json!({"serial": "ab"}), json!({}), &["serial"]);
        check(json!({"serial": "ab"}), json!({"serial": null}), &["serial"]);
        check(json!({"serial": "ab"}), json!(7), &["serial"]);
        check(json!({"code": "ab"}), json!({"code": "AB"}), &["code"]);
        check(json!({"labels": ["a"]}), json!({"labels": ["a", "b"]}), &["labels"]);
        check(json!({"labels": ["a"]}), json!({"labels": ["A"]}), &[]);
    }

    #[test]
    fn immutable_sub_attributes_and_extensions_are_checked() {
        let made = |place: &str| json!({"made": {"place": place, "by": "me"}});
        check(made("x"), json!({"made": {"place": "x"}}), &[]);
        check(made("x"), made("y"), &["made.place"]);
        check(made("x"), json!({"made": {"by": "me"}}), &["made.place"]);
        check(made("x"), json!({}), &["made.place"]);
        let owner = |owner: &str| json!({"urn:example:more": {"owner": owner}});
        check(owner("a"), owner("b"), &["urn:example:more:owner"]);
        check(owner("a"), json!({}), &["urn:example:more:owner"]);
        check(json!({}), owner("a"), &[]);
    }

    #[test]
    fn values_of_a_multi_valued_attribute_may_be_added_and_removed() {
        let parts = |values: &[&str]| json!({"parts": values.iter().map(|v| json!({"value": v})).collect::<Vec<_>>()});
        check(parts(&["a", "b"]), parts(&["b", "c"]), &[]);
        check(parts(&["a"]), json!({}), &[]);
    }
}
