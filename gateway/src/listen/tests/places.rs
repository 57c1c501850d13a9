//! Strangers, however many and however busy, and those who were let in.

use super::*;

/// Whether the connection is still there: answered, if asked.
async fn answers(client: &mut DuplexStream) -> bool {
    client.write_all(HELLO).await.is_ok() && {
        let mut byte = [0];
        let there = client.read(&mut byte).await.is_ok_and(|read| read == 1);
        if there {
            let mut rest = vec![0; 1024];
            let _ = client.read(&mut rest).await;
        }
        there
    }
}

#[tokio::test(start_paused = true)]
async fn a_stranger_may_pause_for_a_moment_only() {
    let mut stranger = Wires::new(None).connect().await;
    stranger.write_all(HELLO).await.unwrap();
    let start = Instant::now();
    assert!(read_to_end(&mut stranger).await.ends_with("hello"));
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_stranger_who_goes_on_asking_has_to_go_and_is_answered_until_then() {
    let mut stranger = Wires::new(None).connect().await;
    let start = Instant::now();
    while answers(&mut stranger).await {
        sleep(Duration::from_secs(4)).await;
    }
    assert_eq!(start.elapsed().as_secs(), 32);

    // What is being answered when the stay is over is answered.
    let mut stranger = Wires::new(None).connect().await;
    stranger.write_all(b"GET /hour HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let answer = read_to_end(&mut stranger).await;
    assert!(answer.contains("connection: close") && answer.ends_with("at last"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn one_network_has_a_share_of_the_places_and_its_longest_idle_stranger_goes_first() {
    let wires = Wires::with(Limits { connections: 100, ..Limits::default() }, None);
    let mut friend = wires.connect_from("198.51.100.1").await;
    let mut known = wires.known_from("192.0.2.1").await;
    let mut strangers = Vec::new();
    for _ in 0..30 {
        strangers.push(wires.connect_from("192.0.2.1").await);
        sleep(Duration::from_millis(1)).await;
    }
    // Of a hundred places, 25; the other five were closed, the first ones first.
    for (index, stranger) in strangers.iter_mut().enumerate() {
        assert_eq!(answers(stranger).await, index >= 5, "{index}");
    }
    assert!(answers(&mut friend).await && answers(&mut known).await);
    // One customer's IPv6 addresses are one network.
    let mut strangers = Vec::new();
    for n in 0..30 {
        strangers.push(wires.connect_from(&format!("2001:db8::{n:x}")).await);
        sleep(Duration::from_millis(1)).await;
    }
    let mut there = 0;
    for stranger in &mut strangers {
        there += usize::from(answers(stranger).await);
    }
    assert_eq!(there, 25);
}

/// A withdrawal comes while strangers of many networks take every place that they can get, again and again.
#[tokio::test(start_paused = true)]
async fn however_many_strangers_there_are_whoever_comes_is_served() {
    let wires = Wires::with(Limits { connections: 64, ..Limits::default() }, None);
    let mut known = wires.known_from("198.51.100.1").await;
    let mut crowd = Vec::new();
    for round in 0..20 {
        for n in 0..40 {
            let mut stranger = wires.connect_from(&format!("192.0.2.{}", n % 8)).await;
            // Some send half a head, some are being answered for an hour.
            let sent: &[u8] =
                if n % 2 == 0 { &HELLO[..20] } else { b"GET /hour HTTP/1.1\r\nhost: x\r\n\r\n" };
            stranger.write_all(sent).await.unwrap();
            crowd.push(stranger);
        }
        sleep(Duration::from_millis(100)).await;
        // From the crowd's own network as well.
        for from in ["198.51.100.2", "192.0.2.1"] {
            let start = Instant::now();
            let mut recorder = wires.connect_from(from).await;
            recorder.write_all(LET_IN).await.unwrap();
            assert!(read_answer(&mut recorder).await.ends_with("welcome"), "{round}");
            assert!(start.elapsed() < Duration::from_secs(1), "{round}: {:?}", start.elapsed());
        }
        assert!(answers(&mut known).await, "{round}: somebody who was let in was closed");
    }
}

#[tokio::test(start_paused = true)]
async fn among_those_who_were_let_in_whoever_waits_gives_way_and_whoever_is_being_answered_does_not() {
    let wires = Wires::with(Limits { connections: 3, ..Limits::default() }, None);
    let mut idle = wires.known().await;
    sleep(Duration::from_secs(1)).await;
    let mut later = wires.known().await;
    let mut busy = wires.known().await;
    busy.write_all(b"GET /hour HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let mut new = wires.known().await;
    assert!(!answers(&mut idle).await, "it was idle for the longest");
    assert!(answers(&mut later).await && answers(&mut new).await);
    sleep(Duration::from_secs(60)).await;
    assert!(answers(&mut later).await && answers(&mut new).await);
    assert!(read_answer(&mut busy).await.ends_with("at last"));
}

#[tokio::test(start_paused = true)]
async fn where_all_are_being_answered_whoever_comes_waits_for_the_first_to_end() {
    let wires = Wires::with(Limits { connections: 2, ..Limits::default() }, None);
    let (mut one, mut two) = (wires.known().await, wires.known().await);
    for busy in [&mut one, &mut two] {
        busy.write_all(b"GET /hour HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    }
    sleep(Duration::from_secs(60)).await;
    let start = Instant::now();
    let mut third = wires.connect().await;
    assert_eq!(start.elapsed().as_secs(), 3540);
    assert!(answers(&mut third).await);
}

#[tokio::test(start_paused = true)]
async fn a_proxys_connections_are_no_strangers_and_its_word_about_its_clients_counts() {
    let wires = Wires::new(None);
    let mut proxy = wires.connect_from("203.0.113.7").await;
    for (header, client) in [
        ("", "203.0.113.7"),
        ("x-forwarded-for: 198.51.100.9\r\n", "198.51.100.9"),
        ("x-forwarded-for: 192.0.2.66, 198.51.100.9\r\n", "198.51.100.9"),
        ("x-forwarded-for: 192.0.2.66\r\nx-forwarded-for: 198.51.100.9, 203.0.113.8\r\n", "198.51.100.9"),
    ] {
        let head = format!("GET /peer HTTP/1.1\r\nhost: x\r\n{header}\r\n");
        proxy.write_all(head.as_bytes()).await.unwrap();
        assert!(read_answer(&mut proxy).await.ends_with(client), "{header}");
        sleep(Duration::from_secs(60)).await;
    }
    let mut liar = wires.connect().await;
    liar.write_all(b"GET /peer HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 198.51.100.9\r\n\r\n").await.unwrap();
    assert!(read_answer(&mut liar).await.ends_with("192.0.2.1"));
}
