use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use policy::{Control, What};
use sha2::{Digest as _, Sha256};

use super::super::sample::{self, *};
use super::super::{Failure, Verdict};
use super::*;
use crate::note::SigningKey;
use crate::{Body, hex};

/// A log with two calls that were recorded, and one that was not.
fn log() -> (Log, Uuid, Uuid) {
    let mut log = Log::busy(2);
    let (uid, recording) = log.whole_call("c-17");
    let purpose = Some(serde_json::json!({"purpose": "complaint"}));
    log.entry(&listener(), Body::Fetched { recording, range: (0, 4096) }, purpose);
    log.whole_call("another");
    (log, uid, recording)
}

fn unrecorded() -> (Log, Uuid, Uuid) {
    let mut log = Log::busy(2);
    let uid = log.open("silent");
    log.happens(uid, What::Ended);
    let again = log.open("silent");
    log.happens(again, What::ConsentDeclined { participants: vec![0] });
    log.happens(again, What::Ended);
    log.whole_call("another");
    (log, uid, again)
}

fn written(pack: &Pack) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    write(pack, &mut out).unwrap();
    out.into_inner()
}

fn checked(pack: &Pack) -> Result<PackReport, Failure> {
    verify_pack(pack, &trust(), None)
}

/// The files of a written pack.
fn files(pack: &Pack) -> Files {
    let mut zip = zip::ZipArchive::new(Cursor::new(written(pack))).unwrap();
    let mut files = BTreeMap::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        files.insert(file.name().unwrap().into_owned(), bytes);
    }
    Files(files, ORIGIN.into())
}

fn read_and_checked(files: &Files) -> Result<PackReport, Failure> {
    checked(&read(Cursor::new(files.zip()))?)
}

#[test]
fn a_pack_of_a_recording_is_read_back_and_good() {
    let (log, uid, recording) = log();
    let pack = log.recording_pack(uid, recording);
    let back = read(Cursor::new(written(&pack))).unwrap();
    assert_eq!(back.manifest, pack.manifest);
    let report = verify_pack(&back, &trust(), Some(&mut media().as_slice())).unwrap();
    assert_eq!(report.kind, Kind::Recording);
    assert_eq!((report.calls.as_slice(), report.recording), ([uid].as_slice(), Some(recording)));
    assert_eq!(report.call_id.as_deref(), Some("c-17"));
    assert_eq!(report.decisions, log.drafts.iter().filter(|draft| draft.call == Some(uid)).count() as u64);
    assert_eq!(report.entries, report.decisions + 2);
    assert!(report.media && report.envelope && report.page);
    assert_eq!(report.warnings.len(), 4, "{:?}", report.warnings);
    // The same pack is the same bytes.
    assert_eq!(written(&pack), written(&pack));
}

#[test]
fn packs_of_a_call_and_of_an_absence_are_good() {
    let (log, uid, _) = log();
    let pack = log.pack(&Subject::Call(uid), log.parts(log.entries_of(uid, None)));
    let report = checked(&read(Cursor::new(written(&pack))).unwrap()).unwrap();
    assert_eq!(report.kind, Kind::Call);
    let (log, uid, again) = unrecorded();
    let pack = log.absence_pack(&[uid, again]);
    let report = checked(&read(Cursor::new(written(&pack))).unwrap()).unwrap();
    assert_eq!((report.kind, report.call_id.as_deref()), (Kind::Absence, Some("silent")));
    assert_eq!(report.decisions, 5);
}

#[test]
fn what_was_asserted_is_kept_apart_from_what_was_done() {
    let (log, uid, recording) = log();
    let manifest = log.recording_pack(uid, recording).manifest;
    let kinds = |said: &[Said]| said.iter().map(|one| one.kind.clone()).collect::<Vec<_>>();
    assert_eq!(
        kinds(&manifest.asserted),
        [
            "prompt.registered",
            "call.opened",
            "prompt.started",
            "prompt.completed",
            "consent.given",
            "consent.given",
            "announcement.recorded",
            "call.ended"
        ]
    );
    assert_eq!(
        kinds(&manifest.did),
        [
            "recording.control-refused",
            "recording.start",
            "recording.stop",
            "recording.accepted",
            "recording.fetched"
        ]
    );
}

