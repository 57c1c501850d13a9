//! One participant: where they are, when they were there, what they heard and what they said.

use alloc::string::String;
use alloc::vec::Vec;

use jiff::{SignedDuration, Timestamp};

use super::{Call, Why, after, before};
use crate::call::Span;
use crate::fact::{Grant, Heard, Joined, MIN_PROMPT_MS, Method, RefusedGrant, Role};
use crate::place::{Code, Evidence, Place};
use crate::rule::Requirement;

/// How much somebody has agreed to, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    None,
    /// They agreed without a prompt: enough where one party's consent is.
    Asserted,
    /// They heard the prompt to its end and stayed.
    Notice,
    /// They said yes.
    Express,
}

#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: u32,
    pub(crate) role: Role,
    /// From when this counts as a person. A person never becomes a system again.
    person_from: Option<Timestamp>,
    pub(crate) places: Vec<Known>,
    pub(crate) languages: Vec<String>,
    stays: Vec<Stay>,
    objections: Vec<Refusal>,
}

/// A place, and from when it counts in which direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) place: Place,
    /// From when it is asked of.
    tight: Timestamp,
    /// From when it may stand in for "unknown", or lift a floor.
    loose: Timestamp,
}

/// One uninterrupted presence.
#[derive(Debug, Clone)]
pub(crate) struct Stay {
    pub(crate) from: Timestamp,
    /// Until when their consent is needed: departures count from when they were logged.
    needed_until: Option<Timestamp>,
    /// Until when their consent serves others: departures count from the earlier time.
    serves_until: Option<Timestamp>,
    machine: Vec<Span>,
    levels: Vec<(Timestamp, Level)>,
    grants: Vec<(Timestamp, Grant)>,
    pub(crate) refused_grant: Option<RefusedGrant>,
    written: Option<Timestamp>,
    pub(crate) announced: Vec<Timestamp>,
    playing: Option<(String, Timestamp)>,
    pub(crate) outcome: PromptOutcome,
    /// The last prompt that counts, with the end that the platform claims for it.
    prompted_at: Option<Option<Timestamp>>,
}

/// What became of the last prompt. Outcomes stay distinct, so that an auditor can tell silence
/// from a hang-up from a prompt that was cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PromptOutcome {
    None,
    Playing,
    Interrupted,
    Completed,
    /// It was played, but it does not count, for this reason.
    Uncounted(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Objection {
    Declined,
    Withdrawn,
}

#[derive(Debug, Clone, Copy)]
struct Refusal {
    kind: Objection,
    from: Timestamp,
    until: Option<Timestamp>,
    /// A new prompt has been heard since.
    prompted_since: bool,
}

pub(super) struct Completion<'e> {
    pub(super) prompt: &'e Heard,
    pub(super) played_ms: u64,
    pub(super) claimed: Option<Timestamp>,
    pub(super) logged: Timestamp,
    pub(super) counts_from: Timestamp,
}

impl Person {
    pub(super) fn new(joined: Joined, from: Timestamp, now: Timestamp) -> Person {
        let mut person = Person {
            id: joined.participant,
            role: joined.role,
            person_from: joined.is_person().then_some(from),
            places: Vec::new(),
            languages: joined.languages,
            stays: alloc::vec![Stay::new(from, joined.grant, joined.refused_grant, now)],
            objections: Vec::new(),
        };
        // Their places are asked of from when they joined, and relied on from when we heard of them.
        for place in joined.places {
            person.places.push(Known { place, tight: from, loose: now });
        }
        person
    }

    /// The same participant named again: they came back, or more is known of them.
    pub(super) fn join_again(&mut self, joined: Joined, from: Timestamp, now: Timestamp) {
        if joined.is_person() && self.person_from.is_none() {
            self.person_from = self.first_from();
        }
        if self.role == Role::System {
            self.role = joined.role;
        }
        self.locate(&joined.places, self.first_from().unwrap_or(from), now);
        if !self.is_here() {
            let from =
                self.stays.last().and_then(|stay| stay.serves_until).map_or(from, |left| from.max(left));
            if !joined.languages.is_empty() {
                self.languages = joined.languages;
            }
            self.stays.push(Stay::new(from, joined.grant, joined.refused_grant, now));
        } else if let (Some(stay), Some(grant)) = (self.stays.last_mut(), joined.grant) {
            stay.grants.push((now, grant));
        }
    }

