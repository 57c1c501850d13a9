"""tests/bench start: a start on a large ledger, and an account whose own log is the large one."""

import shutil
import time
from datetime import datetime, timedelta
from pathlib import Path

from common import FOREVER, PEOPLE, WORK, Gateway, busy, machine, make_ledger, number

ENTRIES_A_CALL = 8.2
PATIENCE_S = 3_600
# How far apart `bench-replay` makes its calls, and when the first one is.
APART_S, BEGAN = 80, datetime(2023, 1, 1)


def run(options):
    sizes = [1_000] if options.smoke else [*(size for size in (100_000, 1_000_000) if size < options.entries), options.entries]
    print(machine())
    print("What is read lies in the page cache as far as it fits. The first start after such a ledger was made signs what it finds.")
    for size in sizes:
        directory, calls = WORK / f"ledger-{size}", int(size / ENTRIES_A_CALL)
        length, took = make_ledger(directory, calls)
        print(f"\nabout {size:,} entries, {length / 1e9:.2f} GB, written in {took:.0f} s")
        starts(directory, calls, options.smoke)
        shutil.rmtree(directory)


def starts(directory, calls, smoke):
    print(f"{'':32}{'seconds':>12}{'CPU s':>12}{'peak MB':>12}{'GB read':>12}{'load avg':>12}")
    for turn, name in enumerate(["first start until it listens", "start until it listens", "start until it listens"]):
        gateway = Gateway(directory, made=True, patience=PATIENCE_S)
        try:
            read = dict(row.split(": ") for row in Path(f"/proc/{gateway.process.pid}/io").read_text().splitlines())
            cells = [gateway.started, gateway.cpu(), gateway.memory() / 1e6, int(read["rchar"]) / 1e9, busy()]
            print(f"{name:32}" + "".join(f"{number(cell):>12}" for cell in cells), flush=True)
            if turn == 0:
                # Until everything is signed.
                time.sleep(3)
            if turn == 2:
                own_log(gateway, calls, smoke)
        finally:
            gateway.close()


def own_log(gateway, calls, smoke):
    """An account whose own log is the large one."""
    seconds, count = (0.1, 20) if smoke else (1.0, 1_500)
    print(f"{'':32}{'a second':>12}{'p50 ms':>12}{'p99 ms':>12}{'CPU ms':>12}{'load avg':>12}")

    def line(name, told):
        cells = [told["done"] / told["seconds"], told["p50_us"] / 1e3, told["p99_us"] / 1e3, told["cpu_ms"], busy()]
        print(f"{name:32}" + "".join(f"{number(cell):>12}" for cell in cells), flush=True)

    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 10))
    people = [{key: value for key, value in person.items() if key != "consent_grant"} for person in PEOPLE]
    opening = {"medium": "telephone", "purposes": ["quality"], "started_at": began, "participants": people}
    line("PUT call ×8", gateway.http(8, 600, count, *gateway.step("PUT", "/v1/calls/own-{}", opening)))
    line("event ×8", gateway.http(8, 600, count, *gateway.step("POST", "/v1/calls/own-{}/events", {"type": "tone.started"})))
    paths = WORK / "own.txt"
    paths.write_text("".join(f"/v1/calls/own-{each}/decision\n" for each in range(count)))
    line("GET decision ×8", gateway.http(8, seconds, FOREVER, "GET", f"@{paths}", "-"))
    for name, question in [
        ("by call", lambda some: f"call=call-{some}"),
        ("by ten minutes", lambda some: "from={:%Y-%m-%dT%H:%M:%SZ}&until={:%Y-%m-%dT%H:%M:%SZ}".format(moment(some), moment(some + 7.5))),
        ("by place", lambda _: "place=US-CA"),
        ("by type", lambda _: "type=consent.given"),
        ("by place and outcome", lambda _: "place=DE&outcome=accepted"),
    ]:
        paths.write_text("".join(f"/v1/consents?limit=100&{question(some)}\n" for some in range(0, calls, max(calls // 100, 1))))
        line(f"question {name} ×1", gateway.http(1, seconds, FOREVER, "GET", f"@{paths}", "-", auth=gateway.auditor))


def moment(call):
    return BEGAN + timedelta(seconds=call * APART_S)
