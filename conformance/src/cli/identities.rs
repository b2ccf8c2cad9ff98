//! `conformance identities`.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Args;

use crate::cli::Complaint;
use crate::exit::Exit;
use crate::identities;

#[derive(Debug, Args)]
pub(super) struct Identities {
    /// Number of users
    #[arg(long, default_value_t = 10_000)]
    count: u64,
    /// The same seed gives the same users
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// File to write
    #[arg(long, value_name = "FILE.ndjson")]
    out: PathBuf,
    /// Overwrite the file if it is there
    #[arg(long)]
    force: bool,
}

impl Identities {
    pub(super) fn run(&self) -> Result<Exit, Complaint> {
        let file = self.open().map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Complaint::usage(format!("{} is there already; --force overwrites it", self.out.display()))
            }
            _ => Complaint::usage(format!("failed to open {}: {error}", self.out.display())),
        })?;
        let mut out = BufWriter::new(file);
        identities::write(&mut out, self.count, self.seed)
            .and_then(|()| out.flush())
            .map_err(|error| Complaint::broken(format!("failed to write {}: {error}", self.out.display())))?;
        Ok(Exit::Passed)
    }

    fn open(&self) -> std::io::Result<File> {
        if self.force {
            File::create(&self.out)
        } else {
            OpenOptions::new().write(true).create_new(true).open(&self.out)
        }
    }
}
