#include <algorithm>
#include <iterator>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>

#include "daemon/dataplane/diff.h"
#include "daemon/dataplane/names.h"
#include "daemon/dataplane/plan_parts.h"

namespace wsl4::dataplane {
namespace {

using netlink::nft::Table;
using netlink::nft::Transaction;
using service::DesiredState;
using service::StateChange;

/// (set, key) of a shared element as one string; names hold no NUL.
std::string place_key(const std::string& set, const netlink::nft::Bytes& key) {
  std::string place = set;
  place.push_back('\0');
  place.append(key.begin(), key.end());
  return place;
}

}  // namespace

/// How many fragments hold each shared element.
struct Mirror::Impl {
  struct Fragments {
    std::vector<Fragment> before, after;
  };
  /// How often each shared element is held, in the fragments that change.
  struct Holders {
    std::int64_t before = 0, after = 0;
    const netlink::nft::Element* old_element = nullptr;
    const netlink::nft::Element* new_element = nullptr;
  };
  using Touched = std::map<std::pair<std::string, netlink::nft::Bytes>, Holders>;
  /// The same of copies of pools' maps.
  struct MapHolders {
    std::int64_t before = 0, after = 0;
    Fragment::PoolMap map;
  };
  using TouchedMaps = std::map<std::string, MapHolders>;

  DesiredState state;
  std::unordered_map<std::string, std::uint32_t> holders;

  /// The fragments of what the change touches: pools, services, and those whose pool is another one.
  [[nodiscard]] Fragments fragments(const StateChange& change, const DesiredState& after) const {
    Fragments fragments;
    for (const auto& [name, next] : change.pools) {
      if (const auto old = state.pools.find(name); old != state.pools.end()) fragments.before.push_back(plan_pool(old->second));
      if (next) fragments.after.push_back(plan_pool(*next));
    }
    for (const auto& [name, next] : change.services) {
      if (const auto old = state.services.find(name); old != state.services.end()) add_whole(fragments.before, state, old->second);
      if (next) add_whole(fragments.after, after, *next);
    }
    if (change.pools.empty()) return fragments;
    for (const auto& [name, service] : state.services) {
      if (!change.pools.contains(service.pool) || change.services.contains(name)) continue;
      add_whole(fragments.before, state, service);
      add_whole(fragments.after, after, service);
    }
    return fragments;
  }

  /// Without the services' blocks.
  [[nodiscard]] Fragments fragments(std::span<const service::ServiceState> services) const {
    Fragments fragments;
    for (const auto& now : services) {
      fragments.before.push_back(plan_service(state, state.services.at(now.name)));
      fragments.after.push_back(plan_service(state, now));
    }
    return fragments;
  }

  /// None if only slots differ.
  [[nodiscard]] std::optional<Fragments> fragments(const BlocksChange& blocks) const {
    const auto& old = state.services.at(blocks.service);
    if (blocks.slots && old.blocks.contains(blocks.backend)) return std::nullopt;
    auto now = old;
    set_blocks(now, blocks);
    return Fragments{{plan_blocks(state, old, blocks.backend)}, {plan_blocks(state, now, blocks.backend)}};
  }

  static void add_whole(std::vector<Fragment>& fragments, const DesiredState& state, const service::ServiceState& service) {
    fragments.push_back(plan_service(state, service));
    for (const auto& [id, slots] : service.blocks) fragments.push_back(plan_blocks(state, service, id));
  }

  static void set_blocks(service::ServiceState& service, const BlocksChange& blocks) {
    if (blocks.slots) {
      service.blocks.insert_or_assign(blocks.backend, *blocks.slots);
    } else {
      service.blocks.erase(blocks.backend);
    }
  }

  /// The state after the change, as far as planning a service needs it: services aside. Made in `other` where it is another one.
  [[nodiscard]] const DesiredState& surroundings_after(const StateChange& change, DesiredState& other) const {
    if (change.pools.empty()) return state;
    other = {state.mark, state.owned_table, state.double_dnat, state.gate, state.pools, {}};
    service::make_change(other, {change.pools, {}});
    return other;
  }

  [[nodiscard]] Transaction slots_that_differ(const BlocksChange& blocks) const;
  /// `after`: the state with these pools changed. Takes out of the fragments what they own alone.
  [[nodiscard]] Transaction to_transaction(Fragments& planned, const StateChange::Pools& pools, const DesiredState& after) const;
  void count_holders(const Fragments& fragments);

