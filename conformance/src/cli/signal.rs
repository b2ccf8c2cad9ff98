//! Signals that ask for the end: Ctrl-C, and what a supervisor or a closed terminal sends.

use std::io::Write;

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

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "interrupted",
            _ = self.terminate.recv() => "terminated",
            _ = self.hang_up.recv() => "the terminal was closed",
        }
    }
}

#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    interrupt_too: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    log_off: tokio::signal::windows::CtrlLogoff,
    shut_down: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};
        Ok(Self {
            interrupt: ctrl_c()?,
            interrupt_too: ctrl_break()?,
            close: ctrl_close()?,
            log_off: ctrl_logoff()?,
            shut_down: ctrl_shutdown()?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "interrupted",
            _ = self.interrupt_too.recv() => "interrupted",
            _ = self.close.recv() => "the terminal was closed",
            _ = self.log_off.recv() => "logging off",
            _ = self.shut_down.recv() => "shutting down",
        }
    }
}

#[cfg(not(any(unix, windows)))]
struct Signals;

#[cfg(not(any(unix, windows)))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> &'static str {
        drop(tokio::signal::ctrl_c().await);
        "interrupted"
    }
}
