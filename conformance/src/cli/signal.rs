//! Signals that ask for the end: Ctrl-C, and what a supervisor or a closed terminal sends.

use std::io::Write;

use provisioner::signal::Signals;
use tokio::sync::watch;

/// The first signal lets what runs clean up after itself; the second ends at once.
pub(super) async fn interrupt(stopper: watch::Sender<bool>) {
    let Ok(mut signals) = Signals::new() else { return };
    let name = signals.next().await;
    tell(&format!("{name}: cleaning up; once more to leave everything as it is"));
    stopper.send_replace(true);
    signals.next().await;
    std::process::exit(130);
}

/// Where stderr went away with its terminal, nobody is there to be told.
fn tell(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
