//! The calls that are decided, in no engine's words.

use std::collections::BTreeSet;

/// The day of every call: the rows in force are those of this day.
pub const DAY: &str = "2026-11-20";

pub const MEDIA: [&str; 4] = ["telephone", "voip", "video", "unknown"];

/// What a call is for, in the words that laws tell apart; "other" stands for all other words.
pub const PURPOSES: [&str; 11] = [
    "quality",
    "training",
    "ai-training",
    "transcription",
    "analytics",
    "evidence",
    "legal-obligation",
    "security",
    "voiceprint",
    "emotion",
    "other",
];

/// The purpose of what names none: every purpose.
pub const ANYTHING: &str = "anything";

/// What a prompt says, in the words that laws tell apart.
pub const ELEMENTS: [&str; 13] = [
    "recording",
    "operator",
    "purpose",
    "vendor",
    "refusal",
    "ai",
    "emotion",
    "voiceprint",
    "more-info",
    "withdrawal",
    "retention",
    "copy",
    "reference",
];

/// When a prompt has to say something whatever the call is for.
pub const ALWAYS: &str = "always";

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
    /// Whether their yes, if they say one, is in writing.
    pub written: bool,
    pub objection: Objection,
    pub left: bool,
}

impl Participant {
    pub fn role(&self) -> &'static str {
        if self.agent { "agent" } else { "customer" }
    }

    /// Whether the prompt was played to them, to its end.
    pub fn is_prompted(&self) -> bool {
        self.level >= Level::Prompted
    }

    /// Whether they say yes, to a prompt or to none.
    pub fn agrees(&self) -> bool {
        matches!(self.level, Level::Asserted | Level::Express)
    }
}

/// What is played to everybody who is prompted.
///
/// It is one prompt a call: Cedar cannot look for somebody whose own prompt is enough.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// What it is for, of [`PURPOSES`]; none means every purpose.
    pub purposes: Vec<&'static str>,
    /// What it does not say, of [`ELEMENTS`].
    pub lacks: Vec<&'static str>,
}

impl Prompt {
    /// Whether it names all that a call is for.
    pub fn names_all(&self, purposes: &[&'static str]) -> bool {
        self.purposes.is_empty() || purposes.iter().all(|purpose| self.purposes.contains(purpose))
    }

    /// Mostly for what the call is for, and mostly without a gap.
    fn random(purposes: &[&'static str], chance: &mut Chance) -> Prompt {
        let mut prompt = Prompt { purposes: purposes.to_vec(), lacks: Vec::new() };
        match chance.below(10) {
            0 => prompt.purposes.clear(),
            1 | 2 => prompt.purposes.push(PURPOSES[chance.below(PURPOSES.len())]),
            3 => prompt.purposes.truncate(1),
            _ => {}
        }
        if chance.below(3) == 0 {
            let asked = ["recording", "vendor", "emotion", "voiceprint", "more-info", "retention"];
            prompt.lacks.push(asked[chance.below(asked.len())]);
        }
        prompt
    }

    pub fn says(&self) -> impl Iterator<Item = &'static str> {
        ELEMENTS.into_iter().filter(move |element| !self.lacks.contains(element))
    }
}

/// A call, and where the recording device and the operator are.
#[derive(Debug, Clone)]
pub struct Scene {
    pub medium: &'static str,
    /// What it is for, of [`PURPOSES`]; none means every purpose.
    pub purposes: Vec<&'static str>,
    pub prompt: Prompt,
    pub recorder: Option<String>,
    pub operator: Option<String>,
    pub participants: Vec<Participant>,
}

/// A call that turns on a rule for a purpose, in the words of whoever explains it.
pub struct Sample {
    pub title: &'static str,
    pub scene: Scene,
    pub permitted: bool,
    /// What it would be decided otherwise without: a key of the table, or a name of [`Scene::otherwise`].
    pub turns_on: Option<&'static str>,
}

impl Scene {
    /// The call that is timed: two customers and an agent, each with a declared state and the state
    /// of their number's area code, all prompted; a recording device and an operator beside them. The
    /// call and the prompt are for one purpose, which no rule of these places tells apart.
    pub fn timed() -> Scene {
        let participant = |agent, declared: &str, number: &str| Participant {
            agent,
            places: vec![(declared.into(), 2), (number.into(), 0)],
            level: Level::Prompted,
            written: false,
            objection: Objection::None,
            left: false,
        };
        Scene {
            medium: "telephone",
            purposes: vec!["quality"],
            prompt: Prompt { purposes: vec!["quality"], lacks: Vec::new() },
            recorder: Some("US-VA".into()),
            operator: Some("US-IL".into()),
            participants: vec![
                participant(false, "US-CA", "US-NY"),
                participant(false, "US-FL", "US-GA"),
                participant(true, "US-TX", "US-CO"),
            ],
        }
    }

