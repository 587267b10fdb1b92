#include "daemon/service/joined.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/service/joined_json.h"
#include "tests/support/overlay_bed.h"

namespace wsl4::service {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

const Leases::Moment kNow{Leases::Time(seconds(1'700'000'000)), Leases::Steady(seconds(1000))};

netlink::Endpoint at(const std::string& address) { return *netlink::Endpoint::parse(address); }

Leases leased(const std::vector<std::pair<Leases::Key, std::string>>& all) {
  Leases leases;
  for (const auto& [key, address] : all) {
    Registration registration;
    registration.address = at(address);
    registration.ttl = seconds(30);
    registration.weight = 70;
    registration.max_connections = 500;
    registration.public_address = "wss://x";
    EXPECT_EQ(leases.renew(key, registration, kNow), Leases::Renewal::kNew);
  }
  return leases;
}

/// Service chat has b1, b2 and v6 in the file; here it has discovery too.
config::Config file() {
  auto config = test::changeable_config();
  config.services[0].discovery = "dns:x.example:80";
  return config;
}

config::Backend found(const std::string& name, const std::string& address, int weight = 1) {
  return {name, at(address), weight, 0, {}};
}

std::vector<std::string> shown(const Joined& joined, std::size_t service = 0) {
  std::vector<std::string> all;
  for (const auto& backend : joined.config.services[service].backends)
    all.push_back(backend.name + "=" + backend.address.to_string());
  return all;
}

TEST(Joined, WithoutAnybodyItIsTheFile) { EXPECT_EQ(lay_joined(file(), {}, {}).config, file()); }

TEST(Joined, StandBehindTheFilesBackendsWithAllTheySaid) {
  const auto joined =
      lay_joined(file(), leased({{{"chat", "n1"}, "198.18.2.21:80"}}), {{"chat", {found("d1", "198.18.2.31:80", 7)}}});
  EXPECT_THAT(shown(joined), ElementsAre("b1=198.18.2.11:80", "b2=198.18.2.12:80", "v6=[2001:db8:2::11]:80", "n1=198.18.2.21:80",
                                         "d1=198.18.2.31:80"));
  EXPECT_EQ(joined.config.services[0].backends[3], (config::Backend{"n1", at("198.18.2.21:80"), 70, 500, "wss://x"}));
  EXPECT_EQ(joined.config.services[0].backends[4].weight, 7);
  EXPECT_EQ(joined.origins, (Origins{{{"chat", at("198.18.2.21:80")}, Origin::kRegistered},
                                     {{"chat", at("198.18.2.31:80")}, Origin::kDiscovered}}));
  EXPECT_TRUE(joined.left_out.empty());
}

TEST(Joined, OfOneAddressTheFileThenTheNodeThenDnsCounts) {
  const auto joined = lay_joined(file(), leased({{{"chat", "n1"}, "198.18.2.21:80"}}),
                                 {{"chat", {found("d1", "198.18.2.11:80"), found("d2", "198.18.2.21:80")}}});
  EXPECT_THAT(shown(joined), ElementsAre("b1=198.18.2.11:80", "b2=198.18.2.12:80", "v6=[2001:db8:2::11]:80", "n1=198.18.2.21:80"));
  EXPECT_EQ(joined.origins.size(), 1U);
  EXPECT_TRUE(joined.left_out.empty()) << "DNS may know what others know";
}

TEST(Joined, OneFromDnsWhoseNameIsTakenIsCalledAsItsAddress) {
  const auto joined = lay_joined(file(), leased({{{"chat", "n1"}, "198.18.2.21:80"}}),
                                 {{"chat", {found("b1", "198.18.2.31:80"), found("n1", "198.18.2.32:80")}}});
  EXPECT_EQ(joined.config.services[0].backends[4].name, "198.18.2.31:80");
  EXPECT_EQ(joined.config.services[0].backends[5].name, "198.18.2.32:80");
}

TEST(Joined, WhatDoesNotFitIsLeftOutAndTold) {
  const auto joined = lay_joined(
      file(),
      leased({{{"chat", "b1"}, "198.18.2.21:80"}, {{"chat", "n1"}, "198.18.2.101:80"}, {{"dns", "n2"}, "[2001:db8:2::21]:80"}}),
      {{"chat", {{found("loop", file().services[0].listen[0].to_string())}}}});
  EXPECT_EQ(joined.config.services[0].backends, file().services[0].backends);
  EXPECT_EQ(joined.config.services[1].backends, file().services[1].backends);
  EXPECT_THAT(joined.left_out,
              ElementsAre(HasSubstr("chat/b1: registered, but it takes no connections: the configuration file has"),
                          HasSubstr("a pool address of main"), HasSubstr("a loop"), HasSubstr("IPv6")));
}

TEST(Joined, GoneServicesAndListsWithoutDiscoveryHaveNoEffect) {
  auto config = file();
  config.services[0].discovery.clear();
  const auto joined = lay_joined(config, leased({{{"gone", "n1"}, "198.18.2.21:80"}}), {{"chat", {found("d1", "198.18.2.31:80")}}});
  EXPECT_EQ(joined.config, config);
  EXPECT_TRUE(joined.left_out.empty());
}

// What was changed at run time holds for them as for the file's.
TEST(Joined, CanBeDrainedAndRemovedAtRunTime) {
  const auto base = lay_joined(file(), leased({{{"chat", "n1"}, "198.18.2.21:80"}}), {}).config;
  Overlay overlay;
  EditBackend drain;
  drain.state = AdminState::kDraining;
  ASSERT_TRUE(overlay.change(base, "chat", "n1", drain, {}));
  EXPECT_EQ(test::effective(overlay, base).marks.at({"chat", at("198.18.2.21:80")}).standing, Mark::Standing::kDraining);
  ASSERT_TRUE(overlay.change(base, "chat", "n1", RemoveBackend{}, {}));
  EXPECT_EQ(test::effective(overlay, base).config.services[0].backends, file().services[0].backends);
  EXPECT_FALSE(overlay.change(base, "chat", "x", AddBackend{at("198.18.2.12:80"), 100, 0, {}}, {}));
}

TEST(JoinedJson, ComesBackAsItWas) {
  const auto leases = leased({{{"chat", "n1"}, "198.18.2.21:80"}, {{"dns", "n2"}, "[2001:db8:2::21]:80"}});
  const Discovered discovered{{"chat", {found("d1", "198.18.2.31:80", 7), found("198.18.2.32:80", "198.18.2.32:80", 0)}},
                              {"dns", {}}};
  const auto stored = parse_joined(to_text(leases, discovered), "f", kNow);
  ASSERT_TRUE(stored) << stored.error();
  EXPECT_EQ(stored->leases.all(), leases.all());
  EXPECT_EQ(stored->discovered, discovered);
}

TEST(JoinedJson, SaysWhatIsBrokenAndWhatToDo) {
  for (const auto* text :
       {"", "{", "[]", "{}", R"({"version":2,"leases":[],"discovered":{}})", R"({"version":1,"leases":{},"discovered":{}})",
        R"({"version":1,"leases":[{}],"discovered":{}})", R"({"version":1,"leases":[],"discovered":[]})",
        R"({"version":1,"leases":[],"discovered":{"chat":{}}})", R"({"version":1,"leases":[],"discovered":{"chat":[5]}})",
        R"({"version":1,"leases":[],"discovered":{"chat":[{"name":"x","address":"y","weight":1}]}})",
        R"({"version":1,"leases":[],"discovered":{"chat":[{"name":"x","address":"198.18.2.1:80","weight":1001}]}})"}) {
    const auto stored = parse_joined(text, "/s/joined.json", kNow);
    ASSERT_FALSE(stored) << text;
    EXPECT_THAT(stored.error(), testing::AllOf(HasSubstr("/s/joined.json is broken ("), HasSubstr("mend or remove it"))) << text;
  }
}

}  // namespace
}  // namespace wsl4::service
