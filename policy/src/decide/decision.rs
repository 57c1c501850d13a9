//! What follows from the facts now: one decision, with its explanation.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use alloc::vec::Vec;

use jiff::Timestamp;
use serde::Serialize;

use crate::atlas;
use crate::call::{Call, Demand, Level, Person, PlaceAt, PromptOutcome, Recorder, Standing, Uncounted};
use crate::coverage::Use;
use crate::fact::{Kind, RefusedGrant, Role};
use crate::place::{Code, Evidence};
use crate::reading::Reading;
use crate::refusal::Why;
use crate::rule::{OnHold, Requirement, Strictness, Tone};
use crate::table::{Basis, Citation, Table};
use crate::told::{Element, Elements, Purpose, Purposes, Told};

/// What the law asks of a call now, and whether recording is permitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What the call is for; none means every purpose.
    pub purposes: Purposes,
    /// Whether recording is lawful now, and if not, why.
    pub standing: Standing,
    /// What we believe the platform is doing.
    pub recorder: Recorder,
    /// What it should do now.
    pub action: Action,
    /// What all rules of the call ask together.
    pub requirement: Requirement,
    /// What a prompt has to say on this call.
    pub must_be_told: Told,
    /// When it was made.
    pub decided_at: Timestamp,
    /// Everybody who has ever been on the call.
    pub participants: Vec<ParticipantDecision>,
    /// Every rule that counts.
    pub because: Vec<Because>,
    /// By when the recording has to hold an announcement that has not been reported yet.
    pub announcement_due: Option<Timestamp>,
    /// The account's readings that counted when the call was opened, by their ids, and since when each is over.
    pub readings: Vec<(String, Option<Timestamp>)>,
    /// Every use of its audio beside recording that was ever granted.
    pub uses: Vec<UseDecision>,
}

/// Another use than recording in a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct UseDecision {
    /// Which.
    pub of: Use,
    /// What it is for; none means every purpose.
    pub purposes: Purposes,
    /// Whether it is lawful now, and if not, why.
    pub standing: Standing,
    /// What we believe the platform is doing.
    pub recorder: Recorder,
    /// What it should do now.
    pub action: Action,
    /// Whose consent is missing, by their numbers, and what has to happen.
    pub missing: Vec<(u32, Needs)>,
    /// What a prompt has to say for it.
    pub must_be_told: Told,
}

impl UseDecision {
    /// What a decision says of this use, if it is made of the call as it is for it.
    #[must_use]
    pub fn new(of: Use, call: &Call, decided: &Decision) -> UseDecision {
        let missing = decided.participants.iter().filter(|one| !one.needs.is_empty());
        UseDecision {
            of,
            purposes: call.purposes(),
            standing: decided.standing,
            recorder: decided.recorder,
            action: decided.action,
            missing: missing.map(|one| (one.participant, one.needs.clone())).collect(),
            must_be_told: decided.must_be_told,
        }
    }
}

impl Decision {
    /// Whether recording is permitted.
    #[must_use]
    pub fn permitted(&self) -> bool {
        self.standing == Standing::Lawful
    }

    /// The decision while a restrictive event could not be logged: nothing is permitted, and a running
    /// recording has to pause.
    #[must_use]
    pub fn barred(self) -> Decision {
        let standing = Standing::Unlawful(Why::Unlogged);
        let pauses = |action| match action {
            Action::None | Action::Pause | Action::Resume => Action::Pause,
            Action::Stop | Action::EndCall => action,
        };
        let uses = self.uses.into_iter();
        let uses = uses.map(|one| UseDecision { standing, action: pauses(one.action), ..one });
        Decision { standing, action: pauses(self.action), uses: uses.collect(), ..self }
    }
}

/// What the platform should do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Nothing.
    None,
    /// Pause recording.
    Pause,
    /// Ask to resume: it would be granted.
    Resume,
    /// Stop recording.
    Stop,
    /// End the call: it would have to be recorded, and somebody refuses.
    EndCall,
}

