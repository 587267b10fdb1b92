#!/usr/bin/python3
# timeout: 600
"""Least-connections while flows come and go: three backends with 2,000 flows each, 500 new ones a second, and one that joins empty. Second
by second the counts, as the servers see them, are what pouring the new flows into the emptiest gives, to 2 % of a backend's fair part.
Limits are met by a burst of 10,000 flows a second, and passed by no more than what comes between two deals.
WSL4_LONG=1: 20,000 flows each, and longer."""

import os
import time

from lib.bed import BACKENDS4, VIP4, Bed, pool4
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.raw import RawFlows
from lib.wait import until

LONG = bool(os.environ.get("WSL4_LONG"))
EACH = 20_000 if LONG else 2_000
RATE = 500              # new flows a second
ENDS = 300              # flows that end a second, random ones of all
TOLERANCE = 0.02
AT_ONCE = 64            # flows that may come in one moment on a busy machine: what a deal of 100 ms is made for, and some
SLOTS = 64              # of a service with few backends and slow start
SLOW_START = 20 if LONG else 8
STAYS = 5 if LONG else 2    # seconds
BURST = 10_000          # new flows a second
DEAL = BURST // 10      # that come between two deals


class Level(E2eTest):
    def setUp(self):
        self.bed = self.enterContext(Bed(direct=True))
        self.daemon = None

    def serve(self, backends, **settings):
        service = Service("chat", [f"{VIP4}:{443 + n}" for n in range(8)], backends, scheduler="least-connections", **settings)
        self.start([service], [Pool("main", pool4(4))], log_level="info")
        self.flows = RawFlows(self.bed)
        self.expect_ready()

    def begin(self, weights=(100, 100, 100), **settings):
        self.weights = {BACKENDS4[n]: weight for n, weight in enumerate(weights)}
        self.serve([Backend(f"b{n}", BACKENDS4[n], weight=weight) for n, weight in enumerate(weights)], **settings)
        report = self.flows.open(3 * EACH, 5_000)
        self.assertEqual((report["opened"], report["retried"]), (3 * EACH, 0), report)
        self.expect_even(self.counts(report))

    def expect_ready(self):
        until(lambda: all(backend["share"] for backend in self.daemon.service("chat")["backends"]), "all have a share")

    def counts(self, report):
        return {address: report["backends"].get(address, {"open": 0})["open"] for address in self.weights}

    def opened(self, report):
        return {address: report["backends"].get(address, {"opened": 0})["opened"] for address in self.weights}

    def tolerance(self, address, total):
        return max(TOLERANCE * total * self.weights[address] / sum(self.weights.values()), AT_ONCE)

    def expect_even(self, counts):
        total, weights = sum(counts.values()), sum(self.weights.values())
        for address, count in counts.items():
            self.assertLessEqual(abs(count - total * self.weights[address] / weights), self.tolerance(address, total), counts)

    def join(self, weight=100):
        self.weights[BACKENDS4[3]] = weight
        self.joined = time.monotonic()
        self.daemon.ctl("backend", "add", "chat", "b3", f"{BACKENDS4[3]}:80", "--weight", str(weight))

    def second(self, how="both", ends=ENDS, each=False, meanwhile=None):
        report = self.flows.churn(1, RATE, how, ends, each, meanwhile)
        self.assertEqual((report["refused"], report["lost"], report["reset"]), (0, 0, 0), report)
        return report

    def pour(self, counts, flows):
        """As if each new flow went to the one with the fewest for its weight."""
        counts = dict(counts)
        for _ in range(flows):
            counts[min(counts, key=lambda address: (counts[address] + 1) / self.weights[address])] += 1
        return counts

    def level_out(self, counts, crash_at=None, **how):
        """Goes on until all are even, and some twenty deals longer. `crash_at`: after so many seconds the daemon dies and comes back."""
        ideal, seconds, even = dict(counts), 0, None
        while even is None or seconds < even + STAYS:
            report = self.second(meanwhile=self.crash if seconds == crash_at else None, **how)
            seconds += 1
            opened, now = self.opened(report), self.counts(report)
            ended = {address: counts[address] + opened[address] - now[address] for address in now}
            ideal = self.pour({address: max(0, ideal[address] - ended[address]) for address in ideal}, sum(opened.values()))
            counts, total = now, sum(now.values())
            for address in now:
                self.assertLessEqual(abs(now[address] - ideal[address]), self.tolerance(address, total), f"{seconds} s: {now}, at best {ideal}")
            lowest, highest = (f(ideal[address] / weight for address, weight in self.weights.items()) for f in (min, max))
            if even is None and highest - lowest <= 1:
                even = seconds
        worst = max(abs(count / total / weight * sum(self.weights.values()) - 1)
                    for count, weight in ((now[address], self.weights[address]) for address in now))
        print(f"    even after {even} s, as soon as can be; in the end {sorted(now.values())}, at most {worst:.2%} off", flush=True)
        self.expect_even(now)
        return now

    def crash(self):
        self.daemon.restart(9)

    if LONG:    # the one by FIN is the same, with fewer ends
        def test_a_newcomer_fills_up_at_once(self):
            self.begin()
            self.join()
            self.level_out(self.counts(self.second()), crash_at=1)

    def test_a_newcomer_with_slow_start(self):
        self.begin(slow_start=f"{SLOW_START}s")
        report = self.second()
        self.join()
        arrived = allowed = age = crashes = 0
        while age < 1:
            middle = age > 0.5 and not crashes
            crashes += middle
            report = self.second(meanwhile=self.crash if middle else None)
            share = self.daemon.backend("chat", "b3")["share"]
            age = (time.monotonic() - self.joined) / SLOW_START     # later than the last deal, so its cap is the highest so far
            if age < 1:
                cap = (0.1 + 0.9 * age) / 4
                arrived += self.opened(report)[BACKENDS4[3]]
                allowed += sum(self.opened(report).values()) * (cap + 0.5 / SLOTS)
                self.assertLessEqual(share, cap + 1 / SLOTS, f"{age:.0%} of its slow start")
                self.assertLessEqual(arrived, allowed + 2, f"{age:.0%} of its slow start")
        print(f"    {arrived} flows within its slow start, {allowed:.0f} allowed", flush=True)
        self.assertGreater(arrived, allowed / 3)
        self.assertEqual(crashes, 1)
        self.level_out(self.counts(self.second()))

    def test_by_weight(self):
        self.begin((100, 200, 300))
        self.join(200)
        counts = self.level_out(self.counts(self.second()), crash_at=1)
        self.daemon.ctl("backend", "weight", "chat", "b0", "200")
        self.weights[BACKENDS4[0]] = 200
        self.level_out(counts)

    def test_limits_in_a_burst(self):
        limits = {BACKENDS4[0]: EACH, BACKENDS4[1]: 2 * EACH, BACKENDS4[2]: EACH // 2}
        self.serve([Backend(f"b{n}", address, max_connections=limit) for n, (address, limit) in enumerate(limits.items())])
        report = self.flows.open(2 * sum(limits.values()), BURST)
        over = {address: report["backends"][address]["open"] - limit for address, limit in limits.items()}
        print(f"    {report['asked']} flows in {report['seconds']:.1f} s, {report['refused']} refused; over the limits: {over}", flush=True)
        self.assertLessEqual(max(over.values()), DEAL, "one deal's arrivals")
        self.assertEqual((min(0, *over.values()), report["lost"]), (0, 0), "nobody is refused while there is room")
        self.assertEqual(self.daemon.service("chat")["refused_by"], {"no_backend": 0, "full": report["refused"], "client_limit": 0})

    def test_closed_by_fin_on_every_backend(self):
        self.begin()
        self.join()
        self.level_out(self.counts(self.second()), how="fin", ends=100, each=True, crash_at=1)


if __name__ == "__main__":
    main()
