//! The steps of a case: the requests of a transcript, and the one whose answer is judged.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use toml::value::{Array, Table};

use crate::explore::case_file::SaveError;
use crate::explore::case_file::expectations::{expectation, expectations, status_table};
use crate::explore::case_file::names::{Names, deletions, is_condition, is_done};
use crate::explore::case_file::reads::{Reads, Sent, Which, is_look, reads, units};
use crate::explore::check::{Check, Condition, Crowd, Expectation, Judged, Listed, Walk};
use crate::explore::session::Transcript;
use crate::query_string::parameters;
use crate::transcript::Exchange;

/// The name of resources that nothing else is about.
const CROWD: &str = "other";

/// The name of a resource that was deleted, and nothing else is about.
const GONE: &str = "gone";

/// Statuses with which one of several writes to one resource may be answered.
const OF_SEVERAL: [i64; 5] = [409, 412, 423, 429, 503];

/// Returns the steps of a case.
pub(super) fn steps(
    check: &Check,
    transcript: &Transcript,
    which: Which,
    names: &mut Names<'_>,
) -> Result<Array, SaveError> {
    let mut exchanges = transcript.exchanges.clone();
    for (at, body) in &transcript.bodies {
        if let Some(exchange) = exchanges.get_mut(*at) {
            exchange.request.body = body.clone();
        }
    }
    let exchanges = exchanges.as_slice();
    let end = match &check.judged {
        Judged::Walk(walk) => walk.from.min(exchanges.len()),
        Judged::At(at) => (at + 1).min(exchanges.len()),
        Judged::Last | Judged::Read(_) | Judged::ReadAndList(_) | Judged::Location(_) | Judged::Reads(_) => {
            exchanges.len()
        }
    };
    let units = units(transcript, end);
    let (last, before) = match (&check.judged, units.split_last()) {
        (Judged::Last | Judged::At(_), None) => return Err(SaveError::Untold("it has no requests")),
        (Judged::Last | Judged::At(_), Some((last, before))) => (Some(last), before),
        _ => (None, units.as_slice()),
    };
    let reads = reads(check, exchanges, (before, last), which, names)?;
    let waited = |unit: &Sent| {
        let of = transcript.waited.iter().filter(|(at, _)| *at < unit.range().end);
        of.map(|(at, pause)| (*at, *pause)).max()
    };
    let mut paused = None;
    let mut steps = Array::new();
    let mut pause = |step: &mut Table, unit: &Sent| {
        if let Some((at, time)) = waited(unit).filter(|waited| Some(waited.0) != paused) {
            paused = Some(at);
            set_pause(step, time);
        }
    };
    steps.extend(check.crowd.iter().flat_map(crowd).map(toml::Value::from));
    let mut last_write = None;
    let mut deleted = BTreeSet::new();
    for unit in before {
        let is_write = !exchanges[unit.range()].iter().all(is_look);
        let made = if is_write {
            vec![preparation(unit, exchanges, &mut deleted, names)?]
        } else {
            looks(unit, check, exchanges, &reads, names)?
        };
        for mut step in made {
            step.insert("preparation".to_owned(), true.into());
            pause(&mut step, unit);
            if is_write {
                last_write = Some(steps.len());
            }
            steps.push(step.into());
        }
    }
    if let (Some(time), Some(toml::Value::Table(step))) =
        (check.pause, last_write.and_then(|at| steps.get_mut(at)))
    {
        set_pause(step, time);
    }
    let mut step = judged(check, exchanges, last, names)?;
    if let Some(unit) = last {
        pause(&mut step, unit);
    }
    steps.push(step.into());
    Ok(steps)
}

fn set_pause(step: &mut Table, time: Duration) {
    step.insert("pause".to_owned(), i64::try_from(time.as_millis()).unwrap_or(i64::MAX).into());
}

/// Returns the steps that create resources which nothing else is about.
fn crowd(crowd: &Crowd) -> Vec<Table> {
    let create = |name: &str| {
        Table::from_iter([
            ("create".to_owned(), crowd.resource_type.clone().into()),
            ("as".to_owned(), name.into()),
        ])
    };
    let mut steps = Vec::new();
    if crowd.count > 0 {
        let mut several = create(CROWD);
        several.insert("count".to_owned(), i64::try_from(crowd.count).unwrap_or(i64::MAX).into());
        steps.push(several);
    }
    if crowd.has_deleted {
        let delete =
            [("delete".to_owned(), toml::Value::from(GONE)), ("preparation".to_owned(), true.into())];
        steps.extend([create(GONE), Table::from_iter(delete)]);
    }
    steps
}

