#include "daemon/runtime/event_log.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

namespace wsl4::runtime {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// Runs `after` to its end and returns the names it yields; `meanwhile` runs once it waits.
std::vector<std::string> names_after(
    asio::io_context& io, EventLog& log, std::uint64_t sequence, std::chrono::milliseconds wait,
    const std::function<void()>& meanwhile = [] {}) {
  std::vector<std::string> names;
  auto ask = [&]() -> asio::awaitable<void> {
    for (const auto& event : co_await log.after(sequence, wait)) names.push_back(event.name);
  };
  asio::co_spawn(io, ask(), asio::detached);
  asio::post(io, meanwhile);
  io.run();
  io.restart();
  return names;
}

TEST(EventLog, OldestFirstAfterASequenceNumber) {
  asio::io_context io;
  EventLog log(io);
  log.add("one", "");
  log.add("two", "", "chat", "a");
  log.add("three", "");
  EXPECT_EQ(names_after(io, log, 0, 0ms), (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(names_after(io, log, 2, 1h), (std::vector<std::string>{"three"}));
  EXPECT_EQ(names_after(io, log, 3, 0ms), std::vector<std::string>{});
}

TEST(EventLog, WaitsForTheNextOne) {
  asio::io_context io;
  EventLog log(io);
  log.add("old", "");
  EXPECT_EQ(names_after(io, log, 1, 1h, [&] { log.add("new", ""); }), (std::vector<std::string>{"new"}));
}

TEST(EventLog, ANumberOfAnEarlierDaemonIsNoReasonToHideWhatIsNew) {
  asio::io_context io;
  EventLog log(io);
  log.add("started", "");
  EXPECT_EQ(names_after(io, log, 17, 1h), (std::vector<std::string>{"started"}));
}

TEST(EventLog, GivesUpWaitingInTime) {
  asio::io_context io;
  EventLog log(io);
  EXPECT_EQ(names_after(io, log, 0, 1ms), std::vector<std::string>{});
}

TEST(EventLog, KeepsTheLastThousand) {
  asio::io_context io;
  EventLog log(io);
  for (int count = 0; count < 1200; ++count) log.add(std::to_string(count), "");
  const auto names = names_after(io, log, 0, 0ms);
  ASSERT_EQ(names.size(), 1000U);
  EXPECT_EQ(names.front(), "200");
  EXPECT_EQ(names.back(), "1199");
}

}  // namespace
}  // namespace wsl4::runtime
