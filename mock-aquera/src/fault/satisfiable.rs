//! Rules that could never strike, and why. A rule that waits for what cannot come makes a test pass that tests nothing.

use jiff::Timestamp;
use scim::filter::PatchPath;

use super::trigger::{Moment, Times};
use super::{Fault, FaultKind, Latency, ParseFaultError};
use crate::route::Endpoint;
use crate::types::{TypeInfo, Types};
use crate::units::glob::{self, Glob};
use crate::units::suggest::{attribute_name, nearest, nearest_or};

/// The methods that a client of SCIM may send.
pub(crate) const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// The resource types and paths of an application, as rules name them.
pub(crate) struct Places<'a> {
    pub(crate) types: &'a Types,
    /// The other endpoints.
    pub(crate) others: &'a [&'a str],
    /// Whether case counts in paths.
    pub(crate) exact: bool,
    /// What the clock of the application shows.
    pub(crate) now: Timestamp,
}

impl Places<'_> {
    /// What is wrong with the first segment of a path below the base URL; `None` if there is such an endpoint.
    pub(crate) fn unknown_endpoint(&self, first: &str) -> Option<String> {
        let endpoints =
            || self.types.all().iter().map(|kind| &*kind.endpoint).chain(self.others.iter().copied());
        let same = |known: &str| known == first || (!self.exact && known.eq_ignore_ascii_case(first));
        if endpoints().any(same) {
            return None;
        }
        let hint = match nearest(first, endpoints()) {
            Some(meant) => format!("did you mean `/{meant}`?"),
            None => format!("there are /{}", endpoints().collect::<Vec<_>>().join(", /")),
        };
        Some(format!("there is no path `/{first}` below the base URL; {hint}"))
    }
}

/// What is wrong with a method that no client sends; `None` if it is one of HTTP's.
pub(crate) fn unknown_method(method: &str) -> Option<String> {
    if METHODS.iter().any(|known| known.eq_ignore_ascii_case(method)) {
        return None;
    }
    let hint = nearest_or(method, METHODS, || format!("there are {}", METHODS.join(", ")));
    Some(format!("there is no method `{method}`; {hint}"))
}

fn never(why: impl Into<String>) -> Result<(), ParseFaultError> {
    Err(ParseFaultError::NeverStrikes(why.into()))
}

impl Fault {
    /// Makes sure that the rule can strike some request, as far as the rule alone tells.
    pub(super) fn can_strike(&self) -> Result<(), ParseFaultError> {
        let (matching, trigger) = (&self.matching, &self.trigger);
        if let Some(unknown) = matching.methods.iter().flatten().find_map(|method| unknown_method(method)) {
            return never(unknown);
        }
        for (key, value) in
            [("id", &matching.id), ("user-name", &matching.user_name), ("patch-path", &matching.patch_path)]
        {
            if value.as_ref().is_some_and(|value| value.trim().is_empty()) {
                return never(format!("`{key}` is empty, and nothing has an empty one; leave it out"));
            }
        }
        if let Some(path) = &matching.patch_path
            && let Err(error) = path.parse::<PatchPath>()
        {
            return never(format!(
                "`{path}` is not a path of a PATCH operation ({error}); one looks like `active` or \"emails[type eq \\\"work\\\"].value\""
            ));
        }
        if let (Some(methods), Some(_)) = (&matching.methods, &matching.patch_path)
            && !methods.iter().any(|method| method == "PATCH")
        {
            let methods = methods.join(",");
            return never(format!(
                "`patch-path` fits PATCH requests alone, and `method={methods}` leaves them out"
            ));
        }
        if let Some(path) = matching.path.as_ref().map(ToString::to_string) {
            if path.contains('?') {
                return never("`path` is compared without the query; leave out `?` and what follows");
            }
            if path == "/oauth/token" || path.starts_with("/_mock") {
                return never(format!("rules are about SCIM requests, and `{path}` is no path of SCIM"));
            }
            if let Some(misplaced) = glob::misplaced_wildcard(&path) {
                return never(misplaced);
            }
            if let Some(below) = below_base(&path) {
                return never(format!("`path` begins below the base URL: write `path={below}`"));
            }
        }
        if let Some(written) = self.without_effect() {
            return never(format!("`{written}` changes nothing; write a longer time, or leave the rule out"));
        }
        if trigger.times == Some(Times::UpTo(0)) {
            return never("`times=0` never strikes; leave the rule out");
        }
        if trigger.probability.is_some_and(|probability| probability <= 0.0) {
            return never("`probability=0` never strikes; leave the rule out");
        }
        let (after, every) = (trigger.after.unwrap_or(0), trigger.every.unwrap_or(1).max(1));
        if let Some(nth) = trigger.nth
            && (nth <= after || !(nth - after).is_multiple_of(every))
        {
            return never(format!(
                "`nth={nth}` is none of those that `after` and `every` leave; write `nth` alone"
            ));
        }
        let empty = match (trigger.from, trigger.until) {
            (Some(Moment::At(from)), Some(Moment::At(until))) => until <= from,
            (Some(Moment::In(from)), Some(Moment::In(until))) => until <= from,
            (None, Some(Moment::In(until))) => until.is_zero(),
            _ => false,
        };
        if empty {
            return never("`until` is not later than `from`");
        }
        if let Some(ttl) = trigger.ttl
            && (ttl.is_zero() || matches!(trigger.from, Some(Moment::In(from)) if ttl <= from))
        {
            return never("`ttl` is over before the rule could strike");
        }
        Ok(())
    }

