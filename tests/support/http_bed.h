// What tests of HTTP need: a folder that goes away, an io_context with a thread, and a client that sends bytes as they are.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "netlink/handle.h"

namespace wsl4::test {

inline constexpr const char* kGet = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n";

class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// Runs an io_context on a thread of its own until it is destroyed.
class IoThread {
 public:
  IoThread() : work_(boost::asio::make_work_guard(io_)) {}
  ~IoThread() { stop(); }
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  boost::asio::io_context& io() { return io_; }
  /// After the servers are there.
  void start() {
    thread_ = std::thread([this] { io_.run(); });
  }
  /// Whatever still waits is given up.
  void stop() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }
  /// Runs `work` on the thread and waits for it.
  void run(std::function<void()> work);

 private:
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

/// One response as it came.
struct RawResponse {
  unsigned status = 0;
  std::string head;  // status line and headers
  std::string body;
  [[nodiscard]] std::string header(const std::string& name) const;  // empty if it is not there
};

/// A connection to a Unix socket or to a TCP port of 127.0.0.1. Gives up after a generous deadline.
class RawClient {
 public:
  explicit RawClient(const std::string& unix_path);
  /// On loopback; `host` is the last byte of the client's address, 127.0.0.x.
  explicit RawClient(std::uint16_t port, std::uint8_t host = 1);
  RawClient(RawClient&&) = default;
  virtual ~RawClient() = default;

  void send(const std::string& bytes);
  void end_sending();
  /// One response, by its Content-Length; `head_only` for an answer to HEAD. Nothing if the other end closes before.
  std::optional<RawResponse> receive(bool head_only = false);
  /// Whether the other end closes, without sending anything before.
  bool closed();

 protected:
  /// As send(2) and recv(2).
  virtual long write_some(const char* bytes, std::size_t size);
  virtual long read_some(char* bytes, std::size_t size);
  netlink::Fd fd_;

 private:
  bool read_more();
  std::string received_;
};

/// One request on a connection of its own. `extra` are whole header lines.
RawResponse request(const std::string& unix_path, const std::string& method, const std::string& target,
                    const std::string& body = {}, const std::string& extra = {});

}  // namespace wsl4::test
