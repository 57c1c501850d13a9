//! Small logs for tests, written as the gate writes them, and published as a gateway publishes them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use jiff::{SignedDuration, Timestamp};
use policy::{
    Call, Claim, Control, CoverageBasis, Elements, Event, Evidence, Grant, Heard, Joined, Kind, Medium,
    Method, Opened, Place, Purposes, Role, Settings, Table, Upload, What,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use seal::{Envelope, Format, Sealing, WrapAlgorithm, WrappedKey};
use trail::audit::pack::{Entry as PackEntry, Pack, Parts, Stretch, Subject};
use trail::audit::source::{Beside, Details, OlderHead, Source, SourceError};
use trail::note::{Checkpoint, Note, SigningKey};
use trail::tile::{BundleId, TileId, bundles_of, node_in_tile, tile_of, tiles_of, write_bundle};
use trail::tree::{Edge, Hash, leaf_hash};
use trail::trust::Trust;
use trail::{Actor, Body, Came, ControlRefusal, Draft, OnRefusal, Saw, hex};

pub(crate) const ORIGIN: &str = "gateway.example.com/acme";
pub(crate) const ACCOUNT: &str = "acme";
pub(crate) const KEY: &str = "0c9e2f14d7b35a680c9e2f14d7b35a680c9e2f14d7b35a680c9e2f14d7b35a68";

/// Three rows of the table that is compiled in: it is read again by every verification.
pub(crate) const TABLE: &str = include_str!("sample.toml");

pub(crate) fn small_table() -> Arc<Table> {
    static READ: OnceLock<Arc<Table>> = OnceLock::new();
    Arc::clone(READ.get_or_init(|| Arc::new(Table::parse(TABLE).unwrap())))
}

/// A log that grows.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) origin: String,
    pub(crate) now: Timestamp,
    pub(crate) drafts: Vec<Draft>,
    pub(crate) table: Arc<Table>,
    pub(crate) tables: BTreeMap<String, String>,
    pub(crate) calls: BTreeMap<Uuid, Going>,
    pub(crate) prompt: Uuid,
    pub(crate) grants: BTreeMap<Uuid, Timestamp>,
    pub(crate) envelopes: BTreeMap<Uuid, String>,
    pub(crate) settings: Settings,
}

/// A call in progress.
#[derive(Clone)]
pub(crate) struct Going {
    pub(crate) call: Call,
    pub(crate) head: Uuid,
}

pub(crate) fn recorder() -> Actor {
    Actor { credential: "cg_5f1e7c0a9b3d2468".into(), role: "recorder".into() }
}

/// A switch that starts recording by itself.
pub(crate) fn starter() -> Actor {
    Actor { credential: "cg_5b1d09e2c87f34a6".into(), role: "recorder".into() }
}

pub(crate) fn listener() -> Actor {
    Actor { credential: "cg_77aa10c3e9d4b652".into(), role: "listener".into() }
}

pub(crate) fn counsel() -> Actor {
    Actor { credential: "cg_20d84f6be1a7c935".into(), role: "counsel".into() }
}

pub(crate) fn prompt_document() -> Value {
    json!({
        "text": "This call is recorded for quality and training. Press 1 to agree, or stay silent to go on unrecorded.",
        "language": "en", "duration_ms": 4000, "purposes": ["quality"], "delivery": "audio",
        "sha256": "9b2c51d07e6f4a8890b1c2d3e4f5a6b79b2c51d07e6f4a8890b1c2d3e4f5a6b7",
        "says": {"recording": "This call is recorded"},
    })
}

pub(crate) fn grant_document() -> Value {
    json!({"subject": "agent-7", "role": "agent", "basis": "employment contract", "written": true})
}

