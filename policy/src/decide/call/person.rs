//! One participant: where they are, when they were there, and whether they object.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use jiff::{SignedDuration, Timestamp};

use super::law::{Demand, Law};
use super::stay::{Announced, PromptOutcome, Stay, Uncounted, Uncounting};
use super::{Why, before};
use crate::call::Span;
use crate::fact::{Heard, Joined, Method, Role};
use crate::language::canonical;
use crate::place::{Code, Evidence, Place};
use crate::rule::{Forbids, Requirement};
use crate::told::{Purposes, Told};

/// How much somebody has agreed to, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    None,
    /// They agreed without a prompt: enough if one party's consent is.
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
    /// What else they were called: what a rule forbids of any of these is forbidden of them.
    roles: Vec<Role>,
    /// From when others may rely on this being a person; `None` for a system. A person never becomes a system
    /// again, and their consent is needed from the moment they joined.
    human_from: Option<Timestamp>,
    known: Vec<Known>,
    /// More places were named than are distinguished: the rule for an unknown place counts as well.
    anywhere: bool,
    /// The lowest of the participants with the same number.
    pub(super) same_as: u32,
    pub(crate) languages: Vec<String>,
    stays: Vec<Stay>,
    /// The prompts that are playing, by version, and when they began.
    playing: Vec<(String, Timestamp)>,
    refusals: Vec<Refusal>,
    /// Stretches in which reports about them may be missing.
    doubts: Vec<Span>,
    /// They are a minor, and were one from the start.
    minor: bool,
}

/// A place, and from when it counts in which direction.
#[derive(Debug, Clone, Copy)]
struct Known {
    place: Place,
    /// What it asks of this call.
    asks: Requirement,
    /// From when it counts against recording.
    tight: Since,
    /// From when it may stand in for "unknown", or lift a floor.
    loose: Timestamp,
}

/// A place that counts at some moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlaceAt {
    pub(crate) code: Code,
    pub(crate) evidence: Evidence,
    /// By number, by address, by declaration: the strongest evidence that may be relied on. Before any may,
    /// all later evidence counts, since none of it may loosen yet.
    floors: [bool; 3],
    /// What it asks, its floor aside.
    pub(crate) asks: Requirement,
}

impl PlaceAt {
    /// The least that is asked on its evidence.
    pub(crate) fn floor(&self, law: &Law) -> Requirement {
        let floors = [Evidence::Number, Evidence::Ip, Evidence::Declared].into_iter().zip(self.floors);
        let counting = floors.filter(|(_, counts)| *counts);
        counting.fold(Requirement::NOTHING, |all, (evidence, _)| all.and(law.floor(evidence)))
    }
}

/// From when a place counts against recording.
#[derive(Debug, Clone, Copy)]
enum Since {
    /// It was known when they joined: from this stay's beginning.
    Stay(usize),
    /// It became known later: from when they first joined.
    Joining,
    /// They moved there.
    Moment(Timestamp),
}

impl Since {
    /// Whether a place that counts since `self` counts at every moment at which it would count since `other`,
    /// whatever becomes known about when they joined.
    fn is_no_later_than(self, other: Since) -> bool {
        match (self, other) {
            (Since::Joining | Since::Stay(0), _) => true,
            (Since::Stay(one), Since::Stay(two)) => one <= two,
            (Since::Moment(one), Since::Moment(two)) => one <= two,
            (Since::Stay(_), Since::Joining | Since::Moment(_))
            | (Since::Moment(_), Since::Joining | Since::Stay(_)) => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Objection {
    Declined,
    Withdrawn,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    kind: Objection,
    pub(super) from: Timestamp,
    /// When it was last repeated: a prompt that began before is not a new one.
    latest: Timestamp,
    until: Option<Timestamp>,
    /// A new prompt has been heard since.
    prompted_since: bool,
    /// When the prompt ended that was heard since, or that they said yes to.
    prompt_ended: Option<Timestamp>,
}

pub(super) struct Completion<'e> {
    pub(super) prompt: &'e Heard,
    pub(super) played_ms: u64,
    pub(super) claimed: Option<Timestamp>,
    pub(super) logged: Timestamp,
    pub(super) counts_from: Timestamp,
}

/// When somebody arrives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// As claimed.
    pub(super) from: Timestamp,
    /// From when others may rely on it.
    pub(super) loose: Timestamp,
    /// When it was logged.
    pub(super) now: Timestamp,
}

impl Person {
    pub(super) fn new(law: &Law, joined: Joined, arrival: Arrival) -> Person {
        let mut person = Person {
            id: joined.participant,
            role: joined.role,
            roles: alloc::vec![joined.role],
            human_from: joined.is_person().then_some(arrival.loose),
            known: Vec::new(),
            anywhere: false,
            same_as: joined.participant,
            languages: Vec::new(),
            stays: Vec::new(),
            playing: Vec::new(),
            refusals: Vec::new(),
            doubts: Vec::new(),
            minor: false,
        };
        person.arrive(law, joined, arrival);
        person
    }

