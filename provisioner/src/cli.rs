//! The program: its command line, one module per subcommand, and what they share.

mod adopt;
mod apply;
mod check;
mod confirmation;
mod directory;
mod explain;
mod forget;
mod init;
mod interrupt;
mod list;
mod log;
mod output;
mod plan;
mod progress;
mod release;
mod state_file;
mod status;
mod sync;
mod telemetry;
mod terminal;
mod test_connection;
mod toggle;
mod trial;
mod watch;
mod work;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use self::output::Output;
use self::state_file::UnclearState;
use self::sync::SyncArgs;
use crate::causes::with_cause;
use crate::config::Config;
use crate::engine::{Environment, PlanHash, Progress, Provisioner, SyncOptions};
use crate::exit::Exit;
use crate::ids::RuleName;
use crate::recording::Actor;
use crate::state::location::StateLocation;
use crate::state::store::Access;
use crate::visible::visible;

/// Provisions PingOne users to a SCIM endpoint such as Aquera.
///
/// Exit codes: 0 done, 1 some users failed, 2 usage or configuration, 3 the connection cannot be used,
/// 4 the delete guard stopped the run, 5 the source could not be read whole, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "provisioner", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Asks for a connection, tests it, and writes the configuration.
    Init(init::InitArgs),
    /// Turns the connection on.
    Enable(Common),
    /// Turns the connection off: nothing is sent.
    Disable(Common),
    /// Checks the configuration and the source; sends nothing.
    Check(Common),
    /// Tests the connection, and resets what earlier runs learned about the target.
    TestConnection(Common),
    /// Shows what a sync would send and why; writes nothing.
    Plan(plan::PlanArgs),
    /// Applies a saved plan if nothing has changed since.
    Apply(apply::ApplyArgs),
    /// Provisions the users of the source to the target.
    Sync(sync::SyncArgs),
    /// Runs a sync whenever a file changes, by a schedule, or at an event of PingOne.
    Watch(watch::WatchArgs),
    /// Carries out what a `sync --workers` elsewhere has decided, until it is interrupted.
    Work(work::WorkArgs),
    /// Shows the state of the users and what is known about the target.
    Status(Common),
    /// Shows the audit log: who did what to whom, why, and by which requests.
    Log(log::LogArgs),
    /// Ends the quarantine of the connection: the next sync runs at once.
    Release(Common),
    /// Drops everything that is stored of a user; sends nothing.
    Forget(forget::ForgetArgs),
    /// Links a user to an existing account, which is read first.
    Adopt(adopt::AdoptArgs),
    /// Lists the connections of a directory with their state and last run.
    List(Common),
    /// Explains what a sync would do for one user or group, step by step.
    Explain(explain::ExplainArgs),
    /// Tests a filter on the users of the source.
    #[command(subcommand)]
    Filter(trial::FilterCommand),
    /// Tests a mapping on a user of the source.
    #[command(subcommand)]
    Mapping(trial::MappingCommand),
    /// Prints a completion script.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// The arguments of every subcommand.
#[derive(Debug, Args)]
struct Common {
    /// The configuration file; for `sync` and `list` also a directory with several.
    #[arg(short, long, value_name = "FILE", default_value = "./aquera.toml")]
    config: PathBuf,
    /// The state file, or a PostgreSQL database; default: `NAME.db` beside the configuration `NAME.toml`.
    ///
    /// The password of a database is better in PGPASSWORD than in its URL, which other users of the machine may see.
    #[arg(
        long,
        value_name = "FILE|postgres://USER@HOST/DATABASE",
        env = "PROVISIONER_STATE",
        hide_env_values = true
    )]
    state: Option<StateLocation>,
    /// Prints NDJSON: one object per line, the summary last.
    #[arg(long)]
    json: bool,
}

/// The exceptions that a person allows for one run.
#[derive(Debug, Default, Args)]
struct Allow {
    /// Reevaluates every user, reads every linked account, and carries out removals that wait for a full run.
    #[arg(long)]
    full: bool,
    /// Accepts another [source] than that of the last run.
    #[arg(long)]
    accept_new_source: bool,
    /// Accepts a source without users: every user counts as deleted.
    #[arg(long)]
    allow_empty_source: bool,
    /// Allows this rule to match no user although users with accounts leave it; repeatable.
    #[arg(long, value_name = "RULE")]
    allow_empty_scope: Vec<RuleName>,
}

/// A person's approval of more removals and disables than the delete guard allows.
#[derive(Debug, Default, Args)]
struct Approval {
    /// Approves the plan with this hash, as `plan` and the delete guard print it, and no other.
    #[arg(long, value_name = "HASH", conflicts_with = "approve_removals")]
    approve: Option<PlanHash>,
    /// Approves exactly N removals and disables, whatever the delete guard says.
    #[arg(long, value_name = "N")]
    approve_removals: Option<u32>,
    /// Approves exactly N deletions of groups, or removals of members from groups, whatever the delete guard says.
    #[arg(long, value_name = "N", conflicts_with = "approve")]
    approve_group_removals: Option<u32>,
}

impl Allow {
    fn options(&self, approval: &Approval) -> SyncOptions {
        SyncOptions {
            full: self.full,
            accept_new_source: self.accept_new_source,
            allow_empty_source: self.allow_empty_source,
            allow_empty_scope: self.allow_empty_scope.clone(),
            approve_removals: approval.approve_removals,
            approve_plan: approval.approve.clone(),
            approve_group_removals: approval.approve_group_removals,
            workers: false,
        }
    }
}

