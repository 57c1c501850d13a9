//! What the jobs of a group expect, asked all at once before any of them changes anything.
//!
//! INVARIANT: an answer counts as long as no earlier job of the group has touched its subject; otherwise it
//! is asked again. A change touches every answer that it is not known to leave alone.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::write::question;
use super::writer::Transaction;
use super::{Change, Expect, Job, LedgerError};

/// The answers, and what has been touched since.
#[derive(Debug, Default)]
pub(super) struct Expected<'g> {
    /// One for each expectation of the group's jobs; `None` if it is always asked again.
    answers: Vec<Option<bool>>,
    touched: BTreeSet<Part<'g>>,
    /// The calls whose heads earlier jobs have moved, to be written at the group's end.
    moved: BTreeMap<Uuid, Uuid>,
}

/// Something that expectations are about and jobs change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'g> {
    /// Anything else. A change of it may have touched the others as well.
    Rest,
    /// Calls, whether they have ended, and who is on them.
    Calls,
    /// What a name of an account finds.
    Name(&'g str, &'g str),
    /// The sender's ids of a call's events.
    Events(Uuid),
    /// The names of a call's recordings.
    RecordingsOf(Uuid),
    /// What became of any recording.
    Recordings,
    /// What is in quarantine.
    Quarantine,
    /// The key of a subject.
    Subject(&'g [u8]),
}

impl<'g> Expected<'g> {
    pub(super) async fn ask(
        transaction: &mut impl Transaction,
        group: impl Iterator<Item = &'g Job>,
    ) -> Result<Expected<'g>, LedgerError> {
        let expects: Vec<&Expect> = group.flat_map(|job| &job.expects).collect();
        let asked: Vec<&Expect> = expects.iter().filter(|expect| about(expect).is_some()).copied().collect();
        let mut answered = answers(transaction, &asked).await?.into_iter();
        let answer = |expect: &&Expect| about(expect).and_then(|_| answered.next());
        Ok(Expected { answers: expects.iter().map(answer).collect(), ..Expected::default() })
    }

    /// Whether everything that a job expects holds after the jobs before it; `first` is the number of its
    /// first expectation, counted through the group.
    pub(super) async fn hold(
        &self,
        transaction: &mut impl Transaction,
        first: usize,
        job: &Job,
    ) -> Result<bool, LedgerError> {
        let mut anew = Vec::new();
        for (index, expect) in job.expects.iter().enumerate() {
            let asked = self.answers.get(first.saturating_add(index)).copied().flatten();
            match self.answer(expect, asked) {
                Some(true) => {}
                Some(false) => return Ok(false),
                None => anew.push(expect),
            }
        }
        Ok(answers(transaction, &anew).await?.into_iter().all(|so| so))
    }

    /// The answer, if it is known without asking again.
    fn answer(&self, expect: &Expect, asked: Option<bool>) -> Option<bool> {
        if let Expect::Head { call, head } = expect
            && let Some(now) = self.moved.get(call)
        {
            return Some(now == head);
        }
        let is_touched = |part: Part<'_>| self.touched.contains(&part);
        let stale = is_touched(about(expect)?) || is_touched(Part::Rest);
        asked.filter(|_| !stale)
    }

    /// A job was done.
    pub(super) fn done(&mut self, job: &'g Job) {
        for change in &job.changes {
            touch(change, &mut self.touched);
        }
        // Its last entry on a call is the call's head.
        self.moved.extend(job.entries.iter().filter_map(|draft| Some((draft.call?, draft.id))));
    }

    pub(super) fn moved(&self) -> &BTreeMap<Uuid, Uuid> {
        &self.moved
    }
}

async fn answers(transaction: &mut impl Transaction, expects: &[&Expect]) -> Result<Vec<bool>, LedgerError> {
    let mut answers = Vec::with_capacity(expects.len());
    for expects in expects.chunks(QUESTIONS) {
        answers.extend(transaction.answers(expects.iter().map(|expect| question(expect)).collect()).await?);
    }
    Ok(answers)
}