  [[nodiscard]] static Touched touched(const Fragments& fragments) {
    Touched touched;
    for (const auto& fragment : fragments.before) {
      for (const auto& [place, element] : fragment.shared) {
        auto& holders = touched[place];
        ++holders.before;
        holders.old_element = &element;
      }
    }
    for (const auto& fragment : fragments.after) {
      for (const auto& [place, element] : fragment.shared) {
        auto& holders = touched[place];
        ++holders.after;
        holders.new_element = &element;
      }
    }
    return touched;
  }

  [[nodiscard]] static TouchedMaps touched_maps(const Fragments& fragments) {
    TouchedMaps touched;
    for (const auto& fragment : fragments.before) {
      for (const auto& [name, map] : fragment.pool_maps) {
        touched[name].map = map;
        ++touched[name].before;
      }
    }
    for (const auto& fragment : fragments.after) {
      for (const auto& [name, map] : fragment.pool_maps) {
        touched[name].map = map;
        ++touched[name].after;
      }
    }
    return touched;
  }

  [[nodiscard]] std::int64_t holders_of(const std::string& place) const {
    const auto found = holders.find(place);
    return found == holders.end() ? 0 : found->second;
  }

  /// Puts the touched shared elements as they are and as they will be into the two tables. One that a fragment which does not
  /// change holds too is there before and after, and equal.
  void add_shared(const Touched& touched_elements, Table& have, Table& want) const {
    for (const auto& [place, holders_here] : touched_elements) {
      const auto others = holders_of(place_key(place.first, place.second)) - holders_here.before;
      const auto* old_element = holders_here.old_element;
      const auto* new_element = holders_here.new_element;
      if (others > 0 && !old_element) old_element = new_element;
      if (others > 0 && !new_element) new_element = old_element;
      if (old_element) have.sets.at(place.first).elements.emplace(place.second, *old_element);
      if (new_element) want.sets.at(place.first).elements.emplace(place.second, *new_element);
    }
  }

