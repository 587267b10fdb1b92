// The machine as `check` sees it, in network namespaces of our own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "daemon/host/check.h"
#include "netlink/handle.h"
#include "tests/support/desired_states.h"
#include "tests/support/namespace.h"

namespace wsl4::host {
namespace {

using netlink::nft::BaseChain;
using netlink::nft::Hook;
using testing::AllOf;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

config::Config small_config() {
  config::Config config;
  config::Service service;
  service.name = "chat";
  service.listen = {test::endpoint("198.18.0.10:443")};
  service.mode = config::Mode::kDnat;
  config.services = {service};
  return config;
}

netlink::Fd listening_socket(const netlink::Endpoint& endpoint) {
  const int family = netlink::to_af(endpoint.address.family());
  netlink::Fd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage address{};
  address.ss_family = static_cast<sa_family_t>(family);
  const auto bytes = endpoint.address.bytes();
  void* const place = family == AF_INET ? static_cast<void*>(&reinterpret_cast<sockaddr_in&>(address).sin_addr)
                                        : &reinterpret_cast<sockaddr_in6&>(address).sin6_addr;
  std::memcpy(place, bytes.data(), bytes.size());
  reinterpret_cast<sockaddr_in&>(address).sin_port = htons(endpoint.port);  // both have it in the same place
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(socket.get(), 1) != 0)
    throw std::runtime_error("cannot listen on " + endpoint.to_string());
  return socket;
}

auto speaks_of(const std::string& what, const std::string& remedy) {
  return Contains(AllOf(Field(&Finding::what, HasSubstr(what)), Field(&Finding::remedy, HasSubstr(remedy))));
}

class HostCheck : public testing::Test {
 protected:
  std::vector<Finding> findings() {
    return machine_.run([] {
      const auto sysctls = kernel_sysctls();
      return check_host(small_config(), *sysctls);
    });
  }

  const test::Namespace machine_{"host"};
};

TEST_F(HostCheck, BaseChainsOfAllTablesAreSeen) {
  machine_.must("nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'");
  machine_.must(
      "nft 'add table inet other; add chain inet other plain; add chain inet other in { type filter hook input priority -5; }'");
  machine_.must("nft 'add table bridge b; add chain bridge b f { type filter hook forward priority 0; policy drop; }'");
  const auto chains = machine_.run([] { return netlink::nft::read_base_chains(); });
  ASSERT_TRUE(chains) << chains.error().message();
  EXPECT_THAT(*chains, testing::UnorderedElementsAre(BaseChain{"ip", "filter", "FORWARD", Hook::Point::kForward, 0, true, false},
                                                     BaseChain{"inet", "other", "in", Hook::Point::kInput, -5, false, false}));
}

TEST_F(HostCheck, AChainThatAcceptsTranslatedFlowsIsKnown) {
  machine_.must("nft 'add table inet fw; add chain inet fw foreign { type filter hook forward priority 0; policy drop; }'");
  const auto accepts = [&](const std::string& rule) {
    machine_.must("nft 'flush chain inet fw foreign; add rule inet fw foreign counter; add rule inet fw foreign " + rule + "'");
    return machine_.run([] { return netlink::nft::read_base_chains(); }).value().at(0).accepts_translated;
  };
  EXPECT_TRUE(accepts("ct status dnat accept"));
  EXPECT_TRUE(accepts("ct status snat,dnat counter accept"));
  EXPECT_FALSE(accepts("ct status dnat drop"));
  EXPECT_FALSE(accepts("ct status snat accept"));
  EXPECT_FALSE(accepts("ct state established accept"));
  EXPECT_FALSE(accepts("iifname \"eth0\" ct status dnat accept"));
}

TEST_F(HostCheck, EveryFindingGoesWithItsRemedy) {
  machine_.must("ip link add eth7 type veth peer name eth8 && ip link set eth7 up && ip link set eth8 up");
  machine_.must("sysctl -w net.ipv4.conf.eth7.rp_filter=1 net.ipv4.ip_forward=0");
  machine_.must("nft 'add table inet fw; add chain inet fw foreign { type filter hook forward priority 0; policy drop; }'");
  const auto before = findings();
  EXPECT_THAT(before, speaks_of("strict reverse path filter on eth7", "sysctl"));
  EXPECT_THAT(before, speaks_of("net/ipv4/ip_forward", "sysctl"));
  EXPECT_THAT(before, speaks_of("prefix that covers 198.18.0.10", "interface"));
  EXPECT_THAT(before, speaks_of("chain inet fw foreign", "nft insert rule"));

  for (const auto& finding : before)
    if (finding.remedy.starts_with("sysctl -w") || finding.remedy.starts_with("nft ")) machine_.must(finding.remedy);
  machine_.must("ip address add 198.18.0.1/24 dev eth7");
  const auto after = findings();
  EXPECT_THAT(after, Not(speaks_of("strict reverse path", "")));
  EXPECT_THAT(after, Not(speaks_of("net/ipv4/ip_forward", "")));
  EXPECT_THAT(after, Not(speaks_of("no interface", "")));
  EXPECT_THAT(after, Not(speaks_of("chain inet fw foreign", "")));
}

TEST_F(HostCheck, AProgramThatServesTheVipIsSeen) {
  machine_.must("ip address add 198.18.0.10/32 dev lo && ip address add 2001:db8::10/128 dev lo nodad");
  for (const std::string vip : {"198.18.0.10:443", "[2001:db8::10]:443"}) {
    auto config = small_config();
    config.services[0].listen = {test::endpoint(vip)};
    const auto look = [&] {
      return machine_.run([&] {
        const auto sysctls = kernel_sysctls();
        return check_host(config, *sysctls);
      });
    };
    EXPECT_THAT(look(), Not(speaks_of("a program on this machine", "")));
    const auto server = machine_.run([&] { return listening_socket(test::endpoint(vip)); });
    EXPECT_THAT(look(), speaks_of("listens on " + vip + " and has 0 connections", "ss -tnap"));
  }
}

TEST_F(HostCheck, TheDaemonSetsWhatItNeedsAndKnowsTheOldValues) {
  machine_.must("sysctl -w net.ipv4.ip_forward=0 net.netfilter.nf_conntrack_tcp_loose=1");
  const auto wanted = wanted_sysctls(small_config());
  const auto changes = machine_.run([&] {
    const auto sysctls = kernel_sysctls();
    return apply_sysctls(*sysctls, wanted);
  });
  EXPECT_THAT(changes.failures, IsEmpty());
  EXPECT_EQ(changes.old_values.at("net/ipv4/ip_forward"), "0");
  EXPECT_EQ(changes.old_values.at("net/netfilter/nf_conntrack_tcp_loose"), "1");
  EXPECT_EQ(machine_.must("sysctl -n net.ipv4.ip_forward net.netfilter.nf_conntrack_tcp_loose"), "1\n0\n");
}

TEST_F(HostCheck, WithoutRightsSomeOfItIsLeftOutAndThatIsSaid) {
  const auto found = machine_.run([] {
    // This thread only: libc's wrappers would change the rights of all.
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2]{};
    if (syscall(SYS_capset, &header, none) != 0) throw std::runtime_error("capset failed");
    const auto sysctls = kernel_sysctls();
    return check_host(small_config(), *sysctls);
  });
  EXPECT_THAT(found, speaks_of("foreign nftables chains cannot be looked at", "as root"));
}

}  // namespace
}  // namespace wsl4::host
