//! From where administration may be used: a web page of another origin could otherwise use it through the browser of
//! whoever looks at that page, and one whose host name leads to this machine could read all of it.

use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};

use super::AdminError;
use crate::address::host_of;
use crate::host::split_port;

/// What a browser says of where a request comes from.
const FETCH_SITE: &str = "sec-fetch-site";
const FETCH_MODE: &str = "sec-fetch-mode";

/// Who may use administration.
#[derive(Debug, Clone, Default)]
pub(crate) struct AdminAccess {
    /// Host names besides those of this machine, in lower case.
    hosts: Vec<String>,
}

impl AdminAccess {
    pub(crate) fn new(hosts: impl IntoIterator<Item = String>) -> Self {
        Self { hosts: hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect() }
    }

    /// Checks the host that a request names. A name that leads here is given out by whoever owns it, so a page under it
    /// would be of the same origin. An address can't be given out like that.
    pub(super) fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), AdminError> {
        let Some(host) = host_of(uri, headers) else { return Ok(()) };
        let host = String::from_utf8_lossy(host).to_ascii_lowercase();
        let name = split_port(&host).0.trim_end_matches('.');
        let is_address = name.starts_with('[') || name.parse::<std::net::Ipv4Addr>().is_ok();
        let is_local = name == "localhost" || name.ends_with(".localhost");
        if is_address || is_local || self.hosts.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(AdminError::UnknownHost(name.to_owned()))
    }

    /// Checks that a request is from no page of another origin. `allowed`: its origin was named with `--cors`.
    pub(super) fn check_origin(
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        allowed: bool,
    ) -> Result<(), AdminError> {
        if allowed {
            return Ok(());
        }
        let text = |name: &str| headers.get(name).map(HeaderValue::as_bytes).map(String::from_utf8_lossy);
        if let Some(origin) = text(header::ORIGIN.as_str()) {
            let host = host_of(uri, headers).map(String::from_utf8_lossy).unwrap_or_default();
            return if is_same(&origin, &host) {
                Ok(())
            } else {
                Err(AdminError::ForeignOrigin(origin.into_owned()))
            };
        }
        match text(FETCH_SITE).as_deref() {
            None | Some("same-origin" | "none") => Ok(()),
            // A link that somebody follows: the page that has it sees nothing of the answer, and nothing is changed.
            Some(_) if *method == Method::GET && text(FETCH_MODE).as_deref() == Some("navigate") => Ok(()),
            Some(_) => Err(AdminError::ForeignSite),
        }
    }
}

/// Whether an origin is that of a host, whose port may be the usual one of the scheme.
fn is_same(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let usual = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    let plain = |text: &str| text.strip_suffix(usual).unwrap_or(text).to_ascii_lowercase();
    !authority.is_empty() && plain(authority) == plain(host)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn only_names_of_this_machine_lead_to_administration() {
        let access = AdminAccess::new(["Mock".to_owned(), "scim.example.com".to_owned()]);
        for (host, lets_in) in [
            ("localhost", true),
            ("LOCALHOST:8080", true),
            ("localhost.:8080", true),
            ("app.localhost:1", true),
            ("127.0.0.1:8080", true),
            ("192.0.2.7", true),
            ("[::1]:8080", true),
            ("mock:8080", true),
            ("scim.example.com", true),
            ("evil.example.com", false),
            ("localhost.evil.example.com", false),
            ("127.0.0.1.evil.example.com", false),
            ("notlocalhost", false),
            ("a.mock", false),
        ] {
            let checked = access.check_host(&Uri::from_static("/_mock"), &headers(&[("host", host)]));
            assert_eq!(checked.is_ok(), lets_in, "{host}");
        }
        let absolute = Uri::from_static("http://evil.example.com/_mock");
        assert!(access.check_host(&absolute, &headers(&[("host", "localhost")])).is_err());
    }

    #[test]
    fn pages_of_other_origins_are_kept_out() {
        #[track_caller]
        fn check(method: &Method, lines: &[(&'static str, &'static str)], lets_in: bool) {
            let lines = [&[("host", "localhost:8080")], lines].concat();
            let checked =
                AdminAccess::check_origin(method, &Uri::from_static("/_mock"), &headers(&lines), false);
            assert_eq!(checked.is_ok(), lets_in, "{method} {lines:?}");
        }
        check(&Method::POST, &[], true);
        check(&Method::POST, &[("origin", "http://localhost:8080")], true);
        check(&Method::POST, &[("origin", "https://LOCALHOST:8080")], true);
        for origin in
            ["http://localhost", "http://localhost:3000", "https://evil.example.com", "null", "", "http://"]
        {
            check(&Method::POST, &[("origin", origin)], false);
            check(&Method::GET, &[("origin", origin)], false);
        }
        for site in ["cross-site", "same-site", "else"] {
            check(&Method::POST, &[("sec-fetch-site", site)], false);
            check(&Method::GET, &[("sec-fetch-site", site)], false);
            check(&Method::GET, &[("sec-fetch-site", site), ("sec-fetch-mode", "navigate")], true);
            check(&Method::POST, &[("sec-fetch-site", site), ("sec-fetch-mode", "navigate")], false);
        }
        check(&Method::POST, &[("sec-fetch-site", "same-origin")], true);
        check(&Method::GET, &[("sec-fetch-site", "none")], true);
        let usual = headers(&[("host", "scim.example.com"), ("origin", "https://scim.example.com:443")]);
        assert!(AdminAccess::check_origin(&Method::POST, &Uri::from_static("/"), &usual, false).is_ok());
    }
}
