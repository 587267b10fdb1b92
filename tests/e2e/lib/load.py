"""wsload, the echo load of tests/e2e/tools/wsload, driven from a test."""

import collections
import json
import math

from lib.bed import endpoint
from lib.run import Failed, tool

MAX_PER_PROCESS = 15000  # of the 20,000 descriptors that a process may have


class Process:
    def __init__(self, bed, name, *arguments, program=None):
        self.child = bed.child(name, program or tool("wsload"), *arguments)
        self.answer(30)

    def say(self, command):
        self.child.say(command)

    def answer(self, seconds):
        reply = json.loads(self.child.line(seconds))
        if "error" in reply:
            raise Failed(f"wsload: {reply['error']}")
        return reply

    def ask(self, command, seconds=60.0):
        self.say(command)
        return self.answer(seconds)


class Servers:
    """Echo servers on the given addresses, each in as many processes as `connections` need (or all in one)."""

    def __init__(self, bed, addresses, port=80, processes=1):
        listen = [endpoint(address, port) for address in addresses]
        self.processes = [Process(bed, bed.backends, "server", *listen) for _ in range(processes)]

    def report(self):
        return _sum([process.ask("report") for process in self.processes])

    def end(self):
        for process in self.processes:
            process.child.end()


class Clients:
    """Clients of one target, in as many processes as the connections need; all processes work at the same time."""

    def __init__(self, bed, target, source="198.19.0.1", sources=1000, connections=MAX_PER_PROCESS, processes=1):
        count = max(processes, math.ceil(connections / MAX_PER_PROCESS))
        starts = [_shift(source, n * sources) for n in range(count)]
        self.processes = [Process(bed, bed.clients, "client", target, f"{start}+{sources}") for start in starts]

    def _say(self, command):
        for process in self.processes:
            process.say(command)

    def _answer(self, seconds):
        return _sum([process.answer(seconds + 30) for process in self.processes])

    def _all(self, command, seconds):
        self._say(command)
        return self._answer(seconds)

    def _shares(self, count):
        base, more = divmod(count, len(self.processes))
        return [base + (n < more) for n in range(len(self.processes))]

    def open(self, count, concurrency=256, seconds=60):
        for process, share in zip(self.processes, self._shares(count)):
            process.say(f"open {share} {concurrency} {seconds}")
        return self._answer(seconds)

    def churn(self, count, concurrency=128, echo=False, how="reset", patience=15):
        """`patience`: after so many seconds a connection is given up, which counts as failed, or as lost once it was open."""
        for process, share in zip(self.processes, self._shares(count)):
            process.say(f"churn {share} {concurrency} {int(echo)} {how} {patience}")
        return self._answer(300)

    def echo(self, size=100, seconds=60):
        [report] = echo_all([self], size, seconds)
        return report

    def bench(self, size, seconds):
        return self._all(f"bench {size} {seconds}", seconds)

    def start(self, size=100, interval_ms=500):
        return self._all(f"start {size} {interval_ms}", 30)

    def stop(self, seconds=30):
        return self._all(f"stop {seconds}", seconds)

    def close(self, count=0, how="fin"):
        shares = self._shares(count) if count else [0] * len(self.processes)
        for process, share in zip(self.processes, shares):
            if share or not count:
                process.say(f"close {share} {how}")
        return _sum([process.answer(60) for process, share in zip(self.processes, shares) if share or not count])

    def report(self):
        return self._all("report", 30)

    def longest(self):
        """The longest time from a message to its echo since the last look, in ms."""
        return self._all("longest", 30)["longest_ms"]

    def who(self):
        """Source address -> set of backends that its connections reached."""
        result = collections.defaultdict(set)
        for process in self.processes:
            for client, backend in process.ask("who")["clients"]:
                result[client].add(backend)
        return dict(result)


def echo_all(group, size=100, seconds=60):
    """A message on each connection of all these Clients, beside what start() sends: how many have answered it, for each in turn."""
    for clients in group:
        clients._say(f"echo {size} {seconds}")
    return [clients._answer(seconds) for clients in group]


def _sum(reports):
    """Numbers added, dictionaries merged by adding; the longest time counts."""
    total = {}
    for report in reports:
        for key, value in report.items():
            if isinstance(value, dict):
                total[key] = dict(collections.Counter(total.get(key, {})) + collections.Counter(value))
            elif key in ("seconds", "longest_ms"):
                total[key] = max(total.get(key, 0), value)
            elif isinstance(value, (int, float)):
                total[key] = total.get(key, 0) + value
    return total


def _shift(address, by):
    if ":" in address:
        head, _, last = address.rpartition(":")
        return f"{head}:{int(last or '0', 16) + by:x}"
    parts = [int(part) for part in address.split(".")]
    value = int.from_bytes(bytes(parts), "big") + by
    return ".".join(str(byte) for byte in value.to_bytes(4, "big"))
