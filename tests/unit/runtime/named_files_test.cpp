#include "daemon/runtime/named_files.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/http_bed.h"

namespace wsl4::runtime {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class NamedFilesTest : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
    std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  void SetUp() override {
    auto& control = config_.control;
    control.register_listen = netlink::Endpoint::parse("198.51.100.1:9443");
    config_.ha.emplace();
    for (auto* path : {&control.token_file, &control.tls_certificate, &control.tls_key, &config_.ha->key_file}) {
      *path = folder_.file(std::to_string(++files_));
      write(*path, std::string(64, 'a') + "\n");
    }
  }

  test::TemporaryFolder folder_;
  int files_ = 0;
  config::Config config_;
};

TEST_F(NamedFilesTest, EachThatSaysSomethingElseIsTold) {
  const auto before = read_named_files(config_);
  EXPECT_EQ(before.size(), 4U);
  EXPECT_THAT(differing(before, read_named_files(config_)), IsEmpty());
  write(config_.control.token_file, "other");
  write(config_.control.tls_certificate, "other");
  EXPECT_THAT(differing(before, read_named_files(config_)), ElementsAre("control.tls_certificate", "control.token_file"));
  write(config_.control.tls_key, "other");
  write(config_.ha->key_file, std::string(64, 'b') + "\n" + std::string(64, 'a') + "\n");
  EXPECT_EQ(differing(before, read_named_files(config_)).size(), 4U);
}

TEST_F(NamedFilesTest, OfKeysTheKeysCountAndTheirOrder) {
  const std::string one(64, 'a'), other(64, 'b');
  write(config_.ha->key_file, one + "\n" + other + "\n");
  const auto before = read_named_files(config_);
  write(config_.ha->key_file, "# rotated\n" + one + "\n\n" + other + "\n");
  EXPECT_THAT(differing(before, read_named_files(config_)), IsEmpty());
  write(config_.ha->key_file, other + "\n" + one + "\n");
  EXPECT_THAT(differing(before, read_named_files(config_)), ElementsAre("ha.key_file"));
}

TEST_F(NamedFilesTest, WhatIsNoGoodOrNotInUseIsLeftOut) {
  const auto before = read_named_files(config_);
  write(config_.ha->key_file, "no key");
  EXPECT_THAT(differing(before, read_named_files(config_)), IsEmpty());
  config_.control.register_listen.reset();
  EXPECT_THAT(read_named_files(config_), IsEmpty());
  EXPECT_THAT(differing({}, before), IsEmpty()) << "a file that is new is no other one";
}

}  // namespace
}  // namespace wsl4::runtime
