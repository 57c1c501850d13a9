//! The finished audio comes in: where it lies in time, how much of it, and how often.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use consent_gateway::config::Config;
use consent_gateway::gate::AccountSettings;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::harness::{Gateway, wav};

async fn recorded(gateway: &Gateway, call: &str, ms: u64) -> jiff::Timestamp {
    let from = gateway.recording_in(call, "US-CA").await;
    gateway.advance_ms(ms);
    from
}

#[tokio::test]
async fn an_upload_that_does_not_say_when_has_to_fit_the_only_window() {
    let gateway = Gateway::start().await;
    recorded(&gateway, "c", 5000).await;
    gateway.control("c", "pause").await.expect(200);
    gateway.advance_ms(5000);
    gateway.upload("c", "long", None, &wav(5001)).await.problem(403, "uncovered-audio");
    gateway.upload("c", "short", None, &wav(3000)).await.expect(201);
    gateway.control("c", "resume").await.expect(200);
    gateway.advance_ms(5000);
    let refused = gateway.upload("c", "several", None, &wav(2000)).await.problem(403, "uncovered-audio");
    assert_eq!(refused["source"], "retry");
    assert!(refused["detail"].as_str().unwrap().contains("Recording-Start"), "{refused}");
}

#[tokio::test]
async fn an_upload_that_does_not_say_when_to_a_call_without_a_window_is_refused() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    let refused = gateway.upload("c", "a", None, &wav(1000)).await.problem(403, "consent-required");
    assert_eq!(refused["source"], "delete");
}

#[tokio::test]
async fn two_seconds_of_slack_follow_a_stop_and_the_end_and_nothing_else() {
    let gateway = Gateway::start().await;
    for edge in ["stop", "call.ended"] {
        let from = recorded(&gateway, edge, 5000).await;
        match edge {
            "stop" => gateway.control(edge, "stop").await.expect(200),
            _ => gateway.report(edge, json!({"type": edge})).await,
        };
        gateway.advance_ms(10_000);
        gateway.upload(edge, "long", Some(from), &wav(7010)).await.problem(403, "uncovered-audio");
        gateway.upload(edge, "a", Some(from), &wav(7000)).await.expect(201);
    }
    for edge in ["pause", "consent.withdrawn", "consent.declined", "joined"] {
        let from = recorded(&gateway, edge, 5000).await;
        match edge {
            "pause" => gateway.control(edge, "pause").await.expect(200),
            "joined" => gateway.joins(edge, &super::person("third", "customer", "US-CA")).await,
            _ => gateway.happens(edge, edge, "caller").await,
        };
        gateway.advance_ms(10_000);
        assert_eq!(gateway.upload(edge, "long", Some(from), &wav(5010)).await.status, 403, "{edge}");
        gateway.upload(edge, "a", Some(from), &wav(5000)).await.expect(201);
    }
}

#[tokio::test]
async fn a_withdrawal_leaves_no_slack_after_the_end_either() {
    let gateway = Gateway::start().await;
    let from = recorded(&gateway, "c", 5000).await;
    gateway.happens("c", "consent.withdrawn", "caller").await;
    gateway.advance_ms(1000);
    gateway.report("c", json!({"type": "call.ended"})).await;
    gateway.advance_ms(10_000);
    gateway.upload("c", "a", Some(from), &wav(5010)).await.problem(403, "consent-withdrawn");
}

#[tokio::test]
async fn no_more_is_accepted_than_was_granted_times_the_recorders() {
    for recorders in [1, 2] {
        let settings = AccountSettings { recorders, ..AccountSettings::default() };
        let gateway = Gateway::with(Config::default(), settings).await;
        let from = recorded(&gateway, "c", 10_000).await;
        gateway.control("c", "pause").await.expect(200);
        for n in 0..recorders {
            let ms = 10_000 - u64::from(n);
            gateway.upload("c", &format!("{n}"), Some(from), &wav(ms)).await.expect(201);
        }
        let refused =
            gateway.upload("c", "more", Some(from), &wav(1000)).await.problem(403, "uncovered-audio");
        assert!(refused["detail"].as_str().unwrap().contains("recorders"), "{refused}");
        assert_eq!(refused["uncovered"][0]["duration_ms"], 1000, "{refused}");
    }
}

