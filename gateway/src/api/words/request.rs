//! Sentences for what is wrong with a request.

use policy::atlas::did_you_mean;

use super::form::wrong_form;
use crate::gate::ask::{MAX_EVENTS, MAX_NAME, MAX_PARTICIPANTS, MAX_SETTINGS, OTHERS};
use crate::gate::{Field, Lacking, MAX_ALIASES, MAX_LANGUAGES, MAX_PLACES, Wrong, WrongEvent};
use crate::locate::NumberError;
use trail::OUTCOMES;

/// Names the parts of a request at one door.
pub(crate) type Names = fn(Field) -> &'static str;

/// Names the parts of a request at the native door.
pub(crate) fn native(field: Field) -> &'static str {
    match field {
        Field::Alias => "an alias",
        Field::AskedCall => "`call`",
        Field::AskedListener => "`listener`",
        Field::AskedParticipant | Field::ErasedParticipant | Field::Participant => "`participant`",
        Field::AskedPlace => "`place`",
        Field::AskedPrompt | Field::Prompt => "`prompt`",
        Field::AskedRule => "`rule`",
        Field::At => "`at`",
        Field::By => "`by`",
        Field::CallId => "the call's id",
        Field::DefaultLanguage => "`default_language`",
        Field::DeviceId => "a device's id",
        Field::EventId => "an event's id",
        Field::EvidenceHash => "`evidence.sha256`",
        Field::FetchPurpose => "the purpose",
        Field::GrantBasis => "`basis`",
        Field::GrantHash => "`evidence_sha256`",
        Field::GrantId => "the grant's id",
        Field::GrantSubject => "`subject`",
        Field::HoldCase => "`case`",
        Field::HoldId => "the hold's id",
        Field::HoldPurpose => "`purpose`",
        Field::Ip => "`ip`",
        Field::JoinedAt => "`joined_at`",
        Field::Language => "a language",
        Field::Location => "`location`",
        Field::Method => "`method`",
        Field::NamedGrant => "a consent grant's id",
        Field::Number => "`number`",
        Field::Operator => "`operator`",
        Field::OperatorLocation => "`operator_location`",
        Field::ParticipantId => "a participant's id",
        Field::PersonName => "the name",
        Field::PlayedMs => "`played_ms`",
        Field::PromptHash => "`sha256`",
        Field::PromptId => "the prompt's id",
        Field::PromptLanguage => "`language`",
        Field::Purpose => "a purpose",
        Field::RegisteredLanguage => "the prompt's language",
        Field::Recorder => "`recorder`",
        Field::RecorderLocation => "`recorder_location`",
        Field::RecordingName => "the recording's name",
        Field::Since => "`since`",
        Field::StartedAt => "`started_at`",
        Field::UserId => "a user's id",
    }
}

