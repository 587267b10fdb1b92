// From addresses that DNS gave to the list of backends. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "netlink/ip.h"

namespace wsl4::discovery {

inline constexpr std::size_t kMaxBackends = 1024;  // of one service
inline constexpr int kMaxWeight = 1000;            // as in the configuration
inline constexpr std::size_t kMaxName = 40;        // bytes; what the comment of a backend's chain can surely hold

/// One address of a host, with the weight as DNS has it.
struct Candidate {
  netlink::Endpoint address;
  unsigned weight = 0;
  std::string host;  // may name the backend; empty: its address does
};

struct Backend {
  netlink::Endpoint address;
  int weight = 0;    // 1-1000
  std::string name;  // unique in the list
  friend bool operator==(const Backend&, const Backend&) = default;
};

struct Selection {
  std::vector<Backend> backends;  // sorted by address, each address:port once
  std::size_t cut = 0;            // how many more there were than kMaxBackends
  friend bool operator==(const Selection&, const Selection&) = default;
};

/// Leaves out what packets cannot be forwarded to (0.0.0.0, loopback, …). Of an address that is there twice the larger weight
/// counts. Beyond kMaxBackends the highest addresses are cut. Weight 0 becomes 1 (RFC 2782 lets such a host be picked, if seldom);
/// if one is above kMaxWeight, all are scaled to it. A backend is called as its host if that has only one address in the list and a
/// name of at most kMaxName, else as its address:port.
[[nodiscard]] Selection select_backends(std::vector<Candidate> candidates);

}  // namespace wsl4::discovery
