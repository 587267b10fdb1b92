"""What the daemon spends on flows that come and go: events, counting, dealing."""

import contextlib
import json
import os
import re
import time

import cpu
from lib.bed import BACKENDS4, VIP4, Bed, pool4
from lib.config import Backend, Pool, Service
from lib.daemon import Daemon
from lib.raw import RawFlows
from lib.run import Failed, tool
from lib.wait import until
from size import _room_for
from table import Line, at_most, without_value

PORTS = 16
RATE = 20_000           # flows a second
BURST = 300_000


def lifetimes(scale):
    """Processor time of wsl4d for one flow's lifetime, in microseconds, at 20,000 flows a second that begin with a handshake and end by
    reset: while pools are nearly empty, and with ports dealt in blocks, 90 % of them taken."""
    lines = []
    for what, addresses, part in (("", 8, 0.02), (", ports in blocks", 2, 0.9)):
        with contextlib.ExitStack() as stack:
            bed, daemon, flows = _balanced(stack, addresses)
            flows.open(int(part * scale * 2 * addresses * 65_535), RATE)
            lines += _churn(bed, daemon, flows, what, max(2, 15 * scale))
    return lines


def _balanced(stack, addresses):
    bed = stack.enter_context(Bed(direct=True))
    service = Service("chat", [f"{VIP4}:{443 + n}" for n in range(PORTS)], [Backend(f"b{n}", BACKENDS4[n]) for n in range(2)],
                      scheduler="least-connections")
    daemon = Daemon(bed, [service], [Pool("main", pool4(addresses))], log_level="info").start()
    # An entry is gone a second after a reset, so that whole lifetimes are measured and the table stays small.
    bed.sysctl(bed.balancer, **{"net.netfilter.nf_conntrack_tcp_timeout_close": 1})
    return bed, daemon, RawFlows(bed, PORTS)


def _churn(bed, daemon, flows, what, seconds):
    before = _times(daemon.child.pid)
    report = flows.churn(seconds, RATE, "reset")
    if report["lost"] or report["refused"]:
        raise Failed(f"flows lost or refused: {report}")
    until(lambda: bed.entries() < report["open"] + 1000, lambda: f"{bed.entries()} entries, {report['open']} flows", 90, 0.5)
    cpu.settle([daemon.child.pid])
    user, system = (1e6 * (now - was) / report["ended"] for now, was in zip(_times(daemon.child.pid), before))
    overruns = daemon.status()["kernel"]["event_overruns"]
    return [at_most(f"user time per flow{what}, µs", user, 5), at_most(f"  with system time{what}, µs", user + system, 12),
            Line("  flows a second", report["ended"] / report["seconds"]), Line("  event overruns", overruns)]


def _times(pid):
    """User and system time of a process in seconds."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return [int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in fields[11:13]]


def flood(scale):
    """Processor time of wsl4d for one SYN that nobody answers, in microseconds, its entry's end included: at most what `check` tells."""
    lines = []
    for what, addresses, before, count in (("", 8, 0, 0.1), (", ports in blocks", 2, 0.6, 0.3)):
        with contextlib.ExitStack() as stack:
            bed, daemon, flows = _balanced(stack, addresses)
            bed.sysctl(bed.balancer, **{"net.netfilter.nf_conntrack_tcp_timeout_syn_sent": 20})
            capacity = scale * 2 * addresses * 65_535
            flows.open(int(before * capacity), RATE)
            settled, begun = bed.entries(), _times(daemon.child.pid)
            flows.mute(True)
            syns = flows.open(int(count * capacity), RATE)["asked"]
            until(lambda: bed.entries() < settled + 1000, lambda: f"{bed.entries()} entries, {settled} before the flood", 120, 0.5)
            cpu.settle([daemon.child.pid])
            spent = 1e6 * (sum(_times(daemon.child.pid)) - sum(begun)) / syns
            lines += [at_most(f"processor time for a SYN of a flood{what}, µs", spent, _told(bed, daemon)), Line("  SYNs", syns)]
    return lines


def _told(bed, daemon):
    """The most, by `check`."""
    findings = json.loads(bed.run(bed.balancer, bed.program("wsl4ctl"), "--json", "check", daemon.config).stdout)["findings"]
    return int(re.search(r"at most some (\d+) microseconds", json.dumps(findings))[1])


def burst(scale):
    """300,000 flows put into the table as fast as one process can: each is counted, whether its event was lost or not."""
    count = int(BURST * scale)
    what = f"of {count} flows in a burst counted"
    with contextlib.ExitStack() as stack:
        limit = stack.enter_context(_room_for(count + 8192))
        if limit < count + 8192:
            return [without_value(what, 1, f"nf_conntrack_max is {limit} and cannot be raised here")]
        bed = stack.enter_context(Bed(direct=True))
        daemon = Daemon(bed, [Service("chat", [f"{VIP4}:443"], [Backend("one", BACKENDS4[0])])], [Pool("main", pool4(6))],
                        log_level="info").start()
        mark = _mark(daemon)
        start, before = time.monotonic(), _times(daemon.child.pid)
        bed.run(bed.balancer, tool("ctfill"), count, mark, f"{VIP4}:443", f"{BACKENDS4[0]}:80", pool4(6)[0], 6, timeout=120)
        took = time.monotonic() - start
        until(lambda: daemon.counts("chat") == {"one": count}, lambda: f"{count} flows counted: {daemon.counts('chat')}", 120, 0.2)
        healed = time.monotonic() - start
        bed.run(bed.balancer, "conntrack", "-F")
        until(lambda: daemon.counts("chat") == {"one": 0}, lambda: f"no flow counted: {daemon.counts('chat')}", 120, 0.2)
        cpu.settle([daemon.child.pid])
        user, system = (1e6 * (now - was) / count for now, was in zip(_times(daemon.child.pid), before))
        overruns = daemon.status()["kernel"]["event_overruns"]
    return [Line(what, count, "all", count, 1.0, ">=", 1.0), Line("  flows a second", count / took), Line("  event overruns", overruns),
            Line("  until all were counted, s", healed), at_most("  user time per flow, begin and end, µs", user, 5),
            at_most("  with system time, µs", user + system, 12)]


def _mark(daemon):
    """The first backend's, as its chain sets it."""
    table = daemon.bed.table()
    return "0x" + table.split("chain backend/chat/one")[1].split("0x", 2)[2][:8]
