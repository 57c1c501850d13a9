//! What a store holds, as the store alone shows it: no ledger and no gateway is needed.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::frame::{Frames, HEAD, Head, Kind, Place};
use super::medium::{Directory, Folder as _, Medium};
use super::{MEDIA, PACKS, SEALED, TOMBSTONE};
use seal::Envelope;

/// A store, to be looked at.
#[derive(Debug)]
pub struct Inventory {
    /// The directory of the media.
    media: PathBuf,
}

/// A recording in a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Its id.
    pub recording: Uuid,
    /// What is there of it.
    pub state: State,
    /// How many bytes of sealed media are there.
    pub bytes: u64,
    /// Whose it is, by its envelope.
    pub account: Option<String>,
    /// The media type of the audio, by its envelope.
    pub content_type: Option<String>,
    /// Where it lies: a pack and the place in it, or a file.
    pub place: String,
}

/// What is there of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Media, and their envelope.
    Whole,
    /// Media without an envelope, which nobody can open: it was not accepted, or not yet completed.
    Sealed,
    /// An envelope without media, or one that does not match them.
    Damaged,
    /// A tombstone.
    Deleted,
}

impl Item {
    /// Whether it lies in a file of its own.
    #[must_use]
    pub fn is_a_file(&self) -> bool {
        self.place.ends_with(SEALED)
    }
}

impl State {
    /// In a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Whole => "whole",
            State::Sealed => "sealed",
            State::Damaged => "damaged",
            State::Deleted => "deleted",
        }
    }
}

/// What was extracted of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Extracted {
    /// The file of the sealed media.
    pub media: PathBuf,
    /// The file of the envelope.
    pub envelope: PathBuf,
    /// Whose it is.
    pub account: String,
    /// Its id.
    pub recording: Uuid,
}

