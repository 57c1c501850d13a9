//! Every route of the native API: the roles that may use it, its requests, its answers and its handler. A
//! route that is not listed here does not exist, and the description of the API is derived from this list.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::Method;
use axum::routing::{MethodRouter, delete, get, post, put};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::problem::DoorCode;
use super::{
    Door, account, calls, consents, erasures, evidence, holds, law, log, media, provision, quarantine,
    readings, scope, upload,
};
use crate::access::Role;
use crate::gate::FaultCode::{self, *};
use crate::gate::answer;
use crate::gate::ask::{
    AccountChange, ConsentGrant, ControlRecording, CredentialOf, LegalHold as HoldTerms, OpenCall,
    Participant, Prompt, PublicKey, RecordingScope, RecordingSettings, Release as ReleaseTerms, StateReading,
    WebhookAddress,
};
use crate::gate::erasure::Erasure;

/// A route.
#[derive(Debug, Clone)]
pub struct Route {
    /// The id of the operation.
    pub id: &'static str,
    /// The method.
    pub method: &'static str,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    /// The roles that may use it. Empty: open to everybody, without credentials.
    pub roles: &'static [Role],
    /// What it does.
    pub summary: &'static str,
    pub(super) tag: &'static str,
    pub(super) query: Option<Shape>,
    /// The headers of its requests, each with its description and schema.
    pub(super) headers: Vec<(&'static str, &'static str, Value)>,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<(u16, &'static str, Content)>,
    /// Problems of its own, besides those that every route of its kind can have.
    pub(super) refusals: Vec<FaultCode>,
    pub(super) turned_away: &'static [DoorCode],
    handler: MethodRouter<Arc<Door>>,
}

/// Describes a type.
pub(super) type Shape = fn(&mut SchemaGenerator) -> Schema;

/// The body of a request.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// A JSON document.
    Json { shape: Shape, required: bool },
    /// A file of one of these media types.
    File(&'static [&'static str]),
}

/// The body and headers of an answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    /// Its media types, each with the shape of its documents.
    pub(super) bodies: Vec<(&'static str, Option<Shape>)>,
    /// Its headers, each with its description and whether it is always there.
    pub(super) headers: Vec<(&'static str, &'static str, bool)>,
}

impl Content {
    /// This content, or the other.
    fn or(mut self, other: Content) -> Content {
        self.bodies.extend(other.bodies);
        self
    }

    fn with(mut self, header: &'static str, says: &'static str) -> Content {
        self.headers.push((header, says, true));
        self
    }

    fn sometimes_with(mut self, header: &'static str, says: &'static str) -> Content {
        self.headers.push((header, says, false));
        self
    }
}

fn json<T: JsonSchema>() -> Content {
    document("application/json", SchemaGenerator::subschema_for::<T>)
}

fn document(media_type: &'static str, shape: Shape) -> Content {
    Content { bodies: vec![(media_type, Some(shape))], headers: Vec::new() }
}

fn bytes(media_type: &'static str) -> Content {
    Content { bodies: vec![(media_type, None)], headers: Vec::new() }
}

fn archive() -> Content {
    bytes("application/zip").with("Content-Disposition", "a name for its file")
}

fn media() -> Content {
    bytes("application/octet-stream")
        .with("ETag", "the SHA-256 of all of the sealed media")
        .with("Accept-Ranges", "`bytes`")
}

/// The description of the header in an upload's answer.
const LOCATION: &str = "where the recording is described";

/// The pattern of a moment in a header: not every client generator supports dates there.
const MOMENT: &str =
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$";

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

    /// Leaves the decision out for clients that prefer a minimal answer.
    fn briefly(self) -> Route {
        let preferred = json!({"type": "string", "examples": ["return=minimal"]});
        let told = nothing()
            .with("Recording-Verdict", "the decision's `recording`: `permitted` or `blocked`")
            .with("Recording-Action", "the decision's `action`: what the platform should do now")
            .with("Preference-Applied", "`return=minimal`");
        self.header("Prefer", "`return=minimal` (RFC 7240): leave the decision out", preferred).answers(
            204,
            "done; what the decision comes to, in headers",
            told,
        )
    }

    fn header(mut self, name: &'static str, says: &'static str, schema: Value) -> Route {
        self.headers.push((name, says, schema));
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

    fn fails(mut self, refusals: &[FaultCode]) -> Route {
        self.refusals.extend(refusals);
        self
    }

    fn turns_away(self, turned_away: &'static [DoorCode]) -> Route {
        Route { turned_away, ..self }
    }
}

/// The route of a request, if there is one.
#[must_use]
pub fn entry(method: &Method, path: &str) -> Option<&'static Route> {
    // HEAD gets the headers of GET.
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    TABLE.iter().find(|entry| entry.path == path && entry.method == method)
}

/// The methods that a path supports.
#[must_use]
pub fn methods(path: &str) -> Vec<&'static str> {
    TABLE.iter().filter(|entry| entry.path == path).map(|entry| entry.method).collect()
}

/// All routes with their handlers.
pub fn mount() -> Router<Arc<Door>> {
    TABLE.iter().fold(Router::new(), |router, route| router.route(route.path, route.handler.clone()))
}

