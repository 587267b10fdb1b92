"""What it costs to copy flows to a standby, and what a takeover costs the clients: beside keepalived + conntrackd."""

import contextlib
import json
import statistics
import threading
import time

import cpu
from lib.bed import BACKENDS4, VIP4
from lib.load import Clients, Servers
from lib.run import Failed, run, tool
from lib.wait import until
from replicas import Conntrackd, ConntrackdDirect, ConntrackdFiltered, Wsl4Alone, Wsl4Pair
from size import _room_for
from table import Line, without_value

RATE = 4000             # flows that begin, or end, a second
EIGHTH = 0.125


class Cost:
    """Of one phase with one contender: microseconds of processor time per flow by node, and what went over the wire."""

    def __init__(self, contender, count):
        self.contender, self.count = contender, count
        self.before = self._now()

    def _now(self):
        threads = [cpu.by_thread(pid) for pid in self.contender.pids()]
        return threads, self.contender.wire_bytes()

    def done(self):
        cpu.settle(self.contender.pids())
        threads, wire = self._now()
        spent = [{name: (now[name] - was.get(name, 0)) / self.count * 1e6 for name in now} for now, was in zip(threads, self.before[0])]
        self.threads, self.nodes = spent, [sum(node.values()) for node in spent]
        self.wire = (wire - self.before[1]) / self.count
        return self


class Lag(threading.Thread):
    """How far the standby's kernel is behind the active's, as time at that rate, while flows begin."""

    def __init__(self, contender):
        super().__init__(daemon=True)
        self.contender, self.behind, self.over = contender, [], threading.Event()

    def run(self):
        while not self.over.wait(0.005):
            active, standby = self.contender.entries()
            self.behind.append(active - standby)

    def milliseconds(self):
        self.over.set()
        self.join()
        return statistics.mean(self.behind) / RATE * 1000


def replication(scale):
    """Processor time per flow on both nodes, for flows that begin and stay, and for flows that end; bytes on the wire; lag. 4,000 flows a
    second begin with a handshake, and end by reset; then their entries end, all at once. The contenders take turns, and the median of the rounds counts."""
    count, rounds = (20_000, 3) if scale == 1 else (1_000, 1)
    kinds = (Wsl4Pair, Wsl4Alone, Conntrackd, ConntrackdDirect, ConntrackdFiltered)
    begun, ended, lags = ({kind: [] for kind in kinds} for _ in range(3))
    with contextlib.ExitStack() as stack:
        contenders = [kind(stack) for kind in kinds]
        flows = [contender.raw_flows() for contender in contenders]
        for turn in range(rounds + (scale == 1)):
            for contender, load in zip(contenders, flows):
                costs = _begin(contender, load, count), _end(contender, load, count)
                if turn > 0 or scale < 1:   # in the first one caches, slabs and tables grow
                    for list_, cost in zip((begun, ended), costs):
                        list_[type(contender)].append(cost)
                    lags[type(contender)].append(costs[0].lag)
    return _cost_lines("begins", begun) + _cost_lines("ends", ended) + _wire_lines(begun, ended, lags)


def _begin(contender, load, count):
    cost, lag = Cost(contender, count), Lag(contender)
    lag.start()
    report = load.open(count, RATE)
    cost.lag = lag.milliseconds()
    if report["opened"] != count:
        raise Failed(f"{contender.name}: {report}")
    if not isinstance(contender, Wsl4Alone):
        until(lambda: contender.copies() >= count, lambda: f"{count} copies: {contender.copies()}", 60, 0.2)
    return cost.done()


def _end(contender, load, count):
    cost = Cost(contender, count)
    load.end(count, RATE, "reset")
    cpu.settle(contender.pids())
    contender.flush()
    # Flows, and no more: entries of other things live on.
    until(lambda: max(contender.entries()) < 100, lambda: f"{contender.name}: entries ended: {contender.entries()}", 30, 0.1)
    return cost.done()


def _median(costs, value):
    return statistics.median(map(value, costs))


