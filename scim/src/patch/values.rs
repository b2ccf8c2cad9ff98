//! Application of an operation to the values of one attribute.

use serde_json::{Map, Value};

use super::{
    PatchError, PatchKind,
    index::{MAX_UNINDEXED, SubAttributeIndexes, ValueIndex, WorkBudget},
    sub_attribute::set_sub,
    value_identity::{IndexedValues, MAX_SEARCHED, same, same_text, same_value},
};
use crate::error::ScimType;
use crate::filter::{CompareOp, Filter, Literal, PatchPath, element_matches, plain_equalities};
use crate::json::{get_ci, is_unassigned};
use crate::path::AttrPath;
use crate::schema::{Attribute, AttributeLocation, AttributeType, Mutability, SchemaSet};
use crate::validate::{canonical_value, check_single, is_primary};

type Members = Map<String, Value>;

/// One operation on one attribute.
pub(super) struct AttributeEdit<'a> {
    pub(super) op: PatchKind,
    /// The kind in the request. A `replace` with no value is applied as `remove`, but needs a value to replace.
    pub(super) requested: PatchKind,
    pub(super) path: &'a PatchPath,
    pub(super) attr_path: AttrPath,
    pub(super) found: AttributeLocation<'a>,
    pub(super) value: Option<&'a Value>,
    pub(super) place: String,
    pub(super) schemas: &'a SchemaSet,
    /// Whether the request has enough operations to build indexes for them.
    pub(super) many: bool,
    pub(super) work: &'a WorkBudget,
}

impl AttributeEdit<'_> {
    /// Whether the operation keeps the indexes of the values up to date.
    fn keeps_index(&self) -> bool {
        match (&self.path.filter, self.found.sub, self.op) {
            (Some(_), _, _) => true,
            (None, None, PatchKind::Add) => true,
            (None, None, PatchKind::Remove) => !self.value.is_none_or(is_unassigned),
            _ => false,
        }
    }
}

/// Returns the new value of the attribute, or `None` if it has none.
pub(super) fn edit(
    edit: &AttributeEdit<'_>,
    current: Option<Value>,
    index: &mut Option<ValueIndex>,
) -> Result<Option<Value>, PatchError> {
    if edit.found.attribute.multi_valued {
        let values = match current {
            Some(Value::Array(values)) => values,
            Some(single) => vec![single],
            None => Vec::new(),
        };
        let mut list = ValueList {
            edit,
            values,
            new_primaries: Vec::new(),
            made: None,
            touched: Vec::new(),
            index: index.take().unwrap_or_default(),
        };
        let keeps = edit.keeps_index();
        if !keeps {
            list.index.compact(&mut list.values);
        }
        list.run()?;
        list.check_made()?;
        list.settle_primary()?;
        list.drop_empty(keeps);
        if list.index.removed == list.values.len() || !(keeps && edit.many) {
            list.index.compact(&mut list.values);
        } else {
            *index = Some(list.index);
        }
        return Ok(Some(Value::Array(list.values)));
    }
    // The one value has the first position.
    let mut known = index.take().unwrap_or_default();
    let next = edit.single(current, &mut known.lists)?;
    if edit.many && edit.op == PatchKind::Add {
        *index = Some(known);
    }
    Ok(next)
}

