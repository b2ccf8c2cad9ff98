//! `[watch]`.

use toml::Spanned;

use super::super::raw::RawWatch;
use super::super::webhook::WebhookCredentials;
use super::Checker;

impl Checker<'_> {
    pub(super) fn watch(&mut self, raw: Option<Spanned<RawWatch>>) -> Option<WebhookCredentials> {
        let raw = raw?;
        let span = raw.span();
        let RawWatch { webhook_header, webhook_secret, webhook_user, webhook_password } = raw.into_inner();
        let help = "write webhook-header and webhook-secret, or webhook-user and webhook-password, as they are set up in PingOne";
        if webhook_header.is_some() || webhook_secret.is_some() {
            if let Some(user) =
                webhook_user.as_ref().map(Spanned::span).or(webhook_password.as_ref().map(Spanned::span))
            {
                self.report(Some(user), "webhooks have either a header or a user", help);
            }
            let name_span = webhook_header.as_ref().map(Spanned::span);
            let name = self.text("webhook-header", webhook_header, Some(&span), help);
            let secret = self.secret("webhook-secret", webhook_secret, &span);
            let is_name = |name: &String| reqwest::header::HeaderName::try_from(name.as_str()).is_ok();
            if name.as_ref().is_some_and(|name| !is_name(name)) {
                self.report(
                    name_span,
                    "`webhook-header` is no name of a header",
                    "write it as in webhook-header = \"X-Webhook-Key\"",
                );
            }
            return name.zip(secret).map(|(name, secret)| WebhookCredentials::Header { name, secret });
        }
        if webhook_user.is_some() || webhook_password.is_some() {
            let user = self.text("webhook-user", webhook_user, Some(&span), help);
            let password = self.secret("webhook-password", webhook_password, &span);
            return user.zip(password).map(|(user, password)| WebhookCredentials::Basic { user, password });
        }
        None
    }
}
