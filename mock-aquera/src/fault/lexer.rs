//! A rule as words: split at white space, with values that may stand in double quotes.

use super::ParseFaultError;

/// One word of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    pub(crate) key: &'a str,
    /// None where there is no `=`.
    pub(crate) value: Option<String>,
}

/// Splits a rule. In quotes `\"`, `\\`, `\n`, `\r` and `\t` stand for what they look like.
pub(crate) fn words(text: &str) -> Result<Vec<Word<'_>>, ParseFaultError> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
        let (key, behind) = rest.split_at(end);
        if key.contains('"') {
            return Err(ParseFaultError::StrayQuote(key.to_owned()));
        }
        let value = match behind.strip_prefix('=') {
            None => {
                rest = behind;
                None
            }
            Some(behind) => {
                let (value, behind) = value(key, behind)?;
                rest = behind;
                Some(value)
            }
        };
        found.push(Word { key, value });
        rest = rest.trim_start();
    }
    Ok(found)
}

/// Reads one value, and gives back what follows it.
fn value<'a>(key: &str, text: &'a str) -> Result<(String, &'a str), ParseFaultError> {
    let Some(inside) = text.strip_prefix('"') else {
        let (plain, behind) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
        if plain.is_empty() {
            return Err(ParseFaultError::NoValue(key.to_owned()));
        }
        // JSON has quotes of its own.
        if plain.contains('"') && !plain.starts_with(['{', '[']) {
            return Err(ParseFaultError::StrayQuote(format!("{key}={plain}")));
        }
        return Ok((plain.to_owned(), behind));
    };
    let mut value = String::new();
    let mut letters = inside.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => {
                let behind = &inside[at + 1..];
                if !behind.is_empty() && !behind.starts_with(char::is_whitespace) {
                    return Err(ParseFaultError::StrayQuote(format!("{key}=\"{value}\"")));
                }
                return Ok((value, behind));
            }
            '\\' => match letters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 'r')) => value.push('\r'),
                Some((_, 't')) => value.push('\t'),
                Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                Some((_, other)) => return Err(ParseFaultError::BadEscape(other)),
                None => break,
            },
            plain => value.push(plain),
        }
    }
    Err(ParseFaultError::OpenQuote(key.to_owned()))
}

/// Writes a value so that [`words`] reads it back, with quotes only where it needs them.
pub(super) fn quoted(value: &str) -> String {
    let plain = !value.is_empty() && !value.contains(|c: char| c == '"' || c.is_whitespace());
    if plain {
        return value.to_owned();
    }
    let escapes = [('\\', "\\\\"), ('"', "\\\""), ('\n', "\\n"), ('\r', "\\r"), ('\t', "\\t")];
    let escaped =
        escapes.iter().fold(value.to_owned(), |text, (letter, escape)| text.replace(*letter, escape));
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use crate::fault::lexer::*;

    #[test]
    fn values_come_back() {
        #[track_caller]
        fn check(value: &str, written: &str) {
            assert_eq!(quoted(value), written);
            let text = format!(" first=1\t key={written} bare ");
            let expected = [("first", Some("1")), ("key", Some(value)), ("bare", None)]
                .map(|(key, value)| Word { key, value: value.map(str::to_owned) });
            assert_eq!(words(&text).unwrap(), expected);
        }
        check("plain", "plain");
        check("a=b", "a=b");
        check(r"back\slash", r"back\slash");
        check("", "\"\"");
        check("two words", "\"two words\"");
        check("emails[type eq \"work\"].value", r#""emails[type eq \"work\"].value""#);
        check("a\nb\tc\rd\\ e", r#""a\nb\tc\rd\\ e""#);
        check("no\u{a0}break", "\"no\u{a0}break\"");
    }

    #[test]
    fn bad_quotes_are_refused() {
        #[track_caller]
        fn check(text: &str, error: &ParseFaultError) {
            assert_eq!(words(text).as_ref(), Err(error), "{text}");
        }
        let open = ParseFaultError::OpenQuote("key".to_owned());
        check("key= other=1", &ParseFaultError::NoValue("key".to_owned()));
        check("key=\"open", &open);
        check(r#"key="open\"#, &open);
        check(r#"key="open\""#, &open);
        check(r#"key="a"b"#, &ParseFaultError::StrayQuote("key=\"a\"".to_owned()));
        check(r#"key=a"b""#, &ParseFaultError::StrayQuote("key=a\"b\"".to_owned()));
        check(r#""key"=a"#, &ParseFaultError::StrayQuote("\"key\"".to_owned()));
        check(r#"key="\x""#, &ParseFaultError::BadEscape('x'));
    }
}
