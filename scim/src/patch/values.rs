//! What an operation does to the value of one attribute.

use serde_json::{Map, Value};

use super::{
    PatchError, PatchKind,
    apply::take_ci,
    known::{FEW, Known, same, same_text, same_value},
};
use crate::{
    error::ScimType,
    filter::{CompareOp, Filter, Literal, element_matches, plain_equalities},
    path::{AttrPath, PatchPath, get_ci},
    schema::{Attribute, AttributeType, Located, Mutability, SchemaSet},
    validate::{canonical_value, check_attribute, check_single, is_primary, is_unassigned},
};

type Members = Map<String, Value>;

/// One operation at one attribute.
pub(super) struct Edit<'a> {
    pub(super) op: PatchKind,
    /// Whether the request says `remove`. A `replace` by nothing removes too, but needs something to replace.
    pub(super) says_remove: bool,
    pub(super) path: &'a PatchPath,
    pub(super) attr_path: AttrPath,
    pub(super) found: Located<'a>,
    pub(super) value: Option<&'a Value>,
    pub(super) place: String,
    pub(super) schemas: &'a SchemaSet,
}

/// What is known of the values of an attribute from one operation to the next, so that many operations that add one
/// value each do not search all values each time.
pub(super) struct Index {
    known: Known,
    /// The positions of primary values.
    primaries: Vec<usize>,
}

/// From this many values on they are indexed even for one that is added.
const INDEXED: usize = 32;

impl Edit<'_> {
    /// Whether an index of the values is still good after this operation: it only adds.
    pub(super) fn only_adds(&self) -> bool {
        self.op == PatchKind::Add && self.path.filter.is_none() && self.found.sub.is_none()
    }
}

/// The attribute's new value; nothing where it has none any more.
pub(super) fn edit(
    edit: &Edit<'_>,
    current: Option<Value>,
    index: &mut Option<Index>,
) -> Result<Option<Value>, PatchError> {
    if edit.found.attribute.multi_valued {
        let values = match current {
            Some(Value::Array(values)) => values,
            Some(single) => vec![single],
            None => Vec::new(),
        };
        let only_adds = edit.only_adds();
        let mut list =
            List { edit, values, claims: Vec::new(), made: None, index: index.take().filter(|_| only_adds) };
        list.run()?;
        list.check_made()?;
        list.settle_primary()?;
        if !only_adds {
            list.values.retain(|value| value.as_object().is_none_or(|members| !members.is_empty()));
        }
        *index = list.index;
        return Ok(Some(Value::Array(list.values)));
    }
    edit.single(current)
}

impl Edit<'_> {
    fn single(&self, current: Option<Value>) -> Result<Option<Value>, PatchError> {
        let attr = self.found.attribute;
        let mut members = match current {
            Some(Value::Object(members)) if attr.is_complex() => members,
            _ => Members::new(),
        };
        let new = members.is_empty();
        match (self.found.sub, self.given(self.value)) {
            (Some(sub), _) => set_sub(&mut members, sub, self.op, self.value, &self.place)?,
            (None, None) => return Ok(None),
            (None, Some(given)) if attr.is_complex() => self.merge(&mut members, given)?,
            (None, Some(given)) => return self.checked(given).map(Some),
        }
        if members.is_empty() {
            return Ok(None);
        }
        let value = Value::Object(members);
        if new { self.checked(&value).map(Some) } else { Ok(Some(value)) }
    }

    /// What is to be there afterwards, which for a removal is nothing.
    fn given<'v>(&self, value: Option<&'v Value>) -> Option<&'v Value> {
        if self.op == PatchKind::Remove { None } else { value }
    }

    /// A value of the attribute, or one of its values, in canonical spelling.
    fn checked(&self, value: &Value) -> Result<Value, PatchError> {
        let attr = self.found.attribute;
        let value = canonical_value(value, attr);
        match check_single(attr, &value, &self.place).into_iter().next() {
            Some(problem) => Err(PatchError::value(problem)),
            None => Ok(value),
        }
    }

    /// Sets the sub-attributes that a complex value gives.
    fn merge(&self, members: &mut Members, value: &Value) -> Result<(), PatchError> {
        let attr = self.found.attribute;
        let Value::Object(given) = value else {
            return Err(PatchError::new(ScimType::InvalidValue, &self.place, "must be an object"));
        };
        for (key, value) in given {
            let place = format!("{}.{key}", self.place);
            let sub = attr.sub(key).ok_or_else(|| {
                PatchError::new(ScimType::InvalidValue, &place, "is not an attribute of the schema")
            })?;
            if sub.mutability != Mutability::ReadOnly {
                set_sub(members, sub, self.op, Some(value), &place)?;
            }
        }
        Ok(())
    }

    /// A new value of the attribute: canonical, without what is null or read-only.
    fn fresh(&self, value: &Value) -> Result<Value, PatchError> {
        if !self.found.attribute.is_complex() {
            return self.checked(value);
        }
        let mut members = Members::new();
        self.merge(&mut members, value)?;
        self.checked(&Value::Object(members))
    }
}

