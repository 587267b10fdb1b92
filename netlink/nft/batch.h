// A transaction as the bytes of one netlink batch (kernel net/netfilter/nfnetlink.c), each message known by its sequence number.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "netlink/message.h"
#include "netlink/nft/transaction.h"

namespace wsl4::netlink::nft {

struct Batch {
  std::vector<std::uint8_t> bytes;
  std::uint32_t first_sequence = 0;          // of BATCH_BEGIN; the messages count up from there
  std::vector<const Operation*> operations;  // of the messages between BEGIN and END, in order; only the last is acknowledged

  /// Which operation a message's sequence number stands for; nullptr: the batch as a whole.
  [[nodiscard]] const Operation* operation_of(std::uint32_t sequence) const;
};

/// `transaction` outlives the batch.
[[nodiscard]] Batch encode_batch(const Transaction& transaction, std::uint32_t first_sequence);

/// Not in Debian 12's header: kernel 6.9. Stays when the owner goes, so it tells an owned table even when it has lost its owner.
inline constexpr std::uint32_t kTablePersist = 1U << 2;
/// nft's TYPE_VERDICT as the kernel takes it.
inline constexpr std::uint32_t kVerdictType = 0xffffff00;

/// Hook numbers of linux/netfilter.h.
[[nodiscard]] std::uint32_t hook_number(Hook::Point point);
/// What nft calls a concatenation: six bits a type (nft include/datatype.h TYPE_BITS).
[[nodiscard]] std::uint32_t type_number(const std::vector<Type>& types);
/// nullopt: types that we do not use.
[[nodiscard]] std::optional<std::vector<Type>> types_of(std::uint32_t number);

}  // namespace wsl4::netlink::nft
