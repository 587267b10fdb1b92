#!/usr/bin/python3
# timeout: 300
"""5,000 live echoing connections live through everything that happens to the daemon; counts are right afterwards."""

import shutil
import signal

from lib.bed import BACKENDS4, BACKENDS6, VIP4, VIP6, pool4, pool6
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.load import Clients, Servers, echo_all

LIVE = 5000
SIX = 500  # IPv6 ones beside them


class Survive(E2eTest):
    def setUp(self):
        super().setUp()
        Servers(self.bed, BACKENDS4[:5] + BACKENDS6[:2])
        self.chat = Service("chat", [f"{VIP4}:443"], [Backend(f"b{n}", BACKENDS4[n], weight=100 + 100 * n) for n in range(3)])
        self.six = Service("six", [f"[{VIP6}]:443"], [Backend(f"s{n}", BACKENDS6[n]) for n in range(2)])
        self.names = {backend.endpoint: backend.name for backend in self.chat.backends + self.six.backends}  # also of those that left
        self.start([self.chat, self.six], [Pool("main", pool4(4) + pool6(2))])
        self.clients = Clients(self.bed, f"{VIP4}:443")
        self.clients6 = Clients(self.bed, f"[{VIP6}]:443", source="2001:db8:c::1000")
        self.assertEqual(self.clients.open(LIVE)["ok"], LIVE)
        self.assertEqual(self.clients6.open(SIX)["ok"], SIX)
        for clients in (self.clients, self.clients6):
            clients.start(size=100, interval_ms=1000)
        self.goes_on()

    def goes_on(self, live=LIVE):
        """Every connection answers a message of 2,000 bytes that is sent now."""
        reports = echo_all([self.clients, self.clients6], 2000)
        self.assertEqual([report["answered"] for report in reports], [live, SIX], reports)

    def check(self, live=LIVE):
        self.goes_on(live)
        for clients, number in ((self.clients, live), (self.clients6, SIX)):
            self.assertEqual(clients.stop(30)["unanswered"], 0)
            report = clients.report()
            self.assert_unharmed(report, number)
            self.assertEqual(report["waiting"], 0)
        self.expect_counts("chat", self.clients)
        self.expect_counts("six", self.clients6)

    def expect_counts(self, service, clients):
        self.names.update({backend.endpoint: backend.name for backend in self.chat.backends + self.six.backends})
        live = {self.names[end]: count for end, count in clients.report()["live_backends"].items()}
        self.daemon.expect_counts(service, {backend["name"]: live.get(backend["name"], 0) for backend in self.daemon.service(service)["backends"]})

    def test_kill_and_start_again(self):
        self.daemon.kill()
        self.goes_on()
        self.assertEqual(self.clients.open(300)["ok"], 300, "new connections while no daemon runs")
        ruleset = self.bed.table()
        self.daemon.start()
        self.check(LIVE + 300)
        self.assertEqual(without_counters(self.bed.table()), without_counters(ruleset), "adopted, not rebuilt")

    def test_restart_again_and_again(self):
        for _ in range(3):
            self.daemon.restart()
        self.daemon.restart(signal.SIGKILL)
        self.check()

    def test_upgrade_to_a_program_at_another_path(self):
        other = self.bed.path("wsl4d-next")
        shutil.copy(self.daemon.program, other)
        self.daemon.program = other
        self.daemon.restart()
        self.check()

    def test_reload_with_backends_added_removed_and_reweighted(self):
        gone = self.chat.backends[1]
        self.chat.backends = [Backend("b0", BACKENDS4[0], weight=300), self.chat.backends[2], Backend("b3", BACKENDS4[3]), Backend("b4", BACKENDS4[4])]
        self.daemon.reload()
        self.assertEqual(self.clients.open(600)["ok"], 600)
        live = self.clients.report()["live_backends"]
        for backend, weight in (("b0", 300), ("b2", 300), ("b3", 100), ("b4", 100)):
            end = next(b.endpoint for b in self.chat.backends if b.name == backend)
            old = {"b0": LIVE * 100 / 600, "b2": LIVE * 300 / 600}.get(backend, 0)
            self.assertAlmostEqual(live[end], old + 600 * weight / 800, delta=3, msg=backend)
        self.assertAlmostEqual(live[gone.endpoint], LIVE * 200 / 600, delta=3, msg="the removed one keeps its flows")
        self.check(LIVE + 600)
        self.daemon.restart()
        self.chat.backends.append(gone)
        self.daemon.reload()
        self.expect_counts("chat", self.clients)

    def test_somebody_else_flushes_the_ruleset(self):
        ruleset = without_counters(self.bed.table())
        self.bed.nft("table inet other { chain c { counter; }; }")
        self.bed.run(self.bed.balancer, "nft", "flush", "ruleset", check=False)
        refused = self.bed.run(self.bed.balancer, "nft", "delete", "table", "inet", "wsl4", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("Operation not permitted", refused.stderr)
        self.assertEqual(without_counters(self.bed.table()), ruleset)
        self.assertEqual(self.bed.run(self.bed.balancer, "nft", "list", "table", "inet", "other", check=False).returncode, 1)
        self.check()
        self.daemon.kill()
        self.bed.run(self.bed.balancer, "nft", "flush", "ruleset", check=False)
        self.daemon.start()
        self.assertEqual(self.clients.open(300)["ok"], 300)
        self.expect_counts("chat", self.clients)


def without_counters(listing):
    """What counts and who owns the table change by themselves."""
    return [line for line in listing.splitlines() if "packets" not in line.split() and not line.startswith(("table inet", "\tflags"))]


if __name__ == "__main__":
    main()