impl AttributeEdit<'_> {
    fn single(
        &self,
        current: Option<Value>,
        lists: &mut SubAttributeIndexes,
    ) -> Result<Option<Value>, PatchError> {
        let attr = self.found.attribute;
        let mut members = match current {
            Some(Value::Object(members)) if attr.is_complex() => members,
            _ => Members::new(),
        };
        let new = members.is_empty();
        match (self.found.sub, self.given(self.value)) {
            (Some(sub), _) => self.set_sub(&mut members, sub, self.value, &self.place, (0, lists))?,
            (None, None) => return Ok(None),
            (None, Some(given)) if attr.is_complex() => self.merge(&mut members, given, (0, lists))?,
            (None, Some(given)) => return self.checked(given).map(Some),
        }
        if members.is_empty() {
            return Ok(None);
        }
        let value = Value::Object(members);
        if new { self.checked(&value).map(Some) } else { Ok(Some(value)) }
    }

    /// Returns the value to set, which a removal does not have.
    fn given<'v>(&self, value: Option<&'v Value>) -> Option<&'v Value> {
        if self.op == PatchKind::Remove { None } else { value }
    }

    /// Returns a valid value of the attribute in canonical spelling.
    fn checked(&self, value: &Value) -> Result<Value, PatchError> {
        let attr = self.found.attribute;
        let value = canonical_value(value, attr);
        check_single(attr, &value, &self.place).map_err(PatchError::values)?;
        Ok(value)
    }

    /// Sets the sub-attributes of a complex value.
    fn merge(
        &self,
        members: &mut Members,
        value: &Value,
        (at, lists): (usize, &mut SubAttributeIndexes),
    ) -> Result<(), PatchError> {
        let attr = self.found.attribute;
        let Value::Object(given) = value else {
            return Err(PatchError::new(ScimType::InvalidValue, &self.place, "must be an object"));
        };
        for (key, value) in given {
            let place = format!("{}.{key}", self.place);
            let sub = attr.sub(key).ok_or_else(|| {
                PatchError::new(ScimType::InvalidValue, &place, "is not an attribute of the schema")
                    .about(place.clone())
            })?;
            if sub.mutability != Mutability::ReadOnly {
                self.set_sub(members, sub, Some(value), &place, (at, lists))?;
            }
        }
        Ok(())
    }

    /// Returns a new value of the attribute: canonical, without `null` and read-only sub-attributes.
    fn fresh(&self, value: &Value) -> Result<Value, PatchError> {
        if !self.found.attribute.is_complex() {
            return self.checked(value);
        }
        let mut members = Members::new();
        self.merge(&mut members, value, (0, &mut SubAttributeIndexes::default()))?;
        self.checked(&Value::Object(members))
    }

    /// Sets a sub-attribute of the value at a position.
    fn set_sub(
        &self,
        members: &mut Members,
        sub: &Attribute,
        value: Option<&Value>,
        place: &str,
        (at, lists): (usize, &mut SubAttributeIndexes),
    ) -> Result<(), PatchError> {
        let known = lists.take(at, sub);
        if let Some(known) = set_sub(members, sub, (self.op, self.many), value, place, self.work, known)? {
            lists.put(at, sub, known);
        }
        Ok(())
    }
}

/// Returns the sub-attribute and the text of a filter that compares one text, so that the schema is consulted once and
/// not for each of many values. A value that is not complex is its own `value`.
fn plain_text<'f>(filter: &'f Filter, attr: &'f Attribute) -> Option<(&'f Attribute, &'f str)> {
    let Filter::Compare { path, op: CompareOp::Eq, value: Literal::String(text) } = filter else {
        return None;
    };
    let sub = match attr.sub(path.name.as_str()) {
        None if !attr.is_complex() && path.name == *"value" => attr,
        sub => sub?,
    };
    let plain = path.urn.is_none() && path.sub.is_none();
    let text_like = matches!(sub.kind, AttributeType::String | AttributeType::Reference);
    (plain && text_like).then_some((sub, text.as_str()))
}

/// Returns the comparisons with one text that every selected value satisfies.
fn plain_parts<'f>(filter: &'f Filter, attr: &'f Attribute) -> Vec<(&'f Attribute, &'f str)> {
    match filter {
        Filter::And(parts) => parts.iter().filter_map(|part| plain_text(part, attr)).collect(),
        other => plain_text(other, attr).into_iter().collect(),
    }
}

/// Returns how many comparisons a filter makes per value.
fn comparisons(filter: &Filter) -> usize {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().map(comparisons).sum(),
        Filter::Not(inner) | Filter::ValuePath { filter: inner, .. } => comparisons(inner),
        Filter::Compare { .. } | Filter::Present(_) => 1,
    }
}

