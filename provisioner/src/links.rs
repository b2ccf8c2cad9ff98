//! Links that a source or a target names: to the next page, or to where a request is redirected.
//!
//! Credentials go to the origin of the configured URL and to no other one. A link to another origin is followed without
//! them, and only to a public address, unless `allow-private` says otherwise. The target's redirects and `meta.location`
//! are not followed at all: an account is addressed by its id below the SCIM URL.

use url::{Origin, Url};

use crate::address::{AddressGuard, RefusedAddress};

/// A link that is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// It is no URL.
    #[error("invalid link: expected a URL: {0}")]
    NotAUrl(url::ParseError),
    /// It leads to another scheme than http and https, or from https to http.
    #[error("refused to follow a link from {from} to {to}: it is less protected")]
    Downgrade {
        /// The configured origin.
        from: String,
        /// The origin of the link.
        to: String,
    },
    /// It has a user name or a password in it.
    #[error("refused to follow a link with a user name or a password in it")]
    UserInfo,
    /// It leads to an address that is not public.
    #[error(transparent)]
    Address(#[from] RefusedAddress),
}

/// A link that may be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowedLink {
    /// Where it leads.
    pub url: Url,
    /// Whether the credentials are sent along: it leads to the configured origin.
    pub with_credentials: bool,
}

/// Decides which links may be followed, and whether credentials go along.
#[derive(Clone, Debug)]
pub struct LinkPolicy {
    origin: Origin,
    is_https: bool,
    guard: AddressGuard,
}

impl LinkPolicy {
    /// Creates the policy for a configured URL. Requests have to be sent by a transport with the same guard, which checks
    /// the addresses that host names resolve to.
    pub fn new(configured: &Url, guard: AddressGuard) -> Self {
        Self { origin: configured.origin(), is_https: configured.scheme() == "https", guard }
    }

    /// Resolves `link`, found in the page at `page`.
    ///
    /// # Errors
    /// It is no URL, has credentials of its own, or leads to a less protected place or to an address that is not public.
    pub fn follow(&self, page: &Url, link: &str) -> Result<FollowedLink, LinkError> {
        let url = page.join(link).map_err(LinkError::NotAUrl)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(LinkError::UserInfo);
        }
        let with_credentials = url.origin() == self.origin;
        let is_protected = url.scheme() == "https" || (url.scheme() == "http" && !self.is_https);
        if !with_credentials && !is_protected {
            let (from, to) = (self.origin.ascii_serialization(), url.origin().ascii_serialization());
            return Err(LinkError::Downgrade { from, to });
        }
        self.guard.check(&url)?;
        Ok(FollowedLink { url, with_credentials })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(configured: &str, link: &str, expected: Result<(&str, bool), &str>) {
        let configured: Url = configured.parse().unwrap();
        let policy = LinkPolicy::new(&configured, AddressGuard::new([&configured], false));
        let found = policy.follow(&configured.join("/v1/users?page=1").unwrap(), link);
        match (found, expected) {
            (Ok(link), Ok((url, with_credentials))) => {
                assert_eq!((link.url.as_str(), link.with_credentials), (url, with_credentials));
            }
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (found, expected) => panic!("{link}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn link_to_the_configured_origin_gets_credentials_and_no_other_one_does() {
        let api = "https://api.example.com/v1";
        check(api, "?page=2", Ok(("https://api.example.com/v1/users?page=2", true)));
        check(api, "https://API.example.com:443/x", Ok(("https://api.example.com/x", true)));
        check(api, "https://api.example.com:8443/x", Ok(("https://api.example.com:8443/x", false)));
        check(api, "//other.example.com/x", Ok(("https://other.example.com/x", false)));
        check(
            api,
            "https://api.example.com.evil.example/x",
            Ok(("https://api.example.com.evil.example/x", false)),
        );
    }

    #[test]
    fn link_to_a_less_protected_place_is_refused() {
        let api = "https://api.example.com/v1";
        check(api, "http://api.example.com/x", Err("less protected"));
        check(api, "http://other.example.com/x", Err("less protected"));
        check(api, "file:///etc/passwd", Err("less protected"));
        check("http://api.example.com/", "ftp://api.example.com/x", Err("less protected"));
        check(
            "http://api.example.com/",
            "http://other.example.com/x",
            Ok(("http://other.example.com/x", false)),
        );
        check(api, "https://api.example.com@evil.example/x", Err("a user name or a password"));
        check(api, "https://[::1/x", Err("expected a URL"));
    }

    #[test]
    fn link_to_an_address_that_is_not_public_is_refused_unless_it_is_the_configured_one() {
        let api = "https://api.example.com/v1";
        check(api, "https://169.254.169.254/latest/meta-data", Err("metadata"));
        check(api, "https://[::1]/x", Err("this machine"));
        check(api, "https://10.1.2.3/x", Err("a private network"));
        check("https://10.1.2.3/v1", "https://10.1.2.3/x", Ok(("https://10.1.2.3/x", true)));
        check("https://10.1.2.3/v1", "https://10.1.2.4/x", Err("a private network"));
    }
}
