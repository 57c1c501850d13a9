"""tests/bench replay: how long it takes to rehearse a table on every call of the trail."""

import shutil
import statistics
import sys

from common import ROOT, WORK, Programs, busy, machine, make_ledger, spread, timed


def changed_table():
    """The table, California tightened, New York tightened and Germany loosened; asserts that they are there."""
    text = (ROOT / "jurisdictions.toml").read_text()
    for code, was, now in [
        ("US-CA", 'form = "notice"', 'form = "express"'),
        ("US-NY", 'parties = "one"\nform = "none"', 'parties = "all"\nform = "notice"'),
        ("DE", 'form = "express"', 'form = "notice"'),
    ]:
        before, _, row = text.partition(f'code = "{code}"\n')
        row, mark, after = row.partition("[[jurisdiction]]")
        if was not in row:
            sys.exit(f"the row {code} has no `{was}`")
        text = f'{before}code = "{code}"\n{row.replace(was, now, 1)}{mark}{after}'
    return text


def run(options):
    calls = 200 if options.smoke else min(max(options.calls or (20_000 if options.quick else 100_000), 1_000), 1_000_000)
    rounds = options.rounds or (1 if options.smoke else 3)
    directory = WORK / "ledger"
    size, made = make_ledger(directory, calls)
    print(machine())
    print(f"{calls:,} calls, {size / 1e9:.2f} GB, written in {made:.0f} s; {rounds} rounds; median (least–greatest)\n")
    (WORK / "changed.toml").write_text(changed_table())
    shutil.copy(ROOT / "jurisdictions.toml", WORK / "same.toml")

    def impact(table):
        return timed(Programs.gateway, "table", "impact", WORK / table, "--json", "--data", directory)

    columns = {"impact": [], "floor": []}
    for turn in range(rounds):
        for contender in sorted(columns, reverse=turn % 2 == 1):
            if contender == "floor":
                told, took, cpu, peak = timed(Programs.folder / "bench-replay", "floor", directory)
                leaves, took = told["leaves"], told["seconds"]
            else:
                told, took, cpu, peak = impact("changed.toml")
                if (told["calls"], told["unreadable"]) != (calls, 0) or not told["total"]["blocked"]:
                    sys.exit(f"not every call was replayed: {told}")
            columns[contender].append((calls / took, took, cpu, peak))
        print(".", end="", file=sys.stderr, flush=True)
    same, _, _, _ = impact("same.toml")
    if any(same["total"].values()) or same["places"]:
        sys.exit(f"a table changes something against itself: {same['total']}")
    print(f"\r{'':8}{'calls/s':>26}{'seconds':>22}{'CPU s':>20}{'peak MB':>20}")
    for contender, runs in columns.items():
        cells = [spread([run[column] for run in runs]) for column in range(4)]
        print(f"{contender:8}{cells[0]:>26}{cells[1]:>22}{cells[2]:>20}{cells[3]:>20}")
    shares = [floor[1] / impact[1] for impact, floor in zip(columns["impact"], columns["floor"])]
    per_million = statistics.median(run[1] for run in columns["impact"]) * 1e6 / calls
    print(f"impact/floor {spread(shares)}; {leaves / calls:.1f} entries a call; a million calls would take {per_million:.0f} s")
    print(f"load average at the end {busy():.1f}")
