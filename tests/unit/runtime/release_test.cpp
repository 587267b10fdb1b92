#include "daemon/runtime/release.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "daemon/pair/pair_file.h"
#include "daemon/util/file.h"
#include "tests/support/http_bed.h"

namespace wsl4::runtime {
namespace {

using testing::HasSubstr;

/// A broken pair.json names itself in the error, and so tells which directory was looked into; no address is touched.
class ReleaseTest : public testing::Test {
 protected:
  ReleaseTest() {
    std::ofstream(file_.path()) << "{";
    for (const auto* name : {"STATE_DIRECTORY", "SERVICE_RESULT"}) ::unsetenv(name);
  }
  ~ReleaseTest() override {
    for (const auto* name : {"STATE_DIRECTORY", "SERVICE_RESULT"}) ::unsetenv(name);
  }

  [[nodiscard]] std::string config(const std::string& text) const {
    std::ofstream(folder_.file("wsl4.toml")) << text;
    return folder_.file("wsl4.toml");
  }
  [[nodiscard]] std::string setting() const { return "state_dir = \"" + folder_.file("") + "\""; }
  void expect_looked_at(const std::string& path) const {
    const auto released = release(path);
    ASSERT_FALSE(released) << *released;
    EXPECT_THAT(released.error(), HasSubstr(file_.path()));
  }

  test::TemporaryFolder folder_;
  pair::PairFile file_{folder_.file("")};
};

TEST_F(ReleaseTest, FindsItsStateDirectoryWhateverIsWrongWithTheConfiguration) {
  for (const auto& text : {"[node]\n" + setting() + "  # ours\n", "[node]\nname = 3\n" + setting() + "\n[nonsense]\n",
                           "[ha\npeer = [\n[node]\nname = \n" + setting() + "\n\"",
                           "[control]\n  [node]\n\t" + setting() + "\n[broken", "node." + setting() + "\n= =\n"})
    expect_looked_at(config(text));
}

TEST_F(ReleaseTest, ElseItIsTheUnits) {
  ::setenv("STATE_DIRECTORY", (folder_.file("") + ":/nowhere").c_str(), 1);
  expect_looked_at(folder_.file("gone.toml"));
  expect_looked_at(config("[node]\n# state_dir = \"/nowhere\"\nstate_dir = 7\n[control]\nstate_dir = \"/nowhere\"\n"));
}

TEST_F(ReleaseTest, ANodeWithoutASyncedPeerKeepsItsAddresses) {
  ASSERT_TRUE(file_.save({.peer_synced = false}));
  EXPECT_THAT(release(config("[node]\n" + setting())).value(), HasSubstr("no synced peer"));
}

TEST_F(ReleaseTest, APromotedNodeThatIsStartedAgainKeepsItsAddresses) {
  const auto lives = util::lock_folder(folder_.file(""));  // so that none is looked for
  const auto path = config("[node]\n" + setting());
  for (const bool promoted : {false, true}) {
    ASSERT_TRUE(file_.save({.peer_synced = true, .promoted = promoted}));
    for (const auto* result : {"signal", "core-dump", "watchdog", "exit-code"}) {
      ::setenv("SERVICE_RESULT", result, 1);
      const bool stays = promoted && std::string(result) != "exit-code";
      EXPECT_THAT(release(path).value(), HasSubstr(stays ? "goes on forwarding here until" : "a daemon runs with")) << result;
    }
  }
}

TEST_F(ReleaseTest, ADaemonThatLivesKeepsItsAddresses) {
  ASSERT_TRUE(file_.save({.peer_synced = true}));
  const auto lives = util::lock_folder(folder_.file(""));
  ASSERT_TRUE(lives && *lives);
  EXPECT_THAT(release(config("[node]\n" + setting())).value(), HasSubstr("a daemon runs with"));
}

}  // namespace
}  // namespace wsl4::runtime
