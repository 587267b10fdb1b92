#include <array>

#include "tests/unit/config/broken.h"

namespace wsl4::config {

std::span<const BrokenFile> broken_structures() {
  static constexpr auto kFiles = std::to_array<BrokenFile>({
      {"syntax: no value",
       R"~([node]
name =
)~",
       R"~(f:2:7: not valid TOML: Error while parsing key-value pair: expected value, saw '\n')~"},
      {"syntax: first error only",
       R"~(a = = 1
b = = 2
)~",
       R"~(f:1:5: not valid TOML: Error while parsing value: could not determine value type)~"},
      {"syntax: key twice",
       R"~([node]
name = "a"
name = "b"
)~",
       R"~(f:3:8: not valid TOML: Error while parsing key-value pair: cannot redefine existing string 'name')~"},
      {"syntax: table twice",
       R"~([node]
[node]
)~",
       R"~(f:2:1: not valid TOML: Error while parsing table header: cannot redefine existing table 'node')~"},
      {"syntax: open string",
       R"~([node]
name = "a
)~",
       R"~(f:2:10: not valid TOML: Error while parsing string: unescaped control characters other than TAB (U+0009) are explicitly prohibited)~"},
      {"syntax: saw a newline",
       R"~(a = f
)~",
       R"~(f:1:6: not valid TOML: Error while parsing boolean: expected 'false', saw 'f\x0a')~"},
      {"unknown table",
       R"~([nodes]
)~",
       R"~(f:1:2: nodes: unknown setting (did you mean node?))~"},
      {"unknown table, nothing near",
       R"~([frontend]
)~",
       R"~(f:1:2: frontend: unknown setting (here: node, control, ha, addresses, pool, service))~"},
      {"unknown key at the top",
       R"~(service_name = "x"
)~",
       R"~(f:1:1: service_name: unknown setting (here: node, control, ha, addresses, pool, service))~"},
      {"unknown key with a near one",
       R"~([node]
log_levle = "info"
)~",
       R"~(f:2:1: node.log_levle: unknown setting (did you mean log_level?))~"},
      {"unknown key, nothing near",
       R"~([addresses]
colour = "red"
)~",
       R"~(f:2:1: addresses.colour: unknown setting (here: manage, extra))~"},
      {"unknown key in quotes",
       R"~([addresses]
"a b" = 1
)~",
       R"~(f:2:1: addresses."a b": unknown setting (here: manage, extra))~"},
      {"unknown key of a backend",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service.backend]]
address = "198.18.2.1:80"
wieght = 1
)~",
       R"~(f:9:1: service[0].backend[0].wieght: unknown setting (did you mean weight?))~"},
      {"unknown dotted key",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
client_limits.conections = 0
)~",
       R"~(f:7:15: service[0].client_limits.conections: unknown setting (did you mean connections?))~"},
      {"one service as a table",
       R"~([service]
name = "x"
)~",
       R"~(f:1:1: service: is a table, must be a list of tables (write [[service]]))~"},
      {"node as a list",
       R"~([[node]]
name = "x"
)~",
       R"~(f:1:1: node: is a list, must be one table (write [node]))~"},
      {"pool as a string",
       R"~(pool = "x"
)~",
       R"~(f:1:8: pool: is a string, must be a list of tables (write [[pool]]))~"},
      {"services that are no tables",
       R"~(service = [1, "a"]
)~",
       R"~(f:1:12: service[0]: is an integer, must be a list of tables (write [[service]])
f:1:15: service[1]: is a string, must be a list of tables (write [[service]]))~"},
      {"backend as a table",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[service.backend]
address = "198.18.2.1:80"
)~",
       R"~(f:7:1: service[0].backend: is a table, must be a list of tables (write [[service.backend]]))~"},
      {"missing in a service",
       R"~([[pool]]
[[service]]
)~",
       R"~(f:1:1: pool[0].name: is missing (a-z, 0-9 and -, at most 32 characters)
f:1:1: pool[0].addresses: is missing (such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29)
f:2:1: service[0].name: is missing (a-z, 0-9 and -, at most 32 characters)
f:2:1: service[0].listen: is missing (ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified))~"},
      {"missing in a backend",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[[service.backend]]
weight = 1
)~",
       R"~(f:7:1: service[0].backend[0].address: is missing (ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified))~"},
      {"all at once, in the order of the file",
       R"~([node]
log_level = "x"

[[service]]
listen = ["1.2.3.4"]

  [[service.backend]]
  weight = "heavy"

[control]
listen = 9440
)~",
       R"~(f:2:13: node.log_level: "x" is none of the choices (error | warning | info | debug)
f:4:1: service[0].name: is missing (a-z, 0-9 and -, at most 32 characters)
f:4:1: service[0].pool: is missing, and no pool is defined (a [[pool]], or mode = "dnat")
f:5:11: service[0].listen[0]: "1.2.3.4" is not an address and port (ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified)
f:7:3: service[0].backend[0].address: is missing (ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified)
f:8:12: service[0].backend[0].weight: is a string, must be an integer (0-1000)
f:11:10: control.listen: is an integer, must be a string (ADDRESS:PORT such as 198.51.100.1:9440 or [2001:db8::1]:9440))~"},
      {"a virtual MAC address for addresses of somebody else",
       R"~([ha]
listen = "198.18.3.1:4440"
peer = "198.18.3.2:4440"
interface = "eth0"
virtual_mac = true

[addresses]
manage = false
)~",
       R"~(f:5:15: ha.virtual_mac: true needs addresses.manage, which is false (false, or addresses.manage = true))~"},
      {"what a pair needs",
       R"~([ha]
election = "vrrp"
)~",
       R"~(f:1:1: ha.listen: is missing (ADDRESS:PORT such as 198.51.100.1:9440 or [2001:db8::1]:9440)
