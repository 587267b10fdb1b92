// Moves the kernel's table to the desired state, and keeps it there. Lives on the kernel thread; the only writer of the table.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/dataplane/diff.h"
#include "netlink/nft/nftables.h"

namespace wsl4::dataplane {

struct Applied {
  std::size_t objects = 0;  // changed in the kernel; 0: nothing differed
  std::chrono::microseconds duration{0};
};

class Applier {
 public:
  /// `nothing`: a state without services, with what holds for all of them. `before_commit` is told how many objects are sent to the
  /// kernel next.
  Applier(
      netlink::nft::Nftables& nftables, service::DesiredState nothing,
      std::function<void(std::size_t)> before_commit = [](std::size_t) {})
      : nftables_(nftables), before_commit_(std::move(before_commit)), mirror_(std::move(nothing)) {}

  /// Reads what the kernel holds; the first `apply` changes only what differs from it. Returns the backends that it knows.
  netlink::Result<std::vector<AdoptedBackend>> adopt(const service::MarkLayout& mark);

  /// What `apply` would send.
  [[nodiscard]] netlink::nft::Transaction preview(const service::StateChange& change) const;

  /// From the state that was applied last, in one transaction, but for a table built from nothing, which comes in pieces (its base
  /// first). After a failure the next call reads the kernel's table and goes on from that: whatever had been done of the failed one
  /// is put right.
  netlink::Result<Applied> apply(service::StateChange change);

  /// Gives services of the state that was applied last their new shares, in one transaction; their `blocks` stay. Nothing is done
  /// (0 objects) while the kernel's state is uncertain: the next `apply` or `repair` comes first.
  netlink::Result<Applied> apply_shares(std::span<const service::ServiceState> services);

  /// The same for backends whose blocks of SNAT ports were dealt.
  netlink::Result<Applied> apply_blocks(std::span<const BlocksChange> changes);
  /// Says that blocks are dealt for kDealingTimeout more (go_on_dealing).
  netlink::Result<void> go_on_dealing();

  /// Opens or closes the gate of a pair's node: one small transaction, however many services there are.
  netlink::Result<Applied> apply_gate(service::Gate gate);
  /// The first `apply` sets it.
  void note_gate(service::Gate gate);
  /// As the table had it that was found last, where no `apply` has changed it since.
  [[nodiscard]] std::optional<service::Gate> found_gate() const;

  /// Reads the table and puts right what somebody else changed. 0 objects: it stood as it should.
  netlink::Result<Applied> repair();

  /// What was applied last.
  [[nodiscard]] const service::DesiredState& state() const { return mirror_.state(); }

  /// Whether the kernel's table is known to be the state's.
  [[nodiscard]] bool in_sync() const { return knowledge_ == Knowledge::kMirror; }

 private:
  enum class Knowledge : std::uint8_t {
    kNone,    // before the start and after a failure
    kFound,   // `found_` is the kernel's table
    kMirror,  // `mirror_` is
  };

  netlink::Result<void> look();
  template <class Changes>
  netlink::Result<Applied> apply_part(Changes changes);
  netlink::Result<void> commit(const netlink::nft::Transaction& transaction);
  netlink::Result<Applied> apply_to_mirror(service::StateChange change);
  netlink::Result<Applied> apply_to_found(service::StateChange change);
  netlink::Result<Applied> mend(const netlink::nft::Table& found, service::DesiredState next);
  netlink::Result<Applied> build_in_pieces(service::DesiredState next);

  netlink::nft::Nftables& nftables_;
  std::function<void(std::size_t)> before_commit_;
  Mirror mirror_;
  Knowledge knowledge_ = Knowledge::kNone;
  std::optional<netlink::nft::Table> found_;  // none: there is no table
};

}  // namespace wsl4::dataplane
