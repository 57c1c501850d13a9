//! Small random tables, as a row of numbers each: two tables that differ in a few numbers differ in
//! a few keys.

use std::fmt;

use proptest::prelude::*;

/// A table of four places, of which two have histories, and of two overlays.
#[derive(Clone, PartialEq)]
pub(crate) struct Draft {
    digits: Vec<u8>,
}

/// Numbers to be written into a draft, and where.
pub(crate) type Edits = Vec<(prop::sample::Index, u8)>;

impl Draft {
    pub(crate) fn edited(&self, edits: &Edits) -> Draft {
        let mut digits = self.digits.clone();
        for (at, digit) in edits {
            // Every section is edited as often as any other, however long it is.
            let sections = Draft::sections();
            let (from, len) = sections[at.index(sections.len())];
            let spread = usize::from(*digit) * 7919 + at.index(usize::MAX);
            digits[from + spread % len] = digit.wrapping_mul(37).wrapping_add(11);
        }
        Draft { digits }
    }

    pub(crate) fn text(&self) -> String {
        self.blocks().iter().map(|block| block.join("\n") + "\n\n").collect()
    }

    /// The same in another order, with comments and blank lines.
    pub(crate) fn rearranged(&self, seed: usize) -> String {
        let mut blocks = self.blocks();
        let turn = seed % blocks.len();
        blocks.rotate_left(turn);
        let mut text = String::from("# In another order.\n");
        for block in &mut blocks {
            if let Some((_, keys)) = block.split_first_mut() {
                keys.reverse();
            }
            text.push_str(&block.join("  # a comment\n\n"));
            text.push('\n');
        }
        text
    }

    /// Where each section begins, and how long it is.
    fn sections() -> Vec<(usize, usize)> {
        let lengths = [DEFAULT, RULE, RULE, RULE]
            .into_iter()
            .chain([ROW; 2 * CODES.len()])
            .chain([OVERLAY; 2 * OVERLAYS.len()]);
        lengths
            .scan(0, |from, len| {
                *from += len;
                Some((*from - len, len))
            })
            .collect()
    }

    /// The sections of the text, each with its head and its keys.
    fn blocks(&self) -> Vec<Vec<String>> {
        let mut digits = Digits(self.digits.iter().copied());
        let mut blocks = vec![digits.default()];
        let mut evidence = vec!["[evidence]".to_string()];
        for name in ["number", "ip", "declared"] {
            evidence.push(format!("{name} = {}", inline(&digits.rule(Base::None))));
        }
        blocks.push(evidence);
        for code in CODES {
            for later in [false, true] {
                blocks.extend(digits.row(code, later));
            }
        }
        for id in OVERLAYS {
            for later in [false, true] {
                blocks.extend(digits.overlay(id, later));
            }
        }
        blocks
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = |line: &&str| !SOURCE.contains(line) && !line.is_empty();
        let text = self.text();
        writeln!(f, "\n{}", text.lines().filter(source).collect::<Vec<_>>().join("\n"))
    }
}

/// Any draft.
pub(crate) fn drafts() -> impl Strategy<Value = Draft> {
    let len = Draft::sections().iter().map(|(_, len)| len).sum::<usize>();
    proptest::collection::vec(any::<u8>(), len).prop_map(|digits| Draft { digits })
}

/// Mostly a few edits; sometimes so many that little is left.
pub(crate) fn edits() -> impl Strategy<Value = Edits> {
    let edit = || (any::<prop::sample::Index>(), any::<u8>());
    prop_oneof![
        4 => proptest::collection::vec(edit(), 1..3),
        2 => proptest::collection::vec(edit(), 3..12),
        1 => proptest::collection::vec(edit(), 100..101)]
}

/// What a rule that leaves a key out falls back on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    /// Nothing: the form has to be said.
    None,
    /// Nothing, and one party's consent is too little.
    Default,
    /// The row, or what an overlay asks of itself.
    Row,
}

/// The numbers that are left.
struct Digits<I>(I);

