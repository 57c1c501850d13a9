//! The law of one call: every version of the table that it was decided by.
//!
//! A decision is made by the rule in force at the call's start, as known when it is decided. A
//! version that comes into force while a call is going on is added to those before: within one
//! call the requirement only ratchets up.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use jiff::Timestamp;

use super::person::Level;
use crate::fact::{Kind, Medium, Opened};
use crate::place::{Code, Evidence};
use crate::reading::Readings;
use crate::rule::{ByPurpose, Requirement, Strictness, Tone};
use crate::table::Table;
use crate::told::{Element, Elements, Purpose, Purposes, Told};

#[derive(Debug, Clone)]
pub(crate) struct Law {
    // INVARIANT: never empty, and no digest is in it twice.
    tables: Vec<Arc<Table>>,
    pub(crate) medium: Medium,
    /// Which rules apply: those of emergency calls hold only if counsel has switched them on.
    pub(crate) kind: Kind,
    /// Which rules applied before the call became an emergency call. They still do.
    kind_before: Option<Kind>,
    /// When the call began, as claimed and by our clock: if the two fall under different rules, both count.
    pub(crate) started_at: Timestamp,
    opened_at: Timestamp,
    pub(crate) overlays: Vec<String>,
    pub(crate) purposes: Purposes,
    pub(crate) served: Served,
    pub(crate) recorder_locations: Vec<Code>,
    pub(crate) operator_locations: Vec<Code>,
    /// How the account's own counsel reads it.
    pub(crate) readings: Readings,
    /// What is asked of somebody about whom nothing is known.
    pub(crate) unknown: Requirement,
    floors: [Requirement; 3],
    /// What is asked independently of the participants, while all readings count: by the recorder's and the
    /// operator's places, and by the overlays.
    base: Requirement,
}

/// What is to be lawful.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    /// Recording, for what the call is for.
    Call,
    /// Another use.
    Use {
        /// Whether all of its purposes are the call's.
        within_call: bool,
    },
}

/// What is demanded at some moment: what all rules ask, and what has to be told for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand {
    /// How strict it is by the call's purposes; see [`Demand::admits`].
    pub(crate) requirement: Requirement,
    pub(crate) told: Told,
    /// What the call is for; none means every purpose.
    pub(crate) purposes: Purposes,
    /// What the call is for, as far as it is said: by the call, or by a sector's rules.
    pub(crate) named: Purposes,
    /// What consent has to be for, to count at all; none means that it counts whatever it is for.
    only: Option<Purpose>,
    by_purpose: ByPurpose,
    served: Served,
    /// What the call or the use says that it is for.
    said: Purposes,
}

impl Demand {
    /// How strict the rules may be on this call: as its purposes ask, and as the further purposes ask that
    /// consent was given for, the loosest first.
    pub(crate) fn strictnesses(self) -> impl Iterator<Item = Demand> {
        let all = [Strictness::One, Strictness::Notice, Strictness::Express].into_iter();
        let possible = all.filter(move |one| (self.requirement.strictness..=self.most()).contains(one));
        possible.map(move |strictness| {
            let requirement = Requirement { strictness, ..self.requirement };
            Demand { requirement, ..self }
        })
    }

    fn most(&self) -> Strictness {
        self.by_purpose.of(Purposes::NONE)
    }

    /// Whether the call's purposes ask less than all purposes would: then consent counts by the purposes that
    /// it was given for as well.
    pub(crate) fn is_eased(&self) -> bool {
        self.requirement.strictness < self.most()
    }

    /// Whether consent of this level counts that was given for these purposes; none means every purpose.
    // INVARIANT: a rule for a purpose never acts on the call's word alone. What it eases holds only for
    // consent that names its purposes, each with such a rule.
    pub(crate) fn admits(&self, level: Level, given_for: Purposes) -> bool {
        if !self.is_for(given_for) {
            return false;
        }
        if !self.is_eased() {
            return true;
        }
        let served = if given_for.is_empty() { given_for } else { self.purposes.and(given_for) };
        let asked = self.by_purpose.of(served);
        match (self.requirement.strictness, level) {
            (Strictness::One, _) => asked == Strictness::One,
            // A yes to more than the call is for is a yes.
            (_, Level::Express) => true,
            (strictness, Level::None | Level::Asserted | Level::Notice) => asked <= strictness,
        }
    }

