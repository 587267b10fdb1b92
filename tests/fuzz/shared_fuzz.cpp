// What a peer may put on the topics: records of a topic (2 bytes), a length (2 bytes) and so many bytes. What the election takes is
// written again just so; a document that comes together can be split, and its pieces make it again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "daemon/pair/shared.h"
#include "sync/bytes.h"

namespace {

using namespace wsl4::pair;

void check(bool holds) {
  if (!holds) std::abort();
}

void check_election(const std::vector<std::uint8_t>& bytes) {
  const auto state = decode(bytes);
  if (!state) return;
  const auto again = encode(*state);
  check(again.size() <= bytes.size() && std::equal(again.begin(), again.end(), bytes.begin()));
}

void check_document(const WholeDocument& document) {
  check(document.text.size() <= kMaxDocument);
  const auto pieces = split(document.kind, 1, document.text);
  check(pieces.has_value());
  Assembly assembly;
  for (const auto& piece : *pieces) {
    const auto taken = assembly.take(piece);
    check(taken.has_value());
    check(taken->has_value() == (&piece == &pieces->back()));
    if (*taken) check(**taken == document);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wsl4::sync::ByteReader in({data, size});
  Assembly assembly;
  while (!in.at_end()) {
    const auto topic = in.u16();
    const auto bytes = in.bytes(std::min<std::size_t>(in.u16(), in.left()));
    const wsl4::sync::SharedState piece{topic, {bytes.begin(), bytes.end()}};
    if (topic == kElectionTopic) check_election(piece.bytes);
    const auto taken = assembly.take(piece);
    if (!taken) check(!taken.error().empty());
    if (taken && *taken) check_document(**taken);
  }
  return 0;
}
