//! The places of secrets and of personal data.

use crate::casing::lower_case;

/// The place of a value in a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    secret: bool,
    personal: bool,
    /// Inside an attribute like `emails`, whose `value` is personal.
    among: bool,
}

impl Place {
    pub(super) fn is_secret(self) -> bool {
        self.secret
    }

    pub(super) fn is_personal(self) -> bool {
        self.personal
    }

    /// Returns the place that a member's name, an attribute path or a JSON pointer leads to from here.
    pub(super) fn within(self, path: &str) -> Self {
        let mut place = self;
        for name in components(path) {
            place = place.member(&name);
        }
        place
    }

    fn member(self, name: &str) -> Self {
        let among = CONTAINERS.contains(&name);
        Self {
            secret: self.secret || is_secret(name),
            personal: PERSONAL.contains(&name)
                // Of an attribute with values: those, not their types. A plain one is itself the value.
                || self.among && IN_CONTAINERS.contains(&name)
                || among && !self.among,
            among: among || self.among && IN_CONTAINERS.contains(&name),
        }
    }
}

/// Attributes whose values are people's.
const CONTAINERS: [&str; 11] = [
    "emails",
    "email",
    "mail",
    "phonenumbers",
    "phonenumber",
    "phone",
    "mobile",
    "ims",
    "photos",
    "addresses",
    "x509certificates",
];

const IN_CONTAINERS: [&str; 4] = ["value", "display", "country", "formatted"];

/// Attributes that are people's, wherever they stand.
const PERSONAL: [&str; 18] = [
    "username",
    "displayname",
    "nickname",
    "givenname",
    "familyname",
    "middlename",
    "formatted",
    "honorificprefix",
    "honorificsuffix",
    "streetaddress",
    "locality",
    "region",
    "postalcode",
    "profileurl",
    "employeenumber",
    "externalid",
    "firstname",
    "lastname",
];

/// Returns the names of a path, without what is between brackets, the URN before them and the numbers of elements.
fn components(path: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut depth = 0_usize;
    for character in path.chars() {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(character),
            _ => {}
        }
    }
    let plain = if lower_case(&plain).starts_with("urn:") {
        plain.rsplit(':').next().unwrap_or_default().to_owned()
    } else {
        plain
    };
    plain
        .split(['.', '/', ':', '#'])
        .map(normal)
        .filter(|name| !name.is_empty() && !name.chars().all(|character| character.is_ascii_digit()))
        .collect()
}

fn normal(name: &str) -> String {
    name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether a header, a member or a parameter of this name holds a secret.
pub(super) fn is_secret(name: &str) -> bool {
    const ENDINGS: [&str; 9] = [
        "password",
        "passwd",
        "secret",
        "token",
        "apikey",
        "authorization",
        "assertion",
        "privatekey",
        "credential",
    ];
    const WHOLE: [&str; 5] = ["pwd", "credentials", "sessionid", "passphrase", "jwt"];
    let name = normal(name);
    ENDINGS.iter().any(|ending| name.ends_with(ending)) || WHOLE.contains(&name.as_str())
}

/// Whether a query parameter of this name holds a secret.
pub(super) fn is_secret_parameter(name: &str) -> bool {
    is_secret(name) || ["code", "sig", "signature", "key", "auth"].contains(&normal(name).as_str())
}

/// Whether the member of an operation or of an expectation holds the value that its path names.
pub(super) fn holds_a_value(key: &str) -> bool {
    ["value", "values", "equals", "includes", "found", "was", "before", "after"].contains(&key)
}

/// Whether it is an address in a domain that nobody can have (RFC 2606).
pub(super) fn is_reserved(text: &str) -> bool {
    let Some((_, domain)) = text.rsplit_once('@') else { return false };
    let domain = lower_case(domain);
    let top = domain.rsplit('.').next().unwrap_or_default();
    ["example", "test", "invalid", "localhost"].contains(&top)
        || ["example.com", "example.org", "example.net"]
            .iter()
            .any(|reserved| domain == *reserved || domain.ends_with(&format!(".{reserved}")))
}

#[cfg(test)]
mod tests {
    use crate::redact::names::*;

    #[track_caller]
    fn check(path: &str, secret: bool, personal: bool) {
        let place = Place::default().within(path);
        assert_eq!((place.is_secret(), place.is_personal()), (secret, personal), "{path}");
    }

    #[test]
    fn secret_and_personal_places_are_recognized() {
        check("userName", false, true);
        check("USERNAME", false, true);
        check("name", false, false);
        check("name.givenName", false, true);
        check("/name/familyName", false, true);
        check("/Resources/0/emails/1/value", false, true);
        check("emails[type eq \"work\"].value", false, true);
        check("emails[type eq \"work\"]", false, true);
        check("emails.type", false, false);
        check("emails.primary", false, false);
        check("addresses.streetAddress", false, true);
        check("members.value", false, false);
        check("active", false, false);
        check("meta.location", false, false);
        check("password", true, false);
        check("urn:ietf:params:scim:schemas:core:2.0:User:password", true, false);
        check("urn:ietf:params:scim:schemas:core:2.0:User:name.givenName", false, true);
        check("urn:ietf:params:scim:schemas:core:2.0:User", false, false);
        check("client_secret", true, false);
        check("access_token", true, false);
        check("x-api-key", true, false);
        check("authenticationSchemes.type", false, false);
        check("passwordPolicy", false, false);
    }

    #[test]
    fn reserved_domains_are_recognized() {
        for address in ["a@example.com", "a@work.example", "a@b.example.org", "a@x.test", "a@EXAMPLE.COM"] {
            assert!(is_reserved(address), "{address}");
        }
        for address in ["a@acme.com", "a@notexample.com", "example.com", "a@example.com.evil.io"] {
            assert!(!is_reserved(address), "{address}");
        }
    }
}
