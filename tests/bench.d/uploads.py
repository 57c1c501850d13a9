"""tests/bench uploads: the gateway beside the floor, nginx, rclone and synced files."""

import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from common import BUILT, FOREVER, LOAD, WORK, Gateway, Programs, Server, busy, free_port, keys, load, machine, number, spread, synced, wav

# name, bytes, channels, rate: 1.0 s of telephone audio, 5.1 s of studio audio
SIZES = [("16 KB", 16 * 1024, 1, 8_000), ("960 KB", 960 * 1024, 2, 48_000)]
LONGEST_S = 5.2
# How long a run takes. Short ones with long files measure memory: nothing has to be written back yet.
SECONDS = {"16 KB": 2.0, "960 KB": 8.0}
TOOLS = ["nginx", "rclone"]
# How long ext4 without a journal minds what was deleted.
FRESH_S = 65


def body(size):
    return WORK / f"{size[0].replace(' ', '')}.wav"


def install():
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        sudo = [] if os.getuid() == 0 else ["sudo"]
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        subprocess.run([*sudo, "apt-get", "update", "-qq"], check=True)
        subprocess.run([*sudo, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], check=True, env=environment)


def nginx(directory):
    port, temporary = free_port(), directory.with_name(f"{directory.name}-temporary")
    directory.mkdir()
    temporary.mkdir()
    configuration = WORK / "nginx.conf"
    user = "user root;" if os.getuid() == 0 else ""
    others = "".join(f"{kind}_temp_path {temporary}/{kind}; " for kind in ["proxy", "fastcgi", "uwsgi", "scgi"])
    configuration.write_text(
        f"{user} worker_processes auto; daemon off; pid {WORK}/nginx.pid; error_log {WORK}/nginx-errors.log;\n"
        "events {}\n"
        f"http {{ access_log off; client_max_body_size 64m; keepalive_requests 100000000; {others}\n"
        f"  client_body_temp_path {temporary}/body;\n"
        f"  server {{ listen 127.0.0.1:{port}; root {directory}; location / {{ dav_methods PUT; }} }} }}\n"
    )
    return Server("nginx", ["nginx", "-e", WORK / "nginx-errors.log", "-c", configuration], port)


def rclone(directory):
    port, configuration = free_port(), WORK / "rclone.conf"
    directory.mkdir()
    password = subprocess.check_output(["rclone", "obscure", "benchmark"], text=True).strip()
    configuration.write_text(f"[sealed]\ntype = crypt\nremote = {directory}\npassword = {password}\n")
    command = ["rclone", "serve", "webdav", "sealed:", "--config", configuration, "--addr", f"127.0.0.1:{port}"]
    return Server("rclone", command, port)


def floor(directory):
    port = free_port()
    directory.mkdir()
    return Server("floor", [Programs.floor, port, directory, keys() / "public.pem"], port)


def cut(directory):
    """Frees the room of everything below, and deletes nothing: see `journal`."""
    for path in directory.rglob("*"):
        if path.is_file():
            os.truncate(path, 0)


