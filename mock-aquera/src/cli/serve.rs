//! `mock-aquera serve`: options to a running server, until it is interrupted.

mod banner;
mod listen;
mod port_file;
mod tls;

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use cli_support::{error_chain, log_filter};
use serde_json::json;

use super::documents::Documents;
use super::{Failure, profiles};
use crate::address::PublicUrl;
use crate::auth::{Auth, AuthKind, DEFAULT_TOKEN};
use crate::builder::{MockAquera, StartError};
use crate::data::{SnapshotError, beside};
use crate::fault::Fault;
use crate::host::{is_host, split_port};
use crate::journal::JournalLimits;
use crate::log::RequestLog;
use crate::profile::Period;
use crate::server::Origin;
use crate::units::size;
use listen::ListenAddress;
use port_file::PortFile;
pub(super) use tls::CA_FILE;

/// How many users are made up when nobody says what to start with.
const DEMO_USERS: usize = 3;
/// How long in-flight requests may take once the program was told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// What the name of a file ends in that is written before it takes the place of another.
const FRESH: &str = ".new";

const LISTENING: &str = "Listening";
const CREDENTIALS: &str = "Credentials";
const BEHAVIOUR: &str = "Behaviour";
pub(super) const DATA: &str = "Data";
const ADMINISTRATION: &str = "Administration";
const OUTPUT: &str = "Output";

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Where to listen: PORT, HOST or HOST:PORT, such as 9000, localhost:9000, [::1]:9000 or 0.0.0.0:9000; port 0 picks
    /// a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT", help_heading = LISTENING)]
    listen: Option<ListenAddress>,
    /// The port to listen at, where --listen names none
    #[arg(long, value_name = "PORT", help_heading = LISTENING)]
    port: Option<u16>,
    /// Write the port to this file once it listens
    #[arg(long, value_name = "FILE", help_heading = LISTENING)]
    port_file: Option<PathBuf>,
    #[command(flatten)]
    tls: tls::TlsOptions,
    /// Write all URLs with this one, such as https://scim.example.com/mock [default: the address that each client uses]
    #[arg(long, value_name = "URL", help_heading = LISTENING)]
    public_url: Option<PublicUrl>,
    /// Take the address that clients use from Forwarded or X-Forwarded-Proto, -Host, -Port and -Prefix, as a proxy in
    /// front of the server sets them
    #[arg(long, conflicts_with = "public_url", help_heading = LISTENING)]
    trust_forwarded: bool,

    /// Accept these credentials: none, basic:USER:PASSWORD, bearer:TOKEN or oauth:CLIENT:SECRET[:LIFETIME]
    /// (repeatable: any of them) [default: bearer:mock-token]
    #[arg(long, value_name = "KIND", help_heading = CREDENTIALS)]
    auth: Vec<String>,
    /// User name that /Me resolves to [default: the user of basic, the client of oauth, nobody with a bearer token]
    #[arg(long, value_name = "USERNAME", help_heading = CREDENTIALS)]
    me: Option<String>,
    /// How long a token of an oauth client is good for, such as 90s, 10m or 1h [default: 1h]
    #[arg(long, value_name = "TIME", help_heading = CREDENTIALS)]
    token_lifetime: Option<Period>,

    /// How to behave: a built-in profile (`mock-aquera profiles` lists them) or a file
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "aquera", help_heading = BEHAVIOUR)]
    profile: String,
    /// Misbehave, e.g. 'status=503 times=2 method=POST retry-after=3 phase=after', or mild, rough or hostile
    /// (repeatable)
    #[arg(long, value_name = "RULE", value_parser = Fault::parse_some, help_heading = BEHAVIOUR)]
    fault: Vec<Vec<Fault>>,
    /// Misbehave by the rules in this file, one a line (repeatable)
    #[arg(long, value_name = "FILE", help_heading = BEHAVIOUR)]
    faults: Vec<PathBuf>,
    /// Decides ids, made-up users, tokens and the draws of faults
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = BEHAVIOUR)]
    seed: u64,

    /// Start with the resources in this file: JSON objects one a line, an array, or list responses as an endpoint answered
    /// them, one after another. They are users, or what `schemas` or `meta.resourceType` says. An `id` is kept; group
    /// members may be defined later in the file (repeatable)
    #[arg(long, value_name = "FILE", help_heading = DATA)]
    load: Vec<PathBuf>,
    #[command(flatten)]
    documents: Documents,
    /// Start with this many made-up users [default: 3 without --load, --schema and --resource-type]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=1_000_000), help_heading = DATA)]
    users: Option<u32>,
    /// Keep the data of all applications in this file over restarts: taken in at the start, where --load and --users
    /// count for nothing once it is there, and written at the end
    #[arg(long, value_name = "FILE", help_heading = DATA)]
    snapshot: Option<PathBuf>,
    /// Write the snapshot this often as well, such as 30s or 5m
    #[arg(long, value_name = "TIME", requires = "snapshot", help_heading = DATA)]
    snapshot_every: Option<Period>,

    /// Serve administration here and not beside the SCIM endpoints; port 0 picks a free one
    #[arg(long, value_name = "HOST:PORT", help_heading = ADMINISTRATION)]
    admin_listen: Option<ListenAddress>,
    /// Require this bearer token for administration
    #[arg(
        long,
        value_name = "TOKEN",
        env = "MOCK_AQUERA_ADMIN_TOKEN",
        hide_env_values = true,
        help_heading = ADMINISTRATION
    )]
    admin_token: Option<String>,

    /// Serve administration under this host name too, besides loopback names and addresses; not needed with
    /// --admin-token (repeatable)
    #[arg(long, value_name = "NAME", env = "MOCK_AQUERA_ADMIN_HOST", value_delimiter = ',', help_heading = ADMINISTRATION)]
    admin_host: Vec<String>,
    /// Let web pages of this origin, such as https://console.example.com, use the SCIM endpoints and administration
    /// (repeatable)
    #[arg(long, value_name = "ORIGIN", help_heading = LISTENING)]
    cors: Vec<Origin>,

    /// Remember this many exchanges in each application's journal
    #[arg(long, value_name = "N", default_value_t = JournalLimits::default().exchanges, help_heading = OUTPUT)]
    journal_limit: usize,
    /// Approximate journal size per application, such as 500000, 64KiB or 32MiB
    #[arg(long, value_name = "SIZE", default_value = "8MiB", value_parser = size::parse, help_heading = OUTPUT)]
    journal_bytes: usize,
    /// Write no line for each request to stderr
    #[arg(short, long, help_heading = OUTPUT)]
    quiet: bool,
    /// Print one JSON object a line
    #[arg(long, help_heading = OUTPUT)]
    json: bool,
}

