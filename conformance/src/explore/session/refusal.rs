//! Requests that were refused: is that what the subject always does, or only here?

use serde_json::{Value, json};

use crate::explore::check::Check;
use crate::explore::model::{PatchKind, Target};
use crate::explore::operation::Write;
use crate::explore::rule::{Rule, Violation};
use crate::explore::session::patch::Made;
use crate::explore::session::write::set_attribute;
use crate::explore::session::{Session, Stop};
use crate::explore::value::{Choice, has_text};
use crate::explore::world::{patch, request};
use crate::json::get;
use crate::subject::server::client::{Answer, Request};

/// The statuses with which a subject says that it does not do something for now.
fn is_for_now(answer: &Answer) -> bool {
    matches!(answer.status, 429 | 503)
}

impl Session<'_> {
    fn refusal(form: &str, about: &str, why: &str, answer: &Answer) -> Violation {
        let detail = answer.json.as_ref().and_then(|body| get(body, "detail")?.as_str());
        let detail = detail
            .map_or_else(String::new, |detail| format!("; it says: {}", crate::format::cut(detail, 200)));
        Violation::new(Rule::ValidIsTaken, form, format!("{why}: it is answered {}{detail}", answer.status))
            .about(about)
            .values(json!("2xx"), json!(answer.status))
            .check(Check::status(&["2xx"]))
    }

    /// Whether a new user with one value is taken; tried once.
    async fn takes_value(&self, attribute: usize, value: &Value, choice: Choice) -> bool {
        let path = self.world.attributes[attribute].path();
        let kind = if has_text(&self.world.attributes[attribute]) { choice.kind().word } else { "plain" };
        let form = format!("POST with: {path} ({kind} text)");
        if let Some(is_taken) = self.world.taken(&form) {
            return is_taken;
        }
        let is_taken = self.world.try_creation(&[(attribute, value.clone())]).await;
        self.world.note_taken(&form, is_taken);
        is_taken
    }

    pub(super) async fn creation_refused(
        &mut self,
        values: &[(usize, Value, Choice)],
        answer: &Answer,
    ) -> Result<(), Stop> {
        if is_for_now(answer) {
            return Ok(());
        }
        for (attribute, value, choice) in values {
            if !self.takes_value(*attribute, value, *choice).await {
                return Ok(());
            }
        }
        let why = "a POST is refused, and each of its attributes is taken alone";
        self.violates(Self::refusal("POST", "", why, answer))
    }

    pub(super) async fn put_refused(
        &mut self,
        values: &[(usize, Value, Choice)],
        is_whole: bool,
        answer: &Answer,
    ) -> Result<(), Stop> {
        if is_for_now(answer) {
            return Ok(());
        }
        let form = if is_whole { "PUT of what was read" } else { "PUT of the smallest user" };
        let is_taken = self
            .tried_alone(form, &[], |path, unique| {
                request("PUT", path, Some(&self.world.new_user(unique, &[])))
            })
            .await;
        if is_taken != Some(true) {
            return Ok(());
        }
        for (attribute, value, choice) in values {
            if !self.takes_value(*attribute, value, *choice).await {
                return Ok(());
            }
        }
        let about = match values {
            [(attribute, _, choice)] => {
                let attribute = &self.world.attributes[*attribute];
                if has_text(attribute) {
                    format!("{} {}", attribute.path(), choice.kind().word)
                } else {
                    attribute.path()
                }
            }
            _ => String::new(),
        };
        self.violates(Self::refusal("PUT", &about, "a PUT is refused whose values a POST takes", answer))
    }

    pub(super) async fn patch_refused(
        &mut self,
        at: usize,
        all: &[Made],
        words: &str,
        answer: &Answer,
    ) -> Result<(), Stop> {
        if is_for_now(answer) {
            return Ok(());
        }
        let mut is_all_taken = true;
        for made in all {
            let attribute = &self.world.attributes[made.attribute];
            let path = attribute.path();
            let with_text = has_text(attribute) && made.choice.text != 0 && !made.value.is_null();
            let plain_form = format!("{}: {path}", made.words);
            let form = if with_text {
                format!("{plain_form} ({} text)", made.choice.kind().word)
            } else {
                plain_form.clone()
            };
            let before = self.resources[at].expected.get(made.attribute).cloned();
            let start: Vec<_> = before.iter().map(|value| (made.attribute, value.clone())).collect();
            let operation = made.json.clone();
            let is_taken = self.tried_alone(&form, &start, |path, _| patch(path, &json!([operation]))).await;
            if is_taken == Some(true) {
                continue;
            }
            is_all_taken = false;
            // A text is refused here that a POST takes, where this operation takes others.
            if with_text && is_taken == Some(false) {
                let value_taken = match before.as_ref().and_then(Value::as_array) {
                    // The server may refuse the values together, such as two of one type.
                    Some(known) if made.kind == PatchKind::Add && made.target == Target::Whole => {
                        let added = made.value.as_array().into_iter().flatten();
                        let whole: Value = known.iter().chain(added).cloned().collect();
                        self.world.try_creation(&[(made.attribute, whole)]).await
                    }
                    _ => self.takes_value(made.attribute, &made.choice.value(attribute), made.choice).await,
                };
                let start = [(made.attribute, made.choice.plain().value(attribute))];
                let plain = match self.world.taken(&plain_form) {
                    Some(known) => Some(known),
                    None => self.tried_plain(&plain_form, &start, made).await,
                };
                if value_taken && plain == Some(true) {
                    let about = format!("{path} {}", made.choice.kind().word);
                    let why = format!("{} of {path} is refused with a value that POST takes", made.words);
                    self.violates(Self::refusal(&made.words, &about, &why, answer))?;
                }
            }
        }
        if is_all_taken {
            let why = if all.len() == 1 {
                "a PATCH is refused that is taken of a fresh user"
            } else {
                "a PATCH is refused whose operations are taken one by one"
            };
            self.violates(Self::refusal(words, "", why, answer))?;
        }
        Ok(())
    }

    /// Tries the same operation with a plain value.
    async fn tried_plain(&self, form: &str, start: &[(usize, Value)], made: &Made) -> Option<bool> {
        let attribute = &self.world.attributes[made.attribute];
        let mut operation = made.json.clone();
        let plain = Choice { number: made.choice.number + 1, ..made.choice.plain() }.value(attribute);
        match (&made.target, operation.get("path").is_some()) {
            (crate::explore::model::Target::Whole, true) => operation["value"] = plain,
            (crate::explore::model::Target::Whole, false) => {
                let mut whole = json!({});
                attribute.set_in(&mut whole, plain);
                operation["value"] = whole;
            }
            _ => return None,
        }
        self.tried_alone(form, start, |path, _| patch(path, &json!([operation]))).await
    }

    /// Whether a request is taken of a fresh user with some values; tried once.
    async fn tried_alone(
        &self,
        form: &str,
        start: &[(usize, Value)],
        make: impl FnOnce(&str, &str) -> Request,
    ) -> Option<bool> {
        if let Some(known) = self.world.taken(form) {
            return Some(known);
        }
        let is_taken = self.world.try_on_fresh_user(start, make).await?;
        self.world.note_taken(form, is_taken);
        Some(is_taken)
    }

    /// Judges the refusal of a user name: one that a fresh user takes is a violation. The name that is tried has this ending.
    pub(super) async fn refused_name(
        &self,
        form: &str,
        (with, ending): (Write, &str),
        words: &str,
        answer: &Answer,
    ) -> Result<(), Stop> {
        let make = |path: &str, unique: &str| {
            let name = self.world.blank.user_name(&format!("{unique}{ending}"));
            set_attribute(path, "userName", &json!(name), with, || self.world.new_user(&self.unique, &[]))
        };
        if is_for_now(answer) || self.tried_alone(form, &[], make).await != Some(true) {
            return Ok(());
        }
        let why = format!("{words} is refused, and taken of a fresh user");
        let violation = Self::refusal(words, "", &why, answer);
        self.violates(violation.check(Self::status_check(with, "2xx")))
    }
}
