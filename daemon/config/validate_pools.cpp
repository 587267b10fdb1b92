#include "daemon/config/validate_pools.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "daemon/config/validate.h"

namespace wsl4::config {
namespace {

class Expander {
 public:
  Expander(Draft& draft, Findings& findings) : draft_(draft), findings_(findings) {}

  PoolAddresses run() {
    for (std::size_t pool = 0; pool < draft_.pool_ranges.size(); ++pool) {
      check_name(pool);
      expand(pool);
    }
    return std::move(seen_);
  }

 private:
  /// Addresses that follow each other and are all in another item too.
  struct Overlap {
    netlink::IpAddress first, last;
    PoolPlace with;
  };

  void check_name(std::size_t pool) {
    const auto& name = draft_.config.pools[pool].name;
    if (name.empty()) return;
    const auto [first, is_new] = names_.emplace(name, pool);
    if (!is_new)
      tell({"pool", pool, "name"}, fmt::format("\"{}\" is also the name of pool[{}] (a name of its own)", name, first->second));
  }

  /// Stops at the first address too many, before a /64 becomes memory.
  void expand(std::size_t pool) {
    auto& addresses = draft_.config.pools[pool].addresses;
    const auto& ranges = draft_.pool_ranges[pool];
    for (std::size_t item = 0; item < ranges.size(); ++item) {
      if (ranges[item].first.is_unspecified()) continue;
      std::optional<Overlap> overlap;
      for (auto address = ranges[item].first;; address = address.next()) {
        if (addresses.size() == kMaxPoolAddresses) {
          if (overlap) tell_twice(*overlap, {pool, item});
          return tell({"pool", pool, "addresses", item}, "makes the pool too large (at most 4,096 addresses)");
        }
        addresses.push_back(address);
        const auto [first, is_new] = seen_.emplace(address, PoolPlace{pool, item});
        if (overlap && (is_new || first->second != overlap->with)) tell_twice(*std::exchange(overlap, {}), {pool, item});
        if (!is_new && !overlap) overlap = {address, address, first->second};
        if (!is_new) overlap->last = address;
        if (address == ranges[item].last) break;
      }
      if (overlap) tell_twice(*overlap, {pool, item});
    }
  }

  void tell_twice(const Overlap& overlap, const PoolPlace& here) {
    const auto& [first, last, with] = overlap;
    const auto& name = draft_.config.pools[with.pool].name;
    const auto where = with.pool == here.pool ? fmt::format("already in addresses[{}]", with.item)
                                              : fmt::format("also in pool[{}]{}", with.pool, name.empty() ? "" : " (" + name + ")");
    const auto shared = first == last ? first.to_string() + " is" : fmt::format("{}-{} are", first.to_string(), last.to_string());
    tell({"pool", here.pool, "addresses", here.item}, fmt::format("{} {} (each address in one pool, once)", shared, where));
  }

  void tell(KeyPath path, std::string what) { findings_.push_back({std::move(path), std::move(what)}); }

  Draft& draft_;
  Findings& findings_;
  PoolAddresses seen_;
  std::unordered_map<std::string, std::size_t> names_;
};

}  // namespace

PoolAddresses expand_pools(Draft& draft, Findings& findings) { return Expander(draft, findings).run(); }

}  // namespace wsl4::config
