//! Recordings as Crossbar's clients read them.

use consent_gateway::access::{Role, Uploads};
use consent_gateway::gate::AccountSettings;
use policy::CoverageBasis;
use seal::Format;
use serde_json::{Value, json};
use trail::{Actor, OnRefusal};

use super::{Line, Switch, target};
use crate::harness::{Client, wav};

const ALL: &str = "/v2/accounts/acme/recordings";

/// Kazoo sends a recording of each of these calls, a minute apart.
async fn recorded(switch: &Switch, calls: &[&str]) -> Vec<i64> {
    let url = format!("/kazoo/acme?token={}", switch.token());
    let mut accepted = Vec::new();
    for call in calls {
        switch.goes_on(call).await;
        let begun = switch.gateway.now();
        switch.gateway.advance_ms(60_000);
        let id = format!("202611-{call}");
        let said = switch.put(&target(Line::Released, &url, call, &id, begun), &wav(1000)).await;
        assert_eq!(said.status, 201, "{said:?}");
        accepted.push(switch.gateway.now().as_second() + 62_167_219_200);
    }
    accepted
}

fn ids(listed: &Value) -> Vec<&str> {
    listed["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_listed_the_newest_first_page_by_page() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    let at = recorded(&switch, &["c1", "c2", "c3"]).await;
    let all = gateway.listener.get(ALL).await.expect(200);
    assert_eq!(ids(&all), ["202611-c3", "202611-c2", "202611-c1"]);
    assert_eq!((&all["status"], &all["page_size"]), (&json!("success"), &json!(3)));
    assert!(all["request_id"].is_string() && all.get("next_start_key").is_none(), "{all}");
    let newest = &all["data"][0];
    let begun = at[2] - 60;
    assert_eq!(
        (&newest["call_id"], &newest["duration"], &newest["duration_ms"], &newest["start"]),
        (&json!("c3"), &json!(1), &json!(1000), &json!(begun))
    );
    assert_eq!((&newest["media_type"], &newest["content_type"]), (&json!("wav"), &json!("audio/wav")));
    // Nobody on the call is named.
    assert!(!newest.to_string().contains("caller") && newest.get("from").is_none(), "{newest}");

    let first = gateway.listener.get(&format!("{ALL}?page_size=2")).await.expect(200);
    assert_eq!(ids(&first), ["202611-c3", "202611-c2"]);
    let key = first["next_start_key"].as_str().unwrap();
    let second = gateway.listener.get(&format!("{ALL}?page_size=2&start_key={key}")).await.expect(200);
    assert_eq!((ids(&second), &second["start_key"]), (vec!["202611-c1"], &json!(key)));
    assert!(second.get("next_start_key").is_none(), "{second}");

    let between = format!("{ALL}?created_from={}&created_to={}", at[1], at[1]);
    assert_eq!(ids(&gateway.listener.get(&between).await.expect(200)), ["202611-c2"]);
    let before = format!("{ALL}?created_to={}", at[1] - 1);
    assert_eq!(ids(&gateway.listener.get(&before).await.expect(200)), ["202611-c1"]);
    // What would change the answer is not passed over.
    for wrong in ["filter_from=%2B15550100", "created_from=yesterday", "page_size=0", "ascending=true"] {
        let refused = gateway.listener.get(&format!("{ALL}?{wrong}")).await.expect(400);
        assert_eq!((&refused["status"], &refused["error"]), (&json!("error"), &json!("400")), "{refused}");
    }
    gateway.listener.get(&format!("{ALL}?start_key=nonsense")).await.expect(422);
    // Which user one is of is not known, and not guessed.
    let of_user = gateway.listener.get("/v2/accounts/acme/users/u1/recordings").await.expect(501);
    assert_eq!(of_user["message"], json!("not_implemented"));
    // Who looked stands in the log.
    let looked = switch.entries("audit.lookup").await;
    assert!(!looked.is_empty(), "{looked:?}");
    gateway.auditor.get("/v1/log/acme/checkpoint").await;
    let (code, out, err) = gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{out}{err}");
}

/// By Kazoo's own id or by the gateway's, and by the account's other name.
#[tokio::test]
async fn one_is_described_by_either_id() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    recorded(&switch, &["c1"]).await;
    gateway.gate().add_alias(&Actor::command_line(), "acme", "0123abcd").await.unwrap();
    let one = gateway.admin.get(&format!("{ALL}/202611-c1")).await.expect(200);
    let ours = one["data"]["_read_only"]["recording"].as_str().unwrap();
    let same = gateway.admin.get(&format!("/v2/accounts/0123abcd/recordings/{ours}")).await.expect(200);
    assert_eq!(one["data"], same["data"]);
    let unknown = gateway.admin.get(&format!("{ALL}/202611-c9")).await.expect(404);
    assert_eq!((&unknown["message"], &unknown["status"]), (&json!("bad_identifier"), &json!("error")));
    gateway.admin.get("/v2/accounts/globex/recordings").await.expect(404);
    let wrong = gateway.admin.put(&format!("{ALL}/202611-c1"), &json!({})).await.expect(405);
    assert_eq!(wrong["message"], json!("invalid_method"));
}

