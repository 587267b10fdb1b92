// Who is let in, and who is told why not.
#include <gtest/gtest.h>

#include "sync/session.h"

namespace wsl4::sync {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr Time kNow{1};

Options options_of(std::string node, std::uint64_t incarnation) {
  Options result;
  result.node = std::move(node);
  result.incarnation = incarnation;
  return result;
}

Bytes pull(Session& session) {
  Bytes bytes;
  session.pull(bytes, 1 << 20, kNow);
  return bytes;
}

void connect(Session& one, Session& other) {
  one.connected(kNow);
  other.connected(kNow);
  for (int i = 0; i < 4; ++i) {
    other.receive(pull(one), kNow);
    one.receive(pull(other), kNow);
  }
}

template <class Kind>
std::optional<Kind> last(Session& session) {
  std::optional<Kind> found;
  for (auto& event : session.take_events()) {
    if (auto* kind = std::get_if<Kind>(&event)) found = std::move(*kind);
  }
  return found;
}

/// Both know why: one says so, the other is told.
void expect_both_refuse(Session& one, Session& other, Reason reason, const std::string& text) {
  for (auto* session : {&one, &other}) {
    const auto ended = last<event::Ended>(*session);
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->error.reason, reason);
    EXPECT_EQ(ended->error.text, text);
    EXPECT_EQ(session->state(), State::kDisconnected);
  }
}

/// What a session says of bytes that come first, or after a greeting.
std::optional<Error> verdict(const Bytes& bytes, bool greeted) {
  Session session(options_of("lb-a", 1)), peer(options_of("lb-b", 2));
  session.connected(kNow);
  peer.connected(kNow);
  if (greeted) session.receive(pull(peer), kNow);
  session.receive(bytes, kNow);
  const auto ended = last<event::Ended>(session);
  if (!ended) return {};
  return ended->error;
}

template <class Message>
Bytes frame(const Message& message) {
  Bytes bytes;
  encode(bytes, message);
  return bytes;
}

TEST(Greeting, NegotiatesNeighbouringVersions) {
  auto newer = options_of("lb-b", 2);
  newer.versions = {1, 2};
  Session a(options_of("lb-a", 1)), b(newer);
  connect(a, b);
  EXPECT_EQ(last<event::Connected>(a)->peer.node, "lb-b");
  EXPECT_EQ(a.state(), State::kBulk);
  EXPECT_EQ(b.state(), State::kBulk);
}

TEST(Greeting, RefusesVersionsThatNobodyShares) {
  auto newer = options_of("lb-b", 2);
  newer.versions = {2, 3};
  Session a(options_of("lb-a", 1)), b(newer);
  a.connected(kNow);
  b.connected(kNow);
  b.receive(pull(a), kNow);
  a.receive(pull(b), kNow);
  const auto ended = last<event::Ended>(a);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->error.reason, Reason::kVersion);
  EXPECT_EQ(ended->error.text, "lb-a speaks versions 1 to 1 of the wire format, lb-b speaks 2 to 3");
}

TEST(Greeting, RefusesADifferenceThatMatters) {
  auto one = options_of("lb-a", 1), other = options_of("lb-b", 2);
  one.configuration = {{"ha.virtual_router_id", 51, true}, {"services", 1, true}, {"service.chat", 1, false}};
  other.configuration = {{"ha.virtual_router_id", 52, true}, {"services", 2, true}, {"service.chat", 2, false}};
  Session a(one), b(other);
  a.set_role(Role::kActive);
  a.connected(kNow);
  b.connected(kNow);
  b.receive(pull(a), kNow);
  a.receive(pull(b), kNow);
  const auto refused = last<event::Ended>(b);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->error.reason, Reason::kConfiguration);
  EXPECT_EQ(refused->error.text, "these settings must be the same on both nodes: ha.virtual_router_id, services");
  EXPECT_EQ(refused->peer_role, Role::kActive);
  EXPECT_EQ(last<event::Ended>(a)->peer_role, Role::kInit);
}

