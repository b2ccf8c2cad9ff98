//! What is said once the server is ready.

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use serde_json::json;

use super::super::Failure;
use super::tls::Chosen;
use crate::auth::{Auth, AuthKind, DEFAULT_TOKEN};
use crate::builder::MockAquera;

/// What is to be said.
pub(super) struct About<'a> {
    pub(super) server: &'a MockAquera,
    pub(super) auth: &'a [Auth],
    pub(super) seed: u64,
    pub(super) tls: Option<&'a Chosen>,
    pub(super) admin_token: Option<&'a str>,
    pub(super) snapshot: Option<&'a Path>,
    /// Whether URLs are public ones.
    pub(super) public_url: bool,
}

impl About<'_> {
    /// Warns where others than those on this machine can reach the server.
    pub(super) fn warn(&self, has_admin_port: bool) {
        let addr = self.server.addr();
        if !is_loopback(addr) {
            let place = if addr.ip().is_unspecified() {
                "every interface"
            } else {
                "an address that is not loopback"
            };
            warning(&format!(
                "listening on {place} ({addr}): other machines can use this server {}; {}--listen 127.0.0.1 keeps it to \
                 this machine",
                self.needed(),
                if has_admin_port { "" } else { self.administration() },
            ));
        }
        let admin = self.server.admin_addr();
        if has_admin_port && !is_loopback(admin) {
            warning(&format!(
                "administration listens at {admin}: {}",
                self.administration().trim_end_matches("; ")
            ));
        }
    }

    /// What one needs to use the server.
    fn needed(&self) -> String {
        let kinds = self.auth.iter().map(|auth| match auth.kind() {
            AuthKind::None => "without credentials".to_owned(),
            AuthKind::Basic { .. } => "with the user name and password of --auth".to_owned(),
            AuthKind::Bearer { token } if token == DEFAULT_TOKEN => {
                format!("with the bearer token `{DEFAULT_TOKEN}`, which everybody knows")
            }
            AuthKind::Bearer { .. } => "with the bearer token of --auth".to_owned(),
            AuthKind::OAuth { .. } => "with the client id and secret of --auth".to_owned(),
        });
        kinds.collect::<Vec<_>>().join(" or ")
    }

    fn administration(&self) -> &'static str {
        if self.admin_token.is_some() {
            "its administration needs the token of --admin-token; "
        } else {
            "its administration needs no token (--admin-token TOKEN asks for one); "
        }
    }

    /// The SCIM URLs of the interfaces, where the server listens at each.
    fn interfaces(&self) -> Vec<String> {
        self.at_interfaces(self.server.addr(), "/scim")
    }

    /// The URLs of administration at the interfaces, where it has a port of its own and listens at each.
    fn admin_interfaces(&self) -> Vec<String> {
        let (addr, admin) = (self.server.addr(), self.server.admin_addr());
        if admin == addr { Vec::new() } else { self.at_interfaces(admin, "/_mock") }
    }

    fn at_interfaces(&self, addr: SocketAddr, path: &str) -> Vec<String> {
        if !addr.ip().is_unspecified() {
            return Vec::new();
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let all = if_addrs::get_if_addrs().unwrap_or_default();
        let ips = all.iter().map(if_addrs::Interface::ip).filter(|ip| {
            // Link-local addresses need the name of an interface, which no URL has.
            let is_local = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
            !ip.is_loopback() && !is_local && (ip.is_ipv4() || addr.is_ipv6())
        });
        ips.map(|ip| format!("{scheme}://{}{path}", SocketAddr::new(ip, addr.port()))).collect()
    }

    /// Says it in words, or as one JSON object.
    pub(super) fn announce(&self, as_json: bool) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let text = if as_json { format!("{}\n", self.ready()) } else { self.banner() };
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }

    fn ready(&self) -> serde_json::Value {
        let server = self.server;
        let mut ready = json!({
            "type": "ready", "scimUrl": server.scim_url(), "adminUrl": server.admin_url(), "seed": self.seed,
            "profile": server.default_application().profile().name,
        });
        if self.auth.iter().any(|auth| matches!(auth.kind(), AuthKind::OAuth { .. })) {
            ready["tokenUrl"] = server.token_url().into();
        }
        if let Some(file) = self.ca_file() {
            ready["caFile"] = file.display().to_string().into();
        }
        for (key, urls) in [("scimUrls", self.interfaces()), ("adminUrls", self.admin_interfaces())] {
            if !urls.is_empty() {
                ready[key] = urls.into();
            }
        }
        ready
    }

    fn ca_file(&self) -> Option<&Path> {
        self.tls?.ca_file.as_deref()
    }

    fn banner(&self) -> String {
        let application = self.server.default_application();
        let mut lines = vec![("SCIM URL", self.server.scim_url())];
        lines.extend(self.interfaces().into_iter().map(|url| ("", url)));
        if self.server.addr().ip().is_unspecified() || self.public_url {
            lines.push(("Listening", self.server.addr().to_string()));
        }
        for auth in self.auth {
            lines.push(match auth.kind() {
                AuthKind::None => ("Auth", "none needed".to_owned()),
                AuthKind::Basic { user, password } => ("Basic", format!("user {user}, password {password}")),
                AuthKind::Bearer { token } => ("Token", token.clone()),
                AuthKind::OAuth { client_id, client_secret, lifetime } => {
                    let good_for = format!("tokens are good for {} s", lifetime.as_secs());
                    ("OAuth", format!("client {client_id}, secret {client_secret}, {good_for}"))
                }
            });
            if matches!(auth.kind(), AuthKind::OAuth { .. }) {
                lines.push(("Token URL", self.server.token_url()));
            }
        }
        if let Some(file) = self.ca_file() {
            lines.push(("CA file", format!("{}, for clients to trust; kept over restarts", file.display())));
        }
        let profile = application.profile();
        lines.push(("Profile", format!("{} ({})", profile.name, profile.summary)));
        let faults = application.faults();
        if faults.is_empty() {
            lines.push(("Faults", "none".to_owned()));
        }
        for (at, rule) in faults.into_iter().enumerate() {
            lines.push((if at == 0 { "Faults" } else { "" }, rule));
        }
        lines.push(("Seed", self.seed.to_string()));
        lines.push(("Users", application.user_count().to_string()));
        if let Some(file) = self.snapshot {
            lines.push(("Snapshot", file.display().to_string()));
        }
        lines.push(("Admin URL", self.server.admin_url()));
        lines.extend(self.admin_interfaces().into_iter().map(|url| ("", url)));
        lines.extend(self.admin_token.map(|token| ("", format!("with the token {token}"))));

        let lines: Vec<String> =
            lines.iter().map(|(name, value)| format!("  {name:<9}  {value}\n")).collect();
        let examples: Vec<String> = self.examples().iter().map(|line| format!("  {line}\n")).collect();
        let version = env!("CARGO_PKG_VERSION");
        format!("mock-aquera {version} is ready\n\n{}\nTry:\n{}", lines.concat(), examples.concat())
    }

    /// Three lines for a shell, behind the one that fetches a token where that is needed.
    fn examples(&self) -> Vec<String> {
        let (scim, admin) = (self.server.scim_url(), self.server.admin_url());
        let curl = match (self.tls, self.ca_file()) {
            (None, _) => "curl".to_owned(),
            (Some(_), Some(file)) => format!("curl --cacert {}", quoted(&file.display().to_string())),
            // One's own certificate need not be good for the address that is printed here.
            (Some(_), None) => "curl --insecure".to_owned(),
        };
        let mut lines = Vec::new();
        let login = match self.auth.first().map(Auth::kind) {
            None | Some(AuthKind::None) => String::new(),
            Some(AuthKind::Basic { user, password }) => {
                format!(" -u {}", quoted(&format!("{user}:{password}")))
            }
            Some(AuthKind::Bearer { token }) => {
                format!(" -H {}", quoted(&format!("Authorization: Bearer {token}")))
            }
            Some(AuthKind::OAuth { client_id, client_secret, .. }) => {
                let client = quoted(&format!("{client_id}:{client_secret}"));
                let url = self.server.token_url();
                let pick = r#"sed 's/.*"access_token":"\([^"]*\)".*/\1/'"#;
                lines.push(format!(
                    "TOKEN=$({curl} -s -u {client} -d grant_type=client_credentials {url} | {pick})"
                ));
                r#" -H "Authorization: Bearer $TOKEN""#.to_owned()
            }
        };
        let user = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"new.person@example.com"}"#;
        lines.push(format!("{curl}{login} {}", quoted(&format!("{scim}/Users?count=2"))));
        lines.push(format!(
            "{curl}{login} -H 'Content-Type: application/scim+json' -d {} {scim}/Users",
            quoted(user)
        ));
        let shown = self
            .admin_token
            .map(|token| format!(" -H {}", quoted(&format!("Authorization: Bearer {token}"))));
        lines.push(format!("{curl}{} {admin}/applications/default/journal", shown.unwrap_or_default()));
        lines
    }
}

/// Whether only this machine reaches an address, an IPv4 address written as one of IPv6 included.
fn is_loopback(addr: SocketAddr) -> bool {
    addr.ip().to_canonical().is_loopback()
}

/// One word for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A line on stderr before the server says that it is ready: not by the log, which is written behind the requests.
pub(super) fn warning(text: &str) {
    if writeln!(io::stderr(), "warning: {text}").is_err() {
        tracing::debug!("stderr is closed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_address_of_this_machine_is_loopback() {
        for (addr, expected) in [
            ("127.0.0.1:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("[::ffff:192.0.2.1]:1", false),
        ] {
            assert_eq!(is_loopback(addr.parse().unwrap()), expected, "{addr}");
        }
    }

    #[test]
    fn a_word_survives_the_shell() {
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
