//! Finding a text in the spellings in which a target may repeat it: as it is, percent-encoded, escaped for JSON or HTML.

use std::borrow::Borrow;
use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;

/// Texts of at least this many characters are found inside other words, and whatever their case.
pub(super) const UNMISTAKABLE: usize = 8;

/// Values of at least this many characters are found whatever their case.
const IGNORES_CASE: usize = 4;

/// The maximum number of times that a text may have been encoded again.
const ENCODED: usize = 3;

/// A text to look for.
pub(super) struct TextPattern {
    chars: Vec<char>,
    /// Whether it counts only where no letter or digit touches it.
    whole_word: bool,
    ignore_case: bool,
}

impl TextPattern {
    /// Creates the pattern of a secret. A short one counts as a whole word only, because many other words contain it by
    /// chance.
    pub(super) fn secret(text: &str) -> Self {
        let short = text.chars().count() < UNMISTAKABLE;
        Self { chars: text.chars().collect(), whole_word: short, ignore_case: !short }
    }

    /// Creates the pattern of an attribute's value, or returns `None` if it is too short to be recognised.
    pub(super) fn value(text: &str) -> Option<Self> {
        let text = text.trim();
        let length = text.chars().count();
        if length == 0 || (length == 1 && text.is_ascii()) {
            return None;
        }
        // A plain word may be a part of another; an address, a number or a name in several parts hardly is.
        let plain_word = text.chars().all(char::is_alphabetic) && text.is_ascii();
        let whole_word = plain_word || (text.is_ascii() && length < 6);
        Some(Self { chars: text.chars().collect(), whole_word, ignore_case: length >= IGNORES_CASE })
    }

    /// Returns the value of an attribute in every form in which a target may repeat it: as it is, composed, decomposed,
    /// and in capital letters of another length (`ß`).
    pub(super) fn forms(text: &str) -> Vec<Self> {
        let mut forms = vec![text.to_owned()];
        if !text.is_ascii() {
            let composed: String = text.nfc().collect();
            if composed.trim().chars().count() >= IGNORES_CASE {
                forms.push(composed.to_uppercase());
            }
            forms.push(composed);
            let decomposed: Vec<String> = forms.iter().map(|form| form.nfd().collect()).collect();
            forms.extend(decomposed);
            forms.sort();
            forms.dedup();
        }
        forms.iter().filter_map(|form| Self::value(form)).collect()
    }

    /// Returns the number of characters.
    pub(super) fn len(&self) -> usize {
        self.chars.len()
    }

    /// Returns the byte behind the text if `haystack` has the text at byte `at`.
    pub(super) fn end_at(&self, haystack: &str, at: usize) -> Option<usize> {
        let (first, rest) = self.chars.split_first()?;
        let letter = haystack.get(at..)?.chars().next()?;
        if !begins_escape(letter) && !self.is_same(letter, *first) {
            return None;
        }
        let mut ends = Vec::new();
        self.step(haystack, at, *first, &mut ends);
        for wanted in rest {
            if ends.is_empty() {
                return None;
            }
            let mut next = Vec::new();
            for end in ends {
                self.step(haystack, end, *wanted, &mut next);
            }
            next.sort_unstable();
            next.dedup();
            ends = next;
        }
        let fits = |end: &usize| !self.whole_word || stands_alone(haystack, &(at..*end));
        ends.into_iter().filter(fits).max()
    }

    fn is_same(&self, found: char, wanted: char) -> bool {
        if found == wanted {
            return true;
        }
        self.ignore_case
            && if found.is_ascii() && wanted.is_ascii() {
                found.eq_ignore_ascii_case(&wanted)
            } else {
                found.to_lowercase().eq(wanted.to_lowercase())
            }
    }

    /// Adds to `ends` where `wanted` may end that begins at byte `at`.
    fn step(&self, haystack: &str, at: usize, wanted: char, ends: &mut Vec<usize>) {
        let Some(rest) = haystack.get(at..) else { return };
        let Some(letter) = rest.chars().next() else { return };
        let same = |found: char| self.is_same(found, wanted);
        if same(letter) {
            ends.push(at + letter.len_utf8());
        }
        let mut escaped = |found: Option<(char, usize)>| {
            ends.extend(found.filter(|(found, _)| same(*found)).map(|(_, length)| at + length));
        };
        // The meaning of an escape depends on how often the text was encoded: each reading is tried.
        match letter {
            '%' => (0..=ENCODED).for_each(|times| escaped(percent(rest, times))),
            '\\' => {
                escaped(backslash(rest));
                (1..=ENCODED).for_each(|times| escaped(doubled(rest, times)));
            }
            '&' => escaped(entity(rest)),
            '+' => escaped(Some((' ', 1))),
            _ => {}
        }
    }
}

