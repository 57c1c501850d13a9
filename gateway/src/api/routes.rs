//! Every route of the native API, and which roles may use it. What is not here does not exist.

use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::routing::{MethodRouter, delete, get, post, put};

use super::{Door, account, calls, consents, erasures, evidence, law, log, media, upload};
use crate::access::Role;

/// One route.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The method.
    pub method: &'static str,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    /// Who may; nobody's name means everybody, without credentials.
    pub roles: &'static [Role],
    /// What it does.
    pub summary: &'static str,
}

/// The route of a request, if there is one.
#[must_use]
pub fn entry(method: &Method, path: &str) -> Option<&'static Entry> {
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
    let route = |router: Router<Arc<Door>>, (path, handler): (&str, MethodRouter<Arc<Door>>)| {
        router.route(path, handler)
    };
    [
        ("/healthz", get(account::healthz)),
        ("/readyz", get(account::readyz)),
        ("/openapi.json", get(account::description)),
        ("/v1/calls/{call}", put(calls::open).get(calls::show)),
        ("/v1/calls/{call}/decision", get(calls::decision)),
        ("/v1/calls/{call}/explain", get(calls::explain)),
        ("/v1/calls/{call}/proof", get(evidence::of_call)),
        ("/v1/calls/{call}/vcon", get(evidence::vcon)),
        ("/v1/calls/{call}/consent-record", get(evidence::consent_record)),
        ("/v1/recordings/{id}/proof", get(evidence::of_recording)),
        ("/v1/calls/{call}/participants", post(calls::join)),
        ("/v1/calls/{call}/events", post(calls::observe)),
        ("/v1/calls/{call}/recording", post(calls::control)),
        ("/v1/calls/{call}/recordings/{name}", put(upload::store)),
        ("/v1/recordings", get(media::list)),
        ("/v1/recordings/{id}", get(media::describe).merge(delete(media::remove))),
        ("/v1/recordings/{id}/media", get(media::fetch)),
        ("/v1/recordings/{id}/hold", put(media::hold).merge(delete(media::release))),
        ("/v1/prompts/{id}", put(account::put_prompt).get(account::prompt)),
        ("/v1/prompts/{id}/check", get(account::check_prompt)),
        ("/v1/consent-grants/{id}", put(account::put_grant).get(account::grant)),
        ("/v1/consent-grants/{id}/withdraw", post(account::withdraw_grant)),
        ("/v1/consents", get(consents::answer)),
        ("/v1/erasures", post(erasures::erase)),
        ("/v1/jurisdictions", get(law::jurisdictions)),
        ("/v1/jurisdictions/check", post(law::check)),
        ("/v1/jurisdictions/versions", get(law::versions)),
        ("/v1/jurisdictions/versions/{version}", get(law::version)),
        ("/v1/jurisdictions/proposals", get(law::proposals).merge(post(law::propose))),
        ("/v1/jurisdictions/proposals/{proposal}", get(law::proposal)),
        ("/v1/jurisdictions/proposals/{proposal}/approve", post(law::approve)),
        ("/v1/jurisdictions/proposals/{proposal}/reject", post(law::reject)),
        ("/v1/jurisdictions/proposals/{proposal}/withdraw", post(law::withdraw)),
        ("/v1/jurisdictions/{code}", get(law::jurisdiction)),
        ("/v1/log/{log}/checkpoint", get(log::checkpoint)),
        ("/v1/log/{log}/tile/{*path}", get(log::tile)),
        ("/v1/people", get(law::people)),
        ("/v1/people/{person}/confirm", post(law::confirm_person)),
        ("/v1/law", get(law::chosen).merge(put(law::choose))),
    ]
    .into_iter()
    .fold(Router::new(), route)
}

const fn entry_of(
    method: &'static str,
    path: &'static str,
    roles: &'static [Role],
    summary: &'static str,
) -> Entry {
    Entry { method, path, roles, summary }
}

use Role::{Admin, Auditor, Counsel, Listener, Recorder, Registrar};

const ANYBODY: &[Role] = &[];
const EVERY_ROLE: &[Role] = &Role::ALL;
const RECORDS: &[Role] = &[Recorder];
const READS_CALLS: &[Role] = &[Recorder, Auditor, Counsel, Admin];
const TABLE_READERS: &[Role] = &[Auditor, Counsel, Admin];
const READS_RECORDINGS: &[Role] = &[Recorder, Listener, Auditor, Counsel, Admin];

/// Whether what comes this way may be an objection, or something else that makes things stricter.
pub(super) fn may_restrict(entry: &Entry) -> bool {
    let by = entry.path.strip_prefix("/v1/calls/{call}/");
    entry.method == "POST"
        && (by.is_some_and(|by| ["events", "participants", "recording"].contains(&by))
            || entry.path == "/v1/consent-grants/{id}/withdraw")
}

