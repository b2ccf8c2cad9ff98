//! Detects whether an attribute that a case misses ever comes back as it is sent. If it does not, all cases with it report that,
//! and none reports that PATCH, PUT or filters fail.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::casing::lower_case;
use crate::json::{get, is_absent};
use crate::query_string::parameters;
use crate::requirement::Shared;
use crate::server::discovery::{ResourceType, attribute, merge, resources};
use crate::server::findings::Told;
use crate::server::runner::Player;
use crate::server::runner::fault::Fault;
use crate::subject::server::client::{Client, Request};
use crate::transcript::Exchange;

const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Attributes of every resource, or attributes that a server may keep to itself: cases of their own judge them.
const NEVER: [&str; 6] = ["schemas", "id", "meta", "username", "password", "groups"];

/// An attribute that a case sent, with the value.
struct Sent {
    /// The endpoint of the resource.
    endpoint: String,
    name: String,
    value: Value,
}

impl Player<'_> {
    /// Returns the cause of the case's most binding miss if it is an attribute that never comes back.
    pub(super) async fn lost_attribute(&mut self) -> Option<Fault> {
        let worst = self.misses.iter().map(|(_, miss)| miss.level).min()?;
        let (step, miss) = self.misses.iter().find(|(_, miss)| miss.level == worst).cloned()?;
        if miss.shared.is_some() {
            return None;
        }
        let played = self.exchanges.get(..miss.at)?.to_vec();
        let asked = played.last().map(asked).unwrap_or_default();
        let place = place(&miss.what);
        let is_list = miss.what.starts_with("/Resources");
        let paths: String = played.iter().flat_map(paths).collect();
        for sent in self.sent(&played) {
            let named = sent.name.to_ascii_lowercase();
            let here = place.first().is_some_and(|head| *head == named);
            if NEVER.contains(&named.as_str()) || !(here || place.is_empty() && asked.contains(&named)) {
                continue;
            }
            let Some(missing) = self.missing(&sent, is_list).await else { continue };
            let whole = missing.contains("");
            let part = missing.iter().find(|part| {
                let part = part.to_ascii_lowercase();
                place.get(1).is_some_and(|known| *known == part)
                    || asked.contains(&part)
                    || paths.contains(&part)
                    || mentions(&miss.expected, &part)
            });
            let attribute = match (whole, part) {
                (true, _) => sent.name.clone(),
                (false, Some(part)) if named.starts_with("urn:") => format!("{}:{part}", sent.name),
                (false, Some(part)) => format!("{}.{part}", sent.name),
                (false, None) => continue,
            };
            let (shared, what) = if missing.contains(IN_LISTS) {
                (Shared::Listed, "is shown of a single resource, and not in lists")
            } else if missing.contains(OTHER_VALUE) {
                (
                    Shared::Stored,
                    "comes back as another value than was sent, whether it is written by POST, PATCH or PUT",
                )
            } else {
                (
                    Shared::Stored,
                    "was sent and never comes back: no read shows it, whether it is written by POST, PATCH or PUT",
                )
            };
            let because = format!("{step}: `{attribute}` {what}");
            let is_means = played.iter().any(does_more);
            return Some(Fault { shared, attribute: Some(attribute), because, is_means });
        }
        None
    }

    /// Returns the attributes that were sent, each with its most specific value.
    fn sent(&self, played: &[Exchange]) -> Vec<Sent> {
        let mut all: Vec<Sent> = Vec::new();
        for exchange in played {
            let Some(path) = self.context.client.below(&exchange.request.url) else { continue };
            let body = &exchange.request.body;
            if !path.eq_ignore_ascii_case("/Bulk") {
                self.gather(&mut all, &exchange.request.method, &path, body);
                continue;
            }
            for operation in get(body, "Operations").and_then(Value::as_array).into_iter().flatten() {
                let text = |name: &str| get(operation, name).and_then(Value::as_str).unwrap_or_default();
                if let Some(data) = get(operation, "data") {
                    self.gather(&mut all, &text("method").to_ascii_uppercase(), text("path"), data);
                }
            }
        }
        all
    }

    /// Collects the attributes that a request sets.
    fn gather(&self, all: &mut Vec<Sent>, method: &str, path: &str, body: &Value) {
        let mut types = self.context.facts.resource_types.iter();
        let is_of = |known: &&ResourceType| {
            path.strip_prefix(&known.endpoint).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let Some(known) = types.find(is_of) else { return };
        for (name, value) in attributes(method, body, &known.schema) {
            let same =
                |sent: &&mut Sent| sent.endpoint == known.endpoint && sent.name.eq_ignore_ascii_case(&name);
            match all.iter_mut().find(same) {
                Some(sent) if parts(&value).len() > parts(&sent.value).len() => sent.value = value,
                Some(_) => {}
                None => all.push(Sent { endpoint: known.endpoint.clone(), name, value }),
            }
        }
    }

    /// Returns the parts of an attribute that never come back: all of it (the empty text), or sub-attributes. Returns
    /// `None` if unknown.
    async fn missing(&mut self, sent: &Sent, in_lists: bool) -> Option<BTreeSet<String>> {
        let facts = &self.context.facts;
        let known = facts.resource_types.iter().find(|known| known.endpoint == sent.endpoint)?;
        let schema = facts.schemas.get(&known.schema.to_ascii_lowercase());
        let defined = schema.and_then(|schema| attribute(schema, "attributes", &sent.name));
        let is_extension = sent.name.to_ascii_lowercase().starts_with("urn:");
        let is_common = sent.name.eq_ignore_ascii_case("externalId");
        let unknown = schema.is_some() && defined.is_none() && !is_extension && !is_common;
        if unknown || defined.is_some_and(is_never_shown) {
            return None;
        }
        let wanted: BTreeSet<_> = parts(&sent.value)
            .into_iter()
            .filter(|part| {
                let part = defined.and_then(|defined| attribute(defined, "subAttributes", part));
                !part.is_some_and(is_never_shown)
            })
            .collect();
        let is_plain = texts(&sent.value).iter().all(|text| is_plain(text));
        let key = format!("{} {} {wanted:?} {in_lists} {is_plain}", sent.endpoint, sent.name);
        if let Some(Told(known)) = self.context.findings.attribute(&key) {
            return known;
        }
        let missing = self.write_and_read(known, sent, wanted, in_lists).await;
        self.context.findings.note_attribute(key, missing.clone());
        missing
    }

    async fn write_and_read(
        &mut self,
        known: &ResourceType,
        sent: &Sent,
        wanted: BTreeSet<String>,
        in_lists: bool,
    ) -> Option<BTreeSet<String>> {
        let unique = self.bindings.next_unique();
        let mut over = json!({ sent.name.clone(): self.sample(sent, &unique).await? });
        self.bindings.fitted(known, |fit| fit.body(&mut over));
        let mut body = self.context.blank.make(&self.context.facts, known, &unique);
        merge(&mut body, &over);
        if sent.name.to_ascii_lowercase().starts_with("urn:")
            && let Some(schemas) = body["schemas"].as_array_mut()
            && !schemas.contains(&json!(sent.name))
        {
            schemas.push(json!(sent.name));
        }
        let write = |method: &str, path: &str, body: &Value| Request {
            method: method.to_owned(),
            path: path.to_owned(),
            body: Some(body.to_string()),
            ..Request::default()
        };
        let made = self.try_out(&write("POST", &known.endpoint, &body)).await?;
        let id = get(made.json.as_ref().filter(|_| made.is_success())?, "id")?.as_str()?.to_owned();
        let path = format!("{}/{}", known.endpoint, Client::segment(&id));
        let mut read = self.read_one(&path).await?;
        let mut missing = wanted;
        missing.extend([String::new(), OTHER_VALUE.to_owned()]);
        lose(&mut missing, &read, &over, &sent.name);
        if !missing.is_empty() {
            let operation = json!({ "op": "add", "value": over.clone() });
            let patch = json!({ "schemas": [PATCH_OP], "Operations": [operation] });
            self.try_out(&write("PATCH", &path, &patch)).await;
            read = self.read_one(&path).await?;
            lose(&mut missing, &read, &over, &sent.name);
        }
        if !missing.is_empty() {
            let mut whole = read.clone();
            merge(&mut whole, &over);
            self.try_out(&write("PUT", &path, &whole)).await;
            read = self.read_one(&path).await?;
            lose(&mut missing, &read, &over, &sent.name);
        }
        if missing.contains("") {
            missing.remove(OTHER_VALUE);
        } else if missing.contains(OTHER_VALUE) {
            missing.insert(String::new());
        }
        if missing.is_empty() && in_lists {
            let name = ["userName", "displayName"]
                .into_iter()
                .find_map(|name| Some(format!("{name} eq {}", json!(get(&read, name)?.as_str()?))));
            let list = Request {
                method: "GET".to_owned(),
                path: known.endpoint.clone(),
                query: vec![("filter".to_owned(), name?)],
                ..Request::default()
            };
            let list = self.try_out(&list).await?.json?;
            let listed =
                resources(&list).iter().find(|found| get(found, "id").is_some_and(|it| *it == id))?;
            if is_absent(get(listed, &sent.name)) {
                missing.extend([String::new(), IN_LISTS.to_owned()]);
            }
        }
        Some(missing)
    }

    pub(super) async fn read_one(&mut self, path: &str) -> Option<Value> {
        let read = Request { method: "GET".to_owned(), path: path.to_owned(), ..Request::default() };
        self.try_out(&read).await.filter(|answer| answer.status == 200)?.json
    }

    /// Returns a value to send: members must exist, some servers want each `externalId` once, and `active` may be
    /// left out if it is false.
    async fn sample(&mut self, sent: &Sent, unique: &str) -> Option<Value> {
        if sent.name.eq_ignore_ascii_case("externalId") {
            return Some(json!(unique));
        }
        if sent.name.eq_ignore_ascii_case("active") {
            return Some(json!(true));
        }
        if !sent.name.eq_ignore_ascii_case("members") {
            return Some(sent.value.clone());
        }
        let user = self.context.facts.resource_type("User")?;
        let body = self.context.blank.make(&self.context.facts, user, &self.bindings.next_unique());
        let create = Request {
            method: "POST".to_owned(),
            path: user.endpoint.clone(),
            body: Some(body.to_string()),
            ..Request::default()
        };
        let made = self.try_out(&create).await?.json?;
        Some(json!([{ "value": get(&made, "id")? }]))
    }
}

