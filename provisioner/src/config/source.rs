//! `[source]`: where the users are.

use std::fmt;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::Authentication;
use crate::ids::ScimUrl;
use crate::source::Attributes;
use crate::source::groups::GroupSource;

/// The source of the users.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// The kind of the source, with what is needed to read it.
    pub kind: SourceKind,
    /// What the source is, as it was written: another identity than that of the last run is another source.
    pub identity: String,
    /// The attributes that filters and mappings may name.
    pub attributes: Attributes,
    /// The groups, where there are any.
    pub groups: Option<GroupSource>,
}

/// The sorts of source.
#[derive(Debug, Clone)]
pub enum SourceKind {
    /// An NDJSON, JSON or CSV file, or a directory of pages; relative paths are resolved against the folder of the
    /// configuration.
    File(PathBuf),
    /// A PingOne environment.
    PingOne(Box<PingOneSource>),
    /// A SCIM server.
    Scim(Box<ScimSource>),
}

/// The users of a PingOne environment.
#[derive(Clone)]
pub struct PingOneSource {
    /// The base of the platform API, as in `https://api.pingone.eu/v1`.
    pub base_url: ScimUrl,
    /// The base of the authorization server, as in `https://auth.pingone.eu`.
    pub auth_url: ScimUrl,
    /// The id of the environment.
    pub environment_id: String,
    /// The client id of the worker application.
    pub client_id: String,
    /// Its client secret.
    pub client_secret: SecretString,
    /// The names of the populations that the source has; empty for all.
    pub populations: Vec<String>,
    /// The names of the groups of which a user has to be in one; empty for all users.
    pub groups: Vec<String>,
    /// The part of the rules' filters that the API takes; `None` for all users.
    pub pushed_down: Option<String>,
    /// Users of a page.
    pub page_size: NonZeroU16,
    /// The settings of requests.
    pub remote: RemoteOptions,
}

impl PingOneSource {
    /// Returns the token endpoint.
    pub fn token_url(&self) -> Url {
        self.auth_url.resource(&[&self.environment_id, "as", "token"])
    }
}

impl fmt::Debug for PingOneSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PingOneSource")
            .field("base_url", &self.base_url.as_str())
            .field("environment_id", &self.environment_id)
            .field("client_id", &self.client_id)
            .field("client_secret", &"[redacted]")
            .field("pushed_down", &self.pushed_down)
            .finish_non_exhaustive()
    }
}

/// The users of a SCIM server.
#[derive(Debug, Clone)]
pub struct ScimSource {
    /// The SCIM URL and the credentials.
    pub authentication: Authentication,
    /// The way to the next page.
    pub paging: Paging,
    /// A filter in the server's own attributes; `None` for all users.
    pub filter: Option<String>,
    /// Users that are asked for per page.
    pub page_size: NonZeroU16,
    /// The settings of requests.
    pub remote: RemoteOptions,
}

/// The way to the next page of a SCIM server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Paging {
    /// By cursor if the server says that it can, by index otherwise.
    Auto,
    /// `startIndex` (RFC 7644 §3.4.2.4).
    Index,
    /// `cursor` (RFC 9865).
    Cursor,
}

/// The settings of requests to a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteOptions {
    /// The maximum duration of one request.
    pub request_timeout: Duration,
    /// Certificates that are trusted beside the system's, as PEM.
    pub ca_file: Option<PathBuf>,
}

impl SourceConfig {
    /// Returns the place of the source, for messages.
    pub fn place(&self) -> String {
        match &self.kind {
            SourceKind::File(path) => path.display().to_string(),
            SourceKind::PingOne(source) => {
                let url = source.base_url.resource(&["environments", &source.environment_id, "users"]);
                url.to_string()
            }
            SourceKind::Scim(source) => source.authentication.scim_url.resource(&["Users"]).to_string(),
        }
    }

    /// Returns the file or directory of the users, if the source has one.
    pub fn path(&self) -> Option<&std::path::Path> {
        match &self.kind {
            SourceKind::File(path) => Some(path),
            SourceKind::PingOne(_) | SourceKind::Scim(_) => None,
        }
    }

    /// Returns the file of the groups, if the source has one.
    pub fn groups_path(&self) -> Option<&std::path::Path> {
        self.groups.as_ref().and_then(|groups| groups.place.file())
    }

    /// Returns the source with users in and out of the rules' scope.
    pub(crate) fn without_push_down(&self) -> Self {
        let mut all = self.clone();
        if let SourceKind::PingOne(source) = &mut all.kind {
            source.pushed_down = None;
        }
        all
    }
}

/// Returns the attributes of a SCIM user that PingOne's users have no name for.
pub(super) fn further_attributes() -> impl Iterator<Item = &'static str> {
    const FURTHER: [&str; 8] = [
        "displayName",
        "profileUrl",
        "employeeNumber",
        "costCenter",
        "organization",
        "division",
        "department",
        "manager",
    ];
    FURTHER.into_iter()
}