/// Returns the step of requests that write, before the judged one.
fn preparation(
    unit: &Sent,
    exchanges: &[Exchange],
    deleted: &mut BTreeSet<String>,
    names: &mut Names<'_>,
) -> Result<Table, SaveError> {
    match unit {
        Sent::One(at) => {
            let exchange = &exchanges[*at];
            let mut step = step(exchange, names)?;
            let path = names.address(exchange).map(|(path, _)| path).unwrap_or_default();
            if deleted.contains(&path) {
                // The session only tries whether the resource is gone.
                step.insert("expect".to_owned(), toml::Value::Array(vec![any_status().into()]));
                return Ok(step);
            }
            if is_done(exchange) {
                deleted.extend(deletions(exchange, &path));
                // The version of this run is not that of the next one.
                if step.get("headers").is_some_and(|headers| !headers.to_string().contains("{{")) {
                    step.remove("headers");
                }
            } else {
                let status = exchange.response.as_ref().map_or(0, |answer| i64::from(answer.status));
                // A failure of the server is none of what the case needs.
                let others =
                    if status >= 500 { ["2xx", "4xx"].map(toml::Value::from).to_vec() } else { Vec::new() };
                let statuses = status_table(std::iter::once(status.into()).chain(others));
                step.insert("expect".to_owned(), toml::Value::Array(vec![statuses.into()]));
            }
            Ok(step)
        }
        Sent::Together(range) => {
            let several = &exchanges[range.clone()];
            let mut step = together(several, names)?;
            let statuses: Array =
                std::iter::once("2xx".into()).chain(OF_SEVERAL.map(toml::Value::from)).collect();
            let every = Table::from_iter([("every".to_owned(), statuses.into())]);
            step.insert("expect".to_owned(), toml::Value::Array(vec![every.into()]));
            Ok(step)
        }
    }
}

/// Returns the expectation of whatever status.
fn any_status() -> Table {
    status_table(["2xx", "3xx", "4xx", "5xx"].map(toml::Value::from))
}

/// Returns the steps of those looks that the case needs.
fn looks(
    unit: &Sent,
    check: &Check,
    exchanges: &[Exchange],
    reads: &Reads,
    names: &mut Names<'_>,
) -> Result<Vec<Table>, SaveError> {
    let mut steps = Vec::new();
    for at in unit.range() {
        for (_, name) in reads.iter().filter(|(read, _)| *read == at) {
            let mut step = step(&exchanges[at], names)?;
            if !is_done(&exchanges[at]) {
                step.insert("expect".to_owned(), toml::Value::Array(vec![any_status().into()]));
            }
            if let Some(name) = name {
                step.insert("as".to_owned(), (*name).into());
            }
            if let Some((_, expected)) = check.premise.as_ref().filter(|(place, _)| *place == at) {
                let expected = expectation(expected, names)?;
                step.insert("expect".to_owned(), toml::Value::Array(vec![expected.into()]));
            }
            steps.push(step);
        }
        names.note(&exchanges[at]);
    }
    Ok(steps)
}

/// Returns the step whose answer is judged.
fn judged(
    check: &Check,
    exchanges: &[Exchange],
    last: Option<&Sent>,
    names: &mut Names<'_>,
) -> Result<Table, SaveError> {
    let mut step = match (&check.judged, last) {
        (Judged::Last | Judged::At(_), Some(Sent::Together(range))) => {
            let several = &exchanges[range.clone()];
            if let [Expectation::Shows(ids)] = check.expectations.as_slice() {
                return shows(several, ids, names);
            }
            together(several, names)?
        }
        (Judged::Last | Judged::At(_), Some(Sent::One(at))) => step(&exchanges[*at], names)?,
        (Judged::Last | Judged::At(_), None) => return Err(SaveError::Untold("it has no requests")),
        (Judged::Read(path), _) => send("GET", &known(path, names)?),
        (Judged::ReadAndList(path), _) => {
            let mut step = send("GET", &known(path, names)?);
            step.insert("list-agrees".to_owned(), true.into());
            step
        }
        (Judged::Location(path), _) => {
            let name = names
                .of_path(path)
                .ok_or(SaveError::Untold("it is about a resource that no request made"))?;
            send("GET", &format!("{{{{{name}.location}}}}"))
        }
        (Judged::Reads(paths), _) => {
            let step = |path: &String| Ok(send("GET", &known(path, names)?).into());
            let steps: Result<Array, SaveError> = paths.iter().map(step).collect();
            Table::from_iter([("together".to_owned(), steps?.into())])
        }
        (Judged::Walk(walk), _) => self::walk(walk, names),
    };
    let mut expect = expectations(check, names)?;
    if let ([Expectation::Lists(listed, ids)], Some(crowd)) = (check.expectations.as_slice(), &check.crowd) {
        let more = match listed {
            Listed::All => ("lists", (crowd.count > 0).then(|| format!("{CROWD}.*"))),
            Listed::Not => ("lists-not", crowd.has_deleted.then(|| GONE.to_owned())),
            Listed::Exactly | Listed::InOrder => ("", None),
        };
        if matches!(listed, Listed::All | Listed::Not) && ids.is_empty() && more.1.is_none() {
            return Err(SaveError::Untold("it is about a resource that no request made"));
        }
        let listed = expect.first_mut().and_then(|table| table.get_mut(more.0)?.as_array_mut());
        for (all, name) in listed.into_iter().zip(more.1) {
            all.push(name.into());
        }
    }
    // What else is expected of a resource or a list tells nothing of another answer.
    let is_of_body = check.expectations.iter().all(|one| match one {
        Expectation::At(_, Condition::SaysStatus(_))
        | Expectation::Lists(..)
        | Expectation::TotalAsListed => true,
        _ => matches!(check.judged, Judged::Read(_) | Judged::Location(_)),
    });
    if is_of_body {
        expect.insert(0, status_table([200.into()]).into());
    }
    step.insert("expect".to_owned(), expect.into());
    Ok(step)
}

