// Asks DNS servers: c-ares, driven by one io_context (its sockets and timer are watched by asio), without a thread or a blocking
// call. Servers that do not answer or fail are followed by the next ones; a truncated answer by TCP. On the io_context's thread.
#pragma once

#include <ares.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <tl/expected.hpp>

#include "daemon/discovery/round.h"
#include "netlink/ip.h"

namespace wsl4::discovery {

inline constexpr std::size_t kMaxInFlight = 32;  // questions on the wire at once

struct ClientOptions {
  std::vector<netlink::Endpoint> servers;   // none: those of /etc/resolv.conf
  std::chrono::milliseconds timeout{2000};  // of a server's first try; doubled for the second one
  int tries = 2;                            // of each server
};

class Client : public std::enable_shared_from_this<Client> {
 public:
  /// Reads /etc/resolv.conf, as it is now. The error says what is wrong with it.
  [[nodiscard]] static tl::expected<std::shared_ptr<Client>, std::string> open(boost::asio::io_context& io,
                                                                               const ClientOptions& options);
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// One reply for each question, in their order. One `ask` at a time.
  boost::asio::awaitable<std::vector<Reply>> ask(std::vector<Question> questions);
  /// Gives up: what is asked gets an error, and so does all that is asked from now on.
  void close();

 private:
  struct Socket;
  struct Asked {
    Client* client;
    std::size_t index;
  };
  enum class Direction : unsigned char { kRead, kWrite };

  explicit Client(boost::asio::io_context& io) : io_(io), done_(io), timer_(io) {}
  [[nodiscard]] int start(const ClientOptions& options);
  void ask_more();
  void take(std::size_t index, int status, std::span<const std::uint8_t> message);
  void watch(int fd, bool readable, bool writable);
  void wait_for(const std::shared_ptr<Socket>& socket, Direction direction);
  void process(int readable_fd, int writable_fd);
  void arm_timer();

  boost::asio::io_context& io_;
  boost::asio::steady_timer done_;   // never expires; cancelled when all replies are there
  boost::asio::steady_timer timer_;  // c-ares's next timeout
  ares_channel channel_ = nullptr;
  std::map<int, std::shared_ptr<Socket>> sockets_;
  std::vector<Question> questions_;
  std::vector<Asked> asked_;  // as questions_; c-ares points to them
  std::vector<Reply> replies_;
  std::size_t next_ = 0, in_flight_ = 0;
  bool asking_more_ = false;
};

}  // namespace wsl4::discovery