    /// The same participant named again: they came back, or more is known about them.
    pub(super) fn join_again(&mut self, law: &Law, joined: Joined, arrival: Arrival) {
        if joined.is_person() {
            self.human_from.get_or_insert(arrival.loose);
        }
        if self.role == Role::System {
            self.role = joined.role;
        }
        if !self.roles.contains(&joined.role) {
            self.roles.push(joined.role);
        }
        for doubt in self.doubts.iter_mut().filter(|doubt| doubt.until.is_none()) {
            doubt.until = Some(arrival.now.max(doubt.from));
        }
        let here = self.is_here();
        let left = self.stays.iter().rev().nth(usize::from(here)).and_then(|stay| stay.serves_until);
        let from = left.map_or(arrival.from, |left| arrival.from.max(left));
        if !here {
            self.arrive(law, joined, Arrival { from, ..arrival });
            return;
        }
        if let Some(stay) = self.stays.last_mut() {
            // They may have been there earlier than was said: their consent was needed then.
            stay.from = stay.from.min(from);
            stay.granted(arrival.now, joined.grant);
        }
        self.learn(law, &joined.places, Since::Joining, arrival.now);
    }

    /// The places that were named for them, as far as they are distinguished.
    pub(super) fn codes(&self) -> impl Iterator<Item = Code> {
        self.known.iter().map(|known| known.place.code)
    }

    fn arrive(&mut self, law: &Law, joined: Joined, arrival: Arrival) {
        if !joined.languages.is_empty() {
            self.languages = joined.languages;
        }
        let mut stay = Stay::new(arrival.from, arrival.loose, self.minor);
        stay.granted(arrival.now, joined.grant);
        stay.refused_grant = joined.refused_grant;
        self.learn(law, &joined.places, Since::Stay(self.stays.len()), arrival.now);
        self.stays.push(stay);
    }

    pub(super) fn located(
        &mut self,
        law: &Law,
        places: &[Place],
        since: Option<Timestamp>,
        now: Timestamp,
        loose: Timestamp,
    ) {
        // Somebody who can be located is a person, whether or not the number or address names a place.
        self.human_from.get_or_insert(loose);
        self.learn(law, places, since.map_or(Since::Joining, Since::Moment), now);
    }

    pub(super) fn is_located(&self) -> bool {
        !self.known.is_empty()
    }

    /// Known places are not added again: the same place may be reported on a call without end.
    fn learn(&mut self, law: &Law, places: &[Place], tight: Since, loose: Timestamp) {
        for place in places {
            if self.known.iter().any(|known| known.place == *place && known.tight.is_no_later_than(tight)) {
                continue;
            }
            if self.known.len() >= MAX_KNOWN_PLACES {
                self.anywhere = true;
                return;
            }
            self.known.push(Known { place: *place, asks: law.asks(place.code), tight, loose });
        }
    }

    /// The law has changed.
    pub(super) fn judge_again(&mut self, law: &Law) {
        for known in &mut self.known {
            known.asks = law.asks(known.place.code);
        }
    }

    pub(super) fn prompt_started(&mut self, prompt: &Heard, at: Timestamp) {
        self.playing.retain(|(version, _)| *version != prompt.version);
        self.playing.push((prompt.version.clone(), at));
        if let Some(stay) = self.here_mut() {
            stay.outcome = PromptOutcome::Playing;
        }
        for refusal in &mut self.refusals {
            refusal.prompted_since = false;
        }
    }

    pub(super) fn prompt_interrupted(&mut self) {
        self.playing.clear();
        if let Some(stay) = self.here_mut() {
            stay.outcome = PromptOutcome::Interrupted;
        }
    }

