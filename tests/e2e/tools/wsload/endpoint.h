// Socket addresses as the load tool's arguments and answers write them: 198.18.1.1:80, [2001:db8::1]:80.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

namespace wsload {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  [[nodiscard]] const sockaddr* get() const;
  sockaddr* get();
};

/// Nothing if `text` is no numeric address with a port.
std::optional<SocketAddress> parse_endpoint(const std::string& text);

/// address:port, IPv6 in brackets; without `with_port` the bare address.
std::string to_string(const SocketAddress& address, bool with_port = true);

/// A run of source addresses, "198.19.0.1+1000": 1000 addresses from 198.19.0.1 on. Only the last 32 bits count up.
class SourceRange {
 public:
  static std::optional<SourceRange> parse(const std::string& text);
  /// The address number `index`, modulo the range's size, with port 0.
  [[nodiscard]] SocketAddress at(std::uint64_t index) const;
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  SocketAddress first_;
  std::uint64_t size_ = 1;
};

}  // namespace wsload
