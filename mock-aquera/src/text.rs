//! Texts cut at a byte. What the standard library has for that is made for any pattern, and slow for texts as short as
//! the parts of a URL.

use memchr::memchr;

/// What is in front of the first such ASCII character, and what is behind it.
pub(crate) fn split_once(text: &str, at: u8) -> Option<(&str, &str)> {
    let found = memchr(at, text.as_bytes())?;
    Some((text.get(..found)?, text.get(found + 1..)?))
}

/// What is between such ASCII characters; the text itself where there is none.
pub(crate) fn split(text: &str, at: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let (first, after) = match split_once(rest?, at) {
            Some((first, after)) => (first, Some(after)),
            None => (rest?, None),
        };
        rest = after;
        Some(first)
    })
}

/// What is wrong with a JSON text, in plain words, with the place.
pub(crate) fn json_problem(error: &serde_json::Error) -> String {
    if error.is_eof() && (error.line(), error.column()) == (1, 0) {
        return "it is empty, and a JSON object is needed".to_owned();
    }
    let text = error.to_string();
    let place = format!("line {}, column {}", error.line(), error.column());
    let what = text.split(" at line ").next().unwrap_or_default();
    if error.is_eof() {
        return format!("the JSON text ends too early, at {place}: something is missing or not closed");
    }
    let told = match what {
        "trailing comma" => "a comma stands before a closing bracket or brace",
        "trailing characters" => "something stands behind the end of the JSON text",
        "key must be a string" => "a name of a member is not in double quotes",
        "expected value" => "there is no JSON value",
        "expected ident" => "there is no JSON value; what looks like one is misspelt, as in `tru`",
        "expected `:`" => "a colon is missing behind the name of a member",
        "expected `,` or `}`" => "a comma or a closing brace is missing",
        "expected `,` or `]`" => "a comma or a closing bracket is missing",
        "invalid number" | "number out of range" => "a number is written in a way that JSON does not have",
        "invalid escape" => "a backslash stands before a letter that JSON does not escape",
        "recursion limit exceeded" => "it is nested too deeply",
        other => other,
    };
    format!("{told}, at {place}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    #[test]
    fn json_problem_is_told_in_plain_words_with_its_place() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let error = serde_json::from_str::<serde_json::Value>(text).unwrap_err();
            assert_eq!(super::json_problem(&error), expected, "{text}");
        }
        check("", "it is empty, and a JSON object is needed");
        check(
            "{\"a\":",
            "the JSON text ends too early, at line 1, column 5: something is missing or not closed",
        );
        check("[1,]", "a comma stands before a closing bracket or brace, at line 1, column 4");
        check("{\n\"a\" 1}", "a colon is missing behind the name of a member, at line 2, column 5");
        check("{a:1}", "a name of a member is not in double quotes, at line 1, column 2");
        check("{} x", "something stands behind the end of the JSON text, at line 1, column 4");
        check("{\"a\":1 \"b\":2}", "a comma or a closing brace is missing, at line 1, column 8");
    }

    use super::*;

    proptest! {
        #[test]
        fn they_cut_like_the_standard_library(text in "[a&é=]{0,12}") {
            prop_assert_eq!(split_once(&text, b'='), text.split_once('='));
            prop_assert_eq!(split(&text, b'&').collect::<Vec<_>>(), text.split('&').collect::<Vec<_>>());
        }
    }
}
