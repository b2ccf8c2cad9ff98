//! Tries a variant on an account or a group of its own, and reads back.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::case::capability::Capability;
use crate::casing::lower_case;
use crate::format;
use crate::json::get;
use crate::probe::outcome::{Effect, Names, Outcome, State, classify, is_reached, reply};
use crate::probe::owed::owed;
use crate::probe::variant::{Goal, Sent, Start, Variant};
use crate::probe::{Finding, Findings};
use crate::server::again::{Unsettled, settle};
use crate::server::blank::name_schemas;
use crate::server::cleanup::{Leftovers, Made};
use crate::server::deviation::asked::Asked;
use crate::server::deviation::resources::id_of;
use crate::server::deviation::{Deviation, has, understand};
use crate::server::discovery::{Blank, Facts, Met, merge};
use crate::subject::server::client::{Answer, Client, Request};
use crate::transcript::Exchange;

/// The options of a probe.
#[derive(Debug, Clone)]
pub struct Options {
    /// The number of variants to try in parallel.
    pub jobs: usize,
    /// Names follow from it.
    pub seed: u64,
    /// Resources stay, because the endpoint is discarded.
    pub keep: bool,
    /// Bodies to start from.
    pub blank: Blank,
    /// Becomes true if nothing further may be tried.
    pub stop: watch::Receiver<bool>,
}

/// Tries variants, and calls `tried` after each.
pub async fn probe(
    variants: impl IntoIterator<Item = &'static Variant>,
    client: &Client,
    facts: &Facts,
    options: &Options,
    tried: &(dyn Fn() + Sync),
) -> Findings {
    let leftovers = Leftovers::default();
    let variants: Vec<_> = variants.into_iter().enumerate().collect();
    let mut findings = Vec::with_capacity(variants.len());
    for batch in variants.chunks(options.jobs.max(1)) {
        findings.extend(at_once(client, facts, options, batch, &leftovers, tried).await);
    }
    Findings {
        subject: client.base().to_owned(),
        patch_advertised: facts.feature(crate::case::capability::Feature::Patch),
        findings,
        left_behind: leftovers.list(),
    }
}

