#!/usr/bin/python3
# timeout: 300
"""Somebody on the pair's networks who is not its peer, under live connections: nothing comes of it but a number, and the pair works on."""

import contextlib
import hashlib
import os
import socket

from lib.bed import VIP4, VIP6
from lib.case import main
from lib.live_pair import LivePair
from lib.relay import Relay
from lib.talk import send_advert
from lib.wait import until

SYNC = {"lb-a": "198.18.3.1", "lb-b": "198.18.3.2"}
HALF_OPEN = 1000
RECORD = b"\x16\x03\x01\x00\x01x"    # of TLS's handshake, one byte long


class Hostile(LivePair):
    def setUp(self):
        super().setUp()
        self.before = self.transitions()

    def load(self):
        super().load(1000)

    def expect_counted(self, node, table, metric, expected):
        """At least so many of each reason, in status and in metrics."""
        def counts():
            ha = node.status()["ha"]
            return ha["link_refusals"] if table == "link" else ha["adverts"]["rejected"]
        until(lambda: all(counts()[reason] >= count for reason, count in expected.items()),
              lambda: f"at least {expected}; {node.more['name']} has {counts()}")
        metrics = node.metrics()
        for reason, count in expected.items():
            self.assertGreaterEqual(metrics[f'{metric}{{reason="{reason}"}}'], count)

    def expect_no_effect(self):
        """Roles as before, every connection alive, and a planned failover works."""
        self.assertEqual(self.transitions(), self.before)
        self.expect_pair(self.a)
        self.assertIn("is active", self.a.ctl("failover").stdout)
        self.expect_pair(self.b)
        self.end_load()


