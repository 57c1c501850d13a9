//! A second reading of what the law asks of a call, as plain as it can be.
//!
//! It shares nothing with the crate but the facts and the rows of the table. Nothing is kept from
//! one question to the next: every answer is read off the list of all events, for one moment. So
//! it is slow, and each function can be held against one sentence of the rules.
//!
//! Times are milliseconds; `t` is the moment that is asked about, and the log is what is known.

use policy::{
    AnsweredBy, Code, Control, Edge, Element, Event, Evidence, Grant, Heard, HeldCounts, Joined, Kind,
    Method, Opened, Purpose, Role, Strictness, Terms, What,
};

use super::written::{Length, Rule, Written};

/// A moment, in milliseconds since 1970.
pub(crate) type Ms = i64;

/// Everything that is known of a call at some moment, in the order of the log.
pub(crate) struct Naive<'a> {
    /// Each version of the table, and the line since which it is known.
    tables: Vec<(usize, &'a Written)>,
    opened: &'a Opened,
    opened_received: Ms,
    log: Vec<Logged>,
}

/// One line of the log. Whoever is on the call from its start has joined in the first lines.
#[derive(Clone)]
struct Logged {
    received: Ms,
    at: Option<Ms>,
    what: What,
}

/// What all rules ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Whatever the purpose.
    pub(crate) strictness: Strictness,
    /// For each purpose, in the order of the words.
    pub(crate) by_purpose: Vec<Strictness>,
    pub(crate) forbids: Vec<(Purpose, Role)>,
    pub(crate) written_for: Vec<Purpose>,
    pub(crate) announcement: bool,
    /// Every rule that wants an announcement takes a written consent for it.
    pub(crate) waived_by_written: bool,
    /// `None`: nobody cares. `Some(None)`: a rule accepts no tone.
    pub(crate) tone: Option<Option<u16>>,
    /// Every rule that wants an express yes takes a works agreement for one.
    pub(crate) works_agreement_is_express: bool,
    /// What a prompt has to say on this call, in the order of the words.
    pub(crate) elements: Vec<Element>,
    /// The purposes that the sector gives the recording, in the order of the words.
    pub(crate) purposes: Vec<Purpose>,
    /// How long a recording is kept, and how long at most.
    pub(crate) kept: Option<Length>,
    pub(crate) gone: Option<Length>,
    pub(crate) mandatory: bool,
    pub(crate) pauses: bool,
    pub(crate) forbidden: bool,
    pub(crate) on_hold: u8,
}

/// A stretch of time on the call: `lines` are those of the log that belong to it.
#[derive(Debug, Clone)]
struct Stay {
    from: Ms,
    /// The same, as it was said when they joined: what loosens rests on this.
    said_from: Ms,
    /// From when their being there may be relied on.
    relied_from: Ms,
    first_line: usize,
    /// The line after the last one logged while they were there.
    end_line: usize,
    /// The first line of the next stay, or the end of the log.
    next_line: usize,
    /// When they left: as far as it tightens, and as far as it loosens.
    left: Option<(Ms, Ms)>,
}

/// How far somebody has agreed, and for which purposes; `None` is every purpose.
type Agreement = (Agreed, Option<Vec<Purpose>>);

/// How far somebody has agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Agreed {
    Asserted,
    Notice,
    Express,
}

/// A stretch in which recording was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) from: Ms,
    pub(crate) until: Option<(Ms, Edge)>,
}

impl<'a> Naive<'a> {
    /// What is known once all these events are logged, and a further table, if there is one: that
    /// is known from some moment on.
    pub(crate) fn new(
        table: &'a Written,
        further: Option<(&'a Written, jiff::Timestamp)>,
        received: jiff::Timestamp,
        opened: &'a Opened,
        events: &'a [Event],
    ) -> Self {
        let opened_received = received.as_millisecond();
        let first = opened.participants.iter().map(|joined| Logged {
            received: opened_received,
            at: Some(joined.joined_at.unwrap_or(opened.started_at).as_millisecond()),
            what: What::Joined(joined.clone()),
        });
        let later = events.iter().map(|event| Logged {
            received: event.received_at.as_millisecond(),
            at: event.at.map(jiff::Timestamp::as_millisecond),
            what: event.what.clone(),
        });
        let mut log: Vec<Logged> = first.chain(later).collect();
        let mut tables = vec![(0, table)];
        if let Some((further, known_at)) = further {
            let known_at = known_at.as_millisecond();
            let line = log.partition_point(|line| line.received <= known_at);
            // A line of its own, which says nothing else.
            let what = What::Accepted { spans: Vec::new() };
            log.insert(line, Logged { received: known_at, at: None, what });
            tables.push((line, further));
        }
        Naive { tables, opened, opened_received, log }
    }

    /// What was known when only the first `events` of them were logged.
    fn known_before(&self, lines: usize) -> Naive<'a> {
        Naive {
            tables: self.tables.iter().copied().filter(|(line, _)| *line == 0 || *line < lines).collect(),
            opened: self.opened,
            opened_received: self.opened_received,
            log: self.log.iter().take(lines).cloned().collect(),
        }
    }

    // ---- whether it was lawful ----

    /// Whether recording was lawful at `t`.
    pub(crate) fn lawful(&self, t: Ms) -> bool {
        self.ended().is_none_or(|ended| t < ended) && self.lawful_but_for_the_end(t)
    }

