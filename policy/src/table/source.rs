//! Where a rule comes from: what it cites, who has read it, and what is still open.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use jiff::civil::Date;
use jiff::{Span, ToSpan as _};
use serde::Serialize;

use super::{Dated, Problem, Severity, Table};

/// Where a rule comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Statutes, cases, regulators.
    pub citations: Arc<[Citation]>,
    /// Bills and cases that may change it.
    pub pending: Vec<Citation>,
    /// The rule in plain words.
    pub summary: String,
    /// How sure the compilers are.
    pub confidence: Confidence,
    /// Which lawyer has read it, and when.
    pub reviewed: Option<Review>,
}

impl Source {
    /// The last day on which any of what it cites was read; `None` if no day is known.
    #[must_use]
    pub fn last_read(&self) -> Option<Date> {
        self.citations.iter().filter_map(|citation| citation.read).max()
    }

    /// Whether it cites anything that was read in the statute, the decision or the regulator's own words.
    #[must_use]
    pub fn has_primary(&self) -> bool {
        self.citations.iter().any(|citation| citation.kind == Some(CitationKind::Primary))
    }

    /// The day by which this is to be read again, if it was read on `day`.
    pub(super) fn due(&self, day: Date) -> Option<Date> {
        day.checked_add(self.confidence.lasts().0).ok()
    }
}

/// A statute, a decision, a regulator's page, or something that writes about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Citation {
    /// What is cited.
    pub cite: String,
    /// Where it can be read. Left out if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether that is the source itself, or tells of it. Left out if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<CitationKind>,
    /// The day on which it was read for this table. Left out if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub read: Option<Date>,
    /// What it says, in the words of whoever read it. Left out if that is not noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
}

/// Those of `citations` that are the law itself, or are not known to be anything else; all of them if there is
/// none.
pub fn authorities(citations: &[Citation]) -> impl Iterator<Item = &str> {
    let is_authority = |citation: &Citation| citation.kind != Some(CitationKind::Secondary);
    let any = citations.iter().any(is_authority);
    let found = citations.iter().filter(move |citation| !any || is_authority(citation));
    found.map(|citation| citation.cite.as_str())
}

impl From<String> for Citation {
    fn from(cite: String) -> Citation {
        Citation { cite, url: None, kind: None, read: None, says: None }
    }
}

/// With its address, its kind and the day: `Penal Code § 632 <https://…> (primary, read on 2026-11-29)`.
impl fmt::Display for Citation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cite)?;
        if let Some(url) = &self.url {
            write!(f, " <{url}>")?;
        }
        match (self.kind, self.read) {
            (Some(kind), Some(day)) => write!(f, " ({}, read on {day})", kind.as_str()),
            (Some(kind), None) => write!(f, " ({})", kind.as_str()),
            (None, Some(day)) => write!(f, " (read on {day})"),
            (None, None) => Ok(()),
        }
    }
}

/// Whether a citation is the source itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CitationKind {
    /// The text of the statute, the decision or the regulator.
    Primary,
    /// Somebody who writes about it.
    Secondary,
}

impl CitationKind {
    /// The word used in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CitationKind::Primary => "primary",
            CitationKind::Secondary => "secondary",
        }
    }
}

/// How sure the compilers of a row are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Checked against the statute or a decision.
    High,
    /// Secondary sources agree.
    Medium,
    /// Doubtful, or not verified.
    Low,
}

impl Confidence {
    /// The word used in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Confidence::High => "high",
            Confidence::Medium => "medium",
            Confidence::Low => "low",
        }
    }

    /// After how long a row and its sources are read again, also in words.
    pub(super) fn lasts(self) -> (Span, &'static str) {
        match self {
            Confidence::High | Confidence::Medium => (12.months(), "12 months"),
            Confidence::Low => (6.months(), "6 months, since its confidence is low"),
        }
    }
}

/// Counsel has read a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Who.
    pub by: String,
    /// When.
    pub on: Date,
    /// When it is to be read again; `None` means a year later, or half a year if confidence is low.
    pub next: Option<Date>,
    /// Who wrote this down, if somebody else did.
    pub entered_by: Option<String>,
    /// The hash of the row as it was read; `None` if it was not noted.
    pub hash: Option<String>,
    /// The hash of the row as it is: the first 16 hexadecimal digits of a SHA-256 over all of its keys but
    /// `reviewed`. Order, comments and layout do not count.
    pub hash_now: String,
}

