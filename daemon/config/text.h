// The text forms of durations and ranges. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

#include "netlink/ip.h"

namespace wsl4::config {

[[nodiscard]] constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
/// A parser's error: what is wrong with the text.
[[nodiscard]] inline tl::unexpected<std::string> wrong(std::string what) { return tl::make_unexpected(std::move(what)); }

/// Both ends included, of one family.
struct AddressRange {
  netlink::IpAddress first, last;
  friend bool operator==(const AddressRange&, const AddressRange&) = default;
};
struct NumberRange {
  std::uint16_t min = 0, max = 0;
  friend bool operator==(const NumberRange&, const NumberRange&) = default;
};
/// A whole number and a unit: ms, s, m, h or d. Nothing else, no sign, no space.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// In the largest unit that needs no fraction: "90s", "2m", "1h"; zero is "0s".
[[nodiscard]] std::string format_duration(std::chrono::milliseconds duration);

/// "a-b", a single address, or a prefix without host bits. The error says what is wrong with it.
[[nodiscard]] tl::expected<AddressRange, std::string> parse_address_range(std::string_view text);

/// "80" or "1-65535", within the bounds given and not falling.
[[nodiscard]] tl::expected<NumberRange, std::string> parse_number_range(std::string_view text, std::uint16_t min,
                                                                        std::uint16_t max);

/// Whether packets from or to it can be forwarded: not unspecified, loopback, multicast, broadcast, IPv6 link-local.
[[nodiscard]] bool is_forwardable(const netlink::IpAddress& address);

}  // namespace wsl4::config
