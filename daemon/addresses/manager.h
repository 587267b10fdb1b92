// Puts VIPs and pool addresses on the right interfaces, tells the neighbours, and takes away again what it put there. Addresses
// that were there before, or that somebody else put there, are left alone. It keeps no list: the kernel knows which are ours, also
// after a crash.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/addresses/placement.h"
#include "daemon/addresses/virtual_links.h"

namespace wsl4::addresses {

struct Reconciled {
  std::vector<netlink::IpAddress> added;    // also to its new link
  std::vector<netlink::IpAddress> removed;  // from the machine
  std::vector<std::string> problems;        // as Placement's, and what the kernel refused
};

/// How many addresses go to the kernel in one call: as many as it was done with in `kTarget` lately, since everything else on the
/// thread waits meanwhile, adverts among it. One is usually done in a millisecond; in 30 and more where others have much to do with
/// links and addresses of the machine, as where containers come and go.
struct PieceSize {
  static constexpr std::size_t kFirst = 16;
  static constexpr std::chrono::milliseconds kTarget{30};
  std::size_t value = kFirst;

  void note(std::size_t done, std::chrono::nanoseconds took);
};

class Manager {
 public:
  /// `router`: of the virtual MAC address (virtual_links.h); none: addresses are put on the interfaces themselves.
  Manager(netlink::rtnl::Rtnl& rtnl, netlink::rtnl::Announcer& announcer, host::Sysctls& sysctls, std::optional<int> router = {})
      : rtnl_(rtnl), announcer_(announcer), virtual_links_(rtnl, sysctls, router) {}

  /// Of a node without the role: makes what taking it needs. Returns what stands in the way.
  std::vector<std::string> prepare(const std::vector<WantedAddress>& wanted);

  /// Adds what is missing and repeats the announcements of what was lately added: call it about once a second. Ours that belongs on
  /// another link is added there by one call and taken off the old one by the next. Ours that is wanted no more goes once it is
  /// `idle`: known to be used by no flow. A machine that was in order and has not changed is not listed again.
  ///
  /// It does a first piece of that; while it is busy, `go_on` does the next. Returns what was done once all
  /// of it is. Another call before that goes on too, and begins anew only if something else is wanted.
  std::optional<Reconciled> reconcile(const std::vector<WantedAddress>& wanted, const std::set<netlink::IpAddress>& idle);
  std::optional<Reconciled> go_on();
  [[nodiscard]] bool busy() const { return !steps_.empty() || next_announced_ != announcing_.end(); }

  /// Tells the neighbours of every address of ours, at once. Returns why that failed.
  std::vector<std::string> announce_all();

  /// The same for one address of each virtual link, so that switches do not forget where its MAC address is: packets leave by the
  /// parent and with the parent's.
  void refresh_switches();

  /// Takes off every address of ours, piece by piece as `reconcile`; goes on after one that cannot be removed. Packets of known
  /// flows still come in, also by the virtual links, until `rest`.
  std::optional<Reconciled> withdraw();
  /// Nothing comes in by virtual links any more. Returns what went wrong.
  std::vector<std::string> rest() { return virtual_links_.set_down(); }
  [[nodiscard]] bool has_virtual_links() const { return virtual_links_.router().has_value(); }

  /// At the last look, which follows every change.
  [[nodiscard]] const HeldAddresses& held() const { return held_; }
  /// Ours that is wanted no more and was still there after the last reconcile.
  [[nodiscard]] const std::set<netlink::IpAddress>& leftover() const { return leftover_; }

 private:
  struct Step {
    enum class Kind : std::uint8_t { kAdd, kTakeOff, kRemove };  // kTakeOff: the machine keeps it, elsewhere or anew
    Kind kind = Kind::kAdd;
    netlink::rtnl::InterfaceAddress entry;
    netlink::rtnl::Link link{};  // where it is added
  };
  struct Pending {
    netlink::rtnl::Link link;
    int left;  // announcements still to be made
  };
  using Announcing = std::map<netlink::IpAddress, Pending>;

  std::optional<Reconciled> take_result();
  void look(const std::vector<WantedAddress>& wanted, const std::set<netlink::IpAddress>& idle);
  void do_some_steps();
  std::size_t do_group(std::size_t most);
  void done(const Step& step, const netlink::Result<void>& outcome);
  void do_some_announcements();
  std::vector<std::string> announce_present(const std::function<bool(const netlink::rtnl::Link& link)>& chosen);
  void announce(const netlink::rtnl::Link& link, const netlink::IpAddress& address);
  void forget_announcing(const netlink::rtnl::InterfaceAddress& entry);

  netlink::rtnl::Rtnl& rtnl_;
  netlink::rtnl::Announcer& announcer_;
  VirtualLinks virtual_links_;
  std::vector<WantedAddress> wanted_;  // at the last look
  bool in_order_ = false;              // found then, but for what is left over
  std::deque<Step> steps_;             // still to be done
  PieceSize piece_;
  std::optional<Reconciled> result_;  // of the steps up to now; none: told already
  HeldAddresses held_;
  std::set<netlink::IpAddress> leftover_;
  Announcing announcing_;
  Announcing::iterator next_announced_ = announcing_.end();  // of this second's
};

/// Tells what was done as events, and logs problems that are other ones than `problems`, which become these.
void tell(const Reconciled& result, const std::function<void(std::string name, std::string detail)>& on_event,
          std::vector<std::string>& problems);

/// Takes off every address that is ours; goes on after one that cannot be removed.
[[nodiscard]] Reconciled remove_ours(netlink::rtnl::Rtnl& rtnl);

}  // namespace wsl4::addresses
