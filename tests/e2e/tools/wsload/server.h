// WebSocket echo server for many connections. Its answer to the handshake tells the client which address it reached
// (X-Backend) and from which address it came here (X-Peer), so that the client can count both ends.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/tools/wsload/endpoint.h"
#include "tests/e2e/tools/wsload/loop.h"

namespace wsload {

class Server {
 public:
  explicit Server(const std::vector<SocketAddress>& listen);
  /// Serves until standard input ends. Commands: report.
  void run();

 private:
  struct Connection {
    std::string in, out;
    bool open = false;  // handshake done
    bool writing = false;
  };
  void accept_from(int listener);
  void serve(int fd, std::uint32_t events);
  bool read_all(int fd, Connection& connection);
  bool shake_hands(int fd, Connection& connection);
  bool echo_frames(Connection& connection);
  bool flush(int fd, Connection& connection);
  void drop(int fd);
  void command(const std::string& line);

  Loop loop_;
  std::vector<bool> is_listener_;
  std::vector<std::unique_ptr<Connection>> connections_;  // by descriptor
  std::uint64_t accepted_ = 0, open_ = 0, messages_ = 0, resets_ = 0, accept_errors_ = 0;
};

}  // namespace wsload
