#include "daemon/config/value.h"

#include <algorithm>
#include <type_traits>

#include <fmt/format.h>

#include "daemon/config/schema.h"

namespace wsl4::config {
namespace {

using netlink::IpAddress;
using netlink::Prefix;
using std::chrono::milliseconds;

template <class T>
using Outcome = tl::expected<T, std::string>;

constexpr std::size_t kMaxName = 32;
constexpr std::size_t kMaxHostName = 253;    // RFC 1035 2.3.4, without the root's dot
constexpr std::size_t kMaxSocketPath = 107;  // sockaddr_un::sun_path less its terminator
constexpr std::size_t kMaxPath = 4095;       // PATH_MAX less its terminator
constexpr std::size_t kMaxInterface = 15;    // IFNAMSIZ less its terminator
constexpr std::size_t kMaxText = 1024;

bool all_of(std::string_view text, bool (*test)(char)) { return std::all_of(text.begin(), text.end(), test); }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_name(char c) { return is_lower(c) || is_digit(c) || c == '-'; }
bool is_host(char c) { return is_name(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '_'; }
bool is_printable(char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7F; }
bool is_path(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; }
bool is_interface(char c) { return is_printable(c) && c != '/' && c != ':'; }

Outcome<Value> read_integer(const Setting& setting, std::int64_t number) {
  if (number >= setting.min && number <= setting.max) return number;
  return wrong(fmt::format("{} is out of range", number));
}

Outcome<Value> read_mask(const Setting& setting, std::int64_t number) {
  if (number < setting.min || number > setting.max) return wrong(fmt::format("{:#x} is out of range", number));
  const auto mask = static_cast<std::uint64_t>(number);
  const std::uint64_t lowest = mask & (~mask + 1);
  const bool contiguous = (mask & (mask + lowest)) == 0;
  if (mask == lowest) return wrong(fmt::format("{:#010x} has fewer than two bits", mask));
  if (!contiguous) return wrong(fmt::format("{:#010x} has gaps", mask));
  return number;
}

Outcome<Value> read_duration(const Setting& setting, std::string_view text) {
  const auto duration = parse_duration(text);
  if (!duration) return wrong(in_quotes(text) + " is not a duration");
  const auto count = duration->count();
  if (count == 0 && setting.zero) return *duration;
  if (count < setting.min || count > setting.max) return wrong(in_quotes(text) + " is out of range");
  if (count % setting.step != 0)
    return wrong(fmt::format("{} is not a multiple of {}", in_quotes(text), format_duration(milliseconds(setting.step))));
  return *duration;
}

Outcome<Value> read_choice(const Setting& setting, std::string_view text) {
  for (std::size_t i = 0; i < setting.choices.size(); ++i) {
    if (setting.choices[i].word == text) return ChoiceIndex{i};
  }
  return wrong(in_quotes(text) + " is none of the choices");
}

Outcome<Value> read_chars(std::string_view text, std::size_t longest, bool (*test)(char), std::string_view noun) {
  if (text.empty()) return wrong("is empty");
  if (text.size() > longest) return wrong(fmt::format("{} is too long ({} characters)", in_quotes(text), text.size()));
  if (!all_of(text, test)) return wrong(fmt::format("{} is not {}", in_quotes(text), noun));
  return std::string(text);
}

Outcome<Value> read_path(std::string_view text, std::size_t longest) {
  if (!text.empty() && text.front() != '/') return wrong(in_quotes(text) + " is not an absolute path");
  return read_chars(text, longest, is_path, "a path");
}

Outcome<Value> read_interface(std::string_view text) {
  if (text == "." || text == "..") return wrong(in_quotes(text) + " is not an interface name");
  return read_chars(text, kMaxInterface, is_interface, "an interface name");
}

Outcome<Value> read_endpoint(std::string_view text) {
  const auto endpoint = netlink::Endpoint::parse(text);
  if (!endpoint) return wrong(in_quotes(text) + " is not an address and port");
  if (endpoint->address.is_multicast()) return wrong(in_quotes(text) + " is a multicast address");
  return *endpoint;
}

Outcome<Value> read_traffic(std::string_view text) {
  const auto endpoint = netlink::Endpoint::parse(text);
  if (!endpoint) return wrong(in_quotes(text) + " is not an address and port");
  if (!is_forwardable(endpoint->address)) return wrong(in_quotes(text) + " is an address that packets cannot be forwarded to");
  return *endpoint;
}

Outcome<Value> read_address(std::string_view text) {
  const auto address = IpAddress::parse(text);
  if (!address) return wrong(in_quotes(text) + " is not an address");
  if (address->is_unspecified() || address->is_multicast() || address->is_loopback())
    return wrong(in_quotes(text) + " is not a unicast address");
  return *address;
}

Outcome<Value> read_prefix(std::string_view text) {
  const auto prefix = Prefix::parse(text);
  if (!prefix) return wrong(in_quotes(text) + " is not an address with prefix length");
  if (!is_forwardable(prefix->address)) return wrong(in_quotes(text) + " is an address that packets cannot be forwarded to");
  return *prefix;
}

Outcome<Value> read_addresses(std::string_view text) {
  auto range = parse_address_range(text);
  if (!range) return wrong(range.error());
  if (!is_forwardable(range->first) || !is_forwardable(range->last))
    return wrong(in_quotes(text) + " has addresses that packets cannot be forwarded from");
  return *range;
}

Outcome<Value> read_range(const Setting& setting, std::string_view text) {
  auto range = parse_number_range(text, static_cast<std::uint16_t>(setting.min), static_cast<std::uint16_t>(setting.max));
  if (!range) return wrong(range.error());
  return *range;
}

Outcome<Value> read_url_path(std::string_view text) {
  if (!text.empty() && text.front() != '/') return wrong(in_quotes(text) + " does not begin with /");
  return read_chars(text, kMaxText, is_printable, "a path of a URL");
}

Outcome<Value> read_discovery(std::string_view text) {
  constexpr std::string_view kScheme = "dns:";
  const auto refuse = [&] { return wrong(in_quotes(text) + " is not a source of backends"); };
  if (text.substr(0, kScheme.size()) != kScheme) return refuse();
  auto name = text.substr(kScheme.size());
  if (const auto colon = name.find(':'); colon != std::string_view::npos) {
    if (!parse_number_range(name.substr(colon + 1), 1, 65535) || !all_of(name.substr(colon + 1), is_digit)) return refuse();
    name = name.substr(0, colon);
  }
  if (name.empty() || name.size() > kMaxHostName || !all_of(name, is_host)) return refuse();
  return std::string(text);
}

Outcome<Value> read_text(const Setting& setting, std::string_view text) {
  switch (setting.type) {
    case Type::kDuration:
      return read_duration(setting, text);
    case Type::kChoice:
      return read_choice(setting, text);
    case Type::kName:
      return read_chars(text, kMaxName, is_name, "a name");
    case Type::kHostName:
      return read_chars(text, kMaxHostName, is_host, "a host name");
    case Type::kPath:
      return read_path(text, kMaxPath);
    case Type::kSocketPath:
      return read_path(text, kMaxSocketPath);
    case Type::kInterface:
      return read_interface(text);
    case Type::kEndpoint:
      return read_endpoint(text);
    case Type::kTraffic:
      return read_traffic(text);
    case Type::kAddress:
      return read_address(text);
    case Type::kPrefix:
      return read_prefix(text);
    case Type::kAddresses:
      return read_addresses(text);
    case Type::kPorts:
    case Type::kStatus:
      return read_range(setting, text);
    case Type::kUrlPath:
      return read_url_path(text);
    case Type::kText:
      return read_chars(text, kMaxText, is_printable, "a text without spaces");
    case Type::kDiscovery:
      return read_discovery(text);
    case Type::kBoolean:
    case Type::kInteger:
    case Type::kMask:
      break;
  }
  return wrong("is a string");
}

std::string allowed_durations(const Setting& setting) {
  auto out = fmt::format("{}-{}", format_duration(milliseconds(setting.min)), format_duration(milliseconds(setting.max)));
  if (setting.step > 1) out += fmt::format(" in steps of {}", format_duration(milliseconds(setting.step)));
  if (setting.zero) out += " or 0s";
  return out + R"(, as a string such as "150ms", "2s", "1h")";
}

std::string allowed_choices(const Setting& setting) {
  std::string out;
  for (const Choice& choice : setting.choices) out += (out.empty() ? "" : " | ") + std::string(choice.word);
  return out;
}

}  // namespace

tl::expected<Value, std::string> read_value(const Setting& setting, const Item& item) {
  if (const auto* flag = std::get_if<bool>(&item.value); flag != nullptr && setting.type == Type::kBoolean) return *flag;
  if (const auto* number = std::get_if<std::int64_t>(&item.value)) {
    if (setting.type == Type::kInteger) return read_integer(setting, *number);
    if (setting.type == Type::kMask) return read_mask(setting, *number);
  }
  const auto* text = std::get_if<std::string>(&item.value);
  const bool takes_text = setting.type != Type::kBoolean && setting.type != Type::kInteger && setting.type != Type::kMask;
  if (text != nullptr && takes_text) return read_text(setting, *text);
  const std::string_view wanted = setting.type == Type::kBoolean ? "a boolean" : takes_text ? "a string" : "an integer";
  return wrong(fmt::format("is {}, must be {}", item.kind(), wanted));
}

std::string format_value(const Setting& setting, const Value& value) {
  const auto format = [&](const auto& held) -> std::string {
    using T = std::decay_t<decltype(held)>;
    if constexpr (std::is_same_v<T, std::monostate>) return {};
    if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::int64_t> || std::is_same_v<T, std::string>)
      return fmt::format("{}", held);
    if constexpr (std::is_same_v<T, milliseconds>) return format_duration(held);
    if constexpr (std::is_same_v<T, netlink::Endpoint> || std::is_same_v<T, IpAddress> || std::is_same_v<T, Prefix>)
      return held.to_string();
    if constexpr (std::is_same_v<T, AddressRange>)
      return held.first == held.last ? held.first.to_string() : held.first.to_string() + '-' + held.last.to_string();
    if constexpr (std::is_same_v<T, NumberRange>)
      return held.min == held.max ? fmt::format("{}", held.min) : fmt::format("{}-{}", held.min, held.max);
    if constexpr (std::is_same_v<T, ChoiceIndex>) return std::string(setting.choices[held.index].word);
  };
  return std::visit(format, value);
}

std::string allowed(const Setting& setting) {
  switch (setting.type) {
    case Type::kBoolean:
      return "true or false";
    case Type::kInteger:
      return fmt::format("{}-{}", setting.min, setting.max);
    case Type::kMask:
      return "two or more bits side by side, in 32";
    case Type::kDuration:
      return allowed_durations(setting);
    case Type::kChoice:
      return allowed_choices(setting);
    case Type::kName:
      return "a-z, 0-9 and -, at most 32 characters";
    case Type::kHostName:
      return "letters, digits, '.', '-' and '_', at most 253 characters";
    case Type::kPath:
      return "a path that begins with /";
    case Type::kSocketPath:
      return "a path that begins with /, at most 107 characters";
    case Type::kInterface:
      return "the name of a network interface, at most 15 characters";
    case Type::kEndpoint:
      return "ADDRESS:PORT such as 198.51.100.1:9440 or [2001:db8::1]:9440";
    case Type::kTraffic:
      return "ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified";
    case Type::kAddress:
      return "a unicast address such as 203.0.113.3 or 2001:db8::3";
    case Type::kPrefix:
      return "ADDRESS/LENGTH such as 198.51.100.1/24 or 2001:db8::1/64";
    case Type::kAddresses:
      return "such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29";
    case Type::kPorts:
      return "a port or a range of ports such as 1024-65535, in 1-65535";
    case Type::kStatus:
      return "a status or a range such as 200-399, in 100-599";
    case Type::kUrlPath:
      return "a path such as /ws";
    case Type::kText:
      return "printable characters without spaces, at most 1024";
    case Type::kDiscovery:
      return "dns:NAME or dns:HOST:PORT";
  }
  return {};
}

}  // namespace wsl4::config
