#include "daemon/config/suggest.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace wsl4::config {
namespace {

constexpr std::array<std::string_view, 5> kWords = {"listen", "weight", "log_level", "name", "tcp"};

TEST(Suggest, FindsTheNearest) {
  EXPECT_EQ(nearest("lisetn", kWords), "listen");
  EXPECT_EQ(nearest("wieght", kWords), "weight");
  EXPECT_EQ(nearest("loglevel", kWords), "log_level");
  EXPECT_EQ(nearest("log-levels", kWords), "log_level");
  EXPECT_EQ(nearest("names", kWords), "name");
  EXPECT_EQ(nearest("TCP", kWords), "tcp");
}

TEST(Suggest, IsSilentWhereNothingIsNear) {
  EXPECT_EQ(nearest("", kWords), "");
  EXPECT_EQ(nearest("udp", kWords), "");
  EXPECT_EQ(nearest("timeout", kWords), "");
  EXPECT_EQ(nearest(std::string(1000, 'x'), kWords), "");
  EXPECT_EQ(nearest("x", {}), "");
}

}  // namespace
}  // namespace wsl4::config
