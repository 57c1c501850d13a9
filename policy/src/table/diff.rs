//! What changes in meaning from one table to another, place by place and date by date.
//!
//! Comments and order do not count. A change is *looser* if some call would be asked less, and *stricter* if
//! some call would be asked more; it may be both, in different media. What is compared is what a place
//! finally asks of a call, its country and the evidence included, not what its row says: removing a row that
//! repeats what its country asks changes nothing.
//!
//! # Why one person may publish what only tightens
//!
//! What is asked of a call is a [`Requirement`], and requirements form a lattice: each of its parts is ordered from
//! the looser to the stricter (strictness for each purpose, flags, sets of words, periods), [`Requirement::and`] is the
//! join in every part, and a call is asked the join of all its rules. Two facts carry the claim:
//!
//! 1. *Monotony*: a call that is open under a requirement is open under every looser one. It holds because a
//!    decision asks each part only whether the facts reach it.
//! 2. *The lemma*: if for every place, date, medium, kind and evidence the new table asks at least what the old one did,
//!    beside whatever else the same call is asked, then every call is asked at least as much as before: the join of larger
//!    parts is larger. [`Diff::between`] compares just that, beside the least that a call is asked anyway.
//!
//! So what is called looser by nothing opens no call. The tests of this module try it for every pair of rules that the
//! words of a row can make, on every call of two people that these words can tell apart; what a call may do, they ask
//! [`Call`](crate::call::Call), which knows nothing of this module. The other way round, [`Diff::shown`] looks for calls
//! that show what is called looser.

mod witness;

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use alloc::vec::Vec;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::decision::{adds, words};
use crate::fact::{Kind, Medium};
use crate::place::{Code, Evidence};
use crate::rule::{OnHold, Requirement, Strictness};
use crate::table::{Citation, Overlay, Row, Source, Table};

pub use witness::{FICTION, Facts};

/// What changes from one table to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "TableDiff"))]
pub struct Diff {
    /// The SHA-256 of the old table, in hexadecimal.
    pub from: String,
    /// The SHA-256 of the new one, in hexadecimal.
    pub to: String,
    /// Whether any call would be asked less.
    pub loosens: bool,
    /// Whether any call would be asked more.
    pub tightens: bool,
    /// Every change.
    pub changes: Vec<Change>,
}

/// A change of one place, one evidence, one overlay or the default, over one stretch of days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "TableChange"))]
pub struct Change {
    /// What changes.
    #[serde(flatten)]
    pub subject: Subject,
    /// Its name, for people. Left out if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The first day; null if there is none.
    pub from: Option<Date>,
    /// The last day; null if there is none.
    pub to: Option<Date>,
    /// Which way it goes.
    pub direction: Direction,
    /// Where what a place is asked changes although its own row does not: which other row does it. Left out
    /// where the row itself changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What was asked and what would be, by medium and kind of call; for a change of wording, the old and the
    /// new words.
    pub points: Vec<Point>,
}

/// What a change is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "TableChangeOf"))]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// Somebody whose place is not known, and every place without a row.
    Default(Everywhere),
    /// Places that rest on this evidence.
    Evidence(Evidence),
    /// A place.
    Place(Code),
    /// An overlay.
    Overlay(String),
}

/// Stands for every place without a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Everywhere;

impl Serialize for Everywhere {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(EVERYWHERE)
    }
}

impl<'de> Deserialize<'de> for Everywhere {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Everywhere, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            EVERYWHERE => Ok(Everywhere),
            other => Err(serde::de::Error::custom(format!("`{other}` is not `{EVERYWHERE}`"))),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Everywhere {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "Everywhere".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "const": EVERYWHERE})
    }
}

const EVERYWHERE: &str = "wherever nothing is known";

/// Which way a change goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "TableChangeDirection"))]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// More is asked.
    Stricter,
    /// Less is asked.
    Looser,
    /// More in one respect, and less in another.
    Both,
    /// The same is asked, in other words.
    Wording,
}

