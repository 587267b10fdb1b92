// When addresses come and go; where they belong is the concern of addresses/.
#include "daemon/addresses/mover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/desired_states.h"
#include "tests/support/fake_rtnl.h"
#include "tests/support/fake_sysctls.h"

namespace wsl4::addresses {
namespace {

using namespace std::chrono_literals;
using test::address;
using testing::Contains;
using testing::IsEmpty;
using testing::SizeIs;

constexpr int kRouterId = 51;
constexpr int kSeveral = 200;  // more than fit into one piece

class MoverTest : public testing::Test {
 protected:
  MoverTest() {
    for (const auto& [name, value] : virtual_link_sysctls("wsl4-51-1", false)) sysctls_.values[name] = "7";
    EXPECT_TRUE(rtnl_.add_address({card_, address("198.18.0.1"), 16, 0}));
  }

  Mover mover(std::optional<int> router = {}) {
    return {io_, rtnl_, announcer_, sysctls_, router, {true, some(1), {}}, [this](std::string name, const std::string&) {
              events_.push_back(std::move(name));
            }};
  }
  static std::vector<WantedAddress> some(int count) {
    std::vector<WantedAddress> wanted;
    for (int n = 0; n < count; ++n) wanted.push_back({address("198.18.1." + std::to_string(n)), ""});
    return wanted;
  }
  std::vector<netlink::rtnl::InterfaceAddress> ours() {
    auto present = rtnl_.addresses().value();
    std::erase_if(present, [](const auto& entry) { return !is_ours(entry); });
    return present;
  }
  bool virtual_link_is_up() {
    const auto links = rtnl_.links().value();
    return std::ranges::any_of(links, [](const auto& link) { return is_virtual_link(link) && link.up; });
  }
  void run() {
    io_.restart();
    io_.run();
  }

