"""tests/bench webhooks: uploads with and without messages to other accounts' webhooks that are delivered beside."""

import json
import math
import subprocess
import sys

from common import LOAD, WORK, Gateway, Programs, Server, busy, free_port, machine, number, spread, wav

SIZE = ("16 KB", 16 * 1024, 1, 8_000)
LONGEST_S = 1.2
CONCURRENCY, RATE, ACCOUNTS = 8, 1_000, 16
# Uploads may be slowed so far.
AIM = 0.95


def run(options):
    rounds, seconds = (1, 2.0) if options.smoke else (options.rounds or 5, options.seconds or 4.0)
    rate = 50 if options.smoke else RATE
    print(machine())
    print(f"{rounds} rounds of {seconds:g} s, {SIZE[0]} at concurrency {CONCURRENCY}; beside them {rate} messages a second to {ACCOUNTS} accounts, on loopback")
    audio = WORK / "audio.wav"
    audio.write_bytes(wav(*SIZE[1:]))
    port = free_port()
    receiver = Server("receiver", [LOAD, "sink", f"127.0.0.1:{port}"], port)
    settings = WORK / "webhooks.toml"
    settings.write_text("[webhooks]\nallow_private = true\n")
    gateway = None
    try:
        gateway = Gateway(WORK / "webhooks", settings=settings)
        for each in range(ACCOUNTS):
            gateway.run("account", "add", f"tell-{each}", "--webhook", f"http://127.0.0.1:{port}/")

        def uploads(name, count):
            return gateway.http(CONCURRENCY, seconds, count, "PUT", f"/v1/calls/{name}-{{}}/recordings/audio", audio)

        # A first, short run says how many calls the real ones need.
        few = 100
        gateway.prepare([("few", few)], LONGEST_S)
        tried = uploads("few", few)
        count = few if options.smoke else math.ceil(tried["done"] / tried["seconds"] * seconds * 1.6) + 50
        alone, beside, delivered = [], [], []
        for turn in range(rounds):
            # Which comes first changes with every round.
            for told in (False, True) if turn % 2 == 0 else (True, False):
                name = f"w{turn}-{'b' if told else 'a'}"
                gateway.prepare([(name, count)], LONGEST_S)
                teller = None
                if told:
                    command = [Programs.folder / "bench-custody", "tell", gateway.directory, ACCOUNTS, rate, seconds]
                    teller = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
                result = uploads(name, count)
                (beside if told else alone).append(result["done"] / result["seconds"])
                if teller:
                    told_of = teller.communicate()[0]
                    if teller.returncode:
                        sys.exit("the messages were not delivered")
                    said = json.loads(told_of)
                    delivered.append((said["queued"] - said["left"]) / said["seconds"])
                print(".", end="", file=sys.stderr, flush=True)
    finally:
        if gateway:
            gateway.close()
        receiver.close()
    shares = [with_ / without for with_, without in zip(beside, alone)]
    print(f"\r{'':24}{'uploads/s':>26}{'messages/s':>26}")
    print(f"{'alone':24}{spread(alone):>26}{'-':>26}")
    print(f"{'beside the messages':24}{spread(beside):>26}{spread(delivered):>26}")
    print(f"{'share':24}{spread(shares):>26}   (aim: {AIM}); load average {number(busy())}")