/// What a filter asks for, if that is one text in one sub-attribute: a look at each of many members
/// then asks no schema again.
fn plain_text<'f>(filter: &'f Filter, attr: &'f Attribute) -> Option<(&'f Attribute, &'f str)> {
    let Filter::Compare { path, op: CompareOp::Eq, value: Literal::String(text) } = filter else {
        return None;
    };
    let sub = attr.sub(path.name.as_str()).filter(|_| path.urn.is_none() && path.sub.is_none())?;
    matches!(sub.kind, AttributeType::String | AttributeType::Reference).then_some((sub, text.as_str()))
}

/// Does an operation to a sub-attribute. One with several values keeps those that it has when others are added, and
/// loses those that are named when they are removed (RFC 7644 §3.5.2.1, §3.5.2.2).
fn set_sub(
    members: &mut Members,
    sub: &Attribute,
    op: PatchKind,
    value: Option<&Value>,
    place: &str,
) -> Result<(), PatchError> {
    let before = take_ci(members, sub.name.as_str()).filter(|value| !is_unassigned(value));
    let given = value.filter(|value| !is_unassigned(value)).map(|value| canonical_value(value, sub));
    let next = match (op, &before, given) {
        (PatchKind::Add, Some(before), Some(given)) if sub.multi_valued => Some(joined(sub, before, given)),
        (PatchKind::Remove, Some(before), Some(given)) if sub.multi_valued => without(sub, before, &given),
        (PatchKind::Remove, _, _) => None,
        (PatchKind::Add | PatchKind::Replace, _, given) => given,
    };
    if let Some(next) = &next
        && let Some(problem) = check_attribute(sub, next, place).into_iter().next()
    {
        return Err(PatchError::value(problem));
    }
    if sub.mutability == Mutability::Immutable && before.is_some() && before != next {
        return Err(PatchError::mutability(place, "is immutable and has a value"));
    }
    match next {
        Some(next) => {
            members.insert(sub.name.to_string(), next);
        }
        None if sub.required => return Err(PatchError::mutability(place, "is required")),
        None => {}
    }
    Ok(())
}

/// The values of a sub-attribute and those that are added to them, each once.
fn joined(sub: &Attribute, before: &Value, given: Value) -> Value {
    let listed = |value: Value| match value {
        Value::Array(values) => values,
        single => vec![single],
    };
    let mut values = listed(before.clone());
    let mut known = Known::of(sub, &values);
    for value in listed(given).into_iter().filter(|value| !value.is_null()) {
        if known.find(sub, &values, &value).is_none() {
            known.insert(sub, values.len(), &value);
            values.push(value);
        }
    }
    Value::Array(values)
}

/// The values of a sub-attribute without those that are named; nothing where none is left.
fn without(sub: &Attribute, before: &Value, given: &Value) -> Option<Value> {
    let listed = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let (mut values, gone) = (listed(before), listed(given));
    let known = Known::of(sub, &gone);
    values.retain(|value| known.find(sub, &gone, value).is_none());
    (!values.is_empty()).then_some(Value::Array(values))
}

/// The values of a multi-valued attribute while an operation changes them.
struct List<'e, 'a> {
    edit: &'e Edit<'a>,
    values: Vec<Value>,
    /// The values that the operation made primary.
    claims: Vec<usize>,
    /// The value that a sub-attribute or a filter called for.
    made: Option<usize>,
    index: Option<Index>,
}