impl Direction {
    /// The word used in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Stricter => "stricter",
            Direction::Looser => "looser",
            Direction::Both => "both",
            Direction::Wording => "wording",
        }
    }

    /// The direction of a change in these calls, each given by what else it is asked, before and after: some
    /// call is asked less, or some call is asked more. A change is hidden in a call that asks as much anyway;
    /// one that is hidden in every call does not count.
    fn of(
        old: &Requirement,
        new: &Requirement,
        calls: impl IntoIterator<Item = (Requirement, Requirement)>,
    ) -> Option<Direction> {
        if old == new {
            return None;
        }
        let (mut loosens, mut tightens) = (false, false);
        for (before, after) in calls {
            loosens = loosens || !new.and(after).is_at_least(old);
            tightens = tightens || !old.and(before).is_at_least(new);
        }
        match (loosens, tightens) {
            (false, false) => None,
            (false, true) => Some(Direction::Stricter),
            (true, false) => Some(Direction::Looser),
            (true, true) => Some(Direction::Both),
        }
    }

    fn and(self, other: Direction) -> Direction {
        match (self, other) {
            (Direction::Wording, other) => other,
            (this, Direction::Wording) => this,
            (this, other) if this == other => this,
            _ => Direction::Both,
        }
    }

    /// Whether less is asked of anything.
    #[must_use]
    pub fn loosens(self) -> bool {
        matches!(self, Direction::Looser | Direction::Both)
    }

    /// Whether more is asked of anything.
    #[must_use]
    pub fn tightens(self) -> bool {
        matches!(self, Direction::Stricter | Direction::Both)
    }
}

/// One respect in which something changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "TableChangePoint"))]
pub struct Point {
    /// The calls, or the key of the row.
    pub of: String,
    /// Which way.
    pub direction: Direction,
    /// What was asked, in words.
    pub before: String,
    /// What would be asked, in words.
    pub after: String,
    /// If less is asked, a call that shows it, as `consent-gateway decide` takes it: the smallest that was found. It is
    /// blocked before and permitted after, or else asked less. Left out if none was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_by: Option<Facts>,
}

impl Diff {
    /// What changes from `old` to `new`.
    #[must_use]
    pub fn between(old: &Table, new: &Table) -> Diff {
        let both = Both { old, new };
        let mut changes: Vec<Change> = both.default().into_iter().collect();
        changes.extend(both.evidence());
        changes.extend(both.places());
        changes.extend(both.overlays());
        Diff {
            from: old.digest().to_owned(),
            to: new.digest().to_owned(),
            loosens: changes.iter().any(|change| change.direction.loosens()),
            tightens: changes.iter().any(|change| change.direction.tightens()),
            changes,
        }
    }

    /// The same, with a call for each point that loosens something, if one is found that shows it. `old` and `new` are
    /// the tables that were compared.
    #[must_use]
    pub fn shown(mut self, old: &Arc<Table>, new: &Arc<Table>) -> Diff {
        for Change { subject, from, to, points, .. } in &mut self.changes {
            for point in points.iter_mut().filter(|point| point.direction.loosens()) {
                point.shown_by = witness::of(old, new, subject, (*from, *to), point);
            }
        }
        self
    }

    /// Whether nothing changes, not even the wording.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

struct Both<'t> {
    old: &'t Table,
    new: &'t Table,
}

/// A kind of call, for which what is asked is compared.
type Sort = (Medium, Kind);

