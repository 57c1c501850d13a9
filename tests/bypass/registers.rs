//! Attempts of somebody who has the database to have a row believed that the log does not say.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use consent_gateway::access::Role;
use consent_gateway::serve;
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use trail::Actor;

use super::granted;
use crate::desk::{Desk, EXPRESS, ONE, Text, credential};
use crate::harness::{Answer, Client, Gateway, wav};
use crate::postgres;

/// Changes the database behind everybody's back.
async fn alter(gateway: &Gateway, sql: &str) {
    match &gateway.config().ledger {
        Some(url) => {
            let mut connection = postgres::connect(url.expose()).await;
            let free = ["table_version", "jurisdiction_table"]
                .map(|table| format!("ALTER TABLE {table} DISABLE TRIGGER USER; "));
            let all = free.concat() + sql;
            sqlx::raw_sql(AssertSqlSafe(all)).execute(&mut connection).await.unwrap();
        }
        None => {
            let file = consent_gateway::ledger::file(&gateway.data());
            let options = SqliteConnectOptions::new().filename(file).foreign_keys(false);
            let mut connection =
                options.busy_timeout(std::time::Duration::from_secs(10)).connect().await.unwrap();
            let triggers: Vec<String> =
                sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'trigger'")
                    .fetch_all(&mut connection)
                    .await
                    .unwrap();
            for sql in triggers.iter().map(|name| format!("DROP TRIGGER {name}")).chain([sql.to_owned()]) {
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            }
        }
    }
}

/// It was not used, and nobody starts with it.
async fn is_found(gateway: &Gateway, answer: Answer) {
    answer.problem(503, "trail-unavailable");
    starts_nowhere(gateway).await;
}

async fn starts_nowhere(gateway: &Gateway) {
    let refused =
        serve::start(&gateway.config(), gateway.clock.clone()).await.err().map(|error| error.to_string());
    let told = refused.as_deref().unwrap_or("it has started");
    assert!(
        told.contains("is not what its log says") || told.contains("is not the one that was registered"),
        "{told}"
    );
}