    pub(super) fn located(&mut self, places: &[Place], since: Option<Timestamp>, now: Timestamp) {
        let joined = self.first_from().unwrap_or(now);
        if !places.is_empty() && self.person_from.is_none() {
            self.person_from = Some(joined);
        }
        self.locate(places, since.map_or(joined, |since| since.max(joined)), now);
    }

    fn locate(&mut self, places: &[Place], tight: Timestamp, loose: Timestamp) {
        for place in places {
            let known = self.places.iter().any(|known| known.place == *place && known.tight <= tight);
            if !known {
                self.places.push(Known { place: *place, tight, loose });
            }
        }
    }

    pub(super) fn prompt_started(&mut self, prompt: &Heard, at: Timestamp) {
        if let Some(stay) = self.here_mut() {
            stay.playing = Some((prompt.version.clone(), at));
            stay.outcome = PromptOutcome::Playing;
        }
        for refusal in &mut self.objections {
            refusal.prompted_since = false;
        }
    }

    pub(super) fn prompt_interrupted(&mut self) {
        if let Some(stay) = self.here_mut() {
            stay.playing = None;
            stay.outcome = PromptOutcome::Interrupted;
        }
    }

    pub(super) fn prompt_completed(&mut self, heard: &Completion<'_>, default_language: &str) {
        let speaks = self.speaks(&heard.prompt.language, default_language);
        let machine = self.stays.last().is_some_and(|stay| stay.is_machine(heard.logged));
        let objected =
            self.objections.last().filter(|refusal| refusal.until.is_none()).map(|refusal| refusal.from);
        let Some(stay) = self.here_mut() else { return };
        let end = heard.claimed.unwrap_or(heard.logged).min(heard.logged);
        let started =
            stay.playing.take().and_then(|(version, at)| (version == heard.prompt.version).then_some(at));
        let lasts = millis(heard.prompt.duration_ms.max(MIN_PROMPT_MS));
        let begin = started.unwrap_or_else(|| before(end, millis(heard.played_ms)));
        let whole =
            millis(heard.played_ms) >= lasts && started.is_none_or(|started| after(started, lasts) <= end);
        let during_objection = objected.is_some_and(|from| {
            started.is_some_and(|started| started < from)
                || heard.claimed.is_some_and(|claimed| claimed < from)
        });
        let refused = if machine {
            Some("a machine took the call, and a prompt played to a machine counts for nobody")
        } else if !whole {
            stay.outcome = PromptOutcome::Interrupted;
            return;
        } else if begin < stay.from {
            Some("they were not on the call for all of it")
        } else if !speaks {
            Some("it was not in a language they have")
        } else if !heard.prompt.covers_purposes {
            Some("the prompt does not name every purpose of the call")
        } else if during_objection {
            Some("it had begun before they objected")
        } else {
            None
        };
        if let Some(reason) = refused {
            stay.outcome = PromptOutcome::Uncounted(reason);
            return;
        }
        stay.outcome = PromptOutcome::Completed;
        stay.prompted_at = Some(heard.claimed);
        stay.levels.push((heard.counts_from, Level::Notice));
        for refusal in &mut self.objections {
            refusal.prompted_since = true;
        }
    }

    pub(super) fn consent_given(
        &mut self,
        method: Method,
        claimed: Option<Timestamp>,
        counts_from: Timestamp,
    ) {
        let machine = self.stays.last().is_some_and(|stay| stay.is_machine(counts_from));
        let Some(stay) = self.here_mut() else { return };
        if machine {
            return;
        }
        let in_order = stay.prompted_at.is_some_and(|prompted| match (prompted, claimed) {
            (Some(prompted), Some(said)) => prompted <= said,
            // The log's order is the order of events.
            (None, _) | (_, None) => true,
        });
        let after_prompt = stay.outcome == PromptOutcome::Completed && in_order;
        let level = match (after_prompt, method.is_express()) {
            (true, true) => Level::Express,
            (true, false) => Level::Notice,
            (false, _) => Level::Asserted,
        };
        stay.levels.push((counts_from, level));
        if after_prompt && method == Method::Written {
            stay.written.get_or_insert(counts_from);
        }
        // Only a new prompt and an express yes of the same person lifts an objection.
        if level == Level::Express {
            for refusal in &mut self.objections {
                if refusal.until.is_none() && refusal.prompted_since {
                    refusal.until = Some(counts_from.max(refusal.from));
                }
            }
        }
    }

