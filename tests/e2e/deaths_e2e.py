#!/usr/bin/python3
# timeout: 600
"""A backend dies, each way once, under WebSocket clients that connect again: those on it are served by the others, and nobody else
notices. Where only its answers are wrong its connections are kept, unless on_backend_down says otherwise, for each service over the
same backends by itself. Prints how long it took. What depends on the address family is shown over both."""

import json
import os
import time

from lib.bed import BACKENDS4, BACKENDS6, VIP4, VIP6, endpoint, pool4, pool6
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.join import certificate
from lib.wait import until

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tools")
COUNT = 60              # busy clients of each service, and as many idle ones
INTERVAL = 0.2          # seconds between a busy client's messages
WRONG = 8080            # port of what answers in its stead
rows = []


def tearDownModule():
    print(f"\nSeconds from the death of one of three backends, {2 * COUNT} clients of each service ({COUNT} with a message every {INTERVAL:g} s, {COUNT} idle);"
          "\nwebsocket checks as by default: every 2 s, timeout 1 s, fall 3. A client tries again 50 ms after a failed attempt.")
    print(f"{'kind':40} {'on_backend_down':15} {'verdict':>7} {'last busy back':>14} {'last idle back':>14}")
    for row in rows:
        print("{:40} {:15} {:>7} {:>14} {:>14}".format(*row), flush=True)


class Returning:
    def __init__(self, bed, target, interval, trusted):
        self.child = bed.child(bed.clients, "/usr/bin/python3", f"{TOOLS}/returning.py", target, COUNT, interval, *trusted)
        until(lambda: self.all_live(self.report()), lambda: f"{COUNT} connections: {self.report()}", 30, 0.1)

    def report(self):
        self.child.say("report")
        return json.loads(self.child.line())

    @staticmethod
    def all_live(report):
        return sum(report["live"].values()) == COUNT


