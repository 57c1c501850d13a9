//! Whoever is erased stands nowhere any more: every table and every column of the ledger is searched for all that
//! was ever said of them, however it was said.

use consent_gateway::config::Config;
use consent_gateway::gate::AccountSettings;
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use super::person;
use crate::harness::{Gateway, Random, wav};
use crate::postgres::{self, Place};

impl Gateway {
    /// Where in the ledger any of these texts stands.
    async fn holds(&self, texts: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        for (place, cell) in self.cells().await {
            let stands = |text: &&String| {
                let escaped = json!(text).to_string();
                let escaped = escaped.trim_matches('"').as_bytes().to_vec();
                [text.as_bytes().to_vec(), escaped]
                    .iter()
                    .any(|text| cell.windows(text.len()).any(|window| window == text.as_slice()))
            };
            found.extend(texts.iter().filter(stands).map(|text| format!("`{text}` in {place}")));
        }
        found
    }

    /// Every cell of every table, whatever its type, as bytes.
    async fn cells(&self) -> Vec<(String, Vec<u8>)> {
        let mut cells = Vec::new();
        match self.place() {
            None => {
                let file = consent_gateway::ledger::file(&self.data());
                let mut raw = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
                let sql = "SELECT m.name || '.' || p.name FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table'";
                let columns: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut raw).await.unwrap();
                for column in columns {
                    let (table, name) = column.split_once('.').unwrap();
                    let sql = format!("SELECT hex(\"{name}\") FROM \"{table}\" WHERE \"{name}\" IS NOT NULL");
                    let all: Vec<String> =
                        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut raw).await.unwrap();
                    cells.extend(all.into_iter().map(|cell| (column.clone(), hex::decode(cell).unwrap())));
                }
            }
            Some(place) => {
                let mut raw = postgres::connect(&place.url).await;
                let sql = "SELECT table_name || '.' || column_name || '.' || data_type FROM information_schema.columns \
                     WHERE table_schema = current_schema()";
                let columns: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut raw).await.unwrap();
                for column in columns {
                    let parts: Vec<&str> = column.split('.').collect();
                    let [table, name, kind] = parts.as_slice() else { panic!("{column}") };
                    let bytes = match *kind {
                        "bytea" => format!("\"{name}\""),
                        _ => format!("convert_to(\"{name}\"::text, 'UTF8')"),
                    };
                    let sql = format!(
                        "SELECT encode({bytes}, 'hex') FROM \"{table}\" WHERE \"{name}\" IS NOT NULL"
                    );
                    let all: Vec<String> =
                        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut raw).await.unwrap();
                    cells.extend(all.into_iter().map(|cell| (column.clone(), hex::decode(cell).unwrap())));
                }
            }
        }
        cells
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Somebody with a number that has many forms, and names that nobody else has.
struct Somebody {
    /// All ways in which the number is written; the first is its one form.
    number: Vec<String>,
    /// As it is dialled within its country.
    nsn: String,
    call: String,
    alias: String,
    id: String,
    /// A word that is in everything else that is said of them.
    word: String,
}

impl Somebody {
    fn new(n: usize, random: &mut Random) -> Somebody {
        let word = format!("zq{n}{:06x}", random.next() >> 40);
        let last = format!("{:02}", 10 + n);
        let (code, forms) = match n % 4 {
            0 => (2, "+4420794609{}|+44 20 7946 09{}|+44 (0)20 7946-09{}|+440207946 09{}|020 7946 09{}"),
            1 => (1, "+141555501{}|+1 (415) 555-01{}|415-555-01{}|001 415.555.01{}|415 555 01 {}"),
            2 => (2, "+331990012{}|+33 1 99 00 12 {}|+33 (0)1 99 00 12 {}|01.99.00.12.{}|+3301990012{}"),
            _ => (2, "+3906698123{}|+39 06 698 123{}|06 6981 23{}|0039 06698123{}|+39(0)6698123{}"),
        };
        let number: Vec<String> = forms.split('|').map(|form| form.replace("{}", &last)).collect();
        let nsn = number[0][1 + code..].to_owned();
        let call = match random.below(4) {
            0 => format!("{word}-{nsn}@203.0.113.9"),
            1 => format!("{word}/ü {n}"),
            2 => format!("\"{word}\""),
            _ => format!("{word}:1"),
        };
        Somebody { number, nsn, call, alias: format!("leg {word}"), id: format!("{word}-person"), word }
    }

    /// One of the ways in which a backend may write the number.
    fn international(&self, random: &mut Random) -> &str {
        let all: Vec<&String> = self.number.iter().filter(|form| form.starts_with('+')).collect();
        all[random.below(all.len())]
    }

    fn any(&self, random: &mut Random) -> &str {
        &self.number[random.below(self.number.len())]
    }

    /// What may stand nowhere any more.
    fn traces(&self) -> Vec<String> {
        let mut all = self.number.clone();
        all.extend([self.nsn.clone(), self.word.clone()]);
        all
    }
}

