//! The names of what the harness makes: how they are made, and how they are told from names that others gave.

use crate::server::PREFIX;

/// The number of characters of a run's own part, without the check characters.
const RUN: usize = 5;

/// Characters that check them: a digit or small letter, a digit, and a digit or small letter.
const CHECK: usize = 3;

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Formats a number in digits and small letters.
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

/// Returns the part of a run's names that tells them from other runs': five digits or small letters, and three that
/// check them. One of these is a digit, so no word has this shape; of other texts of eight characters, one in 12,960
/// has.
pub(crate) fn run_name(seed: u64) -> String {
    let digits = format!("{:0>RUN$}", radix(seed % 36_u64.pow(5)));
    let check = check(&digits);
    digits + &check
}

/// Returns the characters that check a run's own part.
fn check(digits: &str) -> String {
    // FNV-1a: a change of any character changes all that follows.
    let hash = digits.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = hash ^ (hash >> 32);
    [36, 10, 36]
        .into_iter()
        .scan(hash, |rest, base| {
            let digit = usize::try_from(*rest % base).unwrap_or_default();
            *rest /= base;
            Some(char::from(DIGITS[digit]))
        })
        .collect()
}

/// Finds the unique part that a run made, anywhere in a name and in any case: the prefix, the run's part, a hyphen, and
/// the number of a case or variant. Returns the run's part in lower case.
pub fn run_in(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    name.match_indices(PREFIX).find_map(|(at, _)| {
        let (run, number) = name[at + PREFIX.len()..].split_once('-')?;
        let (digits, checks) = run.split_at_checked(RUN)?;
        let made = checks.len() == CHECK
            && digits.bytes().all(|byte| DIGITS.contains(&byte))
            && checks == check(digits)
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
    fn names_without_a_valid_check_are_not_found() {
        let run = run_name(7);
        assert_eq!(run.len(), RUN + CHECK);
        for made in [
            format!("conformance-{run}-1-1@example.com"),
            format!("Conformance-{}-P3-user", run.to_ascii_uppercase()),
            format!("svc.conformance-{run}-b-1@acme.test"),
        ] {
            assert_eq!(run_in(&made).as_deref(), Some(run.as_str()), "{made}");
        }
        let wrong = if run.ends_with('0') { "1" } else { "0" };
        let wrong = format!("{}{wrong}", &run[..RUN + CHECK - 1]);
        for other in [
            "conformance-officer@example.com",
            "conformance-team",
            "conformance-berlin-1",
            "conformance-eastern-4",
            "conformance-security-1",
            "conformance-officers-2@example.com",
            "conformance-",
            &format!("conformance-{wrong}-1-1"),
            &format!("conformance-{run}"),
            &format!("conformance-{run}-@example.com"),
        ] {
            assert_eq!(run_in(other), None, "{other}");
        }
        assert!(has_prefix("Conformance-officer") && !has_prefix("svc.conformance-x"));
        assert_ne!(run_name(1), run_name(2));
        // No word is one, for each has a digit at the same place.
        assert!((0..1000).all(|seed| run_name(seed).as_bytes()[RUN + 1].is_ascii_digit()));
    }
}
