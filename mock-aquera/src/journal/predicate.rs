//! What a query can ask of an exchange. One closed list serves asking and explaining: what an exchange fails is what a
//! miss tells.

use scim::precis::user_name_key;
use scim::text::lower_case;

use super::exchange::Exchange;
use super::operations::{self, below_base};
use super::query::{JournalQuery, StatusMatch};
use super::redact::expected_path;
use crate::units::glob;

/// Returns what an exchange lacks of one criterion, in plain words; `None` if it is as the query has it, or the query says
/// nothing of it.
pub(super) type Criterion = fn(&JournalQuery, &Exchange) -> Option<String>;

/// What can be asked of an exchange.
pub(super) const CRITERIA: [Criterion; 11] = [
    |query, exchange| {
        let since = query.since_seq.filter(|since| exchange.seq <= *since)?;
        Some(format!("it is number {}, expected one after {since}", exchange.seq))
    },
    |query, exchange| {
        let wanted = query.method.as_deref().filter(|wanted| !same(wanted, &exchange.method))?;
        Some(format!("method is {}, expected {wanted}", exchange.method))
    },
    |query, exchange| {
        let wanted = query.path.as_deref().filter(|glob| !path_fits(glob, exchange.path_only()))?;
        Some(format!("path is {}, expected {wanted}", below_base(exchange.path_only())))
    },
    |query, exchange| {
        let wanted = query.status.filter(|status| !status.fits(exchange.status))?;
        Some(format!("status is {}, expected {wanted}", StatusMatch::of(exchange.status)))
    },
    |query, exchange| {
        let wanted = query.fault.filter(|struck| *struck == exchange.faults.is_empty())?;
        if wanted {
            return Some("no fault struck, expected one".to_owned());
        }
        Some(format!("the fault `{}` struck, expected none", exchange.faults.join("`, `")))
    },
    |query, exchange| {
        let kinds = || exchange.operations.iter().map(|one| one.kind);
        let wanted = query.operation.filter(|wanted| !kinds().any(|kind| kind == *wanted))?;
        Some(format!("operation is {}, expected {wanted}", listed(kinds().map(|kind| kind.to_string()))))
    },
    |query, exchange| {
        let asked = || exchange.operations.iter().filter_map(|one| one.resource_type.clone());
        let changed = exchange.changes.iter().map(|change| change.resource_type.clone());
        let wanted = query.resource_type.as_deref();
        let wanted = wanted.filter(|wanted| !asked().chain(changed).any(|is| same(wanted, &is)))?;
        Some(format!("resource type is {}, expected {wanted}", listed(asked())))
    },
    |query, exchange| {
        let asked = || exchange.operations.iter().filter_map(|one| one.id.as_deref());
        let mut all = asked().chain(exchange.changes.iter().map(|change| change.id.as_str()));
        let wanted = query.id.as_deref().filter(|wanted| !all.any(|id| id == *wanted))?;
        Some(format!("id is {}, expected {}", listed(asked().map(quoted)), quoted(wanted)))
    },
    |query, exchange| {
        let key = query.user_name.as_deref().map(user_name_key);
        let is_about = |key: &str| user_names(exchange).any(|name| user_name_key(name) == key);
        let wanted = query.user_name.as_deref().filter(|_| !key.as_deref().is_some_and(is_about))?;
        Some(format!("userName is {}, expected {}", listed(user_names(exchange).map(quoted)), quoted(wanted)))
    },
    |query, exchange| {
        let patches =
            |path: &str| operations::patches(&exchange.operations, exchange.request_body.as_ref(), path);
        let wanted = query.patch_path.as_deref().filter(|path| !patches(path))?;
        let mut all = Vec::new();
        for one in &exchange.operations {
            all.extend(one.patch.iter().filter_map(|patched| patched.path.as_deref()).map(quoted));
            all.extend(one.attributes.iter().filter(|_| !one.patch.is_empty()).map(|name| quoted(name)));
        }
        let is = if all.is_empty() { "nothing".to_owned() } else { all.join(", ") };
        Some(format!("it patches {is}, expected {}", quoted(expected_path(wanted))))
    },
    |query, exchange| {
        let text = query.contains.as_deref().filter(|text| !contains(exchange, text))?;
        Some(format!("{} is nowhere in it", quoted(text)))
    },
];

fn same(wanted: &str, is: &str) -> bool {
    wanted.eq_ignore_ascii_case(is)
}

/// All of several, each once where equal ones stand beside each other.
fn listed(all: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = all.collect();
    all.dedup();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// Whether a path fits, whole or below the base URL.
pub(super) fn path_fits(pattern: &str, path: &str) -> bool {
    let pattern = pattern.split('?').next().unwrap_or_default();
    glob::matches(pattern, path) || glob::matches(pattern, below_base(path))
}

/// The names of the users that an exchange is about. A list that happens to show a user isn't about that one.
fn user_names(exchange: &Exchange) -> impl Iterator<Item = &str> {
    let answered = exchange.response_body.as_ref().and_then(|body| body.get("userName")?.as_str());
    let asked = exchange.operations.iter().filter_map(|one| one.user_name.as_deref());
    let changed = exchange.changes.iter().filter_map(|change| change.user_name.as_deref());
    asked.chain(answered).chain(changed)
}

fn contains(exchange: &Exchange, text: &str) -> bool {
    let wanted = lower_case(text);
    let bodies = exchange.request_body.iter().chain(&exchange.response_body);
    lower_case(&exchange.path).contains(&*wanted)
        || bodies.into_iter().any(|body| match body {
            serde_json::Value::String(text) => lower_case(text).contains(&*wanted),
            other => lower_case(&other.to_string()).contains(&*wanted),
        })
}

#[cfg(test)]
mod tests {
    use crate::journal::predicate::*;

    #[test]
    fn path_matches_by_the_common_rule() {
        for (pattern, path, expected) in crate::units::glob::tests::TABLE {
            assert_eq!(path_fits(&format!("{pattern}?count=1"), path), *expected, "{pattern} {path}");
            assert_eq!(path_fits(pattern, &format!("/scim{path}")), *expected, "{pattern} {path}");
        }
    }
}