/// The same roles as at the native door, by basic authentication and by Crossbar's header.
#[tokio::test]
async fn everybody_may_do_what_they_may_at_the_native_door() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    recorded(&switch, &["c1"]).await;
    let nobody = Client::stranger(gateway.running.address);
    let refused = nobody.get(ALL).await.expect(401);
    assert_eq!(refused["message"], json!("invalid_credentials"));
    let one = format!("{ALL}/202611-c1");
    let audio = format!("{one}?accept=application/octet-stream&purpose=quality");
    let ours = gateway.admin.get(&one).await.expect(200)["data"]["_read_only"]["recording"].clone();
    let ours = format!("/v1/recordings/{}", ours.as_str().unwrap());
    for who in [
        &gateway.recorder,
        &gateway.observer,
        &gateway.uploader,
        &gateway.listener,
        &gateway.auditor,
        &gateway.counsel,
        &gateway.registrar,
        &gateway.admin,
    ] {
        // 403 at one door is 403 at the other; a platform does not see what another one has uploaded.
        let same = async |there: &str, here: &str| {
            let (there, here) = (who.get(there).await.status, who.get(here).await.status);
            assert_eq!(there, here, "{here}");
        };
        same("/v1/recordings", ALL).await;
        same(&ours, &one).await;
        same(&format!("{ours}/media?purpose=quality"), &audio).await;
        if who.authorization != gateway.admin.authorization {
            assert_eq!(who.delete(&one).await.status, 403);
        }
    }
    // The uploader whose URL Kazoo has, by Crossbar's header.
    let token = switch.token();
    let by_token =
        nobody.send("GET", ALL, &[("x-auth-token", &token)], bytes::Bytes::new()).await.expect(200);
    assert_eq!(ids(&by_token), ["202611-c1"]);
    let wrong = nobody.send("GET", ALL, &[("x-auth-token", "x.y")], bytes::Bytes::new()).await;
    assert_eq!(wrong.status, 401);
    // In a URL it opens nothing here.
    assert_eq!(nobody.get(&format!("{ALL}?token={token}")).await.status, 401);
}

#[tokio::test]
async fn sealed_audio_is_not_passed_off_as_audio() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    recorded(&switch, &["c1"]).await;
    let one = format!("{ALL}/202611-c1");
    let listener = &gateway.listener;
    let asked = async |accept: &str, path: &str| {
        listener.send("GET", path, &[("accept", accept)], bytes::Bytes::new()).await
    };
    let refused = asked("audio/mpeg", &one).await.expect(406);
    assert_eq!(refused["message"], json!("not_acceptable"));
    let media = refused["data"]["media"].as_str().unwrap();
    let there = listener.get(&format!("{media}?purpose=quality")).await;
    assert_eq!(there.status, 200);
    assert!(
        listener.get(refused["data"]["envelope"].as_str().unwrap()).await.expect(200)["envelope"].is_object()
    );
    // What is not asked for in plain is the same bytes; the purpose is asked for and logged.
    let sealed = "application/octet-stream";
    let untold = asked(sealed, &one).await.expect(400);
    assert_eq!(untold["data"]["code"], json!("purpose-required"));
    let refused = asked(sealed, &format!("{one}?purpose=training")).await.expect(403);
    assert_eq!(refused["data"]["code"], json!("purpose-not-consented"));
    let fetched = switch.entries("recording.fetched").await.len();
    let here = asked(sealed, &format!("{one}?purpose=quality")).await;
    assert_eq!((here.status, &here.body), (200, &there.body));
    assert_eq!(switch.entries("recording.fetched").await.len(), fetched + 1);
    // The document, for whoever takes anything.
    for accept in ["*/*", "text/html, */*;q=0.5", "audio/mpeg;q=0.2, application/json", "text/html"] {
        asked(accept, &one).await.expect(200);
    }
    assert_eq!(listener.get(&format!("{one}?accept=audio/mp3")).await.status, 406);
}

