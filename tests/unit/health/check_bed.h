// What the tests of checks share: one check run to its end, and backends that answer in a certain way.
#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "daemon/health/check.h"
#include "daemon/health/websocket.h"
#include "tests/support/loopback_server.h"

namespace wsl4::health {

using config::HealthType;
using test::LoopbackServer;
using test::Peer;

inline config::Health health_of(HealthType type, std::chrono::milliseconds timeout = std::chrono::seconds(30)) {
  config::Health health;
  health.type = type;
  health.timeout = timeout;
  return health;
}

inline constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// For backends that do not answer: the shortest that is surely enough for those that do something at once.
inline constexpr std::chrono::milliseconds kShort{300};

inline boost::asio::awaitable<CheckResult> run_to_end(std::shared_ptr<Check> check) {
  auto running = check->run();
  co_return co_await std::move(running);
}

inline CheckResult run_check(const netlink::Endpoint& backend, const config::Health& health, const netlink::IpAddress& source = {},
                             std::shared_ptr<boost::asio::ssl::context> tls = nullptr) {
  boost::asio::io_context io;
  CheckResult result;
  auto running = run_to_end(std::make_shared<Check>(io, CheckSpec{backend, source, health}, std::move(tls)));
  boost::asio::co_spawn(io, std::move(running), [&result](const std::exception_ptr& failure, CheckResult got) {
    if (failure) std::rethrow_exception(failure);
    result = std::move(got);
  });
  io.run();
  return result;
}

/// A header's value in a request; empty if it is not there.
inline std::string header(const std::string& request, const std::string& name) {
  const std::string line = "\r\n" + name + ": ";
  const auto start = request.find(line);
  if (start == std::string::npos) return {};
  return request.substr(start + line.size(), request.find("\r\n", start + 2) - start - line.size());
}

/// Reads a request and answers it so.
inline LoopbackServer::Handler answering(std::string answer) {
  return [answer = std::move(answer)](Peer& peer) {
    peer.read_head();
    peer.send(answer);
  };
}

inline std::string upgrade_answer(const std::string& request) {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
         accept_for(header(request, "Sec-WebSocket-Key")) + "\r\n\r\n";
}

}  // namespace wsl4::health
