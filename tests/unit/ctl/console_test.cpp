#include "daemon/ctl/console.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "netlink/handle.h"

namespace wsl4::ctl {
namespace {

/// Standard output is a terminal, or a pipe, for as long as this lives.
class Output {
 public:
  explicit Output(bool terminal) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(terminal ? ::openpty(&ends[0], &ends[1], nullptr, nullptr, nullptr) : ::pipe(ends), 0);
    near_ = netlink::Fd(ends[0]);
    const netlink::Fd far(ends[1]);
    ::dup2(far.get(), STDOUT_FILENO);
  }
  ~Output() { ::dup2(before_.get(), STDOUT_FILENO); }

 private:
  netlink::Fd before_{::dup(STDOUT_FILENO)}, near_;
};

class ConsoleColour : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TERM", "xterm", 1);
    ::unsetenv("NO_COLOR");
  }
  static bool coloured(bool terminal) {
    const Output output(terminal);
    return process_console().colour;
  }
};

TEST_F(ConsoleColour, IsForTerminals) {
  EXPECT_TRUE(coloured(true));
  EXPECT_FALSE(coloured(false));
}

TEST_F(ConsoleColour, IsNotWantedWhereNoColorIsSetAndNotEmpty) {
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(coloured(true));
  ::setenv("NO_COLOR", "", 1);
  EXPECT_TRUE(coloured(true)) << "https://no-color.org: an empty value does not count";
}

TEST_F(ConsoleColour, IsNotForDumbTerminals) {
  ::setenv("TERM", "dumb", 1);
  EXPECT_FALSE(coloured(true));
}

TEST(ConsoleOutput, ThatCannotBeWrittenEndsWithStatus1AndAMessage) {
  const auto write_full = [] {
    ::dup2(::open("/dev/full", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
    process_console().out("x\n");
  };
  EXPECT_EXIT(write_full(), testing::ExitedWithCode(1), "^wsl4ctl: cannot write to standard output: No space left on device\n$");
  const auto write_closed = [] {
    ::close(STDOUT_FILENO);
    const auto console = process_console();
    if (::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) > STDERR_FILENO) console.out("x\n");
  };
  EXPECT_EXIT(write_closed(), testing::ExitedWithCode(1), "^wsl4ctl: cannot write to standard output: Bad file descriptor\n$");
}

TEST(ConsoleOutput, ThatNobodyReadsAnyMoreEndsWithoutAWord) {
  const auto write = [] {
    std::signal(SIGPIPE, SIG_IGN);
    int ends[2] = {-1, -1};
    ASSERT_EQ(::pipe(ends), 0);
    ::close(ends[0]);
    ::dup2(ends[1], STDOUT_FILENO);
    process_console().out("x\n");
  };
  EXPECT_EXIT(write(), testing::ExitedWithCode(1), "^$");
}

}  // namespace
}  // namespace wsl4::ctl
