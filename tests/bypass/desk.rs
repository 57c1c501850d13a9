//! Attempts to loosen the law alone, or behind somebody's back.

use std::sync::Arc;
use std::time::Duration;

use consent_gateway::access::{Principal, Role};
use consent_gateway::gate::ask::Observed;
use consent_gateway::gate::{FaultCode, Placement, Sent};
use consent_gateway::serve;
use futures_util::future::join_all;
use jiff::SignedDuration;
use policy::{Diff, Table};
use serde_json::{Value, json};
use trail::clock::Clock;
use trail::{Actor, Body, Leaf};

use super::{stored, tables};
use crate::desk::{self, Desk, EXPRESS, NOTICE, ONE, Text, counsel, credential, looked_at};
use crate::harness::{Answer, Client, Gateway, START, comes, wav};

/// Every version that loosens something was approved by a second person, who knew what was in force;
/// every version stands in the system's log, and nothing else does.
async fn history_is_honest(gateway: &Gateway) {
    let listed = gateway.counsel.get("/v1/jurisdictions/versions").await.expect(200);
    let mut versions = listed["versions"].as_array().unwrap().clone();
    versions.reverse();
    let tables = tables(gateway).await;
    let of = |version: &Value| Arc::clone(&tables[version["digest"].as_str().unwrap()]);
    let entries: Vec<_> = desk::log(gateway, "system")
        .await
        .into_iter()
        .filter_map(|leaf| {
            let Body::Table { table, version, base, proposal, loosens, .. } = leaf.body else { return None };
            Some((json!(version), json!(table), base, proposal, loosens))
        })
        .collect();
    assert_eq!(entries.len(), versions.len());
    let mut before: Option<Arc<Table>> = None;
    for (version, (number, digest, base, proposal, loosens)) in versions.iter().zip(entries) {
        assert_eq!((&version["version"], &version["digest"]), (&number, &digest));
        let table = of(version);
        assert_eq!(base.as_deref(), before.as_ref().map(|before| before.digest()));
        if let Some(before) = before {
            let diff = Diff::between(&before, &table).shown(&before, &table);
            assert_eq!(version["diff"], json!(diff), "the difference is another than was read");
            assert_eq!(loosens, diff.loosens);
            if diff.loosens {
                let (author, approver) = (version["author"].as_str(), version["approver"].as_str());
                assert!(proposal.is_some(), "{version}");
                assert!(author.is_some_and(|author| !author.is_empty()), "{version}");
                assert!(approver.is_some_and(|approver| !approver.is_empty()), "{version}");
                assert_ne!(author, approver);
            }
        }
        before = Some(table);
    }
}

#[tokio::test]
async fn nobody_approves_their_own_proposal_by_whatever_credential() {
    let desk = Desk::start().await;
    let proposal = desk.proposed(&desk.dana, &Text::plain().row("GB", ONE)).await;
    desk.approve(&desk.dana, &proposal).await.problem(403, "own-proposal");
    for name in [
        "Dana Counsel",
        "dana counsel",
        "DANA COUNSEL",
        "  Dana   Counsel ",
        "Dana\u{a0}Counsel",
        "\u{ff24}\u{ff41}\u{ff4e}\u{ff41} Counsel",
        "Dana \u{200b}Counsel",
        "Da\u{ad}na Counsel\u{feff}",
        "\u{202e}Dana Counsel",
    ] {
        let again = counsel(&desk.gateway, name).await;
        desk.approve(&again, &proposal).await.problem(403, "own-proposal");
    }
    assert_eq!(desk.dana.get("/v1/people").await.expect(200)["people"].as_array().unwrap().len(), 2);
    // A name that is another one to Unicode is somebody whom nobody has confirmed.
    for name in
        ["Counsel, Dana", "Dr. Dana Counsel", "D\u{430}na Counsel", "Dana-Counsel", "DanaCounsel", "-"]
    {
        let again = counsel(&desk.gateway, name).await;
        desk.approve(&again, &proposal).await.problem(403, "unconfirmed-person");
    }
    assert_eq!(desk.state(&proposal).await, "open");
    desk.approve(&desk.erin, &proposal).await.expect(200);
    history_is_honest(&desk.gateway).await;
}

/// One person, who can have credentials made under whatever names, and uses every door.
#[tokio::test]
async fn nobody_makes_a_second_person_of_themselves() {
    let desk = Desk::start().await;
    let own = desk.proposed(&desk.dana, &Text::plain().row("GB", ONE)).await;
    let unconfirmed = |answer: Answer| answer.problem(403, "unconfirmed-person");
    let [sock, other] = ["Frank", "Grace"];
    let (frank, grace) = (counsel(&desk.gateway, sock).await, counsel(&desk.gateway, other).await);
    unconfirmed(desk.approve(&frank, &own).await);
    // They confirm themselves and each other; under a second credential, in another spelling.
    desk.confirm(&frank, sock).await.problem(403, "own-person");
    desk.confirm(&counsel(&desk.gateway, "FRANK").await, sock).await.problem(403, "own-person");
    unconfirmed(desk.confirm(&frank, other).await);
    unconfirmed(desk.confirm(&grace, sock).await);
    unconfirmed(desk.approve(&frank, &own).await);
    // The author confirms them: they count, and never beside the author, or beside one another.
    desk.confirm(&desk.dana, sock).await.expect(200);
    unconfirmed(desk.approve(&frank, &own).await);
    desk.confirm(&frank, other).await.expect(200);
    unconfirmed(desk.approve(&grace, &own).await);
    let theirs = desk.proposed(&frank, &Text::plain().row("DE", ONE)).await;
    desk.approve(&frank, &theirs).await.problem(403, "own-proposal");
    for one in [&desk.dana, &grace] {
        unconfirmed(desk.approve(one, &theirs).await);
    }
    // A person whom nobody has confirmed proposes, and is seconded by the one who is both.
    let heidi = counsel(&desk.gateway, "Heidi").await;
    let heidis = desk.proposed(&heidi, &Text::plain().row("US-CA", ONE)).await;
    unconfirmed(desk.approve(&desk.dana, &heidis).await);
    // Nor does such a person make theirs what the file brings.
    std::fs::write(desk.file(), Text::plain().row("GB", ONE).remark("file").text()).unwrap();
    comes(async || desk.open_proposals().await.len() == 4).await;
    let of_file = desk.open_proposals().await.into_iter().find(|one| one["origin"] == "file").unwrap();
    unconfirmed(desk.approve(&heidi, of_file["id"].as_str().unwrap()).await);
    assert_eq!(desk.versions().await, 1);
    // A credential of another account confirms nobody here.
    let stranger = credential(&desk.gateway, "acme", Role::Counsel, "Erin Advocate").await;
    let stranger = Client::new(desk.gateway.running.address, &stranger);
    desk.confirm(&stranger, sock).await.problem(404, "not-found");
    // The real second person can, and what they confirm counts.
    desk.confirm(&desk.erin, other).await.expect(200);
    desk.approve(&grace, &own).await.expect(200);
    history_is_honest(&desk.gateway).await;
    let frank = desk.person(sock).await;
    assert_eq!((&frank["counts"], &frank["confirmed_by"][0]["name"]), (&json!(true), &json!("Dana Counsel")));
    assert_eq!(desk.person("Heidi").await["counts"], false);
}

