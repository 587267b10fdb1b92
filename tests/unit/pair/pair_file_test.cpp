#include "daemon/pair/pair_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/http_bed.h"

namespace wsl4::pair {
namespace {

using testing::HasSubstr;

class PairFileTest : public testing::Test {
 protected:
  void write(const std::string& text) const { std::ofstream(file_.path()) << text; }

  test::TemporaryFolder folder_;
  PairFile file_{folder_.file("")};
};

TEST_F(PairFileTest, NoFileIsTheDefault) { EXPECT_EQ(file_.load(), PairState{}); }

TEST_F(PairFileTest, WhatIsSavedIsLoaded) {
  for (const PairState state : {PairState{true, false}, PairState{false, true, 1'764'000'000'000}, PairState{true, true},
                                PairState{false, false, 0, true}, PairState{}}) {
    ASSERT_TRUE(file_.save(state));
    EXPECT_EQ(file_.load(), state);
  }
  EXPECT_FALSE(std::filesystem::exists(file_.path() + ".new"));
}

TEST_F(PairFileTest, WhatIsMissingIsFalseAndWhatIsUnknownIsLeftOut) {
  write(R"({"version": 1, "promoted": true, "later": {}})");
  EXPECT_EQ(file_.load(), (PairState{false, true}));
}

TEST_F(PairFileTest, ABrokenFileIsAnErrorThatNamesIt) {
  for (const std::string text : {"", "{", "[]", "{}", R"({"version": 2})", R"({"version": 1, "peer_synced": 1})",
                                 R"({"version": 1, "promoted": "yes"})", R"({"version": 1, "promoted_at": "now"})"}) {
    write(text);
    const auto loaded = file_.load();
    ASSERT_FALSE(loaded) << text;
    EXPECT_THAT(loaded.error(), HasSubstr(file_.path() + " is broken")) << text;
  }
}

TEST_F(PairFileTest, AFileThatCannotBeReadIsNoDefault) {
  std::filesystem::create_directory(file_.path());
  EXPECT_FALSE(file_.load());
}

/// A temporary file that cannot be made stands for a disk without room.
TEST_F(PairFileTest, ThatThePeerIsNotSyncedIsSavedOnAFullDisk) {
  ASSERT_TRUE(file_.save({.peer_synced = true}));
  std::filesystem::create_directory(file_.path() + ".new");
  ASSERT_FALSE(file_.save({.peer_synced = true, .promoted = true}));
  EXPECT_TRUE(file_.load()->peer_synced);
  EXPECT_FALSE(file_.save({.peer_synced = false})) << "told, and tried again";
  EXPECT_EQ(file_.load(), PairState{});
}

TEST_F(PairFileTest, AFolderThatIsNotThereIsTold) {
  const PairFile nowhere(folder_.file("nowhere"));
  const auto saved = nowhere.save({});
  ASSERT_FALSE(saved);
  EXPECT_THAT(saved.error(), HasSubstr("nowhere/pair.json"));
}

}  // namespace
}  // namespace wsl4::pair
