#include "netlink/socket.h"

#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>

#include "tests/support/namespace.h"

namespace wsl4::netlink {
namespace {

TEST(NetlinkSocket, forces_its_buffers_and_knows_its_port) {
  const test::Namespace space("nft");
  space.run([] {
    const auto socket =
        Socket::open({.bus = NETLINK_NETFILTER, .groups = {}, .receive_buffer = 16U << 20, .send_buffer = 8U << 20});
    ASSERT_TRUE(socket) << socket.error().message();
    EXPECT_NE(socket->port_id(), 0U);
    int size = 0;
    socklen_t length = sizeof size;
    ASSERT_EQ(::getsockopt(socket->fd(), SOL_SOCKET, SO_RCVBUF, &size, &length), 0);
    EXPECT_EQ(size, 2 * (16 << 20));
    ASSERT_EQ(::getsockopt(socket->fd(), SOL_SOCKET, SO_SNDBUF, &size, &length), 0);
    EXPECT_EQ(size, 2 * (8 << 20));
  });
}

TEST(NetlinkSocket, reports_nothing_then_events_then_an_overrun) {
  const test::Namespace space("nft");
  auto socket = space.run(
      [] { return Socket::open({.bus = NETLINK_ROUTE, .groups = {RTNLGRP_LINK}, .non_blocking = true, .receive_buffer = 4096}); });
  ASSERT_TRUE(socket) << socket.error().message();
  std::array<std::uint8_t, kReceiveSize> buffer{};
  EXPECT_EQ(socket->receive(buffer)->kind, Received::Kind::kNothing);

  space.must("ip link add d0 type veth peer name d1");
  const auto event = socket->receive(buffer);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, Received::Kind::kData);
  EXPECT_GT(event->data.size(), sizeof(nlmsghdr));

  space.must("for i in 1 2 3 4 5 6 7 8; do ip link set d0 up; ip link set d0 down; done");
  auto kind = Received::Kind::kData;
  while (kind == Received::Kind::kData) {
    const auto next = socket->receive(buffer);
    ASSERT_TRUE(next) << next.error().message();
    kind = next->kind;
  }
  EXPECT_EQ(kind, Received::Kind::kOverrun);
}

TEST(NetlinkSocket, a_datagram_that_does_not_fit_is_an_error) {
  const test::Namespace space("nft");
  auto socket = space.run([] { return Socket::open({.bus = NETLINK_ROUTE, .groups = {RTNLGRP_LINK}, .non_blocking = true}); });
  ASSERT_TRUE(socket) << socket.error().message();
  space.must("ip link add d0 type veth peer name d1");
  std::array<std::uint8_t, 64> buffer{};
  const auto received = socket->receive(buffer);
  ASSERT_FALSE(received);
  EXPECT_EQ(received.error().code, EMSGSIZE);
}

}  // namespace
}  // namespace wsl4::netlink