/// Stands for: it is shown of a single resource, and not in lists.
const IN_LISTS: &str = "in lists";

/// Stands for: the server shows a value of its own.
const OTHER_VALUE: &str = "as another value";

/// Removes the parts that a resource shows, of an attribute with the values of `sent`.
fn lose(missing: &mut BTreeSet<String>, resource: &Value, sent: &Value, name: &str) {
    let found = get(resource, name).filter(|found| !is_absent(Some(found)));
    let Some(found) = found else { return };
    let shown = parts(found);
    let is_other = get(sent, name).is_some_and(|sent| is_other_text(sent, found));
    missing.retain(|part| match part.as_str() {
        "" => false,
        OTHER_VALUE => is_other,
        part => !shown.iter().any(|known| known.eq_ignore_ascii_case(part)),
    });
}

/// Whether plain texts, or the `value` of each element, come back as quite other ones. How a server spoils a text is the
/// subject of other cases.
pub(super) fn is_other_text(sent: &Value, found: &Value) -> bool {
    let (sent, found) = (texts(sent), texts(found));
    let is_other = |sent: &String, found: &String| !sent.contains(found) && !found.contains(sent);
    !sent.is_empty()
        && sent.iter().all(|text| is_plain(text))
        && sent.iter().all(|sent| found.iter().all(|found| is_other(sent, found)))
}

