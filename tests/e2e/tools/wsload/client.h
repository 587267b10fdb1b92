// WebSocket client for many connections from many source addresses. Every payload is unique to its connection and message and is
// compared byte by byte with its echo.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/tools/wsload/endpoint.h"
#include "tests/e2e/tools/wsload/loop.h"

namespace wsload {

class Client {
 public:
  Client(SocketAddress target, SourceRange sources);
  /// Obeys commands from standard input until it ends; see main.cpp for the list.
  void run();

 private:
  enum class Phase : std::uint8_t { kConnecting, kHandshake, kOpen };
  /// By echo(): its message will be sent, or has been and is not answered.
  enum class Asked : std::uint8_t { kNo, kSoon, kSent };
  struct Connection {
    std::uint64_t id = 0;
    int fd = -1;
    Phase phase = Phase::kConnecting;
    bool writing = false;
    std::string in, out;
    std::uint32_t sequence = 0;  // of the message sent last
    std::string payload;         // its
    bool waiting = false;        // for its echo
    Clock::time_point waiting_since;
    bool scheduled = false;  // the stream's next message is in due_
    Asked asked = Asked::kNo;
    std::string backend, snat;
  };
  /// What became of connections whose opening ended, one way or the other.
  struct Opened {
    std::uint64_t ok = 0;
    std::map<std::string, std::uint64_t> failed;  // by reason
    [[nodiscard]] std::uint64_t count() const;
  };

  void command(const std::string& line);
  void open(std::uint64_t count, std::uint64_t concurrency, double seconds);
  void churn(std::uint64_t count, std::uint64_t concurrency, const std::string& how, double patience);
  void echo(std::uint32_t size, double seconds);
  void bench(std::uint32_t size, double seconds);
  void start(std::uint32_t size, int interval_ms);
  void stop(double seconds);
  void close_some(std::uint64_t count, bool reset);
  void report(const std::string& what);
  void longest();
  void who();

  void connect_one();
  void serve(int fd, std::uint32_t events);
  bool read_all(Connection& connection);
  bool take(Connection& connection);
  bool shake_hands(Connection& connection);
  void opened(Connection& connection);
  bool check(Connection& connection, const std::string& payload);
  void send_message(Connection& connection, std::uint32_t size);
  bool flush(Connection& connection);
  void lose(Connection& connection, const std::string& why);
  void close_one(Connection& connection, bool reset);
  void answered(Connection& connection);
  void tick();
  void schedule(Connection& connection, Clock::time_point at);
  void take_turn(Connection& connection);
  void ask(Connection& connection);
  void give_up(Connection& connection);
  [[nodiscard]] std::string counts() const;

  Loop loop_;
  SocketAddress target_;
  SourceRange sources_;
  std::vector<std::unique_ptr<Connection>> connections_;  // by descriptor
  std::uint64_t next_id_ = 0;
  Clock::duration longest_{0};  // from a message to its echo, since last asked
  std::uint64_t connecting_ = 0, live_ = 0, waiting_ = 0, messages_ = 0, wrong_ = 0;
  std::uint64_t unanswered_ = 0, answered_ = 0;  // of those that echo() asks
  std::uint32_t echo_size_ = 0;
  Clock::time_point burst_begin_, burst_end_;  // the last echo(); what was sent meanwhile does not count as the longest
  std::map<std::string, std::uint64_t> lost_;  // established connections lost, by reason
  std::map<std::string, std::uint64_t> backends_, snats_, pairs_;  // connections ever established, by what served them
  std::map<std::string, std::uint64_t> live_backends_;
  Opened opened_;
  // What happens after an echo or an opening.
  bool churning_ = false, churn_echo_ = false, churn_reset_ = false, flood_ = false, streaming_ = false;
  std::uint32_t message_size_ = 0;
  std::chrono::milliseconds interval_{0};
  Clock::duration patience_{0};
  struct Due {
    Clock::time_point at;
    int fd;
    std::uint64_t id;
  };
  using Queue = std::deque<Due>;  // soonest first
  void each_due(Queue& queue, void (Client::*act)(Connection&));
  Queue due_;         // the stream's next messages
  Queue to_ask_;      // by echo()
  Queue to_give_up_;  // in churn()
};

}  // namespace wsload
