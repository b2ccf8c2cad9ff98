//! Filters and PATCH paths as clients write them: are they well-formed, and what do they compare?
//!
//! The grammar of RFC 7644 §3.4.2.2 and §3.5.2, read by the harness's own hand; it shares nothing with the crate that
//! the subjects use.

use serde_json::Value;

/// Parentheses may be this deep.
const MAX_DEPTH: usize = 32;

/// The operators that compare.
const OPERATORS: [&str; 9] = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"];

/// A comparison of a filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The attribute as written.
    pub attribute: String,
    /// The operator in lower case.
    pub operator: String,
    /// The value; none for `pr`.
    pub value: Option<Value>,
    /// The attribute in front of the brackets around the comparison, in a filter.
    pub within: Option<String>,
}

/// The parts of a filter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// The comparisons, in order.
    pub comparisons: Vec<Comparison>,
    /// `and`, `or` and `not`, in order, in lower case.
    pub words: Vec<String>,
}

/// A PATCH path.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The first name, with its URN.
    pub attribute: String,
    /// The filter between the brackets.
    pub filter: Option<Filter>,
    /// The sub-attribute after the brackets.
    pub sub: Option<String>,
}

/// A text that is no filter or no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} {place}")]
pub struct FilterError {
    expected: &'static str,
    place: Place,
}

/// The place of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    End,
    /// The number of the character, from 1, and the text from there on.
    Character(usize, String),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::End => f.write_str("where it ends"),
            Self::Character(number, found) => write!(f, "at character {number}, found `{found}`"),
        }
    }
}

/// Reads a filter.
///
/// # Errors
/// The text is invalid; the error has the expected text and the place in characters.
pub fn filter(text: &str) -> Result<Filter, FilterError> {
    let mut reader = Reader::new(text);
    reader.expression(0)?;
    reader.blanks();
    if reader.rest().is_empty() { Ok(reader.read) } else { Err(reader.here("the end, `and` or `or`")) }
}

