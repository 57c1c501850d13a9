//! Recordings that somebody has tampered with, or a recorder has written badly: everything follows from a number.

use super::super::super::ogg::tests::mend;
use super::originals::Original;

/// A recording, and what happened to it.
pub(super) struct Mutant {
    pub(super) story: String,
    pub(super) extension: &'static str,
    pub(super) bytes: Vec<u8>,
}

impl Mutant {
    pub(super) fn untouched(original: &Original) -> Self {
        Self { story: original.name.clone(), extension: original.extension, bytes: original.bytes.clone() }
    }

    pub(super) fn new(originals: &[Original], seed: u64) -> Self {
        let mut chance = Chance(seed);
        let disguised = chance.one_in(6);
        let choices: Vec<_> = originals.iter().filter(|original| original.disguised == disguised).collect();
        let original = *chance.of(&choices);
        // What is mixed in is mostly of the same kind.
        let any = chance.one_in(3);
        let others = originals.iter().filter(|other| any || other.extension == original.extension);
        let other = *chance.of(&others.collect::<Vec<_>>());
        let mut mutant = Self::untouched(original);
        mutant.story = format!("seed {seed}: {}", original.name);
        for _ in 0..=chance.below(3) {
            let what = match (chance.below(4), original.extension) {
                (0, _) => anything(&mut chance, &mut mutant.bytes, &other.bytes),
                (_, "wav") => wav(&mut chance, &mut mutant.bytes, &other.bytes),
                (_, "mp3") => mp3(&mut chance, &mut mutant.bytes, &other.bytes),
                (_, _) => ogg(&mut chance, &mut mutant.bytes, &other.bytes),
            };
            mutant.story = format!("{}; {what}", mutant.story);
        }
        mutant
    }
}

/// What happens to files of any kind.
fn anything(chance: &mut Chance, file: &mut Vec<u8>, other: &[u8]) -> String {
    if file.is_empty() {
        return "empty".to_owned();
    }
    match chance.below(7) {
        0 => {
            file.truncate(chance.below(file.len()));
            format!("cut to {}", file.len())
        }
        1 => {
            let at = chance.below(file.len().min(100));
            file[at] = chance.byte();
            format!("byte {at} is {:#x}", file[at])
        }
        2 => {
            let at = chance.below(file.len());
            file[at] = chance.byte();
            format!("byte {at} is {:#x}", file[at])
        }
        3 => {
            file.extend(other);
            "another behind".to_owned()
        }
        4 => {
            let piece = filling(chance, other);
            file.extend(&piece);
            format!("{} bytes behind", piece.len())
        }
        5 => {
            let (piece, at) = (filling(chance, other), chance.below(file.len()));
            file.splice(at..at, piece.iter().copied());
            format!("{} bytes at {at}", piece.len())
        }
        _ => {
            let from = chance.below(file.len());
            let until = (from + chance.below(3000)).min(file.len());
            file.drain(from..until);
            format!("{from}..{until} removed")
        }
    }
}

/// Bytes that may or may not be audio.
fn filling(chance: &mut Chance, other: &[u8]) -> Vec<u8> {
    let length = *chance.of(&[1, 2, 3, 4, 27, 100, 128, 512, 1000, 4000, 30_000]);
    match chance.below(5) {
        0 => vec![0; length],
        1 => b"\r\n".repeat(length.min(40)),
        2 => (0..length).map(|_| chance.byte()).collect(),
        3 => {
            let from = chance.below(other.len());
            other[from..].iter().copied().take(length).collect()
        }
        _ => [b"TAG".as_slice(), &other[other.len().saturating_sub(125)..]].concat(),
    }
}

