// A backend whose ports are dealt in blocks: the kernel's counter over the slots, and a daemon that hears of flows late. In steps
// of 1 ms.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <vector>

#include "daemon/balance/port_policy.h"
#include "tests/sim/ports/kernel.h"

namespace wsl4::sim {

struct Figures {
  std::size_t arrivals = 0, refused = 0;
  std::size_t deals = 0, changed_slots = 0;
};

class Steered {
 public:
  /// The flows of `kernel` are known. Events are told in order, each between 0 and 20 ms late.
  Steered(Kernel& kernel, std::size_t addresses, std::uint32_t seed);

  /// Flows arrive at random until `flows` are there: in each second as many as ports are free, a tenth of them in 100 ms.
  void fill(std::size_t flows);
  /// So many arrive, as fast, while random others end.
  void churn(std::size_t arrivals);
  /// So many random flows end, at once.
  void end(std::size_t flows);

  [[nodiscard]] const Figures& figures() const { return figures_; }

 private:
  struct Event {
    Port port;
    bool begins;
  };

  /// Time goes on; returns how many flows arrive now.
  int step();
  void arrive();
  void tell(Port port, bool begins);
  void hear(const std::vector<Event>& events);
  void deal();

  Kernel& kernel_;
  std::mt19937 generator_;
  std::uint64_t counter_ = 0;                     // the kernel's, of flows so far
  std::deque<std::vector<Event>> told_;           // in this millisecond and those to come
  std::vector<std::vector<std::uint16_t>> held_;  // what the daemon knows
  std::vector<balance::AddressUse> pool_;
  balance::PortDeal deal_;
  balance::DealAge age_;
  Figures figures_;
};

}  // namespace wsl4::sim
