#!/usr/bin/python3
# timeout: 240
"""Adverts, the election's machine and the whole daemon on a real network: keepalived as the other router, tcpdump as the judge, and
strangers."""

import json
import os
import re
import signal

from lib.bed import BACKENDS4, BACKENDS6, pool4, pool6
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.pair import Node as Peer
from lib.run import tool
from lib.talk import Talk, echo_server, send_advert
from lib.wait import until

VIP4, VIP6 = "198.18.1.150", "2001:db8:1::150"
OURS4, THEIRS4 = "198.18.1.2", "198.18.1.10"
GROUP4, GROUP6 = "224.0.0.18", "ff02::12"

INSTANCE = """
vrrp_instance {name} {{
    state BACKUP
    interface front
    virtual_router_id 51
    priority {priority}
    advert_int {interval}
    {preempt}
    {unicast}
    virtual_ipaddress {{
        {vip} dev front
    }}
}}
"""


class Node:
    """Our router, in the balancer's namespace."""

    def __init__(self, bed, priority=100, interval=100, preempt=False, peer="-", vips=(VIP4, VIP6)):
        self.child = bed.child(bed.balancer, tool("vrrpnode"), "front", 51, priority, interval, "preempt" if preempt else "nopreempt", peer,
                               *vips)
        self.said = []

    def wait_for(self, pattern, seconds=30.0):
        """The next line that matches; those before it are gone."""
        while True:
            line = self.child.line(seconds)
            self.said.append(line)
            if re.fullmatch(pattern, line):
                return line

    def stats(self):
        self.child.say("stats")
        line = self.wait_for(r"stats .*")
        return {key: int(value) for key, value in (word.split("=") for word in line.split()[1:])}


