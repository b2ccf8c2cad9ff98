//! The settings that were in force, without secrets.

use crate::config::{Config, Credentials};
use crate::preferences::RawPreferences;
use crate::report::word;

/// One setting.
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) value: String,
}

/// Returns the settings of a configuration.
pub(super) fn settings(config: &Config) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut add = |name: &str, value: String| settings.push(Setting { name: name.to_owned(), value });
    let profile = match &config.authentication.credentials {
        Credentials::Basic { .. } => "basic-auth",
        Credentials::Bearer { .. } => "bearer-token",
    };
    add("profile", profile.to_owned());
    let preferences = RawPreferences::from(config.preferences);
    add("enable-users-creation", preferences.enable_users_creation.to_string());
    add("enable-users-updation", preferences.enable_users_updation.to_string());
    add("enable-users-disable", preferences.enable_users_disable.to_string());
    add("enable-users-deprovision", preferences.enable_users_deprovision.to_string());
    let remove = preferences.remove_action.map_or_else(|| "not set".to_owned(), |action| word(&action));
    add("remove-action", remove);
    add("deprovision-on-rule-deletion", preferences.deprovision_on_rule_deletion.to_string());
    let options = &config.options;
    add("update-method", word(&options.update_method));
    add("clear-missing-attributes", options.clear_missing_attributes.to_string());
    add("external-id", options.external_id.to_string());
    add("exclude", format!("{} user names", options.exclude.len()));
    add("max-removals", options.max_removals.to_string());
    add("max-removals-percent", options.max_removals_percent.to_string());
    add("concurrency", options.concurrency.to_string());
    add("request-timeout", format!("{:?}", options.request_timeout));
    add("max-attempts", options.max_attempts.to_string());
    add("allow-http", options.allow_http.to_string());
    add("allow-private", config.network.allow_private.to_string());
    add("audit-values", options.audit.values.to_string());
    add("audit-retention-days", options.audit.retention_days.to_string());
    let proxy = config.network.proxy.as_ref().map_or("from the environment", |proxy| proxy.url.as_str());
    add("proxy", proxy.to_owned());
    let certificate = if config.network.identity.is_some() { "shown" } else { "none" };
    add("client-certificate", certificate.to_owned());
    for rule in &config.rules {
        let filter = rule.filter.as_ref().map_or_else(|| "everyone".to_owned(), ToString::to_string);
        let state = if rule.enabled { "" } else { " (off)" };
        add(&format!("rule {}{state}", rule.name), filter);
    }
    for rule in &config.group_rules {
        let filter = rule.filter.as_ref().map_or_else(|| "all groups".to_owned(), ToString::to_string);
        let state = if rule.enabled { "" } else { " (off)" };
        add(&format!("group rule {}{state}", rule.name), filter);
    }
    if !config.group_rules.is_empty() {
        add("max-group-removals", options.max_group_removals.to_string());
    }
    settings
}
