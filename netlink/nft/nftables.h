// The border to the kernel's nf_tables: commit, read, watch. `Nftables` is what the daemon programs against; `KernelNftables`
// is the kernel, `tests/support/fake_nftables.h` the honest fake of it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "netlink/nft/transaction.h"
#include "netlink/result.h"

namespace wsl4::netlink::nft {

struct CounterValue {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

class Nftables {
 public:
  virtual ~Nftables() = default;

  /// Sends the transaction as one batch. Atomic: on an error nothing has changed and `what` names the operation that the
  /// kernel refused. EOVERFLOW: an overrun while reading the answers, the outcome is unknown: read again.
  virtual Result<void> commit(const Transaction& transaction) = 0;

  /// The whole table, or nullopt if there is none. Slow (milliseconds per thousand elements): for start and repair only.
  /// A rule that this library did not write is read as a Rule without statements whose comment is "foreign".
  virtual Result<std::optional<Table>> read_table(const std::string& name) = 0;

  virtual Result<std::map<std::string, CounterValue>> read_counters(const std::string& table) = 0;
};

/// One socket for all writes: it owns the table when `Table::owned` is set (the kernel refuses everybody else).
class KernelNftables final : public Nftables {
 public:
  /// Needs CAP_NET_ADMIN in the network namespace (EPERM otherwise).
  static Result<std::unique_ptr<KernelNftables>> open();
  ~KernelNftables() override;

  Result<void> commit(const Transaction& transaction) override;
  Result<std::optional<Table>> read_table(const std::string& name) override;
  Result<std::map<std::string, CounterValue>> read_counters(const std::string& table) override;

  /// The netlink port of the writing socket: tells our echo from foreign changes.
  [[nodiscard]] std::uint32_t port_id() const;

 private:
  struct Impl;
  explicit KernelNftables(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// What the monitor saw since the last call.
struct Changes {
  bool foreign_change = false;  // somebody else changed something in the watched table
  bool overrun = false;         // changes were lost: treat as a foreign change
};

/// Listens to rule-set changes (NFNLGRP_NFTABLES) of the socket's network namespace.
class Monitor {
 public:
  /// Changes made by `own_port_id` and changes of other tables are not reported.
  static Result<Monitor> open(std::string table, std::uint32_t own_port_id);
  Monitor(Monitor&&) noexcept;
  Monitor& operator=(Monitor&&) noexcept;
  ~Monitor();

  /// Non-blocking descriptor that becomes readable when there is something for `drain`.
  [[nodiscard]] int fd() const;
  /// Reads what is there without blocking.
  Result<Changes> drain();

 private:
  struct Impl;
  explicit Monitor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace wsl4::netlink::nft
