//! Heads out of the operator's reach: a witness, a time stamping authority and a write-once place, run by
//! somebody else's programs, and an operator who rewrites history with every key in hand.

use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use consent_gateway::access::Role;
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::harness::{Process, comes, files_below, run};
use crate::site::{Site, config, now};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_is_cosigned_stamped_and_kept_by_others_and_a_second_history_is_not() {
    let site = Site::new().await;
    let dir = site.dir.path();
    let others = Others::start(dir);
    let kept = dir.join("kept");
    std::fs::create_dir(&kept).unwrap();
    let config = config(
        dir,
        &format!(
            "log_name = \"gateway.example\"\n\
             [[witness]]\nname = \"w1\"\nkey = \"{}\"\nurl = \"{}\"\n\
             [[timestamp]]\nurl = \"{}\"\nevery_seconds = 1\n\
             [write_once]\ndirectory = \"{}\"\n",
            others.key,
            others.witness,
            others.timestamp,
            kept.display()
        ),
    );
    let command = |args: &[&str]| {
        let (code, out, err) =
            run(&[&["--data", site.data.to_str().unwrap(), "--config", &config], args].concat());
        (code, format!("{out}{err}"))
    };
    let (code, trust) = command(&["audit", "key", "acme"]);
    assert_eq!(code, 0, "{trust}");
    let log_key = |trust: &str| trust.lines().find_map(|line| line.strip_prefix("log ")).unwrap().to_owned();
    // Whoever runs the witness was given it.
    std::fs::write(others.dir.join("logs"), log_key(&trust)).unwrap();
    let trusted = dir.join("trust");
    std::fs::write(&trusted, trust).unwrap();

    let process = site.serve(&["--config", &config]);
    let recorder = site.client(&process, Role::Recorder);
    let empty = cosigned(&site, &process, 0).await;
    // The call, its prompt, and the start: the backup is to hold no head that is newer than this one.
    site.record(&recorder, "c1").await;
    let head = cosigned(&site, &process, size(&empty) + 2).await;
    stop(process);
    let backup = dir.join("backup");
    copy(&site, &backup, false);

    let process = site.serve(&["--config", &config]);
    let recorder = site.client(&process, Role::Recorder);
    let no = json!({"type": "consent.withdrawn", "participant": "caller"});
    recorder.post("/v1/calls/c1/events", &no).await.expect(201);
    let newer = cosigned(&site, &process, size(&head)).await;
    let older = dir.join("older");
    std::fs::write(&older, &newer).unwrap();

    let export = dir.join("export");
    let out = export.to_str().unwrap();
    let (code, told) = command(&["audit", "export", "acme", "--out", out, "--details"]);
    assert_eq!(code, 0, "{told}");
    stop(process);
    let verify = |export: &Path, more: &[&str]| {
        let args =
            ["audit", "verify", export.to_str().unwrap(), "--trust", trusted.to_str().unwrap(), "--json"];
        let (code, out, err) = run(&[&args, more].concat());
        (code, serde_json::from_str::<Value>(&out).unwrap_or_else(|_| panic!("{out}{err}")))
    };
    let (code, told) = verify(&export, &["--since", older.to_str().unwrap()]);
    assert_eq!(told["report"]["witnessed_by"][0]["name"], "w1", "{code}: {told}");
    assert_eq!(code, 0, "{told}");

    // Somebody else's program takes the stamps for what they are.
    let stamps: Vec<PathBuf> = files_below(&export.join("anchors"));
    assert!(!stamps.is_empty());
    for stamp in &stamps {
        let size = stamp.file_name().unwrap().to_str().unwrap().split('-').next().unwrap();
        let note = std::fs::read_to_string(export.join("checkpoints").join(size)).unwrap();
        let text = dir.join("text");
        std::fs::write(&text, note.split_once("\n\n").unwrap().0.to_owned() + "\n").unwrap();
        assert!(others.stamped(&text, stamp), "{}", stamp.display());
        std::fs::write(&text, "something else\n").unwrap();
        assert!(!others.stamped(&text, stamp), "{}", stamp.display());
    }
    // What the write-once place holds is what was published, and the log goes on from all of it.
    let heads = files_below(&kept);
    assert!(heads.len() >= 2, "{heads:?}");
    for head in heads
        .iter()
        .filter(|head| std::fs::read_to_string(head).unwrap().starts_with("gateway.example/acme\n"))
    {
        let (code, told) = verify(&export, &["--since", head.to_str().unwrap()]);
        assert_eq!(code, 0, "{}: {told}", head.display());
    }

    // The operator, who has every key, puts everything back and writes another history, without the
    // withdrawal.
    copy(&site, &backup, true);
    let process = site.serve(&["--config", &config]);
    let recorder = site.client(&process, Role::Recorder);
    for _ in 0..12 {
        let yes = json!({"type": "consent.given", "participant": "caller", "method": "dtmf"});
        recorder.post("/v1/calls/c1/events", &yes).await.expect(201);
    }
    // Long enough for it to be asked, and to refuse.
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    let forked = dir.join("forked");
    let out = forked.to_str().unwrap();
    let (code, told) = command(&["audit", "export", "acme", "--out", out]);
    assert_eq!(code, 0, "{told}");
    stop(process);
    // What was cosigned last lies before the second history.
    let (code, told) = verify(&forked, &[]);
    assert_eq!((code, &told["report"]["size"]), (0, &json!(size(&head))), "{told}");
    // All of it, as if there had never been a witness.
    std::fs::remove_dir_all(&forked).unwrap();
    std::fs::write(&config, "log_name = \"gateway.example\"\n").unwrap();
    let (code, told) = command(&["audit", "export", "acme", "--out", out]);
    assert_eq!(code, 0, "{told}");
    let (code, told) = verify(&forked, &[]);
    assert_ne!(code, 0, "nobody has witnessed it: {told}");
    let (code, told) = verify(&forked, &["--since", older.to_str().unwrap()]);
    assert_eq!((code, &told["verdict"]), (1, &json!("tampered")), "{told}");
}