    /// The same as if every purpose were served.
    pub(crate) fn for_all(&self) -> Demand {
        let requirement = Requirement { strictness: self.most(), ..self.requirement };
        Demand { requirement, ..*self }
    }

    /// Whether consent that was given for these purposes is for what is asked about; none means every purpose.
    pub(crate) fn is_for(&self, given_for: Purposes) -> bool {
        self.only.is_none_or(|only| given_for.is_empty() || given_for.holds(only))
    }

    /// Whether a prompt that names these purposes says what the call, or the use, is for. A prompt that names none is
    /// for every purpose.
    pub(crate) fn is_named_by(&self, told: Purposes, covers_call: bool) -> bool {
        match self.served {
            Served::Call => covers_call,
            Served::Use { within_call } => {
                let all_named = !self.said.is_empty() && told.holds_all(self.said);
                // Of the purposes that no law distinguishes, only the call's are known by their words.
                let known = !self.said.holds(Purpose::Other);
                (within_call && covers_call) || told.is_empty() || (all_named && known)
            }
        }
    }

    /// Whether it is of another use than recording.
    pub(crate) fn is_of_use(&self) -> bool {
        self.served != Served::Call
    }

    /// Whether a purpose of the call asks everybody to agree in writing.
    pub(crate) fn in_writing(&self) -> bool {
        !self.requirement.written_for.both(self.named).is_empty()
    }

    /// Whether a repeated tone is enough, beside somebody's consent. It says that the call is recorded, and
    /// nothing else.
    pub(crate) fn accepts_tone(&self) -> bool {
        if self.is_eased() {
            return false;
        }
        let by_tone = Told { elements: Elements::NONE.with(Element::Recording), purposes: Purposes::NONE };
        matches!(self.requirement.tone, Tone::Every(_)) && by_tone.is_enough_for(self.told)
    }
}

impl Law {
    pub(super) fn new(table: &Arc<Table>, opened_at: Timestamp, opened: &Opened) -> Law {
        let mut law = Law {
            tables: Vec::new(),
            medium: opened.medium,
            kind: if opened.kind == Kind::Emergency && !opened.settings.public_safety {
                Kind::Conversation
            } else {
                opened.kind
            },
            kind_before: None,
            started_at: opened.started_at,
            opened_at,
            overlays: opened.overlays.clone(),
            purposes: opened.purposes,
            served: Served::Call,
            recorder_locations: opened.recorder_locations.clone(),
            operator_locations: opened.operator_locations.clone(),
            readings: Readings::on(&opened.readings, &opened.operator_locations, opened.purposes),
            unknown: Requirement::NOTHING,
            floors: [Requirement::NOTHING; 3],
            base: Requirement::NOTHING,
        };
        law.know(table);
        law
    }

    /// The law of another use of the call's audio, for these purposes.
    pub(super) fn serving(&self, purposes: Purposes) -> Law {
        // A prompt for any purpose covers a call that names none: not so a use that does.
        let within_call =
            purposes == self.purposes || (!purposes.is_empty() && self.purposes.holds_all(purposes));
        let mut law = Law {
            purposes,
            served: Served::Use { within_call },
            readings: self.readings.clone().serving(&self.operator_locations, purposes),
            unknown: Requirement::NOTHING,
            floors: [Requirement::NOTHING; 3],
            base: Requirement::NOTHING,
            ..self.clone()
        };
        self.tables.iter().for_each(|table| law.counts(table));
        law
    }

    /// Another version of the table counts from now on; returns whether it is new.
    pub(super) fn know(&mut self, table: &Arc<Table>) -> bool {
        if let Some(known) = self.tables.iter().position(|known| known.digest() == table.digest()) {
            // A version that is in force again asks nothing new, but decisions name it.
            let known = self.tables.remove(known);
            self.tables.push(known);
            return false;
        }
        self.tables.push(Arc::clone(table));
        self.counts(table);
        true
    }

    /// The rules for emergency calls count as well from now on.
    pub(super) fn becomes_emergency(&mut self) {
        if self.kind == Kind::Emergency {
            return;
        }
        self.kind_before = Some(self.kind);
        self.kind = Kind::Emergency;
        for table in self.tables.clone() {
            self.counts(&table);
        }
    }

