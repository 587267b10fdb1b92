#include <array>

#include "tests/unit/config/broken.h"

namespace wsl4::config {

std::span<const BrokenFile> broken_service_settings() {
  static constexpr auto kFiles = std::to_array<BrokenFile>({
      {"service name with an underscore",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "a_b"
listen = ["198.18.0.1:80"]
)~",
       R"~(f:5:8: service[0].name: "a_b" is not a name (a-z, 0-9 and -, at most 32 characters))~"},
      {"protocol in capitals",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
protocol = "TCP"
)~",
       R"~(f:7:12: service[0].protocol: "TCP" is none of the choices (tcp | udp; did you mean tcp?))~"},
      {"unknown protocol",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
protocol = "sctp"
)~",
       R"~(f:7:12: service[0].protocol: "sctp" is none of the choices (tcp | udp))~"},
      {"listen as a string",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = "198.18.0.1:80"
)~",
       R"~(f:6:10: service[0].listen: is a string, must be a list (each ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified))~"},
      {"listen empty",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = []
)~",
       R"~(f:6:10: service[0].listen: is empty (at least one, ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified))~"},
      {"listen on addresses that cannot be used",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["0.0.0.0:80", "[::]:80", "127.0.0.1:80", "[fe80::1]:80", "[ff02::1]:80"]
)~",
       R"~(f:6:11: service[0].listen[0]: "0.0.0.0:80" is an address that packets cannot be forwarded to (ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified)
f:6:25: service[0].listen[1]: "[::]:80" is an address that packets cannot be forwarded to (ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified)
f:6:36: service[0].listen[2]: "127.0.0.1:80" is an address that packets cannot be forwarded to (ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified)
f:6:52: service[0].listen[3]: "[fe80::1]:80" is an address that packets cannot be forwarded to (ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified)
f:6:68: service[0].listen[4]: "[ff02::1]:80" is an address that packets cannot be forwarded to (ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified))~"},
      {"unknown scheduler",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
scheduler = "leastconn"
)~",
       R"~(f:7:13: service[0].scheduler: "leastconn" is none of the choices (least-connections | round-robin | random | source-hash))~"},
      {"unknown mode",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
mode = "nat"
)~",
       R"~(f:7:8: service[0].mode: "nat" is none of the choices (snat | dnat; did you mean snat?))~"},
      {"duration: without unit",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
idle_timeout = "60"
)~",
       R"~(f:7:16: service[0].idle_timeout: "60" is not a duration (1s-18d or 0s, as a string such as "150ms", "2s", "1h"))~"},
      {"duration: an integer",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
idle_timeout = 60
)~",
       R"~(f:7:16: service[0].idle_timeout: is an integer, must be a string (1s-18d or 0s, as a string such as "150ms", "2s", "1h"))~"},
      {"duration: a fraction",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
idle_timeout = "1.5s"
)~",
       R"~(f:7:16: service[0].idle_timeout: "1.5s" is not a duration (1s-18d or 0s, as a string such as "150ms", "2s", "1h"))~"},
      {"duration: a space",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
idle_timeout = "1 s"
)~",
       R"~(f:7:16: service[0].idle_timeout: "1 s" is not a duration (1s-18d or 0s, as a string such as "150ms", "2s", "1h"))~"},
      {"duration: negative",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
idle_timeout = "-1s"
)~",
       R"~(f:7:16: service[0].idle_timeout: "-1s" is not a duration (1s-18d or 0s, as a string such as "150ms", "2s", "1h"))~"},
      {"duration: an unknown unit",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
idle_timeout = "2w"
)~",
       R"~(f:7:16: service[0].idle_timeout: "2w" is not a duration (1s-18d or 0s, as a string such as "150ms", "2s", "1h"))~"},
      {"duration: too short",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
idle_timeout = "500ms"
)~",
       R"~(f:7:16: service[0].idle_timeout: "500ms" is out of range (1s-18d or 0s, as a string such as "150ms", "2s", "1h"))~"},
      {"duration: too long",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
idle_timeout = "25d"
)~",
       R"~(f:7:16: service[0].idle_timeout: "25d" is out of range (1s-18d or 0s, as a string such as "150ms", "2s", "1h"))~"},
      {"duration: far too long",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
idle_timeout = "99999999999s"
)~",
       R"~(f:7:16: service[0].idle_timeout: "99999999999s" is not a duration (1s-18d or 0s, as a string such as "150ms", "2s", "1h"))~"},
      {"duration: empty",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
idle_timeout = ""
)~",
       R"~(f:7:16: service[0].idle_timeout: "" is not a duration (1s-18d or 0s, as a string such as "150ms", "2s", "1h"))~"},
      {"weights out of range",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service.backend]]
address = "198.18.2.1:80"
weight = 1001
[[service.backend]]
address = "198.18.2.2:80"
weight = -1
[[service.backend]]
address = "198.18.2.3:80"
weight = 1.5
)~",
       R"~(f:9:10: service[0].backend[0].weight: 1001 is out of range (0-1000)
f:12:10: service[0].backend[1].weight: -1 is out of range (0-1000)
f:15:10: service[0].backend[2].weight: is a fraction, must be an integer (0-1000))~"},
      {"backend address without port",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service.backend]]
address = "198.18.2.1"
)~",
       R"~(f:8:11: service[0].backend[0].address: "198.18.2.1" is not an address and port (ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified))~"},
      {"backend on loopback",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service.backend]]
address = "127.0.0.1:80"
)~",
       R"~(f:8:11: service[0].backend[0].address: "127.0.0.1:80" is an address that packets cannot be forwarded to (ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified))~"},
      {"backend name with a dot",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service.backend]]
