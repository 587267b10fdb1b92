#include "daemon/control/body.h"

#include <fmt/format.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "daemon/config/document.h"
#include "daemon/service/members.h"

namespace wsl4::control {
namespace {

namespace json = boost::json;
using service::Members;

Outcome<json::object> parse_object(const std::string& body) {
  const auto bad = [](std::string why) { return tl::make_unexpected(Refusal{400, "Bad request", {std::move(why)}}); };
  json::parse_options options;
  options.max_depth = kMaxBodyDepth;
  boost::system::error_code error;
  auto value = json::parse(body, error, {}, options);
  if (error) return bad(fmt::format("the body is not JSON: {}", error.message()));
  if (!value.is_object()) return bad("the body must be a JSON object");
  return std::move(value.get_object());
}

/// What `read` takes out of the members, if nothing is wrong with them.
template <class Value>
Outcome<Value> parse_members(const std::string& body, Value (*read)(Members&)) {
  const auto object = parse_object(body);
  if (!object) return tl::make_unexpected(object.error());
  Members members(*object);
  Value value = read(members);
  if (auto problems = members.problems(); !problems.empty())
    return tl::make_unexpected(to_refusal({service::ChangeError::Kind::kBad, std::move(problems)}));
  return value;
}

service::BackendChange read_add(Members& members) { return service::read_add(members); }

service::BackendChange read_edit(Members& members) {
  service::EditBackend edit;
  members.read("weight", edit.weight);
  members.read("state", edit.state);
  members.read("evict", edit.evict);
  members.read("max_connections", edit.max_connections);
  members.read("connections", edit.connections);
  return edit;
}

std::uint32_t read_rate(Members& members) {
  std::uint32_t rate = 0;
  members.require("rate", rate);
  return rate;
}

/// Of a body with a single member that holds one of two values: whether it is the first. None: it is not there.
Outcome<std::optional<bool>> parse_either(const std::string& body, std::string_view member, const json::value& first,
                                          const json::value& second) {
  const auto object = parse_object(body);
  if (!object) return tl::make_unexpected(object.error());
  std::optional<bool> chosen;
  std::vector<std::string> problems;
  for (const auto& [name, value] : *object) {
    if (name != member) {
      problems.push_back(fmt::format("{}: there is no such member (here: {})", config::in_quotes(std::string_view(name)), member));
    } else if (value == first || value == second) {
      chosen = value == first;
    } else {
      problems.push_back(fmt::format("{}: must be {} or {}", member, json::serialize(first), json::serialize(second)));
    }
  }
  if (!problems.empty()) return tl::make_unexpected(to_refusal({service::ChangeError::Kind::kBad, std::move(problems)}));
  return chosen;
}

}  // namespace

Outcome<service::BackendChange> parse_add(const std::string& body) { return parse_members(body, read_add); }
Outcome<service::BackendChange> parse_edit(const std::string& body) { return parse_members(body, read_edit); }
Outcome<std::uint32_t> parse_rebalance(const std::string& body) { return parse_members(body, read_rate); }

Outcome<bool> parse_failover(const std::string& body) {
  if (body.empty()) return false;
  const auto force = parse_either(body, "force", true, false);
  if (!force) return tl::make_unexpected(force.error());
  return force->value_or(false);
}

Outcome<bool> parse_role(const std::string& body) {
  const auto active = parse_either(body, "role", "active", "standby");
  if (!active) return tl::make_unexpected(active.error());
  if (!*active) return tl::make_unexpected(to_refusal({service::ChangeError::Kind::kBad, {"role: is missing (active | standby)"}}));
  return **active;
}

Refusal to_refusal(service::ChangeError error) {
  switch (error.kind) {
    case service::ChangeError::Kind::kNotFound:
      return {404, "Not found", std::move(error.problems)};
    case service::ChangeError::Kind::kConflict:
      return {409, "Not as things stand", std::move(error.problems)};
    case service::ChangeError::Kind::kBad:
      break;
  }
  return {422, "Wrong values", std::move(error.problems)};
}

}  // namespace wsl4::control
