//! Mutants as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::case::file::Statuses;
use crate::mutants::defect::Defective;

/// A file of mutants.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MutantFile {
    /// The mutants.
    pub mutant: Vec<Mutant>,
}

/// One server with one defect.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mutant {
    /// A stable name: a-z, 0-9 and hyphens.
    pub slug: String,
    /// What is wrong with it, in a sentence.
    pub defect: String,
    /// The cases that name the defect.
    pub found_by: Vec<String>,
    /// Laid over the mock's profile `rfc`.
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    pub profile: Option<toml::Table>,
    /// What is changed on the way.
    #[serde(default)]
    pub change: Vec<Change>,
}

/// One change, and when it is made.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Change {
    // When.
    pub(crate) method: Vec<String>,
    pub(crate) path: Option<String>,
    pub(crate) query: Option<String>,
    pub(crate) query_has: Option<String>,
    pub(crate) header: Option<String>,
    pub(crate) header_has: Option<String>,
    pub(crate) without_header: Option<String>,
    pub(crate) body_has: Option<String>,
    pub(crate) op: Option<String>,
    pub(crate) target: Option<Target>,
    pub(crate) attribute: Option<String>,
    pub(crate) value: Option<ValueKind>,
    pub(crate) status: Vec<Statuses>,
    pub(crate) nth: Option<usize>,
    // Then, the request.
    pub(crate) drop_query: Option<String>,
    pub(crate) set_query: BTreeMap<String, String>,
    pub(crate) shift_query: BTreeMap<String, i64>,
    pub(crate) in_filter: BTreeMap<String, String>,
    pub(crate) drop_header: Option<String>,
    pub(crate) set_header: BTreeMap<String, String>,
    pub(crate) let_in: bool,
    pub(crate) set_method: Option<String>,
    pub(crate) set_path: Option<String>,
    pub(crate) body_remove: Option<String>,
    pub(crate) body_set: BTreeMap<String, String>,
    pub(crate) operation: Option<OperationEdit>,
    pub(crate) set_op: Option<String>,
    pub(crate) set_value: Option<String>,
    pub(crate) set_operation_path: Option<String>,
    pub(crate) selects: Option<Selects>,
    pub(crate) order: Option<OrderEdit>,
    pub(crate) only: Option<Only>,
    pub(crate) split: Option<Split>,
    // Then, the answer.
    pub(crate) instead: Option<Instead>,
    pub(crate) swallow: Option<u16>,
    pub(crate) set_status: Option<u16>,
    pub(crate) drop_answer_header: Option<String>,
    pub(crate) set_answer_header: BTreeMap<String, String>,
    pub(crate) remove: Option<String>,
    pub(crate) set: BTreeMap<String, String>,
    pub(crate) add: BTreeMap<String, i64>,
    pub(crate) rename: BTreeMap<String, String>,
    pub(crate) retype: BTreeMap<String, Retype>,
    pub(crate) truncate: BTreeMap<String, usize>,
    pub(crate) repeat: Option<String>,
    pub(crate) reverse: Option<String>,
    pub(crate) from_request: BTreeMap<String, String>,
    pub(crate) text: Option<String>,
    pub(crate) empty: bool,
    pub(crate) in_text: BTreeMap<String, String>,
    pub(crate) freeze: Option<String>,
    pub(crate) case_exact: Option<String>,
    pub(crate) again: BTreeMap<String, String>,
    pub(crate) then_delete: bool,
    pub(crate) then_send: Option<String>,
    pub(crate) later: bool,
}

/// The form of an operation's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// There is none.
    None,
    /// `title`.
    Simple,
    /// `name.givenName`.
    Sub,
    /// `emails[…]`.
    Value,
    /// `emails[…].value`.
    ValueSub,
    /// It starts with `urn:`.
    Urn,
}

/// The kind of an operation's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ValueKind {
    /// There is none.
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

/// What is done to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OperationEdit {
    /// It is left out.
    Skip,
    /// Its path is taken away.
    DropPath,
    /// The filter is taken out of its path.
    DropFilter,
    /// What is behind the filter (or the first name) is taken away.
    DropSubAttribute,
    /// Of an array value only the first element stays.
    FirstValue,
    /// Of an array value only the last element stays.
    LastValue,
    /// The whole attribute is removed first.
    ClearFirst,
    /// Texts in its value are put in lower case.
    LowerValue,
}

/// What a filter in a path picks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Selects {
    /// All values.
    All,
    /// The first one, whatever it is.
    First,
    /// None.
    None,
}

/// Another order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OrderEdit {
    /// The last one first.
    Reverse,
}

/// One of several.
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
    /// Up to the first error.
    Stop,
    /// All of them.
    GoOn,
}

/// Another kind of value.
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

/// The JSON Schema of mutant files.
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
