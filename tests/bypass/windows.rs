//! Where the audio is said to lie.

use std::fmt::Write as _;

use serde_json::json;

use super::{after, before, granted, granted_in, nothing_got_in, stored, timeline, verifies};
use crate::harness::{Client, Gateway, add_account, customer_key, tone, wav, wav_of};

#[tokio::test]
async fn timelines_that_make_no_sense_let_nothing_in() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(10_000);
    let at = |ms: i64| after(from, ms).to_string();
    let mut thousands = String::new();
    for n in 0..1001 {
        let _ = write!(thousands, "{}/PT0.001S,", at(n));
    }
    thousands.pop();
    let zero = at(0);
    for (text, what) in [
        (String::new(), "empty"),
        (",".into(), "empty intervals"),
        (zero.clone(), "no duration"),
        (format!("{zero}/PT0S"), "zero"),
        (format!("{zero}/-PT5S"), "negative"),
        (format!("{zero}/PT0.0004S"), "less than a millisecond"),
        (format!("{zero}/P1Y"), "a year"),
        (format!("{zero}/PT99999999999999999999S"), "no number"),
        (format!("{zero}/PT1000000H"), "a century"),
        (format!("{zero}/PT5S,{zero}/PT5S"), "the same twice"),
        (format!("{}/PT5S,{}/PT5S", at(0), at(4999)), "overlapping"),
        (format!("{}/PT4S,{}/PT4S", at(5000), at(0)), "unordered"),
        (format!("{}/PT4S,{}/PT4S", at(5000), at(7000)), "overlapping and over the end"),
        (format!("{}/PT5S", at(-251)), "before the window"),
        (format!("{}/PT5S", at(5001)), "into the future"),
        (format!("{}/PT0.5S,{}/PT4.5S", at(-3000), at(0)), "half outside"),
        (thousands, "too many"),
        ("2026-11-20T10:00:00/PT5S".into(), "no zone"),
        ("9999-12-30T22:00:00Z/PT5S".into(), "the end of time"),
        ("-009999-01-02T01:59:59Z/PT5S".into(), "the beginning of time"),
        (format!("{zero}/PT5S\u{e9}"), "not ASCII"),
    ] {
        let refused = timeline(&gateway, "c1", "a", &text, &wav(5000)).await;
        assert!((400..500).contains(&refused.status), "{what}: {} {}", refused.status, refused.text());
        nothing_got_in(&gateway).await;
    }
}

#[tokio::test]
async fn audio_longer_than_its_timeline_is_judged_to_its_end() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(10_000);
    timeline(&gateway, "c1", "a", &format!("{from}/PT5S"), &wav(7001))
        .await
        .problem(422, "timeline-too-short");
    // Within what rounding may leave out it counts with the last stretch, which then ends too late.
    timeline(&gateway, "c1", "a", &format!("{from}/PT9.5S"), &wav(10_500))
        .await
        .problem(403, "uncovered-audio");
    nothing_got_in(&gateway).await;
    // A hundred intervals of a millisecond do not add up to nine seconds of audio.
    let mut many = String::new();
    for n in 0..100 {
        let _ = write!(many, "{}/PT0.001S,", after(from, n * 10));
    }
    many.pop();
    timeline(&gateway, "c1", "a", &many, &wav(9000)).await.problem(422, "timeline-too-short");
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn a_header_sent_twice_or_both_headers_are_refused() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(10_000);
    let (inside, outside) = (from.to_string(), before(from, 5000).to_string());
    let intervals = format!("{from}/PT5S");
    let path = "/v1/calls/c1/recordings/a";
    for headers in [
        vec![("recording-start", inside.as_str()), ("recording-start", outside.as_str())],
        vec![("recording-start", inside.as_str()), ("Recording-Start", inside.as_str())],
        vec![("recording-start", inside.as_str()), ("recording-timeline", intervals.as_str())],
        vec![("recording-timeline", intervals.as_str()), ("recording-timeline", intervals.as_str())],
        vec![("recording-start", "")],
        vec![("recording-start", "now")],
        vec![("recording-start", "2026-11-20")],
    ] {
        gateway.recorder.upload(path, &headers, &wav(5000)).await.problem(400, "invalid-header");
    }
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn one_window_is_used_once_under_however_many_names() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(10_000);
    let audio = wav(6000);
    gateway.upload("c1", "a", Some(from), &audio).await.expect(201);
    gateway.upload("c1", "b", Some(from), &audio).await.problem(403, "uncovered-audio");
    gateway.upload("c1", "b", None, &audio).await.problem(403, "uncovered-audio");
    gateway.upload("c1", "b", Some(after(from, 4001)), &wav(5999)).await.problem(403, "uncovered-audio");
    gateway.upload("c1", "A", Some(from), &audio).await.problem(403, "uncovered-audio");
    gateway.upload("c1", "a", Some(from), &audio).await.expect(200);
    assert_eq!(gateway.stored_files(), 2);
    stored(&gateway, 1).await;
}