fn is_plain(text: &str) -> bool {
    !text.contains("  ")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'@' | b'.'))
}

/// Returns a text, or the `value` of each element, in lower case.
fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| Some(lower_case(value.as_str()?.trim()));
    match value {
        Value::Array(elements) => elements.iter().filter_map(|one| text(get(one, "value")?)).collect(),
        one => text(one).into_iter().collect(),
    }
}

/// Returns the sub-attributes of a value. `false` may be left out, and the server decides about the target of a
/// reference.
fn parts(value: &Value) -> BTreeSet<String> {
    let of_one = |one: &Value| -> Vec<String> {
        let members = one.as_object().into_iter().flatten();
        let there = members.filter(|(_, member)| !is_absent(Some(member)) && **member != Value::Bool(false));
        let names = there.map(|(name, _)| name.clone());
        names.filter(|name| name != "$ref" && !name.eq_ignore_ascii_case("display")).collect()
    };
    match value {
        Value::Array(elements) => elements.iter().flat_map(of_one).collect(),
        one => of_one(one).into_iter().collect(),
    }
}

fn is_never_shown(attribute: &Value) -> bool {
    let says = |name: &str| get(attribute, name).and_then(Value::as_str).unwrap_or_default();
    matches!(says("mutability"), "readOnly" | "writeOnly") || matches!(says("returned"), "never" | "request")
}

