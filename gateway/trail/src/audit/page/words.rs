//! Entries in plain words.

use jiff::Timestamp;
use policy::scope::upload::Unasked;
use policy::{
    AnsweredBy, Because, Behavior, Concerned, Control, Event, Evidence, Ground, Medium, Method, Place,
    Refusal, Role, Subject, Use, What, Why, length_ms,
};
use serde_json::Value;

use crate::audit::pack::{Entry, is_asserted};
use crate::story::{ActKind, Recording, Story, Unjudged};
use crate::{Body, ControlRefusal, Destruction, FoldError, Leaf, QuarantineReason, Saw, Suspension};

/// What an entry says happened. Of what it commits to, the document names what it is about.
#[expect(clippy::wildcard_enum_match_arm, reason = "a projection: the kind says it all")]
pub(in crate::audit) fn happened(leaf: &Leaf, story: Option<&Story>, document: Option<&Value>) -> String {
    let called = |name: &str| {
        let id = document.and_then(|document| document.get(name)?.as_str());
        id.map(|id| format!(" “{id}”")).unwrap_or_default()
    };
    let names = |participants: &[u32]| match story {
        Some(story) => names_of(story, participants),
        None => participants.iter().map(|p| format!("participant {p}")).collect::<Vec<_>>().join(", "),
    };
    match &leaf.body {
        Body::Opened { facts, .. } => {
            let people: Vec<u32> = facts.participants.iter().map(|joined| joined.participant).collect();
            format!("The call was opened, with {}.", names(&people))
        }
        Body::Event { facts, .. } => event(facts, &names),
        Body::ControlRefused { of, code, .. } => {
            let why = match code {
                ControlRefusal::ConsentRequired => "consent was missing",
                ControlRefusal::NoUsableKey => "there was no public key to seal it for",
            };
            format!("The platform asked {}, and was not allowed to: {why}.", using(*of))
        }
        Body::Accepted { bytes, spans, silenced, .. } => {
            let spans: Vec<String> =
                spans.iter().map(|(from, until)| format!("{} to {}", moment(from), moment(until))).collect();
            format!(
                "A recording was accepted: consent covers every second from {}.{} Sealed, it has {bytes} bytes.",
                spans.join(", and from "),
                silent(silenced)
            )
        }
        Body::Quarantined { reason, until, .. } => format!(
            "An upload was sealed, locked and put into quarantine until {}: {}.",
            moment(until),
            match reason {
                QuarantineReason::UnknownCall => "nobody had opened its call",
                QuarantineReason::SeveralCalls => "it may belong to several calls",
                QuarantineReason::UnknownTime => "it does not say when it was made",
            }
        ),
        Body::ReleaseRefused { code, .. } => {
            format!(
                "An upload was to be released from quarantine to the call, which was refused: {}.",
                refusal(*code)
            )
        }
        Body::Destroyed { because, .. } => format!(
            "What was in quarantine was destroyed: {}.",
            match because {
                Destruction::Expired => "its time was over",
                Destruction::Requested => "the account wanted it",
                Destruction::Erased => "somebody on its call was erased",
                Destruction::Duplicate => "the same upload had been accepted",
            }
        ),
        Body::Refused { code, .. } => {
            format!("An upload was refused, and nothing of it was kept: {}.", refusal(*code))
        }
        Body::Suspension { says, .. } => match says {
            Suspension::Ordered { action } => {
                format!("The platform was told by its API to {} the recording.", action.as_str())
            }
            Suspension::Confirmed { by } if by == "call.ended" => {
                "The call ended after the platform had taken the order to stop; whether it stopped before was not reported.".into()
            }
            Suspension::Confirmed { by } => {
                format!("The platform no longer recorded, after it was told so: `{by}` was reported.")
            }
            Suspension::Failed { outcome } => {
                format!("Nothing shows that the platform did as it was told: `{outcome}`.")
            }
        },
        Body::Unasked { why, .. } => format!(
            "An upload was refused, and nothing of it was kept: by the account's recording settings, {}.",
            match why {
                Unasked::NotEnabled => "such a call is not recorded",
                Unasked::TooShort => "a recording as short as this one is dropped",
                Unasked::TooLong => "a recording ends sooner",
            }
        ),
        Body::Gap { from, until, .. } => format!(
            "The trail could not be written from {} to {}: what was reported then may be missing.",
            moment(from),
            moment(until)
        ),
        Body::Fetched { range: (from, until), .. } => {
            format!("The sealed recording was handed out, bytes {from} to {until}.")
        }
        Body::FetchRefused { code, .. } => format!("The recording was not handed out: `{code}`."),
        Body::Deleted { .. } => "The recording was deleted, and its keys with it.".into(),
        Body::Held { held: true, .. } => "A legal hold was put on the recording.".into(),
        Body::Held { held: false, .. } => "The legal hold on the recording was lifted.".into(),
        Body::HoldSet { by, .. } => format!("A legal hold was set, limited by {}.", by.join(", ")),
        Body::HoldLifted { .. } => "A legal hold was lifted.".into(),
        Body::ErasureWaits { .. } => "Somebody is to be erased as soon as no legal hold prevents it.".into(),
        Body::Credential { credential, role, .. } => {
            format!("The credential {credential} was made, in the role {role}.")
        }
        Body::Prompt { duration_ms, .. } => {
            let version = document.and_then(|document| document.get("version")?.as_u64());
            let version = version.map(|version| format!(", version {version}")).unwrap_or_default();
            let length = seconds(*duration_ms);
            match called("prompt") {
                name if name.is_empty() => format!("A prompt of {length} was registered."),
                name => format!("The prompt{name}{version}, of {length}, was registered."),
            }
        }
        Body::Grant { from, until, by_guardian, .. } => {
            let (name, from) = (called("grant"), moment(from));
            let by = if *by_guardian { " by a guardian" } else { "" };
            match until {
                Some(until) => format!(
                    "Consent given before{by}{name} was registered, from {from} to {}.",
                    moment(until)
                ),
                None => format!("Consent given before{by}{name} was registered, from {from} on."),
            }
        }
        Body::GrantWithdrawn { .. } => format!("Consent given before{} was withdrawn.", called("grant")),
        Body::Exported { form, .. } => format!("Records were taken out of the gateway ({form})."),
        Body::Lookup { .. } => "Somebody looked for what has to do with a person.".into(),
        Body::Erased { .. } => "Somebody's personal data were erased.".into(),
        _ => format!("`{}`", leaf.kind),
    }
}

