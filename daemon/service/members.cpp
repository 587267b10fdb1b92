#include "daemon/service/members.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "daemon/config/suggest.h"

namespace wsl4::service {
namespace {

tl::expected<config::Value, std::string> read_json(const config::Setting& setting, const boost::json::value& value) {
  if (const auto* text = value.if_string()) return config::read_value(setting, {{}, std::string(*text)});
  if (const auto* number = value.if_int64()) return config::read_value(setting, {{}, *number});
  if (setting.type != config::Type::kInteger) return tl::make_unexpected(std::string("must be a string"));
  if (const auto* number = value.if_uint64()) return tl::make_unexpected(fmt::format("{} is out of range", *number));
  return tl::make_unexpected(std::string("must be an integer"));
}

}  // namespace

void Members::tell(std::string_view member, std::string_view what) {
  problems_.push_back(member_problem(member, *member_setting(member), what));
}

std::optional<config::Value> Members::value_of(std::string_view member) {
  known_.push_back(member);
  const auto* value = object_.if_contains(member);
  if (value == nullptr) return std::nullopt;
  auto read = read_json(*member_setting(member), *value);
  if (read) return std::move(*read);
  tell(member, read.error());
  return std::nullopt;
}

const boost::json::object* Members::read_object(std::string_view member) {
  known_.push_back(member);
  const auto* value = object_.if_contains(member);
  if (value == nullptr) return nullptr;
  if (!value->is_object()) problems_.push_back(fmt::format("{}: must be an object", member));
  return value->if_object();
}

std::vector<std::string> Members::problems() const {
  auto all = problems_;
  for (const auto& member : object_) {
    const std::string_view name = member.key();
    if (std::ranges::find(known_, name) != known_.end()) continue;
    const auto meant = config::nearest(name, known_);
    all.push_back(meant.empty()
                      ? fmt::format("{}: there is no such member (here: {})", config::in_quotes(name), fmt::join(known_, ", "))
                      : fmt::format("{}: there is no such member (did you mean {}?)", config::in_quotes(name), meant));
  }
  return all;
}

AddBackend read_add(Members& members) {
  AddBackend add;
  members.require("address", add.address);
  members.read("weight", add.weight);
  members.read("max_connections", add.max_connections);
  members.read("public", add.public_address);
  return add;
}

}  // namespace wsl4::service
