// Settings in a map, some of which refuse to be written.
#pragma once

#include <map>
#include <set>
#include <string>

#include "daemon/host/host.h"

namespace wsl4::test {

class FakeSysctls final : public host::Sysctls {
 public:
  explicit FakeSysctls(std::map<std::string, std::string> settings = {}) : values(std::move(settings)) {}

  std::optional<std::string> read(const std::string& name) override {
    const auto value = values.find(name);
    return value == values.end() ? std::nullopt : std::optional(value->second);
  }

  tl::expected<void, std::string> write(const std::string& name, const std::string& value) override {
    if (refused.contains(name) || !values.contains(name)) return tl::make_unexpected("sysctl " + name + " cannot be set");
    values[name] = value;
    return {};
  }

  std::map<std::string, std::string> values;
  std::set<std::string> refused;
};

}  // namespace wsl4::test
