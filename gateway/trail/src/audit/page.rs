//! The page of a pack, for people: what was recorded, who was there, what was played, what they
//! answered, which rule of which place applied, and how to check all of it.
//!
//! One file without a server, a script or anything from elsewhere: `page.html`, filled in. It is computed from the
//! pack alone, the same bytes every time, so that whoever checks a pack can compare. What it says, and how, is a
//! format of its own: [`FORMAT`].
//!
//! It knows nothing of proofs: a page is not one, and says so.

mod text;
pub(super) mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use policy::Table;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::pack::{self, Kind, Pack, is_asserted};
use super::verify::table;
use crate::story::{self, Act, Law, Laws, Person, Read, Recording, Relied, Story, Stretch};
use crate::{Leaf, counted};
use words::moment;

/// The format of pages: what they say, word for word and mark for mark. Pages of two formats cannot be compared.
///
/// Whoever changes a word of a page raises it; a test holds it to the page of a known pack.
pub const FORMAT: u32 = 2;

/// The page of a pack.
///
/// # Errors
///
/// Where it cannot be written.
pub fn page(pack: &Pack) -> Result<String, askama::Error> {
    Page::of(pack).render()
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'p> {
    pack: &'p Pack,
    /// Entries that cannot be read are left out: [`verify_pack`](super::pack::verify_pack) finds them.
    entries: Vec<Read>,
    stories: Vec<(Story, Laws)>,
}

/// What a prompt says, where its document is in the pack.
struct Said {
    /// A language tag has only letters, digits and hyphens; anything else stands as text alone.
    language: String,
    text: String,
    duration_ms: Option<u64>,
    delivery: String,
    sha256: String,
}

