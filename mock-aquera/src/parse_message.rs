//! What is wrong with a JSON or TOML text, in plain words: the errors of the libraries speak of Rust's types.

mod place;

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;

use crate::parse_message::place::{At, cut};
use crate::units::suggest::{did_you_mean, nearest};

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// From one; 0 where there is no text.
    pub(crate) line: usize,
    /// In bytes, from one.
    pub(crate) column: usize,
    pub(crate) message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.line > 0 { write!(f, " (line {}, column {})", self.line, self.column) } else { Ok(()) }
    }
}

/// Explains why a JSON text can't be used. The offset of the line and column is that of the value that is wrong.
pub(crate) fn json(text: &[u8], error: &serde_json::Error) -> Mistake {
    let (line, column) = (error.line(), error.column());
    let said = error.to_string();
    let said = said.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&said);
    if line == 0 {
        return Mistake { line, column, message: data(said, "") };
    }
    let end = place::offset(text, line, column);
    match error.classify() {
        Category::Eof => {
            let missing = At::of(text, end).missing;
            Mistake { line, column, message: format!("the text ends too early: {missing} is missing") }
        }
        Category::Data => {
            let at = At::of(text, end);
            let (line, column) = place::position(text, at.start);
            Mistake { line, column, message: data(said, &at.of) }
        }
        Category::Syntax | Category::Io => {
            // The last byte is the wrong one.
            let end = end.saturating_sub(1);
            let (line, column) = place::position(text, end);
            let said = match text.get(end) {
                // The library looks for the end of an object whose first member was all that it could take.
                Some(b',') if said == "trailing comma" => "further member",
                _ => said,
            };
            Mistake { line, column, message: syntax(said, &At::of(text, end)) }
        }
    }
}

/// Reads an object from JSON. Without, a struct would be read from an array too, by the order of its fields.
pub(crate) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Members<T>(std::marker::PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(members))
        }
    }

    deserializer.deserialize_map(Members(std::marker::PhantomData))
}

/// Reads what a JSON text says about an object.
///
/// # Errors
/// What is wrong, in plain words.
pub(crate) fn read_object<T: DeserializeOwned>(text: &[u8]) -> Result<T, Mistake> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let read = object(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    read.map_err(|error| json(text, &error))
}

/// Reads what a JSON tree says.
///
/// # Errors
/// The path of what is wrong, and the message of the library.
pub(crate) fn read_value<T: DeserializeOwned>(value: Value) -> Result<T, (String, String)> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = match error.path().to_string() {
            root if root == "." => String::new(),
            path => path,
        };
        (path, error.into_inner().to_string())
    })
}

/// What is wrong with a value at a path, of which the library says this.
pub(crate) fn data(said: &str, path: &str) -> String {
    let inside = if path.is_empty() { String::new() } else { format!(" in `{path}`") };
    let what = if let Some(key) = Unknown::of(said, "unknown field `") {
        return format!("unknown key `{}`{inside}{}", cut(key.written), key.hint());
    } else if let Some(word) = Unknown::of(said, "unknown variant `") {
        format!("unknown word `{}`{}", cut(word.written), word.hint())
    } else if let Some(name) = quoted(said, "missing field ") {
        return format!("`{name}` is missing{inside}");
    } else if let Some(name) = quoted(said, "duplicate field ") {
        return format!("`{name}` is there twice{inside}");
    } else {
        unexpected(said)
    };
    if path.is_empty() { what } else { format!("invalid `{path}`: {what}") }
}

/// What the library says of a value, without Rust's words.
pub(crate) fn words(said: &str) -> String {
    data(said, "")
}

/// What was expected, and what came instead.
fn unexpected(said: &str) -> String {
    let wrong = ["invalid type: ", "invalid value: "].into_iter().find_map(|start| said.strip_prefix(start));
    if let Some((got, expected)) = wrong.and_then(|wrong| wrong.rsplit_once(", expected ")) {
        // A text may hold these words too; an expectation that is written by hand may not.
        let (got, expected) = wrong
            .and_then(|wrong| wrong.split_once("\", expected "))
            .map_or((got.to_owned(), expected), |(got, expected)| (format!("{got}\""), expected));
        return format!("expected {}, got {}", expectation(expected), what_came(&got));
    }
    if let Some((count, expected)) =
        said.strip_prefix("invalid length ").and_then(|rest| rest.split_once(", expected "))
    {
        return match expectation(expected) {
            expected if expected == "an object" => format!("expected {expected}, got an array"),
            expected => format!("expected {expected}, got {count} elements"),
        };
    }
    said.to_owned()
}

