//! Packs on a disk that loses power: it forgets what was not synced, in any order, and tears what it keeps.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use uuid::Uuid;

use super::frame::{Frames, Head, Kind, Place};
use super::medium::{Folder, Identity, Medium};
use super::packs::Packs;
use super::waiting::{Block, Budget, Waiting};
use trail::clock::Clock;

/// What the operating system has been told, and what would be left of it.
#[derive(Default)]
struct Pages {
    /// As whoever reads sees it.
    seen: Vec<u8>,
    /// As it was when it was last synced.
    durable: Vec<u8>,
    /// What was done since, in order.
    since: Vec<Done>,
    held: bool,
}

#[derive(Clone)]
enum Done {
    Written(usize, Vec<u8>),
    Grown(usize),
    Cut(usize),
    Emptied(Range<usize>),
}

fn apply(pages: &mut Vec<u8>, done: &Done) {
    match done {
        Done::Written(at, bytes) => {
            let end = at + bytes.len();
            if pages.len() < end {
                pages.resize(end, 0);
            }
            pages[*at..end].copy_from_slice(bytes);
        }
        Done::Grown(to) => pages.resize(pages.len().max(*to), 0),
        Done::Cut(to) => pages.truncate(*to),
        Done::Emptied(range) => {
            let end = range.end.min(pages.len());
            pages[range.start.min(end)..end].fill(0);
        }
    }
}

/// A disk. From its `dies` act on it does nothing more.
#[derive(Clone, Default)]
struct Disk {
    packs: Arc<Mutex<BTreeMap<Uuid, Arc<Mutex<Pages>>>>>,
    acts: Arc<AtomicUsize>,
    dies: Arc<AtomicUsize>,
    full: Arc<AtomicUsize>,
}

impl Disk {
    fn until(dies: usize) -> Disk {
        let disk = Disk::default();
        disk.dies.store(dies, Ordering::SeqCst);
        disk
    }

    fn act(&self) -> io::Result<()> {
        let dies = self.dies.load(Ordering::SeqCst);
        match self.acts.fetch_add(1, Ordering::SeqCst) {
            act if act < dies => Ok(()),
            _ => Err(io::Error::other("no power")),
        }
    }

    /// What is left after the power came back. Each sector that was not synced is there, or not.
    fn after(&self, random: &mut Random) -> Disk {
        let left = Disk::until(usize::MAX);
        for (pack, pages) in &*self.packs.lock().unwrap() {
            let pages = pages.lock().unwrap();
            let mut kept = pages.durable.clone();
            for done in &pages.since {
                match done {
                    Done::Written(at, bytes) => {
                        for (n, sector) in bytes.chunks(SECTOR).enumerate() {
                            if random.below(2) == 0 {
                                // A sector beyond the end is lost with the length.
                                let at = at + n * SECTOR;
                                let end = (at + sector.len()).min(kept.len());
                                if at < end {
                                    kept[at..end].copy_from_slice(&sector[..end - at]);
                                }
                            }
                        }
                    }
                    other @ (Done::Grown(_) | Done::Cut(_) | Done::Emptied(_)) => {
                        if random.below(2) == 0 {
                            apply(&mut kept, other);
                        }
                    }
                }
            }
            let pages = Pages { seen: kept.clone(), durable: kept, ..Pages::default() };
            left.packs.lock().unwrap().insert(*pack, Arc::new(Mutex::new(pages)));
        }
        left
    }

    fn holds(&self, text: &[u8]) -> bool {
        self.packs.lock().unwrap().values().any(|pages| {
            let pages = pages.lock().unwrap();
            let end = pages.seen.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            pages.seen[..end].windows(text.len()).any(|part| part == text)
        })
    }
}

struct Open {
    disk: Disk,
    pages: Arc<Mutex<Pages>>,
    holds: bool,
}

