//! What the paths of the server mean, to everybody who reads one.

use std::borrow::Cow;

use memchr::memchr;
use percent_encoding::percent_decode_str;

/// The name of the application at `/scim`.
pub const DEFAULT_APPLICATION: &str = "default";

/// Where a path leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint<'p> {
    /// The SCIM endpoint of an application, with what follows its base URL.
    Scim { application: &'p str, below: &'p str },
    /// The token endpoint of an application (RFC 6749 §3.2).
    Token { application: &'p str },
    /// Anything else.
    Other,
}

impl<'p> Endpoint<'p> {
    pub(crate) fn of(path: &'p str) -> Self {
        let of_application =
            path.strip_prefix("/apps/").and_then(|rest| Some(rest.split_at(rest.find('/')?)));
        let (application, rest) = of_application.unwrap_or((DEFAULT_APPLICATION, path));
        match rest.strip_prefix("/scim") {
            Some(below) if below.is_empty() || below.starts_with('/') => Self::Scim { application, below },
            _ if rest == "/oauth/token" => Self::Token { application },
            _ => Self::Other,
        }
    }
}

/// What a path below the base URL of an application is about (RFC 7644 §3.2). A resource type is named by its endpoint, or
/// by whatever [`typed`](Self::typed) finds under that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route<'p, T = &'p str> {
    Root,
    RootSearch,
    Collection(T),
    Search(T),
    /// The id is still percent-encoded.
    Resource(T, &'p str),
    Me,
    Bulk,
    Configuration,
    ResourceTypes(Option<&'p str>),
    Schemas(Option<&'p str>),
    Unknown,
}

impl<'p> Route<'p> {
    /// Parses a path below a base URL. `exact` says whether the case of endpoints counts.
    pub(crate) fn parse(below: &'p str, exact: bool) -> Self {
        match Self::parse_beginning(below, exact) {
            (route, true) => route,
            (_, false) => Self::Unknown,
        }
    }

    /// Parses the beginning of a path below a base URL. Returns whether nothing follows it.
    pub(crate) fn parse_beginning(below: &'p str, exact: bool) -> (Self, bool) {
        let path = below.strip_prefix('/').unwrap_or(below);
        let path = path.strip_suffix('/').unwrap_or(path);
        let (first, second) = split(path);
        let (second, is_whole) = match second.map(split) {
            Some((second, rest)) => (Some(second), rest.is_none()),
            None => (None, true),
        };
        let same = |one: &str, other: &str| one == other || (!exact && one.eq_ignore_ascii_case(other));
        let alone = |route| (route, second.is_none());
        if first.is_empty() {
            alone(Self::Root)
        } else if same(first, ".search") {
            alone(Self::RootSearch)
        } else if same(first, "Me") {
            alone(Self::Me)
        } else if same(first, "Bulk") {
            alone(Self::Bulk)
        } else if same(first, "ServiceProviderConfig") {
            alone(Self::Configuration)
        } else if same(first, "ResourceTypes") {
            (Self::ResourceTypes(second), is_whole)
        } else if same(first, "Schemas") {
            (Self::Schemas(second), is_whole)
        } else {
            let route = match second {
                None => Self::Collection(first),
                Some(second) if same(second, ".search") => Self::Search(first),
                Some(id) => Self::Resource(first, id),
            };
            (route, is_whole)
        }
    }

    /// Finds the resource type at the endpoint; the route is unknown if there is none.
    pub(crate) fn typed<T>(self, find: impl FnOnce(&str) -> Option<T>) -> Route<'p, T> {
        match self {
            Self::Collection(endpoint) => find(endpoint).map_or(Route::Unknown, Route::Collection),
            Self::Search(endpoint) => find(endpoint).map_or(Route::Unknown, Route::Search),
            Self::Resource(endpoint, id) => {
                find(endpoint).map_or(Route::Unknown, |found| Route::Resource(found, id))
            }
            Self::Root => Route::Root,
            Self::RootSearch => Route::RootSearch,
            Self::Me => Route::Me,
            Self::Bulk => Route::Bulk,
            Self::Configuration => Route::Configuration,
            Self::ResourceTypes(name) => Route::ResourceTypes(name),
            Self::Schemas(name) => Route::Schemas(name),
            Self::Unknown => Route::Unknown,
        }
    }
}

impl<T> Route<'_, T> {
    /// Whether it is one of the describing endpoints.
    pub(crate) fn is_discovery(&self) -> bool {
        matches!(self, Self::Configuration | Self::ResourceTypes(_) | Self::Schemas(_))
    }

    /// The type and id that it is about.
    pub(crate) fn resource(self) -> (Option<T>, Option<String>) {
        match self {
            Self::Collection(kind) | Self::Search(kind) => (Some(kind), None),
            Self::Resource(kind, id) => (Some(kind), Some(decoded(id).into_owned())),
            _ => (None, None),
        }
    }
}