    fn lawful_but_for_the_end(&self, t: Ms) -> bool {
        if self.emergency_from().is_some_and(|from| from <= t) && !self.opened.settings.public_safety {
            return false;
        }
        if !self.people().iter().any(|p| self.is_human_there(*p, t)) {
            return false;
        }
        if self.people().iter().any(|p| self.is_present(*p, t) && self.is_objecting(*p, t)) {
            return false;
        }
        let asked = self.asked(t);
        if asked.forbidden {
            return false;
        }
        if self.people().iter().any(|p| self.is_present(*p, t) && !self.is_guarded(*p, t, &asked)) {
            return false;
        }
        if asked.on_hold == 3 && self.people().iter().any(|p| self.is_held(*p, t)) {
            return false;
        }
        let served = self.served(&asked);
        let present: Vec<u32> = self.people().into_iter().filter(|p| self.is_present(*p, t)).collect();
        if self.is_forbidden_for(t, &asked) {
            return false;
        }
        let counted: Vec<u32> = present.into_iter().filter(|p| !self.is_excused(*p, t, &asked)).collect();
        let in_writing = |purpose: &Purpose| self.is_named(*purpose, &asked);
        if asked.written_for.iter().any(in_writing) {
            let wrote =
                |p: &u32| self.last_stay(*p, t).is_some_and(|stay| self.has_written(*p, &stay, t, &asked));
            if !counted.iter().all(wrote) {
                return false;
            }
        }
        // What is asked where consent is relied on that was given for these purposes, too.
        let relying_on = |given: &Option<Vec<Purpose>>| match (&served, given) {
            (Some(served), Some(given)) => strictest(&asked, Some(&[served.as_slice(), given].concat())),
            _ => asked.strictness,
        };
        let somebody = |enough: &dyn Fn(&Agreement) -> bool| {
            let humans = self.people().into_iter().filter(|p| self.is_human_there(*p, t));
            humans.into_iter().any(|p| self.agreements(p, t, &asked).iter().any(enough))
        };
        let everybody = |enough: &dyn Fn(&Agreement) -> bool| {
            counted.iter().all(|p| self.agreements(*p, t, &asked).iter().any(enough))
        };
        let least = strictest(&asked, served.as_deref());
        // One consent is enough where nothing more is asked of what it was given for.
        let one = least == Strictness::One
            && somebody(&|(agreed, given)| {
                *agreed >= Agreed::Asserted && relying_on(given) == Strictness::One
            });
        let is_noticed = |(agreed, given): &Agreement| {
            *agreed == Agreed::Express || *agreed == Agreed::Notice && relying_on(given) <= Strictness::Notice
        };
        let notice = least <= Strictness::Notice
            && asked.strictness >= Strictness::Notice
            && (everybody(&is_noticed)
                // A tone tells everybody, whatever for; that somebody agrees is still asked.
                || asked.strictness == Strictness::Notice
                    && self.tone_will_do(&asked, t)
                    && somebody(&|(agreed, _)| *agreed >= Agreed::Asserted));
        let express =
            asked.strictness == Strictness::Express && everybody(&|(agreed, _)| *agreed == Agreed::Express);
        one || notice || express
    }

    /// What the recording serves, the sector's purposes included; `None` is everything.
    fn served(&self, asked: &Asked) -> Option<Vec<Purpose>> {
        let named: Vec<Purpose> = self.opened.purposes.iter().collect();
        (!named.is_empty()).then(|| [named, asked.purposes.clone()].concat())
    }

    /// Whether the call or the sector says that the recording is for this.
    fn is_named(&self, purpose: Purpose, asked: &Asked) -> bool {
        self.opened.purposes.holds(purpose) || asked.purposes.contains(&purpose)
    }

    /// Whether a purpose is forbidden of somebody who is there, whatever they were ever called.
    fn is_forbidden_for(&self, t: Ms, asked: &Asked) -> bool {
        asked.forbids.iter().any(|(purpose, role)| {
            let called = |p: u32| {
                self.log.iter().any(|line| {
                    matches!(&line.what, What::Joined(joined) if joined.participant == p && joined.role == *role)
                })
            };
            self.is_named(*purpose, asked)
                && self.people().iter().any(|p| self.is_present(*p, t) && called(*p))
        })
    }

    /// Whether the call has to be recorded and may not be: somebody refuses, or a rule forbids it.
    /// Nobody ends an emergency call.
    pub(crate) fn has_to_end(&self, t: Ms) -> bool {
        let asked = self.asked(t);
        let refuses = |p: &u32| self.is_present(*p, t) && self.is_objecting(*p, t);
        asked.mandatory
            && self.emergency_from().is_none()
            && self.ended().is_none()
            && self.people().iter().any(|p| self.is_human_there(*p, t))
            && (asked.forbidden || self.people().iter().any(refuses) || self.is_only_forbidden_for(t, &asked))
    }

    /// Whether that is what stands in the way, and no minor and nobody on hold.
    fn is_only_forbidden_for(&self, t: Ms, asked: &Asked) -> bool {
        let in_the_way = |p: &u32| {
            self.is_present(*p, t)
                && (!self.is_guarded(*p, t, asked) || asked.on_hold == 3 && self.is_held(*p, t))
        };
        self.is_forbidden_for(t, asked) && !self.people().iter().any(in_the_way)
    }

    /// Since when it is an emergency call: if it was opened as one, since ever.
    fn emergency_from(&self) -> Option<Ms> {
        let opened = (self.opened.kind == Kind::Emergency).then_some(Ms::MIN);
        let became = self.lines().filter(|(_, line)| matches!(line.what, What::Emergency));
        became.map(|(_, line)| line.tightens()).chain(opened).min()
    }

    /// Of an emergency call nothing is kept any more, whenever it became one.
    fn keeps_nothing(&self) -> bool {
        self.emergency_from().is_some() && !self.opened.settings.public_safety
    }

    fn ended(&self) -> Option<Ms> {
        self.lines()
            .filter(|(_, line)| matches!(line.what, What::Ended))
            .map(|(_, line)| line.tightens())
            .min()
    }

    // ---- what is asked ----

    /// What all rules ask at `t`: of everybody who has joined by then, whoever has left since.
    pub(crate) fn asked(&self, t: Ms) -> Asked {
        let mut rules = Vec::new();
        for code in self.opened.recorder_locations.iter().chain(&self.opened.operator_locations).copied() {
            rules.extend(self.rules_of(code, t));
        }
        for id in &self.opened.overlays {
            rules
                .extend(self.each_table(|table, kind, day| table.overlay(id, self.opened.medium, kind, day)));
        }
        for person in self.people() {
            if self.first_join(person) <= t {
                rules.extend(self.rules_of_person(person, t));
            }
        }
        combine(&rules, self.opened)
    }

