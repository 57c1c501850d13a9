//! What auditors ask, compared with a walk over everything that was appended.

use std::collections::BTreeSet;

use consent_gateway::ledger::{Change, EntryRow, Ledger, Question};
use trail::{Detail, Draft};
use uuid::Uuid;

use crate::harness::Random;

use super::{Store, account, append, call, change, entry, on_both_engines, start};

on_both_engines!(
    every_filter_finds_what_a_walk_finds_page_by_page,
    what_very_many_calls_mention_is_found_as_well,
    details_come_along_while_they_exist,
);

/// What was appended, in order, with its place.
struct Written {
    place: (i64, i64),
    draft: Draft,
}

/// Whether an entry is what was asked for.
fn matches(written: &Written, all: &[Written], on: &[(Uuid, String)], question: &Question) -> bool {
    let draft = &written.draft;
    let at = draft.at.as_millisecond();
    let mentions_one = |key: &String| match draft.call {
        None => draft.mentions.contains(key),
        Some(call) => all.iter().any(|other| {
            other.draft.log == draft.log
                && other.draft.call == Some(call)
                && other.draft.mentions.contains(key)
        }),
    };
    draft.log == question.log
        && question.after.is_none_or(|after| written.place > after)
        && question.calls.as_ref().is_none_or(|calls| draft.call.is_some_and(|call| calls.contains(&call)))
        && question.keys.iter().all(|keys| keys.iter().any(mentions_one))
        && question.participant.as_ref().is_none_or(|id| {
            // They are the calls of `acme`.
            draft.log == "acme"
                && draft.call.is_some_and(|call| on.iter().any(|(other, who)| *other == call && who == id))
        })
        && (question.types.is_empty() || question.types.iter().any(|kind| kind == draft.kind))
        && question.from.is_none_or(|from| at >= from)
        && question.until.is_none_or(|until| at < until)
}

async fn every_filter_finds_what_a_walk_finds_page_by_page(store: &Store) {
    let ledger = store.open().await;
    let mut random = Draws(Random::seeded());
    let calls: Vec<Uuid> = (0..30).map(|_| crate::harness::uid()).collect();
    change(&ledger, vec![account("acme"), account("globex")]).await;
    let mut on = Vec::new();
    for (n, uid) in calls.iter().enumerate() {
        let name = format!("c{n}");
        let who = ["caller", "agent", "Zoë"][n % 3];
        let participant = Change::Participant {
            call: *uid,
            participant: 0,
            id: who.into(),
            number: None,
            ip: None,
            grant: None,
        };
        change(&ledger, vec![call(*uid, &name, &[&name], 1, Uuid::nil()), participant]).await;
        on.push((*uid, who.to_owned()));
    }
    let keys = ["subject:a", "place:US-CA", "rule:US-CA", "prompt:1", "listener:x"];
    let kinds = ["call.opened", "consent.given", "recording.fetched", "audit.heartbeat"];
    let mut all: Vec<Written> = Vec::new();
    let (mut seqs, mut epoch) = ([0_i64; 2], 1);
    for group in 0..14 {
        let mut drafts = Vec::new();
        for n in 0..100_i64 {
            // Up to ten seconds out of order.
            let at = (group * 100 + n) * 700 + 10_000 - random.below(10_000);
            let log = usize::from(random.below(10) == 0);
            let mut draft = entry(["acme", "globex"][log], at);
            draft.call = (random.below(4) > 0).then(|| calls[random.index(calls.len())]);
            draft.kind = kinds[random.index(kinds.len())];
            let mentions: BTreeSet<&str> =
                (0..random.below(3)).map(|_| keys[random.index(keys.len())]).collect();
            draft.mentions = mentions.into_iter().map(str::to_owned).collect();
            let epoch = if log == 0 { epoch } else { 1 };
            all.push(Written { place: (epoch, seqs[log]), draft: draft.clone() });
            seqs[log] += 1;
            drafts.push(draft);
        }
        append(&ledger, drafts).await;
        if group == 9 {
            let close =
                Change::CloseLog { log: "acme".into(), epoch: 1, next: 2, root: vec![], note: None, at: 9 };
            change(&ledger, vec![close]).await;
            (epoch, seqs[0]) = (2, 0);
        }
    }
    let mut found_any = 0;
    for round in 0..250 {
        let moment = |random: &mut Draws| start().as_millisecond() - 20_000 + random.below(1_040_000);
        let mut question =
            Question { log: ["acme", "globex"][usize::from(round % 5 == 4)].into(), ..Question::default() };
        if random.below(3) == 0 {
            question.calls = Some(vec![calls[random.index(calls.len())]]);
        }
        if random.below(2) == 0 {
            question.keys =
                (0..=random.below(1)).map(|_| vec![keys[random.index(keys.len())].to_owned()]).collect();
        }
        if random.below(4) == 0 {
            question.participant = Some(["caller", "agent", "Zoë", "nobody"][random.index(4)].into());
        }
        if random.below(3) == 0 {
            question.types = kinds[..=random.index(3)].iter().map(|kind| (*kind).to_owned()).collect();
        }
        if random.below(2) == 0 {
            question.from = Some(moment(&mut random));
        }
        if random.below(2) == 0 {
            question.until = Some(moment(&mut random));
        }
        if random.below(4) == 0 {
            question.after = Some((1 + random.below(2), random.below(900)));
        }
        let wanted: Vec<(i64, i64)> = {
            let mut places: Vec<_> =
                all.iter().filter(|one| matches(one, &all, &on, &question)).map(|one| one.place).collect();
            places.sort_unstable();
            places
        };
        found_any += usize::from(!wanted.is_empty());
        let whole: Vec<_> = ledger.entries(&question, u32::MAX).await.unwrap().iter().map(place).collect();
        assert_eq!(whole, wanted, "{question:?}");
        if round % 10 == 0 {
            assert_eq!(paged(&ledger, question.clone(), 7).await, wanted, "{question:?}");
        }
    }
    assert!(found_any > 100, "{found_any}");
}

