//! The text of a list, which is often what it was the last time: clients look at the same page again and again.

use std::cell::RefCell;
use std::sync::Arc;

use axum::body::Bytes;
use scim::schema::LIST_URN;

use crate::store::document::Document;

/// Lists between these are remembered, in bytes. It is not worth it for smaller ones, and larger ones are rare.
const REMEMBERED: std::ops::RangeInclusive<usize> = 4 * 1024..=1024 * 1024;

thread_local! {
    static LAST: RefCell<Last> = const { RefCell::new(Last::Once(Bytes::new())) };
}

/// The last text, and how well it is known.
#[derive(Clone)]
enum Last {
    Once(Bytes),
    /// It was the same the next time.
    Twice(Bytes),
    Often(Arc<Known>),
}

/// A text that is asked for again and again.
struct Known {
    text: Bytes,
    /// Where in it which document stands, as [`Document::whole`]. They are held, so nothing else can be where they are.
    documents: Vec<(usize, Bytes)>,
}

impl Last {
    fn text(&self) -> &Bytes {
        match self {
            Self::Once(text) | Self::Twice(text) => text,
            Self::Often(known) => &known.text,
        }
    }
}

/// A text that is put together. As long as it says what the last one said, nothing is written; if that holds to the
/// end, it is the last one, whose memory it shares. Every part is looked at: what has changed since is never missed. A
/// document need not be read for that where it is the very same piece of memory, which nobody can change.
///
/// Whoever keeps both, such as the journal, holds them once, and memory that has left the cache need not be written.
pub(super) struct ListText {
    last: Last,
    /// How long it will be, about.
    length: usize,
    written: Written,
    /// How many documents there were.
    count: usize,
    documents: Vec<(usize, Bytes)>,
}

enum Written {
    /// So much of the last one.
    Same(usize),
    Own(Vec<u8>),
}

impl ListText {
    /// Begins a text of about this length.
    pub(super) fn new(length: usize) -> Self {
        let last = LAST.with_borrow(Last::clone);
        Self { last, length, written: Written::Same(0), count: 0, documents: Vec::new() }
    }

    /// Appends a document.
    pub(super) fn push_document(&mut self, document: &Document) {
        let (whole, text) = (document.whole(), document.text());
        let nth = self.count;
        self.count += 1;
        match (&self.last, &mut self.written) {
            (Last::Often(known), Written::Same(same)) => {
                let is_same = |(at, known): &(usize, Bytes)| {
                    at == same && known.as_ptr() == whole.as_ptr() && known.len() == whole.len()
                };
                if known.documents.get(nth).is_some_and(is_same) {
                    *same += text.len();
                    return;
                }
            }
            (Last::Twice(_), Written::Same(same)) => self.documents.push((*same, whole.clone())),
            _ => {}
        }
        self.push(text);
    }

    /// Appends any text.
    pub(super) fn push(&mut self, part: &[u8]) {
        if let Written::Same(same) = &mut self.written {
            let (known, rest) = self.last.text().split_at(*same);
            if rest.starts_with(part) {
                *same += part.len();
                return;
            }
            let mut own = Vec::with_capacity(self.length.max(known.len() + part.len()));
            own.extend_from_slice(known);
            self.written = Written::Own(own);
        }
        if let Written::Own(own) = &mut self.written {
            own.extend_from_slice(part);
        }
    }

    pub(super) fn finish(self) -> Bytes {
        let text = self.last.text();
        let whole = match self.written {
            Written::Same(same) if same == text.len() => {
                let text = text.clone();
                match self.last {
                    Last::Once(text) => LAST.set(Last::Twice(text)),
                    Last::Twice(text) => {
                        LAST.set(Last::Often(Arc::new(Known { text, documents: self.documents })));
                    }
                    Last::Often(_) => {}
                }
                return text;
            }
            Written::Same(same) => Bytes::copy_from_slice(&text[..same]),
            Written::Own(own) => Bytes::from(own),
        };
        if REMEMBERED.contains(&whole.len()) {
            LAST.set(Last::Once(whole.clone()));
        }
        whole
    }
}

