//! Every decision, computed again from what stands in the leaves and by the tables they name.
//!
//! It walks through the entries of a call as the gate did: what is in force, what happened, what
//! the policy then answers. It knows nothing of hashes, and of a call nothing but its leaves.
//!
//! **Invariant: an entry passes only where the same facts and the same table give the same
//! answer**, and where what it did was permitted by it: equal decisions alone would let a forger
//! accept audio that nobody consented to.

mod refusal;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use policy::{Call, Claim, Control, Door, Event, Standing, Table, Uncovered, What};
use uuid::Uuid;

use super::Failure;
use crate::trail::{Body, Leaf, Saw, reason};

/// What a call goes on by.
#[derive(Debug, Clone)]
pub enum Step {
    /// One of its entries.
    Entry {
        /// Its index in the log.
        index: u64,
        /// The entry.
        leaf: Box<Leaf>,
        /// The table that its decision names.
        table: Arc<Table>,
    },
    /// The log says that something may be missing: on every call that was open.
    Gap(Event),
}

/// The calls of a log that may still go on.
#[derive(Debug, Default)]
pub struct Calls {
    calls: HashMap<Uuid, Replay>,
    /// How many decisions were computed again and found equal.
    pub decisions: u64,
}

impl Calls {
    /// Takes the next step, in the order of the log.
    ///
    /// # Errors
    ///
    /// [`Failure`], naming the entry.
    pub fn step(&mut self, step: &Step) -> Result<(), Failure> {
        match step {
            Step::Entry { index, leaf, table } => {
                let Some(uid) = leaf.call else { return Ok(()) };
                self.entry(uid, leaf, table).map_err(|failure| failure.at(*index))?;
                self.decisions = self.decisions.saturating_add(1);
            }
            Step::Gap(fact) => self.calls.values_mut().for_each(|replay| replay.gap(fact)),
        }
        Ok(())
    }

    /// Takes up a call again that had been [forgotten](Calls::forget), by the steps that it had gone.
    ///
    /// # Errors
    ///
    /// [`Failure`], naming the entry.
    pub fn again(&mut self, call: Uuid, steps: &[Step]) -> Result<(), Failure> {
        for step in steps {
            match step {
                Step::Entry { index, leaf, table } => {
                    self.entry(call, leaf, table).map_err(|failure| failure.at(*index))?;
                }
                Step::Gap(fact) => self.calls.get_mut(&call).into_iter().for_each(|replay| replay.gap(fact)),
            }
        }
        Ok(())
    }

    /// Shares the calls out, each to where `to` says.
    pub(super) fn shared_out(self, count: usize, to: impl Fn(Uuid) -> usize) -> Vec<Calls> {
        let mut shares: Vec<Calls> = (0..count).map(|_| Calls::default()).collect();
        for (uid, replay) in self.calls {
            if let Some(share) = shares.get_mut(to(uid)) {
                share.calls.insert(uid, replay);
            }
        }
        shares
    }

    /// Takes in the calls of another.
    pub(super) fn join(&mut self, other: Calls) {
        self.calls.extend(other.calls);
        self.decisions = self.decisions.saturating_add(other.decisions);
    }

    /// Drops a call that is over.
    pub fn forget(&mut self, call: Uuid) {
        self.calls.remove(&call);
    }

    fn entry(&mut self, uid: Uuid, leaf: &Leaf, table: &Arc<Table>) -> Result<(), Failure> {
        match self.calls.get_mut(&uid) {
            Some(replay) => replay.step(leaf, table),
            None => {
                self.calls.insert(uid, Replay::open(leaf, table)?);
                Ok(())
            }
        }
    }
}

/// A call as its entries have made it.
#[derive(Debug, Clone)]
pub struct Replay {
    call: Call,
    in_force: Arc<Table>,
    /// When its end was logged.
    ended_at: Option<Timestamp>,
}

impl Replay {
    /// Begins with the entry that opens the call.
    ///
    /// # Errors
    ///
    /// [`Failure`] where it opens none, or was decided otherwise.
    pub fn open(leaf: &Leaf, table: &Arc<Table>) -> Result<Replay, Failure> {
        let Body::Opened { facts, saw, .. } = &leaf.body else {
            return Err(Failure::tampered("the call's first entry does not open it"));
        };
        let call = Call::open(table, leaf.at, facts.clone());
        let replay = Replay { call, in_force: Arc::clone(table), ended_at: None };
        replay.must_have_seen(saw, leaf.at)?;
        Ok(replay)
    }

