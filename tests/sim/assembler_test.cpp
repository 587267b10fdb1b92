// A state that is kept current service by service is the state that is made anew from everything.
#include "daemon/service/assembler.h"

#include <gtest/gtest.h>

#include <random>

#include "daemon/config/changes.h"
#include "tests/support/overlay_bed.h"
#include "tests/support/seeds.h"

namespace wsl4::service {
namespace {

constexpr auto kSeeds = test::seeds(2000U);
constexpr int kSteps = 20;
const auto kBegin = WallTime(std::chrono::hours(1000));

DesiredState nothing() {
  DesiredState state;
  state.owned_table = true;
  return state;
}

/// All services there have ever been.
std::set<std::string> everything(const config::Config& file, const Assembler& assembler, const Overlay& overlay) {
  std::set<std::string> names;
  for (const auto& service : file.services) names.insert(service.name);
  for (const auto& [name, service] : assembler.desired().services) names.insert(name);
  for (const auto& [name, changes] : overlay.changes()) names.insert(name);
  for (const auto& [name, laid] : assembler.laid()) names.insert(name);
  return names;
}

class Sequence {
 public:
  explicit Sequence(unsigned seed) : random_(seed) {
    for (auto& service : file_.services)
      if (random_() % 2 == 0) service.slow_start = std::chrono::seconds(30);
    overlay_ = Overlay();
    make(everything(file_, full_, overlay_));
  }

  void step() {
    now_ += std::chrono::seconds(random_() % 20);
    switch (random_() % 6) {
      case 0:
        return load();
      case 1:
        return judge();
      case 2:
        return forget();
      default:
        change();
    }
  }

  int refused = 0;

 private:
  void load() {
    auto next = test::edited(test::changeable_config(), random_);
    if (random_() % 4 == 0) next.pools[0].addresses.pop_back();
    for (auto& service : next.services)
      if (random_() % 2 == 0) service.slow_start = std::chrono::seconds(30);
    auto touched = config::changed_services(file_, next);
    for (const auto& [name, changes] : overlay_.changes()) touched.insert(name);
    overlay_.settle(next, [&](const auto& service, const auto& address) { return full_.resolver().is_draining(service, address); });
    file_ = std::move(next);
    make(touched);
  }

  void change() {
    const auto drawn = test::random_change(random_);
    const auto applied = overlay_.change(file_, drawn.service, drawn.backend, drawn.change, {});
    if (!applied || *applied < Applied::kChanged) return static_cast<void>(++refused);
    make({drawn.service});
  }

  void judge() {
    const auto& services = full_.desired().services;
    if (services.empty()) return;
    auto place = services.begin();
    std::advance(place, random_() % services.size());
    for (const auto& backend : place->second.backends)
      if (random_() % 2 == 0) verdicts_[{place->first, backend.address}] = {random_() % 2 == 0, {}};
    make({place->first});
  }

  void forget() {
    const auto drawn = random_();
    const auto alive = [drawn](BackendId id) { return (drawn >> (id % 16) & 1U) != 0; };
    const auto changed = by_parts_.forget_drained(alive, ++resyncs_);
    EXPECT_EQ(full_.forget_drained(alive, resyncs_), changed);
    make(changed);
  }

  /// By parts with those that are touched, and as a whole; sometimes it does not come true, and is made again later.
  void make(std::set<std::string> touched) {
    touched.merge(waiting_);
    waiting_ = touched;
    const auto verdicts = [this](const std::string& service) {
      Verdicts of_service;
      for (const auto& [key, verdict] : verdicts_)
        if (key.first == service) of_service.emplace(key, verdict);
      return of_service;
    };
    const Assembler::Inputs inputs{file_, overlay_, verdicts, now_};
    auto part = by_parts_.draft(inputs, touched);
    auto whole = full_.draft(inputs, everything(file_, full_, overlay_));
    ASSERT_EQ(part.has_value(), whole.has_value());
    if (!part || random_() % 8 == 0) return;
    waiting_.clear();
    EXPECT_EQ(part->change, whole->change);
    by_parts_.accept(*std::move(part));
    full_.accept(*std::move(whole));
    EXPECT_EQ(by_parts_.desired(), full_.desired());
    EXPECT_EQ(by_parts_.newcomers(), full_.newcomers());
    EXPECT_EQ(by_parts_.laid(), full_.laid());
    EXPECT_EQ(by_parts_.resolver().leaving(), full_.resolver().leaving());
  }

  std::mt19937 random_;
  config::Config file_ = test::changeable_config();
  Overlay overlay_;
  Verdicts verdicts_;
  WallTime now_ = kBegin;
  std::uint64_t resyncs_ = 0;
  std::set<std::string> waiting_;
  Assembler by_parts_{nothing()}, full_{nothing()};
};

TEST(Assembler, ByPartsIsAsTheWhole) {
  int refused = 0;
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    Sequence sequence(seed);
    for (int step = 0; step < kSteps; ++step) sequence.step();
    refused += sequence.refused;
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
  EXPECT_LT(refused, static_cast<int>(kSeeds) * kSteps / 2) << "most changes are made";
}

}  // namespace
}  // namespace wsl4::service
