//! Evaluation of filters over JSON without copies of values (RFC 7644 §3.4.2.2).

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::{AttrFacts, AttrInfo, CompareOp, Filter, Literal, TextKind};
use crate::date_time::instant;
use crate::json::get_ci;
use crate::name::AttrName;
use crate::path::AttrPath;
use crate::precis::{user_name_key, user_name_key_with_case};
use crate::text::lower_case;

pub(super) fn matches(filter: &Filter, resource: &Value, attrs: &dyn AttrInfo) -> bool {
    Scope { attrs, parent: None }.holds(filter, resource)
}

/// Whether one value of the multi-valued attribute `parent` matches a value filter.
pub(crate) fn element_matches(
    filter: &Filter,
    element: &Value,
    parent: &AttrPath,
    attrs: &dyn AttrInfo,
) -> bool {
    Scope { attrs, parent: Some(parent) }.holds(filter, element)
}

/// The start of paths: the resource, or one value of a multi-valued attribute.
#[derive(Clone, Copy)]
struct Scope<'a> {
    attrs: &'a dyn AttrInfo,
    parent: Option<&'a AttrPath>,
}

type Test<'t> = &'t mut dyn FnMut(&Value) -> bool;

impl Scope<'_> {
    fn holds(self, filter: &Filter, node: &Value) -> bool {
        match filter {
            Filter::And(parts) => parts.iter().all(|part| self.holds(part, node)),
            Filter::Or(parts) => parts.iter().any(|part| self.holds(part, node)),
            Filter::Not(inner) => !self.holds(inner, node),
            Filter::Compare { path, op, value } => {
                self.with(path, |path, facts| self.compares(node, path, facts, *op, value))
            }
            Filter::Present(path) => self.with(path, |path, facts| match &path.sub {
                None if self.parent.is_none() => attribute(node, path, facts).is_some_and(has_content),
                _ => self.any(node, path, facts, &mut has_content),
            }),
            Filter::ValuePath { path, filter } => self.one_value(node, path, filter),
        }
    }

    /// Applies a test to a path, which is relative to the attribute inside a value filter.
    fn with(self, path: &AttrPath, test: impl FnOnce(&AttrPath, AttrFacts<'_>) -> bool) -> bool {
        let Some(parent) = self.parent else {
            return self.attrs.facts(path).is_some_and(|facts| test(path, facts));
        };
        if path.urn.is_some() || path.sub.is_some() {
            return false;
        }
        let whole = parent.child(path.name.clone());
        self.attrs.facts(&whole).is_some_and(|facts| test(path, facts))
    }

    fn one_value(self, node: &Value, path: &AttrPath, filter: &Filter) -> bool {
        if self.parent.is_some() {
            return false;
        }
        let inner = Scope { attrs: self.attrs, parent: Some(path) };
        match self.attrs.facts(path).and_then(|facts| attribute(node, path, facts)) {
            Some(Value::Array(values)) => values.iter().any(|value| inner.holds(filter, value)),
            Some(Value::Null) | None => false,
            Some(single) => inner.holds(filter, single),
        }
    }

    fn compares(
        self,
        node: &Value,
        path: &AttrPath,
        facts: AttrFacts<'_>,
        op: CompareOp,
        literal: &Literal,
    ) -> bool {
        let mut assigned = false;
        let hit = self.any(node, path, facts, &mut |value| {
            assigned |= !value.is_null();
            !value.is_null() && compare(value, op, literal, facts)
        });
        match (op, literal) {
            (CompareOp::Eq, Literal::Null) => !assigned,
            (CompareOp::Ne, Literal::Null) => assigned,
            (_, Literal::Null) => false,
            _ if !assigned => op == CompareOp::Ne,
            _ => hit,
        }
    }

    /// Whether any value at the path passes the test.
    fn any(self, node: &Value, path: &AttrPath, facts: AttrFacts<'_>, test: Test<'_>) -> bool {
        if self.parent.is_some() {
            return value_at(node, Some(&path.name), test);
        }
        match attribute(node, path, facts) {
            Some(Value::Array(values)) => values.iter().any(|value| value_at(value, path.sub.as_ref(), test)),
            Some(single) => value_at(single, path.sub.as_ref(), test),
            None => false,
        }
    }
}

fn attribute<'v>(node: &'v Value, path: &AttrPath, facts: AttrFacts<'_>) -> Option<&'v Value> {
    let resource = node.as_object()?;
    let holder = match facts.extension {
        Some(urn) => get_ci(resource, urn.as_str())?.as_object()?,
        None => resource,
    };
    get_ci(holder, path.name.as_str())
}

