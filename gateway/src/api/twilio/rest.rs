//! What of Twilio's REST API is judged, and what is passed on as it is.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::response::Response;
use policy::Use;
use tracing::Instrument as _;

use super::form::{FORM, Form};
use super::{Refusal, let_in, recordings, refused};
use crate::access::Principal;
use crate::api::Door;
use crate::api::problem::TurnedAway;
use crate::body::{Pace, read_all};
use crate::gate::answer::Recorder;
use crate::gate::ask::{ControlAction, ControlRecording};
use crate::gate::{Fault, FaultKind};
use crate::twilio::{Platform, Undone};

/// Any request below `/2010-04-01/`.
pub(super) async fn take(State(door): State<Arc<Door>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let worker = Arc::clone(&door);
    // What is granted is passed on, or taken back, even if the application has gone.
    let task = door.gate.spawn(async move { judged(&worker, request).await }.in_current_span());
    let judged = task.await.map_err(|error| Fault::damaged_by("the task of a request failed", error));
    match judged {
        Ok(Ok(response)) => response,
        Ok(Err(refusal)) => refusal.answer(&path),
        Err(fault) => Refusal::from(fault).answer(&path),
    }
}

/// What a request asks for, as far as it concerns what is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked<'p> {
    /// A use of a call's audio starts: by default for what the call is for.
    Starts {
        call: &'p str,
        uses: &'static [Use],
    },
    /// One is paused, resumed or stopped.
    Changes {
        call: &'p str,
        uses: &'static [Use],
    },
    /// A call is placed, changed, or somebody is called into a conference: with markup, or with parameters that record.
    Calls {
        call: Option<&'p str>,
    },
    /// Recordings, which are kept here and not at Twilio.
    Recordings {
        call: Option<&'p str>,
    },
    Recording {
        recording: &'p str,
    },
    /// It only reads.
    Passes,
    /// It changes something that captures no call, unless it leads calls elsewhere.
    Sets,
    /// It would show what opens the account at Twilio.
    Secret,
    /// It may be captured by it, and nobody here knows how.
    Unknown,
}

/// The names of a path; the last may end in a format.
fn names(path: &str) -> Vec<&str> {
    path.strip_prefix('/').unwrap_or(path).split('/').collect()
}

/// What a path means, below the account. Twilio is not known to look at the case of a name or to know only some formats,
/// so nothing here does.
fn asked<'p>(method: &Method, rest: &[&'p str]) -> Asked<'p> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let is = |name: &str, word: &str| plain(name).eq_ignore_ascii_case(word);
    match rest {
        [] => Asked::Secret,
        [keys, ..] if SECRETS.iter().any(|one| is(keys, one)) => Asked::Secret,
        [all] if is(all, "Recordings") && reads => Asked::Recordings { call: None },
        [all, recording] if is(all, "Recordings") => Asked::Recording { recording },
        [calls, call, all] if is(calls, "Calls") && is(all, "Recordings") && reads => {
            Asked::Recordings { call: Some(call) }
        }
        [of, call, all] if is_of_call(of) && is(all, "Recordings") && !reads => {
            Asked::Starts { call, uses: &[Use::Record] }
        }
        [of, _, all, recording]
            if is_of_call(of) && is(all, "Recordings") && (reads || *method == Method::DELETE) =>
        {
            Asked::Recording { recording }
        }
        [of, call, all, _] if is_of_call(of) && is(all, "Recordings") => {
            Asked::Changes { call, uses: &[Use::Record] }
        }
        _ if reads => Asked::Passes,
        [calls, call, kind] if is(calls, "Calls") && uses(kind).is_some() => {
            Asked::Starts { call, uses: uses(kind).unwrap_or_default() }
        }
        [calls, call, kind, _] if is(calls, "Calls") && uses(kind).is_some() => {
            Asked::Changes { call, uses: uses(kind).unwrap_or_default() }
        }
        [calls] if is(calls, "Calls") => Asked::Calls { call: None },
        [calls, call] if is(calls, "Calls") && *method != Method::DELETE => {
            Asked::Calls { call: Some(plain(call)) }
        }
        [conferences, conference, who, ..] if is(conferences, "Conferences") && is(who, "Participants") => {
            Asked::Calls { call: Some(conference) }
        }
        [calls, _] if is(calls, "Calls") => Asked::Sets,
        [conferences, conference] if is(conferences, "Conferences") => {
            Asked::Calls { call: Some(plain(conference)) }
        }
        // A member of a queue is sent on to a document.
        [queues, _, members, member] if is(queues, "Queues") && is(members, "Members") => {
            Asked::Calls { call: Some(plain(member)) }
        }
        [calls, _, kind, ..] if is(calls, "Calls") && QUIET.iter().any(|one| is(kind, one)) => Asked::Sets,
        [of, ..] if is_of_call(of) => Asked::Unknown,
        _ => Asked::Sets,
    }
}

