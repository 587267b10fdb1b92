// The same calls on the kernel's connection tracking and on the fake: both must answer alike.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <set>

#include "tests/support/fake_conntrack.h"
#include "tests/support/namespace.h"

namespace wsl4::netlink::conntrack {
namespace {

/// A table of connection tracking and what keeps it alive.
struct Table {
  std::unique_ptr<test::Namespace> space;
  std::unique_ptr<Conntrack> conntrack;
  /// Runs in the namespace where there is one.
  template <class Use>
  void use(Use&& run) {
    if (space) {
      space->run([&] { run(*conntrack); });
    } else {
      run(*conntrack);
    }
  }
};

Table kernel_table() {
  Table table;
  table.space = std::make_unique<test::Namespace>("fake");
  // Flows are translated only where nat chains are.
  table.space->must(
      "nft 'table inet n { chain p { type nat hook prerouting priority dstnat; }; "
      "chain q { type nat hook postrouting priority srcnat; }; }'");
  table.conntrack = table.space->run([] { return KernelConntrack::open(); }).value();
  return table;
}

Table fake_table() {
  Table table;
  table.conntrack = std::make_unique<test::FakeConntrack>();
  return table;
}

struct Maker {
  const char* name;
  Table (*make)();
};

class AnyConntrack : public testing::TestWithParam<Maker> {};
INSTANTIATE_TEST_SUITE_P(Both, AnyConntrack, testing::Values(Maker{"kernel", kernel_table}, Maker{"fake", fake_table}),
                         [](const auto& instance) { return instance.param.name; });

constexpr std::uint32_t kMark = 0x4200;

Flow flow(const char* client, const char* vip, const char* backend, const char* snat, Protocol protocol = Protocol::kTcp) {
  Flow flow;
  flow.original = {*Endpoint::parse(client), *Endpoint::parse(vip), protocol};
  flow.reply = {*Endpoint::parse(backend), *Endpoint::parse(snat), protocol};
  flow.mark = kMark;
  flow.timeout = std::chrono::seconds{600};
  if (protocol == Protocol::kTcp) {
    flow.tcp_state = TcpState::kEstablished;
    flow.wscale_original = 7;
    flow.wscale_reply = 9;
    flow.tcp_flags_original = 0x23;
    flow.tcp_flags_reply = 0x33;
  }
  return flow;
}

std::vector<Flow> sample() {
  auto flows = std::vector{flow("198.18.1.10:40000", "198.18.1.100:80", "198.18.2.11:8080", "198.18.2.101:40000"),
                           flow("198.18.1.10:40001", "198.18.1.100:80", "198.18.2.11:8080", "198.18.2.101:7"),
                           flow("198.18.1.10:40002", "198.18.1.100:80", "198.18.2.11:8080", "198.18.1.10:40002"),  // mode dnat
                           flow("198.18.1.10:40003", "198.18.1.100:53", "198.18.2.11:5353", "198.18.2.101:40003", Protocol::kUdp),
                           flow("[2001:db8:1::10]:40000", "[2001:db8:1::100]:80", "[2001:db8:2::11]:8080", "[2001:db8:2::101]:1")};
  flows[1].tcp_state = TcpState::kFinWait;
  flows[4].mark = 0x4300;
  return flows;
}

/// Many flows, more than one batch.
std::vector<Flow> many(std::size_t count) {
  std::vector<Flow> flows(count, sample()[0]);
  for (std::size_t i = 0; i < count; ++i) {
    flows[i].original.source.port = flows[i].reply.destination.port = static_cast<std::uint16_t>(1000 + i);
  }
  return flows;
}

std::vector<Flow> dump(Conntrack& conntrack, MarkFilter filter = {}) {
  std::vector<Flow> flows;
  auto dump = conntrack.dump(filter).value();
  while (dump->step([&](const Flow& flow) { flows.push_back(flow); }).value()) {}
  return flows;
}

/// Without what differs by nature: ids, and timeouts, which run in the kernel.
std::vector<Flow> comparable(std::vector<Flow> flows) {
  for (Flow& flow : flows) {
    EXPECT_NE(flow.id, 0U);
    EXPECT_LE(flow.timeout.count(), 600);
    EXPECT_GT(flow.timeout.count(), 500);
    flow.id = 0;
    flow.timeout = {};
  }
  std::ranges::sort(flows, {}, [](const Flow& flow) { return std::pair(flow.original.source, flow.original.destination); });
  return flows;
}

TEST_P(AnyConntrack, InsertedFlowsAreThereAsGiven) {
  GetParam().make().use([](Conntrack& conntrack) {
    const auto flows = sample();
    const auto outcomes = conntrack.insert(flows);
    ASSERT_TRUE(outcomes) << outcomes.error().message();
    EXPECT_THAT(*outcomes, testing::ElementsAreArray(std::vector(flows.size(), 0)));
    const auto found = comparable(dump(conntrack));
    ASSERT_EQ(found.size(), flows.size());
    for (const Flow& wanted : flows) {
      const auto place = std::ranges::find(found, wanted.original, &Flow::original);
      ASSERT_NE(place, found.end());
      EXPECT_EQ(place->reply, wanted.reply);
      EXPECT_EQ(place->mark, wanted.mark);
      EXPECT_EQ(place->tcp_state, wanted.tcp_state);
      EXPECT_EQ(place->wscale_original, wanted.wscale_original);
      const bool source_nat = wanted.reply.destination != wanted.original.source;
      EXPECT_EQ((place->status & status::kSourceNat) != 0, source_nat);
      EXPECT_NE(place->status & status::kDestinationNat, 0U);
    }
  });
}

TEST(FakeConntrack, ShowsInsertedFlowsExactlyAsTheKernelDoes) {
  std::vector<std::vector<Flow>> shown;
  for (const auto& make : {kernel_table, fake_table}) {
    make().use([&](Conntrack& conntrack) {
      ASSERT_TRUE(conntrack.insert(sample()));
      shown.push_back(comparable(dump(conntrack)));
    });
  }
  ASSERT_EQ(shown.size(), 2U);
  EXPECT_EQ(shown[0], shown[1]);
}

TEST_P(AnyConntrack, WhatExistsIsToldOneByOne) {
  GetParam().make().use([](Conntrack& conntrack) {
    const auto flows = many(300);
    ASSERT_TRUE(conntrack.insert(std::span(flows).subspan(0, 150)));
    const auto outcomes = conntrack.insert(flows).value();
    ASSERT_EQ(outcomes.size(), flows.size());
    for (std::size_t i = 0; i < outcomes.size(); ++i) { EXPECT_EQ(outcomes[i], i < 150 ? EEXIST : 0) << i; }
    EXPECT_EQ(dump(conntrack).size(), 300U);
  });
}

TEST_P(AnyConntrack, ATranslatedTupleThatIsTakenIsRefused) {
  GetParam().make().use([](Conntrack& conntrack) {
    std::vector<Flow> flows{sample()[0], sample()[0]};
    flows[1].original.source = *Endpoint::parse("198.18.1.99:5");  // another client, the same SNAT address and port
    EXPECT_THAT(conntrack.insert(flows).value(), testing::ElementsAre(0, EEXIST));
  });
}

TEST_P(AnyConntrack, ErasingByReplyTakesWhoeverHoldsTheTuple) {
  GetParam().make().use([](Conntrack& conntrack) {
    ASSERT_TRUE(conntrack.insert(sample()));
    auto flows = sample();
    flows.resize(2);
    flows[0].original.source = *Endpoint::parse("198.18.1.99:5");    // another client with the same SNAT address and port
    flows[1].reply.destination = *Endpoint::parse("198.18.2.99:7");  // a tuple that nobody has
    EXPECT_EQ(conntrack.erase_by_reply(flows).value(), 1U);
    const auto left = dump(conntrack);
    EXPECT_EQ(left.size(), 4U);
    EXPECT_EQ(std::ranges::count(left, sample()[0].original, &Flow::original), 0);
  });
}

TEST_P(AnyConntrack, TimeoutsAreSetOfEntriesThatAreThere) {
  GetParam().make().use([](Conntrack& conntrack) {
    const auto flows = many(300);
    ASSERT_TRUE(conntrack.insert(std::span(flows).subspan(0, 299)));
    auto longer = flows;
    for (Flow& flow : longer) flow.timeout = std::chrono::seconds{2'147'483};
    const auto outcomes = conntrack.set_timeouts(longer).value();
    ASSERT_EQ(outcomes.size(), 300U);
    for (std::size_t i = 0; i < outcomes.size(); ++i) EXPECT_EQ(outcomes[i], i < 299 ? 0 : ENOENT) << i;
    const auto found = dump(conntrack);
    EXPECT_EQ(found.size(), 299U);
    for (const Flow& flow : found) {
      EXPECT_GT(flow.timeout.count(), 2'147'000);
      EXPECT_EQ(flow.mark, flows[0].mark);
      EXPECT_EQ(flow.tcp_state, TcpState::kEstablished);
      EXPECT_EQ(flow.reply.destination.address, flows[0].reply.destination.address);
    }
  });
}

TEST_P(AnyConntrack, WhatHasClosedIsSetSo) {
  GetParam().make().use([](Conntrack& conntrack) {
    const auto flows = sample();
    ASSERT_TRUE(conntrack.insert(flows));
    auto closed = flows;
    for (Flow& flow : closed) flow.timeout = std::chrono::seconds{100};
    closed.push_back(many(1)[0]);
    auto outcomes = std::vector<int>(flows.size(), 0);
    outcomes.push_back(ENOENT);
    EXPECT_EQ(conntrack.set_closed(closed, 0x40000000).value(), outcomes);
    for (const Flow& flow : dump(conntrack)) {
      const auto before = std::ranges::find(flows, flow.original, &Flow::original);
      EXPECT_LE(flow.timeout, std::chrono::seconds{100});
      EXPECT_EQ(flow.mark, before->mark | 0x40000000U);
      EXPECT_EQ(flow.tcp_state, flow.original.protocol == Protocol::kTcp ? TcpState::kTimeWait : TcpState::kNone);
      EXPECT_EQ(flow.wscale_original, before->wscale_original);
      EXPECT_EQ(flow.wscale_reply, before->wscale_reply);
    }
  });
}

TEST_P(AnyConntrack, MarksAreSetWithinTheMask) {
  GetParam().make().use([](Conntrack& conntrack) {
    auto flows = many(300);
    ASSERT_TRUE(conntrack.insert(std::span(flows).subspan(0, 299)));
    const auto before = flows[0].mark;
    for (Flow& flow : flows) flow.mark = 0x12345678;
    const auto outcomes = conntrack.set_marks(flows, 0x00ffff00).value();
    ASSERT_EQ(outcomes.size(), 300U);
    for (std::size_t i = 0; i < outcomes.size(); ++i) EXPECT_EQ(outcomes[i], i < 299 ? 0 : ENOENT) << i;
    const auto found = dump(conntrack);
    EXPECT_EQ(found.size(), 299U);
    for (const Flow& flow : found) EXPECT_EQ(flow.mark, (before & 0xff0000ffU) | 0x00345600U);
  });
}

TEST_P(AnyConntrack, EraseCountsWhatWasThere) {
  GetParam().make().use([](Conntrack& conntrack) {
    const auto flows = many(300);
    ASSERT_TRUE(conntrack.insert(std::span(flows).subspan(0, 200)));
    EXPECT_EQ(conntrack.erase(flows).value(), 200U);
    EXPECT_TRUE(dump(conntrack).empty());
    EXPECT_EQ(conntrack.erase({}).value(), 0U);
  });
}

TEST_P(AnyConntrack, AnotherIdIsAnotherFlow) {
  GetParam().make().use([](Conntrack& conntrack) {
    ASSERT_TRUE(conntrack.insert(std::vector{sample()[0]}));
    auto flows = dump(conntrack);
    ASSERT_EQ(flows.size(), 1U);
    ++flows[0].id;
    EXPECT_EQ(conntrack.erase(flows).value(), 0U);
    --flows[0].id;
    EXPECT_EQ(conntrack.erase(flows).value(), 1U);
  });
}

TEST_P(AnyConntrack, MarksChooseWhatIsShown) {
  GetParam().make().use([](Conntrack& conntrack) {
    ASSERT_TRUE(conntrack.insert(sample()));
    EXPECT_EQ(dump(conntrack, {0xff00, kMark}).size(), 4U);
    EXPECT_EQ(dump(conntrack, {0xfe00, kMark}).size(), 5U);
    EXPECT_TRUE(dump(conntrack, {0xff, 1}).empty());
  });
}

TEST_P(AnyConntrack, FlowsAreFoundAsTheyAre) {
  GetParam().make().use([](Conntrack& conntrack) {
    EXPECT_EQ(conntrack.count().value(), 0U);
    auto flows = many(300);
    ASSERT_TRUE(conntrack.insert(std::span(flows).subspan(0, 200)));
    EXPECT_EQ(conntrack.count().value(), 200U);
    const auto found = conntrack.find(flows).value();
    ASSERT_EQ(found.size(), flows.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i].has_value(), i < 200) << i;
      if (!found[i]) continue;
      EXPECT_EQ(found[i]->original, flows[i].original);
      EXPECT_EQ(found[i]->tcp_state, TcpState::kEstablished);
    }
    flows[0].id = found[0]->id;
    flows[1].id = found[1]->id + 1;
    const auto again = conntrack.find(std::span(flows).first(2)).value();
    EXPECT_TRUE(again[0]);
    EXPECT_FALSE(again[1]) << "another id is another flow";
    EXPECT_TRUE(conntrack.find({}).value().empty());
  });
}

TEST_P(AnyConntrack, ADumpComesInSteps) {
  GetParam().make().use([](Conntrack& conntrack) {
    ASSERT_TRUE(conntrack.insert(many(1000)));
    auto dump = conntrack.dump({}).value();
    std::set<Endpoint> seen;
    std::size_t steps = 0;
    bool more = true;
    while (more) {
      std::size_t in_step = 0;
      more = dump->step([&](const Flow& flow) { seen.insert(flow.original.source), ++in_step; }).value();
      EXPECT_LE(in_step, 200U);
      ++steps;
    }
    EXPECT_EQ(seen.size(), 1000U);
    EXPECT_GE(steps, 5U);
    EXPECT_FALSE(dump->step([](const Flow&) { FAIL(); }).value());
  });
}

}  // namespace
}  // namespace wsl4::netlink::conntrack