/// Returns the attributes that a request sets.
fn attributes(method: &str, body: &Value, core: &str) -> Vec<(String, Value)> {
    let members = |value: &Value| -> Vec<(String, Value)> {
        let members = value.as_object().into_iter().flatten();
        let there = members.filter(|(_, member)| !is_absent(Some(member)));
        there.map(|(name, member)| (name.clone(), member.clone())).collect()
    };
    match method {
        "POST" | "PUT" => members(body),
        "PATCH" => {
            let operations = get(body, "Operations").and_then(Value::as_array).into_iter().flatten();
            let mut all = Vec::new();
            for operation in operations {
                let Some(value) = get(operation, "value").filter(|value| !is_absent(Some(value))) else {
                    continue;
                };
                match get(operation, "path").and_then(Value::as_str) {
                    None => all.extend(members(value)),
                    Some(path) if path.contains('[') => all.extend(of_value_path(path, value, core)),
                    Some(path) => all.push(of_path(path, value, core)),
                }
            }
            all
        }
        _ => Vec::new(),
    }
}

/// Returns the attribute of a path, and its value as a part of the resource. A path may begin with the URN of the
/// resource's own schema, which `core` is (RFC 7644 §3.10), or with that of an extension.
fn of_path(path: &str, value: &Value, core: &str) -> (String, Value) {
    let (urn, rest) = match path.rsplit_once(':') {
        Some((urn, rest)) => (Some(urn).filter(|urn| !urn.eq_ignore_ascii_case(core)), rest),
        None => (None, path),
    };
    let within = |name: &str, value: Value| Value::Object(Map::from_iter([(name.to_owned(), value)]));
    let (name, value) = match rest.split_once('.') {
        Some((name, part)) => (name, within(part, value.clone())),
        None => (rest, value.clone()),
    };
    match urn {
        Some(urn) => (urn.to_owned(), within(name, value)),
        None => (name.to_owned(), value),
    }
}

/// Returns the attribute of a value path such as `emails[type eq "work"].value`, with the element that it may make.
fn of_value_path(path: &str, value: &Value, core: &str) -> Option<(String, Value)> {
    let (name, rest) = path.split_once('[')?;
    let name = match name.rsplit_once(':') {
        Some((urn, name)) if urn.eq_ignore_ascii_case(core) => name,
        _ => name,
    };
    let (filter, part) = rest.rsplit_once(']')?;
    let mut words = filter.splitn(3, ' ');
    let (selected, operator, wanted) = (words.next()?, words.next()?, words.next()?);
    let wanted: Value = serde_json::from_str(wanted).ok()?;
    let mut element = match part.strip_prefix('.') {
        Some(part) => Map::from_iter([(part.to_owned(), value.clone())]),
        None => value.as_object()?.clone(),
    };
    if operator.eq_ignore_ascii_case("eq") {
        element.entry(selected).or_insert(wanted);
    }
    Some((name.to_owned(), json!([element])))
}

/// Returns the attribute and sub-attribute that a miss is about, in lower case.
fn place(what: &str) -> Vec<String> {
    let Some(pointer) = what.strip_prefix('/') else { return Vec::new() };
    let names =
        pointer.split('/').map(|name| name.replace("~1", "/").replace("~0", "~").to_ascii_lowercase());
    let is_name = |name: &String| {
        name.parse::<usize>().is_err()
            && !matches!(name.as_str(), "*" | "resources" | "pages" | "totalresults" | "")
    };
    names.filter(is_name).collect()
}

/// Returns the names in a request, in lower case: its filter, its order, the paths of a PATCH.
fn asked(exchange: &Exchange) -> String {
    let query = exchange.request.url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let is_asked = |name: &str| name.eq_ignore_ascii_case("filter") || name.eq_ignore_ascii_case("sortBy");
    let given = parameters(query).into_iter().filter(|(name, _)| is_asked(name)).map(|(_, value)| value);
    let mut words: Vec<String> = given.collect();
    for name in ["filter", "sortBy"] {
        words.extend(get(&exchange.request.body, name).and_then(Value::as_str).map(ToOwned::to_owned));
    }
    words.extend(paths(exchange));
    words.join(" ").to_ascii_lowercase()
}

/// Returns the paths of a PATCH, in lower case.
fn paths(exchange: &Exchange) -> Vec<String> {
    let operations = get(&exchange.request.body, "Operations").and_then(Value::as_array);
    let paths = operations.into_iter().flatten().filter_map(|operation| get(operation, "path")?.as_str());
    paths.map(|path| format!("{} ", path.to_ascii_lowercase())).collect()
}

