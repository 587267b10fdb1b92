#include "daemon/service/overlay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/desired_states.h"
#include "tests/support/overlay_bed.h"

namespace wsl4::service {
namespace {

using test::changeable_config;
using test::endpoint;
using testing::ElementsAre;
using testing::HasSubstr;
using Kind = ChangeError::Kind;
using namespace std::chrono_literals;

const config::Service& service_of(const config::Config& config, const std::string& name = "chat") {
  return *std::ranges::find(config.services, name, &config::Service::name);
}

std::vector<std::string> names(const config::Config& config) {
  std::vector<std::string> found;
  for (const auto& backend : service_of(config).backends) found.push_back(backend.name);
  return found;
}

const config::Backend* find(const config::Config& config, const std::string& name) {
  const auto& backends = service_of(config).backends;
  const auto place = std::ranges::find(backends, name, &config::Backend::name);
  return place == backends.end() ? nullptr : &*place;
}

class OverlayTest : public testing::Test {
 protected:
  tl::expected<Applied, ChangeError> change(const std::string& backend, const BackendChange& change,
                                            const std::string& service = "chat") {
    return overlay_.change(file_, service, backend, change, test::kChangedAt);
  }
  Applied done(const std::string& backend, const BackendChange& what) {
    const auto applied = change(backend, what);
    EXPECT_TRUE(applied) << applied.error().problems.front();
    return applied.value_or(Applied::kNothing);
  }
  /// Refused, and nothing changed.
  std::vector<std::string> refused(Kind kind, const std::string& backend, const BackendChange& what,
                                   const std::string& service = "chat") {
    const auto before = overlay_.changes();
    const auto applied = change(backend, what, service);
    EXPECT_FALSE(applied);
    EXPECT_EQ(overlay_.changes(), before);
    if (applied) return {};
    EXPECT_EQ(applied.error().kind, kind);
    return applied.error().problems;
  }
  test::Effective effective() const { return test::effective(overlay_, file_); }
  Mark mark(const std::string& address) const {
    const auto marks = effective().marks;
    const auto place = marks.find({"chat", endpoint(address)});
    EXPECT_NE(place, marks.end()) << address << " has no mark";
    return place == marks.end() ? Mark{} : place->second;
  }
  static AddBackend at(const std::string& address, int weight = 100) { return {endpoint(address), weight, 0, ""}; }
  static EditBackend state(AdminState state, std::optional<std::uint32_t> evict = {}) { return {{}, {}, state, evict, {}}; }
  static EditBackend weight(int weight) { return {weight, {}, {}, {}, {}}; }

