//! From the text of a table to its rows, with errors that a lawyer can follow.
//!
//! The reader goes on after a mistake, so that one run shows all of them.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Confidence, Floors, MediaRules, Problem, Problems, Review, Row, Table};
use crate::place::Code;
use crate::rule::{Form, Parties, Rule, Strictness};

pub(super) fn table(text: &str) -> Result<Table, Problems> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { text, problems: Vec::new() };
    for error in errors {
        let at = error.span().unwrap_or(0..0);
        reader.problem(at, format!("this is no TOML: {}", error.message()), None);
    }
    let root = Section { reader: &mut reader, what: "the table", at: 0..0, entries: document.get_ref() };
    let table = root.table();
    reader.problems.sort_by_key(|problem| (problem.line, problem.column));
    match table {
        Some(table) if reader.problems.is_empty() => Ok(table),
        _ => Err(Problems(reader.problems)),
    }
}

struct Reader<'t> {
    text: &'t str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, at: Range<usize>, message: String, hint: Option<&str>) {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        self.problems.push(Problem {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
            message,
            hint: hint.map(ToString::to_string),
        });
    }
}

/// One TOML table on its way to becoming something of ours.
struct Section<'r, 't, 'd> {
    reader: &'r mut Reader<'t>,
    what: &'r str,
    at: Range<usize>,
    entries: &'d DeTable<'d>,
}

impl<'d> Section<'_, '_, 'd> {
    fn table(mut self) -> Option<Table> {
        self.only(&["default", "evidence", "jurisdiction"]);
        let default = self.section("default", "[default]", |section| {
            section.only(RULE_KEYS);
            section.rule(None)
        });
        let floors = self.section("evidence", "[evidence]", |section| {
            section.only(&["declared", "ip", "number"]);
            let mut floor = |key, what| {
                section.section(key, what, |floor| {
                    floor.only(RULE_KEYS);
                    floor.rule(None)
                })
            };
            let declared = floor("declared", "the floor `declared`");
            let ip = floor("ip", "the floor `ip`");
            let number = floor("number", "the floor `number`");
            Some(Floors { declared: declared?, ip: ip?, number: number? })
        });
        let rows = self.rows();
        Some(Table { digest: super::digest(self.reader.text), default: default?, floors: floors?, rows })
    }

    fn rows(&mut self) -> BTreeMap<Code, Vec<Row>> {
        let mut rows: BTreeMap<Code, Vec<Row>> = BTreeMap::new();
        let Some(value) = self.entries.get("jurisdiction") else { return rows };
        let Some(list) = value.get_ref().as_array() else {
            self.reader.problem(value.span(), "`jurisdiction` is not a list of rows".into(), Some(HINT_ROW));
            return rows;
        };
        for item in list.iter() {
            let Some(entries) = item.get_ref().as_table() else {
                self.reader.problem(item.span(), "this row is not a table".into(), Some(HINT_ROW));
                continue;
            };
            let name = entries
                .get("code")
                .and_then(|code| code.get_ref().as_str())
                .map_or_else(|| "this row".to_string(), |code| format!("the row `{code}`"));
            let mut section = Section { reader: self.reader, what: &name, at: item.span(), entries };
            let Some(row) = section.row() else { continue };
            let history = rows.entry(row.code).or_default();
            if history.iter().any(|other| other.effective_from == row.effective_from) {
                let message = match row.effective_from {
                    Some(day) => format!("`{}` has two rows that begin on {day}", row.code),
                    None => format!("`{}` has two rows without `effective_from`", row.code),
                };
                self.reader.problem(
                    item.span(),
                    message,
                    Some("give each row of a code its own `effective_from`, or delete one"),
                );
                continue;
            }
            history.push(row);
        }
        for history in rows.values_mut() {
            history.sort_by_key(|row| row.effective_from);
        }
        rows
    }

    fn row(&mut self) -> Option<Row> {
        self.only(ROW_KEYS);
        let code = self.text("code").and_then(|(text, at)| {
            text.parse::<Code>().map_err(|error| self.reader.problem(at, error.to_string(), None)).ok()
        });
        let name = self.text("name");
        let rule = self.rule(None);
        let media = rule.and_then(|rule| self.media(rule));
        let citations = self.citations();
        let summary = self.text("summary");
        let confidence = self.word(
            "confidence",
            &[("high", Confidence::High), ("medium", Confidence::Medium), ("low", Confidence::Low)],
        );
        let reviewed = self.reviewed();
        let effective_from = self.date("effective_from");
        let strictest = self.strictest_when_unknown();
        Some(Row {
            code: code?,
            name: name?.0.to_string(),
            rule: rule?,
            media: media?,
            citations: citations?,
            summary: summary?.0.to_string(),
            confidence: confidence?,
            reviewed: reviewed?,
            effective_from: effective_from.ok()?,
            strictest_when_unknown: strictest?,
        })
    }

