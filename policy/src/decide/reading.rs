//! How an account's own counsel reads the law of one place: a rule that counts for the calls of that account alone.
//!
//! A reading that asks more is added to what the table asks. One that asks less stands in for the place's own row,
//! and for nothing else: not for its country, another place, the floors of the evidence, the default or an overlay.
//! Combining is still a maximum, so among the rules that then count the strictest wins.
//!
//! A reading that asks less says which rule it was written against, and counts only where the row asks no more than
//! that: if the law of the place becomes stricter, calls follow the table again.

use alloc::string::String;
use alloc::vec::Vec;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::decision::words;
use crate::fact::{Kind, Medium};
use crate::place::Code;
use crate::rule::{Form, Parties, Requirement, Rule, Strictness};
use crate::table::{Basis, Row, Table};
use crate::told::{Purpose, Purposes};

/// A reading, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "LoggedReading"))]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// `sha256:` and the hash of its terms, in hexadecimal.
    pub id: String,
    /// What it says.
    pub terms: Terms,
}

impl Reading {
    /// Whether the word of whoever opened the call is enough for it to count, by the purposes of the call. What asks less
    /// for a purpose does not where the call also names one that no law distinguishes: that may be anything.
    #[must_use]
    pub fn may_count_for(&self, purposes: Purposes) -> bool {
        let any = self.terms.instead_of.is_none() || self.terms.purposes.is_empty();
        any || !purposes.holds(Purpose::Other)
    }
}

/// What a reading says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ReadingTerms"))]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The place.
    pub code: Code,
    /// Where the operator is established whose calls it covers.
    pub operator: Code,
    /// What it asks.
    pub asks: Asks,
    /// The media that it covers; empty means all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Medium>,
    /// It covers calls that are for nothing but these; none means calls for whatever purpose.
    #[serde(default, skip_serializing_if = "Purposes::is_empty")]
    pub purposes: Purposes,
    /// The rule that it stands in for, if it asks less. If it is absent, the reading adds to the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<Asks>,
    /// When it is over; absent if it has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// SHA-256, in hexadecimal, of what is said for it, with a random salt: see the log's format.
    pub text: String,
}

/// What is asked of a call, as far as a reading can say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ReadingAsks"))]
#[serde(deny_unknown_fields)]
pub struct Asks {
    /// Whose consent is needed.
    pub parties: Parties,
    /// What counts as consent.
    pub form: Form,
    /// The recording itself must hold an announcement.
    #[serde(default, skip_serializing_if = "is_false")]
    pub announcement_must_be_recorded: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Asks {
    /// That part of a requirement.
    #[must_use]
    pub fn of(requirement: &Requirement) -> Asks {
        Asks {
            parties: requirement.parties(),
            form: requirement.form(),
            announcement_must_be_recorded: requirement.announcement_must_be_recorded,
        }
    }

    /// Whether this asks at least what `other` asks.
    #[must_use]
    pub fn covers(self, other: Asks) -> bool {
        self.is_at_least(&other.requirement())
    }

    /// What is asked, in words.
    #[must_use]
    pub fn words(self) -> String {
        words(&self.requirement())
    }

    /// Whether parties and form go together.
    #[must_use]
    pub fn is_consistent(self) -> bool {
        Strictness::of(self.parties, self.form).is_some()
    }

    /// What contradicts itself asks the most.
    fn strictness(self) -> Strictness {
        Strictness::of(self.parties, self.form).unwrap_or(Strictness::Express)
    }

    /// As a rule that counts by itself. It accepts nothing in place of a prompt or an announcement.
    fn requirement(self) -> Requirement {
        let announcement_must_be_recorded = self.announcement_must_be_recorded;
        Requirement::from(Rule { announcement_must_be_recorded, ..Rule::of(self.strictness()) })
    }

    /// Whether this asks at least what that part of a requirement asks.
    fn is_at_least(self, requirement: &Requirement) -> bool {
        self.strictness() >= requirement.strictness
            && (self.announcement_must_be_recorded || !requirement.announcement_must_be_recorded)
    }
}

impl Terms {
    /// Whether it may count on a call whose operator is established in these places, and that is for these
    /// purposes. What asks less needs to be sure of both; what asks more counts where it may apply.
    #[must_use]
    pub fn covers(&self, operators: &[Code], purposes: Purposes) -> bool {
        if self.instead_of.is_none() {
            return operators.is_empty() || operators.contains(&self.operator);
        }
        let named = !purposes.is_empty() && purposes.iter().all(|purpose| self.purposes.holds(purpose));
        !operators.is_empty()
            && operators.iter().all(|code| *code == self.operator)
            && (self.purposes.is_empty() || named)
    }

