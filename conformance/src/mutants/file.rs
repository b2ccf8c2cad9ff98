//! Mutants as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::case::expect::StatusSet;
use crate::case::over::Over;
use crate::json_text::JsonText;
use crate::mutants::defect::Defective;
use crate::table::{ChoiceError, Group, Incomplete, Table, deserialize_from_table};

/// A file of mutants.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MutantFile {
    /// The mutants.
    pub mutant: Vec<Mutant>,
}

/// A server with one defect.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mutant {
    /// A stable name: a-z, 0-9 and hyphens.
    pub slug: String,
    /// The defect in a sentence.
    pub defect: String,
    /// The cases that name the defect; `*` stands for any characters.
    pub found_by: Vec<String>,
    /// Laid over the mock's profile `rfc`.
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    pub profile: Option<toml::Table>,
    /// The changes of its requests and answers.
    #[serde(default)]
    pub change: Vec<Change>,
    /// The places that it is made at: dimensions, and the words of each, which the slug ends with.
    pub(crate) over: Option<Over>,
    /// Dimensions that take their next word at each combination of the others, and do not multiply.
    pub(crate) cycle: Option<Vec<String>>,
}

/// A change, and its condition.
#[derive(Debug, Clone, Default, JsonSchema)]
#[schemars(with = "ChangeTable")]
pub struct Change {
    /// The conditions on the request.
    pub(crate) when: Vec<RequestCondition>,
    /// The conditions on one of its operations.
    pub(crate) operation: Vec<OperationCondition>,
    /// The answer has one of these statuses; empty: any.
    pub(crate) status: Vec<StatusSet>,
    /// The first matching request that is changed, for each path.
    pub(crate) nth: Option<usize>,
    /// Another matching request to the same path came at most this number of milliseconds before.
    pub(crate) within: Option<u64>,
    /// Milliseconds to wait before the request is sent on.
    pub(crate) hold: Option<u64>,
    /// Milliseconds for which resources are shown as they were before a write.
    pub(crate) stale: Option<u64>,
    /// What an answer is kept under, to be sent again.
    pub(crate) cache: Option<CacheKey>,
    /// The names that cannot be taken again.
    pub(crate) names_stay: Option<NamesStay>,
    /// The answers that show users who are gone.
    pub(crate) ghosts: Option<Ghosts>,
    pub(crate) request: Vec<RequestEdit>,
    pub(crate) operations: Vec<OperationsEdit>,
    pub(crate) exchange: Option<Exchange>,
    /// Marks to add to members, by JSON pointer, before a request is sent again that met a conflict.
    pub(crate) again: BTreeMap<String, String>,
    pub(crate) json: Vec<JsonEdit>,
    pub(crate) answer: Vec<AnswerEdit>,
    pub(crate) case_exact: Option<String>,
    pub(crate) freeze: Option<String>,
    pub(crate) then_delete: bool,
    pub(crate) then_send: Option<String>,
    /// The edits of the answer's JSON are repeated in each later answer that shows the resource.
    pub(crate) later: bool,
}

/// A change as written.
type ChangeTable = Table<(
    Group<RequestCondition>,
    Group<OperationCondition>,
    Group<RequestEdit>,
    Group<OperationsEdit>,
    Group<Exchange>,
    Group<JsonEdit>,
    Group<AnswerEdit>,
    Group<Key>,
)>;

/// A condition on a request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RequestCondition {
    Method(Vec<String>),
    Path(String),
    Query(String),
    /// A part of the value of the parameter that `query` names.
    QueryHas(String),
    Header(String),
    /// A part of the value of the field that `header` names.
    HeaderHas(String),
    WithoutHeader(String),
    BodyHas(String),
}

/// A condition on an operation.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OperationCondition {
    Op(String),
    Target(Target),
    Attribute(String),
    Value(ValueKind),
}

/// An edit of a request. Edits are made in this order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RequestEdit {
    DropQuery(String),
    SetQuery(BTreeMap<String, String>),
    ShiftQuery(BTreeMap<String, i64>),
    DropHeader(String),
    SetHeader(BTreeMap<String, String>),
    LetIn(bool),
    SetMethod(String),
    SetPath(String),
    BodyRemove(String),
    BodySet(BTreeMap<String, JsonText>),
    InFilter(BTreeMap<String, String>),
    InBody(BTreeMap<String, String>),
}

/// An edit of the operations of a request. Edits are made in this order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OperationsEdit {
    SetOp(String),
    SetValue(JsonText),
    SetOperationPath(String),
    Operation(OperationEdit),
    Selects(Selects),
    Order(OrderEdit),
    Only(Only),
}

/// The handling of a request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Exchange {
    Instead(Instead),
    Swallow(u16),
    Split(Split),
}

impl Exchange {
    /// Returns the precedence among the changes of one request: the least wins.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Instead(_) => 0,
            Self::Swallow(_) => 1,
            Self::Split(_) => 2,
        }
    }
}

/// An edit of the JSON of an answer. Edits are made in this order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum JsonEdit {
    Remove(String),
    Set(BTreeMap<String, JsonText>),
    Add(BTreeMap<String, i64>),
    Rename(BTreeMap<String, String>),
    Retype(BTreeMap<String, Retype>),
    Truncate(BTreeMap<String, usize>),
    Repeat(String),
    Reverse(String),
    FromRequest(BTreeMap<String, String>),
}

