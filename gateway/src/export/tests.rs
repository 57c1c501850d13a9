//! Calls as the gate logs them, for the tests of every format.

mod programs;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jiff::{SignedDuration, Timestamp};
use policy::{
    Call, Control, Event, Evidence, Grant, Heard, Joined, Kind, LawfulBasis, Medium, Method, Opened, Place,
    Purpose, Purposes, Refusal, Role, Settings, Table, What, Why,
};
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
use rsa::{PrivateKey, PublicKey};
use serde_json::{Value, json};
use uuid::Uuid;

use super::record::KnownMedia;
use super::{Controller, Entry, Extras, KnownPerson, Record};
use trail::Came;
use trail::story::Story;
use trail::{Actor, Body, Saw};

pub(super) const CALLER: u32 = 0;
pub(super) const AGENT: u32 = 1;
pub(super) const PROMPT: Uuid = Uuid::from_u128(0x7001);
pub(super) const GRANT: Uuid = Uuid::from_u128(0x7002);
pub(super) const RECORDING: Uuid = Uuid::from_u128(0x7003);
const CALL: Uuid = Uuid::from_u128(0x7004);
/// How long the agent's grant holds: beyond the day on which the tests are run.
pub(super) const A_CENTURY_MS: i64 = 100 * 365 * 86_400_000;

const TABLE: &str = r#"
[default]
parties = "all"
form = "express"

[evidence]
declared = { parties = "one", form = "none" }
ip       = { parties = "all", form = "notice" }
number   = { parties = "all", form = "notice" }

[[jurisdiction]]
code = "DE"
name = "Germany"
parties = "all"
form = "express"
citations = ["StGB § 201"]
summary = "Everybody has to say yes."
confidence = "high"
reviewed = false

[[jurisdiction]]
code = "US-CA"
name = "California"
parties = "all"
form = "notice"
citations = ["Cal. Penal Code § 632"]
summary = "Everybody has to be told."
confidence = "high"
reviewed = false

[[jurisdiction]]
code = "US-NY"
name = "New York"
parties = "one"
form = "none"
citations = ["N.Y. Penal Law § 250.05"]
summary = "One party's consent is enough."
confidence = "high"
reviewed = false
"#;

/// A call, logged as it happens.
pub(super) struct Tape {
    table: Arc<Table>,
    call: Option<Call>,
    head: Option<Uuid>,
    pub(super) now: Timestamp,
    pub(super) entries: Vec<Entry>,
    pub(super) extras: Extras,
}

impl Tape {
    /// A call of a caller in `place` and an agent with a written grant, and a prompt that counts.
    pub(super) fn in_place(place: &str) -> Tape {
        Tape::with(place, Settings::default())
    }

    /// The same, of an account with these settings.
    pub(super) fn with(place: &str, settings: Settings) -> Tape {
        let table = Arc::new(Table::parse(TABLE).unwrap());
        let mut tape = Tape {
            table: Arc::clone(&table),
            call: None,
            head: None,
            now: "2026-11-20T10:00:00Z".parse().unwrap(),
            entries: Vec::new(),
            extras: Extras {
                account: "acme".into(),
                controller: Some(controller()),
                origin: "gateway.example.com/acme".into(),
                log_url: Some("https://gateway.example.com/v1/log/acme".into()),
                exported_at: "2026-11-21T09:00:00.5Z".parse().unwrap(),
                call_id: None,
                people: vec![KnownPerson { number: CALLER, id: None, tel: Some("+14155550177".into()) }],
                media: vec![KnownMedia {
                    recording: RECORDING,
                    content_type: "audio/wav".into(),
                    duration_ms: 8_250,
                    sha512: Some([7; 64]),
                    url: Some(format!("https://gateway.example.com/v1/recordings/{RECORDING}/media")),
                    envelope: Some(json!({"format": "tink"})),
                }],
                table: Some(table),
                notices: BTreeMap::new(),
            },
        };
        let prompt = json!({"text": "This call is recorded.", "language": "en-GB", "duration_ms": 2000, "purposes": ["quality", "zq-purpose"]});
        tape.log(
            Body::Prompt { version: PROMPT, duration_ms: 2000 },
            Some(json!({"prompt": "zq-prompt", "version": 3, "document": prompt})),
        );
        let grant = json!({"subject": "zq-agent", "role": "agent", "basis": "zq-contract", "text_version": "7",
            "written": true, "evidence_sha256": "AB".repeat(32)});
        tape.log(
            Body::Grant {
                grant: GRANT,
                from: tape.now,
                until: Some(tape.later(A_CENTURY_MS)),
                by_guardian: false,
            },
            Some(json!({"grant": "zq-grant", "document": grant})),
        );
        tape.open(place, settings);
        tape
    }

