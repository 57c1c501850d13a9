//! Everything at once, and things that happen while a body is on its way.

use consent_gateway::config::Config;
use consent_gateway::gate::AccountSettings;
use futures_util::future::join_all;
use seal::Format;
use serde_json::{Value, json};
use trail::Actor;

use super::{Upload, after, customer, granted, join, nothing_got_in, stored};
use crate::harness::{Client, Gateway, comes, wav};

const A: &str = "/v1/calls/c1/recordings/a";

/// Half the body is sent, something happens, the rest is sent.
async fn meanwhile(
    gateway: &Gateway,
    from: jiff::Timestamp,
    audio: &[u8],
    happens: impl AsyncFnOnce(&Gateway),
) -> (u16, Value) {
    let mut upload = Upload::admitted(&gateway.recorder, A, Some(from), audio.len()).await;
    let (half, rest) = audio.split_at(audio.len() / 2);
    upload.send(half).await;
    happens(gateway).await;
    upload.send(rest).await;
    upload.answer().await
}

async fn report(gateway: &Gateway, event: Value) {
    gateway.event("c1", &event).await.expect(201);
}

#[tokio::test]
async fn what_takes_away_lawfulness_while_a_body_is_on_its_way_takes_the_recording() {
    for case in 0..6 {
        let gateway = Gateway::start().await;
        let from = granted(&gateway).await;
        gateway.advance_ms(5000);
        let (status, problem) = meanwhile(&gateway, from, &wav(5000), async |gateway| {
            let said = after(from, 2000);
            match case {
                0 => {
                    report(gateway, json!({"type": "consent.withdrawn", "participant": "caller", "at": said}))
                        .await
                }
                1 => {
                    report(gateway, json!({"type": "consent.declined", "participant": "agent", "at": said}))
                        .await
                }
                2 => {
                    let mut third = customer("third");
                    third["joined_at"] = json!(said);
                    join(gateway, "c1", &third).await.expect(201);
                }
                3 => report(gateway, json!({"type": "recording.paused", "at": said})).await,
                4 => {
                    report(
                        gateway,
                        json!({"type": "participant.answered", "participant": "caller", "by": "machine"}),
                    )
                    .await
                }
                _ => {
                    report(
                        gateway,
                        json!({"type": "participant.located", "participant": "caller", "location": "AT"}),
                    )
                    .await
                }
            }
        })
        .await;
        assert_eq!(status, 403, "{case}: {problem}");
        nothing_got_in(&gateway).await;
    }
}

/// What was staged in one format is not accepted once the account has the other, and sent again it is sealed as the
/// account's are.
#[tokio::test]
async fn another_format_chosen_while_a_body_is_on_its_way_is_the_one_that_counts() {
    for (before, after) in [(Format::Tink, Format::RsaAes), (Format::RsaAes, Format::Tink)] {
        let settings = AccountSettings { format: before, ..AccountSettings::default() };
        let gateway = Gateway::with(Config::default(), settings).await;
        let from = granted(&gateway).await;
        gateway.advance_ms(5000);
        let (status, problem) = meanwhile(&gateway, from, &wav(5000), async |gateway| {
            gateway.gate().set_format(&Actor::command_line(), "acme", after).await.unwrap();
        })
        .await;
        assert_eq!((status, &problem["code"]), (503, &json!("contended")), "{problem}");
        nothing_got_in(&gateway).await;
        let stored = gateway.upload("c1", "a", Some(from), &wav(5000)).await.expect(201);
        assert_eq!(stored["envelope"]["format"], after.as_str());
        assert_eq!(gateway.fetch_and_open(stored["id"].as_str().unwrap()).await, wav(5000));
    }
    // There and back again is as if nothing had been.
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(5000);
    let (status, stored) = meanwhile(&gateway, from, &wav(5000), async |gateway| {
        for format in [Format::RsaAes, Format::Tink] {
            gateway.gate().set_format(&Actor::command_line(), "acme", format).await.unwrap();
        }
    })
    .await;
    assert_eq!((status, &stored["envelope"]["format"]), (201, &json!("tink")), "{stored}");
}

/// Media of an account with one key are sealed for the key that it has when they are accepted.
#[tokio::test]
async fn a_key_replaced_while_a_body_is_on_its_way_is_the_one_that_it_is_sealed_for() {
    let settings = AccountSettings { format: Format::RsaAes, ..AccountSettings::default() };
    let gateway = Gateway::with(Config::default(), settings).await;
    let dir = tempfile::tempdir().unwrap();
    let new = seal::keygen(dir.path()).unwrap().public_key;
    let from = granted(&gateway).await;
    gateway.advance_ms(5000);
    let (status, stored) = meanwhile(&gateway, from, &wav(5000), async |gateway| {
        gateway
            .gate()
            .take_file(&Actor::command_line(), "acme", new.to_pem().as_bytes(), true)
            .await
            .unwrap();
    })
    .await;
    assert_eq!((status, &stored["envelope"]["public_key_sid"]), (201, &json!(new.fingerprint())), "{stored}");
}