    pub(super) fn object(&mut self, kind: Objection, from: Timestamp) {
        // An open objection that began earlier already covers this one.
        match self.objections.last_mut().filter(|refusal| refusal.until.is_none()) {
            Some(open) => {
                open.from = open.from.min(from);
                open.kind = kind;
                open.prompted_since = false;
            }
            None => self.objections.push(Refusal { kind, from, until: None, prompted_since: false }),
        }
        if let Some(stay) = self.here_mut() {
            stay.playing = None;
            stay.prompted_at = None;
            if stay.outcome == PromptOutcome::Completed {
                stay.outcome = PromptOutcome::None;
            }
        }
    }

    pub(super) fn announced(&mut self, at: Timestamp) {
        if let Some(stay) = self.here_mut() {
            stay.announced.push(at);
        }
    }

    /// A machine took the call: from the moment they joined, whatever was played since.
    pub(super) fn machine(&mut self, _now: Timestamp) {
        let Some(stay) = self.here_mut() else { return };
        stay.machine.clear();
        stay.machine.push(Span { from: stay.from, until: None });
        stay.levels.clear();
        stay.prompted_at = None;
        stay.written = None;
        stay.outcome = PromptOutcome::None;
    }

    pub(super) fn human(&mut self, from: Timestamp) {
        if let Some(stay) = self.here_mut()
            && let Some(machine) = stay.machine.last_mut()
            && machine.until.is_none()
        {
            machine.until = Some(from.max(machine.from));
        }
    }

    pub(super) fn left(&mut self, tight: Timestamp, loose: Timestamp) {
        if let Some(stay) = self.here_mut() {
            stay.serves_until = Some(tight.max(stay.from));
            stay.needed_until = Some(loose.max(stay.from));
            stay.playing = None;
        }
    }

    /// Whether this person's places count at `at`: from when they first joined, for good.
    pub(crate) fn counts(&self, at: Timestamp) -> bool {
        self.is_person(at) && self.first_from().is_some_and(|from| from <= at)
    }

    pub(crate) fn is_person(&self, at: Timestamp) -> bool {
        self.person_from.is_some_and(|from| from <= at)
    }

    pub(crate) fn ever_person(&self) -> bool {
        self.person_from.is_some()
    }

    pub(crate) fn is_here(&self) -> bool {
        self.stays.last().is_some_and(|stay| stay.needed_until.is_none())
    }

    pub(crate) fn first_from(&self) -> Option<Timestamp> {
        self.stays.first().map(|stay| stay.from)
    }

    pub(crate) fn stay(&self, at: Timestamp) -> Option<&Stay> {
        self.stays
            .iter()
            .rev()
            .find(|stay| stay.from <= at && stay.needed_until.is_none_or(|until| at < until))
    }

    pub(crate) fn last_stay(&self) -> Option<&Stay> {
        self.stays.last()
    }

    pub(crate) fn objection(&self, at: Timestamp) -> Option<Why> {
        self.objections
            .iter()
            .find(|refusal| Span { from: refusal.from, until: refusal.until }.holds(at))
            .map(|refusal| match refusal.kind {
                Objection::Declined => Why::Declined(self.id),
                Objection::Withdrawn => Why::Withdrawn(self.id),
            })
    }

    pub(crate) fn is_prompted_since_objection(&self) -> bool {
        self.objections.last().is_some_and(|refusal| refusal.prompted_since)
    }

    /// What this person's places ask at `at`.
    pub(super) fn asks(&self, call: &Call<'_>, at: Timestamp) -> Requirement {
        let mut all = Requirement::NOTHING;
        if !self.places.iter().any(|known| known.loose <= at) {
            all = all.and(call.table.default_rule());
        }
        for (code, evidence) in self.places_at(at) {
            all = all.and(call.asks(code)).and(call.table.floor(evidence));
        }
        all
    }

    /// Whether nothing was known of where they are at `at`.
    pub(crate) fn is_unknown(&self, at: Timestamp) -> bool {
        !self.places.iter().any(|known| known.loose <= at)
    }

    /// The places that count at `at`, each with the strongest evidence that may be relied on.
    pub(crate) fn places_at(&self, at: Timestamp) -> Vec<(Code, Evidence)> {
        let mut places: Vec<(Code, Evidence)> = Vec::new();
        for known in self.places.iter().filter(|known| known.tight <= at) {
            let code = known.place.code;
            if places.iter().any(|(seen, _)| *seen == code) || self.is_told_apart(code, at) {
                continue;
            }
            let same = || self.places.iter().filter(|other| other.place.code == code && other.tight <= at);
            let relied = same().filter(|other| other.loose <= at).map(|other| other.place.evidence).max();
            if let Some(evidence) = relied.or_else(|| same().map(|other| other.place.evidence).max()) {
                places.push((code, evidence));
            }
        }
        places
    }

