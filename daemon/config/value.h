// What a setting can hold, and how it is read from a document. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include <tl/expected.hpp>

#include "daemon/config/document.h"
#include "daemon/config/text.h"
#include "netlink/ip.h"

namespace wsl4::config {

struct Setting;

/// The position of a word among the setting's choices.
struct ChoiceIndex {
  std::size_t index = 0;
  friend bool operator==(const ChoiceIndex&, const ChoiceIndex&) = default;
};

/// One value, or one item of a list; monostate: it was wrong (and has been told).
using Value = std::variant<std::monostate, bool, std::int64_t, std::string, std::chrono::milliseconds, netlink::Endpoint,
                           netlink::IpAddress, netlink::Prefix, AddressRange, NumberRange, ChoiceIndex>;

/// One document value as `setting` wants it (of a list setting: one item). The error says what is wrong, without what is allowed.
[[nodiscard]] tl::expected<Value, std::string> read_value(const Setting& setting, const Item& item);

/// As the file has it, without quotes.
[[nodiscard]] std::string format_value(const Setting& setting, const Value& value);

/// What is allowed, for messages and the man page: "0-1000", "tcp | udp", …
[[nodiscard]] std::string allowed(const Setting& setting);

}  // namespace wsl4::config
