//! Packs: files into which sealed media and their envelopes are appended, so that many uploads share one sync.
//!
//! A pack belongs to the process that made it, which holds its lock, and is never appended to after that process
//! has ended. One thread appends, fills in envelopes and syncs: whoever waits is answered by the first sync that began
//! after their write. Any process may read a pack, and write within the place of a recording: the envelope, and
//! the tombstone at its deletion.

use std::io;
use std::ops::Range;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::frame::{Frames, Head, Kind, PAGE, Place, pages};
use super::medium::{Folder, Medium, zero};
use super::waiting::Block;
use trail::clock::Clock;

/// The packs of one store.
#[derive(Clone)]
pub(super) struct Packs {
    folder: Arc<dyn Folder>,
    clock: Clock,
    /// To the thread that writes, once there is one.
    orders: Arc<Mutex<Option<Sender<Order>>>>,
}

/// What the thread has to write.
struct Order {
    id: Uuid,
    work: Work,
    done: oneshot::Sender<io::Result<Option<Place>>>,
}

enum Work {
    /// Media, and the room to leave behind them.
    Append(Block, u64),
    /// An envelope, behind the media at this place; not done if they are in another pack.
    Fill(Place, Arc<str>),
}

impl Packs {
    pub(super) fn new(folder: Arc<dyn Folder>, clock: Clock) -> Packs {
        Packs { folder, clock, orders: Arc::default() }
    }

    /// Writes media, durably, with room for an envelope of so many bytes.
    pub(super) async fn append(&self, id: Uuid, media: Block, envelope: usize) -> io::Result<Place> {
        let place = self.order(id, Work::Append(media, pages(envelope as u64))).await?;
        place.ok_or_else(|| io::Error::other("media were given no place"))
    }

    /// Writes an envelope, durably. Writing the same again is harmless.
    pub(super) async fn fill(&self, id: Uuid, place: Place, envelope: String) -> io::Result<()> {
        let envelope: Arc<str> = envelope.into();
        if self.order(id, Work::Fill(place, Arc::clone(&envelope))).await?.is_some() {
            return Ok(());
        }
        // The pack is not appended to any more. Its disk may be slow, so nobody else waits for this.
        let (folder, at) = (Arc::clone(&self.folder), self.clock.now());
        let filled = tokio::task::spawn_blocking(move || {
            let medium = folder.open(place.pack)?;
            fill(&*medium, id, &place, &envelope, at)?;
            sync(&*folder, place.pack, &*medium)
        });
        filled.await.map_err(io::Error::other).flatten()
    }

    async fn order(&self, id: Uuid, work: Work) -> io::Result<Option<Place>> {
        let (done, answer) = oneshot::channel();
        self.send(Order { id, work, done })?;
        answer.await.map_err(|_| io::Error::other("the thread that writes packs died"))?
    }

