//! `GET /openapi.json`: the API described from the table of routes itself.

use serde_json::{Map, Value, json};

use super::routes::{Entry, TABLE};
use crate::access::Role;
use crate::gate::{OUTCOMES, TYPES};

/// The OpenAPI 3.1 document.
#[must_use]
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for entry in TABLE {
        let path = paths.entry(entry.path).or_insert_with(|| json!({}));
        if let Value::Object(operations) = path {
            operations.insert(entry.method.to_lowercase(), operation(entry));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Consent Gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A consent-enforcing recording gateway. Every operation says in `x-roles` which roles may use it.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "security": [{"basic": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
            "schemas": schemas(),
        },
    })
}

fn operation(entry: &Entry) -> Value {
    let roles: Vec<&str> = entry.roles.iter().copied().map(Role::as_str).collect();
    let mut operation = json!({
        "operationId": operation_id(entry),
        "summary": entry.summary,
        "x-roles": roles,
        "parameters": parameters(entry),
        "responses": responses(entry),
    });
    if let Value::Object(members) = &mut operation {
        if entry.roles.is_empty() {
            members.insert("security".into(), json!([]));
        }
        if let Some(body) = request_body(entry) {
            members.insert("requestBody".into(), body);
        }
    }
    operation
}

fn operation_id(entry: &Entry) -> String {
    let words = entry.path.split(['/', '{', '}', '.', '-']).filter(|word| !word.is_empty() && *word != "v1");
    let path: Vec<&str> = words.collect();
    format!("{}_{}", entry.method.to_lowercase(), path.join("_"))
}

fn parameters(entry: &Entry) -> Value {
    let mut parameters: Vec<Value> = entry
        .path
        .split('/')
        .filter_map(|word| word.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1, "maxLength": 255}}))
        .collect();
    let query = |name: &str, schema: Value, says: &str| json!({"name": name, "in": "query", "required": false, "schema": schema, "description": says});
    let header = |name: &str, says: &str| json!({"name": name, "in": "header", "required": false, "schema": {"type": "string"}, "description": says});
    let text = || json!({"type": "string"});
    let time = || json!({"type": "string", "format": "date-time"});
    let pages = || json!({"type": "integer", "minimum": 1, "maximum": 1000, "default": 100});
    match (entry.method, entry.path) {
        ("GET", "/v1/recordings") => parameters.extend([
            query("call", text(), "only those of this call"),
            query("from", time(), "only those recorded after this moment, at least in part"),
            query("until", time(), "only those recorded before this moment, at least in part"),
            query("participant", text(), "only those that this participant is on: the platform's id of them"),
            query("purpose", text(), "only those that may be listened to for this purpose"),
            query("after", text(), "the cursor `next` of the page before"),
            query("limit", pages(), "how many at most"),
        ]),
        ("GET", "/v1/consents") => {
            parameters.extend(questions().map(|(name, schema, says)| query(name, schema, says)))
        }
        ("GET", "/v1/recordings/{id}/media") => parameters.extend([
            query(
                "purpose",
                text(),
                "what it is fetched for; required here or as the header `Purpose`, and logged",
            ),
            header("Purpose", "the same"),
            header("Range", "one range of bytes (RFC 9110 section 14.2)"),
            header("If-Range", "an entity tag"),
        ]),
        ("GET", "/v1/calls/{call}/explain") => {
            parameters.push(query("at", time(), "the moment; without it, the call's last entry"));
        }
        ("GET", "/v1/jurisdictions/{code}") => parameters.extend([
            query("at", time(), "the moment; without it, now"),
            query("medium", json!({"enum": ["telephone", "voip", "video"]}), "in this medium only"),
        ]),
        ("PUT", "/v1/calls/{call}/recordings/{name}") => parameters.extend([
            header("Recording-Start", "when the audio begins, RFC 3339"),
            header(
                "Recording-Timeline",
                "`start/duration` intervals in file order, ISO 8601, comma-separated",
            ),
            header("Content-Digest", "RFC 9530, `sha-256`"),
        ]),
        _ => {}
    }
    Value::Array(parameters)
}

