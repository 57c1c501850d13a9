//! Slips of writing: explains in plain words what is not valid TOML, and mends it so that reading can go on.
//!
//! One missing quotation mark would hide every other mistake behind it. So a text that is not valid TOML is
//! read line by line, and a malformed line is replaced by what was probably meant. A mended text is never
//! used as a table: every mending is reported as a mistake.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use jiff::civil::Date;
use toml::de::DeValue;

use crate::atlas;

/// A readable text, with what was wrong with the original.
pub(super) struct Mended {
    pub(super) text: String,
    pub(super) slips: Vec<Slip>,
    /// The beginning of each piece of the mended text, and its place in the original.
    pieces: Vec<(usize, usize)>,
}

/// One slip, at a byte of the original.
pub(super) struct Slip {
    pub(super) code: &'static str,
    pub(super) at: usize,
    pub(super) message: String,
    pub(super) hint: String,
    /// Its replacement is a guess, so nothing may follow from it.
    pub(super) guessed: bool,
}

impl Mended {
    /// The place of a byte of the mended text in the original.
    pub(super) fn original(&self, at: usize) -> usize {
        let behind = self.pieces.partition_point(|(mended, _)| *mended <= at);
        let piece = behind.checked_sub(1).and_then(|index| self.pieces.get(index));
        let (mended, original) = piece.copied().unwrap_or((0, 0));
        let next = self.pieces.get(behind).map_or(usize::MAX, |(_, original)| *original);
        (original + (at - mended)).min(next)
    }
}

/// Mends a text; `None` if its lines are too long to be written by a person.
pub(super) fn mend(text: &str) -> Option<Mended> {
    if text.lines().any(|line| line.len() > LONGEST_LINE) {
        return None;
    }
    let mut mender = Mender {
        text,
        at: 0,
        out: String::new(),
        pieces: Vec::new(),
        slips: Vec::new(),
        open: Vec::new(),
        value_end: None,
        assigned: false,
        section: "",
        keys: Vec::new(),
        key: "",
        blank_told: false,
    };
    while mender.at < text.len() && mender.slips.len() < MOST_SLIPS {
        mender.line();
    }
    mender.copy(text.len() - mender.at);
    mender.close_all();
    Some(Mended { text: mender.out, slips: mender.slips, pieces: mender.pieces })
}

struct Mender<'t> {
    text: &'t str,
    /// How far it is read.
    at: usize,
    out: String,
    pieces: Vec<(usize, usize)>,
    slips: Vec<Slip>,
    /// The open brackets, and their places.
    open: Vec<(char, usize)>,
    /// Where the last value ended, until a comma comes.
    value_end: Option<usize>,
    /// Whether an equals sign came, and no comma since.
    assigned: bool,
    /// The section that is being read, and its keys so far.
    section: &'static str,
    keys: Vec<&'t str>,
    /// The key of the next value.
    key: &'t str,
    /// Whether this line's strange blanks were reported.
    blank_told: bool,
}

