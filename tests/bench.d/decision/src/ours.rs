//! The gateway's own decision. Nothing outside of this module names anything of the policy crate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use policy::table::Confidence;
use policy::{
    Call, Code, Element, Elements, Event, Evidence, Heard, Joined, Kind, Medium, Method, Opened, Place,
    Purpose, Purposes, Requirement, Role, Settings, Standing, Strictness, Table, What,
};
use serde_json::json;

use crate::scene::{
    ALWAYS, ANYTHING, DAY, ELEMENTS, EVIDENCE, MEDIA, Objection, PURPOSES, Participant, Scene, WITHOUT_A_ROW,
};

/// A table that was read.
pub struct Law(Arc<Table>);

/// A call as its facts have made it.
pub type Folded = Call;

/// The facts of a call.
#[derive(Clone)]
pub struct Facts {
    opened: Opened,
    events: Vec<Event>,
}

/// A row, for the other engines.
pub struct Row {
    pub code: String,
    pub name: String,
    pub from: Option<String>,
    /// What it asks, by the order of [`MEDIA`].
    pub asks: [Rule; 4],
    pub strictest_when_unknown: bool,
    pub citations: Vec<String>,
    pub summary: String,
    pub confidence: &'static str,
}

/// What is asked, for the other engines.
pub struct Rule {
    /// How much, 1 to 3, for the purposes that have no rule of their own.
    form: u8,
    /// How much for those that have one.
    form_for: BTreeMap<&'static str, u8>,
    /// Of whom a purpose is forbidden.
    pub forbids: BTreeMap<&'static str, Vec<&'static str>>,
    pub written_for: Vec<&'static str>,
    /// What a prompt has to say, [`ALWAYS`] or for a purpose.
    pub says: BTreeMap<&'static str, Vec<&'static str>>,
}

impl Rule {
    fn of(requirement: &Requirement) -> Rule {
        // No rule speaks of other purposes, so they show what it asks of those that it does not name.
        let form = rank(requirement.by_purpose.of(Purposes::NONE.with(Purpose::Other)));
        let each = requirement.by_purpose.each().map(|(purpose, asked)| (purpose.as_str(), rank(asked)));
        let roles = |purpose: Purpose| -> Vec<&'static str> {
            let word = |role| match role {
                Role::Customer => "customer",
                Role::Agent => "agent",
                Role::System => "system",
            };
            requirement.forbids.roles(purpose).map(word).collect()
        };
        let forbids = Purpose::ALL.into_iter().map(|purpose| (purpose.as_str(), roles(purpose)));
        let elements =
            |elements: Elements| -> Vec<&'static str> { elements.iter().map(Element::as_str).collect() };
        let for_purpose = |purpose: Purpose| (purpose.as_str(), elements(requirement.says.for_one(purpose)));
        let always = [(ALWAYS, elements(requirement.says.always))].into_iter();
        let says = always.chain(Purpose::ALL.into_iter().map(for_purpose));
        Rule {
            form,
            form_for: each.filter(|(_, asked)| *asked != form).collect(),
            forbids: forbids.filter(|(_, roles)| !roles.is_empty()).collect(),
            written_for: requirement.written_for.iter().map(Purpose::as_str).collect(),
            says: says.filter(|(_, elements)| !elements.is_empty()).collect(),
        }
    }

    /// How much it asks for one purpose; for [`ANYTHING`], the most.
    pub fn asks(&self, purpose: &str) -> u8 {
        match purpose {
            ANYTHING => self.most(),
            _ => self.form_for.get(purpose).copied().unwrap_or(self.form),
        }
    }

    /// The most that it asks for any purpose.
    pub fn most(&self) -> u8 {
        self.form_for.values().copied().fold(self.form, u8::max)
    }

    /// The least that it asks, whatever the purpose.
    pub fn least(&self) -> u8 {
        self.form_for.values().copied().fold(self.form, u8::min)
    }

    /// Whether it has anything of its own for a purpose.
    pub fn speaks_of(&self, purpose: &str) -> bool {
        let told = self.form_for.contains_key(purpose) || self.says.contains_key(purpose);
        told || self.forbids.contains_key(purpose) || self.written_for.iter().any(|one| *one == purpose)
    }

    /// The rule as JSON, without what it does not ask.
    pub fn to_json(&self) -> serde_json::Value {
        let mut rule = json!({ "form": self.form });
        if !self.form_for.is_empty() {
            rule["form_for"] = json!(self.form_for);
        }
        if !self.forbids.is_empty() {
            rule["forbids"] = json!(self.forbids);
        }
        if !self.written_for.is_empty() {
            rule["written_for"] = json!(self.written_for);
        }
        if !self.says.is_empty() {
            rule["says"] = json!(self.says);
        }
        rule
    }
}