#[tokio::test]
async fn silence_that_was_paused_away_makes_no_room_for_more_audio() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(5000);
    let pause = json!({"action": "pause", "behavior": "silence"});
    gateway.recorder.post("/v1/calls/c1/recording", &pause).await.expect(200);
    gateway.advance_ms(60_000);
    gateway.control("c1", "resume").await.expect(200);
    gateway.advance_ms(5000);
    gateway.upload("c1", "a", Some(from), &wav(5000)).await.expect(201);
    gateway.upload("c1", "b", Some(after(from, 65_000)), &wav(5000)).await.expect(201);
    for name in ["c", "d"] {
        gateway.upload("c1", name, Some(from), &wav(5000)).await.problem(403, "uncovered-audio");
    }
    stored(&gateway, 2).await;
}

/// What was refused for something else lay in a pause that is silent: the log says so, and is no forgery.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_of_what_is_silent_in_a_pause_verifies() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(2000);
    let pause = json!({"action": "pause", "behavior": "silence"});
    gateway.recorder.post("/v1/calls/c1/recording", &pause).await.expect(200);
    gateway.advance_ms(2000);
    let silent = |ms: usize| wav_of(8000, &[tone(8000, 2000), vec![0; ms * 8]].concat());
    // It goes on for longer than there was time.
    gateway.upload("c1", "a", Some(from), &silent(3300)).await.problem(403, "uncovered-audio");
    gateway.control("c1", "resume").await.expect(200);
    gateway.advance_ms(2000);
    let whole = wav_of(8000, &[tone(8000, 2000), vec![0; 16_000], tone(8000, 2000)].concat());
    gateway.upload("c1", "a", Some(from), &whole).await.expect(201);
    gateway.upload("c1", "b", Some(from), &whole).await.problem(403, "uncovered-audio");
    verifies(&gateway).await;
}

/// A clock in whole seconds says that the recording of a call began while the call before of its id went on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_cut_to_seconds_is_not_filed_under_the_call_before() {
    let gateway = Gateway::start().await;
    granted(&gateway).await;
    gateway.advance_ms(5_300);
    gateway.event("c1", &json!({"type": "call.ended"})).await.expect(201);
    gateway.advance_ms(200);
    gateway.open("c1", "US-CA").await;
    gateway.prompt("c1", &["caller", "agent"]).await;
    let ago = u64::try_from(gateway.now().as_millisecond() % 1000).unwrap();
    gateway.advance_ms(1_300 - ago);
    gateway.control("c1", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(2_000);
    let cut = jiff::Timestamp::from_second(from.as_second()).unwrap();
    let stored = gateway.upload("c1", "a", Some(cut), &wav(1000)).await.expect(201);
    assert_eq!(stored["shifted_ms"], json!(300), "{stored}");
    gateway.upload("c1", "b", Some(from), &wav(1000)).await.problem(403, "uncovered-audio");
    verifies(&gateway).await;
}

#[tokio::test]
async fn speech_however_faint_in_a_pause_that_should_be_silent_is_refused() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(2000);
    let pause = json!({"action": "pause", "behavior": "silence"});
    gateway.recorder.post("/v1/calls/c1/recording", &pause).await.expect(200);
    gateway.advance_ms(2000);
    gateway.control("c1", "resume").await.expect(200);
    gateway.advance_ms(2000);
    let with = |middle: Vec<i16>| {
        let samples = [tone(8000, 2000), middle, tone(8000, 2000)].concat();
        wav_of(8000, &samples)
    };
    let faint: Vec<i16> = (0..16_000).map(|n| if n % 18 < 9 { 9 } else { -9 }).collect();
    let mut one = vec![0; 16_000];
    one[8000] = 9;
    let mut loudest = vec![0; 16_000];
    loudest[15_999] = i16::MIN;
    for middle in [faint, one, loudest, tone(8000, 2000)] {
        gateway.upload("c1", "a", Some(from), &with(middle)).await.problem(403, "uncovered-audio");
        nothing_got_in(&gateway).await;
    }
    // What is silent lies elsewhere in the file than in the call.
    let shifted = [vec![0; 16_000], tone(8000, 4000)].concat();
    gateway.upload("c1", "a", Some(from), &wav_of(8000, &shifted)).await.problem(403, "uncovered-audio");
    nothing_got_in(&gateway).await;
    gateway.upload("c1", "a", Some(from), &with(vec![0; 16_000])).await.expect(201);
    stored(&gateway, 1).await;
}