pub(super) fn wrong(why: &Wrong, name: Names) -> String {
    match why {
        Wrong::Empty => "the body is empty: send a JSON document".into(),
        Wrong::Utf16 => "the body looks like UTF-16; JSON must be UTF-8".into(),
        Wrong::Form(misfit) => format!("the body is not JSON: {}", wrong_form(misfit)),
        Wrong::Misfit(misfit) => format!("the body does not match the schema: {misfit}"),
        Wrong::Body(error) => error.to_string(),
        Wrong::Length { field, bytes } => {
            format!("{} has {bytes} bytes; 1 to {MAX_NAME} are allowed", name(*field))
        }
        Wrong::ControlCharacter(field) => format!("{} holds a control character", name(*field)),
        Wrong::ReservedId => format!(
            "`{OTHERS}` stands for everybody beyond the first {MAX_PARTICIPANTS} participants; use another id"
        ),
        Wrong::AccountId => {
            "an account's id consists of 1 to 64 of `a-z`, `0-9`, `-` and `_`, and begins with a letter or a \
             digit"
                .into()
        }
        Wrong::AccountAlias => {
            "an alias of an account consists of 1 to 128 of `A-Z`, `a-z`, `0-9`, `-`, `_`, `.` and `:`, and begins with \
             a letter or a digit"
                .into()
        }
        Wrong::NoRole => {
            let known = crate::access::Role::ALL.map(crate::access::Role::as_str).join("`, `");
            format!("`role` is not a role; the roles are `{known}`")
        }
        Wrong::NoLanguage(field) => {
            format!("{} is not a language tag (BCP 47); write, for example, `en` or `de-AT`", name(*field))
        }
        Wrong::NoHash(field) => format!("{} is not a SHA-256; write 64 hexadecimal digits", name(*field)),
        Wrong::NoNumber { error, is_optional: true } => format!(
            "{}: {error}; leave {0} out if it is withheld, internal or a short code{}",
            name(Field::Number),
            match error {
                NumberError::Short => "; open a call to an emergency service with `kind`: `emergency`",
                NumberError::NoPlus
                | NumberError::CountryCode
                | NumberError::Character
                | NumberError::Long
                | NumberError::Withheld
                | NumberError::Address => "",
            }
        ),
        Wrong::NoNumber { error, is_optional: false } => format!("{}: {error}", name(Field::Number)),
        Wrong::NoAddress => {
            format!("{} is not an IP address; write it in full, or leave it out", name(Field::Ip))
        }
        Wrong::NoPlace { error, meant } => format!("{error}{}", did_you_mean(meant)),
        Wrong::NoCode { field: None, error, meant } => format!("{error}{}", did_you_mean(meant)),
        Wrong::NoCode { field: Some(field), error, meant } => {
            format!("{}: {error}{}", name(*field), did_you_mean(meant))
        }
        Wrong::UnlistedPlace { field, code, meant } => {
            format!("{}: ISO 3166 lists no place `{code}`{}", name(*field), did_you_mean(meant))
        }
        Wrong::TooManyPlaces => format!("name at most {MAX_PLACES} places"),
        Wrong::TooManyParticipants => format!("a call has at most {MAX_PARTICIPANTS} participants"),
        Wrong::TooManyAliases => format!("a call has at most {MAX_ALIASES} aliases"),
        Wrong::TooManyLanguages => format!("a participant has at most {MAX_LANGUAGES} languages"),
        Wrong::TooMuchOfParticipants => {
            "this is too much about too many participants for one entry of the trail; open the call with \
             some of them, and add the others"
                .into()
        }
        Wrong::EntryTooLong => {
            "this is too much for one entry of the trail; split it into several requests".into()
        }
        Wrong::Duplicate { participant } => {
            format!("`{participant}` is named twice; give each participant their own id")
        }
        Wrong::Future { field, seconds } => {
            format!("{} is {seconds} s in the future; set the sender's clock", name(*field))
        }
        Wrong::Past(field) => {
            format!("{} is more than 24 hours in the past; report things as they happen", name(*field))
        }
        Wrong::JoinedBeforeStart { participant } => format!("`{participant}` joined before the call started"),
        Wrong::NoReason => "say why in `reason`, in at most 4 KiB".into(),
        Wrong::LongReason => "`reason` is longer than 4 KiB".into(),
        Wrong::BehaviorWithoutPause => "`behavior` is for `pause` only".into(),
        Wrong::NotForThat { purpose } => format!(
            "the call was not opened for `{purpose}`, so its recording cannot be for that; name the purpose when you \
             open the call"
        ),
        Wrong::UnknownPurpose { purpose } => {
            let known: Vec<&str> = policy::Purpose::distinguished().map(policy::Purpose::as_str).collect();
            format!(
                "neither the call nor the law names the purpose `{purpose}`; name purposes of the call, or some of `{}`",
                known.join("`, `")
            )
        }
        Wrong::TooManyPurposes => "`purposes` names more than 32 purposes".into(),
        Wrong::NoCursor => {
            "`after` is not a cursor for this question; take `next` of an answer, and repeat the same \
             question"
                .into()
        }
        Wrong::NoOutcome { word } => {
            let all: Vec<&str> = OUTCOMES.iter().map(|(outcome, _)| *outcome).collect();
            format!("there is no outcome `{word}`; there are `{}`", all.join("`, `"))
        }
        Wrong::NoType { word } => {
            format!("there are no entries of type `{word}`; `GET /openapi.json` lists them")
        }
        Wrong::NoLine => "`line` is missing: `4.3` or `master`, whichever routes the call".into(),
        Wrong::NotKept { field, id } => format!(
            "`{id}` is not {} in the account's recording settings: send the document itself, or keep it with \
             `PUT /v1/recording-settings`",
            name(*field)
        ),
        Wrong::ManySettings { bytes } => format!(
            "the recording settings have {bytes} bytes; {MAX_SETTINGS} are allowed: leave out users and devices whose \
             documents say nothing of recording"
        ),
        Wrong::NoRecordingId => {
            "`recording` is not the id of a recording; `GET /v1/recordings` lists them".into()
        }
    }
}

pub(super) fn wrong_event(why: &WrongEvent, name: Names) -> String {
    match why {
        WrongEvent::Count => format!("send 1 to {MAX_EVENTS} events at once"),
        WrongEvent::NotOne(kind) => format!("`{kind}` is about exactly one participant"),
        WrongEvent::Lacks { kind, what } => format!("`{kind}` lacks {}", lacking(*what)),
        WrongEvent::Misplaced { kind, field } => format!("{} means nothing to `{kind}`", name(*field)),
        WrongEvent::AnnouncedWhen => {
            "the call has ended; say in `at` when the announcement was played".into()
        }
    }
}

fn lacking(what: Lacking) -> &'static str {
    match what {
        Lacking::By => "`by`: `human` or `machine`",
        Lacking::Method => "`method`: `dtmf`, `speech`, `click`, `written` or `continued`",
        Lacking::Participant => "`participant`: whom it is about",
        Lacking::PlayedMs => "`played_ms`: how many milliseconds of the prompt were played",
        Lacking::Prompt => "`prompt`: which one was played",
    }
}
