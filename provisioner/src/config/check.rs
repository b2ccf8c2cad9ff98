//! The checks of a file: every contradiction is found before the first is reported.

mod argument;
mod attributes;
mod connection;
mod groups;
mod network;
mod rules;
mod source;
mod watch;

use std::ops::Range;
use std::path::Path;

use toml::Spanned;

pub(crate) use argument::Argument;

use super::location::inside;
use super::raw::RawSource;
use super::tolerant::{LeftOut, Tolerant};
use super::{Config, Problem, SourceConfig, SourceKind, push_down};
use crate::source::Attributes;

/// The state that the checks share: the text, and the problems so far.
struct Checker<'a> {
    text: &'a str,
    /// Whether the text is an argument of the command line, and not a file.
    is_argument: bool,
    folder: &'a Path,
    env: &'a dyn Fn(&str) -> Option<String>,
    /// The attributes that filters and mappings may name.
    attributes: Attributes,
    problems: Vec<Problem>,
    /// The options that are present and invalid: they are not missing, and nothing is concluded from their absence.
    left_out: Vec<LeftOut>,
}

impl Checker<'_> {
    /// Whether `key` was written in the table `parent`, or anywhere, and could not be read.
    fn is_left_out(&self, key: &str, parent: Option<&Range<usize>>) -> bool {
        let within = |span: &Range<usize>| {
            // The span of a table that has a header of its own is that header.
            parent.is_none_or(|parent| span.start >= parent.start && span.start < self.table_end(parent))
        };
        self.left_out.iter().any(|left_out| left_out.key == key && within(&left_out.span))
    }

    /// Returns the byte at which the table at `span` ends: after its braces, or before the next header.
    fn table_end(&self, span: &Range<usize>) -> usize {
        let rest = self.text.get(span.end..).unwrap_or_default();
        if self.text.get(span.clone()).is_some_and(|table| table.starts_with('{')) {
            return span.end;
        }
        let mut end = span.end;
        for (index, line) in rest.split_inclusive('\n').enumerate() {
            if index > 0 && line.trim_start().starts_with('[') {
                break;
            }
            end += line.len();
        }
        end
    }

    /// Reports that `key` is missing, unless it is there and could not be read.
    fn missing(
        &mut self,
        key: &str,
        parent: Option<&Range<usize>>,
        message: String,
        help: impl Into<String>,
    ) {
        if !self.is_left_out(key, parent) {
            self.report(parent.cloned(), message, help);
        }
    }

    /// Returns the place in the file of `inner`, a place in the value of the text `raw`.
    fn place(&self, raw: &Spanned<String>, inner: Range<usize>) -> Range<usize> {
        if self.is_argument { inner } else { inside(self.text, &raw.span(), &inner) }
    }

    fn report(&mut self, span: Option<Range<usize>>, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::new(message, help, span));
    }

    /// Reads a required text that is not blank.
    fn text(
        &mut self,
        name: &str,
        found: Option<Spanned<String>>,
        parent: Option<&Range<usize>>,
        help: &str,
    ) -> Option<String> {
        match found {
            Some(text) if text.get_ref().trim().is_empty() => {
                self.report(Some(text.span()), format!("`{name}` is empty"), help);
                None
            }
            Some(text) => Some(text.into_inner()),
            None => {
                self.missing(name, parent, format!("`{name}` is missing"), help);
                None
            }
        }
    }
}

/// Returns the source of a file that is not valid TOML, if the file names one.
pub(super) fn source(raw: RawSource, file: &Path) -> Option<SourceConfig> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let (problems, left_out) = (Vec::new(), Vec::new());
    let attributes = Attributes::default();
    let is_argument = false;
    let mut checker =
        Checker { text: "", is_argument, folder, env: &|_| None, attributes, problems, left_out };
    checker.source(Some(Spanned::new(0..0, raw)))
}

/// Returns the configuration of a file, or every problem with it, and its source, if that is valid.
pub(super) fn config(
    tolerant: Tolerant,
    text: &str,
    file: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> (Result<Config, Vec<Problem>>, Option<SourceConfig>) {
    let folder = file.parent().unwrap_or(Path::new(""));
    let Tolerant { file: raw, problems, left_out } = tolerant;
    let (attributes, is_argument) = (Attributes::default(), false);
    let mut checker = Checker { text, is_argument, folder, env, attributes, problems, left_out };
    let no_external_id = raw
        .connection
        .as_ref()
        .and_then(|connection| connection.options.external_id.as_ref())
        .filter(|external_id| !external_id.get_ref())
        .map(Spanned::span);
    let connection = checker.connection(raw.connection);
    let mut source = checker.source(raw.source);
    let rules = checker.rules(raw.rule, no_external_id.as_ref());
    if let Some(SourceConfig { kind: SourceKind::PingOne(source), .. }) = &mut source
        && checker.problems.is_empty()
    {
        source.pushed_down = push_down::of_rules(&rules);
    }
    let webhook = checker.watch(raw.watch);
    let has_groups = source
        .as_ref()
        .is_none_or(|source| source.groups.is_some() || matches!(source.kind, SourceKind::PingOne(_)));
    let group_rules = checker.group_rules(raw.group_rule, has_groups);
    if !group_rules.is_empty() {
        source.iter_mut().for_each(Checker::groups_of_environment);
    }
    let config = match (connection, source.clone(), checker.problems) {
        (Some(connection), Some(source), problems) if problems.is_empty() => Ok(Config {
            file: file.to_owned(),
            name: connection.name,
            description: connection.description,
            enabled: connection.enabled,
            authentication: connection.authentication,
            network: connection.network,
            preferences: connection.preferences,
            options: connection.options,
            source,
            rules,
            group_rules,
            webhook,
            has_secrets: true,
        }),
        (_, _, problems) => Err(problems),
    };
    (config, source)
}