    pub(super) fn prompt_completed(&mut self, heard: &Completion<'_>, default_language: &str, lifting: Told) {
        let spoken = &heard.prompt.language;
        let foreign = (!self.speaks(spoken, default_language)).then(|| match self.languages.as_slice() {
            [] => alloc::vec![default_language.to_owned()],
            known => known.to_vec(),
        });
        let objected = self.refusals.iter().map(|refusal| refusal.latest).max();
        let playing = self.playing.iter().find(|(version, _)| *version == heard.prompt.version);
        let started = playing.map(|(_, at)| *at);
        let Some(stay) = self.here_mut() else { return };
        let end = heard.claimed.unwrap_or(heard.logged).min(heard.logged);
        let lasts = millis(heard.prompt.lasts_ms());
        let begin = started.unwrap_or_else(|| before(end, millis(heard.played_ms)));
        let between = started.map(|started| end.duration_since(started));
        let uncounting = if stay.is_machine(heard.logged) {
            Some(Uncounting::Machine)
        } else if stay.is_held_between(begin, end) {
            Some(Uncounting::Held)
        } else if millis(heard.played_ms) < lasts {
            Some(Uncounting::Short { played_ms: heard.played_ms })
        } else if let Some(between) = between.filter(|between| *between < lasts) {
            Some(Uncounting::Quick { between_ms: i64::try_from(between.as_millis()).unwrap_or(i64::MIN) })
        } else if let Some(missed) = stay.missed(begin, end) {
            Some(missed)
        } else if let Some(theirs) = foreign {
            Some(Uncounting::Language { spoken: spoken.clone(), theirs })
        } else if !heard.prompt.covers_purposes {
            Some(Uncounting::Purposes)
        } else if objected.is_some_and(|objected| begin < objected) {
            Some(Uncounting::Objected)
        } else {
            None
        };
        // One that names less than the call is for may still name what another use is for.
        let is_narrower =
            uncounting == Some(Uncounting::Purposes) && objected.is_none_or(|objected| objected <= begin);
        if let Some(why) = uncounting {
            let (version, lasts_ms) = (heard.prompt.version.clone(), heard.prompt.lasts_ms());
            stay.outcome = PromptOutcome::Uncounted(Uncounted { version, lasts_ms, why });
            if !is_narrower {
                return;
            }
        }
        stay.prompted(heard.prompt, (begin, end), heard.claimed, heard.counts_from);
        if is_narrower {
            return;
        }
        // A prompt that does not say what it has to is not a new prompt to an objector. A yes
        // answers the last prompt, so what an earlier one said does not help it.
        let enough = heard.prompt.told().is_enough_for(lifting);
        for refusal in self.refusals.iter_mut().filter(|refusal| refusal.until.is_none()) {
            refusal.prompted_since = enough;
            refusal.prompt_ended = Some(end);
        }
    }

    pub(super) fn consent_given(
        &mut self,
        method: Method,
        claimed: Option<Timestamp>,
        counts_from: Timestamp,
    ) {
        let Some(stay) = self.here_mut() else { return };
        if stay.is_machine(counts_from) {
            return;
        }
        let (level, counts_from) =
            stay.agreed(method.is_express(), method == Method::Written, claimed, counts_from);
        // Only a new prompt and an express yes of the same person lifts an objection.
        if level == Level::Express {
            for refusal in &mut self.refusals {
                if refusal.until.is_none() && refusal.prompted_since {
                    refusal.until = Some(counts_from.max(refusal.from));
                }
            }
        }
    }

    pub(super) fn object(&mut self, kind: Objection, from: Timestamp) {
        match self.refusals.last_mut().filter(|refusal| refusal.until.is_none()) {
            Some(open) => {
                open.from = open.from.min(from);
                open.latest = open.latest.max(from);
                open.prompted_since = false;
                // Somebody who withdrew and then declines has withdrawn.
                if kind == Objection::Withdrawn {
                    open.kind = kind;
                }
            }
            None => {
                self.refusals.push(Refusal {
                    kind,
                    from,
                    latest: from,
                    until: None,
                    prompted_since: false,
                    prompt_ended: None,
                });
            }
        }
        if let Some(stay) = self.here_mut() {
            stay.objected(from);
        }
    }

    /// They objected on an earlier call, and have not said yes since as far as is known.
    pub(super) fn brings_objection(&mut self, since: Timestamp) {
        if self.refusals.is_empty() {
            self.object(Objection::Declined, since);
        }
    }

    /// Somebody with their number objects.
    pub(super) fn shares(&mut self, refusal: Refusal) {
        self.object(refusal.kind, refusal.from);
        self.object(refusal.kind, refusal.latest);
    }

    /// The objection that they have not lifted.
    pub(super) fn open_objection(&self) -> Option<Refusal> {
        self.refusals.last().filter(|refusal| refusal.until.is_none()).copied()
    }

    pub(super) fn announced(&mut self, announced: Announced) {
        if let Some(stay) = self.here_mut() {
            stay.announced.push(announced);
        }
    }

