//! Comparison of user names (RFC 7644 §5, RFC 8265 §3.3).
//!
//! RFC 7644 §5 requires PRECIS before a `userName` is compared or tested for uniqueness. `userName` compares without
//! case, so the profile is UsernameCaseMapped: fullwidth and halfwidth characters are mapped to their decomposition,
//! letters to lower case, and the text to NFC. Of the names that RFC 8265 forbids, blank ones and those with control
//! characters are refused ([`is_blank`], [`has_control`]); names with blanks are not, because many systems have them.
//! The original text is stored; the key is for comparison only.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::decompose_compatible;

use crate::text::lower_case;

/// Returns the key by which a user name is compared. The key of an ASCII name is the name in lower case.
///
/// ```
/// use scim::precis::user_name_key;
///
/// assert_eq!(user_name_key("J\u{fc}rgen"), user_name_key("ju\u{308}RGEN"));
/// assert_eq!(user_name_key("ＡＮＡ@example.com"), "ana@example.com");
/// ```
pub fn user_name_key(name: &str) -> Cow<'_, str> {
    if name.is_ascii() {
        return lower_case(name);
    }
    let mut wide = String::with_capacity(name.len());
    for character in name.chars() {
        without_width(character, &mut wide);
    }
    Cow::Owned(lower_case(&wide).nfc().collect())
}

/// Returns the key by which a user name is compared with case (UsernameCasePreserved, RFC 8265 §3.4): width and
/// composition are mapped, case is not.
///
/// ```
/// use scim::precis::user_name_key_with_case;
///
/// assert_eq!(user_name_key_with_case("J\u{fc}rgen"), user_name_key_with_case("Ju\u{308}rgen"));
/// assert_ne!(user_name_key_with_case("J\u{fc}rgen"), user_name_key_with_case("j\u{fc}rgen"));
/// ```
pub fn user_name_key_with_case(name: &str) -> Cow<'_, str> {
    if name.is_ascii() {
        return Cow::Borrowed(name);
    }
    let mut wide = String::with_capacity(name.len());
    for character in name.chars() {
        without_width(character, &mut wide);
    }
    Cow::Owned(wide.nfc().collect())
}

/// Whether a user name has no visible character.
pub fn is_blank(name: &str) -> bool {
    name.chars().all(is_invisible)
}

/// Whether a user name has a control character, or one that sets the direction of text. RFC 8264 §4.2.3 forbids both in
/// identifiers, and both can hide or reorder the text around them.
pub fn has_control(name: &str) -> bool {
    // A count is vectorised, and most names are printable ASCII.
    let printable = name.bytes().filter(|byte| matches!(byte, b' '..=b'~')).count();
    printable < name.len() && name.chars().any(|character| {
        character.is_control()
            || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

/// Whether a character is invisible: white space, a default ignorable code point of Unicode, or a blank symbol.
fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
                | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Appends the decomposition of a fullwidth or halfwidth character, and any other character unchanged (RFC 8264
/// §5.2.1).
fn without_width(character: char, out: &mut String) {
    match character {
        // The compatibility decomposition would decompose these further than one step.
        '\u{ffe3}' => out.push('\u{af}'),
        '\u{ffa0}' => out.push('\u{3164}'),
        '\u{ffa1}'..='\u{ffbe}' => out.push(moved(character, 0xffa1, 0x3131)),
        '\u{ffc2}'..='\u{ffc7}' => out.push(moved(character, 0xffc2, 0x314f)),
        '\u{ffca}'..='\u{ffcf}' => out.push(moved(character, 0xffca, 0x3155)),
        '\u{ffd2}'..='\u{ffd7}' => out.push(moved(character, 0xffd2, 0x315b)),
        '\u{ffda}'..='\u{ffdc}' => out.push(moved(character, 0xffda, 0x3161)),
        '\u{3000}' | '\u{ff01}'..='\u{ffee}' => decompose_compatible(character, |part| out.push(part)),
        other => out.push(other),
    }
}

/// Returns the character at the same offset in another range.
fn moved(character: char, from: u32, to: u32) -> char {
    char::from_u32(u32::from(character).saturating_sub(from).saturating_add(to)).unwrap_or(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_user_names_have_one_key() {
        #[track_caller]
        fn check(name: &str, key: &str) {
            assert_eq!(user_name_key(name), key);
            // A key is its own key.
            assert_eq!(user_name_key(key), key);
        }
        check("ida", "ida");
        check("Ida.Lund@Example.COM", "ida.lund@example.com");
        check("J\u{fc}rgen", "j\u{fc}rgen");
        check("Ju\u{308}rgen", "j\u{fc}rgen");
        check("ＩＤＡ＠ｘ", "ida@x");
        check("a\u{3000}b", "a b");
        check("ΟΔΟΣ", "οδοσ");
        check("οδος", "οδοσ");
        // Halfwidth kana with a voiced sound mark, which is composed.
        check("\u{ff76}\u{ff9e}", "\u{30ac}");
        // RFC 8265 §3.3 lowers and does not fold: sharp s stays.
        check("Stra\u{df}e", "stra\u{df}e");
        // Other compatibility forms stay: a ligature, a superscript, a roman numeral in lower case.
        check("\u{fb01}\u{b2}\u{2170}", "\u{fb01}\u{b2}\u{2170}");
        check("\u{ffe3}\u{ffa1}\u{ffdc}\u{ffa0}", "\u{af}\u{3131}\u{3163}\u{3164}");
        check("\u{212b}", "\u{e5}");
        assert!(matches!(user_name_key("ida@example.com"), Cow::Borrowed(_)));
    }

    #[test]
    fn every_form_of_another_width_is_mapped_to_one_character() {
        let forms = (0xff01..=0xffee_u32).filter_map(char::from_u32);
        for form in forms {
            let mut out = String::new();
            without_width(form, &mut out);
            assert_eq!(out.chars().count(), 1, "{form:?} is {out:?}");
            let is_mapped = !matches!(u32::from(form), 0xffbf..=0xffc1 | 0xffc8 | 0xffc9 | 0xffd0 | 0xffd1 | 0xffd8 | 0xffd9 | 0xffdd..=0xffdf | 0xffe7);
            assert_eq!(out.chars().ne([form]), is_mapped, "{form:?} is {out:?}");
        }
    }

    #[test]
    fn invisible_user_name_is_blank() {
        for name in [
            "",
            " ",
            "\t\n",
            "\u{3000}\u{a0}",
            "\u{200b}",
            "\u{feff} ",
            "\u{ad}",
            "\u{2800}",
            "\u{3164}\u{ffa0}",
        ] {
            assert!(is_blank(name), "{name:?}");
        }
        assert!(!is_blank(" a ") && !is_blank("a\u{200b}"));
        for name in ["a\u{0}", "a\nb", "a\u{202e}b", "\u{2066}a", "a\u{7f}", "a\u{85}", "\u{200f}a"] {
            assert!(has_control(name), "{name:?}");
        }
        // A joiner has its place in names of some scripts.
        assert!(!has_control("a b") && !has_control("\u{646}\u{200c}\u{647}"));
    }
}
