//! From the text of a table to its rows, with errors that a lawyer can follow.
//!
//! The reader goes on after a mistake, so that one run shows all of them, unless there are very many.
//! [`section`] holds what knows TOML but not the law.

mod section;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mend::{Mended, mend};
use super::{
    Asks, At, ByMedium, Citation, CitationKind, Confidence, Dated, Floors, MediaRules, Overlay, Problem,
    Review, Row, Severity, Source, Table,
};
use crate::atlas;
use crate::fact::Role;
use crate::place::Code;
use crate::retention::{Period, Retention};
use crate::rule::{Forbids, Form, FormFor, OnHold, Parties, Requirement, Rule, Strictness};
use crate::told::{Element, Purpose, Purposes, Says};

/// What was read from a text.
pub(super) struct Reading {
    /// As much of the table as can be read. It can be used if there is no problem.
    pub(super) table: Option<Table>,
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
    /// How many more problems there are.
    pub(super) more: usize,
    /// The codes and ids with parts that could not be read.
    pub(super) broken: BTreeSet<String>,
}

/// Reads a text to its end, whatever is wrong with it.
pub(super) fn table(text: &str) -> Reading {
    let (document, errors) = DeTable::parse_recoverable(text);
    let lists = |section| document.get_ref().get(section).is_none_or(|list| list.get_ref().is_array());
    let sections = document.get_ref().keys().all(|key| SECTIONS.contains(&key.get_ref().as_ref()));
    if errors.is_empty() && sections && lists("jurisdiction") && lists("overlay") {
        return read(Reader::new(text, None), document.get_ref(), errors, text);
    }
    match mend(text).filter(|mended| !mended.slips.is_empty()) {
        Some(mended) => {
            let (document, errors) = DeTable::parse_recoverable(&mended.text);
            read(Reader::new(text, Some(&mended)), document.get_ref(), errors, &mended.text)
        }
        None => read(Reader::new(text, None), document.get_ref(), errors, text),
    }
}

fn read(mut reader: Reader<'_>, document: &DeTable<'_>, errors: Vec<toml::de::Error>, text: &str) -> Reading {
    for slip in reader.mended.map_or(&[][..], |mended| &mended.slips) {
        let At { line, column } = reader.at_byte(slip.at);
        reader.problems.push(Problem {
            severity: Severity::Error,
            code: slip.code,
            line,
            column,
            message: slip.message.clone(),
            hint: Some(slip.hint.clone()),
        });
    }
    let mut told: BTreeSet<usize> = reader.problems.iter().map(|problem| problem.line).collect();
    for error in errors {
        if reader.is_full() {
            reader.more += 1;
            continue;
        }
        let at = error.span().unwrap_or(0..0);
        // If a line has a problem already, the parser's message about it is of no use.
        if told.insert(reader.at(&at).line) {
            let (code, message, hint) = in_plain_words(error.message(), text.get(at.clone()).unwrap_or(""));
            reader.problem(code, at, message, Some(hint));
        }
    }
    let slips = reader.problems.len();
    let root = Section::new(&mut reader, "the table", 0..0, document);
    let table = root.table();
    // A missing value was reported as that.
    let mut index = 0;
    reader.problems.retain(|problem| {
        index += 1;
        index <= slips || problem.code != "empty" || !told.contains(&problem.line)
    });
    reader.problems.sort_by_key(|problem| (problem.line, problem.column));
    Reading { table, problems: reader.problems, more: reader.more, broken: reader.broken }
}

/// What a parser's message means to somebody who does not know TOML.
fn in_plain_words(message: &str, written: &str) -> (&'static str, String, &'static str) {
    if message.contains("duplicate key") {
        let hint = "delete one of the two; a new row begins with `[[jurisdiction]]`";
        return ("twice", format!("`{written}` stands twice in this row"), hint);
    }
    let hint = "compare this line with the same line of another row";
    let plain = if message.contains("escape") {
        return (
            "not-toml",
            "a backslash inside of quotation marks begins a special sign".into(),
            "write `\\\\` where a backslash is meant",
        );
    } else if message.contains("carriage return") {
        "a line ends as on an old Macintosh: save the file with Windows or Unix line endings"
    } else if message.contains("string") {
        "this text is not written as a text has to be"
    } else if message.contains("recur") {
        "too many brackets are open"
    } else {
        "this is not written as a table has to be"
    };
    ("not-toml", format!("{plain} ({message})"), hint)
}

