#!/usr/bin/python3
# timeout: 240
"""More connections to one backend address:port than one source address has ports: over two pool addresses."""

from lib.bed import BACKENDS4, VIP4, pool4
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.load import Clients, Servers

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


if __name__ == "__main__":
    main()
