//! The pass over the text of a body.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use super::decode_plan::{AttributePlan, AttributeRole, ObjectPlan, ValueHandling};
use super::{
    DecodeError, DecodeOptions, DecodedResource, MAX_DROPPED, Rejection, ResourceDecoder, write_text,
};
use crate::dialect::{Dialect, DialectUse};
use crate::json::is_unassigned;
use crate::rules::{self, JsonValue, ListedSchemas, Problem, ProblemKind, ResourceForm};
use crate::schema::AttributeType;
use crate::validate::{ValidateOptions, check_attribute};

pub(super) fn read(
    decoder: &ResourceDecoder,
    body: &[u8],
    options: DecodeOptions,
) -> Result<DecodedResource, Rejection> {
    let mut pass = Pass {
        decoder,
        options,
        dialect_use: DialectUse::new(options.dialects),
        out: DecodedResource { members: Vec::with_capacity(body.len() + 16), ..DecodedResource::default() },
        place: Vec::new(),
        problems: Vec::new(),
        has_primary: false,
        used: Vec::new(),
        listed: ListedSchemas::default(),
        not_an_object: false,
    };
    // One check of the whole text is faster than one check of each string.
    let Ok(text) = std::str::from_utf8(body) else {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let error = IgnoredAny::deserialize(&mut deserializer).err();
        let error = error.unwrap_or_else(|| serde_json::Error::custom("the text is not UTF-8"));
        return Err(DecodeError::Syntax(error).into());
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = AnyValue(Root(&mut pass)).deserialize(&mut deserializer).and_then(|()| deserializer.end());
    if pass.not_an_object && parsed.is_ok() {
        return Err(DecodeError::NotAnObject.into());
    }
    parsed.map_err(DecodeError::Syntax)?;
    for kind in pass.listed.finish(&pass.used, &decoder.urns, &mut pass.dialect_use) {
        pass.problems.push(Problem { place: "schemas".to_owned(), kind });
    }
    if pass.problems.is_empty() {
        return Ok(DecodedResource { dialects: pass.dialect_use.used(), ..pass.out });
    }
    let (dropped, dropped_more) = (pass.out.dropped, pass.out.dropped_more);
    Err(Rejection { error: DecodeError::Problems(pass.problems), dropped, dropped_more })
}

/// One part of the path to the value that is decoded, for messages.
#[derive(Clone, Copy)]
enum PlaceSegment<'r> {
    Name(&'r str),
    /// A schema URN, which a colon follows.
    Urn(&'r str),
    Index(usize),
}

/// The state of the pass.
struct Pass<'r> {
    decoder: &'r ResourceDecoder,
    options: DecodeOptions,
    dialect_use: DialectUse,
    out: DecodedResource,
    place: Vec<PlaceSegment<'r>>,
    problems: Vec<Problem>,
    /// Whether the object that is decoded is marked as the primary value.
    has_primary: bool,
    /// The positions of the extensions that have a value.
    used: Vec<usize>,
    listed: ListedSchemas,
    not_an_object: bool,
}

/// The positions of the attributes that an object has.
#[derive(Default)]
struct GivenMembers {
    /// Those below 64, as bits.
    first: u64,
    more: Vec<usize>,
}

impl GivenMembers {
    /// Adds an attribute. Returns whether it was new.
    fn insert(&mut self, at: usize) -> bool {
        let is_new = !self.has(at);
        if at < 64 {
            self.first |= 1 << at;
        } else if is_new {
            self.more.push(at);
        }
        is_new
    }

    fn remove(&mut self, at: usize) {
        if at < 64 {
            self.first &= !(1 << at);
        }
        self.more.retain(|other| *other != at);
    }

    fn has(&self, at: usize) -> bool {
        if at < 64 { self.first & (1 << at) != 0 } else { self.more.contains(&at) }
    }
}

/// The content of a member, which tells later whether it had a value.
#[derive(Clone, Copy)]
struct Progress {
    members: usize,
    secrets: usize,
    problems: usize,
}

impl<'r> Pass<'r> {
    fn place(&self, last: Option<&str>) -> String {
        let mut text = String::new();
        for segment in &self.place {
            match segment {
                PlaceSegment::Name(name) => {
                    if !text.is_empty() && !text.ends_with(':') {
                        text.push('.');
                    }
                    text.push_str(name);
                }
                PlaceSegment::Urn(urn) => {
                    text.push_str(urn);
                    text.push(':');
                }
                PlaceSegment::Index(at) => {
                    text.push('[');
                    text.push_str(&at.to_string());
                    text.push(']');
                }
            }
        }
        if let Some(last) = last {
            if !text.is_empty() && !text.ends_with(':') {
                text.push('.');
            }
            text.push_str(last);
        }
        text.strip_suffix(':').map(str::to_owned).unwrap_or(text)
    }

    fn problem(&mut self, kind: ProblemKind) {
        let place = self.place(None);
        self.problems.push(Problem { place, kind });
    }

    /// Adds the problem of a broken rule. Returns whether there was none.
    fn check(&mut self, checked: Result<(), ProblemKind>) -> bool {
        checked.map_err(|kind| self.problem(kind)).is_ok()
    }

    fn check_value(&mut self, plan: &AttributePlan, value: JsonValue<'_>) -> bool {
        self.check(rules::check_value(&plan.attribute, value, self.options.enforce_canonical_values))
    }

    fn unknown(&mut self, name: &str) {
        self.unknown_at(|pass| pass.place(Some(name)));
    }

    /// Refuses or drops an attribute that no schema defines. `place` is asked only if it is kept.
    fn unknown_at(&mut self, place: impl FnOnce(&Self) -> String) {
        if self.options.refuse_unknown {
            let place = place(self);
            self.problems.push(Problem { place, kind: ProblemKind::Unknown });
        } else if self.out.dropped.len() < MAX_DROPPED {
            let place = place(self);
            self.out.dropped.push(place);
        } else {
            self.out.dropped_more += 1;
        }
    }

    /// Adds the problems of a value that was read as a tree: an attribute in it that no schema defines is dropped under
    /// the same option as elsewhere.
    fn add_problems(&mut self, problems: impl IntoIterator<Item = Problem>) {
        for Problem { place, kind } in problems {
            match kind {
                ProblemKind::Unknown => self.unknown_at(|_| place),
                kind => self.problems.push(Problem { place, kind }),
            }
        }
    }

    /// Adds the required attributes of an object that are missing.
    fn require(&mut self, plan: &ObjectPlan, given: &GivenMembers) {
        for at in plan.required.iter().filter(|at| !given.has(**at)) {
            let place = self.place(Some(plan.nodes[*at].attribute.name.as_str()));
            self.problems.push(Problem { place, kind: ProblemKind::Missing });
        }
    }

    fn progress(&self) -> Progress {
        Progress {
            members: self.out.members.len(),
            secrets: self.out.secrets.len(),
            problems: self.problems.len(),
        }
    }

    /// Whether a value has been decoded since a mark. Secrets are values too, though they are not written.
    fn has_value_since(&self, before: Progress) -> bool {
        self.out.members.len() > before.members || self.out.secrets.len() > before.secrets
    }

    /// Begins a member: a comma if one is due, and the key. Returns the length to cut back to if no value follows, and
    /// the length behind the key.
    fn begin(&mut self, key: &[u8]) -> (usize, usize) {
        let out = &mut self.out.members;
        let before = out.len();
        if !matches!(out.last(), None | Some(b'{' | b'[')) {
            out.push(b',');
        }
        out.extend_from_slice(key);
        (before, out.len())
    }

    /// Decodes the members of an object. Returns whether any was written.
    fn object<'de, A: MapAccess<'de>>(
        &mut self,
        plan: &'r ObjectPlan,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        let mut given = GivenMembers::default();
        let before = self.progress();
        while let Some(key) = map.next_key_seed(Key)? {
            if let Some(at) = plan.find(&key) {
                self.member(plan, at, &mut given, map)?;
            } else {
                self.unknown(&key);
                map.next_value::<IgnoredAny>()?;
            }
        }
        if self.has_value_since(before) {
            self.require(plan, &given);
        }
        Ok(self.out.members.len() > before.members)
    }

    fn member<'de, A: MapAccess<'de>>(
        &mut self,
        object: &'r ObjectPlan,
        at: usize,
        given: &mut GivenMembers,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let plan = &object.nodes[at];
        self.place.push(PlaceSegment::Name(plan.attribute.name.as_str()));
        if !given.insert(at) {
            return Err(A::Error::custom(format_args!("{} {}", self.place(None), ProblemKind::Repeated)));
        }
        let before = self.progress();
        let is_given = match plan.handling {
            _ if plan.role == AttributeRole::Schemas => {
                map.next_value_seed(AnyValue(SchemasMember(self)))?;
                true
            }
            ValueHandling::Ignore if self.place.len() == 1 => {
                let value = map.next_value_seed(ValueTree)?;
                self.out.read_only_top.push((plan.attribute.name.to_string(), value));
                true
            }
            ValueHandling::Ignore => {
                let is_given = map.next_value::<Option<IgnoredAny>>()?.is_some();
                if is_given && self.out.read_only.len() < MAX_DROPPED {
                    let place = self.place(None);
                    self.out.read_only.push(place);
                }
                true
            }
            ValueHandling::Capture => {
                let value = map.next_value_seed(ValueTree)?;
                self.capture(plan, value)
            }
            ValueHandling::Secret => {
                let value = map.next_value_seed(ValueTree)?;
                self.secret(plan, value);
                self.has_value_since(before)
            }
            handling @ (ValueHandling::Write | ValueHandling::WriteOnRequest) => {
                let (cut, after_key) = self.begin(&plan.key);
                map.next_value_seed(AnyValue(AttributeValue { pass: self, plan }))?;
                let wrote = self.out.members.len() > after_key;
                if !wrote {
                    self.out.members.truncate(cut);
                }
                self.out.on_request |= wrote && handling == ValueHandling::WriteOnRequest;
                self.has_value_since(before)
            }
        };
        // An attribute with a problem is not missing too.
        if !is_given && self.problems.len() == before.problems {
            given.remove(at);
        }
        self.place.pop();
        Ok(())
    }

    /// Hands over the captured value. Returns whether there is one.
    fn capture(&mut self, plan: &AttributePlan, value: Value) -> bool {
        let is_given = !is_unassigned(&value);
        if is_given {
            // The caller resolves these values, and compares their texts with what it finds.
            let options = ValidateOptions { form: ResourceForm::Request, ..ValidateOptions::default() };
            let checked = check_attribute(&plan.attribute, &value, &self.place(None), options);
            self.add_problems(checked.err().into_iter().flatten());
        }
        // An empty array says that there are no values, and differs from a missing one.
        if is_given || value.is_array() {
            self.out.captured = Some(value);
        }
        is_given
    }

    /// Hands over a value that is never returned.
    fn secret(&mut self, plan: &AttributePlan, value: Value) {
        let options = ValidateOptions {
            canonical_values: self.options.enforce_canonical_values,
            form: ResourceForm::Request,
        };
        match check_attribute(&plan.attribute, &value, &self.place(None), options) {
            Ok(true) => self.out.secrets.push((plan.attribute.name.to_string(), value)),
            Ok(false) => {}
            Err(problems) => self.add_problems(problems),
        }
    }

    fn text(&mut self, plan: &AttributePlan, given: JsonText<'_>) {
        let text = given.text;
        if plan.attribute.kind == AttributeType::Boolean
            && let Some(value) = boolean_of(text)
            && self.dialect_use.record(Dialect::StringBoolean)
        {
            return self.boolean(plan, value);
        }
        if self.dialect_use.accepts(Dialect::BareManager) && self.bare_manager(plan, given) {
            return;
        }
        if !self.check_value(plan, JsonValue::Text(text)) {
            return;
        }
        if let Some(indexed) = plan.indexed {
            self.out.indexed.push((indexed, text.to_owned()));
        }
        given.write(&mut self.out.members);
    }

    /// Decodes a text as the `value` of a manager. Returns whether the attribute is one.
    fn bare_manager(&mut self, plan: &AttributePlan, given: JsonText<'_>) -> bool {
        if !plan.attribute.is_manager() {
            return false;
        }
        let Some(at) = plan.subs.find("value") else { return false };
        self.dialect_use.record(Dialect::BareManager);
        let sub = &plan.subs.nodes[at];
        let before = self.out.members.len();
        self.out.members.push(b'{');
        let (_, after_key) = self.begin(&sub.key);
        self.text(sub, given);
        if self.out.members.len() > after_key {
            self.out.members.push(b'}');
            let mut given = GivenMembers::default();
            given.insert(at);
            self.require(&plan.subs, &given);
        } else {
            self.out.members.truncate(before);
        }
        true
    }

    fn boolean(&mut self, plan: &AttributePlan, value: bool) {
        if !self.check_value(plan, JsonValue::Boolean) {
            return;
        }
        match plan.role {
            AttributeRole::Active => self.out.active = Some(value),
            AttributeRole::Primary => self.has_primary |= value,
            AttributeRole::Plain | AttributeRole::Schemas => {}
        }
        self.out.members.extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn number(&mut self, plan: &AttributePlan, number: &Number) {
        if self.check_value(plan, JsonValue::Number(number)) {
            let text = number.to_string();
            self.out.members.extend_from_slice(text.as_bytes());
            self.out.indexed.extend(plan.indexed.map(|indexed| (indexed, text)));
        }
    }
}

/// Returns the boolean that some clients write as this text.
fn boolean_of(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// The name of a member, copied only if it has escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A value as a tree.
struct ValueTree;

impl<'de> DeserializeSeed<'de> for ValueTree {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }
}

/// A value of any type, decoded by a visitor.
struct AnyValue<V>(V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for AnyValue<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_any(self.0)
    }
}

/// The text of a JSON string.
#[derive(Clone, Copy)]
struct JsonText<'t> {
    text: &'t str,
    /// Whether the JSON has the text without escapes.
    is_plain: bool,
}

