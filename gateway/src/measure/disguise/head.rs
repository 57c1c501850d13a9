//! Marks at fixed places, by which `sox`, `ffmpeg` and the libraries that it uses know a format.
//!
//! Only formats that hold sound, and whose marks an accepted file has room for. Those of WAV, Ogg, ID3 and of others
//! that nobody can confuse with them are told before ([`super::super::other`]).

use zeroize::Zeroizing;

use super::super::mp3::frame_length;

/// The first bytes.
#[derive(Default)]
pub(super) struct Head {
    held: Zeroizing<Vec<u8>>,
}

impl Head {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.held.capacity() == 0 {
            // All at once: bytes that a `Vec` leaves behind when it grows are not wiped.
            self.held = Zeroizing::new(Vec::with_capacity(HEAD));
        }
        let room = HEAD.saturating_sub(self.held.len());
        self.held.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// The format that begins like this.
    pub(super) fn finding(&self) -> Option<&'static str> {
        let shows = |marks: &[Mark]| marks.iter().all(|(at, mark)| self.stands(*at, mark));
        let known = MARKS.iter().find(|(_, marks)| shows(marks)).map(|(name, _)| *name);
        known
            .or_else(|| self.is_act().then_some("ACT"))
            .or_else(|| self.is_adx().then_some("ADX"))
            .or_else(|| self.module())
    }

    /// Whether seven frames of MPEG audio are the first there is, in what is left of a block that begins `before` bytes
    /// before: then `ffmpeg` looks no further.
    pub(super) fn is_surely_mpeg_audio(&self, before: u64) -> bool {
        let room = usize::try_from(before).ok().and_then(|before| HEAD.checked_sub(before)).unwrap_or(0);
        let block = self.held.get(..room).unwrap_or(&self.held);
        let zeros = block.iter().take_while(|byte| **byte == 0).count();
        let mut rest = block.get(zeros..).unwrap_or_default();
        for _ in 0..7 {
            let length = rest.first_chunk().and_then(|start| frame_length(*start));
            let Some(next) = length.and_then(|length| rest.get(usize::try_from(length).ok()?..)) else {
                return false;
            };
            rest = next;
        }
        // The last header has to be followed by as many bytes as a header.
        rest.len() >= 4
    }

    fn stands(&self, at: usize, mark: &[u8]) -> bool {
        self.held.get(at..).is_some_and(|rest| rest.starts_with(mark))
    }

    /// The files of some voice recorders: the header of a WAV file, and zeros around a date.
    fn is_act(&self) -> bool {
        let zero = |from, until| self.held.get(from..until).is_some_and(|part| part.iter().all(|x| *x == 0));
        self.stands(0, b"RIFF") && self.stands(256, &[0x84]) && zero(44, 256) && zero(264, 512)
    }

    /// Recordings of game consoles, which name their maker at the end of a header of any length.
    fn is_adx(&self) -> bool {
        self.stands(0, &[0x80, 0]) && self.held.windows(6).any(|six| six == b"(c)CRI")
    }

    /// `ProTracker` and those after it: four letters behind the list of samples say how many channels there are.
    fn module(&self) -> Option<&'static str> {
        let channels = match self.held.get(1080..1084)? {
            [digit, b'C', b'H', b'N'] | [b'T', b'D', b'Z', digit] => digit.is_ascii_digit(),
            [tens, digit, b'C', b'H' | b'N'] => tens.is_ascii_digit() && digit.is_ascii_digit(),
            letters => MODULES.iter().any(|module| letters == *module),
        };
        channels.then_some("a ProTracker module")
    }
}

