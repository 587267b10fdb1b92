#include "daemon/health/scheduler.h"

#include <chrono>
#include <deque>
#include <exception>
#include <map>
#include <random>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/health/check.h"
#include "daemon/health/pace.h"
#include "daemon/health/tls.h"

namespace wsl4::health {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using Key = std::pair<std::string, netlink::Endpoint>;

/// What is kept of a target. Handlers that come late find it `gone` and then touch nothing else.
struct Entry {
  enum class Phase : std::uint8_t { kIdle, kInLine, kRunning };

  Entry(asio::io_context& io, Target wanted)
      : target(std::move(wanted)), health({target.health.rise, target.health.fall}), timer(io) {
    health.set_sources(target.sources);
  }

  Target target;
  BackendHealth health;
  asio::steady_timer timer;
  Phase phase = Phase::kIdle;
  bool gone = false;
  TimePoint started;             // of the last check
  IpAddress source;              // of the running check
  std::shared_ptr<Check> check;  // while it runs
};
using EntryPtr = std::shared_ptr<Entry>;

Status status_of(const Entry& entry) {
  return {entry.target.service, entry.target.backend, entry.health.standing(), entry.health.excluded(), std::nullopt};
}

asio::awaitable<CheckResult> run(std::shared_ptr<Check> check) {
  auto running = check->run();
  co_return co_await std::move(running);
}

bool needs_tls(const config::Health& health) {
  return health.type == config::HealthType::kHttps || health.type == config::HealthType::kWebSockets;
}

}  // namespace