impl Action {
    /// The word used in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Action::None => "none",
            Action::Pause => "pause",
            Action::Resume => "resume",
            Action::Stop => "stop",
            Action::EndCall => "end-call",
        }
    }
}

/// One participant in a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct ParticipantDecision {
    /// The participant's number.
    pub participant: u32,
    /// Who they are.
    pub role: Role,
    /// How far they have agreed.
    pub state: ParticipantState,
    /// What is missing from them: alternatives, each a list of what must happen.
    pub needs: Needs,
    /// Their places that count.
    pub places: Vec<PlaceDecision>,
    /// The version of the last prompt that they heard to its end.
    pub prompt: Option<String>,
    /// What a reader should know.
    pub notes: Vec<Note>,
}

impl ParticipantDecision {
    /// The last prompt that was played to them, if it does not count.
    #[must_use]
    pub fn uncounted(&self) -> Option<&Uncounted> {
        self.notes.iter().find_map(|note| match note {
            Note::Uncounted(uncounted) => Some(uncounted),
            Note::Unlisted(_)
            | Note::NoParty
            | Note::DefaultLanguage
            | Note::RefusedGrant(_)
            | Note::Machine
            | Note::Held { .. }
            | Note::Minor
            | Note::InWriting(_)
            | Note::ForbiddenFor(_)
            | Note::ForMore => None,
        })
    }
}

/// What a reader should know of a participant.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// A place was declared that ISO 3166 does not list.
    Unlisted(Code),
    /// A system without a number, an address or a place is not a party.
    NoParty,
    /// No language of theirs is known, so the account's default language counts.
    DefaultLanguage,
    /// The last prompt that was played to them does not count.
    Uncounted(Uncounted),
    /// The consent grant that they named does not count.
    RefusedGrant(RefusedGrant),
    /// A machine took the call.
    Machine,
    /// They are on hold.
    Held {
        /// Whether their consent is not needed while they are.
        excused: bool,
    },
    /// They are a minor, so that only a guardian's grant counts for them.
    Minor,
    /// These purposes of the call ask them to agree in writing.
    InWriting(Purposes),
    /// These purposes of the call are forbidden while they are on it.
    ForbiddenFor(Purposes),
    /// What they heard or granted is for more than the call is, and by that more is asked.
    ForMore,
}

/// Alternatives, each a list of event types that must happen.
pub type Needs = Vec<Vec<Need>>;

/// Something that has to happen, by the type of its entry in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Need {
    /// A prompt that says what it has to is played to its end.
    #[serde(rename = "prompt.completed")]
    Prompt,
    /// They say yes.
    #[serde(rename = "consent.given")]
    Yes,
    /// The recording holds an announcement.
    #[serde(rename = "announcement.recorded")]
    Announcement,
    /// A person answers.
    #[serde(rename = "participant.answered")]
    Answer,
    /// They are named again, by `POST /v1/calls/{call}/participants`.
    #[serde(rename = "participant.joined")]
    Joining,
    /// A periodic tone is heard.
    #[serde(rename = "tone.started")]
    Tone,
    /// A guardian's grant for them is registered.
    #[serde(rename = "consent-grant.registered")]
    GuardianGrant,
    /// They are taken off hold.
    #[serde(rename = "participant.retrieved")]
    Retrieval,
}

/// How far a participant has agreed. Outcomes stay distinct, so that silence, a hang-up, a prompt cut short
/// and a machine can be distinguished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ParticipantState {
    /// No prompt yet, or none that counts.
    Unprompted,
    /// A prompt is playing.
    Prompting,
    /// It was cut short.
    Interrupted,
    /// They heard it to its end.
    Prompted,
    /// They agreed.
    Consented,
    /// They said no.
    Declined,
    /// They no longer agree.
    Withdrawn,
    /// They left.
    Left,
}