    fn open(&mut self, place: &str, settings: Settings) {
        let place = Place::new(place.parse().unwrap(), Evidence::Declared);
        let grant = Grant {
            grant: GRANT.to_string(),
            by_guardian: false,
            works_agreement: false,
            written: true,
            purposes: None,
            from: self.now,
            until: Some(self.later(A_CENTURY_MS)),
        };
        let caller = Joined {
            identified: true,
            places: vec![place],
            languages: vec!["en".into()],
            ..Joined::new(CALLER, Role::Customer)
        };
        let agent = Joined { places: vec![place], grant: Some(grant), ..Joined::new(AGENT, Role::Agent) };
        let facts = Opened {
            medium: Medium::Telephone,
            kind: Kind::Conversation,
            started_at: self.now,
            recorder_locations: Vec::new(),
            operator_locations: Vec::new(),
            purposes: Purposes::of(["quality"]),
            overlays: Vec::new(),
            readings: Vec::new(),
            settings,
            participants: vec![caller, agent],
        };
        self.call = Some(Call::open(&self.table, self.now, facts.clone()));
        let body = Body::Opened {
            facts,
            subjects: vec![(CALLER, "p1:caller".into())],
            objectors: Vec::new(),
            saw: self.saw(),
        };
        let detail = json!({"call": "zq-call", "participants": ["zq-caller", "zq-agent"],
            "purposes": ["quality", "zq-purpose"], "direction": "inbound", "aliases": []});
        self.log(body, Some(detail));
    }

    pub(super) fn later(&self, ms: i64) -> Timestamp {
        self.now.checked_add(SignedDuration::from_millis(ms)).unwrap()
    }

    pub(super) fn wait(&mut self, ms: i64) {
        self.now = self.later(ms);
    }

    fn saw(&self) -> Saw {
        Saw::of(self.table.digest(), &self.call.as_ref().unwrap().decide(self.now))
    }

    /// Logs something, of the call once it is open, and answers its index.
    pub(super) fn log(&mut self, body: Body, detail: Option<Value>) -> u64 {
        let of_call = body.saw().map(|_| (CALL, self.head));
        let who = Actor { credential: "cg_01".into(), role: "recorder".into() };
        let draft = trail::draft("acme", self.now, &who, of_call, body, detail.clone()).unwrap();
        self.head = of_call.map(|_| draft.id).or(self.head);
        // Other calls have entries in between.
        let index = u64::try_from(self.entries.len()).unwrap() * 2 + 4;
        let proof = Some(format!("c2sp.org/tlog-proof@v1\nindex {index}\n"));
        self.entries.push(Entry { index, leaf: draft.leaf, detail, proof });
        index
    }

    pub(super) fn happens(&mut self, what: What) -> u64 {
        let facts = Event { received_at: self.now, at: None, what };
        self.call.as_mut().unwrap().apply(&facts);
        let saw = self.saw();
        let reported_by = Some("platform".into());
        let body = Body::Event { facts, subjects: Vec::new(), reported_by, late: false, saw };
        self.log(body, Some(json!({"event": {"evidence": {"source": "zq-source"}}, "clock_offset_ms": null})))
    }

