"""The main job through a client that was generated from the description of the API.

usage: client.py URL CREDENTIALS AUDIO

CREDENTIALS is a JSON file: by role, `[username, password]`. AUDIO is a recording of a second. What was made is
printed as JSON. The program is checked by `mypy --strict` before it runs: what it takes for granted here, the
types of the generated client have to promise.
"""

import base64
import datetime
import json
import sys
import time
import uuid
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import attrs
from consent_gateway_client import AuthenticatedClient, models
from consent_gateway_client.api.calls import (
    control_recording,
    get_call,
    get_decision,
    join_call,
    open_call,
    report_events,
)
from consent_gateway_client.api.evidence import list_consents, prove_recording
from consent_gateway_client.api.law import get_jurisdiction
from consent_gateway_client.api.log import get_checkpoint, get_tile
from consent_gateway_client.api.prompts_and_grants import put_consent_grant, put_prompt
from consent_gateway_client.api.recordings import fetch_media, get_recording, list_recordings, upload_recording
from consent_gateway_client.models import ControlAction, EventType, Need, ProblemCode, RecorderState, Role, Verdict
from consent_gateway_client.types import UNSET, File, Response

T = TypeVar("T")

# What of an answer may be left out. All else is always there.
LEFT_OUT = {
    models.Decision: {"announcement_due", "max_bytes", "reason"},
    models.Requirement: set(),
    models.ParticipantDecision: set(),
    models.PlaceDecision: set(),
    models.Because: {"overlay"},
    models.Concerned: {"evidence", "participant", "place"},
    models.Missing: set(),
    models.Call: set(),
    models.Timeline: set(),
    models.Interval: {"code", "why"},
    models.Window: set(),
    models.Recording: {"shifted_ms", "silenced", "unasked"},
    models.RecordingPage: set(),
    models.EnvelopeTink: set(),
    models.EnvelopeRsaAes: set(),
    models.WrappedKey: set(),
    models.RegisteredPrompt: {"notes", "says"},
    models.RegisteredConsentGrant: set(),
    models.Uncovered: set(),
    models.Problem: {
        "bytes_",
        "calls",
        "decision",
        "failing",
        "missing",
        "problems",
        "recordings",
        "source",
        "told",
        "uncovered",
    },
}


def check_types() -> None:
    for model, expected in LEFT_OUT.items():
        fields = [field for field in attrs.fields(model) if field.name != "additional_properties"]
        left_out = {field.name for field in fields if field.default is UNSET}
        assert left_out == expected, (model, left_out)
        for field in fields:
            assert "Any" not in str(field.type), (model, field.name, field.type)


def got(response: Response[Any], status: HTTPStatus, kind: type[T]) -> T:
    assert response.status_code == status, (response.status_code, response.content)
    answer = response.parsed
    assert isinstance(answer, kind), (type(answer), response.content)
    return answer


