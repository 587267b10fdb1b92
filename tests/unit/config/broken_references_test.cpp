#include <array>

#include "tests/unit/config/broken.h"

namespace wsl4::config {

std::span<const BrokenFile> broken_references() {
  static constexpr auto kFiles = std::to_array<BrokenFile>({
      {"two services of one name",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service]]
name = "s"
listen = ["198.18.0.2:80"]
)~",
       R"~(f:8:8: service[1].name: "s" is also the name of service[0] (a name of its own))~"},
      {"two pools of one name",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[pool]]
name = "p"
addresses = ["198.18.5.1"]
)~",
       R"~(f:5:8: pool[1].name: "p" is also the name of pool[0] (a name of its own))~"},
      {"two backends of one name",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service.backend]]
name = "b"
address = "198.18.2.1:80"
[[service.backend]]
name = "b"
address = "198.18.2.2:80"
)~",
       R"~(f:11:8: service[0].backend[1].name: "b" is also the name of backend[0] (a name of its own))~"},
      {"two backends of one name, one without a sound address",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service.backend]]
name = "b"
address = "198.18.2.1:80"
[[service.backend]]
name = "b"
address = "198.18.2.2"
)~",
       R"~(f:11:8: service[0].backend[1].name: "b" is also the name of backend[0] (a name of its own)
f:12:11: service[0].backend[1].address: "198.18.2.2" is not an address and port (ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified))~"},
      {"nothing follows from a wrong value",
       R"~([node]
ct_mark_mask = 5
[[pool]]
name = "P"
addresses = ["198.18.1.0/30"]
[[pool]]
name = "q"
addresses = ["198.18.5.0/30"]
[[service]]
name = "a"
mode = "nat"
listen = ["198.18.0.1:80"]
[[service]]
name = "b"
pool = "Q"
listen = ["198.18.0.2:80"]
[[service]]
name = "c"
pool = "p"
protocol = "upd"
listen = ["198.18.0.2:80"]
[service.health]
interval = "x"
timeout = "5s"
)~",
       R"~(f:2:16: node.ct_mark_mask: 0x00000005 has gaps (two or more bits side by side, in 32)
f:4:8: pool[0].name: "P" is not a name (a-z, 0-9 and -, at most 32 characters)
f:11:8: service[0].mode: "nat" is none of the choices (snat | dnat; did you mean snat?)
f:15:8: service[1].pool: "Q" is not a name (a-z, 0-9 and -, at most 32 characters)
f:20:12: service[2].protocol: "upd" is none of the choices (tcp | udp; did you mean udp?)
f:23:12: service[2].health.interval: "x" is not a duration (100ms-1h, as a string such as "150ms", "2s", "1h"))~"},
      {"two backends of one address",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service.backend]]
address = "198.18.2.1:80"
[[service.backend]]
address = "198.18.2.1:80"
)~",
       R"~(f:10:11: service[0].backend[1].address: 198.18.2.1:80 is also the address of backend[0] (each once in a service))~"},
      {"two services of one listen address",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service]]
name = "t"
listen = ["198.18.0.9:80", "198.18.0.1:80"]
)~",
       R"~(f:9:28: service[1].listen[1]: 198.18.0.1:80 (tcp) is also a listen address of service[0] (s) (each address, port and protocol once))~"},
      {"a listen address twice",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["[2001:db8::1]:80", "[2001:db8:0:0::1]:80"]
)~",
       R"~(f:6:11: service[0].listen[0]: pool "p" has no IPv6 address (one family on both sides)
f:6:31: service[0].listen[1]: [2001:db8::1]:80 (tcp) is twice in this service (each address, port and protocol once))~"},
      {"a VIP on two interfaces",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service]]
