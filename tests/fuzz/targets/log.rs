//! Exported logs whose files or entries were changed.
#![no_main]

use std::io::Cursor;

use fuzz::change::{self, Files};
use fuzz::{base, entries, genuine, memory};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use trail::audit::source::Archive;
use trail::audit::verify::{Options, verify};
use trail::audit::{Failure, Report};

libfuzzer_sys::fuzz_target!(init: memory::allow(64 * memory::MIB), |bytes: &[u8]| {
    let _ = run(&mut Unstructured::new(bytes));
});

fn run(by: &mut Unstructured<'_>) -> Result<()> {
    let base = base::base();
    if by.arbitrary()? {
        let whole = if by.ratio(7, 8)? { &base.log } else { &base.wide };
        let mut files = whole.clone();
        for _ in 0..by.int_in_range(0..=6)? {
            change::files(&mut files, by)?;
        }
        // Whoever has no key can show nothing but what was signed.
        if let Some(Ok(report)) = verified(&files) {
            genuine::log(&report, whole);
        }
    } else {
        // Whoever has it can sign what no gateway would log; it still has to be read to its end.
        let leaves = entries::changed(&base.leaves, by)?;
        let files = base::export(&leaves);
        if let Some(Ok(report)) = verified(&files) {
            genuine::log(&report, &files);
        }
    }
    Ok(())
}

fn verified(files: &Files) -> Option<std::result::Result<Report, Failure>> {
    let archive = Archive::new(Cursor::new(change::zipped(files)?)).ok()?;
    let now = "2026-11-21T00:00:00Z".parse().expect("a time");
    let options = Options { since: None, law: None, stamp: None, now, progress: &|_, _| {} };
    Some(verify(&archive, &base::trust(), &options))
}
