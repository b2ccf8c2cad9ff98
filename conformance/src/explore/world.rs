//! What all sequences share: the subject, its attributes, and what was learned of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::RwLock;

use crate::explore::attributes::Attribute;
use crate::explore::operation::{Scope, Type};
use crate::explore::rule::Violation;
use crate::json::get;
use crate::server::blank::list_extensions;
use crate::server::cleanup::{Leftovers, Made};
use crate::server::deviation::asked::Asked;
use crate::server::deviation::resources::id_of;
use crate::server::deviation::understand;
use crate::server::discovery::{Blank, Facts, ResourceType};
use crate::server::names::radix;
use crate::subject::server::client::{Answer, Client, Request};
use crate::transcript::Exchange;

pub(crate) const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
pub(crate) const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
pub(crate) const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// The subject and the knowledge about it.
pub(crate) struct World<'a> {
    pub(crate) client: &'a Client,
    pub(crate) facts: &'a Facts,
    pub(crate) blank: &'a Blank,
    pub(crate) user: &'a ResourceType,
    pub(crate) group: Option<&'a ResourceType>,
    /// The attributes of users that the subject stores.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) group_attributes: Vec<Attribute>,
    /// Attributes of users that the subject sets if they are not sent.
    pub(crate) defaults: BTreeSet<usize>,
    pub(crate) scope: Scope,
    pub(crate) can: Abilities,
    /// The part of names that all resources of the run share.
    pub(crate) run: String,
    pub(crate) leftovers: Leftovers,
    /// Requests that were sent.
    pub(crate) requests: AtomicUsize,
    next: AtomicUsize,
    learned: Mutex<Learned>,
    /// Held while an operation is played; alone by one that needs the others to stand still.
    pub(crate) turn: RwLock<()>,
    /// Resources of all sequences by type and id, and whether they live.
    known: Mutex<BTreeMap<(Type, String), bool>>,
    /// Passwords that were set, none of which any answer may show.
    pub(crate) secret: String,
}

/// What the subject was seen to do.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Abilities {
    /// `userName eq` finds a user.
    pub(crate) look_up: bool,
    /// `userName sw` selects users, also with `and`.
    pub(crate) scoped: bool,
    pub(crate) search: bool,
    /// A group is looked up by its displayName.
    pub(crate) group_look_up: bool,
    pub(crate) external_id: bool,
    /// Groups show their members.
    pub(crate) members: bool,
    /// A POST of a group stores its members.
    pub(crate) members_by_post: bool,
    /// Users show their groups.
    pub(crate) user_groups: bool,
    /// Users show the displayName of their groups.
    pub(crate) group_display: bool,
    /// Users keep a manager.
    pub(crate) manager: bool,
    /// The userName of another case is the same.
    pub(crate) names_without_case: bool,
}

/// What was learned while sequences were played.
#[derive(Debug, Default)]
struct Learned {
    /// Whether a request is taken on a fresh resource, by its form.
    taken: BTreeMap<String, bool>,
    /// Whether a PUT clears an attribute that it leaves out.
    put_clears: BTreeMap<usize, bool>,
    /// Whether a deleted user leaves its groups.
    members_leave: Option<bool>,
    /// Keys of violations that were found, and how often.
    known: BTreeMap<String, usize>,
    /// What the subject does not take, in words.
    limits: BTreeSet<String>,
}

/// Keys of one rule that share the form or the subject are the same finding beyond this number.
const ALIKE: usize = 3;

/// Returns the rule, the form and the subject of a key.
fn parts(key: &str) -> (&str, &str, &str) {
    let mut parts = key.splitn(3, '/');
    let mut next = || parts.next().unwrap_or_default();
    (next(), next(), next())
}