impl Both<'_> {
    fn default(&self) -> Option<Change> {
        let points = points(|sort| self.default_point(sort));
        change(Subject::Default(Everywhere), None, (None, None), points)
    }

    /// What changes of the default for one sort of calls.
    fn default_point(&self, (medium, kind): Sort) -> Option<Point> {
        let nothing_beside = [(Requirement::NOTHING, Requirement::NOTHING)];
        let (old, new) = (self.old.default_asks(medium, kind), self.new.default_asks(medium, kind));
        point("", &old, &new, nothing_beside)
    }

    /// Changes of floors that show for some place: a floor that every place exceeds decides nothing.
    fn evidence(&self) -> Vec<Change> {
        let all = [Evidence::Number, Evidence::Ip, Evidence::Declared].into_iter();
        let changes = all.filter_map(|evidence| {
            let floor = |table: &Table| Requirement::from(table.floor(evidence));
            let moments = self.moments().into_iter().chain(nowhere());
            let places = moments.flat_map(|(code, from)| {
                let sorts = SORTS.into_iter().filter(|(_, kind)| *kind != Kind::Emergency);
                sorts.map(move |(medium, kind)| {
                    let asks = |table: &Table| table.asks(code, medium, kind, begins(from)).requirement;
                    (asks(self.old), asks(self.new))
                })
            });
            let point = point("every call", &floor(self.old), &floor(self.new), places)?;
            change(Subject::Evidence(evidence), None, (None, None), alloc::vec![point])
        });
        changes.collect()
    }

    fn places(&self) -> Vec<Change> {
        let mut days: BTreeMap<Code, Vec<Option<Date>>> = BTreeMap::new();
        for (code, from) in self.moments() {
            days.entry(code).or_default().push(from);
        }
        let mut changes = Vec::new();
        for (code, days) in days {
            let found = stretches(&days).into_iter().filter_map(|(from, to)| self.place(code, from, to));
            changes.extend(joined(found));
        }
        changes
    }

    /// What changes for a place between two days, between which nothing else changes.
    fn place(&self, code: Code, from: Option<Date>, to: Option<Date>) -> Option<Change> {
        let at = begins(from);
        let (old, new) = (self.old.row(code, at), self.new.row(code, at));
        let mut points = points(|sort| self.place_point(code, at, sort));
        if points.is_empty() {
            points = match (old, new) {
                (Some(old), Some(new)) => row_wording(old, new),
                (None, Some(_)) => alloc::vec![said("row", "none", "one that asks what held before")],
                (Some(_), None) => {
                    alloc::vec![said("row", "one", "none, and what holds without it asks the same")]
                }
                (None, None) => Vec::new(),
            };
        } else if let (Some(old), Some(new)) = (old, new) {
            points.extend(wording(&old.name, &new.name, &old.source, &new.source));
        }
        let name = new.or(old).map(|row| row.name.clone());
        let name = name.or_else(|| crate::atlas::name(code).map(ToOwned::to_owned));
        let mut change = change(Subject::Place(code), name, (from, to), points)?;
        if change.direction != Direction::Wording && is_same_rule(old, new) {
            change.why = self.elsewhere(code, at);
        }
        Some(change)
    }

    /// What changes for a place on a day for one sort of calls.
    fn place_point(&self, code: Code, at: Timestamp, (medium, kind): Sort) -> Option<Point> {
        let asks = |table: &Table| table.asks(code, medium, kind, at).requirement;
        let mut point = point("", &asks(self.old), &asks(self.new), self.leasts((medium, kind)))?;
        for (table, text) in [(self.old, &mut point.before), (self.new, &mut point.after)] {
            if table.row(code, at).is_none() {
                *text = format!("without a row of its own: {text}");
            }
        }
        Some(point)
    }

    /// Which other row changes what a place is asked, while its own stays as it is.
    fn elsewhere(&self, code: Code, at: Timestamp) -> Option<String> {
        let changed = |code: &Code| !is_same_rule(self.old.row(*code, at), self.new.row(*code, at));
        let country = code.country();
        if !code.is_country() && changed(&country) {
            return Some(format!(
                "the row of `{code}` stays as it is; `{country}`, its country, counts beside it and changes"
            ));
        }
        let of = |table: &Table| table.subdivisions(country).collect::<Vec<_>>();
        let parts: BTreeSet<Code> = of(self.old)
            .into_iter()
            .chain(of(self.new))
            .filter(|part| *part != code)
            .filter(changed)
            .collect();
        let named: Vec<String> = parts.iter().take(MOST_NAMED).map(|part| format!("`{part}`")).collect();
        let more = match parts.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (!named.is_empty()).then(|| {
            let named = named.join(", ");
            format!(
                "the row of `{code}` stays as it is; where the state is not known the strictest of `{country}` counts, and {named}{more} changes"
            )
        })
    }

    /// The least that a call asks beside a place: somebody is on it, there or elsewhere, and the floor of
    /// their evidence, or the default if nothing is known about them, is asked in any case.
    fn leasts(&self, (medium, kind): Sort) -> impl Iterator<Item = (Requirement, Requirement)> {
        let floors = [Evidence::Declared, Evidence::Ip, Evidence::Number]
            .map(|evidence| (self.old.floor_asks(evidence, kind), self.new.floor_asks(evidence, kind)));
        let unknown = (self.old.default_asks(medium, kind), self.new.default_asks(medium, kind));
        floors.into_iter().chain([unknown])
    }

    fn overlays(&self) -> Vec<Change> {
        let ids: BTreeSet<&str> =
            self.old.overlays().chain(self.new.overlays()).map(|overlay| overlay.id.as_str()).collect();
        ids.into_iter().flat_map(|id| self.overlay(id)).collect()
    }

    fn overlay(&self, id: &str) -> Vec<Change> {
        let (old, new) = (self.old.overlay_history(id), self.new.overlay_history(id));
        let name = new.last().or(old.last()).map(|overlay| overlay.name.clone());
        // Nobody can have chosen a new overlay; those who chose a removed one lose its rules.
        let whole = |direction, before: &str, after: &str| {
            let point = Point {
                of: "every call that names it".into(),
                direction,
                before: before.into(),
                after: after.into(),
                shown_by: None,
            };
            let (subject, points) = (Subject::Overlay(id.to_owned()), alloc::vec![point]);
            Change { subject, name: name.clone(), from: None, to: None, direction, why: None, points }
        };
        let described = |history: &[Overlay]| history.last().map_or(String::new(), |last| adds(&last.asks));
        match (old, new) {
            ([], new) => return alloc::vec![whole(Direction::Stricter, "no such overlay", &described(new))],
            (old, []) => {
                return alloc::vec![whole(Direction::Looser, &described(old), "no such overlay")];
            }
            _ => {}
        }
        let days = boundaries(old.iter().chain(new).map(|one| (one.effective_from, one.effective_to)));
        let found = stretches(&days).into_iter().filter_map(|(from, to)| {
            let at = begins(from);
            let (old, new) = (self.old.overlay(id, at), self.new.overlay(id, at));
            let asks =
                |overlay: Option<&Overlay>| overlay.map_or(Requirement::NOTHING, |overlay| overlay.asks);
            let calls = self.calls(from, to);
            let (before, after) = (asks(old), asks(new));
            let mut points: Vec<Point> = Direction::of(&before, &after, calls)
                .map(|direction| Point {
                    of: "every call that names it".into(),
                    direction,
                    before: in_full(adds(&before), &before, &after),
                    after: in_full(adds(&after), &after, &before),
                    shown_by: None,
                })
                .into_iter()
                .collect();
            if let (Some(old), Some(new)) = (old, new) {
                points.extend(wording(&old.name, &new.name, &old.source, &new.source));
            }
            change(Subject::Overlay(id.to_owned()), name.clone(), (from, to), points)
        });
        joined(found)
    }

    /// What calls between two days ask before any overlay, by who is on them: somebody about whom nothing is
    /// known, or who is at a place by some evidence.
    fn calls(
        &self,
        from: Option<Date>,
        to: Option<Date>,
    ) -> impl Iterator<Item = (Requirement, Requirement)> {
        let moments = self.moments().into_iter().chain(nowhere());
        let meanwhile = moments.filter(move |(_, day)| to.is_none_or(|to| day.is_none_or(|day| day <= to)));
        let places = meanwhile.flat_map(move |(code, day)| {
            let at = begins(day.max(from));
            SORTS.into_iter().flat_map(move |(medium, kind)| {
                let asks = move |table: &Table| table.asks(code, medium, kind, at).requirement;
                [Evidence::Declared, Evidence::Ip, Evidence::Number].map(|evidence| {
                    let on = |table: &Table| asks(table).and(table.floor_asks(evidence, kind));
                    (on(self.old), on(self.new))
                })
            })
        });
        let unknown = SORTS
            .map(|(medium, kind)| (self.old.default_asks(medium, kind), self.new.default_asks(medium, kind)));
        unknown.into_iter().chain(places)
    }

    /// Every place with a row in either table, and the days on which what it asks may change: its own, its
    /// country's, and, if the strictest subdivision counts for one without a row, those of the country's
    /// subdivisions.
    fn moments(&self) -> Vec<(Code, Option<Date>)> {
        let codes: BTreeSet<Code> =
            self.old.histories().chain(self.new.histories()).map(|(code, _)| code).collect();
        let mut moments = Vec::new();
        for code in codes {
            let mut rows: Vec<&Row> = Vec::new();
            for table in [self.old, self.new] {
                rows.extend(table.history(code).iter().chain(table.history(code.country())));
                let country = code.country();
                if table.history(country).iter().any(|row| row.strictest_when_unknown) {
                    rows.extend(table.subdivisions(country).flat_map(|code| table.history(code)));
                }
            }
            let days = boundaries(rows.iter().map(|row| (row.effective_from, row.effective_to)));
            moments.extend(days.into_iter().map(|day| (code, day)));
        }
        moments
    }
}

