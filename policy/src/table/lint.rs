//! What looks wrong in a usable table: warnings for its editors.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use jiff::civil::Date;

use super::{At, Dated, Problem, Review, Row, Severity, Source, Table};
use crate::fact::{Kind, Medium};
use crate::place::{Code, Evidence};
use crate::rule::{OnHold, Requirement, Rule, Strictness};

/// What looks wrong. `broken` are the codes and ids with unreadable parts, so that it is not known what they
/// lack.
pub(super) fn problems(table: &Table, broken: &BTreeSet<String>, today: Date) -> Vec<Problem> {
    let mut lint = Lint { table, broken, today, problems: Vec::new() };
    for (code, history) in table.histories() {
        let dated: Vec<(At, &dyn Dated)> = history.iter().map(|row| (row.at, row as &dyn Dated)).collect();
        lint.history(&code.to_string(), &dated, &what_holds_without(table, code));
        history.iter().for_each(|row| lint.row(row));
        lint.country(code, history);
    }
    for (id, history) in &table.overlays {
        let dated: Vec<(At, &dyn Dated)> =
            history.iter().map(|overlay| (overlay.at, overlay as &dyn Dated)).collect();
        lint.history(id, &dated, "it asks for nothing");
        history.iter().for_each(|overlay| lint.review(&overlay.source, overlay.at, id));
    }
    lint.floors();
    lint.problems
}

struct Lint<'t> {
    table: &'t Table,
    broken: &'t BTreeSet<String>,
    today: Date,
    problems: Vec<Problem>,
}

