//! Real hashes, made-up times.

use super::*;

const PHRASE: &str = "correct horse battery";

#[test]
fn a_generated_secret_has_256_bits_and_is_never_the_same() {
    let (one, two) = (Secret::generate().unwrap(), Secret::generate().unwrap());
    assert_eq!(one.expose().len(), 43);
    assert_eq!(URL_SAFE_NO_PAD.decode(one.expose()).unwrap().len(), 32);
    assert_ne!(one.expose(), two.expose());
    assert_eq!(format!("{one:?}"), "Secret(…)");
}

#[test]
fn a_generated_secret_is_checked_at_once() {
    let (verifier, now) = (Verifier::new(), Instant::now());
    let secret = Secret::generate().unwrap();
    let stored = secret.stored();
    assert_eq!(stored.len(), "sha256$".len() + 64);
    assert!(matches!(verifier.check(Some(&stored), secret.expose().as_bytes(), now), Check::Right));
    for wrong in ["", "x", Secret::generate().unwrap().expose(), &stored] {
        assert!(matches!(verifier.check(Some(&stored), wrong.as_bytes(), now), Check::Wrong));
    }
}

#[test]
fn the_stored_form_is_the_published_hash() {
    // FIPS 180-2, appendix B.1.
    let abc = Secret(Zeroizing::new("abc".to_owned()));
    let expected = "sha256$ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(abc.stored(), expected);
}

#[test]
fn nobody_and_nonsense_match_nothing() {
    let (verifier, now) = (Verifier::new(), Instant::now());
    for stored in [None, Some(""), Some("sha256$"), Some("plain"), Some("$2b$12$x")] {
        for presented in ["", "plain", "sha256$", NOBODY] {
            let check = verifier.check(stored, presented.as_bytes(), now);
            assert!(matches!(check, Check::Wrong), "{stored:?} {presented}");
        }
    }
    assert_eq!(NOBODY.len(), Secret::generate().unwrap().stored().len());
}

#[tokio::test]
async fn a_right_password_is_remembered_while_it_is_used_and_no_longer() {
    let (verifier, start) = (Verifier::new(), Instant::now());
    let stored = stored_password(PHRASE).unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    let check = |stored: &str, now| verifier.check(Some(stored), PHRASE.as_bytes(), now);

    assert!(verifier.compute(slow(check(&stored, start)), start).await.unwrap());
    let (in_time, later) = (start + REMEMBERED_FOR / 2, start + REMEMBERED_FOR + REMEMBERED_FOR / 4);
    assert!(matches!(check(&stored, in_time), Check::Right));
    assert!(matches!(check(&stored, later), Check::Right), "use renews it");
    assert!(matches!(check(&stored, later + REMEMBERED_FOR), Check::Slow(_)));

    let changed = stored_password(PHRASE).unwrap();
    assert!(matches!(check(&changed, in_time), Check::Slow(_)), "a new hash starts anew");
}

#[tokio::test]
async fn a_wrong_password_is_not_remembered() {
    let (verifier, now) = (Verifier::new(), Instant::now());
    let stored = stored_password(PHRASE).unwrap();
    for _ in 0..2 {
        let check = verifier.check(Some(&stored), b"correct horse batterx", now);
        assert!(!verifier.compute(slow(check), now).await.unwrap());
    }
}

#[tokio::test]
async fn beyond_the_queue_the_answer_is_busy_and_the_queue_empties_again() {
    let (verifier, now) = (Arc::new(Verifier::new()), Instant::now());
    let stored = stored_password(PHRASE).unwrap();
    let mut running = tokio::task::JoinSet::new();
    for guess in 0..SLOTS + QUEUE + 10 {
        let guess = format!("guess {guess}");
        let work = slow(verifier.check(Some(&stored), guess.as_bytes(), now));
        let verifier = Arc::clone(&verifier);
        running.spawn(async move { verifier.compute(work, now).await });
    }
    let answers = running.join_all().await;
    assert_eq!(answers.iter().filter(|answer| **answer == Ok(false)).count(), SLOTS + QUEUE);
    assert_eq!(answers.iter().filter(|answer| **answer == Err(Busy)).count(), 10);

    let work = slow(verifier.check(Some(&stored), PHRASE.as_bytes(), now));
    assert!(verifier.compute(work, now).await.unwrap());
}

#[test]
fn memory_of_right_passwords_is_bounded() {
    let (verifier, now) = (Verifier::new(), Instant::now());
    let tag = |n: u32| verifier.tag("stored", &n.to_be_bytes());
    for n in 0..5000 {
        verifier.remember(tag(n), now + Duration::from_millis(n.into()));
    }
    assert!(verifier.remembered.lock().unwrap().len() <= REMEMBERED_MAX);
    assert!(verifier.recall(&tag(4999), now));
    assert!(!verifier.recall(&tag(0), now), "the oldest went first");
}

#[test]
fn short_and_endless_passwords_are_refused() {
    assert!(matches!(stored_password("elf chars.."), Err(PasswordError::TooShort)));
    assert!(matches!(stored_password(&"x".repeat(1025)), Err(PasswordError::TooLong)));
    assert!(stored_password("zwölf Zeiche").is_ok());
    for text in ["correct horse battery ", " correct horse battery", "correct horse battery\u{a0}"] {
        assert!(matches!(stored_password(text), Err(PasswordError::Blank)), "{text:?}");
    }
    for text in ["correct\thorse battery", "c\0o\0r\0r\0e\0c\0t\0", "correct horse\u{85}battery"] {
        assert!(matches!(stored_password(text), Err(PasswordError::Control)), "{text:?}");
    }
}

fn slow(check: Check) -> Slow {
    match check {
        Check::Slow(slow) => Some(slow),
        Check::Right | Check::Wrong => None,
    }
    .unwrap()
}
