//! Text that strangers sent, made fit for a page or a terminal.

use std::borrow::Cow;

use serde_json::Value;

/// Whether a character moves the cursor, hides text or turns its direction round.
fn is_treacherous(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
        // Noncharacters: XML takes none of the first plane, and nobody shows any.
        || matches!(character, '\u{fdd0}'..='\u{fdef}')
        || u32::from(character) & 0xfffe == 0xfffe
}

/// Returns the text on one line, with control characters escaped.
pub fn one_line(text: &str) -> Cow<'_, str> {
    escape(text, is_treacherous)
}

/// Returns the text with its line breaks and tabs, and with all other control characters escaped.
pub fn lines(text: &str) -> Cow<'_, str> {
    escape(text, |character| is_treacherous(character) && !matches!(character, '\n' | '\t'))
}

fn escape(text: &str, bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&bad) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if bad(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// Returns at most `most` characters of the beginning of a text, with a mark if it was cut.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.char_indices().nth(most).is_none() {
        return Cow::Borrowed(text);
    }
    let end = text.char_indices().nth(most.saturating_sub(1)).map_or(0, |(at, _)| at);
    Cow::Owned(format!("{}…", &text[..end]))
}

/// Formats a value on one line of at most `most` characters. A string stands without quotes, unless it looks like a number.
pub fn value(value: &Value, most: usize) -> String {
    let text = match (in_words(value), value) {
        (Some(words), _) => Cow::Owned(words),
        (None, Value::String(text)) => unmistakable(text),
        (None, other) => Cow::Owned(other.to_string()),
    };
    one_line(&cut(&text, most)).into_owned()
}

/// Formats a value on several lines, in at most `most` characters. A string stays as it is.
pub fn pretty(value: &Value, most: usize) -> String {
    let text = match (in_words(value), value) {
        (Some(words), _) => words,
        (None, Value::String(text)) => unmistakable(text).into_owned(),
        (None, other) => format!("{other:#}"),
    };
    let total = text.chars().count();
    if total <= most {
        return lines(&text).into_owned();
    }
    format!("{}\n… {} characters more", lines(&cut(&text, most)), total - most)
}

/// Returns a string as it is, in quotes if it would read as a number or as `true`, `false` or `null`.
fn unmistakable(text: &str) -> Cow<'_, str> {
    let is_mistaken =
        matches!(serde_json::from_str::<Value>(text), Ok(Value::Null | Value::Bool(_) | Value::Number(_)));
    if is_mistaken { Cow::Owned(format!("\"{text}\"")) } else { Cow::Borrowed(text) }
}

/// Returns the expectation in words if it is a condition and no value: `{"includes": …}`, `{"one of": …}` and the
/// like, or several statuses.
pub fn in_words(expected: &Value) -> Option<String> {
    fn or(parts: &[String]) -> String {
        parts.join(" or ")
    }
    fn status(one: &Value) -> Option<String> {
        match one {
            Value::Number(number) => {
                number.as_u64().filter(|status| (100..600).contains(status)).map(|status| status.to_string())
            }
            Value::String(class) if class.len() == 3 && class.ends_with("xx") => Some(class.clone()),
            _ => None,
        }
    }
    /// Returns the values of one of several accepted answers, by JSON pointer.
    fn places(answer: &Value) -> Option<String> {
        let of = |place: &Value| {
            let (what, wanted) = place.as_object().filter(|place| place.len() == 1)?.iter().next()?;
            Some(format!("{what}: {}", told(wanted)))
        };
        let places = answer.as_array().filter(|places| !places.is_empty())?;
        places.iter().map(of).collect::<Option<Vec<_>>>().map(|places| places.join(" and "))
    }
    fn told(value: &Value) -> String {
        match (in_words(value), value) {
            (Some(words), _) => words,
            (None, Value::Null) => "no value".to_owned(),
            (None, Value::String(text)) => text.clone(),
            (None, other) => other.to_string(),
        }
    }
    if let Some(several) = expected.as_array().filter(|several| several.len() > 1) {
        return several.iter().map(status).collect::<Option<Vec<_>>>().map(|several| or(&several));
    }
    let (condition, inner) = expected.as_object().filter(|members| members.len() == 1)?.iter().next()?;
    match (condition.as_str(), inner) {
        ("includes", inner) => Some(format!("at least {}", told(inner))),
        ("lacks", inner) => Some(format!("nothing with {}", told(inner))),
        ("not", inner) => Some(format!("anything but {}", told(inner))),
        (list @ ("all of" | "none of" | "exactly" | "in order"), Value::Array(all)) => {
            let names: Vec<_> = all.iter().map(told).collect();
            let list = if list == "in order" { "in this order" } else { list };
            Some(format!("{list}: {}", if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }))
        }
        ("one of", Value::Array(all)) => {
            Some(or(&all.iter().map(|one| places(one).unwrap_or_else(|| told(one))).collect::<Vec<_>>()))
        }
        _ => None,
    }
}

