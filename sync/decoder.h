// Reads the frames of wire.h from bytes that nobody vouches for. Nothing is larger than a frame, nothing is read past its end.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sync/bytes.h"
#include "sync/wire.h"

namespace wsl4::sync {

struct Frame {
  std::uint8_t type = 0;  // a FrameType, or one that this version does not know
  std::span<const std::uint8_t> payload;
};

/// Cuts a stream of bytes into frames. Holds at most one frame that is not complete.
class FrameReader {
 public:
  void feed(std::span<const std::uint8_t> bytes);
  /// The next complete frame, its payload valid until the next `feed`; nullopt: more bytes are needed. An error stays.
  [[nodiscard]] Result<std::optional<Frame>> next();

 private:
  std::vector<std::uint8_t> buffer_;
  std::size_t used_ = 0;
};

void read(ByteReader& in, Hello& hello);
void read(ByteReader& in, Configuration& configuration);
void read(ByteReader& in, Bye& bye);
void read(ByteReader& in, Heartbeat& heartbeat);
void read(ByteReader& in, Echo& echo);
void read(ByteReader& in, SharedState& state);
void read(ByteReader& in, Digests& digests);
void read(ByteReader& in, Request& request);
void read(ByteReader& in, Complete& complete);
void read(ByteReader& in, Ack& ack);

/// Only the header; operations follow.
void read(ByteReader& in, FlowsHeader& header);
void read(ByteReader& in, BucketHeader& header);
/// The next operation; nullopt at the end and after an error.
[[nodiscard]] std::optional<WireOperation> read_operation(ByteReader& in);

/// A whole payload. Anything left over is an error.
template <class Message>
[[nodiscard]] Result<Message> decode(std::span<const std::uint8_t> payload) {
  ByteReader in(payload);
  Message message;
  read(in, message);
  if (in.ok() && in.at_end()) return message;
  return failure(Reason::kProtocol, "broken frame of type " + std::to_string(static_cast<int>(Message::kType)));
}

/// The same, and hands the message on to `take`, which returns a Result<void>.
template <class Message, class Take>
[[nodiscard]] Result<void> decode_to(std::span<const std::uint8_t> payload, Take take) {
  auto message = decode<Message>(payload);
  if (!message) return tl::unexpected(std::move(message.error()));
  return take(*std::move(message));
}

}  // namespace wsl4::sync