/// One AES-256-GCM message is what a client of Twilio's recordings opens already.
#[tokio::test]
async fn in_the_format_that_clients_know_the_sealed_bytes_are_handed_out() {
    let settings = AccountSettings { format: Format::RsaAes, ..AccountSettings::default() };
    let switch = Switch::with(settings, OnRefusal::Discard).await;
    let gateway = &switch.gateway;
    recorded(&switch, &["c1"]).await;
    let audio = gateway.listener.get(&format!("{ALL}/202611-c1?accept=audio/mpeg&purpose=quality")).await;
    assert_eq!(audio.status, 200, "{}", audio.text());
    assert_eq!(audio.headers["content-type"], "application/octet-stream");
    let name = audio.headers["content-disposition"].to_str().unwrap();
    assert!(name.starts_with("attachment; filename="), "{name}");
    let one = gateway.listener.get(&format!("{ALL}/202611-c1")).await.expect(200);
    let ours = one["data"]["_read_only"]["recording"].as_str().unwrap();
    assert_eq!(gateway.fetch_and_open(ours).await, wav(1000));
    let media = gateway.listener.get(&format!("/v1/recordings/{ours}/media?purpose=quality")).await;
    assert_eq!(audio.body, media.body);
}

/// Deleting here deletes, unless a legal hold prevents it; and Kazoo is not made to send again what was deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_deletes_and_what_was_deleted_stays_so() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    let url = format!("/kazoo/acme?token={}", switch.token());
    switch.goes_on("c1").await;
    let begun = gateway.now();
    gateway.advance_ms(3000);
    let at = target(Line::Released, &url, "c1", "202611-1", begun);
    assert_eq!(switch.put(&at, &wav(1000)).await.status, 201);
    let one = format!("{ALL}/202611-1");
    let ours = gateway.admin.get(&one).await.expect(200)["data"]["_read_only"]["recording"].clone();
    let ours = ours.as_str().unwrap();
    gateway.counsel.put(&format!("/v1/recordings/{ours}/hold"), &json!({})).await.expect(200);
    let held = gateway.admin.delete(&one).await.expect(409);
    assert_eq!((&held["data"]["code"], &held["status"]), (&json!("legal-hold"), &json!("error")));
    gateway.counsel.delete(&format!("/v1/recordings/{ours}/hold")).await.expect(200);
    let deleted = gateway.admin.delete(&one).await.expect(200);
    assert_eq!(deleted["data"], json!({"id": "202611-1", "_read_only": {"deleted": true}}));
    gateway.admin.get(&one).await.expect(404);
    gateway.admin.get(&format!("/v1/recordings/{ours}")).await.expect(410);
    assert_eq!(gateway.admin.get(ALL).await.expect(200)["data"], json!([]));
    assert_eq!(switch.entries("recording.deleted").await.len(), 1);
    let entries = gateway.rows("acme").await.len();
    for _ in 0..3 {
        let said = switch.put(&at, &wav(1000)).await;
        assert_eq!((said.status, said.body.as_str()), (200, "{}"), "{said:?}");
    }
    assert_eq!(gateway.rows("acme").await.len(), entries);
    assert!(switch.recordings().await.is_empty());
    // The native door still says so.
    let client = Client::new(gateway.running.address, &switch.credential);
    let start = begun.to_string();
    let path = "/v1/calls/c1/recordings/kazoo-202611-1";
    client.upload(path, &[("recording-start", &start)], &wav(1000)).await.problem(410, "recording-deleted");
    gateway.auditor.get("/v1/log/acme/checkpoint").await;
    let (code, out, err) = gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{out}{err}");
}

/// Kazoo's ids are unique, but anybody who uploads can send any: then only the gateway's own is.
#[tokio::test]
async fn an_id_that_two_recordings_have_names_neither() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    let url = format!("/kazoo/acme?token={}", switch.token());
    for call in ["c1", "c2"] {
        switch.goes_on(call).await;
        let begun = gateway.now();
        gateway.advance_ms(3000);
        let said = switch.put(&target(Line::Released, &url, call, "202611-1", begun), &wav(1000)).await;
        assert_eq!(said.status, 201, "{said:?}");
    }
    let one = format!("{ALL}/202611-1");
    gateway.admin.get(&one).await.expect(409);
    gateway.admin.delete(&one).await.expect(409);
    // Another platform sees neither.
    let uploads =
        Uploads { coverage: CoverageBasis::Lawful, on_refusal: OnRefusal::Discard, ..Uploads::default() };
    let (actor, role) = (Actor::command_line(), Role::Uploader);
    let other = gateway.gate().add_credential_for(&actor, "acme", role, "other", None, uploads).await;
    let other = Client::new(gateway.running.address, &other.unwrap());
    other.get(&one).await.expect(404);
    assert_eq!(ids(&other.get(ALL).await.expect(200)), Vec::<&str>::new());
    let all = gateway.admin.get(ALL).await.expect(200);
    for recording in all["data"].as_array().unwrap() {
        let ours = recording["_read_only"]["recording"].as_str().unwrap();
        gateway.admin.delete(&format!("{ALL}/{ours}")).await.expect(200);
    }
    gateway.admin.get(&one).await.expect(404);
}