fn wav(chance: &mut Chance, file: &mut Vec<u8>, other: &[u8]) -> String {
    let Some(data) = find(file, b"data") else { return "no `data`".to_owned() };
    match chance.below(9) {
        // A field of `fmt `.
        0..=2 => {
            let Some(format) = find(file, b"fmt ") else { return "no `fmt `".to_owned() };
            let (at, width) =
                *chance.of(&[(8, 2), (10, 2), (12, 4), (16, 4), (20, 2), (22, 2), (24, 2), (26, 2), (32, 2)]);
            let value = *chance.of(&[
                0,
                1,
                2,
                3,
                4,
                6,
                7,
                8,
                12,
                16,
                20,
                22,
                24,
                32,
                64,
                65,
                80,
                8000,
                16_000,
                32_000,
                44_100,
                48_000,
                64_000,
                96_000,
                0x31,
                0x55,
                0xFFFE,
                0xFFFF,
                u32::MAX,
            ]);
            let Some(field) = file.get_mut(format + at..format + at + width) else {
                return "short".to_owned();
            };
            field.copy_from_slice(&value.to_le_bytes()[..width]);
            format!("`fmt ` +{at} is {value}")
        }
        3 => {
            let format = extensible(chance);
            file.splice(12..data, format.iter().copied());
            format!("extensible {format:02x?}")
        }
        4 => {
            let left = u32::try_from(file.len() - data - 8).unwrap();
            let size = *chance.of(&[
                0,
                1,
                left / 2,
                left / 2 + 1,
                left - 1,
                left - 200,
                left + 1,
                left + 8,
                left + 36,
                left + 44,
                left + 2000,
                0x7FFF_FFFF,
                0xFFFF_FFFF,
                0xFFFF_FFDB,
                0x1000_0000,
            ]);
            file[data + 4..data + 8].copy_from_slice(&size.to_le_bytes());
            format!("`data` of {size}")
        }
        5 | 6 => {
            let chunk = chunk(chance, other);
            file.splice(data..data, chunk.iter().copied());
            format!("chunk {} in front", chunk[..8].escape_ascii())
        }
        7 => {
            let chunk = chunk(chance, other);
            file.extend(&chunk);
            format!("chunk {} behind", chunk[..8].escape_ascii())
        }
        _ => {
            // Silence, or what is silent in one reading.
            let quiet = [
                &[0, 0, 0, 0][..],
                &[0xFF, 0x7F],
                &[0x80],
                &[0xD5, 0x55],
                &[0x30, 0x7A, 0, 0],
                &[0, 0x7F, 4, 0],
            ];
            let quiet = chance.of(&quiet).to_vec();
            let from = (data + 8 + chance.below(2000)).min(file.len());
            for (byte, value) in file[from..].iter_mut().zip(quiet.iter().cycle()) {
                *byte = *value;
            }
            format!("{quiet:02x?} from {from} on")
        }
    }
}

fn extensible(chance: &mut Chance) -> Vec<u8> {
    let bits: u16 = *chance.of(&[8, 16, 24, 32]);
    let valid: u16 = *chance.of(&[0, 1, 8, 12, 16, 20, 24, 32, bits, bits, bits]);
    let channels: u16 = *chance.of(&[1, 1, 2, 8]);
    let tag: u16 = *chance.of(&[1, 1, 1, 3, 6, 7, 0x31]);
    let block = channels * bits / 8;
    let extension: u16 = *chance.of(&[22, 22, 22, 0, 2, 40]);
    let mut format =
        [b"fmt ".as_slice(), &40_u32.to_le_bytes(), &[0xFE, 0xFF], &channels.to_le_bytes()].concat();
    format.extend(8000_u32.to_le_bytes());
    format.extend((8000 * u32::from(block)).to_le_bytes());
    for field in [block, bits, extension, valid, 4, 0, tag] {
        format.extend(field.to_le_bytes());
    }
    format.extend([0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]);
    format
}

fn chunk(chance: &mut Chance, other: &[u8]) -> Vec<u8> {
    let id = *chance.of(&[
        b"LIST",
        b"data",
        b"JUNK",
        b"FLLR",
        b"fact",
        b"iXML",
        b"bext",
        b"nice",
        b"TAG!",
        b"RIFF",
        b"id3 ",
        b"XMA2",
        b"SMV0",
        b"wavl",
        b"slnt",
        b"\0\0\0\0",
        b"fmt ",
        b"PAD ",
        b"ds64",
    ]);
    let body = filling(chance, other);
    let size = u32::try_from(body.len()).unwrap();
    let size = *chance.of(&[size, size, size, size + 1, 0, size / 2, 4, u32::MAX]);
    [id.as_slice(), &size.to_le_bytes(), &body].concat()
}

fn mp3(chance: &mut Chance, file: &mut Vec<u8>, other: &[u8]) -> String {
    let at = (chance.below(file.len() + 1) / 72 * 72).min(file.len());
    let inside = filling(chance, other);
    let size = u32::try_from(inside.len()).unwrap();
    let synchsafe =
        [0, size >> 14, size >> 7 & 0x7F, size & 0x7F].map(|part| u8::try_from(part & 0x7F).unwrap());
    let (what, piece) = match chance.below(8) {
        0 => ("ID3v2", [b"ID3\x04\0\0".as_slice(), &synchsafe, &inside].concat()),
        1 => {
            let (version, flags) = (*chance.of(&[2, 3, 4, 5, 0xFF]), *chance.of(&[0x10, 0x40, 0x80]));
            ("an odd ID3v2", [b"ID3".as_slice(), &[version, 0, flags], &synchsafe, &inside].concat())
        }
        2 => (
            "APE",
            [
                b"APETAGEX\xD0\x07\0\0".as_slice(),
                &size.to_le_bytes(),
                &[1, 0, 0, 0, 0, 0, 0, 0x20],
                &[0; 8],
                &inside,
            ]
            .concat(),
        ),
        3 => ("Lyrics3", [b"LYRICSBEGIN".as_slice(), &inside, b"LYRICSEND"].concat()),
        4 => (
            "ID3v1",
            [b"TAG".as_slice(), &inside.iter().copied().cycle().take(125).collect::<Vec<u8>>()].concat(),
        ),
        // A frame that is longer than the frames in it.
        5 => (
            "a large frame",
            [
                [0xFF, *chance.of(&[0xE3, 0xF3, 0xFB]), *chance.of(&[0xE8, 0xE4, 0xE0]), 0xC4].as_slice(),
                &inside,
            ]
            .concat(),
        ),
        6 => {
            let header = file.get(..4).unwrap_or_default().to_vec();
            ("headers", header.repeat(1 + chance.below(300)))
        }
        _ => ("bytes", inside),
    };
    let at = if chance.one_in(4) { 0 } else { at };
    let count = 1 + chance.below(2) * chance.below(12);
    file.splice(at..at, piece.repeat(count).into_iter().take(60_000));
    format!("{count} × {what} of {} at {at}", piece.len())
}

