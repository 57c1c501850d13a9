//! Problem documents (RFC 9457) and their codes. A 5xx reveals nothing about the inside.

use std::borrow::Cow;

use axum::extract::rejection::QueryRejection;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use policy::Uncovered;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::{trace, words};
use crate::access::Role;
use crate::gate::answer::{self, Decision, Missing};
use crate::gate::{
    CallRefusal, ErasureRefusal, Failure, Fault, FaultCode, FaultKind, Lack, LawRefusal, LogRefusal, Member,
    RecordingRefusal, Refused, codes,
};
use trail::ControlRefusal;
use trail::chain::Chain;
use trail::clock::{Moment, MomentError};

/// Why this door does not do what was asked.
#[derive(Debug)]
pub(super) enum Problem {
    /// The gate refused or failed.
    Gate(Fault),
    /// This door turned the request away before the gate saw it.
    Door(TurnedAway),
}

impl<T: Into<Fault>> From<T> for Problem {
    fn from(fault: T) -> Problem {
        Problem::Gate(fault.into())
    }
}

impl From<TurnedAway> for Problem {
    fn from(why: TurnedAway) -> Problem {
        Problem::Door(why)
    }
}

/// Why the gate never saw a request.
#[derive(Debug)]
pub(super) enum TurnedAway {
    /// There are no credentials, or wrong ones.
    Unauthorized,
    /// Too many wrong attempts were made.
    Throttled {
        /// How many seconds to wait.
        seconds: u64,
    },
    /// Too many passwords are being checked.
    Busy,
    /// The role may not do this.
    WrongRole {
        /// The role of the credential.
        role: Role,
        /// The roles that may.
        allowed: &'static [Role],
    },
    /// A proxy in front of the gateway could have read the request differently.
    Ambiguous(Ambiguity),
    /// There is nothing at this path.
    NoSuchPath,
    /// The method is not allowed at this path.
    WrongMethod {
        /// The method of the request.
        method: Method,
        /// The allowed methods.
        allowed: Vec<&'static str>,
    },
    /// The path is not percent-encoded UTF-8.
    Path,
    /// The query cannot be read.
    Query(QueryRejection),
    /// `limit` is out of range.
    Limit,
    /// `format` is not one of those on offer.
    Format,
    /// The body does not say that it is JSON.
    NotJson,
    /// The body is compressed.
    Packed {
        /// The coding that its header names.
        coding: String,
    },
    /// A body of several parts cannot be read.
    Multipart(Misread),
    /// A header cannot be read.
    Header(WrongHeader),
    /// The purpose of a fetch is missing.
    NoPurpose,
    /// The gateway could not answer any request.
    NotReady {
        /// What is lacking.
        failing: Vec<Lack>,
    },
}

/// Why a body of several parts cannot be read.
#[derive(Debug)]
pub(super) enum Misread {
    /// It is cut short, or is not a multipart body.
    Broken,
    /// The recording's document is longer than so many bytes.
    LongDocument {
        /// The most.
        most: usize,
    },
    /// The recording's document is no JSON.
    NoDocument,
    /// It contains no audio.
    NoAudio,
}

/// What a proxy could have read differently.
#[derive(Debug)]
pub(super) enum Ambiguity {
    /// Which host is meant.
    Host,
    /// Who asks.
    Authorization,
    /// Where the body ends.
    TransferCoding,
}

