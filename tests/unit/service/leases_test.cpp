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

const Leases::Moment kGranted{Leases::Time(seconds(1'700'000'000)), Leases::Steady(seconds(1000))};
const Leases::Key kOne{"chat", "one"}, kTwo{"chat", "two"};

Leases::Moment after(milliseconds passed) { return {kGranted.wall + passed, kGranted.steady + passed}; }

Registration registration(const std::string& address, seconds ttl = seconds(30)) {
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

Leases reload(const Leases& leases, Leases::Moment now) {
  const auto document = boost::json::parse(boost::json::serialize(leases.to_json()));
  auto loaded = Leases::from_json(document, now);
  EXPECT_TRUE(loaded) << loaded.error();
  return loaded.value_or(Leases());
}

TEST(Leases, LapseWhenTheirTimeIsUpAndNotBefore) {
  Leases leases;
  EXPECT_EQ(leases.renew(kOne, registration("198.18.0.1:80"), kGranted), Renewal::kNew);
  EXPECT_EQ(leases.renew(kTwo, registration("198.18.0.2:80", seconds(5)), kGranted), Renewal::kNew);
  EXPECT_TRUE(leases.lapse(kGranted.steady + milliseconds(4999)).empty());
  EXPECT_EQ(names(leases.lapse(kGranted.steady + seconds(5))), (std::vector<std::string>{"chat/two"}));
  EXPECT_TRUE(leases.lapse(kGranted.steady + seconds(5)).empty());
  EXPECT_TRUE(leases.lapse(kGranted.steady + milliseconds(29'999)).empty());
  const auto last = leases.lapse(kGranted.steady + hours(1));
  EXPECT_EQ(last.at(kOne).registration, registration("198.18.0.1:80"));
  EXPECT_TRUE(leases.all().empty());
}

TEST(Leases, ARenewalBeginsAnewAndMayChangeEverything) {
  Leases leases;
  EXPECT_EQ(leases.renew(kOne, registration("198.18.0.1:80"), kGranted), Renewal::kNew);
  EXPECT_EQ(leases.renew(kOne, registration("198.18.0.9:80", seconds(60)), after(seconds(29))), Renewal::kRenewed);
  EXPECT_EQ(leases.all().at(kOne), (Leases::Lease{registration("198.18.0.9:80", seconds(60)), kGranted.wall + seconds(89),
                                                  kGranted.steady + seconds(89)}));
  EXPECT_TRUE(leases.lapse(kGranted.steady + seconds(88)).empty());
}

TEST(Leases, CanAllBeginAnew) {
  Leases leases;
  ASSERT_EQ(leases.renew(kOne, registration("198.18.0.1:80"), kGranted), Renewal::kNew);
  ASSERT_EQ(leases.renew(kTwo, registration("198.18.0.2:80", seconds(60)), kGranted), Renewal::kNew);
  leases.begin_anew(after(seconds(40)));
  EXPECT_TRUE(leases.lapse(after(seconds(69)).steady).empty());
  EXPECT_EQ(names(leases.lapse(after(seconds(70)).steady)), (std::vector<std::string>{"chat/one"}));
  EXPECT_EQ(leases.all().at(kTwo).expires, after(seconds(100)).wall);
}

TEST(Leases, EndAtOnce) {
  Leases leases;
  EXPECT_FALSE(leases.end(kOne));
  EXPECT_EQ(leases.renew(kOne, registration("198.18.0.1:80"), kGranted), Renewal::kNew);
  EXPECT_TRUE(leases.end(kOne));
  EXPECT_FALSE(leases.end(kOne));
  EXPECT_EQ(leases.renew(kOne, registration("198.18.0.1:80"), kGranted), Renewal::kNew);
}

TEST(Leases, AnAddressHasOneNameInAService) {
  Leases leases;
  EXPECT_EQ(leases.renew(kOne, registration("198.18.0.1:80"), kGranted), Renewal::kNew);
  EXPECT_EQ(leases.renew(kTwo, registration("198.18.0.1:80"), kGranted), Renewal::kAddressTaken);
  EXPECT_EQ(leases.renew(kTwo, registration("198.18.0.1:81"), kGranted), Renewal::kNew);
  EXPECT_EQ(leases.renew(kTwo, registration("198.18.0.1:80"), kGranted), Renewal::kAddressTaken);
  EXPECT_EQ(leases.all().at(kTwo).registration.address.port, 81);
  EXPECT_EQ(leases.renew({"video", "two"}, registration("198.18.0.1:80"), kGranted), Renewal::kNew);
}

TEST(Leases, SoManyAndNoMore) {
  Leases leases;
  for (std::size_t i = 0; i < Leases::kMax; ++i) {
    ASSERT_EQ(leases.renew({fmt::format("s{}", i % 7), fmt::format("b{}", i)},
                           registration(fmt::format("198.18.{}.{}:80", i / 250, 1 + i % 250)), kGranted),
              Renewal::kNew);
  }
  EXPECT_EQ(leases.renew(kOne, registration("198.19.0.1:80"), kGranted), Renewal::kFull);
  EXPECT_EQ(leases.renew({"s0", "b0"}, registration("198.18.0.1:80"), kGranted), Renewal::kRenewed);
  EXPECT_EQ(reload(leases, kGranted).all().size(), Leases::kMax);
}

TEST(Leases, AClockThatIsSetMakesADifferenceAtAStartOnly) {
  Leases leases;
  EXPECT_EQ(leases.renew(kOne, registration("198.18.0.1:80"), kGranted), Renewal::kNew);
  for (const auto set : {hours(5), hours(-5)}) {
    const Leases::Moment start{kGranted.wall + set, kGranted.steady};
    EXPECT_EQ(leases.renew(kOne, registration("198.18.0.1:80"), start), Renewal::kRenewed);
    EXPECT_TRUE(leases.lapse(kGranted.steady + milliseconds(29'999)).empty());
  }
  Leases loaded = reload(leases, kGranted);  // five hours after what was stored last
  EXPECT_EQ(loaded.lapse(kGranted.steady + Leases::kGrace).size(), 1U);
  EXPECT_EQ(leases.renew(kOne, registration("198.18.0.1:80"), kGranted), Renewal::kRenewed);
  loaded = reload(leases, {kGranted.wall - hours(5), kGranted.steady});
  EXPECT_TRUE(loaded.lapse(kGranted.steady + milliseconds(29'999)).empty());
  EXPECT_EQ(loaded.lapse(kGranted.steady + seconds(30)).size(), 1U) << "not prolonged by more than its ttl";
}

TEST(Leases, OutliveTheDaemonAndLapseWhileItIsGone) {
  Leases leases;
  Registration full = registration("[2001:db8::1]:80", seconds(3600));
  full.weight = 0;
  full.max_connections = 7;
  full.public_address = "wss://one.example/ws";
  EXPECT_EQ(leases.renew(kOne, full, kGranted), Renewal::kNew);
  EXPECT_EQ(leases.renew(kTwo, registration("198.18.0.2:80"), kGranted), Renewal::kNew);

  const auto start = after(seconds(100));
  Leases loaded = reload(leases, start);
  EXPECT_EQ(loaded.all().at(kOne), leases.all().at(kOne));
  EXPECT_TRUE(loaded.lapse(start.steady + seconds(9)).empty()) << "nodes get time to renew";
  EXPECT_EQ(names(loaded.lapse(start.steady + seconds(10))), (std::vector<std::string>{"chat/two"}));

  loaded = reload(leases, start);
  EXPECT_EQ(loaded.renew(kTwo, registration("198.18.0.2:80"), after(seconds(109))), Renewal::kRenewed);
  EXPECT_TRUE(loaded.lapse(start.steady + seconds(10)).empty());
}

TEST(Leases, ARestartProlongsNoLeaseThatEndsLater) {
  Leases leases;
  EXPECT_EQ(leases.renew(kOne, registration("198.18.0.1:80"), kGranted), Renewal::kNew);
  EXPECT_EQ(reload(leases, after(seconds(15))).all().at(kOne).lapses, kGranted.steady + seconds(30));
  EXPECT_EQ(reload(leases, after(seconds(25))).all().at(kOne).lapses, kGranted.steady + seconds(35));
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
    const auto leases = Leases::from_json(boost::json::parse(text), kGranted);
    ASSERT_FALSE(leases) << text;
    EXPECT_FALSE(leases.error().empty());
  }
  EXPECT_TRUE(Leases::from_json(boost::json::parse("[]"), kGranted));
}

// Against a model: after any course of events a lease is there exactly if it was renewed within its ttl and not ended.
TEST(Leases, AgainstAModel) {
  for (std::uint32_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    Leases leases;
    std::map<std::string, Leases::Steady> model;
    milliseconds passed{0};
    for (int step = 0; step < 200; ++step) {
      passed += milliseconds(random() % 4000);
      const auto now = after(passed);
      const auto name = fmt::format("b{}", random() % 6);
      const auto ttl = seconds(5 + random() % 20);
      switch (random() % 4) {
        case 0:
          EXPECT_EQ(leases.end({"chat", name}), model.erase(name) > 0);
          break;
        case 1:
          leases = reload(leases, now);
          for (auto& [known, expires] : model) expires = std::max<Leases::Steady>(expires, now.steady + Leases::kGrace);
          break;
        default:
          EXPECT_EQ(leases.renew({"chat", name}, registration("198.18.0." + name.substr(1) + ":80", ttl), now),
                    model.contains(name) ? Renewal::kRenewed : Renewal::kNew);
          model[name] = now.steady + ttl;
      }
      std::vector<std::string> gone;
      for (const auto& [key, lease] : leases.lapse(now.steady)) gone.push_back(key.backend);
      std::vector<std::string> expected;
      for (const auto& [known, expires] : model) {
        if (expires <= now.steady) expected.push_back(known);
      }
      EXPECT_EQ(gone, expected);
      for (const auto& known : expected) model.erase(known);
      EXPECT_EQ(leases.all().size(), model.size());
    }
  }
}

}  // namespace
}  // namespace wsl4::service