/// Reads the path of a PATCH operation.
///
/// # Errors
/// The text is invalid; the error has the expected text and the place in characters.
pub fn path(text: &str) -> Result<Path, FilterError> {
    let mut reader = Reader::new(text);
    let attribute = reader.name()?;
    let mut path = Path { attribute, filter: None, sub: None };
    if reader.eat("[") {
        reader.expression(0)?;
        reader.blanks();
        if !reader.eat("]") {
            return Err(reader.here("`]`"));
        }
        path.filter = Some(std::mem::take(&mut reader.read));
        if reader.eat(".") {
            path.sub = Some(reader.name()?);
        }
    }
    if reader.rest().is_empty() { Ok(path) } else { Err(reader.here("the end")) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    read: Filter,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, read: Filter::default() }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn here(&self, expected: &'static str) -> FilterError {
        let found: String = self.rest().chars().take(20).collect();
        let place = if found.is_empty() {
            Place::End
        } else {
            Place::Character(self.text[..self.at].chars().count() + 1, found)
        };
        FilterError { expected, place }
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches(' ').len();
    }

    fn eat(&mut self, sign: &str) -> bool {
        let there = self.rest().starts_with(sign);
        self.at += if there { sign.len() } else { 0 };
        there
    }

    /// Reads a word of letters that a blank, a bracket or the end follows.
    fn word(&mut self, word: &str) -> bool {
        let there = self.rest().get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
        let after = self.rest().get(word.len()..).unwrap_or_default();
        let ends = after.is_empty() || after.starts_with([' ', '(', ')', ']']);
        self.at += if there && ends { word.len() } else { 0 };
        there && ends
    }

    fn name(&mut self) -> Result<String, FilterError> {
        let rest = self.rest();
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_.:$".contains(c);
        let length = rest.len() - rest.trim_start_matches(fine).len();
        let name = &rest[..length];
        // An attribute has one sub-attribute at most; the points before the last colon are the URN's.
        let names: Vec<&str> = name.rsplit(':').next().unwrap_or_default().split('.').collect();
        let is_name = |name: &&str| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$');
        if names.len() > 2 || !names.iter().all(is_name) {
            return Err(self.here("the name of an attribute"));
        }
        self.at += length;
        Ok(name.to_owned())
    }

    fn expression(&mut self, depth: usize) -> Result<(), FilterError> {
        if depth > MAX_DEPTH {
            return Err(self.here("fewer parentheses"));
        }
        loop {
            self.blanks();
            if self.word("not") {
                self.read.words.push("not".to_owned());
                self.blanks();
                if !self.rest().starts_with('(') {
                    return Err(self.here("`(`"));
                }
            }
            if self.eat("(") {
                self.expression(depth + 1)?;
                self.blanks();
                if !self.eat(")") {
                    return Err(self.here("`)`"));
                }
            } else {
                self.comparison(depth)?;
            }
            let end = self.at;
            self.blanks();
            let word = ["and", "or"].into_iter().find(|word| self.at > end && self.word(word));
            match word {
                Some(word) => self.read.words.push(word.to_owned()),
                None => return Ok(()),
            }
        }
    }

    fn comparison(&mut self, depth: usize) -> Result<(), FilterError> {
        let attribute = self.name()?;
        if self.eat("[") {
            let start = self.read.comparisons.len();
            self.expression(depth + 1)?;
            for comparison in &mut self.read.comparisons[start..] {
                comparison.within = Some(attribute.clone());
            }
            self.blanks();
            return if self.eat("]") { Ok(()) } else { Err(self.here("`]`")) };
        }
        if !self.rest().starts_with(' ') {
            return Err(self.here("a blank and an operator"));
        }
        self.blanks();
        if self.word("pr") {
            self.read.comparisons.push(Comparison {
                attribute,
                operator: "pr".to_owned(),
                value: None,
                within: None,
            });
            return Ok(());
        }
        let Some(operator) = OPERATORS.into_iter().find(|operator| self.word(operator)) else {
            return Err(self.here("an operator such as `eq`"));
        };
        self.blanks();
        let value = Some(self.value()?);
        self.read.comparisons.push(Comparison {
            attribute,
            operator: operator.to_owned(),
            value,
            within: None,
        });
        Ok(())
    }

    /// Reads a JSON value that is no object and no array.
    fn value(&mut self) -> Result<Value, FilterError> {
        let mut values = serde_json::Deserializer::from_str(self.rest()).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) if !value.is_object() && !value.is_array() => {
                self.at += values.byte_offset();
                Ok(value)
            }
            _ => Err(self.here("a value as in JSON: a text in double quotes, a number, true, false or null")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn valid_filters_are_parsed() {
        let read = filter(
            r#"userName eq "o\"brien\\x" and (not (emails[type EQ "work" or value pr]) or meta.created gt "2026")"#,
        );
        let read = read.expect("a filter");
        let told: Vec<_> = read
            .comparisons
            .iter()
            .map(|one| {
                format!("{} {} {}", one.attribute, one.operator, one.value.clone().unwrap_or_default())
            })
            .collect();
        assert_eq!(
            told,
            [
                r#"userName eq "o\"brien\\x""#,
                r#"type eq "work""#,
                "value pr null",
                r#"meta.created gt "2026""#
            ]
        );
        assert_eq!(read.words, ["and", "not", "or", "or"]);
        assert_eq!(filter("active eq true").expect("a filter").comparisons[0].value, Some(json!(true)));
        assert!(filter("urn:ietf:params:scim:schemas:core:2.0:User:userName eq \"a\"").is_ok());
    }

    #[track_caller]
    fn check_refused(text: &str, told: &str) {
        assert_eq!(filter(text).expect_err("a bad filter").to_string(), told, "{text}");
    }

    #[test]
    fn invalid_filter_is_refused_with_the_place() {
        check_refused("", "expected the name of an attribute where it ends");
        check_refused("userName", "expected a blank and an operator where it ends");
        check_refused(
            "userName == \"a\"",
            "expected an operator such as `eq` at character 10, found `== \"a\"`",
        );
        let value = "expected a value as in JSON: a text in double quotes, a number, true, false or null";
        check_refused("userName eq 'a'", &format!("{value} at character 13, found `'a'`"));
        check_refused("userName eq a", &format!("{value} at character 13, found `a`"));
        check_refused("userName eq \"a", &format!("{value} at character 13, found `\"a`"));
        check_refused(
            "userName eq \"o\"brien\"",
            "expected the end, `and` or `or` at character 16, found `brien\"`",
        );
        check_refused("(userName pr", "expected `)` where it ends");
        check_refused("not userName pr", "expected `(` at character 5, found `userName pr`");
        assert!(filter(&"(".repeat(100)).is_err());
    }

    #[test]
    fn valid_paths_are_parsed() {
        let read = path(r#"emails[type eq "work"].value"#).expect("a path");
        assert_eq!((read.attribute.as_str(), read.sub.as_deref()), ("emails", Some("value")));
        assert_eq!(read.filter.expect("a filter").comparisons.len(), 1);
        for fine in [
            "active",
            "name.familyName",
            "urn:a:2.0:User:manager.value",
            "members[value eq \"7\"]",
            "members.$ref",
        ] {
            assert!(path(fine).is_ok(), "{fine}");
        }
        for bad in [
            "",
            "emails[type = \"work\"]",
            "emails[type eq \"work\"",
            "a b",
            "emails[]",
            "/title",
            "addresses.work.locality",
            "name..familyName",
            "emails[type eq \"work\"]x",
        ] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }
}