/// Reads a table.
pub fn parse(text: &str) -> Law {
    match Table::parse(text) {
        Ok(table) => Law(Arc::new(table)),
        Err(problems) => panic!("{} problems in a table: {:?}", problems.0.len(), problems.0.first()),
    }
}

impl Law {
    pub fn rows(&self) -> Vec<Row> {
        let row = |row: &policy::table::Row| Row {
            code: row.code.to_string(),
            name: row.name.clone(),
            from: row.effective_from.map(|from| from.to_string()),
            asks: MEDIA.map(|name| Rule::of(&row.asks(medium(name), Kind::Conversation))),
            strictest_when_unknown: row.strictest_when_unknown,
            citations: row.source.citations.iter().map(|citation| citation.cite.clone()).collect(),
            summary: row.source.summary.clone(),
            confidence: match row.source.confidence {
                Confidence::High => "high",
                Confidence::Medium => "medium",
                Confidence::Low => "low",
            },
        };
        self.0.rows().map(row).collect()
    }

    /// The codes of its rows, and those of [`WITHOUT_A_ROW`].
    pub fn codes(&self) -> BTreeSet<String> {
        let rows = self.0.rows().map(|row| row.code.to_string());
        rows.chain(WITHOUT_A_ROW.map(String::from)).collect()
    }

    /// What a place asks on [`DAY`], its country and what stands in for missing rows included.
    pub fn rule(&self, code: &str, medium_name: &str) -> Rule {
        let code = code.parse().expect("a code");
        Rule::of(&self.0.asks(code, medium(medium_name), Kind::Conversation, noon()).requirement)
    }

    /// What is asked where nothing is known, whatever the medium.
    pub fn default_rule(&self) -> Rule {
        Rule::of(&self.0.default_asks(Medium::Unknown, Kind::Conversation))
    }

    /// The least that is asked for an evidence, by the order of [`EVIDENCE`].
    pub fn floors(&self) -> [Rule; 3] {
        [0, 1, 2].map(|index| Rule::of(&self.0.floor_asks(evidence(index), Kind::Conversation)))
    }

    /// What everything asks in a medium that brings a rule onto a call: the places of [`Law::codes`], the
    /// evidence that they rest on, and "nothing" where no place of somebody is known.
    pub fn grounds(&self, medium_name: &str) -> BTreeMap<String, Rule> {
        let places = self.codes().into_iter().map(|code| (self.rule(&code, medium_name), code));
        let mut grounds: BTreeMap<String, Rule> = places.map(|(rule, code)| (code, rule)).collect();
        grounds.extend(EVIDENCE.map(String::from).into_iter().zip(self.floors()));
        grounds.insert("nothing".into(), self.default_rule());
        grounds
    }
}

