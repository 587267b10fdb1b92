#!/usr/bin/python3
# timeout: 240
"""idle_timeout: a flow without a packet is ended with a reset to both ends; flows with packets, and others' flows, live on."""

import re
import time

from lib.bed import BACKENDS4, BACKENDS6, VIP4, VIP6, pool4, pool6
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.load import Clients, Servers
from lib.wait import until

IDLE = 5  # seconds
COUNT = 50


class Idle(E2eTest):
    def test_idle_flows_end_with_a_reset_at_both_ends(self):
        servers, steady = Servers(self.bed, [BACKENDS4[0], BACKENDS6[0]]), Servers(self.bed, [BACKENDS4[1]])
        both = [f"{VIP4}:443", f"[{VIP6}]:443"]
        daemon = self.start([Service("short", both, [Backend("b4", BACKENDS4[0]), Backend("b6", BACKENDS6[0])], idle_timeout=f"{IDLE}s"),
                             Service("long", [f"{VIP4}:444"], [Backend("b", BACKENDS4[1])], idle_timeout="1h")],
                            [Pool("main", pool4(2) + pool6(2))])
        busy, long = Clients(self.bed, both[0]), Clients(self.bed, f"{VIP4}:444")
        idle = [Clients(self.bed, both[0], source="198.19.200.1"), Clients(self.bed, both[1], source="2001:db8:c::1000")]
        for clients in (busy, long, *idle):
            self.assertEqual(clients.open(COUNT)["ok"], COUNT)
            self.assertEqual(clients.echo(100)["answered"], COUNT)
        busy.start(100, 500)
        last_packets = time.monotonic()
        for clients in idle:
            clients.echo(100)
        until(lambda: sum(sum(clients.report()["lost"].values()) for clients in idle) > 0, "the first idle flow ended", IDLE * 1.1 + 60, 0.05)
        self.assertGreaterEqual(time.monotonic() - last_packets, IDLE, "not before its time")
        for clients in idle:
            until(lambda: clients.report()["lost"] == {"Connection reset by peer": COUNT}, lambda: f"all reset: {clients.report()}", 60)
        until(lambda: servers.report()["resets"] == 2 * COUNT, lambda: f"backends saw the resets too: {servers.report()}", 60)
        self.assertEqual(busy.stop()["unanswered"], 0)
        self.assert_unharmed(busy.report(), COUNT)
        self.assertEqual(long.echo(100)["answered"], COUNT)
        self.assert_unharmed(long.report(), COUNT)
        self.assertEqual(steady.report()["resets"], 0)
        self.assertEqual(daemon.counts("long"), {"b": COUNT})

    def test_a_restart_after_another_longest_timeout_ends_nobody(self):
        servers = Servers(self.bed, BACKENDS4[:2])

        def services(longest):
            return [Service("short", [f"{VIP4}:443"], [Backend("b", BACKENDS4[0])], idle_timeout="1m"),
                    Service("long", [f"{VIP4}:444"], [Backend("b", BACKENDS4[1])], idle_timeout=longest)]
        daemon = self.start(services("1h"), [Pool("main", pool4(2))])
        clients = Clients(self.bed, f"{VIP4}:443")
        self.assertEqual(clients.open(COUNT)["ok"], COUNT)

        def timers():
            listed = self.bed.run(daemon.namespace, "conntrack", "-L", "-p", "tcp").stdout
            return [int(left) for left in re.findall(r"^tcp +6 (\d+) ESTABLISHED", listed, re.MULTILINE)]
        for longest, before in (("24h", 4200), ("1h", 87000)):
            self.assertEqual(clients.echo(100)["answered"], COUNT)
            until(lambda before=before: before - 100 < min(timers()) <= max(timers()) < before - 1, "timers that began before the reload")
            daemon.reload(services(longest))
            daemon.restart()
            looks = daemon.child.errors().count("flows-counted")
            until(lambda: daemon.child.errors().count("flows-counted") > looks, "all flows are looked at", 60)
            self.assert_unharmed(clients.report(), COUNT)
            self.assertEqual(daemon.counts("short"), {"b": COUNT})
        self.assertEqual(servers.report()["resets"], 0)


if __name__ == "__main__":
    main()
