//! Proof packs whose files, parts or entries were changed.
#![no_main]

use std::io::Cursor;
use std::sync::LazyLock;

use fuzz::change::{self, Files};
use fuzz::{base, entries, genuine, memory};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use trail::audit::pack::{self, Entry, Pack, Parts, Subject};
use trail::audit::page::page;
use uuid::Uuid;

/// The packs as they were made, each with its files.
static PACKS: LazyLock<Vec<(&Files, Pack)>> =
    LazyLock::new(|| base::base().packs.iter().map(|files| (files, read(files))).collect());

libfuzzer_sys::fuzz_target!(init: memory::allow(192 * memory::MIB), |bytes: &[u8]| {
    let _ = run(&mut Unstructured::new(bytes));
});

fn run(by: &mut Unstructured<'_>) -> Result<()> {
    let (whole, pack) = by.choose(&PACKS)?;
    match by.int_in_range(0..=3)? {
        0 | 1 => {
            let mut files = (*whole).clone();
            for _ in 0..by.int_in_range(0..=6)? {
                change::files(&mut files, by)?;
            }
            if let Some(zip) = change::zipped(&files)
                && let Ok(pack) = pack::read(Cursor::new(zip))
            {
                by_a_stranger(&pack);
            }
        }
        2 => {
            if let Some(pack) = put_together_anew(pack, by)? {
                by_a_stranger(&again(pack, by)?);
            }
        }
        _ => by_the_holder_of_the_key(pack.clone(), by)?,
    }
    Ok(())
}

/// Whoever has no key can show nothing but what was signed.
fn by_a_stranger(pack: &Pack) {
    if let Ok(report) = pack::verify_pack(pack, &base::trust(), None) {
        genuine::pack(pack, &report);
    }
}

/// The same pack with its page, as somebody gets it who reads it.
fn again(mut pack: Pack, by: &mut Unstructured<'_>) -> Result<Pack> {
    pack.page = page(&pack).ok();
    if by.ratio(1, 8)?
        && let Some(files) = base::written(&pack)
    {
        let files = change::zipped(&files).expect("names of ours");
        if let Ok(read) = pack::read(Cursor::new(files)) {
            assert_eq!((&read.manifest, &read.page), (&pack.manifest, &pack.page));
            return Ok(read);
        }
    }
    Ok(pack)
}

/// The entries are signed, but everything around them is made by somebody else.
fn put_together_anew(pack: &Pack, by: &mut Unstructured<'_>) -> Result<Option<Pack>> {
    let log = &base::base().leaves;
    let mut entries = pack.entries.clone();
    for _ in 0..by.int_in_range(0..=4)? {
        match by.int_in_range(0..=3)? {
            0 if !entries.is_empty() => drop(entries.remove(by.choose_index(entries.len())?)),
            1 if !entries.is_empty() => {
                let at = by.choose_index(entries.len())?;
                entries[at].detail = None;
            }
            _ => {
                let index = by.choose_index(log.len())?;
                let detail = base::base().details.get(&(index as u64)).cloned();
                let proof = base::proofs(log)(index as u64);
                entries.push(Entry { index: index as u64, leaf: log[index].clone(), proof, detail });
            }
        }
    }
    let ids = ids();
    let mut calls = pack.manifest.calls.clone();
    if by.ratio(1, 4)? {
        calls.push(*by.choose(&ids)?);
    }
    let subject = match by.int_in_range(0..=7)? {
        0 => Subject::Recording(*by.choose(&ids)?),
        1 => Subject::Call(*by.choose(&ids)?),
        2 => absence(pack, vec![*by.choose(&ids)?]),
        _ => match (pack.manifest.recording, calls.as_slice()) {
            (Some(id), _) => Subject::Recording(id),
            (None, [call]) => Subject::Call(*call),
            (None, _) => absence(pack, calls),
        },
    };
    let mut stretch = pack.stretch.clone();
    if let Some(stretch) = &mut stretch
        && by.ratio(1, 4)?
        && !stretch.leaves.is_empty()
    {
        stretch.leaves.remove(by.choose_index(stretch.leaves.len())?);
    }
    let account = *by.choose(&["acme", "acme", "acme", "other"])?;
    let parts = Parts {
        entries,
        stretch,
        tables: pack.tables.clone(),
        prompts: pack.prompts.clone(),
        envelope: pack.envelope.clone().filter(|_| by.ratio(3, 4).unwrap_or(true)),
    };
    Ok(Pack::new(account, &subject, pack.manifest.made_at, pack.checkpoint.clone(), parts).ok())
}

/// Whoever has the key can sign what no gateway would log; it still has to be read to its end.
fn by_the_holder_of_the_key(mut pack: Pack, by: &mut Unstructured<'_>) -> Result<()> {
    let leaves = entries::changed(&base::base().leaves, by)?;
    let proofs = base::proofs(&leaves);
    let there = |entry: &Entry| Some((entry.index, leaves.get(usize::try_from(entry.index).ok()?)?.clone()));
    let entries = pack.entries.iter().filter_map(|entry| {
        let (index, leaf) = there(entry)?;
        Some(Entry { index, leaf, proof: proofs(index), detail: entry.detail.clone() })
    });
    let entries = entries.collect();
    if let Some(stretch) = &mut pack.stretch {
        let first = usize::try_from(stretch.first).unwrap_or(0).min(leaves.len());
        stretch.leaves = leaves[first..].to_vec();
    }
    let subject = match pack.manifest.recording {
        Some(id) => Subject::Recording(id),
        None if pack.stretch.is_some() => absence(&pack, pack.manifest.calls.clone()),
        None => Subject::Call(pack.manifest.calls[0]),
    };
    let (stretch, tables, prompts) = (pack.stretch, pack.tables, pack.prompts);
    let parts = Parts { entries, stretch, tables, prompts, envelope: pack.envelope };
    if let Ok(pack) = Pack::new("acme", &subject, pack.manifest.made_at, base::head(&leaves), parts) {
        let _ = pack::verify_pack(&again(pack, by)?, &base::trust(), None);
    }
    Ok(())
}

fn read(files: &Files) -> Pack {
    pack::read(Cursor::new(change::zipped(files).expect("names of ours"))).expect("a pack of ours")
}

fn absence(pack: &Pack, calls: Vec<Uuid>) -> Subject {
    Subject::Absence { name: pack.manifest.call_id.clone().unwrap_or_default(), calls }
}

/// All calls and recordings.
fn ids() -> Vec<Uuid> {
    let ids =
        |(_, pack): &(_, Pack)| pack.manifest.calls.iter().copied().chain(pack.manifest.recording).collect();
    PACKS.iter().flat_map(|pack| -> Vec<Uuid> { ids(pack) }).collect()
}
