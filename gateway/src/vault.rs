//! The vault: sealed media and their envelopes, in an object store.
//!
//! What somebody who controls it can do: destroy or withhold recordings. They cannot read one (the
//! media key is wrapped for the customer alone), nor alter one unnoticed (every segment is
//! authenticated, and the trail holds the hash of the whole).
//!
//! In a local directory, media of up to a mebibyte lie in packs with their envelopes, and the
//! recording's row says at which [`Place`]. A recording without a place is two objects under its random id: `….sealed`, and
//! `….json`, the envelope; larger media are kept so, as everything in S3 would be. Without an envelope nobody can open
//! the media: that is the state of everything that is not accepted.

mod disk;
mod frame;
pub mod inventory;
mod medium;
mod packs;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::BTreeMap;
use std::future::ready;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use disk::Disk;
pub use frame::{Frames, HEAD, Head, Kind, NoPlace, Place};
use inventory::{InventoryError, Item};
use medium::Directory;
pub use medium::{Folder, Identity, Medium};
use packs::Packs;
use trail::chain::Chain;
use trail::clock::Clock;
use waiting::Waiting;

/// Where media are kept.
#[derive(Debug, Clone)]
pub struct Vault {
    store: Arc<dyn ObjectStore>,
    packs: Packs,
    disk: Disk,
    /// What waits in memory, of all uploads.
    memory: Arc<waiting::Budget>,
}

impl Vault {
    /// A vault in a local directory, which is made if needed. What it acknowledges is synced. If fewer than
    /// `low_water` bytes are free, it takes nothing more. Of all that comes in at once, about `memory` sealed bytes
    /// wait in memory. The clock says when packs were written.
    ///
    /// # Errors
    ///
    /// If the directory cannot be made or used.
    pub fn local(root: &Path, low_water: u64, memory: usize, clock: Clock) -> Result<Vault, VaultError> {
        let disk = Disk::new(root, low_water)?;
        let store = LocalFileSystem::new_with_prefix(root)?.with_fsync(true);
        let packs =
            Packs::new(Arc::new(Directory::new(root.join(MEDIA).join(PACKS), Some(disk.clone()))), clock);
        Ok(Vault { store: Arc::new(store), packs, disk, memory: waiting::Budget::new(memory) })
    }

    /// Begins to write sealed media.
    #[must_use]
    pub fn begin(&self, id: Uuid) -> Incoming {
        Incoming {
            vault: self.clone(),
            id,
            waiting: Waiting::new(Arc::clone(&self.memory)),
            upload: None,
            written: None,
            taken: false,
        }
    }

    /// Some of the sealed media of a recording, the end exclusive.
    ///
    /// # Errors
    ///
    /// If the store does not have them, or not so many.
    pub async fn read(&self, kept: &Kept, range: std::ops::Range<u64>) -> Result<Bytes, VaultError> {
        let id = kept.id;
        match kept.place {
            None => Ok(self.store.get_range(&media_key(id), range).await?),
            Some(place) => self.aside(move |packs| packs.read(id, &place, &range)).await.map(Bytes::from),
        }
    }

    /// How many bytes of sealed media the store holds of a recording.
    ///
    /// # Errors
    ///
    /// If the store does not have them.
    pub async fn size(&self, kept: &Kept) -> Result<u64, VaultError> {
        let id = kept.id;
        match kept.place {
            None => Ok(self.store.head(&media_key(id)).await?.size),
            Some(place) => self.aside(move |packs| packs.size(id, &place)).await,
        }
    }

