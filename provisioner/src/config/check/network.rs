//! `client-certificate`, `client-key`, `proxy` and `allow-private`: the way to the target.

use std::ops::Range;
use std::sync::Arc;

use secrecy::SecretString;
use toml::Spanned;
use url::Url;

use super::super::network::{Network, Proxy};
use super::super::raw::{RawAuthentication, RawOptions};
use super::super::secret::{RawSecret, look_up, look_up_pem};
use super::Checker;
use crate::tls::{ClientIdentity, IdentityError};

impl Checker<'_> {
    /// Checks the settings of the network, which stand in two tables.
    pub(super) fn network(
        &mut self,
        authentication: Option<&mut Spanned<RawAuthentication>>,
        options: &mut RawOptions,
    ) -> Network {
        let identity = authentication.and_then(|raw| {
            let raw = raw.get_mut();
            self.identity(raw.client_certificate.take(), raw.client_key.take())
        });
        let proxy = self.proxy(options);
        Network { proxy, identity, allow_private: options.allow_private.unwrap_or(false) }
    }

    fn identity(
        &mut self,
        certificate: Option<Spanned<RawSecret>>,
        key: Option<Spanned<RawSecret>>,
    ) -> Option<Arc<ClientIdentity>> {
        let (certificate, key) = match (certificate, key) {
            (None, None) => return None,
            (Some(certificate), Some(key)) => (certificate, key),
            (Some(alone), None) => return self.alone(&alone.span(), "client-certificate", "client-key"),
            (None, Some(alone)) => return self.alone(&alone.span(), "client-key", "client-certificate"),
        };
        let spans = (certificate.span(), key.span());
        let certificate = self.pem("client-certificate", certificate);
        let key = self.pem("client-key", key);
        match ClientIdentity::parse(&certificate?, &key?) {
            Ok(identity) => Some(Arc::new(identity)),
            Err(error) => {
                let (span, option, help) = match error {
                    IdentityError::NoCertificate => (
                        spans.0,
                        "client-certificate",
                        "name a file with the certificate, and the intermediate ones after it",
                    ),
                    IdentityError::NoKey => (
                        spans.1,
                        "client-key",
                        "name a file with the key; `openssl pkey -in FILE` decrypts one",
                    ),
                    IdentityError::Mismatch => (
                        spans.1,
                        "client-key",
                        "name the key that the certificate was issued for: RSA, ECDSA or Ed25519",
                    ),
                };
                self.report(Some(span), format!("invalid `{option}`: {error}"), help);
                None
            }
        }
    }

    fn alone(&mut self, span: &Range<usize>, written: &str, missing: &str) -> Option<Arc<ClientIdentity>> {
        if !self.is_left_out(missing, None) {
            let help = format!("write {missing} = \"FILE.pem\" too, or leave both out");
            self.report(Some(span.clone()), format!("`{written}` needs `{missing}`"), help);
        }
        None
    }

    /// Returns a text in PEM; a string is the name of its file.
    fn pem(&mut self, option: &str, raw: Spanned<RawSecret>) -> Option<String> {
        let span = raw.span();
        if self.is_reported(&span) {
            return None;
        }
        match look_up_pem(raw.into_inner(), option, self.folder, self.env) {
            Ok(text) => Some(text),
            Err((message, help)) => {
                self.report(Some(span), message, help);
                None
            }
        }
    }

    fn proxy(&mut self, options: &mut RawOptions) -> Option<Proxy> {
        let help = "write the proxy as in proxy = \"http://proxy.example.com:3128\"; without it, the proxy variables of \
                    the environment count";
        let (user, password) = (options.proxy_user.take(), options.proxy_password.take());
        let Some(raw) = options.proxy.take() else {
            let spans = [user.map(|user| user.span()), password.map(|password| password.span())];
            if let Some(span) = spans.into_iter().flatten().next()
                && !self.is_left_out("proxy", None)
            {
                self.report(Some(span), "`proxy-user` and `proxy-password` need `proxy`", help);
            }
            return None;
        };
        let span = raw.span();
        let url = match raw.get_ref().parse::<Url>() {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                let help = "write proxy-user = \"…\" and proxy-password = { env = \"NAME\" } instead";
                self.report(Some(span), "`proxy` must not have a user name or a password in it", help);
                None
            }
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(url),
            Ok(_) | Err(_) => {
                self.report(Some(span), "invalid `proxy`: expected an http or https URL", help);
                None
            }
        };
        let credentials = match (user, password) {
            (None, None) => None,
            (Some(user), Some(password)) => {
                let password = self.proxy_password(password);
                Some((user.into_inner(), password?))
            }
            (user, password) => {
                let span = user.map(|user| user.span()).or(password.map(|password| password.span()));
                let is_left_out =
                    ["proxy-user", "proxy-password"].iter().any(|key| self.is_left_out(key, None));
                if !is_left_out {
                    let help = "write both, or leave both out";
                    self.report(span, "`proxy-user` and `proxy-password` belong together", help);
                }
                return None;
            }
        };
        Some(Proxy { url: url?, credentials })
    }

    fn proxy_password(&mut self, raw: Spanned<RawSecret>) -> Option<SecretString> {
        let span = raw.span();
        if self.is_reported(&span) {
            return None;
        }
        match look_up(raw.into_inner(), "proxy-password", self.folder, self.env) {
            Ok(password) => Some(SecretString::from(password)),
            Err((message, help)) => {
                self.report(Some(span), message, help);
                None
            }
        }
    }
}