def _cost_lines(verb, costs):
    ours, alone, cache, direct, filtered = (costs[kind] for kind in (Wsl4Pair, Wsl4Alone, Conntrackd, ConntrackdDirect, ConntrackdFiltered))
    node = lambda n: lambda cost: cost.nodes[n]
    thread = lambda n, name: lambda cost: cost.threads[n].get(name, 0.0)
    reference, fewer = _median(cache, node(0)), _median(filtered, node(0))
    whole, single = _median(ours, node(0)), _median(alone, node(0))
    copying = whole - single
    standby, theirs, cached, few = (_median(costs, node(1)) for costs in (ours, direct, cache, filtered))
    bound = ("<=", EIGHTH) if verb == "begins" else ("", None)
    what = f"CPU per flow that {verb}"
    return [Line(f"{what}, active: copying, µs", copying, "conntrackd", reference, copying / reference, *bound),
            Line("  beside one that is told less by its kernel, µs", copying, "conntrackd", fewer, copying / fewer),
            Line("  all of wsl4d there, µs", whole, "conntrackd", reference, whole / reference),
            Line("  of it the pair's thread, µs", _median(ours, thread(0, "pair"))),
            Line("  a single node's wsl4d, µs", single),
            Line(f"{what}, standby, µs", standby, direct[0].contender.name, theirs, standby / theirs, *bound),
            Line("  beside one that is told less by its kernel, µs", standby, direct[0].contender.name, few, standby / few),
            Line("  beside a cache that is yet to be committed, µs", standby, cache[0].contender.name, cached, standby / cached),
            Line("  of it the pair's thread, µs", _median(ours, thread(1, "pair"))),
            Line("  of it the kernel's thread, µs", _median(ours, thread(1, "kernel")))]


def _wire_lines(begun, ended, lags):
    lines = []
    for theirs in (ConntrackdDirect, ConntrackdFiltered):
        for what, costs in (("begins", begun), ("ends", ended)):
            ours, other = (_median(costs[kind], lambda cost: cost.wire) for kind in (Wsl4Pair, theirs))
            lines.append(Line(f"bytes on the wire per flow that {what}", ours, theirs.name, other, ours / other))
        # One that is told of half-open flows has their entries before they count.
        lines.append(Line("lag of the standby's kernel, ms", statistics.median(lags[Wsl4Pair]), theirs.name, statistics.median(lags[theirs])))
    return lines


def takeover(scale):
    """The active loses its power while WebSockets talk: connections lost, and the longest time to an echo."""
    lines = []
    for count in (1_000, 60_000) if scale == 1 else (200,):
        results = {kind: _take_over(kind, count) for kind in (Wsl4Pair, Conntrackd, ConntrackdDirect)}
        ours = results.pop(Wsl4Pair)
        for kind, theirs in results.items():
            lines.append(Line(f"takeover with {count:,} connections: lost", ours["lost"], kind.name, theirs["lost"], ours["lost"] / count, "<=", 0.0))
            lines.append(Line("  longest answer, s", ours["longest"], kind.name, theirs["longest"], ours["longest"] / theirs["longest"]))
            if kind is Conntrackd:
                lines.append(Line("  commit of the external cache, s", 0.0, kind.name, theirs["commit"]))
    return lines