name = "t"
listen = ["198.18.0.2:81", "198.18.0.1:81"]
interface = "front"
[[service]]
name = "u"
listen = ["198.18.0.3:82", "198.18.0.1:82", "198.18.0.2:82"]
interface = "back"
)~",
       R"~(f:14:13: service[2].interface: 198.18.0.1 is on front by service[1] (t) (one interface for a VIP))~"},
      {"control address is a listen address",
       R"~([control]
listen = "198.18.0.1:80"
[[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
)~",
       R"~(f:2:10: control.listen: 198.18.0.1:80 is also a listen address of service[0] (s) (an address and port of its own))~"},
      {"an address in two pools",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[pool]]
name = "q"
addresses = ["198.18.1.8", "198.18.1.2-198.18.1.6"]
)~",
       R"~(f:6:28: pool[1].addresses[1]: 198.18.1.2-198.18.1.3 are also in pool[0] (p) (each address in one pool, once))~"},
      {"addresses that several others have",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.4-198.18.1.5", "198.18.1.6-198.18.1.9", "198.18.1.11-198.18.1.12", "2001:db8::1-2001:db8::4"]
[[pool]]
name = "q"
addresses = ["198.18.1.5-198.18.1.20", "2001:db8::4-2001:db8::5", "2001:db8::5"]
)~",
       R"~(f:6:14: pool[1].addresses[0]: 198.18.1.5 is also in pool[0] (p) (each address in one pool, once)
f:6:14: pool[1].addresses[0]: 198.18.1.6-198.18.1.9 are also in pool[0] (p) (each address in one pool, once)
f:6:14: pool[1].addresses[0]: 198.18.1.11-198.18.1.12 are also in pool[0] (p) (each address in one pool, once)
f:6:40: pool[1].addresses[1]: 2001:db8::4 is also in pool[0] (p) (each address in one pool, once)
f:6:67: pool[1].addresses[2]: 2001:db8::5 is already in addresses[1] (each address in one pool, once))~"},
      {"an address twice in a pool",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.1-198.18.1.9", "198.18.1.4"]
)~",
       R"~(f:3:39: pool[0].addresses[1]: 198.18.1.4 is already in addresses[0] (each address in one pool, once))~"},
      {"a pool too large",
       R"~([[pool]]
name = "p"
addresses = ["198.18.0.0/20", "198.18.16.0"]
)~",
       R"~(f:3:31: pool[0].addresses[1]: makes the pool too large (at most 4,096 addresses))~"},
      {"a pool far too large",
       R"~([[pool]]
name = "p"
addresses = ["2001:db8::/32"]
)~",
       R"~(f:3:14: pool[0].addresses[0]: makes the pool too large (at most 4,096 addresses))~"},
      {"a pool address is a VIP",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.1", "198.18.0.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
)~",
       R"~(f:3:28: pool[0].addresses[1]: 198.18.0.1 is a VIP of service[0] (s) (a pool address is no VIP))~"},
      {"a backend is a pool address",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service.backend]]
address = "198.18.1.2:80"
)~",
       R"~(f:8:11: service[0].backend[0].address: 198.18.1.2:80 is a pool address of p, thus the balancer's own (a server's own address))~"},
      {"a backend is its own listen address",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service.backend]]
address = "198.18.0.1:80"
)~",
       R"~(f:8:11: service[0].backend[0].address: 198.18.0.1:80 is a listen address of service[0] (s): a loop (a server's own address))~"},
      {"a backend is another listen address",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service.backend]]
address = "198.18.0.2:80"
[[service]]
name = "t"
listen = ["198.18.0.2:80"]
)~",
       R"~(f:8:11: service[0].backend[0].address: 198.18.0.2:80 is a listen address of service[1] (t): a loop (a server's own address))~"},
      {"no pool",
       R"~([[service]]
name = "s"
listen = ["198.18.0.1:80"]
)~",
       R"~(f:1:1: service[0].pool: is missing, and no pool is defined (a [[pool]], or mode = "dnat"))~"},
      {"no such pool",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
pool = "q-1"
)~",
       R"~(f:7:8: service[0].pool: there is no pool "q-1" (one of p))~"},
      {"no such pool, one near",
       R"~([[pool]]
name = "main"
addresses = ["198.18.1.1"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
pool = "mian"
)~",
       R"~(f:7:8: service[0].pool: there is no pool "mian" (did you mean main?))~"},
      {"no such pool, none defined",
       R"~([[service]]
name = "s"
listen = ["198.18.0.1:80"]
pool = "main"
)~",
       R"~(f:4:8: service[0].pool: there is no pool "main" (none is defined))~"},
      {"several pools, none chosen",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[pool]]
