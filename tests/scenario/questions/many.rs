//! What thousands of calls and entries have to do with: read in the order of the log, not looked up.

use consent_gateway::ledger::{Appended, Change, Job, Question};
use trail::{Actor, Body, Draft};
use uuid::Uuid;

use crate::harness::Gateway;

/// More than are looked up one by one.
const MANY: usize = 2_100;

async fn append(gateway: &Gateway, drafts: Vec<Draft>, changes: Vec<Change>) {
    let job = Job { entries: drafts, changes, ..Job::default() };
    assert_eq!(gateway.gate().ledger().append(job).await.unwrap(), Appended::Done);
}

fn entry(gateway: &Gateway, who: &str, call: Option<Uuid>, body: Body) -> Draft {
    let actor = Actor { credential: who.into(), role: "listener".into() };
    trail::draft("acme", gateway.now(), &actor, call.map(|call| (call, None)), body, None).unwrap()
}

/// The places of all pages.
async fn pages(gateway: &Gateway, question: Question) -> Vec<i64> {
    let mut question = Question { log: "acme".into(), ..question };
    let mut all = Vec::new();
    loop {
        let page = gateway.gate().ledger().entries(&question, 400).await.unwrap();
        let Some(last) = page.last() else { return all };
        question.after = Some((last.epoch, last.seq));
        all.extend(page.iter().map(|row| row.seq));
    }
}

fn keys(all: &[&str]) -> Vec<Vec<String>> {
    all.iter().map(|key| vec![(*key).to_owned()]).collect()
}

#[tokio::test]
async fn a_listener_who_has_fetched_thousands_of_times_is_answered_in_order() {
    let gateway = Gateway::start().await;
    let from = i64::try_from(gateway.rows("acme").await.len()).unwrap();
    let (one, other) = (crate::harness::uid(), crate::harness::uid());
    let drafts = (0..2 * MANY).map(|index| {
        let recording = if index % 4 < 2 { one } else { other };
        let who = if index % 2 == 0 { "often" } else { "others" };
        entry(&gateway, who, None, Body::Fetched { recording, range: (0, 1) })
    });
    append(&gateway, drafts.collect(), Vec::new()).await;
    let all = |fits: fn(i64) -> bool| {
        let many = i64::try_from(2 * MANY).unwrap();
        (0..many).filter(|index| fits(*index)).map(|index| from + index).collect::<Vec<_>>()
    };
    let asked = |all: &[&str]| Question { keys: keys(all), ..Question::default() };
    assert_eq!(pages(&gateway, asked(&["listener:often"])).await, all(|index| index % 2 == 0));
    let recording = format!("recording:{one}");
    assert_eq!(pages(&gateway, asked(&["listener:often", &recording])).await, all(|index| index % 4 == 0));
    let bound =
        Question { last: Some((1, from + 9)), after: Some((1, from + 2)), ..asked(&["listener:often"]) };
    assert_eq!(
        gateway.gate().ledger().entries(&Question { log: "acme".into(), ..bound }, 99).await.unwrap().len(),
        3
    );
    let either = Question {
        keys: vec![vec!["listener:often".into(), "listener:others".into()]],
        ..Question::default()
    };
    assert_eq!(pages(&gateway, either).await, all(|_| true));
}

#[tokio::test]
async fn what_thousands_of_calls_have_to_do_with_is_answered_in_order() {
    let gateway = Gateway::start().await;
    let from = i64::try_from(gateway.rows("acme").await.len()).unwrap();
    let (common, rare) = (crate::harness::uid(), crate::harness::uid());
    let calls: Vec<Uuid> = (0..MANY).map(|_| crate::harness::uid()).collect();
    let mut drafts = Vec::new();
    let mut changes = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        let prompt = |version| Body::Prompt { version, duration_ms: 1000 };
        let opened = entry(&gateway, "somebody", Some(*call), prompt(common));
        changes.push(Change::Call {
            uid: *call,
            account: "acme".into(),
            id: format!("c{index}"),
            names: vec![format!("c{index}")],
            body: "{}".into(),
            at: 0,
            head: opened.id,
        });
        let agent = if index % 2 == 0 { "agent" } else { "temp" };
        for (participant, id) in [(0, "everybody"), (1, agent)] {
            let (id, call) = (id.to_owned(), *call);
            changes.push(Change::Participant { call, participant, id, number: None, ip: None, grant: None });
        }
        drafts.push(opened);
        let hundredth = index % 100 == 0;
        drafts.push(entry(&gateway, "somebody", Some(*call), prompt(if hundredth { rare } else { common })));
    }
    append(&gateway, drafts, changes).await;
    let (common, rare) = (format!("prompt:{common}"), format!("prompt:{rare}"));
    // Both entries of the calls that fit.
    let of_calls = |fits: fn(usize) -> bool| {
        let fitting =
            (0..MANY).filter(|index| fits(*index)).map(|index| from + 2 * i64::try_from(index).unwrap());
        fitting.flat_map(|at| [at, at + 1]).collect::<Vec<_>>()
    };
    let asked = |all: &[&str]| Question { keys: keys(all), ..Question::default() };
    let with = |participant: &str, question: Question| Question {
        participant: Some(participant.into()),
        ..question
    };
    assert_eq!(pages(&gateway, asked(&[&common])).await, of_calls(|_| true));
    assert_eq!(pages(&gateway, asked(&[&common, &rare])).await, of_calls(|index| index % 100 == 0));
    assert_eq!(pages(&gateway, with("everybody", Question::default())).await, of_calls(|_| true));
    assert_eq!(pages(&gateway, with("everybody", asked(&[&common]))).await, of_calls(|_| true));
    assert_eq!(pages(&gateway, with("agent", asked(&[&common]))).await, of_calls(|index| index % 2 == 0));
    let of_one = Question { calls: Some(vec![calls[7], calls[8]]), ..with("everybody", asked(&[&common])) };
    assert_eq!(pages(&gateway, of_one).await, of_calls(|index| index == 7 || index == 8));
    let none = Question { calls: Some(Vec::new()), ..Question::default() };
    assert_eq!(pages(&gateway, none).await, Vec::<i64>::new());
}