#[tokio::test]
async fn a_timeline_is_judged_stretch_by_stretch() {
    let gateway = Gateway::start().await;
    let from = recorded(&gateway, "c", 10_000).await;
    let later = from.checked_add(jiff::SignedDuration::from_secs(4)).unwrap();
    let send = async |name: &str, timeline: String, ms| {
        gateway.upload_with("c", name, &[("recording-timeline", &timeline)], &wav(ms)).await
    };
    send("overlap", format!("{from}/PT5S,{later}/PT1S"), 6000).await.problem(422, "invalid-timeline");
    send("order", format!("{later}/PT1S,{from}/PT1S"), 2000).await.problem(422, "invalid-timeline");
    send("short", format!("{from}/PT1S"), 5000).await.problem(422, "timeline-too-short");
    let before = gateway.ago(15);
    send("before", format!("{before}/PT1S,{from}/PT1S"), 2000).await.problem(403, "consent-required");
    send("good", format!("{from}/PT2.5S, {later}/PT1S"), 3500).await.expect(201);
    for bad in [
        "yesterday/PT1S",
        "2026-11-20T10:00:00Z",
        "2026-11-20T10:00:00Z/PT0S",
        "2026-11-20T10:00:00Z/-PT1S",
        "",
    ] {
        send("bad", bad.into(), 1000).await.problem(400, "invalid-header");
    }
    let both =
        [("recording-start", "2026-11-20T10:00:00Z"), ("recording-timeline", "2026-11-20T10:00:00Z/PT1S")];
    gateway.upload_with("c", "both", &both, &wav(1000)).await.problem(400, "invalid-header");
    gateway
        .upload_with("c", "odd", &[("recording-start", "ten o'clock")], &wav(1000))
        .await
        .problem(400, "invalid-header");
}

#[tokio::test]
async fn of_several_stretches_that_may_not_be_kept_the_one_that_the_code_names_is_told_first() {
    let gateway = Gateway::start().await;
    let from = recorded(&gateway, "c", 1000).await;
    gateway.joins("c", &super::person("third", "customer", "US-CA")).await;
    gateway.advance_ms(1000);
    gateway.happens("c", "consent.declined", "third").await;
    gateway.advance_ms(1000);
    let refused = gateway.upload("c", "a", Some(from), &wav(3000)).await.problem(403, "consent-declined");
    let whys: Vec<&str> =
        refused["uncovered"].as_array().unwrap().iter().map(|one| one["why"].as_str().unwrap()).collect();
    let [missing, declined] = whys.as_slice() else { panic!("{refused}") };
    assert!(missing.contains("the consent of `third` is missing"), "{missing}");
    assert!(declined.contains("`third` said no"), "{declined}");
    let told = format!("not all of this audio may be kept: {declined}; and elsewhere in it, {missing}");
    assert_eq!(refused["detail"], told);
}

#[tokio::test]
async fn the_same_bytes_again_are_the_same_recording() {
    let gateway = Gateway::start().await;
    let from = recorded(&gateway, "c", 5000).await;
    let stored = gateway.upload("c", "a", Some(from), &wav(2000)).await;
    let id = stored.expect(201)["id"].as_str().unwrap().to_owned();
    assert_eq!(stored.headers["location"], format!("/v1/recordings/{id}"));
    let files = gateway.stored_files();
    let again = gateway.upload("c", "a", Some(from), &wav(2000)).await;
    assert_eq!(again.expect(200)["id"], json!(id));
    assert_eq!(again.headers["location"], format!("/v1/recordings/{id}"));
    gateway.upload("c", "a", Some(from), &wav(2001)).await.problem(409, "recording-exists");
    assert_eq!(gateway.stored_files(), files);
    gateway.admin.delete(&format!("/v1/recordings/{id}")).await.expect(204);
    gateway.upload("c", "a", Some(from), &wav(2000)).await.problem(410, "recording-deleted");
}

