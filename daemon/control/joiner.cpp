#include "daemon/control/joiner.h"

#include <fmt/format.h>

#include "daemon/service/leases.h"

namespace wsl4::control {

Refusal no_such_service(const std::string& service) {
  return {404, "No such service", {fmt::format("there is no service '{}'", service)}};
}

Refusal not_joined(const std::string& service, const std::string& backend) {
  return {404, "Not joined", {fmt::format("no backend '{}' has joined service '{}'", backend, service)}};
}

Refusal belongs_to_file(const std::string& service, const std::string& backend) {
  return {409,
          "The name belongs to the configuration",
          {fmt::format("backend '{}' of service '{}' is one of the configuration file: use another name", backend, service)}};
}

Refusal added_at_run_time(const std::string& service, const std::string& backend) {
  return {409,
          "The name is taken",
          {fmt::format("backend '{}' of service '{}' was added by an operator: use another name", backend, service)}};
}

Refusal address_taken(const std::string& service, const netlink::Endpoint& address) {
  return {409,
          "The address is taken",
          {fmt::format("service '{}' has a backend of another name with address {}", service, address.to_string())}};
}

Refusal too_many_leases() {
  return {503, "Too many backends", {fmt::format("at most {} backends may join", service::Leases::kMax)}};
}

}  // namespace wsl4::control
