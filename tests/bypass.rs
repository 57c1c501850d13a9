//! Attempts to get audio in that is not covered. After each, nothing readable may be there.

mod announced;
mod desk;
mod grants;
mod hidden;
mod holds;
mod logs;
mod people;
mod plaintext;
mod races;
mod redact;
mod registers;
mod requests;
mod time;
mod windows;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use policy::{Call, Claim, Coverage, CoverageBasis, Table, Use};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trail::{Body, Came, Door, Leaf, Saw};
use uuid::Uuid;

use crate::harness::{Answer, Client, Gateway};

/// The call `c1` in California, everybody prompted, recording granted: since when.
async fn granted(gateway: &Gateway) -> Timestamp {
    granted_in(gateway, "c1", "US-CA").await
}

async fn granted_in(gateway: &Gateway, call: &str, place: &str) -> Timestamp {
    gateway.open(call, place).await;
    gateway.prompt(call, &["caller", "agent"]).await;
    gateway.control(call, "start").await.expect(200);
    gateway.now()
}

/// Nothing was stored, and nothing says that it was: not the store, not the API, not the ledger,
/// not the trail.
async fn nothing_got_in(gateway: &Gateway) {
    assert_eq!(gateway.stored_files(), 0, "the store holds something");
    stored(gateway, 0).await;
}

/// The log is taken for good by who checks it.
async fn verifies(gateway: &Gateway) {
    gateway.auditor.get("/v1/log/acme/checkpoint").await;
    let (code, out, err) = gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{out}{err}");
}

/// Exactly so many recordings were stored, and every one of them was covered when it was accepted.
async fn stored(gateway: &Gateway, count: usize) {
    let listed = gateway.listener.get("/v1/recordings?limit=1000").await.expect(200);
    assert_eq!(listed["recordings"].as_array().unwrap().len(), count, "{listed}");
    let rows = gateway
        .gate()
        .ledger()
        .recordings("acme", None, None, (i64::MIN, String::new()), 1000)
        .await
        .unwrap();
    assert_eq!(rows.len(), count);
    assert_eq!(accepted_were_covered(gateway).await, count);
}

/// Computes the coverage of every accepted recording again, from the leaves before its own. How
/// many there are.
async fn accepted_were_covered(gateway: &Gateway) -> usize {
    let tables = tables(gateway).await;
    let rows = gateway.rows("acme").await;
    let mut calls: HashMap<Uuid, Vec<Leaf>> = HashMap::new();
    let mut accepted = 0;
    for row in rows {
        let leaf: Leaf = serde_json::from_slice(&row.leaf).unwrap();
        let Some(uid) = leaf.call else { continue };
        let before = calls.entry(uid).or_default();
        assert_eq!(leaf.prev, before.last().map(|last| last.id), "an entry was decided on a stale view");
        if let Body::Accepted { came, spans, silenced, unplaced, codec_ms, shifted_ms, saw, .. } = &leaf.body
        {
            accepted += 1;
            let native = Came { door: Door::Native, coverage: CoverageBasis::Granted, used_for: Use::Record };
            assert_eq!(*came, native);
            let mut call = fold(&tables, before);
            call.know(&tables[&saw.table], leaf.at);
            let policy::File { parts, silenced: silent } =
                policy::File::of(spans, silenced, *shifted_ms).unwrap();
            let claim = match unplaced {
                true => {
                    Claim::Unplaced { duration_ms: parts.iter().map(|(_, ms)| ms).sum::<u64>() + codec_ms }
                }
                false => Claim::Placed(parts),
            };
            // Whether it was silent where it had to be is not known any more.
            let upload = policy::Upload {
                codec_adds_ms: *codec_ms,
                clock_behind_ms: *shifted_ms,
                silenced: &silent,
                silent: &|_, _| *codec_ms == 0,
                ..policy::Upload::new(claim, CoverageBasis::Granted)
            };
            let covered = call.coverage(&upload, leaf.at);
            let (codec_ms, shifted_ms) = (*codec_ms, *shifted_ms);
            let said = Coverage { spans: spans.clone(), silenced: silenced.clone(), codec_ms, shifted_ms };
            assert_eq!(covered, Ok(said), "accepted though not covered");
        }
        before.push(leaf);
        decided_again(&tables, before);
    }
    accepted
}

