#include "daemon/control/query.h"

#include <gtest/gtest.h>

namespace wsl4::control {
namespace {

TEST(FlowParameters, AreTakenAsValues) {
  const auto query = parse_flow_query(
      {{"service", "chat"}, {"backend", "b"}, {"client", "2001:db8::1"}, {"snat", "198.51.100.16:40001"}, {"limit", "5"}});
  ASSERT_TRUE(query) << query.error();
  EXPECT_EQ(query->service, "chat");
  EXPECT_EQ(query->backend, "b");
  EXPECT_EQ(query->client, netlink::IpAddress::parse("2001:db8::1"));
  EXPECT_EQ(query->snat, netlink::Endpoint::parse("198.51.100.16:40001"));
  EXPECT_EQ(query->limit, 5U);
}

TEST(FlowParameters, HaveDefaults) {
  const auto query = parse_flow_query({});
  ASSERT_TRUE(query);
  EXPECT_FALSE(query->service || query->backend || query->client || query->snat);
  EXPECT_EQ(query->limit, 100U);
  EXPECT_EQ(parse_flow_query({{"limit", "0"}})->limit, kMaxFlows);
}

TEST(Parameters, ThatAreWrongAreToldInWords) {
  EXPECT_EQ(parse_flow_query({{"client", "198.51.100.256"}}).error(),
            "parameter 'client': '198.51.100.256' is not an IPv4 or IPv6 address");
  EXPECT_EQ(parse_flow_query({{"snat", "198.51.100.16"}}).error(),
            "parameter 'snat': '198.51.100.16' is not an address and port such as 198.51.100.16:40001 or [2001:db8::1]:40001");
  for (const char* limit : {"", "-1", "1x", " 1", "100001", "99999999999999999999"}) {
    EXPECT_EQ(parse_flow_query({{"limit", limit}}).error(),
              "parameter 'limit': '" + std::string(limit) + "' is not a number from 0 to 100000");
  }
  EXPECT_EQ(parse_flow_query({{"port", "1"}}).error(), "there is no parameter 'port' here");
  EXPECT_EQ(parse_no_query({{"x", ""}}).error(), "there is no parameter 'x' here");
  EXPECT_TRUE(parse_no_query({}));
}

TEST(EventParameters, AreBounded) {
  const auto query = parse_event_query({{"after", "7"}, {"wait", "60"}});
  ASSERT_TRUE(query);
  EXPECT_EQ(query->after, 7U);
  EXPECT_EQ(query->wait, std::chrono::seconds(60));
  EXPECT_FALSE(parse_event_query({{"wait", "61"}}));
  EXPECT_FALSE(parse_event_query({{"after", "-1"}}));
}

TEST(ReloadParameters, AreZeroOrOne) {
  EXPECT_EQ(parse_reload_query({}), false);
  EXPECT_EQ(parse_reload_query({{"dry_run", "1"}}), true);
  EXPECT_FALSE(parse_reload_query({{"dry_run", "yes"}}));
}

TEST(RemoveParameters, AreZeroOrOne) {
  EXPECT_EQ(parse_remove_query({}), false);
  EXPECT_EQ(parse_remove_query({{"reset", "1"}}), true);
  EXPECT_EQ(parse_remove_query({{"reset", "2"}}).error(), "parameter 'reset': '2' is not a number from 0 to 1");
  EXPECT_FALSE(parse_remove_query({{"dry_run", "1"}}));
}

}  // namespace
}  // namespace wsl4::control
