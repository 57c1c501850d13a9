//! What is committed together does what it would have done one after the other.

use std::pin::Pin;
use std::task::Poll;

use consent_gateway::ledger::{Appended, Change, Expect, Job, Ledger, LedgerError};
use trail::Draft;
use uuid::Uuid;

use super::expectations::recorded;
use super::{Store, account, append, call, change, entry, of_call, on_both_engines};
use crate::harness::{Random, slow};

on_both_engines!(what_is_committed_together_does_what_it_would_have_done_alone);

async fn what_is_committed_together_does_what_it_would_have_done_alone(store: &Store) {
    let (mut done, mut conflicts) = (0, 0);
    for round in 0..if slow() { 40 } else { 4 } {
        let seed = crate::harness::seed() + round;
        let alone = Store::sqlite();
        let (together, alone) = (store.open().await, alone.open().await);
        // Every round is about accounts and calls of its own.
        let account = format!("a{round}");
        let one_by_one = {
            let mut outcomes = Vec::new();
            for job in jobs(seed, &account, &alone).await {
                outcomes.push(alone.append(job).await.unwrap());
            }
            outcomes
        };
        let jobs = jobs(seed, &account, &together).await;
        // While this is written, the others come.
        let busy: Vec<Draft> = (0..2_000).map(|_| entry("busy", 0)).collect();
        let first = tokio::spawn({
            let ledger = together.clone();
            async move { append(&ledger, busy).await }
        });
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        let outcomes = in_order(&together, jobs).await;
        first.await.unwrap();
        assert_eq!(outcomes, one_by_one, "seed {seed}");
        for uid in 0..CALLS {
            let head = async |ledger: &Ledger| ledger.call(id(seed, uid)).await.unwrap().map(|row| row.head);
            assert_eq!(head(&together).await, head(&alone).await, "seed {seed}, call {uid}");
        }
        let size = async |ledger: &Ledger| ledger.head(&account).await.unwrap().unwrap().edge.size();
        assert_eq!(size(&together).await, size(&alone).await, "seed {seed}");
        done += outcomes.iter().filter(|outcome| **outcome == Appended::Done).count();
        conflicts += outcomes.iter().filter(|outcome| **outcome == Appended::Conflict).count();
    }
    assert!(done > 100 && conflicts > 100, "{done} done, {conflicts} conflicts");
}

