//! What one transaction does: entries to append, what must still hold, and the indexes' changes.

#![expect(missing_docs, reason = "what is not explained is named by its field")]

use uuid::Uuid;

use super::{
    Erase, HoldRow, ProposalRow, QuarantineRow, ReadingAllowanceRow, ReadingRow, RecordingRow, WaitingRow,
};
use trail::Draft;

/// One transaction's worth of work.
#[derive(Debug, Default)]
pub struct Job {
    /// What must still be so, checked inside the transaction.
    pub expects: Vec<Expect>,
    /// Changes of tables beside the trail.
    pub changes: Vec<Change>,
    /// The entries, in order.
    pub entries: Vec<Draft>,
}

impl Job {
    /// Has the logs' accounts count the entries that reach calls: nobody who appends one has to think of it.
    pub(super) fn count_restrictions(&mut self) {
        let reaching = self.entries.iter().filter(|draft| draft.reaches_calls);
        self.changes.extend(reaching.map(|draft| Change::Restrictions { account: draft.log.clone() }));
    }

    /// Whether this job may use the disk reserve.
    pub(super) fn restricts(&self) -> bool {
        // What is noted of a notification takes no more room than it has.
        let frees = |change: &Change| {
            matches!(
                change,
                Change::Erase(_)
                    | Change::Swept { .. }
                    | Change::QuarantineSwept { .. }
                    | Change::ForgetQuarantine { .. }
                    | Change::NotificationTried { .. }
                    | Change::NotificationDone { .. }
            )
        };
        self.entries.iter().any(|draft| draft.restricts)
            || (self.entries.is_empty() && self.changes.iter().any(frees))
    }
}

/// What became of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// All of it is durable.
    Done,
    /// An expectation no longer held, and nothing was written: read again.
    Conflict,
}

