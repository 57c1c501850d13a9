//! The smallest call on which a change of the table shows as looser.
//!
//! Calls are tried from the smallest up, and each is decided by both tables as any call is: by [`Call::decide`], which
//! knows nothing of the diff. The first is taken on which the old table blocks recording and the new one permits it; if
//! there is none, the first of which the new table asks less, as far as a decision says so.
//!
//! Only calls are tried that `consent-gateway decide` can be told of, so that anybody can repeat it. Some changes show on
//! none of them: what a works agreement counts for, since there are no grants; what written consent spares a recording,
//! since none has begun; a floor of addresses, since only a database knows where an address is; and an overlay that is
//! gone, since nobody can name it any more.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use alloc::vec::Vec;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{Both, Point, SORTS, Sort, Subject, begins, medium_word};
use crate::call::{Call, after};
use crate::decision::{Decision, telling};
use crate::fact::{Event, Heard, HeldCounts, Joined, Kind, Medium, Method, Opened, Role, Settings, What};
use crate::place::{Code, Evidence, Place};
use crate::retention::Retention;
use crate::rule::{OnHold, Requirement, Tone};
use crate::table::Table;
use crate::told::{Element, Purpose, Purposes, Says, Told};

/// A call as `consent-gateway decide` takes it: the body that opens it, and what happens on it.
pub type Facts = Map<String, Value>;

/// The first and the last day of a stretch; `None` where it has none.
type Days = (Option<Date>, Option<Date>);

/// The smallest call that shows what a point loosens, if one of those that are tried does.
pub(super) fn of(
    old: &Arc<Table>,
    new: &Arc<Table>,
    subject: &Subject,
    days: Days,
    point: &Point,
) -> Option<Facts> {
    let mut less = None;
    let mut tried: Vec<[Requirement; 2]> = Vec::new();
    for scene in (Both { old, new }).scenes(subject, days, point) {
        let asked = [old, new].map(|table| scene.asks(table));
        let [before, after] = &asked;
        // Where the same is asked, the same shows.
        if after.is_at_least(before) || tried.contains(&asked) {
            continue;
        }
        if tried.len() >= MOST_TRIED {
            break;
        }
        for trial in trials(scene, before, after) {
            let [was, is] = [old, new].map(|table| trial.decided(table));
            if !was.permitted() && is.permitted() {
                return Some(trial.facts());
            }
            if less.is_none() && asks_less(&was, &is) {
                less = Some(trial.facts());
            }
        }
        tried.push(asked);
    }
    less
}

/// Whether a decision asks less than another, as far as its answer says so.
fn asks_less(was: &Decision, is: &Decision) -> bool {
    // Of a tone it says the seconds, and not why there are none.
    let same_tone = was.requirement.tone_seconds() == is.requirement.tone_seconds();
    let said = |decision: &Decision| {
        let asked = &decision.requirement;
        let on_hold = if asked.on_hold == OnHold::NotRecorded { asked.on_hold } else { OnHold::NotCounted };
        Requirement {
            strictness: asked.strictness,
            announcement_must_be_recorded: asked.announcement_must_be_recorded,
            tone: if same_tone { Tone::Indifferent } else { asked.tone },
            says: Says { always: decision.must_be_told.elements, ..Says::NOTHING },
            retention: asked.retention,
            mandatory: asked.mandatory,
            pause_for_card_data: asked.pause_for_card_data,
            forbidden: asked.forbidden,
            on_hold,
            ..Requirement::NOTHING
        }
    };
    !said(is).is_at_least(&said(was))
}

// ---- where and when ----

/// A sort of call, where everybody on it is, and when it begins.
#[derive(Debug, Clone, Copy)]
struct Scene<'s> {
    sort: Sort,
    started_at: Timestamp,
    /// `None` if nothing is known of where they are.
    place: Option<Place>,
    operator: Option<Code>,
    overlay: Option<&'s str>,
}