/// A name without the format at its end.
fn plain(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

fn is_of_call(name: &str) -> bool {
    ["Calls", "Conferences"].iter().any(|one| plain(name).eq_ignore_ascii_case(one))
}

/// What a resource of a call does with its audio.
fn uses(kind: &str) -> Option<&'static [Use]> {
    let all: [(&str, &'static [Use]); 3] = [
        ("Streams", &[Use::Stream]),
        ("Siprec", &[Use::Record, Use::Stream]),
        ("Transcriptions", &[Use::Transcribe]),
    ];
    all.into_iter().find(|(one, _)| plain(kind).eq_ignore_ascii_case(one)).map(|(_, uses)| uses)
}

/// What else a call has, none of which hears it.
const QUIET: &[&str] = &[
    "Feedback",
    "Notifications",
    "Events",
    "Payments",
    "UserDefinedMessages",
    "UserDefinedMessageSubscriptions",
];

async fn judged(door: &Door, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let method = parts.method.clone();
    let found = names(&path);
    let ["2010-04-01", "Accounts", sid, rest @ ..] = found.as_slice() else {
        return Err(TurnedAway::NoSuchPath.into());
    };
    let asked = asked(&method, rest);
    // What Twilio could read otherwise is granted to nobody.
    if !Platform::takes(&path) {
        return Err(Refusal::Upstream(Undone::Path));
    }
    let who = let_in(door, &parts, same_as(&method, asked)).await?;
    let platform = door.twilio.get(&who.account).filter(|platform| platform.account_sid() == plain(sid));
    // Another account at Twilio may be a subaccount, and is not this one's.
    let Some(platform) = platform else { return Err(TurnedAway::NoSuchPath.into()) };
    match asked {
        Asked::Recordings { call } => recordings::list(door, &who, &parts, sid, call).await,
        Asked::Recording { recording } => {
            match recordings::kept(door, &who, &parts, (*sid, recording)).await? {
                Some(response) => Ok(response),
                None => passed(platform, &parts, body).await,
            }
        }
        Asked::Passes => passed(platform, &parts, body).await,
        Asked::Secret => Err(refused("what opens the account at Twilio is shown and made at Twilio alone")),
        Asked::Sets => {
            let form = Form::read(&parts.headers, parts.uri.query(), body).await?;
            let leads = |name: &&str| LEADING.iter().any(|part| name.to_ascii_lowercase().contains(part));
            let set = |name: &&str| form.all(name).any(|value| !value.is_empty());
            if let Some(name) = form.names().filter(leads).find(set) {
                return Err(refused(format!(
                    "`{}` would lead calls past the gateway: set the voice webhook at Twilio, to the gateway",
                    name.escape_debug()
                )));
            }
            sent(platform, &parts, &form).await
        }
        Asked::Unknown => Err(refused(
            "the gateway does not know whether this captures the call, so it does not pass it on",
        )),
        Asked::Starts { call, uses } => {
            let form = Form::read(&parts.headers, parts.uri.query(), body).await?;
            starts(door, &who, (platform, &parts), (call, uses), form).await
        }
        Asked::Changes { call, uses } => {
            let form = Form::read(&parts.headers, parts.uri.query(), body).await?;
            changes(door, &who, (platform, &parts), (call, uses), form).await
        }
        Asked::Calls { call } => {
            let mut form = Form::read(&parts.headers, parts.uri.query(), body).await?;
            without_captures(door, &who, call, &mut form).await?;
            sent(platform, &parts, &form).await
        }
    }
}

/// The native operation whose roles may ask this.
fn same_as(method: &Method, asked: Asked<'_>) -> (&'static Method, &'static str) {
    match asked {
        Asked::Recordings { .. } => (&Method::GET, "/v1/recordings"),
        Asked::Recording { .. } if *method == Method::DELETE => (&Method::DELETE, "/v1/recordings/{id}"),
        Asked::Recording { .. } => (&Method::GET, "/v1/recordings/{id}"),
        Asked::Starts { .. }
        | Asked::Changes { .. }
        | Asked::Calls { .. }
        | Asked::Passes
        | Asked::Sets
        | Asked::Secret
        | Asked::Unknown => (&Method::POST, "/v1/calls/{call}/recording"),
    }
}

/// Asks the gate for every use. If one is refused, or Twilio does not do it, those before it are stopped again.
async fn starts(
    door: &Door,
    who: &Principal,
    (platform, parts): (&Platform, &Parts),
    (call, uses): (&str, &'static [Use]),
    mut form: Form,
) -> Result<Response, Refusal> {
    let more = |name: &&str| FURTHER.iter().any(|part| name.to_ascii_lowercase().contains(part));
    let own = |name: &&str| uses == [Use::Transcribe] && name.to_ascii_lowercase().starts_with("transcri");
    if let Some(name) = form.names().find(|name| more(name) && !own(name)) {
        return Err(refused(format!(
            "`{}` asks for another use of the call than this resource: ask for each by its own",
            name.escape_debug()
        )));
    }
    if uses == [Use::Record] {
        recordings::calls_us(door, who, &mut form)?;
    }
    let on = (door, who, call);
    let opened = granted(on, uses, ControlAction::Start).await?;
    let answered = sent(platform, parts, &form).await;
    undone_unless_taken(on, &opened, ControlAction::Stop, answered).await
}

/// Asks the gate to start or resume each of these uses; those that were not granted already, to be undone if need be.
async fn granted(
    (door, who, call): (&Door, &Principal, &str),
    uses: &[Use],
    action: ControlAction,
) -> Result<Vec<Use>, Refusal> {
    // Another capture of the same use may go on: what fails here does not end it.
    let going_on: Vec<Use> = match door.gate.decide(who, call).await {
        Ok(decision) => {
            let running = decision.uses.iter().filter(|one| one.recorder == Recorder::Running);
            running.map(|one| one.of).collect()
        }
        // What fails is told of by what is asked next.
        Err(_) => Vec::new(),
    };
    let mut opened: Vec<Use> = Vec::new();
    for of in uses {
        let asked = ControlRecording { of: Some(*of), ..ControlRecording::new(action) };
        if let Err(fault) = door.gate.control(who, call, asked).await {
            for of in opened {
                noted((door, who, call), of, ControlRecording::new(ControlAction::Stop)).await;
            }
            let is_unknown = fault.kind() == FaultKind::Unknown;
            return Err(if is_unknown { refused(UNKNOWN) } else { fault.into() });
        }
        if !going_on.contains(of) {
            opened.push(*of);
        }
    }
    Ok(opened)
}

/// What to do about a call that nobody has opened.
const UNKNOWN: &str = "the gateway knows no such call: open it with `PUT /v1/calls/{call}`, under Twilio's CallSid, before \
                       it is recorded";

/// Returns Twilio's answer. If Twilio did not do it, what was granted for it is taken back.
async fn undone_unless_taken(
    (door, who, call): (&Door, &Principal, &str),
    opened: &[Use],
    undo: ControlAction,
    answered: Result<Response, Refusal>,
) -> Result<Response, Refusal> {
    if !answered.as_ref().is_ok_and(|response| response.status().is_success()) {
        for of in opened {
            noted((door, who, call), *of, ControlRecording::new(undo)).await;
        }
    }
    answered
}

/// Notes that a use is paused or over. If that cannot be logged, the log says that it goes on: more is said to be captured
/// than was.
async fn noted((door, who, call): (&Door, &Principal, &str), of: Use, asked: ControlRecording) {
    let asked = ControlRecording { of: Some(of), ..asked };
    if let Err(fault) = door.gate.control(who, call, asked).await {
        tracing::warn!(code = %fault.code(), r#use = of.as_str(), "that a use is paused or over could not be logged");
    }
}

/// Pauses, resumes or stops what Twilio captures.
async fn changes(
    door: &Door,
    who: &Principal,
    (platform, parts): (&Platform, &Parts),
    (call, uses): (&str, &'static [Use]),
    form: Form,
) -> Result<Response, Refusal> {
    let said: Vec<&str> = form.all("Status").collect();
    let action = match said.as_slice() {
        [one] if one.eq_ignore_ascii_case("in-progress") => ControlAction::Resume,
        [one] if one.eq_ignore_ascii_case("paused") => ControlAction::Pause,
        [one] if one.eq_ignore_ascii_case("stopped") => ControlAction::Stop,
        _ => return Err(refused("`Status` is `paused`, `in-progress` or `stopped`, once")),
    };
    let on = (door, who, call);
    if action == ControlAction::Resume {
        let opened = granted(on, uses, action).await?;
        let answered = sent(platform, parts, &form).await;
        return undone_unless_taken(on, &opened, ControlAction::Pause, answered).await;
    }
    // Until Twilio has done it, it captures, and with leave.
    let response = sent(platform, parts, &form).await?;
    if response.status().is_success() {
        let skips = form.get("PauseBehavior").is_some_and(|behavior| behavior.eq_ignore_ascii_case("skip"));
        // A recording by the API may go on beside one by SIPREC.
        for of in uses.iter().filter(|of| uses.len() == 1 || !of.is_record()) {
            let behavior = if skips { policy::Behavior::Skip } else { policy::Behavior::Silence };
            let behavior = (action == ControlAction::Pause && of.is_record()).then_some(behavior);
            noted(on, *of, ControlRecording { behavior, ..ControlRecording::new(action) }).await;
        }
    }
    Ok(response)
}

/// Takes everything out of a request about a call that would capture it and is not granted.
async fn without_captures(
    door: &Door,
    who: &Principal,
    call: Option<&str>,
    form: &mut Form,
) -> Result<(), Refusal> {
    let own: Vec<String> = form.names().map(ToOwned::to_owned).collect();
    for name in own.iter().filter(|name| is_about_recording(name)) {
        form.remove(name);
    }
    if form.all("ApplicationSid").any(|sid| !sid.is_empty()) {
        return Err(refused(
            "the gateway cannot see the documents of an `ApplicationSid`, which may record: send their `Url` instead",
        ));
    }
    for name in ELSEWHERE {
        let urls: Vec<String> = form.all(name).filter(|url| !url.is_empty()).map(ToOwned::to_owned).collect();
        if let [url] = urls.as_slice() {
            let mut ours = Form::default();
            ours.add("by", &who.credential);
            ours.add("url", url);
            form.set(name, recordings::our_url(door, &who.account, "voice", &ours)?);
        } else if !urls.is_empty() {
            return Err(refused(format!("`{name}` is there more than once")));
        }
    }
    let inline: Vec<String> = form.all("Twiml").map(ToOwned::to_owned).collect();
    let Some(document) = inline.last().filter(|_| inline.len() == 1) else {
        return match inline.is_empty() {
            true => Ok(()),
            false => Err(refused("`Twiml` is there more than once")),
        };
    };
    let (account, by) = (who.account.as_str(), Some(who.credential.as_str()));
    let asked = super::voice::Asked { door, account, by, who: Some(who), call, base: None };
    let judged = asked.judged(document.as_bytes(), markup::Limit::Inline, None).await;
    let judged = String::from_utf8(judged).map_err(|_| refused("`Twiml` is not UTF-8"))?;
    form.set("Twiml", judged);
    Ok(())
}

/// Where Twilio fetches documents, which then come through here.
const ELSEWHERE: &[&str] = &["Url", "FallbackUrl", "WaitUrl", "AnnounceUrl", "HoldUrl"];

fn is_about_recording(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let begins = ["record", "conferencerecord", "trim"].iter().any(|part| name.starts_with(part));
    begins || FURTHER.iter().any(|part| name.contains(part))
}

/// Parts of the names of parameters that have Twilio write a call down or analyse it, beside whatever else is asked.
const FURTHER: &[&str] = &[
    "transcri",
    "recordingconfiguration",
    "intelligence",
    "sentiment",
    "conversationconfiguration",
    "conversationid",
];
/// Parts of the names of parameters that lead calls to documents, or recorders, past the gateway.
const LEADING: &[&str] = &["voice", "trunk", "applicationsid", "announceurl", "waiturl", "holdurl"];
/// Resources that hold what opens the account.
const SECRETS: &[&str] = &["Keys", "SigningKeys"];

/// Passes a request on as it is, and its answer as it comes.
async fn passed(platform: &Platform, parts: &Parts, body: Body) -> Result<Response, Refusal> {
    let bytes = read_all(body, Pace::JSON).await.map_err(|error| super::unread(&error))?;
    let path = parts.uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
    let kind = parts.headers.get(header::CONTENT_TYPE).cloned();
    forwarded(platform, parts, path, kind, bytes.into()).await
}

/// Sends a form on, all of it in the body.
async fn sent(platform: &Platform, parts: &Parts, form: &Form) -> Result<Response, Refusal> {
    let kind = Some(HeaderValue::from_static(FORM));
    forwarded(platform, parts, parts.uri.path(), kind, form.written().into()).await
}

async fn forwarded(
    platform: &Platform,
    parts: &Parts,
    path: &str,
    kind: Option<HeaderValue>,
    body: reqwest::Body,
) -> Result<Response, Refusal> {
    let accept = parts.headers.get(header::ACCEPT).cloned();
    let answer = platform.forward(parts.method.clone(), path, kind, accept, body).await;
    Ok(streamed(answer?))
}

/// An answer of Twilio's, as it comes, without what concerns the connection alone.
fn streamed(answer: reqwest::Response) -> Response {
    let answer = axum::http::Response::<reqwest::Body>::from(answer);
    let (parts, body) = answer.into_parts();
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = parts.status;
    let headers: &mut HeaderMap = response.headers_mut();
    for (name, value) in &parts.headers {
        if !HOP_BY_HOP.contains(&name.as_str()) {
            headers.append(name.clone(), value.clone());
        }
    }
    response
}

/// What concerns one connection (RFC 9110, section 7.6.1), or a realm that is not ours.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'p>(method: &Method, path: &'p str) -> Asked<'p> {
        let found = names(path);
        let rest: Vec<&str> = found.into_iter().skip(3).collect();
        asked(method, &rest)
    }

    #[test]
    fn whatever_could_capture_a_call_is_judged_however_it_is_written() {
        let below = |rest: &str| format!("/2010-04-01/Accounts/AC0/{rest}");
        let post = |rest: &str| -> String {
            let path = below(rest);
            format!("{:?}", of(&Method::POST, &path)).split([' ', '{']).next().unwrap_or_default().to_owned()
        };
        for rest in [
            "Calls/CA1/Recordings.json",
            "Calls/CA1/Recordings.JSON",
            "calls/CA1/recordings",
            "Conferences/CF1/Recordings.json",
        ] {
            assert_eq!(post(rest), "Starts", "{rest}");
        }
        for rest in ["Calls/CA1/Streams.json", "Calls/CA1/siprec", "Calls/CA1/Transcriptions.json"] {
            assert_eq!(post(rest), "Starts", "{rest}");
        }
        for rest in
            ["Calls/CA1/Recordings/RE1.json", "Conferences/CF1/Recordings/RE1", "Calls/CA1/Streams/MZ1.json"]
        {
            assert_eq!(post(rest), "Changes", "{rest}");
        }
        for rest in [
            "Calls.json",
            "Calls/CA1.json",
            "Conferences/CF1/Participants.json",
            "Conferences/CF1.json",
            "Queues/QU1/Members/Front.json",
            "CALLS",
            "Calls.Json",
        ] {
            assert_eq!(post(rest), "Calls", "{rest}");
        }
        for rest in
            ["Calls/CA1/Assistants.json", "Calls/CA1/Recordings/RE1/More.json", "Conferences/CF1/Ears"]
        {
            assert_eq!(post(rest), "Unknown", "{rest}");
        }
        for rest in
            ["Messages.json", "Calls/CA1/Feedback.json", "Queues.json", "IncomingPhoneNumbers/PN1.json"]
        {
            assert_eq!(post(rest), "Sets", "{rest}");
        }
        for rest in ["Keys.json", "SigningKeys/SK1.json"] {
            assert_eq!(post(rest), "Secret", "{rest}");
            assert_eq!(of(&Method::GET, &below(rest)), Asked::Secret, "{rest}");
        }
        assert_eq!(of(&Method::GET, "/2010-04-01/Accounts/AC0.json"), Asked::Secret);
        let path = below("Calls/CA1/Recordings/RE1.json");
        assert_eq!(of(&Method::GET, &path), Asked::Recording { recording: "RE1.json" });
        assert_eq!(of(&Method::DELETE, &path), Asked::Recording { recording: "RE1.json" });
    }
}