pub(super) fn run(options: Options) -> Result<(), Failure> {
    let log = RequestLog::to(io::stderr());
    log_to(log.clone());
    let outcome = in_runtime(options, log.clone());
    if let Some(log) = log {
        log.finish();
    }
    outcome
}

fn in_runtime(options: Options, log: Option<RequestLog>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("start the runtime: {error}")))?;
    runtime.block_on(serve(options, log))
}

/// Events go where the lines of requests go: a reader of stderr that stalls must not stop the server.
fn log_to(log: Option<RequestLog>) {
    let (filter, invalid) = log_filter::from_environment("info");
    if let Some(invalid) = invalid {
        // Nobody is told where stderr is closed.
        let _ = writeln!(io::stderr(), "mock-aquera: {invalid}");
    }
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(io::stderr().is_terminal());
    // A second call in one process changes nothing.
    let _ = match log {
        Some(log) => logs.with_writer(move || log.clone()).try_init(),
        None => logs.with_writer(io::stderr).try_init(),
    };
}

async fn serve(options: Options, log: Option<RequestLog>) -> Result<(), Failure> {
    // Before anybody is told that the server is ready: a signal that comes right then must find its handler.
    let interrupted =
        interruption().map_err(|error| Failure::failed(format!("listen for signals: {error}")))?;
    // Whoever waits for the file would wait for ever.
    let port_file = options.port_file.as_deref().map(PortFile::open).transpose()?;
    let auth = credentials(&options)?;
    let profile = profiles::read(&options.profile)?;
    let listen = options.listen.clone().unwrap_or_default().resolve("--listen", options.port)?;
    let admin_listen =
        options.admin_listen.as_ref().map(|at| at.resolve("--admin-listen", None)).transpose()?;
    let tls = options.tls.read(listen.ip())?;
    // Made-up users know nothing of what other schemas require.
    let demo = if options.load.is_empty() && options.documents.is_empty() { DEMO_USERS } else { 0 };
    // `RUST_LOG=warn` or `RUST_LOG=mock_aquera::requests=off` leaves the lines out too.
    let tells = !options.quiet && tracing::enabled!(target: "mock_aquera::requests", tracing::Level::INFO);
    let limits = JournalLimits { exchanges: options.journal_limit, bytes: options.journal_bytes };

    let mut builder = MockAquera::builder()
        .listen(listen)
        .profile(profile)
        .seed(options.seed)
        .journal_limits(limits)
        .users(options.users.map_or(demo, |users| users as usize));
    builder.log = log.filter(|_| tells);
    builder.auth.clone_from(&auth);
    builder.faults = options.fault.concat();
    builder.faults.extend(faults(&options.faults)?);
    for file in &options.load {
        let name = file.display().to_string();
        let text = fs::read(file).map_err(|error| Failure::usage(format!("load {name}: {error}")))?;
        builder = builder.load(name, text);
    }
    builder.admin_listen = admin_listen;
    builder.public_url.clone_from(&options.public_url);
    builder.trust_forwarded = options.trust_forwarded;
    builder.cors.clone_from(&options.cors);
    builder.admin_hosts.clone_from(&options.admin_host);
    if let Some(name) =
        options.admin_host.iter().find(|name| !is_host(name.as_bytes()) || split_port(name).1.is_some())
    {
        return Err(Failure::usage(format!("use --admin-host {name}: expected a host name without a port")));
    }
    if let Some(token) = &options.admin_token {
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::usage(
                "read --admin-token (or MOCK_AQUERA_ADMIN_TOKEN): a token is visible ASCII without spaces",
            ));
        }
        builder = builder.admin_token(token);
    }
    builder.tls = tls.as_ref().map(|chosen| chosen.tls.clone());
    builder.snapshot.clone_from(&options.snapshot);
    if options.snapshot_every.is_some_and(Period::is_zero) {
        return Err(Failure::usage("use --snapshot-every: it must be longer than zero, such as 30s"));
    }
    builder.snapshot_every = options.snapshot_every.map(Period::duration);
    options.documents.add_to(&mut builder)?;
    let server = builder.start().await.map_err(|error| match &error {
        _ if let Some(failure) = options.documents.failure(&error) => failure,
        StartError::Load(error) => Failure::usage(error.to_string()),
        StartError::Snapshot(SnapshotError::InUse(_) | SnapshotError::Unwritable { .. }) => {
            Failure::failed(error_chain(&error))
        }
        StartError::Listen { address, source } => {
            let option = if Some(*address) == admin_listen { "--admin-listen" } else { "--listen" };
            Failure::failed(format!("listen at {address}: {source}{}", listen::advice(option, source)))
        }
        StartError::Fault { .. } | StartError::Snapshot(_) => Failure::usage(error_chain(&error)),
        _ => Failure::failed(error_chain(&error)),
    })?;
    if let Some(file) = port_file {
        file.write(server.addr().port())?;
    }
    let about = banner::About {
        server: &server,
        auth: &auth,
        seed: options.seed,
        tls: tls.as_ref(),
        admin_token: options.admin_token.as_deref(),
        snapshot: options.snapshot.as_deref(),
        public_url: options.public_url.is_some(),
    };
    about.warn(options.admin_listen.is_some());
    for note in server.default_application().load_notes() {
        banner::warning(&note.to_string());
    }
    about.announce(options.json)?;
    interrupted.await;
    stop(server, options.json).await
}

