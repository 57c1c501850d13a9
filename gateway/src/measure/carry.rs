//! Bytes that arrived but cannot be read yet.
//!
//! A parser says how many bytes it needs in one piece; [`Carry`] hands them over however they arrive. It does
//! not know what they mean. INVARIANT: memory that held bytes is wiped before it is given back, when the
//! buffer grows as well as when it is dropped.

use zeroize::Zeroizing;

/// Holds the start of a piece until the rest of it comes.
#[derive(Default)]
pub(super) struct Carry {
    held: Zeroizing<Vec<u8>>,
    /// The piece was handed over: the next call starts anew.
    spent: bool,
}

impl Carry {
    /// Whether no byte is waiting for others.
    pub(super) fn is_empty(&self) -> bool {
        self.spent || self.held.is_empty()
    }

    /// The bytes that are waiting for others.
    pub(super) fn held(&self) -> &[u8] {
        if self.spent { &[] } else { &self.held }
    }

    /// Takes `n` bytes off the input, or all of it if fewer came; then ask for the same `n` again.
    ///
    /// A piece that lies whole in the input is handed over without a copy.
    pub(super) fn take<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8], n: usize) -> Option<&'a [u8]> {
        if self.is_empty()
            && let Some((piece, rest)) = input.split_at_checked(n)
        {
            *input = rest;
            return Some(piece);
        }
        let missing = n.saturating_sub(self.held().len());
        let (piece, rest) = input.split_at(missing.min(input.len()));
        *input = rest;
        self.hold_within(piece, n);
        self.spent = self.held.len() >= n;
        self.spent.then_some(&*self.held)
    }

    /// As [`Carry::take`], for a small piece of fixed size.
    pub(super) fn array<const N: usize>(&mut self, input: &mut &[u8]) -> Option<[u8; N]> {
        self.take(input, N)?.first_chunk().copied()
    }

    /// Adds bytes to those that wait.
    pub(super) fn hold(&mut self, piece: &[u8]) {
        self.hold_within(piece, 0);
    }

    /// Forgets the bytes that wait.
    pub(super) fn clear(&mut self) {
        self.spent = true;
    }

    fn hold_within(&mut self, piece: &[u8], expected: usize) {
        if std::mem::take(&mut self.spent) {
            self.held.clear();
        }
        let needed = self.held.len().saturating_add(piece.len()).max(expected);
        if needed > self.held.capacity() {
            // `Vec` would leave the old bytes behind when it moves. Replaced like this, they are wiped.
            let mut roomier = Zeroizing::new(Vec::with_capacity(needed.next_power_of_two()));
            roomier.extend_from_slice(&self.held);
            self.held = roomier;
        }
        self.held.extend_from_slice(piece);
    }
}

/// Takes at most `n` bytes off the input.
pub(super) fn up_to<'i>(input: &mut &'i [u8], n: u64) -> &'i [u8] {
    let n = usize::try_from(n).unwrap_or(usize::MAX).min(input.len());
    let (piece, rest) = input.split_at(n);
    *input = rest;
    piece
}
