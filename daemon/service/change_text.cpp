#include "daemon/service/change_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace wsl4::service {
namespace {

std::string limit_text(std::uint64_t connections) {
  return connections == 0 ? "no max_connections" : fmt::format("max_connections {}", connections);
}

std::string text_of(const AddBackend& add) {
  auto text = fmt::format("added at {}, weight {}", add.address.to_string(), add.weight);
  if (add.max_connections != 0) text += ", " + limit_text(add.max_connections);
  return add.public_address.empty() ? text : text + ", public " + add.public_address;
}

std::string text_of(const EditBackend& edit) {
  std::vector<std::string> parts;
  if (edit.weight) parts.push_back(fmt::format("weight {}", *edit.weight));
  if (edit.max_connections) parts.push_back(limit_text(*edit.max_connections));
  if (edit.state) parts.emplace_back(to_string(*edit.state));
  if (edit.evict) parts.push_back(*edit.evict == 0 ? "no flow is ended" : fmt::format("{} flows a second are ended", *edit.evict));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string text_of(const RemoveBackend& /*remove*/) { return "removed"; }
std::string text_of(const ResetBackend& /*reset*/) { return "reset; what was changed of it before is dropped"; }

}  // namespace

std::string describe(const BackendChange& change) {
  return std::visit([](const auto& kind) { return text_of(kind); }, change);
}

}  // namespace wsl4::service
