//! Every change, as reads show it.

use consent_gateway::ledger::{Change, HoldRow, Ledger, Question, WaitingRow, Which};
use trail::{Detail, Draft};
use uuid::Uuid;

use super::expectations::{allowance, hold, proposed, recorded, stated, waiting};
use super::{Store, account, append, call, change, entry, first_epoch, gap, of_call, on_both_engines};

on_both_engines!(
    accounts_and_credentials_change,
    keys_and_prompts_change,
    grants_change,
    recording_settings_change,
    readings_change,
    calls_and_participants_change,
    recordings_change,
    notifications_change,
    holds_and_waiting_erasures_change,
    quarantine_changes,
    recordings_are_found_by_when_who_and_what_for,
    subjects_and_probes_change,
    signed_heads_and_anchors_change,
    epochs_end,
    the_law_changes,
    names_are_told_apart_by_their_bytes,
    a_name_with_a_nul_is_of_nothing,
);

async fn quarantine_changes(store: &Store) {
    let ledger = with_account(store).await;
    let id = Uuid::from_u128;
    let put = |number, identity| Change::Quarantine { row: Box::new(waiting(number, identity)) };
    change(&ledger, vec![put(1, 1), put(2, 2), put(3, 3)]).await;
    let listed = async |after: (i64, String)| {
        let rows = ledger.quarantine("acme", after, 2).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    let start = || (i64::MIN, String::new());
    assert_eq!(listed(start()).await, [id(1).to_string(), id(2).to_string()]);
    assert_eq!(listed((5, id(2).to_string())).await, [id(3).to_string()]);
    let row = ledger.quarantined("acme", id(1)).await.unwrap().unwrap();
    assert_eq!((row.locked.as_deref(), row.place.as_deref()), (Some(&[3, 4][..]), Some("here")));
    assert_eq!((row.identity, row.fingerprint, row.uploader), (vec![1], vec![1, 2], "cg_1".into()));
    assert!(ledger.quarantined("globex", id(1)).await.unwrap().is_none());
    let same = ledger.quarantined_as("acme", &[2]).await.unwrap();
    assert_eq!(same.unwrap().id, id(2).to_string());
    let overdue = async |now| ledger.quarantine_overdue(now, start(), 9).await.unwrap().len();
    assert_eq!((overdue(99).await, overdue(100).await), (0, 3));
    // One is released, another destroyed: neither can be unlocked any more.
    let ended = |number, kept| Change::QuarantineEnded { id: id(number), at: 50, kept };
    change(&ledger, vec![ended(1, true), ended(2, false)]).await;
    let row = ledger.quarantined("acme", id(1)).await.unwrap().unwrap();
    assert_eq!((row.locked, row.ended_at), (None, Some(50)));
    assert_eq!(overdue(100).await, 1);
    let all = [id(1), id(2), id(3)];
    assert_eq!(ledger.quarantine_live(&all).await.unwrap(), [id(3)].into());
    // The media of the one that was destroyed are still there.
    assert_eq!(ledger.named_media(&all).await.unwrap(), [id(2), id(3)].into());
    let unswept = async || ledger.quarantine_unswept(Uuid::nil(), 9).await.unwrap().len();
    assert_eq!(unswept().await, 1);
    change(&ledger, vec![Change::ForgetQuarantine { before: 51 }]).await;
    assert!(ledger.quarantined("acme", id(2)).await.unwrap().is_some());
    assert!(ledger.quarantined("acme", id(1)).await.unwrap().is_none());
    change(&ledger, vec![Change::QuarantineSwept { id: id(2) }]).await;
    assert_eq!(unswept().await, 0);
    change(&ledger, vec![Change::ForgetQuarantine { before: 50 }]).await;
    assert!(ledger.quarantined("acme", id(2)).await.unwrap().is_some());
    change(&ledger, vec![Change::ForgetQuarantine { before: 51 }]).await;
    assert!(ledger.quarantined("acme", id(2)).await.unwrap().is_none());
    // Calls by their time and the numbers of who is on them.
    let person = |call, participant, number: &str| Change::Participant {
        call,
        participant,
        id: format!("p{participant}"),
        number: Some(number.into()),
        ip: None,
        grant: None,
    };
    let (on, other) = (id(11), id(12));
    let first = of_call("acme", on, 0);
    let second = of_call("acme", other, 1);
    let calls = vec![
        call(on, "c", &["c"], 1000, first.id),
        call(other, "d", &["d"], 2000, second.id),
        person(on, 0, "+15550100"),
        person(on, 1, "+15550101"),
        person(other, 0, "+15550100"),
        Change::CallEnded { uid: on, at: 3000 },
    ];
    change(&ledger, calls).await;
    append(&ledger, vec![first, second]).await;
    let found = async |numbers: &[&str], from, until| {
        let numbers: Vec<String> = numbers.iter().map(|number| (*number).to_owned()).collect();
        let rows = ledger.calls_with("acme", &numbers, (from, until)).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(found(&["+15550100", "+15550101"], 2500, 2500).await, ["c"]);
    // Nobody else may be on it, and nobody may be missing.
    assert_eq!(found(&["+15550100"], 2500, 2500).await, ["d"]);
    assert!(found(&["+15550100", "+15550101"], 3001, 3001).await.is_empty());
    assert!(found(&["+15550100", "+15550102"], 2500, 2500).await.is_empty());
    assert!(found(&["+15550100", "+15550101"], 999, 999).await.is_empty());
    // One that began long before may have ended unheard.
    assert_eq!(found(&["+15550100"], 602_000, 602_000).await, ["d"]);
    assert!(found(&["+15550100"], 602_001, 602_001).await.is_empty());
    assert_eq!(ledger.quarantine_size("acme").await.unwrap(), 1);
    // It may have begun at any moment in between.
    assert_eq!(found(&["+15550100", "+15550101"], 999, 1999).await, ["c"]);
}

async fn holds_and_waiting_erasures_change(store: &Store) {
    let ledger = with_account(store).await;
    let (on, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let mut first = of_call("acme", on, 0);
    first.mentions = vec!["subject:ada".into()];
    let second = of_call("acme", other, 1);
    let person = |call, id: &str| Change::Participant {
        call,
        participant: 0,
        id: id.into(),
        number: None,
        ip: None,
        grant: None,
    };
    let changes = vec![
        call(on, "c", &["c"], 1, first.id),
        call(other, "d", &["d"], 1, second.id),
        person(on, "caller"),
        person(other, "somebody"),
    ];
    change(&ledger, changes).await;
    append(&ledger, vec![first, second]).await;
    let (a, b) = (Uuid::from_u128(11), Uuid::from_u128(12));
    let made = |id, call, name: &str, (from, until)| {
        let mut row = recorded(id, call, name);
        (row.recorded_from, row.recorded_until, row.delete_by) = (from, until, Some(1000));
        Change::Recording { row: Box::new(row) }
    };
    change(&ledger, vec![made(a, on, "a", (100, 200)), made(b, other, "b", (300, 400))]).await;
    let covered = async || {
        let mut covered = Vec::new();
        for id in [a, b] {
            let row = ledger.recording("acme", id).await.unwrap().unwrap();
            assert!(!row.held);
            assert_eq!(row.covered, row.is_held());
            assert_eq!(row.covered, !ledger.holds_on(id).await.unwrap().is_empty());
            covered.push(row.covered);
        }
        let held = covered.iter().filter(|covered| **covered).count() as u64;
        let due = ledger.due(1000, (i64::MIN, String::new()), 10).await.unwrap();
        assert_eq!((due.len() as u64, ledger.due_but_held(1000).await.unwrap()), (2 - held, held));
        (covered[0], covered[1])
    };
    assert_eq!(covered().await, (false, false));
    // Each condition alone, and several at once: all of them have to be met.
    type Limit = fn(&mut HoldRow);
    let cases: [(Limit, (bool, bool)); 16] = [
        (|row| row.recording = Some(Uuid::from_u128(11).to_string()), (true, false)),
        (|row| row.call = Some("d".into()), (false, true)),
        (|row| row.call = Some("e".into()), (false, false)),
        (|row| row.subject = Some("subject:ada".into()), (true, false)),
        (|row| row.subject = Some("subject:eve".into()), (false, false)),
        (|row| row.participant = Some("caller".into()), (true, false)),
        (|row| row.participant = Some("somebody".into()), (false, true)),
        (|row| row.recorded_from = Some(199), (true, true)),
        (|row| row.recorded_from = Some(200), (false, true)),
        (|row| row.recorded_from = Some(400), (false, false)),
        (|row| row.recorded_until = Some(301), (true, true)),
        (|row| row.recorded_until = Some(300), (true, false)),
        (|row| row.recorded_until = Some(100), (false, false)),
        (|row| (row.call, row.recorded_until) = (Some("c".into()), Some(300)), (true, false)),
        (|row| (row.call, row.recorded_until) = (Some("d".into()), Some(300)), (false, false)),
        (|row| (row.call, row.participant) = (Some("c".into()), Some("somebody".into())), (false, false)),
    ];
    for (number, (limit, wanted)) in (50u128..).zip(cases) {
        change(&ledger, vec![Change::SetHold { row: Box::new(hold(number, limit)) }]).await;
        assert_eq!(covered().await, wanted, "{number}");
        let listed = ledger.holds("acme").await.unwrap();
        assert_eq!(listed.iter().map(|row| row.id.clone()).collect::<Vec<_>>(), [format!("hold-{number}")]);
        change(&ledger, vec![Change::LiftHold { uid: Uuid::from_u128(number) }]).await;
        assert_eq!(covered().await, (false, false));
    }
    // Of another account.
    change(&ledger, vec![account("globex")]).await;
    let elsewhere = hold(80, |row| (row.account, row.recorded_from) = ("globex".into(), Some(0)));
    change(&ledger, vec![Change::SetHold { row: Box::new(elsewhere) }]).await;
    assert_eq!(covered().await, (false, false));

    let row = WaitingRow {
        uid: Uuid::from_u128(70).to_string(),
        account: "acme".into(),
        document: "{}".into(),
        asked_at: 5,
        salt: "00".into(),
    };
    let waits = Change::WaitingErasure { row: Box::new(row) };
    change(&ledger, vec![waits, Change::RestrictCall { call: on, at: 5 }]).await;
    let waiting = async || ledger.waiting_erasures("acme").await.unwrap().len();
    assert_eq!((waiting().await, ledger.accounts_waiting().await.unwrap()), (1, vec!["acme".to_owned()]));
    let restricted = async |id| ledger.recording("acme", id).await.unwrap().unwrap().restricted;
    assert_eq!((restricted(a).await, restricted(b).await), (true, false));
    change(&ledger, vec![Change::ErasureDone { uid: Uuid::from_u128(70) }]).await;
    assert_eq!((waiting().await, ledger.accounts_waiting().await.unwrap().len()), (0, 0));
}

/// Where a change is tested: a new one has to be named here, and tested.
#[expect(dead_code, reason = "the compiler asks for every change")]
fn tested(change: &Change) -> &'static str {
    match change {
        Change::Account { .. }
        | Change::AccountSettings { .. }
        | Change::AccountPlaces { .. }
        | Change::AccountProvisioner { .. }
        | Change::AccountAlias { .. }
        | Change::DropAccountAlias { .. }
        | Change::Credential { .. }
        | Change::RotateCredential { .. }
        | Change::RevokeCredential { .. }
        | Change::SetCredential { .. }
        | Change::Person { .. }
        | Change::ConfirmPerson { .. } => "accounts_and_credentials_change",
        Change::Key { .. } | Change::RetireKey { .. } | Change::Prompt { .. } => "keys_and_prompts_change",
        Change::Grant { .. } | Change::WithdrawGrant { .. } => "grants_change",
        Change::RecordingSettings { .. } => "recording_settings_change",
        Change::Reading { .. }
        | Change::ApproveReading { .. }
        | Change::ProposeReadingEnd { .. }
        | Change::EndReading { .. }
        | Change::AllowReadings { .. }
        | Change::DisallowReadings { .. } => "readings_change",
        Change::Call { .. }
        | Change::CallEnded { .. }
        | Change::Restrictions { .. }
        | Change::Participant { .. }
        | Change::SentEvent { .. } => "calls_and_participants_change",
        Change::Recording { .. }
        | Change::Enveloped { .. }
        | Change::DeleteRecording { .. }
        | Change::Swept { .. }
        | Change::Hold { .. } => "recordings_change",
        Change::SetHold { .. }
        | Change::LiftHold { .. }
        | Change::WaitingErasure { .. }
        | Change::ErasureDone { .. }
        | Change::RestrictCall { .. } => "holds_and_waiting_erasures_change",
        Change::Quarantine { .. }
        | Change::QuarantineEnded { .. }
        | Change::QuarantineSwept { .. }
        | Change::ForgetQuarantine { .. } => "quarantine_changes",
        Change::Notification { .. }
        | Change::NotificationTried { .. }
        | Change::NotificationDone { .. }
        | Change::NotificationsForgotten { .. } => "notifications_change",
        Change::Subject { .. }
        | Change::Probe { .. }
        | Change::Mark { .. }
        | Change::Unmark { .. }
        | Change::Secret { .. } => "subjects_and_probes_change",
        Change::Checkpoint { .. } | Change::Anchor { .. } => "signed_heads_and_anchors_change",
        Change::CloseLog { .. } | Change::Recommit { .. } => "epochs_end",
        Change::Erase(_) => "erasure::what_is_erased_goes_and_nothing_else",
        Change::Table { .. }
        | Change::TableVersion { .. }
        | Change::TableSource { .. }
        | Change::Proposal { .. }
        | Change::AdoptProposal { .. }
        | Change::DecideProposal { .. } => "the_law_changes",
    }
}

async fn with_account(store: &Store) -> Ledger {
    let ledger = store.open().await;
    change(&ledger, vec![account("acme")]).await;
    ledger
}

async fn accounts_and_credentials_change(store: &Store) {
    let ledger = store.open().await;
    let added = Change::Account {
        id: "zeta".into(),
        operator: Some("US-NY".into()),
        recorder: None,
        settings: "{\"a\":\"ü\"}".into(),
        provisioner: Some("cg_9".into()),
        at: 7,
    };
    change(&ledger, vec![added, account("Beta"), account("acme")]).await;
    let found = ledger.account("zeta").await.unwrap().unwrap();
    assert_eq!(
        (found.operator_location.as_deref(), found.recorder_location, found.settings.as_str()),
        (Some("US-NY"), None, "{\"a\":\"ü\"}")
    );
    // In the order of bytes, and without the system's own.
    let listed: Vec<String> = ledger.accounts().await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(listed, ["Beta", "acme", "zeta"]);
    change(&ledger, vec![Change::AccountSettings { id: "zeta".into(), settings: "{}".into() }]).await;
    assert_eq!(ledger.account("zeta").await.unwrap().unwrap().settings, "{}");
    assert!(ledger.account("nobody").await.unwrap().is_none());
    let places = Change::AccountPlaces { id: "zeta".into(), operator: None, recorder: Some("DE".into()) };
    change(&ledger, vec![places]).await;
    let found = ledger.account("zeta").await.unwrap().unwrap();
    assert_eq!((found.operator_location, found.recorder_location.as_deref()), (None, Some("DE")));
    // Those of one provisioner, page by page.
    assert_eq!(found.provisioner.as_deref(), Some("cg_9"));
    let of = |id: &str, provisioner: Option<&str>| Change::AccountProvisioner {
        id: id.into(),
        provisioner: provisioner.map(Into::into),
    };
    change(&ledger, vec![of("acme", Some("cg_9")), of("Beta", Some("cg_8"))]).await;
    let page = async |after: &str, limit| {
        let rows = ledger.accounts_of("cg_9", after, limit).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(page("", 9).await, ["acme", "zeta"]);
    assert_eq!((page("", 1).await, page("acme", 1).await), (vec!["acme".into()], vec!["zeta".into()]));
    change(&ledger, vec![of("acme", None)]).await;
    assert_eq!((page("", 9).await, page("zeta", 9).await.len()), (vec!["zeta".to_owned()], 0));
    let alias = |alias: &str, uid| Change::AccountAlias {
        account: "acme".into(),
        alias: alias.into(),
        folded: alias.to_ascii_lowercase(),
        uid: Uuid::from_u128(uid),
        salt: String::new(),
        at: 3,
    };
    change(&ledger, vec![alias("ZZ", 51), alias("AC12", 52)]).await;
    let aliases = async |account: &str| {
        let rows = ledger.aliases(account).await.unwrap();
        rows.into_iter().map(|row| row.alias).collect::<Vec<_>>()
    };
    assert_eq!(
        (aliases("acme").await, aliases("zeta").await.len()),
        (vec!["AC12".into(), "ZZ".to_owned()], 0)
    );
    let found = ledger.alias("AC12").await.unwrap().unwrap();
    assert_eq!(
        (found.account.as_str(), found.added_at, found.uid),
        ("acme", 3, Uuid::from_u128(52).to_string())
    );
    assert!(ledger.alias("ac12").await.unwrap().is_none(), "as it was given, and in no other way");
    change(&ledger, vec![Change::DropAccountAlias { uid: Uuid::from_u128(52).to_string() }]).await;
    assert_eq!(aliases("acme").await, ["ZZ"]);

    let enrol = |number, folded: &str| Change::Person {
        salt: String::new(),
        id: Uuid::from_u128(number),
        account: "acme".into(),
        folded: folded.into(),
        name: "Ada".into(),
        founding: number == 1,
        at: 1,
    };
    let (ada, eve) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let confirm = |at| Change::ConfirmPerson { account: "acme".into(), person: eve, by: ada, at };
    change(&ledger, vec![enrol(1, "ada"), enrol(2, "eve"), confirm(3), confirm(4)]).await;
    let people = ledger.people("acme").await.unwrap();
    let told: Vec<_> =
        people.iter().map(|row| (row.id.parse().unwrap(), &*row.folded, row.founding)).collect();
    assert_eq!(told, [(ada, "ada", true), (eve, "eve", false)]);
    let confirmed = ledger.confirmed("acme").await.unwrap();
    let told: Vec<_> =
        confirmed.iter().map(|row| (&*row.person, &*row.confirmer, row.confirmed_at)).collect();
    assert_eq!(told, [(&*eve.to_string(), &*ada.to_string(), 3)]);
    assert!(
        ledger.people("Beta").await.unwrap().is_empty() && ledger.confirmed("Beta").await.unwrap().is_empty()
    );
    let credential = Change::Credential {
        username: "cg_1".into(),
        account: "acme".into(),
        role: "auditor".into(),
        name: "Ada".into(),
        person: Some(ada),
        provisioner: Some("cg_9".into()),
        hash: "hash".into(),
        coverage: "granted",
        on_refusal: "deny",
        quarantine_seconds: 60,
        at: 1,
    };
    change(&ledger, vec![credential]).await;
    let found = ledger.credential("cg_1").await.unwrap().unwrap();
    assert_eq!(
        [&found.username, &found.account, &found.role, &found.name, &found.hash],
        ["cg_1", "acme", "auditor", "Ada", "hash"]
    );
    assert_eq!((found.person, found.provisioner.as_deref()), (Some(ada.to_string()), Some("cg_9")));
    change(&ledger, vec![Change::RotateCredential { username: "cg_1".into(), hash: "other".into() }]).await;
    assert_eq!(ledger.credential("cg_1").await.unwrap().unwrap().hash, "other");
    assert_eq!((found.coverage.as_str(), found.on_refusal.as_str()), ("granted", "deny"));
    let set = Change::SetCredential { username: "cg_1".into(), on_refusal: "discard", quarantine_seconds: 0 };
    change(&ledger, vec![set]).await;
    assert_eq!(ledger.credential("cg_1").await.unwrap().unwrap().on_refusal, "discard");
    change(&ledger, vec![Change::RevokeCredential { username: "cg_1".into(), at: 2 }]).await;
    assert!(ledger.credential("cg_1").await.unwrap().is_none());
}

async fn keys_and_prompts_change(store: &Store) {
    let ledger = with_account(store).await;
    let key = |id: &str, at| Change::Key { id: id.into(), account: "acme".into(), pem: "PEM".into(), at };
    let call = Uuid::from_u128(1);
    change(&ledger, vec![key("b", 1), key("a", 1), key("0", 2)]).await;
    let keys = async || {
        let rows = ledger.keys("acme").await.unwrap();
        rows.into_iter().map(|row| (row.id, row.added_at, row.retired_at)).collect::<Vec<_>>()
    };
    let of = |id: &str, at, retired| (id.to_owned(), at, retired);
    assert_eq!(keys().await, [of("a", 1, None), of("b", 1, None), of("0", 2, None)]);
    let retire = |id: &str, at| Change::RetireKey { id: id.into(), account: "acme".into(), at };
    change(&ledger, vec![retire("a", 3), retire("a", 4), retire("b", 3), retire("0", 3)]).await;
    assert_eq!(keys().await, [of("a", 1, Some(3)), of("b", 1, Some(3)), of("0", 2, Some(3))]);
    assert_eq!(ledger.before_upload("acme", call, "main").await.unwrap(), (false, false));
    // Taken up again: it is the same key, since then.
    change(&ledger, vec![key("a", 9)]).await;
    assert_eq!(keys().await[0], of("a", 1, None));
    assert_eq!(ledger.before_upload("acme", call, "main").await.unwrap(), (false, true));
    assert!(ledger.keys("globex").await.unwrap().is_empty());

    let prompt = |id: &str, version: i64| Change::Prompt {
        salt: String::new(),
        account: "acme".into(),
        id: id.into(),
        version,
        uid: crate::harness::uid(),
        document: format!("{{\"v\":{version}}}"),
        at: version,
    };
    change(&ledger, vec![prompt("en", 1), prompt("en", 2), prompt("de", 1)]).await;
    let found = ledger.prompt("acme", "en").await.unwrap().unwrap();
    assert_eq!((found.version, found.created_at, found.document.as_str()), (2, 2, "{\"v\":2}"));
    let listed = ledger.prompts("acme").await.unwrap();
    let listed: Vec<_> = listed.iter().map(|row| (row.id.as_str(), row.version)).collect();
    assert_eq!(listed, [("de", 1), ("en", 2)]);
    assert!(ledger.prompt("globex", "en").await.unwrap().is_none());
}

async fn grants_change(store: &Store) {
    let ledger = with_account(store).await;
    let uid = Uuid::from_u128(5);
    let grant = Change::Grant {
        salt: String::new(),
        account: "acme".into(),
        id: "g".into(),
        uid,
        document: "{}".into(),
        at: 1,
    };
    change(&ledger, vec![grant]).await;
    let found = ledger.grant("acme", "g").await.unwrap().unwrap();
    assert_eq!((found.uid, found.created_at, found.withdrawn_at), (uid.to_string(), 1, None));
    let withdraw = |at| Change::WithdrawGrant { account: "acme".into(), id: "g".into(), at };
    change(&ledger, vec![withdraw(2), withdraw(3)]).await;
    assert_eq!(ledger.grant("acme", "g").await.unwrap().unwrap().withdrawn_at, Some(2), "the first counts");
    assert!(ledger.grant("acme", "h").await.unwrap().is_none());
}

async fn recording_settings_change(store: &Store) {
    let ledger = with_account(store).await;
    assert!(ledger.recording_settings("acme").await.unwrap().is_none());
    let set = |document: &str, at| Change::RecordingSettings {
        account: "acme".into(),
        document: document.into(),
        salt: format!("{at:02}"),
        at,
    };
    change(&ledger, vec![set("{\"line\":\"4.3\"}", 1)]).await;
    change(&ledger, vec![set("{\"line\":\"master\"}", 2)]).await;
    let found = ledger.recording_settings("acme").await.unwrap().unwrap();
    assert_eq!(
        (found.document.as_str(), found.set_at, found.salt.as_str()),
        ("{\"line\":\"master\"}", 2, "02")
    );
    assert!(ledger.recording_settings("globex").await.unwrap().is_none());
}

async fn readings_change(store: &Store) {
    let ledger = with_account(store).await;
    let state = |id: &str, at| Change::Reading { row: Box::new(stated(id, at)) };
    change(&ledger, vec![state("b", 1), state("a", 1), state("c", 2)]).await;
    let all = async || ledger.readings("acme").await.unwrap();
    let ids: Vec<String> = all().await.into_iter().map(|row| row.id).collect();
    assert_eq!(ids, ["c", "a", "b"], "the newest first");
    let approve = |id: &str, number, at| Change::ApproveReading {
        account: "acme".into(),
        id: id.into(),
        person: Uuid::from_u128(number),
        at,
    };
    let propose_end = |id: &str, number, at| Change::ProposeReadingEnd {
        account: "acme".into(),
        id: id.into(),
        person: Uuid::from_u128(number),
        at,
    };
    let end = |id: &str, at| Change::EndReading {
        account: "acme".into(),
        id: id.into(),
        at,
        decision: format!("{{\"at\":{at}}}"),
    };
    // The first decision counts; what is over is never approved.
    change(
        &ledger,
        vec![approve("a", 2, 5), approve("a", 3, 6), end("b", 7), approve("b", 2, 8), end("b", 9)],
    )
    .await;
    // So does the first proposal to end what is in force; what waits is ended at once.
    change(&ledger, vec![propose_end("a", 4, 10), propose_end("a", 5, 11), propose_end("c", 4, 10)]).await;
    let rows = all().await;
    let [c, a, b] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((a.approver.as_deref(), a.in_force_at), (Some(&*Uuid::from_u128(2).to_string()), Some(5)));
    assert_eq!((a.ended_at, a.decision.as_deref()), (None, None));
    let proposer = Uuid::from_u128(4).to_string();
    assert_eq!((a.end_proposer.as_deref(), a.end_proposed_at), (Some(proposer.as_str()), Some(10)));
    assert_eq!((c.end_proposer.as_deref(), c.end_proposed_at), (None, None));
    assert_eq!((b.in_force_at, b.ended_at, b.decision.as_deref()), (None, Some(7), Some("{\"at\":7}")));
    assert_eq!((c.code.as_str(), c.document.as_str(), c.credential.as_str()), ("US-TX", "{}", "cg_1"));
    assert!(ledger.readings("globex").await.unwrap().is_empty());

    let allow = |code: &str| Change::AllowReadings { row: Box::new(allowance(code)) };
    let disallow = |code: &str| Change::DisallowReadings { account: "acme".into(), code: code.into() };
    change(&ledger, vec![allow("US-TX"), allow("DE"), allow("GB"), disallow("GB")]).await;
    let allowed = ledger.reading_allowances("acme").await.unwrap();
    let codes: Vec<(&str, i64)> = allowed.iter().map(|row| (row.code.as_str(), row.allowed_at)).collect();
    assert_eq!(codes, [("DE", 1), ("US-TX", 1)]);
    assert!(ledger.reading_allowances("globex").await.unwrap().is_empty());
    assert_eq!(ledger.restrictions("acme").await.unwrap(), Some(0));
    assert_eq!(ledger.restrictions("globex").await.unwrap(), None);
}

async fn calls_and_participants_change(store: &Store) {
    let ledger = with_account(store).await;
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let (first, second, other) = (of_call("acme", one, 0), of_call("acme", one, 1), of_call("acme", two, 2));
    let head = second.id;
    change(&ledger, vec![call(one, "c", &["c", "leg"], 10, first.id)]).await;
    append(&ledger, vec![first, second]).await;
    let found = ledger.call_by_name("acme", "leg").await.unwrap().unwrap();
    assert_eq!(
        (found.uid, found.id.as_str(), found.body.as_str(), found.opened_at, found.ended_at, found.head),
        (one.to_string(), "c", "digest", 10, None, head.to_string())
    );
    assert!(ledger.call_by_name("globex", "c").await.unwrap().is_none());

    // A gap of the log reaches every call of the account, and is counted there.
    assert_eq!(found.restrictions, 0);
    append(&ledger, vec![gap("acme", 3), gap("globex", 3)]).await;
    assert_eq!(ledger.call(one).await.unwrap().unwrap().restrictions, 1);
    change(&ledger, vec![Change::Restrictions { account: "acme".into() }]).await;
    assert_eq!(ledger.call_by_name("acme", "leg").await.unwrap().unwrap().restrictions, 2);

    // Opened again: the name moves, the alias stays.
    let ended = |at| Change::CallEnded { uid: one, at };
    change(&ledger, vec![ended(15), ended(16), call(two, "c", &["c"], 20, other.id)]).await;
    append(&ledger, vec![other]).await;
    let uid = async |name: &str| ledger.call_by_name("acme", name).await.unwrap().unwrap().uid;
    assert_eq!((uid("c").await, uid("leg").await), (two.to_string(), one.to_string()));
    assert_eq!(ledger.call(one).await.unwrap().unwrap().ended_at, Some(15), "the first counts");
    let at = async |at| ledger.call_at("acme", "c", at).await.unwrap().map(|row| row.uid);
    assert_eq!((at(9).await, at(10).await), (None, Some(one.to_string())));
    assert_eq!((at(19).await, at(20).await), (Some(one.to_string()), Some(two.to_string())));
    let named: Vec<_> =
        ledger.calls_named("acme", "c").await.unwrap().into_iter().map(|row| row.uid).collect();
    assert_eq!(named, [one.to_string(), two.to_string()]);
    let counts = async |from, account| ledger.count_calls(from, account).await.unwrap();
    assert_eq!((counts(0, None).await, counts(11, None).await), (2, 1));
    assert_eq!((counts(0, Some("acme")).await, counts(0, Some("globex")).await), (2, 0));

    let on = |number: Option<&str>, ip: Option<&str>, grant: Option<&str>| Change::Participant {
        call: two,
        participant: 3,
        id: "caller".into(),
        number: number.map(str::to_owned),
        ip: ip.map(str::to_owned),
        grant: grant.map(str::to_owned),
    };
    change(&ledger, vec![on(Some("+1"), None, None), on(None, Some("::1"), Some("g")), on(None, None, None)])
        .await;
    let (leaves, people) = ledger.history(two).await.unwrap();
    assert_eq!((leaves.len(), people.len()), (1, 1));
    assert_eq!(
        (people[0].participant, people[0].id.as_str(), people[0].number.as_deref(), people[0].ip.as_deref()),
        (3, "caller", Some("+1"), Some("::1"))
    );
    assert_eq!(people[0].consent_grant.as_deref(), Some("g"));
    let relying = ledger.calls_with_grant("acme", "g").await.unwrap();
    assert_eq!(relying.iter().map(|row| row.uid.clone()).collect::<Vec<_>>(), [two.to_string()]);
    assert!(ledger.calls_with_grant("globex", "g").await.unwrap().is_empty());

    change(&ledger, vec![Change::SentEvent { call: two, id: "e".into(), digest: vec![0, 255] }]).await;
    assert_eq!(ledger.sent_event(two, "e").await.unwrap(), Some(vec![0, 255]));
    assert_eq!(ledger.sent_event(one, "e").await.unwrap(), None);
}

async fn recordings_are_found_by_when_who_and_what_for(store: &Store) {
    let ledger = with_account(store).await;
    let [one, two] = [1, 2].map(Uuid::from_u128);
    let somebody = |call, participant, id: &str| Change::Participant {
        call,
        participant,
        id: id.into(),
        number: None,
        ip: None,
        grant: None,
    };
    let made = |n: u128, on, from, until, people: &[u32], purposes: Option<&[&str]>| {
        let mut row = recorded(Uuid::from_u128(n), on, &format!("r{n}"));
        (row.recorded_from, row.recorded_until) = (from, until);
        row.about = serde_json::json!({"segments": [[from, until]], "people": people, "purposes": purposes})
            .to_string();
        Change::Recording { row: Box::new(row) }
    };
    let changes = vec![
        call(one, "a", &["a"], 1, Uuid::nil()),
        call(two, "b", &["b"], 1, Uuid::nil()),
        somebody(one, 0, "Zoë"),
        somebody(one, 1, "agent-7"),
        somebody(two, 0, "agent-7"),
        made(11, one, 10, 20, &[0, 1], Some(&["quality", "it's, \"so\""])),
        made(12, one, 20, 30, &[0], None),
        made(13, two, 15, 16, &[0], Some(&[])),
    ];
    change(&ledger, changes).await;
    let found = async |which: Which| {
        let rows = ledger.recordings_which("acme", &which, (i64::MIN, String::new()), 9).await.unwrap();
        rows.iter().map(|row| row.id.parse::<Uuid>().unwrap().as_u128()).collect::<Vec<_>>()
    };
    let which = Which::default;
    assert_eq!(found(which()).await, [11, 12, 13]);
    assert_eq!(found(Which { from: Some(20), ..which() }).await, [12]);
    assert_eq!(found(Which { until: Some(20), ..which() }).await, [11, 13]);
    assert_eq!(found(Which { from: Some(12), until: Some(16), ..which() }).await, [11, 13]);
    // Who was on the call and not on the recording is not found.
    assert_eq!(found(Which { participant: Some("agent-7".into()), ..which() }).await, [11, 13]);
    assert_eq!(found(Which { participant: Some("Zoë".into()), ..which() }).await, [11, 12]);
    assert_eq!(found(Which { participant: Some("agent\0".into()), ..which() }).await, []);
    // Where nothing is named, it is for anything; where nothing was told, for nothing.
    assert_eq!(found(Which { purpose: Some("quality".into()), ..which() }).await, [11, 12]);
    assert_eq!(found(Which { purpose: Some("it's, \"so\"".into()), ..which() }).await, [11, 12]);
    assert_eq!(found(Which { purpose: Some("Quality".into()), ..which() }).await, [12]);
    let both = Which {
        call: Some(one),
        participant: Some("agent-7".into()),
        purpose: Some("quality".into()),
        ..which()
    };
    assert_eq!(found(both).await, [11]);
    // The newest first, page by page, and by their names.
    let ids = |rows: Vec<consent_gateway::ledger::RecordingRow>| {
        rows.iter().map(|row| row.id.parse::<Uuid>().unwrap().as_u128()).collect::<Vec<_>>()
    };
    let (all, first) = ((i64::MIN, i64::MAX), (i64::MAX, String::new()));
    let newest = async |uploader: Option<&str>, created, before, limit| {
        ids(ledger.newest_recordings("acme", uploader, created, before, limit).await.unwrap())
    };
    assert_eq!(newest(None, all, first.clone(), 9).await, [13, 12, 11]);
    assert_eq!(newest(None, all, first.clone(), 2).await, [13, 12]);
    let accepted = ledger.recording("acme", Uuid::from_u128(12)).await.unwrap().unwrap().accepted_at;
    assert_eq!(newest(None, all, (accepted, Uuid::from_u128(12).to_string()), 2).await, [11]);
    assert_eq!(newest(None, (accepted, accepted + 1), first.clone(), 9).await, [13, 12, 11]);
    assert_eq!(newest(None, (accepted + 1, i64::MAX), first.clone(), 9).await, []);
    assert_eq!(newest(None, (i64::MIN, accepted), first.clone(), 9).await, []);
    assert_eq!(newest(Some("nobody"), all, first, 9).await, []);
    let named = async |uploader: Option<&str>, name| {
        ids(ledger.recordings_named("acme", uploader, name, 2).await.unwrap())
    };
    assert_eq!(named(None, "r12").await, [12]);
    assert_eq!((named(None, "r1").await, named(Some("nobody"), "r12").await), (vec![], vec![]));
    assert_eq!(named(None, "r12\0").await, []);
    let people = ledger.names_on(&[one.to_string()]).await.unwrap();
    let mut people: Vec<_> = people.into_iter().map(|(_, number, id)| (number, id)).collect();
    people.sort();
    assert_eq!(people, [(0, "Zoë".to_owned()), (1, "agent-7".to_owned())]);
}

async fn recordings_change(store: &Store) {
    let ledger = with_account(store).await;
    let (on, first) = (Uuid::from_u128(1), of_call("acme", Uuid::from_u128(1), 0));
    change(&ledger, vec![call(on, "c", &["c"], 1, first.id)]).await;
    append(&ledger, vec![first]).await;
    let ids: Vec<Uuid> = (11..16).map(Uuid::from_u128).collect();
    let (a, b) = (ids[0], ids[1]);
    let mut rows: Vec<_> =
        ids.iter().enumerate().map(|(n, id)| recorded(*id, on, &format!("part-{n}"))).collect();
    rows[2].uploader = "cg_2".into();
    rows[4].accepted_at = 4;
    change(&ledger, rows.iter().cloned().map(|row| Change::Recording { row: Box::new(row) }).collect()).await;
    let found = ledger.recording("acme", a).await.unwrap().unwrap();
    assert_eq!(
        (&found.call_id, &found.name, &found.fingerprint, found.bytes, found.enveloped),
        (&"c".to_owned(), &"part-0".to_owned(), &vec![0, 1, 255], 1 << 40, false)
    );
    assert_eq!(
        (found.kept_at_least.as_deref(), found.kept_at_most, found.keep_until, found.delete_by),
        (Some("1 day"), None, Some(1 << 40), None)
    );
    assert!(ledger.recording("globex", a).await.unwrap().is_none());
    assert_eq!(ledger.recording_by_name(on, "part-1").await.unwrap().unwrap().id, b.to_string());
    assert_eq!(ledger.before_upload("acme", on, "part-1").await.unwrap(), (true, false));
    assert_eq!(ledger.named_media(&[a, on, b]).await.unwrap(), [a, b].into());
    assert_eq!(ledger.named_media(&[]).await.unwrap(), [].into());

    let unfinished = async || {
        let rows = ledger.unfinished(Uuid::nil(), 100).await.unwrap();
        let mut ids: Vec<_> = rows.into_iter().map(|row| row.id).collect();
        ids.sort();
        ids
    };
    assert_eq!(unfinished().await.len(), 5);
    change(&ledger, ids[1..].iter().map(|id| Change::Enveloped { id: *id }).collect()).await;
    assert_eq!(unfinished().await, [a.to_string()]);
    // As it is noted by the way, with whatever is written next.
    ledger.enveloped(a);
    append(&ledger, vec![of_call("acme", on, 1)]).await;
    assert!(unfinished().await.is_empty() && ledger.recording("acme", a).await.unwrap().unwrap().enveloped);

    let hold = |held| Change::Hold { id: b, held };
    change(&ledger, vec![hold(true)]).await;
    assert!(ledger.recording("acme", b).await.unwrap().unwrap().held);
    change(&ledger, vec![hold(false)]).await;
    assert!(!ledger.recording("acme", b).await.unwrap().unwrap().held);

    // Page by page, the oldest first, those of the same moment by their ids.
    let page = async |uploader, after: (i64, String), limit| {
        let rows = ledger.recordings("acme", Some(on), uploader, after, limit).await.unwrap();
        rows.into_iter().map(|row| (row.accepted_at, row.id)).collect::<Vec<_>>()
    };
    let begin = || (i64::MIN, String::new());
    let all = page(None, begin(), 100).await;
    let id = |n: usize| ids[n].to_string();
    assert_eq!(all, [(4, id(4)), (5, id(0)), (5, id(1)), (5, id(2)), (5, id(3))]);
    assert_eq!(page(None, all[1].clone(), 2).await, all[2..4]);
    assert_eq!(page(Some("cg_2"), begin(), 100).await, [(5, id(2))]);

    change(&ledger, vec![Change::DeleteRecording { id: a, at: 8 }, Change::DeleteRecording { id: a, at: 9 }])
        .await;
    let gone = ledger.recording("acme", a).await.unwrap().unwrap();
    assert_eq!((gone.deleted_at, gone.envelope), (Some(8), None), "its keys are gone");
    assert_eq!(unfinished().await, [a.to_string()]);
    assert_eq!(page(None, begin(), 100).await.len(), 4);
    assert_eq!(ledger.live_recordings(&[id(0), id(1), "x".into()]).await.unwrap(), [id(1)]);
    change(&ledger, vec![Change::Swept { id: a }]).await;
    assert!(unfinished().await.is_empty());
    assert!(ledger.has_recordings(on).await.unwrap());
}

async fn notifications_change(store: &Store) {
    let ledger = store.open().await;
    change(&ledger, vec![account("acme"), account("globex")]).await;
    let (one, two) = (Uuid::from_u128(101), Uuid::from_u128(102));
    let told = |number, account: &str, call, action: Option<&str>| Change::Notification {
        id: Uuid::from_u128(number),
        account: account.into(),
        kind: "recording.suspended",
        call,
        recording: Some(Uuid::from_u128(7)),
        action: action.map(ToOwned::to_owned),
        at: 10,
        due_at: 10,
    };
    let queued = |number, account: &str, call| told(number, account, call, Some("pause"));
    // The order is that of their coming, and the ids say nothing of it.
    let all = vec![
        queued(9, "acme", Some(one)),
        queued(8, "acme", Some(one)),
        queued(7, "acme", Some(two)),
        queued(6, "acme", None),
        queued(5, "globex", None),
    ];
    change(&ledger, all).await;
    change(&ledger, vec![queued(9, "acme", Some(two))]).await;
    let due = async |now, each, limit| {
        let rows = ledger.notifications_due(now, each, limit).await.unwrap();
        rows.into_iter().map(|row| row.id.parse::<Uuid>().unwrap().as_u128()).collect::<Vec<_>>()
    };
    assert!(due(9, 100, 100).await.is_empty());
    // The second of a call waits for the first.
    assert_eq!(due(10, 100, 100).await, [9, 7, 6, 5]);
    assert_eq!(due(10, 1, 100).await, [9, 5]);
    assert_eq!(due(10, 100, 2).await, [9, 7]);
    let row = ledger.notification("acme", Uuid::from_u128(9)).await.unwrap().unwrap();
    assert_eq!(
        (row.kind.as_str(), row.call, row.recording, row.action.as_deref(), row.queued_at, row.due_at),
        (
            "recording.suspended",
            Some(one.to_string()),
            Some(Uuid::from_u128(7).to_string()),
            Some("pause"),
            10,
            10
        )
    );
    assert!(ledger.notification("globex", Uuid::from_u128(9)).await.unwrap().is_none());
    let tried = |number, attempts, due_at, failed_at| Change::NotificationTried {
        id: Uuid::from_u128(number),
        attempts,
        due_at,
        outcome: Some("500".into()),
        failed_at,
    };
    change(&ledger, vec![tried(9, 1, 20, None)]).await;
    assert_eq!(due(19, 100, 100).await, [7, 6, 5], "the call's next one waits as well");
    let row = ledger.notification("acme", Uuid::from_u128(9)).await.unwrap().unwrap();
    assert_eq!((row.attempts, row.outcome.as_deref(), row.failed_at), (1, Some("500"), None));
    assert_eq!(ledger.notifications_left("acme", 1000).await.unwrap(), (4, Some(10), 0));
    // What was given up is not waited for.
    change(&ledger, vec![tried(9, 2, 30, Some(25))]).await;
    assert_eq!(due(30, 100, 100).await, [8, 7, 6, 5]);
    assert_eq!(ledger.notifications_left("acme", 1000).await.unwrap(), (3, Some(10), 1));
    let done = [8, 7, 6].map(|number| Change::NotificationDone { id: Uuid::from_u128(number) });
    change(&ledger, done.into()).await;
    assert_eq!(due(30, 100, 100).await, [5]);
    assert_eq!(ledger.notifications_left("acme", 1000).await.unwrap(), (0, None, 1));
    let listed = ledger.notifications("acme", 1000, 10).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.failed_at).collect::<Vec<_>>(), [Some(25)]);
    // What was given up long ago is forgotten, and nothing else.
    change(&ledger, vec![Change::NotificationsForgotten { given_up_before: 25 }]).await;
    assert_eq!(ledger.notifications_left("acme", 1000).await.unwrap(), (0, None, 1));
    change(&ledger, vec![Change::NotificationsForgotten { given_up_before: 26 }]).await;
    assert_eq!(ledger.notifications_left("acme", 1000).await.unwrap(), (0, None, 0));
    assert_eq!(due(30, 100, 100).await, [5]);
    // An order does not wait for what is no order, and everything else waits for it.
    let three = Some(Uuid::from_u128(103));
    let more = [(15, None), (16, Some("pause")), (17, None), (18, Some("stop"))];
    change(&ledger, more.map(|(number, action)| told(number, "globex", three, action)).into()).await;
    assert_eq!(due(30, 100, 100).await, [5, 16, 15]);
    change(&ledger, vec![Change::NotificationDone { id: Uuid::from_u128(16) }]).await;
    assert_eq!(due(30, 100, 100).await, [5, 18, 15]);
    assert!(ledger.entry_of_call(one, two).await.unwrap().is_none());
    let draft = of_call("acme", one, 0);
    let id = draft.id;
    append(&ledger, vec![draft]).await;
    let entry = ledger.entry_of_call(one, id).await.unwrap().unwrap();
    assert!(entry.log == "acme" && entry.document.is_none() && !entry.leaf.is_empty());
}

async fn subjects_and_probes_change(store: &Store) {
    let ledger = store.open().await;
    change(&ledger, vec![Change::Subject { tag: vec![1, 0], key: vec![9], at: 1 }]).await;
    assert_eq!(ledger.subject(&[1, 0]).await.unwrap(), Some(vec![9]));
    assert_eq!(ledger.subject(&[1]).await.unwrap(), None);
    let mut raw = store.raw().await;
    for _ in 0..2 {
        ledger.probe().await.unwrap();
        assert_eq!(raw.count("probe WHERE length(filler) = 65536").await, 1);
    }
    let before = raw.count("probe WHERE one = 1").await;
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    change(&ledger, vec![Change::Mark { id: one, at: 5 }, Change::Mark { id: two, at: 6 }]).await;
    change(&ledger, vec![Change::Mark { id: one, at: 7 }, Change::Unmark { id: two }]).await;
    assert_eq!(ledger.marks().await.unwrap(), [(one.to_string(), 7)]);
    let secret = |name: &str, mark: u8| Change::Secret { name: name.into(), mark: vec![mark] };
    change(&ledger, vec![secret("a", 1), secret("b", 2), secret("a", 3)]).await;
    change(&ledger, vec![secret("b", 4)]).await;
    assert_eq!(ledger.secrets().await.unwrap(), [("a".to_owned(), vec![1]), ("b".to_owned(), vec![2])]);
    change(&ledger, vec![Change::Probe { filler: vec![7] }]).await;
    assert_eq!((before, raw.count("probe WHERE length(filler) = 1").await), (1, 1));
    assert_eq!(ledger.heads().await.unwrap(), [], "a probe is no entry");
}

async fn signed_heads_and_anchors_change(store: &Store) {
    let ledger = store.open().await;
    let signed = |size, kept| Change::Checkpoint {
        log: "acme".into(),
        epoch: 1,
        size,
        note: format!("note {size}"),
        at: size,
        kept,
    };
    let anchored = |size, name: &str, evidence: &[u8]| Change::Anchor {
        log: "acme".into(),
        epoch: 1,
        size,
        kind: "witness",
        name: name.into(),
        evidence: evidence.to_vec(),
        at: size,
    };
    let at = first_epoch("acme");
    let heads = async || {
        let rows = ledger.checkpoints(&at).await.unwrap();
        rows.into_iter().map(|row| (row.size, row.kept)).collect::<Vec<_>>()
    };
    assert!(ledger.checkpoint(&at).await.unwrap().is_none());
    change(&ledger, vec![signed(5, true)]).await;
    change(&ledger, vec![signed(7, false)]).await;
    assert_eq!(heads().await, [(5, true), (7, false)]);
    // Those before go, but for those that are kept, or of which somebody has said something.
    change(&ledger, vec![anchored(7, "w1", b"yes"), anchored(7, "w1", b"no"), signed(9, false)]).await;
    change(&ledger, vec![signed(10, false)]).await;
    assert_eq!(heads().await, [(5, true), (7, false), (10, false)]);
    assert_eq!(ledger.checkpoint(&at).await.unwrap().unwrap().note, "note 10");
    // Signed again by another gateway: what was kept stays so.
    change(&ledger, vec![signed(10, true)]).await;
    change(&ledger, vec![signed(10, false)]).await;
    assert_eq!(heads().await.last(), Some(&(10, true)));

    let anchors = ledger.anchors(&at).await.unwrap();
    let found: Vec<_> =
        anchors.iter().map(|row| (row.size, row.name.as_str(), row.evidence.as_slice())).collect();
    assert_eq!(found, [(7, "w1", b"yes".as_slice())], "the first counts");
    assert_eq!(ledger.last_anchor(&at, "witness", "w1").await.unwrap(), Some((7, 7)));
    assert_eq!(ledger.last_anchor(&at, "timestamp", "w1").await.unwrap(), None);
    // Once the next is confirmed, what was said of one that is not kept is of no use; other people's stays.
    change(&ledger, vec![anchored(7, "w2", b"too"), anchored(10, "w1", b"yes")]).await;
    let anchors = ledger.anchors(&at).await.unwrap();
    let found: Vec<_> = anchors.iter().map(|row| (row.size, row.name.as_str())).collect();
    assert_eq!(found, [(7, "w2"), (10, "w1")]);
}

async fn epochs_end(store: &Store) {
    let ledger = store.open().await;
    let on = Uuid::from_u128(1);
    append(&ledger, (0..3).map(|n| of_call("acme", on, n)).collect()).await;
    append(&ledger, vec![of_call("globex", on, 0)]).await;
    let root = ledger.head("acme").await.unwrap().unwrap().edge.root().to_vec();
    let close = |epoch| Change::CloseLog {
        log: "acme".into(),
        epoch,
        next: epoch + 1,
        root: root.clone(),
        note: Some("the last note".into()),
        at: 99,
    };
    change(&ledger, vec![close(1)]).await;
    let closed = ledger.closed_logs("acme").await.unwrap();
    assert_eq!(closed.len(), 1);
    assert_eq!(
        (closed[0].epoch, closed[0].size, &closed[0].root, closed[0].note.as_deref(), closed[0].closed_at),
        (1, 3, &root, Some("the last note"), 99)
    );
    let head = ledger.head("acme").await.unwrap().unwrap();
    assert_eq!((head.epoch, head.edge.size()), (2, 0));
    append(&ledger, vec![of_call("acme", on, 5)]).await;
    let head = ledger.head("acme").await.unwrap().unwrap();
    assert_eq!((head.epoch, head.edge.size()), (2, 1));
    // What is there of both can be read; the other log goes on.
    let leaves = async |epoch| {
        let at = consent_gateway::ledger::Epoch { log: "acme".into(), epoch };
        ledger.leaves(&at, 0, 10).await.unwrap().len()
    };
    assert_eq!((leaves(1).await, leaves(2).await), (3, 1));
    assert_eq!(ledger.head("globex").await.unwrap().unwrap().epoch, 1);
    // An epoch ends once.
    change(&ledger, vec![close(1)]).await;
    assert_eq!(ledger.head("acme").await.unwrap().unwrap().epoch, 2);
    assert_eq!(ledger.closed_logs("acme").await.unwrap().len(), 1);
}

async fn the_law_changes(store: &Store) {
    let ledger = store.open().await;
    let table = |digest: &str, text: &str| Change::Table { digest: digest.into(), text: text.into(), at: 1 };
    let version = |version, digest: &str, at| Change::TableVersion {
        salt: String::new(),
        version,
        digest: digest.into(),
        at,
        document: "{}".into(),
    };
    assert!(ledger.law().await.unwrap().is_none());
    assert_eq!(ledger.last_of_law().await.unwrap(), 0);
    let (one, two) = (policy::Table::digest_of("first"), policy::Table::digest_of("second"));
    let (one, two) = (one.as_str(), two.as_str());
    change(&ledger, vec![table(one, "first"), version(1, one, 5), table(two, "second")]).await;
    change(&ledger, vec![table(one, "first"), version(2, two, 6)]).await;
    assert_eq!(ledger.table(one).await.unwrap().as_deref(), Some("first"));
    assert_eq!(ledger.tables().await.unwrap().len(), 2);
    let law = ledger.law().await.unwrap().unwrap();
    assert_eq!((law.version, law.digest.as_str(), law.in_force_at), (2, two, 6));
    let versions: Vec<i64> = ledger.versions().await.unwrap().iter().map(|row| row.version).collect();
    assert_eq!(versions, [2, 1]);
    assert_eq!(ledger.last_of_law().await.unwrap(), 6);

    let offered = |digest: &str| Change::TableSource { origin: "file", digest: digest.into() };
    change(&ledger, vec![offered(one), offered(two)]).await;
    assert_eq!(ledger.table_source("file").await.unwrap().as_deref(), Some(two));
    assert_eq!(ledger.table_source("program").await.unwrap(), None);

    let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let mut later = proposed(second, two, "Ada");
    later.proposed_at = 11;
    let propose = |row| Change::Proposal { row: Box::new(row) };
    change(&ledger, vec![propose(proposed(first, one, "")), propose(later)]).await;
    let listed = async |open| {
        let rows = ledger.proposals(open).await.unwrap();
        rows.into_iter().map(|row| row.uid).collect::<Vec<_>>()
    };
    assert_eq!(listed(true).await, [second.to_string(), first.to_string()], "the newest first");
    assert_eq!(ledger.last_of_law().await.unwrap(), 11);
    let adopt = |uid| Change::AdoptProposal { uid, credential: "cg_9".into(), person: "Eve".into() };
    change(&ledger, vec![adopt(first)]).await;
    let adopted = ledger.proposal(&first.to_string()).await.unwrap().unwrap();
    assert_eq!((adopted.person.as_str(), adopted.credential.as_str()), ("Eve", "cg_9"));
    let decide = |state, at| Change::DecideProposal { uid: first, state, at, decision: "{}".into() };
    change(&ledger, vec![decide("rejected", 30), decide("published", 31), adopt(first)]).await;
    let decided = ledger.proposal(&first.to_string()).await.unwrap().unwrap();
    assert_eq!(
        (decided.state.as_str(), decided.decided_at, decided.decision.as_deref()),
        ("rejected", Some(30), Some("{}"))
    );
    assert_eq!((listed(true).await.len(), listed(false).await.len()), (1, 2));
    assert_eq!(ledger.last_of_law().await.unwrap(), 30);
}

async fn names_are_told_apart_by_their_bytes(store: &Store) {
    let ledger = with_account(store).await;
    // One letter in two spellings, case, trailing blanks, a soft hyphen: to a computer, other names.
    let names = ["é", "e\u{301}", "É", "c", "C", "c ", "c\u{ad}", "ｃ", "🎙", "'; --", "a\\b", "%", "?"];
    for (n, name) in names.iter().enumerate() {
        let uid = Uuid::from_u128(n as u128 + 1);
        change(&ledger, vec![call(uid, name, &[name], 1, Uuid::nil())]).await;
    }
    for (n, name) in names.iter().enumerate() {
        let found = ledger.call_by_name("acme", name).await.unwrap().unwrap();
        assert_eq!((found.uid, found.id.as_str()), (Uuid::from_u128(n as u128 + 1).to_string(), *name));
    }
}

async fn a_name_with_a_nul_is_of_nothing(store: &Store) {
    let ledger = with_account(store).await;
    let nul = "a\0b";
    let uid = Uuid::from_u128(1);
    assert!(ledger.call_by_name("acme", nul).await.unwrap().is_none());
    assert!(ledger.call_at("acme", nul, 1).await.unwrap().is_none());
    assert!(ledger.account(nul).await.unwrap().is_none());
    assert!(ledger.credential(nul).await.unwrap().is_none());
    assert!(ledger.prompt("acme", nul).await.unwrap().is_none());
    assert!(ledger.grant("acme", nul).await.unwrap().is_none());
    assert!(ledger.sent_event(uid, nul).await.unwrap().is_none());
    assert!(ledger.recording_by_name(uid, nul).await.unwrap().is_none());
    assert!(!ledger.before_upload("acme", uid, nul).await.unwrap().0);
    assert!(ledger.recordings("acme", None, None, (0, nul.into()), 9).await.unwrap().is_empty());
    assert!(ledger.table(nul).await.unwrap().is_none());
    assert!(ledger.proposal(nul).await.unwrap().is_none());
    assert!(ledger.calls_named("acme", nul).await.unwrap().is_empty());
    assert!(ledger.calls_by_id("acme", nul).await.unwrap().is_empty());
    assert!(ledger.calls_with_grant("acme", nul).await.unwrap().is_empty());
    assert!(ledger.calls_mentioning("acme", nul).await.unwrap().is_empty());
    assert!(ledger.calls_of_participant("acme", nul).await.unwrap().is_empty());
    assert!(ledger.versions_of_prompt("acme", nul).await.unwrap().is_empty());
    append(
        &ledger,
        vec![Draft { detail: Some(Detail { salt: [0; 32], document: "{}".into() }), ..entry("acme", 0) }],
    )
    .await;
    assert!(ledger.details_of_type("acme", "audit.heartbeat", nul).await.unwrap().is_empty());
    let question = Question {
        log: "acme".into(),
        participant: Some(nul.into()),
        keys: vec![vec![nul.into()]],
        types: vec![nul.into()],
        ..Question::default()
    };
    assert!(ledger.entries(&question, 9).await.unwrap().is_empty());
}