    /// What it asks, by itself.
    #[must_use]
    pub fn requirement(&self) -> Requirement {
        self.asks.requirement()
    }

    fn is_of(&self, medium: Medium) -> bool {
        self.media.is_empty() || self.media.contains(&medium)
    }

    /// What it makes of a row's own rule on calls of one medium. What a prompt has to say, how long recordings are
    /// kept and what a hold means stay as the row says.
    /// `None` if it leaves that as it is.
    fn in_place_of(&self, row: &Requirement, medium: Medium) -> Option<Requirement> {
        if !(self.is_of(medium) && self.instead_of?.is_at_least(row)) {
            return None;
        }
        let own = self.asks.requirement();
        if !self.purposes.is_empty() {
            // A form for these purposes: as in a row, it counts only for consent that names nothing else, and never on the
            // platform's word alone. So an announcement stays as the row says.
            let by_purpose = row.by_purpose.but_for(self.purposes, own.strictness);
            return Some(Requirement { strictness: by_purpose.of(Purposes::NONE), by_purpose, ..*row });
        }
        Some(Requirement {
            strictness: own.strictness,
            by_purpose: own.by_purpose,
            announcement_must_be_recorded: own.announcement_must_be_recorded,
            waived_by_written: own.waived_by_written,
            tone: own.tone,
            works_agreement_is_express: own.works_agreement_is_express,
            ..*row
        })
    }

    /// What it adds to what a place asks of a conversation or a message; nothing, unless it asks more.
    fn adds(&self, medium: Medium) -> Requirement {
        match self.instead_of {
            None if self.is_of(medium) || medium == Medium::Unknown => self.asks.requirement(),
            Some(_) | None => Requirement::NOTHING,
        }
    }
}

/// The readings that count on a call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readings {
    counting: Vec<Held>,
    /// Those that do not cover the call, but may cover another use than recording.
    other: Vec<Held>,
}

#[derive(Debug, Clone)]
struct Held {
    reading: Reading,
    /// When it was over, if it was ended.
    ended: Option<Timestamp>,
}

impl Held {
    fn over(&self) -> Option<Timestamp> {
        self.reading.terms.until.into_iter().chain(self.ended).min()
    }
}

impl Readings {
    /// Those that cover such a call.
    pub(crate) fn on(readings: &[Reading], operators: &[Code], purposes: Purposes) -> Readings {
        let held = readings.iter().map(|reading| Held { reading: reading.clone(), ended: None });
        Readings { counting: held.collect(), other: Vec::new() }.serving(operators, purposes)
    }

    /// The same readings, where the call serves these purposes.
    pub(crate) fn serving(self, operators: &[Code], purposes: Purposes) -> Readings {
        let all = self.counting.into_iter().chain(self.other);
        let (counting, other) = all.partition(|held| held.reading.terms.covers(operators, purposes));
        Readings { counting, other }
    }

    /// One of them is over since `at`; returns whether that is new.
    pub(crate) fn end(&mut self, id: &str, at: Timestamp) -> bool {
        let found = self.counting.iter_mut().chain(&mut self.other).find(|held| held.reading.id == id);
        let Some(held) = found.filter(|held| held.over().is_none_or(|over| at < over)) else { return false };
        held.ended = Some(at);
        true
    }

