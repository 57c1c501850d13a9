//! One uninterrupted presence of a participant: what they heard and what they said.

use alloc::string::String;
use alloc::vec::Vec;

use jiff::Timestamp;

use super::law::Demand;
use super::person::Level;
use super::{ANNOUNCEMENT_WITHIN, after};
use crate::call::Span;
use crate::fact::{Grant, Heard, RefusedGrant};
use crate::told::Told;

#[derive(Debug, Clone)]
pub(crate) struct Stay {
    /// From when their consent is needed: arrivals count from the earlier time.
    pub(crate) from: Timestamp,
    /// From when they could hear a prompt, by what was said when they joined.
    pub(super) heard_from: Timestamp,
    /// From when they count for others, as a human and as somebody who consents: from when it was logged.
    serves_from: Timestamp,
    /// Until when their consent is needed: departures count from when they were logged.
    pub(super) needed_until: Option<Timestamp>,
    /// Until when they count for others: departures count from the earlier time.
    pub(super) serves_until: Option<Timestamp>,
    machine: Option<Span>,
    holds: Vec<Hold>,
    /// The latest moment from which they count as back from a hold.
    back_from: Option<Timestamp>,
    /// They are a minor: what they say themselves counts for nothing.
    minor: bool,
    levels: Vec<Said>,
    grants: Vec<(Timestamp, Grant)>,
    pub(crate) refused_grant: Option<RefusedGrant>,
    /// When they agreed in writing, to what, and when the prompt had ended that they answered.
    written: Vec<Written>,
    pub(crate) announced: Vec<Announced>,
    pub(crate) outcome: PromptOutcome,
    prompted: Option<Prompted>,
    /// The last prompt, if it does not name every purpose of the call: it counts for a use that it names.
    narrower: Option<Prompted>,
}

/// An announcement that they heard.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announced {
    /// From when it counts.
    counts: Timestamp,
    /// Reported once the call was over: when it was played, and when that was logged.
    over: Option<(Timestamp, Timestamp)>,
}

impl Announced {
    pub(super) fn new(counts: Timestamp, over: Option<(Timestamp, Timestamp)>) -> Self {
        Announced { counts, over }
    }

    /// When it was heard, in a window that began at `from`. If the call ended before the time to report was
    /// over, it counts from when it was played.
    pub(super) fn heard_in(&self, from: Timestamp) -> Timestamp {
        match self.over {
            Some((played, logged)) if logged <= after(from, ANNOUNCEMENT_WITHIN) => played,
            Some(_) | None => self.counts,
        }
    }
}

/// A stretch in which they were on hold.
#[derive(Debug, Clone, Copy)]
struct Hold {
    /// As far as that makes things stricter: from the earlier time, until their return was logged.
    strict: Span,
    /// As far as that excuses them: from when it was logged, until the earlier time of their return. `None`
    /// if it excuses nobody.
    excused: Option<Span>,
}

/// What they agreed to in writing.
#[derive(Debug, Clone, Copy)]
struct Written {
    span: Span,
    told: Told,
    /// Whether the prompt that they answered names every purpose of the call.
    covers_call: bool,
    prompt_ended: Timestamp,
}

/// The outcome of the last prompt. Outcomes stay distinct, so that an auditor can distinguish silence, a
/// hang-up and a prompt that was cut short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PromptOutcome {
    None,
    Playing,
    Interrupted,
    Completed,
    /// It was reported as played, but it does not count.
    Uncounted(Uncounted),
}

/// A prompt that was reported as played to somebody, and does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncounted {
    /// The gateway's id of this version of it.
    pub version: String,
    /// How long it lasts, in milliseconds.
    pub lasts_ms: u64,
    /// Why it does not count.
    pub why: Uncounting,
}

/// Why a prompt does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uncounting {
    /// It was played to a machine.
    Machine,
    /// They were on hold for some of it.
    Held,
    /// Less of it was played.
    Short {
        /// How much, in milliseconds.
        played_ms: u64,
    },
    /// Its beginning and its end were reported, and less than it lasts lies between them.
    Quick {
        /// How much, in milliseconds.
        between_ms: i64,
    },
    /// They were not there for all of it.
    Early {
        /// How many milliseconds after they joined it ended; negative where it ended before.
        ended_ms: i64,
    },
    /// It is in a language that they do not have.
    Language {
        /// In which.
        spoken: String,
        /// Theirs; the account's default where none is known.
        theirs: Vec<String>,
    },
    /// It does not name every purpose of the call.
    Purposes,
    /// It had begun before they objected.
    Objected,
    /// It does not say this, which it has to.
    Lacks(Told),
}

