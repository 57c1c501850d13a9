//! Computes every decision again, from the leaves and the tables that they name.
//!
//! It walks through the entries of a call as the gate did: what is in force, what happened, what the policy
//! then decides. It knows nothing of hashes, and nothing of a call but its leaves.
//!
//! **Invariant: an entry passes only if the same facts and the same table give the same decision**, and
//! if that permits what the entry did: equal decisions alone would let a forger accept audio that nobody
//! consented to.

mod refusal;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use policy::{
    Alike, Call, Claim, Control, Coverage, Event, Joined, Opened, Purposes, Recorder, Standing, Table,
    Uncovered, Upload, Use, What,
};
use uuid::Uuid;

use super::Failure;
use crate::{Body, Came, Clocks, ControlRefusal, Kind, Leaf, Released, Saw, SawReading, Suspension};

/// One step of a call.
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
    /// The log says that events may be missing on every call that was open.
    Gap(Box<Event>),
}

/// The calls of a log that may not be over.
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

    /// Restores a [forgotten](Calls::forget) call from its steps so far.
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

    /// Splits the calls in `count` parts; `to` says in which part each one goes.
    pub(super) fn shared_out(self, count: usize, to: impl Fn(Uuid) -> usize) -> Vec<Calls> {
        let mut shares: Vec<Calls> = (0..count).map(|_| Calls::default()).collect();
        for (uid, replay) in self.calls {
            if let Some(share) = shares.get_mut(to(uid)) {
                share.calls.insert(uid, replay);
            }
        }
        shares
    }

    /// Adds the calls of `other`.
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
    clocks: Clocks,
    /// The pseudonyms of numbers, by participant.
    subjects: Vec<(u32, String)>,
    /// Who had objected on an earlier call of this id.
    objectors: Vec<(String, Timestamp)>,
    /// How it was opened, and what has made it since, by when it was logged: for what counts only as it stood earlier.
    opened: (Timestamp, Arc<Table>, Opened),
    /// Its entries that ask for a suspension, and what became of the orders that they made.
    orders: HashMap<Uuid, Ordered>,
    past: Vec<(Timestamp, Past)>,
}

/// What became of an order to suspend.
#[derive(Debug, Clone, Default)]
struct Ordered {
    sent: bool,
    ended: bool,
    /// What was reported since.
    since: Vec<Kind>,
}

/// Something that made a call what it is.
#[derive(Debug, Clone)]
enum Past {
    Table(Arc<Table>),
    Fact(Box<Event>),
    /// Which of its readings are over.
    Readings(Vec<SawReading>),
}

impl Replay {
    /// Begins with the entry that opens the call.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it opens no call, or its decision is wrong.
    pub fn open(leaf: &Leaf, table: &Arc<Table>) -> Result<Replay, Failure> {
        let Body::Opened { facts, subjects, objectors, saw } = &leaf.body else {
            return Err(Failure::tampered("the call's first entry does not open it"));
        };
        let call = Call::open(table, leaf.at, facts.clone());
        let mut replay = Replay {
            call,
            in_force: Arc::clone(table),
            ended_at: None,
            clocks: Clocks::default(),
            subjects: Vec::new(),
            objectors: objectors.clone(),
            opened: (leaf.at, Arc::clone(table), facts.clone()),
            orders: HashMap::new(),
            past: Vec::new(),
        };
        for joined in &facts.participants {
            let subject = subjects.iter().find(|(p, _)| *p == joined.participant);
            replay.must_be_alike(joined.participant, &joined.alike, subject)?;
        }
        replay.must_have_seen(saw, leaf.at)?;
        replay.suspends(leaf)?;
        Ok(replay)
    }

