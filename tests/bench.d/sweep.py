"""tests/bench sweep: recordings whose time is over, deleted by one run of the command."""

import json
import shutil
import subprocess
import sys

from common import WORK, Programs, busy, machine, number, serve_once, timed

# What a recording takes in packs and in the ledger.
ROOM = 24e3
# A million within a minute.
AIM = 1_000_000 / 60


def run(options):
    sizes = [300] if options.smoke else [max(options.recordings // 10, 1), options.recordings]
    if shutil.disk_usage(WORK).free < max(sizes) * ROOM + 1e9:
        sys.exit(f"{WORK} needs {max(sizes) * ROOM / 1e9 + 1:.0f} GB of free space")
    print(machine())
    print("Sealed media of two kilobytes in packs. Each is deleted with an entry, its keys, a tombstone that is synced, and its media.")
    print(f"\n{'recordings':>12}{'made in s':>12}{'swept in s':>12}{'a second':>12}{'of the aim':>12}{'CPU ms each':>14}{'peak MB':>10}{'load avg':>10}")
    for size in sizes:
        directory = WORK / f"sweep-{size}"
        subprocess.run([Programs.gateway, "account", "add", "bench", "--operator", "US-NY", "--recorder", "US-NY", "--data", directory], check=True, capture_output=True)
        serve_once(directory)
        _, made, _, _ = timed(Programs.folder / "bench-custody", "make", directory, "bench", size)
        told, took, cpu, peak = timed(Programs.gateway, "--json", "sweep", "--data", directory)
        if told["overdue"] != {"due": 0, "deleted": size, "held": 0, "failed": 0}:
            sys.exit(f"of {size} recordings, {told['overdue']}")
        cells = [f"{size:12,}", f"{number(made):>12}", f"{number(took):>12}", f"{size / took:12,.0f}", f"{size / took / AIM:12.2f}"]
        print("".join(cells) + f"{number(cpu * 1e3 / size):>14}{number(peak):>10}{busy():10.1f}", flush=True)
        left = subprocess.run([Programs.gateway, "--json", "check", "--store", "--data", directory], capture_output=True, text=True)
        if left.returncode or json.loads(left.stdout) != {"recordings": 0, "objects": size, "differences": {}}:
            sys.exit(f"something is left: {left.stdout[-2000:]}{left.stderr}")
        shutil.rmtree(directory)