address = "198.18.2.1:80"
name = "a.b"
)~",
       R"~(f:9:8: service[0].backend[0].name: "a.b" is not a name (a-z, 0-9 and -, at most 32 characters))~"},
      {"date for a string",
       R"~([node]
name = 2026-11-24
)~",
       R"~(f:2:8: node.name: is a date or time, must be a string (letters, digits, '.', '-' and '_', at most 253 characters))~"},
      {"limits out of range",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
client_limits.connections = -1
client_limits.rate = 1000001
)~",
       R"~(f:7:29: service[0].client_limits.connections: -1 is out of range (0-1000000)
f:8:22: service[0].client_limits.rate: 1000001 is out of range (0-1000000))~"},
      {"health settings out of range",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[service.health]
type = "ping"
path = "ws"
host = "a b"
expect = "99"
interval = "1ms"
timeout = "11m"
rise = 0
fall = 101
tls_verify = "yes"
)~",
       R"~(f:8:8: service[0].health.type: "ping" is none of the choices (tcp | http | https | websocket | websockets | none)
f:9:8: service[0].health.path: "ws" does not begin with / (a path such as /ws)
f:10:8: service[0].health.host: "a b" is not a host name (letters, digits, '.', '-' and '_', at most 253 characters)
f:11:10: service[0].health.expect: "99" is out of range (a status or a range such as 200-399, in 100-599)
f:12:12: service[0].health.interval: "1ms" is out of range (100ms-1h, as a string such as "150ms", "2s", "1h")
f:13:11: service[0].health.timeout: "11m" is out of range (10ms-10m, as a string such as "150ms", "2s", "1h")
f:14:8: service[0].health.rise: 0 is out of range (1-100)
f:15:8: service[0].health.fall: 101 is out of range (1-100)
f:16:14: service[0].health.tls_verify: is a string, must be a boolean (true or false))~"},
      {"health expectation falling",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[service.health]
expect = "399-200"
)~",
       R"~(f:8:10: service[0].health.expect: "399-200" ends before it begins (a status or a range such as 200-399, in 100-599))~"},
      {"discovery srv:x",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
discovery = "srv:x"
)~",
       R"~(f:7:13: service[0].discovery: "srv:x" is not a source of backends (dns:NAME or dns:HOST:PORT))~"},
      {"discovery dns:",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
discovery = "dns:"
)~",
       R"~(f:7:13: service[0].discovery: "dns:" is not a source of backends (dns:NAME or dns:HOST:PORT))~"},
      {"discovery dns:a b",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
discovery = "dns:a b"
)~",
       R"~(f:7:13: service[0].discovery: "dns:a b" is not a source of backends (dns:NAME or dns:HOST:PORT))~"},
      {"discovery dns:host:0",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
discovery = "dns:host:0"
)~",
       R"~(f:7:13: service[0].discovery: "dns:host:0" is not a source of backends (dns:NAME or dns:HOST:PORT))~"},
      {"discovery dns:host:80-90",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
discovery = "dns:host:80-90"
)~",
       R"~(f:7:13: service[0].discovery: "dns:host:80-90" is not a source of backends (dns:NAME or dns:HOST:PORT))~"},
      {"public address with a space",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service.backend]]
address = "198.18.2.1:80"
public = "wss://a b"
)~",
       R"~(f:9:10: service[0].backend[0].public: "wss://a b" is not a text without spaces (printable characters without spaces, at most 1024))~"},
      {"long values are cut in messages",
       R"~([node]
log_level = "ääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää"
)~",
       R"~(f:2:13: node.log_level: "ääääääääääääääääääääääääääääääääääääääää…" is none of the choices (error | warning | info | debug))~"},
      {"quotes and newlines in values",
       R"~([node]
log_level = "a\"b\nc"
)~",
       R"~(f:2:13: node.log_level: "a\"b\x0ac" is none of the choices (error | warning | info | debug))~"},
      {"pair settings out of range",
       R"~([ha]
listen = "198.18.3.1:4440"
peer = "198.18.3.2:4440"
interface = "eth0"
virtual_router_id = 256
priority = 255
advert_interval = "15ms"
unicast_peer = "224.0.0.18"
track = ["eth0", ""]
election = "vrp"
preempt = "no"
key_file = "peer.key"
hooks.active = "on-active"
)~",
       R"~(f:5:21: ha.virtual_router_id: 256 is out of range (1-255)
f:6:12: ha.priority: 255 is out of range (1-254)
f:7:19: ha.advert_interval: "15ms" is not a multiple of 10ms (10ms-40s in steps of 10ms, as a string such as "150ms", "2s", "1h")
f:8:16: ha.unicast_peer: "224.0.0.18" is not a unicast address (a unicast address such as 203.0.113.3 or 2001:db8::3)
f:9:18: ha.track[1]: is empty (the name of a network interface, at most 15 characters)
f:10:12: ha.election: "vrp" is none of the choices (vrrp | external; did you mean vrrp?)
f:11:11: ha.preempt: is a string, must be a boolean (true or false)
f:12:12: ha.key_file: "peer.key" is not an absolute path (a path that begins with /)
f:13:16: ha.hooks.active: "on-active" is not an absolute path (a path that begins with /))~"},
      {"advert interval out of range",
       R"~([ha]
listen = "198.18.3.1:4440"
peer = "198.18.3.2:4440"
interface = "eth0"
advert_interval = "41s"
)~",
       R"~(f:5:19: ha.advert_interval: "41s" is out of range (10ms-40s in steps of 10ms, as a string such as "150ms", "2s", "1h"))~"},
  });
  return kFiles;
}

}  // namespace wsl4::config
