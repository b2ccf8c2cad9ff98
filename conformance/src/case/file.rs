//! Case files as they are written, and from there to [`Case`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::case::expect::{
    BodyKind, Check, Condition, Direction, Expectation, HeaderCheck, Kind, Listing, Shared, StatusSet,
};
use crate::case::need::Need;
use crate::case::step::{Action, Body, Paging, Step, WrongAuth};
use crate::case::template::{JsonTemplate, Template};
use crate::case::{Case, DOCUMENTS, noun};
use crate::report::{Level, Spec};
use crate::select::check_slug;

/// A file of cases.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// The cases.
    pub case: Vec<CaseText>,
}

/// A case as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CaseText {
    /// The last part of the id: a-z, 0-9 and hyphens.
    pub slug: String,
    title: String,
    level: Level,
    requirement: String,
    mend: Option<String>,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    also: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    /// Expectations that many cases share, and that this one is about.
    #[serde(default)]
    about: Vec<Shared>,
    /// What the steps with `tries` have in common where they fail.
    tally: Option<String>,
    #[serde(default)]
    alone: bool,
    step: Vec<StepText>,
    #[serde(default)]
    clean_up: Vec<StepText>,
}

/// A step as written: exactly one action.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StepText {
    create: Option<String>,
    read: Option<String>,
    replace: Option<String>,
    patch: Option<String>,
    delete: Option<String>,
    list: Option<String>,
    search: Option<String>,
    walk: Option<String>,
    bulk: Option<String>,
    send: Option<String>,
    r#as: Option<String>,
    /// JSON.
    with: Option<String>,
    count: Option<usize>,
    /// JSON.
    ops: Option<String>,
    fail_on_errors: Option<u32>,
    /// JSON.
    body: Option<String>,
    text: Option<String>,
    by: Option<ByText>,
    #[serde(default)]
    query: BTreeMap<String, ScalarText>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    content_type: Option<String>,
    /// Milliseconds.
    pause: Option<u64>,
    auth: Option<WrongAuth>,
    #[serde(default)]
    unsupported: Vec<u16>,
    preparation: Option<bool>,
    /// A word for what is tried; of a case with `tally`.
    tries: Option<String>,
    #[serde(default)]
    expect: Vec<ExpectText>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum ByText {
    Index,
    Cursor,
}

/// A text, or a number or truth value that is written without quotes.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
enum ScalarText {
    Text(String),
    Number(i64),
    Switch(bool),
}

impl<'de> Deserialize<'de> for ScalarText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self::Text(text)),
            toml::Value::Integer(number) => Ok(Self::Number(number)),
            toml::Value::Boolean(switch) => Ok(Self::Switch(switch)),
            other => Err(serde::de::Error::custom(format!("expected a text or a number, not {other}"))),
        }
    }
}

impl ScalarText {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Switch(switch) => switch.to_string(),
        }
    }
}

/// A status, or a class of them as in `"2xx"`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statuses(pub(crate) StatusSet);

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = toml::Value::deserialize(deserializer)?;
        let set = match &value {
            toml::Value::Integer(status @ 100..=599) => u16::try_from(*status).ok().map(StatusSet::Exactly),
            toml::Value::String(text) => match text.as_bytes() {
                [digit @ b'1'..=b'5', b'x', b'x'] => Some(StatusSet::Class(u16::from(digit - b'0'))),
                _ => None,
            },
            _ => None,
        };
        set.map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!("{value} is neither a status nor a class like \"2xx\""))
        })
    }
}

impl JsonSchema for Statuses {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Status".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A status, or a class of them as in \"2xx\".",
            "anyOf": [
                { "type": "integer", "minimum": 100, "maximum": 599 },
                { "type": "string", "pattern": "^[1-5]xx$" },
            ],
        })
    }
}

/// A SCIM error.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ErrorText {
    status: Vec<Statuses>,
    #[serde(default)]
    types: Vec<String>,
    types_level: Option<Level>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum MediaTypeText {
    Scim,
}

