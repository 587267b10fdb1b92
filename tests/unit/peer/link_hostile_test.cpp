// What strangers can do to a link from the peer's address, or from the path: nothing but to be counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "daemon/peer/link.h"
#include "tests/support/eventually.h"
#include "tests/support/link_bed.h"
#include "tests/support/loopback_server.h"
#include "tests/support/psk_client.h"
#include "tests/support/tampering_proxy.h"
#include "tests/support/tls_bed.h"

namespace wsl4::peer {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::key;
using test::LinkNode;
using test::PskClient;
using test::TamperingProxy;

const netlink::IpAddress kHere = *netlink::IpAddress::parse("127.0.0.2"), kThere = *netlink::IpAddress::parse("127.0.0.3"),
                         kElsewhere = *netlink::IpAddress::parse("127.0.0.4");

std::string bytes_of(const Key& key) { return {key.bytes().begin(), key.bytes().end()}; }

class HostileTest : public testing::Test {
 protected:
  HostileTest() {
    options.listen = {kHere, test::free_port(kHere)};
    options.peer = {kThere, test::free_port(kThere)};
    peer_options.listen = options.peer;
    peer_options.peer = options.listen;
  }
  /// A connection from the peer's address.
  [[nodiscard]] netlink::Fd connect() const { return test::connect_from(kThere, options.listen); }

  /// That this many of that kind come to be counted, and that the peer gets through all the same.
  void expect_refused(LinkNode& node, Refusal why, std::uint64_t least = 1) {
    EXPECT_TRUE(eventually([&] { return node.refused(why) >= least; })) << to_string(why);
    EXPECT_EQ(node.session.connected, 0U);
    expect_peer_comes_through(node);
  }
  void expect_peer_comes_through(LinkNode& node) {
    LinkNode peer(peer_options, {key('1')});
    EXPECT_TRUE(eventually([&] {
      peer.say("it is me");
      return node.session.heard().find("it is me") != std::string::npos;
    }));
  }

  LinkOptions options, peer_options;
};

TEST_F(HostileTest, TwoNodesWithDifferentKeysRefuseEachOther) {
  LinkNode node(options, {key('1')});
  {
    LinkNode other(peer_options, {key('2')});
    for (LinkNode* each : {&node, &other}) {
      EXPECT_TRUE(
          eventually([&] { return each->refused(Refusal::kUnknownKey) > 0 && each->refused(Refusal::kRefusedByPeer) > 0; }));
    }
    EXPECT_EQ(other.session.connected, 0U);
  }
  expect_refused(node, Refusal::kUnknownKey);
}

TEST_F(HostileTest, WhatSomebodyShouldLookAtIsToldOnce) {
  std::atomic<int> told = 0;
  options.on_refused = [&](Refusal why) { told += why == Refusal::kNoTls ? 1 : 100; };
  LinkNode node(options, {key('1')});
  for (int i = 0; i < 3; ++i) {
    const auto socket = connect();
    test::send_all(socket.get(), "hello\n");
    EXPECT_TRUE(test::is_closed(socket.get()));
  }
  expect_refused(node, Refusal::kNoTls, 3);
  EXPECT_EQ(told, 1);
}

TEST_F(HostileTest, ToNameAKeyIsNotToHaveIt) {
  LinkNode node(options, {key('1')});
  PskClient thief(connect(), key('1').id(), bytes_of(key('2')));
  EXPECT_FALSE(thief.handshake() && !thief.receive(1).empty());
  expect_refused(node, Refusal::kWrongKey);
}

TEST_F(HostileTest, TlsWithoutAKeyIsRefused) {
  LinkNode node(options, {key('1')});
  PskClient client(connect(), "", "");
  EXPECT_FALSE(client.handshake() && !client.receive(1).empty());
  expect_refused(node, Refusal::kNoKey);
}

TEST_F(HostileTest, OldTlsIsRefused) {
  LinkNode node(options, {key('1')});
  PskClient client(connect(), "", "", TLS1_2_VERSION);
  EXPECT_FALSE(client.handshake());
  expect_refused(node, Refusal::kNoTls);
}

TEST_F(HostileTest, ACertificateIsNoKey) {
  const test::TemporaryFolder folder;
  test::make_certificate(folder.file("crt"), folder.file("key"));
  const auto listener = test::listen_at(options.peer);
  LinkNode node(options, {key('1')});
  PskClient impostor(netlink::Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)), "", "");
  EXPECT_FALSE(impostor.answer_with_certificate(folder.file("crt"), folder.file("key")) && !impostor.receive(1).empty());
  EXPECT_TRUE(eventually([&] { return node.refused(Refusal::kNoKey) > 0; }));
  EXPECT_EQ(node.session.connected, 0U);
}

