//! The state of a call: a fold over its facts.
//!
//! Two questions are kept apart. What was *granted* follows the log: windows open and close as the
//! entries come in. What was *lawful* is judged with everything known by now: a participant found
//! out later to be in a stricter place was there from the moment they joined.
//!
//! Time, for both: claims that loosen count from when they were logged, claims that tighten from
//! the earlier of the claimed and the logged time.

mod law;
mod person;
mod stay;
mod uses;
mod windows;

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use jiff::{SignedDuration, Timestamp};

use crate::fact::{Alike, AnsweredBy, Control, Event, Joined, Kind, Opened, Settings, What};
use crate::place::Code;
use crate::refusal::Why;
use crate::rule::{OnHold, Requirement, Strictness};
use crate::table::Table;
use crate::told::{Purpose, Purposes, Told};

pub(crate) use law::{Demand, Law};
use person::Arrival;
pub use person::{Level, MAX_KNOWN_PLACES};
pub(crate) use person::{Objection, Person, PlaceAt};
use stay::Announced;
pub(crate) use stay::PromptOutcome;
pub use stay::{Uncounted, Uncounting};
use uses::Beside;
pub use windows::{Edge, Window, Windows};

/// A call, folded from its facts.
#[derive(Debug, Clone)]
pub struct Call {
    pub(crate) law: Law,
    pub(crate) kind: Kind,
    /// Since when it is an emergency call.
    emergency_from: Option<Timestamp>,
    pub(crate) settings: Settings,
    pub(crate) people: Vec<Person>,
    tones: Vec<Span>,
    pub(crate) windows: Windows,
    pub(crate) recorder: Recorder,
    /// The platform has reported, or asked for, its not recording.
    pub(crate) settled: bool,
    ended_at: Option<Timestamp>,
    /// What the accepted recordings hold, one stretch after another.
    pub(crate) accepted: Vec<(Timestamp, Timestamp)>,
    last: Timestamp,
    expires_at: Option<Timestamp>,
    /// Other uses of its audio than recording, as far as any was ever granted.
    beside: Vec<Beside>,
    /// If it is itself such a use: what a prompt has to tell to lift an objection, as the call has it.
    lifting: Option<Told>,
}

/// What we believe the platform is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorder {
    /// It has not begun.
    Idle,
    /// It records.
    Running,
    /// It was told to pause, by us or by itself.
    Suspended {
        /// We told it, since recording was no longer lawful.
        forced: bool,
    },
    /// It is done.
    Stopped,
}

/// A stretch of time; open while `until` is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Option<Timestamp>,
}

impl Span {
    /// Whether a moment lies in it.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// Whether recording is lawful at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Lawful,
    /// It is not.
    Unlawful(Why),
}

impl Call {
    /// The call as it was opened, at the moment `received_at`.
    #[must_use]
    pub fn open(table: &Arc<Table>, received_at: Timestamp, opened: Opened) -> Call {
        let mut call = Call {
            law: Law::new(table, received_at, &opened),
            kind: opened.kind,
            emergency_from: (opened.kind == Kind::Emergency).then_some(Timestamp::MIN),
            settings: opened.settings,
            people: Vec::new(),
            tones: Vec::new(),
            windows: Windows::default(),
            recorder: Recorder::Idle,
            settled: true,
            ended_at: None,
            accepted: Vec::new(),
            last: received_at,
            expires_at: None,
            beside: Vec::new(),
            lifting: None,
        };
        for joined in opened.participants {
            let from = joined.joined_at.unwrap_or(call.law.started_at).min(received_at);
            call.join(joined, from, received_at);
        }
        call
    }