    /// What the rule does, if a request that it strikes is answered as any other.
    fn without_effect(&self) -> Option<String> {
        let is_nothing = match self.kind {
            FaultKind::Latency(
                Latency::Fixed(time) | Latency::Lognormal { median: time, .. } | Latency::Uniform(_, time),
            )
            | FaultKind::Refuse(time) => time.is_zero(),
            _ => false,
        };
        is_nothing.then(|| self.kind.to_string())
    }

    /// Makes sure that the rule can strike some request to an application with these resource types.
    pub(crate) fn can_strike_in(&self, places: &Places<'_>) -> Result<(), ParseFaultError> {
        self.can_strike().and_then(|()| self.fits_in(places))
    }

    fn fits_in(&self, places: &Places<'_>) -> Result<(), ParseFaultError> {
        let wanted = self.matching.resource_type.as_deref();
        let all = || places.types.all().iter();
        let found = wanted.map(|wanted| all().find(|kind| kind.name().eq_ignore_ascii_case(wanted)));
        if let (Some(wanted), Some(None)) = (wanted, found) {
            return never(places.types.unknown(wanted).to_string());
        }
        if let Some(Moment::At(until)) = self.trigger.until
            && until <= places.now
        {
            let now = places.now;
            return never(format!("`until={until}` is past: the clock of the application shows {now}"));
        }
        let glob = self.matching.path.as_ref();
        let path = glob.map(ToString::to_string).unwrap_or_default();
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let same = |known: &str| known == first || (!places.exact && known.eq_ignore_ascii_case(first));
        let is_named = !(first.is_empty() || first.contains('*'));
        if is_named {
            Self::has_endpoint(places, first, found.flatten())?;
        }
        let of_path = all().find(|kind| is_named && same(&kind.endpoint));
        let kinds: Vec<&TypeInfo> = match (found.flatten(), of_path) {
            (Some(kind), _) | (None, Some(kind)) => vec![kind],
            (None, None) => all().collect(),
        };
        if let (true, None, Some(_)) = (is_named && !same("Me"), of_path, &self.matching.patch_path) {
            return never(format!(
                "`patch-path` fits PATCH requests alone, and none goes to `/{first}`; write `path=/Users/*`, or leave \
                 `path` out (the operations inside a bulk request are not looked at)"
            ));
        }
        self.fits_attributes(places, &kinds)?;
        if let Some(glob) = glob {
            self.fits_id(glob, &path, &kinds, of_path.map(|kind| (kind, first)))?;
        }
        match of_path {
            Some(_) => self.fits_path(&path, first),
            None => Ok(()),
        }
    }

    /// Makes sure that there is an endpoint called `first`, and that it is one of the wanted type.
    fn has_endpoint(
        places: &Places<'_>,
        first: &str,
        wanted: Option<&TypeInfo>,
    ) -> Result<(), ParseFaultError> {
        if let Some(unknown) = places.unknown_endpoint(first) {
            return never(unknown);
        }
        if let Some(kind) = wanted
            && !kind.endpoint.eq_ignore_ascii_case(first)
        {
            return never(format!("requests to `/{first}` are not about the resource type {}", kind.name()));
        }
        Ok(())
    }

