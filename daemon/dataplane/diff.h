// The difference of two rulesets as one transaction, in the order the kernel needs. Pure.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "daemon/dataplane/plan.h"
#include "daemon/service/state_change.h"

namespace wsl4::dataplane {

/// From `have` (as read from the kernel) to `want`: only what differs. If the table's comment (layout version) or ownership
/// differs, or it holds something unknown, it is built anew. Elements whose data changed are deleted and added again; a chain
/// whose rules changed is flushed and filled again (its counters of the round begin anew).
[[nodiscard]] netlink::nft::Transaction diff(const netlink::nft::Table& have, netlink::nft::Table want);

/// Deletes the table, whatever it holds, and builds `want` in the one transaction.
[[nodiscard]] netlink::nft::Transaction build_anew(const netlink::nft::Table& want);

/// Of one backend: slot -> block; none: its ports are no longer dealt in blocks.
struct BlocksChange {
  std::string service;
  service::BackendId backend = 0;
  std::optional<std::vector<balance::PortBlock>> slots;
};

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
  /// Both at once, planned once: for a mirror that is given up if the kernel refuses the transaction.
  [[nodiscard]] netlink::nft::Transaction advance(service::StateChange change);

  /// The same for services of the present state that have other shares. Their `blocks` are not looked at.
  [[nodiscard]] netlink::nft::Transaction transition(std::span<const service::ServiceState> services) const;
  void commit(std::span<const service::ServiceState> services);

  /// The same for backends of the present state whose blocks were dealt anew, or whose ports are dealt in blocks from now on or no
  /// longer. The first costs the slots that differ.
  [[nodiscard]] netlink::nft::Transaction transition(std::span<const BlocksChange> changes) const;
  void commit(std::span<const BlocksChange> changes);

  /// The same for the gate alone.
  [[nodiscard]] netlink::nft::Transaction transition(service::Gate gate) const;
  void commit(service::Gate gate);

  /// The whole table as it should stand in the kernel now.
  [[nodiscard]] netlink::nft::Table table() const;
  [[nodiscard]] const service::DesiredState& state() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace wsl4::dataplane
