//! Signals that ask for the end: Ctrl-C, and what a supervisor or a closed terminal sends.

use std::io::Write;
use std::time::{Duration, Instant};

use provisioner::signal::Signals;
use tokio::sync::watch;

/// Signals that follow the first one so soon are the same wish: `timeout` sends one to the program and one to its group.
const SAME_WISH: Duration = Duration::from_secs(1);

/// Handles signals: the first lets the run clean up, unless it is to `keep` its resources; the second ends at once,
/// and prints the resources that stay. `tell` writes a line to stderr.
pub(super) async fn interrupt(
    stopper: watch::Sender<bool>,
    stays: String,
    keep: bool,
    tell: impl Fn(&str) + Send,
) {
    let Ok(mut signals) = Signals::new() else { return };
    let name = signals.next().await;
    let first = Instant::now();
    tell(&if keep {
        format!("{name}: ending, and counting what --keep leaves at the server; once more to end at once")
    } else {
        format!("{name}: cleaning up; once more to leave everything as it is")
    });
    stopper.send_replace(true);
    let mut name = signals.next().await;
    while first.elapsed() < SAME_WISH {
        name = signals.next().await;
    }
    let stays = if stays.is_empty() { String::new() } else { format!("; {stays}") };
    tell(&format!("{name} again: ended without cleaning up{stays}"));
    std::process::exit(130);
}

/// Describes the resources that an interrupted run leaves at a server, and the command that removes them.
pub(super) fn what_stays(url: &str, run: &str) -> String {
    let prefix = crate::server::PREFIX;
    format!(
        "what was made and is not yet deleted stays there, named {prefix}{run}-…; remove it: conformance clean {url}"
    )
}

/// Writes a line to stderr. Where that went away with its terminal, nobody is there to be told.
pub(super) fn tell(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