/// What consent records are asked by; what is combined has to be so all together.
fn questions() -> [(&'static str, Value, &'static str); 15] {
    let text = || json!({"type": "string", "minLength": 1, "maxLength": 255});
    let list = |words: Vec<&str>| json!({"type": "string", "description": format!("comma-separated: {}", words.join(" "))});
    let time = || json!({"type": "string", "format": "date-time"});
    let outcomes = OUTCOMES.iter().map(|(word, _)| *word).collect();
    [
        ("call", text(), "what has to do with this call: its id, or an alias; every call that had the id"),
        ("participant", text(), "with calls on which the platform had somebody of this id"),
        ("number", text(), "with calls on which somebody had this phone number, E.164; `+` is written `%2B`"),
        ("place", text(), "with calls on which somebody was there: an ISO 3166 code"),
        (
            "rule",
            text(),
            "with calls of which this rule was asked: the code of a row, or the id of an overlay",
        ),
        (
            "prompt",
            text(),
            "with calls to which this prompt was played: its id, `id@version`, or the id of a version",
        ),
        ("outcome", list(outcomes), "what came of it: only entries that say so"),
        ("type", list(TYPES.to_vec()), "only entries of one of these types"),
        ("recording", text(), "what has to do with this recording, and with its call"),
        ("listener", text(), "fetches by this credential, refused ones included"),
        ("from", time(), "logged at this moment or later"),
        ("until", time(), "logged before this moment"),
        (
            "after",
            text(),
            "the cursor `next` of the page before; it belongs to the same question of the same asker",
        ),
        (
            "limit",
            json!({"type": "integer", "minimum": 1, "maximum": 1000}),
            "how many at most; without it, JSON is answered in pages of 100, lines and tables as a whole",
        ),
        (
            "format",
            json!({"enum": ["json", "jsonl", "csv"], "default": "json"}),
            "in which form; without it, what `Accept` likes best",
        ),
    ]
}

fn request_body(entry: &Entry) -> Option<Value> {
    let of =
        |schema: Value| Some(json!({"required": true, "content": {"application/json": {"schema": schema}}}));
    let named = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    match (entry.method, entry.path) {
        ("PUT", "/v1/calls/{call}") => of(named("OpenCall")),
        ("POST", "/v1/calls/{call}/participants") => of(named("Participant")),
        ("POST", "/v1/calls/{call}/events") => of(
            json!({"oneOf": [named("Event"), {"type": "array", "items": named("Event"), "minItems": 1, "maxItems": 256}]}),
        ),
        ("POST", "/v1/calls/{call}/recording") => of(named("Control")),
        ("PUT", "/v1/prompts/{id}") => of(named("Prompt")),
        ("PUT", "/v1/consent-grants/{id}") => of(named("ConsentGrant")),
        ("POST", "/v1/erasures") => of(named("Erasure")),
        ("PUT", "/v1/law") => of(named("ChosenLaw")),
        ("POST", "/v1/jurisdictions/check" | "/v1/jurisdictions/proposals") => of(named("Table")),
        ("POST", path)
            if path.starts_with("/v1/jurisdictions/proposals/") || path == "/v1/people/{person}/confirm" =>
        {
            Some(json!({
                "required": false, "content": {"application/json": {"schema": named("Reason")}},
            }))
        }
        ("PUT", "/v1/calls/{call}/recordings/{name}") => Some(json!({
            "required": true,
            "description": "WAV (PCM, G.711, GSM 6.10), MP3 or Ogg, as a whole",
            "content": {"audio/wav": {}, "audio/mpeg": {}, "audio/ogg": {}},
        })),
        _ => None,
    }
}

