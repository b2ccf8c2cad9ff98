//! `--schema` and `--resource-type`: documents from files, and messages that name the file and the place.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::Failure;
use super::serve::DATA;
use crate::builder::{MockAqueraBuilder, StartError};
use crate::parse_message;
use crate::parse_message::Mistake;

#[derive(Debug, Args)]
pub(super) struct Documents {
    /// Add a schema (RFC 7643 §7) that a resource type names, or write a standard one anew (repeatable)
    #[arg(long, value_name = "FILE.json", help_heading = DATA)]
    schema: Vec<PathBuf>,
    /// Serve a resource type (RFC 7643 §6), or User or Group otherwise than usual (repeatable)
    #[arg(long, value_name = "FILE.json", help_heading = DATA)]
    resource_type: Vec<PathBuf>,
}

impl Documents {
    /// Whether nothing but the standard types is served.
    pub(super) fn is_empty(&self) -> bool {
        self.schema.is_empty() && self.resource_type.is_empty()
    }

    /// Gives the documents to a server to be.
    pub(super) fn add_to(&self, builder: &mut MockAqueraBuilder) -> Result<(), Failure> {
        builder.schemas = self.schema.iter().map(|file| read(file)).collect::<Result<_, _>>()?;
        builder.resource_types =
            self.resource_type.iter().map(|file| read(file)).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// What was wrong with one of the documents, where that is why the server did not start.
    pub(super) fn failure(&self, error: &StartError) -> Option<Failure> {
        let (file, detail) = match error {
            StartError::Schema { index, detail } => (self.schema.get(*index)?, detail),
            StartError::ResourceType { index, detail } => (self.resource_type.get(*index)?, detail),
            _ => return None,
        };
        Some(Failure::usage(format!("take {}: {detail}", file.display())))
    }
}

fn read(file: &Path) -> Result<Value, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("read {}: {error}", file.display())))?;
    serde_json::from_str(&text).map_err(|error| {
        let Mistake { line, column, message } = parse_message::json(text.as_bytes(), &error);
        Failure::usage(format!("read {}:{line}:{column}: {message}", file.display()))
    })
}