    /// Adds what a version of the table asks independently of the participants.
    fn counts(&mut self, table: &Table) {
        for kind in self.kinds() {
            self.unknown = self.unknown.and(table.default_asks(self.medium, kind));
            for (floor, evidence) in
                self.floors.iter_mut().zip([Evidence::Number, Evidence::Ip, Evidence::Declared])
            {
                *floor = floor.and(table.floor_asks(evidence, kind));
            }
            for at in [self.started_at, self.opened_at] {
                for overlay in &self.overlays {
                    self.base = self.base.and(table.overlay_asks(overlay, self.medium, kind, at));
                }
            }
        }
        for code in self.recorder_locations.iter().chain(&self.operator_locations) {
            self.base = self.base.and(self.asks(*code));
        }
    }

    /// What the call is, and what it was before it became an emergency call.
    fn kinds(&self) -> impl Iterator<Item = Kind> + use<> {
        [Some(self.kind), self.kind_before].into_iter().flatten()
    }

    /// The version that was added last.
    pub(crate) fn newest(&self) -> Option<&Table> {
        self.tables.last().map(Arc::as_ref)
    }

    /// The versions before that.
    pub(crate) fn earlier(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter().rev().skip(1).map(Arc::as_ref)
    }

    /// What a place asks of this call while all of its readings count, by all versions.
    pub(crate) fn asks(&self, code: Code) -> Requirement {
        self.tables.iter().fold(Requirement::NOTHING, |all, table| all.and(self.asked_by(table, code)))
    }

    /// What a place asks of this call, by one version.
    pub(crate) fn asked_by(&self, table: &Table, code: Code) -> Requirement {
        let by = |at| {
            let asks = |kind| self.readings.asks(table, code, self.medium, kind, at);
            self.kinds().fold(Requirement::NOTHING, |all, kind| all.and(asks(kind)))
        };
        let by_claim = by(self.started_at);
        if self.started_at == self.opened_at { by_claim } else { by_claim.and(by(self.opened_at)) }
    }

    /// What a place asks of this call beside that at `at`, by all versions: what the table says itself, once a
    /// reading is over that had asked less.
    pub(crate) fn asks_again(&self, code: Code, at: Timestamp) -> Requirement {
        if !self.readings.are_over(code, at) {
            return Requirement::NOTHING;
        }
        let moments = [self.started_at, self.opened_at];
        let mut all = Requirement::NOTHING;
        for (table, kind) in self.tables.iter().flat_map(|table| self.kinds().map(move |kind| (table, kind)))
        {
            for moment in moments {
                all = all.and(table.asks(code, self.medium, kind, moment).requirement);
            }
        }
        all
    }

    /// What is asked at `at` independently of the participants.
    pub(crate) fn base(&self, at: Timestamp) -> Requirement {
        let own = self.recorder_locations.iter().chain(&self.operator_locations);
        own.fold(self.base, |all, code| all.and(self.asks_again(*code, at)))
    }

    /// The least that is asked on this evidence.
    pub(crate) fn floor(&self, evidence: Evidence) -> Requirement {
        let [number, ip, declared] = &self.floors;
        *match evidence {
            Evidence::Number => number,
            Evidence::Ip => ip,
            Evidence::Declared => declared,
        }
    }

    pub(crate) fn demand(&self, requirement: Requirement) -> Demand {
        self.demand_of(requirement, self.purposes)
    }

    /// What would be demanded of a call for this purpose alone, of consent for it.
    pub(crate) fn demand_for(&self, requirement: Requirement, purpose: Purpose) -> Demand {
        Demand { only: Some(purpose), ..self.demand_of(requirement, Purposes::NONE.with(purpose)) }
    }

    fn demand_of(&self, requirement: Requirement, said: Purposes) -> Demand {
        let requirement = match self.served {
            Served::Call => requirement,
            // Nothing is made that could hold an announcement or has to be there, and a tone says that the call is
            // recorded: nothing else.
            Served::Use { .. } => Requirement {
                announcement_must_be_recorded: false,
                tone: Tone::Refused,
                mandatory: false,
                ..requirement
            },
        };
        let told = requirement.says.on(said);
        let named = said.and(told.purposes);
        let purposes = if said.is_empty() { Purposes::NONE } else { named };
        let by_purpose = requirement.by_purpose;
        let strictness = by_purpose.of(purposes);
        let requirement = Requirement { strictness, by_purpose: ByPurpose::all(strictness), ..requirement };
        Demand { requirement, told, purposes, named, only: None, by_purpose, served: self.served, said }
    }
}
