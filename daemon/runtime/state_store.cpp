#include "daemon/runtime/state_store.h"

#include <chrono>
#include <cstdlib>

#include <fmt/format.h>
#include <boost/json.hpp>

namespace wsl4::runtime {

namespace json = boost::json;

namespace {

/// Since 1970, UTC. With fractions: a restart must not make a slow start older.
using Seconds = std::chrono::duration<double>;

/// The stamps as they are: since the boot, the last one's end in a future that does not come.
json::array to_json(const flows::TimeoutHistory& history) {
  json::array eras;
  for (const auto& [value, first, last] : history.eras())
    eras.push_back(
        {{"value", value.count()}, {"first_ns", first.time_since_epoch().count()}, {"last_ns", last.time_since_epoch().count()}});
  return eras;
}

json::value to_json(const State& state, const std::string& boot) {
  json::object before, set;
  for (const auto& [name, values] : state.sysctls) {
    before[name] = values.before;
    set[name] = values.set;
  }
  json::array newcomers;
  for (const auto& [service, address, since] : state.newcomers)
    newcomers.push_back(
        {{"service", service}, {"address", address.to_string()}, {"since", Seconds(since.time_since_epoch()).count()}});
  return {{"version", 1},
          {"boot", boot},
          {"old_sysctls", before},
          {"set_sysctls", set},
          {"newcomers", newcomers},
          {"established_timeouts", to_json(state.timeouts)},
          {"mark_mask", state.mark_mask}};
}

flows::TimeoutHistory timeouts_from_json(const json::value& eras) {
  using TimePoint = flows::TimeoutHistory::TimePoint;
  const auto stamp = [](const json::value& value) { return TimePoint(TimePoint::duration(value.to_number<TimePoint::rep>())); };
  std::vector<flows::TimeoutHistory::Era> result;
  for (const auto& era : eras.as_array())
    result.push_back(
        {std::chrono::seconds(era.at("value").to_number<std::int64_t>()), stamp(era.at("first_ns")), stamp(era.at("last_ns"))});
  return flows::TimeoutHistory(std::move(result));
}

/// `boot`: sysctls of another one are left out; empty: of none.
State from_json(const json::value& document, const std::string& boot) {
  State state;
  for (const auto& [name, value] : document.at("old_sysctls").as_object()) state.sysctls[name].before = value.as_string();
  const auto* const set = document.as_object().if_contains("set_sysctls");  // the first files had none
  if (set != nullptr)
    for (auto& [name, values] : state.sysctls) values.set = set->at(name).as_string();
  const auto* const made_in = document.as_object().if_contains("boot");  // nor this
  if (made_in != nullptr && made_in->as_string() != boot && !boot.empty()) state.sysctls.clear();
  const auto* const timeouts = document.as_object().if_contains("established_timeouts");
  if (timeouts != nullptr && !boot.empty() && document.at("boot").as_string() == boot)
    state.timeouts = timeouts_from_json(*timeouts);
  const auto* const mask = document.as_object().if_contains("mark_mask");
  if (mask != nullptr) state.mark_mask = mask->to_number<std::uint32_t>();
  const auto* newcomers = document.as_object().if_contains("newcomers");
  if (newcomers == nullptr) return state;
  for (const auto& entry : newcomers->as_array()) {
    const auto address = netlink::Endpoint::parse(std::string_view(entry.at("address").as_string()));
    if (!address) throw std::invalid_argument("an address with a port");
    const service::WallTime since(std::chrono::round<service::WallTime::duration>(Seconds(entry.at("since").to_number<double>())));
    state.newcomers.push_back({std::string(entry.at("service").as_string()), *address, since});
  }
  return state;
}

}  // namespace

std::string running_boot() { return host::kernel_sysctls()->read("kernel/random/boot_id").value_or(""); }

void State::note_change(const std::string& name, const std::string& present, const std::string& value) {
  sysctls.try_emplace(name, host::ChangedSysctl{present, {}}).first->second.set = value;
}

void State::note_timeouts(const std::string& present, const std::string& value) {
  for (const auto& text : {present, value})
    timeouts.seen(std::chrono::seconds(std::strtoll(text.c_str(), nullptr, 10)), std::chrono::steady_clock::now());
}

tl::expected<State, std::string> StateStore::load(bool surely_this_boot) const {
  const auto text = util::read_file_if_there(path_);
  if (!text) return tl::make_unexpected(text.error());
  if (!*text) return State{};
  try {
    return from_json(json::parse(**text), surely_this_boot ? "" : boot_);
  } catch (const std::exception& broken) {
    return tl::make_unexpected(
        fmt::format("{} is broken ({}); it holds the sysctl values from before wsl4: mend or remove it", path_, broken.what()));
  }
}

std::string StateStore::text(const State& state) const { return json::serialize(to_json(state, boot_)) + "\n"; }

}  // namespace wsl4::runtime