struct Reader<'t> {
    text: &'t str,
    /// The text that is read instead, if this one is not valid TOML.
    mended: Option<&'t Mended>,
    /// Where each line begins.
    lines: Vec<usize>,
    problems: Vec<Problem>,
    /// How many more problems there are than are listed.
    more: usize,
    broken: BTreeSet<String>,
    /// Whether a day in the current row is a guess.
    guessed: bool,
    /// Rows that are not called as ISO 3166 calls their place, and where they say so.
    named: Vec<(Code, String, Range<usize>)>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, mended: Option<&'t Mended>) -> Reader<'t> {
        let behind = text.match_indices('\n').map(|(newline, _)| newline + 1);
        let lines = core::iter::once(0).chain(behind).collect();
        let (problems, broken, named) = (Vec::new(), BTreeSet::new(), Vec::new());
        Reader { text, mended, lines, problems, more: 0, broken, guessed: false, named }
    }

    fn problem(&mut self, code: &'static str, at: Range<usize>, message: String, hint: Option<&str>) {
        // Nobody reads more, and finding each one's column takes longer the longer its line is.
        if self.is_full() {
            self.more += 1;
            return;
        }
        let At { line, column } = self.at(&at);
        let hint = hint.map(ToString::to_string);
        self.problems.push(Problem { severity: Severity::Error, code, line, column, message, hint });
    }

    /// The classic traps: a row `CA` that is called California.
    fn not_other_places(&mut self) {
        let rows = core::mem::take(&mut self.named);
        let places = atlas::all_named(rows.iter().map(|(_, name, _)| name.as_str()).collect::<BTreeSet<_>>());
        for (code, name, at) in &rows {
            let named = places.get(name.as_str()).map_or(&[][..], Vec::as_slice);
            if named.is_empty() || named.contains(code) {
                continue;
            }
            let meant: Vec<String> = named.iter().map(|code| format!("`{code}`")).collect();
            let message = format!(
                "`{code}` is {}, and this row is called {name}",
                atlas::name(*code).unwrap_or("another place")
            );
            let hint = format!("the code of {name} is {}", meant.join(" or "));
            self.problem("wrong-place", at.clone(), message, Some(&hint));
        }
    }

    /// Whether there are as many problems as are listed.
    fn is_full(&self) -> bool {
        self.problems.len() >= super::MOST_TOLD
    }

    fn at(&self, span: &Range<usize>) -> At {
        self.at_byte(self.mended.map_or(span.start, |mended| mended.original(span.start)))
    }

    /// Line and column of a byte of the text as it was given.
    fn at_byte(&self, at: usize) -> At {
        let line = self.lines.partition_point(|begin| *begin <= at);
        let begin = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(begin..at).unwrap_or("").trim_start_matches('\u{feff}');
        At { line, column: before.chars().count() + 1 }
    }
}

/// A TOML table that is being read.
struct Section<'r, 't, 'd> {
    reader: &'r mut Reader<'t>,
    what: &'r str,
    at: Range<usize>,
    entries: &'d DeTable<'d>,
    /// Misspelt keys: what was meant, and the value.
    meant: Vec<(&'static str, &'d Spanned<DeValue<'d>>)>,
}

impl<'r, 't, 'd> Section<'r, 't, 'd> {
    fn new(reader: &'r mut Reader<'t>, what: &'r str, at: Range<usize>, entries: &'d DeTable<'d>) -> Self {
        Section { reader, what, at, entries, meant: Vec::new() }
    }

    fn table(mut self) -> Option<Table> {
        self.only(&SECTIONS);
        let default = self.section("default", "[default]", |section| {
            section.only(&[RULE_KEYS, WHOLE_KEYS].concat());
            let rule = Rule { on_hold: section.on_hold()?, ..section.rule(None)? };
            let voicemail = section.voicemail([rule; 3]);
            let public_safety = section.public_safety(rule.on_hold);
            if rule.strictness == Strictness::One || rule.form_for.contains(&Some(Strictness::One)) {
                section.reader.problem(
                    "default-too-loose",
                    section.at.clone(),
                    "[default] asks for one party's consent only: where nothing is known, everybody has to agree".into(),
                    Some("write `parties = \"all\"` with `form = \"notice\"` or `form = \"express\"`"),
                );
            }
            Some((rule, asks([rule; 3], voicemail?.1, public_safety?)))
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
            let at = ["declared", "ip", "number"].map(|key| section.reader.at(&section.at_key(key)));
            Some(Floors { declared: declared?, ip: ip?, number: number?, at })
        });
        let rows = self.histories(
            "jurisdiction",
            "code",
            |section| {
                let at = section.reader.at(&section.at_key("code"));
                section.row(at)
            },
            |row| row.code,
        );
        let overlays = self.histories(
            "overlay",
            "id",
            |section| {
                let at = section.reader.at(&section.at_key("id"));
                section.overlay(at)
            },
            |overlay| overlay.id.clone(),
        );
        self.reader.not_other_places();
        let digest = super::digest(self.reader.text);
        let (default, default_asks) = default?;
        Some(Table { digest, default, default_asks, floors: floors?, rows, overlays })
    }

