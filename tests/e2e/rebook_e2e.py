#!/usr/bin/python3
# timeout: 200
"""Connections belong to the service that listens at their VIP, and to the backend that they go to: after a service was renamed, moved,
taken out and brought back over a restart, after another ct_mark_mask, and on the other node of a pair."""

from lib.bed import BACKENDS4, BACKENDS6, VIP4, VIP6, pool4
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.load import Clients, Servers
from lib.pair import PairTest
from lib.wait import until

BACKENDS = 2


def service(name, port, **more):
    return Service(name, [f"{VIP4}:{port}"], [Backend(f"{name}-{n}", BACKENDS4[n]) for n in range(BACKENDS)], scheduler="round-robin", **more)


class Rebooked(E2eTest):
    def setUp(self):
        super().setUp()
        Servers(self.bed, BACKENDS4[:BACKENDS])
        self.pools = [Pool("main", pool4(2))]
        self.start([service("chat", 443), service("talk", 444)], self.pools)
        self.clients = {port: Clients(self.bed, f"{VIP4}:{port}") for port in (443, 444)}
        for (port, clients), number in zip(self.clients.items(), (20, 10)):
            self.assertEqual(clients.open(number)["ok"], number)

    def expect(self, **services):
        """So many connections, evenly on the backends of each; and each of them lives."""
        for name, number in services.items():
            self.daemon.expect_counts(name, {f"{name}-{n}": number // BACKENDS for n in range(BACKENDS)})
        self.assertEqual([clients.echo()["answered"] for clients in self.clients.values()], [20, 10])

    def evict(self, name, lost):
        """The connections of `name`-0, and no others, are reset."""
        self.daemon.ctl("backend", "drain", name, f"{name}-0", "--evict", "1000")
        until(lambda: sum(self.daemon.counts(name).values()) == lost, lambda: f"half of {name}: {self.daemon.counts(name)}")
        self.assertEqual([sum(clients.report()["lost"].values()) for clients in self.clients.values()], [lost, 0])

    def test_renamed_and_exchanged_services(self):
        self.expect(chat=20, talk=10)
        self.daemon.reload([service("news", 443), service("talk", 444)])
        self.expect(news=20, talk=10)
        self.assertEqual(self.daemon.status()["warnings"], [])
        self.daemon.reload([service("talk", 443), service("news", 444)])
        self.expect(news=10, talk=20)
        self.evict("talk", 10)

    def test_a_service_that_comes_back_after_a_restart_without_it(self):
        self.expect(chat=20, talk=10)
        self.daemon.reload([service("talk", 444)])
        self.assertEqual(self.daemon.status()["warnings"], ["service chat has left the configuration; 20 of its connections live on"])
        self.assertEqual(len(self.daemon.ctl_json("flows", "--service", "chat")["flows"]), 20)
        self.daemon.restart()
        self.expect(talk=10)
        self.daemon.reload([service("chat", 443), service("talk", 444)])
        self.expect(chat=20, talk=10)
        self.evict("chat", 10)

    def test_another_mask(self):
        for mask in ("0x00fffe00", "0x000ffff0", "0xffff0000"):
            self.daemon.more["node"] = f"ct_mark_mask = {mask}\n"
            self.daemon.write()
            self.daemon.restart()
            self.expect(chat=20, talk=10)
        self.evict("chat", 10)


class OnBothNodes(PairTest):
    def test_a_service_that_the_standby_learns_of_later(self):
        active, standby = self.start_pair()
        Servers(self.bed, BACKENDS4[:3])
        services = self.services()
        more = Service("more", [f"{VIP4}:444"], [Backend(f"m{n}", BACKENDS4[n]) for n in range(2)], scheduler="round-robin")
        active.reload([*services, more])
        clients = Clients(self.bed, f"{VIP4}:444")
        self.assertEqual(clients.open(20)["ok"], 20)
        until(lambda: standby.sync()["flows"] == 20, lambda: f"copied: {standby.sync()}")
        standby.reload([*services, more])
        for node in (active, standby):
            until(lambda: node.counts("more") == {"m0": 10, "m1": 10}, lambda: f"counted on {node.more['name']}: {node.counts('more')}")
        active.ctl("failover")
        self.assertIs(self.until_synced()[0], standby)
        standby.ctl("backend", "drain", "more", "m0", "--evict", "1000")
        until(lambda: standby.counts("more") == {"m0": 0, "m1": 10}, lambda: f"half: {standby.counts('more')}")
        self.assertEqual(sum(clients.report()["lost"].values()), 10)


if __name__ == "__main__":
    main()
