//! What the clients do, and what has to hold afterwards. The test suite runs the same with a count of operations.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use mock_aquera::{Application, MockAquera};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

/// So few user names that clients want the same one all the time.
const NAMES: u32 = 600;
/// About so many groups there are in the end.
const GROUPS: usize = 60;

/// What went wrong: a request without an answer, or an answer that none of this can have.
pub(crate) type Fault = String;

/// How hard, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// How many clients at once.
    pub(crate) clients: u64,
    /// Decides what each of them does.
    pub(crate) seed: u64,
    /// How many operations each of them does at most.
    pub(crate) operations: u64,
    /// When each of them stops.
    pub(crate) end: Option<Instant>,
}

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How many answers of each status each kind of operation got.
    pub(crate) answers: BTreeMap<(&'static str, u16), u64>,
    /// Users made and deleted, as the answers say.
    pub(crate) users: (u64, u64),
    /// Groups made and deleted.
    pub(crate) groups: (u64, u64),
    /// What no operation may be answered; the first few.
    pub(crate) faults: Vec<Fault>,
}

impl Tally {
    /// How many requests were answered.
    pub(crate) fn requests(&self) -> u64 {
        self.answers.values().sum()
    }

    fn add(&mut self, other: Self) {
        for (what, count) in other.answers {
            *self.answers.entry(what).or_default() += count;
        }
        self.users = (self.users.0 + other.users.0, self.users.1 + other.users.1);
        self.groups = (self.groups.0 + other.groups.0, self.groups.1 + other.groups.1);
        self.faults.extend(other.faults);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = "";
        for ((what, status), count) in &self.answers {
            if *what == last {
                write!(f, ", {count} x {status}")?;
            } else {
                write!(f, "{}  {what:<14} {count} x {status}", if last.is_empty() { "" } else { "\n" })?;
            }
            last = what;
        }
        Ok(())
    }
}

/// The ids that clients know of, some of them gone already.
#[derive(Debug, Default)]
struct Known {
    users: Mutex<Vec<String>>,
    groups: Mutex<Vec<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets the clients loose and gives back what they did.
pub(crate) async fn hammer(mock: &MockAquera, plan: Plan) -> Tally {
    let known = Arc::new(Known::default());
    let clients: Vec<_> = (0..plan.clients)
        .map(|nth| {
            let random = StdRng::seed_from_u64(plan.seed.wrapping_mul(1_000_003).wrapping_add(nth));
            let client = Client {
                addr: mock.addr(),
                line: None,
                known: Arc::clone(&known),
                random,
                tally: Tally::default(),
            };
            tokio::spawn(client.run(plan.operations, plan.end))
        })
        .collect();
    let mut tally = Tally::default();
    for client in clients {
        match client.await {
            Ok(other) => tally.add(other),
            Err(error) => tally.faults.push(format!("a client ended early: {error}")),
        }
    }
    tally
}

struct Client {
    addr: SocketAddr,
    line: Option<SendRequest<Full<Bytes>>>,
    known: Arc<Known>,
    random: StdRng,
    tally: Tally,
}

impl Client {
    async fn run(mut self, operations: u64, end: Option<Instant>) -> Tally {
        for _ in 0..operations {
            if end.is_some_and(|end| Instant::now() >= end) || self.tally.faults.len() > 3 {
                break;
            }
            if let Err(fault) = self.step().await {
                self.tally.faults.push(fault);
                self.line = None;
            }
        }
        self.tally
    }

    async fn step(&mut self) -> Result<(), Fault> {
        let groups = lock(&self.known.groups).len();
        match self.random.random_range(0..100) {
            0..20 => self.create_user().await,
            20..30 => self.rename_user().await,
            30..38 => self.patch_user().await,
            38..44 => self.replace_user().await,
            44..56 => self.delete_user().await,
            56..61 if groups < GROUPS => self.create_group().await,
            56..61 => self.delete_group().await,
            61..78 => self.change_members().await,
            78..81 => self.rename_group().await,
            81..83 => self.delete_group().await,
            83..87 => self.bulk().await,
            _ => self.read().await,
        }
    }

