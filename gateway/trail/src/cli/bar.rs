//! A progress bar for what takes minutes.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A progress bar on standard error, where that is a terminal.
pub struct Bar {
    shown: bool,
    what: &'static str,
    last: Mutex<Instant>,
}

impl Bar {
    /// Of what there are so many.
    pub fn of(what: &'static str) -> Bar {
        Bar { shown: std::io::stderr().is_terminal(), what, last: Mutex::new(Instant::now()) }
    }

    /// Shows that so many are done.
    pub fn show(&self, done: u64, all: u64) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.shown || (last.elapsed().as_millis() < 100 && done < all) {
            return;
        }
        *last = Instant::now();
        let full = done.saturating_mul(BAR).checked_div(all).unwrap_or(BAR);
        let bar: String = (0..BAR).map(|at| if at < full { '=' } else { ' ' }).collect();
        let _ = write!(std::io::stderr().lock(), "\r[{bar}] {done} of {all} {}", self.what);
    }

    /// Ends its line.
    pub fn end(&self) {
        if self.shown {
            let _ = writeln!(std::io::stderr().lock());
        }
    }
}

const BAR: u64 = 40;
