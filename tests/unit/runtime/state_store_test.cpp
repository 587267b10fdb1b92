#include "daemon/runtime/state_store.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "daemon/util/as_user.h"

namespace wsl4::runtime {
namespace {

class StateStoreTest : public testing::Test {
 protected:
  StateStoreTest() {
    std::string pattern = testing::TempDir() + "wsl4-state-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~StateStoreTest() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& text) const { std::ofstream(directory_ + "/state.json") << text; }

  std::string directory_;
};

TEST_F(StateStoreTest, NoFileIsAnEmptyState) { EXPECT_EQ(StateStore(directory_).load(), State{}); }

TEST_F(StateStoreTest, WhatIsSavedIsLoaded) {
  State state;
  state.sysctls = {{"net/ipv4/ip_forward", {"0", "1"}}, {"net/netfilter/nf_conntrack_tcp_loose", {"1", "0"}}};
  state.mark_mask = 0xffffff00;
  const StateStore store(directory_);
  ASSERT_TRUE(store.save(state));
  EXPECT_EQ(store.load(), state);
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/state.json.new"));
  ASSERT_TRUE(store.remove());
  EXPECT_EQ(store.load(), State{});
  EXPECT_TRUE(store.remove()) << "removing what is not there is done already";
}

TEST_F(StateStoreTest, ASlowStartGoesOnWhereItWas) {
  const auto address = netlink::Endpoint::parse("198.18.2.11:80");
  ASSERT_TRUE(address);
  const service::WallTime since(std::chrono::milliseconds(1'764'126'593'999));
  const StateStore store(directory_);
  ASSERT_TRUE(store.save({.sysctls = {}, .newcomers = {{"chat", *address, since}}}));
  const auto loaded = store.load();
  ASSERT_TRUE(loaded);
  ASSERT_EQ(loaded->newcomers.size(), 1U);
  EXPECT_LT(std::chrono::abs(loaded->newcomers[0].since - since), std::chrono::milliseconds(1));
}

TEST_F(StateStoreTest, TheValueBeforeTheFirstChangeIsKept) {
  State state;
  state.note_change("timeout", "432000", "4200");
  state.note_change("timeout", "4200", "7800");
  EXPECT_EQ(state.sysctls.at("timeout"), (host::ChangedSysctl{"432000", "7800"}));
}

TEST_F(StateStoreTest, SysctlsOfAnEarlierBootAreNotGoneBackTo) {
  const auto address = netlink::Endpoint::parse("198.18.2.11:80");
  ASSERT_TRUE(address);
  State state;
  state.note_change("net/ipv4/ip_forward", "0", "1");
  state.newcomers = {{"chat", *address, service::WallTime(std::chrono::seconds(1'764'126'593))}};
  ASSERT_TRUE(StateStore(directory_, "one").save(state));
  EXPECT_EQ(StateStore(directory_, "one").load(), state);
  const StateStore later(directory_, "two");
  EXPECT_EQ(later.load(true), state) << "somebody knows that it is the same boot";
  auto loaded = later.load();
  EXPECT_EQ(loaded, (State{.sysctls = {}, .newcomers = state.newcomers}));
  loaded->note_change("net/ipv4/ip_forward", "2", "1");
  ASSERT_TRUE(later.save(*loaded));
  EXPECT_EQ(later.load()->sysctls.at("net/ipv4/ip_forward").before, "2");
}

TEST_F(StateStoreTest, ValuesOfTimersAreKeptForThisBoot) {
  const flows::TimeoutHistory::TimePoint then{std::chrono::nanoseconds(123'456'789'012'345)};
  State state;
  state.timeouts.seen(std::chrono::seconds(4200), then);
  state.timeouts.seen(std::chrono::seconds(87000), then + std::chrono::hours(1));
  ASSERT_TRUE(StateStore(directory_, "one").save(state));
  EXPECT_EQ(StateStore(directory_, "one").load(), state);
  EXPECT_EQ(StateStore(directory_, "two").load(), State{});
  ASSERT_TRUE(StateStore(directory_, "").save(state));
  EXPECT_EQ(StateStore(directory_, "").load(), State{}) << "who knows";
}

TEST_F(StateStoreTest, ABootHasAName) { EXPECT_FALSE(running_boot().empty()); }

TEST_F(StateStoreTest, AnOldFileIsRead) {
  write(R"({"version": 1, "old_sysctls": {"net/ipv4/ip_forward": "0"},
            "addresses": [{"address": "198.18.1.100", "interface": "front"}]})");
  State state;
  state.sysctls = {{"net/ipv4/ip_forward", {"0", ""}}};
  EXPECT_EQ(StateStore(directory_).load(), state);
}

TEST_F(StateStoreTest, ABrokenFileIsAnErrorAndStays) {
  for (const std::string text : {"", "{", "[]", R"({"version": 1})", R"({"old_sysctls": {"net/ipv4/ip_forward": 0}})",
                                 R"({"old_sysctls": {"net/ipv4/ip_forward": "0"}, "set_sysctls": {}})",
                                 R"({"old_sysctls": {}, "established_timeouts": [{}]})"}) {
    write(text);
    const auto loaded = StateStore(directory_).load();
    ASSERT_FALSE(loaded) << text;
    EXPECT_NE(loaded.error().find("state.json is broken"), std::string::npos) << loaded.error();
    EXPECT_TRUE(std::filesystem::exists(directory_ + "/state.json"));
  }
}

TEST_F(StateStoreTest, AFolderThatMayNotBeSearchedIsAnError) {
  const auto loaded = util::as_user("nobody", [this] { return StateStore(directory_).load(); });  // it is root's, of mode 0700
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error(), "cannot open " + directory_ + "/state.json: Permission denied to user nobody");
}

TEST_F(StateStoreTest, AMissingDirectoryIsNamed) {
  const auto saved = StateStore(directory_ + "/gone").save({});
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error(), "cannot create " + directory_ + "/gone/state.json.new: No such file or directory");
}

}  // namespace
}  // namespace wsl4::runtime