/// What the platform would have sent: how the call was opened, and what happened on it.
pub fn facts(scene: &Scene) -> Facts {
    let place = |(code, index): &(String, usize)| Place::new(code.parse().expect("a code"), evidence(*index));
    let joined = |(number, participant): (usize, &Participant)| Joined {
        places: participant.places.iter().map(place).collect(),
        languages: vec!["en".into()],
        ..Joined::new(number as u32, if participant.agent { Role::Agent } else { Role::Customer })
    };
    let location =
        |code: &Option<String>| code.as_ref().map(|code| -> Code { code.parse().expect("a code") });
    let opened = Opened {
        medium: medium(scene.medium),
        kind: Kind::Conversation,
        started_at: noon(),
        recorder_locations: location(&scene.recorder).into_iter().collect(),
        operator_locations: location(&scene.operator).into_iter().collect(),
        purposes: Purposes::of(scene.purposes.iter().copied()),
        overlays: Vec::new(),
        readings: Vec::new(),
        settings: Settings::default(),
        participants: scene.participants.iter().enumerate().map(joined).collect(),
    };

    let among = |wanted: &dyn Fn(&Participant) -> bool| -> Vec<u32> {
        let numbered = scene.participants.iter().enumerate();
        numbered.filter(|(_, participant)| wanted(participant)).map(|(number, _)| number as u32).collect()
    };
    let greeting = Heard {
        version: "greeting".into(),
        duration_ms: 2_000,
        language: "en".into(),
        covers_purposes: scene.prompt.names_all(&scene.purposes),
        says: Elements::of(scene.prompt.says()),
        purposes: Purposes::of(scene.prompt.purposes.iter().copied()),
    };
    let prompted = among(&Participant::is_prompted);
    let agreed = among(&|participant| participant.agrees() && !participant.written);
    let signed = among(&|participant| participant.agrees() && participant.written);
    let declined = among(&|participant| participant.objection == Objection::Declined);
    let withdrawn = among(&|participant| participant.objection == Objection::Withdrawn);
    let left = among(&|participant| participant.left);
    let what = [
        (1, What::PromptStarted { participants: prompted.clone(), prompt: greeting.clone() }, &prompted),
        (
            3,
            What::PromptCompleted { participants: prompted.clone(), prompt: greeting, played_ms: 2_000 },
            &prompted,
        ),
        (5, What::ConsentGiven { participants: agreed.clone(), method: Method::Dtmf }, &agreed),
        (5, What::ConsentGiven { participants: signed.clone(), method: Method::Written }, &signed),
        (6, What::ConsentDeclined { participants: declined.clone() }, &declined),
        (7, What::ConsentWithdrawn { participants: withdrawn.clone() }, &withdrawn),
        (8, What::Left { participants: left.clone() }, &left),
    ];
    let told = what.into_iter().filter(|(_, _, participants)| !participants.is_empty());
    let events = told.map(|(second, what, _)| Event { received_at: seconds(second), at: None, what });
    Facts { opened, events: events.collect() }
}

/// The call that the facts make.
pub fn fold(law: &Law, facts: Facts) -> Folded {
    let mut call = Call::open(&law.0, noon(), facts.opened);
    for event in &facts.events {
        call.apply(event);
    }
    call
}

/// Whether recording is lawful now: the verdict alone.
pub fn verdict(call: &Folded) -> bool {
    call.standing(now()) == Standing::Lawful
}

/// A decision with its whole explanation.
pub fn decide(call: &Folded) -> policy::Decision {
    call.decide(now())
}

/// Whether a decision permits recording, and how much was asked.
pub fn outcome(decision: &policy::Decision) -> (bool, u8) {
    (decision.permitted(), rank(decision.requirement.strictness))
}

fn rank(strictness: Strictness) -> u8 {
    match strictness {
        Strictness::One => 1,
        Strictness::Notice => 2,
        Strictness::Express => 3,
    }
}

fn medium(name: &str) -> Medium {
    match name {
        "telephone" => Medium::Telephone,
        "voip" => Medium::Voip,
        "video" => Medium::Video,
        _ => Medium::Unknown,
    }
}

fn evidence(index: usize) -> Evidence {
    let known = [Evidence::Number, Evidence::Ip, Evidence::Declared];
    let found = known.into_iter().find(|evidence| evidence.as_str() == EVIDENCE[index]);
    found.expect("an evidence")
}

// Reading a time is no part of a decision.
fn noon() -> Timestamp {
    const NOON: Timestamp = Timestamp::constant(1_795_176_000, 0);
    NOON
}

fn now() -> Timestamp {
    seconds(60)
}

fn seconds(seconds: i64) -> Timestamp {
    noon().saturating_add(SignedDuration::from_secs(seconds)).expect("a time")
}

/// That the moment of the calls is on their day, and that they are told in the words of the law.
pub fn check_words() {
    assert_eq!(noon().to_string(), format!("{DAY}T12:00:00Z"));
    assert_eq!(Purpose::ALL.map(Purpose::as_str), PURPOSES);
    assert_eq!(Element::ALL.map(Element::as_str), ELEMENTS);
}
