//! Which codec a stream is in, told by its first packet, and how long that codec's packets last.

use super::{
    super::{Allowance, Rate, Unmeasurable},
    OggFault,
    opus::Opus,
    speex::Speex,
    vorbis::Vorbis,
};

/// A codec that has been recognised, with what its headers said so far.
pub(super) enum Codec {
    Opus(Opus),
    Vorbis(Vorbis),
    Speex(Speex),
}

impl Codec {
    /// Takes the next packet of the stream: the samples it decodes to, or none if it is a header.
    pub(super) fn read(
        codec: &mut Option<Self>,
        packet: &[u8],
        allowance: &mut Allowance,
    ) -> Result<Option<u64>, Unmeasurable> {
        match codec {
            None => {
                *codec = Some(Self::identify(packet)?);
                Ok(None)
            }
            Some(Self::Opus(opus)) => opus.read(packet, allowance),
            Some(Self::Vorbis(vorbis)) => vorbis.read(packet, allowance),
            Some(Self::Speex(speex)) => speex.read(packet, allowance),
        }
    }

    pub(super) fn rate(&self) -> Rate {
        match self {
            Self::Opus(_) => Opus::RATE,
            Self::Vorbis(vorbis) => vorbis.rate(),
            Self::Speex(speex) => speex.rate(),
        }
    }

    pub(super) fn channels(&self) -> u16 {
        match self {
            Self::Opus(opus) => opus.channels(),
            Self::Vorbis(vorbis) => vorbis.channels(),
            Self::Speex(speex) => speex.channels(),
        }
    }

    /// The streams in each packet and the samples to skip, if it is Opus.
    pub(super) fn as_opus(&self) -> Option<(u8, u64)> {
        match self {
            Self::Opus(opus) => Some((opus.streams, opus.pre_skip)),
            Self::Vorbis(_) | Self::Speex(_) => None,
        }
    }

    /// Whether the packet that comes next holds the comments, and can be told from a header that begins a stream.
    pub(super) fn awaits_comments(&self) -> bool {
        match self {
            Self::Opus(opus) => !opus.tagged,
            Self::Vorbis(vorbis) => vorbis.awaits_comments(),
            Self::Speex(_) => false,
        }
    }

    /// Samples that an encoder may put in front of the sound, whatever it says of them.
    pub(super) fn pre_skip_limit(&self) -> u64 {
        match self {
            Self::Opus(_) => Opus::PRE_SKIP_LIMIT,
            Self::Vorbis(_) | Self::Speex(_) => 0,
        }
    }

    fn identify(packet: &[u8]) -> Result<Self, Unmeasurable> {
        let name = match packet {
            [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', rest @ ..] => {
                return Opus::parse(rest).map(Self::Opus);
            }
            [1, b'v', b'o', b'r', b'b', b'i', b's', rest @ ..] => {
                return Vorbis::parse(rest).map(Self::Vorbis);
            }
            [b'S', b'p', b'e', b'e', b'x', b' ', b' ', b' ', rest @ ..] => {
                return Speex::parse(rest).map(Self::Speex);
            }
            [0x7F, b'F', b'L', b'A', b'C', ..] | [b'f', b'L', b'a', b'C', ..] => "FLAC",
            [0x80, b't', b'h', b'e', b'o', b'r', b'a', ..] => "Theora video",
            [b'f', b'i', b's', b'h', b'e', b'a', b'd', ..] => "Skeleton with further streams",
            [b'C', b'E', b'L', b'T', ..] => "CELT",
            [b'P', b'C', b'M', b' ', ..] => "PCM",
            _ => "something unknown",
        };
        Err(OggFault::Codec { name }.into())
    }
}