/// The bytes with which a match of one of several patterns may begin, and those that may follow.
pub(super) struct Beginnings {
    first: [bool; 256],
    second: [bool; 256],
}

impl Beginnings {
    pub(super) fn of<'a>(text_patterns: impl Iterator<Item = &'a TextPattern>) -> Self {
        let mut both = Self { first: std::array::from_fn(|_| false), second: std::array::from_fn(|_| false) };
        for byte in 0..=u8::MAX {
            set(&mut both.first, byte, may_stand_for_others(byte));
            set(&mut both.second, byte, may_stand_for_others(byte));
        }
        for text_pattern in text_patterns {
            let mut chars = text_pattern.chars.iter();
            both.add(chars.next(), true);
            both.add(chars.next(), false);
        }
        both
    }

    fn add(&mut self, letter: Option<&char>, is_first: bool) {
        let table = if is_first { &mut self.first } else { &mut self.second };
        match letter {
            Some(letter) if letter.is_ascii() => {
                for letter in [letter.to_ascii_lowercase(), letter.to_ascii_uppercase()] {
                    set(table, u8::try_from(letter).unwrap_or_default(), true);
                }
            }
            // Without case it may be a letter of ASCII; a pattern of one letter may be followed by anything.
            Some(_) | None => *table = [true; 256],
        }
    }

    /// Whether `text` has a place where a match may begin.
    pub(super) fn is_any_in(&self, text: &str) -> bool {
        let has = |table: &[bool; 256], byte: u8| table.get(usize::from(byte)).copied().unwrap_or(true);
        let bytes = text.as_bytes();
        let follows = |at: usize| bytes.get(at + 1).is_none_or(|next| has(&self.second, *next));
        bytes
            .iter()
            .enumerate()
            .any(|(at, byte)| has(&self.first, *byte) && (may_stand_for_others(*byte) || follows(at)))
    }
}

/// Whether what begins with `byte` may stand for another character: an escape, or a letter outside of ASCII for one within,
/// without case.
const fn may_stand_for_others(byte: u8) -> bool {
    byte >= 0x80 || begins_escape(byte as char)
}

fn set(table: &mut [bool; 256], byte: u8, value: bool) {
    if let Some(place) = table.get_mut(usize::from(byte)) {
        *place |= value;
    }
}

/// Replaces the matches of `text_patterns` in `text`, the longest first, or returns `None` if there is no match.
pub(super) fn replace<N: Borrow<TextPattern>>(text: &str, text_patterns: &[(N, String)]) -> Option<String> {
    // Each character of a needle takes a byte of the text at least.
    let may_fit = |(text_pattern, _): &&(N, String)| text_pattern.borrow().len() <= text.len();
    if !text_patterns.iter().any(|text_pattern| may_fit(&text_pattern)) {
        return None;
    }
    let mut out = String::new();
    let mut kept = 0;
    let mut at = 0;
    while let Some(letter) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let found = text_patterns
            .iter()
            .filter(may_fit)
            .filter_map(|(text_pattern, label)| Some((text_pattern.borrow().end_at(text, at)?, label)))
            .max_by_key(|(end, _)| *end);
        match found {
            Some((end, label)) if end > at => {
                out.push_str(text.get(kept..at).unwrap_or_default());
                out.push_str(label);
                (at, kept) = (end, end);
            }
            _ => at += letter.len_utf8(),
        }
    }
    if kept == 0 {
        return None;
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    Some(out)
}

/// Whether what begins with `letter` may stand for another character.
const fn begins_escape(letter: char) -> bool {
    matches!(letter, '%' | '\\' | '&' | '+')
}

