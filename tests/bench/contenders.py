"""The same job done by four: wsl4, an nft ruleset by hand, HAProxy in TCP mode, nginx stream. Each in a bed of its own."""

import re

from lib import config
from lib.bed import BACKENDS4, VIP4, Bed, endpoint, pool4
from lib.config import Backend, Pool, Service
from lib.daemon import Daemon
from lib.load import Clients, Servers
from lib.wait import until

TARGET = f"{VIP4}:443"
BACKENDS = [Backend(f"b{n}", BACKENDS4[n]) for n in range(3)]
POOL = pool4(4)
SERVICE = Service("chat", [TARGET], BACKENDS)

HAPROXY = """global
  nbthread 2
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen chat
  bind {target}
  balance roundrobin
{servers}
"""
NGINX = """daemon off; pid {folder}/nginx.pid; error_log stderr; worker_processes 2;
load_module {module};
events {{ worker_connections 4000; }}
stream {{ access_log off;
  split_clients $remote_addr$remote_port $from {{ {split} }}
  upstream chat {{ {servers} }}
  server {{ listen {target}; proxy_pass chat; proxy_bind $from; proxy_buffer_size 16k; tcp_nodelay on; }} }}
"""
NGINX_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"


class Contender:
    """A bed with servers and clients, and something in its middle."""

    def __init__(self, stack):
        self.bed = stack.enter_context(Bed(direct=True))
        self.servers = Servers(self.bed, BACKENDS4[:3], processes=2)
        self.middle = []  # pids of what balances in user space
        self.set_up()
        self.clients = Clients(self.bed, TARGET, sources=2000, processes=2)  # both cores have work

    def addresses(self):
        self.bed.ip(self.bed.balancer, f"addr add {VIP4}/32 dev front", *(f"addr add {a}/32 dev back" for a in POOL))

    def ends(self):
        return [process.child.pid for process in self.clients.processes + self.servers.processes]

    def flush(self):
        """Ends all entries, so that what their end costs is in the measurement too."""
        self.bed.run(self.bed.balancer, "conntrack", "-F")


class Wsl4(Contender):
    def set_up(self):
        self.daemon = Daemon(self.bed, [SERVICE], [Pool("main", POOL)], log_level="info").start()
        self.middle = [self.daemon.child.pid]


class ByHand(Contender):
    def set_up(self):
        self.addresses()
        self.bed.sysctl(self.bed.balancer, **{"net.ipv4.ip_forward": 1})
        self.bed.nft(config.nft([SERVICE], POOL))


class Proxy(Contender):
    def run(self, text, *command):
        path = self.bed.path("proxy.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        child = self.bed.child(self.bed.balancer, *command, path, stdin=False)
        until(lambda: self.bed.run(self.bed.balancer, "ss", "-Hltn", f"src {TARGET}").stdout, lambda: "listening\n" + child.errors())
        self.middle = [child.pid, *_children(child.pid)]


class HaProxy(Proxy):
    def set_up(self):
        self.addresses()
        servers = [f"  server {b.name}-{n} {b.endpoint} source {address}" for b in BACKENDS for n, address in enumerate(POOL)]
        self.run(HAPROXY.format(target=TARGET, servers="\n".join(servers)), "haproxy", "-f")


class NginxStream(Proxy):
    def set_up(self):
        self.addresses()
        share = 100 // len(POOL)
        split = "".join(f"{share}% {address}; " for address in POOL[:-1]) + f"* {POOL[-1]};"
        servers = " ".join(f"server {endpoint(b.address, b.port)};" for b in BACKENDS)
        self.run(NGINX.format(folder=self.bed.folder, module=NGINX_MODULE, split=split, servers=servers, target=TARGET),
                 "nginx", "-p", self.bed.folder, "-c")


def _children(pid):
    path = f"/proc/{pid}/task/{pid}/children"
    with open(path, encoding="utf-8") as file:
        return [int(word) for word in re.findall(r"\d+", file.read())]
