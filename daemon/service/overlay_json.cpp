#include "daemon/service/overlay_json.h"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include "daemon/service/members.h"
#include "daemon/service/stored_document.h"

namespace wsl4::service {
namespace {

namespace json = boost::json;
constexpr int kOverlayVersion = 1;

json::object to_json(const config::Backend& added) {
  json::object object;
  object["address"] = added.address.to_string();
  object["weight"] = added.weight;
  object["max_connections"] = added.max_connections;
  if (!added.public_address.empty()) object["public"] = added.public_address;
  return object;
}

json::object to_json(const ChangedBackend& change) {
  json::object object;
  if (change.added) object["added"] = to_json(*change.added);
  if (change.removed) object["removed"] = change.removed->to_string();
  if (change.state != AdminState::kEnabled) object["state"] = to_string(change.state);
  if (change.evict != 0) object["evict"] = change.evict;
  if (change.weight) object["weight"] = *change.weight;
  if (change.max_connections) object["max_connections"] = *change.max_connections;
  return object;
}

using Broken = std::vector<std::string>;

config::Backend read_added(const std::string& name, const json::object& object, Broken& broken) {
  Members members(object);
  const auto add = read_add(members);
  for (auto& problem : members.problems()) broken.push_back("added." + problem);
  if (broken.empty()) broken = problems_of(name, add);
  return {name, add.address, add.weight, add.max_connections, add.public_address};
}

ChangedBackend read_changed(const std::string& name, const json::object& object, Broken& broken) {
  ChangedBackend change;
  Members members(object);
  members.read("removed", change.removed);
  members.read("evict", change.evict);
  if (!object.contains("removed")) {
    if (const auto* added = members.read_object("added")) change.added = read_added(name, *added, broken);
    members.read("state", change.state);
    members.read("weight", change.weight);
    members.read("max_connections", change.max_connections);
  }
  for (auto& problem : members.problems()) broken.push_back(std::move(problem));
  return change;
}

/// The error is what is wrong first.
tl::expected<Changes, std::string> read_changes(const json::object& services) {
  Changes changes;
  for (const auto& service : services) {
    if (!service.value().is_object())
      return tl::make_unexpected(fmt::format("{}: must be an object", std::string_view(service.key())));
    for (const auto& backend : service.value().get_object()) {
      const std::string name(backend.key());
      const auto shown = fmt::format("{}/{}", std::string_view(service.key()), name);
      if (!backend.value().is_object()) return tl::make_unexpected(shown + ": must be an object");
      Broken broken;
      auto changed = read_changed(name, backend.value().get_object(), broken);
      if (!broken.empty()) return tl::make_unexpected(shown + ": " + broken.front());
      if (changed != ChangedBackend{}) changes[std::string(service.key())][name] = std::move(changed);
    }
  }
  return changes;
}

/// What an earlier release has stored has none.
tl::expected<VersionVector, std::string> read_versions(const json::value* nodes) {
  VersionVector::Versions versions;
  if (nodes == nullptr) return VersionVector();
  if (!nodes->is_object()) return tl::make_unexpected(std::string("changed_by: must be an object"));
  for (const auto& node : nodes->get_object()) {
    const std::string name(node.key());
    if (!node.value().is_int64()) return tl::make_unexpected(fmt::format("changed_by.{}: must be a number", name));
    versions[name] = node.value().get_int64();
  }
  return VersionVector(std::move(versions));
}

tl::expected<Overlay, std::string> read_document(std::string_view text) {
  const auto object = read_versioned(text, kOverlayVersion);
  if (!object) return tl::make_unexpected(object.error());
  const auto* services = object->if_contains("services");
  if (services == nullptr || !services->is_object()) return tl::make_unexpected(std::string("services: must be an object"));
  auto changes = read_changes(services->get_object());
  if (!changes) return tl::make_unexpected(changes.error());
  auto versions = read_versions(object->if_contains("changed_by"));
  if (!versions) return tl::make_unexpected(versions.error());
  return Overlay(std::move(*changes), std::move(*versions));
}

}  // namespace

std::string to_text(const Overlay& overlay) {
  json::object services;
  for (const auto& [service, backends] : overlay.changes()) {
    json::object object;
    for (const auto& [name, change] : backends) object[name] = to_json(change);
    services[service] = std::move(object);
  }
  json::object document;
  document["version"] = kOverlayVersion;
  document["services"] = std::move(services);
  json::object nodes;
  for (const auto& [node, version] : overlay.versions().versions()) nodes[node] = version;
  document["changed_by"] = std::move(nodes);
  return json::serialize(document) + "\n";
}

tl::expected<Overlay, std::string> parse_overlay(std::string_view text, const std::string& file) {
  return read_document(text).map_error([&file](const std::string& what) {
    return fmt::format("{} is broken ({}); it holds what was changed at run time: mend or remove it", file, what);
  });
}

}  // namespace wsl4::service
