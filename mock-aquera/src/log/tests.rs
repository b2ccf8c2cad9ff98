use std::sync::mpsc;

use super::*;

/// Hands over what is written, and lets nothing through while `gate` is held.
struct Out {
    written: mpsc::Sender<String>,
    gate: Arc<Mutex<()>>,
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _open = lock(&self.gate);
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        self.written.send(text).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log() -> (RequestLog, mpsc::Receiver<String>, Arc<Mutex<()>>) {
    let (written, read) = mpsc::channel();
    let gate = Arc::new(Mutex::new(()));
    let log = RequestLog::to(Out { written, gate: Arc::clone(&gate) }).unwrap();
    (log, read, gate)
}

fn line(uri: &Uri, status: u16) -> Line<'_> {
    let status = StatusCode::from_u16(status).ok();
    Line {
        status,
        head: Some((&Method::GET, uri)),
        notable: status.is_none_or(|status| !status.is_success()),
    }
}

fn all(read: &mpsc::Receiver<String>) -> String {
    read.iter().collect()
}

#[test]
fn line_has_status_method_path_and_notes() {
    let (log, read, _) = log();
    let uri = "/scim/Users?access_token=hunter2".parse().unwrap();
    log.tell(line(&uri, 401), |notes| notes.add("unknown access token"));
    log.tell(line(&"/x".parse().unwrap(), 0), |notes| {
        notes.add("fault reset");
        notes.add(format_args!("two\nlines \u{1b}[31m \u{202e}"));
    });
    log.tell(line(&"/scim/Users".parse().unwrap(), 200), |_| {});
    drop(log);
    let text = all(&read);
    let mut lines = text.lines();
    let first = lines.next().unwrap();
    assert!(
        first.starts_with("401 GET /scim/Users?") && first.ends_with("  unknown access token"),
        "{first}"
    );
    assert!(!first.contains("hunter2"), "{first}");
    assert_eq!(lines.next(), Some("--- GET /x  fault reset; two\\nlines \\u{1b}[31m \\u{202e}"));
    assert_eq!((lines.next(), lines.next()), (Some("200 GET /scim/Users"), None));
}

#[test]
fn long_parts_are_cut() {
    let (log, read, _) = log();
    let uri = format!("/{}", "a".repeat(5000)).parse().unwrap();
    log.tell(line(&uri, 404), |notes| notes.add("é".repeat(5000)));
    drop(log);
    let text = all(&read);
    assert!(text.len() < 2 * MAX_PART + 100 && text.contains("a…  é") && text.ends_with("é…\n"), "{text}");
}

#[test]
fn slow_reader_delays_no_request_and_what_was_dropped_is_counted() {
    let (log, read, gate) = log();
    let uri: Uri = "/scim/Users".parse().unwrap();
    let told = 50_000_u64;
    {
        let _closed = lock(&gate);
        // Ends though nothing can be written: nobody waits.
        for _ in 0..told {
            log.tell(line(&uri, 200), |_| {});
        }
        // What is wrong has room all the same.
        log.tell(line(&uri, 500), |notes| notes.add("seen"));
    }
    drop(log);
    let text = all(&read);
    assert!(text.contains("500 GET /scim/Users  seen\n"), "{}", &text[text.len().saturating_sub(300)..]);
    let shown = text.lines().filter(|line| line.starts_with("200 ")).count() as u64;
    let counted: u64 = text
        .lines()
        .filter_map(|line| line.strip_prefix("... ")?.split(' ').next()?.parse::<u64>().ok())
        .sum();
    assert!(counted > 0 && text.len() < 4 * ROOM, "{counted} of {} bytes", text.len());
    assert_eq!(shown + counted, told);
}

#[test]
fn notes_are_not_written_where_there_is_no_room() {
    let (log, _read, gate) = log();
    let closed = lock(&gate);
    let uri: Uri = "/scim/Users".parse().unwrap();
    let mut asked = 0_usize;
    for _ in 0..50_000 {
        log.tell(line(&uri, 200), |_| asked += 1);
    }
    assert!(asked < 10_000, "{asked}");
    drop(closed);
}

#[test]
fn end_does_not_wait_for_a_reader_that_never_reads() {
    let (log, _read, gate) = log();
    let closed = lock(&gate);
    log.tell(line(&"/scim/Users".parse().unwrap(), 200), |_| {});
    // Would never return.
    drop(log);
    drop(closed);
}