    /// An emergency call that nobody may record is asked what a conversation is; one that became one, what is
    /// asked of either.
    fn kinds(&self) -> Vec<Kind> {
        let opened = match self.opened.kind {
            Kind::Emergency if !self.opened.settings.public_safety => Kind::Conversation,
            kind => kind,
        };
        match self.emergency_from().is_some() && self.opened.settings.public_safety {
            true => vec![opened, Kind::Emergency],
            false => vec![opened],
        }
    }

    fn rules_of_person(&self, person: u32, t: Ms) -> Vec<Rule> {
        let places = self.places(person);
        let asked: Vec<&Located> = places.iter().filter(|place| place.asked_from <= t).collect();
        let relied: Vec<&Located> = asked.iter().copied().filter(|place| place.relied_from <= t).collect();
        let mut rules = Vec::new();
        if relied.is_empty() {
            rules.extend(self.each_table(|table, kind, _| table.unknown(self.opened.medium, kind)));
        }
        for place in &asked {
            let says_nothing = place.code.is_country()
                && relied.iter().any(|other| !other.code.is_country() && other.code.country() == place.code);
            if says_nothing {
                continue;
            }
            rules.extend(self.rules_of(place.code, t));
            // The strongest evidence counts that may be relied on; before that, whatever there is.
            let evidence_of = |places: &[&Located]| -> Vec<Evidence> {
                places.iter().filter(|other| other.code == place.code).map(|other| other.evidence).collect()
            };
            let strongest = evidence_of(&relied).into_iter().max();
            for evidence in strongest.map_or_else(|| evidence_of(&asked), |strongest| vec![strongest]) {
                rules.extend(
                    self.each_table(|table, kind, _| table.floor(evidence, kind).into_iter().collect()),
                );
            }
        }
        rules
    }

    fn rules_of(&self, code: Code, t: Ms) -> Vec<Rule> {
        let readings = self.readings();
        self.each_rule(|table, kind, day| table.place(code, self.opened.medium, kind, day, (&readings, t)))
    }

