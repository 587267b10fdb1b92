#!/usr/bin/python3
# timeout: 240
"""Changes at run time: add, drain with eviction, weight, disable, remove, rebalance, pick; kept over crashes, dropped by reset."""

import json

from lib.bed import BACKENDS4, VIP4, pool4
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.load import Clients, Servers
from lib.wait import until

COUNT = 600


class Runtime(E2eTest):
    def setUp(self):
        super().setUp()
        Servers(self.bed, BACKENDS4[:4])
        self.start([Service("chat", [f"{VIP4}:443"], [Backend(f"b{n}", BACKENDS4[n]) for n in range(2)], scheduler="least-connections")],
                   [Pool("main", pool4(2))])
        self.clients = Clients(self.bed, f"{VIP4}:443")

    def open(self, count):
        total = sum(self.daemon.counts("chat").values())
        for _ in range(count // 50):
            self.assertEqual(self.clients.open(50)["ok"], 50)
            total += 50
            until(lambda: sum(self.daemon.counts("chat").values()) == total, f"{total} flows counted")

    def backend(self, *arguments):
        return self.daemon.ctl("backend", *arguments)

    def expect_lost(self, number):
        until(lambda: sum(self.clients.report()["lost"].values()) == number, lambda: f"{number} resets: {self.clients.report()['lost']}", 30)
        self.assertEqual(self.clients.report()["lost"], {"Connection reset by peer": number} if number else {})

    def test_drain_with_eviction_resets_its_clients_and_no_others(self):
        self.open(COUNT)
        drained, left = self.daemon.counts("chat").values()
        self.backend("drain", "chat", "b0")
        self.open(50)
        left += 50
        self.assertEqual(self.daemon.counts("chat"), {"b0": drained, "b1": left})
        self.backend("drain", "chat", "b0", "--evict", "500")
        self.daemon.restart(9)
        until(lambda: self.daemon.counts("chat") == {"b0": 0, "b1": left}, lambda: f"empty: {self.daemon.counts('chat')}")
        # Whose entry was deleted right before the daemon was killed learns of it with the next message.
        self.assertEqual(self.clients.echo()["answered"], left)
        self.expect_lost(drained)
        self.assertEqual(self.daemon.backend("chat", "b0")["state"], "draining")
        self.backend("reset", "chat", "b0")
        self.assertEqual(self.daemon.backend("chat", "b0")["state"], "up")
        self.open(100)
        self.assertEqual(self.daemon.counts("chat")["b0"], 100)

    def test_a_drain_tells_when_it_will_be_empty(self):
        self.open(COUNT)
        self.backend("drain", "chat", "b0")
        self.assertIsNone(self.daemon.backend("chat", "b0")["empty_in_s"])
        self.clients.close(COUNT // 2, "reset")
        until(lambda: self.daemon.backend("chat", "b0")["empty_in_s"] is not None, "an estimate by those that have ended")

    def test_a_removed_backend_is_emptied(self):
        self.open(COUNT)
        removed, left = self.daemon.counts("chat").values()
        self.backend("remove", "chat", "b0")
        self.backend("drain", "chat", "b0", "--evict", "500")
        self.expect_lost(removed)
        self.assertEqual(self.clients.echo()["answered"], left)

    def test_add_and_rebalance(self):
        self.open(COUNT)
        self.backend("add", "chat", "b2", f"{BACKENDS4[2]}:80")
        self.assertEqual(self.daemon.ctl("backend", "add", "chat", "b2", f"{BACKENDS4[3]}:80", check=False).returncode, 1)
        self.daemon.ctl("rebalance", "chat", "--rate", "400")
        lost = 2 * (COUNT // 2 - COUNT // 3 - COUNT // 3 // 100)     # the surplus of two, less the margin
        self.expect_lost(lost)
        until(lambda: self.daemon.events("rebalance-ended") == ["done"], "told that it ended")
        self.open(150)
        self.expect_lost(lost)
        counts = self.daemon.counts("chat")
        self.assertLess(max(counts.values()) - min(counts.values()), 60, counts)
        self.assertEqual(self.clients.echo()["answered"], COUNT + 150 - lost)

    def test_remove_disable_weight_over_a_crash_and_a_reload(self):
        self.backend("add", "chat", "b2", f"{BACKENDS4[2]}:80", "--weight", "50")
        self.backend("disable", "chat", "b0")
        self.backend("weight", "chat", "b1", "10")
        self.assertEqual(self.daemon.events("backend-changed"), [f"added at {BACKENDS4[2]}:80, weight 50", "disabled", "weight 10"])
        self.daemon.restart(9)
        self.daemon.reload()
        shown = {backend["name"]: (backend["state"], backend["weight"], backend["changed"]) for backend in self.daemon.service("chat")["backends"]}
        self.assertEqual(shown, {"b0": ("disabled", 100, True), "b1": ("up", 10, True), "b2": ("up", 50, True)})
        self.open(300)
        self.assertEqual(self.daemon.counts("chat")["b0"], 0)
        self.assert_near(self.daemon.counts("chat")["b2"], 250, 0.1, "flows by weight 50 to 10")
        self.backend("remove", "chat", "b2")
        self.assertEqual(len(self.daemon.ctl_json("flows", "--backend", "b2", "--limit", "5")["flows"]), 5)
        for option, why in (("--backend", "no service has a backend 'nobody'"), ("--service", "there is no service 'nobody'")):
            refused = self.daemon.ctl("flows", option, "nobody", check=False)
            self.assertEqual((refused.returncode, refused.stdout, refused.stderr), (1, "", f"wsl4ctl: {why}\n"))
        self.assertEqual(self.clients.echo()["answered"], 300)
        self.assertEqual(self.daemon.backend("chat", "b2")["share"], 0)
        self.assertIn("no backend", self.daemon.ctl("backend", "disable", "chat", "b1").stdout + self.daemon.ctl("status").stdout)
        for name in ("b0", "b1"):
            self.backend("reset", "chat", name)
        self.assertEqual({backend["state"] for backend in self.daemon.service("chat")["backends"] if backend["name"] != "b2"}, {"up"})

    def test_a_change_of_a_service_that_has_left_the_file_can_be_dropped(self):
        self.backend("weight", "chat", "b1", "50")
        service = self.daemon.services.pop()
        self.daemon.services.append(Service("news", [f"{VIP4}:444"], service.backends))
        self.daemon.reload()
        self.assertIn("wsl4ctl backend reset chat b1", self.daemon.ctl("status").stdout)
        self.backend("reset", "chat", "b1")
        self.assertNotIn("backend reset", self.daemon.ctl("status").stdout)

    def test_picks_spread(self):
        self.open(100)
        self.backend("drain", "chat", "b1")
        self.open(50)
        self.backend("enable", "chat", "b1")
        picked = [self.daemon.ctl_json("pick", "chat")["backend"]]
        picked += [json.loads(self.daemon.get("/v1/services/chat/pick"))["backend"] for _ in range(59)]    # a pick counts for 5 s only
        for name, count in self.daemon.counts("chat").items():
            self.assertEqual(count + picked.count(name), (100 + 50 + 60) // 2, "the emptier one first, then in turn")
        self.assertEqual(self.daemon.ctl("pick", "nobody", check=False).returncode, 1)

    def test_picks_go_by_what_backends_say_of_themselves(self):
        self.open(100)
        for emptiest, counts in (("b1", (5000, 70)), ("b0", (70, 5000))):
            for name, count in zip(("b0", "b1"), counts):
                self.daemon.request("PATCH", f"/v1/services/chat/backends/{name}", json.dumps({"connections": count}))
            picked = {self.daemon.ctl_json("pick", "chat")["backend"] for _ in range(5)}
            self.assertEqual(picked, {emptiest})

    def test_a_thousand_changes_under_load(self):
        self.open(100)
        self.clients.start()
        churn = Clients(self.bed, f"{VIP4}:443", source="198.19.100.1")
        for number in range(250):
            self.backend("add", "chat", "b2", f"{BACKENDS4[2]}:80", "--weight", str(1 + number % 100))
            self.backend("weight", "chat", "b0", str(1 + number % 50))
            if number % 10 == 0:
                self.assertEqual(churn.churn(100)["failed"], {})
            self.backend("reset", "chat", "b2")
            self.backend("reset", "chat", "b0")
        self.assertEqual(self.clients.stop()["unanswered"], 0)
        self.assert_unharmed(self.clients.report(), 100)


if __name__ == "__main__":
    main()