class Keepalived:
    """An instance for each family, in the clients' namespace."""

    def __init__(self, bed, priority, preempt=False, interval=0.1, unicast=""):
        self.bed = bed
        config = "global_defs {\n    vrrp_version 3\n    vrrp_garp_master_delay 0\n}\n"
        for name, vip in (("four", f"{VIP4}/32"), ("six", f"{VIP6}/128")):
            if unicast and name == "six":
                continue
            config += INSTANCE.format(name=name, priority=priority, interval=interval, vip=vip, unicast=unicast,
                                      preempt="" if preempt else "nopreempt")
        path = bed.path("keepalived.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config)
        self.families = 1 if unicast else 2
        self.child = bed.keepalived(bed.clients, path)
        self.wait_for("Entering BACKUP STATE", self.families)

    def count(self, text):
        return self.child.errors().count(text)

    def wait_for(self, text, times):
        until(lambda: self.count(text) >= times, lambda: f"{times} times {text!r}; keepalived says:\n{self.child.errors()[-3000:]}", 30)

    def has_vips(self):
        return sum(f"front {vip}" in self.bed.addresses(self.bed.clients) for vip in (f"{VIP4}/32", f"{VIP6}/128"))

    def stop(self):
        self.child.kill(signal.SIGTERM)
        self.child.wait()


class Vrrp(E2eTest):
    def setUp(self):
        super().setUp()
        until(lambda: all("tentative" not in self.bed.run(name, "ip", "-6", "addr", "show", "dev", "front").stdout
                          for name in (self.bed.balancer, self.bed.clients)), "addresses that can be used")
        self.theirs6 = re.search(r"fe80::[0-9a-f:]+", self.bed.run(self.bed.clients, "ip", "-6", "addr", "show", "dev", "front").stdout)[0]

    def capture(self):
        child = self.bed.child(self.bed.clients, "tcpdump", "--immediate-mode", "-l", "-n", "-v", "-i", "front", "-Q", "in", "ip proto 112 or ip6 proto 112",
                               stdin=False)
        until(lambda: "listening on" in child.errors(), "tcpdump that listens")
        return child

    def send(self, destination, vip, *settings):
        send_advert(self.bed, destination, vip, *settings)

    def test_keepalived_is_heard_and_followed(self):
        keepalived = Keepalived(self.bed, 150)
        keepalived.wait_for("Entering MASTER STATE", 2)
        node = Node(self.bed, interval=500)
        heard = {node.wait_for(r"heard 150 .*") for _ in range(2)}
        self.assertEqual(heard, {f"heard 150 100 {THEIRS4} {VIP4}", f"heard 150 100 {self.theirs6} {VIP6}"})
        keepalived.stop()   # says so with priority 0, in both families
        node.wait_for(r"heard 0 100 .*")
        node.wait_for("active")
        self.assertNotIn("active", node.said[:-1])
        stats = node.stats()
        self.assertEqual((stats["failed"], stats["checksum"], stats["length"], stats["stranger"]), (0, 0, 0, 0), stats)

    def test_keepalived_hears_and_follows(self):
        node = Node(self.bed, priority=200)
        node.wait_for("active")
        # With a longer interval of its own, so that it has to learn ours: else it would come too late at the end.
        keepalived = Keepalived(self.bed, 100, preempt=True, interval=0.2)
        keepalived.wait_for("advertisement interval updated from 200ms to 100ms by master", 2)
        before = node.stats()
        until(lambda: node.stats()["sent"] > before["sent"] + 40, "twenty more adverts in each family")
        self.assertEqual(keepalived.count("Entering MASTER STATE"), 0, keepalived.child.errors())
        self.assertEqual(node.stats()["received"], 0)
        node.child.say("stop")
        keepalived.wait_for("Backup received priority 0 advertisement", 2)
        keepalived.wait_for("Entering MASTER STATE", 2)
        until(lambda: keepalived.has_vips() == 2, "both VIPs on the other router")

    def test_the_higher_priority_preempts_if_it_may(self):
        keepalived = Keepalived(self.bed, 100)
        keepalived.wait_for("Entering MASTER STATE", 2)
        patient = Node(self.bed, priority=200)
        patient.wait_for(r"heard 100 .*")
        until(lambda: patient.stats()["received"] > 40, "twenty adverts in each family")
        self.assertNotIn("active", patient.said)
        patient.child.say("stop")
        patient.child.wait()
        eager = Node(self.bed, priority=200, preempt=True)
        eager.wait_for("active")
        keepalived.wait_for("Master received advert from", 2)
        keepalived.wait_for("Entering BACKUP STATE", 4)
        until(lambda: keepalived.has_vips() == 0, "no VIP left on the other router")

    def test_keepalived_preempts(self):
        node = Node(self.bed, priority=100)
        node.wait_for("active")
        keepalived = Keepalived(self.bed, 200, preempt=True)
        keepalived.wait_for("Entering MASTER STATE", 2)
        node.wait_for("backup")
        node.wait_for(r"heard 200 .*")
        self.assertEqual(node.said.count("backup"), 2, node.said)   # also at the start

    def test_tcpdump_decodes_our_adverts(self):
        capture = self.capture()
        node = Node(self.bed, priority=7, interval=40, vips=(VIP4, "198.18.1.151", VIP6))
        node.wait_for("active")
        until(lambda: node.stats()["sent"] >= 10, "ten adverts")
        node.child.say("stop")
        lines = []
        while sum("prio 0" in line for line in lines) < 2:
            lines.append(capture.line())
        four, six = ([line for line in lines if f"> {group}" in line] for group in (GROUP4, GROUP6))
        self.assertGreaterEqual(min(len(four), len(six)), 5, lines)
        for line in four[:-1]:
            self.assertRegex(line, rf"^ +{OURS4} > {GROUP4}: VRRPv3, Advertisement, vrid 51, prio 7, intvl 4cs, length 16, "
                                   rf"addrs\(2\): {VIP4},198.18.1.151$")
        for line in six[:-1]:
            self.assertRegex(line, r"class 0xc0,.* hlim 255, next-header VRRP \(112\) payload length: 24\) fe80::\S+ > "
                                   rf"{GROUP6}: VRRPv3, Advertisement, vrid 51, prio 7, intvl 4cs, length 24, addrs: {VIP6}$")
        self.assertEqual(sum("tos 0xc0, ttl 255" in line for line in lines), len(four), lines)
        self.assertEqual(len(lines), 2 * len(four) + len(six), lines)    # and no other word, of a bad checksum for one

    def test_strangers_have_no_effect_but_a_counter(self):
        node = Node(self.bed, priority=1)
        node.wait_for("active")
        cases = [("ttl", "ttl=254"), ("version", "version=2"), ("type", "kind=2"), ("length", "cut=1"), ("length", "count=2"),
                 ("checksum", "checksum=wrong"), ("vrid", "vrid=52"), ("interval", "interval=0")]
        expected = dict.fromkeys(("ttl", "stranger", "version", "type", "length", "checksum", "vrid", "no_addresses", "interval"), 0)
        for counter, setting in cases:
            for group, vip in ((GROUP4, VIP4), (GROUP6, VIP6)):
                self.send(group, vip, setting)
                expected[counter] += 1
        self.send(OURS4, VIP4)    # to this node alone, where the group is asked for
        self.send(GROUP4, VIP4, "vrid=52", "times=100")
        expected["stranger"] += 1
        expected["vrid"] += 100
        until(lambda: {key: node.stats()[key] for key in expected} == expected, lambda: f"{expected}; there are {node.stats()}")
        self.assertEqual(node.stats()["received"], 0)
        self.assertNotIn("backup", node.said[1:])
        self.send(GROUP4, VIP4, "checksum=plain")    # as RFC 9568 has it for IPv4
        node.wait_for("backup")

    def test_unicast(self):
        unicast = f"unicast_src_ip {THEIRS4}\n    unicast_peer {{\n        {OURS4}\n    }}"
        keepalived = Keepalived(self.bed, 150, unicast=unicast)
        keepalived.wait_for("Entering MASTER STATE", 1)
        node = Node(self.bed, peer=THEIRS4)
        self.assertEqual(node.wait_for(r"heard 150 .*"), f"heard 150 100 {THEIRS4} {VIP4}")
        keepalived.stop()
        node.wait_for("active")
        keepalived = Keepalived(self.bed, 50, preempt=True, unicast=unicast)
        before = node.stats()["sent"]
        until(lambda: node.stats()["sent"] > before + 20, "twenty more adverts")
        self.assertEqual(keepalived.count("Entering MASTER STATE"), 0, keepalived.child.errors())
        keepalived.stop()
        # Somebody else on the same network, of a higher priority.
        self.bed.ip(self.bed.clients, f"addr del {THEIRS4}/24 dev front", "addr add 198.18.1.11/24 dev front")
        before = node.stats()["stranger"]
        self.send(OURS4, VIP4, "times=3")
        until(lambda: node.stats()["stranger"] == before + 3, "three strangers")
        self.assertEqual(node.said.count("backup"), 1, node.said)


class WholeDaemon(E2eTest):
    """wsl4d whose own peer nobody has ever seen, so it counts as alone, beside a keepalived."""

    def start_node(self, priority, preempt=False):
        key = self.bed.path("peer.key")
        self.bed.run(self.bed.balancer, self.bed.program("wsl4ctl"), "keygen", key)
        os.makedirs(self.bed.path("lb-a"))
        services = [Service("chat", [f"{VIP4}:443", f"[{VIP6}]:443"], [Backend("four", BACKENDS4[0]), Backend("six", BACKENDS6[0])])]
        ha = {"listen": f"{OURS4}:4440", "peer": "198.18.1.77:4440", "key_file": key, "interface": "front", "priority": priority, "preempt": preempt}
        self.daemon = Peer(self.bed, services, [Pool("main", pool4(1) + pool6(1))], name="lb-a",
                           ha="".join(f"{key} = {json.dumps(value)}\n" for key, value in ha.items()))
        self.daemon.moving = [VIP4, VIP6, *pool4(1), *pool6(1)]
        self.addCleanup(self._tell_if_failed)
        echo_server(self.bed, self.bed.backends, "tcp", f"{BACKENDS4[0]}:80", f"[{BACKENDS6[0]}]:80")
        return self.daemon.start()

    def until_role(self, role):
        until(lambda: self.daemon.role() == role, lambda: f"{role}; it is {self.daemon.role()}")
        until(lambda: self.daemon.owns() == (sorted(self.daemon.moving) if role == "active" else []), self.daemon.owns)

    def until_adverts(self, kind):
        before = self.daemon.status()["ha"]["adverts"][kind]
        until(lambda: self.daemon.status()["ha"]["adverts"][kind] > before + 40, f"twenty adverts {kind} in each family")

    def expect_service(self):
        for vip in (f"{VIP4}:443", f"[{VIP6}]:443"):
            Talk(self.bed, vip).ask()

    def test_it_follows_keepalived_and_takes_over(self):
        keepalived = Keepalived(self.bed, 100)
        keepalived.wait_for("Entering MASTER STATE", 2)
        node = self.start_node(priority=200, preempt=True)
        self.until_adverts("received")
        self.until_role("standby")      # it preempts nobody whose connections it does not have
        self.assertEqual((keepalived.has_vips(), node.status()["ha"]["adverts"]["sent"]), (2, 0))
        keepalived.stop()
        self.until_role("active")
        self.expect_service()
        self.assertRegex(" ".join(node.status()["warnings"]), r"is not connected \((nothing answers there|No route to host)\)")

    def test_keepalived_follows_it(self):
        node = self.start_node(priority=150)
        self.until_role("active")
        keepalived = Keepalived(self.bed, 100, preempt=True)
        self.until_adverts("sent")
        self.assertEqual((keepalived.count("Entering MASTER STATE"), node.role()), (0, "active"))
        self.expect_service()
        node.ctl("failover", "--force")     # a stop would leave its addresses where they are
        keepalived.wait_for("Backup received priority 0 advertisement", 2)
        keepalived.wait_for("Entering MASTER STATE", 2)
        until(lambda: keepalived.has_vips() == 2, "both VIPs on the other router")

    def test_keepalived_preempts_it(self):
        self.start_node(priority=150)
        self.until_role("active")
        keepalived = Keepalived(self.bed, 200, preempt=True)
        keepalived.wait_for("Entering MASTER STATE", 2)
        self.until_role("standby")
        until(lambda: keepalived.has_vips() == 2, "both VIPs on the other router")
        keepalived.stop()
        self.until_role("active")
        self.expect_service()


if __name__ == "__main__":
    main()