/// Returns the expected and the actual value side by side: member by member if both are objects of the same members,
/// element by element if both are lists whose elements name their subject (`what`, perhaps `step`, and `value`).
pub fn pairs<'a>(expected: &'a Value, actual: &'a Value) -> Vec<(Option<String>, &'a Value, &'a Value)> {
    match (expected, actual) {
        (Value::Object(wanted), Value::Object(got))
            if !wanted.is_empty()
                && wanted.len() == got.len()
                && wanted.keys().all(|key| got.contains_key(key)) =>
        {
            wanted
                .iter()
                .filter_map(|(key, wanted)| Some((Some(key.clone()), wanted, got.get(key)?)))
                .collect()
        }
        (Value::Array(wanted), Value::Array(got))
            if !wanted.is_empty()
                && wanted.len() == got.len()
                && wanted
                    .iter()
                    .zip(got)
                    .all(|(wanted, got)| about(wanted).is_some() && about(wanted) == about(got)) =>
        {
            wanted
                .iter()
                .zip(got)
                .map(|(wanted, got)| (about(wanted), &wanted["value"], &got["value"]))
                .collect()
        }
        _ => vec![(None, expected, actual)],
    }
}

/// Returns the subject that an element names.
fn about(element: &Value) -> Option<String> {
    element.get("value")?;
    let what = element.get("what")?.as_str()?;
    let step = element.get("step").and_then(Value::as_str).filter(|step| !step.is_empty());
    Some(step.map_or_else(|| what.to_owned(), |step| format!("{step}: {what}")))
}

/// Formats a number with separated thousands.
pub fn number(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a duration in words.
pub fn duration(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => format!("{} min {} s", milliseconds / 60_000, milliseconds % 60_000 / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::format::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(one_line("a\u{1b}[2Jb\nc\u{202e}d"), "a\\u{1b}[2Jb\\nc\\u{202e}d");
        assert_eq!(lines("a\r\nb\tc"), "a\\r\nb\tc");
        assert!(matches!(one_line("Zoë ✓"), Cow::Borrowed(_)));
        assert_eq!(one_line("a\u{fffe}b\u{1ffff}"), "a\\u{fffe}b\\u{1ffff}");
    }

    #[test]
    fn long_texts_are_cut_at_characters() {
        assert_eq!(cut("äöüß", 4), "äöüß");
        assert_eq!(cut("äöüß!", 4), "äöü…");
        assert_eq!(cut("abc", 0), "…");
        assert_eq!(value(&json!({"a": "b"}), 100), r#"{"a":"b"}"#);
        assert_eq!(pretty(&json!("abcdef"), 3), "ab…\n… 3 characters more");
    }

    #[test]
    fn conditions_are_described_in_words() {
        #[track_caller]
        fn check(expected: &Value, words: &str) {
            assert_eq!(value(expected, 200), words);
            assert_eq!(pretty(expected, 200), words);
        }
        check(&json!({ "includes": { "type": "work" } }), r#"at least {"type":"work"}"#);
        check(&json!({ "lacks": { "type": "work" } }), r#"nothing with {"type":"work"}"#);
        check(&json!({ "not": "Ada" }), "anything but Ada");
        check(&json!({ "one of": ["a", null, 3] }), "a or no value or 3");
        check(&json!([200, 204, "4xx"]), "200 or 204 or 4xx");
        check(
            &json!({ "one of": [[{ "status": 200 }, { "/a": "x" }], [{ "status": [204, 404] }]] }),
            "status: 200 and /a: x or status: 204 or 404",
        );
        check(
            &json!({ "exactly": ["the first user", "the second user"] }),
            "exactly: the first user, the second user",
        );
        check(&json!({ "in order": ["b", "a"] }), "in this order: b, a");
        check(&json!("404"), "\"404\"");
        assert_eq!(in_words(&json!(["a"])), None);
        assert_eq!(in_words(&json!({ "status": "404" })), None);
    }

    #[test]
    fn expected_and_actual_values_are_paired() {
        let side =
            |value: Value| json!([{ "step": "read ada", "what": "/active", "value": value, "why": "…" }]);
        let (expected, actual) = (side(json!(true)), side(Value::Null));
        assert_eq!(
            pairs(&expected, &actual),
            [(Some("read ada: /active".to_owned()), &json!(true), &Value::Null)]
        );
        let (expected, actual) = (json!({ "a": 1 }), json!({ "a": 2 }));
        assert_eq!(pairs(&expected, &actual), [(Some("a".to_owned()), &json!(1), &json!(2))]);
        let (expected, actual) = (json!([1]), side(json!(1)));
        assert_eq!(pairs(&expected, &actual), [(None, &expected, &actual)]);
    }

    #[test]
    fn numbers_and_durations_are_formatted() {
        assert_eq!(
            ["0", "999", "1,000", "42,018", "1,234,567"].map(str::to_owned),
            [0, 999, 1000, 42_018, 1_234_567].map(number)
        );
        assert_eq!(
            ["999 ms", "1.0 s", "59.9 s", "1 min 5 s"].map(str::to_owned),
            [999, 1_000, 59_999, 65_000].map(duration)
        );
    }
}
