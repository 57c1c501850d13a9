//! How long a recording has to be kept, and how long it may be.
//!
//! Several rules combine to the longest minimum and the shortest maximum. If the two contradict each other,
//! the minimum wins: a duty to keep (a sector's rule, say) beats a general limit. A legal hold beats both.

use alloc::format;
use alloc::string::{String, ToString as _};
use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time by the calendar: `30 days`, `6 months`, `5 years`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A number of days.
    Days(u16),
    /// A number of months.
    Months(u16),
}

impl Period {
    /// The moment this long after `from`, by the calendar in UTC.
    #[must_use]
    pub fn after(self, from: Timestamp) -> Timestamp {
        let span = match self {
            Period::Days(days) => Span::new().days(days),
            Period::Months(months) => Span::new().months(months),
        };
        let end = from.to_zoned(TimeZone::UTC).checked_add(span);
        end.map_or(Timestamp::MAX, |end| end.timestamp())
    }

    /// In millionths of a day, a month taken as a twelfth of 365.2425 days. Only for comparing periods of
    /// different units.
    fn nominal(self) -> u64 {
        match self {
            Period::Days(days) => u64::from(days) * 1_000_000,
            Period::Months(months) => u64::from(months) * 30_436_875,
        }
    }
}

impl PartialOrd for Period {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Period {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nominal().cmp(&other.nominal())
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = match *self {
            Period::Days(days) => (days, "day"),
            Period::Months(months) if months != 0 && months % 12 == 0 => (months / 12, "year"),
            Period::Months(months) => (months, "month"),
        };
        write!(f, "{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

impl fmt::Display for Retention {
    /// As it is given for a purpose: `30 days..5 years`, `..90 days`, `5 years..`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(minimum) = self.minimum {
            write!(f, "{minimum}")?;
        }
        f.write_str("..")?;
        self.maximum.map_or(Ok(()), |maximum| write!(f, "{maximum}"))
    }
}

impl FromStr for Retention {
    type Err = String;

    /// # Errors
    ///
    /// A sentence, if the text is not two periods around `..`, either of which may be left out.
    fn from_str(text: &str) -> Result<Self, String> {
        let Some((minimum, maximum)) = text.split_once("..") else {
            return Err(format!(
                "`{text}` is not a least and a most time; write for example `..90 days`, `5 years..` or `1 year..2 years`"
            ));
        };
        let period = |text: &str| match text.trim() {
            "" => Ok(None),
            text => text.parse().map(Some),
        };
        Ok(Retention { minimum: period(minimum)?, maximum: period(maximum)? })
    }
}

impl FromStr for Period {
    type Err = String;

    /// # Errors
    ///
    /// A sentence, if the text is not a whole number of days, months or years of at most 100 years.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` is not a length of time; write for example `30 days`, `6 months` or `5 years`")
        };
        let mut words = text.split_whitespace();
        let (Some(count), Some(unit), None) = (words.next(), words.next(), words.next()) else {
            return Err(wrong());
        };
        let count: u16 = count.parse().ok().filter(|count| *count > 0).ok_or_else(wrong)?;
        let period = match unit.trim_end_matches('s') {
            "day" => Period::Days(count),
            "month" => Period::Months(count),
            "year" => Period::Months(count.checked_mul(12).ok_or_else(wrong)?),
            _ => return Err(wrong()),
        };
        if period > Period::Months(1200) {
            return Err(format!("`{text}` is longer than 100 years"));
        }
        Ok(period)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Period {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[0-9]+ (day|month|year)s?$",
            "description": "a length of time by the calendar, such as `30 days` or `5 years`",
        })
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How long a recording has to be kept, and how long it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// The least time.
    pub minimum: Option<Period>,
    /// The most time.
    pub maximum: Option<Period>,
}

impl Retention {
    /// No limits.
    pub const FREE: Retention = Retention { minimum: None, maximum: None };

    /// Both: the longer minimum and the shorter maximum.
    #[must_use]
    pub fn and(self, other: Retention) -> Retention {
        let shorter = match (self.maximum, other.maximum) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Retention { minimum: self.minimum.max(other.minimum), maximum: shorter }
    }

    /// With this maximum where there is none; a minimum that is longer counts instead.
    #[must_use]
    pub fn or_at_most(self, by_default: Option<Period>) -> Retention {
        let maximum =
            self.maximum.or(by_default.map(|period| self.minimum.map_or(period, |least| least.max(period))));
        Retention { maximum, ..self }
    }

    /// Whether nothing is set.
    #[must_use]
    pub fn is_free(&self) -> bool {
        *self == Retention::FREE
    }

    /// Whether the minimum is longer than the maximum; then the minimum is what counts.
    #[must_use]
    pub fn contradicts_itself(&self) -> bool {
        matches!((self.minimum, self.maximum), (Some(minimum), Some(maximum)) if minimum > maximum)
    }

    /// Until when something recorded at `from` has to be kept.
    #[must_use]
    pub fn keep_until(&self, from: Timestamp) -> Option<Timestamp> {
        self.minimum.map(|minimum| minimum.after(from))
    }

    /// From when on something recorded at `from` has to be gone: never before [`Self::keep_until`].
    #[must_use]
    pub fn delete_by(&self, from: Timestamp) -> Option<Timestamp> {
        let limit = self.maximum.map(|maximum| maximum.after(from))?;
        Some(self.keep_until(from).map_or(limit, |keep| keep.max(limit)))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::{Period, Retention};

    #[test]
    fn a_period_is_read_as_it_is_written() {
        for text in ["1 day", "30 days", "6 months", "1 year", "5 years"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "5",
            "years",
            "0 days",
            "-1 days",
            "5 fortnights",
            "101 years",
            "5 years or so",
            "70000 days",
        ] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    #[test]
    fn five_years_end_on_the_same_day_of_the_calendar() {
        let years: Period = "5 years".parse().unwrap();
        assert_eq!(
            years.after("2024-02-29T12:00:00Z".parse().unwrap()),
            "2029-02-28T12:00:00Z".parse().unwrap()
        );
    }

    #[test]
    fn limits_are_read_as_they_are_written() {
        for text in ["..", "..90 days", "5 years..", "1 year..2 years"] {
            assert_eq!(text.parse::<Retention>().unwrap().to_string(), text);
        }
        for text in ["", "90 days", "..soon", "1 year..2 years..3 years"] {
            assert!(text.parse::<Retention>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_minimum_beats_a_maximum() {
        let sector = Retention { minimum: "5 years".parse().ok(), maximum: None };
        let general = Retention { minimum: None, maximum: "6 months".parse().ok() };
        let both = sector.and(general);
        assert_eq!(both, general.and(sector));
        assert!(both.contradicts_itself());
        let at = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(both.delete_by(at), Some("2031-01-01T00:00:00Z".parse().unwrap()));
        assert_eq!(both.keep_until(at), both.delete_by(at));
    }
}