    /// Every entry of a list, grouped to histories and sorted by date.
    fn histories<T: Dated, K: Ord + Clone + core::fmt::Display>(
        &mut self,
        key: &'static str,
        name_key: &str,
        mut read: impl FnMut(&mut Section<'_, '_, 'd>) -> Option<T>,
        key_of: impl Fn(&T) -> K,
    ) -> BTreeMap<K, Vec<T>> {
        let mut histories: BTreeMap<K, Vec<(Range<usize>, T)>> = BTreeMap::new();
        let Some(value) = self.get(key) else { return BTreeMap::new() };
        let mut unknown = BTreeSet::new();
        let hint = format!("each begins with `[[{key}]]`");
        let Some(list) = value.get_ref().as_array() else {
            let message = format!("`{key}` is not a list");
            self.reader.problem("not-a-list", value.span(), message, Some(&hint));
            return BTreeMap::new();
        };
        for item in list.iter() {
            let Some(entries) = item.get_ref().as_table() else {
                let message = format!("this `{key}` is not a table");
                self.reader.problem("not-a-table", item.span(), message, Some(&hint));
                continue;
            };
            let what = if key == "overlay" { "overlay" } else { "row" };
            let name = entries
                .get(name_key)
                .and_then(|name| name.get_ref().as_str())
                .map_or_else(|| format!("this {what}"), |name| format!("the {what} `{name}`"));
            self.reader.guessed = false;
            let mut section = Section::new(self.reader, &name, item.span(), entries);
            let read = read(&mut section);
            if section.reader.guessed || read.is_none() {
                let name = section.get(name_key).and_then(|name| name.get_ref().as_str());
                let name = name.map(|name| name.trim().to_uppercase()).unwrap_or_default();
                if section.reader.guessed {
                    unknown.insert(name.clone());
                }
                section.reader.broken.insert(name);
            }
            if let Some(row) = read {
                let at = section.at_key(name_key);
                histories.entry(key_of(&row)).or_default().push((at, row));
            }
        }
        for (name, history) in &mut histories {
            history.sort_by_key(|(_, row)| row.effective_from());
            // The days of one of its rows may be a guess.
            if !unknown.contains(&name.to_string().to_uppercase()) {
                self.no_overlaps(name, history);
            }
            if let Some((at, _)) = history.get(MOST_ROWS) {
                let message =
                    format!("`{name}` has {} rows; a history has at most {MOST_ROWS}", history.len());
                let hint = "leave out rows of which no call is judged any more";
                self.reader.problem("too-many-rows", at.clone(), message, Some(hint));
            }
        }
        let bare = |history: Vec<(Range<usize>, T)>| history.into_iter().map(|(_, row)| row).collect();
        histories.into_iter().map(|(name, history)| (name, bare(history))).collect()
    }

    fn no_overlaps<T: Dated>(&mut self, name: &impl core::fmt::Display, history: &[(Range<usize>, T)]) {
        for (at, row) in history {
            if let (Some(from), Some(to)) = (row.effective_from(), row.effective_to())
                && to < from
            {
                let message = format!("`{name}` ends on {to}, before it begins on {from}");
                let hint = "`effective_to` is the last day on which the row holds";
                self.reader.problem("ends-before-it-begins", at.clone(), message, Some(hint));
                self.reader.broken.insert(name.to_string().to_uppercase());
            }
        }
        for pair in history.windows(2) {
            let [(_, earlier), (at, later)] = pair else { continue };
            let message = match (earlier.effective_from(), later.effective_from(), earlier.effective_to()) {
                (from, again, _) if from == again => match from {
                    Some(day) => format!("`{name}` begins twice on {day}"),
                    None => format!("`{name}` is there twice without `effective_from`"),
                },
                (_, Some(from), Some(to)) if from <= to => {
                    format!("`{name}` overlaps: one row holds to {to}, and the next begins on {from}")
                }
                _ => continue,
            };
            let hint = "give each row of a history its own `effective_from`, after the `effective_to` of the one before; or delete one";
            self.reader.problem("overlap", at.clone(), message, Some(hint));
            self.reader.broken.insert(name.to_string().to_uppercase());
        }
    }

    fn row(&mut self, at: At) -> Option<Row> {
        self.only(&[ROW_KEYS, WHOLE_KEYS, RULE_KEYS, SOURCE_KEYS, DATE_KEYS].concat());
        let code = self.code();
        let name = self.text("name");
        if let (Some(code), Some((name, at))) = (code, &name)
            && atlas::name(code) != Some(name)
        {
            self.reader.named.push((code, name.to_string(), at.clone()));
        }
        let on_hold = self.on_hold();
        let rule = self.rule(None).zip(on_hold).map(|(rule, on_hold)| Rule { on_hold, ..rule });
        let media = rule.and_then(|rule| self.media(rule));
        let by_medium = rule.zip(media.as_ref()).map(|(rule, media)| {
            [media.telephone, media.voip, media.video].map(|medium| medium.unwrap_or(rule))
        });
        let voicemail = by_medium.and_then(|rules| self.voicemail(rules));
        let public_safety = self.public_safety(on_hold.unwrap_or(OnHold::Account));
        let source = self.source();
        let effective_from = self.date("effective_from");
        let effective_to = self.date("effective_to");
        let strictest = self.strictest_when_unknown();
        let (has_voicemail, voicemail) = voicemail?;
        Some(Row {
            code: code?,
            name: name?.0.to_string(),
            rule: rule?,
            media: media?,
            voicemail: has_voicemail,
            public_safety: public_safety?,
            asks: asks(by_medium?, voicemail, public_safety?),
            source: source?,
            effective_from: effective_from.ok()?,
            effective_to: effective_to.ok()?,
            strictest_when_unknown: strictest?,
            at,
        })
    }

    fn overlay(&mut self, at: At) -> Option<Overlay> {
        self.only(&[OVERLAY_KEYS, RULE_KEYS, SOURCE_KEYS, DATE_KEYS].concat());
        let id = self.text("id").and_then(|(id, at)| {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            let slug = id.len() <= 40 && id.bytes().all(plain);
            if !slug {
                let message = format!("`{id}` is not an id of an overlay");
                let hint = "write up to 40 of `a-z`, `0-9` and `-`, for example `card-data`";
                self.reader.problem("invalid-id", at, message, Some(hint));
            }
            slug.then(|| id.to_string())
        });
        let name = self.text("name");
        let rule = self.rule(Some(Rule::of(Strictness::One)));
        let source = self.source();
        let purposes = self.words::<Purpose>("purposes");
        let recording = if self.has("recording") {
            self.word("recording", &[("mandatory", (true, false)), ("forbidden", (false, true))])
        } else {
            Some((false, false))
        };
        let pause =
            if self.has("pause_for") { self.word("pause_for", &[("card-data", true)]) } else { Some(false) };
        let effective_from = self.date("effective_from");
        let effective_to = self.date("effective_to");
        let mut asks = Requirement::from(rule?);
        asks.says.purposes = purposes?;
        (asks.mandatory, asks.forbidden) = recording?;
        asks.pause_for_card_data = pause?;
        Some(Overlay {
            id: id?,
            name: name?.0.to_string(),
            asks,
            source: source?,
            effective_from: effective_from.ok()?,
            effective_to: effective_to.ok()?,
            at,
        })
    }

    fn code(&mut self) -> Option<Code> {
        let (text, at) = self.text("code")?;
        let trimmed = text.trim();
        let code = trimmed.parse::<Code>().ok().filter(|code| atlas::name(*code).is_some());
        if code.is_some() && trimmed.len() < text.len() {
            let message = format!("`{text}` has blanks around it");
            self.reader.problem("bad-value", at, message, Some(&format!("write `\"{trimmed}\"`")));
        } else if code.is_none() {
            let meant: Vec<String> =
                atlas::nearest(&text).iter().map(|(code, name)| format!("`{code}` ({name})")).collect();
            let hint = match meant.as_slice() {
                [] => "write a country such as `DE`, or a state or province such as `US-CA`".into(),
                meant => format!("did you mean {}?", meant.join(" or ")),
            };
            let message = format!("`{text}` is not a place that ISO 3166 knows");
            self.reader.problem("unknown-code", at, message, Some(&hint));
        }
        code
    }

    /// A rule; absent keys come from `base`, if there is one.
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
        // A medium with a form of its own has its own rules for purposes, too.
        let inherited = base.filter(|_| !self.has("form")).map(|rule| rule.form_for);
        let form_for = self.form_for(inherited.unwrap_or_default());
        let forbids = self.forbids(base.map_or(Forbids::NOTHING, |rule| rule.forbids));
        let written_for = match self.has("written_for") {
            true => self.words::<Purpose>("written_for"),
            false => Some(base.map_or(Purposes::NONE, |rule| rule.written_for)),
        };
        let says = self.says(base.map_or(Says::NOTHING, |rule| rule.says));
        let retention = self.retention(base.map_or(Retention::FREE, |rule| rule.retention));
        let (parties, form) = (parties?, form?);
        let Some(strictness) = Strictness::of(parties, form) else {
            let at = self.get("form").map_or_else(|| self.at.clone(), Spanned::span);
            let message = format!(
                "{} contradicts itself: `parties = \"{}\"` with `form = \"{}\"`",
                self.what,
                parties.as_str(),
                form.as_str()
            );
            let hint = "`one` goes with `none`; `all` goes with `notice` or `express`";
            self.reader.problem("contradiction", at, message, Some(hint));
            return None;
        };
        Some(Rule {
            strictness,
            announcement_must_be_recorded: announcement?,
            waived_by_written: waived?,
            tone_seconds: tone.ok()?,
            works_agreement_is_express: works?,
            form_for: form_for?,
            forbids: forbids?,
            written_for: written_for?,
            says: says?,
            retention: retention?,
            on_hold: base.map_or(OnHold::NotCounted, |rule| rule.on_hold),
        })
    }

