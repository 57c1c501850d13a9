//! Answers as JSON Lines and as tables that other programs read.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use bytes::Bytes;
use serde_json::{Value, json};

use super::{person, scene};
use crate::harness::{Answer, Client, Gateway};

/// All pages of JSON.
async fn all_pages(client: &Client, query: &str) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/v1/consents?{query}&limit=700{after}")).await.expect(200);
        all.extend(page["consents"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return all,
        }
    }
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.headers["content-type"], "application/jsonl");
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn table(answer: &Answer) -> (Vec<String>, Vec<BTreeMap<String, String>>) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8; header=present");
    let text = answer.text();
    let text = text.strip_prefix('\u{feff}').expect("a byte order mark");
    assert!(!text.contains('\0') && text.ends_with("\r\n"));
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = reader.records().map(|row| {
        names.iter().cloned().zip(row.unwrap().iter().map(str::to_owned)).collect::<BTreeMap<_, _>>()
    });
    let rows = rows.collect();
    (names, rows)
}

#[tokio::test]
async fn lines_and_tables_stream_everything_that_the_pages_show() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    let events: Vec<Value> = (0..256)
        .map(|number| json!({"type": "participant.answered", "participant": "caller", "by": "human", "reason": format!("no. {number}")}))
        .collect();
    for _ in 0..13 {
        gateway.event("c", &json!(events)).await.expect(201);
    }
    let pages = all_pages(&gateway.auditor, "call=c").await;
    assert!(pages.len() > 3_000, "{}", pages.len());
    let streamed = lines(&gateway.auditor.get("/v1/consents?call=c&format=jsonl").await);
    assert!(streamed == pages, "{} lines, {} on pages", streamed.len(), pages.len());
    let accepted =
        gateway.auditor.send("GET", "/v1/consents?call=c", &[("accept", "application/jsonl")], Bytes::new());
    assert!(lines(&accepted.await) == pages);
    let (_, rows) = table(&gateway.auditor.get("/v1/consents?call=c&format=csv").await);
    assert_eq!(rows.len(), pages.len());
    for (row, one) in rows.iter().zip(&pages) {
        assert_eq!(row["index"], one["index"].to_string());
        assert_eq!(row["logged_at"], one["entry"]["at"].as_str().unwrap());
        assert_eq!(row["type"], one["entry"]["type"].as_str().unwrap());
        assert_eq!(row["id"], one["entry"]["id"].as_str().unwrap());
        assert_eq!(row["leaf_hash"], one["leaf_hash"].as_str().unwrap());
        assert_eq!(serde_json::from_str::<Value>(&row["detail"]).unwrap(), one["detail"]);
        assert_eq!(row["call"], "c");
    }
    // With a limit it is a page, and says where the next begins.
    let (mut seen, mut path) = (0, "/v1/consents?format=csv&limit=1000&call=c".to_owned());
    loop {
        let answer = gateway.auditor.get(&path).await;
        seen += table(&answer).1.len();
        let Some(link) = answer.headers.get("link") else { break };
        let link = link.to_str().unwrap();
        assert!(link.ends_with("; rel=\"next\""), "{link}");
        path = link[1..link.find('>').unwrap()].to_owned();
    }
    assert_eq!(seen, pages.len());
}

#[tokio::test]
async fn the_asker_chooses_the_form_that_they_like_best() {
    let gateway = Gateway::start().await;
    for (accept, content_type) in [
        ("text/csv", "text/csv; charset=utf-8; header=present"),
        ("text/*", "text/csv; charset=utf-8; header=present"),
        ("application/x-ndjson", "application/jsonl"),
        ("text/csv;q=0.5, application/jsonl;q=0.9", "application/jsonl"),
        ("text/html, */*;q=0.8", "application/json"),
        ("image/png", "application/json"),
        ("text/csv;q=0", "application/json"),
    ] {
        let answer = gateway.auditor.send("GET", "/v1/consents", &[("accept", accept)], Bytes::new()).await;
        assert_eq!(answer.headers["content-type"], content_type, "{accept}");
    }
    let answer = gateway
        .auditor
        .send("GET", "/v1/consents?format=jsonl", &[("accept", "text/csv")], Bytes::new())
        .await;
    assert_eq!(answer.headers["content-type"], "application/jsonl", "who asks in the path has decided");
}

const NASTY: [&str; 10] = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1+1)",
    "\u{ff1d}1+1",
    "\u{ff0b}1",
    "\u{ff0d}1",
    "\u{ff20}x",
    "Zoë, \"the one\"; 張",
    "'=1",
];

/// A call for each nasty name, on which somebody of that name says yes for a nasty reason.
async fn nasty() -> Gateway {
    let gateway = Gateway::start().await;
    for name in NASTY {
        let path: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let body = json!({"medium": "telephone", "started_at": gateway.ago(10), "purposes": ["quality"],
            "participants": [person(name, "customer", "US-CA"), person("agent", "agent", "US-CA")]});
        gateway.recorder.put(&format!("/v1/calls/{path}"), &body).await.expect(201);
        let yes = json!({"type": "consent.given", "participant": name, "method": "speech", "reported_by": "asr",
            "reason": format!("{name}\r\nsaid \"yes\",\n\u{1}\u{0}=1")});
        gateway.event(&path, &yes).await.expect(201);
    }
    gateway
}

