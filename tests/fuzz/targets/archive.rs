//! Zip files as they come: a proof pack, or an exported log.
#![no_main]

use std::io::Cursor;

use fuzz::{base, genuine, memory};
use trail::audit::pack;
use trail::audit::source::Archive;
use trail::audit::verify::{Options, verify};

libfuzzer_sys::fuzz_target!(init: memory::allow(192 * memory::MIB), |bytes: &[u8]| {
    if let Ok(pack) = pack::read(Cursor::new(bytes))
        && let Ok(report) = pack::verify_pack(&pack, &base::trust(), None)
    {
        genuine::pack(&pack, &report);
    }
    if let Ok(archive) = Archive::new(Cursor::new(bytes.to_vec())) {
        let now = "2026-11-21T00:00:00Z".parse().expect("a time");
        let options = Options { since: None, law: None, stamp: None, now, progress: &|_, _| {} };
        if let Ok(report) = verify(&archive, &base::trust(), &options) {
            let base = base::base();
            let files = if report.size == base.leaves.len() as u64 { &base.log } else { &base.wide };
            genuine::log(&report, files);
        }
    }
});