fn event(facts: &Event, names: &dyn Fn(&[u32]) -> String) -> String {
    match &facts.what {
        What::PromptStarted { participants, .. } => {
            format!("A prompt began to play to {}.", names(participants))
        }
        What::PromptCompleted { participants, played_ms, .. } => {
            format!("The prompt was played to its end to {}: {}.", names(participants), seconds(*played_ms))
        }
        What::PromptInterrupted { participants } => {
            format!("The prompt to {} was cut short.", names(participants))
        }
        What::ConsentGiven { participants, method } => match method.is_express() {
            true => format!("{} agreed.", names(participants)),
            false => format!("{} stayed on.", names(participants)),
        },
        What::ConsentDeclined { participants } => format!("{} said no.", names(participants)),
        What::ConsentWithdrawn { participants } => format!("{} withdrew.", names(participants)),
        What::AnnouncementRecorded { participants } => {
            format!("The recording holds an announcement that {} heard.", names(participants))
        }
        What::ToneStarted => "A repeated tone can be heard from now on.".into(),
        What::ToneStopped => "The tone is no longer heard.".into(),
        What::Joined(joined) => format!("{} joined.", names(&[joined.participant])),
        What::Located { participant, places, .. } => {
            let places: Vec<String> = places.iter().map(at_place).collect();
            format!("{} is found to be in {}.", names(&[*participant]), places.join("; "))
        }
        What::Answered { participant, by } => match by {
            AnsweredBy::Human => format!("A person answered the call to {}.", names(&[*participant])),
            AnsweredBy::Machine => format!("A machine answered the call to {}.", names(&[*participant])),
        },
        What::Left { participants } => format!("{} left.", names(participants)),
        What::Held { participants, .. } => format!("{} was put on hold.", names(participants)),
        What::Retrieved { participants, .. } => format!("{} was taken off hold.", names(participants)),
        What::Minor { participants } => format!("{} was found to be a minor.", names(participants)),
        What::Emergency => "The call became an emergency call.".into(),
        What::Control(Control::Start) => "The platform asked to start recording, and was allowed to.".into(),
        What::Control(Control::Pause(Behavior::Skip)) => "The platform paused the recording.".into(),
        What::Control(Control::Pause(Behavior::Silence)) => {
            "The platform paused the recording, and writes silence meanwhile.".into()
        }
        What::Control(Control::Resume) => {
            "The platform asked to resume recording, and was allowed to.".into()
        }
        What::Control(Control::Stop) => "The platform ended the recording.".into(),
        What::Use { of, control: Control::Start | Control::Resume, .. } => {
            format!("The platform asked {}, and was allowed to.", using(*of))
        }
        What::Use { of, control: Control::Pause(_), .. } => format!("The platform paused {}.", noun(*of)),
        What::Use { of, control: Control::Stop, .. } => format!("The platform ended {}.", noun(*of)),
        What::RecordingStarted => "The platform started recording by itself.".into(),
        What::RecordingPaused => "The platform paused by itself.".into(),
        What::RecordingResumed => "The platform resumed recording by itself.".into(),
        What::RecordingStopped => "The platform stopped recording by itself.".into(),
        What::Accepted { .. } => "A recording was accepted.".into(),
        What::Ended => "The call ended.".into(),
        What::Gap => "Something may be missing.".into(),
    }
}

