// Runs a function on another thread's io_context and awaits its result here. Callers are bounded: each one is a request of the
// control API (at most http's connection limit) or the one control loop.
#pragma once

#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace wsl4::util {

namespace detail {
template <class Function>
boost::asio::awaitable<std::invoke_result_t<Function>> call(Function function) {
  co_return function();
}
}  // namespace detail

template <class Function>
boost::asio::awaitable<std::invoke_result_t<Function>> ask(boost::asio::io_context& other, Function function) {
  auto call = detail::call(std::move(function));
  co_return co_await boost::asio::co_spawn(other, std::move(call), boost::asio::use_awaitable);
}

}  // namespace wsl4::util