    /// Makes sure that resources of one of these types have what the rule asks for.
    fn fits_attributes(&self, places: &Places<'_>, kinds: &[&TypeInfo]) -> Result<(), ParseFaultError> {
        let knows = |kind: &TypeInfo, path: &PatchPath| {
            let path = path.attr_path();
            kind.schemas.locate(&path).is_some() || kind.schemas.schema_at(&path).is_some()
        };
        let has = |path: &str| {
            let path = path.parse::<PatchPath>().ok();
            move |kind: &TypeInfo| path.as_ref().is_none_or(|path| knows(kind, path))
        };
        let names = || kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" or ");
        let users = has("userName");
        if self.matching.user_name.is_some() && !kinds.iter().any(|kind| users(kind)) {
            return never(format!("{} has no userName, which `user-name` is compared with", names()));
        }
        let Some(path) = &self.matching.patch_path else { return Ok(()) };
        let patched = has(path);
        if kinds.iter().any(|kind| patched(kind)) {
            return Ok(());
        }
        let hint = match places.types.all().iter().find(|kind| patched(kind)) {
            Some(kind) => format!("it is one of {}", kind.name()),
            None => match kinds.iter().find_map(|kind| attribute_name(&kind.schemas, path)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "GET /Schemas lists those that there are".to_owned(),
            },
        };
        never(format!("`{path}` is not an attribute of {}; {hint}", names()))
    }

    /// Makes sure that a request about the resource with the wanted id has a path that fits. `of_path` is the type that the
    /// path names, and how it names it.
    fn fits_id(
        &self,
        glob: &Glob,
        path: &str,
        kinds: &[&TypeInfo],
        of_path: Option<(&TypeInfo, &str)>,
    ) -> Result<(), ParseFaultError> {
        let Some(id) = &self.matching.id else { return Ok(()) };
        // What has to be encoded in a path may be so in several ways.
        if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
            return Ok(());
        }
        let fits = match of_path {
            Some((_, first)) => glob.matches(&format!("/{first}/{id}")),
            None => kinds.iter().any(|kind| glob.matches(&format!("/{}/{id}", kind.endpoint))),
        };
        if fits {
            return Ok(());
        }
        let hint = match of_path {
            Some((_, first)) => format!("write `path=/{first}/*`, or leave `path` out"),
            None => "leave `path` out".to_owned(),
        };
        never(format!("`path={path}` fits no request with `id={id}`; {hint}"))
    }

    /// Makes sure that the path below an endpoint of resources is one that requests with these methods have.
    fn fits_path(&self, path: &str, first: &str) -> Result<(), ParseFaultError> {
        if path.contains("**") {
            return Ok(());
        }
        let matching = &self.matching;
        let all_in = |known: &[&str]| {
            let mut methods = matching.methods.iter().flatten();
            matching.methods.is_some() && methods.all(|method| known.contains(&method.as_str()))
        };
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match *segments {
            [_] if matching.patch_path.is_some() || all_in(&["PUT", "PATCH", "DELETE"]) => {
                let methods = matching.methods.as_ref().map_or("PATCH".to_owned(), |all| all.join(","));
                never(format!("{methods} goes to one resource, below `/{first}`: write `path=/{first}/*`"))
            }
            [_, ".search"] if matching.patch_path.is_some() => never(format!(
                "`patch-path` fits PATCH requests alone, and none goes to `/{first}/.search`: write `path=/{first}/*`"
            )),
            [_, second]
                if all_in(&["POST"]) && second != ".search" && (second == "*" || !second.contains('*')) =>
            {
                never(format!(
                    "POST goes to `/{first}`, or to `/{first}/.search`: write `path=/{first}`, or `path=/{first}/.search`"
                ))
            }
            [_, _, _, ..] => never(format!("below `/{first}` there are ids alone: write `path=/{first}/*`")),
            _ => Ok(()),
        }
    }
}

/// Returns what a path is below the base URL if it begins with one.
fn below_base(path: &str) -> Option<&str> {
    match Endpoint::of(path) {
        Endpoint::Scim { below: "", .. } => Some("/"),
        Endpoint::Scim { below, .. } => Some(below),
        Endpoint::Token { .. } | Endpoint::Other => path.starts_with("/apps/").then_some("/Users"),
    }
}

