//! Cases, and mutants, that are written once and hold at many places: `over`.
//!
//! A dimension is a list of words, or a table with a text, or several values, for each word. The file is expanded when it
//! is loaded: an item becomes one for each combination of words, with `<<dimension>>` replaced by the word's text.

mod steps;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;
use toml::{Table, Value};

pub(crate) use crate::case::over::steps::StepsError;
use crate::select::{SlugError, check_slug};

/// The dimensions whose words say how a resource is written and read. They come first in ids.
pub(crate) const WRITE: &str = "write";
pub(crate) const READ: &str = "read";

/// Texts may speak of other dimensions, this deep.
const ROUNDS: usize = 4;

/// The dimensions of an item, for its schema: they are read before the item is.
#[derive(Debug, Clone, Copy)]
pub struct Over;

impl<'de> Deserialize<'de> for Over {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl JsonSchema for Over {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Over".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Dimensions: each an array of words, or a table with a text or values for each word.",
            "type": "object",
            "additionalProperties": {
                "anyOf": [
                    { "type": "array", "items": { "type": "string" }, "minItems": 1 },
                    { "type": "object", "minProperties": 1 },
                ],
            },
        })
    }
}

/// An invalid `over`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverError {
    /// A dimension is neither an array of texts nor a table, or is empty.
    #[error(
        "invalid dimension `{0}`: expected an array of words, or a table with a text or a table for each word"
    )]
    Dimension(String),
    /// A word of `write` or `read` is unknown.
    #[error("unknown word `{word}` of `{dimension}`; expected one of {}", .known.join(", "))]
    Word {
        /// The dimension.
        dimension: &'static str,
        /// The word.
        word: String,
        /// The known words.
        known: Vec<&'static str>,
    },
    /// A word is no slug, so it could not be selected.
    #[error(transparent)]
    Slug(#[from] SlugError),
    /// A text speaks of an unknown dimension.
    #[error("unknown place `<<{place}>>`; known are {}", .known.join(", "))]
    Unknown {
        /// The text between the brackets.
        place: String,
        /// The known places.
        known: Vec<String>,
    },
    /// `cycle` names no dimension, or all of them, or `needs` is no array.
    #[error("invalid `{0}`")]
    Key(&'static str),
    /// A step cannot be turned into requests.
    #[error("step {step}: {source}")]
    Step {
        /// Counted from 1.
        step: usize,
        /// The cause.
        source: StepsError,
    },
}

/// An item at one place.
#[derive(Debug)]
pub(crate) struct Placed {
    /// The words, in the order of the id.
    pub(crate) words: Vec<String>,
    /// The item, without `over` and `cycle`.
    pub(crate) item: Table,
}

/// Whether a file may hold an item with `over`.
pub(crate) fn is_used(text: &str) -> bool {
    text.lines().map(str::trim_start).any(|line| {
        line.starts_with("over") || line.starts_with("[case.over") || line.starts_with("[mutant.over")
    })
}

struct Word {
    word: String,
    /// The values by place: ``, `word` and its own names.
    values: BTreeMap<String, Value>,
    needs: Vec<Value>,
}

/// Returns an item at each of its places; one without `over` as it is, at no place.
///
/// # Errors
/// [`OverError`].
pub(crate) fn expand(mut item: Table) -> Result<Vec<Placed>, OverError> {
    let Some(over) = item.remove("over") else { return Ok(vec![Placed { words: Vec::new(), item }]) };
    let cycle: Vec<String> = match item.remove("cycle") {
        None => Vec::new(),
        Some(names) => names.try_into().map_err(|_| OverError::Key("cycle"))?,
    };
    let Value::Table(over) = over else { return Err(OverError::Key("over")) };
    let mut dimensions = over
        .into_iter()
        .map(|(name, words)| Ok((words_of(&name, words)?, name)))
        .collect::<Result<Vec<_>, OverError>>()?;
    dimensions.sort_by_key(|(_, name)| (name != WRITE, name != READ, name.clone()));
    let is_known = |name: &String| dimensions.iter().any(|(_, known)| known == name);
    if !cycle.iter().all(is_known) || cycle.len() >= dimensions.len() {
        return Err(OverError::Key("cycle"));
    }
    combinations(&dimensions, &cycle)
        .into_iter()
        .map(|chosen| {
            let mut values = BTreeMap::new();
            let mut needs = BTreeSet::new();
            for ((_, name), word) in dimensions.iter().zip(&chosen) {
                for (key, value) in &word.values {
                    let place = if key.is_empty() { name.clone() } else { format!("{name}.{key}") };
                    values.insert(place, value.clone());
                }
                needs.extend(word.needs.iter().filter_map(Value::as_str).map(ToOwned::to_owned));
            }
            let mut item = item.clone();
            for value in item.iter_mut().map(|(_, value)| value) {
                fill(value, &values)?;
            }
            add_needs(&mut item, needs)?;
            let of = |wanted: &str| {
                let at = dimensions.iter().position(|(_, name)| name == wanted)?;
                Some(chosen[at].word.as_str())
            };
            steps::expand(&mut item, of(WRITE), of(READ))?;
            Ok(Placed { words: chosen.iter().map(|word| word.word.clone()).collect(), item })
        })
        .collect()
}

/// Returns the combinations of words. A dimension that cycles takes its next word at each combination of the others.
fn combinations<'a>(dimensions: &'a [(Vec<Word>, String)], cycle: &[String]) -> Vec<Vec<&'a Word>> {
    let cycles = |name: &String| cycle.contains(name);
    let product = dimensions.iter().fold(vec![Vec::new()], |known, (words, name)| {
        let words = if cycles(name) { &words[..1] } else { words.as_slice() };
        let joined = |chosen: &Vec<&'a Word>| {
            words.iter().map(|word| [chosen.as_slice(), &[word]].concat()).collect::<Vec<_>>()
        };
        known.iter().flat_map(joined).collect()
    });
    let choose = |(at, mut chosen): (usize, Vec<&'a Word>)| {
        for (place, (words, name)) in chosen.iter_mut().zip(dimensions) {
            if cycles(name) {
                *place = &words[at % words.len()];
            }
        }
        chosen
    };
    product.into_iter().enumerate().map(choose).collect()
}