    /// A rule; keys that are absent come from `base`, where there is one.
    fn rule(&mut self, base: Option<Rule>) -> Option<Rule> {
        let parties = self.choice(
            "parties",
            &[("one", Parties::One), ("all", Parties::All)],
            base.map(|rule| rule.strictness.parties()),
        );
        let form = self.choice(
            "form",
            &[("none", Form::None), ("notice", Form::Notice), ("express", Form::Express)],
            base.map(|rule| rule.strictness.form()),
        );
        let announcement = self.flag(
            "announcement_must_be_recorded",
            base.is_some_and(|rule| rule.announcement_must_be_recorded),
        );
        let waived = self.waived_by(base.is_some_and(|rule| rule.waived_by_written));
        let tone = self.tone_seconds(base.and_then(|rule| rule.tone_seconds));
        let works =
            self.flag("works_agreement_is_express", base.is_some_and(|rule| rule.works_agreement_is_express));
        let (parties, form) = (parties?, form?);
        let Some(strictness) = Strictness::of(parties, form) else {
            let at = self.entries.get("form").map_or_else(|| self.at.clone(), Spanned::span);
            let message = format!(
                "{} contradicts itself: `parties = \"{}\"` with `form = \"{}\"`",
                self.what,
                parties.as_str(),
                form.as_str()
            );
            self.reader.problem(
                at,
                message,
                Some("`one` goes with `none`; `all` goes with `notice` or `express`"),
            );
            return None;
        };
        Some(Rule {
            strictness,
            announcement_must_be_recorded: announcement?,
            waived_by_written: waived?,
            tone_seconds: tone.ok()?,
            works_agreement_is_express: works?,
        })
    }

    fn media(&mut self, base: Rule) -> Option<MediaRules> {
        if !self.entries.contains_key("media") {
            return Some(MediaRules::default());
        }
        self.section("media", "`media`", |section| {
            section.only(&["telephone", "voip", "video"]);
            let mut rule = |key, what| -> Result<Option<Rule>, ()> {
                if !section.entries.contains_key(key) {
                    return Ok(None);
                }
                let rule = section.section(key, what, |medium| {
                    medium.only(RULE_KEYS);
                    medium.rule(Some(base))
                });
                rule.map(Some).ok_or(())
            };
            let telephone = rule("telephone", "the medium `telephone`");
            let voip = rule("voip", "the medium `voip`");
            let video = rule("video", "the medium `video`");
            Some(MediaRules { telephone: telephone.ok()?, voip: voip.ok()?, video: video.ok()? })
        })
    }

    fn citations(&mut self) -> Option<Vec<String>> {
        let list = self.strings("citations")?;
        if list.is_empty() || list.iter().any(|citation| citation.trim().is_empty()) {
            let at = self.entries.get("citations").map_or_else(|| self.at.clone(), Spanned::span);
            self.reader.problem(
                at,
                format!("{} cites nothing", self.what),
                Some("name the statute, the decision or the regulator, each in its own quotes"),
            );
            return None;
        }
        Some(list)
    }

    fn reviewed(&mut self) -> Option<Option<Review>> {
        let value = self.required("reviewed")?;
        match value.get_ref() {
            DeValue::Boolean(false) => Some(None),
            DeValue::Table(_) => self
                .section("reviewed", "`reviewed`", |section| {
                    section.only(&["by", "on"]);
                    let by = section.text("by");
                    let on = section.required("on").and_then(|_| section.date("on").ok().flatten());
                    Some(Review { by: by?.0.to_string(), on: on? })
                })
                .map(Some),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(true)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => {
                self.reader.problem(
                    value.span(),
                    "`reviewed` does not say who has read the row, and when".into(),
                    Some("write `false`, or `{ by = \"A. Counsel\", on = 2026-11-20 }`"),
                );
                None
            }
        }
    }

    fn strictest_when_unknown(&mut self) -> Option<bool> {
        if !self.entries.contains_key("unknown_subdivision") {
            return Some(false);
        }
        self.word("unknown_subdivision", &[("strictest", true), ("country", false)])
    }

