"""tests/bench calls: long calls, and calls with many people."""

import time

from common import FOREVER, WORK, Gateway, busy, machine, number

# How many events a request may bring along.
ARRAY = 256


def person(number):
    return {"id": f"p{number}", "role": "agent" if number == 0 else "customer", "location": "US-NY", "languages": ["en"]}


def opened(gateway, name, people):
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 10))
    body = {"medium": "telephone", "purposes": ["quality"], "started_at": began, "participants": [person(each) for each in range(min(people, 16))]}
    gateway.ask("PUT", f"/v1/calls/{name}", body)
    for each in range(16, people):
        gateway.ask("POST", f"/v1/calls/{name}/participants", person(each))


def line(what, told):
    cells = [told["p50_us"] / 1e3, told["p99_us"] / 1e3, told["cpu_ms"]]
    print(f"{what:44}" + "".join(f"{number(cell):>12}" for cell in cells) + f"{told['bytes']:14,}{busy():10.1f}", flush=True)


def run(options):
    lengths, people, repeated, seconds = ([10, 40], [2, 20], 5, 0.1) if options.smoke else ([10, 1_000, 5_000], [2, 256], 50, 1.0)
    print(machine())
    print(f"one request after the other; {2 * repeated} events, and questions for {seconds:g} s\n")
    print(f"{'':44}{'p50 ms':>12}{'p99 ms':>12}{'CPU ms':>12}{'answer bytes':>14}{'load avg':>10}")
    gateway = Gateway(WORK / "calls")
    try:
        opened(gateway, "long", 2)
        path, there = "/v1/calls/long", 0
        tones = [{"type": "tone.started"}, {"type": "tone.stopped"}]
        for length in lengths:
            while there < length:
                array = min(ARRAY, length - there)
                gateway.ask("POST", f"{path}/events", (tones * (array // 2 + 1))[:array])
                there += array
            both = [gateway.step("POST", f"{path}/events", tone) for tone in tones]
            told = gateway.http(1, 600, repeated, *sum(both, []))
            there += 2 * repeated
            line(f"an event on a call of {length:,} events", told)
            line(f"GET decision of a call of {length:,} events", gateway.http(1, seconds, FOREVER, "GET", f"{path}/decision", "-"))
            line(f"GET call of {length:,} events", gateway.http(1, seconds, FOREVER, "GET", path, "-"))
        for count in people:
            name = f"wide-{count}"
            opened(gateway, name, count)
            line(f"GET decision of {count} people", gateway.http(1, seconds, FOREVER, "GET", f"/v1/calls/{name}/decision", "-"))
            # Whether or not all are named at once, an entry of the log has to hold them.
            named = [f"p{each}" for each in range(1, min(count, 128))]
            event = {"type": "prompt.completed", "prompt": "greeting", "participants": named, "played_ms": 2000}
            line(f"prompt.completed on a call of {count} people", gateway.http(1, 600, repeated, *gateway.step("POST", f"/v1/calls/{name}/events", event)))
    finally:
        gateway.close()
