#include "netlink/ip.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace wsl4::netlink {

namespace {

/// Decimal digits only, no sign, no space; nullopt beyond `max`.
std::optional<unsigned> parse_number(std::string_view text, unsigned max) {
  unsigned value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end || value > max) return std::nullopt;
  return value;
}

/// FNV-1a; the inputs are addresses, spread enough for hash tables of ours (no outsider chooses their keys).
std::size_t hash_bytes(std::size_t seed, std::span<const std::uint8_t> bytes) {
  std::uint64_t hash = 14695981039346656037ULL ^ seed;
  for (const auto byte : bytes) hash = (hash ^ byte) * 1099511628211ULL;
  return hash;
}

}  // namespace

int to_af(Family family) { return family == Family::kIpv4 ? AF_INET : AF_INET6; }

std::string_view to_string(Protocol protocol) { return protocol == Protocol::kTcp ? "tcp" : "udp"; }

std::optional<IpAddress> IpAddress::from_bytes(std::span<const std::uint8_t> bytes) {
  if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
  IpAddress address;
  address.family_ = bytes.size() == 4 ? Family::kIpv4 : Family::kIpv6;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  const bool v6 = text.find(':') != std::string_view::npos;
  if (::inet_pton(v6 ? AF_INET6 : AF_INET, terminated.c_str(), bytes.data()) != 1) return std::nullopt;
  return from_bytes(std::span(bytes).first(v6 ? 16 : 4));
}

bool IpAddress::is_unspecified() const {
  return std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_loopback() const {
  if (family_ == Family::kIpv4) return bytes_[0] == 127;
  return std::all_of(bytes_.begin(), bytes_.end() - 1, [](std::uint8_t byte) { return byte == 0; }) && bytes_[15] == 1;
}

bool IpAddress::is_multicast() const { return family_ == Family::kIpv4 ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff; }

bool IpAddress::is_link_local() const {
  if (family_ == Family::kIpv4) return bytes_[0] == 169 && bytes_[1] == 254;
  return bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

IpAddress IpAddress::next() const {
  auto result = *this;
  for (auto index = size(); index-- > 0;) {
    if (++result.bytes_[index] != 0) break;
  }
  return result;
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(to_af(family_), bytes_.data(), text.data(), text.size());
  return text.data();
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  const auto port = parse_number(text.substr(colon + 1), 65535);
  if (!address || !port || *port == 0 || bracketed != (address->family() == Family::kIpv6)) return std::nullopt;
  return Endpoint{*address, static_cast<std::uint16_t>(*port)};
}

std::string Endpoint::to_string() const {
  if (address.family() == Family::kIpv6) return fmt::format("[{}]:{}", address.to_string(), port);
  return fmt::format("{}:{}", address.to_string(), port);
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const auto length = parse_number(text.substr(slash + 1), address->bits());
  if (!length) return std::nullopt;
  return Prefix{*address, static_cast<std::uint8_t>(*length)};
}

bool Prefix::contains(const IpAddress& other) const {
  if (other.family() != address.family()) return false;
  const auto mine = address.bytes(), its = other.bytes();
  const std::size_t whole = length / 8U, rest = length % 8U;
  if (!std::equal(mine.begin(), mine.begin() + static_cast<std::ptrdiff_t>(whole), its.begin())) return false;
  return rest == 0 || (mine[whole] ^ its[whole]) >> (8U - rest) == 0;
}

IpAddress Prefix::network() const {
  std::array<std::uint8_t, 16> bytes{};
  const auto all = address.bytes();
  for (std::size_t index = 0; index < all.size(); ++index) {
    const auto kept = std::clamp(static_cast<int>(length) - static_cast<int>(index) * 8, 0, 8);
    bytes.at(index) = static_cast<std::uint8_t>(all[index] & (0xff00U >> static_cast<unsigned>(kept)));
  }
  return IpAddress::from_bytes(std::span(bytes).first(all.size())).value_or(IpAddress());
}

std::string Prefix::to_string() const { return fmt::format("{}/{}", address.to_string(), length); }

}  // namespace wsl4::netlink

std::size_t std::hash<wsl4::netlink::IpAddress>::operator()(const wsl4::netlink::IpAddress& address) const noexcept {
  return wsl4::netlink::hash_bytes(0, address.bytes());
}

std::size_t std::hash<wsl4::netlink::Endpoint>::operator()(const wsl4::netlink::Endpoint& endpoint) const noexcept {
  return wsl4::netlink::hash_bytes(endpoint.port, endpoint.address.bytes());
}
