//! Sizes in bytes as text: `500`, `64KiB`, `8MiB`, `1GiB`.

/// A text is no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a size is a whole number of bytes, or one with its unit, KiB, MiB or GiB")]
pub(crate) struct ParseSizeError;

/// Parses a size.
pub(crate) fn parse(text: &str) -> Result<usize, ParseSizeError> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(ParseSizeError),
    };
    number.parse::<usize>().ok().and_then(|number| number.checked_mul(unit)).ok_or(ParseSizeError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_an_optional_unit() {
        for (text, size) in
            [("0", 0), ("500", 500), ("7B", 7), ("64KiB", 65_536), ("8MiB", 8 << 20), ("1GiB", 1 << 30)]
        {
            assert_eq!(parse(text), Ok(size), "{text}");
        }
        for text in ["", "KiB", "1kb", "-1", "99999999999999999999", "99999999999999999GiB"] {
            assert_eq!(parse(text), Err(ParseSizeError), "{text}");
        }
    }
}