#[tokio::test]
async fn whoever_adopts_a_proposal_of_the_file_does_not_approve_it_under_a_second_credential() {
    let desk = Desk::start().await;
    std::fs::write(desk.file(), Text::plain().row("GB", ONE).text()).unwrap();
    comes(async || desk.open_proposals().await.len() == 1).await;
    let proposal = desk.open_proposals().await[0]["id"].as_str().unwrap().to_owned();
    let adopted = desk.approve(&desk.dana, &proposal).await.expect(200);
    assert_eq!((&adopted["state"], &adopted["author"]), (&json!("open"), &json!("Dana Counsel")));
    let again = counsel(&desk.gateway, "DANA counsel").await;
    desk.approve(&again, &proposal).await.problem(403, "own-proposal");
    desk.approve(&desk.dana, &proposal).await.problem(403, "own-proposal");
    assert_eq!(desk.versions().await, 1);
    desk.approve(&desk.erin, &proposal).await.expect(200);
    assert_eq!(desk.versions().await, 2);
    history_is_honest(&desk.gateway).await;
}

#[tokio::test]
async fn a_credential_that_is_revoked_or_names_nobody_changes_nothing() {
    let desk = Desk::start().await;
    let proposal = desk.proposed(&desk.dana, &Text::plain().row("GB", ONE)).await;
    let new = credential(&desk.gateway, "system", Role::Counsel, "Frank Gone").await;
    let frank = Client::new(desk.gateway.running.address, &new);
    frank.get("/v1/jurisdictions/proposals").await.expect(200);
    desk.gateway.gate().revoke_credential(&Actor::command_line(), &new.username).await.unwrap();
    desk.approve(&frank, &proposal).await.problem(401, "unauthorized");
    desk.publish(&frank, &Text::plain().row("GB", EXPRESS)).await.problem(401, "unauthorized");
    let actor = Actor::command_line();
    for name in ["", " ", "unnamed", "UNNAMED ", "\u{200b}", "\u{3164} \u{feff}"] {
        let refused = desk.gateway.gate().add_credential(&actor, "system", Role::Counsel, name, None).await;
        assert!(refused.is_err(), "`{name}`");
    }
    assert_eq!((desk.versions().await, desk.state(&proposal).await), (1, json!("open")));
}

#[tokio::test]
async fn only_counsel_of_the_systems_account_changes_the_table() {
    let desk = Desk::start().await;
    let proposal = desk.proposed(&desk.dana, &Text::plain().row("GB", ONE)).await;
    let stricter = Text::plain().row("GB", EXPRESS);
    let mut others = Vec::new();
    for account in ["system", "acme"] {
        for role in Role::ALL {
            // The system's account has no calls, and nobody who records or listens.
            let none =
                role.is_of_a_platform() || matches!(role, Role::Counsel | Role::Listener | Role::Registrar);
            if (account == "system" && !none) || (account != "system" && role != Role::Provisioner) {
                let new = credential(&desk.gateway, account, role, "Grace Other").await;
                others.push((account, role, Client::new(desk.gateway.running.address, &new)));
            }
        }
    }
    for (account, role, client) in &others {
        let refused = desk.publish(client, &stricter).await;
        assert_eq!(refused.status, 403, "{account} {role:?}: {}", refused.text());
        for what in ["approve", "reject", "withdraw"] {
            let refused = desk.decide(client, &proposal, what).await;
            assert_eq!(refused.status, 403, "{account} {role:?} {what}: {}", refused.text());
        }
        let read = client.get(&format!("/v1/jurisdictions/proposals/{proposal}")).await.status;
        let reads = *account == "system" && matches!(role, Role::Auditor | Role::Admin);
        assert_eq!(read, if reads { 200 } else { 403 }, "{account} {role:?}");
    }
    let stranger = Client::stranger(desk.gateway.running.address);
    desk.publish(&stranger, &stricter).await.problem(401, "unauthorized");
    desk.approve(&stranger, &proposal).await.problem(401, "unauthorized");
    assert_eq!((desk.versions().await, desk.state(&proposal).await), (1, json!("open")));
    desk.approve(&desk.erin, "11111111-2222-4333-8444-555555555555").await.expect(404);
    desk.approve(&desk.erin, "..").await.expect(404);
}

#[tokio::test]
async fn what_was_compared_with_another_version_cannot_be_approved() {
    let desk = Desk::start().await;
    let looser = Text::plain().row("GB", ONE);
    let proposal = desk.proposed(&desk.dana, &looser).await;
    desk.publish(&desk.erin, &Text::plain().row("US-NV", NOTICE)).await.expect(201);
    assert_eq!(desk.state(&proposal).await, "superseded");
    desk.approve(&desk.erin, &proposal).await.problem(409, "proposal-decided");
    // A wording that changes nothing is another version, too.
    let proposal = desk.proposed(&desk.dana, &looser).await;
    desk.publish(&desk.erin, &Text::plain().row("US-NV", NOTICE).remark("read again")).await.expect(201);
    desk.approve(&desk.erin, &proposal).await.problem(409, "proposal-decided");
    // Proposed anew, the difference tells that Nevada would be loosened as well.
    let again = desk.publish(&desk.dana, &looser).await.expect(202);
    let places: Vec<_> = again["proposal"]["diff"]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["place"].clone())
        .collect();
    assert!(places.contains(&json!("GB")) && places.contains(&json!("US-NV")), "{again}");
    assert_eq!(desk.versions().await, 3);
    history_is_honest(&desk.gateway).await;
}

