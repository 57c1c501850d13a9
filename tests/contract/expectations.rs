//! Every expectation, as it holds and as it does not.

use consent_gateway::ledger::{
    Appended, Change, Expect, HoldRow, Job, Ledger, ProposalRow, QuarantineRow, ReadingAllowanceRow,
    ReadingRow, RecordingRow,
};
use trail::Draft;
use uuid::Uuid;

use super::{Store, account, append, call, change, entry, holds, of_call, on_both_engines};

on_both_engines!(
    every_expectation_holds_and_fails,
    a_job_whose_expectation_fails_writes_nothing_and_hinders_nobody,
    as_much_may_be_expected_as_a_call_has_participants,
);

/// Which of them: a new one has to be numbered here, and tested.
fn number(expect: &Expect) -> usize {
    match expect {
        Expect::Head { .. } => 0,
        Expect::NameIs { .. } => 1,
        Expect::EventUnsent { .. } => 2,
        Expect::RecordingNameFree { .. } => 3,
        Expect::RecordingLive { .. } => 4,
        Expect::GrantHolds { .. } => 5,
        Expect::CallsWithGrant { .. } => 6,
        Expect::GrantFree { .. } => 7,
        Expect::Subject { .. } => 8,
        Expect::PromptVersion { .. } => 9,
        Expect::KeyUsable { .. } => 10,
        Expect::AccountFree { .. } => 11,
        Expect::AccountSettings { .. } => 12,
        Expect::Law { .. } => 13,
        Expect::Version { .. } => 14,
        Expect::OpenProposals { .. } => 15,
        Expect::LogQuiet { .. } => 16,
        Expect::LogAt { .. } => 17,
        Expect::ProposalOf { .. } => 18,
        Expect::CallIs { .. } => 19,
        Expect::CallsMentioning { .. } => 20,
        Expect::CallsOfParticipant { .. } => 21,
        Expect::Droppable { .. } => 22,
        Expect::People { .. } => 23,
        Expect::MarkIs { .. } => 24,
        Expect::Restrictions { .. } => 25,
        Expect::KeysInUse { .. } => 26,
        Expect::NotificationDue { .. } => 27,
        Expect::HoldFree { .. } => 28,
        Expect::HoldSet { .. } => 29,
        Expect::AliasFree { .. } => 30,
        Expect::Alias { .. } => 31,
        Expect::CredentialNameFree { .. } => 32,
        Expect::CredentialIs { .. } => 33,
        Expect::AccountPlaces { .. } => 34,
        Expect::QuarantineFree { .. } => 35,
        Expect::Quarantined { .. } => 36,
        Expect::ReadingIs { .. } => 37,
        Expect::ReadingsAllowed { .. } => 38,
    }
}
const EXPECTATIONS: usize = 39;

async fn every_expectation_holds_and_fails(store: &Store) {
    let ledger = store.open().await;
    // Nothing is there yet.
    for nothing in [Expect::Law { digest: None }, Expect::Version { number: 0 }] {
        assert!(holds(&ledger, nothing).await);
    }
    let there = There::new(&ledger).await;
    let (mut held, mut failed) = ([false; EXPECTATIONS], [false; EXPECTATIONS]);
    for (expect, wanted) in there.cases() {
        let (number, told) = (number(&expect), format!("{expect:?}"));
        assert_eq!(holds(&ledger, expect).await, wanted, "{told}");
        if wanted { held[number] = true } else { failed[number] = true }
    }
    assert_eq!((held, failed), ([true; EXPECTATIONS], [true; EXPECTATIONS]));
}

struct There {
    open: Uuid,
    ended: Uuid,
    head: Uuid,
    live: Uuid,
    held: Uuid,
    deleted: Uuid,
    proposal: Uuid,
    decided: Uuid,
    last_at: i64,
}