impl<'a> World<'a> {
    pub(crate) fn new(
        client: &'a Client,
        facts: &'a Facts,
        blank: &'a Blank,
        user: &'a ResourceType,
        run: String,
    ) -> Self {
        let scope = Scope {
            users: 0,
            groups: None,
            patch: false,
            bulk: false,
            filter: false,
            sort: false,
            etag: false,
            cursor: false,
            external_id: false,
            credentials: client.has_credentials(),
            password: false,
            active: None,
            department: None,
            emails: None,
        };
        Self {
            client,
            facts,
            blank,
            user,
            group: None,
            attributes: Vec::new(),
            group_attributes: Vec::new(),
            defaults: BTreeSet::new(),
            scope,
            can: Abilities::default(),
            secret: format!("Zq7!{run}"),
            run,
            leftovers: Leftovers::default(),
            requests: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            learned: Mutex::default(),
            turn: RwLock::default(),
            known: Mutex::default(),
        }
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the name of the next sequence, by which its resources are found.
    pub(crate) fn next_name(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        // The suite numbers its cases without a leading zero: with one seed at one server names stay apart.
        format!("{}{}-0{}x", crate::server::PREFIX, self.run, radix(number as u64))
    }

    /// Sends a request; notes what it made.
    pub(crate) async fn send(&self, made: &mut Made, request: &Request) -> (Exchange, Option<Answer>) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (exchange, mut answer) = self.client.send(request).await;
        made.note(self.facts, self.client, request, answer.as_ref());
        if let Some(answer) = &mut answer {
            understand(answer, &Asked::new(self.client, self.facts, request, &|_| None));
        }
        (exchange, answer)
    }

    /// Returns the smallest new user with these attributes.
    pub(crate) fn new_user(&self, unique: &str, values: &[(usize, Value)]) -> Value {
        let mut body = self.blank.make(self.facts, self.user, unique);
        for (at, value) in values {
            self.attributes[*at].set_in(&mut body, value.clone());
        }
        if self.can.external_id {
            body["externalId"] = json!(external_id(unique));
        }
        list_extensions(&mut body);
        body
    }

    /// Notes a violation. Returns whether it is new: the first of its kind, and not one of many alike.
    pub(crate) fn is_new(&self, violation: &Violation) -> bool {
        let key = violation.key();
        let mut learned = self.learned();
        if let Some(count) = learned.known.get_mut(&key) {
            *count += 1;
            return false;
        }
        let (rule, form, about) = parts(&key);
        let alike = |is_alike: &dyn Fn(&str, &str) -> bool| {
            let keys = learned.known.keys().map(|known| parts(known));
            keys.filter(|(of, form, about)| *of == rule && is_alike(form, about)).count() >= ALIKE
        };
        // One cause shows at many attributes, or after many kinds of requests.
        let is_alike = (!about.is_empty() && alike(&|other, _| other == form))
            || alike(&|_, other| other == about && !about.is_empty());
        learned.known.insert(key, 1);
        !is_alike
    }

    /// Returns how often a violation was met.
    pub(crate) fn count(&self, key: &str) -> usize {
        self.learned().known.get(key).copied().unwrap_or(0)
    }

    /// Returns whether a request is taken on a fresh resource if that was tried.
    pub(crate) fn taken(&self, form: &str) -> Option<bool> {
        self.learned().taken.get(form).copied()
    }

    /// Notes whether a request is taken on a fresh resource.
    pub(crate) fn note_taken(&self, form: &str, is_taken: bool) {
        self.learned().taken.insert(form.to_owned(), is_taken);
        if !is_taken {
            self.limit(form);
        }
    }

    /// Notes what the subject does not do. Words of one kind are alike up to a colon.
    pub(crate) fn limit(&self, words: &str) {
        self.learned().limits.insert(words.to_owned());
    }

    /// Returns what the subject does not do, by kind, each with what it is about.
    pub(crate) fn limits(&self) -> BTreeMap<String, Vec<String>> {
        let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for words in &self.learned().limits {
            let (kind, about) = words.split_once(": ").unwrap_or((words, ""));
            let known = kinds.entry(kind.to_owned()).or_default();
            known.extend(Some(about.to_owned()).filter(|about| !about.is_empty()));
        }
        kinds
    }

