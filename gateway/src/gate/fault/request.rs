//! What is wrong with what was asked, whatever there is.

use policy::{Code, CodeError};

use super::FaultCode;
use crate::body::BodyError;
use crate::gate::ask::{EventType, Misfit};
use crate::locate::{NumberError, PlaceError};

/// A part of what is asked. Every door calls it by a name of its own.
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
    ErasedParticipant,
    EventId,
    EvidenceHash,
    FetchPurpose,
    GrantBasis,
    GrantHash,
    GrantId,
    GrantSubject,
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
}

/// What there may be none of under an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named by what it is")]
pub enum Thing {
    ConsentGrant,
    Credential,
    Epoch,
    KeyInUse,
    Log,
    Person,
    Prompt,
    Proposal,
    Recording,
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
    /// The body is JSON, and something in it does not fit.
    Misfit(Misfit),
    /// The body did not come in whole.
    Body(BodyError),
    /// A name is empty, or longer than [`MAX_NAME`](crate::gate::ask::MAX_NAME).
    Length {
        /// Which.
        field: Field,
        /// How many bytes it has.
        bytes: usize,
    },
    /// A name holds a control character.
    ControlCharacter(Field),
    /// A participant has the id that stands for whoever is one too many.
    ReservedId,
    /// An account's id has other characters than such an id has.
    AccountId,
    /// It is no language tag (BCP 47).
    NoLanguage(Field),
    /// It is no SHA-256 in hexadecimal.
    NoHash(Field),
    /// It is no international phone number.
    NoNumber {
        /// Why not.
        error: NumberError,
        /// Whether it may be left out instead.
        is_optional: bool,
    },
    /// It is no IP address.
    NoAddress,
    /// It is no code of a place. What may be somebody's address is not repeated.
    NoPlace {
        /// Why not.
        error: PlaceError,
        /// What may have been meant.
        meant: Meant,
    },
    /// It is no code of a place by its form.
    NoCode {
        /// Which.
        field: Option<Field>,
        /// Why not.
        error: CodeError,
        /// What may have been meant.
        meant: Meant,
    },
    /// It has the form of a code, and is that of no place.
    UnlistedPlace {
        /// Which.
        field: Field,
        /// The code.
        code: Code,
        /// What may have been meant.
        meant: Meant,
    },
    /// More places than [`MAX_PLACES`](crate::gate::MAX_PLACES).
    TooManyPlaces,
    /// More participants than [`MAX_PARTICIPANTS`](crate::gate::ask::MAX_PARTICIPANTS).
    TooManyParticipants,
    /// More aliases than [`MAX_ALIASES`](crate::gate::MAX_ALIASES).
    TooManyAliases,
    /// More languages of a participant than [`MAX_LANGUAGES`](crate::gate::MAX_LANGUAGES).
    TooManyLanguages,
    /// One entry of the trail does not hold so much about so many participants.
    TooMuchOfParticipants,
    /// One entry of the trail does not hold so much.
    EntryTooLong,
    /// A participant is named twice.
    Duplicate {
        /// Their id.
        participant: String,
    },
    /// It lies in the future.
    Future {
        /// Which.
        field: Field,
        /// By how many whole seconds.
        seconds: i64,
    },
    /// It lies more than 24 hours in the past.
    Past(Field),
    /// Somebody joined a call before it started.
    JoinedBeforeStart {
        /// Their id.
        participant: String,
    },
    /// No reason is given, or one of more than 4 KiB.
    NoReason,
    /// The reason is longer than 4 KiB.
    LongReason,
    /// `behavior` is said of something else than a pause.
    BehaviorWithoutPause,
    /// It is no cursor, or that of another question.
    NoCursor,
    /// There is no such outcome.
    NoOutcome {
        /// The word, cut to 40 characters.
        word: String,
    },
    /// There are no entries of such a type.
    NoType {
        /// The word, cut to 40 characters.
        word: String,
    },
    /// It is not the id of a recording.
    NoRecordingId,
}

impl Wrong {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> FaultCode {
        match self {
            Wrong::Empty | Wrong::Utf16 | Wrong::Form(_) => FaultCode::MalformedJson,
            Wrong::Misfit(_) => FaultCode::InvalidBody,
            Wrong::Body(BodyError::TooLarge { .. }) => FaultCode::BodyTooLarge,
            Wrong::Body(BodyError::TooSlow { .. } | BodyError::Deadline { .. }) => FaultCode::BodyTooSlow,
            Wrong::Body(BodyError::Broken(_)) => FaultCode::BodyBroken,
            Wrong::Length { .. } | Wrong::ControlCharacter(_) | Wrong::ReservedId | Wrong::AccountId => {
                FaultCode::InvalidId
            }
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
            Wrong::BehaviorWithoutPause => FaultCode::InvalidControl,
            Wrong::NoCursor => FaultCode::InvalidCursor,
            Wrong::NoOutcome { .. } | Wrong::NoType { .. } | Wrong::NoRecordingId => FaultCode::InvalidFilter,
        }
    }
}

/// What is wrong with an event. Its code is `invalid-event`.
#[derive(Debug)]
pub enum WrongEvent {
    /// None is sent, or more than [`MAX_EVENTS`](crate::gate::ask::MAX_EVENTS).
    Count,
    /// It is about one participant, and names several.
    NotOne(EventType),
    /// It lacks something that it cannot be without.
    Lacks {
        /// Its type.
        kind: EventType,
        /// What it lacks.
        what: Lacking,
    },
    /// It holds something that means nothing to its type, so that no claim is silently dropped.
    Misplaced {
        /// Its type.
        kind: EventType,
        /// What means nothing.
        field: Field,
    },
    /// The call has ended, and it is not said when the announcement was played.
    AnnouncedWhen,
}

/// What an event lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacking {
    /// Who took the call.
    By,
    /// How somebody said yes.
    Method,
    /// Whom it is about.
    Participant,
    /// How much of a prompt was played.
    PlayedMs,
    /// Which prompt was played.
    Prompt,
}
