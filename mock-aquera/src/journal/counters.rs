//! Counters, and their text for Prometheus (exposition format 0.0.4).

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use super::operations::{OperationKind, kind_of};
use super::record::RequestRecord;

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "other"];
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
/// Upper bounds of the buckets of durations, in microseconds.
const BUCKETS: [u64; 10] = [50, 100, 250, 500, 1_000, 5_000, 25_000, 100_000, 1_000_000, 10_000_000];
const BUCKET_NAMES: [&str; 10] =
    ["0.00005", "0.0001", "0.00025", "0.0005", "0.001", "0.005", "0.025", "0.1", "1", "10"];
/// So many rules are counted one by one; what strikes beyond is counted together.
const MAX_RULES: usize = 200;

/// What an application has done since it was made or its counters were reset.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    requests: [[u64; CLASSES.len()]; METHODS.len()],
    operations: [u64; OperationKind::ALL.len()],
    faults: BTreeMap<Arc<str>, u64>,
    bytes_in: u64,
    bytes_out: u64,
    durations: [u64; BUCKETS.len() + 1],
    microseconds: u64,
}

/// An application as its metrics show it.
#[derive(Debug)]
pub struct Scrape<'a> {
    /// Its name.
    pub application: &'a str,
    /// How many resources it holds, by type.
    pub resources: Vec<(String, u64)>,
    /// How many faults wait to strike.
    pub faults: u64,
    /// How many exchanges its journal holds, and their bytes.
    pub journal: (usize, usize),
    /// What it has done.
    pub counters: Counters,
}

impl Counters {
    /// All requests.
    pub fn requests(&self) -> u64 {
        self.requests.iter().flatten().sum()
    }

    /// How many faults struck.
    pub fn faults(&self) -> u64 {
        self.faults.values().sum()
    }

    /// How often this was asked for.
    pub fn operations(&self, kind: OperationKind) -> u64 {
        self.operations[kind as usize]
    }

    pub(super) fn count(&mut self, counted: &Counted, faults: &[Arc<str>]) {
        self.requests[counted.method][counted.class] += 1;
        self.operations[counted.kind as usize] += 1;
        self.bytes_in += counted.bytes_in;
        self.bytes_out += counted.bytes_out;
        self.durations[counted.bucket] += 1;
        self.microseconds = self.microseconds.saturating_add(counted.took);
        for rule in faults {
            let has_room = self.faults.len() < MAX_RULES || self.faults.contains_key(rule);
            *self.faults.entry(if has_room { Arc::clone(rule) } else { Arc::from("other") }).or_default() +=
                1;
        }
    }
}

/// Where a record counts, found out before the lock is taken.
pub(super) struct Counted {
    method: usize,
    class: usize,
    kind: OperationKind,
    bytes_in: u64,
    bytes_out: u64,
    bucket: usize,
    took: u64,
}

impl Counted {
    pub(super) fn of(record: &RequestRecord<'_>, kind: Option<OperationKind>) -> Self {
        let took = u64::try_from(record.took.as_micros()).unwrap_or(u64::MAX);
        Self {
            method: METHODS.iter().position(|one| record.method == one).unwrap_or(METHODS.len() - 1),
            class: record.status.map_or(0, |status| usize::from(status.as_u16() / 100).min(5)),
            kind: kind.unwrap_or_else(|| kind_of(record.method, record.uri.path())),
            bytes_in: record.request_body.len() as u64,
            bytes_out: record.response_body.len() as u64,
            bucket: BUCKETS.iter().position(|bound| took <= *bound).unwrap_or(BUCKETS.len()),
            took,
        }
    }
}

