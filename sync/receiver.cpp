#include "sync/receiver.h"

#include <algorithm>

namespace wsl4::sync {
namespace {

tl::unexpected<Error> broken(const char* what) { return failure(Reason::kProtocol, what); }

}  // namespace

void Receiver::connected(std::uint64_t peer) {
  disconnected();
  peer_ = peer;
}

void Receiver::disconnected() {
  for (const auto& index : terms_) {
    if (index) store_.dictionary().release(*index);
  }
  terms_.clear();
  base_ += received_ + 1;
  received_ = 0;
  completed_.reset();
  acknowledged_ = {};
  while (!unconfirmed_.empty()) confirm(FlowKey(*unconfirmed_.begin()));
  bucket_.reset();
}

void Receiver::mixed() {
  copy_of_ = 0;
  completed_.reset();
}

Result<void> Receiver::on_flows(std::span<const std::uint8_t> payload) {
  ByteReader in(payload);
  FlowsHeader header;
  read(in, header);
  if (bucket_) return broken("changes between the parts of a bucket");
  if (auto in_order = next_sequence(header.sequence); !in_order) return in_order;
  return apply_all(in);
}

Result<void> Receiver::on_bucket(std::span<const std::uint8_t> payload) {
  ByteReader in(payload);
  BucketHeader header;
  read(in, header);
  if (!in.ok() || header.first == bucket_.has_value() || (bucket_ && *bucket_ != header.bucket)) {
    return broken("parts of a bucket that do not belong together");
  }
  if (auto in_order = next_sequence(header.sequence); !in_order) return in_order;
  if (header.first) begin_bucket(header.bucket);
  if (auto applied = apply_all(in); !applied) return applied;
  if (header.last) end_bucket();
  return {};
}

void Receiver::begin_bucket(std::uint16_t bucket) {
  bucket_ = bucket;
  store_.copies().for_each_in(bucket, [this](const Record& record) {
    unconfirmed_.insert(record.key);
    store_.dictionary().retain(record.key.vip);
  });
}

void Receiver::confirm(const FlowKey& key) {
  if (unconfirmed_.erase(key) > 0) store_.dictionary().release(key.vip);
}

void Receiver::end_bucket() {
  while (!unconfirmed_.empty()) {
    const auto key = *unconfirmed_.begin();
    drop_copy(key);
    confirm(key);
  }
  bucket_.reset();
}

Request Receiver::on_digests(const Digests& digests) {
  Request request{digests.round, {}};
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    if (digests.digests[bucket] != store_.digest(bucket)) request.buckets.push_back(static_cast<std::uint16_t>(bucket));
  }
  if (!request.buckets.empty()) {
    ++resyncs_;
    completed_.reset();
  }
  return request;
}

Result<void> Receiver::on_complete(const Complete& complete) {
  if (bucket_) return broken("complete without the rest of a bucket");
  if (auto in_order = next_sequence(complete.sequence); !in_order) return in_order;
  completed_ = complete.sequence;
  copy_of_ = peer_;
  return {};
}

Result<void> Receiver::next_sequence(std::uint64_t sequence) {
  if (sequence != received_ + 1) return broken("a sequence number that does not follow");
  received_ = sequence;
  return {};
}

Result<void> Receiver::apply_all(ByteReader& in) {
  while (const auto operation = read_operation(in)) {
    auto applied = std::visit([this](const auto& one) { return apply(one); }, *operation);
    if (!applied) return applied;
  }
  if (!in.ok()) return broken("broken flows");
  return {};
}

Result<void> Receiver::apply(const Define& define) {
  if (define.index >= terms_.size()) terms_.resize(define.index + 1);
  const auto index = store_.dictionary().acquire(define.term);
  if (!index) return broken("too many addresses");
  if (auto& known = terms_[define.index]; known) store_.dictionary().release(*known);
  terms_[define.index] = index;
  return {};
}

Result<void> Receiver::apply(const Upsert& upsert) {
  const auto key = translate(upsert.record.key, upsert.family);
  const auto backend = translate(upsert.record.value.backend, upsert.family);
  const auto snat = translate(upsert.record.value.snat, upsert.family);
  if (!key || !backend || !snat) return broken("a flow with unknown addresses");
  if (store_.size() >= kMaxFlows) return broken("too many flows");
  Record record{*key, upsert.record.value};
  record.value.backend = *backend;
  record.value.snat = *snat;
  if (bucket_ && store_.copies().bucket_of(*key) != *bucket_) return broken("a flow of another bucket");
  confirm(*key);
  ++flows_received_;
  if (store_.put_copy(record)) feed_.mark(*key, base_ + received_);
  return {};
}

Result<void> Receiver::apply(const Erase& erase) {
  const auto key = translate(erase.key, erase.family);
  if (!key) return broken("an end of a flow with an unknown address");
  if (bucket_) return broken("an end of a flow within a bucket");
  ++flows_received_;
  drop_copy(*key);
  return {};
}

void Receiver::drop_copy(const FlowKey& key) {
  if (!store_.copies().contains(key)) return;
  feed_.mark(key, base_ + received_);  // before the table lets go of the VIP
  store_.erase_copy(key);
}

std::optional<TermIndex> Receiver::translate(TermIndex index, Family family) const {
  if (index == kClientItself) return index;
  if (index >= terms_.size() || !terms_[index]) return {};
  if (store_.dictionary().term(*terms_[index]).address.family != family) return {};
  return terms_[index];
}

std::optional<FlowKey> Receiver::translate(const FlowKey& key, Family family) const {
  const auto vip = translate(key.vip, family);
  if (!vip) return {};
  const auto protocol = store_.dictionary().term(*vip).protocol;
  if (protocol != static_cast<std::uint8_t>(Protocol::kTcp) && protocol != static_cast<std::uint8_t>(Protocol::kUdp)) return {};
  return FlowKey{key.client, *vip, key.client_port};
}

std::uint64_t Receiver::acknowledgeable() const {
  const auto oldest = feed_.oldest();
  if (!oldest) return received_;
  if (*oldest <= base_) return 0;
  return std::min(received_, *oldest - base_ - 1);
}

std::optional<Ack> Receiver::take_ack() {
  const Ack ack{acknowledgeable(), synced()};
  if (ack == acknowledged_) return {};
  acknowledged_ = ack;
  return ack;
}

}  // namespace wsl4::sync
