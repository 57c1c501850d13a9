"""What all parts of tests/bench share: programs and their building, servers, the load, numbers in columns."""

import base64
import http.client
import json
import math
import os
import random
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PARTS = ROOT / "tests" / "bench.d"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
# What is measured lies in WORK, and is removed afterwards; what was built for it stays.
WORK, BUILT = TARGET / "bench", TARGET / "bench-built"
LOAD = BUILT / "load"
TICKS = os.sysconf("SC_CLK_TCK")
FOREVER = 10**9


class Programs:
    """Where the programs are that are measured: `build` says it."""

    folder = gateway = floor = None


def build(debug, floor=False):
    """Builds what is measured, as it is released; or, for the smoke test, as the other tests build it."""
    BUILT.mkdir(parents=True, exist_ok=True)
    profile = [] if debug else ["--release"]
    # The tests build the whole workspace: only so is nothing built twice.
    packages = ["--workspace"] if debug else ["-p", "consent-gateway", "-p", "bench-replay"]
    subprocess.run(["cargo", "build", "--quiet", *profile, *packages], cwd=ROOT, check=True)
    Programs.folder = TARGET / ("debug" if debug else "release")
    Programs.gateway = Programs.folder / "consent-gateway"
    subprocess.run(["rustc", "--edition", "2024", "-O", "-o", LOAD, PARTS / "load.rs"], check=True)
    if floor:
        environment = dict(os.environ, CARGO_TARGET_DIR=str(BUILT))
        command = ["cargo", "build", "--quiet", "--locked", *profile]
        subprocess.run(command, cwd=PARTS / "floor", check=True, env=environment)
        Programs.floor = BUILT / Programs.folder.name / "floor"


def load(*arguments):
    """Runs the load. What it printed, with its own processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([LOAD, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"a request failed: {done.stderr.strip()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = json.loads(done.stdout)
    result["load_cpu"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return result


class Server:
    """A process that listens, with its children; ended when it is closed."""

    def __init__(self, name, command, port, patience=30):
        self.port = port
        self.log = open(WORK / f"{name}.log", "ab")
        self.began = time.monotonic()
        self.process = subprocess.Popen(list(map(str, command)), stdout=self.log, stderr=self.log)
        while time.monotonic() - self.began < patience and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                self.started = time.monotonic() - self.began
                return
            except OSError:
                time.sleep(0.005)
        self.close()
        sys.exit(f"{name} did not start; its log ends: {Path(self.log.name).read_text()[-2000:]}")

    def tree(self):
        found, rest = [], [self.process.pid]
        while rest:
            found.append(rest.pop())
            for task in Path(f"/proc/{found[-1]}/task").iterdir():
                rest += map(int, (task / "children").read_text().split())
        return found

    def cpu(self):
        """Seconds, in user space and in the kernel."""
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.tree()]
        return sum(int(field[11]) + int(field[12]) for field in fields) / TICKS

    def forget_peak(self):
        for pid in self.tree():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def memory(self, what="VmHWM"):
        lines = [line for pid in self.tree() for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
        return sum(int(line.split()[1]) for line in lines if line.startswith(f"{what}:")) * 1024

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wav(size, channels, rate):
    """A PCM file of exactly so many bytes, of noise."""
    frame, data = channels * 2, size - 44
    head = b"RIFF" + (size - 8).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    head += (1).to_bytes(2, "little") + channels.to_bytes(2, "little") + rate.to_bytes(4, "little")
    head += (rate * frame).to_bytes(4, "little") + frame.to_bytes(2, "little") + (16).to_bytes(2, "little")
    return head + b"data" + data.to_bytes(4, "little") + random.Random(size).randbytes(data)


def keys():
    """The folder of the customer's keys."""
    folder = WORK / "keys"
    if not folder.exists():
        subprocess.run([Programs.gateway, "keygen", "--out", folder], check=True, capture_output=True)
    return folder


PEOPLE = [
    {"id": "caller", "role": "customer", "location": "US-NY", "languages": ["en"]},
    {"id": "agent-1", "role": "agent", "location": "US-NY", "languages": ["en"], "consent_grant": "contract"},
]


