//! What tests from outside share: a gateway on a real socket, a client, and audio.
//!
//! [`Gateway`] runs in this process on a clock that stands still until it is moved, so that no test
//! sleeps. [`Process`] is the real program, to be killed; it runs on the machine's clock.
//!
//! With `GATEWAY_TEST_LEDGER=postgres` every [`Gateway`] has its ledger on PostgreSQL.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Lines};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use consent_gateway::access::Role;
use consent_gateway::config::{Config, LedgerUrl};
use consent_gateway::gate::ask::{Delivery, Prompt};
use consent_gateway::gate::{AccountSettings, Gate, NewCredential};
use consent_gateway::ledger::{EntryRow, Question};
use consent_gateway::serve::{self, Running};
use consent_gateway::vault::{Frames, HEAD, Kind};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use seal::{Envelope, Expected};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::net::TcpStream;
use trail::Actor;
use trail::clock::Clock;
use uuid::Uuid;

use crate::postgres::Place;

/// When every manual clock begins.
pub(crate) const START: &str = "2026-11-20T10:00:00Z";

/// A gateway in this process, with the account `acme`.
pub(crate) struct Gateway {
    pub(crate) dir: TempDir,
    pub(crate) clock: Clock,
    pub(crate) running: Running,
    pub(crate) recorder: Client,
    pub(crate) observer: Client,
    pub(crate) uploader: Client,
    pub(crate) listener: Client,
    pub(crate) auditor: Client,
    pub(crate) counsel: Client,
    pub(crate) registrar: Client,
    pub(crate) admin: Client,
    portal: tokio::sync::OnceCell<Client>,
    ledger: Option<Place>,
}

impl Gateway {
    /// With the account `acme`, its key, a credential of every role, and the prompts `en` and `de`
    /// of 4 seconds, for the purpose `quality`.
    pub(crate) async fn start() -> Gateway {
        Gateway::with(Config::default(), AccountSettings::default()).await
    }

    pub(crate) async fn with(config: Config, settings: AccountSettings) -> Gateway {
        Gateway::on(ledger().await, config, settings).await
    }

