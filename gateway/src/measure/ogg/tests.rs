use super::{
    super::{METADATA_LIMIT, tests::measure},
    page::crc,
    *,
};

const CONTINUED: u8 = 1;
const BEGIN: u8 = 2;
const END: u8 = 4;

/// Narrow-band speech in one frame of 20 ms.
const OPUS_20_MS: &[u8] = &[1 << 3, 7, 7];

/// A file that grows page by page.
#[derive(Clone)]
pub(super) struct File {
    bytes: Vec<u8>,
    serial: u32,
    sequence: u32,
}

impl File {
    /// The first page, with the first packet.
    pub(super) fn new(first: &[u8]) -> Self {
        Self { bytes: Vec::new(), serial: 7, sequence: 0 }.page(BEGIN, 0, &[first])
    }

    fn opus(channels: u8) -> Self {
        Self::new(&opus_head(channels)).page(0, 0, &[b"OpusTags\0\0\0\0\0\0\0\0"])
    }

    /// A page of whole packets.
    pub(super) fn page(self, flags: u8, granule: i64, packets: &[&[u8]]) -> Self {
        let lacing = packets.iter().flat_map(|packet| lacing(packet.len())).collect::<Vec<u8>>();
        self.raw(flags, granule, &lacing, &packets.concat())
    }

    fn raw(mut self, flags: u8, granule: i64, lacing: &[u8], body: &[u8]) -> Self {
        let mut page = [b"OggS\0".as_slice(), &[flags], &granule.to_le_bytes()].concat();
        page.extend(self.serial.to_le_bytes());
        page.extend(self.sequence.to_le_bytes());
        page.extend([0; 4]);
        page.push(u8::try_from(lacing.len()).unwrap());
        page.extend(lacing);
        page.extend(body);
        mend(&mut page);
        self.bytes.extend(page);
        self.sequence += 1;
        self
    }

    pub(super) fn measure(&self) -> Result<Measured, Unmeasurable> {
        measure(&self.bytes)
    }

    pub(super) fn duration(&self) -> u64 {
        self.measure().unwrap().duration_ms
    }

    pub(super) fn fault(&self) -> OggFault {
        match self.measure() {
            Err(Unmeasurable::Ogg(fault)) => fault,
            other => panic!("not refused as an Ogg file: {other:?}"),
        }
    }
}

fn lacing(length: usize) -> Vec<u8> {
    let mut lacing = vec![255; length / 255];
    lacing.push(u8::try_from(length % 255).unwrap());
    lacing
}

fn opus_head(channels: u8) -> Vec<u8> {
    [b"OpusHead\x01".as_slice(), &[channels], &[56, 1, 0x80, 0xBB, 0, 0, 0, 0, 0]].concat()
}

/// Gives a page the checksum that goes with what it holds.
pub(crate) fn mend(page: &mut [u8]) {
    page[22..26].fill(0);
    let sum = crc(0, page);
    page[22..26].copy_from_slice(&sum.to_le_bytes());
}

/// Uploads for the properties that hold of every format.
pub(crate) fn recordings() -> Vec<Vec<u8>> {
    let opus = File::opus(1).page(0, 1920, &[OPUS_20_MS; 2]).page(0, 3840, &[OPUS_20_MS; 2]);
    let long = [OPUS_20_MS, &[7; 400]].concat();
    let split =
        File::opus(2).raw(0, -1, &[255], &long[..255]).raw(CONTINUED | END, 960, &[148], &long[255..]);
    vec![opus.bytes, split.bytes, vorbis::tests::recording().bytes, speex::tests::recording().bytes]
}

/// An Opus file whose header says that so many samples are not to be played.
pub(crate) fn with_pre_skip(samples: u16) -> Vec<u8> {
    let mut head = opus_head(1);
    head[10..12].copy_from_slice(&samples.to_le_bytes());
    File::new(&head).page(0, 0, &[b"OpusTags\0\0\0\0\0\0\0\0"]).page(0, 1920, &[OPUS_20_MS; 2]).bytes
}

