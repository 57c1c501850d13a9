//! Where time comes from. Time is evidence, so it is a parameter.
//!
//! Nothing else in the program reads the wall clock; timeouts use monotonic instants and need none.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

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

/// A moment in an answer: RFC 3339, UTC, always with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
pub struct Moment(pub Timestamp);

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Moment {
        Moment(at)
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&written(self.0))
    }
}

impl serde::Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "date-time"})
    }
}

/// Writes a moment as answers and leaves do: RFC 3339, UTC, always with milliseconds.
#[must_use]
pub fn written(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Cuts a moment to whole milliseconds, towards the past.
#[must_use]
pub fn whole_millis(at: Timestamp) -> Timestamp {
    millis(at.as_millisecond())
}

/// Reads a moment (RFC 3339), which must name its time zone.
///
/// # Errors
///
/// [`MomentError`] says what is missing. A text that is not a time at all is not repeated.
pub fn moment(text: &str) -> Result<Timestamp, MomentError> {
    let text = text.trim();
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    if text.parse::<Date>().is_ok() && text.len() <= DAY_LENGTH {
        return Err(MomentError::Day(text.to_owned()));
    }
    match text.parse::<DateTime>() {
        Ok(_) => Err(MomentError::NoZone(text.to_owned())),
        Err(_) => Err(MomentError::Other),
    }
}

/// As [`moment`]; a day stands for its first moment, in UTC.
///
/// # Errors
///
/// [`MomentError`].
pub fn moment_or_day(text: &str) -> Result<Timestamp, MomentError> {
    match moment(text) {
        Err(MomentError::Day(day)) => {
            let midnight = day.parse::<Date>().and_then(|day| day.to_zoned(TimeZone::UTC));
            midnight.map(|midnight| midnight.timestamp()).map_err(|_| MomentError::Other)
        }
        read => read,
    }
}

/// Why a text is not a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// It has no zone.
    #[error("`{0}` has no time zone: end it with `Z` if it is UTC, or with an offset such as `+01:00`")]
    NoZone(String),
    /// It is a day.
    #[error("`{0}` is a date without a time: write `{0}T00:00:00Z`")]
    Day(String),
    /// It is something else.
    #[error("this is not a time: write it as in `2027-01-31T12:00:00Z` (RFC 3339)")]
    Other,
}

/// The length of `2027-01-31`.
const DAY_LENGTH: usize = 10;

#[cfg(test)]
mod tests {
    use super::{MomentError, moment, moment_or_day, written};

    #[test]
    fn a_moment_has_a_zone() {
        for (text, at) in [
            ("2027-01-31T12:00:00Z", "2027-01-31T12:00:00.000Z"),
            ("2027-01-31T12:00:00.25+01:00", "2027-01-31T11:00:00.250Z"),
            (" 2027-01-31 12:00:00Z ", "2027-01-31T12:00:00.000Z"),
        ] {
            assert_eq!(moment(text).map(written).as_deref(), Ok(at), "{text}");
            assert_eq!(moment_or_day(text), moment(text), "{text}");
        }
        for text in ["2027-01-31T12:00:00", "2027-01-31 12:00", "2027-01-31T12", "20270131T120000"] {
            assert_eq!(moment(text), Err(MomentError::NoZone(text.into())));
            assert_eq!(moment_or_day(text), Err(MomentError::NoZone(text.into())));
        }
        assert_eq!(moment("2027-01-31"), Err(MomentError::Day("2027-01-31".into())));
        assert_eq!(moment_or_day("2027-01-31").map(written).as_deref(), Ok("2027-01-31T00:00:00.000Z"));
        for text in
            ["", "yesterday", "1732874400", "+14155550100", "Sun, 29 Nov 2026 10:00:00 +0000", "2027-02-30"]
        {
            assert_eq!(moment(text), Err(MomentError::Other), "{text}");
            assert_eq!(moment_or_day(text), Err(MomentError::Other), "{text}");
        }
    }
}
