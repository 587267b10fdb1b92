// Links, addresses and neighbours in memory; tests/integration/rtnl_fake_test.cpp compares it with the kernel. And an announcer
// and a probe that remember.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "netlink/rtnl/conflict_probe.h"

namespace wsl4::test {

class FakeRtnl final : public netlink::rtnl::Rtnl {
 public:
  using Link = netlink::rtnl::Link;
  using InterfaceAddress = netlink::rtnl::InterfaceAddress;

  /// A card that is up and has carrier; returns its index.
  int add_link(const std::string& name);
  [[nodiscard]] Link& link(int index);  // to change it
  void add_neighbour(netlink::rtnl::Neighbour neighbour) { neighbours_.push_back(std::move(neighbour)); }
  /// The next call of any kind fails with this.
  void fail_next(netlink::Error error) { next_error_ = std::move(error); }

  /// Adding and removing these addresses fails, with this errno.
  std::map<netlink::IpAddress, int> refused;

  netlink::Result<std::vector<Link>> links() override;
  netlink::Result<std::vector<InterfaceAddress>> addresses() override;
  bool changed() override { return std::exchange(changed_, false); }
  netlink::Result<std::vector<netlink::rtnl::Neighbour>> neighbours() override;
  std::vector<netlink::Result<void>> add_addresses(std::span<const InterfaceAddress> addresses) override;
  std::vector<netlink::Result<void>> remove_addresses(std::span<const InterfaceAddress> addresses) override;
  netlink::Result<void> add_macvlan(const netlink::rtnl::NewMacvlan& link) override;
  netlink::Result<void> remove_link(int index) override;
  netlink::Result<void> set_link(int index, bool up) override;
  netlink::Result<bool> knows_macvlan() override { return true; }

 private:
  netlink::Result<void> add(const InterfaceAddress& address);
  netlink::Result<void> remove(const InterfaceAddress& address);
  std::optional<netlink::Error> take_error() { return std::exchange(next_error_, std::nullopt); }
  /// An address of that value, link and (IPv4) prefix length: what the kernel takes for the same one.
  std::vector<InterfaceAddress>::iterator find(const InterfaceAddress& address);

  std::vector<Link> links_;
  std::map<int, int> parents_;  // of macvlans
  int last_index_ = 0;
  std::vector<InterfaceAddress> addresses_;
  std::vector<netlink::rtnl::Neighbour> neighbours_;
  std::optional<netlink::Error> next_error_;
  bool changed_ = true;
};

class FakeAnnouncer final : public netlink::rtnl::Announcer {
 public:
  struct Announcement {
    int link_index = 0;
    netlink::IpAddress address;
    friend bool operator==(const Announcement&, const Announcement&) = default;
  };
  netlink::Result<void> announce(const netlink::rtnl::Link& link, const netlink::IpAddress& address) override;
  std::vector<Announcement> announced;
};

/// The hosts of a link, as far as they hold addresses: what is asked for is answered, and what they say by themselves is heard.
struct OtherHosts {
  std::map<netlink::IpAddress, netlink::rtnl::Mac> holders;
  std::vector<netlink::IpAddress> asked;
  std::vector<netlink::rtnl::Holder> unasked;
  int listeners = 0;
};

class FakeConflictProbe final : public netlink::rtnl::ConflictProbe {
 public:
  explicit FakeConflictProbe(OtherHosts& hosts) : hosts_(hosts) { ++hosts_.listeners; }
  ~FakeConflictProbe() override { --hosts_.listeners; }
  netlink::Result<void> ask(const netlink::rtnl::Link& link, const netlink::IpAddress& address) override;
  std::vector<netlink::rtnl::Holder> heard() override;

 private:
  OtherHosts& hosts_;
  std::vector<netlink::rtnl::Holder> answers_;
};

}  // namespace wsl4::test
