"""Pairs of balancers that copy flows, each in a bed of its own: wsl4's, and keepalived with conntrackd (FTFW) around an nft ruleset by
hand; and a single wsl4d, to tell what copying adds. The first node is the active one."""

import json
import os
import re

import cpu
from lib import config
from lib.bed import BACKENDS4, VIP4, pool4
from lib.config import Backend, Pool, Service
from lib.daemon import Daemon
from lib.pair import LINKS, PairBed, make_node
from lib.raw import RawFlows
from lib.run import Failed
from lib.wait import until

PORTS = 16
BACKENDS = [Backend(f"b{n}", BACKENDS4[n]) for n in range(3)]
SERVICE = Service("chat", [f"{VIP4}:{443 + n}" for n in range(PORTS)], BACKENDS)
POOL = pool4(4)

CONNTRACKD = """Sync {{
  Mode FTFW {{ {mode} }}
  UDP {{
    IPv4_address {own}
    IPv4_Destination_Address {other}
    Port 3780
    Interface sync
    SndSocketBuffer 8388608
    RcvSocketBuffer 8388608
    Checksum on
  }}
}}
General {{
  HashSize 131072
  HashLimit 1048576
  LogFile {folder}/conntrackd.log
  LockFile {folder}/lock
  UNIX {{ Path {folder}/ctl }}
  NetlinkBufferSize 8388608
  NetlinkBufferSizeMaxGrowth 33554432
  NetlinkEventsReliable On
  Filter From {filter} {{
    Protocol Accept {{ TCP }}
    Address Ignore {{ IPv4_address 127.0.0.1 IPv4_address {own} IPv4_address {other} }}
    {states}
  }}
}}
"""
KEEPALIVED = """global_defs {{
  script_user root
  vrrp_version 3
}}
vrrp_instance pair {{
  state BACKUP
  interface front
  virtual_router_id 51
  priority {priority}
  advert_int 0.1
  nopreempt
  virtual_ipaddress {{ {vip}/32 dev front }}
  virtual_ipaddress_excluded {{
{pool}
  }}
  notify_master {script}
}}
"""
# As conntrackd's own primary-backup.sh, and how long the commit took.
NOTIFY = """#!/bin/sh
before=$(date +%s%N)
conntrackd -C {conf} -c
echo $((($(date +%s%N) - before) / 1000)) >{folder}/commit_us
conntrackd -C {conf} -f
conntrackd -C {conf} -R
conntrackd -C {conf} -B
"""


class Replicas:
    """Two nodes with the same traffic before the first of them."""

    def __init__(self, stack):
        self.bed = stack.enter_context(PairBed())
        self.nodes = [self.bed.balancer, self.bed.second]
        self.counts = [self._entries_file(node) for node in self.nodes]
        for file in self.counts:
            stack.callback(os.close, file)
        self.daemons = []       # what copies, by node
        self.set_up()

    def _entries_file(self, node):
        with self.bed.inside(node):
            return os.open("/proc/sys/net/netfilter/nf_conntrack_count", os.O_RDONLY)

    def raw_flows(self):
        return RawFlows(self.bed, PORTS)

    def entries(self):
        """Of each node's connection tracking."""
        return [int(os.pread(file, 32, 0)) for file in self.counts]

    def copies(self):
        """Flows that the standby could go on with."""
        return self.entries()[1]

    def pids(self):
        return [child.pid for child in self.daemons]

    def spent(self):
        """Processor time, by node."""
        return [cpu.seconds(pid) for pid in self.pids()]

    def wire_bytes(self):
        """What the first node has sent to the second, in bytes of Ethernet frames."""
        listed = self.bed.run(self.nodes[0], "ip", "-s", "-j", "link", "show", "sync").stdout
        return json.loads(listed)[0]["stats64"]["tx"]["bytes"]

    def flush(self):
        """Ends all entries of the active."""
        self.bed.run(self.nodes[0], "conntrack", "-F")

    def power_off(self):
        """The active is gone, as the network and the standby see it."""
        self.bed.ip(self.nodes[0], *(f"link set {name} down" for name in LINKS))


