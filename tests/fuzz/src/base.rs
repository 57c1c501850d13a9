//! The log that is changed, with everything that can be made of it. Its ids are random, so it is made
//! once, by `seeds`, and read from then on: an input that was found means the same tomorrow.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use policy::What;
use trail::audit::pack::{self, Pack, Subject};
use trail::tile::read_bundle;
use trail::tree::Hash;
use trail::trust::Trust;
use trail::{Actor, Body, Detail, GapCause, note};

use crate::change::{Files, zipped};
use crate::sample::{self, Log};

/// The log, and its packs.
pub struct Base {
    /// The log as an export.
    pub log: Files,
    /// Another log, so long that it has tiles of level 1.
    pub wide: Files,
    /// Packs of the log: of a recording, of a call, and of two calls that were not recorded.
    pub packs: Vec<Files>,
    /// The log's entries.
    pub leaves: Vec<Vec<u8>>,
    /// The details of its entries.
    pub details: BTreeMap<u64, Detail>,
}

/// What `seeds` has made.
///
/// # Panics
///
/// Where that has not run.
pub fn base() -> &'static Base {
    static READ: OnceLock<Base> = OnceLock::new();
    READ.get_or_init(|| {
        let read = |name: &str| {
            let path = place().join(format!("{name}.zip"));
            unzipped(&std::fs::read(&path).unwrap_or_else(|_| panic!("{}: run seeds first", path.display())))
        };
        let log = read("log");
        let bundle = log.iter().find(|(path, _)| path.starts_with("tile/entries/")).expect("a bundle").1;
        let leaves = read_bundle(bundle).expect("a bundle").into_iter().map(<[u8]>::to_vec).collect();
        let details = details(&log["details.jsonl"]);
        Base { wide: read("wide"), packs: PACKS.map(read).into(), leaves, details, log }
    })
}

/// Makes the log, where it is not there yet.
pub fn make() {
    if PACKS.iter().chain(&["log", "wide"]).all(|name| place().join(format!("{name}.zip")).exists()) {
        return;
    }
    let mut log = Log::new();
    let (call, recording) = log.whole_call("c-17");
    let purpose = serde_json::json!({"purpose": "complaint"});
    log.entry(&sample::listener(), Body::Fetched { recording, range: (0, 4096) }, Some(purpose));
    let grant = log.grant();
    let short = log.open_with("short", Some(grant));
    log.withdraw(grant, &[short]);
    log.happens(short, What::Ended);
    let silent = log.open("silent");
    let gap = Body::Gap { from: log.now, until: log.now, cause: GapCause::EndedUnexpectedly };
    log.entry(&Actor::gateway(), gap, None);
    log.happens(silent, What::Ended);
    let again = log.open("silent");
    log.happens(again, What::ConsentDeclined { participants: vec![0] });
    log.happens(again, What::Ended);
    log.entry(&sample::counsel(), Body::Deleted { recording }, None);
    log.entry(&Actor::gateway(), Body::Heartbeat {}, None);

    let mut wide = Log::new();
    for _ in wide.drafts.len()..258 {
        wide.tick(1000);
        wide.entry(&Actor::gateway(), Body::Heartbeat {}, None);
    }
    let packs = [
        log.recording_pack(call, recording),
        log.pack(&Subject::Call(call), log.parts(log.entries_of(call, None))),
        log.absence_pack(&[silent, again]),
    ];
    std::fs::create_dir_all(place()).expect("target/fuzz can be written");
    let put = |name: &str, files: &Files| {
        let bytes = zipped(files).expect("names of ours");
        std::fs::write(place().join(format!("{name}.zip")), bytes).expect("target/fuzz can be written");
    };
    put("log", &log.export().0);
    put("wide", &wide.export().0);
    PACKS.iter().zip(&packs).for_each(|(name, pack)| put(name, &written(pack).expect("a pack")));
}

/// The files of a pack; none where it cannot be written.
pub fn written(pack: &Pack) -> Option<Files> {
    let mut out = Cursor::new(Vec::new());
    pack::write(pack, &mut out).ok()?;
    Some(unzipped(&out.into_inner()))
}

/// Whom everything here is signed by.
pub fn trust() -> Trust {
    sample::trust()
}

/// The key of the log.
pub fn key() -> note::SigningKey {
    sample::key(1)
}

/// The signed head of a log of these entries.
pub fn head(leaves: &[Vec<u8>]) -> note::Note {
    sample::head_of(leaves, &[&key()])
}

/// What proves each of these entries.
pub fn proofs(leaves: &[Vec<u8>]) -> impl Fn(u64) -> Vec<Hash> {
    sample::proofs(leaves)
}

/// An export of a log of these entries, with the details and tables of ours.
pub fn export(leaves: &[Vec<u8>]) -> Files {
    let mut files = sample::publish(leaves, &key()).0;
    let beside = |path: &str| path.starts_with("tables/") || path == "details.jsonl";
    files.extend(base().log.clone().into_iter().filter(|(path, _)| beside(path)));
    files
}

/// The inputs that a target begins with.
pub fn seeds(target: &str) -> PathBuf {
    below("seeds").join(target)
}

fn place() -> PathBuf {
    below("base")
}

fn below(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/fuzz").join(folder)
}

fn unzipped(bytes: &[u8]) -> Files {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).expect("an archive of ours");
    let mut files = Files::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).expect("a file");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("a file");
        files.insert(file.name().expect("a name of ours").into_owned(), bytes);
    }
    files
}

fn details(lines: &[u8]) -> BTreeMap<u64, Detail> {
    let read = |line: &[u8]| {
        let line: serde_json::Value = serde_json::from_slice(line).expect("JSON");
        let salt = line["salt"].as_str().expect("a salt").as_bytes();
        let digit = |byte: u8| (byte as char).to_digit(16).expect("hexadecimal") as u8;
        let salt: Vec<u8> = salt.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
        let document = line["document"].as_str().expect("a document").to_owned();
        let salt = salt.try_into().expect("32 bytes");
        (line["index"].as_u64().expect("an index"), Detail { salt, document })
    };
    lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(read).collect()
}

const PACKS: [&str; 3] = ["recording", "call", "absence"];
