//! Conversion of texts to the booleans that some clients write so.

use serde_json::Value;

use crate::{
    filter::{Filter, Literal},
    schema::{Attribute, AttributeType},
};

/// Returns the value of the attribute with booleans in place of texts, or `None` if it has no such text.
pub(super) fn in_value(attr: &Attribute, value: &Value) -> Option<Value> {
    if !has_text(attr, value) {
        return None;
    }
    let mut value = value.clone();
    convert(attr, &mut value);
    Some(value)
}

/// Returns the value filter on the attribute with booleans in place of texts, or `None` if it has no such text.
pub(super) fn in_filter(attr: &Attribute, filter: &Filter) -> Option<Filter> {
    let mut changed = false;
    let filter = rewrite(attr, filter, &mut changed);
    changed.then_some(filter)
}

fn boolean_of(text: &str) -> Option<bool> {
    [true, false].into_iter().find(|flag| text.eq_ignore_ascii_case(if *flag { "true" } else { "false" }))
}

fn has_text(attr: &Attribute, value: &Value) -> bool {
    match value {
        Value::String(text) => attr.kind == AttributeType::Boolean && boolean_of(text).is_some(),
        Value::Array(values) => values.iter().any(|value| has_text(attr, value)),
        Value::Object(members) => {
            attr.is_complex()
                && members.iter().any(|(key, value)| attr.sub(key).is_some_and(|sub| has_text(sub, value)))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn convert(attr: &Attribute, value: &mut Value) {
    match value {
        Value::String(text) if attr.kind == AttributeType::Boolean => {
            if let Some(flag) = boolean_of(text) {
                *value = Value::Bool(flag);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| convert(attr, value)),
        Value::Object(members) if attr.is_complex() => {
            for (key, value) in members {
                if let Some(sub) = attr.sub(key) {
                    convert(sub, value);
                }
            }
        }
        _ => {}
    }
}

fn rewrite(attr: &Attribute, filter: &Filter, changed: &mut bool) -> Filter {
    match filter {
        Filter::And(parts) => Filter::And(parts.iter().map(|part| rewrite(attr, part, changed)).collect()),
        Filter::Or(parts) => Filter::Or(parts.iter().map(|part| rewrite(attr, part, changed)).collect()),
        Filter::Not(inner) => Filter::Not(Box::new(rewrite(attr, inner, changed))),
        Filter::Compare { path, op, value: Literal::String(text) } => {
            let boolean = attr.sub(path.name.as_str()).is_some_and(|sub| sub.kind == AttributeType::Boolean);
            match boolean_of(text).filter(|_| boolean) {
                Some(flag) => {
                    *changed = true;
                    Filter::Compare { path: path.clone(), op: *op, value: Literal::Bool(flag) }
                }
                None => filter.clone(),
            }
        }
        Filter::Compare { .. } | Filter::Present(_) | Filter::ValuePath { .. } => filter.clone(),
    }
}