/// Whether neither a letter nor a digit touches `range`; an escape does not count as one.
fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let before = text.get(..range.start).unwrap_or_default();
    let after = text.get(range.end..).unwrap_or_default();
    let is_escape = |tail: &[u8]| match tail {
        [.., b'%', one, two] => one.is_ascii_hexdigit() && two.is_ascii_hexdigit(),
        _ => false,
    };
    let is_short_escape = |tail: &[u8]| matches!(tail, [.., b'\\', b'n' | b'r' | b't' | b'b' | b'f']);
    let escaped = is_escape(before.as_bytes()) || is_short_escape(before.as_bytes());
    (escaped || !before.chars().next_back().is_some_and(char::is_alphanumeric))
        && !after.chars().next().is_some_and(char::is_alphanumeric)
}

/// Returns a percent-encoded character (RFC 3986 §2.1), whose signs were encoded `times` again, and its length.
fn percent(text: &str, times: usize) -> Option<(char, usize)> {
    let mut bytes = [0; 4];
    let mut length = 0;
    for count in 0..bytes.len() {
        let mut rest = text.get(length..)?.strip_prefix('%')?;
        length += 1;
        for _ in 0..times {
            rest = rest.strip_prefix("25")?;
            length += 2;
        }
        *bytes.get_mut(count)? =
            u8::from_str_radix(rest.get(..2).filter(|pair| is_hex_pair(pair))?, 16).ok()?;
        length += 2;
        if let Some(letter) =
            std::str::from_utf8(bytes.get(..=count)?).ok().and_then(|text| text.chars().next())
        {
            return Some((letter, length));
        }
    }
    None
}

fn is_hex_pair(text: &str) -> bool {
    text.as_bytes().get(..2).is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
}

/// Returns a character escaped as in a JSON string (RFC 8259 §7), any number of times, and its length.
fn backslash(text: &str) -> Option<(char, usize)> {
    let rest = text.trim_start_matches('\\');
    let slashes = text.len() - rest.len();
    let letter = match rest.chars().next() {
        Some('"') => '"',
        Some('/') => '/',
        Some('\'') => '\'',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => {
            let unit = |at: usize| u16::from_str_radix(rest.get(at..at + 4)?, 16).ok();
            let first = unit(1)?;
            if let Some(letter) = char::from_u32(u32::from(first)) {
                return Some((letter, slashes + 5));
            }
            let second = rest.get(5..)?;
            let low = second.trim_start_matches('\\').strip_prefix('u')?;
            let low = u16::from_str_radix(low.get(..4)?, 16).ok()?;
            let letter = char::decode_utf16([first, low]).next()?.ok()?;
            let between = second.len() - second.trim_start_matches('\\').len();
            return Some((letter, slashes + 5 + between + 5));
        }
        _ => return None,
    };
    Some((letter, slashes + 1))
}

/// Returns a backslash that was escaped `times`, and its length.
fn doubled(text: &str, times: usize) -> Option<(char, usize)> {
    let length = 1 << times;
    let slashes = text.len() - text.trim_start_matches('\\').len();
    (slashes >= length).then_some(('\\', length))
}

