// Ends flows of backends, all at once or as many as are due. Lives on the kernel thread; every call does a bounded piece of work.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include <boost/unordered/unordered_flat_map.hpp>

#include "daemon/flows/flow_ender.h"
#include "daemon/service/desired_state.h"

namespace wsl4::flows {

class Evictor {
 public:
  Evictor(netlink::conntrack::Conntrack& conntrack, FlowEnder& ender, service::MarkLayout mark)
      : conntrack_(conntrack), ender_(ender), mark_(mark) {}

  /// Ends up to `number` flows of the backend, in the order of the kernel's table. Only UDP flows and established TCP flows: the
  /// others go by themselves. Returns how many; fewer than `number` if the table's end was met: the next call looks from its start
  /// again.
  netlink::Result<std::size_t> evict(service::BackendId backend, std::size_t number);

  /// Ends every flow of the backend, half-open ones too (the client's next SYN finds another backend), a piece with each call of
  /// `step` until it is no longer `busy`.
  void end_all(service::BackendId backend, FlowEnder::Tell tell);
  [[nodiscard]] bool busy() const { return !ending_.empty(); }
  /// Returns how many flows were ended. An error ends no others: the table is gone through anew for those that are left, twice.
  netlink::Result<std::size_t> step();

  /// Drops what is remembered of a backend that takes part in no eviction any more.
  void forget(service::BackendId backend) { cursors_.erase(backend); }

 private:
  /// A walk over one backend's flows.
  struct Cursor {
    std::unique_ptr<netlink::conntrack::Dump> dump;
    std::deque<netlink::conntrack::Flow> found;
  };
  struct Ending {
    service::BackendId backend = 0;
    FlowEnder::Tell tell = FlowEnder::Tell::kBothEnds;
    std::unique_ptr<netlink::conntrack::Dump> dump;
    bool incomplete = false;  // this walk: flows are left that could not be ended
    int walks = 0;            // that were not complete
  };

  netlink::Result<std::unique_ptr<netlink::conntrack::Dump>> dump(service::BackendId backend);
  netlink::Result<void> fill(Cursor& cursor, service::BackendId backend, std::size_t number);

  netlink::conntrack::Conntrack& conntrack_;
  FlowEnder& ender_;
  service::MarkLayout mark_;
  boost::unordered_flat_map<service::BackendId, Cursor> cursors_;
  std::deque<Ending> ending_;
};

}  // namespace wsl4::flows
