// Three routers that know nothing of each other but adverts (RFC 9568 alone), on a network that loses them, cuts them one way or
// the other, and stops routers: in the end one is active, of the highest priority where it may preempt.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>

#include "daemon/election/vrrp.h"
#include "tests/support/seeds.h"

namespace wsl4::sim {
namespace {

using namespace std::chrono_literals;
using election::Advert;
using election::IpAddress;
using election::TimePoint;
using election::Vrrp;

IpAddress address_of(std::size_t router) {
  return *IpAddress::from_bytes(std::array<std::uint8_t, 4>{198, 18, 0, static_cast<std::uint8_t>(router + 1)});
}

class Lan {
 public:
  Lan(bool preempt, std::array<int, 3> priorities, std::uint64_t seed) : random(seed), priorities_(priorities) {
    for (std::size_t i = 0; i < 3; ++i) {
      routers.emplace_back(Vrrp::Settings{priorities.at(i), 100ms, preempt, address_of(i)});
      routers.back().start(now_);
    }
  }

  void run(std::chrono::milliseconds span) {
    for (const auto end = now_ + span; now_ < end; now_ += 1ms) {
      while (!flying_.empty() && flying_.begin()->first <= now_) {
        const auto [to, from, priority] = flying_.extract(flying_.begin()).mapped();
        routers.at(to).receive({51, priority, 100ms, {*IpAddress::parse("198.18.0.100")}}, address_of(from), now_);
        obey(to);
      }
      for (std::size_t i = 0; i < 3; ++i) {
        routers.at(i).tick(now_);
        obey(i);
      }
    }
  }

  void trouble() {
    const auto router = draw(0, 2);
    switch (draw(0, 4)) {
      case 0:
        loss = draw(0, 1) == 0 ? 0.0 : 0.5;
        break;
      case 1:
        deaf.at(router) = !deaf.at(router);
        break;
      case 2:
        mute.at(router) = !mute.at(router);
        break;
      case 3:
        routers.at(router).stop();
        obey(router);
        break;
      default:
        if (routers.at(router).state() == Vrrp::State::kInit) routers.at(router).start(now_);
    }
  }

  void mend() {
    loss = 0;
    deaf = mute = {};
    for (auto& router : routers) {
      if (router.state() == Vrrp::State::kInit) router.start(now_);
    }
  }

  [[nodiscard]] std::vector<std::size_t> actives() const {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < 3; ++i) {
      if (routers.at(i).state() == Vrrp::State::kActive) out.push_back(i);
    }
    return out;
  }
  std::size_t draw(std::size_t low, std::size_t high) { return std::uniform_int_distribution<std::size_t>(low, high)(random); }

  std::mt19937_64 random;
  std::vector<Vrrp> routers;
  double loss = 0;
  std::array<bool, 3> deaf{}, mute{};

 private:
  struct Flying {
    std::size_t to, from;
    std::uint8_t priority;
  };

  void obey(std::size_t from) {
    for (const auto output : routers.at(from).take_outputs()) {
      if (output != Vrrp::Output::kAdvertise && output != Vrrp::Output::kResign) continue;
      const auto priority = output == Vrrp::Output::kResign ? 0 : priorities_.at(from);
      for (std::size_t to = 0; to < 3; ++to) {
        const bool lost = std::uniform_real_distribution<>(0, 1)(random) < loss;
        if (to == from || lost || mute.at(from) || deaf.at(to)) continue;
        flying_.emplace(now_ + std::chrono::milliseconds(draw(0, 15)), Flying{to, from, static_cast<std::uint8_t>(priority)});
      }
    }
  }

  std::array<int, 3> priorities_;
  TimePoint now_ = TimePoint{} + 1h;
  std::multimap<TimePoint, Flying> flying_;
};

TEST(Lan, HasOneActiveInTheEnd) {
  for (std::uint64_t seed = 1; seed <= test::seeds(1000U); ++seed) {
    std::mt19937_64 random(seed);
    const auto draw = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
    const bool preempt = draw(0, 1) == 1;
    const std::array priorities{draw(1, 254), draw(1, 254), draw(1, 254)};
    Lan lan(preempt, priorities, seed);
    for (int i = 0; i < 15; ++i) {
      lan.run(std::chrono::milliseconds(draw(0, 800)));
      lan.trouble();
    }
    lan.mend();
    lan.run(2s);
    const auto actives = lan.actives();
    ASSERT_EQ(actives.size(), 1U) << "seed " << seed;
    const int highest = *std::ranges::max_element(priorities);
    ASSERT_TRUE(!preempt || priorities.at(actives[0]) == highest) << "seed " << seed;
    lan.run(1s);
    ASSERT_EQ(lan.actives(), actives) << "seed " << seed;
  }
}

TEST(Lan, WithoutTroubleItHasOneActiveAtAnyTime) {
  for (std::uint64_t seed = 1; seed <= test::seeds(100U); ++seed) {
    Lan lan(false, {100, 150, 200}, seed);
    lan.run(1s);
    const auto actives = lan.actives();
    ASSERT_EQ(actives, std::vector<std::size_t>{2}) << "seed " << seed;
    for (int i = 0; i < 200; ++i) {
      lan.run(10ms);
      ASSERT_EQ(lan.actives(), actives) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace wsl4::sim