impl Review {
    /// Whether both say the same, whatever the row is like now.
    fn is_same(&self, other: &Review) -> bool {
        *self == Review { hash_now: self.hash_now.clone(), ..other.clone() }
    }

    /// Whether the row says something else than when it was read; `false` if that cannot be told.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.hash.as_ref().is_some_and(|hash| *hash != self.hash_now)
    }
}

/// How well a table is borne out: what those who keep it have to read.
///
/// Rows and overlays that no longer hold on the day that was asked about are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sourcing {
    /// Those that rest on something open: a bill, a case, a law that is yet to come into force.
    pub pending: Vec<Open>,
    /// Those that cite no statute, decision or regulator that was read itself.
    pub without_primary: Vec<String>,
    /// Those whose sources were last read more than 12 months before, or 6 if confidence is low.
    pub read_long_ago: Vec<ReadLongAgo>,
    /// Those of whose sources no day is known on which they were read.
    pub never_read: Vec<String>,
    /// Those that have changed since a lawyer read them.
    pub changed_since_review: Vec<String>,
}

/// What a row rests on and is still open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "PendingOf"))]
pub struct Open {
    /// The row or overlay: its code or id, with its first day if it has one.
    pub of: String,
    /// What is open.
    pub pending: Vec<Citation>,
}

/// A row whose sources were read long ago.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReadLongAgo {
    /// The row or overlay: its code or id, with its first day if it has one.
    pub of: String,
    /// The last day on which any of its sources was read.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub read: Date,
}

impl Table {
    /// How well the table is borne out on a day.
    #[must_use]
    pub fn sourcing(&self, today: Date) -> Sourcing {
        let mut found = Sourcing::default();
        for (code, history) in self.histories() {
            let sources = history.iter().map(|row| (row as &dyn Dated, &row.source));
            found.read(&code.to_string(), &sources.collect::<Vec<_>>(), today);
        }
        for (id, history) in &self.overlays {
            let sources = history.iter().map(|overlay| (overlay as &dyn Dated, &overlay.source));
            found.read(id, &sources.collect::<Vec<_>>(), today);
        }
        found
    }
}

impl Table {
    /// The reviews that are new since `before`, and that nobody who publishes this table stands for: errors.
    ///
    /// Who publishes a table says by that who has read its rows: they did themselves, or wrote down for
    /// somebody else that they did, and say so. `publisher` is their name; if it is not known, each new review
    /// has to say who entered it. `same` tells whether two names are one person's.
    #[must_use]
    pub fn unfounded_reviews(
        &self,
        before: &Table,
        publisher: Option<&str>,
        same: impl Fn(&str, &str) -> bool,
    ) -> Vec<Problem> {
        let is_publisher = |name: &str| publisher.is_none_or(|publisher| same(name, publisher));
        let rows = self.rows().map(|row| {
            let mut known = before.history(row.code).iter();
            let known = known.find(|known| known.effective_from == row.effective_from);
            (row.code.to_string(), row.at, &row.source, known.map(|known| &known.source))
        });
        let overlays = self.overlays().map(|overlay| {
            let mut known = before.overlay_history(&overlay.id).iter();
            let known = known.find(|known| known.effective_from == overlay.effective_from);
            (overlay.id.clone(), overlay.at, &overlay.source, known.map(|known| &known.source))
        });
        let mut problems = Vec::new();
        for (name, at, source, known) in rows.chain(overlays) {
            let Some(review) = &source.reviewed else { continue };
            if known.and_then(|known| known.reviewed.as_ref()).is_some_and(|known| known.is_same(review)) {
                continue;
            }
            let founded = match &review.entered_by {
                Some(who) => is_publisher(who),
                None => publisher.is_some_and(|publisher| same(&review.by, publisher)),
            };
            if founded {
                continue;
            }
            let by = &review.by;
            let (who, hint) = match publisher {
                Some(publisher) => {
                    (format!("{publisher} publishes the table"), format!("`entered_by = \"{publisher}\"`"))
                }
                None => {
                    ("nobody is known who publishes the table".into(), "`entered_by` with a name".to_string())
                }
            };
            problems.push(Problem {
                severity: Severity::Error,
                code: "review-by-another",
                line: at.line,
                column: at.column,
                message: format!("`{name}` says that {by} has read it, and {who}"),
                hint: Some(format!(
                    "let {by} publish it, or add {hint} to `reviewed`, to say who wrote it down"
                )),
            });
        }
        problems
    }
}