/// The values of a multi-valued attribute while an operation changes them.
struct ValueList<'e, 'a> {
    edit: &'e AttributeEdit<'a>,
    values: Vec<Value>,
    /// The values that the operation made primary.
    new_primaries: Vec<usize>,
    /// The value that the operation created.
    made: Option<usize>,
    /// The values that the operation changed, which may be empty now.
    touched: Vec<usize>,
    index: ValueIndex,
}

impl ValueList<'_, '_> {
    fn run(&mut self) -> Result<(), PatchError> {
        let edit = self.edit;
        match (&edit.path.filter, edit.found.sub) {
            (None, None) => self.whole(),
            (None, Some(sub)) => {
                if self.values.is_empty() && edit.op != PatchKind::Remove {
                    self.make(Members::new());
                }
                edit.work.spend(self.values.len())?;
                let all: Vec<usize> = (0..self.values.len()).collect();
                self.set_in(&all, sub)
            }
            (Some(filter), sub) => {
                let selected = self.selected(filter)?;
                match sub {
                    Some(sub) => self.set_in(&selected, sub),
                    None => self.change(&selected),
                }
            }
        }
    }

    /// Applies an operation to the whole attribute.
    fn whole(&mut self) -> Result<(), PatchError> {
        let given = match self.edit.value {
            Some(Value::Array(values)) => values.as_slice(),
            Some(single) => std::slice::from_ref(single),
            None => &[],
        };
        let given = given.iter().filter(|value| !value.is_null());
        match self.edit.op {
            PatchKind::Remove if self.edit.value.is_none_or(is_unassigned) => self.values.clear(),
            PatchKind::Remove => {
                let attr = self.edit.found.attribute;
                let known = self.identities()?;
                let mut gone = Vec::new();
                for value in given {
                    self.edit.work.spend(known.cost(attr, value))?;
                    gone.extend(known.all(attr, &self.values, value));
                }
                self.index.identities = Some(known);
                self.take_out(&gone);
            }
            PatchKind::Add => {
                let many = given.clone().count() > MAX_SEARCHED || self.values.len() > MAX_UNINDEXED;
                if many {
                    let known = self.identities()?;
                    self.index.identities = Some(known);
                }
                for value in given {
                    let value = self.edit.fresh(value)?;
                    if value.as_object().is_none_or(|members| !members.is_empty()) {
                        self.add(value)?;
                    }
                }
            }
            PatchKind::Replace => {
                self.values = given.map(|value| self.edit.fresh(value)).collect::<Result<_, _>>()?;
                self.new_primaries = self.primaries();
            }
        }
        Ok(())
    }

    /// Returns the index of the values by identity.
    fn identities(&mut self) -> Result<IndexedValues, PatchError> {
        if let Some(known) = self.index.identities.take() {
            return Ok(known);
        }
        self.edit.work.spend(self.values.len())?;
        Ok(IndexedValues::of(self.edit.found.attribute, &self.values))
    }

    /// Removes values. The others keep their positions.
    fn take_out(&mut self, gone: &[usize]) {
        for &at in gone {
            if let Some(value) = self.values.get_mut(at).filter(|value| !value.is_null()) {
                *value = Value::Null;
                self.index.removed += 1;
            }
        }
    }

    /// Removes the values that the operation emptied.
    fn drop_empty(&mut self, keeps_index: bool) {
        let empty = |value: &Value| value.as_object().is_some_and(Members::is_empty);
        if !keeps_index {
            self.values.retain(|value| !empty(value));
            return;
        }
        let touched = std::mem::take(&mut self.touched);
        let gone: Vec<usize> =
            touched.into_iter().filter(|at| self.values.get(*at).is_some_and(empty)).collect();
        self.take_out(&gone);
    }