    /// The readings that count on this call: those that ask less, only if both the operator's place and the purpose are
    /// certain.
    fn readings(&self) -> Vec<&'a Terms> {
        let Opened { operator_locations, purposes, readings, .. } = self.opened;
        let all = readings.iter().map(|reading| &reading.terms);
        let counts = |terms: &&Terms| {
            let here = operator_locations.iter().filter(|code| **code == terms.operator).count();
            if terms.instead_of.is_none() {
                return here > 0 || operator_locations.is_empty();
            }
            let within = |purpose: Purpose| terms.purposes.iter().any(|one| one == purpose);
            let any_purpose = terms.purposes.iter().next().is_none();
            let for_these = purposes.iter().next().is_some() && purposes.iter().all(within);
            here > 0 && here == operator_locations.len() && (any_purpose || for_these)
        };
        all.filter(counts).collect()
    }

    /// What every version of the table asks, on the day of the claimed start and on that of the
    /// gateway's: nothing is relaxed within one call.
    fn each_table(&self, ask: impl Fn(&'a Written, Kind, &str) -> Vec<&'a Rule>) -> Vec<Rule> {
        self.each_rule(|table, kind, day| ask(table, kind, day).into_iter().cloned().collect())
    }

    fn each_rule(&self, ask: impl Fn(&'a Written, Kind, &str) -> Vec<Rule>) -> Vec<Rule> {
        let received = jiff::Timestamp::from_millisecond(self.opened_received).unwrap();
        let mut rules = Vec::new();
        for (_, table) in &self.tables {
            for moment in [self.opened.started_at, received] {
                let day = moment.to_string();
                for kind in self.kinds() {
                    rules.extend(ask(table, kind, day.split('T').next().unwrap()));
                }
            }
        }
        rules
    }

    /// Every place that was ever said of somebody.
    fn places(&self, person: u32) -> Vec<Located> {
        let stays = self.stays(person);
        let first = self.first_join(person);
        let mut places = Vec::new();
        for (i, line) in self.lines() {
            let said = match &line.what {
                What::Joined(joined) if joined.participant == person => {
                    let begun = stays.iter().find(|stay| stay.first_line == i);
                    Some((&joined.places, begun.map_or(first, |stay| stay.from)))
                }
                What::Located { participant, places, since, .. }
                    if *participant == person && self.has_joined_before(person, i) =>
                {
                    Some((places, since.map_or(first, |since| since.as_millisecond().max(first))))
                }
                _ => None,
            };
            let Some((found, asked_from)) = said else { continue };
            places.extend(found.iter().map(|place| Located {
                code: place.code,
                evidence: place.evidence,
                asked_from,
                relied_from: line.received,
            }));
        }
        places
    }

    // ---- who is there ----

    /// Everybody who is, as far as is known, a person.
    fn people(&self) -> Vec<u32> {
        let mut people = Vec::new();
        for (_, line) in self.lines() {
            let found = match &line.what {
                What::Joined(joined) => (!self.stays(joined.participant).is_empty()
                    && self.person_from(joined.participant).is_some())
                .then_some(joined.participant),
                _ => None,
            };
            if let Some(person) = found
                && !people.contains(&person)
            {
                people.push(person);
            }
        }
        people
    }

    /// From when somebody may be relied on to be a person: when that was logged.
    fn person_from(&self, participant: u32) -> Option<Ms> {
        self.lines()
            .filter(|(i, line)| match &line.what {
                What::Joined(joined) => joined.participant == participant && joined.is_person(),
                What::Located { participant: who, .. } => {
                    *who == participant && self.has_joined_before(participant, *i)
                }
                _ => false,
            })
            .map(|(_, line)| match &line.what {
                What::Joined(joined) => line.joined_from(joined).max(line.received - self.late()),
                _ => self.loosens(line),
            })
            .next()
    }

    fn first_join(&self, participant: u32) -> Ms {
        self.stays(participant).iter().map(|stay| stay.from).min().unwrap_or(Ms::MAX)
    }

    fn stays(&self, participant: u32) -> Vec<Stay> {
        let mut stays: Vec<Stay> = Vec::new();
        for (i, line) in self.lines() {
            match &line.what {
                What::Joined(joined) if joined.participant == participant => {
                    let is_here = stays.last().is_some_and(|stay| stay.left.is_none());
                    // Nobody comes back before they left.
                    let before = stays.iter().rev().find_map(|stay| stay.left);
                    let from = line.joined_from(joined).max(before.map_or(Ms::MIN, |(tightens, _)| tightens));
                    match stays.last_mut() {
                        Some(stay) if is_here => stay.from = stay.from.min(from),
                        last => {
                            if let Some(stay) = last {
                                stay.next_line = i;
                            }
                            stays.push(Stay {
                                from,
                                said_from: from,
                                relied_from: from.max(line.received - self.late()),
                                first_line: i,
                                end_line: self.log.len(),
                                next_line: self.log.len(),
                                left: None,
                            });
                        }
                    }
                }
                What::Left { participants } if participants.contains(&participant) => {
                    let Some(stay) = stays.last_mut() else { continue };
                    let (tightens, loosens) = (line.tightens().max(stay.from), self.loosens(line));
                    stay.left = Some(match stay.left {
                        None => (tightens, loosens),
                        Some((earlier, loosened)) => (earlier.min(tightens), loosened),
                    });
                    stay.end_line = stay.end_line.min(i);
                }
                _ => {}
            }
        }
        stays
    }

    /// Whether somebody has to be asked at `t`: they have joined, and their leaving does not count yet.
    fn is_present(&self, person: u32, t: Ms) -> bool {
        self.stays(person)
            .iter()
            .any(|stay| stay.from <= t && stay.left.is_none_or(|(_, loosens)| t < loosens))
    }

    /// Whether somebody may be relied on to be there at `t`, and is human.
    fn is_human_there(&self, person: u32, t: Ms) -> bool {
        self.person_from(person).is_some_and(|from| from <= t)
            && self.stays(person).iter().any(|stay| {
                stay.relied_from <= t
                    && stay.left.is_none_or(|(tightens, _)| t < tightens)
                    && !self.is_machine(person, stay, t)
                    && !self.holds(person, stay).iter().any(|(held, back)| *held <= t && t < *back)
            })
    }

    /// The last line that said that a machine took the call, in this stay, and the line that
    /// said of a human later.
    fn machine(&self, person: u32, stay: &Stay) -> Option<(usize, Option<usize>)> {
        let answered = |i: usize, by| match &self.log[i].what {
            What::Answered { participant, by: who } => *participant == person && *who == by,
            _ => false,
        };
        let lines = stay.first_line..stay.next_line;
        let machine = lines.clone().rev().find(|i| answered(*i, AnsweredBy::Machine))?;
        let human = lines.clone().find(|i| *i > machine && answered(*i, AnsweredBy::Human));
        Some((machine, human))
    }

    fn is_machine(&self, person: u32, stay: &Stay, t: Ms) -> bool {
        match self.machine(person, stay) {
            None => false,
            Some((_, None)) => true,
            Some((_, Some(human))) => t < self.loosens(&self.log[human]),
        }
    }

    // ---- who is on hold, and who is a minor ----

    /// The lines that put somebody on hold, or took them off it: with what they excuse or bring back, or not.
    fn of_holds(&self, person: u32, stay: &Stay) -> Vec<(usize, bool, bool)> {
        let found = (stay.first_line..stay.next_line).filter_map(|i| match &self.log[i].what {
            What::Held { participants, only_tightens } if participants.contains(&person) => {
                Some((i, true, !only_tightens))
            }
            What::Retrieved { participants, only_tightens } if participants.contains(&person) => {
                Some((i, false, !only_tightens))
            }
            _ => None,
        });
        found.collect()
    }

    /// When they were on hold, for all that this makes stricter: until their return was logged.
    fn holds(&self, person: u32, stay: &Stay) -> Vec<(Ms, Ms)> {
        self.holds_by(person, stay, self.log.len())
    }

    /// As far as the first `lines` of the log say it; later ones say only when a hold began.
    fn holds_by(&self, person: u32, stay: &Stay, lines: usize) -> Vec<(Ms, Ms)> {
        let lines_of = self.of_holds(person, stay);
        let held = lines_of.iter().filter(|(_, is_hold, _)| *is_hold);
        held.map(|(i, ..)| {
            let mut back =
                lines_of.iter().filter(|(k, is_hold, brings)| k > i && !is_hold && *brings && *k < lines);
            (self.log[*i].tightens(), back.next().map_or(Ms::MAX, |(k, ..)| self.loosens(&self.log[*k])))
        })
        .collect()
    }

    /// When they were on hold, for all that this excuses: from when it was logged, until they were back.
    fn excuses(&self, person: u32, stay: &Stay) -> Vec<(Ms, Ms)> {
        let lines = self.of_holds(person, stay);
        let mut spans = Vec::new();
        let (mut back, mut open, mut is_excused): (Ms, Option<Ms>, bool) = (Ms::MIN, None, false);
        for (i, is_hold, counts) in &lines {
            let line = &self.log[*i];
            match (is_hold, counts) {
                (true, _) => {
                    open = Some(open.map_or(line.tightens(), |from| from.min(line.tightens())));
                    if *counts && !is_excused {
                        is_excused = true;
                        let from = self.loosens(line).max(back);
                        let returns = lines.iter().filter(|(k, is_hold, _)| k > i && !is_hold);
                        let until = returns.map(|(k, ..)| self.log[*k].tightens().max(from)).min();
                        spans.push((from, until.unwrap_or(Ms::MAX)));
                    }
                }
                (false, true) => {
                    if let Some(from) = open.take() {
                        back = back.max(self.loosens(line).max(from));
                    }
                    is_excused = false;
                }
                (false, false) => {}
            }
        }
        spans
    }

    fn last_stay(&self, person: u32, t: Ms) -> Option<Stay> {
        let there = |stay: &Stay| stay.from <= t && stay.left.is_none_or(|(_, loosens)| t < loosens);
        self.stays(person).into_iter().rfind(there)
    }

    fn is_held(&self, person: u32, t: Ms) -> bool {
        self.last_stay(person, t)
            .is_some_and(|stay| self.holds(person, &stay).iter().any(|(held, back)| *held <= t && t < *back))
    }

    /// Whether somebody on hold need not have agreed.
    fn is_excused(&self, person: u32, t: Ms, asked: &Asked) -> bool {
        self.holds_excuse(asked)
            && self.last_stay(person, t).is_some_and(|stay| {
                self.excuses(person, &stay).iter().any(|(from, until)| *from <= t && t < *until)
            })
    }

    fn holds_excuse(&self, asked: &Asked) -> bool {
        let by_account = self.opened.settings.on_hold == HeldCounts::NotCounted;
        asked.on_hold == 0 || asked.on_hold == 1 && by_account
    }

    fn is_minor(&self, person: u32) -> bool {
        self.lines().any(|(i, line)| {
            matches!(&line.what, What::Minor { participants } if participants.contains(&person))
                && self.has_joined_before(person, i)
        })
    }

    /// Whether they are no minor, or a guardian's grant covers them.
    fn is_guarded(&self, person: u32, t: Ms, asked: &Asked) -> bool {
        !self.is_minor(person)
            || self.last_stay(person, t).is_none_or(|stay| self.grant(person, &stay, t, asked).is_some())
    }

    // ---- who has agreed ----

    fn agreements(&self, person: u32, t: Ms, asked: &Asked) -> Vec<Agreement> {
        let stay = self.last_stay(person, t);
        stay.map(|stay| self.agreements_in(person, &stay, t, asked)).unwrap_or_default()
    }

    fn agreements_in(&self, person: u32, stay: &Stay, t: Ms, asked: &Asked) -> Vec<Agreement> {
        if self.is_machine(person, stay, t) {
            return Vec::new();
        }
        let mut agreed: Vec<Agreement> = self.granted_outside(person, stay, t, asked).into_iter().collect();
        if self.is_minor(person) {
            return agreed;
        }
        for i in self.heard_lines(person, stay) {
            if self.completes(i, person, stay)
                && self.loosens(&self.log[i]) <= t
                && self.says_enough(i, asked)
            {
                agreed.push((Agreed::Notice, self.given_for(i)));
            }
            if let What::ConsentGiven { participants, .. } = &self.log[i].what
                && participants.contains(&person)
                && self.loosens(&self.log[i]) <= t
            {
                agreed.push((Agreed::Asserted, None));
            }
            if let Some((prompt, from)) = self.express_yes(i, person, stay)
                && from <= t
                && self.says_enough(prompt, asked)
            {
                agreed.push((Agreed::Express, self.given_for(prompt)));
            }
        }
        agreed
    }

    fn granted_outside(&self, person: u32, stay: &Stay, t: Ms, asked: &Asked) -> Option<Agreement> {
        let grant = self.grant(person, stay, t, asked)?;
        let given = grant.purposes.map(|purposes| purposes.iter().collect::<Vec<_>>());
        let given = given.filter(|given| !given.is_empty());
        match grant.works_agreement && !asked.works_agreement_is_express {
            true => Some((Agreed::Notice, given)),
            false => Some((Agreed::Express, given)),
        }
    }

    /// The purposes that the prompt of this line names; `None` is every purpose.
    fn given_for(&self, i: usize) -> Option<Vec<Purpose>> {
        let What::PromptCompleted { prompt, .. } = &self.log[i].what else { return None };
        Some(prompt.purposes.iter().collect()).filter(|named: &Vec<Purpose>| !named.is_empty())
    }

    /// The grant that they had named last by then, where it holds.
    fn grant(&self, person: u32, stay: &Stay, t: Ms, asked: &Asked) -> Option<&Grant> {
        let by_then = self.log[stay.first_line..stay.end_line].iter().filter(|line| line.received <= t);
        let mut named = by_then.filter_map(|line| match &line.what {
            What::Joined(joined) if joined.participant == person => joined.grant.as_ref(),
            _ => None,
        });
        named.next_back().filter(|grant| {
            is_for(grant, asked, self.opened)
                && (grant.by_guardian || !self.is_minor(person))
                && grant.from.as_millisecond() <= t
                && grant.until.is_none_or(|until| t < until.as_millisecond())
        })
    }

    /// Whether the prompt of this line says all that is asked for.
    fn says_enough(&self, i: usize, asked: &Asked) -> bool {
        let What::PromptCompleted { prompt, .. } = &self.log[i].what else { return false };
        let Heard { says, purposes, .. } = prompt;
        asked.elements.iter().all(|element| says.iter().any(|said| said == *element))
            && asked.purposes.iter().all(|purpose| purposes.iter().any(|named| named == *purpose))
    }

    /// The lines logged in a stay, without those that a machine heard.
    fn heard_lines(&self, person: u32, stay: &Stay) -> Vec<usize> {
        let first = match self.machine(person, stay) {
            None => stay.first_line,
            Some((_, Some(human))) => human,
            Some((_, None)) => return Vec::new(),
        };
        (first..stay.end_line).collect()
    }

    /// Whether this line is an express yes after a prompt: to which, and from when it counts.
    fn express_yes(&self, i: usize, person: u32, stay: &Stay) -> Option<(usize, Ms)> {
        let What::ConsentGiven { participants, method } = &self.log[i].what else {
            return None;
        };
        if !participants.contains(&person) || !method.is_express() {
            return None;
        }
        let prompt = self.latest_outcome(i, person, stay)?;
        if !self.completes(prompt, person, stay) {
            return None;
        }
        let (yes, prompted) = (&self.log[i], &self.log[prompt]);
        if let (Some(yes), Some(prompted)) = (yes.at, prompted.at)
            && yes < prompted
        {
            return None;
        }
        // Only the yes is dated: it is no answer to a prompt that had not even begun.
        if prompted.at.is_none() && yes.at.is_some_and(|yes| yes < self.prompt_begin(prompt, person)) {
            return None;
        }
        Some((prompt, self.loosens(yes).max(self.loosens(prompted))))
    }

    /// The last line before `i` that says what became of a prompt for somebody, or that they said no.
    fn latest_outcome(&self, i: usize, person: u32, stay: &Stay) -> Option<usize> {
        self.heard_lines(person, stay)
            .into_iter()
            .take_while(|line| *line < i)
            .filter(|line| {
                matches!(
                    &self.log[*line].what,
                    What::PromptStarted { participants, .. }
                    | What::PromptCompleted { participants, .. }
                    | What::PromptInterrupted { participants }
                    | What::ConsentDeclined { participants }
                    | What::ConsentWithdrawn { participants } if participants.contains(&person)
                )
            })
            .last()
    }

    /// Whether this line is a prompt that counts for somebody.
    fn completes(&self, i: usize, person: u32, stay: &Stay) -> bool {
        let What::PromptCompleted { participants, prompt, played_ms } = &self.log[i].what else {
            return false;
        };
        let least = prompt.duration_ms.max(1_000);
        let end = self.log[i].happened();
        let begin = self.prompt_begin(i, person);
        let alone = match self.machine(person, stay) {
            None => true,
            Some((_, None)) => false,
            Some((_, Some(human))) => i > human && begin >= self.loosens(&self.log[human]),
        };
        participants.contains(&person)
            && *played_ms >= least
            && (self.reported_start(i, person).is_none() || end - begin >= Ms::try_from(least).unwrap())
            && begin >= stay.said_from
            && self.speaks(person, stay, &prompt.language)
            && prompt.covers_purposes
            && alone
            && !self.runs_into_a_hold(i, person, stay)
            && !self.is_old(i, person)
    }

    /// Whether somebody was on hold for some of the prompt that ends in line `i`.
    fn runs_into_a_hold(&self, i: usize, person: u32, stay: &Stay) -> bool {
        let (begin, end) = (self.prompt_begin(i, person), self.log[i].tightens());
        self.holds_by(person, stay, i).iter().any(|(held, back)| *held < end && begin < *back)
    }

    /// Whether the prompt that ends in line `i` had begun before they objected: whoever
    /// has said no is asked anew.
    fn is_old(&self, i: usize, person: u32) -> bool {
        let begin = self.prompt_begin(i, person);
        (0..i).any(|k| self.is_objection(k, person) && begin < self.log[k].tightens())
    }

    /// When the prompt that ends in line `i` began.
    fn prompt_begin(&self, i: usize, person: u32) -> Ms {
        let played = match &self.log[i].what {
            What::PromptCompleted { played_ms, .. } => Ms::try_from(*played_ms).unwrap(),
            _ => 0,
        };
        self.reported_start(i, person).unwrap_or(self.log[i].happened() - played)
    }

    /// When the prompt that ends in line `i` was reported to have begun, if it was.
    fn reported_start(&self, i: usize, person: u32) -> Option<Ms> {
        let What::PromptCompleted { prompt: completed, .. } = &self.log[i].what else {
            return None;
        };
        for (i, line) in self.lines().take(i).collect::<Vec<_>>().into_iter().rev() {
            if !self.has_joined_before(person, i) {
                return None;
            }
            match &line.what {
                What::PromptInterrupted { participants } | What::Held { participants, .. }
                    if participants.contains(&person) =>
                {
                    return None;
                }
                What::PromptStarted { participants, prompt }
                    if participants.contains(&person) && prompt.version == completed.version =>
                {
                    return Some(line.happened());
                }
                _ => {}
            }
        }
        None
    }

    /// Whether somebody has this language, or has none and it is the account's.
    fn speaks(&self, person: u32, stay: &Stay, language: &str) -> bool {
        let primary = |tag: &str| tag.split('-').next().unwrap_or("").to_ascii_lowercase();
        let mut theirs: Vec<String> = Vec::new();
        for line in &self.log[stay.first_line..stay.end_line] {
            match &line.what {
                What::Joined(joined) if joined.participant == person => {
                    theirs.extend(joined.languages.iter().map(|tag| primary(tag)));
                }
                _ => {}
            }
        }
        if theirs.is_empty() {
            theirs.push(primary(&self.opened.settings.default_language));
        }
        theirs.contains(&primary(language))
    }

    // ---- who objects ----

    /// Whether somebody has objected by `t` and not said yes to a new prompt since.
    fn is_objecting(&self, person: u32, t: Ms) -> bool {
        self.lines().any(|(i, line)| {
            self.is_objection(i, person) && line.tightens() <= t && !self.is_lifted(i, person, t)
        })
    }

    fn is_objection(&self, i: usize, person: u32) -> bool {
        match &self.log[i].what {
            What::ConsentDeclined { participants } | What::ConsentWithdrawn { participants } => {
                participants.contains(&person) && self.has_joined_before(person, i)
            }
            _ => false,
        }
    }

    /// Before that nobody is known by this number, and nothing can be said of them.
    fn has_joined_before(&self, person: u32, i: usize) -> bool {
        self.stays(person).iter().any(|stay| stay.first_line < i)
    }

    /// The first yes after a prompt that was logged after the objection; a prompt that is old counts for
    /// nothing as it is.
    fn is_lifted(&self, objection: usize, person: u32, t: Ms) -> bool {
        let mut yeses = Vec::new();
        for stay in self.stays(person) {
            for i in self.heard_lines(person, &stay) {
                if let Some((prompt, from)) = self.express_yes(i, person, &stay)
                    && prompt > objection
                    && self.said_enough(prompt)
                {
                    yeses.push(from);
                }
            }
        }
        yeses.first().is_some_and(|from| *from <= t)
    }

    /// Whether the prompt of this line said all that was asked for when it was logged.
    fn said_enough(&self, i: usize) -> bool {
        let then = self.known_before(i);
        self.says_enough(i, &then.asked(self.log[i].received))
    }

    // ---- tones and announcements ----

    /// A tone says nothing but that something is recorded.
    fn tone_will_do(&self, asked: &Asked, t: Ms) -> bool {
        let more = asked.elements.iter().any(|element| *element != Element::Recording);
        let to_be_told = more || !asked.purposes.is_empty();
        matches!(asked.tone, Some(Some(_))) && !to_be_told && self.tone_runs(t)
    }

    fn tone_runs(&self, t: Ms) -> bool {
        self.lines().any(|(started, line)| {
            matches!(line.what, What::ToneStarted)
                && self.loosens(line) <= t
                && !self.lines().any(|(stopped, line)| {
                    stopped > started && matches!(line.what, What::ToneStopped) && line.tightens() <= t
                })
        })
    }

    /// Whether somebody who is there at `t` should have heard an announcement in a recording that
    /// ran from `from` to `until`, and has not by its deadline, with the deadline if so.
    fn unannounced(&self, from: Ms, until: Ms, t: Ms) -> Option<Ms> {
        let asked = self.asked(t);
        if !asked.announcement || self.tone_will_do(&asked, t) {
            return None;
        }
        self.people()
            .into_iter()
            .filter_map(|person| {
                let stay = self
                    .stays(person)
                    .into_iter()
                    .rfind(|stay| stay.from <= t && stay.left.is_none_or(|(_, loosens)| t < loosens))?;
                if self.is_excused(person, t, &asked) {
                    return None;
                }
                if asked.waived_by_written && self.has_written(person, &stay, t, &asked) {
                    return None;
                }
                let base = from.max(stay.from);
                // Whoever did not count then has to hear it when they are back.
                let mut excuses = self.excuses(person, &stay).into_iter();
                let back = excuses.find(|(held, back)| *held <= base && base < *back);
                let base = back.filter(|_| self.holds_excuse(&asked)).map_or(base, |(_, back)| back);
                let heard = (stay.first_line..stay.end_line).any(|i| match &self.log[i].what {
                    What::AnnouncementRecorded { participants } => {
                        let line = &self.log[i];
                        let over = (0..i).any(|k| matches!(self.log[k].what, What::Ended));
                        let heard = match over && line.at.is_some() && line.received <= from + 15_000 {
                            true => line.tightens(),
                            false => self.loosens(line),
                        };
                        participants.contains(&person)
                            && !self.is_machine(person, &stay, heard)
                            && !self
                                .holds(person, &stay)
                                .iter()
                                .any(|(held, back)| *held <= heard && heard < *back)
                            && base <= heard
                            && heard <= base + 15_000
                            && heard <= until
                    }
                    _ => false,
                });
                (!heard).then_some(base + 15_000)
            })
            .min()
    }

    fn has_written(&self, person: u32, stay: &Stay, t: Ms, asked: &Asked) -> bool {
        self.grant(person, stay, t, asked).is_some_and(|grant| grant.written)
            || !self.is_minor(person)
                && self.heard_lines(person, stay).into_iter().any(|i| {
                    matches!(&self.log[i].what, What::ConsentGiven { method: Method::Written, .. })
                        && self
                            .express_yes(i, person, stay)
                            .is_some_and(|(prompt, from)| from <= t && self.says_enough(prompt, asked))
                        && !self.objects_after(i, person, stay, t)
                })
    }

    /// What they wrote before an objection serves nothing after it.
    fn objects_after(&self, line: usize, person: u32, stay: &Stay, t: Ms) -> bool {
        (line + 1..stay.end_line).any(|k| self.is_objection(k, person) && self.log[k].tightens() <= t)
    }

    // ---- what was granted ----

    /// The windows that were granted up to `now`.
    pub(crate) fn windows(&self, now: Ms) -> Vec<Granted> {
        let mut windows: Vec<Granted> = Vec::new();
        for i in 0..=self.log.len() {
            let next = self.log.get(i).map_or(now, |line| line.received);
            let before = self.known_before(i);
            if let Some(window) = windows.last_mut()
                && window.until.is_none()
                && let Some(lapsed) = before.lapses(window.from, next)
            {
                window.until = Some((lapsed, Edge::Suspension));
            }
            let Some(line) = self.log.get(i) else { break };
            let mut close = |edge| {
                let at = line.tightens();
                let last = windows.len().saturating_sub(1);
                for (k, window) in windows.iter_mut().enumerate() {
                    match window.until {
                        None if k == last => window.until = Some((at.max(window.from), edge)),
                        Some((until, _)) if window.from <= at && at < until => {
                            window.until = Some((at, edge))
                        }
                        _ => {}
                    }
                }
            };
            match &line.what {
                What::Control(Control::Pause(_)) | What::RecordingPaused => close(Edge::Pause),
                What::Control(Control::Stop) | What::RecordingStopped => close(Edge::Stop),
                What::Ended => close(Edge::Ended),
                What::Emergency => close(Edge::Suspension),
                What::Control(Control::Start | Control::Resume)
                    if windows.last().is_none_or(|window| window.until.is_some()) =>
                {
                    windows.push(Granted { from: line.received, until: None });
                }
                _ => {}
            }
            let after = self.known_before(i + 1);
            if let Some(window) = windows.last_mut()
                && window.until.is_none()
                && (!after.lawful(line.received)
                    || after
                        .unannounced(window.from, Ms::MAX, line.received)
                        .is_some_and(|deadline| deadline < line.received))
            {
                window.until = Some((line.received, Edge::Suspension));
            }
        }
        windows
    }

    /// The first moment before `next` at which a window that began at `from` closes by itself.
    fn lapses(&self, from: Ms, next: Ms) -> Option<Ms> {
        let last = self.log.last().map_or(self.opened_received, |line| line.received);
        let mut t = last;
        while t <= next {
            if !self.lawful(t) {
                return Some(t);
            }
            if t < next && self.unannounced(from, Ms::MAX, t).is_some_and(|deadline| deadline <= t) {
                return Some(t);
            }
            t += STEP;
        }
        None
    }

    // ---- what is covered ----

    /// Whether the second from `t` on may be stored where the platform asks before it records.
    pub(crate) fn covers(&self, windows: &[Granted], t: Ms, now: Ms) -> bool {
        if self.keeps_nothing() {
            return false;
        }
        // Of the windows that began by then only the last says anything: its slack, or another's before it, is over
        // where the next begins.
        let begun = windows.iter().filter(|window| window.from <= t);
        begun.max_by_key(|window| window.from).is_some_and(|window| {
            let end = match window.until {
                None => now,
                Some((until, Edge::Stop | Edge::Ended)) => until + SLACK,
                Some((until, Edge::Pause | Edge::Suspension)) => until,
            };
            t < end && t < now && self.lawful_with_slack(t) && self.unannounced(window.from, end, t).is_none()
        })
    }

    /// Whether all of a recording may be stored where the platform starts by itself.
    pub(crate) fn covers_all(&self, from: Ms, until: Ms, now: Ms) -> bool {
        let mut t = from;
        while t < until {
            if self.keeps_nothing()
                || now <= t
                || !self.lawful_with_slack(t)
                || self.unannounced(from, until, t).is_some()
            {
                return false;
            }
            t += STEP;
        }
        true
    }

    /// Whether it was lawful at `t`, or shortly after the end of the call would have been.
    fn lawful_with_slack(&self, t: Ms) -> bool {
        self.ended().is_none_or(|ended| t < ended + SLACK) && self.lawful_but_for_the_end(t)
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &Logged)> {
        self.log.iter().enumerate()
    }

    fn late(&self) -> Ms {
        Ms::from(self.opened.settings.late_evidence_seconds) * 1_000
    }

    /// When a claim that loosens begins to count.
    fn loosens(&self, line: &Logged) -> Ms {
        line.at.map_or(line.received, |at| at.max(line.received - self.late()))
    }
}

impl Logged {
    /// When a claim that tightens begins to count.
    fn tightens(&self) -> Ms {
        self.at.map_or(self.received, |at| at.min(self.received))
    }

    /// When the platform says it happened.
    fn happened(&self) -> Ms {
        self.at.unwrap_or(self.received)
    }

    fn joined_from(&self, joined: &Joined) -> Ms {
        let joined_at = joined.joined_at.map_or(Ms::MAX, jiff::Timestamp::as_millisecond);
        self.tightens().min(joined_at)
    }
}

/// Somewhere that somebody is said to be.
#[derive(Debug)]
struct Located {
    code: Code,
    evidence: Evidence,
    asked_from: Ms,
    relied_from: Ms,
}

/// Whether consent given elsewhere is for everything that the call and the sector record for.
fn is_for(grant: &Grant, asked: &Asked, opened: &Opened) -> bool {
    let named =
        |purpose: &Purpose| grant.purposes.is_none_or(|named| named.iter().any(|one| one == *purpose));
    asked.purposes.iter().all(named) && opened.purposes.iter().all(|one| named(&one))
}

/// What is asked for these purposes.
fn strictest(asked: &Asked, served: Option<&[Purpose]>) -> Strictness {
    let Some(served) = served else { return asked.strictness };
    let each = Purpose::ALL.iter().zip(&asked.by_purpose);
    each.filter(|(purpose, _)| served.contains(purpose)).map(|(_, asked)| *asked).max().unwrap()
}

/// The strictest of all in every respect.
fn combine(rules: &[Rule], opened: &Opened) -> Asked {
    let for_one = |rule: &Rule, purpose: &Purpose| {
        let instead = rule.form_for.iter().find(|(one, _)| one == purpose).map(|(_, form)| *form);
        instead.or(rule.strictness).unwrap_or(Strictness::One)
    };
    let strictness = |rule: &Rule| Purpose::ALL.iter().map(|purpose| for_one(rule, purpose)).max().unwrap();
    let asks = |rule: &&Rule| strictness(rule) != Strictness::One || rule.announcement || rule.tone.is_some();
    let tones: Vec<Option<u16>> = rules.iter().filter(asks).map(|rule| rule.tone).collect();
    let tone = if tones.is_empty() {
        None
    } else if tones.iter().all(Option::is_some) {
        Some(tones.iter().copied().flatten().min())
    } else {
        Some(None)
    };
    let purposes: Vec<Purpose> = Purpose::ALL
        .into_iter()
        .filter(|purpose| rules.iter().any(|rule| rule.purposes.contains(purpose)))
        .collect();
    let serves =
        |purpose: &Purpose| purposes.contains(purpose) || opened.purposes.iter().any(|one| one == *purpose);
    let is_said = |element: &Element| {
        let mut all = rules.iter().flat_map(|rule| &rule.says);
        all.any(|(said, purpose)| said == element && purpose.as_ref().is_none_or(serves))
    };
    let by_days = |a: &Length, b: &Length| a.days().total_cmp(&b.days());
    Asked {
        strictness: rules.iter().map(&strictness).max().unwrap_or(Strictness::One),
        by_purpose: Purpose::ALL
            .iter()
            .map(|purpose| rules.iter().map(|rule| for_one(rule, purpose)).max().unwrap_or(Strictness::One))
            .collect(),
        forbids: Purpose::ALL
            .into_iter()
            .flat_map(|purpose| [Role::Customer, Role::Agent, Role::System].map(|role| (purpose, role)))
            .filter(|one| rules.iter().any(|rule| rule.forbids.contains(one)))
            .collect(),
        written_for: Purpose::ALL
            .into_iter()
            .filter(|purpose| rules.iter().any(|rule| rule.written_for.contains(purpose)))
            .collect(),
        announcement: rules.iter().any(|rule| rule.announcement),
        waived_by_written: rules.iter().filter(|rule| rule.announcement).all(|rule| rule.waived_by_written),
        tone,
        works_agreement_is_express: rules
            .iter()
            .filter(|rule| strictness(rule) == Strictness::Express)
            .all(|rule| rule.works_agreement_is_express),
        elements: Element::ALL.into_iter().filter(is_said).collect(),
        purposes,
        kept: rules.iter().filter_map(|rule| rule.kept).max_by(by_days),
        gone: rules.iter().filter_map(|rule| rule.gone).min_by(by_days),
        mandatory: rules.iter().any(|rule| rule.mandatory),
        pauses: rules.iter().any(|rule| rule.pauses),
        forbidden: rules.iter().any(|rule| rule.forbidden),
        on_hold: rules.iter().map(|rule| rule.on_hold).max().unwrap_or(0),
    }
}

/// How finely time is looked at.
pub(crate) const STEP: Ms = 1_000;

/// How far audio may run over the end of a window, or of the call.
const SLACK: Ms = 2_000;