/// Why a store cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// There is none.
    #[error(
        "`{}` is not a store of recordings: name the data directory of a gateway, or the `media` in it", .0.display()
    )]
    NoStore(PathBuf),
    /// The recording is not in it.
    #[error("recording {0} is not in this store; `store list` shows what is")]
    Unknown(Uuid),
    /// It cannot be opened by anybody.
    #[error("recording {0} cannot be extracted: {1}")]
    Lacking(Uuid, &'static str),
    /// Something cannot be read or written.
    #[error("`{}` cannot be read or written", path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Inventory {
    /// The store in this directory: the data directory of a gateway, or the `media` in it.
    ///
    /// # Errors
    ///
    /// [`InventoryError::NoStore`].
    pub fn of(dir: &Path) -> Result<Inventory, InventoryError> {
        let below = dir.join(MEDIA);
        let is_media = |dir: &Path| dir.is_dir() && (dir.ends_with(MEDIA) || dir.join(PACKS).is_dir());
        let media = [below.as_path(), dir].into_iter().find(|dir| is_media(dir));
        let media = media.ok_or_else(|| InventoryError::NoStore(dir.into()))?.into();
        Ok(Inventory { media })
    }

    /// The store in this directory of media, which need not be there yet.
    pub(super) fn below(media: PathBuf) -> Inventory {
        Inventory { media }
    }

    /// Shows every recording.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn each(&self, mut show: impl FnMut(Item)) -> Result<(), InventoryError> {
        self.find(|_| true, &mut |found| show(found.item()))
    }

    /// Writes a recording's sealed media and envelope to files that `open` takes: `ID.sealed` and `ID.json` in this
    /// directory, which is made if needed. Existing files are not overwritten.
    ///
    /// # Errors
    ///
    /// [`InventoryError`]: it is not there, not whole, or cannot be written.
    pub fn extract(&self, recording: Uuid, out: &Path) -> Result<Extracted, InventoryError> {
        let (mut whole, mut other) = (None, None);
        let read = self.find(|id| id == recording, &mut |found| {
            let state = found.item().state;
            if state == State::Whole && whole.is_none() {
                whole = Some(found);
            } else {
                other = other.or(Some(state));
            }
        });
        let Some(found) = whole else {
            read?;
            return Err(match other {
                None => InventoryError::Unknown(recording),
                Some(State::Deleted) => InventoryError::Lacking(recording, "it was deleted"),
                Some(State::Sealed) => InventoryError::Lacking(
                    recording,
                    "it has no envelope in the store, so nobody can open it; if the ledger has one, the next \
                     start of the gateway writes it",
                ),
                Some(State::Whole | State::Damaged) => {
                    InventoryError::Lacking(recording, "its envelope does not match its media")
                }
            });
        };
        let written = |path: &Path| {
            let path = path.to_path_buf();
            |source| InventoryError::Io { path, source }
        };
        std::fs::create_dir_all(out).map_err(written(out))?;
        let [media, envelope] =
            ["sealed", "json"].map(|extension| out.join(format!("{recording}.{extension}")));
        let (text, read) = found.envelope.clone().unwrap_or_default().text();
        let Some(read) = read else {
            return Err(InventoryError::Lacking(recording, "its envelope cannot be read"));
        };
        let mut file = File::create_new(&media).map_err(written(&media))?;
        let copied = found.copy(&mut file).map_err(written(&media)).and_then(|hash| {
            if hash != read.sha256 {
                let why = "its media were changed: their hash does not match the envelope";
                return Err(InventoryError::Lacking(recording, why));
            }
            let mut file = File::create_new(&envelope).map_err(written(&envelope))?;
            file.write_all(text.as_bytes()).map_err(written(&envelope))
        });
        if let Err(error) = copied {
            // Half of a recording is of no use, and would be in the way of the next attempt.
            std::fs::remove_file(&media).map_err(written(&media))?;
            return Err(error);
        }
        Ok(Extracted { media, envelope, account: read.account, recording })
    }

    /// Finds the recordings with these ids, in packs and in files.
    fn find(&self, wanted: impl Fn(Uuid) -> bool, seen: &mut dyn FnMut(Found)) -> Result<(), InventoryError> {
        let at = |path: &Path| {
            let path = path.to_path_buf();
            |source| InventoryError::Io { path, source }
        };
        let packs = Directory::new(self.media.join(PACKS), None);
        let mut unread = Ok(());
        for pack in packs.list().map_err(at(&self.media))? {
            // If one pack cannot be read, the others are read all the same.
            let read = self.find_in(&packs, pack, &wanted, seen);
            unread = unread.and(read);
        }
        for shard in directories(&self.media).map_err(at(&self.media))? {
            let read = find_files(&shard, &wanted, seen);
            unread = unread.and(read);
        }
        unread
    }

    fn find_in(
        &self,
        packs: &Directory,
        pack: Uuid,
        wanted: &impl Fn(Uuid) -> bool,
        seen: &mut dyn FnMut(Found),
    ) -> Result<(), InventoryError> {
        let path = self.media.join(PACKS).join(format!("{pack}.pack"));
        let at = |source| InventoryError::Io { path: path.clone(), source };
        let medium = packs.open(pack).map_err(at)?;
        let mut beside = None;
        for frame in Frames::of(&*medium).map_err(at)? {
            let (offset, head) = frame.map_err(at)?;
            // It was reported with its media.
            if beside.take() == Some(offset) && head.kind != Kind::Media {
                continue;
            }
            let place = head.place(pack, offset);
            let media = (head.kind == Kind::Media).then(|| Media::Packed(Arc::clone(&medium), place));
            beside = media.as_ref().map(|_| place.envelope());
            if wanted(head.recording) {
                let envelope = framed(&*medium, beside.unwrap_or(offset), head.recording).map_err(at)?;
                let place = format!("{pack}/{offset}");
                seen(Found { recording: head.recording, media, envelope, place });
            }
        }
        Ok(())
    }
}

/// Finds the recordings in a directory of files.
fn find_files(
    shard: &Path,
    wanted: &impl Fn(Uuid) -> bool,
    seen: &mut dyn FnMut(Found),
) -> Result<(), InventoryError> {
    let at = |path: &Path| {
        let path = path.to_path_buf();
        |source| InventoryError::Io { path, source }
    };
    let mut ids = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(shard).map_err(at(shard))? {
        let name = entry.map_err(at(shard))?.file_name();
        let id = name.to_str().and_then(|name| {
            let id = name.strip_suffix(SEALED).or_else(|| name.strip_suffix(ENVELOPE))?;
            id.parse::<Uuid>().ok()
        });
        ids.extend(id.filter(|id| wanted(*id)));
    }
    for recording in ids {
        let name = recording.simple().to_string();
        let path = |extension: &str| shard.join(format!("{name}{extension}"));
        let (media, envelope) = (path(SEALED), path(ENVELOPE));
        let place = media.display().to_string();
        let text = if envelope.is_file() {
            let mut text = Vec::new();
            let file = File::open(&envelope).map_err(at(&envelope))?;
            file.take(LONGEST as u64).read_to_end(&mut text).map_err(at(&envelope))?;
            Some(text)
        } else {
            None
        };
        let envelope = text.map(|text| match text.as_slice() {
            TOMBSTONE => Beside::Tombstone,
            text => Beside::Envelope(String::from_utf8_lossy(text).into_owned()),
        });
        let media = media.is_file().then_some(Media::File(media));
        seen(Found { recording, media, envelope, place });
    }
    Ok(())
}

