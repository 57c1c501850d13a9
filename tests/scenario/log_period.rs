//! A log begins anew with every period, and an epoch that was kept for long enough is dropped as a whole.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use consent_gateway::config::{Config, LogPeriod};
use consent_gateway::gate::answer::DroppedEpoch;
use consent_gateway::gate::{AccountSettings, Fault, FaultCode, FaultKind, LogRefusal, Refused};
use consent_gateway::ledger::Epoch;
use jiff::Timestamp;
use serde_json::{Value, json};
use trail::Actor;
use trail::note::{Checkpoint, Note};

use crate::harness::{Answer, Gateway, comes, run, wav};

const TABLES: &[&str] = &["entry", "detail", "node", "entry_time", "entry_mention", "checkpoint"];
const NEW_YEAR: &str = "2027-01-01T00:00:00Z";

impl Gateway {
    async fn yearly() -> Gateway {
        let config = Config {
            log_period: Some(LogPeriod::Year),
            log_name: Some("gateway.example.com".into()),
            ..Config::default()
        };
        Gateway::with(config, AccountSettings::default()).await
    }

    /// Waits until the program, which looks once a second, has begun this epoch.
    async fn epoch_begins(&self, epoch: i64) {
        comes(async || self.gate().ledger().head("acme").await.unwrap().unwrap().epoch == epoch).await;
    }

    fn at(&self, moment: &str) {
        let moment: Timestamp = moment.parse().unwrap();
        let ms = moment.as_millisecond() - self.now().as_millisecond();
        self.advance_ms(u64::try_from(ms).unwrap());
    }

    async fn checkpoint_of(&self, log: &str) -> Answer {
        self.auditor.get(&format!("/v1/log/{log}/checkpoint")).await
    }

    async fn drop_first(&self) -> Result<DroppedEpoch, Fault> {
        let at = Epoch { log: "acme".into(), epoch: 1 };
        self.gate()
            .drop_epoch(
                &Actor::command_line(),
                &at,
                "gateway.example.com",
                "kept for long enough",
                &|_, _| {},
            )
            .await
    }

    async fn refuses_to_drop(&self) -> LogRefusal {
        match self.drop_first().await.unwrap_err() {
            Fault::Refused { why: Refused::Log(why), .. } => why,
            Fault::Refused { why, .. } => panic!("{why:?}"),
            Fault::Failed(failure) => panic!("{failure:?}"),
        }
    }

    /// How many rows of the first epoch a table has.
    async fn rows_of(&self, table: &str) -> i64 {
        let file = self.data().join("ledger.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
        let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
        let sql =
            sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table} WHERE log = 'acme' AND epoch = 1"));
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
    }
}

fn head_of(answer: &Answer) -> Checkpoint {
    assert_eq!(answer.status, 200, "{}", answer.text());
    Checkpoint::parse(&Note::parse(&answer.text()).unwrap().text).unwrap()
}

