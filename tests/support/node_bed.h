// A control socket with a fake daemon behind it.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "daemon/control/server.h"
#include "tests/support/fake_node.h"
#include "tests/support/http_bed.h"

namespace wsl4::test {

class NodeBed : public testing::Test {
 protected:
  void serve() {
    auto server = control::start_server(thread_.io(), {path_, std::nullopt}, node_);
    ASSERT_TRUE(server) << server.error();
    server_ = std::move(*server);
    thread_.start();
  }
  void TearDown() override {
    thread_.stop();
    server_.reset();
  }

  FakeNode node_;
  TemporaryFolder folder_;
  std::string path_ = folder_.file("wsl4d.sock");
  IoThread thread_;
  std::unique_ptr<control::Server> server_;
};

}  // namespace wsl4::test