    fn send(&self, order: Order) -> io::Result<()> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let order = match orders.as_ref() {
            Some(thread) => match thread.send(order) {
                Ok(()) => return Ok(()),
                // It died.
                Err(mpsc::SendError(order)) => order,
            },
            None => order,
        };
        let (sender, receiver) = mpsc::channel();
        let writer = Writer { folder: Arc::clone(&self.folder), clock: self.clock.clone(), own: None };
        std::thread::Builder::new().name("packs".into()).spawn(move || writer.run(&receiver))?;
        let sent = sender.send(order);
        *orders = Some(sender);
        sent.map_err(|_| io::Error::other("the thread that writes packs died"))
    }

    /// Reads some of the media of a recording.
    pub(super) fn read(&self, id: Uuid, place: &Place, range: &Range<u64>) -> io::Result<Vec<u8>> {
        let medium = self.folder.open(place.pack)?;
        demand(&*medium, id, place)?;
        if range.end > place.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        if medium.read_at(&mut bytes, place.media(range).start)? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // If they were deleted meanwhile, these may be zeros.
        demand(&*medium, id, place)?;
        Ok(bytes)
    }

    /// How many bytes of media are there.
    pub(super) fn size(&self, id: Uuid, place: &Place) -> io::Result<u64> {
        let medium = self.folder.open(place.pack)?;
        demand(&*medium, id, place)?;
        let end = medium.length()?.saturating_sub(place.media(&(0..0)).start);
        Ok(place.bytes.min(end))
    }

    /// The envelope behind the media of a recording, if there is one.
    pub(super) fn envelope(&self, id: Uuid, place: &Place) -> io::Result<Option<String>> {
        let medium = self.folder.open(place.pack)?;
        super::inventory::envelope(&*medium, place.envelope(), id)
    }

    /// Overwrites the envelope of a recording with a tombstone, and removes its media. May be repeated.
    pub(super) fn remove(&self, id: Uuid, place: &Place) -> io::Result<()> {
        self.remove_all(place.pack, &[(id, *place)]).into_iter().collect()
    }

    /// Overwrites the envelopes of recordings in one pack with tombstones, and removes their media: all of them become
    /// durable together. May be repeated. What became of each, in their order.
    pub(super) fn remove_all(&self, pack: Uuid, all: &[(Uuid, Place)]) -> Vec<io::Result<()>> {
        let failed = |error: &io::Error| {
            all.iter().map(|_| Err(io::Error::new(error.kind(), error.to_string()))).collect()
        };
        let medium = match self.folder.open(pack) {
            Ok(medium) => medium,
            Err(error) => return failed(&error),
        };
        let (medium, at) = (&*medium, self.clock.now());
        let begun: Vec<io::Result<Removal>> =
            all.iter().map(|(id, place)| begin_to_remove(medium, *id, place, at)).collect();
        if begun.iter().any(|begun| !matches!(begun, Ok(Removal::Nothing) | Err(_)))
            && let Err(error) = sync(&*self.folder, pack, medium)
        {
            return failed(&error);
        }
        let end = |((id, place), begun): (&(Uuid, Place), io::Result<Removal>)| {
            let Removal::Done { buried, emptied } = begun? else { return Ok(()) };
            if let Err(error) = buried {
                tracing::warn!(%error, "could not write a tombstone; the media were removed first, in case the disk is full");
                bury(medium, *id, place, at)?;
                medium.sync()?;
            }
            // Somebody may have written the envelope meanwhile; if they do from here on, they see that the media are
            // gone.
            if Head::read_at(medium, place.envelope())?.is_none_or(|head| head.kind != Kind::Tombstone) {
                bury(medium, *id, place, at)?;
                medium.sync()?;
            }
            // Here the wrapped keys are gone for good; what is left of the media, nobody can open.
            emptied
        };
        all.iter().zip(begun).map(end).collect()
    }

    /// Removes media that were never accepted.
    pub(super) fn discard(&self, id: Uuid, place: &Place) -> io::Result<()> {
        let medium = self.folder.open(place.pack)?;
        if is_there(&*medium, id, place)? { medium.empty(place.offset..place.end()) } else { Ok(()) }
    }

    pub(super) fn list(&self) -> io::Result<Vec<Uuid>> {
        self.folder.list()
    }

    /// The media in a pack that were written before this moment.
    pub(super) fn older_than(&self, before: Timestamp, pack: Uuid) -> io::Result<Vec<(Uuid, Place)>> {
        let medium = self.folder.open(pack)?;
        let mut found = Vec::new();
        for frame in Frames::of(&*medium)? {
            let (offset, head) = frame?;
            if head.kind == Kind::Media && head.at < before.as_millisecond() {
                found.push((head.recording, head.place(pack, offset)));
            }
        }
        Ok(found)
    }

    /// Of a pack that nobody has written to since this moment, cuts off the room that was never used; if only
    /// tombstones are left in it, all of it. It stays, empty: a pack that is missing may come back.
    pub(super) fn tidy(&self, before: Timestamp, pack: Uuid) -> io::Result<()> {
        let Some(medium) = self.folder.claim(pack)? else { return Ok(()) };
        let state = || Ok::<_, io::Error>((medium.length()?, medium.modified()?));
        let found @ (length, modified) = state()?;
        // Somebody may hold it whose lock cannot be seen from here.
        if length == 0 || modified >= SystemTime::from(before) {
            return Ok(());
        }
        let (mut end, mut holds) = (0, false);
        for frame in Frames::of(&*medium)? {
            let (offset, head) = frame?;
            end = end.max(head.place(pack, offset).end());
            holds |= head.kind != Kind::Tombstone;
        }
        let end = if holds { end } else { 0 };
        if end < length && state()? == found { medium.cut(end) } else { Ok(()) }
    }
}

