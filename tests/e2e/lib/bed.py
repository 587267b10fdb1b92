"""A bed of network namespaces: clients - front bridge - balancer - back bridge - backends, IPv4 and IPv6.

    clients   198.18.1.10, 2001:db8:1::10; any source in 198.19.0.0/16 and 2001:db8:c::/96 too
    balancer  198.18.1.2 and 198.18.2.2, 2001:db8:1::2 and 2001:db8:2::2; VIPs .100 and up, pool .101 and up of the back network
    backends  198.18.2.11-.18, 2001:db8:2::11-::18

Needs root. Names are unique to the process; everything made is removed by its exact name, also after a failure."""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import tempfile

from lib.run import BIN, Child, Failed, run

VIP4, VIP6 = "198.18.1.100", "2001:db8:1::100"
CLIENT_RANGE4, CLIENT_RANGE6 = "198.19.0.0/16", "2001:db8:c::/96"
BACKENDS4 = [f"198.18.2.{n}" for n in range(11, 19)]
BACKENDS6 = [f"2001:db8:2::{n}" for n in range(11, 19)]
POOL4, POOL6 = "198.18.2.101-198.18.2.108", "2001:db8:2::101-2001:db8:2::108"

_counter = iter(range(1, 1000))
_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def pool4(count):
    return [f"198.18.2.{100 + n}" for n in range(1, count + 1)]


def pool6(count):
    return [f"2001:db8:2::{100 + n}" for n in range(1, count + 1)]


