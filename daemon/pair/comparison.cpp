#include "daemon/pair/comparison.h"

#include <array>
#include <cstring>
#include <span>

#include "daemon/pair/hash.h"

namespace wsl4::pair {

std::uint64_t hash_of(const sync::Flow& flow) {
  std::array<char, 37> bytes{};
  auto* place = bytes.data();
  const auto put = [&place](const void* data, std::size_t size) {
    std::memcpy(place, data, size);
    place += size;
  };
  for (const auto* end : {&flow.client, &flow.vip}) {
    put(end->address.bytes.data(), end->address.bytes.size());
    put(&end->port, sizeof(end->port));
  }
  put(&flow.protocol, 1);
  return hash({bytes.data(), bytes.size()});
}

void Comparison::begin(const std::vector<sync::Flow>& under_way) {
  running_ = true;
  next_bucket_ = 0;
  seen_.clear();
  touched_.clear();
  for (const auto& flow : under_way) touch(flow);
}

void Comparison::touch(const sync::Flow& flow) {
  if (running_) touched_.insert(hash_of(flow));
}

void Comparison::see(const sync::Flow& flow) {
  if (running_) seen_.insert(hash_of(flow));
}

std::vector<sync::Flow> Comparison::missing(const sync::FlowStore& store, std::size_t buckets) {
  std::vector<sync::Flow> missing;
  for (; buckets > 0 && !finished(); --buckets, ++next_bucket_) {
    for (const auto* table : {&store.own(), &store.copies()}) {
      table->for_each_in(next_bucket_, [&](const sync::Record& record) {
        auto flow = sync::expand(store.dictionary(), record);
        const auto hash = hash_of(flow);
        if (!seen_.contains(hash) && !touched_.contains(hash)) missing.push_back(flow);
      });
    }
  }
  if (finished()) running_ = false;
  return missing;
}

}  // namespace wsl4::pair
