//! Decisions in the words of the contract.

use policy::{
    Because, Call, Decision, Edge, Form, ParticipantDecision, ParticipantState, Requirement, Span, Standing,
    Subject, UncoveredSpan, Why,
};
use serde_json::{Value, json};

use crate::clock::written;
use crate::trail::{reason, recorder_word};

/// Tells a participant's number to the platform's id of them.
pub type Names<'n> = &'n dyn Fn(u32) -> String;

/// A decision as JSON.
#[must_use]
pub fn decision(table: &str, decision: &Decision, names: Names<'_>) -> Value {
    let missing: Vec<Value> = decision
        .participants
        .iter()
        .filter(|participant| !participant.needs.is_empty())
        .map(|participant| json!({"participant": names(participant.participant), "needs": participant.needs}))
        .collect();
    let mut answer = json!({
        "recording": if decision.permitted() { "permitted" } else { "blocked" },
        "recorder": recorder_word(decision.recorder),
        "action": decision.action.as_str(),
        "requirement": requirement(&decision.requirement),
        "table": table,
        "policy": policy::VERSION,
        "decided_at": written(decision.decided_at),
        "participants": decision.participants.iter().map(|one| participant(one, names)).collect::<Vec<_>>(),
        "because": decision.because.iter().map(|one| because(one, names)).collect::<Vec<_>>(),
        "missing": missing,
        "prompt_must_say": decision.must_be_told.elements,
        "retention": retention(&decision.requirement.retention),
        "obligations": obligations(&decision.requirement),
    });
    if let Value::Object(members) = &mut answer {
        if let Standing::Unlawful(why) = decision.standing {
            members.insert("reason".into(), Value::String(reason_in_words(decision, why, names)));
        }
        if let Some(due) = decision.announcement_due {
            members.insert("announcement_due".into(), json!(written(due)));
        }
    }
    answer
}

/// What is missing, as in a decision.
#[must_use]
pub fn missing(decision_json: &Value) -> Value {
    decision_json.get("missing").cloned().unwrap_or_else(|| json!([]))
}

/// A call's stretches and windows as JSON.
#[must_use]
pub fn timeline(call: &Call, now: jiff::Timestamp, names: Names<'_>) -> Value {
    let until = call.ended_at().unwrap_or(now);
    let stretches = call.standings(until);
    json!({
        "intervals": stretches.iter().map(|(span, standing)| stretch(span, *standing, names)).collect::<Vec<_>>(),
        "windows": call.at(now).windows().iter().map(|window| json!({
            "from": written(window.from),
            "until": window.until.map(|(until, _)| written(until)),
            "closed_by": window.until.map(|(_, edge)| match edge {
                Edge::Pause => "pause",
                Edge::Suspension => "suspension",
                Edge::Stop => "stop",
                Edge::Ended => "call.ended",
            }),
        })).collect::<Vec<_>>(),
        "accepted_ms": call.accepted_ms(),
    })
}

/// Uncovered stretches as JSON.
#[must_use]
pub fn uncovered(spans: &[UncoveredSpan], names: Names<'_>) -> Value {
    spans
        .iter()
        .map(|span| {
            json!({
                "from": written(span.from),
                "until": written(span.until),
                "offset_ms": span.offset_ms,
                "duration_ms": span.duration_ms(),
                "why": words(span.why, names),
            })
        })
        .collect()
}

/// Why recording is not permitted now, in words: whose consent is missing, what they have done and not done, and
/// who makes that necessary.
fn reason_in_words(decision: &Decision, why: Why, names: Names<'_>) -> String {
    let told = words(why, names);
    let Why::Missing(missing) = why else { return told };
    let Some(person) = decision.participants.iter().find(|one| one.participant == missing) else {
        return told;
    };
    let uncounted = person.notes.iter().find(|note| note.starts_with(policy::decision::UNCOUNTED));
    let form = decision.requirement.form();
    let done = match person.state {
        _ if uncounted.is_some() => uncounted.cloned().unwrap_or_default(),
        ParticipantState::Prompted => "they have heard a prompt, and stayed on".into(),
        ParticipantState::Prompting => "the prompt is still playing".into(),
        ParticipantState::Interrupted => "the last prompt was cut short".into(),
        ParticipantState::Unprompted
        | ParticipantState::Consented
        | ParticipantState::Declined
        | ParticipantState::Withdrawn
        | ParticipantState::Left => "no prompt was reported to have been played to them".into(),
    };
    let needed = match form {
        Form::Express => "everybody has to be told and then expressly say yes",
        Form::Notice | Form::None => "everybody has to be told",
    };
    let causes = causes(decision, form, names);
    let since = if causes.is_empty() { String::new() } else { format!(", {causes}") };
    format!("{told}: {done}; {needed}{since}")
}

