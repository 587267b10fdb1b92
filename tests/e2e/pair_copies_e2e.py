#!/usr/bin/python3
# timeout: 300
"""Copies on a standby live as long as their flows do, whoever served them before and whatever its configuration says now,
and are no new connections there."""

import re

from lib.bed import VIP4, VIP6, pool4
from lib.case import main
from lib.config import Pool
from lib.load import Clients
from lib.pair import PairTest
from lib.wait import until

HELD = 1_600_000        # seconds: a timer of which more is left is a standby's own
FLOWS = 200


class Rates(PairTest):
    def test_copies_are_no_new_connections(self):
        _, standby = self.start_pair()
        self.load(FLOWS)
        standby.kill()
        self.bed.reboot(standby.namespace)
        standby.start()
        self.until_copied()
        status = standby.status()
        copied = status["node"]["uptime_s"]
        rates = []

        def sampled():      # twice since they are there
            status = standby.status()
            rates.extend(service["rate"] for service in status["services"])
            return status["node"]["uptime_s"] > copied + 2
        until(sampled, "samples of the rates")
        self.assertGreaterEqual(sum(service["connections"] for service in status["services"]), FLOWS)
        self.assertEqual(max(rates), 0, rates)


class Timers(PairTest):
    def services(self):
        services = super().services()
        services[1].idle_timeout = "5s"     # so both nodes look at their tables every 2 s
        return services

    def timers(self, node):
        """Of the entries of established flows."""
        listed = self.bed.run(node.namespace, "conntrack", "-L").stdout
        return [int(found[1]) for found in re.finditer(r"^(?:tcp +6 (?=\d+ ESTABLISHED)|udp +17 )(\d+) .* mark=[1-9]", listed, re.MULTILINE)]

    def until_held(self, node):
        def held():
            timers = self.timers(node)
            return len(timers) > self.live and min(timers) > HELD
        until(held, lambda: f"timers that do not run out on {node.more['name']}: {sorted(self.timers(node))[:5]}", 30)

    def until_looked(self, node):
        """At its table, once more."""
        dumps = lambda: node.metrics()["wsl4_conntrack_dumps_total"]
        before = dumps()
        until(lambda: dumps() > before, f"a look of {node.more['name']} at its table")

    def test_none_runs_out_on_a_standby(self):
        active, standby = self.start_pair()
        self.load(FLOWS)
        quiet = Clients(self.bed, f"{VIP4}:443", source="198.19.200.1")
        self.assertEqual(quiet.open(FLOWS)["ok"], FLOWS)
        self.live += FLOWS
        self.until_held(standby)
        active.ctl("failover")
        self.until_copied()
        self.until_held(active)
        active.kill()
        active.start()
        self.until_copied()
        self.assertGreater(min(self.timers(active)), HELD, "also through a restart")
        self.goes_on()
        self.until_looked(active)
        self.until_held(active)
        self.assertEqual(quiet.echo()["answered"], FLOWS)
        self.assertEqual(active.events("drift-repaired"), [])
        standby.ctl("failover")
        self.until_copied()
        until(lambda: max(self.timers(active)) < HELD, "timers that run on the active")
        self.end_load()

    def test_what_has_closed_is_no_connection_after_a_takeover(self):
        active, standby = self.start_pair()
        self.load(FLOWS)
        chat = lambda node: next(service["connections"] for service in node.status()["services"] if service["name"] == "chat")
        before = chat(active)
        short = Clients(self.bed, f"{VIP4}:443", source="198.19.200.1", sources=1)
        self.assertEqual(short.open(FLOWS)["ok"], FLOWS)
        self.live += FLOWS
        self.until_copied()
        self.until_held(standby)
        short.close(FLOWS)
        self.live -= FLOWS
        until(lambda: chat(standby) == before, lambda: f"{before} connections: {chat(standby)}", 30)
        for _ in range(3):
            self.until_looked(standby)      # it holds what lives, and only that
        self.assertEqual(chat(standby), before)
        active.ctl("failover")
        self.until_active(standby)
        for _ in range(3):
            self.until_looked(standby)
        self.assertEqual(chat(standby), before)
        self.goes_on()
        self.end_load()


class FormerAddresses(PairTest):
    """VIPs and pool addresses that have left the file move with the role too, as long as connections use them."""

    def reload(self, services, addresses):
        for node in (self.a, self.b):
            node.reload(services, [Pool("main", addresses)])

    def expect_owned(self, active, standby, addresses):
        until(lambda: set(addresses) <= set(active.owns()), lambda: f"{addresses} on the active one: {active.owns()}")
        until(lambda: not standby.owns(), lambda: f"none on the other one: {standby.owns()}")

    def test_move_until_their_connections_end(self):
        for node in (self.a, self.b):       # a closed connection holds its addresses for a second here, not two minutes
            self.bed.sysctl(node.namespace, **{f"net.netfilter.nf_conntrack_tcp_timeout_{state}": 1 for state in ("close", "time_wait")})
        active, standby = self.start_pair()
        self.load(FLOWS)
        gone = [pool4(2)[1], VIP6]
        self.reload([service for service in self.services() if service.name != "six"], [one for one in self.pool() if one not in gone])
        self.expect_owned(active, standby, gone)
        for _ in range(2):
            active.ctl("failover")
            active, standby = standby, active
            self.assertIs(self.until_synced()[0], active)
            self.expect_owned(active, standby, gone)
            for name in (self.bed.clients, self.bed.backends):      # who remembers where an address was needs nobody to answer for it
                self.bed.ip(name, "neigh flush all")
            self.goes_on()
        self.end_load()
        for clients in self.clients:
            clients.close()

        def given_up():
            self.bed.run(active.namespace, "conntrack", "-L")       # a look at them makes the kernel forget expired ones
            return not set(gone) & set(active.owns())
        until(given_up, lambda: f"gone with their connections: {active.owns()}", 60, 0.5)


class Leftovers(PairTest):
    def test_flows_of_a_service_and_of_a_port_that_have_gone_from_the_file_survive_a_new_standby(self):
        active, standby = self.start_pair()
        self.load(FLOWS)
        chat, six, probe = self.services()
        chat.listen, six.name, six.listen = [f"{VIP4}:444"], "other", [f"[{VIP6}]:444"]
        for node in (active, standby):
            node.reload([chat, six, probe])
        self.goes_on()
        self.assertEqual(standby.events("copies-without-service"), [])
        standby.power_off()
        standby.power_on()
        self.until_copied()
        told = standby.events("copies-without-service")
        self.assertEqual(sorted(re.search(r"to (tcp \S+443),", event)[1] for event in told), sorted([f"tcp {VIP4}:443", f"tcp [{VIP6}]:443"]))
        self.assertEqual(standby.sync()["refused"], 0, "nobody has asked the kernel before the backends were known")
        active.power_off()
        self.until_active(standby)
        self.expect_unharmed()
        for clients in self.clients:
            clients.stop(60)
        self.clients = {}
        newcomers = Clients(self.bed, f"{VIP4}:444", source="198.19.200.1")
        self.assertEqual(newcomers.open(FLOWS)["ok"], FLOWS)


if __name__ == "__main__":
    main()
