//! What a query can ask of an exchange. One closed list serves asking and explaining: what an exchange fails is what a
//! miss tells.

use scim::precis::user_name_key;
use scim::text::lower_case;

use super::exchange::Exchange;
use super::operations::{self, OperationKind, ScimOperation, below_base};
use super::query::{JournalQuery, StatusMatch};
use super::redact::expected_path;
use crate::units::glob;

/// What can be asked of an exchange.
#[derive(Debug, Clone, Copy)]
pub(super) enum Criterion {
    Since,
    Method,
    Path,
    Status,
    Fault,
    Operation,
    ResourceType,
    Id,
    UserName,
    PatchPath,
    Contains,
}

impl Criterion {
    pub(super) const ALL: [Self; 11] = [
        Self::Since,
        Self::Method,
        Self::Path,
        Self::Status,
        Self::Fault,
        Self::Operation,
        Self::ResourceType,
        Self::Id,
        Self::UserName,
        Self::PatchPath,
        Self::Contains,
    ];

    /// Whether the exchange is as the query has it; it is where the query says nothing.
    pub(super) fn holds(self, query: &JournalQuery, exchange: &Exchange) -> bool {
        let same = |wanted: &str, is: Option<&str>| is.is_some_and(|is| is.eq_ignore_ascii_case(wanted));
        match self {
            Self::Since => query.since_seq.is_none_or(|since| exchange.seq > since),
            Self::Method => query.method.as_deref().is_none_or(|wanted| same(wanted, Some(&exchange.method))),
            Self::Path => query.path.as_deref().is_none_or(|glob| path_fits(glob, exchange.path_only())),
            Self::Status => query.status.is_none_or(|status| status.fits(exchange.status)),
            Self::Fault => query.fault.is_none_or(|struck| struck != exchange.faults.is_empty()),
            Self::Operation => {
                query.operation.is_none_or(|kind| exchange.operations.iter().any(|one| one.kind == kind))
            }
            Self::ResourceType => query.resource_type.as_deref().is_none_or(|wanted| {
                exchange.operations.iter().any(|one| same(wanted, one.resource_type.as_deref()))
                    || exchange.changes.iter().any(|change| same(wanted, Some(&change.resource_type)))
            }),
            Self::Id => query.id.as_deref().is_none_or(|wanted| {
                exchange.operations.iter().any(|one| one.id.as_deref() == Some(wanted))
                    || exchange.changes.iter().any(|change| change.id == wanted)
            }),
            Self::UserName => query.user_name.as_deref().is_none_or(|wanted| {
                let wanted = user_name_key(wanted);
                user_names(exchange).any(|name| user_name_key(name) == wanted)
            }),
            Self::PatchPath => query.patch_path.as_deref().is_none_or(|path| {
                operations::patches(&exchange.operations, exchange.request_body.as_ref(), path)
            }),
            Self::Contains => query.contains.as_deref().is_none_or(|text| contains(exchange, text)),
        }
    }

    /// What is otherwise, in plain words.
    pub(super) fn explain(self, query: &JournalQuery, exchange: &Exchange) -> String {
        let words = |text: &Option<String>| text.clone().unwrap_or_default();
        let listed =
            |all: Vec<String>, none: &str| if all.is_empty() { none.to_owned() } else { all.join(", ") };
        let each = |read: &dyn Fn(&ScimOperation) -> Option<String>| {
            let mut all: Vec<String> = exchange.operations.iter().filter_map(read).collect();
            all.dedup();
            all
        };
        match self {
            Self::Since => {
                let since = query.since_seq.unwrap_or_default();
                format!("it is number {}, expected one after {since}", exchange.seq)
            }
            Self::Method => format!("method is {}, expected {}", exchange.method, words(&query.method)),
            Self::Path => {
                let path = below_base(exchange.path_only());
                format!("path is {path}, expected {}", words(&query.path))
            }
            Self::Status => {
                let wanted = query.status.map(|status| status.to_string()).unwrap_or_default();
                let is = StatusMatch::of(exchange.status);
                format!("status is {is}, expected {wanted}")
            }
            Self::Fault if exchange.faults.is_empty() => "no fault struck, expected one".to_owned(),
            Self::Fault => format!("the fault `{}` struck, expected none", exchange.faults.join("`, `")),
            Self::Operation => {
                let wanted = query.operation.map_or("", OperationKind::as_str);
                let is = listed(each(&|one| Some(one.kind.to_string())), "none");
                format!("operation is {is}, expected {wanted}")
            }
            Self::ResourceType => {
                let is = listed(each(&|one| one.resource_type.clone()), "none");
                format!("resource type is {is}, expected {}", words(&query.resource_type))
            }
            Self::Id => {
                let is = listed(each(&|one| one.id.as_ref().map(|id| quoted(id))), "none");
                format!("id is {is}, expected {}", quoted(&words(&query.id)))
            }
            Self::UserName => {
                let mut all: Vec<String> = user_names(exchange).map(quoted).collect();
                all.dedup();
                format!("userName is {}, expected {}", listed(all, "none"), quoted(&words(&query.user_name)))
            }
            Self::PatchPath => {
                let mut all = Vec::new();
                for one in &exchange.operations {
                    all.extend(one.patch.iter().filter_map(|patched| patched.path.as_deref()).map(quoted));
                    all.extend(
                        one.attributes.iter().filter(|_| !one.patch.is_empty()).map(|name| quoted(name)),
                    );
                }
                let is = listed(all, "nothing");
                format!("it patches {is}, expected {}", quoted(expected_path(&words(&query.patch_path))))
            }
            Self::Contains => format!("{} is nowhere in it", quoted(&words(&query.contains))),
        }
    }
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
