//! A verifier that was written from the reference alone, `second_verifier.py`, beside `consent-verify`: what one of
//! them finds, the other finds too, unless the second one says that it does not look there.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use serde_json::{Value, json};
use sha2::Digest as _;
use trail::audit::pack::{Entry, Pack, Parts, Stretch, Subject};
use trail::note::{Checkpoint, Note, SigningKey};
use trail::tile::{bundles_of, read_bundle, tiles_of, write_bundle};
use trail::tree::{Edge, Hash, inclusion, leaf_hash};
use trail::{Detail, Leaf};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::harness::{Gateway, PROGRAM, Random, START, files_below, slow, wav};

type Files = BTreeMap<String, Vec<u8>>;

#[test]
fn the_examples_of_the_reference_are_read_by_it() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/vectors");
    let (code, told) = second(&["--vectors", vectors.to_str().unwrap()]);
    assert_eq!((code, told.as_str()), (0, ""));
    // And each of them counts.
    for name in ["entries", "tree", "tiles", "head"] {
        let dir = tempfile::tempdir().unwrap();
        for path in files_below(&vectors) {
            std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
        }
        let path = dir.path().join(format!("{name}.json"));
        let mut vectors: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let (at, from, to) = match name {
            "entries" => ("/entries/2/detail/salt", "a2", "a3"),
            "tree" => ("/consistency/1/proof/0", "=", "=="),
            "tiles" => ("/paths/3/path", "x001", "x002"),
            _ => ("/older", "\n2\n", "\n3\n"),
        };
        let one = vectors.pointer_mut(at).unwrap();
        *one = one.as_str().unwrap().replacen(from, to, 1).into();
        std::fs::write(&path, vectors.to_string()).unwrap();
        let (code, told) = second(&["--vectors", dir.path().to_str().unwrap()]);
        assert!(code != 0 && told.contains(&format!("{name}.json")), "{name}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_verified_by_both_and_what_is_damaged_is_found_by_both() {
    let taken = Taken::new().await;
    let files = taken.export("export", &["--details"]);
    let mut trials = Trials::new(&taken);
    trials.good("an export", files.clone());
    trials.good("an export without details", taken.export("bare", &[]));
    let archive = std::fs::read(taken.exported("export.zip", &["--details"])).unwrap();
    trials.archive("an archive", Expect::Good, archive.clone());
    trials.archive("another form of archive", Expect::Found, stored(&files));
    // A file's head, some of its directory, and its end.
    let end = archive.len();
    for at in (0..60).chain((end - 300..end - 22).step_by(7)).chain(end - 22..end) {
        let mut archive = archive.clone();
        archive[at] ^= 1;
        trials.archive(&format!("byte {at} of the archive"), Expect::Found, archive);
    }
    damage_files(&mut trials, &files, &|path, how| match (path.split('/').next().unwrap(), how) {
        ("details.jsonl" | "checkpoints", "without") => Expect::Good,
        _ => Expect::Found,
    });
    heads(&mut trials, &files, &taken);
    details(&mut trials, &files);
    leaves(&mut trials, &files);
    trials.run();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proof_packs_are_verified_by_both_and_what_is_damaged_is_found_by_both() {
    let taken = Taken::new().await;
    let mut trials = Trials::new(&taken);
    for (kind, path) in [
        ("recording", format!("/v1/recordings/{}/proof", taken.recording)),
        ("call", "/v1/calls/kept/proof".to_owned()),
        ("absence", "/v1/calls/refused/proof?of=no-recording".to_owned()),
    ] {
        let pack = taken.gateway.auditor.get(&path).await;
        assert_eq!(pack.status, 200, "{kind}: {}", pack.text());
        let files = unpacked(&pack.body);
        let of_type = |kind: &str| {
            let says = format!("\"type\":\"{kind}\"");
            let entry = files.iter().find(|(path, leaf)| path.starts_with("entries/") && has(leaf, &says));
            entry.map_or(String::new(), |(path, _)| path.replace("entries/", "details/"))
        };
        let (opening, prompt) = (of_type("call.opened"), of_type("prompt.registered"));
        trials.archive(kind, Expect::Good, pack.body.clone());
        trials.pack(&format!("{kind}, packed again"), Expect::Good, &files);
        damage_files(&mut trials, &files, &|path, how| match (path.split('/').next().unwrap(), how) {
            ("index.html", "without") => Expect::Found,
            ("index.html", _) => Expect::Beyond,
            // Without it, which call it is, and what was played, is not disclosed.
            ("details", "without") if path == opening || path == prompt => Expect::Found,
            // The page told what it said.
            ("details", "without") => Expect::Beyond,
            // Entries do not commit to wrapped keys.
            ("envelope.json", "without") => Expect::Good,
            ("envelope.json", "middle") => Expect::Same,
            ("envelope.json" | "pack.json" | "details", "longer") => Expect::Good,
            ("log", "cut") if path == "log/before" => Expect::Good,
            ("prompts", "without") => Expect::Beyond,
            _ => Expect::Found,
        });
        manifests(&mut trials, kind, &files);
    }
    absences(&mut trials, &taken.export("export", &["--details"]));
    trials.run();
}

/// A log of more than one tile, with a recording and a call that has none.
struct Taken {
    gateway: Gateway,
    trust: PathBuf,
    recording: String,
}

impl Taken {
    async fn new() -> Taken {
        let gateway = Gateway::start().await;
        let opened = json!({
            "medium": "telephone", "purposes": ["quality"],
            "participants": [
                {"id": "caller", "role": "customer", "number": "+14155550100", "location": "US-CA", "languages": ["en"]},
                {"id": "agent", "role": "agent", "location": "US-NY", "languages": ["en"]},
            ],
        });
        gateway.recorder.put("/v1/calls/kept", &opened).await.expect(201);
        gateway.advance_ms(4_000);
        gateway.prompt("kept", &["caller", "agent"]).await;
        gateway.control("kept", "start").await.expect(200);
        let from = gateway.now();
        gateway.advance_ms(3_000);
        let stored = gateway.upload("kept", "main", Some(from), &wav(2_000)).await.expect(201);
        gateway.open("refused", "DE").await;
        gateway.control("refused", "start").await.expect(403);
        let ended = json!({"type": "call.ended"});
        for call in ["kept", "refused"] {
            gateway.event(call, &ended).await.expect(201);
        }
        assert_eq!(gateway.auditor.get("/v1/log/acme/checkpoint").await.status, 200);
        for number in 0..90 {
            let call = format!("c{number}");
            gateway.open(&call, "US-CA").await;
            gateway.advance_ms(15_000);
            gateway.prompt(&call, &["caller"]).await;
            gateway.event(&call, &ended).await.expect(201);
        }
        assert_eq!(gateway.auditor.get("/v1/log/acme/checkpoint").await.status, 200);
        let trust = gateway.dir.path().join("trust");
        let (code, told, err) = gateway.run(&["audit", "key", "acme"]);
        assert_eq!(code, 0, "{err}");
        std::fs::write(&trust, told).unwrap();
        Taken { gateway, trust, recording: stored["id"].as_str().unwrap().to_owned() }
    }

    fn exported(&self, name: &str, more: &[&str]) -> PathBuf {
        let out = self.gateway.dir.path().join(name);
        let (code, _, err) =
            self.gateway.run(&[&["audit", "export", "acme", "--out", out.to_str().unwrap()], more].concat());
        assert_eq!(code, 0, "{err}");
        out
    }

    fn export(&self, name: &str, more: &[&str]) -> Files {
        let out = self.exported(name, more);
        let path = |path: &PathBuf| path.strip_prefix(&out).unwrap().to_str().unwrap().to_owned();
        files_below(&out).iter().map(|file| (path(file), std::fs::read(file).unwrap())).collect()
    }
}

/// What both have to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Good,
    Found,
    /// The same, whatever it is.
    Same,
    /// Only `consent-verify` looks there: decisions, who may do what, the schema of bodies, a pack's page.
    Beyond,
}

struct Trial {
    name: String,
    expect: Expect,
    what: What,
    trust: String,
    since: Option<Vec<u8>>,
}

enum What {
    Directory(Files),
    Archive(Vec<u8>),
}

struct Trials {
    trust: String,
    all: Vec<Trial>,
}

impl Trials {
    fn new(taken: &Taken) -> Trials {
        Trials { trust: std::fs::read_to_string(&taken.trust).unwrap(), all: Vec::new() }
    }

    fn add(&mut self, name: &str, expect: Expect, what: What) -> &mut Trial {
        let trust = self.trust.clone();
        self.all.push(Trial { name: name.to_owned(), expect, what, trust, since: None });
        self.all.last_mut().unwrap()
    }

    fn good(&mut self, name: &str, files: Files) {
        self.add(name, Expect::Good, What::Directory(files));
    }

    fn found(&mut self, name: &str, files: Files) {
        self.add(name, Expect::Found, What::Directory(files));
    }

    fn archive(&mut self, name: &str, expect: Expect, archive: Vec<u8>) {
        self.add(name, expect, What::Archive(archive));
    }

    fn pack(&mut self, name: &str, expect: Expect, files: &Files) {
        self.archive(name, expect, packed(files));
    }

    /// Damaged or not, as a directory or, where it is a pack, as an archive.
    fn either(&mut self, name: &str, expect: Expect, files: Files) {
        let pack = files.contains_key("index.html") || files.contains_key("pack.json");
        let what = if pack { What::Archive(packed(&files)) } else { What::Directory(files) };
        self.add(name, expect, what);
    }

    /// Both programs, over all of them, or over every eighth damage where the slow suites are not asked for; and every
    /// difference at once.
    fn run(mut self) {
        if !slow() {
            let mut random = Random::seeded();
            self.all.retain(|trial| trial.expect == Expect::Good || random.below(8) == 0);
        }
        let count = self.all.len();
        let (queue, wrong) = (Mutex::new(self.all), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    loop {
                        let Some(trial) = queue.lock().unwrap().pop() else { break };
                        if let Err(told) = trial.run() {
                            wrong.lock().unwrap().push(told);
                        }
                    }
                });
            }
        });
        let wrong = wrong.into_inner().unwrap();
        assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    }
}

