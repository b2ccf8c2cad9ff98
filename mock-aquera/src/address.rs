//! The address under which a client sees the server.
//!
//! URLs in documents are kept with one base URL: that of the listening address, or the one of `--public-url`. A client
//! that came by another address (a container's port map, a host name, a proxy) gets them with the address that it
//! used. [`Rebase`] writes them so, in the text of a reply that is ready otherwise.

use std::fmt;
use std::str::FromStr;

use axum::body::Bytes;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use memchr::memmem;

use crate::host::{is_host, split_port};
use crate::net::Head;
use crate::reply::Reply;

/// The longest path prefix of a proxy.
const MAX_PREFIX: usize = 1024;

/// The host that a request names: that of an absolute target or `:authority`, or else its `Host` header.
pub(crate) fn host_of<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r [u8]> {
    let named = uri.authority().map(Authority::as_str).map(str::as_bytes);
    named.or_else(|| headers.get(header::HOST).map(HeaderValue::as_bytes))
}

/// The URL under which clients see the server, whatever they say: `https://scim.example.com/mock`, without a slash at
/// the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host without its port.
    pub(crate) fn host(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        split_port(rest.split('/').next().unwrap_or_default()).0
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no public URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid public URL `{text}`: {why}")]
pub struct PublicUrlError {
    text: String,
    why: &'static str,
}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let failed = |why| PublicUrlError { text: text.to_owned(), why };
        let form = "expected http:// or https:// with a host, such as https://scim.example.com/mock";
        let trimmed = text.trim_end_matches('/');
        let (written, rest) = trimmed.split_once("://").ok_or_else(|| failed(form))?;
        let scheme = scheme(written).ok_or_else(|| failed(form))?;
        let (host, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if !is_host(host.as_bytes()) {
            return Err(failed(form));
        }
        if !is_prefix(prefix) {
            return Err(failed("its path may not have a query, a fragment, spaces or `..`"));
        }
        if prefix.ends_with("/scim") {
            return Err(failed("leave `/scim` out; the server adds it"));
        }
        Ok(Self(format!("{scheme}://{rest}")))
    }
}

