#include "daemon/pair/hook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "tests/support/eventually.h"
#include "tests/support/http_bed.h"

namespace wsl4::pair {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class HookRunnerTest : public testing::Test {
 protected:
  void SetUp() override { ::chmod(folder_.file("").c_str(), 0777); }
  /// A shell script; "$OUT" is the file that `said` reads.
  Hook script(const std::string& name, const std::string& lines, const std::string& role = "active") {
    const auto path = folder_.file(name);
    std::ofstream(path) << "#!/bin/sh\nexec >>\"$OUT\"\n" << lines;
    ::chmod(path.c_str(), 0755);
    return {path, role, {"OUT=" + folder_.file("out")}};
  }
  void run_until_idle() {
    io_.restart();
    while (runner_.busy()) io_.run_one();
  }
  std::string said() {
    std::ifstream file(folder_.file("out"));
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  test::TemporaryFolder folder_;
  boost::asio::io_context io_;
  std::vector<std::string> failed_;
  HookRunner runner_{io_, [this](const Hook&, const std::string& what) { failed_.push_back(what); }};
};

TEST_F(HookRunnerTest, HasTheRoleInItsEnvironmentAndNoCapability) {
  runner_.run(script("hook", "echo role $WSL4_ROLE\ngrep -E 'CapAmb|NoNewPrivs' /proc/self/status\n"));
  run_until_idle();
  EXPECT_THAT(failed_, IsEmpty());
  EXPECT_THAT(said(), HasSubstr("role active\n"));
  EXPECT_THAT(said(), HasSubstr("CapAmb:\t0000000000000000\n"));
  EXPECT_THAT(said(), HasSubstr("NoNewPrivs:\t1\n"));
}

TEST_F(HookRunnerTest, OneAtATimeAndOfThoseThatWaitTheLast) {
  auto hook = script("hook", "echo $NUMBER\necho $NUMBER is over\n");
  for (const auto* number : {"NUMBER=1", "NUMBER=2", "NUMBER=3"}) {
    hook.environment.resize(1);
    hook.environment.emplace_back(number);
    runner_.run(hook);
  }
  run_until_idle();
  EXPECT_EQ(said(), "1\n1 is over\n3\n3 is over\n");
}

TEST_F(HookRunnerTest, OneOfARoleThatIsOverIsEndedAndNoFailure) {
  const auto slow = script("active", "trap 'echo ended; exit 1' TERM\nsleep 1000 &\necho active\nwait\n");
  const auto run_slow = [&](const std::string& before) {
    runner_.run(slow);
    ASSERT_TRUE(test::eventually([&] { return said() == before + "active\n"; }));
  };
  run_slow("");
  runner_.run(script("standby", "echo standby\n", "standby"));
  run_until_idle();
  const std::string both = "active\nended\nstandby\n";
  EXPECT_EQ(said(), both);
  run_slow(both);
  runner_.run(slow);
  runner_.leave();
  run_until_idle();
  EXPECT_EQ(said(), both + "active\nended\n") << "and the one that waited has not run";
  EXPECT_THAT(failed_, IsEmpty());
  EXPECT_EQ(runner_.failure(), std::nullopt);
}

TEST_F(HookRunnerTest, FailuresAreTold) {
  for (const auto* lines : {"exit 3\n", "kill -9 $$\n"}) {
    runner_.run(script("hook", lines));
    run_until_idle();
  }
  const auto plain = script("plain", "");
  ::chmod(plain.program.c_str(), 0644);
  for (const auto& hook : {Hook{folder_.file("nobody"), "active", {}}, plain, script("next", "exit 4\n")}) {
    runner_.run(hook);
    run_until_idle();
  }
  EXPECT_THAT(failed_, ElementsAre("ended with status 3", "was ended by signal 9", "cannot be run: No such file or directory",
                                   "cannot be run: Permission denied", "ended with status 4"));
  EXPECT_EQ(runner_.failure(), folder_.file("next") + " ended with status 4");
  runner_.run(script("good", "exit 0\n"));
  run_until_idle();
  EXPECT_EQ(runner_.failure(), std::nullopt);
}

/// A zombie counts as gone.
bool is_gone(const std::string& process) {
  std::ifstream file("/proc/" + process + "/stat");
  std::string number, name, state;
  return !(file >> number >> name >> state) || state == "Z";
}

TEST_F(HookRunnerTest, OneThatHangsIsKilledWithWhatItStarted) {
  HookRunner impatient(
      io_, [this](const Hook&, const std::string& what) { failed_.push_back(what); }, std::chrono::seconds(1));
  impatient.run(script("hook", "sleep 1000 &\necho $!\nwait\n"));
  while (impatient.busy()) io_.run_one();
  EXPECT_THAT(failed_, ElementsAre("was killed after 1000 ms"));
  const auto child = said().substr(0, said().find('\n'));
  ASSERT_FALSE(child.empty());
  EXPECT_TRUE(test::eventually([&] { return is_gone(child); }));
}

}  // namespace
}  // namespace wsl4::pair
