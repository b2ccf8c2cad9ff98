//! Which filters an application takes, and how it compares.

use scim::dialect::{Dialect, Dialects};
use scim::error::ScimType;
use scim::filter::{AttrFacts, AttrInfo, CompareOp, Filter, FilterOperator, Literal};
use scim::path::AttrPath;
use scim::schema::{AttributeLocation, AttributeType, Returned, SchemaSet};

use super::notes;
use crate::journal::Note;
use crate::problem::Problem;
use crate::profile::{FilterCase, FilterRules, FilterSubset, UnsupportedFilter};
use crate::types::{Role, TypeInfo};
use crate::units::suggest::{attribute_name, did_you_mean};

/// What becomes of a filter.
#[derive(Debug)]
pub(super) enum Taken {
    /// It selects.
    Applied(Filter),
    /// It is passed over: everything is listed.
    Ignored,
    /// Nothing is listed, whatever there is.
    Nothing,
}

/// Reads a filter and looks whether the application has what it takes.
pub(super) fn take(
    text: &str,
    rules: &FilterRules,
    dialects: Dialects,
    kinds: &[&TypeInfo],
) -> Result<(Taken, Vec<Dialect>), Problem> {
    let (filter, used) = match Filter::parse_with(text, dialects) {
        Ok(parsed) => parsed,
        Err(error) if rules.unsupported == UnsupportedFilter::Empty200 => {
            tracing::debug!(%error, "a filter that is not understood selects nothing");
            return Ok((Taken::Nothing, Vec::new()));
        }
        Err(error) => return Err(Problem::BadFilter(format!("{error}: {}", marked(text, &error)))),
    };
    Ok((supported(filter, rules, kinds)?, used))
}

/// What to say of what became of a filter.
pub(super) fn noted(taken: &Taken, kinds: &[&TypeInfo]) -> Vec<Note> {
    let by_profile = |what| notes::by_profile(&["filter".to_owned()], what);
    match taken {
        Taken::Applied(filter) => notes::never_matching(filter, kinds),
        Taken::Ignored => {
            by_profile("was passed over: the profile of this application lists everything instead")
        }
        Taken::Nothing => {
            by_profile("was not understood: the profile of this application lists nothing then")
        }
    }
}

/// Looks whether the application has what a filter takes.
fn supported(filter: Filter, rules: &FilterRules, kinds: &[&TypeInfo]) -> Result<Taken, Problem> {
    let unsupported = |why: String| match rules.unsupported {
        UnsupportedFilter::Answers400 => Err(Problem::BadFilter(why)),
        UnsupportedFilter::Answers501 => Err(Problem::by_profile(501, None, why)),
        UnsupportedFilter::Answers403 => Err(Problem::by_profile(403, None, why)),
        UnsupportedFilter::Empty200 => Ok(Taken::Nothing),
        UnsupportedFilter::Ignored => Ok(Taken::Ignored),
    };
    if let Some(path) = unknown(&filter, kinds) {
        if rules.unsupported == UnsupportedFilter::Empty200 {
            return Ok(Taken::Nothing);
        }
        return Err(Problem::BadFilter(of_unknown(&path, kinds)));
    }
    if let Some(path) = looks_at_secret(&filter, kinds) {
        return Err(Problem::by_profile(
            403,
            Some(ScimType::Sensitive),
            format!("{path} is never returned, and a filter would give it away"),
        ));
    }
    if let Some(path) = without_order(&filter, kinds) {
        return Err(Problem::BadFilter(format!("{path} has no order: gt, ge, lt and le cannot compare it")));
    }
    if let Some(most) = rules.max_terms.map(|most| most.get() as usize)
        && filter.terms() > most
    {
        let terms = filter.terms();
        return Err(Problem::BadFilter(format!("it has {terms} comparisons, and {most} are the most")));
    }
    match outside(&filter, rules) {
        Some(why) => unsupported(why),
        None => Ok(Taken::Applied(filter)),
    }
}