TEST_F(HostileTest, GarbageIsRefused) {
  LinkNode node(options, {key('1')});
  const std::string all_zero(100, '\0'), all_ones(100, '\xff');
  const std::string endless_message = std::string("\x16\x03\x01\x40\x00\x01\xff\xff\xff", 9) + std::string(16380, 'x');
  const std::vector<std::string> kinds{"GET / HTTP/1.1\r\n\r\n", "hello\n", all_zero, all_ones, endless_message};
  for (const auto& kind : kinds) {
    const auto socket = connect();
    test::send_all(socket.get(), kind);
    EXPECT_TRUE(test::is_closed(socket.get())) << kind.substr(0, 10);
  }
  expect_refused(node, Refusal::kNoTls, kinds.size());
}

/// Well-formed records that never become a handshake.
TEST_F(HostileTest, EndlessRecordsAreEnded) {
  options.proof_time = 500ms;
  LinkNode node(options, {key('1')});
  const auto socket = connect();
  std::string record = std::string("\x16\x03\x01\x00\x01", 5) + "\x01";  // a ClientHello, one byte a record, 65,536 bytes of it
  test::send_all(socket.get(), record + std::string("\x16\x03\x01\x00\x03\x01\x00\x00", 8));
  while (test::send_all(socket.get(), std::string("\x16\x03\x01\x00\x01x", 6))) {}
  EXPECT_TRUE(eventually([&] { return node.refused(Refusal::kNoTls) + node.refused(Refusal::kTooSlow) > 0; }));
  expect_peer_comes_through(node);
}

TEST_F(HostileTest, StrangersAreClosedAtOnce) {
  LinkNode node(options, {key('1')});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(test::is_closed(test::connect_from(kElsewhere, options.listen).get()));
  PskClient with_key(test::connect_from(kElsewhere, options.listen), key('1').id(), bytes_of(key('1')));
  EXPECT_FALSE(with_key.handshake());
  expect_refused(node, Refusal::kStranger, 4);
}

TEST_F(HostileTest, WhoSaysNothingIsClosedAfterAWhile) {
  options.proof_time = 200ms;
  LinkNode node(options, {key('1')});
  const auto silent = connect();
  EXPECT_TRUE(test::is_closed(silent.get()));
  PskClient half(connect(), key('1').id(), bytes_of(key('1')));
  ASSERT_TRUE(half.handshake());  // and does not tell its instance
  EXPECT_TRUE(eventually([&] { return node.refused(Refusal::kTooSlow) >= 2; }));
  EXPECT_EQ(node.session.connected, 0U);
}

TEST_F(HostileTest, AThousandHalfOpenConnectionsDoNoHarm) {
  options.proof_time = 5min;  // that the machine is slow makes none of them too slow
  LinkNode node(options, {key('1')});
  const auto before = test::descriptors();
  std::vector<netlink::Fd> open;
  for (int i = 0; i < 1000; ++i) open.push_back(connect());
  EXPECT_TRUE(eventually([&] { return node.refused(Refusal::kTooMany) >= 1000 - options.half_open; }));
  EXPECT_LE(test::descriptors(), before + 1000 + options.half_open + 1);
  expect_peer_comes_through(node);
  EXPECT_EQ(node.refused(Refusal::kTooSlow), 0U);
}