#[tokio::test]
async fn what_has_expired_cannot_be_approved_and_comes_back_by_no_clock() {
    let desk = Desk::start().await;
    let looser = Text::plain().row("GB", ONE);
    let day = 86_400_000;
    let proposal = desk.proposed(&desk.dana, &looser).await;
    // A node whose clock will be two weeks slow. It starts before the log is signed with a later time.
    let slow = desk.another(None, Clock::manual(START.parse().unwrap())).await;
    desk.gateway.advance_ms(14 * day);
    assert_eq!(desk.state(&proposal).await, "expired");
    desk.approve(&desk.erin, &proposal).await.problem(409, "proposal-expired");
    desk.approve(&desk.erin, &proposal).await.problem(409, "proposal-expired");
    let erin = Client { address: slow.address, ..desk.erin.clone() };
    desk.approve(&erin, &proposal).await.problem(409, "proposal-expired");
    // What it proposes itself is dated after the last act at the desk, and lasts from there.
    let dana = Client { address: slow.address, ..desk.dana.clone() };
    let again = desk.proposed(&dana, &looser).await;
    assert_ne!(again, proposal);
    desk.gateway.advance_ms(14 * day - 1);
    desk.approve(&desk.erin, &again).await.expect(200);
    assert_eq!(desk.versions().await, 2);
    history_is_honest(&desk.gateway).await;
    slow.stop().await.unwrap();
}

#[tokio::test]
async fn what_has_expired_is_closed_by_itself_so_that_no_slow_clock_revives_it() {
    let desk = Desk::start().await;
    let proposal = desk.proposed(&desk.dana, &Text::plain().row("GB", ONE)).await;
    // It starts before the log is signed with a later time: after that, no gateway with this clock would start.
    let slow = desk.another(None, Clock::manual(START.parse().unwrap())).await;
    desk.gateway.advance_ms(14 * 86_400_000);
    comes(async || {
        let closed =
            |leaf: &Leaf| matches!(&leaf.body, Body::ProposalDecided { outcome, .. } if outcome == "expired");
        desk::log(&desk.gateway, "system").await.iter().any(closed)
    })
    .await;
    let erin = Client { address: slow.address, ..desk.erin.clone() };
    desk.approve(&erin, &proposal).await.problem(409, "proposal-expired");
    assert_eq!(desk.versions().await, 1);
    slow.stop().await.unwrap();
}