/// What was logged before a log was begun anew is confirmed all the same; and who can write to the ledger holds
/// no head back with a cosignature of another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_head_of_an_epoch_is_cosigned_and_a_forged_cosignature_holds_no_head_back() {
    let site = Site::new().await;
    let dir = site.dir.path();
    let others = Others::start(dir);
    let name = "log_name = \"gateway.example\"\n";
    let alone = config(dir, name);
    let command = |args: &[&str]| {
        let (code, out, err) =
            run(&[&["--data", site.data.to_str().unwrap(), "--config", &alone], args].concat());
        assert_eq!(code, 0, "{out}{err}");
        out
    };
    let trust = command(&["audit", "key", "acme"]);
    let key = trust.lines().find_map(|line| line.strip_prefix("log ")).unwrap();
    std::fs::write(others.dir.join("logs"), key).unwrap();
    let process = site.serve(&["--config", &alone]);
    let recorder = site.client(&process, Role::Recorder);
    site.record(&recorder, "c1").await;
    let first = head(&site, &process, |_| true).await;
    stop(process);
    command(&["audit", "reopen", "--force", "--all", "--reason", "a test"]);

    let witness =
        format!("[[witness]]\nname = \"w1\"\nkey = \"{}\"\nurl = \"{}\"\n", others.key, others.witness);
    let watched = config(dir, &format!("{name}{witness}"));
    let process = site.serve(&["--config", &watched]);
    let mut other = site.sqlite().await;
    let mut cosigned = None;
    comes(async || {
        let asked = "SELECT size FROM anchor WHERE log = 'acme' AND epoch = 1 AND kind = 'witness'";
        cosigned = sqlx::query_scalar::<_, i64>(asked).fetch_optional(&mut other).await.unwrap();
        cosigned.is_some()
    })
    .await;
    assert!(
        cosigned.is_some_and(|cosigned| cosigned >= i64::try_from(size(&first)).unwrap()),
        "{cosigned:?}"
    );

    // The witness does not know the log of the second epoch.
    let newest = head(&site, &process, |_| true).await;
    let forge = "INSERT INTO anchor (log, epoch, size, kind, name, evidence, at) \
                 SELECT log, 2, ?, kind, name, evidence, ? FROM anchor WHERE log = 'acme' AND epoch = 1";
    let held_back = i64::try_from(size(&newest)).unwrap();
    sqlx::query(forge).bind(held_back).bind(now().as_millisecond()).execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let recorder = site.client(&process, Role::Recorder);
    let body = json!({"medium": "telephone", "participants": []});
    recorder.put("/v1/calls/c2", &body).await.expect(201);
    head(&site, &process, |head| size(head) > size(&newest)).await;
    stop(process);
}

/// The head of the account's log, once it is such.
async fn head(site: &Site, process: &Process, is_such: impl Fn(&str) -> bool) -> String {
    let mut head = String::new();
    comes(async || {
        let answer = site.client(process, Role::Auditor).get("/v1/log/acme/checkpoint").await;
        head = answer.text();
        answer.status == 200 && is_such(&head)
    })
    .await;
    head
}

/// The head of the account's log, once it is larger than `than` and the witness has cosigned it.
async fn cosigned(site: &Site, process: &Process, than: u64) -> String {
    head(site, process, |head| head.contains("witness.example.org/w1 ") && size(head) > than).await
}

fn size(head: &str) -> u64 {
    head.lines().nth(1).unwrap().parse().unwrap()
}

fn stop(mut process: Process) {
    process.terminate();
    assert_eq!(process.wait(), Some(0));
}

/// Keeps data and pins, or puts them back.
fn copy(site: &Site, backup: &Path, back: bool) {
    let dir = site.dir.path();
    std::fs::create_dir_all(backup).unwrap();
    for name in ["data", "data.pins"] {
        let (from, to) = if back { (backup, dir) } else { (dir, backup) };
        let _ = std::fs::remove_dir_all(to.join(name));
        let copied = Command::new("cp").arg("-a").arg(from.join(name)).arg(to).status().unwrap();
        assert!(copied.success());
    }
}

/// Somebody else's witness and authority.
struct Others {
    child: Child,
    dir: PathBuf,
    key: String,
    witness: String,
    timestamp: String,
}

impl Others {
    fn start(dir: &Path) -> Others {
        let python = std::env::var("GATEWAY_TEST_PYTHON")
            .expect("run the tests with tests/run: it sets GATEWAY_TEST_PYTHON");
        let dir = dir.join("others");
        std::fs::create_dir(&dir).unwrap();
        let mut child = Command::new(python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/interop/anchors.py"))
            .arg(&dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let word = |name: &str| said[name].as_str().unwrap().to_owned();
        Others { child, dir, key: word("key"), witness: word("witness"), timestamp: word("timestamp") }
    }

    fn stamped(&self, text: &Path, stamp: &Path) -> bool {
        let mut openssl = Command::new("openssl");
        openssl.args(["ts", "-verify", "-data"]).arg(text).arg("-in").arg(stamp);
        openssl.arg("-CAfile").arg(self.dir.join("ca.pem")).output().unwrap().status.success()
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