    /// The timed call, with one thing after another changed, and `count` made by chance of each sort.
    ///
    /// `codes` are those to choose from, by how much they ask: 1 to 3. `spoken_of` are the purposes that
    /// have rules, each with the codes whose rule it is.
    pub fn variants(
        codes: &[(String, u8)],
        spoken_of: &[(&'static str, Vec<String>)],
        count: usize,
    ) -> Vec<Scene> {
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
        scenes.extend((0..count).map(|_| Scene::for_a_purpose(spoken_of, &mut chance)));
        scenes
    }

    /// What turns on purposes, by the shipped table with the rules of `rules_for_purposes` in `main`.
    pub fn samples() -> Vec<Sample> {
        use Level::{Asserted, Express, Nothing, Prompted};

        /// A customer and an agent who have declared the same place, and a prompt that is for what the
        /// call is for.
        fn call(purposes: &[&'static str], place: &str, customer: Level, agent: Level) -> Scene {
            let participant = |agent, level| Participant {
                agent,
                places: vec![(place.into(), 2)],
                level,
                written: false,
                objection: Objection::None,
                left: false,
            };
            Scene {
                medium: "telephone",
                purposes: purposes.to_vec(),
                prompt: Prompt { purposes: purposes.to_vec(), lacks: Vec::new() },
                recorder: None,
                operator: None,
                participants: vec![participant(false, customer), participant(true, agent)],
            }
        }
        let prompt = |purposes: &[&'static str]| Prompt { purposes: purposes.to_vec(), lacks: Vec::new() };
        let proof = || call(&["evidence"], "DE", Prompted, Prompted);
        let voiceprint = |customer, agent| {
            let mut scene = call(&["voiceprint"], "US-IL", Express, Express);
            scene.participants[0].written = customer;
            scene.participants[1].written = agent;
            scene
        };
        let mut customers = call(&["emotion"], "DE", Express, Express);
        customers.participants[1].agent = false;
        let mut one = call(&["analytics"], "US-TX", Express, Express);
        one.participants.truncate(1);
        let mut silent = call(&["voiceprint"], "US-TX", Prompted, Prompted);
        silent.prompt.lacks.push("voiceprint");
        let sample = |turns_on, permitted, title, scene| Sample { title, scene, permitted, turns_on };
        vec![
            sample(Some("form_for"), true, "proof in Germany, by a notice", proof()),
            sample(
                Some("the prompt's purposes"),
                false,
                "proof in Germany, by a notice that is for training, too",
                Scene { prompt: prompt(&["evidence", "training"]), ..proof() },
            ),
            sample(
                Some("the prompt's purposes"),
                false,
                "proof in Germany, by a notice that is for anything",
                Scene { prompt: prompt(&[]), ..proof() },
            ),
            sample(
                Some("the call's purposes"),
                false,
                "anything in Germany, by a notice that is for proof",
                Scene { purposes: Vec::new(), ..proof() },
            ),
            sample(
                Some("the further purposes"),
                false,
                "proof and quality in Germany, by a notice",
                call(&["evidence", "quality"], "DE", Prompted, Prompted),
            ),
            sample(
                Some("form_for"),
                true,
                "proof in California, by one person who heard a prompt for it",
                call(&["evidence"], "US-CA", Prompted, Nothing),
            ),
            sample(
                None,
                false,
                "proof in California, by one person's yes to no prompt",
                call(&["evidence"], "US-CA", Asserted, Nothing),
            ),
            sample(
                Some("form_for"),
                false,
                "security in California, by a notice",
                call(&["security"], "US-CA", Prompted, Prompted),
            ),
            sample(
                Some("form_for"),
                false,
                "anything in California, by a notice that is for anything",
                call(&[], "US-CA", Prompted, Prompted),
            ),
            sample(
                Some("the prompt's purposes"),
                false,
                "quality and training in California, by a notice that is for quality",
                Scene {
                    prompt: prompt(&["quality"]),
                    ..call(&["quality", "training"], "US-CA", Prompted, Prompted)
                },
            ),
            sample(
                Some("forbids"),
                false,
                "an agent's feelings in Germany, with everybody's yes",
                call(&["emotion"], "DE", Express, Express),
            ),
            sample(None, true, "customers' feelings in Germany, with everybody's yes", customers),
            sample(
                Some("the call's purposes"),
                true,
                "anything in Germany, with everybody's yes to a prompt for feelings",
                Scene { prompt: prompt(&["emotion"]), ..call(&[], "DE", Express, Express) },
            ),
            sample(Some("forbids"), false, "anybody's moods in Texas", one),
            sample(
                Some("written_for"),
                false,
                "voiceprints in Illinois, with everybody's yes by a key",
                voiceprint(false, false),
            ),
            sample(
                Some("written_for"),
                false,
                "voiceprints in Illinois, with the customer's yes in writing alone",
                voiceprint(true, false),
            ),
            sample(
                None,
                true,
                "voiceprints in Illinois, with everybody's yes in writing",
                voiceprint(true, true),
            ),
            sample(
                Some("prompt_says_for"),
                false,
                "voiceprints in Texas, by a prompt that says nothing of them",
                silent,
            ),
        ]
    }

    /// What the call would be if its purposes, or its prompt's, did not count for themselves.
    pub fn otherwise(&self) -> [(&'static str, Scene); 3] {
        let change = |change: &dyn Fn(&mut Scene)| {
            let mut scene = self.clone();
            change(&mut scene);
            scene
        };
        [
            ("the call's purposes", change(&|scene| scene.purposes = scene.prompt.purposes.clone())),
            ("the prompt's purposes", change(&|scene| scene.prompt.purposes = scene.purposes.clone())),
            (
                "the further purposes",
                change(&|scene| {
                    scene.purposes.truncate(1);
                    scene.prompt.purposes.truncate(1);
                }),
            ),
        ]
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
                written: chance.below(2) == 0,
                objection: match chance.below(24) {
                    0 => Objection::Declined,
                    1 => Objection::Withdrawn,
                    _ => Objection::None,
                },
                left: chance.below(10) == 0,
            });
        }
        let medium = MEDIA[chance.below(MEDIA.len())];
        // Mostly one purpose, mostly known to the prompt.
        let purposes = (0..[0, 1, 1, 2][chance.below(4)]).map(|_| PURPOSES[chance.below(PURPOSES.len())]);
        let purposes: Vec<&'static str> = purposes.collect();
        let prompt = Prompt::random(&purposes, chance);
        Scene { medium, purposes, prompt, recorder: maybe(chance), operator: maybe(chance), participants }
    }

    /// A call within one place, for a purpose for which that place has a rule. Everybody's place is
    /// declared and most have heard the prompt, so that the verdict often turns on the rule.
    fn for_a_purpose(spoken_of: &[(&'static str, Vec<String>)], chance: &mut Chance) -> Scene {
        let (purpose, codes) = &spoken_of[chance.below(spoken_of.len())];
        let code = &codes[chance.below(codes.len())];
        let written = chance.below(2) == 0;
        let mut participants = Vec::new();
        for index in 0..1 + chance.below(3) {
            participants.push(Participant {
                agent: index > 0 && chance.below(3) > 0,
                places: vec![(code.clone(), 2)],
                level: [Level::Prompted, Level::Prompted, Level::Express, Level::Express, Level::Nothing]
                    [chance.below(5)],
                written: written && chance.below(8) > 0,
                objection: Objection::None,
                left: chance.below(12) == 0,
            });
        }
        let mut purposes = vec![*purpose];
        match chance.below(8) {
            0 => purposes.clear(),
            1 => purposes.push(PURPOSES[chance.below(PURPOSES.len())]),
            _ => {}
        }
        let prompt = Prompt::random(&purposes, chance);
        let medium = MEDIA[chance.below(MEDIA.len())];
        Scene { medium, purposes, prompt, recorder: None, operator: None, participants }
    }
}

/// A folded call as sets of words and numbers, for policies that cannot, or need not, go through its
/// participants one by one.
pub struct Words<'scene> {
    /// What brings a rule onto the call: the codes of all places that count, and what they rest on;
    /// "nothing" where no place of somebody is known.
    pub grounds: BTreeSet<&'scene str>,
    /// What the call is for, and what only the prompt is for; [`ANYTHING`] where no purpose is named.
    pub served: Vec<&'static str>,
    pub further: Vec<&'static str>,
    /// Who is there, and of those, who says yes, who was prompted, who says yes to that, who does so in
    /// writing, and who objects.
    pub here: Vec<i64>,
    pub agreed: Vec<i64>,
    pub prompted: Vec<i64>,
    pub express: Vec<i64>,
    pub written: Vec<i64>,
    pub objecting: Vec<i64>,
    /// As what those are there who are.
    pub roles: BTreeSet<&'static str>,
}

impl<'scene> Words<'scene> {
    pub fn of(scene: &'scene Scene) -> Words<'scene> {
        let mut grounds: BTreeSet<&str> = BTreeSet::new();
        for participant in &scene.participants {
            if participant.places.is_empty() {
                grounds.insert("nothing");
            }
            for (code, _) in &participant.places {
                let others = || participant.places.iter();
                // A country says nothing beside one of its states.
                if code.len() == 2 && others().any(|(other, _)| other.len() > 2 && other[..2] == *code) {
                    continue;
                }
                let strongest = others().filter(|(other, _)| other == code).map(|(_, index)| *index).max();
                grounds.extend(strongest.map(|index| EVIDENCE[index]));
                grounds.insert(code);
            }
        }
        grounds.extend([&scene.recorder, &scene.operator].into_iter().flatten().map(String::as_str));
        let named = |purposes: &[&'static str]| match purposes {
            [] => vec![ANYTHING],
            purposes => purposes.to_vec(),
        };
        let served = named(&scene.purposes);
        let mut further = named(&scene.prompt.purposes);
        further.retain(|purpose| !served.contains(purpose));
        let here = |wanted: fn(&Participant) -> bool| {
            let numbered = scene.participants.iter().zip(0..);
            let found = numbered.filter(|(participant, _)| !participant.left && wanted(participant));
            found.map(|(_, number)| number).collect()
        };
        let present = scene.participants.iter().filter(|participant| !participant.left);
        Words {
            grounds,
            served,
            further,
            here: here(|_| true),
            agreed: here(Participant::agrees),
            prompted: here(Participant::is_prompted),
            express: here(|participant| participant.level == Level::Express),
            written: here(|participant| participant.level == Level::Express && participant.written),
            objecting: here(|participant| participant.objection != Objection::None),
            roles: present.map(Participant::role).collect(),
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
