//! `mock-aquera serve`: options to a running server, until it is interrupted.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

use super::documents::Documents;
use super::{Failure, profiles};
use crate::auth::{Auth, AuthKind, DEFAULT_TOKEN};
use crate::builder::{MockAquera, StartError};
use crate::fault::Fault;
use crate::profile::Profile;

/// How many users are made up when nobody says what to start with.
const DEMO_USERS: usize = 3;
/// How long answers that are on their way may take once the program was told to stop.
const DRAIN: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Write the port to this file once it listens
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
    /// Accept these credentials: none, basic:USER:PASSWORD or bearer:TOKEN (repeatable) [default: bearer:mock-token]
    #[arg(long, value_name = "KIND")]
    auth: Vec<String>,
    /// How to behave: a built-in profile or a file
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "aquera")]
    profile: String,
    /// Start with the users in this file, one JSON object a line
    #[arg(long, value_name = "FILE.ndjson")]
    load: Option<PathBuf>,
    #[command(flatten)]
    documents: Documents,
    /// Start with this many made-up users [default: 3 without --load, --schema and --resource-type]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    users: Option<u32>,
    /// Decides ids and made-up users
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Misbehave, e.g. 'status=503 times=2 method=POST retry-after=3 phase=after', or mild, rough or hostile
    /// (repeatable)
    #[arg(long, value_name = "RULE", value_parser = Fault::parse_all)]
    fault: Vec<Vec<Fault>>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: Options) -> Result<(), Failure> {
    log_to_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("start the runtime: {error}")))?;
    runtime.block_on(serve(options))
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A second call in one process changes nothing.
    let _ = logs.with_ansi(io::stderr().is_terminal()).try_init();
}

async fn serve(options: Options) -> Result<(), Failure> {
    // Before anybody is told that the server is ready: a signal that comes right then must find its handler.
    let interrupted =
        interruption().map_err(|error| Failure::failed(format!("listen for signals: {error}")))?;
    let auth = credentials(&options.auth)?;
    let profile = profiles::read(&options.profile)?;
    let loaded = options.load.as_deref().map(read_users).transpose()?;
    // Made-up users know nothing of what other schemas require.
    let demo = if loaded.is_none() && options.documents.is_empty() { DEMO_USERS } else { 0 };
    let made_up = options.users.map_or(demo, |users| users as usize);
    let (lines, users): (Vec<usize>, Vec<Value>) = loaded.unwrap_or_default().into_iter().unzip();

    let mut builder =
        MockAquera::builder().listen(options.listen).profile(profile.clone()).seed(options.seed);
    for kind in &auth {
        builder = builder.auth(kind.clone());
    }
    for fault in options.fault.into_iter().flatten() {
        builder = builder.fault(fault);
    }
    for user in users {
        builder = builder.user(user);
    }
    builder = options.documents.add_to(builder.users(made_up))?;
    let server = builder.start().await.map_err(|error| match (&error, &options.load) {
        _ if let Some(failure) = options.documents.failure(&error) => failure,
        (StartError::User { index, detail }, Some(file)) if *index < lines.len() => {
            Failure::usage(format!("load {}:{}: {detail}", file.display(), lines[*index]))
        }
        _ => Failure::failed(error.to_string()),
    })?;
    if let Some(file) = &options.port_file {
        write_port(file, server.addr().port())
            .map_err(|error| Failure::failed(format!("write the port to {}: {error}", file.display())))?;
    }
    announce(&server, options.json, options.seed, &profile, &auth)?;
    interrupted.await;
    tracing::info!("stopping: no new connection is taken, answers on their way are finished");
    let applications = server.application_count();
    if tokio::time::timeout(DRAIN, server.stop()).await.is_err() {
        tracing::warn!("some answers were not finished in {} s and are dropped", DRAIN.as_secs());
    }
    if options.json {
        writeln!(io::stdout(), "{}", json!({"type": "summary", "applications": applications}))?;
    }
    Ok(())
}

