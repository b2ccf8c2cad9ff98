//! Names of a case, and the resources and answers that they stand for.

use std::collections::BTreeMap;

use reqwest::Url;
use serde_json::Value;

use crate::case::noun::Nouns;
use crate::case::template::{Place, Property, Shift, Values};
use crate::casing::same_without_case;
use crate::json::get;
use crate::server::discovery::{Blank, Facts, ResourceType, id_in, id_text};
use crate::server::fit::Fit;
use crate::subject::server::client::{Answer, Client};

/// The value of a name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Known {
    /// Below the base URL.
    pub(crate) path: Option<String>,
    id: Option<String>,
    location: Option<String>,
    version: Option<String>,
    /// The last representation, as it was understood.
    pub(crate) seen: Value,
    /// The same with ids as the server writes them, where that is otherwise.
    sent: Option<Value>,
}

impl Known {
    /// Returns the last representation as the server writes it: the body that a client sends back.
    pub(crate) fn to_send(&self) -> Value {
        self.sent.as_ref().unwrap_or(&self.seen).clone()
    }
}

/// The names of a case and their values.
#[derive(Debug)]
pub(crate) struct Bindings<'a> {
    facts: &'a Facts,
    client: &'a Client,
    blank: &'a Blank,
    /// The case is about statuses that are overlooked in others.
    pub(crate) strict: bool,
    nouns: &'a Nouns,
    /// The prefix of all that the case makes.
    pub(crate) unique: String,
    /// The number of the resource that is being made.
    pub(crate) number: Option<usize>,
    made: usize,
    names: BTreeMap<String, Known>,
}

impl<'a> Bindings<'a> {
    pub(crate) fn new(
        facts: &'a Facts,
        client: &'a Client,
        blank: &'a Blank,
        nouns: &'a Nouns,
        strict: bool,
        unique: String,
    ) -> Self {
        Self { facts, client, blank, strict, nouns, unique, number: None, made: 0, names: BTreeMap::new() }
    }

    /// Describes the value of a name, with its name at the server.
    pub(crate) fn describe(&self, name: &str) -> String {
        let noun = self.nouns.get(name).map_or("the resource", String::as_str);
        let seen = self.names.get(name).map(|known| &known.seen);
        let called = ["userName", "displayName"].into_iter().find_map(|name| get(seen?, name)?.as_str());
        called.map_or_else(|| noun.to_owned(), |called| format!("{noun} `{called}`"))
    }

    /// Returns a name for the next resource.
    pub(crate) fn next_unique(&mut self) -> String {
        self.made += 1;
        format!("{}-{}", self.unique, self.made)
    }

    pub(crate) fn known(&self, name: &str) -> Option<&Known> {
        self.names.get(name)
    }

    /// Whether two changes of a resource within one second may give it the same version: it is weak, and the times of the
    /// subject are whole seconds, of which such a version may be made (RFC 9110 §8.8.1).
    pub(crate) fn versions_may_repeat(&self) -> bool {
        self.names.values().any(|known| {
            let meta = |name: &str| get(get(&known.seen, "meta")?, name)?.as_str();
            let time = meta("lastModified").and_then(|time| time.parse::<jiff::Timestamp>().ok());
            meta("version").is_some_and(|version| version.starts_with("W/"))
                && time.is_some_and(|time| time.subsec_nanosecond() == 0)
        })
    }

    /// Returns the names that a listing refers to: `u.*` is all of `u.1`, `u.2` …
    pub(crate) fn expand(&self, name: &str) -> Vec<String> {
        let Some(stem) = name.strip_suffix(".*") else { return vec![name.to_owned()] };
        let numbered = |known: &String| {
            known
                .strip_prefix(stem)
                .and_then(|rest| rest.strip_prefix('.'))
                .is_some_and(|n| n.parse::<usize>().is_ok())
        };
        let mut names: Vec<_> = self.names.keys().filter(|known| numbered(known)).cloned().collect();
        names.sort_by_key(|name| name.rsplit('.').next().and_then(|n| n.parse::<usize>().ok()));
        names
    }

