// Requests and responses as values, and the limits within which they are read. No sockets here.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "daemon/http/target.h"

namespace wsl4::http {

/// What one listener accepts. The first three are promised to users.
struct Limits {
  std::size_t max_body = 1'048'576;  // bytes; beyond: 413
  std::size_t max_header = 16'384;   // bytes, request line included; beyond: 431
  std::size_t max_connections = 64;  // at once, those in their TLS handshake too; beyond: 503 and close
  std::chrono::milliseconds handshake_timeout{10'000};
  std::chrono::milliseconds idle_timeout{60'000};   // between requests of one connection, and before the first one
  std::chrono::milliseconds read_timeout{10'000};   // from a request's first byte to its last
  std::chrono::milliseconds write_timeout{30'000};  // of one response
  std::chrono::milliseconds linger_timeout{2'000};  // for the client to close, so that it surely reads the last response
  bool keep_alive = true;                           // false: one request a connection
  bool make_room = false;  // true: no newcomer is refused, but the host with most connections loses the one waited for longest
};

struct Request {
  std::string method;  // as sent: "GET"
  Target target;
  std::string authorization;  // the header, as sent; empty if there is none, or more than one
  std::string body;
};

struct Response {
  unsigned status = 200;
  std::string content_type;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // further ones
};

/// Answers one request; the request lives until the answer is there. An exception becomes a 500.
using Answer = std::function<boost::asio::awaitable<Response>(const Request&)>;

}  // namespace wsl4::http
