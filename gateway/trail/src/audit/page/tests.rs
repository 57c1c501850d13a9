use policy::{Method, What};

use super::super::pack::{Subject as About, write};
use super::super::sample::*;
use super::*;
use crate::{Body, hex, leaf_hash};

/// A recording with a story: a refusal in between, evidence, fetches, a hold.
pub(crate) fn story_pack() -> Pack {
    let mut log = Log::busy(2);
    let uid = log.open("c-2026-11-20-0071");
    log.tick(1_240);
    log.refuse_start(uid);
    log.tick(300);
    log.prompted(uid, &[0, 1]);
    log.agrees(uid, 1);
    log.happens(uid, What::ConsentGiven { participants: vec![0], method: Method::Speech });
    log.tick(420);
    log.start(uid);
    let from = log.now;
    log.happens(uid, What::AnnouncementRecorded { participants: vec![0, 1] });
    log.tick(93_500);
    let at = log.now - jiff::SignedDuration::from_millis(700);
    log.reported(uid, Some(at), What::ConsentWithdrawn { participants: vec![0] }, recorder());
    log.tick(12_000);
    log.happens(uid, What::Ended);
    log.tick(3_100);
    let recording = log.accept(uid, from, 92_800);
    log.tick(3_600_000);
    let purpose = Some(serde_json::json!({"purpose": "complaint 2026/118"}));
    log.entry(&listener(), Body::Fetched { recording, range: (0, 4096) }, purpose);
    log.tick(60_000);
    log.entry(&counsel(), Body::Held { recording, held: true }, None);
    log.whole_call("another");
    log.recording_pack(uid, recording)
}

#[test]
fn the_page_tells_who_what_which_rule_and_how_to_check() {
    let pack = story_pack();
    let page = page(&pack).unwrap();
    for told in [
        "The recording of call c-2026-11-20-0071",
        "1 min 32.8 s",
        "agent-7",
        "California (US-CA), by phone number",
        "California (US-CA), as the platform declared",
        "This call is recorded for quality and training.",
        "agreed, by saying so",
        "withdrew: no longer agrees",
        "Cal. Penal Code",
        "the platform says",
        "the gateway did",
        "consent-verify verify pack.zip",
        "complaint 2026/118",
        "The prompt “recording”, version 1, of 4.0 s, was registered.",
        "under a legal hold, handed out once",
        pack.manifest.origin.as_str(),
    ] {
        assert!(page.contains(told), "{told}");
    }
    for draft in &pack.entries {
        assert!(page.contains(&hex(&leaf_hash(&draft.leaf))));
    }
}

#[test]
fn who_withdraws_after_a_recording_was_accepted_is_said_to_have_withdrawn() {
    let mut log = Log::new();
    let uid = log.open("c-1");
    log.prompted(uid, &[0, 1]);
    log.agrees(uid, 1);
    log.happens(uid, What::ConsentGiven { participants: vec![0], method: Method::Speech });
    log.start(uid);
    let from = log.now;
    log.tick(5_000);
    log.happens(uid, What::RecordingStopped);
    let recording = log.accept(uid, from, 4_000);
    log.happens(uid, What::ConsentWithdrawn { participants: vec![0] });
    log.happens(uid, What::Ended);
    let page = page(&log.recording_pack(uid, recording)).unwrap();
    let people = page.split("Everybody who was ever on the call").last().unwrap();
    let people = people.split("</table>").next().unwrap();
    assert!(people.contains("withdrew"), "{people}");
}

/// A call that is recorded on notice, paused when a colleague in Germany joins, and goes on when both said yes.
fn paused_call() -> (Log, Uuid, Uuid) {
    let mut log = Log::new();
    let grant = log.grant();
    let uid = log.open_with("c-paused", Some(grant));
    log.prompted(uid, &[0]);
    log.start(uid);
    let from = log.now;
    log.happens(uid, What::AnnouncementRecorded { participants: vec![0, 1] });
    log.tick(20_000);
    let colleague = policy::Joined {
        identified: true,
        places: vec![policy::Place::new("DE".parse().unwrap(), policy::Evidence::Declared)],
        languages: vec!["en".into()],
        ..policy::Joined::new(2, policy::Role::Agent)
    };
    log.happens(uid, What::Joined(colleague));
    let paused = log.now;
    log.tick(1_000);
    log.prompted(uid, &[0, 1, 2]);
    for participant in 0..3 {
        log.agrees(uid, participant);
    }
    log.happens(uid, What::Control(policy::Control::Resume));
    let resumed = log.now;
    log.happens(uid, What::AnnouncementRecorded { participants: vec![0, 1, 2] });
    log.tick(10_000);
    log.happens(uid, What::Control(policy::Control::Stop));
    let until = log.now;
    log.happens(uid, What::Ended);
    let spans = vec![(from, paused), (resumed, until)];
    let recording = log.accept_anyway(uid, spans);
    (log, uid, recording)
}