impl There {
    async fn new(ledger: &Ledger) -> There {
        let (open, ended) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (mut first, last) = (of_call("acme", open, 0), of_call("acme", open, 1_000));
        first.mentions = vec!["place:US".into()];
        let of_ended = of_call("acme", ended, 2_000);
        let opened = |log: &str, call| Draft { kind: "call.opened", ..of_call(log, call, 0) };
        let close = |log: &str, epoch| Change::CloseLog {
            log: log.into(),
            epoch,
            next: epoch + 1,
            root: vec![],
            note: None,
            at: 1,
        };
        let (live, held, deleted) = (Uuid::from_u128(11), Uuid::from_u128(12), Uuid::from_u128(13));
        let covered = COVERED;
        let (proposal, decided) = (Uuid::from_u128(21), Uuid::from_u128(22));
        let recording = |id: Uuid, name: &str| Change::Recording { row: Box::new(recorded(id, open, name)) };
        let on = |call, participant, id: &str, grant: &str| Change::Participant {
            call,
            participant,
            id: id.into(),
            number: None,
            ip: None,
            grant: Some(grant.into()),
        };
        let approve = |id: &str| Change::ApproveReading {
            account: "acme".into(),
            id: id.into(),
            person: Uuid::from_u128(2),
            at: 2,
        };
        let grant = |id: &str, uid| Change::Grant {
            salt: String::new(),
            account: "acme".into(),
            id: id.into(),
            uid: Uuid::from_u128(uid),
            document: "{}".into(),
            at: 1,
        };
        let key = |id: &str| Change::Key { id: id.into(), account: "acme".into(), pem: "PEM".into(), at: 1 };
        let table = |digest: &str| Change::Table { digest: digest.into(), text: digest.into(), at: 1 };
        let version = |version, digest: &str| Change::TableVersion {
            salt: String::new(),
            version,
            digest: digest.into(),
            at: 1,
            document: "{}".into(),
        };
        let told = |id| Change::Notification {
            id: Uuid::from_u128(id),
            account: "acme".into(),
            kind: "hold.set",
            call: None,
            recording: None,
            action: None,
            at: 5,
            due_at: 5,
        };
        let credential = |username: &str, name: &str, provisioner: Option<&str>| Change::Credential {
            username: username.into(),
            account: "acme".into(),
            role: "uploader".into(),
            name: name.into(),
            person: None,
            provisioner: provisioner.map(Into::into),
            hash: "hash".into(),
            coverage: "granted",
            on_refusal: "deny",
            quarantine_seconds: 60,
            at: 1,
        };
        let changes = vec![
            account("acme"),
            Change::AccountAlias {
                account: "acme".into(),
                alias: "AC12".into(),
                folded: "ac12".into(),
                uid: Uuid::from_u128(51),
                salt: String::new(),
                at: 1,
            },
            credential("cg_1", "by hand", None),
            credential("cg_2", "made", Some("cg_9")),
            credential("cg_3", "ended", Some("cg_9")),
            Change::RevokeCredential { username: "cg_3".into(), at: 2 },
            call(open, "c", &["c", "leg"], 1, first.id),
            call(ended, "d", &["d"], 1, of_ended.id),
            Change::CallEnded { uid: ended, at: 3 },
            on(open, 0, "agent", "g"),
            on(open, 1, "other", "g"),
            on(ended, 0, "agent", "g"),
            grant("g", 31),
            grant("withdrawn", 32),
            Change::WithdrawGrant { account: "acme".into(), id: "withdrawn".into(), at: 2 },
            Change::SentEvent { call: open, id: "e".into(), digest: vec![1] },
            Change::Mark { id: Uuid::from_u128(70), at: 5 },
            told(80),
            told(81),
            Change::NotificationTried {
                id: Uuid::from_u128(81),
                attempts: 9,
                due_at: 5,
                outcome: None,
                failed_at: Some(6),
            },
            recording(live, "a"),
            recording(held, "b"),
            recording(deleted, "c"),
            recording(covered, "d"),
            Change::Hold { id: held, held: true },
            Change::SetHold { row: Box::new(hold(90, |row| row.recording = Some(live.to_string()))) },
            Change::LiftHold { uid: Uuid::from_u128(90) },
            Change::SetHold { row: Box::new(hold(91, |row| row.recording = Some(covered.to_string()))) },
            Change::Hold { id: covered, held: false },
            Change::DeleteRecording { id: deleted, at: 2 },
            Change::Subject { tag: vec![1], key: vec![2], at: 1 },
            Change::Prompt {
                salt: String::new(),
                account: "acme".into(),
                id: "en".into(),
                version: 1,
                uid: Uuid::from_u128(41),
                document: "{}".into(),
                at: 1,
            },
            key("usable"),
            key("retired"),
            Change::RetireKey { id: "retired".into(), account: "acme".into(), at: 2 },
            table("one"),
            table("two"),
            version(1, "one"),
            version(2, "two"),
            Change::Proposal { row: Box::new(proposed(proposal, "two", "Ada")) },
            Change::Proposal { row: Box::new(proposed(decided, "one", "Ada")) },
            Change::DecideProposal { uid: decided, state: "rejected", at: 2, decision: "{}".into() },
            Change::Reading { row: Box::new(stated("waits", 1)) },
            Change::Reading { row: Box::new(stated("counts", 1)) },
            Change::Reading { row: Box::new(stated("ending", 1)) },
            Change::Reading { row: Box::new(stated("over", 1)) },
            approve("counts"),
            approve("ending"),
            Change::ProposeReadingEnd {
                account: "acme".into(),
                id: "ending".into(),
                person: Uuid::from_u128(3),
                at: 2,
            },
            Change::EndReading { account: "acme".into(), id: "over".into(), at: 2, decision: "{}".into() },
            Change::AllowReadings { row: Box::new(allowance("US-TX")) },
        ];
        let (head, last_at) = (last.id, of_ended.at.as_millisecond());
        change(ledger, changes).await;
        append(ledger, vec![first, last, of_ended]).await;
        // Two epochs that could be dropped, one after the other; one with an open call; one with a recording
        // of which something is left.
        append(ledger, vec![opened("past", Uuid::from_u128(5)), opened("open", Uuid::from_u128(4))]).await;
        append(ledger, vec![opened("kept", Uuid::from_u128(3))]).await;
        change(ledger, vec![close("past", 1), close("open", 1), close("kept", 1)]).await;
        let of_kept = recorded(Uuid::from_u128(14), Uuid::from_u128(3), "a");
        let kept = vec![
            call(Uuid::from_u128(3), "k", &["k"], 1, Uuid::nil()),
            call(Uuid::from_u128(4), "o", &["o"], 1, Uuid::nil()),
            Change::CallEnded { uid: Uuid::from_u128(3), at: 3 },
            Change::Recording { row: Box::new(of_kept) },
            Change::DeleteRecording { id: Uuid::from_u128(14), at: 4 },
        ];
        change(ledger, kept).await;
        let quarantined = vec![
            Change::Quarantine { row: Box::new(waiting(61, 1)) },
            Change::Quarantine { row: Box::new(waiting(62, 2)) },
            Change::QuarantineEnded { id: Uuid::from_u128(62), at: 9, kept: false },
        ];
        change(ledger, quarantined).await;
        append(ledger, vec![entry("past", 0)]).await;
        change(ledger, vec![close("past", 2)]).await;
        There { open, ended, head, live, held, deleted, proposal, decided, last_at }
    }