impl Scene<'_> {
    fn of(sort: Sort, (from, to): Days) -> Scene<'static> {
        let noon = from.or(to).unwrap_or(ANY_DAY).at(12, 0, 0, 0).to_zoned(TimeZone::UTC);
        let started_at = noon.map_or(Timestamp::MAX, |noon| noon.timestamp());
        Scene { sort, started_at, place: None, operator: None, overlay: None }
    }

    /// What all rules of such a call ask together.
    fn asks(self, table: &Arc<Table>) -> Requirement {
        Call::open(table, self.started_at, Trial::bare(self).opened()).requirement(self.started_at)
    }
}

impl Both<'_> {
    /// The calls of which a point of a change speaks, before anything happens on them; first those that take the fewest
    /// words.
    fn scenes<'s>(&self, subject: &'s Subject, days: Days, point: &Point) -> Vec<Scene<'s>> {
        match subject {
            Subject::Default(_) => {
                let own = SORTS.into_iter().filter(|sort| says_as(self.default_point(*sort), point));
                sorts(own).into_iter().map(|sort| Scene::of(sort, days)).collect()
            }
            Subject::Place(code) => {
                let at = begins(days.0);
                let own = SORTS.into_iter().filter(|sort| says_as(self.place_point(*code, at, *sort), point));
                let scenes = sorts(own).into_iter().flat_map(|sort| {
                    let scene = Scene::of(sort, days);
                    // Where the floor of the evidence hides what a place asks, another's place may not.
                    let operator = Scene { operator: Some(*code), ..scene };
                    seen(*code).map(move |place| Scene { place: Some(place), ..scene }).chain([operator])
                });
                scenes.collect()
            }
            Subject::Evidence(evidence) => {
                let mut scenes = self.everywhere(days);
                scenes.retain(|scene| scene.place.is_some_and(|place| place.evidence == *evidence));
                scenes
            }
            Subject::Overlay(id) => {
                if [self.old, self.new].iter().any(|table| table.overlay_history(id).is_empty()) {
                    return Vec::new();
                }
                let nowhere = sorts(SORTS.into_iter()).into_iter().map(|sort| Scene::of(sort, days));
                let all = nowhere.chain(self.everywhere(days));
                all.map(|scene| Scene { overlay: Some(id.as_str()), ..scene }).collect()
            }
        }
    }

    /// Every sort of call, at every place that has a row on these days, or a number.
    fn everywhere(&self, days: Days) -> Vec<Scene<'static>> {
        let moments = self.moments();
        let next = moments.iter().skip(1).map(Some).chain([None]);
        let with_rows = moments.iter().zip(next).map(|((code, from), next)| {
            let next = next.filter(|(other, _)| other == code).and_then(|(_, day)| *day);
            (*code, (*from, next.and_then(|day| day.yesterday().ok())))
        });
        let has_row = |code: &Code| moments.iter().any(|(with, _)| with == code);
        let others = FICTION.iter().filter_map(|(code, _)| code.parse::<Code>().ok());
        let without = others.filter(|code| !has_row(code)).map(|code| (code, (None, None)));
        let found = with_rows.chain(without);
        let places: Vec<(Code, Days)> =
            found.filter_map(|(code, own)| Some((code, overlap(own, days)?))).collect();
        let scenes = sorts(SORTS.into_iter()).into_iter().flat_map(|sort| {
            places.iter().flat_map(move |(code, days)| {
                let scene = Scene::of(sort, *days);
                seen(*code).map(move |place| Scene { place: Some(place), ..scene })
            })
        });
        scenes.collect()
    }
}

/// Whether this is what a point says, for one of its sorts of calls.
fn says_as(own: Option<Point>, point: &Point) -> bool {
    own.is_some_and(|own| {
        own.direction == point.direction && own.before == point.before && own.after == point.after
    })
}

/// These sorts of calls, after those for which the medium need not be said: an unknown one asks what all of them ask
/// together, and an emergency call is asked the same in each.
fn sorts(own: impl Iterator<Item = Sort>) -> Vec<Sort> {
    let own: Vec<Sort> = own.collect();
    let mut all = Vec::new();
    for kind in [Kind::Conversation, Kind::Voicemail, Kind::Emergency] {
        let media: Vec<Sort> = own.iter().copied().filter(|(_, of)| *of == kind).collect();
        if media.len() == 3 || (kind == Kind::Emergency && !media.is_empty()) {
            all.push((Medium::Unknown, kind));
        }
        all.extend(media);
    }
    all
}

