#include "daemon/config/changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace wsl4::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Changes, NoneBetweenEquals) { EXPECT_THAT(restart_changes({}, {}), IsEmpty()); }

TEST(Changes, WhatAReloadTakesOverIsNotTold) {
  Config loaded;
  loaded.node.log_level = LogLevel::kDebug;
  loaded.addresses.manage = false;
  loaded.pools.emplace_back();
  loaded.services.emplace_back();
  EXPECT_THAT(restart_changes({}, loaded), IsEmpty());
}

TEST(Changes, NamesWhatTakesARestart) {
  Config loaded;
  loaded.node.name = "other";
  loaded.node.state_dir = "/other";
  loaded.node.ct_mark_mask = 0xff;
  loaded.control.socket = "/other.sock";
  loaded.control.listen = Endpoint::parse("127.0.0.1:9440");
  EXPECT_THAT(restart_changes({}, loaded),
              ElementsAre("node.name", "node.state_dir", "node.ct_mark_mask", "control.socket", "control.listen"));
}

TEST(Changes, APairThatComesOrGoesIsOneChange) {
  Config pair;
  pair.ha.emplace();
  pair.ha->interface = "eth0";
  EXPECT_THAT(restart_changes({}, pair), ElementsAre("ha"));
  EXPECT_THAT(restart_changes(pair, {}), ElementsAre("ha"));
  Config other = pair;
  other.ha->interface = "eth1";
  other.ha->priority = 7;
  EXPECT_THAT(restart_changes(pair, other), ElementsAre("ha.interface"));
}

}  // namespace
}  // namespace wsl4::config
