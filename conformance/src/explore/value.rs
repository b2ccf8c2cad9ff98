//! The values that sequences write: plain ones, and texts that servers are known to damage.

use serde_json::{Value, json};

use crate::explore::attributes::{Attribute, Kind, PRIMARY, Part, Shape};
use crate::requirement::Level;

/// A kind of text. The first is harmless, so that values shrink to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextKind {
    /// The word in findings.
    pub(crate) word: &'static str,
    make: fn(usize) -> String,
    /// The level of the requirement that a text of this kind comes back as it was sent: servers may normalise some.
    pub(crate) level: Level,
}

macro_rules! kind {
    ($word:literal, $level:ident, $number:ident => $make:expr) => {
        TextKind { word: $word, level: Level::$level, make: |$number| $make }
    };
}

/// The kinds of texts.
pub(crate) const TEXTS: [TextKind; 24] = [
    kind!("plain", Must, n => format!("Quay {n}")),
    kind!("capitals", Must, n => format!("McQUAY-o'Lind {n}")),
    kind!("accents", Must, n => format!("Žofie Åström {n}")),
    kind!("quotes", Must, n => format!("{n} \"Ada\" 'of' `Lind`")),
    kind!("backslashes", Must, n => format!("C:\\quay\\n{n} \\u0041 \\")),
    kind!("html", Must, n => format!("<b>Quay</b> &amp; Lind <!-- {n} -->")),
    kind!("brackets", Must, n => format!("Quay [type eq \"work\"] (x or y) {{{n}}}")),
    kind!("wildcards", Must, n => format!("50%_*?Quay{n}#")),
    kind!("escapes", Must, n => format!("a%41+b&c=d;e {n}/..//~")),
    kind!("emoji", Must, n => format!("Quay \u{1F9D1}\u{200D}\u{1F680}\u{1F3FD} {n}")),
    kind!("right-to-left", Must, n => format!("\u{05E9}\u{05DC}\u{05D5}\u{05DD} {n}")),
    kind!("wide-letters", Must, n => format!("\u{5BFF}\u{53F8} \u{FF21}\u{FF22} \u{20BB7} {n}")),
    kind!("joiners", Must, n => format!("Qu\u{200D}ay\u{00AD}\u{200B} {n}")),
    kind!("combining-accents", Should, n => format!("A\u{030A}stro\u{0308}m {n}")),
    kind!("blanks-inside", Must, n => format!("Quay  and   Lind {n}")),
    kind!("blanks-at-the-ends", Should, n => format!("  Quay {n}  ")),
    kind!("line-breaks", Must, n => format!("Quay\nLind\t{n}\r\nend")),
    kind!("literal-words", Must, n => ["null", "true", "0", "undefined", "NaN", "None", "-1"][n % 7].to_owned()),
    kind!("leading-zeros", Must, n => format!("00{n}7")),
    kind!("statements", Must, n => format!("Quay'); DROP TABLE users; -- {n}")),
    kind!("placeholders", Must, n => format!("${{quay}} {{{{lind}}}} %s {n}")),
    kind!("255-characters", Must, n => long(n, 255)),
    kind!("256-characters", Must, n => long(n, 256)),
    kind!("2000-characters", Must, n => long(n, 2000)),
];

/// Returns a text of a length, in characters, of which every tenth takes two bytes.
fn long(number: usize, length: usize) -> String {
    let start = format!("{number} ");
    let rest = "quaylind-å".chars().cycle().take(length.saturating_sub(start.len() + 1));
    start.chars().chain(rest).chain(['.']).collect()
}

/// The choice of a value, from which it is made for an attribute. Smaller numbers are plainer values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Choice {
    /// The kind of text, by its place in [`TEXTS`].
    pub(crate) text: usize,
    /// Tells values of a kind apart.
    pub(crate) number: usize,
}

impl Choice {
    /// Returns the same choice with a plain text.
    pub(crate) fn plain(self) -> Self {
        Self { text: 0, ..self }
    }

    /// Returns the kind of text.
    pub(crate) fn kind(self) -> TextKind {
        TEXTS[self.text % TEXTS.len()]
    }