#[test]
fn the_checksum_is_the_one_of_the_specification() {
    assert_eq!(crc(0, b"123456789"), 0x89A1_897F);
    let long: Vec<u8> = (0..=u8::MAX).cycle().take(1001).collect();
    let (head, tail) = long.split_at(333);
    let one_by_one = long.chunks(1).fold(0, crc);
    assert_eq!(crc(0, &long), one_by_one);
    assert_eq!(crc(crc(0, head), tail), one_by_one);
}

#[test]
fn packets_are_summed() {
    let file = File::opus(2).page(0, 1920, &[OPUS_20_MS; 2]).page(END, 4800, &[OPUS_20_MS; 3]);
    let measured = file.measure().unwrap();
    assert_eq!((measured.duration_ms, measured.channels, measured.sample_rate), (100, 2, 48_000));
    assert_eq!((measured.format, measured.silence), (Format::Ogg, None));
}

#[test]
fn the_larger_of_packets_and_positions_counts() {
    let file = |first, last| {
        File::opus(1).page(0, first, &[OPUS_20_MS; 2]).page(END, last, &[OPUS_20_MS; 3]).duration()
    };
    assert_eq!(file(1920, 1921), 100);
    assert_eq!(file(0, 0), 100);
    assert_eq!(file(i64::MIN, i64::MIN), 100);
    assert_eq!(file(i64::MAX, 0), 100);
    // A gap of a second, which players fill.
    assert_eq!(file(1920, 4800 + 48_000), 1100);
    // The stream was joined late, which is no gap.
    assert_eq!(file(1920 + 480_000, 4800 + 480_000), 100);
}

#[test]
fn positions_beyond_a_day_are_refused() {
    let file =
        |granule| File::opus(1).page(0, 960, &[OPUS_20_MS]).page(END, granule, &[OPUS_20_MS]).measure();
    assert_eq!(file(i64::MAX), Err(Unmeasurable::TooLong));
    assert!(file(48_000 * 60 * 60 * 24).is_ok());
}

#[test]
fn a_packet_may_go_on_in_the_next_page() {
    let packet = [OPUS_20_MS, &[7; 600]].concat();
    let file = File::opus(1)
        .raw(0, -1, &[255], &packet[..255])
        .raw(CONTINUED, -1, &[255], &packet[255..510])
        .raw(CONTINUED, 960, &[93], &packet[510..]);
    assert_eq!(file.duration(), 20);
    let begun = File::opus(1).page(0, 960, &[OPUS_20_MS]).raw(0, -1, &[255], &packet[..255]);
    assert_eq!(begun.duration(), 40, "a packet that was cut counts as the longest one");
    assert_eq!(begun.clone().page(0, 960, &[OPUS_20_MS]).fault(), OggFault::Continuation { page: 4 });
    let unbegun = File::opus(1).page(CONTINUED, 960, &[OPUS_20_MS]);
    assert_eq!(unbegun.fault(), OggFault::Continuation { page: 2 });
}

#[test]
fn a_packet_without_end_is_refused() {
    let full = vec![255; 255];
    let body = vec![0; 255 * 255];
    let file = File::opus(1).raw(0, -1, &full, &body).raw(CONTINUED, -1, &full, &body);
    assert_eq!(file.fault(), OggFault::PacketTooLong);
}

#[test]
fn an_altered_page_is_refused() {
    let file = File::opus(1).page(0, 960, &[OPUS_20_MS]);
    for at in 0..file.bytes.len() {
        let mut altered = file.clone();
        altered.bytes[at] ^= 0x10;
        assert!(altered.measure().is_err());
    }
    let mut altered = file;
    *altered.bytes.last_mut().unwrap() ^= 1;
    assert_eq!(altered.fault(), OggFault::Checksum { page: 2 });
}

