//! What Twilio tells of a recording. A completed one is fetched, judged, sealed and kept, and then deleted at Twilio;
//! only then the application is told.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use policy::Remedy;
use reqwest::Method;
use serde_json::Value;
use tracing::Instrument as _;

use super::form::Form;
use super::{Refusal, recordings, refused};
use crate::access::Principal;
use crate::api::problem::{Problem, TurnedAway};
use crate::api::{Door, Named};
use crate::body::Paced;
use crate::gate::{Fault, OfName, Placement, RecordingRefusal, Refused, Sent, Taken};
use crate::twilio::{Platform, signature};

/// `POST /twilio/{account}/status`.
pub(super) async fn take(
    State(door): State<Arc<Door>>,
    account: Result<Named<String>, Problem>,
    request: Request,
) -> Response {
    let path = request.uri().path().to_owned();
    let done = async {
        let Named(account) = account?;
        let (parts, body) = request.into_parts();
        let told = Told::read(&door, &account, &parts, body).await?;
        let worker = Arc::clone(&door);
        // The work goes on if Twilio does not wait for it.
        let work = async move { told.follow(&worker).await };
        let task = door.gate.spawn(work.in_current_span());
        task.await.map_err(|error| Fault::damaged_by("the task of a callback failed", error))?
    };
    match done.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => Refusal::answer(refusal, &path),
    }
}

/// What Twilio has told, and signed.
struct Told {
    who: Principal,
    sid: String,
    params: Form,
    /// What stands in our own URL.
    ours: Form,
}

impl Told {
    async fn read(door: &Door, account: &str, parts: &Parts, body: Body) -> Result<Told, Refusal> {
        let Some(platform) = door.twilio.get(account) else { return Err(TurnedAway::NoSuchPath.into()) };
        let params = Form::read(&parts.headers, None, body).await?;
        signed(door, platform, parts, &params).await?;
        let ours = Form::parse(parts.uri.query().unwrap_or_default());
        let sid = platform.account_sid().to_owned();
        if params.exactly("AccountSid") != Some(sid.as_str()) {
            return Err(TurnedAway::Unauthorized.into());
        }
        let who = door
            .access
            .acting(account, ours.first("by"))
            .await
            .map_err(|error| Refusal::Problem(error.into()))?;
        let who = who.ok_or_else(|| refused(NOBODY))?;
        Ok(Told { who, sid, params, ours })
    }

    async fn follow(self, door: &Door) -> Result<(), Refusal> {
        let Some(platform) = door.twilio.get(&self.who.account) else {
            return Err(TurnedAway::NoSuchPath.into());
        };
        let status = self.params.exactly("RecordingStatus").unwrap_or_default();
        if status != "completed" {
            self.tell(platform, &self.params).await;
            return Ok(());
        }
        let is_sid = |sid: &&str| {
            let hex = sid.strip_prefix("RE").unwrap_or_default();
            hex.len() == 32 && hex.bytes().all(|digit| digit.is_ascii_hexdigit())
        };
        let recording = self.params.exactly("RecordingSid").filter(is_sid);
        let recording =
            recording.ok_or_else(|| refused("`RecordingSid` is `RE` and 32 hexadecimal digits"))?;
        let path = format!("/2010-04-01/Accounts/{}/Recordings/{recording}", self.sid);
        match self.kept(door, platform, recording, &path).await? {
            Kept::Yes(encryption) => {
                self.deleted(platform, &path).await?;
                let mut told = self.params.clone();
                told.set("RecordingUrl", recordings::url(door, &self.sid, recording));
                if let Some(encryption) = encryption {
                    told.set("EncryptionDetails", encryption.to_string());
                }
                self.tell(platform, &told).await;
            }
            Kept::Before => tracing::info!("Twilio tells again of a recording that is kept"),
            Kept::Waits => {
                return Err(Refusal::Own(
                    StatusCode::SERVICE_UNAVAILABLE,
                    super::UPSTREAM,
                    "nobody can decide on the recording yet: it waits in quarantine, and stays at Twilio"
                        .into(),
                ));
            }
            Kept::No => {
                self.deleted(platform, &path).await?;
                let mut told = self.params.clone();
                ["RecordingUrl", "RecordingDuration"].iter().for_each(|name| told.remove(name));
                told.set("RecordingStatus", "absent");
                self.tell(platform, &told).await;
            }
        }
        Ok(())
    }