class Contenders:
    """The servers of one round, each in a directory of its own."""

    def __init__(self, number, names, beside):
        self.number, self.servers = number, {}
        self.gateways = [name for name in names if name in ("gateway", "beside")]
        try:
            for name in self.gateways:
                self.servers[name] = Gateway(self.directory(name), beside if name == "beside" else None)
            for name, start in [("nginx", nginx), ("rclone", rclone), ("floor", floor)]:
                if name in names:
                    self.servers[name] = start(self.directory(name))
        except BaseException:
            self.close()
            raise

    def directory(self, name):
        return WORK / f"{name}-{self.number}"

    def measure(self, contender, size, concurrency, seconds, count, name):
        """One run of one contender."""
        server = self.servers.get(contender)
        synced()
        if server:
            server.forget_peak()
            before = server.cpu()
        if contender in self.gateways:
            result = server.http(concurrency, seconds, count, "PUT", f"/v1/calls/{name}-{{}}/recordings/audio", body(size))
            server.accepted += result["done"]
        elif contender == "files":
            written = self.directory(f"files-{name}")
            written.mkdir()
            result = load("sync", written, concurrency, seconds, FOREVER, body(size))
        else:
            address = f"127.0.0.1:{server.port}"
            result = load("http", address, concurrency, seconds, FOREVER, "", "PUT", f"/{name}-{{}}", body(size))
        cpu = server.cpu() - before if server else result["load_cpu"]
        peak = server.memory() if server else None
        disk, others = synced(), busy()
        if contender in ("nginx", "rclone"):
            cut(self.directory(contender))
        elif contender == "files":
            cut(written)
        elif contender == "floor":
            # It appends to one file: a fresh one for the next run.
            server.close()
            cut(self.directory("floor"))
            self.directory("floor").rename(self.directory(f"floor-{name}"))
            self.servers["floor"] = floor(self.directory("floor"))
        done, took = result["done"], result["seconds"]
        return {
            "rate": done / took,
            "mb": done * size[1] / took / 1e6,
            "on_disk": done / (took + disk),
            "cpu": cpu * 1e3 / done if done else math.nan,
            "peak": peak and peak / 1e6,
            "p50": result["p50_us"] / 1e3,
            "p99": result["p99_us"] / 1e3,
            "busy": others,
        }

    def close(self):
        for server in self.servers.values():
            server.close()
        for name in self.gateways:
            cut(self.directory(name) / "media")


def one_round(number, configurations, contenders, counts, seconds, beside):
    round_ = Contenders(number, contenders, beside)
    try:
        names = {key: f"r{number}-{key[0][1]}-{key[1]}" for key in configurations}
        for gateway in round_.gateways:
            round_.servers[gateway].prepare([(names[key], counts[key]) for key in configurations], LONGEST_S)
        results = {}
        for key in configurations:
            turn = number % len(contenders)
            for contender in contenders[turn:] + contenders[:turn]:
                results[key, contender] = round_.measure(contender, *key, seconds[key], counts[key], names[key])
            print(".", end="", file=sys.stderr, flush=True)
        for gateway in round_.gateways:
            round_.servers[gateway].verify([body(size).read_bytes() for size in SIZES])
        return results
    finally:
        round_.close()


def ceiling(size, concurrency):
    """What the load can do at most."""
    port = free_port()
    server = Server("sink", [LOAD, "sink", f"127.0.0.1:{port}"], port)
    try:
        result = load("http", f"127.0.0.1:{port}", concurrency, 0.5, FOREVER, "", "PUT", "/{}", body(size))
        return result["done"] / result["seconds"]
    finally:
        server.close()


def first(*command):
    told = subprocess.run(command, capture_output=True, text=True)
    return (told.stdout + told.stderr).strip().splitlines()[0]


def journal():
    """Says which file system it is. Whether it is ext4 without a journal."""
    told = first("findmnt", "-no", "FSTYPE,SOURCE,OPTIONS", "-T", str(WORK))
    task = Path(f"/sys/fs/ext4/{os.path.basename(told.split()[1])}/journal_task")
    without = task.exists() and not task.read_text().strip().isdigit()
    print(" ".join(told.split()) + ("; no journal" if without else "; a journal" if task.exists() else ""))
    if without:
        print("Without a journal ext4 walks over whatever was deleted in the last minutes for each new file, which slows nginx,\n"
              "rclone, files and a gateway that makes two files for each upload. So nothing is deleted between the runs here.")
    else:
        print("With a journal a sync writes what is new about files twice: contenders that make files pay for it, one that appends less.")
    return without


# When the last benchmark deleted its files.
DELETED = BUILT / "deleted"


def settle(without_journal, found_something):
    """Waits until the file system has forgotten what was deleted."""
    age = 0 if found_something else time.time() - DELETED.stat().st_mtime if DELETED.exists() else FRESH_S
    if without_journal and age < FRESH_S:
        os.sync()
        print(f"(waiting {FRESH_S - age:.0f} s: files were deleted a moment ago)", file=sys.stderr)
        time.sleep(FRESH_S - age)


