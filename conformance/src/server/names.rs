//! The names of what the harness makes: how they are made, and how they are told from names that others gave.

use crate::server::PREFIX;

/// Characters of a run's own part, without the one that checks them.
const RUN: usize = 6;

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// A number in digits and small letters.
pub(crate) fn radix(mut number: u64) -> String {
    let mut text = Vec::new();
    loop {
        text.push(char::from(DIGITS[(number % 36) as usize]));
        number /= 36;
        if number == 0 {
            return text.into_iter().rev().collect();
        }
    }
}

/// The part of a run's names that tells them from other runs': six digits or small letters, and one that checks them,
/// so that hardly any name that somebody else gave looks like it.
pub(crate) fn run_name(seed: u64) -> String {
    let mut text = format!("{:0>RUN$}", radix(seed % 36_u64.pow(6)));
    text.push(check_character(&text));
    text
}

fn check_character(text: &str) -> char {
    let sum = text.bytes().fold(7_usize, |sum, byte| (sum * 5 + usize::from(byte)) % 36);
    char::from(DIGITS[sum])
}

/// Finds the unique part that a run made, anywhere in a name and in any case: the prefix, the run's part, a hyphen, and
/// the number of a case or form. Returns the run's part in lower case.
pub fn run_in(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    name.match_indices(PREFIX).find_map(|(at, _)| {
        let (run, number) = name[at + PREFIX.len()..].split_once('-')?;
        let (digits, check) = run.split_at_checked(RUN)?;
        let made = run.bytes().all(|byte| DIGITS.contains(&byte))
            && check.chars().eq([check_character(digits)])
            && number.bytes().next().is_some_and(|byte| DIGITS.contains(&byte));
        made.then(|| run.to_owned())
    })
}

/// Whether a name begins with the prefix, in any case.
pub fn has_prefix(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_shape_that_a_run_makes_are_found() {
        let run = run_name(7);
        assert_eq!(run.len(), RUN + 1);
        for made in [
            format!("conformance-{run}-1-1@example.com"),
            format!("Conformance-{}-P3-user", run.to_ascii_uppercase()),
            format!("svc.conformance-{run}-b-1@acme.test"),
        ] {
            assert_eq!(run_in(&made).as_deref(), Some(run.as_str()), "{made}");
        }
        let wrong = if run.ends_with('0') { "0000071" } else { "0000070" };
        for other in [
            "conformance-officer@example.com",
            "conformance-team",
            "conformance-berlin-1",
            "conformance-",
            &format!("conformance-{wrong}-1-1"),
            &format!("conformance-{run}"),
            &format!("conformance-{run}-@example.com"),
        ] {
            assert_eq!(run_in(other), None, "{other}");
        }
        assert!(has_prefix("Conformance-officer") && !has_prefix("svc.conformance-x"));
        assert_ne!(run_name(1), run_name(2));
    }
}
