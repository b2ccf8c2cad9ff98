//! `[source]`: each kind has its own options.

use std::num::NonZeroU16;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::super::raw::{RawAuthentication, RawSource, RawSourceKind, Region};
use super::super::source::{
    Paging, PingOneSource, RemoteOptions, ScimSource, SourceConfig, SourceKind, further_attributes,
};
use super::Checker;
use crate::ids::ScimUrl;
use crate::source::Attributes;

/// How long a request to a source may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Users of a page of PingOne's API, which allows no more.
const PINGONE_PAGE: u16 = 1000;
/// Users that are asked for per page of a SCIM server.
const SCIM_PAGE: u16 = 500;

/// The options of one kind, with the places where they are written.
type Written<'a> = Vec<(&'a str, Option<Range<usize>>)>;

impl Checker<'_> {
    pub(super) fn source(&mut self, raw: Option<Spanned<RawSource>>) -> Option<SourceConfig> {
        let help = "say where the users are: [source] with kind = \"file\" and path = \"users.ndjson\"";
        let Some(raw) = raw else {
            self.missing("source", None, "[source] is missing".to_owned(), help);
            return None;
        };
        let span = raw.span();
        let mut raw = raw.into_inner();
        self.attributes = self.declared(std::mem::take(&mut raw.custom_attributes));
        let Some(kind) = raw.kind.take() else {
            let help = "write kind = \"file\", \"pingone\" or \"scim\"";
            self.missing("kind", Some(&span), "`kind` is missing".to_owned(), help);
            // What a file needs is told at once.
            self.text("path", raw.path, Some(&span), help)?;
            return None;
        };
        self.foreign_options(kind, &raw);
        let groups = self.group_source(raw.groups.take(), raw.memberships.take());
        match kind {
            RawSourceKind::File => {
                let path = self.text("path", raw.path, Some(&span), help)?;
                Some(SourceConfig {
                    identity: format!("file:{path}"),
                    kind: SourceKind::File(self.folder.join(path)),
                    attributes: self.attributes.clone(),
                    groups,
                })
            }
            RawSourceKind::Pingone => self.pingone(raw, &span),
            RawSourceKind::Scim => self.scim(raw, &span).map(|source| SourceConfig { groups, ..source }),
        }
    }

    /// Reports the options that another kind has.
    fn foreign_options(&mut self, kind: RawSourceKind, raw: &RawSource) {
        fn at<T>(option: Option<&Spanned<T>>) -> Option<Range<usize>> {
            option.map(Spanned::span)
        }
        let file: Written<'_> = vec![("path", at(raw.path.as_ref()))];
        let pingone: Written<'_> = vec![
            ("environment-id", at(raw.environment_id.as_ref())),
            ("region", at(raw.region.as_ref())),
            ("base-url", at(raw.base_url.as_ref())),
            ("auth-url", at(raw.auth_url.as_ref())),
            ("client-id", at(raw.client_id.as_ref())),
            ("client-secret", at(raw.client_secret.as_ref())),
            ("populations", at(raw.populations.as_ref())),
            ("members-of", at(raw.members_of.as_ref())),
        ];
        let groups: Written<'_> =
            vec![("groups", at(raw.groups.as_ref())), ("memberships", at(raw.memberships.as_ref()))];
        let scim: Written<'_> = vec![
            ("scim-url", at(raw.scim_url.as_ref())),
            ("profile", at(raw.profile.as_ref())),
            ("oauth-access-token", at(raw.oauth_access_token.as_ref())),
            ("basic-auth-user", at(raw.basic_auth_user.as_ref())),
            ("basic-auth-password", at(raw.basic_auth_password.as_ref())),
            ("paging", at(raw.paging.as_ref())),
            ("filter", at(raw.filter.as_ref())),
        ];
        let remote: Written<'_> = vec![
            ("page-size", at(raw.page_size.as_ref())),
            ("request-timeout", at(raw.request_timeout.as_ref())),
            ("ca-file", at(raw.ca_file.as_ref())),
            ("allow-http", at(raw.allow_http.as_ref())),
        ];
        let (word, foreign) = match kind {
            RawSourceKind::File => ("file", vec![pingone, scim, remote]),
            // The groups of an environment are read from it.
            RawSourceKind::Pingone => ("pingone", vec![file, scim, groups]),
            RawSourceKind::Scim => ("scim", vec![file, pingone]),
        };
        for (option, span) in foreign.into_iter().flatten() {
            if span.is_some() {
                let message = format!("`{option}` does not apply to kind = \"{word}\"");
                self.report(span, message, "leave it out, or correct `kind`");
            }
        }
    }

    fn pingone(&mut self, raw: RawSource, span: &Range<usize>) -> Option<SourceConfig> {
        let allow_http = raw.allow_http.as_ref().is_some_and(|allow| *allow.get_ref());
        let servers = self.servers(raw.region, raw.base_url, raw.auth_url, span, allow_http);
        let help = "write the id of the environment, from its properties in the PingOne console";
        let environment_id = self.text("environment-id", raw.environment_id, Some(span), help);
        let help =
            "write the client id of the worker application, from its configuration in the PingOne console";
        let client_id = self.text("client-id", raw.client_id, Some(span), help);
        let client_secret = self.secret("client-secret", raw.client_secret, span);
        let (populations, groups) =
            (self.names("populations", raw.populations), self.names("members-of", raw.members_of));
        let page_size = self.number("page-size", raw.page_size, 1, PINGONE_PAGE).and_then(NonZeroU16::new);
        let remote = self.remote_options(raw.request_timeout, raw.ca_file.as_ref());
        let ((base_url, auth_url), environment_id) = (servers?, environment_id?);
        let restriction = [("population", &populations), ("group", &groups)]
            .into_iter()
            .flat_map(|(kind, names)| names.iter().map(move |name| format!(" {kind} {name:?}")))
            .collect::<String>();
        let identity = format!("pingone:{environment_id} at {base_url}{restriction}");
        let source = PingOneSource {
            base_url,
            auth_url,
            environment_id,
            client_id: client_id?,
            client_secret: client_secret?,
            populations,
            groups,
            pushed_down: None,
            page_size: page_size.or(NonZeroU16::new(PINGONE_PAGE)).unwrap_or(NonZeroU16::MIN),
            remote,
        };
        let (kind, attributes) = (SourceKind::PingOne(Box::new(source)), self.attributes.clone());
        Some(SourceConfig { kind, identity, attributes, groups: None })
    }

    /// Returns the bases of the platform API and of the authorization server.
    fn servers(
        &mut self,
        region: Option<Spanned<Region>>,
        base_url: Option<Spanned<String>>,
        auth_url: Option<Spanned<String>>,
        parent: &Range<usize>,
        allow_http: bool,
    ) -> Option<(ScimUrl, ScimUrl)> {
        let help = "write region = \"na\", \"eu\", \"ca\", \"asia\" or \"au\"; or base-url and auth-url for another server";
        match (region, base_url, auth_url) {
            (Some(region), None, None) => {
                let domain = region.get_ref().domain();
                let url = |text: String| text.parse::<ScimUrl>().ok();
                url(format!("https://api.pingone.{domain}/v1"))
                    .zip(url(format!("https://auth.pingone.{domain}")))
            }
            (None, Some(base_url), Some(auth_url)) => {
                let base_url = self.server("base-url", &base_url, allow_http);
                base_url.zip(self.server("auth-url", &auth_url, allow_http))
            }
            (Some(region), _, _) => {
                self.report(
                    Some(region.span()),
                    "`region` and `base-url` or `auth-url` contradict each other",
                    help,
                );
                None
            }
            (None, Some(url), None) | (None, None, Some(url)) => {
                self.report(Some(url.span()), "`base-url` and `auth-url` go together", help);
                None
            }
            (None, None, None) => {
                self.missing("region", Some(parent), "`region` is missing".to_owned(), help);
                None
            }
        }
    }

    /// Reads the address of a server.
    fn server(&mut self, option: &str, raw: &Spanned<String>, allow_http: bool) -> Option<ScimUrl> {
        match raw.get_ref().parse::<ScimUrl>() {
            Ok(url) => self.encrypted(option, raw.span(), &url, allow_http).then_some(url),
            Err(error) => {
                let help = "write scheme, host and path, as in \"https://api.pingone.eu/v1\"";
                self.report(Some(raw.span()), format!("invalid `{option}`: {error}"), help);
                None
            }
        }
    }

    /// Whether credentials can be sent to `url`.
    fn encrypted(&mut self, option: &str, span: Range<usize>, url: &ScimUrl, allow_http: bool) -> bool {
        let is_safe = url.is_https() || url.is_loopback() || allow_http;
        if !is_safe {
            let message =
                format!("`{option}` uses plain http to another host: the credentials can be read in transit");
            let help =
                "use https; or set allow-http = true under [source] if the network is secured by other means";
            self.report(Some(span), message, help);
        }
        is_safe
    }

    fn names(&mut self, option: &str, raw: Option<Spanned<Vec<String>>>) -> Vec<String> {
        let Some(raw) = raw else { return Vec::new() };
        if raw.get_ref().iter().any(|name| name.trim().is_empty()) || raw.get_ref().is_empty() {
            let help = format!("write the names as in {option} = [\"Employees\"], or leave it out for all");
            self.report(Some(raw.span()), format!("`{option}` has no name, or an empty one"), help);
        }
        raw.into_inner()
    }

    fn remote_options(
        &mut self,
        timeout: Option<Spanned<super::super::raw::RawDuration>>,
        ca_file: Option<&Spanned<String>>,
    ) -> RemoteOptions {
        RemoteOptions {
            request_timeout: self.timeout(timeout).unwrap_or(TIMEOUT),
            ca_file: ca_file.and_then(|file| self.ca_file(file)),
        }
    }

    fn scim(&mut self, raw: RawSource, span: &Range<usize>) -> Option<SourceConfig> {
        let allow_http = raw.allow_http.as_ref().is_some_and(|allow| *allow.get_ref());
        if let Some(written) = &raw.scim_url
            && let Ok(url) = written.get_ref().parse::<ScimUrl>()
        {
            self.encrypted("scim-url", written.span(), &url, allow_http);
        }
        let authentication = RawAuthentication {
            scim_url: raw.scim_url,
            profile: raw.profile,
            oauth_access_token: raw.oauth_access_token,
            basic_auth_user: raw.basic_auth_user,
            basic_auth_password: raw.basic_auth_password,
            client_certificate: None,
            client_key: None,
        };
        let authentication = self.authentication(Some(Spanned::new(span.clone(), authentication)), true);
        let page_size = self.number("page-size", raw.page_size, 1, u16::MAX).and_then(NonZeroU16::new);
        let remote = self.remote_options(raw.request_timeout, raw.ca_file.as_ref());
        let filter = raw.filter.map(Spanned::into_inner).filter(|filter| !filter.trim().is_empty());
        let authentication = authentication?;
        let restriction = filter.as_ref().map_or_else(String::new, |filter| format!(" where {filter}"));
        let mut custom = self.attributes.custom().to_vec();
        custom.extend(further_attributes().map(str::to_owned));
        self.attributes = Attributes::with_custom(custom);
        Some(SourceConfig {
            identity: format!("scim:{}{restriction}", authentication.scim_url),
            kind: SourceKind::Scim(Box::new(ScimSource {
                authentication,
                paging: raw.paging.map_or(Paging::Auto, Spanned::into_inner),
                filter,
                page_size: page_size.or(NonZeroU16::new(SCIM_PAGE)).unwrap_or(NonZeroU16::MIN),
                remote,
            })),
            attributes: self.attributes.clone(),
            groups: None,
        })
    }
}
