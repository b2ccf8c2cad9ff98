//! Secrets and personal data, out of a report before it is written in any format.
//!
//! Secrets: credentials that the harness was given, and whatever stands where secrets stand (headers, members of
//! bodies, query parameters, the URL's credentials). Personal data: names, addresses, e-mail and phone numbers that
//! the harness did not make up itself. What was found at its place is also taken out wherever else the case has it, a
//! subject's error message for instance.

mod names;
mod text;
mod url;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::casing::lower_case;
use crate::redact::names::Place;
use crate::report::{CaseResult, Report};
use crate::transcript::{Exchange, REDACTED};

/// The prefix of every name that the harness makes up.
pub const PREFIX: &str = "conformance-";

/// A text shorter than this is taken out at its place only: elsewhere it would hit words that have nothing to do
/// with it.
const LONG_ENOUGH: usize = 5;

/// A given secret that is shorter than this is no secret, and would take out half of the text.
const SHORTEST: usize = 4;

/// Removes secrets and personal data: it knows the secrets and the made-up values.
#[derive(Clone)]
pub struct Redactor {
    secrets: BTreeSet<String>,
    made_up: BTreeSet<String>,
    people: bool,
    /// Requests are the harness's own; these values in them are real.
    own_requests: Option<BTreeSet<String>>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").field("people", &self.people).finish_non_exhaustive()
    }
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new()
    }
}

/// The secrets that were found in a case, which are removed from the rest of the case too.
#[derive(Default)]
struct Found(Vec<String>);

impl Found {
    fn note(&mut self, text: &str) {
        if text.chars().count() >= LONG_ENOUGH
            && text != REDACTED
            && !self.0.iter().any(|known| known == text)
        {
            self.0.push(text.to_owned());
        }
    }

    /// Returns all spellings: as it is, in a URL, in JSON. The longest comes first, so that a text which contains
    /// another is removed as a whole.
    fn spelled(mut self) -> Vec<String> {
        self.0.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let mut all = Vec::new();
        for secret in self.0 {
            let in_json = Value::from(secret.as_str()).to_string();
            let in_json =
                in_json.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
            let in_url = url::encode(&secret);
            let in_form = in_url.replace("%20", "+");
            let others = [in_json.to_owned(), in_url, in_form];
            for spelled in others.into_iter().filter(|other| !other.is_empty() && *other != secret) {
                if !all.contains(&spelled) {
                    all.push(spelled);
                }
            }
            all.push(secret);
        }
        all
    }
}

impl Redactor {
    /// Returns a redactor that removes values from the places of secrets, and the data of real people.
    pub fn new() -> Self {
        Self { secrets: BTreeSet::new(), made_up: BTreeSet::new(), people: true, own_requests: None }
    }

    /// Adds a secret, which is removed everywhere: a token or a password that the harness was given.
    #[must_use]
    pub fn secret(mut self, secret: &str) -> Self {
        if secret.chars().count() >= SHORTEST {
            self.secrets.insert(secret.to_owned());
        }
        self
    }

    /// Adds made-up values (the names in case files, say), which may be shown.
    #[must_use]
    pub fn made_up(mut self, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.made_up.extend(values.into_iter().map(Into::into));
        self
    }

    /// Treats the content of requests as made up, because the harness sends them, except for the content of
    /// `template`, which a user gave.
    #[must_use]
    pub fn own_requests(mut self, template: Option<&Value>) -> Self {
        let mut real = BTreeSet::new();
        if let Some(template) = template {
            strings(template, &mut real);
        }
        self.own_requests = Some(real);
        self
    }

    /// Treats everybody in the report as made up: only secrets are removed.
    #[must_use]
    pub fn nobody_is_real(mut self) -> Self {
        self.people = false;
        self
    }

    /// Removes secrets and personal data from a report.
    pub fn report(&self, report: &mut Report) {
        let found = self.given().spelled();
        let subject = self.spell(&url::url(self, &report.subject, &mut Found::default()));
        report.subject = replace(&subject, &found);
        for fact in report.facts.values_mut().chain(&mut report.stale) {
            *fact = replace(&self.spell(fact), &found);
        }
        for case in &mut report.cases {
            self.case(case);
        }
    }

    /// Removes secrets and personal data from one case.
    pub fn case(&self, case: &mut CaseResult) {
        let bare = case.exchanges.is_empty() && case.expected.is_null() && case.actual.is_null();
        if bare && case.because.is_none() {
            return;
        }
        let scoped = self.knowing_what_was_sent(&case.exchanges);
        scoped.as_ref().unwrap_or(self).whole(case);
    }

    /// Adds the content of these requests to the made-up values. Returns `None` if they may contain anything.
    fn knowing_what_was_sent(&self, exchanges: &[Exchange]) -> Option<Self> {
        let real = self.own_requests.as_ref()?;
        let mut sent = BTreeSet::new();
        for exchange in exchanges {
            strings(&exchange.request.body, &mut sent);
        }
        let mut scoped = self.clone();
        scoped.made_up.extend(sent.into_iter().filter(|text| !real.contains(text)));
        Some(scoped)
    }

    fn whole(&self, case: &mut CaseResult) {
        let mut found = self.given();
        for exchange in &mut case.exchanges {
            self.place_by_place(exchange, &mut found);
        }
        for value in [&mut case.expected, &mut case.actual] {
            self.value(value, Place::default(), &mut found);
        }
        let found = found.spelled();
        let everywhere = |text: &mut String| *text = replace(&self.spell(text), &found);
        case.exchanges.iter_mut().for_each(|exchange| each_text(exchange, &everywhere));
        for value in [&mut case.expected, &mut case.actual] {
            each_string(value, &everywhere);
        }
        for text in case.because.iter_mut().chain(&mut case.example) {
            everywhere(text);
        }
    }