/// The first days of the stretches into which these dates cut time; `None` is the beginning of time.
fn boundaries(dates: impl Iterator<Item = (Option<Date>, Option<Date>)>) -> Vec<Option<Date>> {
    let mut days: BTreeSet<Option<Date>> = BTreeSet::from([None]);
    for (from, to) in dates {
        days.insert(from);
        days.extend(to.and_then(|to| to.tomorrow().ok()).map(Some));
    }
    days.into_iter().collect()
}

/// A place without a row: ISO 3166 leaves `ZZ` to its users.
fn nowhere() -> impl Iterator<Item = (Code, Option<Date>)> {
    "ZZ".parse().ok().map(|code| (code, None)).into_iter()
}

fn stretches(days: &[Option<Date>]) -> Vec<(Option<Date>, Option<Date>)> {
    let ends = days.iter().skip(1).map(|day| day.and_then(|day| day.yesterday().ok()));
    days.iter().copied().zip(ends.chain([None])).collect()
}

/// Changes of one subject in the order of time; those that follow each other and say the same become
/// one.
fn joined(changes: impl Iterator<Item = Change>) -> Vec<Change> {
    let mut joined: Vec<Change> = Vec::new();
    for change in changes {
        let follows = |last: &Change| last.to.and_then(|to| to.tomorrow().ok()) == change.from;
        match joined.last_mut() {
            Some(last) if follows(last) && last.points == change.points && last.why == change.why => {
                last.to = change.to;
            }
            _ => joined.push(change),
        }
    }
    joined
}