async fn is_found_nowhere(place: Option<Place>) {
    let on = if place.is_some() { "PostgreSQL" } else { "SQLite" };
    let gateway = Gateway::on(place, Config::default(), AccountSettings::default()).await;
    let seed = 0x5eed_2026_1129;
    eprintln!("on {on}, seed {seed:#x}");
    let mut random = Random(seed);
    let (asks, admin) = (gateway.auditor.clone(), gateway.admin.clone());
    for n in 0..12 {
        let one = Somebody::new(n, &mut random);
        let call = encoded(&one.call);
        let number = one.international(&mut random).to_owned();
        // They were asked for before anything was known of them.
        asks.get(&format!("/v1/calls/{call}")).await.problem(404, "unknown-call");
        let grant = json!({
            "subject": if n % 2 == 0 { number.clone() } else { one.id.clone() }, "role": "customer",
            "basis": format!("form {}", one.word), "text_version": one.word, "purposes": null,
        });
        let form = format!("form-{}", if n % 4 == 0 { one.id.clone() } else { n.to_string() });
        gateway.registrar.put(&format!("/v1/consent-grants/{form}"), &grant).await.expect(201);
        asks.get(&format!("/v1/consent-grants/{form}")).await.expect(200);
        let caller = json!({
            "id": one.id, "role": "customer", "number": number, "location": "US-CA", "languages": ["eng"],
            "ip": format!("203.0.113.{n}"), "consent_grant": form,
        });
        let more = json!({"aliases": [one.alias]});
        gateway.open_with(&call, json!([caller, person("agent", "agent", "US-CA")]), more).await;
        gateway.prompt(&call, &[&one.id, "agent"]).await;
        for who in [one.id.as_str(), "agent"] {
            gateway.says_yes(&call, who, "dtmf").await;
        }
        let located = json!({
            "type": "participant.located", "participant": one.id, "number": one.international(&mut random),
            "id": format!("event {}", one.word), "reason": format!("moved, {}", one.any(&mut random)),
            "evidence": {"source": "crm", "ref": one.word},
        });
        gateway.report(&call, located).await;
        gateway.control(&call, "start").await.expect(200);
        let announced = json!({"type": "announcement.recorded", "participants": [one.id, "agent"]});
        gateway.report(&call, announced).await;
        let from = gateway.now();
        gateway.advance_ms(1_000);
        let name = encoded(&format!("rec {}", one.word));
        let stored = gateway.upload(&call, &name, Some(from), &wav(1000)).await.expect(201);
        let recording = stored["id"].as_str().unwrap().to_owned();
        // Auditors ask for them in every way there is.
        for path in [
            format!("/v1/calls/{call}"),
            format!("/v1/calls/{call}/decision"),
            format!("/v1/calls/{call}/explain"),
            format!("/v1/calls/{call}/vcon"),
            format!("/v1/recordings?call={call}"),
            format!("/v1/recordings/{recording}"),
            format!("/v1/consents?call={call}"),
            format!("/v1/consents?call={}", encoded(&one.alias)),
            format!("/v1/consents?participant={}", encoded(&one.id)),
            format!("/v1/consents?number={}", encoded(one.international(&mut random))),
            format!("/v1/consents?listener={}", encoded(&one.id)),
        ] {
            asks.get(&path).await.expect(200);
        }
        gateway.report(&call, json!({"type": "call.ended", "id": format!("end {}", one.word)})).await;
        // Others speak of them.
        let other = format!("other-{n}");
        let third = format!("third-{n}");
        gateway.open_with(&other, json!([person(&third, "customer", "US-CA")]), json!({})).await;
        for said in [one.any(&mut random), &one.call, &one.alias, &one.id] {
            let reason = format!("as {said}, which was before");
            let event = json!({"type": "consent.declined", "participant": third, "reason": reason});
            gateway.report(&other, event).await;
        }
        gateway.report(&other, json!({"type": "call.ended"})).await;
        assert!(
            !gateway.holds(std::slice::from_ref(&one.word)).await.is_empty(),
            "the search finds what is there"
        );

        let whom = match n % 3 {
            0 => json!({"participant": one.id}),
            _ => json!({"number": one.international(&mut random)}),
        };
        let mut asked =
            json!({"recordings": if n % 2 == 0 { "keep" } else { "delete" }, "reason": "request 4711"});
        asked.as_object_mut().unwrap().extend(whom.as_object().unwrap().clone());
        let named = |what: &str| {
            let mut asked = asked.clone();
            asked["reason"] = json!(format!("for {what}"));
            asked
        };
        for what in [one.any(&mut random), &one.call, &one.alias, &one.id] {
            let refused = admin.post("/v1/erasures", &named(what)).await;
            refused.problem(422, "reason-names-them");
        }
        let erased = admin.post("/v1/erasures", &asked).await.expect(200);
        assert_eq!(erased["calls"], 1, "{erased}");
        let left = gateway.holds(&one.traces()).await;
        assert!(left.is_empty(), "on {on}, person {n}, erased by {whom}: {left:#?}");
        // Of the third nothing is gone but what named somebody else.
        asks.get(&format!("/v1/calls/{other}")).await.expect(200);
    }
    let page = asks.get("/v1/consents?type=call.opened&limit=1000").await.expect(200);
    let details = page["consents"].as_array().unwrap().iter().filter(|one| !one["detail"].is_null());
    assert_eq!(details.count(), 12, "the openings of the others keep their details");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_erased_is_found_in_no_column_of_sqlite() {
    is_found_nowhere(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_erased_is_found_in_no_column_of_postgresql() {
    is_found_nowhere(Some(Place::new().await)).await;
}