    fn cases(&self) -> Vec<(Expect, bool)> {
        let acme = || "acme".to_owned();
        let name = |account: &str, name: &str, call| Expect::NameIs {
            account: account.into(),
            name: name.into(),
            call,
        };
        let live = |id, unheld| Expect::RecordingLive { id, unheld };
        let with_grant = |id: &str, calls: &[Uuid]| Expect::CallsWithGrant {
            account: acme(),
            id: id.into(),
            calls: calls.iter().map(Uuid::to_string).collect(),
        };
        let subject = |tag, key| Expect::Subject { tag: vec![tag], key };
        let prompt = |id: &str, version| Expect::PromptVersion { account: acme(), id: id.into(), version };
        let settings =
            |id: &str, settings: &str| Expect::AccountSettings { id: id.into(), settings: settings.into() };
        let in_use = |account: &str, ids: &[&str]| Expect::KeysInUse {
            account: account.into(),
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        };
        let open = |uids: &[Uuid]| Expect::OpenProposals { uids: uids.iter().map(Uuid::to_string).collect() };
        let of = |uid, person: &str| Expect::ProposalOf { uid, person: person.into() };
        let log = |log: &str, epoch, size| Expect::LogAt { log: log.into(), epoch, size };
        let quiet = |log: &str, since| Expect::LogQuiet { log: log.into(), since };
        let nobody = Uuid::from_u128(99);
        let is = |call, id: &str| Expect::CallIs { call, id: id.into() };
        let mentioning =
            |log: &str, key: &str, count| Expect::CallsMentioning { log: log.into(), key: key.into(), count };
        let of_participant = |account: &str, id: &str, count| Expect::CallsOfParticipant {
            account: account.into(),
            id: id.into(),
            count,
        };
        let droppable = |log: &str, epoch| Expect::Droppable { log: log.into(), epoch };
        let restrictions = |account: &str, count| Expect::Restrictions { account: account.into(), count };
        let mark = |id, at| Expect::MarkIs { id: Uuid::from_u128(id), at };
        let due = |id, due_at| Expect::NotificationDue { id: Uuid::from_u128(id), due_at };
        let name_free = |account: &str, name: &str| Expect::CredentialNameFree {
            account: account.into(),
            name: name.into(),
        };
        let secret = |username: &str, hash: &str| Expect::CredentialIs {
            username: username.into(),
            hash: hash.into(),
        };
        let room = |account: &str, identity, most| Expect::QuarantineFree {
            account: account.into(),
            identity: vec![identity],
            most,
        };
        let alias = |uid| Expect::Alias { uid: Uuid::from_u128(uid).to_string() };
        let alias_free = |folded: &str| Expect::AliasFree { folded: folded.into() };
        let ending = |account: &str, id: &str, in_force, proposer: Option<u128>| Expect::ReadingIs {
            account: account.into(),
            id: id.into(),
            in_force,
            end_proposer: proposer.map(|number| Uuid::from_u128(number).to_string()),
        };
        let reading = |account: &str, id: &str, in_force| ending(account, id, in_force, None);
        let allowed = |account: &str, code: &str, allowed| Expect::ReadingsAllowed {
            account: account.into(),
            code: code.into(),
            allowed,
        };
        let places = |id: &str, operator: Option<&str>| Expect::AccountPlaces {
            id: id.into(),
            operator: operator.map(Into::into),
            recorder: None,
        };
        vec![
            (reading("acme", "waits", false), true),
            (reading("acme", "waits", true), false),
            (reading("acme", "counts", true), true),
            (reading("acme", "counts", false), false),
            (reading("acme", "over", false), false),
            (reading("acme", "ending", true), false),
            (ending("acme", "ending", true, Some(3)), true),
            (ending("acme", "ending", true, Some(2)), false),
            (ending("acme", "counts", true, Some(3)), false),
            (reading("globex", "waits", false), false),
            (allowed("acme", "US-TX", true), true),
            (allowed("acme", "US-TX", false), false),
            (allowed("acme", "DE", false), true),
            (allowed("globex", "US-TX", true), false),
            (alias_free("ac13"), true),
            (alias_free("ac12"), false),
            (alias_free("acme"), false),
            (Expect::AccountFree { id: "ac12".into() }, false),
            (alias(51), true),
            (alias(52), false),
            (name_free("acme", "by hand"), true),
            (name_free("acme", "made"), false),
            (name_free("acme", "ended"), true),
            (name_free("globex", "made"), true),
            (secret("cg_2", "hash"), true),
            (secret("cg_2", "other"), false),
            (secret("cg_3", "hash"), false),
            (places("acme", None), true),
            (places("acme", Some("DE")), false),
            (places("globex", None), false),
            (mark(70, 5), true),
            (mark(70, 6), false),
            (mark(71, 5), false),
            (due(80, 5), true),
            (due(80, 6), false),
            (due(81, 5), false),
            (due(82, 5), false),
            (restrictions("acme", 0), true),
            (restrictions("acme", 1), false),
            (restrictions("globex", 0), false),
            (Expect::Head { call: self.open, head: self.head }, true),
            (Expect::Head { call: self.open, head: nobody }, false),
            (Expect::Head { call: nobody, head: self.head }, false),
            (name("acme", "c", Some(self.open)), true),
            (name("acme", "leg", Some(self.open)), true),
            (name("acme", "d", Some(self.open)), false),
            (name("acme", "c", None), false),
            (name("acme", "free", None), true),
            (name("acme", "free", Some(self.open)), false),
            (name("globex", "c", None), true),
            (name("acme", "C", None), true),
            (Expect::EventUnsent { call: self.open, id: "f".into() }, true),
            (Expect::EventUnsent { call: self.ended, id: "e".into() }, true),
            (Expect::EventUnsent { call: self.open, id: "e".into() }, false),
            (Expect::RecordingNameFree { call: self.open, name: "z".into() }, true),
            (Expect::RecordingNameFree { call: self.open, name: "a".into() }, false),
            (Expect::RecordingNameFree { call: self.open, name: "c".into() }, false),
            (live(self.live, true), true),
            (live(self.live, false), true),
            (live(self.held, false), true),
            (live(self.held, true), false),
            (live(self.deleted, false), false),
            (live(nobody, false), false),
            (Expect::GrantHolds { account: acme(), id: "g".into() }, true),
            (Expect::GrantHolds { account: acme(), id: "withdrawn".into() }, false),
            (Expect::GrantHolds { account: "globex".into(), id: "g".into() }, false),
            (with_grant("g", &[self.open]), true),
            (with_grant("g", &[self.open, self.ended]), false),
            (with_grant("g", &[]), false),
            (with_grant("withdrawn", &[]), true),
            (Expect::GrantFree { account: acme(), id: "h".into() }, true),
            (Expect::GrantFree { account: "globex".into(), id: "g".into() }, true),
            (Expect::GrantFree { account: acme(), id: "withdrawn".into() }, false),
            (subject(1, Some(vec![2])), true),
            (subject(1, Some(vec![3])), false),
            (subject(1, None), false),
            (subject(9, None), true),
            (subject(9, Some(vec![2])), false),
            (prompt("en", 1), true),
            (prompt("en", 0), false),
            (prompt("de", 0), true),
            (prompt("de", 1), false),
            (Expect::KeyUsable { account: acme(), id: "usable".into() }, true),
            (Expect::KeyUsable { account: acme(), id: "retired".into() }, false),
            (Expect::KeyUsable { account: "globex".into(), id: "usable".into() }, false),
            (in_use("acme", &["usable"]), true),
            (in_use("acme", &[]), false),
            (in_use("acme", &["retired", "usable"]), false),
            (in_use("globex", &[]), true),
            (in_use("globex", &["usable"]), false),
            (Expect::AccountFree { id: "globex".into() }, true),
            (Expect::AccountFree { id: acme() }, false),
            (Expect::People { account: acme(), count: 0 }, true),
            (Expect::People { account: acme(), count: 1 }, false),
            (settings("acme", "{}"), true),
            (settings("acme", "{ }"), false),
            (settings("globex", "{}"), false),
            (Expect::Law { digest: Some("two".into()) }, true),
            (Expect::Law { digest: Some("one".into()) }, false),
            (Expect::Law { digest: None }, false),
            (Expect::Version { number: 2 }, true),
            (Expect::Version { number: 1 }, false),
            (open(&[self.proposal]), true),
            (open(&[]), false),
            (open(&[self.proposal, self.decided]), false),
            (of(self.proposal, "Ada"), true),
            (of(self.proposal, "Eve"), false),
            (of(self.decided, "Ada"), false),
            (quiet("acme", self.last_at + 1), true),
            (quiet("acme", self.last_at), false),
            (quiet("globex", i64::MAX), false),
            (log("acme", 1, 3), true),
            (log("acme", 1, 2), false),
            (log("acme", 2, 3), false),
            (log("globex", 1, 0), false),
            (is(self.open, "c"), true),
            (is(self.open, "leg"), false),
            (is(nobody, "c"), false),
            (mentioning("acme", "place:US", 1), true),
            (mentioning("acme", "place:US", 0), false),
            (mentioning("acme", "place:GB", 0), true),
            (mentioning("globex", "place:US", 1), false),
            (of_participant("acme", "agent", 2), true),
            (of_participant("acme", "agent", 1), false),
            (of_participant("globex", "agent", 0), true),
            (live(COVERED, false), true),
            (live(COVERED, true), false),
            (Expect::HoldFree { account: acme(), id: "hold-91".into() }, false),
            (Expect::HoldFree { account: acme(), id: "hold-90".into() }, true),
            (Expect::HoldFree { account: "globex".into(), id: "hold-91".into() }, true),
            (room("acme", 5, 2), true),
            (room("acme", 1, 2), false),
            // One that has left is known again.
            (room("acme", 2, 2), false),
            (room("acme", 5, 1), false),
            (room("globex", 1, 1), true),
            (Expect::Quarantined { id: Uuid::from_u128(61) }, true),
            (Expect::Quarantined { id: Uuid::from_u128(62) }, false),
            (Expect::HoldSet { uid: Uuid::from_u128(91) }, true),
            (Expect::HoldSet { uid: Uuid::from_u128(90) }, false),
            (droppable("past", 1), true),
            (droppable("past", 2), false),
            (droppable("past", 3), false),
            (droppable("open", 1), false),
            (droppable("kept", 1), false),
            (droppable("acme", 1), false),
        ]
    }
}