impl ParticipantState {
    /// The word used in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ParticipantState::Unprompted => "unprompted",
            ParticipantState::Prompting => "prompting",
            ParticipantState::Interrupted => "interrupted",
            ParticipantState::Prompted => "prompted",
            ParticipantState::Consented => "consented",
            ParticipantState::Declined => "declined",
            ParticipantState::Withdrawn => "withdrawn",
            ParticipantState::Left => "left",
        }
    }
}

/// A place that counts, and what it asks by itself, its floor included.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaceDecision {
    /// The place.
    pub code: Code,
    /// How it is known.
    pub evidence: Evidence,
    /// What it asks.
    pub requirement: Requirement,
}

/// A rule that counts, in words. It is said once, with everybody whom it concerns.
#[derive(Debug, Clone, PartialEq)]
pub struct Because {
    /// What brings it onto the call.
    pub ground: Ground,
    /// Whom it concerns, by where they are; empty for an overlay, which concerns the call.
    pub of: Vec<Concerned>,
    /// What it asks.
    pub asks: Requirement,
    /// The statutes, decisions and regulators that the row cites.
    pub citations: Arc<[Citation]>,
    /// The rule in words.
    pub says: String,
}

/// What brings a rule onto a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ground {
    /// Nothing is known of where somebody is.
    Unknown,
    /// A place.
    Place(Code),
    /// Nothing stronger than this says where somebody is.
    Evidence(Evidence),
    /// An overlay that the call or the account has chosen.
    Overlay(String),
}

/// Whom a rule concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concerned {
    /// Who.
    pub subject: Subject,
    /// How their place is known; none where it is not, or where the account or the call says it.
    pub evidence: Option<Evidence>,
}

/// Somebody or something that has a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A participant.
    Participant(u32),
    /// The recording device.
    Recorder,
    /// The operator, by where it is established.
    Operator,
}

impl Call {
    /// What the law asks at `now`, and whether recording is permitted.
    #[must_use]
    pub fn decide(&self, now: Timestamp) -> Decision {
        let now = now.max(self.last());
        let lapsed = self.lapses_by(now).then(|| self.at(now));
        let call = lapsed.as_ref().unwrap_or(self);
        let demand = call.met(now);
        let standing = call.standing(now);
        let announcement = call.open_window().and_then(|window| call.unannounced(window, now));
        Decision {
            purposes: call.purposes(),
            standing,
            recorder: call.recorder(),
            action: call.action(standing, &demand),
            requirement: demand.requirement,
            must_be_told: demand.told,
            decided_at: now,
            participants: call
                .people
                .iter()
                .map(|person| call.participant(person, &demand, standing, now))
                .collect(),
            because: call.because(now),
            announcement_due: announcement.map(|(_, due)| due),
            readings: call
                .law
                .readings
                .iter()
                .map(|(reading, over)| (reading.id.clone(), over.filter(|over| *over <= now)))
                .collect(),
            uses: call.uses().map(|(of, call)| UseDecision::new(of, call, &call.decide(now))).collect(),
        }
    }

    fn action(&self, standing: Standing, demand: &Demand) -> Action {
        let lawful = standing == Standing::Lawful;
        let refused = matches!(
            standing,
            Standing::Unlawful(Why::Declined(_) | Why::Withdrawn(_) | Why::Forbidden | Why::ForbiddenFor(_))
        );
        // A call that has to be recorded and may not be cannot go on unrecorded; but nobody ends an
        // emergency call.
        if demand.requirement.mandatory
            && refused
            && self.kind != Kind::Emergency
            && self.ended_at().is_none()
        {
            return Action::EndCall;
        }
        match self.recorder() {
            Recorder::Suspended { .. } if self.ended_at().is_some() => Action::None,
            Recorder::Suspended { .. } if !self.settled && !lawful => match standing {
                Standing::Unlawful(Why::Emergency) => Action::Stop,
                Standing::Unlawful(_) | Standing::Lawful => Action::Pause,
            },
            Recorder::Suspended { forced: true } if lawful => Action::Resume,
            Recorder::Idle | Recorder::Running | Recorder::Suspended { .. } | Recorder::Stopped => {
                Action::None
            }
        }
    }