    /// The prompt is played to the end.
    pub(super) fn prompt(&mut self) -> u64 {
        let prompt = Heard {
            version: PROMPT.to_string(),
            duration_ms: 2000,
            language: "en".into(),
            covers_purposes: true,
            says: policy::Elements::NONE,
            purposes: Purposes::of(["quality"]),
        };
        self.happens(What::PromptStarted { participants: vec![CALLER], prompt: prompt.clone() });
        self.wait(2000);
        self.happens(What::PromptCompleted { participants: vec![CALLER], prompt, played_ms: 2000 })
    }

    pub(super) fn yes(&mut self) -> u64 {
        self.happens(What::ConsentGiven { participants: vec![CALLER], method: Method::Dtmf })
    }

    pub(super) fn declines(&mut self) -> u64 {
        self.happens(What::ConsentDeclined { participants: vec![CALLER] })
    }

    pub(super) fn withdraws(&mut self) -> u64 {
        self.happens(What::ConsentWithdrawn { participants: vec![CALLER] })
    }

    /// Ten seconds are recorded and accepted.
    pub(super) fn recorded(&mut self) -> u64 {
        self.happens(What::Control(Control::Start));
        let from = self.now;
        self.wait(10_000);
        self.accepted(from)
    }

    pub(super) fn accepted(&mut self, from: Timestamp) -> u64 {
        let what = What::Accepted { spans: vec![(from, self.now)] };
        self.call.as_mut().unwrap().apply(&Event { received_at: self.now, at: None, what });
        let body = Body::Accepted {
            recording: RECORDING,
            came: Came::NATIVE,
            envelope: "ab".repeat(32),
            media: "cd".repeat(32),
            bytes: 132_100,
            keys: vec!["key".into()],
            format: seal::Format::Tink,
            spans: vec![(from, self.now)],
            silenced: Vec::new(),
            unplaced: false,
            codec_ms: 0,
            shifted_ms: 0,
            unasked: None,
            keep_until: Some(self.later(1_000_000)),
            delete_by: Some(self.later(2_000_000)),
            released: None,
            saw: self.saw(),
        };
        self.log(body, Some(json!({"name": "zq-name"})))
    }

    pub(super) fn refused(&mut self, code: Refusal, why: Why) -> u64 {
        let uncovered = vec![(self.later(-4_000), self.now, why)];
        let body = Body::Refused { discarded: false, came: Came::NATIVE, code, uncovered, saw: self.saw() };
        self.log(body, Some(json!({"name": "zq-refused"})))
    }

    /// The trail could not be written since `from`.
    pub(super) fn gap(&mut self, from: Timestamp) -> u64 {
        let facts = Event { received_at: self.now, at: Some(from), what: What::Gap };
        self.call.as_mut().unwrap().apply(&facts);
        self.log(Body::Gap { from, until: self.now, cause: trail::GapCause::TrailUnavailable }, None)
    }

    /// Every detail, and whoever stood behind the numbers, is erased.
    pub(super) fn erase(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.detail = None);
        self.extras.people.clear();
    }

    pub(super) fn record(&self) -> Record {
        Record::from_entries(&self.entries, self.extras.clone()).unwrap()
    }

    pub(super) fn story(&self) -> Story {
        self.record().story
    }
}

pub(super) fn controller() -> Controller {
    Controller {
        name: "Acme Telephony GmbH".into(),
        address: Some("Hauptstr. 1, 10115 Berlin, DE".into()),
        contact: Some("privacy@acme.example".into()),
        privacy_notice: Some("https://acme.example/privacy".into()),
        recipients: vec!["Transcribe Ltd".into()],
        storage_locations: vec!["DE".into(), "our own cellar".into()],
        withdrawal: Some("https://acme.example/withdraw".into()),
    }
}

