// How the kernel gives SNAT ports towards one backend endpoint, as far as it decides who is refused (net/netfilter/nf_nat_core.c,
// get_unique_tuple with fully-random: client ports play no part).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "daemon/balance/port_blocks.h"

namespace wsl4::sim {

struct Port {
  std::uint32_t address = 0;  // position in the pool
  std::uint16_t number = 0;
};

class Kernel {
 public:
  Kernel(std::size_t addresses, std::uint32_t seed);

  /// A new flow from one block, searched from a random port on to the end. None: refused.
  std::optional<Port> take_from_block(std::uint32_t address, std::uint16_t block);
  /// A new flow from all ports of the address: 128 ports from a random one on, then 64, 32, 16 and 8 from others.
  std::optional<Port> take_from_range(std::uint32_t address);
  /// Takes random ports until so many flows are there, as if they had come and gone for long.
  void fill(std::size_t flows);
  Port end_random_flow();

  [[nodiscard]] std::size_t flows() const { return flows_.size(); }
  [[nodiscard]] std::size_t capacity() const { return taken_.size() * 65535; }
  [[nodiscard]] const std::vector<Port>& all() const { return flows_; }

 private:
  std::optional<Port> search(std::uint32_t address, balance::PortRange range, unsigned probes);
  std::uint32_t random(std::uint32_t below) { return static_cast<std::uint32_t>((std::uint64_t{generator_()} * below) >> 32); }

  std::mt19937 generator_;
  std::vector<std::vector<char>> taken_;  // by address and port
  std::vector<Port> flows_;
};

}  // namespace wsl4::sim