    fn waived_by(&mut self, default: bool) -> Option<bool> {
        if !self.entries.contains_key("announcement_waived_by") {
            return Some(default);
        }
        let list = self.strings("announcement_waived_by")?;
        if list.iter().all(|word| word == "written") {
            return Some(!list.is_empty());
        }
        let at = self.entries.get("announcement_waived_by").map_or_else(|| self.at.clone(), Spanned::span);
        self.reader.problem(
            at,
            "`announcement_waived_by` takes only `\"written\"`".into(),
            Some("write `announcement_waived_by = [\"written\"]`, or leave it out"),
        );
        None
    }

    fn tone_seconds(&mut self, default: Option<u16>) -> Result<Option<u16>, ()> {
        let Some(value) = self.entries.get("tone_seconds") else { return Ok(default) };
        let seconds = value
            .get_ref()
            .as_integer()
            .and_then(|integer| u16::from_str_radix(integer.as_str(), integer.radix()).ok())
            .filter(|seconds| (1..=3600).contains(seconds));
        if seconds.is_none() {
            self.reader.problem(
                value.span(),
                "`tone_seconds` is not a whole number of seconds from 1 to 3600".into(),
                Some("write for example `tone_seconds = 15`"),
            );
        }
        seconds.map(Some).ok_or(())
    }

    // What follows knows TOML and nothing of the law.

    fn only(&mut self, known: &[&str]) {
        for key in self.entries.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                let message = format!("{} has no key `{}`", self.what, key.get_ref());
                let hint = format!("the keys are {}", known.join(", "));
                self.reader.problem(key.span(), message, Some(&hint));
            }
        }
    }

    fn required(&mut self, key: &str) -> Option<&'d Spanned<DeValue<'d>>> {
        let value = self.entries.get(key);
        if value.is_none() {
            self.reader.problem(self.at.clone(), format!("{} lacks `{key}`", self.what), None);
        }
        value
    }

    fn section<T>(
        &mut self,
        key: &str,
        what: &str,
        read: impl FnOnce(&mut Section<'_, '_, 'd>) -> Option<T>,
    ) -> Option<T> {
        let value = self.required(key)?;
        let Some(entries) = value.get_ref().as_table() else {
            self.reader.problem(
                value.span(),
                format!("{what} is not a table"),
                Some("write for example `{ parties = \"all\", form = \"notice\" }`"),
            );
            return None;
        };
        read(&mut Section { reader: self.reader, what, at: value.span(), entries })
    }

    fn text(&mut self, key: &str) -> Option<(Cow<'d, str>, Range<usize>)> {
        let value = self.required(key)?;
        match value.get_ref().as_str() {
            Some(text) if !text.trim().is_empty() => Some((Cow::Borrowed(text), value.span())),
            Some(_) => {
                self.reader.problem(value.span(), format!("`{key}` is empty"), None);
                None
            }
            None => {
                self.reader.problem(
                    value.span(),
                    format!("`{key}` is not a text"),
                    Some("put it in double quotes"),
                );
                None
            }
        }
    }

    fn choice<T: Copy>(&mut self, key: &str, words: &[(&str, T)], default: Option<T>) -> Option<T> {
        match default {
            Some(default) if !self.entries.contains_key(key) => Some(default),
            _ => self.word(key, words),
        }
    }

    fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let (text, at) = self.text(key)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<String> = words.iter().map(|(word, _)| format!("`\"{word}\"`")).collect();
            self.reader.problem(
                at,
                format!("`{key}` cannot be `{text}`"),
                Some(&format!("write {}", known.join(" or "))),
            );
        }
        found
    }

    fn flag(&mut self, key: &str, default: bool) -> Option<bool> {
        let Some(value) = self.entries.get(key) else { return Some(default) };
        if value.get_ref().as_bool().is_none() {
            self.reader.problem(
                value.span(),
                format!("`{key}` is neither `true` nor `false`"),
                Some("write it without quotes"),
            );
        }
        value.get_ref().as_bool()
    }

    fn strings(&mut self, key: &str) -> Option<Vec<String>> {
        let value = self.required(key)?;
        let list = value.get_ref().as_array().and_then(|array| {
            array
                .iter()
                .map(|item| item.get_ref().as_str().map(ToString::to_string))
                .collect::<Option<Vec<_>>>()
        });
        if list.is_none() {
            self.reader.problem(
                value.span(),
                format!("`{key}` is not a list of texts"),
                Some("write for example `[\"one\", \"two\"]`"),
            );
        }
        list
    }

    fn date(&mut self, key: &str) -> Result<Option<Date>, ()> {
        let Some(value) = self.entries.get(key) else { return Ok(None) };
        let date = value.get_ref().as_datetime().and_then(|datetime| {
            match (datetime.date, datetime.time, datetime.offset) {
                (Some(date), None, None) => Date::new(
                    i16::try_from(date.year).ok()?,
                    i8::try_from(date.month).ok()?,
                    i8::try_from(date.day).ok()?,
                )
                .ok(),
                _ => None,
            }
        });
        if date.is_none() {
            self.reader.problem(
                value.span(),
                format!("`{key}` is not a day"),
                Some("write for example `2026-11-20`, without quotes and without a time"),
            );
        }
        date.map(Some).ok_or(())
    }
}

