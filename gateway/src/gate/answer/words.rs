//! Why recording is not lawful, in words for every door.

use policy::atlas::usually_meant;
use policy::decision::telling;
use policy::{
    Because, Decision, Evidence, Ground, Note, ParticipantDecision, ParticipantState, Purposes, Strictness,
    Subject, Uncounted, Uncounting, Why,
};

use super::Names;

/// Why recording is not permitted now, in words: whose consent is missing, what they have and have not done,
/// and who makes it necessary.
#[must_use]
pub fn reason(decision: &Decision, why: Why, names: &Names) -> String {
    let told = words(why, names);
    let people = &decision.participants;
    match why {
        Why::Missing(missing) => match people.iter().find(|one| one.participant == missing) {
            Some(one) => format!(
                "{told}: {}; {}{}{}",
                done(one, names),
                match decision.requirement.strictness {
                    Strictness::Express => "everybody has to be told and then expressly say yes",
                    Strictness::Notice | Strictness::One => "everybody has to be told",
                },
                causes(decision, names),
                others(people, missing, names)
            ),
            None => told,
        },
        Why::Declined(_) | Why::Withdrawn(_) | Why::NobodyConsents => {
            let meant = people.iter().filter(|one| why.participant().is_none_or(|p| p == one.participant));
            let reported = meant.filter_map(|one| Some(uncounted(one.uncounted()?, one.participant, names)));
            reported.fold(told, |told, prompt| format!("{told}; {prompt}"))
        }
        Why::Emergency
        | Why::Forbidden
        | Why::Ended
        | Why::NobodyHuman
        | Why::InDoubt(_)
        | Why::Minor(_)
        | Why::OnHold(_)
        | Why::ForbiddenFor(_)
        | Why::Unlogged
        | Why::Unannounced(_)
        | Why::NotYetAnnounced(_)
        | Why::NotGranted
        | Why::Paused
        | Why::NotYet
        | Why::Taken => told,
    }
}

/// What somebody whose consent is missing has and has not done.
fn done(one: &ParticipantDecision, names: &Names) -> String {
    if let Some(prompt) = one.uncounted() {
        return uncounted(prompt, one.participant, names);
    }
    match one.state {
        ParticipantState::Prompted => "they heard a prompt, but only stayed on the line".into(),
        ParticipantState::Prompting => "the prompt is still playing".into(),
        ParticipantState::Interrupted => "the last prompt was cut short".into(),
        ParticipantState::Unprompted
        | ParticipantState::Consented
        | ParticipantState::Declined
        | ParticipantState::Withdrawn
        | ParticipantState::Left => "no prompt to them was reported".into(),
    }
}

/// Whose consent is missing besides that of one participant.
fn others(people: &[ParticipantDecision], one: u32, names: &Names) -> String {
    let others = people.iter().filter(|other| other.participant != one && !other.needs.is_empty());
    let others: Vec<String> = others.map(|other| format!("`{}`", names.of(other.participant))).collect();
    match others.len() {
        0 => String::new(),
        1..=NAMED => format!("; that of {} is missing as well", others.join(" and ")),
        many => format!("; that of {many} others is missing as well"),
    }
}

