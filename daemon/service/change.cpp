#include "daemon/service/change.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace wsl4::service {
namespace {

using config::Item;
using config::Setting;
using config::Type;
using Problems = std::vector<std::string>;

constexpr config::Choice kStates[] = {{"enabled"}, {"draining"}, {"disabled"}};  // in the order of AdminState
constexpr Setting kRunTimeOnly[] = {
    {.key = "state", .type = Type::kChoice, .choices = kStates},
    {.key = "evict", .type = Type::kInteger, .min = 0, .max = kMaxRate},
    {.key = "connections", .type = Type::kInteger, .min = 0, .max = 1'000'000'000},
    {.key = "rate", .type = Type::kInteger, .min = 0, .max = kMaxRate},
    {.key = "removed", .type = Type::kTraffic},
};

void check(Problems& problems, std::string_view member, decltype(Item::value) value) {
  const Setting& setting = *member_setting(member);
  const auto read = config::read_value(setting, Item{{}, std::move(value)});
  if (!read) problems.push_back(member_problem(member, setting, read.error()));
}

void check_number(Problems& problems, std::string_view member, std::uint64_t number) {
  check(problems, member, static_cast<std::int64_t>(std::min<std::uint64_t>(number, std::numeric_limits<std::int64_t>::max())));
}

void find_problems(Problems& problems, const AddBackend& add) {
  check(problems, "address", add.address.to_string());
  check(problems, "weight", std::int64_t{add.weight});
  check_number(problems, "max_connections", add.max_connections);
  if (!add.public_address.empty()) check(problems, "public", add.public_address);
}

void find_problems(Problems& problems, const EditBackend& edit) {
  if (edit.weight) check(problems, "weight", std::int64_t{*edit.weight});
  if (edit.max_connections) check_number(problems, "max_connections", *edit.max_connections);
  if (edit.evict) check_number(problems, "evict", *edit.evict);
  if (edit.connections) check_number(problems, "connections", *edit.connections);
  if (edit.evict && edit.state == AdminState::kEnabled)
    problems.emplace_back("evict: goes with state draining or disabled, not with enabled");
  if (!edit.weight && !edit.max_connections && !edit.state && !edit.evict && !edit.connections)
    problems.emplace_back("nothing to change: give at least one of weight, state, evict, max_connections, connections");
}

}  // namespace

std::string_view to_string(AdminState state) { return kStates[static_cast<std::size_t>(state)].word; }

const Setting* member_setting(std::string_view member) {
  const auto own = std::ranges::find(kRunTimeOnly, member, &Setting::key);
  if (own != std::end(kRunTimeOnly)) return own;
  return config::schema().section("service")->section("backend")->setting(member);
}

std::string member_problem(std::string_view member, const Setting& setting, std::string_view what) {
  return fmt::format("{}: {} ({})", member, what, config::allowed(setting));
}

std::vector<std::string> problems_of(const std::string& backend, const BackendChange& change) {
  Problems problems;
  if (const auto* add = std::get_if<AddBackend>(&change)) {
    check(problems, "name", backend);
    find_problems(problems, *add);
  } else if (const auto* edit = std::get_if<EditBackend>(&change)) {
    find_problems(problems, *edit);
  }
  return problems;
}

}  // namespace wsl4::service
