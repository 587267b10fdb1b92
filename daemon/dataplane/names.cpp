#include "daemon/dataplane/names.h"

#include <algorithm>
#include <string_view>

namespace wsl4::dataplane::names {
namespace {

constexpr std::size_t kMaxComment = 128;
constexpr std::size_t kMaxBackendPart = 128;

std::string for_family(std::string_view stem, netlink::Family family) {
  return std::string(stem) + (family == netlink::Family::kIpv4 ? "-ip" : "-ip6");
}

std::string for_protocol(std::string stem, netlink::Protocol protocol, netlink::Family family) {
  return for_family(stem.append(netlink::to_string(protocol)), family);
}

bool is_plain(char character) {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
         (character >= '0' && character <= '9') || character == '-' || character == '_' || character == '.';
}

/// A backend that moved to another address drains at the old one, under the same name.
bool is_first_of_name(const service::ServiceState& service, const service::BackendState& backend) {
  const auto first = std::ranges::find(service.backends, backend.name, &service::BackendState::name);
  return first == service.backends.end() || first->id == backend.id;
}

/// The name itself where nft takes it and nobody before has it; else what is left of it and the backend's number behind a slash,
/// which no plain name has.
std::string backend_part(const service::ServiceState& service, const service::BackendState& backend) {
  const bool plain = backend.name.size() <= kMaxBackendPart && std::ranges::all_of(backend.name, is_plain);
  if (plain && is_first_of_name(service, backend)) return backend.name;
  auto part = backend.name.substr(0, kMaxBackendPart);
  std::ranges::replace_if(part, std::not_fn(is_plain), '_');
  return part + '/' + std::to_string(backend.id);
}

std::string of_backend(const service::ServiceState& service, const service::BackendState& backend) {
  return "backend/" + service.name + '/' + backend_part(service, backend);
}

}  // namespace

std::string services(netlink::Family family) { return for_family("services", family); }
std::string backends(netlink::Protocol protocol, netlink::Family family) { return for_protocol("backends-", protocol, family); }
std::string blocks(netlink::Protocol protocol, netlink::Family family) { return for_protocol("blocks-", protocol, family); }
std::string copies(netlink::Family family) { return for_family("copies", family); }
std::string service_ports(netlink::Family family) { return for_family("service-ports", family); }
std::string snat_backends(netlink::Family family) { return for_family("snat-backends", family); }
std::string dnat_backends(netlink::Family family) { return for_family("dnat-backends", family); }
std::string pool_addresses(netlink::Family family) { return for_family("pool-addresses", family); }

std::string pool_slots(const service::PoolState& pool, netlink::Family family, std::uint32_t copy) {
  auto name = for_family("pool/" + pool.name, family);
  return copy == 0 ? name : name + '.' + std::to_string(copy);
}

std::string service_chain(const service::ServiceState& service, netlink::Family family) {
  return for_family("service/" + service.name, family);
}
std::string service_slots(const service::ServiceState& service, netlink::Family family) {
  return for_family("slots/" + service.name, family);
}
std::string new_flows_counter(const service::ServiceState& service) { return "service/" + service.name; }
std::string no_backend_counter(const service::ServiceState& service) { return "service/" + service.name + "/no-backend"; }
std::string full_counter(const service::ServiceState& service) { return "service/" + service.name + "/full"; }
std::string client_limit_counter(const service::ServiceState& service) { return "service/" + service.name + "/client-limit"; }
std::string client_connections(const service::ServiceState& service, netlink::Family family) {
  return for_family("clients/" + service.name, family);
}
std::string copies_chain(const service::ServiceState& service, netlink::Family family) {
  return for_family("copies/" + service.name, family);
}
std::string client_rates(const service::ServiceState& service, netlink::Family family) {
  return for_family("client-rates/" + service.name, family);
}

std::string source_slots(const service::ServiceState& service, const service::BackendState& backend) {
  return "sources/" + service.name + '/' + backend_part(service, backend);
}
std::string blocks_slots(const service::ServiceState& service, const service::BackendState& backend) {
  return "blocks/" + service.name + '/' + backend_part(service, backend);
}
std::string blocks_chain(const service::ServiceState& service, const service::BackendState& backend) {
  return blocks_slots(service, backend);
}
std::string backend_chain(const service::ServiceState& service, const service::BackendState& backend) {
  return of_backend(service, backend);
}
std::string backend_counter(const service::ServiceState& service, const service::BackendState& backend) {
  return of_backend(service, backend);
}

std::string comment(std::string text) {
  text.resize(std::min(text.size(), kMaxComment));
  const auto breaks_text = [](char character) { return character == '"' || static_cast<unsigned char>(character) < ' '; };
  std::ranges::replace_if(text, breaks_text, '_');
  return text;
}

std::string backend_comment(const service::ServiceState& service, const service::BackendState& backend) {
  return comment(service.name + ' ' + std::string(netlink::to_string(service.protocol)) + ' ' + backend.address.to_string() + ' ' +
                 backend.name);
}

}  // namespace wsl4::dataplane::names