/// What a use does with the call, after "asked".
fn using(of: Use) -> &'static str {
    match of {
        Use::Record => "to record",
        Use::Transcribe => "to have the call written down",
        Use::Stream => "to let somebody listen",
        Use::Analyse => "to have the call analysed",
    }
}

/// A use, as what goes on.
fn noun(of: Use) -> &'static str {
    match of {
        Use::Record => "the recording",
        Use::Transcribe => "the transcription",
        Use::Stream => "the stream",
        Use::Analyse => "the analysis",
    }
}

/// The name of a participant.
pub(in crate::audit) fn name_of(story: &Story, participant: u32) -> String {
    let name = story.people.get(&participant).and_then(|person| person.id.clone());
    name.unwrap_or_else(|| format!("participant {participant}"))
}

/// The names of several.
pub(in crate::audit) fn names_of(story: &Story, participants: &[u32]) -> String {
    let mut names: Vec<String> = participants.iter().map(|one| name_of(story, *one)).collect();
    match (names.pop(), names.is_empty()) {
        (Some(last), false) => format!("{} and {last}", names.join(", ")),
        (last, _) => last.unwrap_or_else(|| "nobody".into()),
    }
}

/// What somebody answered, or `None` if the act is not an answer.
pub(in crate::audit) fn answer(act: &ActKind) -> Option<&'static str> {
    Some(match act {
        ActKind::Given(Method::Dtmf) => "agreed, by pressing a key",
        ActKind::Given(Method::Speech) => "agreed, by saying so",
        ActKind::Given(Method::Click) => "agreed, by clicking",
        ActKind::Given(Method::Written) => "agreed, in writing",
        ActKind::Given(Method::Continued) => "stayed on, which is not an express yes",
        ActKind::Declined => "said no",
        ActKind::Withdrawn => "withdrew: no longer agrees",
        ActKind::Began { .. }
        | ActKind::Prompted { .. }
        | ActKind::Interrupted
        | ActKind::Named(_)
        | ActKind::Announced => return None,
    })
}

/// What was played, or `None` if the act is about nothing that was.
pub(in crate::audit) fn played(act: &ActKind, story: &Story) -> Option<String> {
    if let ActKind::Prompted { version, played_ms } = act {
        let whole = story.prompts.get(version).map_or(0, |prompt| prompt.duration_ms);
        return Some(format!("played to its end: {} of {}", seconds(*played_ms), seconds(whole)));
    }
    matches!(act, ActKind::Began { .. }).then(|| "began to play".into())
}

/// What became of the recording, as far as the pack goes.
pub(in crate::audit) fn became_of(recorded: &Recording) -> String {
    if let Some(at) = recorded.deleted_at {
        return format!("deleted on {}", moment(&at));
    }
    let hold = if recorded.held { "under a legal hold" } else { "no legal hold" };
    let times = match recorded.fetched {
        0 => "no hand-out".into(),
        1 => "handed out once".into(),
        fetched => format!("handed out {fetched} times"),
    };
    format!("in this pack: no deletion, {hold}, {times}")
}

/// A date that the law sets.
pub(in crate::audit) fn date(at: &Option<Timestamp>) -> String {
    at.as_ref().map_or_else(|| "the law of this call sets no date".into(), moment)
}