    /// Takes the call's next entry.
    ///
    /// # Errors
    ///
    /// [`Failure`] if its decision is wrong, or it did what was not permitted.
    pub fn step(&mut self, leaf: &Leaf, table: &Arc<Table>) -> Result<(), Failure> {
        if self.in_force.digest() != table.digest() {
            self.in_force = Arc::clone(table);
            self.call.know(table, leaf.at);
            self.past.push((leaf.at, Past::Table(Arc::clone(table))));
        }
        let Some(saw) = leaf.body.saw() else {
            return Err(Failure::tampered(format!("an entry `{}` belongs to no call", leaf.kind)));
        };
        if saw.readings.iter().any(|reading| reading.over.is_some()) {
            saw.ends_readings(&mut self.call, leaf.at);
            self.past.push((leaf.at, Past::Readings(saw.readings.clone())));
        }
        if let Body::Opened { .. } = &leaf.body {
            return Err(Failure::tampered("the call is opened a second time"));
        }
        if let Body::Event { facts, late, subjects, .. } = &leaf.body {
            self.may_happen(facts, *late, leaf.at)?;
            self.clocks.see(leaf);
            if let What::Joined(Joined { participant, alike, .. })
            | What::Located { participant, alike, .. } = &facts.what
            {
                self.must_be_alike(*participant, alike, subjects.first())?;
            }
            self.happened(facts.clone());
            if let What::Ended = facts.what {
                self.ended_at = self.ended_at.or(Some(leaf.at));
            }
        }
        self.must_have_seen(saw, leaf.at)?;
        self.suspends(leaf)?;
        if let Body::ControlRefused { of, purposes, code, .. } = &leaf.body {
            let for_record = of.is_record() && !purposes.is_empty();
            let without_key = !of.is_record() && *code == ControlRefusal::NoUsableKey;
            if for_record || without_key {
                return Err(Failure::tampered("no gateway refuses a use like this"));
            }
        }
        if let Body::ControlRefused { of, purposes, code: ControlRefusal::ConsentRequired, .. } = &leaf.body
            && self.is_permitted(*of, *purposes, leaf.at)
        {
            return Err(Failure::tampered("it refuses, for lack of consent, what was permitted"));
        }
        if let Body::Refused { came, code, uncovered, .. } = &leaf.body {
            decidable(*came)?;
            refusal::check(&self.call, came.coverage, *code, uncovered, leaf.at)?;
        }
        if let Body::Accepted { spans, keep_until, delete_by, .. } = &leaf.body {
            self.must_be_covered(leaf)?;
            let retention = self.call.requirement(leaf.at).retention;
            if (retention.keep_until(leaf.at), retention.delete_by(leaf.at)) != (*keep_until, *delete_by) {
                return Err(Failure::tampered("the recording is not kept as the table says"));
            }
            // The gate decides on the call before the acceptance itself counts.
            let what = What::Accepted { spans: spans.clone() };
            self.happened(Event { received_at: leaf.at, at: None, what });
        }
        Ok(())
    }

    fn happened(&mut self, fact: Event) {
        self.call.apply(&fact);
        self.past.push((fact.received_at, Past::Fact(Box::new(fact))));
    }

    /// Events may be missing; none are on a call that was over by then.
    pub fn gap(&mut self, fact: &Event) {
        if self.ended_at.is_none_or(|ended| fact.received_at <= ended) {
            self.happened(fact.clone());
        }
    }

    /// Takes an entry that asks for a suspension, an order that it made, or what became of one.
    fn suspends(&mut self, leaf: &Leaf) -> Result<(), Failure> {
        let kind = leaf.body.kind();
        self.orders.values_mut().filter(|order| order.sent && !order.ended).for_each(|order| {
            order.since.push(kind);
        });
        if leaf.body.orders().is_some_and(|orders| orders.recording().is_some()) {
            self.orders.insert(leaf.id, Ordered::default());
        }
        let Body::Suspension { order, says, .. } = &leaf.body else { return Ok(()) };
        let wrong = |what: &str| Err(Failure::tampered(what.to_owned()));
        let Some(order) = self.orders.get_mut(order) else {
            return wrong("it is about an order that no entry of the call asked for");
        };
        match says {
            Suspension::Ordered { .. } if order.sent => wrong("it orders something a second time"),
            Suspension::Ordered { .. } => {
                order.sent = true;
                Ok(())
            }
            Suspension::Confirmed { .. } | Suspension::Failed { .. } if !order.sent || order.ended => {
                wrong("it ends an order that is not under way")
            }
            Suspension::Confirmed { by } if !order.since.iter().any(|kind| kind.as_str() == by) => {
                wrong("it says that a report confirmed an order, and there is none")
            }
            Suspension::Confirmed { .. } | Suspension::Failed { .. } => {
                order.ended = true;
                Ok(())
            }
        }
    }

    /// The call as it stood when nothing later than this had been logged; none if it was not opened yet.
    fn as_of(&self, moment: Timestamp) -> Option<Call> {
        let (opened_at, table, facts) = &self.opened;
        let mut call = (*opened_at <= moment).then(|| Call::open(table, *opened_at, facts.clone()))?;
        for (at, past) in self.past.iter().filter(|(at, _)| *at <= moment) {
            match past {
                Past::Table(table) => call.know(table, *at),
                Past::Fact(fact) => call.apply(fact),
                Past::Readings(readings) => {
                    for SawReading { reading, over } in readings {
                        over.iter().for_each(|over| call.reading_ends(reading, *over, *at));
                    }
                }
            }
        }
        Some(call)
    }

