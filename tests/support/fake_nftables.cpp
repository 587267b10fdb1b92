#include "tests/support/fake_nftables.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace wsl4::test {

using netlink::nft::AddChain;
using netlink::nft::AddCounter;
using netlink::nft::AddElements;
using netlink::nft::AddRule;
using netlink::nft::AddSet;
using netlink::nft::AddTable;
using netlink::nft::Chain;
using netlink::nft::CounterObject;
using netlink::nft::CounterValue;
using netlink::nft::CountNamed;
using netlink::nft::DeleteChain;
using netlink::nft::DeleteCounter;
using netlink::nft::DeleteElements;
using netlink::nft::DeleteSet;
using netlink::nft::DeleteTable;
using netlink::nft::Element;
using netlink::nft::FlushChain;
using netlink::nft::FlushSet;
using netlink::nft::LimitClientConnections;
using netlink::nft::LimitClientRate;
using netlink::nft::Rule;
using netlink::nft::Set;
using netlink::nft::Table;
using netlink::nft::Transaction;
using netlink::nft::Verdict;

namespace {

/// What a rule or an element points at, by kind and name.
enum class Kind { kChain, kSet, kCounter };
using Reference = std::pair<Kind, std::string>;

struct ReferenceOf {
  std::optional<Reference> operator()(const CountNamed& s) const { return Reference{Kind::kCounter, s.counter}; }
  std::optional<Reference> operator()(const Verdict& s) const {
    if (s.kind != Verdict::Kind::kJump && s.kind != Verdict::Kind::kGoto) return std::nullopt;
    return Reference{Kind::kChain, s.chain};
  }
  template <class Other>
  std::optional<Reference> operator()(const Other& s) const {
    if constexpr (requires { s.set; }) return Reference{Kind::kSet, s.set};
    if constexpr (requires { s.map; }) return Reference{Kind::kSet, s.map};
    return std::nullopt;
  }
};

std::optional<Reference> reference_of(const Element& element) {
  const auto* verdict = std::get_if<Verdict>(&element.data);
  return verdict == nullptr ? std::nullopt : ReferenceOf{}(*verdict);
}

bool exists(const Table& table, const Reference& reference) {
  switch (reference.first) {
    case Kind::kChain:
      return table.chains.contains(reference.second);
    case Kind::kSet:
      return table.sets.contains(reference.second);
    case Kind::kCounter:
      return table.counters.contains(reference.second);
  }
  return false;
}

/// Why the kernel refuses a limit on the set that it names (nft_dynset_init, nft_set_elem_expr_alloc); 0: it does not.
struct Refusal {
  const Table& table;

  int operator()(const LimitClientConnections& s) const {
    const auto& set = table.sets.at(s.set);
    if (!set.dynamic) return set.size != 0 ? EOPNOTSUPP : EINVAL;
    return set.timeout.count() != 0 ? EOPNOTSUPP : 0;
  }
  int operator()(const LimitClientRate& s) const {
    const auto& set = table.sets.at(s.set);
    if (set.timeout.count() == 0) return EOPNOTSUPP;  // later kernels take it
    return set.dynamic ? 0 : EINVAL;
  }
  template <class Other>
  int operator()(const Other&) const {
    return 0;
  }
};

/// Counts of what is pointed at; kept while operations are applied, so that a large batch costs no more than its size.
class References {
 public:
  explicit References(const Table& table) {
    for (const auto& [name, chain] : table.chains) count(chain.rules, 1);
    for (const auto& [name, set] : table.sets) count(set, 1);
  }
  void count(const std::vector<Rule>& rules, int by) {
    for (const auto& rule : rules) {
      for (const auto& statement : rule.statements) count(std::visit(ReferenceOf{}, statement), by);
    }
  }
  void count(const Set& set, int by) {
    for (const auto& [key, element] : set.elements) count(reference_of(element), by);
  }
  void count(const std::optional<Reference>& reference, int by) {
    if (reference) counts_[*reference] += by;
  }
  [[nodiscard]] bool used(const Reference& reference) const {
    const auto found = counts_.find(reference);
    return found != counts_.end() && found->second > 0;
  }

 private:
  std::map<Reference, int> counts_;
};

/// Applies operations to a copy of the tables; each call returns an errno, 0 for success.
class Batch {
 public:
  Batch(std::map<std::string, Table>& tables, const std::string& name) : tables_(tables), name_(name) { load(); }

