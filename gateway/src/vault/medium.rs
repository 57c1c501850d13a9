//! What packs lie on: files in a directory. Tests put a disk in their place that forgets what was not synced.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{FallocateFlags, OFlags, SeekFrom};
use rustix::io::Errno;
use uuid::Uuid;

use super::disk::Disk;
use super::frame::PAGE;
use crate::files::private_dir;

/// A pack, open.
pub trait Medium: Send + Sync {
    /// Reads up to as many bytes as the buffer takes; fewer only at the end.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of it.
    ///
    /// # Errors
    ///
    /// If not all of it could be written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes durable what was written, and the length.
    ///
    /// # Errors
    ///
    /// If it is unknown whether all of it is durable.
    fn sync(&self) -> io::Result<()>;

    /// Makes it longer: what is written there later needs no new space.
    ///
    /// # Errors
    ///
    /// If the disk has no room for it.
    fn grow(&self, from: u64, to: u64) -> io::Result<()>;

    /// Cuts it.
    ///
    /// # Errors
    ///
    /// If that fails.
    fn cut(&self, to: u64) -> io::Result<()>;

    /// Replaces what is in this range by zeros, and gives its space back where the file system can do that.
    ///
    /// # Errors
    ///
    /// If that fails.
    fn empty(&self, range: Range<u64>) -> io::Result<()>;

    /// How long it is.
    ///
    /// # Errors
    ///
    /// If that cannot be told.
    fn length(&self) -> io::Result<u64>;

    /// Where data begin again, from this offset on, as far as the file system knows; `None` if nowhere.
    ///
    /// # Errors
    ///
    /// If that cannot be told.
    fn data_from(&self, offset: u64) -> io::Result<Option<u64>>;

    /// Which file it is.
    ///
    /// # Errors
    ///
    /// If that cannot be told.
    fn identity(&self) -> io::Result<Identity>;

    /// When it was last written to.
    ///
    /// # Errors
    ///
    /// If that cannot be told.
    fn modified(&self) -> io::Result<SystemTime>;
}

/// A file's device and number on it.
pub type Identity = (u64, u64);

/// Where packs are kept.
pub trait Folder: Send + Sync {
    /// Makes a pack that belongs to the caller while they hold it.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    fn create(&self, pack: Uuid) -> io::Result<Arc<dyn Medium>>;

    /// Opens a pack to read it, or to write into places that are somebody's already.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be opened.
    fn open(&self, pack: Uuid) -> io::Result<Arc<dyn Medium>>;

    /// Opens a pack that belongs to nobody any more; `None` if somebody holds it.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    fn claim(&self, pack: Uuid) -> io::Result<Option<Arc<dyn Medium>>>;

    /// Which file is at its place now.
    ///
    /// # Errors
    ///
    /// If there is none.
    fn identity(&self, pack: Uuid) -> io::Result<Identity>;

    /// All of them.
    ///
    /// # Errors
    ///
    /// If they cannot be listed.
    fn list(&self) -> io::Result<Vec<Uuid>>;

    /// Whether there is ample room for so many bytes more.
    fn has_room_for(&self, bytes: u64) -> bool;
}

/// Packs in a directory.
#[derive(Debug)]
pub(super) struct Directory {
    dir: PathBuf,
    /// The disk that it is on, if more is written to it.
    disk: Option<Disk>,
}

impl Directory {
    pub(super) fn new(dir: PathBuf, disk: Option<Disk>) -> Directory {
        Directory { dir, disk }
    }

    fn path(&self, pack: Uuid) -> PathBuf {
        self.dir.join(format!("{pack}{EXTENSION}"))
    }

    /// Makes the directory, durably.
    fn make(&self) -> io::Result<()> {
        private_dir(&self.dir)?;
        let above = [self.dir.parent(), self.dir.parent().and_then(Path::parent)];
        for dir in above.into_iter().flatten() {
            File::open(dir)?.sync_all()?;
        }
        Ok(())
    }
}

impl Folder for Directory {
    fn create(&self, pack: Uuid) -> io::Result<Arc<dyn Medium>> {
        if !self.dir.is_dir() {
            self.make()?;
        }
        let path = self.path(pack);
        let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        file.lock()?;
        file.sync_all()?;
        File::open(&self.dir)?.sync_all()?;
        let flags = i32::try_from(OFlags::DIRECT.bits()).map_err(io::Error::other)?;
        // Some file systems cannot.
        let direct = File::options().write(true).custom_flags(flags).open(&path).ok();
        Ok(Arc::new(Own { file, direct }))
    }

    fn open(&self, pack: Uuid) -> io::Result<Arc<dyn Medium>> {
        let path = self.path(pack);
        let file = match File::options().read(true).write(true).open(&path) {
            // Whoever reads a copy of a store may not be allowed to write to it.
            Err(error)
                if [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem]
                    .contains(&error.kind()) =>
            {
                File::open(path)?
            }
            opened => opened?,
        };
        Ok(Arc::new(file))
    }

