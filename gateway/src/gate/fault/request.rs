//! What is wrong with a request, independent of any state.

use policy::{Code, CodeError};

use super::FaultCode;
use crate::body::BodyError;
use crate::gate::ask::{EventType, Misfit};
use crate::locate::{NumberError, PlaceError};

/// A part of a request. Every door has its own name for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named by what it is")]
pub enum Field {
    Alias,
    AskedCall,
    AskedListener,
    AskedParticipant,
    AskedPlace,
    AskedPrompt,
    AskedRule,
    At,
    By,
    CallId,
    DefaultLanguage,
    DeviceId,
    ErasedParticipant,
    EventId,
    EvidenceHash,
    FetchPurpose,
    GrantBasis,
    GrantHash,
    GrantId,
    GrantSubject,
    HoldCase,
    HoldId,
    HoldPurpose,
    Ip,
    JoinedAt,
    Language,
    Location,
    Method,
    NamedGrant,
    Number,
    Operator,
    OperatorLocation,
    Participant,
    ParticipantId,
    PersonName,
    PlayedMs,
    Prompt,
    PromptHash,
    PromptId,
    PromptLanguage,
    Purpose,
    Recorder,
    RecorderLocation,
    RecordingName,
    RegisteredLanguage,
    Since,
    StartedAt,
    UserId,
}

/// A thing that an id can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named by what it is")]
pub enum Thing {
    AccountAlias,
    ConsentGrant,
    Credential,
    Epoch,
    KeyInUse,
    LegalHold,
    Log,
    Notification,
    Person,
    Prompt,
    Proposal,
    Quarantined,
    Reading,
    Recording,
    RecordingSettings,
    SignedHead,
    TableVersion,
    Tile,
}

