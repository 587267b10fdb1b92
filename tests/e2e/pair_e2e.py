#!/usr/bin/python3
# timeout: 600
"""A pair under live echoing WebSocket connections, IPv4 and IPv6: whatever happens to one node, or between the two, no connection
is lost. WSL4_LONG=1 runs it with 22,000 connections, and with 2,000 new ones a second in the takeover."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from lib.bed import BACKENDS4, BACKENDS6, VIP4, VIP6, pool4
from lib.case import main
from lib.config import Backend, Pool, Service
from lib.join import Node, certificate, write_secret
from lib.live_pair import ADVERTS, SYNC, LivePair
from lib.load import Clients, Servers
from lib.pair import LONG, PairTest
from lib.wait import until


class Takeover(LivePair):
    def test_power_cut_of_the_active_and_its_return(self):
        self.calm()
        self.a.power_off()
        self.until_active(self.b)
        peer = self.b.status()["ha"]["peer"]
        self.assertEqual((peer["connected"], peer["role"]), (False, None), "its connection may stand for a second still")
        self.outage("power cut, 100 ms adverts (bound: 3 adverts + skew + 100 ms = 461 ms)")
        self.expect_unharmed()
        self.a.power_on()
        self.expect_pair(self.b)
        self.b.power_off()
        self.until_active(self.a)
        self.expect_unharmed()
        self.b.power_on()
        self.expect_pair(self.a)
        self.end_load()

    def test_daemons_die_alone(self):
        self.assertIn("a daemon runs with", self.a.release())
        self.assertEqual(self.a.owns(), sorted(self.a.moving))
        self.a.kill()
        self.until_active(self.b)
        self.expect_unharmed()
        self.assertEqual(self.a.owns(), sorted(self.a.moving), "nobody has released them: its kernel still answers")
        self.a.write(self.a.text() + "broken = [\n")
        self.assertIn("6 addresses withdrawn", self.a.release())
        self.a.write()
        self.assertEqual(self.a.owns(), [])
        until(lambda: self.b.sync()["state"] == "disconnected", "the loss of the peer noticed")
        self.assertIn("no synced peer", self.b.release())
        self.assertEqual(self.b.owns(), sorted(self.b.moving))
        self.expect_unharmed()
        self.a.start()
        self.expect_pair(self.b)
        self.a.kill()               # a standby's
        until(lambda: self.b.sync()["state"] == "disconnected", "the loss of the peer noticed")
        self.goes_on()
        self.assertEqual(self.b.role(), "active")
        self.a.start()
        self.expect_pair(self.b)
        self.b.restart()            # a stop hands over first
        self.expect_pair(self.a)
        self.end_load()

    def test_planned_failover_ten_times(self):
        active, standby = self.a, self.b
        gaps = []
        synced = [len(node.events("synced")) for node in (self.a, self.b)]
        self.calm()
        for _ in range(10):
            self.assertIn("is active", active.ctl("failover").stdout)
            active, standby = standby, active
            self.assertIs(self.until_synced()[0], active)
            gaps.append(self.probe.ask("report")["gap_ms"])
        print(f"    planned failovers: longest gaps {gaps} ms (bound 20), longest answer {self.longest_answer()} ms", flush=True)
        self.expect_pair(self.a)
        self.assertEqual([len(node.events("synced")) for node in (self.a, self.b)], [count + 10 for count in synced], "told once each time")
        self.end_load()

    def test_the_sync_link_is_cut_and_heals(self):
        self.a.links("down", "sync")
        until(lambda: self.a.sync()["state"] == "disconnected", "the loss of the link noticed")
        self.assertRegex(self.a.ctl("failover", check=False).stderr, "not connected")
        more = Clients(self.bed, f"{VIP4}:443", source="198.19.200.1")
        self.assertEqual(more.open(200)["ok"], 200)
        self.clients[more] = 200
        self.live += 200
        self.goes_on()
        self.until_advertised(self.a)
        self.assertEqual(self.roles(), {"lb-a": "active", "lb-b": "standby"})
        self.a.links("up", "sync")
        self.expect_pair(self.a)
        self.assertEqual(self.a.status()["ha"]["transitions"], 1)
        more.stop(30)
        self.end_load()

    def test_adverts_are_cut_while_the_session_stands(self):
        self.cut(ADVERTS)
        received = self.b.status()["ha"]["adverts"]["received"]
        self.until_advertised(self.a, 40)
        self.goes_on()
        self.assertEqual(self.b.status()["ha"]["adverts"]["received"], received)
        self.assertEqual(self.roles(), {"lb-a": "active", "lb-b": "standby"})
        until(lambda: "no adverts of the active come in by front" in "".join(self.b.status()["warnings"]), "the warning of lb-b")
        self.assertEqual(self.a.status()["warnings"], [])
        self.heal()
        until(lambda: not self.b.status()["warnings"], lambda: f"no warning: {self.b.status()['warnings']}")
        self.end_load()

    def test_split_brain_heals(self):
        self.cut(ADVERTS, SYNC)
        until(lambda: self.roles() == {"lb-a": "active", "lb-b": "active"}, lambda: f"two actives: {self.roles()}")
        self.goes_on()
        self.until_advertised(self.b)
        self.goes_on()
        self.heal()
        self.expect_pair(self.a)
        self.end_load()

    def test_a_node_that_can_have_no_session_takes_nothing_from_a_living_active(self):
        # Its adverts are another router's, and its settings are not those of the peer: only the greeting tells.
        self.b.stop()
        self.b.more["ha"] += "virtual_router_id = 52\n"
        self.b.write()
        self.b.start()
        says = lambda: " ".join(self.b.status()["warnings"])
        until(lambda: "must be the same on both nodes: ha.virtual_router_id" in says(), lambda: f"why there is no session: {says()}")
        self.until_advertised(self.a, 60)
        self.assertEqual((self.roles(), self.b.owns()), ({"lb-a": "active", "lb-b": "standby"}, []))
        self.expect_unharmed()
        self.a.power_off()
        self.until_active(self.b, 30)

    def test_takeover_while_connections_arrive(self):
        newcomers = Clients(self.bed, f"{VIP4}:443", source="198.19.100.1")
        count, under_way = 20000 if LONG else 4000, 32
        before = self.a.sync()["sent"]
        with ThreadPoolExecutor(1) as threads:
            churn = threads.submit(newcomers.churn, count, concurrency=under_way, echo=True, how="fin")
            until(lambda: self.a.sync()["sent"] > before + count / 4, "connections coming")
            self.a.power_off()
            self.assertFalse(churn.done(), "connections still come when the power is cut")
            self.until_active(self.b)
            result = churn.result()
        print(f"    {count} arrive meanwhile: {result['ok']} opened, {result['failed']} failed, {result['lost']} lost", flush=True)
        self.assertEqual((result["ok"] + sum(result["failed"].values()), result["waiting"]), (count, 0), result)
        younger = sum(result["failed"].values()) + sum(result["lost"].values())
        self.assertLessEqual(younger, under_way, "not copied yet when the power was cut: no more than were under way")
        self.expect_unharmed()
        self.end_load()

    def test_signals_and_operators(self):
        self.calm()
        self.a.stop(signal.SIGTERM)
        self.until_active(self.b)
        self.outage("clean stop")
        self.assertEqual(self.a.owns(), [])
        self.expect_unharmed()
        until(lambda: f"lb-b active {VIP4} {VIP6}" in self.hooks(), lambda: f"the hook of lb-b: {self.hooks()}")
        self.a.start()
        self.expect_pair(self.b)
        until(lambda: self.hooks()[-1].startswith("lb-a standby"), lambda: f"the hook of lb-a: {self.hooks()}")
        refused = self.a.ctl("backend", "drain", "chat", "b0", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertRegex(refused.stderr, "standby: changes are for the active one")
        self.b.ctl("backend", "drain", "chat", "b0")
        until(lambda: self.a.backend("chat", "b0")["state"] == "draining", "the drain on the standby")
        self.b.ctl("failover")
        self.until_active(self.a)
        self.assertEqual(self.a.backend("chat", "b0")["state"], "draining")
        self.end_load()

    def test_a_stop_of_the_last_node_leaves_everything_as_it_is(self):
        self.b.stop()
        until(lambda: self.a.sync()["state"] == "disconnected", "the loss of the peer noticed")
        self.goes_on()
        self.assertEqual(self.a.stop(), 0)
        self.assertIn("no peer can take over", self.a.child.errors())
        self.assertIn("no synced peer", self.a.release())
        self.assertEqual(self.a.owns(), sorted(self.a.moving))
        newcomers = Clients(self.bed, f"{VIP4}:443", source="198.19.100.1")
        self.assertEqual(newcomers.churn(200, concurrency=8, echo=True, how="fin")["ok"], 200)
        self.expect_unharmed()
        self.a.start()
        self.until_active(self.a)
        self.assertEqual(self.a.events("addresses-removed") + self.a.events("addresses-added"), [])
        self.expect_unharmed()
        self.b.start()
        self.expect_pair(self.a)
        self.end_load()


class StoppedTogether(PairTest):
    """As when a tool upgrades both machines at once."""

    def stop_together(self, pause):
        """One after the other, `pause` seconds between them; who has the addresses after it."""
        active, standby = self.until_synced()
        active.child.kill(signal.SIGTERM)
        time.sleep(pause)
        standby.child.kill(signal.SIGTERM)
        self.assertEqual([node.child.wait() for node in (active, standby)], [0, 0])
        return sorted(self.a.owns() + self.b.owns())

    def test_one_keeps_the_addresses(self):
        self.start_pair()
        self.load(200)
        for pause in (0, 0.005, 0.01, 0.02):
            self.assertEqual(self.stop_together(pause), sorted(self.a.moving), f"{pause} s between the stops")
            self.goes_on()
            self.start_pair()
            self.goes_on()
        self.end_load()

    def test_a_node_whose_hook_still_runs_after_its_stop_is_no_peer(self):
        with open(self.hook, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nexec sleep 4\n")
        self.start_pair()
        self.assertEqual(self.stop_together(1), sorted(self.a.moving))


class StoppedAsTheLast(PairTest):
    """The other node is started afterwards: both machines have the addresses then."""

    def conflicts(self):
        return [warning for warning in self.b.status()["warnings"] if "also held by" in warning]

    def test_the_next_active_names_it_until_its_purge(self):
        self.a.start()
        self.until_active(self.a)
        self.a.stop()
        self.b.start()
        self.until_active(self.b)
        mac = self.bed.mac("front")
        until(lambda: any(warning.startswith(f"{VIP4} on front is also held by {mac}") for warning in self.conflicts()),
              lambda: f"the conflict told: {self.b.status()['warnings']}")
        told = "\n".join(self.conflicts())
        self.assertIn(VIP6, told)
        self.assertIn(pool4(1)[0], told)
        self.assertIn("wsl4ctl purge there", told)
        self.assertEqual(self.a.purge().returncode, 0)
        until(lambda: not self.conflicts(), lambda: f"the end of the conflict: {self.conflicts()}")
        self.assertTrue(self.b.events("address-conflict-over"))


class External(PairTest):
    """Somebody else says who is active."""

    def node(self, name, namespace, host, number, priority, **more):
        return super().node(name, namespace, host, number, priority, election="external", **more)

    def start_connected(self):
        self.a.start()
        self.b.start()
        until(lambda: all(node.status()["ha"]["peer"]["connected"] for node in (self.a, self.b)), "a session")

    def start_promoted(self):
        """lb-a is active."""
        self.start_connected()
        self.a.ctl("promote")
        self.until_synced()

    def test_promote_and_demote(self):
        self.start_connected()
        self.assertEqual(self.roles(), {"lb-a": "standby", "lb-b": "standby"})
        for node in (self.a, self.b):
            self.assertEqual(node.status()["warnings"], ["no active node is heard of: wsl4ctl promote makes this one active"])
        self.b.ctl("promote")
        self.assertIs(self.until_synced()[0], self.b)
        until(lambda: not self.a.status()["warnings"], lambda: f"no warning: {self.a.status()['warnings']}")
        self.load(500)
        self.a.ctl("promote")
        self.assertIs(self.until_synced()[0], self.a)
        self.expect_unharmed()
        self.a.kill()
        self.assertIn("goes on forwarding", self.a.release("signal"))
        self.goes_on()
        self.assertEqual(self.b.role(), "standby")
        self.a.start()
        self.assertIs(self.until_synced()[0], self.a, "what was said last holds")
        self.expect_unharmed()
        self.a.restart()
        self.assertIs(self.until_synced()[0], self.b, "a stop has handed over, and nobody has said anything else")
        self.end_load()

    def test_a_hook_that_fails_is_a_warning_until_one_has_run(self):
        warning = f"the hook {self.hook} ended with status 3"
        warns = lambda: warning in self.a.status()["warnings"]
        with open(self.hook, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nexit 3\n")
        self.start_promoted()
        until(warns, lambda: f"the warning of a failed hook: {self.a.status()['warnings']}")
        self.assertTrue(self.a.events("hook-failed"))
        with open(self.hook, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n")
        self.b.ctl("promote")
        until(lambda: not warns(), lambda: f"no warning any more: {self.a.status()['warnings']}")

    def test_a_forced_failover_to_nobody(self):
        self.start_promoted()
        self.b.kill()
        until(lambda: self.a.sync()["state"] == "disconnected", "the loss of lb-b noticed")
        self.assertRegex(self.a.ctl("failover", check=False).stderr, "not connected")
        self.assertIn("this node has given the active role up; lb-b is not connected", self.a.ctl("failover", "--force").stdout)
        self.assertEqual(self.a.role(), "standby")
        self.assertIn("makes this one active; first make sure that the other one is not", "".join(self.a.status()["warnings"]))

    def test_of_two_actives_the_last_promoted_stays(self):
        # lb-a has the higher priority; its daemon starts again meanwhile, which is no later word.
        self.start_promoted()
        self.a.links("down", "sync")
        until(lambda: all(node.sync()["state"] == "disconnected" for node in (self.a, self.b)), "the loss of the session noticed")
        self.b.ctl("promote")
        self.a.restart(signal.SIGKILL)
        until(lambda: self.roles() == {"lb-a": "active", "lb-b": "active"}, lambda: f"two actives: {self.roles()}")
        before = self.hooks().count(f"lb-b active {VIP4} {VIP6}")
        self.a.links("up", "sync")
        self.assertIs(self.until_synced()[0], self.b)
        self.assertIn("role-kept", self.b.ctl("events").stdout)
        until(lambda: self.hooks().count(f"lb-b active {VIP4} {VIP6}") == before + 1, lambda: f"once more the hook of lb-b: {self.hooks()}")

    def test_addresses_that_somebody_else_left_on_a_standby(self):
        for node in (self.a, self.b):
            node.write(node.text() + "[addresses]\nmanage = false\n")
        self.start_promoted()
        addresses = [f"addr add {VIP4}/32 dev front", f"addr add {pool4(1)[0]}/32 dev back"]
        self.bed.ip(self.a.namespace, *addresses)
        self.assertEqual(self.a.status()["warnings"], [])
        self.a.ctl("failover")
        self.until_active(self.b)
        until(lambda: f"yet has {VIP4} on front and 1 more" in "".join(self.a.status()["warnings"]),
              lambda: f"a warning: {self.a.status()['warnings']}")
        self.bed.ip(self.a.namespace, *(line.replace("addr add", "addr del") for line in addresses))
        until(lambda: not self.a.status()["warnings"], lambda: f"no warning: {self.a.status()['warnings']}")

    def test_what_was_said_last_moves_with_the_role(self):
        def promoted():
            said = []
            for node in (self.a, self.b):
                with open(os.path.join(node.state, "pair.json"), encoding="utf-8") as file:
                    said.append(json.load(file)["promoted"])
            return said
        self.start_promoted()
        self.b.ctl("promote")
        self.assertIs(self.until_synced()[0], self.b)
        until(lambda: promoted() == [False, True], lambda: f"{promoted()} after a promotion of the peer")
        self.b.ctl("failover")
        self.assertIs(self.until_synced()[0], self.a)
        until(lambda: promoted() == [True, False], lambda: f"{promoted()} after a planned failover")

    def test_changes_of_an_active_that_is_none_any_more_are_not_followed(self):
        self.start_promoted()
        self.a.ctl("backend", "disable", "chat", "b0")
        self.b.ctl("promote")
        self.assertIs(self.until_synced()[0], self.b)
        self.b.ctl("backend", "enable", "chat", "b0")
        self.b.ctl("backend", "disable", "chat", "b1")
        def states(node):
            return [node.backend("chat", name)["state"] == "disabled" for name in ("b0", "b1")]
        until(lambda: states(self.a) == [False, True], lambda: f"{states(self.a)} followed")
        self.b.restart(signal.SIGKILL)
        self.assertIs(self.until_synced()[0], self.b)
        for node in (self.a, self.b):
            self.assertEqual(states(node), [False, True])


class ChangedApart(PairTest):
    """What was changed at run time while the other node was away."""

    def disabled(self, node, *names):
        return [node.backend("chat", name)["state"] == "disabled" for name in names]

    def states(self, *names):
        return [self.disabled(node, *names) for node in (self.a, self.b)]

    def alone(self, node, other):
        """`other` goes, and `node` comes, who has not heard of it."""
        other.stop()
        node.start()
        self.until_active(node)

    def test_reaches_a_node_that_became_active_without_it(self):
        self.start_pair()
        self.b.stop()
        self.a.ctl("backend", "disable", "chat", "b0")
        self.alone(self.b, self.a)
        self.assertEqual(self.b.backend("chat", "b0")["state"], "up")
        self.a.start()
        self.assertIs(self.until_synced()[0], self.b)
        until(lambda: self.states("b0") == [[True], [True]], lambda: f"b0 disabled on both: {self.states('b0')}")
        self.b.ctl("backend", "enable", "chat", "b0")
        until(lambda: self.states("b0") == [[False], [False]], lambda: f"b0 enabled on both: {self.states('b0')}")

    def test_on_both_is_told_and_the_actives_counts(self):
        self.start_pair()
        self.b.stop()
        self.a.ctl("backend", "disable", "chat", "b0")
        self.alone(self.b, self.a)
        self.b.ctl("backend", "disable", "chat", "b1")
        self.a.start()
        self.assertIs(self.until_synced()[0], self.b)
        until(lambda: self.states("b0", "b1") == [[False, True]] * 2, lambda: f"lb-b's changes on both: {self.states('b0', 'b1')}")
        for node, where in ((self.a, "on the active"), (self.b, "here")):
            until(lambda: node.events("changes-dropped"), lambda: f"the changes dropped told by {node.more['name']}")
            dropped = node.events("changes-dropped")
            self.assertEqual(len(dropped), 1, dropped)
            self.assertRegex(dropped[0], f"made again {where}: chat/b0, chat/b1$")
        self.b.stop()
        self.until_active(self.a)
        self.assertEqual(self.disabled(self.a, "b0", "b1"), [False, True])


class OtherAddresses(PairTest):
    """What a reload, or a link that was made anew, changes of the addresses that move."""
    MANY = [f"[2001:db8:1::1:{n:x}]:443" for n in range(300)]

    def node(self, name, namespace, host, number, priority, **more):
        return super().node(name, namespace, host, number, priority, interface="sync", **more)

    def services(self):
        return [Service("six", self.MANY, [Backend("s", BACKENDS6[0])])]

    def pool(self):
        return ["198.18.1.50", "2001:db8:1::50"]

    def reload(self, service, pool):
        for node in (self.a, self.b):
            node.reload([service], [Pool("main", pool)])

    def until_adverts_go_on(self):
        def received():
            return [node.status()["ha"]["adverts"]["received"] for node in (self.a, self.b)]
        before = received()
        until(lambda: max(now - then for now, then in zip(received(), before)) > 5, lambda: f"adverts: {before}, {received()}")
        for node in (self.a, self.b):
            self.assertNotIn("adverts are not sent", node.ctl("status").stdout)

    def test_adverts_go_on_with_more_addresses_than_they_hold_and_in_another_family(self):
        active, standby = self.start_pair()
        self.until_adverts_go_on()
        active.ctl("failover")
        self.until_active(standby)
        self.until_synced()
        self.assertEqual([len(active.owns()), len(standby.owns())], [0, 302])
        self.until_adverts_go_on()
        self.reload(Service("four", [f"{VIP4}:443"], [Backend("f", BACKENDS4[0])]), self.pool())
        self.until_adverts_go_on()

    def test_adverts_go_on_over_an_interface_that_was_made_anew(self):
        self.start_pair()
        self.bed.ip(self.bed.balancer, "link del sync")
        until(lambda: "adverts are not sent" in self.a.ctl("status").stdout, "the loss told")
        self.bed.lay_sync()
        self.until_synced()
        self.until_adverts_go_on()

    def test_an_interface_that_a_reload_brings_is_tracked(self):
        active, standby = self.start_pair()
        active.links("down", "back")
        self.until_adverts_go_on()
        self.assertEqual(active.role(), "active", "neither VIPs nor pool addresses are there")
        active.links("up", "back")
        self.reload(Service("four", [f"{VIP4}:443"], [Backend("f", BACKENDS4[0])]), pool4(2))
        active.links("down", "back")
        self.until_active(standby)
        self.assertEqual(active.role(), "fault")
        active.links("up", "back")
        self.until_synced()


class Joining(PairTest):
    """Nodes register at a VIP, where the active is."""

    def setUp(self):
        super().setUp()
        crt, key = certificate(self.bed, "tls", f"IP:{VIP4}")
        tokens = self.bed.path("tokens")
        write_secret(tokens, "token-for-everything *\n")
        settings = {"register": f"{VIP4}:9443", "token_file": tokens, "tls_certificate": crt, "tls_key": key}
        for node in (self.a, self.b):
            node.more["control"] = "".join(f'{key} = "{value}"\n' for key, value in settings.items())
            node.write()
        self.joining = Node(self.bed, f"{VIP4}:9443", crt, "token-for-everything", self.bed.clients)

    def test_nodes_join_at_the_vip_also_after_a_failover(self):
        active, standby = self.start_pair()
        sources = lambda node: {backend["name"]: backend["source"] for backend in node.service("chat")["backends"]}
        for node, name, address in ((active, "n1", BACKENDS4[3]), (standby, "n2", BACKENDS4[4])):
            self.until_active(node)
            self.assertEqual(self.joining.put("chat", name, f"{address}:80", ttl="1h")[0], 201)
            until(lambda: all(sources(one).get(name) == "registered" for one in (active, standby)), lambda: f"{name} on both: {sources(active)}, {sources(standby)}")
            if node is active:
                active.ctl("failover")
        self.assertEqual(self.joining.put("chat", "n1", f"{BACKENDS4[3]}:80", ttl="1h")[0], 200, "the lease is known")


class Verdicts(PairTest):
    """The active's checks, from the pool's addresses, count on both; the standby's own only say whether it would serve."""

    def services(self):
        backends = [Backend(f"b{n}", BACKENDS4[n]) for n in range(3)]
        return [Service("chat", [f"{VIP4}:443"], backends, health={"type": "tcp", "interval": "200ms", "timeout": "200ms"})]

    def states(self, node):
        return {backend["name"]: backend["state"] for backend in node.service("chat")["backends"]}

    def until_states(self, node, *states):
        wanted = {f"b{n}": state for n, state in enumerate(states)}
        until(lambda: self.states(node) == wanted, lambda: f"{wanted}: {node.service('chat')['backends']}")

    def own_check(self, node, backend):
        return node.backend("chat", backend)["check"]["ok"]

    def refuse(self, namespace, hook, match):
        """From now on, until the table goes."""
        self.bed.nft(f"table inet refuse {{ chain c {{ type filter hook {hook} priority 0; {match} tcp dport 80 reject with tcp reset; }}; }}",
                     namespace)

    def test_the_actives_verdicts_count_and_outlive_it(self):
        Servers(self.bed, BACKENDS4[:3], port=80)
        active, standby = self.start_pair()
        self.assertIs(active, self.a)
        for node in (active, standby):
            self.until_states(node, "up", "up", "up")
        self.refuse(standby.namespace, "output", f"ip daddr {BACKENDS4[1]}")
        until(lambda: not self.own_check(standby, "b1"), "the standby's own checks of b1 failing")
        self.refuse(self.bed.backends, "input", f"ip saddr {{ {', '.join(pool4(2))} }} ip daddr {BACKENDS4[0]}")
        for node in (active, standby):
            self.until_states(node, "down", "up", "up")
        down = standby.backend("chat", "b0")
        self.assertEqual((down["share"], down["check"]["ok"]), (0, True), "its own checks of b0 succeed")
        self.assertIn("on the active", down["reason"])
        self.assertFalse(self.own_check(standby, "b1"))

        self.bed.run(standby.namespace, "nft", "delete", "table", "inet", "refuse")
        active.power_off()
        self.until_active(standby)
        self.assertEqual(self.states(standby), {"b0": "down", "b1": "up", "b2": "up"}, "at once, before a check from the pool")
        self.bed.run(self.bed.backends, "nft", "delete", "table", "inet", "refuse")
        self.until_states(standby, "up", "up", "up")
        active.power_on()
        self.until_synced()

    def test_an_active_that_reaches_no_backend_offers_its_role(self):
        Servers(self.bed, BACKENDS4[:3], port=80)
        active, standby = self.start_pair()
        for node in (active, standby):
            self.until_states(node, "up", "up", "up")
        clients = Clients(self.bed, f"{VIP4}:443")
        self.assertEqual(clients.open(300)["ok"], 300)
        self.refuse(active.namespace, "output", "")
        self.until_active(standby)
        self.until_states(standby, "up", "up", "up")
        self.assertEqual(clients.echo()["answered"], 300)
        self.assertEqual(clients.open(300)["ok"], 300)
        self.assertEqual(clients.report()["lost"], {})
        self.assertIs(self.until_synced()[0], standby)

    def test_a_standby_left_alone_goes_by_its_own_checks(self):
        Servers(self.bed, BACKENDS4[:2], port=80)
        active, standby = self.start_pair()
        for node in (active, standby):
            self.until_states(node, "up", "up", "down")
        standby.links("down", "sync")
        until(lambda: standby.sync()["state"] == "disconnected", "the loss of the link noticed")
        Servers(self.bed, BACKENDS4[2:3], port=80)
        for node in (active, standby):
            self.until_states(node, "up", "up", "up")


if __name__ == "__main__":
    main()
