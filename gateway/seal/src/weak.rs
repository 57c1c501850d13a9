//! RSA moduli that anybody could take apart, whatever their length: known mistakes of those that make keys.
//!
//! It knows numbers, not keys. It finds what is found in milliseconds; that it finds nothing says little.

use num_bigint::BigUint;

/// What is wrong with a modulus, in words; none where nothing is found.
pub(super) fn weakness(modulus: &BigUint) -> Option<&'static str> {
    if is_probably_prime(modulus) {
        return Some("its modulus is a prime number");
    }
    if is_power(modulus) {
        return Some("its modulus is a power of one number");
    }
    if has_close_factors(modulus) {
        return Some("the factors of its modulus are too close to each other, or to a simple ratio");
    }
    // CVE-2017-15361, by the fingerprint of Nemec et al., "The Return of Coppersmith's Attack" (2017).
    if ROCA_PRIMES.iter().all(|prime| is_power_of_65537(modulus, *prime)) {
        return Some("it was made by a chip whose keys can be factored (ROCA, CVE-2017-15361)");
    }
    None
}

/// Fermat's test with base 2: every prime passes it, and next to no product of two does.
fn is_probably_prime(number: &BigUint) -> bool {
    let (one, two) = (BigUint::from(1u32), BigUint::from(2u32));
    two.modpow(&(number - &one), number) == one
}

fn is_power(number: &BigUint) -> bool {
    // Factors below 2^13 were tried before.
    let highest = u32::try_from(number.bits()).unwrap_or(u32::MAX) / 13;
    let primes = (2..=highest).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d)));
    primes.into_iter().any(|exponent| {
        let root = number.nth_root(exponent);
        power_of(&root, exponent) == *number
    })
}

fn power_of(base: &BigUint, exponent: u32) -> BigUint {
    let mut power = BigUint::from(1u32);
    for bit in (0..u32::BITS.saturating_sub(exponent.leading_zeros())).rev() {
        power = &power * &power;
        if exponent >> bit & 1 == 1 {
            power *= base;
        }
    }
    power
}

/// Fermat's method, and Lehman's form of it: with `k` the product of the two numbers of their ratio, `4 k n` is
/// a little less than a square, by a square.
fn has_close_factors(number: &BigUint) -> bool {
    (1..=RATIOS).any(|ratio| {
        let product: BigUint = number * (4 * ratio);
        let mut root = product.sqrt();
        if &root * &root < product {
            root += 1u32;
        }
        let mut difference: BigUint = &root * &root - &product;
        (0..STEPS).any(|_| {
            let found = is_square(&difference);
            difference += &root * 2u32 + 1u32;
            root += 1u32;
            found
        })
    })
}

fn is_square(number: &BigUint) -> bool {
    // Squares leave few remainders; a root is only taken of what leaves one of them.
    let leaves_one = |modulus: &u32| {
        let rest = remainder(number, *modulus);
        (0..*modulus).any(|root| root * root % modulus == rest)
    };
    if ![64, 63, 65, 11, 17, 19].iter().all(leaves_one) {
        return false;
    }
    let root = number.sqrt();
    &root * &root == *number
}

fn is_power_of_65537(number: &BigUint, prime: u32) -> bool {
    let rest = remainder(number, prime);
    let mut power = 1;
    (0..prime).any(|_| {
        let found = power == rest;
        power = power * (65_537 % prime) % prime;
        found
    })
}

fn remainder(number: &BigUint, modulus: u32) -> u32 {
    (number % modulus).to_bytes_le().iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

/// Modulo these the powers of 65537 are few: of other keys, one in some hundred million looks like this.
const ROCA_PRIMES: [u32; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
/// Products of the two numbers of a ratio that are tried.
const RATIOS: u32 = 24;
/// How far each is followed.
const STEPS: u32 = 100;

#[cfg(test)]
mod tests {
    use super::super::sample::private_key;
    use super::*;
    use crate::random::Drawn;
    use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
    use rsa::{BoxedUint, PrivateKey};

    fn primes() -> [BigUint; 2] {
        let number = |prime: &BoxedUint| BigUint::from_bytes_be(&prime.to_be_bytes());
        let mut primes: Vec<_> = private_key().primes().iter().map(|prime| number(prime)).collect();
        primes.sort();
        primes.try_into().unwrap()
    }

    #[test]
    fn keys_as_they_should_be_are_not_weak() {
        let weakness_of = |key: &PrivateKey| weakness(&BigUint::from_bytes_be(&key.n_bytes()));
        assert_eq!(weakness_of(private_key()), None);
        for bits in [1024, 2048, 3072] {
            assert_eq!(weakness_of(&PrivateKey::new(&mut Drawn::default(), bits).unwrap()), None);
        }
    }

    #[test]
    fn primes_and_powers_are_weak() {
        // The prime of 2048 bits of RFC 3526, section 3.
        let prime = BigUint::parse_bytes(PRIME, 16).unwrap();
        assert!(weakness(&prime).unwrap().contains("prime"));
        let [small, large] = primes();
        for power in [&large * &large, &small * &small * &small] {
            assert!(weakness(&power).unwrap().contains("power"));
        }
    }

    #[test]
    fn factors_next_to_each_other_or_to_a_simple_ratio_are_weak() {
        let [_, large] = primes();
        let beyond = |factor: &BigUint, by: u64| factor + (BigUint::from(by) << 480);
        for (p, q) in [
            (large.clone(), &large + 2u32),
            (large.clone(), beyond(&large, 1)),
            (large.clone(), beyond(&large, 0xffff_ffff)),
            (&large * 2u32, beyond(&(&large * 3u32), 5)),
            (&large * 3u32, beyond(&(&large * 4u32), 5)),
        ] {
            // As odd as factors are.
            let (p, q) = (p | BigUint::from(1u32), q | BigUint::from(1u32));
            assert!(weakness(&(&p * &q)).is_some_and(|told| told.contains("close")), "{p} {q}");
        }
    }

    #[test]
    fn the_form_of_roca_is_weak() {
        // What such chips make: two primes that are powers of 65537 modulo the product of many small ones.
        let product = ROCA_PRIMES.iter().fold(BigUint::from(2u32), |product, prime| product * *prime);
        let power = |exponent: u32| BigUint::from(65_537u32).modpow(&exponent.into(), &product);
        let factor = |k: u32, exponent| &product * (BigUint::from(k) << 900) + power(exponent);
        let modulus = factor(1_000_003, 12_345) * factor(1_618_033, 67_890);
        assert!(weakness(&modulus).unwrap().contains("ROCA"));
        assert_eq!(weakness(&(modulus + 2u32)), None);
    }

    const PRIME: &[u8] =
        b"ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd\
        ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed\
        ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f\
        83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b\
        e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa0510\
        15728e5a8aacaa68ffffffffffffffff";
}