    /// All of them, each with the moment at which it is over.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Reading, Option<Timestamp>)> {
        self.counting.iter().map(|held| (&held.reading, held.over()))
    }

    /// When those are over that ask less. (What asks more stays: within one call nothing is relaxed.)
    pub(crate) fn ends(&self) -> impl Iterator<Item = Timestamp> {
        self.counting.iter().filter(|held| held.reading.terms.instead_of.is_some()).filter_map(Held::over)
    }

    /// Whether one that asks less of a place is over at `at`: from then on, the table's own rule counts beside it.
    pub(crate) fn are_over(&self, code: Code, at: Timestamp) -> bool {
        let mut of = self.counting.iter().filter(|held| held.reading.terms.code == code);
        of.any(|held| held.reading.terms.instead_of.is_some() && held.over().is_some_and(|over| over <= at))
    }

    /// Those that are about a place, each with the moment at which it is over.
    pub(crate) fn about(&self, code: Code) -> impl Iterator<Item = (&Reading, Option<Timestamp>)> {
        self.iter().filter(move |(reading, _)| reading.terms.code == code)
    }

    /// What a place asks of a call, with the readings.
    pub(crate) fn asks(
        &self,
        table: &Table,
        code: Code,
        medium: Medium,
        kind: Kind,
        at: Timestamp,
    ) -> Requirement {
        if self.counting.is_empty() {
            return table.asks(code, medium, kind, at).requirement;
        }
        let own = |row: &Row| match kind {
            Kind::Conversation => self.own(row, medium),
            Kind::Voicemail | Kind::Emergency => row.asks(medium, kind),
        };
        let asked = table.asks_but(code, medium, kind, at, own);
        if kind == Kind::Emergency {
            return asked.requirement;
        }
        // Those of the country count as its row does; where the strictest of its parts counts, so do theirs.
        let strictest = matches!(asked.basis, Basis::StrictestOf(_));
        let country = code.country();
        let counts = |of: Code| of == code || of == country || strictest && of.country() == country;
        let terms = self.counting.iter().map(|held| &held.reading.terms).filter(|terms| counts(terms.code));
        terms.fold(asked.requirement, |all, terms| all.and(terms.adds(medium)))
    }

    /// What the row of a place asks, as it is read: the strictest of several readings.
    fn own(&self, row: &Row, medium: Medium) -> Requirement {
        let of_place = || {
            let all = self.counting.iter().map(|held| &held.reading.terms);
            all.filter(|terms| terms.code == row.code && terms.instead_of.is_some())
        };
        let one = |medium| {
            let plain = row.asks(medium, Kind::Conversation);
            // One that the row has outrun brings the row back: whatever becomes stricter, nothing gets looser.
            let of_medium = of_place().filter(|terms| terms.is_of(medium));
            let read = of_medium.map(|terms| terms.in_place_of(&plain, medium).unwrap_or(plain));
            read.reduce(Requirement::and).unwrap_or(plain)
        };
        match medium {
            Medium::Telephone | Medium::Voip | Medium::Video => one(medium),
            Medium::Unknown => [Medium::Telephone, Medium::Voip, Medium::Video]
                .into_iter()
                .fold(Requirement::NOTHING, |all, medium| all.and(one(medium))),
        }
    }
}

/// How a reading would compare with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// It asks nothing less of any call: it can only add.
    Adds,
    /// It asks less of some call than the row, which asks this at least in each of its media.
    Loosens(Asks),
    /// It asks less than what applies without a row, and only a row can be read otherwise.
    NoRow,
}