    pub(super) fn machine(&mut self) {
        let Some(stay) = self.stays.last_mut() else { return };
        stay.machine();
        // What a machine has said lifts no objection.
        let from = stay.from;
        for refusal in &mut self.refusals {
            if refusal.until.is_none_or(|until| from <= until) {
                refusal.until = None;
                refusal.prompted_since = false;
            }
        }
    }

    /// From `from` on, reports about them may be missing.
    pub(super) fn doubted(&mut self, from: Timestamp) {
        if self.is_here() && self.is_person() {
            self.doubts.push(Span { from, until: None });
        }
    }

    /// Whether reports of `at` may be missing.
    pub(crate) fn doubt(&self, at: Timestamp) -> Option<Why> {
        self.doubts.iter().any(|doubt| doubt.holds(at)).then_some(Why::InDoubt(self.id))
    }

    pub(super) fn human(&mut self, from: Timestamp) {
        if let Some(stay) = self.stays.last_mut() {
            stay.human(from);
        }
    }

    /// They are on hold: for what that makes stricter from `tight` on, and for what it excuses from
    /// `excused_from` on. What was played to them since counts for nothing.
    pub(super) fn held(&mut self, tight: Timestamp, excused_from: Option<Timestamp>) {
        let Some(stay) = self.stays.last_mut() else { return };
        stay.held(tight, excused_from);
        let held_from = tight.max(stay.from);
        self.playing.clear();
        // A prompt that ran into the hold lifts no objection.
        for refusal in &mut self.refusals {
            if refusal.prompt_ended.is_some_and(|ended| held_from < ended) {
                refusal.until = None;
                refusal.prompted_since = false;
            }
        }
    }

    /// They are off hold: nothing is excused from `tight` on, and they are back from `back_from` on.
    pub(super) fn retrieved(&mut self, tight: Timestamp, back_from: Option<Timestamp>) {
        if let Some(stay) = self.stays.last_mut() {
            stay.retrieved(tight, back_from);
        }
    }

    /// They are a minor: since they joined, whenever that was found out, and for good.
    pub(super) fn found_minor(&mut self) {
        self.minor = true;
        self.stays.iter_mut().for_each(Stay::found_minor);
    }

    /// The purposes that these rules forbid of them, in any of their roles.
    pub(super) fn forbidden(&self, forbids: &Forbids) -> Purposes {
        self.roles.iter().fold(Purposes::NONE, |all, role| all.and(forbids.of(*role)))
    }

    pub(crate) fn is_minor(&self) -> bool {
        self.minor
    }

    /// Whether they are there at `at` as a minor without a guardian's grant.
    pub(crate) fn unguarded(&self, at: Timestamp, demand: &Demand) -> Option<Why> {
        let unguarded = self.minor && self.stay(at).is_some_and(|stay| !stay.is_granted(at, demand));
        unguarded.then_some(Why::Minor(self.id))
    }

    pub(super) fn left(&mut self, tight: Timestamp, loose: Timestamp) {
        if let Some(stay) = self.stays.last_mut() {
            stay.left(tight, loose);
        }
    }

    /// Whether this person's places count at `at`: from when they first joined, for good.
    pub(crate) fn counts(&self, at: Timestamp) -> bool {
        self.human_from.is_some() && self.first_from().is_some_and(|from| from <= at)
    }

    /// Whether others may rely on this being a person.
    pub(super) fn is_human(&self, at: Timestamp) -> bool {
        self.human_from.is_some_and(|from| from <= at)
    }

    pub(crate) fn is_person(&self) -> bool {
        self.human_from.is_some()
    }

    pub(crate) fn is_here(&self) -> bool {
        self.stays.last().is_some_and(Stay::is_here)
    }

    pub(crate) fn first_from(&self) -> Option<Timestamp> {
        self.stays.first().map(|stay| stay.from)
    }

    pub(crate) fn stay(&self, at: Timestamp) -> Option<&Stay> {
        self.stays.iter().rev().find(|stay| stay.holds(at))
    }

    pub(crate) fn last_stay(&self) -> Option<&Stay> {
        self.stays.last()
    }

    pub(crate) fn objection(&self, at: Timestamp) -> Option<Why> {
        self.refusals.iter().find(|refusal| Span { from: refusal.from, until: refusal.until }.holds(at)).map(
            |refusal| match refusal.kind {
                Objection::Declined => Why::Declined(self.id),
                Objection::Withdrawn => Why::Withdrawn(self.id),
            },
        )
    }

    /// Whether they objected at any moment from `from` to `until`, which is excluded.
    pub(crate) fn objects_between(&self, from: Timestamp, until: Timestamp) -> bool {
        self.refusals.iter().any(|refusal| refusal.from < until && refusal.until.is_none_or(|end| from < end))
    }