  boost::asio::io_context io_;
  test::FakeRtnl rtnl_;
  test::FakeAnnouncer announcer_;
  test::FakeSysctls sysctls_;
  int card_ = rtnl_.add_link("card");
  std::vector<std::string> events_;
  const Mover::Clock::time_point now_ = Mover::Clock::now();
};

TEST_F(MoverTest, AddressesComeWithTheRoleAndGoWithIt) {
  auto mover = this->mover();
  mover.tend(now_);
  EXPECT_THAT(ours(), IsEmpty());
  mover.place();
  EXPECT_THAT(ours(), SizeIs(1)) << "at once";
  bool gone = false;
  mover.withdraw([&] { gone = ours().empty(); });
  run();
  EXPECT_TRUE(gone);
  mover.tend(now_);
  EXPECT_THAT(ours(), IsEmpty());
  EXPECT_FALSE(mover.lingers()) << "there is no virtual link";
  EXPECT_THAT(events_, Contains("addresses-added"));
}

TEST_F(MoverTest, WhatSomebodyTookAwayComesBack) {
  auto mover = this->mover();
  mover.place();
  ASSERT_TRUE(rtnl_.remove_address(ours().at(0)));
  mover.tend(now_);
  EXPECT_THAT(ours(), SizeIs(1));
}

TEST_F(MoverTest, WhatSomebodyElsePutHereWhileItBelongsElsewhereIsTold) {
  auto mover = this->mover();
  mover.set({true, some(3), {}}, {});
  mover.tend(now_);
  EXPECT_EQ(mover.strays(), "");
  for (const char* text : {"198.18.1.0", "198.18.1.2"}) ASSERT_TRUE(rtnl_.add_address({card_, address(text), 32, 0}));
  mover.tend(now_);
  EXPECT_EQ(mover.strays(), "198.18.1.0 on card and 1 more");
  mover.place();
  EXPECT_EQ(mover.strays(), "") << "they belong here";
  mover.withdraw([] {});
  run();
  mover.tend(now_);
  EXPECT_EQ(mover.strays(), "198.18.1.0 on card and 1 more");
  const auto present = rtnl_.addresses().value();
  for (const auto& entry : present)
    if (entry.prefix_length == 32) { ASSERT_TRUE(rtnl_.remove_address(entry)); }
  mover.tend(now_);
  EXPECT_EQ(mover.strays(), "");
}

TEST_F(MoverTest, WhatIsRoutedHereIsNoStray) {
  auto mover = this->mover();
  mover.set({false, some(1), {}}, {});
  ASSERT_TRUE(rtnl_.add_address({rtnl_.add_link("other"), address("198.18.1.0"), 32, 0}));
  mover.tend(now_);
  EXPECT_EQ(mover.strays(), "");
}

TEST_F(MoverTest, OfAddressesThatSomebodyElseMovesAnEarlierDaemonsCountToo) {
  auto mover = this->mover();
  mover.set({false, some(1), {}}, {});
  ASSERT_TRUE(rtnl_.add_address({card_, address("198.18.1.0"), 32, netlink::rtnl::kAddressProtocol}));
  mover.tend(now_);
  EXPECT_EQ(mover.strays(), "198.18.1.0 on card");
}

TEST_F(MoverTest, ManyComeAndGoInPieces) {
  auto mover = this->mover();
  mover.place();
  mover.set({true, some(kSeveral), {}}, {});
  EXPECT_LT(ours().size(), kSeveral) << "others have their turn";
  run();
  EXPECT_THAT(ours(), SizeIs(kSeveral));
  mover.withdraw([] {});
  EXPECT_GT(ours().size(), 0);
  run();
  EXPECT_THAT(ours(), IsEmpty());
}

TEST_F(MoverTest, AllComeAtOnceWhereSomebodyWaitsForThem) {
  auto mover = this->mover();
  mover.set({true, some(kSeveral), {}}, {});
  EXPECT_THAT(ours(), IsEmpty());
  mover.place_all();
  EXPECT_THAT(ours(), SizeIs(kSeveral));
}

TEST_F(MoverTest, TheRoleMayComeBackWhileTheyGo) {
  auto mover = this->mover();
  mover.set({true, some(kSeveral), {}}, {});
  mover.place();
  run();
  bool told = false;
  mover.withdraw([&told] { told = true; });
  EXPECT_FALSE(told);
  mover.place();
  run();
  mover.tend(now_);
  run();
  EXPECT_TRUE(told);
  EXPECT_THAT(ours(), SizeIs(kSeveral));
}

TEST_F(MoverTest, SomebodyElseMayMoveThem) {
  auto mover = this->mover();
  mover.set({false, some(1), {}}, {});
  mover.place();
  mover.tend(now_);
  EXPECT_THAT(ours(), IsEmpty());
}

TEST_F(MoverTest, VirtualLinksTakeFromAStandbyForAMomentStill) {
  auto mover = this->mover(kRouterId);
  ASSERT_TRUE(mover.prepare());
  EXPECT_FALSE(virtual_link_is_up());
  mover.place();
  run();
  EXPECT_TRUE(virtual_link_is_up());
  mover.withdraw([] {});
  run();
  EXPECT_THAT(ours(), IsEmpty());
  mover.tend(now_);
  EXPECT_TRUE(mover.lingers());
  EXPECT_TRUE(virtual_link_is_up());
  mover.tend(Mover::Clock::now() + Mover::kRestAfter);
  EXPECT_FALSE(mover.lingers());
  EXPECT_FALSE(virtual_link_is_up());
}

TEST_F(MoverTest, SwitchesAreRemindedOfTheVirtualAddress) {
  auto mover = this->mover(kRouterId);
  ASSERT_TRUE(mover.prepare());
  mover.place();
  run();
  mover.tend(now_);
  run();
  const auto announced = [&](Mover::Clock::time_point now) {
    announcer_.announced.clear();
    mover.tend(now);
    return !announcer_.announced.empty();
  };
  while (announced(now_)) {}
  EXPECT_FALSE(announced(now_ + Mover::kRefreshInterval - 1ms));
  EXPECT_TRUE(announced(now_ + Mover::kRefreshInterval));
}

}  // namespace
}  // namespace wsl4::addresses