    fn participant(
        &self,
        person: &Person,
        demand: &Demand,
        standing: Standing,
        now: Timestamp,
    ) -> ParticipantDecision {
        let places = person.places_at(now).map(|place: PlaceAt| PlaceDecision {
            code: place.code,
            evidence: place.evidence,
            requirement: place.asks.and(self.law.asks_again(place.code, now)).and(place.floor(&self.law)),
        });
        let needs = self.needs(person, demand, standing, now);
        ParticipantDecision {
            participant: person.id,
            role: person.role,
            state: state(person, demand, now),
            places: places.collect(),
            prompt: person.last_stay().and_then(|stay| stay.prompt()).map(ToOwned::to_owned),
            notes: self.unlisted(person, now).chain(self.notes(person, demand, &needs, now)).collect(),
            needs,
        }
    }

    /// Notes about declared places that do not exist.
    fn unlisted<'c>(&'c self, person: &'c Person, now: Timestamp) -> impl Iterator<Item = Note> + 'c {
        let declared = person.places_at(now).filter(|place| place.evidence == Evidence::Declared);
        let unlisted = declared.filter(|place| {
            let row = self.law.newest().is_some_and(|table| !table.history(place.code).is_empty());
            !row && atlas::name(place.code).is_none()
        });
        unlisted.map(|place| Note::Unlisted(place.code))
    }

    fn needs(&self, person: &Person, demand: &Demand, standing: Standing, now: Timestamp) -> Needs {
        let requirement = &demand.requirement;
        // On an emergency call, only the person who takes it is asked, if it may be recorded.
        let asked = match self.kind {
            Kind::Conversation | Kind::Voicemail => person.is_person(),
            Kind::Emergency => {
                person.role == Role::Agent && self.settings.public_safety && !requirement.forbidden
            }
        };
        let Some(stay) = person.stay(now).filter(|_| asked && self.ended_at().is_none()) else {
            return Needs::new();
        };
        if requirement.forbidden || matches!(standing, Standing::Unlawful(Why::ForbiddenFor(_))) {
            return Needs::new();
        }
        if person.objection(now).is_some() {
            return match person.is_prompted_since_objection() {
                true => alloc::vec![alloc::vec![Need::Yes]],
                false => alloc::vec![alloc::vec![Need::Prompt, Need::Yes]],
            };
        }
        if person.doubt(now).is_some() {
            return alloc::vec![alloc::vec![Need::Joining]];
        }
        if person.unguarded(now, demand).is_some() {
            return alloc::vec![alloc::vec![Need::GuardianGrant, Need::Joining]];
        }
        if standing == Standing::Unlawful(Why::OnHold(person.id)) {
            return alloc::vec![alloc::vec![Need::Retrieval]];
        }
        if self.is_excused(person, demand, now) {
            return Needs::new();
        }
        if standing == Standing::Lawful {
            let unannounced = self.open_window().and_then(|window| self.unannounced(window, now));
            return match unannounced {
                Some((who, _)) if who == person.id => alloc::vec![alloc::vec![Need::Announcement]],
                Some(_) | None => Needs::new(),
            };
        }
        let level = stay.level(now, demand);
        let heard = stay.is_told(demand);
        let unwritten = demand.in_writing() && !stay.consented_in_writing(now, demand);
        let mut needs = match requirement.strictness {
            Strictness::One | Strictness::Notice | Strictness::Express if unwritten && heard => {
                alloc::vec![alloc::vec![Need::Yes]]
            }
            Strictness::One | Strictness::Notice | Strictness::Express if unwritten => {
                alloc::vec![alloc::vec![Need::Prompt, Need::Yes]]
            }
            Strictness::One if standing != Standing::Unlawful(Why::NobodyConsents) => return Needs::new(),
            Strictness::Notice if standing == Standing::Unlawful(Why::NobodyConsents) => {
                alloc::vec![alloc::vec![Need::Yes], alloc::vec![Need::Prompt]]
            }
            // Whoever says yes to no prompt says it for no purpose in particular.
            Strictness::One if demand.is_eased() => alloc::vec![alloc::vec![Need::Prompt]],
            Strictness::One => alloc::vec![alloc::vec![Need::Yes], alloc::vec![Need::Prompt]],
            Strictness::Notice if level >= Level::Notice => return Needs::new(),
            Strictness::Notice if demand.is_eased() && heard => {
                alloc::vec![alloc::vec![Need::Prompt], alloc::vec![Need::Yes]]
            }
            Strictness::Notice => alloc::vec![alloc::vec![Need::Prompt]],
            Strictness::Express if level >= Level::Express => return Needs::new(),
            Strictness::Express if heard => alloc::vec![alloc::vec![Need::Yes]],
            Strictness::Express => alloc::vec![alloc::vec![Need::Prompt, Need::Yes]],
        };
        if stay.is_machine(now) {
            for alternative in &mut needs {
                alternative.insert(0, Need::Answer);
            }
        }
        let toneless = requirement.strictness == Strictness::Notice
            && standing != Standing::Unlawful(Why::NobodyConsents);
        if toneless && demand.accepts_tone() {
            // A tone tells everybody, and says yes for nobody.
            let somebody = self.somebody_consents(now, demand);
            needs.push(if somebody { alloc::vec![Need::Tone] } else { alloc::vec![Need::Tone, Need::Yes] });
        }
        needs
    }