#[tokio::test]
async fn a_stop_or_the_end_of_the_call_while_a_body_is_on_its_way_leaves_the_slack_and_no_more() {
    for (ended, status) in [(true, 403), (false, 201)] {
        let gateway = Gateway::start().await;
        let from = granted(&gateway).await;
        gateway.advance_ms(8000);
        let at = after(from, if ended { 5999 } else { 6000 });
        let (answered, _) = meanwhile(&gateway, from, &wav(8000), async |gateway| {
            let kind = if ended { "call.ended" } else { "recording.stopped" };
            report(gateway, json!({"type": kind, "at": at})).await;
        })
        .await;
        assert_eq!(answered, status);
        if ended { nothing_got_in(&gateway).await } else { stored(&gateway, 1).await }
    }
}

#[tokio::test]
async fn a_body_of_a_call_that_is_over_is_not_stored_under_the_next_call_of_that_id() {
    let gateway = Gateway::start().await;
    granted(&gateway).await;
    gateway.advance_ms(5000);
    let audio = wav(4000);
    // It does not say when it was made: it would fit the only window of either call.
    let mut upload = Upload::admitted(&gateway.recorder, A, None, audio.len()).await;
    upload.send(&audio[..1000]).await;
    report(
        &gateway,
        json!({"type": "consent.withdrawn", "participant": "caller", "at": after(gateway.now(), -3000)}),
    )
    .await;
    report(&gateway, json!({"type": "call.ended"})).await;
    gateway.advance_ms(20_000);
    granted(&gateway).await;
    gateway.advance_ms(5000);
    upload.send(&audio[1000..]).await;
    let (status, problem) = upload.answer().await;
    assert_eq!((status, &problem["code"]), (403, &json!("consent-withdrawn")), "{problem}");
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn an_upload_whose_body_never_ends_leaves_nothing() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(300_000);
    let audio = wav(200_000);
    let mut upload = Upload::admitted(&gateway.recorder, A, Some(from), audio.len()).await;
    upload.send(&audio[..2_000_000]).await;
    until(|| gateway.stored_files() > 0).await;
    drop(upload);
    until(|| gateway.stored_files() == 0).await;
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn a_credential_revoked_while_its_body_is_on_its_way_finishes_what_was_admitted_and_begins_nothing_else()
 {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(5000);
    let actor = trail::Actor::command_line();
    let rows = gateway.rows("acme").await;
    let username = rows
        .iter()
        .map(|row| serde_json::from_slice::<trail::Leaf>(&row.leaf).unwrap().actor)
        .find(|actor| actor.role == "recorder")
        .unwrap()
        .credential;
    let (status, _) = meanwhile(&gateway, from, &wav(2000), async |gateway| {
        gateway.gate().revoke_credential(&actor, &username).await.unwrap();
    })
    .await;
    assert_eq!(status, 201);
    gateway.upload("c1", "b", Some(after(from, 2000)), &wav(1000)).await.problem(401, "unauthorized");
    stored(&gateway, 1).await;
}

#[tokio::test]
async fn a_retry_of_a_recording_that_is_deleted_meanwhile_is_told_so_and_gets_no_keys() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(5000);
    let audio = wav(2000);
    let stored = gateway.upload("c1", "a", Some(from), &audio).await.expect(201);
    let path = format!("/v1/recordings/{}", stored["id"].as_str().unwrap());
    let (status, problem) = meanwhile(&gateway, from, &audio, async |gateway| {
        gateway.admin.delete(&path).await.expect(204);
    })
    .await;
    assert_eq!((status, &problem["code"]), (410, &json!("recording-deleted")), "{problem}");
    assert!(problem.get("envelope").is_none());
}

