//! What is registered beside the trail, and how entries commit to it.
//!
//! Accounts, credentials, keys, prompts, grants, holds, people and the law are read from tables. Every entry
//! that registers something carries a commitment to all that its log has registered by then ([`Registered`]):
//! a row that was changed alone no longer matches the log.
//!
//! A row is the SHA-256 of the JSON array of its register's name and its columns ([`row`]). The commitment is
//! the SHA-256 of the sum of all rows ([`Sum`]), which can be updated for one row without reading the others.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::hex;
use super::tree::Hash;

/// What an entry says about the registers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Registered {
    /// The commitment to all rows of the log's registers, this entry's included, in hexadecimal.
    pub sum: String,
    /// The rows that it changes: register, key and the row in hexadecimal, or null for a removed row. Absent
    /// if they are too many.
    #[serde(default)]
    pub rows: Option<Vec<(String, String, Option<String>)>>,
}

/// The hash of a row, whose columns are given as text.
///
/// # Errors
///
/// Never, as JSON of texts can always be written.
pub fn row(register: &str, columns: &[Option<String>]) -> Result<Hash, serde_json::Error> {
    Ok(Sha256::digest(serde_json::to_vec(&(register, columns))?).into())
}

/// The sum of many rows, in any order: LtHash (Bellare and Micciancio, 1997; Lewi and others, 2019) with
/// 1,024 lanes of 16 bits. Finding other rows of the same sum is a problem of short vectors in a lattice, of
/// more than 200 bits; with XOR instead of a sum it would be linear algebra.
#[derive(Clone, PartialEq, Eq)]
pub struct Sum(Box<[u16; LANES]>);

impl Default for Sum {
    fn default() -> Sum {
        Sum(Box::new([0; LANES]))
    }
}

impl std::fmt::Debug for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sum({})", self.commitment())
    }
}

impl Sum {
    /// Adds a row.
    pub fn add(&mut self, row: &Hash) {
        for (sum, lane) in self.0.iter_mut().zip(lanes(row)) {
            *sum = sum.wrapping_add(lane);
        }
    }

    /// Removes a row.
    pub fn remove(&mut self, row: &Hash) {
        for (sum, lane) in self.0.iter_mut().zip(lanes(row)) {
            *sum = sum.wrapping_sub(lane);
        }
    }

    /// The commitment that entries hold.
    #[must_use]
    pub fn commitment(&self) -> String {
        hex(&Sha256::digest(self.bytes()))
    }

    /// The sum in hexadecimal, as it is kept.
    #[must_use]
    pub fn text(&self) -> String {
        hex(&self.bytes())
    }

    /// Reads a sum that was kept.
    #[must_use]
    pub fn read(text: &str) -> Option<Sum> {
        let bytes = unhex(text)?;
        let lanes: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|lane| u16::from_be_bytes(*lane)).collect();
        Some(Sum(lanes.into_boxed_slice().try_into().ok()?))
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|lane| lane.to_be_bytes()).collect()
    }
}

/// A row stretched to as many lanes as a sum has: SHA-256 over it and a counter, a block at a time.
fn lanes(row: &Hash) -> impl Iterator<Item = u16> {
    (0u8..64).flat_map(move |block| {
        let stretched: Hash = Sha256::new().chain_update(row).chain_update([block]).finalize().into();
        let (lanes, _) = stretched.as_chunks::<2>();
        let lanes: Vec<u16> = lanes.iter().map(|lane| u16::from_be_bytes(*lane)).collect();
        lanes
    })
}

/// Bytes from lower-case hexadecimal.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    hex::decode(text).ok().filter(|bytes| hex::encode(bytes) == text)
}

/// 64 blocks of SHA-256, 16 lanes each.
const LANES: usize = 1_024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn no_two_rows_are_written_alike() {
        let rows = [
            ("a", vec![text("b"), text("c")]),
            ("a", vec![text("bc")]),
            ("ab", vec![text("c")]),
            ("a", vec![text("b"), None]),
            ("a", vec![text("b"), text("")]),
            ("a", vec![text("b"), text("null")]),
            ("a", vec![text("b\",\"c")]),
        ];
        let mut all: Vec<Hash> =
            rows.iter().map(|(register, columns)| row(register, columns).unwrap()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), rows.len());
    }

    /// Another program can be held against these.
    #[test]
    fn the_format_is_this() {
        let one = row("key", &[text("aa"), text("ü\""), None]).unwrap();
        assert_eq!(one.as_slice(), Sha256::digest("[\"key\",[\"aa\",\"ü\\\"\",null]]").as_slice());
        let mut sum = Sum::default();
        assert_eq!(sum.commitment(), hex(&Sha256::digest([0; 2_048])));
        sum.add(&one);
        let first = Sha256::new().chain_update(one).chain_update([0]).finalize();
        let last = Sha256::new().chain_update(one).chain_update([63]).finalize();
        assert_eq!((&sum.bytes()[..32], &sum.bytes()[2_016..]), (&first[..], &last[..]));
        assert_eq!(Sum::read(&sum.text()), Some(sum));
        assert_eq!((Sum::read("00"), Sum::read("zz"), unhex("0")), (None, None, None));
    }

    proptest! {
        #[test]
        fn a_sum_is_of_its_rows_and_nothing_else(
            rows in proptest::collection::btree_set(any::<[u8; 32]>(), 0..12),
            gone in proptest::collection::btree_set(any::<[u8; 32]>(), 1..4),
        ) {
            let mut sum = Sum::default();
            rows.iter().for_each(|row| sum.add(row));
            let mut other = sum.clone();
            gone.iter().for_each(|row| other.add(row));
            prop_assert_ne!(sum.commitment(), other.commitment());
            gone.iter().rev().for_each(|row| other.remove(row));
            prop_assert_eq!(&other, &sum);
            // Whichever came first; and the same row twice is not none, as it would be with XOR.
            let mut backwards = Sum::default();
            rows.iter().rev().for_each(|row| backwards.add(row));
            prop_assert_eq!(&backwards, &sum);
            if let Some(row) = rows.first() {
                backwards.add(row);
                backwards.add(row);
                prop_assert_ne!(&backwards, &sum);
            }
        }
    }
}
