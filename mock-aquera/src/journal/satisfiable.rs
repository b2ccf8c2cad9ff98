//! Questions that no exchange can answer, and why. A test that asks one passes or fails whatever comes.

use super::query::{JournalQuery, QueryError, StatusMatch};
use super::redact::{REDACTED, expected_path};
use crate::fault::{Places, unknown_method};
use crate::types::TypeInfo;
use crate::units::glob;

/// The statuses that a request can be answered with.
const STATUSES: std::ops::RangeInclusive<u16> = 200..=599;

/// The application whose journal is asked.
pub(crate) struct Asked<'a> {
    pub(crate) name: &'a str,
    /// The path of its base URL: `/scim`, `/apps/hr/scim`.
    pub(crate) base: &'a str,
    pub(crate) places: Places<'a>,
}

impl JournalQuery {
    /// Makes sure that some exchange of an application can fit.
    pub(crate) fn can_match_in(&self, asked: &Asked<'_>) -> Result<(), QueryError> {
        let never = |key: &str, value: &str, why: String| {
            Err(QueryError::NeverMatches { criterion: format!("{key}={value}"), why })
        };
        if self.patch_path.as_deref().is_some_and(|path| expected_path(path) != path) {
            let (criterion, instead) = ("patchPath".to_owned(), format!("`{REDACTED}`"));
            return Err(QueryError::Redacted { criterion, instead });
        }
        if let Some(method) = &self.method {
            if let Some(why) = unknown_method(method) {
                return never("method", method, why);
            }
            if let Some(path) = &self.patch_path
                && !["PATCH", "POST"].iter().any(|one| one.eq_ignore_ascii_case(method))
            {
                let why = format!(
                    "only PATCH and bulk requests patch anything, and `method={method}` leaves them out"
                );
                return never("patchPath", path, why);
            }
        }
        if let Some(name) = &self.resource_type {
            let known = |kind: &TypeInfo| {
                kind.name().eq_ignore_ascii_case(name) || kind.endpoint.eq_ignore_ascii_case(name)
            };
            if !asked.places.types.all().iter().any(known) {
                return never("resourceType", name, asked.places.types.unknown(name).to_string());
            }
        }
        match self.status {
            Some(StatusMatch::Exactly(status)) if !STATUSES.contains(&status) => {
                let why = "a request is answered with a status from 200 to 599".to_owned();
                return never("status", &status.to_string(), why);
            }
            Some(StatusMatch::Class(class)) if !(2..=5).contains(&class) => {
                let why = "a request is answered with 2xx, 3xx, 4xx or 5xx".to_owned();
                return never("status", &format!("{class}xx"), why);
            }
            _ => {}
        }
        match self.path.as_deref().map(|path| (path, asked.unreachable(path))) {
            Some((path, Some(why))) => never("path", path, why),
            _ => Ok(()),
        }
    }
}

