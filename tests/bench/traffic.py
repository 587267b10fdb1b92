"""Costs of traffic: processor time for a new connection, messages in a second."""

import contextlib
import statistics

import cpu
from contenders import ByHand, HaProxy, NginxStream, Wsl4
from lib.run import Failed
from lib.wait import until
from table import Line


def new_connections(scale):
    """Microseconds of processor time (clients, servers, softirq threads, and wsl4d) for one WebSocket connection: opening handshake, one
    message and its echo, FIN close, end of the conntrack entry. Rounds take turns, and the median of the rounds' ratios counts."""
    count, rounds = (20_000, 7) if scale == 1 else (2_000, 2)
    with contextlib.ExitStack() as stack:
        ours, hand = Wsl4(stack), ByHand(stack)
        _cost(ours, count), _cost(hand, count)  # caches and slabs are warm from here on
        daemon = cpu.seconds(ours.middle[0])
        measured = [(_cost(ours, count), _cost(hand, count)) for _ in range(rounds)]
        daemon = (cpu.seconds(ours.middle[0]) - daemon) / rounds / count * 1e6
    ratio = statistics.median(a / b for a, b in measured)
    wsl4, reference = (statistics.median(column) for column in zip(*measured))
    return [Line("CPU per new connection, µs", wsl4, "nft by hand", reference, ratio, "<=", 1.10), Line("  of it in wsl4d, µs", daemon)]


def _cost(contender, count):
    softirqs = cpu.softirq_threads()
    pids = contender.ends() + contender.middle + softirqs
    before = sum(map(cpu.seconds, pids))
    opened = contender.clients.churn(count, concurrency=64, echo=True, how="fin")
    if opened["ok"] != count:
        raise Failed(f"{type(contender).__name__}: {opened}")
    until(lambda: contender.servers.report()["open"] == 0, "all connections closed")
    contender.flush()
    cpu.settle(contender.middle)
    return (sum(map(cpu.seconds, pids)) - before) / count * 1e6


def messages(scale):
    """Echoed messages of 100 bytes in a second over 300 connections, each sending again when its answer is there."""
    seconds, rounds = (2, 9) if scale == 1 else (0.5, 1)
    rates, costs = ({kind: [] for kind in (Wsl4, ByHand, HaProxy, NginxStream)} for _ in range(2))
    with contextlib.ExitStack() as stack:
        contenders = [kind(stack) for kind in rates]
        for contender in contenders:
            if contender.clients.open(300)["ok"] != 300:
                raise Failed(f"{type(contender).__name__}: not all connections open")
        for _ in range(rounds):
            for contender in contenders:
                rate, cost = _bench(contender, seconds)
                rates[type(contender)].append(rate)
                costs[type(contender)].append(cost)
        for contender in contenders:
            report = contender.clients.report()
            if report["live"] != 300 or report["wrong"]:
                raise Failed(f"{type(contender).__name__}: {report}")
    lines = []
    for kind, name, bound in ((ByHand, "nft by hand", 0.97), (HaProxy, "HAProxy, TCP mode", 2.0), (NginxStream, "nginx stream", 1.8)):
        ratio = statistics.median(ours / theirs for ours, theirs in zip(rates[Wsl4], rates[kind]))
        lines.append(Line("messages per second", statistics.median(rates[Wsl4]), name, statistics.median(rates[kind]), ratio, ">=", bound))
        ratio = statistics.median(theirs / ours for ours, theirs in zip(costs[Wsl4], costs[kind]))
        lines.append(Line("  processor time for a message, µs", statistics.median(costs[Wsl4]), name, statistics.median(costs[kind]), ratio))
    return lines


def _bench(contender, seconds):
    """Messages in a second, and microseconds of processor time for each, clients and servers included."""
    pids = contender.ends() + contender.middle + cpu.softirq_threads()
    before = sum(map(cpu.seconds, pids))
    result = contender.clients.bench(100, seconds)
    return result["rate"], (sum(map(cpu.seconds, pids)) - before) / result["answered"] * 1e6