    /// Fetches the recording from Twilio, and stores it or not.
    async fn kept(
        &self,
        door: &Door,
        platform: &Platform,
        recording: &str,
        path: &str,
    ) -> Result<Kept, Refusal> {
        let call = self
            .params
            .exactly("CallSid")
            .or_else(|| self.params.exactly("ConferenceSid"))
            .unwrap_or_default();
        let sent = Sent {
            door: trail::Door::Twilio,
            calls: vec![call.to_owned()],
            parties: Vec::new(),
            name: Some(recording.to_owned()),
            placement: self.placement(),
            digest: None,
        };
        let taken = match door.gate.admit(&self.who, sent).await {
            Ok(admission) => {
                let channels = self.params.exactly("RecordingChannels").filter(|channels| *channels == "2");
                let query = channels.map(|_| "?RequestedChannels=2").unwrap_or_default();
                let media = format!("{path}.wav{query}");
                let answer =
                    platform.forward(Method::GET, &media, None, None, reqwest::Body::from("")).await?;
                // It was told of before.
                let is_gone = answer.status() == StatusCode::NOT_FOUND;
                if is_gone && door.gate.recording_of_name(&self.who, recording).await? != OfName::None {
                    return Ok(Kept::Before);
                }
                if !answer.status().is_success() {
                    tracing::warn!(status = answer.status().as_u16(), "Twilio did not hand out a recording");
                    return Err(Refusal::Own(
                        StatusCode::BAD_GATEWAY,
                        super::UPSTREAM,
                        "Twilio did not hand out the recording; tell of it again".into(),
                    ));
                }
                let body = axum::http::Response::<reqwest::Body>::from(answer).into_body();
                let mut body = Paced::new(Body::new(body), door.upload_pace);
                door.gate.store(admission, &mut body).await
            }
            Err(fault) => Err(fault),
        };
        match taken {
            Ok(Taken::Stored(stored)) => Ok(Kept::Yes(recordings::encryption(&stored.description.envelope))),
            // Quarantine ends: until somebody has decided, Twilio's copy is the one that lasts.
            Ok(Taken::Quarantined) => Ok(Kept::Waits),
            Err(fault) if is_for_good(&fault) => Ok(Kept::No),
            Err(fault) => Err(fault.into()),
        }
    }

    /// When it was made, as Twilio says: in whole seconds.
    fn placement(&self) -> Placement {
        let start = self.params.exactly("RecordingStartTime").and_then(|text| rfc2822::parse(text).ok());
        start.map_or(Placement::Unsaid, |start| Placement::About(Timestamp::from(start), 1_000))
    }

    /// Deletes it at Twilio. As long as that fails, Twilio is to tell of it again.
    async fn deleted(&self, platform: &Platform, path: &str) -> Result<(), Refusal> {
        let path = format!("{path}.json");
        let answer = platform.forward(Method::DELETE, &path, None, None, reqwest::Body::from("")).await?;
        let is_gone = answer.status() == StatusCode::NOT_FOUND;
        match answer.status().is_success() || is_gone {
            true => Ok(()),
            false => {
                tracing::warn!(status = answer.status().as_u16(), "Twilio did not delete a recording");
                Err(Refusal::Own(
                    StatusCode::BAD_GATEWAY,
                    super::UPSTREAM,
                    "Twilio did not delete the recording; tell of it again".into(),
                ))
            }
        }
    }

    /// Tells the application, if it wants to know.
    async fn tell(&self, platform: &Platform, told: &Form) {
        let Some(url) = self.ours.first("url") else { return };
        let events = self.ours.first("events").unwrap_or_default();
        let status = told.exactly("RecordingStatus").unwrap_or_default();
        let wanted = if events.is_empty() { "completed" } else { events };
        if !wanted.split(' ').any(|event| event == status) {
            return;
        }
        let is_get = self.ours.first("method").is_some_and(|method| method.eq_ignore_ascii_case("get"));
        let method = if is_get { Method::GET } else { Method::POST };
        for _ in 0..ATTEMPTS {
            match platform.call_back(url, method.clone(), told.pairs()).await {
                Ok(answer) if !answer.status().is_server_error() => return,
                Ok(answer) => tracing::warn!(
                    status = answer.status().as_u16(),
                    "an application did not take a callback"
                ),
                Err(undone) => {
                    tracing::warn!(outcome = undone.outcome(), "an application could not be called back")
                }
            }
        }
    }
}

/// Whether the law does not let a recording be kept, and no repetition cures that.
fn is_for_good(fault: &Fault) -> bool {
    if let Fault::Refused { why: Refused::Recording(RecordingRefusal::Uncovered(unkept)), .. } = fault {
        return unkept.remedy == Remedy::Delete && unkept.uncovered.is_unlawful();
    }
    matches!(fault, Fault::Refused { why: Refused::Recording(RecordingRefusal::NameDeleted), .. })
}

/// What became of a recording.
enum Kept {
    /// It is kept, sealed like this.
    Yes(Option<Value>),
    /// It is not.
    No,
    /// It was kept before, and is gone at Twilio.
    Before,
    /// It is in quarantine.
    Waits,
}

/// Refuses what Twilio has not signed.
pub(super) async fn signed(
    door: &Door,
    platform: &Platform,
    parts: &Parts,
    params: &Form,
) -> Result<(), Refusal> {
    let said =
        parts.headers.get("x-twilio-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let base = door.public_url.as_deref().unwrap_or_default();
    let path = parts.uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
    let token = platform.token().await?;
    match signature::is_signed(&token, said, &format!("{base}{path}"), params.pairs(), None) {
        true => Ok(()),
        false => Err(TurnedAway::Unauthorized.into()),
    }
}

/// How to say which credential acts for Twilio.
pub(super) const NOBODY: &str = "name the credential that acts for Twilio: put `?by=USERNAME` behind the URL";
/// How often an application is called back.
const ATTEMPTS: usize = 3;
