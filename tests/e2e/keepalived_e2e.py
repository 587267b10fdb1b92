#!/usr/bin/python3
# timeout: 120
"""ha.election = "external" with keepalived as the one who says which node is active, by docs/examples/keepalived-notify: each of the
two follows the other, and no connection is lost."""

import os
import signal

from lib.case import main
from lib.pair import PairTest
from lib.wait import until

EXAMPLE = os.path.join(os.path.dirname(__file__), "../../docs/examples/keepalived-notify")

CONFIG = """
global_defs {{
    script_user root
    enable_script_security
    vrrp_version 3
}}
vrrp_script wsl4 {{
    script "{program} check"
    interval 1
    timeout 5
    fall 3
    rise 2
}}
vrrp_instance wsl4 {{
    state BACKUP
    nopreempt
    interface front
    virtual_router_id 52
    priority {priority}
    advert_int 0.1
    notify {program}
    virtual_ipaddress {{
        198.18.52.52/32 dev lo
    }}
    track_script {{
        wsl4
    }}
}}
"""


class Keepalived:
    """Beside a node's daemon."""

    def __init__(self, node, priority):
        self.bed, self.node, self.name = node.bed, node, node.more["name"]
        self.state = self.bed.path(f"{self.name}.said")
        program = self._write("keepalived-notify", f'#!/bin/sh\nPATH={self.bed.path(self.name)}:$PATH KEEPALIVED_WSL4={self.state} exec {EXAMPLE} "$@"\n')
        self._write("wsl4ctl", f'#!/bin/sh\nexec {self.bed.program("wsl4ctl")} --socket {node.socket} "$@"\n')
        self.config = self._write("keepalived.conf", CONFIG.format(program=program, priority=priority))

    def _write(self, name, text, mode=0o755):
        path = os.path.join(self.bed.path(self.name), name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def start(self):
        self.child = self.bed.keepalived(self.node.namespace, self.config)

    def stop(self):
        self.child.kill(signal.SIGTERM)
        self.child.wait()

    def is_master(self):
        states = [line.split(" STATE")[0].split()[-1] for line in self.child.errors().splitlines() if " STATE" in line and "ntering" in line]
        return bool(states) and states[-1] == "MASTER"

    def until_master(self):
        until(self.is_master, lambda: f"keepalived of {self.name} as master:\n{self.child.errors()[-2000:]}", 30)


class Followed(PairTest):
    def setUp(self):
        super().setUp()
        self.keepalived = {self.a: Keepalived(self.a, 150), self.b: Keepalived(self.b, 100)}
        for node in (self.a, self.b):
            node.start()
            self.keepalived[node].start()
            self.keepalived[self.a].until_master()
        self.assertIs(self.until_synced()[0], self.a)
        self.load(200)

    def node(self, name, namespace, host, number, priority, **more):
        return super().node(name, namespace, host, number, priority, election="external", **more)

    def test_each_follows_the_other(self):
        of_a, of_b = self.keepalived[self.a], self.keepalived[self.b]
        # What cannot be said at the time is said later.
        self.b.stop()
        of_a.stop()
        of_b.until_master()
        self.b.start()
        self.until_active(self.b)
        self.assertIs(self.until_synced()[0], self.b)
        of_a.start()
        self.goes_on()

        # wsl4 moves the role by itself.
        self.b.ctl("failover")
        of_a.until_master()
        self.assertFalse(of_b.is_master())
        self.assertIs(self.until_synced()[0], self.a)
        self.goes_on()

        # The daemon is gone for good.
        self.a.kill()
        of_b.until_master()
        self.until_active(self.b)
        self.a.release()
        self.goes_on()
        self.a.start()
        self.assertIs(self.until_synced()[0], self.b)
        self.end_load()


if __name__ == "__main__":
    main()