impl Log {
    /// A log with an account, its credentials, its key and a prompt.
    pub(crate) fn new() -> Log {
        let table = small_table();
        let mut log = Log {
            origin: ORIGIN.into(),
            now: "2026-11-20T10:00:00Z".parse().unwrap(),
            drafts: Vec::new(),
            tables: [(table.digest().to_owned(), TABLE.to_owned())].into(),
            table,
            calls: BTreeMap::new(),
            prompt: trail::id().unwrap(),
            grants: BTreeMap::new(),
            envelopes: BTreeMap::new(),
            settings: Settings::default(),
        };
        let operator = Actor::command_line();
        log.entry(&operator, Body::Account { format: Format::Tink }, Some(json!({"account": ACCOUNT})));
        for (who, name) in
            [(recorder(), "the switch"), (listener(), "Ada Lovelace"), (counsel(), "Grace Hopper")]
        {
            log.adds(&who, name, CoverageBasis::Granted);
        }
        log.entry(&operator, Body::Key { key: KEY.into(), without_proof: false }, None);
        log.tick(1000);
        let body = Body::Prompt { version: log.prompt, duration_ms: 4000 };
        let document = json!({"prompt": "recording", "version": 1, "document": prompt_document()});
        log.entry(&counsel(), body, Some(document));
        log
    }

    /// Adds a credential, with what its uploads need beside being lawful.
    pub(crate) fn adds(&mut self, who: &Actor, name: &str, coverage: CoverageBasis) {
        let (credential, role) = (who.credential.clone(), who.role.clone());
        let body = Body::Credential {
            credential,
            role,
            person: None,
            coverage,
            on_refusal: OnRefusal::Deny,
            quarantine_seconds: 0,
        };
        self.entry(&Actor::command_line(), body, Some(json!({"name": name})));
    }

    pub(crate) fn tick(&mut self, ms: i64) {
        self.now += SignedDuration::from_millis(ms);
    }

    pub(crate) fn entry(&mut self, actor: &Actor, body: Body, detail: Option<Value>) -> u64 {
        self.drafts.push(trail::draft(ACCOUNT, self.now, actor, None, body, detail).unwrap());
        self.drafts.len() as u64 - 1
    }

    fn saw(&self, call: &Call) -> Saw {
        Saw::of(self.table.digest(), &call.decide(self.now))
    }

    pub(crate) fn opened(&self, participants: Vec<Joined>) -> Opened {
        Opened {
            medium: Medium::Telephone,
            kind: Kind::Conversation,
            started_at: self.now,
            recorder_locations: vec!["US-NY".parse().unwrap()],
            operator_locations: vec!["US-NY".parse().unwrap()],
            purposes: Purposes::of(["quality"]),
            overlays: Vec::new(),
            readings: Vec::new(),
            settings: self.settings.clone(),
            participants,
        }
    }

    /// A customer in California by her number and by declaration, and an agent in New York.
    pub(crate) fn open(&mut self, name: &str) -> Uuid {
        self.open_with(name, None)
    }

