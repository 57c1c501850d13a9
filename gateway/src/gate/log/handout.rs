//! A log as files, which auditors can take away and verify without us.
//!
//! The layout is that of the served log (C2SP tlog-tiles), with the older heads that were kept, every table
//! that ever decided and, on request, the details that still exist.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::anchor::TIMESTAMP;
use crate::gate::{Fault, Gate};
use crate::ledger::{Epoch, Question};
use crate::notary::{Proofs, SignedHead};
use trail::tile::{self, WIDTH};
use trail::{Actor, Body};

/// The target of an export: a new directory, or an archive.
pub struct Sink(To);

enum To {
    Directory { root: PathBuf, open: Option<BufWriter<File>> },
    Archive(Box<ZipWriter<File>>),
}

impl Sink {
    /// A target at this path: an archive if it ends with `.zip`, otherwise a directory.
    ///
    /// # Errors
    ///
    /// If it already exists, or cannot be made.
    pub fn create(path: &Path) -> io::Result<Sink> {
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip")) {
            return Ok(Sink(To::Archive(Box::new(ZipWriter::new(File::create_new(path)?)))));
        }
        fs::create_dir(path)?;
        Ok(Sink(To::Directory { root: path.into(), open: None }))
    }

    /// Begins a file.
    fn begin(&mut self, path: &str) -> io::Result<()> {
        match &mut self.0 {
            To::Directory { root, open } => {
                if let Some(mut file) = open.take() {
                    file.flush()?;
                }
                let path = root.join(path);
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent)?;
                }
                *open = Some(BufWriter::new(File::create_new(path)?));
                Ok(())
            }
            To::Archive(archive) => archive
                .start_file(path, SimpleFileOptions::default().large_file(true))
                .map_err(io::Error::other),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            To::Directory { open: Some(file), .. } => file.write_all(bytes),
            To::Directory { open: None, .. } => Err(io::Error::other("no file was started")),
            To::Archive(archive) => archive.write_all(bytes),
        }
    }

    fn put(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.begin(path)?;
        self.write(bytes)
    }

    /// Ends the export.
    fn finish(self) -> io::Result<()> {
        match self.0 {
            To::Directory { open, .. } => open.map_or(Ok(()), |mut file| file.flush()),
            To::Archive(archive) => archive.finish().map_err(io::Error::other)?.sync_all(),
        }
    }
}

/// Why an export failed.
#[derive(Debug)]
pub enum HandoutError {
    /// The gate refused or failed.
    Fault(Fault),
    /// The export cannot be written.
    Io(io::Error),
}

impl<T: Into<Fault>> From<T> for HandoutError {
    fn from(fault: T) -> HandoutError {
        HandoutError::Fault(fault.into())
    }
}

impl From<io::Error> for HandoutError {
    fn from(error: io::Error) -> HandoutError {
        HandoutError::Io(error)
    }
}

impl Gate {
    /// Writes an epoch of a log into `sink`, with or without details, up to the newest head that a witness
    /// has recently cosigned or, without one, up to the newest head. The export is logged first.
    ///
    /// # Errors
    ///
    /// [`HandoutError`]: nothing was signed yet, or a file cannot be written.
    pub async fn hand_out(
        &self,
        actor: &Actor,
        at: &Epoch,
        details: bool,
        mut sink: Sink,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<SignedHead, HandoutError> {
        let form = if details { "log-with-details" } else { "log" };
        let body = Body::Exported { form: form.into(), of: None, recording: None };
        self.note(actor, &at.log, body, None, Vec::new(), Vec::new()).await?;
        let newest = self.covering_head(at).await?;
        // An epoch that has ended has a last head.
        let current = self.ledger.head(&at.log).await?.is_some_and(|head| head.epoch == at.epoch);
        let witnessed = if current { self.witnessed_head(at, newest.size).await? } else { None };
        let head = witnessed.unwrap_or(newest);
        let covered = |size: i64| u64::try_from(size).is_ok_and(|size| size <= head.size);
        sink.put("checkpoint", head.note.to_string().as_bytes())?;
        for row in self.ledger.checkpoints(at).await?.iter().filter(|row| row.kept && covered(row.size)) {
            sink.put(&format!("checkpoints/{}", row.size), row.note.as_bytes())?;
        }
        for anchor in self.ledger.anchors(at).await?.iter().filter(|anchor| anchor.kind == TIMESTAMP) {
            if !covered(anchor.size) {
                continue;
            }
            let name: String =
                anchor.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
            sink.put(&format!("anchors/{}-{name}.tsr", anchor.size), &anchor.evidence)?;
        }
        for (digest, text) in self.ledger.tables().await? {
            let hex = digest.strip_prefix("sha256:").unwrap_or(&digest);
            sink.put(&format!("tables/{hex}.toml"), text.as_bytes())?;
        }
        let proofs = Proofs::new(&self.ledger, at, head.size);
        for tile in tile::tiles_of(head.size) {
            let hashes = proofs.tile(&tile).await?;
            let hashes = hashes.ok_or_else(|| Fault::damaged("hashes of a tile are missing"))?;
            sink.put(&tile.path(), &hashes.concat())?;
        }
        for bundle in tile::bundles_of(head.size) {
            let from = bundle.index.saturating_mul(WIDTH);
            let until = from.saturating_add(u64::from(bundle.width));
            let leaves = self.ledger.leaves(at, from, until).await?;
            let bytes = tile::write_bundle(leaves.iter().map(|(leaf, _)| leaf.as_slice()));
            sink.put(&bundle.path(), &bytes.ok_or_else(|| Fault::damaged("entries are missing"))?)?;
            progress(until, head.size);
        }
        if details {
            self.put_details(at, head.size, &mut sink).await?;
        }
        sink.finish()?;
        Ok(head)
    }

    /// The newest head, once it covers everything logged before this call: a running gateway signs within a
    /// second. An exported log `system` therefore proves that no other table was in force until then.
    async fn covering_head(&self, at: &Epoch) -> Result<SignedHead, Fault> {
        let logged = self.ledger.head(&at.log).await?.filter(|head| head.epoch == at.epoch);
        let logged = logged.map_or(0, |head| head.edge.size());
        let mut newest = self.signed_head(at).await?;
        for _ in 0..LOOKS {
            if newest.size >= logged {
                break;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
            newest = self.signed_head(at).await?;
        }
        Ok(newest)
    }

    async fn put_details(&self, at: &Epoch, size: u64, sink: &mut Sink) -> Result<(), HandoutError> {
        sink.begin("details.jsonl")?;
        let mut question =
            Question { log: at.log.clone(), after: Some((at.epoch, -1)), ..Question::default() };
        loop {
            let rows = self.ledger.entries(&question, PAGE).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            question.after = Some((last.epoch, last.seq));
            for row in &rows {
                if row.epoch != at.epoch || u64::try_from(row.seq).unwrap_or(0) >= size {
                    return Ok(());
                }
                if let (Some(salt), Some(document)) = (&row.salt, &row.document) {
                    let line = json!({"index": row.seq, "salt": trail::hex(salt), "document": document});
                    sink.write(format!("{line}\n").as_bytes())?;
                }
            }
        }
    }
}

const PAGE: u32 = 1_000;

/// How many times to look whether a gateway has signed, and how long to wait in between.
const LOOKS: u32 = 30;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
