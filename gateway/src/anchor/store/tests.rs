//! The directory, and a bucket of a real server that speaks S3.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::*;
use crate::anchor::tests::log::{LOG, Log, REWRITTEN, cosigner};
use crate::anchor::tests::server::http;
use crate::anchor::{DirectoryConfig, SecretKey};

fn open(root: &Path) -> WriteOnce {
    let config = WriteOnceConfig::Directory(DirectoryConfig { directory: root.into() });
    WriteOnce::open(&config, &http(), |_| None).unwrap()
}

fn file(root: &Path, name: &str) -> PathBuf {
    root.join("gateway.example.com%2Facme").join(name)
}

/// The same head with one more signature.
fn cosigned(size: u64) -> Note {
    let mut note = LOG.head(size);
    note.signatures.push(cosigner("w.example/1").cosign(&note.text, 1_800_000_000));
    note
}

#[tokio::test]
async fn each_checkpoint_is_a_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let place = open(dir.path());
    for size in [0, 1, 1024] {
        assert_eq!(place.keep(&LOG.head(size)).await.unwrap(), Kept::New);
    }
    for size in [0, 1, 1024] {
        let path = file(dir.path(), &format!("{size}.checkpoint"));
        assert_eq!(fs::read_to_string(&path).unwrap(), LOG.head(size).to_string());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o444);
    }
}

#[tokio::test]
async fn the_same_again_is_harmless() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(open(dir.path()).keep(&LOG.head(7)).await.unwrap(), Kept::New);
    assert_eq!(open(dir.path()).keep(&LOG.head(7)).await.unwrap(), Kept::Already);
    // More signatures don't make it another checkpoint; the first one stays as it is.
    assert_eq!(open(dir.path()).keep(&cosigned(7)).await.unwrap(), Kept::Already);
    assert_eq!(fs::read_to_string(file(dir.path(), "7.checkpoint")).unwrap(), LOG.head(7).to_string());
}

#[tokio::test]
async fn a_rewritten_log_is_a_split_view() {
    let dir = tempfile::tempdir().unwrap();
    let place = open(dir.path());
    place.keep(&LOG.head(7)).await.unwrap();
    let error = place.keep(&REWRITTEN.head(7)).await.unwrap_err();
    assert!(matches!(error, StoreError::SplitView { size: 7, .. }), "{error:?}");
    assert!(error.to_string().contains("`gateway.example.com/acme` with 7 entries"), "{error}");
    assert_eq!(fs::read_to_string(file(dir.path(), "7.checkpoint")).unwrap(), LOG.head(7).to_string());
}

#[tokio::test]
async fn what_a_crash_has_cut_short_is_left_alone_and_does_no_harm() {
    let whole = LOG.head(7).to_string();
    for length in (0..whole.len()).step_by(9).chain([whole.len() - 1]) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("gateway.example.com%2Facme")).unwrap();
        let first = file(dir.path(), "7.checkpoint");
        fs::write(&first, &whole.as_bytes()[..length]).unwrap();
        let place = open(dir.path());
        assert_eq!(place.keep(&LOG.head(7)).await.unwrap(), Kept::New, "{length}");
        assert_eq!(place.keep(&LOG.head(7)).await.unwrap(), Kept::Already, "{length}");
        assert_eq!(fs::read(&first).unwrap(), whole.as_bytes()[..length]);
        assert_eq!(fs::read_to_string(file(dir.path(), "7.1.checkpoint")).unwrap(), whole);
        let error = place.keep(&REWRITTEN.head(7)).await.unwrap_err();
        assert!(matches!(error, StoreError::SplitView { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_file_of_zeros_or_not_of_text_is_no_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("gateway.example.com%2Facme")).unwrap();
    fs::write(file(dir.path(), "7.checkpoint"), [0; 4096]).unwrap();
    fs::write(file(dir.path(), "7.1.checkpoint"), [0xff; 16]).unwrap();
    assert_eq!(open(dir.path()).keep(&LOG.head(7)).await.unwrap(), Kept::New);
    assert!(file(dir.path(), "7.2.checkpoint").exists());
    // Somebody fills the names: it ends.
    for attempt in 0..32 {
        fs::write(file(dir.path(), &format!("8.{attempt}.checkpoint")), "x").unwrap();
    }
    fs::write(file(dir.path(), "8.checkpoint"), "x").unwrap();
    let error = open(dir.path()).keep(&LOG.head(8)).await.unwrap_err();
    assert!(matches!(error, StoreError::Foreign(_)), "{error:?}");
}

#[tokio::test]
async fn two_that_keep_at_once_agree() {
    let dir = tempfile::tempdir().unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let place = open(dir.path());
            tokio::spawn(async move { place.keep(&LOG.head(7)).await.unwrap() })
        })
        .collect();
    let mut new = 0;
    for task in tasks {
        new += usize::from(task.await.unwrap() == Kept::New);
    }
    // One that looks while another is writing may take it for one that a crash has cut short, and
    // then there are two files of the same text; never none, and never a third opinion.
    assert!(new >= 1);
    for entry in fs::read_dir(dir.path().join("gateway.example.com%2Facme")).unwrap() {
        assert_eq!(fs::read_to_string(entry.unwrap().path()).unwrap(), LOG.head(7).to_string());
    }
}

