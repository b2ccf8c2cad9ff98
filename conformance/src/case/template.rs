//! Texts and JSON with places to fill in: `{{ada/emails/0/value}}`, `{{ada.id}}`, `{{unique}}`.

pub mod error;
mod place;

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::case::template::error::TemplateError;
pub use crate::case::template::place::{Place, Property, Shift};
use crate::json_text::JsonText;

/// The member of a JSON object that the others are laid over.
const OVER: &str = "...";

/// The signs at the start of a place.
const OPEN: &str = "{{";

/// Stands for [`OPEN`] in a text.
const BRACES: &str = "braces";

/// Returns a text as it is written in a template: what looks like the start of a place stands for itself.
pub(crate) fn without_places(text: &str) -> String {
    text.replace(OPEN, &format!("{OPEN}{BRACES}}}}}"))
}

/// A text with places.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(Place),
}

impl TryFrom<String> for Template {
    type Error = TemplateError;

    fn try_from(text: String) -> Result<Self, TemplateError> {
        Self::parse(&text)
    }
}

/// Why something cannot be filled in: the place names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{{{{{0}}}}}` names nothing")]
pub struct Unfilled(pub Place);

/// The source of the values.
pub trait Values {
    /// Returns the value of a place, or `None` if it names nothing.
    fn value(&self, place: &Place) -> Option<Value>;

    /// Returns the names `u.1`, `u.2` … for `u`.
    fn numbered(&self, stem: &str) -> Vec<String>;
}

/// Values in which `u.*` is one of the numbered names.
struct One<'a> {
    values: &'a dyn Values,
    stem: &'a str,
    name: &'a str,
}

impl Values for One<'_> {
    fn value(&self, place: &Place) -> Option<Value> {
        let is_it = |name: &str| name.strip_suffix(".*") == Some(self.stem);
        match place {
            Place::Field(name, pointer) if is_it(name) => {
                self.values.value(&Place::Field(self.name.to_owned(), pointer.clone()))
            }
            Place::Shifted(name, pointer, shifts) if is_it(name) => {
                self.values.value(&Place::Shifted(self.name.to_owned(), pointer.clone(), shifts.clone()))
            }
            Place::Of(name, property) if is_it(name) => {
                self.values.value(&Place::Of(self.name.to_owned(), *property))
            }
            other => self.values.value(other),
        }
    }

    fn numbered(&self, stem: &str) -> Vec<String> {
        self.values.numbered(stem)
    }
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// The content between the braces is invalid.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let (mut pieces, mut plain) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(OPEN) {
            let (inside, behind) =
                after.split_once("}}").ok_or_else(|| TemplateError::Unclosed(text.to_owned()))?;
            plain.push_str(before);
            if inside == BRACES {
                plain.push_str(OPEN);
            } else {
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(Piece::Place(Place::parse(inside)?));
            }
            rest = behind;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    /// Returns the text if it has no places.
    fn plain(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Returns the places in it.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Place(place) => Some(place),
            Piece::Text(_) => None,
        })
    }

    /// Whether it is one place and nothing else.
    pub fn is_a_place(&self) -> bool {
        matches!(self.0.as_slice(), [Piece::Place(_)])
    }

    /// Returns the text with a description of each place.
    pub fn outline(&self, call: impl Fn(&Place) -> String) -> String {
        let called = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Place(place) => call(place),
        };
        self.0.iter().map(called).collect()
    }

    /// Returns the text with every place filled in.
    ///
    /// # Errors
    /// A place names nothing; the error has the first one.
    pub fn fill(&self, values: &dyn Values) -> Result<String, Unfilled> {
        self.fill_with(values, |_, text| text)
    }

    /// Fills in every place; `dress` is given each value before it is inserted.
    ///
    /// # Errors
    /// A place names nothing; the error has the first one.
    pub fn fill_with(
        &self,
        values: &dyn Values,
        dress: impl Fn(&Place, String) -> String,
    ) -> Result<String, Unfilled> {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Place(place) => {
                    let value = values.value(place).ok_or_else(|| Unfilled(place.clone()))?;
                    let text = match value {
                        Value::String(text) => text,
                        other => other.to_string(),
                    };
                    filled.push_str(&dress(place, text));
                }
            }
        }
        Ok(filled)
    }

    /// Returns the value as JSON: the value of a single place as it is, else a text.
    fn value(&self, values: &dyn Values) -> Result<Value, Unfilled> {
        if let [Piece::Place(place)] = self.0.as_slice() {
            return values.value(place).ok_or_else(|| Unfilled(place.clone()));
        }
        self.fill(values).map(Value::String)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => f.write_str(&without_places(text))?,
                Piece::Place(place) => write!(f, "{{{{{place}}}}}")?,
            }
        }
        Ok(())
    }
}