impl Open {
    fn note(&self, done: Done) -> io::Result<()> {
        self.disk.act()?;
        let mut pages = self.pages.lock().unwrap();
        apply(&mut pages.seen, &done);
        pages.since.push(done);
        Ok(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.holds {
            self.pages.lock().unwrap().held = false;
        }
    }
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

impl Medium for Open {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let pages = self.pages.lock().unwrap();
        let rest = pages.seen.get(at(offset)..).unwrap_or_default();
        let some = rest.len().min(buffer.len());
        buffer[..some].copy_from_slice(&rest[..some]);
        Ok(some)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.note(Done::Written(at(offset), bytes.to_vec()))
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.act()?;
        let mut pages = self.pages.lock().unwrap();
        let since = std::mem::take(&mut pages.since);
        since.iter().for_each(|done| apply(&mut pages.durable, done));
        Ok(())
    }

    fn grow(&self, from: u64, to: u64) -> io::Result<()> {
        let full = self.disk.full.load(Ordering::SeqCst);
        if full > 0 && at(to) > full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        assert!(from <= to);
        self.note(Done::Grown(at(to)))
    }

    fn cut(&self, to: u64) -> io::Result<()> {
        self.note(Done::Cut(at(to)))
    }

    fn empty(&self, range: Range<u64>) -> io::Result<()> {
        self.note(Done::Emptied(at(range.start)..at(range.end)))
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.pages.lock().unwrap().seen.len() as u64)
    }

    fn data_from(&self, offset: u64) -> io::Result<Option<u64>> {
        let pages = self.pages.lock().unwrap();
        let rest = pages.seen.get(at(offset)..).unwrap_or_default();
        Ok(rest.iter().position(|byte| *byte != 0).map(|zeros| offset + zeros as u64))
    }

    fn identity(&self) -> io::Result<Identity> {
        Ok((0, Arc::as_ptr(&self.pages).addr() as u64))
    }

    fn modified(&self) -> io::Result<SystemTime> {
        Ok(SystemTime::UNIX_EPOCH)
    }
}

impl Folder for Disk {
    fn create(&self, pack: Uuid) -> io::Result<Arc<dyn Medium>> {
        // The directory is synced before anything lies in it.
        self.act()?;
        let pages = Arc::new(Mutex::new(Pages { held: true, ..Pages::default() }));
        assert!(self.packs.lock().unwrap().insert(pack, Arc::clone(&pages)).is_none());
        Ok(Arc::new(Open { disk: self.clone(), pages, holds: true }))
    }

    fn open(&self, pack: Uuid) -> io::Result<Arc<dyn Medium>> {
        let packs = self.packs.lock().unwrap();
        let pages = Arc::clone(packs.get(&pack).ok_or(io::ErrorKind::NotFound)?);
        Ok(Arc::new(Open { disk: self.clone(), pages, holds: false }))
    }

    fn claim(&self, pack: Uuid) -> io::Result<Option<Arc<dyn Medium>>> {
        let packs = self.packs.lock().unwrap();
        let pages = Arc::clone(packs.get(&pack).ok_or(io::ErrorKind::NotFound)?);
        if std::mem::replace(&mut pages.lock().unwrap().held, true) {
            return Ok(None);
        }
        Ok(Some(Arc::new(Open { disk: self.clone(), pages, holds: true })))
    }

    fn identity(&self, pack: Uuid) -> io::Result<Identity> {
        self.open(pack)?.identity()
    }

    fn list(&self) -> io::Result<Vec<Uuid>> {
        Ok(self.packs.lock().unwrap().keys().copied().collect())
    }

    fn has_room_for(&self, _: u64) -> bool {
        true
    }
}

/// A small generator (splitmix64): the same seed, the same run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// As an upload has it.
fn block(media: &[u8]) -> Block {
    let mut waiting = Waiting::new(Budget::new(1 << 20));
    waiting.buffer().extend_from_slice(media);
    waiting.whole()
}

fn packs(disk: &Disk) -> Packs {
    Packs::new(Arc::new(disk.clone()), Clock::system())
}

/// What was acknowledged of a recording, and what was asked for.
#[derive(Clone)]
struct Sent {
    id: Uuid,
    media: Vec<u8>,
    envelope: String,
    place: Option<Place>,
    /// Somebody asked for the envelope; it was acknowledged.
    filled: (bool, bool),
    /// Somebody asked for the deletion; it was acknowledged.
    removed: (bool, bool),
}

