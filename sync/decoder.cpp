#include "sync/decoder.h"

#include <algorithm>

#include "sync/flow_table.h"

namespace wsl4::sync {
namespace {

/// An enumeration whose values are all from `lowest` to `highest`.
template <class Enum>
Enum read_enum(ByteReader& in, Enum lowest, Enum highest) {
  const auto value = in.u8();
  if (value < static_cast<std::uint8_t>(lowest) || value > static_cast<std::uint8_t>(highest)) in.fail();
  return in.ok() ? static_cast<Enum>(value) : lowest;
}

bool read_bool(ByteReader& in) {
  const auto value = in.u8();
  if (value > 1) in.fail();
  return value == 1;
}

TermIndex read_index(ByteReader& in) {
  const auto index = in.u32();
  if (index >= kMaxTerms) in.fail();
  return index;
}

std::array<std::uint8_t, 16> read_address(ByteReader& in, Family family) {
  std::array<std::uint8_t, 16> address{};
  std::ranges::copy(in.bytes(family == Family::kIpv4 ? 4 : 16), address.begin());
  return address;
}

FlowKey read_key(ByteReader& in, Family family) {
  FlowKey key;
  key.client = read_address(in, family);
  key.client_port = in.u16();
  key.vip = read_index(in);
  return key;
}

Define read_define(ByteReader& in) {
  Define define;
  define.index = read_index(in);
  const auto family = in.u8();
  if (family != 4 && family != 6) in.fail();
  define.term.address.family = family == 6 ? Family::kIpv6 : Family::kIpv4;
  define.term.protocol = in.u8();
  define.term.port = in.u16();
  define.term.address.bytes = read_address(in, define.term.address.family);
  return define;
}

Upsert read_upsert(ByteReader& in, Family family) {
  Upsert upsert{family, {}};
  auto& value = upsert.record.value;
  upsert.record.key = read_key(in, family);
  value.backend = read_index(in);
  value.snat = in.u32();
  if (value.snat >= kMaxTerms && value.snat != kClientItself) in.fail();
  value.snat_port = in.u16();
  value.tcp_state = in.u8();
  value.wscale_original = in.u8();
  value.wscale_reply = in.u8();
  value.tcp_flags_original = in.u8();
  value.tcp_flags_reply = in.u8();
  value.flags = in.u8();
  value.timeout_s = in.u32();
  return upsert;
}

}  // namespace

void FrameReader::feed(std::span<const std::uint8_t> bytes) {
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(used_));
  used_ = 0;
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<Frame>> FrameReader::next() {
  const auto rest = std::span<const std::uint8_t>(buffer_).subspan(used_);
  ByteReader in(rest);
  const auto length = in.u32();
  const auto type = in.u8();
  if (rest.size() >= 4 && length > kMaxPayload)
    return failure(Reason::kProtocol, "a frame of " + std::to_string(length) + " bytes");
  if (!in.ok() || in.left() < length) return std::nullopt;
  used_ += kFrameHeader + length;
  return Frame{type, in.bytes(length)};
}

void read(ByteReader& in, Hello& hello) {
  if (in.u32() != kMagic) in.fail();
  hello.versions.lowest = in.u16();
  hello.versions.highest = in.u16();
  hello.incarnation = in.u64();
  hello.copy_of = in.u64();
  hello.role = read_enum(in, Role::kInit, Role::kFault);
  hello.priority = in.u8();
  hello.flows = in.u64();
  hello.node = in.text();
  static_cast<void>(in.bytes(in.left()));  // fields of later versions
}

void read(ByteReader& in, Configuration& configuration) {
  while (in.ok() && !in.at_end()) {
    KeyDigest key;
    key.name = in.text();
    key.digest = in.u64();
    key.required = read_bool(in);
    configuration.keys.push_back(std::move(key));
  }
}

void read(ByteReader& in, Bye& bye) {
  bye.error.reason = read_enum(in, Reason::kLeaving, Reason::kSilence);
  bye.error.text = in.text();
}

void read(ByteReader& in, Heartbeat& heartbeat) {
  heartbeat.role = read_enum(in, Role::kInit, Role::kFault);
  heartbeat.priority = in.u8();
  heartbeat.flows = in.u64();
  heartbeat.lag_us = in.u32();
  heartbeat.token = in.u64();
}

void read(ByteReader& in, Echo& echo) { echo.token = in.u64(); }

void read(ByteReader& in, SharedState& state) {
  state.topic = in.u16();
  const auto bytes = in.bytes(in.left());
  state.bytes.assign(bytes.begin(), bytes.end());
}

void read(ByteReader& in, Digests& digests) {
  digests.round = in.u32();
  while (in.ok() && !in.at_end()) digests.digests.push_back(in.u64());
  if (digests.digests.size() != kBuckets) in.fail();
}

void read(ByteReader& in, Request& request) {
  request.round = in.u32();
  while (in.ok() && !in.at_end()) {
    request.buckets.push_back(in.u16());
    if (request.buckets.back() >= kBuckets || request.buckets.size() > kBuckets) in.fail();
  }
}

void read(ByteReader& in, Complete& complete) {
  complete.sequence = in.u64();
  complete.round = in.u32();
}

void read(ByteReader& in, Ack& ack) {
  ack.sequence = in.u64();
  ack.synced = read_bool(in);
}

void read(ByteReader& in, FlowsHeader& header) { header.sequence = in.u64(); }

void read(ByteReader& in, BucketHeader& header) {
  header.sequence = in.u64();
  header.bucket = in.u16();
  const auto parts = in.u8();
  if (header.bucket >= kBuckets || parts > 3) in.fail();
  header.first = (parts & 1) != 0;
  header.last = (parts & 2) != 0;
}

std::optional<WireOperation> read_operation(ByteReader& in) {
  if (in.at_end()) return {};
  const auto operation = [&in]() -> WireOperation {
    switch (static_cast<OperationCode>(in.u8())) {
      case OperationCode::kDefine:
        return read_define(in);
      case OperationCode::kUpsertIpv4:
        return read_upsert(in, Family::kIpv4);
      case OperationCode::kUpsertIpv6:
        return read_upsert(in, Family::kIpv6);
      case OperationCode::kEraseIpv4:
        return Erase{Family::kIpv4, read_key(in, Family::kIpv4)};
      case OperationCode::kEraseIpv6:
        return Erase{Family::kIpv6, read_key(in, Family::kIpv6)};
    }
    in.fail();
    return {};
  }();
  if (!in.ok()) return {};
  return operation;
}

}  // namespace wsl4::sync
