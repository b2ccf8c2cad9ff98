//! The command line: what can be written, and which module carries it out.

mod client;
mod documents;
mod healthcheck;
mod profiles;
mod serve;
mod verify;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use cli_support::print_usage_error;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: what was asked for is done.
    Done = 0,
    /// 1: the server couldn't start or broke, the one asked about isn't ready, or an expectation is not satisfied.
    Failed = 1,
    /// 2: the command line, or a file that it names, is not usable.
    Usage = 2,
    /// 3: the server whose journal is asked can't be reached.
    Unreachable = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A fake Aquera SCIM endpoint, in memory, with switchable behaviour.
///
/// Without an argument it listens at 127.0.0.1:8080 with the bearer token `mock-token` and a few demo users.
#[derive(Debug, Parser)]
#[command(name = "mock-aquera", version, args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Exit codes: 0 done; 1 could not start, broke, is not ready, or an expectation is not satisfied; 2 bad \
                  command line or input file; 3 the server of verify cannot be reached.\n\n\
                  Environment: RUST_LOG filters what goes to stderr, such as warn, mock_aquera=debug or \
                  info,mock_aquera::requests=off [default: info, also where it is empty or cannot be read]"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until interrupted; the same as no command at all.
    Serve(Box<serve::Options>),
    /// List the built-in profiles, or show what one does otherwise than the RFC, with its sources.
    Profiles(profiles::Options),
    /// Exit with 0 when the server is ready.
    Healthcheck(healthcheck::Options),
    /// Verify the number of requests that came in; a failure shows the nearest misses.
    Verify(verify::Options),
    /// Print a completion script.
    Completions {
        /// The shell that it is for.
        shell: Shell,
    },
}

/// Where a server is unless its URL is given.
const SERVER: &str = "http://127.0.0.1:8080";

/// Why a command didn't do what it should. The exit code goes with it.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    fn failed(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into() }
    }
}

impl From<io::Error> for Failure {
    /// Only standard output is written without a message of its own.
    fn from(error: io::Error) -> Self {
        Self::failed(format!("write to standard output: {error}"))
    }
}

/// Runs the program with these arguments, the first being its own name.
pub fn run(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            print_usage_error(&error);
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    let done = |()| Exit::Done;
    let outcome = match cli.command.unwrap_or(Command::Serve(Box::new(cli.serve))) {
        Command::Serve(options) => serve::run(*options).map(done),
        Command::Profiles(options) => profiles::run(&options).map(done),
        Command::Healthcheck(options) => healthcheck::run(&options).map(done),
        Command::Verify(options) => verify::run(&options),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "mock-aquera", &mut script);
            io::stdout().write_all(&script).map(done).map_err(Failure::from)
        }
    };
    match outcome {
        Ok(exit) => exit,
        Err(Failure { exit, message }) => {
            let _ = writeln!(io::stderr(), "mock-aquera: failed to {message}");
            exit
        }
    }
}