    fn notes(&self, person: &Person, demand: &Demand, needs: &Needs, now: Timestamp) -> Vec<Note> {
        let mut notes = Vec::new();
        if !person.is_person() {
            notes.push(Note::NoParty);
        }
        let stay = person.last_stay();
        // Languages matter where a prompt is due, or was played.
        let prompted = stay.is_some_and(|stay| stay.outcome != PromptOutcome::None);
        if person.languages.is_empty()
            && (prompted || needs.iter().flatten().any(|need| *need == Need::Prompt))
        {
            notes.push(Note::DefaultLanguage);
        }
        if let Some(stay) = stay {
            notes.extend(stay.uncounted(demand.told).map(Note::Uncounted));
            notes.extend(stay.refused_grant.map(Note::RefusedGrant));
            if stay.is_machine(now) {
                notes.push(Note::Machine);
            }
            if stay.is_held(now) {
                notes.push(Note::Held { excused: self.is_excused(person, demand, now) });
            }
            let forbidden = self.forbidden_purposes(person, demand);
            if person.is_person() && !forbidden.is_empty() {
                notes.push(Note::ForbiddenFor(forbidden));
            }
            let asked = person.is_person() && demand.in_writing();
            if asked && !stay.consented_in_writing(now, demand) {
                notes.push(Note::InWriting(demand.requirement.written_for.both(demand.named)));
            }
            if demand.is_eased() && stay.level(now, demand) < stay.level(now, &demand.for_all()) {
                notes.push(Note::ForMore);
            }
        }
        if person.is_minor() {
            notes.push(Note::Minor);
        }
        notes
    }

    fn because(&self, now: Timestamp) -> Vec<Because> {
        let mut because = Vec::new();
        let Some(table) = self.law.newest() else { return because };
        for person in self.people.iter().filter(|person| person.counts(now)) {
            let subject = Subject::Participant(person.id);
            if person.is_unknown(now) {
                let says = format!(
                    "nothing is known of where this participant is, so the table's default applies: {}",
                    words(&self.law.unknown)
                );
                let of = Concerned { subject, evidence: None };
                say(&mut because, of, Ground::Unknown, self.law.unknown, Arc::default(), says);
            }
            for place in person.places_at(now) {
                let of = Concerned { subject, evidence: Some(place.evidence) };
                self.explain(table, of, place.code, now, &mut because);
            }
        }
        let own = |subject| move |code: &Code| (Concerned { subject, evidence: None }, *code);
        let recorder = self.law.recorder_locations.iter().map(own(Subject::Recorder));
        let operator = self.law.operator_locations.iter().map(own(Subject::Operator));
        for (of, code) in recorder.chain(operator) {
            self.explain(table, of, code, now, &mut because);
        }
        because.extend(self.law.overlays.iter().map(|id| self.overlay(table, id)));
        because
    }

