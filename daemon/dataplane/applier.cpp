#include "daemon/dataplane/applier.h"

#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace wsl4::dataplane {

namespace {

using netlink::Result;
using netlink::nft::Table;
using std::chrono::steady_clock;

/// A table built from nothing is committed so many services at a time: nothing is there yet that would have to change at once. The
/// kernel checks all chains with each commit.
constexpr std::size_t kServicesPerPiece = 1024;

std::chrono::microseconds since(steady_clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - start);
}

using Services = std::map<std::string, service::ServiceState>;

void move_one(Services& from, Services::iterator service, service::StateChange& to) {
  auto node = from.extract(service);
  to.services.emplace(std::move(node.key()), std::move(node.mapped()));
}

/// One service for each copy of a pool's map, so that these are made first: the kernel finds a set by walking all that are older,
/// and the rules of all backends refer to the copies.
service::StateChange first_piece(Services& services) {
  service::StateChange piece;
  std::set<std::pair<std::string, service::BackendId>> copies;
  for (auto next = services.begin(); next != services.end();) {
    const auto service = next++;
    bool is_first = false;
    for (const auto& backend : service->second.backends)
      is_first |= copies.emplace(service->second.pool, backend.id / kMapBackends).second;
    if (is_first) move_one(services, service, piece);
  }
  return piece;
}

service::StateChange next_piece(Services& services) {
  service::StateChange piece;
  while (piece.services.size() < kServicesPerPiece && !services.empty()) move_one(services, services.begin(), piece);
  return piece;
}

}  // namespace

Result<void> Applier::look() {
  auto table = nftables_.read_table(kTableName);
  if (!table) return tl::make_unexpected(table.error());
  found_ = std::move(*table);
  knowledge_ = Knowledge::kFound;
  return {};
}

Result<std::vector<AdoptedBackend>> Applier::adopt(const service::MarkLayout& mark) {
  if (auto looked = look(); !looked) return tl::make_unexpected(looked.error());
  return found_ ? adopted_backends(*found_, mark) : std::vector<AdoptedBackend>{};
}

netlink::nft::Transaction Applier::preview(const service::StateChange& change) const {
  if (knowledge_ != Knowledge::kFound) return mirror_.transition(change);
  auto next = mirror_.state();
  service::make_change(next, change);
  return found_ ? diff(*found_, plan(next)) : netlink::nft::build_table(plan(next));
}

Result<Applied> Applier::apply(service::StateChange change) {
  const auto start = steady_clock::now();
  if (knowledge_ == Knowledge::kNone) {
    if (auto looked = look(); !looked) return tl::make_unexpected(looked.error());
  }
  const bool small = knowledge_ == Knowledge::kMirror;
  auto applied = small ? apply_to_mirror(std::move(change)) : apply_to_found(std::move(change));
  found_.reset();
  knowledge_ = applied ? Knowledge::kMirror : Knowledge::kNone;
  if (applied) applied->duration = since(start);
  return applied;
}

template <class Changes>
Result<Applied> Applier::apply_part(Changes changes) {
  if (!in_sync()) return Applied{};
  const auto start = steady_clock::now();
  const auto transaction = mirror_.transition(changes);
  if (auto committed = commit(transaction); !committed) {
    knowledge_ = Knowledge::kNone;
    return tl::make_unexpected(committed.error());
  }
  mirror_.commit(changes);
  return Applied{transaction.weight(), since(start)};
}

Result<Applied> Applier::apply_shares(std::span<const service::ServiceState> services) { return apply_part(services); }
Result<Applied> Applier::apply_blocks(std::span<const BlocksChange> changes) { return apply_part(changes); }

Result<Applied> Applier::apply_gate(service::Gate gate) {
  if (in_sync()) return apply_part(gate);
  note_gate(gate);
  return apply({});
}

void Applier::note_gate(service::Gate gate) { mirror_.commit(gate); }

std::optional<service::Gate> Applier::found_gate() const { return found_ ? gate_of(*found_) : std::nullopt; }

Result<void> Applier::go_on_dealing() {
  if (!in_sync()) return {};
  return commit(dataplane::go_on_dealing());
}

Result<void> Applier::commit(const netlink::nft::Transaction& transaction) {
  if (transaction.empty()) return {};
  before_commit_(transaction.weight());
  return nftables_.commit(transaction);
}

Result<Applied> Applier::apply_to_mirror(service::StateChange change) {
  const auto transaction = mirror_.transition(change);
  auto applied = commit(transaction).map([&] { return Applied{transaction.weight()}; });
  if (applied) mirror_.commit(std::move(change));
  return applied;
}

Result<Applied> Applier::apply_to_found(service::StateChange change) {
  auto next = mirror_.state();
  service::make_change(next, std::move(change));
  return found_ ? mend(*found_, std::move(next)) : build_in_pieces(std::move(next));
}

Result<Applied> Applier::mend(const Table& found, service::DesiredState next) {
  // A persistent table that lost its owner is taken over by naming it again, even if only to be replaced.
  const auto want = plan(next);
  const auto commit_owned = [&](netlink::nft::Transaction changes) {
    netlink::nft::Transaction transaction(kTableName);
    if (found.owned) transaction.add(netlink::nft::AddTable{found.comment, true});
    const auto objects = changes.weight();
    transaction.append(std::move(changes));
    return commit(transaction).map([objects] { return Applied{objects}; });
  };
  auto applied = commit_owned(diff(found, want));
  // Somebody may have made more of it than is read, so that what refers to what is not known.
  if (!applied && applied.error().code != EPERM) applied = commit_owned(build_anew(want));
  if (applied) mirror_ = Mirror(std::move(next));
  return applied;
}

Result<Applied> Applier::build_in_pieces(service::DesiredState next) {
  auto services = std::exchange(next.services, {});
  Mirror mirror(std::move(next));
  const auto base = netlink::nft::build_table(mirror.table());
  Applied applied{base.weight()};
  if (auto committed = commit(base); !committed) return tl::make_unexpected(committed.error());
  for (auto piece = first_piece(services); !piece.services.empty(); piece = next_piece(services)) {
    const auto transaction = mirror.advance(std::move(piece));
    if (auto committed = commit(transaction); !committed) return tl::make_unexpected(committed.error());
    applied.objects += transaction.weight();
  }
  mirror_ = std::move(mirror);
  return applied;
}

Result<Applied> Applier::repair() {
  const auto start = steady_clock::now();
  if (auto looked = look(); !looked) return tl::make_unexpected(looked.error());
  if (found_ != mirror_.table()) return apply({});
  found_.reset();
  knowledge_ = Knowledge::kMirror;
  return Applied{0, since(start)};
}

}  // namespace wsl4::dataplane