impl std::fmt::Debug for Packs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packs").finish_non_exhaustive()
    }
}

/// What was done to remove a recording, and is not synced yet.
enum Removal {
    /// Nothing: nothing of it was left.
    Nothing,
    /// Its tombstone has to be synced.
    Buried,
    /// Its tombstone was written, and its media were removed.
    Done { buried: io::Result<()>, emptied: io::Result<()> },
}

fn begin_to_remove(medium: &dyn Medium, id: Uuid, place: &Place, at: Timestamp) -> io::Result<Removal> {
    let beside = Head::read_at(medium, place.envelope())?;
    if !is_of(medium, id, place, beside.as_ref())? {
        let is_hole = || {
            let data = medium.data_from(place.offset)?;
            Ok::<_, io::Error>(data.is_none_or(|data| data >= place.end()))
        };
        return match medium.length()? {
            // Only a pack in which nothing was left is empty: see `tidy`.
            0 => Ok(Removal::Nothing),
            // This file never held it, or not any more: an older copy took the place of the pack.
            length if length >= place.end() && is_hole()? => {
                bury(medium, id, place, at)?;
                Ok(Removal::Buried)
            }
            // If it was cut off, or another has the place, it is too early to say that it is gone.
            _ => Err(io::Error::new(
                io::ErrorKind::NotFound,
                "neither the media nor a tombstone is at its place",
            )),
        };
    }
    let is_buried = beside.is_some_and(|head| head.kind == Kind::Tombstone);
    if is_buried && Head::read_at(medium, place.offset)?.is_none() {
        return Ok(Removal::Buried);
    }
    let buried = bury(medium, id, place, at);
    let emptied = medium.empty(place.offset..place.envelope());
    Ok(Removal::Done { buried, emptied })
}

/// Whether the media of this recording lie at this place; those of another are not touched.
fn is_there(medium: &dyn Medium, id: Uuid, place: &Place) -> io::Result<bool> {
    match Head::read_at(medium, place.offset)? {
        None => Ok(false),
        Some(head)
            if head.kind == Kind::Media
                && head.recording == id
                && head.place(place.pack, place.offset) == *place =>
        {
            Ok(true)
        }
        Some(_) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "something else lies at the place of a recording in its pack",
        )),
    }
}

/// Refuses a place at which the media of this recording do not lie any more.
fn demand(medium: &dyn Medium, id: Uuid, place: &Place) -> io::Result<()> {
    let gone = || io::Error::new(io::ErrorKind::NotFound, "the media are not at their place");
    is_there(medium, id, place)?.then_some(()).ok_or_else(gone)
}

/// Whether this place is still this recording's: by its media, or by the envelope or tombstone behind them.
fn is_of(medium: &dyn Medium, id: Uuid, place: &Place, beside: Option<&Head>) -> io::Result<bool> {
    let beside = beside.is_some_and(|head| {
        let there = head.place(place.pack, place.envelope());
        head.kind != Kind::Media && head.recording == id && there == *place
    });
    // Where the head of the media cannot be read any more, the one behind them is enough.
    match is_there(medium, id, place) {
        Err(error) if error.kind() != io::ErrorKind::InvalidData && beside => {
            tracing::warn!(%error, "the head of media cannot be read");
            Ok(true)
        }
        there => Ok(there? || beside),
    }
}