fn route(
    id: &'static str,
    method: &'static str,
    path: &'static str,
    roles: &'static [Role],
    handler: MethodRouter<Arc<Door>>,
    summary: &'static str,
) -> Route {
    Route {
        id,
        method,
        path,
        roles,
        summary,
        tag: "",
        query: None,
        headers: Vec::new(),
        body: None,
        answers: Vec::new(),
        refusals: Vec::new(),
        turned_away: &[],
        handler,
    }
}

use Role::{Admin, Auditor, Counsel, Listener, Observer, Provisioner, Recorder, Registrar, Uploader};

const ANYBODY: &[Role] = &[];
const EVERY_ROLE: &[Role] = &Role::ALL;
const OBSERVES: &[Role] = &[Recorder, Observer];
const UPLOADS: &[Role] = &[Recorder, Uploader];
const READS_CALLS: &[Role] = &[Recorder, Observer, Auditor, Counsel, Admin];
const TABLE_READERS: &[Role] = &[Auditor, Counsel, Admin];
const PROVISIONS: &[Role] = &[Provisioner];
const READS_RECORDINGS: &[Role] = &[Recorder, Uploader, Listener, Auditor, Counsel, Admin];

/// Problems with the people who act.
const OF_PEOPLE: &[FaultCode] = &[
    InvalidId,
    InvalidPlace,
    InvalidNumber,
    InvalidAddress,
    InvalidLanguage,
    InvalidTime,
    TimeInTheFuture,
    TimeTooFarPast,
    TooManyLanguages,
    TooManyParticipants,
    TooManyPlaces,
];

/// Whether a request on this route may be an objection, or something else that makes things stricter.
pub(super) fn may_restrict(entry: &Route) -> bool {
    let by = entry.path.strip_prefix("/v1/calls/{call}/");
    entry.method == "POST"
        && (by.is_some_and(|by| ["events", "participants", "recording"].contains(&by))
            || entry.path == "/v1/consent-grants/{id}/withdraw")
}

