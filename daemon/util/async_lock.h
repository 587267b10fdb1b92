// Mutual exclusion for coroutines of one thread: who comes while it is held waits in turn.
#pragma once

#include <memory>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace wsl4::util {

class AsyncLock {
  using Token = boost::asio::experimental::channel<void(boost::system::error_code)>;  // holds one message while the lock is free

 public:
  /// Gives the lock back when it goes.
  class Held {
   public:
    explicit Held(std::weak_ptr<Token> token) : token_(std::move(token)) {}
    Held(Held&&) noexcept = default;
    Held& operator=(Held&&) = delete;
    ~Held() {
      if (const auto token = token_.lock()) give(*token);
    }

   private:
    std::weak_ptr<Token> token_;  // a coroutine may outlive the lock, as the io_context destroys it last
  };

  explicit AsyncLock(boost::asio::io_context& io) : token_(std::make_shared<Token>(io, 1)) { give(*token_); }

  boost::asio::awaitable<Held> acquire() {
    co_await token_->async_receive(boost::asio::use_awaitable);
    co_return Held(token_);
  }

 private:
  static void give(Token& token) { token.try_send(boost::system::error_code{}); }

  std::shared_ptr<Token> token_;
};

}  // namespace wsl4::util
