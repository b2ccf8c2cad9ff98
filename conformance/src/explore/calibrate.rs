//! Learns what a subject stores and answers, before any sequence is judged: what it lacks is left out.

use serde_json::{Value, json};

use crate::case::capability::Feature;
use crate::explore::attributes::{self, Attribute, Kind};
use crate::explore::value::Choice;
use crate::explore::world::{World, patch, post, query, request};
use crate::json::{get, is_absent, same};
use crate::server::blank::list_extensions;
use crate::server::cleanup::Made;
use crate::server::discovery::{Facts, resources};
use crate::subject::server::client::Answer;

/// A plain value that no default equals.
const PLAIN: Choice = Choice { text: 0, number: 1 };

/// Why a subject cannot be explored.
#[derive(Debug, thiserror::Error)]
#[error("failed to create and read the smallest user: {0}")]
pub struct Unexplorable(String);

impl Unexplorable {
    pub(crate) fn new(why: &str) -> Self {
        Self(why.to_owned())
    }
}

impl World<'_> {
    /// Learns what the subject does.
    pub(crate) async fn calibrate(&mut self) -> Result<(), Unexplorable> {
        let mut made = Made::default();
        let result = self.learn(&mut made).await;
        made.remove(self.client, &self.leftovers).await;
        result
    }

    async fn learn(&mut self, made: &mut Made) -> Result<(), Unexplorable> {
        let feature = |feature| self.facts.feature(feature);
        let (bulk, etag, sort) = (feature(Feature::Bulk), feature(Feature::Etag), feature(Feature::Sort));
        let (patch_said, filter_said) = (feature(Feature::Patch), feature(Feature::Filter));
        let password = feature(Feature::ChangePassword) == Some(true) || has_password(self.facts);

        let plain = self.user(made, &[]).await?;
        self.can.external_id = true;
        let with_external_id = self.user(made, &[]).await;
        self.can.external_id = with_external_id.is_ok_and(|read| !is_absent(get(&read.body, "externalId")));

        self.attributes = attributes::of_type(self.facts, self.user);
        self.keep_stored(made).await;
        let made_up = |known: &Attribute| {
            known.value_in(&plain.sent).is_none() && known.value_in(&plain.body).is_some()
        };
        self.defaults = self
            .attributes
            .iter()
            .enumerate()
            .filter(|(_, known)| made_up(known))
            .map(|(at, _)| at)
            .collect();

        self.scope.users = self.attributes.len();
        let place = |is_it: &dyn Fn(&Attribute) -> bool| self.attributes.iter().position(is_it);
        (self.scope.active, self.scope.department, self.scope.emails) = (
            place(&|known| known.name == "active" && known.extension.is_none()),
            place(&|known| known.name == "department" && known.extension.is_some()),
            place(&|known| known.is_many() && known.parts().iter().any(|part| part.kind == Kind::Email)),
        );
        self.scope.external_id = self.can.external_id;
        self.scope.cursor = feature(Feature::Cursor) == Some(true);
        self.scope.bulk = bulk == Some(true);
        self.scope.sort = sort == Some(true);
        self.scope.etag = etag == Some(true) && plain.has_version;
        self.scope.password = password && patch_said != Some(false);
        self.scope.patch = patch_said != Some(false) && self.has_patch(&plain, made).await;
        if !self.scope.patch {
            self.limit("PATCH");
        }
        self.can.manager = self.keeps_manager(&plain, made).await;
        self.learn_filters(&plain, filter_said, made).await;
        self.learn_groups(&plain, filter_said, made).await;
        Ok(())
    }

    /// Creates a user and reads it.
    async fn user(&self, made: &mut Made, values: &[(usize, Value)]) -> Result<Known, Unexplorable> {
        let unique = self.next_name();
        let body = self.new_user(&unique, values);
        let (exchange, answer) = self.send(made, &post(&self.user.endpoint, &body)).await;
        let Some(answer) = answer else {
            return Err(Unexplorable(exchange.error.unwrap_or_else(|| "no answer".to_owned())));
        };
        let known = answer.is_success().then(|| Self::path_of(self.user, &answer)).flatten();
        let Some((path, id)) = known else {
            let detail = answer.json.as_ref().and_then(|body| get(body, "detail")?.as_str());
            let detail =
                detail.map_or_else(String::new, |detail| format!(" ({})", crate::format::cut(detail, 200)));
            return Err(Unexplorable(format!(
                "POST {} is answered {}{detail}",
                self.user.endpoint, answer.status
            )));
        };
        let (_, read) = self.send(made, &request("GET", &path, None)).await;
        match read.filter(Answer::is_success) {
            Some(read) => {
                let has_version = read.header("etag").is_some();
                Ok(Known { path, id, body: read.json.unwrap_or_default(), sent: body, has_version })
            }
            None => Err(Unexplorable(format!("GET {path} does not show it"))),
        }
    }

    /// Keeps the attributes that come back as they were sent.
    async fn keep_stored(&mut self, made: &mut Made) {
        let all = std::mem::take(&mut self.attributes);
        let mut kept: Vec<Attribute> = Vec::new();
        for attribute in all {
            self.attributes = vec![attribute];
            let value = PLAIN.value(&self.attributes[0]);
            let read = self.user(made, &[(0, value.clone())]).await;
            let mut is_kept = read.as_ref().is_ok_and(|read| {
                self.attributes[0].holds(Some(&value), self.attributes[0].value_in(&read.body))
            });
            if let (Ok(read), false) = (&read, is_kept) {
                // What creation loses and another write keeps is no lack.
                is_kept = self.is_stored_otherwise(read, &value, made).await;
            }
            let path = self.attributes[0].path();
            match read {
                Ok(_) if is_kept => kept.append(&mut self.attributes),
                Ok(_) => self.limit(&format!("does not come back as it is sent: {path}")),
                Err(_) => self.limit(&format!("is refused: {path}")),
            }
        }
        self.attributes = kept;
    }

    /// Whether a PUT or a PATCH stores the value of the first attribute.
    async fn is_stored_otherwise(&self, user: &Known, value: &Value, made: &mut Made) -> bool {
        let attribute = &self.attributes[0];
        let mut body = user.body.clone();
        attribute.set_in(&mut body, value.clone());
        let operation = json!([{ "op": "replace", "path": attribute.path(), "value": value }]);
        for write in [request("PUT", &user.path, Some(&body)), patch(&user.path, &operation)] {
            self.send(made, &write).await;
            let (_, read) = self.send(made, &request("GET", &user.path, None)).await;
            let read = read.and_then(|read| read.json).unwrap_or_default();
            if attribute.holds(Some(value), attribute.value_in(&read)) {
                return true;
            }
        }
        false
    }

    async fn keeps_manager(&self, plain: &Known, made: &mut Made) -> bool {
        let Some(urn) = self.enterprise() else { return false };
        let mut body = plain.body.clone();
        body[urn.as_str()]["manager"] = json!({ "value": plain.id });
        list_extensions(&mut body);
        self.send(made, &request("PUT", &plain.path, Some(&body))).await;
        let (_, read) = self.send(made, &request("GET", &plain.path, None)).await;
        let read = read.and_then(|read| read.json).unwrap_or_default();
        self.manager_in(&read) == Some(plain.id.as_str())
    }

    async fn has_patch(&self, plain: &Known, made: &mut Made) -> bool {
        let named = get(&plain.sent, "userName").cloned().unwrap_or_default();
        let operations = match self.attributes.first() {
            Some(first) => json!([{ "op": "replace", "path": first.path(), "value": PLAIN.value(first) }]),
            None => json!([{ "op": "replace", "path": "userName", "value": named }]),
        };
        let (_, answer) = self.send(made, &patch(&plain.path, &operations)).await;
        answer.is_some_and(|answer| answer.is_success())
    }

    async fn learn_filters(&mut self, plain: &Known, said: Option<bool>, made: &mut Made) {
        let name = get(&plain.sent, "userName").and_then(Value::as_str).unwrap_or_default().to_owned();
        let listed = async |filter: String, made: &mut Made| {
            let (_, answer) = self.send(made, &query(&self.user.endpoint, &[("filter", &filter)])).await;
            answer.filter(Answer::is_success).and_then(|answer| answer.json)
        };
        let finds = async |filter: String, made: &mut Made| {
            listed(filter, made).await.is_some_and(|body| {
                let ids: Vec<_> =
                    resources(&body).iter().filter_map(|one| get(one, "id")?.as_str()).collect();
                ids == [plain.id.as_str()]
            })
        };
        // A filter that is taken and finds something else is a violation, and no lack.
        let exact = listed(format!("userName eq {}", json!(name)), made).await.is_some();
        let start = name.split('@').next().unwrap_or(&name).to_owned();
        let scoped = finds(format!("userName sw {} and id eq {}", json!(start), json!(plain.id)), made).await
            || finds(format!("userName sw {} and userName co \"-\"", json!(start)), made).await;
        let other_case = finds(format!("userName eq {}", json!(name.to_ascii_uppercase())), made).await;
        let body =
            json!({ "schemas": [super::world::SEARCH], "filter": format!("userName eq {}", json!(name)) });
        let (_, answer) = self.send(made, &post(&format!("{}/.search", self.user.endpoint), &body)).await;
        let search = answer.filter(Answer::is_success).and_then(|answer| answer.json);
        self.can.look_up = said != Some(false) && exact;
        self.can.scoped = scoped;
        let schema = self.facts.schemas.get(&self.user.schema.to_ascii_lowercase());
        let named =
            schema.and_then(|schema| crate::server::discovery::attribute(schema, "attributes", "userName"));
        let is_said = named.and_then(|named| get(named, "caseExact")?.as_bool()) == Some(false);
        self.can.names_without_case = other_case || is_said;
        self.can.search = search.is_some_and(|body| get(&body, "totalResults").is_some());
        self.scope.filter = said != Some(false) && exact && scoped;
        self.scope.sort &= scoped;
        for (can, words) in [
            (self.can.look_up, "userName eq"),
            (scoped, "userName sw with and"),
            (self.can.search, "POST .search"),
            (other_case || is_said, "userName eq in another case"),
        ] {
            if !can {
                self.limit(words);
            }
        }
    }

    async fn learn_groups(&mut self, plain: &Known, filter_said: Option<bool>, made: &mut Made) {
        let Some(group) = self.facts.resource_type("Group") else { return };
        let unique = self.next_name();
        let mut body = self.blank.make(self.facts, group, &unique);
        body["members"] = json!([{ "value": plain.id }]);
        let (_, answer) = self.send(made, &post(&group.endpoint, &body)).await;
        let created = answer.filter(Answer::is_success).and_then(|answer| Self::path_of(group, &answer));
        let Some((path, id)) = created else {
            self.limit("groups with members");
            return;
        };
        self.group = Some(group);
        let (_, read) = self.send(made, &request("GET", &path, None)).await;
        let read = read.and_then(|read| read.json).unwrap_or_default();
        self.can.members = values(&read, "members").any(|value| value == plain.id);
        self.can.members_by_post = self.can.members;
        if !self.can.members && self.scope.patch {
            // What creation loses, a PATCH may keep.
            let operation = json!([{ "op": "add", "path": "members", "value": [{ "value": plain.id }] }]);
            self.send(made, &patch(&path, &operation)).await;
            let (_, read) = self.send(made, &request("GET", &path, None)).await;
            let read = read.and_then(|read| read.json).unwrap_or_default();
            self.can.members = values(&read, "members").any(|value| value == plain.id);
        }
        let (_, user) = self.send(made, &request("GET", &plain.path, None)).await;
        let user = user.and_then(|read| read.json).unwrap_or_default();
        self.can.user_groups = values(&user, "groups").any(|value| value == id);
        let name = get(&body, "displayName").cloned().unwrap_or_default();
        let groups = get(&user, "groups").and_then(Value::as_array);
        let shown = groups.and_then(|all| get(all.first()?, "display"));
        self.can.group_display = shown == Some(&name);
        let filter = format!("displayName eq {name}");
        let (_, found) = self.send(made, &query(&group.endpoint, &[("filter", &filter)])).await;
        let found = found.filter(Answer::is_success).and_then(|answer| answer.json);
        self.can.group_look_up = filter_said != Some(false) && found.is_some();
        for (can, words) in [
            (self.can.members, "members of groups do not come back"),
            (self.can.user_groups, "groups of users are not shown"),
            (self.can.group_look_up, "groups are not found by displayName eq"),
        ] {
            if !can {
                self.limit(words);
            }
        }
        let all = attributes::of_type(self.facts, group);
        for attribute in all {
            let value = PLAIN.value(&attribute);
            let mut body = self.blank.make(self.facts, group, &self.next_name());
            attribute.set_in(&mut body, value.clone());
            let (_, answer) = self.send(made, &post(&group.endpoint, &body)).await;
            let created = answer.filter(Answer::is_success).and_then(|answer| Self::path_of(group, &answer));
            let Some((path, _)) = created else { continue };
            let (_, read) = self.send(made, &request("GET", &path, None)).await;
            let read = read.and_then(|read| read.json).unwrap_or_default();
            if attribute.value_in(&read).is_some_and(|read| same(&value, read)) {
                self.group_attributes.push(attribute);
            }
        }
        if self.can.members {
            self.scope.groups = Some(self.group_attributes.len());
        }
    }
}

/// A user that was created and read.
struct Known {
    path: String,
    id: String,
    body: Value,
    sent: Value,
    has_version: bool,
}

/// Returns the `value`s of a multi-valued attribute.
pub(crate) fn values<'a>(resource: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    let all = get(resource, name).and_then(Value::as_array);
    all.into_iter().flatten().filter_map(|element| get(element, "value")?.as_str())
}

fn has_password(facts: &Facts) -> bool {
    let need = "User.password".parse();
    let types =
        facts.resource_type("User").and_then(|user| facts.schemas.get(&user.schema.to_ascii_lowercase()));
    types.is_some() && need.is_ok_and(|need| facts.met(&need) == crate::server::discovery::Met::Yes)
}
