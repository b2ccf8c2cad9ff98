//! The configuration file: `[connection]`, `[source]` and `[[rule]]`, in TOML.
//!
//! A [`Config`] is complete and free of contradictions, its secrets looked up and its relative paths resolved. Every
//! problem of a file is reported at once, each with its place and a way out. Neither the source nor the target is read
//! here.

mod check;
mod error;
mod location;
mod network;
mod push_down;
mod raw;
mod redact;
mod secret;
mod source;
mod tolerant;
mod webhook;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

pub(crate) use check::Argument;
pub use error::{ConfigError, Problem};
pub use network::{Network, Proxy};
pub use source::{Paging, PingOneSource, RemoteOptions, ScimSource, SourceConfig, SourceKind};
pub use webhook::WebhookCredentials;

use crate::audit::AuditOptions;
use crate::group_rule::GroupRule;
use crate::ids::{ScimUrl, UserName};
use crate::preferences::Preferences;
use crate::rule::Rule;
use crate::source::fingerprint;

/// A connection with its source and its rules.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// The connection's name.
    pub name: String,
    /// The description of the connection.
    pub description: Option<String>,
    /// The toggle: off, and nothing is sent.
    pub enabled: bool,
    /// The SCIM URL and the credentials.
    pub authentication: Authentication,
    /// The way to the target.
    pub network: Network,
    /// The connection preferences.
    pub preferences: Preferences,
    /// The options beyond the preferences.
    pub options: Options,
    /// The source of the users.
    pub source: SourceConfig,
    /// The rules, in the order of the file; no two share a name.
    pub rules: Vec<Rule>,
    /// The credentials of webhooks, if any are awaited.
    pub webhook: Option<WebhookCredentials>,
    /// The group rules, in the order of the file; no two share a name.
    pub group_rules: Vec<GroupRule>,
}

/// The SCIM URL and the credentials for it.
#[derive(Debug, Clone)]
pub struct Authentication {
    /// The base URL of the SCIM service.
    pub scim_url: ScimUrl,
    /// The connection profile with its secrets.
    pub credentials: Credentials,
}

/// The connection profile: the credentials of a request.
#[derive(Clone)]
pub enum Credentials {
    /// Basic Auth (RFC 7617).
    Basic {
        /// The user, without a colon.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// Bearer Token (RFC 6750).
    Bearer {
        /// The token.
        token: SecretString,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { user, .. } => {
                f.debug_struct("Basic").field("user", user).field("password", &"[redacted]").finish()
            }
            Self::Bearer { .. } => f.debug_struct("Bearer").field("token", &"[redacted]").finish(),
        }
    }
}

impl Authentication {
    /// Returns 32 hex characters that change with the URL, the profile, the user or the secret.
    ///
    /// Of the secret only 32 bits of a digest go in: enough to notice a change, too little to find the secret by.
    pub fn fingerprint(&self) -> String {
        let (profile, user, secret) = match &self.credentials {
            Credentials::Basic { user, password } => ("basic-auth", user.as_str(), password),
            Credentials::Bearer { token } => ("bearer-token", "", token),
        };
        let secret = fingerprint(["secret", secret.expose_secret()]);
        fingerprint([self.scim_url.as_str(), profile, user, secret.get(..8).unwrap_or_default()])
    }
}

