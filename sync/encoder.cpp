#include "sync/encoder.h"

#include <algorithm>

namespace wsl4::sync {
namespace {

void write_address(ByteWriter& out, const std::array<std::uint8_t, 16>& bytes, Family family) {
  out.bytes(std::span(bytes).first(family == Family::kIpv4 ? 4 : 16));
}

void write_key(ByteWriter& out, const FlowKey& key, Family family) {
  write_address(out, key.client, family);
  out.u16(key.client_port);
  out.u32(key.vip);
}

void write_code(ByteWriter& out, OperationCode code) { out.u8(static_cast<std::uint8_t>(code)); }

}  // namespace

FrameWriter::FrameWriter(std::vector<std::uint8_t>& out, FrameType type) : writer_(out), start_(out.size()) {
  writer_.u32(0);
  writer_.u8(static_cast<std::uint8_t>(type));
}

FrameWriter::~FrameWriter() { writer_.patch_u32(start_, static_cast<std::uint32_t>(payload_size())); }

void write(ByteWriter& out, const Hello& hello) {
  out.u32(kMagic);
  out.u16(hello.versions.lowest);
  out.u16(hello.versions.highest);
  out.u64(hello.incarnation);
  out.u64(hello.copy_of);
  out.u8(static_cast<std::uint8_t>(hello.role));
  out.u8(hello.priority);
  out.u64(hello.flows);
  out.text(hello.node);
}

void write(ByteWriter& out, const Configuration& configuration) {
  const auto start = out.size();
  for (const auto& key : configuration.keys) {
    if (out.size() - start + 1 + 255 + 9 > kMaxPayload) return;  // not by fit()
    out.text(key.name);
    out.u64(key.digest);
    out.u8(key.required ? 1 : 0);
  }
}

void write(ByteWriter& out, const Bye& bye) {
  out.u8(static_cast<std::uint8_t>(bye.error.reason));
  out.text(bye.error.text);
}

void write(ByteWriter& out, const Heartbeat& heartbeat) {
  out.u8(static_cast<std::uint8_t>(heartbeat.role));
  out.u8(heartbeat.priority);
  out.u64(heartbeat.flows);
  out.u32(heartbeat.lag_us);
  out.u64(heartbeat.token);
}

void write(ByteWriter& out, const Echo& echo) { out.u64(echo.token); }

void write(ByteWriter& out, const SharedState& state) {
  out.u16(state.topic);
  out.bytes(std::span(state.bytes).first(std::min(state.bytes.size(), kMaxSharedState)));
}

void write(ByteWriter& out, const FlowsHeader& header) { out.u64(header.sequence); }

void write(ByteWriter& out, const BucketHeader& header) {
  out.u64(header.sequence);
  out.u16(header.bucket);
  out.u8(static_cast<std::uint8_t>((header.first ? 1 : 0) | (header.last ? 2 : 0)));
}

void write(ByteWriter& out, const Digests& digests) {
  out.u32(digests.round);
  for (const auto digest : digests.digests) out.u64(digest);
}

void write(ByteWriter& out, const Request& request) {
  out.u32(request.round);
  for (const auto bucket : request.buckets) out.u16(bucket);
}

void write(ByteWriter& out, const Complete& complete) {
  out.u64(complete.sequence);
  out.u32(complete.round);
}

void write(ByteWriter& out, const Ack& ack) {
  out.u64(ack.sequence);
  out.u8(ack.synced ? 1 : 0);
}

void write(ByteWriter& out, const Define& define) {
  write_code(out, OperationCode::kDefine);
  out.u32(define.index);
  out.u8(static_cast<std::uint8_t>(define.term.address.family));
  out.u8(define.term.protocol);
  out.u16(define.term.port);
  write_address(out, define.term.address.bytes, define.term.address.family);
}

void write(ByteWriter& out, const Upsert& upsert) {
  const auto& value = upsert.record.value;
  write_code(out, upsert.family == Family::kIpv4 ? OperationCode::kUpsertIpv4 : OperationCode::kUpsertIpv6);
  write_key(out, upsert.record.key, upsert.family);
  out.u32(value.backend);
  out.u32(value.snat);
  out.u16(value.snat_port);
  out.u8(value.tcp_state);
  out.u8(value.wscale_original);
  out.u8(value.wscale_reply);
  out.u8(value.tcp_flags_original);
  out.u8(value.tcp_flags_reply);
  out.u8(value.flags);
  out.u32(value.timeout_s);
}

void write(ByteWriter& out, const Erase& erase) {
  write_code(out, erase.family == Family::kIpv4 ? OperationCode::kEraseIpv4 : OperationCode::kEraseIpv6);
  write_key(out, erase.key, erase.family);
}

}  // namespace wsl4::sync
