//! Taking out what captures.
//!
//! **Invariant: what comes out captures nothing but what is permitted.** What was cut is read again; if it still
//! captured, the safe document would take its place.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::ops::Range;

use crate::capture::{Found, INPUT, Place, is_called};
use crate::document::{Document, Splice};
use crate::{ReadError, Refusal, Uses};

impl<'a> Document<'a> {
    /// The same document without what captures and is not `permitted`; where there is none of it, the same bytes.
    ///
    /// - An attribute goes with the space before it. `input` becomes `dtmf`: what is in the `<Gather>` plays, digits
    ///   still reach its action, and silence ends it after its timeout.
    /// - A verb goes with all that is in it, and the call goes on with the next one. That is what the platforms do
    ///   after an empty recording, of which they do not tell the `action`, either (documented by Twilio and Restcomm
    ///   for `<Record>`).
    /// - A `<Start>` of which nothing is left goes, too.
    /// - What takes the call over, in `<Connect>`, is the conversation itself: in the place of the whole `<Connect>`
    ///   stands the `refusal`.
    /// - Of a document type that declares entities or attributes nothing is left, nor of references to entities.
    /// - In the place of the root stands an empty `<Response/>`.
    #[must_use]
    pub fn strip(&self, permitted: Uses, refusal: &Refusal) -> Cow<'a, [u8]> {
        let refused: Vec<Found> =
            self.found.iter().filter(|found| !found.uses.within(permitted)).copied().collect();
        if refused.is_empty() {
            return Cow::Borrowed(self.source.bytes);
        }
        let stripped = self.spliced(self.cuts(&refused, refusal));
        let left = Document::read_said(&stripped, self.limit, self.said)
            .map(|again| again.found.iter().all(|found| found.uses.within(permitted)));
        match left {
            Ok(true) => Cow::Owned(stripped),
            // A long address in the place of a short `<Connect>`.
            Err(ReadError::TooLong { .. }) => Cow::Owned(refusal.document()),
            Ok(false) | Err(ReadError::Encoding | ReadError::Malformed { .. }) => {
                debug_assert!(false, "what was stripped captures, or can't be read");
                Cow::Owned(refusal.document())
            }
        }
    }

    fn cuts(&self, refused: &[Found], refusal: &Refusal) -> Vec<Splice> {
        let tree = &self.tree;
        let mut cuts = Vec::new();
        let mut gone = vec![false; tree.elements.len()];
        for found in refused {
            if let Place::Element(place) = found.place
                && let Some(gone) = gone.get_mut(place)
            {
                *gone = true;
            }
        }
        // How many elements are left in each, for those of which some are cut.
        let mut left: Vec<usize> = tree.elements.iter().map(|element| element.children).collect();
        for found in refused {
            match found.place {
                Place::Doctype => {
                    cuts.extend(tree.doctype.iter().map(|doctype| Splice::cut(doctype.range.clone())));
                    cuts.extend(tree.references.iter().cloned().map(Splice::cut));
                }
                Place::Attribute(at) => cuts.extend(tree.attributes.get(at).map(|attribute| {
                    if found.attribute == Some(INPUT) {
                        Splice::put(attribute.value.clone(), "dtmf".to_owned())
                    } else {
                        Splice::cut(attribute.range.clone())
                    }
                })),
                Place::Element(place) => cuts.extend(self.cut_verb(place, &gone, &mut left, refusal)),
            }
        }
        cuts
    }

    /// The cut of a verb; `None` if it goes with the one that it stands in.
    fn cut_verb(&self, place: usize, gone: &[bool], left: &mut [usize], refusal: &Refusal) -> Option<Splice> {
        let element = self.tree.elements.get(place)?;
        let Some(above) = element.parent else {
            return Some(Splice::put(element.range(), "<Response/>".to_owned()));
        };
        if gone.get(above).copied().unwrap_or(false) {
            return None;
        }
        let parent = self.tree.elements.get(above)?;
        let is_root = parent.parent.is_none();
        if is_called(self.text(), parent, "connect") {
            let verb = refusal.verb();
            let put = if is_root { format!("<Response>{verb}</Response>") } else { verb };
            return Some(Splice::put(parent.range(), put));
        }
        let left = left.get_mut(above)?;
        *left = left.saturating_sub(1);
        if *left == 0 && is_called(self.text(), parent, "start") {
            let put = if is_root { "<Response/>".to_owned() } else { String::new() };
            return Some(Splice::put(parent.range(), put));
        }
        Some(Splice::cut(element.range()))
    }

    /// The document with each part replaced: of parts within others, the outer one is; of two for one part, the first.
    pub(crate) fn spliced(&self, mut splices: Vec<Splice>) -> Vec<u8> {
        // Of two for one part, one that only takes it away comes last.
        splices.sort_by_key(|splice| (splice.range.start, Reverse(splice.range.end), splice.put.is_empty()));
        let mut out = Vec::with_capacity(self.source.bytes.len());
        let mut copied = 0;
        let mut done = 0;
        // Where parts end, more than one attribute may be added.
        let mut made: Vec<(Range<usize>, Option<&str>)> = Vec::new();
        for Splice { range, put, adds } in splices {
            if made.last().is_some_and(|(made, _)| made.start != range.start) {
                made.clear();
            }
            if range.start < done || made.contains(&(range.clone(), adds)) {
                continue;
            }
            done = range.end;
            let place = self.source.range(&range);
            out.extend_from_slice(self.source.bytes.get(copied..place.start).unwrap_or_default());
            out.extend_from_slice(&self.source.encode(&put));
            copied = place.end;
            made.push((range, adds));
        }
        out.extend_from_slice(self.source.bytes.get(copied..).unwrap_or_default());
        out
    }
}