  /// The same for copies of pools' maps; one that is there before and after, of a pool that stays as it is, is left out.
  void add_pool_maps(const TouchedMaps& touched_maps, const StateChange::Pools& pools, const DesiredState& after, Table& have,
                     Table& want) const {
    for (const auto& [name, holders_here] : touched_maps) {
      const auto& [pool, family] = holders_here.map;
      const auto others = holders_of(name) - holders_here.before;
      const bool was = others + holders_here.before > 0, is = others + holders_here.after > 0;
      if (was && is && !pools.contains(pool)) continue;
      if (was) have.sets.emplace(name, pool_map(state.pools.at(pool), family));
      if (is) want.sets.emplace(name, pool_map(after.pools.at(pool), family));
    }
  }
};

namespace {

void merge_own(Table& table, std::vector<Fragment>& fragments) {
  for (auto& fragment : fragments) {
    table.counters.merge(fragment.counters);
    table.sets.merge(fragment.sets);
    table.chains.merge(fragment.chains);
  }
}

}  // namespace

Transaction Mirror::Impl::to_transaction(Fragments& planned, const StateChange::Pools& pools, const DesiredState& after) const {
  auto have = plan_base(state), want = have;
  merge_own(have, planned.before);
  merge_own(want, planned.after);
  add_shared(touched(planned), have, want);
  add_pool_maps(touched_maps(planned), pools, after, have, want);
  return diff(have, std::move(want));
}

void Mirror::Impl::count_holders(const Fragments& fragments) {
  const auto count = [this](const std::string& place, std::int64_t before, std::int64_t after) {
    auto& number = holders[place];
    number = static_cast<std::uint32_t>(number + after - before);
    if (number == 0) holders.erase(place);
  };
  for (const auto& [place, held] : touched(fragments)) count(place_key(place.first, place.second), held.before, held.after);
  for (const auto& [name, held] : touched_maps(fragments)) count(name, held.before, held.after);
}

Mirror::Mirror(DesiredState state) : impl_(std::make_unique<Impl>()) {
  auto services = std::exchange(state.services, {});
  impl_->state = std::move(state);
  for (const auto& [name, pool] : impl_->state.pools) impl_->count_holders({{}, {plan_pool(pool)}});
  for (const auto& [name, service] : services) {
    Impl::Fragments fragments;
    Impl::add_whole(fragments.after, impl_->state, service);
    impl_->count_holders(fragments);
  }
  impl_->state.services = std::move(services);
}
Mirror::~Mirror() = default;
Mirror::Mirror(Mirror&&) noexcept = default;
Mirror& Mirror::operator=(Mirror&&) noexcept = default;

Transaction Mirror::transition(const StateChange& change) const {
  DesiredState other;
  const auto& after = impl_->surroundings_after(change, other);
  auto fragments = impl_->fragments(change, after);
  return impl_->to_transaction(fragments, change.pools, after);
}

void Mirror::commit(StateChange change) {
  DesiredState other;
  impl_->count_holders(impl_->fragments(change, impl_->surroundings_after(change, other)));
  service::make_change(impl_->state, std::move(change));
}

Transaction Mirror::advance(StateChange change) {
  DesiredState other;
  const auto& after = impl_->surroundings_after(change, other);
  auto fragments = impl_->fragments(change, after);
  auto transaction = impl_->to_transaction(fragments, change.pools, after);
  impl_->count_holders(fragments);
  service::make_change(impl_->state, std::move(change));
  return transaction;
}

Transaction Mirror::transition(std::span<const service::ServiceState> services) const {
  auto fragments = impl_->fragments(services);
  return impl_->to_transaction(fragments, {}, impl_->state);
}

void Mirror::commit(std::span<const service::ServiceState> services) {
  impl_->count_holders(impl_->fragments(services));
  for (const auto& service : services) {
    auto& present = impl_->state.services.at(service.name);
    auto blocks = std::move(present.blocks);
    present = service;
    present.blocks = std::move(blocks);
  }
}

Transaction Mirror::Impl::slots_that_differ(const BlocksChange& blocks) const {
  using netlink::nft::ElementList;
  const auto& service = state.services.at(blocks.service);
  const auto& backend = *std::ranges::find(service.backends, blocks.backend, &service::BackendState::id);
  const auto& pool = *pool_of(state, service);
  const balance::PortRange ports{pool.port_min, pool.port_max};
  auto old = block_elements(service.blocks.at(blocks.backend), ports), now = block_elements(*blocks.slots, ports);
  for (std::size_t slot = std::min(old.size(), now.size()); slot-- > 0;) {
    if (old[slot] != now[slot]) continue;
    old[slot].first.clear();
    now[slot].first.clear();
  }
  const auto drop_equal = [](ElementList& elements) {
    std::erase_if(elements, [](const auto& element) { return element.first.empty(); });
  };
  drop_equal(old);
  drop_equal(now);
  Transaction transaction(kTableName);
  const auto name = names::blocks_slots(service, backend);
  const auto map = blocks_map(service, backend, pool);
  if (!old.empty()) transaction.add(netlink::nft::DeleteElements{name, map, std::move(old)});
  if (!now.empty()) transaction.add(netlink::nft::AddElements{name, map, std::move(now)});
  return transaction;
}

Transaction Mirror::transition(std::span<const BlocksChange> changes) const {
  Transaction transaction(kTableName);
  Impl::Fragments all;
  for (const auto& one : changes) {
    auto fragments = impl_->fragments(one);
    if (!fragments) {
      transaction.append(impl_->slots_that_differ(one));
      continue;
    }
    std::ranges::move(fragments->before, std::back_inserter(all.before));
    std::ranges::move(fragments->after, std::back_inserter(all.after));
  }
  if (!all.before.empty()) transaction.append(impl_->to_transaction(all, {}, impl_->state));
  return transaction;
}

void Mirror::commit(std::span<const BlocksChange> changes) {
  for (const auto& one : changes) {
    if (const auto fragments = impl_->fragments(one)) impl_->count_holders(*fragments);
    Impl::set_blocks(impl_->state.services.at(one.service), one);
  }
}

Transaction Mirror::transition(service::Gate gate) const {
  DesiredState bare;
  bare.mark = impl_->state.mark;
  bare.owned_table = impl_->state.owned_table;
  bare.double_dnat = impl_->state.double_dnat;
  bare.gate = impl_->state.gate;
  const auto before = plan_base(bare);
  bare.gate = gate;
  return diff(before, plan_base(bare));
}

void Mirror::commit(service::Gate gate) { impl_->state.gate = gate; }

Table Mirror::table() const { return plan(impl_->state); }
const DesiredState& Mirror::state() const { return impl_->state; }

}  // namespace wsl4::dataplane
