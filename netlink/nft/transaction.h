// A list of changes to one table that the kernel takes whole or not at all. Building never fails; committing reports.
#pragma once

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "netlink/nft/ruleset.h"

namespace wsl4::netlink::nft {

// One operation each. Elements of one set are kept together, as the kernel takes them.
struct AddTable {
  std::string comment;
  bool owned = false;
};
struct DeleteTable {};
struct AddChain {
  std::string name;
  std::optional<Hook> hook;
  std::string comment;
};  // without its rules
struct FlushChain {
  std::string name;
};
struct DeleteChain {
  std::string name;
};
struct AddRule {
  std::string chain;
  Rule rule;
};
struct AddSet {
  std::string name;
  Set spec;
};  // without its elements
struct DeleteSet {
  std::string name;
};
using ElementList = std::vector<std::pair<Bytes, Element>>;
/// Takes out all elements that are there; none is no error.
struct FlushSet {
  std::string name;
};
struct AddElements {
  std::string set;
  Set spec;
  ElementList elements;
};  // spec without elements: says how keys look
struct DeleteElements {
  std::string set;
  Set spec;
  ElementList elements;
};
struct AddCounter {
  std::string name;
  std::string comment;
};
struct DeleteCounter {
  std::string name;
};

using Operation = std::variant<AddTable, DeleteTable, AddChain, FlushChain, DeleteChain, AddRule, AddSet, DeleteSet, AddElements,
                               DeleteElements, AddCounter, DeleteCounter, FlushSet>;

class Transaction {
 public:
  explicit Transaction(std::string table) : table_(std::move(table)) {}

  void add(Operation operation) { operations_.push_back(std::move(operation)); }
  void append(Transaction other);

  [[nodiscard]] const std::string& table() const { return table_; }
  [[nodiscard]] const std::vector<Operation>& operations() const { return operations_; }
  [[nodiscard]] bool empty() const { return operations_.empty(); }
  /// How many kernel objects it touches; an element counts as one. For pacing and logs.
  [[nodiscard]] std::size_t weight() const;

  /// As `nft -f` takes it (nft 1.0.6; what it cannot load stands at SnatFromBlocks): for logs, `--dry-run` and golden tests. The
  /// flags owner and persist are left out, since a table made by nft would die with it.
  [[nodiscard]] std::string to_text() const;

 private:
  std::string table_;
  std::vector<Operation> operations_;
};

/// "add chain svc-chat": names the culprit in errors.
[[nodiscard]] std::string describe(const Operation& operation);

/// What builds `table` from nothing.
[[nodiscard]] Transaction build_table(const Table& table);

}  // namespace wsl4::netlink::nft