fn responses(entry: &Entry) -> Value {
    let problem = |says: &str| json!({"description": says, "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}});
    let json_answer = |says: &str| json!({"description": says, "content": {"application/json": {}}});
    let mut responses = Map::new();
    let mut add = |codes: &[&str], answer: &Value| {
        for code in codes {
            responses.insert((*code).into(), answer.clone());
        }
    };
    match (entry.method, entry.path) {
        ("GET", "/v1/consents") => {
            add(
                &["200"],
                &json!({
                    "description": "the entries, oldest first; a page of lines or a table says in `Link` where the next begins",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Consents"}}, "application/jsonl": {}, "text/csv": {}},
                }),
            );
        }
        ("GET", "/v1/recordings/{id}/media") => {
            add(
                &["200", "206"],
                &json!({"description": "sealed bytes", "content": {"application/octet-stream": {}}}),
            );
            add(&["416"], &problem("the range lies outside"));
        }
        ("GET", "/v1/recordings") => {
            let page = json!({"schema": {"$ref": "#/components/schemas/Recordings"}});
            let says = "recordings, those that were accepted first come first";
            add(&["200"], &json!({"description": says, "content": {"application/json": page}}));
        }
        ("GET", "/v1/recordings/{id}") => {
            let one = json!({"schema": {"$ref": "#/components/schemas/Recording"}});
            add(&["200"], &json!({"description": "the recording", "content": {"application/json": one}}));
        }
        ("DELETE", "/v1/recordings/{id}") => add(&["204"], &json!({"description": "deleted"})),
        ("PUT", "/v1/recordings/{id}/hold") => add(&["200"], &json_answer("done")),
        ("PUT", "/v1/law") => add(&["200"], &json_answer("what is chosen")),
        ("POST", "/v1/erasures") => add(&["200"], &json_answer("what went")),
        ("POST", "/v1/jurisdictions/proposals") => {
            add(&["200"], &json_answer("in force already"));
            add(&["201"], &json_answer("in force now: nothing is loosened"));
            add(
                &["202"],
                &json_answer("proposed: something is loosened, and a second person has to approve"),
            );
        }
        ("PUT", _) => add(&["200", "201"], &json_answer("there already, or new")),
        ("POST", "/v1/calls/{call}/participants" | "/v1/calls/{call}/events") => {
            add(&["201"], &json_answer("the decision"))
        }
        _ => add(&["200"], &json_answer("done")),
    }
    if !entry.roles.is_empty() {
        add(&["400"], &problem("the request cannot be read"));
        add(&["401"], &problem("no credentials, or wrong ones"));
        add(&["403"], &problem("the role may not, or the law is against it"));
        add(&["404"], &problem("no such thing, or another account's"));
        add(
            &["408", "413", "415"],
            &problem("the body came too slowly, is too large, or is of another kind"),
        );
        add(&["409", "410"], &problem("it contradicts what is there, or was deleted"));
        add(&["422"], &problem("the request can be read, and something in it is wrong"));
        add(&["429"], &problem("too many wrong attempts"));
        add(&["500", "503"], &problem("nothing was done; try again"));
        add(&["501"], &problem("a transfer coding other than `chunked`"));
    } else if entry.path == "/readyz" {
        add(
            &["503"],
            &json_answer("what is failing, in `failing`: trail clock law signing store room descriptors"),
        );
    }
    Value::Object(responses)
}

fn schemas() -> Value {
    let text = || json!({"type": "string"});
    let name = || json!({"type": "string", "minLength": 1, "maxLength": 255});
    let time = || json!({"type": "string", "format": "date-time"});
    let texts = || json!({"type": "array", "items": {"type": "string"}});
    let place = || json!({"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}], "description": "ISO 3166 codes"});
    let hash = || json!({"type": "string", "pattern": "^[0-9a-fA-F]{64}$"});
    let role = || json!({"enum": ["customer", "agent", "system"]});
    let object = |required: &[&str], properties: Value| json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties});
    json!({
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status", "code", "detail"],
            "properties": {"type": text(), "title": text(), "status": {"type": "integer"}, "code": text(), "detail": text()},
        },
        "Recordings": {
            "type": "object",
            "required": ["recordings", "next"],
            "properties": {
                "recordings": {"type": "array", "items": {"$ref": "#/components/schemas/Recording"}},
                "next": {"type": ["string", "null"], "description": "the cursor of the next page"},
            },
        },
        "Recording": {
            "type": "object",
            "required": ["id", "call", "name", "recorded_from", "recorded_until", "segments", "participants", "purposes",
                "uploader", "accepted_at", "content_type", "duration_ms", "bytes", "held", "media", "retention", "envelope"],
            "properties": {
                "id": text(), "call": {"type": "string", "description": "the platform's id of the call"}, "name": text(),
                "recorded_from": time(), "recorded_until": time(),
                "segments": {
                    "type": "array", "description": "when each stretch of it was recorded",
                    "items": object(&["from", "until"], json!({"from": time(), "until": time()})),
                },
                "participants": {
                    "type": "array", "items": text(), "description": "the platform's ids of everybody who was there",
                },
                "purposes": {
                    "type": ["array", "null"], "items": text(),
                    "description": "the purposes for which it could be listened to when it was accepted; null for any",
                },
                "uploader": {"type": "string", "description": "the credential that uploaded it"},
                "accepted_at": time(), "content_type": text(), "duration_ms": {"type": "integer"},
                "bytes": {"type": "integer", "description": "how long the sealed media are"},
                "held": {"type": "boolean", "description": "whether it is under a legal hold"},
                "media": text(), "retention": {"type": "object"}, "envelope": {"type": "object"},
            },
        },
        "Consents": {
            "type": "object",
            "required": ["consents", "next"],
            "properties": {
                "consents": {"type": "array", "items": {"$ref": "#/components/schemas/Entry"}},
                "next": {"type": ["string", "null"], "description": "the cursor of the next page"},
                "opening": object(&["number", "log", "subject", "subject_key"], json!({
                    "number": text(), "log": text(), "subject": text(), "subject_key": hash(),
                })),
            },
        },
        "Entry": {
            "type": "object",
            "required": ["epoch", "index", "leaf_hash", "call", "entry", "detail", "salt"],
            "properties": {
                "epoch": {"type": "integer"}, "index": {"type": "integer"}, "leaf_hash": hash(),
                "call": {"type": ["string", "null"], "description": "the platform's id of the call"},
                "entry": {"type": "object", "description": "the leaf"},
                "detail": {"type": ["object", "null"], "description": "what the leaf commits to, until it is erased"},
                "salt": {"type": ["string", "null"]},
            },
        },
        "OpenCall": object(&[], json!({
            "medium": {"enum": ["telephone", "voip", "video"]},
            "kind": {"enum": ["conversation", "voicemail", "emergency"]},
            "direction": {"enum": ["inbound", "outbound", "internal"]},
            "started_at": time(), "recorder_location": text(), "operator_location": text(),
            "purposes": texts(), "aliases": texts(), "overlays": texts(),
            "participants": {"type": "array", "maxItems": 256, "items": {"$ref": "#/components/schemas/Participant"}},
        })),
        "Participant": object(&["id", "role"], json!({
            "id": name(), "role": role(), "number": text(), "ip": text(), "location": place(),
            "languages": texts(), "consent_grant": name(), "joined_at": time(),
        })),
        "Event": object(&["type"], json!({
            "type": {"enum": EVENT_TYPES}, "id": name(), "participant": name(), "participants": texts(),
            "prompt": name(), "at": time(), "method": {"enum": ["dtmf", "speech", "click", "written", "continued"]},
            "played_ms": {"type": "integer", "minimum": 0}, "reported_by": {"enum": ["platform", "agent", "asr"]},
            "evidence": object(&[], json!({"source": text(), "ref": text(), "sha256": hash()})),
            "location": place(), "number": text(), "ip": text(), "since": time(),
            "by": {"enum": ["human", "machine"]}, "reason": text(),
        })),
        "Control": object(&["action"], json!({
            "action": {"enum": ["start", "pause", "resume", "stop"]}, "reason": text(), "behavior": {"enum": ["skip", "silence"]},
        })),
        "Prompt": object(&["text", "language", "duration_ms"], json!({
            "text": text(), "language": name(), "duration_ms": {"type": "integer", "minimum": 1000, "maximum": 600_000},
            "purposes": texts(), "delivery": {"enum": ["audio", "tts", "agent", "text"]}, "sha256": hash(),
            "says": {
                "type": "object",
                "propertyNames": {"enum": policy::Element::ALL.map(policy::Element::as_str)},
                "additionalProperties": text(),
                "description": "which words of the text say what the law may ask for",
            },
        })),
        "Table": object(&["table"], json!({"table": {"type": "string", "description": "TOML"}, "reason": text()})),
        "Reason": object(&[], json!({"reason": text()})),
        "ChosenLaw": object(&["reason"], json!({
            "overlays": texts(), "public_safety": {"type": "boolean", "default": false}, "reason": text(),
        })),
        "Erasure": object(&["recordings", "reason"], json!({
            "number": text(), "participant": name(), "recordings": {"enum": ["delete", "keep"]}, "reason": text(),
        })),
        "ConsentGrant": object(&["subject", "role", "basis"], json!({
            "subject": name(), "role": role(), "basis": name(), "text_version": text(), "purposes": texts(),
            "written": {"type": "boolean"}, "from": time(), "until": time(), "evidence_sha256": hash(),
        })),
    })
}

const EVENT_TYPES: &[&str] = &[
    "prompt.started",
    "prompt.completed",
    "prompt.interrupted",
    "consent.given",
    "consent.declined",
    "consent.withdrawn",
    "announcement.recorded",
    "tone.started",
    "tone.stopped",
    "participant.located",
    "participant.answered",
    "participant.left",
    "recording.started",
    "recording.paused",
    "recording.resumed",
    "recording.stopped",
    "call.ended",
];