/// Returns the words of a dimension with their texts.
fn words_of(name: &str, words: Value) -> Result<Vec<Word>, OverError> {
    let invalid = || OverError::Dimension(name.to_owned());
    let pairs: Vec<(String, Value)> = match words {
        Value::Array(words) => words
            .into_iter()
            .map(|word| Ok((word.as_str().ok_or_else(invalid)?.to_owned(), word)))
            .collect::<Result<_, OverError>>()?,
        Value::Table(words) => {
            let mut words: Vec<_> = words.into_iter().collect();
            // Ids of dimensions that cycle depend on the order, which features of other crates decide for a table.
            words.sort_by(|(a, _), (b, _)| a.cmp(b));
            words
        }
        _ => return Err(invalid()),
    };
    if pairs.is_empty() {
        return Err(invalid());
    }
    pairs
        .into_iter()
        .map(|(word, text)| {
            check_slug(&word)?;
            let mut known = Word { word: word.clone(), values: BTreeMap::new(), needs: Vec::new() };
            known.values.insert("word".to_owned(), Value::from(word.as_str()));
            known.values.insert(String::new(), Value::from(word.as_str()));
            if let Some(dimension) = [WRITE, READ].into_iter().find(|known| *known == name) {
                let (by, needs) = steps::known(dimension, &word)?;
                known.values.insert("by".to_owned(), Value::from(by));
                known.needs.extend(needs.iter().map(|need| Value::from(*need)));
            }
            match text {
                Value::String(text) => {
                    known.values.insert(String::new(), Value::String(text));
                }
                Value::Table(mut values) => {
                    if let Some(needs) = values.remove("needs") {
                        let needs = needs.as_array().ok_or(OverError::Key("needs"))?;
                        known.needs.extend(needs.iter().cloned());
                    }
                    if let (Some(part), Some(times)) = (values.remove("repeat"), values.remove("times")) {
                        let part = part.as_str().ok_or_else(invalid)?;
                        let times = times.as_integer().and_then(|times| usize::try_from(times).ok());
                        values.insert(
                            "text".to_owned(),
                            Value::String(part.repeat(times.ok_or_else(invalid)?)),
                        );
                    }
                    if let Some(text) = values.remove("text") {
                        known.values.insert(String::new(), text);
                    }
                    known.values.extend(values);
                }
                _ => return Err(invalid()),
            }
            Ok(known)
        })
        .collect()
}