/// Returns the path of a resource that a request made.
fn known(path: &str, names: &Names<'_>) -> Result<String, SaveError> {
    let name = names.of_path(path);
    name.map(|_| names.path(path)).ok_or(SaveError::Untold("it is about a resource that no request made"))
}

fn send(method: &str, path: &str) -> Table {
    Table::from_iter([("send".to_owned(), format!("{method} {path}").into())])
}

/// Returns the step that reads a list page after page.
fn walk(walk: &Walk, names: &Names<'_>) -> Table {
    let query: Table =
        walk.query.iter().map(|(name, value)| (name.clone(), names.replaced(value).into())).collect();
    Table::from_iter([
        ("walk".to_owned(), walk.resource_type.clone().into()),
        ("by".to_owned(), walk.by.into()),
        ("query".to_owned(), query.into()),
    ])
}

/// Returns the step that sends requests at the same time.
fn together(several: &[Exchange], names: &mut Names<'_>) -> Result<Table, SaveError> {
    let mut steps = Vec::new();
    for exchange in several {
        steps.push(step_before(exchange, names)?);
    }
    for (exchange, step) in several.iter().zip(&mut steps) {
        if let Some(name) = names.note(exchange) {
            step.insert("as".to_owned(), name.into());
        }
    }
    // Of several creations of one name another one may be done next time.
    let named: Vec<_> = steps.iter().filter_map(|step| step.get("as").cloned()).collect();
    if let [name] = named.as_slice() {
        for step in &mut steps {
            step.entry("as").or_insert_with(|| name.clone());
        }
    }
    let steps: Array = steps.into_iter().map(toml::Value::from).collect();
    Ok(Table::from_iter([("together".to_owned(), steps.into())]))
}

/// Returns the step that reads resources at the same time, each of which has to be the one that was asked for.
fn shows(several: &[Exchange], ids: &[String], names: &mut Names<'_>) -> Result<Table, SaveError> {
    let mut steps = Array::new();
    for (exchange, id) in several.iter().zip(ids) {
        let mut step = step(exchange, names)?;
        let shown = if exchange.request.url.contains('?') {
            Expectation::Lists(Listed::Exactly, vec![id.clone()])
        } else {
            Expectation::At("/id".to_owned(), Condition::Equals(Value::from(id.as_str())))
        };
        step.insert("expect".to_owned(), toml::Value::Array(vec![expectation(&shown, names)?.into()]));
        steps.push(step.into());
    }
    Ok(Table::from_iter([("together".to_owned(), steps.into())]))
}

/// Returns the step of a request, with the name of what its answer shows.
fn step(exchange: &Exchange, names: &mut Names<'_>) -> Result<Table, SaveError> {
    let mut step = step_before(exchange, names)?;
    if let Some(name) = names.note(exchange) {
        step.insert("as".to_owned(), name.into());
    }
    Ok(step)
}

/// Returns the step of a request, with what was known before its answer.
fn step_before(exchange: &Exchange, names: &Names<'_>) -> Result<Table, SaveError> {
    let request = &exchange.request;
    let (path, query) =
        names.address(exchange).ok_or(SaveError::Untold("a request is not below the base URL"))?;
    let mut step = send(&request.method, &names.path(&path));
    if !query.is_empty() {
        let query: Table = parameters(query)
            .into_iter()
            .map(|(name, value)| (name, names.replaced(&value).into()))
            .collect();
        step.insert("query".to_owned(), query.into());
    }
    match &request.body {
        Value::Null => {}
        Value::String(text) => drop(step.insert("text".to_owned(), names.replaced(text).into())),
        body => drop(step.insert("body".to_owned(), names.body(body).into())),
    }
    let headers: Table = request
        .headers
        .iter()
        .filter(|(name, _)| is_condition(name))
        .map(|(name, value)| {
            let place = names.place_of_version(&path, value);
            (name.clone(), place.unwrap_or_else(|| value.clone()).into())
        })
        .collect();
    if !headers.is_empty() {
        step.insert("headers".to_owned(), headers.into());
    }
    if names.lacks_credentials(exchange) {
        step.insert("auth".to_owned(), "none".into());
    }
    Ok(step)
}