#[tokio::test]
async fn the_same_bytes_under_another_name_or_call_are_another_recording() {
    let gateway = Gateway::start().await;
    let from = recorded(&gateway, "c", 5000).await;
    let one = gateway.upload("c", "a", Some(from), &wav(1000)).await.expect(201);
    // Of other seconds: the same seconds are recorded once.
    gateway.upload("c", "b", Some(from), &wav(1000)).await.problem(403, "uncovered-audio");
    let later = from + jiff::SignedDuration::from_secs(1);
    let two = gateway.upload("c", "b", Some(later), &wav(1000)).await.expect(201);
    assert_ne!(one["id"], two["id"]);
    assert_ne!(one["envelope"]["sha256"], two["envelope"]["sha256"]);
}

#[tokio::test]
async fn an_announced_digest_has_to_be_right() {
    let gateway = Gateway::start().await;
    let from = recorded(&gateway, "c", 5000).await.to_string();
    let audio = wav(1000);
    let of = |bytes: &[u8]| format!("sha-256=:{}:", BASE64_STANDARD.encode(Sha256::digest(bytes)));
    let send = async |digest: &str| {
        gateway.upload_with("c", "a", &[("recording-start", &from), ("content-digest", digest)], &audio).await
    };
    send(&of(b"something else")).await.problem(400, "digest-mismatch");
    for malformed in ["sha-256=abc", "sha-256=:abc:", "sha-256", "sha-256=:not base64!:"] {
        send(malformed).await.problem(400, "invalid-header");
    }
    assert_eq!(gateway.stored_files(), 0);
    send(&format!("md5=:AAAA:, {}", of(&audio))).await.expect(201);
}

#[tokio::test]
async fn where_the_account_says_so_a_withdrawal_deletes_what_was_recorded_before() {
    let settings =
        AccountSettings { on_withdrawal: policy::OnWithdrawal::Delete, ..AccountSettings::default() };
    let gateway = Gateway::with(Config::default(), settings).await;
    let from = recorded(&gateway, "c", 5000).await;
    let stored = gateway.upload("c", "a", Some(from), &wav(1000)).await.expect(201);
    let later = from + jiff::SignedDuration::from_secs(1);
    let held = gateway.upload("c", "held", Some(later), &wav(1001)).await.expect(201);
    let path =
        |recording: &serde_json::Value| format!("/v1/recordings/{}", recording["id"].as_str().unwrap());
    gateway.counsel.put(&format!("{}/hold", path(&held)), &json!({})).await.expect(200);
    gateway.happens("c", "consent.withdrawn", "caller").await;
    gateway.recorder.get(&path(&stored)).await.problem(410, "recording-deleted");
    gateway.recorder.get(&path(&held)).await.expect(200);
    gateway.upload("c", "b", Some(from), &wav(1000)).await.problem(403, "consent-withdrawn");
    gateway.upload("c", "a", Some(from), &wav(1000)).await.problem(410, "recording-deleted");
}

#[tokio::test]
async fn audio_from_the_future_is_to_be_sent_again_later() {
    let gateway = Gateway::start().await;
    let from = recorded(&gateway, "c", 1000).await;
    let refused = gateway.upload("c", "a", Some(from), &wav(3000)).await.problem(403, "uncovered-audio");
    assert_eq!(refused["source"], "retry");
    gateway.advance_ms(2000);
    gateway.upload("c", "a", Some(from), &wav(3000)).await.expect(201);
}

/// What people send by mistake, through the door: the answer says what it is, and what to send.
#[tokio::test]
async fn a_body_that_is_not_what_it_should_be_is_told_what_it_is() {
    let gateway = Gateway::start().await;
    let from = recorded(&gateway, "c", 5000).await;
    let audio = wav(1000);
    let form =
        [b"--XX\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n".as_slice(), &audio, b"\r\n--XX--"];
    for (body, what, instead) in [
        (form.concat(), "multipart form data", "bare file"),
        ([&[0x1F, 0x8B, 8, 0], &audio[..]].concat(), "gzip", "unpack"),
        (b"<!DOCTYPE html><title>502</title>".to_vec(), "an HTML page", "error"),
        (b"{\"error\": \"gone\"}".to_vec(), "JSON", "error"),
        (BASE64_STANDARD.encode(&audio).into_bytes(), "Base64", "decode"),
    ] {
        let refused = gateway.upload("c", "a", Some(from), &body).await.problem(415, "unmeasurable-audio");
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains(what) && detail.contains(instead), "{detail}");
    }
    assert_eq!(gateway.stored_files(), 0);
}