/// The stories that every format has to tell.
pub(super) fn stories() -> Vec<(&'static str, Tape)> {
    let mut consented = Tape::in_place("DE");
    consented.prompt();
    consented.yes();
    consented.recorded();
    consented.happens(What::Left { participants: vec![CALLER] });
    consented.happens(What::Ended);

    let mut stayed = Tape::in_place("US-CA");
    stayed.prompt();
    stayed.recorded();

    let bases =
        [(Purpose::Quality, LawfulBasis::LegitimateInterests), (Purpose::Other, LawfulBasis::Contract)];
    let mut stated = Tape::with("US-CA", Settings { lawful_basis: bases.into(), ..Settings::default() });
    stated.extras.notices = [(Purpose::Quality, "https://acme.example/notice".into())].into();
    stated.prompt();
    stated.recorded();

    let mut declined = Tape::in_place("DE");
    declined.prompt();
    declined.declines();
    declined.happens(What::Ended);

    let mut withdrawn = Tape::in_place("DE");
    withdrawn.prompt();
    withdrawn.yes();
    withdrawn.recorded();
    withdrawn.wait(1_000);
    withdrawn.withdraws();
    withdrawn.wait(5_000);
    withdrawn.refused(Refusal::ConsentWithdrawn, Why::Withdrawn(0));

    let mut refused = Tape::in_place("DE");
    refused.wait(5_000);
    refused.refused(Refusal::ConsentRequired, Why::Missing(0));

    let mut retried = Tape::in_place("DE");
    retried.wait(5_000);
    retried.refused(Refusal::ConsentRequired, Why::Missing(0));
    retried.prompt();
    retried.yes();
    retried.recorded();

    let mut one_party = Tape::in_place("US-NY");
    one_party.recorded();

    let mut deleted = Tape::in_place("US-CA");
    deleted.prompt();
    deleted.recorded();
    deleted.log(Body::Deleted { recording: RECORDING }, None);

    let mut erased = Tape::in_place("DE");
    erased.prompt();
    erased.yes();
    erased.recorded();
    erased.erase();

    let mut unconfigured = Tape::in_place("US-CA");
    unconfigured.prompt();
    unconfigured.recorded();
    let extras = &mut unconfigured.extras;
    (extras.controller, extras.log_url, extras.media) = (None, None, Vec::new());

    vec![
        ("consented", consented),
        ("stayed", stayed),
        ("stated", stated),
        ("declined", declined),
        ("withdrawn", withdrawn),
        ("refused", refused),
        ("retried", retried),
        ("one-party", one_party),
        ("deleted", deleted),
        ("erased", erased),
        ("unconfigured", unconfigured),
    ]
}

/// A self-signed certificate, its RSA key (PKCS#8), and the public half.
pub(super) fn rsa_pair() -> (String, String, PublicKey) {
    static KEY: LazyLock<PrivateKey> =
        LazyLock::new(|| PrivateKey::new(&mut crate::random::Drawn::default(), 2048).unwrap());
    let pem = KEY.to_pkcs8_pem(LineEnding::LF).unwrap();
    let pair = rcgen::KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &rcgen::PKCS_RSA_SHA256).unwrap();
    let params = rcgen::CertificateParams::new(["gateway.example.com".to_owned()]).unwrap();
    (params.self_signed(&pair).unwrap().pem(), pem.to_string(), KEY.to_public_key())
}

#[test]
fn the_controller_is_read_from_the_configuration_and_a_key_that_nobody_knows_is_refused() {
    let read = |text: &str| toml::from_str::<Controller>(text);
    assert_eq!(read("name = \"Acme\"").unwrap(), Controller { name: "Acme".into(), ..Controller::default() });
    let error = read("name = \"Acme\"\nadress = \"Hauptstr. 1\"").unwrap_err().to_string();
    assert!(error.contains("adress") && error.contains("privacy_notice"), "{error}");
    assert!(read("").unwrap_err().to_string().contains("name"));
}
