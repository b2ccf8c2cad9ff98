//! A whole reply in HTTP/1.1, on its way out.

use hyper::body::Bytes;
use hyper::{Response, Version};

use super::head::{self, Length};
use crate::reply::spare;

/// A body is copied behind the head up to here, in bytes of both: the kernel takes one piece faster than two, by more
/// than the copy costs.
const MAX_JOINED: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Sending {
    /// The head, and the body behind it where that is small. Its memory is that of the next one.
    first: Vec<u8>,
    /// A larger body.
    second: Bytes,
    written: usize,
}

impl Sending {
    /// Begins with a reply, after the one before.
    pub(super) fn begin(&mut self, reply: Response<Bytes>) {
        let (head, body) = reply.into_parts();
        self.first.clear();
        self.written = 0;
        head::write(&mut self.first, Version::HTTP_11, head.status, &head.headers, Length::Of(body.len()));
        spare::give(head.headers);
        if self.first.len() + body.len() <= MAX_JOINED {
            self.first.extend_from_slice(&body);
        } else {
            self.second = body;
        }
    }

    /// What is still to be written, if anything is: the second part is empty where one is all.
    pub(super) fn left(&self) -> Option<[&[u8]; 2]> {
        let first = self.first.get(self.written..).unwrap_or_default();
        let second = self.second.get(self.written.saturating_sub(self.first.len())..).unwrap_or_default();
        match (first, second) {
            ([], []) => None,
            ([], second) => Some([second, &[]]),
            both => Some(both.into()),
        }
    }

    /// So much was written.
    pub(super) fn advance(&mut self, count: usize) {
        self.written += count;
        if self.left().is_none() {
            self.second = Bytes::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_leaves_whole_however_little_is_taken_at_once() {
        let mut sending = Sending::default();
        assert!(sending.left().is_none());
        for length in [0, 1, MAX_JOINED - 1000, MAX_JOINED, 3 * MAX_JOINED] {
            let body: Vec<u8> = (0..length).map(|at| b'a' + u8::try_from(at % 26).unwrap()).collect();
            for step in [1, 7, 100, usize::MAX] {
                sending.begin(Response::new(Bytes::from(body.clone())));
                let mut all = Vec::new();
                while let Some([first, second]) = sending.left() {
                    assert!(!first.is_empty());
                    let taken: Vec<u8> = [first, second].concat().into_iter().take(step).collect();
                    sending.advance(taken.len());
                    all.extend(taken);
                }
                let head = all.len() - length;
                assert_eq!(all[head..], body);
                assert!(all.starts_with(b"HTTP/1.1 200 OK\r\n") && all[..head].ends_with(b"GMT\r\n\r\n"));
                assert_eq!((sending.second.len(), sending.first.len() > MAX_JOINED), (0, false));
            }
        }
    }
}
