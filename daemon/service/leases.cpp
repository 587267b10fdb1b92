#include "daemon/service/leases.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "daemon/config/document.h"

namespace wsl4::service {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

std::string take_text(json::object& members, json::string_view key) {
  const auto* member = members.if_contains(key);
  const auto* text = member == nullptr ? nullptr : member->if_string();
  std::string taken = text == nullptr ? "" : std::string(*text);
  members.erase(key);
  return taken;
}

}  // namespace

Leases::Renewal Leases::renew(const Key& key, Registration registration, Moment now) {
  if (is_taken(key, registration.address)) return Renewal::kAddressTaken;
  const bool is_new = !leases_.contains(key);
  if (is_new && leases_.size() >= kMax) return Renewal::kFull;
  const auto ttl = registration.ttl;
  leases_[key] = {std::move(registration), now.wall + ttl, now.steady + ttl};
  return is_new ? Renewal::kNew : Renewal::kRenewed;
}

void Leases::begin_anew(Moment now) {
  for (auto& [key, lease] : leases_) {
    lease.expires = now.wall + lease.registration.ttl;
    lease.lapses = now.steady + lease.registration.ttl;
  }
}

bool Leases::is_taken(const Key& key, const netlink::Endpoint& address) const {
  for (auto entry = leases_.lower_bound({key.service, ""}); entry != leases_.end() && entry->first.service == key.service;
       ++entry) {
    if (entry->first.backend != key.backend && entry->second.registration.address == address) return true;
  }
  return false;
}

bool Leases::end(const Key& key) { return leases_.erase(key) > 0; }

std::map<Leases::Key, Leases::Lease> Leases::lapse(Steady now) {
  std::map<Key, Lease> lapsed;
  for (auto entry = leases_.begin(); entry != leases_.end();) {
    const auto next = std::next(entry);
    if (entry->second.lapses <= now) lapsed.insert(leases_.extract(entry));
    entry = next;
  }
  return lapsed;
}

json::array Leases::to_json() const {
  json::array leases;
  for (const auto& [key, lease] : leases_) {
    auto members = service::to_json(lease.registration);
    members["service"] = key.service;
    members["backend"] = key.backend;
    members["expires_ms"] = std::chrono::duration_cast<milliseconds>(lease.expires.time_since_epoch()).count();
    leases.push_back(std::move(members));
  }
  return leases;
}

tl::expected<Leases, std::string> Leases::from_json(const json::value& document, Moment now) {
  const auto* array = document.if_array();
  if (array == nullptr) return tl::make_unexpected(std::string("leases are not a list"));
  Leases leases;
  for (const auto& value : *array) {
    const auto* object = value.if_object();
    if (object == nullptr) return tl::make_unexpected(std::string("a lease is not an object"));
    auto members = *object;
    const Key key{take_text(members, "service"), take_text(members, "backend")};
    const auto* expires = members.if_contains("expires_ms");
    const auto* count = expires == nullptr ? nullptr : expires->if_int64();
    if (key.service.empty() || key.backend.empty() || count == nullptr)
      return tl::make_unexpected(std::string("a lease lacks service, backend or expires_ms"));
    members.erase("expires_ms");
    auto registration = read_registration(members);
    if (!registration) {
      return tl::make_unexpected(fmt::format("lease of {} in {}: {}", config::in_quotes(key.backend),
                                             config::in_quotes(key.service), fmt::join(registration.error(), "; ")));
    }
    if (const auto renewal = leases.renew(key, std::move(*registration), now); renewal != Renewal::kNew)
      return tl::make_unexpected(fmt::format("lease of {} in {}: it is there twice, or there are too many",
                                             config::in_quotes(key.backend), config::in_quotes(key.service)));
    auto& lease = leases.leases_[key];
    const auto wall = std::chrono::ceil<milliseconds>(now.wall.time_since_epoch());
    const auto until = std::clamp<milliseconds>(milliseconds(*count), wall + kGrace,
                                                wall + std::max<milliseconds>(lease.registration.ttl, kGrace));
    lease.expires = Time(until);
    lease.lapses = now.steady + (lease.expires - now.wall);
  }
  return leases;
}

}  // namespace wsl4::service
