#include "daemon/discovery/round.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace wsl4::discovery {
namespace {

using std::chrono::seconds;

constexpr Families kBoth{true, true}, kIpv4{true, false}, kIpv6{false, true};
const Source kServices{"_ws._tcp.example", std::nullopt}, kHost{"chat.example", std::uint16_t{8888}};

/// What DNS has; what is not in it has no records, what is an error fails.
using Zone = std::map<Question, Reply>;

Answer addresses(std::initializer_list<const char*> texts, int ttl = 60) {
  Answer answer;
  for (const char* text : texts) answer.addresses.push_back(*netlink::IpAddress::parse(text));
  answer.ttl = seconds(ttl);
  return answer;
}

Answer services(std::vector<SrvRecord> records, int ttl = 60) { return {{}, std::move(records), seconds(ttl)}; }

Reply broken(const char* why = "it broke") { return tl::make_unexpected(std::string(why)); }

struct Outcome {
  Found found;
  Memory memory;
  std::vector<std::vector<Question>> asked;

  [[nodiscard]] std::string backends() const {
    std::string text;
    for (const auto& backend : found.selection.backends) {
      text += fmt::format("{}{}/{}", text.empty() ? "" : " ", backend.address.to_string(), backend.weight);
    }
    return text;
  }
};

Outcome look(const Source& source, Families families, const Zone& zone, Memory last = {}) {
  Outcome outcome;
  Round round(source, families, std::move(last));
  while (!round.questions().empty()) {
    outcome.asked.push_back(round.questions());
    std::vector<Reply> replies;
    for (const auto& question : round.questions()) {
      const auto found = zone.find(question);
      replies.push_back(found == zone.end() ? Reply(Answer{}) : found->second);
    }
    round.take(replies);
  }
  outcome.found = round.found();
  outcome.memory = round.memory();
  return outcome;
}

TEST(DiscoveryRound, AHostIsAskedForTheFamiliesOfTheListenAddresses) {
  const Zone zone{{{"chat.example", RecordType::kA}, addresses({"198.18.0.2", "198.18.0.1"}, 30)},
                  {{"chat.example", RecordType::kAaaa}, addresses({"2001:db8::1"}, 20)}};
  const auto both = look(kHost, kBoth, zone);
  EXPECT_EQ(both.backends(), "198.18.0.1:8888/100 198.18.0.2:8888/100 [2001:db8::1]:8888/100");
  EXPECT_EQ(both.found.ttl, seconds(20));
  EXPECT_EQ(both.found.problem, "");
  EXPECT_EQ(both.found.selection.backends[0].name, "198.18.0.1:8888");

  const auto one = look(kHost, kIpv4, zone);
  EXPECT_EQ(one.backends(), "198.18.0.1:8888/100 198.18.0.2:8888/100");
  EXPECT_EQ(one.found.ttl, seconds(30));
  EXPECT_EQ(one.asked, (std::vector<std::vector<Question>>{{{"chat.example", RecordType::kA}}}));
  EXPECT_EQ(look(kHost, kIpv6, zone).backends(), "[2001:db8::1]:8888/100");
}

TEST(DiscoveryRound, AFamilyWithoutRecordsIsNoProblemAllWithoutIsOne) {
  const Zone zone{{{"chat.example", RecordType::kAaaa}, addresses({"2001:db8::1"})}};
  EXPECT_EQ(look(kHost, kBoth, zone).found.problem, "");
  const auto none = look(kHost, kIpv4, zone);
  EXPECT_EQ(none.backends(), "");
  EXPECT_EQ(none.found.problem, "chat.example has no address");
}

TEST(DiscoveryRound, ServicesSayHostsPortsAndWeights) {
  const Zone zone{{{"_ws._tcp.example", RecordType::kSrv},
                   services({{1, 10, 8888, "a.example"}, {1, 20, 9999, "a.example"}, {1, 0, 80, "b.example"}}, 40)},
                  {{"a.example", RecordType::kA}, addresses({"198.18.0.1"}, 50)},
                  {{"b.example", RecordType::kA}, addresses({"198.18.0.2"}, 45)},
                  {{"b.example", RecordType::kAaaa}, addresses({"2001:db8::2"}, 44)}};
  const auto outcome = look(kServices, kBoth, zone);
  EXPECT_EQ(outcome.backends(), "198.18.0.1:8888/10 198.18.0.1:9999/20 198.18.0.2:80/1 [2001:db8::2]:80/1");
  EXPECT_EQ(outcome.found.ttl, seconds(40));
  EXPECT_EQ(outcome.asked.size(), 2U);
  EXPECT_EQ(outcome.asked[1].size(), 4U) << "each host once per family";
}

TEST(DiscoveryRound, OnlyTheLowestPriorityWithAnAddressIsUsed) {
  Zone zone{{{"_ws._tcp.example", RecordType::kSrv},
             services({{30, 1, 80, "c.example"}, {10, 1, 80, "a.example"}, {20, 1, 80, "b.example"}})},
            {{"a.example", RecordType::kA}, addresses({"198.18.0.1"})},
            {{"b.example", RecordType::kA}, addresses({"198.18.0.2"})},
            {{"c.example", RecordType::kA}, addresses({"198.18.0.3"})}};
  EXPECT_EQ(look(kServices, kIpv4, zone).backends(), "198.18.0.1:80/1");
  zone.erase({"a.example", RecordType::kA});
  EXPECT_EQ(look(kServices, kIpv4, zone).backends(), "198.18.0.2:80/1");
  EXPECT_EQ(look(kServices, kIpv4, zone).found.problem, "");
  zone.erase({"b.example", RecordType::kA});
  const auto last = look(kServices, kIpv4, zone);
  EXPECT_EQ(last.backends(), "198.18.0.3:80/1");
  EXPECT_EQ(last.asked.size(), 4U);
  zone.erase({"c.example", RecordType::kA});
  EXPECT_EQ(look(kServices, kIpv4, zone).found.problem, "_ws._tcp.example has no SRV record that leads to an address");
}

TEST(DiscoveryRound, AFailedLookupDoesNotBringUpTheNextPriority) {
  const Zone zone{{{"_ws._tcp.example", RecordType::kSrv}, services({{10, 1, 80, "a.example"}, {20, 1, 80, "b.example"}})},
                  {{"a.example", RecordType::kA}, broken("no answer")},
                  {{"b.example", RecordType::kA}, addresses({"198.18.0.2"})}};
  const auto outcome = look(kServices, kIpv4, zone);
  EXPECT_EQ(outcome.backends(), "");
  EXPECT_EQ(outcome.found.problem, "A of a.example: no answer");
  EXPECT_EQ(outcome.asked.size(), 2U);
}

TEST(DiscoveryRound, TargetsThatAreNoHostsAreLeftOut) {
  const Zone zone{{{"_ws._tcp.example", RecordType::kSrv},
                   services({{1, 1, 80, ""}, {1, 1, 80, "a?b.example"}, {1, 1, 0, "a.example"}, {2, 1, 80, "a.example"}})},
                  {{"a.example", RecordType::kA}, addresses({"198.18.0.1"})}};
  const auto outcome = look(kServices, kIpv4, zone);
  EXPECT_EQ(outcome.backends(), "198.18.0.1:80/1");
  EXPECT_EQ(outcome.asked.size(), 2U);
}

TEST(DiscoveryRound, NoServicesOrNoAnswer) {
  EXPECT_EQ(look(kServices, kIpv4, {}).found.problem, "_ws._tcp.example has no SRV record that leads to an address");
  const auto failed = look(kServices, kIpv4, {{{"_ws._tcp.example", RecordType::kSrv}, broken()}});
  EXPECT_EQ(failed.found.problem, "SRV of _ws._tcp.example: it broke");
  EXPECT_EQ(failed.asked.size(), 1U);
}

TEST(DiscoveryRound, WhatFailsIsAnsweredFromTheLastRound) {
  Zone zone{{{"_ws._tcp.example", RecordType::kSrv}, services({{1, 1, 80, "a.example"}, {1, 1, 80, "b.example"}})},
            {{"a.example", RecordType::kA}, addresses({"198.18.0.1"})},
            {{"b.example", RecordType::kA}, addresses({"198.18.0.2"})}};
  auto outcome = look(kServices, kIpv4, zone);
  ASSERT_EQ(outcome.backends(), "198.18.0.1:80/1 198.18.0.2:80/1");

  zone[{"a.example", RecordType::kA}] = broken();
  zone[{"b.example", RecordType::kA}] = addresses({"198.18.0.3"});
  for (int times = 0; times < 3; ++times) {
    outcome = look(kServices, kIpv4, zone, outcome.memory);
    EXPECT_EQ(outcome.backends(), "198.18.0.1:80/1 198.18.0.3:80/1");
    EXPECT_EQ(outcome.found.problem, "A of a.example: it broke");
  }
  zone[{"a.example", RecordType::kA}] = Answer{};
  EXPECT_EQ(look(kServices, kIpv4, zone, outcome.memory).backends(), "198.18.0.3:80/1") << "an empty answer is believed";
  EXPECT_EQ(look(kServices, kIpv4, zone, outcome.memory).found.problem, "");
}

TEST(DiscoveryRound, TheMemoryHoldsOnlyWhatTheLastRoundAskedFor) {
  Zone zone{{{"_ws._tcp.example", RecordType::kSrv}, services({{1, 1, 80, "a.example"}})},
            {{"a.example", RecordType::kA}, addresses({"198.18.0.1"})}};
  auto outcome = look(kServices, kIpv4, zone);
  zone[{"_ws._tcp.example", RecordType::kSrv}] = services({{1, 1, 80, "b.example"}});
  outcome = look(kServices, kIpv4, zone, outcome.memory);
  EXPECT_EQ(outcome.memory, (Memory{{{"b.example", RecordType::kA}, Answer{}}}));
}

TEST(DiscoveryRound, TheMemoryOutlivesARoundThatAskedForNoAddresses) {
  Zone zone{{{"_ws._tcp.example", RecordType::kSrv}, services({{1, 1, 80, "a.example"}, {1, 1, 80, "b.example"}})},
            {{"a.example", RecordType::kA}, addresses({"198.18.0.1"})},
            {{"b.example", RecordType::kA}, addresses({"198.18.0.2"})}};
  auto outcome = look(kServices, kIpv4, zone);
  outcome = look(kServices, kIpv4, {{{"_ws._tcp.example", RecordType::kSrv}, broken()}}, outcome.memory);
  zone[{"a.example", RecordType::kA}] = broken();
  EXPECT_EQ(look(kServices, kIpv4, zone, outcome.memory).backends(), "198.18.0.1:80/1 198.18.0.2:80/1");
}

TEST(DiscoveryRound, SoManyRecordsPrioritiesAndAddressesAndNoMore) {
  std::vector<SrvRecord> records;
  for (unsigned i = 0; i < kMaxRecords + 10; ++i) records.push_back({1, 1, static_cast<std::uint16_t>(1000 + i), "a.example"});
  Zone zone{{{"_ws._tcp.example", RecordType::kSrv}, services(records)},
            {{"a.example", RecordType::kA}, addresses({"198.18.0.1"})}};
  EXPECT_EQ(look(kServices, kIpv4, zone).found.selection.backends.size(), kMaxBackends);
  EXPECT_EQ(look(kServices, kIpv4, zone).found.selection.cut, 10U);

  Answer many;
  for (int i = 0; i < 100; ++i) many.addresses.push_back(*netlink::IpAddress::parse(fmt::format("198.18.1.{}", i)));
  many.ttl = seconds(60);
  zone[{"a.example", RecordType::kA}] = many;
  const auto most = look(kServices, kIpv4, zone);
  EXPECT_EQ(most.found.selection.backends.size(), kMaxBackends);
  EXPECT_EQ(most.found.selection.cut, kMaxRecords * 100 + 10 - kMaxBackends);

  records.clear();
  for (std::uint16_t i = 0; i < kMaxPriorities + 5; ++i) records.push_back({i, 1, 80, fmt::format("h{}.example", i)});
  zone[{"_ws._tcp.example", RecordType::kSrv}] = services(records);
  EXPECT_EQ(look(kServices, kIpv4, zone).asked.size(), 1 + kMaxPriorities);
}

}  // namespace
}  // namespace wsl4::discovery