    /// Adapts bodies to a resource type.
    pub(crate) fn fitted(&self, resource_type: &ResourceType, make: impl FnOnce(&Fit<'_>)) {
        let locate = |id: &str| {
            let known = self.names.values().find(|known| known.id.as_deref() == Some(id))?;
            let told = known.location.as_deref().map(|location| self.address(location));
            told.or_else(|| known.path.as_ref().map(|path| format!("{}{path}", self.client.base())))
        };
        make(&Fit { facts: self.facts, resource_type, unique: &self.unique, locate: &locate });
    }

    /// Returns the value that is asked for at a pointer, without sub-attributes that the schemas lack.
    pub(crate) fn pruned(&self, pointer: &str, mut wanted: Value) -> Value {
        if let Some(name) = pointer.strip_prefix('/').filter(|name| !name.contains('/')) {
            self.facts.prune(name, &mut wanted);
        }
        wanted
    }

    /// Returns a reference as an address, however it is written.
    pub(crate) fn address(&self, reference: &str) -> String {
        resolve(self.client.base(), reference)
    }

    /// Returns the id of a resource that does not show it, by the name that the case gave it.
    pub(crate) fn id_by_name(&self, resource: &Value) -> Option<String> {
        let text = |resource: &Value, name: &str| Some(get(resource, name)?.as_str()?.to_owned());
        ["userName", "externalId", "displayName"].into_iter().find_map(|name| {
            let told = text(resource, name)?;
            let is_it = |known: &&Known| {
                text(&known.seen, name).is_some_and(|known| same_without_case(&known, &told))
            };
            let mut named = self.names.values().filter(is_it).filter_map(|known| known.id.clone());
            let first = named.next()?;
            // Two of one name cannot be told apart.
            named.all(|other| other == first).then_some(first)
        })
    }

    /// Returns the URN of the schema of the resource that a name stands for.
    pub(crate) fn schema(&self, name: &str) -> Option<&str> {
        let (endpoint, _) = self.names.get(name)?.path.as_deref()?.rsplit_once('/')?;
        let known = self.facts.resource_types.iter().find(|known| known.endpoint == endpoint)?;
        Some(known.schema.as_str())
    }

    pub(crate) fn id(&self, name: &str) -> Option<&str> {
        self.names.get(name)?.id.as_deref()
    }

    /// Keeps what an answer shows. `whole`: it is the representation, not a part of it.
    pub(crate) fn keep(
        &mut self,
        name: &str,
        answer: &Answer,
        sent: Option<&Value>,
        endpoint: Option<&str>,
        whole: bool,
    ) {
        let known = self.names.entry(name.to_owned()).or_default();
        if let Some(json) = &answer.json
            && whole
        {
            known.seen = json.clone();
            known.sent.clone_from(&answer.raw);
        } else if let (None, Some(sent), true) = (&answer.json, sent, whole) {
            known.seen = sent.clone();
            known.sent = None;
        }
        let text =
            |value: &Value, name: &str| get(value, name).and_then(Value::as_str).map(ToOwned::to_owned);
        if let Some(json) = &answer.json {
            let meta = get(json, "meta");
            if let Some(id) = get(json, "id").and_then(id_text) {
                known.id = Some(id);
            }
            if let Some(version) = meta.and_then(|meta| text(meta, "version")) {
                known.version = Some(version);
            }
            if let Some(location) = meta.and_then(|meta| text(meta, "location")) {
                known.location = Some(location);
            }
        }
        if let Some(version) = answer.header("etag") {
            known.version = Some(version.to_owned());
        }
        if let Some(location) = answer.header("location") {
            known.location = Some(location.to_owned());
            if known.id.is_none() {
                known.id = location.rsplit('/').next().map(ToOwned::to_owned);
            }
        }
        if let (Some(endpoint), Some(id)) = (endpoint, &known.id) {
            known.path = Some(format!("{endpoint}/{}", Client::segment(id)));
        }
    }
}

impl Bindings<'_> {
    /// Keeps what the answer to a bulk request says of the resource of each operation, as `name.1`, `name.2` …
    pub(crate) fn keep_operations(&mut self, name: &str, answer: &Answer) {
        let results = answer.json.as_ref().and_then(|body| get(body, "Operations")?.as_array());
        for (index, result) in results.into_iter().flatten().enumerate() {
            let text = |name| Some(get(result, name)?.as_str()?.to_owned());
            let Some(location) = text("location") else { continue };
            let id = id_in(&location);
            let path = self.client.below(&self.address(&location));
            let version = text("version");
            let known = Known { path, id, location: Some(location), version, ..Known::default() };
            self.names.insert(format!("{name}.{}", index + 1), known);
        }
    }
}

