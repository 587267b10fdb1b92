#include "daemon/balance/least_connections.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

namespace wsl4::balance {
namespace {

constexpr std::size_t kFewestSlots = 32, kFewestWithCaps = 64, kSlotsPerBackend = 8;
constexpr double kUnlimited = std::numeric_limits<double>::infinity();

struct Vessel {
  double width, filled, limit;
};

/// Where the sum, as a function of the level, becomes steeper (a vessel begins to fill) or flatter (it is at its limit).
struct Bend {
  double level, slope;
};

std::vector<Bend> bends_of(std::span<const Vessel> vessels) {
  std::vector<Bend> bends;
  for (const auto& vessel : vessels) {
    if (vessel.width <= 0) continue;
    bends.push_back({vessel.filled / vessel.width, vessel.width});
    if (vessel.limit < kUnlimited) bends.push_back({(vessel.filled + vessel.limit) / vessel.width, -vessel.width});
  }
  std::ranges::sort(bends, {}, &Bend::level);
  return bends;
}

/// The level to which `amount` rises; if that is more than all limits, the one at which everybody is at its limit.
double level_of(std::span<const Vessel> vessels, double amount) {
  double level = 0, slope = 0;  // slopes are sums of whole numbers: exact, and 0 again when all are at their limits
  for (const auto& bend : bends_of(vessels)) {
    const double taken = slope * (bend.level - level);
    if (taken >= amount) break;
    amount -= taken;
    level = bend.level;
    slope += bend.slope;
  }
  return slope > 0 ? level + amount / slope : level;
}

/// Pours into the vessels. Returns what each took.
std::vector<double> pour(std::span<Vessel> vessels, double amount) {
  const double level = level_of(vessels, amount);
  std::vector<double> taken;
  for (auto& vessel : vessels) {
    taken.push_back(std::clamp(vessel.width * level - vessel.filled, 0.0, vessel.limit));
    vessel.filled += taken.back();
  }
  return taken;
}

double room_of(const Load& backend) { return backend.room ? static_cast<double>(*backend.room) : kUnlimited; }

/// Whole slots, together as many as the shares of slots are together.
std::vector<std::int64_t> rounded(const std::vector<double>& ideal, std::size_t slots) {
  std::vector<std::int64_t> counts(ideal.size());
  std::ranges::transform(ideal, counts.begin(), [](double share) { return static_cast<std::int64_t>(share); });
  std::vector<std::size_t> order(ideal.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto claim = [&](std::size_t i) { return std::pair(ideal[i] >= 0.5, ideal[i] - std::floor(ideal[i])); };
  std::ranges::stable_sort(order, std::greater{}, claim);
  auto left = static_cast<std::int64_t>(slots) - std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  for (auto i = order.begin(); left > 0 && i != order.end(); ++i, --left) ++counts[*i];
  return counts;
}

}  // namespace

std::vector<double> shares(std::span<const Load> backends, double arrivals) {
  std::vector<Vessel> vessels;
  for (const auto& backend : backends)
    vessels.push_back({static_cast<double>(std::max(backend.weight, 0)), static_cast<double>(backend.connections),
                       std::min(room_of(backend), backend.share_cap * arrivals)});
  auto taken = pour(vessels, arrivals);
  for (std::size_t i = 0; i < vessels.size(); ++i) vessels[i].limit = room_of(backends[i]) - taken[i];
  const auto without_caps = pour(vessels, arrivals - std::accumulate(taken.begin(), taken.end(), 0.0));
  std::ranges::transform(taken, without_caps, taken.begin(), [&](double first, double more) { return (first + more) / arrivals; });
  return taken;
}

std::size_t counted_slots(std::size_t backends, bool with_caps) {
  const auto wanted = std::bit_ceil(std::min(backends, kMaxCountedSlots) * kSlotsPerBackend);
  return std::clamp(wanted, with_caps ? kFewestWithCaps : kFewestSlots, kMaxCountedSlots);
}

Slots deal_by_share(std::span<const double> shares, std::size_t slots) {
  const auto whole = static_cast<double>(slots);
  std::vector<double> ideal;
  for (const double share : shares) ideal.push_back(share * whole);
  ideal.push_back(std::max(0.0, whole - std::accumulate(ideal.begin(), ideal.end(), 0.0)));  // nobody's
  auto dealt = interleave(rounded(ideal, slots));
  std::ranges::replace(dealt, static_cast<std::uint32_t>(shares.size()), kNoBackend);
  return dealt;
}

double slow_start_cap(double fair_share, std::chrono::milliseconds age, std::chrono::milliseconds slow_start) {
  age = std::max(age, std::chrono::milliseconds(0));
  if (age >= slow_start) return 1;
  const double done = static_cast<double>(age.count()) / static_cast<double>(slow_start.count());
  return fair_share * (0.1 + 0.9 * done);
}

}  // namespace wsl4::balance