/// Parses the command line, runs the subcommand, and ends with its exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => usage(&error),
        Err(error) => error.exit(),
    };
    let (filter, invalid) = cli_support::log_filter::from_environment("warn");
    if let Some(invalid) = invalid {
        Output::notice(&invalid);
    }
    // They would log the payloads of failed jobs and the parameters of statements: users' data.
    let quiet = ["graphile_worker", "tokio_postgres"];
    let without_users =
        filter_fn(move |metadata| !quiet.iter().any(|name| metadata.target().starts_with(name)));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).finish();
    subscriber.with(without_users).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            Output::error(&format!("failed to start the runtime: {error}"));
            return Exit::Usage.into();
        }
    };
    runtime.block_on(run(cli.command)).into()
}

/// Ends with a usage error; characters of the command line that would steer the terminal are escaped.
fn usage(error: &clap::Error) -> ! {
    let arguments = std::env::args_os().map(|argument| visible(&argument.to_string_lossy()).into_owned());
    match Cli::try_parse_from(arguments) {
        Err(error) => cli_support::print_usage_error(&error),
        // Written out it is no mistake any longer.
        Ok(_) => Output::error(&error.kind().to_string()),
    }
    std::process::exit(i32::from(Exit::Usage.code()))
}

async fn run(command: Command) -> Exit {
    match command {
        Command::Init(args) => init::run(&args).await,
        Command::Enable(common) => toggle::run(&common, true),
        Command::Disable(common) => toggle::run(&common, false),
        Command::Filter(command) => trial::filter(&command).await,
        Command::Mapping(command) => trial::mapping(&command).await,
        Command::Check(common) => check::run(&common).await,
        Command::TestConnection(common) => test_connection::run(&common).await,
        Command::Plan(args) => plan::run(&args).await,
        Command::Apply(args) => apply::run(&args).await,
        Command::Sync(args) => sync::run(&args).await,
        Command::Watch(args) => watch::run(&args).await,
        Command::Work(args) => work::run(&args).await,
        Command::Status(common) => status::run(&common).await,
        Command::Log(args) => log::run(&args).await,
        Command::Release(common) => release::run(&common).await,
        Command::Forget(args) => forget::run(&args).await,
        Command::Adopt(args) => adopt::run(&args).await,
        Command::List(common) => list::run(&common).await,
        Command::Explain(args) => explain::run(&args).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "provisioner", &mut script);
            Output::raw(&String::from_utf8_lossy(&script));
            Exit::Done
        }
    }
}

impl Common {
    fn output(&self) -> Output {
        Output { json: self.json, connection: None }
    }

    fn state(&self) -> Result<StateLocation, UnclearState> {
        self.state.clone().map_or_else(|| state_file::beside(&self.config).map(StateLocation::File), Ok)
    }

    /// Whether the state is a file of one connection; a database holds those of several.
    fn names_state_file(&self) -> bool {
        matches!(self.state, Some(StateLocation::File(_)))
    }

    /// Loads the configuration; its problems are printed to stderr.
    fn load(&self) -> Result<Config, Exit> {
        if self.config.is_dir() {
            let directory = self.config.display();
            Output::error(&format!(
                "{directory} is a directory: `sync` and `list` take one, this command takes a file: -c {directory}/NAME.toml"
            ));
            return Err(Exit::Usage);
        }
        Config::load(&self.config).map_err(|error| {
            Output::config_error(error);
            Exit::Usage
        })
    }

    /// Opens the connection with its state; an error is printed to stderr.
    async fn open(&self, access: Access) -> Result<Provisioner, Exit> {
        self.open_with(access, None).await
    }

    /// Opens the connection as [`Common::open`] does, with `concurrency` in place of the configured number.
    async fn open_with(
        &self,
        access: Access,
        concurrency: Option<NonZeroUsize>,
    ) -> Result<Provisioner, Exit> {
        self.open_observed(
            access,
            concurrency,
            if self.json { Arc::new(()) } else { progress::on_terminal() },
        )
        .await
    }

    /// Opens the connection as [`Common::open_with`] does, without a progress bar.
    async fn open_without_progress(
        &self,
        access: Access,
        concurrency: Option<NonZeroUsize>,
    ) -> Result<Provisioner, Exit> {
        self.open_observed(access, concurrency, Arc::new(())).await
    }

    async fn open_observed(
        &self,
        access: Access,
        concurrency: Option<NonZeroUsize>,
        progress: Arc<dyn Progress>,
    ) -> Result<Provisioner, Exit> {
        let mut config = self.load()?;
        config.options.concurrency = concurrency.unwrap_or(config.options.concurrency);
        // The seed only spreads retries over time: any will do.
        let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let state = self.state().map_err(|error| {
            Output::error(&error.to_string());
            Exit::Usage
        })?;
        let env = |name: &str| std::env::var(name).ok();
        let mut environment = Environment::system(&config, state, seed).map_err(|error| {
            Output::error(&format!("{}; {}", with_cause(&error), error.way_out()));
            Exit::ConnectionUnusable
        })?;
        environment.recording.actor = Actor::from_environment(&env);
        environment.progress = progress;
        let opened = match access {
            Access::Write | Access::Work => Provisioner::open(config, environment).await,
            Access::Read => Provisioner::open_to_read(config, environment).await,
        };
        opened.map_err(|error| {
            Output::store_error(&error);
            Exit::Usage
        })
    }
}
