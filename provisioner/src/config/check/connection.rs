//! `[connection]`: name, authentication, preferences and options.

use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use toml::Spanned;

use super::super::raw::{
    Profile, RawAuthentication, RawConnection, RawDuration, RawOptions, WrittenPreferences,
};
use super::super::secret::{RawSecret, look_up};
use super::super::{Authentication, Credentials, Network, Options, Problem};
use super::Checker;
use crate::audit::AuditOptions;
use crate::ids::{ScimUrl, UserName};
use crate::preferences::{Preferences, RawPreferences};
use crate::tls;

/// `[connection]` without contradictions.
pub(super) struct Connection {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) enabled: bool,
    pub(super) authentication: Authentication,
    pub(super) network: Network,
    pub(super) preferences: Preferences,
    pub(super) options: Options,
}

impl Checker<'_> {
    pub(super) fn connection(&mut self, raw: Option<RawConnection>) -> Option<Connection> {
        let Some(raw) = raw else {
            self.missing(
                "connection",
                None,
                "[connection] is missing".to_owned(),
                "begin with [connection], its name, [connection.authentication] and [connection.preferences]",
            );
            return None;
        };
        let name =
            self.text("name", raw.name, None, "give the connection a name: name = \"…\" under [connection]");
        let allow_http = raw.options.allow_http.unwrap_or(false) || self.is_left_out("allow-http", None);
        let (mut authentication, mut raw_options) = (raw.authentication, raw.options);
        let network = self.network(authentication.as_mut(), &mut raw_options);
        let authentication = self.authentication(authentication, allow_http);
        let preferences = self.preferences(&raw.preferences);
        let options = self.options(raw_options);
        Some(Connection {
            name: name?,
            description: raw.description,
            enabled: raw.enabled.unwrap_or(true),
            authentication: authentication?,
            network,
            preferences: preferences?,
            options,
        })
    }

    pub(super) fn authentication(
        &mut self,
        raw: Option<Spanned<RawAuthentication>>,
        allow_http: bool,
    ) -> Option<Authentication> {
        let Some(raw) = raw else {
            self.missing(
                "authentication",
                None,
                "[connection.authentication] is missing".to_owned(),
                "write it with scim-url, profile, and the credentials of the profile",
            );
            return None;
        };
        let span = raw.span();
        let raw = raw.into_inner();
        let scim_url = self.scim_url(raw.scim_url, &span, allow_http);
        let Some(profile) = raw.profile else {
            let help = "write profile = \"bearer-token\" with oauth-access-token, or profile = \"basic-auth\" with \
                        basic-auth-user and basic-auth-password";
            self.missing("profile", Some(&span), "`profile` is missing".to_owned(), help);
            return None;
        };
        let credentials = match profile.into_inner() {
            Profile::BearerToken => {
                self.foreign(
                    "basic-auth-user",
                    raw.basic_auth_user.as_ref().map(Spanned::span),
                    "bearer-token",
                );
                let password = raw.basic_auth_password.as_ref().map(Spanned::span);
                self.foreign("basic-auth-password", password, "bearer-token");
                let token = self.secret("oauth-access-token", raw.oauth_access_token, &span);
                token.map(|token| Credentials::Bearer { token })
            }
            Profile::BasicAuth => {
                let token = raw.oauth_access_token.as_ref().map(Spanned::span);
                self.foreign("oauth-access-token", token, "basic-auth");
                let user = self.basic_user(raw.basic_auth_user, &span);
                let password = self.secret("basic-auth-password", raw.basic_auth_password, &span);
                user.zip(password).map(|(user, password)| Credentials::Basic { user, password })
            }
        };
        Some(Authentication { scim_url: scim_url?, credentials: credentials? })
    }

    fn scim_url(
        &mut self,
        raw: Option<Spanned<String>>,
        parent: &Range<usize>,
        allow_http: bool,
    ) -> Option<ScimUrl> {
        let help = "write the SCIM URL of the application, as in scim-url = \"https://api.aquera.io/scim/\"";
        let span = raw.as_ref().map(Spanned::span);
        let url = self.text("scim-url", raw, Some(parent), help)?;
        match url.parse::<ScimUrl>() {
            Ok(url) if !url.is_https() && !url.is_loopback() && !allow_http => {
                self.report(
                    span,
                    "`scim-url` uses plain http to another host: the credentials can be read in transit",
                    "use https; or set allow-http = true under [connection.options] if the network is secured by other means",
                );
                None
            }
            Ok(url) => Some(url),
            Err(error) => {
                self.report(span, format!("invalid `scim-url`: {error}"), help);
                None
            }
        }
    }

    fn basic_user(&mut self, raw: Option<Spanned<String>>, parent: &Range<usize>) -> Option<String> {
        let span = raw.as_ref().map(Spanned::span);
        let help = "write the user of the application: basic-auth-user = \"…\"";
        let user = self.text("basic-auth-user", raw, Some(parent), help)?;
        if user.contains(':') || user.chars().any(char::is_control) {
            let help =
                "Basic authentication ends the user name at the first colon (RFC 7617 §2): use another user";
            self.report(span, "`basic-auth-user` has a colon or a control character in it", help);
            return None;
        }
        Some(user)
    }

    /// Reports a credential that belongs to the other profile.
    fn foreign(&mut self, option: &str, span: Option<Range<usize>>, profile: &str) {
        if span.is_some() {
            let other = if profile == "basic-auth" { "bearer-token" } else { "basic-auth" };
            self.report(
                span,
                format!("`{option}` does not apply to profile \"{profile}\""),
                format!("leave it out, or write profile = \"{other}\""),
            );
        }
    }

    pub(super) fn secret(
        &mut self,
        option: &str,
        raw: Option<Spanned<RawSecret>>,
        parent: &Range<usize>,
    ) -> Option<SecretString> {
        let Some(raw) = raw else {
            self.missing(
                option,
                Some(parent),
                format!("`{option}` is missing"),
                format!(
                    "write {option} = {{ env = \"NAME\" }}, {{ file = \"PATH\" }}, {{ command = [\"PROGRAM\"] }}, or a string"
                ),
            );
            return None;
        };
        let span = raw.span();
        if self.is_reported(&span) {
            return None;
        }
        match look_up(raw.into_inner(), option, self.folder, self.env) {
            // A token is sent in a header as it is; a password is encoded first.
            Ok(token)
                if option == "oauth-access-token" && !token.bytes().all(|byte| byte.is_ascii_graphic()) =>
            {
                let help = "a token has letters, digits and signs of ASCII only, and no blanks: see that all of it, and \
                            nothing else, was copied";
                self.report(Some(span), format!("`{option}` cannot be sent in a request"), help);
                None
            }
            Ok(secret) => Some(SecretString::from(secret)),
            Err((message, help)) => {
                self.report(Some(span), message, help);
                None
            }
        }
    }

    /// Whether a key in the value at `span`, such as an unknown key of a reference, was reported already.
    pub(super) fn is_reported(&self, span: &Range<usize>) -> bool {
        self.left_out.iter().any(|key| span.start <= key.span.start && key.span.end <= span.end)
    }

    fn preferences(&mut self, raw: &WrittenPreferences) -> Option<Preferences> {
        let on = |flag: &Option<Spanned<bool>>| flag.as_ref().is_some_and(|flag| *flag.get_ref());
        let settings = RawPreferences {
            enable_users_creation: on(&raw.enable_users_creation),
            enable_users_updation: on(&raw.enable_users_updation),
            enable_users_disable: on(&raw.enable_users_disable),
            enable_users_deprovision: on(&raw.enable_users_deprovision),
            remove_action: raw.remove_action.as_ref().map(|action| *action.get_ref()),
            deprovision_on_rule_deletion: on(&raw.deprovision_on_rule_deletion),
        };
        let contradictions = match Preferences::try_from(settings) {
            Ok(preferences) => return Some(preferences),
            Err(contradictions) => contradictions,
        };
        // A preference that could not be read is not known to be off.
        let names = [
            "enable-users-creation",
            "enable-users-updation",
            "enable-users-disable",
            "enable-users-deprovision",
            "remove-action",
            "deprovision-on-rule-deletion",
            "preferences",
        ];
        if names.iter().any(|name| self.is_left_out(name, None)) {
            return None;
        }
        for contradiction in contradictions {
            let span = match contradiction.option() {
                "enable-users-disable" => raw.enable_users_disable.as_ref().map(Spanned::span),
                "deprovision-on-rule-deletion" => {
                    raw.deprovision_on_rule_deletion.as_ref().map(Spanned::span)
                }
                // A Remove Action that is missing is shown where the need for it arises.
                _ => match &raw.remove_action {
                    Some(action) => Some(action.span()),
                    None => raw.enable_users_deprovision.as_ref().map(Spanned::span),
                },
            };
            let problem = Problem::new(contradiction.to_string(), contradiction.help(), span);
            self.problems.push(problem.of_option(contradiction.option()));
        }
        None
    }

    fn options(&mut self, raw: RawOptions) -> Options {
        let defaults = Options::default();
        let exclude = raw.exclude.into_iter().filter_map(|name| self.excluded(name)).collect();
        Options {
            update_method: raw.update_method.unwrap_or(defaults.update_method),
            clear_missing_attributes: raw
                .clear_missing_attributes
                .unwrap_or(defaults.clear_missing_attributes),
            external_id: raw.external_id.map_or(defaults.external_id, Spanned::into_inner),
            exclude,
            request_timeout: self.timeout(raw.request_timeout).unwrap_or(defaults.request_timeout),
            concurrency: self
                .number("concurrency", raw.concurrency, 1, 1_000)
                .and_then(NonZeroUsize::new)
                .unwrap_or(defaults.concurrency),
            max_removals: self
                .number("max-removals", raw.max_removals, 0, u32::MAX)
                .unwrap_or(defaults.max_removals),
            max_removals_percent: self
                .number("max-removals-percent", raw.max_removals_percent, 0, 100)
                .unwrap_or(defaults.max_removals_percent),
            max_attempts: self
                .number("max-attempts", raw.max_attempts, 1, 100)
                .and_then(NonZeroU32::new)
                .unwrap_or(defaults.max_attempts),
            retry_after_cap: raw.retry_after_cap.map_or(defaults.retry_after_cap, |cap| cap.into_inner().0),
            requests_per_second: self
                .number("requests-per-second", raw.requests_per_second, 1, 1_000_000)
                .and_then(NonZeroU32::new),
            ca_file: raw.ca_file.and_then(|file| self.ca_file(&file)),
            allow_http: raw.allow_http.unwrap_or(defaults.allow_http),
            audit: AuditOptions {
                values: raw.audit_values.unwrap_or(defaults.audit.values),
                retention_days: self
                    .number("audit-retention-days", raw.audit_retention_days, 0, 100_000)
                    .unwrap_or(defaults.audit.retention_days),
            },
            member_dialect: raw.member_dialect.unwrap_or(defaults.member_dialect),
            member_chunk: self
                .number("member-chunk", raw.member_chunk, 1, 100_000)
                .and_then(NonZeroUsize::new),
            max_group_removals: self
                .number("max-group-removals", raw.max_group_removals, 0, u32::MAX)
                .unwrap_or(defaults.max_group_removals),
        }
    }

    fn excluded(&mut self, name: Spanned<String>) -> Option<UserName> {
        let span = name.span();
        let parsed = name.into_inner().parse().ok();
        if parsed.is_none() {
            self.report(
                Some(span),
                "`exclude` has an empty user name in it",
                "write the userName of an account that is never to be touched, or leave it out",
            );
        }
        parsed
    }

    pub(super) fn ca_file(&mut self, raw: &Spanned<String>) -> Option<PathBuf> {
        let file = self.folder.join(raw.get_ref());
        match tls::read_certificates(&file) {
            Ok(_) => Some(file),
            Err(error) => {
                self.report(
                    Some(raw.span()),
                    format!("invalid `ca-file`: {error}"),
                    "name a PEM file with the certificate of the authority, or of the server itself; a relative path starts at \
                     the folder of the configuration",
                );
                None
            }
        }
    }

    pub(super) fn timeout(&mut self, raw: Option<Spanned<RawDuration>>) -> Option<Duration> {
        let raw = raw?;
        if raw.get_ref().0.is_zero() {
            let help = "write how long a request may take, as in request-timeout = \"30s\"";
            self.report(Some(raw.span()), "`request-timeout` is zero", help);
        }
        Some(raw.into_inner().0)
    }

    /// Reads a number within inclusive bounds.
    pub(super) fn number<T>(
        &mut self,
        option: &str,
        raw: Option<Spanned<i64>>,
        least: i64,
        most: T,
    ) -> Option<T>
    where
        T: Copy + TryFrom<i64> + PartialOrd + std::fmt::Display,
    {
        let raw = raw?;
        let number = *raw.get_ref();
        if let Some(fit) = T::try_from(number).ok().filter(|fit| number >= least && *fit <= most) {
            return Some(fit);
        }
        let help = format!("write a number from {least} to {most}, or leave it out for the default");
        self.report(Some(raw.span()), format!("`{option}` cannot be {number}"), help);
        None
    }
}
