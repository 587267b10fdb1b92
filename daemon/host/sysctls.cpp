// The per-namespace settings that the job needs. Why each one is needed stands in wsl4d(8) and docs/architecture.md.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include <fmt/format.h>

#include "daemon/flows/idle.h"
#include "daemon/host/host.h"
#include "daemon/util/file.h"
#include "netlink/handle.h"

namespace wsl4::host {

namespace {

class KernelSysctls final : public Sysctls {
 public:
  std::optional<std::string> read(const std::string& name) override {
    auto text = util::read_file(path(name));
    if (!text) return std::nullopt;
    while (!text->empty() && text->back() == '\n') text->pop_back();
    return std::move(*text);
  }

  tl::expected<void, std::string> write(const std::string& name, const std::string& value) override {
    const netlink::Fd fd(::open(path(name).c_str(), O_WRONLY | O_CLOEXEC));
    if (fd && ::write(fd.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size())) return {};
    return tl::make_unexpected(
        fmt::format("sysctl {} cannot be set to {}: {}", name, value, std::generic_category().message(errno)));
  }

 private:
  static std::string path(std::string name) {
    if (name.find('/') == std::string::npos) std::ranges::replace(name, '.', '/');
    return "/proc/sys/" + name;
  }
};

std::chrono::seconds established_timeout(const config::Config& config) {
  std::chrono::milliseconds longest{0};
  for (const auto& service : config.services) {
    if (service.protocol != netlink::Protocol::kTcp) continue;
    if (service.idle_timeout.count() == 0) return flows::kLongestEstablished;
    longest = std::max(longest, service.idle_timeout);
  }
  return std::min(std::chrono::ceil<std::chrono::seconds>(longest) + flows::kEstablishedMargin, flows::kLongestEstablished);
}

}  // namespace

std::unique_ptr<Sysctls> kernel_sysctls() { return std::make_unique<KernelSysctls>(); }

bool uses(const config::Config& config, netlink::Family family) {
  return std::ranges::any_of(config.services, [family](const config::Service& service) {
    return std::ranges::any_of(service.listen, [family](const auto& listen) { return listen.address.family() == family; });
  });
}

bool uses_virtual_mac(const config::Config& config) { return config.ha && config.ha->virtual_mac; }

std::map<std::string, std::string> wanted_sysctls(const config::Config& config) {
  if (config.services.empty()) return {};
  std::map<std::string, std::string> wanted{
      {"net/netfilter/nf_conntrack_events", "1"},          // every entry reports, also one made before the daemon listened
      {"net/netfilter/nf_conntrack_tcp_be_liberal", "1"},  // an early segment must not make a live flow's packet invalid
      {"net/netfilter/nf_conntrack_tcp_loose", "0"},       // no flow is picked up in its middle and balanced anew
      {"net/netfilter/nf_conntrack_timestamp", "1"},       // the age of a flow
      {"net/netfilter/nf_conntrack_tcp_timeout_established", std::to_string(established_timeout(config).count())},
  };
  if (uses(config, netlink::Family::kIpv4)) wanted["net/ipv4/ip_forward"] = "1";
  if (uses_virtual_mac(config) && uses(config, netlink::Family::kIpv4)) {
    wanted["net/ipv4/conf/all/arp_ignore"] = "1";    // no other card answers for what a virtual link has
    wanted["net/ipv4/conf/all/arp_announce"] = "2";  // nor names it as the sender of a question
  }
  if (uses(config, netlink::Family::kIpv6)) wanted["net/ipv6/conf/all/forwarding"] = "1";
  return wanted;
}

SysctlChanges apply_sysctls(Sysctls& sysctls, const std::map<std::string, std::string>& wanted) {
  SysctlChanges changes;
  for (const auto& [name, value] : wanted) {
    const auto present = sysctls.read(name);
    if (present == value) continue;
    const auto written = sysctls.write(name, value);
    if (!written) {
      changes.failures.push_back(written.error());
    } else if (present) {
      changes.old_values.emplace(name, *present);
    }
  }
  return changes;
}

RestoredSysctls restore_sysctls(Sysctls& sysctls, const std::map<std::string, ChangedSysctl>& changed) {
  RestoredSysctls result;
  for (const auto& [name, values] : changed) {
    const auto present = sysctls.read(name);
    if (present == values.before) continue;
    if (present && !values.set.empty() && present != values.set) {
      result.left.push_back(fmt::format("sysctl {} is {}, not {} as wsl4 set it: left so", name, *present, values.set));
    } else if (const auto written = sysctls.write(name, values.before); !written) {
      result.failures.push_back(written.error());
    } else {
      ++result.restored;
    }
  }
  return result;
}

}  // namespace wsl4::host