/// What lies in a store of a recording.
struct Found {
    recording: Uuid,
    media: Option<Media>,
    envelope: Option<Beside>,
    place: String,
}

enum Media {
    Packed(Arc<dyn Medium>, Place),
    File(PathBuf),
}

/// What lies beside the media.
#[derive(Clone, Default)]
enum Beside {
    Envelope(String),
    #[default]
    Tombstone,
}

impl Beside {
    fn text(self) -> (String, Option<Envelope>) {
        match self {
            Beside::Tombstone => Default::default(),
            Beside::Envelope(text) => {
                let read = serde_json::from_str(&text).ok();
                (text, read)
            }
        }
    }
}

impl Found {
    fn item(&self) -> Item {
        let bytes = match &self.media {
            None => 0,
            Some(Media::Packed(medium, place)) => {
                let begin = place.media(&(0..0)).start;
                medium.length().map_or(0, |len| place.bytes.min(len.saturating_sub(begin)))
            }
            Some(Media::File(path)) => path.metadata().map_or(0, |found| found.len()),
        };
        let envelope = self.envelope.clone().and_then(|beside| beside.text().1);
        let state = match (&self.media, &self.envelope, &envelope) {
            (_, Some(Beside::Tombstone), _) => State::Deleted,
            (Some(_), None, _) => State::Sealed,
            (Some(_), Some(_), Some(envelope))
                if envelope.bytes == bytes
                    && envelope.recording.parse::<Uuid>().is_ok_and(|id| id == self.recording) =>
            {
                State::Whole
            }
            (None | Some(_), _, _) => State::Damaged,
        };
        let (account, content_type) = envelope.map(|known| (known.account, known.content_type)).unzip();
        Item { recording: self.recording, state, bytes, account, content_type, place: self.place.clone() }
    }

    /// Copies the media; their hash.
    fn copy(&self, out: &mut File) -> io::Result<[u8; 32]> {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 18];
        let mut copy = |at: u64, source: &dyn Medium, end: u64| {
            let mut at = at;
            while at < end {
                let wanted = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
                let some = source.read_at(buffer.get_mut(..wanted).unwrap_or_default(), at)?;
                if some == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                }
                let read = buffer.get(..some).unwrap_or_default();
                hash.update(read);
                out.write_all(read)?;
                at += some as u64;
            }
            Ok(())
        };
        match &self.media {
            None => {}
            Some(Media::Packed(medium, place)) => {
                let range = place.media(&(0..place.bytes));
                copy(range.start, &**medium, range.end)?;
            }
            Some(Media::File(path)) => {
                let file = File::open(path)?;
                let end = file.metadata()?.len();
                copy(0, &file, end)?;
            }
        }
        Ok(hash.finalize().into())
    }
}

/// The envelope or tombstone of a recording in the frame that begins here, if it is whole.
fn framed(medium: &dyn Medium, offset: u64, recording: Uuid) -> io::Result<Option<Beside>> {
    let Some(head) = Head::read_at(medium, offset)?.filter(|head| head.recording == recording) else {
        return Ok(None);
    };
    match head.kind {
        Kind::Media => Ok(None),
        Kind::Tombstone => Ok(Some(Beside::Tombstone)),
        Kind::Envelope => {
            let length = usize::try_from(head.bytes).map_err(io::Error::other)?;
            let mut text = vec![0; length.min(LONGEST)];
            let there = medium.read_at(&mut text, offset.saturating_add(HEAD as u64))?;
            let is_whole = there == length && Sha256::digest(&text).as_slice() == head.sha256;
            Ok(is_whole.then(|| Beside::Envelope(String::from_utf8_lossy(&text).into_owned())))
        }
    }
}

/// The envelope in the frame that begins here, if it is whole and no tombstone.
pub(super) fn envelope(medium: &dyn Medium, offset: u64, recording: Uuid) -> io::Result<Option<String>> {
    Ok(match framed(medium, offset, recording)? {
        Some(Beside::Envelope(text)) => Some(text),
        Some(Beside::Tombstone) | None => None,
    })
}

/// The subdirectories of files.
fn directories(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() && entry.file_name().len() == 2 {
            found.push(entry.path());
        }
    }
    found.sort_unstable();
    Ok(found)
}

const ENVELOPE: &str = ".json";
/// No envelope is longer.
const LONGEST: usize = 16 << 20;