impl Sourcing {
    fn read(&mut self, name: &str, history: &[(&dyn Dated, &Source)], today: Date) {
        let behind = history.iter().skip(1).map(|(next, _)| next.effective_from()).chain([None]);
        for ((dated, source), next) in history.iter().zip(behind) {
            let over = dated.effective_to().is_some_and(|to| to < today);
            if over || next.is_some_and(|next| next <= today) {
                continue;
            }
            let since = dated.effective_from().map(|from| format!(" from {from}")).unwrap_or_default();
            let of = format!("{name}{since}");
            if !source.pending.is_empty() {
                self.pending.push(Open { of: of.clone(), pending: source.pending.clone() });
            }
            if !source.has_primary() {
                self.without_primary.push(of.clone());
            }
            match source.last_read() {
                None => self.never_read.push(of.clone()),
                Some(read) if source.due(read).is_some_and(|due| due < today) => {
                    self.read_long_ago.push(ReadLongAgo { of: of.clone(), read });
                }
                Some(_) => {}
            }
            if source.reviewed.as_ref().is_some_and(Review::is_outdated) {
                self.changed_since_review.push(of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use jiff::civil::{Date, date};

    use super::{CitationKind, Sourcing};
    use crate::{Severity, Table};

    const HEAD: &str = r#"
[default]
parties = "all"
form = "express"
[evidence]
declared = { parties = "one", form = "none" }
ip = { parties = "all", form = "notice" }
number = { parties = "all", form = "notice" }
"#;

    fn row(code: &str, more: &str) -> String {
        format!(
            "[[jurisdiction]]\ncode = \"{code}\"\nname = \"Somewhere\"\nparties = \"all\"\nform = \"notice\"\n\
             summary = \"s\"\nconfidence = \"low\"\n{more}\n"
        )
    }

    fn table(rows: &[(&str, &str)]) -> Table {
        let rows: String = rows.iter().map(|(code, more)| row(code, more)).collect();
        Table::parse(&format!("{HEAD}{rows}")).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn problems(more: &str, today: Date) -> Vec<String> {
        let (_, problems) = Table::check(&format!("{HEAD}{}", row("FR", more)), today);
        problems.iter().map(|problem| format!("{} {problem}", problem.code)).collect()
    }

    const SOURCED: &str = "reviewed = false\ncitations = [\"A § 1\", { cite = \"A § 2\", url = \"https://a.example/2\", \
        kind = \"primary\", read = 2026-11-29, says = \"All must agree.\" }]\npending = [\"Bill 1\"]";

    #[test]
    fn a_citation_is_a_text_or_says_where_when_and_how_it_was_read() {
        let table = table(&[("FR", SOURCED)]);
        let source = &table.rows().next().unwrap().source;
        let told: Vec<String> = source.citations.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["A § 1", "A § 2 <https://a.example/2> (primary, read on 2026-11-29)"]);
        assert_eq!(source.citations[1].kind, Some(CitationKind::Primary));
        assert_eq!(source.citations[1].says.as_deref(), Some("All must agree."));
        assert_eq!(source.pending[0].cite, "Bill 1");
        assert_eq!(source.last_read(), Some(date(2026, 11, 29)));

        for (wrong, code) in [
            ("citations = []", "missing-citation"),
            ("citations = [\" \"]", "missing-citation"),
            ("citations = [1]", "not-a-text"),
            ("citations = [{ url = \"https://a.example\" }]", "missing-citation"),
            ("citations = [{ cite = \"A\", url = \"a.example\" }]", "bad-value"),
            ("citations = [{ cite = \"A\", url = \"javascript:alert(1)\" }]", "bad-value"),
            ("citations = [{ cite = \"A\", url = \"https://a.example/<b>\" }]", "bad-value"),
            ("citations = [{ cite = \"A\", kind = \"tertiary\" }]", "bad-value"),
            ("citations = [{ cite = \"A\", read = \"2026-11-29T00:00\" }]", "not-a-day"),
            ("citations = [{ cite = \"A\", link = \"https://a.example\" }]", "unknown-key"),
            ("citations = [\"A\"]\npending = []", "missing-citation"),
        ] {
            let told = problems(&format!("{wrong}\nreviewed = false"), date(2026, 11, 30));
            assert!(told.len() == 1 && told[0].starts_with(code), "{wrong}: {told:?}");
        }
        let told = problems(SOURCED, date(2026, 11, 28));
        assert!(told.len() == 1 && told[0].starts_with("read-in-the-future"), "{told:?}");
    }

    #[test]
    fn what_rests_on_little_is_listed_for_whoever_keeps_the_table() {
        let plain = "citations = [\"A\"]\nreviewed = false";
        let second =
            "citations = [{ cite = \"A\", kind = \"secondary\", read = 2026-08-01 }]\nreviewed = false";
        let until = format!("{plain}\neffective_to = 2026-10-31");
        let from = format!("{SOURCED}\neffective_from = 2026-12-01");
        let table = table(&[("FR", SOURCED), ("DE", plain), ("IT", second), ("ES", &until), ("FR", &from)]);
        let of = |day| table.sourcing(day);
        let pending = |found: &Sourcing| found.pending.iter().map(|one| one.of.clone()).collect::<Vec<_>>();
        let now = of(date(2026, 11, 30));
        assert_eq!(pending(&now), ["FR", "FR from 2026-12-01"]);
        assert_eq!(now.without_primary, ["DE", "IT"]);
        assert_eq!(now.never_read, ["DE"]);
        assert!(now.read_long_ago.is_empty() && now.changed_since_review.is_empty());
        // Six months, since confidence is low; a row that is over is nobody's business any more.
        let later = of(date(2027, 2, 2));
        assert_eq!(pending(&later), ["FR from 2026-12-01"]);
        assert_eq!(later.read_long_ago[0].of, "IT");
        assert_eq!(later.read_long_ago[0].read, date(2026, 8, 1));
        assert!(of(date(2027, 2, 1)).read_long_ago.is_empty());
    }

    #[test]
    fn a_row_that_changed_since_it_was_read_is_noticed_and_its_layout_does_not_count() {
        let read = |hash: &str| format!("reviewed = {{ by = \"Dana\", on = 2026-11-20{hash} }}");
        let bare = format!("citations = [\"A\"]\n{}", read(""));
        let today = date(2026, 11, 30);
        let told = problems(&bare, today);
        assert!(told.len() == 1 && told[0].starts_with("review-without-hash"), "{told:?}");
        let hash = told[0].split("hash = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        assert_eq!(hash.len(), 16);
        let with = read(&format!(", hash = \"{hash}\""));
        assert_eq!(problems(&format!("citations = [\"A\"]\n{with}"), today), [""; 0]);
        assert_eq!(problems(&format!("# read\n{with}\ncitations = [\n  \"A\",\n]"), today), [""; 0]);
        for changed in ["citations = [\"B\"]", "citations = [\"A\"]\neffective_from = 2020-01-01"] {
            let told = problems(&format!("{changed}\n{with}"), today);
            assert!(told.len() == 1 && told[0].starts_with("changed-since-review"), "{told:?}");
            let table = table(&[("FR", &format!("{changed}\n{with}"))]);
            assert_eq!(table.sourcing(today).changed_since_review.len(), 1);
        }
    }

    #[test]
    fn a_review_is_that_of_the_publisher_or_says_who_entered_it() {
        let of = |review: &str| table(&[("FR", &format!("citations = [\"A\"]\nreviewed = {review}"))]);
        let before = of("false");
        let unfounded = |before: &Table, review, publisher| {
            let problems = of(review).unfounded_reviews(before, publisher, |one, other| one == other);
            assert!(problems.iter().all(|problem| {
                problem.severity == Severity::Error && problem.code == "review-by-another" && problem.line > 8
            }));
            problems.len()
        };
        let dana = "{ by = \"Dana\", on = 2026-11-20 }";
        let entered = "{ by = \"Dana\", on = 2026-11-20, entered_by = \"Eli\" }";
        assert_eq!(unfounded(&before, "false", Some("Eli")), 0);
        assert_eq!(unfounded(&before, dana, Some("Dana")), 0);
        assert_eq!(unfounded(&before, dana, Some("Eli")), 1);
        assert_eq!(unfounded(&before, dana, None), 1);
        assert_eq!(unfounded(&before, entered, Some("Eli")), 0);
        assert_eq!(unfounded(&before, entered, Some("Dana")), 1);
        assert_eq!(unfounded(&before, entered, None), 0);
        // What stood there before is not said anew, unless it says something else.
        assert_eq!(unfounded(&of(dana), dana, Some("Eli")), 0);
        assert_eq!(unfounded(&of(dana), "{ by = \"Dana\", on = 2026-11-21 }", Some("Eli")), 1);
    }
}
