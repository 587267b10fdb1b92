#!/usr/bin/python3
# timeout: 240
"""Health: who fails loses its share, its clients are reset and served by the others, and nobody else notices."""

import dataclasses

from lib.bed import BACKENDS4, VIP4, pool4
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.load import Clients, Servers
from lib.wait import until

EACH = 100
QUICK = {"type": "tcp", "interval": "200ms", "timeout": "200ms", "fall": 2}


class Health(E2eTest):
    def begin(self, count=3, health=None, **settings):
        self.servers = [Servers(self.bed, [address]) for address in BACKENDS4[:count]]
        service = Service("chat", [f"{VIP4}:443"], [Backend(f"b{n}", BACKENDS4[n]) for n in range(count)],
                          scheduler="least-connections", health=health or QUICK, **settings)
        self.start([service], [Pool("main", pool4(2))])
        self.expect_states({f"b{n}": "up" for n in range(count)})

    def states(self):
        return {backend["name"]: backend["state"] for backend in self.daemon.service("chat")["backends"]}

    def expect_states(self, states):
        until(lambda: self.states() == states, lambda: f"{states}; status: {self.daemon.service('chat')['backends']}", 30, 0.1)

    def open(self, count):
        clients = Clients(self.bed, f"{VIP4}:443")
        for _ in range(10):
            self.assertEqual(clients.open(count // 10)["ok"], count // 10)
        until(lambda: sum(self.daemon.counts("chat").values()) == count, "all flows counted")
        return clients

    def events(self):
        return [event["name"] for event in self.daemon.ctl_json("events")["events"]]

    def cut_off(self, number):
        """The host is gone: nothing answers at its address."""
        self.bed.ip(self.bed.backends, f"addr del {BACKENDS4[number]}/24 dev back")

    def test_a_host_is_cut_off_and_comes_back(self):
        self.begin()
        clients = self.open(3 * EACH)
        on_it = self.daemon.counts("chat")["b1"]
        self.cut_off(1)
        self.expect_states({"b0": "up", "b1": "down", "b2": "up"})
        # Idle clients are reset too, and connect again at once.
        until(lambda: clients.report()["lost"] == {"Connection reset by peer": on_it}, lambda: f"resets: {clients.report()['lost']}")
        self.assertEqual(clients.open(on_it)["ok"], on_it)
        self.assertEqual(clients.echo()["answered"], 3 * EACH)
        until(lambda: self.daemon.counts("chat")["b1"] == 0, "the dead backend has no flow any more")
        down = self.daemon.backend("chat", "b1")
        self.assertEqual((down["share"], down["check"]["ok"]), (0, False))
        told = {(event["name"], event["backend"]) for event in self.daemon.ctl_json("events")["events"]}
        self.assertLessEqual({("backend-down", "b1"), ("flows-reset", "b1")}, told)
        self.bed.ip(self.bed.backends, f"addr add {BACKENDS4[1]}/24 dev back")
        self.expect_states({"b0": "up", "b1": "up", "b2": "up"})
        self.assertEqual(clients.open(EACH)["ok"], EACH)
        until(lambda: self.daemon.counts("chat")["b1"] > EACH // 2, "the one that came back is filled first")

    def test_keep_keeps(self):
        self.begin(2, on_backend_down="keep")
        clients = self.open(2 * EACH)
        self.cut_off(1)
        self.expect_states({"b0": "up", "b1": "down"})
        self.bed.ip(self.bed.backends, f"addr add {BACKENDS4[1]}/24 dev back")
        self.expect_states({"b0": "up", "b1": "up"})
        self.assertEqual(clients.echo()["answered"], 2 * EACH)
        self.assert_unharmed(clients.report(), 2 * EACH)

    def test_a_wrong_answer_takes_the_share_but_no_flow(self):
        self.begin(2)
        clients = self.open(2 * EACH)
        service = self.daemon.services[0]
        self.assertEqual(self.daemon.ctl("reload", "--dry-run").stdout, "nothing would change\n")
        self.daemon.services = [dataclasses.replace(service, health={**QUICK, "type": "http", "path": "/health", "expect": "204"})]
        self.daemon.write()
        self.assertIn("only what the daemon itself does", self.daemon.ctl("reload", "--dry-run").stdout)
        self.daemon.reload()
        self.expect_states({"b0": "down", "b1": "down"})
        self.assertEqual(clients.echo()["answered"], 2 * EACH)
        self.assert_unharmed(clients.report(), 2 * EACH)
        self.assertTrue(any("no backend" in warning for warning in self.daemon.status()["warnings"]))

    def test_all_at_once_is_no_reason_to_reset(self):
        self.begin(2)
        clients = self.open(2 * EACH)
        self.bed.ip(self.bed.backends, "link set back down")
        self.expect_states({"b0": "down", "b1": "down"})
        until(lambda: "all-backends-down" in self.events(), lambda: f"told: {self.events()}")
        self.bed.ip(self.bed.backends, "link set back up", "route add default via 198.18.2.2")
        self.expect_states({"b0": "up", "b1": "up"})
        self.assertEqual(clients.echo()["answered"], 2 * EACH)
        self.assert_unharmed(clients.report(), 2 * EACH)
        self.assertNotIn("flows-reset", self.events())

    def test_who_stays_down_when_the_others_are_back_has_its_connections_reset(self):
        self.begin(2)
        clients = self.open(2 * EACH)
        on_it = self.daemon.counts("chat")["b1"]
        self.bed.ip(self.bed.backends, "link set back down")
        self.expect_states({"b0": "down", "b1": "down"})
        until(lambda: "all-backends-down" in self.events(), lambda: f"told: {self.events()}")
        self.cut_off(1)
        self.bed.ip(self.bed.backends, "link set back up", "route add default via 198.18.2.2")
        self.expect_states({"b0": "up", "b1": "down"})
        until(lambda: clients.report()["lost"] == {"Connection reset by peer": on_it}, lambda: f"reset: {clients.report()}", 30)
        self.assertEqual(clients.echo()["answered"], 2 * EACH - on_it)
        self.assertEqual(self.events().count("flows-reset"), 1)

    def test_connections_that_nobody_answers_make_it_look_at_once(self):
        """Between two checks half an hour passes; what clients meet is seen in seconds."""
        self.begin(2, {"type": "tcp", "interval": "30m", "timeout": "200ms"})
        clients = self.open(2 * EACH)
        self.cut_off(1)
        until(lambda: clients.open(10, seconds=2)["ok"] is not None and self.states()["b1"] == "down", lambda: f"b1 down: {self.states()}", 60)
        self.assertEqual(self.states()["b0"], "up")
        # Of another process: some of the first one's may have waited until b1 was down, and come now.
        self.assertEqual(Clients(self.bed, f"{VIP4}:443").open(50)["ok"], 50)
        until(lambda: self.daemon.counts("chat")["b1"] == 0, "the others are looked at too, and its clients are reset", 60)

    def test_a_websocket_handshake(self):
        self.begin(2, {**QUICK, "type": "websocket", "path": "/echo"})
        self.assertIn("101", self.daemon.backend("chat", "b0")["check"]["detail"])
        self.daemon.restart(9)
        self.expect_states({"b0": "up", "b1": "up"})


if __name__ == "__main__":
    main()
