//! What Kazoo says about a file, in the path and the query of its URL.
//!
//! Kazoo appends to whatever URL its operator has set: `call_recording_<call id>.<ext>` to the path and its parameters as a
//! query, or all of it to a query that is there already. The released line has one dot before the extension, or two; it
//! says when the recording began, and master does not. FreeSWITCH itself sends `<call id>.<ext>` and no query. A storage
//! plan appends `/<account>/<owner>/<document>/<file>`, and may send the recording's document before the audio.

use std::collections::BTreeSet;

use axum::http::Uri;
use jiff::{SignedDuration, Timestamp};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::gate::{self, Placement};

/// What was said of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    /// The names that its call may have, the likeliest first, without repetition.
    pub(super) calls: Vec<String>,
    /// The numbers of its parties, as far as they are international ones, without repetition.
    parties: Vec<String>,
    /// Its own name, if it has one.
    pub(super) recording: Option<String>,
    /// The earliest moment at which it can have begun.
    start: Option<Timestamp>,
    /// How much later it may have begun, in milliseconds.
    doubt_ms: u64,
}

impl Sent {
    /// Reads what is there. Nothing is required: what is missing may stand elsewhere.
    pub(super) fn read(uri: &Uri, file: Option<&str>, document: &Value) -> Sent {
        let of = |name: &str| {
            let said = parameter(uri, name).filter(|value| !value.is_empty());
            said.or_else(|| member(document, name))
        };
        // `YYYYMM-` and the id of the leg.
        let cdr = of("cdr_id").and_then(|cdr| Some(cdr.split_at_checked(7)?.1.to_owned()));
        let named = file.and_then(call_of_file).or_else(|| call_in_query(uri));
        let mut calls: Vec<String> = Vec::new();
        for call in [of("call_id"), cdr, of("interaction_id"), named].into_iter().flatten() {
            if !call.is_empty() && !calls.contains(&call) {
                calls.push(call);
            }
        }
        // Kazoo takes the second in which the recording ended, and subtracts its whole seconds: the rest may lie on either
        // side.
        let rest = of("duration_ms").and_then(|text| Some(text.parse::<i64>().ok()?.rem_euclid(1000)));
        let earlier = SignedDuration::from_millis(rest.unwrap_or(999));
        let start = of("start").and_then(|text| gregorian(text.parse().ok()?)?.checked_sub(earlier).ok());
        let doubt_ms = if rest.is_some() { 1000 } else { 2000 };
        let id = of("recording_id").or_else(|| member(document, "id")).or_else(|| member(document, "_id"));
        let id = id.or_else(|| {
            file.into_iter().flat_map(|file| file.split('/')).find(|part| is_id(part)).map(Into::into)
        });
        let recording = id.map(|id| format!("{NAMED}{id}"));
        // One that cannot be told apart from others would be anybody.
        let said: Option<BTreeSet<String>> = ["from", "to", "caller_id_number"]
            .into_iter()
            .filter_map(of)
            .map(|party| number(&party))
            .collect();
        let parties = said.unwrap_or_default().into_iter().collect();
        Sent { calls, parties, recording, start, doubt_ms }
    }

    /// What the gate has to know.
    pub(super) fn into_gate(self) -> gate::Sent {
        gate::Sent {
            door: trail::Door::Kazoo,
            placement: self.placement(),
            calls: self.calls,
            parties: self.parties,
            name: self.recording,
            digest: None,
        }
    }

    /// When the file was made, if Kazoo says it.
    fn placement(&self) -> Placement {
        self.start.map_or(Placement::Unsaid, |start| Placement::About(start, self.doubt_ms))
    }
}

/// The account of a target, and what stands below it. Bytes that are no UTF-8 stand for nothing.
pub(super) fn target(uri: &Uri) -> (String, Option<String>) {
    let path = uri.path().strip_prefix("/kazoo/").unwrap_or_default();
    let (account, file) = path.split_once('/').unwrap_or((path, ""));
    (decoded(account), Some(decoded(file)).filter(|file| !file.is_empty()))
}

/// The file of a trial, which a storage plan appends to the path or to the last value of the query.
pub(super) fn trial(uri: &Uri, file: Option<&str>) -> Option<String> {
    let last = pairs(uri).last().map(|(_, value)| decoded(value));
    file.map(ToOwned::to_owned).into_iter().chain(last).find(|file| super::plan::is_trial(file))
}