/// JSON with places in its names and strings.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub enum JsonTemplate {
    /// A value without places.
    Literal(Value),
    /// A string with places.
    Text(Template),
    /// An array with places in some element.
    Array(Vec<JsonTemplate>),
    /// An object with places in some name or member.
    Object(Vec<(Template, JsonTemplate)>),
}

impl TryFrom<String> for JsonTemplate {
    type Error = TemplateError;

    fn try_from(text: String) -> Result<Self, TemplateError> {
        Self::parse(&text)
    }
}

impl JsonTemplate {
    /// Reads JSON text.
    ///
    /// # Errors
    /// The text is no JSON, or has an invalid place.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let JsonText(value) = JsonText::try_from(text.to_owned())?;
        Self::of(value)
    }

    fn of(value: Value) -> Result<Self, TemplateError> {
        Ok(match value {
            Value::String(text) => {
                let template = Template::parse(&text)?;
                match template.plain() {
                    Some(text) => Self::Literal(text.into()),
                    None => Self::Text(template),
                }
            }
            Value::Array(elements) => {
                let elements = elements.into_iter().map(Self::of).collect::<Result<Vec<_>, _>>()?;
                if elements.iter().all(|element| matches!(element, Self::Literal(_))) {
                    Self::Literal(elements.into_iter().filter_map(Self::literal).collect())
                } else {
                    Self::Array(elements)
                }
            }
            Value::Object(members) => {
                let members = members
                    .into_iter()
                    .map(|(name, member)| Ok((Template::parse(&name)?, Self::of(member)?)))
                    .collect::<Result<Vec<_>, TemplateError>>()?;
                let is_plain = |(name, member): &(Template, Self)| {
                    name.plain().is_some() && matches!(member, Self::Literal(_))
                };
                if members.iter().all(is_plain) {
                    let members = members
                        .into_iter()
                        .filter_map(|(name, member)| Some((name.plain()?.to_owned(), member.literal()?)));
                    Self::Literal(Value::Object(members.collect()))
                } else {
                    Self::Object(members)
                }
            }
            other => Self::Literal(other),
        })
    }

    fn literal(self) -> Option<Value> {
        match self {
            Self::Literal(value) => Some(value),
            Self::Text(_) | Self::Array(_) | Self::Object(_) => None,
        }
    }

    /// Returns the number of elements of an array as it is written.
    pub(crate) fn elements(&self) -> usize {
        match self {
            Self::Array(elements) => elements.len(),
            Self::Literal(Value::Array(elements)) => elements.len(),
            Self::Literal(_) | Self::Text(_) | Self::Object(_) => 0,
        }
    }

    /// Returns a member of an object.
    pub(crate) fn member(&self, name: &str) -> Option<Self> {
        match self {
            Self::Literal(Value::Object(members)) => members.get(name).cloned().map(Self::Literal),
            Self::Object(members) => members
                .iter()
                .find(|(known, _)| known.plain() == Some(name))
                .map(|(_, member)| member.clone()),
            Self::Literal(_) | Self::Text(_) | Self::Array(_) => None,
        }
    }

    /// Returns the places in it.
    pub fn places(&self) -> Vec<&Place> {
        match self {
            Self::Literal(_) => Vec::new(),
            Self::Text(template) => template.places().collect(),
            Self::Array(elements) => elements.iter().flat_map(Self::places).collect(),
            Self::Object(members) => {
                members.iter().flat_map(|(name, member)| name.places().chain(member.places())).collect()
            }
        }
    }

    /// Returns `u` if the place refers to `u.*`.
    fn repeated(&self) -> Option<&str> {
        self.places().into_iter().find_map(|place| place.name()?.strip_suffix(".*"))
    }

    /// Returns the JSON with every place filled in.
    ///
    /// # Errors
    /// A place names nothing; the error has the first one.
    pub fn fill(&self, values: &dyn Values) -> Result<Value, Unfilled> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Text(template) => template.value(values)?,
            Self::Array(elements) => {
                let mut filled = Vec::with_capacity(elements.len());
                for element in elements {
                    match element.repeated() {
                        None => filled.push(element.fill(values)?),
                        // One element for each of `u.1`, `u.2` …
                        Some(stem) => {
                            for name in values.numbered(stem) {
                                let one = One { values, stem, name: &name };
                                filled.push(element.fill(&one)?);
                            }
                        }
                    }
                }
                Value::Array(filled)
            }
            Self::Object(members) => {
                let mut filled = Map::new();
                for (name, member) in members {
                    let (name, member) = (name.fill(values)?, member.fill(values)?);
                    match member {
                        // Members are in the order of their names, and this one comes before letters.
                        Value::Object(under) if name == OVER => filled.extend(under),
                        member => {
                            filled.insert(name, member);
                        }
                    }
                }
                Value::Object(filled)
            }
        })
    }
}