/// Writes an envelope, if the media before it are there.
fn fill(medium: &dyn Medium, id: Uuid, place: &Place, envelope: &str, at: Timestamp) -> io::Result<()> {
    demand(medium, id, place)?;
    let frame = frame(id, Kind::Envelope, envelope.as_bytes(), place, at)?;
    if frame.len() as u64 > place.room {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "an envelope does not fit into its room"));
    }
    medium.write_at(&frame, place.envelope())?;
    // If they were deleted meanwhile, no key may be left.
    let there = demand(medium, id, place);
    if there.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        bury(medium, id, place, at)?;
        medium.sync()?;
    }
    there
}

/// Makes durable what was written, if it is in the store at all.
fn sync(folder: &dyn Folder, pack: Uuid, medium: &dyn Medium) -> io::Result<()> {
    medium.sync()?;
    // Where somebody moved the directory away, what is written there is not.
    if folder.identity(pack)? == medium.identity()? {
        Ok(())
    } else {
        Err(io::Error::other("another file is in a pack's place"))
    }
}

/// Overwrites all of the room for an envelope.
fn bury(medium: &dyn Medium, id: Uuid, place: &Place, at: Timestamp) -> io::Result<()> {
    let offset = place.envelope();
    medium.write_at(&frame(id, Kind::Tombstone, b"", place, at)?, offset)?;
    zero(medium, offset.saturating_add(PAGE)..place.end())
}

/// The frame of an envelope or a tombstone, filled up to whole pages.
fn frame(id: Uuid, kind: Kind, payload: &[u8], place: &Place, at: Timestamp) -> io::Result<Vec<u8>> {
    let (bytes, at, sha256) = (payload.len() as u64, at.as_millisecond(), Sha256::digest(payload).into());
    let head = Head { kind, recording: id, bytes, room: place.room, media: place.bytes, at, sha256 };
    let mut frame = Vec::with_capacity(usize::try_from(head.pages()).map_err(io::Error::other)?);
    frame.extend_from_slice(&head.to_bytes());
    frame.extend_from_slice(payload);
    frame.resize(frame.capacity(), 0);
    Ok(frame)
}

/// The thread that writes.
struct Writer {
    folder: Arc<dyn Folder>,
    clock: Clock,
    own: Option<Own>,
}

/// Written, and not synced yet.
struct Written {
    done: oneshot::Sender<io::Result<Option<Place>>>,
    place: Place,
    medium: Arc<dyn Medium>,
}

/// The pack that is appended to.
struct Own {
    pack: Uuid,
    medium: Arc<dyn Medium>,
    /// Where the next frame begins.
    end: u64,
    /// Up to where there is room.
    grown: u64,
    made: Instant,
}

impl Writer {
    fn run(mut self, orders: &Receiver<Order>) {
        while let Ok(first) = orders.recv() {
            let group = std::iter::once(first).chain(orders.try_iter().take(GROUP));
            self.write(group.collect());
        }
        self.close();
    }

    /// Writes a group, syncs, and answers.
    fn write(&mut self, group: Vec<Order>) {
        let mut written: Vec<Written> = Vec::new();
        let mut failed = false;
        for Order { id, work, done } in group {
            let one = match work {
                Work::Append(media, room) => self.append(id, media, room).map(Some),
                Work::Fill(place, envelope) => self.fill(id, place, &envelope),
            };
            match one {
                Ok(Some((place, medium))) => written.push(Written { done, place, medium }),
                // Whoever asked may be gone.
                Ok(None) => drop(done.send(Ok(None))),
                Err(error) => {
                    failed |= !UNHARMED.contains(&error.kind());
                    drop(done.send(Err(error)));
                }
            }
        }
        // More than one only where a pack was full.
        let mut synced: Vec<(Uuid, Result<(), io::ErrorKind>)> = Vec::new();
        for Written { done, place, medium } in written {
            let known = synced.iter().find(|(pack, _)| *pack == place.pack).map(|(_, outcome)| *outcome);
            let outcome = known.unwrap_or_else(|| {
                let outcome = sync(&*self.folder, place.pack, &*medium).map_err(|error| {
                    tracing::error!(%error, pack = %place.pack, "a pack could not be synced");
                    error.kind()
                });
                synced.push((place.pack, outcome));
                outcome
            });
            failed |= outcome.is_err();
            drop(done.send(outcome.map(|()| Some(place)).map_err(io::Error::from)));
        }
        if failed {
            // What lies in it is whole or a hole; nothing more is put beside it.
            self.close();
        }
    }

