#include "sync/record.h"

#include <algorithm>
#include <cstring>

#define XXH_INLINE_ALL  // a hash of a few bytes is not worth a call
#include <xxhash.h>

namespace wsl4::sync {
namespace {

/// Fields one after the other, big-endian, to be hashed.
template <std::size_t Size>
class Packed {
 public:
  Packed& bytes(const std::array<std::uint8_t, 16>& value) {
    std::ranges::copy(value, bytes_.begin() + used_);
    used_ += 16;
    return *this;
  }
  template <class Integer>
  Packed& number(Integer value) {
    for (int shift = 8 * (static_cast<int>(sizeof(value)) - 1); shift >= 0; shift -= 8) {
      bytes_[static_cast<std::size_t>(used_++)] = static_cast<std::uint8_t>(value >> shift);
    }
    return *this;
  }
  [[nodiscard]] std::uint64_t hash() const { return XXH3_64bits(bytes_.data(), Size); }

 private:
  std::array<std::uint8_t, Size> bytes_{};
  std::ptrdiff_t used_ = 0;
};

Term vip_term(const Flow& flow) { return {flow.vip.address, flow.vip.port, static_cast<std::uint8_t>(flow.protocol)}; }

bool one_family(const Flow& flow) {
  const auto family = flow.client.address.family;
  return flow.vip.address.family == family && flow.backend.address.family == family && flow.snat.address.family == family;
}

Address client_address(const Dictionary& dictionary, const FlowKey& key) {
  return {key.client, dictionary.term(key.vip).address.family};
}

}  // namespace

std::size_t FlowKeyHash::operator()(const FlowKey& key) const noexcept {
  std::array<std::uint8_t, 22> bytes;
  std::memcpy(bytes.data(), key.client.data(), 16);
  std::memcpy(bytes.data() + 16, &key.vip, 4);
  std::memcpy(bytes.data() + 20, &key.client_port, 2);
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::optional<Record> acquire(Dictionary& dictionary, const Flow& flow) {
  if (!one_family(flow)) return {};
  const bool dnat = flow.snat.address == flow.client.address;
  const auto vip = dictionary.acquire(vip_term(flow));
  const auto backend = dictionary.acquire({flow.backend.address, flow.backend.port, 0});
  const auto snat = dnat ? kClientItself : dictionary.acquire({flow.snat.address, 0, 0});
  if (!vip || !backend || !snat) {
    for (const auto& index : {vip, backend, snat}) {
      if (index) dictionary.release(*index);
    }
    return {};
  }
  return Record{{flow.client.address.bytes, *vip, flow.client.port},
                {*backend, *snat, flow.timeout_s, flow.snat.port, flow.tcp_state, flow.wscale_original, flow.wscale_reply,
                 flow.tcp_flags_original, flow.tcp_flags_reply, flow.flags}};
}

void retain(Dictionary& dictionary, const Record& record) {
  dictionary.retain(record.key.vip);
  dictionary.retain(record.value.backend);
  dictionary.retain(record.value.snat);
}

void release(Dictionary& dictionary, const Record& record) {
  dictionary.release(record.key.vip);
  dictionary.release(record.value.backend);
  dictionary.release(record.value.snat);
}

std::optional<FlowKey> acquire_key(Dictionary& dictionary, const Flow& flow) {
  if (flow.client.address.family != flow.vip.address.family) return {};
  const auto vip = dictionary.acquire(vip_term(flow));
  if (!vip) return {};
  return FlowKey{flow.client.address.bytes, *vip, flow.client.port};
}

std::optional<FlowKey> find_key(const Dictionary& dictionary, const Flow& flow) {
  const auto vip = dictionary.find(vip_term(flow));
  if (!vip || flow.client.address.family != flow.vip.address.family) return {};
  return FlowKey{flow.client.address.bytes, *vip, flow.client.port};
}

Flow expand(const Dictionary& dictionary, const FlowKey& key) {
  const auto& vip = dictionary.term(key.vip);
  Flow flow;
  flow.protocol = static_cast<Protocol>(vip.protocol);
  flow.client = {client_address(dictionary, key), key.client_port};
  flow.vip = {vip.address, vip.port};
  return flow;
}

Flow expand(const Dictionary& dictionary, const Record& record) {
  auto flow = expand(dictionary, record.key);
  const auto& value = record.value;
  const auto& backend = dictionary.term(value.backend);
  flow.backend = {backend.address, backend.port};
  flow.snat = {value.snat == kClientItself ? flow.client.address : dictionary.term(value.snat).address, value.snat_port};
  flow.tcp_state = value.tcp_state;
  flow.wscale_original = value.wscale_original;
  flow.wscale_reply = value.wscale_reply;
  flow.tcp_flags_original = value.tcp_flags_original;
  flow.tcp_flags_reply = value.tcp_flags_reply;
  flow.flags = value.flags;
  flow.timeout_s = value.timeout_s;
  return flow;
}

std::uint64_t content_hash(const Dictionary& dictionary, const FlowKey& key) {
  return Packed<26>().bytes(key.client).number(key.client_port).number(dictionary.hash(key.vip)).hash();
}

std::uint64_t content_hash(const Dictionary& dictionary, const Record& record) {
  const auto& value = record.value;
  return Packed<50>()
      .bytes(record.key.client)
      .number(record.key.client_port)
      .number(dictionary.hash(record.key.vip))
      .number(dictionary.hash(value.backend))
      .number(dictionary.hash(value.snat))
      .number(value.snat_port)
      .number(value.tcp_state)
      .number(value.wscale_original)
      .number(value.wscale_reply)
      .number(value.tcp_flags_original)
      .number(value.tcp_flags_reply)
      .number(value.flags)
      .hash();
}

}  // namespace wsl4::sync