def main(url: str, credentials: Path, audio: Path) -> None:
    check_types()
    passwords: dict[str, tuple[str, str]] = json.loads(credentials.read_text())

    def client(role: str) -> AuthenticatedClient:
        token = base64.b64encode(":".join(passwords[role]).encode()).decode()
        return AuthenticatedClient(url, token, prefix="Basic", raise_on_unexpected_status=True)

    recorder, listener, counsel, auditor = map(client, ["recorder", "listener", "counsel", "auditor"])

    says = models.PromptSaysType0.from_dict({"recording": "this call is recorded"})
    prompt = models.Prompt(
        text="This call is recorded.", language="en", duration_ms=4000, purposes=["quality"], says=says
    )
    registered = got(put_prompt.sync_detailed("welcome", client=counsel, body=prompt), HTTPStatus.CREATED, models.RegisteredPrompt)
    assert registered.version == 1 and registered.delivery is models.Delivery.AUDIO
    contract = models.ConsentGrant(subject="agent", role=Role.AGENT, basis="contract of employment", written=True)
    granted = put_consent_grant.sync_detailed("contract-7", client=counsel, body=contract)
    assert got(granted, HTTPStatus.CREATED, models.RegisteredConsentGrant).withdrawn_at is None

    # A customer in California: everybody has to be told.
    began = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=10)
    caller = models.Participant(id="caller", role=Role.CUSTOMER, location="US-CA", languages=["en"])
    call = models.OpenCall(
        medium=models.Medium.TELEPHONE, started_at=began, purposes=["quality"], participants=[caller]
    )
    opened = got(open_call.sync_detailed("call-1", client=recorder, body=call), HTTPStatus.CREATED, models.Decision)
    assert opened.recording is Verdict.BLOCKED and opened.recorder is RecorderState.IDLE
    assert opened.missing[0].participant == "caller" and opened.missing[0].needs == [[Need.PROMPT_COMPLETED]]
    agent = models.Participant(id="agent", role=Role.AGENT, location="US-CA", languages=["en"], joined_at=began)
    joined = got(join_call.sync_detailed("call-1", client=recorder, body=agent), HTTPStatus.CREATED, models.Decision)
    assert [one.state for one in joined.participants] == [models.ParticipantState.UNPROMPTED] * 2

    # Before that, recording is refused: with a code, the decision, and what is missing.
    start = models.Control(ControlAction.START)
    refused = got(control_recording.sync_detailed("call-1", client=recorder, body=start), HTTPStatus.FORBIDDEN, models.Problem)
    assert refused.code is ProblemCode.CONSENT_REQUIRED
    assert isinstance(refused.decision, models.Decision) and refused.decision.recording is Verdict.BLOCKED
    assert isinstance(refused.missing, list) and refused.missing[0].participant == "caller"

    event = models.Event(
        EventType.PROMPT_COMPLETED, prompt="welcome", participants=["caller", "agent"], played_ms=4000
    )
    told = got(report_events.sync_detailed("call-1", client=recorder, body=[event]), HTTPStatus.CREATED, models.Decision)
    assert told.recording is Verdict.PERMITTED and told.action is models.Action.NONE and told.missing == []
    started = got(control_recording.sync_detailed("call-1", client=recorder, body=start), HTTPStatus.OK, models.Decision)
    assert started.recorder is RecorderState.RUNNING
    time.sleep(1.2)
    stop = models.Control(ControlAction.STOP)
    got(control_recording.sync_detailed("call-1", client=recorder, body=stop), HTTPStatus.OK, models.Decision)

    def upload(name: str, since: datetime.datetime) -> Response[models.Problem | models.Recording]:
        with audio.open("rb") as payload:
            return upload_recording.sync_detailed(
                "call-1", name, client=recorder, body=File(payload), recording_start=since.isoformat()
            )

    stored = got(upload("main", started.decided_at), HTTPStatus.CREATED, models.Recording)
    assert isinstance(stored.envelope, models.EnvelopeTink)
    assert stored.envelope.recording == str(stored.id) and stored.duration_ms == 1000
    assert stored.envelope.keys[0].algorithm is models.WrapAlgorithm.RSA_OAEP_256
    early = got(upload("early", began), HTTPStatus.FORBIDDEN, models.Problem)
    assert isinstance(early.uncovered, list) and early.uncovered[0].duration_ms == 1000, early

    media = fetch_media.sync_detailed(stored.id, client=listener, purpose="quality")
    assert len(got(media, HTTPStatus.OK, File).payload.read()) == stored.bytes_
    part = fetch_media.sync_detailed(stored.id, client=listener, purpose="quality", range_="bytes=0-39")
    assert len(got(part, HTTPStatus.PARTIAL_CONTENT, File).payload.read()) == 40
    unknown = get_recording.sync_detailed(uuid.uuid4(), client=listener)
    assert got(unknown, HTTPStatus.NOT_FOUND, models.Problem).code is ProblemCode.NOT_FOUND
    page = got(list_recordings.sync_detailed(client=listener, call="call-1"), HTTPStatus.OK, models.RecordingPage)
    assert [one.id for one in page.recordings] == [stored.id] and page.next_ is None

    decided = got(get_decision.sync_detailed("call-1", client=auditor), HTTPStatus.OK, models.Decision)
    assert decided.recorder is RecorderState.STOPPED
    shown = got(get_call.sync_detailed("call-1", client=auditor), HTTPStatus.OK, models.Call)
    assert shown.timeline.windows[0].closed_by is models.ClosedBy.STOP
    entries = got(list_consents.sync_detailed(client=auditor, call="call-1"), HTTPStatus.OK, models.EntryPage)
    assert isinstance(entries.consents[0].entry.body, models.LeafBodyOpened)
    asked = got(get_jurisdiction.sync_detailed("US-CA", client=auditor), HTTPStatus.OK, models.PlaceAsks)
    assert isinstance(asked.asks.telephone, models.Asks) and asked.asks.telephone.form is models.Form.NOTICE
    # A pack waits for a head that covers it.
    for _ in range(50):
        pack = prove_recording.sync_detailed(stored.id, client=auditor)
        if pack.status_code == HTTPStatus.OK:
            break
        assert got(pack, HTTPStatus.SERVICE_UNAVAILABLE, models.Problem).code is ProblemCode.NOT_SIGNED_YET
        time.sleep(0.1)
    assert got(pack, HTTPStatus.OK, File).payload.read(2) == b"PK"
    head = got(get_checkpoint.sync_detailed("acme", client=auditor), HTTPStatus.OK, str)
    entries_of = f"entries/000.p/{head.splitlines()[1]}"
    tile = get_tile.sync_detailed("acme", entries_of, client=auditor)
    assert b"call.opened" in got(tile, HTTPStatus.OK, File).payload.read()
    print(json.dumps({"recording": str(stored.id)}))


main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