/// The place in the filter, in one line.
fn marked(text: &str, error: &scim::parse_error::ParseError) -> String {
    let span = error.span();
    let before: String = text.get(..span.start).unwrap_or(text).chars().rev().take(30).collect();
    let before: String = before.chars().rev().collect();
    let after: String = text.get(span.start..).unwrap_or_default().chars().take(30).collect();
    format!("`{before}` ⟨here⟩ `{after}`")
}

pub(super) fn names(kinds: &[&TypeInfo]) -> String {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    names.join(" or ")
}

/// What to say of a path that none of the types knows, or that stands inside brackets and should not.
fn of_unknown(path: &AttrPath, kinds: &[&TypeInfo]) -> String {
    if kinds.iter().any(|kind| kind.schemas.facts(path).is_some()) {
        let alone = path.sub.as_ref().unwrap_or(&path.name);
        return format!("{path} stands inside brackets, where sub-attributes stand alone: {alone}");
    }
    let nearest = kinds.iter().find_map(|kind| attribute_name(&kind.schemas, &path.to_string()));
    format!("{path} is not an attribute of {}{}", names(kinds), did_you_mean(nearest.as_deref()))
}

/// A path that none of the types knows.
fn unknown(filter: &Filter, kinds: &[&TypeInfo]) -> Option<AttrPath> {
    let (first, rest) = kinds.split_first()?;
    let unknown = filter.unknown_paths(&first.schemas);
    unknown.into_iter().find(|path| {
        rest.iter().all(|kind| {
            let whole = AttrPath { sub: None, ..path.clone() };
            kind.schemas.facts(path).is_none() || kind.schemas.locate(&whole).is_none()
        })
    })
}

/// A path to a boolean or to bytes that a filter puts in order (RFC 7644 §3.4.2.2).
fn without_order(filter: &Filter, kinds: &[&TypeInfo]) -> Option<AttrPath> {
    use CompareOp::{Ge, Gt, Le, Lt};
    let ordered = |operator| matches!(operator, FilterOperator::Compare(Gt | Ge | Lt | Le));
    let has_none = |kind| matches!(kind, AttributeType::Boolean | AttributeType::Binary);
    path_to(filter, kinds, |operator, found| ordered(operator) && has_none(found.leaf().kind))
}

fn looks_at_secret(filter: &Filter, kinds: &[&TypeInfo]) -> Option<AttrPath> {
    path_to(filter, kinds, |_, found| {
        found.attribute.returned == Returned::Never || found.leaf().returned == Returned::Never
    })
}

/// The first path of a filter that leads to such an attribute, in one of the types.
fn path_to(
    filter: &Filter,
    kinds: &[&TypeInfo],
    is: impl Fn(FilterOperator, AttributeLocation<'_>) -> bool,
) -> Option<AttrPath> {
    let mut found = filter.parts().into_iter().filter_map(|part| Some((part.operator, part.path?)));
    let is_one = |operator: FilterOperator, path: &AttrPath| {
        kinds.iter().any(|kind| kind.schemas.locate(path).is_some_and(|found| is(operator, found)))
    };
    found.find(|(operator, path)| is_one(*operator, path)).map(|(_, path)| path.into_owned())
}

/// What in a filter is beyond the rules.
fn outside(filter: &Filter, rules: &FilterRules) -> Option<String> {
    let [eq, sw] = [CompareOp::Eq, CompareOp::Sw].map(FilterOperator::Compare);
    let allowed: &[FilterOperator] = match rules.subset {
        FilterSubset::Full => return outside_attributes(filter, rules),
        FilterSubset::Eq => &[eq],
        FilterSubset::EqAnd => &[eq, FilterOperator::And],
        FilterSubset::EqSw => &[eq, sw],
        FilterSubset::None => &[],
    };
    let beyond = filter.parts().into_iter().map(|part| part.operator).find(|op| !allowed.contains(op));
    match beyond {
        Some(operator) => Some(format!("`{operator}` is not supported by this application")),
        None => outside_attributes(filter, rules),
    }
}

fn outside_attributes(filter: &Filter, rules: &FilterRules) -> Option<String> {
    if rules.attributes.is_empty() {
        return None;
    }
    let parts = filter.parts();
    let path = parts.iter().filter_map(|part| part.path.as_ref()).map(ToString::to_string).find(|path| {
        let last = path.rsplit(':').next().unwrap_or(path);
        !rules
            .attributes
            .iter()
            .any(|known| known.eq_ignore_ascii_case(path) || known.eq_ignore_ascii_case(last))
    })?;
    Some(format!("{path} cannot be filtered on; what can: {}", rules.attributes.join(", ")))
}

/// How texts are compared: as the schema says, or in one way throughout.
pub(super) struct Comparing<'s> {
    pub(super) schemas: &'s SchemaSet,
    pub(super) case: FilterCase,
}