    /// Takes the call's next entry.
    ///
    /// # Errors
    ///
    /// [`Failure`] where it was decided otherwise, or did what was not permitted.
    pub fn step(&mut self, leaf: &Leaf, table: &Arc<Table>) -> Result<(), Failure> {
        if self.in_force.digest() != table.digest() {
            self.in_force = Arc::clone(table);
            self.call.know(table, leaf.at);
        }
        let Some(saw) = leaf.body.saw() else {
            return Err(Failure::tampered(format!("an entry `{}` belongs to no call", leaf.kind)));
        };
        if let Body::Opened { .. } = &leaf.body {
            return Err(Failure::tampered("the call is opened a second time"));
        }
        if let Body::Event { facts, late, .. } = &leaf.body {
            self.may_happen(facts, *late, leaf.at)?;
            self.call.apply(facts);
            if let What::Ended = facts.what {
                self.ended_at = self.ended_at.or(Some(leaf.at));
            }
        }
        self.must_have_seen(saw, leaf.at)?;
        if let Body::ControlRefused { code, .. } = &leaf.body
            && code == "consent-required"
            && self.is_permitted(leaf.at)
        {
            return Err(Failure::tampered("it refuses for want of consent what was permitted"));
        }
        if let Body::Refused { code, uncovered, .. } = &leaf.body {
            refusal::check(&self.call, code, uncovered, leaf.at)?;
        }
        if let Body::Accepted { facts, spans, keep_until, delete_by, .. } = &leaf.body {
            self.must_be_covered(facts, spans, leaf.at)?;
            let retention = self.call.requirement(leaf.at).retention;
            if (retention.keep_until(leaf.at), retention.delete_by(leaf.at)) != (*keep_until, *delete_by) {
                return Err(Failure::tampered("the recording is kept otherwise than the table says"));
            }
            // The gate decides on the call before the acceptance itself counts.
            self.call.apply(facts);
        }
        Ok(())
    }

    /// Something may be missing; on a call that was over by then, nothing is.
    pub fn gap(&mut self, fact: &Event) {
        if self.ended_at.is_none_or(|ended| fact.received_at <= ended) {
            self.call.apply(fact);
        }
    }

    /// The call as it stands.
    #[must_use]
    pub fn call(&self) -> &Call {
        &self.call
    }

    fn must_have_seen(&self, saw: &Saw, at: Timestamp) -> Result<(), Failure> {
        if saw.policy != policy::VERSION {
            return Err(Failure::unusable(format!(
                "it was decided by version {} of the policy, and this program knows version {}; use one of that time",
                saw.policy,
                policy::VERSION
            )));
        }
        let computed = Saw::of(self.in_force.digest(), &self.call.decide(at));
        match computed == *saw {
            true => Ok(()),
            false => Err(Failure::tampered(difference(saw, &computed))),
        }
    }

    /// Whether the gate would have logged this as it stands.
    fn may_happen(&self, facts: &Event, late: bool, at: Timestamp) -> Result<(), Failure> {
        if self.call.ended_at().is_some() && !facts.what.tightens() {
            return Err(Failure::tampered("after the call's end, only what is stricter is heard"));
        }
        if asks_to_record(&facts.what)
            && let Standing::Unlawful(why) = self.call.at(at).standing(at)
        {
            return Err(Failure::tampered(format!(
                "recording was let begin, and was not permitted: {}",
                reason(why)
            )));
        }
        let counts_from_before = facts.what.loosens()
            && self.call.settings().late_evidence_seconds > 0
            && facts.at.is_some_and(|claimed| claimed < at);
        if late != counts_from_before {
            return Err(Failure::tampered("it does not say truly whether it was reported late"));
        }
        Ok(())
    }

