//! `GET /openapi.json`: the API, described from the table of routes and the types of its bodies.

mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use schemars::SchemaGenerator;
use schemars::generate::{Contract, SchemaSettings};
use serde_json::{Map, Value, json};

use super::problem::{self, DoorCode};
use super::routes::{Body, Content, Route, Shape, TABLE};
use super::{Code, PUBLIC, all_codes};
use crate::access::Role;
use crate::gate::FaultCode;

/// The OpenAPI 3.1 document.
#[must_use]
pub fn document() -> &'static Value {
    &DOCUMENT
}

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| Describer::new().document());

/// Describes routes, and collects the types that they mention.
struct Describer {
    /// Schemas of requests.
    requests: SchemaGenerator,
    /// Schemas of answers, in which every member that is always written is required.
    answers: SchemaGenerator,
    /// The meaning of each code.
    codes: BTreeMap<&'static str, Code>,
    /// Recorded requests and answers, by operation.
    examples: Value,
}

impl Describer {
    fn new() -> Describer {
        let generator = |contract: Contract| {
            let mut settings = SchemaSettings::draft2020_12();
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
            settings.contract = contract;
            settings.into_generator()
        };
        Describer {
            requests: generator(Contract::Deserialize),
            answers: generator(Contract::Serialize),
            codes: all_codes().map(|code| (code.code, code)).collect(),
            examples: serde_json::from_str(include_str!("openapi/examples.json")).unwrap_or_default(),
        }
    }

