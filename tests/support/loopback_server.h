// A server on loopback that does what a test tells it, with each connection on a thread of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <openssl/types.h>

#include "netlink/handle.h"
#include "netlink/ip.h"

namespace wsl4::test {

/// The server's end of one connection.
class Peer {
 public:
  enum class End : unsigned char { kClosed, kReset };

  explicit Peer(int fd) : fd_(fd) {}
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  /// From here on over TLS. False if the handshake fails.
  bool accept_tls(SSL_CTX* context);
  /// The server name that the client sent.
  [[nodiscard]] std::string tls_name() const;

  /// Through the first empty line, or as far as it came.
  std::string read_head();
  /// Some bytes; none at the end.
  std::string read_some();
  void send(std::string_view bytes);
  /// Reads until the other side ends the connection.
  End wait_for_end();
  /// Reads, and tells whether the other side ends the connection before the time is over.
  bool ends_within(std::chrono::milliseconds time);
  /// A FIN; what the other side sends is read on.
  void end_sending();
  [[nodiscard]] netlink::Endpoint from() const;

 private:
  int fd_;
  SSL* ssl_ = nullptr;
  bool reset_ = false;
};

class LoopbackServer {
 public:
  using Handler = std::function<void(Peer&)>;

  /// Listens on a port of `address`; each connection is closed when `handler` returns.
  explicit LoopbackServer(Handler handler, const std::string& address = "127.0.0.1");
  ~LoopbackServer();
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  [[nodiscard]] const netlink::Endpoint& endpoint() const { return endpoint_; }
  /// Connections that are or were served.
  [[nodiscard]] std::size_t connections() const { return connections_; }
  /// The most at one time.
  [[nodiscard]] std::size_t most_at_once() const { return most_; }

 private:
  void accept();
  void serve(int fd);

  Handler handler_;
  netlink::Fd listener_;
  netlink::Endpoint endpoint_;
  std::atomic<std::size_t> connections_{0}, most_{0};
  std::mutex mutex_;
  std::vector<int> open_;  // guarded by mutex_
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

/// A port of 127.0.0.1 that refuses connections for as long as this lives.
class RefusingPort {
 public:
  RefusingPort();
  [[nodiscard]] const netlink::Endpoint& endpoint() const { return endpoint_; }

 private:
  netlink::Fd socket_;
  netlink::Endpoint endpoint_;
};

/// A port of 127.0.0.1 that answers no SYN for as long as this lives: its queue is full.
class SilentPort {
 public:
  SilentPort();
  [[nodiscard]] const netlink::Endpoint& endpoint() const { return endpoint_; }

 private:
  netlink::Fd listener_;
  std::vector<netlink::Fd> queued_;
  netlink::Endpoint endpoint_;
};

/// This process's descriptor of the socket with that local address; -1 if there is none.
[[nodiscard]] int descriptor_of(const netlink::Endpoint& local);
/// How many descriptors this process has.
[[nodiscard]] std::size_t descriptors();

}  // namespace wsl4::test