/// Places that somebody may have meant, the likeliest first, each with its name.
pub type Meant = Vec<(Code, &'static str)>;

/// What is wrong with a request.
#[derive(Debug)]
pub enum Wrong {
    /// There is no body.
    Empty,
    /// The body is UTF-16, and JSON has to be UTF-8.
    Utf16,
    /// The body is not JSON.
    Form(Misfit),
    /// The body is JSON, but something in it does not match the schema.
    Misfit(Misfit),
    /// The body did not arrive completely.
    Body(BodyError),
    /// A name is empty, or longer than [`MAX_NAME`](crate::gate::ask::MAX_NAME).
    Length {
        /// The part of the request.
        field: Field,
        /// How many bytes it has.
        bytes: usize,
    },
    /// A name holds a control character.
    ControlCharacter(Field),
    /// A participant has the id that stands for everybody beyond the largest number of participants.
    ReservedId,
    /// The id of an account holds characters that are not allowed.
    AccountId,
    /// An alias of an account holds characters that are not allowed.
    AccountAlias,
    /// The text is not a role.
    NoRole,
    /// The text is not a language tag (BCP 47).
    NoLanguage(Field),
    /// The text is not a SHA-256 in hexadecimal.
    NoHash(Field),
    /// The text is not an international phone number.
    NoNumber {
        /// Why not.
        error: NumberError,
        /// Whether it may be left out instead.
        is_optional: bool,
    },
    /// The text is not an IP address.
    NoAddress,
    /// The text is not the code of a place. Since it may be somebody's address, it is not repeated.
    NoPlace {
        /// Why not.
        error: PlaceError,
        /// What may have been meant.
        meant: Meant,
    },
    /// The text does not have the form of a code.
    NoCode {
        /// The part of the request.
        field: Option<Field>,
        /// Why not.
        error: CodeError,
        /// What may have been meant.
        meant: Meant,
    },
    /// The text has the form of a code, but there is no such place.
    UnlistedPlace {
        /// The part of the request.
        field: Field,
        /// The code.
        code: Code,
        /// What may have been meant.
        meant: Meant,
    },
    /// The request names more places than [`MAX_PLACES`](crate::gate::MAX_PLACES).
    TooManyPlaces,
    /// The request names more participants than [`MAX_PARTICIPANTS`](crate::gate::ask::MAX_PARTICIPANTS).
    TooManyParticipants,
    /// The request has more aliases than [`MAX_ALIASES`](crate::gate::MAX_ALIASES).
    TooManyAliases,
    /// A participant has more languages than [`MAX_LANGUAGES`](crate::gate::MAX_LANGUAGES).
    TooManyLanguages,
    /// The data of so many participants does not fit into one entry of the trail.
    TooMuchOfParticipants,
    /// The request does not fit into one entry of the trail.
    EntryTooLong,
    /// A participant is named twice.
    Duplicate {
        /// Their id.
        participant: String,
    },
    /// A time is in the future.
    Future {
        /// The part of the request.
        field: Field,
        /// By how many whole seconds.
        seconds: i64,
    },
    /// A time is more than 24 hours in the past.
    Past(Field),
    /// Somebody joined a call before it started.
    JoinedBeforeStart {
        /// Their id.
        participant: String,
    },
    /// A reason is missing, or longer than 4 KiB.
    NoReason,
    /// The reason is longer than 4 KiB.
    LongReason,
    /// `behavior` comes with something other than a pause.
    BehaviorWithoutPause,
    /// A recording is to be for something that its call is not for.
    NotForThat {
        /// The purpose.
        purpose: String,
    },
    /// A use is to be for something that neither the law nor the call names.
    UnknownPurpose {
        /// The purpose.
        purpose: String,
    },
    /// A use is to be for more purposes than there are.
    TooManyPurposes,
    /// The cursor is invalid, or belongs to another question.
    NoCursor,
    /// There is no such outcome.
    NoOutcome {
        /// The word, cut to 40 characters.
        word: String,
    },
    /// There is no such type of entry.
    NoType {
        /// The word, cut to 40 characters.
        word: String,
    },
    /// The text is not the id of a recording.
    NoRecordingId,
    /// Nothing says which line of Kazoo routes the call.
    NoLine,
    /// The account keeps no such document.
    NotKept {
        /// What it is a document of.
        field: Field,
        /// Its id.
        id: String,
    },
    /// The recording settings are larger than [`MAX_SETTINGS`](crate::gate::ask::MAX_SETTINGS).
    ManySettings {
        /// How many bytes they have.
        bytes: usize,
    },
}

impl Wrong {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> FaultCode {
        match self {
            Wrong::Empty | Wrong::Utf16 | Wrong::Form(_) => FaultCode::MalformedJson,
            Wrong::Misfit(_) => FaultCode::InvalidBody,
            Wrong::NoRole => FaultCode::InvalidRole,
            Wrong::Body(BodyError::TooLarge { .. }) => FaultCode::BodyTooLarge,
            Wrong::Body(BodyError::TooSlow { .. } | BodyError::Deadline { .. }) => FaultCode::BodyTooSlow,
            Wrong::Body(BodyError::Broken(_)) => FaultCode::BodyBroken,
            Wrong::Length { .. }
            | Wrong::ControlCharacter(_)
            | Wrong::ReservedId
            | Wrong::AccountId
            | Wrong::AccountAlias => FaultCode::InvalidId,
            Wrong::NoLanguage(_) => FaultCode::InvalidLanguage,
            Wrong::NoHash(_) => FaultCode::InvalidHash,
            Wrong::NoNumber { .. } => FaultCode::InvalidNumber,
            Wrong::NoAddress => FaultCode::InvalidAddress,
            Wrong::NoPlace { .. } | Wrong::NoCode { .. } | Wrong::UnlistedPlace { .. } => {
                FaultCode::InvalidPlace
            }
            Wrong::TooManyPlaces => FaultCode::TooManyPlaces,
            Wrong::TooManyParticipants | Wrong::TooMuchOfParticipants => FaultCode::TooManyParticipants,
            Wrong::TooManyAliases => FaultCode::TooManyAliases,
            Wrong::TooManyLanguages => FaultCode::TooManyLanguages,
            Wrong::EntryTooLong => FaultCode::EntryTooLong,
            Wrong::Duplicate { .. } => FaultCode::DuplicateParticipant,
            Wrong::Future { .. } => FaultCode::TimeInTheFuture,
            Wrong::Past(_) => FaultCode::TimeTooFarPast,
            Wrong::JoinedBeforeStart { .. } => FaultCode::InvalidTime,
            Wrong::NoReason => FaultCode::ReasonRequired,
            Wrong::LongReason => FaultCode::ReasonTooLong,
            Wrong::BehaviorWithoutPause
            | Wrong::NotForThat { .. }
            | Wrong::UnknownPurpose { .. }
            | Wrong::TooManyPurposes => FaultCode::InvalidControl,
            Wrong::NoCursor => FaultCode::InvalidCursor,
            Wrong::NoLine | Wrong::NotKept { .. } => FaultCode::InvalidScope,
            Wrong::ManySettings { .. } => FaultCode::InvalidSettings,
            Wrong::NoOutcome { .. } | Wrong::NoType { .. } | Wrong::NoRecordingId => FaultCode::InvalidFilter,
        }
    }
}

/// What is wrong with an event. Its code is `invalid-event`.
#[derive(Debug)]
pub enum WrongEvent {
    /// The request holds no event, or more than [`MAX_EVENTS`](crate::gate::ask::MAX_EVENTS).
    Count,
    /// The event concerns one participant, but names several.
    NotOne(EventType),
    /// The event lacks a required member.
    Lacks {
        /// Its type.
        kind: EventType,
        /// The missing member.
        what: Lacking,
    },
    /// The event has a member that means nothing to its type; accepting it would silently drop a claim.
    Misplaced {
        /// Its type.
        kind: EventType,
        /// The member.
        field: Field,
    },
    /// The call has ended, and the event does not say when the announcement was played.
    AnnouncedWhen,
}

/// A member that an event lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacking {
    /// Who took the call.
    By,
    /// How somebody agreed.
    Method,
    /// Whom it is about.
    Participant,
    /// How much of a prompt was played.
    PlayedMs,
    /// Which prompt was played.
    Prompt,
}