/// Uploads side by side, some of them deleted again, until the disk dies.
async fn work(disk: &Disk, random: &mut Random) -> Vec<Sent> {
    let packs = packs(disk);
    let mut all = Vec::new();
    for turn in 0..3 {
        let mut sent: Vec<Sent> = (0..4)
            .map(|n| {
                let length = at([1, 3_000, 3_968, 3_969, 20_000][at(random.below(5))]);
                let media = std::iter::repeat_with(|| random.next().to_le_bytes()).flatten().take(length);
                let media = media.collect();
                let envelope = format!("{{\"keys\": \"{}\"}}", "k".repeat(at(random.below(6_000))));
                let id = Uuid::from_u64_pair(random.next(), turn * 10 + n);
                Sent { id, media, envelope, place: None, filled: (false, false), removed: (false, false) }
            })
            .collect();
        let one = |mut sent: Sent, remove: bool| {
            let packs = packs.clone();
            async move {
                let appended = packs.append(sent.id, block(&sent.media), sent.envelope.len()).await;
                sent.place = appended.ok();
                if let Some(place) = sent.place {
                    sent.filled.0 = true;
                    sent.filled.1 = packs.fill(sent.id, place, sent.envelope.clone()).await.is_ok();
                    if remove {
                        sent.removed = (true, packs.remove(sent.id, &place).is_ok());
                    }
                }
                sent
            }
        };
        let removes: Vec<bool> = sent.iter().map(|_| random.below(3) == 0).collect();
        let running = sent.drain(..).zip(removes).map(|(sent, remove)| tokio::spawn(one(sent, remove)));
        for task in running.collect::<Vec<_>>() {
            all.push(task.await.unwrap());
        }
    }
    all
}

/// What lies behind a place.
fn envelope(disk: &Disk, place: &Place) -> Option<(Head, Vec<u8>)> {
    let medium = disk.open(place.pack).ok()?;
    let head = Head::read_at(&*medium, place.envelope()).unwrap()?;
    let mut text = vec![0; at(head.bytes)];
    medium.read_at(&mut text, place.envelope() + super::HEAD as u64).unwrap();
    Some((head, text))
}

