// Writes the frames of wire.h.
#pragma once

#include <cstdint>
#include <vector>

#include "sync/bytes.h"
#include "sync/wire.h"

namespace wsl4::sync {

/// A frame under construction: from its constructor, which writes the header, to its destructor, which fills in the length.
class FrameWriter {
 public:
  FrameWriter(std::vector<std::uint8_t>& out, FrameType type);
  ~FrameWriter();
  FrameWriter(const FrameWriter&) = delete;
  FrameWriter& operator=(const FrameWriter&) = delete;

  [[nodiscard]] ByteWriter& payload() { return writer_; }
  [[nodiscard]] std::size_t payload_size() const { return writer_.size() - start_ - kFrameHeader; }

 private:
  ByteWriter writer_;
  std::size_t start_;
};

void write(ByteWriter& out, const Hello& hello);
void write(ByteWriter& out, const Configuration& configuration);
void write(ByteWriter& out, const Bye& bye);
void write(ByteWriter& out, const Heartbeat& heartbeat);
void write(ByteWriter& out, const Echo& echo);
void write(ByteWriter& out, const SharedState& state);
void write(ByteWriter& out, const FlowsHeader& header);
void write(ByteWriter& out, const BucketHeader& header);
void write(ByteWriter& out, const Digests& digests);
void write(ByteWriter& out, const Request& request);
void write(ByteWriter& out, const Complete& complete);
void write(ByteWriter& out, const Ack& ack);

/// At most kMaxOperation bytes each.
void write(ByteWriter& out, const Define& define);
void write(ByteWriter& out, const Upsert& upsert);
void write(ByteWriter& out, const Erase& erase);
inline constexpr std::size_t kMaxOperation = 48;

/// Appends a whole frame.
template <class Message>
void encode(std::vector<std::uint8_t>& out, const Message& message) {
  FrameWriter frame(out, Message::kType);
  write(frame.payload(), message);
}

}  // namespace wsl4::sync