TEST(Greeting, TellsOfOtherDifferences) {
  auto one = options_of("lb-a", 1), other = options_of("lb-b", 2);
  one.configuration = {{"services", 1, true}, {"service.chat", 1, false}};
  other.configuration = {{"services", 1, true}, {"service.chat", 2, false}};
  Session a(one), b(other);
  connect(a, b);
  EXPECT_EQ(last<event::ConfigurationDiffers>(a)->keys, std::vector<std::string>{"service.chat"});
  EXPECT_EQ(a.state(), State::kBulk);
  b.set_configuration(one.configuration);
  EXPECT_EQ(last<event::ConfigurationDiffers>(b)->keys, std::vector<std::string>{});
  a.receive(pull(b), kNow);
  EXPECT_EQ(last<event::ConfigurationDiffers>(a)->keys, std::vector<std::string>{});
  b.set_configuration({{"services", 3, true}});
  a.receive(pull(b), kNow);
  expect_both_refuse(a, b, Reason::kConfiguration, "these settings must be the same on both nodes: services");
}

TEST(Greeting, FindsAConnectionToItself) {
  Session a(options_of("lb-a", 1)), b(options_of("lb-a", 1));
  connect(a, b);
  EXPECT_EQ(last<event::Ended>(a)->error.reason, Reason::kItself);
}

TEST(Greeting, SaysGoodbye) {
  Session a(options_of("lb-a", 1)), b(options_of("lb-b", 2));
  connect(a, b);
  a.leave();
  b.receive(pull(a), kNow);
  const auto ended = last<event::Ended>(b);
  EXPECT_TRUE(ended->by_peer);
  EXPECT_EQ(ended->error.text, "lb-a stops");
  EXPECT_EQ(pull(b), Bytes{}) << "nothing more is said";
  a.receive(frame(Echo{1}), kNow);
  EXPECT_EQ(pull(a), Bytes{});
}

TEST(Strangers, AreToldNothing) {
  EXPECT_EQ(verdict(frame(Echo{1}), false)->reason, Reason::kProtocol);
  EXPECT_EQ(verdict({'G', 'E', 'T', ' ', '/', ' ', 'H', 'T', 'T', 'P'}, false)->reason, Reason::kProtocol);
  EXPECT_EQ(verdict(Bytes(4, 0xff), false)->text, "a frame of 4294967295 bytes");
  EXPECT_FALSE(verdict(Bytes(3, 0xff), false));
}

TEST(Peers, MustKeepToTheFormat) {
  EXPECT_FALSE(verdict(frame(Echo{1}), true));
  EXPECT_TRUE(verdict(frame(Hello{}), true)) << "a second greeting";
  EXPECT_TRUE(verdict({0, 0, 0, 0, 127}, true)) << "a type that nobody knows";
  EXPECT_FALSE(verdict({0, 0, 0, 0, 128}, true)) << "one that may be skipped";
  EXPECT_TRUE(verdict(frame(Complete{2, 1}), true)) << "a sequence number left out";
  EXPECT_FALSE(verdict(frame(Complete{1, 1}), true));
  EXPECT_TRUE(verdict(frame(BucketHeader{1, 0, false, true}), true)) << "a bucket's end without its beginning";
  EXPECT_FALSE(verdict(frame(BucketHeader{1, 0, true, true}), true));
}

TEST(Peers, MustDefineWhatTheyUse) {
  const auto flows = [](std::vector<WireOperation> operations) {
    Bytes bytes;
    {
      FrameWriter writer(bytes, FrameType::kFlows);
      write(writer.payload(), FlowsHeader{1});
      for (const auto& operation : operations) std::visit([&](const auto& one) { write(writer.payload(), one); }, operation);
    }
    return verdict(bytes, true);
  };
  const Define vip{0, {{{203, 0, 113, 10}, Family::kIpv4}, 443, 6}}, backend{1, {{{198, 18, 0, 1}, Family::kIpv4}, 80, 0}};
  const Upsert upsert{Family::kIpv4, {{{}, 0, 1}, {1, kClientItself, 0, 0, 0, 0, 0, 0, 0, 0}}};
  EXPECT_FALSE(flows({vip, backend, upsert, Erase{Family::kIpv4, upsert.record.key}}));
  EXPECT_TRUE(flows({vip, upsert}));
  EXPECT_TRUE(flows({backend, upsert}));
  EXPECT_TRUE(flows({Erase{Family::kIpv4, upsert.record.key}}));
  EXPECT_TRUE(flows({vip, Erase{Family::kIpv6, upsert.record.key}})) << "of another family";
  EXPECT_TRUE(flows({Define{0, {vip.term.address, 443, 1}}, backend, upsert})) << "neither TCP nor UDP";
}

}  // namespace
}  // namespace wsl4::sync
