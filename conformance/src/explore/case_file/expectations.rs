//! Expectations in the words of the case format.

use serde_json::{Value, json};
use toml::value::{Array, Table};

use crate::explore::case_file::SaveError;
use crate::explore::case_file::names::Names;
use crate::explore::case_file::reads::BEFORE;
use crate::explore::check::{Check, Condition, Earlier, Expectation, Is, Listed};

/// Returns the expectations of a check.
pub(super) fn expectations(check: &Check, names: &Names<'_>) -> Result<Array, SaveError> {
    check.expectations.iter().map(|one| Ok(expectation(one, names)?.into())).collect()
}

/// Returns the expectation of one of these statuses.
pub(super) fn status_table(statuses: impl IntoIterator<Item = toml::Value>) -> Table {
    one("status", statuses.into_iter().collect::<Array>())
}

fn one(key: &str, value: impl Into<toml::Value>) -> Table {
    Table::from_iter([(key.to_owned(), value.into())])
}

/// Returns statuses, and classes of them, as they are written.
fn written(statuses: &[&str]) -> Array {
    let status = |one: &&str| one.parse::<i64>().map_or_else(|_| toml::Value::from(*one), toml::Value::from);
    statuses.iter().map(status).collect()
}

pub(super) fn expectation(expected: &Expectation, names: &Names<'_>) -> Result<Table, SaveError> {
    Ok(match expected {
        Expectation::Status(all) => status_table(written(all)),
        Expectation::Every(status) => one("every", vec![toml::Value::from(i64::from(*status))]),
        Expectation::OneSuccess(others) => {
            let others: Array = others.iter().map(|status| i64::from(*status).into()).collect();
            let mut table = one("exactly-one", vec![toml::Value::from("2xx")]);
            table.insert("others".to_owned(), others.into());
            table
        }
        Expectation::Shows(_) => return Err(SaveError::Untold("several answers are compared with a list")),
        Expectation::Lists(listed, ids) => {
            let known: Option<Array> = ids.iter().map(|id| names.of_id(id).map(toml::Value::from)).collect();
            let known = known.ok_or(SaveError::Untold("a list holds a resource that no request made"))?;
            let key = match listed {
                Listed::All => "lists",
                Listed::Not => "lists-not",
                Listed::Exactly => "lists-exactly",
                Listed::InOrder => "lists-in-order",
            };
            one(key, known)
        }
        Expectation::TotalAsListed => one("total", "as-listed"),
        Expectation::Nowhere(text) => one("nowhere", names.replaced(text)),
        Expectation::AsAnswered(path) => {
            let name = names.of_path(path);
            one("unchanged", name.ok_or(SaveError::Untold("no request made what it is about"))?)
        }
        Expectation::AsBefore(_) => one("unchanged", BEFORE),
        Expectation::Header(name, is, earlier) => {
            let mut table = one("header", *name);
            let key = if *is == Is::The { "equals" } else { "differs" };
            table.insert(key.to_owned(), place(earlier, names)?.into());
            table
        }
        Expectation::At(pointer, condition) => {
            let mut table = one("at", names.replaced(pointer));
            self::condition(&mut table, condition, names)?;
            table
        }
        Expectation::AnyOf(all) => {
            let lists: Result<Array, SaveError> =
                all.iter().map(|one| Ok(Array::from([expectation(one, names)?.into()]).into())).collect();
            one("any-of", lists?)
        }
    })
}

fn condition(table: &mut Table, condition: &Condition, names: &Names<'_>) -> Result<(), SaveError> {
    let (key, value): (&str, toml::Value) = match condition {
        Condition::Equals(Value::Null) => ("is", "absent".into()),
        Condition::Equals(value) => ("equals", names.json(value).into()),
        Condition::Differs(value) => ("differs", names.json(value).into()),
        Condition::Includes(value) => ("includes", names.json(value).into()),
        Condition::Lacks(value) => ("lacks", names.json(value).into()),
        Condition::OneOf(values) => ("one-of", names.json(&Value::from(values.clone())).into()),
        Condition::IsPresent => ("is", "present".into()),
        Condition::IgnoringCase(text) => {
            table.insert("if-present".to_owned(), true.into());
            ("equals-ignoring-case", names.replaced(text).into())
        }
        Condition::AddressOf(path) => {
            table.insert("if-present".to_owned(), true.into());
            let name = names.of_path(path).ok_or(SaveError::Untold("no request made what it is about"))?;
            ("same-address", format!("{{{{{name}.location}}}}").into())
        }
        Condition::Count(count) => ("count", i64::try_from(*count).unwrap_or(i64::MAX).into()),
        Condition::AtMost(most) => ("at-most", u32::try_from(*most).map_or(f64::MAX, f64::from).into()),
        Condition::Unique => ("unique", true.into()),
        Condition::IsDescending(true) => ("sorted", "descending".into()),
        Condition::IsDescending(false) => ("sorted", "ascending".into()),
        Condition::SaysStatus(all) => ("says-status", written(all).into()),
        Condition::Same(Earlier::Read { is_absent: true, .. } | Earlier::Config { is_absent: true, .. }) => {
            ("is", "absent".into())
        }
        Condition::Same(earlier) => ("equals", json!(place(earlier, names)?).to_string().into()),
        Condition::Other(earlier) => ("differs", json!(place(earlier, names)?).to_string().into()),
        Condition::LaterThan(earlier) => ("later-than", place(earlier, names)?.into()),
    };
    table.insert(key.to_owned(), value);
    Ok(())
}

/// Returns the place of what an earlier answer told.
fn place(earlier: &Earlier, names: &Names<'_>) -> Result<String, SaveError> {
    let inside = match earlier {
        Earlier::Read { pointer, .. } => format!("{BEFORE}{pointer}"),
        Earlier::Version(_) => format!("{BEFORE}.version"),
        Earlier::Config { pointer, .. } => format!("config{pointer}"),
        Earlier::Bulk(pointer) => {
            let name = names.last_bulk().ok_or(SaveError::Untold("no bulk request was sent"))?;
            format!("{name}{pointer}")
        }
    };
    if inside.contains('@') {
        return Err(SaveError::Untold("the name of a member has a sign that a case cannot tell"));
    }
    Ok(format!("{{{{{inside}}}}}"))
}
