//! Inclusion and consistency, compared with the words of RFC 9162.
#![no_main]

use fuzz::rfc9162;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use trail::tree::{Hash, consistency, inclusion, leaf_hash, verify_consistency, verify_inclusion};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = compare(&mut Unstructured::new(bytes));
});

fn compare(by: &mut Unstructured<'_>) -> Result<()> {
    let one = by.arbitrary::<u64>()? >> by.int_in_range(0..=63)?;
    let two = by.arbitrary::<u64>()? >> by.int_in_range(0..=63)?;
    let length = if by.ratio(7, 8)? {
        match by.arbitrary()? {
            true => inclusion(one, two).map_or(0, |ranges| ranges.len()),
            false => consistency(one, two).map_or(0, |ranges| ranges.len()),
        }
    } else {
        by.int_in_range(0..=70)?
    };
    let proof: Vec<Hash> = (0..length).map(|_| leaf_hash(by.bytes(1).unwrap_or_default())).collect();
    let leaf = leaf_hash(&[by.arbitrary()?]);
    let included = |root: &Hash| verify_inclusion(&leaf, one, two, &proof, root).is_ok();
    match rfc9162::inclusion(&leaf, one, two, &proof) {
        Some(root) => assert!(included(&root) && !included(&leaf_hash(&root))),
        None => assert!(!included(&leaf)),
    }
    if 0 < one && one < two {
        let goes_on = |old: &Hash, new: &Hash| verify_consistency((one, old), (two, new), &proof).is_ok();
        match rfc9162::consistency(one, &leaf, two, &proof) {
            Some((old, new)) => {
                assert!(goes_on(&old, &new));
                assert!(!goes_on(&old, &leaf_hash(&new)) && !goes_on(&leaf_hash(&old), &new));
            }
            None => assert!(!goes_on(&leaf, &leaf)),
        }
    }
    Ok(())
}