    /// With its ledger there, whatever the environment says.
    pub(crate) async fn on(place: Option<Place>, config: Config, settings: AccountSettings) -> Gateway {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(START.parse().unwrap());
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            data: dir.path().join("data"),
            ledger: place.as_ref().map(|place| LedgerUrl::new(&place.url)),
            ..config
        };
        let running = serve::start(&config, clock.clone()).await.unwrap();
        let people = add_account(&running.door.gate, "acme", &settings).await;
        customer_key(&running.door.gate, dir.path(), "acme").await;
        let of =
            |role: Role| Client::new(running.address, people.iter().find(|new| new.role == role).unwrap());
        Gateway {
            recorder: of(Role::Recorder),
            observer: of(Role::Observer),
            uploader: of(Role::Uploader),
            listener: of(Role::Listener),
            auditor: of(Role::Auditor),
            counsel: of(Role::Counsel),
            registrar: of(Role::Registrar),
            admin: of(Role::Admin),
            portal: tokio::sync::OnceCell::new(),
            dir,
            clock,
            running,
            ledger: place,
        }
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.running.door.gate
    }

    /// Somebody who provisions accounts: one more with every call.
    pub(crate) async fn provisioner(&self) -> (NewCredential, Client) {
        let (actor, role) = (Actor::command_line(), Role::Provisioner);
        let new = self.gate().add_credential(&actor, "system", role, "portal", None).await.unwrap();
        let client = Client::new(self.running.address, &new);
        (new, client)
    }

    /// One who provisions accounts, the same each time.
    pub(crate) async fn portal(&self) -> &Client {
        self.portal.get_or_init(async || self.provisioner().await.1).await
    }

    pub(crate) fn advance_ms(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Opens `call` for a customer and an agent, both declared in `place`, ten seconds ago.
    pub(crate) async fn open(&self, call: &str, place: &str) -> Value {
        let started = self.now().checked_sub(jiff::SignedDuration::from_secs(10)).unwrap();
        let body = json!({
            "medium": "telephone", "started_at": started, "purposes": ["quality"],
            "participants": [
                {"id": "caller", "role": "customer", "location": place, "languages": ["en"]},
                {"id": "agent", "role": "agent", "location": place, "languages": ["en"]},
            ],
        });
        self.recorder.put(&format!("/v1/calls/{call}"), &body).await.expect(201)
    }

    /// The prompt `en` was played to these, and they stayed.
    pub(crate) async fn prompt(&self, call: &str, participants: &[&str]) -> Value {
        let event = json!({"type": "prompt.completed", "prompt": "en", "participants": participants, "played_ms": 4000});
        self.event(call, &event).await.expect(201)
    }

    pub(crate) async fn event(&self, call: &str, event: &Value) -> Answer {
        self.recorder.post(&format!("/v1/calls/{call}/events"), event).await
    }

    pub(crate) async fn control(&self, call: &str, action: &str) -> Answer {
        self.recorder.post(&format!("/v1/calls/{call}/recording"), &json!({"action": action})).await
    }

    pub(crate) async fn upload(
        &self,
        call: &str,
        name: &str,
        from: Option<Timestamp>,
        audio: &[u8],
    ) -> Answer {
        let start = from.map(|from| from.to_string());
        let headers: Vec<(&str, &str)> =
            start.iter().map(|start| ("recording-start", start.as_str())).collect();
        self.recorder.upload(&format!("/v1/calls/{call}/recordings/{name}"), &headers, audio).await
    }

    /// Fetches a recording and opens it with the customer's private key.
    pub(crate) async fn fetch_and_open(&self, recording: &str) -> Vec<u8> {
        let described = self.listener.get(&format!("/v1/recordings/{recording}")).await.expect(200);
        let media = self.listener.get(&format!("/v1/recordings/{recording}/media?purpose=quality")).await;
        assert_eq!(media.status, 200, "{}", media.text());
        let envelope: Envelope = serde_json::from_value(described["envelope"].clone()).unwrap();
        let private = std::fs::read_to_string(self.dir.path().join("acme/private.pem")).unwrap();
        let out = self.dir.path().join(format!("{recording}.opened"));
        let expected = Expected { account: Some("acme"), recording: Some(recording) };
        seal::open(media.body.as_slice(), &envelope, &private, expected, &out).unwrap();
        std::fs::read(out).unwrap()
    }

    /// Everything in a log, oldest first.
    pub(crate) async fn rows(&self, log: &str) -> Vec<EntryRow> {
        let question = Question { log: log.into(), ..Question::default() };
        self.gate().ledger().entries(&question, u32::MAX).await.unwrap()
    }

    /// Where its ledger is, if it is on PostgreSQL.
    pub(crate) fn place(&self) -> Option<&Place> {
        self.ledger.as_ref()
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The configuration of another gateway on the same data.
    pub(crate) fn config(&self) -> Config {
        Config {
            listen: ([127, 0, 0, 1], 0).into(),
            data: self.data(),
            ledger: self.ledger.as_ref().map(|place| LedgerUrl::new(&place.url)),
            ..Config::default()
        }
    }

    /// The options that bring a command to the same data.
    pub(crate) fn options(&self) -> Vec<String> {
        let mut options = vec!["--data".to_owned(), self.data().to_str().unwrap().to_owned()];
        if let Some(place) = &self.ledger {
            options.extend(["--ledger".to_owned(), place.url.clone()]);
        }
        options
    }

    /// Runs a command on the same data, as [`run`]. Meanwhile the gateway has to go on: it may be writing, and
    /// the command waits for its turn.
    pub(crate) fn run(&self, args: &[&str]) -> (i32, String, String) {
        let flavor = tokio::runtime::Handle::current().runtime_flavor();
        assert_eq!(flavor, tokio::runtime::RuntimeFlavor::MultiThread, "the gateway would stand still");
        let options = self.options();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        run(&[args, &options].concat())
    }

    /// Serves the same data by the real program.
    pub(crate) fn serve(&self, more: &[&str]) -> Process {
        let ledger: Vec<&str> =
            self.ledger.iter().flat_map(|place| ["--ledger", place.url.as_str()]).collect();
        Process::serve(&self.data(), &[more, &ledger].concat())
    }

    /// How many sealed media, envelopes, tombstones and unfinished files the store holds.
    pub(crate) fn stored_files(&self) -> usize {
        kept_in(&self.data()).len()
    }
}

/// Where a gateway's ledger is: on PostgreSQL, or in a file below its data directory.
async fn ledger() -> Option<Place> {
    match std::env::var("GATEWAY_TEST_LEDGER").as_deref() {
        Ok("postgres") => Some(Place::new().await),
        Ok("sqlite") | Err(_) => None,
        Ok(other) => panic!("GATEWAY_TEST_LEDGER is `sqlite` or `postgres`, not `{other}`"),
    }
}

/// A prompt that says everything that the law of any place wants said.
pub(crate) const TOLD: &str = "This call is recorded. Acme records it, for quality, and keeps it for a year; service \
    providers process it. A machine speaks, reads feelings, and takes a voiceprint. Say no to refuse, or write to \
    withdraw; ask for a copy, or read more at acme.example. Your call is number one.";

/// The words of [`TOLD`] that say each element.
pub(crate) fn says() -> BTreeMap<String, String> {
    let words = [
        ("recording", "This call is recorded"),
        ("operator", "Acme records it"),
        ("purpose", "for quality"),
        ("vendor", "service providers process it"),
        ("refusal", "Say no to refuse"),
        ("ai", "A machine speaks"),
        ("emotion", "reads feelings"),
        ("voiceprint", "takes a voiceprint"),
        ("more-info", "read more at acme.example"),
        ("withdrawal", "write to withdraw"),
        ("retention", "keeps it for a year"),
        ("copy", "ask for a copy"),
        ("reference", "Your call is number one"),
    ];
    assert!(policy::Element::ALL.iter().all(|one| words.iter().any(|(word, _)| *word == one.as_str())));
    words.map(|(element, words)| (element.into(), words.into())).into()
}

/// A prompt that also says everything that [`TOLD`] does.
pub(crate) fn telling(mut prompt: Value) -> Value {
    prompt["text"] = json!(format!("{} {TOLD}", prompt["text"].as_str().unwrap()));
    prompt["says"] = json!(says());
    prompt
}

/// Adds an account with a credential of every role and two prompts that say everything.
pub(crate) async fn add_account(
    gate: &Gate,
    account: &str,
    settings: &AccountSettings,
) -> Vec<NewCredential> {
    let actor = Actor::command_line();
    gate.add_account(&actor, account, None, None, settings).await.unwrap();
    for language in ["en", "de"] {
        let prompt = Prompt {
            text: TOLD.into(),
            language: language.into(),
            duration_ms: 4000,
            purposes: vec!["quality".into()],
            delivery: Delivery::Audio,
            sha256: None,
            says: says(),
        };
        gate.put_prompt(&actor, account, language, &prompt).await.unwrap();
    }
    let mut people = Vec::new();
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Provisioner) {
        people.push(gate.add_credential(&actor, account, role, "somebody", None).await.unwrap());
    }
    people
}

