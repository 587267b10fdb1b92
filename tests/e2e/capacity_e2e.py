#!/usr/bin/python3
# timeout: 240
"""More connections to one backend address:port than one source address has ports: over two pool addresses. Two services that fill
a pool together."""

from lib.bed import BACKENDS4, VIP4, pool4
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.load import Clients, Servers
from lib.wait import until

FLOWS = 70_000  # beyond the 65,535 ports of one address


class Capacity(E2eTest):
    def test_more_than_65535_flows_to_one_backend_address(self):
        servers = Servers(self.bed, BACKENDS4[:1], processes=8)
        daemon = self.start([Service("big", [f"{VIP4}:443"], [Backend("one", BACKENDS4[0])])], [Pool("main", pool4(2))])
        clients = Clients(self.bed, f"{VIP4}:443", sources=500, connections=FLOWS)
        opened = clients.open(FLOWS, concurrency=200, seconds=120)
        self.assertEqual((opened["ok"], opened["failed"], servers.report()["open"]), (FLOWS, {}, FLOWS))
        echoed = clients.echo(64, seconds=60)
        self.assertEqual(echoed["answered"], FLOWS)
        report = clients.report()
        self.assert_unharmed(report, FLOWS)
        for address in pool4(2):
            self.assert_near(report["snats"][address], FLOWS / 2, 0.01, f"flows from {address}")
        daemon.expect_counts("big", {"one": FLOWS})
        snat = daemon.service("big")["snat"]
        self.assertEqual((snat["used"], snat["capacity"]), (FLOWS, 2 * 65535))
        self.assert_near(snat["worst_use"], FLOWS / 2 / 65535, 0.01, "worst_use")
        clients.close(how="reset")
        daemon.expect_counts("big", {"one": 0}, seconds=40)

    def test_a_pool_that_two_services_fill_is_full_to_both(self):
        Servers(self.bed, BACKENDS4[:1])
        services = [Service(name, [f"{VIP4}:{port}"], [Backend("one", BACKENDS4[0])]) for name, port in (("a", 443), ("b", 444))]
        daemon = self.start(services, [Pool("main", pool4(1), ports="2001-3000")])
        for name, port in (("a", 443), ("b", 444)):
            self.assertEqual(Clients(self.bed, f"{VIP4}:{port}").open(440)["ok"], 440)
            daemon.expect_counts(name, {"one": 440})
        for name in ("a", "b"):
            snat = daemon.service(name)["snat"]
            self.assertEqual((snat["used"], snat["capacity"], snat["worst_use"]), (880, 1000, 0.88))
            self.assertEqual(snat["addresses"][0], {"address": pool4(1)[0], "connections": 440, "used": 880})
        until(lambda: [text.split(";")[0] for text in daemon.status()["warnings"]] == [
            f"service {name}: 88 % of the ports of {pool4(1)[0]} towards one are taken, 88 % of pool main in all" for name in ("a", "b")],
            lambda: f"both are warned of: {daemon.status()['warnings']}")


if __name__ == "__main__":
    main()
