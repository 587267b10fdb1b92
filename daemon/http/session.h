// One connection: reads a request, lets it be answered, writes the answer, again and again. Lives on one thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "daemon/http/message.h"
#include "daemon/http/request.h"
#include "daemon/http/transport.h"

namespace wsl4::http {

class Session;

/// What the sessions of one listener share.
struct Listening {
  Limits limits;
  Answer answer;
  std::shared_ptr<boost::asio::ssl::context> tls;  // of the next session; none: in the clear
  std::set<Session*> sessions = {};                // all that live, refused ones included
  std::size_t served = 0;                          // those of them that are served
};

class Session {
 public:
  using Protocol = Transport::Protocol;
  enum class Kind : unsigned char { kServed, kRefused };  // refused: its first request is answered by a 503

  Session(Protocol::socket socket, std::shared_ptr<Listening> listening, Kind kind);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Serves until the client or `finish` ends it. The caller keeps the session alive meanwhile.
  boost::asio::awaitable<void> run();
  /// Lets a request in progress be answered and then ends; without one, or in the TLS handshake, it ends now.
  void finish();

  using Clock = std::chrono::steady_clock;
  /// Since when it owes its client nothing: it has been accepted, or answered, then. Nothing while a request is being answered.
  [[nodiscard]] std::optional<Clock::time_point> owes_nothing_since() const { return owes_nothing_since_; }
  /// Makes room for another one: closes now, and counts as served no more.
  void give_way();
  [[nodiscard]] bool is_served() const { return kind_ == Kind::kServed; }
  /// Of the client: its IPv4 address, or the /64 of its IPv6 address, in network order. Empty on Unix sockets.
  [[nodiscard]] const std::string& host() const { return host_; }

 private:
  boost::asio::awaitable<bool> open();
  /// One request and its answer; false when the connection is to be closed.
  boost::asio::awaitable<bool> serve_one();
  boost::asio::awaitable<bool> wait_for_first_byte();
  /// The whole message, or what it is answered with; nothing when there is nobody to answer.
  boost::asio::awaitable<tl::expected<Parser::value_type, std::optional<Response>>> read_message();
  /// Tells a client that waits for it to go on; true if that failed.
  boost::asio::awaitable<bool> gone_at_continue(const Parser& parser);
  boost::asio::awaitable<Response> respond(Parser::value_type message);
  boost::asio::awaitable<bool> write(Response response, bool head, unsigned version, bool keep_alive);
  boost::asio::awaitable<void> linger();

  const std::string host_;
  Transport stream_;
  boost::beast::flat_buffer buffer_;
  std::shared_ptr<Listening> listening_;
  Kind kind_;
  std::optional<Clock::time_point> owes_nothing_since_ = Clock::now();
  bool idle_ = false;
  bool finishing_ = false;
};

}  // namespace wsl4::http
