//! Stretches without entries. A running gateway logs something at least every hour, so in such a stretch it
//! did not run, or somebody left out what it logged.

use jiff::{SignedDuration, Timestamp};

/// The unexplained stretches so far.
#[derive(Debug, Default)]
pub(super) struct Silences(Vec<Silence>);

#[derive(Debug)]
struct Silence {
    /// The entry behind it.
    index: u64,
    from: Timestamp,
    until: Timestamp,
}

impl Silences {
    /// Nothing was logged between these moments.
    pub(super) fn between(&mut self, index: u64, from: Timestamp, until: Timestamp) {
        if until.duration_since(from) > LONGEST {
            self.0.push(Silence { index, from, until });
        }
    }

    /// The log says that something may be missing in this period.
    pub(super) fn explained(&mut self, from: Timestamp, until: Timestamp) {
        let within = |silence: &Silence| {
            from.duration_since(silence.from) <= LONGEST && silence.until.duration_since(until) <= LONGEST
        };
        self.0.retain(|silence| !within(silence));
    }

    /// How many there are, and the longest, in words.
    pub(super) fn words(&self) -> Option<String> {
        let length = |silence: &&Silence| silence.until.duration_since(silence.from);
        let longest = self.0.iter().max_by_key(length)?;
        let minutes = length(&longest).as_mins();
        Some(format!(
            "{} stretches of more than an hour have neither an entry nor an explanation, though a running gateway logs something every hour: the longest is {} h {} min, from {:.3} to entry {}",
            self.0.len(),
            minutes / 60,
            minutes % 60,
            longest.from,
            longest.index
        ))
    }
}

/// Heartbeats are hourly, and may be a little late.
const LONGEST: SignedDuration = SignedDuration::from_mins(65);