/// Tests one value, or its sub-attribute. A value that is not complex is its own `value`.
fn value_at(value: &Value, sub: Option<&AttrName>, test: Test<'_>) -> bool {
    let find = |members: &Map<String, Value>, name: &str, test: Test<'_>| match get_ci(members, name) {
        Some(Value::Array(values)) => values.iter().any(test),
        Some(found) => test(found),
        None => false,
    };
    match (value, sub) {
        (Value::Object(members), Some(sub)) => find(members, sub.as_str(), test),
        (Value::Object(members), None) if members.contains_key("value") => find(members, "value", test),
        (_, None) => test(value),
        (_, Some(sub)) => *sub == *"value" && test(value),
    }
}

/// Whether a value, or a part of a complex one, is not empty (`pr`, RFC 7644 table 3).
fn has_content(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => values.iter().any(has_content),
        Value::Object(members) => members.values().any(has_content),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn compare(value: &Value, op: CompareOp, literal: &Literal, facts: AttrFacts<'_>) -> bool {
    match (value, literal) {
        (Value::String(value), Literal::String(literal)) => compare_text(value, op, literal, facts),
        (Value::Number(value), Literal::Number(literal)) => by_order(op, compare_numbers(value, literal)),
        (Value::Bool(value), Literal::Bool(literal)) => match op {
            CompareOp::Eq => value == literal,
            CompareOp::Ne => value != literal,
            _ => false,
        },
        _ => op == CompareOp::Ne,
    }
}

fn by_order(op: CompareOp, order: Option<Ordering>) -> bool {
    match op {
        CompareOp::Eq => order == Some(Ordering::Equal),
        CompareOp::Ne => order != Some(Ordering::Equal),
        CompareOp::Gt => order == Some(Ordering::Greater),
        CompareOp::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        CompareOp::Lt => order == Some(Ordering::Less),
        CompareOp::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        CompareOp::Co | CompareOp::Sw | CompareOp::Ew => false,
    }
}

fn compare_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    let whole = |n: &Number| n.as_i64().map(i128::from).or_else(|| n.as_u64().map(i128::from));
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn compare_text(value: &str, op: CompareOp, literal: &str, facts: AttrFacts<'_>) -> bool {
    let by_instant =
        facts.text == TextKind::DateTime && !matches!(op, CompareOp::Co | CompareOp::Sw | CompareOp::Ew);
    if by_instant {
        return match (instant(value), instant(literal)) {
            (Some(value), Some(literal)) => by_order(op, Some(value.cmp(&literal))),
            _ => match op {
                CompareOp::Eq => value == literal,
                CompareOp::Ne => value != literal,
                _ => false,
            },
        };
    }
    if facts.case_exact && facts.text == TextKind::UserName && !(value.is_ascii() && literal.is_ascii()) {
        let (value, literal) = (user_name_key_with_case(value), user_name_key_with_case(literal));
        return compare_text(&value, op, &literal, AttrFacts { text: TextKind::Plain, ..facts });
    }
    if facts.case_exact {
        return match op {
            CompareOp::Co => value.contains(literal),
            CompareOp::Sw => value.starts_with(literal),
            CompareOp::Ew => value.ends_with(literal),
            _ => by_order(op, Some(value.cmp(literal))),
        };
    }
    if value.is_ascii() && literal.is_ascii() {
        return caseless_ascii(value, op, literal);
    }
    let comparable = if facts.text == TextKind::UserName { user_name_key } else { lower_case };
    let (value, literal) = (comparable(value), comparable(literal));
    compare_text(&value, op, &literal, AttrFacts { case_exact: true, text: TextKind::Plain, ..facts })
}

/// The maximum length of a text that is searched without a copy. For longer ones a search that is linear in the worst
/// case is worth the copies in lower case.
const MAX_UNCOPIED: usize = 32;

fn caseless_ascii(value: &str, op: CompareOp, literal: &str) -> bool {
    if op == CompareOp::Co && literal.len() > MAX_UNCOPIED && value.len() >= literal.len() {
        return value.to_ascii_lowercase().contains(&literal.to_ascii_lowercase());
    }
    let (v, l) = (value.as_bytes(), literal.as_bytes());
    match op {
        CompareOp::Eq => v.eq_ignore_ascii_case(l),
        CompareOp::Ne => !v.eq_ignore_ascii_case(l),
        CompareOp::Co => l.is_empty() || v.windows(l.len()).any(|window| window.eq_ignore_ascii_case(l)),
        CompareOp::Sw => v.len() >= l.len() && v[..l.len()].eq_ignore_ascii_case(l),
        CompareOp::Ew => v.len() >= l.len() && v[v.len() - l.len()..].eq_ignore_ascii_case(l),
        _ => by_order(op, Some(crate::name::cmp_ci(value, literal))),
    }
}