/// Something that a decision relied on, and that must still be so when it is appended.
#[derive(Debug, Clone)]
pub enum Expect {
    /// The call's last entry is this one.
    Head {
        call: Uuid,
        /// Its last entry.
        head: Uuid,
    },
    /// As many entries of the account's log as then may have restricted calls that they are no entries of.
    Restrictions {
        account: String,
        /// How many.
        count: i64,
    },
    /// The newest call of this id or alias is this one, or none.
    NameIs {
        account: String,
        /// The id or alias.
        name: String,
        /// Its newest call.
        call: Option<Uuid>,
    },
    /// The sender's event id was not used on this call.
    EventUnsent {
        call: Uuid,
        /// The sender's id.
        id: String,
    },
    /// The account has fewer uploads than so many in quarantine, and none was ever put there by which this one is known.
    QuarantineFree { account: String, identity: Vec<u8>, most: i64 },
    /// It is in quarantine.
    Quarantined { id: Uuid },
    /// No recording of this call has this name.
    RecordingNameFree { call: Uuid, name: String },
    /// The recording is neither deleted nor (if `unheld`) under a legal hold.
    RecordingLive {
        /// The recording.
        id: Uuid,
        /// Whether a hold counts against it.
        unheld: bool,
    },
    /// The grant is not withdrawn.
    GrantHolds {
        account: String,
        /// The grant's id.
        id: String,
    },
    /// Exactly these open calls, in order, have somebody who relies on the grant.
    CallsWithGrant {
        account: String,
        /// The grant's id.
        id: String,
        calls: Vec<String>,
    },
    /// The account has no hold of this id.
    HoldFree {
        account: String,
        /// The hold's id.
        id: String,
    },
    /// The hold is set.
    HoldSet { uid: Uuid },
    /// The grant is not registered.
    GrantFree {
        account: String,
        /// The grant's id.
        id: String,
    },
    /// The subject's key is this one, or there is none yet.
    Subject {
        /// The subject's tag.
        tag: Vec<u8>,
        /// Its sealed key.
        key: Option<Vec<u8>>,
    },
    /// The newest version of the prompt is this one; 0 if there is none.
    PromptVersion {
        account: String,
        /// The prompt's id.
        id: String,
        version: i64,
    },
    /// The key is one of the account's, and not retired.
    KeyUsable {
        account: String,
        /// The key's id.
        id: String,
    },
    /// Exactly these keys of the account are not retired.
    KeysInUse {
        account: String,
        /// Their ids, in order.
        ids: Vec<String>,
    },
    /// No account has this id, and none has it as an alias.
    AccountFree { id: String },
    /// No account has this alias, or another that differs from it in case alone, or such an id.
    AliasFree {
        /// The alias in lower case.
        folded: String,
    },
    /// The alias is still there.
    Alias {
        /// The gateway's id of it.
        uid: String,
    },
    /// No credential of this name is provisioned in the account and not revoked.
    CredentialNameFree { account: String, name: String },
    /// The credential is not revoked, and has this secret.
    CredentialIs {
        username: String,
        /// The hash of its secret.
        hash: String,
    },
    /// The account's places are these.
    AccountPlaces {
        /// The account.
        id: String,
        operator: Option<String>,
        recorder: Option<String>,
    },
    /// Exactly so many people were enrolled in the account.
    People {
        account: String,
        /// How many.
        count: i64,
    },
    /// The account's settings are these.
    AccountSettings {
        /// The account.
        id: String,
        /// Its settings, as JSON.
        settings: String,
    },
    /// This version of the table is in force, or none yet.
    Law { digest: Option<String> },
    /// The newest version of the table is this one; 0 if there is none.
    Version { number: i64 },
    /// Exactly these proposals are open, in order.
    OpenProposals {
        /// Their ids.
        uids: Vec<String>,
    },
    /// The mark of a gateway is still this one.
    MarkIs {
        /// The gateway's id.
        id: Uuid,
        /// When it was last well.
        at: i64,
    },
    /// Nothing was appended to the log since then.
    LogQuiet {
        log: String,
        /// A moment, in milliseconds.
        since: i64,
    },
    /// The log is in this epoch, and has so many entries.
    LogAt {
        log: String,
        /// The epoch, from 1.
        epoch: i64,
        /// How many entries.
        size: i64,
    },
    /// The call still has this id: nobody on it was erased.
    CallIs {
        call: Uuid,
        /// The platform's id of it.
        id: String,
    },
    /// Exactly so many calls mention this key.
    CallsMentioning {
        log: String,
        /// The key, as drafts mention it.
        key: String,
        /// How many.
        count: i64,
    },
    /// Somebody of this id was on exactly so many calls.
    CallsOfParticipant {
        account: String,
        /// The platform's id of them.
        id: String,
        /// How many.
        count: i64,
    },
    /// The epoch has ended, those before it were dropped, all calls that were opened in it have ended, and
    /// nothing is left of their recordings.
    Droppable { log: String, epoch: i64 },
    /// The notification is still to be tried at this moment: nobody else has taken it.
    NotificationDue {
        id: Uuid,
        /// When it is tried next.
        due_at: i64,
    },
    /// The proposal is open, and belongs to this person.
    ProposalOf {
        /// Its id.
        uid: Uuid,
        /// The id of who made it theirs; empty if nobody is known.
        person: String,
    },
    /// The reading is not ended, and is in force, or is still to be approved; and it is this person, or nobody, who
    /// proposed to end it.
    ReadingIs {
        account: String,
        /// Its id.
        id: String,
        in_force: bool,
        /// Their id.
        end_proposer: Option<String>,
    },
    /// The law desk lets the account read the law of a place, or does not.
    ReadingsAllowed {
        account: String,
        /// The place.
        code: String,
        allowed: bool,
    },
}

