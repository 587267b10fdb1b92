#include "daemon/config/text.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "daemon/config/document.h"

namespace wsl4::config {
namespace {

using netlink::Family;
using netlink::IpAddress;
using netlink::Prefix;

struct Unit {
  std::string_view suffix;
  std::int64_t milliseconds;
};
constexpr std::array<Unit, 5> kUnits = {{{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

std::optional<std::int64_t> parse_number(std::string_view digits) {
  // Ten digits of the largest unit still fit.
  if (digits.empty() || digits.size() > 10 || !std::all_of(digits.begin(), digits.end(), is_digit)) return std::nullopt;
  std::int64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

IpAddress last_of(const Prefix& prefix) {
  std::array<std::uint8_t, 16> bytes{};
  const auto network = prefix.network();
  const auto source = network.bytes();
  for (std::size_t i = 0; i < source.size(); ++i) {
    const auto fixed = std::clamp(static_cast<int>(prefix.length) - static_cast<int>(i) * 8, 0, 8);
    bytes[i] = static_cast<std::uint8_t>(source[i] | (0xFF >> fixed));
  }
  return *IpAddress::from_bytes({bytes.data(), source.size()});
}

tl::expected<AddressRange, std::string> range_of_prefix(std::string_view text) {
  const auto prefix = Prefix::parse(text);
  if (!prefix) return wrong(in_quotes(text) + " is not a prefix");
  if (prefix->network() != prefix->address) {
    return wrong(fmt::format("{} has bits set behind its prefix length: write {}/{}", in_quotes(text),
                             prefix->network().to_string(), prefix->length));
  }
  return AddressRange{prefix->network(), last_of(*prefix)};
}

tl::expected<AddressRange, std::string> range_of_two(std::string_view text, std::size_t dash) {
  const auto first = IpAddress::parse(text.substr(0, dash));
  const auto last = IpAddress::parse(text.substr(dash + 1));
  if (!first || !last) return wrong(in_quotes(text) + " is not a range of addresses");
  if (first->family() != last->family()) return wrong(in_quotes(text) + " mixes IPv4 and IPv6");
  if (*last < *first) return wrong(in_quotes(text) + " ends before it begins");
  return AddressRange{*first, *last};
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto digits = static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
  const auto number = parse_number(text.substr(0, digits));
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& one) { return one.suffix == text.substr(digits); });
  if (!number || unit == kUnits.end()) return std::nullopt;
  return std::chrono::milliseconds(*number * unit->milliseconds);
}

std::string format_duration(std::chrono::milliseconds duration) {
  if (duration.count() == 0) return "0s";
  const auto unit =
      std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& one) { return duration.count() % one.milliseconds == 0; });
  return fmt::format("{}{}", duration.count() / unit->milliseconds, unit->suffix);
}

tl::expected<AddressRange, std::string> parse_address_range(std::string_view text) {
  if (text.find('/') != std::string_view::npos) return range_of_prefix(text);
  if (const auto dash = text.find('-'); dash != std::string_view::npos) return range_of_two(text, dash);
  const auto single = IpAddress::parse(text);
  if (!single) return wrong(in_quotes(text) + " is not an address, range or prefix");
  return AddressRange{*single, *single};
}

tl::expected<NumberRange, std::string> parse_number_range(std::string_view text, std::uint16_t min, std::uint16_t max) {
  const auto dash = text.find('-');
  const auto first = parse_number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_number(text.substr(dash + 1));
  if (!first || !last) return wrong(in_quotes(text) + " is not a number or range");
  if (*first < min || *first > max || *last < min || *last > max) return wrong(in_quotes(text) + " is out of range");
  if (*last < *first) return wrong(in_quotes(text) + " ends before it begins");
  return NumberRange{static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)};
}

bool is_forwardable(const IpAddress& address) {
  static const IpAddress kBroadcast = *IpAddress::parse("255.255.255.255");
  const bool local_only = address.family() == Family::kIpv6 && address.is_link_local();
  return !address.is_unspecified() && !address.is_loopback() && !address.is_multicast() && !local_only && address != kBroadcast;
}

}  // namespace wsl4::config