class Wsl4Pair(Replicas):
    name = "wsl4"

    def set_up(self):
        key = self.bed.path("peer.key")
        self.bed.run(self.bed.balancer, self.bed.program("wsl4ctl"), "keygen", key)
        self.both = [make_node(self.bed, [SERVICE], POOL, name, node, n + 1, n, "info", key_file=key, priority=200 - 50 * n)
                     for n, (name, node) in enumerate(zip(("lb-a", "lb-b"), self.nodes), 1)]
        self.start()

    def start(self):
        for node in self.both:
            node.start()
        self.daemons = [node.child for node in self.both]
        until(lambda: [node.role() for node in self.both] == ["active", "standby"] and all(n.sync()["state"] == "synced" for n in self.both),
              lambda: f"a synced pair: {[node.status()['ha'] for node in self.both]}", 60, 0.1)

    def power_off(self):
        super().power_off()
        self.both[0].kill()


class Wsl4Alone(Replicas):
    """On the first node only."""
    name = "wsl4, single node"

    def set_up(self):
        daemon = Daemon(self.bed, [SERVICE], [Pool("main", POOL)], log_level="info").start()
        self.daemons = [daemon.child]


class Conntrackd(Replicas):
    """Configured as its own example is, but for reliable events."""
    name, mode, filter, states = "conntrackd, cache", "", "Userspace", ""

    def set_up(self):
        self.keepalived = []
        for number, node in enumerate(self.nodes, 1):
            self.bed.sysctl(node, **{"net.ipv4.ip_forward": 1, "net.netfilter.nf_conntrack_events": 1})
            self.bed.nft(config.nft([SERVICE], POOL), node)
            self._start_conntrackd(node, number)
        self._start_keepalived(self.nodes[0], 1)    # the first there is the active one
        until(lambda: f"front {VIP4}/32" in self.bed.addresses(self.nodes[0]), lambda: "keepalived's VIP:\n" + self.keepalived[0].errors(), 30)
        self._start_keepalived(self.nodes[1], 2)

    def _start_conntrackd(self, node, number):
        folder = self.bed.path(f"node{number}")
        os.makedirs(folder)
        conf = self._write(folder, "conntrackd.conf", CONNTRACKD.format(
            mode=self.mode, filter=self.filter, states=self.states, own=f"198.18.3.{number}", other=f"198.18.3.{3 - number}", folder=folder))
        self.daemons.append(self.bed.child(node, "conntrackd", "-C", conf, stdin=False))
        until(lambda: os.path.exists(f"{folder}/ctl"), lambda: "conntrackd listening:\n" + self.daemons[-1].errors())

    def _start_keepalived(self, node, number):
        folder = self.bed.path(f"node{number}")
        script = self._write(folder, "notify", NOTIFY.format(conf=f"{folder}/conntrackd.conf", folder=folder), 0o755)
        pool = "\n".join(f"    {address}/32 dev back" for address in POOL)
        keepalived = self._write(folder, "keepalived.conf", KEEPALIVED.format(priority=200 - 50 * number, vip=VIP4, pool=pool, script=script))
        self.keepalived.append(self.bed.keepalived(node, keepalived))

    @staticmethod
    def _write(folder, name, text, mode=0o644):
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def copies(self):
        """In the standby's external cache."""
        told = self.bed.run(self.nodes[1], "conntrackd", "-C", self.bed.path("node2/conntrackd.conf"), "-s").stdout
        found = re.search(r"cache external:\s+current active connections:\s+(\d+)", told)
        if not found:
            raise Failed(f"conntrackd -s tells no external cache:\n{told}")
        return int(found[1])

    def commit_seconds(self):
        with open(self.bed.path("node2/commit_us"), encoding="ascii") as file:
            return int(file.read()) / 1e6

    def power_off(self):
        super().power_off()
        for child in self.keepalived[:1] + self.daemons[:1]:
            child.kill()


class ConntrackdDirect(Conntrackd):
    """Without external cache: what comes goes into the kernel at once."""
    name, mode = "conntrackd, direct", "DisableExternalCache on"

    def copies(self):
        return self.entries()[1]


class ConntrackdFiltered(ConntrackdDirect):
    """And the kernel tells it of fewer states, as its manual offers."""
    name, filter = "  told less", "Kernelspace"
    states = "State Accept { ESTABLISHED CLOSED TIME_WAIT CLOSE_WAIT for TCP }"