    fn document(mut self) -> Value {
        let problem = json!(self.answers.subschema_for::<problem::Document>());
        let mut paths: Map<String, Value> = Map::new();
        for route in TABLE.iter() {
            let path = paths.entry(described_path(route)).or_insert_with(|| json!({}));
            if let Value::Object(operations) = path {
                operations.insert(route.method.to_lowercase(), self.operation(route, &problem));
            }
        }
        let [mut schemas, requests] = self.schemas();
        schemas.extend(requests);
        let tags = TAGS.map(|(name, says)| json!({"name": name, "description": says}));
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Consent Gateway",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "A policy proxy in front of a recording store: no consent, no bytes.",
                "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
            },
            "servers": [{"url": "/", "description": "this gateway"}],
            "tags": tags,
            "security": [{"basic": []}],
            "paths": paths,
            "components": {
                "securitySchemes": {"basic": {
                    "type": "http", "scheme": "basic",
                    "description": "A credential belongs to one account, has one role, and stands for one \
                     person or system.",
                }},
                "headers": {"RequestId": {
                    "description": "Identifies this answer in the gateway's log: the request's own \
                     `X-Request-Id` if that is a UUID.",
                    "required": true,
                    "schema": {"type": "string", "format": "uuid"},
                }},
                "schemas": schemas,
            },
        })
    }

    /// The collected types of answers and of requests.
    fn schemas(&mut self) -> [Map<String, Value>; 2] {
        let answers = schema::of_answers(self.answers.take_definitions(true));
        [answers, schema::of_requests(self.requests.take_definitions(true))]
    }

    fn operation(&mut self, route: &Route, problem: &Value) -> Value {
        let roles: Vec<&str> = route.roles.iter().copied().map(Role::as_str).collect();
        let mut operation = json!({
            "operationId": route.id,
            "summary": route.summary.trim_end_matches('.'),
            "description": match roles.as_slice() {
                [] => "Open to everybody, without credentials.".to_owned(),
                roles => format!("For the roles `{}`.", roles.join("`, `")),
            },
            "tags": [route.tag],
            "x-roles": roles,
            "parameters": self.parameters(route),
            "responses": self.responses(route, problem),
        });
        if let Value::Object(members) = &mut operation {
            if route.roles.is_empty() {
                members.insert("security".into(), json!([]));
            }
            if route.path.starts_with(PUBLIC) {
                members.insert("security".into(), json!([{"basic": []}, {}]));
            }
            if let Some(body) = &route.body {
                members.insert("requestBody".into(), self.request(route, body));
            }
        }
        operation
    }

    fn parameters(&mut self, route: &Route) -> Vec<Value> {
        let in_path = route.path.split('/').filter_map(|word| word.strip_prefix('{')?.strip_suffix('}'));
        let mut parameters: Vec<Value> = in_path
            .map(|name| {
                let name = name.trim_start_matches('*');
                let (says, example, schema) = path_parameter(route.path, name);
                json!({
                    "name": name, "in": "path", "required": true, "description": says, "example": example,
                    "schema": schema,
                })
            })
            .collect();
        if let Some(shape) = route.query {
            parameters.extend(queries(shape, &mut self.requests));
        }
        parameters.extend(route.headers.iter().map(|(name, says, schema)| {
            json!({"name": name, "in": "header", "required": false, "description": says, "schema": schema})
        }));
        parameters
    }

    fn request(&mut self, route: &Route, body: &Body) -> Value {
        match body {
            Body::Json { shape, required } => {
                let schema = json!(shape(&mut self.requests));
                let content = self.with_example(route, "request", json!({"schema": schema}));
                json!({"required": required, "content": {"application/json": content}})
            }
            Body::File(media_types) => {
                let binary = json!({"schema": {"type": "string", "format": "binary"}});
                let content: Map<String, Value> =
                    media_types.iter().map(|one| ((*one).to_owned(), binary.clone())).collect();
                json!({
                    "required": true,
                    "description": "The whole file: WAV (PCM, G.711, GSM 6.10), MP3 or Ogg. The format is \
                     detected from the bytes; the media type is ignored.",
                    "content": content,
                })
            }
        }
    }

    fn with_example(&self, route: &Route, of: &str, mut content: Value) -> Value {
        let example = self.examples.get(route.id).and_then(|examples| examples.get(of));
        if let (Some(example), Value::Object(members)) = (example, &mut content) {
            members.insert("example".into(), example.clone());
        }
        content
    }

    fn responses(&mut self, route: &Route, problem: &Value) -> Map<String, Value> {
        let mut responses: Map<String, Value> = Map::new();
        for (status, codes) in self.problems(route) {
            let says = REFUSALS.iter().find(|(of, _)| *of == status).map_or("", |(_, says)| says);
            let words: Vec<&str> = codes.iter().copied().collect();
            let own = HEADERS.iter().filter(|(of, ..)| *of == status);
            let response = json!({
                "description": format!("{says}: `{}`", words.join("`, `")),
                "x-codes": words,
                "headers": headers(own.map(|(_, name, says)| (*name, *says, true))),
                "content": {problem::MEDIA_TYPE: {"schema": problem}},
            });
            responses.insert(status.to_string(), response);
        }
        for (status, says, content) in &route.answers {
            responses.insert(status.to_string(), self.answer(route, *status, says, content));
        }
        responses
    }

    /// The codes of the problems that a route can answer, by status.
    fn problems(&self, route: &Route) -> BTreeMap<u16, BTreeSet<&'static str>> {
        let door = |code: DoorCode| (code.as_str(), None);
        let gate = |code: FaultCode| (code.as_str(), None);
        let mut codes = vec![(DoorCode::AmbiguousRequest.as_str(), Some(400)), gate(FaultCode::Internal)];
        if !route.roles.is_empty() {
            codes.extend([DoorCode::Unauthorized, DoorCode::TooManyAttempts, DoorCode::Busy].map(door));
            codes.push(gate(FaultCode::TrailUnavailable));
            if route.roles.len() < Role::ALL.len() {
                codes.push(door(DoorCode::WrongRole));
            }
        }
        if route.path.contains('{') {
            codes.push(door(DoorCode::InvalidPath));
        }
        if route.query.is_some() {
            codes.push(door(DoorCode::InvalidQuery));
        }
        if let Some(body) = &route.body {
            codes.push((DoorCode::AmbiguousRequest.as_str(), Some(501)));
            codes.extend([FaultCode::BodyBroken, FaultCode::BodyTooLarge, FaultCode::BodyTooSlow].map(gate));
            match body {
                Body::Json { .. } => {
                    codes.push(door(DoorCode::NotJson));
                    codes.extend([FaultCode::MalformedJson, FaultCode::InvalidBody].map(gate));
                }
                Body::File(_) => {}
            }
        }
        codes.extend(route.refusals.iter().copied().map(gate));
        codes.extend(route.turned_away.iter().copied().map(door));
        let mut by_status: BTreeMap<u16, BTreeSet<&'static str>> = BTreeMap::new();
        for (word, only) in codes {
            for status in self.codes.get(word).into_iter().flat_map(|code| &code.statuses) {
                if only.is_none_or(|only| only == *status) {
                    by_status.entry(*status).or_default().insert(word);
                }
            }
        }
        by_status
    }

    fn answer(&mut self, route: &Route, status: u16, says: &str, content: &Content) -> Value {
        // An answer of its own form has an example of its own.
        let own = format!("answer_{status}");
        let has_own = self.examples.get(route.id).is_some_and(|examples| examples.get(&own).is_some());
        let example = if has_own { own.as_str() } else { "answer" };
        let mut described: Map<String, Value> = Map::new();
        for (media_type, shape) in &content.bodies {
            let schema = match shape {
                Some(shape) => json!(shape(&mut self.answers)),
                None if media_type.starts_with("text/") || media_type.ends_with("jsonl") => {
                    json!({"type": "string"})
                }
                None => json!({"type": "string", "format": "binary"}),
            };
            let described_so = json!({"schema": schema});
            let described_so = match described.is_empty() {
                true => self.with_example(route, example, described_so),
                false => described_so,
            };
            described.insert((*media_type).to_owned(), described_so);
        }
        let mut answer = json!({"description": says, "headers": headers(content.headers.iter().copied())});
        if let (false, Value::Object(members)) = (described.is_empty(), &mut answer) {
            members.insert("content".into(), Value::Object(described));
        }
        answer
    }
}

