#include "netlink/rtnl/packet_socket.h"

namespace wsl4::netlink::rtnl {

namespace {

class PacketAnnouncer final : public Announcer {
 public:
  explicit PacketAnnouncer(Fd socket) : socket_(std::move(socket)) {}

  Result<void> announce(const Link& link, const IpAddress& address) override {
    return send(socket_, link, address, announcement, "announce");
  }

 private:
  Fd socket_;
};

}  // namespace

Result<std::unique_ptr<Announcer>> open_announcer() {
  auto socket = open_packet_socket();
  if (!socket) return tl::make_unexpected(socket.error());
  return std::make_unique<PacketAnnouncer>(std::move(*socket));
}

}  // namespace wsl4::netlink::rtnl
