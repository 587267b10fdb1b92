"""Costs of size: 10,000 services, and 500,000 flows."""

import re
import time
from contextlib import ExitStack

import cpu
from lib.bed import BACKENDS4, VIP4, Bed, pool4
from lib.config import Backend, Pool, Service
from lib.daemon import Daemon
from lib.load import Clients, Servers
from lib.run import Failed, tool
from lib.wait import until

MIB = 1 << 20


def services(scale):
    """Cold start with many services of 4 backends, then one service more, then one backend's weight: what the daemon's threads and the
    kernel on their behalf worked, from the daemon's own `applied` line; and the whole reload with reading the file, for information."""
    count = 10_000 if scale == 1 else 300
    many = [Service(f"s{n}", [f"198.18.{100 + n // 5000}.{n // 50 % 100 + 1}:{1000 + n % 50}"],
                    [Backend(f"b{i}", BACKENDS4[i], 1024 + n) for i in range(4)]) for n in range(count)]
    with ExitStack() as stack:
        bed = stack.enter_context(Bed())
        bed.ip(bed.balancer, "addr add 198.18.100.254/24 dev front", "addr add 198.18.101.254/24 dev front")
        # 40,000 backends need more numbers than the default mask has.
        daemon = Daemon(bed, many, [Pool("main", pool4(4))], node="ct_mark_mask = 0x00fffff0\n", log_level="info")
        begin = time.monotonic()
        daemon.start(120)
        start = time.monotonic() - begin
        start_cpu = cpu.seconds(daemon.child.pid)
        lines = [(f"cold start with {count} services, s", start, "bound", 10, start / 10, "<=", 1.0),
                 ("  of it processor time, s", start_cpu, "", None, None, "", None)]
        added = _reload(daemon, lambda: many.append(Service("added", ["198.18.100.200:80"], [Backend("b", BACKENDS4[0])])))
        changed = _reload(daemon, lambda: setattr(many[count // 2].backends[1], "weight", 50))
    for what, (applied, whole), bound in (("one service added", added, 20), ("one backend changed", changed, 10)):
        lines.append((f"{what}, ms", applied, "bound", bound, applied / bound, "<=", 1.0))
        lines.append(("  with reading the whole file, ms of CPU", whole, "", None, None, "", None))
    return lines


def _reload(daemon, change):
    """Milliseconds: of the change's way through daemon and kernel, and of processor time for the whole reload. Median of three is not
    needed: a first change is what a user makes."""
    change()
    said, before = len(_applied(daemon)), cpu.seconds(daemon.child.pid)
    daemon.reload()
    until(lambda: len(_applied(daemon)) > said, "the daemon tells that it applied the change")
    return _applied(daemon)[-1] / 1000, (cpu.seconds(daemon.child.pid) - before) * 1000


def _applied(daemon):
    return [int(us) for us in re.findall(r"applied\b.* us=(\d+)", daemon.child.errors())]


def flows(scale):
    """The daemon's memory with a full table, beyond 32 MiB; the peak counts. Entries are put in while it runs, then dumped at its next
    start."""
    wanted = 500_000 if scale == 1 else 20_000
    snats = pool4(8)
    with ExitStack() as stack:
        bed = stack.enter_context(Bed())
        limit = int(bed.read_sysctl(bed.balancer, "net.netfilter.nf_conntrack_max"))
        count = min(wanted, limit - 8192)
        Servers(bed, BACKENDS4[:1])
        daemon = Daemon(bed, [Service("chat", [f"{VIP4}:443"], [Backend("one", BACKENDS4[0])])], [Pool("main", snats)], log_level="info").start()
        clients = Clients(bed, f"{VIP4}:443", source="198.19.250.1")
        if clients.open(1)["ok"] != 1:
            raise Failed("no connection")
        entry = bed.run(bed.balancer, "conntrack", "-L", "-p", "tcp", "--dport", "443").stdout
        mark = re.search(r" mark=(\d+)", entry)[1]
        clients.close(how="reset")
        bed.run(bed.balancer, "conntrack", "-F")  # else its source port could be drawn twice
        bed.run(bed.balancer, tool("ctfill"), count, mark, f"{VIP4}:443", f"{BACKENDS4[0]}:80", snats[0], len(snats), timeout=120)
        lines = []
        for when in ("entries arrive", "found at start"):
            if when == "found at start":
                daemon.restart()
            until(lambda: daemon.counts("chat") == {"one": count}, lambda: f"{count} flows counted: {daemon.counts('chat')}", 60, 0.5)
            peak = cpu.memory(daemon.child.pid, "VmHWM")
            each = max(0, peak - 32 * MIB) / count
            lines.append((f"bytes per flow beyond 32 MiB, {count} flows ({when})", each, "bound", 128, each / 128, "<=", 1.0))
            lines.append(("  peak memory, MiB", peak / MIB, "", None, None, "", None))
    if count < wanted:
        lines.append((f"  nf_conntrack_max of {limit} allows no more; {wanted} need sysctl -w net.netfilter.nf_conntrack_max={wanted + 8192}",
                      None, "", None, None, "", None))
    return lines