/// The recording that a hold covers which is not its own.
const COVERED: Uuid = Uuid::from_u128(15);

pub(super) fn hold(number: u128, limits: impl FnOnce(&mut HoldRow)) -> HoldRow {
    let mut row = HoldRow {
        uid: Uuid::from_u128(number).to_string(),
        account: "acme".into(),
        id: format!("hold-{number}"),
        recording: None,
        call: None,
        subject: None,
        participant: None,
        recorded_from: None,
        recorded_until: None,
        document: "{}".into(),
        set_at: 1,
        salt: "00".into(),
    };
    limits(&mut row);
    row
}

/// An upload in quarantine, by its identity.
pub(super) fn waiting(id: u128, identity: u8) -> QuarantineRow {
    QuarantineRow {
        id: Uuid::from_u128(id).to_string(),
        account: "acme".into(),
        uploader: "cg_1".into(),
        identity: vec![identity],
        fingerprint: vec![1, 2],
        document: "{}".into(),
        place: Some("here".into()),
        locked: Some(vec![3, 4]),
        received_at: 5,
        until_at: 100,
        ended_at: None,
    }
}

pub(super) fn recorded(id: Uuid, call: Uuid, name: &str) -> RecordingRow {
    RecordingRow {
        id: id.to_string(),
        account: "acme".into(),
        call: call.to_string(),
        call_id: String::new(),
        name: name.into(),
        fingerprint: vec![0, 1, 255],
        uploader: "cg_1".into(),
        bytes: 1 << 40,
        duration_ms: 2_000,
        content_type: "audio/wav".into(),
        envelope: Some("{\"envelope\":1}".into()),
        enveloped: false,
        accepted_at: 5,
        recorded_from: 0,
        recorded_until: 1,
        about: r#"{"segments":[[0,1]],"people":[],"purposes":null}"#.into(),
        held: false,
        covered: false,
        restricted: false,
        deleted_at: None,
        kept_at_least: Some("1 day".into()),
        kept_at_most: None,
        keep_until: Some(1 << 40),
        delete_by: None,
        place: None,
    }
}

