// Both ends of many TCP connections through a balancer, faked: a handshake, and an end by FIN or by reset. The clients' end keeps
// two bytes a connection: its state, and which backend it met. The servers' end knows a connection by its first sequence number.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "tests/e2e/tools/rawflows/wire.h"

namespace rawflows {

/// Connection n: source n % sources, then the service's port, then the client's port in turn.
struct Tuples {
  std::uint32_t source = 0, sources = 1;
  std::uint32_t vip = 0;
  std::uint16_t first_port = 443, ports = 1;  // of the service
};

enum class End : std::uint8_t { kFin, kReset, kBoth };  // kBoth: in turn

/// `open` is as of now, the others are since the last report.
struct Backend {
  std::uint32_t address = 0;
  std::uint64_t open = 0, opened = 0, reset = 0;
};

struct Report {
  std::uint64_t asked = 0, opened = 0, refused = 0, retried = 0, lost = 0, reset = 0, ended = 0;
  std::uint64_t opened_late = 0;  // of `opened`: not by the first SYN
  std::int64_t open_at_first_refusal = -1;
  std::int64_t open_at_first_retry = -1;
  double seconds = 0;
  std::chrono::steady_clock::time_point first_reset, last_reset;
  [[nodiscard]] std::string json(std::uint64_t open, const std::vector<Backend>& backends) const;
};

class Flows {
 public:
  using Clock = std::chrono::steady_clock;

  Flows(Wire& front, Wire& back, Tuples tuples);

  /// Opens `count` more, so many a second, and waits until each is open, refused or given up. `stop`: no more after the first
  /// refusal.
  void open(std::uint64_t count, double rate, bool stop);
  /// Ends random open ones.
  void end(std::uint64_t count, double rate, End how);
  /// In each second so many open and so many random ones end: of all, or on each backend that has some.
  void churn(double seconds, double opening, double ending, End how, bool each);
  /// Serves both ends until so many have been reset, or the time is over.
  void wait(double seconds, std::uint64_t resets);
  /// Servers do not answer.
  void mute(bool on) { mute_ = on; }
  /// JSON: what happened since the last call.
  std::string take_report();

 private:
  enum class State : std::uint8_t { kNone, kWaiting, kWaitingLonger, kOpen, kClosing, kGone };
  struct Retry {
    Clock::time_point at;
    std::uint32_t flow;
    int tries;
  };

  [[nodiscard]] Segment segment(std::uint32_t flow, std::uint8_t flags) const;
  [[nodiscard]] std::int64_t flow_of(const Segment& segment) const;
  void begin_one();
  void end_one(End how, const Backend* backend = nullptr);
  void no_longer_open(std::uint32_t flow, State state);
  [[nodiscard]] bool waits(std::uint32_t flow) const {
    return states_[flow] == State::kWaiting || states_[flow] == State::kWaitingLonger;
  }
  [[nodiscard]] std::uint8_t backend_at(std::uint32_t address);
  void on_reset(std::uint32_t flow);
  void on_client(const Segment& segment);
  void on_server(const Segment& segment);
  void retry(Clock::time_point now);
  /// Serves both ends once.
  void turn();
  void settle();

  Wire &front_, &back_;
  Tuples tuples_;
  std::vector<State> states_;
  std::vector<std::uint8_t> served_by_;  // place in backends_, once a server has seen the flow
  std::vector<Backend> backends_;
  std::deque<Retry> retries_;
  std::mt19937 random_{20261125};
  std::uint64_t open_ = 0, waiting_ = 0, closing_ = 0;
  bool mute_ = false;
  Report report_;
};

}  // namespace rawflows