/// The path as OpenAPI writes it, which cannot say that a parameter holds slashes.
fn described_path(route: &Route) -> String {
    route.path.replace("{*", "{")
}

/// The headers of an answer, each with its description and whether it is always there.
fn headers<'h>(own: impl Iterator<Item = (&'h str, &'h str, bool)>) -> Value {
    let one = |(name, says, always): (&str, &str, bool)| {
        (name.to_owned(), json!({"description": says, "required": always, "schema": {"type": "string"}}))
    };
    let all = [("X-Request-Id".to_owned(), json!({"$ref": "#/components/headers/RequestId"}))];
    own.map(one).chain(all).collect::<Map<String, Value>>().into()
}

/// The description, an example and the schema of a path parameter.
fn path_parameter(path: &str, name: &str) -> (&'static str, &'static str, Value) {
    const UUID: &str = "0191e2a0-7a4c-7000-8000-000000000000";
    let uuid = || json!({"type": "string", "format": "uuid"});
    // Neither control characters nor more bytes than this.
    let named = || json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]+$"});
    let text = |pattern: &str| json!({"type": "string", "pattern": pattern});
    match name {
        "account" => ("the account's id", "acme", text("^[a-z0-9][a-z0-9_-]{0,63}$")),
        "alias" => (
            "the platform's own id of the account, in ASCII",
            "AC0123456789abcdef0123456789abcdef",
            text("^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$"),
        ),
        "key" => (
            "the key's id: the SHA-256 of its SPKI, in hexadecimal",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            text("^[0-9a-f]{64}$"),
        ),
        "name" if path.starts_with("/v1/accounts") => {
            ("the credential's name, which the provisioner chooses; at most 255 bytes", "recorder-1", named())
        }
        "call" => ("the platform's id of the call, or an alias; at most 255 bytes", "call-1", named()),
        "name" => ("the name of the recording, unique on its call; at most 255 bytes", "main", named()),
        "code" => ("ISO 3166-1 alpha-2 or ISO 3166-2", "US-CA", text("^[A-Z]{2}(-[A-Z0-9]{1,3})?$")),
        "version" => (
            "the number of a version, or the digest of its table",
            "1",
            text("^([1-9][0-9]{0,17}|sha256:[0-9a-f]{64})$"),
        ),
        "notification" => ("the notification's `webhook-id`", UUID, uuid()),
        "reading" => (
            "the reading's id: `sha256:` and the hash of its terms",
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            text("^sha256:[0-9a-f]{64}$"),
        ),
        "proposal" => ("the gateway's id of the proposal", UUID, uuid()),
        "person" => ("the gateway's id of the person, or their name; at most 255 bytes", UUID, named()),
        "log" => {
            let says = "the name of a log: its account; from the second epoch on, a dot and the epoch";
            (says, "acme", text("^[a-z0-9][a-z0-9_-]{0,63}(\\.[1-9][0-9]{0,17})?$"))
        }
        "path" => {
            let says = "the path of the tile (C2SP tlog-tiles); slashes need not be escaped";
            (says, "0/000", text("^([0-9]{1,2}|entries)(/x[0-9]{3}){0,6}/[0-9]{3}(\\.p/[1-9][0-9]{0,2})?$"))
        }
        "hold" => ("the hold's id, which counsel chooses; at most 255 bytes", "smith-v-acme", named()),
        _ if path.starts_with("/v1/recordings") => ("the gateway's id of the recording", UUID, uuid()),
        _ if path.starts_with("/v1/prompts") || path.starts_with("/v1/accounts") => {
            ("the prompt's id, which the account chooses; at most 255 bytes", "welcome", named())
        }
        _ => ("the consent grant's id, which the account chooses; at most 255 bytes", "contract-7", named()),
    }
}

