// Numbers for what many flows have in common: VIPs, backends, SNAT addresses. A flow holds three numbers instead of three
// addresses, in memory as on the wire. Numbers are a node's own; what both nodes must compute alike goes by `hash`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "sync/flow.h"

namespace wsl4::sync {

/// A VIP has all three members, a backend no protocol, a SNAT address no port either.
struct Term {
  Address address;
  std::uint16_t port = 0;
  std::uint8_t protocol = 0;
  friend bool operator==(const Term&, const Term&) = default;
};

/// Equal on all nodes.
[[nodiscard]] std::uint64_t content_hash(const Term& term);

using TermIndex = std::uint32_t;
/// Stands for the SNAT address of a flow in mode dnat, the client's own. Always valid, never counted.
inline constexpr TermIndex kClientItself = 0xffffffff;
/// Numbers are below this.
inline constexpr TermIndex kMaxTerms = 1U << 20;

/// Counts references: a number stays as long as somebody holds it, then it is given to another term.
class Dictionary {
 public:
  /// The term's number, with a reference for the caller. nullopt: kMaxTerms are in use.
  [[nodiscard]] std::optional<TermIndex> acquire(const Term& term);
  /// Without a reference.
  [[nodiscard]] std::optional<TermIndex> find(const Term& term) const;
  void retain(TermIndex index);
  void release(TermIndex index);

  [[nodiscard]] const Term& term(TermIndex index) const { return slots_[index].term; }
  /// content_hash of the term; 0 for kClientItself.
  [[nodiscard]] std::uint64_t hash(TermIndex index) const { return index == kClientItself ? 0 : slots_[index].hash; }
  /// Changes when the number is given to another term; never 0.
  [[nodiscard]] std::uint32_t generation(TermIndex index) const { return slots_[index].generation; }
  [[nodiscard]] std::size_t size() const { return numbers_.size(); }

 private:
  struct Slot {
    Term term;
    std::uint64_t hash = 0;
    std::uint32_t references = 0;
    std::uint32_t generation = 0;
  };
  struct TermHash {
    std::size_t operator()(const Term& term) const { return content_hash(term); }
  };
  std::vector<Slot> slots_;
  std::vector<TermIndex> free_;
  boost::unordered_flat_map<Term, TermIndex, TermHash> numbers_;
};

}  // namespace wsl4::sync
