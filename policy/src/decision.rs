//! What follows from the facts now: one decision, with its explanation.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use jiff::Timestamp;

use crate::call::Person;
use crate::call::{Call, Level, PromptOutcome, Recorder, Standing, Why};
use crate::fact::{Kind, Role};
use crate::place::{Code, Evidence};
use crate::rule::{Requirement, Strictness, Tone};
use crate::table::{Basis, Row};

/// What the law asks of a call now, and whether recording is permitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Whether recording is lawful now, and if not, why.
    pub standing: Standing,
    /// What we believe the platform is doing.
    pub recorder: Recorder,
    /// What it should do now.
    pub action: Action,
    /// What all rules of the call ask together.
    pub requirement: Requirement,
    /// When it was made.
    pub decided_at: Timestamp,
    /// Everybody who has ever been on the call.
    pub participants: Vec<ParticipantDecision>,
    /// Every rule that counts.
    pub because: Vec<Because>,
    /// By when the recording has to hold an announcement that has not been reported yet.
    pub announcement_due: Option<Timestamp>,
}

impl Decision {
    /// Whether recording is permitted.
    #[must_use]
    pub fn permitted(&self) -> bool {
        self.standing == Standing::Lawful
    }
}

/// What the platform should do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    None,
    /// Pause recording.
    Pause,
    /// Ask to resume: it would be granted.
    Resume,
    /// Stop recording.
    Stop,
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
    /// What a reader should know, in words.
    pub notes: Vec<&'static str>,
}

/// Alternatives, each a list of event types that must happen.
pub type Needs = Vec<Vec<&'static str>>;

/// How far a participant has agreed. Outcomes stay distinct, so that silence, a hang-up, a prompt
/// cut short and a machine can be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Of whom a rule asks something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A participant, by where they are.
    Participant(u32),
    /// The place of the recording device.
    Recorder,
    /// The place where the operator is established.
    Operator,
}

/// A rule that counts, in words.
#[derive(Debug, Clone, PartialEq)]
pub struct Because {
    /// Of whom.
    pub subject: Subject,
    /// The place; none where nothing is known.
    pub code: Option<Code>,
    /// How the place is known; none where nothing is, or where the account says it.
    pub evidence: Option<Evidence>,
    /// The statutes, decisions and regulators that the row cites.
    pub citations: Vec<String>,
    /// The rule in words.
    pub says: String,
}

impl Call<'_> {
    /// What the law asks at `now`, and whether recording is permitted.
    #[must_use]
    pub fn decide(&self, now: Timestamp) -> Decision {
        let call = self.at(now);
        let now = call.last();
        let requirement = call.requirement(now);
        let standing = call.standing(now);
        let announcement = call.open_window().and_then(|window| call.unannounced(window, now));
        Decision {
            standing,
            recorder: call.recorder(),
            action: call.action(standing),
            requirement,
            decided_at: now,
            participants: call
                .people
                .iter()
                .map(|person| call.participant(person, requirement, standing, now))
                .collect(),
            because: call.because(now),
            announcement_due: announcement.map(|(_, due)| due),
        }
    }

    fn action(&self, standing: Standing) -> Action {
        let lawful = standing == Standing::Lawful;
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
        requirement: Requirement,
        standing: Standing,
        now: Timestamp,
    ) -> ParticipantDecision {
        let places = person.places_at(now).into_iter().map(|(code, evidence)| PlaceDecision {
            code,
            evidence,
            requirement: self.asks(code).and(self.table.floor(evidence)),
        });
        ParticipantDecision {
            participant: person.id,
            role: person.role,
            state: state(person, requirement, now),
            needs: self.needs(person, requirement, standing, now),
            places: places.collect(),
            notes: notes(person, now),
        }
    }

    fn needs(&self, person: &Person, requirement: Requirement, standing: Standing, now: Timestamp) -> Needs {
        let Some(stay) = person
            .stay(now)
            .filter(|_| person.is_person() && self.kind != Kind::Emergency && self.ended_at().is_none())
        else {
            return Needs::new();
        };
        if person.objection(now).is_some() {
            return match person.is_prompted_since_objection() {
                true => alloc::vec![alloc::vec![YES]],
                false => alloc::vec![alloc::vec![PROMPT, YES]],
            };
        }
        if standing == Standing::Lawful {
            let unannounced = self.open_window().and_then(|window| self.unannounced(window, now));
            return match unannounced {
                Some((who, _)) if who == person.id => alloc::vec![alloc::vec![ANNOUNCEMENT]],
                Some(_) | None => Needs::new(),
            };
        }
        let level = stay.level(now, requirement);
        let mut needs = match requirement.strictness {
            Strictness::One if standing != Standing::Unlawful(Why::NobodyConsents) => return Needs::new(),
            Strictness::Notice if standing == Standing::Unlawful(Why::NobodyConsents) => {
                alloc::vec![alloc::vec![YES], alloc::vec![PROMPT]]
            }
            Strictness::One => alloc::vec![alloc::vec![YES], alloc::vec![PROMPT]],
            Strictness::Notice if level >= Level::Notice => return Needs::new(),
            Strictness::Notice => alloc::vec![alloc::vec![PROMPT]],
            Strictness::Express if level >= Level::Express => return Needs::new(),
            Strictness::Express if stay.outcome == PromptOutcome::Completed => alloc::vec![alloc::vec![YES]],
            Strictness::Express => alloc::vec![alloc::vec![PROMPT, YES]],
        };
        if stay.is_machine(now) {
            for alternative in &mut needs {
                alternative.insert(0, ANSWERED);
            }
        }
        let toneless = requirement.strictness == Strictness::Notice
            && standing != Standing::Unlawful(Why::NobodyConsents);
        if toneless && matches!(requirement.tone, Tone::Every(_)) {
            // A tone tells everybody, and says yes for nobody.
            let somebody = self.somebody_consents(now, requirement);
            needs.push(if somebody { alloc::vec![TONE] } else { alloc::vec![TONE, YES] });
        }
        needs
    }

    fn because(&self, now: Timestamp) -> Vec<Because> {
        let mut because = Vec::new();
        for person in self.people.iter().filter(|person| person.counts(now)) {
            let subject = Subject::Participant(person.id);
            if person.is_unknown(now) {
                because.push(Because {
                    subject,
                    code: None,
                    evidence: None,
                    citations: Vec::new(),
                    says: format!(
                        "nothing is known of where this participant is, so the table's default applies: {}",
                        words(self.table.default_rule().into())
                    ),
                });
            }
            for (code, evidence) in person.places_at(now) {
                self.explain(subject, code, Some(evidence), &mut because);
            }
        }
        for (subject, code) in
            [(Subject::Recorder, self.recorder_location), (Subject::Operator, self.operator_location)]
        {
            if let Some(code) = code {
                self.explain(subject, code, None, &mut because);
            }
        }
        because
    }

    fn explain(&self, subject: Subject, code: Code, evidence: Option<Evidence>, because: &mut Vec<Because>) {
        let asked = self.table.asks(code, self.medium, self.started_at);
        let own = words(asked.requirement);
        let (mut says, citations) = match asked.basis {
            Basis::Row(row) => (format!("{}: {own}. {}", row.name, row.summary), row.citations.clone()),
            Basis::StrictestOf(row) => (
                format!(
                    "{} without a known state or territory: the strictest of them applies: {own}",
                    row.name
                ),
                row.citations.clone(),
            ),
            Basis::Default => {
                (format!("the table has no row for {code}, so its default applies: {own}"), Vec::new())
            }
        };
        if let Some(evidence) = evidence {
            let floor = Requirement::from(self.table.floor(evidence));
            if floor.strictness > asked.requirement.strictness {
                says.push_str(&format!(
                    " The place rests on {} alone, so at least this is asked: {}.",
                    match evidence {
                        Evidence::Declared => "a declaration",
                        Evidence::Ip => "an IP address",
                        Evidence::Number => "a phone number",
                    },
                    words(floor)
                ));
            }
        }
        because.push(Because { subject, code: Some(code), evidence, citations, says });
        // A country's row is told once, however many of its states are on the call.
        if let Some(parent) = asked.parent
            && !because.iter().any(|told| told.code == Some(parent.code))
        {
            because.push(self.parent(subject, parent, evidence));
        }
    }

    fn parent(&self, subject: Subject, row: &Row, evidence: Option<Evidence>) -> Because {
        Because {
            subject,
            code: Some(row.code),
            evidence,
            citations: row.citations.clone(),
            says: format!("{}: {}. {}", row.name, words(row.requirement(self.medium)), row.summary),
        }
    }
}

