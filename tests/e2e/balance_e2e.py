#!/usr/bin/python3
# timeout: 240
"""Live counts decide: least-connections, limits and slow start, over joins, ends, reloads and crashes of the daemon."""

import dataclasses

from lib.bed import BACKENDS4, BACKENDS6, VIP4, VIP6, endpoint, pool4, pool6
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.load import Clients, Servers
from lib.wait import until

FLOWS = 2000    # on each backend


class Balance(E2eTest):
    def begin(self, backends, addresses=BACKENDS4[:4], pool=None, vip=VIP4, **settings):
        Servers(self.bed, addresses)
        self.service = Service("chat", [endpoint(vip, 443)], backends, scheduler="least-connections", **settings)
        self.start([self.service], [Pool("main", pool or pool4(4))])

    def reload(self, backends):
        self.service.backends = backends
        self.daemon.reload()

    def total(self):
        return sum(self.daemon.counts("chat").values())

    def is_near(self, weights, tolerance=0.02):
        counts = self.daemon.counts("chat")
        level = sum(counts.values()) / sum(weights.values())
        return all(abs(counts[name] - level * weight) <= max(2, tolerance * level * weight) for name, weight in weights.items())

    def expect_level(self, clients, weights):
        """How level a burst ends depends on how late its last flows are counted: so a few more come, a deal between them."""
        until(lambda: self.is_near(weights) or self.open_counted(clients, 10),
              lambda: f"counts by weights {weights}; status tells {self.daemon.counts('chat')}", 30, 0.2)

    def open(self, clients, count, **how):
        opened = clients.open(count, **how)
        self.assertEqual((opened["ok"], opened["failed"]), (count, {}))

    def open_counted(self, clients, count):
        before = self.total()
        self.open(clients, count)
        until(lambda: self.total() == before + count, lambda: f"{count} more flows counted than {before}")

    def open_slowly(self, clients, count, step):
        """What arrives between two deals is dealt by the counts of the first: so each step waits until it is counted."""
        for _ in range(count // step):
            self.open_counted(clients, step)

    def test_a_newcomer_is_filled_first_and_a_crash_changes_nothing(self):
        three = [Backend(f"b{n}", BACKENDS4[n]) for n in range(3)]
        self.begin(three)
        clients = Clients(self.bed, f"{VIP4}:443")
        self.open_counted(clients, 3 * FLOWS)
        self.expect_level(clients, {f"b{n}": 1 for n in range(3)})
        held = self.daemon.counts("chat")
        self.reload(three + [Backend("b3", BACKENDS4[3])])
        self.open_slowly(clients, FLOWS // 2, 50)
        self.daemon.restart(9)
        self.open_slowly(clients, FLOWS // 2, 50)
        counts = self.daemon.counts("chat")
        self.assertLess(sum(counts[name] - held[name] for name in held), FLOWS / 20, "nearly all go to the newcomer while it has fewest")
        self.open_slowly(clients, FLOWS // 2, 50)
        self.open_counted(clients, FLOWS)
        self.expect_level(clients, {f"b{n}": 1 for n in range(4)})
        self.assertEqual(clients.echo()["answered"], self.total())

    def test_by_weight_and_after_ends(self):
        weights = {"b0": 100, "b1": 200, "b2": 300}
        self.begin([Backend(name, BACKENDS4[n], weight=weight) for n, (name, weight) in enumerate(weights.items())])
        clients = Clients(self.bed, f"{VIP4}:443")
        self.open_counted(clients, 6000)
        self.expect_level(clients, weights)
        for how in ("fin", "reset"):        # whoever lost some gets them back
            left = self.total() - 3000
            clients.close(3000, how)
            until(lambda: self.total() == left, lambda: f"{left} flows left: {self.daemon.counts('chat')}", 20, 0.2)
            self.open_counted(clients, 3000)
            self.expect_level(clients, weights)

    def test_the_next_flow_goes_to_the_emptiest(self):
        self.begin([Backend(f"b{n}", BACKENDS6[n]) for n in range(3)], addresses=BACKENDS6[:3], pool=pool6(2), vip=VIP6)
        clients = Clients(self.bed, endpoint(VIP6, 443), source="2001:db8:c::1000")
        for number in range(1, 10):
            self.open(clients, 1)
            until(lambda: self.total() == number, f"{number} flows counted")
            counts = self.daemon.counts("chat").values()
            self.assertLessEqual(max(counts) - min(counts), 1, counts)
            until(lambda: self.emptiest_gets_all(), lambda: f"shares by counts: {self.daemon.service('chat')}")

    def emptiest_gets_all(self):
        backends = self.daemon.service("chat")["backends"]
        least = min(backend["connections"] for backend in backends)
        return all(backend["share"] < 0.1 for backend in backends if backend["connections"] > least)

    def test_max_connections_ends_a_share_and_all_full_is_a_reset(self):
        limited = [dataclasses.replace(Backend(f"b{n}", BACKENDS4[n]), max_connections=limit) for n, limit in enumerate((100, 300))]
        self.begin(limited)
        clients = Clients(self.bed, f"{VIP4}:443")
        self.open_slowly(clients, 300, 30)
        until(lambda: self.is_near({"b0": 1, "b1": 2}, 0.3), lambda: f"b0 full: {self.daemon.counts('chat')}")
        opened = clients.open(400, concurrency=1)
        held = self.total()
        self.assertGreaterEqual(held, 390)
        self.assertEqual((set(opened["failed"]), opened["unfinished"]), ({"Connection refused"}, 0), "a reset: nothing waits")
        refused = self.daemon.service("chat")["refused_by"]
        self.assertEqual((refused["full"], refused["no_backend"]), (opened["failed"]["Connection refused"], 0))
        self.assertEqual({backend["share"] for backend in self.daemon.service("chat")["backends"]}, {0})
        clients.close(200, "reset")
        until(lambda: any(backend["share"] for backend in self.daemon.service("chat")["backends"]), "a share for what ended")
        until(lambda: self.total() == held - 200, "ended flows leave the counts")
        self.open(clients, 50, concurrency=4)

    def test_clients_over_their_limit_are_reset_also_after_a_crash(self):
        self.begin([Backend("b0", BACKENDS4[0])], addresses=BACKENDS4[:1], client_limits={"connections": 5})
        greedy, modest = (Clients(self.bed, f"{VIP4}:443", source=source, sources=1) for source in ("198.19.7.1", "198.19.7.2"))
        self.open(modest, 3)
        opened = greedy.open(8, concurrency=1)
        self.assertEqual((opened["ok"], opened["failed"]), (5, {"Connection refused": 3}))
        self.daemon.restart(9)
        self.assertEqual(greedy.open(2, concurrency=1)["failed"], {"Connection refused": 2})
        self.open(modest, 2)
        self.assertEqual(self.daemon.service("chat")["refused_by"], {"no_backend": 0, "full": 0, "client_limit": 5})
        greedy.close(2, "reset")
        until(lambda: greedy.open(1)["ok"] == 1, "room for one more after two have ended")

    def test_slow_start_holds_a_newcomer_back(self):
        pair = [Backend(f"b{n}", BACKENDS4[n]) for n in range(2)]
        self.begin(pair[:1], slow_start="1h")
        clients = Clients(self.bed, f"{VIP4}:443")
        self.open(clients, 500)
        self.reload(pair)
        until(lambda: self.daemon.backend("chat", "b1")["share"] > 0, "a share for the newcomer")
        self.daemon.restart(9)
        self.open(clients, 1000)
        until(lambda: self.total() == 1500, lambda: f"1500 flows: {self.daemon.counts('chat')}")
        newcomer = self.daemon.counts("chat")["b1"]
        self.assertGreater(newcomer, 20)
        self.assertLess(newcomer, 0.08 * 1000, "a tenth of its fair half of what came, and a slot's rounding")


if __name__ == "__main__":
    main()
