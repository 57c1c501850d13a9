//! The page of a pack, for people: what was recorded, who was there, what was played, what they
//! answered, which rule of which place applied, and how to check all of it.
//!
//! One file without a server, a script or anything from elsewhere. It is computed from the pack
//! alone, the same bytes every time, so that whoever checks a pack can compare.
//!
//! It knows nothing of proofs: a page is not one, and says so.

mod html;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use policy::{Because, Subject, Table, length_ms};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::pack::{self, Kind, Pack, is_asserted, unproven};
use super::verify::table;
use crate::story::{self, Act, ActKind, Law, Laws, Prompt, Read, Recording, Relied, Story};
use crate::{Body, Leaf, hex, leaf_hash};
use html::{Column, Html, code, esc, ticks};
use words::{moment, name_of, names_of, seconds};

/// The page of a pack.
#[must_use]
pub fn page(pack: &Pack) -> String {
    let page = Page::of(pack);
    let mut html = Html::default();
    page.head(&mut html);
    page.opening(&mut html);
    page.at_a_glance(&mut html);
    for (number, (story, laws)) in page.stories.iter().enumerate() {
        page.call(&mut html, number, story, laws);
    }
    page.timeline(&mut html);
    page.two_kinds(&mut html);
    page.checking(&mut html);
    page.limits(&mut html);
    page.hashes(&mut html);
    html.raw("</main>\n<footer>");
    html.paragraph(&format!(
        "Made by {} on {} UTC, as its maker says, for the account {}. This page was computed from the other files of the pack.",
        esc(&pack.manifest.made_by),
        moment(pack.manifest.made_at),
        code(&pack.manifest.account)
    ));
    html.raw("</footer>\n</body>\n</html>\n");
    html.0
}

