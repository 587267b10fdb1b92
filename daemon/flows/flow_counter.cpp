#include "daemon/flows/flow_counter.h"

#include <array>
#include <cstring>
#include <utility>

// g++ 12 warns of accesses in branches for longer input, which are never taken.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Warray-bounds"
#define XXH_INLINE_ALL  // a hash of 37 bytes is not worth a call
#include <xxhash.h>
#pragma GCC diagnostic pop

#include "daemon/balance/port_blocks.h"

namespace wsl4::flows {

namespace {

using netlink::conntrack::Flow;
using netlink::conntrack::TcpState;

/// 64 bits: among a million flows the chance of any two sharing a hash is 3e-8, and a dump would mend it.
std::uint64_t hash_of(const netlink::conntrack::Tuple& tuple) {
  std::array<std::uint8_t, 64> bytes{};  // 37 are used; g++ 12 believes that XXH3 reads more
  auto* out = bytes.data();
  const auto put = [&out](const auto* from, std::size_t size) {
    out = static_cast<std::uint8_t*>(std::memcpy(out, from, size)) + size;
  };
  for (const auto* end : {&tuple.source, &tuple.destination}) {
    put(end->address.bytes().data(), end->address.size());
    put(&end->port, sizeof end->port);
  }
  put(&tuple.protocol, sizeof tuple.protocol);
  return XXH3_64bits(bytes.data(), static_cast<std::size_t>(out - bytes.data()));
}

bool same_entry(std::uint32_t one, std::uint32_t other) { return one == other || one == 0 || other == 0; }

bool is_closing_state(TcpState state) { return state >= TcpState::kFinWait && state <= TcpState::kClose; }

}  // namespace

FlowPhase phase_of(const Flow& flow, const service::MarkLayout& mark) {
  if (mark.is_closing(flow.mark) || is_closing_state(flow.tcp_state)) return FlowPhase::kClosing;
  if (flow.original.protocol == netlink::Protocol::kUdp) return FlowPhase::kEstablished;
  return (flow.status & netlink::conntrack::status::kAssured) != 0 ? FlowPhase::kEstablished : FlowPhase::kHalfOpen;
}

FlowCounter::AddressIndex FlowCounter::intern(const netlink::IpAddress& address) {
  const auto [place, inserted] = address_index_.try_emplace(address, static_cast<AddressIndex>(addresses_.size()));
  if (inserted) {
    addresses_.push_back(address);
    held_by_address_.push_back(0);
  }
  return place->second;
}

void FlowCounter::account(const Record& record, std::int64_t sign) {
  changed_.insert(record.backend);
  const auto delta = static_cast<std::uint64_t>(sign);  // wraps: adding 2^64-1 takes one away
  Backend& backend = backends_.at(record.backend);
  Pair& pair = pairs_[pair_key(record)];
  if (record.phase == FlowPhase::kHalfOpen) backend.count.half_open += delta;
  backend.count.held += delta;
  pair.held += delta;
  held_by_address_[record.vip] += delta;
  held_by_address_[record.snat] += delta;
  if (record.phase == FlowPhase::kEstablished) account_connection(backend.count, pair, sign);
  if (backend.watch != nullptr) account_block(*backend.watch, record, sign);
  if (pair.held == 0) pairs_.erase(pair_key(record));
}

void FlowCounter::account_connection(BackendCount& backend, Pair& pair, std::int64_t sign) {
  backend.connections += static_cast<std::uint64_t>(sign);
  pair.connections += static_cast<std::uint64_t>(sign);
  if (sign > 0) ++backend.started;
}

void FlowCounter::advance(Record& record, FlowPhase phase) {
  auto& backend = backends_.at(record.backend).count;
  auto& pair = pairs_.at(pair_key(record));
  changed_.insert(record.backend);
  if (record.phase == FlowPhase::kHalfOpen) --backend.half_open;
  if (record.phase == FlowPhase::kEstablished) account_connection(backend, pair, -1);
  if (phase == FlowPhase::kEstablished) account_connection(backend, pair, +1);
  record.phase = phase;
}

void FlowCounter::account_block(Watch& watch, const Record& record, std::int64_t sign) {
  auto& blocks = watch.blocks[record.snat];
  if (blocks.empty()) blocks.resize(balance::kBlocksPerAddress);
  blocks[balance::block_of(record.snat_port)] += static_cast<std::uint16_t>(sign);
  ++(sign > 0 ? watch.turnover.begun : watch.turnover.ended);
}

void FlowCounter::learn(const Flow& flow, service::BackendId id) {
  Backend& backend = backends_[id];
  if (backend.count.held != 0) return;
  backend.endpoint = {flow.reply.source, flow.reply.protocol};
  const auto watch = watches_.find(backend.endpoint);
  backend.watch = watch == watches_.end() ? nullptr : &watch->second;
}

bool FlowCounter::see(const Flow& flow) {
  const auto id = mark_.to_id(flow.mark);
  if (id == 0) return false;
  const auto hash = hash_of(flow.original);
  if (!ended_.empty()) {  // begun anew, in the same place
    ended_.erase({hash, flow.id});
    ended_.erase({hash, 0});
  }
  // mode dnat: the backend answers to the client itself, which is no address of ours.
  const auto& [answered, port] = flow.reply.destination;
  const bool translated_source = answered != flow.original.source.address;
  const netlink::IpAddress snat = translated_source ? answered : netlink::IpAddress{};
  const auto vip = intern(flow.original.destination.address);
  const Record seen{flow.id, id, vip, intern(snat), port, phase_of(flow, mark_), epoch_};

  const auto [place, inserted] = flows_.try_emplace(hash, seen);
  Record& known = place->second;
  const bool same = !inserted && same_entry(known.conntrack_id, seen.conntrack_id);
  if (same && known.backend == seen.backend) {
    known.epoch = epoch_;
    if (seen.conntrack_id != 0) known.conntrack_id = seen.conntrack_id;
    if (seen.phase > known.phase) advance(known, seen.phase);  // else nothing new, or a sight that an event has overtaken
    return true;
  }
  if (!inserted) account(std::exchange(known, seen), -1);
  learn(flow, id);
  account(seen, +1);
  if (same && seen.phase == FlowPhase::kEstablished) --backends_.at(id).count.started;  // booked anew, it has not begun now
  return true;
}

bool FlowCounter::see_copy(const Flow& flow) {
  const auto id = mark_.to_id(flow.mark);
  const auto started = backend(id).started;
  const bool ours = see(flow);
  if (ours) backends_.at(id).count.started = started;
  return ours;
}

bool FlowCounter::see_in_dump(const Flow& flow) {
  if (!ended_.empty()) {
    const auto hash = hash_of(flow.original);
    if (ended_.contains({hash, flow.id}) || ended_.contains({hash, 0})) return false;
  }
  return see(flow);
}

bool FlowCounter::forget(const Flow& flow) {
  const auto hash = hash_of(flow.original);
  if (resyncing_ && (flow.id == 0 || mark_.to_id(flow.mark) != 0)) ended_.emplace(hash, flow.id);
  const auto place = flows_.find(hash);
  if (place == flows_.end() || !same_entry(place->second.conntrack_id, flow.id)) return false;
  account(place->second, -1);
  flows_.erase(place);
  return true;
}

void FlowCounter::begin_resync() {
  ++epoch_;
  resyncing_ = true;
  ended_.clear();
}

std::size_t FlowCounter::end_resync() {
  resyncing_ = false;
  ended_ = {};
  return boost::unordered::erase_if(flows_, [this](const auto& entry) {
    if (entry.second.epoch == epoch_) return false;
    account(entry.second, -1);
    return true;
  });
}

BackendCount FlowCounter::backend(service::BackendId id) const {
  const auto place = backends_.find(id);
  return place == backends_.end() ? BackendCount{} : place->second.count;
}

std::vector<PairCount> FlowCounter::pairs() const {
  std::vector<PairCount> pairs;
  pairs.reserve(pairs_.size());
  for (const auto& [key, pair] : pairs_) {
    const auto id = static_cast<service::BackendId>(key >> 32);
    pairs.push_back({addresses_[static_cast<AddressIndex>(key)], id, pair.connections, pair.held, backends_.at(id).endpoint});
  }
  return pairs;
}

std::uint64_t FlowCounter::held_by_address(const netlink::IpAddress& address) const {
  const auto place = address_index_.find(address);
  return place == address_index_.end() ? 0 : held_by_address_[place->second];
}

std::set<netlink::IpAddress> FlowCounter::held_addresses() const {
  std::set<netlink::IpAddress> held;
  for (std::size_t i = 0; i < addresses_.size(); ++i)
    if (held_by_address_[i] != 0 && !addresses_[i].is_unspecified()) held.insert(addresses_[i]);
  return held;
}

std::vector<service::BackendId> FlowCounter::take_changed() {
  std::vector<service::BackendId> changed(changed_.begin(), changed_.end());
  changed_.clear();
  return changed;
}

std::vector<service::BackendId> FlowCounter::seen_backends() const {
  std::vector<service::BackendId> seen;
  for (const auto& [id, count] : backends_) seen.push_back(id);
  return seen;
}

std::vector<service::BackendId> FlowCounter::live_backends() const {
  std::vector<service::BackendId> live;
  for (const auto& [id, backend] : backends_) {
    if (backend.count.held != 0) live.push_back(id);
  }
  return live;
}

std::vector<PortUse> FlowCounter::port_use(std::uint64_t at_least) const {
  struct Ports {
    std::uint64_t held = 0;
    boost::unordered_flat_map<AddressIndex, std::uint64_t> by_address;  // only where `held` is enough for a pair
    PortUse use;
  };
  std::map<BackendEndpoint, Ports> endpoints;
  boost::unordered_flat_map<service::BackendId, Ports*> ports_of;
  for (const auto& [id, backend] : backends_) {
    auto& ports = endpoints[backend.endpoint];
    ports.held += backend.count.held;
    ports_of.emplace(id, &ports);
  }
  for (const auto& [key, pair] : pairs_) {
    auto& ports = *ports_of.at(static_cast<service::BackendId>(key >> 32));
    if (ports.held >= at_least) ports.by_address[static_cast<AddressIndex>(key)] += pair.held;
  }
  for (auto& [endpoint, ports] : endpoints)
    for (const auto& [address, held] : ports.by_address)
      if (held >= at_least && !addresses_[address].is_unspecified()) ports.use.held.emplace(addresses_[address], held);
  for (const auto& [id, ports] : ports_of)
    if (!ports->use.held.empty() && backends_.at(id).count.held != 0) ports->use.numbers.push_back(id);
  std::vector<PortUse> uses;
  for (auto& [endpoint, ports] : endpoints) {
    if (ports.use.held.empty()) continue;
    ports.use.backend = endpoint;
    uses.push_back(std::move(ports.use));
  }
  return uses;
}

void FlowCounter::watch_blocks(const BackendEndpoint& endpoint) {
  const auto [place, inserted] = watches_.try_emplace(endpoint);
  if (!inserted) return;
  Watch& watch = place->second;
  for (auto& [id, backend] : backends_) {
    if (backend.endpoint == endpoint) backend.watch = &watch;
  }
  for (const auto& [hash, record] : flows_) {
    if (backends_.at(record.backend).watch == &watch) account_block(watch, record, +1);
  }
  watch.turnover = {};
}

void FlowCounter::unwatch_blocks(const BackendEndpoint& endpoint) {
  for (auto& [id, backend] : backends_) {
    if (backend.endpoint == endpoint) backend.watch = nullptr;
  }
  watches_.erase(endpoint);
}

std::span<const std::uint16_t> FlowCounter::blocks(const BackendEndpoint& endpoint, const netlink::IpAddress& snat) const {
  const auto watch = watches_.find(endpoint);
  const auto address = address_index_.find(snat);
  if (watch == watches_.end() || address == address_index_.end()) return {};
  const auto blocks = watch->second.blocks.find(address->second);
  return blocks == watch->second.blocks.end() ? std::span<const std::uint16_t>{} : blocks->second;
}

Turnover FlowCounter::turnover(const BackendEndpoint& endpoint) const {
  const auto watch = watches_.find(endpoint);
  return watch == watches_.end() ? Turnover{} : watch->second.turnover;
}

}  // namespace wsl4::flows
