//! Ctrl-C and its like: the first one ends the run at the next request, the second one at once.

use super::output::Output;
use crate::engine::Provisioner;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::signal::Signals;

/// Listens for signals until it is dropped.
pub(super) struct Listener(tokio::task::JoinHandle<()>);

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Ends the run of `provisioner` when the process is asked to end.
pub(super) fn listen(provisioner: &Provisioner) -> Listener {
    listen_to(provisioner.interrupter())
}

/// Sets `interrupt`, which runs share, when the process is asked to end.
pub(super) fn listen_to(interrupt: Interrupt) -> Listener {
    Listener(tokio::spawn(async move {
        if let Err(error) = stop_on_signal(&interrupt).await {
            tracing::warn!(%error, "failed to listen for signals: they end the program at once");
        }
    }))
}

async fn stop_on_signal(interrupt: &Interrupt) -> std::io::Result<()> {
    let mut signals = Signals::new()?;
    signals.next().await;
    interrupt.interrupt();
    Output::notice("stopping after the requests in flight; a second Ctrl-C stops at once");
    signals.next().await;
    Output::error("stopped at once: the next sync looks up what became of the requests in flight");
    std::process::exit(i32::from(Exit::Interrupted.code()));
}

/// Carries out `work`, which writes nothing: a signal ends it at once.
///
/// # Errors
/// The command was interrupted, which is printed.
pub(super) async fn not_interrupted<W: Future>(work: W) -> Result<W::Output, Exit> {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::warn!(%error, "failed to listen for signals: they end the program at once");
            return Ok(work.await);
        }
    };
    tokio::select! {
        done = work => Ok(done),
        _ = signals.next() => {
            Output::error(NOTHING_WRITTEN);
            Err(Exit::Interrupted)
        }
    }
}

/// The message of an interrupted command that only reads.
pub(super) const NOTHING_WRITTEN: &str = "interrupted; nothing was written";
