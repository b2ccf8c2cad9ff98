//! The effect of deviations on a case: it judges the deviations that it is about, passes over the others, and is
//! skipped if one of these hides its subject.

use serde_json::Value;

use crate::case::expect::{Check, Expectation};
use crate::case::step::{Action, Paging, Step};
use crate::json::{get, is_absent};
use crate::requirement::Level;
use crate::server::deviation::asked::Asked;
use crate::server::deviation::resources::says_active_as_text;
use crate::server::deviation::{Deviation, Seen, has, understand};
use crate::server::judge::Miss;
use crate::server::runner::{End, Player};
use crate::subject::server::client::{Answer, Request};

/// The texts in place of Booleans that a case received and sent as `active`.
#[derive(Debug, Default)]
pub(super) struct Active {
    /// The server wrote a text by itself.
    is_text: bool,
    /// The case sent one, which the server may have stored as it is.
    sent: bool,
}

impl Player<'_> {
    /// Corrects the answer to a request, and notes the deviations that are passed over.
    pub(super) fn understand(&mut self, request: &Request, answer: &mut Answer) {
        let body = request.body.as_deref().and_then(|body| serde_json::from_str::<Value>(body).ok());
        self.active.sent |= body.as_ref().is_some_and(says_active_as_text);
        let known = |resource: &Value| self.bindings.id_by_name(resource);
        let mut asked = Asked::new(&self.context.client, &self.context.facts, request, &known);
        asked.sent_texts = self.active.sent && !self.active.is_text;
        self.seen = understand(answer, &asked);
        self.active.is_text |= has(&self.seen, Deviation::ActiveAsText);
        for seen in &self.seen {
            self.context.note(seen.row.deviation);
        }
    }

    /// Judges the form of an answer, and removes the misses that follow from it.
    pub(super) fn judge_shapes(
        &mut self,
        step: &Step,
        answer: &Answer,
        misses: &mut Vec<Miss>,
    ) -> Result<(), End> {
        let seen = std::mem::take(&mut self.seen);
        if let Some(seen) = seen.iter().find(|seen| seen.row.deviation == Deviation::NoJson) {
            // What is looked for in such a body is not missing: the body cannot be read.
            let is_other_answer = misses.iter().any(|miss| miss.what == "status");
            let is_missed = !misses.is_empty() && !is_other_answer;
            if is_missed
                || !is_other_answer && step.expect.iter().any(|expectation| expectation.check.reads_body())
            {
                *misses = vec![miss(self.level, seen)];
            }
            return Ok(());
        }
        let judged = |seen: &&Seen| !step.preparation && seen.row.is_judged_by(self.case);
        let of_form: Vec<Miss> = seen.iter().filter(judged).map(|seen| miss(self.level, seen)).collect();
        for seen in seen.iter().filter(|seen| !judged(seen)) {
            skip_hidden(step, seen, misses)?;
        }
        if has(&seen, Deviation::ListsWithoutResources) && !of_form.is_empty() {
            *misses = of_form;
            return Ok(());
        }
        let is_uncounted = [Deviation::BareLists, Deviation::OtherEnvelope, Deviation::NoTotal]
            .into_iter()
            .any(|deviation| has(&seen, deviation))
            && answer.json.as_ref().is_some_and(|body| is_absent(get(body, "totalResults")));
        if is_uncounted {
            let before = misses.len();
            misses.retain(|miss| miss.what.trim_start_matches('/') != "totalResults");
            if before > misses.len() && of_form.is_empty() && is_about_total(step) {
                let case = seen.iter().find_map(|seen| seen.row.case()).unwrap_or_default();
                return Err(End::Skipped(format!(
                    "the server's lists do not say how many there are (totalResults), as {case} says"
                )));
            }
        }
        misses.splice(0..0, of_form);
        Ok(())
    }

    /// Reads the resource that a write was to show, where its body is no JSON: one case for each kind of write tells that,
    /// and all others see what is there.
    pub(super) async fn read_unshown(
        &mut self,
        step: &Step,
        request: &Request,
        endpoint: Option<&str>,
        answer: &mut Answer,
    ) -> Result<(), End> {
        let is_unread = |seen: &Seen| {
            seen.row.deviation == Deviation::NoJson && (step.preparation || !seen.row.is_judged_by(self.case))
        };
        let path = match &step.action {
            Action::Create { .. } => answer.header("location").and_then(|location| {
                let id = location.trim_end_matches('/').rsplit('/').next()?;
                self.context.client.below(location).or_else(|| Some(format!("{}/{id}", endpoint?)))
            }),
            Action::Replace(..) | Action::Patch(..) => Some(request.path.clone()),
            Action::Read(_)
            | Action::Delete(_)
            | Action::List(_)
            | Action::Search(..)
            | Action::Walk(..)
            | Action::Bulk(_)
            | Action::Together { .. }
            | Action::Send { .. } => None,
        };
        let Some(path) = path.filter(|_| self.seen.iter().any(is_unread)) else { return Ok(()) };
        let unread = std::mem::take(&mut self.seen);
        let reading = Request {
            step: format!("read what was not shown: {}", step.label),
            method: "GET".to_owned(),
            path,
            query: request.query.clone(),
            ..Request::default()
        };
        let read = self.ask(step, &reading).await?;
        if read.is_success() && read.json.as_ref().is_some_and(Value::is_object) {
            (answer.json, answer.raw) = (read.json, read.raw);
        } else {
            self.seen = unread;
        }
        Ok(())
    }
}

