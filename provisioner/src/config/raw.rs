//! The file as it is written: keys and types. Their meaning is checked afterwards, all at once, so nearly everything here
//! is optional.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use toml::Spanned;

use super::secret::RawSecret;
use super::source::Paging;
use super::{MemberDialect, UpdateMethod};
use crate::policy::groups::{GroupDeletion, MembersMode};
use crate::preferences::RemoveAction;
use crate::source::groups::Memberships;

type Maybe<T> = Option<Spanned<T>>;

#[derive(serde::Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "the tables [connection], [source], [[rule]] and [[group-rule]]"
)]
pub(super) struct RawFile {
    pub(super) connection: Option<RawConnection>,
    pub(super) source: Maybe<RawSource>,
    pub(super) watch: Maybe<RawWatch>,
    #[serde(default)]
    pub(super) rule: Vec<Spanned<RawRule>>,
    #[serde(default)]
    pub(super) group_rule: Vec<Spanned<RawGroupRule>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "the table [connection]")]
pub(super) struct RawConnection {
    pub(super) name: Maybe<String>,
    pub(super) description: Option<String>,
    pub(super) enabled: Option<bool>,
    pub(super) authentication: Maybe<RawAuthentication>,
    #[serde(default)]
    pub(super) preferences: WrittenPreferences,
    #[serde(default)]
    pub(super) options: RawOptions,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [connection.authentication]")]
pub(super) struct RawAuthentication {
    pub(super) scim_url: Maybe<String>,
    pub(super) profile: Maybe<Profile>,
    pub(super) oauth_access_token: Maybe<RawSecret>,
    pub(super) basic_auth_user: Maybe<String>,
    pub(super) basic_auth_password: Maybe<RawSecret>,
    pub(super) client_certificate: Maybe<RawSecret>,
    pub(super) client_key: Maybe<RawSecret>,
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Profile {
    BearerToken,
    BasicAuth,
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [connection.preferences]")]
pub(super) struct WrittenPreferences {
    pub(super) enable_users_creation: Maybe<bool>,
    pub(super) enable_users_updation: Maybe<bool>,
    pub(super) enable_users_disable: Maybe<bool>,
    pub(super) enable_users_deprovision: Maybe<bool>,
    pub(super) remove_action: Maybe<RemoveAction>,
    pub(super) deprovision_on_rule_deletion: Maybe<bool>,
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [connection.options]")]
pub(super) struct RawOptions {
    pub(super) update_method: Option<UpdateMethod>,
    pub(super) clear_missing_attributes: Option<bool>,
    pub(super) external_id: Maybe<bool>,
    #[serde(default)]
    pub(super) exclude: Vec<Spanned<String>>,
    pub(super) request_timeout: Maybe<RawDuration>,
    pub(super) concurrency: Maybe<i64>,
    pub(super) max_removals: Maybe<i64>,
    pub(super) max_removals_percent: Maybe<i64>,
    pub(super) max_attempts: Maybe<i64>,
    pub(super) retry_after_cap: Maybe<RawDuration>,
    pub(super) requests_per_second: Maybe<i64>,
    pub(super) ca_file: Maybe<String>,
    pub(super) allow_http: Option<bool>,
    pub(super) allow_private: Option<bool>,
    pub(super) audit_values: Option<bool>,
    pub(super) audit_retention_days: Maybe<i64>,
    pub(super) proxy: Maybe<String>,
    pub(super) proxy_user: Maybe<String>,
    pub(super) proxy_password: Maybe<RawSecret>,
    pub(super) member_dialect: Option<MemberDialect>,
    pub(super) member_chunk: Maybe<i64>,
    pub(super) max_group_removals: Maybe<i64>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [source]")]
pub(super) struct RawSource {
    pub(super) kind: Option<RawSourceKind>,
    pub(super) path: Maybe<String>,
    pub(super) environment_id: Maybe<String>,
    pub(super) region: Maybe<Region>,
    pub(super) base_url: Maybe<String>,
    pub(super) auth_url: Maybe<String>,
    pub(super) client_id: Maybe<String>,
    pub(super) client_secret: Maybe<RawSecret>,
    pub(super) populations: Maybe<Vec<String>>,
    pub(super) members_of: Maybe<Vec<String>>,
    pub(super) scim_url: Maybe<String>,
    pub(super) profile: Maybe<Profile>,
    pub(super) oauth_access_token: Maybe<RawSecret>,
    pub(super) basic_auth_user: Maybe<String>,
    pub(super) basic_auth_password: Maybe<RawSecret>,
    pub(super) paging: Maybe<Paging>,
    pub(super) filter: Maybe<String>,
    pub(super) page_size: Maybe<i64>,
    pub(super) request_timeout: Maybe<RawDuration>,
    pub(super) ca_file: Maybe<String>,
    pub(super) allow_http: Maybe<bool>,
    #[serde(default)]
    pub(super) custom_attributes: Vec<Spanned<String>>,
    pub(super) groups: Maybe<String>,
    pub(super) memberships: Maybe<Memberships>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [watch]")]
pub(super) struct RawWatch {
    pub(super) webhook_header: Maybe<String>,
    pub(super) webhook_secret: Maybe<RawSecret>,
    pub(super) webhook_user: Maybe<String>,
    pub(super) webhook_password: Maybe<RawSecret>,
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawSourceKind {
    File,
    Pingone,
    Scim,
}

/// A region of PingOne.
#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Region {
    Na,
    Eu,
    Ca,
    Asia,
    Au,
}

impl Region {
    /// Returns the top-level domain of its servers.
    pub(super) const fn domain(self) -> &'static str {
        match self {
            Self::Na => "com",
            Self::Eu => "eu",
            Self::Ca => "ca",
            Self::Asia => "asia",
            Self::Au => "com.au",
        }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table [[rule]]")]
pub(super) struct RawRule {
    pub(super) name: Maybe<String>,
    pub(super) enabled: Option<bool>,
    pub(super) filter: Maybe<String>,
    #[serde(default)]
    pub(super) mapping: Vec<Spanned<RawMapping>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table [[group-rule]]")]
pub(super) struct RawGroupRule {
    pub(super) name: Maybe<String>,
    pub(super) enabled: Option<bool>,
    pub(super) filter: Maybe<String>,
    pub(super) name_source: Maybe<RawNameSource>,
    pub(super) name_expression: Maybe<String>,
    pub(super) members: Option<MembersMode>,
    pub(super) create: Option<bool>,
    pub(super) update: Option<bool>,
    pub(super) deletion: Option<GroupDeletion>,
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawNameSource {
    Name,
    DisplayName,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table [[rule.mapping]]")]
pub(super) struct RawMapping {
    pub(super) source: Maybe<String>,
    pub(super) expression: Maybe<String>,
    pub(super) target: Maybe<String>,
}

/// A time span: seconds, or a text such as "30s" or "2m".
#[derive(Clone, Copy)]
pub(super) struct RawDuration(pub(super) Duration);

impl<'de> Deserialize<'de> for RawDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DurationVisitor).map(Self)
    }
}

struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time such as \"30s\" or \"2m\", or a number of seconds")
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Duration, E> {
        let found = de::Unexpected::Signed(seconds);
        u64::try_from(seconds).map(Duration::from_secs).map_err(|_| E::invalid_value(found, &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        let parsed = text.parse::<jiff::SignedDuration>().ok();
        parsed
            .and_then(|span| Duration::try_from(span).ok())
            .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}
