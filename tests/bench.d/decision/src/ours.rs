//! The gateway's own decision. Nothing outside of this module names anything of the policy crate.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use policy::table::Confidence;
use policy::{
    Call, Code, Element, Event, Evidence, Heard, Joined, Kind, Medium, Method, Opened, Place, Purpose,
    Purposes, Role, Settings, Standing, Strictness, Table, What,
};

use crate::scene::{DAY, EVIDENCE, Level, MEDIA, Objection, Scene};

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
    /// How much it asks, by the order of [`MEDIA`].
    pub asks: [u8; 4],
    pub strictest_when_unknown: bool,
    pub citations: Vec<String>,
    pub summary: String,
    pub confidence: &'static str,
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
            asks: MEDIA.map(|name| rank(row.asks(medium(name), Kind::Conversation).strictness)),
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

    /// How much a place asks on [`DAY`], its country and what stands in for missing rows included.
    pub fn asks(&self, code: &str, medium_name: &str) -> u8 {
        let code = code.parse().expect("a code");
        rank(self.0.asks(code, medium(medium_name), Kind::Conversation, noon()).requirement.strictness)
    }

    /// How much is asked where nothing is known.
    pub fn default_asks(&self) -> u8 {
        rank(self.0.default_rule().strictness)
    }

    /// The least that is asked for an evidence, by the order of [`EVIDENCE`].
    pub fn floors(&self) -> [u8; 3] {
        [0, 1, 2].map(|index| rank(self.0.floor(evidence(index)).strictness))
    }
}

/// What the platform would have sent: how the call was opened, and what happened on it.
pub fn facts(scene: &Scene) -> Facts {
    let place = |(code, index): &(String, usize)| Place::new(code.parse().expect("a code"), evidence(*index));
    let joined = |(number, participant): (usize, &crate::scene::Participant)| Joined {
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
        purposes: Purposes::NONE.with(Purpose::Quality),
        overlays: Vec::new(),
        readings: Vec::new(),
        settings: Settings::default(),
        participants: scene.participants.iter().enumerate().map(joined).collect(),
    };

    let among = |wanted: &dyn Fn(&crate::scene::Participant) -> bool| -> Vec<u32> {
        let numbered = scene.participants.iter().enumerate();
        numbered.filter(|(_, participant)| wanted(participant)).map(|(number, _)| number as u32).collect()
    };
    let greeting = Heard {
        version: "greeting".into(),
        duration_ms: 2_000,
        language: "en".into(),
        covers_purposes: true,
        says: Element::ALL.into_iter().collect(),
        purposes: Purposes::NONE.with(Purpose::Quality),
    };
    let prompted = among(&|participant| participant.level >= Level::Prompted);
    let agreed = among(&|participant| matches!(participant.level, Level::Asserted | Level::Express));
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

/// That the moment of the calls is on their day.
pub fn check_day() {
    assert_eq!(noon().to_string(), format!("{DAY}T12:00:00Z"));
}