#[test]
fn who_had_agreed_is_told_for_each_part_of_the_recording_with_what_was_asked_of_it() {
    let (log, uid, recording) = paused_call();
    let grant = log.drafts.iter().position(|draft| draft.kind == "consent-grant.registered").unwrap();
    let mut indexes = log.entries_of(uid, Some(recording));
    indexes.push(grant);
    indexes.sort_unstable();
    let pack = log.pack(&About::Recording(recording), log.parts(indexes));
    let page = page(&pack).unwrap();
    let table = page.split("Every part of the recording, by how everybody stood in it").last().unwrap();
    let rows: Vec<&str> = table.split("</table>").next().unwrap().split("<tr>").skip(2).collect();
    let first = rows.first().unwrap();
    // Nobody had said yes, and the colleague was not there.
    assert!(first.contains("caller: heard the prompt to its end, and stayed"), "{first}");
    assert!(first.contains("agent-7: agreed") && first.contains("contract-7"), "{first}");
    assert!(!first.contains("participant 2"), "{first}");
    assert!(first.contains("everybody had to be told"), "{first}");
    let last = rows.last().unwrap();
    assert!(last.contains("caller: agreed") && last.contains("participant 2"), "{last}");
    assert!(last.contains("say yes expressly"), "{last}");
    // The law of both parts is there.
    assert!(page.matches("Every rule that counted from ").count() >= 4, "a caption and a label for each");
    // By their names, and not by the gateway's ids of them.
    let people =
        page.split("Everybody who was ever on the call").last().unwrap().split("</table>").next().unwrap();
    assert!(people.contains("contract-7") && people.contains("employment contract"), "{people}");
    let grant = log.grants.keys().next().unwrap().to_string();
    assert!(!people.contains(&grant), "{people}");
    assert!(page.contains("<dt>Prompt</dt><dd><code>recording</code>, version 1</dd>"));
}

#[test]
fn a_length_is_rounded_and_not_cut() {
    for (ms, told) in [
        (0, "0.0 s"),
        (49, "0.0 s"),
        (2_590, "2.6 s"),
        (59_949, "59.9 s"),
        (59_950, "1 min 0.0 s"),
        (92_800, "1 min 32.8 s"),
    ] {
        assert_eq!(words::seconds(ms), told, "{ms} ms");
    }
}

#[test]
fn what_was_registered_is_named_where_that_is_disclosed() {
    let mut log = Log::busy(1);
    let grant = log.grant();
    log.withdraw(grant, &[]);
    let detail = serde_json::json!({"grant": "contract-7", "document": {}});
    for draft in &log.drafts {
        let leaf: Leaf = serde_json::from_slice(&draft.leaf).unwrap();
        let told = words::happened(&leaf, None, Some(&detail));
        let hidden = words::happened(&leaf, None, None);
        if matches!(leaf.body, Body::Grant { .. } | Body::GrantWithdrawn { .. }) {
            assert!(told.starts_with("Consent given before “contract-7” was "), "{told}");
            assert!(hidden.starts_with("Consent given before was "), "{hidden}");
        }
        if matches!(leaf.body, Body::Prompt { .. }) {
            assert_eq!(hidden, "A prompt of 4.0 s was registered.");
        }
    }
}

/// The pack was stored when its page was made: whoever words pages otherwise since has to raise [`FORMAT`], and
/// store one that `page_to_look_at` writes.
#[test]
fn a_page_of_this_format_is_what_it_was_when_a_known_pack_was_made() {
    let known = pack::read(std::io::Cursor::new(include_bytes!("known.zip"))).unwrap();
    assert_eq!(known.manifest.page, FORMAT);
    assert!(known.page == page(&known).ok(), "pages say something else now: raise `FORMAT`");
}

#[test]
fn the_page_is_the_same_every_time() {
    let pack = story_pack();
    assert_eq!(page(&pack).unwrap(), page(&pack).unwrap());
}

