//! Questions on stderr, answers from stdin: a terminal, or a program that answers.

use std::io::{self, BufRead, Write as _};

use crate::cli::output::Output;

/// A question without an answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum PromptError {
    #[error("failed to read an answer: the input ended at \"{0}\"")]
    Ended(String),
    #[error("failed to read an answer")]
    Unreadable(#[from] io::Error),
}

/// Asks, one question a line.
pub(in crate::cli) struct Prompt<R> {
    answers: R,
    /// Whether secrets are typed on a terminal, where they must not show.
    hidden: bool,
}

impl<R: BufRead> Prompt<R> {
    pub(in crate::cli) const fn new(answers: R, hidden: bool) -> Self {
        Self { answers, hidden }
    }

    /// Asks for a text. An empty answer stands for `default`; without a default the question is repeated.
    pub(super) fn text(&mut self, question: &str, default: Option<&str>) -> Result<String, PromptError> {
        let shown = match default {
            Some("") | None => format!("{question}: "),
            Some(default) => format!("{question} [{default}]: "),
        };
        loop {
            show(&shown)?;
            let answer = self.line(question)?;
            match (answer.trim(), default) {
                ("", Some(default)) => return Ok(default.to_owned()),
                ("", None) => Output::notice("  enter a value"),
                (answer, _) => return Ok(answer.to_owned()),
            }
        }
    }

    /// Yes or no.
    pub(in crate::cli) fn yes(&mut self, question: &str, default: bool) -> Result<bool, PromptError> {
        let choice = if default { "Y/n" } else { "y/N" };
        loop {
            show(&format!("{question} [{choice}]: "))?;
            match self.line(question)?.trim().to_lowercase().as_str() {
                "" => return Ok(default),
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => Output::notice("  answer y or n"),
            }
        }
    }

    /// Asks for one of `choices`; an empty answer stands for the first.
    pub(super) fn one_of<'a>(&mut self, question: &str, choices: &[&'a str]) -> Result<&'a str, PromptError> {
        let listed = choices.join(" or ");
        loop {
            let default = choices.first().copied().unwrap_or_default();
            let answer = self.text(&format!("{question}: {listed}"), Some(default))?;
            match choices.iter().find(|choice| choice.eq_ignore_ascii_case(&answer)) {
                Some(choice) => return Ok(choice),
                None => Output::notice(&format!("  answer {listed}")),
            }
        }
    }

    /// Asks for a secret, which a terminal does not show.
    pub(super) fn secret(&mut self, question: &str) -> Result<String, PromptError> {
        loop {
            let answer = if self.hidden {
                rpassword::prompt_password(format!("{question}: "))?
            } else {
                show(&format!("{question}: "))?;
                self.line(question)?
            };
            let answer = answer.trim_end_matches(['\r', '\n']);
            if !answer.trim().is_empty() {
                return Ok(answer.to_owned());
            }
            Output::notice("  enter a value");
        }
    }

    fn line(&mut self, question: &str) -> Result<String, PromptError> {
        let mut answer = String::new();
        if self.answers.read_line(&mut answer)? == 0 {
            return Err(PromptError::Ended(question.to_owned()));
        }
        Ok(answer)
    }
}

fn show(text: &str) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    stderr.write_all(text.as_bytes())?;
    stderr.flush()
}
