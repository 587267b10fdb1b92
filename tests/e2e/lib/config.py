"""What a balancer shall do, as values: written out as wsl4's configuration, or as an nft ruleset by hand (the reference)."""

import dataclasses
import json
import math

from lib.bed import endpoint


@dataclasses.dataclass
class Pool:
    name: str
    addresses: list  # as the configuration takes them: singles, ranges, prefixes
    ports: str = "1-65535"

    def toml(self):
        return f'[[pool]]\nname = "{self.name}"\naddresses = {list(self.addresses)!r}\nports = "{self.ports}"\n'.replace("'", '"')


@dataclasses.dataclass
class Backend:
    name: str
    address: str
    port: int = 80
    weight: int = 100
    max_connections: int = 0

    @property
    def endpoint(self):
        return endpoint(self.address, self.port)

    def toml(self):
        more = "".join(f"{key} = {value}\n" for key, value, usual in
                       (("weight", self.weight, 100), ("max_connections", self.max_connections, 0)) if value != usual)
        return f'[[service.backend]]\nname = "{self.name}"\naddress = "{self.endpoint}"\n{more}'


@dataclasses.dataclass
class Service:
    name: str
    listen: list  # address:port
    backends: list
    scheduler: str = "round-robin"
    protocol: str = "tcp"
    mode: str = "snat"
    pool: str = ""
    idle_timeout: str = ""
    slow_start: str = ""
    on_backend_down: str = ""
    discovery: str = ""
    client_limits: dict = dataclasses.field(default_factory=dict)
    health: dict = dataclasses.field(default_factory=lambda: {"type": "none"})    # checks are in the way of most tests

    def toml(self):
        lines = ["[[service]]", f'name = "{self.name}"', f'scheduler = "{self.scheduler}"']
        lines.append(f"listen = {list(self.listen)!r}".replace("'", '"'))
        if self.protocol != "tcp":
            lines.append(f'protocol = "{self.protocol}"')
        if self.mode != "snat":
            lines.append(f'mode = "{self.mode}"')
        if self.pool:
            lines.append(f'pool = "{self.pool}"')
        for key in ("idle_timeout", "slow_start", "on_backend_down", "discovery"):
            if getattr(self, key):
                lines.append(f'{key} = "{getattr(self, key)}"')
        lines += [f"client_limits.{key} = {value}" for key, value in self.client_limits.items()]
        lines += ["[service.health]"] + [f"{key} = {json.dumps(value)}" for key, value in self.health.items()]
        return "\n".join(lines) + "\n" + "".join(backend.toml() for backend in self.backends)


def toml(services, pools, state_dir, socket, listen="", node="", control="", log_level="debug", name="lb-a", ha=""):
    """`node`, `control`: more lines for those tables; `ha`: the lines of that one."""
    text = f'[node]\nname = "{name}"\nstate_dir = "{state_dir}"\nlog_level = "{log_level}"\n{node}[control]\nsocket = "{socket}"\n'
    if listen:
        text += f'listen = "{listen}"\n'
    text += control + (f"[ha]\n{ha}" if ha else "")
    return text + "".join(pool.toml() for pool in pools) + "".join(service.toml() for service in services)


def nft(services, addresses):
    """The same job as an nft ruleset written by hand: IPv4 and TCP, `addresses` as the pool of all. A person's good ruleset, so:
    one lookup for the service, a map for the backend, another for the source address, per-backend counters to keep both apart."""
    lines = ["table inet reference {"]
    lines += [f"\tmap pool {{ typeof numgen inc mod {len(addresses)} : ip saddr; elements = {{ "
              + ", ".join(f"{n} : {address}" for n, address in enumerate(addresses)) + " } }"]
    for service in services:
        slots = _slots(service.backends)
        elements = ", ".join(f"{n} : {backend.address} . {backend.port}" for n, backend in enumerate(slots))
        lines.append(f"\tmap {service.name} {{ typeof numgen inc mod {len(slots)} : ip daddr . tcp dport; elements = {{ {elements} }} }}")
        lines.append(f"\tchain {service.name} {{ meta l4proto tcp dnat ip to numgen inc mod {len(slots)} map @{service.name}; }}")
    lines += _backend_chains(services, addresses) + _base_chains(services)
    return "\n".join(lines) + "\n}\n"


def _slots(backends):
    step = math.gcd(*(backend.weight for backend in backends))
    return [backend for backend in backends for _ in range(backend.weight // step)]


def _backend_chains(services, addresses):
    lines = []
    for service in services:
        for backend in service.backends:
            lines.append(f"\tchain {service.name}-{backend.name} {{ meta l4proto tcp snat ip to numgen inc mod {len(addresses)} map @pool:1-65535; }}")
    return lines


def _base_chains(services):
    listen = [(endpoint_text, service.name) for service in services for endpoint_text in service.listen]
    vips = ", ".join(f"{text.replace(':', ' . ')} : goto {name}" for text, name in listen)
    ends = sorted({(b.address, b.port, f"{s.name}-{b.name}") for s in services for b in s.backends})
    backends = ", ".join(f"{address} . {port} : goto {name}" for address, port, name in ends)
    return ["\tchain prerouting {", "\t\ttype nat hook prerouting priority dstnat - 10;", f"\t\tip daddr . tcp dport vmap {{ {vips} }}", "\t}",
            "\tchain postrouting {", "\t\ttype nat hook postrouting priority srcnat - 10;",
            f"\t\tct status dnat ip daddr . tcp dport vmap {{ {backends} }}", "\t}"]