f:1:1: ha.peer: is missing (ADDRESS:PORT such as 198.51.100.1:9440 or [2001:db8::1]:9440)
f:1:1: ha.interface: is missing (the network interface where adverts travel; only election = "external" does without))~"},
      {"registration without what it needs",
       R"~([control]
register = "198.18.0.9:9443"
tls_key = "/k"
)~",
       R"~(f:1:1: control.token_file: is missing (the file that says who may join which service; control.register needs it)
f:1:1: control.tls_certificate: is missing (a PEM file; control.register needs it))~"},
      {"what only registration makes use of",
       R"~([control]
token_file = "/t"
tls_certificate = "/c"
tls_key = "/k"
)~",
       R"~(f:2:14: control.token_file: does nothing without control.register (leave it out)
f:3:19: control.tls_certificate: does nothing without control.register (leave it out)
f:4:11: control.tls_key: does nothing without control.register (leave it out))~"},
      {"the same beside an address that cannot be read",
       R"~([control]
register = "198.18.0.9"
token_file = "/t"
tls_certificate = "/c"
tls_key = "/k"
)~",
       R"~(f:2:12: control.register: "198.18.0.9" is not an address and port (ADDRESS:PORT such as 198.51.100.1:9440 or [2001:db8::1]:9440))~"},
      {"registration where something else listens",
       R"~([control]
listen = "198.18.0.1:80"
register = "198.18.0.1:80"
token_file = "/t"
tls_certificate = "/c"
tls_key = "/k"
[[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
)~",
       R"~(f:2:10: control.listen: 198.18.0.1:80 is also a listen address of service[0] (s) (an address and port of its own)
f:3:12: control.register: is also control.listen (an address and port of its own)
f:3:12: control.register: 198.18.0.1:80 is also a listen address of service[0] (s) (an address and port of its own))~"},
      {"health checks that cannot be",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
protocol = "udp"
listen = ["198.18.0.1:80"]
[service.health]
type = "websocket"
[[service]]
name = "t"
listen = ["198.18.0.2:80"]
[service.health]
interval = "1s"
timeout = "2s"
)~",
       R"~(f:9:8: service[0].health.type: is not possible with protocol = "udp", which is not checked (leave it out)
f:15:11: service[1].health.timeout: 2s is longer than health.interval, 1s (at most the interval))~"},
      {"what tcp checks make no use of",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
on_backend_down = "keep"
[service.health]
path = "/up"
host = "chat.example.com"
expect = "200"
tls_verify = false
interval = "3s"
timeout = "2s"
rise = 3
fall = 4
)~",
       R"~(f:9:8: service[0].health.path: does nothing with health.type = "tcp" (leave it out)
f:10:8: service[0].health.host: does nothing with health.type = "tcp" (leave it out)
f:11:10: service[0].health.expect: does nothing with health.type = "tcp" (leave it out)
f:12:14: service[0].health.tls_verify: does nothing with health.type = "tcp" (leave it out))~"},
      {"settings of checks without checks",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
on_backend_down = "keep"
slow_start = "30s"
[service.health]
type = "none"
path = "/up"
host = "chat.example.com"
expect = "200"
tls_verify = false
interval = "3s"
timeout = "4s"
rise = 3
fall = 4
[[service]]
name = "t"
listen = ["198.18.0.2:80"]
protocol = "udp"
slow_start = "30s"
on_backend_down = "reset"
[service.health]
type = "http"
expect = "200"
fall = 4
)~",
       R"~(f:7:19: service[0].on_backend_down: does nothing with health.type = "none" (leave it out)
f:11:8: service[0].health.path: does nothing with health.type = "none" (leave it out)
f:12:8: service[0].health.host: does nothing with health.type = "none" (leave it out)
f:13:10: service[0].health.expect: does nothing with health.type = "none" (leave it out)
f:14:14: service[0].health.tls_verify: does nothing with health.type = "none" (leave it out)
f:15:12: service[0].health.interval: does nothing with health.type = "none" (leave it out)
f:16:11: service[0].health.timeout: does nothing with health.type = "none" (leave it out)
f:17:8: service[0].health.rise: does nothing with health.type = "none" (leave it out)
f:18:8: service[0].health.fall: does nothing with health.type = "none" (leave it out)
f:24:19: service[1].on_backend_down: does nothing with protocol = "udp", which is not checked (leave it out)
f:26:8: service[1].health.type: is not possible with protocol = "udp", which is not checked (leave it out)
f:27:10: service[1].health.expect: does nothing with protocol = "udp", which is not checked (leave it out)
f:28:8: service[1].health.fall: does nothing with protocol = "udp", which is not checked (leave it out))~"},
      {"the certificate of a backend that shows none",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
[service.health]
type = "websocket"
path = "/ws"
expect = "101"
tls_verify = false
[[service]]
name = "t"
listen = ["198.18.0.2:80"]
[service.health]
type = "htp"
tls_verify = false
)~",
       R"~(f:11:14: service[0].health.tls_verify: does nothing with health.type = "websocket" (leave it out)
f:16:8: service[1].health.type: "htp" is none of the choices (tcp | http | https | websocket | websockets | none; did you mean http?))~"},
  });
  return kFiles;
}

}  // namespace wsl4::config
