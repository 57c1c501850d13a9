//! Who counts as a second person, according to the log.
//!
//! A person has an id, and is known by a name ([`folded`]). The first two of an account count from the start,
//! anybody later once somebody who counts has confirmed them.
//!
//! INVARIANT: nobody counts as two. One human could enrol under further names and confirm those, so two
//! people count as two only if there is no single person, themselves included, without whom neither of them
//! would count.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization as _;
use uuid::Uuid;

/// The people of an account.
#[derive(Debug, Clone, Default)]
pub struct People {
    enrolled: BTreeSet<Uuid>,
    founders: BTreeSet<Uuid>,
    /// Those whom each of them has confirmed.
    confirmed: BTreeMap<Uuid, BTreeSet<Uuid>>,
}

impl People {
    /// Whether the next person to be enrolled counts from the start.
    #[must_use]
    pub fn founds(&self) -> bool {
        self.enrolled.len() < FOUNDERS
    }

    /// Enrols somebody; false if they already were.
    pub fn enrol(&mut self, person: Uuid, founding: bool) -> bool {
        if founding {
            self.founders.insert(person);
        }
        self.enrolled.insert(person)
    }

    /// Whether somebody was enrolled.
    #[must_use]
    pub fn knows(&self, person: Uuid) -> bool {
        self.enrolled.contains(&person)
    }

    /// Somebody confirms somebody.
    pub fn confirm(&mut self, person: Uuid, by: Uuid) {
        self.confirmed.entry(by).or_default().insert(person);
    }

    /// Who has confirmed somebody.
    pub fn confirmers(&self, person: Uuid) -> impl Iterator<Item = Uuid> {
        self.confirmed.iter().filter(move |(_, whom)| whom.contains(&person)).map(|(by, _)| *by)
    }

    /// Whether somebody counts: from the start, or because somebody who counts confirmed them.
    #[must_use]
    pub fn count(&self, person: Uuid) -> bool {
        self.counting_without(None).contains(&person)
    }

    /// Whether these are two people.
    #[must_use]
    pub fn are_two(&self, one: Uuid, other: Uuid) -> bool {
        let everybody = self.counting_without(None);
        one != other
            && everybody.contains(&one)
            && everybody.contains(&other)
            && everybody.iter().all(|somebody| {
                let others = self.counting_without(Some(*somebody));
                others.contains(&one) || others.contains(&other)
            })
    }

    /// Who would count if this one had never been enrolled.
    fn counting_without(&self, nobody: Option<Uuid>) -> BTreeSet<Uuid> {
        let mut waiting: Vec<Uuid> = self.founders.iter().copied().collect();
        let mut counting = BTreeSet::new();
        while let Some(person) = waiting.pop() {
            if Some(person) != nobody && counting.insert(person) {
                waiting.extend(self.confirmed.get(&person).into_iter().flatten());
            }
        }
        counting
    }
}

/// The form of a name by which people are distinguished: without differences of case, form (Unicode NFKC),
/// white space and invisible characters (as in Unicode's NFKC_Casefold). Nothing else is guessed.
#[must_use]
pub fn folded(name: &str) -> String {
    let seen = |c: &char| !is_ignorable(*c);
    // Upper case first: it has one letter for two in lower case, such as a sigma at the end of a word.
    let lower = name.nfkc().filter(seen).flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    let plain: String = lower.nfkc().filter(seen).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Unicode's Default_Ignorable_Code_Point.
fn is_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// How many count from the start.
const FOUNDERS: usize = 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn people(confirmed: &[(u128, u128)]) -> People {
        let mut people = People::default();
        for number in 0..6 {
            let founding = people.founds();
            assert!(people.enrol(id(number), founding));
        }
        confirmed.iter().for_each(|(by, person)| people.confirm(id(*person), id(*by)));
        people
    }

    #[test]
    fn a_name_is_one_however_it_is_written() {
        for name in [
            "José Ångström",
            "Jose\u{301} A\u{30a}ngstro\u{308}m",
            " JOSÉ \u{a0} ÅNGSTRÖM",
            "Jos\u{ad}é Å\u{feff}ngström",
        ] {
            assert_eq!(folded(name), "josé ångström", "{name}");
        }
        assert_eq!(folded("\u{ff24}\u{ff41}\u{ff4e}\u{ff41} STRASSE"), folded("Dana Straße"));
        assert_eq!(folded("ΟΔΟΣ"), folded("οδος"));
        assert_eq!(folded(" \u{200b}\u{3164} "), "");
        for other in ["Counsel, Dana", "Dr. Dana Counsel", "D\u{430}na Counsel", "Dana-Counsel", "Dana"] {
            assert_ne!(folded(other), folded("Dana Counsel"));
        }
    }

    #[test]
    fn who_comes_after_the_first_two_counts_once_somebody_else_has_confirmed_them() {
        let (a, b, c, d, e) = (id(0), id(1), id(2), id(3), id(4));
        assert!(people(&[]).are_two(a, b));
        assert!(!people(&[]).are_two(a, a));
        assert!(!people(&[]).are_two(a, c));
        // By the one whom they would second, and by the other one.
        assert!(!people(&[(0, 2)]).are_two(a, c));
        assert!(people(&[(1, 2)]).are_two(a, c));
        assert!(people(&[(0, 2), (1, 2)]).are_two(a, c));
        // By themselves, by who does not count, in a circle.
        assert!(!people(&[(2, 2)]).are_two(a, c));
        assert!(!people(&[(3, 2), (2, 3)]).are_two(a, c));
        assert!(!people(&[(3, 2), (2, 3)]).are_two(c, d));
        // By way of somebody in between.
        assert!(!people(&[(0, 2), (2, 3)]).are_two(a, d));
        assert!(people(&[(0, 2), (2, 3)]).are_two(b, d));
        // Both of them by the same one, who may be both.
        assert!(!people(&[(0, 2), (0, 3)]).are_two(c, d));
        assert!(people(&[(0, 2), (1, 3)]).are_two(c, d));
        assert!(!people(&[(0, 2), (1, 2), (2, 3), (2, 4)]).are_two(d, e));
    }

    proptest! {
        /// One human is known to the others by one name, has enrolled under further ones, and lets all of them
        /// confirm whomever they like. The others confirm nobody whom nobody knows.
        #[test]
        fn no_human_counts_as_two(
            human in 0u128..6,
            further in proptest::collection::btree_set(2u128..6, 0..5),
            claims in proptest::collection::vec((0u128..6, 0u128..6), 0..24),
        ) {
            let theirs: BTreeSet<u128> = further.iter().copied().chain([human]).collect();
            let is_made = |(by, person): &(u128, u128)| {
                theirs.contains(by) || *person == human || !further.contains(person)
            };
            let made: Vec<_> = claims.into_iter().filter(is_made).collect();
            let people = people(&made);
            for one in &theirs {
                for other in &theirs {
                    prop_assert!(!people.are_two(id(*one), id(*other)), "{made:?}: {one} and {other}");
                }
            }
        }
    }
}
