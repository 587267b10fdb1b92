#include "tests/e2e/tools/wsload/endpoint.h"

#include <arpa/inet.h>

#include <cstring>

namespace wsload {

const sockaddr* SocketAddress::get() const { return reinterpret_cast<const sockaddr*>(&storage); }
sockaddr* SocketAddress::get() { return reinterpret_cast<sockaddr*>(&storage); }

namespace {

std::optional<SocketAddress> make(const std::string& host, int port) {
  SocketAddress result;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<std::uint16_t>(port));
    result.length = sizeof(sockaddr_in);
    return result;
  }
  std::memset(&result.storage, 0, sizeof result.storage);
  if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<std::uint16_t>(port));
    result.length = sizeof(sockaddr_in6);
    return result;
  }
  return std::nullopt;
}

}  // namespace

std::optional<SocketAddress> parse_endpoint(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  auto host = text.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const int port = std::atoi(text.c_str() + colon + 1);
  if (port < 0 || port > 65535) return std::nullopt;
  return make(host, port);
}

std::string to_string(const SocketAddress& address, bool with_port) {
  char text[INET6_ADDRSTRLEN] = {};
  const bool is_v6 = address.storage.ss_family == AF_INET6;
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
  inet_ntop(address.storage.ss_family, is_v6 ? static_cast<const void*>(&v6->sin6_addr) : &v4->sin_addr, text, sizeof text);
  if (!with_port) return text;
  const auto port = std::to_string(ntohs(is_v6 ? v6->sin6_port : v4->sin_port));
  return is_v6 ? "[" + std::string(text) + "]:" + port : std::string(text) + ":" + port;
}

std::optional<SourceRange> SourceRange::parse(const std::string& text) {
  const auto plus = text.find('+');
  SourceRange range;
  if (plus != std::string::npos) range.size_ = std::strtoull(text.c_str() + plus + 1, nullptr, 10);
  auto first = make(text.substr(0, plus), 0);
  if (!first || range.size_ == 0) return std::nullopt;
  range.first_ = *first;
  return range;
}

SocketAddress SourceRange::at(std::uint64_t index) const {
  SocketAddress result = first_;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
  auto* low = first_.storage.ss_family == AF_INET6 ? &v6->sin6_addr.s6_addr32[3] : &v4->sin_addr.s_addr;
  *low = htonl(ntohl(*low) + static_cast<std::uint32_t>(index % size_));
  return result;
}

}  // namespace wsload