/// The members of a query, each as a parameter.
fn queries(shape: Shape, generator: &mut SchemaGenerator) -> Vec<Value> {
    let schema = json!(shape(generator));
    let required = |name: &str| {
        schema.get("required").and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| one == name))
    };
    let members = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let parameter = |(name, member): (&String, &Value)| {
        let mut member = member.clone();
        schema::without_null(&mut member);
        let says = member.as_object_mut().and_then(|member| member.remove("description"));
        json!({"name": name, "in": "query", "required": required(name), "schema": member, "description": says})
    };
    members.map(parameter).collect()
}

/// The groups of operations.
const TAGS: [(&str, &str); 12] = [
    ("Calls", "Who is on a call, what was played to them and what they answered; and what the law requires."),
    ("Recordings", "The finished audio: accepted if consent covers it, sealed, and fetched for a purpose."),
    (
        "Quarantine",
        "Uploads that nobody could decide on yet: sealed, locked, and destroyed when their time is over.",
    ),
    ("Prompts and grants", "What is played to people, and consent given outside of a call."),
    ("Evidence", "What auditors ask: who consented to what and when, with proofs; and erasures."),
    ("Log", "The append-only log, as C2SP tlog-tiles."),
    ("Law", "The table of jurisdictions: what it requires, its history, and how to change it."),
    ("Legal holds", "What is kept, whatever else says that it has to go."),
    ("Recording settings", "Which calls a Kazoo platform records by its own settings."),
    ("Notifications", "What the account's webhook is still to be told."),
    ("Provisioning", "Accounts, credentials, keys, prompts and webhooks, for a platform with many tenants."),
    ("Probes", "Whether the gateway runs and is ready, and what it offers."),
];

/// The headers of problems, by status.
const HEADERS: [(u16, &str, &str); 4] = [
    (401, "WWW-Authenticate", "how to authenticate"),
    (416, "Content-Range", "how many bytes there are"),
    (429, "Retry-After", "when to try again, in seconds"),
    (503, "Retry-After", "when to try again, in seconds"),
];

const REFUSALS: [(u16, &str); 15] = [
    (400, "the request cannot be read"),
    (401, "no credentials, or wrong ones"),
    (403, "the role or the law does not allow it"),
    (404, "there is no such thing in this account"),
    (408, "the body came too slowly"),
    (409, "the request conflicts with the current state"),
    (410, "the recording or the entries were deleted"),
    (413, "the body is too large"),
    (415, "the type of the body is not supported"),
    (416, "the range is out of bounds"),
    (422, "the request is well-formed, but something in it is wrong"),
    (429, "too many wrong attempts"),
    (500, "a fault of the gateway: nothing was done"),
    (501, "a transfer coding other than `chunked`"),
    (503, "nothing was done; try again"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::{Describer, TABLE, TAGS, document};

    #[test]
    fn a_name_means_one_schema_whether_it_is_sent_or_answered() {
        let mut describer = Describer::new();
        for route in TABLE.iter() {
            describer.operation(route, &json!({}));
        }
        let [answers, requests] = describer.schemas();
        for (name, sent) in &requests {
            assert!(answers.get(name).is_none_or(|answered| answered == sent), "{name}: {sent}");
        }
    }

    #[test]
    fn every_tag_is_described_and_used() {
        let used: BTreeSet<&str> = TABLE.iter().map(|route| route.tag).collect();
        assert_eq!(used, TAGS.iter().map(|(name, _)| *name).collect());
    }

    #[test]
    fn everything_is_described_in_plain_words() {
        fn check(schema: &Value, path: &str) {
            if let Some(members) = schema.get("properties").and_then(Value::as_object) {
                for (name, member) in members {
                    let says = member.get("description").or(member.get("const")).or(member.get("$ref"));
                    assert!(says.is_some(), "{path}/{name} has no description");
                }
            }
            if let Some(says) = schema.get("description").and_then(Value::as_str) {
                assert!(
                    !says.contains("](") && !says.contains("[`"),
                    "{path} links into the sources: {says}"
                );
            }
            match schema {
                Value::Object(members) => {
                    members.iter().for_each(|(name, below)| check(below, &format!("{path}/{name}")));
                }
                Value::Array(items) => items.iter().for_each(|below| check(below, path)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        check(document(), "");
    }
}