impl Lint<'_> {
    fn warn(&mut self, code: &'static str, at: At, message: String, hint: &str) {
        self.problems.push(Problem {
            severity: Severity::Warning,
            code,
            line: at.line,
            column: at.column,
            message,
            hint: (!hint.is_empty()).then(|| hint.to_string()),
        });
    }

    /// Warns of days on which nothing of a history holds.
    fn history(&mut self, name: &str, history: &[(At, &dyn Dated)], without: &str) {
        if self.broken.contains(&name.to_uppercase()) {
            return;
        }
        if let Some((at, first)) = history.first()
            && let Some(from) = first.effective_from()
            && self.today < from
        {
            self.warn(
                "gap",
                *at,
                format!("`{name}` begins on {from} and has no earlier row: until then {without}"),
                "keep the row that holds today, and add the new one behind it",
            );
        }
        for pair in history.windows(2) {
            let [(_, earlier), (at, later)] = pair else { continue };
            if let (Some(to), Some(from)) = (earlier.effective_to(), later.effective_from())
                && to.tomorrow().is_ok_and(|next| next < from)
            {
                self.warn(
                    "gap",
                    *at,
                    format!("`{name}` has a gap: one row holds to {to}, and the next begins on {from}; in between {without}"),
                    "leave `effective_to` out: a row holds until the next one begins",
                );
            }
        }
        if let Some((at, last)) = history.last()
            && let Some(to) = last.effective_to()
        {
            self.warn(
                "gap",
                *at,
                format!("`{name}` ends on {to} and no row follows: from then on {without}"),
                "add the row that follows, or leave `effective_to` out",
            );
        }
    }

    fn row(&mut self, row: &Row) {
        let name = row.code.to_string();
        self.review(&row.source, row.at, &name);
        self.idle(&name, &row.rule, row.at);
        let country = row.code.country();
        let unread = self.broken.contains(country.as_str());
        if !row.code.is_country() && self.table.history(country).is_empty() && !unread {
            self.warn(
                "state-without-country",
                row.at,
                format!("`{name}` has a row and `{country}`, its country, has none: the country's own law is not counted"),
                "add a row for the country",
            );
        }
        let stricter = MEDIA.into_iter().find(|medium| {
            let (row, default) =
                (row.asks(*medium, Kind::Conversation), self.table.default_asks(*medium, Kind::Conversation));
            row.strictness > default.strictness
                || (row.announcement_must_be_recorded && !default.announcement_must_be_recorded)
                || default.says.and(row.says) != default.says
                || row.on_hold > default.on_hold.max(OnHold::Counted)
        });
        if stricter.is_some() {
            self.warn(
                "stricter-than-default",
                row.at,
                format!("`{name}` asks for more than [default] does: somebody of whom nothing is known may well be there"),
                "make [default] at least as strict as every row",
            );
        }
    }

    /// Warns of keys that decide nothing beside the others.
    fn idle(&mut self, name: &str, rule: &Rule, at: At) {
        if rule.waived_by_written && !rule.announcement_must_be_recorded {
            self.warn(
                "decides-nothing",
                at,
                format!("`announcement_waived_by` of `{name}` decides nothing: no recorded announcement is asked for"),
                "write `announcement_must_be_recorded = true`, or leave it out",
            );
        }
        if rule.tone_seconds.is_some()
            && rule.strictness == Strictness::One
            && !rule.announcement_must_be_recorded
        {
            self.warn(
                "decides-nothing",
                at,
                format!("`tone_seconds` of `{name}` decides nothing: nobody has to be told"),
                "leave it out",
            );
        }
        if rule.works_agreement_is_express && rule.strictness != Strictness::Express {
            self.warn(
                "decides-nothing",
                at,
                format!(
                    "`works_agreement_is_express` of `{name}` decides nothing: no express yes is asked for"
                ),
                "leave it out",
            );
        }
    }

    fn review(&mut self, source: &Source, at: At, name: &str) {
        if self.broken.contains(&name.to_uppercase()) {
            return;
        }
        self.citations(source, at, name);
        let Some(review) = &source.reviewed else { return };
        self.reviewed_as_it_is(review, at, name);
        if self.today < review.on {
            self.warn(
                "review-in-the-future",
                at,
                format!(
                    "`{name}` says that {} read it on {}, and that day has not come",
                    review.by, review.on
                ),
                "write the day on which it was read",
            );
            return;
        }
        let due = review.next.or_else(|| source.due(review.on));
        if let Some(due) = due.filter(|due| *due < self.today) {
            let rule = match review.next {
                Some(_) => "as `next` says".to_string(),
                None => format!("a row is read again every {}", source.confidence.lasts().1),
            };
            self.warn(
                "review-overdue",
                at,
                format!("`{name}` was to be read again by {due} ({rule})"),
                "read the sources again, then set `on` and your name",
            );
        }
    }

    /// Warns if it cannot be told, or is plain, that a row is not the one that was read.
    fn reviewed_as_it_is(&mut self, review: &Review, at: At, name: &str) {
        let hash = &review.hash_now;
        match &review.hash {
            Some(_) if review.is_outdated() => self.warn(
                "changed-since-review",
                at,
                format!("`{name}` has changed since {} read it on {}", review.by, review.on),
                &format!("have it read again, then write the day, who read it, and `hash = \"{hash}\"`"),
            ),
            Some(_) => {}
            None => self.warn(
                "review-without-hash",
                at,
                format!(
                    "`{name}` does not say what {} read on {}: a later change would not be noticed",
                    review.by, review.on
                ),
                &format!("write `hash = \"{hash}\"` into `reviewed`, if this is what was read"),
            ),
        }
    }

    /// Warns of sources that say they were read on a day that has not come.
    fn citations(&mut self, source: &Source, at: At, name: &str) {
        let all = source.citations.iter().chain(&source.pending);
        if let Some(citation) = all.into_iter().find(|one| one.read.is_some_and(|day| self.today < day)) {
            self.warn(
                "read-in-the-future",
                at,
                format!("`{name}` says that `{}` was read on a day that has not come", citation.cite),
                "write the day on which it was read",
            );
        }
    }

    fn country(&mut self, code: Code, history: &[Row]) {
        let says_strictest = history.iter().find(|row| row.strictest_when_unknown);
        if let Some(row) = says_strictest
            && self.table.subdivisions(code).next().is_none()
            && self.broken.is_empty()
        {
            self.warn(
                "decides-nothing",
                row.at,
                format!(
                    "`unknown_subdivision` of `{code}` decides nothing: none of its subdivisions has a row"
                ),
                "leave it out, or add the rows",
            );
        }
    }

    fn floors(&mut self) {
        let asks = |evidence| Requirement::from(self.table.floor(evidence));
        let pairs = [(Evidence::Number, Evidence::Ip), (Evidence::Ip, Evidence::Declared)];
        let wrong: Vec<_> =
            pairs.into_iter().filter(|(weak, strong)| !asks(*weak).is_at_least(&asks(*strong))).collect();
        for (weak, strong) in wrong {
            self.warn(
                "weak-evidence-asks-less",
                self.table.floor_at(weak),
                format!(
                    "in [evidence] `{}` asks for less than `{}`, though it proves less",
                    weak.as_str(),
                    strong.as_str()
                ),
                "make the floor of weaker evidence at least as strict",
            );
        }
    }
}

fn what_holds_without(table: &Table, code: Code) -> String {
    if !code.is_country() && !table.history(code.country()).is_empty() {
        format!("what `{}` asks holds", code.country())
    } else {
        "[default] holds".to_string()
    }
}

const MEDIA: [Medium; 3] = [Medium::Telephone, Medium::Voip, Medium::Video];