impl JsonText<'_> {
    fn write(self, out: &mut Vec<u8>) {
        if self.is_plain {
            out.reserve(self.text.len() + 2);
            out.push(b'"');
            out.extend_from_slice(self.text.as_bytes());
            out.push(b'"');
        } else {
            write_text(out, self.text);
        }
    }
}

/// The visitors accept every JSON value and add the problems with it: only bad syntax is an error to serde.
macro_rules! scalars {
    ($value:ty, $text:expr, $flag:expr, $number:expr, $null:expr) => {
        fn visit_str<E>(self, text: &str) -> Result<$value, E> {
            Ok($text(self, JsonText { text, is_plain: false }))
        }

        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<$value, E> {
            Ok($text(self, JsonText { text, is_plain: true }))
        }

        fn visit_bool<E>(self, flag: bool) -> Result<$value, E> {
            Ok($flag(self, flag))
        }

        fn visit_i64<E>(self, number: i64) -> Result<$value, E> {
            Ok($number(self, Number::from(number)))
        }

        fn visit_u64<E>(self, number: u64) -> Result<$value, E> {
            Ok($number(self, Number::from(number)))
        }

        fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<$value, E> {
            let number = Number::from_f64(number).ok_or_else(|| E::custom("a number is not finite"))?;
            Ok($number(self, number))
        }

        fn visit_unit<E>(self) -> Result<$value, E> {
            Ok($null(self))
        }
    };
}

