//! The model of a resource: what its attributes have to be after each write, by RFC 7644 §3.3 and §3.5. It shares no code with
//! the subject, and knows only the attributes that sequences write.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::explore::attributes::{Attribute, PRIMARY, Shape};
use crate::json::{get, is_absent, same};

/// The values that are expected of a resource, by the place of the attribute in the table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Expected(BTreeMap<usize, Value>);

/// The kind of an operation of a PATCH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PatchKind {
    Replace,
    Add,
    Remove,
}

impl PatchKind {
    /// Returns the word of the protocol.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Add => "add",
            Self::Remove => "remove",
        }
    }
}

/// The target of an operation within an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// The whole attribute.
    Whole,
    /// A sub-attribute of a complex attribute.
    Part(String),
    /// The values whose sub-attribute has this text; then a sub-attribute of these, if any.
    Selected { by: String, text: String, part: Option<String> },
}

impl Expected {
    /// Returns the values that a body sets.
    pub(crate) fn of_body(attributes: &[Attribute], body: &Value) -> Self {
        let values = attributes.iter().enumerate();
        Self(values.filter_map(|(at, known)| Some((at, known.value_in(body)?.clone()))).collect())
    }

    /// Returns the expected value of an attribute.
    pub(crate) fn get(&self, at: usize) -> Option<&Value> {
        self.0.get(&at)
    }

    /// Returns the attributes that have a value.
    pub(crate) fn present(&self) -> Vec<usize> {
        self.0.keys().copied().collect()
    }

    /// Sets or clears an attribute.
    pub(crate) fn set(&mut self, at: usize, value: Option<Value>) {
        match value.filter(|value| !is_absent(Some(value))) {
            Some(value) => drop(self.0.insert(at, value)),
            None => drop(self.0.remove(&at)),
        }
    }

    /// Returns the first attribute whose value in a resource is another, with the value there.
    pub(crate) fn differs<'a>(
        &self,
        attributes: &[Attribute],
        resource: &'a Value,
        is_ignored: impl Fn(usize) -> bool,
    ) -> Option<(usize, Option<&'a Value>)> {
        attributes.iter().enumerate().find_map(|(at, known)| {
            let actual = known.value_in(resource);
            let holds = is_ignored(at) || known.holds(self.get(at), actual);
            (!holds).then_some((at, actual))
        })
    }

    /// Applies one operation of a PATCH (RFC 7644 §3.5.2.1 to §3.5.2.3). Returns whether the target exists: a replace of values
    /// that a filter does not select has to be refused (§3.5.2.3).
    pub(crate) fn patch(
        &mut self,
        at: usize,
        attribute: &Attribute,
        kind: PatchKind,
        target: &Target,
        value: &Value,
    ) -> bool {
        let known = self.0.get(&at).cloned();
        let after = match (&attribute.shape, target) {
            (Shape::Single(_), _) => (kind != PatchKind::Remove).then(|| value.clone()),
            (Shape::Complex(_), Target::Part(part)) => {
                let mut whole = known.unwrap_or_else(|| json!({}));
                set_part(&mut whole, part, (kind != PatchKind::Remove).then_some(value));
                Some(whole)
            }
            (Shape::Complex(_), _) if kind == PatchKind::Remove => None,
            // Sub-attributes that are not named stay, for add and replace alike.
            (Shape::Complex(_), _) => {
                let mut whole = known.unwrap_or_else(|| json!({}));
                for (part, value) in value.as_object().into_iter().flatten() {
                    set_part(&mut whole, part, Some(value));
                }
                Some(whole)
            }
            (Shape::Many(_), Target::Selected { by, text, part }) => {
                let mut all = known.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
                let text = json!(text);
                let is_selected = |element: &Value| get(element, by) == Some(&text);
                if !all.iter().any(is_selected) {
                    return kind == PatchKind::Remove;
                }
                match (kind, part) {
                    (PatchKind::Remove, None) => all.retain(|element| !is_selected(element)),
                    (_, Some(part)) => {
                        // At most one value is primary (RFC 7644 §3.5.2).
                        if part == PRIMARY && *value == json!(true) {
                            for element in &mut all {
                                set_part(element, PRIMARY, None);
                            }
                        }
                        for element in all.iter_mut().filter(|element| is_selected(element)) {
                            set_part(element, part, (kind != PatchKind::Remove).then_some(value));
                        }
                    }
                    (PatchKind::Add | PatchKind::Replace, None) => {
                        for element in all.iter_mut().filter(|element| is_selected(element)) {
                            for (part, value) in value.as_object().into_iter().flatten() {
                                set_part(element, part, Some(value));
                            }
                        }
                    }
                }
                Some(json!(all))
            }
            (Shape::Many(_), Target::Whole | Target::Part(_)) => match kind {
                PatchKind::Remove => None,
                PatchKind::Replace => Some(value.clone()),
                PatchKind::Add => Some(joined(known.as_ref(), value)),
            },
        };
        self.set(at, after);
        true
    }
}