def run(options, found_something):
    os.environ["PATH"] += ":/usr/sbin"
    if not options.smoke:
        install()
        if shutil.disk_usage(WORK).free < 25e9:
            sys.exit(f"{WORK} needs 25 GB of free space")
    contenders = ["gateway", *(["beside"] if options.beside else []), "floor", "nginx", "rclone", "files"]
    for tool in TOOLS:
        if not shutil.which(tool):
            print(f"{tool} is not installed: left out")
            contenders.remove(tool)
    for size in SIZES:
        body(size).write_bytes(wav(*size[1:]))
    sizes = [size for size in SIZES if options.only in (None, size[0].replace(" ", ""))]
    every = options.concurrency or ([2] if options.smoke else [8] if options.quick else [1, 8, 32])
    configurations = [(size, concurrency) for size in sizes for concurrency in every]
    seconds = {key: options.seconds or (0.2 if options.smoke else SECONDS[key[0][0]]) for key in configurations}
    rounds = options.rounds or (1 if options.smoke else 3)

    print("; ".join([machine(), *(first(tool, "-v" if tool == "nginx" else "version") for tool in TOOLS if tool in contenders)]))
    without = journal()
    print(f"{rounds} rounds of {' and '.join(f'{seconds[size, every[0]]:g} s at {size[0]}' for size in sizes)}; keep-alive connections, one per unit of concurrency")
    if not options.smoke:
        settle(without, found_something)

    # A first, short round says how many calls the real ones need.
    few = {key: 40 * max(key[1], 2) for key in configurations}
    if options.smoke:
        results = [one_round(0, configurations, contenders, few, seconds, options.beside)]
    else:
        tried = one_round(0, configurations, contenders, few, dict.fromkeys(configurations, 1.0), options.beside)
        rates = {key: max(tried[key, name]["rate"] for name in contenders if name in ("gateway", "beside")) for key in configurations}
        counts = {key: math.ceil(rates[key] * seconds[key] * 1.6) + 50 for key in configurations}
        results = [one_round(1 + index, configurations, contenders, counts, seconds, options.beside) for index in range(rounds)]
    print("\r", end="", file=sys.stderr)
    table(configurations, contenders, results)
    DELETED.touch()


def table(configurations, contenders, rounds):
    columns = ["rate", "mb", "on_disk", "cpu", "peak", "p50", "p99", "busy"]
    titles = ["uploads/s", "MB/s", "on disk/s", "CPU ms", "peak MB", "p50 ms", "p99 ms", "load avg"]
    widths = [24, 18, 22, 20, 18, 20, 20, 16]
    for key in configurations:
        size, concurrency = key
        print(f"\n{size[0]}, concurrency {concurrency} (the load alone: {number(ceiling(size, concurrency))}/s)")
        print("  " + " ".join([f"{'':10}"] + [f"{title:>{width}}" for title, width in zip(titles, widths)]))
        for contender in contenders:
            cells = []
            for column, width in zip(columns, widths):
                values = [result[key, contender][column] for result in rounds]
                cells.append(f"{'-' if None in values else spread(values):>{width}}")
            print("  " + " ".join([f"{contender:10}", *cells]))
        ratios = []
        for other in contenders[1:]:
            for column, kind in [("rate", "in memory"), ("on_disk", "on disk")] if other in TOOLS else [("rate", "")]:
                shares = [result[key, "gateway"]["rate"] / result[key, other][column] for result in rounds]
                ratios.append(f"gateway/{other}{kind and f' ({kind})'} {spread(shares)}")
        used = [result[key, "gateway"]["cpu"] / result[key, "floor"]["cpu"] for result in rounds]
        print("  " + "   ".join([*ratios, f"CPU of gateway/floor {spread(used)}"]))
    print("\non disk/s: with the time that a sync of the file system took afterwards. CPU ms: user and system, for each upload,")
    print("the server's processes only (files: all of it). peak: resident, summed over the server's processes.")
