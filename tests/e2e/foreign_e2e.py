#!/usr/bin/python3
# timeout: 200
"""Nothing foreign is touched: other ports of the VIP, the balancer's own connections, other tables, marks, addresses; purge leaves
the machine as it was before."""

import re

from lib.bed import BACKENDS4, BACKENDS6, VIP4, VIP6, pool4, pool6
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.talk import Talk, echo_server
from lib.wait import until

OTHER_TABLE = """table ip other {
  counter seen { }
  set kept { type ipv4_addr; elements = { 198.18.9.9 } }
  chain prerouting { type filter hook prerouting priority mangle; ct mark set ct mark or 0x05 counter name seen; }
  chain output { type filter hook output priority mangle; ct mark set ct mark or 0x81000007; }
  chain forward { type filter hook forward priority filter; ip saddr 198.18.77.0/24 drop comment "a rule of somebody else"; }
}
"""
MASK = 0x00FFFF00
SYSCTLS = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.conf.all.rp_filter",
           *(f"net.netfilter.nf_conntrack_{name}" for name in ("tcp_loose", "tcp_be_liberal", "events", "acct", "timestamp",
             "tcp_timeout_established", "tcp_timeout_fin_wait", "tcp_timeout_time_wait", "tcp_timeout_close", "tcp_timeout_close_wait",
             "tcp_timeout_last_ack", "tcp_timeout_syn_sent", "tcp_timeout_syn_recv", "tcp_timeout_unacknowledged", "tcp_timeout_max_retrans",
             "udp_timeout", "udp_timeout_stream"))]


def packets_aside(listing):
    return re.sub(r"packets \d+ bytes \d+", "packets N", listing)


