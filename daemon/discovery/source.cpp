#include "daemon/discovery/source.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace wsl4::discovery {
namespace {

constexpr std::string_view kScheme = "dns:";

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || stop != end || port == 0) return std::nullopt;
  return port;
}

}  // namespace

tl::expected<Source, std::string> parse_source(std::string_view text) {
  const auto wrong = [text] { return tl::make_unexpected(fmt::format("'{}' is neither dns:NAME nor dns:HOST:PORT", text)); };
  if (!text.starts_with(kScheme)) return wrong();
  auto name = text.substr(kScheme.size());
  Source source;
  if (const auto colon = name.find(':'); colon != std::string_view::npos) {
    source.port = parse_port(name.substr(colon + 1));
    if (!source.port) return wrong();
    name = name.substr(0, colon);
  }
  source.name = plain_name(name);
  if (source.name.empty()) return wrong();
  return source;
}

std::string plain_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string plain(name);
  std::transform(plain.begin(), plain.end(), plain.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return plain;
}

Families families_of(const std::vector<netlink::Endpoint>& listen) {
  Families families;
  for (const auto& endpoint : listen) {
    (endpoint.address.family() == netlink::Family::kIpv4 ? families.ipv4 : families.ipv6) = true;
  }
  return families;
}

}  // namespace wsl4::discovery
