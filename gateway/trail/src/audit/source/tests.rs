use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;

use super::super::sample::{Files, Log};
use super::super::{Failure, Verdict};
use super::*;

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        zip.start_file(*path, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn refused(zip: Vec<u8>) -> String {
    let error = Archive::new(Cursor::new(zip)).unwrap_err();
    Failure::from(error).what
}

#[test]
fn an_archive_whose_names_lead_out_of_it_is_refused() {
    for path in ["../checkpoint", "/checkpoint", "tile/../../x", "tile\\0\\000", "a b", "", "checkpoint\0"] {
        let zip = archive(&[("checkpoint", b"x"), (path, b"y")]);
        assert!(refused(zip).contains("not a name of ours"), "{path}");
    }
}

#[test]
fn an_archive_in_which_a_name_means_two_files_is_refused() {
    // No writer makes one: the second name is written over in both places where a zip has it.
    let mut zip = archive(&[("checkpoint", b"one"), ("checkpoinT", b"two")]);
    let at: Vec<usize> = (0..zip.len() - 10).filter(|at| &zip[*at..at + 10] == b"checkpoinT").collect();
    assert_eq!(at.len(), 2);
    for at in at {
        zip[at + 9] = b't';
    }
    assert!(refused(zip).contains("twice"));
}

#[test]
fn a_bomb_is_read_as_far_as_a_file_of_its_kind_can_go() {
    let bomb = vec![0u8; 64 * 1024 * 1024];
    let zip = archive(&[
        ("checkpoint", &bomb),
        ("tile/0/000", &bomb),
        ("tile/entries/000", &bomb),
        ("details.jsonl", &bomb),
    ]);
    assert!(zip.len() < 1024 * 1024);
    let archive = Archive::new(Cursor::new(zip)).unwrap();
    let longer = |error: SourceError| assert!(error.to_string().contains("longer than"), "{error}");
    longer(archive.checkpoint().unwrap_err());
    longer(archive.tile(TileId { level: 0, index: 0, width: 256 }).unwrap_err());
    longer(archive.bundle(BundleId { index: 0, width: 256 }).unwrap_err());
    longer(archive.details().unwrap().unwrap().next().unwrap().unwrap_err());
}

#[test]
fn many_bombs_are_read_as_far_as_one() {
    let head = vec![b'x'; 64 * 1024];
    let names: Vec<String> = (0..1025).map(|number| format!("checkpoints/{number}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), head.as_slice())).collect();
    let heads = |files| Archive::new(Cursor::new(archive(files))).unwrap().older_checkpoints();
    assert_eq!(heads(&files[..1024]).into_iter().filter(Result::is_ok).count(), 1024);
    let error = heads(&files).pop().unwrap().unwrap_err();
    assert!(error.to_string().contains("too long together"));
}

#[test]
fn a_file_that_is_not_there_is_missing_and_one_that_cannot_be_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let directory = Directory::open(dir.path()).unwrap();
    let verdict = |error: SourceError| Failure::from(error).verdict;
    assert_eq!(verdict(directory.checkpoint().unwrap_err()), Verdict::Incomplete);
    assert_eq!(
        verdict(directory.bundle(BundleId { index: 1_234_067, width: 5 }).unwrap_err()),
        Verdict::Incomplete
    );
    assert!(directory.older_checkpoints().is_empty());
    assert!(directory.details().unwrap().is_none());
    std::fs::write(dir.path().join("checkpoint"), [0xff, 0xfe]).unwrap();
    assert_eq!(verdict(directory.checkpoint().unwrap_err()), Verdict::Tampered);
    std::fs::write(dir.path().join("checkpoint"), vec![b'x'; 70_000]).unwrap();
    assert_eq!(verdict(directory.checkpoint().unwrap_err()), Verdict::Tampered);
    std::fs::remove_file(dir.path().join("checkpoint")).unwrap();
    std::fs::create_dir(dir.path().join("checkpoint")).unwrap();
    assert_eq!(verdict(directory.checkpoint().unwrap_err()), Verdict::Unusable);
    assert!(Directory::open(dir.path().join("nothing")).is_err());
    assert!(Archive::open(&dir.path().join("nothing.zip")).is_err());
}

#[test]
fn a_table_is_found_by_its_digest_and_by_nothing_else() {
    let files = Log::new().export();
    let dir = tempfile::tempdir().unwrap();
    files.write_to(dir.path());
    std::fs::write(dir.path().join("secret.toml"), "x").unwrap();
    let directory = Directory::open(dir.path()).unwrap();
    let digest = crate::audit::sample::small_table().digest().to_owned();
    assert!(directory.table(&digest).unwrap().is_some());
    let upper = digest.to_uppercase().replace("SHA256", "sha256");
    for other in ["sha256:../secret", "sha256:", "secret", upper.as_str()] {
        assert_eq!(directory.table(other).unwrap(), None, "{other}");
    }
}

#[test]
fn a_damaged_archive_is_no_panic() {
    let Files(files, _) = Log::busy(1).export();
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    let whole = archive(&files);
    for at in (0..whole.len()).step_by(whole.len() / 199) {
        let mut zip = whole.clone();
        zip[at] ^= 0x55;
        if let Ok(archive) = Archive::new(Cursor::new(zip)) {
            let _ = archive.checkpoint();
            let _ = archive.bundle(BundleId { index: 0, width: 21 });
            let _ = archive.details().map(|details| details.map(Iterator::count));
        }
    }
}
