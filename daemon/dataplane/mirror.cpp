#include <algorithm>
#include <unordered_map>

#include "daemon/dataplane/diff.h"
#include "daemon/dataplane/names.h"
#include "daemon/dataplane/plan_parts.h"

namespace wsl4::dataplane {
namespace {

using netlink::nft::Table;
using netlink::nft::Transaction;
using service::DesiredState;

/// (set, key) of a shared element as one string; names hold no NUL.
std::string place_key(const std::string& set, const netlink::nft::Bytes& key) {
  std::string place = set;
  place.push_back('\0');
  place.append(key.begin(), key.end());
  return place;
}

/// Visits the entries of two sorted maps side by side: (old or null, new or null).
template <class Map, class Visit>
void for_each_pair(const Map& before, const Map& after, Visit visit) {
  auto old = before.begin();
  auto next = after.begin();
  while (old != before.end() || next != after.end()) {
    const int order = old == before.end() ? 1 : next == after.end() ? -1 : old->first.compare(next->first);
    visit(order <= 0 ? &old->second : nullptr, order >= 0 ? &next->second : nullptr);
    if (order <= 0) ++old;
    if (order >= 0) ++next;
  }
}

bool same_globals(const DesiredState& left, const DesiredState& right) {
  return left.mark == right.mark && left.owned_table == right.owned_table && left.double_dnat == right.double_dnat;
}

bool same_pool(const service::PoolState* left, const service::PoolState* right) {
  return left == right || (left && right && *left == *right);
}

}  // namespace

/// How many fragments hold each shared element.
struct Mirror::Impl {
  struct Change {
    std::vector<Fragment> before, after;
  };
  /// How often each shared element is held, in the fragments that change.
  struct Holders {
    std::int64_t before = 0, after = 0;
    const netlink::nft::Element* old_element = nullptr;
    const netlink::nft::Element* new_element = nullptr;
  };
  using Touched = std::map<std::pair<std::string, netlink::nft::Bytes>, Holders>;

  DesiredState state;
  bool exists = false;  // the kernel has a table
  std::unordered_map<std::string, std::uint32_t> holders;

  /// The fragments of what differs between the present state and `next`.
  [[nodiscard]] Change changed(const DesiredState& next) const {
    Change change;
    const bool all = exists && !same_globals(state, next);
    for_each_pair(state.pools, next.pools, [&](const service::PoolState* old, const service::PoolState* now) {
      if (old && now && !all && *old == *now) return;
      if (old) change.before.push_back(plan_pool(*old));
      if (now) change.after.push_back(plan_pool(*now));
    });
    std::map<std::string, bool> pool_is_same;
    const auto keeps_pool = [&](const service::ServiceState& service) {
      const auto [entry, unknown] = pool_is_same.try_emplace(service.pool);
      if (unknown) entry->second = same_pool(pool_of(state, service), pool_of(next, service));
      return entry->second;
    };
    for_each_pair(state.services, next.services, [&](const service::ServiceState* old, const service::ServiceState* now) {
      if (old && now && !all && *old == *now && keeps_pool(*now)) return;
      if (old) add_whole(change.before, state, *old);
      if (now) add_whole(change.after, next, *now);
    });
    return change;
  }

  static void add_whole(std::vector<Fragment>& fragments, const DesiredState& state, const service::ServiceState& service) {
    fragments.push_back(plan_service(state, service));
    for (const auto& [id, slots] : service.blocks) fragments.push_back(plan_blocks(state, service, id));
  }

  [[nodiscard]] Change changed(std::span<const service::ServiceState> services) const {
    Change change;
    for (const auto& now : services) {
      const auto& old = state.services.at(now.name);
      change.before.push_back(plan_service(state, old));
      change.after.push_back(plan_service(state, now));
    }
    return change;
  }