/// The evidence by which a call can tell that somebody is at a place.
fn seen(code: Code) -> impl Iterator<Item = Place> {
    let by_number = fictional(code).map(|_| Place::new(code, Evidence::Number));
    [Place::new(code, Evidence::Declared)].into_iter().chain(by_number)
}

/// The days that are in both stretches, if any is.
fn overlap(one: Days, other: Days) -> Option<Days> {
    let (from, to) = (one.0.max(other.0), [one.1, other.1].into_iter().flatten().min());
    let is_empty = matches!((from, to), (Some(from), Some(to)) if to < from);
    (!is_empty).then_some((from, to))
}

fn fictional(code: Code) -> Option<&'static str> {
    FICTION.iter().find(|(of, _)| *of == code.as_str()).map(|(_, number)| *number)
}

// ---- what happens ----

/// A call that is tried.
#[derive(Debug, Clone)]
struct Trial<'s> {
    scene: Scene<'s>,
    /// Everybody's.
    role: Role,
    people: u32,
    purposes: Purposes,
    /// What the prompt says; `None` if it says everything.
    told: Option<Told>,
    steps: Vec<Step>,
    /// The account's setting.
    on_hold: HeldCounts,
}

/// Something that happens on it.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// These hear the prompt to its end.
    Heard(&'static [u32]),
    /// These say yes.
    Yes(&'static [u32], Method),
    /// A tone is heard from now on.
    Tone,
    /// The first of them is put on hold.
    Held,
}

/// The calls that may show in a scene that less is asked, the smallest first.
fn trials<'s>(scene: Scene<'s>, old: &Requirement, new: &Requirement) -> Vec<Trial<'s>> {
    let bare = Trial::bare(scene);
    let mut trials = alloc::vec![bare.clone()];
    let asked_before = |of: &Requirement| Requirement {
        announcement_must_be_recorded: false,
        waived_by_written: true,
        works_agreement_is_express: true,
        retention: Retention::FREE,
        mandatory: false,
        pause_for_card_data: false,
        ..*of
    };
    // Whatever else is asked, no event before the recording makes a difference to it.
    if asked_before(new).is_at_least(&asked_before(old)) {
        return trials;
    }
    let single = Purpose::ALL.into_iter().filter(|purpose| is_looser_for(*purpose, old, new));
    for purposes in [Purposes::NONE].into_iter().chain(single.map(|purpose| Purposes::NONE.with(purpose))) {
        let told = new.says.on(purposes);
        let told = Told { purposes: purposes.and(told.purposes), ..told };
        let forbids = |of: &Requirement, role: Role| !of.forbids.of(role).both(told.purposes).is_empty();
        let allowed = ROLES.into_iter().filter(|role| !forbids(new, *role));
        // One is as good as another, unless it was not allowed.
        for (_, role) in allowed.enumerate().filter(|(index, role)| *index == 0 || forbids(old, *role)) {
            for (people, steps, on_hold) in stories(new.on_hold < old.on_hold) {
                let is_prompted = steps.iter().any(|step| matches!(step, Step::Heard(_)));
                let trial = Trial { role, people, purposes, steps, on_hold, ..bare.clone() };
                if is_prompted {
                    trials.push(Trial { told: Some(told), ..trial.clone() });
                }
                trials.push(trial);
            }
        }
    }
    trials.sort_by_cached_key(|trial| serde_json::to_string(&trial.facts()).map_or(0, |text| text.len()));
    trials
}

/// Whether less is asked where a call is for this purpose.
fn is_looser_for(purpose: Purpose, old: &Requirement, new: &Requirement) -> bool {
    let one = Purposes::NONE.with(purpose);
    let is_freed = |role: Role| old.forbids.of(role).without(new.forbids.of(role)).holds(purpose);
    new.by_purpose.of(one) < old.by_purpose.of(one)
        || !new.says.for_one(purpose).holds_all(old.says.for_one(purpose))
        || old.written_for.without(new.written_for).holds(purpose)
        || ROLES.into_iter().any(is_freed)
}