    /// A row's rules for voicemail, by medium, and whether it has any. The greeting is the prompt, so it has
    /// to say that the message is recorded.
    fn voicemail(&mut self, rules: [Rule; 3]) -> Option<(bool, [Rule; 3])> {
        if !self.has("voicemail") {
            return Some((false, rules));
        }
        self.section("voicemail", "`voicemail`", |section| {
            section.only(RULE_KEYS);
            let before = section.reader.problems.len();
            let [telephone, voip, video] = rules.map(|base| {
                // A problem is reported once, not for every medium.
                let told = section.reader.problems.len() > before;
                let mut rule = if told { None } else { section.rule(Some(base)) };
                if let Some(rule) = &mut rule {
                    rule.says.always = rule.says.always.with(Element::Recording);
                }
                rule
            });
            Some((true, [telephone?, voip?, video?]))
        })
    }

    /// What is asked while somebody is on hold. It is said once for a row, whatever the medium.
    fn on_hold(&mut self) -> Option<OnHold> {
        match self.has("on_hold") {
            true => self.word("on_hold", &OnHold::WRITTEN),
            false => Some(OnHold::Account),
        }
    }

    fn public_safety(&mut self, on_hold: OnHold) -> Option<Option<Rule>> {
        if !self.has("public_safety") {
            return Some(None);
        }
        self.section("public_safety", "`public_safety`", |section| {
            section.only(RULE_KEYS);
            section.rule(None)
        })
        .map(|rule| Some(Rule { on_hold, ..rule }))
    }

