//! Sentences for requests that were turned away at the door.

use std::error::Error as _;

use axum::extract::rejection::QueryRejection;

use crate::access::Role;
use crate::api::problem::{Ambiguity, Misread, TurnedAway, WrongHeader};
use crate::api::upload::MAX_INTERVALS;
use crate::gate::Lack;

pub(in crate::api) fn turned_away(why: &TurnedAway) -> String {
    match why {
        TurnedAway::Unauthorized => "no credentials, or wrong ones; send HTTP basic auth".into(),
        TurnedAway::Throttled { .. } => {
            "too many wrong attempts; check the credentials and try again later".into()
        }
        TurnedAway::Busy => "too many passwords are being checked; try again in a few seconds".into(),
        TurnedAway::WrongRole { role, allowed } => {
            let allowed: Vec<&str> = allowed.iter().copied().map(Role::as_str).collect();
            format!("the role `{}` may not do this; {} may", role.as_str(), listed(&allowed))
        }
        TurnedAway::Ambiguous(Ambiguity::Host) => {
            "send exactly one `Host`: a name, and a port if needed".into()
        }
        TurnedAway::Ambiguous(Ambiguity::Authorization) => "send one `Authorization`, not several".into(),
        TurnedAway::Ambiguous(Ambiguity::TransferCoding) => {
            "the only transfer coding supported here is `chunked`".into()
        }
        TurnedAway::NoSuchPath => "there is nothing at this path; `GET /openapi.json` lists the paths".into(),
        TurnedAway::WrongMethod { method, allowed } => {
            format!("`{method}` is not allowed here; use `{}`", allowed.join("` or `"))
        }
        TurnedAway::Path => "the path is not percent-encoded UTF-8".into(),
        TurnedAway::Query(rejection) => wrong_query(rejection),
        TurnedAway::Limit => "`limit` must be from 1 to 1000".into(),
        TurnedAway::Format => "`format` must be `json`, `jsonl` or `csv`".into(),
        TurnedAway::NotReady { failing } => {
            let told: Vec<&str> = failing.iter().copied().map(lacking).collect();
            format!("{}; ask another gateway, or try again", told.join("; "))
        }
        TurnedAway::NotJson => "send `Content-Type: application/json`".into(),
        TurnedAway::Packed { coding } => format!(
            "`Content-Encoding: {coding}` says that the body is compressed; send the recording as it is, \
             without that header"
        ),
        TurnedAway::Multipart(Misread::Broken) => {
            "the body of several parts breaks off, or has another boundary than its header says; send it again".into()
        }
        TurnedAway::Multipart(Misread::LongDocument { most }) => {
            format!("the recording's document is longer than {most} bytes")
        }
        TurnedAway::Multipart(Misread::NoDocument) => {
            "the first part says that it is JSON, and is none; send the recording's document, or the audio alone".into()
        }
        TurnedAway::Multipart(Misread::NoAudio) => "the body of several parts holds no audio".into(),
        TurnedAway::Header(why) => wrong_header(why),
        TurnedAway::NoPurpose => {
            "say what you fetch the recording for, with `?purpose=…` or a `Purpose` header; it is \
             logged"
                .into()
        }
    }
}

fn wrong_header(why: &WrongHeader) -> String {
    match why {
        WrongHeader::Range => {
            "`Content-Range` says that the body is only a part of the recording; send the whole in one \
             request, without that header"
                .into()
        }
        WrongHeader::TwoPlacements => "send either `Recording-Start` or `Recording-Timeline`, not \
            both"
            .into(),
        WrongHeader::TooManyIntervals => {
            format!("`Recording-Timeline` has more than {MAX_INTERVALS} intervals")
        }
        WrongHeader::Interval => {
            "an interval of `Recording-Timeline` is not `start/duration`; write, for example, \
             `2026-11-20T10:00:00Z/PT30S`"
                .into()
        }
        WrongHeader::Moment { header, error } => format!("`{header}`: {error}"),
        WrongHeader::Digest => "`Content-Digest` is not `sha-256=:<base64>:`".into(),
        WrongHeader::NotAscii(name) => format!("`{name}` is not ASCII"),
        WrongHeader::Twice(name) => format!("`{name}` was sent twice"),
    }
}

/// What is wrong with a query, and with which parameter.
fn wrong_query(rejection: &QueryRejection) -> String {
    let told = rejection.source().map_or_else(|| rejection.body_text(), ToString::to_string);
    let words = told
        .replace("unknown field", "there is no parameter")
        .replace(", expected one of ", "; there are ")
        .replace(", expected ", "; there is ")
        .replace("duplicate field", "more than one value was sent for");
    match words.split_once(": ") {
        Some((name, wrong)) if !wrong.starts_with("there is no parameter") => format!("`{name}`: {wrong}"),
        Some((_, wrong)) => wrong.to_owned(),
        None => words,
    }
}

/// What a stranger may know about a gateway that is not ready.
fn lacking(lack: Lack) -> &'static str {
    match lack {
        Lack::Trail => "the audit trail cannot be read or written (`trail`)",
        Lack::Clock => "the clock is behind the audit trail (`clock`)",
        Lack::Law => "the text of the table in force was altered (`law`)",
        Lack::Signing => "the logs cannot be signed (`signing`)",
        Lack::Store => "recordings cannot be stored (`store`)",
        Lack::Room => "there is no room for recordings (`room`)",
        Lack::Descriptors => "no more files can be opened (`descriptors`)",
        Lack::Stopping => "this gateway is about to stop (`stopping`)",
    }
}

/// `a`, `b` and `c`.
fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => "no other".into(),
    }
}
