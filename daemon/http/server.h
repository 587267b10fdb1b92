// Listeners of an HTTP server on one io_context and thread: Unix and TCP sockets, each with its own answers and limits.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <tl/expected.hpp>

#include "daemon/http/message.h"
#include "netlink/ip.h"

namespace wsl4::http {

class Listener;

class Server {
 public:
  Server(boost::asio::io_context& io, Limits limits) : io_(io), limits_(limits) {}
  ~Server() { stop(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// The errors say what could not be bound, why, and what to do.
  tl::expected<void, std::string> listen_unix(const std::string& path, Answer answer);
  /// Returns the port, which the kernel picks if `endpoint` has none (0). The machine need not have the address yet.
  tl::expected<std::uint16_t, std::string> listen_tcp(const netlink::Endpoint& endpoint, Answer answer);

  /// The same under TLS. Both files are PEM: the certificate with those that lead to its root, and its key. `old`: listens still,
  /// maybe on the same port of another address, which one of both includes (0.0.0.0, ::); without it nobody shares a port.
  tl::expected<std::uint16_t, std::string> listen_tls(const netlink::Endpoint& endpoint, const std::string& certificate_file,
                                                      const std::string& key_file, Answer answer, Server* old = nullptr);

  /// What TLS listeners take from now on; connections that are open go on as they are.
  void set_tls(const std::shared_ptr<boost::asio::ssl::context>& tls);

  /// Stops accepting, ends idle connections, lets requests in progress be answered, removes the sockets' files. On the
  /// io_context's thread, or while it does not run.
  void stop();
  /// A connection is open still.
  [[nodiscard]] bool busy() const;

 private:
  void share_ports(bool share);

  boost::asio::io_context& io_;
  Limits limits_;
  std::vector<std::shared_ptr<Listener>> listeners_;
};

}  // namespace wsl4::http