impl<'t> Mender<'t> {
    // Reading and writing.

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// What is left of the line.
    fn rest_of_line(&self) -> &'t str {
        self.rest().split('\n').next().unwrap_or("").trim_end_matches('\r')
    }

    fn peek(&self) -> Option<char> {
        self.rest_of_line().chars().next()
    }

    fn copy(&mut self, bytes: usize) {
        if let Some(piece) = self.rest().get(..bytes) {
            self.pieces.push((self.out.len(), self.at));
            self.out.push_str(piece);
            self.at += bytes;
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Writes what the original lacks.
    fn add(&mut self, text: &str) {
        self.pieces.push((self.out.len(), self.at));
        self.out.push_str(text);
    }

    fn copy_line(&mut self) {
        self.copy(self.rest_of_line().len());
    }

    fn slip(&mut self, code: &'static str, at: usize, message: impl Into<String>, hint: impl Into<String>) {
        self.slips.push(Slip { code, at, message: message.into(), hint: hint.into(), guessed: false });
    }

    /// Replaces a word that is not a clear day by this day, so that the rest can be read.
    fn guess(&mut self, day: &str, word: &str, message: String) {
        let hint = "write year, month and day, for example `2026-11-20`".into();
        self.slips.push(Slip { code: "bad-value", at: self.at, message, hint, guessed: true });
        self.add(day);
        self.skip(word.len());
    }

    /// Reads blanks; characters that only look like one become one.
    fn blanks(&mut self) {
        while let Some(c) = self.peek().filter(|c| is_blank(*c)) {
            if matches!(c, ' ' | '\t') {
                self.copy(1);
                continue;
            }
            if !self.blank_told {
                self.blank_told = true;
                let message =
                    "here stands a sign that looks like a blank and is none, as word processors write it";
                self.slip("strange-blank", self.at, message, "delete it and type a blank");
            }
            self.add(" ");
            self.skip(c.len_utf8());
        }
    }

    // Lines.

    fn line(&mut self) {
        self.blank_told = false;
        let line = self.rest_of_line();
        let bare = line.trim_start_matches(is_blank);
        if self.is_new(bare) {
            self.close_all();
        }
        if !self.open.is_empty() || bare.is_empty() || bare.starts_with('#') {
            self.values();
        } else if bare.starts_with('[') {
            self.header(line);
        } else {
            self.value_end = None;
            if self.key() {
                self.values();
            }
        }
        self.copy_line();
        let newline = if self.rest().starts_with("\r\n") { 2 } else { self.rest().len().min(1) };
        self.copy(newline);
    }

    /// Whether a line begins something new, though a bracket is still open.
    fn is_new(&self, bare: &str) -> bool {
        let section = bare.trim_start_matches('[');
        let header = section.len() < bare.len()
            && section.starts_with(|c: char| c.is_ascii_alphabetic())
            && section.trim_end().ends_with(']');
        match self.open.last() {
            None => false,
            Some(('{', _)) => header || (assigns(bare) && self.value_end.is_some()),
            Some(_) => header || assigns(bare),
        }
    }

    fn close_all(&mut self) {
        if self.open.is_empty() {
            return;
        }
        for (bracket, at) in core::mem::take(&mut self.open).into_iter().rev() {
            let closing = closing(bracket);
            let what = if bracket == '[' { "the list" } else { "what" };
            let message = format!("{what} that begins here with `{bracket}` is not closed");
            self.slip(
                "not-closed",
                at,
                message.replace("what that", "what"),
                format!("write `{closing}` behind its end"),
            );
            self.add(closing);
        }
        self.add("\n");
        self.value_end = None;
    }

    fn header(&mut self, line: &'t str) {
        let (written, _) = line.split_once('#').unwrap_or((line, ""));
        let body = written.trim_matches(is_blank);
        let name = body.trim_matches(|c| matches!(c, '[' | ']' | '"') || is_blank(c));
        self.keys.clear();
        self.section = "";
        if name.contains('.') {
            return;
        }
        let Some(section) = atlas::nearest_word(name, SECTIONS.map(|(section, _)| section)) else { return };
        let Some((section, right)) = SECTIONS.into_iter().find(|(one, _)| *one == section) else { return };
        self.section = section;
        if body.chars().filter(|c| !is_blank(*c)).eq(right.chars()) {
            return;
        }
        let begin = self.at + line.find('[').unwrap_or(0);
        let what = match section {
            "jurisdiction" => "a row",
            "overlay" => "an overlay",
            _ => "this section",
        };
        let message = format!("`{body}` is not how {what} begins");
        self.slip("bad-header", begin, message, format!("write `{right}`"));
        self.add(right);
        self.skip(written.len());
    }

    /// A key and its equals sign; false if the line holds neither.
    fn key(&mut self) -> bool {
        self.blanks();
        let line = self.rest_of_line();
        let quoted = line.strip_prefix('"').and_then(|inner| inner.find('"')).map(|end| end + 2);
        let Some(len) = quoted.or_else(|| key_len(line)) else { return self.stray() };
        let (key, behind) = (line.get(..len).unwrap_or(""), line.get(len..).unwrap_or(""));
        let value = behind.trim_start_matches(is_blank);
        let first = value.chars().next();
        let begins_value = |c: char| c.is_ascii_digit() || matches!(c, '"' | '[' | '{') || is_curly(c);
        let assigned = match first {
            Some('=' | ':') => true,
            Some(c) => begins_value(c) || ["true", "false"].contains(&value.trim()),
            None => KEYS.contains(&key),
        };
        if !assigned {
            return self.stray();
        }
        self.new_row(key);
        self.keys.push(key);
        self.copy(len);
        self.equals(key);
        self.blanks();
        if matches!(self.peek(), None | Some('#')) {
            let message = format!("`{key}` has no value");
            self.slip("no-value", self.at, message, "write one behind the equals sign, on the same line");
            self.add("\"\"");
        }
        true
    }

    fn equals(&mut self, key: &'t str) {
        self.key = key;
        self.blanks();
        let at = self.at;
        let right = format!("write `{key} = …`");
        match self.peek() {
            Some('=') => return self.assign(1),
            Some(':') => {
                self.slip("no-equals", at, "a colon stands where an equals sign should", right);
                self.skip(1);
            }
            _ => self.slip("no-equals", at, format!("the equals sign behind `{key}` is missing"), right),
        }
        self.add("= ");
        self.assign(0);
    }

    fn assign(&mut self, bytes: usize) {
        self.copy(bytes);
        self.assigned = true;
        self.value_end = None;
    }

    /// A row that begins without `[[jurisdiction]]`: most of its keys would stand there twice.
    fn new_row(&mut self, key: &str) {
        let names = matches!((self.section, key), ("jurisdiction", "code") | ("overlay", "id"));
        if names && self.keys.len() >= 4 && self.keys.contains(&key) {
            let header = format!("[[{}]]", self.section);
            let message = format!("a second `{key}` in one row");
            let hint =
                format!("where a new row begins, write `{header}` on a line above it; else delete one");
            self.slip("no-header", self.at, message, hint);
            self.add(&format!("{header}\n"));
            self.keys.clear();
        }
    }

    /// Reports a line that has no meaning.
    fn stray(&mut self) -> bool {
        self.slip(
            "stray-line",
            self.at,
            "this line is neither `key = value`, nor the beginning of a row, nor a comment",
            "begin a comment with `#`, and write a text on one line",
        );
        self.add("#");
        self.copy_line();
        false
    }

    // Values.

    fn values(&mut self) {
        loop {
            self.blanks();
            let Some(c) = self.peek().filter(|_| self.slips.len() < MOST_SLIPS) else { return };
            if c == '#' {
                return self.copy_line();
            }
            if self.open.is_empty() && self.value_end.is_some() {
                let behind = self.rest_of_line();
                let message = format!("`{}` stands behind the end of the value", shortened(behind));
                self.slip("behind-the-end", self.at, message, "delete it, or begin a comment with `#`");
                self.add("#");
                return self.copy_line();
            }
            match c {
                '[' | '{' => {
                    self.begin_value();
                    self.open.push((c, self.at));
                    self.copy(1);
                    self.assigned = false;
                }
                ']' | '}' => self.close(c),
                ',' => {
                    self.copy(1);
                    (self.value_end, self.assigned) = (None, false);
                }
                '=' => self.assign(1),
                '"' | '\'' => self.quoted(c),
                c if is_curly(c) => self.curly(c),
                _ => self.bare(),
            }
        }
    }

    /// Before a value or an inner key: the comma before it.
    fn begin_value(&mut self) {
        if let Some(end) = self.value_end.take().filter(|_| !self.open.is_empty()) {
            self.slip("no-comma", end, "a comma is missing here", "write `,` between the two");
            self.add(", ");
            self.assigned = false;
        }
    }

    fn close(&mut self, c: char) {
        match self.open.pop().map(|(bracket, _)| closing(bracket)) {
            Some(right) if right.starts_with(c) => self.copy(1),
            Some(right) => {
                let message = format!("`{c}` stands where `{right}` should");
                self.slip("wrong-bracket", self.at, message, format!("write `{right}`"));
                self.add(right);
                self.skip(1);
            }
            None => {
                self.slip("wrong-bracket", self.at, format!("`{c}` closes nothing"), "delete it");
                self.skip(1);
            }
        }
        self.value_end = Some(self.at);
    }

    /// A text in straight quotation marks.
    fn quoted(&mut self, quote: char) {
        let line = self.rest_of_line();
        let three: String = [quote; 3].into_iter().collect();
        if line.starts_with(&three) {
            self.begin_value();
            let inner = self.rest().get(3..).unwrap_or("");
            let len = inner.find(&three).map_or(self.rest().len(), |end| end + 6);
            self.copy(len);
            self.value_end = Some(self.at);
            return;
        }
        self.begin_value();
        let closes = |c| c == quote;
        let first = closers(line, closes, quote == '"').next();
        let in_list = !self.open.is_empty();
        // The end is followed by what may follow a value, or by the next text of a list.
        let whole = first.filter(|end| {
            let behind = line.get(end + 1..).unwrap_or("").trim_start_matches(is_blank);
            let next = behind.starts_with(['"', '\'']) || assigns(behind);
            ends_value(behind) || behind.starts_with('=') || (in_list && next)
        });
        if let Some(end) = whole {
            self.copy(end + 1);
            self.value_end = Some(self.at);
            return;
        }
        let ends: Vec<usize> = closers(line, closes, quote == '"').collect();
        match self.end_of_text(line, &ends) {
            Some(end) => {
                let at = self.at + first.unwrap_or(0);
                let message = "this quotation mark stands inside the text, and ends it there";
                self.slip("inner-quote", at, message, "write `\\\"` for it, or “ ” inside the text");
                self.text_to(1, end, end + 1, quote == '"');
            }
            None => self.not_closed(line, 1, quote == '"'),
        }
    }

    /// A text in the quotation marks of a word processor.
    fn curly(&mut self, opening: char) {
        self.begin_value();
        let line = self.rest_of_line();
        let single = is_single(opening);
        let closes = |c| (is_curly(c) && is_single(c) == single) || c == '"';
        let ends: Vec<usize> = closers(line, closes, false).collect();
        let message = format!("`{opening}` is a quotation mark of a word processor");
        let begin = opening.len_utf8();
        let Some(end) = self.end_of_text(line, &ends) else {
            self.slip(
                "curly-quote",
                self.at,
                message,
                "write straight ones, `\"`, before and behind the text",
            );
            return self.not_closed_told(line, begin, false);
        };
        let inner = line.get(begin..end).unwrap_or("");
        self.slip(
            "curly-quote",
            self.at,
            message,
            format!("write straight ones: `\"{}\"`", shortened(inner)),
        );
        let closer = line.get(end..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        self.text_to(begin, end, end + closer, false);
    }

    /// The quotation mark that ends a text: the last one of the line, or the first before a comma or
    /// a bracket in a list.
    fn end_of_text(&self, line: &str, ends: &[usize]) -> Option<usize> {
        let behind = |end: usize| {
            let mut behind = line.get(end..).unwrap_or("").chars();
            behind.next();
            behind.as_str().trim_start_matches(is_blank)
        };
        if self.open.is_empty() {
            ends.iter().rev().copied().find(|end| behind(*end).is_empty() || behind(*end).starts_with('#'))
        } else {
            ends.iter().copied().find(|end| ends_value(behind(*end)))
        }
    }

    fn not_closed(&mut self, line: &'t str, begin: usize, escapes: bool) {
        let content = self.content(line);
        match content.chars().next_back().filter(|c| is_curly(*c) && content.len() > begin) {
            Some(last) => {
                let at = self.at + content.len() - last.len_utf8();
                let message =
                    format!("`{last}` is a quotation mark of a word processor, and does not close the text");
                self.slip("curly-quote", at, message, "write a straight one: `\"`");
            }
            None if self.wrapped(line, begin, escapes) => return,
            None => {
                let message = "the text that begins here is not closed";
                self.slip("not-closed", self.at, message, "write `\"` at its end");
            }
        }
        self.not_closed_told(line, begin, escapes);
    }

    fn not_closed_told(&mut self, line: &'t str, begin: usize, escapes: bool) {
        let content = self.content(line);
        let end = content.trim_end_matches(|c| is_curly(c) || c == '"').len().max(begin);
        self.text_to(begin, end, content.len().max(begin), escapes);
    }

    /// The part of a line that belongs to a text that is not closed.
    fn content(&self, line: &'t str) -> &'t str {
        let line = line.trim_end_matches(is_blank);
        if self.open.is_empty() {
            return line.trim_end_matches(',');
        }
        let end = |c: char| {
            is_blank(c) || c == ',' || self.open.iter().any(|(open, _)| closing(*open).starts_with(c))
        };
        line.trim_end_matches(end)
    }

    /// A text that goes on over the next lines, up to one that ends with a quotation mark.
    fn wrapped(&mut self, line: &str, begin: usize, escapes: bool) -> bool {
        if !self.open.is_empty() {
            return false;
        }
        let mut len = line.len();
        for next in self.rest().split_inclusive('\n').skip(1).take(MOST_LINES) {
            let newline = self
                .rest()
                .get(len..)
                .map_or(0, |rest| rest.len() - rest.trim_start_matches(['\r', '\n']).len());
            let bare = next.trim();
            if bare.is_empty() || bare.starts_with(['[', '#']) || assigns(bare) || newline > 2 {
                return false;
            }
            len += newline + next.trim_end_matches(['\r', '\n']).len();
            if bare.ends_with('"') {
                let end = self.rest().get(..len).unwrap_or("").trim_end().len() - 1;
                let message = "the text that begins here goes on over several lines";
                let hint = "write it on one line, or between `\"\"\"` and `\"\"\"`";
                self.slip("several-lines", self.at, message, hint);
                self.text_to(begin, end, len, escapes);
                return true;
            }
        }
        false
    }

    /// Writes the bytes from `begin` to `end` as a text, and goes on behind `behind`.
    fn text_to(&mut self, begin: usize, end: usize, behind: usize, escapes: bool) {
        let from = self.at;
        let content = self.rest().get(begin..end).unwrap_or("");
        self.add("\"");
        self.skip(begin);
        let mut escaped = false;
        for c in content.chars() {
            match c {
                '"' if !escaped => self.add("\\"),
                '\\' if !escapes => self.add("\\"),
                _ => {}
            }
            escaped = escapes && c == '\\' && !escaped;
            if matches!(c, '\n' | '\r') || is_odd(c) {
                self.add(" ");
                self.skip(c.len_utf8());
            } else {
                self.copy(c.len_utf8());
            }
        }
        self.add("\"");
        self.at = from + behind;
        self.value_end = Some(self.at);
    }

    /// A key inside of braces, or a value without quotation marks.
    fn bare(&mut self) {
        self.begin_value();
        let line = self.rest_of_line();
        if self.open.last().is_some_and(|(open, _)| *open == '{') && !self.assigned {
            let Some(len) = key_len(line) else {
                // Not a value: the reader reports it.
                self.copy(line.chars().next().map_or(0, char::len_utf8));
                return;
            };
            self.copy(len);
            return self.equals(line.get(..len).unwrap_or(""));
        }
        let end = match self.open.is_empty() {
            true => line.find('#'),
            false => line.find([',', ']', '}', '#']),
        };
        let mut end = end.unwrap_or(line.len());
        // `November 20, 2026`: the comma belongs to the day.
        let behind = line.get(end..).and_then(|behind| behind.strip_prefix(',')).unwrap_or("");
        if DAYS.contains(&self.key) && behind.trim_start_matches(is_blank).starts_with("20") {
            end += 1 + behind.find([',', ']', '}', '#']).unwrap_or(behind.len());
        }
        let word = line.get(..end).unwrap_or("").trim_end_matches(is_blank);
        // A comma behind a value is reported as that.
        let whole = if self.open.is_empty() { word.trim_end_matches(',') } else { word };
        self.bare_value(if whole.is_empty() { word } else { whole });
        self.value_end = Some(self.at);
    }

    fn bare_value(&mut self, word: &'t str) {
        if DeValue::parse(word).is_ok() {
            return self.copy(word.len());
        }
        let at = self.at;
        let mut instead = |meant: &str, message: String| {
            self.slip("bad-value", at, message, format!("write `{meant}`"));
            self.add(meant);
            self.skip(word.len());
        };
        if let Some(flag) = flag(word) {
            return instead(flag, format!("`{word}` is neither `true` nor `false`"));
        }
        match day(word) {
            Some(Day::Meant(day)) => {
                return instead(&format!("{day}"), format!("`{word}` is not how a day is written here"));
            }
            Some(Day::Unclear(day)) => {
                return self.guess(&format!("{day}"), word, format!("`{word}` could be one day or another"));
            }
            Some(Day::None(near)) => {
                return self.guess(
                    &format!("{near}"),
                    word,
                    format!("`{word}` is not a day of the calendar"),
                );
            }
            None if DAYS.contains(&self.key) => {
                let message = format!("`{}` is not how a day is written here", shortened(word));
                return self.guess("2000-01-01", word, message);
            }
            None => {}
        }
        let inner = word.trim_end_matches(|c| c == '"' || is_curly(c));
        let message = match inner.len() == word.len() {
            true => format!("`{}` has no quotation marks", shortened(word)),
            false => format!("`{}` has a quotation mark behind it and none before it", shortened(inner)),
        };
        self.slip("no-quotes", at, message, format!("write `\"{}\"`", shortened(inner)));
        self.text_to(0, inner.len(), word.len(), false);
    }
}

/// The places of quotation marks that can end a text which begins with its first character.
fn closers(line: &str, closes: impl Fn(char) -> bool, escapes: bool) -> impl Iterator<Item = usize> {
    let mut escaped = false;
    line.char_indices().skip(1).filter_map(move |(at, c)| {
        let found = closes(c) && !escaped;
        escaped = escapes && c == '\\' && !escaped;
        found.then_some(at)
    })
}

fn ends_value(behind: &str) -> bool {
    behind.is_empty() || behind.starts_with([',', ']', '}', '#'])
}

/// Whether the text begins with a key and an equals sign.
fn assigns(text: &str) -> bool {
    let behind = key_len(text).and_then(|len| text.get(len..)).unwrap_or("");
    behind.trim_start_matches(is_blank).starts_with('=')
}

/// The length of the key that a line begins with.
fn key_len(line: &str) -> Option<usize> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let len = line.find(|c| !part(c)).unwrap_or(line.len());
    line.starts_with(|c: char| c.is_ascii_alphabetic()).then_some(len)
}

fn closing(bracket: char) -> &'static str {
    if bracket == '[' { "]" } else { "}" }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t') || is_odd(c)
}

/// Looks like a blank, or like nothing.
fn is_odd(c: char) -> bool {
    matches!(
        c,
        '\u{a0}' | '\u{ad}' | '\u{2000}'
            ..='\u{200f}' | '\u{202f}' | '\u{205f}' | '\u{2060}' | '\u{3000}' | '\u{feff}'
    )
}

/// Looks like a hyphen: word processors turn hyphens into these.
fn is_dash(c: char) -> bool {
    matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn is_curly(c: char) -> bool {
    matches!(c, '“' | '”' | '„' | '‟' | '«' | '»' | '″') || is_single(c)
}

fn is_single(c: char) -> bool {
    matches!(c, '‘' | '’' | '‚' | '‛' | '‹' | '›' | '′')
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or("").trim_end()),
        None => text.to_owned(),
    }
}