#[tokio::test]
async fn an_overlay_that_an_account_names_does_not_come_back_weaker_by_one_person() {
    let desk = Desk::start().await;
    let bank = Text::plain().overlay("bank", EXPRESS);
    desk.publish(&desk.dana, &bank).await.expect(201);
    let chosen = json!({"overlays": ["bank"], "reason": "we are one"});
    desk.gateway.counsel.put("/v1/law", &chosen).await.expect(200);
    let gone = desk.proposed(&desk.dana, &Text::plain()).await;
    desk.approve(&desk.erin, &gone).await.expect(200);
    let weaker = Text::plain().overlay("bank", "");
    let again = desk.publish(&desk.dana, &weaker).await.expect(202);
    assert_eq!(again["proposal"]["diff"]["loosens"], true);
    // One that nobody names comes by one person.
    desk.publish(&desk.dana, &Text::plain().overlay("shop", "")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_approvals_at_once_one_puts_the_table_in_force() {
    let desk = Desk::start().await;
    let mut people = vec![desk.erin.clone()];
    for name in ["Frank", "Grace", "Heidi"] {
        people.push(desk.colleague(name, &desk.erin).await);
    }
    for (version, rule) in [(2, ONE), (3, NOTICE), (4, ONE)] {
        let table = Text::plain().row("GB", rule).remark(&version.to_string());
        if rule == NOTICE {
            desk.publish(&desk.dana, &table).await.expect(201);
            continue;
        }
        let proposal = desk.proposed(&desk.dana, &table).await;
        let answers = join_all(people.iter().map(|one| desk.approve(one, &proposal))).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 409)), "{statuses:?}");
        assert_eq!(desk.versions().await, version);
    }
    history_is_honest(&desk.gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_approvals_at_once_of_what_the_file_brings_two_people_are_needed_all_the_same() {
    let desk = Desk::start().await;
    std::fs::write(desk.file(), Text::plain().row("GB", ONE).text()).unwrap();
    comes(async || desk.open_proposals().await.len() == 1).await;
    let proposal = desk.open_proposals().await[0]["id"].as_str().unwrap().to_owned();
    // One person, many times at once, under two credentials.
    let again = counsel(&desk.gateway, "dana  counsel").await;
    let alone = [&desk.dana, &again, &desk.dana, &again, &desk.dana, &again];
    let answers = join_all(alone.map(|one| desk.approve(one, &proposal))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(desk.versions().await, 1);
    let frank = desk.colleague("Frank", &desk.erin).await;
    let answers = join_all([&desk.erin, &frank].map(|one| desk.approve(one, &proposal))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(desk.versions().await, 2);
    history_is_honest(&desk.gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_table_that_is_published_while_another_is_approved_is_compared_with_what_is_in_force_then() {
    let desk = Desk::start().await;
    let mut last = Text::plain();
    for round in 0..8 {
        let remark = round.to_string();
        let looser = last.clone().row("GB", ONE).remark(&remark);
        // It tightens California, and keeps what Britain asks now.
        let stricter = last.clone().row("US-CA", EXPRESS).remark(&remark);
        let proposal = desk.proposed(&desk.dana, &looser).await;
        let (approved, published) =
            tokio::join!(desk.approve(&desk.erin, &proposal), desk.publish(&desk.dana, &stricter));
        assert!(matches!(approved.status, 200 | 409), "{}", approved.text());
        assert_eq!(published.status, 201, "{}", published.text());
        history_is_honest(&desk.gateway).await;
        last = Text::plain().remark(&format!("after {round}"));
        desk.both_publish(&last).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_tightenings_at_once_none_undoes_another() {
    // A long history takes a moment to compare, and others publish meanwhile.
    let plain = (1700..1900).fold(Text::plain(), |text, year| {
        text.and_row("FR", Some(&format!("{year}-01-01")), if year % 2 == 0 { ONE } else { NOTICE })
    });
    let desk = Desk::with(&plain).await;
    for round in 0..3 {
        let remark = round.to_string();
        let places = ["US-CA", "US-NV", "US-NY", "GB"];
        let tables = places.map(|code| plain.clone().row(code, EXPRESS).remark(&remark));
        let answers = join_all(tables.iter().map(|table| desk.publish(&desk.dana, table))).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        // One is in force; the others would loosen what it tightens.
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 202).count(), 3, "{statuses:?}");
        history_is_honest(&desk.gateway).await;
        desk.both_publish(&plain.clone().remark(&format!("after {round}"))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_table_that_is_published_many_times_at_once_is_one_version_or_one_proposal() {
    let desk = Desk::start().await;
    let node = desk.another(None, desk.gateway.clock.clone()).await;
    let there = Client { address: node.address, ..desk.dana.clone() };
    let people = [&desk.dana, &there, &desk.erin, &there, &desk.dana];
    let stricter = Text::plain().row("US-NV", NOTICE);
    let answers = join_all(people.map(|one| desk.publish(one, &stricter))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201)));
    let looser = Text::plain();
    let answers = join_all(people.map(|one| desk.publish(one, &looser))).await;
    let mut ids: Vec<_> =
        answers.iter().map(|answer| answer.expect(202)["proposal"]["id"].to_string()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!((desk.versions().await, desk.open_proposals().await.len()), (2, 1));
    history_is_honest(&desk.gateway).await;
    node.stop().await.unwrap();
}

/// A table in which everything is asked that can be loosened.
fn rich() -> Text {
    let media = "media.video = { parties = \"all\", form = \"express\" }\nmedia.voip = { retention = { maximum = \"30 days\" } }\n";
    let keeps = "retention = { minimum = \"30 days\", maximum = \"90 days\" }\n";
    let says = "prompt_says = [\"recording\", \"refusal\"]\n";
    Text::plain()
        .row("GB", &format!("{NOTICE}{media}{keeps}{says}"))
        .row(
            "DE",
            &format!("{EXPRESS}announcement_must_be_recorded = true\nvoicemail = {{ form = \"express\" }}\n"),
        )
        .row("FR", &format!("{ONE}voicemail = {{ parties = \"all\", form = \"notice\" }}\n"))
        .row("US-FL", &format!("{NOTICE}announcement_must_be_recorded = true\ntone_seconds = 15\n"))
        .overlay("bank", &format!("{NOTICE}retention = {{ minimum = \"5 years\" }}\n"))
        .overlay("shop", "pause_for = \"card-data\"\n")
        .overlay("never", "recording = \"forbidden\"\n")
}

#[tokio::test]
async fn nothing_is_loosened_by_one_person_in_whatever_way_it_is_written() {
    let rich = rich();
    let desk = Desk::with(&rich).await;
    let row = |code, rule: &str| rich.clone().row(code, rule);
    let gb = |media: &str, keeps: &str, says: &str| row("GB", &format!("{NOTICE}{media}{keeps}{says}"));
    let media = "media.video = { parties = \"all\", form = \"express\" }\nmedia.voip = { retention = { maximum = \"30 days\" } }\n";
    let keeps = "retention = { minimum = \"30 days\", maximum = \"90 days\" }\n";
    let says = "prompt_says = [\"recording\", \"refusal\"]\n";
    let de = |rest: &str| row("DE", &format!("{EXPRESS}{rest}"));
    let announced = "announcement_must_be_recorded = true\n";
    let tables = [
        ("a row", row("US-CA", ONE)),
        ("from a day to come", rich.clone().and_row("US-CA", Some("2031-01-01"), ONE)),
        ("from a day that is past", rich.clone().and_row("US-CA", Some("2001-01-01"), ONE)),
        ("a last day", row("US-CA", &format!("{NOTICE}effective_to = 2031-01-01\n"))),
        ("no row", rich.clone().without("US-CA")),
        ("no longer the strictest", row("US", ONE)),
        ("the default", rich.clone().default(EXPRESS)),
        (
            "the default of voicemail",
            rich.clone().default(&format!("{EXPRESS}{announced}voicemail = {{ form = \"notice\" }}\n")),
        ),
        (
            "emergency calls by default",
            rich.clone().default(&format!(
                "{EXPRESS}{announced}public_safety = {{ parties = \"one\", form = \"none\" }}\n"
            )),
        ),
        ("evidence by number", rich.clone().evidence("number", ONE)),
        ("evidence by address", rich.clone().evidence("ip", ONE)),
        ("a medium", gb("media.video = { parties = \"one\", form = \"none\" }\n", keeps, says)),
        ("no medium", gb("", keeps, says)),
        ("a medium's limit", gb("media.video = { parties = \"all\", form = \"express\" }\n", keeps, says)),
        ("a new medium", row("DE", &format!("{EXPRESS}{announced}media.voip = {{ form = \"notice\" }}\n"))),
        ("kept less long", gb(media, "retention = { minimum = \"29 days\", maximum = \"90 days\" }\n", says)),
        ("kept longer", gb(media, "retention = { minimum = \"30 days\", maximum = \"91 days\" }\n", says)),
        ("no limit", gb(media, "retention = { minimum = \"30 days\" }\n", says)),
        ("no retention", gb(media, "", says)),
        ("less said", gb(media, keeps, "prompt_says = [\"recording\"]\n")),
        ("nothing said", gb(media, keeps, "")),
        ("no announcement", de("")),
        (
            "written instead of the announcement",
            de(&format!("{announced}announcement_waived_by = [\"written\"]\n")),
        ),
        ("a works agreement", de(&format!("{announced}works_agreement_is_express = true\n"))),
        ("a tone", de(&format!("{announced}tone_seconds = 15\n"))),
        ("a rarer tone", row("US-FL", &format!("{NOTICE}{announced}tone_seconds = 30\n"))),
        ("voicemail", row("FR", &format!("{ONE}voicemail = {{ parties = \"one\", form = \"none\" }}\n"))),
        ("no voicemail", row("FR", ONE)),
        (
            "emergency calls",
            row(
                "GB",
                &format!(
                    "{NOTICE}{media}{keeps}{says}public_safety = {{ parties = \"one\", form = \"none\" }}\n"
                ),
            ),
        ),
        ("no overlay", rich.clone().without_overlay("bank")),
        ("less of an overlay", rich.clone().overlay("bank", NOTICE)),
        (
            "an overlay to come",
            rich.clone().overlay(
                "bank",
                &format!("{NOTICE}retention = {{ minimum = \"5 years\" }}\neffective_from = 2031-01-01\n"),
            ),
        ),
        ("an overlay that pauses no more", rich.clone().overlay("shop", "")),
        ("an overlay that forbids no more", rich.clone().overlay("never", EXPRESS)),
        ("both ways", row("US-CA", ONE).row("US-NV", EXPRESS)),
        (
            "both ways in one row",
            gb("media.video = { form = \"notice\" }\nmedia.voip = { form = \"express\" }\n", keeps, says),
        ),
    ];
    for (what, table) in &tables {
        let before = desk.versions().await;
        let answer = desk.publish(&desk.dana, table).await;
        assert_eq!(answer.status, 202, "{what}: {}", answer.text());
        let proposal = answer.json()["proposal"].clone();
        assert_eq!(proposal["diff"]["loosens"], true, "{what}");
        assert!(proposal["impact"]["calls"].is_u64(), "{what}: no impact report");
        let id = proposal["id"].as_str().unwrap();
        desk.approve(&desk.dana, id).await.problem(403, "own-proposal");
        assert_eq!(desk.versions().await, before, "{what}");
    }
    assert_eq!(desk.open_proposals().await.len(), tables.len());
    history_is_honest(&desk.gateway).await;
}

const ANNOUNCED: &str = "announcement_must_be_recorded = true";

/// First steps are tightenings that one person may publish; the last one loosens.
async fn in_steps(from: &Text, steps: &[Text]) {
    let desk = Desk::with(from).await;
    let (last, first) = steps.split_last().unwrap();
    for step in first {
        desk.publish(&desk.dana, step).await.expect(201);
    }
    let answer = desk.publish(&desk.dana, last).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    history_is_honest(&desk.gateway).await;
}

#[tokio::test]
async fn a_territory_under_the_strictest_state_is_not_loosened_by_a_row_of_its_own() {
    // Oregon has no row, so the strictest state counts for it: from a day on that is California.
    let plain = Text::plain().row("US-CA", ONE);
    let stricter = plain.clone().and_row("US-CA", Some("2000-01-01"), EXPRESS);
    in_steps(&plain, &[stricter.clone(), stricter.row("US-OR", ONE)]).await;
}

#[tokio::test]
async fn an_overlay_is_not_loosened_behind_what_every_place_asked_long_ago() {
    // Before 1900 every place asks all that there is, and so no overlay shows.
    let safety = format!("public_safety = {{ parties = \"all\", form = \"express\", {ANNOUNCED} }}\n");
    let all = format!("{EXPRESS}{ANNOUNCED}\n{safety}");
    let mut plain = Text::plain().default(&all).overlay("bank", EXPRESS);
    let mut old = plain.clone();
    let us = format!("{ONE}unknown_subdivision = \"strictest\"\n");
    for (code, rule) in [
        ("US", us.as_str()),
        ("US-CA", NOTICE),
        ("US-NV", ONE),
        ("US-NY", ONE),
        ("DE", EXPRESS),
        ("GB", NOTICE),
    ] {
        let rule = format!("{rule}{safety}");
        plain = plain.row(code, &rule);
        old = old.row(code, &all).and_row(code, Some("1900-01-01"), &rule);
    }
    in_steps(&plain, &[old.clone(), old.overlay("bank", NOTICE)]).await;
}

#[tokio::test]
async fn evidence_and_a_place_are_not_loosened_one_behind_the_other() {
    // A floor above every place hides that the places go down, and must not go down itself.
    let plain = Text::plain();
    let high = ["declared", "ip", "number"].into_iter().fold(plain.clone(), |text, of| {
        text.evidence(of, &format!("{EXPRESS}announcement_must_be_recorded = true\n"))
    });
    let hidden = high.clone().row("US-CA", ONE);
    in_steps(&plain, &[high, hidden.clone(), hidden.evidence("declared", ONE)]).await;
}

#[tokio::test]
async fn an_older_version_comes_back_by_two_people_only() {
    let desk = Desk::start().await;
    let stricter = Text::plain().row("GB", EXPRESS);
    desk.publish(&desk.dana, &stricter).await.expect(201);
    let first = desk.dana.get("/v1/jurisdictions/versions/1").await.expect(200);
    let text = first["table"].as_str().unwrap();
    let answer = desk.publish_text(&desk.dana, text).await.expect(202);
    let proposal = answer["proposal"]["id"].as_str().unwrap();
    desk.approve(&desk.dana, proposal).await.problem(403, "own-proposal");
    desk.approve(&desk.erin, proposal).await.expect(200);
    let now = desk.dana.get("/v1/jurisdictions").await.expect(200);
    assert_eq!((&now["version"], &now["table"]), (&json!(3), &first["digest"]), "{now}");
    history_is_honest(&desk.gateway).await;
}

#[tokio::test]
async fn a_file_that_loosens_and_is_restored_changes_nothing() {
    let desk = Desk::start().await;
    let (plain, looser) = (Text::plain().text(), Text::plain().row("GB", ONE).text());
    for _ in 0..3 {
        std::fs::write(desk.file(), &looser).unwrap();
        std::fs::write(desk.file(), &plain).unwrap();
    }
    looked_at().await;
    assert_eq!((desk.versions().await, desk.configured().await["state"].clone()), (1, json!("in-force")));
    // Seen in between, it is a proposal, and stays one.
    std::fs::write(desk.file(), &looser).unwrap();
    comes(async || desk.configured().await["state"] == "waiting").await;
    std::fs::write(desk.file(), &plain).unwrap();
    comes(async || desk.configured().await["state"] == "in-force").await;
    assert_eq!((desk.versions().await, desk.open_proposals().await.len()), (1, 1));
    history_is_honest(&desk.gateway).await;
}

#[tokio::test]
async fn a_file_that_is_gone_or_unreadable_changes_nothing_and_is_read_again_when_it_is_back() {
    let desk = Desk::start().await;
    let file = desk.file();
    let text = Text::plain().row("GB", EXPRESS).text();
    let unreadable = |problems: u64| json!({"origin": "file", "state": "unreadable", "problems": problems});
    std::fs::remove_file(&file).unwrap();
    comes(async || desk.configured().await == unreadable(0)).await;
    std::fs::create_dir(&file).unwrap();
    looked_at().await;
    assert_eq!(desk.configured().await, unreadable(0));
    std::fs::remove_dir(&file).unwrap();
    std::fs::write(&file, b"\xff\xfe# no text").unwrap();
    looked_at().await;
    assert_eq!(desk.configured().await, unreadable(0));
    // Cut off in the middle of a row.
    std::fs::write(&file, &text[..text.len() - 40]).unwrap();
    comes(async || desk.configured().await["problems"].as_u64().is_some_and(|problems| problems > 0)).await;
    assert_eq!(desk.configured().await["state"], "unreadable");
    std::os::unix::fs::symlink("jurisdictions.toml", desk.file().with_file_name("loop.toml")).unwrap();
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("loop.toml", &file).unwrap();
    comes(async || desk.configured().await == unreadable(0)).await;
    assert_eq!(desk.versions().await, 1);
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, &text).unwrap();
    comes(async || desk.configured().await["state"] == "in-force").await;
    assert_eq!(desk.versions().await, 2);
    history_is_honest(&desk.gateway).await;
}

#[tokio::test]
async fn a_file_that_is_replaced_by_one_of_the_same_size_and_time_is_read() {
    let desk = Desk::start().await;
    let file = desk.file();
    looked_at().await;
    let was = std::fs::metadata(&file).unwrap();
    let text = Text::plain().text().replacen("A statute", "Of a sort", 1);
    assert_eq!(text.len(), usize::try_from(was.len()).unwrap());
    assert_ne!(text, Text::plain().text());
    let beside = file.with_extension("new");
    std::fs::write(&beside, &text).unwrap();
    let opened = std::fs::File::options().write(true).open(&beside).unwrap();
    opened.set_modified(was.modified().unwrap()).unwrap();
    std::fs::rename(&beside, &file).unwrap();
    comes(async || desk.versions().await == 2).await;
    history_is_honest(&desk.gateway).await;
}

#[tokio::test]
async fn a_file_that_is_still_being_written_is_no_table_of_fewer_rows() {
    // Where the writer itself stands still for as long as it takes from one look to the next, nothing is tried.
    for _ in 0..20 {
        let desk = Desk::start().await;
        looked_at().await;
        let text = Text::plain().row("GB", EXPRESS).text();
        let mut longest = Duration::ZERO;
        let mut written = std::time::Instant::now();
        // Cut off between two rows it can be read, and asks everything of everybody.
        let cuts = text.match_indices("[[jurisdiction]]").map(|(cut, _)| cut);
        for cut in cuts.chain([text.len()]) {
            std::fs::write(desk.file(), &text[..cut]).unwrap();
            longest = longest.max(written.elapsed());
            written = std::time::Instant::now();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if longest > Duration::from_millis(400) {
            continue;
        }
        comes(async || desk.versions().await == 2).await;
        let second = desk.dana.get("/v1/jurisdictions/versions/2").await.expect(200);
        assert_eq!(second["table"], *text);
        assert_eq!(desk.open_proposals().await.len(), 0);
        return history_is_honest(&desk.gateway).await;
    }
    panic!("the file was never written without a pause");
}

#[tokio::test]
async fn a_restart_with_another_file_is_under_the_same_rule() {
    let desk = Desk::start().await;
    let plain = Text::plain();
    let looser = plain.clone().row("GB", ONE);
    let clock = || desk.gateway.clock.clone();
    // A looser one waits, and waits once, however often it is started.
    for _ in 0..3 {
        let node = desk.another(Some(&looser.text()), clock()).await;
        assert_eq!(desk::configured(&node).await["state"], "waiting");
        node.stop().await.unwrap();
    }
    assert_eq!((desk.versions().await, desk.open_proposals().await.len()), (1, 1));
    let proposal = desk.open_proposals().await[0]["id"].as_str().unwrap().to_owned();
    // Rejected, it does not come back by a restart.
    desk.decide(&desk.erin, &proposal, "reject").await.expect(200);
    let node = desk.another(Some(&looser.text()), clock()).await;
    assert_eq!(desk::configured(&node).await["state"], "passed");
    node.stop().await.unwrap();
    // A broken one, a missing one: the version in force stays.
    for text in ["[default\n", "", "parties = 7"] {
        let node = desk.another(Some(text), clock()).await;
        assert_eq!(desk::configured(&node).await["state"], "unreadable", "{text}");
        node.stop().await.unwrap();
    }
    let mut gone = desk.config(Some(""));
    gone.jurisdictions = Some(desk.file().with_file_name("nowhere.toml"));
    let node = serve::start(&gone, clock()).await.unwrap();
    assert_eq!(desk::configured(&node).await["state"], "unreadable");
    node.stop().await.unwrap();
    assert_eq!((desk.versions().await, desk.open_proposals().await.len()), (1, 0));
    // A file equal to an older version that was looser waits.
    desk.publish(&desk.dana, &plain.clone().row("GB", EXPRESS)).await.expect(201);
    let node = desk.another(Some(&plain.text()), clock()).await;
    assert_eq!(desk::configured(&node).await["state"], "waiting");
    node.stop().await.unwrap();
    assert_eq!((desk.versions().await, desk.open_proposals().await.len()), (2, 1));
    history_is_honest(&desk.gateway).await;
}

#[tokio::test]
async fn what_two_people_have_loosened_is_not_undone_by_a_restart_with_the_file_of_before() {
    let desk = Desk::start().await;
    desk.both_publish(&Text::plain().row("GB", ONE)).await;
    let node = desk.another(Some(&Text::plain().text()), desk.gateway.clock.clone()).await;
    assert_eq!(desk::configured(&node).await["state"], "passed");
    node.stop().await.unwrap();
    assert_eq!(desk.versions().await, 2);
}

#[tokio::test]
async fn a_program_with_another_table_compiled_in_changes_nothing_but_by_the_rule() {
    let desk = Desk::start().await;
    // Without a file, it brings the table that is compiled in: other rows, some of them looser.
    let node = desk.another(None, desk.gateway.clock.clone()).await;
    let told = desk::configured(&node).await;
    assert_eq!((&told["origin"], &told["state"]), (&json!("program"), &json!("waiting")));
    assert_eq!(desk.versions().await, 1);
    let proposal = desk.open_proposals().await[0].clone();
    assert_eq!((&proposal["author"], &proposal["origin"]), (&json!(""), &json!("program")));
    node.stop().await.unwrap();
    history_is_honest(&desk.gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_beside_the_gateway_publish_nothing_whatever_table_they_have() {
    let desk = Desk::start().await;
    let stricter = desk.file().with_file_name("stricter.toml");
    std::fs::write(&stricter, Text::plain().row("GB", EXPRESS).text()).unwrap();
    let facts = desk.file().with_file_name("facts.json");
    std::fs::write(&facts, r#"{"participants": [{"id": "a", "role": "customer", "location": "GB"}]}"#)
        .unwrap();
    let config = desk.file().with_file_name("gateway.toml");
    std::fs::write(&config, format!("jurisdictions = \"{}\"\n", stricter.display())).unwrap();
    let (config, stricter, facts) =
        (config.to_str().unwrap(), stricter.to_str().unwrap(), facts.to_str().unwrap());
    let entries = desk.log().await.len();
    for args in [
        &["account", "add", "beta"] as &[&str],
        &["credential", "add", "beta", "--role", "recorder"],
        &["check"],
        &["check", "--jurisdictions", stricter],
        &["decide", facts],
        &["decide", facts, "--jurisdictions", stricter],
        &["table", "check", stricter],
        &["table", "diff", "in-force", stricter],
        &["table", "show", "GB"],
        &["table", "impact", stricter],
        &["table", "versions"],
        &["table", "proposals"],
    ] {
        let (code, out, err) = desk.gateway.run(&[&["--config", config], args].concat());
        assert!(matches!(code, 0 | 3), "{args:?}: {code} {out}{err}");
    }
    let in_force = desk.dana.get("/v1/jurisdictions").await.expect(200);
    assert_eq!((&in_force["version"], desk.open_proposals().await.len()), (&json!(1), 0));
    assert_eq!(desk.log().await.len(), entries);
}

/// The digests by which the entries of `acme` were decided, in the order of the log.
async fn decided_by(gateway: &Gateway) -> Vec<String> {
    let leaves = desk::log(gateway, "acme").await;
    leaves.iter().filter_map(|leaf| leaf.body.saw().map(|saw| saw.table.clone())).collect()
}

/// Once a version has decided, none before it decides again.
async fn no_entry_is_decided_by_a_version_that_was_replaced(gateway: &Gateway) {
    let mut versions = gateway.gate().versions().await.unwrap();
    versions.reverse();
    let number = |digest: &String| versions.iter().position(|version| version.digest == *digest).unwrap();
    let numbers: Vec<usize> = decided_by(gateway).await.iter().map(number).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
}

#[tokio::test]
async fn a_node_that_has_not_seen_the_new_version_decides_by_it_all_the_same() {
    let desk = Desk::start().await;
    let gateway = &desk.gateway;
    super::granted(gateway).await;
    gateway.open("c2", "US-CA").await;
    // It never looks by itself.
    let stale = serve::gate(&desk.config(None), gateway.clock.clone()).await.unwrap();
    desk.publish(&desk.dana, &Text::plain().row("US-CA", EXPRESS)).await.expect(201);
    let new = gateway.gate().laws().in_force().digest().to_owned();
    assert_ne!(stale.laws().in_force().digest(), new);
    let who = Principal {
        credential: "cg_0123456789abcdef".into(),
        account: "acme".into(),
        role: Role::Recorder,
        uploads: consent_gateway::access::Uploads::default(),
    };
    let asked = |body: Value| serde_json::from_value(body).unwrap();
    let refused =
        stale.control(&who, "c2", serde_json::from_value(json!({"action": "start"})).unwrap()).await;
    assert_eq!(refused.unwrap_err().code(), FaultCode::ConsentRequired);
    assert_eq!(decided_by(gateway).await.last(), Some(&new));

    let stale = serve::gate(&desk.config(None), gateway.clock.clone()).await.unwrap();
    let express = stale.laws().in_force().digest().to_owned();
    desk.publish(&desk.dana, &Text::plain().row("US-CA", &format!("{EXPRESS}{ANNOUNCED}\n")))
        .await
        .expect(201);
    let new = gateway.gate().laws().in_force().digest().to_owned();
    assert_eq!(stale.laws().in_force().digest(), express);
    let body = json!({"participants": [{"id": "caller", "role": "customer", "location": "US-CA"}]});
    let (_, decision) = stale.open(&who, "c3", asked(body)).await.unwrap();
    assert_eq!((&decision.table, decided_by(gateway).await.last()), (&new, Some(&new)));
    assert!(decision.requirement.announcement_must_be_recorded);

    let stale = serve::gate(&desk.config(None), gateway.clock.clone()).await.unwrap();
    let stricter = Text::plain().row("US-CA", &format!("{EXPRESS}{ANNOUNCED}\n")).row("GB", EXPRESS);
    desk.publish(&desk.dana, &stricter).await.expect(201);
    let new = gateway.gate().laws().in_force().digest().to_owned();
    let event = json!([{"type": "participant.answered", "participant": "caller", "by": "human"}]);
    let events: Vec<Observed> = serde_json::from_value(event).unwrap();
    stale.observe(&who, "c1", events.into()).await.unwrap();
    assert_eq!(decided_by(gateway).await.last(), Some(&new));
    let sent = Sent::natively("c1".into(), "a".into(), Placement::Unsaid, None);
    let admitted = stale.admit(&who, sent).await;
    assert_eq!(admitted.unwrap_err().code(), FaultCode::ConsentRequired);
    stored(gateway, 0).await;
    no_entry_is_decided_by_a_version_that_was_replaced(gateway).await;
}

#[tokio::test]
async fn an_upload_on_its_way_through_another_node_is_judged_by_what_is_published_meanwhile() {
    let desk = Desk::start().await;
    let gateway = &desk.gateway;
    let node = desk.another(None, gateway.clock.clone()).await;
    let from = super::granted(gateway).await;
    gateway.advance_ms(5000);
    let there = Client { address: node.address, ..gateway.recorder.clone() };
    let audio = wav(5000);
    let path = "/v1/calls/c1/recordings/a";
    let mut upload = super::Upload::admitted(&there, path, Some(from), audio.len()).await;
    upload.send(&audio[..20_000]).await;
    desk.publish(&desk.dana, &Text::plain().row("US-CA", EXPRESS)).await.expect(201);
    upload.send(&audio[20_000..]).await;
    let (status, problem) = upload.answer().await;
    assert_eq!(status, 403, "{problem}");
    super::nothing_got_in(gateway).await;
    no_entry_is_decided_by_a_version_that_was_replaced(gateway).await;
    node.stop().await.unwrap();
}

#[tokio::test]
async fn a_call_that_was_recorded_before_a_tightening_is_not_stored_after_it() {
    let desk = Desk::start().await;
    let gateway = &desk.gateway;
    let from = super::granted(gateway).await;
    gateway.advance_ms(5000);
    gateway.control("c1", "stop").await.expect(200);
    gateway.event("c1", &json!({"type": "call.ended"})).await.expect(201);
    desk.publish(&desk.dana, &Text::plain().row("US-CA", EXPRESS)).await.expect(201);
    let refused = gateway.upload("c1", "a", Some(from), &wav(5000)).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    super::nothing_got_in(gateway).await;
    // Nor when the old version is back: within one call it only ratchets up.
    desk.both_publish(&Text::plain().remark("again")).await;
    assert_eq!(gateway.upload("c1", "a", Some(from), &wav(5000)).await.status, 403);
    super::nothing_got_in(gateway).await;
    history_is_honest(gateway).await;
}

#[tokio::test]
async fn a_loosened_table_lets_no_call_in_that_was_opened_before() {
    let strict = Text::plain().row("US-CA", EXPRESS);
    let desk = Desk::with(&strict).await;
    let gateway = &desk.gateway;
    gateway.open("c1", "US-CA").await;
    gateway.prompt("c1", &["caller", "agent"]).await;
    desk.both_publish(&Text::plain()).await;
    gateway.control("c1", "start").await.problem(403, "consent-required");
    gateway.prompt("c1", &["caller", "agent"]).await;
    gateway.control("c1", "start").await.problem(403, "consent-required");
    // Nobody who joins is asked less, either.
    let mut third = super::customer("third");
    third["location"] = json!("US-CA");
    super::join(gateway, "c1", &third).await.expect(201);
    gateway.advance_ms(1000);
    assert_eq!(gateway.upload("c1", "a", Some(gateway.now()), &wav(500)).await.status, 403);
    super::nothing_got_in(gateway).await;
    // A call that is opened now is.
    let from = super::granted_in(gateway, "c2", "US-CA").await;
    gateway.advance_ms(1000);
    gateway.upload("c2", "a", Some(from), &wav(1000)).await.expect(201);
    stored(gateway, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_race_publications_on_two_nodes_are_each_decided_by_what_is_in_force() {
    let desk = Desk::start().await;
    let gateway = &desk.gateway;
    let node = desk.another(None, gateway.clock.clone()).await;
    let there = Client { address: node.address, ..gateway.recorder.clone() };
    let audio = wav(100);
    let calls = (0..16).map(|n| {
        let (client, audio) = (if n % 2 == 0 { &gateway.recorder } else { &there }, &audio);
        async move {
            let call = format!("/v1/calls/c{n}");
            let body = json!({"medium": "telephone", "started_at": super::before(gateway.now(), 10_000), "purposes": ["quality"], "participants": [
                {"id": "caller", "role": "customer", "location": "US-CA", "languages": ["en"]}]});
            client.put(&call, &body).await.expect(201);
            let played = json!({"type": "prompt.completed", "prompt": "en", "participant": "caller", "played_ms": 4000});
            client.post(&format!("{call}/events"), &played).await.expect(201);
            let started = client.post(&format!("{call}/recording"), &json!({"action": "start"})).await.status;
            gateway.advance_ms(100);
            let from = gateway.now().checked_sub(SignedDuration::from_millis(100)).unwrap().to_string();
            let path = format!("{call}/recordings/a");
            let kept = client.upload(&path, &[("recording-start", &from)], audio).await.status;
            (started, kept)
        }
    });
    let publishing = async {
        // Wordings first, and what asks more once some have got in.
        for version in 0..4 {
            let table = Text::plain().remark(&version.to_string());
            desk.publish(&desk.dana, &table).await.expect(201);
        }
        comes(async || {
            let listed = gateway.listener.get("/v1/recordings").await.expect(200);
            !listed["recordings"].as_array().unwrap().is_empty()
        })
        .await;
        desk.publish(&desk.dana, &Text::plain().row("US-CA", EXPRESS)).await.expect(201);
    };
    let (answers, ()) = tokio::join!(join_all(calls), publishing);
    assert!(answers.iter().all(|(started, kept)| matches!(started, 200 | 403) && matches!(kept, 201 | 403)));
    let kept = answers.iter().filter(|(_, kept)| *kept == 201).count();
    assert!(kept > 0);
    eprintln!("{kept} of {} were stored before California asked more", answers.len());
    stored(gateway, kept).await;
    no_entry_is_decided_by_a_version_that_was_replaced(gateway).await;
    history_is_honest(gateway).await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_kill_in_the_middle_of_publishing_leaves_what_was_acknowledged_and_nothing_half_done() {
    let desk = Desk::start().await;
    let file = desk.file();
    for round in 0..3u64 {
        let mut process = desk.gateway.serve(&["--jurisdictions", file.to_str().unwrap()]);
        let there = |who: &Client| Client { address: process.address, ..who.clone() };
        let (dana, erin) = (there(&desk.dana), there(&desk.erin));
        let working = tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            for n in 0.. {
                // Stricter and looser in turn.
                let rule = if n % 2 == 0 { EXPRESS } else { NOTICE };
                let table = Text::plain().row("GB", rule).remark(&format!("{round} {n}")).text();
                let body = json!({"table": table, "reason": "a test"}).to_string();
                let json = [("content-type", "application/json")];
                let proposals = "/v1/jurisdictions/proposals";
                let Ok(answer) = dana.try_send("POST", proposals, &json, body.into()).await else { break };
                let answer = match answer.status {
                    201 => answer.json()["version"].clone(),
                    202 => {
                        let id = answer.json()["proposal"]["id"].as_str().unwrap().to_owned();
                        let path = format!("{proposals}/{id}/approve");
                        let Ok(approved) = erin.try_send("POST", &path, &json, "{}".into()).await else {
                            break;
                        };
                        approved.expect(200)
                    }
                    other => panic!("{other}: {}", answer.text()),
                };
                acknowledged.push((answer["version"].clone(), answer["digest"].clone()));
            }
            acknowledged
        });
        tokio::time::sleep(Duration::from_millis(400 + 130 * round)).await;
        process.kill();
        let acknowledged = working.await.unwrap();
        let listed = desk.dana.get("/v1/jurisdictions/versions").await.expect(200);
        let versions = listed["versions"].as_array().unwrap();
        for (version, digest) in &acknowledged {
            let found = versions.iter().find(|one| one["version"] == *version);
            assert_eq!(found.map(|one| &one["digest"]), Some(digest));
        }
        let open = desk.open_proposals().await;
        assert!(open.len() <= 1, "{open:?}");
        history_is_honest(&desk.gateway).await;
        eprintln!("round {round}: {} versions acknowledged", acknowledged.len());
    }
}