/// Puts the customer's key pair into `dir/account` and gives the public half to the gateway.
pub(crate) async fn customer_key(gate: &Gate, dir: &Path, account: &str) {
    let keys = dir.join(account);
    std::fs::create_dir(&keys).unwrap();
    let [private, public] = key_pair_of(account);
    std::fs::write(keys.join("private.pem"), private).unwrap();
    std::fs::write(keys.join("public.pem"), &public).unwrap();
    gate.add_key(&Actor::command_line(), account, &public).await.unwrap();
}

/// The key pair of an account of this name, private and public, as PEM. Making one takes longer than all the
/// rest of most tests, so that each is made once in this process.
pub(crate) fn key_pair_of(account: &str) -> [String; 2] {
    static PAIRS: Mutex<BTreeMap<String, [String; 2]>> = Mutex::new(BTreeMap::new());
    let mut pairs = PAIRS.lock().unwrap_or_else(PoisonError::into_inner);
    let pair = pairs.entry(account.to_owned()).or_insert_with(|| {
        let dir = tempfile::tempdir().unwrap();
        let made = seal::keygen(dir.path()).unwrap();
        [made.private_path, made.public_path].map(|path| std::fs::read_to_string(path).unwrap())
    });
    pair.clone()
}

/// Somebody who sends requests, one connection each.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) authorization: Option<String>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, credential: &NewCredential) -> Client {
        Client::named(address, &credential.username, credential.password.expose())
    }

    pub(crate) fn named(address: SocketAddr, username: &str, password: &str) -> Client {
        let authorization = format!("Basic {}", BASE64_STANDARD.encode(format!("{username}:{password}")));
        Client { address, authorization: Some(authorization) }
    }

    pub(crate) fn stranger(address: SocketAddr) -> Client {
        Client { address, authorization: None }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], Bytes::new()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], Bytes::new()).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &[("content-type", "application/json")], body.to_string().into()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], body.to_string().into()).await
    }

    pub(crate) async fn upload(&self, path: &str, headers: &[(&str, &str)], audio: &[u8]) -> Answer {
        self.send("PUT", path, headers, Bytes::copy_from_slice(audio)).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Answer {
        self.try_send(method, path, headers, body).await.expect("the gateway answers")
    }

    /// As [`Client::send`], where the gateway may be gone.
    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driving = tokio::spawn(connection);
        let mut request = hyper::Request::builder().method(method).uri(path).header("host", "gateway");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = sender.send_request(request.body(Full::new(body))?).await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.into_body().collect().await?.to_bytes().to_vec();
        driving.abort();
        let answer = Answer { status, headers, body };
        crate::scenario::openapi::assert_described(method, path, &answer);
        Ok(answer)
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The JSON of an answer that must have this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// The problem document of an answer that must have this status and code.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(problem["code"], code, "{problem}");
        let content_type = self.headers.get("content-type").and_then(|value| value.to_str().ok());
        assert_eq!(content_type, Some("application/problem+json"));
        let all = consent_gateway::api::all_codes().filter(|listed| listed.code == code);
        let listed: Vec<consent_gateway::api::Code> = all.collect();
        let is_listed = |member: &String| {
            ["type", "title", "status", "code", "detail", "decision", "instance"].contains(&member.as_str())
                || listed.iter().any(|listed| listed.members.contains(&member.as_str()))
        };
        let members = problem.as_object().unwrap();
        assert!(members.keys().all(is_listed), "members that the list of codes does not name: {problem}");
        assert!(
            listed.iter().any(|listed| listed.statuses.contains(&status)),
            "not in the list of codes: {problem}"
        );
        problem
    }
}