    fn says(&mut self, base: Says) -> Option<Says> {
        let always = match self.has("prompt_says") {
            true => self.words::<Element>("prompt_says"),
            false => Some(base.always),
        };
        let mut for_purpose = base.for_purpose;
        if self.has("prompt_says_for") {
            let mut wrong = false;
            self.section("prompt_says_for", "`prompt_says_for`", |section| {
                section.only(&purposes());
                for (purpose, elements) in Purpose::distinguished().zip(&mut for_purpose) {
                    if section.has(purpose.as_str()) {
                        match section.words::<Element>(purpose.as_str()) {
                            Some(words) => *elements = words,
                            None => wrong = true,
                        }
                    }
                }
                Some(())
            })?;
            if wrong {
                return None;
            }
        }
        Some(Says { always: always?, for_purpose, purposes: base.purposes })
    }

    /// What is asked instead for single purposes.
    fn form_for(&mut self, base: FormFor) -> Option<FormFor> {
        let mut form_for = base;
        if !self.has("form_for") {
            return Some(form_for);
        }
        let mut wrong = false;
        self.section("form_for", "`form_for`", |section| {
            section.only(&purposes());
            for (purpose, form) in Purpose::distinguished().zip(&mut form_for) {
                if section.has(purpose.as_str()) {
                    let words = [
                        ("none", Strictness::One),
                        ("notice", Strictness::Notice),
                        ("express", Strictness::Express),
                    ];
                    match section.word(purpose.as_str(), &words) {
                        Some(strictness) => *form = Some(strictness),
                        None => wrong = true,
                    }
                }
            }
            Some(())
        })?;
        (!wrong).then_some(form_for)
    }

    /// Of whom which purposes are forbidden: for each purpose, roles, or `"*"` for everybody.
    fn forbids(&mut self, base: Forbids) -> Option<Forbids> {
        let mut forbids = base;
        if !self.has("forbids") {
            return Some(forbids);
        }
        let mut wrong = false;
        self.section("forbids", "`forbids`", |section| {
            section.only(&purposes());
            for purpose in
                Purpose::distinguished().filter(|purpose| section.has(purpose.as_str())).collect::<Vec<_>>()
            {
                let Some(roles) = section.roles(purpose.as_str()) else {
                    wrong = true;
                    continue;
                };
                let one = Purposes::NONE.with(purpose);
                for (role, of) in [
                    (Role::Customer, &mut forbids.customer),
                    (Role::Agent, &mut forbids.agent),
                    (Role::System, &mut forbids.system),
                ] {
                    *of = if roles.contains(&role) { of.and(one) } else { of.without(one) };
                }
            }
            Some(())
        })?;
        (!wrong).then_some(forbids)
    }