/// Returns whether a text is empty, or a path that begins with a slash and does not end with one.
fn is_prefix(text: &str) -> bool {
    text.is_empty()
        || (text.len() <= MAX_PREFIX
            && text.starts_with('/')
            && !text.ends_with('/')
            && !text.starts_with("//")
            && !text.split('/').any(is_dots)
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~%".contains(&byte)))
}

/// Returns whether a segment of a path leads to itself or to the one above, written out or encoded (RFC 3986 §5.2.4).
fn is_dots(segment: &str) -> bool {
    matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

/// What a forwarding header says that is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {header} header is not usable: {expected}")]
pub(crate) struct BadForwarding {
    header: HeaderName,
    expected: &'static str,
}

/// How the server is addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// Scheme, host, port and prefix of the URLs that are kept, without a slash at the end.
    origin: String,
    /// The host and port of the listener.
    authority: String,
    scheme: &'static str,
    is_public: bool,
    trusts_forwarded: bool,
}

impl Addresses {
    /// Addresses of a listener at this host and port.
    pub(crate) fn new(
        scheme: &'static str,
        authority: String,
        public: Option<&PublicUrl>,
        trusts_forwarded: bool,
    ) -> Self {
        let origin = public.map_or_else(|| format!("{scheme}://{authority}"), PublicUrl::to_string);
        Self { origin, authority, scheme, is_public: public.is_some(), trusts_forwarded }
    }

    /// The origin of the URLs that are kept.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The origin that the client of a request used; `None` if it is the one that URLs are kept with.
    ///
    /// # Errors
    /// A forwarding header is trusted and not usable.
    pub(crate) fn seen_by(&self, uri: &Uri, headers: &HeaderMap) -> Result<Option<String>, BadForwarding> {
        if self.is_public {
            return Ok(None);
        }
        let Some(host) = host_of(uri, headers) else { return Ok(None) };
        if !self.trusts_forwarded {
            if host == self.authority.as_bytes() || !is_host(host) {
                return Ok(None);
            }
            // `Host: name:` says no port (RFC 3986 §3.2.3).
            let host = str::from_utf8(host).ok().map(|host| host.trim_end_matches(':'));
            let seen = host.map(|host| format!("{}://{host}", self.scheme));
            return Ok(seen.filter(|seen| *seen != self.origin));
        }
        let forwarded = Forwarded::of(headers)?;
        let host = forwarded
            .host
            .as_deref()
            .or_else(|| str::from_utf8(host).ok().filter(|host| is_host(host.as_bytes())));
        let Some(host) = host else { return Ok(None) };
        let scheme = forwarded.scheme.unwrap_or(self.scheme);
        // The port of a `Host` header is that of the last hop; only a proxy's own word counts more than the proxy's port.
        let (name, own) = split_port(host);
        let own = own.filter(|port| !port.is_empty());
        let usual = if scheme == "https" { 443 } else { 80 };
        let port = match (forwarded.port, own) {
            (Some(_), Some(own)) if forwarded.host.is_some() => format!(":{own}"),
            (Some(port), _) if port == usual => String::new(),
            (Some(port), _) => format!(":{port}"),
            (None, Some(own)) => format!(":{own}"),
            (None, None) => String::new(),
        };
        let seen = format!("{scheme}://{name}{port}{}", forwarded.prefix);
        Ok((seen != self.origin).then_some(seen))
    }

    /// The path in front of administration for a client that used this origin, or came to a port of its own.
    ///
    /// # Errors
    /// A forwarding header is trusted and not usable.
    pub(crate) fn admin_prefix(
        &self,
        seen: Option<&str>,
        is_beside: bool,
        headers: &HeaderMap,
    ) -> Result<String, BadForwarding> {
        if is_beside {
            let origin = seen.unwrap_or(&self.origin);
            let rest = origin.split_once("://").map_or(origin, |(_, rest)| rest);
            return Ok(rest.find('/').map_or("", |at| &rest[at..]).to_owned());
        }
        // The public URL is that of the other port.
        if self.trusts_forwarded {
            Forwarded::of(headers).map(|forwarded| forwarded.prefix)
        } else {
            Ok(String::new())
        }
    }

    /// The origin of the SCIM endpoints for a client that came to another port of this server, under this host.
    pub(crate) fn beside(&self, host: &str) -> Option<String> {
        if self.is_public || !is_host(host.as_bytes()) {
            return None;
        }
        let port = split_port(&self.authority).1.unwrap_or_default();
        let seen = format!("{}://{}:{port}", self.scheme, split_port(host).0);
        (seen != self.origin).then_some(seen)
    }
}

/// What the proxies in front of the server say of the request that they got.
#[derive(Debug, Default)]
struct Forwarded {
    scheme: Option<&'static str>,
    host: Option<String>,
    port: Option<u16>,
    prefix: String,
}

impl Forwarded {
    /// Reads `Forwarded` (RFC 7239), and `X-Forwarded-*` for what that does not say. Of several proxies the first one
    /// counts.
    fn of(headers: &HeaderMap) -> Result<Self, BadForwarding> {
        let mut found = Self::default();
        let element = first(headers, "forwarded", "expected a text", |value| Some(value.to_owned()))?;
        let pairs = element.iter().flat_map(|element| element.split(';')).map(str::trim);
        for pair in pairs.filter(|pair| !pair.is_empty()) {
            let failed = |expected| BadForwarding { header: HeaderName::from_static("forwarded"), expected };
            let expected = "expected pairs such as `proto=https;host=scim.example.com`";
            let (name, value) = pair.split_once('=').ok_or_else(|| failed(expected))?;
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "proto" => {
                    found.scheme = Some(scheme(value).ok_or_else(|| failed("`proto` is http or https"))?);
                }
                "host" => {
                    let expected = "`host` is a host, with its port or without";
                    found.host = Some(host(value).ok_or_else(|| failed(expected))?);
                }
                _ => {}
            }
        }
        let said = first(headers, "x-forwarded-proto", "expected http or https", scheme)?;
        found.scheme = found.scheme.or(said);
        let said = first(headers, "x-forwarded-host", "expected a host, with its port or without", host)?;
        found.host = found.host.or(said);
        let port = |value: &str| value.parse::<u16>().ok().filter(|port| *port != 0);
        found.port = first(headers, "x-forwarded-port", "expected a port from 1 to 65535", port)?;
        let prefix = |value: &str| {
            let prefix = value.trim_end_matches('/');
            is_prefix(prefix).then(|| prefix.to_owned())
        };
        let expected = "expected a path that begins with a slash and has no `..` in it";
        found.prefix = first(headers, "x-forwarded-prefix", expected, prefix)?.unwrap_or_default();
        Ok(found)
    }
}

