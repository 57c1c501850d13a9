//! Against a witness of our own that follows the specification to the letter, and against some that
//! don't.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::*;
use crate::anchor::tests::log::{LOG, Log, ORIGIN, REWRITTEN, cosigner, log_key};
use crate::anchor::tests::server::{Asked, Server, http, impatient};
use trail::note::SigningKey;
use trail::tree;

const NAME: &str = "w.example/1";
const NOW: i64 = 1_800_000_000;

fn clock() -> Clock {
    Clock::manual(Timestamp::from_second(NOW).unwrap())
}

fn now() -> u64 {
    u64::try_from(NOW).unwrap()
}

fn key() -> SigningKey {
    cosigner(NAME)
}

fn client(server: &Server) -> Witness {
    let config = WitnessConfig { name: "first".into(), key: key().cosigner(), url: server.address.clone() };
    Witness::new(&config, &clock()).unwrap()
}

/// What a witness keeps: for each log that it knows the keys, and the last size and root.
type Seen = HashMap<String, (Vec<VerifierKey>, u64, Hash)>;

/// C2SP tlog-witness, section `add-checkpoint`, in its order.
#[derive(Clone)]
struct Honest(Arc<Mutex<Seen>>);

impl Honest {
    fn new() -> Honest {
        let known = (vec![log_key().verifier()], 0, tree::empty_root());
        Honest(Arc::new(Mutex::new(HashMap::from([(ORIGIN.to_owned(), known)]))))
    }

    async fn start(&self) -> Server {
        let witness = self.clone();
        Server::start(move |asked| witness.answer(&asked)).await
    }

    fn answer(&self, asked: &Asked) -> Response {
        if asked.path != "/add-checkpoint" {
            return StatusCode::NOT_FOUND.into_response();
        }
        let Some((old, proof, note)) = parse(&asked.body) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let checkpoint = Checkpoint::parse(&note.text).unwrap();
        let mut seen = self.0.lock().unwrap();
        let Some((keys, size, root)) = seen.get_mut(&checkpoint.origin) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        if note.verified_by(keys).is_err() {
            return StatusCode::FORBIDDEN.into_response();
        }
        if old > checkpoint.size {
            return StatusCode::BAD_REQUEST.into_response();
        }
        if old != *size {
            return wrong_size(*size);
        }
        let holds = match old {
            0 => proof.is_empty() && (checkpoint.size > 0 || checkpoint.root == tree::empty_root()),
            old => tree::verify_consistency((old, root), (checkpoint.size, &checkpoint.root), &proof).is_ok(),
        };
        if !holds {
            return StatusCode::UNPROCESSABLE_ENTITY.into_response();
        }
        (*size, *root) = (checkpoint.size, checkpoint.root);
        format!("{}\n", key().cosign(&note.text, now())).into_response()
    }
}

fn parse(body: &[u8]) -> Option<(u64, Vec<Hash>, Note)> {
    let (head, note) = std::str::from_utf8(body).unwrap().split_once("\n\n")?;
    let mut lines = head.split('\n');
    let old = lines.next()?.strip_prefix("old ")?;
    let size: u64 = old.parse().ok()?;
    let hashes: Option<Vec<Hash>> =
        lines.map(|line| BASE64_STANDARD.decode(line).ok()?.try_into().ok()).collect();
    let hashes = hashes.filter(|hashes| hashes.len() <= 63 && size.to_string() == old)?;
    Some((size, hashes, Note::parse(note).ok()?))
}

fn wrong_size(size: u64) -> Response {
    (StatusCode::CONFLICT, [(CONTENT_TYPE, TLOG_SIZE)], format!("{size}\n")).into_response()
}

/// Answers every checkpoint with lines made of its text.
async fn answering(lines: impl Fn(&str) -> String + Clone + Send + Sync + 'static) -> Server {
    Server::start(move |asked| lines(&parse(&asked.body).unwrap().2.text)).await
}

