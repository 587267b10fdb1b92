// What no single setting can know: references, clashes, families, room in the mark. Pure.
#pragma once

#include "daemon/config/reader.h"

namespace wsl4::config {

/// A pool's addresses are kept one by one in kernel maps.
inline constexpr std::size_t kMaxPoolAddresses = 4096;

/// Fills in what follows from the rest (a service's pool, names of backends, addresses of pools) and tells what does not fit
/// together. Values that the reader found wrong are passed over.
void validate(Draft& draft, Findings& findings);

}  // namespace wsl4::config