fn check(disk: &Disk, all: &[Sent]) {
    let packs = packs(disk);
    for sent in all {
        let Some(place) = &sent.place else { continue };
        let whole = 0..place.bytes;
        let read = packs.read(sent.id, place, &whole);
        let beside = envelope(disk, place);
        let kind = beside.as_ref().map(|(head, _)| head.kind);
        if !sent.removed.0 {
            // What was acknowledged is whole, whatever lay beside it.
            assert!(read.unwrap() == sent.media, "{place}");
            assert_eq!(packs.size(sent.id, place).unwrap(), place.bytes);
        } else if sent.removed.1 {
            assert!(read.is_err(), "{place}: deleted media are read");
        }
        if sent.filled.1 && !sent.removed.0 {
            let (head, text) = beside.unwrap();
            assert_eq!((head.kind, head.recording), (Kind::Envelope, sent.id));
            assert!(text == sent.envelope.as_bytes(), "{place}");
        }
        if sent.removed.1 {
            assert_eq!(kind, Some(Kind::Tombstone), "{place}");
        }
        if !sent.filled.0 {
            assert_eq!(kind, None, "{place}: an envelope that nobody wrote");
        }
    }
    // A scan steps over the holes: it finds all of them, and nothing else.
    let mut found = BTreeMap::new();
    for pack in disk.list().unwrap() {
        let medium = disk.open(pack).unwrap();
        for frame in Frames::of(&*medium).unwrap() {
            let (offset, head) = frame.unwrap();
            assert!(all.iter().any(|sent| sent.id == head.recording), "a frame of nobody");
            if head.kind == Kind::Media {
                assert!(found.insert(head.recording, head.place(pack, offset)).is_none(), "twice");
            }
        }
    }
    for sent in all.iter().filter(|sent| !sent.removed.0) {
        if let Some(place) = &sent.place {
            assert_eq!(found.get(&sent.id), Some(place));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_the_power_fails_what_was_acknowledged_is_whole_and_nothing_else_appears() {
    let acts = {
        let disk = Disk::until(usize::MAX);
        let all = work(&disk, &mut Random(1)).await;
        assert!(all.iter().all(|sent| sent.filled.1));
        check(&disk, &all);
        disk.acts.load(Ordering::SeqCst)
    };
    assert!(acts > 30, "{acts}");
    for dies in 0..acts {
        for seed in 0..3 {
            let disk = Disk::until(dies);
            let all = work(&disk, &mut Random(seed)).await;
            let mut random = Random(seed ^ 0x5eed);
            let left = disk.after(&mut random);
            check(&left, &all);
            // Deletions go on after the start, and then no byte of a wrapped key is left.
            let again = packs(&left);
            for sent in &all {
                if let Some(place) = &sent.place {
                    again.remove(sent.id, place).unwrap();
                    again.remove(sent.id, place).unwrap();
                }
            }
            let acknowledged = all.iter().all(|sent| sent.place.is_some());
            assert!(!acknowledged || !left.holds(b"kkkk"), "{dies}, {seed}");
            // Nobody holds what is left; the rest of it goes.
            for pack in left.list().unwrap() {
                for (id, place) in again.older_than(jiff::Timestamp::MAX, pack).unwrap() {
                    assert!(all.iter().any(|sent| sent.id == id && sent.place.is_none()));
                    again.discard(id, &place).unwrap();
                }
                again.tidy(jiff::Timestamp::MAX, pack).unwrap();
            }
            for pack in left.list().unwrap() {
                let length = left.open(pack).unwrap().length().unwrap();
                assert!(length == 0 || holds_envelopes(&left, pack), "{dies}, {seed}: {length}");
            }
            for sent in all.iter().filter(|sent| sent.removed.1) {
                again.remove(sent.id, &sent.place.unwrap()).unwrap();
            }
        }
    }
}

fn holds_envelopes(disk: &Disk, pack: Uuid) -> bool {
    let medium = disk.open(pack).unwrap();
    Frames::of(&*medium).unwrap().any(|frame| frame.unwrap().1.kind == Kind::Envelope)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_directory_never_write_to_the_same_pack() {
    let disk = Disk::until(usize::MAX);
    let (one, other) = (packs(&disk), packs(&disk));
    let mut all = Vec::new();
    for turn in 0..10 {
        for (packs, who) in [(&one, 1), (&other, 2)] {
            let id = Uuid::from_u64_pair(who, turn);
            let place = packs.append(id, block(&[7; 500]), 100).await.unwrap();
            // The other one writes the envelope: it recovers.
            let filler = if turn % 2 == 0 { &one } else { &other };
            filler.fill(id, place, "{}".into()).await.unwrap();
            all.push((who, id, place));
        }
    }
    let owner: BTreeMap<Uuid, u64> = all.iter().map(|(who, _, place)| (place.pack, *who)).collect();
    assert_eq!(owner.len(), 2);
    for (who, id, place) in &all {
        assert_eq!(owner[&place.pack], *who);
        assert_eq!(one.read(*id, place, &(0..500)).unwrap(), vec![7; 500]);
        // Nobody tidies what is held.
        one.tidy(jiff::Timestamp::MAX, place.pack).unwrap();
    }
    let lengths = |disk: &Disk| -> Vec<u64> {
        disk.list().unwrap().into_iter().map(|pack| disk.open(pack).unwrap().length().unwrap()).collect()
    };
    assert!(lengths(&disk).iter().all(|length| *length >= 4 << 20));
    // One ends: its pack is cut, and not appended to by whoever comes next.
    drop(one);
    while lengths(&disk).iter().filter(|length| **length < 4 << 20).count() < 1 {
        tokio::task::yield_now().await;
    }
    let next = packs(&disk);
    let place = next.append(Uuid::from_u128(9), block(&[1; 10]), 10).await.unwrap();
    assert!(!owner.contains_key(&place.pack));
    // The place of one recording is nobody else's.
    let (_, id, theirs) = all[0];
    let stranger = Uuid::from_u128(77);
    assert!(next.read(stranger, &theirs, &(0..1)).is_err());
    assert!(next.remove(stranger, &theirs).is_err());
    assert!(next.fill(stranger, theirs, "{}".into()).await.is_err());
    assert!(next.read(id, &theirs, &(0..500)).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_takes_what_fits_and_then_refuses_and_deletions_go_on() {
    let disk = Disk::until(usize::MAX);
    disk.full.store(64 << 10, Ordering::SeqCst);
    let packs = packs(&disk);
    let mut all = Vec::new();
    let refused = loop {
        let id = Uuid::from_u128(all.len() as u128);
        match packs.append(id, block(&[3; 10_000]), 1_000).await {
            Ok(place) => all.push((id, place)),
            Err(error) => break error,
        }
    };
    assert_eq!((refused.kind(), all.len()), (io::ErrorKind::StorageFull, 4));
    for (id, place) in &all {
        packs.fill(*id, *place, "{}".into()).await.unwrap();
        assert_eq!(packs.read(*id, place, &(0..10_000)).unwrap(), vec![3; 10_000]);
        packs.remove(*id, place).unwrap();
        assert!(packs.read(*id, place, &(0..1)).is_err());
    }
}

/// Whatever a row says, and whatever a disk fails of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_place_or_a_missing_pack_harms_nobody_else() {
    let disk = Disk::until(usize::MAX);
    let packs = packs(&disk);
    let ids: Vec<Uuid> = (1..=3).map(Uuid::from_u128).collect();
    let mut places = Vec::new();
    for id in &ids {
        let place = packs.append(*id, block(&[5; 9_000]), 100).await.unwrap();
        packs.fill(*id, place, "{\"keys\": \"k\"}".into()).await.unwrap();
        places.push(place);
    }
    // The place of the second, moved over the first, and reaching far behind: all that matches is the envelope.
    let [first, second, third] = [places[0], places[1], places[2]];
    let hostile = [
        Place { offset: first.offset + 4_096, bytes: second.envelope() - first.offset - 8_192, ..second },
        Place { room: 8 << 20, ..second },
        Place { bytes: second.bytes + 1, ..second },
        Place { offset: first.offset, ..second },
        Place { offset: 1 << 40, ..second },
        third,
    ];
    for place in hostile {
        assert!(packs.remove(ids[1], &place).is_err(), "{place}");
        assert!(packs.fill(ids[1], place, "{}".into()).await.is_err(), "{place}");
        assert!(packs.read(ids[1], &place, &(0..1)).is_err(), "{place}");
        // What is never named may be refused, or nothing: see below that all of them are whole.
        let _ = packs.discard(ids[1], &place);
    }
    for (id, place) in ids.iter().zip(&places) {
        assert_eq!(packs.read(*id, place, &(0..9_000)).unwrap(), vec![5; 9_000]);
        assert_eq!(envelope(&disk, place).unwrap().1, b"{\"keys\": \"k\"}");
    }
    // None of it ended the pack: the next one lies beside them.
    let next = packs.append(Uuid::from_u128(4), block(&[5; 10]), 10).await.unwrap();
    assert_eq!(next.pack, first.pack);

    // An envelope that comes after the deletion puts no keys back.
    packs.remove(ids[0], &first).unwrap();
    assert!(packs.fill(ids[0], first, "{\"keys\": \"k\"}".into()).await.is_err());
    assert_eq!(envelope(&disk, &first).unwrap().0.kind, Kind::Tombstone);
    // A deletion that is repeated changes nothing.
    let acts = disk.acts.load(Ordering::SeqCst);
    packs.remove(ids[0], &first).unwrap();
    assert_eq!(disk.acts.load(Ordering::SeqCst), acts + 1, "a sync");
    // One whose pack is missing, or cut off, is not deleted yet; it is once the pack is back.
    let pages = disk.packs.lock().unwrap().remove(&second.pack).unwrap();
    assert!(packs.remove(ids[1], &second).is_err());
    let whole = std::mem::take(&mut pages.lock().unwrap().seen);
    pages.lock().unwrap().seen = whole[..4_096].to_vec();
    disk.packs.lock().unwrap().insert(second.pack, Arc::clone(&pages));
    assert!(packs.remove(ids[1], &second).is_err());
    // Cut at its end and made as long again, by whoever knows that the end is lost: a hole is buried.
    pages.lock().unwrap().seen = [&whole[..4_096], &vec![0; whole.len() - 4_096]].concat();
    packs.remove(ids[1], &second).unwrap();
    assert_eq!(envelope(&disk, &second).unwrap().0.kind, Kind::Tombstone);
    pages.lock().unwrap().seen = whole;
    packs.remove(ids[1], &second).unwrap();
    assert!(packs.read(ids[1], &second, &(0..1)).is_err());
    assert_eq!(packs.read(ids[2], &third, &(0..9_000)).unwrap(), vec![5; 9_000]);
}

const SECTOR: usize = 512;