/// Hands all of these over in this order, and waits for all.
async fn in_order(ledger: &Ledger, jobs: Vec<Job>) -> Vec<Appended> {
    type Answer<'l> = Pin<Box<dyn Future<Output = Result<Appended, LedgerError>> + Send + 'l>>;
    let mut waiting: Vec<(Answer<'_>, Option<Appended>)> =
        jobs.into_iter().map(|job| (Box::pin(ledger.append(job)) as Answer<'_>, None)).collect();
    std::future::poll_fn(|context| {
        for (answer, outcome) in &mut waiting {
            if outcome.is_none()
                && let Poll::Ready(ready) = answer.as_mut().poll(context)
            {
                *outcome = Some(ready.unwrap());
            }
        }
        let all: Option<Vec<Appended>> = waiting.iter().map(|(_, outcome)| *outcome).collect();
        all.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

/// Jobs on a few things, so that most have to do with what the ones before them did.
async fn jobs(seed: u64, account_id: &str, ledger: &Ledger) -> Vec<Job> {
    let mut first = vec![account(account_id)];
    first.extend((0..2).map(|n| {
        let uid = id(seed, n);
        renamed(call(uid, &format!("c{n}"), &[&format!("c{n}")], 1, Uuid::nil()), account_id)
    }));
    change(ledger, first).await;
    let mut random = Random(seed);
    // What might be a call's head.
    let mut heads = vec![vec![Uuid::nil()]; CALLS];
    let mut jobs = Vec::new();
    for n in 0..200 {
        let mut job = Job::default();
        if random.below(3) == 0 {
            job.expects.push(expectation(&mut random, seed, account_id, &heads));
        }
        act(&mut random, seed, n, account_id, &mut job);
        for draft in &job.entries {
            let on = (2..CALLS).find(|on| draft.call == Some(id(seed, *on))).unwrap();
            heads[on].push(draft.id);
        }
        if job.entries.is_empty() && random.below(3) > 0 {
            let on = random.below(CALLS);
            // It may not have been opened.
            if on >= 2 {
                let head = *heads[on].last().unwrap();
                job.expects.push(Expect::Head { call: id(seed, on), head });
            }
            let draft = Draft { id: id(seed, 1_000 + n), ..of_call(account_id, id(seed, on), 0) };
            heads[on].push(draft.id);
            job.entries.push(draft);
        }
        jobs.push(job);
    }
    jobs
}

fn renamed(change: Change, to: &str) -> Change {
    let Change::Call { uid, id, names, body, at, head, .. } = change else { unreachable!() };
    Change::Call { uid, account: to.into(), id, names, body, at, head }
}

/// The same for the same seed and number.
fn id(seed: u64, number: usize) -> Uuid {
    Uuid::from_u64_pair(seed, number.try_into().unwrap())
}

/// Something that was so, is so, or never was.
fn expectation(random: &mut Random, seed: u64, account: &str, heads: &[Vec<Uuid>]) -> Expect {
    let on = random.below(CALLS);
    let call = id(seed, on);
    let account = account.to_owned();
    match random.below(11) {
        0..=3 => {
            let of = &heads[on];
            let back = random.below(2).min(of.len() - 1);
            Expect::Head { call, head: of[of.len() - 1 - back] }
        }
        4 => Expect::NameIs { account, name: format!("c{}", random.below(2)), call: Some(call) },
        5 => Expect::RecordingLive { id: id(seed, 600 + random.below(200)), unheld: true },
        6 => Expect::GrantHolds { account, id: "grant".into() },
        7 => {
            let mut calls: Vec<String> = (0..random.below(3)).map(|n| id(seed, n).to_string()).collect();
            calls.sort();
            Expect::CallsWithGrant { account, id: "grant".into(), calls }
        }
        8 => Expect::AccountSettings { id: account, settings: format!("{{\"n\":{}}}", random.below(2)) },
        9 => Expect::CallsOfParticipant {
            account,
            id: "caller0".into(),
            count: random.below(3).try_into().unwrap(),
        },
        _ => Expect::LogAt { log: account, epoch: 1, size: random.below(60).try_into().unwrap() },
    }
}

/// Something that is done, with what it needs to be so: what would break a key of a table fails all of a group.
fn act(random: &mut Random, seed: u64, n: usize, account: &str, job: &mut Job) {
    let call_uid = id(seed, random.below(2));
    let (expect, change) = match random.below(13) {
        0 | 1 => {
            let sent = format!("e{}", random.below(6));
            (
                Expect::EventUnsent { call: call_uid, id: sent.clone() },
                Change::SentEvent { call: call_uid, id: sent, digest: vec![1] },
            )
        }
        2 => {
            // The same name again, for another call.
            let (uid, of) = (2 + random.below(CALLS - 2), random.below(2));
            let was = if random.below(2) == 0 { of } else { random.below(CALLS) };
            let name = format!("c{of}");
            let draft = Draft { id: id(seed, 3_000 + n), ..of_call(account, id(seed, uid), 0) };
            job.expects.push(Expect::NameIs {
                account: account.into(),
                name: name.clone(),
                call: Some(id(seed, was)),
            });
            // A call is opened once.
            (Expect::EventUnsent { call: id(seed, uid), id: "opened".into() }, {
                job.changes.push(renamed(call(id(seed, uid), &name, &[&name], 2, draft.id), account));
                job.entries.push(draft);
                Change::SentEvent { call: id(seed, uid), id: "opened".into(), digest: vec![2] }
            })
        }
        3 => {
            let name = format!("r{}", random.below(4));
            let row = consent_gateway::ledger::RecordingRow {
                account: account.into(),
                ..recorded(id(seed, 600 + n), call_uid, &name)
            };
            (Expect::RecordingNameFree { call: call_uid, name }, Change::Recording { row: Box::new(row) })
        }
        4 => {
            let recording = id(seed, 600 + random.below(n + 1));
            (
                Expect::RecordingLive { id: recording, unheld: false },
                Change::DeleteRecording { id: recording, at: 9 },
            )
        }
        5 => {
            let tag = account
                .as_bytes()
                .iter()
                .copied()
                .chain([random.below(3).try_into().unwrap()])
                .collect::<Vec<u8>>();
            (Expect::Subject { tag: tag.clone(), key: None }, Change::Subject { tag, key: vec![7], at: 1 })
        }
        6 => (
            Expect::GrantFree { account: account.into(), id: "grant".into() },
            Change::Grant {
                salt: String::new(),
                account: account.into(),
                id: "grant".into(),
                uid: id(seed, 900),
                document: "{}".into(),
                at: 1,
            },
        ),
        7 => (
            Expect::GrantHolds { account: account.into(), id: "grant".into() },
            if random.below(4) == 0 {
                Change::WithdrawGrant { account: account.into(), id: "grant".into(), at: 2 }
            } else {
                let participant = u8::try_from(random.below(2)).unwrap();
                Change::Participant {
                    call: call_uid,
                    participant: participant.into(),
                    id: format!("caller{participant}"),
                    number: None,
                    ip: None,
                    grant: Some("grant".into()),
                }
            },
        ),
        8 => (
            Expect::AccountSettings {
                id: account.into(),
                settings: format!("{{\"n\":{}}}", random.below(2)),
            },
            Change::AccountSettings {
                id: account.into(),
                settings: format!("{{\"n\":{}}}", random.below(2)),
            },
        ),
        9 => {
            let version = i64::try_from(random.below(4)).unwrap();
            (
                Expect::PromptVersion { account: account.into(), id: "p".into(), version },
                Change::Prompt {
                    salt: String::new(),
                    account: account.into(),
                    id: "p".into(),
                    version: version + 1,
                    uid: id(seed, 700 + n),
                    document: "{}".into(),
                    at: 1,
                },
            )
        }
        10 => {
            (Expect::CallIs { call: call_uid, id: "c0".into() }, Change::CallEnded { uid: call_uid, at: 5 })
        }
        11 => (
            Expect::Restrictions { account: account.into(), count: i64::try_from(random.below(3)).unwrap() },
            Change::Restrictions { account: account.into() },
        ),
        _ => return,
    };
    job.expects.push(expect);
    job.changes.push(change);
}

/// How many calls there may be; two of them from the start.
const CALLS: usize = 5;
