#!/usr/bin/python3
# timeout: 900
"""The package on a booted Debian 12 machine: installing changes nothing, the unit starts once a service is defined, live
connections outlive upgrade, crash, hang and a broken configuration, removal purges the kernel, purge removes files."""

import json
import re

from lib import config
from lib.bed import BACKENDS4, VIP4, pool4
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.load import Clients, Servers
from lib.machine import BASE, Machine, build_package, dependencies, newer, tree
from lib.wait import until

CONFIG = "/etc/wsl4/wsl4.toml"
COUNT = 300


class Package(E2eTest):
    def setUp(self):
        super().setUp()
        package = build_package()
        tar = tree(BASE + dependencies(package))
        self.machine = Machine(self.bed, self.bed.balancer, tar)
        self.addCleanup(self.machine.end)
        self.machine.put(package, "/srv/wsl4.deb")
        self.machine.put(newer(self.bed, package), "/srv/wsl4-newer.deb")

    # ---- looking at the machine -------------------------------------------------------------------------------

    def network(self):
        """Everything of the machine's network that a package could change."""
        sysctls = self.machine.run("sysctl", "-a", "-r", r"^net\.", check=False).stdout.splitlines()
        return {"rules": self.machine.run("nft", "list", "ruleset").stdout, "addresses": self.bed.addresses(),
                "sysctls": [line for line in sysctls if "nf_conntrack_count" not in line and "stat_refresh" not in line
                            and "route.flush" not in line and "nf_conntrack_helper" not in line and "nf_log" not in line]}

    def unit(self, name):
        return self.machine.run("systemctl", "show", "-P", name, "wsl4d").stdout.strip()

    def journal(self):
        return self.machine.run("journalctl", "-u", "wsl4d", "--no-pager", "-o", "cat").stdout

    def connections(self):
        status = self.machine.run("wsl4ctl", "status", "--json", check=False)
        return json.loads(status.stdout)["services"][0]["connections"] if status.returncode == 0 else None

    def weights(self):
        """Backend name -> weight."""
        status = json.loads(self.machine.run("wsl4ctl", "status", "--json").stdout)
        return {backend["name"]: backend["weight"] for backend in status["services"][0]["backends"]}

    def configure(self, *backends, weight=100, text=""):
        services = [Service("chat", [f"{VIP4}:443"], [Backend(f"b{n}", BACKENDS4[n], weight=weight) for n in backends])]
        self.machine.write(CONFIG, config.toml(services, [Pool("main", pool4(2))], "/var/lib/wsl4", "/run/wsl4/wsl4d.sock") + text)

    def expect_active(self, counted=None):
        until(lambda: self.unit("ActiveState") == "active" and self.unit("SubState") == "running", lambda: "wsl4d active\n" + self.journal(), 30)
        if counted is not None:
            until(lambda: self.connections() == counted, lambda: f"{counted} connections, not {self.connections()}\n" + self.journal(), 30)

    def expect_flowing(self, clients):
        """Messages go through on all connections, none was lost."""
        self.assertEqual(clients.echo()["answered"], COUNT)
        self.assert_unharmed(clients.report(), COUNT)

    # ---- the life of a package --------------------------------------------------------------------------------

    def test_life(self):
        Servers(self.bed, BACKENDS4[:3])
        before = self.network()
        self.install()
        self.assertEqual(self.network(), before, "installing changed the network")
        self.start()
        clients = Clients(self.bed, f"{VIP4}:443")
        self.assertEqual(clients.open(COUNT)["ok"], COUNT)
        self.expect_active(COUNT)
        self.reload(clients)
        self.upgrade(clients)
        self.crash(clients)
        self.break_configuration(clients)
        self.remove(clients, before)

    def install(self):
        self.machine.run("apt-get", "install", "-y", "/srv/wsl4.deb", timeout=120)
        self.assertEqual(self.machine.run("id", "-un", "wsl4").stdout.strip(), "wsl4")
        self.assertEqual(self.machine.run("systemctl", "is-enabled", "wsl4d").stdout.strip(), "enabled")
        self.machine.run("systemctl", "start", "wsl4d")
        self.assertEqual(self.unit("ActiveState"), "inactive")
        self.assertIn("no service is defined", self.journal())
        for page in ("wsl4d", "wsl4ctl", "wsl4.toml"):
            self.assertTrue(self.machine.run("man", "-w", page).stdout.strip())

    def start(self):
        self.configure(0, 1)
        self.machine.run("systemctl", "start", "wsl4d")
        self.expect_active(0)
        process = f"/proc/{self.unit('MainPID')}/status"
        status = dict(line.split(":", 1) for line in self.machine.run("cat", process).stdout.splitlines())
        user = self.machine.run("id", "-u", "wsl4").stdout.strip()
        self.assertEqual(status["Uid"].split(), [user] * 4)
        self.assertEqual(int(status["CapEff"], 16), 1 << 12 | 1 << 13, "CAP_NET_ADMIN and CAP_NET_RAW only")
        self.assertEqual(self.machine.run("stat", "-c", "%U:%G %a", "/run/wsl4/wsl4d.sock").stdout.strip(), "wsl4:wsl4 660")
        self.assertIn("chat", self.machine.run("wsl4ctl", "status").stdout)

    def reload(self, clients):
        process = self.unit("MainPID")
        self.configure(0, 1, 2)
        self.machine.run("kill", "-HUP", process)
        until(lambda: len(self.weights()) == 3, lambda: "a third backend\n" + self.journal())
        self.configure(0, 1, 2, weight=50)
        self.machine.run("systemctl", "reload", "wsl4d")
        self.assertEqual(self.weights(), {"b0": 50, "b1": 50, "b2": 50}, "loaded when the command has ended")
        self.assertEqual(self.unit("MainPID"), process)
        self.expect_flowing(clients)

    def upgrade(self, clients):
        old = self.unit("MainPID")
        clients.start()
        self.machine.run("apt-get", "install", "-y", "/srv/wsl4-newer.deb", timeout=120)
        self.expect_active(COUNT)
        self.assertNotEqual(self.unit("MainPID"), old)
        self.assertEqual(clients.stop()["unanswered"], 0)
        self.expect_flowing(clients)

    def crash(self, clients):
        clients.start()
        self.machine.run("systemctl", "log-level", "debug")     # so that the journal has the unit's steps that succeed, too
        for number, why in (("KILL", "killed"), ("STOP", "hung")):      # the watchdog ends what hangs
            old, restarts, said = self.unit("MainPID"), int(self.unit("NRestarts")), len(self.journal())
            self.machine.run("kill", f"-{number}", old)
            until(lambda: int(self.unit("NRestarts")) > restarts, lambda: f"a restart of the {why} daemon\n" + self.journal(), 30)
            self.expect_active(COUNT)
            release = self.journal()[said:].partition("wsl4d --release")[2]
            self.assertRegex(release, r"Control process exited, .*", "the unit's last step after a crash")
            self.assertIn("status=0/SUCCESS", re.search(r"Control process exited, .*", release)[0])
        self.machine.run("systemctl", "log-level", "info")
        self.assertEqual(clients.stop()["unanswered"], 0)
        self.expect_flowing(clients)

    def break_configuration(self, clients):
        self.configure(0, 1, 2, text="\nbroken = true\n")
        self.assertNotEqual(self.machine.run("systemctl", "reload", "wsl4d", check=False).returncode, 0)
        self.expect_active(COUNT)
        self.assertNotEqual(self.machine.run("systemctl", "restart", "wsl4d", check=False).returncode, 0)
        until(lambda: self.unit("ActiveState") == "failed", lambda: "a failed unit\n" + self.journal(), 30)
        self.assertEqual((self.unit("ExecMainStatus"), self.unit("NRestarts")), ("2", "0"), "it should not be tried again")
        self.assertIn("broken", self.journal())
        self.expect_flowing(clients)    # without a daemon
        self.configure(0, 1, 2)
        self.machine.run("systemctl", "start", "wsl4d")
        self.expect_active(COUNT)
        self.expect_flowing(clients)

    def remove(self, clients, before):
        self.configure(0, 1, 2, text="\nbroken = true\n")
        refused = self.machine.run("apt-get", "remove", "-y", "wsl4", check=False, timeout=120)
        self.assertNotEqual(refused.returncode, 0, "nothing says what to take out of the kernel")
        self.assertIn("broken", refused.stdout + refused.stderr)
        self.expect_active(COUNT)
        self.expect_flowing(clients)
        self.configure(0, 1, 2)
        self.machine.run("apt-get", "remove", "-y", "wsl4", timeout=120)
        after = self.network()
        self.assertEqual(after, before, "removal left something on the network")
        self.assertEqual([line for line in self.entries() if VIP4 in line], [])
        self.assertTrue(self.machine.has(CONFIG), "the configuration stays until purge")
        self.machine.run("apt-get", "purge", "-y", "wsl4", timeout=120)
        for path in ("/etc/wsl4", "/var/lib/wsl4", "/usr/sbin/wsl4d", "/lib/systemd/system/wsl4d.service"):
            self.assertFalse(self.machine.has(path), path)

    def entries(self):
        return self.bed.run(self.bed.balancer, "conntrack", "-L").stdout.splitlines()


if __name__ == "__main__":
    main()
