// The wire format of the pair: frames, messages, constants. docs/wire-format.md is its page; encoder.h writes it, decoder.h reads
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "sync/error.h"
#include "sync/record.h"

namespace wsl4::sync {

/// Versions that this library speaks. The pair uses the highest that both speak.
struct Versions {
  std::uint16_t lowest = 1, highest = 1;
};

inline constexpr std::uint32_t kMagic = 0x57534c34;  // "WSL4"

/// A frame is the payload's length (4 bytes), a type (1 byte), the payload.
inline constexpr std::size_t kFrameHeader = 5;
inline constexpr std::size_t kMaxPayload = 65536;

/// A reader skips types of 128 and more that it does not know; others that it does not know are errors.
enum class FrameType : std::uint8_t {
  kHello = 1,
  kConfiguration = 2,
  kBye = 3,
  kHeartbeat = 4,
  kEcho = 5,
  // 6: reserved
  kSharedState = 7,
  kFlows = 16,
  kBucket = 17,
  kDigests = 18,
  kRequest = 19,
  kComplete = 20,
  kAck = 21,
};
inline constexpr std::uint8_t kFirstOptionalType = 128;

enum class Role : std::uint8_t { kInit = 0, kStandby = 1, kActive = 2, kFault = 3 };

/// The first frame of both sides. Later versions may append fields; a reader ignores what it does not know.
struct Hello {
  static constexpr auto kType = FrameType::kHello;
  Versions versions;
  std::uint64_t incarnation = 0;  // of the process, by chance; never 0
  std::uint64_t copy_of = 0;      // incarnation of the node whose flows this one's copies are, if they were once complete; else 0
  Role role = Role::kInit;
  std::uint8_t priority = 0;
  std::uint64_t flows = 0;
  std::string node;
};

/// A setting, or a group of them, as the two nodes compare it.
struct KeyDigest {
  std::string name;  // at most 255 bytes
  std::uint64_t digest = 0;
  bool required = false;  // the pair cannot work if it differs
  friend bool operator==(const KeyDigest&, const KeyDigest&) = default;
};

/// The second frame, and sent again when it changes. Of more keys than fit, as sync/configuration.h has it.
struct Configuration {
  static constexpr auto kType = FrameType::kConfiguration;
  std::vector<KeyDigest> keys;
};

/// The last frame before the connection is closed.
struct Bye {
  static constexpr auto kType = FrameType::kBye;
  Error error;
};

struct Heartbeat {
  static constexpr auto kType = FrameType::kHeartbeat;
  Role role = Role::kInit;
  std::uint8_t priority = 0;
  std::uint64_t flows = 0;
  std::uint32_t lag_us = 0;  // of changes that this node sends
  std::uint64_t token = 0;   // comes back at once as an Echo
};

struct Echo {
  static constexpr auto kType = FrameType::kEcho;
  std::uint64_t token = 0;
};

/// The state of a topic as its owner writes it; the last one counts.
struct SharedState {
  static constexpr auto kType = FrameType::kSharedState;
  std::uint16_t topic = 0;
  std::vector<std::uint8_t> bytes;  // at most kMaxSharedState
};
inline constexpr std::size_t kMaxSharedState = kMaxPayload - 2;

/// Changes, in order. Followed by operations until the payload's end.
struct FlowsHeader {
  static constexpr auto kType = FrameType::kFlows;
  std::uint64_t sequence = 0;  // 1, 2, 3... over Flows, Bucket and Complete frames of a connection
};

/// A part of a bucket's whole content. A bucket's parts follow each other without other Flows or Bucket frames between them.
struct BucketHeader {
  static constexpr auto kType = FrameType::kBucket;
  std::uint64_t sequence = 0;
  std::uint16_t bucket = 0;
  bool first = false, last = false;
};

/// Digests of all buckets of the sender's own flows, as they are at this place of the stream.
struct Digests {
  static constexpr auto kType = FrameType::kDigests;
  std::uint32_t round = 0;  // counts comparisons
  std::vector<std::uint64_t> digests;
};

/// The answer to Digests: the buckets that differ.
struct Request {
  static constexpr auto kType = FrameType::kRequest;
  std::uint32_t round = 0;
  std::vector<std::uint16_t> buckets;
};

/// All buckets that were asked for in this round have been sent.
struct Complete {
  static constexpr auto kType = FrameType::kComplete;
  std::uint64_t sequence = 0;
  std::uint32_t round = 0;
};

/// The receiver's kernel has all up to this frame. `synced`: and all of the last completed round, without exception.
struct Ack {
  static constexpr auto kType = FrameType::kAck;
  std::uint64_t sequence = 0;
  bool synced = false;
  friend bool operator==(const Ack&, const Ack&) = default;
};

/// Operations inside Flows and Bucket frames. All numbers of terms are the sender's.
enum class OperationCode : std::uint8_t { kDefine = 1, kUpsertIpv4 = 2, kUpsertIpv6 = 3, kEraseIpv4 = 4, kEraseIpv6 = 5 };

struct Define {
  TermIndex index = 0;
  Term term;
  friend bool operator==(const Define&, const Define&) = default;
};
struct Upsert {
  Family family = Family::kIpv4;
  Record record;
  friend bool operator==(const Upsert&, const Upsert&) = default;
};
struct Erase {
  Family family = Family::kIpv4;
  FlowKey key;
  friend bool operator==(const Erase&, const Erase&) = default;
};
using WireOperation = std::variant<Define, Upsert, Erase>;

}  // namespace wsl4::sync
