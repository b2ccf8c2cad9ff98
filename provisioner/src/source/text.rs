//! From the bytes of a file to its text: UTF-8, or UTF-16 as spreadsheets write it.

use super::SourceProblem;

/// The text before the byte that is invalid, and the problem.
pub(super) type Undecodable = (String, SourceProblem);

/// Decodes the text of a file. Encodings of one byte per letter cannot be distinguished, and are refused.
pub(super) fn decode(bytes: Vec<u8>) -> Result<String, Undecodable> {
    let units: fn([u8; 2]) -> u16 = match bytes.as_slice() {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Err((String::new(), SourceProblem::Utf32)),
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        // No text begins with a NUL, so every other one is half of a letter.
        [1..=255, 0, 1..=255, 0, ..] => u16::from_le_bytes,
        [0, 1..=255, 0, 1..=255, ..] => u16::from_be_bytes,
        _ => return utf8(bytes),
    };
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len() / 2);
    for letter in char::decode_utf16(pairs.iter().map(|pair| units(*pair))) {
        match letter {
            Ok(letter) => text.push(letter),
            Err(_) => return Err((text, SourceProblem::BadUtf16)),
        }
    }
    if rest.is_empty() { Ok(text) } else { Err((text, SourceProblem::BadUtf16)) }
}

fn utf8(bytes: Vec<u8>) -> Result<String, Undecodable> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        (String::from_utf8_lossy(valid).into_owned(), SourceProblem::NotUtf8)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf16_is_read_with_and_without_a_mark() {
        let text = "id;name\r\n1;Zoë 😀\r\n";
        for marked in [true, false] {
            let text = if marked { format!("\u{feff}{text}") } else { text.to_owned() };
            let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            assert_eq!(decode(little.clone()).as_deref(), Ok(text.as_str()));
            assert_eq!(decode(big).as_deref(), Ok(text.as_str()));
            let cut = little[..little.len() - 1].to_vec();
            assert_eq!(decode(cut), Err((text[..text.len() - 1].to_owned(), SourceProblem::BadUtf16)));
        }
        assert_eq!(
            decode(b"\xff\xfea\0\x00\xd8".to_vec()),
            Err(("\u{feff}a".to_owned(), SourceProblem::BadUtf16))
        );
        assert_eq!(decode(b"\xff\xfe\0\0a\0\0\0".to_vec()), Err((String::new(), SourceProblem::Utf32)));
    }

    #[test]
    fn other_encodings_are_refused_where_they_show() {
        assert_eq!(decode(b"Jos\xe9".to_vec()), Err(("Jos".to_owned(), SourceProblem::NotUtf8)));
        assert_eq!(decode("José".into()).as_deref(), Ok("José"));
        assert_eq!(decode(Vec::new()).as_deref(), Ok(""));
    }
}