    fn name(&mut self) -> String {
        let name = self.random.random_range(0..NAMES);
        // The same name in another case is taken too.
        if self.random.random_bool(0.2) { format!("USER-{name}") } else { format!("user-{name}") }
    }

    fn pick(&mut self, from: impl Fn(&Known) -> &Mutex<Vec<String>>) -> String {
        let ids = lock(from(&self.known));
        if ids.is_empty() { "nobody".to_owned() } else { ids[self.random.random_range(0..ids.len())].clone() }
    }

    fn user_id(&mut self) -> String {
        self.pick(|known| &known.users)
    }

    fn group_id(&mut self) -> String {
        self.pick(|known| &known.groups)
    }

    fn user(&mut self) -> Value {
        let (name, title) = (self.name(), self.random.random_range(0..9));
        json!({
            "schemas": [USER], "userName": name, "externalId": format!("x-{name}"), "title": format!("t-{title}"),
            "emails": [{"value": format!("{name}@example.com"), "type": "work"}],
        })
    }

    async fn create_user(&mut self) -> Result<(), Fault> {
        let user = self.user();
        let (status, body) =
            self.send("create user", Method::POST, "/Users", Some(user), &[201, 409]).await?;
        if status == 201 {
            self.tally.users.0 += 1;
            lock(&self.known.users).push(id_of(&body)?);
        }
        Ok(())
    }

    async fn rename_user(&mut self) -> Result<(), Fault> {
        let (id, name) = (self.user_id(), self.name());
        let body = patch(&json!([{"op": "replace", "path": "userName", "value": name}]));
        self.send("rename user", Method::PATCH, &format!("/Users/{id}"), Some(body), &[200, 404, 409])
            .await?;
        Ok(())
    }

    async fn patch_user(&mut self) -> Result<(), Fault> {
        let (id, active) = (self.user_id(), self.random.random_bool(0.5));
        let operations = match self.random.random_range(0..3) {
            0 => json!([{"op": "replace", "path": "active", "value": active}]),
            1 => json!([{"op": "replace", "value": {"active": active, "name": {"givenName": "G"}}}]),
            _ => json!([{"op": "remove", "path": "emails[type eq \"work\"]"}]),
        };
        let expected = [200, 400, 404];
        self.send("patch user", Method::PATCH, &format!("/Users/{id}"), Some(patch(&operations)), &expected)
            .await?;
        Ok(())
    }

    async fn replace_user(&mut self) -> Result<(), Fault> {
        let (id, user) = (self.user_id(), self.user());
        self.send("replace user", Method::PUT, &format!("/Users/{id}"), Some(user), &[200, 404, 409]).await?;
        Ok(())
    }

    async fn delete_user(&mut self) -> Result<(), Fault> {
        let id = self.user_id();
        let (status, _) =
            self.send("delete user", Method::DELETE, &format!("/Users/{id}"), None, &[204, 404]).await?;
        lock(&self.known.users).retain(|known| *known != id);
        self.tally.users.1 += u64::from(status == 204);
        Ok(())
    }

    fn members(&mut self) -> Value {
        let count = self.random.random_range(0..8);
        let mut members = Vec::new();
        for _ in 0..count {
            let id = if self.random.random_bool(0.1) { self.group_id() } else { self.user_id() };
            members.push(json!({ "value": id }));
        }
        members.into()
    }

    async fn create_group(&mut self) -> Result<(), Fault> {
        let (name, members) = (self.random.random_range(0..NAMES), self.members());
        let group = json!({"schemas": [GROUP], "displayName": format!("group-{name}"), "members": members});
        // A member may have gone meanwhile.
        let (status, body) =
            self.send("create group", Method::POST, "/Groups", Some(group), &[201, 400, 409]).await?;
        if status == 201 {
            self.tally.groups.0 += 1;
            lock(&self.known.groups).push(id_of(&body)?);
        }
        Ok(())
    }

