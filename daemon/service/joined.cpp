#include "daemon/service/joined.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include <fmt/format.h>

#include "daemon/config/own_addresses.h"
#include "daemon/service/layers.h"

namespace wsl4::service {
namespace {

/// Addresses that no backend may have. There may be thousands of them and of backends: looked up, not searched.
class Forbidden {
 public:
  explicit Forbidden(const config::Config& file) : own_(config::own_addresses(file)) {
    for (const auto& service : file.services)
      for (const auto& listen : service.listen) listens_.emplace(service.protocol, listen);
  }
  [[nodiscard]] bool has(netlink::Protocol protocol, const netlink::Endpoint& address) const {
    return listens_.contains({protocol, address}) || own_.contains(address.address);
  }

 private:
  std::set<std::pair<netlink::Protocol, netlink::Endpoint>> listens_;
  std::unordered_set<netlink::IpAddress> own_;
};

/// One service on its way.
class Layer {
 public:
  Layer(const config::Config& file, const Forbidden& forbidden, Joined& joined, config::Service& service)
      : file_(file), forbidden_(forbidden), joined_(joined), service_(service) {
    for (const auto& backend : service.backends) note(backend);
    for (const auto& listen : service.listen) families_.insert(listen.address.family());
  }

  void add_registered(const std::string& name, const Registration& registration) {
    auto backend = to_backend(name, registration);
    if (names_.contains(name)) return tell(backend, "registered", "the configuration file has a backend of that name");
    add(std::move(backend), Origin::kRegistered, "registered");
  }

  void add_discovered(config::Backend backend) {
    if (addresses_.contains(backend.address)) return;
    if (names_.contains(backend.name)) backend.name = backend.address.to_string();
    add(std::move(backend), Origin::kDiscovered, "found in DNS");
  }

 private:
  void add(config::Backend backend, Origin origin, std::string_view how) {
    const bool fits = families_.contains(backend.address.address.family()) && !addresses_.contains(backend.address) &&
                      !forbidden_.has(service_.protocol, backend.address);
    if (!fits) {
      const auto clash = find_clash(file_, service_, backend);
      return tell(backend, how, clash ? clash->problems.front() : "");
    }
    note(backend);
    joined_.origins.emplace(std::pair(service_.name, backend.address), origin);
    service_.backends.push_back(std::move(backend));
  }

  void note(const config::Backend& backend) {
    names_.insert(backend.name);
    addresses_.insert(backend.address);
  }

  void tell(const config::Backend& backend, std::string_view how, std::string_view why) {
    joined_.left_out.push_back(fmt::format("{}/{}: {}, but it takes no connections: {}", service_.name, backend.name, how, why));
  }

  const config::Config& file_;
  const Forbidden& forbidden_;
  Joined& joined_;
  config::Service& service_;
  std::unordered_set<std::string> names_;
  std::unordered_set<netlink::Endpoint> addresses_;
  std::set<netlink::Family> families_;
};

}  // namespace

config::Backend to_backend(const std::string& name, const Registration& registration) {
  return {name, registration.address, registration.weight, registration.max_connections, registration.public_address};
}

Joined lay_joined(const config::Config& file, const Leases& leases, const Discovered& discovered) {
  Joined joined{file, {}, {}};
  const auto& all = leases.all();
  if (all.empty() && discovered.empty()) return joined;
  const Forbidden forbidden(file);
  for (auto& service : joined.config.services) {
    Layer layer(file, forbidden, joined, service);
    for (auto lease = all.lower_bound({service.name, ""}); lease != all.end() && lease->first.service == service.name; ++lease)
      layer.add_registered(lease->first.backend, lease->second.registration);
    const auto found = discovered.find(service.name);
    if (service.discovery.empty() || found == discovered.end()) continue;
    for (const auto& backend : found->second) layer.add_discovered(backend);
  }
  return joined;
}

}  // namespace wsl4::service