/// Ends a case if a deviation hides its subject.
fn skip_hidden(step: &Step, seen: &Seen, misses: &[Miss]) -> Result<(), End> {
    let case = seen.row.case().unwrap_or_default();
    let pages_by_cursor = step.query.iter().any(|(name, _)| name.eq_ignore_ascii_case("cursor"))
        || matches!(step.action, Action::Walk(_, Paging::Cursor));
    match seen.row.deviation {
        Deviation::ListsWithoutResources => Err(End::Skipped(format!(
            "the server's lists have no Resources, so what is in them cannot be told, as {case} says"
        ))),
        Deviation::BareLists | Deviation::OtherEnvelope if pages_by_cursor && !misses.is_empty() => {
            Err(End::Skipped(format!(
                "the server's lists are no ListResponses, so that nextCursor is not found, as {case} says"
            )))
        }
        Deviation::NumericIds
        | Deviation::CreatedWith200
        | Deviation::BareLists
        | Deviation::OtherEnvelope
        | Deviation::NumbersAsTexts
        | Deviation::NoTotal
        | Deviation::OtherCase
        | Deviation::NoIds
        | Deviation::NoSchemas
        | Deviation::ActiveAsText
        | Deviation::NoJson => Ok(()),
    }
}

/// Returns a deviation as a miss of the case.
fn miss(level: Level, seen: &Seen) -> Miss {
    let found = &seen.found;
    let (expected, actual) = (found.expected.clone(), found.actual.clone());
    let mut miss = Miss::new(level, found.at.clone(), expected, actual, seen.row.because().to_owned());
    miss.shared = seen.row.shared();
    miss
}

/// Whether a step asks nothing of a list but how many there are.
fn is_about_total(step: &Step) -> bool {
    let is_it = |expectation: &Expectation| match &expectation.check {
        Check::Status(_) | Check::MediaType | Check::List | Check::Total(_) => true,
        Check::Header(..)
        | Check::Body(_)
        | Check::Error { .. }
        | Check::ErrorForm
        | Check::Lists(..)
        | Check::Unchanged(_)
        | Check::ExactlyOne(..)
        | Check::Every(_)
        | Check::Nowhere(_)
        | Check::At { .. }
        | Check::AnyOf(_) => false,
    };
    let counts = step.expect.iter().any(|expectation| matches!(expectation.check, Check::Total(_)));
    counts && step.expect.iter().all(is_it)
}
