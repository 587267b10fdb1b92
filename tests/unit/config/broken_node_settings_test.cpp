#include <array>

#include "tests/unit/config/broken.h"

namespace wsl4::config {

std::span<const BrokenFile> broken_node_settings() {
  static constexpr auto kFiles = std::to_array<BrokenFile>({
      {"integer for a string",
       R"~([node]
name = 5
)~",
       R"~(f:2:8: node.name: is an integer, must be a string (letters, digits, '.', '-' and '_', at most 253 characters))~"},
      {"empty name",
       R"~([node]
name = ""
)~",
       R"~(f:2:8: node.name: is empty (letters, digits, '.', '-' and '_', at most 253 characters))~"},
      {"name with a space",
       R"~([node]
name = "lb a"
)~",
       R"~(f:2:8: node.name: "lb a" is not a host name (letters, digits, '.', '-' and '_', at most 253 characters))~"},
      {"relative path",
       R"~([node]
state_dir = "var/lib"
)~",
       R"~(f:2:13: node.state_dir: "var/lib" is not an absolute path (a path that begins with /))~"},
      {"empty path",
       R"~([node]
state_dir = ""
)~",
       R"~(f:2:13: node.state_dir: is empty (a path that begins with /))~"},
      {"unknown log level with a near one",
       R"~([node]
log_level = "warnings"
)~",
       R"~(f:2:13: node.log_level: "warnings" is none of the choices (error | warning | info | debug; did you mean warning?))~"},
      {"unknown log level",
       R"~([node]
log_level = "chatty"
)~",
       R"~(f:2:13: node.log_level: "chatty" is none of the choices (error | warning | info | debug))~"},
      {"boolean for a choice",
       R"~([node]
log_level = true
)~",
       R"~(f:2:13: node.log_level: is a boolean, must be a string (error | warning | info | debug))~"},
      {"mask as a string",
       R"~([node]
ct_mark_mask = "0xff00"
)~",
       R"~(f:2:16: node.ct_mark_mask: is a string, must be an integer (two or more bits side by side, in 32))~"},
      {"mask with gaps",
       R"~([node]
ct_mark_mask = 0x00f0ff00
)~",
       R"~(f:2:16: node.ct_mark_mask: 0x00f0ff00 has gaps (two or more bits side by side, in 32))~"},
      {"mask of one bit",
       R"~([node]
ct_mark_mask = 0x100
)~",
       R"~(f:2:16: node.ct_mark_mask: 0x00000100 has fewer than two bits (two or more bits side by side, in 32))~"},
      {"mask of no bit",
       R"~([node]
ct_mark_mask = 0
)~",
       R"~(f:2:16: node.ct_mark_mask: 0x00000000 has fewer than two bits (two or more bits side by side, in 32))~"},
      {"mask too wide",
       R"~([node]
ct_mark_mask = 0x1ffffffff
)~",
       R"~(f:2:16: node.ct_mark_mask: 0x1ffffffff is out of range (two or more bits side by side, in 32))~"},
      {"negative mask",
       R"~([node]
ct_mark_mask = -1
)~",
       R"~(f:2:16: node.ct_mark_mask: -0x1 is out of range (two or more bits side by side, in 32))~"},
      {"socket path too long",
       R"~([control]
socket = "/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
)~",
       R"~(f:2:10: control.socket: "/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" is too long (108 characters) (a path that begins with /, at most 107 characters))~"},
      {"path with a control character",
       R"~([control]
socket = "/run/a\nb"
)~",
       R"~(f:2:10: control.socket: "/run/a\x0ab" is not a path (a path that begins with /, at most 107 characters))~"},
      {"endpoint without port",
       R"~([control]
listen = "127.0.0.1"
)~",
       R"~(f:2:10: control.listen: "127.0.0.1" is not an address and port (ADDRESS:PORT such as 198.51.100.1:9440 or [2001:db8::1]:9440))~"},
      {"endpoint with port 0",
       R"~([control]
listen = "127.0.0.1:0"
)~",
       R"~(f:2:10: control.listen: "127.0.0.1:0" is not an address and port (ADDRESS:PORT such as 198.51.100.1:9440 or [2001:db8::1]:9440))~"},
      {"endpoint with a large port",
       R"~([control]
listen = "127.0.0.1:65536"
)~",
       R"~(f:2:10: control.listen: "127.0.0.1:65536" is not an address and port (ADDRESS:PORT such as 198.51.100.1:9440 or [2001:db8::1]:9440))~"},
      {"endpoint with a name",
       R"~([control]
listen = "localhost:9440"
)~",
       R"~(f:2:10: control.listen: "localhost:9440" is not an address and port (ADDRESS:PORT such as 198.51.100.1:9440 or [2001:db8::1]:9440))~"},
      {"IPv6 endpoint without brackets",
       R"~([control]
listen = "2001:db8::1:9440"
)~",
       R"~(f:2:10: control.listen: "2001:db8::1:9440" is not an address and port (ADDRESS:PORT such as 198.51.100.1:9440 or [2001:db8::1]:9440))~"},
      {"multicast endpoint",
       R"~([control]
listen = "224.0.0.1:9440"
)~",
       R"~(f:2:10: control.listen: "224.0.0.1:9440" is a multicast address (ADDRESS:PORT such as 198.51.100.1:9440 or [2001:db8::1]:9440))~"},
      {"integer for a boolean",
       R"~([addresses]
manage = 1
)~",
       R"~(f:2:10: addresses.manage: is an integer, must be a boolean (true or false))~"},
      {"prefix length missing",
       R"~([addresses]
extra = ["198.18.0.1"]
)~",
       R"~(f:2:10: addresses.extra[0]: "198.18.0.1" is not an address with prefix length (ADDRESS/LENGTH such as 198.51.100.1/24 or 2001:db8::1/64))~"},
      {"string for a list",
       R"~([addresses]
extra = "198.18.0.1/24"
)~",
       R"~(f:2:9: addresses.extra: is a string, must be a list (each ADDRESS/LENGTH such as 198.51.100.1/24 or 2001:db8::1/64))~"},
      {"pool name in capitals",
       R"~([[pool]]
name = "Main"
addresses = ["198.18.1.1"]
)~",
       R"~(f:2:8: pool[0].name: "Main" is not a name (a-z, 0-9 and -, at most 32 characters))~"},
      {"pool name too long",
       R"~([[pool]]
name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
addresses = ["198.18.1.1"]
)~",
       R"~(f:2:8: pool[0].name: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" is too long (33 characters) (a-z, 0-9 and -, at most 32 characters))~"},
      {"pool without addresses",
       R"~([[pool]]
name = "p"
addresses = []
)~",
       R"~(f:3:13: pool[0].addresses: is empty (at least one, such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29))~"},
      {"several wrong pool addresses",
       R"~([[pool]]
name = "p"
addresses = [
  "198.18.1.1", "198.18.1",
  "198.18.1.9-198.18.1.5", 7,
  "198.18.1.1-2001:db8::1", "198.18.1.1-",
  "198.18.1.1/33", "198.18.1.5/30", "2001:db8::1/126",
]
)~",
       R"~(f:4:17: pool[0].addresses[1]: "198.18.1" is not an address, range or prefix (such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29)