    /// Whether every second of an accepted recording was lawful and granted. What the platform wrote
    /// as silence was measured in the audio, which is not here: it is taken as silent.
    fn must_be_covered(
        &self,
        facts: &Event,
        spans: &[(Timestamp, Timestamp)],
        at: Timestamp,
    ) -> Result<(), Failure> {
        let What::Accepted { duration_ms } = facts.what else {
            return Err(Failure::tampered("it accepts a recording, and its facts say something else"));
        };
        let placed = placed(spans).ok_or_else(|| {
            Failure::tampered("the stretches of the recording are empty, overlap or are out of order")
        })?;
        let unplaced = self.fills_the_only_window(&placed);
        match self.call.coverage(&Claim::Placed(placed), Door::Asks, at, &|_, _| true) {
            Ok(coverage) if duration_ms == coverage.granted_ms => Ok(()),
            // Of what was not placed in time, the whole window is named and less may be used up.
            Ok(coverage) if unplaced && duration_ms < coverage.granted_ms => Ok(()),
            Err(Uncovered::UsedUp { left_ms }) if unplaced && duration_ms <= left_ms => Ok(()),
            Ok(_) => Err(Failure::tampered("the recording uses up more or less than it holds")),
            Err(uncovered) => Err(Failure::tampered(format!(
                "a recording was accepted that consent does not cover: {}",
                words(&uncovered)
            ))),
        }
    }

    fn fills_the_only_window(&self, placed: &[(Timestamp, u64)]) -> bool {
        let mut windows = self.call.windows().iter().filter(|window| match window.until {
            Some((until, _)) => window.from < until,
            None => true,
        });
        match (placed, windows.next(), windows.next()) {
            ([(from, _)], Some(window), None) => *from == window.from,
            _ => false,
        }
    }

    fn is_permitted(&self, at: Timestamp) -> bool {
        self.call.at(at).standing(at) == Standing::Lawful
    }
}

/// Stretches as moments with their lengths; none where they could not have been accepted.
fn placed(spans: &[(Timestamp, Timestamp)]) -> Option<Vec<(Timestamp, u64)>> {
    let ordered = spans.windows(2).all(|pair| match pair {
        [(_, until), (next, _)] => until <= next,
        _ => false,
    });
    let length = |(from, until): &(Timestamp, Timestamp)| {
        Some((*from, u64::try_from(until.duration_since(*from).as_millis()).ok()?))
    };
    if spans.is_empty() || !ordered {
        return None;
    }
    spans.iter().map(length).collect()
}

fn words(uncovered: &Uncovered) -> String {
    match uncovered {
        Uncovered::Spans(spans) => spans.first().map_or_else(String::new, |span| {
            format!("from {:.3} to {:.3}, {}", span.from, span.until, reason(span.why))
        }),
        Uncovered::Unplaced { windows } => {
            format!("it is not placed in time, and there were {windows} windows")
        }
        Uncovered::TooLong { duration_ms, window_ms } => {
            format!("it lasts {duration_ms} ms, and {window_ms} ms were granted")
        }
        Uncovered::UsedUp { left_ms } => format!("{left_ms} ms of what was granted were left"),
        Uncovered::Withdrawn(p) => {
            format!("participant {p} withdrew, and the account deletes what was before")
        }
    }
}

/// In what a decision differs from the one that is computed.
fn difference(saw: &Saw, computed: &Saw) -> String {
    let why = |saw: &Saw| saw.why.clone().unwrap_or_else(|| "nothing in the way".into());
    let fields = [
        ("recording", saw.recording.clone(), computed.recording.clone()),
        ("what is in the way", why(saw), why(computed)),
        ("the requirement", saw.requirement.clone(), computed.requirement.clone()),
        ("the recorder", saw.recorder.clone(), computed.recorder.clone()),
        ("the action", saw.action.clone(), computed.action.clone()),
        ("the table", saw.table.clone(), computed.table.clone()),
    ];
    for (field, said, found) in fields {
        if said != found {
            return format!(
                "its decision is not what the facts and the table give: {field} is said to be `{said}`, and is `{found}`"
            );
        }
    }
    let differing = saw.participants.iter().zip(&computed.participants).find(|(said, found)| said != found);
    match differing {
        Some((said, found)) if said.state != found.state => format!(
            "its decision is not what the facts and the table give: participant {} is said to be `{}`, and is `{}`",
            found.p, said.state, found.state
        ),
        Some((_, found)) => format!(
            "its decision is not what the facts and the table give: participant {} is described otherwise",
            found.p
        ),
        None => "its decision is not what the facts and the table give: it names other participants".into(),
    }
}

fn asks_to_record(what: &What) -> bool {
    matches!(what, What::Control(Control::Start | Control::Resume))
}
