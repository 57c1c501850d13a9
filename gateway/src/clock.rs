//! Where time comes from. Time is evidence, so it is a parameter.
//!
//! Nothing else in the program reads the wall clock; timeouts use monotonic instants and need none.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// A source of wall-clock time, in whole milliseconds.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Clock {
        Clock(Source::System)
    }

    /// A clock that stands still until [`Clock::advance`]; every clone shows the same time.
    #[must_use]
    pub fn manual(start: Timestamp) -> Clock {
        Clock(Source::Manual(Arc::new(AtomicI64::new(start.as_millisecond()))))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => {
                #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
                let now = Timestamp::now();
                millis(now.as_millisecond())
            }
            Source::Manual(at) => millis(at.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock on; the machine's clock is left alone.
    pub fn advance(&self, by: std::time::Duration) {
        if let Source::Manual(at) = &self.0 {
            at.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}

/// A moment from milliseconds since 1970; what lies outside of jiff's range becomes its edge.
#[must_use]
pub fn millis(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// A moment as answers and leaves write it: RFC 3339, UTC, always with milliseconds.
#[must_use]
pub fn written(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Cuts a moment to whole milliseconds, towards the past.
#[must_use]
pub fn whole_millis(at: Timestamp) -> Timestamp {
    millis(at.as_millisecond())
}