/// Whether a value has a member of this name, at any depth.
fn mentions(value: &Value, part: &str) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, member)| name.eq_ignore_ascii_case(part) || mentions(member, part))
        }
        Value::Array(elements) => elements.iter().any(|element| mentions(element, part)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether a request does more than create or read.
fn does_more(exchange: &Exchange) -> bool {
    let asks = ["filter=", "sortBy=", "attributes=", "excludedAttributes="];
    match exchange.request.method.as_str() {
        "POST" => exchange.request.url.ends_with("/.search") || exchange.request.url.ends_with("/Bulk"),
        "GET" => asks.iter().any(|name| exchange.request.url.contains(name)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use crate::server::runner::stored::*;

    #[test]
    fn place_of_a_miss_is_an_attribute() {
        assert_eq!(place("/emails/0/type"), ["emails", "type"]);
        assert_eq!(place("/Resources/3/members"), ["members"]);
        assert_eq!(place("/urn:x:User/department"), ["urn:x:user", "department"]);
        assert!(place("/Resources").is_empty() && place("status").is_empty());
    }

    #[test]
    fn set_attributes_are_found_in_bodies_and_operations() {
        let patch = json!({ "Operations": [
            { "op": "add", "path": "title", "value": "x" },
            { "op": "add", "path": "name.givenName", "value": "Ada" },
            { "op": "replace", "path": "urn:x:User:department", "value": "R&D" },
            { "op": "replace", "value": { "nickName": "y" } },
            { "op": "remove", "path": "locale" },
            { "op": "add", "path": "emails[type eq \"work\"].value", "value": "a@b.example" },
            { "op": "add", "path": "urn:core:User:emails[type eq \"home\"].value", "value": "b@b.example" },
        ] });
        let expected = [
            ("title", json!("x")),
            ("name", json!({ "givenName": "Ada" })),
            ("urn:x:User", json!({ "department": "R&D" })),
            ("nickName", json!("y")),
            ("emails", json!([{ "type": "work", "value": "a@b.example" }])),
            ("emails", json!([{ "type": "home", "value": "b@b.example" }])),
        ];
        let attributes = |method: &str, body: &Value| attributes(method, body, "urn:core:User");
        assert_eq!(attributes("PATCH", &patch), expected.map(|(name, value)| (name.to_owned(), value)));
        assert_eq!(attributes("PUT", &json!({ "a": 1, "b": [] })), [("a".to_owned(), json!(1))]);
        assert_eq!(attributes("GET", &json!({ "a": 1 })), []);
    }

    #[test]
    fn shown_attribute_is_not_missing() {
        let mut missing = BTreeSet::from([String::new(), "type".to_owned(), "value".to_owned()]);
        let sent = json!({ "emails": [{ "value": "a", "type": "work" }] });
        lose(&mut missing, &json!({ "emails": [] }), &sent, "emails");
        assert_eq!(missing.len(), 3);
        lose(&mut missing, &json!({ "emails": [{ "value": "a", "primary": false }] }), &sent, "emails");
        assert_eq!(missing, BTreeSet::from(["type".to_owned()]));
    }

    #[test]
    fn text_that_comes_back_as_another_one_is_missing() {
        let all = BTreeSet::from([String::new(), OTHER_VALUE.to_owned()]);
        for (sent, shown, is_other) in [
            ("Ada Quay", "x-1@example.com", true),
            ("Ada Quay", "Ada Quay", false),
            ("Ada Quay", "ADA QUAY", false),
            ("Ada Quay", "Ada", false),
            (" Ada Quay ", "Ada Quay", false),
            ("Ada  Quay", "Ada Quay", false),
            ("Ada \u{1f680}", "x-1@example.com", false),
        ] {
            for of in [|text: &str| json!(text), |text: &str| json!([{ "value": text }])] {
                let mut missing = all.clone();
                lose(&mut missing, &json!({ "x": of(shown) }), &json!({ "x": of(sent) }), "x");
                assert_eq!(missing.contains(OTHER_VALUE), is_other, "{sent} comes back as {shown}");
            }
        }
    }

    #[test]
    fn path_is_read_with_the_urn_of_the_schema_or_of_an_extension() {
        const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
        const EXTENSION: &str = "urn:example:staff:2.0:User";
        for (path, name, value) in [
            ("title".to_owned(), "title", json!("x")),
            ("name.givenName".to_owned(), "name", json!({ "givenName": "x" })),
            (format!("{CORE}:title"), "title", json!("x")),
            (format!("{}:name.givenName", CORE.to_ascii_uppercase()), "name", json!({ "givenName": "x" })),
            (format!("{EXTENSION}:badge"), EXTENSION, json!({ "badge": "x" })),
            (format!("{EXTENSION}:manager.value"), EXTENSION, json!({ "manager": { "value": "x" } })),
        ] {
            assert_eq!(of_path(&path, &json!("x"), CORE), (name.to_owned(), value), "{path}");
        }
    }
}