name = "q"
addresses = ["198.18.5.1"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
)~",
       R"~(f:7:1: service[0].pool: is missing, and there are several pools (one of p, q))~"},
      {"several pools, none chosen, not all with a name",
       R"~([[pool]]
addresses = ["198.18.1.0/30"]
[[pool]]
name = "q"
addresses = ["198.18.5.1"]
[[pool]]
name = "r"
addresses = ["198.18.6.1"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
)~",
       R"~(f:1:1: pool[0].name: is missing (a-z, 0-9 and -, at most 32 characters)
f:9:1: service[0].pool: is missing, and there are several pools (one of q, r))~"},
      {"several pools, none chosen, none with a name",
       R"~([[pool]]
name = "Q"
addresses = ["198.18.1.0/30"]
[[pool]]
addresses = ["198.18.5.1"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
)~",
       R"~(f:2:8: pool[0].name: "Q" is not a name (a-z, 0-9 and -, at most 32 characters)
f:4:1: pool[1].name: is missing (a-z, 0-9 and -, at most 32 characters)
f:6:1: service[0].pool: is missing, and there are several pools (the name of one))~"},
      {"pool in mode dnat",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
mode = "dnat"
pool = "p"
)~",
       R"~(f:8:8: service[0].pool: is not used in mode dnat (leave it out))~"},
      {"listen family without backend and pool",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80", "[2001:db8::1]:80"]
[[service.backend]]
address = "198.18.2.1:80"
)~",
       R"~(f:6:28: service[0].listen[1]: [2001:db8::1]:80 has no IPv6 backend (one family on both sides)
f:6:28: service[0].listen[1]: pool "p" has no IPv6 address (one family on both sides))~"},
      {"listen family without backend, mode dnat",
       R"~([[service]]
name = "s"
mode = "dnat"
listen = ["198.18.0.1:80", "[2001:db8::1]:80"]
[[service.backend]]
address = "198.18.2.1:80"
)~",
       R"~(f:4:28: service[0].listen[1]: [2001:db8::1]:80 has no IPv6 backend (one family on both sides))~"},
      {"backend family without listen address",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service.backend]]
address = "198.18.2.1:80"
[[service.backend]]
address = "[2001:db8::101]:80"
)~",
       R"~(f:10:11: service[0].backend[1].address: [2001:db8::101]:80 is an IPv6 address, but the service has no IPv6 listen address (one family on both sides))~"},
      {"other families throughout",
       R"~([[pool]]
name = "p"
addresses = ["2001:db8:1::/126"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service.backend]]
address = "[2001:db8::101]:80"
)~",
       R"~(f:6:11: service[0].listen[0]: 198.18.0.1:80 has no IPv4 backend (one family on both sides)
f:6:11: service[0].listen[0]: pool "p" has no IPv4 address (one family on both sides)
f:8:11: service[0].backend[0].address: [2001:db8::101]:80 is an IPv6 address, but the service has no IPv6 listen address (one family on both sides))~"},
      {"idle timeout of UDP",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
protocol = "udp"
idle_timeout = "5m"
)~",
       R"~(f:8:16: service[0].idle_timeout: does nothing with protocol = "udp", whose flows end by the kernel's own timeouts (leave it out))~"},
      {"more backends than the mask numbers",
       R"~([node]
ct_mark_mask = 0x00000c00
[[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service.backend]]
address = "198.18.2.1:80"
[[service.backend]]
address = "198.18.2.2:80"
)~",
       R"~(f:2:16: node.ct_mark_mask: 0x00000c00 has room for 1 of the 2 backends (at least 3 bits))~"},
      {"a wrong value has no consequences",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1"]
[[service]]
name = "s"
listen = ["198.18.0.1"]
pool = 5
[[service.backend]]
address = "[2001:db8::101]"
)~",
       R"~(f:3:14: pool[0].addresses[0]: "198.18.1" is not an address, range or prefix (such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29)
f:6:11: service[0].listen[0]: "198.18.0.1" is not an address and port (ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified)
f:7:8: service[0].pool: is an integer, must be a string (a-z, 0-9 and -, at most 32 characters)
f:9:11: service[0].backend[0].address: "[2001:db8::101]" is not an address and port (ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified))~"},
  });
  return kFiles;
}

}  // namespace wsl4::config
