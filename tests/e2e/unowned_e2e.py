#!/usr/bin/python3
# timeout: 200
"""A table that nobody owns, as on kernels before 6.9: what somebody else does to it is put right, and traffic goes on. Somebody who
takes it keeps the daemon from changing it only as long as he has it."""

import re

from lib.bed import BACKENDS4, BACKENDS6, VIP4, VIP6, pool4, pool6
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.load import Clients, Servers
from lib.run import tool
from lib.talk import Talk, echo_server
from lib.wait import until

OLDER = {"LD_PRELOAD": tool("libolderkernel.so")}
EDITS = ("flush ruleset",
         "delete table inet wsl4",
         "flush table inet wsl4",
         "add rule inet wsl4 forward tcp dport { 7, 9 } drop",
         "add rule inet wsl4 input udp dport vmap { 7 : drop, 9 : accept }",
         "add set inet wsl4 bad { type ipv4_addr; }\nadd rule inet wsl4 forward ip saddr @bad drop",
         "add quota inet wsl4 q { over 1 mbytes }\nadd rule inet wsl4 forward quota name q drop",
         "add chain inet wsl4 forward { type filter hook forward priority filter - 10; policy drop; }",
         "add table inet wsl4 { flags dormant; }")


class Unowned(E2eTest):
    def setUp(self):
        super().setUp()
        bed = self.bed
        echo_server(bed, bed.balancer, "tcp", "0.0.0.0:22")
        echo_server(bed, bed.backends, "tcp", f"{BACKENDS4[0]}:80", f"[{BACKENDS6[0]}]:80", f"{BACKENDS4[5]}:9000")
        services = [Service("chat", [f"{VIP4}:443", f"[{VIP6}]:443"], [Backend("v4", BACKENDS4[0]), Backend("v6", BACKENDS6[0])])]
        self.start(services, [Pool("main", pool4(2) + pool6(2))], OLDER)

    def table(self):
        """Its sets, maps, chains… by themselves: their order is that in which they came."""
        text = re.sub(r"packets \d+ bytes \d+", "", self.bed.table()).removesuffix("\n}\n")
        head, *rest = text.replace("\n\tcounter", "\n\n\tcounter", 1).split("\n\n")     # what is first stands close to the head
        return "\n\n".join([head, *sorted(rest)])

    def repairs(self):
        return [event["name"] for event in self.daemon.ctl_json("events")["events"]].count("ruleset-repaired")

    def test_whatever_somebody_does_is_put_right(self):
        before = self.table()
        self.assertNotIn("flags owner", before)
        bed = self.bed
        talks = [Talk(bed, f"{VIP4}:443"), Talk(bed, f"[{VIP6}]:443"), Talk(bed, f"{VIP4}:22"),
                 Talk(bed, f"{BACKENDS4[5]}:9000", name=bed.balancer, source=pool4(1)[0])]
        first = [talk.ask() for talk in talks]
        for number, edit in enumerate(EDITS, 1):
            with self.subTest(edit=edit):
                bed.nft(edit)
                until(lambda: self.repairs() == number, lambda: "an event for the repair\n" + self.daemon.log())
                self.assertEqual(self.table(), before)
                self.assertTrue(self.daemon.status()["kernel"]["ruleset_in_sync"])
                self.assertEqual([talk.ask() for talk in talks], first)
                Talk(bed, f"{VIP4}:443").ask()


class Refused(E2eTest):
    def steal(self):
        """Somebody owns the table until he ends, and nothing can be changed."""
        thief = self.bed.child(self.bed.balancer, "nft", "-i")
        thief.say("delete table inet wsl4; add table inet wsl4 { flags owner; }")
        until(lambda: not self.daemon.status()["kernel"]["ruleset_in_sync"], "the table stolen")
        return thief

    def test_a_verdict_that_the_kernel_refuses_is_tried_again(self):
        bed = self.bed
        Servers(bed, BACKENDS4[:2])
        services = [Service("chat", [f"{VIP4}:443"], [Backend(f"b{n}", BACKENDS4[n]) for n in range(2)],
                            health={"type": "tcp", "interval": "200ms", "timeout": "200ms"})]
        daemon = self.start(services, [Pool("main", pool4(2))], OLDER)
        until(lambda: [backend["state"] for backend in daemon.service("chat")["backends"]] == ["up", "up"], "both up")
        clients = Clients(bed, f"{VIP4}:443")
        self.assertEqual(clients.open(20)["ok"], 20)
        daemon.expect_counts("chat", {"b0": 10, "b1": 10})
        thief = self.steal()
        bed.nft(f"table inet refuse {{ chain c {{ type filter hook input priority 0; ip daddr {BACKENDS4[0]} tcp dport 80 reject with tcp reset; }}; }}",
                bed.backends)
        until(lambda: "apply-failed" in daemon.log(), "the verdict refused")
        self.assertEqual(daemon.events("flows-reset"), [])
        thief.end()     # and with it the table
        until(lambda: daemon.backend("chat", "b0")["share"] == 0, lambda: f"the verdict in effect: {daemon.service('chat')}")
        until(lambda: daemon.counts("chat") == {"b0": 0, "b1": 10}, lambda: f"its connections ended: {daemon.counts('chat')}")
        self.assertEqual(len(daemon.events("flows-reset")), 1)
        self.assertEqual(clients.open(20)["ok"], 20)
        daemon.expect_counts("chat", {"b0": 0, "b1": 30})

    def test_purge_gives_back_sysctls_after_a_refused_reload(self):
        bed, sysctl = self.bed, "net.netfilter.nf_conntrack_tcp_timeout_established"
        before = bed.read_sysctl(bed.balancer, sysctl)
        service = Service("chat", [f"{VIP4}:443"], [Backend("b0", BACKENDS4[0])], idle_timeout="1h")
        daemon = self.start([service], [Pool("main", pool4(2))], OLDER)
        self.assertEqual(bed.read_sysctl(bed.balancer, sysctl), "4200")
        thief = self.steal()
        service.idle_timeout = "24h"
        daemon.write()
        self.assertEqual(daemon.ctl("reload", check=False).returncode, 1)
        self.assertEqual(bed.read_sysctl(bed.balancer, sysctl), "4200")
        thief.end()
        daemon.stop()
        self.assertEqual(daemon.purge().returncode, 0)
        self.assertEqual(bed.read_sysctl(bed.balancer, sysctl), before)

    def test_a_start_that_the_kernel_refuses_leaves_what_was_there(self):
        bed = self.bed
        echo_server(bed, bed.backends, "tcp", f"{BACKENDS4[0]}:80")
        service = Service("chat", [f"{VIP4}:443"], [Backend("b0", BACKENDS4[0])])
        daemon = self.start([service], [Pool("main", pool4(2))])
        talk = Talk(bed, f"{VIP4}:443")
        daemon.kill()
        before = bed.table()
        service.backends.append(Backend("b1", BACKENDS4[1]))
        daemon.write()
        daemon.environment = {"LD_PRELOAD": tool("libfirstrefused.so")}
        daemon.launch()
        self.assertEqual(daemon.child.wait(), 1, daemon.log())
        self.assertEqual(bed.table(), before)
        talk.ask()
        Talk(bed, f"{VIP4}:443").ask()
        daemon.environment = {}
        daemon.start()
        self.assertEqual([backend["name"] for backend in daemon.service("chat")["backends"]], ["b0", "b1"])
        talk.ask()


if __name__ == "__main__":
    main()