/// What an expectation is about; `None` if it is always asked again.
fn about(expect: &Expect) -> Option<Part<'_>> {
    Some(match expect {
        // Heads that a group moves are known, and opening a call moves its head.
        Expect::Head { .. } => Part::Rest,
        Expect::NameIs { account, name, .. } => Part::Name(account, name),
        Expect::EventUnsent { call, .. } => Part::Events(*call),
        Expect::RecordingNameFree { call, .. } => Part::RecordingsOf(*call),
        Expect::RecordingLive { .. } | Expect::HoldFree { .. } | Expect::HoldSet { .. } => Part::Recordings,
        Expect::Subject { tag, .. } => Part::Subject(tag),
        Expect::CallsWithGrant { .. } | Expect::CallsOfParticipant { .. } => Part::Calls,
        Expect::QuarantineFree { .. } | Expect::Quarantined { .. } => Part::Quarantine,
        // Only an erasure renames a call.
        Expect::CallIs { .. } => Part::Rest,
        Expect::GrantHolds { .. }
        | Expect::GrantFree { .. }
        | Expect::PromptVersion { .. }
        | Expect::KeyUsable { .. }
        | Expect::KeysInUse { .. }
        | Expect::AccountFree { .. }
        | Expect::AliasFree { .. }
        | Expect::Alias { .. }
        | Expect::CredentialNameFree { .. }
        | Expect::CredentialIs { .. }
        | Expect::AccountPlaces { .. }
        | Expect::People { .. }
        | Expect::AccountSettings { .. }
        | Expect::Restrictions { .. }
        | Expect::Law { .. }
        | Expect::Version { .. }
        | Expect::OpenProposals { .. }
        | Expect::ProposalOf { .. }
        | Expect::ReadingIs { .. }
        | Expect::ReadingsAllowed { .. } => Part::Rest,
        // These are about the entries themselves, or rarely asked.
        Expect::CallsMentioning { .. }
        | Expect::Droppable { .. }
        | Expect::LogQuiet { .. }
        | Expect::NotificationDue { .. }
        | Expect::MarkIs { .. }
        | Expect::LogAt { .. } => return None,
    })
}

fn touch<'g>(change: &'g Change, touched: &mut BTreeSet<Part<'g>>) {
    match change {
        Change::Call { account, names, .. } => {
            touched.insert(Part::Calls);
            touched.extend(names.iter().map(|name| Part::Name(account, name)));
        }
        Change::CallEnded { .. } | Change::Participant { .. } => {
            touched.insert(Part::Calls);
        }
        Change::SentEvent { call, .. } => {
            touched.insert(Part::Events(*call));
        }
        Change::Recording { row } => {
            touched.insert(Part::Recordings);
            match row.call.parse() {
                Ok(call) => touched.insert(Part::RecordingsOf(call)),
                Err(_) => touched.insert(Part::Rest),
            };
        }
        Change::DeleteRecording { .. }
        | Change::Hold { .. }
        | Change::SetHold { .. }
        | Change::LiftHold { .. } => {
            touched.insert(Part::Recordings);
        }
        Change::Quarantine { .. } | Change::QuarantineEnded { .. } | Change::ForgetQuarantine { .. } => {
            touched.insert(Part::Quarantine);
        }
        Change::Subject { tag, .. } => {
            touched.insert(Part::Subject(tag));
        }
        // No expectation is about these.
        Change::Enveloped { .. }
        | Change::Swept { .. }
        | Change::QuarantineSwept { .. }
        | Change::WaitingErasure { .. }
        | Change::ErasureDone { .. }
        | Change::RestrictCall { .. }
        | Change::Probe { .. }
        | Change::Mark { .. }
        | Change::Secret { .. }
        | Change::Unmark { .. }
        | Change::Notification { .. }
        | Change::NotificationTried { .. }
        | Change::NotificationDone { .. }
        | Change::NotificationsForgotten { .. }
        | Change::Checkpoint { .. }
        | Change::RecordingSettings { .. }
        | Change::Anchor { .. } => {}
        Change::Account { .. }
        | Change::AccountSettings { .. }
        | Change::AccountPlaces { .. }
        | Change::AccountProvisioner { .. }
        | Change::AccountAlias { .. }
        | Change::DropAccountAlias { .. }
        | Change::RotateCredential { .. }
        | Change::Restrictions { .. }
        | Change::Credential { .. }
        | Change::SetCredential { .. }
        | Change::RevokeCredential { .. }
        | Change::Person { .. }
        | Change::ConfirmPerson { .. }
        | Change::Key { .. }
        | Change::RetireKey { .. }
        | Change::Prompt { .. }
        | Change::Grant { .. }
        | Change::WithdrawGrant { .. }
        | Change::CloseLog { .. }
        | Change::Recommit { .. }
        | Change::Erase(_)
        | Change::Table { .. }
        | Change::TableVersion { .. }
        | Change::TableSource { .. }
        | Change::Proposal { .. }
        | Change::AdoptProposal { .. }
        | Change::DecideProposal { .. }
        | Change::Reading { .. }
        | Change::ApproveReading { .. }
        | Change::ProposeReadingEnd { .. }
        | Change::EndReading { .. }
        | Change::AllowReadings { .. }
        | Change::DisallowReadings { .. } => {
            touched.insert(Part::Rest);
        }
    }
}

/// How many questions one statement may ask; SQLite allows 2000 columns, PostgreSQL 1664.
const QUESTIONS: usize = 256;
