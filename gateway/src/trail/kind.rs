//! What entries are called: every kind that this version writes, and those that are kept for later ones.

use std::fmt;

/// Ties every kind to its word, so that the list of them is whole.
macro_rules! kinds {
    ($($kind:ident $word:literal)*) => {
        /// What an entry is, by the word in its `type`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = concat!("`", $word, "`")] $kind,)*
        }

        impl Kind {
            /// The word.
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
    AccountLaw "account.law"
    AnnouncementRecorded "announcement.recorded"
    AuditExport "audit.export"
    AuditGap "audit.gap"
    AuditHeartbeat "audit.heartbeat"
    AuditLookup "audit.lookup"
    CallEnded "call.ended"
    CallOpened "call.opened"
    ConsentGrantRegistered "consent-grant.registered"
    ConsentGrantWithdrawn "consent-grant.withdrawn"
    ConsentDeclined "consent.declined"
    ConsentGiven "consent.given"
    ConsentWithdrawn "consent.withdrawn"
    CredentialAdded "credential.added"
    CredentialRevoked "credential.revoked"
    ErasureExecuted "erasure.executed"
    KeyAdded "key.added"
    KeyRetired "key.retired"
    LogDropped "log.dropped"
    LogKeyRotated "log.key-rotated"
    LogOpened "log.opened"
    ParticipantAnswered "participant.answered"
    ParticipantJoined "participant.joined"
    ParticipantLeft "participant.left"
    ParticipantLocated "participant.located"
    PersonConfirmed "person.confirmed"
    PersonEnrolled "person.enrolled"
    PromptCompleted "prompt.completed"
    PromptInterrupted "prompt.interrupted"
    PromptRegistered "prompt.registered"
    PromptStarted "prompt.started"
    RecordingAccepted "recording.accepted"
    RecordingControlRefused "recording.control-refused"
    RecordingDeleted "recording.deleted"
    RecordingFetchRefused "recording.fetch-refused"
    RecordingFetched "recording.fetched"
    RecordingHold "recording.hold"
    RecordingPause "recording.pause"
    RecordingPaused "recording.paused"
    RecordingRefused "recording.refused"
    RecordingResume "recording.resume"
    RecordingResumed "recording.resumed"
    RecordingStart "recording.start"
    RecordingStarted "recording.started"
    RecordingStop "recording.stop"
    RecordingStopped "recording.stopped"
    TableInForce "table.in-force"
    TableProposalDecided "table.proposal-decided"
    TableProposed "table.proposed"
    ToneStarted "tone.started"
    ToneStopped "tone.stopped"
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
    ("granted", &[Kind::RecordingStart, Kind::RecordingResume]),
    ("refused", &[Kind::RecordingControlRefused, Kind::RecordingRefused, Kind::RecordingFetchRefused]),
    ("accepted", &[Kind::RecordingAccepted]),
    ("fetched", &[Kind::RecordingFetched]),
    ("held", &[Kind::RecordingHold]),
    ("deleted", &[Kind::RecordingDeleted, Kind::ErasureExecuted]),
    ("ended", &[Kind::CallEnded]),
];

#[cfg(test)]
mod tests {
    use super::KINDS;

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        assert!(KINDS.is_sorted_by(|one, other| one < other));
    }
}
