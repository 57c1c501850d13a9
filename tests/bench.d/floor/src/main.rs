//! The floor that `tests/bench` measures uploads against: the work that an accepted upload cannot do without,
//! and nothing else.
//!
//!   floor PORT DIR PUBLIC.pem
//!
//! A thread for each connection. It reads the body in segments; each goes into a keyed BLAKE3, is sealed by
//! AES-256-GCM, and then goes into a SHA-256. The media are appended to a preallocated file; whoever waits
//! shares one sync. The key is wrapped by RSA-OAEP. A row of a kilobyte with its indexes goes into SQLite by four
//! statements; whoever waits shares one commit. The envelope is appended to a second file, with a shared sync.
//! The answer is 201. No login, no JSON, no policy, no trail: what is stored is good for nothing.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use rand::TryRng as _;
use rand::rngs::SysRng;
use rsa::pkcs8::DecodePublicKey as _;
use rsa::{Oaep, PublicKey};
use rusqlite::{Connection, OptionalExtension as _};
use sha2::{Digest as _, Sha256};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What is sealed at once, its tag included: as the gateway does.
const SEGMENT: usize = 65_536;
const TAG: usize = 16;
const LONGEST: usize = 4 << 20;
/// From this length on, media pass the page cache by.
const DIRECT: usize = 128 << 10;
/// Frames of media begin on whole pages, which writing past the page cache needs.
const PAGE: usize = 4_096;
const ENVELOPE: usize = 1_000;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, dir, key] = arguments.as_slice() else { return Err("see the head of main.rs".into()) };
    let dir = Path::new(dir);
    let floor = Arc::new(Floor {
        media: Pack::create(&dir.join("media"), 1 << 30)?,
        envelopes: Pack::create(&dir.join("envelopes"), 64 << 20)?,
        key: PublicKey::from_public_key_pem(&std::fs::read_to_string(key)?)?,
    });
    let (rows, received) = channel();
    let connection = ledger(&dir.join("ledger.db"))?;
    std::thread::spawn(move || told("the ledger", write(&connection, &received)));
    for stream in TcpListener::bind(("127.0.0.1", port.parse()?))?.incoming() {
        let (stream, floor, rows) = (stream?, Arc::clone(&floor), rows.clone());
        std::thread::spawn(move || told("a connection", floor.serve(stream, &rows)));
    }
    Ok(())
}

