#include <sys/utsname.h>

#include <charconv>

#include "daemon/host/host.h"

namespace wsl4::host {

std::optional<KernelVersion> KernelVersion::parse(const std::string& release) {
  KernelVersion version;
  const char* const end = release.data() + release.size();
  const auto major = std::from_chars(release.data(), end, version.major);
  if (major.ec != std::errc{} || major.ptr == end || *major.ptr != '.') return std::nullopt;
  const auto minor = std::from_chars(major.ptr + 1, end, version.minor);
  if (minor.ec != std::errc{}) return std::nullopt;
  return version;
}

std::string kernel_release() {
  utsname name{};
  return uname(&name) == 0 ? name.release : "unknown";
}

KernelVersion KernelVersion::running() { return parse(kernel_release()).value_or(KernelVersion{}); }

KernelFeatures features_of(const KernelVersion& version) {
  KernelFeatures features;
  features.supported = version >= KernelVersion{6, 1};
  features.time_wait_reuse = version >= KernelVersion{6, 5};
  features.owned_tables = version >= KernelVersion{6, 9};
  features.steady_lookups = version >= KernelVersion{6, 17};
  return features;
}

}  // namespace wsl4::host
