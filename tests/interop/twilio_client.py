"""Drives the gateway by Twilio's own library, as an application does: base URL, sid, token, call, and what to do."""

import json
import sys

from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client

base, sid, token, call, step = sys.argv[1:6]
client = Client(sid, token)
client.api.base_url = base


def recordings():
    return client.calls(call).recordings


if step == "refused":
    for attempt in (
        lambda: recordings().create(),
        lambda: client.calls(call).streams.create(url="wss://listen.example.com"),
        lambda: client.calls(call).siprec.create(name="s"),
        lambda: client.calls(call).transcriptions.create(),
    ):
        try:
            attempt()
        except TwilioRestException as error:
            assert (error.status, error.code) == (403, 62001), error
        else:
            raise SystemExit("it was not refused")
elif step == "records":
    created = recordings().create(
        recording_status_callback=sys.argv[6],
        recording_status_callback_event=["in-progress", "completed"],
        recording_channels="mono",
    )
    paused = recordings()(created.sid).update(status="paused", pause_behavior="skip")
    assert paused.status == "paused", paused.status
    resumed = recordings()("Twilio.CURRENT").update(status="in-progress")
    assert resumed.sid == created.sid
    print(created.sid)
elif step == "stops":
    assert recordings()(sys.argv[6]).update(status="stopped").sid == sys.argv[6]
elif step == "reads":
    name = sys.argv[6]
    (listed,) = client.recordings.list(page_size=1)
    (of_call,) = client.calls(call).recordings.list()
    fetched = client.recordings(name).fetch()
    assert (listed.sid, of_call.sid, fetched.sid, fetched.call_sid) == (name, name, name, call)
    assert fetched.status == "completed" and fetched.duration == "4", (fetched.status, fetched.duration)
    assert fetched.date_created.tzinfo is not None
elif step == "places":
    placed = client.calls.create(to="+15555550101", from_="+15555550100", url=sys.argv[6], record=True)
    assert placed.sid.startswith("CA")
elif step == "validates":
    told = json.loads(sys.argv[6])
    params = {name: value for name, value in told["params"]}
    assert RequestValidator(told["token"]).validate(told["url"], params, told["signature"])
    assert not RequestValidator("another token").validate(told["url"], params, told["signature"])
else:
    raise SystemExit(f"unknown step {step}")
