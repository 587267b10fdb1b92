#!/usr/bin/python3
# timeout: 600
"""A backend dies, each way once, under WebSocket clients that connect again: those on it are served by the others, and nobody else
notices. Where only its answers are wrong its connections are kept, unless on_backend_down says otherwise, for each service over the
same backends by itself. Prints how long it took."""

import json
import os
import time

from lib.bed import BACKENDS4, VIP4, endpoint, pool4
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.join import certificate
from lib.wait import until

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tools")
COUNT = 60              # busy clients of each service, and as many idle ones
INTERVAL = 0.2          # seconds between a busy client's messages
ADDRESS = BACKENDS4[1]  # of the one that dies
VICTIM = endpoint(ADDRESS, 80)
WRONG = 8080            # port of what answers in its stead


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

    def on_victim(self):
        return self.report()["live"].get(VICTIM, 0)


class Deaths(E2eTest):
    rows = []

    @classmethod
    def tearDownClass(cls):
        print(f"\nSeconds from the death of one of three backends, {2 * COUNT} clients of each service ({COUNT} with a message every {INTERVAL:g} s, {COUNT} idle);"
              "\nwebsocket checks as by default: every 2 s, timeout 1 s, fall 3. A client tries again 50 ms after a failed attempt.")
        print(f"{'kind':34} {'on_backend_down':15} {'verdict':>7} {'last busy back':>14} {'last idle back':>14}")
        for row in cls.rows:
            print("{:34} {:15} {:>7} {:>14} {:>14}".format(*row), flush=True)

    def begin(self, *settings, tls=False):
        """A service over the same backends for each of these settings of on_backend_down, named after it."""
        self.certificate = certificate(self.bed, "good", "DNS:chat.example") if tls else ()
        self.servers = [self.serve("echo", endpoint(address, 80), *self.certificate) for address in BACKENDS4[:3]]
        # New connections can be led elsewhere while old ones go on: a rule makes the kernel track those from their begin.
        self.bed.nft("table ip wrong { chain in { type nat hook prerouting priority dstnat; ct state new; }; }", self.bed.backends)
        health = {"type": "websockets" if tls else "websocket", "path": "/echo", "host": "chat.example"}
        self.targets = {setting: f"{VIP4}:{443 + n}" for n, setting in enumerate(settings)}
        services = [Service(setting, [target], [Backend(f"b{n}", BACKENDS4[n]) for n in range(3)], scheduler="round-robin",
                            health=health, on_backend_down=setting) for setting, target in self.targets.items()]
        self.start(services, [Pool("main", pool4(2))], environment={"SSL_CERT_FILE": self.certificate[0]} if tls else None)
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
        self.serve(kind, endpoint(ADDRESS, WRONG), *files)
        return lambda: self.bed.nft(f"add rule ip wrong in ip daddr {ADDRESS} tcp dport 80 dnat to {ADDRESS}:{WRONG}", self.bed.backends)

    def watch(self, kind, kill):
        """Kills it and returns when, after the verdict of each service."""
        self.before = {clients: clients.report()["live"] for both in self.clients.values() for clients in both}
        for live in self.before.values():
            self.assertGreater(live.get(VICTIM, 0), COUNT // 10, "clients on the one that dies")
        death = time.monotonic()
        kill()
        self.row = {}

        def judged():
            for setting in self.clients.keys() - self.row.keys():
                if self.daemon.backend(setting, "b1")["state"] == "down":
                    self.row[setting] = [kind, setting, f"{time.monotonic() - death:.2f}"]
            return len(self.row) == len(self.clients)
        until(judged, lambda: f"b1 down for all; it is for {list(self.row)}: {self.daemon.status()['services']}", 60)
        return death

    def expect_all_back(self, setting, death):
        for clients in self.clients[setting]:
            def back(report):
                return Returning.all_live(report) and VICTIM not in report["live"]
            until(lambda: back(clients.report()), lambda: f"all served by the others: {clients.report()}", 60, 0.05)
            report = clients.report()
            self.row[setting].append(f"{report['last_back'] - death:.2f}")
            self.assertLessEqual(self.before[clients][VICTIM], report["back"], report)
        until(lambda: self.daemon.counts(setting)["b1"] == 0, lambda: f"none left on it: {self.daemon.counts(setting)}")

    def expect_kept(self, setting):
        self.row[setting] += ["kept", "kept"]
        report = self.returning(setting, 0).report()
        self.assertNotIn(VICTIM, report["live"])
        self.assertEqual((report["lost"], report["failed"]), ({}, {}), "new ones are served by the others")
        for clients in self.clients[setting]:
            report = clients.report()
            self.assertEqual((report["live"], report["lost"]), (self.before[clients], {}))

    def expect_others_untouched(self):
        for clients in self.before:
            self.assertLessEqual(clients.report()["lost"].keys(), {VICTIM}, "no other backend's connection is lost")
        for busy, _ in self.clients.values():
            messages = busy.report()["messages"]
            until(lambda: busy.report()["messages"] >= messages + 3 * COUNT, "all go on talking")
        self.rows.extend(self.row.values())

    def dies(self, kind, kill):
        self.expect_all_back("auto", self.watch(kind, kill))
        self.expect_others_untouched()

    def answers_wrongly(self, kind, what, tls=False):
        self.begin("auto", "reset", tls=tls)
        files = certificate(self.bed, "wrong", "DNS:chat.example") if tls else ()
        self.expect_all_back("reset", self.watch(kind, self.lead_astray(what, *files)))
        self.expect_kept("auto")
        self.expect_others_untouched()

    def test_1_process_killed(self):
        self.begin("auto")
        self.dies("process killed", self.servers[1].kill)

    def test_2_host_gone(self):
        self.begin("auto")
        self.dies("host gone (no answer to ARP)", lambda: self.bed.ip(self.bed.backends, f"addr del {ADDRESS}/24 dev back"))

    def test_3_packets_dropped(self):
        self.begin("auto")
        cut = (f"table ip cut {{ chain in {{ type filter hook prerouting priority raw; ip daddr {ADDRESS} drop; }};"
               f"chain out {{ type filter hook output priority raw; ip saddr {ADDRESS} drop; }}; }}")
        self.dies("host cut off (packets dropped)", lambda: self.bed.nft(cut, self.bed.backends))

    def test_4_garbage(self):
        self.answers_wrongly("port answers garbage", "garbage")

    def test_5_silence(self):
        self.answers_wrongly("handshake never ends", "silent")

    def test_6_wrong_certificate(self):
        self.answers_wrongly("TLS certificate wrong", "echo", tls=True)


if __name__ == "__main__":
    main()