  config::Config file_ = changeable_config();
  Overlay overlay_;
};

TEST_F(OverlayTest, WithoutChangesTheFileHolds) {
  EXPECT_EQ(effective().config, file_);
  EXPECT_TRUE(effective().marks.empty());
  EXPECT_TRUE(effective().dormant.empty());
}

TEST_F(OverlayTest, AnAddedBackendIsInTheConfiguration) {
  EXPECT_EQ(done("b3", AddBackend{endpoint("198.18.2.13:80"), 7, 9, "ws://b3"}), Applied::kCreated);
  EXPECT_THAT(names(effective().config), ElementsAre("b1", "b2", "v6", "b3"));
  EXPECT_EQ(*find(effective().config, "b3"), (config::Backend{"b3", endpoint("198.18.2.13:80"), 7, 9, "ws://b3"}));
  EXPECT_EQ(mark("198.18.2.13:80"), (Mark{"b3", Mark::Standing::kServing, 0}));
  EXPECT_EQ(effective().marks.size(), 1U);
}

TEST_F(OverlayTest, AddingTheSameAgainIsNothing) {
  EXPECT_EQ(done("b1", at("198.18.2.11:80")), Applied::kNothing);
  EXPECT_TRUE(overlay_.changes().empty());
  done("b3", at("198.18.2.13:80"));
  done("b3", state(AdminState::kDraining));
  EXPECT_EQ(done("b3", at("198.18.2.13:80")), Applied::kNothing);
  EXPECT_EQ(mark("198.18.2.13:80").standing, Mark::Standing::kDraining);
}

TEST_F(OverlayTest, WhatCannotBeAdded) {
  EXPECT_THAT(refused(Kind::kConflict, "b1", at("198.18.2.11:80", 50)),
              ElementsAre("chat/b1 is there already, at 198.18.2.11:80 with weight 100: change it, or remove it first"));
  EXPECT_THAT(refused(Kind::kConflict, "b3", at("198.18.2.12:80")),
              ElementsAre("address: 198.18.2.12:80 is backend b2 of chat already"));
  EXPECT_THAT(refused(Kind::kConflict, "b3", at("198.18.1.100:443")),
              ElementsAre("address: 198.18.1.100:443 is a listen address of chat: a loop"));
  EXPECT_THAT(refused(Kind::kConflict, "b3", at("198.18.2.101:80")),
              ElementsAre("address: 198.18.2.101:80 is a pool address of main, thus the balancer's own"));
  EXPECT_THAT(refused(Kind::kConflict, "b3", at("198.18.1.100:53")),
              ElementsAre("address: 198.18.1.100:53 is a VIP of chat, thus the balancer's own"));
  EXPECT_THAT(refused(Kind::kBad, "n2", at("[2001:db8:2::12]:80"), "dns"),
              ElementsAre("address: [2001:db8:2::12]:80 is an IPv6 address, but service dns has no IPv6 listen address"));
  EXPECT_THAT(refused(Kind::kNotFound, "b3", at("198.18.2.13:80"), "chta"),
              ElementsAre("there is no service 'chta'; did you mean chat?"));
  file_.addresses.manage = false;
  EXPECT_TRUE(change("b3", at("198.18.1.100:53"))) << "a listen address of another protocol is no loop, and may live elsewhere";
}

TEST_F(OverlayTest, EveryValueThatIsWrongIsTold) {
  EXPECT_THAT(
      refused(Kind::kBad, "B 3", AddBackend{endpoint("127.0.0.1:80"), 1001, 1'000'000'001, "a b"}),
      ElementsAre(HasSubstr("name: \"B 3\" is not a name (a-z, 0-9 and -, at most 32 characters)"),
                  HasSubstr("address: \"127.0.0.1:80\" is an address that packets cannot be forwarded to"),
                  HasSubstr("weight: 1001 is out of range (0-1000)"), HasSubstr("max_connections: 1000000001 is out of range"),
                  HasSubstr("public: \"a b\" is not a text without spaces")));
  refused(Kind::kBad, "b3", AddBackend{});
  EXPECT_THAT(refused(Kind::kBad, "b1", EditBackend{-1, 1ULL << 63, {}, kMaxRate + 1, 1'000'000'001}),
              ElementsAre(HasSubstr("weight: -1 is"), HasSubstr("max_connections: "), HasSubstr("evict: 1000001 is"),
                          HasSubstr("connections: 1000000001 is")));
  EXPECT_THAT(refused(Kind::kBad, "b1", EditBackend{}), ElementsAre(HasSubstr("nothing to change")));
  EXPECT_THAT(refused(Kind::kBad, "b1", state(AdminState::kEnabled, 5)), ElementsAre(HasSubstr("evict: goes with state draining")));
}

TEST_F(OverlayTest, WeightAndLimitAreLaidOverTheFile) {
  EXPECT_EQ(done("b2", EditBackend{7, 5, {}, {}, {}}), Applied::kChanged);
  EXPECT_EQ(*find(effective().config, "b2"), (config::Backend{"b2", endpoint("198.18.2.12:80"), 7, 5, "wss://b2.example.com/ws"}));
  EXPECT_EQ(done("b2", weight(7)), Applied::kNothing);
  EXPECT_THAT(names(effective().config), ElementsAre("b1", "b2", "v6")) << "in the order of the file";
}

TEST_F(OverlayTest, AChangeToWhatTheFileSaysIsNone) {
  done("b2", weight(7));
  EXPECT_EQ(done("b2", weight(50)), Applied::kChanged);
  EXPECT_TRUE(overlay_.changes().empty());
  EXPECT_EQ(done("b1", weight(100)), Applied::kNothing);
}

TEST_F(OverlayTest, DrainDisableAndEnable) {
  EXPECT_EQ(done("b1", state(AdminState::kDraining, 20)), Applied::kChanged);
  EXPECT_EQ(mark("198.18.2.11:80"), (Mark{"b1", Mark::Standing::kDraining, 20}));
  EXPECT_EQ(effective().config, file_) << "it keeps its weight";
  EXPECT_EQ(done("b1", EditBackend{{}, {}, {}, 30, {}}), Applied::kChanged) << "another pace";
  EXPECT_EQ(mark("198.18.2.11:80").evict, 30U);
  done("b1", weight(7));
  EXPECT_EQ(mark("198.18.2.11:80").evict, 30U);
  done("b1", state(AdminState::kDisabled));
  EXPECT_EQ(mark("198.18.2.11:80"), (Mark{"b1", Mark::Standing::kDisabled, 0})) << "a state without a pace ends evicting";
  EXPECT_EQ(done("b1", state(AdminState::kEnabled)), Applied::kChanged);
  EXPECT_EQ(mark("198.18.2.11:80"), (Mark{"b1", Mark::Standing::kServing, 0}));
  done("b1", weight(100));
  EXPECT_TRUE(overlay_.changes().empty());
  EXPECT_EQ(done("b1", state(AdminState::kEnabled)), Applied::kNothing);
  EXPECT_THAT(refused(Kind::kConflict, "b1", EditBackend{{}, {}, {}, 30, {}}),
              ElementsAre("evict: chat/b1 takes new connections; drain it with the same request"));
}

TEST_F(OverlayTest, WhatIsNotThereCannotBeChanged) {
  for (const BackendChange& what : {BackendChange(weight(5)), BackendChange(RemoveBackend{}), BackendChange(ResetBackend{})}) {
    EXPECT_THAT(refused(Kind::kNotFound, "b3", what), ElementsAre(HasSubstr("service chat has no backend 'b3'; did you mean b1?")));
    EXPECT_THAT(refused(Kind::kNotFound, "b1", what, "voice"), ElementsAre("there is no service 'voice'"));
  }
}

TEST_F(OverlayTest, ARemovedBackendLeavesTheConfiguration) {
  done("b1", state(AdminState::kDraining, 20));
  EXPECT_EQ(done("b1", RemoveBackend{}), Applied::kChanged);
  EXPECT_THAT(names(effective().config), ElementsAre("b2", "v6"));
  EXPECT_EQ(mark("198.18.2.11:80"), (Mark{"b1", Mark::Standing::kRemoved, 20})) << "evicting goes on";
  EXPECT_THAT(refused(Kind::kConflict, "b1", RemoveBackend{}),
              ElementsAre("chat/b1 was removed at run time: reset it or add it to have it back"));
  refused(Kind::kConflict, "b1", state(AdminState::kEnabled));
  EXPECT_EQ(done("b1", ResetBackend{}), Applied::kChanged);
  EXPECT_EQ(effective().config, file_);
}

TEST_F(OverlayTest, ConnectionsOfARemovedBackendCanBeEvicted) {
  done("b1", RemoveBackend{});
  EXPECT_EQ(done("b1", state(AdminState::kDraining, 20)), Applied::kChanged);
  EXPECT_EQ(mark("198.18.2.11:80"), (Mark{"b1", Mark::Standing::kRemoved, 20}));
  EXPECT_EQ(done("b1", state(AdminState::kDraining, 20)), Applied::kNothing);
  EXPECT_EQ(done("b1", state(AdminState::kDraining)), Applied::kChanged);
  EXPECT_EQ(mark("198.18.2.11:80"), (Mark{"b1", Mark::Standing::kRemoved, 0})) << "draining again ends it";
  refused(Kind::kConflict, "b1", EditBackend{5, {}, AdminState::kDraining, {}, {}});
}

TEST_F(OverlayTest, ARemovedBackendOfNoFileCanOnlyBeAdded) {
  done("b9", at("198.18.2.19:80"));
  done("b9", RemoveBackend{});
  EXPECT_THAT(refused(Kind::kConflict, "b9", RemoveBackend{}),
              ElementsAre("chat/b9 was removed at run time: add it to have it back"));
}

TEST_F(OverlayTest, ARemovedBackendCanBeAddedAgain) {
  done("b1", RemoveBackend{});
  EXPECT_EQ(done("b1", at("198.18.2.11:80")), Applied::kCreated);
  EXPECT_TRUE(overlay_.changes().empty()) << "as the file has it";
  done("b1", RemoveBackend{});
  done("b1", at("198.18.2.19:80", 7));
  EXPECT_EQ(find(effective().config, "b1")->address, endpoint("198.18.2.19:80"));
  EXPECT_EQ(mark("198.18.2.19:80").standing, Mark::Standing::kServing);
  EXPECT_EQ(mark("198.18.2.11:80").standing, Mark::Standing::kRemoved) << "the one of the file drains";
  EXPECT_THAT(names(effective().config), ElementsAre("b2", "v6", "b1"));
}

TEST_F(OverlayTest, TheAddressOfARemovedBackendIsFree) {
  done("b1", RemoveBackend{});
  done("b3", at("198.18.2.11:80"));
  EXPECT_EQ(mark("198.18.2.11:80"), (Mark{"b3", Mark::Standing::kServing, 0}));
  // Should the old one come back, the address is its own.
  done("b1", ResetBackend{});
  EXPECT_EQ(effective().config, file_);
  EXPECT_THAT(effective().dormant, ElementsAre(HasSubstr("chat/b3: address: 198.18.2.11:80 is backend b1 of chat already; ")));
}

TEST_F(OverlayTest, ResetOfAnAddedBackendRemovesIt) {
  done("b3", at("198.18.2.13:80"));
  EXPECT_EQ(done("b3", ResetBackend{}), Applied::kChanged);
  EXPECT_TRUE(overlay_.changes().empty());
  EXPECT_EQ(done("b1", ResetBackend{}), Applied::kNothing);
}

TEST_F(OverlayTest, WhatGoesFromTheFileSleepsAndComesBack) {
  done("b1", weight(7));
  done("b3", at("198.18.2.13:80"));
  const auto changed = effective();
  auto without = file_;
  without.services[0].backends.erase(without.services[0].backends.begin());
  const auto asleep = test::effective(overlay_, without);
  EXPECT_THAT(names(asleep.config), ElementsAre("b2", "v6", "b3"));
  EXPECT_THAT(asleep.dormant,
              ElementsAre("chat/b1: is not in the configuration; what was changed of it at run time has no effect now "
                          "(wsl4ctl backend reset chat b1 drops it)"));
  without.services.erase(without.services.begin());
  EXPECT_EQ(test::effective(overlay_, without).config, without);
  EXPECT_EQ(test::effective(overlay_, without).dormant.size(), 2U);
  EXPECT_EQ(effective().config, changed.config);
}

TEST_F(OverlayTest, WhatSleepsCanBeReset) {
  done("b1", weight(7));
  const auto file = std::exchange(file_, {});
  EXPECT_EQ(done("b1", ResetBackend{}), Applied::kChanged);
  refused(Kind::kNotFound, "b1", ResetBackend{});
  file_ = file;
  EXPECT_EQ(effective().config, file_);
}

TEST_F(OverlayTest, AnAddedBackendTakesThePlaceOfTheFilesWhileItFits) {
  done("b3", at("198.18.2.13:80", 7));
  file_.services[0].backends.push_back({"b3", endpoint("198.18.2.33:80"), 100, 0, ""});
  EXPECT_EQ(find(effective().config, "b3")->address, endpoint("198.18.2.13:80"));
  EXPECT_EQ(mark("198.18.2.33:80").standing, Mark::Standing::kRemoved);
  file_.services[0].backends.push_back({"b4", endpoint("198.18.2.13:80"), 100, 0, ""});
  EXPECT_EQ(*find(effective().config, "b3"), file_.services[0].backends[3]);
  EXPECT_EQ(*find(effective().config, "b4"), file_.services[0].backends[4]);
  EXPECT_THAT(effective().dormant, ElementsAre(HasSubstr("198.18.2.13:80 is backend b4 of chat already")));
}

TEST_F(OverlayTest, SettlingForgetsWhatTheFileSaysToo) {
  const auto nobody = [](const std::string& /*service*/, const netlink::Endpoint& /*address*/) { return false; };
  done("b1", weight(7));
  done("b3", at("198.18.2.13:80"));
  EXPECT_FALSE(overlay_.settle(file_, nobody));
  file_.services[0].backends[0].weight = 7;
  file_.services[0].backends.push_back({"b3", endpoint("198.18.2.13:80"), 100, 0, ""});
  EXPECT_TRUE(overlay_.settle(file_, nobody));
  EXPECT_TRUE(overlay_.changes().empty());
  file_.services[0].backends[0].weight = 8;
  EXPECT_EQ(effective().config, file_) << "from now on the file holds";
}

TEST_F(OverlayTest, ARemovalIsForgottenWhenTheFileHasItTooAndItHasDrained) {
  done("b1", RemoveBackend{});
  done("b3", at("198.18.2.13:80"));
  done("b3", RemoveBackend{});
  const auto all = [](const std::string& /*service*/, const netlink::Endpoint& /*address*/) { return true; };
  EXPECT_FALSE(overlay_.settle(file_, all));
  const auto only_b1 = [](const std::string& service, const netlink::Endpoint& address) {
    return service == "chat" && address == endpoint("198.18.2.11:80");
  };
  EXPECT_TRUE(overlay_.settle(file_, only_b1)) << "b3 has drained";
  EXPECT_EQ(overlay_.changes().at("chat").size(), 1U);
  const auto nobody = [](const std::string& /*service*/, const netlink::Endpoint& /*address*/) { return false; };
  EXPECT_FALSE(overlay_.settle(file_, nobody)) << "the file has b1 still";
  file_.services[0].backends.erase(file_.services[0].backends.begin());
  EXPECT_FALSE(overlay_.settle(file_, only_b1));
  EXPECT_TRUE(overlay_.settle(file_, nobody));
  EXPECT_TRUE(overlay_.changes().empty());
}

TEST_F(OverlayTest, ReportsHoldForAMinute) {
  const EditBackend report{{}, {}, {}, {}, 41};
  EXPECT_EQ(done("b1", report), Applied::kReported);
  EXPECT_EQ(overlay_.reported("chat", "b1", test::kChangedAt + kReportLifetime - 1ms), 41U);
  EXPECT_EQ(overlay_.reported("chat", "b1", test::kChangedAt + kReportLifetime), std::nullopt);
  EXPECT_EQ(overlay_.reported("chat", "b2", test::kChangedAt), std::nullopt);
  EXPECT_TRUE(overlay_.changes().empty());
  EXPECT_TRUE(effective().marks.empty());
  EXPECT_EQ(done("b1", EditBackend{7, {}, {}, {}, 42}), Applied::kChanged);
  EXPECT_EQ(overlay_.reported("chat", "b1", test::kChangedAt), 42U);
  done("b1", at("198.18.2.11:80", 7));
  EXPECT_EQ(overlay_.reported("chat", "b1", test::kChangedAt), 42U) << "nothing was added";
  done("b1", RemoveBackend{});
  EXPECT_EQ(overlay_.reported("chat", "b1", test::kChangedAt), std::nullopt);
}

TEST_F(OverlayTest, FollowsAnotherNodesChanges) {
  done("b1", EditBackend{7, {}, {}, {}, 42});
  done("b2", weight(3));
  overlay_.count_change("lb-a", 1000);
  Changes theirs;
  theirs["chat"]["b1"].weight = 7;
  theirs["chat"]["b3"].weight = 9;
  theirs["other"]["b1"].state = AdminState::kDraining;
  EXPECT_THAT(differing(overlay_.changes(), theirs), ElementsAre("chat/b2", "chat/b3", "other/b1"));
  overlay_.follow(Overlay(theirs, VersionVector({{"lb-b", 5}})));
  EXPECT_EQ(overlay_.changes(), theirs);
  EXPECT_TRUE(differing(overlay_.changes(), theirs).empty());
  EXPECT_EQ(overlay_.versions(), VersionVector({{"lb-a", 1000}, {"lb-b", 5}}));
  EXPECT_EQ(overlay_.reported("chat", "b1", test::kChangedAt), 42U) << "what a backend said of itself is not touched";
}

TEST_F(OverlayTest, OnlySoManyBackendsAreRemembered) {
  Changes full;
  for (std::size_t i = 0; i < kMaxChangedBackends; ++i) full["gone"][std::to_string(i)].weight = 5;
  overlay_ = Overlay(full);
  EXPECT_THAT(refused(Kind::kConflict, "b1", weight(7)), ElementsAre(HasSubstr("10000 backends are changed at run time already")));
  full["gone"].erase("0");
  overlay_ = Overlay(full);
  EXPECT_TRUE(change("b1", weight(7)));
  EXPECT_TRUE(change("b1", weight(8))) << "it is one of them";
}

}  // namespace
}  // namespace wsl4::service
