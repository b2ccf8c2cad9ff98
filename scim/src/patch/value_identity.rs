//! Which value of a multi-valued attribute is the same as another.

use std::borrow::Cow;

use hashbrown::HashMap;
use serde_json::{Map, Value};

use crate::{
    path::get_ci,
    schema::Attribute,
    text::{lower_case, same_without_case},
};

/// From more values than this on, an index costs less than a search for each.
pub(super) const MAX_SEARCHED: usize = 4;

/// Values by their text, so that groups of many members need no search from end to end; those without one by all that
/// they say.
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
            None => self.others.entry(all_of(attr, value)).or_default().push(at),
        }
    }

    /// The first of the values that is the same as this one. A value with a text is never the same
    /// as one without.
    pub(super) fn find(&self, attr: &Attribute, values: &[Value], value: &Value) -> Option<usize> {
        self.all(attr, values, value).next()
    }

    /// All of the values that are the same as this one, in order.
    pub(super) fn all<'k>(
        &'k self,
        attr: &'k Attribute,
        values: &'k [Value],
        value: &'k Value,
    ) -> impl Iterator<Item = usize> + 'k {
        let candidates = self.candidates(attr, value).iter().copied();
        candidates.filter(move |at| values.get(*at).is_some_and(|known| same_value(attr, known, value)))
    }

    /// How many values are looked at to find one.
    pub(super) fn cost(&self, attr: &Attribute, value: &Value) -> usize {
        self.candidates(attr, value).len() + 1
    }

    fn candidates(&self, attr: &Attribute, value: &Value) -> &[usize] {
        match text_of(attr, value) {
            Some(text) => self.by_text.get(text.as_ref()).map_or(&[][..], Vec::as_slice),
            None => self.others.get(&all_of(attr, value)).map_or(&[][..], Vec::as_slice),
        }
    }

    /// Whether some values are known by all that they say, so that a change of any sub-attribute counts.
    pub(super) fn has_values_without_text(&self) -> bool {
        !self.others.is_empty()
    }
}

/// What values without a text have in common if [`same_value`] takes them for one; others may have it in common too.
fn all_of(attr: &Attribute, value: &Value) -> String {
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
        // The order of members says nothing.
        Value::Array(_) | Value::Object(_) => String::new(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// The text by which a value is known, as it is compared.
fn text_of<'v>(attr: &Attribute, value: &'v Value) -> Option<Cow<'v, str>> {
    let (attr, value) = match value {
        Value::Object(members) => (attr.sub("value")?, get_ci(members, "value")?),
        simple => (attr, simple),
    };
    let text = value.as_str()?;
    Some(if attr.case_exact { Cow::Borrowed(text) } else { lower_case(text) })
}

/// Whether a value is there already: by `value` and `type`, or by everything but `primary`.
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
    fn the_index_finds_what_a_search_finds() {
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