/// How many are on the call, what happens, and what the account says of people on hold, if that is to matter.
fn stories(holds: bool) -> Vec<(u32, Vec<Step>, HeldCounts)> {
    let yes = Step::Yes(FIRST, Method::Dtmf);
    let counted = HeldCounts::Counted;
    let mut stories = alloc::vec![
        (1, alloc::vec![yes], counted),
        (1, alloc::vec![yes, Step::Tone], counted),
        (2, alloc::vec![Step::Heard(FIRST)], counted),
    ];
    for method in [None, Some(Method::Dtmf), Some(Method::Written)] {
        let agreed = |who| {
            let yes = method.map(|method| Step::Yes(who, method));
            [Step::Heard(who)].into_iter().chain(yes)
        };
        stories.push((1, agreed(FIRST).collect(), counted));
        if !holds {
            continue;
        }
        for on_hold in [counted, HeldCounts::NotCounted] {
            // The one on hold agreed as well, or did not.
            for who in [BOTH, SECOND] {
                stories.push((2, agreed(who).chain([Step::Held]).collect(), on_hold));
            }
        }
    }
    stories
}

impl<'s> Trial<'s> {
    /// Nothing happens.
    fn bare(scene: Scene<'s>) -> Trial<'s> {
        Trial {
            scene,
            role: Role::Customer,
            people: 1,
            purposes: Purposes::NONE,
            told: None,
            steps: Vec::new(),
            on_hold: HeldCounts::Counted,
        }
    }

    fn decided(&self, table: &Arc<Table>) -> Decision {
        let mut call = Call::open(table, self.scene.started_at, self.opened());
        self.events().iter().for_each(|event| call.apply(event));
        call.decide(call.last())
    }

    // ---- as the policy takes it ----

    fn opened(&self) -> Opened {
        let Scene { sort: (medium, kind), started_at, place, operator, overlay } = self.scene;
        let joined = |number| Joined {
            identified: place.is_some(),
            places: place.into_iter().collect(),
            ..Joined::new(number, self.role)
        };
        Opened {
            medium,
            kind,
            started_at,
            recorder_locations: Vec::new(),
            operator_locations: operator.into_iter().collect(),
            purposes: self.purposes,
            overlays: overlay.map(ToOwned::to_owned).into_iter().collect(),
            readings: Vec::new(),
            settings: Settings {
                public_safety: kind == Kind::Emergency,
                on_hold: self.on_hold,
                ..Settings::default()
            },
            participants: (0..self.people).map(joined).collect(),
        }
    }

    fn events(&self) -> Vec<Event> {
        let mut received_at = self.scene.started_at;
        let mut events = Vec::new();
        for step in &self.steps {
            let what = match *step {
                Step::Heard(who) => {
                    received_at = self.heard_at();
                    let prompt = self.prompt();
                    What::PromptCompleted { participants: who.to_vec(), prompt, played_ms: PROMPT_MS }
                }
                Step::Yes(who, method) => What::ConsentGiven { participants: who.to_vec(), method },
                Step::Tone => What::ToneStarted,
                Step::Held => What::Held { participants: FIRST.to_vec(), only_tightens: false },
            };
            events.push(Event { received_at, at: None, what });
        }
        events
    }

    fn prompt(&self) -> Heard {
        Heard {
            version: PROMPT.into(),
            duration_ms: PROMPT_MS,
            language: LANGUAGE.into(),
            covers_purposes: true,
            says: self.told.map_or_else(|| Element::ALL.into_iter().collect(), |told| told.elements),
            purposes: self.told.map_or_else(|| Purpose::ALL.into_iter().collect(), |told| told.purposes),
        }
    }

    /// Not before everybody has been there for all of it.
    fn heard_at(&self) -> Timestamp {
        after(self.scene.started_at, SignedDuration::from_secs(5))
    }

    // ---- as `decide` takes it ----

    /// The same in words: without what need not be said.
    fn facts(&self) -> Facts {
        let Scene { sort: (medium, kind), started_at, operator, overlay, .. } = self.scene;
        let mut facts = Facts::new();
        let mut say = |member: &str, value: Value| {
            facts.insert(member.to_owned(), value);
        };
        say("started_at", json!(started_at.to_string()));
        say("participants", (0..self.people).map(|number| self.participant(number)).collect());
        if medium != Medium::Unknown {
            say("medium", json!(medium_word(medium)));
        }
        if kind != Kind::Conversation {
            say("kind", json!(kind));
        }
        if kind == Kind::Emergency {
            say("public_safety", json!(true));
        }
        if let Some(code) = operator {
            say("operator_location", json!(code));
        }
        if let Some(overlay) = overlay {
            say("overlays", json!([overlay]));
        }
        if !self.purposes.is_empty() {
            say("purposes", json!(self.purposes));
        }
        if !self.on_hold.is_default() {
            say("on_hold", json!(self.on_hold));
        }
        if let Some(told) = self.told {
            say("prompts", json!({ PROMPT: described(told) }));
        }
        if !self.steps.is_empty() {
            say("events", self.steps.iter().map(|step| self.event(*step)).collect());
        }
        facts
    }

    fn participant(&self, number: u32) -> Value {
        let (id, role) = (id(number), self.role);
        match self.scene.place {
            None => json!({"id": id, "role": role}),
            Some(Place { code, evidence: Evidence::Declared }) => {
                json!({"id": id, "location": code, "role": role})
            }
            Some(Place { code, evidence: Evidence::Number | Evidence::Ip }) => {
                json!({"id": id, "number": fictional(code), "role": role})
            }
        }
    }

    fn event(&self, step: Step) -> Value {
        let mut event = Facts::new();
        let mut say = |member: &str, value: Value| {
            event.insert(member.to_owned(), value);
        };
        let (word, who): (&str, &[u32]) = match step {
            Step::Heard(who) => {
                say("at", json!(self.heard_at().to_string()));
                say("played_ms", json!(PROMPT_MS));
                say("prompt", json!(PROMPT));
                ("prompt.completed", who)
            }
            Step::Yes(who, method) => {
                say("method", json!(method));
                ("consent.given", who)
            }
            Step::Tone => ("tone.started", NOBODY),
            Step::Held => ("participant.held", FIRST),
        };
        say("type", json!(word));
        match who {
            [] => {}
            [one] => say("participant", json!(id(*one))),
            several => say("participants", several.iter().map(|one| json!(id(*one))).collect()),
        }
        Value::Object(event)
    }
}

/// A prompt that says this, as it would be registered.
fn described(told: Told) -> Value {
    let words = telling(told);
    let text = if words.is_empty() { "Good morning." } else { words.as_str() };
    let mut prompt = Facts::new();
    let mut say = |member: &str, value: Value| {
        prompt.insert(member.to_owned(), value);
    };
    say("text", json!(text));
    say("language", json!(LANGUAGE));
    say("duration_ms", json!(PROMPT_MS));
    if !told.purposes.is_empty() {
        say("purposes", json!(told.purposes));
    }
    if !told.elements.is_empty() {
        let quoted = told.elements.iter().map(|element| (element.as_str().to_owned(), json!(element.says())));
        say("says", Value::Object(quoted.collect()));
    }
    Value::Object(prompt)
}

/// The platform's id of a participant.
fn id(number: u32) -> &'static str {
    if number == 0 { "a" } else { "b" }
}

const NOBODY: &[u32] = &[];
const FIRST: &[u32] = &[0];
const SECOND: &[u32] = &[1];
const BOTH: &[u32] = &[0, 1];

const ROLES: [Role; 3] = [Role::Customer, Role::Agent, Role::System];

const PROMPT: &str = "p";
const PROMPT_MS: u64 = 4_000;
/// The language of a participant who has none.
const LANGUAGE: &str = "en";

/// The day of a call where any will do.
const ANY_DAY: Date = Date::constant(2026, 1, 1);

/// How many different pairs of what is asked are tried for a point: a table may have hundreds.
const MOST_TRIED: usize = 16;

/// Telephone numbers that are nobody's, kept for fiction, each with the place that it names. Toll-free ones name the
/// country alone.
pub const FICTION: [(&str, &str); 7] = [
    ("US", "+18005550100"),
    ("US-CA", "+14155550100"),
    ("US-NY", "+12125550100"),
    ("US-TX", "+15125550100"),
    ("GB", "+442079460958"),
    ("DE", "+493023125123"),
    ("FR", "+33199001234"),
];

#[cfg(test)]
mod tests;