/// What the policy answered for the last of these leaves, computed again from them alone.
fn decided_again(tables: &Tables, leaves: &[Leaf]) {
    let (last, earlier) = leaves.split_last().unwrap();
    let (saw, facts) = if let Body::Opened { saw, .. } | Body::Event { saw, .. } = &last.body {
        (saw, leaves)
    } else if let Body::ControlRefused { saw, .. }
    | Body::Refused { saw, .. }
    | Body::Unasked { saw, .. }
    | Body::Suspension { saw, .. }
    | Body::Accepted { saw, .. } = &last.body
    {
        (saw, earlier)
    } else {
        return;
    };
    let mut call = fold(tables, facts);
    call.know(&tables[&saw.table], last.at);
    assert!(last.at >= call.last(), "an entry is dated before the one that it follows");
    assert_eq!(*saw, Saw::of(&saw.table, &call.decide(last.at)), "{}", last.kind);
}

/// Every table that was ever in force, by its digest.
type Tables = HashMap<String, Arc<Table>>;

async fn tables(gateway: &Gateway) -> Tables {
    let ledger = gateway.gate().ledger();
    let mut tables = Tables::new();
    for version in ledger.versions().await.unwrap() {
        let text = ledger.table(&version.digest).await.unwrap().unwrap();
        tables.insert(version.digest, Arc::new(Table::parse(&text).unwrap()));
    }
    tables
}

fn fold(tables: &Tables, leaves: &[Leaf]) -> Call {
    trail::fold(&|digest| tables.get(digest).cloned(), leaves).unwrap()
}

fn before(at: Timestamp, ms: i64) -> Timestamp {
    at.checked_sub(SignedDuration::from_millis(ms)).unwrap()
}

fn after(at: Timestamp, ms: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_millis(ms)).unwrap()
}

async fn join(gateway: &Gateway, call: &str, participant: &Value) -> Answer {
    gateway.recorder.post(&format!("/v1/calls/{call}/participants"), participant).await
}

fn customer(id: &str) -> Value {
    json!({"id": id, "role": "customer", "location": "US-CA", "languages": ["en"]})
}

async fn timeline(gateway: &Gateway, call: &str, name: &str, timeline: &str, audio: &[u8]) -> Answer {
    let path = format!("/v1/calls/{call}/recordings/{name}");
    gateway.recorder.upload(&path, &[("recording-timeline", timeline)], audio).await
}

/// An upload that was admitted, and whose body is sent piece by piece.
struct Upload {
    stream: TcpStream,
}

impl Upload {
    /// Asks first (`Expect: 100-continue`), so that it is admitted once this returns.
    async fn admitted(client: &Client, path: &str, from: Option<Timestamp>, length: usize) -> Upload {
        let mut stream = TcpStream::connect(client.address).await.unwrap();
        let authorization = client.authorization.as_deref().unwrap();
        let start = from.map(|from| format!("Recording-Start: {from}\r\n")).unwrap_or_default();
        let head = format!(
            "PUT {path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: {authorization}\r\n{start}Content-Length: {length}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut told = Vec::new();
        while !told.ends_with(b"\r\n\r\n") {
            told.push(stream.read_u8().await.unwrap());
        }
        let told = String::from_utf8(told).unwrap();
        assert!(told.starts_with("HTTP/1.1 100 "), "{told}");
        Upload { stream }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The status and body of the answer.
    async fn answer(mut self) -> (u16, Value) {
        let mut answer = Vec::new();
        self.stream.read_to_end(&mut answer).await.unwrap();
        parse(&answer)
    }
}

fn parse(answer: &[u8]) -> (u16, Value) {
    let text = String::from_utf8_lossy(answer);
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// Sends bytes as they are and reads until the gateway closes. Where it waits for more, it is left
/// waiting for a moment, and then alone.
async fn raw(gateway: &Gateway, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(gateway.recorder.address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    answer
}

async fn send(client: &Client, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    client.send(method, path, headers, Bytes::copy_from_slice(body)).await
}
