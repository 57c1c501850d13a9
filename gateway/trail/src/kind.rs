//! The kinds of entries: those that this version writes, and those reserved for later versions.

use std::fmt;

/// Ties every kind to its word, so that the list is complete.
macro_rules! kinds {
    ($($kind:ident $word:literal)*) => {
        /// What an entry is, by the word in its `type`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = concat!("`", $word, "`")] $kind,)*
        }

        impl Kind {
            /// The word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Kind::$kind => $word,)*
                }
            }
        }

        /// Every word that an entry's `type` can be, in the order of the alphabet.
        pub const KINDS: &[&str] = &[$($word),*];
    };
}

kinds! {
    AccountAdded "account.added"
    AccountAlias "account.alias"
    AccountAliasRemoved "account.alias-removed"
    AccountFormat "account.format"
    AccountLaw "account.law"
    AccountProvisioner "account.provisioner"
    AccountRecordingSettings "account.recording-settings"
    AccountSettings "account.settings"
    AccountWebhook "account.webhook"
    AnnouncementRecorded "announcement.recorded"
    AuditExport "audit.export"
    AuditGap "audit.gap"
    AuditHeartbeat "audit.heartbeat"
    AuditLookup "audit.lookup"
    CallEmergency "call.emergency"
    CallEnded "call.ended"
    CallOpened "call.opened"
    ConsentGrantRegistered "consent-grant.registered"
    ConsentGrantWithdrawn "consent-grant.withdrawn"
    ConsentDeclined "consent.declined"
    ConsentGiven "consent.given"
    ConsentWithdrawn "consent.withdrawn"
    CredentialAdded "credential.added"
    CredentialRevoked "credential.revoked"
    CredentialRotated "credential.rotated"
    CredentialSet "credential.set"
    ErasureExecuted "erasure.executed"
    ErasureWaiting "erasure.waiting"
    HoldLifted "hold.lifted"
    HoldSet "hold.set"
    KeyAdded "key.added"
    KeyRetired "key.retired"
    LogDropped "log.dropped"
    LogKeyRotated "log.key-rotated"
    LogOpened "log.opened"
    ParticipantAnswered "participant.answered"
    ParticipantHeld "participant.held"
    ParticipantJoined "participant.joined"
    ParticipantLeft "participant.left"
    ParticipantLocated "participant.located"
    ParticipantMinor "participant.minor"
    ParticipantRetrieved "participant.retrieved"
    PersonConfirmed "person.confirmed"
    PersonEnrolled "person.enrolled"
    PromptCompleted "prompt.completed"
    PromptInterrupted "prompt.interrupted"
    PromptRegistered "prompt.registered"
    PromptStarted "prompt.started"
    ReadingAllowed "reading.allowed"
    ReadingApproved "reading.approved"
    ReadingDisallowed "reading.disallowed"
    ReadingEndProposed "reading.end-proposed"
    ReadingEnded "reading.ended"
    ReadingInForce "reading.in-force"
    ReadingProposed "reading.proposed"
    RecordingAccepted "recording.accepted"
    RecordingControlRefused "recording.control-refused"
    RecordingDeleted "recording.deleted"
    RecordingDestroyed "recording.destroyed"
    RecordingFetchRefused "recording.fetch-refused"
    RecordingFetched "recording.fetched"
    RecordingHold "recording.hold"
    RecordingPause "recording.pause"
    RecordingPaused "recording.paused"
    RecordingQuarantined "recording.quarantined"
    RecordingRefused "recording.refused"
    RecordingReleaseRefused "recording.release-refused"
    RecordingReleased "recording.released"
    RecordingResume "recording.resume"
    RecordingResumed "recording.resumed"
    RecordingStart "recording.start"
    RecordingStarted "recording.started"
    RecordingStop "recording.stop"
    RecordingStopped "recording.stopped"
    RecordingUnasked "recording.unasked"
    SuspensionConfirmed "suspension.confirmed"
    SuspensionFailed "suspension.failed"
    SuspensionOrdered "suspension.ordered"
    TableInForce "table.in-force"
    TableProposalDecided "table.proposal-decided"
    TableProposed "table.proposed"
    ToneStarted "tone.started"
    ToneStopped "tone.stopped"
    UseControlRefused "use.control-refused"
    UsePause "use.pause"
    UseResume "use.resume"
    UseStart "use.start"
    UseStop "use.stop"
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The words for what came of something, and the kinds of entries that say so.
pub const OUTCOMES: &[(&str, &[Kind])] = &[
    ("prompted", &[Kind::PromptCompleted]),
    ("interrupted", &[Kind::PromptInterrupted]),
    ("consented", &[Kind::ConsentGiven, Kind::ConsentGrantRegistered]),
    ("declined", &[Kind::ConsentDeclined]),
    ("withdrawn", &[Kind::ConsentWithdrawn, Kind::ConsentGrantWithdrawn]),
    ("left", &[Kind::ParticipantLeft]),
    ("granted", &[Kind::RecordingStart, Kind::RecordingResume, Kind::UseStart, Kind::UseResume]),
    (
        "refused",
        &[
            Kind::RecordingControlRefused,
            Kind::UseControlRefused,
            Kind::RecordingRefused,
            Kind::RecordingReleaseRefused,
            Kind::RecordingUnasked,
            Kind::RecordingFetchRefused,
        ],
    ),
    ("accepted", &[Kind::RecordingAccepted, Kind::RecordingReleased]),
    ("quarantined", &[Kind::RecordingQuarantined]),
    ("fetched", &[Kind::RecordingFetched]),
    ("held", &[Kind::HoldSet, Kind::RecordingHold]),
    ("deleted", &[Kind::RecordingDeleted, Kind::RecordingDestroyed, Kind::ErasureExecuted]),
    ("ended", &[Kind::CallEnded]),
];

/// A word of a question that names nothing in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownWord<'w> {
    /// There is no such outcome.
    Outcome(&'w str),
    /// There is no such type of entry.
    Type(&'w str),
}

/// The types of entries that have one of these outcomes and are among these types, both separated by commas. `None`
/// means any type.
///
/// # Errors
///
/// [`UnknownWord`].
pub fn types_of<'w>(
    outcomes: Option<&'w str>,
    types: Option<&'w str>,
) -> Result<Option<Vec<&'static str>>, UnknownWord<'w>> {
    let words = |text: Option<&'w str>| text.map(|text| text.split(',').map(str::trim));
    let of_outcome = |word| match OUTCOMES.iter().find(|(outcome, _)| *outcome == word) {
        Some((_, kinds)) => Ok(kinds.iter().copied().map(Kind::as_str)),
        None => Err(UnknownWord::Outcome(word)),
    };
    let of_type = |word| KINDS.iter().copied().find(|kind| *kind == word).ok_or(UnknownWord::Type(word));
    let outcomes =
        words(outcomes).map(|words| words.map(of_outcome).collect::<Result<Vec<_>, _>>()).transpose()?;
    let outcomes = outcomes.map(|kinds| kinds.into_iter().flatten().collect::<Vec<_>>());
    let types = words(types).map(|words| words.map(of_type).collect::<Result<Vec<_>, _>>()).transpose()?;
    Ok(match (outcomes, types) {
        (Some(outcomes), Some(types)) => {
            Some(outcomes.into_iter().filter(|kind| types.contains(kind)).collect())
        }
        (some, None) | (None, some) => some,
    })
}

/// A kind whose name and rules are settled, but that this version neither writes nor can decide on: an
/// auditor reports that such an entry is of a later version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserved {
    /// The word for it.
    pub word: &'static str,
    /// What such an entry belongs to.
    pub of: Of,
    /// Whether somebody's privacy depends on such an entry.
    pub restricts: bool,
    /// The roles that may write it; `operator` is somebody with a shell on the gateway's machine.
    pub makers: &'static [&'static str],
}