/// Sends a first checkpoint.
async fn ask(server: &Server) -> Result<Cosigned, WitnessError> {
    client(server).add_checkpoint(&http(), 0, &[], &LOG.head(5)).await
}

async fn cosign(server: &Server, known: u64, log: Log, size: u64) -> Result<Cosigned, CosignError<String>> {
    let proof = async |old| Ok(log.proof(old, size));
    client(server).cosign(&http(), known, &log.head(size), proof).await
}

#[tokio::test]
async fn a_log_is_cosigned_as_it_grows() {
    let server = Honest::new().start().await;
    let mut known = 0;
    for size in [1, 2, 5, 5, 8, 300] {
        let cosigned = cosign(&server, known, LOG, size).await.unwrap();
        assert_eq!(cosigned.time, now());
        let mut note = LOG.head(size);
        note.signatures.push(cosigned.signature);
        let keys = [log_key().verifier(), key().cosigner()];
        assert_eq!(note.verified_by(&keys).unwrap().len(), 2);
        known = size;
    }
    assert_eq!(server.asked().len(), 6);
}

#[tokio::test]
async fn an_empty_log_is_cosigned() {
    let server = Honest::new().start().await;
    cosign(&server, 0, LOG, 0).await.unwrap();
    cosign(&server, 0, LOG, 3).await.unwrap();
}

#[tokio::test]
async fn the_body_is_that_of_the_specification() {
    let server = Honest::new().start().await;
    cosign(&server, 0, LOG, 2).await.unwrap();
    cosign(&server, 2, LOG, 3).await.unwrap();
    let third = BASE64_STANDARD.encode(tree::leaf_hash(b"entry-2"));
    let asked = server.asked();
    assert_eq!(asked[0].body, format!("old 0\n\n{}", LOG.head(2)).as_bytes());
    assert_eq!(asked[1].body, format!("old 2\n{third}\n\n{}", LOG.head(3)).as_bytes());
    assert_eq!(asked[1].path, "/add-checkpoint");
}

#[tokio::test]
async fn a_witness_that_has_seen_another_size_is_asked_once_more() {
    let honest = Honest::new();
    let server = honest.start().await;
    cosign(&server, 0, LOG, 5).await.unwrap();
    // We have forgotten that, or know an older size, or a later one of which it has lost the answer.
    cosign(&server, 0, LOG, 7).await.unwrap();
    cosign(&server, 3, LOG, 9).await.unwrap();
    cosign(&server, 11, LOG, 12).await.unwrap();
    // The same head again, with no proof to make.
    let again = client(&server).cosign(&http(), 0, &LOG.head(12), async |_| Err("asked for a proof")).await;
    again.unwrap();
    assert_eq!(server.asked().len(), 1 + 2 * 4);
}