impl List<'_, '_> {
    fn run(&mut self) -> Result<(), PatchError> {
        let edit = self.edit;
        match (&edit.path.filter, edit.found.sub) {
            (None, None) => self.whole(),
            (None, Some(sub)) => {
                if self.values.is_empty() && edit.op != PatchKind::Remove {
                    self.make(Members::new());
                }
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

    /// The attribute as a whole, without a filter.
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
                let given: Vec<Value> = given.cloned().collect();
                let gone = Known::of(attr, &given);
                self.values.retain(|existing| gone.find(attr, &given, existing).is_none());
            }
            PatchKind::Add => {
                let many = given.clone().count() > FEW || self.values.len() > INDEXED;
                if many && self.index.is_none() {
                    let known = Known::of(self.edit.found.attribute, &self.values);
                    self.index = Some(Index { known, primaries: self.primaries() });
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
                self.claims = self.primaries();
            }
        }
        Ok(())
    }

    fn add(&mut self, value: Value) -> Result<(), PatchError> {
        let attr = self.edit.found.attribute;
        let claims = is_primary(&value);
        let found = match &self.index {
            Some(index) => index.known.find(attr, &self.values, &value),
            None => self.values.iter().position(|existing| same_value(attr, existing, &value)),
        };
        let at = found.unwrap_or(self.values.len());
        match (self.values.get_mut(at), value) {
            (Some(Value::Object(members)), Value::Object(given)) => {
                complete(attr, members, &given, &self.edit.place)?;
            }
            (Some(_), _) => {}
            (None, value) => {
                if let Some(index) = &mut self.index {
                    index.known.insert(attr, at, &value);
                }
                self.values.push(value);
            }
        }
        if claims {
            self.claims.push(at);
        }
        Ok(())
    }

    /// The values that a filter selects; for `add`, the one it describes, made if need be.
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
        let selected: Vec<usize> = (0..self.values.len()).filter(|i| found(&self.values[*i])).collect();
        // RFC 7644 §3.5.2.2 knows no error for what is not there: it is removed already.
        if !selected.is_empty() || edit.says_remove {
            return Ok(selected);
        }
        let described = if edit.op == PatchKind::Add { self.described(filter) } else { None };
        let Some(described) = described else {
            return Err(PatchError::new(ScimType::NoTarget, &edit.place, "selects no value"));
        };
        let mut members = Members::new();
        edit.merge(&mut members, &Value::Object(described))?;
        Ok(vec![self.make(members)])
    }

    fn make(&mut self, members: Members) -> usize {
        let at = self.values.len();
        let value = Value::Object(members);
        if is_primary(&value) {
            self.claims.push(at);
        }
        self.values.push(value);
        self.made = Some(at);
        at
    }

    /// A value that was made along the way must be whole in the end.
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

    /// The selected values as a whole.
    fn change(&mut self, selected: &[usize]) -> Result<(), PatchError> {
        let edit = self.edit;
        let Some(given) = edit.given(edit.value) else {
            // The positions are in order.
            let (mut at, mut selected) = (0.., selected.iter().copied().peekable());
            self.values.retain(|_| at.next().is_none_or(|i| selected.next_if_eq(&i).is_none()));
            return Ok(());
        };
        // Some clients send the new value as an array of one.
        let given = match given.as_array().map(Vec::as_slice) {
            Some([one]) => one,
            _ => given,
        };
        for &i in selected {
            match &mut self.values[i] {
                Value::Object(members) => edit.merge(members, given)?,
                simple => *simple = edit.checked(given)?,
            }
            if is_primary(given) {
                self.claims.push(i);
            }
        }
        Ok(())
    }

    /// A sub-attribute of the selected values.
    fn set_in(&mut self, selected: &[usize], sub: &Attribute) -> Result<(), PatchError> {
        let edit = self.edit;
        let given = edit.given(edit.value);
        for &i in selected {
            if let Value::Object(members) = &mut self.values[i] {
                set_sub(members, sub, edit.op, edit.value, &edit.place)?;
                if sub.name == *"primary" && given == Some(&Value::Bool(true)) {
                    self.claims.push(i);
                }
            }
        }
        Ok(())
    }

    fn primaries(&self) -> Vec<usize> {
        (0..self.values.len()).filter(|i| is_primary(&self.values[*i])).collect()
    }

    /// RFC 7644 §3.5.2: a new primary value makes the others not primary.
    fn settle_primary(&mut self) -> Result<(), PatchError> {
        self.claims.sort_unstable();
        self.claims.dedup();
        let [primary] = self.claims[..] else {
            if self.claims.is_empty() {
                return Ok(());
            }
            let problem = "would have more than one primary value";
            return Err(PatchError::new(ScimType::InvalidValue, &self.edit.place, problem));
        };
        let primaries = match &mut self.index {
            Some(index) => std::mem::replace(&mut index.primaries, vec![primary]),
            None => self.primaries(),
        };
        for i in primaries {
            if i != primary
                && let Value::Object(members) = &mut self.values[i]
                && let Some(flag) = crate::path::get_ci_mut(members, "primary")
            {
                *flag = Value::Bool(false);
            }
        }
        Ok(())
    }
}

/// Gives an existing value what it lacks of the same value as it was added. An immutable
/// sub-attribute that it has stays.
fn complete(attr: &Attribute, members: &mut Members, given: &Members, place: &str) -> Result<(), PatchError> {
    for sub in &attr.sub_attributes {
        let name = sub.name.as_str();
        let Some(value) = given.get(name) else { continue };
        let existing = get_ci(members, name);
        let stays = existing.is_some_and(|e| sub.mutability == Mutability::Immutable || same(sub, e, value));
        if !stays {
            set_sub(members, sub, PatchKind::Add, Some(value), place)?;
        }
    }
    Ok(())
}