impl fmt::Display for JsonTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(value) => f.write_str(&without_places(&value.to_string())),
            Self::Text(template) => write!(f, "{}", Value::from(template.to_string())),
            Self::Array(elements) => {
                f.write_str("[")?;
                for (index, element) in elements.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    write!(f, "{comma}{element}")?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (index, (name, member)) in members.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    write!(f, "{comma}{}:{member}", Value::from(name.to_string()))?;
                }
                f.write_str("}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Fixed;

    impl Values for Fixed {
        fn value(&self, place: &Place) -> Option<Value> {
            match place {
                Place::Field(name, pointer) if name == "ada" => {
                    json!({ "active": true, "userName": "ada" }).pointer(pointer).cloned()
                }
                Place::Shifted(_, _, shifts) => {
                    Some(json!(shifts.iter().map(ToString::to_string).collect::<String>()))
                }
                Place::Of(_, Property::Id) => Some(json!("4711")),
                Place::Unique(label) => Some(json!(format!("u-{label}"))),
                Place::UserName(label) => Some(json!(format!("u-{label}@example.com"))),
                Place::UserNames => Some(json!("u-")),
                Place::Number => Some(json!(3)),
                Place::Urn(_) => Some(json!("urn:x")),
                Place::New { label, pointer, .. } => {
                    json!({ "schemas": [], "userName": format!("new-{label}") }).pointer(pointer).cloned()
                }
                _ => None,
            }
        }

        fn numbered(&self, stem: &str) -> Vec<String> {
            (1..=2).map(|number| format!("{stem}.{number}")).collect()
        }
    }

    #[test]
    fn an_element_with_a_star_is_repeated() {
        let template = JsonTemplate::parse(r#"[{"value": "{{u.*.id}}"}, 1]"#).expect("a template");
        let filled = template.fill(&Fixed).expect("all places filled");
        assert_eq!(filled, json!([{ "value": "4711" }, { "value": "4711" }, 1]));
    }

    #[test]
    fn places_are_filled_in_and_shown_as_written() {
        #[track_caller]
        fn check(text: &str, filled: &str) {
            let template = Template::parse(text).expect("a template");
            assert_eq!(template.to_string(), text);
            assert_eq!(template.fill(&Fixed).expect("all places filled"), filled);
        }
        check("plain", "plain");
        check("/Users/{{ada.id}}", "/Users/4711");
        check("{{u.2.id}}", "4711");
        check(
            r#"userName eq "{{ada/userName}}" and x eq "{{unique:b}}""#,
            r#"userName eq "ada" and x eq "u-b""#,
        );
        check("n{{n}}{{unique}}", "n3u-");
        check("{{User.new/userName}}", "new-");
        check("{{User.new-b/userName}}", "new-b");
        check("{{user-name:Ž.b}}", "u-Ž.b@example.com");
        check(r#"userName sw "{{user-names}}""#, r#"userName sw "u-""#);
        check("{{ada/meta/created@-1s@+02:00}}", "-1s+02:00");
        check("${{braces}}x}} {{n}} {{braces}}", "${{x}} 3 {{");
    }

    #[test]
    fn braces_in_a_value_are_no_place() {
        let value = json!({ "${{x}}": ["{{{n}}}", "{{"], "b": "plain" });
        let written = without_places(&value.to_string());
        let template = JsonTemplate::parse(&written).expect("a template");
        assert_eq!(template.fill(&Fixed).expect("all places filled"), value);
        assert_eq!(template.to_string(), written);
    }

    #[test]
    fn json_keeps_the_kind_of_a_lone_place() {
        let template =
            JsonTemplate::parse(r#"{"a": "{{ada/active}}", "b": ["x{{n}}", 1], "{{Ext}}": {"c": null}}"#)
                .expect("a template");
        let filled = template.fill(&Fixed).expect("all places filled");
        assert_eq!(filled, json!({ "a": true, "b": ["x3", 1], "urn:x": { "c": null } }));
        assert_eq!(template.places().len(), 3);
        assert_eq!(template.to_string(), r#"{"a":"{{ada/active}}","b":["x{{n}}",1],"{{Ext}}":{"c":null}}"#);
    }

    #[test]
    fn members_are_laid_over_a_new_resource() {
        let template = JsonTemplate::parse(r#"{"...": "{{User.new}}", "userName": "ada", "nickName": null}"#);
        let filled = template.expect("a template").fill(&Fixed).expect("all places filled");
        assert_eq!(filled, json!({ "schemas": [], "userName": "ada", "nickName": null }));
    }

    #[test]
    fn unknown_name_is_an_error() {
        let template = Template::parse("{{eve/userName}}").expect("a template");
        assert_eq!(
            template.fill(&Fixed).expect_err("nothing").to_string(),
            "`{{eve/userName}}` names nothing"
        );
    }

    #[test]
    fn invalid_places_are_refused() {
        for text in
            ["{{ada/x@1s}}", "{{ada", "{{user-name:}}", "{{}}", "{{ada.name}}", "{{a b}}", "{{unique:}}"]
        {
            Template::parse(text).expect_err(text);
        }
        JsonTemplate::parse("{").expect_err("no JSON");
    }
}