async fn stop(server: MockAquera, as_json: bool) -> Result<(), Failure> {
    tracing::info!("stopping: no new connection is taken, requests in flight are answered");
    let applications = server.application_count();
    if tokio::time::timeout(DRAIN, server.drain()).await.is_err() {
        tracing::warn!("some answers were not finished in {} s and are dropped", DRAIN.as_secs());
    }
    server.save().map_err(|error| Failure::failed(error_chain(&error)))?;
    if as_json {
        writeln!(io::stdout(), "{}", json!({"type": "summary", "applications": applications}))?;
    }
    Ok(())
}

/// What `--auth` and what goes with it say. Clap would repeat the value in its message, and the value holds a secret.
fn credentials(options: &Options) -> Result<Vec<Auth>, Failure> {
    let parse = |(at, text): (usize, &String)| {
        let parsed = text.parse::<Auth>();
        parsed.map_err(|error| Failure::usage(format!("read --auth number {}: {error}", at + 1)))
    };
    let mut all = options.auth.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>()?;
    if all.is_empty() {
        all.push(Auth::bearer(DEFAULT_TOKEN));
    }
    if let Some(lifetime) = options.token_lifetime {
        if !all.iter().any(|auth| matches!(auth.kind(), AuthKind::OAuth { .. })) {
            let advice = "it is about clients that fetch tokens; give one with --auth oauth:CLIENT:SECRET";
            return Err(Failure::usage(format!("use --token-lifetime: {advice}")));
        }
        if lifetime.duration() < Duration::from_secs(1) {
            return Err(Failure::usage("use --token-lifetime: it is one second at least"));
        }
        all = all.into_iter().map(|auth| auth.token_lifetime(lifetime.duration())).collect();
    }
    if let Some(me) = &options.me {
        all = all.into_iter().map(|auth| auth.as_user(me)).collect();
    }
    Ok(all)
}