    fn explain(&self, table: &Table, of: Concerned, code: Code, now: Timestamp, because: &mut Vec<Because>) {
        let asked = table.asks(code, self.law.medium, self.law.kind, self.law.started_at);
        let own = words(&asked.requirement);
        let (mut says, citations) = match asked.basis {
            Basis::Row(row) => {
                (format!("{}: {own}. {}", row.name, row.source.summary), Arc::clone(&row.source.citations))
            }
            Basis::StrictestOf(row) => (
                format!(
                    "{} without a known state or territory: the strictest of them applies: {own}",
                    row.name
                ),
                Arc::clone(&row.source.citations),
            ),
            Basis::Default if atlas::name(code).is_none() => {
                let meant = atlas::usually_meant(code);
                let says =
                    format!("ISO 3166 lists no place `{code}`, so the table's default applies: {own}{meant}");
                (says, Arc::default())
            }
            Basis::Default => {
                (format!("the table has no row for {code}, so its default applies: {own}"), Arc::default())
            }
        };
        let by_newest = self.law.asked_by(table, code);
        for earlier in self.law.earlier() {
            let before = self.law.asked_by(earlier, code);
            if !by_newest.is_at_least(&before) {
                says.push_str(&format!(
                    " An earlier version of the table, which was in force on this call, asked for more, and within one call nothing is relaxed: {}.",
                    words(&before)
                ));
            }
        }
        for (reading, over) in self.law.readings.about(code) {
            says.push_str(&read_as(reading, over, now));
        }
        let asks = self.law.asks(code).and(self.law.asks_again(code, now));
        say(because, of, Ground::Place(code), asks, citations, says);
        if let Some(row) = asked.parent {
            let asks = row.asks(self.law.medium, self.law.kind);
            let mut says = format!("{}: {}. {}", row.name, words(&asks), row.source.summary);
            let adding =
                self.law.readings.about(row.code).filter(|(reading, _)| reading.terms.instead_of.is_none());
            adding.for_each(|(reading, over)| says.push_str(&read_as(reading, over, now)));
            say(because, of, Ground::Place(row.code), asks, Arc::clone(&row.source.citations), says);
        }
        let Some(evidence) = of.evidence else { return };
        let floor = self.law.floor(evidence);
        if floor.strictness > asked.requirement.strictness {
            let known = match evidence {
                Evidence::Declared => "a declaration",
                Evidence::Ip => "an IP address",
                Evidence::Number => "a phone number",
            };
            let says =
                format!("where a place rests on {known} alone, at least this is asked: {}", words(&floor));
            say(because, of, Ground::Evidence(evidence), floor, Arc::default(), says);
        }
    }

    fn overlay(&self, table: &Table, id: &str) -> Because {
        let asks = table.overlay_asks(id, self.law.medium, self.law.kind, self.law.started_at);
        let (says, citations) = match table.overlay(id, self.law.started_at) {
            Some(overlay) => (
                format!("{}: {}. {}", overlay.name, adds(&asks), overlay.source.summary),
                Arc::clone(&overlay.source.citations),
            ),
            None if !table.overlay_history(id).is_empty() => {
                (format!("the overlay `{id}` was not in force when the call began"), Arc::default())
            }
            None => (
                format!("the table has no overlay `{id}`, so its default applies: {}", words(&asks)),
                Arc::default(),
            ),
        };
        Because { ground: Ground::Overlay(id.to_owned()), of: Vec::new(), asks, citations, says }
    }
}

