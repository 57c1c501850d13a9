//! The one form in which we write zip files.
//!
//! A zip file lists its contents twice: in front of each file, and in a directory at its end. Programs differ
//! in which of the two they believe, in where they look for the end, and in what they make of stray bytes, so
//! that two of them can find two different pages in one archive. In ours all of them find the same: the files
//! follow one another from the first byte on, then the directory, then the end, and both lists agree.

use std::io::{self, Read, Seek, SeekFrom};

use super::{ARCHIVE, SourceError};

/// An archive's directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Directory {
    /// The position of its first byte.
    pub(super) start: u64,
    /// The position behind its last byte.
    end: u64,
    /// How many files it names.
    pub(super) files: u64,
}

/// Checks that an archive is of our form, and has at most so many files.
///
/// # Errors
///
/// [`SourceError`]: unreadable if another program may have written it, wrong if two programs can find
/// different files in it.
pub(super) fn check(reader: &mut (impl Read + Seek), max_files: usize) -> Result<Directory, SourceError> {
    let directory = directory(reader)?;
    if directory.files > u64::try_from(max_files).unwrap_or(u64::MAX) {
        return Err(SourceError::wrong(ARCHIVE, format!("it has more than {max_files} files")));
    }
    let (mut entries, mut files) = (Window::new(ENTRIES_AHEAD), Window::new(FILES_AHEAD));
    let (mut at, mut next) = (directory.start, 0u64);
    for _ in 0..directory.files {
        let entry = entry(&mut entries, reader, at)?;
        if entry.offset != next {
            return Err(ambiguous("in front of a file lies something that the directory does not name"));
        }
        next = behind(&entry, &mut files, reader)?;
        at = at.saturating_add(entry.length);
    }
    if at != directory.end {
        return Err(ambiguous("its directory does not end where it says"));
    }
    if next != directory.start {
        return Err(ambiguous("behind its files lies something that the directory does not name"));
    }
    Ok(directory)
}

/// Finds the directory by the archive's end.
fn directory(reader: &mut (impl Read + Seek)) -> Result<Directory, SourceError> {
    let size = reader.seek(SeekFrom::End(0)).map_err(unreadable)?;
    let mut window = Window::new(END.saturating_add(LOCATOR).saturating_add(LARGE));
    let mut read = |at: Option<u64>, length| window.bytes(reader, at?, length).transpose();
    let at = size.checked_sub(END);
    let bytes = read(at, END).transpose()?.unwrap_or_default();
    let end = fields(&bytes, [4, 2, 2, 2, 2, 4, 4, 2]);
    let Some([END_IS, disk, first, here, files, length, start, comment]) = end else {
        return Err(foreign("it does not end as a zip file without a comment does"));
    };
    if (disk, first, comment) != (0, 0, 0) || here != files {
        return Err(ambiguous("its end is not at its end"));
    }
    let at = at.unwrap_or_default();
    let small = Directory { start, end: at, files };
    // An end of more than 65,535 files or 4 GiB lies in front of that.
    let locator_at = at.checked_sub(LOCATOR);
    let bytes = read(locator_at, LOCATOR).transpose()?.unwrap_or_default();
    let Some([LOCATOR_IS, disk, record, disks]) = fields(&bytes, [4, 4, 8, 4]) else {
        return match small.start.checked_add(length) {
            Some(end) if end == small.end => Ok(small),
            _ => Err(ambiguous("its end does not lie behind its directory")),
        };
    };
    let at = locator_at.and_then(|at| at.checked_sub(LARGE));
    let bytes = read(at, LARGE).transpose()?.unwrap_or_default();
    let large = fields(&bytes, [4, 8, 2, 2, 4, 4, 8, 8, 8, 8]);
    let Some([LARGE_IS, long, _, _, 0, 0, here, files, length_of_all, start]) = large else {
        return Err(ambiguous("its large end is malformed"));
    };
    let same = |small: u64, large: u64, most: u64| small == most || small == large;
    let both_say_the_same = same(small.files, files, 0xffff)
        && same(length, length_of_all, MOST)
        && same(small.start, start, MOST);
    let lies_there = (at, disk, disks, long) == (Some(record), 0, 1, LARGE.saturating_sub(12));
    match start.checked_add(length_of_all) {
        Some(end) if both_say_the_same && lies_there && here == files && end == record => {
            Ok(Directory { start, end, files })
        }
        _ => Err(ambiguous("its large end does not lie behind its directory")),
    }
}

