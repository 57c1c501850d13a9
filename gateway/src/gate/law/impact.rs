//! A rehearsal: every call of the trail, replayed by the table in force and by another.
//!
//! Both replays see the same facts, so any difference comes from the table. A call is *blocked* if the
//! platform asked to record, or was recording, at a moment at which one table permits it and the other does
//! not; it is *asked more* if its requirement is stricter in some respect. A recording is judged by what was
//! known when it was accepted, in the windows in which it was made: a place found out later never invalidates
//! it.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use policy::{
    Call, Code, Control, Edge, Event, Kind, Opened, Purposes, Reading, Recorder, Span, Standing, Table, Use,
    What, Window, Windows,
};
use serde::Deserialize;
use uuid::Uuid;

use crate::gate::answer::{Effect, Effects, Example, Impact};
use crate::gate::ask::StateReading;
use crate::gate::{Fault, Gate};
use crate::ledger::History;

impl Effects {
    fn add(&mut self, other: &Effects) {
        self.blocked = self.blocked.saturating_add(other.blocked);
        self.allowed = self.allowed.saturating_add(other.allowed);
        self.asked_more = self.asked_more.saturating_add(other.asked_more);
        self.asked_less = self.asked_less.saturating_add(other.asked_less);
        self.lacking = self.lacking.saturating_add(other.lacking);
    }

    /// Whether nothing would have been different.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Effects::default()
    }

    fn named(&self) -> Vec<Effect> {
        let all = [
            (Effect::Blocked, self.blocked),
            (Effect::Allowed, self.allowed),
            (Effect::AskedMore, self.asked_more),
            (Effect::AskedLess, self.asked_less),
            (Effect::Lacking, self.lacking),
        ];
        all.into_iter().filter(|(_, count)| *count > 0).map(|(effect, _)| effect).collect()
    }
}

impl Gate {
    /// Replays every call by `base` and by `new`. `progress` receives how many calls of how many are done.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn impact(
        &self,
        base: &Arc<Table>,
        new: &Arc<Table>,
        since: Option<Timestamp>,
        account: Option<&str>,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Impact, Fault> {
        let compared = Compared { base: Arc::clone(base), new: Arc::clone(new), reading: None };
        self.replayed(compared, since, account, progress).await
    }

