//! Refusals that many cases run into. What such a case is about was not seen, so its own advice would mislead.

use serde_json::Value;

use super::{CaseResult, Report, Verdict, plain, words};
use crate::wire::exchange::Exchange;

/// Fewer cases than this may as well be wrong each for itself.
const LEAST: usize = 3;
/// Characters of the request that is shown.
const REQUEST: usize = 160;
/// What a case's reason has before the words of the subject.
const SAYS: &str = "it says: ";

/// One refusal, and the cases that ended with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause<'a> {
    /// The status of the answers.
    pub status: u16,
    /// What the subject said, the first time.
    pub said: Option<&'a str>,
    /// One of the requests, as in `GET /scim/Users?filter=…`.
    pub request: String,
    /// The cases, the most urgent first.
    pub cases: Vec<&'a CaseResult>,
}

/// What two refusals have in common where they are one.
#[derive(PartialEq)]
struct Likeness {
    status: u16,
    said: Option<String>,
    /// Method and endpoint, where nothing was said.
    what: Option<String>,
}

impl Cause<'_> {
    /// What happens, in one sentence.
    pub fn because(&self) -> String {
        let said = self.said.map_or_else(String::new, |said| format!(", saying: {said}"));
        format!("`{}` is answered {}{said}", self.request, self.status)
    }

    /// What it means.
    pub fn advice(&self, report: &Report) -> String {
        format!(
            "{} stopped there, and what they are about was not seen. Mend this first, and run them again.",
            words::count(self.cases.len(), words::noun(report))
        )
    }
}

/// The refusals behind three cases or more, what is behind most of them first.
pub fn of(report: &Report) -> Vec<Cause<'_>> {
    let mut causes: Vec<(Likeness, Cause<'_>)> = Vec::new();
    for case in words::by_importance(&report.cases) {
        let Some((likeness, cause)) = refusal(case) else { continue };
        match causes.iter_mut().find(|(known, _)| *known == likeness) {
            Some((_, known)) => known.cases.push(case),
            None => causes.push((likeness, cause)),
        }
    }
    let mut causes: Vec<_> =
        causes.into_iter().map(|(_, cause)| cause).filter(|cause| cause.cases.len() >= LEAST).collect();
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.cases.len()));
    causes
}

/// Whether one of the causes is behind the case.
pub fn explain(causes: &[Cause<'_>], case: &CaseResult) -> bool {
    causes.iter().any(|cause| cause.cases.iter().any(|known| known.id == case.id))
}

/// The refusal that ended a case, where a success was due.
fn refusal(case: &CaseResult) -> Option<(Likeness, Cause<'_>)> {
    if !matches!(case.verdict, Verdict::Fail | Verdict::Warn) {
        return None;
    }
    let status = of_first(&case.actual)?.as_u64().and_then(|status| u16::try_from(status).ok())?;
    if !(400..600).contains(&status) || !is_success(of_first(&case.expected)?) {
        return None;
    }
    let exchange = case.exchanges.last()?;
    if exchange.response.as_ref()?.status != status {
        return None;
    }
    let said = case.because.as_deref().and_then(|because| Some(because.split_once(SAYS)?.1.trim()));
    let said = said.filter(|said| !said.is_empty());
    let what = said.is_none().then(|| endpoint(exchange));
    let likeness = Likeness { status, said: said.map(common), what };
    let request = format!("{} {}", exchange.request.method, local(&exchange.request.url));
    let request = plain::one_line(&plain::cut(&request, REQUEST)).into_owned();
    Some((likeness, Cause { status, said, request, cases: vec![case] }))
}

/// The value of the first difference, where that is one of the status.
fn of_first(side: &Value) -> Option<&Value> {
    let first = side.as_array()?.first()?;
    (first.get("what")? == "status").then(|| first.get("value")).flatten()
}

fn is_success(wanted: &Value) -> bool {
    let one = |wanted: &Value| match wanted {
        Value::Number(status) => status.as_u64().is_some_and(|status| (200..300).contains(&status)),
        Value::String(class) => class.starts_with('2'),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    };
    match wanted {
        Value::Array(wanted) => wanted.iter().any(one),
        wanted => one(wanted),
    }
}

/// A message without what differs from case to case: whatever has a digit, or stands between double quotes.
fn common(said: &str) -> String {
    let mut text = String::new();
    for (at, part) in said.split('"').enumerate() {
        if at % 2 == 1 {
            text.push_str("…");
            continue;
        }
        for word in part.split_inclusive(char::is_whitespace) {
            text.push_str(if word.contains(|sign: char| sign.is_ascii_digit()) { "… " } else { word });
        }
    }
    text
}

fn local(url: &str) -> &str {
    url.find("://").and_then(|at| url[at + 3..].find('/').map(|slash| &url[at + 3 + slash..])).unwrap_or(url)
}

/// The method, and the last part of the path that is no id.
fn endpoint(exchange: &Exchange) -> String {
    let path = local(&exchange.request.url).split('?').next().unwrap_or_default();
    let is_name =
        |part: &&str| !part.is_empty() && part.chars().all(|sign| sign.is_ascii_alphabetic() || sign == '.');
    let name = path.rsplit('/').find(is_name).unwrap_or_default();
    format!("{} {name}", exchange.request.method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_case_to_case_is_left_out() {
        assert_eq!(common("no user \"ada\" here"), common("no user \"bob\" here"));
        assert_eq!(common("id 17 is gone"), common("id 9b is gone"));
        assert_ne!(common("`sw` is unknown"), common("`co` is unknown"));
        assert_eq!(local("http://localhost:1/scim/Users?a=b"), "/scim/Users?a=b");
        assert_eq!(local("/Users"), "/Users");
        assert!(is_success(&serde_json::json!([200, 204])) && is_success(&serde_json::json!("2xx")));
        assert!(!is_success(&serde_json::json!([400])) && !is_success(&Value::Null));
    }
}
