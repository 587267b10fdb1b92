#!/usr/bin/python3
# timeout: 900
"""Two booted Debian 12 machines as a pair: the package by apt, the example file edited, then power cuts, stops, crashes and an
upgrade of one after the other, under live connections. None is lost."""

import re

from lib.bed import BACKENDS4, VIP4
from lib.case import E2eTest, main
from lib.load import Clients, Servers
from lib.machine import BASE, Machine, build_package, dependencies, newer, tree
from lib.pair import LINKS, PairBed
from lib.wait import until

CONFIG, KEY = "/etc/wsl4/wsl4.toml", "/etc/wsl4/peer.key"
COUNT = 300


def edited(example, changes):
    """The example file with settings uncommented and set: "table.key" -> value, as TOML; each where the file first shows it."""
    lines = example.splitlines()
    for name, value in changes.items():
        table, _, key = name.rpartition(".")
        header = next(n for n, line in enumerate(lines) if line.lstrip("#") in (f"[{table}]", f"[[{table}]]"))
        lines[header] = lines[header].lstrip("#")
        place = next(n for n in range(header, len(lines)) if re.match(rf"#*{re.escape(key)} =", lines[n]))
        lines[place] = f"{key} = {value}"
    return "\n".join(lines) + "\n"


class Pair(E2eTest):
    def setUp(self):
        self.bed = self.enterContext(PairBed())
        self.daemon = None
        package = build_package()
        tar = tree(BASE + dependencies(package))
        self.a, self.b = (self.machine(name, namespace, tar, package) for name, namespace in (("lb-a", self.bed.balancer), ("lb-b", self.bed.second)))
        higher = newer(self.bed, package)
        for machine in (self.a, self.b):
            machine.put(higher, "/srv/wsl4-newer.deb")
        self.a.run("wsl4ctl", "keygen", KEY)
        self.b.write(KEY, self.a.run("cat", KEY).stdout)
        self.b.run("chown", "wsl4:wsl4", KEY)
        self.b.run("chmod", "600", KEY)
        for machine, own, peer, priority in ((self.a, 1, 2, 150), (self.b, 2, 1, 100)):
            self.configure(machine, own, peer, priority)

    def machine(self, name, namespace, tar, package):
        machine = Machine(self.bed, namespace, tar)
        machine.name = name
        self.addCleanup(machine.end)
        machine.put(package, "/srv/wsl4.deb")
        machine.run("apt-get", "install", "-y", "/srv/wsl4.deb", timeout=120)
        return machine

    def configure(self, machine, own, peer, priority):
        machine.write(CONFIG, edited(machine.run("cat", CONFIG).stdout, {
            "node.name": f'"{machine.name}"',
            "ha.listen": f'"198.18.3.{own}:4440"', "ha.peer": f'"198.18.3.{peer}:4440"', "ha.key_file": f'"{KEY}"', "ha.interface": '"front"',
            "ha.priority": priority,
            "pool.name": '"main"', "pool.addresses": '["198.18.2.101-198.18.2.102"]',
            "service.name": '"chat"', "service.listen": f'["{VIP4}:443"]',
            "service.backend.address": f'"{BACKENDS4[0]}:80"'}))

    # ---- looking ----------------------------------------------------------------------------------------------

    def said(self, machine):
        """What status says of the pair, for people."""
        return machine.run("wsl4ctl", "status", check=False).stdout

    def is_pair(self, active, standby):
        return (re.match(rf"{active.name} +active", self.said(active)) and re.match(rf"{standby.name} +standby", self.said(standby))
                and re.search(rf"sync +synced, {self.flows} flows, 0 pending", self.said(standby)))

    def expect_pair(self, active, standby):
        until(lambda: self.is_pair(active, standby),
              lambda: f"{active.name} active and {standby.name} synced\n{self.said(active)}\n{self.said(standby)}\n{self.journal(standby)}", 60, 0.2)
        self.expect_unharmed()

    def expect_unharmed(self):
        before = self.clients.report()["messages"]
        until(lambda: self.clients.report()["messages"] >= before + 2 * COUNT, "messages going on", 60, 0.2)
        self.assert_unharmed(self.clients.report(), COUNT)

    def journal(self, machine):
        return machine.run("journalctl", "-u", "wsl4d", "--no-pager", "-o", "cat", check=False).stdout[-3000:]

    # ---- the test ---------------------------------------------------------------------------------------------

    def test_life(self):
        self.flows = 0
        Servers(self.bed, BACKENDS4[:3])
        for machine in (self.a, self.b):
            machine.run("systemctl", "start", "wsl4d")
        self.clients = Clients(self.bed, f"{VIP4}:443")
        until(lambda: self.is_pair(self.a, self.b), lambda: f"a pair\n{self.said(self.a)}\n{self.journal(self.b)}", 30, 0.2)
        self.flows = COUNT
        self.assertEqual(self.clients.open(COUNT)["ok"], COUNT)
        self.clients.start(interval_ms=500)
        self.expect_pair(self.a, self.b)

        self.bed.ip(self.a.namespace, *(f"link set {link} down" for link in LINKS))
        self.a.cut_power()
        until(lambda: re.match("lb-b +active", self.said(self.b)), "a takeover")
        self.expect_unharmed()
        self.bed.reboot(self.a.namespace)
        self.a.boot()
        self.expect_pair(self.b, self.a)

        self.b.run("systemctl", "stop", "wsl4d")
        self.assertRegex(self.said(self.a), "lb-a +active")
        self.expect_unharmed()
        self.b.run("systemctl", "start", "wsl4d")
        self.expect_pair(self.a, self.b)

        self.a.run("kill", "-9", self.a.run("systemctl", "show", "-P", "MainPID", "wsl4d").stdout.strip())
        until(lambda: "addresses withdrawn: the synced peer takes over" in self.journal(self.a), lambda: self.journal(self.a), 30)
        until(lambda: self.is_pair(self.a, self.b) or self.is_pair(self.b, self.a), lambda: f"{self.said(self.a)}\n{self.said(self.b)}", 60, 0.2)
        self.expect_unharmed()

        active, standby = (self.a, self.b) if self.is_pair(self.a, self.b) else (self.b, self.a)
        standby.run("apt-get", "install", "-y", "/srv/wsl4-newer.deb", timeout=120)
        self.expect_pair(active, standby)
        active.run("apt-get", "install", "-y", "/srv/wsl4-newer.deb", timeout=120)
        self.expect_pair(standby, active)
        self.assertEqual(self.clients.stop()["unanswered"], 0)


if __name__ == "__main__":
    main()