/// What is wrong with a header.
#[derive(Debug)]
pub(super) enum WrongHeader {
    /// `Content-Range` says that the body is only a part.
    Range,
    /// Both `Recording-Start` and `Recording-Timeline` were sent.
    TwoPlacements,
    /// `Recording-Timeline` has more intervals than [`super::upload::MAX_INTERVALS`].
    TooManyIntervals,
    /// An interval of `Recording-Timeline` cannot be read.
    Interval,
    /// A moment cannot be read.
    Moment {
        /// In which header.
        header: &'static str,
        /// Why not.
        error: MomentError,
    },
    /// `Content-Digest` cannot be read.
    Digest,
    /// A header is not ASCII.
    NotAscii(&'static str),
    /// A header was sent twice.
    Twice(&'static str),
}

codes! {
    /// Codes of problems that only this door knows, each with its statuses.
    pub(super) enum DoorCode: &'static [u16] {
        /// A proxy could have read the request differently; the detail says which header to send once.
        AmbiguousRequest = "ambiguous-request", &[400, 501], [];
        /// Too many passwords are being checked; try again in a few seconds.
        Busy = "busy", &[503], [];
        /// The format is not one of those on offer.
        InvalidFormat = "invalid-format", &[422], [];
        /// A header cannot be read.
        InvalidHeader = "invalid-header", &[400], [];
        /// The limit is out of range.
        InvalidLimit = "invalid-limit", &[422], [];
        /// A body of several parts cannot be read, or has no audio.
        InvalidMultipart = "invalid-multipart", &[400], [];
        /// The path is not percent-encoded UTF-8.
        InvalidPath = "invalid-path", &[400], [];
        /// A parameter of the query is unknown, or cannot be read.
        InvalidQuery = "invalid-query", &[400], [];
        /// The method is not allowed at this path; `Allow` lists those that are.
        MethodNotAllowed = "method-not-allowed", &[405], [];
        /// The body does not say that it is JSON.
        NotJson = "not-json", &[415], [];
        /// The gateway is not ready: `failing` says what is lacking; ask another one.
        NotReady = "not-ready", &[503], [Failing];
        /// The body is compressed; send the recording as it is.
        PackedBody = "packed-body", &[415], [];
        /// The purpose of the fetch is missing.
        PurposeRequired = "purpose-required", &[400], [];
        /// Too many wrong attempts were made; check the credentials, and try again later.
        TooManyAttempts = "too-many-attempts", &[429], [];
        /// There are no credentials, or wrong ones.
        Unauthorized = "unauthorized", &[401], [];
        /// The role may not do this.
        WrongRole = "wrong-role", &[403], [];
    }
}

/// A code of problem documents.
#[derive(Debug, Serialize)]
pub struct Code {
    /// The code.
    pub code: &'static str,
    /// The statuses of its problems.
    pub statuses: Vec<u16>,
    /// The members that its documents may have besides the common ones.
    pub members: Vec<&'static str>,
    /// What it means and what to do, in a line.
    pub meaning: &'static str,
}

/// Every code of problem documents: those of the gate and those of this door.
pub fn all_codes() -> impl Iterator<Item = Code> {
    let named = |members: &[Member]| members.iter().map(|member| member.as_str()).collect();
    let gate = FaultCode::ALL.iter().map(move |code| Code {
        code: code.as_str(),
        statuses: vec![status(code.kind()).as_u16()],
        members: named(code.members()),
        meaning: code.meaning(),
    });
    let door = DoorCode::ALL.iter().map(move |code| Code {
        code: code.as_str(),
        statuses: code.kind().to_vec(),
        members: named(code.members()),
        meaning: code.meaning(),
    });
    gate.chain(door)
}

impl TurnedAway {
    pub(super) fn code(&self) -> &'static str {
        let code = match self {
            TurnedAway::Unauthorized => DoorCode::Unauthorized,
            TurnedAway::Throttled { .. } => DoorCode::TooManyAttempts,
            TurnedAway::Busy => DoorCode::Busy,
            TurnedAway::WrongRole { .. } => DoorCode::WrongRole,
            TurnedAway::Ambiguous(_) => DoorCode::AmbiguousRequest,
            TurnedAway::NoSuchPath => return FaultCode::NotFound.as_str(),
            TurnedAway::WrongMethod { .. } => DoorCode::MethodNotAllowed,
            TurnedAway::Path => DoorCode::InvalidPath,
            TurnedAway::Query(_) => DoorCode::InvalidQuery,
            TurnedAway::Limit => DoorCode::InvalidLimit,
            TurnedAway::Format => DoorCode::InvalidFormat,
            TurnedAway::NotJson => DoorCode::NotJson,
            TurnedAway::Packed { .. } => DoorCode::PackedBody,
            TurnedAway::Multipart(_) => DoorCode::InvalidMultipart,
            TurnedAway::Header(_) => DoorCode::InvalidHeader,
            TurnedAway::NoPurpose => DoorCode::PurposeRequired,
            TurnedAway::NotReady { .. } => DoorCode::NotReady,
        };
        code.as_str()
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            TurnedAway::Unauthorized => StatusCode::UNAUTHORIZED,
            TurnedAway::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            TurnedAway::Busy | TurnedAway::NotReady { .. } => StatusCode::SERVICE_UNAVAILABLE,
            TurnedAway::WrongRole { .. } => StatusCode::FORBIDDEN,
            TurnedAway::Ambiguous(Ambiguity::Host | Ambiguity::Authorization)
            | TurnedAway::Path
            | TurnedAway::Query(_)
            | TurnedAway::Multipart(_)
            | TurnedAway::Header(_)
            | TurnedAway::NoPurpose => StatusCode::BAD_REQUEST,
            TurnedAway::Ambiguous(Ambiguity::TransferCoding) => StatusCode::NOT_IMPLEMENTED,
            TurnedAway::NoSuchPath => StatusCode::NOT_FOUND,
            TurnedAway::WrongMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            TurnedAway::Limit | TurnedAway::Format => StatusCode::UNPROCESSABLE_ENTITY,
            TurnedAway::NotJson | TurnedAway::Packed { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    pub(super) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            TurnedAway::Unauthorized => Some((
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"consent-gateway\", charset=\"UTF-8\""),
            )),
            TurnedAway::Throttled { seconds } => Some((header::RETRY_AFTER, HeaderValue::from(*seconds))),
            TurnedAway::Busy => Some((header::RETRY_AFTER, HeaderValue::from_static("2"))),
            TurnedAway::NotReady { .. } => Some((header::RETRY_AFTER, HeaderValue::from_static("1"))),
            // It is unclear where one request ends and the next begins, so the connection is closed.
            TurnedAway::Ambiguous(_) => Some((header::CONNECTION, HeaderValue::from_static("close"))),
            // RFC 9110 section 15.5.6.
            TurnedAway::WrongMethod { allowed, .. } => {
                Some((header::ALLOW, HeaderValue::from_str(&allowed.join(", ")).ok()?))
            }
            TurnedAway::WrongRole { .. }
            | TurnedAway::NoSuchPath
            | TurnedAway::Path
            | TurnedAway::Query(_)
            | TurnedAway::Limit
            | TurnedAway::Format
            | TurnedAway::NotJson
            | TurnedAway::Packed { .. }
            | TurnedAway::Multipart(_)
            | TurnedAway::Header(_)
            | TurnedAway::NoPurpose => None,
        }
    }
}