/// What an entry belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// A call, on which it decides: it names the call and the call's previous entry.
    Call,
    /// A recording, which its content names. It does not name a call.
    Recording,
    /// The account.
    Account,
}

impl Reserved {
    /// The rules of a word that is reserved.
    #[must_use]
    pub fn of_word(word: &str) -> Option<&'static Reserved> {
        RESERVED.iter().find(|reserved| reserved.word == word)
    }
}

const fn reserved(word: &'static str, of: Of, restricts: bool, makers: &'static [&'static str]) -> Reserved {
    Reserved { word, of, restricts, makers }
}

const OBSERVERS: &[&str] = &["recorder", "observer"];
const PROGRAM: &[&str] = &["gateway"];
const KEY_HOLDERS: &[&str] = &["admin", "operator"];
const REGISTRARS: &[&str] = &["recorder", "observer", "counsel", "registrar", "admin", "operator"];

/// Every kind that is reserved, in the order of the alphabet.
pub const RESERVED: &[Reserved] = &[
    reserved("call.merged", Of::Call, true, OBSERVERS),
    reserved("key.challenged", Of::Account, false, KEY_HOLDERS),
    reserved("key.proved", Of::Account, false, KEY_HOLDERS),
    reserved("objection.lifted", Of::Account, false, REGISTRARS),
    reserved("objection.standing", Of::Account, true, REGISTRARS),
    reserved("reading.expired", Of::Account, true, PROGRAM),
    reserved("reconciliation.stated", Of::Account, false, &["auditor", "admin", "operator", "gateway"]),
    reserved("recording.rewrapped", Of::Recording, false, &["admin", "operator", "gateway"]),
    reserved("recording.shadowed", Of::Recording, false, PROGRAM),
    reserved("recording.swept", Of::Recording, true, PROGRAM),
    reserved("use.started", Of::Call, false, OBSERVERS),
    reserved("use.stopped", Of::Call, true, OBSERVERS),
];

#[cfg(test)]
mod tests {
    use super::{KINDS, RESERVED};

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        assert!(KINDS.is_sorted_by(|one, other| one < other));
        assert!(RESERVED.is_sorted_by(|one, other| one.word < other.word));
        assert!(
            RESERVED.iter().all(|reserved| !KINDS.contains(&reserved.word) && !reserved.makers.is_empty())
        );
    }
}