/// Because of whom or what a rule counts, and how their places are known.
pub(in crate::audit) fn concerned(story: &Story, rule: &Because) -> Vec<String> {
    if let Ground::Overlay(_) = rule.ground {
        return vec!["what the account or the call has chosen".into()];
    }
    let one = |one: &Concerned| {
        let who = match one.subject {
            Subject::Participant(participant) => name_of(story, participant),
            Subject::Recorder => "where the recorder stands".into(),
            Subject::Operator => "where the operator is established".into(),
        };
        match one.evidence {
            Some(evidence) => format!("{who}, {}", known(evidence)),
            None => who,
        }
    };
    rule.of.iter().map(one).collect()
}

/// Whose word an entry is.
pub(in crate::audit) fn whose(body: &Body) -> &'static str {
    match (is_asserted(body), body) {
        (true, Body::Prompt { .. } | Body::Grant { .. } | Body::GrantWithdrawn { .. }) => "the account says",
        (true, _) => "the platform says",
        (false, _) => "the gateway did",
    }
}

/// Whether what an entry commits to is in the pack.
pub(in crate::audit) fn disclosed(leaf: &Leaf, entry: &Entry) -> &'static str {
    match (&leaf.detail, &entry.detail) {
        (None, _) => "has none",
        (Some(_), Some(_)) => "disclosed",
        (Some(_), None) => "erased, or not disclosed",
    }
}

/// How a call was carried.
pub(in crate::audit) fn medium(medium: &Medium) -> &'static str {
    match medium {
        Medium::Telephone => "telephone",
        Medium::Voip => "over the internet",
        Medium::Video => "video",
        Medium::Unknown => "not said",
    }
}

/// Why it cannot be told what the law asked.
pub(in crate::audit) fn unjudged(why: &Unjudged) -> String {
    match why {
        Unjudged::Fold(FoldError::Table(_)) => "the table that decided is not in the pack".into(),
        Unjudged::Fold(_) | Unjudged::Policy { .. } | Unjudged::Otherwise(_) => why.to_string(),
    }
}

/// What the gateway answered.
pub(in crate::audit) fn decided(saw: &Saw, story: &Story) -> String {
    let mut words = match (saw.recording.as_str(), &saw.why) {
        ("permitted", _) => "permitted".to_owned(),
        (_, Some(why)) => format!("not permitted: {}", why_not(*why, story)),
        (_, None) => "not permitted".into(),
    };
    match saw.action.as_str() {
        "none" => {}
        "pause" => words.push_str("; the platform is told to pause"),
        "stop" => words.push_str("; the platform is told to stop"),
        "resume" => words.push_str("; the platform may ask to resume"),
        "end-call" => words.push_str("; the platform is told to end the call"),
        other => words.push_str(&format!("; the platform is told `{other}`")),
    }
    words
}

/// A reason in words.
fn why_not(why: Why, story: &Story) -> String {
    let name = |p| name_of(story, p);
    match why {
        Why::Emergency => "emergency calls are not recorded".into(),
        Why::Forbidden => "a rule forbids recording".into(),
        Why::ForbiddenFor(p) => {
            format!("a rule forbids a purpose of the call while {} is on it", name(p))
        }
        Why::Ended => "the call is over".into(),
        Why::NobodyHuman => "no human is on the call".into(),
        Why::Declined(p) => format!("{} said no", name(p)),
        Why::Withdrawn(p) => format!("{} withdrew", name(p)),
        Why::InDoubt(p) => format!("what {} said may be missing after an outage", name(p)),
        Why::Minor(p) => format!("{} is a minor, and no guardian's consent covers them", name(p)),
        Why::OnHold(p) => format!("{} was on hold, and a rule allows no recording then", name(p)),
        Why::NobodyConsents => "nobody on the call has consented".into(),
        Why::Missing(p) => format!("the consent of {} is missing", name(p)),
        Why::Unannounced(p) => format!("no announcement to {} was recorded in time", name(p)),
        Why::NotYetAnnounced(p) => format!("the announcement to {} was not reported yet", name(p)),
        Why::NotGranted => "recording had not been granted".into(),
        Why::Paused => "recording was paused".into(),
        Why::NotYet => "it lies in the future".into(),
        Why::Taken => "other recordings hold these moments".into(),
        Why::Unlogged => "an event that restricts recording had not been logged".into(),
    }
}