fn change(
    subject: Subject,
    name: Option<String>,
    (from, to): (Option<Date>, Option<Date>),
    points: Vec<Point>,
) -> Option<Change> {
    let direction = points.iter().map(|point| point.direction).reduce(Direction::and)?;
    Some(Change { subject, name, from, to, direction, why: None, points })
}

/// What changes by kind of call; kinds with the same change become one point.
fn points(found: impl Fn(Sort) -> Option<Point>) -> Vec<Point> {
    let mut grouped: Vec<(Vec<Sort>, Point)> = Vec::new();
    for sort in SORTS {
        let Some(found) = found(sort) else { continue };
        match grouped.iter_mut().find(|(_, known)| *known == found) {
            Some((sorts, _)) => sorts.push(sort),
            None => grouped.push((alloc::vec![sort], found)),
        }
    }
    grouped.into_iter().map(|(sorts, point)| Point { of: sorts_in_words(&sorts), ..point }).collect()
}

fn point(
    of: &str,
    old: &Requirement,
    new: &Requirement,
    calls: impl IntoIterator<Item = (Requirement, Requirement)>,
) -> Option<Point> {
    let direction = Direction::of(old, new, calls)?;
    Some(Point {
        of: of.into(),
        direction,
        before: in_full(words(old), old, new),
        after: in_full(words(new), new, old),
        shown_by: None,
    })
}

