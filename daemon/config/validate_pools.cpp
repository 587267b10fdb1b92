#include "daemon/config/validate_pools.h"

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
      bool told = false;
      for (auto address = ranges[item].first;; address = address.next()) {
        if (addresses.size() == kMaxPoolAddresses) {
          return tell({"pool", pool, "addresses", item}, "makes the pool too large (at most 4,096 addresses)");
        }
        addresses.push_back(address);
        const auto [first, is_new] = seen_.emplace(address, PoolPlace{pool, item});
        if (!is_new && !told) tell_twice(address, {pool, item}, first->second);
        told = told || !is_new;
        if (address == ranges[item].last) break;
      }
    }
  }

  void tell_twice(const netlink::IpAddress& address, const PoolPlace& here, const PoolPlace& first) {
    const auto& name = draft_.config.pools[first.pool].name;
    const auto where = first.pool == here.pool
                           ? fmt::format("already in addresses[{}]", first.item)
                           : fmt::format("also in pool[{}]{}", first.pool, name.empty() ? "" : " (" + name + ")");
    tell({"pool", here.pool, "addresses", here.item},
         fmt::format("{} is {} (each address in one pool, once)", address.to_string(), where));
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