class Gateway(Server):
    """A gateway with an account that can do everything; or one on a ledger that was made otherwise."""

    def __init__(self, directory, program=None, account="bench", made=False, patience=30, settings=None):
        self.settings = [] if settings is None else ["--config", settings]
        self.directory, self.account, self.program = directory, account, program or Programs.gateway
        self.accepted, self.bodies = 0, 0
        if not made:
            self.run("account", "add", account, "--operator", "US-NY", "--recorder", "US-NY")
            self.run("key", "add", account, keys() / "public.pem")
            self.run("prompt", "add", account, "greeting", "--language", "en", "--duration-ms", 2000, "--purpose", "quality", "--text", "This call is recorded.", "--says", "recording=This call is recorded")
            self.run("consent-grant", "add", account, "contract", "--subject", "agent-1", "--role", "agent", "--basis", "contract", "--purpose", "quality")
        self.auth, self.auditor = self.credential("recorder"), self.credential("auditor")
        port = free_port()
        command = [self.program, "serve", "--data", directory, "--listen", f"127.0.0.1:{port}", *self.settings]
        super().__init__(directory.name, command, port, patience)

    def run(self, *arguments):
        command = [self.program, *map(str, arguments), "--data", self.directory, *self.settings]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
        return done.stdout

    def credential(self, role):
        made = json.loads(self.run("credential", "add", self.account, "--role", role, "--json"))
        return "Basic " + base64.b64encode(f"{made['username']}:{made['password']}".encode()).decode()

    def body(self, value):
        """A file with this as JSON."""
        self.bodies += 1
        path = WORK / f"{self.directory.name}-{self.bodies}.json"
        path.write_text(json.dumps(value))
        return path

    def step(self, method, path, body=None):
        """A request for the load; a body is a file, or what becomes JSON."""
        file = "-" if body is None else body if isinstance(body, Path) else self.body(body)
        return [method, path, file]

    def http(self, concurrency, seconds, count, *steps, auth=None):
        """Runs requests, with the processor time of the gateway for each."""
        before = self.cpu()
        told = load("http", f"127.0.0.1:{self.port}", concurrency, seconds, count, self.auth if auth is None else auth, *steps)
        told["cpu_ms"] = (self.cpu() - before) * 1e3 / max(told["done"], 1)
        return told

    def ask(self, method, path, body=None, auth=None):
        """One request by hand: its status, and its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"Authorization": auth or self.auth, "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if answer.status >= 300:
            sys.exit(f"{method} {path}: {answer.status} {content.decode(errors='replace')}")
        return content

    def get(self, path, auth=None):
        return json.loads(self.ask("GET", path, auth=auth))

    def prepare(self, wanted, longest_s):
        """Calls whose recording was granted, lasted long enough and has stopped; by prefix and count."""
        began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 10))
        opening = {"medium": "telephone", "purposes": ["quality"], "started_at": began, "participants": PEOPLE}
        asking = [{"type": "prompt.completed", "prompt": "greeting", "participants": ["caller"], "played_ms": 2000}]
        for prefix, count in wanted:
            call = f"/v1/calls/{prefix}-{{}}"
            begin = [self.step("PUT", call, opening), self.step("POST", f"{call}/events", asking)]
            begin.append(self.step("POST", f"{call}/recording", {"action": "start"}))
            self.http(32, 600, count, *sum(begin, []))
        time.sleep(longest_s)
        for prefix, count in wanted:
            end = [{"type": "recording.stopped"}, {"type": "call.ended"}]
            self.http(32, 600, count, *self.step("POST", f"/v1/calls/{prefix}-{{}}/events", end))

    def recordings(self):
        listed, after = [], ""
        while after is not None:
            page = self.get(f"/v1/recordings?limit=1000{after and '&after=' + after}")
            listed += [(item["id"], item["bytes"]) for item in page["recordings"]]
            after = page.get("next")
        return listed

    def verify(self, files):
        """Every upload is listed and its media are in the store; some are opened."""
        listed = self.recordings()
        if len(listed) != self.accepted:
            sys.exit(f"{self.accepted} uploads were answered, and {len(listed)} are listed")
        paths = WORK / "media.txt"
        paths.write_text("".join(f"/v1/recordings/{recording}/media?purpose=quality\n" for recording, _ in listed))
        self.http(8, 600, len(listed), "GET Range: bytes=-1", f"@{paths}", "-")
        sealed, envelope, opened = WORK / "one.sealed", WORK / "one.json", WORK / "one.wav"
        for recording, size in random.Random(0).sample(listed, min(8, len(listed))):
            sealed.write_bytes(self.ask("GET", f"/v1/recordings/{recording}/media?purpose=quality"))
            envelope.write_text(json.dumps(self.get(f"/v1/recordings/{recording}")["envelope"]))
            opened.unlink(missing_ok=True)
            self.run("open", sealed, "--envelope", envelope, "--key", keys() / "private.pem", "--account", self.account, "--recording", recording, "--out", opened)
            if sealed.stat().st_size != size or opened.read_bytes() not in files:
                sys.exit(f"recording {recording} opened to other bytes")


def timed(*command):
    """What a command prints, how long it took, its processor time and its peak memory in MB."""
    began = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    printed = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}")
    return json.loads(printed or "null"), time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3


def serve_once(directory):
    """Has the heads signed."""
    served = subprocess.Popen([Programs.gateway, "serve", "--listen", "127.0.0.1:0", "--data", directory], stderr=subprocess.PIPE, text=True,
                              env={**os.environ, "RUST_LOG": "info"})
    for line in served.stderr:
        if "listening" in line:
            break
    else:
        sys.exit("the gateway did not start")
    time.sleep(3)
    served.terminate()
    served.stderr.read()
    if served.wait() != 0:
        sys.exit("the gateway did not stop well")


def make_ledger(directory, calls):
    """A ledger as the gateway writes it, with so many calls of the account `bench`; its size, and how long it took."""
    if shutil.disk_usage(WORK).free < calls * 40e3 + 1e9:
        sys.exit(f"{WORK} needs {calls * 40e3 / 1e9 + 1:.0f} GB of free space")
    serve_once(directory)
    _, took, _, _ = timed(Programs.folder / "bench-replay", "make", directory, "bench", calls)
    return sum(path.stat().st_size for path in directory.glob("ledger.db*")), took


def synced():
    began = time.monotonic()
    os.sync()
    return time.monotonic() - began


def number(value):
    if value is None or math.isnan(value):
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def spread(values):
    if len(values) == 1:
        return number(values[0])
    return f"{number(statistics.median(values))} ({number(min(values))}–{number(max(values))})"


def busy():
    """The load average of the last minute: how much else the machine did."""
    return os.getloadavg()[0]


def machine():
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1e6
    version = subprocess.run([Programs.gateway, "--version"], capture_output=True, text=True).stdout.strip()
    return f"{version} ({Programs.folder.name}); Linux {os.uname().release}; {os.cpu_count()} cores, shared with the load; {memory:.0f} GB of memory; load average {busy():.1f}"
