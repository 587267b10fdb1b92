// A kernel's nf_tables in memory, as far as wsl4 uses it: the same refusals, atomic commits and ownership.
// tests/integration/nft_fake_test.cpp runs the same transactions against it and against the kernel and compares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "netlink/nft/nftables.h"

namespace wsl4::test {

class FakeNftables final : public netlink::nft::Nftables {
 public:
  netlink::Result<void> commit(const netlink::nft::Transaction& transaction) override;
  netlink::Result<std::optional<netlink::nft::Table>> read_table(const std::string& name) override;
  netlink::Result<std::map<std::string, netlink::nft::CounterValue>> read_counters(const std::string& table) override;

  // What a test can do to it.
  /// The next commit fails so, and changes nothing.
  void fail_next_commit(netlink::Error error) { next_failure_ = std::move(error); }
  /// `nft flush ruleset` by somebody else: owned tables stay.
  void flush_by_others();
  /// Somebody else's change of a table, or its removal (nullopt).
  void replace_by_others(const std::string& name, std::optional<netlink::nft::Table> table);
  /// Another process owns the table from now on (or no longer): commits to it are refused.
  void own_by_others(const std::string& name, bool owned);
  void set_counter(const std::string& table, const std::string& counter, netlink::nft::CounterValue value);

  /// Every transaction that was committed, oldest first.
  [[nodiscard]] const std::vector<netlink::nft::Transaction>& committed() const { return committed_; }

 private:
  std::map<std::string, netlink::nft::Table> tables_;
  std::map<std::string, bool> foreign_;
  std::map<std::pair<std::string, std::string>, netlink::nft::CounterValue> counters_;
  std::optional<netlink::Error> next_failure_;
  std::vector<netlink::nft::Transaction> committed_;
};

}  // namespace wsl4::test
