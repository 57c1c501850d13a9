//! The ledger that `tests/bench replay` replays, and the floor beside it.
//!
//!   bench-replay make DIR ACCOUNT COUNT (FROM)
//!       Adds the account, where FROM is not given or 0, and appends calls up to so many, from number FROM on, to
//!       the ledger in DIR, as the gateway writes them: two or three people, a prompt, mostly a yes, start, stop, an
//!       accepted upload, the end. The same places and answers each time.
//!   bench-replay floor DIR
//!       Reads every leaf in the order of the log and parses it as JSON, one after the other, and
//!       prints one line of JSON.
#![expect(clippy::print_stdout, reason = "what was measured goes to standard output")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use consent_gateway::ledger::{self, Change, Job, Ledger, RecordingRow};
use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use policy::{
    Call, Control, CoverageBasis, Event, Evidence, Heard, Joined, Kind, Medium, Method, Opened, Place, Role,
    Table, Use, What,
};
use serde_json::json;
use trail::{Actor, Body, Came, ControlRefusal, Door, Saw};
use uuid::Uuid;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["make", dir, account, count] => make(Path::new(dir), account, 0, count.parse()?).await,
        ["make", dir, account, count, from] => {
            make(Path::new(dir), account, from.parse()?, count.parse()?).await
        }
        ["floor", dir] => floor(Path::new(dir)).await,
        _ => Err("see the head of replay.rs".into()),
    }
}

async fn make(dir: &Path, account: &str, first: u64, count: u64) -> Outcome<()> {
    let ledger = Ledger::open(dir, None).await?;
    if first == 0 {
        ledger.append(founded(account)?).await?;
    }
    let version = ledger.law().await?.ok_or("no table is in force")?;
    let text = ledger.table(&version.digest).await?.ok_or("the table is not there")?;
    let table = Arc::new(Table::parse(&text).map_err(|_| "the table cannot be read")?);
    let group = |from: u64| {
        let (table, account) = (Arc::clone(&table), account.to_owned());
        tokio::task::spawn_blocking(move || {
            let mut job = Job::default();
            for number in from..count.min(from.saturating_add(GROUP)) {
                Maker::call(&table, &account, number, &mut job)?;
            }
            Ok::<Job, Box<dyn std::error::Error + Send + Sync>>(job)
        })
    };
    // The next group is made while one is written.
    let mut next = group(first);
    let mut from = first;
    while from < count {
        let job = next.await??;
        from = from.saturating_add(GROUP);
        next = group(from);
        ledger.append(job).await?;
    }
    ledger.close().await;
    Ok(())
}

/// The account with whatever its calls rely on.
fn founded(account: &str) -> Outcome<Job> {
    let at = BEGAN - SignedDuration::from_secs(1);
    let registered = [
        Body::Account { format: Default::default() },
        Body::Credential {
            on_refusal: trail::OnRefusal::Deny,
            quarantine_seconds: 0,
            credential: RECORDER.into(),
            role: "recorder".into(),
            person: None,
            coverage: CoverageBasis::Granted,
        },
        Body::Key { key: "0".repeat(64), without_proof: false },
        Body::Prompt { version: PROMPT.parse()?, duration_ms: 4_000 },
    ];
    let operator = Actor::command_line();
    let entry = |body| Ok(trail::draft(account, at, &operator, None, body, None)?);
    let entries = registered.into_iter().map(entry).collect::<Outcome<_>>()?;
    let place = || Some("US-NY".to_owned());
    let added = Change::Account {
        id: account.into(),
        operator: place(),
        recorder: place(),
        settings: "{}".into(),
        provisioner: None,
        at: at.as_millisecond(),
    };
    Ok(Job { changes: vec![added], entries, ..Job::default() })
}

async fn floor(dir: &Path) -> Outcome<()> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(ledger::file(dir)).read_only(true);
    let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    let began = Instant::now();
    let (mut leaves, mut bytes) = (0u64, 0usize);
    let mut rows =
        sqlx::query_scalar::<_, Vec<u8>>("SELECT leaf FROM entry ORDER BY log, epoch, seq").fetch(&pool);
    while let Some(leaf) = rows.try_next().await? {
        let parsed: serde_json::Value = serde_json::from_slice(&leaf)?;
        if !parsed.is_object() {
            return Err("a leaf is no object".into());
        }
        leaves = leaves.saturating_add(1);
        bytes = bytes.saturating_add(leaf.len());
    }
    println!("{}", json!({"leaves": leaves, "bytes": bytes, "seconds": began.elapsed().as_secs_f64()}));
    Ok(())
}

