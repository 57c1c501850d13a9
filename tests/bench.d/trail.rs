//! How fast the trail takes entries in, how fast it answers, and what stands beside it: what
//! `tests/bench trail` runs.
//!
//!   bench-trail append DIR|URL WRITERS ENTRIES
//!       So many writers append so many entries in all, each one waiting for its own to be durable.
//!   bench-trail bare DIR GROUP ENTRIES
//!       The same rows of the same tables by SQLite alone: prepared statements, one transaction a
//!       group, synced. No tree, no queue, nothing expected.
//!   bench-trail ask DIR|URL QUESTIONS
//!       Questions as auditors ask: by call, by place, by time, by outcome, a page of 100 each.
//!   bench-trail hash DIR
//!       One core hashes every leaf of the log `bench`, and nothing else.
//!
//! Each prints one line of JSON.
#![expect(clippy::print_stdout, reason = "what was measured goes to standard output")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use consent_gateway::ledger::{Epoch, Job, Ledger, Question};
use jiff::{SignedDuration, Timestamp};
use policy::{Event, Method, What};
use serde_json::json;
use trail::tree::{Edge, leaf_hash};
use trail::{Actor, Body, Draft, Saw};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["append", at, writers, entries] => append(at, writers.parse()?, entries.parse()?).await,
        ["bare", dir, group, entries] => bare(Path::new(dir), group.parse()?, entries.parse()?),
        ["ask", at, questions] => ask(at, questions.parse()?).await,
        ["hash", dir] => hash(dir).await,
        _ => Err("see the head of trail.rs".into()),
    }
}

async fn open(at: &str) -> Outcome<Ledger> {
    Ok(match at.starts_with("postgres:") {
        true => Ledger::open(Path::new("."), Some(at)).await?,
        false => Ledger::open(Path::new(at), None).await?,
    })
}

/// Entries as a call's consent makes them: about a kilobyte, with a detail.
fn drafts(from: Timestamp, count: usize) -> Outcome<Vec<Draft>> {
    let saw = Saw {
        table: format!("sha256:{}", "ab".repeat(32)),
        policy: policy::VERSION.into(),
        recording: "permitted".into(),
        why: None,
        recorder: "running".into(),
        action: "none".into(),
        requirement: "all/express".into(),
        participants: Vec::new(),
        abridged: false,
        readings: Vec::new(),
        uses: Vec::new(),
    };
    let actor = Actor { credential: "cg_0123456789abcdef".into(), role: "recorder".into() };
    (0..count)
        .map(|number| {
            let at = from + SignedDuration::from_millis(i64::try_from(number / 16)?);
            let what = What::ConsentGiven { participants: vec![0, 1], method: Method::Dtmf };
            let body = Body::Event {
                facts: Event { received_at: at, at: Some(at), what },
                subjects: vec![(0, format!("p1:{}", "x".repeat(43)))],
                reported_by: Some("platform".into()),
                late: false,
                saw: saw.clone(),
            };
            let detail = json!({"event": {"type": "consent.given", "participants": ["caller", "agent"],
                "evidence": {"source": "ivr", "ref": number.to_string()}}, "clock_offset_ms": 12});
            let call = Some((trail::id_of_time(at)?, Some(trail::id()?)));
            Ok(trail::draft(LOG, at, &actor, call, body, Some(detail))?)
        })
        .collect()
}

/// After everything that is there.
async fn after(ledger: &Ledger) -> Outcome<Timestamp> {
    let last = ledger.head(LOG).await?.map_or(0, |head| head.last_at);
    Ok(trail::clock::millis(last.max(1_700_000_000_000)))
}