impl Asked<'_> {
    /// Why no request in this journal has a path, as far as its beginning tells.
    fn unreachable(&self, path: &str) -> Option<String> {
        let plain = path.split('?').next().unwrap_or_default().trim_matches('/');
        if let Some(misplaced) = glob::misplaced_wildcard(plain) {
            return Some(misplaced);
        }
        let base = self.base.trim_matches('/');
        let below = match plain.strip_prefix(base) {
            Some("") => return None,
            Some(below) if below.starts_with('/') => below.trim_start_matches('/'),
            _ => plain,
        };
        let is_whole = below.len() != plain.len();
        let mut segments = below.split('/');
        let (first, second) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
        if first.is_empty() || first.contains('*') {
            return None;
        }
        if is_whole {
            return self.places.unknown_endpoint(first);
        }
        let Self { name, base, .. } = self;
        match first {
            "apps" if second == *name || second.contains('*') => None,
            "apps" => Some(format!(
                "this is the journal of the application `{name}`, whose requests are below `{base}`"
            )),
            "scim" => Some(format!(
                "the requests of the application `{name}` are below `{base}`; write `/Users` for any"
            )),
            "oauth" if *base == "/scim" => None,
            "oauth" | "_mock" => {
                Some(format!("the journal holds requests below `{base}`, and those for tokens"))
            }
            _ => self.places.unknown_endpoint(first),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::journal::satisfiable::*;
    use crate::types::Types;

    fn asked<'a>(types: &'a Types, name: &'static str, base: &'static str) -> Asked<'a> {
        let places = Places { types, others: &["Me", "Bulk"], exact: true, now: Timestamp::UNIX_EPOCH };
        Asked { name, base, places }
    }

    #[test]
    fn question_that_nothing_can_answer_is_refused_with_the_nearest() {
        #[track_caller]
        fn check(query: &str, message: &str) {
            let query: JournalQuery = query.parse().unwrap();
            let error =
                query.can_match_in(&asked(&Types::standard(), "default", "/scim")).unwrap_err().to_string();
            assert_eq!(error, message, "{query:?}");
        }
        check(
            "method=POTS",
            "`method=POTS` can never match: there is no method `POTS`; did you mean `POST`?",
        );
        check(
            "path=/Usrs/*",
            "`path=/Usrs/*` can never match: there is no path `/Usrs` below the base URL; did you mean `/Users`?",
        );
        check(
            "path=/scim/users",
            "`path=/scim/users` can never match: there is no path `/users` below the base URL; did you mean `/Users`?",
        );
        check(
            "path=/apps/hr/scim/Users",
            "`path=/apps/hr/scim/Users` can never match: this is the journal of the application `default`, whose \
             requests are below `/scim`",
        );
        check(
            "path=/Users**",
            "`path=/Users**` can never match: `**` must be a segment of its own, as in `/Users/**`; `Users**` has more beside \
             it",
        );
        check(
            "path=/_mock/health",
            "`path=/_mock/health` can never match: the journal holds requests below `/scim`, and those for tokens",
        );
        check(
            "resourceType=Usr",
            "`resourceType=Usr` can never match: there is no resource type `Usr`; did you mean `User`?",
        );
        for status in ["600", "999", "100"] {
            let message = "can never match: a request is answered with a status from 200 to 599";
            check(&format!("status={status}"), &format!("`status={status}` {message}"));
        }
        check(
            "patchPath=x%5Bpassword+eq+%22s3cret%22%5D",
            "patchPath is redacted in the journal and can't be compared; write `[redacted]` to ask only whether there is \
             one",
        );
        check("status=9xx", "`status=9xx` can never match: a request is answered with 2xx, 3xx, 4xx or 5xx");
        check(
            "patchPath=active&method=PUT",
            "`patchPath=active` can never match: only PATCH and bulk requests patch anything, and `method=PUT` leaves \
             them out",
        );
        let elsewhere: JournalQuery = "path=/scim/Users".parse().unwrap();
        let error = elsewhere
            .can_match_in(&asked(&Types::standard(), "hr", "/apps/hr/scim"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("are below `/apps/hr/scim`"), "{error}");
    }

    #[test]
    fn question_that_something_can_answer_is_taken() {
        let types = Types::standard();
        let (default, hr) = (asked(&types, "default", "/scim"), asked(&types, "hr", "/apps/hr/scim"));
        for query in [
            "",
            "method=patch&patchPath=active",
            "method=POST&patchPath=active",
            "path=/Users/*",
            "path=Users",
            "path=/scim/Users?count=1",
            "path=/scim",
            "path=/",
            "path=**",
            "path=/U*",
            "path=/Me",
            "path=/oauth/token",
            "resourceType=user",
            "resourceType=Users",
            "status=404",
            "status=4xx",
            "status=none",
        ] {
            let query: JournalQuery = query.parse().unwrap();
            query.can_match_in(&default).unwrap();
        }
        for query in ["path=/apps/hr/scim/Users", "path=/apps/*/scim/Users", "path=/apps/hr/oauth/token"] {
            let query: JournalQuery = query.parse().unwrap();
            query.can_match_in(&hr).unwrap();
        }
    }
}
