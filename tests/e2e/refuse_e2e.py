#!/usr/bin/python3
# timeout: 180
"""What cannot be served is refused at once, both families, and counted with its reason."""

from lib.bed import BACKENDS4, BACKENDS6, VIP4, VIP6, pool4, pool6
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.load import Clients, Servers
from lib.talk import Talk, ask_udp, echo_server
from lib.wait import until

TIMES = 20


class Refuse(E2eTest):
    def services(self, weight):
        ends = [Backend("v4", BACKENDS4[0], 7, weight), Backend("v6", BACKENDS6[0], 7, weight)]
        return [Service(protocol, [f"{VIP4}:7", f"[{VIP6}]:7"], ends, protocol=protocol) for protocol in ("tcp", "udp")]

    def test_no_backend(self):
        for protocol in ("tcp", "udp"):
            echo_server(self.bed, self.bed.backends, protocol, f"{BACKENDS4[0]}:7", f"[{BACKENDS6[0]}]:7")
        daemon = self.start(self.services(weight=0), [Pool("main", pool4(1) + pool6(1))])
        for target in (f"{VIP4}:7", f"[{VIP6}]:7"):
            for _ in range(TIMES):
                with self.assertRaises(ConnectionRefusedError):
                    Talk(self.bed, target)
                with self.assertRaises(ConnectionRefusedError):
                    ask_udp(self.bed, target)
        for name in ("tcp", "udp"):
            until(lambda: daemon.service(name)["refused_by"]["no_backend"] == 2 * TIMES, lambda: f"{name}: {daemon.service(name)}")
            self.assertEqual((daemon.service(name)["refused"], daemon.service(name)["total"]), (2 * TIMES, 0))
        daemon.reload(self.services(weight=1))
        for target in (f"{VIP4}:7", f"[{VIP6}]:7"):
            Talk(self.bed, target).ask()
            ask_udp(self.bed, target)
        self.assertEqual(daemon.service("tcp")["refused"], 2 * TIMES, "served flows are not counted as refused")

    def test_udp_is_refused_within_the_kernels_own_rate_too(self):
        """By default the kernel sends a host a few ICMP errors at once and one a second: the first are told."""
        self.bed.sysctl(self.bed.balancer, **{"net.ipv4.icmp_ratelimit": 1000, "net.ipv6.icmp.ratelimit": 1000})
        self.start(self.services(weight=0), [Pool("main", pool4(1) + pool6(1))])
        for target in (f"{VIP4}:7", f"[{VIP6}]:7"):
            with self.assertRaises(ConnectionRefusedError):
                ask_udp(self.bed, target)

    def test_services_that_share_a_full_backend_and_pool_hear_of_each_others_flows(self):
        Servers(self.bed, BACKENDS4[:1])
        one, two = (Service(name, [f"{VIP4}:{port}"], [Backend("b", BACKENDS4[0])], "least-connections") for name, port in (("one", 443), ("two", 444)))
        daemon = self.start([one, two], [Pool("main", pool4(2), "40000-40499")])
        of_one, of_two = (Clients(self.bed, f"{VIP4}:{port}") for port in (443, 444))
        self.assertEqual(of_one.open(700)["ok"], 700)
        self.assertGreaterEqual(of_two.open(300)["ok"], 290, "99 % of the pool, and then a reset")
        for name, clients in (("one", of_one), ("two", of_two)):
            until(lambda: clients.open(1, seconds=20)["failed"].get("Connection refused"), f"{name} is refused at once")
            self.assertGreater(daemon.service(name)["refused_by"]["full"], 0)
        of_one.close(600, how="reset")
        until(lambda: daemon.service("two")["snat"]["used"] <= 500, lambda: f"room for two: {daemon.service('two')['snat']}", 60)
        until(lambda: of_two.open(1)["ok"], "two hears of it")
        self.assertEqual(of_two.open(400, concurrency=64)["ok"], 400)

    def test_packets_without_a_flow_are_answered_with_a_reset(self):
        echo_server(self.bed, self.bed.backends, "tcp", f"{BACKENDS4[0]}:7")
        self.start([Service("tcp", [f"{VIP4}:7"], [Backend("v4", BACKENDS4[0], 7)])], [Pool("main", pool4(1))])
        talk = Talk(self.bed, f"{VIP4}:7")
        talk.ask()
        self.bed.run(self.bed.balancer, "conntrack", "-D", "-p", "tcp", "-d", VIP4)
        with self.assertRaises(ConnectionResetError):
            talk.ask()


if __name__ == "__main__":
    main()