/// A place, and what stands there.
type Mark = (usize, &'static [u8]);

const MARKS: &[(&str, &[Mark])] = &[
    ("HCOM", &[(65, b"FSSD"), (128, b"HCOM")]),
    ("a ring tone of GSM telephones", &[(16, b"ring.bin")]),
    ("XMV", &[(12, b"xobX")]),
    ("Sega Stream", &[(213, b"Sega Stream")]),
    (MOVIE, &[(4, b"ftyp")]),
    (MOVIE, &[(4, b"moov")]),
    (MOVIE, &[(4, b"mdat")]),
    (MOVIE, &[(4, b"udta")]),
    (MOVIE, &[(4, b"pnot")]),
    (MOVIE, &[(4, b"wide")]),
    (MOVIE, &[(4, b"free")]),
    (MOVIE, &[(4, b"skip")]),
    (MOVIE, &[(4, b"uuid")]),
    (MOVIE, &[(4, b"junk")]),
    (MOVIE, &[(4, b"pict")]),
    (MOVIE, &[(4, b"prfl")]),
    (MOVIE, &[(4, b"ediw")]),
    ("a Scream Tracker module", &[(44, b"SCRM")]),
    ("a Scream Tracker module", &[(20, b"!Scream!")]),
    ("a Scream Tracker module", &[(20, b"BMOD2STM")]),
    ("a Scream Tracker module", &[(20, b"WUZAMOD!")]),
    ("a PolyTracker module", &[(44, b"PTMF")]),
    ("an Imago Orpheus module", &[(60, b"IM10")]),
    ("a SoundFX module", &[(60, b"SONG")]),
    ("a SoundFX module", &[(124, b"SO31")]),
    ("an Ice Tracker module", &[(1464, b"MTN\0")]),
    ("an Ice Tracker module", &[(1464, b"IT10")]),
    // From here on only where something stands before the first frame of MP3.
    ("a Creative voice file", &[(0, b"Creative Voice")]),
    ("SoundTool", &[(0, b"SOUND\x1A")]),
    ("a Turtle Beach sample", &[(0, b"SOUND SAMPLE")]),
    ("a Psion sound", &[(0, b"ALawSoundFile")]),
    ("a Psion sound", &[(0, b"\x37\0\0\x10\x6D\0\0\x10")]),
    ("SPHERE", &[(0, b"NIST_1A")]),
    ("a Yamaha TX-16W sample", &[(0, b"LM8953")]),
    ("Maxis XA", &[(0, b"XA\0\0")]),
    ("Maxis XA", &[(0, b"XAI\0")]),
    ("Maxis XA", &[(0, b"XAJ\0")]),
    ("AU", &[(0, b"dns.")]),
    ("AU", &[(0, b"\0ds.")]),
    ("AU", &[(0, b".sd\0")]),
    ("Audio Visual Research", &[(0, b"2BIT")]),
    ("PARIS", &[(0, b" paf")]),
    ("PARIS", &[(0, b"fap ")]),
    ("IRCAM", &[(0, b"\x64\xA3"), (3, b"\0")]),
    ("IRCAM", &[(0, b"\0"), (2, b"\xA3\x64")]),
    ("SoX", &[(0, b".SoX")]),
    ("SoX", &[(0, b"XoS.")]),
    ("Monkey's Audio", &[(0, b"MAC ")]),
    ("True Audio", &[(0, b"TTA1")]),
    ("TAK", &[(0, b"tBaK")]),
    ("Musepack", &[(0, b"MPCK")]),
    ("Musepack", &[(0, b"MP+")]),
    ("Shorten", &[(0, b"ajkg")]),
    ("DSD", &[(0, b"DSD ")]),
    ("DSD", &[(0, b"FRM8")]),
    ("TwinVQ", &[(0, b"TWIN")]),
    ("AAC", &[(0, b"ADIF")]),
    ("RealMedia", &[(0, b".RMF")]),
    ("RealAudio", &[(0, b".ra\xFD")]),
    ("Flash video", &[(0, b"FLV")]),
    ("Flash", &[(0, b"FWS")]),
    ("Flash", &[(0, b"CWS")]),
    ("SMAF", &[(0, b"MMMD")]),
    ("PVF", &[(0, b"PVF1")]),
    ("VAG", &[(0, b"VAGp")]),
    ("VAG", &[(0, b"pGAV")]),
    ("SVAG", &[(0, b"Svag")]),
    ("XVAG", &[(0, b"XVAG")]),
    ("GENH", &[(0, b"GENH")]),
    ("BRSTM", &[(0, b"RSTM")]),
    ("BFSTM", &[(0, b"FSTM")]),
    ("BCSTM", &[(0, b"CSTM")]),
    ("PlayStation 2 ADS", &[(0, b"SShd")]),
    ("AIX", &[(0, b"AIXF")]),
    ("HCA", &[(0, b"HCA\0")]),
    ("HCA", &[(0, b"\xC8\xC3\xC1\0")]),
    ("RSD", &[(0, b"RSD")]),
    ("FWSE", &[(0, b"FWSE")]),
    ("SIFF", &[(0, b"SIFF")]),
    ("NSV", &[(0, b"NSVf")]),
    ("NSV", &[(0, b"NSVs")]),
    ("FSB", &[(0, b"FSB")]),
    ("MSF", &[(0, b"MSF")]),
    ("MUSX", &[(0, b"MUSX")]),
    ("KVAG", &[(0, b"KVAG")]),
    ("Codec 2", &[(0, b"\xC0\xDE\xC2")]),
    ("AA (Audible)", &[(4, b"\x57\x90\x75\x36")]),
    ("an Impulse Tracker module", &[(0, b"IMPM")]),
    ("a FastTracker module", &[(0, b"Extended Module:")]),
    ("a tracker's module", &[(0, b"MTM")]),
    ("a tracker's module", &[(0, b"DBM0")]),
    ("a tracker's module", &[(0, b"DDMF")]),
    ("a tracker's module", &[(0, b"MMD")]),
    ("a tracker's module", &[(0, b"MO3")]),
    ("a tracker's module", &[(0, b"MT20")]),
    ("a tracker's module", &[(0, b"OKTASONG")]),
    ("a tracker's module", &[(0, b"PSM")]),
    ("a tracker's module", &[(0, b"FAR\xFE")]),
    ("a tracker's module", &[(0, b"AMF")]),
    ("a tracker's module", &[(0, b"MAS_UTrack_V")]),
    ("the music of a game console", &[(0, b"NESM")]),
    ("the music of a game console", &[(0, b"NSFE")]),
    ("the music of a game console", &[(0, b"SNES")]),
    ("the music of a game console", &[(0, b"Vgm ")]),
    ("the music of a game console", &[(0, b"GYMX")]),
    ("the music of a game console", &[(0, b"GBS\x01")]),
    ("the music of a game console", &[(0, b"HESM")]),
    ("the music of a game console", &[(0, b"KSCC")]),
    ("the music of a game console", &[(0, b"KSSX")]),
    ("the music of a game console", &[(0, b"ZXAY")]),
    ("the music of a game console", &[(0, b"SAP\r")]),
    ("a list of other files", &[(0, b"ffconcat")]),
];

const MOVIE: &str = "MP4 or QuickTime";

const MODULES: [&[u8; 4]; 16] = [
    b"M.K.", b"M!K!", b"M&K!", b"N.T.", b"FLT4", b"FLT8", b"EXO4", b"EXO8", b"CD61", b"CD81", b"OKTA",
    b"OCTA", b"PATT", b"NSMS", b"LARD", b"FEST",
];

/// The block that `ffmpeg` looks at first, which holds all marks.
const HEAD: usize = 2048;
