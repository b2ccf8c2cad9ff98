//! From the bytes of a file to its text, piece by piece: UTF-8, or UTF-16 as spreadsheets write it.

use std::io::{ErrorKind, Read};

use super::SourceProblem;

/// Bytes that are read at a time.
const PIECE: usize = 256 * 1024;

/// Decodes the text of a file. Encodings of one byte per letter cannot be distinguished, and are refused.
pub(super) struct TextReader<R> {
    inner: R,
    encoding: Option<Encoding>,
    /// Bytes that are not decoded yet: the beginning of a letter.
    pending: Vec<u8>,
    has_ended: bool,
}

#[derive(Clone, Copy)]
enum Encoding {
    Utf8,
    Utf16(fn([u8; 2]) -> u16),
}

impl<R: Read> TextReader<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, encoding: None, pending: Vec::new(), has_ended: false }
    }

    /// Appends the next piece of the text to `text`, and returns whether there may be more.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not a text. What is valid before that place was appended.
    pub(super) fn read_into(&mut self, text: &mut String) -> Result<bool, SourceProblem> {
        if self.has_ended {
            return Ok(false);
        }
        self.fill()?;
        let is_first = self.encoding.is_none();
        let encoding = *self.encoding.get_or_insert(encoding(&self.pending)?);
        let start = text.len();
        let decoded = match encoding {
            Encoding::Utf8 => self.utf8(text),
            Encoding::Utf16(units) => self.utf16(units, text),
        };
        if is_first && text.get(start..).is_some_and(|text| text.starts_with('\u{feff}')) {
            text.remove(start);
        }
        decoded?;
        Ok(!self.has_ended)
    }

    /// Reads the next piece of bytes.
    fn fill(&mut self) -> Result<(), SourceProblem> {
        let mut piece = (&mut self.inner).take(PIECE as u64);
        match piece.read_to_end(&mut self.pending) {
            Ok(count) => self.has_ended = count < PIECE,
            Err(error) => {
                return Err(match error.kind() {
                    ErrorKind::IsADirectory => SourceProblem::Directory,
                    // Only a decompressor has these.
                    ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput => {
                        SourceProblem::DamagedArchive
                    }
                    kind => SourceProblem::Unreadable(kind),
                });
            }
        }
        Ok(())
    }

    fn utf8(&mut self, text: &mut String) -> Result<(), SourceProblem> {
        match std::str::from_utf8(&self.pending) {
            Ok(all) => {
                text.push_str(all);
                self.pending.clear();
                Ok(())
            }
            Err(error) => {
                let valid = self.pending.get(..error.valid_up_to()).unwrap_or_default();
                text.push_str(&String::from_utf8_lossy(valid));
                if error.error_len().is_some() || self.has_ended {
                    return Err(SourceProblem::NotUtf8);
                }
                self.pending.drain(..error.valid_up_to());
                Ok(())
            }
        }
    }

    fn utf16(&mut self, unit: fn([u8; 2]) -> u16, text: &mut String) -> Result<(), SourceProblem> {
        let is_high = |pair: &[u8; 2]| (0xd800..0xdc00).contains(&unit(*pair));
        let (pairs, rest) = self.pending.as_chunks::<2>();
        // The second half of the last letter follows in the next piece.
        let kept = usize::from(!self.has_ended && pairs.last().is_some_and(is_high));
        let whole = pairs.len() - kept;
        let is_cut = self.has_ended && !rest.is_empty();
        for letter in char::decode_utf16(pairs.iter().take(whole).map(|pair| unit(*pair))) {
            text.push(letter.map_err(|_| SourceProblem::BadUtf16)?);
        }
        self.pending.drain(..whole * 2);
        if is_cut { Err(SourceProblem::BadUtf16) } else { Ok(()) }
    }
}

/// Returns the encoding of a text that begins with `bytes`.
fn encoding(bytes: &[u8]) -> Result<Encoding, SourceProblem> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Err(SourceProblem::Utf32),
        [0xff, 0xfe, ..] => Ok(Encoding::Utf16(u16::from_le_bytes)),
        [0xfe, 0xff, ..] => Ok(Encoding::Utf16(u16::from_be_bytes)),
        // No text begins with a NUL, so every other one is half of a letter.
        [1..=255, 0, 1..=255, 0, ..] => Ok(Encoding::Utf16(u16::from_le_bytes)),
        [0, 1..=255, 0, 1..=255, ..] => Ok(Encoding::Utf16(u16::from_be_bytes)),
        _ => Ok(Encoding::Utf8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<String, (String, SourceProblem)> {
        let mut reader = TextReader::new(bytes);
        let mut text = String::new();
        loop {
            match reader.read_into(&mut text) {
                Ok(true) => {}
                Ok(false) => return Ok(text),
                Err(problem) => return Err((text, problem)),
            }
        }
    }

    #[test]
    fn utf16_is_read_with_and_without_a_mark() {
        let text = "id;name\r\n1;Zoë 😀\r\n";
        for marked in [true, false] {
            let marked_text = if marked { format!("\u{feff}{text}") } else { text.to_owned() };
            let little: Vec<u8> = marked_text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = marked_text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            assert_eq!(decode(&little).as_deref(), Ok(text));
            assert_eq!(decode(&big).as_deref(), Ok(text));
            let cut = &little[..little.len() - 1];
            assert_eq!(decode(cut), Err((text[..text.len() - 1].to_owned(), SourceProblem::BadUtf16)));
        }
        assert_eq!(decode(b"\xff\xfea\0\x00\xd8"), Err(("a".to_owned(), SourceProblem::BadUtf16)));
        assert_eq!(decode(b"\xff\xfe\0\0a\0\0\0"), Err((String::new(), SourceProblem::Utf32)));
    }

    #[test]
    fn other_encodings_are_refused_where_they_show() {
        assert_eq!(decode(b"Jos\xe9"), Err(("Jos".to_owned(), SourceProblem::NotUtf8)));
        assert_eq!(decode("José".as_bytes()).as_deref(), Ok("José"));
        assert_eq!(decode(b"").as_deref(), Ok(""));
    }

    #[test]
    fn letters_are_read_across_pieces() {
        for letter in ["é", "€", "😀"] {
            for shift in 0..4 {
                let text = format!("{}{}", "x".repeat(PIECE - shift), letter.repeat(PIECE));
                assert!(decode(text.as_bytes()).as_deref() == Ok(&text), "{letter} {shift}");
                let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
                assert!(decode(&wide).as_deref() == Ok(&text), "{letter} {shift}");
            }
        }
        let text = format!("{}é", "x".repeat(PIECE));
        let cut = &text.as_bytes()[..text.len() - 1];
        assert!(
            decode(cut).is_err_and(|(before, problem)| {
                before.len() == PIECE && problem == SourceProblem::NotUtf8
            })
        );
    }
}
