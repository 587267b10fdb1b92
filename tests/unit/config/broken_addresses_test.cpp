#include <array>

#include "tests/unit/config/broken.h"

namespace wsl4::config {

std::span<const BrokenFile> broken_addresses() {
  static constexpr auto kFiles = std::to_array<BrokenFile>({
      {"the peer is this node",
       R"~([ha]
listen = "198.18.3.1:4440"
peer = "198.18.3.1:4440"
interface = "eth0"
unicast_peer = "198.18.3.1"
)~",
       R"~(f:3:8: ha.peer: is this node's own address, ha.listen (the other node's)
f:5:16: ha.unicast_peer: is this node's own address (the other node's))~"},
      {"addresses of the nodes that no session can have",
       R"~([ha]
listen = "198.18.3.1:4440"
peer = "[2001:db8::2]:4440"
interface = "eth0"
)~",
       R"~(f:3:8: ha.peer: is of another family than ha.listen (both IPv4, or both IPv6))~"},
      {"addresses of no node",
       R"~([ha]
listen = "0.0.0.0:4440"
peer = "0.0.0.0:4441"
interface = "eth0"
)~",
       R"~(f:2:10: ha.listen: is no address of a single node (its own)
f:3:8: ha.peer: is no address of a single node (the other node's))~"},
      {"listeners of a node at the same place",
       R"~([control]
listen = "0.0.0.0:9440"
register = "198.18.0.9:9440"
token_file = "/t"
tls_certificate = "/c"
tls_key = "/k"
[ha]
listen = "198.18.0.1:9440"
peer = "198.18.3.1:9440"
interface = "eth0"
[[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:9440", "198.18.0.9:80"]
)~",
       R"~(f:3:12: control.register: is also control.listen (an address and port of its own)
f:8:10: ha.listen: is also control.listen (an address and port of its own)
f:8:10: ha.listen: 198.18.0.1:9440 is also a listen address of service[0] (s) (an address and port of its own)
f:8:10: ha.listen: 198.18.0.1 moves with the role, as a VIP, pool address or one of addresses.extra (an address that stays on this node))~"},
      {"a pair's own address that is a pool's",
       R"~([control]
listen = "[::]:4440"
[ha]
listen = "198.18.1.1:4440"
peer = "198.18.3.1:4440"
interface = "eth0"
[[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
)~",
       R"~(f:4:10: ha.listen: 198.18.1.1 moves with the role, as a VIP, pool address or one of addresses.extra (an address that stays on this node))~"},
      {"the other node's address moves with the role",
       R"~([ha]
listen = "198.18.0.9:4440"
peer = "198.18.1.1:4440"
interface = "eth0"
unicast_peer = "198.18.0.1"
[addresses]
extra = ["198.18.0.9/24"]
[[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
)~",
       R"~(f:2:10: ha.listen: 198.18.0.9 moves with the role, as a VIP, pool address or one of addresses.extra (an address that stays on this node)
f:3:8: ha.peer: 198.18.1.1 moves with the role, as a VIP, pool address or one of addresses.extra (an address that stays on the other node)
f:5:16: ha.unicast_peer: 198.18.0.1 moves with the role, as a VIP, pool address or one of addresses.extra (an address that stays on the other node))~"},
      {"addresses.extra that are there anyway",
       R"~([addresses]
extra = ["198.18.0.1/24", "198.18.0.254/24", "198.18.1.2/30", "198.18.0.254/32", "0.0.0.0"]
[[pool]]
name = "p"
addresses = ["198.18.1.0/30"]
[[service]]
name = "s"
listen = ["198.18.0.1:80"]
)~",
       R"~(f:2:10: addresses.extra[0]: 198.18.0.1 does nothing, since VIPs and pool addresses move with the role anyway (leave it out)
f:2:46: addresses.extra[2]: 198.18.1.2 does nothing, since VIPs and pool addresses move with the role anyway (leave it out)
f:2:63: addresses.extra[3]: 198.18.0.254 is already extra[1] (each address once)
f:2:82: addresses.extra[4]: "0.0.0.0" is not an address with prefix length (ADDRESS/LENGTH such as 198.51.100.1/24 or 2001:db8::1/64))~"},
      {"backends at addresses of the balancer",
       R"~([ha]
listen = "198.18.2.1:4440"
peer = "198.18.2.2:4440"
interface = "eth0"
unicast_peer = "198.18.2.3"
[addresses]
extra = ["198.18.2.4/24"]
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
[[service.backend]]
address = "198.18.2.3:80"
[[service.backend]]
address = "198.18.2.4:80"
[[service.backend]]
address = "198.18.0.1:81"
[[service.backend]]
address = "198.18.2.5:80"
)~",
       R"~(f:15:11: service[0].backend[0].address: 198.18.2.1:80 is ha.listen, thus the balancer's own (a server's own address)
f:17:11: service[0].backend[1].address: 198.18.2.2:80 is ha.peer, thus the balancer's own (a server's own address)
f:19:11: service[0].backend[2].address: 198.18.2.3:80 is ha.unicast_peer, thus the balancer's own (a server's own address)
f:21:11: service[0].backend[3].address: 198.18.2.4:80 is in addresses.extra, thus the balancer's own (a server's own address)
f:23:11: service[0].backend[4].address: 198.18.0.1:81 is a VIP of s, thus the balancer's own (a server's own address))~"},
  });
  return kFiles;
}

}  // namespace wsl4::config