    /// Returns a value for an attribute.
    pub(crate) fn value(self, attribute: &Attribute) -> Value {
        match &attribute.shape {
            Shape::Single(kind) => self.simple(kind),
            Shape::Complex(parts) => self.complex(parts, self.number, false),
            Shape::Many(parts) => {
                let count = 1 + self.number % 3;
                let has_primary = self.number % 2 == 1;
                let made = (0..count)
                    .map(|at| self.complex(parts, self.number * 3 + at, has_primary && at == count - 1));
                Value::Array(made.collect())
            }
        }
    }

    /// Returns one value of a multi-valued attribute.
    pub(crate) fn element(self, attribute: &Attribute) -> Value {
        self.complex(attribute.parts(), 20 + self.number, false)
    }

    fn complex(self, parts: &[Part], number: usize, is_primary: bool) -> Value {
        let mut object = json!({});
        for (at, part) in parts.iter().enumerate() {
            if part.name == PRIMARY {
                if is_primary {
                    object[PRIMARY] = json!(true);
                }
                continue;
            }
            // Values with gaps: what is not sent must not appear.
            let is_left_out = part.name != "value" && at > 0 && (number + at) % 3 == 2;
            if !is_left_out {
                object[part.name.as_str()] = Self { number, ..self }.simple(&part.kind);
            }
        }
        object
    }

    /// Returns a simple value.
    pub(crate) fn simple(self, kind: &Kind) -> Value {
        let number = self.number;
        match kind {
            Kind::Text => json!((self.kind().make)(number)),
            Kind::Choice(texts) => {
                texts.get(number % texts.len().max(1)).map_or(Value::Null, |text| json!(text))
            }
            Kind::Boolean => json!(number % 2 == 1),
            Kind::Integer => json!(number * 7 + 1),
            #[expect(clippy::cast_precision_loss, reason = "numbers are small")]
            Kind::Decimal => json!(number as f64 + 0.25),
            Kind::DateTime => json!(format!("2026-0{}-11T08:30:00Z", 1 + number % 9)),
            Kind::Uri => json!(format!("https://pages.example/{number}?q=a%20b")),
            Kind::Phone => json!(format!("tel:+1-201-555-{number:04}")),
            Kind::Email => json!(format!("Quay.{number}+x@lind.example")),
        }
    }
}

/// Whether a value holds a text whose kind matters.
pub(crate) fn has_text(attribute: &Attribute) -> bool {
    match &attribute.shape {
        Shape::Single(kind) => *kind == Kind::Text,
        Shape::Complex(parts) | Shape::Many(parts) => parts.iter().any(|part| part.kind == Kind::Text),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn texts_of_a_kind_differ_and_have_the_length_they_say() {
        let words: BTreeSet<_> = TEXTS.iter().map(|kind| kind.word).collect();
        assert_eq!(words.len(), TEXTS.len());
        for kind in TEXTS {
            assert_ne!((kind.make)(1), (kind.make)(2), "{}", kind.word);
            if let Some(length) = kind.word.strip_suffix("-characters") {
                assert_eq!((kind.make)(12).chars().count().to_string(), length);
            }
        }
    }

    #[test]
    fn at_most_one_value_is_primary() {
        let parts = vec![
            Part { name: "value".to_owned(), kind: Kind::Email, is_case_exact: false },
            Part { name: PRIMARY.to_owned(), kind: Kind::Boolean, is_case_exact: false },
        ];
        let emails = Attribute {
            extension: None,
            name: "emails".to_owned(),
            shape: Shape::Many(parts),
            is_case_exact: false,
        };
        for number in 0..30 {
            let value = Choice { text: 0, number }.value(&emails);
            let all = value.as_array().expect("an array");
            assert!(all.iter().filter(|one| one[PRIMARY] == true).count() <= 1, "{value}");
            let values: BTreeSet<_> = all.iter().map(|one| one["value"].to_string()).collect();
            assert_eq!(values.len(), all.len(), "{value}");
        }
    }
}