class Scheduler::Loop {
 public:
  Loop(asio::io_context& io, Hooks hooks) : io_(io), hooks_(std::move(hooks)), random_(std::random_device()()) {}
  ~Loop() {
    for (auto& [key, entry] : entries_) retire(*entry);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void set_targets(const std::string& service, std::vector<Target> targets);
  void check_now(const Key& key);

  [[nodiscard]] const std::map<Key, EntryPtr>& entries() const { return entries_; }

 private:
  /// Out of `entries_`: all of the service.
  std::map<Key, EntryPtr> take(const std::string& service);
  void add(Key key, Target target);
  /// Returns whether what is excluded changed.
  bool change(const EntryPtr& entry, Target target);
  void retire(Entry& entry);
  void arm(const EntryPtr& entry, TimePoint when);
  void arm_next(const EntryPtr& entry);
  void start_waiting();
  void start(const EntryPtr& entry);
  void run_check(const EntryPtr& entry);
  void finish(const EntryPtr& entry, const CheckResult& result);
  [[nodiscard]] Usable usable_for(const Entry& entry) const;
  double chance() { return std::uniform_real_distribution<>(0, 1)(random_); }

  asio::io_context& io_;
  Hooks hooks_;
  std::minstd_rand random_;
  std::shared_ptr<asio::ssl::context> tls_;  // made when it is needed first
  std::map<Key, EntryPtr> entries_;
  std::deque<EntryPtr> in_line_;  // each target at most once
  std::size_t running_ = 0;
};

void Scheduler::Loop::set_targets(const std::string& service, std::vector<Target> targets) {
  auto before = take(service);
  std::vector<EntryPtr> changed;
  for (auto& target : targets) {
    Key key(target.service, target.backend);
    auto known = before.extract(key);
    if (known.empty()) {
      add(std::move(key), std::move(target));
      continue;
    }
    const auto entry = entries_.insert(std::move(known)).position->second;
    if (change(entry, std::move(target))) changed.push_back(entry);
  }
  for (const auto& [key, entry] : before) retire(*entry);
  start_waiting();
  for (const auto& entry : changed) hooks_.on_change(status_of(*entry));
}

std::map<Key, EntryPtr> Scheduler::Loop::take(const std::string& service) {
  std::map<Key, EntryPtr> taken;
  for (auto place = entries_.lower_bound({service, {}}); place != entries_.end() && place->first.first == service;)
    taken.insert(taken.end(), entries_.extract(place++));
  return taken;
}

void Scheduler::Loop::add(Key key, Target target) {
  const auto [place, is_new] = entries_.try_emplace(std::move(key));
  if (!is_new) return;
  const auto entry = place->second = std::make_shared<Entry>(io_, std::move(target));
  arm(entry, Clock::now() + first_pause(entry->target.health.interval, chance()));
}

bool Scheduler::Loop::change(const EntryPtr& entry, Target target) {
  const bool other_interval = target.health.interval != entry->target.health.interval;
  entry->target = std::move(target);
  entry->health.set_limits({entry->target.health.rise, entry->target.health.fall});
  if (other_interval && entry->phase == Entry::Phase::kIdle)
    arm(entry, Clock::now() + first_pause(entry->target.health.interval, chance()));
  return entry->health.set_sources(entry->target.sources);
}

void Scheduler::Loop::retire(Entry& entry) {
  entry.gone = true;
  entry.timer.cancel();
  if (entry.phase != Entry::Phase::kRunning) return;
  entry.check->cancel();
  --running_;
}

void Scheduler::Loop::check_now(const Key& key) {
  const auto place = entries_.find(key);
  if (place == entries_.end() || place->second->phase != Entry::Phase::kIdle) return;
  auto& entry = *place->second;
  const auto soon = std::max(Clock::now(), entry.started + short_pause(entry.target.health.interval, chance()));
  if (soon < entry.timer.expiry()) arm(place->second, soon);
}

void Scheduler::Loop::arm(const EntryPtr& entry, TimePoint when) {
  entry->timer.expires_at(when);
  entry->timer.async_wait([this, entry](const boost::system::error_code& cancelled) {
    // A timer that was set anew may have fired before: then the phase tells.
    if (cancelled || entry->gone || entry->phase != Entry::Phase::kIdle) return;
    entry->phase = Entry::Phase::kInLine;
    in_line_.push_back(entry);
    start_waiting();
  });
}

void Scheduler::Loop::arm_next(const EntryPtr& entry) {
  const auto interval = entry->target.health.interval;
  const bool hurries = entry->health.hurries(usable_for(*entry));
  arm(entry, entry->started + (hurries ? short_pause(interval, chance()) : pause(interval, chance())));
}

void Scheduler::Loop::start_waiting() {
  while (running_ < kMaxChecks && !in_line_.empty()) {
    const auto entry = std::move(in_line_.front());
    in_line_.pop_front();
    if (!entry->gone) start(entry);
  }
}

void Scheduler::Loop::start(const EntryPtr& entry) {
  entry->started = Clock::now();
  const auto source = entry->health.next_source(usable_for(*entry));
  if (source) {
    entry->source = *source;
    run_check(entry);
  } else {
    entry->phase = Entry::Phase::kIdle;
    entry->health.record_no_source(entry->started);
    arm_next(entry);
  }
}

void Scheduler::Loop::run_check(const EntryPtr& entry) {
  const auto& target = entry->target;
  if (!tls_ && needs_tls(target.health)) tls_ = std::make_shared<asio::ssl::context>(make_tls_context());
  entry->check = std::make_shared<Check>(io_, CheckSpec{target.backend, entry->source, target.health},
                                         needs_tls(target.health) ? tls_ : nullptr);
  entry->phase = Entry::Phase::kRunning;
  ++running_;
  auto coroutine = run(entry->check);
  asio::co_spawn(io_, std::move(coroutine), [this, entry](const std::exception_ptr& failure, const CheckResult& result) {
    if (entry->gone) return;
    finish(entry, failure ? CheckResult{Outcome::kNoVerdict, "out of memory"} : result);
  });
}

void Scheduler::Loop::finish(const EntryPtr& entry, const CheckResult& result) {
  --running_;
  entry->check.reset();
  entry->phase = Entry::Phase::kIdle;
  const bool changed = entry->health.record(entry->source, result, Clock::now());
  arm_next(entry);
  start_waiting();
  if (changed) hooks_.on_change(status_of(*entry));
}

Usable Scheduler::Loop::usable_for(const Entry& entry) const {
  return [this, &entry](const IpAddress& source) { return hooks_.usable(source, entry.target.backend); };
}

Scheduler::Scheduler(boost::asio::io_context& io, Hooks hooks) : loop_(std::make_unique<Loop>(io, std::move(hooks))) {}

Scheduler::~Scheduler() = default;

void Scheduler::set_targets(std::string_view service, std::vector<Target> targets) {
  loop_->set_targets(std::string(service), std::move(targets));
}

void Scheduler::check_now(std::string_view service, const netlink::Endpoint& backend) {
  loop_->check_now({std::string(service), backend});
}

void Scheduler::take_over(const std::vector<Status>& statuses) {
  const auto& entries = loop_->entries();
  const auto now = Clock::now();
  for (const auto& status : statuses) {
    const auto place = entries.find({status.service, status.backend});
    if (place != entries.end()) place->second->health.take_over(status.peers, now);
  }
}

std::vector<Status> Scheduler::snapshot() const {
  std::vector<Status> result;
  result.reserve(loop_->entries().size());
  for (const auto& [key, entry] : loop_->entries()) result.push_back(status_of(*entry));
  return result;
}

std::vector<Status> Scheduler::snapshot(std::string_view service) const {
  std::vector<Status> result;
  const auto& entries = loop_->entries();
  for (auto place = entries.lower_bound({std::string(service), {}}); place != entries.end() && place->first.first == service;
       ++place)
    result.push_back(status_of(*place->second));
  return result;
}

}  // namespace wsl4::health