/// How the account's counsel reads a place's law.
fn read_as(reading: &Reading, over: Option<Timestamp>, now: Timestamp) -> String {
    let Reading { id, terms } = reading;
    let own = words(&terms.requirement());
    match (terms.instead_of, over) {
        (None, _) => format!(" Counsel of the account asks more here (reading {id}): {own}."),
        (Some(_), Some(over)) if over <= now => {
            format!(" The account's reading {id}, by which less was asked, is over since {over}.")
        }
        (Some(_), Some(over)) => {
            format!(" Counsel of the account reads it otherwise until {over} (reading {id}): {own}.")
        }
        (Some(_), None) => format!(" Counsel of the account reads it otherwise (reading {id}): {own}."),
    }
}

/// Says a rule; where it is said already, whom else it concerns.
fn say(
    because: &mut Vec<Because>,
    of: Concerned,
    ground: Ground,
    asks: Requirement,
    citations: Arc<[Citation]>,
    says: String,
) {
    match because.iter_mut().find(|one| one.ground == ground && one.says == says) {
        Some(said) if said.of.contains(&of) => {}
        Some(said) => said.of.push(of),
        None => because.push(Because { ground, of: alloc::vec![of], asks, citations, says }),
    }
}

fn state(person: &Person, demand: &Demand, now: Timestamp) -> ParticipantState {
    match person.objection(now) {
        Some(Why::Declined(_)) => return ParticipantState::Declined,
        Some(_) => return ParticipantState::Withdrawn,
        None => {}
    }
    let Some(stay) = person.stay(now) else { return ParticipantState::Left };
    let level = stay.level(now, demand);
    let unwritten = demand.in_writing() && !stay.consented_in_writing(now, demand);
    match &stay.outcome {
        _ if level == Level::Express && !unwritten => ParticipantState::Consented,
        _ if level == Level::Asserted && demand.requirement.strictness == Strictness::One => {
            ParticipantState::Consented
        }
        PromptOutcome::Playing => ParticipantState::Prompting,
        PromptOutcome::Interrupted => ParticipantState::Interrupted,
        PromptOutcome::Uncounted(prompt) if prompt.is_cut_short() => ParticipantState::Interrupted,
        _ if level >= Level::Notice => ParticipantState::Prompted,
        PromptOutcome::Completed if stay.told().is_some_and(|told| told.is_enough_for(demand.told)) => {
            ParticipantState::Prompted
        }
        PromptOutcome::Completed => ParticipantState::Unprompted,
        PromptOutcome::None | PromptOutcome::Uncounted(_) => ParticipantState::Unprompted,
    }
}

/// What a prompt has to say to tell this, in words.
#[must_use]
pub fn telling(told: Told) -> String {
    let elements = told.elements.iter().map(Element::says).map(ToOwned::to_owned);
    let purposes = told.purposes.iter();
    let purposes = purposes.map(|purpose: Purpose| format!("that it is for `{}`", purpose.as_str()));
    elements.chain(purposes).collect::<Vec<_>>().join(", ")
}

