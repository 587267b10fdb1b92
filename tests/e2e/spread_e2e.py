#!/usr/bin/python3
# timeout: 240
"""Who gets how much: weights and pool addresses as told, random within its bound, source-hash sticky and with little movement."""

import math

from lib.bed import BACKENDS4, BACKENDS6, VIP4, VIP6, endpoint, pool4, pool6
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.load import Clients, Servers

FLOWS = 10_000


def backends(addresses, *weights):
    return [Backend(f"b{n}", addresses[n], weight=weight) for n, weight in enumerate(weights)]


class Spread(E2eTest):
    def spread(self, target, count=FLOWS, **source):
        clients = Clients(self.bed, target, **source)
        opened = clients.churn(count)
        self.assertEqual((opened["ok"], opened["failed"]), (count, {}))
        return clients.report()

    def check_weights(self, report, addresses, weights, tolerance=0.01):
        for address, weight in zip(addresses, weights):
            expected = FLOWS * weight / sum(weights)
            self.assert_near(report["backends"].get(endpoint(address, 80), 0), expected, tolerance, f"flows of {address}")

    def check_pool(self, report, pool):
        # A pair of backend and address counts on its own, so a backend adds at most one flow of unevenness.
        for address in pool:
            key = f"[{address}]" if ":" in address else address
            self.assert_near(report["snats"].get(key, 0), FLOWS / len(pool), 0.01, f"flows from {address}")
        self.assertEqual(len(report["pairs"]), len(report["backends"]) * len(pool), "every pair of backend and pool address is used")

    def test_round_robin_as_weighted_over_the_whole_pool(self):
        weights = {"thirds": (100, 200, 300), "halves": (100, 50), "even": (1, 1, 1, 1), "odd": (7, 13, 1000, 0)}
        pool = pool4(16)
        services = [Service(name, [f"{VIP4}:{1000 + n}"], backends(BACKENDS4, *shares)) for n, (name, shares) in enumerate(weights.items())]
        Servers(self.bed, BACKENDS4[:4])
        self.start(services, [Pool("main", pool)])
        for n, shares in enumerate(weights.values()):
            with self.subTest(weights=shares):
                report = self.spread(f"{VIP4}:{1000 + n}")
                self.check_weights(report, BACKENDS4, shares)
                self.assertEqual(report["backends"].get(endpoint(BACKENDS4[3], 80), 0) if shares[-1] == 0 else 0, 0)
                self.check_pool(report, pool)

    def test_ipv6_with_pool_size_in_step_with_the_backends(self):
        pool = pool6(4)
        Servers(self.bed, BACKENDS6[:4])
        self.start([Service("six", [f"[{VIP6}]:443"], backends(BACKENDS6, 1, 1, 1, 1))], [Pool("main", pool)])
        report = self.spread(f"[{VIP6}]:443", source="2001:db8:c::1000")
        self.check_weights(report, BACKENDS6, (1, 1, 1, 1))
        self.check_pool(report, pool)

    def test_random_stays_within_five_standard_deviations(self):
        weights = (100, 200, 300)
        Servers(self.bed, BACKENDS4[:3])
        self.start([Service("dice", [f"{VIP4}:443"], backends(BACKENDS4, *weights), scheduler="random")], [Pool("main", pool4(4))])
        counts = self.spread(f"{VIP4}:443")["backends"]
        exact = 0
        for address, weight in zip(BACKENDS4, weights):
            share = weight / sum(weights)
            count, expected = counts[endpoint(address, 80)], FLOWS * share
            self.assertLess(abs(count - expected), 5 * math.sqrt(FLOWS * share * (1 - share)), f"flows of {address}: {count}")
            exact += abs(count - expected) < 2
        self.assertLess(exact, 3, "that was dealt, not drawn")


class SourceHash(E2eTest):
    SOURCES = 6000

    def where(self):
        """Source address -> its one backend; two connections from each address must reach the same."""
        clients = Clients(self.bed, f"{VIP4}:443", sources=self.SOURCES)
        self.assertEqual(clients.open(2 * self.SOURCES)["ok"], 2 * self.SOURCES)
        who = clients.who()
        self.assertEqual(len(who), self.SOURCES)
        self.assertEqual([], [client for client, reached in who.items() if len(reached) != 1], "clients on two backends")
        clients.close(how="reset")
        return {client: next(iter(reached)) for client, reached in who.items()}

    def test_sticky_and_little_moves_when_a_backend_goes_and_returns(self):
        all_backends = backends(BACKENDS4, 1, 1, 1, 1, 1)
        service = Service("hash", [f"{VIP4}:443"], all_backends, scheduler="source-hash")
        Servers(self.bed, BACKENDS4[:5])
        self.start([service], [Pool("main", pool4(4))])
        before = self.where()
        for backend in all_backends:
            held = sum(reached == backend.endpoint for reached in before.values())
            self.assert_near(held, self.SOURCES / 5, 0.15, f"clients of {backend.name}")
        service.backends = all_backends[:2] + all_backends[3:]
        self.daemon.reload()
        without = self.where()
        moved = sum(without[client] != reached for client, reached in before.items())
        self.assertLessEqual(moved, self.SOURCES * (1 / 5 + 0.01))
        self.assertNotIn(all_backends[2].endpoint, without.values())
        service.backends = all_backends
        self.daemon.reload()
        self.assertEqual(self.where(), before, "the same backends, the same places")


if __name__ == "__main__":
    main()
