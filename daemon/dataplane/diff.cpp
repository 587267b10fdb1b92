#include "daemon/dataplane/diff.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

namespace wsl4::dataplane {
namespace {

using netlink::nft::Chain;
using netlink::nft::CounterObject;
using netlink::nft::Data;
using netlink::nft::ElementList;
using netlink::nft::Set;
using netlink::nft::Statement;
using netlink::nft::Table;
using netlink::nft::Transaction;
using netlink::nft::Verdict;
namespace nft = netlink::nft;

using Names = std::set<std::string, std::less<>>;

bool same_kind(const Chain& left, const Chain& right) { return left.hook == right.hook && left.comment == right.comment; }
bool same_kind(const CounterObject& left, const CounterObject& right) { return left == right; }
bool same_kind(const Set& left, const Set& right) { return without_elements(left) == without_elements(right); }

/// What must go and what must come; an object of another kind does both, since the kernel changes none in place.
struct Replaced {
  Names gone, made;
  Names both;  // in `gone` and `made`: whatever refers to it has to let go of it first
};

template <class Objects>
Replaced compare(const Objects& have, const Objects& want) {
  Replaced replaced;
  for (const auto& [name, object] : have) {
    const auto next = want.find(name);
    if (next != want.end() && same_kind(object, next->second)) continue;
    replaced.gone.insert(name);
    if (next != want.end()) replaced.both.insert(name);
  }
  for (const auto& [name, object] : want)
    if (replaced.both.contains(name) || !have.contains(name)) replaced.made.insert(name);
  return replaced;
}

class Differ {
 public:
  Differ(const Table& have, Table want)
      : have_(have),
        want_(std::move(want)),
        counters_(compare(have.counters, want_.counters)),
        sets_(compare(have.sets, want_.sets)),
        chains_(compare(have.chains, want_.chains)),
        out_(want_.name) {}

  /// First everything lets go of what vanishes: rules of sets, chains and counters, then elements of chains. Then it vanishes, then
  /// the new is made in the opposite order; elements before rules, as the kernel checks each element of a map that a rule already
  /// uses.
  Transaction run() {
    for (const auto& [name, chain] : have_.chains)
      if (!chain.rules.empty() && is_refilled(name)) out_.add(nft::FlushChain{name});
    for (const auto& [name, set] : have_.sets)
      if (!sets_.gone.contains(name)) delete_elements(name, set);
    for (const auto& name : sets_.gone) out_.add(nft::DeleteSet{name});
    for (const auto& name : chains_.gone) out_.add(nft::DeleteChain{name});
    for (const auto& name : counters_.gone) out_.add(nft::DeleteCounter{name});

    for (const auto& name : counters_.made) out_.add(nft::AddCounter{name, want_.counters.at(name).comment});
    for (const auto& name : chains_.made) out_.add(nft::AddChain{name, want_.chains.at(name).hook, want_.chains.at(name).comment});
    for (const auto& [name, set] : want_.sets) {
      if (sets_.made.contains(name)) out_.add(nft::AddSet{name, without_elements(set)});
      add_elements(name, set);
    }
    for (auto& [name, chain] : want_.chains)
      if (is_refilled(name))
        for (auto& rule : chain.rules) out_.add(nft::AddRule{name, std::move(rule)});
    return std::move(out_);
  }

 private:
  /// The chain's rules are taken out, put in, or both.
  bool is_refilled(const std::string& name) const {
    if (chains_.gone.contains(name) || chains_.made.contains(name)) return true;
    const auto& rules = have_.chains.at(name).rules;
    return rules != want_.chains.at(name).rules ||
           std::ranges::any_of(rules, [&](const nft::Rule& rule) { return refers_to_replaced(rule); });
  }

  bool refers_to_replaced(const nft::Rule& rule) const {
    return std::ranges::any_of(rule.statements, [&](const Statement& statement) {
      if (const auto* set = nft::set_of(statement)) return sets_.both.contains(*set);
      if (const auto* count = std::get_if<nft::CountNamed>(&statement)) return counters_.both.contains(count->counter);
      if (const auto* verdict = std::get_if<Verdict>(&statement)) return chains_.both.contains(verdict->chain);
      return false;
    });
  }

  /// The element stays as it is: equal, and not pointing to a chain that is made anew.
  bool stays(const Data& data, const nft::Element& have, const nft::Element& want) const {
    const auto* verdict = std::get_if<Verdict>(&data);
    return have == want && !(verdict && chains_.both.contains(verdict->chain));
  }

  /// Elements of `from` that are not, or not so, in `other`.
  ElementList differing(const Set& from, const Set* other) const {
    ElementList elements;
    for (const auto& [key, element] : from.elements) {
      const auto* match = other ? find(*other, key) : nullptr;
      if (!match || !stays(element.data, element, *match)) elements.emplace_back(key, element);
    }
    return elements;
  }

  static const nft::Element* find(const Set& set, const nft::Bytes& key) {
    const auto element = set.elements.find(key);
    return element == set.elements.end() ? nullptr : &element->second;
  }

  void delete_elements(const std::string& name, const Set& set) {
    auto elements = differing(set, &want_.sets.at(name));
    if (!elements.empty()) out_.add(nft::DeleteElements{name, without_elements(set), std::move(elements)});
  }

  void add_elements(const std::string& name, const Set& set) {
    auto elements = differing(set, sets_.made.contains(name) ? nullptr : &have_.sets.at(name));
    if (!elements.empty()) out_.add(nft::AddElements{name, without_elements(set), std::move(elements)});
  }

  const Table& have_;
  Table want_;
  const Replaced counters_, sets_, chains_;
  Transaction out_;
};

}  // namespace

Transaction diff(const Table& have, Table want) {
  if (have.comment == want.comment && have.owned == want.owned && !have.unknown) return Differ(have, std::move(want)).run();
  return build_anew(want);
}

Transaction build_anew(const Table& want) {
  Transaction anew(want.name);
  anew.add(nft::DeleteTable{});
  anew.append(nft::build_table(want));
  return anew;
}

}  // namespace wsl4::dataplane