#[tokio::test]
async fn a_witness_that_cannot_decide_is_asked_twice_and_no_more() {
    let server = Server::start(|asked: Asked| wrong_size(1 + parse(&asked.body).unwrap().0)).await;
    let error = cosign(&server, 1, LOG, 8).await.unwrap_err();
    assert!(matches!(error, CosignError::Witness(WitnessError::WrongSize { theirs: 3 })), "{error:?}");
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_witness_that_has_seen_a_longer_log_is_an_alarm() {
    let server = Honest::new().start().await;
    cosign(&server, 0, LOG, 8).await.unwrap();
    for known in [0, 5, 9] {
        let error = cosign(&server, known, LOG, 5).await.unwrap_err();
        let CosignError::Ahead { theirs, ours: 5 } = error else { panic!("{error:?}") };
        assert_eq!(theirs, known.max(8));
    }
}

#[tokio::test]
async fn a_witness_does_not_cosign_a_log_that_was_rewritten() {
    let server = Honest::new().start().await;
    cosign(&server, 0, LOG, 5).await.unwrap();
    for size in [5, 8] {
        let error = cosign(&server, 5, REWRITTEN, size).await.unwrap_err();
        assert!(matches!(error, CosignError::Witness(WitnessError::BadProof)), "{error:?}");
    }
    let error = client(&server).add_checkpoint(&http(), 5, &LOG.proof(4, 8), &LOG.head(8)).await;
    assert!(matches!(error, Err(WitnessError::BadProof)), "{error:?}");
}

#[tokio::test]
async fn what_a_witness_does_not_know_is_told_apart() {
    let server = Honest::new().start().await;
    let unknown = Log { origin: "gateway.example.com/other", ..LOG };
    let error = client(&server).add_checkpoint(&http(), 0, &[], &unknown.head(5)).await;
    assert!(matches!(error, Err(WitnessError::UnknownLog)), "{error:?}");

    let mut note = LOG.head(5);
    note.signatures = vec![SigningKey::from_seed(ORIGIN, &[9; 32]).unwrap().sign_note(&note.text)];
    let error = client(&server).add_checkpoint(&http(), 0, &[], &note).await;
    assert!(matches!(error, Err(WitnessError::Forbidden)), "{error:?}");

    let error = client(&server).add_checkpoint(&http(), 6, &[], &LOG.head(5)).await;
    assert!(matches!(error, Err(WitnessError::Status(400))), "{error:?}");
}

#[tokio::test]
async fn a_proof_that_fails_is_not_sent() {
    let server = Honest::new().start().await;
    cosign(&server, 0, LOG, 5).await.unwrap();
    let error = client(&server).cosign(&http(), 5, &LOG.head(8), async |_| Err("no such node")).await;
    assert!(matches!(error, Err(CosignError::Proof("no such node"))), "{error:?}");
    let long = client(&server).add_checkpoint(&http(), 5, &[[0; 32]; 64], &LOG.head(8)).await;
    assert!(matches!(long, Err(WitnessError::LongProof(64))), "{long:?}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn lines_by_other_keys_are_ignored() {
    let server = answering(|text| {
        let other = SigningKey::from_seed("w.example/2", &[7; 32]).unwrap();
        // Another key of the same name, too, and one of a kind that nobody knows yet.
        let renamed = SigningKey::from_seed(NAME, &[7; 32]).unwrap();
        let unknown = Signature { name: NAME.into(), id: [0; 4], blob: vec![6; 2420] };
        let (other, renamed) = (other.cosign(text, now()), renamed.cosign(text, now()));
        format!("{unknown}\n{other}\n{renamed}\n{}\n", key().cosign(text, now()))
    })
    .await;
    let cosigned = ask(&server).await.unwrap();
    assert_eq!(cosigned.signature.id, key().cosigner().id());

    let server =
        answering(|text| format!("{}\n", SigningKey::from_seed(NAME, &[7; 32]).unwrap().cosign(text, now())))
            .await;
    let error = ask(&server).await;
    assert!(matches!(error, Err(WitnessError::NotCosigned)), "{error:?}");
}

#[tokio::test]
async fn a_lying_witness_is_not_believed() {
    let broken = answering(|text| {
        let mut signature = key().cosign(text, now());
        *signature.blob.last_mut().unwrap() ^= 1;
        format!("{signature}\n")
    })
    .await;
    let later = answering(|text| {
        let mut signature = key().cosign(text, now());
        signature.blob[7] ^= 1;
        format!("{signature}\n")
    })
    .await;
    let another = answering(|_| format!("{}\n", key().cosign(&LOG.head(6).text, now()))).await;
    let as_log = answering(|text| {
        let id = key().cosigner().id();
        format!("{}\n", Signature { id, ..key().sign_note(text) })
    })
    .await;
    for server in [broken, later, another, as_log] {
        let error = ask(&server).await;
        assert!(matches!(error, Err(WitnessError::Forged(_))), "{error:?}");
    }
}

#[tokio::test]
async fn a_witness_whose_clock_is_far_off_is_not_believed() {
    for (off, sane) in [
        (-3600, true),
        (-24 * 3600, true),
        (-24 * 3600 - 1, false),
        (-NOW, false),
        (300, true),
        (301, false),
        (i64::MAX - NOW, false),
    ] {
        let time = u64::try_from(NOW + off).unwrap();
        let server = answering(move |text| format!("{}\n", key().cosign(text, time))).await;
        match ask(&server).await {
            Ok(cosigned) => assert!(sane && cosigned.time == time, "{off}"),
            Err(error) => assert!(!sane && matches!(error, WitnessError::Time { .. }), "{off}: {error:?}"),
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_not_of_the_protocol_is_refused() {
    for lines in ["", "\n", "ok\n", "— w.example/1\n", "— w.example/1 AAAA\n", "— w.example/1 \u{0}\n"]
    {
        let server = answering(move |_| lines.to_owned()).await;
        let error = ask(&server).await;
        assert!(matches!(error, Err(WitnessError::Malformed)), "{lines:?}: {error:?}");
    }
    // Lines that would make another note of it.
    let server = answering(|text| {
        let other = LOG.head(6).text;
        format!("{}\n\n{other}\n{}\n", key().cosign(text, now()), key().cosign(&other, now()))
    })
    .await;
    let error = ask(&server).await;
    assert!(matches!(error, Err(WitnessError::Malformed)), "{error:?}");
    let server = Server::start(|_| vec![0xff, 0xfe]).await;
    let error = ask(&server).await;
    assert!(matches!(error, Err(WitnessError::Malformed)), "{error:?}");
}

#[tokio::test]
async fn a_size_is_believed_only_in_its_own_form() {
    for body in ["", "\n", "5", "05\n", "-5\n", "+5\n", "5\n\n", "5 \n", "99999999999999999999\n"] {
        let server = Server::start(move |_| (StatusCode::CONFLICT, [(CONTENT_TYPE, TLOG_SIZE)], body)).await;
        let error = ask(&server).await;
        assert!(matches!(error, Err(WitnessError::Malformed)), "{body:?}: {error:?}");
    }
    let server = Server::start(|_| (StatusCode::CONFLICT, "5\n")).await;
    let error = ask(&server).await;
    assert!(matches!(error, Err(WitnessError::Status(409))), "{error:?}");
}

#[tokio::test]
async fn a_witness_that_is_slow_or_says_too_much_is_given_up() {
    let slow = Server::silent().await;
    let error = client(&slow).add_checkpoint(&impatient(), 0, &[], &LOG.head(5)).await;
    assert!(matches!(error, Err(WitnessError::Http(HttpError::Slow { .. }))), "{error:?}");

    let long = answering(|text| format!("{}\n", key().cosign(text, now())).repeat(1000)).await;
    let error = ask(&long).await;
    assert!(matches!(error, Err(WitnessError::Http(HttpError::TooLong { .. }))), "{error:?}");
}

#[tokio::test]
async fn a_log_key_cannot_be_a_witness() {
    let server = Honest::new().start().await;
    let config = WitnessConfig { name: "w".into(), key: log_key().verifier(), url: server.address.clone() };
    let error = Witness::new(&config, &clock()).unwrap_err();
    assert!(matches!(error, WitnessError::NotACosigner(_)), "{error:?}");
}

#[tokio::test]
async fn witnesses_are_asked_from_tasks_of_their_own() {
    let server = Honest::new().start().await;
    let (witness, http, note) = (client(&server), http(), LOG.head(5));
    let task = tokio::spawn(async move {
        let proof = async |old| Ok::<_, String>(LOG.proof(old, 5));
        witness.cosign(&http, 0, &note, proof).await.map(|cosigned| cosigned.time)
    });
    assert_eq!(task.await.unwrap().unwrap(), now());
}