#[tokio::test]
async fn known_limit_what_is_at_most_eight_away_from_zero_passes_for_silence() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(1000);
    let pause = json!({"action": "pause", "behavior": "silence"});
    gateway.recorder.post("/v1/calls/c1/recording", &pause).await.expect(200);
    gateway.advance_ms(1000);
    let whisper: Vec<i16> = (0..8000).map(|n| if n % 18 < 9 { 8 } else { -8 }).collect();
    let samples = [tone(8000, 1000), whisper].concat();
    gateway.upload("c1", "a", Some(from), &wav_of(8000, &samples)).await.expect(201);
}

#[tokio::test]
async fn silence_is_no_excuse_where_the_pause_was_to_skip_or_recording_was_suspended() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(2000);
    gateway.control("c1", "pause").await.expect(200);
    gateway.advance_ms(2000);
    let samples = [tone(8000, 2000), vec![0; 16_000]].concat();
    gateway.upload("c1", "a", Some(from), &wav_of(8000, &samples)).await.problem(403, "uncovered-audio");
    let pause = json!({"action": "pause", "behavior": "silence"});
    gateway.recorder.post("/v1/calls/c1/recording", &pause).await.expect(200);
    gateway.advance_ms(2000);
    gateway
        .upload("c1", "a", Some(after(from, 4000)), &wav_of(8000, &[0; 16_000]))
        .await
        .problem(403, "uncovered-audio");
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn slack_is_two_seconds_after_a_stop_and_none_after_anything_else() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(4000);
    gateway.control("c1", "pause").await.expect(200);
    let paused = gateway.now();
    gateway.advance_ms(4000);
    gateway.upload("c1", "a", Some(paused), &wav(1)).await.expect(403);
    gateway.upload("c1", "a", Some(from), &wav(4001)).await.expect(403);
    gateway.control("c1", "resume").await.expect(200);
    gateway.advance_ms(4000);
    gateway.control("c1", "stop").await.expect(200);
    let stopped = gateway.now();
    gateway.advance_ms(10_000);
    gateway.upload("c1", "a", Some(after(stopped, 1)), &wav(2000)).await.expect(403);
    gateway.upload("c1", "a", Some(after(stopped, 2000)), &wav(1)).await.expect(403);
    gateway.upload("c1", "a", Some(after(from, 3000)), &wav(6000)).await.expect(403);
    nothing_got_in(&gateway).await;
    gateway.upload("c1", "a", Some(stopped), &wav(2000)).await.expect(201);
    stored(&gateway, 1).await;
}

#[tokio::test]
async fn slack_shields_nobody_who_joined_or_withdrew_in_it() {
    for what in ["join", "withdraw"] {
        let gateway = Gateway::start().await;
        granted(&gateway).await;
        gateway.advance_ms(4000);
        gateway.control("c1", "stop").await.expect(200);
        let stopped = gateway.now();
        gateway.advance_ms(500);
        match what {
            "join" => super::join(&gateway, "c1", &super::customer("third")).await.expect(201),
            _ => gateway
                .event("c1", &json!({"type": "consent.withdrawn", "participant": "caller"}))
                .await
                .expect(201),
        };
        gateway.advance_ms(5000);
        gateway.upload("c1", "a", Some(stopped), &wav(501)).await.expect(403);
        nothing_got_in(&gateway).await;
    }
}

#[tokio::test]
async fn an_upload_that_does_not_say_when_it_was_made_has_to_fit_the_only_window() {
    let gateway = Gateway::start().await;
    granted(&gateway).await;
    gateway.advance_ms(5000);
    gateway.upload("c1", "a", None, &wav(5001)).await.problem(403, "uncovered-audio");
    gateway.control("c1", "pause").await.expect(200);
    gateway.advance_ms(5000);
    gateway.control("c1", "resume").await.expect(200);
    gateway.advance_ms(5000);
    gateway.upload("c1", "a", None, &wav(1000)).await.problem(403, "uncovered-audio");
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn the_windows_of_a_call_that_ended_do_not_serve_the_next_call_of_that_id_nor_the_other_way_round() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(5000);
    gateway.event("c1", &json!({"type": "call.ended"})).await.expect(201);
    gateway.advance_ms(5000);
    let between = before(gateway.now(), 2000);
    gateway.open("c1", "US-CA").await;
    for start in [Some(between), Some(gateway.now()), None] {
        assert_eq!(gateway.upload("c1", "a", start, &wav(1000)).await.status, 403);
    }
    nothing_got_in(&gateway).await;
    // What was made in the first call's window is the first call's, also once its id is used again.
    gateway.upload("c1", "a", Some(from), &wav(1000)).await.expect(201);
    gateway.upload("c1", "b", Some(from), &wav(7001)).await.expect(403);
}

