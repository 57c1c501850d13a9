//! The examples of the reference (`docs/reference/vectors`): a small log with nothing random in it, and what
//! follows from it. Other people's verifiers are held against them, and this test holds them against ours.
//!
//! `UPDATE_VECTORS=true cargo test -p consent-trail vectors` writes them anew.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};
use policy::{Call, CoverageBasis, Event, Evidence, Joined, Place, Role, What};
use seal::Format;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::sample::{self, ACCOUNT, Log};
use crate::note::{Checkpoint, Note};
use crate::proof::TlogProof;
use crate::registers::{Registered, Sum, row};
use crate::tile::{BundleId, TileId, write_bundle};
use crate::tree::{Edge, Hash, consistency, inclusion, leaf_hash};
use crate::trust::Trust;
use crate::{Actor, Body, Detail, Leaf, Saw, hex, subject};

#[test]
fn the_vectors_of_the_reference_are_what_we_write() {
    let update = std::env::var("UPDATE_VECTORS").is_ok_and(|update| update == "true");
    let log = Fixed::log();
    for (name, vectors) in
        [("entries", log.entries()), ("tree", log.tree()), ("tiles", log.tiles()), ("head", log.head())]
    {
        let file = directory().join(format!("{name}.json"));
        let written = format!("{}\n", serde_json::to_string_pretty(&vectors).unwrap());
        if update {
            std::fs::create_dir_all(directory()).unwrap();
            std::fs::write(&file, &written).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap();
        assert!(kept == written, "{} is not what the code writes: {written}", file.display());
    }
}

/// A leaf is read again as it was written, and the head is one that is trusted.
#[test]
fn the_vectors_of_the_reference_are_what_we_read() {
    let log = Fixed::log();
    for entry in &log.0 {
        let leaf: Leaf = serde_json::from_slice(&entry.leaf).unwrap();
        assert_eq!(serde_json::to_vec(&leaf).unwrap(), entry.leaf);
        assert_eq!(leaf.detail, entry.detail.as_ref().map(Detail::commitment));
        assert_eq!(leaf.kind, leaf.body.kind().as_str());
    }
    let vectors = log.head();
    let trust = Trust::parse(vectors["trust"].as_str().unwrap()).unwrap();
    let head = trust.check(&Note::parse(vectors["note"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!((head.checkpoint.size, head.checkpoint.root), (5, root(&log.hashes())));
    let proof = TlogProof::parse(vectors["proof"].as_str().unwrap()).unwrap();
    proof.verify(&log.0[3].leaf, &trust).unwrap();
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/vectors")
}

/// One entry, with the rows that it registers.
struct Entry {
    leaf: Vec<u8>,
    detail: Option<Detail>,
    rows: Vec<(&'static str, Vec<Option<String>>)>,
}

/// A log in which every id, nonce and salt is a number that was chosen.
struct Fixed(Vec<Entry>);

impl Fixed {
    fn log() -> Fixed {
        let mut log = Fixed(Vec::new());
        let mut sum = Sum::default();
        let text = |text: &str| Some(text.to_owned());
        let operator = Actor::command_line();
        let at: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let later = |ms| at + SignedDuration::from_millis(ms);
        let columns = ["acme", "acme", r#"{"late_evidence_seconds":0}"#].map(text).to_vec();
        let registered = registered(&mut sum, "account", ACCOUNT, &columns);
        let detail = json!({"account": ACCOUNT});
        log.add(at, &operator, None, Body::Account { format: Format::Tink }, Some(detail), Some(registered));
        log.rows("account", columns);

        let Actor { credential, role } = sample::recorder();
        let columns = vec![text(ACCOUNT), text(&credential), text(&role), None];
        let registered = self::registered(&mut sum, "credential", &credential, &columns);
        let body = Body::Credential {
            on_refusal: crate::OnRefusal::Deny,
            quarantine_seconds: 0,
            credential,
            role,
            person: None,
            coverage: CoverageBasis::Granted,
        };
        log.add(
            later(20),
            &operator,
            None,
            body,
            Some(json!({"name": "the \"switch\" — Zürich\n"})),
            Some(registered),
        );
        log.rows("credential", columns);

        let mut beside = Log { prompt: uuid(at, 0x70), now: later(1_000), ..Log::new() };
        let prompt = beside.prompt.to_string();
        let document = json!({"prompt": "recording", "version": 1, "document": sample::prompt_document()});
        let columns = vec![text(ACCOUNT), text(&prompt), text(&document.to_string())];
        let registered = self::registered(&mut sum, "prompt", &prompt, &columns);
        let body = Body::Prompt { version: beside.prompt, duration_ms: 4000 };
        log.add(beside.now, &operator, None, body, Some(document), Some(registered));
        log.rows("prompt", columns);

        beside.now = later(2_500);
        let table = sample::small_table();
        let saw = |call: &Call, now| Saw::of(table.digest(), &call.decide(now));
        let customer = Joined {
            identified: true,
            places: vec![Place::new("US-CA".parse().unwrap(), Evidence::Number)],
            languages: vec!["en".into()],
            ..Joined::new(0, Role::Customer)
        };
        let facts = beside.opened(vec![customer]);
        let mut call = Call::open(&table, beside.now, facts.clone());
        let key = [7; 32];
        let subjects = vec![(0, subject::pseudonym(&key, ACCOUNT, NUMBER))];
        let uid = uuid(beside.now, 0xca);
        let body = Body::Opened { facts, subjects, objectors: Vec::new(), saw: saw(&call, beside.now) };
        let detail = json!({"call": "call-1", "participants": ["caller"], "purposes": ["quality"]});
        let opened = log.add(beside.now, &sample::recorder(), Some((uid, None)), body, Some(detail), None);

        beside.now = later(7_250);
        let what = What::PromptCompleted { participants: vec![0], prompt: beside.heard(), played_ms: 4000 };
        let facts = Event { received_at: beside.now, at: None, what };
        call.apply(&facts);
        let saw = saw(&call, beside.now);
        let body = Body::Event { facts, subjects: Vec::new(), reported_by: None, late: false, saw };
        log.add(beside.now, &sample::recorder(), Some((uid, Some(opened))), body, None, None);
        log
    }

    fn add(
        &mut self,
        at: Timestamp,
        actor: &Actor,
        call: Option<(Uuid, Option<Uuid>)>,
        body: Body,
        detail: Option<Value>,
        register: Option<Registered>,
    ) -> Uuid {
        let number = u8::try_from(self.0.len()).unwrap();
        let detail =
            detail.map(|document| Detail { salt: [0xa0 + number; 32], document: document.to_string() });
        let leaf = Leaf {
            v: 1,
            id: uuid(at, number),
            at,
            nonce: hex(&[0x10 + number; 16]),
            kind: body.kind().as_str().into(),
            actor: actor.clone(),
            call: call.map(|(uid, _)| uid),
            prev: call.and_then(|(_, prev)| prev),
            body,
            detail: detail.as_ref().map(Detail::commitment),
            register,
        };
        self.0.push(Entry { leaf: serde_json::to_vec(&leaf).unwrap(), detail, rows: Vec::new() });
        leaf.id
    }

    fn rows(&mut self, register: &'static str, columns: Vec<Option<String>>) {
        self.0.last_mut().unwrap().rows.push((register, columns));
    }

    fn hashes(&self) -> Vec<Hash> {
        self.0.iter().map(|entry| leaf_hash(&entry.leaf)).collect()
    }

    fn entries(&self) -> Value {
        let entries = self.0.iter().map(|entry| {
            let detail = entry.detail.as_ref().map(|detail| {
                json!({"salt": hex(&detail.salt), "document": detail.document, "commitment": detail.commitment()})
            });
            let rows = entry.rows.iter().map(|(register, columns)| {
                json!({"row": (register, columns), "hash": hex(&row(register, columns).unwrap())})
            });
            json!({"leaf": std::str::from_utf8(&entry.leaf).unwrap(), "leaf_hash": base64(&leaf_hash(&entry.leaf)),
                "detail": detail, "rows": rows.collect::<Vec<_>>()})
        });
        let key = [7; 32];
        let pseudonym = json!({"number": NUMBER, "log": ACCOUNT, "subject_key": hex(&key),
            "subject": subject::pseudonym(&key, ACCOUNT, NUMBER)});
        json!({"entries": entries.collect::<Vec<_>>(), "opening": pseudonym})
    }

    fn tree(&self) -> Value {
        let hashes = self.hashes();
        let range = |range: &std::ops::Range<u64>| {
            base64(&root(&hashes[sample::place(range.start)..sample::place(range.end)]))
        };
        let proof = |ranges: Vec<_>| ranges.iter().map(range).collect::<Vec<_>>();
        let roots = (0..=hashes.len()).map(|size| base64(&root(&hashes[..size])));
        let size = hashes.len() as u64;
        let included = (0..size).map(
            |index| json!({"index": index, "size": size, "proof": proof(inclusion(index, size).unwrap())}),
        );
        let consistent = (1..size)
            .map(|old| json!({"old": old, "new": size, "proof": proof(consistency(old, size).unwrap())}));
        json!({"leaf_hashes": hashes.iter().map(|hash| base64(hash)).collect::<Vec<_>>(), "roots": roots.collect::<Vec<_>>(),
            "inclusion": included.collect::<Vec<_>>(), "consistency": consistent.collect::<Vec<_>>()})
    }

    fn tiles(&self) -> Value {
        let width = u16::try_from(self.0.len()).unwrap();
        let bundle = write_bundle(self.0.iter().map(|entry| entry.leaf.as_slice())).unwrap();
        let paths = [(0, 0, 256), (0, 0, 5), (1, 999, 256), (2, 1_234_067, 17)].map(|(level, index, width)| {
            json!({"level": level, "index": index, "width": width, "path": TileId { level, index, width }.path()})
        });
        json!({
            "bundle": {"path": BundleId { index: 0, width }.path(), "bytes": base64(&bundle)},
            "tile": {"path": TileId { level: 0, index: 0, width }.path(), "bytes": base64(self.hashes().as_flattened())},
            "paths": paths,
        })
    }

    fn head(&self) -> Value {
        let hashes = self.hashes();
        let (key, witness) = (sample::key(1), sample::witness(9));
        let signed = |size: usize| {
            let text = Checkpoint::new(key.name(), size as u64, root(&hashes[..size])).text();
            Note { signatures: vec![key.sign_note(&text)], text }
        };
        let mut head = signed(hashes.len());
        head.signatures.push(witness.cosign(&head.text, 1_795_169_000));
        let leaves: Vec<Vec<u8>> = self.0.iter().map(|entry| entry.leaf.clone()).collect();
        let proof =
            TlogProof { extra: None, index: 3, hashes: sample::proofs(&leaves)(3), checkpoint: head.clone() };
        let trust = format!("log {}\nwitness one {}\nquorum one\n", key.verifier(), witness.cosigner());
        json!({"seed": hex(&[1; 32]), "vkey": key.verifier().to_string(), "trust": trust, "note": head.to_string(),
            "older": signed(2).to_string(), "proof": proof.to_string()})
    }
}

/// What an entry says that registers this row, which is new.
fn registered(sum: &mut Sum, register: &str, key: &str, columns: &[Option<String>]) -> Registered {
    let hash = row(register, columns).unwrap();
    sum.add(&hash);
    Registered { sum: sum.commitment(), rows: Some(vec![(register.into(), key.into(), Some(hex(&hash)))]) }
}

fn uuid(at: Timestamp, number: u8) -> Uuid {
    let ms = u64::try_from(at.as_millisecond()).unwrap();
    uuid::Builder::from_unix_timestamp_millis(ms, &[number; 10]).into_uuid()
}

fn root(hashes: &[Hash]) -> Hash {
    let mut edge = Edge::default();
    hashes.iter().for_each(|hash| edge.push(*hash, |_, _| {}));
    edge.root()
}

fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// A fictional one.
const NUMBER: &str = "+14155550100";