#[test]
fn periods_begin_at_midnight_in_utc() {
    let began = |period: LogPeriod, at: &str| period.began(at.parse().unwrap()).to_string();
    for (at, year, quarter, month) in [
        ("2027-01-01T00:00:00Z", "2027-01-01", "2027-01-01", "2027-01-01"),
        ("2026-12-31T23:59:59.999Z", "2026-01-01", "2026-10-01", "2026-12-01"),
        ("2028-02-29T12:00:00Z", "2028-01-01", "2028-01-01", "2028-02-01"),
        ("2026-04-01T00:30:00+02:00", "2026-01-01", "2026-01-01", "2026-03-01"),
        ("2026-06-30T00:00:00Z", "2026-01-01", "2026-04-01", "2026-06-01"),
    ] {
        assert_eq!(began(LogPeriod::Year, at), format!("{year}T00:00:00Z"), "{at}");
        assert_eq!(began(LogPeriod::Quarter, at), format!("{quarter}T00:00:00Z"), "{at}");
        assert_eq!(began(LogPeriod::Month, at), format!("{month}T00:00:00Z"), "{at}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_begins_anew_with_the_year_and_calls_go_on_in_it() {
    let gateway = Gateway::yearly().await;
    gateway.at("2026-12-31T23:59:50Z");
    let from = gateway.recording_in("c", "US-CA").await;
    let before = head_of(&gateway.checkpoint_of("acme").await);
    assert_eq!(before.origin, "gateway.example.com/acme");
    gateway.at(NEW_YEAR);
    gateway.epoch_begins(2).await;
    let head = head_of(&gateway.checkpoint_of("acme").await);
    assert_eq!((head.origin.as_str(), head.size), ("gateway.example.com/acme.2", 1));
    let rows = gateway.rows("acme").await;
    let first = rows.iter().find(|row| row.epoch == 2).unwrap();
    let first: Value = serde_json::from_slice(&first.leaf).unwrap();
    let previous = &first["body"]["log_opened"]["previous"];
    assert_eq!(first["type"], "log.opened");
    assert_eq!(first["body"]["log_opened"]["cause"], "period");
    assert_eq!(previous["origin"], "gateway.example.com/acme");
    // The last head of the epoch before is kept, signed, and is what the new one goes on from.
    let closed = gateway.gate().ledger().closed_logs("acme").await.unwrap();
    let last = head_of(&gateway.checkpoint_of("acme.1").await);
    assert_eq!(closed.len(), 1);
    assert_eq!(
        (previous["size"].as_u64(), previous["root"].as_str()),
        (Some(last.size), Some(BASE64_STANDARD.encode(last.root).as_str()))
    );
    assert_eq!(closed[0].root, last.root);
    assert!(last.size >= before.size);
    // The call goes on, and is one call.
    gateway.advance_ms(1_000);
    let stored = gateway.upload("c", "a", Some(from), &wav(1000)).await.expect(201);
    gateway.report("c", json!({"type": "call.ended"})).await;
    let shown = gateway.auditor.get("/v1/calls/c").await.expect(200);
    assert_eq!(shown["timeline"]["accepted_ms"], 1000, "{shown}");
    assert_eq!(gateway.fetch_and_open(stored["id"].as_str().unwrap()).await, wav(1000));
    // The system's log has begun anew, too, and nothing does so twice.
    assert_eq!(gateway.gate().ledger().closed_logs("system").await.unwrap().len(), 1);
    gateway.gate().turn_logs(NEW_YEAR.parse().unwrap()).await.unwrap();
    assert_eq!(gateway.gate().ledger().closed_logs("acme").await.unwrap().len(), 1);
    // And it still verifies: both epochs.
    let data = gateway.data();
    let config = gateway.dir.path().join("gateway.toml");
    std::fs::write(&config, "log_name = \"gateway.example.com\"\n").unwrap();
    let pins = gateway.checkpoint_of("acme").await;
    assert_eq!(pins.status, 200);
    if std::env::var("GATEWAY_TEST_LEDGER").is_err() {
        for log in ["acme", "acme.1"] {
            let args = [
                "--config",
                config.to_str().unwrap(),
                "--data",
                data.to_str().unwrap(),
                "audit",
                "verify",
                log,
            ];
            let (code, out, err) = run(&args);
            assert!(code == 0, "{log}: {out}{err}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_come_in_while_a_log_begins_anew_are_all_there_once() {
    let gateway = Gateway::yearly().await;
    gateway.open("c", "US-CA").await;
    gateway.at(NEW_YEAR);
    let busy = async |who: usize| {
        for number in 0..60 {
            let answered = json!({"type": "participant.answered", "participant": "caller", "by": "human", "id": format!("{who}-{number}")});
            gateway.report("c", answered).await;
        }
    };
    tokio::join!(busy(0), busy(1), busy(2), gateway.epoch_begins(2));
    let rows = gateway.rows("acme").await;
    let answered =
        rows.iter().filter(|row| String::from_utf8_lossy(&row.leaf).contains("participant.answered"));
    assert_eq!(answered.count(), 180);
    for epoch in [1, 2] {
        let seqs: Vec<i64> = rows.iter().filter(|row| row.epoch == epoch).map(|row| row.seq).collect();
        let all: Vec<i64> = (0..i64::try_from(seqs.len()).unwrap()).collect();
        assert_eq!(seqs, all);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_epoch_is_dropped_whole_once_nothing_needs_it_and_its_last_head_is_kept() {
    let in_postgres = std::env::var("GATEWAY_TEST_LEDGER").is_ok_and(|which| which == "postgres");
    let gateway = Gateway::yearly().await;
    let code = gateway.refuses_to_drop().await.code();
    assert_eq!((code, code.kind()), (FaultCode::LogOpen, FaultKind::Conflict));
    let stored = gateway.stored("c").await;
    let id = stored["id"].as_str().unwrap().to_owned();
    gateway.open("d", "DE").await;
    gateway.at(NEW_YEAR);
    gateway.epoch_begins(2).await;
    let last = gateway.checkpoint_of("acme.1").await.text();
    // What is still needed stays.
    let refused = gateway.refuses_to_drop().await;
    assert!(matches!(&refused, LogRefusal::InProgress { calls } if *calls == ["c", "d"]), "{refused:?}");
    gateway.report("c", json!({"type": "call.ended"})).await;
    gateway.report("d", json!({"type": "call.ended"})).await;
    let refused = gateway.refuses_to_drop().await;
    assert!(
        matches!(&refused, LogRefusal::Recordings { recordings } if *recordings == [id.as_str()]),
        "{refused:?}"
    );
    gateway.counsel.put(&format!("/v1/recordings/{id}/hold"), &json!({})).await.expect(200);
    let refused = gateway.refuses_to_drop().await;
    assert!(
        matches!(&refused, LogRefusal::Held { recordings } if *recordings == [id.as_str()]),
        "{refused:?}"
    );
    gateway.counsel.delete(&format!("/v1/recordings/{id}/hold")).await.expect(200);
    gateway.admin.delete(&format!("/v1/recordings/{id}")).await.expect(204);

    let dropped = gateway.drop_first().await.unwrap();
    let head = Checkpoint::parse(&Note::parse(&last).unwrap().text).unwrap();
    assert_eq!((json!(dropped.size), json!(dropped.dropped)), (json!(head.size), json!(head.size)));
    for table in if in_postgres { &[] } else { TABLES } {
        assert_eq!(gateway.rows_of(table).await, 0, "{table}");
    }
    // Its last head is what remains, and the log says that it was dropped.
    assert_eq!(gateway.checkpoint_of("acme.1").await.text(), last);
    gateway.auditor.get("/v1/log/acme.1/tile/entries/000.p/1").await.problem(410, "log-dropped");
    let rows = gateway.rows("acme").await;
    assert!(rows.iter().all(|row| row.epoch == 2));
    let said: Value = serde_json::from_slice(&rows.last().unwrap().leaf).unwrap();
    assert_eq!(said["type"], "log.dropped");
    assert_eq!(
        said["body"]["log_dropped"],
        json!({"origin": head.origin, "size": head.size, "root": BASE64_STANDARD.encode(head.root)})
    );
    // Its calls are gone with it, also one that had ended in the next epoch, and their ids are free.
    for call in ["c", "d"] {
        gateway.auditor.get(&format!("/v1/calls/{call}")).await.problem(404, "unknown-call");
        gateway.open(call, "US-CA").await;
    }
    gateway.auditor.get("/v1/recordings").await.expect(200);
    gateway.auditor.get("/v1/consents").await.expect(200);
    // Once more is harmless, and the log goes on through a restart.
    assert_eq!(gateway.drop_first().await.unwrap().dropped, 0);
    if in_postgres {
        return;
    }
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        data: gateway.data(),
        log_name: Some("gateway.example.com".into()),
        ..Config::default()
    };
    let clock = gateway.clock.clone();
    gateway.running.stop().await.unwrap();
    let again = consent_gateway::serve::start(&config, clock).await.unwrap();
    again.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn epochs_are_dropped_in_their_order() {
    let gateway = Gateway::yearly().await;
    assert_eq!(gateway.checkpoint_of("acme").await.status, 200);
    let pin = gateway.config().pins_dir().join("acme.checkpoint");
    let first = std::fs::read(&pin).unwrap();
    for (epoch, year) in [(2, "2027-01-01T00:00:00Z"), (3, "2028-01-01T00:00:00Z")] {
        gateway.at(year);
        gateway.epoch_begins(epoch).await;
    }
    let at = |epoch| Epoch { log: "acme".into(), epoch };
    let drop = async |epoch| {
        gateway
            .gate()
            .drop_epoch(&Actor::command_line(), &at(epoch), "gateway.example.com", "old", &|_, _| {})
            .await
    };
    assert_eq!(drop(2).await.unwrap_err().code(), FaultCode::EarlierEpoch);
    assert_eq!(drop(4).await.unwrap_err().code(), FaultCode::NotFound);
    drop(1).await.unwrap();
    drop(2).await.unwrap();
    assert_eq!(drop(3).await.unwrap_err().code(), FaultCode::LogOpen);
    // A gateway that has no pins yet, or was last there before all of this, goes on: the last heads of what was
    // dropped are kept.
    let (config, clock) = (gateway.config(), gateway.clock.clone());
    let config = Config { log_name: Some("gateway.example.com".into()), ..config };
    gateway.running.stop().await.unwrap();
    std::fs::remove_dir_all(config.pins_dir()).unwrap();
    let again = consent_gateway::serve::start(&config, clock.clone()).await.unwrap();
    again.stop().await.unwrap();
    std::fs::write(&pin, first).unwrap();
    let again = consent_gateway::serve::start(&config, clock).await.unwrap();
    again.stop().await.unwrap();
}