/// Replaces the places of all texts of a value.
fn fill(value: &mut Value, values: &BTreeMap<String, Value>) -> Result<(), OverError> {
    match value {
        Value::String(_) => {
            for _ in 0..ROUNDS {
                let Value::String(text) = value else { return fill(value, values) };
                if !text.contains("<<") {
                    return Ok(());
                }
                *value = filled(text, values)?;
            }
            Ok(())
        }
        Value::Array(elements) => elements.iter_mut().try_for_each(|element| fill(element, values)),
        Value::Table(table) => {
            let members = std::mem::take(table);
            for (name, mut member) in members {
                let name = match filled(&name, values)? {
                    Value::String(name) => name,
                    other => other.to_string(),
                };
                fill(&mut member, values)?;
                table.insert(name, member);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Returns a text with its places replaced once; what is one place and nothing else becomes the value as it is.
fn filled(text: &str, values: &BTreeMap<String, Value>) -> Result<Value, OverError> {
    let value = |place: &str| {
        values.get(place).ok_or_else(|| OverError::Unknown {
            place: place.to_owned(),
            known: values.keys().cloned().collect(),
        })
    };
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<<") {
        let Some((place, behind)) = after.split_once(">>") else { break };
        let value = value(place)?;
        if before.is_empty() && behind.is_empty() && done.is_empty() {
            return Ok(value.clone());
        }
        done.push_str(before);
        match value {
            Value::String(text) => done.push_str(text),
            other => done.push_str(&other.to_string()),
        }
        rest = behind;
    }
    done.push_str(rest);
    Ok(Value::String(done))
}

fn add_needs(item: &mut Table, more: BTreeSet<String>) -> Result<(), OverError> {
    if more.is_empty() {
        return Ok(());
    }
    let needs = item.entry("needs").or_insert_with(|| Value::Array(Vec::new()));
    let needs = needs.as_array_mut().ok_or(OverError::Key("needs"))?;
    for need in more {
        if !needs.iter().any(|known| known.as_str() == Some(need.as_str())) {
            needs.push(Value::String(need));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<Placed> {
        expand(toml::from_str(text).expect("TOML")).expect("a good item")
    }

    #[test]
    fn item_is_made_for_each_combination() {
        let placed = places(
            "title = \"<<kind.word>> by <<write.by>>\"\nneeds = [\"User\"]\nx = \"<<kind>>\"\n\
             over = { write = [\"post\", \"patch-path\"], kind = { b = \"B\", a = { text = 1, needs = [\"sort\"] } } }\n",
        );
        let words: Vec<_> = placed.iter().map(|placed| placed.words.join("/")).collect();
        assert_eq!(words, ["post/a", "post/b", "patch-path/a", "patch-path/b"]);
        let first = &placed[2].item;
        assert_eq!(first["title"].as_str(), Some("a by a PATCH with a path"));
        assert_eq!(first["x"].as_integer(), Some(1), "a lone place keeps its kind");
        assert_eq!(first["needs"].to_string(), "[\"User\", \"patch\", \"sort\"]");
    }

    #[test]
    fn dimension_that_cycles_does_not_multiply() {
        let placed = places("cycle = [\"b\"]\nover = { a = [\"x\", \"y\", \"z\"], b = [\"p\", \"q\"] }\n");
        let words: Vec<_> = placed.iter().map(|placed| placed.words.join("/")).collect();
        assert_eq!(words, ["x/p", "y/q", "z/p"]);
    }

    #[test]
    fn long_text_is_written_as_a_repetition() {
        let placed = places("x = \"<<t>>\"\nover = { t = { long = { repeat = \"ab\", times = 3 } } }\n");
        assert_eq!(placed[0].item["x"].as_str(), Some("ababab"));
    }

    #[test]
    fn invalid_over_is_refused() {
        #[track_caller]
        fn check(text: &str, told: &str) {
            let error = expand(toml::from_str(text).expect("TOML")).expect_err("a bad item").to_string();
            assert!(error.contains(told), "{error}");
        }
        check("over = { a = 1 }", "invalid dimension `a`");
        check("over = { a = [] }", "invalid dimension `a`");
        check("over = { a = [\"b\"] }\ncycle = [\"a\"]", "invalid `cycle`");
        check("over = { a = [\"B\"] }", "invalid slug `B`");
        check("over = { write = [\"get\"] }", "unknown word `get` of `write`; expected one of post, put,");
        check("x = \"<<b>>\"\nover = { a = [\"c\"] }", "unknown place `<<b>>`; known are a, a.word");
    }
}