/// A key or word that is none of those that there are.
struct Unknown<'a> {
    written: &'a str,
    known: Vec<&'a str>,
}

impl<'a> Unknown<'a> {
    fn of(said: &'a str, start: &str) -> Option<Self> {
        let rest = said.strip_prefix(start)?;
        // What was written may hold backticks; what is known doesn't.
        let (written, known) =
            rest.rsplit_once("`, expected ").or_else(|| rest.rsplit_once("`, there are no "))?;
        Some(Self { written, known: known.split('`').skip(1).step_by(2).collect() })
    }

    fn hint(&self) -> String {
        match (nearest(self.written, self.known.iter().copied()), self.known.as_slice()) {
            (near @ Some(_), _) => did_you_mean(near),
            (None, []) => String::new(),
            (None, [one]) => format!("; expected {one}"),
            (None, known) => format!("; expected one of {}", known.join(", ")),
        }
    }
}

/// The name in backticks behind a beginning.
fn quoted<'a>(said: &'a str, start: &str) -> Option<&'a str> {
    said.strip_prefix(start)?.strip_prefix('`')?.split('`').next()
}

/// What was expected, as somebody would say it who knows JSON.
fn expectation(expected: &str) -> String {
    let number = |from: u8, to: &str| match to {
        "" => format!("a whole number from {from}"),
        to => format!("a whole number from {from} to {to}"),
    };
    let (bare, from) = match expected.strip_prefix("a nonzero ") {
        Some(bare) => (bare, 1),
        None => (expected, 0),
    };
    match bare {
        "u64" | "u128" | "usize" => number(from, ""),
        "u32" => number(from, "4294967295"),
        "u16" => number(from, "65535"),
        "u8" => number(from, "255"),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" | "string" | "str" | "a borrowed string" => "a text".to_owned(),
        "string or map" | "variant identifier" | "unit variant" => "a word".to_owned(),
        "a map" => "an object".to_owned(),
        "a sequence" => "an array".to_owned(),
        "map with a single key" => "an object with one member".to_owned(),
        "unit" => "null".to_owned(),
        "enum" => "a word or an object with one member".to_owned(),
        _ if ["struct ", "tuple struct ", "struct variant ", "internally tagged "]
            .iter()
            .any(|start| bare.starts_with(start)) =>
        {
            "an object".to_owned()
        }
        _ => expected.to_owned(),
    }
}

/// What came instead.
fn what_came(got: &str) -> String {
    if let Some(text) = got.strip_prefix("string ") {
        return cut(text);
    }
    for kind in ["integer ", "floating point ", "boolean ", "character "] {
        if let Some(value) = got.strip_prefix(kind) {
            return cut(value.trim_matches('`'));
        }
    }
    match got {
        "sequence" => "an array".to_owned(),
        "map" => "an object".to_owned(),
        "unit value" | "unit" | "Option value" => "null".to_owned(),
        _ if got.ends_with("variant") => "another form".to_owned(),
        _ => got.to_owned(),
    }
}

/// Why a text is no JSON.
fn syntax(said: &str, at: &At) -> String {
    let what = match said {
        "expected value" => format!("{} is expected here", at.missing),
        "key must be a string" => "a key in double quotes is expected here".to_owned(),
        "trailing comma" => "the comma in front of the closing bracket is one too many".to_owned(),
        "further member" => "one member is expected in this object, and a further one follows".to_owned(),
        "trailing characters" => "something stands behind the end of the value".to_owned(),
        "invalid escape" => {
            "a backslash stands in front of a sign that it does not go with; one that is meant as \
                             such is written `\\\\`"
                .to_owned()
        }
        "invalid number" => "a number is malformed".to_owned(),
        "number out of range" => "a number is too large".to_owned(),
        "expected ident" => "a text without double quotes, which is none of true, false and null".to_owned(),
        "recursion limit exceeded" => "objects and arrays are nested too deeply".to_owned(),
        _ if said.starts_with("control character") => {
            "a text holds a line break or another control character; a line break is written `\\n`".to_owned()
        }
        _ if said.contains("surrogate") || said.contains("unicode") || said.contains("hex escape") => {
            "an escape or a sequence of bytes stands for no character".to_owned()
        }
        _ => match said.strip_prefix("expected ") {
            Some(expected) => format!("{expected} is expected here"),
            None => said.to_owned(),
        },
    };
    if at.path.is_empty() { what } else { format!("invalid `{}`: {what}", at.path) }
}

#[cfg(test)]
mod tests;
