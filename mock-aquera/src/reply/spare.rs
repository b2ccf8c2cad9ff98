//! Header maps that are used again: those of an answer become those of a later one. Making one takes two pieces of memory,
//! and freeing it as many.

use std::cell::RefCell;

use axum::http::HeaderMap;

/// How many a thread keeps.
const MOST: usize = 64;

/// How many headers one that is kept has room for, at most.
const MOST_HEADERS: usize = 32;

/// How many headers an answer has, mostly.
const USUAL: usize = 4;

thread_local! {
    static SPARE: RefCell<Vec<HeaderMap>> = const { RefCell::new(Vec::new()) };
}

/// An empty map.
pub(crate) fn take() -> HeaderMap {
    SPARE.with_borrow_mut(Vec::pop).unwrap_or_else(|| HeaderMap::with_capacity(USUAL))
}

/// Takes a map that nobody needs any more. Nothing of what is in it stays.
pub(crate) fn give(mut headers: HeaderMap) {
    if !(USUAL..=MOST_HEADERS).contains(&headers.capacity()) {
        return;
    }
    headers.clear();
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < MOST {
            spare.push(headers);
        }
    });
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use axum::http::header::{ACCEPT, ALLOW, HOST};

    use super::*;

    /// On a thread of its own, which has none yet.
    #[test]
    fn what_was_in_a_map_is_gone_when_it_is_taken_again() {
        let given = std::thread::spawn(|| {
            let mut headers = HeaderMap::with_capacity(10);
            let room = headers.capacity();
            headers.append(ACCEPT, HeaderValue::from_static("a"));
            headers.append(ACCEPT, HeaderValue::from_static("b"));
            headers.append(HOST, HeaderValue::from_static("c"));
            give(headers);
            let mut again = take();
            assert_eq!((again.len(), again.capacity()), (0, room));
            assert!(
                again.get(ACCEPT).is_none() && again.insert(ALLOW, HeaderValue::from_static("d")).is_none()
            );
            assert_eq!(again.iter().count(), 1);
            // Neither a huge one is kept, nor one that is too small for an answer, nor too many.
            give(HeaderMap::with_capacity(1000));
            give(HeaderMap::new());
            assert_eq!(SPARE.with_borrow(Vec::len), 0);
            (0..2 * MOST).for_each(|_| give(HeaderMap::with_capacity(USUAL)));
            SPARE.with_borrow(Vec::len)
        });
        assert_eq!(given.join().unwrap(), MOST);
    }
}
