#include "daemon/service/state_change.h"

#include <utility>

namespace wsl4::service {
namespace {

template <class T>
void make(std::map<std::string, T>& present, std::map<std::string, std::optional<T>> changes) {
  for (auto& [name, next] : changes) {
    if (next) {
      present.insert_or_assign(name, *std::move(next));
    } else {
      present.erase(name);
    }
  }
}

template <class T>
std::map<std::string, std::optional<T>> present_of(const std::map<std::string, std::optional<T>>& changes,
                                                   const std::map<std::string, T>& present) {
  std::map<std::string, std::optional<T>> same;
  for (const auto& [name, next] : changes) {
    const auto place = present.find(name);
    same.emplace(name, place == present.end() ? std::nullopt : std::optional(place->second));
  }
  return same;
}

}  // namespace

void make_change(DesiredState& state, StateChange change) {
  make(state.pools, std::move(change.pools));
  make(state.services, std::move(change.services));
}

StateChange inverse(const StateChange& change, const DesiredState& before) {
  return {present_of(change.pools, before.pools), present_of(change.services, before.services)};
}

}  // namespace wsl4::service
