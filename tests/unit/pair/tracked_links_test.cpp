#include "daemon/pair/tracked_links.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/desired_states.h"
#include "tests/support/fake_rtnl.h"

namespace wsl4::pair {
namespace {

using addresses::WantedAddress;
using test::address;
using testing::ElementsAre;
using testing::HasSubstr;

/// A machine with a card for traffic, one towards the backends, and one for the sync session.
class TrackedLinksTest : public testing::Test {
 protected:
  TrackedLinksTest() {
    ha_.interface = "front";
    ha_.listen = test::endpoint("198.18.3.1:4440");
    for (const auto& [link, text, length] : {std::tuple{front_, "198.18.0.1", 24}, std::tuple{back_, "198.18.1.1", 24},
                                             std::tuple{sync_, "198.18.3.1", 24}, std::tuple{front_, "fe80::1", 64}})
      EXPECT_TRUE(rtnl_.add_address({link, address(text), static_cast<std::uint8_t>(length), 0}));
  }

  void look(TrackedLinks& tracked, const std::vector<WantedAddress>& moving) {
    tracked.look(rtnl_.links().value(), rtnl_.addresses().value(), moving);
  }
  void lose_prefix_of_back() { ASSERT_TRUE(rtnl_.remove_address({back_, address("198.18.1.1"), 24, 0})); }
  auto sources(const std::vector<netlink::IpAddress>& vips) {
    std::vector<WantedAddress> moving;
    for (const auto& vip : vips) moving.push_back({vip, ""});
    return advert_sources(ha_, moving, vips, rtnl_.links().value(), rtnl_.addresses().value());
  }

  test::FakeRtnl rtnl_;
  int front_ = rtnl_.add_link("front"), back_ = rtnl_.add_link("back"), sync_ = rtnl_.add_link("sync");
  config::Ha ha_;
  const WantedAddress vip_{address("198.18.0.10"), ""}, other_vip_{address("198.18.0.11"), ""}, pool_{address("198.18.1.10"), ""};
};

TEST_F(TrackedLinksTest, AreThoseWhereWhatMovesBelongs) {
  TrackedLinks tracked(ha_);
  look(tracked, {vip_, pool_});
  EXPECT_THAT(tracked.names(), ElementsAre("back", "front"));
  EXPECT_EQ(tracked.sync_link(), "sync");
  EXPECT_THAT(tracked.moving(), ElementsAre(vip_, pool_));
}

TEST_F(TrackedLinksTest, AreThoseThatAreNamed) {
  ha_.track = {"sync", "gone"};
  TrackedLinks tracked(ha_);
  look(tracked, {vip_, pool_});
  EXPECT_THAT(tracked.names(), ElementsAre("sync", "gone"));
}

TEST_F(TrackedLinksTest, ASyncLinkThatAlsoCarriesTrafficIsNone) {
  ha_.listen = test::endpoint("198.18.0.1:4440");
  TrackedLinks tracked(ha_);
  look(tracked, {vip_});
  EXPECT_EQ(tracked.sync_link(), "");
}

TEST_F(TrackedLinksTest, OneThatHasLostItsPrefixStaysOne) {
  TrackedLinks tracked(ha_);
  look(tracked, {vip_, pool_});
  lose_prefix_of_back();
  look(tracked, {vip_, pool_});
  EXPECT_THAT(tracked.names(), ElementsAre("back", "front"));
  look(tracked, {vip_, other_vip_, pool_});
  EXPECT_THAT(tracked.names(), ElementsAre("back", "front")) << "an address that moves has no home";
}

TEST_F(TrackedLinksTest, OneWhereNothingMovesAnyMoreIsForgotten) {
  TrackedLinks tracked(ha_);
  look(tracked, {vip_, pool_});
  look(tracked, {vip_});
  EXPECT_THAT(tracked.names(), ElementsAre("front"));
}

TEST_F(TrackedLinksTest, AdvertsComeFirstFromTheFamilyThatHasAVip) {
  EXPECT_THAT(sources({vip_.address}).value(), ElementsAre(address("198.18.0.1"), address("fe80::1")));
  EXPECT_THAT(sources({address("2001:db8::10")}).value(), ElementsAre(address("fe80::1"), address("198.18.0.1")));
  ha_.unicast_peer = address("198.18.0.2");
  EXPECT_THAT(sources({vip_.address}).value(), ElementsAre(address("198.18.0.1")));
}

TEST_F(TrackedLinksTest, AdvertsNeedAnInterfaceWithAnAddressThatStays) {
  EXPECT_THAT(sources({address("198.18.0.1"), address("198.18.0.10")}).error(), HasSubstr("front has no IPv4 address of its own"));
  ha_.unicast_peer = address("198.18.0.2");
  EXPECT_EQ(sources({address("2001:db8::10")}).error(), "ha.unicast_peer: adverts to it would be IPv4, and no VIP is");
  ha_.unicast_peer = address("198.18.7.2");
  EXPECT_EQ(sources({vip_.address}).error(), "ha.unicast_peer: 198.18.7.2 is in no network of front's own addresses");
  ha_.unicast_peer.reset();
  ha_.interface = "gone";
  EXPECT_EQ(sources({vip_.address}).error(), "ha.interface: there is no interface gone");
}

}  // namespace
}  // namespace wsl4::pair
