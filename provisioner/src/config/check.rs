//! What a file means: every contradiction is found before the first is told.

mod attributes;
mod connection;
mod rules;

use std::ops::Range;
use std::path::Path;

use toml::Spanned;

use super::raw::{RawFile, RawSource};
use super::{Config, Problem};
use crate::source::{Attributes, SourceConfig, SourceKind};

/// What the checks share: the text, and what was found so far.
struct Checker<'a> {
    text: &'a str,
    folder: &'a Path,
    env: &'a dyn Fn(&str) -> Option<String>,
    /// What filters and mappings may name.
    attributes: Attributes,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn report(&mut self, span: Option<Range<usize>>, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::new(message, help, span));
    }

    /// A required text with something in it.
    fn text(
        &mut self,
        name: &str,
        found: Option<Spanned<String>>,
        parent: Option<Range<usize>>,
        help: &str,
    ) -> Option<String> {
        match found {
            Some(text) if text.get_ref().trim().is_empty() => {
                self.report(Some(text.span()), format!("`{name}` is empty"), help);
                None
            }
            Some(text) => Some(text.into_inner()),
            None => {
                self.report(parent, format!("`{name}` is missing"), help);
                None
            }
        }
    }
}

/// The configuration that a file means, or everything that is wrong with it.
pub(super) fn config(
    raw: RawFile,
    text: &str,
    file: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Vec<Problem>> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut checker = Checker { text, folder, env, attributes: Attributes::default(), problems: Vec::new() };
    let no_external_id = raw
        .connection
        .as_ref()
        .and_then(|connection| connection.options.external_id.as_ref())
        .filter(|external_id| !external_id.get_ref())
        .map(Spanned::span);
    let connection = checker.connection(raw.connection);
    let source = checker.source(raw.source);
    let rules = checker.rules(raw.rule, no_external_id.as_ref());
    match (connection, source, checker.problems) {
        (Some(connection), Some(source), problems) if problems.is_empty() => Ok(Config {
            file: file.to_owned(),
            name: connection.name,
            description: connection.description,
            enabled: connection.enabled,
            authentication: connection.authentication,
            preferences: connection.preferences,
            options: connection.options,
            source,
            rules,
        }),
        (_, _, problems) => Err(problems),
    }
}

impl Checker<'_> {
    fn source(&mut self, raw: Option<Spanned<RawSource>>) -> Option<SourceConfig> {
        let help = "say where the users are: [source] with kind = \"file\" and path = \"users.ndjson\"";
        let Some(raw) = raw else {
            self.report(None, "there is no [source]", help);
            return None;
        };
        let span = raw.span();
        let RawSource { kind, path, custom_attributes } = raw.into_inner();
        self.attributes = self.declared(custom_attributes);
        if kind.is_none() {
            self.report(Some(span.clone()), "`kind` is missing", "write kind = \"file\"");
        }
        let path = self.text("path", path, Some(span), help)?;
        let SourceKind::File = kind?;
        Some(SourceConfig {
            kind: SourceKind::File,
            identity: format!("file:{path}"),
            path: self.folder.join(path),
            attributes: self.attributes.clone(),
        })
    }
}
