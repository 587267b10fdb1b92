"""Costs of size: 10,000 services, and 500,000 flows."""

import contextlib
import re
import time

import cpu
from lib.bed import BACKENDS4, VIP4, Bed, pool4
from lib.config import Backend, Pool, Service
from lib.daemon import Daemon
from lib.load import Clients, Servers
from lib.run import Failed, tool
from lib.wait import until
from table import Line, at_most, without_value

MIB = 1 << 20
MAX_ENTRIES = "/proc/sys/net/netfilter/nf_conntrack_max"


def services(scale):
    """Cold start with many services of 4 backends, then one service more by a reload, and one backend's weight by the API: what of the
    processor's time daemon and kernel take for it, as the daemon's log tells. Reading the file is beside it, for information."""
    count = 10_000 if scale == 1 else 300
    many = [Service(f"s{n}", [f"198.18.{100 + n // 5000}.{n // 50 % 100 + 1}:{1000 + n % 50}"],
                    [Backend(f"b{i}", BACKENDS4[i], 1024 + n) for i in range(4)], "least-connections") for n in range(count)]
    with contextlib.ExitStack() as stack:
        bed = stack.enter_context(Bed())
        bed.ip(bed.balancer, "addr add 198.18.100.254/24 dev front", "addr add 198.18.101.254/24 dev front")
        # 40,000 backends need more numbers than the default mask has.
        daemon = Daemon(bed, many, [Pool("main", pool4(4))], node="ct_mark_mask = 0x00fffff0\n", log_level="info")
        begin = time.monotonic()
        daemon.start(120)
        start, start_cpu = time.monotonic() - begin, cpu.seconds(daemon.child.pid)
        cpu.settle([daemon.child.pid])
        daemon.status()     # answered when the kernel thread is idle
        lines = [at_most(f"cold start with {count} services, s", start, 10), Line("  of it processor time, s", start_cpu),
                 Line("  and after it is ready, s", cpu.seconds(daemon.child.pid) - start_cpu)]
        many.append(Service("added", ["198.18.100.200:80"], [Backend("b", BACKENDS4[0])]))
        daemon.reload()
        lines += _took(daemon, "one service added, ms", 20, "reload-took")
        lines.append(Line("  and reading the whole file, ms", _logged(daemon, "reload-took", "parse_us") / 1000))
        daemon.ctl("backend", "weight", f"s{count // 2}", "b1", "50")
        lines += _took(daemon, "one backend changed, ms", 10, "change-took")
    return lines


def _took(daemon, what, bound, event):
    """Of one change. No median of several: a first change is what a user makes."""
    return [at_most(what, _logged(daemon, event, "cpu_us") / 1000, bound),
            Line("  on the clock, waiting for a processor included, ms", _logged(daemon, event, "us") / 1000)]


def _logged(daemon, event, key):
    """The last value of `key` in the daemon's lines of that event."""
    return int(re.findall(rf"\b{event}\b.*\b{key}=(\d+)", daemon.child.errors())[-1])


def flows(scale):
    """The daemon's memory with a full table, beyond 32 MiB; the peak counts. Entries are put in while it runs, then dumped at its next
    start."""
    count = 500_000 if scale == 1 else 5_000
    whats = [f"bytes per flow beyond 32 MiB, {count} flows ({when})" for when in ("entries arrive", "found at start")]
    with _room_for(count + 8192) as limit:
        if limit < count + 8192:
            return [without_value(what, 128, f"nf_conntrack_max is {limit} and cannot be raised here") for what in whats]
        with Bed() as bed:
            daemon = _full_table(bed, count)
            lines = _memory(bed, daemon, whats[0], count)
            daemon.restart()
            return lines + _memory(bed, daemon, whats[1], count)


@contextlib.contextmanager
def _room_for(entries):
    """Meanwhile nf_conntrack_max, which is the whole machine's, is at least so high. Yields what it is: lower where it may not be set,
    outside of the initial network namespace."""
    before = _max_entries()
    if before < entries:
        with contextlib.suppress(OSError):
            _set_max_entries(entries)
    try:
        yield _max_entries()
    finally:
        if before < entries == _max_entries():      # nobody else has set it since
            _set_max_entries(before)


def _max_entries():
    with open(MAX_ENTRIES, encoding="ascii") as file:
        return int(file.read())


def _set_max_entries(entries):
    with open(MAX_ENTRIES, "w", encoding="ascii") as file:
        file.write(str(entries))


def _full_table(bed, count):
    """A daemon, and that many entries of its one backend beside it."""
    snats = pool4(9)   # of 60,000 ports each, as ctfill takes them
    Servers(bed, BACKENDS4[:1])
    service = Service("chat", [f"{VIP4}:443"], [Backend("one", BACKENDS4[0])])
    daemon = Daemon(bed, [service], [Pool("main", snats)], log_level="info").start()
    clients = Clients(bed, f"{VIP4}:443", source="198.19.250.1")
    if clients.open(1)["ok"] != 1:
        raise Failed("no connection")
    entry = bed.run(bed.balancer, "conntrack", "-L", "-p", "tcp", "--dport", "443").stdout
    mark = re.search(r" mark=(\d+)", entry)[1]
    clients.close(how="reset")
    bed.run(bed.balancer, "conntrack", "-F")  # else its source port could be drawn twice
    bed.run(bed.balancer, tool("ctfill"), count, mark, f"{VIP4}:443", f"{BACKENDS4[0]}:80", snats[0], len(snats), timeout=120)
    return daemon


def _memory(bed, daemon, what, count):
    until(lambda: daemon.counts("chat") == {"one": count}, lambda: f"{count} flows counted: {daemon.counts('chat')}", 120, 0.5)
    peak = cpu.memory(daemon.child.pid, "VmHWM")
    if bed.entries() < count:
        raise Failed(f"the kernel has {bed.entries()} entries, not {count}")
    return [at_most(what, max(0, peak - 32 * MIB) / count, 128), Line("  peak memory, MiB", peak / MIB)]