// These modules use the macro above.
mod listed_schemas;
mod values;

use listed_schemas::SchemasMember;
use values::{AttributeValue, ExtensionValue};

/// The resource.
struct Root<'p, 'r>(&'p mut Pass<'r>);

impl<'de> Visitor<'de> for Root<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a resource")
    }

    scalars!(
        (),
        |this: Self, _| this.0.not_an_object = true,
        |this: Self, _| this.0.not_an_object = true,
        |this: Self, _| this.0.not_an_object = true,
        |this: Self| this.0.not_an_object = true
    );

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.not_an_object = true;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let pass = self.0;
        let decoder = pass.decoder;
        let mut given = GivenMembers::default();
        while let Some(key) = map.next_key_seed(Key)? {
            if let Some(at) = decoder.top.find(&key) {
                pass.member(&decoder.top, at, &mut given, &mut map)?;
            } else if let Some(at) = decoder.urns.extension(&key) {
                pass.extension(at, &mut map)?;
            } else {
                pass.unknown(&key);
                map.next_value::<IgnoredAny>()?;
            }
        }
        pass.require(&decoder.top, &given);
        for (at, extension) in decoder.extensions.iter().enumerate() {
            if extension.required && !pass.used.contains(&at) {
                let place = extension.urn.to_string();
                pass.problems.push(Problem { place, kind: ProblemKind::Missing });
            }
        }
        Ok(())
    }
}

impl Pass<'_> {
    fn extension<'de, A: MapAccess<'de>>(&mut self, at: usize, map: &mut A) -> Result<(), A::Error> {
        let extension = &self.decoder.extensions[at];
        if self.used.contains(&at) {
            return Err(A::Error::custom(format_args!("{} {}", extension.urn, ProblemKind::Repeated)));
        }
        let before = self.progress();
        let (cut, _) = self.begin(&extension.key);
        self.out.members.push(b'{');
        self.place.push(PlaceSegment::Urn(&extension.urn));
        let wrote = map.next_value_seed(AnyValue(ExtensionValue { pass: self, plan: &extension.members }))?;
        self.place.pop();
        if wrote {
            self.out.members.push(b'}');
            self.out.extensions.push(at);
        } else {
            self.out.members.truncate(cut);
        }
        // An extension with a problem is not missing too.
        if self.has_value_since(before) || self.problems.len() > before.problems {
            self.used.push(at);
        }
        Ok(())
    }
}