    fn roles(&mut self, key: &'static str) -> Option<Vec<Role>> {
        let list = self.strings(key)?;
        let mut roles = Vec::new();
        for text in &list {
            match text.as_str() {
                "customer" => roles.push(Role::Customer),
                "agent" => roles.push(Role::Agent),
                "system" => roles.push(Role::System),
                "*" => roles.extend([Role::Customer, Role::Agent, Role::System]),
                _ => {
                    let message = format!("`{text}` is not a role");
                    let hint = "the roles are `customer`, `agent` and `system`; `*` means everybody";
                    self.reader.problem("unknown-word", self.at_key(key), message, Some(hint));
                    return None;
                }
            }
        }
        Some(roles)
    }

    fn retention(&mut self, base: Retention) -> Option<Retention> {
        if !self.has("retention") {
            return Some(base);
        }
        self.section("retention", "`retention`", |section| {
            section.only(&["minimum", "maximum"]);
            let minimum = section.period("minimum", base.minimum);
            let maximum = section.period("maximum", base.maximum);
            let retention = Retention { minimum: minimum?, maximum: maximum? };
            if retention.contradicts_itself() {
                let message = "the minimum is longer than the maximum".into();
                let hint = "nothing can be kept longer than it may be: correct one of the two";
                section.reader.problem("contradiction", section.at.clone(), message, Some(hint));
                return None;
            }
            Some(retention)
        })
    }

    fn period(&mut self, key: &str, default: Option<Period>) -> Option<Option<Period>> {
        if !self.has(key) {
            return Some(default);
        }
        let (text, at) = self.text(key)?;
        match text.parse() {
            Ok(period) => Some(Some(period)),
            Err(message) => {
                let (message, hint) = message.split_once("; ").unwrap_or((&message, "write a shorter time"));
                self.reader.problem("not-a-period", at, message.into(), Some(hint));
                None
            }
        }
    }

