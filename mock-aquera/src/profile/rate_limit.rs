//! `[[rate-limit]]`: how many requests are let in. [`super::rate`] counts them.

use std::fmt;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::period::Period;
use super::switch::switches;

/// A bucket of tokens that requests take from, or a number of requests at once, or both.
#[derive(Debug, Clone, PartialEq, Eq, SmartDefault, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RateLimit {
    /// Who shares a bucket.
    pub per: RatePer,
    /// Which requests count.
    pub methods: RateMethods,
    /// Only requests for this resource type count, `User` or `Group`, say. Absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    /// How many requests a window refills. Absent: only `max-concurrent` limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<NonZeroU32>,
    /// How long it takes to refill an empty bucket by `requests`.
    #[default(Period::from_secs(60))]
    pub window: Period,
    /// How many requests may come at once. Absent: as many as `requests`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<NonZeroU32>,
    /// How many requests may be on their way at the same time. Absent: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<NonZeroU32>,
    /// The status of an answer to one too many.
    #[schemars(range(min = 400, max = 599))]
    #[default(429)]
    pub status: u16,
    /// What `Retry-After` says.
    pub retry_after: RetryAfter,
}

impl RateLimit {
    /// What can't be meant, in words.
    pub(super) fn complaint(&self) -> Option<&'static str> {
        if self.requests.is_none() && self.max_concurrent.is_none() {
            Some("a rate limit needs `requests` or `max-concurrent`")
        } else if self.burst.is_some() && self.requests.is_none() {
            Some("a `burst` needs `requests`")
        } else if self.window.is_zero() {
            Some("the `window` of a rate limit can't be empty")
        } else if !(400..=599).contains(&self.status) {
            Some("the `status` of a rate limit is from 400 to 599")
        } else {
            None
        }
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = match self.methods {
            RateMethods::All => "requests",
            RateMethods::Reads => "reads",
            RateMethods::Writes => "writes",
            RateMethods::Post => "POSTs",
            RateMethods::Put => "PUTs",
            RateMethods::Patch => "PATCHes",
            RateMethods::Delete => "DELETEs",
        };
        let limits = [
            self.requests.map(|requests| format!("{requests} in {}", self.window)),
            self.burst.map(|burst| format!("{burst} in a row")),
            self.max_concurrent.map(|most| format!("{most} at once")),
        ];
        let limits: Vec<String> = limits.into_iter().flatten().collect();
        let of = self.resource_type.as_ref().map(|name| format!(" for {name}")).unwrap_or_default();
        let Self { per, status, .. } = self;
        write!(f, "{counted}{of}: {} per {}, then {status}", limits.join(", "), per.as_str())?;
        match self.retry_after {
            RetryAfter::Missing => write!(f, " without Retry-After"),
            kind => write!(f, " with Retry-After as {}", kind.as_str()),
        }
    }
}

switches! {
    /// Who shares a bucket.
    RatePer {
        /// Whoever uses the same credentials.
        Token = "token",
        /// Whoever asks the same endpoint.
        Route = "route",
        /// Everybody.
        Application = "application",
    }

    /// Which requests count.
    RateMethods {
        /// All.
        All = "all",
        /// GET, and POST on `/.search`.
        Reads = "reads",
        /// POST, PUT, PATCH and DELETE.
        Writes = "writes",
        /// POST, save on `/.search`.
        Post = "post",
        /// PUT.
        Put = "put",
        /// PATCH.
        Patch = "patch",
        /// DELETE.
        Delete = "delete",
    }

    /// What `Retry-After` says (RFC 9110 §10.2.3).
    RetryAfter {
        /// The seconds to wait.
        Seconds = "seconds",
        /// The instant to wait for.
        Date = "date",
        /// 0, though it will not do.
        Zero = "zero",
        /// Nothing: it is left out.
        Missing = "missing",
        /// Half of the seconds to wait.
        TooShort = "too-short",
        /// -1.
        Negative = "negative",
        /// What is neither a number nor a date.
        Garbage = "garbage",
    }
}
