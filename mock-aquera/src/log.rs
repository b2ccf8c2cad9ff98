//! A line for each request, for whoever watches the mock: `401 GET /scim/Users  unknown access token`.
//!
//! A request must not wait for a terminal. Lines go into a buffer that a thread of its own writes out every few
//! milliseconds, and a request does no more than append to it. The buffer is small: what comes faster than anybody can
//! read, or than the terminal takes it, is counted and not shown. Lines that tell of something wrong have half of the room
//! to themselves.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use axum::http::{Method, StatusCode, Uri};

use crate::journal::redact;
use crate::lock;

/// How many bytes of lines wait to be written at most.
const ROOM: usize = 64 * 1024;
/// The room for lines that tell of nothing wrong.
const ROOM_FOR_GOOD: usize = ROOM / 2;
/// How long lines are gathered before they are written.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest part of a line that a client or a resource decides, in bytes.
const MAX_PART: usize = 300;

/// What a line tells of a request.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    /// None where the connection was cut or the client gave up.
    pub(crate) status: Option<StatusCode>,
    /// Method and target; none where the head of the request could not be read.
    pub(crate) head: Option<(&'a Method, &'a Uri)>,
    /// Whether it tells of something that went wrong, or was understood otherwise than it was meant.
    pub(crate) notable: bool,
}

/// How long the end waits for lines that nobody reads.
const FAREWELL: Duration = Duration::from_secs(1);

/// Where lines go. Clones go to the same place; the last one that is dropped waits a moment until all is written.
#[derive(Debug, Clone)]
pub(crate) struct RequestLog(Arc<Writing>);

#[derive(Debug)]
struct Writing {
    shared: Arc<Shared>,
    /// Told once all is written.
    written: Mutex<mpsc::Receiver<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Rung when the first line comes into an empty buffer, and at the end.
    bell: Condvar,
    /// Whether there is no room for lines that tell of nothing wrong, to be read without the lock.
    crowded: AtomicBool,
    /// How many lines found no room.
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: String,
    ended: bool,
}

impl RequestLog {
    /// Writes lines to this, from a thread of its own. None where there is no thread to be had.
    pub(crate) fn to(out: impl Write + Send + 'static) -> Option<Self> {
        let shared = Arc::new(Shared::default());
        let writer = Arc::clone(&shared);
        let named = thread::Builder::new().name("request-log".to_owned());
        let (tell, written) = mpsc::channel();
        let write = move || {
            writer.write_out(out);
            // Nobody may be waiting any more.
            let _ = tell.send(());
        };
        named.spawn(write).ok()?;
        Some(Self(Arc::new(Writing { shared, written: Mutex::new(written) })))
    }

    /// Tells of a request, with what `notes` adds, several times if need be. It is not asked where there is no room.
    pub(crate) fn tell(&self, line: Line<'_>, notes: impl FnOnce(&mut Notes<'_>)) {
        let shared = &self.0.shared;
        if !line.notable && shared.crowded.load(Relaxed) {
            shared.dropped.fetch_add(1, Relaxed);
            return;
        }
        let room = if line.notable { ROOM } else { ROOM_FOR_GOOD };
        if !shared.append(room, |lines| write_line(lines, line, notes)) {
            shared.crowded.store(true, Relaxed);
        }
    }

    /// Waits a moment until all is written. Nothing is written afterwards.
    pub(crate) fn finish(&self) {
        self.0.finish();
    }
}

/// For what else is to be told at the same place, and must not wait for it either. It has as much room again as the
/// lines of requests.
impl Write for RequestLog {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.shared.append(2 * ROOM, |lines| lines.push_str(&String::from_utf8_lossy(text)));
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    /// Appends to what waits to be written; `false` where that is as much as there is room for.
    fn append(&self, room: usize, write: impl FnOnce(&mut String)) -> bool {
        let mut waiting = lock(&self.waiting);
        let was = waiting.lines.len();
        if was >= room {
            drop(waiting);
            self.dropped.fetch_add(1, Relaxed);
            return false;
        }
        write(&mut waiting.lines);
        drop(waiting);
        if was == 0 {
            self.bell.notify_one();
        }
        true
    }

    fn write_out(&self, mut out: impl Write) {
        let mut lines = String::new();
        loop {
            let mut waiting = lock(&self.waiting);
            while waiting.lines.is_empty() && !waiting.ended {
                waiting = self.bell.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            if !waiting.ended {
                // Lines that come together are written together, and whoever tells one need not ring.
                let paused = self.bell.wait_timeout_while(waiting, PAUSE, |waiting| !waiting.ended);
                waiting = paused.unwrap_or_else(PoisonError::into_inner).0;
            }
            lines.clear();
            std::mem::swap(&mut lines, &mut waiting.lines);
            let ended = waiting.ended;
            drop(waiting);
            self.crowded.store(false, Relaxed);
            let dropped = self.dropped.swap(0, Relaxed);
            if dropped > 0 {
                // Writing to a text cannot fail.
                let _ = writeln!(
                    lines,
                    "... {dropped} more, too many to show; the journal has the latest requests"
                );
            }
            // Nobody is there to be told that nobody reads.
            let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
            if ended {
                return;
            }
        }
    }
}

impl Writing {
    fn finish(&self) {
        lock(&self.shared.waiting).ended = true;
        self.shared.bell.notify_all();
        // It fails where it was waited for before.
        let _ = lock(&self.written).recv_timeout(FAREWELL);
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.finish();
    }
}

/// The end of a line.
pub(crate) struct Notes<'a> {
    line: &'a mut String,
    separator: &'static str,
}

impl Notes<'_> {
    /// Adds a note, behind those that are there.
    pub(crate) fn add(&mut self, note: impl std::fmt::Display) {
        self.line.push_str(self.separator);
        self.separator = "; ";
        let _ = write!(Escaped { line: self.line, left: MAX_PART }, "{note}");
    }
}

fn write_line(lines: &mut String, line: Line<'_>, notes: impl FnOnce(&mut Notes<'_>)) {
    match line.status {
        Some(status) => lines.push_str(status.as_str()),
        None => lines.push_str("---"),
    }
    lines.push(' ');
    match line.head {
        Some((method, uri)) => {
            lines.push_str(method.as_str());
            lines.push(' ');
            let path = redact::path(uri);
            let _ = Escaped { line: lines, left: MAX_PART }.write_str(&path);
        }
        None => lines.push('-'),
    }
    notes(&mut Notes { line: lines, separator: "  " });
    lines.push('\n');
}

/// Writes a part of a line: without what would change a terminal, and cut where it is long.
struct Escaped<'a> {
    line: &'a mut String,
    left: usize,
}

impl std::fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        // Almost every path is like this.
        if text.len() < self.left && !text.bytes().fold(false, |odd, byte| odd | !matches!(byte, b' '..=b'~'))
        {
            self.left -= text.len();
            self.line.push_str(text);
            return Ok(());
        }
        for letter in text.chars() {
            if self.left == 0 {
                return Ok(());
            }
            let before = self.line.len();
            if is_plain(letter) {
                self.line.push(letter);
            } else {
                self.line.extend(letter.escape_default());
            }
            self.left = self.left.saturating_sub(self.line.len() - before);
            if self.left == 0 {
                self.line.push('…');
            }
        }
        Ok(())
    }
}

/// Neither a control character nor one that turns the direction of writing.
fn is_plain(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests;