/// Whether a reading asks less of any call than the table, by meaning, on the day of `at`.
#[must_use]
pub fn compare(table: &Table, terms: &Terms, at: Timestamp) -> Compared {
    let media = [Medium::Telephone, Medium::Voip, Medium::Video];
    let covered = || media.into_iter().filter(|medium| terms.is_of(*medium));
    let Some(row) = table.row(terms.code, at) else {
        let asks = |medium| table.asks(terms.code, medium, Kind::Conversation, at).requirement;
        let less = covered().any(|medium| !terms.asks.is_at_least(&asks(medium)));
        return if less { Compared::NoRow } else { Compared::Adds };
    };
    let asked = || covered().map(|medium| row.asks(medium, Kind::Conversation));
    if asked().all(|asked| terms.asks.is_at_least(&asked)) {
        return Compared::Adds;
    }
    // Where the media differ, it was read against the least of them: it never stands in for more than is asked of each
    // today, and a medium that asks more needs a reading of its own.
    let least = asked().map(|asked| asked.strictness).min().unwrap_or(Strictness::One);
    Compared::Loosens(Asks {
        parties: least.parties(),
        form: least.form(),
        announcement_must_be_recorded: asked().all(|asked| asked.announcement_must_be_recorded),
    })
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString as _};
    use alloc::sync::Arc;
    use alloc::vec;
    use alloc::vec::Vec;

    use jiff::{SignedDuration, Timestamp};

    use super::{Asks, Compared, Reading, Terms, compare};
    use crate::fact::{Event, Joined, Kind, Medium, Method, Opened, Role, Settings, What};
    use crate::place::{Code, Evidence, Place};
    use crate::rule::{Form, Parties, Requirement};
    use crate::table::Table;
    use crate::told::{Purpose, Purposes};
    use crate::{Call, Standing};

    const RULES: [(&str, Parties, Form); 3] = [
        ("parties = \"one\"\nform = \"none\"", Parties::One, Form::None),
        ("parties = \"all\"\nform = \"notice\"", Parties::All, Form::Notice),
        ("parties = \"all\"\nform = \"express\"", Parties::All, Form::Express),
    ];

    fn code(text: &str) -> Code {
        text.parse().unwrap()
    }

    fn row(code: &str, rule: &str, more: &str) -> String {
        format!(
            "[[jurisdiction]]\ncode = \"{code}\"\nname = \"{code}\"\n{rule}\n{more}\ncitations = [\"A § 1\"]\n\
             summary = \"s\"\nconfidence = \"low\"\nreviewed = false\n"
        )
    }

    fn table(rows: &[String]) -> Arc<Table> {
        let head = "[default]\nparties = \"all\"\nform = \"express\"\n[evidence]\n\
            declared = { parties = \"one\", form = \"none\" }\nip = { parties = \"all\", form = \"notice\" }\n\
            number = { parties = \"all\", form = \"notice\" }\n";
        Arc::new(
            Table::parse(&format!("{head}{}", rows.concat())).unwrap_or_else(|problems| panic!("{problems}")),
        )
    }

    fn noon() -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    fn terms(place: &str, parties: Parties, form: Form, announcement_must_be_recorded: bool) -> Terms {
        Terms {
            code: code(place),
            operator: code("US-NY"),
            asks: Asks { parties, form, announcement_must_be_recorded },
            media: Vec::new(),
            purposes: Purposes::NONE,
            instead_of: None,
            until: None,
            text: String::new(),
        }
    }

    fn named(number: usize, terms: Terms) -> Reading {
        Reading { id: number.to_string(), terms }
    }

    fn open(table: &Arc<Table>, place: &str, medium: Medium, kind: Kind, readings: &[Reading]) -> Call {
        let person = |number, role| Joined {
            places: vec![Place::new(code(place), Evidence::Declared)],
            ..Joined::new(number, role)
        };
        let opened = Opened {
            medium,
            kind,
            started_at: noon(),
            recorder_locations: Vec::new(),
            operator_locations: vec![code("US-NY")],
            purposes: Purposes::NONE.with(Purpose::Evidence),
            overlays: Vec::new(),
            readings: readings.to_vec(),
            // So that what is asked of an emergency call is what rows say.
            settings: Settings { public_safety: kind == Kind::Emergency, ..Settings::default() },
            participants: vec![person(0, Role::Customer), person(1, Role::Agent)],
        };
        Call::open(table, noon(), opened)
    }

    fn asked(
        table: &Arc<Table>,
        place: &str,
        medium: Medium,
        kind: Kind,
        readings: &[Reading],
    ) -> Requirement {
        open(table, place, medium, kind, readings).requirement(noon())
    }

    /// Every rule of the country and the state, every reading of either, in every medium.
    #[test]
    fn what_one_person_may_state_asks_nothing_less_of_any_call_and_the_rest_only_of_its_place() {
        let media = [Medium::Telephone, Medium::Voip, Medium::Video, Medium::Unknown];
        let calls = [Kind::Conversation, Kind::Voicemail, Kind::Emergency];
        let (mut adding, mut loosening) = (0, 0);
        for (country, ..) in RULES {
            for (state, ..) in RULES {
                for more in [
                    "",
                    "announcement_must_be_recorded = true",
                    "media.video = { form = \"express\", parties = \"all\" }",
                ] {
                    let table = table(&[
                        row("US", country, "unknown_subdivision = \"strictest\""),
                        row("US-TX", state, more),
                        row("US-NY", RULES[0].0, ""),
                    ]);
                    for (_, parties, form) in RULES {
                        for (place, announced, of) in [
                            ("US-TX", false, Vec::new()),
                            ("US-TX", true, Vec::new()),
                            ("US", false, Vec::new()),
                            ("US-TX", false, vec![Medium::Video]),
                        ] {
                            let stated = Terms { media: of, ..terms(place, parties, form, announced) };
                            let instead_of = match compare(&table, &stated, noon()) {
                                Compared::Adds => None,
                                Compared::Loosens(instead_of) => Some(instead_of),
                                Compared::NoRow => panic!("it has a row"),
                            };
                            let reading = [named(0, Terms { instead_of, ..stated.clone() })];
                            for at in ["US-TX", "US", "US-NY", "US-CA", "FR"] {
                                for (medium, kind) in
                                    media.iter().flat_map(|m| calls.iter().map(|k| (*m, *k)))
                                {
                                    let plain = asked(&table, at, medium, kind, &[]);
                                    let read = asked(&table, at, medium, kind, &reading);
                                    if instead_of.is_none() {
                                        assert!(
                                            read.is_at_least(&plain),
                                            "{stated:?} {at} {medium:?} {kind:?}"
                                        );
                                        adding += 1;
                                    } else if at != place || kind != Kind::Conversation {
                                        assert_eq!(read, plain, "{stated:?} {at} {medium:?} {kind:?}");
                                    }
                                    loosening += usize::from(!read.is_at_least(&plain));
                                }
                            }
                        }
                    }
                }
            }
        }
        assert!(adding > 1_000 && loosening > 50, "{adding} {loosening}");
    }

    fn looser() -> Terms {
        let instead_of =
            Some(Asks { parties: Parties::All, form: Form::Notice, announcement_must_be_recorded: false });
        Terms { instead_of, ..terms("US-TX", Parties::One, Form::None, false) }
    }

    fn texas(rule: usize, more: &str) -> Arc<Table> {
        table(&[row("US", RULES[0].0, ""), row("US-TX", RULES[rule].0, more), row("US-NY", RULES[0].0, "")])
    }

    fn on(table: &Arc<Table>, terms: Terms) -> &'static str {
        let asked = asked(table, "US-TX", Medium::Telephone, Kind::Conversation, &[named(0, terms)]);
        asked.by_purpose.of(Purposes::NONE.with(Purpose::Evidence)).form().as_str()
    }

    #[test]
    fn what_asks_less_counts_only_where_operator_purpose_medium_and_rule_are_what_it_says() {
        let notice = texas(1, "");
        assert_eq!(on(&notice, looser()), "none");
        assert_eq!(on(&notice, Terms { operator: code("US"), ..looser() }), "notice");
        let only = |purpose| Purposes::NONE.with(purpose);
        assert_eq!(on(&notice, Terms { purposes: only(Purpose::Evidence), ..looser() }), "none");
        assert_eq!(on(&notice, Terms { purposes: only(Purpose::Quality), ..looser() }), "notice");
        assert_eq!(on(&notice, Terms { media: vec![Medium::Voip], ..looser() }), "notice");
        // The row asks more than what was read, in one respect or the other.
        assert_eq!(on(&texas(2, ""), looser()), "express");
        let announced = texas(1, "announcement_must_be_recorded = true");
        assert_eq!(on(&announced, looser()), "notice");
        // What a prompt has to say, holds and retention are nobody's to read otherwise.
        let more =
            "prompt_says = [\"recording\"]\non_hold = \"not-recorded\"\nretention = { minimum = \"1 year\" }";
        let table = texas(1, more);
        let plain = asked(&table, "US-TX", Medium::Telephone, Kind::Conversation, &[]);
        let read = asked(&table, "US-TX", Medium::Telephone, Kind::Conversation, &[named(0, looser())]);
        assert_eq!((read.says, read.on_hold, read.retention), (plain.says, plain.on_hold, plain.retention));
        assert_eq!(read.form(), Form::None);
    }

    #[test]
    fn of_several_readings_the_strictest_counts() {
        let table = texas(2, "");
        let instead_of =
            Some(Asks { parties: Parties::All, form: Form::Express, announcement_must_be_recorded: false });
        let one = named(0, Terms { instead_of, ..looser() });
        let two = named(1, Terms { instead_of, ..terms("US-TX", Parties::All, Form::Notice, false) });
        let of = |readings: &[Reading]| {
            asked(&table, "US-TX", Medium::Telephone, Kind::Conversation, readings).form()
        };
        assert_eq!(of(core::slice::from_ref(&one)), Form::None);
        assert_eq!(of(&[one.clone(), two.clone()]), Form::Notice);
        assert_eq!(of(&[two, one]), Form::Notice);
    }

    #[test]
    fn from_its_end_the_table_is_followed_and_what_was_before_stays_lawful() {
        let table = texas(1, "");
        let after = |seconds| noon() + SignedDuration::from_secs(seconds);
        for ended in [false, true] {
            let until = (!ended).then_some(after(60));
            let mut call = open(
                &table,
                "US-TX",
                Medium::Telephone,
                Kind::Conversation,
                &[named(0, Terms { until, ..looser() })],
            );
            let yes = What::ConsentGiven { participants: vec![1], method: Method::Click };
            call.apply(&Event { received_at: after(1), at: None, what: yes });
            let start = What::Control(crate::Control::Start);
            call.apply(&Event { received_at: after(2), at: None, what: start });
            assert_eq!(call.standing(after(59)), Standing::Lawful);
            if ended {
                call.reading_ends("0", after(60), after(70));
                // Never again later than that.
                call.reading_ends("0", after(65), after(71));
            }
            let call = call.at(after(80));
            assert_eq!(call.standing(after(59)), Standing::Lawful);
            assert_ne!(call.standing(after(60)), Standing::Lawful);
            assert!(!call.is_granted());
            assert_eq!(call.windows()[0].until.unwrap().0, after(if ended { 70 } else { 60 }));
            let decision = call.decide(after(80));
            assert_eq!(decision.readings, [("0".to_string(), Some(after(60)))]);
            let because = format!("{:?}", decision.because);
            assert!(because.contains("is over since"), "{because}");
            // Somebody who is found there later is asked by the table, too.
            assert_eq!(call.asks_of(code("US-TX")).form(), Form::Notice);
        }
    }
}