/// A requirement in words, with what words alone would hide beside `other`.
fn in_full(text: String, requirement: &Requirement, other: &Requirement) -> String {
    // What follows from the strictness is left out.
    let both = |asks: fn(&Requirement) -> bool| asks(requirement) && asks(other);
    let mut text = if both(|one| one.forbidden) {
        let allowed = Requirement { forbidden: false, ..*requirement };
        format!("recording is forbidden; were it not, {}", words(&allowed))
    } else {
        text
    };
    let announced = both(|one| one.announcement_must_be_recorded);
    if announced && requirement.waived_by_written != other.waived_by_written {
        text.push_str(match requirement.waived_by_written {
            true => "; written consent is accepted instead of the recorded announcement",
            false => "; written consent is not accepted instead of a recorded announcement",
        });
    }
    let express = both(|one| one.strictness == Strictness::Express);
    if express && requirement.works_agreement_is_express != other.works_agreement_is_express {
        text.push_str(match requirement.works_agreement_is_express {
            true => "; a works agreement counts as an express yes",
            false => "; a works agreement alone is not an express yes",
        });
    }
    let told = both(|one| one.strictness != Strictness::One || one.announcement_must_be_recorded);
    if told && requirement.tone != other.tone && requirement.tone_seconds().is_none() {
        text.push_str(match requirement.tone {
            crate::rule::Tone::Refused => "; a tone is not enough",
            crate::rule::Tone::Indifferent | crate::rule::Tone::Every(_) => "; a tone is not asked for",
        });
    }
    if requirement.on_hold != other.on_hold {
        match requirement.on_hold {
            OnHold::NotCounted => {
                text.push_str("; whoever is on hold does not count, and need not have agreed then");
            }
            OnHold::Account => {
                text.push_str("; whether somebody on hold counts as on the call is left to the account");
            }
            OnHold::Counted | OnHold::NotRecorded => {}
        }
    }
    text
}

fn sorts_in_words(sorts: &[Sort]) -> String {
    let media = |kind| -> Vec<&str> {
        sorts.iter().filter(|(_, of)| *of == kind).map(|(medium, _)| medium_word(*medium)).collect()
    };
    let (conversation, voicemail) = (media(Kind::Conversation), media(Kind::Voicemail));
    let named = |media: &[&str], what: &str| match media.len() {
        3 => what.to_owned(),
        _ => format!("{what} by {}", media.join(" and ")),
    };
    let mut parts = Vec::new();
    if conversation == voicemail && !conversation.is_empty() {
        parts.push(named(&conversation, "every call"));
    } else {
        if !conversation.is_empty() {
            parts.push(named(&conversation, "conversations"));
        }
        if !voicemail.is_empty() {
            parts.push(named(&voicemail, "voicemail"));
        }
    }
    if sorts.iter().any(|(_, kind)| *kind == Kind::Emergency) {
        parts.push("emergency calls at a public-safety answering point".into());
    }
    parts.join(", and ")
}

