// The difference of two rulesets as one transaction, in the order the kernel needs. Pure.
#pragma once

#include <memory>

#include "daemon/dataplane/plan.h"
#include "daemon/service/state_change.h"

namespace wsl4::dataplane {

/// From `have` (as read from the kernel) to `want`: only what differs. If the table's comment (layout version) or ownership
/// differs, it deletes and builds anew in the one transaction. Elements whose data changed are deleted and added again; a chain
/// whose rules changed is flushed and filled again (its counters of the round begin anew).
[[nodiscard]] netlink::nft::Transaction diff(const netlink::nft::Table& have, const netlink::nft::Table& want);

/// The daemon's own copy of what it programmed. `transition` yields the transaction that makes a change; it costs what changes,
/// however many other services there are. Call `commit` once the kernel took it; without it the mirror stays where it was.
class Mirror {
 public:
  /// Of a table that stands as `state` has it.
  explicit Mirror(service::DesiredState state);
  ~Mirror();
  Mirror(Mirror&&) noexcept;
  Mirror& operator=(Mirror&&) noexcept;

  [[nodiscard]] netlink::nft::Transaction transition(const service::StateChange& change) const;
  void commit(service::StateChange change);

  /// The whole table as it should stand in the kernel now.
  [[nodiscard]] netlink::nft::Table table() const;
  [[nodiscard]] const service::DesiredState& state() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace wsl4::dataplane
