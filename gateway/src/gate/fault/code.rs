//! The stable codes of refusals and failures, with the members of their problem documents.

/// Makes an enum of codes from a table: the word of each on the wire, its kind, the extra members of its
/// problem documents and, as its documentation, its meaning.
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
            /// All codes.
            $vis const ALL: &'static [$name] = &[$($name::$code),+];

            /// The code as programs see it. It never changes.
            #[must_use]
            $vis const fn as_str(self) -> &'static str {
                match self { $($name::$code => $word),+ }
            }

            /// Its kind.
            #[must_use]
            $vis const fn kind(self) -> $sort {
                match self { $($name::$code => $of),+ }
            }

            /// The members that a problem document of this code may have besides the common ones.
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

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The request cannot be read.
    Malformed,
    /// It can be read, but makes no sense.
    Invalid,
    /// There is no such thing, or not for this account.
    Unknown,
    /// It conflicts with the current state.
    Conflict,
    /// It existed, and was deleted.
    Gone,
    /// The law, or a rule of the gateway, does not allow it.
    Refused,
    /// The body is too large.
    TooLarge,
    /// The body came too slowly.
    TooSlow,
    /// The media type, or the content, is not supported.
    Unsupported,
    /// The range is out of bounds.
    Range,
    /// Something that the gateway needs did not answer: nothing was acknowledged.
    Unavailable,
    /// A fault of the gateway itself.
    Broken,
}

/// A member that only some problem documents have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// How many bytes there are.
    Bytes,
    /// The calls that stand in the way.
    Calls,
    /// What is lacking for the gateway to be ready.
    Failing,
    /// Whose consent is missing, and what would give it.
    Missing,
    /// Every error and warning in a table.
    Problems,
    /// The recordings that stand in the way.
    Recordings,
    /// What to do with the refused audio: `delete` it, or correct the request and `retry`.
    Source,
    /// The purposes that everybody on the recording was told.
    Told,
    /// Every stretch of the audio that is not covered.
    Uncovered,
}