/// A file, as the directory has it.
struct Entry {
    needs: u64,
    flags: u64,
    crc: u64,
    sizes: Sizes,
    offset: u64,
    name: Vec<u8>,
    /// How long this entry of the directory is.
    length: u64,
}

/// How long a file is: packed, unpacked.
type Sizes = (u64, u64);

/// Reads an entry of the directory.
fn entry(window: &mut Window, reader: &mut (impl Read + Seek), at: u64) -> Result<Entry, SourceError> {
    let bytes = window.bytes(reader, at, ENTRY)?.unwrap_or_default();
    let fixed = fields(&bytes, [4, 2, 2, 2, 2, 4, 4, 4, 4, 2, 2, 2, 2, 2, 4, 4]);
    let Some(
        [
            ENTRY_IS,
            made_by,
            needs,
            flags,
            method,
            when,
            crc,
            packed,
            unpacked,
            named,
            extra,
            comment,
            disk,
            inner,
            outer,
            offset,
        ],
    ) = fixed
    else {
        return Err(ambiguous("its directory is cut off"));
    };
    if flags & !FLAGS != 0 || method != DEFLATED || (comment, disk) != (0, 0) {
        return Err(foreign(
            "a file in it is encrypted, not deflated, written without its length, or has a comment",
        ));
    }
    // Fields that do not matter for reading could say anything: another time, a link instead of a file.
    if !NEEDS.contains(&needs) || made_by != (UNIX | needs) || (when, inner, outer) != (WHEN, 0, PLAIN_FILE) {
        return Err(foreign(
            "a file in it has another time, other attributes, or was packed by another program",
        ));
    }
    let (name, more) = name_and_more(window, reader, at.saturating_add(ENTRY), named, extra)?;
    let mut more = more.as_slice();
    let mut large = |field: u64| if field == MOST { take(&mut more) } else { Some(field) };
    // The unpacked length comes first.
    let (unpacked, packed, offset) = (large(unpacked), large(packed), large(offset));
    match (packed, unpacked, offset, more) {
        (Some(packed), Some(unpacked), Some(offset), []) => {
            let length = ENTRY.saturating_add(named).saturating_add(extra);
            Ok(Entry { needs, flags, crc, sizes: (packed, unpacked), offset, name, length })
        }
        _ => Err(ambiguous("the length or the place of a file is missing")),
    }
}

/// The position behind a file, whose header must agree with the directory.
fn behind(entry: &Entry, window: &mut Window, reader: &mut (impl Read + Seek)) -> Result<u64, SourceError> {
    let bytes = window.bytes(reader, entry.offset, FILE)?.unwrap_or_default();
    let fixed = fields(&bytes, [4, 2, 2, 2, 4, 4, 4, 4, 2, 2]);
    let Some([FILE_IS, needs, flags, method, when, crc, packed, unpacked, named, extra]) = fixed else {
        return Err(ambiguous("the directory names a file that is not there"));
    };
    let at = entry.offset.saturating_add(FILE);
    let (name, more) = name_and_more(window, reader, at, named, extra)?;
    let mut more = more.as_slice();
    let mut large = |field: u64| if field == MOST { take(&mut more) } else { Some(field) };
    let (unpacked, packed) = (large(unpacked), large(packed));
    let same = (needs, flags, method, when, crc, &name)
        == (entry.needs, entry.flags, DEFLATED, WHEN, entry.crc, &entry.name)
        && (packed, unpacked) == (Some(entry.sizes.0), Some(entry.sizes.1))
        && more.is_empty();
    let begins = at.saturating_add(named).saturating_add(extra);
    match begins.checked_add(entry.sizes.0) {
        Some(end) if same => Ok(end),
        _ => Err(ambiguous("the directory says of a file what the file does not say")),
    }
}

