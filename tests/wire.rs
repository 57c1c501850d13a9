//! Clients that are slow or broken, TLS, and stopping: over raw sockets, against the real program.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use consent_gateway::access::Role;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Answer, Client, PROGRAM, Process, comes, files_below, wav};
use crate::site::{self, Site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_head_that_dribbles_is_cut_and_others_are_served_meanwhile() {
    let site = Site::new().await;
    let process = site.serve(&[]);
    let began = Instant::now();
    let (mut read, mut write) = TcpStream::connect(process.address).await.unwrap().into_split();
    let dribble = tokio::spawn(async move {
        for byte in
            b"GET /v1/recordings HTTP/1.1\r\nhost: gateway\r\nx: ".iter().chain(std::iter::repeat(&b'x'))
        {
            if write.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    site.client(&process, Role::Listener).get("/v1/recordings").await.expect(200);
    let mut answer = Vec::new();
    // A reset is an end, too.
    let _ = read.read_to_end(&mut answer).await;
    dribble.abort();
    assert_eq!(String::from_utf8_lossy(&answer), "");
    let took = began.elapsed();
    assert!((9..60).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_stalls_is_told_so_and_leaves_nothing() {
    let site = Site::new().await;
    let config = site::config(site.dir.path(), "[upload]\ndeadline_seconds = 2\n");
    let process = site.serve(&["--config", &config]);
    let upload = Upload::begin(&site, &process).await;
    let mut stream = upload.connect(&process).await;
    stream.write_all(&upload.audio[..upload.audio.len() / 2]).await.unwrap();
    let (status, problem) = answer(&mut stream).await;
    assert_eq!((status, &problem["code"]), (408, &json!("body-too-slow")), "{problem}");
    assert_eq!(files_below(&site.data.join("media")).len(), 0);
    upload.again(&site, &process, 201).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_whose_client_goes_away_halfway_leaves_nothing_and_can_be_sent_again() {
    let site = Site::new().await;
    let process = site.serve(&[]);
    let upload = Upload::begin(&site, &process).await;
    for end in [1, upload.audio.len() / 2, upload.audio.len() - 1] {
        let mut stream = upload.connect(&process).await;
        stream.write_all(&upload.audio[..end]).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut told = Vec::new();
        let _ = stream.read_to_end(&mut told).await;
        assert!(!told.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&told));
    }
    assert_eq!(files_below(&site.data.join("media")).len(), 0);
    assert_eq!(site.rows().await.len(), 0);
    upload.again(&site, &process, 201).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_in_whole_is_kept_even_if_the_client_reads_no_answer() {
    let site = Site::new().await;
    let process = site.serve(&[]);
    let upload = Upload::begin(&site, &process).await;
    let mut stream = upload.connect(&process).await;
    stream.write_all(&upload.audio).await.unwrap();
    drop(stream);
    while site.rows().await.is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    upload.again(&site, &process, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_can_be_read_by_a_client_that_sends_all_of_its_body_first() {
    let site = Site::new().await;
    let process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    site.record(&recorder, "c1").await;
    let script = "
import http.client, sys
host, authorization, path, length = sys.argv[1:]
connection = http.client.HTTPConnection(host)
for _ in range(2):
    connection.request('PUT', path, body=bytes(int(length)), headers={'authorization': authorization})
    answer = connection.getresponse()
    print(answer.status, answer.read().decode())
";
    let send = |authorization: &str, path: &str| {
        let output = Command::new("python3")
            .args(["-c", script, &process.address.to_string(), authorization, path, "8000000"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let known = recorder.authorization.clone().unwrap();
    let opened = json!({"participants": [{"id": "caller", "role": "customer", "location": "US-CA"}]});
    recorder.put("/v1/calls/c2", &opened).await.expect(201);
    for (authorization, path, status, code) in [
        (known.as_str(), "/v1/calls/c2/recordings/a", "403", "consent-required"),
        (&known, "/v1/calls/unknown/recordings/a", "404", "unknown-call"),
        ("Basic eDp5", "/v1/calls/c1/recordings/a", "401", "unauthorized"),
    ] {
        let told = send(authorization, path);
        assert_eq!(told.lines().count(), 2, "{told}");
        for line in told.lines() {
            assert!(line.starts_with(status) && line.contains(code), "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_when_the_program_is_told_to_stop_is_finished_and_acknowledged() {
    let site = Site::new().await;
    let mut process = site.serve(&[]);
    let upload = Upload::begin(&site, &process).await;
    let mut stream = upload.connect(&process).await;
    let half = upload.audio.len() / 2;
    stream.write_all(&upload.audio[..half]).await.unwrap();
    process.terminate();
    // It stops accepting at once, so that a load balancer notices.
    while TcpStream::connect(process.address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stream.write_all(&upload.audio[half..]).await.unwrap();
    let (status, stored) = answer(&mut stream).await;
    assert_eq!(status, 201, "{stored}");
    assert_eq!(process.wait(), Some(0));

    let process = site.serve(&[]);
    let listener = site.client(&process, Role::Listener);
    assert!(site.fetch_and_open(&listener, stored["id"].as_str().unwrap()).await == upload.audio);
    upload.again(&site, &process, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_drain_has_an_end_and_what_it_cut_leaves_nothing() {
    let site = Site::new().await;
    let config = site::config(site.dir.path(), "drain_seconds = 1\n");
    let mut process = site.serve(&["--config", &config]);
    let upload = Upload::begin(&site, &process).await;
    let mut stream = upload.connect(&process).await;
    stream.write_all(&upload.audio[..upload.audio.len() / 2]).await.unwrap();
    let began = Instant::now();
    process.terminate();
    assert_eq!(process.wait(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(25));
    assert_eq!(site.rows().await.len(), 0);
    let process = site.serve(&[]);
    upload.again(&site, &process, 201).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_can_choose_goes_elsewhere_before_a_gateway_that_stops_takes_nothing_more() {
    let site = Site::new().await;
    let config = |seconds: u64| site::config(site.dir.path(), &format!("lame_duck_seconds = {seconds}\n"));
    let mut process = site.serve(&["--config", &config(3600)]);
    let (stranger, recorder) = (Client::stranger(process.address), site.client(&process, Role::Recorder));
    stranger.get("/readyz").await.expect(200);
    process.terminate();
    comes(async || stranger.get("/readyz").await.status == 503).await;
    let told = stranger.get("/readyz").await.problem(503, "not-ready");
    assert_eq!(told["failing"], json!(["stopping"]));
    assert!(told["detail"].as_str().unwrap().contains("about to stop"), "{told}");
    // New connections are taken, and everything is done that was done before.
    stranger.get("/healthz").await.expect(200);
    recorder.put("/v1/calls/c1", &json!({"medium": "telephone", "participants": []})).await.expect(201);
    // Whoever says it twice does not want to wait.
    process.terminate();
    assert_eq!(process.wait(), Some(0));
    assert!(TcpStream::connect(process.address).await.is_err());
    // Else it ends by itself, when the time is over.
    let mut process = site.serve(&["--config", &config(1)]);
    let began = Instant::now();
    process.terminate();
    assert_eq!(process.wait(), Some(0));
    assert!(began.elapsed() >= Duration::from_secs(1));
    // Both ended as they should: nothing may be missing.
    let gaps = "SELECT count(*) FROM entry WHERE type = 'audit.gap'";
    let gaps: i64 = sqlx::query_scalar(gaps).fetch_one(&mut site.sqlite().await).await.unwrap();
    assert_eq!(gaps, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_served_and_a_replaced_certificate_without_a_restart() {
    let site = Site::new().await;
    let path = |name: &str| site.dir.path().join(name).to_str().unwrap().to_owned();
    for name in ["first", "second"] {
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
            ])
            .args(["-subj", &format!("/CN={name}"), "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .args(["-keyout", &path(&format!("{name}.key")), "-out", &path(&format!("{name}.pem"))])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    let put = |name: &str| {
        for (kind, served) in [("pem", "served.pem"), ("key", "served.key")] {
            std::fs::copy(path(&format!("{name}.{kind}")), path("new")).unwrap();
            std::fs::rename(path("new"), path(served)).unwrap();
        }
    };
    put("first");
    let text = format!("[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n", path("served.pem"), path("served.key"));
    let process = site.serve(&["--config", &site::config(site.dir.path(), &text)]);
    let credential = site.credential(Role::Listener);
    let user = format!("{}:{}", credential.username, credential.password.expose());
    let curl = |ca: &str, more: &[&str]| -> Output {
        let url = format!("https://127.0.0.1:{}/v1/recordings", process.address.port());
        Command::new("curl")
            .args(["-sS", "--cacert", &path(ca), "-u", &user])
            .args(more)
            .arg(url)
            .output()
            .unwrap()
    };
    for version in ["--tlsv1.3", "--tlsv1.2"] {
        let output = curl("first.pem", &[version, "--tls-max", &version[6..]]);
        let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(listed["recordings"], json!([]), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(!curl("second.pem", &[]).status.success());
    // Plain HTTP gets no answer there.
    let mut plain = TcpStream::connect(process.address).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n").await.unwrap();
    let mut told = Vec::new();
    let _ = plain.read_to_end(&mut told).await;
    assert!(!told.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&told));

    // While the pair does not match, the old one is served.
    std::fs::copy(path("second.pem"), path("served.pem")).unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(curl("first.pem", &[]).status.success());
    put("second");
    let began = Instant::now();
    while !curl("second.pem", &[]).status.success() {
        assert!(began.elapsed() < Duration::from_secs(240), "the new certificate is not served");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(!curl("first.pem", &[]).status.success());
}

/// Every answer has an id, and every line that is logged for it says so: with the call, the credential, the code of
/// the problem and the entry, and without a word that an outsider chose.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_followed_from_its_answer_to_the_log_and_the_trail() {
    let site = Site::new().await;
    let config = site::config(site.dir.path(), "log_json = true\n");
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--config", &config, "--data"]).arg(&site.data);
    let (mut process, lines) = Process::heard(command);
    let recorder = site.client(&process, Role::Recorder);
    site.record(&recorder, "c1").await;
    let id = |answer: &Answer| {
        let id = answer.headers.get("x-request-id").expect("an id").to_str().unwrap().to_owned();
        let of_problem = answer.json()["instance"].as_str().map(ToOwned::to_owned);
        assert_eq!(of_problem, (answer.status >= 400).then(|| format!("urn:uuid:{id}")));
        id
    };
    let send = async |client: &Client, headers: &[(&str, &str)], path: &str, body: Value| {
        let headers = [headers, &[("content-type", "application/json")]].concat();
        client.send("POST", path, &headers, body.to_string().into()).await
    };
    let no = json!({"type": "consent.declined", "participant": "caller"});
    let ours = "0191e2a0-7a4c-7000-8000-000000000001";
    let sent = [("x-request-id", ours)];
    let declined = send(&recorder, &sent, "/v1/calls/c1/events", no.clone()).await;
    assert_eq!((declined.status, id(&declined).as_str()), (201, ours));
    // As nginx writes it.
    let plain = ours.replace('-', "");
    let refused =
        send(&recorder, &[("x-request-id", &plain)], "/v1/calls/c1/recording", json!({"action": "resume"}))
            .await;
    refused.problem(403, "consent-required");
    assert_eq!(id(&refused), ours);
    let chosen = [("x-request-id", "+15555550100 is calling")];
    let unknown = send(&recorder, &chosen, "/v1/calls/c2/events", no.clone()).await;
    unknown.problem(404, "unknown-call");
    let stranger = Client::stranger(process.address);
    let turned_away = send(&stranger, &chosen, "/v1/calls/+15555550100/events", no).await;
    turned_away.problem(401, "unauthorized");
    assert_ne!(id(&unknown), id(&turned_away));
    // Any word can be a method.
    let odd = stranger.send("+15555550100", "/v1/calls/c1", &[], Vec::new().into()).await;
    assert!(odd.status >= 400 && !id(&odd).is_empty());
    let auditor = site.client(&process, Role::Auditor);
    let records = auditor.get("/v1/consents?call=c1").await.expect(200);
    let uid = records["consents"][0]["entry"]["call"].as_str().unwrap().to_owned();
    process.terminate();
    assert_eq!(process.wait(), Some(0));

    let lines = lines.join().unwrap();
    let spans: Vec<&Value> = lines.iter().map(|line| &line["span"]).collect();
    assert!(!lines.iter().any(|line| line.to_string().contains("15555550100")), "{lines:?}");
    let of = |id: &str| {
        let found = spans.iter().rfind(|span| span["request"] == id);
        *found.unwrap_or_else(|| panic!("nothing is logged of {id}: {lines:?}"))
    };
    let mut told = spans.iter().filter(|span| span["request"] == ours);
    let username = &site.credential(Role::Recorder).username;
    let declined = told.next().unwrap();
    assert_eq!((&declined["call"], &declined["credential"]), (&json!(uid), &json!(username)));
    let entry = declined["entry"].as_str().unwrap();
    let refused = told.next().unwrap();
    assert_eq!(
        (&refused["code"], &refused["path"]),
        (&json!("consent-required"), &json!("/v1/calls/{call}/recording"))
    );
    let number = |entry: &str| entry.strip_prefix("acme/").unwrap().parse::<u64>().unwrap();
    assert_eq!(number(refused["entry"].as_str().unwrap()), number(entry) + 1, "the refusal is an entry, too");
    let unknown = of(&id(&unknown));
    assert_eq!((&unknown["code"], &unknown["entry"]), (&json!("unknown-call"), &Value::Null));
    let turned_away = of(&id(&turned_away));
    assert_eq!((&turned_away["call"], &turned_away["credential"]), (&Value::Null, &Value::Null));
    assert_eq!(turned_away["path"], "/v1/calls/{call}/events");
}

/// An upload of a second's audio in several packets, on a call where it was recorded lawfully.
struct Upload {
    head: String,
    audio: Vec<u8>,
    start: String,
}

impl Upload {
    async fn begin(site: &Site, process: &Process) -> Upload {
        let recorder = site.client(process, Role::Recorder);
        let start = site.record(&recorder, "c1").await.to_string();
        tokio::time::sleep(Duration::from_millis(1_050)).await;
        let audio = wav(1000);
        let head = format!(
            "PUT {PATH} HTTP/1.1\r\nhost: gateway\r\nauthorization: {}\r\nrecording-start: {start}\r\ncontent-length: {}\r\n\r\n",
            recorder.authorization.as_ref().unwrap(),
            audio.len()
        );
        Upload { head, audio, start }
    }

    /// A connection on which the request's head has been sent.
    async fn connect(&self, process: &Process) -> TcpStream {
        let mut stream = TcpStream::connect(process.address).await.unwrap();
        stream.write_all(self.head.as_bytes()).await.unwrap();
        stream
    }

    /// Sends it as it should be sent.
    async fn again(&self, site: &Site, process: &Process, status: u16) {
        let recorder = site.client(process, Role::Recorder);
        let stored =
            recorder.upload(PATH, &[("recording-start", &self.start)], &self.audio).await.expect(status);
        let listener = site.client(process, Role::Listener);
        assert!(site.fetch_and_open(&listener, stored["id"].as_str().unwrap()).await == self.audio);
        assert_eq!(site.rows().await.len(), 1);
    }
}

/// The status and body of one answer whose length is told.
async fn answer(stream: &mut TcpStream) -> (u16, Value) {
    let mut told = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the connection ended: {}", String::from_utf8_lossy(&told));
        told.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&told);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if let Ok(value) = serde_json::from_str(body) {
            return (head.split(' ').nth(1).unwrap().parse().unwrap(), value);
        }
    }
}

const PATH: &str = "/v1/calls/c1/recordings/a";