#[tokio::test]
async fn an_alias_leads_to_its_own_call_and_to_no_other() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    let body = json!({"aliases": ["c1"], "participants": []});
    gateway.recorder.put("/v1/calls/c2", &body).await.problem(409, "alias-in-use");
    let body =
        json!({"aliases": ["leg"], "participants": [{"id": "x", "role": "customer", "location": "US-CA"}]});
    gateway.recorder.put("/v1/calls/c3", &body).await.expect(201);
    gateway.recorder.put("/v1/calls/leg", &json!({"participants": []})).await.problem(409, "call-exists");
    gateway.advance_ms(5000);
    gateway.upload("leg", "a", Some(from), &wav(1000)).await.problem(403, "consent-required");
    gateway.upload("c3", "a", Some(from), &wav(1000)).await.problem(403, "consent-required");
    gateway.event("c1", &json!({"type": "call.ended"})).await.expect(201);
    // The id of a call that ended may become another's alias: then it means that other call.
    let body =
        json!({"aliases": ["c1"], "participants": [{"id": "x", "role": "customer", "location": "US-CA"}]});
    gateway.recorder.put("/v1/calls/c4", &body).await.expect(201);
    gateway.upload("c1", "a", None, &wav(1000)).await.problem(403, "consent-required");
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn nobody_uploads_to_another_accounts_call_or_sees_its_recordings() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(5000);
    let people =
        add_account(gateway.gate(), "other", &consent_gateway::gate::AccountSettings::default()).await;
    customer_key(gateway.gate(), gateway.dir.path(), "other").await;
    let of =
        |role| Client::new(gateway.recorder.address, people.iter().find(|new| new.role == role).unwrap());
    let others = of(consent_gateway::access::Role::Recorder);
    let start = from.to_string();
    let refused =
        others.upload("/v1/calls/c1/recordings/a", &[("recording-start", &start)], &wav(1000)).await;
    refused.problem(404, "unknown-call");
    nothing_got_in(&gateway).await;
    let stored = gateway.upload("c1", "a", Some(from), &wav(1000)).await.expect(201);
    let id = stored["id"].as_str().unwrap();
    for role in consent_gateway::access::Role::ALL {
        if role == consent_gateway::access::Role::Provisioner {
            continue;
        }
        let client = of(role);
        for (method, path) in [
            ("GET", format!("/v1/recordings/{id}")),
            ("GET", format!("/v1/recordings/{id}/media?purpose=x")),
            ("DELETE", format!("/v1/recordings/{id}")),
            ("PUT", format!("/v1/recordings/{id}/hold")),
            ("GET", "/v1/calls/c1".into()),
        ] {
            let answer = super::send(&client, method, &path, &[], &[]).await;
            assert!(matches!(answer.status, 403 | 404), "{role:?} {method} {path}: {}", answer.status);
        }
    }
}

#[tokio::test]
async fn a_recording_that_was_deleted_does_not_come_back() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(5000);
    let audio = wav(5000);
    let stored = gateway.upload("c1", "a", Some(from), &audio).await.expect(201);
    let path = format!("/v1/recordings/{}", stored["id"].as_str().unwrap());
    gateway.admin.delete(&path).await.expect(204);
    gateway.upload("c1", "a", Some(from), &audio).await.problem(410, "recording-deleted");
    gateway.upload("c1", "a", Some(from), &wav(1000)).await.problem(410, "recording-deleted");
    // Its seconds stay used up.
    gateway.upload("c1", "b", Some(from), &audio).await.problem(403, "uncovered-audio");
    gateway.listener.get(&path).await.problem(410, "recording-deleted");
    let listed = gateway.listener.get("/v1/recordings").await.expect(200);
    assert_eq!(listed["recordings"], json!([]));
}

#[tokio::test]
async fn without_a_key_nothing_starts_and_nothing_is_taken() {
    let gateway = Gateway::start().await;
    let keys = gateway.gate().ledger().keys("acme").await.unwrap();
    let from = granted_in(&gateway, "c1", "US-CA").await;
    gateway.advance_ms(5000);
    let actor = trail::Actor::command_line();
    gateway.gate().retire_key(&actor, "acme", &keys[0].id).await.unwrap();
    gateway.upload("c1", "a", Some(from), &wav(1000)).await.problem(403, "no-usable-key");
    gateway.open("c2", "US-CA").await;
    gateway.prompt("c2", &["caller", "agent"]).await;
    gateway.control("c2", "start").await.problem(403, "no-usable-key");
    nothing_got_in(&gateway).await;
}