const RULE_KEYS: &[&str] = &[
    "parties",
    "form",
    "announcement_must_be_recorded",
    "announcement_waived_by",
    "tone_seconds",
    "works_agreement_is_express",
];

const ROW_KEYS: &[&str] = &[
    "code",
    "name",
    "parties",
    "form",
    "announcement_must_be_recorded",
    "announcement_waived_by",
    "tone_seconds",
    "works_agreement_is_express",
    "unknown_subdivision",
    "media",
    "citations",
    "summary",
    "confidence",
    "reviewed",
    "effective_from",
];

const HINT_ROW: &str = "each row begins with `[[jurisdiction]]`";

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use crate::Table;
    use crate::fact::Medium;
    use crate::rule::Strictness;

    const HEAD: &str = r#"
[default]
parties = "all"
form = "express"
[evidence]
declared = { parties = "one", form = "none" }
ip = { parties = "all", form = "notice" }
number = { parties = "all", form = "notice" }
"#;

    fn row(extra: &str) -> alloc::string::String {
        format!(
            "[[jurisdiction]]\nname = \"Somewhere\"\ncitations = [\"A § 1\"]\nsummary = \"s\"\nconfidence = \"low\"\nreviewed = false\n{extra}\n"
        )
    }

    #[test]
    fn every_mistake_is_told_at_once_with_its_line() {
        let text = format!(
            "{HEAD}{}{}",
            row("code = \"California\"\nparties = \"all\"\nform = \"notice\""),
            row("code = \"DE\"\nparties = \"one\"\nform = \"notice\"\ntone_seconds = 0\ncolour = 1"),
        );
        let problems = Table::parse(&text).unwrap_err().0;
        let told = problems.iter().map(ToString::to_string).collect::<alloc::vec::Vec<_>>().join("\n");
        assert_eq!(problems.len(), 4, "{told}");
        assert!(told.contains("`California` is no place"), "{told}");
        assert!(told.contains("contradicts itself"), "{told}");
        assert!(told.contains("`tone_seconds` is not a whole number"), "{told}");
        assert!(told.contains("has no key `colour`"), "{told}");
        assert_eq!(problems[0].line, 15);
    }

    #[test]
    fn the_row_in_force_is_that_of_the_day() {
        let text = format!(
            "{HEAD}{}{}",
            row("code = \"DE\"\nparties = \"all\"\nform = \"notice\""),
            row("code = \"DE\"\nparties = \"all\"\nform = \"express\"\neffective_from = 2020-01-01"),
        );
        let table = Table::parse(&text).unwrap();
        let asks = |at: &str| {
            table.asks("DE".parse().unwrap(), Medium::Telephone, at.parse().unwrap()).requirement.strictness
        };
        assert_eq!(asks("2019-12-31T23:59:59Z"), Strictness::Notice);
        assert_eq!(asks("2020-01-01T00:00:00Z"), Strictness::Express);
    }

    #[test]
    fn a_medium_overrides_only_what_it_names() {
        let text = format!(
            "{HEAD}{}",
            row(
                "code = \"FR\"\nparties = \"all\"\nform = \"notice\"\nannouncement_must_be_recorded = true\nmedia.video = { form = \"express\" }"
            ),
        );
        let table = Table::parse(&text).unwrap();
        let at = "2026-11-20T00:00:00Z".parse().unwrap();
        let asks = |medium| table.asks("FR".parse().unwrap(), medium, at).requirement;
        assert_eq!(asks(Medium::Telephone).strictness, Strictness::Notice);
        assert_eq!(asks(Medium::Video).strictness, Strictness::Express);
        assert!(asks(Medium::Video).announcement_must_be_recorded);
        assert_eq!(asks(Medium::Unknown).strictness, Strictness::Express);
    }
}