/// The real program, on a data directory, to be killed.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts `serve` on any free port of loopback and waits until it listens.
    pub(crate) fn serve(data: &Path, more: &[&str]) -> Process {
        Process::try_serve(data, more, &[]).unwrap_or_else(|told| panic!("the gateway ended: {told}"))
    }

    /// As [`Process::serve`], with these environment variables. Where it ends before it listens: what it
    /// has said.
    pub(crate) fn try_serve(
        data: &Path,
        more: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Process, String> {
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).args(more);
        command.envs(environment.iter().copied());
        Process::of(command)
    }

    /// The process of a command that serves, of which nobody reads any further once it listens.
    pub(crate) fn unheard(command: Command) -> Process {
        Process::heard_until(command).map(|(process, _)| process).unwrap()
    }

    /// The process of a command that serves with `log_json`, and every line that it logs from there on, once it has
    /// ended.
    pub(crate) fn heard(command: Command) -> (Process, JoinHandle<Vec<Value>>) {
        let (process, lines) = Process::heard_until(command).unwrap();
        let read = |line: std::io::Result<String>| serde_json::from_str(&line.unwrap()).unwrap();
        (process, std::thread::spawn(move || lines.map(read).collect()))
    }

    /// The process of a command that serves.
    pub(crate) fn of(command: Command) -> Result<Process, String> {
        let (process, lines) = Process::heard_until(command)?;
        // Whoever reads nothing further would block the program once the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(process)
    }

    /// The process of a command that serves once it listens, and what it says from there on.
    fn heard_until(mut command: Command) -> Result<(Process, Lines<BufReader<ChildStderr>>), String> {
        let mut child =
            command.env("RUST_LOG", "info").stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut told = String::new();
        let address = loop {
            let Some(line) = lines.next() else {
                child.wait().unwrap();
                return Err(told);
            };
            let line = line.unwrap();
            let plain = without_colours(&line);
            told.push_str(&plain);
            let found = plain.split("address").nth(1).and_then(|rest| {
                rest.split(|c: char| c != ':' && c != '.' && !c.is_ascii_digit()).find(|part| part.len() > 1)
            });
            if let Some(address) = found {
                break address.parse().unwrap();
            }
        };
        Ok((Process { child, address }, lines))
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        let told = Command::new("kill").args(["-TERM", &self.id().to_string()]).status().unwrap();
        assert!(told.success());
    }

    /// Its exit code, once it has ended by itself.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long anything is waited for that has to come: a slow and busy machine may need minutes for what
