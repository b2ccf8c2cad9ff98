//! The pass over the text.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use super::decode_plan::{Members, Node, Role};
use super::{
    DecodeError, DecodeOptions, DecodedResource, MAX_DROPPED, Rejection, ResourceDecoder, write_text,
};
use crate::precis::{has_control, is_blank};
use crate::schema::AttributeType;
use crate::validate::{
    DATE_TIME, Problem, ProblemKind, check_attribute, is_base64, is_date_time, is_unassigned,
};

pub(super) fn read(
    reader: &ResourceDecoder,
    body: &[u8],
    options: DecodeOptions,
) -> Result<DecodedResource, Rejection> {
    let mut pass = Pass {
        reader,
        options,
        out: DecodedResource { members: Vec::with_capacity(body.len() + 16), ..DecodedResource::default() },
        place: Vec::new(),
        problems: Vec::new(),
        primaries: 0,
        given: Vec::new(),
        lists_core: None,
        lists: Vec::new(),
        not_an_object: false,
    };
    // Checked once as a whole, the text need not be checked string by string.
    let Ok(text) = std::str::from_utf8(body) else {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let error = IgnoredAny::deserialize(&mut deserializer).err();
        let error = error.unwrap_or_else(|| serde_json::Error::custom("the text is not UTF-8"));
        return Err(DecodeError::Syntax(error).into());
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = Any(Root(&mut pass)).deserialize(&mut deserializer).and_then(|()| deserializer.end());
    if pass.not_an_object && parsed.is_ok() {
        return Err(DecodeError::NotAnObject.into());
    }
    parsed.map_err(DecodeError::Syntax)?;
    match pass.lists_core {
        None if options.missing_schemas => pass.out.missing_schemas = true,
        None => pass.problems.push(Problem { place: "schemas".to_owned(), kind: ProblemKind::Missing }),
        Some(false) => {
            let kind = ProblemKind::Unlisted(reader.core.to_string());
            pass.problems.push(Problem { place: "schemas".to_owned(), kind });
        }
        Some(true) => {}
    }
    if pass.lists_core.is_some() {
        pass.check_extensions();
    }
    if pass.problems.is_empty() {
        return Ok(pass.out);
    }
    let (dropped, dropped_more) = (pass.out.dropped, pass.out.dropped_more);
    Err(Rejection { error: DecodeError::Problems(pass.problems), dropped, dropped_more })
}

/// Where the pass is, for messages.
#[derive(Clone, Copy)]
enum Step<'r> {
    Name(&'r str),
    /// A schema URN, which is followed by a colon.
    Urn(&'r str),
    Index(usize),
}

struct Pass<'r> {
    reader: &'r ResourceDecoder,
    options: DecodeOptions,
    out: DecodedResource,
    place: Vec<Step<'r>>,
    problems: Vec<Problem>,
    primaries: usize,
    /// The positions of the extensions that were given.
    given: Vec<usize>,
    /// Whether `schemas` names the main schema; nothing where it is absent or empty.
    lists_core: Option<bool>,
    /// The other URNs that `schemas` names.
    lists: Vec<String>,
    not_an_object: bool,
}

/// Which attributes of an object were given.
#[derive(Default)]
struct Seen {
    first: u64,
    more: Vec<usize>,
}

impl Seen {
    /// Whether it was there already.
    fn insert(&mut self, at: usize) -> bool {
        if at < 64 {
            let bit = 1 << at;
            let before = self.first & bit != 0;
            self.first |= bit;
            return before;
        }
        let before = self.more.contains(&at);
        self.more.push(at);
        before
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

impl<'r> Pass<'r> {
    fn place(&self, last: Option<&str>) -> String {
        let mut text = String::new();
        for step in &self.place {
            match step {
                Step::Name(name) => {
                    if !text.is_empty() && !text.ends_with(':') {
                        text.push('.');
                    }
                    text.push_str(name);
                }
                Step::Urn(urn) => {
                    text.push_str(urn);
                    text.push(':');
                }
                Step::Index(at) => {
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

    fn unknown(&mut self, name: &str) {
        if self.options.refuse_unknown {
            let place = self.place(Some(name));
            self.problems.push(Problem { place, kind: ProblemKind::Unknown });
        } else if self.out.dropped.len() < MAX_DROPPED {
            let place = self.place(Some(name));
            self.out.dropped.push(place);
        } else {
            self.out.dropped_more += 1;
        }
    }

    /// Looks whether `schemas`, which may stand behind them, names the extensions that were given.
    fn check_extensions(&mut self) {
        for at in &self.given {
            let urn = &self.reader.extensions[*at].urn;
            if self.lists.iter().any(|listed| listed.eq_ignore_ascii_case(urn)) {
                continue;
            }
            self.out.unlisted_extensions = true;
            if !self.options.unlisted_extensions {
                let kind = ProblemKind::Unlisted(urn.to_string());
                self.problems.push(Problem { place: "schemas".to_owned(), kind });
            }
        }
    }

    /// Notes which required attributes of an object are missing.
    fn require(&mut self, members: &Members, seen: &Seen) {
        for at in members.required.iter().filter(|at| !seen.has(**at)) {
            let place = self.place(Some(members.nodes[*at].attribute.name.as_str()));
            self.problems.push(Problem { place, kind: ProblemKind::Missing });
        }
    }

    /// Begins a member: a comma where one is due, and the key. Gives the length to cut back to where nothing follows.
    fn begin(&mut self, key: &[u8]) -> (usize, usize) {
        let out = &mut self.out.members;
        let before = out.len();
        if !matches!(out.last(), None | Some(b'{' | b'[')) {
            out.push(b',');
        }
        out.extend_from_slice(key);
        (before, out.len())
    }

    /// Reads the members of an object into the output. Gives whether anything was written.
    fn object<'de, A: MapAccess<'de>>(
        &mut self,
        members: &'r Members,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        let mut seen = Seen::default();
        let (start, secrets) = (self.out.members.len(), self.out.secrets.len());
        while let Some(key) = map.next_key_seed(Key)? {
            if let Some(at) = members.find(&key) {
                self.member(members, at, &mut seen, map)?;
            } else {
                self.unknown(&key);
                map.next_value::<IgnoredAny>()?;
            }
        }
        let wrote = self.out.members.len() > start;
        // What is kept apart was given too.
        if wrote || self.out.secrets.len() > secrets {
            self.require(members, &seen);
        }
        Ok(wrote)
    }

    fn member<'de, A: MapAccess<'de>>(
        &mut self,
        members: &'r Members,
        at: usize,
        seen: &mut Seen,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let node = &members.nodes[at];
        self.place.push(Step::Name(node.attribute.name.as_str()));
        if seen.insert(at) {
            let place = self.place(None);
            return Err(A::Error::custom(format_args!("{place} is given twice")));
        }
        let given = if node.role == Role::Schemas {
            map.next_value_seed(Any(Listed(self)))?;
            true
        } else if node.read_only {
            let is_given = map.next_value::<Option<IgnoredAny>>()?.is_some();
            if is_given && self.place.len() > 1 && self.out.read_only.len() < MAX_DROPPED {
                let place = self.place(None);
                self.out.read_only.push(place);
            }
            true
        } else if node.captured || node.never_shown {
            let value = map.next_value_seed(Whole)?;
            self.whole(node, value)
        } else {
            let problems = self.problems.len();
            let (before, after) = self.begin(&node.key);
            map.next_value_seed(Any(Of { pass: self, node }))?;
            let wrote = self.out.members.len() > after;
            if !wrote {
                self.out.members.truncate(before);
            }
            self.out.on_request |= wrote && node.on_request;
            // What was told to be wrong is not told to be missing too.
            wrote || self.problems.len() > problems
        };
        if !given {
            // As if it had not been there: the check for what is required comes later.
            seen.remove(at);
        }
        self.place.pop();
        Ok(())
    }

    /// A value that is handed over and not written.
    fn whole(&mut self, node: &Node, value: Value) -> bool {
        if is_unassigned(&value) {
            // An empty list of captured values is a statement of its own: there are none.
            if node.captured && value.is_array() {
                self.out.captured = Some(value);
            }
            return false;
        }
        self.problems.extend(check_attribute(&node.attribute, &value, &self.place(None)));
        if node.captured {
            self.out.captured = Some(value);
        } else {
            self.out.secrets.push((node.attribute.name.to_string(), value));
        }
        true
    }

    fn text(&mut self, node: &Node, given: Text<'_>) {
        let text = given.text;
        let fits = match node.attribute.kind {
            AttributeType::String | AttributeType::Reference => true,
            AttributeType::DateTime => is_date_time(text),
            AttributeType::Binary => is_base64(text),
            AttributeType::Boolean => return self.text_as_boolean(node, text),
            AttributeType::Complex if self.options.bare_manager && self.bare(node, given) => return,
            AttributeType::Decimal | AttributeType::Integer | AttributeType::Complex => false,
        };
        if !fits {
            return self.problem(ProblemKind::Type(expected(node.attribute.kind)));
        }
        if text.is_empty() && node.attribute.required {
            return self.problem(ProblemKind::Missing);
        }
        if node.user_name && is_blank(text) {
            return self.problem(ProblemKind::Blank);
        }
        if node.user_name && has_control(text) {
            return self.problem(ProblemKind::Control);
        }
        if self.options.enforce_canonical_values && !is_canonical(node, text) {
            return self.problem(ProblemKind::Canonical(node.attribute.canonical_values.clone()));
        }
        if let Some(watched) = node.watched {
            self.out.watched.push((watched, text.to_owned()));
        }
        given.write(&mut self.out.members);
    }

    /// Takes a text for the `value` of a manager. Gives whether it is one.
    fn bare(&mut self, node: &Node, given: Text<'_>) -> bool {
        let Some(at) = node.subs.find("value").filter(|_| node.attribute.is_manager()) else { return false };
        let sub = &node.subs.nodes[at];
        let before = self.out.members.len();
        self.out.members.push(b'{');
        let (_, after) = self.begin(&sub.key);
        self.text(sub, given);
        if self.out.members.len() > after {
            self.out.members.push(b'}');
            let mut seen = Seen::default();
            seen.insert(at);
            self.require(&node.subs, &seen);
        } else {
            self.out.members.truncate(before);
        }
        self.out.bare_manager = true;
        true
    }

    fn text_as_boolean(&mut self, node: &Node, text: &str) {
        let value = match text {
            _ if !self.options.string_booleans => None,
            _ if text.eq_ignore_ascii_case("true") => Some(true),
            _ if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        };
        match value {
            Some(value) => {
                self.out.string_boolean = true;
                self.flag(node, value);
            }
            None => self.problem(ProblemKind::Type(expected(AttributeType::Boolean))),
        }
    }

    fn flag(&mut self, node: &Node, value: bool) {
        if node.attribute.kind != AttributeType::Boolean {
            return self.problem(ProblemKind::Type(expected(node.attribute.kind)));
        }
        match node.role {
            Role::Active => self.out.active = Some(value),
            Role::Primary if value => self.primaries += 1,
            Role::Primary | Role::Plain | Role::Schemas => {}
        }
        self.out.members.extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn number(&mut self, node: &Node, number: &Number) {
        let fits = match node.attribute.kind {
            AttributeType::Decimal => true,
            AttributeType::Integer => number.is_i64() || number.is_u64(),
            _ => false,
        };
        if fits {
            let text = number.to_string();
            self.out.members.extend_from_slice(text.as_bytes());
            self.out.watched.extend(node.watched.map(|watched| (watched, text)));
        } else {
            self.problem(ProblemKind::Type(expected(node.attribute.kind)));
        }
    }
}

fn is_canonical(node: &Node, text: &str) -> bool {
    let exact = node.attribute.case_exact;
    let known = &node.attribute.canonical_values;
    known.is_empty() || known.iter().any(|k| k == text || (!exact && k.eq_ignore_ascii_case(text)))
}

fn expected(kind: AttributeType) -> &'static str {
    match kind {
        AttributeType::String => "a text",
        AttributeType::Reference => "a URI as text",
        AttributeType::Boolean => "true or false",
        AttributeType::Integer => "a whole number",
        AttributeType::Decimal => "a number",
        AttributeType::DateTime => DATE_TIME,
        AttributeType::Binary => "Base64 text",
        AttributeType::Complex => "an object",
    }
}

/// A member's name, copied only where it has escapes.
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
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A value as a tree.
struct Whole;

impl<'de> DeserializeSeed<'de> for Whole {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }
}

/// A value of whatever type, seen by a visitor.
struct Any<V>(V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Any<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_any(self.0)
    }
}

/// The text of a JSON string.
#[derive(Clone, Copy)]
struct Text<'t> {
    text: &'t str,
    /// Whether it stands like this in the JSON: nothing in it is escaped.
    is_plain: bool,
}

impl Text<'_> {
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

/// The visitors take every kind of JSON value and note what does not fit: only bad syntax is an error to serde.
macro_rules! scalars {
    ($value:ty, $text:expr, $flag:expr, $number:expr, $null:expr) => {
        fn visit_str<E>(self, text: &str) -> Result<$value, E> {
            Ok($text(self, Text { text, is_plain: false }))
        }

        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<$value, E> {
            Ok($text(self, Text { text, is_plain: true }))
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

        fn visit_f64<E>(self, number: f64) -> Result<$value, E> {
            Ok($number(self, Number::from_f64(number).unwrap_or_else(|| Number::from(0))))
        }

        fn visit_unit<E>(self) -> Result<$value, E> {
            Ok($null(self))
        }
    };
}

// Below the macro, which they use.
mod listed;
mod values;

use listed::Listed;
use values::{Object, Of};

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
        let reader = pass.reader;
        let mut seen = Seen::default();
        while let Some(key) = map.next_key_seed(Key)? {
            if let Some(at) = reader.top.find(&key) {
                pass.member(&reader.top, at, &mut seen, &mut map)?;
            } else if let Some(at) = reader.extension(&key) {
                let extension = &reader.extensions[at];
                if pass.given.contains(&at) {
                    return Err(A::Error::custom(format_args!("{} is given twice", extension.urn)));
                }
                let (problems, secrets) = (pass.problems.len(), pass.out.secrets.len());
                let (before, _) = pass.begin(&extension.key);
                pass.out.members.push(b'{');
                pass.place.push(Step::Urn(&extension.urn));
                let wrote =
                    map.next_value_seed(Any(Object { pass: &mut *pass, members: &extension.members }))?;
                pass.place.pop();
                // What was told to be wrong is not told to be missing too.
                if wrote || pass.out.secrets.len() > secrets || pass.problems.len() > problems {
                    pass.given.push(at);
                }
                if wrote {
                    pass.out.members.push(b'}');
                    pass.out.extensions.push(at);
                } else {
                    pass.out.members.truncate(before);
                }
            } else {
                pass.unknown(&key);
                map.next_value::<IgnoredAny>()?;
            }
        }
        pass.require(&reader.top, &seen);
        for (at, extension) in reader.extensions.iter().enumerate() {
            if extension.required && !pass.given.contains(&at) {
                let place = extension.urn.to_string();
                pass.problems.push(Problem { place, kind: ProblemKind::Missing });
            }
        }
        Ok(())
    }
}