TEST_F(HostileTest, TamperedRecordsEndTheConnectionAndNothingElse) {
  peer_options.peer = {kHere, test::free_port(kHere)};  // the proxy
  options.peer.port = test::free_port(kThere);          // nobody: only the peer connects
  TamperingProxy proxy(peer_options.peer, kThere, options.listen);
  LinkNode node(options, {key('1')}), peer(peer_options, {key('1')});
  std::size_t ends = 0;
  for (const auto way : {TamperingProxy::Way::kRepeat, TamperingProxy::Way::kFlipABit, TamperingProxy::Way::kCutShort}) {
    ASSERT_TRUE(eventually([&] { return node.stats().connected && peer.stats().connected; }));
    peer.say("one.");
    ASSERT_TRUE(eventually([&] { return node.session.heard() == "one."; })) << node.session.heard();
    proxy.way = way;
    peer.say("two.");
    ++ends;
    ASSERT_TRUE(eventually([&] { return node.session.disconnected == ends && peer.session.disconnected == ends; }));
    EXPECT_EQ(proxy.tampered, ends);
    EXPECT_THAT(node.session.heard(), testing::AnyOf("one.", way == TamperingProxy::Way::kRepeat ? "one.two." : "", ""));
  }
  ASSERT_TRUE(eventually([&] { return node.session.connected == 4; }));
  EXPECT_EQ(node.refused(Refusal::kTampered), 2U) << "but for the one that was cut short, as by a lost link";
  peer.say("three.");
  EXPECT_TRUE(eventually([&] { return node.session.heard() == "three."; })) << node.session.heard();
}

TEST_F(HostileTest, ARecordingIsOfNoUse) {
  peer_options.peer = {kHere, test::free_port(kHere)};
  options.peer.port = test::free_port(kThere);
  TamperingProxy proxy(peer_options.peer, kThere, options.listen);
  LinkNode node(options, {key('1')});
  {
    LinkNode peer(peer_options, {key('1')});
    peer.say("a secret.");
    ASSERT_TRUE(eventually([&] { return node.session.heard() == "a secret."; }));
  }
  ASSERT_TRUE(eventually([&] { return !node.stats().connected; }));
  const auto again = connect();
  const std::string recording = proxy.recording();
  ASSERT_GT(recording.size(), 100U);
  test::send_all(again.get(), recording);
  EXPECT_TRUE(eventually([&] { return node.refused(Refusal::kWrongKey) == 1; }));
  EXPECT_EQ(node.session.connected, 1U);
}

/// A peer with the key that does not read: what waits for it stays in the session, and after a while it is taken for dead.
TEST_F(HostileTest, APeerThatDoesNotReadCostsNoMemory) {
  constexpr std::size_t kKernelsShare = 32U << 20;  // what both ends' socket buffers may take
  LinkNode node(options, {key('1')});
  PskClient slow(connect(), key('1').id(), bytes_of(key('1')));
  ASSERT_TRUE(slow.handshake() && slow.send(std::string(16, 's')) && slow.receive(16).size() == 16);
  ASSERT_TRUE(eventually([&] { return node.stats().connected; }));
  node.session.endless = true;
  node.run([](Link& link) { link.wake(); });
  EXPECT_TRUE(eventually([&] { return node.session.disconnected == 1; }));
  EXPECT_LT(node.session.pulled, kKernelsShare);
  EXPECT_GT(node.session.pulled, 0U);
  node.session.endless = false;
  expect_peer_comes_through(node);
}

TEST_F(HostileTest, APeerThatReadsSlowlyGetsAllOfItUnderEverNewKeys) {
  options.records_per_key = 4;
  LinkNode node(options, {key('1')});
  PskClient slow(connect(), key('1').id(), bytes_of(key('1')));
  ASSERT_TRUE(slow.handshake() && slow.send(std::string(16, 's')) && slow.receive(16).size() == 16);
  const std::string much(4'000'000, 'm');
  ASSERT_TRUE(eventually([&] { return node.stats().connected; }));
  node.say(much);
  EXPECT_EQ(slow.receive(much.size()), much);
  EXPECT_GT(slow.key_updates(), 10);
}

/// Whoever has the key and never stops sending does not starve what else runs on the thread.
TEST_F(HostileTest, AFloodLeavesTheThreadTimeForOthers) {
  LinkNode node(options, {key('1')});
  PskClient flood(connect(), key('1').id(), bytes_of(key('1')));
  ASSERT_TRUE(flood.handshake() && flood.send(std::string(16, 'f')) && flood.receive(16).size() == 16);
  ASSERT_TRUE(eventually([&] { return node.stats().connected; }));
  std::atomic<bool> enough{false};
  std::thread sender([&] {
    const std::string much(1 << 16, 'f');
    while (!enough && flood.send(much)) {}
  });
  std::uint64_t turns = 0, last = 0;
  EXPECT_TRUE(eventually([&] {
    const auto received = node.stats().traffic.received;
    if (received > last) ++turns;  // this ran between two reads
    last = received;
    return turns > 100;
  }));
  enough = true;
  sender.join();
}

}  // namespace
}  // namespace wsl4::peer
