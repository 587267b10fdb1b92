#include "daemon/flows/flow_counter.h"

#include <array>
#include <cstring>

#define XXH_INLINE_ALL  // a hash of 37 bytes is not worth a call
#include <xxhash.h>

namespace wsl4::flows {

namespace {

using netlink::conntrack::Flow;
using netlink::conntrack::TcpState;

/// 64 bits: among a million flows the chance of any two sharing a hash is 3e-8, and a dump would mend it.
std::uint64_t hash_of(const netlink::conntrack::Tuple& tuple) {
  std::array<std::uint8_t, 37> bytes{};
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
  BackendCount& backend = backends_[record.backend];
  Pair& pair = pairs_[pair_key(record)];
  if (record.phase == FlowPhase::kEstablished) {
    backend.connections += delta;
    pair.connections += delta;
  }
  if (record.phase == FlowPhase::kHalfOpen) backend.half_open += delta;
  backend.held += delta;
  pair.held += delta;
  held_by_address_[record.vip] += delta;
  held_by_address_[record.snat] += delta;
  if (pair.held == 0) pairs_.erase(pair_key(record));
}

void FlowCounter::see(const Flow& flow) {
  const auto backend = mark_.to_id(flow.mark);
  if (backend == 0) return;
  // mode dnat: the backend answers to the client itself, which is no address of ours.
  const bool translated_source = flow.reply.destination.address != flow.original.source.address;
  const netlink::IpAddress snat = translated_source ? flow.reply.destination.address : netlink::IpAddress{};
  const Record seen{flow.id, backend, intern(flow.original.destination.address), intern(snat), phase_of(flow, mark_), epoch_};

  const auto [place, inserted] = flows_.try_emplace(hash_of(flow.original), seen);
  Record& known = place->second;
  if (!inserted) {
    known.epoch = epoch_;
    const bool same_flow = known.conntrack_id == seen.conntrack_id;
    if (same_flow && seen.phase <= known.phase) return;  // nothing new, or a sight that an event has overtaken
    account(known, -1);
    known = seen;
  }
  account(seen, +1);
  if (seen.phase == FlowPhase::kEstablished) ++backends_[backend].started;
}

void FlowCounter::forget(const Flow& flow) {
  const auto place = flows_.find(hash_of(flow.original));
  if (place == flows_.end() || place->second.conntrack_id != flow.id) return;
  account(place->second, -1);
  flows_.erase(place);
}

void FlowCounter::begin_resync() { ++epoch_; }

std::size_t FlowCounter::end_resync() {
  return boost::unordered::erase_if(flows_, [this](const auto& entry) {
    if (entry.second.epoch == epoch_) return false;
    account(entry.second, -1);
    return true;
  });
}

BackendCount FlowCounter::backend(service::BackendId id) const {
  const auto place = backends_.find(id);
  return place == backends_.end() ? BackendCount{} : place->second;
}

std::vector<PairCount> FlowCounter::pairs() const {
  std::vector<PairCount> pairs;
  pairs.reserve(pairs_.size());
  for (const auto& [key, pair] : pairs_) {
    pairs.push_back(
        {addresses_[static_cast<AddressIndex>(key)], static_cast<service::BackendId>(key >> 32), pair.connections, pair.held});
  }
  return pairs;
}

std::uint64_t FlowCounter::held_by_address(const netlink::IpAddress& address) const {
  const auto place = address_index_.find(address);
  return place == address_index_.end() ? 0 : held_by_address_[place->second];
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
  for (const auto& [id, count] : backends_) {
    if (count.held != 0) live.push_back(id);
  }
  return live;
}

}  // namespace wsl4::flows
