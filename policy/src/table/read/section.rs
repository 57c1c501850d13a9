//! Reading a TOML table: texts, words, dates, lists.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::DeValue;

use super::super::mend::Mended;
use super::Section;
use crate::told::{self, Word};

impl<'r, 't, 'd> Section<'r, 't, 'd> {
    pub(super) fn only(&mut self, known: &[&'static str]) {
        for (key, value) in self.entries {
            let written = key.get_ref().as_ref();
            if known.contains(&written) {
                continue;
            }
            // With so many, finding out what was meant takes too long.
            if self.reader.is_full() {
                self.reader.more += 1;
                continue;
            }
            let free = known.iter().copied().filter(|known| !self.has(known));
            let meant = crate::atlas::nearest_word(written, free);
            let message = format!("{} has no key `{written}`", self.what);
            let hint = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the keys are {}", known.join(", ")),
            };
            self.reader.problem("unknown-key", key.span(), message, Some(&hint));
            self.meant.extend(meant.map(|meant| (meant, value)));
        }
    }

    /// The value of a key, or of its misspelling.
    pub(super) fn get(&self, key: &str) -> Option<&'d Spanned<DeValue<'d>>> {
        let meant = || self.meant.iter().find(|(meant, _)| *meant == key).map(|(_, value)| *value);
        self.entries.get(key).or_else(meant)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The place of a key's value, or of the section if it has no such key.
    pub(super) fn at_key(&self, key: &str) -> Range<usize> {
        self.get(key).map_or_else(|| self.at.clone(), Spanned::span)
    }

    pub(super) fn required(&mut self, key: &str) -> Option<&'d Spanned<DeValue<'d>>> {
        let value = self.get(key);
        if value.is_none() {
            let (code, hint) = match key {
                "citations" => {
                    ("missing-citation", "write for example `citations = [\"Cal. Penal Code § 632\"]`")
                }
                "code" => ("missing-key", "write for example `code = \"US-CA\"`"),
                "id" => ("missing-key", "write for example `id = \"card-data\"`"),
                "name" => ("missing-key", "write for example `name = \"California\"`"),
                "parties" => ("missing-key", "write `parties = \"one\"` or `parties = \"all\"`"),
                "form" => {
                    ("missing-key", "write `form = \"none\"`, `form = \"notice\"` or `form = \"express\"`")
                }
                "summary" => ("missing-key", "write the rule in plain words: `summary = \"…\"`"),
                "confidence" => ("missing-key", "write `confidence = \"high\"`, `\"medium\"` or `\"low\"`"),
                "reviewed" => ("missing-key", "write `reviewed = false` until counsel has read the row"),
                "cite" => ("missing-citation", "write what is cited: `cite = \"Cal. Penal Code § 632\"`"),
                "by" => ("missing-key", "write who has read it: `by = \"A. Counsel\"`"),
                "on" => ("missing-key", "write when it was read: `on = 2026-11-20`"),
                "default" | "evidence" => {
                    ("missing-key", "take this section from the table that comes with the program")
                }
                _ => ("missing-key", "write it"),
            };
            self.reader.problem(code, self.at.clone(), format!("{} lacks `{key}`", self.what), Some(hint));
        }
        value
    }

    pub(super) fn section<T>(
        &mut self,
        key: &str,
        what: &str,
        read: impl FnOnce(&mut Section<'_, '_, 'd>) -> Option<T>,
    ) -> Option<T> {
        let value = self.required(key)?;
        let Some(entries) = value.get_ref().as_table() else {
            self.reader.problem(
                "not-a-table",
                value.span(),
                format!("{what} is not a table"),
                Some("write for example `{ parties = \"all\", form = \"notice\" }`"),
            );
            return None;
        };
        read(&mut Section::new(self.reader, what, value.span(), entries))
    }

    pub(super) fn text(&mut self, key: &str) -> Option<(Cow<'d, str>, Range<usize>)> {
        let value = self.required(key)?;
        match value.get_ref().as_str() {
            Some(text) if !text.trim().is_empty() => Some((Cow::Borrowed(text), value.span())),
            Some(_) => {
                self.reader.problem(
                    "empty",
                    value.span(),
                    format!("`{key}` is empty"),
                    Some("write it between the quotation marks"),
                );
                None
            }
            None => {
                self.reader.problem(
                    "not-a-text",
                    value.span(),
                    format!("`{key}` is not a text"),
                    Some("put it in double quotes"),
                );
                None
            }
        }
    }

    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &str,
        words: &[(&str, T)],
        default: Option<T>,
    ) -> Option<T> {
        match default {
            Some(default) if !self.has(key) => Some(default),
            _ => self.word(key, words),
        }
    }

    /// Words of a vocabulary.
    pub(super) fn words<T: Word>(&mut self, key: &str) -> Option<told::Set<T>> {
        if !self.has(key) {
            return Some(told::Set::NONE);
        }
        let list = self.strings(key)?;
        let is_named = |word: &T| T::OTHERWISE.is_none_or(|rest| rest.bit() != word.bit());
        let known = |text: &str| told::word::<T>(text).filter(is_named);
        let unknown: Vec<&String> = list.iter().filter(|text| known(text).is_none()).collect();
        if unknown.is_empty() {
            return Some(told::Set::of(list.iter().map(String::as_str)));
        }
        let named = T::ALL.iter().filter(|word| is_named(word));
        let known: Vec<String> = named.map(|word| format!("`{}`", word.word())).collect();
        for text in unknown {
            let message = format!("`{text}` is not {}", T::WHAT);
            let hint = format!("the words are {}", known.join(", "));
            self.reader.problem("unknown-word", self.at_key(key), message, Some(&hint));
        }
        None
    }

    pub(super) fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let (text, at) = self.text(key)?;
        let of = |text: &str| words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if let Some(found) = of(&text) {
            return Some(found);
        }
        let meant = crate::atlas::nearest_word(&text, words.iter().map(|(word, _)| *word));
        let known: Vec<String> = words.iter().map(|(word, _)| format!("`\"{word}\"`")).collect();
        let hint = match meant {
            Some(meant) if meant.eq_ignore_ascii_case(&text) => {
                format!("write `\"{meant}\"`, in small letters")
            }
            Some(meant) => format!("did you mean `\"{meant}\"`?"),
            None => format!("write {}", known.join(" or ")),
        };
        self.reader.problem("bad-value", at, format!("`{key}` cannot be `{text}`"), Some(&hint));
        // Reading goes on with what was meant, so that no further problems follow from it.
        of(meant?)
    }

