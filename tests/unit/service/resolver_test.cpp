#include "daemon/service/resolver.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/support/desired_states.h"

namespace wsl4::service {
namespace {

using test::endpoint;

config::Backend backend(const std::string& name, const std::string& address, int weight = 100) {
  config::Backend made;
  made.name = name;
  made.address = endpoint(address);
  made.weight = weight;
  return made;
}

config::Config one_service(std::vector<config::Backend> backends) {
  config::Config config;
  config.pools.push_back({"main", {*netlink::IpAddress::parse("198.18.2.101")}, 1, 65535, ""});
  config::Service service;
  service.name = "chat";
  service.listen = {endpoint("198.18.1.100:443")};
  service.pool = "main";
  service.backends = std::move(backends);
  config.services.push_back(std::move(service));
  return config;
}

/// All services of the configuration, and those that have gone since the last time.
tl::expected<std::map<std::string, ServiceState>, std::string> resolve(Resolver& resolver, const config::Config& config,
                                                                       const std::vector<std::string>& gone = {}) {
  std::vector<const config::Service*> services;
  for (const auto& service : config.services) services.push_back(&service);
  auto resolution = resolver.resolve(services, gone);
  if (!resolution) return tl::make_unexpected(resolution.error());
  auto states = resolution->services;
  resolver.accept(*std::move(resolution));
  return states;
}

const auto kNobody = [](BackendId) { return false; };

TEST(Resolver, NumbersAreKeptOverReloadsAndRenames) {
  Resolver resolver(MarkLayout{});
  const auto first = resolve(resolver, one_service({backend("a", "198.18.2.11:80"), backend("b", "198.18.2.12:80")}));
  ASSERT_TRUE(first);
  const auto second = resolve(resolver, one_service({backend("b", "198.18.2.12:80", 7), backend("renamed", "198.18.2.11:80")}));
  ASSERT_TRUE(second);
  const auto& before = first->at("chat").backends;
  const auto& after = second->at("chat").backends;
  ASSERT_EQ(after.size(), 2U);
  EXPECT_EQ(after[0].id, before[1].id);
  EXPECT_EQ(after[0].share_weight, 7);
  EXPECT_EQ(after[1].id, before[0].id);
  EXPECT_EQ(after[1].name, "renamed");
  EXPECT_NE(before[0].id, before[1].id);
}

TEST(Resolver, ABackendThatLeavesDrainsUntilItsFlowsHaveEnded) {
  Resolver resolver(MarkLayout{});
  const auto both = resolve(resolver, one_service({backend("a", "198.18.2.11:80"), backend("b", "198.18.2.12:80")}));
  const auto left_id = both->at("chat").backends[1].id;
  const auto only_a = one_service({backend("a", "198.18.2.11:80")});

  const auto draining = resolve(resolver, only_a);
  ASSERT_EQ(draining->at("chat").backends.size(), 2U);
  EXPECT_EQ(draining->at("chat").backends[1], (BackendState{"b", endpoint("198.18.2.12:80"), left_id, 0, 0}));
  EXPECT_TRUE(resolver.is_draining("chat", endpoint("198.18.2.12:80")));

  EXPECT_TRUE(resolver.forget_drained([](BackendId) { return true; }, 10).empty());
  EXPECT_TRUE(resolver.forget_drained(kNobody, 10).empty());  // half-open flows may not have been seen yet
  EXPECT_TRUE(resolver.forget_drained(kNobody, 11).empty());
  EXPECT_EQ(resolver.forget_drained(kNobody, 12), std::set<std::string>{"chat"});
  EXPECT_EQ(resolve(resolver, only_a)->at("chat").backends.size(), 1U);
}

TEST(Resolver, ABackendThatComesBackWhileDrainingIsTheSame) {
  Resolver resolver(MarkLayout{});
  const auto with = one_service({backend("a", "198.18.2.11:80"), backend("b", "198.18.2.12:80")});
  const auto first = resolve(resolver, with);
  ASSERT_TRUE(resolve(resolver, one_service({backend("a", "198.18.2.11:80")})));
  const auto again = resolve(resolver, with);
  EXPECT_EQ(first, again);
}

TEST(Resolver, WhatTheKernelKnewIsAdopted) {
  Resolver resolver(MarkLayout{});
  resolver.adopt({{"chat", {"a", endpoint("198.18.2.11:80"), 41, 0, 0}}, {"chat", {"gone", endpoint("198.18.2.19:80"), 42, 0, 0}}},
                 {41, 42, 43});
  const auto state = resolve(resolver, one_service({backend("a", "198.18.2.11:80"), backend("new", "198.18.2.12:80")}));
  const auto& backends = state->at("chat").backends;
  ASSERT_EQ(backends.size(), 3U);
  EXPECT_EQ(backends[0].id, 41U);
  EXPECT_NE(backends[1].id, 43U) << "a number that flows of an unknown backend bear";
  EXPECT_EQ(backends[2].name, "gone");
  EXPECT_EQ(backends[2].id, 42U);
  EXPECT_EQ(backends[2].share_weight, 0);
}

TEST(Resolver, NumbersOfARemovedServiceRestUntilItsFlowsHaveEnded) {
  Resolver resolver(MarkLayout(0x00000700));  // numbers 1 to 3
  ASSERT_TRUE(resolve(resolver, one_service({backend("a", "198.18.2.11:80"), backend("b", "198.18.2.12:80")})));
  auto other = one_service({backend("c", "198.18.2.13:80")});
  other.services[0].name = "other";
  const auto third = resolve(resolver, other, {"chat"});
  ASSERT_TRUE(third);
  EXPECT_EQ(third->at("other").backends[0].id, 3U);

  other.services[0].backends.push_back(backend("d", "198.18.2.14:80"));
  EXPECT_FALSE(resolve(resolver, other)) << "1 and 2 may still be borne by flows";
  resolver.forget_drained(kNobody, 5);
  resolver.forget_drained(kNobody, 7);
  const auto reused = resolve(resolver, other);
  ASSERT_TRUE(reused);
  EXPECT_EQ(reused->at("other").backends[1].id, 1U);
}

TEST(Resolver, ThePeersBackendsHaveANumberWhileTheirFlowsLast) {
  Resolver resolver(MarkLayout(0x00000700));  // numbers 1 to 3
  const auto config = one_service({backend("a", "198.18.2.11:80")});
  ASSERT_TRUE(resolve(resolver, config));
  EXPECT_EQ(resolver.learn("chat", endpoint("198.18.2.11:80")), 1U) << "known already";
  EXPECT_EQ(resolver.learn("chat", endpoint("198.18.2.12:80")), 2U);
  const auto gone = gone_service(netlink::Protocol::kTcp);
  EXPECT_EQ(resolver.learn(gone, endpoint("198.18.2.11:80")), 3U) << "of no service";
  EXPECT_EQ(resolver.learn(gone, endpoint("198.18.2.11:80")), 3U);
  EXPECT_TRUE(resolver.is_draining(gone, endpoint("198.18.2.11:80")));
  EXPECT_FALSE(resolver.learn(gone_service(netlink::Protocol::kUdp), endpoint("198.18.2.11:80"))) << "no number is left";
  resolver.forget_drained(kNobody, 5);
  EXPECT_EQ(resolver.forget_drained(kNobody, 7), (std::set<std::string>{"chat", gone}));
  EXPECT_FALSE(resolver.is_draining(gone, endpoint("198.18.2.11:80")));
}

TEST(Resolver, ARefusedChangeLeavesWhatIsKnown) {
  Resolver resolver(MarkLayout(0x00000300));  // number 1 only
  const auto one = one_service({backend("a", "198.18.2.11:80")});
  const auto before = resolve(resolver, one);
  EXPECT_FALSE(resolve(resolver, one_service({backend("a", "198.18.2.11:80"), backend("b", "198.18.2.12:80")})));
  EXPECT_EQ(resolve(resolver, one), before);
}

TEST(MarkLayout, CutsTheMaskIntoNumberAndClosingBit) {
  const MarkLayout mark(0x00ffff00);
  EXPECT_EQ(mark.closing_bit(), 0x00800000U);
  EXPECT_EQ(mark.backend_mask(), 0x007fff00U);
  EXPECT_EQ(mark.max_id(), 0x7fffU);
  EXPECT_EQ(mark.to_mark(5), 0x500U);
  EXPECT_EQ(mark.to_id(0xff8005ff), 5U);
  EXPECT_TRUE(mark.is_closing(0x00800500));
  EXPECT_FALSE(mark.is_closing(0xff000500));
  EXPECT_EQ(MarkLayout(0xffffffff).max_id(), 0x7fffffffU);
}

}  // namespace
}  // namespace wsl4::service
