"""A pair of balancers: the bed with a second one beside the first, a cable between both for the sync session, a daemon in each.

    lb-a  198.18.1.2, 198.18.2.2, 198.18.3.1        lb-b  198.18.1.3, 198.18.2.3, 198.18.3.2; IPv6 alike
"""

import json
import os

from lib.bed import BACKENDS4, BACKENDS6, CLIENT_RANGE4, CLIENT_RANGE6, VIP4, VIP6, Bed, endpoint, pool4, pool6
from lib.case import E2eTest
from lib.config import Backend, Pool, Service
from lib.daemon import Daemon
from lib.load import Clients, Process, Servers, echo_all
from lib.run import run, tool
from lib.wait import until

LONG = bool(os.environ.get("WSL4_LONG"))
CONNECTIONS = 20000 if LONG else 3000
PROBE_PORT = 5000
LINKS = ("front", "back", "sync")


class PairBed(Bed):
    def _lay_out(self):
        self.second = self.switch[:-1] + "p"
        self._make(self.second)
        super()._lay_out()
        for bridge in ("front", "back"):
            self._cable(self.second, bridge)
        self.ip(self.second, "addr add 198.18.1.3/24 dev front", "addr add 2001:db8:1::3/64 dev front nodad",
                "addr add 198.18.2.3/24 dev back", "addr add 2001:db8:2::3/64 dev back nodad",
                f"route add {CLIENT_RANGE4} via 198.18.1.10", f"route add {CLIENT_RANGE6} via 2001:db8:1::10")
        self.lay_sync()

    def lay_sync(self):
        self.ip(self.balancer, f"link add sync type veth peer name sync netns {self.second}", "link set sync up",
                "addr add 198.18.3.1/24 dev sync")
        self.ip(self.second, "link set sync up", "addr add 198.18.3.2/24 dev sync")

    def reboot(self, name):
        """A machine without power has it again: its kernel has forgotten rules, flows and what moves with the role."""
        self.run(name, "nft", "flush", "ruleset")
        self.run(name, "conntrack", "-F")
        for line in self.run(name, "ip", "-o", "link", "show", "type", "macvlan").stdout.splitlines():
            self.ip(name, f"link del {line.split()[1].split('@')[0]}")
        host = 2 if name == self.balancer else 3
        moved = [line.split() for line in self.addresses(name) if line.split()[0] in LINKS and line.endswith(("/32", "/128"))]
        # IPv6 addresses go with a link that is down, and so do all routes.
        self.ip(name, *(f"addr del {address} dev {link}" for link, address in moved), *(f"link set {link} up" for link in LINKS),
                *(f"addr replace 2001:db8:{net}::{host}/64 dev {link} nodad" for net, link in ((1, "front"), (2, "back"))),
                f"route replace {CLIENT_RANGE4} via 198.18.1.10", f"route replace {CLIENT_RANGE6} via 2001:db8:1::10")


class Node(Daemon):
    """One of the two. `links` are its interfaces; cutting them is what the network sees of a machine without power."""

    def role(self):
        return self.status()["node"]["role"]

    def sync(self):
        return self.status()["ha"]["sync"]

    def alive(self):
        return self.child is not None and self.child.alive()

    def log(self):
        role = self.ctl("status", check=False).stdout if self.alive() else "dead"
        return f"{super().log()}\n---- {self.more['name']}\n{role}"

    def links(self, state, *names):
        self.bed.ip(self.namespace, *(f"link set {name} {state}" for name in names or LINKS))

    def power_off(self):
        self.links("down")
        self.kill()

    def power_on(self):
        self.bed.reboot(self.namespace)
        self.start()

    def release(self, result="exit-code"):
        """As the unit does after a crash; what it says."""
        return run("ip", "netns", "exec", self.namespace, "env", f"SERVICE_RESULT={result}", self.program, "--config", self.config,
                   "--release").stderr

    def entries(self):
        """Conntrack entries of wsl4's flows."""
        return int(self.bed.read_sysctl(self.namespace, "net.netfilter.nf_conntrack_count"))

    def owns(self):
        """Which of the addresses that move it has."""
        return sorted(line.split()[1].split("/")[0] for line in self.bed.addresses(self.namespace)
                      if line.split()[1].split("/")[0] in self.moving)


def make_node(bed, services, addresses, name, namespace, host, number, log_level="debug", **ha):
    """One of the two, with a pool of these addresses; `ha`: more settings of that table."""
    ha = {"listen": f"198.18.3.{number}:4440", "peer": f"198.18.3.{3 - number}:4440", "interface": "front", **ha}
    os.makedirs(bed.path(name), exist_ok=True)
    node = Node(bed, services, [Pool("main", addresses)], namespace=namespace, name=name, log_level=log_level,
                ha="".join(f"{key} = {json.dumps(value)}\n" for key, value in ha.items()))
    node.host = host
    node.moving = sorted({listen.rsplit(":", 1)[0].strip("[]") for service in services for listen in service.listen} | set(addresses))
    return node