f:5:3: pool[0].addresses[2]: "198.18.1.9-198.18.1.5" ends before it begins (such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29)
f:5:28: pool[0].addresses[3]: is an integer, must be a string (such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29)
f:6:3: pool[0].addresses[4]: "198.18.1.1-2001:db8::1" mixes IPv4 and IPv6 (such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29)
f:6:29: pool[0].addresses[5]: "198.18.1.1-" is not a range of addresses (such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29)
f:7:3: pool[0].addresses[6]: "198.18.1.1/33" is not a prefix (such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29)
f:7:20: pool[0].addresses[7]: "198.18.1.5/30" has bits set behind its prefix length: write 198.18.1.4/30 (such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29)
f:7:37: pool[0].addresses[8]: "2001:db8::1/126" has bits set behind its prefix length: write 2001:db8::/126 (such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29))~"},
      {"pool addresses that cannot be used",
       R"~([[pool]]
name = "p"
addresses = ["0.0.0.0", "127.0.0.1", "224.0.0.1", "fe80::1", "::1", "255.255.255.255", "223.255.255.255-224.0.0.1"]
)~",
       R"~(f:3:14: pool[0].addresses[0]: "0.0.0.0" has addresses that packets cannot be forwarded from (such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29)
f:3:25: pool[0].addresses[1]: "127.0.0.1" has addresses that packets cannot be forwarded from (such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29)
f:3:38: pool[0].addresses[2]: "224.0.0.1" has addresses that packets cannot be forwarded from (such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29)
f:3:51: pool[0].addresses[3]: "fe80::1" has addresses that packets cannot be forwarded from (such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29)
f:3:62: pool[0].addresses[4]: "::1" has addresses that packets cannot be forwarded from (such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29)
f:3:69: pool[0].addresses[5]: "255.255.255.255" has addresses that packets cannot be forwarded from (such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29)
f:3:88: pool[0].addresses[6]: "223.255.255.255-224.0.0.1" has addresses that packets cannot be forwarded from (such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29))~"},
      {"pool ports: a word",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.1"]
ports = "all"
)~",
       R"~(f:4:9: pool[0].ports: "all" is not a number or range (a port or a range of ports such as 1024-65535, in 1-65535))~"},
      {"pool ports: an integer",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.1"]
ports = 80
)~",
       R"~(f:4:9: pool[0].ports: is an integer, must be a string (a port or a range of ports such as 1024-65535, in 1-65535))~"},
      {"pool ports: zero",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.1"]
ports = "0-80"
)~",
       R"~(f:4:9: pool[0].ports: "0-80" is out of range (a port or a range of ports such as 1024-65535, in 1-65535))~"},
      {"pool ports: too large",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.1"]
ports = "1-65536"
)~",
       R"~(f:4:9: pool[0].ports: "1-65536" is out of range (a port or a range of ports such as 1024-65535, in 1-65535))~"},
      {"pool ports: falling",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.1"]
ports = "200-100"
)~",
       R"~(f:4:9: pool[0].ports: "200-100" ends before it begins (a port or a range of ports such as 1024-65535, in 1-65535))~"},
      {"pool ports: open",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.1"]
ports = "200-"
)~",
       R"~(f:4:9: pool[0].ports: "200-" is not a number or range (a port or a range of ports such as 1024-65535, in 1-65535))~"},
      {"interface name too long",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.1"]
interface = "abcdefghijklmnop"
)~",
       R"~(f:4:13: pool[0].interface: "abcdefghijklmnop" is too long (16 characters) (the name of a network interface, at most 15 characters))~"},
      {"interface name with a slash",
       R"~([[pool]]
name = "p"
addresses = ["198.18.1.1"]
interface = "eth/0"
)~",
       R"~(f:4:13: pool[0].interface: "eth/0" is not an interface name (the name of a network interface, at most 15 characters))~"},
  });
  return kFiles;
}

}  // namespace wsl4::config
