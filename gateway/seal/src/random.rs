//! Randomness: keys, salts, ids. It comes from the operating system and is taken here alone.
//!
//! A crate's own tests take it from a seed instead, so that what a test has seen can be seen again:
//! `GATEWAY_TEST_SEED` is that seed, and a test that fails prints it. So that no other crate's program can be
//! built that way, each crate compiles this file for itself.

use rand::rngs::SysError;
use rand::{TryCryptoRng, TryRng};
use uuid::Uuid;

/// Fills with random bytes.
///
/// # Errors
///
/// Where the operating system gives none.
pub fn fill(bytes: &mut [u8]) -> Result<(), SysError> {
    source::fill(bytes)
}

/// Random bytes.
///
/// # Errors
///
/// Where the operating system gives none.
pub fn bytes<const N: usize>() -> Result<[u8; N], SysError> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// A random id (RFC 9562 section 5.4).
///
/// # Errors
///
/// Where the operating system gives no randomness.
pub fn id() -> Result<Uuid, SysError> {
    Ok(uuid::Builder::from_random_bytes(bytes()?).into_uuid())
}

/// The same for a library that draws for itself. Such libraries tell that there was no randomness, but not why:
/// [`check`](Drawn::check) does.
#[derive(Default)]
pub struct Drawn {
    failure: Option<SysError>,
}

impl Drawn {
    /// # Errors
    ///
    /// Where the operating system once gave none: whatever was made is to be thrown away.
    pub fn check(self) -> Result<(), SysError> {
        self.failure.map_or(Ok(()), Err)
    }

    fn draw<const N: usize>(&mut self) -> Result<[u8; N], SysError> {
        let mut bytes = [0; N];
        self.try_fill_bytes(&mut bytes)?;
        Ok(bytes)
    }
}

impl TryRng for Drawn {
    type Error = SysError;

    fn try_next_u32(&mut self) -> Result<u32, SysError> {
        self.draw().map(u32::from_le_bytes)
    }

    fn try_next_u64(&mut self) -> Result<u64, SysError> {
        self.draw().map(u64::from_le_bytes)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), SysError> {
        fill(bytes).inspect_err(|failure| self.failure = Some(*failure))
    }
}

impl TryCryptoRng for Drawn {}

#[cfg(not(test))]
#[expect(clippy::disallowed_types, reason = "here, and nowhere else")]
mod source {
    use rand::TryRng as _;
    use rand::rngs::{SysError, SysRng};

    pub(super) fn fill(bytes: &mut [u8]) -> Result<(), SysError> {
        SysRng.try_fill_bytes(bytes)
    }
}

#[cfg(test)]
mod source {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::sync::{LazyLock, Mutex};

    use rand::rngs::{StdRng, SysError};
    use rand::{Rng as _, SeedableRng as _};
    use sha2::{Digest as _, Sha256};

    thread_local! {
        static RANDOM: RefCell<StdRng> = RefCell::new(StdRng::from_seed(seed_of_thread()));
    }

    static SEED: LazyLock<u64> = LazyLock::new(|| match std::env::var("GATEWAY_TEST_SEED") {
        Ok(seed) => seed.parse().expect("GATEWAY_TEST_SEED is a number"),
        Err(_) => DEFAULT,
    });

    /// How many threads of a name there were: two of one name must not draw the same.
    static THREADS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

    const DEFAULT: u64 = 0x5eed;

    #[expect(clippy::unnecessary_wraps, reason = "the operating system may give none")]
    pub(super) fn fill(bytes: &mut [u8]) -> Result<(), SysError> {
        RANDOM.with_borrow_mut(|random| random.fill_bytes(bytes));
        Ok(())
    }

    /// Every test draws numbers of its own, the same ones whatever else is running.
    fn seed_of_thread() -> [u8; 32] {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or_default().to_owned();
        let count = {
            let mut threads = THREADS.lock().unwrap();
            let count = threads.entry(name.clone()).or_default();
            *count += 1;
            *count
        };
        Sha256::digest(format!("{} {count} {name}", printed_seed())).into()
    }

    #[expect(clippy::print_stderr, reason = "the harness shows it where a test fails")]
    pub(super) fn printed_seed() -> u64 {
        eprintln!("random numbers are drawn by GATEWAY_TEST_SEED={}", *SEED);
        *SEED
    }
}

/// For tests that draw their cases: they draw them from the same seed, and print it.
#[cfg(test)]
#[must_use]
pub fn cases() -> proptest::test_runner::Config {
    use proptest::test_runner::{Config, RngSeed};
    Config {
        rng_seed: RngSeed::Fixed(source::printed_seed()),
        failure_persistence: None,
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_draws_again_draws_something_else_and_a_test_draws_the_same_each_time() {
        let (one, two) = (id().unwrap(), id().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.get_version_num(), 4);
        let other = std::thread::spawn(|| id().unwrap()).join().unwrap();
        assert!(other != one && other != two);
        let named = || std::thread::Builder::new().name("of-one-name".into()).spawn(|| id().unwrap());
        let (first, second) = (named().unwrap().join().unwrap(), named().unwrap().join().unwrap());
        assert_ne!(first, second);
        // What it draws depends on the seed and on its own name, and on nothing else.
        if source::printed_seed() == 0x5eed {
            assert_eq!(one.to_string(), "23746126-8969-4978-a080-ca30084ad827");
        }
    }
}