/// What makes this requirement apply.
fn causes(decision: &Decision, names: &Names) -> String {
    let asked = decision.requirement.strictness;
    let decisive = || decision.because.iter().filter(|rule| rule.asks.strictness == asked);
    let mut causes = Vec::new();
    let mut is_anybody_gone = false;
    for rule in decisive() {
        if let Ground::Overlay(id) = &rule.ground {
            causes.push(format!("the overlay `{id}` asks for it"));
        }
        for one in rule.of.iter().filter(|one| !is_told_by_a_part(rule, one.subject, decisive())) {
            let participant = match one.subject {
                Subject::Participant(participant) => participant,
                Subject::Recorder => {
                    causes.extend(place_of(rule).map(|place| format!("the recorder stands in {place}")));
                    continue;
                }
                Subject::Operator => {
                    let operator = |place| format!("the operator is established in {place}");
                    causes.extend(place_of(rule).map(operator));
                    continue;
                }
            };
            let is_gone = |other: &ParticipantDecision| {
                other.participant == participant && other.state == ParticipantState::Left
            };
            let name = names.of(participant);
            let who = if decision.participants.iter().any(is_gone) {
                is_anybody_gone = true;
                format!("`{name}`, who has left, was")
            } else {
                format!("`{name}` is")
            };
            causes.push(match &rule.ground {
                Ground::Place(code) => format!("{who} in `{code}`"),
                Ground::Unknown | Ground::Overlay(_) => format!("nothing says where {who}"),
                Ground::Evidence(evidence) => {
                    let known = match evidence {
                        Evidence::Declared => "a declaration",
                        Evidence::Ip => "an IP address",
                        Evidence::Number => "a phone number",
                    };
                    format!("only {known} says where {who}")
                }
            });
        }
    }
    causes.truncate(NAMED);
    if causes.is_empty() {
        return String::new();
    }
    let lasts = if is_anybody_gone { ", and a requirement is never relaxed within a call" } else { "" };
    format!(", since {}{lasts}", causes.join(", and "))
}

fn place_of(rule: &Because) -> Option<String> {
    match &rule.ground {
        Ground::Place(code) => Some(format!("`{code}`")),
        Ground::Unknown | Ground::Evidence(_) | Ground::Overlay(_) => None,
    }
}

/// Whether this is the rule of a country and the rule of a part of it requires as much for the same person.
fn is_told_by_a_part<'r>(
    rule: &Because,
    subject: Subject,
    mut rules: impl Iterator<Item = &'r Because>,
) -> bool {
    let Ground::Place(country) = rule.ground else { return false };
    rules.any(|other| {
        matches!(other.ground, Ground::Place(code) if code != country && code.country() == country)
            && other.of.iter().any(|one| one.subject == subject)
    })
}

/// A remark about a participant, in words.
pub(super) fn note(note: &Note, participant: u32, names: &Names) -> String {
    match note {
        Note::Unlisted(code) => format!("ISO 3166 lists no place `{code}`{}", usually_meant(*code)),
        Note::NoParty => "a system without a number, address or place is not a party".into(),
        Note::DefaultLanguage => "no language is known, so the account's default language counts".into(),
        Note::Uncounted(prompt) => uncounted(prompt, participant, names),
        Note::RefusedGrant(refused) => refused.as_str().into(),
        Note::Machine => "a machine took the call".into(),
        Note::Held { excused: true } => "they are on hold, and need not have agreed while they are".into(),
        Note::Held { excused: false } => "they are on hold, and count as on the call".into(),
        Note::Minor => "they are a minor: only a consent grant that a guardian gave counts for them".into(),
        Note::InWriting(purposes) => format!(
            "for {}, they have to agree in writing: report `consent.given` with `method`: `written` after the prompt, \
             or name a consent grant that was given in writing",
            quoted(*purposes)
        ),
        Note::ForbiddenFor(purposes) => {
            format!("a rule forbids recording them for {}, even if everybody agrees", quoted(*purposes))
        }
        Note::ForMore => {
            "what they were told or granted names no purpose, or more purposes than the call; for those, \
            a stricter form is required"
                .into()
        }
    }
}

fn quoted(purposes: Purposes) -> String {
    let words: Vec<String> = purposes.iter().map(|purpose| format!("`{}`", purpose.as_str())).collect();
    words.join(" and ")
}