#[cfg(test)]
mod tests {
    use crate::fault::satisfiable::*;

    #[test]
    fn rule_that_cannot_strike_is_refused_with_the_way_out() {
        #[track_caller]
        fn check(conditions: &str, message: &str) {
            let error = format!("reset {conditions}").parse::<Fault>().unwrap_err().to_string();
            assert_eq!(error, format!("the rule can never strike: {message}"), "{conditions}");
        }
        check("method=POTS", "there is no method `POTS`; did you mean `POST`?");
        check("method=PUT,DELTE", "there is no method `DELTE`; did you mean `DELETE`?");
        check(
            "method=XYZ",
            "there is no method `XYZ`; there are GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        );
        check(
            "method=GET,PUT patch-path=active",
            "`patch-path` fits PATCH requests alone, and `method=GET,PUT` leaves them out",
        );
        check("path=/scim/Users", "`path` begins below the base URL: write `path=/Users`");
        check("path=/apps/hr/scim/Users/*", "`path` begins below the base URL: write `path=/Users/*`");
        check("path=/scim", "`path` begins below the base URL: write `path=/`");
        check("path=/Users?filter=x", "`path` is compared without the query; leave out `?` and what follows");
        check("path=/oauth/token", "rules are about SCIM requests, and `/oauth/token` is no path of SCIM");
        check("path=/_mock/health", "rules are about SCIM requests, and `/_mock/health` is no path of SCIM");
        check("times=0", "`times=0` never strikes; leave the rule out");
        check("probability=0", "`probability=0` never strikes; leave the rule out");
        let nth = |nth: u8| {
            format!("`nth={nth}` is none of those that `after` and `every` leave; write `nth` alone")
        };
        check("nth=3 after=3", &nth(3));
        check("nth=3 every=2", &nth(3));
        check("from=+10s until=+10s", "`until` is not later than `from`");
        check("from=2026-01-02T00:00:00Z until=2026-01-01T00:00:00Z", "`until` is not later than `from`");
        check("until=+0s", "`until` is not later than `from`");
        check("from=+10s ttl=5s", "`ttl` is over before the rule could strike");
    }

    #[test]
    fn rule_that_can_strike_is_taken() {
        for conditions in [
            "method=get,PATCH patch-path=active",
            "path=/scimitar/x",
            "path=**",
            "nth=5 after=3 every=2",
            "from=+10s until=2026-01-01T00:00:00Z",
            "from=+5s ttl=10s",
        ] {
            let rule = format!("reset {conditions}");
            assert!(rule.parse::<Fault>().is_ok(), "{rule}");
        }
    }

    #[test]
    fn types_and_paths_of_the_application_are_asked() {
        #[track_caller]
        fn check(conditions: &str, exact: bool, message: Option<&str>) {
            let fault: Fault = format!("reset {conditions}").parse().unwrap();
            let types = Types::standard();
            let others = &["Me", "Bulk"];
            let places = Places { types: &types, others, exact, now: Timestamp::UNIX_EPOCH };
            let error = fault.can_strike_in(&places).err().map(|error| error.to_string());
            let expected = message.map(|message| format!("the rule can never strike: {message}"));
            assert_eq!(error, expected, "{conditions}");
        }
        check("type=user path=/Users/*", true, None);
        check("path=/Me", true, None);
        check("path=/", true, None);
        check("path=/U*", true, None);
        check("type=Users", true, Some("there is no resource type `Users`; did you mean `User`?"));
        check("type=Zzz", true, Some("there is no resource type `Zzz`; there are User, Group"));
        check(
            "path=/Usrs/*",
            true,
            Some("there is no path `/Usrs` below the base URL; did you mean `/Users`?"),
        );
        check(
            "path=/users",
            true,
            Some("there is no path `/users` below the base URL; did you mean `/Users`?"),
        );
        check("path=/users", false, None);
        check(
            "path=/zz",
            true,
            Some("there is no path `/zz` below the base URL; there are /Users, /Groups, /Me, /Bulk"),
        );
        check(
            "path=/Groups type=User",
            true,
            Some("requests to `/Groups` are not about the resource type User"),
        );
    }
}
