// The stream under a session: a socket, in the clear or under TLS. One type for both, so that what is above knows no difference.
// An AsyncReadStream and AsyncWriteStream as Asio and Beast want them; the deadline counts for whatever is under way.
#pragma once

#include <optional>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/basic_stream.hpp>

namespace wsl4::http {

class Transport {
 public:
  using Protocol = boost::asio::generic::stream_protocol;
  using Socket = boost::beast::basic_stream<Protocol>;
  using executor_type = Socket::executor_type;

  /// `tls`: none is in the clear. What of it is needed later the transport holds.
  Transport(Protocol::socket socket, boost::asio::ssl::context* tls) : socket_(std::move(socket)) {
    if (tls != nullptr) tls_.emplace(socket_, *tls);
  }

  executor_type get_executor() { return socket_.get_executor(); }
  /// What is below TLS: for deadlines, for cancelling.
  Socket& socket() { return socket_; }

  /// The TLS handshake, if there is to be one; false if it failed (the client has been sent an alert).
  boost::asio::awaitable<bool> open();
  /// Tells the client that nothing follows. Under TLS it waits until the client has said the same.
  boost::asio::awaitable<void> end_sending();

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    if (tls_) return tls_->async_read_some(buffers, std::forward<Token>(token));
    return socket_.async_read_some(buffers, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    if (tls_) return tls_->async_write_some(buffers, std::forward<Token>(token));
    return socket_.async_write_some(buffers, std::forward<Token>(token));
  }

 private:
  Socket socket_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
  bool open_ = false;
};

}  // namespace wsl4::http
