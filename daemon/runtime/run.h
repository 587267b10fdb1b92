// From the command line to an exit status: 0 done, 1 could not start or go on, 2 configuration or usage error.
#pragma once

#include "daemon/runtime/options.h"

namespace wsl4::runtime {

int run(const Options& options);

}  // namespace wsl4::runtime