/// Writes one call.
struct Maker<'a> {
    account: &'a str,
    digest: &'a str,
    uid: Uuid,
    head: Option<Uuid>,
    call: Call,
    at: Timestamp,
    job: &'a mut Job,
}

impl Maker<'_> {
    fn call(table: &Arc<Table>, account: &str, number: u64, job: &mut Job) -> Outcome<()> {
        let mut dice = Dice(number);
        let at = BEGAN + SignedDuration::from_secs(i64::try_from(number)? * 80);
        let people: u32 = if dice.one_of(5) == 0 { 3 } else { 2 };
        let all: Vec<u32> = (0..people).collect();
        let participants = all
            .iter()
            .map(|participant| {
                let code = PLACES.get(dice.one_of(PLACES.len())).copied().unwrap_or("US-NY");
                let evidence = if dice.one_of(3) == 0 { Evidence::Number } else { Evidence::Declared };
                Ok(Joined {
                    identified: true,
                    places: vec![Place::new(code.parse().map_err(|_| "no place")?, evidence)],
                    languages: vec!["en".into()],
                    ..Joined::new(*participant, if *participant == 1 { Role::Agent } else { Role::Customer })
                })
            })
            .collect::<Outcome<Vec<Joined>>>()?;
        let opened = Opened {
            medium: if dice.one_of(4) == 0 { Medium::Voip } else { Medium::Telephone },
            kind: Kind::Conversation,
            started_at: at - SignedDuration::from_secs(5),
            recorder_locations: vec!["US-NY".parse().map_err(|_| "no place")?],
            operator_locations: vec!["US-NY".parse().map_err(|_| "no place")?],
            purposes: policy::Purposes::NONE,
            overlays: Vec::new(),
            readings: Vec::new(),
            settings: policy::Settings::default(),
            participants,
        };
        let call = Call::open(table, at, opened.clone());
        let mut maker =
            Maker { account, digest: table.digest(), uid: trail::id_of_time(at)?, head: None, call, at, job };
        maker.opened(number, opened)?;
        let prompt = Heard {
            version: PROMPT.into(),
            duration_ms: 4_000,
            language: "en".into(),
            covers_purposes: true,
            says: policy::Element::ALL.into_iter().collect(),
            purposes: policy::Purposes::NONE,
        };
        maker.happens(0, What::PromptStarted { participants: all.clone(), prompt: prompt.clone() })?;
        maker.happens(4, What::PromptCompleted { participants: all.clone(), prompt, played_ms: 4_000 })?;
        if dice.one_of(3) > 0 {
            maker.happens(1, What::ConsentGiven { participants: all.clone(), method: Method::Dtmf })?;
        }
        if maker.call.decide(maker.at).permitted() {
            maker.happens(1, What::Control(Control::Start))?;
            maker.happens(1, What::AnnouncementRecorded { participants: all })?;
            let from = maker.call.windows().last().map_or(maker.at, |window| window.from);
            maker.happens(60, What::Control(Control::Stop))?;
            maker.happens(1, What::Ended)?;
            maker.accepted(from)?;
        } else {
            maker.refused()?;
            maker.happens(30, What::Ended)?;
        }
        Ok(())
    }

    fn opened(&mut self, number: u64, facts: Opened) -> Outcome<()> {
        let people: Vec<u32> = facts.participants.iter().map(|joined| joined.participant).collect();
        let ids: Vec<String> = people.iter().map(|participant| format!("p{participant}")).collect();
        // Everybody is somebody else: nobody's objection has to be carried over.
        let subjects = people
            .iter()
            .map(|participant| (*participant, format!("{number:056x}{participant:08x}")))
            .collect();
        let (uid, id) = (self.uid, format!("call-{number}"));
        let detail = json!({"call": id, "participants": ids, "purposes": ["quality"], "aliases": []});
        let opened = Body::Opened { facts, subjects, objectors: Vec::new(), saw: self.saw() };
        self.entry(opened, Some(detail))?;
        let body = json!({"digest": "0".repeat(64), "purposes": ["quality"], "direction": null, "aliases": [], "dated": true});
        self.job.changes.push(Change::Call {
            uid,
            account: self.account.into(),
            id: id.clone(),
            names: vec![id],
            body: body.to_string(),
            at: self.at.as_millisecond(),
            head: self.head.ok_or("no entry")?,
        });
        for (participant, id) in people.into_iter().zip(ids) {
            let number = Some(format!("+121255501{participant:02}"));
            self.job.changes.push(Change::Participant {
                call: uid,
                participant,
                id,
                number,
                ip: None,
                grant: None,
            });
        }
        Ok(())
    }

    fn happens(&mut self, seconds: i64, what: What) -> Outcome<()> {
        let ends = what == What::Ended;
        let facts = self.event(seconds, what);
        let body =
            Body::Event { facts, subjects: Vec::new(), reported_by: None, late: false, saw: self.saw() };
        self.entry(body, None)?;
        if ends {
            self.job.changes.push(Change::CallEnded { uid: self.uid, at: self.at.as_millisecond() });
        }
        Ok(())
    }

    fn event(&mut self, seconds: i64, what: What) -> Event {
        self.at += SignedDuration::from_secs(seconds);
        let event = Event { received_at: self.at, at: None, what };
        self.call.apply(&event);
        event
    }

    fn refused(&mut self) -> Outcome<()> {
        let body = Body::ControlRefused {
            of: policy::Use::Record,
            purposes: policy::Purposes::NONE,
            control: Control::Start,
            code: ControlRefusal::ConsentRequired,
            saw: self.saw(),
        };
        self.entry(body, None)
    }

    fn accepted(&mut self, from: Timestamp) -> Outcome<()> {
        let saw = self.saw();
        let recording = trail::id()?;
        let body = Body::Accepted {
            recording,
            came: Came { door: Door::Native, coverage: CoverageBasis::Granted, used_for: Use::Record },
            envelope: "0".repeat(64),
            media: "0".repeat(64),
            bytes: 960_100,
            keys: vec!["0".repeat(64)],
            format: Default::default(),
            spans: vec![(from, from + SignedDuration::from_secs(60))],
            silenced: Vec::new(),
            unplaced: false,
            codec_ms: 0,
            shifted_ms: 0,
            unasked: None,
            keep_until: None,
            delete_by: None,
            released: None,
            saw,
        };
        self.entry(body, Some(json!({"name": "audio"})))?;
        let row = RecordingRow {
            id: recording.to_string(),
            account: self.account.into(),
            call: self.uid.to_string(),
            call_id: String::new(),
            name: "audio".into(),
            fingerprint: vec![0; 32],
            uploader: "bench".into(),
            bytes: 960_100,
            duration_ms: 60_000,
            content_type: "audio/wav".into(),
            envelope: Some(format!("{{\"format\": \"tink\", \"keys\": \"{}\"}}", "0".repeat(900))),
            enveloped: true,
            accepted_at: self.at.as_millisecond(),
            recorded_from: 0,
            recorded_until: 1,
            about: r#"{"segments":[[0,1]],"people":[],"purposes":null}"#.into(),
            held: false,
            covered: false,
            restricted: false,
            deleted_at: None,
            kept_at_least: None,
            kept_at_most: None,
            keep_until: None,
            delete_by: None,
            place: None,
        };
        self.job.changes.push(Change::Recording { row: Box::new(row) });
        self.job.changes.push(Change::Enveloped { id: recording });
        Ok(())
    }

    fn saw(&self) -> Saw {
        Saw::of(self.digest, &self.call.decide(self.at))
    }

    fn entry(&mut self, body: Body, detail: Option<serde_json::Value>) -> Outcome<()> {
        let actor = Actor { credential: RECORDER.into(), role: "recorder".into() };
        let draft = trail::draft(self.account, self.at, &actor, Some((self.uid, self.head)), body, detail)?;
        self.head = Some(draft.id);
        self.job.entries.push(draft);
        Ok(())
    }
}

/// Numbers that look random and are the same each time (splitmix64).
struct Dice(u64);

impl Dice {
    fn one_of(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let sides = u64::try_from(sides).unwrap_or(1).max(1);
        usize::try_from((mixed ^ (mixed >> 31)).checked_rem(sides).unwrap_or(0)).unwrap_or(0)
    }
}

const PLACES: [&str; 12] =
    ["US-NY", "US-NY", "US-TX", "US-CA", "US-CA", "US-WA", "US-NV", "US", "DE", "FR", "GB", "CA-ON"];
const PROMPT: &str = "00000000-0000-4000-8000-000000000000";
const RECORDER: &str = "c-00000000";
/// Early enough for more than a million calls, one after the other, to be over by now: the first of January 2023.
const BEGAN: Timestamp = Timestamp::constant(1_672_531_200, 0);
/// How many calls one transaction takes.
const GROUP: u64 = 256;