class PairTest(E2eTest):
    """Two nodes, three backends of each family, clients that talk all the time, and a probe each millisecond."""

    def setUp(self):
        self.bed = self.enterContext(PairBed())
        self.daemon = None
        os.chmod(self.bed.folder, 0o755)
        self.key, self.told = self.bed.path("peer.key"), self.bed.path("told")
        self.hook = self.bed.path("hook")
        for path, text, mode in ((self.told, "", 0o666), (self.hook, f'#!/bin/sh\necho "$WSL4_NODE $WSL4_ROLE $WSL4_VIPS" >>{self.told}\n', 0o755)):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(path, mode)
        self.bed.run(self.bed.balancer, self.bed.program("wsl4ctl"), "keygen", self.key)
        self.a, self.b = self.node("lb-a", self.bed.balancer, 2, 1, 150), self.node("lb-b", self.bed.second, 3, 2, 100)
        self.addCleanup(self.tell_if_failed)

    def services(self):
        chat = Service("chat", [f"{VIP4}:443"], [Backend(f"b{n}", BACKENDS4[n]) for n in range(3)], scheduler="least-connections")
        six = Service("six", [f"[{VIP6}]:443"], [Backend(f"s{n}", BACKENDS6[n]) for n in range(3)], scheduler="least-connections")
        probe = Service("probe", [f"{VIP4}:{PROBE_PORT}"], [Backend("p", BACKENDS4[0], PROBE_PORT)], protocol="udp")
        return [chat, six, probe]

    def pool(self):
        return pool4(2) + pool6(2)

    def node(self, name, namespace, host, number, priority, **more):
        return make_node(self.bed, self.services(), self.pool(), name=name, namespace=namespace, host=host, number=number,
                         **{"key_file": self.key, "priority": priority, "hooks.active": self.hook, "hooks.standby": self.hook, **more})

    def tell_if_failed(self):
        self.daemon = self.a
        self._tell_if_failed()
        self.daemon = self.b
        self._tell_if_failed()

    def hooks(self):
        """What the hooks were told, a line for each call."""
        with open(self.told, encoding="utf-8") as file:
            return file.read().splitlines()

    # ---- waiting ----------------------------------------------------------------------------------------------

    def roles(self):
        """By name; of a dead one none."""
        return {node.more["name"]: node.role() if node.alive() else "" for node in (self.a, self.b)}

    def until_active(self, node, seconds=20.0):
        until(lambda: node.role() == "active", lambda: f"{node.more['name']} active: {self.roles()}", seconds)

    def until_synced(self):
        """One is active, the other standby with every flow; returns both in this order."""
        def settled():
            roles = self.roles()
            return sorted(roles.values()) == ["active", "standby"] and all(node.sync()["state"] == "synced" for node in (self.a, self.b))
        until(settled, lambda: f"a synced pair: {self.roles()}, {[node.sync() for node in (self.a, self.b) if node.alive()]}", 30, 0.05)
        return (self.a, self.b) if self.a.role() == "active" else (self.b, self.a)

    def start_pair(self):
        self.a.start()
        self.b.start()
        return self.until_synced()

    # ---- load -------------------------------------------------------------------------------------------------

    def load(self, count=CONNECTIONS):
        """Opens connections of both families, that talk all the time from now on, and starts the probe."""
        Servers(self.bed, BACKENDS4[:3] + BACKENDS6[:3], port=80, processes=4 if LONG else 1)
        Process(self.bed, self.bed.backends, "server", endpoint(BACKENDS4[0], PROBE_PORT), program=tool("probe"))
        self.clients = {Clients(self.bed, f"{VIP4}:443", connections=count): count,
                        Clients(self.bed, f"[{VIP6}]:443", source="2001:db8:c::1000", connections=count // 10): count // 10}
        for clients, number in self.clients.items():
            self.assertEqual(clients.open(number)["ok"], number)
            clients.start(size=100, interval_ms=1000)
        self.live = sum(self.clients.values())
        self.probe = Process(self.bed, self.bed.clients, "client", f"{VIP4}:{PROBE_PORT}", program=tool("probe"))
        until(lambda: self.probe.ask("report")["answered"], "answers to the probe")
        self.until_copied()

    def until_copied(self):
        """The standby's kernel has as many entries as the active has flows."""
        def copied():
            active, standby = self.until_synced()
            flows = active.sync()["flows"]
            return active.sync()["pending"] == 0 and standby.sync()["flows"] == flows and standby.entries() >= flows > self.live
        until(copied, lambda: f"all flows on both: {[(node.sync(), node.entries()) for node in (self.a, self.b)]}", 30, 0.1)

    def goes_on(self):
        """Every connection answers a message that is sent now."""
        reports = echo_all(self.clients)
        self.assertEqual([report["answered"] for report in reports], list(self.clients.values()), reports)

    def expect_unharmed(self):
        """Every connection answers, and none was lost, reset or answered wrongly, ever."""
        self.goes_on()
        for clients, number in self.clients.items():
            self.assert_unharmed(clients.report(), number)

    def end_load(self):
        self.expect_unharmed()
        for clients in self.clients:
            self.assertEqual(clients.stop(60)["unanswered"], 0)

    def longest_gap(self):
        """Of the probe, in ms since the last look, once datagrams are answered evenly again."""
        gaps = []

        def even():
            report = self.probe.ask("report")
            gaps.append(report["gap_ms"])
            return len(gaps) > 1 and report["answered"] >= 100 and report["gap_ms"] < 100     # a gap at the end of a look is the next one's
        until(even, lambda: f"answers to the probe; gaps {gaps[-20:]}", 30, 0.2)
        return max(gaps)

    def outage(self, what):
        """Tells the longest gap since the last look: figures of a busy machine prove nothing."""
        print(f"    {what}: longest gap {self.longest_gap()} ms", flush=True)