/// Returns a character written as an HTML entity, and its length.
fn entity(text: &str) -> Option<(char, usize)> {
    let end = text.get(..10.min(text.len())).unwrap_or(text).find(';')?;
    let letter = match text.get(1..end)? {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        other => {
            let digits = other.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(code)?
        }
    };
    Some((letter, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_a_beginning_has_no_match() {
        let patterns = ["secret-token", "ab", "x", "kelvin-key", "ßtraße12"].map(TextPattern::secret);
        let texts = [
            "secret-token",
            "SECRET-TOKEN",
            "%73ecret-token",
            "\\u0073ecret-token",
            "&#115;ecret-token",
            "a secret-token",
            "ab",
            "b ab",
            "x",
            "\u{212a}elvin-key",
            "ßtraße12",
            "SStraße12",
            "plain words",
            "se",
            "s",
            "",
            "q",
            "zzz",
        ];
        for pattern in &patterns {
            let beginnings = Beginnings::of(std::iter::once(pattern));
            for text in texts {
                let found = replace(
                    text,
                    &[(TextPattern { chars: pattern.chars.clone(), ..*pattern }, String::new())],
                );
                assert!(found.is_none() || beginnings.is_any_in(text), "{text:?} has {:?}", pattern.chars);
            }
        }
        let beginnings = Beginnings::of(patterns[..1].iter());
        assert!(!beginnings.is_any_in("Main Street 12"));
        assert!(!beginnings.is_any_in("su"));
        assert!(beginnings.is_any_in("se"));
    }

    #[track_caller]
    fn check(secret: &str, text: &str, expected: &str) {
        let text_patterns = [(TextPattern::secret(secret), "#".to_owned())];
        assert_eq!(replace(text, &text_patterns).as_deref().unwrap_or(text), expected, "{secret} in {text}");
    }

    #[test]
    fn secret_is_found_in_every_spelling() {
        let secret = "pä/\"ss+w 😀d";
        for spelling in [
            "pä/\"ss+w 😀d",
            "p%C3%A4%2F%22ss%2Bw%20%F0%9F%98%80d",
            "p%c3%a4/%22ss%2bw+%f0%9f%98%80d",
            "p%25C3%25A4%252F%2522ss%252Bw%2520%25F0%259F%2598%2580d",
            r#"p\u00e4\/\"ss\u002Bw \ud83d\ude00d"#,
            r#"p\\u00E4\\\/\\\"ss+w\u0020\\uD83D\\uDE00d"#,
            "p&#228;/&quot;ss&#x2b;w&#32;&#x1F600;d",
            "PÄ/\"SS+W 😀D",
        ] {
            check(secret, &format!("a{spelling}b, {spelling}"), "a#b, #");
        }
        check(r"back\slash!", r"back\slash! back\\slash! back%5Cslash!", "# # #");
        check(r"back\new \u0041", r"back\new \u0041 back\\new \\u0041 back\\\\new \\\\u0041", "# # #");
        check("100%B6%25%41", "100%B6%25%41 100%25B6%2525%2541 100%2525B6%252525%252541", "# # #");
        check(secret, "pä/\"ss+w 😀", "pä/\"ss+w 😀");
        check("aaaaaaab", "aaaaaaaaaaab", "aaaa#");
        check("12345678", "%3%%%2512345678%", "%3%%%25#%");
    }

    #[test]
    fn short_secret_is_no_part_of_a_word() {
        check(
            "s3cret",
            "s3cret, x-s3cret-y, /s3cret, %20s3cret%2F, \\ns3cret",
            "#, x-#-y, /#, %20#%2F, \\n#",
        );
        check("s3cret", "as3cret s3cretly S3cret", "as3cret s3cretly S3cret");
        check("pass", "the password does not pass", "the password does not #");
    }

    #[test]
    fn values_are_found_in_other_forms_and_cases() {
        for (value, told) in [
            ("Jürgen", ["J\u{fc}rgen", "Ju\u{308}rgen", "JU\u{308}RGEN"]),
            ("ju\u{308}rgen groß", ["jürgen groß", "JÜRGEN GROSS", "JU\u{308}RGEN GROSS"]),
            ("한국", ["한국", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}", "한국"]),
        ] {
            let text_patterns: Vec<_> = TextPattern::forms(value)
                .into_iter()
                .map(|text_pattern| (text_pattern, "#".to_owned()))
                .collect();
            for told in told {
                assert_eq!(
                    replace(&format!("<{told}>"), &text_patterns).as_deref(),
                    Some("<#>"),
                    "{value} in {told}"
                );
            }
        }
        assert_eq!(TextPattern::forms("Ann").len(), 1);
        let text_patterns: Vec<_> = TextPattern::forms("Zoë")
            .into_iter()
            .map(|text_pattern| (text_pattern, "#".to_owned()))
            .collect();
        assert_eq!(replace("ZOË", &text_patterns), None, "three letters may be another word");
    }

    #[test]
    fn values_are_told_from_words_that_contain_them() {
        let text_patterns: Vec<_> =
            [("Ann", "given"), ("ann@example.org", "email"), ("+1 555", "phone"), ("李", "family")]
                .into_iter()
                .map(|(value, label)| (TextPattern::value(value).unwrap(), label.to_owned()))
                .collect();
        let told = replace("Ann (ANN@EXAMPLE.ORG, %2B1%20555-0) cannot; 李明: Ann", &text_patterns).unwrap();
        assert_eq!(told, "given (email, phone-0) cannot; family明: given");
        assert!(TextPattern::value(" ").is_none() && TextPattern::value("x").is_none());
        assert_eq!(replace("nobody is here", &text_patterns), None);
    }
}