/// The last value of a parameter of the query: Kazoo appends its own. A plus sign is one: Kazoo encodes spaces as `%20`.
pub(super) fn parameter(uri: &Uri, name: &str) -> Option<String> {
    pairs(uri).filter(|(key, _)| *key == name).last().map(|(_, value)| decoded(value))
}

pub(super) fn pairs(uri: &Uri) -> impl Iterator<Item = (&str, &str)> {
    let members = uri.query().unwrap_or_default().split('&').filter(|member| !member.is_empty());
    members.map(|member| member.split_once('=').unwrap_or((member, "")))
}

/// A moment in seconds since the year 0.
pub(super) fn to_gregorian(at: Timestamp) -> i64 {
    at.as_second().saturating_add(UNIX_EPOCH)
}

pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The call that a file's name holds; the path is decoded already.
fn call_of_file(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    let (stem, _) = file.rsplit_once('.')?;
    let call = stem.trim_end_matches('.');
    let call = call.strip_prefix(PREFIX).unwrap_or(call);
    (!call.is_empty()).then(|| call.to_owned())
}

/// The same, where the operator's URL has a query: under whatever parameter it has last.
fn call_in_query(uri: &Uri) -> Option<String> {
    let of_the_operator = pairs(uri).take_while(|(key, _)| !OURS.contains(key));
    let values: Vec<String> = of_the_operator.map(|(_, value)| decoded(value)).collect();
    let file = values.iter().find(|value| value.starts_with(PREFIX));
    // FreeSWITCH itself appends a slash and the file to whatever is there.
    let file = file.map(String::as_str).or_else(|| Some(values.last()?.rsplit_once('/')?.1))?;
    call_of_file(file)
}

/// What a recording's document says.
fn member(document: &Value, name: &str) -> Option<String> {
    let found = document.get(name)?;
    let number = || found.as_i64().map(|number| number.to_string());
    found.as_str().map(ToOwned::to_owned).or_else(number).filter(|text| !text.is_empty())
}