struct Page<'p> {
    pack: &'p Pack,
    /// Entries that cannot be read are left out: [`verify_pack`](super::pack::verify_pack) finds them.
    entries: Vec<Read>,
    stories: Vec<(Story, Laws)>,
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
                Some(at) => format!("No recording of call {}, as of {} UTC", self.call_name(), moment(at)),
                None => format!("No recording of call {}", self.call_name()),
            },
        }
    }

    /// When the newest entry of an absence's stretch was logged.
    fn newest(&self) -> Option<Timestamp> {
        let newest = self.pack.stretch.as_ref()?.leaves.last()?;
        serde_json::from_slice(newest).ok().map(|leaf: Leaf| leaf.at)
    }

    fn head(&self, html: &mut Html) {
        let style = BASE64_STANDARD.encode(Sha256::digest(STYLE));
        html.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        html.raw(&format!(
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'\">\n"
        ));
        html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        html.raw("<meta name=\"referrer\" content=\"no-referrer\">\n");
        html.element("title", &self.title());
        html.raw("<style>").raw(STYLE).raw("</style>\n</head>\n<body>\n");
    }

    fn opening(&self, html: &mut Html) {
        html.raw("<header>\n").element("h1", &self.title());
        html.raw("<p class=\"lead\">").raw(&self.summary()).raw("</p>\n");
        html.raw("<div class=\"note\">").paragraph(
            "<strong>This page is not the proof.</strong> Anybody can write a page. What proves it are the files that came \
             with it: a signed log, and the entries that stand in it. <a href=\"#check\">How to check them</a> takes \
             one command, and no trust in whoever sent you this.",
        );
        html.raw("</div>\n<nav aria-label=\"Contents\">\n<ol>\n");
        for (id, heading) in self.contents() {
            html.raw(&format!("<li><a href=\"#{id}\">{}</a></li>\n", esc(heading)));
        }
        html.raw("</ol>\n</nav>\n</header>\n<main>\n");
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
                let when = recorded.spans.first().map(|(from, _)| moment(*from)).unwrap_or_default();
                format!(
                    "The recording holds {} of this call, from {when} UTC on. The gateway accepted it on {} UTC, after it \
                     had found that consent covers every second of it.",
                    seconds(recorded.duration_ms()),
                    moment(recorded.accepted_at)
                )
            }
            (Kind::Recording, None) => "The entry that accepted the recording is not in this pack.".into(),
            (Kind::Call, _) => {
                let of = |kind: &str| self.entries.iter().filter(|read| read.leaf.kind == kind).count();
                format!(
                    "This pack holds {} of this call. By them {}, and {}.",
                    words::counted(
                        self.entries.iter().filter(|read| read.leaf.call.is_some()).count(),
                        "entry",
                        "entries"
                    ),
                    words::were(of("recording.accepted"), "recording", "accepted"),
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

    fn at_a_glance(&self, html: &mut Html) {
        let manifest = &self.pack.manifest;
        html.section("glance", "At a glance");
        html.paragraph("All times are UTC, by the gateway’s clock unless something else is said.");
        let mut facts: Vec<(&str, String)> = Vec::new();
        if let Some(name) = &manifest.call_id {
            facts.push((
                "Call",
                format!("{} <span class=\"soft\">(the platform’s name for it)</span>", code(name)),
            ));
        }
        for uid in &manifest.calls {
            facts.push((
                "In the log",
                format!(
                    "{} <span class=\"soft\">(the gateway’s name for the call)</span>",
                    code(&uid.to_string())
                ),
            ));
        }
        if let Some(recorded) = self.recorded() {
            let spans = recorded.spans.iter().map(|(from, until)| {
                format!(
                    "<li>{} to {} ({})</li>",
                    moment(*from),
                    moment(*until),
                    seconds(length_ms(*from, *until))
                )
            });
            facts.push(("Recording", code(&recorded.id.to_string())));
            facts.push(("What it holds", format!("<ul class=\"plain\">{}</ul>", spans.collect::<String>())));
            facts.push(("Accepted", moment(recorded.accepted_at)));
            let kept =
                |at: Option<Timestamp>| at.map_or_else(|| "the law of this call sets no date".into(), moment);
            facts.push(("To be kept until", kept(recorded.keep_until)));
            facts.push(("To be deleted by", kept(recorded.delete_by)));
            facts.push((
                "Sealed for",
                format!(
                    "{} <span class=\"soft\">(public keys of the account; the gateway itself cannot open it)</span>",
                    recorded.keys.iter().map(|key| code(key)).collect::<Vec<_>>().join(", ")
                ),
            ));
            facts.push(("What became of it", became_of(recorded)));
        }
        facts.push(("Account", code(&manifest.account)));
        facts.push(("Log", format!("{}, at {} entries", code(&manifest.origin), manifest.size)));
        html.facts(&facts);
        html.end_section();
    }

    fn call(&self, html: &mut Html, number: usize, story: &Story, laws: &Laws) {
        let of = match self.stories.len() {
            1 => String::new(),
            _ => format!(" ({} of {})", number.saturating_add(1), self.stories.len()),
        };
        people(html, story, number, &of);
        self.consent(html, story, number, &of);
        played(html, self.pack, story, number, &of);
        answers(html, story, number, &of);
        self.law(html, (story, laws), number, &of);
    }

    /// Who has a credential, where that is disclosed.
    fn actor(&self, username: &str) -> Option<String> {
        let makes = |read: &&Read| matches!(&read.leaf.body, Body::Credential { credential, .. } if credential == username);
        let document = self.entries.iter().filter(makes).find_map(|read| read.detail.as_ref())?;
        Some(document.get("name")?.as_str()?.to_owned())
    }

    /// Who had agreed to what, in each part of the recording.
    fn consent(&self, html: &mut Html, story: &Story, number: usize, of: &str) {
        html.section(&format!("consent-{number}"), &format!("Who had agreed while it was recorded{of}"));
        let stretches = story.stretches(&self.spans(story));
        if stretches.is_empty() {
            html.paragraph("By what is in this pack, nothing was recorded.").end_section();
            return;
        }
        let columns = [
            Column("Recorded", "time"),
            Column("What the law asked", ""),
            Column("Who was there, and had agreed", ""),
        ];
        let rows = stretches.iter().map(|stretch| {
            let people = stretch.states.iter().map(|(participant, state)| {
                let relied = story.grant_at(*participant, stretch.from).filter(|_| state == "consented");
                let grant = relied.map(|relied| format!(" <span class=\"soft\">({})</span>", grant(relied)));
                format!(
                    "<li>{}: {}{}</li>",
                    esc(&name_of(story, *participant)),
                    esc(words::state(state)),
                    grant.unwrap_or_default()
                )
            });
            vec![
                format!(
                    "{}<br>to {}<br><span class=\"soft\">{}</span>",
                    moment(stretch.from),
                    moment(stretch.until),
                    seconds(length_ms(stretch.from, stretch.until))
                ),
                esc(&words::requirement(&stretch.asked)),
                format!("<ul class=\"plain\">{}</ul>", people.collect::<String>()),
            ]
        });
        html.table(
            "Every part of the recording, by how everybody stood in it",
            &columns,
            &rows.collect::<Vec<_>>(),
        );
        html.end_section();
    }

    fn law(&self, html: &mut Html, (story, laws): (&Story, &Laws), number: usize, of: &str) {
        html.section(&format!("law-{number}"), &format!("What the law asked{of}"));
        if let Some(why) = &laws.unjudged {
            html.paragraph(&format!(
                "This could not be computed from the pack: {}.",
                esc(&words::unjudged(why))
            ))
            .end_section();
            return;
        }
        let columns =
            [Column("Because of", ""), Column("Place", ""), Column("The rule", ""), Column("Sources", "")];
        for Law { from, entry, table, asked, rules } in self.counting(story, laws) {
            html.paragraph(&format!(
                "From {} on, all rules taken together: <strong>{}</strong>. They stand in the table {}, which is in this pack; entry {entry} was decided by it.",
                moment(*from),
                esc(&words::requirement(asked)),
                code(table)
            ));
            let rows: Vec<Vec<String>> = rules.iter().map(|one| rule(story, one)).collect();
            html.table(&format!("Every rule that counted from {} on", moment(*from)), &columns, &rows);
        }
        html.paragraph(
            "<span class=\"soft\">The table is data that the operator’s counsel keeps; it is not legal advice, and a row says of itself whether a lawyer has reviewed it.</span>",
        );
        html.end_section();
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

    fn timeline(&self, html: &mut Html) {
        html.section("timeline", "Everything in order");
        let columns = [
            Column("Entry", "number"),
            Column("Logged", "time"),
            Column("Whose word", ""),
            Column("What happened", ""),
            Column("From then on, recording is", ""),
        ];
        let rows = self.entries.iter().map(|Read { index, leaf, detail }| {
            let story = self.story_of(leaf);
            let decided = leaf.body.saw().zip(story).map(|(saw, story)| esc(&words::decided(saw, story)));
            let claimed =
                leaf.fact().and_then(|fact| fact.at).filter(|at| leaf.call.is_some() && *at != leaf.at);
            let claimed = claimed.map(|at| {
                format!("<br><span class=\"soft\">by the platform’s clock<br>{}</span>", moment(at))
            });
            let purpose = detail.as_ref().and_then(|document| document.get("purpose")?.as_str());
            let purpose = purpose.map(|purpose| format!(" Purpose: {}", esc(purpose)));
            vec![
                index.to_string(),
                format!("{}{}", moment(leaf.at), claimed.unwrap_or_default()),
                format!(
                    "{}<br><span class=\"soft\">{}<br>{}{}</span>",
                    whose(&leaf.body),
                    match is_asserted(&leaf.body) || leaf.actor.role == "gateway" {
                        true => esc(&leaf.actor.role),
                        false => format!("asked by {}", esc(&leaf.actor.role)),
                    },
                    self.actor(&leaf.actor.credential)
                        .map(|name| format!("{}, ", esc(&name)))
                        .unwrap_or_default(),
                    code(&leaf.actor.credential)
                ),
                format!(
                    "{}{}",
                    esc(&words::happened(leaf, story, detail.as_ref())),
                    purpose.unwrap_or_default()
                ),
                decided.unwrap_or_default(),
            ]
        });
        html.table("The entries of this pack, in the order of the log", &columns, &rows.collect::<Vec<_>>());
        html.end_section();
    }

    fn two_kinds(&self, html: &mut Html) {
        html.section("kinds", "What was asserted, and what was done");
        html.paragraph(
            "The gateway does not hear a call. What the telephone platform reports is the platform’s word: the gateway logs who said it, when, and on what evidence, before it answers. What the gateway does itself, it knows. Keep the two apart when you rely on them.",
        );
        let (said, did): (Vec<_>, Vec<_>) =
            self.entries.iter().partition(|read| is_asserted(&read.leaf.body));
        let list = |html: &mut Html, entries: Vec<&Read>| {
            html.raw("<ul>\n");
            for Read { index, leaf, detail } in entries {
                let words = words::happened(leaf, self.story_of(leaf), detail.as_ref());
                html.raw(&format!("<li>{} <span class=\"soft\">(entry {index})</span></li>\n", esc(&words)));
            }
            html.raw("</ul>\n");
        };
        html.element("h3", "The platform, or somebody else outside the gateway, asserted");
        list(html, said);
        html.element("h3", "The gateway itself did");
        list(html, did);
        html.paragraph("And on every entry of the call it decided, as the table above says.");
        html.end_section();
    }

    fn checking(&self, html: &mut Html) {
        html.section("check", "How to check it");
        html.paragraph(
            "You need the key of the log. Get it from somebody whom you trust, and not from whoever sent you this: a line <code>log …</code> in a file that says whom you trust.",
        );
        html.raw("<ol>\n");
        html.raw("<li><p>Check everything at once: the signature, that each entry stands in the log, that what is disclosed is what the entry committed to, and every decision again from the facts and the table.</p><pre>consent-gateway audit verify pack.zip --trust trust.txt</pre></li>\n");
        if let Some(recorded) = self.recorded() {
            html.raw(&format!(
                "<li><p>Check that the sealed file is the one that was accepted: its SHA-256 has to be the one below, and its length {} bytes.</p><pre>sha256sum recording.sealed\n{}  recording.sealed</pre></li>\n",
                recorded.bytes,
                esc(&recorded.media)
            ));
            html.raw("<li><p>Open it. That takes the account’s private key, which the gateway has never had.</p><pre>consent-gateway open recording.sealed --envelope envelope.json --key private.pem --out recording.wav</pre></li>\n");
        }
        html.raw("<li><p>Without our program: the files in <code>proofs/</code> are C2SP <code>tlog-proof</code> files and <code>checkpoint</code> is a C2SP signed note. Any program that knows these formats can check that <code>entries/…</code> stand in the log. An entry’s <code>detail</code> is the SHA-256 of salt and document of the file in <code>details/</code>, in base64.</p></li>\n");
        html.raw("</ol>\n");
        html.end_section();
    }

    fn limits(&self, html: &mut Html) {
        html.section("limits", "What this does not prove");
        html.raw("<ul>\n");
        html.raw("<li>That what the platform reported is true. It proves that it was reported then, by whom, and that nobody has changed it since.</li>\n");
        html.raw("<li>That the operator showed everybody the same log, unless a witness has signed its head too, or you have kept an older head yourself. The check says which.</li>\n");
        for what in unproven(self.pack) {
            html.raw(&format!("<li>{}.</li>\n", esc(&words::sentence(&what))));
        }
        let hidden =
            self.entries.iter().filter(|read| read.leaf.detail.is_some() && read.detail.is_none()).count();
        if hidden > 0 {
            html.raw(&format!("<li>What stood in the details of {hidden} entries: they were erased, or not disclosed.</li>\n"));
        }
        html.raw("</ul>\n");
        html.end_section();
    }

    fn hashes(&self, html: &mut Html) {
        html.section("hashes", "Hashes");
        let mut facts: Vec<(&str, String)> = Vec::new();
        if let Some(recorded) = self.recorded() {
            facts.push(("Sealed media, SHA-256", code(&recorded.media)));
            facts.push((
                "Envelope, SHA-256",
                format!(
                    "{} <span class=\"soft\">(without its wrapped keys)</span>",
                    code(&recorded.envelope)
                ),
            ));
        }
        for digest in self.pack.tables.keys() {
            facts.push(("Table", code(digest)));
        }
        html.facts(&facts);
        html.element("h3", "The signed head of the log");
        html.raw("<pre>").text(&self.pack.checkpoint.to_string()).raw("</pre>\n");
        let columns = [
            Column("Entry", "number"),
            Column("Type", ""),
            Column("Leaf hash (RFC 6962, SHA-256)", "hash"),
            Column("Detail", ""),
        ];
        let read = |entry: &'p pack::Entry| Some((entry, entry.read()?));
        let rows = self.pack.entries.iter().filter_map(read).map(|(entry, leaf)| {
            let detail = match (&leaf.detail, &entry.detail) {
                (None, _) => "has none",
                (Some(_), Some(_)) => "disclosed",
                (Some(_), None) => "erased, or not disclosed",
            };
            vec![entry.index.to_string(), code(&leaf.kind), hex(&leaf_hash(&entry.leaf)), detail.into()]
        });
        html.table("The entries", &columns, &rows.collect::<Vec<_>>());
        html.end_section();
    }
}

fn people(html: &mut Html, story: &Story, number: usize, of: &str) {
    html.section(&format!("people-{number}"), &format!("Who was on the call{of}"));
    let mut facts: Vec<(&str, String)> = Vec::new();
    let times = [("Opened", Some(story.opened_at)), ("Ended", story.closed_at)];
    facts.extend(times.into_iter().filter_map(|(word, at)| Some((word, moment(at?)))));
    facts.push(("Medium", words::medium(story.medium).into()));
    facts.extend(story.direction.as_ref().map(|direction| ("Direction", esc(direction))));
    let listed = |words: &[String]| words.iter().map(|word| code(word)).collect::<Vec<_>>().join(", ");
    if !story.purposes.is_empty() {
        facts.push(("To be recorded for", listed(&story.purposes)));
    }
    if !story.aliases.is_empty() {
        facts.push(("Other names", listed(&story.aliases)));
    }
    html.facts(&facts);
    let columns = [
        Column("Participant", ""),
        Column("Role", ""),
        Column("Where", ""),
        Column("At the end of the call", ""),
        Column("Relies on", ""),
    ];
    let rows = story.people.values().map(|person| {
        let name = match &person.id {
            Some(name) => esc(name),
            None => format!("participant {} <span class=\"soft\">(name not disclosed)</span>", person.number),
        };
        let pseudonym = person.pseudonym.as_ref().map(|one| {
            format!("<br><span class=\"soft\">phone number known in the log as {}</span>", code(one))
        });
        let places: Vec<String> = person
            .places
            .iter()
            .map(|place| format!("<li>{}</li>", esc(&words::place(place.code, Some(place.evidence)))))
            .collect();
        let places = match places.is_empty() {
            true => "not known".into(),
            false => format!("<ul class=\"plain\">{}</ul>", places.concat()),
        };
        let mut grants: Vec<String> = story.grants_of(person.number).map(grant).collect();
        grants.dedup();
        let relies = if grants.is_empty() { "this call only".into() } else { grants.join("; ") };
        vec![
            format!("{name}{}", pseudonym.unwrap_or_default()),
            words::role(person.role).into(),
            places,
            person.state().map_or_else(|| "–".into(), |state| esc(words::state(state))),
            relies,
        ]
    });
    html.table("Everybody who was ever on the call", &columns, &rows.collect::<Vec<_>>());
    html.end_section();
}

fn played(html: &mut Html, pack: &Pack, story: &Story, number: usize, of: &str) {
    html.section(&format!("played-{number}"), &format!("What was played to them{of}"));
    if story.prompts.is_empty() {
        html.paragraph("No prompt is in this pack.").end_section();
        return;
    }
    for (version, played) in &story.prompts {
        prompt(html, pack, version, played);
    }
    let columns = [
        Column("Entry", "number"),
        Column("Logged", "time"),
        Column("To", ""),
        Column("What the platform reported", ""),
    ];
    let row = |act: &Act| {
        let what = if let ActKind::Prompted { version, played_ms } = &act.what {
            let whole = story.prompts.get(version).map_or(0, |prompt| prompt.duration_ms);
            format!("played to its end: {} of {}", seconds(*played_ms), seconds(whole))
        } else if let ActKind::Began { .. } = act.what {
            "began to play".into()
        } else {
            return None;
        };
        Some(vec![
            act.entry.to_string(),
            moment(act.logged_at),
            esc(&names_of(story, &act.participants)),
            what,
        ])
    };
    let rows: Vec<Vec<String>> = story.acts.iter().filter_map(row).collect();
    html.table("When it was played", &columns, &rows);
    html.end_section();
}

/// The words of a prompt.
fn prompt(html: &mut Html, pack: &Pack, version: &str, prompt: &Prompt) {
    let document = version.parse::<Uuid>().ok().and_then(|version| pack.prompts.get(&version));
    let document: Option<Value> = document.and_then(|document| serde_json::from_str(document).ok());
    let Some(document) = document else {
        html.paragraph(&format!("The words of the prompt {} are not in this pack.", code(version)));
        return;
    };
    let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
    // A language tag has only letters, digits and hyphens; anything else stands as text alone.
    let language = text("language");
    html.raw(&format!("<blockquote lang=\"{}\">", esc(language))).text(text("text")).raw("</blockquote>\n");
    let number = prompt.version.map(|version| format!(", version {version}")).unwrap_or_default();
    let name = format!("{}{number}", code(prompt.id.as_deref().unwrap_or(version)));
    let mut facts = vec![("Prompt", name), ("Language", esc(language))];
    if let Some(ms) = document.get("duration_ms").and_then(Value::as_u64) {
        facts.push(("Length", seconds(ms)));
    }
    if !text("delivery").is_empty() {
        facts.push(("Delivered as", esc(text("delivery"))));
    }
    if !text("sha256").is_empty() {
        facts.push(("SHA-256 of its audio", code(text("sha256"))));
    }
    html.facts(&facts);
}

fn answers(html: &mut Html, story: &Story, number: usize, of: &str) {
    html.section(&format!("answers-{number}"), &format!("What they answered{of}"));
    let answer = |act: &Act| {
        let what = words::answer(&act.what)?;
        let late = if act.late {
            " <span class=\"soft\">(reported late, within what the account allows)</span>"
        } else {
            ""
        };
        let told = |(word, name): (&str, &str)| {
            let text = act.evidence.as_ref()?.get(name)?.as_str()?;
            Some(format!("<li>{word} {}</li>", code(text)))
        };
        let parts = [("from", "source"), ("reference", "ref"), ("SHA-256", "sha256")];
        let evidence: String = parts.into_iter().filter_map(told).collect();
        Some(vec![
            act.entry.to_string(),
            moment(act.logged_at),
            esc(&names_of(story, &act.participants)),
            format!("{what}{late}"),
            match evidence.is_empty() {
                true => "none disclosed".into(),
                false => format!("<ul class=\"plain\">{evidence}</ul>"),
            },
        ])
    };
    let rows: Vec<Vec<String>> = story.acts.iter().filter_map(answer).collect();
    if rows.is_empty() {
        html.paragraph(
            "No answer is in this pack. Where the law asks for notice alone, staying on the call after the prompt is enough.",
        );
        html.end_section();
        return;
    }
    let columns = [
        Column("Entry", "number"),
        Column("Logged", "time"),
        Column("Who", ""),
        Column("What", ""),
        Column("Evidence that the platform names", ""),
    ];
    html.table("Answers, as the platform reported them", &columns, &rows);
    html.end_section();
}

fn rule(story: &Story, rule: &Because) -> Vec<String> {
    let subject = match rule.subject {
        Subject::Participant(p) => name_of(story, p),
        Subject::Recorder => "where the recorder stands".into(),
        Subject::Operator => "where the operator is established".into(),
        Subject::Overlay => "what the account or the call has chosen".into(),
    };
    let place = match (rule.code, &rule.overlay) {
        (Some(code), _) => esc(&words::place(code, rule.evidence)),
        (None, Some(overlay)) => code(overlay),
        (None, None) => "not known".into(),
    };
    let sources: String = rule.citations.iter().map(|one| format!("<li>{}</li>", esc(one))).collect();
    let sources =
        if sources.is_empty() { "none".into() } else { format!("<ul class=\"plain\">{sources}</ul>") };
    vec![esc(&subject), place, ticks(&rule.says), sources]
}

/// What became of the recording, as far as the pack goes.
fn became_of(recorded: &Recording) -> String {
    if let Some(at) = recorded.deleted_at {
        return format!("deleted on {}", moment(at));
    }
    let hold = if recorded.held { "under a legal hold" } else { "no legal hold" };
    let times = match recorded.fetched {
        0 => "no hand-out".into(),
        1 => "handed out once".into(),
        fetched => format!("handed out {fetched} times"),
    };
    format!(
        "in this pack: no deletion, {hold}, {times} <span class=\"soft\">(only the whole log shows that nothing was left out)</span>"
    )
}

/// What a consent grant is called, and on what it rests, where that is disclosed.
fn grant(relied: &Relied) -> String {
    let basis = relied.basis.iter().map(|basis| format!(": {}", esc(basis)));
    let name = relied.id.as_ref().unwrap_or(&relied.grant);
    format!("consent given before, {}{}", code(name), basis.collect::<String>())
}

/// Whose word an entry is.
fn whose(body: &Body) -> &'static str {
    match (is_asserted(body), body) {
        (true, Body::Prompt { .. } | Body::Grant { .. } | Body::GrantWithdrawn { .. }) => {
            "<span class=\"who said\">the account says</span>"
        }
        (true, _) => "<span class=\"who said\">the platform says</span>",
        (false, _) => "<span class=\"who did\">the gateway did</span>",
    }
}

/// How it looks, in the light, in the dark and on paper.
const STYLE: &str = include_str!("page/style.css");

#[cfg(test)]
mod tests;
