//! Recordings that were accepted: list, describe, fetch, hold, delete.

use bytes::Bytes;
use consent_gateway::access::Role;
use consent_gateway::vault::Kind;
use serde_json::{Value, json};
use trail::Actor;

use crate::harness::{Client, Gateway, files_below, kept_in, wav};

fn path(recording: &Value) -> String {
    format!("/v1/recordings/{}", recording["id"].as_str().unwrap())
}

#[tokio::test]
async fn recordings_are_listed_page_by_page() {
    let gateway = Gateway::start().await;
    let mut stored = Vec::new();
    for call in ["c1", "c2", "c3"] {
        stored.push(gateway.stored(call).await["id"].clone());
    }
    let first = gateway.listener.get("/v1/recordings?limit=2").await.expect(200);
    let next = first["next"].as_str().unwrap();
    let second = gateway.listener.get(&format!("/v1/recordings?limit=2&after={next}")).await.expect(200);
    assert_eq!(second["next"], Value::Null);
    let pages = [&first, &second].map(|page| page["recordings"].as_array().unwrap().clone());
    let listed: Vec<Value> = pages.into_iter().flatten().map(|one| one["id"].clone()).collect();
    assert_eq!(listed, stored);
    let of_one = gateway.listener.get("/v1/recordings?call=c2").await.expect(200);
    assert_eq!(of_one["recordings"].as_array().unwrap().len(), 1);
    assert_eq!(of_one["recordings"][0]["id"], stored[1]);
    gateway.listener.get("/v1/recordings?call=nobody").await.problem(404, "unknown-call");
    gateway.listener.get("/v1/recordings?after=nothing").await.problem(422, "invalid-cursor");
    for limit in ["0", "1001"] {
        gateway.listener.get(&format!("/v1/recordings?limit={limit}")).await.problem(422, "invalid-limit");
    }
    gateway.listener.get("/v1/recordings?colour=red").await.problem(400, "invalid-query");
}

#[tokio::test]
async fn media_are_served_whole_or_in_part() {
    let gateway = Gateway::start().await;
    let stored = gateway.stored("c").await;
    let media = format!("{}/media?purpose=quality", path(&stored));
    let whole = gateway.listener.get(&media).await;
    assert_eq!(whole.status, 200);
    let bytes = stored["envelope"]["bytes"].as_u64().unwrap();
    assert_eq!(whole.body.len() as u64, bytes);
    let etag = whole.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(etag, format!("\"{}\"", stored["envelope"]["sha256"].as_str().unwrap()));
    assert_eq!(whole.headers["accept-ranges"], "bytes");
    let ask =
        async |headers: &[(&str, &str)]| gateway.listener.send("GET", &media, headers, Bytes::new()).await;
    for (range, from, until) in [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=500-599", 500, 600),
        ("bytes=500-", 500, bytes),
        ("bytes=-100", bytes - 100, bytes),
        ("bytes=-99999999", 0, bytes),
        ("bytes=500-99999999", 500, bytes),
    ] {
        let part = ask(&[("range", range)]).await;
        assert_eq!(part.status, 206, "{range}");
        let (start, end) = (usize::try_from(from).unwrap(), usize::try_from(until).unwrap());
        assert_eq!(part.body, whole.body[start..end], "{range}");
        assert_eq!(part.headers["content-range"], format!("bytes {from}-{}/{bytes}", until - 1));
        assert_eq!(part.headers["etag"], etag.as_str());
    }
    let beyond = ask(&[("range", &format!("bytes={bytes}-"))]).await;
    beyond.problem(416, "range-outside");
    assert_eq!(beyond.headers["content-range"], format!("bytes */{bytes}"));
    for odd in ["bytes=5-1", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6"] {
        assert_eq!(ask(&[("range", odd)]).await.status, 200, "{odd}");
    }
    assert_eq!(ask(&[("range", "bytes=0-9"), ("if-range", &etag)]).await.status, 206);
    assert_eq!(ask(&[("range", "bytes=0-9"), ("if-range", "\"another\"")]).await.status, 200);
    let head = gateway.listener.send("HEAD", &media, &[], Bytes::new()).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.headers["content-length"], bytes.to_string().as_str());
}

