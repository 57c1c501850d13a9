//! What one place asks, and how the rules of several places combine.
//!
//! The invariant is that combining never loosens: [`Requirement::and`] is a maximum.

use serde::{Deserialize, Serialize};

use crate::fact::{HeldCounts, Role};
use crate::retention::Retention;
use crate::told::{Purpose, Purposes, Says};

/// Whose consent is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Parties {
    /// At least one human who is on the call at that moment.
    One,
    /// Every human on the call, the agent included.
    All,
}

impl Parties {
    /// The word used in tables and in decisions.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Parties::One => "one",
            Parties::All => "all",
        }
    }
}

/// What counts as consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Any logged consent; goes with `one` only.
    None,
    /// The prompt was played to the end, and they stayed.
    Notice,
    /// After the prompt they did something that says yes.
    Express,
}

impl Form {
    /// The word used in tables and in decisions.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Form::None => "none",
            Form::Notice => "notice",
            Form::Express => "express",
        }
    }
}

/// The three strictnesses there are, the loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strictness {
    /// One party, no form.
    One,
    /// All parties, by notice.
    Notice,
    /// All parties, expressly.
    Express,
}

impl Strictness {
    /// The strictness that a pair of words names; `None` if they contradict each other
    /// (`one` goes with `none`, `all` with `notice` or `express`).
    #[must_use]
    pub fn of(parties: Parties, form: Form) -> Option<Strictness> {
        match (parties, form) {
            (Parties::One, Form::None) => Some(Strictness::One),
            (Parties::All, Form::Notice) => Some(Strictness::Notice),
            (Parties::All, Form::Express) => Some(Strictness::Express),
            (Parties::One, Form::Notice | Form::Express) | (Parties::All, Form::None) => None,
        }
    }

    /// Whose consent.
    #[must_use]
    pub fn parties(self) -> Parties {
        match self {
            Strictness::One => Parties::One,
            Strictness::Notice | Strictness::Express => Parties::All,
        }
    }

    /// In which form.
    #[must_use]
    pub fn form(self) -> Form {
        match self {
            Strictness::One => Form::None,
            Strictness::Notice => Form::Notice,
            Strictness::Express => Form::Express,
        }
    }
}

/// What one row of the table asks in one medium, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Whose consent, and how.
    pub strictness: Strictness,
    /// The recording itself must hold an announcement.
    pub announcement_must_be_recorded: bool,
    /// Prior written consent is accepted instead of the recorded announcement.
    pub waived_by_written: bool,
    /// A tone that repeats at least every so many seconds is accepted instead of an announcement.
    pub tone_seconds: Option<u16>,
    /// A works agreement alone counts as an express yes.
    pub works_agreement_is_express: bool,
    /// What is asked instead if the recording is for a purpose, in the order of [`Purpose::ALL`].
    pub form_for: FormFor,
    /// For which purposes nobody may be recorded, whoever agrees.
    pub forbids: Forbids,
    /// For which purposes everybody has to agree in writing.
    pub written_for: Purposes,
    /// What a prompt has to say to count.
    pub says: Says,
    /// How long a recording is kept.
    pub retention: Retention,
    /// What is asked while somebody is on hold. A rule that adds to those of places asks nothing here.
    pub on_hold: OnHold,
}

impl Rule {
    /// A rule that asks this and nothing beside it.
    #[must_use]
    pub const fn of(strictness: Strictness) -> Self {
        Rule {
            strictness,
            announcement_must_be_recorded: false,
            waived_by_written: false,
            tone_seconds: None,
            works_agreement_is_express: false,
            form_for: [None; Purpose::ALL.len()],
            forbids: Forbids::NOTHING,
            written_for: Purposes::NONE,
            says: Says::NOTHING,
            retention: Retention::FREE,
            on_hold: OnHold::NotCounted,
        }
    }

    /// What it asks by purpose.
    fn by_purpose(&self) -> ByPurpose {
        ByPurpose(self.form_for.map(|form| form.unwrap_or(self.strictness)))
    }
}

/// What a rule asks instead for single purposes, in the order of [`Purpose::ALL`].
pub type FormFor = [Option<Strictness>; Purpose::ALL.len()];

/// A strictness for each purpose, in the order of [`Purpose::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByPurpose([Strictness; Purpose::ALL.len()]);

impl ByPurpose {
    /// The least for every purpose.
    const LEAST: ByPurpose = ByPurpose([Strictness::One; Purpose::ALL.len()]);

    fn and(self, other: ByPurpose) -> ByPurpose {
        let mut both = self.0;
        for (mine, theirs) in both.iter_mut().zip(other.0) {
            *mine = (*mine).max(theirs);
        }
        ByPurpose(both)
    }

