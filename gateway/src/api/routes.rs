//! Every route of the native API: which roles may use it, what it takes, what it answers, and who handles it.
//! What is not here does not exist, and the description of the API is derived from it.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::Method;
use axum::routing::{MethodRouter, delete, get, post, put};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{Door, account, calls, consents, erasures, evidence, law, log, media, upload};
use crate::access::Role;
use crate::gate::answer;
use crate::gate::ask::{ConsentGrant, ControlRecording, OpenCall, Participant, Prompt};
use crate::gate::erasure::Erasure;

/// One route.
#[derive(Debug, Clone)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    /// Who may use it. Empty: everybody, without credentials.
    pub roles: &'static [Role],
    /// What it does.
    pub summary: &'static str,
    pub(super) tag: &'static str,
    pub(super) query: Option<Shape>,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<(u16, &'static str, Content)>,
    /// Refusals that its own work knows, beside those that every route of its kind has.
    pub(super) refusals: &'static [u16],
    handler: MethodRouter<Arc<Door>>,
}

/// Describes a type.
pub(super) type Shape = fn(&mut SchemaGenerator) -> Schema;

/// What a request brings.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// A JSON document.
    Json { shape: Shape, required: bool },
    /// A file in one of these media types.
    File(&'static [&'static str]),
}

/// What an answer holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    /// The document of the first media type.
    pub(super) shape: Option<Shape>,
    pub(super) media_types: Vec<&'static str>,
}

impl Content {
    /// The same, or text in one of these media types.
    fn or(mut self, media_types: &[&'static str]) -> Content {
        self.media_types.extend(media_types);
        self
    }
}

fn json<T: JsonSchema>() -> Content {
    Content { shape: Some(SchemaGenerator::subschema_for::<T>), media_types: vec!["application/json"] }
}

/// A document whose form others have fixed.
fn document(media_type: &'static str) -> Content {
    Content { media_types: vec![media_type], ..json::<serde_json::Map<String, serde_json::Value>>() }
}

fn bytes(media_type: &'static str) -> Content {
    Content { shape: None, media_types: vec![media_type] }
}

fn nothing() -> Content {
    Content::default()
}

impl Route {
    fn tagged(self, tag: &'static str) -> Route {
        Route { tag, ..self }
    }

    fn asks<T: JsonSchema>(self) -> Route {
        Route { query: Some(SchemaGenerator::root_schema_for::<T>), ..self }
    }

    fn header(mut self, name: &'static str, says: &'static str) -> Route {
        self.headers.push((name, says));
        self
    }

    fn takes<T: JsonSchema>(self) -> Route {
        Route {
            body: Some(Body::Json { shape: SchemaGenerator::subschema_for::<T>, required: true }),
            ..self
        }
    }

    fn may_take<T: JsonSchema>(self) -> Route {
        Route {
            body: Some(Body::Json { shape: SchemaGenerator::subschema_for::<T>, required: false }),
            ..self
        }
    }

    fn uploads(self, media_types: &'static [&'static str]) -> Route {
        Route { body: Some(Body::File(media_types)), ..self }
    }

    fn answers(mut self, status: u16, says: &'static str, content: Content) -> Route {
        self.answers.push((status, says, content));
        self
    }

    fn fails(self, refusals: &'static [u16]) -> Route {
        Route { refusals, ..self }
    }
}

/// The route of a request, if there is one.
#[must_use]
pub fn entry(method: &Method, path: &str) -> Option<&'static Route> {
    // HEAD asks for what GET would answer.
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    TABLE.iter().find(|entry| entry.path == path && entry.method == method)
}

/// The methods of a path, by which something can be done there.
#[must_use]
pub fn methods(path: &str) -> Vec<&'static str> {
    TABLE.iter().filter(|entry| entry.path == path).map(|entry| entry.method).collect()
}

