//! The stable codes of refusals and failures, with what a program finds beside each.

/// Makes an enum of codes from one table: what each is called on the wire, of what sort it is, which members a
/// problem document may have beside it, and, as its documentation, what it means.
macro_rules! codes {
    ($(#[$about:meta])* $vis:vis enum $name:ident: $sort:ty {
        $($(#[doc = $meaning:literal])+ $code:ident = $word:literal, $of:expr, [$($member:ident),*];)+
    }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $name {
            $($(#[doc = $meaning])+ $code,)+
        }

        impl $name {
            /// All of them.
            $vis const ALL: &'static [$name] = &[$($name::$code),+];

            /// The code as programs see it. It never changes.
            #[must_use]
            $vis const fn as_str(self) -> &'static str {
                match self { $($name::$code => $word),+ }
            }

            /// Of what sort it is.
            #[must_use]
            $vis const fn kind(self) -> $sort {
                match self { $($name::$code => $of),+ }
            }

            /// The members that a problem document of this code may have beside those that all have.
            #[must_use]
            $vis const fn members(self) -> &'static [$crate::gate::Member] {
                match self { $($name::$code => &[$($crate::gate::Member::$member),*]),+ }
            }

            /// What it means and what to do, in a line.
            #[must_use]
            $vis const fn meaning(self) -> &'static str {
                match self { $($name::$code => concat!($($meaning),+).trim_ascii()),+ }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use codes;

/// What sort of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The request cannot be read.
    Malformed,
    /// It can be read and makes no sense.
    Invalid,
    /// There is no such thing, or not for this account.
    Unknown,
    /// It contradicts what is there.
    Conflict,
    /// It was there and is deleted.
    Gone,
    /// The law, or a rule of ours, is against it.
    Refused,
    /// The body is too large.
    TooLarge,
    /// The body came too slowly.
    TooSlow,
    /// The media type, or what is in it, is not supported.
    Unsupported,
    /// The range lies outside.
    Range,
    /// Something that we need did not answer: nothing was acknowledged.
    Unavailable,
    /// A fault of ours.
    Broken,
}

/// A member of a problem document that only some codes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// How many bytes there are.
    Bytes,
    /// The calls that stand against it.
    Calls,
    /// What is lacking for the gateway to be ready.
    Failing,
    /// Whose consent is missing, and what would give it.
    Missing,
    /// Every mistake and warning of a table.
    Problems,
    /// The recordings that stand against it.
    Recordings,
    /// What to do with the audio that was refused: `delete` it, or mend what is wrong and `retry`.
    Source,
    /// The purposes that were told to everybody on the recording.
    Told,
    /// Every stretch of the audio that is not covered.
    Uncovered,
}

impl Member {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Member::Bytes => "bytes",
            Member::Calls => "calls",
            Member::Failing => "failing",
            Member::Missing => "missing",
            Member::Problems => "problems",
            Member::Recordings => "recordings",
            Member::Source => "source",
            Member::Told => "told",
            Member::Uncovered => "uncovered",
        }
    }
}

use FaultKind::{Broken, Conflict, Gone, Invalid, Malformed, Refused, Unavailable, Unknown};

codes! {
    /// The code of a refusal or a failure of the gate.
    pub enum FaultCode: FaultKind {
        /// Another account has this id; choose another.
        AccountExists = "account-exists", Conflict, [];
        /// The alias names another call that is open; end that call, or use another alias.
        AliasInUse = "alias-in-use", Conflict, [];
        /// The body broke off, or its chunked coding is wrong; send it again.
        BodyBroken = "body-broken", Malformed, [];
        /// The body is larger than is allowed.
        BodyTooLarge = "body-too-large", FaultKind::TooLarge, [];
        /// The body came too slowly, or took too long.
        BodyTooSlow = "body-too-slow", FaultKind::TooSlow, [];
        /// An event of this call that restricts recording could not be logged yet, so nothing is permitted; try again.
        CallBarred = "call-barred", Unavailable, [];
        /// The call has ended; open it again if it goes on.
        CallEnded = "call-ended", Conflict, [];
        /// A call of this id is open and was opened otherwise; report changes as events.
        CallExists = "call-exists", Conflict, [];
        /// A call that needs it is still open; end the call first.
        CallInProgress = "call-in-progress", Conflict, [Calls];
        /// The call was not open at that moment.
        CallNotOpen = "call-not-open", Invalid, [];
        /// The call has as many entries as are kept of one; end it, and open another.
        CallTooLong = "call-too-long", Conflict, [];
        /// Somebody on the call said no; delete the audio that is not covered.
        ConsentDeclined = "consent-declined", Refused, [Missing, Source, Uncovered];
        /// Another consent grant has this id, or it was withdrawn; register a new one.
        ConsentGrantExists = "consent-grant-exists", Conflict, [];
        /// Consent is missing, or recording was never granted.
        ConsentRequired = "consent-required", Refused, [Missing, Source, Uncovered];
        /// Somebody on the call withdrew; delete the audio that is not covered.
        ConsentWithdrawn = "consent-withdrawn", Refused, [Missing, Source, Uncovered];
        /// Others changed the same thing again and again; try again.
        Contended = "contended", Unavailable, [];
        /// The body does not have the announced digest; send it again.
        DigestMismatch = "digest-mismatch", Malformed, [];
        /// A participant is named twice in one request.
        DuplicateParticipant = "duplicate-participant", Invalid, [];
        /// An earlier epoch of the log is still there; drop that first.
        EarlierEpoch = "earlier-epoch", Conflict, [];
        /// An entry of the trail does not hold so much; say it in several requests.
        EntryTooLong = "entry-too-long", Invalid, [];
        /// The id of the event was used for another event of this call.
        EventIdReused = "event-id-reused", Conflict, [];
        /// A fault of the gateway's own; its log says which.
        Internal = "internal", Broken, [];
        /// The text is not an IP address.
        InvalidAddress = "invalid-address", Invalid, [];
        /// The body is JSON and does not fit what is asked for.
        InvalidBody = "invalid-body", Invalid, [];
        /// The consent grant makes no sense.
        InvalidConsentGrant = "invalid-consent-grant", Invalid, [];
        /// What is asked of the recording makes no sense.
        InvalidControl = "invalid-control", Invalid, [];
        /// The cursor is none, or belongs to another question.
        InvalidCursor = "invalid-cursor", Invalid, [];
        /// The event lacks something, or says something that means nothing to its type.
        InvalidEvent = "invalid-event", Invalid, [];
        /// A part of the question makes no sense.
        InvalidFilter = "invalid-filter", Invalid, [];
        /// The text is not a SHA-256 in hexadecimal.
        InvalidHash = "invalid-hash", Invalid, [];
        /// An id or a name is empty, too long, or holds what it may not.
        InvalidId = "invalid-id", Invalid, [];
        /// The text is not a language tag (BCP 47).
        InvalidLanguage = "invalid-language", Invalid, [];
        /// A person of the system's account has to be named.
        InvalidName = "invalid-name", Invalid, [];
        /// The text is not an international phone number.
        InvalidNumber = "invalid-number", Invalid, [];
        /// The text is not the code of a place (ISO 3166).
        InvalidPlace = "invalid-place", Invalid, [];
        /// The prompt makes no sense, or does not say what it claims to say.
        InvalidPrompt = "invalid-prompt", Invalid, [];
        /// The account has no calls, so nobody can have this role in it.
        InvalidRole = "invalid-role", Invalid, [];
        /// A setting of the account is out of range.
        InvalidSettings = "invalid-settings", Invalid, [];
        /// The table of jurisdictions has mistakes.
        InvalidTable = "invalid-table", Invalid, [Problems];
        /// A time contradicts another one.
        InvalidTime = "invalid-time", Invalid, [];
        /// The stretches of an upload overlap or are out of order.
        InvalidTimeline = "invalid-timeline", Invalid, [];
        /// A legal hold stands against it; counsel has to lift it first.
        LegalHold = "legal-hold", Conflict, [Recordings];
        /// The entries of the log were dropped; its last head is kept.
        LogDropped = "log-dropped", Gone, [];
        /// The log is still in this epoch; only one that has ended can be dropped.
        LogOpen = "log-open", Conflict, [];
        /// The log cannot be signed now, so no head of it is shown.
        LogUnsigned = "log-unsigned", Unavailable, [];
        /// The body is not JSON.
        MalformedJson = "malformed-json", Malformed, [];
        /// The table of jurisdictions has no row for this place.
        NoRow = "no-row", Unknown, [];
        /// The account has no public key to seal recordings for.
        NoUsableKey = "no-usable-key", Refused, [Source];
        /// Something that it needs is not configured.
        NotConfigured = "not-configured", Conflict, [];
        /// The call cannot be exported in this form as the gateway is configured.
        NotExportable = "not-exportable", Conflict, [];
        /// There is no such thing, or not for this account.
        NotFound = "not-found", Unknown, [];
        /// Only whoever proposed a table can withdraw it.
        NotOwnProposal = "not-own-proposal", Refused, [];
        /// The recording has not been started.
        NotRecording = "not-recording", Conflict, [];
        /// No signed head covers it yet; ask again in a second.
        NotSignedYet = "not-signed-yet", Unavailable, [];
        /// Nobody confirms themselves; a colleague has to.
        OwnPerson = "own-person", Refused, [];
        /// Whoever proposes a table cannot approve it; a second person has to.
        OwnProposal = "own-proposal", Refused, [];
        /// The participant has left the call; post them again when they come back.
        ParticipantLeft = "participant-left", Conflict, [];
        /// The proposal was decided before.
        ProposalDecided = "proposal-decided", Conflict, [];
        /// The proposal has expired; publish the table again.
        ProposalExpired = "proposal-expired", Conflict, [];
        /// Another version is in force than the one the proposal was compared with; publish the table again.
        ProposalOutdated = "proposal-outdated", Conflict, [];
        /// The people on the recording were not told that it is for this purpose.
        PurposeNotConsented = "purpose-not-consented", Refused, [Told];
        /// The range begins behind the last byte.
        RangeOutside = "range-outside", FaultKind::Range, [Bytes];
        /// The reason is kept, and may not name whoever is erased.
        ReasonNamesThem = "reason-names-them", Invalid, [];
        /// A reason has to be given.
        ReasonRequired = "reason-required", Invalid, [];
        /// The reason is longer than 4 KiB.
        ReasonTooLong = "reason-too-long", Invalid, [];
        /// The recording was deleted.
        RecordingDeleted = "recording-deleted", Gone, [];
        /// A recording of this name, or of this call, was accepted.
        RecordingExists = "recording-exists", Conflict, [];
        /// There are recordings of calls that were opened in the epoch; delete them first.
        RecordingsExist = "recordings-exist", Conflict, [Recordings];
        /// The law has a recording kept for longer.
        RetentionRequired = "retention-required", Conflict, [Recordings];
        /// The recording store does not answer, or has no room; try again later.
        StoreUnavailable = "store-unavailable", Unavailable, [];
        /// The time lies in the future; set the sender's clock.
        TimeInTheFuture = "time-in-the-future", Invalid, [];
        /// The time lies too far in the past; report things as they happen.
        TimeTooFarPast = "time-too-far-past", Invalid, [];
        /// The timeline speaks of less audio than there is.
        TimelineTooShort = "timeline-too-short", Invalid, [];
        /// The call has more aliases than are allowed.
        TooManyAliases = "too-many-aliases", Invalid, [];
        /// A participant has more languages than are allowed.
        TooManyLanguages = "too-many-languages", Invalid, [];
        /// The call has more participants than are allowed.
        TooManyParticipants = "too-many-participants", Invalid, [];
        /// More places are named at once than are allowed.
        TooManyPlaces = "too-many-places", Invalid, [];
        /// The audit trail cannot be written or read, so nothing was done; try again.
        TrailUnavailable = "trail-unavailable", Unavailable, [];
        /// Audio lies outside of what was granted; cut what is listed, or say when it was made.
        UncoveredAudio = "uncovered-audio", Refused, [Missing, Source, Uncovered];
        /// They were enrolled later, and whoever counts has to confirm them first.
        UnconfirmedPerson = "unconfirmed-person", Refused, [];
        /// There is no account of this id.
        UnknownAccount = "unknown-account", Unknown, [];
        /// There is no call of this id, or not for this account.
        UnknownCall = "unknown-call", Unknown, [];
        /// The table of jurisdictions has no overlay of this id.
        UnknownOverlay = "unknown-overlay", Invalid, [];
        /// The participant was never on this call; post them first.
        UnknownParticipant = "unknown-participant", Invalid, [];
        /// The prompt is not registered; register it first.
        UnknownPrompt = "unknown-prompt", Invalid, [];
        /// Nothing is known of them, or nothing any more.
        UnknownSubject = "unknown-subject", Unknown, [];
        /// The audio cannot be measured; its words say what is wrong with it.
        UnmeasurableAudio = "unmeasurable-audio", FaultKind::Unsupported, [];
        /// The credential stands for nobody; use one that names a person.
        UnnamedPerson = "unnamed-person", Refused, [];
        /// The public key cannot be used.
        UnusableKey = "unusable-key", Invalid, [];
        /// The password is too weak.
        WeakPassword = "weak-password", Invalid, [];
        /// It belongs to another account.
        WrongAccount = "wrong-account", Refused, [];
    }
}
