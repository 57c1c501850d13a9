//! What a table would have changed: every call replayed, and told place by place.

use std::sync::Arc;

use consent_gateway::access::Role;
use consent_gateway::config::Config;
use consent_gateway::gate::AccountSettings;
use consent_gateway::gate::answer::{Impact, Outcome};
use consent_gateway::ledger::{Change, Job, RecordingRow};
use jiff::{SignedDuration, Timestamp};
use policy::{CoverageBasis, Event, Table, Use, What, Window};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use seal::Format;
use serde_json::{Value, json};
use trail::{Actor, Body, Came, Door, Saw};
use uuid::Uuid;

use super::{person, two};
use crate::differential;
use crate::harness::{Client, Gateway, START, add_account, customer_key, tone, wav, wav_of};

// ---- whole days ----

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tightened_row_blocks_calls_and_leaves_recordings_without_consent() {
    let gateway = a_day().await;
    let told = gateway.rehearse(&california("form = \"notice\"", "form = \"express\"")).await;
    // Of the eight calls with California, `ca-yes` has an express yes already and `ca-refused` was
    // never recorded; what was stored of `ca-deleted` is gone, and `late` was stored before anybody
    // knew.
    assert_eq!(effects(&told["total"]), [5, 0, 8, 0, 3]);
    assert_eq!(places(&told), ["US-CA"]);
    assert_eq!(effects(&told["places"]["US-CA"]), [5, 0, 8, 0, 3]);
    assert_eq!(
        (&told["calls"], &told["recordings"], &told["unreadable"]),
        (&json!(12), &json!(8), &json!(0))
    );
    assert_eq!(
        examples(&told, "US-CA"),
        [
            "acme/ca-notice: blocked, asked more, recording lacks consent",
            "acme/ca-yes: asked more",
            "acme/ca-refused: asked more",
            "acme/ca-deleted: blocked, asked more",
            "acme/mixed: blocked, asked more, recording lacks consent",
        ],
        "at most five"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loosened_row_allows_calls_and_asks_less() {
    let gateway = a_day().await;
    let told = gateway
        .rehearse(&california("parties = \"all\"\nform = \"notice\"", "parties = \"one\"\nform = \"none\""))
        .await;
    // Nobody consents on `ca-refused`, and that is still too little. `joined` went on without the
    // third person's.
    assert_eq!(effects(&told["total"]), [0, 1, 0, 8, 0]);
    assert_eq!(places(&told), ["US-CA"]);

    let told = gateway.rehearse(&row("US-NV", "form = \"express\"", "form = \"notice\"")).await;
    assert_eq!(effects(&told["total"]), [0, 1, 0, 1, 0]);
    assert_eq!(examples(&told, "US-NV"), ["acme/nv: allowed, asked less"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_account_or_the_time_since_a_moment_can_be_looked_at_alone() {
    let gateway = a_day().await;
    let new = california("form = \"notice\"", "form = \"express\"");
    let globex = gateway.rehearse_with(&new, &["--account", "globex"]).await;
    assert_eq!((&globex["calls"], effects(&globex["total"])), (&json!(1), [1, 0, 1, 0, 1]));
    assert_eq!(globex["account"], "globex");
    assert_eq!(examples(&globex, "US-CA"), ["globex/theirs: blocked, asked more, recording lacks consent"]);
    let acme = gateway.rehearse_with(&new, &["--account", "acme"]).await;
    assert_eq!((&acme["calls"], effects(&acme["total"])), (&json!(11), [4, 0, 7, 0, 2]));

    let since = gateway.gate().ledger().call_by_name("acme", "mixed").await.unwrap().unwrap().opened_at;
    let since = Timestamp::from_millisecond(since).unwrap();
    let later = gateway.rehearse_with(&new, &["--since", &since.to_string()]).await;
    assert_eq!((&later["calls"], effects(&later["total"])), (&json!(6), [3, 0, 4, 0, 2]));
    let later = gateway.rehearse_with(&new, &["--since", &since.to_string(), "--account", "globex"]).await;
    assert_eq!(later["calls"], json!(1));
    let just_after = since.checked_add(SignedDuration::from_millis(1)).unwrap();
    let later = gateway.rehearse_with(&new, &["--since", &just_after.to_string()]).await;
    assert_eq!(later["calls"], json!(5), "the moment itself counts");
    assert_eq!(gateway.rehearse_with(&new, &["--since", "2026-11-20"]).await["calls"], json!(12), "a day");
    assert_eq!(gateway.rehearse_with(&new, &["--since", "2026-11-21"]).await["calls"], json!(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_does_not_exist_is_no_account_without_calls() {
    let gateway = Gateway::start().await;
    let file = gateway.file(TABLE);
    let (code, out, error) = gateway.run(&["table", "impact", &file, "--account", "nobody"]);
    assert_eq!((code, out.as_str()), (1, ""), "{error}");
    assert!(error.contains("nobody"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wording_changes_nothing_and_neither_does_the_table_itself() {
    let gateway = a_day().await;
    for new in [
        TABLE.to_owned(),
        california("Everyone on the call must be told", "All on the call have to be told"),
        row("US-NY", "reviewed = false", "reviewed = { by = \"Counsel\", on = 2026-11-01 }"),
        format!("{TABLE}\n# And that was all.\n"),
    ] {
        let told = gateway.rehearse(&new).await;
        assert_eq!(effects(&told["total"]), [0; 5]);
        assert_eq!(
            (&told["calls"], &told["recordings"], &told["places"]),
            (&json!(12), &json!(8), &json!({}))
        );
        let changed = new != TABLE;
        assert_eq!(told["base"] != told["table"], changed, "another text has another digest");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_json_the_same_is_told_in_lines() {
    let gateway = a_day().await;
    let file = gateway.file(&row("US-NV", "form = \"express\"", "form = \"notice\""));
    let (code, out, error) = gateway.run(&["table", "impact", &file]);
    assert_eq!(code, 0, "{error}");
    assert_eq!(
        out,
        "12 calls and 8 recordings replayed\n\
         in all: 0 blocked, 1 allowed, 0 asked more, 1 asked less, no recordings would lack consent\n\
         US-NV: 0 blocked, 1 allowed, 0 asked more, 1 asked less, no recordings would lack consent\n  \
         for example nv of `acme`: allowed, asked less\n"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_call_id_again_is_another_call() {
    let gateway = Gateway::start().await;
    for _ in 0..2 {
        gateway.noticed("again", two("US-CA"), json!({})).await;
        gateway.happens_to_all("again", "call.ended").await;
        gateway.advance_ms(1000);
    }
    let told = gateway.rehearse(&california("form = \"notice\"", "form = \"express\"")).await;
    assert_eq!(effects(&told["total"]), [2, 0, 2, 0, 0]);
    let uids: Vec<&Value> =
        told["places"]["US-CA"]["examples"].as_array().unwrap().iter().map(|one| &one["uid"]).collect();
    assert_ne!(uids[0], uids[1]);
}

// ---- what can change beside a row ----

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_changes_for_one_medium_concerns_calls_of_that_medium() {
    let gateway = Gateway::start().await;
    for medium in ["telephone", "voip", "video"] {
        gateway.noticed(medium, two("US-CA"), json!({"medium": medium})).await;
        gateway.advance_ms(1000);
    }
    gateway.noticed("unsaid", two("US-CA"), json!({"medium": null})).await;
    let new = california("form = \"notice\"", "form = \"notice\"\nmedia.video = { form = \"express\" }");
    let told = gateway.rehearse(&new).await;
    assert_eq!(
        examples(&told, "US-CA"),
        ["acme/video: blocked, asked more", "acme/unsaid: blocked, asked more"],
        "unknown is every medium"
    );
    assert_eq!(effects(&told["total"]), [2, 0, 2, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_floor_concerns_places_that_are_known_by_nothing_stronger() {
    let gateway = Gateway::start().await;
    let by_number = json!([{"id": "caller", "role": "customer", "number": "+12125550100", "languages": ["en"]},
        person("agent", "agent", "US-NY")]);
    gateway.noticed("number", by_number.clone(), json!({})).await;
    let mut both = by_number;
    both[0]["location"] = json!("US-NY");
    gateway.noticed("both", both, json!({})).await;
    let new = once(
        TABLE,
        "number   = { parties = \"all\", form = \"notice\", prompt_says = [\"recording\"] }",
        "number   = { parties = \"all\", form = \"express\", prompt_says = [\"recording\"] }",
    );
    let told = gateway.rehearse(&new).await;
    assert_eq!(effects(&told["total"]), [1, 0, 1, 0, 0]);
    assert_eq!(examples(&told, ELSEWHERE), ["acme/number: blocked, asked more"]);
    assert_eq!(places(&told), [ELSEWHERE]);
    let new = once(
        TABLE,
        "number   = { parties = \"all\", form = \"notice\", prompt_says = [\"recording\"] }",
        "number   = { parties = \"one\", form = \"none\" }",
    );
    let told = gateway.rehearse(&new).await;
    assert_eq!(examples(&told, ELSEWHERE), ["acme/number: asked less"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_default_concerns_unknown_places_and_places_without_a_row() {
    let gateway = Gateway::start().await;
    let nowhere =
        json!([{"id": "caller", "role": "customer", "languages": ["en"]}, person("agent", "agent", "US-NY")]);
    gateway.noticed("nowhere", nowhere, json!({})).await;
    gateway.noticed("no-row", two("TV"), json!({})).await;
    gateway.noticed("ny", two("US-NY"), json!({})).await;
    let new = once(
        TABLE,
        "form = \"express\"\nannouncement_must_be_recorded = true",
        "form = \"notice\"\nannouncement_must_be_recorded = false",
    );
    let told = gateway.rehearse(&new).await;
    assert_eq!(effects(&told["total"]), [0, 2, 0, 2, 0]);
    assert_eq!(places(&told), ["TV", ELSEWHERE]);
    assert_eq!(examples(&told, ELSEWHERE), ["acme/nowhere: allowed, asked less"]);
    assert_eq!(examples(&told, "TV"), ["acme/no-row: allowed, asked less"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_overlay_concerns_the_calls_that_chose_it() {
    let overlay = |form: &str| {
        format!(
            "{TABLE}\n[[overlay]]\nid = \"advice\"\nname = \"Advice\"\nparties = \"all\"\nform = \"{form}\"\n\
             citations = [\"none\"]\nsummary = \"Made up.\"\nconfidence = \"low\"\nreviewed = false\n"
        )
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), overlay("notice")).unwrap();
    let config = Config { jurisdictions: Some(file.path().into()), ..Config::default() };
    let gateway = Gateway::with(config, AccountSettings::default()).await;
    gateway.noticed("with", two("US-NY"), json!({"overlays": ["advice"]})).await;
    gateway.noticed("without", two("US-NY"), json!({})).await;
    let told = gateway.rehearse(&overlay("express")).await;
    assert_eq!(effects(&told["total"]), [1, 0, 1, 0, 0]);
    assert_eq!(examples(&told, ELSEWHERE), ["acme/with: blocked, asked more"]);
    // One that is gone asks what the default asks.
    let told = gateway.rehearse(TABLE).await;
    assert_eq!(effects(&told["total"]), [1, 0, 1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_country_shows_at_its_states_where_it_changes_what_they_ask() {
    let gateway = Gateway::start().await;
    for place in ["US-NY", "US-CA", "US"] {
        gateway.noticed(place, two(place), json!({})).await;
    }
    let new = row("US", "parties = \"one\"\nform = \"none\"", "parties = \"all\"\nform = \"notice\"");
    let told = gateway.rehearse(&new).await;
    // California and a state that is not known ask as much already.
    assert_eq!(places(&told), ["US-NY"]);
    assert_eq!(examples(&told, "US-NY"), ["acme/US-NY: asked more"]);
    let new = row(
        "US",
        "parties = \"one\"\nform = \"none\"",
        "parties = \"all\"\nform = \"express\"\nannouncement_must_be_recorded = true",
    );
    let told = gateway.rehearse(&new).await;
    assert_eq!(places(&told), ["US-CA", "US-NY"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_state_shows_at_the_country_where_its_strictest_counts() {
    let gateway = Gateway::start().await;
    gateway.noticed("somewhere", two("US"), json!({})).await;
    gateway.noticed("texas", two("US-TX"), json!({})).await;
    let new = row("US-NV", "form = \"express\"", "form = \"express\"\nannouncement_must_be_recorded = true");
    let before = gateway.rehearse(TABLE).await;
    assert_eq!(places(&before), Vec::<String>::new());
    let told = gateway.rehearse(&new).await;
    // Some other state may ask for a recorded announcement already: then nothing changes here.
    assert!(places(&told).iter().all(|place| place == "US"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_with_two_changed_places_is_told_at_each_and_counted_once() {
    let gateway = Gateway::start().await;
    let people = json!([person("caller", "customer", "US-CA"), person("agent", "agent", "US-NY"),]);
    gateway
        .noticed("both", people, json!({"operator_location": "US-TX", "recorder_location": "US-OR"}))
        .await;
    let mut new = california("form = \"notice\"", "form = \"express\"");
    for code in ["US-NY", "US-TX"] {
        new =
            row_of(&new, code, "parties = \"one\"\nform = \"none\"", "parties = \"all\"\nform = \"notice\"");
    }
    let told = gateway.rehearse(&new).await;
    assert_eq!(places(&told), ["US-CA", "US-NY", "US-TX"], "Oregon's row is as it was");
    assert_eq!(effects(&told["total"]), [1, 0, 1, 0, 0]);
    for place in ["US-CA", "US-NY", "US-TX"] {
        assert_eq!(effects(&told["places"][place]), [1, 0, 1, 0, 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emergency_call_is_neither_recorded_nor_asked_by_any_table() {
    let gateway = Gateway::start().await;
    gateway.open_with("112", two("US-CA"), json!({"kind": "emergency"})).await;
    gateway.prompt("112", &["caller", "agent"]).await;
    assert_eq!(gateway.control("112", "start").await.status, 403);
    let told = gateway.rehearse(&california("form = \"notice\"", "form = \"express\"")).await;
    assert_eq!((&told["calls"], effects(&told["total"])), (&json!(1), [0; 5]));
}

// ---- moments ----

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_that_would_have_been_suspended_is_a_blocked_call() {
    let gateway = Gateway::start().await;
    gateway.noticed("joined", two("US-NY"), json!({})).await;
    gateway.advance_ms(2000);
    let decision = gateway.joins("joined", &person("third", "customer", "US-TX")).await;
    assert_eq!(decision["recorder"], "running");
    gateway.noticed("alone", two("US-NY"), json!({})).await;
    let new = row("US-TX", "parties = \"one\"\nform = \"none\"", "parties = \"all\"\nform = \"notice\"");
    let told = gateway.rehearse(&new).await;
    assert_eq!(examples(&told, "US-TX"), ["acme/joined: blocked, asked more"]);
    assert_eq!(effects(&told["total"]), [1, 0, 1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_that_would_not_have_been_suspended_is_an_allowed_call() {
    let gateway = Gateway::start().await;
    gateway.noticed("joined", two("US-NY"), json!({})).await;
    gateway.advance_ms(2000);
    let decision = gateway.joins("joined", &person("third", "customer", "US-CA")).await;
    assert_eq!(decision["recorder"], "suspended");
    let new = california("parties = \"all\"\nform = \"notice\"", "parties = \"one\"\nform = \"none\"");
    let told = gateway.rehearse(&new).await;
    assert_eq!(examples(&told, "US-CA"), ["acme/joined: allowed, asked less"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_announcement_suspends_and_leaves_the_recording_without_consent() {
    let gateway = Gateway::start().await;
    for (call, announced) in [("silent", false), ("announced", true)] {
        let from = gateway.noticed(call, two("US-CA"), json!({})).await;
        if announced {
            let event = json!({"type": "announcement.recorded", "participants": ["caller", "agent"]});
            gateway.report(call, event).await;
        }
        gateway.advance_ms(20_000);
        gateway.control(call, "stop").await.expect(200);
        gateway.upload(call, "all", Some(from), &wav(20_000)).await.expect(201);
    }
    let told = gateway
        .rehearse(&california("form = \"notice\"", "form = \"notice\"\nannouncement_must_be_recorded = true"))
        .await;
    assert_eq!(effects(&told["total"]), [1, 0, 2, 0, 1]);
    assert_eq!(
        examples(&told, "US-CA"),
        ["acme/silent: blocked, asked more, recording lacks consent", "acme/announced: asked more"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announcement_counts_for_every_file_of_its_window() {
    let config = Config::default();
    let settings = AccountSettings { recorders: 2, ..AccountSettings::default() };
    let gateway = Gateway::with(config, settings).await;
    let from = gateway.noticed("c", two("US-CA"), json!({})).await;
    gateway.report("c", json!({"type": "announcement.recorded", "participants": ["caller", "agent"]})).await;
    gateway.advance_ms(20_000);
    gateway.control("c", "stop").await.expect(200);
    for (name, seconds) in [("first", 0), ("second", 8)] {
        let from = from + SignedDuration::from_secs(seconds);
        gateway.upload("c", name, Some(from), &wav(8000)).await.expect(201);
    }
    let announced =
        california("form = \"notice\"", "form = \"notice\"\nannouncement_must_be_recorded = true");
    let told = gateway.rehearse(&announced).await;
    assert_eq!((&told["recordings"], effects(&told["total"])), (&json!(2), [0, 0, 1, 0, 0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_without_a_time_is_judged_by_the_whole_window() {
    let gateway = Gateway::start().await;
    gateway.noticed("c", two("US-CA"), json!({})).await;
    gateway.advance_ms(5000);
    gateway.says_yes("c", "caller", "dtmf").await;
    gateway.says_yes("c", "agent", "dtmf").await;
    gateway.advance_ms(5000);
    gateway.control("c", "stop").await.expect(200);
    gateway.upload("c", "a", None, &wav(3000)).await.expect(201);
    let told = gateway.rehearse(&california("form = \"notice\"", "form = \"express\"")).await;
    assert_eq!(effects(&told["total"]), [1, 0, 1, 0, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_was_recorded_before_the_yes_lacks_it() {
    let settings = AccountSettings { recorders: 2, ..AccountSettings::default() };
    let gateway = Gateway::with(Config::default(), settings).await;
    let from = gateway.noticed("c", two("US-CA"), json!({})).await;
    gateway.advance_ms(5000);
    gateway.says_yes("c", "caller", "dtmf").await;
    gateway.says_yes("c", "agent", "dtmf").await;
    let yes = gateway.now();
    gateway.advance_ms(5000);
    gateway.control("c", "stop").await.expect(200);
    gateway.upload("c", "before", Some(from), &wav(5000)).await.expect(201);
    gateway.upload("c", "after", Some(yes), &wav(5000)).await.expect(201);
    let told = gateway.rehearse(&california("form = \"notice\"", "form = \"express\"")).await;
    assert_eq!((&told["recordings"], effects(&told["total"])), (&json!(2), [1, 0, 1, 0, 1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audio_in_the_slack_after_the_stop_is_judged_as_well() {
    let gateway = Gateway::start().await;
    for (call, end) in [("stop", false), ("end", true)] {
        let from = gateway.noticed(call, two("US-CA"), json!({})).await;
        gateway.advance_ms(4000);
        if end {
            gateway.happens_to_all(call, "call.ended").await;
        } else {
            gateway.control(call, "stop").await.expect(200);
        }
        gateway.advance_ms(1500);
        gateway.upload(call, "a", Some(from), &wav(5500)).await.expect(201);
    }
    let told = gateway.rehearse(&california("form = \"notice\"", "form = \"express\"")).await;
    assert_eq!(effects(&told["total"]), [2, 0, 2, 0, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seconds_that_were_paused_with_silence_need_nobodys_consent() {
    let gateway = Gateway::start().await;
    for (call, place) in [("guest", "US-NY"), ("host", "US-CA")] {
        // While the recording is paused, somebody is there who agrees to nothing.
        let from = gateway.noticed(call, two(place), json!({})).await;
        gateway.advance_ms(5000);
        let pause = json!({"action": "pause", "behavior": "silence", "reason": "a card number"});
        gateway.recorder.post(&format!("/v1/calls/{call}/recording"), &pause).await.expect(200);
        gateway.joins(call, &person("third", "customer", "US-TX")).await;
        gateway.advance_ms(5000);
        gateway.happens(call, "participant.left", "third").await;
        gateway.advance_ms(1000);
        gateway.control(call, "resume").await.expect(200);
        gateway.advance_ms(4000);
        gateway.control(call, "stop").await.expect(200);
        let mut samples = tone(8000, 15_000);
        samples[5 * 8000..11 * 8000].fill(0);
        gateway.upload(call, "a", Some(from), &wav_of(8000, &samples)).await.expect(201);
    }
    // The guest's place is asked more, and all that was heard of them is silence.
    let new = row("US-TX", "parties = \"one\"\nform = \"none\"", "parties = \"all\"\nform = \"notice\"");
    let told = gateway.rehearse(&new).await;
    assert_eq!(examples(&told, "US-TX"), ["acme/guest: asked more"]);
    assert_eq!(effects(&told["total"]), [0, 0, 1, 0, 0]);
    // On the other call the silence hides nothing of what else is lacking.
    let told = gateway.rehearse(&california("form = \"notice\"", "form = \"express\"")).await;
    assert_eq!(examples(&told, "US-CA"), ["acme/host: blocked, asked more, recording lacks consent"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_call_was_decided_by_before_does_not_count() {
    let gateway = Gateway::start().await;
    let tightened = california("form = \"notice\"", "form = \"express\"");
    gateway.noticed("old", two("US-CA"), json!({})).await;
    let author = gateway.counsel_of_the_system().await;
    let outcome = gateway.gate().publish(&author, &tightened, "tightened").await.unwrap();
    assert!(matches!(outcome, Outcome::InForce { version: Some(_) }), "{outcome:?}");
    gateway.open("new", "US-CA").await;
    gateway.prompt("new", &["caller", "agent"]).await;
    gateway.control("new", "start").await.problem(403, "consent-required");
    // Back to how it was: both calls would be allowed by it and are blocked by what is in force.
    let told = gateway.rehearse(TABLE).await;
    assert_eq!(effects(&told["total"]), [0, 2, 0, 2, 0]);
    let told = gateway.rehearse(&tightened).await;
    assert_eq!(effects(&told["total"]), [0; 5]);
}

// ---- damage ----

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_with_a_damaged_entry_is_counted_as_unreadable_and_told() {
    let gateway = Gateway::start().await;
    gateway.noticed("whole", two("US-CA"), json!({})).await;
    let leaf = gateway.first_leaf("whole").await;
    let cut = &leaf[..leaf.len() / 2];
    let event = String::from_utf8(leaf.clone()).unwrap();
    let damages: [(&str, Vec<Vec<u8>>); 9] = [
        ("no entry at all", vec![]),
        ("an empty one", vec![vec![]]),
        ("one that is no text", vec![vec![0xff, 0xfe, 0x00]]),
        ("one that is cut", vec![cut.to_vec()]),
        ("one that is cut, behind a whole one", vec![leaf.clone(), cut.to_vec()]),
        ("one with a line break in it", vec![event.replacen("\"v\":1", "\"v\"\n:1", 1).into_bytes()]),
        ("one with a byte too many", vec![leaf.clone(), [leaf.as_slice(), b"}"].concat()]),
        ("another call's beginning", vec![leaf.clone(), leaf.clone()]),
        (
            "one of a type that no call has",
            vec![leaf, br#"{"at":"2026-11-20T10:00:00Z","body":{"table":{}}}"#.to_vec()],
        ),
    ];
    let count = u64::try_from(damages.len()).unwrap();
    for (name, leaves) in damages {
        gateway.write_call("acme", name, gateway.now(), leaves, Vec::new()).await;
    }
    gateway.noticed("after", two("US-CA"), json!({})).await;
    let new = california("form = \"notice\"", "form = \"express\"");
    let told = gateway.rehearse(&new).await;
    assert_eq!((&told["calls"], &told["unreadable"]), (&json!(2), &json!(count)));
    assert_eq!(effects(&told["total"]), [2, 0, 2, 0, 0], "the others are counted as ever");
    let (_, out, _) = gateway.run(&["table", "impact", &gateway.file(&new)]);
    assert!(out.contains("9 calls could not be read, and no count includes them\n"), "{out}");
}

// ---- random calls ----

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_calls_change_nothing_by_the_same_table_and_mirror_each_other_by_two() {
    let gateway = Gateway::start().await;
    let base = Arc::clone(&differential::TABLE);
    let mut runner = TestRunner::deterministic();
    let mut written = 0u64;
    for number in 0..300 {
        let mut facts = differential::calls().new_tree(&mut runner).unwrap().current();
        let what = What::Accepted { spans: Vec::new() };
        facts.events.push(Event { received_at: facts.end(), at: None, what });
        written += 1;
        gateway.write_facts(&format!("call-{number}"), &base, &facts).await;
    }
    let same = gateway.impact(&base, &base).await;
    assert!(same.total.is_none() && same.places.is_empty(), "{same:?}");
    assert_eq!((same.calls, same.unreadable), (written, 0));
    let (mut asked_more, mut blocked, mut lacking) = (0, 0, 0);
    let text = differential::ROWS;
    for (code, from, to) in [
        ("US-TX", "parties = \"one\"\nform = \"none\"", "parties = \"all\"\nform = \"notice\""),
        ("US-CT", "form = \"notice\"", "form = \"express\""),
        ("US", "form = \"none\"", "form = \"none\"\nannouncement_must_be_recorded = true"),
        ("AU-QLD", "parties = \"one\"\nform = \"none\"", "parties = \"all\"\nform = \"notice\""),
    ] {
        let other = Arc::new(Table::parse(&row_of(text, code, from, to)).unwrap());
        let (there, back) = (gateway.impact(&base, &other).await, gateway.impact(&other, &base).await);
        asked_more += there.total.asked_more;
        blocked += there.total.blocked;
        assert_eq!(there.total.asked_less, 0, "{code}");
        assert_eq!(there.total.allowed, 0, "{code}: a stricter table allows nothing");
        assert_eq!(
            (there.total.blocked, there.total.allowed, there.total.asked_more, there.total.asked_less),
            (back.total.allowed, back.total.blocked, back.total.asked_less, back.total.asked_more),
            "{code}"
        );
        lacking += there.total.lacking;
        assert_eq!(back.total.lacking, 0, "{code}: a looser table takes nothing away");
        assert_eq!((there.calls, there.recordings), (back.calls, back.recordings));
        let (there, back): (Vec<_>, Vec<_>) =
            (there.places.into_keys().collect(), back.places.into_keys().collect());
        assert_eq!(there, back, "{code}");
    }
    assert!(asked_more > 50 && blocked > 5 && lacking > 5, "{asked_more} {blocked} {lacking}");
}

// ---- helpers ----

/// Twelve calls of two accounts.
async fn a_day() -> Gateway {
    let gateway = Gateway::start().await;
    let store = async |call: &str, from: Timestamp| {
        gateway.advance_ms(2000);
        let stored = gateway.upload(call, "a", Some(from), &wav(2000)).await.expect(201);
        stored["id"].as_str().unwrap().to_owned()
    };
    let end = async |call: &str| {
        gateway.happens_to_all(call, "call.ended").await;
        gateway.advance_ms(60_000);
    };
    let from = gateway.noticed("ca-notice", two("US-CA"), json!({})).await;
    store("ca-notice", from).await;
    end("ca-notice").await;

    let from = gateway.recording_in("ca-yes", "US-CA").await;
    store("ca-yes", from).await;
    end("ca-yes").await;

    gateway.open("ca-refused", "US-CA").await;
    gateway.control("ca-refused", "start").await.problem(403, "consent-required");
    end("ca-refused").await;

    let from = gateway.noticed("ca-deleted", two("US-CA"), json!({})).await;
    let deleted = store("ca-deleted", from).await;
    end("ca-deleted").await;
    gateway.admin.delete(&format!("/v1/recordings/{deleted}")).await.expect(204);

    let from = gateway.noticed("ny", two("US-NY"), json!({})).await;
    store("ny", from).await;
    end("ny").await;

    gateway.open("nv", "US-NV").await;
    gateway.prompt("nv", &["caller", "agent"]).await;
    gateway.control("nv", "start").await.problem(403, "consent-required");
    end("nv").await;

    let people = json!([person("caller", "customer", "US-CA"), person("agent", "agent", "US-NY")]);
    let from = gateway.noticed("mixed", people, json!({})).await;
    store("mixed", from).await;
    end("mixed").await;

    // A place that is found out later suspends by the new law, and unmakes nothing.
    let from = gateway.noticed("late", two("US-NY"), json!({})).await;
    store("late", from).await;
    gateway
        .report("late", json!({"type": "participant.located", "participant": "caller", "location": "US-CA"}))
        .await;
    gateway.advance_ms(1000);
    end("late").await;

    // Somebody joins in California and hears nothing: suspended by either.
    let from = gateway.noticed("joined", two("US-NY"), json!({})).await;
    store("joined", from).await;
    gateway.joins("joined", &person("third", "customer", "US-CA")).await;
    gateway.advance_ms(1000);
    end("joined").await;

    // Nobody ever asked to record it.
    gateway.open("tx", "US-TX").await;
    end("tx").await;

    // Refused by the person, by every table.
    gateway.open("declined", "US-TX").await;
    gateway.happens("declined", "consent.declined", "caller").await;
    gateway.control("declined", "start").await.problem(403, "consent-required");
    end("declined").await;

    let people = add_account(gateway.gate(), "globex", &AccountSettings::default()).await;
    customer_key(gateway.gate(), gateway.dir.path(), "globex").await;
    let recorder = people.iter().find(|new| new.role == Role::Recorder).unwrap();
    let acme = gateway.recorder.clone();
    let mut gateway = gateway;
    gateway.recorder = Client::new(acme.address, recorder);
    let from = gateway.noticed("theirs", two("US-CA"), json!({})).await;
    gateway.advance_ms(2000);
    gateway.upload("theirs", "a", Some(from), &wav(2000)).await.expect(201);
    gateway.happens_to_all("theirs", "call.ended").await;
    gateway.recorder = acme;
    gateway
}

impl Gateway {
    /// A call on which both have heard the prompt, stayed, and are being recorded from now on.
    async fn noticed(&self, call: &str, people: Value, more: Value) -> Timestamp {
        self.open_with(call, people, more).await;
        self.prompt(call, &["caller", "agent"]).await;
        self.says_yes(call, "caller", "continued").await;
        let started = self.control(call, "start").await;
        assert!([200, 403].contains(&started.status), "{}", started.text());
        self.now()
    }

    async fn happens_to_all(&self, call: &str, kind: &str) -> Value {
        self.report(call, json!({"type": kind})).await
    }

    fn file(&self, table: &str) -> String {
        let path = self.dir.path().join(format!("{}.toml", crate::harness::uid()));
        std::fs::write(&path, table).unwrap();
        path.to_str().unwrap().to_owned()
    }

    async fn impact(&self, base: &Arc<Table>, new: &Arc<Table>) -> Impact {
        self.gate().impact(base, new, None, None, &|_, _| {}).await.unwrap()
    }

    async fn rehearse(&self, new: &str) -> Value {
        let told = self.rehearse_with(new, &[]).await;
        // The command tells what the gate counts, and what the platform calls the calls.
        let counted =
            self.impact(&self.gate().laws().in_force(), &Arc::new(Table::parse(new).unwrap())).await;
        let mut plain = told.clone();
        for place in plain["places"].as_object_mut().unwrap().values_mut() {
            for example in place["examples"].as_array_mut().unwrap() {
                let example = example.as_object_mut().unwrap();
                assert!(example.remove("call").is_some() && example.remove("account").is_some());
            }
        }
        assert_eq!(plain, json!(counted));
        told
    }

    async fn rehearse_with(&self, new: &str, more: &[&str]) -> Value {
        let (code, out, error) = self.run(&[&["table", "impact", &self.file(new), "--json"], more].concat());
        assert_eq!(code, 0, "{error}");
        serde_json::from_str(&out).unwrap()
    }

    async fn counsel_of_the_system(&self) -> consent_gateway::gate::Author {
        let new = self
            .gate()
            .add_credential(&Actor::command_line(), "system", Role::Counsel, "Ada Counsel", None)
            .await
            .unwrap();
        let who = consent_gateway::access::Principal {
            uploads: consent_gateway::access::Uploads::default(),
            account: "system".into(),
            credential: new.username,
            role: Role::Counsel,
        };
        self.gate().author(&who).await.unwrap()
    }

    async fn first_leaf(&self, call: &str) -> Vec<u8> {
        let row = self.gate().ledger().call_by_name("acme", call).await.unwrap().unwrap();
        self.gate().ledger().history(row.uid.parse().unwrap()).await.unwrap().0.remove(0).leaf
    }

    /// Writes a call of these leaves into the ledger, whatever they are.
    async fn write_call(
        &self,
        account: &str,
        name: &str,
        at: Timestamp,
        leaves: Vec<Vec<u8>>,
        stored: Vec<Uuid>,
    ) {
        let (uid, actor) = (crate::harness::uid(), Actor::gateway());
        let mut changes = vec![Change::Call {
            uid,
            account: account.into(),
            id: name.into(),
            names: vec![name.into()],
            body: "{}".into(),
            at: at.as_millisecond(),
            head: uid,
        }];
        for id in stored {
            let row = RecordingRow {
                id: id.to_string(),
                account: account.into(),
                call: uid.to_string(),
                call_id: name.into(),
                name: id.to_string(),
                fingerprint: id.as_bytes().to_vec(),
                uploader: "somebody".into(),
                bytes: 1,
                duration_ms: 1,
                content_type: "audio/wav".into(),
                envelope: None,
                enveloped: true,
                accepted_at: at.as_millisecond(),
                recorded_from: 0,
                recorded_until: 1,
                about: r#"{"segments":[[0,1]],"people":[],"purposes":null}"#.into(),
                held: false,
                covered: false,
                restricted: false,
                deleted_at: None,
                kept_at_least: None,
                kept_at_most: None,
                keep_until: None,
                delete_by: None,
                place: None,
            };
            changes.push(Change::Recording { row: Box::new(row) });
        }
        let entries = leaves
            .into_iter()
            .map(|leaf| {
                let draft = trail::draft(
                    account,
                    at,
                    &actor,
                    Some((uid, None)),
                    Body::Account { format: Format::Tink },
                    None,
                )
                .unwrap();
                // Calls of all times in one log: only the leaves say when they were.
                let at = START.parse().unwrap();
                trail::Draft { leaf_hash: trail::leaf_hash(&leaf), leaf, at, ..draft }
            })
            .collect();
        self.gate().ledger().append(Job { changes, entries, ..Job::default() }).await.unwrap();
    }

    async fn write_facts(&self, name: &str, table: &Arc<Table>, facts: &differential::Facts) {
        let actor = Actor::gateway();
        let saw = |count: usize, at: Timestamp| Saw::of(table.digest(), &facts.call_after(count).decide(at));
        let opened = Body::Opened {
            facts: facts.opened.clone(),
            subjects: vec![],
            objectors: vec![],
            saw: saw(0, facts.received),
        };
        let mut stored = Vec::new();
        let mut bodies = vec![(facts.received, opened)];
        for (index, event) in facts.events.iter().enumerate() {
            let saw = saw(index + 1, event.received_at);
            let event_is_upload = matches!(event.what, What::Accepted { .. });
            let body = if event_is_upload {
                let recording = crate::harness::uid();
                stored.push(recording);
                let call = facts.call_after(index).at(event.received_at);
                let until = |window: &Window| window.until.map_or(event.received_at, |(until, _)| until);
                let window = call.windows().iter().rfind(|window| window.from < until(window));
                let spans = window.map(|window| (window.from, until(window))).into_iter().collect();
                Body::Accepted {
                    recording,
                    came: Came {
                        door: Door::Native,
                        coverage: CoverageBasis::Granted,
                        used_for: Use::Record,
                    },
                    envelope: String::new(),
                    media: String::new(),
                    bytes: 1,
                    keys: vec![],
                    format: Format::Tink,
                    spans,
                    silenced: Vec::new(),
                    unplaced: false,
                    codec_ms: 0,
                    shifted_ms: 0,
                    unasked: None,
                    keep_until: None,
                    delete_by: None,
                    released: None,
                    saw,
                }
            } else {
                Body::Event { facts: event.clone(), subjects: vec![], reported_by: None, late: false, saw }
            };
            bodies.push((event.received_at, body));
        }
        let leaf = |(at, body)| trail::draft("acme", at, &actor, None, body, None).unwrap().leaf;
        let leaves = bodies.into_iter().map(leaf).collect();
        self.write_call("acme", name, facts.received, leaves, stored).await;
    }
}

/// Blocked, allowed, asked more, asked less, lacking.
#[track_caller]
fn effects(told: &Value) -> [u64; 5] {
    ["blocked", "allowed", "asked_more", "asked_less", "lacking"].map(|name| told[name].as_u64().unwrap())
}

fn places(told: &Value) -> Vec<String> {
    told["places"].as_object().unwrap().keys().cloned().collect()
}

/// The examples of a place, each as `account/call: effects`.
fn examples(told: &Value, place: &str) -> Vec<String> {
    let examples = told["places"][place]["examples"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let line = |example: &Value| {
        let words: Vec<String> = example["effects"].as_array().unwrap().iter().map(text).collect();
        format!("{}/{}: {}", text(&example["account"]), text(&example["call"]), words.join(", "))
    };
    examples.iter().map(line).collect()
}

/// The first table, with one thing changed.
#[track_caller]
fn once(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[track_caller]
fn row(code: &str, from: &str, to: &str) -> String {
    row_of(TABLE, code, from, to)
}

/// A table with one thing changed in the row of a place.
#[track_caller]
fn row_of(text: &str, code: &str, from: &str, to: &str) -> String {
    let (before, rest) = text.split_once(&format!("code = \"{code}\"\n")).unwrap();
    let end = rest.find("[[jurisdiction]]").unwrap_or(rest.len());
    let changed = once(&rest[..end], from, to);
    format!("{before}code = \"{code}\"\n{changed}{}", &rest[end..])
}

#[track_caller]
fn california(from: &str, to: &str) -> String {
    row("US-CA", from, to)
}

const TABLE: &str = include_str!("../../jurisdictions.toml");
const ELSEWHERE: &str = "default, evidence or overlay";