async fn append(at: &str, writers: usize, entries: usize) -> Outcome<()> {
    let ledger = open(at).await?;
    let all = drafts(after(&ledger).await?, entries)?;
    let bytes: usize = all.iter().map(|draft| draft.leaf.len()).sum();
    // Dealt out in turn, so that the log's times run forwards.
    let mut hands: Vec<Vec<Draft>> = (0..writers).map(|_| Vec::new()).collect();
    for (number, draft) in all.into_iter().enumerate() {
        hands.get_mut(number % writers).ok_or("no writer")?.push(draft);
    }
    let began = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for hand in hands {
        let ledger = ledger.clone();
        running.spawn(async move {
            for draft in hand {
                ledger.append(Job { entries: vec![draft], ..Job::default() }).await?;
            }
            Ok::<(), consent_gateway::ledger::LedgerError>(())
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    let seconds = began.elapsed().as_secs_f64();
    let mut size = 0u64;
    for (_, head) in ledger.heads().await? {
        size = size.saturating_add(head.edge.size());
    }
    println!("{}", json!({"entries": entries, "bytes": bytes, "seconds": seconds, "size": size}));
    ledger.close().await;
    Ok(())
}

fn bare(dir: &Path, group: usize, entries: usize) -> Outcome<()> {
    let all = drafts(trail::clock::millis(1_700_000_000_000), entries)?;
    let mut connection = rusqlite::Connection::open(dir.join("bare.db"))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA cache_size = -16384;
         CREATE TABLE entry (log TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, call TEXT,
           at INTEGER NOT NULL, type TEXT NOT NULL, leaf BLOB NOT NULL, leaf_hash BLOB NOT NULL, PRIMARY KEY (log, epoch, seq)) STRICT;
         CREATE INDEX entry_by_call ON entry (call, epoch, seq) WHERE call IS NOT NULL;
         CREATE INDEX entry_by_type ON entry (log, type, epoch, seq);
         CREATE TABLE detail (log TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, salt BLOB NOT NULL,
           document TEXT NOT NULL, PRIMARY KEY (log, epoch, seq)) STRICT, WITHOUT ROWID;
         CREATE TABLE call_mention (log TEXT NOT NULL, key TEXT NOT NULL, call TEXT NOT NULL, PRIMARY KEY (log, key, call)) STRICT, WITHOUT ROWID;",
    )?;
    let began = Instant::now();
    for (number, rows) in all.chunks(group).enumerate() {
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        {
            let mut entry = transaction.prepare_cached(
                "INSERT INTO entry (log, epoch, seq, id, call, at, type, leaf, leaf_hash) VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?)",
            )?;
            let mut detail = transaction.prepare_cached(
                "INSERT INTO detail (log, epoch, seq, salt, document) VALUES (?, 1, ?, ?, ?)",
            )?;
            let mut mention = transaction.prepare_cached(
                "INSERT INTO call_mention (log, key, call) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            )?;
            for (index, draft) in rows.iter().enumerate() {
                let seq = i64::try_from(number * group + index)?;
                let call = draft.call.map(|call| call.to_string());
                entry.execute(rusqlite::params![
                    draft.log,
                    seq,
                    draft.id.to_string(),
                    call,
                    draft.at.as_millisecond(),
                    draft.kind,
                    draft.leaf,
                    draft.leaf_hash.as_slice()
                ])?;
                if let Some(one) = &draft.detail {
                    detail.execute(rusqlite::params![draft.log, seq, one.salt.as_slice(), one.document])?;
                }
                for key in &draft.mentions {
                    mention.execute(rusqlite::params![draft.log, key, call])?;
                }
            }
        }
        transaction.commit()?;
    }
    println!("{}", json!({"entries": entries, "seconds": began.elapsed().as_secs_f64()}));
    Ok(())
}

async fn ask(at: &str, questions: usize) -> Outcome<()> {
    let ledger = open(at).await?;
    let head = ledger.head("bench").await?.ok_or("the log is empty")?;
    let epoch = Epoch { log: "bench".into(), epoch: head.epoch };
    let mut dice = 7u64;
    let mut throw = |sides: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides.max(1)
    };
    let mut took: Vec<f64> = Vec::with_capacity(questions);
    for number in 0..questions {
        let row = ledger.entry(&epoch, throw(head.edge.size())).await?.ok_or("an entry is missing")?;
        let leaf: trail::Leaf = serde_json::from_slice(&row.leaf)?;
        let mut question = Question { log: "bench".into(), ..Question::default() };
        match number % 4 {
            0 => question.calls = leaf.call.map(|call| vec![call]),
            1 => question.keys = vec![vec!["place:US-CA".into()]],
            2 => {
                let at = leaf.at.as_millisecond();
                (question.from, question.until) = (Some(at), Some(at + 600_000));
            }
            _ => {
                question.types = vec!["consent.declined".into()];
                question.after = Some((row.epoch, row.seq));
            }
        }
        let began = Instant::now();
        ledger.entries(&question, 100).await?;
        took.push(began.elapsed().as_secs_f64() * 1e3);
    }
    took.sort_by(f64::total_cmp);
    let at = |share: usize| took.get(took.len() * share / 100).copied().unwrap_or(0.0);
    println!(
        "{}",
        json!({"size": head.edge.size(), "median_ms": at(50), "p95_ms": at(95), "p99_ms": at(99)})
    );
    ledger.close().await;
    Ok(())
}

async fn hash(dir: &str) -> Outcome<()> {
    let ledger = Arc::new(open(dir).await?);
    let head = ledger.head("bench").await?.ok_or("the log is empty")?;
    let epoch = Epoch { log: "bench".into(), epoch: head.epoch };
    let (mut edge, mut bytes, mut seconds) = (Edge::default(), 0usize, 0.0);
    while edge.size() < head.edge.size() {
        let leaves = ledger.leaves(&epoch, edge.size(), edge.size() + 16_384).await?;
        let began = Instant::now();
        for (leaf, _) in &leaves {
            bytes = bytes.saturating_add(leaf.len());
            edge.push(leaf_hash(leaf), |_, _| {});
        }
        seconds += began.elapsed().as_secs_f64();
    }
    if edge != head.edge {
        return Err("the tree is another".into());
    }
    println!("{}", json!({"leaves": edge.size(), "bytes": bytes, "seconds": seconds}));
    Ok(())
}

/// The log that is appended to: beside the one of the calls, in the same tables.
const LOG: &str = "load";