impl Trial {
    fn run(&self) -> Result<(), String> {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let what = path("what");
        match &self.what {
            What::Archive(bytes) => std::fs::write(&what, bytes).unwrap(),
            What::Directory(files) => {
                for (name, bytes) in files {
                    let file = Path::new(&what).join(name);
                    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                    std::fs::write(file, bytes).unwrap();
                }
            }
        }
        std::fs::write(path("trust"), &self.trust).unwrap();
        let (trust, since) = (path("trust"), path("since"));
        let mut options = vec![what.as_str(), "--trust", &trust];
        if let Some(head) = &self.since {
            std::fs::write(&since, head).unwrap();
            options.extend(["--since", &since]);
        }
        let (theirs, they_told) = second(&options);
        let (ours, we_told) = first(&[&["verify"], &options[..]].concat());
        let as_expected = match self.expect {
            Expect::Good => ours == 0 && theirs == 0,
            Expect::Found => (1..=3).contains(&ours) && (1..=3).contains(&theirs),
            Expect::Same => (ours == 0) == (theirs == 0) && ours <= 3 && theirs <= 3,
            Expect::Beyond => (1..=3).contains(&ours) && theirs == 0,
        };
        let told = || {
            let first_line = |told: &str| told.lines().next().unwrap_or_default().to_owned();
            let (ours_said, theirs_said) = (first_line(&we_told), first_line(&they_told));
            format!("{}, {:?}: {ours} {ours_said} | {theirs} {theirs_said}", self.name, self.expect)
        };
        if std::env::var("SECOND_VERIFIER_TELLS").is_ok() {
            eprintln!("{}", told());
        }
        if as_expected { Ok(()) } else { Err(told()) }
    }
}