    /// Notes whether resources live, when an operation ends.
    pub(crate) fn note_known<'k>(&self, resources: impl Iterator<Item = (Type, &'k str, bool)>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(resources.map(|(kind, id, is_living)| ((kind, id.to_owned()), is_living)));
    }

    /// Returns the ids of resources of a type that live, or that were deleted.
    pub(crate) fn known(&self, kind: Type, is_living: bool) -> BTreeSet<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = known.iter().filter(|((of, _), lives)| *of == kind && **lives == is_living);
        wanted.map(|((_, id), _)| id.clone()).collect()
    }

    /// Returns whether a deleted user leaves its groups; the first observation decides.
    pub(crate) fn members_leave(&self, seen: bool) -> bool {
        *self.learned().members_leave.get_or_insert(seen)
    }

    /// Notes that a deleted user leaves its groups, or stays.
    pub(crate) fn now_members_leave(&self, leave: bool) {
        self.learned().members_leave = Some(leave);
    }

    /// Returns the URN of the extension that has `department` and `manager`.
    pub(crate) fn enterprise(&self) -> Option<&String> {
        self.attributes[self.scope.department?].extension.as_ref()
    }

    /// Returns the id of the manager in a user.
    pub(crate) fn manager_in<'v>(&self, user: &'v Value) -> Option<&'v str> {
        get(get(get(user, self.enterprise()?)?, "manager")?, "value")?.as_str()
    }

    /// Returns the resource type.
    pub(crate) fn resource_type(&self, kind: Type) -> &'a ResourceType {
        match (kind, self.group) {
            (Type::Group, Some(group)) => group,
            _ => self.user,
        }
    }

    /// Returns whether a PUT clears the attribute if it leaves it out; the first observation decides.
    pub(crate) fn put_clears(&self, attribute: usize, seen: bool) -> bool {
        *self.learned().put_clears.entry(attribute).or_insert(seen)
    }

    /// Returns the path of a new resource in an answer.
    pub(crate) fn path_of(known: &ResourceType, answer: &Answer) -> Option<(String, String)> {
        let id = id_of(answer.json.as_ref()?)?;
        Some((format!("{}/{}", known.endpoint, Client::segment(&id)), id))
    }

    /// Creates a user with some attributes, hands it to a request, and returns whether that is answered with success. `None`: the
    /// user could not be created.
    pub(crate) async fn try_on_fresh_user(
        &self,
        values: &[(usize, Value)],
        make: impl FnOnce(&str, &str) -> Request,
    ) -> Option<bool> {
        let mut made = Made::default();
        let unique = self.next_name();
        let body = self.new_user(&unique, values);
        let request = post(&self.user.endpoint, &body);
        let (_, answer) = self.send(&mut made, &request).await;
        let created = answer.filter(Answer::is_success).and_then(|answer| Self::path_of(self.user, &answer));
        let taken = match created {
            Some((path, _)) => {
                let (_, answer) = self.send(&mut made, &make(&path, &unique)).await;
                answer.map(|answer| answer.is_success())
            }
            None => None,
        };
        made.remove(self.client, &self.leftovers).await;
        taken
    }

    /// Returns whether a new user with these attributes is taken.
    pub(crate) async fn try_creation(&self, values: &[(usize, Value)]) -> bool {
        let mut made = Made::default();
        let body = self.new_user(&self.next_name(), values);
        let (_, answer) = self.send(&mut made, &post(&self.user.endpoint, &body)).await;
        made.remove(self.client, &self.leftovers).await;
        answer.is_some_and(|answer| answer.is_success())
    }
}

/// Returns the externalId that goes with a unique name.
pub(crate) fn external_id(unique: &str) -> String {
    format!("X-{unique}")
}

pub(crate) fn post(path: &str, body: &Value) -> Request {
    request("POST", path, Some(body))
}

pub(crate) fn request(method: &str, path: &str, body: Option<&Value>) -> Request {
    Request {
        step: format!("{method} {path}"),
        method: method.to_owned(),
        path: path.to_owned(),
        body: body.map(Value::to_string),
        ..Request::default()
    }
}

/// Returns a PATCH with these operations.
pub(crate) fn patch(path: &str, operations: &Value) -> Request {
    request("PATCH", path, Some(&json!({ "schemas": [PATCH_OP], "Operations": operations })))
}

/// Returns a GET of a list.
pub(crate) fn query(path: &str, parameters: &[(&str, &str)]) -> Request {
    Request {
        query: parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..request("GET", path, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::server::client::{Credentials, Manners};

    #[test]
    fn names_differ_from_those_of_the_suite_with_the_same_seed() {
        let client = Client::new("http://h/scim", Credentials::None, Manners::default()).expect("a client");
        let (facts, blank) = (Facts::of(None, None, None), Blank::default());
        let user = facts.resource_type("User").expect("users");
        let run = crate::server::run_name(7);
        let world = World::new(&client, &facts, &blank, user, run.clone());
        let own: Vec<String> = (0..3_000).map(|_| format!("{}-1", world.next_name())).collect();
        for number in 1..=3_000 {
            let of_case = format!("{}{run}-{}-1", crate::server::PREFIX, radix(number));
            assert!(!own.contains(&of_case), "{of_case}");
        }
        assert!(own.iter().all(|name| crate::server::names::run_in(name).as_ref() == Some(&run)));
    }
}
