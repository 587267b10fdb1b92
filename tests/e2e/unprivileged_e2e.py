#!/usr/bin/python3
# timeout: 120
"""The daemon runs as nobody with CAP_NET_ADMIN and CAP_NET_RAW and nothing else."""

import os

from lib.bed import BACKENDS4, BACKENDS6, VIP4, VIP6, pool4, pool6
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.daemon import Daemon
from lib.load import Clients, Servers

NOBODY = 65534
CAPABILITIES = "-all,+net_admin,+net_raw"
WRAP = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--no-new-privs", "--inh-caps", CAPABILITIES,
        "--ambient-caps", CAPABILITIES, "--bounding-set", CAPABILITIES]
NET_ADMIN, NET_RAW = 12, 13


class Unprivileged(E2eTest):
    def test_the_whole_job_without_root(self):
        Servers(self.bed, [BACKENDS4[0], BACKENDS4[1], BACKENDS6[0]])
        services = [Service("chat", [f"{VIP4}:443", f"[{VIP6}]:443"],
                            [Backend("v4", BACKENDS4[0]), Backend("v6", BACKENDS6[0])], idle_timeout="1h")]
        daemon = self.daemon = Daemon(self.bed, services, [Pool("main", pool4(2) + pool6(2))], wrap=WRAP, listen="127.0.0.1:9440")
        os.chown(self.bed.folder, NOBODY, NOBODY)
        os.chown(daemon.state, NOBODY, NOBODY)
        os.chmod(daemon.state, 0o700)
        daemon.start()
        with open(f"/proc/{daemon.child.pid}/status", encoding="utf-8") as file:
            status = dict(line.split(":", 1) for line in file)
        self.assertEqual(status["Uid"].split(), [str(NOBODY)] * 4)
        self.assertEqual(int(status["CapEff"], 16), 1 << NET_ADMIN | 1 << NET_RAW)
        four, six = Clients(self.bed, f"{VIP4}:443"), Clients(self.bed, f"[{VIP6}]:443", source="2001:db8:c::1000")
        for clients in (four, six):
            self.assertEqual(clients.open(200)["ok"], 200)
            self.assertEqual(clients.echo()["answered"], 200)
        daemon.expect_counts("chat", {"v4": 200, "v6": 200})
        self.assertEqual(self.bed.read_sysctl(self.bed.balancer, "net.netfilter.nf_conntrack_tcp_be_liberal"), "1")
        services[0].backends.append(Backend("v4b", BACKENDS4[1]))
        daemon.reload()
        self.assertEqual(four.open(200)["ok"], 200)
        daemon.restart()
        daemon.expect_counts("chat", {"v4": 300, "v4b": 100, "v6": 200})
        health = self.bed.run(self.bed.balancer, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:9440/healthz")
        self.assertEqual(health.stdout, "200")
        for clients, count in ((four, 400), (six, 200)):
            self.assertEqual(clients.echo()["answered"], count)
            self.assert_unharmed(clients.report(), count)
        self.assertEqual(daemon.ctl_json("status")["warnings"], [])


if __name__ == "__main__":
    main()