fn first(args: &[&str]) -> (i32, String) {
    let program = Path::new(PROGRAM).with_file_name("consent-verify");
    assert!(program.exists(), "`cargo build --workspace` makes it");
    said(Command::new(program).args(args))
}

fn second(args: &[&str]) -> (i32, String) {
    let python = std::env::var("GATEWAY_TEST_PYTHON")
        .expect("run the tests with tests/run: it sets GATEWAY_TEST_PYTHON");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/interop/second_verifier.py");
    said(Command::new(python).arg(program).args(args))
}

fn said(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&told).into_owned())
}

/// Every file with a byte changed at its beginning, its middle and its end, cut, longer by a line's end, and gone.
fn damage_files(trials: &mut Trials, files: &Files, expect: &dyn Fn(&str, &str) -> Expect) {
    let mut seen = BTreeSet::new();
    for (path, bytes) in files {
        let mut without = files.clone();
        without.remove(path);
        trials.either(&format!("without {path}"), expect(path, "without"), without);
        let flipped = |at: usize| {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            changed
        };
        // One of a kind stands for the others.
        let folder = path.rsplit_once('/').map_or(path.as_str(), |(folder, _)| folder);
        let more = seen.insert(folder);
        let (cut, longer) = (bytes[..bytes.len() - 1].to_vec(), [bytes, &b"\n"[..]].concat());
        for (how, changed) in [
            ("middle", flipped(bytes.len() / 2)),
            ("first", flipped(0)),
            ("last", flipped(bytes.len() - 1)),
            ("cut", cut),
            ("longer", longer),
        ] {
            if how != "middle" && !more {
                continue;
            }
            let mut files = files.clone();
            files.insert(path.clone(), changed);
            trials.either(&format!("{path}: {how}"), expect(path, how), files);
        }
    }
}