/// An expectation as written: exactly one check, and of `at` exactly one condition.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ExpectText {
    level: Option<Level>,
    /// What it means where something else is there.
    why: Option<String>,
    /// What it means where nothing is there.
    gone: Option<String>,
    status: Option<Vec<Statuses>>,
    header: Option<String>,
    media_type: Option<MediaTypeText>,
    body: Option<BodyKind>,
    error: Option<ErrorText>,
    error_form: Option<bool>,
    list: Option<bool>,
    total: Option<u64>,
    lists: Option<Vec<String>>,
    lists_not: Option<Vec<String>>,
    lists_exactly: Option<Vec<String>>,
    lists_in_order: Option<Vec<String>>,
    unchanged: Option<String>,
    nowhere: Option<String>,
    at: Option<String>,
    any_of: Option<Vec<Vec<ExpectText>>>,
    /// JSON; of a header plain text.
    equals: Option<String>,
    starts_with: Option<String>,
    equals_ignoring_case: Option<String>,
    /// An address, relative or not.
    same_address: Option<String>,
    /// A status as a string or a number.
    says_status: Option<Vec<Statuses>>,
    /// JSON.
    differs: Option<String>,
    /// JSON: an array.
    one_of: Option<String>,
    /// JSON.
    includes: Option<String>,
    /// JSON.
    lacks: Option<String>,
    later_than: Option<String>,
    is: Option<Kind>,
    count: Option<usize>,
    at_least: Option<f64>,
    at_most: Option<f64>,
    unique: Option<bool>,
    sorted: Option<Direction>,
    #[serde(default)]
    if_present: bool,
}

/// The JSON Schema of case files.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(CaseFile)
}

impl CaseText {
    /// The case, in the folder of a document and a section.
    ///
    /// # Errors
    /// With the place in the case, in words.
    pub fn read(self, document: &str, section: &str) -> Result<Case, String> {
        let Some((_, name)) = DOCUMENTS.iter().find(|(folder, _)| *folder == document) else {
            let folders = DOCUMENTS.map(|(folder, _)| folder).join(", ");
            return Err(format!("the folder `{document}` is none of {folders}"));
        };
        check_slug(&self.slug)?;
        for (key, text) in [("title", &self.title), ("requirement", &self.requirement)] {
            if text.trim().is_empty() {
                return Err(format!("`{key}` is empty"));
            }
        }
        let steps = |steps: Vec<StepText>, what: &str| {
            steps
                .into_iter()
                .enumerate()
                .map(|(index, step)| {
                    step.read().map_err(|problem| format!("{what} {}: {problem}", index + 1))
                })
                .collect::<Result<Vec<_>, _>>()
        };
        let mut main = steps(self.step, "step")?;
        let mut clean_up = steps(self.clean_up, "clean-up")?;
        let nouns = noun::nouns(main.iter().chain(&clean_up));
        for step in main.iter_mut().chain(&mut clean_up) {
            step.label = noun::label(&step.action, &step.name, &nouns);
        }
        Ok(Case {
            id: format!("{document}/{section}/{}", self.slug),
            title: self.title,
            level: self.level,
            requirement: self.requirement,
            spec: Spec { document: (*name).to_owned(), section: section.to_owned(), also: self.also },
            mend: self.mend,
            needs: self.needs.iter().map(|need| need.parse::<Need>()).collect::<Result<_, _>>()?,
            tags: self.tags,
            about: self.about,
            tally: self.tally,
            alone: self.alone,
            nouns,
            steps: main,
            clean_up,
        })
    }
}

impl StepText {
    fn read(mut self) -> Result<Step, String> {
        let given = [
            ("create", self.create.is_some()),
            ("read", self.read.is_some()),
            ("replace", self.replace.is_some()),
            ("patch", self.patch.is_some()),
            ("delete", self.delete.is_some()),
            ("list", self.list.is_some()),
            ("search", self.search.is_some()),
            ("walk", self.walk.is_some()),
            ("bulk", self.bulk.is_some()),
            ("send", self.send.is_some()),
        ];
        let given: Vec<_> = given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect();
        let [action_name] = given.as_slice() else {
            let found = if given.is_empty() { "none".to_owned() } else { given.join(" and ") };
            return Err(format!("expected exactly one action, found {found}"));
        };
        let action_name = *action_name;
        let action = self.action(action_name)?;
        for (key, left) in [
            ("with", self.with.is_some()),
            ("count", self.count.is_some()),
            ("ops", self.ops.is_some()),
            ("fail-on-errors", self.fail_on_errors.is_some()),
            ("body", self.body.is_some()),
            ("text", self.text.is_some()),
            ("by", self.by.is_some()),
        ] {
            if left {
                return Err(format!(
                    "`{key}` does not belong to `{action_name}`, or not beside what else is given"
                ));
            }
        }
        let templates = |texts: Vec<(String, String)>| {
            texts
                .into_iter()
                .map(|(name, text)| Ok((name, Template::parse(&text)?)))
                .collect::<Result<Vec<_>, String>>()
        };
        let expect = ExpectText::read_all(self.expect)?;
        let implied = matches!(action, Action::Create { .. }) && expect.is_empty();
        Ok(Step {
            name: self.r#as.unwrap_or_else(|| action.default_name().to_owned()),
            label: String::new(),
            query: templates(self.query.into_iter().map(|(name, value)| (name, value.text())).collect())?,
            headers: templates(self.headers.into_iter().collect())?,
            content_type: self.content_type,
            pause: self.pause.map(std::time::Duration::from_millis),
            auth: self.auth,
            unsupported: self.unsupported,
            preparation: self.preparation.unwrap_or(implied),
            tries: self.tries,
            expect,
            action,
        })
    }