    /// Another version of the table is in force from `now` on. It is added to those that decided so far:
    /// within one call the requirement only ratchets up.
    pub fn know(&mut self, table: &Arc<Table>, now: Timestamp) {
        self.beside.iter_mut().for_each(|one| one.call.know(table, now));
        if self.law.know(table) {
            let law = &self.law;
            self.people.iter_mut().for_each(|person| person.judge_again(law));
            let now = now.max(self.last);
            self.expire(now);
            self.suspend_if_unlawful(now);
            self.expires_at = self.next_expiry(now);
        }
    }

    /// One of the account's readings was ended at `at`, which is known from `now` on: what it had stood in for
    /// counts again from when it was over.
    pub fn reading_ends(&mut self, id: &str, at: Timestamp, now: Timestamp) {
        let now = now.max(self.last);
        self.beside.iter_mut().for_each(|one| one.call.reading_ends(id, at, now));
        if self.law.readings.end(id, at.min(now)) {
            self.expire(now);
            self.suspend_if_unlawful(now);
            self.expires_at = self.next_expiry(now);
        }
    }

    /// The call after one more fact.
    pub fn apply(&mut self, event: &Event) {
        let now = event.received_at.max(self.last);
        self.expire(now);
        self.last = now;
        self.apply_beside(event);
        let tight = event.at.map_or(now, |at| at.min(now));
        let loose = self.loosens_from(event.at, now);
        self.windows.apply(&event.what, now, tight);
        match &event.what {
            What::PromptStarted { participants, prompt } => {
                let at = event.at.unwrap_or(now).min(now);
                self.each(participants, |person| person.prompt_started(prompt, at));
            }
            What::PromptCompleted { participants, prompt, played_ms } => {
                let heard = person::Completion {
                    prompt,
                    played_ms: *played_ms,
                    claimed: event.at,
                    logged: now,
                    counts_from: loose,
                };
                let language = self.settings.default_language.clone();
                let lifting = self.lifting.unwrap_or_else(|| self.demand(now).told);
                self.each(participants, |person| person.prompt_completed(&heard, &language, lifting));
            }
            What::PromptInterrupted { participants } => {
                self.each(participants, Person::prompt_interrupted);
            }
            What::ConsentGiven { participants, method } => {
                self.each(participants, |person| person.consent_given(*method, event.at, loose));
            }
            What::ConsentDeclined { participants } => {
                self.each(&self.alike(participants), |person| person.object(Objection::Declined, tight));
            }
            What::ConsentWithdrawn { participants } => {
                self.each(&self.alike(participants), |person| person.object(Objection::Withdrawn, tight));
            }
            What::AnnouncementRecorded { participants } => {
                let over = self.ended_at.and(event.at).map(|_| (tight, now));
                self.each(participants, |person| person.announced(Announced::new(loose, over)));
            }
            What::ToneStarted => {
                if self.tones.last().is_none_or(|tone| tone.until.is_some()) {
                    self.tones.push(Span { from: loose, until: None });
                }
            }
            What::ToneStopped => {
                for tone in &mut self.tones {
                    let stop = tight.max(tone.from);
                    tone.until = Some(tone.until.map_or(stop, |until| until.min(stop)));
                }
            }
            What::Joined(joined) => {
                let from = joined.joined_at.map_or(now, |at| at.min(now));
                self.join(joined.clone(), from, now);
            }
            What::Located { participant, places, since, alike } => {
                let since = since.map(|since| since.min(now));
                let law = &self.law;
                let found = self.people.iter_mut().filter(|person| person.id == *participant);
                found.for_each(|person| person.located(law, places, since, now, loose));
                self.link(*participant, alike);
            }
            What::Answered { participant, by } => {
                self.each(&[*participant], |person| match by {
                    AnsweredBy::Machine => person.machine(),
                    AnsweredBy::Human => person.human(loose),
                });
            }
            What::Left { participants } => {
                self.each(participants, |person| person.left(tight, loose));
            }
            What::Held { participants, only_tightens } => {
                let excused_from = (!only_tightens).then_some(loose);
                self.each(participants, |person| person.held(tight, excused_from));
            }
            What::Retrieved { participants, only_tightens } => {
                let back_from = (!only_tightens).then_some(loose);
                self.each(participants, |person| person.retrieved(tight, back_from));
            }
            What::Minor { participants } => {
                self.each(&self.alike(participants), Person::found_minor);
            }
            What::Emergency => self.becomes_emergency(tight),
            What::Control(control) => self.control(*control),
            // Recording goes on as before.
            What::Use { .. } => {}
            What::RecordingStarted | What::RecordingResumed => {
                if self.open_window().is_none() {
                    self.recorder = Recorder::Running;
                    self.settled = false;
                }
            }
            What::RecordingPaused => {
                if matches!(self.recorder, Recorder::Running) {
                    self.recorder = Recorder::Suspended { forced: false };
                }
                self.settled = true;
            }
            What::RecordingStopped => {
                self.recorder = Recorder::Stopped;
                self.settled = true;
            }
            What::Accepted { spans } => self.accepted.extend(spans),
            What::Ended => {
                self.ended_at = Some(self.ended_at.map_or(tight, |ended| ended.min(tight)));
                self.recorder = Recorder::Stopped;
                self.settled = true;
            }
            What::Gap => {
                self.people.iter_mut().for_each(|person| person.doubted(tight));
            }
        }
        self.suspend_if_unlawful(now);
        self.expires_at = self.next_expiry(now);
    }