def _take_over(kind, count):
    interval = max(1.0, count / 10_000)
    with contextlib.ExitStack() as stack:
        pair = kind(stack)
        processes = max(1, count // 15_000)
        Servers(pair.bed, BACKENDS4[:3], processes=processes)
        clients = Clients(pair.bed, f"{VIP4}:443", connections=count, processes=processes)
        live = _open(pair, clients, count)
        _copied(pair, live)
        clients.start(size=100, interval_ms=int(interval * 1000))
        time.sleep(interval)
        clients.longest()
        pair.power_off()
        time.sleep(interval + 3)    # by then each has sent something after it
        report = clients.stop(20 if count >= 1000 else 5)
        lost = live - report["live"] + report["unanswered"]
        return {"lost": lost, "longest": clients.longest() / 1000, "commit": pair.commit_seconds() if isinstance(pair, Conntrackd) else 0.0}


def _open(pair, clients, count):
    """As many as there are then: conntrackd's node refuses some when tens of thousands come at once."""
    opened = clients.open(count, seconds=90)
    least = count if isinstance(pair, Wsl4Pair) else 0.95 * count
    if opened["live"] < least:
        raise Failed(f"{pair.name}: not all of {count} connections open: {opened}")
    return opened["live"]


def _copied(pair, live):
    """conntrackd may never have the last ones of as many at once: then those that are there have to be enough."""
    most = [-1, time.monotonic()]

    def settled():
        copies = pair.copies()
        if copies > most[0]:
            most[:] = copies, time.monotonic()
        return copies >= live or (not isinstance(pair, Wsl4Pair) and time.monotonic() > most[1] + 5)
    until(settled, lambda: f"{live} copies: {pair.copies()}", 60, 0.2)


def injection(scale):
    """Flows put into a kernel's connection tracking by the injector, beside messages sent in plain batches: what that takes is the least that
    a standby can spend on a flow. Rounds take turns."""
    count, rounds = (200_000, 3) if scale == 1 else (5_000, 1)
    with _room_for(count + 8192) as limit:
        if limit < count + 8192:
            return [without_value("flows injected, per second of processor time", 0.8, f"nf_conntrack_max is {limit} and cannot be raised here")]
        measured = [_inject(count) for _ in range(rounds)]
    value = lambda name: statistics.median(one[name] for one in measured)
    ratio = statistics.median(one["put_per_s"] / one["plain_per_s"] for one in measured)
    return [Line("flows injected, per second of processor time", value("put_per_s"), "plain batches", value("plain_per_s"), ratio, ">=", 0.8),
            Line("  for one, µs", 1e6 / value("put_per_s"), "plain batches", 1e6 / value("plain_per_s")),
            Line("  over ones that are there", value("put_again_per_s")), Line("  timers set", value("timer_per_s")),
            Line("  erased", value("erase_per_s"))]


def _inject(count):
    return json.loads(run("unshare", "--net", tool("ctinject"), count, timeout=300).stdout)


def resync(scale):
    """The link between the nodes is lost for ten seconds while 1 % of the flows change: what goes over it when it is back, for a flow that
    has changed, beside what the first copy took for a flow."""
    count, away = (200_000, 10.0) if scale == 1 else (5_000, 1.0)
    changed = count // 100
    with _room_for(2 * count + 8192) as limit, contextlib.ExitStack() as stack:
        if limit < count + 8192:
            return [without_value("bytes after a lost link, per changed flow", 1, f"nf_conntrack_max is {limit} and cannot be raised here")]
        pair = Wsl4Pair(stack)
        load = pair.raw_flows()
        load.open(count, 20_000)
        until(lambda: pair.copies() >= count, lambda: f"{count} copies: {pair.copies()}", 60, 0.2)
        active, standby = pair.both
        standby.kill()
        pair.bed.run(standby.namespace, "conntrack", "-F")
        before = pair.wire_bytes()
        standby.start()
        until(lambda: pair.copies() >= count and standby.sync()["state"] == "synced", lambda: f"{count} copies: {pair.copies()}", 60, 0.1)
        first = (pair.wire_bytes() - before) / count
        before = pair.wire_bytes()
        pair.bed.ip(pair.nodes[0], "link set sync down")
        until(lambda: active.sync()["state"] == "disconnected", "the link lost", 30)
        load.end(changed // 2, RATE, "reset")
        load.open(changed - changed // 2, RATE)
        time.sleep(away)
        pair.bed.ip(pair.nodes[0], "link set sync up")
        began = time.monotonic()
        until(lambda: active.sync()["state"] == "synced" == standby.sync()["state"], "synced again", 60, 0.02)
        took = time.monotonic() - began
        again = (pair.wire_bytes() - before) / changed
    return [Line("bytes after a lost link, per changed flow", again, "first copy, a flow", first, again / first, "<=", 2.0),
            Line("  seconds until synced", took)]