/// A problem (RFC 9457). Its code decides which members it has besides the first six: see `x-codes` of
/// `ProblemCode`.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct Document {
    /// Always `about:blank`.
    #[serde(rename = "type")]
    #[schemars(extend("const" = BLANK))]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// What is wrong, for programs.
    #[schemars(with = "Codes")]
    code: &'static str,
    /// What is wrong and what to do, for people.
    detail: String,
    /// This answer: `X-Request-Id` as a URI; the gateway's own log calls it `request`.
    #[schemars(extend("format" = "uri"), regex(pattern = "^urn:uuid:"))]
    instance: String,
    /// The decision on the call as it stands now. Left out if the problem is not about a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<Box<Decision>>,
    /// How many bytes there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// The platform's ids of the calls that stand in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    calls: Option<Vec<String>>,
    /// What is lacking for the gateway to be ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing: Option<Vec<Lack>>,
    /// Whose consent is missing, and what would give it.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<Missing>>,
    /// Every error and warning in a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    problems: Option<Vec<policy::Problem>>,
    /// The recordings that stand in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    recordings: Option<Vec<InTheWay>>,
    /// What to do with the refused audio: delete it, or correct the request and retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["delete", "retry"]))]
    source: Option<&'static str>,
    /// The purposes that everybody on the recording was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<Vec<String>>,
    /// Every stretch of the audio that is not covered.
    #[serde(skip_serializing_if = "Option::is_none")]
    uncovered: Option<Vec<answer::Uncovered>>,
}

/// A recording that stands in the way.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RecordingInTheWay")]
#[serde(untagged)]
enum InTheWay {
    /// The gateway's id of it.
    Id(String),
    /// A recording that the law requires to be kept.
    #[schemars(title = "RecordingKept")]
    Kept {
        /// The gateway's id of it.
        recording: String,
        /// It may not be deleted before this moment.
        keep_until: Moment,
    },
}

/// The codes, as the description of the API lists them.
struct Codes;

impl JsonSchema for Codes {
    fn schema_name() -> Cow<'static, str> {
        "ProblemCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let codes: Vec<Code> = all_codes().collect();
        let words: Vec<&str> = codes.iter().map(|one| one.code).collect();
        json_schema!({
            "type": "string",
            "description": "What is wrong. `x-codes` gives the meaning and the members of each code.",
            "enum": words,
            "x-codes": codes,
        })
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Problem::Gate(fault) => of_the_gate(&fault),
            Problem::Door(why) => {
                let headers = why.header().into_iter().collect();
                let mut document =
                    Document { code: why.code(), detail: words::turned_away(&why), ..Document::default() };
                let status = why.status();
                if let TurnedAway::NotReady { failing } = why {
                    document.failing = Some(failing);
                }
                document.answer(status, headers)
            }
        }
    }
}