/// Heads, who signed them, and what is trusted.
fn heads(trials: &mut Trials, files: &Files, taken: &Taken) {
    let own = Own::of(files);
    let leaves = own.leaves.clone();
    let text =
        |size: usize| Checkpoint::new(own.key.name(), size as u64, root(&hashes(&leaves[..size]))).text();
    let signed = |text: String| Note { signatures: vec![own.key.sign_note(&text)], text }.to_string();
    trials.found("another key's signature", own.files(&leaves));
    let mut own_trial = |name: &str, expect, changes: &[(&str, String)]| {
        let mut files = own.files(&leaves);
        for (path, text) in changes {
            files.insert((*path).to_owned(), text.clone().into_bytes());
        }
        trials.add(name, expect, What::Directory(files)).trust = own.trust();
    };
    let head = text(leaves.len());
    own_trial("a head of one's own", Expect::Good, &[]);
    // Nobody can check what it says, and nobody believes it.
    own_trial("an extension line", Expect::Good, &[("checkpoint", signed(format!("{head}more\n")))]);
    for (name, changed) in [
        ("an empty extension line", format!("{head}\n")),
        ("a size with a zero", head.replacen(&leaves.len().to_string(), &format!("0{}", leaves.len()), 1)),
        ("a root in other base64", head.replace("=\n", "\n")),
        ("another root", text(5).replacen("\n5\n", &format!("\n{}\n", leaves.len()), 1)),
        ("a smaller size", text(leaves.len() - 1)),
        ("a larger size", head.replacen(&leaves.len().to_string(), &(leaves.len() + 1).to_string(), 1)),
        ("another log", head.replacen("/acme\n", "/other\n", 1)),
    ] {
        own_trial(name, Expect::Found, &[("checkpoint", signed(changed))]);
    }
    let whole = signed(head.clone());
    let stranger = SigningKey::from_seed("witness.example.org", &[3; 32]).unwrap();
    let forged = |signature: trail::note::Signature| {
        let mut signature = signature;
        signature.blob[5] ^= 1;
        signature
    };
    for (name, expect, line) in [
        ("a stranger's signature, too", Expect::Good, stranger.sign_note(&head)),
        ("a stranger's forged signature", Expect::Good, forged(stranger.sign_note(&head))),
        ("the log's signature twice", Expect::Good, own.key.sign_note(&head)),
        ("the log's signature, and a forged one", Expect::Found, forged(own.key.sign_note(&head))),
    ] {
        own_trial(name, expect, &[("checkpoint", format!("{whole}{line}\n"))]);
    }
    for (name, expect, path, older) in [
        ("an older head", Expect::Good, "checkpoints/7", signed(text(7))),
        ("an older head under another name", Expect::Good, "checkpoints/8", signed(text(7))),
        (
            "an older head with another root",
            Expect::Found,
            "checkpoints/7",
            signed(text(6).replacen("\n6\n", "\n7\n", 1)),
        ),
        (
            "an older head that nobody signed",
            Expect::Found,
            "checkpoints/7",
            Note { signatures: vec![stranger.sign_note(&text(7))], text: text(7) }.to_string(),
        ),
        (
            "an older head by another key",
            Expect::Found,
            "checkpoints/7",
            Note {
                signatures: vec![
                    SigningKey::from_seed(own.key.name(), &[8; 32]).unwrap().sign_note(&text(7)),
                ],
                text: text(7),
            }
            .to_string(),
        ),
        (
            "a newer head among the older ones",
            Expect::Found,
            "checkpoints/400",
            signed(text(7).replacen("\n7\n", "\n400\n", 1)),
        ),
    ] {
        own_trial(name, expect, &[(path, older)]);
    }
    // Heads that were kept elsewhere, and trust in other words.
    let kept = |trials: &mut Trials, name: &str, expect, older: String| {
        let trial = trials.add(name, expect, What::Directory(own.files(&leaves)));
        trial.trust = own.trust();
        trial.since = Some(older.into_bytes());
    };
    kept(trials, "a kept head", Expect::Good, signed(text(250)));
    kept(trials, "a kept head of now", Expect::Good, whole.clone());
    kept(trials, "a kept head of none", Expect::Good, signed(text(0)));
    kept(
        trials,
        "a kept head that the log does not go on from",
        Expect::Found,
        signed(text(249).replacen("\n249\n", "\n250\n", 1)),
    );
    kept(
        trials,
        "a kept head of more entries",
        Expect::Found,
        signed(text(7).replacen("\n7\n", "\n4000\n", 1)),
    );
    kept(
        trials,
        "a kept head of another log",
        Expect::Found,
        signed(text(7).replacen("/acme\n", "/other\n", 1)),
    );
    for (name, expect, line) in [
        ("a cosignature that nobody asks for", Expect::Good, stranger.cosign(&head, 1_900_000_000)),
        ("a forged one that nobody asks for", Expect::Found, forged(stranger.cosign(&head, 1_900_000_000))),
    ] {
        let mut files = own.files(&leaves);
        files.insert("checkpoint".into(), format!("{whole}{line}\n").into_bytes());
        let trial = trials.add(name, expect, What::Directory(files));
        trial.trust = format!("witness one {}\n{}", stranger.cosigner(), own.trust());
    }
    let mut trusting = |name: &str, expect, trust: String| {
        trials.add(name, expect, What::Directory(files.clone())).trust = trust;
    };
    let trust = std::fs::read_to_string(&taken.trust).unwrap();
    let line = trust.lines().next().unwrap();
    let witness = stranger.cosigner();
    trusting("a comment", Expect::Good, format!("# ours\n\n  {trust}"));
    trusting("a URL", Expect::Good, trust.replacen('\n', " https://gateway.example.com/\n", 1));
    trusting("a witness that is not asked", Expect::Good, format!("witness one {witness}\n{trust}"));
    trusting(
        "a witness that has not signed",
        Expect::Found,
        format!("{line}\nwitness one {witness}\nquorum one\n"),
    );
    trusting(
        "a group that has not signed",
        Expect::Found,
        format!("{line}\nwitness one {witness}\ngroup all all one\nquorum all\n"),
    );
    trusting("no quorum", Expect::Found, format!("{line}\n"));
    trusting("two quorums", Expect::Found, format!("{trust}quorum none\n"));
    trusting("a key that stands twice", Expect::Found, format!("{line}\n{trust}"));
    trusting("a witness that is not defined", Expect::Found, format!("{line}\nquorum one\n"));
    trusting(
        "a group of nobody",
        Expect::Found,
        format!("{line}\nwitness one {witness}\ngroup g any\nquorum none\n"),
    );
    trusting(
        "a group of more than it has",
        Expect::Found,
        format!("{line}\nwitness one {witness}\ngroup g 2 one\nquorum none\n"),
    );
    trusting(
        "a group with a member of another",
        Expect::Found,
        format!("{line}\nwitness one {witness}\ngroup g any one\ngroup h any one\nquorum none\n"),
    );
    trusting(
        "a name of two",
        Expect::Found,
        format!("{line}\nwitness one {witness}\ngroup one any one\nquorum none\n"),
    );
    trusting("a carriage return", Expect::Found, trust.replace('\n', "\r\n"));
    trusting("another word", Expect::Found, format!("{trust}more\n"));
    let (name, rest) = line.split_once('+').unwrap();
    let digit = if rest.starts_with('0') { "1" } else { "0" };
    trusting("another key's id", Expect::Found, format!("{name}+{digit}{}\nquorum none\n", &rest[1..]));
    trusting("a log of another name", Expect::Found, own.trust().replacen("/acme", "/other", 1));
    trusting("a witness's key for the log", Expect::Found, format!("log {witness}\nquorum none\n"));
}

