//! What `tests/bench sweep` and `tests/bench webhooks` need in a ledger and a store.
//!
//!   bench-custody make DIR ACCOUNT COUNT
//!       Adds so many recordings whose time is over to the account, with their sealed media and envelopes, as the gateway
//!       stores them: two kilobytes each, in packs, a hundred to a call, with the entries that accepted them.
//!   bench-custody tell DIR ACCOUNTS RATE SECONDS
//!       Queues so many messages a second for so many seconds, in turn for the accounts `tell-0`, `tell-1`, …, and
//!       prints one line of JSON: how many, in how long, and how many of them are not delivered by then. Ends when all are.
#![expect(clippy::print_stdout, reason = "what was measured goes to standard output")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use consent_gateway::ledger::{Change, Job, Ledger, RecordingRow};
use consent_gateway::vault::Vault;
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use policy::{Call, CoverageBasis, Joined, Kind, Medium, Opened, Role, Table, Use};
use serde_json::json;
use trail::clock::{Clock, millis};
use trail::{Actor, Body, Came, Door, Saw};
use uuid::Uuid;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["make", dir, account, count] => make(Path::new(dir), account, count.parse()?).await,
        ["tell", dir, accounts, rate, seconds] => {
            tell(Path::new(dir), accounts.parse()?, rate.parse()?, seconds.parse()?).await
        }
        _ => Err("see the head of custody.rs".into()),
    }
}

async fn make(dir: &Path, account: &str, count: u64) -> Outcome<()> {
    let ledger = Ledger::open(dir, None).await?;
    let vault = Vault::local(dir, 0, 64 << 20, Clock::system())?;
    let version = ledger.law().await?.ok_or("no table is in force")?;
    let text = ledger.table(&version.digest).await?.ok_or("the table is not there")?;
    let table = Arc::new(Table::parse(&text).map_err(|_| "the table cannot be read")?);
    let mut at = millis(ledger.head(account).await?.ok_or("there is no such account")?.last_at);
    let mut made = 0;
    while made < count {
        let some = OF_A_CALL.min(count.saturating_sub(made));
        let stored = futures_util::stream::iter((0..some).map(|_| stored(&vault)));
        let stored: Vec<(Uuid, String)> = stored.buffer_unordered(TOGETHER).try_collect().await?;
        // By now, each of them has its moment.
        at = at.max(Clock::system().now());
        ledger.append(of_a_call(&table, account, made, at, stored)?).await?;
        made = made.saturating_add(some);
    }
    ledger.close().await;
    Ok(())
}

/// Media and envelope in the store, and their place.
async fn stored(vault: &Vault) -> Outcome<(Uuid, String)> {
    let id = trail::id()?;
    let mut incoming = vault.begin(id);
    let buffer = incoming.buffer();
    // Room for the head of the frame is in it.
    buffer.resize(buffer.len().saturating_add(BYTES), 0x5a);
    let envelope = envelope();
    let kept = incoming.finish(envelope.len()).await?;
    vault.put_envelope(&kept, envelope).await?;
    Ok((id, kept.place.ok_or("it is not in a pack")?.to_string()))
}

fn envelope() -> String {
    json!({"format": "tink", "keys": "0".repeat(900)}).to_string()
}

