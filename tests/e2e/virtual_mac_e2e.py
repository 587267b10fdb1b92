#!/usr/bin/python3
# timeout: 600
"""A pair with ha.virtual_mac: tests of tests/e2e/pair_e2e.py in which the role moves, and neighbours never see another MAC address than
the virtual one, though none of them takes an announcement."""

import json
import os

import pair_e2e
from lib.bed import VIP4, pool4
from lib.case import main
from lib.pair import PairTest
from lib.run import run
from lib.wait import until
from unprivileged_e2e import NOBODY, WRAP

MAC = "00:00:5e:00:01:33"       # of virtual router 51
SETTINGS = ("net.ipv4.conf.all.arp_ignore", "net.ipv4.conf.all.arp_announce")

# Announcements reach the switch, which learns from them, and go no further. A question that names an address of ours as its
# sender is one too.
DEAF = """table arp deaf { chain in { type filter hook input priority 0; arp operation request arp saddr ip { %s } drop; }; }
table ip6 deaf { chain in { type filter hook input priority 0; icmpv6 type nd-neighbor-advert ip6 daddr ff02::1 drop; }; }"""


class VirtualMac:
    """What both kinds of tests need."""

    def node(self, name, namespace, host, number, priority, **more):
        return super().node(name, namespace, host, number, priority, virtual_mac=True, **more)

    def virtual_links(self, node):
        """By name, whether it is up."""
        links = json.loads(run("ip", "-n", node.namespace, "-j", "link", "show", "type", "macvlan").stdout or "[]")
        return {link["ifname"]: "UP" in link["flags"] for link in links if link and link["address"] == MAC}

    def expected_links(self, node, up):
        indices = [self.index(node, link) for link in ("front", "back")]
        return {f"wsl4-51-{index}": up for index in indices}

    def index(self, node, link):
        return json.loads(run("ip", "-n", node.namespace, "-j", "link", "show", link).stdout)[0]["ifindex"]


class Takeover(VirtualMac, pair_e2e.Takeover):
    # Whether nobody takes the role, and what is younger than its copy, has nothing to do with MAC addresses.
    test_adverts_are_cut_while_the_session_stands = None
    test_the_sync_link_is_cut_and_heals = None
    test_takeover_while_connections_arrive = None

    def setUp(self):
        super().setUp()
        self.seen = []
        for name in (self.bed.clients, self.bed.backends):
            self.bed.nft(DEAF % ", ".join([VIP4, *pool4(2)]), name)
            path = self.bed.path(f"neighbours{name[-1]}")
            self.bed.child(name, "sh", "-c", f"exec ip -o monitor neigh >{path}")
            self.seen.append(path)

    def expect_unharmed(self):
        super().expect_unharmed()
        known = {}
        for name in (self.bed.clients, self.bed.backends):
            for entry in json.loads(run("ip", "-n", name, "-j", "neigh", "show").stdout):
                if entry["dst"] in self.a.moving and "lladdr" in entry:
                    known[entry["dst"]] = entry["lladdr"]
        self.assertEqual(known, dict.fromkeys(self.a.moving, MAC))
        for path in self.seen:
            with open(path, encoding="utf-8") as file:
                wrong = [line for line in file if line.split()[0] in self.a.moving and "lladdr" in line and MAC not in line]
            self.assertEqual(wrong, [], "what neighbours have learnt meanwhile")

    def expect_pair(self, active):
        super().expect_pair(active)
        other = self.other(active)
        self.assertEqual(self.virtual_links(active), self.expected_links(active, True))
        until(lambda: self.virtual_links(other) == self.expected_links(other, False), lambda: f"its links down: {self.virtual_links(other)}")

    def test_a_daemon_that_is_alone_dies_and_finds_everything_again(self):
        self.b.power_off()
        until(lambda: self.a.sync()["state"] == "disconnected", "the loss of the peer noticed")
        self.a.kill()
        before = self.virtual_links(self.a)
        self.expect_unharmed()
        self.a.start()
        self.until_active(self.a)
        self.expect_unharmed()
        self.assertEqual(self.virtual_links(self.a), before)
        self.b.power_on()
        self.expect_pair(self.a)
        self.end_load()