/// What a recorder leaves that was killed.
#[test]
fn a_cut_page_counts_as_far_as_it_came() {
    let one = File::opus(1).page(0, 960, &[OPUS_20_MS]);
    let file = one.clone().page(0, 3840, &[OPUS_20_MS, &[1 << 3 | 1, 7, 7], OPUS_20_MS]);
    let page = file.bytes.len() - one.bytes.len();
    let duration = |came: usize| measure(&file.bytes[..one.bytes.len() + came]).unwrap().duration_ms;
    assert_eq!(duration(page), 100);
    // Cut in the third packet, or between, and in the second one, of which nobody knows how long it would be.
    assert_eq!([1, 2, 3].map(|missing| duration(page - missing)), [120, 120, 80]);
    assert_eq!([4, 5, 6, 7, 8, 9].map(|missing| duration(page - missing)), [60, 60, 40, 40, 40, 20]);
    // Within its header nothing of it has come.
    assert_eq!([1, 4, 26, 27, 29].map(duration), [20; 5]);
    let tags = File::new(&opus_head(1)).bytes.len() + 40;
    assert_eq!(measure(&file.bytes[..tags]), Err(Unmeasurable::NoAudio));
}

#[test]
fn what_lies_between_pages_plays_nothing_and_is_bounded() {
    let (one, two) = (File::opus(1), File::opus(1).page(0, 960, &[OPUS_20_MS]).page(0, 1920, &[OPUS_20_MS]));
    let (head, tail) = two.bytes.split_at(one.bytes.len());
    let with = |between: &[u8], behind: &[u8]| measure(&[head, between, tail, behind].concat());
    let too_much = vec![b'x'; usize::try_from(METADATA_LIMIT).unwrap()];
    for harmless in [&b"\r\n"[..], &[0; 100_000], b"Og", b"OggOggO", &too_much[8..]] {
        assert_eq!(with(harmless, &[]).unwrap().duration_ms, 40);
        assert_eq!(with(&[], harmless).unwrap().duration_ms, 40);
    }
    assert_eq!(with(&too_much, &[]), Err(OggFault::LostPage { page: 2 }.into()));
    assert_eq!(with(&[], &too_much), Err(OggFault::LostPage { page: 4 }.into()));
    // One that says it goes on beyond the upload is passed over by players, and those in it are played.
    for (at, value) in [(26, 200), (27, 254)] {
        let mut longer = two.bytes.clone();
        longer[one.bytes.len() + at] = value;
        assert_eq!(measure(&longer), Err(OggFault::Checksum { page: 2 }.into()));
    }
    // A page that we cannot read may be one that players play.
    for (at, value) in [(4, 1), (5, 8)] {
        let mut unknown = two.bytes.clone();
        unknown[one.bytes.len() + at] = value;
        assert_eq!(measure(&unknown), Err(OggFault::LostPage { page: 2 }.into()));
    }
}

#[test]
fn a_second_stream_is_refused() {
    let one = File::opus(1).page(END, 960, &[OPUS_20_MS]);
    let chained = File { bytes: [&*one.bytes, &one.bytes].concat(), ..one.clone() };
    assert_eq!(chained.fault(), OggFault::SecondStream { page: 3 });
    let more = one.clone().page(0, 1920, &[OPUS_20_MS]);
    assert_eq!(more.fault(), OggFault::SecondStream { page: 3 });
    let other = File { serial: 8, ..File::opus(1) }.page(0, 960, &[OPUS_20_MS]);
    assert_eq!(other.fault(), OggFault::SecondStream { page: 2 });
    let again = File::opus(1).page(BEGIN, 0, &[&opus_head(1)]);
    assert_eq!(again.fault(), OggFault::SecondStream { page: 2 });
}

