#!/usr/bin/python3
# timeout: 600
"""Draining with eviction and rebalancing end flows at the pace that was asked for, counted by the resets that the clients get: each
evicted client gets one, nobody else does. In a pair the first goes on with the role, the second ends. WSL4_LONG=1: 20,000 flows on a
backend instead of 2,000, up to 2,000 resets a second, and the pace to 5 % instead of 25 %."""

import os

from lib.bed import BACKENDS4, VIP4, Bed, pool4
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.load import Clients, Servers
from lib.pair import PairTest
from lib.raw import RawFlows
from lib.wait import until

LONG = bool(os.environ.get("WSL4_LONG"))
EACH = 20_000 if LONG else 2_000
RATES = (50, 500, 2_000) if LONG else (400,)
SECONDS = 20 if LONG else 4         # that are measured at least
TOLERANCE = 0.05 if LONG else 0.25


class Eviction(E2eTest):
    def setUp(self):
        self.bed = self.enterContext(Bed(direct=True))
        backends = [Backend(f"b{n}", BACKENDS4[n]) for n in range(3)]
        self.start([Service("chat", [f"{VIP4}:{443 + n}" for n in range(8)], backends, scheduler="least-connections")],
                   [Pool("main", pool4(4))], log_level="info")
        self.flows = RawFlows(self.bed)
        report = self.flows.open(3 * EACH, 5_000)
        self.assertEqual((report["opened"], report["retried"]), (3 * EACH, 0), report)
        until(lambda: sum(self.daemon.counts("chat").values()) == 3 * EACH, "all flows counted")
        self.open = {address: backend["open"] for address, backend in report["backends"].items()}
        self.assertEqual(len(self.open), 3)

    def resets(self, number, seconds, start, of):
        """Waits for so many after `start`; only backends `of` lose flows."""
        self.flows.say(f"wait {seconds} {number}")
        start()
        report = self.flows.answer(seconds + 30)
        for address, backend in report["backends"].items():
            self.assertEqual(self.open[address] - backend["open"], backend["reset"], "as many are gone as saw a reset")
            self.assertEqual(backend["reset"] > 0, address in of, report)
            self.open[address] = backend["open"]
        return report

    def expect_pace(self, rate, most, start, stop, of):
        number = min(rate * SECONDS, most)
        report = self.resets(number, 2 * number / rate + 30, start, of)
        stop()
        late = self.flows.wait(0.5, EACH)["backends"]
        self.open = {address: backend["open"] for address, backend in late.items()}
        pace = (report["reset"] - 1) / report["resets_took"]
        print(f"    {report['reset']} resets in {report['resets_took']:.2f} s: {pace:.1f} a second, asked for {rate}", flush=True)
        self.assertGreaterEqual(report["reset"], number)
        self.assert_near(pace, rate, TOLERANCE, "resets a second")
        return report

    def expect_no_more(self):
        left = {f"b{n}": self.open.get(BACKENDS4[n], 0) for n in range(len(self.daemon.counts("chat")))}
        self.daemon.expect_counts("chat", left)
        self.assertEqual(self.flows.wait(1, 1)["reset"], 0)
        self.assertEqual(self.daemon.counts("chat"), left)

    def drain(self, *how):
        self.daemon.ctl("backend", "drain", "chat", "b0", *how)

    def test_drain(self):
        of = {BACKENDS4[0]}
        for rate in RATES:
            self.expect_pace(rate, self.open[BACKENDS4[0]] // 2, lambda: self.drain("--evict", str(rate)), self.drain, of)
        left = self.open[BACKENDS4[0]]
        report = self.resets(left, 60, lambda: self.drain("--evict", "100000"), of)
        self.assertEqual((report["reset"], report["backends"][BACKENDS4[0]]["open"]), (left, 0), "every flow of it was reset")
        self.expect_no_more()

    def rebalance(self, rate):
        self.surplus = self.daemon.ctl_json("rebalance", "chat", "--rate", str(rate))["surplus"]

    def test_rebalance(self):
        # Of four backends one is empty, and one has thrice the weight: the surplus is that of the two others. Clients stay away.
        self.daemon.ctl("backend", "add", "chat", "b3", f"{BACKENDS4[3]}:80")
        self.daemon.ctl("backend", "weight", "chat", "b1", "300")
        of = {BACKENDS4[0], BACKENDS4[2]}
        for rate in RATES:
            self.expect_pace(rate, EACH // 3, lambda: self.rebalance(rate), lambda: self.rebalance(0), of)
        self.rebalance(0)
        surplus = self.surplus
        report = self.resets(surplus, 60, lambda: self.rebalance(100_000), of)
        self.assertEqual((report["reset"], self.surplus), (surplus, surplus))
        self.expect_no_more()


class InAPair(PairTest):
    def test_a_drain_goes_on_with_the_role_and_a_rebalance_ends(self):
        Servers(self.bed, BACKENDS4[:3])
        active, standby = self.start_pair()
        clients = Clients(self.bed, f"{VIP4}:443")
        self.assertEqual(clients.open(150)["ok"], 150)
        until(lambda: standby.sync()["flows"] == 150, lambda: f"copied: {standby.sync()}")
        active.ctl("backend", "weight", "chat", "b0", "1000")
        active.ctl("rebalance", "chat", "--rate", "1")
        active.ctl("backend", "drain", "chat", "b1", "--evict", "10")
        active.ctl("failover")
        until(lambda: active.events("rebalance-ended"), "told that it ended")
        self.assertRegex(active.events("rebalance-ended")[0], "does not serve any more")
        until(lambda: standby.counts("chat")["b1"] == 0, lambda: f"b1 is emptied: {standby.counts('chat')}", 30)


if __name__ == "__main__":
    main()
