//! `mock-aquera healthcheck [URL]`: one request, for containers and scripts.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::client::{Answer, Server};
use super::serve::CA_FILE;
use super::{Failure, SERVER};

const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Any URL of the server
    #[arg(default_value = SERVER)]
    url: String,
    /// The authority to trust, as PEM, where the URL begins with https
    #[arg(long, value_name = "FILE", default_value = CA_FILE)]
    ca: PathBuf,
}

pub(super) fn run(Options { url, ca }: &Options) -> Result<(), Failure> {
    let server = Server::of(url, ca)?;
    let name = server.name();
    let answer = server.ask("GET", "/_mock/health", "", b"", PATIENCE);
    let answer = answer.map_err(|error| Failure::failed(format!("reach {name}: {error}")))?;
    if answer.status == "200" {
        Ok(())
    } else {
        let Answer { status, .. } = &answer;
        Err(Failure::failed(format!("find a ready server at {name}: it answers {status}{}", answer.told())))
    }
}
