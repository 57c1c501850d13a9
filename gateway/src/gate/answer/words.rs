//! Why recording is not lawful, in words that hold at every door.

use policy::{Decision, Form, ParticipantState, Subject, Why};

use super::Names;

/// Why recording is not permitted now, in words: whose consent is missing, what they have done and not done, and
/// who makes that necessary.
#[must_use]
pub fn reason(decision: &Decision, why: Why, names: Names<'_>) -> String {
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