class DeathTest(E2eTest):
    family, vip, backends, pool, prefix = "ip", VIP4, BACKENDS4[:3], pool4(2), 24

    def setUp(self):
        super().setUp()
        self.address = self.backends[1]     # of the one that dies
        self.victim = endpoint(self.address, 80)

    def begin(self, *settings, tls=False):
        """A service over the same backends for each of these settings of on_backend_down, named after it."""
        self.certificate = certificate(self.bed, "good", "DNS:chat.example") if tls else ()
        self.servers = [self.serve("echo", endpoint(address, 80), *self.certificate) for address in self.backends]
        # New connections can be led elsewhere while old ones go on: a rule makes the kernel track those from their begin.
        self.bed.nft(f"table {self.family} wrong {{ chain in {{ type nat hook prerouting priority dstnat; ct state new; }}; }}", self.bed.backends)
        health = {"type": "websockets" if tls else "websocket", "path": "/echo", "host": "chat.example"}
        self.targets = {setting: endpoint(self.vip, 443 + n) for n, setting in enumerate(settings)}
        services = [Service(setting, [target], [Backend(f"b{n}", address) for n, address in enumerate(self.backends)], scheduler="round-robin",
                            health=health, on_backend_down=setting) for setting, target in self.targets.items()]
        self.start(services, [Pool("main", self.pool)], environment={"SSL_CERT_FILE": self.certificate[0]} if tls else None)
        for setting in settings:
            until(lambda: {backend["state"] for backend in self.daemon.service(setting)["backends"]} == {"up"}, "all are up", 30, 0.1)
        # Of each service the busy ones and the idle ones.
        self.clients = {setting: [self.returning(setting, interval) for interval in (INTERVAL, 0)] for setting in settings}
        for setting in settings:
            until(lambda: sum(self.daemon.counts(setting).values()) == 2 * COUNT, "all connections counted")

    def returning(self, setting, interval):
        return Returning(self.bed, self.targets[setting], interval, self.certificate[:1])

    def serve(self, kind, where, *files):
        child = self.bed.child(self.bed.backends, "/usr/bin/python3", f"{TOOLS}/backend.py", kind, where, *files)
        child.line()
        return child

    def lead_astray(self, kind, *files):
        """What connects from now on meets something else at the backend's port."""
        self.serve(kind, endpoint(self.address, WRONG), *files)
        return lambda: self.bed.nft(f"add rule {self.family} wrong in {self.family} daddr {self.address} tcp dport 80 dnat to :{WRONG}", self.bed.backends)

    def watch(self, kind, kill):
        """Kills it and returns when, after the verdict of each service."""
        self.before = {clients: clients.report()["live"] for both in self.clients.values() for clients in both}
        for live in self.before.values():
            self.assertGreater(live.get(self.victim, 0), COUNT // 10, "clients on the one that dies")
        death = time.monotonic()
        kill()
        self.row = {}

        def judged():
            for setting in self.clients.keys() - self.row.keys():
                if self.daemon.backend(setting, "b1")["state"] == "down":
                    self.row[setting] = [f"{kind}, {'IPv6' if self.family == 'ip6' else 'IPv4'}", setting, f"{time.monotonic() - death:.2f}"]
            return len(self.row) == len(self.clients)
        until(judged, lambda: f"b1 down for all; it is for {list(self.row)}: {self.daemon.status()['services']}", 60)
        return death

    def expect_all_back(self, setting, death):
        for clients in self.clients[setting]:
            def back(report):
                return Returning.all_live(report) and self.victim not in report["live"]
            until(lambda: back(clients.report()), lambda: f"all served by the others: {clients.report()}", 60, 0.05)
            report = clients.report()
            self.row[setting].append(f"{report['last_back'] - death:.2f}")
            self.assertLessEqual(self.before[clients][self.victim], report["back"], report)
        until(lambda: self.daemon.counts(setting)["b1"] == 0, lambda: f"none left on it: {self.daemon.counts(setting)}")

    def expect_kept(self, setting):
        self.row[setting] += ["kept", "kept"]
        report = self.returning(setting, 0).report()
        self.assertNotIn(self.victim, report["live"])
        self.assertEqual((report["lost"], report["failed"]), ({}, {}), "new ones are served by the others")
        for clients in self.clients[setting]:
            report = clients.report()
            self.assertEqual((report["live"], report["lost"]), (self.before[clients], {}))

    def expect_others_untouched(self):
        for clients in self.before:
            self.assertLessEqual(clients.report()["lost"].keys(), {self.victim}, "no other backend's connection is lost")
        for busy, _ in self.clients.values():
            messages = busy.report()["messages"]
            until(lambda: busy.report()["messages"] >= messages + 3 * COUNT, "all go on talking")
        rows.extend(self.row.values())

    def dies(self, kind, kill):
        self.expect_all_back("auto", self.watch(kind, kill))
        self.expect_others_untouched()

    def answers_wrongly(self, kind, what, tls=False):
        self.begin("auto", "reset", tls=tls)
        files = certificate(self.bed, "wrong", "DNS:chat.example") if tls else ()
        self.expect_all_back("reset", self.watch(kind, self.lead_astray(what, *files)))
        self.expect_kept("auto")
        self.expect_others_untouched()


class Deaths(DeathTest):
    def test_process_killed(self):
        self.begin("auto")
        self.dies("process killed", self.servers[1].kill)

    def test_host_gone(self):
        self.begin("auto")
        self.dies("host gone", lambda: self.bed.ip(self.bed.backends, f"addr del {self.address}/{self.prefix} dev back"))

    def test_packets_dropped(self):
        self.begin("auto")
        cut = (f"table {self.family} cut {{ chain in {{ type filter hook prerouting priority raw; {self.family} daddr {self.address} drop; }};"
               f"chain out {{ type filter hook output priority raw; {self.family} saddr {self.address} drop; }}; }}")
        self.dies("host cut off (packets dropped)", lambda: self.bed.nft(cut, self.bed.backends))


class DeathsOverIpv6(Deaths):
    family, vip, backends, pool, prefix = "ip6", VIP6, BACKENDS6[:3], pool6(2), 64


class WrongAnswers(DeathTest):
    def test_garbage(self):
        self.answers_wrongly("port answers garbage", "garbage")

    def test_silence(self):
        self.answers_wrongly("handshake never ends", "silent")

    def test_wrong_certificate(self):
        self.answers_wrongly("TLS certificate wrong", "echo", tls=True)


if __name__ == "__main__":
    main()