    fn media(&mut self, base: Rule) -> Option<MediaRules> {
        if !self.has("media") {
            return Some(MediaRules::default());
        }
        self.section("media", "`media`", |section| {
            section.only(&["telephone", "voip", "video"]);
            let mut rule = |key, what| -> Result<Option<Rule>, ()> {
                if !section.has(key) {
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

    fn source(&mut self) -> Option<Source> {
        let citations = self.citations("citations");
        let pending = if self.has("pending") { self.citations("pending") } else { Some(Vec::new()) };
        let summary = self.text("summary");
        let confidence = self.word(
            "confidence",
            &[("high", Confidence::High), ("medium", Confidence::Medium), ("low", Confidence::Low)],
        );
        let reviewed = self.reviewed();
        Some(Source {
            citations: citations?.into(),
            pending: pending?,
            summary: summary?.0.to_string(),
            confidence: confidence?,
            reviewed: reviewed?,
        })
    }

    /// A list of citations, each a text or a table; it may not be empty.
    fn citations(&mut self, key: &'static str) -> Option<Vec<Citation>> {
        let value = self.required(key)?;
        let Some(list) = value.get_ref().as_array() else {
            return self.strings(key).map(|cites| cites.into_iter().map(Citation::from).collect());
        };
        let mut found = Vec::new();
        let mut wrong = list.is_empty();
        for item in list.iter() {
            match item.get_ref() {
                DeValue::String(text) => {
                    wrong = wrong || text.trim().is_empty();
                    found.push(Citation::from(text.to_string()));
                }
                DeValue::Table(entries) => {
                    let what = format!("an entry of `{key}` of {}", self.what);
                    let read = Section::new(self.reader, &what, item.span(), entries).citation();
                    found.push(read?);
                }
                DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_) => {
                    let message = format!("an entry of `{key}` is neither a text nor a source");
                    let hint = "write `\"Cal. Penal Code § 632\"`, or `{ cite = \"Cal. Penal Code § 632\", url = \"https://…\" }`";
                    self.reader.problem("not-a-text", item.span(), message, Some(hint));
                    return None;
                }
            }
        }
        if wrong {
            let (message, hint) = match key {
                "pending" => (
                    format!("`pending` of {} names nothing", self.what),
                    "name the bill or the case, or leave it out",
                ),
                _ => (
                    format!("{} cites nothing", self.what),
                    "name the statute, the decision or the regulator, each in its own quotes",
                ),
            };
            self.reader.problem("missing-citation", value.span(), message, Some(hint));
            return None;
        }
        Some(found)
    }

    fn citation(&mut self) -> Option<Citation> {
        self.only(&["cite", "url", "kind", "read", "says"]);
        let cite = self.text("cite");
        let url = if self.has("url") { self.url().map(Some) } else { Some(None) };
        let kind = if self.has("kind") {
            let words = [CitationKind::Primary, CitationKind::Secondary].map(|kind| (kind.as_str(), kind));
            self.word("kind", &words).map(Some)
        } else {
            Some(None)
        };
        let read = self.date("read");
        let says = if self.has("says") { self.text("says").map(Some) } else { Some(None) };
        Some(Citation {
            cite: cite?.0.to_string(),
            url: url?,
            kind: kind?,
            read: read.ok()?,
            says: says?.map(|(says, _)| says.to_string()),
        })
    }

    /// The address of a page, as a browser opens it.
    fn url(&mut self) -> Option<String> {
        let (text, at) = self.text("url")?;
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '<' | '>' | '\\');
        if rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && rest.chars().all(plain)) {
            return Some(text.to_string());
        }
        let message = format!("`{text}` is not the address of a page");
        self.reader.problem(
            "bad-value",
            at,
            message,
            Some("write for example `https://example.org/statute`"),
        );
        None
    }

    fn reviewed(&mut self) -> Option<Option<Review>> {
        let value = self.required("reviewed")?;
        match value.get_ref() {
            DeValue::Boolean(false) => Some(None),
            DeValue::Table(_) => {
                let hash_now = hash_but_reviewed(self.entries);
                self.section("reviewed", "`reviewed`", |section| {
                    section.only(&["by", "on", "next", "entered_by", "hash"]);
                    let by = section.text("by");
                    let on = section.required("on").and_then(|_| section.date("on").ok().flatten());
                    let next = section.date("next");
                    let mut optional = |key| match section.has(key) {
                        true => section.text(key).map(|(text, _)| Some(text.to_string())),
                        false => Some(None),
                    };
                    let (entered_by, hash) = (optional("entered_by"), optional("hash"));
                    Some(Review {
                        by: by?.0.to_string(),
                        on: on?,
                        next: next.ok()?,
                        entered_by: entered_by?,
                        hash: hash?,
                        hash_now,
                    })
                })
                .map(Some)
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(true)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => {
                self.reader.problem(
                    "bad-review",
                    value.span(),
                    "`reviewed` does not say who has read the row, and when".into(),
                    Some("write `false`, or `{ by = \"A. Counsel\", on = 2026-11-20 }`"),
                );
                None
            }
        }
    }

    fn strictest_when_unknown(&mut self) -> Option<bool> {
        if !self.has("unknown_subdivision") {
            return Some(false);
        }
        self.word("unknown_subdivision", &[("strictest", true), ("country", false)])
    }

    fn waived_by(&mut self, default: bool) -> Option<bool> {
        if !self.has("announcement_waived_by") {
            return Some(default);
        }
        let list = self.strings("announcement_waived_by")?;
        if list.iter().all(|word| word == "written") {
            return Some(!list.is_empty());
        }
        let at = self.get("announcement_waived_by").map_or_else(|| self.at.clone(), Spanned::span);
        self.reader.problem(
            "bad-value",
            at,
            "`announcement_waived_by` takes only `\"written\"`".into(),
            Some("write `announcement_waived_by = [\"written\"]`, or leave it out"),
        );
        None
    }

    fn tone_seconds(&mut self, default: Option<u16>) -> Result<Option<u16>, ()> {
        let Some(value) = self.get("tone_seconds") else { return Ok(default) };
        let seconds = value
            .get_ref()
            .as_integer()
            .and_then(|integer| u16::from_str_radix(integer.as_str(), integer.radix()).ok())
            .filter(|seconds| (1..=3600).contains(seconds));
        if seconds.is_none() {
            self.reader.problem(
                "bad-value",
                value.span(),
                "`tone_seconds` is not a whole number of seconds from 1 to 3600".into(),
                Some("write for example `tone_seconds = 15`"),
            );
        }
        seconds.map(Some).ok_or(())
    }
}

fn asks(rules: [Rule; 3], voicemail: [Rule; 3], public_safety: Option<Rule>) -> Asks {
    Asks {
        conversation: ByMedium::new(rules),
        voicemail: ByMedium::new(voicemail),
        emergency: public_safety.map_or(Requirement::FORBIDDEN, Requirement::from),
    }
}

/// The purposes of which a table can speak, as keys.
fn purposes() -> Vec<&'static str> {
    Purpose::distinguished().map(Purpose::as_str).collect()
}

/// A hash of what a row says, whatever the order of its keys and its layout: see [`Review::hash_now`].
fn hash_but_reviewed(entries: &DeTable<'_>) -> String {
    fn write(value: &DeValue<'_>, out: &mut String) {
        match value {
            DeValue::String(text) => out.push_str(&format!("{text:?}")),
            DeValue::Integer(integer) => out.push_str(integer.as_str()),
            DeValue::Float(float) => out.push_str(float.as_str()),
            DeValue::Boolean(flag) => out.push_str(&flag.to_string()),
            DeValue::Datetime(datetime) => out.push_str(&datetime.to_string()),
            DeValue::Array(list) => {
                out.push('[');
                for item in list.iter() {
                    write(item.get_ref(), out);
                    out.push(',');
                }
                out.push(']');
            }
            DeValue::Table(entries) => keys(entries, None, out),
        }
    }
    fn keys(entries: &DeTable<'_>, but: Option<&str>, out: &mut String) {
        let mut sorted: Vec<(&str, &DeValue<'_>)> =
            entries.iter().map(|(key, value)| (key.get_ref().as_ref(), value.get_ref())).collect();
        sorted.sort_by_key(|(key, _)| *key);
        out.push('{');
        for (key, value) in sorted.into_iter().filter(|(key, _)| but != Some(*key)) {
            out.push_str(&format!("{key:?}="));
            write(value, out);
            out.push(',');
        }
        out.push('}');
    }
    let mut text = String::new();
    keys(entries, Some("reviewed"), &mut text);
    let digest = super::digest(&text);
    digest.trim_start_matches("sha256:").chars().take(16).collect()
}

const SECTIONS: [&str; 4] = ["default", "evidence", "jurisdiction", "overlay"];

/// The longest history of one place or overlay: changes are compared day by day.
const MOST_ROWS: usize = 200;

const RULE_KEYS: &[&str] = &[
    "parties",
    "form",
    "announcement_must_be_recorded",
    "announcement_waived_by",
    "tone_seconds",
    "works_agreement_is_express",
    "form_for",
    "forbids",
    "written_for",
    "prompt_says",
    "prompt_says_for",
    "retention",
];

const SOURCE_KEYS: &[&str] = &["citations", "pending", "summary", "confidence", "reviewed"];

const DATE_KEYS: &[&str] = &["effective_from", "effective_to"];

const ROW_KEYS: &[&str] = &["code", "name", "media", "unknown_subdivision"];

/// Keys of a row and of the default that no medium changes.
const WHOLE_KEYS: &[&str] = &["voicemail", "public_safety", "on_hold"];

const OVERLAY_KEYS: &[&str] = &["id", "name", "purposes", "recording", "pause_for"];

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString};

    use crate::Table;
    use crate::fact::{Kind, Medium};
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
        assert!(told.contains("`California` is not a place that ISO 3166 knows"), "{told}");
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
            table
                .asks("DE".parse().unwrap(), Medium::Telephone, Kind::Conversation, at.parse().unwrap())
                .requirement
                .strictness
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
        let asks = |medium| table.asks("FR".parse().unwrap(), medium, Kind::Conversation, at).requirement;
        assert_eq!(asks(Medium::Telephone).strictness, Strictness::Notice);
        assert_eq!(asks(Medium::Video).strictness, Strictness::Express);
        assert!(asks(Medium::Video).announcement_must_be_recorded);
        assert_eq!(asks(Medium::Unknown).strictness, Strictness::Express);
    }