def endpoint(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class Bed:
    def __init__(self, direct=False):
        """`direct`: cables instead of bridges, so that less of what is measured is the bed's own cost."""
        self.direct = direct
        if os.geteuid() != 0:
            raise Failed("these tests make network namespaces and so need root")
        prefix = f"traffic-{os.getpid()}-{next(_counter)}"
        self.clients, self.balancer, self.backends, self.switch = (f"{prefix}-{part}" for part in ("c", "b", "s", "w"))
        self.folder = tempfile.mkdtemp(prefix=prefix + "-")
        os.chmod(self.folder, 0o755)
        self._made, self._children, self._last = [], [], []
        self._log = iter(range(1, 100000))

    def __enter__(self):
        try:
            self._lay_out()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for child in reversed(self._children):
            child.end()
        for call in self._last:
            call()
        for name in reversed(self._made):
            # What a program that was killed has left behind, as nginx its workers.
            for pid in run("ip", "netns", "pids", name, check=False).stdout.split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            run("ip", "netns", "del", name, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- laying out -------------------------------------------------------------------------------------------

    def _lay_out(self):
        for name in (self.clients, self.balancer, self.backends, self.switch):
            self._make(name)
        for bridge, end in (("front", self.clients), ("back", self.backends)):
            if self.direct:
                self.ip(end, f"link add {bridge} type veth peer name {bridge} netns {self.balancer}", f"link set {bridge} up")
                self.ip(self.balancer, f"link set {bridge} up")
                continue
            self.ip(self.switch, f"link add {bridge} type bridge", f"link set {bridge} up")
            self._cable(end, bridge)
            self._cable(self.balancer, bridge)
        self._address_clients()
        self._address_balancer()
        addresses = [f"addr add {a}/24 dev back" for a in BACKENDS4] + [f"addr add {a}/64 dev back nodad" for a in BACKENDS6]
        self.ip(self.backends, *addresses, "route add default via 198.18.2.2", "route add default via 2001:db8:2::2")
        for name in (self.clients, self.backends):
            self.sysctl(name, **{"net.ipv4.ip_local_port_range": "1024 65535", "net.core.somaxconn": 65535,
                                 "net.ipv4.tcp_max_syn_backlog": 65535, "net.ipv4.tcp_max_tw_buckets": 20000})

    def _make(self, name):
        run("ip", "netns", "add", name)
        self._made.append(name)
        self.ip(name, "link set lo up")
        self.sysctl(name, **{"net.ipv6.conf.all.accept_dad": 0, "net.ipv6.conf.default.accept_dad": 0,
                             "net.ipv4.conf.all.rp_filter": 0, "net.ipv4.conf.default.rp_filter": 0})

    def _cable(self, name, bridge):
        port = f"{bridge}-{name[-1]}"
        self.ip(self.switch, f"link add {port} type veth peer name {bridge} netns {name}", f"link set {port} master {bridge} up")
        self.ip(name, f"link set {bridge} up")

    def _address_clients(self):
        self.ip(self.clients, "addr add 198.18.1.10/24 dev front", "addr add 2001:db8:1::10/64 dev front nodad",
                f"route add local {CLIENT_RANGE4} dev lo", f"route add local {CLIENT_RANGE6} dev lo",
                "route add default via 198.18.1.2", "route add default via 2001:db8:1::2")
        self.sysctl(self.clients, **{"net.ipv6.ip_nonlocal_bind": 1})   # IPv4 takes the local route for enough, IPv6 does not

    def _address_balancer(self):
        self.ip(self.balancer, "addr add 198.18.1.2/24 dev front", "addr add 2001:db8:1::2/64 dev front nodad",
                "addr add 198.18.2.2/24 dev back", "addr add 2001:db8:2::2/64 dev back nodad",
                f"route add {CLIENT_RANGE4} via 198.18.1.10", f"route add {CLIENT_RANGE6} via 2001:db8:1::10")
        # The kernel limits its ICMP errors to one a second and host; tests count every refusal.
        self.sysctl(self.balancer, **{"net.ipv4.icmp_ratelimit": 0, "net.ipv6.icmp.ratelimit": 0})

    # ---- doing things inside ----------------------------------------------------------------------------------

    def ip(self, name, *commands):
        run("ip", "-n", name, "-batch", "-", stdin="\n".join(commands) + "\n")

    def sysctl(self, name, **values):
        run("ip", "netns", "exec", name, "sysctl", "-qw", *(f"{key}={value}" for key, value in values.items()))

    def read_sysctl(self, name, key):
        return run("ip", "netns", "exec", name, "sysctl", "-n", key).stdout.strip()

    def run(self, name, *command, **options):
        return run("ip", "netns", "exec", name, *command, **options)

    def nft(self, text, name=None, check=True):
        return self.run(name or self.balancer, "nft", "-f", "-", stdin=text, check=check)

    def table(self):
        """wsl4's table as nft lists it; empty if there is none."""
        return self.run(self.balancer, "nft", "list", "table", "inet", "wsl4", check=False).stdout

    def addresses(self, name=None):
        """All addresses of a namespace, with their prefix lengths."""
        lines = run("ip", "-n", name or self.balancer, "-o", "addr", "show").stdout.splitlines()
        return sorted(f"{words[1]} {words[3]}" for words in (line.split() for line in lines))

    def mac(self, card, name=None):
        """Of a card of the balancer, or of another namespace."""
        return json.loads(run("ip", "-n", name or self.balancer, "-j", "link", "show", card).stdout)[0]["address"]

    def entries(self):
        """How many conntrack entries the balancer has."""
        return int(self.read_sysctl(self.balancer, "net.netfilter.nf_conntrack_count"))

    def on_exit(self, call):
        """Called when everything in the bed has ended."""
        self._last.append(call)

    def path(self, name):
        return os.path.join(self.folder, name)

    def child(self, name, *command, **options):
        """A process in a namespace, ended with the bed."""
        log = self.path(f"{next(self._log)}-{os.path.basename(str(command[0]))}.log")
        child = Child(["ip", "netns", "exec", name, *command], log, **options)
        self._children.append(child)
        return child

    def keepalived(self, name, config):
        """With this file, which root alone may write; its pid files lie beside it."""
        os.chmod(config, 0o644)
        return self.child(name, "keepalived", "-n", "-l", "-D", "-P", "-f", config, "-p", f"{config}.pid", "-r", f"{config}.vrrp.pid",
                          stdin=False)

    @contextlib.contextmanager
    def inside(self, name):
        """Sockets made by this thread meanwhile belong to the namespace."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{name}", os.O_RDONLY)
        try:
            if _libc.setns(there, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"cannot enter {name}")
            yield
        finally:
            _libc.setns(home, _CLONE_NEWNET)
            os.close(home)
            os.close(there)

    # ---- the programs under test ------------------------------------------------------------------------------

    def program(self, name):
        path = os.path.join(BIN, name)
        if not os.access(path, os.X_OK):
            raise Failed(f"{name} is not in WSL4_BIN={BIN!r}")
        return path
