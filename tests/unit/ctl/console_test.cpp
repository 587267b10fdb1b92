#include "daemon/ctl/console.h"

#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

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

}  // namespace
}  // namespace wsl4::ctl
