//! The calls that are decided, in no engine's words.

use std::collections::BTreeSet;

/// The day of every call: the rows in force are those of this day.
pub const DAY: &str = "2026-11-20";

pub const MEDIA: [&str; 4] = ["telephone", "voip", "video", "unknown"];

/// States and countries that the shipped table has no row for: a state follows its country, in the
/// United States and Australia the strictest state, and a country without a row the default.
pub const WITHOUT_A_ROW: [&str; 6] = ["US-MP", "AU-JBT", "CA-ON", "DE-BY", "KP", "AQ"];

/// How a place is known, the weakest first.
pub const EVIDENCE: [&str; 3] = ["number", "ip", "declared"];

/// How far somebody has agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Nothing,
    /// A yes without a prompt.
    Asserted,
    /// The prompt, to its end.
    Prompted,
    /// The prompt, and a yes to it.
    Express,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objection {
    None,
    Declined,
    Withdrawn,
}

#[derive(Debug, Clone)]
pub struct Participant {
    pub agent: bool,
    /// Codes, and how each is known: an index into [`EVIDENCE`].
    pub places: Vec<(String, usize)>,
    pub level: Level,
    pub objection: Objection,
    pub left: bool,
}

/// A call, and where the recording device and the operator are.
#[derive(Debug, Clone)]
pub struct Scene {
    pub medium: &'static str,
    pub recorder: Option<String>,
    pub operator: Option<String>,
    pub participants: Vec<Participant>,
}

impl Scene {
    /// The call that is timed: two customers and an agent, each with a declared state and the state
    /// of their number's area code, all prompted; a recording device and an operator beside them.
    pub fn timed() -> Scene {
        let participant = |agent, declared: &str, number: &str| Participant {
            agent,
            places: vec![(declared.into(), 2), (number.into(), 0)],
            level: Level::Prompted,
            objection: Objection::None,
            left: false,
        };
        Scene {
            medium: "telephone",
            recorder: Some("US-VA".into()),
            operator: Some("US-IL".into()),
            participants: vec![
                participant(false, "US-CA", "US-NY"),
                participant(false, "US-FL", "US-GA"),
                participant(true, "US-TX", "US-CO"),
            ],
        }
    }

    /// The timed call, with one thing after another changed, and `count` made by chance.
    ///
    /// `codes` are those to choose from, by how much they ask: 1 to 3.
    pub fn variants(codes: &[(String, u8)], count: usize) -> Vec<Scene> {
        let mut scenes = vec![Scene::timed()];
        for place in ["US-NV", "DE", "KP", "US", "US-MP"] {
            let mut scene = Scene::timed();
            scene.participants[0].places[1].0 = place.into();
            scenes.push(scene);
        }
        for index in 0..3 {
            let change = |change: &dyn Fn(&mut Participant)| {
                let mut scene = Scene::timed();
                change(&mut scene.participants[index]);
                scene
            };
            scenes.extend([
                change(&|participant| participant.level = Level::Nothing),
                change(&|participant| participant.level = Level::Asserted),
                change(&|participant| participant.objection = Objection::Declined),
                change(&|participant| participant.objection = Objection::Withdrawn),
                change(&|participant| participant.left = true),
                change(&|participant| participant.places.clear()),
            ]);
        }
        let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
        scenes.extend((0..count).map(|_| Scene::random(codes, &mut chance)));
        scenes
    }

    fn random(codes: &[(String, u8)], chance: &mut Chance) -> Scene {
        // Without a bias nearly every call would ask for the most and be refused.
        let strictest = [1, 1, 2, 3][chance.below(4)];
        let fitting: Vec<&(String, u8)> = codes.iter().filter(|(_, asks)| *asks <= strictest).collect();
        let least = [0, 0, strictest as usize][chance.below(3)];
        let evidence = if strictest == 1 { 2 } else { 0 };
        let code = |chance: &mut Chance| fitting[chance.below(fitting.len())].0.clone();
        let maybe = |chance: &mut Chance| (chance.below(3) > 0).then(|| code(chance));
        let people = 1 + chance.below(4);
        let mut participants = Vec::new();
        for index in 0..people {
            let fewest = usize::from(chance.below(12) > 0);
            let mut places: Vec<(String, usize)> = Vec::new();
            for _ in 0..fewest + chance.below(3) {
                // Now and then the same place twice, and a country beside its own state.
                let known = places.last().map(|(code, _)| code.clone());
                let (code, evidence) = match (chance.below(6), known) {
                    (0, Some(known)) => (known, 0),
                    (1, Some(known)) => (known[..2].into(), evidence),
                    _ => (code(chance), evidence),
                };
                places.push((code, evidence + chance.below(3 - evidence)));
            }
            participants.push(Participant {
                agent: index > 0 && chance.below(2) == 0,
                places,
                level: [Level::Nothing, Level::Asserted, Level::Prompted, Level::Express]
                    [least + chance.below(4 - least)],
                objection: match chance.below(24) {
                    0 => Objection::Declined,
                    1 => Objection::Withdrawn,
                    _ => Objection::None,
                },
                left: chance.below(10) == 0,
            });
        }
        let medium = MEDIA[chance.below(MEDIA.len())];
        Scene { medium, recorder: maybe(chance), operator: maybe(chance), participants }
    }
}

/// A folded call as sets of words and numbers, for policies that cannot, or need not, go through its
/// participants one by one.
pub struct Words<'scene> {
    /// The codes of all places that count.
    pub places: BTreeSet<&'scene str>,
    /// What they rest on; "nothing" where no place of somebody is known.
    pub evidence: BTreeSet<&'static str>,
    /// Who is there, and of those, who has agreed how far, and who objects.
    pub here: Vec<i64>,
    pub asserted: Vec<i64>,
    pub prompted: Vec<i64>,
    pub express: Vec<i64>,
    pub objecting: Vec<i64>,
}

impl<'scene> Words<'scene> {
    pub fn of(scene: &'scene Scene) -> Words<'scene> {
        let mut places: BTreeSet<&str> = BTreeSet::new();
        let mut evidence: BTreeSet<&str> = BTreeSet::new();
        for participant in &scene.participants {
            if participant.places.is_empty() {
                evidence.insert("nothing");
            }
            for (code, _) in &participant.places {
                let others = || participant.places.iter();
                // A country says nothing beside one of its states.
                if code.len() == 2 && others().any(|(other, _)| other.len() > 2 && other[..2] == *code) {
                    continue;
                }
                let strongest = others().filter(|(other, _)| other == code).map(|(_, index)| *index).max();
                evidence.extend(strongest.map(|index| EVIDENCE[index]));
                places.insert(code);
            }
        }
        places.extend([&scene.recorder, &scene.operator].into_iter().flatten().map(String::as_str));
        let here = |wanted: fn(&Participant) -> bool| {
            let numbered = scene.participants.iter().zip(0..);
            let found = numbered.filter(|(participant, _)| !participant.left && wanted(participant));
            found.map(|(_, number)| number).collect()
        };
        Words {
            places,
            evidence,
            here: here(|_| true),
            asserted: here(|participant| participant.level >= Level::Asserted),
            prompted: here(|participant| participant.level >= Level::Prompted),
            express: here(|participant| participant.level >= Level::Express),
            objecting: here(|participant| participant.objection != Objection::None),
        }
    }
}

/// Chance that is the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 33) as usize) % bound
    }
}