  /// None if only slots differ.
  [[nodiscard]] std::optional<Change> changed(const BlocksChange& blocks) const {
    const auto& old = state.services.at(blocks.service);
    if (blocks.slots && old.blocks.contains(blocks.backend)) return std::nullopt;
    auto now = old;
    set_blocks(now, blocks);
    return Change{{plan_blocks(state, old, blocks.backend)}, {plan_blocks(state, now, blocks.backend)}};
  }

  static void set_blocks(service::ServiceState& service, const BlocksChange& blocks) {
    if (blocks.slots) {
      service.blocks.insert_or_assign(blocks.backend, *blocks.slots);
    } else {
      service.blocks.erase(blocks.backend);
    }
  }

  [[nodiscard]] Transaction slots_that_differ(const BlocksChange& blocks) const;
  [[nodiscard]] Transaction to_transaction(const Change& change, Table have, Table want) const;
  void count_holders(const Change& change);

  [[nodiscard]] static Touched touched(const Change& change) {
    Touched touched;
    for (const auto& fragment : change.before) {
      for (const auto& [place, element] : fragment.shared) {
        auto& holders = touched[place];
        ++holders.before;
        holders.old_element = &element;
      }
    }
    for (const auto& fragment : change.after) {
      for (const auto& [place, element] : fragment.shared) {
        auto& holders = touched[place];
        ++holders.after;
        holders.new_element = &element;
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
};

namespace {

void merge_own(Table& table, const std::vector<Fragment>& fragments) {
  for (const auto& fragment : fragments) {
    table.counters.insert(fragment.counters.begin(), fragment.counters.end());
    table.sets.insert(fragment.sets.begin(), fragment.sets.end());
    table.chains.insert(fragment.chains.begin(), fragment.chains.end());
  }
}

}  // namespace

Transaction Mirror::Impl::to_transaction(const Change& change, Table have, Table want) const {
  merge_own(have, change.before);
  merge_own(want, change.after);
  add_shared(touched(change), have, want);
  return diff(have, want);
}

void Mirror::Impl::count_holders(const Change& change) {
  for (const auto& [place, held] : touched(change)) {
    auto& count = holders[place_key(place.first, place.second)];
    count = static_cast<std::uint32_t>(count + held.after - held.before);
    if (count == 0) holders.erase(place_key(place.first, place.second));
  }
}

Mirror::Mirror() : impl_(std::make_unique<Impl>()) {}
Mirror::~Mirror() = default;
Mirror::Mirror(Mirror&&) noexcept = default;
Mirror& Mirror::operator=(Mirror&&) noexcept = default;

Transaction Mirror::transition(const DesiredState& next) const {
  if (!impl_->exists) return netlink::nft::build_table(plan(next));
  auto have = plan_base(impl_->state), want = plan_base(next);
  if (have.owned != want.owned) return diff(table(), plan(next));
  return impl_->to_transaction(impl_->changed(next), std::move(have), std::move(want));
}

void Mirror::commit(DesiredState next) {
  impl_->count_holders(impl_->changed(next));
  impl_->state = std::move(next);
  impl_->exists = true;
}

Transaction Mirror::transition(std::span<const service::ServiceState> services) const {
  const auto base = plan_base(impl_->state);
  return impl_->to_transaction(impl_->changed(services), base, base);
}

void Mirror::commit(std::span<const service::ServiceState> services) {
  impl_->count_holders(impl_->changed(services));
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
  Impl::Change all;
  for (const auto& one : changes) {
    auto change = impl_->changed(one);
    if (!change) {
      transaction.append(impl_->slots_that_differ(one));
      continue;
    }
    std::ranges::move(change->before, std::back_inserter(all.before));
    std::ranges::move(change->after, std::back_inserter(all.after));
  }
  if (all.before.empty()) return transaction;
  const auto base = plan_base(impl_->state);
  transaction.append(impl_->to_transaction(all, base, base));
  return transaction;
}

void Mirror::commit(std::span<const BlocksChange> changes) {
  for (const auto& one : changes) {
    if (const auto change = impl_->changed(one)) impl_->count_holders(*change);
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
