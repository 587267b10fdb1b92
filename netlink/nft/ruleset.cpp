#include "netlink/nft/ruleset.h"

#include <algorithm>
#include <bit>

namespace wsl4::netlink::nft {

const std::string* set_of(const Statement& statement) {
  return std::visit(
      [](const auto& s) -> const std::string* {
        if constexpr (requires { s.set; }) return &s.set;
        if constexpr (requires { s.map; }) return &s.map;
        return nullptr;
      },
      statement);
}

Set without_elements(const Set& set) {
  return {.key = set.key,
          .data = set.data,
          .data_ranges = set.data_ranges,
          .verdicts = set.verdicts,
          .slot_modulus = set.slot_modulus,
          .port_protocol = set.port_protocol,
          .size = set.size,
          .dynamic = set.dynamic,
          .timeout = set.timeout,
          .comment = set.comment,
          .elements = {}};
}

KeyBuilder& KeyBuilder::add(const IpAddress& address) {
  const auto bytes = address.bytes();
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  return *this;
}

KeyBuilder& KeyBuilder::add(Protocol protocol) {
  bytes_.insert(bytes_.end(), {static_cast<std::uint8_t>(protocol), 0, 0, 0});
  return *this;
}

KeyBuilder& KeyBuilder::add_port(std::uint16_t port) {
  bytes_.insert(bytes_.end(), {static_cast<std::uint8_t>(port >> 8U), static_cast<std::uint8_t>(port & 0xffU), 0, 0});
  return *this;
}

KeyBuilder& KeyBuilder::add_slot(std::uint32_t slot) {
  const auto bytes = std::bit_cast<std::array<std::uint8_t, 4>>(slot);
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  return *this;
}

}  // namespace wsl4::netlink::nft