    #[test]
    fn of_very_many_mistakes_the_first_are_told_and_how_many_more_there_are() {
        // On lines of their own, on one line, as rows, and as slips of the pen.
        let keys: String = (0..50_000).map(|n| format!("key{n} = 1\n")).collect();
        let inline: String = (0..50_000).map(|n| format!("k{n} = 1, ")).collect();
        let rows = "[[jurisdiction]]\n".repeat(20_000);
        let slips = "a = \u{201c}b\u{201d}\n".repeat(20_000);
        for text in [
            keys,
            format!("default = {{ {inline} z = 1 }}"),
            rows,
            slips,
            "= \n".repeat(20_000),
            "[".repeat(1 << 20),
        ] {
            let begin: String = text.chars().take(20).collect();
            for problems in
                [Table::parse(&text).unwrap_err().0, Table::check(&text, jiff::civil::date(2026, 11, 20)).1]
            {
                assert!((1..=101).contains(&problems.len()), "{begin}: {}", problems.len());
                if problems.len() == 101 {
                    let last = problems.last().unwrap();
                    assert!(
                        last.code == "more" && last.message.contains(" more problems"),
                        "{begin}: {last}"
                    );
                }
            }
        }
        let unknown: String = (0..150).map(|n| format!("key{n} = 1\n")).collect();
        let problems = Table::parse(&unknown).unwrap_err().0;
        // Beside these, [default] and [evidence] are missing.
        assert_eq!(problems.last().unwrap().message, "52 more problems are not listed");
    }
}