    /// Takes what belongs to the action; what is left over does not belong.
    fn action(&mut self, name: &str) -> Result<Action, String> {
        let json = |text: Option<String>| text.map(|text| JsonTemplate::parse(&text)).transpose();
        let target = |text: &mut Option<String>| text.take().unwrap_or_default();
        Ok(match name {
            "create" => Action::Create {
                resource_type: target(&mut self.create),
                with: json(self.with.take())?,
                count: self.count.take(),
            },
            "read" => Action::Read(target(&mut self.read)),
            "replace" => {
                let body = match json(self.with.take())? {
                    Some(with) => Body::With(with),
                    None => self.body()?,
                };
                if body == Body::None {
                    return Err("`replace` wants `with`, `body` or `text`".to_owned());
                }
                Action::Replace(target(&mut self.replace), body)
            }
            "patch" => {
                let body = match json(self.ops.take())? {
                    Some(ops) => Body::Operations(ops, None),
                    None => self.body()?,
                };
                if body == Body::None {
                    return Err("`patch` wants `ops`, `body` or `text`".to_owned());
                }
                Action::Patch(target(&mut self.patch), body)
            }
            "delete" => Action::Delete(target(&mut self.delete)),
            "list" => Action::List(target(&mut self.list)),
            "search" => Action::Search(target(&mut self.search), self.body()?),
            "walk" => Action::Walk(
                target(&mut self.walk),
                match self.by.take() {
                    Some(ByText::Index) => Paging::Index,
                    Some(ByText::Cursor) => Paging::Cursor,
                    None => return Err("`walk` wants `by = \"index\"` or `\"cursor\"`".to_owned()),
                },
            ),
            "bulk" => {
                let operations = JsonTemplate::parse(&target(&mut self.bulk))?;
                Action::Bulk(Body::Operations(operations, self.fail_on_errors.take()))
            }
            _ => {
                let line = target(&mut self.send);
                let (method, path) = line
                    .split_once(' ')
                    .ok_or_else(|| format!("`send = \"{line}\"`: expected a method and a path"))?;
                Action::Send {
                    method: method.to_owned(),
                    path: Template::parse(path.trim())?,
                    body: self.body()?,
                }
            }
        })
    }

    fn body(&mut self) -> Result<Body, String> {
        Ok(match (self.body.take(), self.text.take()) {
            (Some(body), None) => Body::Json(JsonTemplate::parse(&body)?),
            (None, Some(text)) => Body::Text(Template::parse(&text)?),
            (None, None) => Body::None,
            (Some(_), Some(_)) => return Err("`body` and `text` cannot both be given".to_owned()),
        })
    }
}

impl ExpectText {
    fn read_all(texts: Vec<Self>) -> Result<Vec<Expectation>, String> {
        texts
            .into_iter()
            .enumerate()
            .map(|(index, text)| {
                text.read().map_err(|problem| format!("expectation {}: {problem}", index + 1))
            })
            .collect()
    }