    /// The call as it stands at `now`, after what lapses by time alone has lapsed.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Call {
        let mut call = self.clone();
        call.expire(now.max(self.last));
        call.beside.iter_mut().for_each(|one| one.call = one.call.at(now));
        call.last = now.max(self.last);
        call
    }

    /// Whether time alone changes anything by `now`.
    pub(crate) fn lapses_by(&self, now: Timestamp) -> bool {
        let lapses = |call: &Call| call.expires_at.is_some_and(|expiry| expiry <= now);
        lapses(self) || self.beside.iter().any(|one| lapses(&one.call))
    }

    /// When the last fact was logged.
    #[must_use]
    pub fn last(&self) -> Timestamp {
        self.last
    }

    /// What sort of call it is, or has become.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// When the call ended, if it did.
    #[must_use]
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }

    /// Whether this is still accepted at `now`. After the end of a call, these are: whatever can only make
    /// things stricter, that somebody was on the call, and, for as long as on a running call, that an
    /// announcement is in the recording.
    #[must_use]
    pub fn hears(&self, what: &What, now: Timestamp) -> bool {
        let Some(ended) = self.ended_at else { return true };
        if let What::Joined(joined) = what {
            return joined.joined_at.is_some_and(|joined_at| joined_at < ended);
        }
        what.weight().tightens()
            || matches!(what, What::AnnouncementRecorded { .. }) && self.may_be_announced(now)
    }

    /// Whether this participant has ever been on the call.
    #[must_use]
    pub fn knows(&self, participant: u32) -> bool {
        self.person(participant).is_some()
    }

    /// Whether this participant is on the call now.
    #[must_use]
    pub fn is_present(&self, participant: u32) -> bool {
        self.person(participant).is_some_and(|person| person.is_here())
    }

    /// Whether any of their places is known.
    #[must_use]
    pub fn is_located(&self, participant: u32) -> bool {
        self.person(participant).is_some_and(Person::is_located)
    }

    /// Whether an announcement in the last window may still be reported at `now`, though the call is over.
    #[must_use]
    pub fn may_be_announced(&self, now: Timestamp) -> bool {
        self.windows().last().is_some_and(|window| now <= after(window.from, ANNOUNCEMENT_WITHIN))
    }

    /// The windows that were granted, in order.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        self.windows.granted()
    }

    /// What the platform is doing, as we believe.
    #[must_use]
    pub fn recorder(&self) -> Recorder {
        self.recorder
    }

    /// Whether a granted window is open.
    #[must_use]
    pub fn is_granted(&self) -> bool {
        self.open_window().is_some()
    }

    /// How much audio the accepted recordings hold, in milliseconds.
    #[must_use]
    pub fn accepted_ms(&self) -> u64 {
        self.accepted.iter().map(|(from, until)| length_ms(*from, *until)).fold(0, u64::saturating_add)
    }

    /// Whether any reading of the account's counts on it.
    #[must_use]
    pub fn has_readings(&self) -> bool {
        self.law.readings.iter().next().is_some()
    }

    /// The account's settings, as they were when the call was opened.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The places of everybody who was ever on it, as far as they are distinguished, of the recorder and of
    /// the operator.
    #[must_use]
    pub fn codes(&self) -> BTreeSet<Code> {
        let own = self.law.recorder_locations.iter().chain(&self.law.operator_locations);
        own.copied().chain(self.people.iter().flat_map(Person::codes)).collect()
    }

    /// What a place asks of this call, whoever is there.
    #[must_use]
    pub fn asks_of(&self, code: Code) -> Requirement {
        self.law.asks(code).and(self.law.asks_again(code, self.last))
    }

    /// What the law asked at `at`, of everybody who had joined by then, even if they have left; and how long the account
    /// keeps what is recorded.
    #[must_use]
    pub fn requirement(&self, at: Timestamp) -> Requirement {
        let people = self.people.iter().filter(|person| person.counts(at));
        let asked = people.fold(self.law.base(at), |all, person| all.and(person.asks(&self.law, at)));
        let chosen = self.settings.retention_on(self.law.purposes);
        let retention = asked.retention.and(chosen).or_at_most(self.settings.keep_by_default);
        Requirement { retention, ..asked }
    }

    pub(crate) fn demand(&self, at: Timestamp) -> Demand {
        self.law.demand(self.requirement(at))
    }

    /// Whether recording was lawful at `at`, as far as is known now.
    #[must_use]
    pub fn standing(&self, at: Timestamp) -> Standing {
        match self.ended_at {
            Some(ended) if ended <= at => Standing::Unlawful(Why::Ended),
            _ => self.standing_of_people(at),
        }
    }

    /// Ignores the end of the call, for the slack after it.
    pub(crate) fn standing_of_people(&self, at: Timestamp) -> Standing {
        match self.obstacle(at) {
            Some(why) => Standing::Unlawful(why),
            None => Standing::Lawful,
        }
    }

    /// Lawful and unlawful stretches from the call's start to `until`, in order.
    #[must_use]
    pub fn standings(&self, until: Timestamp) -> Vec<(Span, Standing)> {
        let start =
            self.people.iter().filter_map(Person::first_from).fold(self.law.started_at, Timestamp::min);
        let mut stretches: Vec<(Span, Standing)> = Vec::new();
        for (from, to) in self.stretches(start, until) {
            let standing = self.standing(from);
            match stretches.last_mut() {
                Some((span, last)) if *last == standing => span.until = Some(to),
                _ => stretches.push((Span { from, until: Some(to) }, standing)),
            }
        }
        stretches
    }

    /// The moments between `from` and `until` at which anything could change, as stretches.
    pub(crate) fn stretches(&self, from: Timestamp, until: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        self.stretches_cut(from, until, &[])
    }

    /// As [`Call::stretches`], cut at these moments as well.
    pub(crate) fn stretches_cut(
        &self,
        from: Timestamp,
        until: Timestamp,
        cuts: &[Timestamp],
    ) -> Vec<(Timestamp, Timestamp)> {
        let mut moments: Vec<Timestamp> = Vec::new();
        let mut note = |at: Timestamp| {
            if from < at && at < until {
                moments.push(at);
            }
        };
        cuts.iter().copied().for_each(&mut note);
        self.people.iter().for_each(|person| person.moments(&mut note));
        for tone in self.tones.iter().chain(self.windows.silences()) {
            note(tone.from);
            tone.until.into_iter().for_each(&mut note);
        }
        for window in self.windows() {
            note(window.from);
            if let Some((until, _)) = window.until {
                note(until);
                note(after(until, SLACK));
            }
        }
        self.law.readings.ends().for_each(&mut note);
        if let Some(ended) = self.ended_at {
            note(ended);
            note(after(ended, SLACK));
        }
        moments.sort_unstable();
        moments.dedup();
        let mut stretches = Vec::with_capacity(moments.len() + 1);
        let mut start = from;
        for moment in moments.into_iter().chain([until]) {
            if start < moment {
                stretches.push((start, moment));
            }
            start = moment;
        }
        stretches
    }

    /// Who on the call at `at` should have heard an announcement in `window` and did not, if the law asks for
    /// one.
    pub(crate) fn unannounced(&self, window: Window, at: Timestamp) -> Option<(u32, Timestamp)> {
        let demand = self.demand(at);
        let requirement = &demand.requirement;
        // No rule for a purpose eases an announcement, so a tone replaces it whatever the purpose.
        if !requirement.announcement_must_be_recorded || self.toned(&demand.for_all(), at) {
            return None;
        }
        self.people
            .iter()
            .filter_map(|person| {
                let stay = person.stay(at).filter(|_| !self.is_excused(person, &demand, at))?;
                let from = window.from.max(stay.from);
                // Whoever did not count when it was due has to hear it when they are back.
                let back = self.excuses(&demand).then(|| stay.back_from(from)).flatten();
                let from = back.unwrap_or(from);
                let due = after(from, ANNOUNCEMENT_WITHIN);
                let waived = requirement.waived_by_written && stay.consented_in_writing(at, &demand);
                // An announcement after the window says nothing about what the window holds.
                let last = due.min(window.last_covered());
                let mut announced = stay.announced.iter().map(|one| one.heard_in(window.from));
                let hears = |at| !stay.is_machine(at) && !stay.is_held(at);
                let heard = announced.any(|at| (from..=last).contains(&at) && hears(at));
                (person.is_person() && !waived && !heard).then_some((person.id, due))
            })
            .min_by_key(|(_, due)| *due)
    }

    pub(crate) fn person(&self, participant: u32) -> Option<&Person> {
        self.people.iter().find(|person| person.id == participant)
    }

    pub(crate) fn open_window(&self) -> Option<Window> {
        self.windows.open()
    }

    fn obstacle(&self, at: Timestamp) -> Option<Why> {
        if self.emergency_from.is_some_and(|from| from <= at) && !self.settings.public_safety {
            return Some(Why::Emergency);
        }
        let here = || {
            self.people
                .iter()
                .filter(|person| person.is_person())
                .filter_map(|person| Some((person, person.stay(at)?)))
        };
        if !here().any(|(person, stay)| person.is_human(at) && stay.is_human(at)) {
            return Some(Why::NobodyHuman);
        }
        // INVARIANT: a refusal is respected, whatever the table says.
        if let Some(why) = here().find_map(|(person, _)| person.objection(at)) {
            return Some(why);
        }
        if let Some(why) = here().find_map(|(person, _)| person.doubt(at)) {
            return Some(why);
        }
        let demand = self.demand(at);
        let requirement = &demand.requirement;
        // INVARIANT: a minor is recorded only by a guardian's grant, whatever the table says.
        if let Some(why) = here().find_map(|(person, _)| person.unguarded(at, &demand)) {
            return Some(why);
        }
        if requirement.forbidden {
            return Some(if self.kind == Kind::Emergency { Why::Emergency } else { Why::Forbidden });
        }
        if requirement.on_hold == OnHold::NotRecorded
            && let Some((person, _)) = here().find(|(_, stay)| stay.is_held(at))
        {
            return Some(Why::OnHold(person.id));
        }
        self.unmet(at, &demand)
    }

    /// What is missing for a demand: a purpose is forbidden, or somebody has not agreed as is asked.
    fn unmet(&self, at: Timestamp, demand: &Demand) -> Option<Why> {
        let people = self.people.iter().filter(|person| person.is_person() && person.stay(at).is_some());
        let mut forbidden =
            people.clone().filter(|person| !self.forbidden_purposes(person, demand).is_empty());
        if let Some(person) = forbidden.next() {
            return Some(Why::ForbiddenFor(person.id));
        }
        let mut missing = demand.strictnesses().map(|demand| self.unconsented(at, &demand));
        // The first is told, if none is met.
        let first = missing.next().flatten();
        if let Some(why) = first
            && missing.all(|missing| missing.is_some())
        {
            return Some(why);
        }
        let mut counted = people.filter(|person| demand.in_writing() && !self.is_excused(person, demand, at));
        let unwritten =
            counted.find(|person| !person.stay(at).is_some_and(|stay| stay.consented_in_writing(at, demand)));
        unwritten.map(|person| Why::Missing(person.id))
    }

    /// What the call is for and may not be while this person is on it.
    pub(crate) fn forbidden_purposes(&self, person: &Person, demand: &Demand) -> Purposes {
        person.forbidden(&demand.requirement.forbids).both(demand.named)
    }

    /// Whether the law bars what was recorded in these stretches from a purpose: it would not have been recorded if the
    /// call had been for that purpose alone, and consent had counted only if it was for it.
    #[must_use]
    pub fn bars(&self, purpose: Purpose, stretches: &[(Timestamp, Timestamp)]) -> bool {
        let mut parts = stretches.iter().flat_map(|(from, until)| self.stretches(*from, *until));
        parts.any(|(at, _)| {
            // What was not lawful then holds no audio of anybody: silence, or what a codec adds at the end.
            if self.standing_of_people(at) != Standing::Lawful {
                return false;
            }
            let demand = self.law.demand_for(self.requirement(at), purpose);
            self.unmet(at, &demand).is_some()
        })
    }

    /// What is demanded at `at`, as strictly as it is met; if it is not, as the call's purposes ask.
    pub(crate) fn met(&self, at: Timestamp) -> Demand {
        let demand = self.demand(at);
        let met = demand.strictnesses().find(|demand| self.unconsented(at, demand).is_none());
        met.unwrap_or(demand)
    }

    /// Whose consent is missing at this strictness.
    fn unconsented(&self, at: Timestamp, demand: &Demand) -> Option<Why> {
        let nobody = || (!self.somebody_consents(at, demand)).then_some(Why::NobodyConsents);
        let below = |level| {
            let people = self.people.iter().filter(|person| person.is_person());
            let mut here = people.filter_map(|person| Some((person, person.stay(at)?)));
            let missing = here.find(|(person, stay)| {
                !self.is_excused(person, demand, at) && stay.level(at, demand) < level
            });
            missing.map(|(person, _)| Why::Missing(person.id))
        };
        match demand.requirement.strictness {
            Strictness::One => nobody(),
            // A tone informs everybody, but is not a yes.
            Strictness::Notice if self.toned(demand, at) => below(Level::Notice).and_then(|_| nobody()),
            Strictness::Notice => below(Level::Notice),
            Strictness::Express => below(Level::Express),
        }
    }

    /// Whether whoever is on hold need not have agreed.
    fn excuses(&self, demand: &Demand) -> bool {
        demand.requirement.on_hold.excuses(self.settings.on_hold)
    }

    /// Whether somebody is on hold at `at`, and need not have agreed then.
    pub(crate) fn is_excused(&self, person: &Person, demand: &Demand, at: Timestamp) -> bool {
        self.excuses(demand) && person.stay(at).is_some_and(|stay| stay.may_be_excused(at))
    }

    /// Whether nothing of this call is kept, since it is an emergency call.
    pub(crate) fn is_unrecorded_emergency(&self) -> bool {
        self.kind == Kind::Emergency && !self.settings.public_safety
    }

    /// From `from` on this is an emergency call, and every use ends. At a public-safety answering point the
    /// rules for emergency calls are added to those before: within one call nothing is relaxed.
    fn becomes_emergency(&mut self, from: Timestamp) {
        self.kind = Kind::Emergency;
        self.emergency_from = Some(self.emergency_from.map_or(from, |earlier| earlier.min(from)));
        if self.settings.public_safety {
            self.law.becomes_emergency();
            let law = &self.law;
            self.people.iter_mut().for_each(|person| person.judge_again(law));
        }
        match self.recorder {
            Recorder::Running | Recorder::Suspended { .. } => {
                self.recorder = Recorder::Suspended { forced: true };
                self.settled = false;
            }
            Recorder::Idle | Recorder::Stopped => {}
        }
    }

    /// Whether a human on the call has consented, in any form.
    pub(crate) fn somebody_consents(&self, at: Timestamp, demand: &Demand) -> bool {
        self.people
            .iter()
            .filter(|person| person.is_human(at))
            .any(|person| person.stay(at).is_some_and(|stay| stay.consents(at, demand) >= Level::Asserted))
    }

    /// Whether a tone replaces prompt and announcement. It says that the call is recorded, and nothing else that a
    /// prompt has to say.
    fn toned(&self, demand: &Demand, at: Timestamp) -> bool {
        demand.accepts_tone() && self.tones.iter().any(|tone| tone.holds(at))
    }

    fn control(&mut self, control: Control) {
        self.recorder = match control {
            Control::Start | Control::Resume => Recorder::Running,
            Control::Pause(_) => {
                let forced = matches!(self.recorder, Recorder::Suspended { forced: true });
                Recorder::Suspended { forced }
            }
            Control::Stop => Recorder::Stopped,
        };
        self.settled = match control {
            Control::Start | Control::Resume => false,
            Control::Pause(_) | Control::Stop => true,
        };
    }

    // INVARIANT: resumption is never automatic. A window that closes here stays closed; only a
    // further request, with its own decision, opens another.
    fn suspend_if_unlawful(&mut self, now: Timestamp) {
        if !matches!(self.recorder, Recorder::Running) {
            return;
        }
        if self.is_overdue(now) || self.standing(now) != Standing::Lawful {
            self.suspend(now);
        }
    }

    fn suspend(&mut self, at: Timestamp) {
        self.windows.close(at, Edge::Suspension);
        self.recorder = Recorder::Suspended { forced: true };
        self.settled = false;
    }

    /// Whether the open window should have held an announcement by `at`.
    fn is_overdue(&self, at: Timestamp) -> bool {
        let unannounced = self.open_window().and_then(|window| self.unannounced(window, at));
        unannounced.is_some_and(|(_, due)| due < at)
    }

    /// Applies what lapses by time alone, between two facts: a grant, a reading, or the time for an announcement.
    fn expire(&mut self, now: Timestamp) {
        if let Some(expiry) = self.expires_at.filter(|expiry| *expiry <= now) {
            if matches!(self.recorder, Recorder::Running) {
                self.suspend(expiry);
            }
            self.expires_at = None;
        }
    }

    fn next_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        if !matches!(self.recorder, Recorder::Running) {
            return None;
        }
        let unannounced = self
            .open_window()
            .and_then(|window| self.unannounced(window, now))
            .map(|(_, due)| after(due, SignedDuration::from_millis(1)));
        let grants = self.people.iter().filter_map(|person| person.stay(now));
        let grants = grants.flat_map(|stay| stay.grants_end_after(now));
        let readings = self.law.readings.ends().filter(|end| now < *end);
        let lapsed = grants
            .chain(readings)
            .filter(|end| self.standing(*end) != Standing::Lawful || self.is_overdue(*end))
            .min();
        unannounced.into_iter().chain(lapsed).min()
    }

    fn loosens_from(&self, at: Option<Timestamp>, now: Timestamp) -> Timestamp {
        let late = SignedDuration::from_secs(i64::from(self.settings.late_evidence_seconds.min(60)));
        match at {
            Some(at) => at.max(before(now, late)).min(now),
            None => now,
        }
    }

    fn join(&mut self, joined: Joined, from: Timestamp, now: Timestamp) {
        let arrival = Arrival { from, loose: self.loosens_from(Some(from), now), now };
        let (participant, alike) = (joined.participant, joined.alike.clone());
        match self.people.iter_mut().find(|person| person.id == participant) {
            Some(person) => person.join_again(&self.law, joined, arrival),
            None => self.people.push(Person::new(&self.law, joined, arrival)),
        }
        self.link(participant, &alike);
    }

    /// Participants with one number are one person, as far as objections go: an open one bars all of them,
    /// and each has to lift it separately.
    fn link(&mut self, participant: u32, alike: &Alike) {
        let minors = self.alike(&alike.participants);
        let is_minor =
            |person: &Person| person.is_minor() && (person.id == participant || minors.contains(&person.id));
        if self.people.iter().any(is_minor) {
            self.each(&[self.alike(&[participant]), minors].concat(), Person::found_minor);
        }
        if let Some(since) = alike.objects_since {
            self.each(&[participant], |person| person.brings_objection(since));
        }
        for other in &alike.participants {
            let one = self.person(participant).map(|person| person.same_as);
            let two = self.person(*other).map(|person| person.same_as);
            let (Some(one), Some(two)) = (one, two) else { continue };
            if one == two {
                continue;
            }
            for (these, those) in [(one, two), (two, one)] {
                let open: Vec<_> = self.same_person(those).filter_map(Person::open_objection).collect();
                let all = self.people.iter_mut().filter(|person| person.same_as == these);
                for person in all.filter(|person| person.open_objection().is_none()) {
                    open.iter().for_each(|objection| person.shares(*objection));
                }
            }
            let united = self.people.iter_mut().filter(|person| [one, two].contains(&person.same_as));
            united.for_each(|person| person.same_as = one.min(two));
        }
    }

    fn same_person(&self, same_as: u32) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(move |person| person.same_as == same_as)
    }

    /// These participants, and everybody with the number of one of them.
    fn alike(&self, participants: &[u32]) -> Vec<u32> {
        let named = self.people.iter().filter(|person| participants.contains(&person.id));
        let all = named.flat_map(|person| self.same_person(person.same_as)).map(|person| person.id);
        all.collect()
    }

    /// Who objects now, and since when, whether or not they are still on the call.
    pub fn objectors(&self) -> impl Iterator<Item = (u32, Timestamp)> {
        self.people.iter().filter_map(|person| Some((person.id, person.open_objection()?.from)))
    }

    fn each(&mut self, participants: &[u32], mut change: impl FnMut(&mut Person)) {
        self.people.iter_mut().filter(|person| participants.contains(&person.id)).for_each(&mut change);
    }
}

pub(crate) fn after(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// How long a stretch of time lasts, in milliseconds; 0 if it ends before it begins.
#[must_use]
pub fn length_ms(from: Timestamp, until: Timestamp) -> u64 {
    u64::try_from(until.duration_since(from).as_millis()).unwrap_or(0)
}

pub(crate) fn before(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_sub(span).unwrap_or(Timestamp::MIN)
}

/// How far audio may run over a window that `stop` or the end of the call has closed.
pub const SLACK: SignedDuration = SignedDuration::from_secs(2);

/// How soon after a window's start its announcement is to be reported.
pub const ANNOUNCEMENT_WITHIN: SignedDuration = SignedDuration::from_secs(15);
