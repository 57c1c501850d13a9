//! What is done with a call's audio.

/// One use of what is said. Each needs a permit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Use {
    /// It is recorded.
    Record,
    /// It is written down.
    Transcribe,
    /// Somebody listens.
    Stream,
    /// A program draws conclusions from it.
    Analyse,
}

impl Use {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Record, Self::Transcribe, Self::Stream, Self::Analyse];

    /// Its name: `record`, `transcribe`, `stream` or `analyse`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Transcribe => "transcribe",
            Self::Stream => "stream",
            Self::Analyse => "analyse",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Record => 1,
            Self::Transcribe => 2,
            Self::Stream => 4,
            Self::Analyse => 8,
        }
    }
}

/// A set of uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Uses(u8);

impl Uses {
    /// None at all.
    pub const NONE: Self = Self(0);
    /// Every use.
    pub const ALL: Self = Self::NONE.and(Use::Record).and(Use::Transcribe).and(Use::Stream).and(Use::Analyse);

    /// These and one more.
    #[must_use]
    pub const fn and(self, one: Use) -> Self {
        Self(self.0 | one.bit())
    }

    /// Whether one of them is `one`.
    #[must_use]
    pub const fn contains(self, one: Use) -> bool {
        self.0 & one.bit() != 0
    }

    /// Whether they are all among `others`.
    #[must_use]
    pub const fn within(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    /// Each of them, in the order of [`Use::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Use> {
        Use::ALL.into_iter().filter(move |one| self.contains(*one))
    }
}

impl FromIterator<Use> for Uses {
    fn from_iter<I: IntoIterator<Item = Use>>(uses: I) -> Self {
        uses.into_iter().fold(Self::NONE, Self::and)
    }
}