    /// The same for every purpose.
    pub(crate) fn all(strictness: Strictness) -> ByPurpose {
        ByPurpose([strictness; Purpose::ALL.len()])
    }

    /// The same but for these purposes, for which this is asked.
    pub(crate) fn but_for(mut self, purposes: Purposes, strictness: Strictness) -> ByPurpose {
        for (purpose, mine) in Purpose::ALL.into_iter().zip(&mut self.0) {
            if purposes.holds(purpose) {
                *mine = strictness;
            }
        }
        self
    }

    /// The strictest for any of these purposes; no purposes mean every purpose.
    #[must_use]
    pub fn of(&self, purposes: Purposes) -> Strictness {
        let served = self.each().filter(|(purpose, _)| purposes.is_empty() || purposes.holds(*purpose));
        served.fold(Strictness::One, |most, (_, asked)| most.max(asked))
    }

    /// What is asked for one purpose.
    pub fn each(&self) -> impl Iterator<Item = (Purpose, Strictness)> {
        Purpose::ALL.into_iter().zip(self.0)
    }
}

/// For which purposes whoever is on the call in a role may not be recorded, even if everybody agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forbids {
    /// Of customers.
    pub customer: Purposes,
    /// Of agents.
    pub agent: Purposes,
    /// Of people whom the platform calls a system.
    pub system: Purposes,
}

impl Forbids {
    /// Nothing.
    pub const NOTHING: Forbids =
        Forbids { customer: Purposes::NONE, agent: Purposes::NONE, system: Purposes::NONE };

    /// Both.
    #[must_use]
    pub fn and(self, other: Forbids) -> Forbids {
        Forbids {
            customer: self.customer.and(other.customer),
            agent: self.agent.and(other.agent),
            system: self.system.and(other.system),
        }
    }

    /// Of somebody in this role.
    #[must_use]
    pub fn of(&self, role: Role) -> Purposes {
        match role {
            Role::Customer => self.customer,
            Role::Agent => self.agent,
            Role::System => self.system,
        }
    }

    /// The roles of which a purpose is forbidden.
    pub fn roles(self, purpose: Purpose) -> impl Iterator<Item = Role> {
        let all = [Role::Customer, Role::Agent, Role::System].into_iter();
        all.filter(move |role| self.of(*role).holds(purpose))
    }
}

/// What is asked while somebody is on hold, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnHold {
    /// Whoever is on hold does not count: their consent is not needed then.
    NotCounted,
    /// A rule does not say it, so the account's setting counts ([`HeldCounts`]).
    Account,
    /// Whoever is on hold counts as on the call.
    Counted,
    /// Nothing is recorded while somebody is on hold, whoever agrees.
    NotRecorded,
}

impl OnHold {
    /// What a row can say.
    pub const WRITTEN: [(&'static str, OnHold); 3] = [
        ("not-counted", OnHold::NotCounted),
        ("counted", OnHold::Counted),
        ("not-recorded", OnHold::NotRecorded),
    ];

    /// The word used in tables; `None` if the account's setting counts.
    #[must_use]
    pub fn as_str(self) -> Option<&'static str> {
        Self::WRITTEN.into_iter().find(|(_, one)| *one == self).map(|(word, _)| word)
    }

    /// Whether somebody on hold need not have agreed, on a call of an account with this setting.
    #[must_use]
    pub fn excuses(self, account: HeldCounts) -> bool {
        match self {
            OnHold::NotCounted => true,
            OnHold::Account => account == HeldCounts::NotCounted,
            OnHold::Counted | OnHold::NotRecorded => false,
        }
    }
}

/// Whether a repeated tone may replace the announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// No rule asks for anything that a tone would replace.
    Indifferent,
    /// Every rule that asks for something accepts a tone at least this often, in seconds.
    Every(u16),
    /// A rule accepts none.
    Refused,
}

impl Tone {
    fn and(self, other: Tone) -> Tone {
        match (self, other) {
            (Tone::Refused, _) | (_, Tone::Refused) => Tone::Refused,
            (Tone::Indifferent, tone) | (tone, Tone::Indifferent) => tone,
            (Tone::Every(a), Tone::Every(b)) => Tone::Every(a.min(b)),
        }
    }
}