    fn claim(&self, pack: Uuid) -> io::Result<Option<Arc<dyn Medium>>> {
        let file = File::options().read(true).write(true).open(self.path(pack))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Arc::new(file))),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn identity(&self, pack: Uuid) -> io::Result<Identity> {
        std::fs::metadata(self.path(pack)).map(|found| (found.dev(), found.ino()))
    }

    fn list(&self) -> io::Result<Vec<Uuid>> {
        let found = match std::fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            found => found?,
        };
        let mut packs = Vec::new();
        for entry in found {
            let name = entry?.file_name();
            let pack: Option<Uuid> =
                name.to_str().and_then(|name| name.strip_suffix(EXTENSION)?.parse().ok());
            packs.extend(pack);
        }
        packs.sort_unstable();
        Ok(packs)
    }

    fn has_room_for(&self, bytes: u64) -> bool {
        self.disk.as_ref().is_none_or(|disk| disk.has_room_for(bytes).is_ok())
    }
}

impl Medium for File {
    fn read_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<usize> {
        let mut all = 0;
        while !buffer.is_empty() {
            match FileExt::read_at(self, buffer, offset) {
                Ok(0) => break,
                Ok(some) => {
                    all += some;
                    offset = offset.saturating_add(some as u64);
                    buffer = buffer.get_mut(some..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn grow(&self, from: u64, to: u64) -> io::Result<()> {
        match rustix::fs::fallocate(self, FallocateFlags::empty(), from, to.saturating_sub(from)) {
            // It finds out later whether there is room.
            Err(Errno::OPNOTSUPP) => self.set_len(to),
            grown => Ok(grown?),
        }
    }

    fn cut(&self, to: u64) -> io::Result<()> {
        self.set_len(to)
    }

    fn empty(&self, range: Range<u64>) -> io::Result<()> {
        let length = range.end.saturating_sub(range.start);
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(self, hole, range.start, length) {
            Err(Errno::OPNOTSUPP) => zero(self, range),
            punched => Ok(punched?),
        }
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn data_from(&self, offset: u64) -> io::Result<Option<u64>> {
        match rustix::fs::seek(self, SeekFrom::Data(offset)) {
            Ok(data) => Ok(Some(data)),
            Err(Errno::NXIO) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn identity(&self) -> io::Result<Identity> {
        self.metadata().map(|found| (found.dev(), found.ino()))
    }

    fn modified(&self) -> io::Result<SystemTime> {
        self.metadata()?.modified()
    }
}

/// The pack of this process: what is long is written past the page cache, where it would be copied once more.
struct Own {
    file: File,
    direct: Option<File>,
}

impl Medium for Own {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let direct = self.direct.as_ref().filter(|_| {
            bytes.len() >= DIRECT
                && (bytes.len() as u64).is_multiple_of(PAGE)
                && (bytes.as_ptr().addr() as u64).is_multiple_of(PAGE)
        });
        match direct.map(|direct| direct.write_all_at(bytes, offset)) {
            Some(Ok(())) => Ok(()),
            // A device may want larger pages.
            Some(Err(error)) if error.kind() == io::ErrorKind::InvalidInput => {
                self.file.write_all_at(bytes, offset)
            }
            Some(failed) => failed,
            None => self.file.write_all_at(bytes, offset),
        }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Medium::read_at(&self.file, buffer, offset)
    }

    fn sync(&self) -> io::Result<()> {
        Medium::sync(&self.file)
    }

    fn grow(&self, from: u64, to: u64) -> io::Result<()> {
        self.file.grow(from, to)
    }

    fn cut(&self, to: u64) -> io::Result<()> {
        self.file.cut(to)
    }

    fn empty(&self, range: Range<u64>) -> io::Result<()> {
        self.file.empty(range)
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn data_from(&self, offset: u64) -> io::Result<Option<u64>> {
        self.file.data_from(offset)
    }

    fn identity(&self) -> io::Result<Identity> {
        self.file.identity()
    }

    fn modified(&self) -> io::Result<SystemTime> {
        Medium::modified(&self.file)
    }
}

/// Overwrites a range with zeros.
pub(super) fn zero(medium: &dyn Medium, range: Range<u64>) -> io::Result<()> {
    let mut at = range.start;
    while at < range.end {
        let some = ZEROS.len().min(usize::try_from(range.end - at).unwrap_or(usize::MAX));
        medium.write_at(ZEROS.get(..some).unwrap_or_default(), at)?;
        at += some as u64;
    }
    Ok(())
}

static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
/// From this length on, writes bypass the page cache.
const DIRECT: usize = 128 << 10;
const EXTENSION: &str = ".pack";
