//! Mutants as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::client::own::METHODS;
use crate::client::pattern::Pattern;
use crate::mutants::defect::Defective;
use crate::select::check_slug;

/// A file of mutants.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MutantFile {
    /// The mutants.
    pub mutant: Vec<Mutant>,
}

/// One client with one defect.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mutant {
    /// A stable name: a-z, 0-9 and hyphens.
    pub slug: String,
    /// What is wrong with it, in a sentence.
    pub defect: String,
    /// The ids of the cases that name the defect.
    pub found_by: Vec<String>,
    /// The update method of the provisioner: `put`, `patch` or `auto`.
    #[serde(default = "put")]
    pub method: String,
    /// Played beside the scenarios of those cases. Where neither has any: create, update and disable.
    #[serde(default)]
    pub scenarios: Vec<String>,
    /// What is done to its requests.
    pub change: Vec<Change>,
}

fn put() -> String {
    "put".to_owned()
}

/// One change, and when it is made.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Change {
    /// Which requests. What it says of answers counts for `again` and `then` alone.
    pub(crate) when: Pattern,
    /// Not the first so many of these.
    pub(crate) after: usize,
    /// So many of them at most.
    pub(crate) times: Option<usize>,
    // The request is changed.
    /// These header fields are left out.
    pub(crate) drop_header: Vec<String>,
    /// These header fields are set.
    pub(crate) set_header: BTreeMap<String, String>,
    /// Another method.
    pub(crate) method: Option<String>,
    /// Another path below the base URL.
    pub(crate) path: Option<String>,
    /// Another id in the path.
    pub(crate) id: Option<String>,
    /// Added to the query as it stands here.
    pub(crate) add_query: Option<String>,
    /// Replaced in the query as it stands on the wire.
    pub(crate) in_query: BTreeMap<String, String>,
    /// Taken out of the body, by JSON pointer.
    pub(crate) body_remove: Vec<String>,
    /// Set in the body, by JSON pointer, as JSON text.
    pub(crate) body_set: BTreeMap<String, String>,
    /// Replaced in the text of the body.
    pub(crate) in_body: BTreeMap<String, String>,
    /// Another body, as text; an empty one: none.
    pub(crate) body: Option<String>,
    // What is sent.
    /// The request is sent twice.
    pub(crate) twice: bool,
    /// It is sent again at once, so often at most, as long as the answer is as `when` says.
    pub(crate) again: usize,
    /// Sent before it: method, path below the base URL, and a body if wanted.
    pub(crate) first: Vec<String>,
    /// Sent after it, where the answer is as `when` says.
    pub(crate) then: Vec<String>,
    /// It is not sent, and the client is told this status.
    pub(crate) instead: Option<u16>,
    /// A read is not sent, and the client is told what the last write answered.
    pub(crate) pretend: bool,
    /// A write becomes a DELETE of the user and a POST of the body.
    pub(crate) recreate: bool,
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

impl Mutant {
    /// What is wrong with it, as data.
    ///
    /// # Errors
    /// In words.
    pub fn check(&self) -> Result<(), String> {
        check_slug(&self.slug)?;
        if self.found_by.is_empty() {
            return Err("`found-by` is empty: no case names its defect".to_owned());
        }
        if self.change.is_empty() {
            return Err("it has no `change`: nothing is wrong with it".to_owned());
        }
        if !METHODS.contains(&self.method.as_str()) {
            return Err(format!("`method` is one of {}", METHODS.join(", ")));
        }
        for change in &self.change {
            for text in change.body_set.values() {
                serde_json::from_str::<Value>(text).map_err(|error| format!("not JSON ({error}): {text}"))?;
            }
            for text in change.first.iter().chain(&change.then) {
                if text.split(' ').nth(1).is_none_or(|path| !path.starts_with('/')) {
                    return Err(format!("`{text}` is no request: expected a method and a path"));
                }
            }
        }
        Ok(())
    }
}
