// Two nodes that are well: they find each other, lose each other and find each other again.
#include "daemon/peer/link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/eventually.h"
#include "tests/support/link_bed.h"
#include "tests/support/psk_client.h"

namespace wsl4::peer {
namespace {

using test::eventually;
using test::key;
using test::LinkNode;

class LinkTest : public testing::Test {
 protected:
  void use(const char* a, const char* b) {
    const auto address_a = *netlink::IpAddress::parse(a), address_b = *netlink::IpAddress::parse(b);
    a_options.listen = b_options.peer = {address_a, test::free_port(address_a)};
    b_options.listen = a_options.peer = {address_b, test::free_port(address_b)};
  }
  void SetUp() override { use("127.0.0.2", "127.0.0.3"); }

  /// Then there is one connection at a time, and no other takes its place.
  void let_only_a_connect() { b_options.peer.port = test::free_port(b_options.peer.address); }

  /// Waits until each hears what the other says.
  static void expect_speaking(LinkNode& a, LinkNode& b) {
    static int count = 0;
    const std::string from_a = "a" + std::to_string(++count), from_b = "b" + std::to_string(count);
    EXPECT_TRUE(eventually([&] {
      a.say(from_a);  // again on a later connection, should the first be given up for the other
      b.say(from_b);
      return a.session.heard().find(from_b) != std::string::npos && b.session.heard().find(from_a) != std::string::npos;
    }));
  }

