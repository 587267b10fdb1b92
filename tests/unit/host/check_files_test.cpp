#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "daemon/host/check.h"
#include "tests/support/http_bed.h"
#include "tests/unit/host/finding.h"

namespace wsl4::host {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

auto error(const std::string& what, const std::string& remedy) { return finding(Finding::Severity::kError, what, remedy); }

class CheckFiles : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::chmod(folder_.file("").c_str(), 0755), 0);
    config_.ha.emplace().key_file = folder_.file("peer.key");
  }

  /// Of the daemon's user, where there is one.
  std::string write(const std::string& name, const std::string& text, mode_t mode) {
    const auto path = folder_.file(name);
    std::ofstream(path) << text;
    const passwd* const user = ::getpwnam("wsl4");
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    if (user != nullptr) { EXPECT_EQ(::chown(path.c_str(), user->pw_uid, user->pw_gid), 0); }
    return path;
  }
  std::vector<Finding> findings() { return look_at_files(config_); }

  test::TemporaryFolder folder_;
  config::Config config_;
};

TEST_F(CheckFiles, TheRemedyForAKeyFileFitsWhatIsWrongWithIt) {
  EXPECT_THAT(findings(), ElementsAre(error("ha.key_file: cannot open", "wsl4ctl keygen " + config_.ha->key_file)));
  write("peer.key", "abc\n" + std::string(64, 'g') + "\n", 0600);
  EXPECT_THAT(findings(),
              ElementsAre(error("peer.key:1: a key has 64", "correct it; both nodes"), error("peer.key:2:", "correct it")));
  write("peer.key", std::string(64, '1'), 0644);
  EXPECT_THAT(findings(), ElementsAre(error("chmod 0600", "correct it")));
  write("peer.key", std::string(64, '1'), 0600);
  EXPECT_THAT(findings(), IsEmpty());
  config_.ha->key_file = folder_.file("");
  EXPECT_THAT(findings(), ElementsAre(error("is a folder, not a file", "correct it")));
}

TEST_F(CheckFiles, HooksMustBeProgramsThatTheDaemonCanRun) {
  write("peer.key", std::string(64, '1'), 0600);
  config_.ha->hook_active = write("active", "#!/bin/sh\n", 0755);
  EXPECT_THAT(findings(), IsEmpty());
  ::chmod(config_.ha->hook_active.c_str(), 0644);
  config_.ha->hook_standby = folder_.file("standby");
  EXPECT_THAT(
      findings(),
      ElementsAre(error("ha.hooks.active: user wsl4 cannot run " + config_.ha->hook_active + ": Permission denied",
                        "chmod 0755 " + config_.ha->hook_active),
                  error("ha.hooks.standby: user wsl4 cannot run " + config_.ha->hook_standby + ": No such file", "correct")));
  config_.ha->hook_active = folder_.file("");
  EXPECT_THAT(findings(), testing::Contains(error("it is a folder", "correct the path")));
}

}  // namespace
}  // namespace wsl4::host
