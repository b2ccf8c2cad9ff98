//! Problems of a configuration, shown with file, line and place, and never with a secret.

use std::fmt;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use super::redact::redacted;
use crate::file_error;
use crate::visible::{placeheld, shortened, visible};

/// A configuration that cannot be used: everything that is wrong with it.
#[derive(Debug)]
pub struct ConfigError {
    file: PathBuf,
    /// The argument of the command line that is wrong, where it is no file.
    argument: Option<&'static str>,
    source: Option<Box<NamedSource<String>>>,
    problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    message: String,
    help: String,
    span: Option<Range<usize>>,
    line: usize,
    option: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(
        message: impl Into<String>,
        help: impl Into<String>,
        span: Option<Range<usize>>,
    ) -> Self {
        let shown = |text: String| visible(&text).into_owned();
        Self { message: shown(message.into()), help: shown(help.into()), span, line: 0, option: None }
    }

    /// Returns the problem as a contradiction of preferences, by the option at fault.
    pub(super) fn of_option(mut self, option: &'static str) -> Self {
        self.option = Some(option);
        self
    }

    /// Returns the problem in words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the way out.
    pub fn way_out(&self) -> &str {
        &self.help
    }

    /// Returns the line, counted from 1, if the problem has a place.
    pub fn line(&self) -> Option<usize> {
        self.span.as_ref().map(|_| self.line)
    }
}

impl ConfigError {
    pub(super) fn unreadable(file: &Path, error: &io::Error) -> Self {
        let (message, help) = match error.kind() {
            ErrorKind::NotFound => (
                "there is no such file".to_owned(),
                "correct the path, or make a configuration with `provisioner init`",
            ),
            ErrorKind::IsADirectory => ("it is a directory".to_owned(), "name the file in it"),
            kind => (file_error::words(kind), "make the file readable for the user that runs this program"),
        };
        let problems = vec![Problem::new(message, help, None)];
        Self { file: file.to_owned(), argument: None, source: None, problems }
    }

    pub(super) fn not_utf8(file: &Path) -> Self {
        let problem = Problem::new("it is not UTF-8", "save the file as UTF-8", None);
        Self { file: file.to_owned(), argument: None, source: None, problems: vec![problem] }
    }

    pub(super) fn invalid(file: &Path, text: &str, mut problems: Vec<Problem>) -> Self {
        for problem in &mut problems {
            let start = problem.span.as_ref().map_or(0, |span| span.start);
            problem.line = text.get(..start).unwrap_or(text).matches('\n').count() + 1;
        }
        problems.sort_by_key(|problem| problem.span.as_ref().map_or(0, |span| span.start));
        let shown = placeheld(&redacted(text)).into_owned();
        let source = NamedSource::new(visible(&file.display().to_string()), shown);
        Self { file: file.to_owned(), argument: None, source: Some(Box::new(source)), problems }
    }

    /// Creates the error of `text`, the argument `name` of the command line.
    pub(super) fn of_argument(name: &'static str, text: &str, mut problems: Vec<Problem>) -> Self {
        let first = problems.iter().filter_map(|problem| problem.span.clone()).min_by_key(|span| span.start);
        let (shown, moved) = around(text, &first.unwrap_or(0..0));
        for problem in &mut problems {
            problem.line = 1;
            problem.message = shortened(&problem.message, MESSAGE).into_owned();
            problem.help = shortened(&problem.help, MESSAGE).into_owned();
            problem.span = problem.span.take().and_then(|span| moved(&span));
        }
        let source = NamedSource::new(name, shown);
        Self { file: PathBuf::from(name), argument: Some(name), source: Some(Box::new(source)), problems }
    }

    /// Returns the file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Returns every problem, in the order of the file.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Returns the preferences that contradict others, by option name.
    pub fn contradictions(&self) -> Vec<String> {
        self.problems.iter().filter_map(|problem| problem.option).map(str::to_owned).collect()
    }
}

/// Characters of an argument that are shown on either side of a place.
const AROUND: usize = 50;
/// Problems that are shown; the others are counted.
const SHOWN: usize = 10;
/// Characters of a message about an argument.
const MESSAGE: usize = 300;

/// Returns the part of `text` around `place` in one line, and a function that moves places into that part.
fn around(
    text: &str,
    place: &Range<usize>,
) -> (String, impl Fn(&Range<usize>) -> Option<Range<usize>> + use<>) {
    let at = (0..=place.start.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let (before, behind) = text.split_at(at);
    let start = before.char_indices().rev().take(AROUND).last().map_or(before.len(), |(at, _)| at);
    let end = at + behind.char_indices().nth(AROUND).map_or(behind.len(), |(at, _)| at);
    let cut = |is_cut: bool| if is_cut { "…" } else { "" };
    let lead = cut(start > 0);
    let part = placeheld(text.get(start..end).unwrap_or_default()).replace(['\n', '\r', '\t'], " ");
    let shown = format!("{lead}{part}{}", cut(end < text.len()));
    let (offset, length) = (lead.len(), end - start);
    let moved = move |span: &Range<usize>| {
        let within = |at: usize| at.saturating_sub(start).min(length) + offset;
        (span.start >= start && span.start <= end).then(|| within(span.start)..within(span.end))
    };
    (shown, moved)
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.argument {
            write!(f, "failed to read {name}: ")?;
            return match self.problems.as_slice() {
                [only] => f.write_str(&only.message),
                several => write!(f, "{} problems", several.len()),
            };
        }
        write!(f, "failed to load the configuration {}: ", visible(&self.file.display().to_string()))?;
        match self.problems.as_slice() {
            [Problem { message, span: Some(_), line, .. }] => write!(f, "line {line}: {message}"),
            [Problem { message, .. }] => f.write_str(message),
            several => write!(f, "{} problems", several.len()),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Diagnostic for ConfigError {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_deref().map(|source| source as &dyn SourceCode)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        match self.problems.as_slice() {
            [only] => only.help(),
            several if several.len() > SHOWN => {
                Some(Box::new(format!("the first {SHOWN} are shown: correct them, and run again")))
            }
            _ => None,
        }
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        if let [only] = self.problems.as_slice() { only.labels() } else { None }
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        if self.problems.len() < 2 {
            return None;
        }
        Some(Box::new(self.problems.iter().take(SHOWN).map(|problem| problem as &dyn Diagnostic)))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.help))
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.span.clone()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(Some("here".to_owned()), span))))
    }
}