    async fn change_members(&mut self) -> Result<(), Fault> {
        let (id, user, members) = (self.group_id(), self.user_id(), self.members());
        let operations = match self.random.random_range(0..5) {
            0 | 1 => json!([{"op": "add", "path": "members", "value": members}]),
            2 => json!([{"op": "remove", "path": format!("members[value eq \"{user}\"]")}]),
            3 => json!([{"op": "replace", "path": "members", "value": members}]),
            _ => json!([
                {"op": "remove", "path": "members", "value": [{ "value": user }]},
                {"op": "add", "path": "members", "value": members},
            ]),
        };
        let expected = [200, 400, 404];
        self.send(
            "change members",
            Method::PATCH,
            &format!("/Groups/{id}"),
            Some(patch(&operations)),
            &expected,
        )
        .await?;
        Ok(())
    }

    async fn rename_group(&mut self) -> Result<(), Fault> {
        let (id, name) = (self.group_id(), self.random.random_range(0..NAMES));
        let body =
            patch(&json!([{"op": "replace", "path": "displayName", "value": format!("group-{name}")}]));
        self.send("rename group", Method::PATCH, &format!("/Groups/{id}"), Some(body), &[200, 404, 409])
            .await?;
        Ok(())
    }

    async fn delete_group(&mut self) -> Result<(), Fault> {
        let id = self.group_id();
        let (status, _) =
            self.send("delete group", Method::DELETE, &format!("/Groups/{id}"), None, &[204, 404]).await?;
        lock(&self.known.groups).retain(|known| *known != id);
        self.tally.groups.1 += u64::from(status == 204);
        Ok(())
    }