#[test]
fn a_flipped_byte_is_found_in_every_file_of_a_pack() {
    let (log, uid, recording) = log();
    let (other, silent, again) = unrecorded();
    for pack in [log.recording_pack(uid, recording), other.absence_pack(&[silent, again])] {
        let whole = files(&pack);
        read_and_checked(&whole).unwrap();
        for (path, bytes) in &whole.0 {
            let step = (bytes.len() / 23).max(1);
            for at in (0..bytes.len()).step_by(step).chain([bytes.len() - 1]) {
                // Wrapped keys are not part of what was accepted: they may be wrapped again.
                if path == "envelope.json" && at > bytes.len() - 160 {
                    continue;
                }
                let mut files = whole.clone();
                files.flip(path, at);
                // Nothing vouches for when and by which program a pack was made.
                let text = String::from_utf8_lossy(&bytes[..at]);
                if path == "pack.json" && text.contains("\"made_by\"") {
                    continue;
                }
                assert!(read_and_checked(&files).is_err(), "{path}, byte {at}");
            }
        }
    }
}

#[test]
fn a_missing_file_is_found() {
    let (log, uid, recording) = log();
    let (other, silent, again) = unrecorded();
    for pack in [log.recording_pack(uid, recording), other.absence_pack(&[silent, again])] {
        let whole = files(&pack);
        for path in whole.0.keys() {
            let mut files = whole.clone();
            files.0.remove(path);
            let outcome = read_and_checked(&files);
            match path.as_str() {
                "envelope.json" => {
                    let warnings = outcome.unwrap().warnings;
                    assert!(
                        warnings.iter().any(|warning| warning.contains("is not in the pack")),
                        "{warnings:?}"
                    );
                }
                // Nothing was played on the calls without a recording.
                path if path.starts_with("prompts/") && pack.manifest.kind == Kind::Absence => {
                    drop(outcome.unwrap())
                }
                path => {
                    let failure = outcome.unwrap_err();
                    let needed = [
                        "entries/",
                        "proofs/",
                        "tables/",
                        "checkpoint",
                        "pack.json",
                        "log/before",
                        "index.html",
                    ];
                    if needed.iter().any(|needed| path.starts_with(needed)) {
                        assert_eq!(failure.verdict, Verdict::Incomplete, "{path}: {failure}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_no_part_of_a_pack_is_refused() {
    let (log, uid, recording) = log();
    let whole = files(&log.recording_pack(uid, recording));
    for path in ["readme.txt", "entries/1000.json", "details/1.json", "log/entries/0", "tables/x.txt"] {
        let mut files = whole.clone();
        files.put(path, "{}");
        assert!(read_and_checked(&files).is_err(), "{path}");
    }
    // What belongs to packs of another kind, and a table that decided nothing.
    let call = files(&log.pack(&Subject::Call(uid), log.parts(log.entries_of(uid, None))));
    let table = format!("{}# another\n", sample::TABLE);
    let digest = hex(&Sha256::digest(&table));
    for (path, text) in [("envelope.json", "{}"), (&format!("tables/{digest}.toml"), &table)] {
        let mut files = call.clone();
        assert!(read_and_checked(&files).is_ok());
        files.put(path, text);
        let failure = read_and_checked(&files).unwrap_err();
        assert_eq!(failure.verdict, Verdict::Tampered, "{path}: {failure}");
        assert!(failure.what.contains("part of"), "{path}: {failure}");
    }
    for path in ["../outside", "/etc/passwd", "a\\b", "entries//1.json", "./pack.json", "C:evil"] {
        let mut files = whole.clone();
        files.put(path, "{}");
        let failure = read_and_checked(&files).unwrap_err();
        assert!(failure.what.contains("not a name of ours"), "{path}: {failure}");
    }
    assert_eq!(read(Cursor::new(b"no zip at all".to_vec())).unwrap_err().verdict, Verdict::Unusable);
}

#[test]
fn a_bomb_is_not_unpacked() {
    let (log, uid, recording) = log();
    let whole = files(&log.recording_pack(uid, recording));
    for path in ["pack.json", "checkpoint", "index.html", "envelope.json", "entries/5.json"] {
        let mut files = whole.clone();
        files.0.insert(path.into(), vec![b' '; 70 * 1024 * 1024]);
        let failure = read_and_checked(&files).unwrap_err();
        let told: Vec<String> =
            [&failure].into_iter().chain(&failure.also).map(ToString::to_string).collect();
        assert!(told.iter().any(|told| told.contains("longer than")), "{path}: {told:?}");
    }
}

#[test]
fn the_media_have_to_be_those_that_were_accepted() {
    let (log, uid, recording) = log();
    let pack = log.recording_pack(uid, recording);
    let with = |media: Vec<u8>| verify_pack(&pack, &trust(), Some(&mut media.as_slice()));
    assert!(with(media()).unwrap().media);
    let mut wrong = media();
    wrong[100] ^= 1;
    assert!(with(wrong).unwrap_err().what.contains("not those that were accepted"));
    assert!(with(media()[..100].to_vec()).unwrap_err().what.contains("100 bytes"));
    assert!(!checked(&pack).unwrap().media);
}

#[test]
fn the_envelope_has_to_be_the_one_that_was_accepted() {
    let (log, uid, recording) = log();
    let mut pack = log.recording_pack(uid, recording);
    let (_, other) = log.envelopes.iter().find(|(id, _)| **id != recording).unwrap();
    pack.envelope = Some(other.clone());
    assert!(checked(&pack).unwrap_err().what.contains("not the envelope that was accepted"));
    pack.envelope = Some("{}".into());
    assert_eq!(checked(&pack).unwrap_err().verdict, Verdict::Tampered);
}

#[test]
fn an_entry_left_out_of_the_call_is_found_and_so_is_one_of_another() {
    let (log, uid, recording) = log();
    let of_call: Vec<usize> = (0..log.drafts.len()).filter(|at| log.drafts[*at].call == Some(uid)).collect();
    for left_out in &of_call[..of_call.len() - 1] {
        let mut indexes = log.entries_of(uid, Some(recording));
        indexes.retain(|index| index != left_out);
        let failure = checked(&log.pack(&Subject::Recording(recording), log.parts(indexes))).unwrap_err();
        assert_eq!(failure.verdict, Verdict::Incomplete, "{left_out}: {failure}");
    }
    let mut indexes = log.entries_of(uid, Some(recording));
    let other =
        (0..log.drafts.len()).find(|at| log.drafts[*at].call.is_some_and(|call| call != uid)).unwrap();
    indexes.push(other);
    let failure = checked(&log.pack(&Subject::Recording(recording), log.parts(indexes))).unwrap_err();
    assert_eq!((failure.verdict, failure.index), (Verdict::Tampered, Some(other as u64)));
}

#[test]
fn what_can_be_left_out_at_the_end_is_warned_of() {
    let (log, uid, recording) = log();
    for subject in [Subject::Call(uid), Subject::Recording(recording)] {
        let mut indexes = log.entries_of(uid, Some(recording));
        if subject == Subject::Call(uid) {
            indexes = log.entries_of(uid, None);
        }
        indexes.pop();
        let report = checked(&log.pack(&subject, log.parts(indexes))).unwrap();
        assert!(report.warnings.iter().any(|warning| warning.contains("left out")), "{:?}", report.warnings);
    }
}

#[test]
fn a_forged_acceptance_is_found_from_the_pack_alone() {
    let mut log = Log::new();
    let uid = log.open("c");
    log.happens(uid, What::Control(Control::Start));
    let from = log.now;
    log.tick(5000);
    let recording = log.accept_anyway(uid, vec![(from, log.now)]);
    let failure = checked(&log.recording_pack(uid, recording)).unwrap_err();
    assert_eq!(failure.verdict, Verdict::Tampered);
    assert!(failure.what.contains("was not permitted"), "{failure}");
}

#[test]
fn a_prompt_is_what_was_registered() {
    let (log, uid, recording) = log();
    let mut pack = log.recording_pack(uid, recording);
    let other = pack.prompts[&log.prompt].replace("is recorded", "is not recorded");
    pack.prompts.insert(log.prompt, other);
    let failure = checked(&pack).unwrap_err();
    assert!(failure.what.contains("not what was registered"), "{failure}");
    // Without its registration nothing says what it was.
    let mut indexes = log.entries_of(uid, Some(recording));
    indexes.retain(|index| log.drafts[*index].kind != "prompt.registered");
    let parts = log.parts(indexes);
    let failure = checked(&log.pack(&Subject::Recording(recording), parts.clone())).unwrap_err();
    assert_eq!(failure.verdict, Verdict::Incomplete);
    let parts = Parts { prompts: BTreeMap::new(), ..parts };
    let report = checked(&log.pack(&Subject::Recording(recording), parts)).unwrap();
    assert!(report.warnings.iter().any(|warning| warning.contains("what was played is not verified")));
}

#[test]
fn a_prompt_is_written_as_it_was_registered() {
    let (log, uid, recording) = log();
    let mut pack = log.recording_pack(uid, recording);
    let document = &pack.prompts[&log.prompt];
    let twice = format!(r#"{{"text":"Nothing is recorded.",{}"#, document.strip_prefix('{').unwrap());
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&twice).unwrap(),
        serde_json::from_str::<serde_json::Value>(document).unwrap()
    );
    pack.prompts.insert(log.prompt, twice);
    let failure = checked(&pack).unwrap_err();
    assert_eq!(failure.verdict, Verdict::Tampered);
    assert!(failure.what.contains("not what was registered"), "{failure}");
}

#[test]
fn keys_that_were_wrapped_for_somebody_else_are_warned_of() {
    let (log, uid, recording) = log();
    let mut pack = log.recording_pack(uid, recording);
    let foreign = "keys in the envelope are not wrapped for the same recipients";
    assert!(!checked(&pack).unwrap().warnings.iter().any(|warning| warning.contains(foreign)));
    let envelope = pack.envelope.clone().unwrap();
    for other in [envelope.replace(KEY, &"ab".repeat(32)), {
        let mut none: serde_json::Value = serde_json::from_str(&envelope).unwrap();
        none["keys"] = serde_json::json!([]);
        none.to_string()
    }] {
        pack.envelope = Some(other);
        let report = checked(&pack).unwrap();
        assert!(report.envelope);
        says(&report.warnings, &[foreign]);
    }
}

#[test]
fn entries_stand_in_the_order_of_time_and_have_ids_of_their_own() {
    let (log, uid, recording) = log();
    let again = |change: &dyn Fn(&mut Log)| {
        let mut log = log.clone();
        change(&mut log);
        let mut indexes = log.entries_of(uid, Some(recording));
        indexes.push(log.drafts.len() - 1);
        indexes.dedup();
        checked(&log.pack(&Subject::Recording(recording), log.parts(indexes))).unwrap_err()
    };
    let registered = log.drafts.iter().position(|draft| draft.kind == "prompt.registered").unwrap();
    let failure = again(&|log| {
        log.tick(-600_000);
        let body = Body::Prompt { version: crate::id().unwrap(), duration_ms: 4000 };
        log.entry(&counsel(), body, None);
    });
    assert!(failure.what.contains("time runs backwards"), "{failure}");
    let failure = again(&|log| {
        let body = Body::Prompt { version: crate::id().unwrap(), duration_ms: 4000 };
        log.entry(&counsel(), body, None);
        let mut draft = log.drafts.pop().unwrap();
        let nonce = |leaf: &[u8]| serde_json::from_slice::<crate::Leaf>(leaf).unwrap().nonce;
        let leaf = String::from_utf8(draft.leaf.clone()).unwrap();
        draft.leaf = leaf.replace(&nonce(&draft.leaf), &nonce(&log.drafts[registered].leaf)).into_bytes();
        log.drafts.push(draft);
    });
    assert!(failure.what.contains("was given to an entry before it"), "{failure}");
}

#[test]
fn no_pack_has_entries_about_other_recordings() {
    let mut log = Log::new();
    let (uid, recording) = log.whole_call("c");
    let (_, other) = log.whole_call("another");
    let of_it = usize::try_from(log.entry(&counsel(), Body::Held { recording, held: true }, None)).unwrap();
    let of_other =
        usize::try_from(log.entry(&counsel(), Body::Held { recording: other, held: true }, None)).unwrap();
    let with = |index: usize| {
        let all = log.entries_of(uid, None).into_iter().chain([index]);
        checked(&log.pack(&Subject::Call(uid), log.parts(all)))
    };
    with(of_it).unwrap();
    let failure = with(of_other).unwrap_err();
    assert_eq!((failure.verdict, failure.index), (Verdict::Tampered, Some(of_other as u64)), "{failure}");
}

/// What a pack is warned of, and that its page says the same.
fn warned(pack: &Pack) -> Vec<String> {
    let told = crate::audit::page::page(pack).unwrap();
    for warning in &super::unproven(pack) {
        assert!(told.contains(&warning.chars().skip(1).collect::<String>()), "{warning}");
    }
    checked(pack).unwrap().warnings
}

fn says(warnings: &[String], words: &[&str]) {
    let said = warnings.iter().any(|warning| words.iter().all(|words| warning.contains(words)));
    assert!(said, "{words:?}: {warnings:?}");
}

#[test]
fn what_can_have_been_left_out_of_a_pack_is_said() {
    let (log, uid, recording) = log();
    let whole = log.entries_of(uid, Some(recording));
    let last = *whole.iter().rfind(|index| log.drafts[**index].call == Some(uid)).unwrap();
    let up_to = format!("up to entry {last}, of ");
    says(&warned(&log.recording_pack(uid, recording)), &[&up_to, "with its end", "only the whole log shows"]);
    // The tail, with the acceptance, and the fetch behind it.
    let cut: Vec<usize> =
        whole.into_iter().filter(|index| *index < last && log.drafts[*index].kind != "call.ended").collect();
    let cut = log.pack(&Subject::Call(uid), log.parts(cut));
    says(&warned(&cut), &["without its end", "hand-outs, holds, a deletion"]);
    let told = crate::audit::page::page(&cut).unwrap();
    for never in ["that the log had of this call", "never handed out", "No answer was reported"] {
        assert!(!told.contains(never), "{never}");
    }
}

#[test]
fn a_grant_that_is_relied_on_is_shown_to_be_registered_or_said_not_to_be() {
    let mut log = Log::new();
    let grant = log.grant();
    let registered = log.drafts.len() - 1;
    log.tick(10);
    let uid = log.open_with("c", Some(grant));
    let with = |indexes: &[usize]| {
        let all = log.entries_of(uid, None).into_iter().chain(indexes.iter().copied());
        log.pack(&Subject::Call(uid), log.parts(all))
    };
    let missing = ["the registration of 1 consent grant is not in the pack"];
    says(&warned(&with(&[])), &missing);
    let warnings = warned(&with(&[registered]));
    assert!(!warnings.iter().any(|warning| warning.contains(missing[0])), "{warnings:?}");
    says(&warnings, &["in force then", "2 credentials, 1 consent grant and 1 table"]);
    // Registered for another time, or withdrawn before.
    let mut other = log.clone();
    other.drafts.truncate(registered);
    let body = Body::Grant { grant, from: other.now, until: Some(other.now), by_guardian: false };
    other.entry(&counsel(), body, None);
    other.drafts.extend(log.drafts[registered + 1..].iter().cloned());
    let all = other.entries_of(uid, None).into_iter().chain([registered]);
    let failure = checked(&other.pack(&Subject::Call(uid), other.parts(all))).unwrap_err();
    assert!(failure.what.contains("not have the period that was registered"), "{failure}");
    let withdrawn = other.entry(&counsel(), Body::GrantWithdrawn { grant }, None);
    other.drafts.swap(registered, usize::try_from(withdrawn).unwrap());
    let all = other.entries_of(uid, None).into_iter().chain([registered]);
    let failure = checked(&other.pack(&Subject::Call(uid), other.parts(all))).unwrap_err();
    assert!(failure.what.contains("that was withdrawn"), "{failure}");
}

#[test]
fn the_manifest_and_the_page_say_nothing_but_what_the_entries_say() {
    let (log, uid, recording) = log();
    let pack = log.recording_pack(uid, recording);
    let forged = |change: &dyn Fn(&mut Pack)| {
        let mut pack = pack.clone();
        change(&mut pack);
        let failure = checked(&pack).unwrap_err();
        let all = [&failure].into_iter().chain(&failure.also).map(|failure| failure.what.clone());
        all.collect::<Vec<_>>().join("; ")
    };
    let something_else = "something else than the entries";
    assert!(forged(&|pack| pack.manifest.call_id = Some("c-18".into())).contains(something_else));
    assert!(forged(&|pack| pack.manifest.account = "other".into()).contains("another account"));
    assert!(forged(&|pack| drop(pack.manifest.did.pop())).contains(something_else));
    assert!(forged(&|pack| pack.manifest.asserted.swap(0, 1)).contains(something_else));
    assert!(forged(&|pack| pack.manifest.size += 1).contains(something_else));
    assert!(forged(&|pack| pack.manifest.recording = None).contains("what the pack is about"));
    assert!(forged(&|pack| pack.manifest.format = "v2".into()).contains("does not know the format"));
    assert!(forged(&|pack| pack.page = Some("<h1>All is well</h1>".into())).contains("`index.html`"));
    // Another program's page is compared, if it has the same format.
    let other = |format: u32| {
        let mut other = Pack { page: Some("<h1>All is well</h1>".into()), ..pack.clone() };
        (other.manifest.made_by, other.manifest.page) = ("consent-gateway 99.0".into(), format);
        checked(&other)
    };
    let lie = other(crate::audit::page::FORMAT).unwrap_err();
    assert!(lie.what.contains("`index.html`"), "{lie}");
    // One of another format is not, and is not relied on.
    let report = other(99).unwrap();
    assert!(!report.page && report.warnings.iter().any(|warning| warning.contains("do not rely on it")));
}

#[test]
fn a_pack_is_of_the_account_whose_log_it_is() {
    let (log, uid, _) = log();
    let mut pack = log.pack(&Subject::Call(uid), log.parts(log.entries_of(uid, None)));
    for account in ["other", "", "acme.2", "gateway.example.com/acme", "acm"] {
        pack.manifest.account = account.into();
        let failure = checked(&pack).unwrap_err();
        assert!(failure.what.contains("another account"), "{account}: {failure}");
    }
}

#[test]
fn an_entry_that_is_named_twice_is_not_read_twice() {
    let (log, uid, recording) = log();
    let mut pack = log.recording_pack(uid, recording);
    for index in [pack.manifest.indices[0], *pack.manifest.indices.last().unwrap()] {
        pack.manifest.indices.push(index);
        let failure = read(Cursor::new(written(&pack))).unwrap_err();
        assert!(failure.what.contains("named twice"), "{failure}");
        pack.manifest.indices.pop();
    }
}

#[test]
fn a_pack_by_another_key_or_of_another_log_is_refused() {
    let (log, uid, recording) = log();
    let mut pack = log.recording_pack(uid, recording);
    pack.checkpoint = head_of(&log.leaves(), &[&key(9)]);
    assert_eq!(checked(&pack).unwrap_err().verdict, Verdict::Unusable);
    // A head of the log before these entries does not prove them.
    pack.checkpoint = head_of(&log.leaves()[..log.drafts.len() - 20], &[&key(1)]);
    assert_eq!(checked(&pack).unwrap_err().verdict, Verdict::Tampered);
}

#[test]
fn a_change_of_the_logs_key_is_no_alarm() {
    let (log, uid, recording) = log();
    let mut pack = log.recording_pack(uid, recording);
    let head = |keys: &[&SigningKey]| head_of(&log.leaves(), keys);
    pack.checkpoint = head(&[&key(2)]);
    let failure = checked(&pack).unwrap_err();
    assert_eq!(failure.verdict, Verdict::Unusable, "{failure}");
    assert!(failure.what.contains(&crate::hex(&key(2).verifier().id())), "{failure}");
    // The head that hands over.
    pack.checkpoint = head(&[&key(1), &key(2)]);
    checked(&pack).unwrap();
    // Who signs in the name of the key that is trusted, and cannot.
    let text = pack.checkpoint.text.clone();
    pack.checkpoint = head(&[&key(2)]);
    pack.checkpoint.signatures[0].id = key(1).verifier().id();
    let failure = checked(&pack).unwrap_err();
    assert_eq!(failure.verdict, Verdict::Tampered, "{failure}");
    // And who is nobody of the log.
    pack.checkpoint = Note { signatures: vec![witness(1).sign_note(&text)], text };
    assert_eq!(checked(&pack).unwrap_err().verdict, Verdict::Tampered);
}

#[test]
fn media_are_for_packs_of_recordings() {
    let (log, uid, _) = log();
    let call = log.pack(&Subject::Call(uid), log.parts(log.entries_of(uid, None)));
    let (other, silent, again) = unrecorded();
    for pack in [call, other.absence_pack(&[silent, again])] {
        let failure = verify_pack(&pack, &trust(), Some(&mut media().as_slice())).unwrap_err();
        assert_eq!(failure.verdict, Verdict::Unusable);
        assert!(failure.what.contains("not about a recording"), "{failure}");
    }
}

mod since {
    use super::*;

    fn of(pack: &Pack, size: usize, leaves: &[Vec<u8>]) -> Result<Option<String>, Failure> {
        goes_on(pack, &trust(), &head_of(&leaves[..size], &[&key(1)]))
    }

    #[test]
    fn a_pack_that_is_older_than_the_head_of_its_reader_is_of_no_use() {
        let (log, uid, again) = unrecorded();
        let pack = log.absence_pack(&[uid, again]);
        let mut later = log.clone();
        later.whole_call("silent");
        let failure = of(&pack, later.drafts.len(), &later.leaves()).unwrap_err();
        assert_eq!(failure.verdict, Verdict::Unusable);
        assert!(failure.what.contains("is older than the head that was given"), "{failure}");
    }

    #[test]
    fn a_log_that_was_rewritten_is_found_where_the_pack_has_what_it_takes() {
        let (log, uid, again) = unrecorded();
        let leaves = log.leaves();
        let absence = log.absence_pack(&[uid, again]);
        let first = place(absence.stretch.as_ref().unwrap().first);
        let call = log.pack(&Subject::Call(uid), log.parts(log.entries_of(uid, None)));
        for size in [first, first + 1, leaves.len() - 1, leaves.len()] {
            assert_eq!(of(&absence, size, &leaves).unwrap(), None, "{size}");
            let mut other = leaves.clone();
            other[first / 2] = other[first].clone();
            let failure = of(&absence, size, &other).unwrap_err();
            assert_eq!(failure.verdict, Verdict::Tampered, "{size}: {failure}");
        }
        assert!(of(&absence, first - 1, &leaves).unwrap().unwrap().contains("is not proven"));
        assert_eq!(of(&call, leaves.len(), &leaves).unwrap(), None);
        let unproven = of(&call, leaves.len() - 1, &leaves).unwrap().unwrap();
        assert!(unproven.contains("is not proven"), "{unproven}");
        let mut other = leaves.clone();
        other.swap(0, 1);
        assert_eq!(of(&call, leaves.len(), &other).unwrap_err().verdict, Verdict::Tampered);
    }

    #[test]
    fn a_head_that_is_not_of_this_log_or_not_signed_by_it_says_nothing() {
        let (log, uid, _) = log();
        let pack = log.pack(&Subject::Call(uid), log.parts(log.entries_of(uid, None)));
        let verdict = |note: &Note| goes_on(&pack, &trust(), note).unwrap_err().verdict;
        let note = head_of(&log.leaves(), &[&key(9)]);
        assert_eq!(verdict(&note), Verdict::Unusable);
        let mut forged = note;
        forged.signatures[0].id = key(1).verifier().id();
        assert_eq!(verdict(&forged), Verdict::Tampered);
        let text = Checkpoint::new("gateway.example.com/other", 3, [0; 32]).text();
        assert_eq!(verdict(&Note { signatures: vec![key(1).sign_note(&text)], text }), Verdict::Unusable);
        let text = String::from("no head\n");
        assert_eq!(verdict(&Note { signatures: vec![key(1).sign_note(&text)], text }), Verdict::Unusable);
    }
}

mod absence {
    use super::*;

    fn silent(uid: Uuid) -> Subject {
        Subject::Absence { name: "silent".into(), calls: vec![uid] }
    }

    #[test]
    fn a_recording_that_was_accepted_cannot_be_passed_over() {
        let mut log = Log::busy(1);
        let (uid, _) = log.whole_call("c");
        let mut pack = log.absence_pack(&[uid]);
        let accepted = log.drafts.iter().rposition(|draft| draft.kind == "recording.accepted").unwrap();
        let failure = checked(&pack).unwrap_err();
        assert_eq!((failure.verdict, failure.index), (Verdict::Tampered, Some(accepted as u64)), "{failure}");
        assert!(failure.what.contains("it accepts the recording"));
        // Nor taken out of the stretch, nor the stretch cut short.
        let stretch = pack.stretch.as_mut().unwrap();
        stretch.leaves.remove(accepted - place(stretch.first));
        assert!(checked(&pack).unwrap_err().what.contains("not those of the signed head"));
    }

    #[test]
    fn a_call_that_was_opened_twice_is_shown_twice() {
        let mut log = Log::busy(1);
        let first = log.open("c");
        log.happens(first, What::Ended);
        let (second, _) = log.whole_call("c");
        assert!(
            checked(&log.absence_pack(&[first, second])).unwrap_err().what.contains("accepts the recording")
        );
    }

    #[test]
    fn other_calls_and_later_moments_are_said_not_to_be_in_it() {
        let (log, uid, again) = unrecorded();
        let newest: crate::Leaf = serde_json::from_slice(&log.drafts.last().unwrap().leaf).unwrap();
        let later = format!("the newest of {:.3}, is not in the pack: a recording of the call", newest.at);
        let pack = log.absence_pack(&[uid, again]);
        let before = format!("nothing is in the pack: {}", pack.stretch.as_ref().unwrap().first);
        let warnings = warned(&pack);
        says(&warnings, &["names are not disclosed: 1;", "accepted in it: 1;", &before]);
        says(&warnings, &[&later]);
        // A pack about one of the openings alone: the other is one of those that are not disclosed.
        says(&warned(&log.absence_pack(&[uid])), &["names are not disclosed: 2;"]);
        let mut log = Log::new();
        let uid = log.open("silent");
        says(&warned(&log.absence_pack(&[uid])), &["the call had not ended by then"]);
    }

    #[test]
    fn an_alias_is_a_name_too() {
        let (log, uid, again) = unrecorded();
        let of = |name: &str| {
            let parts = Parts {
                stretch: log.absence_pack(&[uid, again]).stretch,
                ..log.parts(log.entries_of(uid, None))
            };
            checked(&log.pack(&Subject::Absence { name: name.into(), calls: vec![uid] }, parts))
        };
        assert_eq!(of("silent-leg-b").unwrap().call_id.as_deref(), Some("silent-leg-b"));
        assert_eq!(of("another").unwrap_err().verdict, Verdict::Incomplete);
    }

    #[test]
    fn the_stretch_begins_where_the_call_was_opened_and_the_name_is_disclosed() {
        let (log, uid, again) = unrecorded();
        let whole = log.absence_pack(&[uid, again]);
        let mut later = whole.clone();
        let stretch = later.stretch.as_mut().unwrap();
        stretch.first += 1;
        stretch.leaves.remove(0);
        stretch.before = edge_of(&log.leaves()[..place(stretch.first)]).hashes().to_vec();
        later.manifest.whole_from = Some(stretch.first);
        let failure = checked(&later).unwrap_err();
        assert!(failure.what.contains("begins after the call was opened"), "{failure}");
        let mut nameless = log.parts(log.entries_of(uid, None));
        nameless.entries.iter_mut().for_each(|entry| entry.detail = None);
        nameless.prompts.clear();
        nameless.stretch.clone_from(&whole.stretch);
        let failure = checked(&log.pack(&silent(uid), nameless)).unwrap_err();
        assert_eq!(failure.verdict, Verdict::Incomplete);
        assert!(failure.what.contains("is not disclosed"), "{failure}");
        // A call is not counted twice.
        let twice = checked(&log.absence_pack(&[uid, again, again])).unwrap_err();
        assert!(twice.what.contains("names a call twice"), "{twice}");
        // Every entry of the call is shown.
        let mut short = log.parts(log.entries_of(uid, None));
        let ended = short.entries.pop().unwrap();
        short.stretch.clone_from(&whole.stretch);
        let failure = checked(&log.pack(&silent(uid), short)).unwrap_err();
        assert_eq!((failure.verdict, failure.index), (Verdict::Incomplete, Some(ended.index)), "{failure}");
        // And no stretch shows nothing.
        let none = Parts { stretch: None, ..log.parts(log.entries_of(uid, None)) };
        assert_eq!(checked(&log.pack(&silent(uid), none)).unwrap_err().verdict, Verdict::Incomplete);
    }
}