/// An edit of an answer, after those of its JSON. Edits are made in this order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AnswerEdit {
    SetStatus(u16),
    DropAnswerHeader(String),
    SetAnswerHeader(BTreeMap<String, String>),
    Empty(bool),
    Text(String),
    InText(BTreeMap<String, String>),
}

/// The other keys of a change.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Key {
    Status(Vec<StatusSet>),
    Nth(usize),
    /// Milliseconds.
    Within(u64),
    /// Milliseconds.
    Hold(u64),
    /// Milliseconds.
    Stale(u64),
    Cache(CacheKey),
    NamesStay(NamesStay),
    Ghosts(Ghosts),
    Again(BTreeMap<String, String>),
    CaseExact(String),
    Freeze(String),
    ThenDelete(bool),
    ThenSend(String),
    Later(bool),
}

/// An invalid change.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// A request is answered in one way.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// A condition lacks the one that it narrows.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
}

deserialize_from_table!(Change, ChangeTable);

impl TryFrom<ChangeTable> for Change {
    type Error = ChangeError;

    fn try_from(Table(groups): ChangeTable) -> Result<Self, ChangeError> {
        let (when, operation, request, operations, exchange, json, answer, keys) = groups;
        when.require("query-has", "query")?;
        when.require("header-has", "header")?;
        let mut change = Self {
            when: when.into_values().collect(),
            operation: operation.into_values().collect(),
            request: request.into_values().collect(),
            operations: operations.into_values().collect(),
            exchange: exchange.at_most_one("answer")?.map(|(_, exchange)| exchange),
            json: json.into_values().collect(),
            answer: answer.into_values().collect(),
            ..Self::default()
        };
        for key in keys.into_values() {
            match key {
                Key::Status(statuses) => change.status = statuses,
                Key::Nth(nth) => change.nth = Some(nth),
                Key::Within(milliseconds) => change.within = Some(milliseconds),
                Key::Hold(milliseconds) => change.hold = Some(milliseconds),
                Key::Stale(milliseconds) => change.stale = Some(milliseconds),
                Key::Cache(key) => change.cache = Some(key),
                Key::NamesStay(which) => change.names_stay = Some(which),
                Key::Ghosts(which) => change.ghosts = Some(which),
                Key::Again(marks) => change.again = marks,
                Key::CaseExact(attribute) => change.case_exact = Some(attribute),
                Key::Freeze(pointer) => change.freeze = Some(pointer),
                Key::ThenDelete(is_deleted) => change.then_delete = is_deleted,
                Key::ThenSend(line) => change.then_send = Some(line),
                Key::Later(is_repeated) => change.later = is_repeated,
            }
        }
        Ok(change)
    }
}

/// What the answers of a cache are kept under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CacheKey {
    /// The path, without the query: the next request of the same case gets the answer.
    Path,
    /// Nothing: a request gets the answer to the one before it.
    Nothing,
}

/// Names of users that cannot be taken again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NamesStay {
    /// Those that a user had before it was renamed.
    Renamed,
    /// Those of users that were deleted.
    Deleted,
    /// Those of creations that were refused.
    Refused,
}

/// Answers that show users who are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ghosts {
    /// Lists without a filter.
    Lists,
    /// Groups that they were members of.
    Members,
}

/// The form of an operation's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The path has no attribute.
    None,
    /// `title`.
    Simple,
    /// `name.givenName`.
    Sub,
    /// `emails[…]`.
    Value,
    /// `emails[…].value`.
    ValueSub,
    /// The path starts with `urn:`.
    Urn,
}

/// The kind of an operation's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ValueKind {
    /// The operation has no value.
    None,
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// A string.
    Text,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// An edit of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OperationEdit {
    /// The operation is left out.
    Skip,
    /// The path is removed.
    DropPath,
    /// The filter is taken out of its path.
    DropFilter,
    /// The path after the filter (or after the first name) is removed.
    DropSubAttribute,
    /// An array value keeps only its first element.
    FirstValue,
    /// An array value keeps only its last element.
    LastValue,
    /// The whole attribute is removed first.
    ClearFirst,
    /// Texts in its value are put in lower case.
    LowerValue,
}

/// The values that a filter in a path selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Selects {
    /// All values.
    All,
    /// The first one, whatever it is.
    First,
    /// No value.
    None,
}

/// A change of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OrderEdit {
    /// The last one first.
    Reverse,
}

/// The operations that stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Only {
    /// The first.
    First,
    /// The last.
    Last,
}

/// Operations one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// The operations up to the first error.
    Stop,
    /// All operations.
    GoOn,
}

/// A type to convert a value to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Retype {
    /// A number of a text, or 1.
    Number,
    /// A text of whatever it is.
    Text,
    /// An array of it.
    Array,
    /// The first element.
    Single,
}

/// An answer that is made up.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Instead {
    pub(crate) status: u16,
    pub(crate) body: Option<String>,
    #[serde(rename = "type")]
    pub(crate) media_type: Option<String>,
}

/// Returns the JSON Schema of mutant files.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(MutantFile)
}

impl Defective for Mutant {
    fn slug(&self) -> &str {
        &self.slug
    }

    fn defect(&self) -> &str {
        &self.defect
    }

    fn found_by(&self) -> &[String] {
        &self.found_by
    }
}