/// otherwise takes a moment.
const PATIENCE: Duration = Duration::from_secs(240);

/// Waits until it holds; panics when it has not come to that for a long time.
pub(crate) async fn comes(mut holds: impl AsyncFnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "it never came to that");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs the program to its end: its exit code, standard output and standard error. One that does
/// not end, such as a server that should not have started, is stopped after some minutes: 124.
pub(crate) fn run(args: &[&str]) -> (i32, String, String) {
    run_with(args, &[])
}

/// As [`run`], with these environment variables.
pub(crate) fn run_with(args: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = Command::new("timeout");
    command.args([&PATIENCE.as_secs().to_string(), PROGRAM]).args(args).envs(environment.iter().copied());
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// 16-bit mono PCM of this length: a tone that is no silence.
pub(crate) fn wav(ms: u64) -> Vec<u8> {
    wav_of(8000, &tone(8000, ms))
}

/// Samples of a 440 Hz tone.
pub(crate) fn tone(rate: u64, ms: u64) -> Vec<i16> {
    // A square wave needs no floating point and is anything but silent.
    (0..rate * ms / 1000).map(|n| if (n * 880 / rate).is_multiple_of(2) { 8000 } else { -8000 }).collect()
}

/// A WAV file of these samples, 16-bit mono PCM.
pub(crate) fn wav_of(rate: u32, samples: &[i16]) -> Vec<u8> {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let len = u32::try_from(data.len()).unwrap();
    let mut wav = Vec::with_capacity(data.len() + 44);
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(len + 36).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&rate.to_le_bytes());
    wav.extend_from_slice(&(rate * 2).to_le_bytes());
    wav.extend_from_slice(b"\x02\0\x10\0data");
    wav.extend_from_slice(&len.to_le_bytes());
    wav.extend_from_slice(&data);
    wav
}

/// Every file below a directory.
pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { dirs.push(path) } else { files.push(path) }
        }
    }
    files
}