/// Reads what the first of several proxies wrote in a header, if it is there and not empty.
fn first<T>(
    headers: &HeaderMap,
    name: &'static str,
    expected: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, BadForwarding> {
    let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match value.split(',').next().unwrap_or_default().trim() {
        "" => Ok(None),
        value => match read(value) {
            None => Err(BadForwarding { header: HeaderName::from_static(name), expected }),
            read => Ok(read),
        },
    }
}

fn scheme(text: &str) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|known| text.eq_ignore_ascii_case(known))
}

fn host(text: &str) -> Option<String> {
    is_host(text.as_bytes()).then(|| text.to_owned())
}

/// From the URLs that are kept to those that a client sees. Both are base URLs of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rebase<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
}

impl Rebase<'_> {
    /// Writes the `Location` header and the body of a reply, and the changes that go into the journal.
    pub(crate) fn reply(self, reply: &mut Reply) {
        if let Some(location) = reply.headers.get(header::LOCATION)
            && let Some(rest) = location.as_bytes().strip_prefix(self.from.as_bytes())
            && let Ok(location) = HeaderValue::from_bytes(&[self.to.as_bytes(), rest].concat())
        {
            reply.headers.insert(header::LOCATION, location);
        }
        if let Some(body) = self.text(&reply.body) {
            reply.body = body;
        }
        for change in &mut reply.known.changes {
            for side in [&mut change.before, &mut change.after].into_iter().flatten() {
                if let Some(text) = self.text(side) {
                    *side = text;
                }
            }
        }
    }

    /// The same JSON text with other URLs in `location` and `$ref`; `None` if there are none to change. The text is
    /// our own: without white space between names and values.
    ///
    /// What stands inside a string can't be mistaken for them, because each quote in it has a backslash before it.
    pub(crate) fn text(self, text: &[u8]) -> Option<Bytes> {
        let sought = [b"\"", self.from.as_bytes(), b"/"].concat();
        let mut out = Vec::new();
        let mut copied = 0;
        for at in memmem::find_iter(text, &sought) {
            let is_ours = [&b"\"$ref\":"[..], b"\"location\":"].iter().any(|name| {
                text[..at].strip_suffix(*name).is_some_and(|before| before.last() != Some(&b'\\'))
            });
            if is_ours {
                if out.is_empty() {
                    out.reserve(text.len() + text.len() / 16 + self.to.len());
                }
                out.extend_from_slice(&text[copied..=at]);
                out.extend_from_slice(self.to.as_bytes());
                copied = at + sought.len() - 1;
            }
        }
        if copied == 0 {
            return None;
        }
        out.extend_from_slice(&text[copied..]);
        Some(Bytes::from(out))
    }

    /// The same for a tree.
    pub(crate) fn value(self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(members) => {
                for (name, value) in members {
                    match value {
                        serde_json::Value::String(text) if name == "$ref" || name == "location" => {
                            if let Some(rest) =
                                text.strip_prefix(self.from).filter(|rest| rest.starts_with('/'))
                            {
                                *text = format!("{}{rest}", self.to);
                            }
                        }
                        other => self.value(other),
                    }
                }
            }
            serde_json::Value::Array(elements) => elements.iter_mut().for_each(|element| self.value(element)),
            _ => {}
        }
    }
}

impl Head<'_> {
    /// The origin that its client used; see [`Addresses::seen_by`].
    pub(crate) fn seen_as(self, addresses: &Addresses) -> Result<Option<String>, BadForwarding> {
        addresses.seen_by(self.uri, self.headers)
    }
}

#[cfg(test)]
mod tests;