    fn add(&mut self, value: Value) -> Result<(), PatchError> {
        let attr = self.edit.found.attribute;
        let new_primaries = is_primary(&value);
        let found = match &self.index.identities {
            Some(known) => {
                self.edit.work.spend(known.cost(attr, &value))?;
                known.find(attr, &self.values, &value)
            }
            None => self.values.iter().position(|existing| same_value(attr, existing, &value)),
        };
        let at = found.unwrap_or(self.values.len());
        match (self.values.get_mut(at), value) {
            (Some(Value::Object(members)), Value::Object(given)) => {
                for changed in complete(self.edit, members, &given, (at, &mut self.index.lists))? {
                    self.index.changed(changed);
                }
            }
            (Some(_), _) => {}
            (None, value) => {
                self.index.appended(attr, at, &value);
                self.values.push(value);
            }
        }
        if new_primaries {
            self.new_primaries.push(at);
        }
        Ok(())
    }

    /// Returns the positions of the values that a filter selects; `add` creates the described value if there is none.
    fn selected(&mut self, filter: &Filter) -> Result<Vec<usize>, PatchError> {
        let edit = self.edit;
        let parent = AttrPath { sub: None, ..edit.attr_path.clone() };
        let plain = plain_text(filter, edit.found.attribute);
        let found = |value: &Value| {
            if let (Some((sub, text)), Value::Object(members)) = (plain, value)
                && let Some(Value::String(found)) = get_ci(members, sub.name.as_str())
            {
                return same_text(sub, found, text);
            }
            element_matches(filter, value, &parent, edit.schemas)
        };
        let there = |at: &usize| self.values.get(*at).is_some_and(|value| !value.is_null() && found(value));
        let many = edit.many && self.values.len() > MAX_UNINDEXED;
        let mut candidates: Option<Vec<usize>> = None;
        for (sub, text) in plain_parts(filter, edit.found.attribute).into_iter().filter(|_| many) {
            let having = self.index.having(sub, &self.values, text, edit.work)?;
            if candidates.as_ref().is_none_or(|fewest| having.len() < fewest.len()) {
                candidates = Some(having);
            }
        }
        let count = candidates.as_ref().map_or(self.values.len(), Vec::len);
        edit.work.spend(count.saturating_mul(comparisons(filter)).saturating_add(1))?;
        let selected: Vec<usize> = match candidates {
            Some(candidates) => candidates.into_iter().filter(there).collect(),
            None => (0..self.values.len()).filter(there).collect(),
        };
        // RFC 7644 §3.5.2.2 has no error for the removal of a missing value.
        if !selected.is_empty() || edit.requested == PatchKind::Remove {
            return Ok(selected);
        }
        let described = if edit.op == PatchKind::Add { self.described(filter) } else { None };
        let Some(described) = described else {
            return Err(PatchError::new(ScimType::NoTarget, &edit.place, "selects no value"));
        };
        let mut members = Members::new();
        edit.merge(&mut members, &Value::Object(described), (0, &mut SubAttributeIndexes::default()))?;
        Ok(vec![self.make(members)])
    }

    fn make(&mut self, members: Members) -> usize {
        let at = self.values.len();
        let value = Value::Object(members);
        if is_primary(&value) {
            self.new_primaries.push(at);
        }
        self.index.appended(self.edit.found.attribute, at, &value);
        self.values.push(value);
        self.made = Some(at);
        at
    }

    /// Checks that the created value is complete in the end.
    fn check_made(&self) -> Result<(), PatchError> {
        match self.made.and_then(|at| self.values.get(at)) {
            Some(made) => self.edit.checked(made).map(drop),
            None => Ok(()),
        }
    }

