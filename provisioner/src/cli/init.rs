//! `provisioner init`: asks for a connection, tests it, and writes the configuration.

mod prompt;
mod source;

use std::fs;
use std::io::{self, BufRead, IsTerminal as _};
use std::path::{Path, PathBuf};

use clap::Args;
use toml_edit::Value;

pub(super) use self::prompt::Prompt;
use self::prompt::PromptError;
use super::output::Output;
use crate::causes::with_cause;
use crate::config::{Config, ConfigError};
use crate::engine::{Environment, Provisioner};
use crate::exit::Exit;
use crate::ids::ScimUrl;
use crate::preferences::{Preferences, RawPreferences, RemoveAction};
use crate::state::store::StoreError;
use crate::target::connection_test::TestFailure;
use crate::transport::TransportError;

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The configuration file to write.
    #[arg(short, long, value_name = "FILE", default_value = "./aquera.toml")]
    config: PathBuf,
    /// Overwrites an existing file.
    #[arg(long)]
    force: bool,
}

/// The authentication of the connection, and the place of its secret.
enum Authentication {
    Bearer { token: Secret },
    Basic { user: String, password: Secret },
}

/// The place of a secret.
enum Secret {
    /// In this environment variable.
    Env(String),
    /// In a file beside the configuration, which is still to be written.
    File { name: String, secret: String },
}

/// The answers.
struct Answers {
    name: String,
    description: String,
    scim_url: ScimUrl,
    allow_http: bool,
    authentication: Authentication,
    preferences: RawPreferences,
    /// The table [source].
    source: String,
}

pub(super) async fn run(args: &InitArgs) -> Exit {
    let file = &args.config;
    if file.exists() && !args.force {
        Output::error(&format!(
            "{} already exists; choose another file with -c, or overwrite it with --force",
            file.display()
        ));
        return Exit::Usage;
    }
    let stdin = io::stdin();
    let hidden = stdin.is_terminal();
    let mut prompt = Prompt::new(stdin.lock(), hidden);
    match init(args, &mut prompt).await {
        Ok(exit) => exit,
        Err(error) => {
            Output::error(&format!("{}; nothing was written", with_cause(&error)));
            Exit::Usage
        }
    }
}

async fn init<R: BufRead>(args: &InitArgs, prompt: &mut Prompt<R>) -> Result<Exit, PromptError> {
    let answers = ask(prompt, &args.config)?;
    let text = answers.text();
    let folder = args.config.parent().unwrap_or(Path::new(""));
    // The secret is in no file yet: the test reads it where it will be looked for.
    let tested = match answers.config(&text, &args.config) {
        // Without a listener for signals: Ctrl-C ends the questions behind it too.
        Ok(config) => test(config).await,
        Err(error) => Err(error.into()),
    };
    let mut exit = Exit::Done;
    match tested {
        Ok(message) => Output::line(&message),
        Err(error) => {
            Output::error(&with_cause(&error));
            if let TestError::Failed(failure) = &error {
                Output::notice(&format!("next: {}", failure.next));
            }
            if !prompt.yes("Write the configuration anyway?", false)? {
                Output::line("nothing was written");
                return Ok(Exit::ConnectionUnusable);
            }
            exit = Exit::ConnectionUnusable;
        }
    }
    let mut written = vec![args.config.display().to_string()];
    let stored = answers
        .secret_file()
        .map_or(Ok(()), |(name, secret)| {
            written.push(folder.join(name).display().to_string());
            write_secret(&folder.join(name), secret)
        })
        .and_then(|()| fs::write(&args.config, &text));
    if let Err(error) = stored {
        Output::error(&format!("failed to write {}: {error}", written.join(" or ")));
        return Ok(Exit::Usage);
    }
    Output::line(&format!("wrote {}", written.join(" and ")));
    let option = if args.config == Path::new("./aquera.toml") {
        String::new()
    } else {
        format!(" -c {}", args.config.display())
    };
    Output::line(&format!(
        "next: provisioner check{option}, then provisioner plan{option}, then provisioner sync{option}"
    ));
    Ok(exit)
}