#[tokio::test]
async fn who_fetches_has_to_say_for_what_and_it_is_logged() {
    let gateway = Gateway::start().await;
    let purposes = ["quality", "complaint 427", "training"];
    let prompt = crate::harness::telling(
        json!({"text": "Recorded.", "language": "en", "duration_ms": 4000, "purposes": purposes}),
    );
    gateway.counsel.put("/v1/prompts/en", &prompt).await.expect(201);
    gateway.open_with("c", super::two("US-CA"), json!({"purposes": purposes})).await;
    gateway.prompt("c", &["caller", "agent"]).await;
    gateway.control("c", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(1000);
    let stored = gateway.upload("c", "a", Some(from), &wav(1000)).await.expect(201);
    let media = format!("{}/media", path(&stored));
    gateway.listener.get(&media).await.problem(400, "purpose-required");
    gateway.listener.get(&format!("{media}?purpose=")).await.problem(422, "invalid-id");
    assert_eq!(gateway.listener.get(&format!("{media}?purpose=complaint%20427")).await.status, 200);
    let named = gateway
        .listener
        .send("GET", &media, &[("purpose", "training"), ("range", "bytes=0-9")], Bytes::new())
        .await;
    assert_eq!(named.status, 206);
    let log = gateway.auditor.get("/v1/consents?limit=1000").await.expect(200);
    let fetches: Vec<&Value> = log["consents"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["entry"]["type"] == "recording.fetched")
        .collect();
    assert_eq!(fetches.len(), 2);
    assert_eq!(fetches[0]["detail"], json!({"purpose": "complaint 427"}));
    assert_eq!(fetches[1]["detail"], json!({"purpose": "training"}));
    assert_eq!(fetches[1]["entry"]["body"]["fetched"]["range"], json!([0, 10]));
    assert_eq!(fetches[1]["entry"]["actor"]["role"], "listener");
}

#[tokio::test]
async fn what_comes_out_is_what_went_in_and_only_the_customer_can_open_it() {
    let gateway = Gateway::start().await;
    let stored = gateway.stored("c").await;
    let id = stored["id"].as_str().unwrap();
    assert_eq!(gateway.fetch_and_open(id).await, wav(1000));
    let plain = &wav(1000)[44..144];
    for file in files_below(gateway.dir.path()) {
        if file.extension().is_some_and(|extension| extension == "opened") {
            continue;
        }
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(plain.len()).any(|part| part == plain), "{}", file.display());
    }
}

#[tokio::test]
async fn a_legal_hold_stops_deletion_until_counsel_lifts_it() {
    let gateway = Gateway::start().await;
    let stored = gateway.stored("c").await;
    let hold = format!("{}/hold", path(&stored));
    assert_eq!(gateway.counsel.put(&hold, &json!({})).await.expect(200)["held"], true);
    gateway.admin.delete(&path(&stored)).await.problem(409, "legal-hold");
    gateway.listener.get(&path(&stored)).await.expect(200);
    assert_eq!(gateway.counsel.delete(&hold).await.expect(200)["held"], false);
    gateway.admin.delete(&path(&stored)).await.expect(204);
}

#[tokio::test]
async fn a_deleted_recording_is_gone_and_its_keys_with_it() {
    let gateway = Gateway::start().await;
    let stored = gateway.stored("c").await;
    let kept = gateway.stored("other").await;
    let id = stored["id"].as_str().unwrap();
    let wrapped = stored["envelope"]["keys"][0]["encrypted_key"].as_str().unwrap();
    let own = |kind| {
        kept_in(&gateway.data())
            .into_iter()
            .find(|kept| kept.kind == Some(kind) && kept.id.is_some_and(|kept| kept.to_string() == id))
    };
    let (sealed, envelope) = (own(Kind::Media).unwrap().bytes(), own(Kind::Envelope).unwrap().bytes());
    assert!(String::from_utf8(envelope).unwrap().contains(wrapped));
    gateway.admin.delete(&path(&stored)).await.expect(204);
    for file in files_below(&gateway.data().join("media")) {
        let bytes = std::fs::read(&file).unwrap();
        for gone in [wrapped.as_bytes(), &sealed[..64], &sealed[sealed.len() - 64..]] {
            assert!(!bytes.windows(gone.len()).any(|part| part == gone), "{}", file.display());
        }
    }
    assert!(own(Kind::Media).is_none() && own(Kind::Envelope).is_none() && own(Kind::Tombstone).is_some());
    let (this, media) = (path(&stored), format!("{}/media?purpose=quality", path(&stored)));
    for who in [&gateway.listener, &gateway.recorder] {
        who.get(&this).await.problem(410, "recording-deleted");
        who.get(&media).await.problem(410, "recording-deleted");
    }
    gateway.admin.delete(&this).await.problem(410, "recording-deleted");
    gateway.counsel.put(&format!("{this}/hold"), &json!({})).await.problem(410, "recording-deleted");
    let left = gateway.listener.get("/v1/recordings").await.expect(200);
    assert_eq!(left["recordings"].as_array().unwrap().len(), 1);
    assert_eq!(left["recordings"][0]["id"], kept["id"]);
}

#[tokio::test]
async fn a_recorder_sees_only_what_it_uploaded_itself() {
    let gateway = Gateway::start().await;
    let theirs = gateway.stored("theirs").await;
    let new = gateway
        .gate()
        .add_credential(&Actor::command_line(), "acme", Role::Recorder, "another", None)
        .await
        .unwrap();
    let another = Client::new(gateway.recorder.address, &new);
    for path in [path(&theirs), format!("{}/media?purpose=quality", path(&theirs))] {
        another.get(&path).await.problem(404, "not-found");
    }
    let from = gateway.recording_in("mine", "US-CA").await;
    gateway.advance_ms(1000);
    let upload = another
        .upload("/v1/calls/mine/recordings/a", &[("recording-start", &from.to_string())], &wav(1000))
        .await;
    let mine = upload.expect(201);
    gateway.stored("theirs-too").await;
    let list = another.get("/v1/recordings?limit=1").await.expect(200);
    assert_eq!(list["recordings"][0]["id"], mine["id"], "a page is filled with what may be seen: {list}");
    assert_eq!(list["next"], Value::Null, "the cursor names nobody else's recording");
    assert_eq!(
        gateway.listener.get("/v1/recordings").await.expect(200)["recordings"].as_array().unwrap().len(),
        3
    );
}