fn flag(word: &str) -> Option<&'static str> {
    let is = |words: &[&str]| words.iter().any(|one| one.eq_ignore_ascii_case(word));
    if is(&["true", "yes", "y", "on", "ja", "oui", "si", "sí"]) {
        Some("true")
    } else if is(&["false", "no", "n", "off", "nein", "non"]) {
        Some("false")
    } else {
        None
    }
}

enum Day {
    Meant(Date),
    /// Day and month could be either way round.
    Unclear(Date),
    /// The day does not exist; this one is near.
    None(Date),
}

/// A day in one of the ways in which people write days: `20.11.2026`, `11/20/2026`, `20 Nov 2026`.
fn day(word: &str) -> Option<Day> {
    let parts: Vec<&str> = word
        .split(|c: char| matches!(c, '.' | '/' | '-' | ',' | ' ') || is_dash(c) || is_blank(c))
        .filter(|part| !part.is_empty())
        .collect();
    let [first, second, third] = parts.as_slice() else { return None };
    let number = |part: &str| -> Option<i16> {
        let digits = part.trim_end_matches(|c: char| c.is_ascii_lowercase());
        (digits.len() <= 4 && part.len() <= digits.len() + 2).then(|| digits.parse().ok())?
    };
    let month = |part: &str| -> Option<i16> {
        let part = part.to_lowercase();
        let begins = |name: &&str| part.starts_with(*name);
        MONTHS
            .iter()
            .position(|names| names.split(' ').any(|name| begins(&name)))
            .and_then(|index| i16::try_from(index + 1).ok())
    };
    let of = |year: i16, month: i16, day: i16| {
        Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
    };
    let near = |year: i16| of(year, 1, 1);
    if let (Some(year), Some(a), Some(b)) = (number(first), number(second), number(third))
        && (1900..=2999).contains(&year)
    {
        return match (of(year, a, b), of(year, b, a)) {
            (Some(day), _) => Some(Day::Meant(day)),
            (None, Some(day)) => Some(Day::Meant(day)),
            (None, None) => near(year).map(Day::None),
        };
    }
    let year = number(third).filter(|year| (1900..=2999).contains(year))?;
    if let Some(day) = number(first).zip(month(second)).and_then(|(day, month)| of(year, month, day)) {
        return Some(Day::Meant(day));
    }
    if let Some(day) = number(second).zip(month(first)).and_then(|(day, month)| of(year, month, day)) {
        return Some(Day::Meant(day));
    }
    let (a, b) = (number(first)?, number(second)?);
    match (of(year, b, a), of(year, a, b)) {
        // With full stops the day comes first; with strokes it depends on who writes.
        (Some(day), Some(other)) if word.contains('/') && day != other => Some(Day::Unclear(day)),
        (Some(day), _) | (None, Some(day)) => Some(Day::Meant(day)),
        (None, None) => near(year).map(Day::None),
    }
}

const SECTIONS: [(&str, &str); 4] = [
    ("default", "[default]"),
    ("evidence", "[evidence]"),
    ("jurisdiction", "[[jurisdiction]]"),
    ("overlay", "[[overlay]]"),
];

/// Keys that every row has: alone on a line, one of them lacks its value.
const KEYS: [&str; 9] =
    ["code", "id", "name", "parties", "form", "citations", "summary", "confidence", "reviewed"];

/// How the names of months begin, in English and in other languages.
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar mär", "apr", "may mai", "jun", "jul", "aug", "sep", "oct okt", "nov", "dec dez"];

/// Keys whose value is a day.
const DAYS: [&str; 5] = ["effective_from", "effective_to", "on", "next", "read"];

/// No person writes a line as long as this, in bytes.
const LONGEST_LINE: usize = 5_000;

/// How many slips are reported.
const MOST_SLIPS: usize = 500;

/// Over how many lines a text may have been wrapped.
const MOST_LINES: usize = 20;