fn opening() -> serde_json::Value {
    json!({"participants": [{"id": "agent", "role": "agent", "location": "US-NY"}]})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_auditor_is_made_no_recorder() {
    let gateway = Gateway::start().await;
    alter(&gateway, "UPDATE credential SET role = 'recorder' WHERE role = 'auditor'").await;
    is_found(&gateway, gateway.auditor.put("/v1/calls/c1", &opening()).await).await;
    // Whoever was not touched goes on.
    gateway.recorder.put("/v1/calls/c1", &opening()).await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_is_not_undone_and_a_password_not_replaced() {
    let gateway = Gateway::start().await;
    let gone = credential(&gateway, "acme", Role::Recorder, "gone").await;
    let client = Client::new(gateway.running.address, &gone);
    client.get("/v1/prompts/en").await.expect(200);
    gateway.gate().revoke_credential(&Actor::command_line(), &gone.username).await.unwrap();
    client.get("/v1/prompts/en").await.problem(401, "unauthorized");
    alter(&gateway, "UPDATE credential SET revoked_at = NULL").await;
    is_found(&gateway, client.put("/v1/calls/c1", &opening()).await).await;

    let gateway = Gateway::start().await;
    let mine = credential(&gateway, "acme", Role::Listener, "me").await;
    let sql = "UPDATE credential SET hash = (SELECT other.hash FROM credential AS other WHERE other.name = 'me') WHERE role = 'admin'";
    alter(&gateway, sql).await;
    let header = gateway.admin.authorization.as_ref().unwrap().strip_prefix("Basic ").unwrap();
    let header = String::from_utf8(BASE64_STANDARD.decode(header).unwrap()).unwrap();
    let as_admin =
        Client::named(gateway.running.address, header.split(':').next().unwrap(), mine.password.expose());
    is_found(&gateway, as_admin.get("/v1/prompts/en").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_gets_no_shorter_and_no_older() {
    let gateway = Gateway::start().await;
    gateway.open("c1", "US-CA").await;
    alter(&gateway, "UPDATE prompt SET document = replace(document, '4000', '1000') WHERE id = 'en'").await;
    let played = json!({"type": "prompt.completed", "prompt": "en", "participants": ["caller", "agent"], "played_ms": 1000});
    is_found(&gateway, gateway.event("c1", &played).await).await;

    let gateway = Gateway::start().await;
    gateway.open("c1", "US-CA").await;
    let longer = crate::harness::telling(json!({"text": "Hello.", "language": "en", "duration_ms": 9000}));
    gateway.counsel.put("/v1/prompts/en", &longer).await.expect(201);
    alter(&gateway, "DELETE FROM prompt WHERE id = 'en' AND version = 2").await;
    is_found(&gateway, gateway.event("c1", &played).await).await;
    alter(&gateway, "UPDATE prompt SET superseded_at = NULL").await;
    is_found(&gateway, gateway.event("c1", &played).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_gets_no_other_settings_or_places() {
    for sql in [
        "UPDATE account SET settings = replace(settings, '\"recorders\":1', '\"recorders\":50') WHERE id = 'acme'",
        "UPDATE account SET operator_location = 'US-TX' WHERE id = 'acme'",
        "UPDATE account SET settings = replace(settings, '}', ',\"format\":\"rsa-aes\"}') WHERE id = 'acme'",
    ] {
        let gateway = Gateway::start().await;
        alter(&gateway, sql).await;
        is_found(&gateway, gateway.recorder.put("/v1/calls/c1", &opening()).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_legal_hold_is_not_lifted() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(1000);
    let stored = gateway.upload("c1", "a", Some(from), &wav(1000)).await.expect(201);
    let path = format!("/v1/recordings/{}", stored["id"].as_str().unwrap());
    gateway.counsel.put(&format!("{path}/hold"), &json!({})).await.expect(200);
    gateway.admin.delete(&path).await.problem(409, "legal-hold");
    alter(&gateway, "UPDATE recording SET held = FALSE").await;
    is_found(&gateway, gateway.admin.delete(&path).await).await;
    alter(&gateway, "UPDATE recording SET held = TRUE").await;
    gateway.admin.delete(&path).await.problem(409, "legal-hold");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawn_grant_is_not_relied_on() {
    let gateway = Gateway::start().await;
    let grant = json!({"subject": "agent", "role": "agent", "basis": "contract"});
    gateway.registrar.put("/v1/consent-grants/g", &grant).await.expect(201);
    gateway.registrar.post("/v1/consent-grants/g/withdraw", &json!({})).await.expect(200);
    alter(&gateway, "UPDATE consent_grant SET withdrawn_at = NULL").await;
    let people =
        json!({"participants": [{"id": "agent", "role": "agent", "location": "DE", "consent_grant": "g"}]});
    is_found(&gateway, gateway.recorder.put("/v1/calls/c1", &people).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sealed_for_a_key_that_nobody_has_added() {
    let dir = tempfile::tempdir().unwrap();
    let mine = seal::keygen(dir.path()).unwrap().public_key;
    for sql in [
        "UPDATE public_key SET id = '{id}', pem = '{pem}'",
        "INSERT INTO public_key (account, id, pem, added_at) VALUES ('acme', '{id}', '{pem}', 1)",
        "DELETE FROM public_key",
    ] {
        let gateway = Gateway::start().await;
        let from = granted(&gateway).await;
        alter(&gateway, &sql.replace("{id}", mine.fingerprint()).replace("{pem}", mine.to_pem())).await;
        gateway.advance_ms(1000);
        let answer = gateway.upload("c1", "a", Some(from), &wav(1000)).await;
        assert!(matches!(answer.status, 503 | 403), "{sql}: {}", answer.text());
        super::nothing_got_in(&gateway).await;
        starts_nowhere(&gateway).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_law_comes_and_goes_by_the_desk_alone() {
    let looser = Text::plain().row("US-CA", ONE).text();
    let digest = policy::Table::digest_of(&looser);
    let put_in = format!(
        "INSERT INTO jurisdiction_table (digest, text, first_used_at) VALUES ('{digest}', '{}', 1); \
         INSERT INTO table_version (version, digest, in_force_at, document, salt) VALUES (3, '{digest}', 1, '{{}}', '')",
        looser.replace('\'', "''")
    );
    let other_text = "UPDATE jurisdiction_table SET text = replace(text, 'confidence', 'confidenc_')";
    for (sql, says) in [
        (put_in.as_str(), 2),
        ("DELETE FROM table_version WHERE version = 2", 2),
        ("UPDATE table_version SET digest = (SELECT digest FROM table_version WHERE version = 1)", 2),
        (other_text, 2),
    ] {
        let desk = Desk::start().await;
        desk.publish(&desk.dana, &Text::plain().row("US-NV", EXPRESS)).await.expect(201);
        alter(&desk.gateway, sql).await;
        let looked = desk.gateway.gate().refresh_law().await;
        let in_force = desk.dana.get("/v1/jurisdictions").await;
        assert!(in_force.status == 503 || in_force.expect(200)["version"] == says, "{sql}");
        assert!(looked.is_err() || sql == other_text, "{sql}");
        starts_nowhere(&desk.gateway).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_becomes_a_second_person_in_the_database() {
    let desk = Desk::start().await;
    let frank = crate::desk::counsel(&desk.gateway, "Frank").await;
    let proposal = desk.proposed(&desk.dana, &Text::plain().row("GB", ONE)).await;
    for sql in [
        "UPDATE person SET founding = TRUE",
        "INSERT INTO person_confirmed (account, person, confirmer, confirmed_at) \
         SELECT 'system', one.id, other.id, 1 FROM person AS one, person AS other \
         WHERE one.name = 'Frank' AND other.name = 'Erin Advocate'",
        "UPDATE proposal SET person = (SELECT id FROM person WHERE name = 'Erin Advocate')",
    ] {
        alter(&desk.gateway, sql).await;
        is_found(&desk.gateway, desk.approve(&frank, &proposal).await).await;
        let dana = desk.approve(&desk.dana, &proposal).await;
        assert!(matches!(dana.status, 503 | 403), "{}", dana.text());
    }
    assert!(
        !desk
            .log()
            .await
            .iter()
            .any(|leaf| { matches!(leaf.body, trail::Body::Table { version, .. } if version > 1) })
    );
}

/// What was registered elsewhere is known here as soon as the log is signed, at the latest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_node_has_revoked_is_not_undone_either() {
    let gateway = Gateway::start().await;
    let gone = credential(&gateway, "acme", Role::Recorder, "gone").await;
    let client = Client::new(gateway.running.address, &gone);
    client.get("/v1/prompts/en").await.expect(200);
    let node = serve::start(&gateway.config(), gateway.clock.clone()).await.unwrap();
    node.door.gate.revoke_credential(&Actor::command_line(), &gone.username).await.unwrap();
    client.get("/v1/prompts/en").await.problem(401, "unauthorized");
    gateway.gate().notary().unwrap().sign("acme").await.unwrap();
    alter(&gateway, "UPDATE credential SET revoked_at = NULL").await;
    client.get("/v1/prompts/en").await.problem(503, "trail-unavailable");
    node.stop().await.unwrap();
    starts_nowhere(&gateway).await;
}
