// One health check of one backend, from connecting to closing, within one deadline. Lives on one thread.
//
// The request is GET path, its Host (and the TLS name) `host` or else the backend's address. The answer's status must be expected;
// a 101 to a WebSocket handshake must complete it (websocket.h), and is followed by a clean close. Headers may take 16 KiB; a body
// is not judged. Whatever has not come by the deadline does not come: half answers, answers byte by byte, endless handshakes.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include "daemon/config/config.h"
#include "daemon/health/standing.h"

namespace wsl4::health {

struct CheckSpec {
  config::Endpoint backend;
  config::IpAddress source;  // unspecified: the kernel chooses. Its port is chosen by the kernel at connect
  config::Health health;     // any type but none
};

class Check {
 public:
  /// `tls` is for https and websockets.
  Check(boost::asio::io_context& io, CheckSpec spec, std::shared_ptr<boost::asio::ssl::context> tls)
      : stream_(io), spec_(std::move(spec)), tls_(std::move(tls)) {}

  /// Once. The caller keeps the check alive meanwhile. The connection is closed when it returns, without a reset where the backend
  /// closes its side within 50 ms after its answer.
  boost::asio::awaitable<CheckResult> run();
  /// Lets `run` return soon, with a result that means nothing.
  void cancel();

 private:
  /// An unconnected socket; else why there is none.
  [[nodiscard]] std::string open();
  boost::asio::awaitable<CheckResult> ask_over_tls();
  template <class Stream>
  boost::asio::awaitable<CheckResult> ask(Stream& stream);
  template <class Stream>
  boost::asio::awaitable<void> drain(Stream& stream);
  [[nodiscard]] std::string request(const std::string& websocket_key) const;
  template <class Headers>
  [[nodiscard]] CheckResult judge(const Headers& answer, const std::string& websocket_key) const;
  [[nodiscard]] CheckResult connect_failure(const boost::system::error_code& error) const;
  [[nodiscard]] CheckResult answer_failure(const boost::system::error_code& error) const;
  [[nodiscard]] double elapsed_ms() const;

  boost::beast::tcp_stream stream_;
  CheckSpec spec_;
  std::shared_ptr<boost::asio::ssl::context> tls_;
  TimePoint started_;
  bool cancelled_ = false;
};

}  // namespace wsl4::health
