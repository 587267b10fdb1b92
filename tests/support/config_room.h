// A configuration with one of everything, so that each setting can be stored.
#pragma once

#include "daemon/config/schema.h"

namespace wsl4::test {

struct ConfigRoom {
  ConfigRoom() {
    draft.config.ha.emplace();
    draft.pool_ranges.emplace_back();
    target = {&draft, &draft.config.pools.emplace_back(), &draft.config.services.emplace_back(), nullptr};
    target.backend = &target.service->backends.emplace_back();
  }
  config::Draft draft;
  config::Target target;
};

}  // namespace wsl4::test