fn set_part(whole: &mut Value, part: &str, value: Option<&Value>) {
    if let Some(members) = whole.as_object_mut() {
        match value {
            Some(value) => drop(members.insert(part.to_owned(), value.clone())),
            None => drop(members.remove(part)),
        }
    }
}

/// Returns values with others added: those that are there already are not added again, and at most one is primary (RFC
/// 7644 §3.5.2, §3.5.2.1).
fn joined(known: Option<&Value>, added: &Value) -> Value {
    let mut all = known.and_then(Value::as_array).cloned().unwrap_or_default();
    for element in added.as_array().into_iter().flatten() {
        if all.iter().any(|known| same(known, element)) {
            continue;
        }
        if get(element, PRIMARY) == Some(&json!(true)) {
            for known in &mut all {
                set_part(known, PRIMARY, None);
            }
        }
        all.push(element.clone());
    }
    json!(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::attributes::{Kind, Part};

    fn attribute(shape: Shape) -> Attribute {
        Attribute { extension: None, name: "x".to_owned(), shape, is_case_exact: false }
    }

    fn parts(names: &[&str]) -> Vec<Part> {
        names
            .iter()
            .map(|name| Part { name: (*name).to_owned(), kind: Kind::Text, is_case_exact: false })
            .collect()
    }

    #[track_caller]
    fn check(shape: Shape, before: &Value, kind: PatchKind, target: &Target, value: &Value, after: &Value) {
        let attribute = attribute(shape);
        let mut expected = Expected::of_body(std::slice::from_ref(&attribute), &json!({ "x": before }));
        expected.patch(0, &attribute, kind, target, value);
        assert_eq!(expected.get(0).unwrap_or(&Value::Null), after);
    }

    #[test]
    fn patch_changes_what_the_rfc_says() {
        let (single, complex) = (Shape::Single(Kind::Text), Shape::Complex(parts(&["a", "b"])));
        let many = Shape::Many(parts(&["value", "type"]));
        let null = &Value::Null;
        check(single.clone(), &json!("o"), PatchKind::Add, &Target::Whole, &json!("n"), &json!("n"));
        check(single, &json!("o"), PatchKind::Remove, &Target::Whole, null, null);
        let name = json!({ "a": "1", "b": "2" });
        check(
            complex.clone(),
            &name,
            PatchKind::Replace,
            &Target::Whole,
            &json!({ "a": "3" }),
            &json!({ "a": "3", "b": "2" }),
        );
        check(complex, &name, PatchKind::Remove, &Target::Part("a".to_owned()), null, &json!({ "b": "2" }));
        let (one, two) = (json!({ "value": "1", "type": "w" }), json!({ "value": "2", "type": "h" }));
        let both = json!([one, two]);
        check(many.clone(), &json!([one]), PatchKind::Add, &Target::Whole, &both, &both);
        check(many.clone(), &both, PatchKind::Replace, &Target::Whole, &json!([two]), &json!([two]));
        let work = |part: Option<&str>| Target::Selected {
            by: "type".to_owned(),
            text: "w".to_owned(),
            part: part.map(ToOwned::to_owned),
        };
        check(many.clone(), &both, PatchKind::Remove, &work(None), null, &json!([two]));
        let changed = json!([{ "value": "9", "type": "w" }, two]);
        check(many, &both, PatchKind::Replace, &work(Some("value")), &json!("9"), &changed);
    }

    #[test]
    fn new_primary_value_takes_the_place_of_the_old_one() {
        let known = json!([{ "value": "1", "primary": true }]);
        let joined = joined(Some(&known), &json!([{ "value": "2", "primary": true }]));
        assert_eq!(joined, json!([{ "value": "1" }, { "value": "2", "primary": true }]));
    }

    #[test]
    fn replace_without_a_selected_value_is_told() {
        let attribute = attribute(Shape::Many(parts(&["value", "type"])));
        let target = Target::Selected { by: "type".to_owned(), text: "w".to_owned(), part: None };
        let mut expected = Expected::default();
        assert!(!expected.patch(0, &attribute, PatchKind::Replace, &target, &json!({ "value": "1" })));
        assert!(expected.patch(0, &attribute, PatchKind::Remove, &target, &Value::Null));
    }
}