  int operator()(const AddTable& o) {
    if (table_ != nullptr) {
      table_->owned = table_->owned || o.owned;
      return table_->owned && !o.owned ? EOPNOTSUPP : 0;
    }
    tables_[name_] = Table{.name = name_, .comment = o.comment, .owned = o.owned, .counters = {}, .sets = {}, .chains = {}};
    load();
    return 0;
  }
  int operator()(const DeleteTable&) {
    if (table_ == nullptr) return ENOENT;
    tables_.erase(name_);
    load();
    return 0;
  }
  int operator()(const AddChain& o) {
    if (table_ == nullptr) return ENOENT;
    return table_->chains.try_emplace(o.name, Chain{o.hook, o.comment, {}}).second ? 0 : EEXIST;
  }
  int operator()(const FlushChain& o) {
    auto* chain = find_chain(o.name);
    if (chain == nullptr) return ENOENT;
    references_->count(chain->rules, -1);
    chain->rules.clear();
    return 0;
  }
  int operator()(const DeleteChain& o) {
    auto* chain = find_chain(o.name);
    if (chain == nullptr) return ENOENT;
    references_->count(chain->rules, -1);
    if (references_->used({Kind::kChain, o.name})) return EBUSY;
    table_->chains.erase(o.name);
    return 0;
  }
  int operator()(const AddRule& o) {
    auto* chain = find_chain(o.chain);
    if (chain == nullptr) return ENOENT;
    for (const auto& statement : o.rule.statements) {
      const auto reference = std::visit(ReferenceOf{}, statement);
      if (reference && !exists(*table_, *reference)) return ENOENT;
      if (const int code = std::visit(Refusal{*table_}, statement); code != 0) return code;
    }
    references_->count({o.rule}, 1);
    chain->rules.push_back(o.rule);
    return 0;
  }
  int operator()(const AddSet& o) {
    if (table_ == nullptr) return ENOENT;
    auto spec = o.spec;
    spec.elements.clear();
    return table_->sets.try_emplace(o.name, std::move(spec)).second ? 0 : EEXIST;
  }
  int operator()(const DeleteSet& o) {
    auto* set = find_set(o.name);
    if (set == nullptr) return ENOENT;
    if (references_->used({Kind::kSet, o.name})) return EBUSY;
    references_->count(*set, -1);
    table_->sets.erase(o.name);
    return 0;
  }
  int operator()(const FlushSet& o) {
    auto* set = find_set(o.name);
    if (set == nullptr) return ENOENT;
    references_->count(*set, -1);
    set->elements.clear();
    return 0;
  }
  int operator()(const AddElements& o) {
    auto* set = find_set(o.set);
    if (set == nullptr) return ENOENT;
    for (const auto& [key, element] : o.elements) {
      const auto reference = reference_of(element);
      if (reference && !exists(*table_, *reference)) return ENOENT;
      if (set->elements.contains(key)) return EEXIST;
      if (set->size != 0 && set->elements.size() >= set->size) return ENFILE;
      references_->count(reference, 1);
      set->elements.emplace(key, element);
    }
    return 0;
  }
  int operator()(const DeleteElements& o) {
    auto* set = find_set(o.set);
    if (set == nullptr) return ENOENT;
    for (const auto& [key, element] : o.elements) {
      const auto found = set->elements.find(key);
      if (found == set->elements.end()) return ENOENT;
      references_->count(reference_of(found->second), -1);
      set->elements.erase(found);
    }
    return 0;
  }
  int operator()(const AddCounter& o) {
    if (table_ == nullptr) return ENOENT;
    return table_->counters.try_emplace(o.name, CounterObject{o.comment}).second ? 0 : EEXIST;
  }
  int operator()(const DeleteCounter& o) {
    if (table_ == nullptr || !table_->counters.contains(o.name)) return ENOENT;
    if (references_->used({Kind::kCounter, o.name})) return EBUSY;
    table_->counters.erase(o.name);
    return 0;
  }

 private:
  void load() {
    const auto found = tables_.find(name_);
    table_ = found == tables_.end() ? nullptr : &found->second;
    references_ = table_ == nullptr ? std::nullopt : std::optional<References>(*table_);
  }
  Chain* find_chain(const std::string& name) {
    if (table_ == nullptr) return nullptr;
    const auto found = table_->chains.find(name);
    return found == table_->chains.end() ? nullptr : &found->second;
  }
  Set* find_set(const std::string& name) {
    if (table_ == nullptr) return nullptr;
    const auto found = table_->sets.find(name);
    return found == table_->sets.end() ? nullptr : &found->second;
  }

  std::map<std::string, Table>& tables_;
  const std::string& name_;
  Table* table_ = nullptr;
  std::optional<References> references_;
};

}  // namespace

netlink::Result<void> FakeNftables::commit(const Transaction& transaction) {
  if (next_failure_) return tl::make_unexpected(*std::exchange(next_failure_, std::nullopt));
  auto next = tables_;
  Batch batch(next, transaction.table());
  for (const auto& operation : transaction.operations()) {
    const auto owner = foreign_.find(transaction.table());
    const int code = owner != foreign_.end() && owner->second ? EPERM : std::visit(batch, operation);
    if (code != 0) return netlink::failure(code, describe(operation));
  }
  if (transaction.empty()) return {};
  tables_ = std::move(next);
  committed_.push_back(transaction);
  return {};
}

netlink::Result<std::optional<Table>> FakeNftables::read_table(const std::string& name) {
  const auto found = tables_.find(name);
  if (found == tables_.end()) return std::optional<Table>();
  auto table = found->second;
  for (auto& [set_name, set] : table.sets) {
    if (set.holds_state()) set.elements.clear();
  }
  return std::optional<Table>(std::move(table));
}

netlink::Result<std::map<std::string, CounterValue>> FakeNftables::read_counters(const std::string& table) {
  std::map<std::string, CounterValue> values;
  const auto found = tables_.find(table);
  if (found == tables_.end()) return values;
  for (const auto& [name, counter] : found->second.counters) {
    const auto value = counters_.find({table, name});
    values[name] = value == counters_.end() ? CounterValue{} : value->second;
  }
  return values;
}

void FakeNftables::flush_by_others() {
  std::erase_if(tables_, [](const auto& item) { return !item.second.owned; });
}

void FakeNftables::replace_by_others(const std::string& name, std::optional<Table> table) {
  if (table) {
    tables_.insert_or_assign(name, std::move(*table));
  } else {
    tables_.erase(name);
  }
}

void FakeNftables::own_by_others(const std::string& name, bool owned) { foreign_[name] = owned; }

void FakeNftables::set_counter(const std::string& table, const std::string& counter, CounterValue value) {
  counters_[{table, counter}] = value;
}

}  // namespace wsl4::test