#[test]
fn what_outsiders_wrote_is_text_and_nothing_else() {
    let mut log = Log::new();
    let evil = "</title><script>alert(1)</script><img src=x onerror='x()'>\"&\u{202e}abc";
    let (uid, recording) = log.whole_call(evil);
    let pack = log.recording_pack(uid, recording);
    let page = page(&pack).unwrap();
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains('\u{202e}'));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains("[U+202E]abc"));
}

#[test]
fn the_page_loads_nothing_and_runs_nothing() {
    let page = page(&story_pack()).unwrap();
    assert!(page.contains("default-src 'none'; style-src 'sha256-"));
    for never in ["<script", "src=", "http://", "https://", "@import", "url(", "style=\"", "<link", "onclick"]
    {
        assert!(!page.contains(never), "{never}");
    }
    // The policy lets in this very style sheet.
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = BASE64_STANDARD.encode(Sha256::digest(style));
    assert!(page.contains(&format!("'sha256-{hash}'")));
}

#[test]
fn the_page_is_well_formed_and_can_be_read_by_a_screen_reader() {
    let page = page(&story_pack()).unwrap();
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"));
    // Every element that is opened is closed, in order.
    let mut open: Vec<&str> = Vec::new();
    let body = page.split("</style>").nth(1).unwrap();
    let void = ["br", "meta", "!doctype"];
    for tag in body.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
        let name = tag.split(' ').next().unwrap();
        match name.strip_prefix('/') {
            Some(name) if ["head", "html"].contains(&name) && open.is_empty() => {}
            Some(name) => assert_eq!(open.pop(), Some(name), "{tag}"),
            None if void.contains(&name) => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    // One heading of the first level, none skipped; every table has a caption and heads with a scope.
    assert_eq!(page.matches("<h1>").count(), 1);
    let after = page.match_indices("<h").map(|(at, _)| page.as_bytes()[at + 2]);
    let levels: Vec<u8> = after.filter(u8::is_ascii_digit).collect();
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
    assert_eq!(page.matches("<table>").count(), page.matches("<caption>").count());
    assert_eq!(
        page.matches("<th").count() - page.matches("<thead").count(),
        page.matches("scope=\"").count()
    );
    // What the contents lead to is there.
    for link in page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert_eq!(page.matches(&format!("id=\"{link}\"")).count(), 1, "{link}");
    }
    assert!(page.contains("<blockquote lang=\"en\">"));
}

#[test]
fn what_is_not_disclosed_is_said_to_be_so() {
    let mut pack = story_pack();
    for entry in &mut pack.entries {
        entry.detail = None;
    }
    pack.prompts.clear();
    pack.tables.clear();
    let page = page(&pack).unwrap();
    assert!(!page.contains("agent-7") && page.contains("participant 1"));
    assert!(page.contains("name not disclosed"));
    assert!(page.contains("are not in this pack"));
    assert!(page.contains("the table that decided is not in the pack"));
}

#[test]
fn a_call_and_an_absence_have_pages_of_their_own() {
    let mut log = Log::new();
    let (uid, _) = log.whole_call("recorded");
    let call = log.pack(&About::Call(uid), log.parts(log.entries_of(uid, None)));
    let told = page(&call).unwrap();
    assert!(
        told.contains("<h1>Call recorded</h1>")
            && told.contains("1 recording was accepted, and no upload was refused")
    );
    let uid = log.open("twice");
    log.happens(uid, What::Ended);
    let again = log.open("twice");
    let told = page(&log.absence_pack(&[uid, again])).unwrap();
    assert!(told.contains("No recording of call twice, as of "));
    assert!(told.contains("Who was on the call (2 of 2)"));
}

/// Writes a page to look at: `PAGE_TO=dir cargo test … -- --ignored page_to_look_at`.
#[test]
#[ignore = "for the eyes"]
fn page_to_look_at() {
    let to = std::path::PathBuf::from(std::env::var("PAGE_TO").unwrap());
    let pack = story_pack();
    std::fs::write(to.join("index.html"), page(&pack).unwrap()).unwrap();
    write(&pack, std::fs::File::create(to.join("pack.zip")).unwrap()).unwrap();
    let mut log = Log::new();
    let uid = log.open("c-2026-11-20-0072");
    log.prompted(uid, &[0, 1]);
    log.happens(uid, What::ConsentDeclined { participants: vec![0] });
    log.refuse_start(uid);
    log.happens(uid, What::Ended);
    log.whole_call("another");
    std::fs::write(to.join("absence.html"), page(&log.absence_pack(&[uid])).unwrap()).unwrap();
}
