//! A progress bar on stderr, on a terminal only.

use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use crate::engine::Progress;

#[derive(Default)]
struct Bar {
    current: Mutex<Option<ProgressBar>>,
}

impl Progress for Bar {
    fn begin(&self, stage: &'static str, total: usize) {
        if total == 0 {
            return;
        }
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}");
        let bar = ProgressBar::new(total as u64).with_message(stage);
        let bar = match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    fn advance(&self) {
        if let Some(bar) = &*self.current.lock().unwrap_or_else(PoisonError::into_inner) {
            bar.inc(1);
        }
    }

    fn end(&self) {
        if let Some(bar) = self.current.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}

/// Returns the progress bar; it is hidden if stderr is not a terminal.
pub(super) fn on_terminal() -> Arc<dyn Progress> {
    if io::stderr().is_terminal() { Arc::new(Bar::default()) } else { Arc::new(()) }
}
