//! The questions about the source of the users.

use std::io::BufRead;

use toml_edit::Value;

use super::prompt::{Prompt, PromptError};

/// Asks where the users are, and returns the table [source].
pub(super) fn ask<R: BufRead>(prompt: &mut Prompt<R>) -> Result<String, PromptError> {
    let question = "File with the users (NDJSON, JSON or CSV), or one of the words pingone and scim";
    let answer = prompt.text(question, Some("users.ndjson"))?;
    let quoted = |text: &str| Value::from(text).to_string();
    let lines = match answer.as_str() {
        "pingone" => {
            let environment = prompt.text("Environment id", None)?;
            let region = prompt.one_of("Region", &["na", "eu", "ca", "asia", "au"])?;
            let client = prompt.text("Client id of the worker application", None)?;
            let secret =
                prompt.text("Environment variable with its client secret", Some("PINGONE_CLIENT_SECRET"))?;
            let population = prompt.text("Population of the users (empty for all)", Some(""))?;
            let mut lines = vec![
                "kind = \"pingone\"".to_owned(),
                format!("environment-id = {}", quoted(&environment)),
                format!("region = \"{region}\""),
                format!("client-id = {}", quoted(&client)),
                format!("client-secret = {{ env = {} }}", quoted(&secret)),
            ];
            if !population.is_empty() {
                lines.push(format!("populations = [{}]", quoted(&population)));
            }
            lines
        }
        "scim" => {
            let url = prompt.text("SCIM URL of the source", None)?;
            let token = prompt.text("Environment variable with its token", Some("SOURCE_TOKEN"))?;
            vec![
                "kind = \"scim\"".to_owned(),
                format!("scim-url = {}", quoted(&url)),
                "profile = \"bearer-token\"".to_owned(),
                format!("oauth-access-token = {{ env = {} }}", quoted(&token)),
            ]
        }
        file => vec!["kind = \"file\"".to_owned(), format!("path = {}", quoted(file))],
    };
    Ok(format!("[source]\n{}\n", lines.join("\n")))
}