/// All routes with their handlers.
pub fn mount() -> Router<Arc<Door>> {
    TABLE.iter().fold(Router::new(), |router, route| router.route(route.path, route.handler.clone()))
}

fn route(
    method: &'static str,
    path: &'static str,
    roles: &'static [Role],
    handler: MethodRouter<Arc<Door>>,
    summary: &'static str,
) -> Route {
    Route {
        method,
        path,
        roles,
        summary,
        tag: "",
        query: None,
        headers: Vec::new(),
        body: None,
        answers: Vec::new(),
        refusals: &[],
        handler,
    }
}

use Role::{Admin, Auditor, Counsel, Listener, Recorder, Registrar};

const ANYBODY: &[Role] = &[];
const EVERY_ROLE: &[Role] = &Role::ALL;
const RECORDS: &[Role] = &[Recorder];
const READS_CALLS: &[Role] = &[Recorder, Auditor, Counsel, Admin];
const TABLE_READERS: &[Role] = &[Auditor, Counsel, Admin];
const READS_RECORDINGS: &[Role] = &[Recorder, Listener, Auditor, Counsel, Admin];

/// Whether what comes this way may be an objection, or something else that makes things stricter.
pub(super) fn may_restrict(entry: &Route) -> bool {
    let by = entry.path.strip_prefix("/v1/calls/{call}/");
    entry.method == "POST"
        && (by.is_some_and(|by| ["events", "participants", "recording"].contains(&by))
            || entry.path == "/v1/consent-grants/{id}/withdraw")
}

