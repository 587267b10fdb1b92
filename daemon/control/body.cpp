#include "daemon/control/body.h"

#include <fmt/format.h>
#include <boost/json/parse.hpp>

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

}  // namespace

Outcome<service::BackendChange> parse_add(const std::string& body) { return parse_members(body, read_add); }
Outcome<service::BackendChange> parse_edit(const std::string& body) { return parse_members(body, read_edit); }
Outcome<std::uint32_t> parse_rebalance(const std::string& body) { return parse_members(body, read_rate); }

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