pub(super) fn stated(id: &str, at: i64) -> ReadingRow {
    ReadingRow {
        account: "acme".into(),
        id: id.into(),
        code: "US-TX".into(),
        document: "{}".into(),
        credential: "cg_1".into(),
        person: Uuid::from_u128(1).to_string(),
        proposed_at: at,
        approver: None,
        in_force_at: None,
        end_proposer: None,
        end_proposed_at: None,
        ended_at: None,
        decision: None,
        salt: "ab".into(),
    }
}

pub(super) fn allowance(code: &str) -> ReadingAllowanceRow {
    ReadingAllowanceRow {
        account: "acme".into(),
        code: code.into(),
        document: "{}".into(),
        allowed_at: 1,
        salt: "cd".into(),
    }
}

pub(super) fn proposed(uid: Uuid, digest: &str, person: &str) -> ProposalRow {
    ProposalRow {
        salt: String::new(),
        uid: uid.to_string(),
        digest: digest.into(),
        base: "base".into(),
        state: "open".into(),
        credential: "cg_1".into(),
        person: person.into(),
        document: "{}".into(),
        proposed_at: 10,
        expires_at: 20,
        decided_at: None,
        decision: None,
    }
}

async fn a_job_whose_expectation_fails_writes_nothing_and_hinders_nobody(store: &Store) {
    let ledger = store.open().await;
    let taken = || Expect::AccountFree { id: "system".into() };
    let futile = |n: usize| Job {
        expects: vec![Expect::AccountFree { id: format!("a{n}") }, taken()],
        changes: vec![account(&format!("a{n}"))],
        entries: vec![entry("acme", 0)],
    };
    let fine = |n: usize| Job {
        expects: vec![Expect::AccountFree { id: format!("b{n}") }],
        changes: vec![account(&format!("b{n}"))],
        entries: vec![entry("globex", 0)],
    };
    let mut working = tokio::task::JoinSet::new();
    for n in 0..60 {
        let (ledger, job, wanted) = match n % 2 {
            0 => (ledger.clone(), futile(n), Appended::Conflict),
            _ => (ledger.clone(), fine(n), Appended::Done),
        };
        working.spawn(async move { assert_eq!(ledger.append(job).await.unwrap(), wanted) });
    }
    while let Some(done) = working.join_next().await {
        done.unwrap();
    }
    assert_eq!(ledger.head("acme").await.unwrap(), None);
    assert_eq!(ledger.head("globex").await.unwrap().unwrap().edge.size(), 30);
    let accounts = ledger.accounts().await.unwrap();
    assert!(accounts.len() == 30 && accounts.iter().all(|account| account.id.starts_with('b')));
}

async fn as_much_may_be_expected_as_a_call_has_participants(store: &Store) {
    let ledger = store.open().await;
    let free = |n: usize| Expect::AccountFree { id: format!("account-{n}") };
    let done =
        ledger.append(Job { expects: (0..2_000).map(free).collect(), ..Job::default() }).await.unwrap();
    assert_eq!(done, Appended::Done);
    let mut expects: Vec<Expect> = (0..2_000).map(free).collect();
    expects[1_999] = Expect::AccountFree { id: "system".into() };
    let done = ledger.append(Job { expects, ..Job::default() }).await.unwrap();
    assert_eq!(done, Appended::Conflict);
}