/// The table of routes.
pub static TABLE: LazyLock<Vec<Route>> = LazyLock::new(|| {
    vec![
        route("get_health", "GET", "/healthz", ANYBODY, get(account::healthz), "Says whether the process runs.")
            .tagged("Probes")
            .answers(200, "the process runs", json::<answer::Health>()),
        route("get_readiness", "GET", "/readyz", ANYBODY, get(account::readyz), "Says whether the gateway can do its work, after trying everything that a request needs.")
            .tagged("Probes")
            .answers(200, "it can do all or most of its work", json::<answer::Ready>())
            .turns_away(&[DoorCode::NotReady]),
        route("describe_api", "GET", "/openapi.json", ANYBODY, get(account::description), "Describes the API.")
            .tagged("Probes")
            .answers(200, "this description", json::<serde_json::Map<String, serde_json::Value>>()),
        route("open_call", "PUT", "/v1/calls/{call}", OBSERVES, put(calls::open), "Opens a call.")
            .tagged("Calls")
            .takes::<OpenCall>()
            .answers(201, "the call is new: its decision", json::<answer::Decision>())
            .answers(200, "the same call was opened before: its decision", json::<answer::Decision>())
            .briefly()
            .fails(OF_PEOPLE)
            .fails(&[
                DuplicateParticipant, TooManyAliases, UnknownOverlay, AliasInUse, CallExists, CallTooLong,
                Contended,
            ]),
        route("get_call", "GET", "/v1/calls/{call}", READS_CALLS, get(calls::show), "Describes a call: its state, decision, lawful intervals and windows.")
            .tagged("Calls")
            .answers(200, "the call", json::<answer::Call>())
            .fails(&[UnknownCall]),
        route("get_decision", "GET", "/v1/calls/{call}/decision", READS_CALLS, get(calls::decision), "Explains the decision on a call.")
            .tagged("Calls")
            .answers(200, "the decision", json::<answer::Decision>())
            .fails(&[UnknownCall]),
        route("explain_call", "GET", "/v1/calls/{call}/explain", &[Auditor, Counsel, Admin], get(calls::explain), "Explains what was decided at a moment, and what would be decided today.")
            .tagged("Calls")
            .asks::<calls::ExplainQuery>()
            .answers(200, "both decisions", json::<answer::Explained>())
            .fails(&[UnknownCall, CallNotOpen]),
        route("prove_call", "GET", "/v1/calls/{call}/proof", TABLE_READERS, get(evidence::of_call), "Exports a proof pack of a call; with `of=no-recording`, a proof that it has no recording.")
            .tagged("Evidence")
            .asks::<evidence::ProofQuery>()
            .answers(200, "the pack", archive())
            .fails(&[UnknownCall, RecordingExists, NotSignedYet, LogUnsigned]),
        route("export_vcon", "GET", "/v1/calls/{call}/vcon", TABLE_READERS, get(evidence::vcon), "Exports a call as a vCon with its lawful basis.")
            .tagged("Evidence")
            .asks::<evidence::VconQuery>()
            .answers(200, "the vCon, or a JWS that holds it", document("application/vcon+json", evidence::vcon_schema).or(document("application/jose+json", evidence::jws_schema)))
            .fails(&[UnknownCall, NotConfigured, NotExportable, NotSignedYet, LogUnsigned]),
        route("export_consent_record", "GET", "/v1/calls/{call}/consent-record", TABLE_READERS, get(evidence::consent_record), "Exports consent records of a call (ISO/IEC TS 27560), in JSON-LD.")
            .tagged("Evidence")
            .answers(200, "the records", document("application/ld+json", evidence::consent_records_schema))
            .fails(&[UnknownCall, NotExportable, NotSignedYet, LogUnsigned]),
        route("prove_recording", "GET", "/v1/recordings/{id}/proof", TABLE_READERS, get(evidence::of_recording), "Exports a proof pack of a recording.")
            .tagged("Evidence")
            .answers(200, "the pack", archive())
            .fails(&[NotFound, NotSignedYet, LogUnsigned]),
        route("join_call", "POST", "/v1/calls/{call}/participants", OBSERVES, post(calls::join), "Adds a participant, or one who comes back.")
            .tagged("Calls")
            .takes::<Participant>()
            .answers(201, "the decision", json::<answer::Decision>())
            .briefly()
            .fails(OF_PEOPLE)
            .fails(&[UnknownCall, CallEnded, CallTooLong, EntryTooLong, Contended]),
        route("report_events", "POST", "/v1/calls/{call}/events", OBSERVES, post(calls::observe), "Logs one event or an array of events.")
            .tagged("Calls")
            .takes::<calls::Events>()
            .answers(201, "the decision", json::<answer::Decision>())
            .briefly()
            .fails(&[
                InvalidEvent, InvalidId, InvalidPlace, InvalidNumber, InvalidAddress, InvalidHash,
                TooManyPlaces, TimeInTheFuture, TimeTooFarPast, UnknownParticipant, UnknownPrompt,
                UnknownCall, CallEnded, CallTooLong, EventIdReused, ParticipantLeft, EntryTooLong,
                Contended, LegalHold, StoreUnavailable,
            ]),
        route("control_recording", "POST", "/v1/calls/{call}/recording", OBSERVES, post(calls::control), "Starts, pauses, resumes or stops recording.")
            .tagged("Calls")
            .takes::<ControlRecording>()
            .answers(200, "granted, or taken note of: the decision; `decided_at` is when a window opens, if none was open", json::<answer::Decision>())
            .briefly()
            .fails(&[
                ConsentRequired, NoUsableKey, InvalidControl, UnknownCall, CallEnded, CallTooLong,
                NotRecording, CallBarred, Contended,
            ]),
        route("upload_recording", "PUT", "/v1/calls/{call}/recordings/{name}", UPLOADS, put(upload::store), "Uploads the finished audio.")
            .tagged("Recordings")
            .uploads(&["audio/wav", "audio/mpeg", "audio/ogg"])
            .header("Recording-Start", "when the audio begins, RFC 3339", json!({"type": "string", "pattern": MOMENT, "examples": ["2026-11-20T10:00:00Z"]}))
            .header("Recording-Timeline", "`start/duration` intervals in the order of the file, ISO 8601, separated by commas", json!({"type": "string", "examples": ["2026-11-20T10:00:00Z/PT30S"]}))
            .header("Content-Digest", "RFC 9530, `sha-256`", json!({"type": "string", "pattern": "^sha-256=:[0-9A-Za-z+/]{43}=:$"}))
            .answers(201, "accepted", json::<answer::Recording>().with("Location", LOCATION))
            .answers(200, "the same upload was accepted before", json::<answer::Recording>().with("Location", LOCATION))
            .fails(&[
                ConsentRequired, ConsentDeclined, ConsentWithdrawn, UncoveredAudio, NoUsableKey,
                UnmeasurableAudio, DigestMismatch, InvalidId, InvalidTimeline, TimelineTooShort,
                UnknownCall, RecordingExists, RecordingDeleted, CallBarred, StoreUnavailable, Contended,
            ])
            .turns_away(&[DoorCode::InvalidHeader, DoorCode::PackedBody]),
        route("list_recordings", "GET", "/v1/recordings", READS_RECORDINGS, get(media::list), "Lists recordings; a platform sees those that it uploaded.")
            .tagged("Recordings")
            .asks::<media::ListQuery>()
            .answers(200, "a page of recordings", json::<answer::Recordings>())
            .fails(&[UnknownCall, InvalidCursor])
            .turns_away(&[DoorCode::InvalidLimit]),
        route("get_recording", "GET", "/v1/recordings/{id}", READS_RECORDINGS, get(media::describe), "Describes a recording, with its envelope.")
            .tagged("Recordings")
            .answers(200, "the recording", json::<answer::Recording>())
            .fails(&[NotFound, RecordingDeleted]),
        route("delete_recording", "DELETE", "/v1/recordings/{id}", &[Admin], delete(media::remove), "Deletes a recording.")
            .tagged("Recordings")
            .answers(204, "deleted", nothing())
            .fails(&[NotFound, RecordingDeleted, LegalHold, StoreUnavailable]),
        route("fetch_media", "GET", "/v1/recordings/{id}/media", &[Recorder, Uploader, Listener], get(media::fetch), "Fetches sealed audio for a purpose, which is logged.")
            .tagged("Recordings")
            .asks::<media::FetchQuery>()
            .header("Range", "one range of bytes (RFC 9110 section 14.2); anything else is ignored", json!({"type": "string", "examples": ["bytes=0-39"]}))
            .header("If-Range", "an entity tag", json!({"type": "string"}))
            .answers(200, "the sealed media", media())
            .answers(206, "a part of them", media().with("Content-Range", "which bytes these are, and of how many"))
            .fails(&[
                NotFound, RecordingDeleted, PurposeNotConsented, Restricted, RangeOutside, InvalidId,
                StoreUnavailable,
            ])
            .turns_away(&[DoorCode::PurposeRequired]),
        route("hold_recording", "PUT", "/v1/recordings/{id}/hold", &[Counsel], put(media::hold), "Puts a legal hold on a recording.")
            .tagged("Recordings")
            .answers(200, "it is under a hold", json::<answer::Recording>())
            .fails(&[NotFound, RecordingDeleted]),
        route("release_recording", "DELETE", "/v1/recordings/{id}/hold", &[Counsel], delete(media::release), "Lifts a legal hold.")
            .tagged("Recordings")
            .answers(200, "it is not under a hold", json::<answer::Recording>())
            .fails(&[NotFound, RecordingDeleted]),
        route("list_quarantine", "GET", "/v1/quarantine", &[Recorder, Auditor, Counsel, Admin], get(quarantine::list), "Lists the uploads in quarantine, with the reasons.")
            .tagged("Quarantine")
            .asks::<quarantine::ListQuery>()
            .answers(200, "a page of them", json::<answer::Quarantine>())
            .fails(&[NotFound])
            .turns_away(&[DoorCode::InvalidLimit]),
        route("release_quarantined", "POST", "/v1/quarantine/{id}/release", &[Recorder, Counsel, Admin], post(quarantine::release), "Releases an upload to the call that it belongs to, if what was logged when it ended covers it.")
            .tagged("Quarantine")
            .takes::<ReleaseTerms>()
            .answers(201, "accepted", json::<answer::Recording>().with("Location", LOCATION))
            .answers(200, "it was released to this call before, or the same upload was accepted", json::<answer::Recording>().with("Location", LOCATION))
            .fails(&[
                NotFound, UnknownCall, InvalidId, InvalidTimeline, ConsentRequired, ConsentDeclined, ConsentWithdrawn,
                UncoveredAudio, EvidenceTooLate, Objected, OtherCall, InvalidTime, QuarantineKeyMissing, NoUsableKey, RecordingExists,
                RecordingDeleted, CallBarred, StoreUnavailable, Contended,
            ]),
        route("destroy_quarantined", "DELETE", "/v1/quarantine/{id}", &[Recorder, Counsel, Admin], delete(quarantine::destroy), "Destroys an upload in quarantine, its key first.")
            .tagged("Quarantine")
            .answers(204, "destroyed", nothing())
            .fails(&[NotFound, QuarantineKeyMissing, StoreUnavailable]),
        route("list_holds", "GET", "/v1/holds", &[Counsel, Admin], get(holds::list), "Lists the legal holds that are not on one recording alone.")
            .tagged("Legal holds")
            .asks::<holds::ListQuery>()
            .answers(200, "the holds", json::<answer::LegalHolds>()),
        route("set_hold", "PUT", "/v1/holds/{hold}", &[Counsel], put(holds::set), "Puts a legal hold on all recordings that meet its conditions, now or later.")
            .tagged("Legal holds")
            .takes::<HoldTerms>()
            .answers(201, "set", json::<answer::LegalHold>())
            .answers(200, "it was set before, as it is", json::<answer::LegalHold>())
            .fails(&[
                InvalidId, InvalidLegalHold, InvalidNumber, ReasonRequired, LegalHoldExists, UnknownCall, NotFound,
                RecordingDeleted, Contended,
            ]),
        route("get_hold", "GET", "/v1/holds/{hold}", &[Counsel, Admin], get(holds::describe), "Describes a legal hold.")
            .tagged("Legal holds")
            .answers(200, "the hold", json::<answer::LegalHold>())
            .fails(&[NotFound]),
        route("lift_hold", "DELETE", "/v1/holds/{hold}", &[Counsel], delete(holds::lift), "Lifts a legal hold; those whose erasure it prevented are erased after that.")
            .tagged("Legal holds")
            .answers(200, "the hold, which is lifted", json::<answer::LegalHold>())
            .fails(&[NotFound]),
        route("put_prompt", "PUT", "/v1/prompts/{id}", &[Counsel, Admin], put(account::put_prompt), "Registers a prompt; a change is a new version.")
            .tagged("Prompts and grants")
            .takes::<Prompt>()
            .answers(201, "a new version", json::<answer::Prompt>())
            .answers(200, "it exists already", json::<answer::Prompt>())
            .fails(&[InvalidId, InvalidPrompt, InvalidLanguage, InvalidHash, Contended]),
        route("get_prompt", "GET", "/v1/prompts/{id}", READS_CALLS, get(account::prompt), "Describes a prompt's newest version.")
            .tagged("Prompts and grants")
            .answers(200, "the prompt", json::<answer::Prompt>())
            .fails(&[NotFound]),
        route("check_prompt", "GET", "/v1/prompts/{id}/check", READS_CALLS, get(account::check_prompt), "Says what a prompt lacks, and for which places.")
            .tagged("Prompts and grants")
            .answers(200, "what it says and lacks", json::<answer::PromptCheck>())
            .fails(&[NotFound]),
        route("put_consent_grant", "PUT", "/v1/consent-grants/{id}", &[Counsel, Registrar, Admin], put(account::put_grant), "Registers consent given outside a call.")
            .tagged("Prompts and grants")
            .takes::<ConsentGrant>()
            .answers(201, "registered", json::<answer::Grant>())
            .answers(200, "it exists already", json::<answer::Grant>())
            .fails(&[InvalidId, InvalidConsentGrant, InvalidHash, ConsentGrantExists]),
        route("get_consent_grant", "GET", "/v1/consent-grants/{id}", &[Counsel, Registrar, Auditor, Admin], get(account::grant), "Describes a consent grant.")
            .tagged("Prompts and grants")
            .answers(200, "the grant", json::<answer::Grant>())
            .fails(&[NotFound]),
        route("withdraw_consent_grant", "POST", "/v1/consent-grants/{id}/withdraw", &[Counsel, Registrar, Admin], post(account::withdraw_grant), "Withdraws consent given outside a call.")
            .tagged("Prompts and grants")
            .answers(200, "withdrawn", json::<answer::Grant>())
            .fails(&[NotFound, Contended, LegalHold, StoreUnavailable]),
        route("list_consents", "GET", "/v1/consents", &[Auditor, Counsel, Admin], get(consents::answer), "Finds entries of the trail.")
            .tagged("Evidence")
            .asks::<consents::Query>()
            .answers(200, "the entries, the oldest first; in JSON Lines and CSV, `Link` leads to the next page", json::<answer::Consents>().or(bytes("application/jsonl")).or(bytes("text/csv")).sometimes_with("Link", "the next page, `rel=next` (RFC 8288)"))
            .fails(&[
                UnknownCall, NotFound, InvalidCursor, InvalidFilter, InvalidId, InvalidNumber,
                InvalidPlace,
            ])
            .turns_away(&[DoorCode::InvalidLimit, DoorCode::InvalidFormat]),
        route("erase_person", "POST", "/v1/erasures", &[Counsel, Admin], post(erasures::erase), "Erases what is known of a number or a participant; what was proven stays proven.")
            .tagged("Evidence")
            .takes::<Erasure>()
            .answers(200, "what was erased", json::<answer::Erased>())
            .answers(202, "a legal hold prevents it: they are erased once none does", json::<answer::WaitingErasure>())
            .fails(&[
                UnknownSubject, InvalidId, InvalidNumber, ReasonRequired, ReasonTooLong, ReasonNamesThem,
                CallInProgress, RetentionRequired, StoreUnavailable, Contended,
            ]),
        route("list_waiting_erasures", "GET", "/v1/erasures", &[Counsel, Admin], get(erasures::waiting), "Lists the erasures that a legal hold prevents.")
            .tagged("Evidence")
            .answers(200, "those that wait", json::<answer::WaitingErasureList>()),
        route("get_checkpoint", "GET", "/v1/log/{log}/checkpoint", TABLE_READERS, get(log::checkpoint), "Returns the signed head of a log; open to everybody if the account publishes its log.")
            .tagged("Log")
            .answers(200, "the signed head", bytes("text/plain"))
            .fails(&[NotFound, LogUnsigned]),
        route("get_tile", "GET", "/v1/log/{log}/tile/{*path}", TABLE_READERS, get(log::tile), "Returns tiles and entry bundles of a log (C2SP tlog-tiles); open to everybody if the account publishes its log.")
            .tagged("Log")
            .answers(200, "the tile or bundle", bytes("application/octet-stream"))
            .fails(&[NotFound, LogDropped, LogUnsigned]),
        route("list_jurisdictions", "GET", "/v1/jurisdictions", EVERY_ROLE, get(law::jurisdictions), "Returns the table in force.")
            .tagged("Law")
            .answers(200, "the table", json::<answer::Table>()),
        route("get_jurisdiction", "GET", "/v1/jurisdictions/{code}", EVERY_ROLE, get(law::jurisdiction), "Says what a place requires, and why.")
            .tagged("Law")
            .asks::<law::PlaceQuery>()
            .answers(200, "what the place requires", json::<answer::PlaceAsks>())
            .fails(&[NoRow, InvalidPlace]),
        route("check_table", "POST", "/v1/jurisdictions/check", &[Counsel], post(law::check), "Checks a table, and says what it would change.")
            .tagged("Law")
            .takes::<law::Offered>()
            .answers(200, "what is wrong with it, and what it would change", json::<answer::Checked>()),
        route("list_table_versions", "GET", "/v1/jurisdictions/versions", TABLE_READERS, get(law::versions), "Lists the versions of the table, the newest first.")
            .tagged("Law")
            .answers(200, "the versions", json::<answer::Versions>()),
        route("get_table_version", "GET", "/v1/jurisdictions/versions/{version}", TABLE_READERS, get(law::version), "Returns a version of the table, with its text.")
            .tagged("Law")
            .answers(200, "the version", json::<answer::VersionText>())
            .fails(&[NotFound]),
        route("propose_table", "POST", "/v1/jurisdictions/proposals", &[Counsel], post(law::propose), "Publishes a table, or proposes it if it loosens anything; for the account `system`.")
            .tagged("Law")
            .takes::<law::Offered>()
            .answers(200, "in force already", json::<answer::Outcome>())
            .answers(201, "in force now, since nothing is loosened", json::<answer::Outcome>())
            .answers(202, "proposed: something is loosened, and a second person has to approve", json::<answer::Outcome>())
            .fails(&[WrongAccount, UnnamedPerson, InvalidTable, ReasonRequired, ReasonTooLong, Contended]),
        route("list_proposals", "GET", "/v1/jurisdictions/proposals", TABLE_READERS, get(law::proposals), "Lists the proposals; for the account `system`.")
            .tagged("Law")
            .answers(200, "the proposals", json::<answer::Proposals>())
            .fails(&[WrongAccount]),
        route("get_proposal", "GET", "/v1/jurisdictions/proposals/{proposal}", TABLE_READERS, get(law::proposal), "Returns a proposal with its difference and impact; for the account `system`.")
            .tagged("Law")
            .answers(200, "the proposal", json::<answer::ProposalReport>())
            .fails(&[WrongAccount, NotFound]),
        route("approve_proposal", "POST", "/v1/jurisdictions/proposals/{proposal}/approve", &[Counsel], post(law::approve), "Approves somebody else's proposal; for the account `system`.")
            .tagged("Law")
            .may_take::<law::Decided>()
            .answers(200, "in force; or adopted, if nobody was known to have proposed it", json::<answer::Approved>())
            .fails(&[
                WrongAccount, UnnamedPerson, UnconfirmedPerson, OwnProposal, NotFound, ProposalDecided,
                ProposalExpired, ProposalOutdated, ReasonTooLong, Contended,
            ]),
        route("reject_proposal", "POST", "/v1/jurisdictions/proposals/{proposal}/reject", &[Counsel], post(law::reject), "Rejects a proposal; for the account `system`.")
            .tagged("Law")
            .may_take::<law::Decided>()
            .answers(200, "rejected", json::<answer::ProposalReport>())
            .fails(&[
                WrongAccount, UnnamedPerson, NotFound, ProposalDecided, ProposalExpired, ReasonTooLong,
                Contended,
            ]),
        route("withdraw_proposal", "POST", "/v1/jurisdictions/proposals/{proposal}/withdraw", &[Counsel], post(law::withdraw), "Withdraws your own proposal; for the account `system`.")
            .tagged("Law")
            .may_take::<law::Decided>()
            .answers(200, "withdrawn", json::<answer::ProposalReport>())
            .fails(&[
                WrongAccount, UnnamedPerson, NotOwnProposal, NotFound, ProposalDecided, ProposalExpired,
                ReasonTooLong, Contended,
            ]),
        route("list_people", "GET", "/v1/people", TABLE_READERS, get(law::people), "Lists the people of the account, and who counts as a second person.")
            .tagged("Law")
            .answers(200, "everybody", json::<answer::People>()),
        route("confirm_person", "POST", "/v1/people/{person}/confirm", TABLE_READERS, post(law::confirm_person), "Confirms the identity of somebody who was enrolled later; nobody can confirm themselves.")
            .tagged("Law")
            .may_take::<law::Decided>()
            .answers(200, "the person", json::<answer::Person>())
            .fails(&[OwnPerson, UnnamedPerson, UnconfirmedPerson, NotFound, ReasonTooLong]),
        route("get_recording_scope", "POST", "/v1/recording-scope", READS_CALLS, post(scope::ask), "Says what a Kazoo platform records of a call by its own settings, and why.")
            .tagged("Recording settings")
            .takes::<RecordingScope>()
            .answers(200, "what is recorded", json::<answer::RecordingScope>())
            .fails(&[InvalidScope]),
        route("put_recording_settings", "PUT", "/v1/recording-settings", &[Admin], put(scope::put_settings), "Keeps the recording settings of a Kazoo platform, for questions about them.")
            .tagged("Recording settings")
            .takes::<RecordingSettings>()
            .answers(200, "what is kept", json::<answer::RecordingSettings>())
            .fails(&[WrongAccount, InvalidId, InvalidSettings, Contended]),
        route("get_recording_settings", "GET", "/v1/recording-settings", READS_CALLS, get(scope::settings), "Returns the recording settings that the account keeps.")
            .tagged("Recording settings")
            .answers(200, "what is kept", json::<answer::RecordingSettings>())
            .fails(&[NotFound]),
        route("list_notifications", "GET", "/v1/notifications", &[Admin], get(account::notifications), "Lists what the account's webhook is still to be told, and what was given up.")
            .tagged("Notifications")
            .answers(200, "what is left", json::<answer::NotificationQueue>()),
        route("retry_notification", "POST", "/v1/notifications/{notification}/retry", &[Admin], post(account::try_again), "Has a notification tried again at once.")
            .tagged("Notifications")
            .answers(200, "it is tried again", json::<answer::Notification>())
            .fails(&[NotFound]),
        route("get_chosen_law", "GET", "/v1/law", READS_CALLS, get(law::chosen), "Returns the overlays that the account has chosen.")
            .tagged("Law")
            .answers(200, "what is chosen", json::<answer::ChosenLaw>()),
        route("choose_law", "PUT", "/v1/law", &[Counsel], put(law::choose), "Chooses overlays for every call of the account.")
            .tagged("Law")
            .takes::<law::Chosen>()
            .answers(200, "what is chosen now", json::<answer::ChosenLaw>())
            .fails(&[WrongAccount, UnknownOverlay, ReasonRequired, Contended]),
        route("allow_readings", "PUT", "/v1/jurisdictions/{code}/readings/{account}", &[Counsel], put(readings::allow), "Lets an account's own counsel read the law of a place otherwise; for the account `system`.")
            .tagged("Law")
            .takes::<law::Decided>()
            .answers(200, "it may", json::<answer::ReadingAllowance>())
            .fails(&[
                WrongAccount, UnnamedPerson, InvalidPlace, NoRow, UnknownAccount, ReasonRequired, ReasonTooLong,
                Contended,
            ]),
        route("disallow_readings", "DELETE", "/v1/jurisdictions/{code}/readings/{account}", &[Counsel], delete(readings::disallow), "Withdraws that leave; what asked less there is over at once. For the account `system`.")
            .tagged("Law")
            .asks::<readings::DisallowQuery>()
            .answers(200, "it may not", json::<answer::ReadingAllowance>())
            .fails(&[
                WrongAccount, UnnamedPerson, InvalidPlace, UnknownAccount, ReasonRequired, ReasonTooLong, Contended,
            ]),
        route("list_readings", "GET", "/v1/readings", TABLE_READERS, get(readings::list), "Lists how the account's own counsel reads the law, and where it may ask less than the table.")
            .tagged("Law")
            .answers(200, "every reading, the newest first", json::<answer::Readings>()),
        route("state_reading", "POST", "/v1/readings", &[Counsel], post(readings::state), "States how the account's own counsel reads the law of a place, for its calls alone.")
            .tagged("Law")
            .takes::<StateReading>()
            .answers(201, "in force: it asks nothing less than the table", json::<answer::Reading>())
            .answers(202, "proposed: it asks less, and a second person has to approve it", json::<answer::Reading>())
            .fails(&[
                WrongAccount, UnnamedPerson, InvalidPlace, InvalidReading, NoRow, ReadingsNotAllowed, ReasonRequired,
                ReasonTooLong, Contended,
            ]),
        route("get_reading", "GET", "/v1/readings/{reading}", TABLE_READERS, get(readings::describe), "Describes a reading of the law.")
            .tagged("Law")
            .answers(200, "the reading", json::<answer::Reading>())
            .fails(&[NotFound]),
        route("approve_reading", "POST", "/v1/readings/{reading}/approve", &[Counsel], post(readings::approve), "Approves somebody else's reading; it counts for calls that are opened from then on.")
            .tagged("Law")
            .may_take::<law::Decided>()
            .answers(200, "in force", json::<answer::Reading>())
            .fails(&[
                UnnamedPerson, UnconfirmedPerson, OwnProposal, NotFound, ReadingDecided, ReadingsNotAllowed,
                InvalidReading, ReasonTooLong, Contended,
            ]),
        route("end_reading", "POST", "/v1/readings/{reading}/end", &[Counsel], post(readings::end), "Ends a reading, or takes back one that waits; calls follow the table again. Of one that asks more, the first person only proposes the end.")
            .tagged("Law")
            .may_take::<law::Decided>()
            .answers(200, "ended", json::<answer::Reading>())
            .answers(202, "its end is proposed: it asks more, and a second person has to end it", json::<answer::Reading>())
            .fails(&[
                UnnamedPerson, UnconfirmedPerson, OwnProposal, NotFound, ReadingDecided, ReasonTooLong, Contended,
            ]),
        route("list_accounts", "GET", "/v1/accounts", PROVISIONS, get(provision::list), "Lists the accounts that this credential provisions.")
            .tagged("Provisioning")
            .asks::<provision::AccountsQuery>()
            .answers(200, "a page of accounts", json::<answer::ProvisionedAccounts>())
            .turns_away(&[DoorCode::InvalidLimit]),
        route("put_account", "PUT", "/v1/accounts/{account}", PROVISIONS, put(provision::put), "Makes an account, or changes what the request names of it.")
            .tagged("Provisioning")
            .takes::<AccountChange>()
            .answers(201, "it is new", json::<answer::ProvisionedAccount>())
            .answers(200, "it is as the request asks", json::<answer::ProvisionedAccount>())
            .fails(&[
                InvalidId, InvalidPlace, InvalidLanguage, InvalidSettings, UnknownOverlay, NameTaken, LoosensLaw,
                OneKey, Contended,
            ]),
        route("get_account", "GET", "/v1/accounts/{account}", PROVISIONS, get(provision::show), "Describes an account.")
            .tagged("Provisioning")
            .answers(200, "the account", json::<answer::ProvisionedAccount>())
            .fails(&[UnknownAccount]),
        route("put_account_alias", "PUT", "/v1/accounts/{account}/aliases/{alias}", PROVISIONS, put(provision::put_alias), "Gives an account another name, which the doors take as well.")
            .tagged("Provisioning")
            .answers(201, "it is new", json::<answer::AccountAlias>())
            .answers(200, "the account has it already", json::<answer::AccountAlias>())
            .fails(&[UnknownAccount, InvalidId, NameTaken, TooManyAliases]),
        route("delete_account_alias", "DELETE", "/v1/accounts/{account}/aliases/{alias}", PROVISIONS, delete(provision::drop_alias), "Takes another name of an account away.")
            .tagged("Provisioning")
            .answers(204, "the account does not have it any more", nothing())
            .fails(&[UnknownAccount, NotFound]),
        route("list_account_credentials", "GET", "/v1/accounts/{account}/credentials", PROVISIONS, get(provision::credentials), "Lists the credentials that were provisioned in an account.")
            .tagged("Provisioning")
            .answers(200, "those that are not revoked", json::<answer::ProvisionedCredentials>())
            .fails(&[UnknownAccount]),
        route("put_account_credential", "PUT", "/v1/accounts/{account}/credentials/{name}", PROVISIONS, put(provision::put_credential), "Makes a credential; its password is in the first answer alone.")
            .tagged("Provisioning")
            .takes::<CredentialOf>()
            .answers(201, "it is new: with its password", json::<answer::ProvisionedCredential>())
            .answers(200, "it exists already", json::<answer::ProvisionedCredential>())
            .fails(&[UnknownAccount, InvalidId, InvalidRole, RoleReserved, CredentialExists, Contended]),
        route("rotate_account_credential", "POST", "/v1/accounts/{account}/credentials/{name}/rotate", PROVISIONS, post(provision::rotate_credential), "Gives a credential another password; the one before ends at once.")
            .tagged("Provisioning")
            .answers(200, "the credential, with its password", json::<answer::ProvisionedCredential>())
            .fails(&[UnknownAccount, NotFound, Contended]),
        route("revoke_account_credential", "DELETE", "/v1/accounts/{account}/credentials/{name}", PROVISIONS, delete(provision::revoke_credential), "Revokes a credential, at once.")
            .tagged("Provisioning")
            .answers(204, "it is revoked", nothing())
            .fails(&[UnknownAccount, NotFound]),
        route("list_account_keys", "GET", "/v1/accounts/{account}/keys", PROVISIONS, get(provision::keys), "Lists the public keys of an account.")
            .tagged("Provisioning")
            .answers(200, "all of them, retired ones included", json::<answer::AccountKeys>())
            .fails(&[UnknownAccount]),
        route("put_account_key", "PUT", "/v1/accounts/{account}/keys/{key}", PROVISIONS, put(provision::put_key), "Adds a customer's public key; a further one is logged as added without proof.")
            .tagged("Provisioning")
            .takes::<PublicKey>()
            .answers(201, "recordings are sealed for it from now on", json::<answer::AccountKey>())
            .answers(200, "they are already", json::<answer::AccountKey>())
            .fails(&[UnknownAccount, UnusableKey, OneKey, KeyRetired, Contended]),
        route("put_account_prompt", "PUT", "/v1/accounts/{account}/prompts/{id}", PROVISIONS, put(provision::put_prompt), "Registers a prompt of an account; a change is a new version.")
            .tagged("Provisioning")
            .takes::<Prompt>()
            .answers(201, "a new version", json::<answer::Prompt>())
            .answers(200, "it exists already", json::<answer::Prompt>())
            .fails(&[LoosensLaw, UnknownAccount, InvalidId, InvalidPrompt, InvalidLanguage, InvalidHash, Contended]),
        route("get_account_prompt", "GET", "/v1/accounts/{account}/prompts/{id}", PROVISIONS, get(provision::prompt), "Describes the newest version of an account's prompt.")
            .tagged("Provisioning")
            .answers(200, "the prompt", json::<answer::Prompt>())
            .fails(&[UnknownAccount, NotFound]),
        route("put_account_webhook", "PUT", "/v1/accounts/{account}/webhook", PROVISIONS, put(provision::put_webhook), "Says where an account's systems are told what happens.")
            .tagged("Provisioning")
            .takes::<WebhookAddress>()
            .answers(201, "it is the first: with the secret that signs the messages", json::<answer::AccountWebhook>())
            .answers(200, "they are told there; the secret is as before", json::<answer::AccountWebhook>())
            .fails(&[UnknownAccount, InvalidSettings, Contended]),
        route("rotate_account_webhook", "POST", "/v1/accounts/{account}/webhook/rotate", PROVISIONS, post(provision::rotate_webhook), "Signs an account's messages with another secret; the one before counts for 24 hours more.")
            .tagged("Provisioning")
            .answers(200, "the address, with the secret", json::<answer::AccountWebhook>())
            .fails(&[UnknownAccount, InvalidSettings, Contended]),
        route("delete_account_webhook", "DELETE", "/v1/accounts/{account}/webhook", PROVISIONS, delete(provision::drop_webhook), "Tells an account's systems nothing any more.")
            .tagged("Provisioning")
            .answers(204, "they are told nothing", nothing())
            .fails(&[UnknownAccount, Contended]),
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
