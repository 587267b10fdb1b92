#include "daemon/dataplane/applier.h"

#include <algorithm>
#include <cerrno>

namespace wsl4::dataplane {

namespace {

using netlink::Result;
using std::chrono::steady_clock;

/// A table built from nothing is committed so many services at a time, about 200 ms each: nothing is there yet that would have to
/// change at once.
constexpr std::size_t kServicesPerPiece = 256;

std::chrono::microseconds since(steady_clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - start);
}

}  // namespace

Result<std::vector<AdoptedBackend>> Applier::adopt(const service::MarkLayout& mark) {
  auto table = nftables_.read_table(kTableName);
  if (!table) return tl::make_unexpected(table.error());
  found_ = std::move(*table);
  return *found_ ? adopted_backends(**found_, mark) : std::vector<AdoptedBackend>{};
}

netlink::nft::Transaction Applier::preview(const service::DesiredState& next) const {
  if (!found_) return mirror_.transition(next);
  if (*found_) return diff(**found_, plan(next));
  return netlink::nft::build_table(plan(next));
}

Result<Applied> Applier::apply(service::DesiredState next) {
  const auto start = steady_clock::now();
  Result<Applied> applied;
  if (found_ && !*found_) {
    applied = build_in_pieces(next);
  } else if (found_) {
    applied = apply_to_found(next);
  } else {
    const auto transaction = mirror_.transition(next);
    applied = commit(transaction).map([&] { return Applied{transaction.weight()}; });
  }
  if (!applied) {
    read_again();
    return applied;
  }
  mirror_.commit(std::move(next));
  found_.reset();
  applied->duration = since(start);
  return applied;
}

template <class Changes>
Result<Applied> Applier::apply_part(Changes changes) {
  if (found_) return Applied{};
  const auto start = steady_clock::now();
  const auto transaction = mirror_.transition(changes);
  const auto committed = commit(transaction);
  if (!committed) {
    read_again();
    return tl::make_unexpected(committed.error());
  }
  mirror_.commit(changes);
  return Applied{transaction.weight(), since(start)};
}

Result<Applied> Applier::apply_shares(std::span<const service::ServiceState> services) { return apply_part(services); }
Result<Applied> Applier::apply_blocks(std::span<const BlocksChange> changes) { return apply_part(changes); }

Result<Applied> Applier::apply_gate(service::Gate gate) {
  if (!found_) return apply_part(gate);
  auto next = mirror_.state();
  next.gate = gate;
  return apply(std::move(next));
}

std::optional<service::Gate> Applier::found_gate() const { return found_ && *found_ ? gate_of(**found_) : std::nullopt; }

Result<void> Applier::go_on_dealing() {
  if (found_) return {};
  return commit(dataplane::go_on_dealing());
}

Result<void> Applier::commit(const netlink::nft::Transaction& transaction) {
  if (transaction.empty()) return {};
  before_commit_(transaction.weight());
  return nftables_.commit(transaction);
}

/// After a failure what the kernel holds is uncertain.
void Applier::read_again() {
  if (auto table = nftables_.read_table(kTableName)) found_ = std::move(*table);
}

Result<Applied> Applier::apply_to_found(const service::DesiredState& next) {
  const auto want = plan(next);
  // A persistent table that lost its owner is taken over by naming it again, even if only to be replaced.
  const auto commit_owned = [this](netlink::nft::Transaction changes) {
    netlink::nft::Transaction transaction(kTableName);
    if ((*found_)->owned) transaction.add(netlink::nft::AddTable{(*found_)->comment, true});
    const auto objects = changes.weight();
    transaction.append(std::move(changes));
    return commit(transaction).map([objects] { return Applied{objects}; });
  };
  auto applied = commit_owned(diff(**found_, want));
  // Somebody may have made more of it than is read, so that what refers to what is not known.
  if (!applied && applied.error().code != EPERM) applied = commit_owned(build_anew(want));
  return applied;
}

Result<Applied> Applier::build_in_pieces(const service::DesiredState& next) {
  auto piece = next;
  piece.services.clear();
  Mirror mirror;
  Applied applied;
  auto service = next.services.begin();
  do {
    for (std::size_t count = 0; count < kServicesPerPiece && service != next.services.end(); ++count, ++service)
      piece.services.insert(*service);
    const auto transaction = mirror.transition(piece);
    const auto committed = commit(transaction);
    if (!committed) return tl::make_unexpected(committed.error());
    mirror.commit(piece);
    applied.objects += transaction.weight();
  } while (service != next.services.end());
  return applied;
}

Result<Applied> Applier::repair() {
  const auto start = steady_clock::now();
  auto table = nftables_.read_table(kTableName);
  if (!table) return tl::make_unexpected(table.error());
  if (*table && **table == mirror_.table()) {
    found_.reset();
    return Applied{0, since(start)};
  }
  found_ = std::move(*table);
  return apply(mirror_.state());
}

}  // namespace wsl4::dataplane