#[tokio::test]
async fn a_key_retired_while_a_body_is_on_its_way_seals_nothing() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(5000);
    let keys = gateway.gate().ledger().keys("acme").await.unwrap();
    let actor = trail::Actor::command_line();
    let (status, problem) = meanwhile(&gateway, from, &wav(2000), async |gateway| {
        gateway.gate().retire_key(&actor, "acme", &keys[0].id).await.unwrap();
    })
    .await;
    assert_eq!((status, &problem["code"]), (403, &json!("no-usable-key")), "{problem}");
    nothing_got_in(&gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_uploads_at_once_into_a_window_for_one_exactly_one_is_stored() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(2000);
    let audio = wav(1500);
    let statuses = join_all((0..50).map(|n| {
        let (gateway, audio) = (&gateway, &audio);
        async move { gateway.upload("c1", &format!("a{n}"), Some(from), audio).await.status }
    }))
    .await;
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 201 | 403 | 503)), "{statuses:?}");
    assert_eq!(gateway.stored_files(), 2);
    stored(&gateway, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_uploads_of_one_name_at_once_one_is_stored_whatever_their_bytes() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(60_000);
    let answers = join_all((0..16).map(|n| {
        let gateway = &gateway;
        async move { gateway.upload("c1", "a", Some(from), &wav(1000 + n % 4)).await }
    }))
    .await;
    let created: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(created.len(), 1);
    let id = &created[0].json()["id"];
    for answer in &answers {
        assert!(matches!(answer.status, 200 | 201 | 409), "{}", answer.text());
        assert!(answer.status == 409 || answer.json()["id"] == *id);
    }
    assert_eq!(gateway.stored_files(), 2);
    stored(&gateway, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_that_race_joins_and_withdrawals_are_stored_only_where_they_were_covered() {
    let gateway = Gateway::start().await;
    let calls: Vec<String> = (0..8).map(|n| format!("c{n}")).collect();
    for call in &calls {
        super::granted_in(&gateway, call, "US-CA").await;
    }
    let from = gateway.now();
    gateway.advance_ms(10_000);
    let audio = wav(3000);
    let work = calls.iter().enumerate().flat_map(|(index, call)| {
        let (gateway, audio) = (&gateway, &audio);
        (0..6u64).map(move |n| async move {
            for _ in 0..(n * 7 + u64::try_from(index).unwrap() * 3) {
                tokio::task::yield_now().await;
            }
            let said = after(from, 1000);
            match n {
                4 if index % 2 == 0 => {
                    let event = json!({"type": "consent.withdrawn", "participant": "caller", "at": said});
                    gateway.event(call, &event).await.expect(201);
                    None
                }
                4 => {
                    let mut third = customer("third");
                    third["joined_at"] = json!(said);
                    join(gateway, call, &third).await.expect(201);
                    None
                }
                5 => {
                    gateway.advance_ms(1);
                    None
                }
                _ => Some(gateway.upload(call, &format!("a{n}"), Some(from), audio).await.status),
            }
        })
    });
    let statuses: Vec<u16> = join_all(work).await.into_iter().flatten().collect();
    assert!(statuses.iter().all(|status| matches!(status, 201 | 403)), "{statuses:?}");
    let created = statuses.iter().filter(|status| **status == 201).count();
    assert_eq!(gateway.stored_files(), 2 * created);
    stored(&gateway, created).await;
    for call in &calls {
        let refused = gateway.upload(call, "late", Some(from), &audio).await;
        assert_eq!(refused.status, 403);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_that_others_overtake_is_decided_again_and_says_what_it_saw() {
    let gateway = Gateway::start().await;
    gateway.open("c1", "US-CA").await;
    let from = gateway.now();
    gateway.advance_ms(5000);
    let audio = wav(1000);
    let work = (0..40).map(|n| {
        let (gateway, audio) = (&gateway, &audio);
        async move {
            if n % 2 == 0 {
                gateway.advance_ms(1);
                join(gateway, "c1", &customer(&format!("p{n}"))).await.expect(201);
            } else {
                gateway.upload("c1", &format!("a{n}"), Some(from), audio).await.expect(403);
            }
        }
    });
    join_all(work).await;
    nothing_got_in(&gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_sent_many_times_at_once_happens_once() {
    let gateway = Gateway::start().await;
    granted(&gateway).await;
    let event = json!({"type": "consent.withdrawn", "participant": "caller", "id": "e1"});
    let answers = join_all((0..12).map(|_| gateway.event("c1", &event))).await;
    assert!(answers.iter().all(|answer| answer.status == 201));
    let rows = gateway.rows("acme").await;
    let withdrawals = rows.iter().filter(|row| {
        let leaf: Value = serde_json::from_slice(&row.leaf).unwrap();
        leaf["type"] == "consent.withdrawn"
    });
    assert_eq!(withdrawals.count(), 1);
    let other = json!({"type": "consent.declined", "participant": "agent", "id": "e1"});
    gateway.event("c1", &other).await.problem(409, "event-id-reused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_password_gets_in_while_strangers_guess() {
    let gateway = Gateway::start().await;
    let guesser = Client::named(gateway.recorder.address, "cg_0000000000000000", "wrong");
    let answers = join_all((0..60).map(|_| guesser.get("/v1/recordings"))).await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 401 | 429)));
    assert!(answers.iter().any(|answer| answer.status == 429));
    gateway.listener.get("/v1/recordings").await.expect(200);
}

pub(super) async fn until(mut holds: impl FnMut() -> bool) {
    // The body is read by another task: there is nothing to wait for but what it does.
    comes(async || holds()).await;
}
