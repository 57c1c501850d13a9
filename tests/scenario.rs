//! One file a story, against a real socket.

mod accounts;
mod announcement;
mod bad_input;
mod consent;
mod control;
mod erasure;
mod express;
mod forgotten;
mod format;
mod grant;
mod holds;
mod impact;
mod law_desk;
mod log_period;
mod one_party;
pub(crate) mod openapi;
mod place;
mod presence;
mod prompt;
mod provisioning;
mod purposes;
mod questions;
mod readings;
mod recordings;
mod refusal;
mod reopen;
mod retention;
mod roles;
mod scope;
mod sector;
mod senders;
mod trail;
mod upload;
mod uses;
mod warm;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::{Answer, Gateway, wav};

impl Gateway {
    fn ago(&self, seconds: i64) -> Timestamp {
        self.now().checked_sub(SignedDuration::from_secs(seconds)).unwrap()
    }

    /// Opens a telephone call for the purpose `quality` that began ten seconds ago; `more` says
    /// otherwise.
    async fn open_with(&self, call: &str, participants: Value, more: Value) -> Value {
        let mut body = json!({
            "medium": "telephone", "started_at": self.ago(10), "purposes": ["quality"],
            "participants": participants,
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.recorder.put(&format!("/v1/calls/{call}"), &body).await.expect(201)
    }

    async fn report(&self, call: &str, event: Value) -> Value {
        self.event(call, &event).await.expect(201)
    }

    /// An event about one participant that needs nothing else.
    async fn happens(&self, call: &str, kind: &str, participant: &str) -> Value {
        self.report(call, json!({"type": kind, "participant": participant})).await
    }

    async fn says_yes(&self, call: &str, participant: &str, method: &str) -> Value {
        self.report(call, json!({"type": "consent.given", "participant": participant, "method": method}))
            .await
    }

    async fn joins(&self, call: &str, participant: &Value) -> Value {
        self.recorder.post(&format!("/v1/calls/{call}/participants"), participant).await.expect(201)
    }

    async fn decision(&self, call: &str) -> Value {
        self.recorder.get(&format!("/v1/calls/{call}/decision")).await.expect(200)
    }

    async fn timeline(&self, call: &str) -> Value {
        self.recorder.get(&format!("/v1/calls/{call}")).await.expect(200)["timeline"].clone()
    }

    /// A call in `place` on which both have heard the prompt and pressed a key, and which is
    /// being recorded from now on.
    async fn recording_in(&self, call: &str, place: &str) -> Timestamp {
        self.open(call, place).await;
        self.prompt(call, &["caller", "agent"]).await;
        self.says_yes(call, "caller", "dtmf").await;
        self.says_yes(call, "agent", "dtmf").await;
        self.control(call, "start").await.expect(200);
        self.now()
    }

    /// A recording of one second, accepted.
    async fn stored(&self, call: &str) -> Value {
        let from = self.recording_in(call, "US-CA").await;
        self.advance_ms(1000);
        self.upload(call, "a", Some(from), &wav(1000)).await.expect(201)
    }

    async fn upload_with(&self, call: &str, name: &str, headers: &[(&str, &str)], audio: &[u8]) -> Answer {
        self.recorder.upload(&format!("/v1/calls/{call}/recordings/{name}"), headers, audio).await
    }
}

/// Somebody who is declared to be in `place` and has English.
fn person(id: &str, role: &str, place: &str) -> Value {
    json!({"id": id, "role": role, "location": place, "languages": ["en"]})
}

/// A caller and an agent.
fn two(place: &str) -> Value {
    json!([person("caller", "customer", place), person("agent", "agent", place)])
}

#[track_caller]
fn is_permitted(decision: &Value) {
    assert_eq!(decision["recording"], "permitted", "{decision}");
}

#[track_caller]
fn is_blocked(decision: &Value) {
    assert_eq!(decision["recording"], "blocked", "{decision}");
}

#[track_caller]
fn is_suspended(decision: &Value) {
    is_blocked(decision);
    assert_eq!((&decision["recorder"], &decision["action"]), (&json!("suspended"), &json!("pause")));
}

/// A participant of a decision.
#[track_caller]
fn of<'d>(decision: &'d Value, id: &str) -> &'d Value {
    decision["participants"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap()
}

fn asks(decision: &Value) -> String {
    let requirement = &decision["requirement"];
    format!("{}/{}", requirement["parties"].as_str().unwrap(), requirement["form"].as_str().unwrap())
}