impl Uncounted {
    /// Whether the prompt was not played to its end.
    pub(crate) fn is_cut_short(&self) -> bool {
        matches!(self.why, Uncounting::Short { .. } | Uncounting::Quick { .. } | Uncounting::Held)
    }
}

/// What somebody has agreed to, and what they were told.
#[derive(Debug, Clone, Copy)]
struct Said {
    from: Timestamp,
    /// When they objected, if they did. Recording then follows the objection itself, and what lifts it; a use may be for
    /// more than what they were asked anew.
    until: Option<Timestamp>,
    level: Level,
    told: Told,
    /// Whether what they were told names every purpose of the call.
    covers_call: bool,
    /// When the prompt ended that this rests on, if it rests on one.
    prompt_ended: Option<Timestamp>,
}

impl Said {
    /// How much it counts for a demand: an assertion always does, notice and a yes only if they were told
    /// everything, and all of them only if the demand admits the purposes that they were given for.
    fn worth(&self, demand: &Demand) -> Level {
        if !demand.admits(self.level, self.told.purposes) {
            return Level::None;
        }
        let is_told = || {
            demand.is_named_by(self.told.purposes, self.covers_call) && self.told.is_enough_for(demand.told)
        };
        match self.level {
            Level::None | Level::Asserted => self.level,
            Level::Notice | Level::Express if is_told() => self.level,
            Level::Notice | Level::Express => Level::None,
        }
    }
}

/// The last prompt that counts.
#[derive(Debug, Clone)]
struct Prompted {
    /// Which one.
    version: String,
    /// How long it lasts, in milliseconds.
    lasts_ms: u64,
    /// What it says.
    told: Told,
    /// When it began, as far as known.
    began: Timestamp,
    /// When it ended, as far as known.
    ended: Timestamp,
    /// When it ended, as the platform claims.
    claimed: Option<Timestamp>,
    /// From when it counts.
    counts_from: Timestamp,
}

impl Stay {
    pub(super) fn new(from: Timestamp, serves_from: Timestamp, minor: bool) -> Stay {
        Stay {
            from,
            heard_from: from,
            serves_from: serves_from.max(from),
            needed_until: None,
            serves_until: None,
            machine: None,
            holds: Vec::new(),
            back_from: None,
            minor,
            levels: Vec::new(),
            grants: Vec::new(),
            refused_grant: None,
            written: Vec::new(),
            announced: Vec::new(),
            outcome: PromptOutcome::None,
            prompted: None,
            narrower: None,
        }
    }

    /// They rely on this grant from now on, and no longer on an earlier one.
    pub(super) fn granted(&mut self, logged: Timestamp, grant: Option<Grant>) {
        let Some(grant) = grant else { return };
        for (_, earlier) in &mut self.grants {
            earlier.until = Some(earlier.until.map_or(logged, |until| until.min(logged)));
        }
        self.grants.push((logged, grant));
    }

    pub(super) fn prompted(
        &mut self,
        prompt: &Heard,
        (began, ended): (Timestamp, Timestamp),
        claimed: Option<Timestamp>,
        counts_from: Timestamp,
    ) {
        let (told, covers_call) = (prompt.told(), prompt.covers_purposes);
        let (version, lasts_ms) = (prompt.version.clone(), prompt.lasts_ms());
        let prompted = Some(Prompted { version, lasts_ms, told, began, ended, claimed, counts_from });
        if covers_call {
            self.outcome = PromptOutcome::Completed;
            (self.prompted, self.narrower) = (prompted, None);
        } else {
            self.narrower = prompted;
        }
        let prompt_ended = Some(ended);
        let (from, until, level) = (counts_from, None, Level::Notice);
        self.levels.push(Said { from, until, level, told, covers_call, prompt_ended });
    }

    /// The version of the last prompt that counts.
    pub(crate) fn prompt(&self) -> Option<&str> {
        self.prompted.as_ref().map(|prompted| prompted.version.as_str())
    }