    fn described(&self, filter: &Filter) -> Option<Members> {
        if !self.edit.found.attribute.is_complex() {
            return None;
        }
        let value = |literal: &Literal| match literal {
            Literal::String(text) => Value::from(text.as_str()),
            Literal::Number(number) => Value::Number(number.clone()),
            Literal::Bool(flag) => Value::Bool(*flag),
            Literal::Null => Value::Null,
        };
        let equalities = plain_equalities(filter)?;
        Some(equalities.into_iter().map(|(name, literal)| (name.to_string(), value(literal))).collect())
    }

    /// Replaces or removes the selected values.
    fn change(&mut self, selected: &[usize]) -> Result<(), PatchError> {
        let edit = self.edit;
        let Some(given) = edit.given(edit.value) else {
            self.take_out(selected);
            return Ok(());
        };
        edit.work.spend(selected.len())?;
        // Some clients send the new value as an array of one.
        let given = match given.as_array().map(Vec::as_slice) {
            Some([one]) => one,
            _ => given,
        };
        for &i in selected {
            match &mut self.values[i] {
                Value::Object(members) => edit.merge(members, given, (i, &mut self.index.lists))?,
                simple => *simple = edit.checked(given)?,
            }
            if is_primary(given) {
                self.new_primaries.push(i);
            }
        }
        match given {
            Value::Object(given) => given.keys().for_each(|sub| self.index.changed(sub)),
            _ => self.index.forget(),
        }
        self.touched.extend_from_slice(selected);
        Ok(())
    }

    /// Sets a sub-attribute of the selected values.
    fn set_in(&mut self, selected: &[usize], sub: &Attribute) -> Result<(), PatchError> {
        let edit = self.edit;
        let given = edit.given(edit.value);
        for &i in selected {
            if let Value::Object(members) = &mut self.values[i] {
                edit.set_sub(members, sub, edit.value, &edit.place, (i, &mut self.index.lists))?;
                if sub.name == *"primary" && given == Some(&Value::Bool(true)) {
                    self.new_primaries.push(i);
                }
            }
        }
        self.index.changed(sub.name.as_str());
        self.touched.extend_from_slice(selected);
        Ok(())
    }

    fn primaries(&self) -> Vec<usize> {
        (0..self.values.len()).filter(|i| is_primary(&self.values[*i])).collect()
    }

    /// Makes the other values not primary if there is a new primary one (RFC 7644 §3.5.2).
    fn settle_primary(&mut self) -> Result<(), PatchError> {
        self.new_primaries.sort_unstable();
        self.new_primaries.dedup();
        let [primary] = self.new_primaries[..] else {
            if self.new_primaries.is_empty() {
                return Ok(());
            }
            let problem = "would have more than one primary value";
            return Err(PatchError::new(ScimType::InvalidValue, &self.edit.place, problem));
        };
        let primaries = if let Some(primaries) = self.index.primaries.take() {
            primaries
        } else {
            self.edit.work.spend(self.values.len())?;
            self.primaries()
        };
        self.index.primaries = Some(vec![primary]);
        for i in primaries {
            if i != primary
                && let Value::Object(members) = &mut self.values[i]
                && let Some(flag) = crate::json::get_ci_mut(members, "primary")
            {
                *flag = Value::Bool(false);
            }
        }
        Ok(())
    }
}

/// Completes an existing value with the sub-attributes of an added one, and returns the changed sub-attributes. An
/// existing immutable sub-attribute stays.
fn complete<'a>(
    edit: &AttributeEdit<'a>,
    members: &mut Members,
    given: &Members,
    (at, lists): (usize, &mut SubAttributeIndexes),
) -> Result<Vec<&'a str>, PatchError> {
    let mut changed = Vec::new();
    for sub in &edit.found.attribute.sub_attributes {
        let name = sub.name.as_str();
        let Some(value) = given.get(name) else { continue };
        let existing = get_ci(members, name);
        let stays = existing.is_some_and(|e| sub.mutability == Mutability::Immutable || same(sub, e, value));
        if !stays {
            edit.set_sub(members, sub, Some(value), &edit.place, (at, lists))?;
            changed.push(name);
        }
    }
    Ok(changed)
}