/// Who makes it necessary that consent has this form.
fn causes(decision: &Decision, form: Form, names: Names<'_>) -> String {
    let mut all: Vec<String> = Vec::new();
    for one in &decision.participants {
        let codes: Vec<String> = one
            .places
            .iter()
            .filter(|place| place.requirement.form() == form)
            .map(|place| format!("`{}`", place.code))
            .collect();
        if codes.is_empty() {
            continue;
        }
        let (name, codes) = (names(one.participant), codes.join(", "));
        all.push(if one.state == ParticipantState::Left {
            format!("since `{name}`, who has left, was in {codes}, and within one call nothing is relaxed")
        } else {
            format!("since `{name}` is in {codes}")
        });
    }
    if all.is_empty() {
        all.extend(decision.because.iter().filter(|one| one.code.is_none()).filter_map(
            |one| match one.subject {
                Subject::Participant(p) => Some(format!("since nothing is known of where `{}` is", names(p))),
                Subject::Recorder | Subject::Operator | Subject::Overlay => None,
            },
        ));
    }
    all.truncate(3);
    all.join(", and ")
}

/// Why recording is not lawful, in words.
#[must_use]
pub fn words(why: Why, names: Names<'_>) -> String {
    match why {
        Why::Emergency => "emergency calls are never recorded".into(),
        Why::Forbidden => "a rule forbids recording this call, whoever agrees".into(),
        Why::Ended => "the call is over".into(),
        Why::NobodyHuman => "no human is on the call".into(),
        Why::Declined(p) => format!("`{}` said no, and has not said yes to a new prompt since", names(p)),
        Why::Withdrawn(p) => format!("`{}` withdrew, and has not said yes to a new prompt since", names(p)),
        Why::InDoubt(p) => format!(
            "events may be missing after an outage: name `{}` again with `POST /v1/calls/{{call}}/participants`",
            names(p)
        ),
        Why::NobodyConsents => "nobody on the call has consented".into(),
        Why::Missing(p) => format!("the consent of `{}` is missing", names(p)),
        Why::Unannounced(p) => {
            format!("no announcement to `{}` was recorded in the first 15 seconds", names(p))
        }
        Why::NotYetAnnounced(p) => format!(
            "the recording has to hold an announcement to `{}`, and none was reported yet: report `announcement.recorded`, then send it again",
            names(p)
        ),
        Why::NotGranted => "recording was not granted then: ask with `start` or `resume` first".into(),
        Why::Paused => "recording was paused then, and the audio is not silent".into(),
        Why::NotYet => "it lies in the future: wait until it is over, and check the clock that it was dated by".into(),
        Why::Taken => "other recordings of these moments were accepted, as many as the account has `recorders`".into(),
        Why::Unlogged => {
            "an event that restricts recording could not be logged yet; it is tried again until it is, and nothing is permitted before".into()
        }
    }
}

/// How long a recording is kept, as JSON.
#[must_use]
pub fn retention(retention: &policy::Retention) -> Value {
    json!({"minimum": retention.minimum, "maximum": retention.maximum})
}

/// What the platform has to see to itself, in stable words.
#[must_use]
pub fn obligations(requirement: &Requirement) -> Vec<&'static str> {
    let all = [
        ("recording-mandatory", requirement.mandatory),
        ("recording-forbidden", requirement.forbidden),
        ("pause-for-card-data", requirement.pause_for_card_data),
    ];
    all.into_iter().filter(|(_, holds)| *holds).map(|(word, _)| word).collect()
}

/// What is asked, as JSON.
#[must_use]
pub fn requirement(requirement: &Requirement) -> Value {
    json!({
        "parties": requirement.parties().as_str(),
        "form": requirement.form().as_str(),
        "announcement_must_be_recorded": requirement.announcement_must_be_recorded,
        "tone_seconds": requirement.tone_seconds(),
    })
}

fn participant(participant: &ParticipantDecision, names: Names<'_>) -> Value {
    json!({
        "id": names(participant.participant),
        "role": participant.role,
        "state": participant.state.as_str(),
        "needs": participant.needs,
        "places": participant.places.iter().map(|place| json!({
            "code": place.code,
            "evidence": place.evidence,
            "rule": {"parties": place.requirement.parties(), "form": place.requirement.form()},
        })).collect::<Vec<_>>(),
        "prompt": participant.prompt,
        "notes": participant.notes,
    })
}

fn because(because: &Because, names: Names<'_>) -> Value {
    let mut answer = json!({
        "code": because.code,
        "evidence": because.evidence,
        "citations": because.citations,
        "says": because.says,
    });
    if let Value::Object(members) = &mut answer {
        match because.subject {
            Subject::Participant(p) => members.insert("participant".into(), Value::String(names(p))),
            Subject::Recorder => members.insert("of".into(), json!("recorder_location")),
            Subject::Operator => members.insert("of".into(), json!("operator_location")),
            Subject::Overlay => members.insert("overlay".into(), json!(because.overlay)),
        };
    }
    answer
}

fn stretch(span: &Span, standing: Standing, names: Names<'_>) -> Value {
    match standing {
        Standing::Lawful => {
            json!({"from": written(span.from), "until": span.until.map(written), "lawful": true})
        }
        Standing::Unlawful(why) => json!({
            "from": written(span.from), "until": span.until.map(written), "lawful": false,
            "why": words(why, names), "code": reason(why).split(':').next(),
        }),
    }
}
