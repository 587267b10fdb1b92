// A flow in the form in which it is stored: 44 bytes, addresses that many share as numbers of a dictionary.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "sync/dictionary.h"
#include "sync/flow.h"

namespace wsl4::sync {

/// The original tuple. Family and protocol are the VIP's.
struct FlowKey {
  std::array<std::uint8_t, 16> client{};
  TermIndex vip = 0;
  std::uint16_t client_port = 0;
  friend bool operator==(const FlowKey&, const FlowKey&) = default;
};

struct FlowKeyHash {
  using is_avalanching = void;
  std::size_t operator()(const FlowKey& key) const noexcept;
};

/// Everything else.
struct FlowValue {
  TermIndex backend = 0, snat = 0;
  std::uint32_t timeout_s = 0;
  std::uint16_t snat_port = 0;
  std::uint8_t tcp_state = 0;
  std::uint8_t wscale_original = 0, wscale_reply = 0;
  std::uint8_t tcp_flags_original = 0, tcp_flags_reply = 0;
  std::uint8_t flags = 0;
  friend bool operator==(const FlowValue&, const FlowValue&) = default;
};

[[nodiscard]] inline bool same_reply_tuple(const FlowValue& one, const FlowValue& other) {
  return one.backend == other.backend && one.snat == other.snat && one.snat_port == other.snat_port;
}

struct Record {
  FlowKey key;
  FlowValue value;
  friend bool operator==(const Record&, const Record&) = default;
};

/// The flow's record, with a reference for each of its numbers. nullopt: mixed families, or the dictionary is full.
[[nodiscard]] std::optional<Record> acquire(Dictionary& dictionary, const Flow& flow);
void retain(Dictionary& dictionary, const Record& record);
void release(Dictionary& dictionary, const Record& record);

/// The key of the flow with this client, VIP and protocol, with a reference for its VIP.
[[nodiscard]] std::optional<FlowKey> acquire_key(Dictionary& dictionary, const Flow& flow);
/// The key of the flow with this client, VIP and protocol; nullopt: the VIP is unknown, so no table holds such a flow.
[[nodiscard]] std::optional<FlowKey> find_key(const Dictionary& dictionary, const Flow& flow);

[[nodiscard]] Flow expand(const Dictionary& dictionary, const Record& record);
/// A flow of which only client, VIP and protocol are filled in.
[[nodiscard]] Flow expand(const Dictionary& dictionary, const FlowKey& key);

/// Hashes of content, equal on all nodes: of the original tuple, and of everything but the timeout.
[[nodiscard]] std::uint64_t content_hash(const Dictionary& dictionary, const FlowKey& key);
[[nodiscard]] std::uint64_t content_hash(const Dictionary& dictionary, const Record& record);

}  // namespace wsl4::sync
