#include "sync/sender.h"

#include <algorithm>

namespace wsl4::sync {
namespace {

constexpr std::size_t kChunk = 16384;      // bytes of changes in a frame
constexpr std::size_t kFlowsInPart = 300;  // of a bucket; each at most 118 bytes with three definitions
constexpr std::size_t kFreelyOwed = 4096;  // changes that may be remembered although there are few flows
constexpr std::size_t kOperationWithTerms = 4 * kMaxOperation;

std::uint64_t stamp(Time now) { return static_cast<std::uint64_t>(std::max<std::int64_t>(now.count(), 1)); }

}  // namespace

void Sender::changed(const FlowKey& key, Time now) {
  if (!tracked_) return;
  owed_.mark(key, stamp(now));
  if (pending() <= store_.size() + kFreelyOwed) return;
  // A full comparison is cheaper than to remember more ends of flows.
  tracked_ = false;
  if (phase_ == Phase::kOff) {
    owed_.clear();
  } else {
    begin_round(false);
  }
}

void Sender::connected() {
  phase_ = Phase::kOff;
  sequence_ = acknowledged_ = completed_ = 0;
  window_frames_.clear();
  window_flows_ = 0;
  defined_.clear();
  peer_synced_ = false;
}

void Sender::disconnected() {
  connected();
  owed_.requeue();
}

void Sender::begin_round(bool resume) {
  if (!resume || !tracked_) owed_.clear();
  tracked_ = true;
  phase_ = Phase::kCatchingUp;
  buckets_.clear();
  ++round_;
}

void Sender::stop() {
  phase_ = Phase::kOff;
  tracked_ = false;
  owed_.clear();
  buckets_.clear();
}

void Sender::on_request(const Request& request) {
  if (phase_ != Phase::kAsking || request.round != round_) return;
  buckets_.assign(request.buckets.begin(), request.buckets.end());
  if (!buckets_.empty()) ++resyncs_;
  phase_ = Phase::kFilling;
}

void Sender::on_ack(const Ack& ack, Time now) {
  acknowledged_ = std::max(acknowledged_, ack.sequence);
  peer_synced_ = ack.synced;
  for (; !window_frames_.empty() && window_frames_.front().sequence <= ack.sequence; window_frames_.pop_front()) {
    const auto& frame = window_frames_.front();
    window_flows_ -= frame.flows;
    if (frame.oldest > 0) last_lag_ = Time{std::max<std::int64_t>(0, now.count() - static_cast<std::int64_t>(frame.oldest))};
  }
  owed_.acknowledge(ack.sequence, [](const FlowKey&) {});
}

bool Sender::synced() const { return phase_ == Phase::kComplete && acknowledged_ >= completed_ && peer_synced_; }

Time Sender::lag(Time now) const {
  const auto oldest = owed_.oldest();
  if (!oldest) return last_lag_;
  return std::max(last_lag_, now - Time{static_cast<std::int64_t>(*oldest)});
}

void Sender::write(std::vector<std::uint8_t>& out, std::size_t limit) {
  const auto end = out.size() + limit;
  while (out.size() < end && write_next(out)) {}
}

bool Sender::write_next(std::vector<std::uint8_t>& out) {
  if (phase_ == Phase::kOff || window_flows_ >= window_) return false;
  const bool has_buckets = !buckets_.empty();
  if (owed_.waiting() > 0 && !(has_buckets && buckets_turn_)) {
    write_changes(out);
    buckets_turn_ = true;
    return true;
  }
  if (has_buckets) {
    write_bucket(out, buckets_.front());
    buckets_.pop_front();
    buckets_turn_ = false;
    return true;
  }
  if (phase_ == Phase::kCatchingUp) {
    write_digests(out);
    return true;
  }
  if (phase_ == Phase::kFilling) {
    write_complete(out);
    return true;
  }
  return false;
}

void Sender::write_changes(std::vector<std::uint8_t>& out) {
  FrameWriter frame(out, FrameType::kFlows);
  sync::write(frame.payload(), FlowsHeader{++sequence_});
  std::size_t flows = 0;
  std::uint64_t oldest = 0;
  while (frame.payload_size() + kOperationWithTerms <= kChunk) {
    const auto taken = owed_.take(sequence_);
    if (!taken) break;
    if (flows++ == 0) oldest = taken->stamp;
    write_operation(frame.payload(), taken->key);
  }
  note_sent(flows, oldest);
}

void Sender::write_operation(ByteWriter& out, const FlowKey& key) {
  if (const auto* value = store_.own().find(key)) return write_upsert(out, {key, *value});
  define(out, key.vip);
  sync::write(out, Erase{store_.dictionary().term(key.vip).address.family, key});
}

void Sender::write_upsert(ByteWriter& out, const Record& record) {
  define(out, record.key.vip);
  define(out, record.value.backend);
  define(out, record.value.snat);
  sync::write(out, Upsert{store_.dictionary().term(record.key.vip).address.family, record});
}

void Sender::define(ByteWriter& out, TermIndex index) {
  if (index == kClientItself) return;
  if (index >= defined_.size()) defined_.resize(index + 1);
  const auto generation = store_.dictionary().generation(index);
  if (std::exchange(defined_[index], generation) != generation) sync::write(out, Define{index, store_.dictionary().term(index)});
}

void Sender::write_bucket(std::vector<std::uint8_t>& out, std::uint16_t bucket) {
  std::vector<Record> flows;
  flows.reserve(store_.own().size_of(bucket));
  store_.own().for_each_in(bucket, [&](const Record& record) { flows.push_back(record); });
  std::size_t next = 0;
  do {
    const auto count = std::min(flows.size() - next, kFlowsInPart);
    FrameWriter frame(out, FrameType::kBucket);
    sync::write(frame.payload(), BucketHeader{++sequence_, bucket, next == 0, next + count == flows.size()});
    for (const auto& record : std::span(flows).subspan(next, count)) write_upsert(frame.payload(), record);
    note_sent(count, 0);
    next += count;
  } while (next < flows.size());
}

void Sender::write_digests(std::vector<std::uint8_t>& out) {
  Digests digests{round_, std::vector<std::uint64_t>(kBuckets)};
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) digests.digests[bucket] = store_.own().digest(bucket);
  encode(out, digests);
  phase_ = Phase::kAsking;
}

void Sender::write_complete(std::vector<std::uint8_t>& out) {
  completed_ = ++sequence_;
  encode(out, Complete{sequence_, round_});
  note_sent(0, 0);
  phase_ = Phase::kComplete;
}

void Sender::note_sent(std::size_t flows, std::uint64_t oldest) {
  window_frames_.push_back({sequence_, flows, oldest});
  window_flows_ += flows;
  sent_ += flows;
}

}  // namespace wsl4::sync