/// The table of routes.
pub static TABLE: LazyLock<Vec<Route>> = LazyLock::new(|| {
    vec![
        route("GET", "/healthz", ANYBODY, get(account::healthz), "Whether the process runs.")
            .tagged("Probes")
            .answers(200, "the process runs", json::<answer::Health>()),
        route("GET", "/readyz", ANYBODY, get(account::readyz), "Whether it can do its work: what a request needs is tried.")
            .tagged("Probes")
            .answers(200, "it can do its work, or most of it", json::<answer::Ready>())
            .answers(503, "no request could be answered", json::<answer::Ready>()),
        route("GET", "/openapi.json", ANYBODY, get(account::description), "This description.")
            .tagged("Probes")
            .answers(200, "this description", json::<serde_json::Map<String, serde_json::Value>>()),
        route("PUT", "/v1/calls/{call}", RECORDS, put(calls::open), "Opens a call.")
            .tagged("Calls")
            .takes::<OpenCall>()
            .answers(201, "the call is new: its decision", json::<answer::Decision>())
            .answers(200, "it was opened like this before: its decision", json::<answer::Decision>())
            .fails(&[409]),
        route("GET", "/v1/calls/{call}", READS_CALLS, get(calls::show), "A call's state, decision, lawful intervals and windows.")
            .tagged("Calls")
            .answers(200, "the call", json::<answer::Call>()),
        route("GET", "/v1/calls/{call}/decision", READS_CALLS, get(calls::decision), "The decision, explained.")
            .tagged("Calls")
            .answers(200, "the decision", json::<answer::Decision>()),
        route("GET", "/v1/calls/{call}/explain", &[Auditor, Counsel, Admin], get(calls::explain), "What was decided at a moment, and what would be decided today.")
            .tagged("Calls")
            .asks::<calls::ExplainQuery>()
            .answers(200, "both decisions", json::<answer::Explained>())
            .fails(&[422]),
        route("GET", "/v1/calls/{call}/proof", TABLE_READERS, get(evidence::of_call), "A proof pack of a call; with `of=no-recording`, that it has no recording.")
            .tagged("Evidence")
            .asks::<evidence::ProofQuery>()
            .answers(200, "the pack", bytes("application/zip"))
            .fails(&[409]),
        route("GET", "/v1/calls/{call}/vcon", TABLE_READERS, get(evidence::vcon), "A call as a vCon with its lawful basis.")
            .tagged("Evidence")
            .asks::<evidence::VconQuery>()
            .answers(200, "the vCon, or a JWS that holds it", document("application/vcon+json"))
            .fails(&[409]),
        route("GET", "/v1/calls/{call}/consent-record", TABLE_READERS, get(evidence::consent_record), "Consent records of a call by ISO/IEC TS 27560, in JSON-LD.")
            .tagged("Evidence")
            .answers(200, "the records", document("application/ld+json"))
            .fails(&[409]),
        route("GET", "/v1/recordings/{id}/proof", TABLE_READERS, get(evidence::of_recording), "A proof pack of a recording.")
            .tagged("Evidence")
            .answers(200, "the pack", bytes("application/zip"))
            .fails(&[409, 410]),
        route("POST", "/v1/calls/{call}/participants", RECORDS, post(calls::join), "Somebody joins, or comes back.")
            .tagged("Calls")
            .takes::<Participant>()
            .answers(201, "the decision", json::<answer::Decision>())
            .fails(&[409]),
        route("POST", "/v1/calls/{call}/events", RECORDS, post(calls::observe), "Logs one event or an array of events.")
            .tagged("Calls")
            .takes::<calls::Events>()
            .answers(201, "the decision", json::<answer::Decision>())
            .fails(&[409]),
        route("POST", "/v1/calls/{call}/recording", RECORDS, post(calls::control), "Starts, pauses, resumes or stops recording.")
            .tagged("Calls")
            .takes::<ControlRecording>()
            .answers(200, "granted, or noted: the decision", json::<answer::Decision>())
            .fails(&[409]),
        route("PUT", "/v1/calls/{call}/recordings/{name}", RECORDS, put(upload::store), "Uploads the finished audio.")
            .tagged("Recordings")
            .uploads(&["audio/wav", "audio/mpeg", "audio/ogg"])
            .header("Recording-Start", "when the audio begins, RFC 3339")
            .header("Recording-Timeline", "`start/duration` intervals in the order of the file, ISO 8601, separated by commas")
            .header("Content-Digest", "RFC 9530, `sha-256`")
            .answers(201, "accepted", json::<answer::Recording>())
            .answers(200, "the same upload was accepted before", json::<answer::Recording>())
            .fails(&[409, 410]),
        route("GET", "/v1/recordings", READS_RECORDINGS, get(media::list), "Lists recordings; a recorder sees its own.")
            .tagged("Recordings")
            .asks::<media::ListQuery>()
            .answers(200, "a page of recordings", json::<answer::Recordings>()),
        route("GET", "/v1/recordings/{id}", READS_RECORDINGS, get(media::describe), "Describes a recording, with its envelope.")
            .tagged("Recordings")
            .answers(200, "the recording", json::<answer::Recording>())
            .fails(&[410]),
        route("DELETE", "/v1/recordings/{id}", &[Admin], delete(media::remove), "Deletes a recording.")
            .tagged("Recordings")
            .answers(204, "deleted", nothing())
            .fails(&[409, 410]),
        route("GET", "/v1/recordings/{id}/media", &[Recorder, Listener], get(media::fetch), "Sealed bytes, for a purpose that is logged.")
            .tagged("Recordings")
            .asks::<media::FetchQuery>()
            .header("Purpose", "what it is fetched for, if the query does not say so")
            .header("Range", "one range of bytes (RFC 9110 section 14.2)")
            .header("If-Range", "an entity tag")
            .answers(200, "the sealed media", bytes("application/octet-stream"))
            .answers(206, "a part of them", bytes("application/octet-stream"))
            .fails(&[400, 410, 416, 422]),
        route("PUT", "/v1/recordings/{id}/hold", &[Counsel], put(media::hold), "Puts a legal hold on a recording.")
            .tagged("Recordings")
            .answers(200, "it is under a hold", json::<answer::Recording>())
            .fails(&[410]),
        route("DELETE", "/v1/recordings/{id}/hold", &[Counsel], delete(media::release), "Lifts a legal hold.")
            .tagged("Recordings")
            .answers(200, "it is under no hold", json::<answer::Recording>())
            .fails(&[410]),
        route("PUT", "/v1/prompts/{id}", &[Counsel, Admin], put(account::put_prompt), "Registers a prompt; a change is a new version.")
            .tagged("Prompts and grants")
            .takes::<Prompt>()
            .answers(201, "a new version", json::<answer::Prompt>())
            .answers(200, "there already", json::<answer::Prompt>()),
        route("GET", "/v1/prompts/{id}", READS_CALLS, get(account::prompt), "A prompt's newest version.")
            .tagged("Prompts and grants")
            .answers(200, "the prompt", json::<answer::Prompt>()),
        route("GET", "/v1/prompts/{id}/check", READS_CALLS, get(account::check_prompt), "What a prompt lacks, for which places.")
            .tagged("Prompts and grants")
            .answers(200, "what it says and lacks", json::<answer::PromptCheck>()),
        route("PUT", "/v1/consent-grants/{id}", &[Counsel, Registrar, Admin], put(account::put_grant), "Registers consent given outside a call.")
            .tagged("Prompts and grants")
            .takes::<ConsentGrant>()
            .answers(201, "registered", json::<answer::Grant>())
            .answers(200, "there already", json::<answer::Grant>())
            .fails(&[409]),
        route("GET", "/v1/consent-grants/{id}", &[Counsel, Registrar, Auditor, Admin], get(account::grant), "A consent grant.")
            .tagged("Prompts and grants")
            .answers(200, "the grant", json::<answer::Grant>()),
        route("POST", "/v1/consent-grants/{id}/withdraw", &[Counsel, Registrar, Admin], post(account::withdraw_grant), "Withdraws consent given outside a call.")
            .tagged("Prompts and grants")
            .answers(200, "withdrawn", json::<answer::Grant>()),
        route("GET", "/v1/consents", &[Auditor, Counsel, Admin], get(consents::answer), "Entries of the trail, by what they have to do with.")
            .tagged("Evidence")
            .asks::<consents::Query>()
            .answers(200, "the entries, the oldest first; a page of lines or a table says in `Link` where the next begins", json::<answer::Consents>().or(&["application/jsonl", "text/csv"]))
            .fails(&[404]),
        route("POST", "/v1/erasures", &[Counsel, Admin], post(erasures::erase), "Erases what is known of a number or a participant; what was proven stays proven.")
            .tagged("Evidence")
            .takes::<Erasure>()
            .answers(200, "what went", json::<answer::Erased>())
            .fails(&[404, 409]),
        route("GET", "/v1/log/{log}/checkpoint", TABLE_READERS, get(log::checkpoint), "The signed head of a log; anybody's where the account makes its log public.")
            .tagged("Log")
            .answers(200, "the signed head", bytes("text/plain")),
        route("GET", "/v1/log/{log}/tile/{*path}", TABLE_READERS, get(log::tile), "Tiles and entry bundles of a log (C2SP tlog-tiles); likewise.")
            .tagged("Log")
            .answers(200, "the tile or bundle", bytes("application/octet-stream")),
        route("GET", "/v1/jurisdictions", EVERY_ROLE, get(law::jurisdictions), "The table in force.")
            .tagged("Law")
            .answers(200, "the table", json::<answer::Table>()),
        route("GET", "/v1/jurisdictions/{code}", EVERY_ROLE, get(law::jurisdiction), "What one place asks, and why.")
            .tagged("Law")
            .asks::<law::PlaceQuery>()
            .answers(200, "what the place asks", json::<answer::PlaceAsks>())
            .fails(&[422]),
        route("POST", "/v1/jurisdictions/check", &[Counsel], post(law::check), "What is wrong with a table, and what it would change.")
            .tagged("Law")
            .takes::<law::Offered>()
            .answers(200, "what is wrong with it, and what it would change", json::<answer::Checked>()),
        route("GET", "/v1/jurisdictions/versions", TABLE_READERS, get(law::versions), "Every version of the table, the newest first.")
            .tagged("Law")
            .answers(200, "the versions", json::<answer::Versions>()),
        route("GET", "/v1/jurisdictions/versions/{version}", TABLE_READERS, get(law::version), "A version, with its text.")
            .tagged("Law")
            .answers(200, "the version", json::<answer::VersionText>()),
        route("POST", "/v1/jurisdictions/proposals", &[Counsel], post(law::propose), "Publishes a table, or proposes it where it loosens anything; for the account `system`.")
            .tagged("Law")
            .takes::<law::Offered>()
            .answers(200, "in force already", json::<answer::Outcome>())
            .answers(201, "in force now: nothing is loosened", json::<answer::Outcome>())
            .answers(202, "proposed: something is loosened, and a second person has to approve", json::<answer::Outcome>())
            .fails(&[409]),
        route("GET", "/v1/jurisdictions/proposals", TABLE_READERS, get(law::proposals), "Every proposal; for the account `system`.")
            .tagged("Law")
            .answers(200, "the proposals", json::<answer::Proposals>()),
        route("GET", "/v1/jurisdictions/proposals/{proposal}", TABLE_READERS, get(law::proposal), "A proposal with its difference and impact; for the account `system`.")
            .tagged("Law")
            .answers(200, "the proposal", json::<answer::ProposalReport>()),
        route("POST", "/v1/jurisdictions/proposals/{proposal}/approve", &[Counsel], post(law::approve), "Approves somebody else's proposal; for the account `system`.")
            .tagged("Law")
            .may_take::<law::Decided>()
            .answers(200, "in force, or adopted", json::<answer::Approved>())
            .fails(&[409]),
        route("POST", "/v1/jurisdictions/proposals/{proposal}/reject", &[Counsel], post(law::reject), "Rejects a proposal; for the account `system`.")
            .tagged("Law")
            .may_take::<law::Decided>()
            .answers(200, "rejected", json::<answer::ProposalReport>())
            .fails(&[409]),
        route("POST", "/v1/jurisdictions/proposals/{proposal}/withdraw", &[Counsel], post(law::withdraw), "Withdraws one's own proposal; for the account `system`.")
            .tagged("Law")
            .may_take::<law::Decided>()
            .answers(200, "withdrawn", json::<answer::ProposalReport>())
            .fails(&[409]),
        route("GET", "/v1/people", TABLE_READERS, get(law::people), "Everybody of the account, and who counts as a second person.")
            .tagged("Law")
            .answers(200, "everybody", json::<answer::People>()),
        route("POST", "/v1/people/{person}/confirm", TABLE_READERS, post(law::confirm_person), "Confirms that somebody who was enrolled later is who they are said to be; nobody can confirm themselves.")
            .tagged("Law")
            .may_take::<law::Decided>()
            .answers(200, "the person", json::<answer::Person>()),
        route("GET", "/v1/law", READS_CALLS, get(law::chosen), "The overlays that the account has chosen.")
            .tagged("Law")
            .answers(200, "what is chosen", json::<answer::ChosenLaw>())
            .fails(&[404]),
        route("PUT", "/v1/law", &[Counsel], put(law::choose), "Chooses overlays for every call of the account.")
            .tagged("Law")
            .takes::<law::Chosen>()
            .answers(200, "what is chosen now", json::<answer::ChosenLaw>())
            .fails(&[404]),
    ]
});

#[cfg(test)]
mod tests {
    use super::TABLE;

    #[test]
    fn only_the_probes_and_this_description_are_open_to_everybody() {
        let open: Vec<&str> =
            TABLE.iter().filter(|entry| entry.roles.is_empty()).map(|entry| entry.path).collect();
        assert_eq!(open, ["/healthz", "/readyz", "/openapi.json"]);
    }
}