#[tokio::test]
async fn no_origin_leads_elsewhere_or_shares_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("a/b");
    fs::create_dir_all(&inner).unwrap();
    let origins = ["../../x", "..", ".", ".hidden", "/etc", "a/b", "a%2Fb", "a", "A b", "é"];
    for origin in origins {
        open(&inner).keep(&Log { origin, ..LOG }.head(1)).await.unwrap();
    }
    let mut names: Vec<String> = fs::read_dir(&inner)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut expected =
        ["%2E.%2F..%2Fx", "%2E.", "%2E", "%2Ehidden", "%2Fetc", "a%2Fb", "a%252Fb", "a", "A%20b", "%C3%A9"];
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_directory_that_is_missing_is_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("mount");
    let config = WriteOnceConfig::Directory(DirectoryConfig { directory: missing.clone() });
    let error = WriteOnce::open(&config, &http(), |_| None).unwrap_err();
    assert!(error.to_string().contains("mount"), "{error}");
    fs::write(&missing, "").unwrap();
    WriteOnce::open(&config, &http(), |_| None).unwrap_err();
    // Unmounted while the gateway runs.
    let root = dir.path().join("later");
    fs::create_dir(&root).unwrap();
    let place = open(&root);
    fs::remove_dir(&root).unwrap();
    let error = place.keep(&LOG.head(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Directory { .. }), "{error:?}");
    assert!(!root.exists());
}

#[tokio::test]
async fn what_is_no_checkpoint_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let note = Note { text: "hello\n".into(), ..LOG.head(1) };
    let error = open(dir.path()).keep(&note).await.unwrap_err();
    assert!(matches!(error, StoreError::Note(_)), "{error:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn keys_are_in_the_order_of_the_log() {
    let prefix = Key::from("heads");
    assert_eq!(
        key(&prefix, &LOG.checkpoint(1024)).unwrap().as_ref(),
        "heads/gateway.example.com/acme/00000000000000001024.checkpoint"
    );
    assert_eq!(
        key(&Key::ROOT, &Log { origin: "../a%2Fb", ..LOG }.checkpoint(0)).unwrap().as_ref(),
        "%2E%2E/a%252Fb/00000000000000000000.checkpoint"
    );
    for origin in ["a//b", "/a", "a/"] {
        let error = key(&prefix, &Log { origin, ..LOG }.checkpoint(0)).unwrap_err();
        assert!(matches!(error, StoreError::Origin(_)), "{error:?}");
    }
}

/// A server that speaks S3, ended with the test.
struct S3 {
    endpoint: String,
    _process: Option<Process>,
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl S3 {
    /// `GATEWAY_TEST_S3` is the URL of one that runs, or the path of moto's `moto_server`.
    async fn start() -> Option<S3> {
        let Ok(server) = std::env::var("GATEWAY_TEST_S3") else {
            let slow = std::env::var("GATEWAY_TEST_SLOW").is_ok_and(|slow| slow == "true");
            assert!(!slow, "GATEWAY_TEST_S3 is unset, and GATEWAY_TEST_SLOW asks for every test");
            let said = b"skipped: GATEWAY_TEST_S3 is unset; tests/run sets it\n";
            std::io::stderr().write_all(said).unwrap();
            return None;
        };
        let s3 = if server.starts_with("http") {
            S3 { endpoint: server, _process: None }
        } else {
            S3::spawn(&server).await
        };
        // The answer does not matter: if the bucket exists already, the tests use their own prefix in it.
        let made = reqwest::Client::new().put(format!("{}/{BUCKET}", s3.endpoint)).send().await;
        made.unwrap();
        Some(s3)
    }

    async fn spawn(server: &str) -> S3 {
        // The port is free while it is looked for; somebody may be faster.
        for _ in 0..5 {
            if let Some(s3) = S3::try_spawn(server).await {
                return s3;
            }
        }
        panic!("`{server}` does not listen");
    }

    async fn try_spawn(server: &str) -> Option<S3> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new(server)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("`{server}` does not start: {error}"));
        for _ in 0..600 {
            if child.try_wait().unwrap().is_some() {
                return None;
            }
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                let process = Some(Process(child));
                return Some(S3 { endpoint: format!("http://127.0.0.1:{port}"), _process: process });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        drop(Process(child));
        None
    }

