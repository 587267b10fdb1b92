// Somebody who is told of every flow of ours that the collector sees: the copy of flows to the peer.
#pragma once

#include "netlink/conntrack/flow.h"

namespace wsl4::flows {

/// All calls are made on the kernel thread. Flows have a mark of ours, and are those that are counted (flow_counter.h): of what the
/// kernel tells late, of an entry that has ended or whose tuples have another one by now, nothing comes here.
class FlowObserver {
 public:
  virtual ~FlowObserver() = default;
  /// An event shows the flow.
  virtual void seen(const netlink::conntrack::Flow& flow) = 0;
  /// It has ended.
  virtual void ended(const netlink::conntrack::Flow& flow) = 0;
  /// A dump of all flows, while events go on. One that is not whole ends as not `whole`.
  virtual void dump_began() = 0;
  virtual void dumped(const netlink::conntrack::Flow& flow) = 0;
  virtual void dump_ended(bool whole) = 0;
  /// What was told since the last call may be passed on: after each piece of work.
  virtual void flush() = 0;
};

}  // namespace wsl4::flows