    /// The envelope that lies beside the media of a recording; `None` if none does, or what is left of one.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub async fn envelope(&self, kept: &Kept) -> Result<Option<String>, VaultError> {
        let id = kept.id;
        if let Some(place) = kept.place {
            return self.aside(move |packs| packs.envelope(id, &place)).await;
        }
        match self.store.get(&envelope_key(id)).await {
            Ok(found) => {
                let text = found.bytes().await?;
                Ok((text != TOMBSTONE).then(|| String::from_utf8_lossy(&text).into_owned()))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Everything that the store holds, as it shows it by itself, from a thread that reads it.
    #[must_use]
    pub fn items(&self) -> mpsc::Receiver<Result<Item, InventoryError>> {
        let (send, items) = mpsc::channel(LOOKED_AHEAD);
        let inventory = self.disk.inventory();
        // It ends when nobody wants to know any more.
        drop(tokio::task::spawn_blocking(move || {
            let read = inventory.each(|item| drop(send.blocking_send(Ok(item))));
            if let Err(error) = read {
                drop(send.blocking_send(Err(error)));
            }
        }));
        items
    }

    /// Writes the envelope of a recording, durably. Writing the same again is harmless.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub async fn put_envelope(&self, kept: &Kept, envelope: String) -> Result<(), VaultError> {
        match kept.place {
            None => {
                self.store.put(&envelope_key(kept.id), PutPayload::from(envelope)).await?;
                Ok(())
            }
            Some(place) => self.packs.fill(kept.id, place, envelope).await.map_err(VaultError::Pack),
        }
    }

    /// Makes a recording unreadable and removes it: first the envelope, overwritten by a
    /// tombstone since removals are not synced, then the media. May be repeated.
    ///
    /// # Errors
    ///
    /// If the store fails; the recording is unreadable once the first step is done.
    pub async fn remove(&self, kept: &Kept) -> Result<(), VaultError> {
        let id = kept.id;
        if let Some(place) = kept.place {
            return self.aside(move |packs| packs.remove(id, &place)).await;
        }
        let envelope = envelope_key(id);
        let bury = || self.store.put(&envelope, PutPayload::from_static(TOMBSTONE));
        if let Err(error) = bury().await {
            tracing::warn!(error = %error, "could not write a tombstone; removing the media first, in case the disk is full");
            self.discard(kept).await?;
            bury().await?;
        }
        // At this point the wrapped keys are gone for good; a crash leaves media nobody can open.
        self.discard(kept).await
    }

    /// Does the same with many: those in one pack become durable together. What became of each, in their order.
    pub async fn remove_all(&self, all: &[Kept]) -> Vec<Result<(), VaultError>> {
        let mut packed: BTreeMap<Uuid, Vec<(usize, Uuid, Place)>> = BTreeMap::new();
        let mut removed: Vec<Result<(), VaultError>> = Vec::with_capacity(all.len());
        for (index, kept) in all.iter().enumerate() {
            removed.push(match kept.place {
                Some(place) => {
                    packed.entry(place.pack).or_default().push((index, kept.id, place));
                    Ok(())
                }
                None => self.remove(kept).await,
            });
        }
        for (pack, here) in packed {
            let places: Vec<(Uuid, Place)> = here.iter().map(|(_, id, place)| (*id, *place)).collect();
            let done = self.aside(move |packs| Ok(packs.remove_all(pack, &places))).await;
            let done = done.unwrap_or_else(|error| {
                let told = Chain(&error).to_string();
                here.iter().map(|_| Err(std::io::Error::other(told.clone()))).collect()
            });
            for ((index, ..), done) in here.iter().zip(done) {
                if let Some(removed) = removed.get_mut(*index) {
                    *removed = done.map_err(VaultError::Pack);
                }
            }
        }
        removed
    }

    /// Removes media that were never accepted.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub async fn discard(&self, kept: &Kept) -> Result<(), VaultError> {
        let id = kept.id;
        if let Some(place) = kept.place {
            return self.aside(move |packs| packs.discard(id, &place)).await;
        }
        match self.store.delete(&media_key(id)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The media that were written before this moment.
    pub fn older_than(&self, before: Timestamp) -> impl Stream<Item = Result<Kept, VaultError>> + Unpin {
        let objects = self.store.list(Some(&Key::from(MEDIA)));
        let objects = objects.map_err(VaultError::from).try_filter_map(move |object| {
            let name = object.location.filename().and_then(|name| name.strip_suffix(SEALED)?.parse().ok());
            let is_old = object.last_modified.timestamp_millis() < before.as_millisecond();
            ready(Ok(name.filter(|_| is_old).map(|id| Kept { id, place: None })))
        });
        let packs = stream::once(self.aside(|packs| packs.list()));
        let packs =
            packs.map_ok(|packs| stream::iter(packs.into_iter().map(Ok::<_, VaultError>))).try_flatten();
        let packed = packs.and_then(move |pack| async move {
            let found = self.aside(move |packs| packs.older_than(before, pack)).await;
            Ok(found.unwrap_or_else(|error| {
                tracing::error!(error = %Chain(&error), %pack, "a pack cannot be read");
                Vec::new()
            }))
        });
        let packed = packed.map_ok(|found| {
            stream::iter(found.into_iter().map(|(id, place)| Ok(Kept { id, place: Some(place) })))
        });
        objects.chain(packed.try_flatten()).boxed()
    }

    /// Works on packs, on a thread that may wait for the disk.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Packs) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, VaultError> {
        let packs = self.packs.clone();
        let done = tokio::task::spawn_blocking(move || work(&packs)).await;
        done.map_err(std::io::Error::other).flatten().map_err(VaultError::Pack)
    }

    /// Tests that there is room, and that it can be written.
    ///
    /// # Errors
    ///
    /// [`VaultError::Full`], or if the store fails.
    pub async fn probe(&self) -> Result<(), VaultError> {
        self.has_room()?;
        let key = Key::from_iter([MEDIA, PROBE]);
        self.store.put(&key, PutPayload::from_static(b"\n")).await?;
        match self.store.delete(&key).await {
            // Another gateway on the same store has tested it, too.
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Checks that there is room for more: sealed media must leave room for the trail, and for whatever else
    /// is on the disk.
    ///
    /// # Errors
    ///
    /// [`VaultError::Full`], or if it cannot be determined.
    pub fn has_room(&self) -> Result<(), VaultError> {
        self.disk.has_room()
    }

    /// Removes what uploads left that broke off before this moment, which no listing of the store shows.
    ///
    /// # Errors
    ///
    /// If they cannot be listed or removed.
    pub async fn sweep_parts(&self, before: Timestamp) -> Result<(), VaultError> {
        // A large directory takes long: it is read on a thread of its own, until the caller is gone.
        let (disk, stop) = (self.disk.clone(), CancellationToken::new());
        let _asked = stop.clone().drop_guard();
        let swept = tokio::task::spawn_blocking(move || disk.sweep_parts(before, &stop)).await;
        let mut tidied =
            swept.unwrap_or_else(|error| Err(VaultError::Directory(std::io::Error::other(error))));
        for pack in self.aside(|packs| packs.list()).await? {
            // If one cannot be tidied, the others are tidied all the same.
            tidied = tidied.and(self.aside(move |packs| packs.tidy(before, pack)).await);
        }
        tidied
    }
}

/// A recording's media in the store: under its id, or at a place in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The recording's id.
    pub id: Uuid,
    /// Where it lies, if it is in a pack.
    pub place: Option<Place>,
}

/// Sealed media on their way in. Up to a mebibyte waits in memory and goes into a pack at once. More of it, or less
/// where many uploads come in together, becomes an object of its own, part by part.
pub struct Incoming {
    vault: Vault,
    id: Uuid,
    waiting: Waiting,
    // Held by one owner only; the mutex makes it shareable between threads, and is never waited on.
    upload: Option<Mutex<Box<dyn MultipartUpload>>>,
    written: Option<Kept>,
    taken: bool,
}

impl Incoming {
    /// The buffer to append sealed bytes to; call [`Incoming::flush`] after.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        self.waiting.buffer()
    }

    /// Writes what is waiting, once there is enough of it.
    ///
    /// # Errors
    ///
    /// If the store fails; then [`Incoming::abandon`].
    pub async fn flush(&mut self) -> Result<(), VaultError> {
        if !self.waiting.is_due() {
            return Ok(());
        }
        self.vault.has_room()?;
        let upload = match self.upload.as_mut() {
            Some(upload) => upload,
            None => {
                let upload = self.vault.store.put_multipart(&media_key(self.id)).await?;
                self.upload.insert(Mutex::new(upload))
            }
        };
        let written = sole(upload).put_part(PutPayload::from(self.waiting.part())).await;
        self.waiting.written();
        Ok(written?)
    }

    /// Writes the rest, with room for an envelope of so many bytes. Once this returns, the media are durable. It may
    /// be asked again.
    ///
    /// # Errors
    ///
    /// If the store fails; then [`Incoming::abandon`].
    pub async fn finish(&mut self, envelope: usize) -> Result<Kept, VaultError> {
        if let Some(written) = self.written {
            return Ok(written);
        }
        if std::mem::replace(&mut self.taken, true) {
            return Err(VaultError::Pack(std::io::Error::other(
                "an earlier attempt to write these media failed",
            )));
        }
        let place = match self.upload.as_mut() {
            None => {
                let place = self.vault.packs.append(self.id, self.waiting.whole(), envelope).await;
                self.waiting.written();
                Some(place.map_err(VaultError::Pack)?)
            }
            Some(upload) => {
                let rest = self.waiting.part();
                if !rest.is_empty() {
                    sole(upload).put_part(PutPayload::from(rest)).await?;
                }
                sole(upload).complete().await?;
                self.upload = None;
                None
            }
        };
        Ok(*self.written.insert(Kept { id: self.id, place }))
    }

    /// Removes all of it, written or not.
    pub async fn abandon(mut self) {
        drop(self.waiting.whole());
        let aborted = match self.upload.as_mut() {
            Some(upload) => sole(upload).abort().await.map_err(VaultError::from),
            None => Ok(()),
        };
        let kept = self.written.unwrap_or(Kept { id: self.id, place: None });
        if let Err(error) = aborted.and(self.vault.discard(&kept).await) {
            // It is sealed under a forgotten key: nobody can open it, and the next start sweeps it.
            tracing::warn!(%error, "could not remove the sealed media of a refused upload yet");
        }
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The store failed.
    #[error("the recording store failed")]
    Store(#[from] object_store::Error),
    /// The disk is full, except for the space that is kept free.
    #[error(
        "only {free} bytes are free where recordings are kept, and `upload.low_water_bytes` is {low_water}"
    )]
    Full {
        /// How many bytes are free.
        free: u64,
        /// How many have to be.
        low_water: u64,
    },
    /// A pack failed.
    #[error("a pack of the recording store cannot be read or written")]
    Pack(#[source] std::io::Error),
    /// The directory cannot be used.
    #[error("the recording store's directory cannot be used")]
    Directory(#[source] std::io::Error),
}

fn sole(upload: &mut Mutex<Box<dyn MultipartUpload>>) -> &mut Box<dyn MultipartUpload> {
    upload.get_mut().unwrap_or_else(PoisonError::into_inner)
}

fn media_key(id: Uuid) -> Key {
    let name = id.simple().to_string();
    Key::from_iter([MEDIA, name.get(30..).unwrap_or("00"), &format!("{name}{SEALED}")])
}

fn envelope_key(id: Uuid) -> Key {
    let name = id.simple().to_string();
    Key::from_iter([MEDIA, name.get(30..).unwrap_or("00"), &format!("{name}.json")])
}

const MEDIA: &str = "media";
const PACKS: &str = "packs";
const SEALED: &str = ".sealed";
/// How many items wait for whoever looks through the store.
const LOOKED_AHEAD: usize = 1_000;
const PROBE: &str = "probe";
const TOMBSTONE: &[u8] = b"{\"deleted\":true}\n";