class Machine(VirtualMac, PairTest):
    """What it does to a machine, and what a machine may do to it. The daemons have the capabilities of the unit, and no more."""

    def setUp(self):
        super().setUp()
        for node in (self.a, self.b):
            node.wrap = WRAP
            for path in (self.key, os.path.dirname(node.state), node.state):
                os.chown(path, NOBODY, NOBODY)

    def settings(self):
        return [self.bed.read_sysctl(self.a.namespace, name) for name in SETTINGS]

    def test_release_and_purge_take_everything_away(self):
        before = self.settings()
        self.assertNotEqual(before, ["1", "2"])
        self.assertIs(self.start_pair()[0], self.a)
        self.assertEqual(self.settings(), ["1", "2"])
        self.a.kill()
        self.assertEqual(self.virtual_links(self.a), self.expected_links(self.a, True))
        self.assertIn("6 addresses withdrawn", self.a.release())
        self.assertEqual(self.virtual_links(self.a), {})
        self.until_active(self.b)
        self.a.start()
        self.assertIs(self.until_synced()[0], self.b)
        self.b.stop()
        self.until_active(self.a)
        self.assertEqual(self.virtual_links(self.b), self.expected_links(self.b, False), "a stop sets them down")
        until(lambda: self.a.sync()["state"] == "disconnected", "the loss of the peer noticed")
        self.a.stop()
        self.assertEqual(self.virtual_links(self.a), self.expected_links(self.a, True), "not of a node that has no peer")
        self.assertIn("2 macvlan interfaces removed", self.a.purge().stdout)
        self.assertEqual((self.virtual_links(self.a), self.settings()), ({}, before))

    def test_a_foreign_interface_in_the_way_is_an_error(self):
        name = f"wsl4-51-{self.index(self.a, 'front')}"
        self.assertNotIn("virtual_mac", self.checked())
        self.bed.ip(self.a.namespace, f"link add {name} link back type macvlan")
        self.assertRegex(self.checked(), f"{name} is not wsl4's")
        status, said = self.a.start_and_fail()
        self.assertEqual(status, 1, said)
        self.assertRegex(said, f"ha.virtual_mac: {name} is not wsl4's, and its name is needed .* on front")
        self.bed.ip(self.a.namespace, f"link del {name}")
        self.assertIs(self.start_pair()[0], self.a)

    def checked(self):
        done = self.bed.run(self.a.namespace, self.bed.program("wsl4ctl"), "check", self.a.config, check=False)
        return done.stdout + done.stderr

    def test_a_machine_that_filters_by_reverse_path(self):
        for node in (self.a, self.b):
            self.bed.sysctl(node.namespace, **{"net.ipv4.conf.all.rp_filter": 1, "net.ipv4.conf.default.rp_filter": 1})
        self.start_pair()
        self.load(500)
        self.a.ctl("failover")
        self.until_active(self.b)
        self.expect_unharmed()
        self.b.power_off()
        self.until_active(self.a)
        self.end_load()

    def test_an_interface_that_goes_and_comes_back(self):
        self.assertIs(self.start_pair()[0], self.a)
        self.bed.ip(self.b.namespace, "link del back")
        until(lambda: self.b.role() == "fault", "the fault of the standby")
        self.bed._cable(self.b.namespace, "back")
        self.bed.ip(self.b.namespace, "addr add 198.18.2.3/24 dev back", "addr add 2001:db8:2::3/64 dev back nodad")
        until(lambda: self.virtual_links(self.b) == self.expected_links(self.b, False), lambda: f"a new one: {self.virtual_links(self.b)}")
        self.until_synced()
        self.a.ctl("failover")
        self.until_active(self.b)
        self.assertEqual(self.virtual_links(self.b), self.expected_links(self.b, True))
        self.assertEqual(self.b.owns(), sorted(self.b.moving))


class Turned(PairTest):
    """A pair without virtual MAC addresses gets them by a restart, one node after the other, and loses them again."""

    def test_on_and_off(self):
        self.assertIs(self.start_pair()[0], self.a)
        plain = {node: node.more["ha"] for node in (self.a, self.b)}
        for word in ("true", "false"):
            for node in self.until_synced()[::-1]:
                node.more["ha"] = f"{plain[node]}virtual_mac = {word}\n"
                node.write()
                node.restart()
                self.until_synced()
            active, standby = self.until_synced()
            self.assertEqual((active.owns(), standby.owns()), (sorted(active.moving), []))
            on = [line.split()[0] for line in self.bed.addresses(active.namespace) if line.split()[1].split("/")[0] in active.moving]
            self.assertEqual({name.startswith("wsl4-51-") for name in on}, {word == "true"}, on)


if __name__ == "__main__":
    main()