fn ask<R: BufRead>(prompt: &mut Prompt<R>, file: &Path) -> Result<Answers, PromptError> {
    let name = prompt.text("Name of the connection", Some("Aquera"))?;
    let description = prompt.text("Description (may be empty)", Some(""))?;
    let (scim_url, allow_http) = loop {
        let said = prompt.text("SCIM URL", Some("http://127.0.0.1:8080/scim/"))?;
        let url: ScimUrl = match said.parse() {
            Ok(url) => url,
            Err(error) => {
                Output::notice(&format!("  invalid SCIM URL `{said}`: {error}"));
                continue;
            }
        };
        if url.is_https() || url.is_loopback() {
            break (url, false);
        }
        Output::notice("  http sends the credentials unencrypted");
        if prompt.yes("Use http anyway?", false)? {
            break (url, true);
        }
    };
    let profile = prompt.one_of("Authentication", &["bearer-token", "basic-auth"])?;
    let authentication = if profile == "basic-auth" {
        let user = prompt.text("Basic auth user", None)?;
        let password = secret(prompt, "password", "AQUERA_PASSWORD", file)?;
        Authentication::Basic { user, password }
    } else {
        Authentication::Bearer { token: secret(prompt, "token", "AQUERA_TOKEN", file)? }
    };
    let preferences = preferences(prompt)?;
    let source = source::ask(prompt)?;
    Ok(Answers { name, description, scim_url, allow_http, authentication, preferences, source })
}

fn secret<R: BufRead>(
    prompt: &mut Prompt<R>,
    what: &str,
    variable: &str,
    file: &Path,
) -> Result<Secret, PromptError> {
    let question = format!("Environment variable with the {what} (- to type it in)");
    let name = prompt.text(&question, Some(variable))?;
    if name != "-" {
        return Ok(Secret::Env(name));
    }
    let secret = prompt.secret(&format!("The {what}"))?;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Secret::File { name: format!("{stem}.secret"), secret })
}

/// Asks until the settings do not contradict each other. Questions with only one valid answer are skipped.
fn preferences<R: BufRead>(prompt: &mut Prompt<R>) -> Result<RawPreferences, PromptError> {
    loop {
        let enable_users_creation = prompt.yes("Enable users creation?", true)?;
        let enable_users_updation = prompt.yes("Enable users updation?", true)?;
        let enable_users_disable = enable_users_updation && prompt.yes("Enable users disable?", true)?;
        let enable_users_deprovision = prompt.yes("Enable users deprovision?", true)?;
        let mut settings = RawPreferences {
            enable_users_creation,
            enable_users_updation,
            enable_users_disable,
            enable_users_deprovision,
            remove_action: None,
            deprovision_on_rule_deletion: false,
        };
        if enable_users_deprovision {
            let disables =
                enable_users_disable && prompt.one_of("Remove Action", &["disable", "delete"])? == "disable";
            settings.remove_action =
                Some(if disables { RemoveAction::Disable } else { RemoveAction::Delete });
            settings.deprovision_on_rule_deletion = prompt.yes("Deprovision on rule deletion?", false)?;
        }
        let Err(contradictions) = Preferences::try_from(settings) else { return Ok(settings) };
        for contradiction in contradictions {
            Output::notice(&format!("  {contradiction}: {}", contradiction.help()));
        }
    }
}