impl AttrInfo for Comparing<'_> {
    fn case_exact(&self, path: &AttrPath) -> bool {
        self.facts(path).is_some_and(|facts| facts.case_exact)
    }

    fn facts<'a>(&'a self, path: &'a AttrPath) -> Option<AttrFacts<'a>> {
        let facts = self.schemas.facts(path)?;
        Some(match self.case {
            FilterCase::Schema => facts,
            FilterCase::Exact => AttrFacts { case_exact: true, ..facts },
            FilterCase::Ignored => AttrFacts { case_exact: false, ..facts },
        })
    }
}

/// What an index can answer of a filter.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Indexed<'f> {
    /// `id eq "…"`.
    Id(&'f str),
    /// An indexed path, by its position, and the text.
    Text(usize, &'f str),
    /// The groups of the member with this id.
    MemberOf(&'f str),
}

/// What answers `path eq "text"`.
fn equality<'f>(path: &AttrPath, text: &'f str, kind: &TypeInfo) -> Option<Indexed<'f>> {
    let own = path.urn.as_ref().is_none_or(|urn| urn == kind.schemas.core().id());
    let is = |name: &str| own && path.name == *name;
    if is("id") && path.sub.is_none() {
        return Some(Indexed::Id(text));
    }
    if kind.role == Role::Group && is("members") && path.sub.as_ref().is_none_or(|sub| *sub == *"value") {
        return Some(Indexed::MemberOf(text));
    }
    kind.index_of(path).map(|at| Indexed::Text(at, text))
}

/// What answers a comparison of a sub-attribute.
fn within<'f>(parent: &AttrPath, filter: &'f Filter, kind: &TypeInfo) -> Option<Indexed<'f>> {
    match filter {
        Filter::Compare { path, op: CompareOp::Eq, value: Literal::String(text) } => {
            equality(&parent.child(path.name.clone()), text, kind)
        }
        _ => None,
    }
}

