#include "daemon/service/leases.h"

#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace wsl4::service {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Renewal = Leases::Renewal;

const Leases::Time kNow{seconds(1'700'000'000)};
const Leases::Key kOne{"chat", "one"}, kTwo{"chat", "two"};

Registration at(const std::string& address, seconds ttl = seconds(30)) {
  Registration registration;
  registration.address = *netlink::Endpoint::parse(address);
  registration.ttl = ttl;
  return registration;
}

std::vector<std::string> names(const std::map<Leases::Key, Leases::Lease>& leases) {
  std::vector<std::string> names;
  for (const auto& [key, lease] : leases) names.push_back(key.service + "/" + key.backend);
  return names;
}

Leases reload(const Leases& leases, Leases::Time now) {
  const auto document = boost::json::parse(boost::json::serialize(leases.to_json()));
  auto loaded = Leases::from_json(document, now);
  EXPECT_TRUE(loaded) << loaded.error();
  return loaded.value_or(Leases());
}

TEST(Leases, LapseWhenTheirTimeIsUpAndNotBefore) {
  Leases leases;
  EXPECT_FALSE(leases.next());
  EXPECT_EQ(leases.renew(kOne, at("198.18.0.1:80"), kNow), Renewal::kNew);
  EXPECT_EQ(leases.renew(kTwo, at("198.18.0.2:80", seconds(5)), kNow), Renewal::kNew);
  EXPECT_EQ(leases.next(), kNow + seconds(5));
  EXPECT_TRUE(leases.lapse(kNow + milliseconds(4999)).empty());
  EXPECT_EQ(names(leases.lapse(kNow + seconds(5))), (std::vector<std::string>{"chat/two"}));
  EXPECT_TRUE(leases.lapse(kNow + seconds(5)).empty());
  EXPECT_EQ(leases.next(), kNow + seconds(30));
  const auto last = leases.lapse(kNow + hours(1));
  EXPECT_EQ(last.at(kOne).registration, at("198.18.0.1:80"));
  EXPECT_TRUE(leases.all().empty());
}

TEST(Leases, ARenewalBeginsAnewAndMayChangeEverything) {
  Leases leases;
  EXPECT_EQ(leases.renew(kOne, at("198.18.0.1:80"), kNow), Renewal::kNew);
  EXPECT_EQ(leases.renew(kOne, at("198.18.0.9:80", seconds(60)), kNow + seconds(29)), Renewal::kRenewed);
  EXPECT_EQ(leases.all().at(kOne), (Leases::Lease{at("198.18.0.9:80", seconds(60)), kNow + seconds(89)}));
  EXPECT_TRUE(leases.lapse(kNow + seconds(88)).empty());
}

TEST(Leases, EndAtOnce) {
  Leases leases;
  EXPECT_FALSE(leases.end(kOne));
  EXPECT_EQ(leases.renew(kOne, at("198.18.0.1:80"), kNow), Renewal::kNew);
  EXPECT_TRUE(leases.end(kOne));
  EXPECT_FALSE(leases.end(kOne));
  EXPECT_EQ(leases.renew(kOne, at("198.18.0.1:80"), kNow), Renewal::kNew);
}

TEST(Leases, AnAddressHasOneNameInAService) {
  Leases leases;
  EXPECT_EQ(leases.renew(kOne, at("198.18.0.1:80"), kNow), Renewal::kNew);
  EXPECT_EQ(leases.renew(kTwo, at("198.18.0.1:80"), kNow), Renewal::kAddressTaken);
  EXPECT_EQ(leases.renew(kTwo, at("198.18.0.1:81"), kNow), Renewal::kNew);
  EXPECT_EQ(leases.renew(kTwo, at("198.18.0.1:80"), kNow), Renewal::kAddressTaken);
  EXPECT_EQ(leases.all().at(kTwo).registration.address.port, 81);
  EXPECT_EQ(leases.renew({"video", "two"}, at("198.18.0.1:80"), kNow), Renewal::kNew);
}

TEST(Leases, SoManyAndNoMore) {
  Leases leases;
  for (std::size_t i = 0; i < Leases::kMax; ++i) {
    ASSERT_EQ(leases.renew({fmt::format("s{}", i % 7), fmt::format("b{}", i)},
                           at(fmt::format("198.18.{}.{}:80", i / 250, 1 + i % 250)), kNow),
              Renewal::kNew);
  }
  EXPECT_EQ(leases.renew(kOne, at("198.19.0.1:80"), kNow), Renewal::kFull);
  EXPECT_EQ(leases.renew({"s0", "b0"}, at("198.18.0.1:80"), kNow), Renewal::kRenewed);
  EXPECT_EQ(reload(leases, kNow).all().size(), Leases::kMax);
}

TEST(Leases, AClockThatIsSetBackDoesNotProlongThemByMoreThanTheirTtl) {
  Leases leases;
  EXPECT_EQ(leases.renew(kOne, at("198.18.0.1:80"), kNow), Renewal::kNew);
  const auto before = kNow - hours(5);
  EXPECT_TRUE(leases.lapse(before).empty());
  EXPECT_EQ(leases.next(), before + seconds(30));
  EXPECT_EQ(leases.lapse(before + seconds(30)).size(), 1U);
}

TEST(Leases, OutliveTheDaemonAndLapseWhileItIsGone) {
  Leases leases;
  Registration full = at("[2001:db8::1]:80", seconds(3600));
  full.weight = 0;
  full.max_connections = 7;
  full.public_address = "wss://one.example/ws";
  EXPECT_EQ(leases.renew(kOne, full, kNow), Renewal::kNew);
  EXPECT_EQ(leases.renew(kTwo, at("198.18.0.2:80"), kNow), Renewal::kNew);

  const auto start = kNow + seconds(100);
  Leases loaded = reload(leases, start);
  EXPECT_EQ(loaded.all().at(kOne), leases.all().at(kOne));
  EXPECT_TRUE(loaded.lapse(start + seconds(9)).empty()) << "nodes get time to renew";
  EXPECT_EQ(names(loaded.lapse(start + seconds(10))), (std::vector<std::string>{"chat/two"}));

  loaded = reload(leases, start);
  EXPECT_EQ(loaded.renew(kTwo, at("198.18.0.2:80"), start + seconds(9)), Renewal::kRenewed);
  EXPECT_TRUE(loaded.lapse(start + seconds(10)).empty());
}

TEST(Leases, ARestartProlongsNoLeaseThatEndsLater) {
  Leases leases;
  EXPECT_EQ(leases.renew(kOne, at("198.18.0.1:80"), kNow), Renewal::kNew);
  EXPECT_EQ(reload(leases, kNow + seconds(15)).next(), kNow + seconds(30));
  EXPECT_EQ(reload(leases, kNow + seconds(25)).next(), kNow + seconds(35));
}

TEST(Leases, BrokenDocumentsAreErrors) {
  for (const char* text :
       {"{}", "7", "[7]", "[{}]", R"([{"service": "chat", "backend": "one", "address": "198.18.0.1:80", "ttl": "30s"}])",
        R"([{"service": "chat", "backend": "one", "expires_ms": "1", "address": "198.18.0.1:80", "ttl": "30s"}])",
        R"([{"service": 1, "backend": "one", "expires_ms": 1, "address": "198.18.0.1:80", "ttl": "30s"}])",
        R"([{"service": "chat", "backend": "one", "expires_ms": 1, "address": "198.18.0.1", "ttl": "30s"}])",
        R"([{"service": "chat", "backend": "one", "expires_ms": 1, "address": "198.18.0.1:80", "ttl": "30s", "more": 1}])",
        R"([{"service": "chat", "backend": "one", "expires_ms": 1, "address": "198.18.0.1:80", "ttl": "30s"},
            {"service": "chat", "backend": "one", "expires_ms": 1, "address": "198.18.0.1:80", "ttl": "30s"}])"}) {
    const auto leases = Leases::from_json(boost::json::parse(text), kNow);
    ASSERT_FALSE(leases) << text;
    EXPECT_FALSE(leases.error().empty());
  }
  EXPECT_TRUE(Leases::from_json(boost::json::parse("[]"), kNow));
}

// Against a model: after any course of events a lease is there exactly if it was renewed within its ttl and not ended.
TEST(Leases, AgainstAModel) {
  for (std::uint32_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    Leases leases;
    std::map<std::string, Leases::Time> model;
    auto now = kNow;
    for (int step = 0; step < 200; ++step) {
      now += milliseconds(random() % 4000);
      const auto name = fmt::format("b{}", random() % 6);
      const auto ttl = seconds(5 + random() % 20);
      switch (random() % 4) {
        case 0:
          EXPECT_EQ(leases.end({"chat", name}), model.erase(name) > 0);
          break;
        case 1:
          leases = reload(leases, now);
          for (auto& [known, expires] : model) expires = std::max(expires, now + Leases::kGrace);
          break;
        default:
          EXPECT_EQ(leases.renew({"chat", name}, at("198.18.0." + name.substr(1) + ":80", ttl), now),
                    model.contains(name) ? Renewal::kRenewed : Renewal::kNew);
          model[name] = now + ttl;
      }
      std::vector<std::string> gone;
      for (const auto& [key, lease] : leases.lapse(now)) gone.push_back(key.backend);
      std::vector<std::string> expected;
      for (const auto& [known, expires] : model) {
        if (expires <= now) expected.push_back(known);
      }
      EXPECT_EQ(gone, expected);
      for (const auto& known : expected) model.erase(known);
      EXPECT_EQ(leases.all().size(), model.size());
    }
  }
}

}  // namespace
}  // namespace wsl4::service