    fn open(&self, prefix: &str) -> WriteOnce {
        self.open_bucket(BUCKET, prefix)
    }

    fn open_bucket(&self, bucket: &str, prefix: &str) -> WriteOnce {
        let config = BucketConfig {
            bucket: bucket.into(),
            prefix: format!("/{}/{prefix}/", std::process::id()),
            endpoint: Some(self.endpoint.clone()),
            region: "us-east-1".into(),
            access_key: Some("test".into()),
            secret_key: Some(SecretKey::from("test".to_owned())),
            allow_http: true,
        };
        WriteOnce::open(&WriteOnceConfig::Bucket(config), &http(), |_| None).unwrap()
    }
}

/// The store behind a place and the documented key of an object, past our own code.
fn object(place: &WriteOnce, prefix: &str, size: u64) -> (Arc<dyn ObjectStore>, Key) {
    let Place::Bucket { store, .. } = &place.0 else { panic!("not a bucket") };
    let pid = std::process::id();
    let key = format!("{pid}/{prefix}/gateway.example.com/acme/{size:020}.checkpoint");
    (Arc::clone(store), Key::parse(key).unwrap())
}

async fn content(place: &WriteOnce, prefix: &str, size: u64) -> String {
    let (store, key) = object(place, prefix, size);
    let bytes = store.get(&key).await.unwrap().bytes().await.unwrap();
    String::from_utf8(bytes.into()).unwrap()
}

const BUCKET: &str = "heads";

#[tokio::test]
async fn a_bucket_keeps_each_checkpoint_once() {
    let Some(s3) = S3::start().await else { return };
    let place = s3.open("once");
    assert_eq!(place.keep(&LOG.head(7)).await.unwrap(), Kept::New);
    assert_eq!(place.keep(&LOG.head(7)).await.unwrap(), Kept::Already);
    assert_eq!(place.keep(&cosigned(7)).await.unwrap(), Kept::Already);
    assert_eq!(place.keep(&cosigned(1 << 16)).await.unwrap(), Kept::New);
    assert_eq!(content(&place, "once", 7).await, LOG.head(7).to_string());
    assert_eq!(content(&place, "once", 1 << 16).await, cosigned(1 << 16).to_string());

    let error = place.keep(&REWRITTEN.head(7)).await.unwrap_err();
    assert!(matches!(error, StoreError::SplitView { size: 7, .. }), "{error:?}");
    assert_eq!(content(&place, "once", 7).await, LOG.head(7).to_string());

    // Another prefix is another place.
    assert_eq!(s3.open("other").keep(&REWRITTEN.head(7)).await.unwrap(), Kept::New);

    let (store, key) = object(&place, "once", 8);
    store.put(&key, PutPayload::from_static(b"hello")).await.unwrap();
    let error = place.keep(&LOG.head(8)).await.unwrap_err();
    assert!(matches!(error, StoreError::Foreign(_)), "{error:?}");

    let missing = s3.open_bucket("no-such-bucket", "once").keep(&LOG.head(7)).await.unwrap_err();
    assert!(matches!(missing, StoreError::Bucket(_)), "{missing:?}");
}

#[tokio::test]
async fn a_bucket_that_nobody_serves_is_an_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let s3 = S3 { endpoint: format!("http://{}", listener.local_addr().unwrap()), _process: None };
    drop(listener);
    let error = s3.open("once").keep(&LOG.head(7)).await.unwrap_err();
    assert!(matches!(error, StoreError::Bucket(_)), "{error:?}");
}

#[test]
fn a_bucket_without_credentials_or_tls_is_refused_at_the_start() {
    let config = |endpoint: Option<&str>| {
        WriteOnceConfig::Bucket(BucketConfig {
            bucket: BUCKET.into(),
            prefix: String::new(),
            endpoint: endpoint.map(Into::into),
            region: "us-east-1".into(),
            access_key: None,
            secret_key: None,
            allow_http: false,
        })
    };
    let error = WriteOnce::open(&config(None), &http(), |_| None).unwrap_err();
    assert!(matches!(error, StoreError::Credentials), "{error:?}");
    let given = |_: &str| Some("x".to_owned());
    let error = WriteOnce::open(&config(Some("http://s3.example")), &http(), given).unwrap_err();
    assert!(matches!(error, StoreError::Plain(_)), "{error:?}");
    WriteOnce::open(&config(None), &http(), given).unwrap();
}
