#include "daemon/control/query.h"

#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace wsl4::control {
namespace {

/// Takes parameters out one by one; remembers the first thing that was wrong, and at the end whatever nobody asked for.
class Reader {
 public:
  explicit Reader(const QueryParameters& parameters) : left_(parameters) {}

  std::optional<std::string> text(const std::string& name) {
    const auto node = left_.extract(name);
    if (node.empty()) return std::nullopt;
    return node.mapped();
  }

  std::uint64_t number(const std::string& name, std::uint64_t fallback, std::uint64_t max) {
    const auto value = text(name);
    if (!value) return fallback;
    std::uint64_t number = 0;
    const char* end = value->data() + value->size();
    const auto [stop, error] = std::from_chars(value->data(), end, number);
    if (error != std::errc() || stop != end || number > max) fail(name, *value, fmt::format("a number from 0 to {}", max));
    return number;
  }

  template <class T>
  std::optional<T> value(const std::string& name, std::string_view form) {
    const auto given = text(name);
    if (!given) return std::nullopt;
    auto parsed = T::parse(*given);
    if (!parsed) fail(name, *given, form);
    return parsed;
  }

  template <class T>
  Parsed<T> finish(T result) {
    if (error_.empty() && !left_.empty()) error_ = fmt::format("there is no parameter '{}' here", left_.begin()->first);
    if (!error_.empty()) return tl::make_unexpected(std::move(error_));
    return result;
  }

 private:
  void fail(const std::string& name, const std::string& given, std::string_view form) {
    if (error_.empty()) error_ = fmt::format("parameter '{}': '{}' is not {}", name, given, form);
  }

  QueryParameters left_;
  std::string error_;
};

/// A query of one parameter that is 0 (the default) or 1.
Parsed<bool> parse_flag(const QueryParameters& parameters, const std::string& name) {
  Reader reader(parameters);
  const bool flag = reader.number(name, 0, 1) == 1;
  return reader.finish(flag);
}

}  // namespace

Parsed<FlowQuery> parse_flow_query(const QueryParameters& parameters, std::size_t most) {
  Reader reader(parameters);
  FlowQuery query;
  query.service = reader.text("service");
  query.backend = reader.text("backend");
  query.client = reader.value<netlink::IpAddress>("client", "an IPv4 or IPv6 address");
  query.snat = reader.value<netlink::Endpoint>("snat", "an address and port such as 198.51.100.16:40001 or [2001:db8::1]:40001");
  query.limit = reader.number("limit", query.limit, most);
  if (query.limit == 0) query.limit = most;
  return reader.finish(std::move(query));
}

Parsed<EventQuery> parse_event_query(const QueryParameters& parameters) {
  Reader reader(parameters);
  EventQuery query;
  query.after = reader.number("after", 0, std::numeric_limits<std::int64_t>::max());
  query.wait = std::chrono::seconds(reader.number("wait", 0, static_cast<std::uint64_t>(kMaxEventWait.count())));
  return reader.finish(query);
}

Parsed<bool> parse_reload_query(const QueryParameters& parameters) { return parse_flag(parameters, "dry_run"); }

Parsed<bool> parse_remove_query(const QueryParameters& parameters) { return parse_flag(parameters, "reset"); }

Parsed<void> parse_no_query(const QueryParameters& parameters) {
  Reader reader(parameters);
  auto nothing = reader.finish(true);
  if (!nothing) return tl::make_unexpected(std::move(nothing.error()));
  return {};
}

}  // namespace wsl4::control