/// The name behind a fixed part, and the one field that may follow: lengths that are too large for the fixed
/// part.
fn name_and_more(
    window: &mut Window,
    reader: &mut (impl Read + Seek),
    at: u64,
    named: u64,
    extra: u64,
) -> Result<(Vec<u8>, Vec<u8>), SourceError> {
    let bytes = window.bytes(reader, at, named.saturating_add(extra))?.unwrap_or_default();
    let (name, more) = usize::try_from(named)
        .ok()
        .and_then(|named| bytes.split_at_checked(named))
        .ok_or_else(|| ambiguous("its directory is cut off"))?;
    if more.is_empty() {
        return Ok((name.to_vec(), Vec::new()));
    }
    match fields(more, [2, 2]) {
        Some([LENGTHS_ARE, long]) if long.saturating_add(4) == extra => {
            Ok((name.to_vec(), more.get(4..).unwrap_or_default().to_vec()))
        }
        _ => Err(foreign("a file in it has fields that ours do not have")),
    }
}

/// The next large field.
fn take(bytes: &mut &[u8]) -> Option<u64> {
    let [field] = fields(bytes, [8])?;
    *bytes = bytes.get(8..)?;
    Some(field)
}

/// Consecutive numbers of these lengths.
fn fields<const N: usize>(mut bytes: &[u8], lengths: [usize; N]) -> Option<[u64; N]> {
    let mut fields = [0; N];
    for (field, length) in fields.iter_mut().zip(lengths) {
        let (number, rest) = bytes.split_at_checked(length)?;
        *field = number.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
        bytes = rest;
    }
    Some(fields)
}

/// A part of the archive that was read ahead.
struct Window {
    at: u64,
    bytes: Vec<u8>,
    ahead: u64,
}

impl Window {
    fn new(ahead: u64) -> Window {
        Window { at: 0, bytes: Vec::new(), ahead }
    }

    /// These bytes; `None` if the archive is shorter.
    fn bytes(
        &mut self,
        reader: &mut (impl Read + Seek),
        at: u64,
        length: u64,
    ) -> Result<Option<Vec<u8>>, SourceError> {
        if let Some(bytes) = self.held(at, length) {
            return Ok(Some(bytes));
        }
        reader.seek(SeekFrom::Start(at)).map_err(unreadable)?;
        (self.at, self.bytes) = (at, Vec::new());
        reader.take(self.ahead.max(length)).read_to_end(&mut self.bytes).map_err(unreadable)?;
        Ok(self.held(at, length))
    }

    fn held(&self, at: u64, length: u64) -> Option<Vec<u8>> {
        let from = usize::try_from(at.checked_sub(self.at)?).ok()?;
        let until = from.checked_add(usize::try_from(length).ok()?)?;
        self.bytes.get(from..until).map(<[u8]>::to_vec)
    }
}

fn foreign(what: &str) -> SourceError {
    let what = format!(
        "{what}: it is damaged, or not the file that a gateway wrote; take that one, or unpack an export and verify the directory"
    );
    SourceError::unreadable(ARCHIVE, what)
}

fn ambiguous(what: &str) -> SourceError {
    let what = format!("{what}: programs can find different files in it, and no gateway writes it so");
    SourceError::wrong(ARCHIVE, what)
}

fn unreadable(error: io::Error) -> SourceError {
    SourceError::unreadable(ARCHIVE, error)
}

const END_IS: u64 = 0x0605_4b50;
const LOCATOR_IS: u64 = 0x0706_4b50;
const LARGE_IS: u64 = 0x0606_4b50;
const ENTRY_IS: u64 = 0x0201_4b50;
const FILE_IS: u64 = 0x0403_4b50;
const LENGTHS_ARE: u64 = 1;

/// How long the fixed parts are.
const END: u64 = 22;
const LOCATOR: u64 = 20;
const LARGE: u64 = 56;
const ENTRY: u64 = 46;
const FILE: u64 = 30;

/// A field that is too small for its number.
const MOST: u64 = 0xffff_ffff;
const DEFLATED: u64 = 8;
/// The version of the format that a file needs: plain, or with lengths for large files.
const NEEDS: [u64; 2] = [20, 45];
/// Packed on Unix.
const UNIX: u64 = 3 << 8;
/// The first moment that the format can express, which all of our files have.
const WHEN: u64 = 0x0021_0000;
/// A plain file that its owner may write and everybody may read.
const PLAIN_FILE: u64 = 0o100_644 << 16;
/// How it was packed, and that the name is UTF-8.
const FLAGS: u64 = 0x0806;

/// How much of the directory is read at once.
const ENTRIES_AHEAD: u64 = 64 * 1024;
/// How much of each file is read: its fixed part and its name.
const FILES_AHEAD: u64 = 256;

#[cfg(test)]
mod tests;
