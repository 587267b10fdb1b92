#include "netlink/nft/transaction.h"

#include <iterator>

#include "netlink/nft/text.h"

namespace wsl4::netlink::nft {

namespace {

struct Weight {
  std::size_t operator()(const AddElements& o) const { return o.elements.size(); }
  std::size_t operator()(const DeleteElements& o) const { return o.elements.size(); }
  template <class Other>
  std::size_t operator()(const Other&) const {
    return 1;
  }
};

struct Description {
  std::string operator()(const AddTable&) const { return "add table"; }
  std::string operator()(const DeleteTable&) const { return "delete table"; }
  std::string operator()(const AddChain& o) const { return "add chain " + o.name; }
  std::string operator()(const FlushChain& o) const { return "flush chain " + o.name; }
  std::string operator()(const DeleteChain& o) const { return "delete chain " + o.name; }
  std::string operator()(const AddRule& o) const { return "add rule to chain " + o.chain + " (" + to_text(o.rule) + ")"; }
  std::string operator()(const AddSet& o) const { return "add set " + o.name; }
  std::string operator()(const DeleteSet& o) const { return "delete set " + o.name; }
  std::string operator()(const FlushSet& o) const { return "flush set " + o.name; }
  std::string operator()(const AddElements& o) const { return "add elements to set " + o.set; }
  std::string operator()(const DeleteElements& o) const { return "delete elements of set " + o.set; }
  std::string operator()(const AddCounter& o) const { return "add counter " + o.name; }
  std::string operator()(const DeleteCounter& o) const { return "delete counter " + o.name; }
};

}  // namespace

void Transaction::append(Transaction other) {
  operations_.insert(operations_.end(), std::move_iterator(other.operations_.begin()), std::move_iterator(other.operations_.end()));
}

std::size_t Transaction::weight() const {
  std::size_t sum = 0;
  for (const auto& operation : operations_) sum += std::visit(Weight{}, operation);
  return sum;
}

std::string Transaction::to_text() const {
  std::string text;
  for (const auto& operation : operations_) text += nft::to_text(table_, operation) + '\n';
  return text;
}

std::string describe(const Operation& operation) { return std::visit(Description{}, operation); }

Transaction build_table(const Table& table) {
  Transaction transaction(table.name);
  transaction.add(AddTable{table.comment, table.owned});
  for (const auto& [name, counter] : table.counters) transaction.add(AddCounter{name, counter.comment});
  for (const auto& [name, chain] : table.chains) transaction.add(AddChain{name, chain.hook, chain.comment});
  for (const auto& [name, set] : table.sets) {
    auto spec = without_elements(set);
    transaction.add(AddSet{name, spec});
    if (set.elements.empty()) continue;
    transaction.add(AddElements{name, std::move(spec), ElementList(set.elements.begin(), set.elements.end())});
  }
  for (const auto& [name, chain] : table.chains) {
    for (const auto& rule : chain.rules) transaction.add(AddRule{name, rule});
  }
  return transaction;
}

}  // namespace wsl4::netlink::nft