/// A change of a table beside the trail.
#[derive(Debug)]
pub enum Change {
    /// An account is added.
    Account {
        id: String,
        /// Where the operator is established.
        operator: Option<String>,
        /// Where the recorder stands.
        recorder: Option<String>,
        /// Its settings, as JSON.
        settings: String,
        /// The credential that may provision it.
        provisioner: Option<String>,
        /// When.
        at: i64,
    },
    /// An account's places change.
    AccountPlaces {
        /// The account.
        id: String,
        /// Where the operator is established.
        operator: Option<String>,
        /// Where the recorder stands.
        recorder: Option<String>,
    },
    /// Another credential may provision an account, or none.
    AccountProvisioner {
        /// The account.
        id: String,
        provisioner: Option<String>,
    },
    /// An account gets another name.
    AccountAlias {
        account: String,
        alias: String,
        /// The alias in lower case.
        folded: String,
        /// The gateway's id of it.
        uid: Uuid,
        /// Random, in hexadecimal.
        salt: String,
        /// When.
        at: i64,
    },
    /// An account loses another name.
    DropAccountAlias {
        /// The gateway's id of it.
        uid: String,
    },
    /// A credential is added.
    Credential {
        /// Its minted name.
        username: String,
        account: String,
        role: String,
        /// Who it belongs to.
        name: String,
        /// The person it stands for.
        person: Option<Uuid>,
        /// The credential that provisions it.
        provisioner: Option<String>,
        /// The hash of its secret.
        hash: String,
        /// What its uploads need beside being lawful.
        coverage: &'static str,
        /// What it is told of an upload that is refused.
        on_refusal: &'static str,
        /// For how long they may wait in quarantine.
        quarantine_seconds: i64,
        /// When.
        at: i64,
    },
    /// How the uploads of a credential are answered is changed.
    SetCredential { username: String, on_refusal: &'static str, quarantine_seconds: i64 },
    /// Somebody is enrolled.
    Person {
        /// The gateway's id of them.
        id: Uuid,
        account: String,
        /// Their name, as [`trail::people::folded`].
        folded: String,
        name: String,
        /// Whether they count from the start.
        founding: bool,
        /// Random, in hexadecimal.
        salt: String,
        /// When.
        at: i64,
    },
    /// Somebody confirms a person's identity.
    ConfirmPerson {
        account: String,
        /// Who is confirmed.
        person: Uuid,
        /// Who confirms them.
        by: Uuid,
        /// When.
        at: i64,
    },
    /// A credential has another secret.
    RotateCredential {
        /// Its name.
        username: String,
        /// The hash of the new secret.
        hash: String,
    },
    /// A credential is revoked.
    RevokeCredential {
        /// Its name.
        username: String,
        /// When.
        at: i64,
    },
    /// A public key is added, or a retired one taken up again.
    Key {
        id: String,
        account: String,
        /// SPKI PEM.
        pem: String,
        /// When.
        at: i64,
    },
    /// A public key is retired.
    RetireKey {
        id: String,
        account: String,
        /// When.
        at: i64,
    },
    /// A version of a prompt is added.
    Prompt {
        account: String,
        id: String,
        /// Its version, from 1.
        version: i64,
        /// The gateway's id of this version.
        uid: Uuid,
        /// What is said, as JSON.
        document: String,
        /// Random, in hexadecimal.
        salt: String,
        /// When.
        at: i64,
    },
    /// A consent grant is added.
    Grant {
        account: String,
        id: String,
        /// The gateway's id.
        uid: Uuid,
        /// What it says, as JSON.
        document: String,
        /// Random, in hexadecimal.
        salt: String,
        /// When.
        at: i64,
    },
    /// A consent grant is withdrawn.
    WithdrawGrant {
        account: String,
        id: String,
        /// When.
        at: i64,
    },
    /// An account's recording settings change.
    RecordingSettings {
        account: String,
        /// What they say, as JSON.
        document: String,
        /// Random, in hexadecimal.
        salt: String,
        /// When.
        at: i64,
    },
    /// A call is opened.
    Call {
        /// The gateway's id.
        uid: Uuid,
        account: String,
        /// The platform's id.
        id: String,
        /// Every name that finds it, the id included.
        names: Vec<String>,
        /// The digest of what opened it.
        body: String,
        /// When.
        at: i64,
        /// Its first entry.
        head: Uuid,
    },
    /// A call has ended.
    CallEnded {
        /// The call.
        uid: Uuid,
        /// When.
        at: i64,
    },
    /// Somebody is on a call.
    Participant {
        call: Uuid,
        /// Their number.
        participant: u32,
        /// The platform's id of them.
        id: String,
        /// Their phone number.
        number: Option<String>,
        /// Their address.
        ip: Option<String>,
        /// The grant they name.
        grant: Option<String>,
    },
    /// A sender's event id is used.
    SentEvent {
        call: Uuid,
        /// The sender's id.
        id: String,
        /// SHA-256 of what it said.
        digest: Vec<u8>,
    },
    /// A recording is accepted.
    Recording { row: Box<RecordingRow> },
    /// The envelope object of a recording is in the store.
    Enveloped {
        /// The recording.
        id: Uuid,
    },
    /// A recording is deleted, with its keys.
    DeleteRecording {
        /// The recording.
        id: Uuid,
        /// When.
        at: i64,
    },
    /// Nothing of a deleted recording is in the store.
    Swept {
        /// The recording.
        id: Uuid,
    },
    /// A legal hold is put on a recording, or lifted.
    Hold {
        /// The recording.
        id: Uuid,
        /// Whether it is on.
        held: bool,
    },
    /// A legal hold is set on whatever meets its conditions.
    SetHold { row: Box<HoldRow> },
    /// It is lifted.
    LiftHold { uid: Uuid },
    /// An upload is put into quarantine.
    Quarantine { row: Box<QuarantineRow> },
    /// It is released or destroyed; its envelope goes with it.
    QuarantineEnded {
        id: Uuid,
        /// When.
        at: i64,
        /// Whether its media stay, as those of a recording.
        kept: bool,
    },
    /// Its media are removed from the store.
    QuarantineSwept { id: Uuid },
    /// What ended in quarantine before this moment is forgotten.
    ForgetQuarantine { before: i64 },
    /// Somebody is to be erased as soon as no hold prevents it.
    WaitingErasure { row: Box<WaitingRow> },
    /// They are erased.
    ErasureDone { uid: Uuid },
    /// Recordings of a call are handed out only for a hold from now on.
    RestrictCall {
        call: Uuid,
        /// Since when.
        at: i64,
    },
    /// A subject gets a key.
    Subject {
        tag: Vec<u8>,
        /// Its sealed key.
        key: Vec<u8>,
        /// When.
        at: i64,
    },
    /// Nothing: shows that as much as an entry takes can be written.
    Probe {
        /// Random, since an engine need not write what has not changed.
        filler: Vec<u8>,
    },
    /// Notes that the ledger is written with this secret, if that is not noted yet.
    Secret {
        /// Its file.
        name: String,
        /// A mark that recognizes it.
        mark: Vec<u8>,
    },
    /// A running gateway was well at this moment.
    Mark {
        id: Uuid,
        /// When.
        at: i64,
    },
    /// A gateway has ended, or the gap that it left is logged.
    Unmark { id: Uuid },
    /// A head of a log is signed. Earlier ones are removed, unless they are kept.
    Checkpoint {
        log: String,
        epoch: i64,
        size: i64,
        /// The signed note.
        note: String,
        /// When it was signed.
        at: i64,
        /// Whether it is kept when newer ones come.
        kept: bool,
    },
    /// An anchor has confirmed a signed head, which is kept from then on.
    Anchor {
        log: String,
        epoch: i64,
        size: i64,
        /// `witness`, `timestamp` or `write-once`.
        kind: &'static str,
        /// Who: as configured.
        name: String,
        /// What they said.
        evidence: Vec<u8>,
        /// When.
        at: i64,
    },
    /// An epoch of a log ends; later entries belong to the next.
    CloseLog {
        log: String,
        /// The epoch that ends. It may be missing, if a log was lost as a whole.
        epoch: i64,
        /// The epoch that begins.
        next: i64,
        /// Its last root.
        root: Vec<u8>,
        /// Its last signed head.
        note: Option<String>,
        /// When.
        at: i64,
    },
    /// The registers of a log are taken as they are, whatever it commits to, since somebody who checked them
    /// reopens it.
    Recommit { log: String },
    /// Something that was kept is erased.
    Erase(Erase),
    /// A table's text is kept for ever.
    Table {
        digest: String,
        text: String,
        /// When.
        at: i64,
    },
    /// A version of the table comes into force.
    TableVersion {
        /// Its number, from 1.
        version: i64,
        digest: String,
        /// Random, in hexadecimal.
        salt: String,
        /// When.
        at: i64,
        /// Who, why, and what changes, as JSON.
        document: String,
    },
    /// The watched file, or the program, has offered a table.
    TableSource {
        /// Which of them.
        origin: &'static str,
        /// The table's digest.
        digest: String,
    },
    /// A table is proposed.
    Proposal { row: Box<ProposalRow> },
    /// A reading of the law is stated.
    Reading { row: Box<ReadingRow> },
    /// A reading is approved.
    ApproveReading {
        account: String,
        /// Its id.
        id: String,
        /// The id of the person who approves it.
        person: Uuid,
        at: i64,
    },
    /// Somebody proposes to end a reading.
    ProposeReadingEnd {
        account: String,
        /// Its id.
        id: String,
        /// The id of the person who proposes it.
        person: Uuid,
        at: i64,
    },
    /// A reading is ended.
    EndReading {
        account: String,
        /// Its id.
        id: String,
        at: i64,
        /// Who ends it, and why, as JSON.
        decision: String,
    },
    /// The law desk lets an account read the law of a place otherwise.
    AllowReadings { row: Box<ReadingAllowanceRow> },
    /// It does not any more.
    DisallowReadings {
        account: String,
        /// The place.
        code: String,
    },
    /// Somebody adopts a proposal without a known author.
    AdoptProposal {
        /// Its id.
        uid: Uuid,
        credential: String,
        /// The person's id.
        person: String,
    },
    /// A proposal is published, withdrawn, rejected, superseded or expired.
    DecideProposal {
        /// Its id.
        uid: Uuid,
        /// What became of it.
        state: &'static str,
        /// When.
        at: i64,
        /// Who, and why, as JSON.
        decision: String,
    },
    /// An entry of the account's log may restrict calls that it is no entry of.
    Restrictions { account: String },
    /// An account is to be told of something.
    Notification {
        /// The id of the entry that it tells of, or another one.
        id: Uuid,
        account: String,
        /// What happened, in the gateway's word.
        kind: &'static str,
        call: Option<Uuid>,
        recording: Option<Uuid>,
        /// What the platform has to do.
        action: Option<String>,
        /// When.
        at: i64,
        /// When it is tried first.
        due_at: i64,
    },
    /// A notification is tried, was tried in vain, or is to be tried again.
    NotificationTried {
        id: Uuid,
        /// How often, by now.
        attempts: i64,
        /// When it is tried next.
        due_at: i64,
        /// What the last attempt came to.
        outcome: Option<String>,
        /// When it was given up.
        failed_at: Option<i64>,
    },
    /// A notification is delivered, or nobody wants it any more.
    NotificationDone { id: Uuid },
    /// What was given up before this moment is kept no longer.
    NotificationsForgotten { given_up_before: i64 },
    /// An account's settings change.
    AccountSettings {
        /// The account.
        id: String,
        /// Its settings, as JSON.
        settings: String,
    },
}