/// The table of routes.
pub const TABLE: &[Entry] = &[
    entry_of("GET", "/healthz", ANYBODY, "Whether the process runs."),
    entry_of("GET", "/readyz", ANYBODY, "Whether it can do its work: what a request needs is tried."),
    entry_of("GET", "/openapi.json", ANYBODY, "This description."),
    entry_of("PUT", "/v1/calls/{call}", RECORDS, "Opens a call."),
    entry_of(
        "GET",
        "/v1/calls/{call}",
        READS_CALLS,
        "A call's state, decision, lawful intervals and windows.",
    ),
    entry_of("GET", "/v1/calls/{call}/decision", READS_CALLS, "The decision, explained."),
    entry_of(
        "GET",
        "/v1/calls/{call}/explain",
        &[Auditor, Counsel, Admin],
        "What was decided at a moment, and what would be decided today.",
    ),
    entry_of(
        "GET",
        "/v1/calls/{call}/proof",
        TABLE_READERS,
        "A proof pack of a call; with `of=no-recording`, that it has no recording.",
    ),
    entry_of("GET", "/v1/calls/{call}/vcon", TABLE_READERS, "A call as a vCon with its lawful basis."),
    entry_of(
        "GET",
        "/v1/calls/{call}/consent-record",
        TABLE_READERS,
        "Consent records of a call by ISO/IEC TS 27560, in JSON-LD.",
    ),
    entry_of("GET", "/v1/recordings/{id}/proof", TABLE_READERS, "A proof pack of a recording."),
    entry_of("POST", "/v1/calls/{call}/participants", RECORDS, "Somebody joins, or comes back."),
    entry_of("POST", "/v1/calls/{call}/events", RECORDS, "Logs one event or an array of events."),
    entry_of("POST", "/v1/calls/{call}/recording", RECORDS, "Starts, pauses, resumes or stops recording."),
    entry_of("PUT", "/v1/calls/{call}/recordings/{name}", RECORDS, "Uploads the finished audio."),
    entry_of("GET", "/v1/recordings", READS_RECORDINGS, "Lists recordings; a recorder sees its own."),
    entry_of("GET", "/v1/recordings/{id}", READS_RECORDINGS, "Describes a recording, with its envelope."),
    entry_of("DELETE", "/v1/recordings/{id}", &[Admin], "Deletes a recording."),
    entry_of(
        "GET",
        "/v1/recordings/{id}/media",
        &[Recorder, Listener],
        "Sealed bytes, for a purpose that is logged.",
    ),
    entry_of("PUT", "/v1/recordings/{id}/hold", &[Counsel], "Puts a legal hold on a recording."),
    entry_of("DELETE", "/v1/recordings/{id}/hold", &[Counsel], "Lifts a legal hold."),
    entry_of("PUT", "/v1/prompts/{id}", &[Counsel, Admin], "Registers a prompt; a change is a new version."),
    entry_of("GET", "/v1/prompts/{id}", READS_CALLS, "A prompt's newest version."),
    entry_of("GET", "/v1/prompts/{id}/check", READS_CALLS, "What a prompt lacks, for which places."),
    entry_of(
        "PUT",
        "/v1/consent-grants/{id}",
        &[Counsel, Registrar, Admin],
        "Registers consent given outside a call.",
    ),
    entry_of("GET", "/v1/consent-grants/{id}", &[Counsel, Registrar, Auditor, Admin], "A consent grant."),
    entry_of(
        "POST",
        "/v1/consent-grants/{id}/withdraw",
        &[Counsel, Registrar, Admin],
        "Withdraws consent given outside a call.",
    ),
    entry_of(
        "GET",
        "/v1/consents",
        &[Auditor, Counsel, Admin],
        "Entries of the trail, by what they have to do with.",
    ),
    entry_of(
        "POST",
        "/v1/erasures",
        &[Counsel, Admin],
        "Erases what is known of a number or a participant; what was proven stays proven.",
    ),
    entry_of(
        "GET",
        "/v1/log/{log}/checkpoint",
        TABLE_READERS,
        "The signed head of a log; anybody's where the account makes its log public.",
    ),
    entry_of(
        "GET",
        "/v1/log/{log}/tile/{*path}",
        TABLE_READERS,
        "Tiles and entry bundles of a log (C2SP tlog-tiles); likewise.",
    ),
    entry_of("GET", "/v1/jurisdictions", EVERY_ROLE, "The table in force."),
    entry_of("GET", "/v1/jurisdictions/{code}", EVERY_ROLE, "What one place asks, and why."),
    entry_of(
        "POST",
        "/v1/jurisdictions/check",
        &[Counsel],
        "What is wrong with a table, and what it would change.",
    ),
    entry_of(
        "GET",
        "/v1/jurisdictions/versions",
        TABLE_READERS,
        "Every version of the table, the newest first.",
    ),
    entry_of("GET", "/v1/jurisdictions/versions/{version}", TABLE_READERS, "A version, with its text."),
    entry_of(
        "POST",
        "/v1/jurisdictions/proposals",
        &[Counsel],
        "Publishes a table, or proposes it where it loosens anything; for the account `system`.",
    ),
    entry_of(
        "GET",
        "/v1/jurisdictions/proposals",
        TABLE_READERS,
        "Every proposal; for the account `system`.",
    ),
    entry_of(
        "GET",
        "/v1/jurisdictions/proposals/{proposal}",
        TABLE_READERS,
        "A proposal with its difference and impact; for the account `system`.",
    ),
    entry_of(
        "POST",
        "/v1/jurisdictions/proposals/{proposal}/approve",
        &[Counsel],
        "Approves somebody else's proposal; for the account `system`.",
    ),
    entry_of(
        "POST",
        "/v1/jurisdictions/proposals/{proposal}/reject",
        &[Counsel],
        "Rejects a proposal; for the account `system`.",
    ),
    entry_of(
        "POST",
        "/v1/jurisdictions/proposals/{proposal}/withdraw",
        &[Counsel],
        "Withdraws one's own proposal; for the account `system`.",
    ),
    entry_of(
        "GET",
        "/v1/people",
        TABLE_READERS,
        "Everybody of the account, and who counts as a second person.",
    ),
    entry_of(
        "POST",
        "/v1/people/{person}/confirm",
        TABLE_READERS,
        "Confirms that somebody who was enrolled later is who they are said to be; nobody can confirm themselves.",
    ),
    entry_of("GET", "/v1/law", READS_CALLS, "The overlays that the account has chosen."),
    entry_of("PUT", "/v1/law", &[Counsel], "Chooses overlays for every call of the account."),
];

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
