//! The requests that are kept as data (`kazoo.d/`), each over a real socket.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Line, Said, Switch, encode, send, target};
use crate::harness::wav;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    says: String,
    source: String,
    line: Option<String>,
    set: Option<String>,
    call: Known,
    request: Request,
    steps: Vec<Step>,
    kept: Option<usize>,
}

/// What is known of the call.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Known {
    Lawful,
    Window,
    Unasked,
    Unknown,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    line: String,
    headers: Vec<String>,
    audio: Audio,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Audio {
    WavMs(u64),
    Text(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at_once: Option<usize>,
    cut_at_percent: Option<usize>,
    expect: Expected,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expected {
    status: Option<u16>,
    headers: std::collections::BTreeMap<String, String>,
    body: Option<String>,
    one: Option<u16>,
    rest: Vec<u16>,
    none_of: Vec<u16>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/kazoo.d")
}

fn cases() -> Vec<(String, Case)> {
    let files = std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    files.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), case)
    };
    files.into_iter().map(read).collect()
}

/// One of the files is what it says, if it was built from `set`.
fn check_built(name: &str, case: &Case, fill: &impl Fn(&str) -> String, call: &str, begun: jiff::Timestamp) {
    let (Some(line), Some(set)) = (&case.line, &case.set) else {
        assert!(case.line.is_none() && case.set.is_none(), "{name}");
        return;
    };
    let line = match line.as_str() {
        "4.3" => Line::Released,
        "master" => Line::Master,
        other => panic!("{name}: {other}"),
    };
    // Kazoo keeps a user of the URL out of the target: the client makes a header of it.
    let path = set.strip_prefix("https://").and_then(|rest| Some(&rest[rest.find('/')?..])).unwrap();
    let built = target(line, &fill(path), call, &fill("{recording}"), begun);
    let sent = fill(&case.request.line);
    assert_eq!(sent.split(' ').nth(1), Some(built.as_str()), "{name}");
    let is_basic = set.contains("{password}@");
    assert_eq!(
        case.request.headers.iter().any(|line| line.starts_with("authorization: ")),
        is_basic,
        "{name}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_as_data_is_answered_as_it_says() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    let host = gateway.running.address;
    let cases = cases();
    assert!(cases.len() > 15, "{}", cases.len());
    let readme = std::fs::read_to_string(folder().join("README.md")).unwrap();
    for (number, (name, case)) in cases.iter().enumerate() {
        assert!(!case.says.is_empty() && !case.source.is_empty(), "{name}");
        let call = format!("data-{number}@10.0.0.1");
        match case.call {
            Known::Lawful => switch.goes_on(&call).await,
            Known::Window => {
                switch.goes_on(&call).await;
                gateway.control(&call, "start").await.expect(200);
            }
            Known::Unasked => drop(gateway.open(&call, "US-CA").await),
            Known::Unknown => {}
        }
        let begun = gateway.now();
        gateway.advance_ms(3000);
        let audio = match &case.request.audio {
            Audio::WavMs(ms) => wav(*ms),
            Audio::Text(text) => text.clone().into_bytes(),
        };
        let (username, password) = (&switch.credential.username, switch.credential.password.expose());
        let values = [
            ("{call}", encode(&call)),
            ("{start}", (begun.as_second() + 62_167_219_200).to_string()),
            ("{recording}", format!("202611-{number:032x}")),
            ("{length}", audio.len().to_string()),
            ("{username}", username.clone()),
            ("{password}", password.to_string()),
            ("{token}", switch.token()),
            ("{basic}", BASE64_STANDARD.encode(format!("{username}:{password}"))),
        ];
        assert!(values.iter().all(|(key, _)| readme.contains(key)), "the README tells of all of them");
        let fill =
            |text: &str| values.iter().fold(text.to_owned(), |text, (key, value)| text.replace(key, value));
        check_built(name, case, &fill, &call, begun);
        let mut lines = vec![fill(&case.request.line)];
        lines.extend(case.request.headers.iter().map(|line| fill(line)));
        let mut request = format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes();
        assert!(!String::from_utf8_lossy(&request).contains('{'), "{name}: something is not filled in");
        request.extend_from_slice(&audio);
        for (index, step) in case.steps.iter().enumerate() {
            take(&format!("{name}, step {index}"), host, &request, step).await;
        }
        let kept = switch.recordings().await;
        let kept = kept.iter().filter(|one: &&Value| one["call"] == call.as_str()).count();
        assert_eq!(kept, case.kept.unwrap_or(1), "{name}");
    }
    gateway.auditor.get("/v1/log/acme/checkpoint").await;
    let (code, out, err) = gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{out}{err}");
}

async fn take(at: &str, host: SocketAddr, request: &[u8], step: &Step) {
    let Step { at_once, cut_at_percent, expect } = step;
    if let Some(percent) = cut_at_percent {
        let mut stream = TcpStream::connect(host).await.unwrap();
        stream.write_all(&request[..request.len() * percent / 100]).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut told = Vec::new();
        stream.read_to_end(&mut told).await.unwrap();
        let told = String::from_utf8_lossy(&told);
        let status = told.split(' ').nth(1).and_then(|status| status.parse().ok());
        assert!(status.is_none_or(|status: u16| !expect.none_of.contains(&status)), "{at}: {told}");
        assert!(!expect.none_of.is_empty(), "{at}");
        return;
    }
    if let Some(times) = at_once {
        let storm: Vec<_> = (0..*times)
            .map(|_| {
                let request = request.to_vec();
                tokio::spawn(async move { send(host, &request).await })
            })
            .collect();
        let mut told = Vec::new();
        for one in storm {
            told.push(one.await.unwrap());
        }
        let statuses: Vec<u16> = told.iter().map(|said| said.status).collect();
        let one = expect.one.unwrap();
        assert_eq!(statuses.iter().filter(|status| **status == one).count(), 1, "{at}: {statuses:?}");
        assert!(
            statuses.iter().all(|status| *status == one || expect.rest.contains(status)),
            "{at}: {statuses:?}"
        );
        let kept = told.iter().filter(|said| said.status < 300);
        assert!(kept.into_iter().all(|said| Some(&said.body) == expect.body.as_ref()), "{at}: {told:?}");
        return;
    }
    let said: Said = send(host, request).await;
    assert_eq!(Some(said.status), expect.status, "{at}: {said:?}");
    if let Some(body) = &expect.body {
        assert_eq!(&said.body, body, "{at}: {said:?}");
    }
    for (header, value) in &expect.headers {
        assert_eq!(said.header(header), Some(value.as_str()), "{at}: {said:?}");
    }
}