fn state(person: &Person, requirement: Requirement, now: Timestamp) -> ParticipantState {
    match person.objection(now) {
        Some(Why::Declined(_)) => return ParticipantState::Declined,
        Some(_) => return ParticipantState::Withdrawn,
        None => {}
    }
    let Some(stay) = person.stay(now) else { return ParticipantState::Left };
    let level = stay.level(now, requirement);
    match stay.outcome {
        _ if level == Level::Express => ParticipantState::Consented,
        _ if level == Level::Asserted && requirement.strictness == Strictness::One => {
            ParticipantState::Consented
        }
        PromptOutcome::Playing => ParticipantState::Prompting,
        PromptOutcome::Interrupted => ParticipantState::Interrupted,
        _ if level == Level::Notice => ParticipantState::Prompted,
        PromptOutcome::Completed => ParticipantState::Prompted,
        PromptOutcome::None | PromptOutcome::Uncounted(_) => ParticipantState::Unprompted,
    }
}

fn notes(person: &Person, now: Timestamp) -> Vec<&'static str> {
    let mut notes = Vec::new();
    if !person.is_person() {
        notes.push("a system without a number, an address or a place is no party");
    }
    if person.languages.is_empty() {
        notes.push("no language is known, so the account's default language counts");
    }
    if let Some(stay) = person.last_stay() {
        if let PromptOutcome::Uncounted(reason) = stay.outcome {
            notes.push(reason);
        }
        notes.extend(stay.refused_grant.map(crate::fact::RefusedGrant::as_str));
        if stay.is_machine(now) {
            notes.push("a machine took the call");
        }
    }
    notes
}

fn words(requirement: Requirement) -> String {
    let mut words = match requirement.strictness {
        Strictness::One => "one party's consent is enough",
        Strictness::Notice => "all parties must be told before recording, and stay",
        Strictness::Express => "all parties must be told before recording, and expressly say yes",
    }
    .to_string();
    if requirement.announcement_must_be_recorded {
        words.push_str(", and the recording itself must hold an announcement");
    }
    if let Tone::Every(seconds) = requirement.tone {
        words.push_str(&format!(", or a tone at least every {seconds} seconds"));
    }
    words
}

const PROMPT: &str = "prompt.completed";
const YES: &str = "consent.given";
const ANNOUNCEMENT: &str = "announcement.recorded";
const ANSWERED: &str = "participant.answered";
const TONE: &str = "tone.started";
