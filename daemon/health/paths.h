// Which source address the next check of one backend comes from, and which addresses do not reach it. Pure.
//
// Checks come from the addresses in turn, and after a failure from another one, so that no single address can take a backend down.
// A failure counts against the backend at once; against the address it counts only when a check from another one succeeds before
// it is tried again. After `fall` such failures in a row the address is excluded for this backend: its checks no longer say
// anything about the backend. It comes back after `rise` good checks in a row. The address that succeeded last is never excluded,
// so one always remains.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "daemon/health/damper.h"
#include "netlink/ip.h"

namespace wsl4::health {

using netlink::IpAddress;

/// Pool addresses of one family, shared by all backends that use them. None, or no list: the kernel chooses the source.
using Sources = std::shared_ptr<const std::vector<IpAddress>>;
/// Whether a check may come from this address now.
using Usable = std::function<bool(const IpAddress&)>;

class Paths {
 public:
  /// So many failing addresses that are not excluded are remembered per backend, the latest ones.
  static constexpr std::size_t kMaxSuspects = 8;
  /// Every so many-th check comes from an excluded address, if there is one.
  static constexpr unsigned kProbeEvery = 4;

  /// How the choice leans.
  enum class Lean : std::uint8_t {
    kSettled,  // all is well: look at suspects again
    kInTurn,   // nothing to go by: everybody in turn
    kCareful,  // the next check says much about the backend: prefer addresses without failures
  };

  /// Keeps what is known of addresses that stay. Returns whether what is excluded changed among them: if only excluded ones stay,
  /// none is.
  bool set_sources(Sources sources);

  /// The source of the next check: the unspecified address leaves it to the kernel; nothing if no address is usable.
  [[nodiscard]] std::optional<IpAddress> next(Lean lean, const Usable& usable);

  struct Recorded {
    bool votes;    // the result says something about the backend
    bool changed;  // what is excluded changed
  };
  Recorded record(const IpAddress& source, Outcome outcome, Damper::Limits limits);
  /// Those of the sources that are excluded count as such, unless none were left.
  void presume(const std::vector<IpAddress>& excluded);
  /// The backend is down: that it does not answer says nothing about the addresses that were tried.
  void acquit();

  [[nodiscard]] std::vector<IpAddress> excluded() const;
  /// How many addresses have a vote; 1 where the kernel chooses.
  [[nodiscard]] std::size_t voters() const;
  /// Whether one more check would settle something about an address that is usable.
  [[nodiscard]] bool urgent(const Usable& usable) const;

 private:
  /// An address with failures, or one that gave no verdict lately (all zero).
  struct Trouble {
    IpAddress source;
    bool excluded = false;
    bool failed = false;  // lately, and not contradicted by another address yet
    int bad = 0;          // failures in a row that were
    int good = 0;         // of an excluded one: good checks in a row
    [[nodiscard]] bool urgent() const { return excluded ? good > 0 : bad > 0; }
  };

  [[nodiscard]] Trouble* find(const IpAddress& source);
  Trouble& find_or_add(const IpAddress& source);
  Recorded record_good(const IpAddress& source, Damper::Limits limits);
  [[nodiscard]] std::optional<IpAddress> recheck(Lean lean, const Usable& usable) const;
  [[nodiscard]] std::optional<IpAddress> probe(const Usable& usable);
  [[nodiscard]] std::optional<IpAddress> in_turn(Lean lean, const Usable& usable);
  [[nodiscard]] int reluctance(const IpAddress& source, Lean lean);

  Sources sources_;
  std::size_t position_ = 0;       // in turn
  unsigned since_probe_ = 0;       // checks since an excluded address had its turn
  IpAddress last_;                 // where the last check came from
  std::vector<Trouble> troubles_;  // oldest first
};

}  // namespace wsl4::health