/// A refused upload in words.
/// What was silenced of a recording, as a sentence; nothing if nothing was.
fn silent(silenced: &[policy::Silenced]) -> String {
    if silenced.is_empty() {
        return String::new();
    }
    let stretch = |(from, until, why): &policy::Silenced| {
        let why = why.map_or_else(|| "covered only later".to_owned(), |why| format!("`{why}`"));
        format!("from {} to {} ({why})", moment(from), moment(until))
    };
    let stretches: Vec<String> = silenced.iter().map(stretch).collect();
    format!(" What was not covered was silenced before it was sealed: {}.", stretches.join(", "))
}

fn refusal(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::ConsentRequired => "consent was missing",
        Refusal::ConsentDeclined => "somebody had said no",
        Refusal::ConsentWithdrawn => "somebody had withdrawn",
        Refusal::UncoveredAudio => "not all of the audio was covered",
    }
}

/// How far somebody had agreed.
pub(in crate::audit) fn state(state: &str) -> &str {
    match state {
        "unprompted" => "heard no prompt that counts",
        "prompting" => "a prompt was playing",
        "interrupted" => "the prompt was cut short",
        "prompted" => "heard the prompt to its end, and stayed",
        "consented" => "agreed",
        "declined" => "said no",
        "withdrawn" => "withdrew",
        "left" => "had left",
        other => other,
    }
}

fn place(code: policy::Code) -> String {
    policy::atlas::name(code).map_or_else(|| code.to_string(), |name| format!("{name} ({code})"))
}

/// How a place is known.
fn known(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Declared => "as the platform declared",
        Evidence::Ip => "by IP address",
        Evidence::Number => "by phone number",
    }
}

/// Where somebody was, and how that is known.
pub(in crate::audit) fn at_place(at: &Place) -> String {
    format!("{}, {}", place(at.code), known(at.evidence))
}

/// Whose rule it is.
pub(in crate::audit) fn ground(rule: &Because) -> String {
    match &rule.ground {
        Ground::Place(code) => place(*code),
        Ground::Overlay(id) => format!("overlay `{id}`"),
        Ground::Unknown => "not known".into(),
        Ground::Evidence(evidence) => format!("any, known {} alone", known(*evidence)),
    }
}

/// A role.
pub(in crate::audit) fn role(role: &Role) -> &'static str {
    match role {
        Role::Customer => "customer",
        Role::Agent => "agent",
        Role::System => "system",
    }
}

/// A requirement, as decisions write it (`parties/form/…`), in words.
pub(in crate::audit) fn requirement(asked: &str) -> String {
    let mut parts = asked.split('/');
    let mut words = match (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) {
        ("one", _) => "one party's consent was enough".to_owned(),
        ("all", "notice") => "everybody had to be told before recording, and to stay".into(),
        ("all", "express") => "everybody had to be told before recording, and to say yes expressly".into(),
        (parties, form) => format!("{parties}, {form}"),
    };
    for part in parts {
        match part.strip_prefix("tone-") {
            Some(seconds) => words.push_str(&format!(", or to hear a tone at least every {seconds} seconds")),
            None if part == "announcement" => {
                words.push_str(", and the recording itself had to hold an announcement");
            }
            None => words.push_str(&format!(", {part}")),
        }
    }
    words
}

/// How many had something done to them: `no upload was refused`, `2 uploads were refused`.
pub(in crate::audit) fn were(count: usize, one: &str, done: &str) -> String {
    match count {
        0 => format!("no {one} was {done}"),
        1 => format!("1 {one} was {done}"),
        count => format!("{count} {one}s were {done}"),
    }
}

/// Words that begin a sentence.
pub(in crate::audit) fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A moment, UTC.
pub(in crate::audit) fn moment(at: &Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// How long it is from a moment to another.
pub(in crate::audit) fn lasts(from: &Timestamp, until: &Timestamp) -> String {
    seconds(length_ms(*from, *until))
}

/// A length of time, rounded to tenths of a second.
pub(in crate::audit) fn seconds(ms: u64) -> String {
    let all = ms.saturating_add(50) / 100;
    let (minutes, whole, tenths) = (all / 600, all % 600 / 10, all % 10);
    match minutes {
        0 => format!("{whole}.{tenths} s"),
        minutes => format!("{minutes} min {whole}.{tenths} s"),
    }
}
