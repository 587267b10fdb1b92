#include "daemon/service/layers.h"

#include <algorithm>

#include <fmt/format.h>

#include "daemon/config/own_addresses.h"

namespace wsl4::service {
namespace {

using Kind = ChangeError::Kind;
using Standing = Mark::Standing;

std::string_view name_of(netlink::Family family) { return family == netlink::Family::kIpv4 ? "IPv4" : "IPv6"; }

Standing standing_of(AdminState state) {
  switch (state) {
    case AdminState::kEnabled:
      return Standing::kServing;
    case AdminState::kDraining:
      return Standing::kDraining;
    case AdminState::kDisabled:
      return Standing::kDisabled;
  }
  return Standing::kServing;
}

class Layers {
 public:
  Layers(const config::Config& file, const config::Service& own, const ChangedService& changes)
      : file_(file), own_(own), changes_(changes), service_(own) {
    service_.backends.clear();
  }

  LaidService lay() {
    // Added ones last, when it is known which addresses are taken.
    for (const auto& backend : own_.backends) {
      const auto change = changes_.find(backend.name);
      if (change == changes_.end()) service_.backends.push_back(backend);
      if (change != changes_.end()) lay_on(backend, change->second);
    }
    for (const auto& [name, change] : changes_) {
      if (change.removed) mark_removed(name, *change.removed, change);
      if (change.added) add(name, change);
      if (!change.removed && !change.added && find_backend(own_, name) == nullptr)
        tell_dormant(name, "is not in the configuration");
    }
    for (auto& [address, mark] : removed_) {
      if (std::ranges::find(service_.backends, address, &config::Backend::address) == service_.backends.end())
        laid_.marks.emplace(std::pair(own_.name, address), std::move(mark));
    }
    laid_.service = std::move(service_);
    return std::move(laid_);
  }

 private:
  void lay_on(const config::Backend& backend, const ChangedBackend& change) {
    if (change.removed) {
      mark_removed(backend.name, backend.address, change);
    } else if (!change.added) {
      place(backend, change);
    }
  }

  void add(const std::string& name, const ChangedBackend& change) {
    const auto* own = find_backend(own_, name);
    const auto clash = find_clash(file_, service_, *change.added);
    if (!clash) {
      place(*change.added, change);
      laid_.added.insert(change.added->address);
      if (own != nullptr && own->address != change.added->address) mark_removed(name, own->address, change);
      return;
    }
    tell_dormant(name, clash->problems.front());
    if (own != nullptr && !find_clash(file_, service_, *own)) place(*own, change);
  }

  void place(config::Backend backend, const ChangedBackend& change) {
    backend.weight = change.weight.value_or(backend.weight);
    backend.max_connections = change.max_connections.value_or(backend.max_connections);
    laid_.marks[{own_.name, backend.address}] = {backend.name, standing_of(change.state), change.evict};
    service_.backends.push_back(std::move(backend));
  }

  /// For the end: another backend may have got the address.
  void mark_removed(const std::string& name, const netlink::Endpoint& address, const ChangedBackend& change) {
    removed_.emplace_back(address, Mark{name, Standing::kRemoved, change.evict});
  }

  void tell_dormant(const std::string& name, const std::string& why) {
    laid_.dormant.push_back(dormant_text(own_.name, name, why));
  }

  const config::Config& file_;
  const config::Service& own_;
  const ChangedService& changes_;
  config::Service service_;
  LaidService laid_;
  std::vector<std::pair<netlink::Endpoint, Mark>> removed_;
};

}  // namespace

const config::Service* find_service(const config::Config& config, const std::string& name) {
  const auto place = std::ranges::find(config.services, name, &config::Service::name);
  return place == config.services.end() ? nullptr : &*place;
}

const config::Service* find_listening(const config::Config& config, netlink::Protocol protocol, const netlink::Endpoint& vip) {
  const auto place = std::ranges::find_if(config.services, [&](const config::Service& candidate) {
    return candidate.protocol == protocol && std::ranges::find(candidate.listen, vip) != candidate.listen.end();
  });
  return place == config.services.end() ? nullptr : &*place;
}

const config::Backend* find_backend(const config::Service& service, const std::string& name) {
  const auto place = std::ranges::find(service.backends, name, &config::Backend::name);
  return place == service.backends.end() ? nullptr : &*place;
}

LaidService lay_over(const config::Config& file, const config::Service& own, const ChangedService& changes) {
  return Layers(file, own, changes).lay();
}

std::optional<ChangeError> find_clash(const config::Config& file, const config::Service& service, const config::Backend& added) {
  const auto shown = added.address.to_string();
  const auto family = added.address.address.family();
  if (std::ranges::none_of(service.listen, [&](const auto& listen) { return listen.address.family() == family; })) {
    return ChangeError{Kind::kBad,
                       {fmt::format("address: {} is an {} address, but service {} has no {} listen address", shown, name_of(family),
                                    service.name, name_of(family))}};
  }
  const auto other = std::ranges::find(service.backends, added.address, &config::Backend::address);
  if (other != service.backends.end())
    return ChangeError{Kind::kConflict, {fmt::format("address: {} is backend {} of {} already", shown, other->name, service.name)}};
  for (const auto& one : file.services) {
    if (one.protocol == service.protocol && std::ranges::find(one.listen, added.address) != one.listen.end())
      return ChangeError{Kind::kConflict, {fmt::format("address: {} is a listen address of {}: a loop", shown, one.name)}};
  }
  if (const auto own = config::describe_own(file, added.address.address); !own.empty())
    return ChangeError{Kind::kConflict, {fmt::format("address: {} is {}, thus the balancer's own", shown, own)}};
  return std::nullopt;
}

std::string dormant_text(const std::string& service, const std::string& backend, const std::string& why) {
  return fmt::format("{0}/{1}: {2}; what was changed of it at run time has no effect now (wsl4ctl backend reset {0} {1} drops it)",
                     service, backend, why);
}

}  // namespace wsl4::service