    fn append(&mut self, id: Uuid, mut media: Block, room: u64) -> io::Result<(Place, Arc<dyn Medium>)> {
        let (bytes, at) = (media.payload().len() as u64, self.clock.now().as_millisecond());
        let head = Head { kind: Kind::Media, recording: id, bytes, room, media: bytes, at, sha256: [0; 32] };
        let needed = head.pages().saturating_add(room);
        if self.own.as_ref().is_some_and(|own| own.is_full(needed)) {
            self.close();
        }
        let own = match self.own.as_mut() {
            Some(own) => own,
            None => {
                let pack = crate::random::id().map_err(io::Error::other)?;
                let medium = self.folder.create(pack)?;
                self.own.insert(Own { pack, medium, end: 0, grown: 0, made: Instant::now() })
            }
        };
        own.grow(needed, &*self.folder)?;
        let place = Place { pack: own.pack, offset: own.end, bytes, room };
        own.end = place.end();
        own.medium.write_at(media.framed(&head), place.offset)?;
        Ok((place, Arc::clone(&own.medium)))
    }

    /// Fills in an envelope, if it is in the own pack.
    fn fill(&self, id: Uuid, place: Place, envelope: &str) -> io::Result<Option<(Place, Arc<dyn Medium>)>> {
        let Some(own) = self.own.as_ref().filter(|own| own.pack == place.pack) else { return Ok(None) };
        fill(&*own.medium, id, &place, envelope, self.clock.now())?;
        Ok(Some((place, Arc::clone(&own.medium))))
    }

    /// Gives back what was not used of the own pack, and lets go of it.
    fn close(&mut self) {
        if let Some(own) = self.own.take()
            && let Err(error) = own.medium.cut(own.end)
        {
            tracing::warn!(%error, pack = %own.pack, "could not cut the unused end off a pack; a later start will");
        }
    }
}

impl Own {
    fn is_full(&self, needed: u64) -> bool {
        self.end.saturating_add(needed) > LONGEST || self.made.elapsed() > OLDEST
    }

    /// Makes room for so many bytes, and for what comes after them if there is enough.
    fn grow(&mut self, needed: u64, folder: &dyn Folder) -> io::Result<()> {
        let least = self.end.saturating_add(needed);
        if least <= self.grown {
            return Ok(());
        }
        let step = self.grown.clamp(SHORTEST_STEP, LONGEST_STEP);
        let ample = least.max(self.grown.saturating_add(step));
        let is_ample = folder.has_room_for(ample.saturating_sub(self.grown));
        let to = match is_ample.then(|| self.medium.grow(self.grown, ample)) {
            Some(Ok(())) => ample,
            // The disk is nearly full.
            Some(Err(_)) | None => {
                self.medium.grow(self.grown, least)?;
                least
            }
        };
        self.grown = to;
        Ok(())
    }
}

/// Errors of an order that say nothing about the pack: nothing was written.
const UNHARMED: [io::ErrorKind; 5] = [
    io::ErrorKind::NotFound,
    io::ErrorKind::InvalidData,
    io::ErrorKind::InvalidInput,
    io::ErrorKind::StorageFull,
    io::ErrorKind::QuotaExceeded,
];
/// How many more orders one sync may serve.
const GROUP: usize = 255;
/// A pack is no longer than this, and not appended to any longer.
const LONGEST: u64 = 1 << 30;
const OLDEST: Duration = Duration::from_secs(86_400);
/// By how much a pack grows at once: as much as it has, between these.
const SHORTEST_STEP: u64 = 4 << 20;
const LONGEST_STEP: u64 = 64 << 20;