impl<'p> Page<'p> {
    fn of(pack: &'p Pack) -> Page<'p> {
        let read = |entry: &pack::Entry| {
            Some(Read { index: entry.index, leaf: entry.read()?, detail: entry.document() })
        };
        let entries: Vec<Read> = pack.entries.iter().filter_map(read).collect();
        let parsed = |(digest, text): (&String, &String)| Some((digest.clone(), table(digest, text).ok()?));
        let tables: BTreeMap<String, Arc<Table>> = pack.tables.iter().filter_map(parsed).collect();
        let told = |call: &Uuid| {
            let laws = story::laws(*call, &entries, &|digest| tables.get(digest).cloned());
            Some((Story::of(*call, &entries)?, laws))
        };
        let stories = pack.manifest.calls.iter().filter_map(told).collect();
        Page { pack, entries, stories }
    }

    /// What people call the call.
    fn call_name(&self) -> String {
        let name = &self.pack.manifest.call_id;
        match (name, self.pack.manifest.calls.first()) {
            (Some(name), _) => name.clone(),
            (None, Some(uid)) => uid.to_string(),
            (None, None) => "unknown".into(),
        }
    }

    fn title(&self) -> String {
        match self.pack.manifest.kind {
            Kind::Recording => format!("The recording of call {}", self.call_name()),
            Kind::Call => format!("Call {}", self.call_name()),
            Kind::Absence => match self.newest() {
                Some(at) => format!("No recording of call {}, as of {} UTC", self.call_name(), moment(&at)),
                None => format!("No recording of call {}", self.call_name()),
            },
        }
    }

    /// When the newest entry of an absence's stretch was logged.
    fn newest(&self) -> Option<Timestamp> {
        let newest = self.pack.stretch.as_ref()?.leaves.last()?;
        serde_json::from_slice(newest).ok().map(|leaf: Leaf| leaf.at)
    }

    fn style_hash(&self) -> String {
        BASE64_STANDARD.encode(Sha256::digest(STYLE))
    }

    fn contents(&self) -> Vec<(&'static str, &'static str)> {
        let mut contents = vec![("glance", "At a glance")];
        if self.stories.len() == 1 {
            contents.extend([
                ("people-0", "Who was on the call"),
                ("consent-0", "Who had agreed while it was recorded"),
                ("played-0", "What was played to them"),
                ("answers-0", "What they answered"),
                ("law-0", "What the law asked"),
            ]);
        }
        contents.extend([
            ("timeline", "Everything in order"),
            ("kinds", "What was asserted, and what was done"),
            ("check", "How to check it"),
            ("limits", "What this does not prove"),
            ("hashes", "Hashes"),
        ]);
        contents
    }

    /// In two sentences.
    fn summary(&self) -> String {
        let size = self.pack.manifest.size;
        match (self.pack.manifest.kind, self.recorded()) {
            (Kind::Recording, Some(recorded)) => {
                let when = recorded.spans.first().map(|(from, _)| moment(from)).unwrap_or_default();
                format!(
                    "The recording holds {} of this call, from {when} UTC on. The gateway accepted it on {} UTC, after it \
                     had found that consent covers every second of it.",
                    words::seconds(recorded.duration_ms()),
                    moment(&recorded.accepted_at)
                )
            }
            (Kind::Recording, None) => "The entry that accepted the recording is not in this pack.".into(),
            (Kind::Call, _) => {
                let of = |kind: &str| self.entries.iter().filter(|read| read.leaf.kind == kind).count();
                format!(
                    "This pack holds {} of this call. By them {}, and {}.",
                    counted(self.entries.iter().filter(|read| read.leaf.call.is_some()).count(), "entry"),
                    words::were(
                        of("recording.accepted").saturating_add(of("recording.released")),
                        "recording",
                        "accepted"
                    ),
                    words::were(of("recording.refused"), "upload", "refused")
                )
            }
            (Kind::Absence, _) => format!(
                "From the moment at which this call was opened until the log had {size} entries, no recording of it was \
                 accepted. Every entry of that stretch of the log is in this pack, so that this can be seen."
            ),
        }
    }

    fn recorded(&self) -> Option<&Recording> {
        let id = self.pack.manifest.recording?;
        self.stories.iter().flat_map(|(story, _)| &story.recordings).find(|recording| recording.id == id)
    }

    /// The stretches of a call that were recorded, as far as the pack is about them.
    fn spans(&self, story: &Story) -> Vec<(Timestamp, Timestamp)> {
        let about = self.pack.manifest.recording;
        let told =
            story.recordings.iter().filter(|recording| about.is_none_or(|about| about == recording.id));
        let mut spans: Vec<_> = told.flat_map(|recording| recording.spans.iter().copied()).collect();
        spans.sort_unstable();
        spans
    }

    /// Which of several calls it is.
    fn of_several(&self, number: &usize) -> String {
        match self.stories.len() {
            1 => String::new(),
            all => format!(" ({number} of {all})"),
        }
    }

    /// Who has a credential, where that is disclosed.
    fn actor(&self, username: &str) -> Option<String> {
        let makes = |read: &&Read| matches!(&read.leaf.body, crate::Body::Credential { credential, .. } if credential == username);
        let document = self.entries.iter().filter(makes).find_map(|read| read.detail.as_ref())?;
        Some(document.get("name")?.as_str()?.to_owned())
    }

    /// Who was there in a part of a recording, how far they had agreed, and the grant that they relied on.
    fn standing<'s>(
        &self,
        story: &'s Story,
        part: &'s Stretch,
    ) -> Vec<(String, &'s str, Option<&'s Relied>)> {
        let stands = |(participant, state): (&u32, &'s String)| {
            let relied = story.grant_at(*participant, part.from).filter(|_| state == "consented");
            (words::name_of(story, *participant), words::state(state), relied)
        };
        part.states.iter().map(stands).collect()
    }