class SyncPort(Hostile):
    def test_whoever_has_no_key(self):
        for node, other in ((self.a, self.b), (self.b, self.a)):
            self.knock(node, other)
            self.expect_counted(node, "link", "wsl4_link_refusals_total",
                                {"no_tls": 2, "no_key": 1, "unknown_key": 1, "wrong_key": 1, "too_many": HALF_OPEN // 2, "stranger": HALF_OPEN})
            told = " ".join(node.events("peer-refused"))
            for reason in ("no_tls", "no_key", "unknown_key", "wrong_key", "too_many", "stranger"):
                self.assertEqual(told.count(reason + ": "), 1, told)
            self.assertEqual(node.status()["ha"]["link_connections"], self.connections[node])
        self.expect_no_effect()

    def test_the_key_in_wrong_hands(self):
        """Whoever has it may end sessions, but not be obeyed: what it says is no session's, however long."""
        idle = self.open(self.a, SYNC["lb-b"], HALF_OPEN)
        for frames in (b"\x00\x01\x00\x00\x63" + bytes(1 << 16), b"\xff\xff\xff\xff\x10"):
            ended, made = len(self.a.events("session-ended")), self.a.metrics()["wsl4_link_connections_total"]
            thief = self.s_client(self.a, self.b, *self.shown(self.key))
            thief.process.stdin.write(os.urandom(16))    # the number of its start
            with contextlib.suppress(BrokenPipeError):
                while thief.alive():
                    thief.process.stdin.write(frames)
            until(lambda: len(self.a.events("session-ended")) > ended, "the session of the thief ended")
            self.until_copied()
            self.assertGreaterEqual(self.a.metrics()["wsl4_link_connections_total"], made + 2)
        self.assertEqual(len(idle), HALF_OPEN)
        self.expect_no_effect()

    def setUp(self):
        super().setUp()
        self.connections = {node: node.status()["ha"]["link_connections"] for node in (self.a, self.b)}
        self.bed.ip(self.a.namespace, "addr add 198.18.3.8/24 dev sync")
        self.bed.ip(self.b.namespace, "addr add 198.18.3.9/24 dev sync")

    def knock(self, node, other):
        peer, stranger = SYNC[other.more["name"]], "198.18.3.8" if other is self.a else "198.18.3.9"
        identity, key = self.shown(self.key)
        for shown in ((), ("0" * 32, key), (identity, "0" * 64)):
            self.s_client(node, other, *shown).wait()
        [hello] = self.open(node, peer, 1)
        hello.sendall(b"GET / HTTP/1.1\r\n\r\n")
        [endless] = self.open(node, peer, 1)
        endless.sendall(b"\x16\x03\x01\x00\x01\x01\x16\x03\x01\x00\x03\x01\x00\x00")    # a ClientHello of 65,536 bytes
        with contextlib.suppress(OSError):
            while True:
                endless.sendall(RECORD)
        self.open(node, peer, HALF_OPEN)
        self.open(node, stranger, HALF_OPEN)

    def open(self, node, source, count):
        """Connections to a node's sync port that say nothing."""
        other = self.other(node)
        sockets = []
        with self.bed.inside(other.namespace):
            for _ in range(count):
                sockets.append(socket.create_connection((SYNC[node.more["name"]], 4440), 5, (source, 0)))
                self.addCleanup(sockets[-1].close)
        return sockets

    def shown(self, path):
        """What names the key of a file, and the key."""
        with open(path, encoding="ascii") as file:
            key = file.read().strip()
        return hashlib.sha256(b"wsl4 key id\n" + bytes.fromhex(key)).hexdigest()[:32], key

    def s_client(self, node, other, identity="", key=""):
        psk = ("-psk_identity", identity, "-psk", key) if key else ()
        return self.bed.child(other.namespace, "openssl", "s_client", "-quiet", "-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256", "-connect",
                              f"{SYNC[node.more['name']]}:4440", "-bind", f"{SYNC[other.more['name']]}:0", *psk)


class ManInTheMiddle(Hostile):
    """Each node takes the relay for its peer."""

    def node(self, *arguments, **more):
        return super().node(*arguments, peer="198.18.3.3:4440", **more)

    def start_pair(self):
        self.bed.ip(self.b.namespace, "addr add 198.18.3.3/24 dev sync")
        self.relay = Relay(self.bed, self.b.namespace, "198.18.3.3", list(SYNC.values()))
        return super().start_pair()

    def test_records_changed_cut_repeated_and_replayed(self):
        for how in ("flip", "cut", "repeat"):
            tampered = self.tampered()
            self.relay.alter(how)
            until(lambda: self.tampered() > tampered, lambda: f"a record that was tampered with ({how}): {tampered}")
            self.until_copied()
        self.assertIn("tampered: ", " ".join(self.a.events("peer-refused") + self.b.events("peer-refused")))
        self.assertEqual(self.transitions(), self.before)
        for address, recording in self.relay.recorded.items():
            node = next(node for node in (self.a, self.b) if SYNC[node.more["name"]] == address)
            again = self.relay.connect(address)
            again.sendall(recording)
            self.expect_counted(node, "link", "wsl4_link_refusals_total", {"wrong_key": 1})
            again.close()
        self.expect_no_effect()

    def tampered(self):
        return sum(node.metrics()['wsl4_link_refusals_total{reason="tampered"}'] for node in (self.a, self.b))


class Adverts(Hostile):
    def test_what_is_no_advert(self):
        cases = {"ttl": "ttl=254", "version": "version=2", "type": "kind=2", "length": "cut=1", "checksum": "checksum=wrong", "vrid": "vrid=52",
                 "interval": "interval=0"}
        for setting in cases.values():
            for group, vip in (("224.0.0.18", VIP4), ("ff02::12", VIP6)):
                for priority in (0, 255):
                    send_advert(self.bed, group, vip, setting, f"priority={priority}", "times=5")
        for node in (self.a, self.b):
            send_advert(self.bed, f"198.18.1.{node.host}", VIP4)    # to it alone
            self.expect_counted(node, "adverts", "wsl4_adverts_rejected_total", {**dict.fromkeys(cases, 20), "stranger": 1})
        self.expect_no_effect()


class UnicastAdverts(Hostile):
    def node(self, name, namespace, host, *arguments, **more):
        return super().node(name, namespace, host, *arguments, unicast_peer=f"198.18.1.{5 - host}", **more)

    def test_adverts_of_another_address(self):
        for node in (self.a, self.b):
            for destination in (f"198.18.1.{node.host}", "224.0.0.18"):
                for priority in (0, 255):
                    send_advert(self.bed, destination, VIP4, f"priority={priority}", "times=5")
            self.expect_counted(node, "adverts", "wsl4_adverts_rejected_total", {"stranger": 10})
        self.expect_no_effect()


if __name__ == "__main__":
    main()