/// The metrics of all applications as text; each metric is there once, whatever the number of applications.
pub fn render_prometheus(scrapes: &[Scrape<'_>]) -> String {
    let mut text = Text::default();
    text.metric("mock_aquera_requests_total", "counter", "Requests by method and class of the status.");
    for scrape in scrapes {
        for (method, classes) in METHODS.iter().zip(&scrape.counters.requests) {
            for (class, count) in CLASSES.iter().zip(classes).filter(|(_, count)| **count > 0) {
                text.sample(scrape, "", &[("method", method), ("status", class)], count);
            }
        }
    }
    text.metric("mock_aquera_scim_operations_total", "counter", "What requests asked for, in SCIM's terms.");
    for scrape in scrapes {
        for (kind, count) in OperationKind::ALL.iter().zip(&scrape.counters.operations) {
            if *count > 0 {
                text.sample(scrape, "", &[("operation", kind.as_str())], count);
            }
        }
    }
    text.metric("mock_aquera_faults_struck_total", "counter", "Faults that struck, by rule.");
    for scrape in scrapes {
        for (rule, count) in &scrape.counters.faults {
            text.sample(scrape, "", &[("rule", rule)], count);
        }
    }
    text.metric("mock_aquera_body_bytes_total", "counter", "Bytes of the bodies of requests and answers.");
    for scrape in scrapes {
        text.sample(scrape, "", &[("direction", "in")], scrape.counters.bytes_in);
        text.sample(scrape, "", &[("direction", "out")], scrape.counters.bytes_out);
    }
    text.metric("mock_aquera_request_duration_seconds", "histogram", "Time until the answer was ready.");
    for scrape in scrapes {
        let mut below = 0;
        for (name, count) in BUCKET_NAMES.iter().zip(&scrape.counters.durations) {
            below += count;
            text.sample(scrape, "_bucket", &[("le", name)], below);
        }
        let all: u64 = scrape.counters.durations.iter().sum();
        text.sample(scrape, "_bucket", &[("le", "+Inf")], all);
        text.sample(scrape, "_sum", &[], seconds(scrape.counters.microseconds));
        text.sample(scrape, "_count", &[], all);
    }
    text.metric("mock_aquera_resources", "gauge", "Resources that exist, by type.");
    for scrape in scrapes {
        for (kind, count) in &scrape.resources {
            text.sample(scrape, "", &[("type", kind)], count);
        }
    }
    text.metric("mock_aquera_faults", "gauge", "Faults that wait to strike.");
    for scrape in scrapes {
        text.sample(scrape, "", &[], scrape.faults);
    }
    text.metric("mock_aquera_journal_exchanges", "gauge", "Exchanges that the journal holds.");
    for scrape in scrapes {
        text.sample(scrape, "", &[], scrape.journal.0);
    }
    text.metric("mock_aquera_journal_bytes", "gauge", "About how many bytes the journal takes up.");
    for scrape in scrapes {
        text.sample(scrape, "", &[], scrape.journal.1);
    }
    text.out
}

fn seconds(microseconds: u64) -> String {
    format!("{}.{:06}", microseconds / 1_000_000, microseconds % 1_000_000)
}

/// Writing to a string can't fail: its results are let go.
#[derive(Default)]
struct Text {
    out: String,
    name: &'static str,
}

impl Text {
    fn metric(&mut self, name: &'static str, kind: &str, help: &str) {
        let _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        self.name = name;
    }

    fn sample(
        &mut self,
        scrape: &Scrape<'_>,
        suffix: &str,
        labels: &[(&str, &str)],
        value: impl fmt::Display,
    ) {
        let _ = write!(self.out, "{}{suffix}{{application=\"{}\"", self.name, escaped(scrape.application));
        for (name, value) in labels {
            let _ = write!(self.out, ",{name}=\"{}\"", escaped(value));
        }
        let _ = writeln!(self.out, "}} {value}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_operations_stand_where_they_are_counted() {
        for (at, kind) in OperationKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at, "{kind}");
        }
        for (bound, name) in BUCKETS.iter().zip(BUCKET_NAMES) {
            let named: f64 = name.parse().unwrap();
            assert_eq!((named * 1e6).round().to_string(), bound.to_string());
        }
    }

    #[test]
    fn label_values_are_escaped() {
        assert_eq!(escaped("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }
}