    pub(crate) fn open_with(&mut self, name: &str, grant: Option<Uuid>) -> Uuid {
        let place = |code: &str, evidence| Place::new(code.parse().unwrap(), evidence);
        let customer = Joined {
            identified: true,
            places: vec![place("US-CA", Evidence::Declared), place("US-CA", Evidence::Number)],
            languages: vec!["en".into()],
            ..Joined::new(0, Role::Customer)
        };
        let agent = Joined {
            identified: true,
            places: vec![place("US-NY", Evidence::Declared)],
            grant: grant.map(|grant| Grant {
                grant: grant.to_string(),
                works_agreement: false,
                written: true,
                by_guardian: false,
                purposes: None,
                from: self.grants[&grant],
                until: None,
            }),
            ..Joined::new(1, Role::Agent)
        };
        let facts = self.opened(vec![customer, agent]);
        let uid = trail::id().unwrap();
        let call = Call::open(&self.table, self.now, facts.clone());
        let saw = self.saw(&call);
        let subjects = vec![(0, "p1:3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into())];
        let body = Body::Opened { facts, subjects, objectors: Vec::new(), saw };
        let detail = json!({"call": name, "participants": ["caller", "agent-7"], "purposes": ["quality"],
            "direction": "inbound", "aliases": [format!("{name}-leg-b")]});
        let draft =
            trail::draft(ACCOUNT, self.now, &recorder(), Some((uid, None)), body, Some(detail)).unwrap();
        self.calls.insert(uid, Going { call, head: draft.id });
        self.drafts.push(draft);
        uid
    }

    pub(crate) fn of_call(&mut self, actor: &Actor, uid: Uuid, body: Body, detail: Option<Value>) -> u64 {
        let head = self.calls[&uid].head;
        let draft = trail::draft(ACCOUNT, self.now, actor, Some((uid, Some(head))), body, detail).unwrap();
        self.calls.get_mut(&uid).unwrap().head = draft.id;
        self.drafts.push(draft);
        self.drafts.len() as u64 - 1
    }

    /// Something that happened, as the platform reports it.
    pub(crate) fn happens(&mut self, uid: Uuid, what: What) -> u64 {
        self.reported(uid, None, what, recorder())
    }

    pub(crate) fn reported(&mut self, uid: Uuid, at: Option<Timestamp>, what: What, actor: Actor) -> u64 {
        let table = Arc::clone(&self.table);
        let now = self.now;
        let facts = Event { received_at: now, at, what };
        let late =
            facts.what.loosens() && self.settings.late_evidence_seconds > 0 && at.is_some_and(|at| at < now);
        let going = self.calls.get_mut(&uid).unwrap();
        going.call.know(&table, now);
        going.call.apply(&facts);
        let saw = Saw::of(table.digest(), &going.call.decide(now));
        let body =
            Body::Event { facts, subjects: Vec::new(), reported_by: Some("platform".into()), late, saw };
        assert_ne!(body.kind(), trail::Kind::AuditHeartbeat);
        let word = body.kind().as_str();
        let detail = json!({"event": {"type": word, "at": at, "evidence":
            {"source": "switch", "ref": format!("cdr/{uid}"), "sha256": "ab".repeat(32)}}, "clock_offset_ms": 0});
        self.of_call(&actor, uid, body, Some(detail))
    }

    pub(crate) fn heard(&self) -> Heard {
        Heard {
            version: self.prompt.to_string(),
            duration_ms: 4000,
            language: "en".into(),
            covers_purposes: true,
            says: Elements::of(["recording"]),
            purposes: Purposes::of(["quality"]),
        }
    }

    pub(crate) fn prompted(&mut self, uid: Uuid, participants: &[u32]) {
        let participants = participants.to_vec();
        self.happens(uid, What::PromptStarted { participants: participants.clone(), prompt: self.heard() });
        self.tick(4100);
        self.happens(uid, What::PromptCompleted { participants, prompt: self.heard(), played_ms: 4050 });
        self.tick(900);
    }

    pub(crate) fn agrees(&mut self, uid: Uuid, participant: u32) {
        self.happens(uid, What::ConsentGiven { participants: vec![participant], method: Method::Dtmf });
        self.tick(100);
    }

    pub(crate) fn start(&mut self, uid: Uuid) -> u64 {
        let now = self.now;
        assert!(self.calls[&uid].call.decide(now).permitted(), "{:?}", self.calls[&uid].call.decide(now));
        self.happens(uid, What::Control(Control::Start))
    }

    pub(crate) fn refuse_start(&mut self, uid: Uuid) -> u64 {
        self.refuse(uid, policy::Use::Record, Purposes::NONE, ControlRefusal::ConsentRequired)
    }

    pub(crate) fn refuse(
        &mut self,
        uid: Uuid,
        of: policy::Use,
        purposes: Purposes,
        code: ControlRefusal,
    ) -> u64 {
        let saw = self.saw(&self.calls[&uid].call);
        let body = Body::ControlRefused { of, purposes, control: Control::Start, code, saw };
        self.of_call(&recorder(), uid, body, None)
    }

    /// A recording from `from` on that the policy covers.
    pub(crate) fn accept(&mut self, uid: Uuid, from: Timestamp, ms: u64) -> Uuid {
        let claim = Claim::Placed(vec![(from, ms)]);
        let upload = Upload { silent: &|_, _| true, ..Upload::new(claim, CoverageBasis::Granted) };
        let coverage = self.calls[&uid].call.coverage(&upload, self.now).unwrap();
        self.accept_anyway(uid, coverage.spans)
    }

    pub(crate) fn accept_anyway(&mut self, uid: Uuid, spans: Vec<(Timestamp, Timestamp)>) -> Uuid {
        self.accept_as(uid, &recorder(), Came::NATIVE, spans)
    }

    /// A recording made in this way, whether or not the policy covers it.
    pub(crate) fn accept_as(
        &mut self,
        uid: Uuid,
        actor: &Actor,
        came: Came,
        spans: Vec<(Timestamp, Timestamp)>,
    ) -> Uuid {
        let id = trail::id().unwrap();
        let sealed = media();
        let envelope = Envelope {
            account: ACCOUNT.into(),
            recording: id.to_string(),
            content_type: "audio/wav".into(),
            bytes: sealed.len() as u64,
            sha256: Sha256::digest(&sealed).into(),
            sealing: Sealing::Tink {
                segment_bytes: 65_536,
                associated_data: seal::associated_data(ACCOUNT, &id.to_string()),
            },
            key_commitment: [7; 32],
            keys: vec![WrappedKey {
                key: KEY.into(),
                algorithm: WrapAlgorithm::RsaOaep256,
                encrypted_key: vec![1, 2, 3],
            }],
        };
        let bare = Envelope { keys: Vec::new(), ..envelope.clone() };
        self.envelopes.insert(id, serde_json::to_string(&envelope).unwrap());
        let what = What::Accepted { spans: spans.clone() };
        let event = Event { received_at: self.now, at: None, what };
        let call = &self.calls[&uid].call;
        let saw = self.saw(call);
        let kept = call.requirement(self.now).retention;
        let body = Body::Accepted {
            recording: id,
            came,
            envelope: hex(&Sha256::digest(serde_json::to_vec(&bare).unwrap())),
            media: hex(&envelope.sha256),
            bytes: envelope.bytes,
            keys: vec![KEY.into()],
            format: Format::Tink,
            spans,
            silenced: Vec::new(),
            unplaced: false,
            codec_ms: 0,
            shifted_ms: 0,
            unasked: None,
            keep_until: kept.keep_until(self.now),
            delete_by: kept.delete_by(self.now),
            released: None,
            saw,
        };
        self.of_call(actor, uid, body, Some(json!({"name": "main"})));
        self.calls.get_mut(&uid).unwrap().call.apply(&event);
        id
    }

    pub(crate) fn grant(&mut self) -> Uuid {
        let grant = trail::id().unwrap();
        self.grants.insert(grant, self.now);
        let body = Body::Grant { grant, from: self.now, until: None, by_guardian: false };
        self.entry(&counsel(), body, Some(json!({"grant": "contract-7", "document": grant_document()})));
        grant
    }

    pub(crate) fn withdraw(&mut self, grant: Uuid, calls: &[Uuid]) -> u64 {
        let index = self.entry(&counsel(), Body::GrantWithdrawn { grant }, None);
        for call in calls {
            self.reported(*call, None, What::ConsentWithdrawn { participants: vec![1] }, counsel());
        }
        index
    }

    /// A whole call: opened, prompted, agreed, recorded, stored, fetched, ended.
    pub(crate) fn whole_call(&mut self, name: &str) -> (Uuid, Uuid) {
        let uid = self.open(name);
        self.tick(1200);
        self.refuse_start(uid);
        self.tick(300);
        self.prompted(uid, &[0, 1]);
        self.agrees(uid, 0);
        self.agrees(uid, 1);
        self.start(uid);
        let from = self.now;
        self.happens(uid, What::AnnouncementRecorded { participants: vec![0, 1] });
        self.tick(60_000);
        self.happens(uid, What::Control(Control::Stop));
        self.happens(uid, What::Ended);
        self.tick(2500);
        let recording = self.accept(uid, from, 60_000);
        self.tick(5000);
        (uid, recording)
    }

    /// Many calls, with everything that an account does in between.
    pub(crate) fn busy(calls: usize) -> Log {
        let mut log = Log::new();
        for number in 0..calls {
            let (_, recording) = log.whole_call(&format!("call-{number}"));
            match number % 5 {
                0 => drop(log.entry(
                    &listener(),
                    Body::Fetched { recording, range: (0, 100) },
                    Some(json!({"purpose": "complaint 17"})),
                )),
                1 => drop(log.entry(&counsel(), Body::Held { recording, held: true }, None)),
                2 => drop(log.entry(&counsel(), Body::Deleted { recording }, None)),
                3 => {
                    let grant = log.grant();
                    let uid = log.open_with(&format!("short-{number}"), Some(grant));
                    log.tick(10);
                    log.withdraw(grant, &[uid]);
                    log.tick(10);
                    log.happens(uid, What::Ended);
                }
                _ => {
                    let uid = log.open(&format!("refused-{number}"));
                    log.prompted(uid, &[0]);
                    log.happens(uid, What::ConsentDeclined { participants: vec![0] });
                    log.tick(10);
                    log.refuse_start(uid);
                    log.happens(uid, What::Ended);
                }
            }
        }
        log
    }

    /// The parts of a pack: the entries at these places, with everything that is disclosed.
    pub(crate) fn parts(&self, indexes: impl IntoIterator<Item = usize>) -> Parts {
        let proofs = proofs(&self.leaves());
        let entries = indexes.into_iter().map(|index| PackEntry {
            index: index as u64,
            leaf: self.drafts[index].leaf.clone(),
            proof: proofs(index as u64),
            detail: self.drafts[index].detail.clone(),
        });
        Parts {
            entries: entries.collect(),
            tables: self.tables.clone(),
            prompts: [(self.prompt, prompt_document().to_string())].into(),
            ..Parts::default()
        }
    }

    /// The places of a call's entries, and of the entries outside of calls that packs include.
    pub(crate) fn entries_of(&self, call: Uuid, recording: Option<Uuid>) -> Vec<usize> {
        let about = |draft: &Draft| {
            let leaf: trail::Leaf = serde_json::from_slice(&draft.leaf).unwrap();
            let taken_along = matches!(leaf.body, Body::Prompt { .. } | Body::Gap { .. });
            let of_recording = matches!(
                leaf.body,
                Body::Fetched { recording: id, .. } | Body::Deleted { recording: id } | Body::Held { recording: id, .. }
                    if recording == Some(id)
            );
            taken_along || of_recording || draft.call == Some(call)
        };
        (0..self.drafts.len()).filter(|index| about(&self.drafts[*index])).collect()
    }

    pub(crate) fn pack(&self, subject: &Subject, parts: Parts) -> Pack {
        let head = head_of(&self.leaves(), &[&key(1)]);
        Pack::new(ACCOUNT, subject, self.now, head, parts).unwrap()
    }

    /// The pack of a recording.
    pub(crate) fn recording_pack(&self, call: Uuid, recording: Uuid) -> Pack {
        let mut parts = self.parts(self.entries_of(call, Some(recording)));
        parts.envelope = Some(self.envelopes[&recording].clone());
        self.pack(&Subject::Recording(recording), parts)
    }

    /// The pack that shows that calls have no recording.
    pub(crate) fn absence_pack(&self, calls: &[Uuid]) -> Pack {
        let leaves = self.leaves();
        let first = self.drafts.iter().position(|draft| draft.call == Some(calls[0])).unwrap();
        let mut indexes: Vec<usize> = calls.iter().flat_map(|call| self.entries_of(*call, None)).collect();
        indexes.sort_unstable();
        indexes.dedup();
        let stretch = Stretch {
            first: first as u64,
            before: edge_of(&leaves[..first]).hashes().to_vec(),
            leaves: leaves[first..].to_vec(),
        };
        let parts = Parts { stretch: Some(stretch), ..self.parts(indexes) };
        let opened = self.drafts.iter().find(|draft| draft.call == Some(calls[0])).unwrap();
        let detail: Value = serde_json::from_str(&opened.detail.as_ref().unwrap().document).unwrap();
        let name = detail["call"].as_str().unwrap().to_owned();
        self.pack(&Subject::Absence { name, calls: calls.to_vec() }, parts)
    }

    pub(crate) fn leaves(&self) -> Vec<Vec<u8>> {
        self.drafts.iter().map(|draft| draft.leaf.clone()).collect()
    }

    /// The log as a gateway exports it.
    pub(crate) fn export(&self) -> Files {
        let mut files = publish(&self.leaves(), &key_of(&self.origin, 1));
        for (digest, text) in &self.tables {
            let path = trail::audit::source::table_path(digest).unwrap();
            files.0.insert(path, text.clone().into_bytes());
        }
        let mut lines = String::new();
        for (index, draft) in self.drafts.iter().enumerate() {
            if let Some(detail) = &draft.detail {
                let line = json!({"index": index, "salt": hex(&detail.salt), "document": detail.document});
                lines.push_str(&format!("{line}\n"));
            }
        }
        files.0.insert("details.jsonl".into(), lines.into_bytes());
        files
    }
}

/// What sealed media look like.
pub(crate) fn media() -> Vec<u8> {
    (0..4096u32).map(|at| (at % 251) as u8).collect()
}

pub(crate) fn key(seed: u8) -> SigningKey {
    key_of(ORIGIN, seed)
}

pub(crate) fn key_of(origin: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(origin, &[seed; 32]).unwrap()
}

pub(crate) fn witness(seed: u8) -> SigningKey {
    SigningKey::from_seed("witness.example.org", &[seed; 32]).unwrap()
}

/// Trust in the log's first key, and in nobody else.
pub(crate) fn trust() -> Trust {
    Trust::in_log(key(1).verifier()).unwrap()
}

pub(crate) fn edge_of(leaves: &[Vec<u8>]) -> Edge {
    let mut edge = Edge::default();
    leaves.iter().for_each(|leaf| edge.push(leaf_hash(leaf), |_, _| {}));
    edge
}

pub(crate) fn head_of(leaves: &[Vec<u8>], keys: &[&SigningKey]) -> Note {
    let edge = edge_of(leaves);
    // A log's key has the log's name.
    let text = Checkpoint::new(keys[0].name(), edge.size(), edge.root()).text();
    let signatures = keys.iter().map(|key| key.sign_note(&text)).collect();
    Note { text, signatures }
}

/// Tiles, bundles and a signed head over any leaves: what the holder of the key can always make.
pub(crate) fn publish(leaves: &[Vec<u8>], key: &SigningKey) -> Files {
    let size = leaves.len() as u64;
    let mut files = BTreeMap::new();
    let mut levels: Vec<Vec<Hash>> = vec![leaves.iter().map(|leaf| leaf_hash(leaf)).collect()];
    while levels.last().unwrap().len() >= 256 {
        let below = levels.last().unwrap();
        let roots = below.chunks_exact(256).map(|chunk| {
            let mut edge = Edge::default();
            chunk.iter().for_each(|hash| edge.push(*hash, |_, _| {}));
            edge.root()
        });
        levels.push(roots.collect());
    }
    for tile in tiles_of(size) {
        let from = place(tile.index) * 256;
        let hashes = &levels[usize::from(tile.level)][from..from + usize::from(tile.width)];
        files.insert(tile.path(), hashes.as_flattened().to_vec());
    }
    for bundle in bundles_of(size) {
        let from = place(bundle.index) * 256;
        let entries = leaves[from..from + usize::from(bundle.width)].iter().map(Vec::as_slice);
        files.insert(bundle.path(), write_bundle(entries).unwrap());
    }
    files.insert("checkpoint".into(), head_of(leaves, &[key]).to_string().into_bytes());
    Files(files, key.name().into())
}

/// An index, to look something up by.
pub(crate) fn place(index: u64) -> usize {
    usize::try_from(index).unwrap()
}

/// The hashes that prove an entry, for any of them.
pub(crate) fn proofs(leaves: &[Vec<u8>]) -> impl Fn(u64) -> Vec<Hash> + use<> {
    let mut nodes = std::collections::HashMap::new();
    let mut edge = Edge::default();
    for (index, leaf) in leaves.iter().enumerate() {
        let id = trail::tree::NodeId { height: 0, index: index as u64 };
        nodes.insert(id, leaf_hash(leaf));
        edge.push(leaf_hash(leaf), |id, hash| {
            nodes.insert(id, hash);
        });
    }
    let size = leaves.len() as u64;
    move |index| {
        let ranges = trail::tree::inclusion(index, size).unwrap();
        let hash = |range| trail::tree::range_hash(range, |id| nodes.get(&id).copied()).unwrap();
        ranges.iter().map(hash).collect()
    }
}

/// An export in memory, and the name of its log.
#[derive(Clone)]
pub(crate) struct Files(pub BTreeMap<String, Vec<u8>>, pub(crate) String);

impl Files {
    pub(crate) fn put(&mut self, path: &str, text: impl ToString) {
        self.0.insert(path.into(), text.to_string().into_bytes());
    }

    pub(crate) fn flip(&mut self, path: &str, at: usize) {
        self.0.get_mut(path).unwrap()[at] ^= 1;
    }

    pub(crate) fn write_to(&self, root: &std::path::Path) {
        for (path, bytes) in &self.0 {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }

    pub(crate) fn zip(&self) -> Vec<u8> {
        use std::io::Write as _;
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (path, bytes) in &self.0 {
            zip.start_file(path, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn get(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        self.0.get(path).cloned().ok_or_else(|| SourceError::Missing(path.into()))
    }
}

impl Source for Files {
    fn name(&self) -> String {
        self.1.clone()
    }

    fn checkpoint(&self) -> Result<String, SourceError> {
        String::from_utf8(self.get("checkpoint")?).map_err(|_| SourceError::wrong("checkpoint", "not UTF-8"))
    }

    fn older_checkpoints(&self) -> Vec<Result<OlderHead, SourceError>> {
        let older = self.0.iter().filter(|(path, _)| path.starts_with("checkpoints/"));
        let head = |(path, bytes): (&String, &Vec<u8>)| {
            let text = String::from_utf8(bytes.clone()).map_err(|_| SourceError::wrong(path, "not UTF-8"))?;
            Ok(OlderHead { path: path.clone(), text })
        };
        older.map(head).collect()
    }

    fn tile(&self, tile: TileId) -> Result<Vec<u8>, SourceError> {
        self.get(&tile.path())
    }

    fn bundle(&self, bundle: BundleId) -> Result<Vec<u8>, SourceError> {
        self.get(&bundle.path())
    }

    fn table(&self, digest: &str) -> Result<Option<String>, SourceError> {
        let path = trail::audit::source::table_path(digest).unwrap();
        Ok(self.0.get(&path).map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    }

    fn beside(&self, size: u64) -> Beside {
        Beside::sorted(self.0.keys().cloned(), size, |path, _| self.get(path))
    }

    fn details(&self) -> Result<Option<Details<'_>>, SourceError> {
        let bytes = self.0.get("details.jsonl").map(Vec::as_slice);
        Ok(bytes.map(|bytes| Box::new(trail::audit::source::directory::Lines::of(bytes)) as Details<'_>))
    }
}

/// The nodes of a tree can be computed from its tiles: the test of the tests.
#[test]
fn published_tiles_give_the_root_that_was_signed() {
    let leaves: Vec<Vec<u8>> = (0..700).map(|n| format!("{n}").into_bytes()).collect();
    let files = publish(&leaves, &key(1));
    let root = trail::tree::range_hash(&(0..700), |node| {
        let (level, index) = tile_of(node);
        let width = trail::tile::width_at(level, index, 700)?;
        let bytes = files.0.get(&TileId { level, index, width }.path())?;
        node_in_tile(node, &trail::tile::read_hashes(bytes).ok()?)
    });
    assert_eq!(root, Some(edge_of(&leaves).root()));
}