/// A requirement in words.
#[must_use]
pub fn words(requirement: &Requirement) -> String {
    if requirement.forbidden {
        return "recording is forbidden".into();
    }
    // What is asked of a purpose that no rule names.
    let usual = requirement.by_purpose.of(Purposes::NONE.with(Purpose::Other));
    let mut words = asked(usual).to_string();
    if requirement.announcement_must_be_recorded {
        words.push_str(", and the recording itself must hold an announcement");
    }
    if let Tone::Every(seconds) = requirement.tone {
        words.push_str(&format!(", or a tone at least every {seconds} seconds"));
    }
    for other in [Strictness::One, Strictness::Notice, Strictness::Express] {
        let named = requirement.by_purpose.each().filter(|(_, one)| *one == other && other != usual);
        let named: Vec<&str> = named.map(|(purpose, _)| purpose.as_str()).collect();
        let named = named.join("` or `");
        if other < usual && !named.is_empty() {
            let asked = asked(other);
            words.push_str(&format!("; if the call and every prompt and grant name only `{named}`, {asked}"));
        } else if !named.is_empty() {
            let asked = asked(other);
            words.push_str(&format!("; for `{named}`, or if no purpose is named, {asked}"));
        }
    }
    let written: Vec<&str> = requirement.written_for.iter().map(Purpose::as_str).collect();
    if !written.is_empty() {
        words.push_str(&format!("; for `{}`, everybody must agree in writing", written.join("` or `")));
    }
    for purpose in Purpose::distinguished() {
        let roles: Vec<&str> = requirement.forbids.roles(purpose).map(role_in_words).collect();
        match roles.len() {
            0 => {}
            3 => words.push_str(&format!("; nobody may be recorded for `{}`", purpose.as_str())),
            _ => words.push_str(&format!(
                "; nobody may be recorded for `{}` while {} is on the call",
                purpose.as_str(),
                roles.join(" or ")
            )),
        }
    }
    let always: Vec<&str> = requirement.says.always.iter().map(Element::says).collect();
    if !always.is_empty() {
        words.push_str(&format!("; the prompt has to say {}", always.join(", ")));
    }
    let mut asked: Vec<Elements> = Vec::new();
    for elements in requirement.says.for_purpose {
        if !elements.is_empty() && !asked.contains(&elements) {
            asked.push(elements);
        }
    }
    for elements in asked {
        let same = Purpose::ALL.into_iter().filter(|one| requirement.says.for_one(*one) == elements);
        let purposes: Vec<&str> = same.map(Purpose::as_str).collect();
        let elements: Vec<&str> = elements.iter().map(Element::says).collect();
        words.push_str(&format!(
            "; where the recording is for `{}`, the prompt has to say {}",
            purposes.join("` or `"),
            elements.join(", ")
        ));
    }
    let purposes: Vec<&str> = requirement.says.purposes.iter().map(Purpose::as_str).collect();
    if !purposes.is_empty() {
        words.push_str(&format!("; the prompt has to be for `{}`", purposes.join("`, `")));
    }
    if requirement.mandatory {
        words.push_str("; the call has to be recorded, or not go on");
    }
    if requirement.pause_for_card_data {
        words.push_str("; recording pauses while card data are spoken");
    }
    match requirement.on_hold {
        OnHold::Counted => words.push_str("; whoever is on hold counts as on the call"),
        OnHold::NotRecorded => words.push_str("; nothing is recorded while somebody is on hold"),
        OnHold::NotCounted | OnHold::Account => {}
    }
    if let Some(minimum) = requirement.retention.minimum {
        words.push_str(&format!("; a recording is kept for at least {minimum}"));
    }
    if let Some(maximum) = requirement.retention.maximum {
        words.push_str(&format!("; a recording is kept for at most {maximum}"));
    }
    words
}

/// Whose consent is asked for, and how.
fn asked(strictness: Strictness) -> &'static str {
    match strictness {
        Strictness::One => ONE_IS_ENOUGH,
        Strictness::Notice => "all parties must be told before recording, and stay",
        Strictness::Express => "all parties must be told before recording, and expressly say yes",
    }
}

fn role_in_words(role: Role) -> &'static str {
    match role {
        Role::Customer => "a customer",
        Role::Agent => "an agent",
        Role::System => "a system with a number or a place",
    }
}

/// What an overlay adds, in words. It never says whose consent is enough.
#[must_use]
pub fn adds(requirement: &Requirement) -> String {
    let all = words(requirement);
    let Some(further) = all.strip_prefix(ONE_IS_ENOUGH) else { return all };
    let further = further.trim_start_matches([';', ',', ' ']);
    let further = further.strip_prefix("and ").unwrap_or(further);
    if further.is_empty() { "nothing is asked of the call itself".into() } else { further.into() }
}

const ONE_IS_ENOUGH: &str = "one party's consent is enough";