/// A call that was opened, and what was accepted of it.
fn of_a_call(
    table: &Arc<Table>,
    account: &str,
    number: u64,
    at: Timestamp,
    stored: Vec<(Uuid, String)>,
) -> Outcome<Job> {
    let facts = Opened {
        medium: Medium::Telephone,
        kind: Kind::Conversation,
        started_at: at - SignedDuration::from_secs(60),
        recorder_locations: Vec::new(),
        operator_locations: Vec::new(),
        purposes: policy::Purposes::NONE,
        overlays: Vec::new(),
        readings: Vec::new(),
        settings: policy::Settings::default(),
        participants: vec![Joined::new(0, Role::Customer)],
    };
    let call = Call::open(table, at, facts.clone());
    let saw = || Saw::of(table.digest(), &call.decide(at));
    let actor = Actor { credential: UPLOADER.into(), role: "recorder".into() };
    let (uid, mut job, mut head) = (trail::id()?, Job::default(), None);
    let mut entry = |job: &mut Job, body, detail| -> Outcome<Uuid> {
        let draft = trail::draft(account, at, &actor, Some((uid, head)), body, Some(detail))?;
        head = Some(draft.id);
        job.entries.push(draft);
        head.ok_or_else(|| "no entry".into())
    };
    let id = format!("call-{number}");
    let opened = Body::Opened { facts, subjects: Vec::new(), objectors: Vec::new(), saw: saw() };
    let first = entry(
        &mut job,
        opened,
        json!({"call": id, "participants": ["caller"], "purposes": [], "aliases": []}),
    )?;
    job.changes.push(Change::Call {
        uid,
        account: account.into(),
        id: id.clone(),
        names: vec![id],
        body: json!({"digest": "", "purposes": [], "direction": null, "aliases": [], "dated": true})
            .to_string(),
        at: at.as_millisecond(),
        head: first,
    });
    for (index, (recording, place)) in stored.into_iter().enumerate() {
        let name = format!("audio-{index}");
        let accepted = Body::Accepted {
            recording,
            came: Came { door: Door::Native, coverage: CoverageBasis::Granted, used_for: Use::Record },
            envelope: "0".repeat(64),
            media: "0".repeat(64),
            bytes: BYTES as u64,
            keys: vec!["0".repeat(64)],
            format: Default::default(),
            spans: vec![(at - SignedDuration::from_secs(1), at)],
            silenced: Vec::new(),
            unplaced: false,
            codec_ms: 0,
            shifted_ms: 0,
            keep_until: None,
            delete_by: Some(at),
            released: None,
            unasked: None,
            saw: saw(),
        };
        entry(&mut job, accepted, json!({"name": name}))?;
        let row = RecordingRow {
            id: recording.to_string(),
            account: account.into(),
            call: uid.to_string(),
            call_id: String::new(),
            name,
            fingerprint: vec![0; 32],
            uploader: UPLOADER.into(),
            bytes: i64::try_from(BYTES)?,
            duration_ms: 1_000,
            content_type: "audio/wav".into(),
            envelope: Some(envelope()),
            enveloped: true,
            accepted_at: at.as_millisecond(),
            recorded_from: at.as_millisecond().saturating_sub(1_000),
            recorded_until: at.as_millisecond(),
            about: r#"{"segments":[[0,1]],"people":[0],"purposes":null}"#.into(),
            held: false,
            covered: false,
            restricted: false,
            deleted_at: None,
            kept_at_least: None,
            kept_at_most: Some("1 day".into()),
            keep_until: None,
            delete_by: Some(at.as_millisecond()),
            place: Some(place),
        };
        job.changes.push(Change::Recording { row: Box::new(row) });
        job.changes.push(Change::Enveloped { id: recording });
    }
    Ok(job)
}

async fn tell(dir: &Path, accounts: u64, rate: u64, seconds: f64) -> Outcome<()> {
    let ledger = Ledger::open(dir, None).await?;
    let (began, mut queued) = (Instant::now(), 0u64);
    let mut tick = tokio::time::interval(TICK);
    while began.elapsed().as_secs_f64() < seconds {
        tick.tick().await;
        let wanted = u64::try_from(began.elapsed().as_millis())?.saturating_mul(rate) / 1_000;
        let mut job = Job::default();
        for number in queued..wanted {
            let at = Clock::system().now().as_millisecond();
            job.changes.push(Change::Notification {
                id: trail::id()?,
                account: format!("tell-{}", number % accounts),
                kind: "hold.set",
                call: None,
                recording: None,
                action: None,
                at,
                due_at: at,
            });
        }
        queued = queued.max(wanted);
        ledger.append(job).await?;
    }
    let (took, left) = (began.elapsed().as_secs_f64(), waiting(&ledger, accounts).await?);
    // Nothing was measured where nobody was told.
    while waiting(&ledger, accounts).await? > 0 {
        if began.elapsed().as_secs_f64() > seconds + PATIENCE_S {
            return Err("messages are not delivered".into());
        }
        tokio::time::sleep(TICK).await;
    }
    ledger.close().await;
    println!("{}", json!({"queued": queued, "seconds": took, "left": left}));
    Ok(())
}

/// How many messages are not delivered yet.
async fn waiting(ledger: &Ledger, accounts: u64) -> Outcome<i64> {
    let mut left = 0i64;
    for number in 0..accounts {
        left = left.saturating_add(ledger.notifications_left(&format!("tell-{number}"), i64::MAX).await?.0);
    }
    Ok(left)
}

/// How long the sealed media of a recording are.
const BYTES: usize = 2_000;
/// How many recordings a call has.
const OF_A_CALL: u64 = 100;
/// How many are stored at once.
const TOGETHER: usize = 100;
/// How often messages are queued.
const TICK: Duration = Duration::from_millis(20);
/// How long what was queued may take to be delivered.
const PATIENCE_S: f64 = 120.0;
const UPLOADER: &str = "c-00000000";