fn of_the_gate(fault: &Fault) -> Response {
    let (code, status) = (fault.code(), status(fault.kind()));
    let mut headers = HeaderMap::new();
    let mut document = Document { code: code.as_str(), detail: words::of(fault), ..Document::default() };
    match fault {
        Fault::Refused { why, decision } => {
            document.decision = decision.clone();
            for name in code.members() {
                document.say(*name, why);
            }
            // RFC 9110 section 15.5.17: a request for a range beyond the end is answered with the size.
            if let Some(bytes) = document.bytes
                && let Ok(range) = HeaderValue::from_str(&format!("bytes */{bytes}"))
            {
                headers.insert(header::CONTENT_RANGE, range);
            }
        }
        Fault::Failed(failure) => failed(failure),
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    document.answer(status, headers)
}

/// Says in the operator's log what has failed: no answer does.
pub(super) fn failed(failure: &Failure) {
    trace::problem(failure.code().as_str());
    tracing::error!(cause = Chain(failure).to_string(), "the gateway could not answer");
}

impl Document {
    /// Fills a member that only some documents have. It is called for those alone that the list of codes
    /// names.
    fn say(&mut self, name: Member, why: &Refused) {
        match (name, why) {
            (Member::Bytes, Refused::Recording(RecordingRefusal::RangeOutside { bytes })) => {
                self.bytes = Some(*bytes);
            }
            (
                Member::Calls,
                Refused::Log(LogRefusal::InProgress { calls })
                | Refused::Erasure(ErasureRefusal::InProgress { calls }),
            ) => self.calls = Some(calls.clone()),
            (
                Member::Recordings,
                Refused::Log(LogRefusal::Held { recordings } | LogRefusal::Recordings { recordings })
                | Refused::Erasure(ErasureRefusal::Held { recordings }),
            ) => self.recordings = Some(recordings.iter().cloned().map(InTheWay::Id).collect()),
            (Member::Recordings, Refused::Erasure(ErasureRefusal::Kept { recordings })) => {
                let kept = |(id, until): &(String, jiff::Timestamp)| InTheWay::Kept {
                    recording: id.clone(),
                    keep_until: (*until).into(),
                };
                self.recordings = Some(recordings.iter().map(kept).collect());
            }
            (Member::Missing, Refused::Call(CallRefusal::Control(of, ControlRefusal::ConsentRequired))) => {
                let decided = self.decision.as_ref().and_then(|decision| decision.of(*of));
                self.missing = decided.map(|one| one.missing.clone());
            }
            (Member::Problems, Refused::Law(LawRefusal::Mistakes { problems })) => {
                self.problems = Some(problems.clone());
            }
            (Member::Source, Refused::Recording(RecordingRefusal::NoUsableKey)) => {
                self.source = Some("retry");
            }
            (Member::Missing, Refused::Recording(RecordingRefusal::Uncovered(unkept))) => {
                self.missing = Some(unkept.missing.clone());
            }
            (Member::Source, Refused::Recording(RecordingRefusal::Uncovered(unkept))) => {
                self.source = Some(unkept.remedy.source());
            }
            (Member::Uncovered, Refused::Recording(RecordingRefusal::Uncovered(unkept))) => {
                if let Uncovered::Spans(spans) = &unkept.uncovered {
                    self.uncovered = Some(answer::Uncovered::all(spans, &unkept.names));
                }
            }
            (Member::Told, Refused::Recording(RecordingRefusal::PurposeNotTold { told, .. })) => {
                self.told = Some(told.clone());
            }
            _ => {}
        }
    }

    fn answer(self, status: StatusCode, headers: HeaderMap) -> Response {
        let document = Document {
            kind: BLANK,
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            instance: trace::instance().unwrap_or_default(),
            ..self
        };
        trace::problem(document.code);
        let mut response = super::answer(status, &document);
        response.headers_mut().extend(headers);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response
    }
}

/// The `type` of every problem: the code says which one it is.
const BLANK: &str = "about:blank";
/// The media type of problems.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

pub(super) fn status(kind: FaultKind) -> StatusCode {
    match kind {
        FaultKind::Malformed => StatusCode::BAD_REQUEST,
        FaultKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        FaultKind::Unknown => StatusCode::NOT_FOUND,
        FaultKind::Conflict => StatusCode::CONFLICT,
        FaultKind::Gone => StatusCode::GONE,
        FaultKind::Refused => StatusCode::FORBIDDEN,
        FaultKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        FaultKind::TooSlow => StatusCode::REQUEST_TIMEOUT,
        FaultKind::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        FaultKind::Range => StatusCode::RANGE_NOT_SATISFIABLE,
        FaultKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        FaultKind::Broken => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::all_codes;

    #[test]
    fn every_code_is_listed_once_and_says_what_it_means() {
        let all: Vec<_> = all_codes().collect();
        let distinct: BTreeSet<&str> = all.iter().map(|one| one.code).collect();
        assert_eq!(distinct.len(), all.len());
        for one in &all {
            assert!(one.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{one:?}");
            assert!(one.meaning.ends_with('.') && !one.meaning.contains('\n'), "{one:?}");
            assert!(one.statuses.iter().all(|status| (400..600).contains(status)), "{one:?}");
        }
    }
}
