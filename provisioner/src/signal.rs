//! Signals that ask a program to end: Ctrl-C, and those of a supervisor or a closed terminal.

/// The signals that ask a program to end.
#[derive(Debug)]
#[cfg(unix)]
pub struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// The system refuses a listener.
    pub fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal, and returns its description.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "interrupted",
            _ = self.terminate.recv() => "terminated",
            _ = self.hang_up.recv() => "the terminal was closed",
        }
    }
}

/// The signals that ask a program to end.
#[derive(Debug)]
#[cfg(windows)]
pub struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    interrupt_too: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    log_off: tokio::signal::windows::CtrlLogoff,
    shut_down: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// The system refuses a listener.
    pub fn new() -> std::io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};
        Ok(Self {
            interrupt: ctrl_c()?,
            interrupt_too: ctrl_break()?,
            close: ctrl_close()?,
            log_off: ctrl_logoff()?,
            shut_down: ctrl_shutdown()?,
        })
    }

    /// Waits for the next signal, and returns its description.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "interrupted",
            _ = self.interrupt_too.recv() => "interrupted",
            _ = self.close.recv() => "the terminal was closed",
            _ = self.log_off.recv() => "logging off",
            _ = self.shut_down.recv() => "shutting down",
        }
    }
}

/// The signals that ask a program to end.
#[derive(Debug)]
#[cfg(not(any(unix, windows)))]
pub struct Signals;

#[cfg(not(any(unix, windows)))]
impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// The system refuses a listener.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    /// Waits for the next signal, and returns its description.
    pub async fn next(&mut self) -> &'static str {
        drop(tokio::signal::ctrl_c().await);
        "interrupted"
    }
}