impl<I: Iterator<Item = u8>> Digits<I> {
    /// One of these: the first half of the time.
    fn pick<'c>(&mut self, choices: &[&'c str]) -> &'c str {
        let digit = usize::from(self.0.next().unwrap());
        match digit.checked_sub(128) {
            None => choices[0],
            Some(digit) => choices[1 + digit * (choices.len() - 1) / 128],
        }
    }

    fn default(&mut self) -> Vec<String> {
        let mut block = vec!["[default]".to_string()];
        block.extend(self.rule(Base::Default));
        block.extend(self.part("voicemail", Base::Row));
        block.extend(self.part("public_safety", Base::None));
        block.extend(self.on_hold());
        block
    }

    fn on_hold(&mut self) -> Option<String> {
        let word = self.pick(&["", "not-counted", "counted", "not-recorded"]);
        (!word.is_empty()).then(|| format!("on_hold = \"{word}\""))
    }

    /// A row of the first days, or of the later ones.
    fn row(&mut self, code: &str, later: bool) -> Option<Vec<String>> {
        let (is_there, dates) = self.dates(later);
        let mut block =
            vec!["[[jurisdiction]]".into(), format!("code = \"{code}\""), format!("name = \"{code}\"")];
        block.extend(SOURCE.map(String::from));
        block.extend(dates);
        block.extend(self.rule(Base::None));
        block.extend(self.part("media.video", Base::Row));
        block.extend(self.part("voicemail", Base::Row));
        block.extend(self.part("public_safety", Base::None));
        block.extend(self.on_hold());
        let strictest = self.pick(&["unknown_subdivision = \"strictest\"", ""]);
        block.extend(Some(strictest).filter(|line| code.len() == 2 && !line.is_empty()).map(String::from));
        is_there.then_some(block)
    }

    fn overlay(&mut self, id: &str, later: bool) -> Option<Vec<String>> {
        let (is_there, dates) = self.dates(later);
        let mut block = vec!["[[overlay]]".into(), format!("id = \"{id}\""), format!("name = \"{id}\"")];
        block.extend(SOURCE.map(String::from));
        block.extend(dates);
        block.extend(self.rule(Base::Row));
        for choices in [
            &["", "purposes = [\"quality\"]", "purposes = [\"evidence\"]"],
            &["", "recording = \"mandatory\"", "recording = \"forbidden\""],
            &["", "pause_for = \"card-data\"", "pause_for = \"card-data\""],
        ] {
            block.push(self.pick(choices).into());
        }
        block.retain(|line| !line.is_empty());
        is_there.then_some(block)
    }

    /// Whether there is such a row, and when it holds.
    fn dates(&mut self, later: bool) -> (bool, Vec<String>) {
        let is_there = self.pick(if later { &["", "yes"] } else { &["yes", "yes", "yes", ""] });
        let from = self.pick(if later { &[LATER, LATER] } else { &["", "effective_from = 2020-01-01"] });
        let to = self.pick(if later {
            &["", "effective_to = 2026-11-30"]
        } else {
            &["", "effective_to = 2026-11-20"]
        });
        let dates = [from, to].into_iter().filter(|line| !line.is_empty()).map(String::from);
        (!is_there.is_empty(), dates.collect())
    }

    /// A rule within a rule, where there is one.
    fn part(&mut self, key: &str, base: Base) -> Option<String> {
        let is_there = self.pick(&["", "yes"]);
        let rule = self.rule(base);
        (!is_there.is_empty()).then(|| format!("{key} = {}", inline(&rule)))
    }

    fn rule(&mut self, base: Base) -> Vec<String> {
        let form = match base {
            Base::None => self.pick(&[ONE, NOTICE, EXPRESS]),
            Base::Default => self.pick(&[NOTICE, EXPRESS]),
            Base::Row => self.pick(&["", ONE, NOTICE, EXPRESS]),
        };
        let mut lines: Vec<String> = form.split("; ").map(String::from).collect();
        for choices in [
            &[
                "",
                "announcement_must_be_recorded = true",
                "announcement_must_be_recorded = true; announcement_waived_by = [\"written\"]",
                "announcement_must_be_recorded = false",
            ],
            &["", "tone_seconds = 30", "tone_seconds = 15", ""],
            &[
                "",
                "works_agreement_is_express = true",
                "works_agreement_is_express = true",
                "works_agreement_is_express = false",
            ],
            &[
                "",
                "form_for = { evidence = \"notice\" }",
                "form_for = { evidence = \"express\", quality = \"notice\" }",
                "form_for = { voiceprint = \"express\" }",
            ],
            &[
                "",
                "forbids = { emotion = [\"agent\"] }",
                "forbids = { emotion = [\"*\"], quality = [\"customer\"] }",
                "written_for = [\"voiceprint\"]",
            ],
            &[
                "",
                "prompt_says = [\"recording\"]",
                "prompt_says = [\"recording\", \"operator\"]",
                "prompt_says = []",
            ],
            &[
                "",
                "prompt_says_for = { quality = [\"purpose\"] }",
                "prompt_says_for = { evidence = [\"vendor\"], quality = [\"operator\"] }",
                "prompt_says_for = { quality = [] }",
            ],
        ] {
            lines.extend(self.pick(choices).split("; ").map(String::from));
        }
        let kept = self.pick(&["", "minimum = \"10 days\"", "minimum = \"30 days\""]);
        let gone = self.pick(&["", "maximum = \"40 days\"", "maximum = \"2 months\""]);
        match (kept, gone) {
            ("", "") => {}
            ("", one) | (one, "") => lines.push(format!("retention = {{ {one} }}")),
            (kept, gone) => lines.push(format!("retention = {{ {kept}, {gone} }}")),
        }
        lines.retain(|line| !line.is_empty());
        lines
    }
}

fn inline(rule: &[String]) -> String {
    format!("{{ {} }}", rule.join(", "))
}

const ONE: &str = "parties = \"one\"; form = \"none\"";
const NOTICE: &str = "parties = \"all\"; form = \"notice\"";
const EXPRESS: &str = "parties = \"all\"; form = \"express\"";
const LATER: &str = "effective_from = 2026-11-21";
const SOURCE: [&str; 4] = [
    "citations = [\"none\"]",
    "summary = \"Made up for tests.\"",
    "confidence = \"low\"",
    "reviewed = false",
];

/// The places that may have rows.
pub(crate) const CODES: [&str; 4] = ["US", "US-CA", "US-TX", "DE"];
/// The overlays that there may be.
pub(crate) const OVERLAYS: [&str; 2] = ["bank", "clinic"];

// How many numbers each section takes.
const RULE: usize = 10;
const DEFAULT: usize = 3 * RULE + 3;
const ROW: usize = 3 + 4 * RULE + 3 + 2;
const OVERLAY: usize = 3 + RULE + 3;