    fn read(mut self) -> Result<Expectation, String> {
        let checks = [
            self.status.take().map(|set| Ok(Check::Status(sets(&set)))),
            self.header.take().map(|name| self.header(name)),
            self.media_type.take().map(|MediaTypeText::Scim| Ok(Check::MediaType)),
            self.body.take().map(|kind| Ok(Check::Body(kind))),
            self.error.take().map(|error| {
                Ok(Check::Error {
                    status: sets(&error.status),
                    types: error.types,
                    types_level: error.types_level.unwrap_or(Level::Should),
                })
            }),
            self.error_form.take().map(|on| {
                if on { Ok(Check::ErrorForm) } else { Err("`error-form` can only be true".to_owned()) }
            }),
            self.list
                .take()
                .map(|on| if on { Ok(Check::List) } else { Err("`list` can only be true".to_owned()) }),
            self.total.take().map(|total| Ok(Check::Total(total))),
            self.lists.take().map(|names| Ok(Check::Lists(Listing::All, names))),
            self.lists_not.take().map(|names| Ok(Check::Lists(Listing::Not, names))),
            self.lists_exactly.take().map(|names| Ok(Check::Lists(Listing::Exactly, names))),
            self.lists_in_order.take().map(|names| Ok(Check::Lists(Listing::InOrder, names))),
            self.unchanged.take().map(|name| Ok(Check::Unchanged(name))),
            self.nowhere.take().map(|text| Template::parse(&text).map(Check::Nowhere)),
            self.at.take().map(|pointer| {
                if !pointer.is_empty() && !pointer.starts_with('/') {
                    return Err(format!("`at = \"{pointer}\"`: a JSON pointer starts with a slash"));
                }
                let if_present = std::mem::take(&mut self.if_present);
                Ok(Check::At {
                    pointer: Template::parse(&pointer)?,
                    condition: self.condition()?,
                    if_present,
                })
            }),
            self.any_of.take().map(|lists| {
                lists.into_iter().map(Self::read_all).collect::<Result<_, _>>().map(Check::AnyOf)
            }),
        ];
        let mut checks: Vec<_> = checks.into_iter().flatten().collect::<Result<_, _>>()?;
        let (Some(check), true) = (checks.pop(), checks.is_empty()) else {
            return Err("expected exactly one check".to_owned());
        };
        if self.any_left() {
            return Err("a condition without `at` or `header`, or more than one".to_owned());
        }
        Ok(Expectation { level: self.level, why: self.why, gone: self.gone, check })
    }

    fn any_left(&self) -> bool {
        self.equals.is_some()
            || self.starts_with.is_some()
            || self.equals_ignoring_case.is_some()
            || self.same_address.is_some()
            || self.says_status.is_some()
            || self.differs.is_some()
            || self.one_of.is_some()
            || self.includes.is_some()
            || self.lacks.is_some()
            || self.later_than.is_some()
            || self.is.is_some()
            || self.count.is_some()
            || self.at_least.is_some()
            || self.at_most.is_some()
            || self.unique.is_some()
            || self.sorted.is_some()
            || self.if_present
    }

    fn header(&mut self, name: String) -> Result<Check, String> {
        let check = match (self.is.take(), self.equals.take(), self.starts_with.take()) {
            (Some(Kind::Present), None, None) => HeaderCheck::Present,
            (Some(Kind::Absent), None, None) => HeaderCheck::Absent,
            (None, Some(text), None) => HeaderCheck::Equals(Template::parse(&text)?),
            (None, None, Some(text)) => HeaderCheck::StartsWith(Template::parse(&text)?),
            _ => {
                return Err(
                    "a header wants one of `is = \"present\"`, `is = \"absent\"`, `equals` and `starts-with`"
                        .to_owned(),
                );
            }
        };
        Ok(Check::Header(name, check))
    }

    fn condition(&mut self) -> Result<Condition, String> {
        let json = |text: String| JsonTemplate::parse(&text);
        let conditions = [
            self.equals.take().map(|text| json(text).map(Condition::Equals)),
            self.equals_ignoring_case
                .take()
                .map(|text| Template::parse(&text).map(Condition::EqualsIgnoringCase)),
            self.same_address.take().map(|text| Template::parse(&text).map(Condition::SameAddress)),
            self.says_status.take().map(|statuses| Ok(Condition::Status(sets(&statuses)))),
            self.differs.take().map(|text| json(text).map(Condition::Differs)),
            self.one_of.take().map(|text| json(text).map(Condition::OneOf)),
            self.includes.take().map(|text| json(text).map(Condition::Includes)),
            self.lacks.take().map(|text| json(text).map(Condition::Lacks)),
            self.later_than.take().map(|text| Template::parse(&text).map(Condition::LaterThan)),
            self.is.take().map(|kind| Ok(Condition::Is(kind))),
            self.count.take().map(|count| Ok(Condition::Count(count))),
            self.at_least.take().map(|bound| Ok(Condition::AtLeast(bound))),
            self.at_most.take().map(|bound| Ok(Condition::AtMost(bound))),
            self.unique.take().map(|_| Ok(Condition::Unique)),
            self.sorted.take().map(|direction| Ok(Condition::Sorted(direction))),
        ];
        let mut conditions: Vec<_> = conditions.into_iter().flatten().collect::<Result<_, _>>()?;
        match (conditions.pop(), conditions.is_empty()) {
            (Some(condition), true) => Ok(condition),
            _ => Err("`at` wants exactly one condition".to_owned()),
        }
    }
}

fn sets(statuses: &[Statuses]) -> Vec<StatusSet> {
    statuses.iter().map(|Statuses(set)| *set).collect()
}
