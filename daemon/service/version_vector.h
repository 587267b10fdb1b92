// Which changes a copy of something holds that two nodes change: of each node, how far its changes are in it. Tells a copy that has
// missed changes from one that has all, and both from two that were changed apart. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace wsl4::service {

class VersionVector {
 public:
  using Versions = std::map<std::string, std::int64_t>;  // by node

  enum class Order : std::uint8_t {
    kEqual,
    kOlder,       // the other one has all that this one has, and more
    kNewer,       // the reverse
    kConcurrent,  // each has what the other one lacks
  };

  VersionVector() = default;
  explicit VersionVector(Versions versions) : versions_(std::move(versions)) {}

  /// A change by this node. `milliseconds` since the epoch, by its clock: a node that has lost its memory does not count as it did
  /// before. A clock that goes back does no harm.
  void count(const std::string& node, std::int64_t milliseconds);
  /// Holds what either holds.
  void merge(const VersionVector& other);
  [[nodiscard]] Order compare(const VersionVector& other) const;

  [[nodiscard]] const Versions& versions() const { return versions_; }
  friend bool operator==(const VersionVector&, const VersionVector&) = default;

 private:
  [[nodiscard]] bool covers(const VersionVector& other) const;

  Versions versions_;
};

}  // namespace wsl4::service
