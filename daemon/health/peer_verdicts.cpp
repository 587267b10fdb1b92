#include "daemon/health/peer_verdicts.h"

#include <algorithm>

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "daemon/service/stored_document.h"

namespace wsl4::health {
namespace {

namespace json = boost::json;
constexpr int kVersion = 1;

json::object to_json(const PeerVerdict& verdict) {
  json::object object;
  if (verdict.down) object["down"] = verdict.detail;
  if (!verdict.excluded.empty()) {
    auto& addresses = object["excluded"].emplace_array();
    for (const auto& address : verdict.excluded) addresses.emplace_back(address.to_string());
  }
  return object;
}

/// nullopt: it is broken.
std::optional<PeerVerdict> read_verdict(const json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return std::nullopt;
  PeerVerdict verdict;
  if (const auto* down = object->if_contains("down")) {
    if (!down->is_string()) return std::nullopt;
    verdict.down = true;
    verdict.detail = std::string_view(down->get_string());
  }
  const auto* excluded = object->if_contains("excluded");
  if (excluded == nullptr) return verdict;
  if (!excluded->is_array()) return std::nullopt;
  for (const auto& item : excluded->get_array()) {
    const auto address = item.is_string() ? netlink::IpAddress::parse(std::string_view(item.get_string())) : std::nullopt;
    if (!address) return std::nullopt;
    verdict.excluded.push_back(*address);
  }
  std::ranges::sort(verdict.excluded);
  return verdict;
}

tl::unexpected<std::string> broken(std::string_view what) { return tl::make_unexpected(fmt::format("{} is broken", what)); }

}  // namespace

std::optional<PeerVerdict> PeerVerdicts::find(const std::string& service, const netlink::Endpoint& backend) const {
  const auto place = named.find({service, backend});
  if (place != named.end()) return place->second;
  return settled ? std::optional(PeerVerdict{}) : std::nullopt;
}

std::string to_text(const PeerVerdicts& verdicts) {
  json::object document;
  document["version"] = kVersion;
  document["settled"] = verdicts.settled;
  auto& services = document["services"].emplace_object();
  for (const auto& [key, verdict] : verdicts.named) {
    auto& service = services[key.first];
    if (!service.is_object()) service.emplace_object();
    service.get_object()[key.second.to_string()] = to_json(verdict);
  }
  return json::serialize(document);
}

tl::expected<PeerVerdicts, std::string> parse_verdicts(std::string_view text) {
  const auto document = service::read_versioned(text, kVersion);
  if (!document) return tl::make_unexpected(document.error());
  const auto* settled = document->if_contains("settled");
  const auto* services = document->if_contains("services");
  if (settled == nullptr || !settled->is_bool()) return broken("settled");
  if (services == nullptr || !services->is_object()) return broken("services");
  PeerVerdicts verdicts;
  verdicts.settled = settled->get_bool();
  for (const auto& service : services->get_object()) {
    if (!service.value().is_object()) return broken(service.key());
    for (const auto& backend : service.value().get_object()) {
      const auto address = netlink::Endpoint::parse(std::string_view(backend.key()));
      auto verdict = read_verdict(backend.value());
      if (!address || !verdict)
        return broken(fmt::format("{}/{}", std::string_view(service.key()), std::string_view(backend.key())));
      verdicts.named.emplace(std::pair(std::string(service.key()), *address), std::move(*verdict));
    }
  }
  return verdicts;
}

}  // namespace wsl4::health
