#include "daemon/flows/evictor.h"

#include <algorithm>
#include <vector>

namespace wsl4::flows {

using netlink::conntrack::Flow;
using netlink::conntrack::TcpState;

namespace {

/// Of a backend whose flows are ended, where some could not be.
constexpr int kMostWalks = 3;

bool is_evictable(const Flow& flow, const service::MarkLayout& mark) {
  const bool udp = flow.original.protocol == netlink::Protocol::kUdp;
  return (udp || flow.tcp_state == TcpState::kEstablished) && !mark.is_closing(flow.mark);
}

}  // namespace

netlink::Result<std::unique_ptr<netlink::conntrack::Dump>> Evictor::dump(service::BackendId backend) {
  return conntrack_.dump({mark_.backend_mask(), mark_.to_mark(backend)});
}

/// Reads on until `number` flows are there or the table has ended.
netlink::Result<void> Evictor::fill(Cursor& cursor, service::BackendId backend, std::size_t number) {
  if (!cursor.dump) {
    auto begun = dump(backend);
    if (!begun) return tl::make_unexpected(begun.error());
    cursor.dump = std::move(*begun);
  }
  while (cursor.found.size() < number) {
    const auto more = cursor.dump->step([&](const Flow& flow) {
      if (is_evictable(flow, mark_)) cursor.found.push_back(flow);
    });
    if (!more || !*more) cursor.dump.reset();
    if (!more) return tl::make_unexpected(more.error());
    if (!*more) break;
  }
  return {};
}

netlink::Result<std::size_t> Evictor::evict(service::BackendId backend, std::size_t number) {
  auto& cursor = cursors_[backend];
  std::size_t ended = 0;
  // What was found a while ago may have ended by itself: then others are taken.
  while (ended < number) {
    const auto missing = number - ended;
    if (cursor.found.size() < missing) {
      if (const auto filled = fill(cursor, backend, missing); !filled) return tl::make_unexpected(filled.error());
    }
    const auto end = cursor.found.begin() + static_cast<std::ptrdiff_t>(std::min(missing, cursor.found.size()));
    const std::vector<Flow> victims(cursor.found.begin(), end);
    cursor.found.erase(cursor.found.begin(), end);
    auto gone = ender_.end(victims, FlowEnder::Tell::kBothEnds);
    if (!gone) return gone;
    ended += *gone;
    if (victims.size() < missing) break;
  }
  return ended;
}

void Evictor::end_all(service::BackendId backend, FlowEnder::Tell tell) { ending_.push_back({backend, tell, nullptr}); }

netlink::Result<std::size_t> Evictor::step() {
  if (ending_.empty()) return 0;
  auto& ending = ending_.front();
  const auto walk_again = [&] {
    ending.dump.reset();
    ending.incomplete = false;
    if (++ending.walks == kMostWalks) ending_.pop_front();
  };
  if (!ending.dump) {
    auto begun = dump(ending.backend);
    if (!begun) {
      walk_again();
      return tl::make_unexpected(begun.error());
    }
    ending.dump = std::move(*begun);
  }
  std::vector<Flow> flows;
  const auto more = ending.dump->step([&flows](const Flow& flow) { flows.push_back(flow); });
  if (!more) {
    walk_again();
    return tl::make_unexpected(more.error());
  }
  auto ended = ender_.end(flows, ending.tell);
  ending.incomplete = ending.incomplete || !ended;
  if (*more) return ended;
  if (ending.incomplete) {
    walk_again();
  } else {
    ending_.pop_front();
  }
  return ended;
}

}  // namespace wsl4::flows
