#include "daemon/util/async_lock.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

namespace wsl4::util {
namespace {

namespace asio = boost::asio;

TEST(AsyncLock, WhoComesLaterWaitsForWhoHoldsIt) {
  asio::io_context io;
  AsyncLock lock(io);
  std::vector<std::string> order;
  auto work = [&](std::string name) -> asio::awaitable<void> {
    const auto held = co_await lock.acquire();
    order.push_back(name + " begins");
    co_await asio::post(io, asio::use_awaitable);
    co_await asio::post(io, asio::use_awaitable);
    order.push_back(name + " ends");
  };
  for (const auto* name : {"a", "b", "c"}) asio::co_spawn(io, work(name), asio::detached);
  io.run();
  EXPECT_EQ(order, (std::vector<std::string>{"a begins", "a ends", "b begins", "b ends", "c begins", "c ends"}));
}

}  // namespace
}  // namespace wsl4::util