    /// Removes secrets and personal data from one exchange.
    pub fn exchange(&self, exchange: &mut Exchange) {
        let scoped = self.knowing_what_was_sent(std::slice::from_ref(exchange));
        let scoped = scoped.as_ref().unwrap_or(self);
        let mut found = self.given();
        scoped.place_by_place(exchange, &mut found);
        let found = found.spelled();
        each_text(exchange, &|text: &mut String| *text = replace(&scoped.spell(text), &found));
    }

    fn given(&self) -> Found {
        Found(self.secrets.iter().cloned().collect())
    }

    /// Whether a name or an address is one that may be shown.
    fn is_made_up(&self, text: &str) -> bool {
        !self.people
            || text.is_empty()
            || text == REDACTED
            || lower_case(text).contains(PREFIX)
            || self.made_up.contains(text)
            || names::is_reserved(text)
    }

    fn place_by_place(&self, exchange: &mut Exchange, found: &mut Found) {
        exchange.request.url = url::url(self, &exchange.request.url, found);
        let answer = exchange.response.as_mut();
        let (headers, body) = answer.map_or((None, None), |it| (Some(&mut it.headers), Some(&mut it.body)));
        for (name, value) in exchange.request.headers.iter_mut().chain(headers.into_iter().flatten()) {
            *value = self.header(name, value, found);
        }
        for body in [Some(&mut exchange.request.body), body].into_iter().flatten() {
            if let Value::String(text) = body
                && url::is_form(text)
            {
                *text = url::parameters(self, text, found);
            }
            self.value(body, Place::default(), found);
        }
    }

    fn header(&self, name: &str, value: &str, found: &mut Found) -> String {
        let name = name.to_ascii_lowercase();
        if name == "authorization" || name == "proxy-authorization" {
            // The scheme stays: which one was sent is what some cases are about.
            if ["bearer", "basic"].contains(&value.trim().to_ascii_lowercase().as_str()) {
                return value.to_owned();
            }
            let (scheme, secret) = value.split_once(' ').unwrap_or(("", value));
            found.note(secret.trim());
            return format!("{scheme} {REDACTED}").trim_start().to_owned();
        }
        if name == "cookie" || name == "set-cookie" || names::is_secret(&name) {
            for part in value.split([';', ',']) {
                found.note(part.split_once('=').map_or(part, |(_, value)| value).trim());
            }
            return REDACTED.to_owned();
        }
        if value.contains("://") { url::url(self, value, found) } else { value.to_owned() }
    }

    fn value(&self, value: &mut Value, place: Place, found: &mut Found) {
        match value {
            Value::Object(members) => {
                // What an operation of a PATCH, or an expectation, says of its value's place.
                let target = ["path", "at", "attribute"]
                    .iter()
                    .find_map(|key| members.get(*key)?.as_str())
                    .map(|path| place.within(path));
                for (key, member) in members {
                    let at = match &target {
                        Some(target) if names::holds_a_value(key) => *target,
                        _ => place.within(key),
                    };
                    self.value(member, at, found);
                }
            }
            Value::Array(elements) => {
                for element in elements {
                    self.value(element, place, found);
                }
            }
            Value::String(text) => {
                let hidden = place.is_secret() || place.is_personal() && !self.is_made_up(text);
                if hidden && !text.is_empty() && text != REDACTED {
                    found.note(text);
                    REDACTED.clone_into(text);
                } else if text.starts_with("http://") || text.starts_with("https://") {
                    *text = url::url(self, text, found);
                }
            }
            Value::Number(number) => {
                if place.is_secret() || place.is_personal() && self.people {
                    found.note(&number.to_string());
                    *value = REDACTED.into();
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Removes the secrets that the text alone shows: tokens by their form, e-mail addresses, quoted members.
    fn spell(&self, text: &str) -> String {
        text::scan(text, |address| self.is_made_up(address))
    }
}

/// Collects all strings of a value.
fn strings(value: &Value, all: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            all.insert(text.clone());
        }
        Value::Array(elements) => elements.iter().for_each(|element| strings(element, all)),
        Value::Object(members) => members.values().for_each(|member| strings(member, all)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Calls for each text of an exchange.
fn each_text(exchange: &mut Exchange, each: &dyn Fn(&mut String)) {
    each(&mut exchange.step);
    each(&mut exchange.request.url);
    exchange.request.headers.iter_mut().for_each(|(_, value)| each(value));
    each_string(&mut exchange.request.body, each);
    if let Some(answer) = &mut exchange.response {
        answer.headers.iter_mut().for_each(|(_, value)| each(value));
        each_string(&mut answer.body, each);
    }
    if let Some(error) = &mut exchange.error {
        each(error);
    }
}

/// Calls for each string of a value, names of members included.
fn each_string(value: &mut Value, each: &dyn Fn(&mut String)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(elements) => elements.iter_mut().for_each(|element| each_string(element, each)),
        Value::Object(members) => {
            let taken = std::mem::take(members);
            members.extend(taken.into_iter().map(|(mut key, mut member)| {
                each(&mut key);
                each_string(&mut member, each);
                (key, member)
            }));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Removes the texts that were found.
fn replace(text: &str, found: &[String]) -> String {
    let mut text = text.to_owned();
    for spelled in found {
        if text.contains(spelled.as_str()) {
            text = text.replace(spelled.as_str(), REDACTED);
        }
    }
    text
}
