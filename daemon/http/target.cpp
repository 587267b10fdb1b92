#include "daemon/http/target.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

namespace wsl4::http {
namespace {

constexpr std::string_view kScheme = "http://";  // of absolute forms; only this scheme comes in here

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

/// Takes the text up to `delimiter` off the front.
std::string_view next_part(std::string_view& rest, char delimiter) {
  const std::size_t end = rest.find(delimiter);
  const std::string_view part = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return part;
}

tl::expected<std::string, std::string> decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const auto high = i + 1 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
      const auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : std::nullopt;
      if (!high || !low) return tl::make_unexpected(std::string("a percent sign is not followed by two hex digits"));
      c = static_cast<char>(*high << 4 | *low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (is_control(c)) return tl::make_unexpected(std::string("the request's target holds a control character"));
    decoded.push_back(c);
  }
  return decoded;
}

tl::expected<std::vector<std::string>, std::string> parse_path(std::string_view rest) {
  std::vector<std::string> path;
  if (rest == "/") return path;
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the slash
    const std::size_t end = std::min(rest.find('/'), rest.size());
    auto segment = decode(rest.substr(0, end), false);
    if (!segment) return tl::make_unexpected(std::move(segment.error()));
    path.push_back(std::move(*segment));
    rest = rest.substr(end);
  }
  return path;
}

tl::expected<std::map<std::string, std::string>, std::string> parse_query(std::string_view rest) {
  std::map<std::string, std::string> query;
  while (!rest.empty()) {
    std::string_view pair = next_part(rest, '&');
    if (pair.empty()) continue;
    auto name = decode(next_part(pair, '='), true);
    if (!name) return tl::make_unexpected(std::move(name.error()));
    auto value = decode(pair, true);
    if (!value) return tl::make_unexpected(std::move(value.error()));
    if (!query.emplace(*name, std::move(*value)).second)
      return tl::make_unexpected(fmt::format("parameter '{}' is given twice", *name));
  }
  return query;
}

/// Absolute form, which clients send to proxies and servers must accept (RFC 9112 3.2.2): what follows the authority.
std::string_view strip_authority(std::string_view text) {
  if (!text.starts_with(kScheme)) return text;
  const std::size_t end = text.find_first_of("/?", kScheme.size());
  if (end == std::string_view::npos) return "/";
  return text.substr(end);
}

}  // namespace

tl::expected<Target, std::string> parse_target(std::string_view text) {
  text = strip_authority(text);
  if (!text.starts_with('/')) return tl::make_unexpected(std::string("the request's target is not a path"));
  const std::string_view path_text = next_part(text, '?');
  auto path = parse_path(path_text);
  if (!path) return tl::make_unexpected(std::move(path.error()));
  auto query = parse_query(text);
  if (!query) return tl::make_unexpected(std::move(query.error()));
  Target target;
  target.path = std::move(*path);
  target.query = std::move(*query);
  return target;
}

std::string percent_encode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    if (is_unreserved(c)) {
      encoded.push_back(c);
    } else {
      fmt::format_to(std::back_inserter(encoded), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

}  // namespace wsl4::http
