//! The access token of a worker application: client credentials (RFC 6749 §4.4), renewed before it expires.

use std::time::{Duration, SystemTime};

use reqwest::header;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::PingOneReader;
use crate::source::{RemoteProblem, SourceProblem};

/// A token this close to its end is renewed.
const MARGIN: Duration = Duration::from_secs(30);
/// The lifetime of a token that does not tell it.
const LIFETIME: u64 = 300;

/// A token, and when it is to be renewed.
pub(super) struct Token {
    pub(super) secret: SecretString,
    renewed_at: SystemTime,
}

impl PingOneReader {
    /// Returns a token that is valid for a while.
    pub(super) async fn token(&mut self) -> Result<&Token, SourceProblem> {
        let now = self.remote.now();
        let token = match self.token.take() {
            Some(token) if token.renewed_at > now => token,
            Some(_) | None => self.new_token(now).await?,
        };
        Ok(self.token.insert(token))
    }

    async fn new_token(&mut self, now: SystemTime) -> Result<Token, SourceProblem> {
        let (url, id) = (self.source.token_url(), self.source.client_id.clone());
        let secret = self.source.client_secret.clone();
        let build = |http: &reqwest::Client| {
            http.post(url.clone())
                .basic_auth(&id, Some(secret.expose_secret()))
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body("grant_type=client_credentials")
        };
        let answer = self.remote.send(build).await?;
        let what = "the request for an access token";
        let body = match answer.success(what, &[secret.expose_secret()]) {
            Ok(body) => body,
            // RFC 6749 §5.2: an unknown client may be answered 400.
            Err(RemoteProblem::BadRequest(told)) if told.contains("invalid_client") => {
                return Err(RemoteProblem::Unauthorized(told).into());
            }
            Err(problem) => return Err(problem.into()),
        };
        let token = body.get("access_token").and_then(Value::as_str);
        let token =
            token.filter(|token| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
        let Some(token) = token else {
            return Err(
                RemoteProblem::Answer(format!("{what} was answered without an `access_token`")).into()
            );
        };
        let lifetime =
            Duration::from_secs(body.get("expires_in").and_then(Value::as_u64).unwrap_or(LIFETIME));
        let renewed_at =
            now + lifetime.saturating_sub(MARGIN).max(lifetime / 2).min(Duration::from_hours(24));
        Ok(Token { secret: SecretString::from(token), renewed_at })
    }
}
