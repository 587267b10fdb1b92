// The machine around the balancer: kernel features by name, sysctls with their old values kept, and what stands in the way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "daemon/config/config.h"

namespace wsl4::host {

/// "6.1.0-25-amd64" -> {6, 1}
struct KernelVersion {
  int major = 0, minor = 0;
  [[nodiscard]] static std::optional<KernelVersion> parse(const std::string& release);
  [[nodiscard]] static KernelVersion running();
  friend auto operator<=>(const KernelVersion&, const KernelVersion&) = default;
};

/// As uname -r shows it.
[[nodiscard]] std::string kernel_release();

/// What differs between kernels that wsl4 supports (6.1 and newer), derived from the version. See kernel facts in
/// docs/architecture.md.
struct KernelFeatures {
  bool supported = false;        // >= 6.1
  bool owned_tables = false;     // >= 6.9: owner and persist
  bool steady_lookups = false;   // >= 6.17: no lookup miss while a transaction commits
  bool time_wait_reuse = false;  // >= 6.5
};
[[nodiscard]] KernelFeatures features_of(const KernelVersion& version);

/// Which of those that the daemon needs this thread does not have: "CAP_NET_ADMIN", "CAP_NET_RAW".
[[nodiscard]] std::vector<std::string> missing_capabilities();

/// Reads and writes /proc/sys by dotted or slashed name ("net/ipv4/ip_forward"); an interface, so that tests have a fake.
class Sysctls {
 public:
  virtual ~Sysctls() = default;
  virtual std::optional<std::string> read(const std::string& name) = 0;
  virtual tl::expected<void, std::string> write(const std::string& name, const std::string& value) = 0;
};
[[nodiscard]] std::unique_ptr<Sysctls> kernel_sysctls();

/// Whether a service listens on an address of this family.
[[nodiscard]] bool uses(const config::Config& config, netlink::Family family);

[[nodiscard]] bool uses_virtual_mac(const config::Config& config);

/// The per-namespace settings that the job needs, for these services (families in use, longest idle_timeout, virtual MAC address).
/// Name -> value.
[[nodiscard]] std::map<std::string, std::string> wanted_sysctls(const config::Config& config);

/// Sets what differs; goes on after a failure. `old_values`: of what it changed.
struct SysctlChanges {
  std::map<std::string, std::string> old_values;
  std::vector<std::string> failures;  // "sysctl net/ipv4/ip_forward cannot be set to 1: Permission denied"
};
SysctlChanges apply_sysctls(Sysctls& sysctls, const std::map<std::string, std::string>& wanted);

/// A setting that wsl4 changed: its value before, and the one that wsl4 gave it (empty: not known).
struct ChangedSysctl {
  std::string before, set;
  friend bool operator==(const ChangedSysctl&, const ChangedSysctl&) = default;
};

/// Gives settings their old values back, but for those that somebody else has changed since: `left` says which. Goes on after a
/// failure.
struct RestoredSysctls {
  std::size_t restored = 0;
  std::vector<std::string> left;  // "sysctl net/ipv4/ip_forward is 2, not 1 as wsl4 set it: left so"
  std::vector<std::string> failures;
};
[[nodiscard]] RestoredSysctls restore_sysctls(Sysctls& sysctls, const std::map<std::string, ChangedSysctl>& changed);

/// One thing that is wrong on this machine, and the command that mends it; a note only tells.
struct Finding {
  enum class Severity : std::uint8_t { kError, kWarning, kNote };
  Severity severity = Severity::kWarning;
  std::string what;
  std::string remedy;  // a command, or words
};

/// What would have to be fixed here for `config`: kernel features, sysctls, table sizes, interfaces and their settings, forward
/// chains with policy drop, backends and programs on this machine; and what a flood of SYNs costs here. Changes nothing. Without
/// CAP_NET_ADMIN some checks are left out, which is a finding itself.
[[nodiscard]] std::vector<Finding> check_host(const config::Config& config, Sysctls& sysctls);
/// That the daemon's user cannot read the configuration itself.
[[nodiscard]] std::optional<Finding> unreadable_configuration(const std::string& path);

}  // namespace wsl4::host
