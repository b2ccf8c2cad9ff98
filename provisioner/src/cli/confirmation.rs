//! The options by which a person confirms a run that is stopped otherwise.

use crate::report::{Confirmation, Stopped};
use crate::source::{SourceError, SourceProblem};

/// Returns the options that give a confirmation.
fn options(confirmation: &Confirmation) -> String {
    match confirmation {
        Confirmation::NewSource => "--accept-new-source".to_owned(),
        Confirmation::EmptySource => "--allow-empty-source".to_owned(),
        Confirmation::EmptyScope(rules) => {
            let option = |rule: &str| format!("--allow-empty-scope {}", quoted(rule));
            rules.iter().map(|rule| option(rule.as_str())).collect::<Vec<_>>().join(" ")
        }
        Confirmation::Removals { number, plan } => {
            format!("--approve {plan} (exactly this plan) or --approve-removals {number} (any {number})")
        }
        Confirmation::GroupRemovals { number, plan } => {
            format!(
                "--approve {plan} (exactly this plan) or --approve-group-removals {number} (any {number})"
            )
        }
    }
}

/// Returns a message with the options that give the confirmation.
pub(super) fn with_options(message: &str, confirmation: &Confirmation) -> String {
    format!("{message}; run once with {} to confirm it", options(confirmation))
}

/// Returns why a run was stopped, with the options that let it go on.
pub(super) fn stopped(stopped: &Stopped) -> Stopped {
    match &stopped.confirmation {
        Some(confirmation) => {
            Stopped { message: with_options(&stopped.message, confirmation), ..stopped.clone() }
        }
        None => stopped.clone(),
    }
}

/// Returns the way out of an error of the source, with the option that accepts an empty one.
pub(super) fn way_out(error: &SourceError) -> String {
    if *error.problem() == SourceProblem::Empty {
        with_options(error.way_out(), &Confirmation::EmptySource)
    } else {
        error.way_out().to_owned()
    }
}

/// Returns a word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.:/@+".contains(letter);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_names_are_quoted_for_the_shell() {
        for (name, expected) in [("staff", "staff"), ("all staff", "'all staff'"), ("it's", "'it'\\''s'")] {
            assert_eq!(quoted(name), expected);
        }
    }

    #[test]
    fn each_empty_rule_has_its_option() {
        let rules = ["staff", "all staff"].map(|name| name.parse().unwrap()).to_vec();
        let expected = "--allow-empty-scope staff --allow-empty-scope 'all staff'";
        assert_eq!(options(&Confirmation::EmptyScope(rules)), expected);
    }
}
