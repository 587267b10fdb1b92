// What was changed at run time, laid over what the file says. Pure.
//
// A backend is known by its service and name. What was changed of it wins over the file, over reloads and restarts, until it is
// reset, or until the file says the same (`settle`); a change to what the file says anyway is none. A backend that was added takes
// the place of one of the same name in the file. A backend that was removed is not in the effective configuration: it drains as one
// that has left the file does.
//
// Changes of a backend or service that has gone from the file are dormant: without effect, told as warnings, and in force again
// when it comes back. So do added backends that do not fit the file any more (their address is a VIP, another backend's, …).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "daemon/config/config.h"
#include "daemon/service/change.h"
#include "daemon/service/version_vector.h"

namespace wsl4::service {

/// Changed backends, dormant ones included, that are remembered; more are refused.
inline constexpr std::size_t kMaxChangedBackends = 10'000;
/// For so long a backend's own count of its connections holds.
inline constexpr std::chrono::seconds kReportLifetime{60};

/// All that was changed of one backend.
struct ChangedBackend {
  std::optional<config::Backend> added;      // its definition
  std::optional<netlink::Endpoint> removed;  // the address that it had; then nothing but `evict` is set
  AdminState state = AdminState::kEnabled;
  std::uint32_t evict = 0;  // flows per second
  std::optional<int> weight;
  std::optional<std::uint64_t> max_connections;
  friend bool operator==(const ChangedBackend&, const ChangedBackend&) = default;
};
using ChangedService = std::map<std::string, ChangedBackend>;  // by backend name
using Changes = std::map<std::string, ChangedService>;         // by service

/// How a backend with run-time changes stands. Those without a mark are as the file has them.
struct Mark {
  enum class Standing : std::uint8_t { kServing, kDraining, kDisabled, kRemoved };
  std::string name;
  Standing standing = Standing::kServing;
  std::uint32_t evict = 0;  // flows per second to reset; 0: none
  friend bool operator==(const Mark&, const Mark&) = default;
};
using Marks = std::map<std::pair<std::string, netlink::Endpoint>, Mark>;  // by service and address, as the resolver knows backends

/// One service with its changes laid over what the file says of it.
struct LaidService {
  /// In the order of the file, added backends behind; those that drain or are disabled with their weight. None: not in the file.
  std::optional<config::Service> service;
  Marks marks;
  std::set<netlink::Endpoint> added{};  // of its backends those that were added at run time
  std::vector<std::string> dormant;     // a sentence for each change without effect: why, and how to drop it
  friend bool operator==(const LaidService&, const LaidService&) = default;
};

/// What a change has done. Only from kChanged on is there something to store and to apply.
enum class Applied : std::uint8_t { kNothing, kReported, kChanged, kCreated };

struct ChangeError {
  enum class Kind : std::uint8_t {
    kNotFound,  // no such service or backend
    kConflict,  // not as things stand
    kBad,       // never
  };
  Kind kind = Kind::kBad;
  std::vector<std::string> problems;  // sentences that say what to do
};

class Overlay {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  Overlay() = default;
  explicit Overlay(Changes changes, VersionVector versions = {}) : changes_(std::move(changes)), versions_(std::move(versions)) {}

  /// `file` is the configuration as loaded. What is accepted is in effect under the same file. An error changes nothing.
  [[nodiscard]] tl::expected<Applied, ChangeError> change(const config::Config& file, const std::string& service,
                                                          const std::string& backend, const BackendChange& change, TimePoint now);

  /// `own`: what `file` says of the service; null if it has gone. Nothing if the service has no changes.
  [[nodiscard]] std::optional<LaidService> lay(const config::Config& file, const std::string& service,
                                               const config::Service* own) const;

  /// Forgets what need not be remembered: what `file` says too, and removals of backends that are neither in it nor drain. True if
  /// anything was forgotten. For after a reload, and when a backend has drained.
  bool settle(const config::Config& file, const std::function<bool(const std::string& service, const netlink::Endpoint&)>& drains);

  /// The backend's own count of its connections, if it is young enough.
  [[nodiscard]] std::optional<std::uint64_t> reported(const std::string& service, const std::string& backend, TimePoint now) const;

  /// What is to be stored: all but the reports.
  [[nodiscard]] const Changes& changes() const { return changes_; }
  /// Of the nodes' changes, which are in this one. What `settle` forgets is none.
  [[nodiscard]] const VersionVector& versions() const { return versions_; }
  /// From now on what the other node's says holds, and counts as made from this one.
  void follow(const Overlay& theirs);
  /// A change by this node, as VersionVector::count has it.
  void count_change(const std::string& node, std::int64_t milliseconds) { versions_.count(node, milliseconds); }

 private:
  using Key = std::pair<std::string, std::string>;  // service, backend
  struct Report {
    std::uint64_t connections = 0;
    TimePoint at;
  };

  void note_report(const Key& key, const BackendChange& change, Applied applied, TimePoint now);

  Changes changes_;
  VersionVector versions_;
  std::map<Key, Report> reports_;
};

/// The backends, as "chat/b1", of which the two do not say the same.
[[nodiscard]] std::vector<std::string> differing(const Changes& one, const Changes& other);

}  // namespace wsl4::service
