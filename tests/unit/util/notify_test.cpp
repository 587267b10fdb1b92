#include "daemon/util/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "netlink/handle.h"

namespace wsl4::notify {
namespace {

/// A service manager that reads when it is asked to; `name` as NOTIFY_SOCKET has it.
class Manager {
 public:
  explicit Manager(const std::string& name) : name_(name) {
    address_.sun_family = AF_UNIX;
    std::ranges::copy(name, address_.sun_path);
    if (name[0] == '@') address_.sun_path[0] = 0;
    size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(socket_.get(), address(), size_), 0) << std::strerror(errno);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~Manager() {
    ::unsetenv("NOTIFY_SOCKET");
    if (name_[0] == '/') ::unlink(name_.c_str());
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  void fill() const {
    const netlink::Fd other(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    while (::sendto(other.get(), "X=1", 3, MSG_DONTWAIT, address(), size_) == 3) continue;
    EXPECT_EQ(errno, EAGAIN);
  }
  [[nodiscard]] std::vector<std::string> read() const {
    std::vector<std::string> messages;
    std::array<char, 4096> buffer{};
    for (ssize_t got = 0; (got = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0;)
      messages.emplace_back(buffer.data(), static_cast<std::size_t>(got));
    return messages;
  }

 private:
  [[nodiscard]] const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&address_); }

  std::string name_;
  sockaddr_un address_{};
  socklen_t size_ = 0;
  netlink::Fd socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

class Notify : public testing::TestWithParam<const char*> {
 protected:
  Manager manager_{GetParam() + std::to_string(::getpid())};
};

using Messages = std::vector<std::string>;

TEST_P(Notify, TellsStates) {
  ready("3 services");
  watchdog();
  stopping();
  EXPECT_EQ(manager_.read(), (Messages{"READY=1\nSTATUS=3 services", "WATCHDOG=1", "STOPPING=1"}));
}

TEST_P(Notify, AManagerThatDoesNotReadHoldsNothingUpAndMissesNoState) {
  manager_.fill();
  reloading();
  ready("3 services");
  for (int i = 0; i < 1000; ++i) watchdog();
  for (const auto& message : manager_.read()) EXPECT_EQ(message, "X=1");
  watchdog();
  const auto told = manager_.read();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].find("RELOADING=1\nMONOTONIC_USEC="), 0U);
  EXPECT_NE(told[0].find("\nREADY=1\nSTATUS=3 services\nWATCHDOG=1"), std::string::npos);
  watchdog();
  EXPECT_EQ(manager_.read(), Messages{"WATCHDOG=1"}) << "once";
}

INSTANTIATE_TEST_SUITE_P(Names, Notify, testing::Values("/tmp/wsl4-notify-", "@wsl4-notify-"));

TEST(NotifyWithoutAManager, SaysNothing) { ready("3 services"); }

}  // namespace
}  // namespace wsl4::notify