fn ogg(chance: &mut Chance, file: &mut Vec<u8>, other: &[u8]) -> String {
    let mut pages = pages(file);
    if pages.is_empty() {
        return "no pages".to_owned();
    }
    let at = if chance.one_in(3) { chance.below(pages.len().min(3)) } else { chance.below(pages.len()) };
    if pages[at].len() < 28 {
        return "no page".to_owned();
    }
    let number = chance.next();
    let what = match chance.below(11) {
        0 => {
            pages.remove(at);
            "a page less"
        }
        1 => {
            let page = pages[at].clone();
            pages.insert(at, page);
            "a page twice"
        }
        2 => {
            let to = chance.below(pages.len());
            pages.swap(at, to);
            "pages swapped"
        }
        3 => {
            pages[at][5] = u8::try_from(number & 7).unwrap();
            "flags"
        }
        4 => {
            let granule = *chance.of(&[0, -1, 1, 48_000, 100_000, i64::MAX, i64::MIN, 1 << 40]);
            pages[at][6..14].copy_from_slice(&granule.to_le_bytes());
            "position"
        }
        5 => {
            pages[at][18] = u8::try_from(number & 0xFF).unwrap();
            "number"
        }
        6 => {
            let length = pages[at].len();
            let byte = 27 + chance.below(length.saturating_sub(27).max(1));
            if let Some(byte) = pages[at].get_mut(byte) {
                *byte = chance.byte();
            }
            "a byte of a page"
        }
        7 => {
            // A packet of no bytes, or of few.
            let segments = usize::from(pages[at][26]);
            if segments < 250 {
                let body = chance.below(4);
                pages[at][26] += 1;
                pages[at].insert(27 + segments, u8::try_from(body).unwrap());
                pages[at].extend(vec![u8::try_from(number & 0xFF).unwrap(); body]);
            }
            "a packet more"
        }
        8 => {
            pages.insert(at, filling(chance, other));
            "bytes between"
        }
        9 => {
            let page = chance.of(&self::pages(other)).clone();
            pages.insert(at, page);
            "another's page"
        }
        _ => {
            // The head of the codec.
            let byte = 28 + chance.below(pages[0].len().saturating_sub(28));
            let Some(byte) = pages[0].get_mut(byte) else { return "no head".to_owned() };
            *byte = *chance.of(&[0, 1, 2, 3, 8, 10, 80, 160, 255]);
            "the head"
        }
    };
    let renumber = chance.one_in(2);
    let serial = pages.first().and_then(|page| page.get(14..18)).map(<[u8]>::to_vec);
    for (index, page) in pages.iter_mut().enumerate() {
        if !page.starts_with(b"OggS") || page.len() < 27 {
            continue;
        }
        if renumber {
            page[18..22].copy_from_slice(&u32::try_from(index).unwrap().to_le_bytes());
            page[14..18].copy_from_slice(serial.as_deref().unwrap_or(&[0; 4]));
        }
        mend(page);
    }
    *file = pages.concat();
    format!("{what} at page {at}{}", if renumber { ", renumbered" } else { "" })
}

/// Whole pages; what is none is a piece by itself.
fn pages(file: &[u8]) -> Vec<Vec<u8>> {
    let mut pages = Vec::new();
    let mut at = 0;
    while let Some(header) = file.get(at..at + 27).filter(|header| header.starts_with(b"OggS")) {
        let lacing = file[at + 27..].iter().take(usize::from(header[26]));
        let end =
            (at + 27 + usize::from(header[26]) + lacing.map(|value| usize::from(*value)).sum::<usize>())
                .min(file.len());
        pages.push(file[at..end].to_vec());
        at = end;
    }
    if at < file.len() {
        pages.push(file[at..].to_vec());
    }
    pages
}

fn find(file: &[u8], id: &[u8]) -> Option<usize> {
    file.windows(8).position(|window| window.starts_with(id))
}

/// Numbers that follow from one (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}
