//! The store alone: without a ledger, with the commands, for recordings in packs and in files of their own.

use std::path::Path;

use consent_gateway::access::Role;
use consent_gateway::vault::Kind;
use serde_json::{Value, json};

use crate::harness::{Kept, files_below, kept_in, run, wav, wav_of};
use crate::site::{Site, now, rewrite};

fn listed(dir: &str) -> Vec<Value> {
    let (code, out, err) = run(&["--json", "store", "list", dir]);
    assert_eq!(code, 0, "{err}");
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_the_store_and_the_key_needs_no_ledger() {
    let site = Site::new().await;
    let mut process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    let from = site.record(&recorder, "c1").await;
    // Of 48,000 samples a second, twelve seconds are more than fits into a pack.
    let large = wav_of(48_000, &vec![500; 48_000 * 12]);
    site.well_at(from.checked_add(jiff::SignedDuration::from_secs(12)).unwrap()).await;
    let start = from.to_string();
    let mut ids = Vec::new();
    for (name, audio) in [("small", &wav(1_000)), ("large", &large), ("deleted", &wav(1_000))] {
        let path = format!("/v1/calls/c1/recordings/{name}");
        let stored = recorder.upload(&path, &[("recording-start", &start)], audio).await.expect(201);
        ids.push(stored["id"].as_str().unwrap().to_owned());
    }
    site.client(&process, Role::Admin).delete(&format!("/v1/recordings/{}", ids[2])).await.expect(204);
    process.terminate();
    assert_eq!(process.wait(), Some(0));

    let copy = site.dir.path().join("copy");
    for file in files_below(&site.data.join("media")) {
        let to = copy.join(file.strip_prefix(&site.data).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(&file, to).unwrap();
    }
    let (data, media) = (copy.to_str().unwrap(), copy.join("media"));
    let found = listed(data);
    assert_eq!(found, listed(media.to_str().unwrap()));
    let state = |id: &str| {
        let one: Vec<&Value> = found.iter().filter(|item| item["recording"] == id).collect();
        assert_eq!(one.len(), 1, "{found:?}");
        one[0].clone()
    };
    assert_eq!(found.len(), 3);
    assert_eq!((&state(&ids[0])["state"], &state(&ids[0])["account"]), (&json!("whole"), &json!("acme")));
    assert_eq!(
        (&state(&ids[1])["state"], &state(&ids[1])["content_type"]),
        (&json!("whole"), &json!("audio/wav"))
    );
    assert_eq!((&state(&ids[2])["state"], &state(&ids[2])["bytes"]), (&json!("deleted"), &json!(0)));
    assert!(state(&ids[1])["place"].as_str().unwrap().ends_with(".sealed"));

    let out = site.dir.path().join("out");
    let extract =
        |id: &str| run(&["store", "extract", data, "--recording", id, "--out", out.to_str().unwrap()]);
    let private = site.dir.path().join("acme/private.pem");
    for (id, audio) in [(&ids[0], wav(1_000)), (&ids[1], large)] {
        let (code, told, err) = extract(id);
        assert_eq!(code, 0, "{err}");
        assert!(told.contains("consent-gateway open "), "{told}");
        let [sealed, envelope, opened] = ["sealed", "json", "wav"].map(|end| out.join(format!("{id}.{end}")));
        let [sealed, envelope, opened] = [&sealed, &envelope, &opened].map(|path| path.to_str().unwrap());
        let (code, _, err) = run(&[
            "open",
            sealed,
            "--envelope",
            envelope,
            "--key",
            private.to_str().unwrap(),
            "--out",
            opened,
            "--account",
            "acme",
            "--recording",
            id,
        ]);
        assert_eq!(code, 0, "{err}");
        assert!(std::fs::read(opened).unwrap() == audio);
        let (code, _, err) = extract(id);
        assert!(code == 1 && err.contains(".sealed"), "nothing is overwritten: {err}");
    }
    // An envelope that is in the way: nothing of the recording is left beside it.
    std::fs::remove_file(out.join(format!("{}.sealed", ids[0]))).unwrap();
    let (code, _, err) = extract(&ids[0]);
    assert!(code == 1 && err.contains(".json"), "{err}");
    assert!(!out.join(format!("{}.sealed", ids[0])).exists());
    let refused = |id: &str, told: &str| {
        let (code, printed, err) = extract(id);
        assert!(code == 1 && err.contains(told), "{code}: {printed}{err}");
    };
    refused(&ids[2], "it was deleted");
    refused("00000000-0000-4000-8000-000000000000", "is not in this store");
    let (code, _, err) = run(&["store", "list", site.dir.path().to_str().unwrap()]);
    assert!(code == 1 && err.contains("is not a store"), "{err}");

    // One bit of the media, then the envelope, then nothing but a hole in front of them.
    let of_the_small_one = |kind| {
        let is_it =
            |kept: &Kept| kept.kind == Some(kind) && kept.id.is_some_and(|id| id.to_string() == ids[0]);
        kept_in(&copy).into_iter().find(is_it).unwrap()
    };
    let small = of_the_small_one(Kind::Media);
    let flip = |file: &Path, at: usize| {
        let mut bytes = std::fs::read(file).unwrap();
        bytes[at] ^= 1;
        std::fs::write(file, bytes).unwrap();
    };
    for file in files_below(&out) {
        std::fs::remove_file(file).unwrap();
    }
    flip(&small.file, small.range.start + 100);
    refused(&ids[0], "its media were changed");
    assert!(files_below(&out).is_empty());
    flip(&small.file, small.range.start + 100);
    let envelope = of_the_small_one(Kind::Envelope);
    flip(&envelope.file, envelope.range.start);
    assert_eq!(listed(data).iter().find(|item| item["recording"] == *ids[0]).unwrap()["state"], "sealed");
    refused(&ids[0], "it has no envelope in the store");
}

/// What one recording's row says of its place is never believed about another's media.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_holds_another_recording_is_neither_read_nor_deleted() {
    let site = Site::new().await;
    let process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    let from = site.record(&recorder, "c1").await.to_string();
    site.well_at(now().checked_add(jiff::SignedDuration::from_millis(1_100)).unwrap()).await;
    let stored = async |name: &str| {
        let path = format!("/v1/calls/c1/recordings/{name}");
        let stored = recorder.upload(&path, &[("recording-start", &from)], &wav(1_000)).await.expect(201);
        stored["id"].as_str().unwrap().to_owned()
    };
    let (one, other) = (stored("one").await, stored("other").await);
    let mut ledger = site.sqlite().await;
    let moved = "UPDATE recording SET place = (SELECT place FROM recording WHERE id = ?) WHERE id = ?";
    sqlx::query(moved).bind(&other).bind(&one).execute(&mut ledger).await.unwrap();
    let listener = site.client(&process, Role::Listener);
    listener
        .get(&format!("/v1/recordings/{one}/media?purpose=quality"))
        .await
        .problem(503, "store-unavailable");
    let admin = site.client(&process, Role::Admin);
    admin.delete(&format!("/v1/recordings/{one}")).await.problem(503, "store-unavailable");
    assert!(site.fetch_and_open(&listener, &other).await == wav(1_000));

    // A head that was changed on the disk is none.
    let pack = kept_in(&site.data)[0].file.clone();
    let other_id: uuid::Uuid = other.parse().unwrap();
    rewrite(&pack, |head| {
        if head.recording == other_id {
            head.bytes += 1;
        }
    });
    listener
        .get(&format!("/v1/recordings/{other}/media?purpose=quality"))
        .await
        .problem(503, "store-unavailable");
}

/// The ledger and the store compared, both ways: what is lost, and what nothing names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_from_the_store_and_what_is_too_much_in_it_is_told_and_left_alone() {
    let site = Site::new().await;
    let process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    let from = site.record(&recorder, "c1").await;
    let large = wav_of(48_000, &vec![500; 48_000 * 12]);
    site.well_at(from.checked_add(jiff::SignedDuration::from_secs(12)).unwrap()).await;
    let start = from.to_string();
    let stored = async |name: &str, audio: &[u8]| {
        let path = format!("/v1/calls/c1/recordings/{name}");
        let stored = recorder.upload(&path, &[("recording-start", &start)], audio).await.expect(201);
        stored["id"].as_str().unwrap().to_owned()
    };
    let (small, big) = (stored("small", &wav(1_000)).await, stored("big", &large).await);
    let (deleted, unsealed) = (stored("deleted", &large).await, stored("unsealed", &large).await);
    let data = site.data.to_str().unwrap().to_owned();
    // Each difference, and the count of all.
    let compared = |expected: i32| {
        let before: Vec<_> = kept_in(&site.data);
        let (code, out, err) = run(&["--data", &data, "--json", "check", "--store"]);
        assert_eq!(code, expected, "{out}{err}");
        assert_eq!(kept_in(&site.data), before, "nothing is changed");
        let mut lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let taken = lines.pop().unwrap();
        let mut found: Vec<(String, String)> = lines
            .iter()
            .map(|line| ["what", "recording"].map(|member| line[member].as_str().unwrap().to_owned()).into())
            .collect();
        found.sort();
        let counted: u64 =
            taken["differences"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(counted, found.len() as u64, "{taken}");
        (found, taken)
    };
    let difference = |what: &str, recording: &str| (what.to_owned(), recording.to_owned());
    let (found, taken) = compared(0);
    assert_eq!((found, &taken["recordings"], &taken["objects"]), (vec![], &json!(4), &json!(4)));

    // Kept from a backup, and brought back after a deletion.
    let files = |id: &str| {
        let name = id.replace('-', "");
        let found = files_below(&site.data.join("media")).into_iter();
        let found = found.filter(|file| file.file_name().unwrap().to_str().unwrap().starts_with(&name));
        let mut found: Vec<_> = found.collect();
        found.sort();
        let [envelope, media] = found.try_into().unwrap();
        (envelope, media)
    };
    let (envelope, media) = files(&deleted);
    let copies = [&envelope, &media].map(|file| std::fs::read(file).unwrap());
    site.client(&process, Role::Admin).delete(&format!("/v1/recordings/{deleted}")).await.expect(204);
    assert_eq!(compared(0).0, []);
    for (file, copy) in [&envelope, &media].into_iter().zip(&copies) {
        std::fs::write(file, copy).unwrap();
    }
    assert_eq!(compared(3).0, [difference("not-removed", &deleted)]);
    std::fs::write(&envelope, b"{\"deleted\":true}\n").unwrap();
    std::fs::remove_file(&media).unwrap();
    assert_eq!(compared(0).0, []);

    // What nothing names: in a pack, in a file, and a second copy of what is named elsewhere.
    let pack =
        kept_in(&site.data).into_iter().find(|kept| kept.file.extension().unwrap() == "pack").unwrap().file;
    let [stranger, file, copy] = [1, 2, 3].map(uuid::Uuid::from_u128);
    let beside = |id: uuid::Uuid| pack.with_file_name(format!("{id}.pack"));
    for id in [stranger, copy] {
        std::fs::copy(&pack, beside(id)).unwrap();
    }
    rewrite(&beside(stranger), |head| head.recording = stranger);
    let shard = site.data.join("media").join("02");
    std::fs::create_dir_all(&shard).unwrap();
    let extra = shard.join(format!("{}.sealed", file.simple()));
    std::fs::write(&extra, b"sealed").unwrap();
    let mut unnamed =
        [stranger.to_string(), file.to_string(), small.clone()].map(|id| difference("unnamed", &id));
    unnamed.sort();
    assert_eq!(compared(0).0, unnamed);
    for file in [&beside(stranger), &beside(copy), &extra] {
        std::fs::remove_file(file).unwrap();
    }

    // What is lost: an envelope, a file, a part of one, a whole pack, a row.
    let (envelope, media) = files(&unsealed);
    let kept = std::fs::read(&envelope).unwrap();
    std::fs::remove_file(&envelope).unwrap();
    assert_eq!(compared(3).0, [difference("envelope-missing", &unsealed)]);
    std::fs::write(&envelope, std::fs::read(files(&big).0).unwrap()).unwrap();
    assert_eq!(compared(3).0, [difference("envelope-missing", &unsealed)]);
    std::fs::write(&envelope, kept).unwrap();
    let whole = std::fs::read(&media).unwrap();
    std::fs::write(&media, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(compared(3).0, [difference("media-missing", &unsealed)]);
    std::fs::remove_file(&media).unwrap();
    std::fs::rename(&pack, pack.with_extension("elsewhere")).unwrap();
    let mut missing = [&small, &unsealed].map(|id| difference("media-missing", id));
    missing.sort();
    assert_eq!(compared(3).0, missing);
    std::fs::rename(pack.with_extension("elsewhere"), &pack).unwrap();
    std::fs::write(&media, &whole).unwrap();
    assert_eq!(compared(0).0, []);
    let mut ledger = site.sqlite().await;
    sqlx::query("DELETE FROM recording WHERE id = ?").bind(&small).execute(&mut ledger).await.unwrap();
    assert_eq!(compared(3).0, [difference("row-missing", &small), difference("unnamed", &small)]);
    let (code, out, _) = run(&["--data", &data, "check", "--store"]);
    assert!(code == 3 && out.contains("1 row-missing, 1 unnamed"), "{out}");
}