/// Some writers mark two pages as the first one. A second head in there would begin another stream.
#[test]
fn the_page_with_the_comments_may_be_marked_as_the_first_one_too() {
    let tags: &[u8] = b"OpusTags\0\0\0\0\0\0\0\0";
    let file = File::new(&opus_head(1)).page(BEGIN, 0, &[tags]);
    assert_eq!(file.clone().page(0, 960, &[OPUS_20_MS]).duration(), 20);
    assert_eq!(file.page(BEGIN, 960, &[OPUS_20_MS]).fault(), OggFault::SecondStream { page: 2 });
    let twice = File::new(&opus_head(1)).page(BEGIN, 0, &[&opus_head(2)]);
    assert_eq!(twice.fault(), OggFault::Header { header: "OpusTags" });
    let speex = speex::tests::head();
    assert_eq!(File::new(&speex).page(BEGIN, 0, &[&speex]).fault(), OggFault::SecondStream { page: 1 });
}

#[test]
fn a_packet_of_no_bytes_lasts_as_long_as_the_one_before() {
    let file = File::opus(1).page(0, 0, &[&[], OPUS_20_MS, &[], &[]]).page(END, 960, &[&[]]);
    assert_eq!(file.duration(), 80);
}

#[test]
fn missing_pages_are_refused() {
    let file = File { sequence: 3, ..File::opus(1) }.page(0, 960, &[OPUS_20_MS]);
    assert_eq!(file.fault(), OggFault::PageOrder { page: 2, found: 3, expected: 2 });
    let headless = File { bytes: Vec::new(), serial: 7, sequence: 0 }.page(0, 960, &[OPUS_20_MS]);
    assert_eq!(headless.fault(), OggFault::NoBeginning);
}

/// Writers that count the pages of audio apart, or are restarted.
#[test]
fn page_numbers_may_begin_again() {
    for sequence in [0, 1, 2] {
        let file =
            File { sequence, ..File::opus(1) }.page(0, 960, &[OPUS_20_MS]).page(0, 1920, &[OPUS_20_MS]);
        assert_eq!(file.duration(), 40);
        let gap = File { sequence: sequence + 4, ..file }.page(0, 960, &[OPUS_20_MS]);
        assert!(matches!(gap.fault(), OggFault::PageOrder { page: 4, .. }));
    }
}

#[test]
fn metadata_is_accepted_within_its_bound() {
    let tagged = |tags: &[u8]| {
        let tags = [b"OpusTags", tags].concat();
        File::new(&opus_head(1)).page(0, 0, &[&tags]).page(0, 960, &[OPUS_20_MS])
    };
    let limit = usize::try_from(METADATA_LIMIT).unwrap();
    assert_eq!(tagged(&vec![b'.'; limit - 8]).duration(), 20);
    assert_eq!(tagged(&vec![b'.'; limit - 7]).measure(), Err(Unmeasurable::Metadata));
    assert_eq!(tagged(&[0; 60_000]).duration(), 20, "zeros are padding");
    let empty_pages = |count| (0..count).fold(tagged(&[]), |file, _| file.page(0, 960, &[]));
    let pages = (limit - 8) / HEADER;
    assert_eq!(empty_pages(pages).duration(), 20);
    assert_eq!(empty_pages(pages + 1).measure(), Err(Unmeasurable::Metadata));
}

#[test]
fn other_codecs_are_refused_by_name() {
    let name = |packet: &[u8]| File::new(packet).fault();
    assert_eq!(name(b"\x7FFLAC\x01\0"), OggFault::Codec { name: "FLAC" });
    assert_eq!(name(b"\x80theora"), OggFault::Codec { name: "Theora video" });
    assert_eq!(name(b""), OggFault::Codec { name: "something unknown" });
}

#[test]
fn a_file_without_audio_is_refused() {
    assert_eq!(File::opus(1).measure(), Err(Unmeasurable::NoAudio));
    assert_eq!(File::new(&opus_head(1)).measure(), Err(Unmeasurable::NoAudio));
    let untagged = File::new(&opus_head(1)).page(0, 960, &[OPUS_20_MS]);
    assert_eq!(untagged.fault(), OggFault::Header { header: "OpusTags" });
}