#[tokio::test]
async fn a_table_says_who_said_what_and_no_cell_of_it_is_a_formula() {
    let gateway = nasty().await;
    let answer = gateway.auditor.get("/v1/consents?format=csv").await;
    let (names, rows) = table(&answer);
    assert_eq!(names.last().unwrap(), "detail");
    let formula = |cell: &str| {
        cell.starts_with([
            '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
        ])
    };
    for row in &rows {
        for (name, cell) in row {
            assert!(!formula(cell), "{name} is a formula: {cell}");
        }
    }
    for name in NASTY {
        let shown =
            if formula(name) || name.starts_with('\'') { format!("'{name}") } else { name.to_owned() };
        let of_call: Vec<_> = rows.iter().filter(|row| row["call"] == shown).collect();
        let [opened, yes] = of_call.as_slice() else { panic!("{shown}: {}", of_call.len()) };
        assert_eq!(opened["type"], "call.opened");
        assert_eq!(
            opened["participants"],
            format!("{shown} (customer, unprompted); agent (agent, unprompted)")
        );
        assert_eq!(opened["places"], format!("{shown}: US-CA declared; agent: US-CA declared"));
        assert_eq!((opened["decision"].as_str(), opened["requirement"].as_str()), ("blocked", "all/notice"));
        assert_eq!(opened["why"], format!("consent-missing: {name}"));
        let cells =
            ["type", "about", "said", "method", "reported_by", "role"].map(|column| yes[column].as_str());
        assert_eq!(cells, ["consent.given", &shown, "yes", "speech", "asr", "recorder"]);
        let detail: Value = serde_json::from_str(&yes["detail"]).unwrap();
        assert_eq!(detail["event"]["reason"], format!("{name}\r\nsaid \"yes\",\n\u{1}\u{0}=1"));
    }
}

#[tokio::test]
async fn the_columns_name_prompts_recordings_refusals_and_subjects() {
    let gateway = scene().await;
    let (_, rows) = table(&gateway.auditor.get("/v1/consents?format=csv").await);
    let of = |kind: &str| rows.iter().find(|row| row["type"] == kind).unwrap();
    assert_eq!(of("prompt.completed")["prompt"], "en@1");
    assert_eq!(of("prompt.completed")["about"], "caller; agent");
    assert_eq!(rows.iter().rfind(|row| row["type"] == "prompt.registered").unwrap()["prompt"], "en@2");
    assert_eq!(of("recording.accepted")["recording"], of("recording.fetched")["recording"]);
    assert_eq!(of("recording.fetched")["call"], "recorded");
    assert_eq!(of("recording.fetch-refused")["why"], "purpose-not-consented");
    assert_eq!(of("recording.control-refused")["why"], "consent-required; declined: bob");
    assert_eq!(of("consent.declined")["said"], "no");
    assert!(of("call.opened")["subjects"].starts_with("p1:"));
    assert!(of("call.opened")["table"].starts_with("sha256:"));
}

#[tokio::test]
async fn python_reads_the_same_table() {
    let Ok(python) = std::env::var("GATEWAY_TEST_PYTHON") else {
        eprintln!("skipped: GATEWAY_TEST_PYTHON is unset; tests/run sets it");
        return;
    };
    let gateway = nasty().await;
    let answer = gateway.auditor.get("/v1/consents?format=csv").await;
    let (_, rows) = table(&answer);
    let script = "import csv, io, json, sys\n\
        text = sys.stdin.buffer.read().decode('utf-8-sig')\n\
        rows = list(csv.DictReader(io.StringIO(text, newline=''), strict=True))\n\
        print(json.dumps(rows))";
    let mut child = Command::new(python)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&answer.body).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let read: Vec<BTreeMap<String, String>> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read, rows);
}

#[tokio::test]
async fn a_spreadsheet_computes_nothing_in_the_table() {
    let Some(office) = ["soffice", "libreoffice"].into_iter().find(|name| {
        Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    }) else {
        eprintln!("skipped: there is no LibreOffice here");
        return;
    };
    let gateway = nasty().await;
    let answer = gateway.auditor.get("/v1/consents?format=csv").await;
    let (_, rows) = table(&answer);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("consents.csv"), &answer.body).unwrap();
    let convert = |from: &str, to: &str| {
        let profile = format!("-env:UserInstallation=file://{}/profile", dir.path().display());
        let status = Command::new(office)
            .current_dir(dir.path())
            .args([&profile, "--headless", "--convert-to", to, from])
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
    };
    convert("consents.csv", "fods");
    let sheet = std::fs::read_to_string(dir.path().join("consents.fods")).unwrap();
    assert!(!sheet.contains("table:formula"), "a cell became a formula");
    assert_eq!(
        sheet.matches("call.opened").count(),
        rows.iter().filter(|row| row["type"] == "call.opened").count()
    );
}
