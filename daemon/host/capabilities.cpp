#include <linux/capability.h>

#include <cstdlib>
#include <string_view>
#include <utility>

#include "daemon/host/host.h"
#include "daemon/util/file.h"

namespace wsl4::host {

std::vector<std::string> missing_capabilities() {
  constexpr std::string_view kLabel = "CapEff:";  // proc(5), /proc/[pid]/status
  const auto status = util::read_file("/proc/thread-self/status").value_or("");
  const auto place = status.find(kLabel);
  if (place == std::string::npos) return {};
  const auto effective = std::strtoull(status.c_str() + place + kLabel.size(), nullptr, 16);
  std::vector<std::string> missing;
  for (const auto& [bit, name] : {std::pair(CAP_NET_ADMIN, "CAP_NET_ADMIN"), std::pair(CAP_NET_RAW, "CAP_NET_RAW")})
    if ((effective >> bit & 1) == 0) missing.emplace_back(name);
  return missing;
}

}  // namespace wsl4::host
