//! The command line.

mod cases;
mod clean;
mod client;
mod diff;
mod explain;
mod explore;
mod identities;
mod matrix;
mod merge;
mod mutants;
mod probe;
mod progress;
mod reporting;
mod server;
mod signal;
mod time;

use std::error::Error;
use std::ffi::OsString;
use std::io::Write;

use clap::{CommandFactory, Parser, Subcommand};

use crate::causes::with_causes;
use crate::exit::Exit;
use crate::report::github::{self, Surroundings};

/// Judges the provisioner, and in time SCIM servers and other provisioners.
#[derive(Debug, Parser)]
#[command(name = "conformance", version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 nothing failed; 1 something failed; 2 usage; 3 the harness broke";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the provisioner against the mock: settings x authentication x update method x profile x scenario
    Matrix(matrix::Matrix),
    /// Make one report of the shards of a run
    Merge(merge::Merge),
    /// Say what changed between two JSON reports
    Diff(diff::Diff),
    /// Judge a SCIM server against the RFCs
    Server(server::Server),
    /// Judge a provisioner that is pointed at the mock
    Client(client::Client),
    /// Run this project's provisioner once, as a step of `client --drive` says
    #[command(hide = true)]
    DriveProvisioner(client::DriveProvisioner),
    /// Play random sequences of requests against a SCIM server, and judge them by rules that always hold
    Explore(explore::Explore),
    /// Find out what an endpoint does with partial updates, and what that means for a PingOne connection
    Probe(probe::Probe),
    /// Delete what runs of `server` and `probe` left at a SCIM server: users and groups named conformance-…
    Clean(clean::Clean),
    /// Run the suite of `server` against deliberately broken servers, to see that it finds what is wrong
    Mutants(mutants::Mutants),
    /// List the cases of `server`, or print the JSON Schema of case files
    Cases(cases::Cases),
    /// Say what a case asks for, where that stands, and how it is tried
    Explain(explain::Explain),
    /// Write made-up users in the shape of PingOne's, one JSON object a line
    Identities(identities::Identities),
    /// Print a completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Parses the arguments, carries the command out, and says how it ended.
pub fn run(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Exit {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way too, and end well.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Passed };
            cli_support::print_usage_error(&error);
            return exit;
        }
    };
    let result = match arguments.command {
        Command::Matrix(matrix) => matrix.run(),
        Command::Merge(merge) => merge.run(),
        Command::Diff(diff) => diff.run(),
        Command::Server(server) => server.run(),
        Command::Client(client) => client.run(),
        Command::DriveProvisioner(drive) => drive.run(),
        Command::Explore(explore) => explore.run(),
        Command::Probe(probe) => probe.run(),
        Command::Clean(clean) => clean.run(),
        Command::Mutants(mutants) => mutants.run(),
        Command::Cases(cases) => cases.run(),
        Command::Explain(explain) => explain.run(),
        Command::Identities(identities) => identities.run(),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "conformance", &mut script);
            say(&String::from_utf8_lossy(&script)).map(|()| Exit::Passed)
        }
    };
    result.unwrap_or_else(|Complaint { message, exit }| {
        eprintln!("error: {message}");
        if exit == Exit::Broken && Surroundings::of_environment().annotations {
            eprint!("{}", github::complaint(&message));
        }
        exit
    })
}

/// The reason why a command failed.
#[derive(Debug)]
struct Complaint {
    message: String,
    exit: Exit,
}

impl Complaint {
    fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: Exit::Usage }
    }

    fn usage_by(error: impl Error) -> Self {
        Self::usage(with_causes(&error))
    }

    fn broken_by(error: impl Error) -> Self {
        Self::broken(with_causes(&error))
    }

    fn broken(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: Exit::Broken }
    }
}

/// Returns a runtime with a thread for each core.
fn runtime() -> Result<tokio::runtime::Runtime, Complaint> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Complaint::broken(format!("failed to start the runtime: {error}")))
}

/// Writes to stdout. A reader that went away has seen enough.
fn say(text: &str) -> Result<(), Complaint> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Complaint::broken(format!("failed to write to stdout: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