fn faults(files: &[PathBuf]) -> Result<Vec<Fault>, Failure> {
    let mut all = Vec::new();
    for file in files {
        let text = fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("read --faults {}: {error}", file.display())))?;
        let rules = Fault::parse_all(&text)
            .map_err(|error| Failure::usage(format!("read --faults {}: {error}", file.display())))?;
        all.extend(rules);
    }
    Ok(all)
}

/// A program that waits for the file never sees half of it.
fn write_replacing(file: &Path, text: &str) -> io::Result<()> {
    let fresh = beside(file, FRESH);
    fs::write(&fresh, text)?;
    fs::rename(&fresh, file)
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
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Program {
        #[command(flatten)]
        options: Options,
    }

    fn options(arguments: &[&str]) -> Options {
        Program::try_parse_from([&["program"], arguments].concat()).unwrap().options
    }

    #[test]
    fn bad_credentials_are_refused_without_repeating_them() {
        let failure =
            credentials(&options(&["--auth", "bearer:fine", "--auth", "token:hunter2"])).unwrap_err();
        assert!(failure.message.contains("number 2") && !failure.message.contains("hunter2"), "{failure:?}");
        assert_eq!(failure.exit, super::super::Exit::Usage);
    }

    #[test]
    fn what_goes_with_credentials_is_laid_over_them() {
        let all = credentials(&options(&[
            "--auth",
            "oauth:c:s",
            "--auth",
            "bearer:t",
            "--me",
            "ida",
            "--token-lifetime",
            "90s",
        ]))
        .unwrap();
        let expected = Auth::oauth("c", "s").token_lifetime(Duration::from_secs(90)).as_user("ida");
        assert!(all == [expected, Auth::bearer("t").as_user("ida")]);
        for lifetime in ["90s", "10ms"] {
            let alone = options(&["--auth", "bearer:t", "--token-lifetime", lifetime]);
            assert!(credentials(&alone).unwrap_err().message.contains("oauth:CLIENT:SECRET"));
        }
        let short = options(&["--auth", "oauth:c:s", "--token-lifetime", "10ms"]);
        assert!(credentials(&short).unwrap_err().message.contains("one second"));
    }
}
