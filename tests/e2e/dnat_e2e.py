#!/usr/bin/python3
# timeout: 120
"""Mode dnat: the backend sees the client's own address; TCP and UDP, both families."""

import collections

from lib.bed import BACKENDS4, BACKENDS6, VIP4, VIP6
from lib.case import E2eTest, main
from lib.config import Backend, Service
from lib.talk import Talk, ask_udp, echo_server

SOURCES = {VIP4: [f"198.19.7.{n}" for n in range(1, 31)], VIP6: [f"2001:db8:c::7{n}" for n in range(10, 40)]}


class Dnat(E2eTest):
    def test_client_address_is_kept(self):
        ends4, ends6 = ([Backend(f"{name}-{n}", addresses[n], 7) for n in range(2)]
                        for name, addresses in (("four", BACKENDS4), ("six", BACKENDS6)))
        listen = [f"{VIP4}:7", f"[{VIP6}]:7"]
        for protocol in ("tcp", "udp"):
            echo_server(self.bed, self.bed.backends, protocol, *(backend.endpoint for backend in ends4 + ends6))
        daemon = self.start([Service(f"plain-{p}", listen, ends4 + ends6, protocol=p, mode="dnat") for p in ("tcp", "udp")], [])
        talks = []
        for target, vip, ends in ((listen[0], VIP4, ends4), (listen[1], VIP6, ends6)):
            reached = {"tcp": collections.Counter(), "udp": collections.Counter()}
            for source in SOURCES[vip]:
                talk = Talk(self.bed, target, source=source)
                here, peer = talk.ask()
                self.assertEqual(peer, talk.local())
                reached["tcp"][here] += 1
                talks.append(talk)
                here, peer, local = ask_udp(self.bed, target, source=source)
                self.assertEqual(peer, local)
                reached["udp"][here] += 1
            for counts in reached.values():
                self.assertEqual(counts, {backend.endpoint: len(SOURCES[vip]) // 2 for backend in ends})
        daemon.expect_counts("plain-tcp", {"four-0": 15, "four-1": 15, "six-0": 15, "six-1": 15})
        self.assertIsNone(daemon.service("plain-tcp").get("snat"))
        daemon.restart()
        for talk in talks:
            talk.ask()
            talk.close()
        daemon.expect_counts("plain-tcp", {"four-0": 0, "four-1": 0, "six-0": 0, "six-1": 0})


if __name__ == "__main__":
    main()
