#include "tests/sim/balance/policy.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace wsl4::sim {
namespace {

/// What a daemon that starts expects within its first second.
constexpr std::uint64_t kPerhapsUnderLoad = 1000;

bool may_take(const Backend& backend) {
  return backend.weight > 0 && (!backend.max_connections || backend.connections < *backend.max_connections);
}

int weight_of_all(const Backends& backends) {
  return std::accumulate(backends.begin(), backends.end(), 0, [](int sum, const Backend& backend) { return sum + backend.weight; });
}

/// Of two, by connections for their weight.
bool is_emptier(const Backend& one, const Backend& other) {
  return (one.connections + 1) * other.weight < (other.connections + 1) * one.weight;
}

}  // namespace

std::uint32_t LeastConn::pick(const Backends& backends) {
  auto best = balance::kNoBackend;
  for (std::size_t k = 1; k <= backends.size(); ++k) {
    const auto i = (last_ + k) % backends.size();
    if (!may_take(backends[i])) continue;
    if (best == balance::kNoBackend || is_emptier(backends[i], backends[best])) best = static_cast<std::uint32_t>(i);
  }
  if (best != balance::kNoBackend) last_ = best;
  return best;
}

std::uint32_t Chance::pick(const Backends& backends) {
  int sum = 0;
  for (const auto& backend : backends) sum += may_take(backend) ? backend.weight : 0;
  if (sum == 0) return balance::kNoBackend;
  auto best = balance::kNoBackend;
  for (int draw = 0; draw < draws_; ++draw) {
    auto drawn = static_cast<int>(random_() % static_cast<std::uint64_t>(sum));
    std::uint32_t i = 0;
    for (; !may_take(backends[i]) || drawn >= backends[i].weight; ++i) drawn -= may_take(backends[i]) ? backends[i].weight : 0;
    if (best == balance::kNoBackend || is_emptier(backends[i], backends[best])) best = i;
  }
  return best;
}

Dealt::Dealt(std::size_t backends, Options options)
    : options_(options), random_(static_cast<std::minstd_rand::result_type>(options.seed)), shares_(backends, 1.0) {
  restart();
}

void Dealt::restart() {
  clock_ = {};
  clock_.expect(kPerhapsUnderLoad, now());
  known_.clear();
  for (auto& news : news_) news = {std::vector<int>(shares_.size()), 0};
}

std::uint32_t Dealt::pick(const Backends& /*backends*/) { return slots_[counter_++ % slots_.size()]; }

void Dealt::tell(std::uint32_t backend, int change) {
  const auto late = 1 + static_cast<int>(random_()) % std::max(1, options_.latest_ms);
  auto& news = news_[static_cast<std::size_t>(ms_ + late) % news_.size()];
  news.changes[backend] += change;
  if (change > 0) ++news.arrivals;
}

void Dealt::tick(int ms, const Backends& backends, bool changed) {
  ms_ = ms;
  if (known_.empty())
    for (const auto& backend : backends) known_.push_back(backend.connections);
  if (changed) clock_.changed();
  hear();
  if (!clock_.due(std::nullopt)) return;  // nothing changed
  look(backends);
  if (const auto due = clock_.due(free_in_the_fullest()); due && *due <= now()) deal();
}

void Dealt::hear() {
  auto& news = news_[static_cast<std::size_t>(ms_) % news_.size()];
  for (std::size_t i = 0; i < known_.size(); ++i) {
    if (news.changes[i] != 0) clock_.changed();
    known_[i] += std::exchange(news.changes[i], 0);
  }
  clock_.arrived(std::exchange(news.arrivals, 0), now());
}

void Dealt::look(const Backends& backends) {
  const auto sum = weight_of_all(backends);
  loads_.resize(backends.size());
  for (std::size_t i = 0; i < backends.size(); ++i) {
    const auto& backend = backends[i];
    auto& load = loads_[i];
    load = {static_cast<std::uint64_t>(std::max<std::int64_t>(known_[i], 0)), backend.weight, std::nullopt, 1.0};
    if (backend.max_connections)
      load.room = static_cast<std::uint64_t>(std::max<std::int64_t>(*backend.max_connections - known_[i], 0));
    if (backend.joined_ms && backend.weight > 0)
      load.share_cap =
          balance::slow_start_cap(static_cast<double>(backend.weight) / sum, std::chrono::milliseconds(ms_ - *backend.joined_ms),
                                  std::chrono::milliseconds(options_.slow_start_ms));
    if (shares_[i] > 0 && (load.weight == 0 || load.room == 0U)) clock_.urgent();
  }
}

std::optional<std::uint64_t> Dealt::free_in_the_fullest() const {
  std::optional<std::uint64_t> free;
  for (std::size_t i = 0; i < loads_.size(); ++i)
    if (shares_[i] > 0 && loads_[i].room.value_or(0) > 0) free = std::min(free.value_or(*loads_[i].room), *loads_[i].room);
  return free;
}

void Dealt::deal() {
  arrivals_ = clock_.deal(now(), free_in_the_fullest());
  shares_ = balance::shares(loads_, arrivals_);
  slots_ = balance::deal_by_share(shares_, balance::counted_slots(loads_.size(), options_.slow_start_ms > 0));
  ++deals_;
  if (std::ranges::any_of(loads_, [](const auto& load) { return load.share_cap < 1; })) clock_.changed();
}

}  // namespace wsl4::sim