    /// Makes a user and a group with it, and deletes somebody, in one request.
    async fn bulk(&mut self) -> Result<(), Fault> {
        let (user, gone) = (self.user(), self.user_id());
        let group = self.random.random_range(0..NAMES);
        let group = json!({
            "schemas": [GROUP], "displayName": format!("group-{group}"), "members": [{"value": "bulkId:u"}],
        });
        let body = json!({"schemas": [BULK], "Operations": [
            {"method": "POST", "path": "/Groups", "bulkId": "g", "data": group},
            {"method": "POST", "path": "/Users", "bulkId": "u", "data": user},
            {"method": "DELETE", "path": format!("/Users/{gone}")},
        ]});
        let (_, body) = self.send("bulk", Method::POST, "/Bulk", Some(body), &[200]).await?;
        lock(&self.known.users).retain(|known| *known != gone);
        for operation in body["Operations"].as_array().into_iter().flatten() {
            let location = operation["location"].as_str().unwrap_or_default();
            let id = location.rsplit('/').next().unwrap_or_default().to_owned();
            match (operation["method"].as_str(), operation["status"].as_str(), operation["bulkId"].as_str()) {
                (Some("POST"), Some("201"), Some("u")) => {
                    self.tally.users.0 += 1;
                    lock(&self.known.users).push(id);
                }
                (Some("POST"), Some("201"), Some("g")) => {
                    self.tally.groups.0 += 1;
                    lock(&self.known.groups).push(id);
                }
                (Some("DELETE"), Some("204"), _) => self.tally.users.1 += 1,
                (Some("POST"), Some("409" | "400" | "412"), _) | (Some("DELETE"), Some("404"), _) => {}
                _ => return Err(format!("bulk: {operation}")),
            }
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), Fault> {
        let name = self.name();
        let (what, path) = match self.random.random_range(0..6) {
            0 => ("read user", format!("/Users/{}", self.user_id())),
            1 => ("read group", format!("/Groups/{}", self.group_id())),
            2 => ("find user", format!("/Users?filter=userName%20eq%20%22{name}%22")),
            3 => ("search users", "/Users?filter=title%20co%20%223%22&sortBy=userName&count=20".to_owned()),
            4 => {
                ("page of users", format!("/Users?startIndex={}&count=30", self.random.random_range(1..300)))
            }
            _ => ("page of groups", "/Groups?count=5&excludedAttributes=members".to_owned()),
        };
        let (_, body) = self.send(what, Method::GET, &path, None, &[200, 404]).await?;
        if what == "find user" && body["totalResults"].as_u64().is_none_or(|total| total > 1) {
            return Err(format!("{name} is there more than once: {body}"));
        }
        Ok(())
    }

    /// One request and its answer, whose status is one of these.
    async fn send(
        &mut self,
        what: &'static str,
        method: Method,
        path: &str,
        body: Option<Value>,
        expected: &[u16],
    ) -> Result<(u16, Value), Fault> {
        let said = format!("{what}: {method} {path}");
        let (status, body) =
            match tokio::time::timeout(Duration::from_mins(1), self.exchange(method, path, body)).await {
                Ok(answer) => answer.map_err(|error| format!("{said}: {error}"))?,
                Err(_) => return Err(format!("{said}: no answer within a minute")),
            };
        *self.tally.answers.entry((what, status)).or_default() += 1;
        if expected.contains(&status) { Ok((status, body)) } else { Err(format!("{said}: {status} {body}")) }
    }

    async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(u16, Value), Box<dyn std::error::Error + Send + Sync>> {
        let mut line = match self.line.take() {
            Some(line) if !line.is_closed() => line,
            _ => connect(self.addr).await?,
        };
        let answer = ask(&mut line, self.addr, method, path, body).await?;
        self.line = Some(line);
        Ok(answer)
    }
}

async fn connect(
    addr: SocketAddr,
) -> Result<SendRequest<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let (line, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(line)
}

async fn ask(
    line: &mut SendRequest<Full<Bytes>>,
    host: SocketAddr,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<(u16, Value), Box<dyn std::error::Error + Send + Sync>> {
    let request = Request::builder()
        .method(method)
        .uri(format!("/scim{path}"))
        .header("host", host.to_string())
        .header("authorization", "Bearer mock-token")
        .header("content-type", "application/scim+json")
        .body(Full::from(body.map(|body| body.to_string()).unwrap_or_default()))?;
    line.ready().await?;
    let reply = line.send_request(request).await?;
    let status = reply.status().as_u16();
    let body = reply.into_body().collect().await?.to_bytes();
    Ok((status, if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? }))
}

fn patch(operations: &Value) -> Value {
    json!({"schemas": [PATCH], "Operations": operations})
}

fn id_of(body: &Value) -> Result<String, Fault> {
    body["id"].as_str().map(str::to_owned).ok_or_else(|| format!("there is no id in {body}"))
}

/// What has to hold once nobody writes any more; what doesn't is told.
pub(crate) async fn broken_invariants(mock: &MockAquera, tally: &Tally) -> Vec<Fault> {
    let application = mock.default_application();
    let mut broken = tally.faults.clone();
    let mut check = |holds: bool, what: String| {
        if !holds {
            broken.push(what);
        }
    };
    let journaled = application.last_seq();
    let sent = tally.requests();
    check(journaled == sent, format!("{sent} requests were answered, and {journaled} are in the journal"));
    if let Err(inconsistency) = application.check_consistency() {
        check(false, format!("the store is inconsistent: {inconsistency}"));
    }
    for (kind, (made, deleted)) in [("User", tally.users), ("Group", tally.groups)] {
        let count = application.count(kind) as u64;
        check(
            made - deleted == count,
            format!("{made} - {deleted} of {kind} should be there, and {count} are"),
        );
    }
    match seen(mock.addr()).await {
        Ok(seen) => {
            for what in seen.contradictions(&application) {
                check(false, what);
            }
        }
        Err(error) => check(false, format!("what is there can't be read: {error}")),
    }
    broken
}

/// Everything as it is seen over HTTP.
struct Seen {
    users: BTreeMap<String, Value>,
    groups: BTreeMap<String, Value>,
    /// What a search for each user's name finds.
    found: Vec<(String, Vec<String>)>,
}

async fn seen(addr: SocketAddr) -> Result<Seen, Box<dyn std::error::Error + Send + Sync>> {
    let mut line = connect(addr).await?;
    let mut all = Vec::new();
    for endpoint in ["Users", "Groups"] {
        let mut resources = BTreeMap::new();
        let mut start = 1;
        loop {
            let path = format!("/{endpoint}?startIndex={start}&count=100");
            let (_, page) = ask(&mut line, addr, Method::GET, &path, None).await?;
            let listed = page["Resources"].as_array().cloned().unwrap_or_default();
            if listed.is_empty() {
                if page["totalResults"].as_u64() != Some(resources.len() as u64) {
                    return Err(format!("{endpoint}: {} of {}", resources.len(), page["totalResults"]).into());
                }
                break;
            }
            start += listed.len();
            for resource in listed {
                let id = resource["id"].as_str().unwrap_or_default().to_owned();
                if resources.insert(id, resource).is_some() {
                    return Err(format!("{endpoint}: a resource is listed twice").into());
                }
            }
        }
        all.push(resources);
    }
    let groups = all.pop().unwrap_or_default();
    let users = all.pop().unwrap_or_default();
    let mut found = Vec::new();
    for user in users.values() {
        let name = user["userName"].as_str().unwrap_or_default().to_uppercase();
        let path = format!("/Users?filter=userName%20eq%20%22{name}%22");
        let (_, page) = ask(&mut line, addr, Method::GET, &path, None).await?;
        let ids = page["Resources"].as_array().into_iter().flatten().filter_map(|found| found["id"].as_str());
        found.push((name, ids.map(str::to_owned).collect()));
    }
    Ok(Seen { users, groups, found })
}

impl Seen {
    fn contradictions(&self, application: &Application) -> Vec<Fault> {
        let mut wrong = Vec::new();
        let counts = (application.user_count(), application.count("Group"));
        if counts != (self.users.len(), self.groups.len()) {
            wrong.push(format!("{counts:?} by count, ({}, {}) by list", self.users.len(), self.groups.len()));
        }
        for (id, user) in &self.users {
            if application.user(id).as_ref() != Some(user) {
                wrong.push(format!("user {id} is listed as something else than it is"));
            }
        }
        for ((name, found), id) in self.found.iter().zip(self.users.keys()) {
            if found != std::slice::from_ref(id) {
                wrong.push(format!("a search for {name} finds {found:?}, not {id}"));
            }
        }
        wrong.extend(self.membership_contradictions());
        wrong
    }