    /// The last prompt that was played to them, if it does not count where so much has to be told.
    pub(crate) fn uncounted(&self, needed: Told) -> Option<Uncounted> {
        if let PromptOutcome::Uncounted(uncounted) = &self.outcome {
            return Some(uncounted.clone());
        }
        let Prompted { version, lasts_ms, told, .. } = self.prompted.as_ref()?;
        let why = Uncounting::Lacks(needed.without(*told));
        let uncounted = || Uncounted { version: version.clone(), lasts_ms: *lasts_ms, why };
        (!told.is_enough_for(needed)).then(uncounted)
    }

    /// What the last prompt that counts said.
    pub(crate) fn told(&self) -> Option<Told> {
        self.prompted.as_ref().map(|prompted| prompted.told)
    }

    /// Somebody agreed; returns how much that is, and from when it counts.
    pub(super) fn agreed(
        &mut self,
        express: bool,
        written: bool,
        claimed: Option<Timestamp>,
        counts_from: Timestamp,
    ) -> (Level, Timestamp) {
        let asserted = Said {
            from: counts_from,
            until: None,
            level: Level::Asserted,
            told: Told::default(),
            covers_call: true,
            prompt_ended: None,
        };
        self.levels.push(asserted);
        let Some((answered, covers_call)) =
            self.last_prompt().filter(|(prompted, _)| follows(prompted, claimed))
        else {
            return (Level::Asserted, counts_from);
        };
        let (told, prompt_ended) = (answered.told, answered.ended);
        // A late yes does not count from before the prompt that it answers.
        let answers_from = counts_from.max(answered.counts_from);
        let level = if express { Level::Express } else { Level::Notice };
        self.levels.push(Said {
            from: answers_from,
            until: None,
            level,
            told,
            covers_call,
            prompt_ended: Some(prompt_ended),
        });
        if written {
            let span = Span { from: answers_from, until: None };
            self.written.push(Written { span, told, covers_call, prompt_ended });
        }
        // A yes to less than the call is for lifts no objection to it.
        if covers_call { (level, answers_from) } else { (Level::Asserted, counts_from) }
    }

    /// The prompt that a yes would answer, and whether it names every purpose of the call.
    fn last_prompt(&self) -> Option<(&Prompted, bool)> {
        match &self.outcome {
            PromptOutcome::Completed => Some((self.prompted.as_ref()?, true)),
            PromptOutcome::Uncounted(Uncounted { why: Uncounting::Purposes, .. }) => {
                Some((self.narrower.as_ref()?, false))
            }
            PromptOutcome::Uncounted(_)
            | PromptOutcome::None
            | PromptOutcome::Playing
            | PromptOutcome::Interrupted => None,
        }
    }

    /// Whether the prompt that a yes would answer says all that is asked.
    pub(crate) fn is_told(&self, demand: &Demand) -> bool {
        self.last_prompt().is_some_and(|(prompted, covers_call)| {
            demand.is_named_by(prompted.told.purposes, covers_call)
                && prompted.told.is_enough_for(demand.told)
        })
    }

    /// They objected: what they agreed to before no longer counts from then on.
    pub(super) fn objected(&mut self, from: Timestamp) {
        (self.prompted, self.narrower) = (None, None);
        if self.outcome == PromptOutcome::Completed {
            self.outcome = PromptOutcome::None;
        }
        for said in self.levels.iter_mut().filter(|said| said.until.is_none()) {
            said.until = Some(from.max(said.from));
        }
        for Written { span, .. } in self.written.iter_mut().filter(|written| written.span.until.is_none()) {
            span.until = Some(from.max(span.from));
        }
    }

    /// They are on hold from `from` on. A prompt that ran into that is interrupted, and what they answered to
    /// it counts for nothing.
    pub(super) fn held(&mut self, from: Timestamp, excused_from: Option<Timestamp>) {
        // Nobody is held again before they were back.
        let excused_from = excused_from.map(|from| self.back_from.map_or(from, |back| from.max(back)));
        match self.holds.last_mut().filter(|hold| hold.strict.until.is_none()) {
            Some(hold) => {
                hold.strict.from = hold.strict.from.min(from);
                hold.excused = hold.excused.or(excused_from.map(|from| Span { from, until: None }));
            }
            None => {
                let excused = excused_from.map(|from| Span { from, until: None });
                self.holds.push(Hold { strict: Span { from, until: None }, excused });
            }
        }
        let before = |ended: &Timestamp| *ended <= from;
        self.levels.retain(|said| said.prompt_ended.as_ref().is_none_or(before));
        self.written.retain(|written| before(&written.prompt_ended));
        let narrower = self.narrower.take_if(|prompted| !before(&prompted.ended)).is_some();
        let cut = self.prompted.take_if(|prompted| !before(&prompted.ended)).is_some() || narrower;
        if cut || self.outcome == PromptOutcome::Playing {
            self.outcome = PromptOutcome::Interrupted;
        }
    }