  LinkOptions a_options, b_options;
};

TEST_F(LinkTest, TwoNodesFindEachOtherAndKeepOneConnection) {
  for (int round = 0; round < 10; ++round) {
    LinkNode a(a_options, {key('1')}), b(b_options, {key('1')});
    expect_speaking(a, b);
    const auto of_a = a.stats(), of_b = b.stats();
    EXPECT_TRUE(of_a.connected && of_b.connected);
    EXPECT_LE(of_a.connections, 2U) << "one, or two that crossed";
    EXPECT_LE(of_b.connections, 2U);
    EXPECT_GT(of_a.traffic.sent, 0U);
    EXPECT_GT(of_a.traffic.received, 0U);
  }
}

TEST_F(LinkTest, WorksOverIpv6) {
  use("::1", "::1");
  LinkNode a(a_options, {key('1')}), b(b_options, {key('1')});
  expect_speaking(a, b);
}

TEST_F(LinkTest, BytesComeInOrderAndWhole) {
  let_only_a_connect();
  LinkNode a(a_options, {key('1')}), b(b_options, {key('1')});
  expect_speaking(a, b);
  std::string much;
  for (int i = 0; i < 300'000; ++i) much += std::to_string(i) + "\n";
  a.say(much);
  EXPECT_TRUE(eventually([&] { return b.session.heard_last("299999\n"); }));
  EXPECT_NE(b.session.heard().find(much), std::string::npos);
}

TEST_F(LinkTest, AConnectionLivesOnUnderNewKeys) {
  let_only_a_connect();
  a_options.records_per_key = b_options.records_per_key = 2;
  LinkNode a(a_options, {key('1')}), b(b_options, {key('1')});
  expect_speaking(a, b);
  const auto before = a.session.connected + b.session.connected;
  const std::string much(5'000'000, 'x');
  a.say(much);
  b.say(much);
  EXPECT_TRUE(eventually([&] { return a.session.heard_last(much) && b.session.heard_last(much); }));
  EXPECT_EQ(a.session.connected + b.session.connected, before);
}

TEST_F(LinkTest, ANodeThatStartsAgainIsFoundAgain) {
  LinkNode a(a_options, {key('1')});
  for (int round = 0; round < 3; ++round) {
    LinkNode b(b_options, {key('1')});
    expect_speaking(a, b);
    b.stop();
    EXPECT_TRUE(eventually([&] { return !a.stats().connected; }));
  }
  EXPECT_GE(a.session.disconnected, 3U);
}

TEST_F(LinkTest, TheLastWordsOfAFinishedConnectionArriveAndAnotherFollows) {
  let_only_a_connect();
  LinkNode a(a_options, {key('1')}), b(b_options, {key('1')});
  expect_speaking(a, b);
  const std::string farewell(1'000'000, 'f');
  std::atomic<bool> farewell_heard{false};
  a.session.say(farewell);
  a.run([](Link& link) {
    link.finish("enough");
    link.finish("and once more");
  });
  EXPECT_TRUE(eventually([&] {
    farewell_heard = farewell_heard || b.session.heard_last(farewell);
    return farewell_heard && a.session.disconnected > 0 && b.session.disconnected > 0;
  })) << farewell_heard;
  EXPECT_THAT(a.session.reasons(), testing::Contains("enough"));
  EXPECT_THAT(b.session.reasons(), testing::Contains("the peer has closed the connection"));
  expect_speaking(a, b);
}

TEST_F(LinkTest, KeysAreChangedWithoutAMomentOfStrangeness) {
  const Key old_key = key('1'), new_key = key('2');
  const std::vector<std::pair<Keys, Keys>> steps{{{old_key}, {old_key, new_key}},          {{old_key, new_key}, {old_key, new_key}},
                                                 {{new_key, old_key}, {old_key, new_key}}, {{new_key, old_key}, {new_key, old_key}},
                                                 {{new_key}, {new_key, old_key}},          {{new_key}, {new_key}}};
  LinkNode a(a_options, {old_key}), b(b_options, {old_key});
  for (const auto& [of_a, of_b] : steps) {
    a.run([&, keys = of_a](Link& link) { EXPECT_TRUE(link.set_keys(keys)); });
    b.run([&, keys = of_b](Link& link) { EXPECT_TRUE(link.set_keys(keys)); });
    a.run([](Link& link) { link.finish("new keys"); });
    expect_speaking(a, b);
  }
  EXPECT_EQ(a.refused(Refusal::kUnknownKey) + b.refused(Refusal::kUnknownKey), 0U);
}

TEST_F(LinkTest, WhyThereIsNoConnectionIsKnown) {
  const auto says = [](LinkNode& node, const std::string& why) {
    return eventually([&] { return node.stats().error.find(why) != std::string::npos; });
  };
  LinkNode a(a_options, {key('1')});
  EXPECT_TRUE(says(a, "Connection refused")) << a.stats().error;
  {
    LinkNode stranger(b_options, {key('2')});
    EXPECT_TRUE(says(a, "first key")) << a.stats().error;
  }
  {
    auto elsewhere = b_options;
    elsewhere.peer.address = *netlink::IpAddress::parse("127.0.0.4");
    LinkNode other(elsewhere, {key('1')});
    EXPECT_TRUE(says(a, "its ha.peer is another address")) << a.stats().error;
  }
  LinkNode b(b_options, {key('1')});
  expect_speaking(a, b);
  b.stop();
  EXPECT_TRUE(says(a, "the peer has closed the connection") || says(a, "Connection refused")) << a.stats().error;
}

TEST_F(LinkTest, OnceRetiredTheConnectionThatStandsIsTheLast) {
  LinkNode a(a_options, {key('1')}), b(b_options, {key('1')});
  expect_speaking(a, b);
  a.run([](Link& link) { link.retire(); });
  expect_speaking(a, b);
  const auto connections = a.stats().connections;
  const auto failures = b.stats().connect_failures;
  b.run([](Link& link) { link.finish("to be made again"); });
  EXPECT_TRUE(eventually([&] { return b.stats().connect_failures > failures + 1; })) << "nobody listens";
  EXPECT_FALSE(a.stats().connected);
  EXPECT_EQ(a.stats().connections, connections);
}

TEST_F(LinkTest, AnAddressThatIsTakenIsAnError) {
  LinkNode a(a_options, {key('1')});
  boost::asio::io_context io;
  test::RecordingSession session;
  const auto second = Link::start(io, a_options, {key('1')}, session);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), "ha.listen " + a_options.listen.to_string() + ": Address already in use");
}

TEST_F(LinkTest, AnAddressThatComesLaterIsNone) {
  a_options.listen.address = *netlink::IpAddress::parse("198.18.77.1");
  LinkNode a(a_options, {key('1')});
  EXPECT_TRUE(eventually([&] { return a.stats().connect_failures > 1; }));
}

TEST_F(LinkTest, ANodeThatIsItsOwnPeerSpeaksToNobody) {
  a_options.peer = a_options.listen;
  LinkNode a(a_options, {key('1')});
  EXPECT_TRUE(eventually([&] { return a.refused(Refusal::kOurselves) > 1; }));
  EXPECT_EQ(a.session.connected, 0U);
}

}  // namespace
}  // namespace wsl4::peer
