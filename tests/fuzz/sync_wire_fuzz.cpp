// Any bytes may be cut into frames and decoded; what is accepted is written again just so.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "sync/decoder.h"
#include "sync/encoder.h"

namespace {

using namespace wsl4::sync;

template <class Message>
void round_trip(std::span<const std::uint8_t> payload) {
  const auto message = decode<Message>(payload);
  if (!message) return;
  std::vector<std::uint8_t> bytes;
  ByteWriter out(bytes);
  write(out, *message);
  // Only a greeting and a configuration may hold what is not kept.
  if (Message::kType == FrameType::kHello || Message::kType == FrameType::kConfiguration) {
    if (!decode<Message>(bytes)) std::abort();
  } else if (!std::ranges::equal(bytes, payload)) {
    std::abort();
  }
}

template <class Header>
void round_trip_operations(std::span<const std::uint8_t> payload) {
  ByteReader in(payload);
  Header header;
  read(in, header);
  if (!in.ok()) return;
  std::vector<std::uint8_t> bytes;
  ByteWriter out(bytes);
  write(out, header);
  while (const auto operation = read_operation(in)) std::visit([&](const auto& one) { write(out, one); }, *operation);
  if (in.ok() && !std::ranges::equal(bytes, payload)) std::abort();
}

void handle(const Frame& frame) {
  switch (static_cast<FrameType>(frame.type)) {
    case FrameType::kHello:
      return round_trip<Hello>(frame.payload);
    case FrameType::kConfiguration:
      return round_trip<Configuration>(frame.payload);
    case FrameType::kBye:
      return round_trip<Bye>(frame.payload);
    case FrameType::kHeartbeat:
      return round_trip<Heartbeat>(frame.payload);
    case FrameType::kEcho:
      return round_trip<Echo>(frame.payload);
    case FrameType::kSharedState:
      return round_trip<SharedState>(frame.payload);
    case FrameType::kFlows:
      return round_trip_operations<FlowsHeader>(frame.payload);
    case FrameType::kBucket:
      return round_trip_operations<BucketHeader>(frame.payload);
    case FrameType::kDigests:
      return round_trip<Digests>(frame.payload);
    case FrameType::kRequest:
      return round_trip<Request>(frame.payload);
    case FrameType::kComplete:
      return round_trip<Complete>(frame.payload);
    case FrameType::kAck:
      return round_trip<Ack>(frame.payload);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FrameReader reader;
  reader.feed({data, size});
  while (true) {
    const auto frame = reader.next();
    if (!frame || !*frame) return 0;
    handle(**frame);
  }
}
