//! `audit find`: the same questions from a shell.

use serde_json::{Value, json};

use super::{CALLER, ask, entries, kinds, scene};
use crate::harness::Gateway;

fn find(gateway: &Gateway, words: &[&str]) -> (i32, String, String) {
    gateway.run(&[&["audit", "find", "acme"], words].concat())
}

#[track_caller]
fn found(gateway: &Gateway, words: &[&str]) -> String {
    let (code, out, error) = find(gateway, words);
    assert_eq!((code, error.as_str()), (0, ""));
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_finds_what_the_api_finds_and_is_logged_as_well() {
    let gateway = scene().await;
    let over_http = ask(&gateway.auditor, "number=%2B14155550177&outcome=fetched,accepted").await;
    // The machine's clock, which commands go by, is not the gateway's here: it is asked before them.
    let served = gateway.auditor.get("/v1/consents?participant=bob&format=csv").await;
    let words = ["--number", CALLER, "--outcome", "fetched,accepted"];
    let before = gateway.rows("acme").await.len();
    let told: Value = serde_json::from_str(&found(&gateway, &[&words[..], &["--json"]].concat())).unwrap();
    assert_eq!(told, over_http);
    let rows = gateway.rows("acme").await;
    assert_eq!(rows.len(), before + 1);
    let leaf: Value = serde_json::from_slice(&rows.last().unwrap().leaf).unwrap();
    assert_eq!(leaf["type"], "audit.lookup");
    assert_eq!(leaf["actor"], json!({"credential": "command-line", "role": "operator"}));
    assert_eq!(leaf["body"]["lookup"]["by"], json!(["number", "outcome"]));

    let lines = found(&gateway, &[&words[..], &["--format", "jsonl"]].concat());
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json!(lines), over_http["consents"]);
    let table = found(&gateway, &["--participant", "bob", "--format", "csv"]);
    assert_eq!(table, served.text());

    let words = found(&gateway, &words);
    assert!(words.contains("recording.accepted") && words.contains("recording.fetched"), "{words}");
    assert!(words.contains("2 entries") && words.contains("p1:"), "{words}");
    assert!(!words.contains("4155550177"), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_goes_on_where_it_was_left_and_says_what_is_wrong() {
    let gateway = scene().await;
    let whole = entries(&ask(&gateway.auditor, "place=US-CA").await);
    let (mut seen, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut words = vec!["--place", "US-CA", "--limit", "5", "--json"];
        words.extend(after.iter().flat_map(|after| ["--after", after.as_str()]));
        let page: Value = serde_json::from_str(&found(&gateway, &words)).unwrap();
        seen.extend(page["consents"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(seen, whole);
    assert!(kinds(&seen).contains(&"call.opened"));
    let told = found(&gateway, &["--participant", "nobody"]);
    assert_eq!(told, "no entry matches\n");
    for (words, says) in [
        (&["--call", "nobody"][..], "there is no call"),
        (&["--number", "0415"], "number"),
        (&["--outcome", "fine"], "there is no outcome `fine`"),
        (
            &["--place", "US-NV", "--after", after.as_deref().unwrap_or("1.1.1.1.x")],
            "`after` is not a cursor",
        ),
    ] {
        let (code, _, error) = find(&gateway, words);
        assert!(code == 1 && error.contains(says), "{words:?}: {code} {error}");
    }
    for (at, says) in [
        ("yesterday", "this is not a time"),
        ("2026-11-20T23:59:59", "`2026-11-20T23:59:59` has no time zone: end it with `Z`"),
    ] {
        let (code, _, error) = find(&gateway, &["--until", at]);
        assert!(code == 2 && error.contains("--until") && error.contains(says), "{at}: {code} {error}");
    }
    let (code, _, error) = gateway.run(&["audit", "find", "nobody"]);
    assert!(code == 1 && error.contains("there is no account `nobody`"), "{error}");
    // Whoever looks for evidence adds no account, and opens no call.
    let out = gateway.dir.path().join("out.zip");
    let out = out.to_str().unwrap();
    for (words, says) in [
        (&["audit", "find", "acme.zip", "--call", "c"][..], "there is no export `acme.zip`"),
        (&["audit", "prove", "acme.zip", "--call", "c", "--out", out], "there is no export `acme.zip`"),
        (&["audit", "vcon", "acme.zip", "c"], "`acme.zip` is an export, but `audit vcon` reads an account"),
        (
            &["audit", "prove", "acme", "--call", "nope", "--out", out],
            "the log has no call with this id or alias",
        ),
        (
            &["audit", "prove", "acme", "--no-recording", "nope", "--out", out],
            "the log has no call with this id or alias",
        ),
        (&["audit", "vcon", "acme", "nope"], "the log has no call with this id or alias"),
        (&["audit", "vcon", "nobody", "c"], "there is no account `nobody` in this ledger"),
    ] {
        let (code, _, error) = gateway.run(words);
        assert!(code == 1 && error.contains(says), "{words:?}: {error}");
        assert!(!error.contains("account add") && !error.contains("PUT"), "{error}");
    }
}
