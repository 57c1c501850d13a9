//! Storage plans of Kazoo's: the recording's document and the audio in one body, and the file by which a plan is tried.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{Said, Switch, send};
use crate::harness::wav;

const BOUNDARY: &str = "0123456789abcdef";

/// A body of these parts, each with its headers.
fn multipart(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (headers, content) in parts {
        body.extend_from_slice(format!("--{BOUNDARY}\r\n{headers}\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

fn document(call: &str, id: &str, begun: jiff::Timestamp) -> Vec<u8> {
    let document = json!({
        "_id": id, "name": "recording", "call_id": call, "cdr_id": format!("202611-{call}"), "interaction_id": "i-1",
        "from": "1000@realm.example", "to": "+15550100@realm.example", "caller_id_name": "Jürgen Groß", "owner_id": null,
        "start": begun.as_second() + 62_167_219_200, "duration": 1, "duration_ms": 1000, "media_type": "mp3",
    });
    document.to_string().into_bytes()
}

impl Switch {
    async fn plan(&self, kind: &str, path: &str, body: &[u8]) -> Said {
        let (host, token) = (self.gateway.running.address, self.token());
        let length = body.len();
        let mut request = format!(
            "PUT /kazoo/acme?token={token}&path={path} HTTP/1.1\r\ncontent-type: {kind}; boundary={BOUNDARY}\r\n\
             content-length: {length}\r\nte: \r\nhost: gw.example:8080\r\nconnection: keep-alive\r\n\r\n"
        )
        .into_bytes();
        request.extend_from_slice(body);
        send(host, &request).await
    }

    async fn get(&self, target: &str) -> Said {
        let request = format!("GET {target} HTTP/1.1\r\nhost: gw.example:8080\r\n\r\n");
        send(self.gateway.running.address, request.as_bytes()).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_says_what_the_audio_is() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    let audio = wav(1000);
    let encoded = BASE64_STANDARD.encode(&audio).into_bytes();
    let forms =
        [("multipart/form-data", &audio), ("multipart/mixed", &audio), ("multipart/form-data", &encoded)];
    for (number, (kind, audio)) in forms.into_iter().enumerate() {
        let call = format!("c{number}");
        let id = format!("202611-{number:032x}");
        switch.goes_on(&call).await;
        let begun = gateway.now();
        gateway.advance_ms(3000);
        let body = multipart(&[
            (
                "content-type: application/json\r\ncontent-disposition: form-data; name=metadata",
                &document(&call, &id, begun),
            ),
            (
                "content-type: audio/mpeg\r\ncontent-disposition: form-data; name=attachment; filename=a.mp3",
                audio,
            ),
        ]);
        let path = format!("0123/{id}/0a.mp3");
        for status in [201, 200] {
            let said = switch.plan(kind, &path, &body).await;
            assert_eq!((said.status, said.body.as_str()), (status, "{}"), "{said:?}");
        }
        let stored = switch.recordings().await;
        let stored = stored.iter().find(|recording| recording["call"] == call.as_str()).unwrap();
        assert_eq!(stored["name"], format!("kazoo-{id}"));
        assert_eq!(gateway.fetch_and_open(stored["id"].as_str().unwrap()).await, wav(1000));
    }
    assert_eq!(switch.recordings().await.len(), 3);
}

#[tokio::test]
async fn a_body_that_is_not_whole_leaves_nothing() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    switch.goes_on("c1").await;
    let begun = gateway.now();
    gateway.advance_ms(3000);
    let (json, audio) = ("content-type: application/json", "content-type: audio/mpeg");
    let (about, sound) = (document("c1", "202611-00000000000000000000000000000001", begun), wav(1000));
    let whole = multipart(&[(json, &about), (audio, &sound)]);
    let long = vec![b' '; 1 << 21];
    let wrong: [(&str, Vec<u8>); 5] = [
        ("breaks off", whole[..whole.len() - 30].to_vec()),
        ("no audio", multipart(&[(json, &about)])),
        ("no JSON", multipart(&[(json, b"{"), (audio, &sound)])),
        ("too long", multipart(&[(json, &long), (audio, &sound)])),
        (
            "another boundary",
            multipart(&[(json, &about), (audio, &sound)]).replace_all(BOUNDARY, "fedcba9876543210"),
        ),
    ];
    for (what, body) in wrong {
        let said = switch.plan("multipart/form-data", "0123/x/0a.mp3", &body).await;
        assert_eq!(said.status, 400, "{what}: {said:?}");
        assert!(switch.recordings().await.is_empty(), "{what}");
    }
    assert_eq!(switch.plan("multipart/form-data", "0123/x/0a.mp3", &whole).await.status, 201);
}

trait ReplaceAll {
    fn replace_all(self, from: &str, to: &str) -> Self;
}

impl ReplaceAll for Vec<u8> {
    fn replace_all(mut self, from: &str, to: &str) -> Self {
        while let Some(at) = self.windows(from.len()).position(|window| window == from.as_bytes()) {
            self[at..at + from.len()].copy_from_slice(to.as_bytes());
        }
        self
    }
}

/// Kazoo puts a small file where recordings will go, and wants it back.
#[tokio::test]
async fn the_file_by_which_a_plan_is_tried_comes_back() {
    let switch = Switch::new().await;
    let authorization = crate::harness::Client::new(switch.gateway.running.address, &switch.credential)
        .authorization
        .unwrap();
    let file = "/kazoo/acme/0123/0a1b2c_test_credentials_file.txt";
    let content = b"some random content: 0a1b2c";
    let put = super::request("PUT", file, Some(&authorization), content);
    let said = send(switch.gateway.running.address, &put).await;
    assert_eq!(said.status, 201, "{said:?}");
    let read = |authorization: &str, file: &str| {
        format!("GET {file} HTTP/1.1\r\nhost: gw.example:8080\r\nauthorization: {authorization}\r\n\r\n")
            .into_bytes()
    };
    let said = send(switch.gateway.running.address, &read(&authorization, file)).await;
    assert_eq!((said.status, said.body.as_bytes()), (200, &content[..]), "{said:?}");
    // Nothing else can be read here, and not by anybody else.
    let other = send(switch.gateway.running.address, &read(&authorization, "/kazoo/acme/0123/0a.mp3")).await;
    assert_eq!(other.status, 404, "{other:?}");
    assert_eq!(switch.get(file).await.status, 401);
    let listener = switch.gateway.listener.authorization.clone().unwrap();
    assert_eq!(send(switch.gateway.running.address, &read(&listener, file)).await.status, 403);
    // It is no recording.
    assert!(switch.recordings().await.is_empty() && switch.entries("recording.quarantined").await.is_empty());
    // A large one is none.
    let large = super::request("PUT", file, Some(&authorization), &vec![b'x'; 5000]);
    assert_eq!(send(switch.gateway.running.address, &large).await.status, 400);
    let problem: Value = serde_json::from_str(&other.body).unwrap();
    assert_eq!(problem["code"], "not-found");
}