    pub(super) fn flag(&mut self, key: &str, default: bool) -> Option<bool> {
        let Some(value) = self.get(key) else { return Some(default) };
        if let Some(flag) = value.get_ref().as_bool() {
            return Some(flag);
        }
        let quoted = value.get_ref().as_str().and_then(|text| match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        });
        let message = format!("`{key}` is neither `true` nor `false`");
        let hint = if quoted.is_some() {
            "write it without quotes"
        } else {
            "write `true` or `false`, without quotes"
        };
        self.reader.problem("bad-value", value.span(), message, Some(hint));
        quoted
    }

    pub(super) fn strings(&mut self, key: &str) -> Option<Vec<String>> {
        let value = self.required(key)?;
        let list = value.get_ref().as_array().and_then(|array| {
            array
                .iter()
                .map(|item| item.get_ref().as_str().map(ToString::to_string))
                .collect::<Option<Vec<_>>>()
        });
        if list.is_none() {
            let alone = value.get_ref().as_str();
            let hint = match alone {
                Some(_) => format!("put it in brackets: `{key} = [\"…\"]`"),
                None => format!("write for example `{key} = [\"one\", \"two\"]`"),
            };
            let message = format!("`{key}` is not a list of texts");
            self.reader.problem("not-a-list", value.span(), message, Some(&hint));
            return alone.map(|text| alloc::vec![text.to_string()]);
        }
        list
    }

    pub(super) fn date(&mut self, key: &str) -> Result<Option<Date>, ()> {
        let Some(value) = self.get(key) else { return Ok(None) };
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
        if date.is_some() {
            let at = value.span().start;
            let guess = |mended: &Mended| {
                let at = mended.original(at);
                mended.slips.iter().any(|slip| slip.guessed && slip.at == at)
            };
            self.reader.guessed |= self.reader.mended.is_some_and(guess);
            return Ok(date);
        }
        // If it has a time, or quotes, it is clear what was meant.
        let begins = |datetime: &toml::value::Datetime| datetime.date.map(|date| date.to_string());
        let written = value.get_ref().as_datetime().and_then(begins);
        let quoted = value.get_ref().as_str().map(ToString::to_string);
        let meant = written.or(quoted).and_then(|text| text.parse::<Date>().ok());
        let hint = match meant {
            Some(day) => format!("write `{key} = {day}`, without quotes and without a time"),
            None => "write for example `2026-11-20`, without quotes and without a time".into(),
        };
        self.reader.problem("not-a-day", value.span(), format!("`{key}` is not a day"), Some(&hint));
        meant.map(Some).ok_or(())
    }
}
