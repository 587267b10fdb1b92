// What holds of any sequence of changes and reloads.
#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "daemon/service/overlay.h"
#include "daemon/service/overlay_json.h"
#include "tests/support/overlay_bed.h"
#include "tests/support/seeds.h"

namespace wsl4::service {
namespace {

constexpr auto kSeeds = test::seeds(500U);
constexpr int kSteps = 25;

/// As valid as a checked file: each name and each address once in a service, of a family that the service listens on.
void check_valid(const config::Config& config) {
  for (const auto& service : config.services) {
    std::set<std::string> names;
    std::set<netlink::Endpoint> addresses;
    for (const auto& backend : service.backends) {
      EXPECT_TRUE(names.insert(backend.name).second) << backend.name << " twice in " << service.name;
      EXPECT_TRUE(addresses.insert(backend.address).second) << backend.address.to_string() << " twice in " << service.name;
      EXPECT_TRUE(std::ranges::any_of(service.listen, [&](const auto& listen) {
        return listen.address.family() == backend.address.address.family();
      })) << backend.address.to_string();
      EXPECT_TRUE(backend.weight >= 0 && backend.weight <= 1000);
    }
  }
}

/// A mark for each backend that differs from the file, and none for the others.
void check_marks(const config::Config& file, const test::Effective& effective) {
  std::map<std::pair<std::string, netlink::Endpoint>, config::Backend> present, before;
  for (const auto& service : effective.config.services) {
    for (const auto& backend : service.backends) present[{service.name, backend.address}] = backend;
  }
  for (const auto& service : file.services) {
    for (const auto& backend : service.backends) before[{service.name, backend.address}] = backend;
  }
  for (const auto& [key, mark] : effective.marks) {
    EXPECT_EQ(mark.standing == Mark::Standing::kRemoved, !present.contains(key)) << mark.name;
    if (present.contains(key)) { EXPECT_EQ(present[key].name, mark.name); }
  }
  for (const auto& [key, backend] : present) {
    if (!before.contains(key) || before[key] != backend) { EXPECT_TRUE(effective.marks.contains(key)) << backend.name; }
  }
  for (const auto& [key, backend] : before) {
    if (!present.contains(key)) { EXPECT_TRUE(effective.marks.contains(key)) << backend.name; }
  }
}

void check_stored(const Overlay& overlay) {
  const auto read = parse_overlay(to_text(overlay), "runtime.json");
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->changes(), overlay.changes());
}

/// Of a backend that was removed; another one may have its address by now.
void check_emptied(const test::NamedChange& change, const EditBackend& edit, const test::Effective& effective) {
  EXPECT_EQ(edit.state, AdminState::kDraining);
  for (const auto& [key, mark] : effective.marks) {
    if (key.first != change.service || mark.name != change.backend) continue;
    EXPECT_EQ(mark.standing, Mark::Standing::kRemoved);
    EXPECT_EQ(mark.evict, edit.evict.value_or(0));
  }
}

/// What was accepted is in effect.
void check_applied(const test::NamedChange& change, const test::Effective& effective) {
  const auto service = std::ranges::find(effective.config.services, change.service, &config::Service::name);
  if (service == effective.config.services.end()) return;  // a reset of what sleeps
  const auto backend = std::ranges::find(service->backends, change.backend, &config::Backend::name);
  const bool is_there = backend != service->backends.end();
  if (const auto* add = std::get_if<AddBackend>(&change.change)) {
    ASSERT_TRUE(is_there);
    EXPECT_EQ(backend->address, add->address);
    EXPECT_EQ(backend->weight, add->weight);
  } else if (const auto* edit = std::get_if<EditBackend>(&change.change)) {
    if (!is_there) return check_emptied(change, *edit, effective);
    EXPECT_EQ(backend->weight, edit->weight.value_or(backend->weight));
    const auto mark = effective.marks.find({change.service, backend->address});
    const auto shown = mark == effective.marks.end() ? Mark{} : mark->second;
    EXPECT_EQ(static_cast<int>(shown.standing), static_cast<int>(edit->state.value_or(static_cast<AdminState>(shown.standing))));
    EXPECT_EQ(shown.evict, edit->evict.value_or(edit->state ? 0 : shown.evict));
  } else if (std::holds_alternative<RemoveBackend>(change.change)) {
    EXPECT_FALSE(is_there);
  }
}

/// Every kind of outcome, so that a run which meets only refusals shows.
struct Seen {
  int done = 0, not_found = 0, conflict = 0, bad = 0, dormant = 0;
};

void run_sequence(std::mt19937& random, Seen& seen) {
  auto file = test::changeable_config();
  Overlay overlay;
  for (int step = 0; step < kSteps; ++step) {
    if (std::uniform_int_distribution<>(0, 9)(random) == 0) {
      file = test::edited(test::changeable_config(), random);
      overlay.settle(file, [&random](const std::string&, const netlink::Endpoint&) { return random() % 2 == 0; });
    }
    const auto change = test::random_change(random);
    const auto before = overlay.changes();
    const auto applied = overlay.change(file, change.service, change.backend, change.change, test::kChangedAt);
    if (!applied) {
      using Kind = ChangeError::Kind;
      ++(applied.error().kind == Kind::kNotFound ? seen.not_found : applied.error().kind == Kind::kBad ? seen.bad : seen.conflict);
      EXPECT_FALSE(applied.error().problems.empty());
    }
    const bool changes = applied && *applied >= Applied::kChanged;
    EXPECT_TRUE(changes || overlay.changes() == before);
    const auto effective = test::effective(overlay, file);
    if (applied) {
      ++seen.done;
      check_applied(change, effective);
    }
    seen.dormant += static_cast<int>(effective.dormant.size());
    check_valid(effective.config);
    check_marks(file, effective);
    check_stored(overlay);
  }
  // Reset of all gives the file.
  const auto changes = overlay.changes();
  for (const auto& [service, backends] : changes) {
    for (const auto& [backend, change] : backends) {
      EXPECT_EQ(overlay.change(file, service, backend, ResetBackend{}, test::kChangedAt), Applied::kChanged)
          << service << "/" << backend;
    }
  }
  EXPECT_TRUE(overlay.changes().empty());
  EXPECT_EQ(test::effective(overlay, file).config, file);
  EXPECT_TRUE(test::effective(overlay, file).marks.empty());
}

TEST(OverlayProperties, HoldOverAnySequenceOfChangesAndReloads) {
  Seen seen;
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    std::mt19937 random(seed);
    run_sequence(random, seen);
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
  }
  for (const int count : {seen.done, seen.not_found, seen.conflict, seen.bad, seen.dormant})
    EXPECT_GT(count, static_cast<int>(kSeeds) / 5);
}

}  // namespace
}  // namespace wsl4::service