/// Which prompt does not count for whom, and why.
fn uncounted(prompt: &Uncounted, participant: u32, names: &Names) -> String {
    let why = match &prompt.why {
        Uncounting::Machine => "a machine took the call, and a prompt to a machine does not count".into(),
        Uncounting::Held => "they were on hold for some of it".into(),
        Uncounting::Short { played_ms } => format!("only {} of it was played", seconds(*played_ms)),
        Uncounting::Quick { between_ms } => format!(
            "only {} passed between its `prompt.started` and its `prompt.completed`",
            seconds(u64::try_from(*between_ms).unwrap_or(0))
        ),
        Uncounting::Early { ended_ms } => {
            let side = if *ended_ms < 0 { "before" } else { "after" };
            format!(
                "it was reported as ended {} {side} they joined, so they did not hear all of it",
                seconds(ended_ms.unsigned_abs())
            )
        }
        Uncounting::Language { spoken, theirs } => {
            format!("it is in `{spoken}`, which is not one of their languages (`{}`)", theirs.join("`, `"))
        }
        Uncounting::Purposes => "it does not name every purpose of the call".into(),
        Uncounting::Objected => "it began before they objected".into(),
        Uncounting::Lacks(missing) => format!("it does not say {}", telling(*missing)),
    };
    format!(
        "the last prompt, `{}` ({}), does not count for `{}`: {why}",
        names.of_prompt(&prompt.version),
        seconds(prompt.lasts_ms),
        names.of(participant)
    )
}

/// `3.97 s`: to the millisecond, without zeros at the end.
fn seconds(ms: u64) -> String {
    let written = format!("{}.{:03}", ms / 1000, ms % 1000);
    format!("{} s", written.trim_end_matches('0').trim_end_matches('.'))
}

/// How many people or places are named at most.
const NAMED: usize = 3;

/// Why recording is not lawful, in words.
#[must_use]
pub fn words(why: Why, names: &Names) -> String {
    match why {
        Why::Emergency => "emergency calls are never recorded".into(),
        Why::Forbidden => "a rule forbids recording this call, even if everybody agrees".into(),
        Why::ForbiddenFor(p) => format!(
            "a rule forbids recording `{}` for a purpose of this call, even if everybody agrees",
            names.of(p)
        ),
        Why::Ended => "the call has ended".into(),
        Why::NobodyHuman => "no human is on the call".into(),
        Why::Declined(p) => format!("`{}` said no, and has not agreed to a new prompt since", names.of(p)),
        Why::Withdrawn(p) => format!("`{}` withdrew, and has not agreed to a new prompt since", names.of(p)),
        Why::InDoubt(p) => format!(
            "events may be missing after an outage: add `{}` again with `POST \
             /v1/calls/{{call}}/participants`",
            names.of(p)
        ),
        Why::Minor(p) => format!(
            "`{0}` is a minor: register a consent grant that a guardian gave (`given_by`: `guardian`), then add \
             `{0}` again with it",
            names.of(p)
        ),
        Why::OnHold(p) => format!("`{}` is on hold, and a rule allows no recording meanwhile", names.of(p)),
        Why::NobodyConsents => "nobody on the call has consented".into(),
        Why::Missing(p) => format!("the consent of `{}` is missing", names.of(p)),
        Why::Unannounced(p) => {
            format!("no announcement to `{}` was recorded in the first 15 seconds", names.of(p))
        }
        Why::NotYetAnnounced(p) => format!(
            "the recording has to contain an announcement to `{}`, and none was reported yet: report \
             `announcement.recorded`, then send it again",
            names.of(p)
        ),
        Why::NotGranted => "recording was not granted at that time: ask with `start` or `resume` \
            first"
            .into(),
        Why::Paused => "recording was paused at that time, but the audio is not silent".into(),
        Why::NotYet => "it is in the future: wait until it is over, and check the clock that dated it".into(),
        Why::Taken => "other recordings of this time were accepted, as many as the account's `recorders` \
            allow"
            .into(),
        Why::Unlogged => {
            "an event that restricts recording could not be logged yet; the gateway keeps trying, and \
             permits nothing until then"
                .into()
        }
    }
}
