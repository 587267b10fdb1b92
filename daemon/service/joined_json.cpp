#include "daemon/service/joined_json.h"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include "daemon/config/document.h"
#include "daemon/service/stored_document.h"

namespace wsl4::service {
namespace {

namespace json = boost::json;
constexpr int kJoinedVersion = 1;
constexpr std::int64_t kMaxWeight = 1000;  // as in the configuration

json::array to_json(const std::vector<config::Backend>& backends) {
  json::array array;
  for (const auto& backend : backends)
    array.push_back({{"name", backend.name}, {"address", backend.address.to_string()}, {"weight", backend.weight}});
  return array;
}

tl::expected<config::Backend, std::string> read_backend(const json::value& value) {
  const auto* object = value.if_object();
  const auto member = [object](json::string_view key) { return object == nullptr ? nullptr : object->if_contains(key); };
  const auto *name = member("name"), *address = member("address"), *weight = member("weight");
  const auto wrong = [] { return tl::make_unexpected(std::string("a backend lacks name, address or weight")); };
  if (name == nullptr || !name->is_string() || address == nullptr || !address->is_string()) return wrong();
  const auto endpoint = netlink::Endpoint::parse(std::string_view(address->get_string()));
  if (!endpoint || weight == nullptr || !weight->is_int64()) return wrong();
  const auto number = weight->get_int64();
  if (number < 0 || number > kMaxWeight) return wrong();
  return config::Backend{std::string(name->get_string()), *endpoint, static_cast<int>(number), 0, {}};
}

tl::expected<Discovered, std::string> read_discovered(const json::value& value) {
  const auto* services = value.if_object();
  if (services == nullptr) return tl::make_unexpected(std::string("discovered is not an object"));
  Discovered discovered;
  for (const auto& service : *services) {
    const auto* list = service.value().if_array();
    if (list == nullptr) return tl::make_unexpected(config::in_quotes(service.key()) + ": not a list");
    auto& backends = discovered[std::string(service.key())];
    for (const auto& entry : *list) {
      auto backend = read_backend(entry);
      if (!backend) return tl::make_unexpected(config::in_quotes(service.key()) + ": " + backend.error());
      backends.push_back(std::move(*backend));
    }
  }
  return discovered;
}

tl::expected<StoredJoined, std::string> read_document(std::string_view text, Leases::Moment now) {
  const auto object = read_versioned(text, kJoinedVersion);
  if (!object) return tl::make_unexpected(object.error());
  const auto *leases = object->if_contains("leases"), *discovered = object->if_contains("discovered");
  if (leases == nullptr || discovered == nullptr) return tl::make_unexpected(std::string("lacks leases or discovered"));
  auto read_leases = Leases::from_json(*leases, now);
  if (!read_leases) return tl::make_unexpected(read_leases.error());
  auto lists = read_discovered(*discovered);
  if (!lists) return tl::make_unexpected(lists.error());
  return StoredJoined{std::move(*read_leases), std::move(*lists)};
}

}  // namespace

std::string to_text(const Leases& leases, const Discovered& discovered) {
  json::object services;
  for (const auto& [service, backends] : discovered) services[service] = to_json(backends);
  json::object document;
  document["version"] = kJoinedVersion;
  document["leases"] = leases.to_json();
  document["discovered"] = std::move(services);
  return json::serialize(document) + "\n";
}

tl::expected<StoredJoined, std::string> parse_joined(std::string_view text, const std::string& file, Leases::Moment now) {
  return read_document(text, now).map_error([&file](const std::string& what) {
    return fmt::format("{} is broken ({}); it holds the backends that registered or that DNS had: mend or remove it", file, what);
  });
}

}  // namespace wsl4::service
