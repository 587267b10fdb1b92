// Addresses, prefixes and endpoints as values. Bytes are kept in network order, ports in host order.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace wsl4::netlink {

enum class Family : std::uint8_t { kIpv4, kIpv6 };

/// Transport protocol numbers (IANA); only these two can be balanced.
enum class Protocol : std::uint8_t { kTcp = 6, kUdp = 17 };

[[nodiscard]] int to_af(Family family);  // AF_INET, AF_INET6
[[nodiscard]] std::string_view to_string(Protocol protocol);

/// One IPv4 or IPv6 address. An IPv4 address uses the first four bytes, the rest are zero. Never v4-mapped.
class IpAddress {
 public:
  constexpr IpAddress() = default;
  /// `bytes` in network order; 4 bytes make an IPv4 address, 16 an IPv6 one, anything else nullopt.
  [[nodiscard]] static std::optional<IpAddress> from_bytes(std::span<const std::uint8_t> bytes);
  /// Accepts what inet_pton accepts, without a zone.
  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);

  [[nodiscard]] Family family() const { return family_; }
  [[nodiscard]] std::size_t size() const { return family_ == Family::kIpv4 ? 4 : 16; }
  [[nodiscard]] unsigned bits() const { return static_cast<unsigned>(size()) * 8; }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {bytes_.data(), size()}; }
  [[nodiscard]] bool is_unspecified() const;
  [[nodiscard]] bool is_loopback() const;
  [[nodiscard]] bool is_multicast() const;
  [[nodiscard]] bool is_link_local() const;
  /// The next address up; wraps to zero after the last one.
  [[nodiscard]] IpAddress next() const;
  [[nodiscard]] std::string to_string() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  Family family_ = Family::kIpv4;
  std::array<std::uint8_t, 16> bytes_{};
};

/// An address and a port: "198.51.100.1:80" or "[2001:db8::1]:80".
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  /// The port is required, 1-65535.
  [[nodiscard]] static std::optional<Endpoint> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

/// "198.51.100.0/24". Host bits may be set; `contains` ignores them.
struct Prefix {
  IpAddress address;
  std::uint8_t length = 0;  // bits

  [[nodiscard]] static std::optional<Prefix> parse(std::string_view text);
  [[nodiscard]] bool contains(const IpAddress& other) const;
  /// The prefix's first address (host bits cleared).
  [[nodiscard]] IpAddress network() const;
  [[nodiscard]] std::string to_string() const;
  friend auto operator<=>(const Prefix&, const Prefix&) = default;
};

}  // namespace wsl4::netlink

template <>
struct std::hash<wsl4::netlink::IpAddress> {
  std::size_t operator()(const wsl4::netlink::IpAddress& address) const noexcept;
};
template <>
struct std::hash<wsl4::netlink::Endpoint> {
  std::size_t operator()(const wsl4::netlink::Endpoint& endpoint) const noexcept;
};