/// What `--auth` says. Clap would repeat the value in its message, and the value holds a secret.
fn credentials(written: &[String]) -> Result<Vec<Auth>, Failure> {
    if written.is_empty() {
        return Ok(vec![Auth::bearer(DEFAULT_TOKEN)]);
    }
    let parse = |(at, text): (usize, &String)| {
        text.parse().map_err(|error| Failure::usage(format!("read --auth number {}: {error}", at + 1)))
    };
    written.iter().enumerate().map(parse).collect()
}

/// The users of an NDJSON file, each with the number of its line. Blank lines are passed over.
fn read_users(path: &Path) -> Result<Vec<(usize, Value)>, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("load {}: {error}", path.display())))?;
    let mut users = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let user = serde_json::from_str(line).map_err(|error| {
            Failure::usage(format!(
                "load {}:{}:{}: {}",
                path.display(),
                at + 1,
                error.column(),
                reason(&error)
            ))
        })?;
        users.push((at + 1, user));
    }
    Ok(users)
}

/// The message of a JSON error without the place, which counts from the line and not from the file.
pub(super) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

/// Whoever waits for the file never sees half of it.
fn write_port(file: &Path, port: u16) -> io::Result<()> {
    let mut aside = file.as_os_str().to_owned();
    aside.push(".new");
    fs::write(&aside, format!("{port}\n"))?;
    fs::rename(&aside, file)
}

fn announce(
    server: &MockAquera,
    as_json: bool,
    seed: u64,
    profile: &Profile,
    auth: &[Auth],
) -> Result<(), Failure> {
    let (scim, admin) = (server.scim_url(), server.admin_url());
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(out, "{}", json!({"type": "ready", "scimUrl": scim, "adminUrl": admin, "seed": seed}))?;
        return Ok(out.flush()?);
    }
    let header = authorization(auth).map_or_else(String::new, |value| format!("-H {} ", quoted(&value)));
    writeln!(out, "mock-aquera {} is ready\n", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "  SCIM URL   {scim}")?;
    for kind in auth {
        match kind.kind() {
            AuthKind::None => writeln!(out, "  Auth       none needed")?,
            AuthKind::Basic { user, password } => {
                writeln!(out, "  Basic      user {user}, password {password}")?
            }
            AuthKind::Bearer { token } => writeln!(out, "  Token      {token}")?,
            AuthKind::OAuth { client_id, .. } => writeln!(out, "  OAuth      client {client_id}")?,
        }
    }
    writeln!(out, "  Profile    {} ({})", profile.name, profile.summary)?;
    writeln!(out, "  Seed       {seed}")?;
    writeln!(out, "  Users      {}", server.default_application().user_count())?;
    writeln!(out, "\nTry:\n  curl {header}{}", quoted(&format!("{scim}/Users?count=2")))?;
    let user =
        r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"new.person@example.com"}"#;
    let body = format!("-H 'Content-Type: application/scim+json' -d {}", quoted(user));
    writeln!(out, "  curl {header}{body} {scim}/Users")?;
    writeln!(out, "  curl {admin}/applications/default/journal")?;
    Ok(out.flush()?)
}

/// The header that the first kind of credentials asks for.
fn authorization(auth: &[Auth]) -> Option<String> {
    match auth.first()?.kind() {
        AuthKind::None | AuthKind::OAuth { .. } => None,
        AuthKind::Basic { user, password } => {
            Some(format!("Authorization: Basic {}", STANDARD.encode(format!("{user}:{password}"))))
        }
        AuthKind::Bearer { token } => Some(format!("Authorization: Bearer {token}")),
    }
}

/// One word for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Listens for Ctrl-C, and where there is one for SIGTERM, from now on; the future returns at the first.
#[cfg(unix)]
fn interruption() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Listens for Ctrl-C from now on; the future returns at the first.
#[cfg(windows)]
fn interruption() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_survives_the_shell() {
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn bad_credentials_are_refused_without_repeating_them() {
        let written = ["bearer:fine".to_owned(), "token:hunter2".to_owned()];
        let failure = credentials(&written).unwrap_err();
        assert!(failure.message.contains("number 2") && !failure.message.contains("hunter2"), "{failure:?}");
        assert_eq!(failure.exit, super::super::Exit::Usage);
    }
}