/// The part of a filter that an index answers, so that only what it finds has to be looked at.
pub(super) fn indexed<'f>(filter: &'f Filter, kind: &TypeInfo) -> Option<Indexed<'f>> {
    match filter {
        Filter::Compare { path, op: CompareOp::Eq, value: Literal::String(text) } => {
            equality(path, text, kind)
        }
        Filter::And(parts) => parts.iter().find_map(|part| indexed(part, kind)),
        Filter::ValuePath { path, filter } => match &**filter {
            Filter::And(parts) => parts.iter().find_map(|part| within(path, part, kind)),
            part => within(path, part, kind),
        },
        Filter::Or(_) | Filter::Not(_) | Filter::Present(_) | Filter::Compare { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::TypeId;
    use crate::types::Types;

    #[track_caller]
    fn check(text: &str, rules: &FilterRules, expected: Result<&str, &str>) {
        let types = Types::standard();
        let got = match take(text, rules, Dialects::all(), &[types.get(TypeId::FIRST)]) {
            Ok((Taken::Applied(_), _)) => Ok("applied"),
            Ok((Taken::Ignored, _)) => Ok("ignored"),
            Ok((Taken::Nothing, _)) => Ok("nothing"),
            Err(problem) => {
                let (status, scim_type) = problem.wire();
                Err(format!("{} {}", status.as_u16(), scim_type.map_or("-", ScimType::as_str)))
            }
        };
        assert_eq!(got.as_ref().map(|s| *s).map_err(String::as_str), expected, "{text}");
    }

    #[test]
    fn what_is_taken() {
        let full = FilterRules::default();
        check("userName eq \"a\"", &full, Ok("applied"));
        check("userName eq", &full, Err("400 invalidFilter"));
        check("shoe eq 1", &full, Err("400 invalidFilter"));
        check("name.shoe pr", &full, Err("400 invalidFilter"));
        check("password eq \"x\"", &full, Err("403 sensitive"));
        let of = |subset, unsupported| FilterRules { subset, unsupported, ..FilterRules::default() };
        let (eq, and) = ("userName eq \"a\"", "userName eq \"a\" and title eq \"b\"");
        check(eq, &of(FilterSubset::Eq, UnsupportedFilter::Answers400), Ok("applied"));
        check(and, &of(FilterSubset::Eq, UnsupportedFilter::Answers400), Err("400 invalidFilter"));
        check(and, &of(FilterSubset::EqAnd, UnsupportedFilter::Answers400), Ok("applied"));
        check("userName sw \"a\"", &of(FilterSubset::EqSw, UnsupportedFilter::Answers400), Ok("applied"));
        check("userName co \"a\"", &of(FilterSubset::EqSw, UnsupportedFilter::Answers501), Err("501 -"));
        check(eq, &of(FilterSubset::None, UnsupportedFilter::Answers403), Err("403 -"));
        check(eq, &of(FilterSubset::None, UnsupportedFilter::Empty200), Ok("nothing"));
        check(eq, &of(FilterSubset::None, UnsupportedFilter::Ignored), Ok("ignored"));
        let two = FilterRules { max_terms: std::num::NonZeroU32::new(1), ..FilterRules::default() };
        check(and, &two, Err("400 invalidFilter"));
        let some = FilterRules { attributes: vec!["userName".to_owned()], ..FilterRules::default() };
        check("USERNAME eq \"a\"", &some, Ok("applied"));
        check("title eq \"a\"", &some, Err("400 invalidFilter"));
    }

    #[test]
    fn what_an_index_answers() {
        let types = Types::standard();
        let of_kind = |kind: &TypeInfo, text: &str| {
            let filter = Filter::parse(text).unwrap();
            indexed(&filter, kind).map(|found| match found {
                Indexed::Id(text) => format!("id {text}"),
                Indexed::Text(at, text) => format!("{} {text}", kind.indexed[at].text),
                Indexed::MemberOf(id) => format!("members {id}"),
            })
        };
        let of = |text: &str| of_kind(types.get(TypeId::FIRST), text);
        let of_group = |text: &str| of_kind(types.get(TypeId::SECOND), text);
        for member in ["members.value eq \"1\"", "members[value eq \"1\"]", "members eq \"1\" and id pr"] {
            assert_eq!(of_group(member).as_deref(), Some("members 1"), "{member}");
        }
        assert_eq!(of_group("members.display eq \"1\""), None);
        assert_eq!(of("id eq \"1\"").as_deref(), Some("id 1"));
        assert_eq!(of("active eq true and userName eq \"a\"").as_deref(), Some("userName a"));
        assert_eq!(of("emails[type eq \"work\" and value eq \"x\"]").as_deref(), Some("emails.value x"));
        assert_eq!(of("emails[value eq \"x\"]").as_deref(), Some("emails.value x"));
        assert_eq!(of("userName eq \"a\" or title pr"), None);
        assert_eq!(of("userName sw \"a\""), None);
    }
}