    /// Groups and users say the same of each other.
    fn membership_contradictions(&self) -> Vec<Fault> {
        let mut wrong = Vec::new();
        let mut parents: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (group, value) in &self.groups {
            for member in values(value, "members") {
                if !self.users.contains_key(member) && !self.groups.contains_key(member) {
                    wrong.push(format!("group {group} has the member {member}, which is gone"));
                }
                if !parents.entry(member).or_default().insert(group) {
                    wrong.push(format!("group {group} has the member {member} twice"));
                }
            }
        }
        for (id, user) in &self.users {
            let direct: BTreeSet<&str> = parents.get(id.as_str()).cloned().unwrap_or_default();
            let mut all = direct.clone();
            let mut open: Vec<&str> = direct.iter().copied().collect();
            while let Some(group) = open.pop() {
                for above in parents.get(group).into_iter().flatten().copied() {
                    if all.insert(above) {
                        open.push(above);
                    }
                }
            }
            let said: BTreeSet<&str> = values(user, "groups").collect();
            if said != all {
                wrong.push(format!("user {id} says it is in {said:?}, and the groups say {all:?}"));
            }
        }
        wrong
    }
}

fn values<'v>(resource: &'v Value, list: &str) -> impl Iterator<Item = &'v str> {
    resource[list].as_array().into_iter().flatten().filter_map(|one| one["value"].as_str())
}
