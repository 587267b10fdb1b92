#include "daemon/config/text.h"

#include <gtest/gtest.h>

namespace wsl4::config {
namespace {

using namespace std::chrono_literals;

TEST(Duration, Parses) {
  EXPECT_EQ(parse_duration("150ms"), 150ms);
  EXPECT_EQ(parse_duration("2s"), 2s);
  EXPECT_EQ(parse_duration("90m"), 90min);
  EXPECT_EQ(parse_duration("1h"), 1h);
  EXPECT_EQ(parse_duration("24d"), 24 * 24h);
  EXPECT_EQ(parse_duration("0s"), 0ms);
  EXPECT_EQ(parse_duration("9999999999d"), 9999999999 * 86'400'000ms) << "no overflow";
}

TEST(Duration, RefusesWhatIsNone) {
  for (const char* text :
       {"", "s", "5", "1.5s", "-1s", "+1s", " 1s", "1s ", "1 s", "1S", "1min", "1w", "99999999999s", "0x1s", "1s1s"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(Duration, FormatsInTheLargestWholeUnit) {
  EXPECT_EQ(format_duration(0ms), "0s");
  EXPECT_EQ(format_duration(1500ms), "1500ms");
  EXPECT_EQ(format_duration(90s), "90s");
  EXPECT_EQ(format_duration(120s), "2m");
  EXPECT_EQ(format_duration(48h), "2d");
  for (const auto duration : {1ms, 999ms, 1000ms, 61'000ms, 3'600'000ms, 86'400'000ms, 90'000'000ms}) {
    EXPECT_EQ(parse_duration(format_duration(duration)), duration);
  }
}

std::string shown(std::string_view text) {
  const auto range = parse_address_range(text);
  return range ? range->first.to_string() + " " + range->last.to_string() : "wrong";
}

TEST(AddressRange, Parses) {
  EXPECT_EQ(shown("198.18.0.1"), "198.18.0.1 198.18.0.1");
  EXPECT_EQ(shown("198.18.0.250-198.18.1.3"), "198.18.0.250 198.18.1.3");
  EXPECT_EQ(shown("198.18.0.48/29"), "198.18.0.48 198.18.0.55");
  EXPECT_EQ(shown("198.18.0.48/32"), "198.18.0.48 198.18.0.48");
  EXPECT_EQ(shown("198.18.0.0/15"), "198.18.0.0 198.19.255.255");
  EXPECT_EQ(shown("0.0.0.0/0"), "0.0.0.0 255.255.255.255");
  EXPECT_EQ(shown("2001:db8::/125"), "2001:db8:: 2001:db8::7");
  EXPECT_EQ(shown("2001:db8::f0-2001:db8::1:2"), "2001:db8::f0 2001:db8::1:2");
}

TEST(AddressRange, RefusesWhatIsNone) {
  for (const char* text :
       {"", "-", "/", "198.18.0", "198.18.0.1-", "-198.18.0.1", "198.18.0.2-198.18.0.1", "198.18.0.1-2001:db8::1", "198.18.0.1/24",
        "198.18.0.0/33", "198.18.0.1-198.18.0.2-198.18.0.3", "198.18.0.0/24-198.18.1.0/24", " 198.18.0.1", "fe80::1%eth0"}) {
    EXPECT_EQ(shown(text), "wrong") << text;
  }
}

TEST(NumberRange, Parses) {
  EXPECT_EQ(parse_number_range("80", 1, 65535), (NumberRange{80, 80}));
  EXPECT_EQ(parse_number_range("1-65535", 1, 65535), (NumberRange{1, 65535}));
  for (const char* text : {"", "-", "0", "0-5", "65536", "1-65536", "5-4", "1-2-3", "a", "1 - 2", "99999999999"}) {
    EXPECT_FALSE(parse_number_range(text, 1, 65535)) << text;
  }
}

TEST(Forwardable, LeavesOutWhatNeverCrossesARouter) {
  for (const char* text : {"0.0.0.0", "127.0.0.1", "127.1.2.3", "224.0.0.1", "239.255.255.255", "255.255.255.255", "::", "::1",
                           "fe80::1", "ff02::1"}) {
    EXPECT_FALSE(is_forwardable(*netlink::IpAddress::parse(text))) << text;
  }
  for (const char* text : {"198.18.0.1", "10.0.0.0", "192.168.1.255", "2001:db8::1", "fd00::1"}) {
    EXPECT_TRUE(is_forwardable(*netlink::IpAddress::parse(text))) << text;
  }
}

}  // namespace
}  // namespace wsl4::config