fn medium_word(medium: Medium) -> &'static str {
    match medium {
        Medium::Telephone => "telephone",
        Medium::Voip => "voip",
        Medium::Video => "video",
        Medium::Unknown => "an unknown medium",
    }
}

/// Whether two rows say the same of calls, in the same way.
fn is_same_rule(old: Option<&Row>, new: Option<&Row>) -> bool {
    let rule =
        |row: &Row| (row.rule, row.media, row.voicemail, row.public_safety, row.strictest_when_unknown);
    match (old, new) {
        (Some(old), Some(new)) => {
            let kinds = [Kind::Conversation, Kind::Voicemail];
            rule(old) == rule(new)
                && kinds
                    .iter()
                    .all(|kind| old.asks(Medium::Unknown, *kind) == new.asks(Medium::Unknown, *kind))
        }
        (None, None) => true,
        _ => false,
    }
}

fn row_wording(old: &Row, new: &Row) -> Vec<Point> {
    let mut points = wording(&old.name, &new.name, &old.source, &new.source);
    // The same is asked, but the row is written differently.
    if points.is_empty() && !is_same_rule(Some(old), Some(new)) {
        points.push(said("rule", "written one way", "written another way that asks the same"));
    }
    points
}

fn wording(old_name: &str, new_name: &str, old: &Source, new: &Source) -> Vec<Point> {
    let reviewed = |source: &Source| {
        source.reviewed.as_ref().map_or("by nobody".to_string(), |review| {
            let next = review.next.map(|next| format!(", next by {next}")).unwrap_or_default();
            let entered = review.entered_by.as_ref().map(|who| format!(", entered by {who}"));
            let of = review.hash.as_ref().map(|hash| format!(" (hash {hash})")).unwrap_or_default();
            format!("by {} on {}{of}{next}{}", review.by, review.on, entered.unwrap_or_default())
        })
    };
    let pairs = [
        ("name", old_name.to_owned(), new_name.to_owned()),
        ("summary", old.summary.clone(), new.summary.clone()),
        ("citations", cited(&old.citations), cited(&new.citations)),
        ("pending", cited(&old.pending), cited(&new.pending)),
        ("confidence", old.confidence.as_str().to_owned(), new.confidence.as_str().to_owned()),
        ("reviewed", reviewed(old), reviewed(new)),
    ];
    pairs.iter().filter(|(_, old, new)| old != new).map(|(key, old, new)| said(key, old, new)).collect()
}

/// Citations with everything that is noted of them.
fn cited(citations: &[Citation]) -> String {
    let noted = |citation: &Citation| match &citation.says {
        Some(says) => format!("{citation}: {says}"),
        None => citation.to_string(),
    };
    match citations {
        [] => "nothing".to_string(),
        citations => citations.iter().map(noted).collect::<Vec<_>>().join("; "),
    }
}

fn said(of: &str, before: &str, after: &str) -> Point {
    let direction = Direction::Wording;
    Point { of: of.into(), direction, before: before.into(), after: after.into(), shown_by: None }
}

fn begins(day: Option<Date>) -> Timestamp {
    let start = day.and_then(|day| day.to_zoned(TimeZone::UTC).ok());
    start.map_or(Timestamp::MIN, |start| start.timestamp())
}

/// How many other rows a reason names.
const MOST_NAMED: usize = 3;

/// The sorts of calls that a table can tell apart. An unknown medium asks what all media ask
/// together, so that nothing changes for it that does not change for one of them.
const SORTS: [Sort; 7] = [
    (Medium::Telephone, Kind::Conversation),
    (Medium::Voip, Kind::Conversation),
    (Medium::Video, Kind::Conversation),
    (Medium::Telephone, Kind::Voicemail),
    (Medium::Voip, Kind::Voicemail),
    (Medium::Video, Kind::Voicemail),
    (Medium::Telephone, Kind::Emergency),
];

#[cfg(test)]
mod tests;
