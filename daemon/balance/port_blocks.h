// SNAT ports in blocks of 128, dealt to the slots of a backend's map so that every port can be used. Pure.
//
// The kernel tries at most 248 ports of a long range and then drops the packet: from about 85 % use on new flows are lost. A range
// of at most 128 ports it searches to the end (net/netfilter/nf_nat_core.c, max_attempts), so a flow that is sent to a block is
// refused only where the block is full. A counter of the backend's own (numgen inc) sends new flows to the slots in turn; this
// deals the slots to the blocks that have room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "netlink/ip.h"

namespace wsl4::balance {

inline constexpr unsigned kBlockPorts = 128;
/// Block b has the ports from 128 b on: every address has the same 512, and ports below a pool's first or above its last are cut
/// off.
inline constexpr std::size_t kBlocksPerAddress = 65536 / kBlockPorts;
/// Rewriting so many slots takes the kernel about 0.8 ms.
inline constexpr std::size_t kPortSlots = 512;

struct PortRange {
  std::uint16_t first = 1, last = 65535;  // both included
  friend bool operator==(const PortRange&, const PortRange&) = default;
};

/// One block of one pool address.
struct PortBlock {
  netlink::IpAddress address;
  std::uint16_t number = 0;  // below kBlocksPerAddress
  friend bool operator==(const PortBlock&, const PortBlock&) = default;
};

[[nodiscard]] constexpr std::uint16_t block_of(std::uint16_t port) { return static_cast<std::uint16_t>(port / kBlockPorts); }
/// The ports of a block that has some in `pool`.
[[nodiscard]] PortRange ports_of(std::uint16_t block, PortRange pool);

/// What one pool address holds towards one backend endpoint.
struct AddressUse {
  netlink::IpAddress address;
  std::span<const std::uint16_t> held;  // entries per block, kBlocksPerAddress of them; empty: nothing is held
  bool excluded = false;                // its path is dead: it gets nothing
};

/// How many slots there are: kPortSlots, or fewer if the pool has fewer blocks. Excluded addresses count, since another number of
/// slots is another rule, whose counter begins anew.
[[nodiscard]] std::size_t port_slots(std::size_t addresses, PortRange ports);

struct PortDeal {
  std::vector<PortBlock> slots;  // empty: no port is free, the backend is full
  std::uint64_t free = 0;        // ports that a new flow could take, at the time of the deal
  std::uint64_t lasts = 0;       // so many flows meet no full block, whatever slot comes next
};

/// Deals `port_slots` slots: to addresses in proportion to their free ports, and within an address to the blocks with the most, in
/// proportion to these. Both by D'Hondt's method, which makes the least ratio of free ports to slots as large as it can be. So no
/// block gets more slots than it has free ports while another one has a free port that has no slot; a full one gets none.
///
/// `previous` are the slots of the last deal, or none. A slot keeps its block until the block has less than half as many free ports
/// for each of its slots as the address's others offer: in a large pool not all blocks have slots, and those that have would
/// otherwise lose them with their first few flows. Blocks that gain slots get them spread over what has become vacant.
///
/// Flows are heard of late. A slot that stays is met again only after all others, when the flow that took the block's port before
/// is known. But a block that has fewer free ports than it had slots must give up a slot that may just have been met, so it gives
/// up all of them, until the next deal, while others have room.
///
/// Equal for equal input. Takes 60 us for one address, 200 us for 16.
[[nodiscard]] PortDeal deal_blocks(std::span<const AddressUse> pool, PortRange ports, std::span<const PortBlock> previous);

}  // namespace wsl4::balance