impl Member {
    /// The word.
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
        /// The alias belongs to another open call; end that call, or use another alias.
        AliasInUse = "alias-in-use", Conflict, [];
        /// The body broke off, or its chunked coding is invalid; send it again.
        BodyBroken = "body-broken", Malformed, [];
        /// The body is larger than allowed.
        BodyTooLarge = "body-too-large", FaultKind::TooLarge, [];
        /// The body came too slowly, or took too long.
        BodyTooSlow = "body-too-slow", FaultKind::TooSlow, [];
        /// An event that restricts recording on this call could not be logged yet, so nothing is permitted;
        /// try again.
        CallBarred = "call-barred", Unavailable, [];
        /// The call has ended; open it again if it continues.
        CallEnded = "call-ended", Conflict, [];
        /// An open call has this id, and was opened with other data; report changes as events.
        CallExists = "call-exists", Conflict, [];
        /// A call that needs it is still open; end the call first.
        CallInProgress = "call-in-progress", Conflict, [Calls];
        /// The call was not open at that moment.
        CallNotOpen = "call-not-open", Invalid, [];
        /// The call has the largest number of entries; end it, and open another.
        CallTooLong = "call-too-long", Conflict, [];
        /// Somebody on the call said no; delete the audio that is not covered.
        ConsentDeclined = "consent-declined", Refused, [Missing, Source, Uncovered];
        /// This id belongs to another consent grant, or to a withdrawn one; register a new one.
        ConsentGrantExists = "consent-grant-exists", Conflict, [];
        /// Consent is missing, or recording was never granted.
        ConsentRequired = "consent-required", Refused, [Missing, Source, Uncovered];
        /// Somebody on the call withdrew; delete the audio that is not covered.
        ConsentWithdrawn = "consent-withdrawn", Refused, [Missing, Source, Uncovered];
        /// Others kept changing the same thing; try again.
        Contended = "contended", Unavailable, [];
        /// A credential of this name has another role; revoke it first, or use another name.
        CredentialExists = "credential-exists", Conflict, [];
        /// The body does not match the announced digest; send it again.
        DigestMismatch = "digest-mismatch", Malformed, [];
        /// A participant is named twice in one request.
        DuplicateParticipant = "duplicate-participant", Invalid, [];
        /// An earlier epoch of the log still exists; drop that one first.
        EarlierEpoch = "earlier-epoch", Conflict, [];
        /// This is too much for one entry of the trail; split it into several requests.
        EntryTooLong = "entry-too-long", Invalid, [];
        /// The id of the event was used for another event of this call.
        EventIdReused = "event-id-reused", Conflict, [];
        /// What covers it was logged only after the audio had ended, which does not count for what was in quarantine.
        EvidenceTooLate = "evidence-too-late", Refused, [];
        /// A fault of the gateway itself; its log has the details.
        Internal = "internal", Broken, [];
        /// The text is not an IP address.
        InvalidAddress = "invalid-address", Invalid, [];
        /// The body is JSON, but does not match the schema.
        InvalidBody = "invalid-body", Invalid, [];
        /// The consent grant makes no sense.
        InvalidConsentGrant = "invalid-consent-grant", Invalid, [];
        /// The request to control recording makes no sense.
        InvalidControl = "invalid-control", Invalid, [];
        /// The cursor is invalid, or belongs to another question.
        InvalidCursor = "invalid-cursor", Invalid, [];
        /// The event lacks a member, or has one that means nothing to its type.
        InvalidEvent = "invalid-event", Invalid, [];
        /// A part of the question makes no sense.
        InvalidFilter = "invalid-filter", Invalid, [];
        /// The text is not a SHA-256 in hexadecimal.
        InvalidHash = "invalid-hash", Invalid, [];
        /// An id or a name is empty, too long, or holds characters that are not allowed.
        InvalidId = "invalid-id", Invalid, [];
        /// The text is not a language tag (BCP 47).
        InvalidLanguage = "invalid-language", Invalid, [];
        /// A person of the account `system` must have a name.
        InvalidName = "invalid-name", Invalid, [];
        /// The text is not an international phone number.
        InvalidNumber = "invalid-number", Invalid, [];
        /// The text is not the code of a place (ISO 3166).
        InvalidPlace = "invalid-place", Invalid, [];
        /// The prompt makes no sense, or does not say what it claims to say.
        InvalidPrompt = "invalid-prompt", Invalid, [];
        /// The reading of the law makes no sense, or could never count.
        InvalidReading = "invalid-reading", Invalid, [];
        /// Nobody can have this role in this account.
        InvalidRole = "invalid-role", Invalid, [];
        /// The question lacks the line of Kazoo, or names a document that the account does not keep.
        InvalidScope = "invalid-scope", Invalid, [];
        /// A setting of the account is out of range.
        InvalidSettings = "invalid-settings", Invalid, [];
        /// The table of jurisdictions has errors.
        InvalidTable = "invalid-table", Invalid, [Problems];
        /// A time contradicts another one.
        InvalidTime = "invalid-time", Invalid, [];
        /// The stretches of an upload overlap or are out of order.
        InvalidTimeline = "invalid-timeline", Invalid, [];
        /// The hold is limited by nothing, or ends before it begins.
        InvalidLegalHold = "invalid-legal-hold", Invalid, [];
        /// The account had this key, and it was retired; add another one.
        KeyRetired = "key-retired", Conflict, [];
        /// A legal hold prevents it; counsel has to lift it first.
        LegalHold = "legal-hold", Conflict, [Recordings];
        /// This id belongs to another hold; set one under another id.
        LegalHoldExists = "legal-hold-exists", Conflict, [];
        /// The entries of the log were dropped; its last head is kept.
        LogDropped = "log-dropped", Gone, [];
        /// This is the log's current epoch; only one that has ended can be dropped.
        LogOpen = "log-open", Conflict, [];
        /// The log cannot be signed now, so there is no head to show.
        LogUnsigned = "log-unsigned", Unavailable, [];
        /// It would ask less than the account's law does now; only somebody with a shell, or the account's counsel, may.
        LoosensLaw = "loosens-law", Refused, [];
        /// The body is not JSON.
        MalformedJson = "malformed-json", Malformed, [];
        /// The name is an account's, an alias of another, or reserved; choose another.
        NameTaken = "name-taken", Conflict, [];
        /// The table of jurisdictions has no row for this place.
        NoRow = "no-row", Unknown, [];
        /// The account has no public key to seal recordings for.
        NoUsableKey = "no-usable-key", Refused, [Source];
        /// It needs something that is not configured.
        NotConfigured = "not-configured", Conflict, [];
        /// The call cannot be exported in this form with the current configuration.
        NotExportable = "not-exportable", Conflict, [];
        /// There is no such thing, or not for this account.
        NotFound = "not-found", Unknown, [];
        /// Only the person who proposed a table can withdraw it.
        NotOwnProposal = "not-own-proposal", Refused, [];
        /// The recording has not been started.
        NotRecording = "not-recording", Conflict, [];
        /// No signed head covers it yet; ask again in a second.
        NotSignedYet = "not-signed-yet", Unavailable, [];
        /// Somebody has objected since the audio began, so it does not leave the quarantine.
        Objected = "objected", Refused, [];
        /// The account's recordings are sealed in a format with one key, and there is another one.
        OneKey = "one-key", Conflict, [];
        /// Its sender named another call, which there is: it belongs to that one.
        OtherCall = "other-call", Conflict, [];
        /// You cannot confirm yourself; a colleague has to.
        OwnPerson = "own-person", Refused, [];
        /// You proposed it; somebody else has to approve it, or end it.
        OwnProposal = "own-proposal", Refused, [];
        /// The participant has left the call; add them again when they come back.
        ParticipantLeft = "participant-left", Conflict, [];
        /// The proposal is already decided.
        ProposalDecided = "proposal-decided", Conflict, [];
        /// The proposal has expired; publish the table again.
        ProposalExpired = "proposal-expired", Conflict, [];
        /// Another version came into force after the proposal was made; publish the table again.
        ProposalOutdated = "proposal-outdated", Conflict, [];
        /// The people on the recording were not told that it is for this purpose.
        PurposeNotConsented = "purpose-not-consented", Refused, [Told];
        /// The range begins after the last byte.
        RangeOutside = "range-outside", FaultKind::Range, [Bytes];
        /// The key to it was destroyed, or is on another machine: it cannot be released here.
        QuarantineKeyMissing = "quarantine-key-missing", Conflict, [];
        /// The reading is in force, or is over; state another one.
        ReadingDecided = "reading-decided", Conflict, [];
        /// The law desk does not let this account read the law of this place otherwise than the table.
        ReadingsNotAllowed = "readings-not-allowed", Refused, [];
        /// The reason is kept, so it may not name the person who is erased.
        ReasonNamesThem = "reason-names-them", Invalid, [];
        /// A reason is required.
        ReasonRequired = "reason-required", Invalid, [];
        /// The reason is longer than 4 KiB.
        ReasonTooLong = "reason-too-long", Invalid, [];
        /// The recording was deleted.
        RecordingDeleted = "recording-deleted", Gone, [];
        /// The name, or the call, has an accepted recording already.
        RecordingExists = "recording-exists", Conflict, [];
        /// There are recordings of calls from this epoch; delete them first.
        RecordingsExist = "recordings-exist", Conflict, [Recordings];
        /// Somebody on it waits to be erased: it is handed out only for a legal hold.
        Restricted = "restricted", Refused, [];
        /// The law requires a recording to be kept for longer.
        RetentionRequired = "retention-required", Conflict, [Recordings];
        /// A provisioner may not give this role; it is given at the command line.
        RoleReserved = "role-reserved", Refused, [];
        /// The recording store does not answer, or has no room; try again later.
        StoreUnavailable = "store-unavailable", Unavailable, [];
        /// The time is in the future; set the sender's clock.
        TimeInTheFuture = "time-in-the-future", Invalid, [];
        /// The time is too far in the past; report things as they happen.
        TimeTooFarPast = "time-too-far-past", Invalid, [];
        /// The timeline covers less audio than there is.
        TimelineTooShort = "timeline-too-short", Invalid, [];
        /// The call, or the account, has more aliases than allowed.
        TooManyAliases = "too-many-aliases", Invalid, [];
        /// A participant has more languages than allowed.
        TooManyLanguages = "too-many-languages", Invalid, [];
        /// The call has more participants than allowed.
        TooManyParticipants = "too-many-participants", Invalid, [];
        /// The request names more places than allowed.
        TooManyPlaces = "too-many-places", Invalid, [];
        /// The audit trail cannot be written or read, so nothing was done; try again.
        TrailUnavailable = "trail-unavailable", Unavailable, [];
        /// The account's recording settings do not ask for this recording; change Kazoo's settings, or those that are kept.
        UnaskedRecording = "unasked-recording", Refused, [];
        /// Some of the audio lies outside of what was granted; cut what is listed, or say when it was made.
        UncoveredAudio = "uncovered-audio", Refused, [Missing, Source, Uncovered];
        /// The person was enrolled later, and somebody who counts has to confirm them first.
        UnconfirmedPerson = "unconfirmed-person", Refused, [];
        /// There is no account with this id.
        UnknownAccount = "unknown-account", Unknown, [];
        /// There is no call with this id, or not for this account.
        UnknownCall = "unknown-call", Unknown, [];
        /// The table of jurisdictions has no overlay with this id.
        UnknownOverlay = "unknown-overlay", Invalid, [];
        /// The participant was never on this call; add them first.
        UnknownParticipant = "unknown-participant", Invalid, [];
        /// The prompt is not registered; register it first.
        UnknownPrompt = "unknown-prompt", Invalid, [];
        /// Nothing is known of this person.
        UnknownSubject = "unknown-subject", Unknown, [];
        /// The audio cannot be measured; the detail says what is wrong with it.
        UnmeasurableAudio = "unmeasurable-audio", FaultKind::Unsupported, [];
        /// The credential does not name a person; use one that does.
        UnnamedPerson = "unnamed-person", Refused, [];
        /// The public key cannot be used.
        UnusableKey = "unusable-key", Invalid, [];
        /// The password is too weak.
        WeakPassword = "weak-password", Invalid, [];
        /// It belongs to another account.
        WrongAccount = "wrong-account", Refused, [];
    }
}
