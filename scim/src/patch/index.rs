//! Indexes of the values of an attribute, and the bound on the work of a request.
//!
//! Without an index, a request of many operations on an attribute of many values examines every value for every
//! operation. While a request is applied, removed values are `null` and keep their positions, which the indexes hold.

use std::cell::Cell;

use hashbrown::HashMap;
use serde_json::Value;

use super::{PatchError, value_identity::IndexedValues};
use crate::error::ScimType;
use crate::json::get_ci;
use crate::name::AttrName;
use crate::schema::Attribute;
use crate::text::lower_case;

/// The maximum number of values that one request may examine; beyond it the error is `tooMany`.
///
/// A filter such as `emails[value eq "x"]` examines the values that an index finds; a filter without an index examines
/// every value of the attribute, once per comparison.
pub const MAX_WORK: usize = 2_000_000;

/// The maximum number of values that are searched without an index.
pub(super) const MAX_UNINDEXED: usize = 32;

/// Counts the values that a request has examined.
#[derive(Debug, Default)]
pub(super) struct WorkBudget {
    all: Cell<usize>,
    /// The values of the current operation.
    own: Cell<usize>,
}

impl WorkBudget {
    /// Starts the count of the next operation.
    pub(super) fn next(&self) {
        self.own.set(0);
    }

    /// Adds to the count.
    ///
    /// # Errors
    /// The request examines more than [`MAX_WORK`] values.
    pub(super) fn spend(&self, values: usize) -> Result<(), PatchError> {
        self.all.set(self.all.get().saturating_add(values));
        self.own.set(self.own.get().saturating_add(values));
        if self.all.get() <= MAX_WORK {
            return Ok(());
        }
        let problem = if self.own.get() > MAX_WORK {
            format!(
                "looks at more than {MAX_WORK} values (comparisons times values), which is the most for a request; \
                 select with fewer comparisons, or name fewer values"
            )
        } else {
            format!(
                "is one operation too many: the request looks at more than {MAX_WORK} values (operations times values), \
                 which is the most; send fewer operations at once"
            )
        };
        Err(PatchError::new(ScimType::TooMany, "it", problem))
    }
}

/// The indexed values of multi-valued sub-attributes, by the position of the value that has the sub-attribute.
#[derive(Default)]
pub(super) struct SubAttributeIndexes(HashMap<(usize, *const Attribute), IndexedValues>);

impl SubAttributeIndexes {
    /// Removes an index. The caller puts it back while it is valid.
    pub(super) fn take(&mut self, at: usize, sub: &Attribute) -> Option<IndexedValues> {
        self.0.remove(&(at, std::ptr::from_ref(sub)))
    }

    pub(super) fn put(&mut self, at: usize, sub: &Attribute, known: IndexedValues) {
        self.0.insert((at, std::ptr::from_ref(sub)), known);
    }
}

/// The indexes of the values of one attribute.
#[derive(Default)]
pub(super) struct ValueIndex {
    /// The values by their identity.
    pub(super) identities: Option<IndexedValues>,
    /// The positions of primary values.
    pub(super) primaries: Option<Vec<usize>>,
    by_sub: Vec<(AttrName, TextIndex)>,
    /// The indexes of multi-valued sub-attributes. The code that sets a sub-attribute updates them.
    pub(super) lists: SubAttributeIndexes,
    /// The number of removed values, which are `null`.
    pub(super) removed: usize,
}

impl ValueIndex {
    /// Returns the positions of the values whose sub-attribute may be this text, in order.
    pub(super) fn having(
        &mut self,
        sub: &Attribute,
        values: &[Value],
        text: &str,
        work: &WorkBudget,
    ) -> Result<Vec<usize>, PatchError> {
        let found = self.by_sub.iter().position(|(name, _)| *name == sub.name);
        let at = if let Some(at) = found {
            at
        } else {
            work.spend(values.len())?;
            self.by_sub.push((sub.name.clone(), TextIndex::of(sub, values)));
            self.by_sub.len() - 1
        };
        Ok(self.by_sub.get(at).map(|(_, texts)| texts.find(sub, text)).unwrap_or_default())
    }

    /// Adds an appended value. `attr` is the attribute that holds it.
    pub(super) fn appended(&mut self, attr: &Attribute, at: usize, value: &Value) {
        if let Some(identities) = &mut self.identities {
            identities.insert(attr, at, value);
        }
        if let Some(primaries) = &mut self.primaries
            && crate::validate::is_primary(value)
        {
            primaries.push(at);
        }
        for (name, texts) in &mut self.by_sub {
            let sub = attr.sub(name.as_str()).unwrap_or(attr);
            texts.insert(sub, at, value);
        }
    }

    /// Drops the indexes that a change of a sub-attribute invalidates.
    pub(super) fn changed(&mut self, sub: &str) {
        self.by_sub.retain(|(name, _)| *name != *sub);
        if sub.eq_ignore_ascii_case("primary") {
            self.primaries = None;
        } else if sub.eq_ignore_ascii_case("value")
            || self.identities.as_ref().is_some_and(IndexedValues::has_values_without_text)
        {
            self.identities = None;
        }
    }

    /// Drops all indexes.
    pub(super) fn forget(&mut self) {
        *self = Self { removed: self.removed, ..Self::default() };
    }

    /// Deletes the removed values and all indexes, because positions change.
    pub(super) fn compact(&mut self, values: &mut Vec<Value>) {
        if self.removed > 0 {
            values.retain(|value| !value.is_null());
        }
        *self = Self::default();
    }
}

/// The positions of values by the text of one sub-attribute, in the form in which it is compared.
#[derive(Default)]
struct TextIndex {
    by_text: HashMap<String, Vec<usize>>,
    /// The positions of values whose sub-attribute is not a single text.
    others: Vec<usize>,
}

impl TextIndex {
    fn of(sub: &Attribute, values: &[Value]) -> Self {
        let mut texts = Self::default();
        for (at, value) in values.iter().enumerate() {
            texts.insert(sub, at, value);
        }
        texts
    }

    fn insert(&mut self, sub: &Attribute, at: usize, value: &Value) {
        let found = match value {
            Value::Object(members) => get_ci(members, sub.name.as_str()),
            simple => Some(simple),
        };
        match found {
            Some(Value::String(text)) if sub.case_exact => {
                self.by_text.entry_ref(text.as_str()).or_default().push(at);
            }
            Some(Value::String(text)) => self.by_text.entry_ref(&*lower_case(text)).or_default().push(at),
            Some(Value::Null) | None => {}
            Some(_) => self.others.push(at),
        }
    }

    fn find(&self, sub: &Attribute, text: &str) -> Vec<usize> {
        let found =
            if sub.case_exact { self.by_text.get(text) } else { self.by_text.get(&*lower_case(text)) };
        let mut all = found.cloned().unwrap_or_default();
        if !self.others.is_empty() {
            all.extend_from_slice(&self.others);
            all.sort_unstable();
        }
        all
    }
}