    /// Whether they were on the call at any moment of these stretches: arrivals count from the earlier time, departures
    /// from when they were logged.
    pub(crate) fn was_there(&self, stretches: &[(Timestamp, Timestamp)]) -> bool {
        let during = |stay: &Stay| {
            let gone = stay.needed_until.unwrap_or(Timestamp::MAX);
            stretches.iter().any(|(from, until)| stay.from < *until && *from < gone)
        };
        self.stays.iter().any(during)
    }

    /// When they last withdrew, whether or not they agreed again since.
    pub(crate) fn withdrew_at(&self) -> Option<Timestamp> {
        let withdrawn = self.refusals.iter().filter(|refusal| refusal.kind == Objection::Withdrawn);
        withdrawn.map(|refusal| refusal.latest).max()
    }

    pub(crate) fn is_prompted_since_objection(&self) -> bool {
        self.refusals.last().is_some_and(|refusal| refusal.prompted_since)
    }

    /// What this person's places ask at `at`.
    pub(super) fn asks(&self, law: &Law, at: Timestamp) -> Requirement {
        let unknown = self.anywhere || self.is_unknown(at);
        let start = if unknown { law.unknown } else { Requirement::NOTHING };
        self.places_at(at).fold(start, |all, place| {
            all.and(place.asks).and(law.asks_again(place.code, at)).and(place.floor(law))
        })
    }

    /// Whether nothing was known of where they are at `at`.
    pub(crate) fn is_unknown(&self, at: Timestamp) -> bool {
        !self.known.iter().any(|known| known.loose <= at)
    }

    /// The places that count at `at`, each with the strongest evidence that may be relied on.
    pub(crate) fn places_at(&self, at: Timestamp) -> impl Iterator<Item = PlaceAt> {
        let asked = move |known: &&Known| self.tight(known) <= at;
        self.known.iter().enumerate().filter_map(move |(index, known)| {
            let code = known.place.code;
            let same = |other: &&Known| other.place.code == code;
            let seen = || self.known.iter().take(index).filter(asked).any(|other| same(&other));
            if !asked(&known) || seen() || self.is_told_apart(code, at) {
                return None;
            }
            let all = || self.known.iter().filter(asked).filter(same);
            let relied = all().filter(|other| other.loose <= at).map(|other| other.place.evidence).max();
            let evidence = relied.or_else(|| all().map(|other| other.place.evidence).max())?;
            let counts = |one| match relied {
                Some(strongest) => one == strongest,
                None => all().any(|other| other.place.evidence == one),
            };
            let floors = [Evidence::Number, Evidence::Ip, Evidence::Declared].map(counts);
            Some(PlaceAt { code, evidence, floors, asks: known.asks })
        })
    }

    fn tight(&self, known: &Known) -> Timestamp {
        let first = self.first_from().unwrap_or(known.loose);
        match known.tight {
            Since::Joining => first,
            Since::Stay(index) => self.stays.get(index).map_or(first, |stay| stay.from),
            Since::Moment(moment) => moment.max(first),
        }
    }

    /// A country alone says nothing beside a subdivision of the same country.
    fn is_told_apart(&self, code: Code, at: Timestamp) -> bool {
        code.is_country()
            && self.known.iter().any(|other| {
                other.loose <= at && !other.place.code.is_country() && other.place.code.country() == code
            })
    }

    fn speaks(&self, language: &str, default_language: &str) -> bool {
        let same = |tag: &str| {
            tag == language || canonical(language).is_some_and(|spoken| canonical(tag) == Some(spoken))
        };
        if self.languages.is_empty() {
            same(default_language)
        } else {
            self.languages.iter().any(|tag| same(tag))
        }
    }

    pub(super) fn moments(&self, note: &mut impl FnMut(Timestamp)) {
        self.human_from.into_iter().for_each(&mut *note);
        for known in &self.known {
            note(self.tight(known));
            note(known.loose);
        }
        for doubt in &self.doubts {
            note(doubt.from);
            doubt.until.into_iter().for_each(&mut *note);
        }
        for refusal in &self.refusals {
            note(refusal.from);
            refusal.until.into_iter().for_each(&mut *note);
        }
        self.stays.iter().for_each(|stay| stay.moments(note));
    }

    fn here_mut(&mut self) -> Option<&mut Stay> {
        self.stays.last_mut().filter(|stay| stay.is_here())
    }
}

fn millis(ms: u64) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// How many places of one participant are distinguished: somebody with more may be anywhere.
pub const MAX_KNOWN_PLACES: usize = 64;