    /// They are off hold: excused until `from` at most, and back from `back_from` on.
    pub(super) fn retrieved(&mut self, from: Timestamp, back_from: Option<Timestamp>) {
        for excused in self.holds.iter_mut().filter_map(|hold| hold.excused.as_mut()) {
            let until = from.max(excused.from);
            excused.until = Some(excused.until.map_or(until, |earlier| earlier.min(until)));
        }
        let open = self.holds.last_mut().filter(|hold| hold.strict.until.is_none());
        if let (Some(hold), Some(back)) = (open, back_from) {
            let back = back.max(hold.strict.from);
            hold.strict.until = Some(back);
            self.back_from = Some(self.back_from.map_or(back, |earlier| earlier.max(back)));
        }
    }

    pub(super) fn found_minor(&mut self) {
        self.minor = true;
    }

    /// A machine took the call: from the moment they joined, whatever was played since.
    pub(super) fn machine(&mut self) {
        self.machine = Some(Span { from: Timestamp::MIN, until: None });
        self.levels.clear();
        self.written.clear();
        self.announced.clear();
        (self.prompted, self.narrower) = (None, None);
        self.outcome = PromptOutcome::None;
    }

    pub(super) fn human(&mut self, from: Timestamp) {
        if let Some(machine) = &mut self.machine {
            machine.until.get_or_insert(from);
        }
    }

    pub(super) fn left(&mut self, tight: Timestamp, loose: Timestamp) {
        let serves = tight.max(self.from);
        self.serves_until = Some(self.serves_until.map_or(serves, |until| until.min(serves)));
        self.needed_until.get_or_insert(loose.max(self.from));
    }

    pub(super) fn is_here(&self) -> bool {
        self.needed_until.is_none()
    }

    pub(super) fn holds(&self, at: Timestamp) -> bool {
        Span { from: self.from, until: self.needed_until }.holds(at)
    }

    pub(crate) fn is_machine(&self, at: Timestamp) -> bool {
        self.machine.is_some_and(|machine| machine.holds(at))
    }

    /// Whether they are on hold at `at`, as far as that makes things stricter.
    pub(crate) fn is_held(&self, at: Timestamp) -> bool {
        self.holds.iter().any(|hold| hold.strict.holds(at))
    }

    /// Whether they were on hold at any moment from `from` to `until`, which is excluded.
    pub(super) fn is_held_between(&self, from: Timestamp, until: Timestamp) -> bool {
        let overlaps = |held: Span| held.from < until && held.until.is_none_or(|end| from < end);
        self.holds.iter().any(|hold| overlaps(hold.strict))
    }

    /// Whether they are on hold at `at`, as far as that may excuse them.
    pub(crate) fn may_be_excused(&self, at: Timestamp) -> bool {
        self.excused_at(at).is_some()
    }

    /// When they came back, if they may have been excused at `at`.
    pub(super) fn back_from(&self, at: Timestamp) -> Option<Timestamp> {
        self.excused_at(at)?.until
    }

    fn excused_at(&self, at: Timestamp) -> Option<Span> {
        self.holds.iter().filter_map(|hold| hold.excused).find(|excused| excused.holds(at))
    }

    /// Why they did not hear all of what began and ended then, if they did not.
    pub(super) fn missed(&self, begin: Timestamp, end: Timestamp) -> Option<Uncounting> {
        if self.is_machine(begin) {
            return Some(Uncounting::Machine);
        }
        let ended_ms = end.as_millisecond().saturating_sub(self.heard_from.as_millisecond());
        (begin < self.heard_from).then_some(Uncounting::Early { ended_ms })
    }

    /// Whether a human was really there, as far as others may rely on it.
    pub(super) fn is_human(&self, at: Timestamp) -> bool {
        self.serves(at) && !self.is_machine(at)
    }