    /// Replays every call of an account as its law was, and with one more reading of it.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the reading makes no sense, or could never count; or the ledger fails.
    pub async fn impact_of_reading(
        &self,
        account: &str,
        asked: &StateReading,
        since: Option<Timestamp>,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Impact, Fault> {
        let (table, reading) = self.reading_of(account, asked).await?;
        let compared = Compared { base: Arc::clone(&table), new: table, reading: Some(Arc::new(reading)) };
        self.replayed(compared, since, Some(account), progress).await
    }

    async fn replayed(
        &self,
        compared: Compared,
        since: Option<Timestamp>,
        account: Option<&str>,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Impact, Fault> {
        let mut impact = Impact {
            base: compared.base.digest().into(),
            table: compared.new.digest().into(),
            reading: compared.reading.as_ref().map(|reading| reading.id.clone()),
            since: since.map(Into::into),
            account: account.map(Into::into),
            ..Impact::default()
        };
        let from = since.map_or(i64::MIN, Timestamp::as_millisecond);
        let total = self.ledger.count_calls(from, account).await?;
        let histories = self.ledger.histories(from, account);
        let mut replayed = histories
            .try_chunks(CHUNK)
            .map(|chunk| {
                let compared = compared.clone();
                async move {
                    let chunk = chunk.map_err(|error| Fault::from(error.1))?;
                    let work = move || chunk.iter().map(|call| replay(&compared, call)).collect::<Vec<_>>();
                    tokio::task::spawn_blocking(work)
                        .await
                        .map_err(|_| Fault::damaged("the task of a replay failed"))
                }
            })
            .buffered(WORKERS);
        while let Some(chunk) = replayed.next().await {
            let mut chunk = chunk?;
            self.drop_deleted(&mut chunk).await?;
            for call in chunk {
                impact.count(call);
            }
            progress(impact.calls.saturating_add(impact.unreadable), total);
        }
        Ok(impact)
    }

    /// Removes deleted recordings from the count of those that lack consent.
    async fn drop_deleted(&self, chunk: &mut [Replayed]) -> Result<(), Fault> {
        let lacking: Vec<String> =
            chunk.iter().flat_map(|call| &call.lacking).map(ToString::to_string).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let live = self.ledger.live_recordings(&lacking).await?;
        for call in chunk {
            call.lacking.retain(|id| live.contains(&id.to_string()));
        }
        Ok(())
    }

    /// Adds the platforms' ids of the calls to the examples of a report.
    pub(crate) async fn name_calls(&self, impact: &mut Impact) -> Result<(), Fault> {
        for example in impact.places.values_mut().flat_map(|place| &mut place.examples) {
            if let Some(row) = self.ledger.call(example.uid).await? {
                example.call = Some(row.id);
                example.account = Some(row.account);
            }
        }
        Ok(())
    }
}

impl Impact {
    fn count(&mut self, call: Replayed) {
        if call.unreadable {
            self.unreadable = self.unreadable.saturating_add(1);
            return;
        }
        self.calls = self.calls.saturating_add(1);
        self.recordings = self.recordings.saturating_add(call.recordings);
        let lacking = u64::try_from(call.lacking.len()).unwrap_or(u64::MAX);
        let effects = Effects { lacking, ..call.effects };
        if effects.is_none() {
            return;
        }
        self.total.add(&effects);
        for place in call.places {
            let entry = self.places.entry(place).or_default();
            entry.effects.add(&effects);
            if entry.examples.len() < EXAMPLES {
                entry.examples.push(Example {
                    uid: call.uid,
                    effects: effects.named(),
                    call: None,
                    account: None,
                });
            }
        }
    }
}

/// The result for one call.
#[derive(Debug, Default)]
struct Replayed {
    uid: Uuid,
    unreadable: bool,
    effects: Effects,
    recordings: u64,
    lacking: Vec<Uuid>,
    places: Vec<String>,
}

/// The part of a leaf that a replay needs.
#[derive(Deserialize)]
struct Entry {
    at: Timestamp,
    body: Facts,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Facts {
    Opened {
        facts: Opened,
    },
    Event {
        facts: Event,
    },
    ControlRefused {
        #[serde(default, rename = "use")]
        of: Use,
        #[serde(default)]
        purposes: Purposes,
        control: Control,
    },
    Accepted {
        recording: Uuid,
        spans: Vec<(Timestamp, Timestamp)>,
    },
    Refused {},
}

/// What calls are replayed by.
#[derive(Clone)]
struct Compared {
    base: Arc<Table>,
    new: Arc<Table>,
    /// Counts beside the readings that a call was opened with, where it covers the call.
    reading: Option<Arc<Reading>>,
}

fn replay(compared: &Compared, history: &History) -> Replayed {
    let mut replayed = Replayed::default();
    replayed.unreadable = replay_into(&mut replayed, compared, history).is_none();
    replayed
}

fn replay_into(replayed: &mut Replayed, compared: &Compared, history: &History) -> Option<()> {
    replayed.uid = history.uid.parse().ok()?;
    let lines = history.leaves.as_deref()?.split(|byte| *byte == b'\n');
    let mut entries = lines.map(|line| serde_json::from_slice::<Entry>(line).ok());
    let first = entries.next()??;
    let Facts::Opened { facts } = first.body else { return None };
    let is_asked = facts.kind != Kind::Emergency || facts.settings.public_safety;
    let mut read = facts.clone();
    let further = compared.reading.as_deref().filter(|one| one.may_count_for(facts.purposes));
    read.readings.extend(further.cloned());
    let mut old = Call::open(&compared.base, first.at, facts);
    let mut new = Call::open(&compared.new, first.at, read);
    let mut recorded = Recorded::default();
    let (mut blocked, mut allowed, mut parted) = (false, false, false);
    for entry in entries {
        let entry = entry?;
        let mut asked = |at, of: Use, purposes, old: &Call, new: &Call| match (
            allowed_to(old, of, purposes, at),
            allowed_to(new, of, purposes, at),
        ) {
            (true, false) => blocked = true,
            (false, true) => allowed = true,
            (true, true) | (false, false) => {}
        };
        match entry.body {
            Facts::Opened { .. } => return None,
            Facts::Event { facts } => {
                recorded.event(&facts);
                old.apply(&facts);
                new.apply(&facts);
                if asks_to_record(&facts.what) {
                    asked(entry.at, Use::Record, Purposes::NONE, &old, &new);
                }
                if let What::Use { of, purposes, control: Control::Start | Control::Resume } = &facts.what {
                    asked(entry.at, *of, *purposes, &old, &new);
                }
                if !parted && is_suspended(&old) != is_suspended(&new) {
                    parted = true;
                    blocked |= is_suspended(&new);
                    allowed |= is_suspended(&old);
                }
            }
            Facts::ControlRefused { of, purposes, control } => {
                if matches!(control, Control::Start | Control::Resume) {
                    asked(entry.at, of, purposes, &old, &new);
                }
            }
            Facts::Accepted { recording, spans } => {
                replayed.recordings = replayed.recordings.saturating_add(1);
                let parts = recorded.parts(&spans);
                if covered(&old, &parts, entry.at) && !covered(&new, &parts, entry.at) {
                    replayed.lacking.push(recording);
                }
                let facts = Event { received_at: entry.at, at: None, what: What::Accepted { spans } };
                old.apply(&facts);
                new.apply(&facts);
            }
            Facts::Refused {} => {}
        }
    }
    if !parted {
        let (by_new, by_old) = (suspended_alone(&new, &old), suspended_alone(&old, &new));
        blocked |= by_new.is_some_and(|at| by_old.is_none_or(|other| at < other));
        allowed |= by_old.is_some_and(|at| by_new.is_none_or(|other| at < other));
    }
    let last = old.last();
    let (before, after) = (old.requirement(last), new.requirement(last));
    replayed.effects = Effects {
        blocked: u64::from(blocked),
        allowed: u64::from(allowed),
        asked_more: u64::from(is_asked && !before.is_at_least(&after)),
        asked_less: u64::from(is_asked && !after.is_at_least(&before)),
        lacking: 0,
    };
    let differs = |code: &Code| old.asks_of(*code) != new.asks_of(*code);
    replayed.places = old.codes().into_iter().filter(differs).map(|code| code.to_string()).collect();
    if replayed.places.is_empty() {
        replayed.places.push(ELSEWHERE.into());
    }
    Some(())
}

fn lawful(call: &Call, at: Timestamp) -> bool {
    call.standing(at.max(call.last())) == Standing::Lawful
}

/// Whether the platform is recording and was told to pause. Once the two replays differ in this, later facts
/// mean nothing: the platform would have acted differently.
fn is_suspended(call: &Call) -> bool {
    matches!(call.recorder(), Recorder::Suspended { forced: true })
}

/// When `one` was suspended while the `other` continued: by time alone, before the last facts.
fn suspended_alone(one: &Call, other: &Call) -> Option<Timestamp> {
    let mut suspensions = one.windows().iter().filter_map(|window| match window.until {
        Some((at, Edge::Suspension)) => Some(at),
        Some((_, Edge::Pause | Edge::Stop | Edge::Ended)) | None => None,
    });
    suspensions.find(|at| other.windows().iter().any(|window| holds(window, *at)))
}

fn holds(window: &Window, at: Timestamp) -> bool {
    Span { from: window.from, until: window.until.map(|(until, _)| until) }.holds(at)
}

/// Whether a use of the call's audio is lawful, if it serves these purposes.
fn allowed_to(call: &Call, of: Use, purposes: Purposes, at: Timestamp) -> bool {
    if of.is_record() { lawful(call, at) } else { lawful(&call.serving(of, purposes), at) }
}

/// Whether the law alone covers these parts, no matter what the platform was granted.
fn covered(call: &Call, parts: &[Part], at: Timestamp) -> bool {
    parts.iter().all(|part| call.law_covers(part.from, part.until, part.window, at))
}

fn asks_to_record(what: &What) -> bool {
    matches!(
        what,
        What::Control(Control::Start | Control::Resume) | What::RecordingStarted | What::RecordingResumed
    )
}

/// When the platform recorded, no matter which table decided. A start or a resumption is logged only if it
/// was granted while nothing was being recorded, so each begins a window.
#[derive(Default)]
struct Recorded(Windows);

/// Accepted audio within one window.
struct Part {
    from: Timestamp,
    until: Timestamp,
    window: Window,
}

impl Recorded {
    fn event(&mut self, event: &Event) {
        let now = event.received_at;
        if let What::Control(Control::Start | Control::Resume) = event.what {
            self.0.close(now, Edge::Suspension);
        }
        self.0.apply(&event.what, now, event.at.map_or(now, |at| at.min(now)));
    }

    /// The parts of these stretches, window by window. A stretch outside of all windows was recorded without
    /// asking, and is its own window.
    fn parts(&self, spans: &[(Timestamp, Timestamp)]) -> Vec<Part> {
        let (windows, silences) = (self.0.granted(), self.0.silences());
        let end = |window: &Window| window.until.map(|(until, _)| until);
        let mut parts = Vec::with_capacity(spans.len());
        for (from, until) in spans.iter().copied() {
            let edges = windows.iter().flat_map(|window| [Some(window.last_covered()), end(window)]);
            let edges = edges.chain(windows.iter().map(|window| Some(window.from))).flatten();
            let silent = silences.iter().flat_map(|silence| [Some(silence.from), silence.until]).flatten();
            let edges = edges.chain(silent);
            let mut edges: Vec<Timestamp> = edges.filter(|edge| from < *edge && *edge < until).collect();
            edges.extend([from, until]);
            edges.sort_unstable();
            edges.dedup();
            for (from, until) in edges.iter().copied().zip(edges.iter().copied().skip(1)) {
                let latest = windows.iter().rev().find(|window| window.from <= from);
                let window = latest.filter(|window| from < window.last_covered());
                let silent = silences.iter().any(|silence| silence.holds(from));
                if let Some(window) = window {
                    parts.push(Part { from, until, window: *window });
                } else if !silent {
                    parts.push(Part {
                        from,
                        until,
                        window: Window { from, until: Some((until, Edge::Pause)), resumed: false },
                    });
                }
            }
        }
        parts
    }
}

/// The label if no place of a call differs: the default, the evidence or an overlay does.
const ELSEWHERE: &str = "default, evidence or overlay";

/// How many calls are replayed at a time.
const CHUNK: usize = 256;
/// How many such chunks run at once.
const WORKERS: usize = 2;
/// How many examples a place gets.
const EXAMPLES: usize = 5;
