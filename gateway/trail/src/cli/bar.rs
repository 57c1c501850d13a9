//! A progress bar for what takes minutes.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A progress bar on standard error, where that is a terminal.
pub struct Bar {
    is_terminal: bool,
    what: &'static str,
    last: Mutex<Last>,
}

/// When something was shown last, and whether anything was.
struct Last {
    at: Instant,
    is_shown: bool,
}

impl Bar {
    /// Of what is done, or of what there are so many.
    pub fn of(what: &'static str) -> Bar {
        let last = Last { at: Instant::now(), is_shown: false };
        Bar { is_terminal: std::io::stderr().is_terminal(), what, last: Mutex::new(last) }
    }

    /// Shows that so many are done.
    pub fn show(&self, done: u64, all: u64) {
        let full = done.saturating_mul(BAR).checked_div(all).unwrap_or(BAR);
        let bar = || (0..BAR).map(|at| if at < full { '=' } else { ' ' }).collect::<String>();
        self.draw(done >= all, || format!("[{}] {done} of {all} {}", bar(), self.what));
    }

    /// Shows for how long it has gone on: how much of it there is cannot be told.
    pub fn wait(&self, seconds: u64) {
        self.draw(false, || format!("{}: {seconds} s", self.what));
    }

    fn draw(&self, is_last: bool, line: impl FnOnce() -> String) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_terminal || (last.at.elapsed().as_millis() < 100 && !is_last) {
            return;
        }
        *last = Last { at: Instant::now(), is_shown: true };
        let _ = write!(std::io::stderr().lock(), "\r{}", line());
    }

    /// Ends its line, if there is one.
    pub fn end(&self) {
        if self.last.lock().unwrap_or_else(PoisonError::into_inner).is_shown {
            let _ = writeln!(std::io::stderr().lock());
        }
    }
}

const BAR: u64 = 40;
