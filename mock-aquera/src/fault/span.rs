//! Lengths of time as rules write them: `200ms`, `1.5s`, `2m`.

use std::time::Duration;

/// The units, the longest first, with their nanoseconds.
const UNITS: [(&str, u128); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Reads a number with a unit; without a sign, a space or an exponent.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(at);
    let (_, size) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let nanos = whole.parse::<u128>().ok()?.checked_mul(size)?.checked_add(fraction(part, size)?)?;
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    let rest = u32::try_from(nanos % 1_000_000_000).ok()?;
    Some(Duration::new(seconds, rest))
}

/// The digits behind the point in nanoseconds, cut off at the ninth.
fn fraction(digits: &str, size: u128) -> Option<u128> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = &digits[..digits.len().min(9)];
    let scale = 10_u128.checked_pow(u32::try_from(digits.len()).ok()?)?;
    Some(digits.parse::<u128>().ok()? * size / scale)
}

/// Writes it exactly, in the longest of `s`, `ms`, `us` and `ns` that needs no fraction.
pub(super) fn display(span: Duration) -> String {
    let nanos = span.as_nanos();
    let fits = UNITS.into_iter().skip(2).find(|(_, size)| nanos.is_multiple_of(*size));
    let (unit, size) = fits.unwrap_or(("ns", 1));
    format!("{}{unit}", nanos / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written() {
        #[track_caller]
        fn check(text: &str, nanos: u64, canonical: &str) {
            let span = parse(text).unwrap();
            assert_eq!(span, Duration::from_nanos(nanos), "{text}");
            assert_eq!(display(span), canonical, "{text}");
        }
        check("200ms", 200_000_000, "200ms");
        check("1.5s", 1_500_000_000, "1500ms");
        check("2m", 120_000_000_000, "120s");
        check("1h", 3_600_000_000_000, "3600s");
        check("0s", 0, "0s");
        check("7us", 7_000, "7us");
        check("1ns", 1, "1ns");
        check("0.25us", 250, "250ns");
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in
            ["", "5", "ms", "-1s", "+1s", "1 s", "1e3s", "1.s", ".5s", "1.2.3s", "3w", "1sms", "µs", "1µs"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("99999999999999999999999s"), None, "too long");
    }

    #[test]
    fn the_longest_span_comes_back() {
        assert_eq!(parse(&display(Duration::MAX)), Some(Duration::MAX));
    }
}