    /// The call as it stands.
    #[must_use]
    pub fn call(&self) -> &Call {
        &self.call
    }

    fn must_have_seen(&self, saw: &Saw, at: Timestamp) -> Result<(), Failure> {
        if saw.policy != policy::VERSION {
            return Err(Failure::unusable(format!(
                "it was decided by version {} of the policy, and this program knows version {}; use a program of that time",
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
        if !self.call.hears(&facts.what, at) {
            return Err(Failure::tampered("after the call's end, only what restricts recording is accepted"));
        }
        if asks_to_record(&facts.what)
            && let Standing::Unlawful(why) = self.call.at(at).standing(at)
        {
            return Err(Failure::tampered(format!(
                "recording was allowed to start, and was not permitted: {why}"
            )));
        }
        if let What::Use { of, purposes, control } = &facts.what {
            self.may_be_used(*of, *purposes, *control, at)?;
        }
        let counts_from_before = facts.what.loosens()
            && self.call.settings().late_evidence_seconds > 0
            && facts.at.is_some_and(|claimed| claimed < at);
        if late != counts_from_before {
            return Err(Failure::tampered("its `late` flag is wrong"));
        }
        Ok(())
    }

    /// Whether another use than recording might do this.
    fn may_be_used(
        &self,
        of: Use,
        purposes: Purposes,
        control: Control,
        at: Timestamp,
    ) -> Result<(), Failure> {
        if of.is_record() {
            return Err(Failure::tampered("recording is told of as if it were another use"));
        }
        if matches!(control, Control::Pause(_) | Control::Stop) {
            return match (purposes.is_empty(), self.call.uses().any(|(one, _)| one == of)) {
                (true, true) => Ok(()),
                (false, _) => Err(Failure::tampered("a use that is paused or stopped gets other purposes")),
                (_, false) => Err(Failure::tampered("a use is paused or stopped that was never granted")),
            };
        }
        let call = self.call.at(at).serving(of, purposes);
        if control == Control::Resume && matches!(call.recorder(), Recorder::Idle | Recorder::Stopped) {
            return Err(Failure::tampered("a use is resumed that was not going on"));
        }
        if call.purposes() != purposes {
            return Err(Failure::tampered("a use that goes on no longer has its earlier purposes"));
        }
        match call.standing(at) {
            Standing::Lawful => Ok(()),
            Standing::Unlawful(why) => Err(Failure::tampered(format!(
                "the use `{}` was allowed to start, and was not permitted: {why}",
                of.as_str()
            ))),
        }
    }

    /// Whether every second of an accepted recording was lawful, was granted if the platform asks before it
    /// records, and belongs to no other recording. Silence and codec padding were measured in the audio,
    /// which is not here: the entry is believed. Silence is known only of formats whose codec adds nothing.
    fn must_be_covered(&self, leaf: &Leaf) -> Result<(), Failure> {
        let Body::Accepted { came, spans, silenced, unplaced, codec_ms, shifted_ms, released, .. } =
            &leaf.body
        else {
            return Ok(());
        };
        decidable(*came)?;
        let file = policy::File::of(spans, silenced, *shifted_ms).ok_or_else(|| {
            Failure::tampered("the stretches of the recording are empty, overlap or are out of order")
        })?;
        if *unplaced && !silenced.is_empty() {
            return Err(Failure::tampered("a recording was silenced whose moments nobody knew"));
        }
        let claim = match unplaced {
            true => {
                let held = file.parts.iter().map(|(_, ms)| *ms).fold(*codec_ms, u64::saturating_add);
                Claim::Unplaced { duration_ms: held }
            }
            false => Claim::Placed(file.parts),
        };
        let uploader = released.as_ref().map_or(&leaf.actor.credential, |released| &released.uploader);
        let upload = Upload {
            codec_adds_ms: *codec_ms,
            clock_behind_ms: self.clocks.behind_ms(uploader),
            silenced: &file.silenced,
            silent: &|_, _| *codec_ms == 0 && released.is_none(),
            ..Upload::new(claim, came.coverage)
        };
        let said = Coverage {
            spans: spans.clone(),
            silenced: silenced.clone(),
            codec_ms: *codec_ms,
            shifted_ms: *shifted_ms,
        };
        match self.call.coverage(&upload, leaf.at) {
            Ok(coverage) if coverage == said => match released {
                Some(released) => self.must_be_releasable(released, &upload, &said),
                None => Ok(()),
            },
            Ok(_) => Err(Failure::tampered("the recording uses up more or less than it holds")),
            Err(uncovered) => Err(Failure::tampered(format!(
                "a recording was accepted that consent does not cover: {}",
                words(&uncovered)
            ))),
        }
    }

    /// Whether what waited in quarantine was covered by what had been logged when it ended, and nobody objected since it
    /// began.
    fn must_be_releasable(
        &self,
        released: &Released,
        upload: &Upload<'_>,
        said: &Coverage,
    ) -> Result<(), Failure> {
        let until = released.evidence_until;
        if crate::evidence_until(&said.spans, self.call.settings()) != Some(until)
            || !said.silenced.is_empty()
        {
            return Err(Failure::tampered(
                "a recording left the quarantine, and what counts for it is not what was logged when it ended",
            ));
        }
        let earlier = self.as_of(until).ok_or_else(|| {
            Failure::tampered("a recording left the quarantine for a call that was opened after it had ended")
        })?;
        if let Err(uncovered) = earlier.coverage(upload, until) {
            return Err(Failure::tampered(format!(
                "a recording left the quarantine that consent did not cover when it ended: {}",
                words(&uncovered)
            )));
        }
        let facts = self.past.iter().filter_map(|(_, past)| match past {
            Past::Fact(fact) => Some(fact.as_ref()),
            Past::Table(_) | Past::Readings(_) => None,
        });
        match crate::objects_since(facts, &said.spans, &upload.claim) {
            false => Ok(()),
            true => {
                Err(Failure::tampered("a recording left the quarantine after somebody had objected to it"))
            }
        }
    }

    /// Whether somebody was taken for the same person as everybody with their number, and their earlier
    /// objections were carried over.
    fn must_be_alike(
        &mut self,
        participant: u32,
        alike: &Alike,
        subject: Option<&(u32, String)>,
    ) -> Result<(), Failure> {
        let found = match subject {
            Some((p, pseudonym)) if *p == participant => {
                let found = crate::alike(&self.subjects, &self.objectors, participant, pseudonym);
                self.subjects.push((participant, pseudonym.clone()));
                found
            }
            Some(_) => return Err(Failure::tampered("it names the number of somebody else")),
            None => Alike::default(),
        };
        if found == *alike {
            return Ok(());
        }
        Err(Failure::tampered(format!(
            "participant {participant} has the number of others on the call, and their objections were not carried over"
        )))
    }

    fn is_permitted(&self, of: Use, purposes: Purposes, at: Timestamp) -> bool {
        let call = self.call.at(at);
        let call = if of.is_record() { call } else { call.serving(of, purposes) };
        call.standing(at) == Standing::Lawful
    }
}

/// Checks that this version knows the use that a recording was made for.
fn decidable(came: Came) -> Result<(), Failure> {
    match came.used_for {
        Use::Record => Ok(()),
        other @ (Use::Transcribe | Use::Stream | Use::Analyse) => Err(Failure::unusable(format!(
            "it was made for the use `{}`, on which this program cannot decide: use a newer one",
            other.as_str()
        ))),
    }
}

fn words(uncovered: &Uncovered) -> String {
    match uncovered {
        Uncovered::Spans(spans) => spans.first().map_or_else(String::new, |span| {
            format!("from {:.3} to {:.3}, {}", span.from, span.until, span.why)
        }),
        Uncovered::Unplaced { windows } => {
            format!("it is not placed in time, and there were {windows} windows")
        }
        Uncovered::TooLong { duration_ms, window_ms } => {
            format!("it lasts {duration_ms} ms, and {window_ms} ms were granted")
        }
        Uncovered::UsedUp { left_ms } => format!("other recordings hold all but {left_ms} ms of the window"),
        Uncovered::Emergency => "the call is an emergency call, of which nothing is recorded".into(),
        Uncovered::Withdrawn(p) => {
            format!("participant {p} withdrew, and the account deletes what was before")
        }
    }
}

/// How a decision differs from the computed one.
fn difference(saw: &Saw, computed: &Saw) -> String {
    let why = |saw: &Saw| saw.why.map_or_else(|| "nothing in the way".into(), |why| why.to_string());
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
        None if saw.uses != computed.uses => {
            "its decision is not what the facts and the table give: another use is described otherwise".into()
        }
        None => "its decision is not what the facts and the table give: it names other participants".into(),
    }
}

fn asks_to_record(what: &What) -> bool {
    matches!(what, What::Control(Control::Start | Control::Resume))
}