fn told(what: &str, ended: Outcome<()>) {
    if let Err(error) = ended {
        eprintln!("{what}: {error}");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that is appended to. It is preallocated in steps.
struct Pack {
    file: File,
    direct: File,
    step: u64,
    /// Where the next frame begins, and up to where there is room.
    end: Mutex<(u64, u64)>,
    syncs: Mutex<Syncs>,
    synced: Condvar,
}

/// Appends are counted. A sync holds for all that were written when it began.
#[derive(Default)]
struct Syncs {
    written: u64,
    durable: u64,
    running: bool,
}

impl Pack {
    fn create(path: &Path, step: u64) -> Outcome<Pack> {
        let file = File::create_new(path)?;
        let flags = i32::try_from(rustix::fs::OFlags::DIRECT.bits())?;
        let direct = File::options().write(true).custom_flags(flags).open(path)?;
        let (end, syncs, synced) = Default::default();
        Ok(Pack { file, direct, step, end, syncs, synced })
    }

    fn append(&self, bytes: &[u8], align: u64) -> Outcome<()> {
        let at = self.place(u64::try_from(bytes.len())?.next_multiple_of(align))?;
        let aligned = bytes.as_ptr().addr() % PAGE == 0 && bytes.len() % PAGE == 0;
        let file = if bytes.len() >= DIRECT && aligned { &self.direct } else { &self.file };
        file.write_all_at(bytes, at)?;
        self.sync()
    }

    fn place(&self, room: u64) -> Outcome<u64> {
        let mut end = lock(&self.end);
        let at = end.0;
        if at + room > end.1 {
            rustix::fs::fallocate(&self.file, rustix::fs::FallocateFlags::empty(), end.1, self.step)?;
            end.1 += self.step;
        }
        end.0 += room;
        Ok(at)
    }

    fn sync(&self) -> Outcome<()> {
        let mut syncs = lock(&self.syncs);
        syncs.written += 1;
        let mine = syncs.written;
        while syncs.durable < mine {
            if syncs.running {
                syncs = self.synced.wait(syncs).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            syncs.running = true;
            let all = syncs.written;
            drop(syncs);
            let done = self.file.sync_data();
            syncs = lock(&self.syncs);
            syncs.running = false;
            self.synced.notify_all();
            done?;
            syncs.durable = syncs.durable.max(all);
        }
        Ok(())
    }
}

/// A row, and whom to tell that it is durable.
type Row = (Vec<u8>, SyncSender<()>);

fn ledger(path: &Path) -> Outcome<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;
         CREATE TABLE entry (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, call TEXT NOT NULL, leaf BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
         CREATE INDEX entry_by_call ON entry (call, seq);
         CREATE TABLE recording (id TEXT NOT NULL PRIMARY KEY, call TEXT NOT NULL, envelope BLOB NOT NULL) STRICT, WITHOUT ROWID;
         CREATE INDEX recording_by_call ON recording (call);
         CREATE TABLE call (uid TEXT NOT NULL PRIMARY KEY, head TEXT NOT NULL) STRICT, WITHOUT ROWID;",
    )?;
    Ok(connection)
}

/// One transaction takes every row that waits.
fn write(connection: &Connection, received: &Receiver<Row>) -> Outcome<()> {
    let mut number = 0_u64;
    while let Ok(first) = received.recv() {
        let rows: Vec<Row> = std::iter::once(first).chain(received.try_iter()).collect();
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for (leaf, _) in &rows {
            number += 1;
            insert(connection, number, leaf)?;
        }
        connection.execute_batch("COMMIT")?;
        for (_, done) in rows {
            done.send(())?;
        }
    }
    Ok(())
}

fn insert(connection: &Connection, number: u64, leaf: &[u8]) -> Outcome<()> {
    let id = format!("0190a0b0-0000-7000-8000-{number:012x}");
    let head: Option<String> = connection
        .prepare_cached("SELECT head FROM call WHERE uid = ?")?
        .query_row([&id], |row| row.get(0))
        .optional()?;
    connection
        .prepare_cached("INSERT INTO entry (id, call, leaf, hash) VALUES (?1, ?1, ?2, ?3)")?
        .execute((&id, leaf, leaf.get(..32)))?;
    connection
        .prepare_cached("INSERT INTO recording (id, call, envelope) VALUES (?1, ?1, ?2)")?
        .execute((&id, leaf))?;
    connection
        .prepare_cached("INSERT INTO call (uid, head) VALUES (?1, ?2) ON CONFLICT (uid) DO UPDATE SET head = excluded.head")?
        .execute((&id, head.as_ref().unwrap_or(&id)))?;
    Ok(())
}

struct Floor {
    media: Pack,
    envelopes: Pack,
    key: PublicKey,
}

impl Floor {
    fn serve(&self, stream: TcpStream, rows: &Sender<Row>) -> Outcome<()> {
        stream.set_nodelay(true)?;
        let mut answers = stream.try_clone()?;
        let mut requests = BufReader::with_capacity(SEGMENT, stream);
        let mut buffer = vec![0; LONGEST + PAGE];
        let begin = buffer.as_ptr().align_offset(PAGE);
        let media = buffer.get_mut(begin..begin + LONGEST).ok_or("the buffer cannot be aligned")?;
        while let Some(length) = length_of_body(&mut requests)? {
            let mut key = [0; 32];
            SysRng.try_fill_bytes(&mut key)?;
            let (sealed, envelope) = seal(&mut requests, media, length, &key)?;
            self.media.append(media.get(..sealed.next_multiple_of(PAGE)).ok_or("it is too long")?, 1)?;
            let mut envelope = envelope;
            envelope.extend(self.key.encrypt(&mut SysRng, Oaep::<Sha256>::new(), &key)?);
            envelope.resize(ENVELOPE, b'x');
            let (done, durable) = sync_channel(1);
            rows.send((envelope.clone(), done))?;
            durable.recv()?;
            self.envelopes.append(&envelope, 64)?;
            answers.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")?;
        }
        Ok(())
    }
}

/// Reads the head of a request; nothing where there is no further one.
fn length_of_body(requests: &mut BufReader<TcpStream>) -> Outcome<Option<usize>> {
    let (mut line, mut length) = (String::new(), 0);
    if requests.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    loop {
        line.clear();
        if requests.read_line(&mut line)? == 0 {
            return Err("a head without an end".into());
        }
        match line.trim_end().to_ascii_lowercase().split_once(':') {
            None => return Ok(Some(length)),
            Some(("content-length", value)) => length = value.trim().parse()?,
            Some(_) => {}
        }
    }
}

/// Reads a body into the buffer, sealed. How long it is then, and the hashes.
fn seal(
    requests: &mut BufReader<TcpStream>,
    media: &mut [u8],
    length: usize,
    key: &[u8; 32],
) -> Outcome<(usize, Vec<u8>)> {
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key));
    let mut fingerprint = blake3::Hasher::new_keyed(&[5; 32]);
    let mut hash = Sha256::new();
    let (mut left, mut sealed) = (length, 0);
    for (number, segment) in media.chunks_exact_mut(SEGMENT).enumerate() {
        if left == 0 {
            break;
        }
        let plain = left.min(SEGMENT - TAG);
        let (text, rest) = segment.split_at_mut(plain);
        requests.read_exact(text)?;
        fingerprint.update(text);
        let mut nonce = [0; 12];
        nonce.iter_mut().rev().zip(number.to_le_bytes()).for_each(|(to, from)| *to = from);
        let tag = cipher
            .encrypt_inout_detached(&Nonce::from(nonce), b"", (&mut *text).into())
            .map_err(|_| "it cannot be sealed")?;
        rest.get_mut(..TAG).ok_or("no room for the tag")?.copy_from_slice(&tag);
        hash.update(segment.get(..plain + TAG).ok_or("no room for the tag")?);
        left -= plain;
        sealed += plain + TAG;
    }
    if left > 0 {
        return Err("a body is too long".into());
    }
    Ok((sealed, [hash.finalize().as_slice(), fingerprint.finalize().as_bytes()].concat()))
}