fn place(row: &EntryRow) -> (i64, i64) {
    (row.epoch, row.seq)
}

/// Everything, so many at a time.
async fn paged(ledger: &Ledger, mut question: Question, limit: u32) -> Vec<(i64, i64)> {
    let mut all = Vec::new();
    loop {
        let page: Vec<_> = ledger.entries(&question, limit).await.unwrap().iter().map(place).collect();
        assert!(page.len() <= usize::try_from(limit).unwrap());
        let Some(last) = page.last() else { return all };
        question.after = Some(*last);
        all.extend(page);
    }
}

async fn what_very_many_calls_mention_is_found_as_well(store: &Store) {
    let ledger = store.open().await;
    let mut drafts: Vec<Draft> = Vec::new();
    for n in 0..2_100 {
        let mut draft = Draft { call: Some(crate::harness::uid()), ..entry("acme", n) };
        draft.mentions = vec!["place:US".into()];
        if n % 100 == 7 {
            draft.mentions.push("subject:rare".into());
        }
        drafts.push(draft);
    }
    let mut fetched = entry("acme", 2_100);
    fetched.mentions = vec!["place:US".into(), "subject:rare".into()];
    drafts.push(fetched);
    append(&ledger, drafts).await;
    let ask = async |keys: &[&str]| {
        let keys = keys.iter().map(|key| vec![(*key).to_owned()]).collect();
        paged(&ledger, Question { log: "acme".into(), keys, ..Question::default() }, 500).await
    };
    assert_eq!(ask(&["place:US"]).await, (0..=2_100).map(|seq| (1, seq)).collect::<Vec<_>>());
    let rare: Vec<(i64, i64)> = (0..=2_100).filter(|n| n % 100 == 7 || *n == 2_100).map(|n| (1, n)).collect();
    assert_eq!(ask(&["subject:rare"]).await, rare);
    assert_eq!(ask(&["place:US", "subject:rare"]).await, rare, "the first is the frequent one");
    assert_eq!(ask(&["subject:rare", "place:US"]).await, rare);
    assert!(ask(&["place:US", "nothing"]).await.is_empty());
}

async fn details_come_along_while_they_exist(store: &Store) {
    let ledger = store.open().await;
    let detail = |salt, text: &str| Some(Detail { salt: [salt; 32], document: text.into() });
    let drafts = vec![
        Draft { detail: detail(1, "{\"who\":\"Zoë\"}"), ..entry("acme", 0) },
        entry("acme", 1),
        Draft { detail: detail(2, "{}"), ..entry("acme", 2) },
    ];
    append(&ledger, drafts).await;
    let question = Question { log: "acme".into(), ..Question::default() };
    let found = async || {
        let rows = ledger.entries(&question, 10).await.unwrap();
        rows.into_iter().map(|row| row.salt.zip(row.document)).collect::<Vec<_>>()
    };
    let first = Some((vec![1; 32], "{\"who\":\"Zoë\"}".to_owned()));
    assert_eq!(found().await, [first, None, Some((vec![2; 32], "{}".to_owned()))]);
    store.raw().await.execute("DELETE FROM detail WHERE seq = 0").await.unwrap();
    assert_eq!(found().await, [None, None, Some((vec![2; 32], "{}".to_owned()))]);
}

struct Draws(Random);

impl Draws {
    /// From 0 to that, without it.
    fn below(&mut self, limit: i64) -> i64 {
        i64::try_from(self.index(usize::try_from(limit).unwrap())).unwrap()
    }

    fn index(&mut self, len: usize) -> usize {
        self.0.below(len)
    }
}
