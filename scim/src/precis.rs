//! How user names are compared (RFC 7644 §5, RFC 8265 §3.3).
//!
//! RFC 7644 §5 asks for the rules of PRECIS before a `userName` is compared or tested for uniqueness. `userName` has
//! no case, so the profile is UsernameCaseMapped: fullwidth and halfwidth forms become what they are forms of, letters
//! are put in lower case, and the text is normalised to NFC. Of what RFC 8265 would refuse as a name, blank names and
//! control characters are refused ([`is_blank`], [`has_control`]); blanks are not: many systems have names with them.
//! The text that was sent is kept; the key is for comparison alone.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::decompose_compatible;

use crate::text::lower_case;

/// The key by which a user name is compared. An ASCII name is its own key, in lower case.
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
    for sign in name.chars() {
        without_width(sign, &mut wide);
    }
    Cow::Owned(lower_case(&wide).nfc().collect())
}

/// The key by which a user name is compared where case counts (UsernameCasePreserved, RFC 8265 §3.4): width and
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
    for sign in name.chars() {
        without_width(sign, &mut wide);
    }
    Cow::Owned(wide.nfc().collect())
}

/// Whether a user name says nothing: it has no sign but those that show nothing.
pub fn is_blank(name: &str) -> bool {
    name.chars().all(shows_nothing)
}

/// Whether a user name has a sign that RFC 8264 §4.2.3 lets in no identifier and that hides or turns what stands
/// around it: a control character, or one that sets the direction of text.
pub fn has_control(name: &str) -> bool {
    name.chars().any(|sign| {
        sign.is_control()
            || matches!(sign, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

/// White space, and what is drawn as nothing: the default ignorable code points of Unicode, and blank signs.
fn shows_nothing(sign: char) -> bool {
    sign.is_whitespace()
        || matches!(
            sign,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
                | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Appends what a fullwidth or halfwidth form is a form of, and any other sign as it is (RFC 8264 §5.2.1).
fn without_width(sign: char, out: &mut String) {
    match sign {
        // What these are forms of is taken apart further by the compatibility decomposition, which goes to the end.
        '\u{ffe3}' => out.push('\u{af}'),
        '\u{ffa0}' => out.push('\u{3164}'),
        '\u{ffa1}'..='\u{ffbe}' => out.push(moved(sign, 0xffa1, 0x3131)),
        '\u{ffc2}'..='\u{ffc7}' => out.push(moved(sign, 0xffc2, 0x314f)),
        '\u{ffca}'..='\u{ffcf}' => out.push(moved(sign, 0xffca, 0x3155)),
        '\u{ffd2}'..='\u{ffd7}' => out.push(moved(sign, 0xffd2, 0x315b)),
        '\u{ffda}'..='\u{ffdc}' => out.push(moved(sign, 0xffda, 0x3161)),
        '\u{3000}' | '\u{ff01}'..='\u{ffee}' => decompose_compatible(sign, |part| out.push(part)),
        other => out.push(other),
    }
}

/// A sign of one range at the same place of another.
fn moved(sign: char, from: u32, to: u32) -> char {
    char::from_u32(u32::from(sign).saturating_sub(from).saturating_add(to)).unwrap_or(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_the_same_have_one_key() {
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
    fn every_form_of_another_width_is_mapped_to_one_sign() {
        let forms = (0xff01..=0xffee_u32).filter_map(char::from_u32);
        for form in forms {
            let mut out = String::new();
            without_width(form, &mut out);
            assert_eq!(out.chars().count(), 1, "{form:?} is {out:?}");
            let assigned = !matches!(u32::from(form), 0xffbf..=0xffc1 | 0xffc8 | 0xffc9 | 0xffd0 | 0xffd1 | 0xffd8 | 0xffd9 | 0xffdd..=0xffdf | 0xffe7);
            assert_eq!(out.chars().ne([form]), assigned, "{form:?} is {out:?}");
        }
    }

    #[test]
    fn a_blank_name_is_seen() {
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