/// Splits a path behind its first segment.
fn split(path: &str) -> (&str, Option<&str>) {
    match memchr(b'/', path.as_bytes()) {
        Some(at) => (&path[..at], Some(&path[at + 1..])),
        None => (path, None),
    }
}

/// Decodes a segment of a path.
pub(crate) fn decoded(segment: &str) -> Cow<'_, str> {
    match memchr(b'%', segment.as_bytes()) {
        Some(_) => percent_decode_str(segment).decode_utf8_lossy(),
        None => segment.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_leads_to_an_endpoint() {
        let scim = |application, below| Endpoint::Scim { application, below };
        for (path, expected) in [
            ("/scim", scim(DEFAULT_APPLICATION, "")),
            ("/scim/", scim(DEFAULT_APPLICATION, "/")),
            ("/scim/Users/1", scim(DEFAULT_APPLICATION, "/Users/1")),
            ("/apps/a-1/scim/Users", scim("a-1", "/Users")),
            ("/apps/a/scim", scim("a", "")),
            ("/apps//scim", scim("", "")),
            ("/oauth/token", Endpoint::Token { application: DEFAULT_APPLICATION }),
            ("/apps/a/oauth/token", Endpoint::Token { application: "a" }),
            ("/oauth/token/", Endpoint::Other),
            ("/apps/a", Endpoint::Other),
            ("/apps/a/scimx", Endpoint::Other),
            ("/scimx", Endpoint::Other),
            ("/_mock", Endpoint::Other),
            ("/", Endpoint::Other),
            ("*", Endpoint::Other),
        ] {
            assert_eq!(Endpoint::of(path), expected, "{path}");
        }
    }

    #[test]
    fn path_below_the_base_is_a_route() {
        for (path, expected, is_whole) in [
            ("", Route::Root, true),
            ("/", Route::Root, true),
            ("/.search", Route::RootSearch, true),
            ("/Users", Route::Collection("Users"), true),
            ("Users/", Route::Collection("Users"), true),
            ("/Users/.search", Route::Search("Users"), true),
            ("/Users/a%2Fb", Route::Resource("Users", "a%2Fb"), true),
            ("/Users//", Route::Resource("Users", ""), true),
            ("/Users/1/groups", Route::Resource("Users", "1"), false),
            ("/Me", Route::Me, true),
            ("/Me/x", Route::Me, false),
            ("/Bulk", Route::Bulk, true),
            ("/ServiceProviderConfig", Route::Configuration, true),
            ("/ServiceProviderConfig/x", Route::Configuration, false),
            ("/ResourceTypes", Route::ResourceTypes(None), true),
            ("/ResourceTypes/User", Route::ResourceTypes(Some("User")), true),
            ("/Schemas/urn:a", Route::Schemas(Some("urn:a")), true),
            ("/Schemas/urn:a/b", Route::Schemas(Some("urn:a")), false),
            ("//Users", Route::Root, false),
        ] {
            assert_eq!(Route::parse_beginning(path, true), (expected, is_whole), "{path}");
            assert_eq!(Route::parse(path, true), if is_whole { expected } else { Route::Unknown }, "{path}");
        }
        assert_eq!(Route::parse("/me", true), Route::Collection("me"));
        assert_eq!(Route::parse("/me", false), Route::Me);
        assert_eq!(Route::parse("/Users/.SEARCH", false), Route::Search("Users"));
    }

    #[test]
    fn unknown_endpoint_leads_nowhere() {
        let find = |endpoint: &str| (endpoint == "Users").then_some(7);
        assert_eq!(Route::parse("/Users/1", true).typed(find), Route::Resource(7, "1"));
        assert_eq!(Route::parse("/Roles", true).typed(find), Route::Unknown);
    }
}
