//! All times are made up.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

#[test]
fn wrong_secrets_are_answered_401_and_then_429_until_time_has_passed() {
    let (throttle, start) = (Throttle::new(), Instant::now());
    for _ in 0..NETWORK.burst {
        assert_eq!(throttle.refused(host(1), "anna", start), None);
    }
    assert_eq!(throttle.refused(host(1), "anna", start), Some(Wait(NETWORK.every)));
    assert_eq!(throttle.refused(host(1), "bert", start), Some(Wait(NETWORK.every)));
    assert_eq!(throttle.refused(host(2), "anna", start), None, "another network");
    assert_eq!(throttle.refused(host(1), "anna", start + NETWORK.every), None);
    assert!(throttle.refused(host(1), "anna", start + NETWORK.every).is_some());
}

#[test]
fn asking_again_too_early_does_not_lengthen_the_wait() {
    let (throttle, start) = (Throttle::new(), Instant::now());
    for _ in 0..1000 {
        let _ = throttle.refused(host(1), "anna", start);
        for other in 2..=255 {
            let _ = throttle.refused(host(other), "anna", start);
        }
    }
    assert_eq!(throttle.refused(host(1), "anna", start), Some(Wait(NETWORK.every)));
    let calm = start + NETWORK.every;
    let wait = throttle.admit(host(1), "anna", calm).err();
    assert!(wait.unwrap() <= Wait(USERNAME.every), "{wait:?}");
}

#[test]
fn one_network_can_guess_a_password_only_so_often() {
    let (throttle, start) = (Throttle::new(), Instant::now());
    for _ in 0..NETWORK.burst {
        throttle.admit(host(1), "anna", start).unwrap().was_wrong();
    }
    assert_eq!(throttle.admit(host(1), "anna", start).err(), Some(Wait(NETWORK.every)));
    assert!(throttle.admit(host(1), "anna", start + NETWORK.every).is_ok());
}

#[test]
fn many_networks_can_guess_a_password_only_so_often() {
    let (throttle, start) = (Throttle::new(), Instant::now());
    let admitted = (0..=255).filter(|n| throttle.admit(host(*n), "anna", start).is_ok()).count();
    assert_eq!(Ok(USERNAME.burst), admitted.try_into());
}

#[test]
fn strangers_cannot_lock_out_a_network_that_has_been_right() {
    let (throttle, start) = (Throttle::new(), Instant::now());
    throttle.admit(host(1), "anna", start).unwrap().was_right(start);
    for stranger in 2..=255 {
        throttle.admit(host(stranger), "anna", start).map(Ticket::was_wrong).ok();
        // Nor by failing under other names behind the same address.
        throttle.admit(host(1), "bert", start).map(Ticket::was_wrong).ok();
    }
    assert!(throttle.admit(host(9), "anna", start).is_err());
    assert!(throttle.admit(host(1), "carl", start).is_err());
    for _ in 0..1000 {
        throttle.admit(host(1), "anna", start).unwrap().was_right(start);
    }
    for _ in 0..PAIR.burst {
        throttle.admit(host(1), "anna", start).unwrap().was_wrong();
    }
    assert_eq!(throttle.admit(host(1), "anna", start).err(), Some(Wait(PAIR.every)));
}

#[test]
fn a_week_later_it_is_a_network_like_any_other() {
    let (throttle, start) = (Throttle::new(), Instant::now());
    throttle.admit(host(1), "anna", start).unwrap().was_right(start);
    let late = start + KNOWN_FOR;
    for stranger in 2..=255 {
        throttle.admit(host(stranger), "anna", late).map(Ticket::was_wrong).ok();
    }
    assert!(throttle.admit(host(1), "anna", late).is_err());
}

#[test]
fn a_right_password_and_a_full_queue_cost_no_attempt() {
    let (throttle, start) = (Throttle::new(), Instant::now());
    for n in 0..1000 {
        let ticket = throttle.admit(host(1), &format!("user {n}"), start).unwrap();
        if n % 2 == 0 { ticket.was_right(start) } else { ticket.was_not_computed() }
    }
    assert_eq!(throttle.refused(host(1), "anna", start), None);
}

#[test]
fn guesses_sent_at_once_are_all_counted() {
    let (throttle, start) = (Throttle::new(), Instant::now());
    let guesses = (0..100).map(|_| throttle.admit(host(1), "anna", start));
    let tickets: Vec<_> = guesses.filter_map(Result::ok).collect();
    assert_eq!(Ok(NETWORK.burst), tickets.len().try_into());
}

#[test]
fn the_tables_stay_small_and_keep_what_was_seen_last() {
    let (throttle, start) = (Throttle::new(), Instant::now());
    for _ in 0..NETWORK.burst {
        assert_eq!(throttle.refused(host(1), "anna", start), None);
    }
    for n in 0..200_000 {
        let from = IpAddr::V4(Ipv4Addr::from_bits(n));
        let _ = throttle.refused(from, &n.to_string(), start);
        if n % 10_000 == 0 {
            assert!(throttle.refused(host(1), "anna", start).is_some(), "{n}");
        }
    }
    let tables = throttle.lock();
    assert!(tables.failures.young.len() + tables.failures.old.len() <= FAILURES_MAX);
}

#[test]
fn an_ipv6_customer_is_one_network_however_many_addresses_it_uses() {
    let six = |text: &str| Network::of(text.parse::<Ipv6Addr>().unwrap().into());
    assert_eq!(six("2001:db8:1:2::1"), six("2001:db8:1:2:ffff::"));
    assert_ne!(six("2001:db8:1:2::1"), six("2001:db8:1:3::1"));
    assert_eq!(six("::ffff:192.0.2.1"), Network::of(Ipv4Addr::new(192, 0, 2, 1).into()));
    assert_ne!(six("::"), Network::of(Ipv4Addr::UNSPECIFIED.into()));
}

#[test]
fn retry_after_is_in_whole_seconds_and_never_too_early() {
    let seconds = |millis| Wait(Duration::from_millis(millis)).seconds();
    assert_eq!([seconds(0), seconds(1), seconds(1000), seconds(1001)], [1, 1, 1, 2]);
}

fn host(n: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, n).into()
}