    /// Whether a grant covers them at `at`.
    pub(super) fn is_granted(&self, at: Timestamp, demand: &Demand) -> bool {
        self.grants_at(at, demand).next().is_some()
    }

    /// How much this person has agreed to at `at`, as far as the demand accepts it.
    pub(crate) fn level(&self, at: Timestamp, demand: &Demand) -> Level {
        if self.is_machine(at) {
            return Level::None;
        }
        let holds = |said: &&Said| {
            let objected = said.until.is_some_and(|until| until <= at);
            said.from <= at && !(objected && demand.is_of_use())
        };
        let said = self.levels.iter().filter(|said| !self.minor && holds(said));
        let said = said.map(|said| said.worth(demand)).max();
        let granted = self.grants_at(at, demand).map(|grant| {
            let level = match grant.works_agreement && !demand.requirement.works_agreement_is_express {
                true => Level::Notice,
                false => Level::Express,
            };
            let counts = demand.admits(level, grant.purposes.unwrap_or_default());
            if counts { level } else { Level::None }
        });
        said.max(granted.max()).unwrap_or(Level::None)
    }

    /// As [`Stay::level`], if it is to count for others as well.
    pub(super) fn consents(&self, at: Timestamp, demand: &Demand) -> Level {
        if self.serves(at) { self.level(at, demand) } else { Level::None }
    }

    /// Whether they have agreed in writing to the demand.
    pub(crate) fn consented_in_writing(&self, at: Timestamp, demand: &Demand) -> bool {
        let in_call = |one: &Written| {
            let counts = demand.is_named_by(one.told.purposes, one.covers_call)
                && one.told.is_enough_for(demand.told)
                && demand.is_for(one.told.purposes);
            !self.minor && one.span.holds(at) && counts
        };
        self.written.iter().any(in_call) || self.grants_at(at, demand).any(|grant| grant.written)
    }

    /// When the grants end that end after `now`.
    pub(super) fn grants_end_after(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        self.grants.iter().filter_map(|(_, grant)| grant.until).filter(move |until| now < *until)
    }

    pub(super) fn moments(&self, note: &mut impl FnMut(Timestamp)) {
        note(self.from);
        note(self.serves_from);
        self.needed_until.into_iter().for_each(&mut *note);
        self.serves_until.into_iter().for_each(&mut *note);
        for said in &self.levels {
            note(said.from);
            said.until.into_iter().for_each(&mut *note);
        }
        let holds = self.holds.iter().flat_map(|hold| [Some(hold.strict), hold.excused]).flatten();
        let written = self.written.iter().map(|written| written.span);
        for span in self.machine.into_iter().chain(written).chain(holds) {
            note(span.from);
            span.until.into_iter().for_each(&mut *note);
        }
        for (from, grant) in &self.grants {
            note(*from);
            note(grant.from);
            grant.until.into_iter().for_each(&mut *note);
        }
    }

    fn serves(&self, at: Timestamp) -> bool {
        Span { from: self.serves_from, until: self.serves_until }.holds(at) && !self.is_held(at)
    }

    /// The grants that hold at `at`, for every purpose that is demanded; for a minor, a guardian's alone.
    fn grants_at(&self, at: Timestamp, demand: &Demand) -> impl Iterator<Item = &Grant> {
        let needed = demand.told.purposes.and(demand.purposes);
        let holds = move |logged: Timestamp, grant: &Grant| {
            logged <= at
                && (!self.minor || grant.by_guardian)
                && grant.from <= at
                && grant.until.is_none_or(|until| at < until)
                && grant.purposes.is_none_or(|purposes| purposes.holds_all(needed))
                // One that does not cover the call is not relied on at all.
                && demand.is_named_by(grant.purposes.unwrap_or_default(), true)
        };
        self.grants.iter().filter(move |(logged, grant)| holds(*logged, grant)).map(|(_, grant)| grant)
    }
}

/// Whether a yes comes after the prompt that it would answer.
fn follows(prompted: &Prompted, claimed: Option<Timestamp>) -> bool {
    match (prompted.claimed, claimed) {
        (Some(ended), Some(said)) => ended <= said,
        // Only the yes has a claimed time: it cannot answer a prompt that had not even begun.
        (None, Some(said)) => prompted.began <= said,
        // The log's order is the order of events.
        (_, None) => true,
    }
}