class Foreign(E2eTest):
    def setUp(self):
        super().setUp()
        bed = self.bed
        # This VIP was there before, with a prefix length of its own.
        bed.ip(bed.balancer, f"addr add {VIP4}/24 dev front", f"addr add {VIP6}/64 dev front nodad")
        bed.nft(OTHER_TABLE)
        bed.sysctl(bed.balancer, **{"net.netfilter.nf_conntrack_tcp_loose": 1, "net.ipv4.ip_forward": 0})
        echo_server(bed, bed.balancer, "tcp", "0.0.0.0:22", "[::]:22")
        echo_server(bed, bed.backends, "tcp", f"{BACKENDS4[0]}:80", f"[{BACKENDS6[0]}]:80", f"{BACKENDS4[5]}:9000")
        self.before = (bed.addresses(), {key: bed.read_sysctl(bed.balancer, key) for key in SYSCTLS}, packets_aside(self.other()))
        services = [Service("chat", [f"{VIP4}:443", f"[{VIP6}]:443"], [Backend("v4", BACKENDS4[0]), Backend("v6", BACKENDS6[0])])]
        self.start(services, [Pool("main", pool4(2) + pool6(2))])

    def other(self):
        return self.bed.run(self.bed.balancer, "nft", "-a", "list", "table", "ip", "other").stdout

    def talks(self):
        """Connections that are none of wsl4's business, and two that are."""
        bed = self.bed
        foreign = [Talk(bed, f"{VIP4}:22"), Talk(bed, f"[{VIP6}]:22"), Talk(bed, "198.18.1.2:22"),
                   Talk(bed, f"{BACKENDS4[0]}:80", name=bed.balancer, source=pool4(1)[0]),  # what a service's flows use too
                   Talk(bed, f"{BACKENDS4[5]}:9000", name=bed.balancer, source=pool4(2)[1]),
                   Talk(bed, f"[{BACKENDS6[0]}]:80", name=bed.balancer, source=pool6(1)[0]),
                   Talk(bed, f"{BACKENDS4[5]}:9000", name=bed.balancer)]
        return foreign, [Talk(bed, f"{VIP4}:443"), Talk(bed, f"[{VIP6}]:443")]

    def test_foreign_traffic_lives_through_everything(self):
        foreign, own = self.talks()
        ask = lambda: [talk.ask() for talk in foreign + own]
        first = ask()
        self.daemon.expect_counts("chat", {"v4": 1, "v6": 1})    # only flows of the service
        service = self.daemon.services[0]
        self.daemon.reload([Service("chat", service.listen, service.backends + [Backend("v4b", BACKENDS4[0], 81)])])
        self.assertEqual(ask(), first)
        self.daemon.kill()
        self.assertEqual(ask(), first)
        self.daemon.start()
        self.assertEqual(ask(), first)
        more, _ = self.talks()
        self.assertEqual([talk.ask()[0] for talk in more], [here for here, _ in first[: len(more)]])
        self.assertEqual(packets_aside(self.other()), self.before[2])
        for talk in more:
            talk.close()
        self.bed.nft("flush ruleset")    # takes the other table along; ours is owned, or comes back
        self.assertEqual(ask(), first)
        until(lambda: "chain prerouting" in self.bed.table(), "our table")
        self.assertEqual(ask(), first)

    def test_a_backend_may_be_a_client_too(self):
        """Hairpin: from its own address, to itself and to another backend's client side."""
        for target, source in ((f"{VIP4}:443", BACKENDS4[0]), (f"{VIP4}:443", BACKENDS4[5]), (f"[{VIP6}]:443", BACKENDS6[0])):
            with self.subTest(source=source):
                here, peer = Talk(self.bed, target, name=self.bed.backends, source=source).ask()
                self.assertIn(here, (f"{BACKENDS4[0]}:80", f"[{BACKENDS6[0]}]:80"))
                self.assertNotIn(source, peer, "the backend sees a pool address")

    def test_other_bits_of_marks_are_left_alone(self):
        foreign, own = self.talks()
        for talk in foreign + own:
            talk.ask()
        entries = self.bed.run(self.bed.balancer, "conntrack", "-L", "-p", "tcp", "-f", "ipv4").stdout.splitlines()
        entries += self.bed.run(self.bed.balancer, "conntrack", "-L", "-p", "tcp", "-f", "ipv6").stdout.splitlines()
        ours, others = [], []
        for line in entries:
            mark = int(re.search(r" mark=(\d+)", line)[1])
            (ours if " dport=443 " in line else others).append(mark)
        self.assertEqual(len(ours), 2)
        for mark in ours:
            self.assertNotEqual(mark & MASK, 0)
        self.assertEqual([mark & 0xFF for mark in ours if mark & 0xFF], [5], "the other table's bits stay beside ours")
        self.assertEqual([hex(mark) for mark in others if mark & MASK], [], "foreign flows bear no bits of ours")

    def test_purge_leaves_the_machine_as_it_was(self):
        foreign, own = self.talks()
        for talk in foreign + own:
            talk.ask()
        refused = self.daemon.purge()
        self.assertEqual(refused.returncode, 1, refused)
        self.assertIn("run", refused.stderr)
        for talk in foreign + own:
            talk.ask()
        self.assertEqual(self.daemon.stop(), 0)
        for talk in foreign + own:
            talk.ask()  # stopping leaves the kernel forwarding
        purged = self.daemon.purge()
        self.assertEqual(purged.returncode, 0, purged)
        bed = self.bed
        self.assertEqual(bed.table(), "")
        self.assertEqual(bed.addresses(), self.before[0])
        self.assertEqual({key: bed.read_sysctl(bed.balancer, key) for key in SYSCTLS}, self.before[1])
        self.assertEqual(packets_aside(self.other()), self.before[2])
        left = bed.run(bed.balancer, "conntrack", "-L", "-p", "tcp", "-f", "ipv4").stdout
        self.assertNotIn(" dport=443 ", left)
        for talk in foreign[:3] + foreign[6:]:  # the others' source addresses were ours
            talk.ask()
        again = self.daemon.purge()
        self.assertEqual(again.returncode, 0, again)


if __name__ == "__main__":
    main()
