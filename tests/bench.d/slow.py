"""tests/bench slow: many uploads at once whose senders are slow, and what memory that takes."""

import resource
import selectors
import socket
import time

from common import WORK, Gateway, busy, machine, number, wav

# 5.1 s of studio audio.
MEDIA = (960 * 1024, 2, 48_000)
LONGEST_S = 5.2
# What the gateway does not read within so long, it does not want yet.
PATIENCE_S = 30


class Sender:
    """One upload. Once the gateway has let it in and wants its body, it is no stranger's any more, of whom there are only
    so many at once."""

    def __init__(self, gateway, number, body):
        self.socket = socket.create_connection(("127.0.0.1", gateway.port), 60)
        head = f"PUT /v1/calls/slow-{number}/recordings/audio HTTP/1.1\r\nHost: x\r\nAuthorization: {gateway.auth}\r\n"
        head += f"Content-Type: audio/wav\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
        self.socket.sendall(head.encode())
        answer = self.socket.recv(65536)
        if not answer.startswith(b"HTTP/1.1 100"):
            raise SystemExit(f"an upload was not let in: {answer.decode()}")
        self.socket.setblocking(False)
        self.body, self.sent = body, 0

    def send(self, until):
        """Sends what goes without waiting. Whether that was all up to here."""
        try:
            self.sent += self.socket.send(self.body[self.sent : until])
        except BlockingIOError:
            pass
        return self.sent >= until


def send(senders, until):
    """Has all of them send up to here, as far as the gateway reads."""
    waiting, last = selectors.DefaultSelector(), time.monotonic()
    for sender in senders:
        waiting.register(sender.socket, selectors.EVENT_WRITE, sender)
    while waiting.get_map() and time.monotonic() - last < PATIENCE_S:
        for key, _ in waiting.select(1):
            last = time.monotonic()
            if key.data.send(until):
                waiting.unregister(key.fileobj)
    waiting.close()


def settle(gateway):
    """Waits until the gateway has nothing more to do."""
    began, used = time.monotonic(), -1.0
    while gateway.cpu() > used and time.monotonic() - began < PATIENCE_S:
        used = gateway.cpu()
        time.sleep(0.3)


def run(options):
    uploads = 8 if options.smoke else options.uploads
    wanted = 2 * uploads + 256
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    print(machine())
    print(f"{uploads:,} uploads of 960 KB at once, each sent as far as it says here, and then halted\n")
    print(f"{'':22}{'peak MB':>12}{'resident MB':>14}{'KB each':>12}{'sent of it':>14}{'load avg':>10}")
    body = memoryview(wav(*MEDIA))
    gateway = Gateway(WORK / "slow")
    senders, idle = [], 0

    def line(name, sent=None):
        settle(gateway)
        peak, resident = gateway.memory(), gateway.memory("VmRSS")
        each = (peak - idle) / uploads / 1e3 if idle else None
        print(f"{name:22}{number(peak / 1e6):>12}{number(resident / 1e6):>14}{number(each):>12}{'-' if sent is None else f'{sent:.0%}':>14}{busy():10.1f}", flush=True)
        return peak

    try:
        gateway.prepare([("slow", uploads)], LONGEST_S)
        idle, used = line("before"), gateway.cpu()
        for each in range(uploads):
            senders.append(Sender(gateway, each, body))
        line("let in")
        for share in (10, 50, 95):
            until = len(body) * share // 100
            send(senders, until)
            line(f"{share} % of each", sum(sender.sent for sender in senders) / len(body) / uploads)
        began = time.monotonic()
        send(senders, len(body))
        answers = {}
        for sender in senders:
            sender.socket.settimeout(120)
            status = sender.socket.recv(65536).split(b" ", 2)[1].decode()
            answers[status] = answers.get(status, 0) + 1
        line("answered", 1.0)
        told = ", ".join(f"{count:,} × {status}" for status, count in sorted(answers.items()))
        print(f"\nanswers: {told}, {time.monotonic() - began:.1f} s after the rest was let go; "
              f"{number((gateway.cpu() - used) * 1e3 / uploads)} ms of CPU each")
        if answers != {"201": uploads}:
            raise SystemExit("not every upload was accepted")
    finally:
        for sender in senders:
            sender.socket.close()
        gateway.close()