    /// What somebody relies on beside what they said on the call.
    fn grants_of<'s>(&self, story: &'s Story, person: &Person) -> Vec<&'s Relied> {
        let mut grants: Vec<&Relied> = story.grants_of(person.number).collect();
        grants.dedup_by_key(|relied| &relied.grant);
        grants
    }

    fn prompt(&self, version: &str) -> Option<Said> {
        let document = self.pack.prompts.get(&version.parse::<Uuid>().ok()?)?;
        let document: Value = serde_json::from_str(document).ok()?;
        let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Said {
            language: text("language"),
            text: text("text"),
            duration_ms: document.get("duration_ms").and_then(Value::as_u64),
            delivery: text("delivery"),
            sha256: text("sha256"),
        })
    }

    /// The answers, in words, with the [evidence](evidence_of) that was named.
    fn answers<'s>(&self, story: &'s Story) -> Vec<(&'s Act, &'static str)> {
        let answer = |act: &'s Act| Some((act, words::answer(&act.what)?));
        story.acts.iter().filter_map(answer).collect()
    }

    /// What the law asked of the recording, as it stood when that was accepted; where nothing was recorded, what it
    /// asked last.
    fn counting<'l>(&self, story: &Story, laws: &'l Laws) -> Vec<&'l Law> {
        let spans = self.spans(story);
        let settled = self.recorded().map_or(u64::MAX, |recorded| recorded.entry);
        let laws: Vec<&Law> = laws.laws.iter().filter(|law| law.entry <= settled).collect();
        let ends = laws.iter().skip(1).map(|next| next.from).chain([Timestamp::MAX]);
        let counts = |(law, ends): &(&&Law, Timestamp)| {
            spans.iter().any(|(from, until)| law.from < *until && *from < *ends)
        };
        let counting: Vec<&Law> = laws.iter().zip(ends).filter(counts).map(|(law, _)| *law).collect();
        if counting.is_empty() { laws.last().copied().into_iter().collect() } else { counting }
    }

    fn story_of(&self, leaf: &Leaf) -> Option<&Story> {
        let uid = leaf.call?;
        self.stories.iter().map(|(story, _)| story).find(|story| story.call == uid)
    }

    fn happened(&self, entry: &Read) -> String {
        words::happened(&entry.leaf, self.story_of(&entry.leaf), entry.detail.as_ref())
    }

    fn decided(&self, leaf: &Leaf) -> Option<String> {
        leaf.body.saw().zip(self.story_of(leaf)).map(|(saw, story)| words::decided(saw, story))
    }

    /// The entries that are somebody's word, or the gateway's own acts.
    fn asserted(&self, asserted: bool) -> Vec<&Read> {
        self.entries.iter().filter(|read| is_asserted(&read.leaf.body) == asserted).collect()
    }

    /// How many details are not there.
    fn hidden(&self) -> usize {
        self.entries.iter().filter(|read| read.leaf.detail.is_some() && read.detail.is_none()).count()
    }

    fn leaves(&self) -> Vec<(&'p pack::Entry, Leaf)> {
        self.pack.entries.iter().filter_map(|entry| Some((entry, entry.read()?))).collect()
    }
}

/// When it happened by the platform's clock, where that is another time.
fn claimed_at(leaf: &Leaf) -> Option<String> {
    leaf.fact()?.at.filter(|at| leaf.call.is_some() && *at != leaf.at).as_ref().map(moment)
}

/// What the platform names as evidence of an answer: what sort of thing, and which.
fn evidence_of(act: &Act) -> Vec<(&'static str, &str)> {
    let told = |(word, name): (&'static str, &str)| Some((word, act.evidence.as_ref()?.get(name)?.as_str()?));
    [("from", "source"), ("reference", "ref"), ("SHA-256", "sha256")].into_iter().filter_map(told).collect()
}

/// What somebody was asked to write down as their reason.
fn purpose_of(read: &Read) -> Option<&str> {
    read.detail.as_ref()?.get("purpose")?.as_str()
}

/// How it looks, in the light, in the dark and on paper.
const STYLE: &str = include_str!("page/style.css");

#[cfg(test)]
mod tests;
