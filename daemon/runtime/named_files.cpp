#include "daemon/runtime/named_files.h"

#include <functional>

#include "daemon/peer/key_file.h"
#include "daemon/util/file.h"

namespace wsl4::runtime {

NamedFiles read_named_files(const config::Config& config) {
  NamedFiles files;
  const auto add = [&files](const char* setting, const std::string& text) { files[setting] = std::hash<std::string>{}(text); };
  const auto add_file = [&add](const char* setting, const std::string& path) {
    if (const auto text = util::read_file(path)) add(setting, *text);
  };
  if (config.control.register_listen) {
    add_file("control.token_file", config.control.token_file);
    add_file("control.tls_certificate", config.control.tls_certificate);
    add_file("control.tls_key", config.control.tls_key);
  }
  if (!config.ha) return files;
  if (const auto keys = peer::load_keys(config.ha->key_file)) {
    std::string ids;
    for (const auto& key : *keys) ids += key.id();
    add("ha.key_file", ids);
  }
  return files;
}

std::vector<std::string> differing(const NamedFiles& before, const NamedFiles& now) {
  std::vector<std::string> settings;
  for (const auto& [setting, hash] : now) {
    const auto place = before.find(setting);
    if (place != before.end() && place->second != hash) settings.push_back(setting);
  }
  return settings;
}

}  // namespace wsl4::runtime