impl Answers {
    /// Returns the configuration as TOML.
    fn text(&self) -> String {
        let quoted = |text: &str| Value::from(text).to_string();
        let secret = |secret: &Secret| match secret {
            Secret::Env(name) => format!("{{ env = {} }}", quoted(name)),
            Secret::File { name, .. } => format!("{{ file = {} }}", quoted(name)),
        };
        let mut lines = vec!["[connection]".to_owned(), format!("name = {}", quoted(&self.name))];
        if !self.description.is_empty() {
            lines.push(format!("description = {}", quoted(&self.description)));
        }
        lines.push("enabled = true\n\n[connection.authentication]".to_owned());
        lines.push(format!("scim-url = {}", quoted(self.scim_url.as_str())));
        match &self.authentication {
            Authentication::Bearer { token } => {
                lines.push("profile = \"bearer-token\"".to_owned());
                lines.push(format!("oauth-access-token = {}", secret(token)));
            }
            Authentication::Basic { user, password } => {
                lines.push("profile = \"basic-auth\"".to_owned());
                lines.push(format!("basic-auth-user = {}", quoted(user)));
                lines.push(format!("basic-auth-password = {}", secret(password)));
            }
        }
        let RawPreferences {
            enable_users_creation,
            enable_users_updation,
            enable_users_disable,
            enable_users_deprovision,
            remove_action,
            deprovision_on_rule_deletion,
        } = &self.preferences;
        lines.push(format!(
            "\n[connection.preferences]\nenable-users-creation = {enable_users_creation}\n\
             enable-users-updation = {enable_users_updation}\nenable-users-disable = {enable_users_disable}\n\
             enable-users-deprovision = {enable_users_deprovision}"
        ));
        if let Some(action) = remove_action {
            lines.push(format!("remove-action = \"{}\"", crate::report::word(action)));
            lines.push(format!("deprovision-on-rule-deletion = {deprovision_on_rule_deletion}"));
        }
        if self.allow_http {
            lines.push("\n[connection.options]\nallow-http = true".to_owned());
        }
        lines.push(format!("\n{}", self.source));
        lines.push(
            "# Who is provisioned. Without a filter: everybody. Without mappings: the default ones."
                .to_owned(),
        );
        lines.push("[[rule]]\nname = \"everyone\"\n".to_owned());
        lines.join("\n")
    }

    fn secret_file(&self) -> Option<(&str, &str)> {
        let (Authentication::Bearer { token: secret } | Authentication::Basic { password: secret, .. }) =
            &self.authentication;
        match secret {
            Secret::Env(_) => None,
            Secret::File { name, secret } => Some((name, secret)),
        }
    }

    /// Parses `text`, with a secret that was typed in.
    fn config(&self, text: &str, file: &Path) -> Result<Config, ConfigError> {
        const TYPED: &str = "TYPED_IN";
        // A variable in place of the file that does not exist yet.
        let (text, typed) = match self.secret_file() {
            Some((name, secret)) => {
                let reference = format!("{{ file = {} }}", Value::from(name));
                (text.replace(&reference, &format!("{{ env = \"{TYPED}\" }}")), Some(secret))
            }
            None => (text.to_owned(), None),
        };
        let env = |name: &str| match typed {
            Some(secret) if name == TYPED => Some(secret.to_owned()),
            _ => std::env::var(name).ok(),
        };
        Config::parse_with(&text, file, &env)
    }
}

/// A failed test of the new connection.
#[derive(Debug, thiserror::Error)]
enum TestError {
    #[error("failed to test the connection: {}", problems(.0))]
    Config(ConfigError),
    #[error("failed to test the connection")]
    Folder(#[from] io::Error),
    #[error("failed to test the connection: {}; {}", with_cause(.0), .0.way_out())]
    Transport(TransportError),
    #[error("failed to test the connection: {}; {}", with_cause(.0), .0.way_out())]
    Store(StoreError),
    #[error("Test Connection Failed ({}): {}", .0.code, .0.message)]
    Failed(TestFailure),
}

impl From<ConfigError> for TestError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

fn problems(error: &ConfigError) -> String {
    let problems = error.problems().iter();
    let told: Vec<String> =
        problems.map(|problem| format!("{}; {}", problem.message(), problem.way_out())).collect();
    told.join("; ")
}

/// Tests the connection with a temporary state file, and returns the result in words.
async fn test(config: Config) -> Result<String, TestError> {
    let folder = tempfile::tempdir()?;
    let environment = Environment::system(&config, folder.path().join("init.db").into(), 0)
        .map_err(TestError::Transport)?;
    let provisioner = Provisioner::open(config, environment).await.map_err(TestError::Store)?;
    let report = provisioner.test_connection().await;
    provisioner.close().await;
    let report = report.map_err(TestError::Store)?;
    let told = report.to_string();
    report.failure.map_or(Ok(told), |failure| Err(TestError::Failed(failure)))
}

/// Writes a secret to a file that only its owner can read.
fn write_secret(file: &Path, secret: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    io::Write::write_all(&mut options.open(file)?, format!("{secret}\n").as_bytes())
}
