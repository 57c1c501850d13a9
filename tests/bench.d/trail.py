"""tests/bench trail: durable appends beside bare SQLite, growth, questions, verification."""

import os
import shutil
import statistics
import subprocess

from common import WORK, Programs, busy, machine, serve_once, spread, timed


def run(options):
    rounds = options.rounds or (1 if options.smoke else 3)
    maker, bench = Programs.folder / "bench-replay", Programs.folder / "bench-trail"
    print(machine())
    appends(bench, rounds, options.smoke)
    directory = WORK / "ledger"
    serve_once(directory)
    print(f"\n{'entries':>12}{'appends/s (256)':>20}{'question p95 ms':>18}{'bytes/entry':>14}{'load avg':>10}")
    grown = 0
    for size in (1_000,) if options.smoke else (10_000, 100_000, 1_000_000, 10_000_000):
        if size > options.entries:
            break
        calls = int(size / 8.2)
        timed(maker, "make", directory, "bench", calls, grown)
        grown = calls
        asked, _, _, _ = timed(bench, "ask", directory, 40 if options.smoke else 400)
        told, _, _, _ = timed(bench, "append", directory, 256, 300 if options.smoke else 20_000)
        bytes_ = sum(path.stat().st_size for path in directory.glob("ledger.db*")) / told["size"]
        print(f"{asked['size']:12,}{told['entries'] / told['seconds']:20,.0f}{asked['p95_ms']:18.2f}{bytes_:14,.0f}{busy():10.1f}", flush=True)
    serve_once(directory)
    hashed, _, _, _ = timed(bench, "hash", directory)
    export, trust = WORK / "export", WORK / "trust"

    def audit(*arguments):
        return subprocess.run([Programs.gateway, "audit", *map(str, arguments)], check=True, capture_output=True, text=True).stdout

    audit("export", "bench", "--out", export, "--data", directory)
    trust.write_text(audit("key", "bench", "--data", directory))
    took = min(timed(Programs.gateway, "audit", "verify", export, "--trust", trust, "--json")[1] for _ in range(rounds))
    print(f"\nverification of {hashed['leaves']:,} entries, decisions included: {took:.1f} s, {hashed['leaves'] / took:,.0f} leaves/s; "
          f"one core hashes {hashed['leaves'] / hashed['seconds']:,.0f} leaves/s ({hashed['bytes'] / hashed['seconds'] / 1e9:.2f} GB/s)")


def appends(bench, rounds, smoke):
    postgres = None if smoke else os.environ.get("GATEWAY_TEST_POSTGRES")
    print(f"{rounds} rounds; entries/s, median (least–greatest); CPU: for each entry, its making included\n")
    print(f"{'writers':>8}{'SQLite':>26}{'bare SQLite':>26}{'share':>22}{'PostgreSQL':>26}{'CPU µs':>10}{'bare':>8}{'load avg':>10}")
    for writers, count in ((4, 100),) if smoke else ((1, 1_000), (64, 20_000), (256, 40_000)):
        columns, used = {"ours": [], "bare": [], "postgres": []}, {"ours": [], "bare": []}
        for turn in range(rounds):
            for contender in sorted(columns, reverse=turn % 2 == 1):
                directory = WORK / f"{contender}-{writers}-{turn}"
                directory.mkdir()
                if contender == "ours":
                    told, _, cpu, _ = timed(bench, "append", directory, writers, count)
                elif contender == "bare":
                    told, _, cpu, _ = timed(bench, "bare", directory, writers, count)
                elif postgres:
                    told, _, cpu, _ = timed(bench, "append", postgres, writers, count)
                else:
                    continue
                columns[contender].append(told["entries"] / told["seconds"])
                used.get(contender, []).append(cpu * 1e6 / count)
                shutil.rmtree(directory)
        shares = [ours / bare for ours, bare in zip(columns["ours"], columns["bare"])]
        cells = [spread(columns[name]) if columns[name] else "–" for name in ("ours", "bare", "postgres")]
        print(f"{writers:8}{cells[0]:>26}{cells[1]:>26}{spread(shares):>22}{cells[2]:>26}{statistics.median(used['ours']):10.0f}{statistics.median(used['bare']):8.0f}{busy():10.1f}", flush=True)
