//! The attributes of a PingOne user.
//!
//! A filter or a mapping with an unknown attribute reads no value from any user: a misspelt one in a filter empties a
//! rule, and every account of that rule is removed. So names are checked before the users. Attributes that an environment
//! defines itself are declared in the configuration.

use cli_support::suggest::nearest;

/// Every plain attribute that PingOne documents for users, by its dotted path.
const PLAIN: [&str; 47] = [
    "id",
    "environment.id",
    "population.id",
    "username",
    "email",
    "emailVerified",
    "enabled",
    "externalId",
    "title",
    "type",
    "nickname",
    "mobilePhone",
    "primaryPhone",
    "locale",
    "preferredLanguage",
    "timezone",
    "name.formatted",
    "name.given",
    "name.middle",
    "name.family",
    "name.honorificPrefix",
    "name.honorificSuffix",
    "address.streetAddress",
    "address.locality",
    "address.region",
    "address.postalCode",
    "address.countryCode",
    "photo.href",
    "createdAt",
    "updatedAt",
    "account.canAuthenticate",
    "account.status",
    "account.lockedAt",
    "account.unlockAt",
    "account.secondsUntilUnlock",
    "lifecycle.status",
    "lifecycle.suppressVerificationCode",
    "mfaEnabled",
    "verifyStatus",
    "identityProvider.id",
    "identityProvider.type",
    "lastSignOn.at",
    "lastSignOn.remoteIp",
    "memberOfGroups.id",
    "memberOfGroups.name",
    "memberOfGroupIDs",
    "memberOfGroupNames",
];

/// The attributes that a filter or a mapping may name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    custom: Vec<String>,
}

/// The attribute at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AttributeKind {
    /// A value.
    Plain,
    /// An object with the parts that PingOne documents.
    Parts,
    /// A declared attribute, of any type.
    Custom,
}

/// The comparison of a path's letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// As written: mappings and expressions.
    Exact,
    /// Without case: filters (RFC 7644 §3.4.2.2).
    Ignored,
}

impl Attributes {
    /// Returns PingOne's attributes and these.
    pub fn with_custom(custom: Vec<String>) -> Self {
        Self { custom }
    }

    /// Returns the declared attributes, those beyond PingOne's own.
    pub fn custom(&self) -> &[String] {
        &self.custom
    }

    /// Returns the attribute at a dotted path, or `None` if no user has it.
    pub(crate) fn place(&self, path: &str, case: Case) -> Option<AttributeKind> {
        let same = |one: &str, other: &str| match case {
            Case::Exact => one == other,
            Case::Ignored => one.eq_ignore_ascii_case(other),
        };
        let below = |inner: &str, outer: &str| {
            let (head, rest) = inner.split_at_checked(outer.len()).unwrap_or(("", ""));
            same(head, outer) && rest.starts_with('.')
        };
        if self.custom.iter().any(|own| same(own, path) || below(path, own) || below(own, path)) {
            return Some(AttributeKind::Custom);
        }
        if PLAIN.iter().any(|plain| same(plain, path)) {
            return Some(AttributeKind::Plain);
        }
        PLAIN.iter().any(|plain| below(plain, path)).then_some(AttributeKind::Parts)
    }

    /// Returns the attribute that an unknown path most likely means.
    pub(crate) fn suggest(&self, path: &str) -> Option<&str> {
        let known = || PLAIN.iter().copied().chain(self.custom.iter().map(String::as_str));
        let leaf = |path: &str| path.rsplit('.').next().unwrap_or_default().to_lowercase();
        let wanted = leaf(path);
        nearest(path, known()).or_else(|| known().find(|known| leaf(known) == wanted))
    }

    /// Returns the plain attributes below a path that has parts.
    pub(crate) fn parts(path: &str) -> impl Iterator<Item = &'static str> {
        PLAIN.into_iter().filter(move |plain| {
            let head = plain.get(..path.len()).is_some_and(|head| head.eq_ignore_ascii_case(path));
            head && plain.as_bytes().get(path.len()) == Some(&b'.')
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, exact: Option<AttributeKind>, without_case: Option<AttributeKind>) {
        let attributes = Attributes::with_custom(vec!["badgeNumber".to_owned(), "hr.cost".to_owned()]);
        assert_eq!(attributes.place(path, Case::Exact), exact, "{path}");
        assert_eq!(attributes.place(path, Case::Ignored), without_case, "{path}");
    }

    #[test]
    fn paths_lead_to_values_objects_or_nowhere() {
        let (plain, parts, custom) =
            (Some(AttributeKind::Plain), Some(AttributeKind::Parts), Some(AttributeKind::Custom));
        check("username", plain, plain);
        check("userName", None, plain);
        check("name.given", plain, plain);
        check("name", parts, parts);
        check("Name.Given", None, plain);
        check("nam", None, None);
        check("name.", None, None);
        check("name.givenName", None, None);
        check("username.value", None, None);
        check("enabld", None, None);
        check("badgeNumber", custom, custom);
        check("BADGENUMBER", None, custom);
        check("badgeNumber.inner", custom, custom);
        check("badgeNumbers", None, None);
        check("hr", custom, custom);
        check("hr.cost", custom, custom);
        check("hr.other", None, None);
        check("é", None, None);
    }

    #[test]
    fn nearest_attribute_is_named() {
        let attributes = Attributes::with_custom(vec!["badgeNumber".to_owned()]);
        for (path, expected) in [
            ("enabld", Some("enabled")),
            ("userName", Some("username")),
            ("name.givenName", Some("name.given")),
            ("populaton.id", Some("population.id")),
            ("countryCode", Some("address.countryCode")),
            ("badgeNumer", Some("badgeNumber")),
            ("xyzzy", None),
        ] {
            assert_eq!(attributes.suggest(path), expected, "{path}");
        }
        assert_eq!(Attributes::parts("population").collect::<Vec<_>>(), ["population.id"]);
    }
}