/// Tries a few variants in parallel. Names of resources follow from the place of each among all variants.
pub(crate) async fn at_once(
    client: &Client,
    facts: &Facts,
    options: &Options,
    variants: &[(usize, &'static Variant)],
    leftovers: &Leftovers,
    tried: &(dyn Fn() + Sync),
) -> Vec<Finding> {
    let run = crate::server::run_name(options.seed);
    // Futures of one task: the waiting overlaps, and nothing has to be shared.
    join_all(variants.iter().map(|&(at, variant)| {
        let bench = Bench {
            client,
            facts,
            options,
            unique: format!("{}{run}-p{}", crate::server::PREFIX, at + 1),
            made: Made::default(),
            exchanges: Vec::new(),
            leftovers,
            active_is_text: false,
        };
        async move {
            let finding = bench.variant(variant).await;
            tried();
            finding
        }
    }))
    .await
}

struct Bench<'a> {
    client: &'a Client,
    facts: &'a Facts,
    options: &'a Options,
    unique: String,
    made: Made,
    exchanges: Vec<Exchange>,
    leftovers: &'a Leftovers,
    /// `active` came as a text.
    active_is_text: bool,
}

/// A resource that was created.
struct Subject {
    path: String,
    id: String,
}

/// A POST as it was answered.
struct Posted {
    /// The body that `answer` is about.
    body: Value,
    answer: Answer,
    /// The answer to the first attempt, and the attributes without which the POST was taken.
    refused: Option<(Answer, Vec<&'static str>)>,
}

/// The reason why a variant could not be tried.
type Untried = String;

/// Attributes of an account that the endpoint does not require.
const ADDED: [&str; 4] = ["externalId", "title", "emails", "name"];

impl Bench<'_> {
    async fn variant(mut self, variant: &'static Variant) -> Finding {
        let outcome = if *self.options.stop.borrow() {
            Outcome::Untried(crate::server::INTERRUPTED.to_owned())
        } else {
            // Schemas and answers of the endpoint are quoted in it.
            let untried = |why: Untried| Outcome::Untried(format::one_line(&why).into_owned());
            self.attempt(variant).await.unwrap_or_else(untried)
        };
        let Self { client, options, made, exchanges, leftovers, active_is_text, .. } = self;
        if !options.keep {
            made.remove(client, leftovers).await;
        }
        Finding { variant, outcome, exchanges, active_is_text }
    }

    async fn attempt(&mut self, variant: &Variant) -> Result<Outcome, Untried> {
        self.can_be_asked_for(variant)?;
        let group = variant.start == Start::Group;
        let mut names = Names(Vec::new());
        let extension = self.facts.urn("EnterpriseUser").unwrap_or_default();
        if variant.names_another_user() {
            let user = self.create("User", self.account("-user")?).await?;
            names.0.push((user.id, "@user"));
        }
        let (subject, mut before, sent) = match (variant.start, &variant.sent) {
            (Start::Nothing, Sent::Post(over)) => {
                let mut body = self.account("")?;
                merge(&mut body, &filled(over.as_str(), &extension, &names)?);
                if get(&body, &extension).is_some()
                    && let Some(schemas) = body["schemas"].as_array_mut()
                    && !schemas.iter().any(|urn| *urn == *extension)
                {
                    schemas.push(json!(extension));
                }
                (None, body.clone(), Some(body))
            }
            (Start::Group, _) => {
                let user = self.create("User", self.account("-user")?).await?;
                let member = self.create("User", self.account("-member")?).await?;
                names.0.extend([(user.id.clone(), "@user"), (member.id.clone(), "@member")]);
                let mut body = self.smallest("Group", "-group")?;
                body["members"] = json!([{ "value": member.id }]);
                let subject = self.create("Group", body).await?;
                let before = self.read(&subject).await?;
                (Some(subject), before, None)
            }
            (start, _) => {
                let subject = if start == Start::Inactive {
                    self.inactive().await?
                } else {
                    self.create("User", self.account("")?).await?
                };
                let before = self.read(&subject).await?;
                if start == Start::Active && get(&before, "active").and_then(Value::as_bool) == Some(false) {
                    return Err("a new account is not active".to_owned());
                }
                (Some(subject), before, None)
            }
        };
        if let Some(subject) = &subject {
            names.0.push((subject.id.clone(), "@id"));
        }
        let pointers = |goals: &[Goal]| -> Result<Vec<(String, Value)>, Untried> {
            goals
                .iter()
                .map(|goal| Ok((goal.at.replace("@extension", &extension), parse(goal.equals.as_str())?)))
                .collect()
        };
        let goal = pointers(&variant.goal)?;
        if variant.start != Start::Nothing && !goal.is_empty() && is_reached(&goal, &names, &before) {
            return Err(format!("{} was so before the request", in_words(&variant.goal)));
        }
        if !is_reached(&pointers(&variant.before)?, &names, &before) {
            return Err(format!("what was prepared is read without {}", in_words(&variant.before)));
        }
        let fill = |json: &str| filled(json, &extension, &names);
        let (method, path, body) = match &variant.sent {
            Sent::Patch(operations) => {
                let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
                (
                    "PATCH",
                    String::new(),
                    Some(json!({ "schemas": schemas, "Operations": fill(operations.as_str())? })),
                )
            }
            Sent::Put(over) => {
                let mut body = before.clone();
                merge(&mut body, &fill(over.as_str())?);
                self.name_schemas(if group { "Group" } else { "User" }, &mut body);
                ("PUT", String::new(), Some(body))
            }
            Sent::Delete => ("DELETE", String::new(), None),
            Sent::Post(_) => ("POST", self.endpoint("User")?, sent),
        };
        let path = subject.as_ref().map_or(path, |subject| subject.path.clone());
        let (answer, refused) = match body {
            Some(body) if method == "POST" => {
                let posted = self.post_user(&variant.title, path, body).await?;
                before = owed(self.facts, &posted.body);
                (posted.answer, posted.refused)
            }
            body => (self.send(&variant.title, method, path, body).await?, None),
        };
        let subject = match subject {
            Some(subject) => Some(subject),
            None => self.subject("User", &answer),
        };
        if let Some(subject) = &subject {
            names.0.push((subject.id.clone(), "@id"));
        }
        let after = match &subject {
            Some(subject) => self.look(subject, &before, group).await?,
            None => State::Gone,
        };
        // Last, for ids may hold it.
        names.0.push((self.unique.clone(), "@name"));
        let mut tried = classify(variant, &goal, &names, &before, &answer, &after);
        if answer.is_success() && tried.effect != Effect::Done && hides_active(&goal, &after) {
            // An account that was made as active is there; of anything else nothing is seen.
            if variant.start != Start::Nothing || goal.iter().any(|(_, value)| value.as_bool() == Some(false))
            {
                return Err(UNSEEN.to_owned());
            }
            tried.effect = Effect::Done;
        }
        if let Some((refusal, without)) = refused {
            tried.reply = reply(&names, &Value::Null, &refusal, None);
            tried.without = without;
        }
        Ok(Outcome::Tried(tried))
    }

    /// Checks that the subject's schemas have the attributes of a variant.
    fn can_be_asked_for(&self, variant: &Variant) -> Result<(), Untried> {
        let mut needs: Vec<String> =
            vec![if variant.start == Start::Group { "Group" } else { "User" }.to_owned()];
        for goal in &variant.goal {
            let path = goal.at.trim_start_matches('/').replace("/0/", ".").replace('/', ".");
            needs.push(match path.strip_prefix("@extension.") {
                Some(path) => format!("EnterpriseUser.{path}"),
                None if variant.start == Start::Group => format!("Group.{path}"),
                None => format!("User.{path}"),
            });
        }
        for need in needs {
            match need.parse::<Capability>().map(|need| self.facts.met(&need)) {
                Ok(Met::No(why)) => return Err(why),
                Ok(Met::Yes) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn endpoint(&self, resource_type: &str) -> Result<String, Untried> {
        let known = self.facts.resource_type(resource_type);
        known
            .map(|known| known.endpoint.clone())
            .ok_or_else(|| format!("there is no resource type {resource_type}"))
    }

    /// Adds the schemas of the resource type to a body, whatever was read.
    fn name_schemas(&self, resource_type: &str, body: &mut Value) {
        if let Some(known) = self.facts.resource_type(resource_type) {
            name_schemas(body, known);
        }
    }

    fn smallest(&self, resource_type: &str, suffix: &str) -> Result<Value, Untried> {
        let known = self.facts.resource_type(resource_type);
        let known = known.ok_or_else(|| format!("there is no resource type {resource_type}"))?;
        Ok(self.options.blank.make(self.facts, known, &format!("{}{suffix}", self.unique)))
    }

    /// Returns an account with enough attributes to show losses.
    fn account(&self, suffix: &str) -> Result<Value, Untried> {
        let mut body = self.smallest("User", suffix)?;
        let unique = format!("{}{suffix}", self.unique);
        let has = |path: &[&str]| {
            let path = path.iter().map(|&name| name.to_owned()).collect();
            let need = Capability::Schema { name: "User".to_owned(), path, characteristic: None };
            self.facts.met(&need) == Met::Yes
        };
        let more = [
            ("active", json!(true)),
            ("title", json!("Tester")),
            ("name", json!({ "givenName": "Ada", "familyName": "Prober" })),
            ("emails", json!([{ "value": format!("{unique}@work.example"), "type": "work" }])),
            ("externalId", json!(format!("{unique}-external"))),
        ];
        for (name, mut value) in more {
            // externalId is common to all types, and in no schema.
            if name != "externalId" && !has(&[name]) {
                continue;
            }
            let parts = match &mut value {
                Value::Array(values) => values.first_mut().and_then(Value::as_object_mut),
                value => value.as_object_mut(),
            };
            if let Some(parts) = parts {
                parts.retain(|part, _| has(&[name, part]));
            }
            // What a template or the schema asks for stays as it is.
            match (get(&body, name), value) {
                (None, value) => body[name] = value,
                (Some(Value::Object(known)), Value::Object(parts)) => {
                    let known: Vec<String> = known.keys().map(|part| lower_case(part)).collect();
                    for (part, value) in parts {
                        if !known.contains(&lower_case(&part)) {
                            merge(&mut body, &json!({ name: { part: value } }));
                        }
                    }
                }
                (Some(_), _) => {}
            }
        }
        Ok(body)
    }

    async fn send(
        &mut self,
        step: &str,
        method: &str,
        path: String,
        body: Option<Value>,
    ) -> Result<Answer, Untried> {
        let request = Request {
            step: step.to_owned(),
            method: method.to_owned(),
            path,
            body: body.map(|body| body.to_string()),
            ..Request::default()
        };
        let (exchange, outcome) = settle(self.client, self.facts, &mut self.made, &request, &|_| false).await;
        self.exchanges.push(exchange);
        let mut answer = outcome.map_err(|unsettled| match unsettled {
            Unsettled::Away(429) => {
                let rate = self.client.bearable_rate();
                format!("{method} was answered 429 (too many requests) to the end; try --rate {rate}")
            }
            Unsettled::Away(status) => {
                format!("{method} was answered {status} (the server is away) to the end")
            }
            Unsettled::Broken(why) => format!("{method}: {why}"),
        })?;
        // The suite tells what is otherwise; the probe takes it for what it means.
        let asked = Asked::new(self.client, self.facts, &request, &|_| None);
        let seen = understand(&mut answer, &asked);
        self.active_is_text |= has(&seen, Deviation::ActiveAsText);
        Ok(answer)
    }

    fn subject(&self, resource_type: &str, answer: &Answer) -> Option<Subject> {
        let body = answer.json.as_ref().and_then(id_of);
        let last = || Some(answer.header("location")?.rsplit('/').next()?.to_owned());
        let id = body.or_else(last).filter(|_| answer.is_success())?;
        let endpoint = self.endpoint(resource_type).ok()?;
        Some(Subject { path: format!("{endpoint}/{}", Client::segment(&id)), id })
    }

    /// Sends a POST. Where it is refused, it is sent again without what the endpoint did not ask for, one attribute at a time
    /// and then all of them: an attribute that cannot be set is no account that cannot be made.
    async fn post_user(&mut self, step: &str, endpoint: String, body: Value) -> Result<Posted, Untried> {
        let answer = self.send(step, "POST", endpoint.clone(), Some(body.clone())).await?;
        if !matches!(answer.status, 400 | 422) {
            return Ok(Posted { body, answer, refused: None });
        }
        let smallest = self.smallest("User", "").unwrap_or_default();
        let added: Vec<_> = ADDED
            .into_iter()
            .filter(|name| get(&body, name).is_some() && get(&smallest, name).is_none())
            .collect();
        let mut attempts: Vec<_> = added.iter().map(|name| vec![*name]).collect();
        if added.len() > 1 {
            attempts.push(added);
        }
        for without in attempts {
            let mut rest = body.clone();
            if let Some(members) = rest.as_object_mut() {
                members.retain(|name, _| !without.iter().any(|out| name.eq_ignore_ascii_case(out)));
            }
            let again = self.send(step, "POST", endpoint.clone(), Some(rest.clone())).await?;
            if again.is_success() {
                return Ok(Posted { body: rest, answer: again, refused: Some((answer, without)) });
            }
        }
        Ok(Posted { body, answer, refused: None })
    }

    async fn create(&mut self, resource_type: &str, body: Value) -> Result<Subject, Untried> {
        let endpoint = self.endpoint(resource_type)?;
        let answer = self.post_user("prepare", endpoint, body).await?.answer;
        let status = answer.status;
        self.subject(resource_type, &answer)
            .ok_or_else(|| format!("a {resource_type} cannot be created: {status}"))
    }

    async fn read(&mut self, subject: &Subject) -> Result<Value, Untried> {
        let answer = self.send("read before", "GET", subject.path.clone(), None).await?;
        let status = answer.status;
        let why = unreadable(&answer);
        answer
            .json
            .filter(|json| status == 200 && json.is_object())
            .ok_or_else(|| format!("what was prepared cannot be read: {why}"))
    }

    /// Creates an account that is not active, by any request that makes one.
    async fn inactive(&mut self) -> Result<Subject, Untried> {
        let mut body = self.account("")?;
        body["active"] = json!(false);
        let endpoint = self.endpoint("User")?;
        let answer = self.post_user("prepare", endpoint, body).await?.answer;
        let subject = match self.subject("User", &answer) {
            Some(subject) => subject,
            None => self.create("User", self.account("")?).await?,
        };
        for way in 0..3 {
            let before = self.read(&subject).await?;
            if get(&before, "active").and_then(Value::as_bool) == Some(false) {
                return Ok(subject);
            }
            let path = subject.path.clone();
            match way {
                0 => {
                    let operations = json!([{ "op": "replace", "path": "active", "value": false }]);
                    let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
                    let body = json!({ "schemas": schemas, "Operations": operations });
                    self.send("prepare", "PATCH", path, Some(body)).await?;
                }
                1 => {
                    let mut body = before;
                    body["active"] = json!(false);
                    self.name_schemas("User", &mut body);
                    self.send("prepare", "PUT", path, Some(body)).await?;
                }
                _ => {}
            }
        }
        let seen = self.read(&subject).await?;
        Err(if get(&seen, "active").is_none() { UNSEEN } else { "no account can be made inactive" }
            .to_owned())
    }

    /// Reads the current state.
    async fn look(&mut self, subject: &Subject, before: &Value, group: bool) -> Result<State, Untried> {
        let answer = self.send("read back", "GET", subject.path.clone(), None).await?;
        let why = unreadable(&answer);
        match (answer.status, answer.json) {
            (200, Some(json)) if json.is_object() => return Ok(State::Readable(json)),
            // It is there, and what became of it cannot be seen.
            (200, _) => return Err(format!("it cannot be read back: {why}")),
            (404 | 410, _) if group => return Ok(State::Gone),
            (404 | 410, _) => {}
            (status, _) => {
                return Err(format!("what became of it cannot be read: GET is answered {status}"));
            }
        }
        // Gone, or only out of sight: a user name that is taken tells.
        let mut body = self.account("")?;
        if let Some(name) = get(before, "userName") {
            body["userName"] = name.clone();
        }
        let endpoint = self.endpoint("User")?;
        let again = self.post_user("create again", endpoint, body).await?.answer;
        match again.status {
            409 => Ok(State::Hidden),
            200..=299 => Ok(State::Gone),
            status => Err(format!(
                "it is answered 404, and whether it is gone or out of sight cannot be seen: a POST of its user name is answered {status}"
            )),
        }
    }
}

/// Returns the reason why an answer shows no resource.
fn unreadable(answer: &Answer) -> String {
    let why = match &answer.json {
        Some(_) => ", with JSON that is no resource",
        None if answer.text.trim().is_empty() => ", without a body",
        None => ", with a body that is no JSON",
    };
    let why = if answer.is_success() { why } else { "" };
    format!("{}{why}", answer.status)
}

/// Returns the attributes of a goal, in words.
fn in_words(goals: &[Goal]) -> String {
    let attribute = |pointer: &str| {
        let parts: Vec<_> = pointer.split('/').filter(|part| !part.is_empty() && *part != "0").collect();
        parts.join(".").replace("@extension.", "")
    };
    let words: Vec<_> = goals
        .iter()
        .map(|goal| match goal.equals.as_str() {
            "null" | "[]" => format!("no {}", attribute(&goal.at)),
            json => format!("{} = {json}", attribute(&goal.at)),
        })
        .collect();
    words.join(", ").replace("[\"@member\"]", "the member that it was made with")
}

/// Fills the ids and the URN of the extension into a variant's JSON.
fn filled(json: &str, extension: &str, names: &Names) -> Result<Value, Untried> {
    let mut text = json.replace("@extension", extension);
    for (id, name) in &names.0 {
        text = text.replace(name, id);
    }
    parse(&text)
}

/// Why nothing can be said of what changes `active`.
const UNSEEN: &str = "`active` is not returned, so what became of it cannot be seen";

/// Whether a variant is about `active`, and the resource does not show it.
fn hides_active(goal: &[(String, Value)], after: &State) -> bool {
    let is_about = goal.iter().any(|(pointer, _)| pointer == "/active");
    is_about && matches!(after, State::Readable(now) if get(now, "active").is_none())
}

/// Parses a variant's JSON. An id of the endpoint in it may hold a quotation mark, say.
fn parse(json: &str) -> Result<Value, Untried> {
    serde_json::from_str(json).map_err(|error| format!("the form is not JSON: {error}"))
}