/// What all rules of a call ask together.
///
/// Requirements form a lattice: [`and`](Requirement::and) is its join, and
/// [`is_at_least`](Requirement::is_at_least) its order, from the looser to the stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    /// The maximum of all strictnesses, whatever the purpose.
    pub strictness: Strictness,
    /// The maximum for each purpose.
    pub by_purpose: ByPurpose,
    /// For which purposes nobody may be recorded, whoever agrees.
    pub forbids: Forbids,
    /// For which purposes everybody has to agree in writing.
    pub written_for: Purposes,
    /// Some rule wants the announcement in the recording.
    pub announcement_must_be_recorded: bool,
    /// Every rule that wants it accepts prior written consent instead.
    pub waived_by_written: bool,
    /// Whether a tone will do.
    pub tone: Tone,
    /// Every rule that wants an express yes takes a works agreement for one.
    pub works_agreement_is_express: bool,
    /// What a prompt has to say to count.
    pub says: Says,
    /// How long a recording is kept.
    pub retention: Retention,
    /// A rule of the sector wants the call recorded, or not to go on.
    pub mandatory: bool,
    /// A rule of the sector wants recording paused while card data are spoken.
    pub pause_for_card_data: bool,
    /// A rule forbids recording, whoever agrees.
    pub forbidden: bool,
    /// What is asked while somebody is on hold.
    pub on_hold: OnHold,
}

impl Requirement {
    /// The neutral element of [`Requirement::and`].
    pub const NOTHING: Requirement = Requirement {
        strictness: Strictness::One,
        by_purpose: ByPurpose::LEAST,
        forbids: Forbids::NOTHING,
        written_for: Purposes::NONE,
        announcement_must_be_recorded: false,
        waived_by_written: true,
        tone: Tone::Indifferent,
        works_agreement_is_express: true,
        says: Says::NOTHING,
        retention: Retention::FREE,
        mandatory: false,
        pause_for_card_data: false,
        forbidden: false,
        on_hold: OnHold::NotCounted,
    };

    /// Recording is forbidden.
    pub const FORBIDDEN: Requirement = Requirement { forbidden: true, ..Requirement::NOTHING };

    /// Both: the stricter in every respect.
    // INVARIANT: stricter wins. Every field is a maximum, so no order of combining loosens.
    #[must_use]
    pub fn and(self, other: impl Into<Requirement>) -> Requirement {
        let other = other.into();
        Requirement {
            strictness: self.strictness.max(other.strictness),
            by_purpose: self.by_purpose.and(other.by_purpose),
            forbids: self.forbids.and(other.forbids),
            written_for: self.written_for.and(other.written_for),
            announcement_must_be_recorded: self.announcement_must_be_recorded
                || other.announcement_must_be_recorded,
            waived_by_written: self.waived_by_written && other.waived_by_written,
            tone: self.tone.and(other.tone),
            works_agreement_is_express: self.works_agreement_is_express && other.works_agreement_is_express,
            says: self.says.and(other.says),
            retention: self.retention.and(other.retention),
            mandatory: self.mandatory || other.mandatory,
            pause_for_card_data: self.pause_for_card_data || other.pause_for_card_data,
            forbidden: self.forbidden || other.forbidden,
            on_hold: self.on_hold.max(other.on_hold),
        }
    }

    /// Whether this is as strict as `other` in every respect, or stricter.
    #[must_use]
    pub fn is_at_least(&self, other: &Requirement) -> bool {
        self.and(*other) == *self
    }

    /// Whose consent.
    #[must_use]
    pub fn parties(&self) -> Parties {
        self.strictness.parties()
    }

    /// In which form.
    #[must_use]
    pub fn form(&self) -> Form {
        self.strictness.form()
    }

    /// The longest pause between tones, in seconds, if a tone alone is enough.
    #[must_use]
    pub fn tone_seconds(&self) -> Option<u16> {
        match self.tone {
            Tone::Every(seconds) => Some(seconds),
            Tone::Indifferent | Tone::Refused => None,
        }
    }
}

impl From<&Rule> for Requirement {
    fn from(rule: &Rule) -> Self {
        let by_purpose = rule.by_purpose();
        let strictness = by_purpose.of(Purposes::NONE);
        let asks_nothing = strictness == Strictness::One && !rule.announcement_must_be_recorded;
        Requirement {
            strictness,
            by_purpose,
            forbids: rule.forbids,
            written_for: rule.written_for,
            announcement_must_be_recorded: rule.announcement_must_be_recorded,
            waived_by_written: !rule.announcement_must_be_recorded || rule.waived_by_written,
            tone: match rule.tone_seconds {
                Some(seconds) => Tone::Every(seconds),
                None if asks_nothing => Tone::Indifferent,
                None => Tone::Refused,
            },
            works_agreement_is_express: strictness != Strictness::Express || rule.works_agreement_is_express,
            says: rule.says,
            retention: rule.retention,
            on_hold: rule.on_hold,
            ..Requirement::NOTHING
        }
    }
}

impl From<Rule> for Requirement {
    fn from(rule: Rule) -> Self {
        Requirement::from(&rule)
    }
}