impl Values for Bindings<'_> {
    fn value(&self, place: &Place) -> Option<Value> {
        match place {
            Place::Field(name, pointer) if name == "config" => first(self.facts.config.as_ref()?, pointer),
            Place::Field(name, pointer) => first(&self.names.get(name)?.seen, pointer),
            Place::Shifted(name, pointer, shifts) => {
                let time = first(&self.names.get(name)?.seen, pointer)?;
                Shift::apply(shifts, time.as_str()?).map(Value::from)
            }
            Place::Of(name, property) => {
                if let Some(known) = self.names.get(name) {
                    return match property {
                        Property::Id => known.id.clone(),
                        Property::Path | Property::NamedPath => known.path.clone(),
                        Property::Version => known.version.clone(),
                        Property::Location => {
                            let base = self.client.base();
                            let told = known.location.as_deref().map(|location| resolve(base, location));
                            told.or_else(|| known.path.as_ref().map(|path| format!("{base}{path}")))
                        }
                    }
                    .map(Value::from);
                }
                let known = self.facts.resource_type(name)?;
                match property {
                    Property::Path => Some(Value::from(known.endpoint.as_str())),
                    Property::NamedPath => self.facts.named_endpoint(name).map(Value::from),
                    Property::Location => {
                        Some(Value::from(format!("{}{}", self.client.base(), known.endpoint)))
                    }
                    Property::Id | Property::Version => None,
                }
            }
            Place::Base => Some(Value::from(self.client.base())),
            Place::Unique(label) if label.is_empty() => Some(Value::from(self.unique.as_str())),
            Place::Unique(label) => Some(Value::from(format!("{}-{label}", self.unique))),
            Place::UserName(label) => {
                let unique =
                    if label.is_empty() { self.unique.clone() } else { format!("{}-{label}", self.unique) };
                Some(Value::from(self.blank.user_name(&unique)))
            }
            Place::UserNames => Some(Value::from(self.blank.user_names_start(&format!("{}-", self.unique)))),
            Place::Number => self.number.map(Value::from),
            Place::New { resource_type, label, pointer } => {
                let known = self.facts.resource_type(resource_type)?;
                let new = self.blank.make(self.facts, known, &format!("{}-new{label}", self.unique));
                first(&new, pointer)
            }
            Place::Urn(name) => self.facts.urn(name).map(Value::from),
        }
    }

    fn numbered(&self, stem: &str) -> Vec<String> {
        self.expand(&format!("{stem}.*"))
    }
}

/// Resolves a reference: relative ones begin at the base URL (RFC 7643 §2.3.7), or at the server if they begin with a
/// slash (RFC 3986 §5.2). Returns an invalid one as it is.
fn resolve(base: &str, reference: &str) -> String {
    let joined = Url::parse(&format!("{base}/")).and_then(|base| base.join(reference));
    joined.map_or_else(|_| reference.to_owned(), String::from)
}

fn first(value: &Value, pointer: &str) -> Option<Value> {
    let reached = crate::json::reach(value, pointer);
    reached.into_iter().next().and_then(|(_, value)| value.cloned())
}

#[cfg(test)]
mod tests {
    use crate::server::bindings::*;

    #[test]
    fn references_are_resolved() {
        let base = "http://localhost:1/scim/v2";
        for (reference, address) in [
            ("http://localhost:1/scim/v2/Users/1", "http://localhost:1/scim/v2/Users/1"),
            ("Users/1", "http://localhost:1/scim/v2/Users/1"),
            ("/scim/v2/Users/1", "http://localhost:1/scim/v2/Users/1"),
            ("https://elsewhere.example/Users/1", "https://elsewhere.example/Users/1"),
            ("http://[", "http://["),
        ] {
            assert_eq!(resolve(base, reference), address);
        }
    }
}