/// The file of details, which nothing signs: entries do.
fn details(trials: &mut Trials, files: &Files) {
    let text = String::from_utf8(files["details.jsonl"].clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let parsed = |at: usize| -> Value { serde_json::from_str(lines[at]).unwrap() };
    let mut put = |name: &str, expect, text: String| {
        let mut files = files.clone();
        files.insert("details.jsonl".into(), text.into_bytes());
        trials.add(name, expect, What::Directory(files));
    };
    let join = |lines: &[&str]| format!("{}\n", lines.join("\n"));
    put("a detail that was erased", Expect::Good, join(&lines[1..]));
    put("every detail erased", Expect::Good, String::new());
    put("details in another order", Expect::Found, join(&[&[lines[1], lines[0]], &lines[2..]].concat()));
    put("a detail twice", Expect::Found, join(&[&[lines[0]], &lines[..]].concat()));
    put("an empty line", Expect::Found, format!("{text}\n"));
    put("white space in a detail", Expect::Good, text.replacen("\"index\":", "\"index\": ", 1));
    let mut with = |name: &str, member: &str, value: Value| {
        let mut one = parsed(0);
        one[member] = value;
        put(name, Expect::Found, join(&[&[one.to_string().as_str()], &lines[1..]].concat()));
    };
    with("the detail of another entry", "document", parsed(1)["document"].clone());
    with("another salt", "salt", parsed(1)["salt"].clone());
    with("a salt in capitals", "salt", parsed(0)["salt"].as_str().unwrap().to_uppercase().into());
    with("a detail of an entry that has none", "index", 1.into());
    with("a detail beyond the log", "index", 4000.into());
    with("a detail with another member", "more", 1.into());
}

/// Leaves as a log's owner might write them, who signs them anew.
fn leaves(trials: &mut Trials, files: &Files) {
    let own = Own::of(files);
    let all = own.leaves.clone();
    let at = |kind: &str| all.iter().position(|leaf| has(leaf, &format!("\"type\":\"{kind}\""))).unwrap();
    let mut log = |name: &str, expect, leaves: &[Vec<u8>]| {
        trials.add(name, expect, What::Directory(own.files(leaves))).trust = own.trust();
    };
    let without = |index: usize| [&all[..index], &all[index + 1..]].concat();
    log("the last entry is not there yet", Expect::Good, &all[..all.len() - 1]);
    log("an entry of a call left out", Expect::Found, &without(at("recording.start")));
    log("an opening left out", Expect::Found, &without(at("call.opened")));
    log("what was registered left out", Expect::Found, &without(at("prompt.registered")));
    log("an entry twice", Expect::Found, &[&all[..3], &all[2..]].concat());
    let mut swapped = all.clone();
    let open = at("call.opened");
    swapped.swap(open, open + 1);
    log("two entries swapped", Expect::Found, &swapped);
    let mut late = all.clone();
    let last = late.pop().unwrap();
    late.insert(40, last);
    log("an entry that comes much too early", Expect::Found, &late);
    let mut change = |name: &str, expect, index: usize, from: &str, to: &str| {
        let leaf = String::from_utf8(all[index].clone()).unwrap();
        assert!(leaf.contains(from), "{name}: {leaf}");
        let mut leaves = all.clone();
        leaves[index] = leaf.replacen(from, to, 1).into_bytes();
        log(name, expect, &leaves);
    };
    let field = |index: usize, name: &str| {
        let leaf: Value = serde_json::from_slice(&all[index]).unwrap();
        leaf[name].as_str().unwrap().to_owned()
    };
    let (found, event, ended) = (Expect::Found, at("prompt.completed"), at("call.ended"));
    change("white space", found, event, "{\"v\":1,", "{\"v\": 1,");
    change("an escape that is not needed", found, event, "prompt.completed", "prompt\\u002ecompleted");
    change("another member", found, event, "\"detail\":", "\"more\":1,\"detail\":");
    change("a member twice", found, event, "\"v\":1,", "\"v\":1,\"v\":1,");
    change(
        "members in another order",
        found,
        0,
        "\"call\":null,\"prev\":null",
        "\"prev\":null,\"call\":null",
    );
    change("another version", found, event, "\"v\":1", "\"v\":2");
    change("a version with a fraction", found, event, "\"v\":1", "\"v\":1.0");
    change("a type that is not known", found, ended, "\"type\":\"call.ended\"", "\"type\":\"call.moved\"");
    change(
        "another type than the body's",
        found,
        ended,
        "\"type\":\"call.ended\"",
        "\"type\":\"recording.stopped\"",
    );
    change("a body that is not known", found, 0, "{\"account\":{}}", "{\"accounts\":{}}");
    let when = field(event, "at");
    change("a time without milliseconds", found, event, &when, &when.replacen(".000Z", "Z", 1));
    change("another time than the id's", found, event, &when, &when.replacen(".000Z", ".001Z", 1));
    change("a time elsewhere", found, event, &when, &when.replacen('Z', "+00:00", 1));
    change(
        "a nonce in capitals",
        found,
        event,
        &field(event, "nonce"),
        &field(event, "nonce").to_uppercase(),
    );
    change("a short nonce", found, event, &field(event, "nonce"), &field(event, "nonce")[1..]);
    change("another's nonce", found, event, &field(event, "nonce"), &field(0, "nonce"));
    change("an id in capitals", found, event, &field(event, "id"), &field(event, "id").to_uppercase());
    change("an id of version 4", found, ended, &field(ended, "id")[13..15], "-4");
    change("another's id", found, open + 1, &field(open + 1, "id"), &field(open, "id"));
    change("another entry before it", found, event, &field(event, "prev"), &field(0, "id"));
    change(
        "no entry before it",
        found,
        event,
        &format!("\"prev\":\"{}\"", field(event, "prev")),
        "\"prev\":null",
    );
    change("no call", found, event, &format!("\"call\":\"{}\"", field(event, "call")), "\"call\":null");
    change(
        "a call without a decision",
        found,
        0,
        "\"call\":null",
        &format!("\"call\":\"{}\"", field(event, "call")),
    );
    change("another moment of receipt", found, event, "\"received_at\":\"2026", "\"received_at\":\"2025");
    change(
        "a role that the command line has not",
        found,
        0,
        "\"role\":\"operator\"",
        "\"role\":\"recorder\"",
    );
    change("a commitment that is cut", found, 0, &field(0, "detail"), &field(0, "detail")[4..]);
    let text = std::str::from_utf8(&all[2]).unwrap();
    let register = text.split_once(",\"register\":").unwrap().1.strip_suffix('}').unwrap();
    let registered: Value = serde_json::from_str(register).unwrap();
    let (sum, row) = (registered["sum"].as_str().unwrap(), registered["rows"][0][2].as_str().unwrap());
    change("another sum", found, 2, sum, &sum.chars().rev().collect::<String>());
    change("another row", found, 2, row, &row.chars().rev().collect::<String>());
    change("a register that is left out", found, 2, &format!(",\"register\":{register}"), "");
    // Too many rows change, as it says: neither can follow them any further, and each says so.
    change("rows that are not told", Expect::Good, 2, &registered["rows"].to_string(), "null");
    // What a second verifier without the policy does not see.
    let beyond = Expect::Beyond;
    change("another decision", beyond, event, "\"recording\":\"permitted\"", "\"recording\":\"blocked\"");
    change(
        "a credential that nobody added",
        beyond,
        event,
        &field_of(&all[event], "credential"),
        "cg_0000000000000000",
    );
    change("another member in a body", beyond, event, "\"facts\":{", "\"facts\":{\"more\":1,");
}

/// What a pack says of itself, and its entries.
fn manifests(trials: &mut Trials, kind: &str, files: &Files) {
    let told: Value = serde_json::from_slice(&files["pack.json"]).unwrap();
    let text = String::from_utf8(files["pack.json"].clone()).unwrap();
    let indices: Vec<u64> =
        told["indices"].as_array().unwrap().iter().map(|index| index.as_u64().unwrap()).collect();
    let mut change = |name: &str, expect, from: &str, to: &str| {
        assert!(text.contains(from), "{name}: {text}");
        let mut files = files.clone();
        files.insert("pack.json".into(), text.replacen(from, to, 1).into_bytes());
        trials.pack(&format!("{kind}: {name}"), expect, &files);
    };
    let found = Expect::Found;
    change("another format", found, "pack v1", "pack v2");
    change("another kind", found, &format!("\"kind\": \"{kind}\""), "\"kind\": \"other\"");
    change("another account", found, "\"account\": \"acme\"", "\"account\": \"other\"");
    change("another size", found, "\"size\": ", "\"size\": 1");
    change("another call", found, told["calls"][0].as_str().unwrap(), "01a22a09-2c98-7705-83f4-06ba448abf08");
    change("another name", found, "\"call_id\": \"", "\"call_id\": \"x");
    change("an index less", found, &format!("    {},\n", indices[0]), "");
    let moved = {
        let mut moved = told.clone();
        let one = moved["asserted"].as_array_mut().unwrap().pop().unwrap();
        moved["did"].as_array_mut().unwrap().push(one);
        serde_json::to_string_pretty(&moved).unwrap()
    };
    change("what was said, as if it had been done", found, &text, &moved);
    change("another time", found, "\"at\": \"2026", "\"at\": \"2025");
    change("another type", found, "\"type\": \"call.opened\"", "\"type\": \"call.ended\"");
    change("somebody else", found, "\"by\": \"", "\"by\": \"x");
    change("another member", found, "{\n", "{\n  \"more\": 1,\n");
    change("another form", Expect::Good, "\"format\": ", "\"format\":  ");
    change("another maker", Expect::Beyond, "\"made_by\": \"", "\"made_by\": \"x");
    let mut with = |name: &str, changes: Vec<(String, Vec<u8>)>| {
        let mut files = files.clone();
        files.extend(changes);
        trials.pack(&format!("{kind}: {name}"), found, &files);
    };
    let table = files.iter().find(|(path, _)| path.starts_with("tables/")).unwrap().1;
    let more = [table, &b"# more\n"[..]].concat();
    let digest = hex::encode(sha2::Sha256::digest(&more));
    with("a table of another name", vec![("tables/1.toml".into(), more.clone())]);
    with("a table that nobody names", vec![(format!("tables/{digest}.toml"), more)]);
    with(
        "another prompt",
        vec![("prompts/01a22a09-2c98-7705-83f4-06ba448abf08.json".into(), b"{}".to_vec())],
    );
    if kind != "recording" {
        with("an envelope", vec![("envelope.json".into(), b"{}".to_vec())]);
    }
    if kind != "absence" {
        with("a stretch", vec![("log/before".into(), Vec::new())]);
    }
    with("a file more", vec![("README".into(), b"read me".to_vec())]);
    with("a file more among the entries", vec![("entries/100000.json".into(), b"{}".to_vec())]);
    let (one, other) = (indices[0], indices[1]);
    for form in ["entries/{}.json", "proofs/{}.tlog-proof", "details/{}.json"] {
        let [one, other] = [one, other].map(|index| form.replace("{}", &index.to_string()));
        if files.contains_key(&one) && files.contains_key(&other) {
            let (first, second) = (files[&one].clone(), files[&other].clone());
            with(&format!("{form} swapped"), vec![(one, second), (other, first)]);
        }
    }
    if kind == "absence" {
        let entries = read_bundle(&files["log/entries/0"]).unwrap();
        let bundle = |entries: &[Vec<u8>]| write_bundle(entries.iter().map(Vec::as_slice)).unwrap();
        let entries: Vec<Vec<u8>> = entries.iter().map(|entry| entry.to_vec()).collect();
        let mut swapped = entries.clone();
        swapped.swap(3, 4);
        with("an empty bundle more", vec![("log/entries/2".into(), Vec::new())]);
        let other = [
            &entries[255..],
            &read_bundle(&files["log/entries/1"])
                .unwrap()
                .iter()
                .map(|entry| entry.to_vec())
                .collect::<Vec<_>>()[..],
        ]
        .concat();
        with(
            "bundles of other widths",
            vec![("log/entries/0".into(), bundle(&entries[..255])), ("log/entries/1".into(), bundle(&other))],
        );
        with("two entries of the stretch swapped", vec![("log/entries/0".into(), bundle(&swapped))]);
        with("a stretch that is cut", vec![("log/entries/0".into(), bundle(&entries[1..]))]);
        let before = String::from_utf8(files["log/before"].clone()).unwrap();
        let fewer = before.split_once('\n').unwrap().1.to_owned();
        with("fewer hashes before the stretch", vec![("log/before".into(), fewer.into_bytes())]);
    }
}

/// That calls have no recording, as the holder of a key might claim it.
fn absences(trials: &mut Trials, files: &Files) {
    let own = Own::of(files);
    let call = |leaf: &Vec<u8>| serde_json::from_slice::<Leaf>(leaf).unwrap().call;
    let opened =
        |kind: &str| own.leaves.iter().position(|leaf| has(leaf, "call.opened") && has(leaf, kind)).unwrap();
    let kept = opened("\"US-CA\"");
    let refused = opened("\"DE\"");
    let mut claim = |name: &str, expect, of: &str, opening: usize, first: usize, without: Option<usize>| {
        let uid = call(&own.leaves[opening]).unwrap();
        let about = |index: &usize| call(&own.leaves[*index]) == Some(uid) && Some(*index) != without;
        let entries = (0..own.leaves.len()).filter(about).map(|index| own.entry(index, files)).collect();
        let stretch = Stretch {
            first: first as u64,
            before: before(&hashes(&own.leaves[..first])),
            leaves: own.leaves[first..].to_vec(),
        };
        let tables = own.beside.iter().map(|(path, text)| {
            let digest = path.strip_prefix("tables/").unwrap().strip_suffix(".toml").unwrap();
            (format!("sha256:{digest}"), String::from_utf8(text.clone()).unwrap())
        });
        let parts = Parts { entries, stretch: Some(stretch), tables: tables.collect(), ..Parts::default() };
        let subject = Subject::Absence { name: of.into(), calls: vec![uid] };
        let note = Note::parse(std::str::from_utf8(&own.files(&own.leaves)["checkpoint"]).unwrap()).unwrap();
        let pack = Pack::new("acme", &subject, START.parse().unwrap(), note, parts).unwrap();
        let mut archive = Cursor::new(Vec::new());
        trail::audit::pack::write(&pack, &mut archive).unwrap();
        trials.add(name, expect, What::Archive(archive.into_inner())).trust = own.trust();
    };
    claim("no recording of a call that has none", Expect::Good, "refused", refused, refused, None);
    claim("a stretch from the beginning of the log", Expect::Good, "refused", refused, 0, None);
    claim("no recording of a call that has one", Expect::Found, "kept", kept, kept, None);
    claim("no recording of another call of the name", Expect::Found, "kept", refused, refused, None);
    claim("a stretch that begins too late", Expect::Found, "refused", refused, refused + 1, None);
    claim(
        "an entry of the call that is not shown",
        Expect::Found,
        "refused",
        refused,
        refused,
        Some(refused + 1),
    );
}

/// The roots of the largest complete subtrees, from the left.
fn before(hashes: &[Hash]) -> Vec<Hash> {
    let mut edge = Edge::default();
    hashes.iter().for_each(|hash| edge.push(*hash, |_, _| {}));
    edge.hashes().to_vec()
}

/// A log that is signed with a key of the test's own, which may then say anything at all.
struct Own {
    key: SigningKey,
    leaves: Vec<Vec<u8>>,
    beside: Files,
}

impl Own {
    fn of(files: &Files) -> Own {
        let head = Note::parse(std::str::from_utf8(&files["checkpoint"]).unwrap()).unwrap();
        let head = Checkpoint::parse(&head.text).unwrap();
        let bundles = bundles_of(head.size).map(|bundle| read_bundle(&files[&bundle.path()]).unwrap());
        let leaves = bundles.flatten().map(|leaf| leaf.to_vec()).collect();
        let beside = files.clone().into_iter().filter(|(path, _)| path.starts_with("tables/")).collect();
        Own { key: SigningKey::from_seed(&head.origin, &[7; 32]).unwrap(), leaves, beside }
    }

    fn trust(&self) -> String {
        format!("log {}\nquorum none\n", self.key.verifier())
    }

    /// An entry of a pack, with its detail from the export.
    fn entry(&self, index: usize, files: &Files) -> Entry {
        let all = hashes(&self.leaves);
        let part = |index: u64| usize::try_from(index).unwrap();
        let ranges = inclusion(index as u64, all.len() as u64).unwrap();
        let proof = ranges.iter().map(|range| root(&all[part(range.start)..part(range.end)])).collect();
        let lines = std::str::from_utf8(&files["details.jsonl"]).unwrap().lines();
        let detail = lines
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .find(|line| line["index"] == index);
        let detail = detail.map(|line| Detail {
            salt: hex::decode(line["salt"].as_str().unwrap()).unwrap().try_into().unwrap(),
            document: line["document"].as_str().unwrap().to_owned(),
        });
        Entry { index: index as u64, leaf: self.leaves[index].clone(), proof, detail }
    }

    /// Tiles, bundles and head over these leaves.
    fn files(&self, leaves: &[Vec<u8>]) -> Files {
        let size = leaves.len() as u64;
        let mut files = self.beside.clone();
        let mut levels = vec![hashes(leaves)];
        while levels.last().unwrap().len() >= 256 {
            levels.push(levels.last().unwrap().chunks_exact(256).map(root).collect());
        }
        let part = |index: u64| usize::try_from(index * 256).unwrap();
        for tile in tiles_of(size) {
            let hashes = &levels[usize::from(tile.level)][part(tile.index)..][..usize::from(tile.width)];
            files.insert(tile.path(), hashes.as_flattened().to_vec());
        }
        for bundle in bundles_of(size) {
            let leaves = &leaves[part(bundle.index)..][..usize::from(bundle.width)];
            files.insert(bundle.path(), write_bundle(leaves.iter().map(Vec::as_slice)).unwrap());
        }
        let text = Checkpoint::new(self.key.name(), size, root(&hashes(leaves))).text();
        let note = Note { signatures: vec![self.key.sign_note(&text)], text };
        files.insert("checkpoint".into(), note.to_string().into_bytes());
        files
    }
}

fn hashes(leaves: &[Vec<u8>]) -> Vec<Hash> {
    leaves.iter().map(|leaf| leaf_hash(leaf)).collect()
}

fn root(hashes: &[Hash]) -> Hash {
    let mut edge = Edge::default();
    hashes.iter().for_each(|hash| edge.push(*hash, |_, _| {}));
    edge.root()
}

fn has(leaf: &[u8], part: &str) -> bool {
    std::str::from_utf8(leaf).unwrap().contains(part)
}

fn field_of(leaf: &[u8], name: &str) -> String {
    let leaf: Value = serde_json::from_slice(leaf).unwrap();
    leaf["actor"][name].as_str().unwrap().to_owned()
}

fn unpacked(archive: &[u8]) -> Files {
    let mut zip = ZipArchive::new(Cursor::new(archive)).unwrap();
    (0..zip.len())
        .map(|index| {
            let mut file = zip.by_index(index).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (file.name().unwrap().into_owned(), bytes)
        })
        .collect()
}

fn packed(files: &Files) -> Vec<u8> {
    zipped(files, SimpleFileOptions::default())
}

fn stored(files: &Files) -> Vec<u8> {
    zipped(files, SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored))
}

fn zipped(files: &Files, options: SimpleFileOptions) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(name.as_str(), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}
