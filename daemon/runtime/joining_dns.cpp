// The part of Joining that asks DNS.
#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "daemon/runtime/joining.h"
#include "daemon/util/counted.h"
#include "daemon/util/log.h"

namespace wsl4::runtime {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kShown = 8;  // names in an event

std::vector<config::Backend> to_config(const std::vector<discovery::Backend>& found) {
  std::vector<config::Backend> backends;
  backends.reserve(found.size());
  for (const auto& backend : found) backends.push_back({backend.name, backend.address, backend.weight, 0, {}});
  return backends;
}

std::vector<discovery::Backend> to_found(const std::vector<config::Backend>& backends) {
  std::vector<discovery::Backend> found;
  found.reserve(backends.size());
  for (const auto& backend : backends) found.push_back({backend.address, backend.weight, backend.name});
  return found;
}

/// " new: 198.51.100.101:80, 198.51.100.102:80"; empty if `all` has nothing that `others` has not.
std::string difference(std::string_view what, const std::vector<config::Backend>& all, const std::vector<config::Backend>& others) {
  std::set<netlink::Endpoint> known;
  for (const auto& backend : others) known.insert(backend.address);
  std::vector<std::string> shown;
  for (const auto& backend : all)
    if (!known.contains(backend.address)) shown.push_back(backend.address.to_string());
  if (shown.empty()) return {};
  return fmt::format("; {}: {}", what, util::listed(shown, kShown));
}

}  // namespace

/// What the file wants to be looked up. A list stays in use until another source has answered.
void Joining::look_up() {
  std::set<std::string> wanted;
  for (const auto& service : file_.services)
    if (!service.discovery.empty()) wanted.insert(service.name);
  const auto unwanted = [&wanted](const auto& item) { return !wanted.contains(item.first); };
  std::erase_if(lookups_, unwanted);
  if (std::erase_if(discovered_, unwanted) != 0) unsaved_ = true;
  for (const auto& service : file_.services)
    if (!service.discovery.empty()) look_up(service);
}

void Joining::look_up(const config::Service& service) {
  const auto families = discovery::families_of(service.listen);
  const auto present = lookups_.find(service.name);
  if (present != lookups_.end() && present->second.setting == service.discovery && present->second.families == families) return;
  const auto source = discovery::parse_source(service.discovery);
  if (!source) return log::error("discovery-failed", "error=\"{}\"", source.error());  // the configuration's check lets none pass
  auto last = to_found(discovered_[service.name]);
  lookups_[service.name] = {service.discovery, families,
                            std::make_unique<discovery::Discovery>(io_, *source, families, observe(service.name), std::move(last))};
}

discovery::Observer Joining::observe(const std::string& service) {
  return {[this, service](const std::vector<discovery::Backend>& backends, std::size_t cut) { found(service, backends, cut); },
          [this, service](const std::string& why) {
            events_.add("discovery-failed", why + "; the last answer, if there was one, stays in use", service);
          },
          [this, service] { events_.add("discovery-recovered", "DNS answers again", service); }};
}

void Joining::found(const std::string& service, const std::vector<discovery::Backend>& backends, std::size_t cut) {
  auto next = to_config(backends);
  auto& present = discovered_[service];
  auto detail =
      util::counted(next.size(), "address", "addresses") + difference("new", next, present) + difference("gone", present, next);
  if (cut != 0) detail += fmt::format("; {} more are left out", cut);
  events_.add("discovery-changed", std::move(detail), service);
  present = std::move(next);
  found_more_ = true;
  if (!std::exchange(following_, true)) asio::co_spawn(io_, follow_dns(), asio::detached);
}

/// Whatever is found while this waits for its turn is taken along.
asio::awaitable<void> Joining::follow_dns() {
  const auto held = co_await changing_.acquire();
  following_ = false;
  co_await tend();
}

}  // namespace wsl4::runtime