    /// A country alone says nothing beside a subdivision of the same country.
    fn is_told_apart(&self, code: Code, at: Timestamp) -> bool {
        code.is_country()
            && self.places.iter().any(|other| {
                other.loose <= at && !other.place.code.is_country() && other.place.code.country() == code
            })
    }

    fn speaks(&self, language: &str, default_language: &str) -> bool {
        let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or("").to_ascii_lowercase();
        let spoken = primary(language);
        if self.languages.is_empty() {
            primary(default_language) == spoken
        } else {
            self.languages.iter().any(|tag| primary(tag) == spoken)
        }
    }

    pub(super) fn moments(&self, note: &mut impl FnMut(Timestamp)) {
        self.person_from.into_iter().for_each(&mut *note);
        for known in &self.places {
            note(known.tight);
            note(known.loose);
        }
        for refusal in &self.objections {
            note(refusal.from);
            refusal.until.into_iter().for_each(&mut *note);
        }
        for stay in &self.stays {
            note(stay.from);
            stay.needed_until.into_iter().for_each(&mut *note);
            stay.serves_until.into_iter().for_each(&mut *note);
            stay.written.into_iter().for_each(&mut *note);
            stay.levels.iter().for_each(|(from, _)| note(*from));
            for span in &stay.machine {
                note(span.from);
                span.until.into_iter().for_each(&mut *note);
            }
            for (from, grant) in &stay.grants {
                note(*from);
                note(grant.from);
                grant.until.into_iter().for_each(&mut *note);
            }
        }
    }

    fn here_mut(&mut self) -> Option<&mut Stay> {
        self.stays.last_mut().filter(|stay| stay.needed_until.is_none())
    }
}

impl Stay {
    fn new(
        from: Timestamp,
        grant: Option<Grant>,
        refused_grant: Option<RefusedGrant>,
        now: Timestamp,
    ) -> Stay {
        Stay {
            from,
            needed_until: None,
            serves_until: None,
            machine: Vec::new(),
            levels: Vec::new(),
            grants: grant.map(|grant| (now, grant)).into_iter().collect(),
            refused_grant,
            written: None,
            announced: Vec::new(),
            playing: None,
            outcome: PromptOutcome::None,
            prompted_at: None,
        }
    }

    pub(crate) fn is_machine(&self, at: Timestamp) -> bool {
        self.machine.iter().any(|span| span.holds(at))
    }

    /// Whether a human was really there: departures count from the earlier time.
    pub(super) fn is_human(&self, at: Timestamp) -> bool {
        !self.is_machine(at) && self.serves_until.is_none_or(|until| at < until)
    }

    /// How much this person has agreed to at `at`, as far as `requirement` accepts it.
    pub(crate) fn level(&self, at: Timestamp, requirement: Requirement) -> Level {
        if self.is_machine(at) {
            return Level::None;
        }
        let said = self.levels.iter().filter(|(from, _)| *from <= at).map(|(_, level)| *level).max();
        let granted = self.granted(at).map(|grant| {
            if grant.works_agreement && !requirement.works_agreement_is_express {
                Level::Notice
            } else {
                Level::Express
            }
        });
        said.max(granted).unwrap_or(Level::None)
    }

    /// The same where it is to serve others as well: it ends when they leave.
    pub(super) fn consents(&self, at: Timestamp, requirement: Requirement) -> Level {
        match self.serves_until {
            Some(until) if until <= at => Level::None,
            _ => self.level(at, requirement),
        }
    }

    pub(super) fn consented_in_writing(&self, at: Timestamp) -> bool {
        self.written.is_some_and(|from| from <= at) || self.granted(at).is_some_and(|grant| grant.written)
    }

    pub(super) fn grant_ends_after(&self, now: Timestamp) -> Option<Timestamp> {
        self.granted(now)?.until
    }

    fn granted(&self, at: Timestamp) -> Option<&Grant> {
        let holds = |logged: Timestamp, grant: &Grant| {
            logged <= at && grant.from <= at && grant.until.is_none_or(|until| at < until)
        };
        let held = self.grants.iter().filter(|(logged, grant)| holds(*logged, grant)).map(|(_, grant)| grant);
        // An express yes of their own before a works agreement.
        held.min_by_key(|grant| grant.works_agreement)
    }
}

fn millis(ms: u64) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX))
}
