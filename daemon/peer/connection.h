// One TCP connection with what may be the peer: first the proof, then the conversation. On one thread; owned by its own pending
// operations, so that it may be dropped at any time after `close`.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <tl/expected.hpp>

#include "daemon/peer/refusal.h"
#include "daemon/peer/session.h"
#include "daemon/peer/standing.h"
#include "daemon/peer/tls.h"

namespace wsl4::peer {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// How many bytes a session is asked for at once.
  static constexpr std::size_t kWriteBudget = 64 << 10;
  /// After so many records this end sends under new keys; AES-GCM is good for 2^24.5 (RFC 8446 5.5).
  static constexpr std::uint64_t kRecordsPerKey = 1U << 22;

  struct Traffic {
    std::uint64_t sent = 0, received = 0;  // bytes of sessions, without TLS
  };
  /// Called once, when a conversation is over. `tampered`: what came is not what the peer has sent.
  using OnEnd = std::function<void(const std::string& reason, bool tampered)>;

  /// `traffic` outlives the conversation.
  Connection(boost::asio::ip::tcp::socket socket, std::shared_ptr<Tls> tls, OpenedBy opened_by);

  [[nodiscard]] OpenedBy opened_by() const { return opened_by_; }

  /// The TLS handshake, then each end tells its instance. Returns the peer's, or why there is none.
  boost::asio::awaitable<tl::expected<Instance, Refusal>> establish(Instance own, std::chrono::milliseconds limit);
  /// While `establish` is under way: it ends, with this.
  void abandon(Refusal why);

  /// After `establish`: `session` speaks, until `on_end`. Both outlive the conversation.
  void begin(Session& session, Traffic& traffic, OnEnd on_end, std::uint64_t records_per_key);
  /// The session has something to send. May be called inside the session's calls.
  void wake();
  /// Sends what the session still has and ends the conversation; nothing is taken from the peer any more. May be called inside the
  /// session's calls.
  void finish(std::string reason);
  /// Ends the conversation at once; `on_end` is called inside.
  void close(const std::string& reason);

 private:
  using Stream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket>;
  [[nodiscard]] Refusal why_failed(const boost::system::error_code& error);
  void read();
  void on_read(const boost::system::error_code& error, std::size_t size);
  void pump();
  void on_written(const boost::system::error_code& error);
  void end_sending();
  void close_socket();

  std::shared_ptr<Tls> tls_;
  Stream stream_;
  OpenedBy opened_by_;
  boost::asio::steady_timer deadline_;
  std::optional<Refusal> abandoned_;
  bool established_ = false;

  Session* session_ = nullptr;  // while there is a conversation
  Traffic* traffic_ = nullptr;
  OnEnd on_end_;
  std::optional<std::string> finishing_;
  bool writing_ = false, woken_ = false, tampered_ = false;
  std::uint64_t records_ = 0, records_per_key_ = kRecordsPerKey;
  std::vector<std::uint8_t> in_, out_;
};

}  // namespace wsl4::peer
