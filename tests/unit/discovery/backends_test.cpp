#include "daemon/discovery/backends.h"

#include <algorithm>
#include <random>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace wsl4::discovery {
namespace {

netlink::Endpoint at(const std::string& text) { return *netlink::Endpoint::parse(text); }

std::vector<Backend> select(std::vector<Candidate> candidates) { return select_backends(std::move(candidates)).backends; }

TEST(DiscoveryBackends, AreSortedByAddressAndNamedByTheirHost) {
  const auto backends = select({{at("[2001:db8::1]:80"), 3, "c.example"},
                                {at("198.18.0.10:80"), 1, "a.example"},
                                {at("198.18.0.9:81"), 2, "b.example"},
                                {at("198.18.0.9:80"), 4, "d.example"}});
  EXPECT_EQ(backends, (std::vector<Backend>{{at("198.18.0.9:80"), 4, "d.example"},
                                            {at("198.18.0.9:81"), 2, "b.example"},
                                            {at("198.18.0.10:80"), 1, "a.example"},
                                            {at("[2001:db8::1]:80"), 3, "c.example"}}));
}

TEST(DiscoveryBackends, HostsWithSeveralAddressesOrLongNamesDoNotNameThem) {
  const std::string longest(kMaxName, 'a'), longer(kMaxName + 1, 'a');
  const auto backends = select({{at("198.18.0.1:80"), 1, "a.example"},
                                {at("198.18.0.2:80"), 1, "a.example"},
                                {at("198.18.0.3:80"), 1, longest},
                                {at("198.18.0.4:80"), 1, longer},
                                {at("198.18.0.5:80"), 1, ""}});
  std::vector<std::string> names;
  for (const auto& backend : backends) names.push_back(backend.name);
  EXPECT_EQ(names, (std::vector<std::string>{"198.18.0.1:80", "198.18.0.2:80", longest, "198.18.0.4:80", "198.18.0.5:80"}));
}

TEST(DiscoveryBackends, TheSameAddressTwiceIsOneBackendOfTheLargerWeight) {
  EXPECT_EQ(select({{at("198.18.0.1:80"), 5, "a"}, {at("198.18.0.1:80"), 9, "b"}, {at("198.18.0.1:80"), 9, "c"}}),
            (std::vector<Backend>{{at("198.18.0.1:80"), 9, "b"}}));
}

TEST(DiscoveryBackends, WhatCannotBeForwardedToIsLeftOut) {
  netlink::Endpoint no_port = at("198.18.0.1:80");
  no_port.port = 0;
  EXPECT_EQ(select_backends({{at("127.0.0.1:80"), 1, ""},
                             {at("0.0.0.0:80"), 1, ""},
                             {at("255.255.255.255:80"), 1, ""},
                             {at("224.0.0.18:80"), 1, ""},
                             {at("[::1]:80"), 1, ""},
                             {at("[::]:80"), 1, ""},
                             {at("[fe80::1]:80"), 1, ""},
                             {no_port, 1, ""}}),
            Selection{});
}

TEST(DiscoveryBackends, WeightsOfZeroAreOneAndLargeOnesAreScaled) {
  const auto weights = [](std::vector<unsigned> given) {
    std::vector<Candidate> candidates;
    for (const auto weight : given) {
      candidates.push_back({at(fmt::format("198.18.0.{}:80", candidates.size() + 1)), weight, ""});
    }
    std::vector<int> result;
    for (const auto& backend : select(candidates)) result.push_back(backend.weight);
    return result;
  };
  EXPECT_EQ(weights({0}), (std::vector{1}));
  EXPECT_EQ(weights({0, 0, 7}), (std::vector{1, 1, 7}));
  EXPECT_EQ(weights({1, 1000}), (std::vector{1, 1000}));
  EXPECT_EQ(weights({2000, 1000, 1, 0, 501}), (std::vector{1000, 500, 1, 1, 251}));
  EXPECT_EQ(weights({65535, 65534, 1, 0}), (std::vector{1000, 1000, 1, 1}));
}

TEST(DiscoveryBackends, BeyondTheLimitTheHighestAddressesAreCut) {
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < kMaxBackends + 3; ++i) {
    candidates.push_back({at(fmt::format("198.18.{}.{}:80", i / 250, 1 + i % 250)), i < kMaxBackends ? 1U : 65535U, ""});
  }
  const auto in_order = select_backends(candidates);
  EXPECT_EQ(in_order.backends.size(), kMaxBackends);
  EXPECT_EQ(in_order.cut, 3U);
  EXPECT_EQ(in_order.backends.back().address, candidates[kMaxBackends - 1].address);
  EXPECT_EQ(in_order.backends.back().weight, 1) << "what was cut does not scale the others";
}

TEST(DiscoveryBackends, TheOrderOfRecordsDoesNotMatter) {
  const std::uint32_t seed = 42;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    std::vector<Candidate> candidates(random() % 40);
    for (auto& candidate : candidates) {
      candidate = {at(fmt::format("198.18.0.{}:{}", 1 + random() % 9, 80 + random() % 3)), static_cast<unsigned>(random() % 3000),
                   fmt::format("h{}.example", random() % 12)};
    }
    const auto selection = select_backends(candidates);
    std::shuffle(candidates.begin(), candidates.end(), random);
    EXPECT_EQ(select_backends(candidates), selection);
    std::set<std::string> names;
    for (const auto& backend : selection.backends) {
      names.insert(backend.name);
      EXPECT_GE(backend.weight, 1);
      EXPECT_LE(backend.weight, kMaxWeight);
    }
    EXPECT_EQ(names.size(), selection.backends.size());
  }
}

}  // namespace
}  // namespace wsl4::discovery