/// The options beyond the preferences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The method by which an existing account is written.
    pub update_method: UpdateMethod,
    /// Whether an attribute that is gone at the source is cleared at the target.
    pub clear_missing_attributes: bool,
    /// Whether `externalId` is written where no rule maps it: the source id.
    pub external_id: bool,
    /// User names that are never touched.
    pub exclude: BTreeSet<UserName>,
    /// The maximum duration of one request.
    pub request_timeout: Duration,
    /// The number of users that are processed in parallel.
    pub concurrency: NonZeroUsize,
    /// The number of removals within 24 hours that the delete guard allows.
    pub max_removals: u32,
    /// The share of the managed accounts, in percent, whose removal within 24 hours the delete guard allows.
    pub max_removals_percent: u8,
    /// The maximum number of attempts of one request.
    pub max_attempts: NonZeroU32,
    /// The longest wait that a Retry-After is granted.
    pub retry_after_cap: Duration,
    /// The maximum number of requests that all workers of a run send per second; unlimited unless it is set.
    pub requests_per_second: Option<NonZeroU32>,
    /// Certificates that are trusted beside the system's, as PEM.
    pub ca_file: Option<PathBuf>,
    /// Whether plain `http` is spoken to another machine.
    pub allow_http: bool,
    /// What the audit log keeps.
    pub audit: AuditOptions,
    /// The form in which members are removed from a group.
    pub member_dialect: MemberDialect,
    /// The number of members that one request adds or removes; `None` to find out what the target takes.
    pub member_chunk: Option<NonZeroUsize>,
    /// The number of groups whose deletion within 24 hours the delete guard allows.
    pub max_group_removals: u32,
}

/// The form in which a PATCH removes members from a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberDialect {
    /// Find out which one the target takes.
    Auto,
    /// `"path": "members[value eq \"…\"]"`, an operation a member (RFC 7644 §3.5.2.2).
    Path,
    /// `"path": "members"` with the members in `value`, which many vendors expect.
    Value,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            update_method: UpdateMethod::Auto,
            clear_missing_attributes: false,
            external_id: true,
            exclude: BTreeSet::new(),
            request_timeout: Duration::from_secs(30),
            concurrency: NonZeroUsize::MIN.saturating_add(7),
            max_removals: 500,
            max_removals_percent: 20,
            max_attempts: NonZeroU32::MIN.saturating_add(4),
            retry_after_cap: Duration::from_mins(2),
            requests_per_second: None,
            ca_file: None,
            allow_http: false,
            member_dialect: MemberDialect::Auto,
            member_chunk: None,
            max_group_removals: 10,
            audit: AuditOptions::default(),
        }
    }
}

/// The method by which an existing account is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateMethod {
    /// Read, merge, and replace the whole user.
    Put,
    /// Send the differences.
    Patch,
    /// Find out which of the two the target can do.
    Auto,
}

impl Config {
    /// Reads and parses a configuration file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no valid configuration.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        Self::parse(&read(file)?, file)
    }

    /// Parses the text of a configuration; relative paths in it start at the folder of `file`.
    ///
    /// # Errors
    ///
    /// The text is no valid configuration, or a secret that it refers to is not there.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        Self::parse_with(text, file, &|name| std::env::var(name).ok())
    }

    /// Parses a configuration as [`Config::parse`] does, with environment variables looked up by `env`.
    ///
    /// # Errors
    ///
    /// As [`Config::parse`].
    pub fn parse_with(
        text: &str,
        file: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        Self::examine(text, file, env).0
    }

    /// Loads a configuration as [`Config::load`] does, with the source of the file, which may be valid although the rest
    /// is not.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub(crate) fn load_with_source(file: &Path) -> (Result<Self, ConfigError>, Option<SourceConfig>) {
        match read(file) {
            Ok(text) => Self::examine(&text, file, &|name| std::env::var(name).ok()),
            Err(error) => (Err(error), None),
        }
    }

    fn examine(
        text: &str,
        file: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> (Result<Self, ConfigError>, Option<SourceConfig>) {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (config, source) = match tolerant::parse(text) {
            Ok(tolerant) => check::config(tolerant, text, file, env),
            Err(problems) => {
                (Err(problems), tolerant::source_of(text).and_then(|raw| check::source(raw, file)))
            }
        };
        (config.map_err(|problems| ConfigError::invalid(file, text, problems)), source)
    }
}

fn read(file: &Path) -> Result<String, ConfigError> {
    let bytes = fs::read(file).map_err(|error| ConfigError::unreadable(file, &error))?;
    String::from_utf8(bytes).map_err(|_| ConfigError::not_utf8(file))
}
