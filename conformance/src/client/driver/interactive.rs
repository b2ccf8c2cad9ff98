//! A driver for a person, who reads the instructions; the traffic shows when the step is over.

use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::client::driver::{Acted, Brief};
use crate::client::environment::Environment;

/// The interval at which new requests are looked for.
const LOOK: Duration = Duration::from_millis(200);

/// The prompt for a person.
#[derive(Debug)]
pub struct Prompt {
    /// The time without requests that ends a step, after the first request.
    pub quiet: Duration,
    /// The time to wait for the first request of a step.
    pub timeout: Duration,
    lines: mpsc::UnboundedReceiver<String>,
    closed: bool,
}

impl Prompt {
    /// Listens to standard input.
    pub fn new(quiet: Duration, timeout: Duration) -> Self {
        let (sender, lines) = mpsc::unbounded_channel();
        // A thread, because a read of the terminal cannot be called off; it ends with the process.
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines() {
                let Ok(line) = line else { break };
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { quiet, timeout, lines, closed: false }
    }

    pub(crate) async fn act(&mut self, brief: &Brief, environment: &Environment) -> Acted {
        // What was typed before the question is no answer to it.
        while self.lines.try_recv().is_ok() {}
        tell(&format!(
            "\n[{} of {}: {} / {}]  {}\n{}\n",
            brief.number,
            brief.of,
            brief.scenario,
            brief.step,
            brief.title,
            indented(&brief.say)
        ));
        tell("  (waiting for traffic; Enter: go on now, s Enter: leave this scenario out, q Enter: stop)\n");
        let (started, first) = (Instant::now(), environment.last_seq());
        let mut last = (environment.last_seq(), None);
        loop {
            tokio::select! {
                line = self.lines.recv(), if !self.closed => match line.as_deref().map(str::trim) {
                    Some("s" | "S") => return Acted::Skip("somebody left it out".to_owned()),
                    Some("q" | "Q") => return Acted::Quit,
                    Some(_) => return Acted::Done,
                    None => self.closed = true,
                },
                () = tokio::time::sleep(LOOK.min(self.quiet)) => {}
            }
            let seq = environment.last_seq();
            if seq != last.0 {
                last = (seq, Some(Instant::now()));
            }
            match last.1 {
                Some(at) if at.elapsed() >= self.quiet => {
                    tell(&format!("  {} arrived; going on\n", requests(seq - first)));
                    return Acted::Done;
                }
                None if started.elapsed() >= self.timeout => {
                    tell(&format!("  nothing arrived within {} s; going on\n", self.timeout.as_secs()));
                    return Acted::Done;
                }
                _ => {}
            }
        }
    }
}

/// Prints instructions to stderr, because results go to stdout.
fn tell(text: &str) {
    let mut out = std::io::stderr().lock();
    // Nobody may be there to read it; the journal counts.
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

fn requests(count: u64) -> String {
    if count == 1 { "one request".to_owned() } else { format!("{count} requests") }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
