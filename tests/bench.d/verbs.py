"""tests/bench verbs: what a platform and an auditor ask for, one verb after the other."""

import sys
import time

from common import FOREVER, PEOPLE, WORK, Gateway, busy, machine, number, wav

# Every call goes through all verbs. So many of them for each concurrency; questions are asked for so long.
COUNTS = {1: 400, 8: 1_200, 32: 2_000}
SECONDS = 1.0
# 2.6 s of studio audio.
MEDIA = (480 * 1024, 2, 48_000)
MEDIA_S = 2.7
PROMPT_S = 2.1


def listed(name, paths):
    """Paths that are asked for in turn."""
    path = WORK / f"{name}.txt"
    path.write_text("".join(f"{line}\n" for line in paths))
    return f"@{path}"


def column(gateway, concurrency, count, seconds, media):
    """What each verb took at one concurrency, by its name."""
    call, told = f"/v1/calls/v{concurrency}-{{}}", {}

    def ask(name, method, path, auth=None):
        told[name] = gateway.http(concurrency, seconds, FOREVER, method, path, "-", auth=auth)

    def send(name, method, path, body):
        told[name] = gateway.http(concurrency, 600, count, *gateway.step(method, path, body))

    everybody = ["caller", "third", "agent-1"]
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 10))
    ask("GET /healthz", "GET", "/healthz", auth="")
    send("PUT call", "PUT", call, {"medium": "telephone", "purposes": ["quality"], "started_at": began, "participants": PEOPLE})
    send("POST participants", "POST", f"{call}/participants", {"id": "third", "role": "customer", "location": "US-NY", "languages": ["en"]})
    send("POST prompt.started", "POST", f"{call}/events", {"type": "prompt.started", "prompt": "greeting", "participants": everybody})
    time.sleep(PROMPT_S)
    send("POST prompt.completed", "POST", f"{call}/events", {"type": "prompt.completed", "prompt": "greeting", "participants": everybody, "played_ms": 2000})
    send("POST recording start", "POST", f"{call}/recording", {"action": "start"})
    time.sleep(MEDIA_S)
    send("POST recording stop", "POST", f"{call}/recording", {"action": "stop"})
    send("POST call.ended", "POST", f"{call}/events", {"type": "call.ended"})
    send("PUT recording, 480 KB", "PUT", f"{call}/recordings/audio", media)
    send("PUT recording again", "PUT", f"{call}/recordings/audio", media)

    calls = [f"/v1/calls/v{concurrency}-{each}" for each in range(count)]
    recordings = [f"/v1/recordings/{recording}" for recording, _ in gateway.recordings()]
    ask("GET decision", "GET", listed("decisions", (f"{path}/decision" for path in calls)))
    ask("GET call", "GET", listed("calls", calls))
    ask("GET recordings?limit=50", "GET", "/v1/recordings?limit=50")
    ask("GET recording", "GET", listed("recordings", recordings))
    fetched = listed("media", (f"{path}/media?purpose=quality" for path in recordings))
    ask("GET media, 480 KB", "GET", fetched)
    ask("GET media, 64 KiB of it", "GET Range: bytes=65536-131071", fetched)
    ask("GET jurisdiction", "GET", "/v1/jurisdictions/US-NY")
    auditor = gateway.auditor
    ask("GET explain", "GET", listed("explain", (f"{path}/explain" for path in calls)), auditor)
    ask("GET consents of a call", "GET", listed("consents", (f"/v1/consents?call={path.rpartition('/')[2]}" for path in calls)), auditor)
    ask("GET vcon", "GET", listed("vcon", (f"{path}/vcon" for path in calls)), auditor)
    # A proof is to the signed head, which is a second behind.
    time.sleep(2)
    ask("GET proof of a recording", "GET", listed("proofs", (f"{path}/proof" for path in recordings)), auditor)
    ask("GET checkpoint", "GET", f"/v1/log/{gateway.account}/checkpoint", auditor)
    return told


def run(options):
    counts = {2: 10} if options.smoke else {each: COUNTS.get(each, 50 * each) for each in options.concurrency or COUNTS}
    print(machine())
    media = WORK / "480KB.wav"
    media.write_bytes(wav(*MEDIA))
    gateway = Gateway(WORK / "verbs")
    columns, loads = {}, []
    try:
        for concurrency, count in counts.items():
            columns[concurrency] = column(gateway, concurrency, count, 0.1 if options.smoke else SECONDS, media)
            loads.append(f"{busy():.1f} at ×{concurrency}")
            print(".", end="", file=sys.stderr, flush=True)
    finally:
        gateway.close()
    print(f"\rload average {', '.join(loads)}; each cell: a second, p50 ms, p99 ms, CPU ms of the server for each\n")
    print(f"{'':26}" + "".join(f"{f'×{concurrency}':>34}" for concurrency in columns))
    for verb in next(iter(columns.values())):
        cells = []
        for told in (column[verb] for column in columns.values()):
            values = [told["done"] / told["seconds"], told["p50_us"] / 1e3, told["p99_us"] / 1e3, told["cpu_ms"]]
            cells.append(f"{', '.join(map(number, values)):>34}")
        print(f"{verb:26}" + "".join(cells))