/// The id of a recording's document: `YYYYMM-` and 32 hexadecimal digits.
fn is_id(part: &str) -> bool {
    part.split_once('-').is_some_and(|(month, id)| {
        month.len() == 6
            && month.bytes().all(|digit| digit.is_ascii_digit())
            && id.len() == 32
            && id.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

/// The international number of a party, which may come as `+15550100` or `+15550100@realm.example`.
fn number(party: &str) -> Option<String> {
    let user = party.split('@').next()?;
    let digits = user.strip_prefix('+')?;
    let is_number = (7..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| user.to_owned())
}

/// Seconds since the year 0, as Erlang counts.
pub(super) fn gregorian(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds.checked_sub(UNIX_EPOCH)?).ok()
}

/// Kazoo's own parameters begin with one of these. From there on, callers choose some of the words.
const OURS: [&str; 4] = ["from", "to", "caller_id_name", "call_id"];

/// What the name of a recording begins with, before Kazoo's own id of it.
pub(super) const NAMED: &str = "kazoo-";
const PREFIX: &str = "call_recording_";
/// 1970-01-01 in Gregorian seconds.
const UNIX_EPOCH: i64 = 62_167_219_200;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Sent {
        let uri: Uri = text.parse().unwrap();
        let (account, file) = target(&uri);
        assert_eq!(account, "acme");
        Sent::read(&uri, file.as_deref(), &Value::Null)
    }

    /// The URLs that each line builds from what an operator has set.
    #[test]
    fn every_shape_is_read() {
        let released = "from=1000%40realm.example&to=%2B15550100&caller_id_name=Ann%20Lee&caller_id_number=1000\
                        &call_id=abc%4010.0.0.1&cdr_id=202401-abc%4010.0.0.1&interaction_id=63871234567-1a2b&owner_id=&account_id=x\
                        &start=63871234567&duration_ms=12340&recording_id=202401-00112233445566778899aabbccddeeff";
        let sent = read(&format!("/kazoo/acme/call_recording_abc%4010.0.0.1.mp3?{released}"));
        assert_eq!(sent.calls, ["abc@10.0.0.1", "63871234567-1a2b"]);
        assert_eq!(sent.recording.as_deref(), Some("kazoo-202401-00112233445566778899aabbccddeeff"));
        assert_eq!(sent.placement(), Placement::About("2023-12-31T09:36:06.660Z".parse().unwrap(), 1000));
        // Master: two dots, and no word about when.
        let sent = read(
            "/kazoo/acme/call_recording_abc%4010.0.0.1..mp3?from=&to=&call_id=abc%4010.0.0.1&cdr_id=&interaction_id=i",
        );
        assert_eq!((sent.calls, sent.recording), (vec!["abc@10.0.0.1".to_owned(), "i".to_owned()], None));
        // A query of the operator's own: all of it is appended there.
        for set in ["token=a.b&recording=", "token=a.b&file=", "token=a.b&file&x="] {
            let sent = read(&format!(
                "/kazoo/acme?{set}call_recording_abc%4010.0.0.1.mp3&from=1&call_id=&interaction_id="
            ));
            assert_eq!(sent.calls, ["abc@10.0.0.1"], "{set}");
        }
        // What a caller is called names no call.
        let sent = read(
            "/kazoo/acme?token=a.b&from=call_recording_victim.mp3&caller_id_name=call_recording_other.mp3",
        );
        assert_eq!(sent.calls, Vec::<String>::new());
        assert_eq!(read("/kazoo/acme?token=a.b/abc-1.wav").calls, ["abc-1"]);
        // FreeSWITCH itself, and the line before the released one.
        assert_eq!(read("/kazoo/acme/abc-1.wav").calls, ["abc-1"]);
        assert_eq!(read("/kazoo/acme/call_recording_abc-1.wav").calls, ["abc-1"]);
        // What its operator has set does not stand in the way, and a name with raw bytes does not break it.
        let sent = read("/kazoo/acme/x.mp3?call_id=mine&caller_id_name=J\u{fc}rgen+&call_id=theirs");
        assert_eq!(sent.calls, ["theirs", "x"]);
        assert_eq!(read("/kazoo/acme").calls, Vec::<String>::new());
    }

    /// What a storage plan sends stands in the recording's document; what stands in the query comes first.
    #[test]
    fn a_document_says_what_the_query_does_not() {
        let document = serde_json::json!({
            "_id": "202401-00112233445566778899aabbccddeeff", "call_id": "abc@10.0.0.1", "cdr_id": "202401-abc@10.0.0.1",
            "interaction_id": "63871234567-1a2b", "start": 63_871_234_567_i64, "duration_ms": 12340,
            "from": "1000@realm.example", "to": "+15550100@realm.example", "caller_id_number": "", "owner_id": null,
        });
        let uri: Uri =
            "/kazoo/acme/0123/4567/202401-ff112233445566778899aabbccddeeff/0a.mp3".parse().unwrap();
        let (_, file) = target(&uri);
        let sent = Sent::read(&uri, file.as_deref(), &document);
        assert_eq!(sent.calls, ["abc@10.0.0.1", "63871234567-1a2b", "0a"]);
        assert_eq!(sent.recording.as_deref(), Some("kazoo-202401-00112233445566778899aabbccddeeff"));
        // The caller's extension is nobody's number.
        assert_eq!(sent.parties, Vec::<String>::new());
        let uri: Uri =
            "/kazoo/acme?from=%2B14155550100@realm.example&to=%2B15550100&caller_id_number=%2B14155550100"
                .parse()
                .unwrap();
        assert_eq!(Sent::read(&uri, None, &Value::Null).parties, ["+14155550100", "+15550100"]);
        assert_eq!(sent.placement(), Placement::About("2023-12-31T09:36:06.660Z".parse().unwrap(), 1000));
        // Without one, the path tells recordings apart.
        let sent = Sent::read(&uri, file.as_deref(), &Value::Null);
        assert_eq!(sent.recording.as_deref(), Some("kazoo-202401-ff112233445566778899aabbccddeeff"));
        let uri: Uri = "/kazoo/acme?call_id=mine".parse().unwrap();
        assert_eq!(Sent::read(&uri, None, &document).calls, ["mine", "abc@10.0.0.1", "63871234567-1a2b"]);
    }

    #[test]
    fn a_time_that_makes_no_sense_is_none() {
        for start in ["", "now", "-1e9", "9223372036854775807", "-9223372036854775808"] {
            assert_eq!(
                read(&format!("/kazoo/acme/a.mp3?start={start}")).placement(),
                Placement::Unsaid,
                "{start}"
            );
        }
    }
}
