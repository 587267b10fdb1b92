#!/usr/bin/python3
# timeout: 240
"""client_limits.connections in a pair: connections count on the node that takes over, however often, and so does what ends there."""

from lib.bed import BACKENDS4, BACKENDS6, VIP4, VIP6
from lib.case import main
from lib.load import Clients, Servers
from lib.pair import PairTest
from lib.wait import until

LIMIT = 5


class Limits(PairTest):
    def services(self):
        services = super().services()[:2]
        for service in services:
            service.client_limits = {"connections": LIMIT}
        return services

    def setUp(self):
        super().setUp()
        Servers(self.bed, BACKENDS4[:3] + BACKENDS6[:3])
        self.start_pair()
        targets = {"198.19.7.1": f"{VIP4}:443", "198.19.7.2": f"{VIP4}:443", "2001:db8:c::1": f"[{VIP6}]:443"}
        self.clients = {source: Clients(self.bed, target, source=source, sources=1) for source, target in targets.items()}
        self.open = dict.fromkeys(self.clients, 0)

    def fill(self, source):
        """As many as may be, and no more."""
        opened = self.clients[source].open(LIMIT + 2 - self.open[source], concurrency=1)
        self.assertEqual((opened["ok"], opened["failed"]), (LIMIT - self.open[source], {"Connection refused": 2}), source)
        self.open[source] = LIMIT

    def close(self, source, count, how):
        self.clients[source].close(count, how)
        self.open[source] -= count

    def until_copied(self):
        def copied():
            active, standby = self.until_synced()
            return (active.sync()["flows"] == standby.sync()["flows"] and active.sync()["pending"] == 0
                    and sum(sum(active.counts(service).values()) for service in ("chat", "six")) == sum(self.open.values()))
        until(copied, lambda: f"{self.open} on both: {[node.sync() for node in (self.a, self.b)]}", 30, 0.1)

    def test_connections_count_after_each_takeover(self):
        first, second, third = self.clients
        self.fill(first)
        self.fill(third)
        self.assertEqual(self.clients[second].open(3)["ok"], 3)
        self.open[second] = 3
        for round_ in range(4):
            self.until_copied()
            active, standby = self.until_synced()
            if round_ == 2:
                active.power_off()
                self.until_active(standby)
                active.power_on()
            else:
                active.ctl("failover")
            self.assertIs(self.until_synced()[0], standby)
            for source in self.clients:
                self.fill(source)
            for source, (count, how) in zip(self.clients, ((1, "fin"), (4, "reset"), (2, "reset"))):
                self.close(source, count, how)
        for clients, count in zip(self.clients.values(), self.open.values()):
            self.assertEqual(clients.echo()["answered"], count)


if __name__ == "__main__":
    main()
