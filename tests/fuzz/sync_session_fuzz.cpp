// A peer may say anything: the session ends it or goes on, and what it holds is in order either way. The first byte says whether
// this node is active, and in how many pieces the rest arrives.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "sync/session.h"
#include "tests/support/sync_flows.h"

namespace {

using namespace wsl4::sync;

Options options(const char* node, std::uint64_t incarnation) {
  Options result;
  result.node = node;
  result.incarnation = incarnation;
  return result;
}

void check(const Session& session) {
  const auto& store = session.flows();
  std::size_t flows = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    std::uint64_t digest = 0;
    const auto add = [&](const Record& record) {
      digest ^= content_hash(store.dictionary(), record);
      ++flows;
    };
    store.own().for_each_in(bucket, add);
    store.copies().for_each_in(bucket, add);
    if (digest != store.digest(bucket)) std::abort();
  }
  if (flows != store.size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Session session(options("lb-a", 1)), peer(options("lb-b", 2));
  session.set_role(data[0] % 2 == 0 ? Role::kStandby : Role::kActive);
  for (std::uint32_t i = 0; i < 10; ++i) session.learn(wsl4::test::sync_flow(i), Time{1});
  session.connected(Time{1});
  peer.connected(Time{1});
  std::vector<std::uint8_t> bytes;
  peer.pull(bytes, 1 << 20, Time{1});
  session.receive(bytes, Time{1});
  const std::size_t piece = 1 + size / (1 + data[0] / 2U);
  for (std::size_t at = 1; at < size; at += piece) {
    session.receive({data + at, std::min(piece, size - at)}, Time{static_cast<std::int64_t>(at)});
    const auto batch = session.take_operations(4);
    bytes.clear();
    session.pull(bytes, 1 << 16, Time{static_cast<std::int64_t>(at)});
    session.operations_done(batch.number, {});
  }
  check(session);
  session.disconnected();
  session.set_role(Role::kActive);
  check(session);
  return 0;
}