/// One user that nobody made, as some applications list where no filter is given.
pub(super) fn synthetic() -> String {
    format!(
        "{{\"schemas\":[\"{LIST_URN}\"],\"totalResults\":1,\"startIndex\":1,\"itemsPerPage\":1,\"Resources\":[{{\
         \"schemas\":[\"{}\"],\"id\":\"synthetic\",\"userName\":\"synthetic\",\"active\":true}}]}}",
        scim::schema::USER_URN
    )
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::store::document::Meta;

    fn text(parts: &[&[u8]]) -> Bytes {
        let mut text = ListText::new(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            text.push(part);
        }
        text.finish()
    }

    fn document(members: &str) -> Document {
        let now = Timestamp::UNIX_EPOCH;
        let meta =
            Meta { resource_type: "User", created: now, modified: now, endpoint: "e", id: "i", version: 1 };
        Document::new(["urn:a"].into_iter(), members.as_bytes(), &meta, &[])
    }

    fn is_known() -> bool {
        LAST.with_borrow(|last| matches!(last, Last::Often(_)))
    }

    #[test]
    fn a_text_that_says_the_same_shares_its_memory() {
        let (a, b) = ([b'a'; 3000], [b'b'; 3000]);
        let both = [a, b].concat();
        let first = text(&[&a, &b]);
        assert_eq!(first.as_ptr(), text(&[&a, &b]).as_ptr());
        // Parts are no matter, nor are short texts in between.
        text(&[b"short"]);
        assert_eq!(first.as_ptr(), text(&[&both]).as_ptr());
        assert_eq!(text(&[&a]), a.as_slice());
        let longer = text(&[&both, b"c"]);
        assert_eq!(longer, [&both, b"c".as_slice()].concat());
        let huge = vec![b'a'; REMEMBERED.end() + 1];
        assert_eq!((text(&[&huge]), text(&[&longer]).as_ptr()), (huge.into(), longer.as_ptr()));
    }

    #[test]
    fn a_document_is_known_by_its_memory_and_its_place() {
        let (one, other) = (document(&format!("\"a\":{:04000}", 1)), document("\"b\":2"));
        let list = |before: &[u8], documents: &[&Document]| {
            let mut text = ListText::new(0);
            text.push(before);
            for document in documents {
                text.push_document(document);
            }
            let expected: Vec<&[u8]> = documents.iter().map(|document| document.text()).collect();
            let text = text.finish();
            assert_eq!(text, [before, &expected.concat()].concat());
            text
        };
        let often = |before: &[u8], documents: &[&Document]| {
            (0..4).for_each(|_| drop(list(before, documents)));
            assert!(is_known());
        };
        often(b"[", &[&one, &other, &one]);
        // The same text in other memory, the same memory elsewhere, less and more of it.
        list(b"[", &[&one, &document("\"b\":2"), &one]);
        assert!(is_known());
        for documents in
            [&[&one, &one, &other][..], &[&one, &other], &[&one, &other, &one, &one], &[&other, &one]]
        {
            for before in [b"[".as_slice(), b"", b"[["] {
                often(b"[", &[&one, &other, &one]);
                list(before, documents);
            }
        }
    }

    proptest! {
        #[test]
        fn a_text_is_what_was_pushed(
            steps in prop::collection::vec((any::<Index>(), 0_u8..3, 0_usize..3), 1..20),
            lists in prop::collection::vec(prop::collection::vec((any::<bool>(), any::<Index>()), 0..5), 1..3),
        ) {
            let make = |kind: u8| document(&format!("\"{}\":{:02$}", (b'a' + kind) as char, 1, 1500 + kind as usize));
            let mut kept: Vec<Document> = (0..3).map(make).collect();
            for (at, kind, list) in steps {
                let parts = &lists[list % lists.len()];
                for _ in 0..4 {
                    let (mut text, mut expected) = (ListText::new(10), Vec::new());
                    for (comma, at) in parts {
                        let separator: &[u8] = if *comma { b"," } else { b"" };
                        let document = at.get(&kept);
                        text.push(separator);
                        text.push_document(document);
                        expected.extend([separator, document.text()].concat());
                    }
                    prop_assert_eq!(text.finish(), expected);
                }
                *at.get_mut(&mut kept) = make(kind);
            }
        }
    }
}
