//! Identity of the values of a multi-valued attribute: which of them is the same as a given one.

use std::borrow::Cow;

use hashbrown::HashMap;
use serde_json::{Map, Value};

use crate::json::get_ci;
use crate::schema::Attribute;
use crate::text::{lower_case, same_without_case};

/// The maximum number of values for which a search per value is faster than an index.
pub(super) const MAX_SEARCHED: usize = 4;

/// An index of values: by the text of their `value`, or by all sub-attributes if there is no such text.
pub(super) struct IndexedValues {
    by_text: HashMap<String, Vec<usize>>,
    others: HashMap<String, Vec<usize>>,
}

impl IndexedValues {
    pub(super) fn of(attr: &Attribute, values: &[Value]) -> Self {
        let mut known = Self { by_text: HashMap::new(), others: HashMap::new() };
        for (at, value) in values.iter().enumerate() {
            known.insert(attr, at, value);
        }
        known
    }

    pub(super) fn insert(&mut self, attr: &Attribute, at: usize, value: &Value) {
        match text_of(attr, value) {
            Some(text) => self.by_text.entry_ref(text.as_ref()).or_default().push(at),
            None => self.others.entry(key_without_text(attr, value)).or_default().push(at),
        }
    }

    /// Returns the first of the values that is the same as this one. A value with a text is never the same as one
    /// without.
    pub(super) fn find(&self, attr: &Attribute, values: &[Value], value: &Value) -> Option<usize> {
        self.all(attr, values, value).next()
    }

    /// Returns all values that are the same as this one, in order.
    pub(super) fn all<'k>(
        &'k self,
        attr: &'k Attribute,
        values: &'k [Value],
        value: &'k Value,
    ) -> impl Iterator<Item = usize> + 'k {
        let candidates = self.candidates(attr, value).iter().copied();
        candidates.filter(move |at| values.get(*at).is_some_and(|known| same_value(attr, known, value)))
    }

    /// Returns how many values are examined to find one.
    pub(super) fn cost(&self, attr: &Attribute, value: &Value) -> usize {
        self.candidates(attr, value).len() + 1
    }

    fn candidates(&self, attr: &Attribute, value: &Value) -> &[usize] {
        match text_of(attr, value) {
            Some(text) => self.by_text.get(text.as_ref()).map_or(&[][..], Vec::as_slice),
            None => self.others.get(&key_without_text(attr, value)).map_or(&[][..], Vec::as_slice),
        }
    }

    /// Whether some values are indexed by all sub-attributes, so that a change of any one invalidates the index.
    pub(super) fn has_values_without_text(&self) -> bool {
        !self.others.is_empty()
    }
}

/// Returns the key of a value without a text. Values that are the same by [`same_value`] have the same key; others may
/// have it too.
fn key_without_text(attr: &Attribute, value: &Value) -> String {
    let Value::Object(members) = value else { return comparable(attr, value) };
    if let (Some(sub), Some(value)) = (attr.sub("value"), get_ci(members, "value")) {
        return comparable(sub, value);
    }
    let said = members.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("primary"));
    let mut said: Vec<String> = said
        .map(|(name, value)| {
            let value = attr.sub(name).map_or_else(String::new, |sub| comparable(sub, value));
            format!("{}:{value}", name.to_ascii_lowercase())
        })
        .collect();
    said.sort_unstable();
    said.join(",")
}

fn comparable(attr: &Attribute, value: &Value) -> String {
    match value {
        Value::String(text) if attr.case_exact => format!("{text:?}"),
        Value::String(text) => format!("{:?}", lower_case(text)),
        // The order of members is irrelevant.
        Value::Array(_) | Value::Object(_) => String::new(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Returns the text that identifies a value, in the form in which it is compared.
fn text_of<'v>(attr: &Attribute, value: &'v Value) -> Option<Cow<'v, str>> {
    let (attr, value) = match value {
        Value::Object(members) => (attr.sub("value")?, get_ci(members, "value")?),
        simple => (attr, simple),
    };
    let text = value.as_str()?;
    Some(if attr.case_exact { Cow::Borrowed(text) } else { lower_case(text) })
}

/// Whether two values are the same: by `value` and `type`, or by all sub-attributes but `primary`.
pub(super) fn same_value(attr: &Attribute, existing: &Value, given: &Value) -> bool {
    let (Value::Object(old), Value::Object(new)) = (existing, given) else {
        return same(attr, existing, given);
    };
    let agree = |name: &str| match (attr.sub(name), get_ci(old, name), get_ci(new, name)) {
        (Some(sub), Some(old), Some(new)) => Some(same(sub, old, new)),
        _ => None,
    };
    if let Some(value) = agree("value") {
        return value && agree("type") != Some(false);
    }
    let said = |members: &Map<String, Value>| {
        members.keys().filter(|name| !name.eq_ignore_ascii_case("primary")).count()
    };
    said(old) == said(new)
        && new.keys().all(|name| name.eq_ignore_ascii_case("primary") || agree(name) == Some(true))
}

pub(super) fn same(attr: &Attribute, a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => same_text(attr, a, b),
        _ => a == b,
    }
}

pub(super) fn same_text(attr: &Attribute, a: &str, b: &str) -> bool {
    if attr.case_exact { a == b } else { same_without_case(a, b) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::SchemaSet;

    #[test]
    fn index_finds_the_same_value_as_a_search() {
        let set = SchemaSet::user();
        let emails = set.top_level("emails").unwrap();
        let values = [
            json!({"value": "A@b.c", "type": "work"}),
            json!({"value": "a@b.c", "type": "home"}),
            json!({"type": "other", "primary": true}),
            json!({"value": 7}),
            json!("loose"),
            json!({"VALUE": "É"}),
        ];
        let index = IndexedValues::of(emails, &values);
        let asked = [
            json!({"value": "a@B.c"}),
            json!({"value": "a@b.c", "type": "HOME"}),
            json!({"value": "a@b.c", "type": "car"}),
            json!({"type": "OTHER"}),
            json!({"type": "other", "display": "x"}),
            json!({"value": 7}),
            json!("LOOSE"),
            json!({"value": "é", "type": "x"}),
            json!(null),
        ];
        for value in asked.iter().chain(&values) {
            let searched = values.iter().position(|known| same_value(emails, known, value));
            assert_eq!(index.find(emails, &values, value), searched, "{value}");
        }
    }
}
