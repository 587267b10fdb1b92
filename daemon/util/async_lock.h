// Mutual exclusion for coroutines of one thread: who comes while it is held waits in turn.
#pragma once

#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace wsl4::util {

class AsyncLock {
 public:
  /// Gives the lock back when it goes.
  class Held {
   public:
    explicit Held(AsyncLock* lock) : lock_(lock) {}
    Held(Held&& other) noexcept : lock_(std::exchange(other.lock_, nullptr)) {}
    Held& operator=(Held&&) = delete;
    ~Held() {
      if (lock_ != nullptr) lock_->give();
    }

   private:
    AsyncLock* lock_;
  };

  explicit AsyncLock(boost::asio::io_context& io) : token_(io, 1) { give(); }

  boost::asio::awaitable<Held> acquire() {
    co_await token_.async_receive(boost::asio::use_awaitable);
    co_return Held(this);
  }

 private:
  void give() { token_.try_send(boost::system::error_code{}); }

  boost::asio::experimental::channel<void(boost::system::error_code)> token_;  // holds one message while the lock is free
};

}  // namespace wsl4::util