/// Something in a store, in a pack or as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Whose it is; `None` of an unfinished file.
    pub(crate) id: Option<Uuid>,
    /// What it is; `None` of an unfinished file.
    pub(crate) kind: Option<Kind>,
    pub(crate) file: PathBuf,
    /// Where its payload lies in it.
    pub(crate) range: std::ops::Range<usize>,
}

impl Kept {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.file).unwrap()[self.range.clone()].to_vec()
    }
}

/// All that the store of this data directory holds; packs that are empty are nothing.
pub(crate) fn kept_in(data: &Path) -> Vec<Kept> {
    let mut all = Vec::new();
    for file in files_below(&data.join("media")) {
        let name = file.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".pack") {
            let pack = std::fs::File::open(&file).unwrap();
            all.extend(Frames::of(&pack).unwrap().map(|frame| {
                let (offset, head) = frame.unwrap();
                let begin = usize::try_from(offset).unwrap() + HEAD;
                let range = begin..begin + usize::try_from(head.bytes).unwrap();
                Kept { id: Some(head.recording), kind: Some(head.kind), file: file.clone(), range }
            }));
            continue;
        }
        // It may be gone by now.
        let Ok(bytes) = std::fs::read(&file) else { continue };
        let kind = match name.rsplit_once('.') {
            Some((_, "sealed")) => Some(Kind::Media),
            Some((_, "json")) if bytes == b"{\"deleted\":true}\n" => Some(Kind::Tombstone),
            Some((_, "json")) => Some(Kind::Envelope),
            _ => None,
        };
        let id = kind.map(|_| name.split('.').next().unwrap().parse().unwrap());
        all.push(Kept { id, kind, range: 0..bytes.len(), file: file.clone() });
    }
    all
}

fn without_colours(line: &str) -> String {
    let mut plain = String::new();
    let mut escape = false;
    for c in line.chars() {
        match c {
            '\u{1b}' => escape = true,
            'm' if escape => escape = false,
            c if !escape => plain.push(c),
            _ => {}
        }
    }
    plain
}

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_consent-gateway");

/// What every random number in these tests comes from: `GATEWAY_TEST_SEED`, or always the same. It is printed, and
/// shown where a test fails. What a gateway draws itself is random by nature: no test may depend on it.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("GATEWAY_TEST_SEED").map_or(0x5eed, |seed| seed.parse().unwrap());
    eprintln!("random numbers are drawn by GATEWAY_TEST_SEED={seed}");
    seed
}

/// Whether what takes minutes is tested as well: `tests/run --all` asks for it.
pub(crate) fn slow() -> bool {
    std::env::var("GATEWAY_TEST_SLOW").is_ok_and(|slow| slow == "true")
}

/// An id that is no other's: the test's next one.
pub(crate) fn uid() -> Uuid {
    static THREADS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());
    thread_local! {
        static RANDOM: RefCell<Random> = RefCell::new({
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            let mut threads = THREADS.lock().unwrap();
            let count = threads.entry(name.clone()).and_modify(|count| *count += 1).or_default();
            let hash = Sha256::digest(format!("{} {count} {name}", seed()));
            Random(u64::from_be_bytes(hash[..8].try_into().unwrap()) | 1)
        });
    }
    let pair = RANDOM.with_borrow_mut(|random| [random.next().to_be_bytes(), random.next().to_be_bytes()]);
    uuid::Builder::from_random_bytes(pair.concat().try_into().unwrap()).into_uuid()
}

/// xorshift64*: the same rounds for the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Drawn from the printed seed.
    pub(crate) fn seeded() -> Random {
        // It goes on from anything but nothing.
        Random(seed().max(1))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    pub(crate) fn sample(&mut self) -> i16 {
        let bytes = self.next().to_le_bytes();
        i16::from_le_bytes([bytes[6], bytes[7]])
    }
}
