#include "daemon/flows/collector.h"

#include <fcntl.h>

#include <algorithm>
#include <cassert>
#include <ctime>
#include <utility>

#include <boost/asio/post.hpp>

#include "daemon/util/log.h"

namespace wsl4::flows {

namespace {

using std::chrono::steady_clock;

/// Events handled per wake-up: about 2 ms of work, so that commits and requests have their turn.
constexpr std::size_t kEventBudget = 2048;
constexpr std::size_t kRateSamples = 11;  // 10 s between the first and the last
constexpr std::chrono::seconds kRateInterval{1};
/// Between two wake-ups: to wake up for each event alone costs more than the events do, here and on the way to the other node.
constexpr std::chrono::milliseconds kEventPause{5};
constexpr std::chrono::milliseconds kRetryDelay{1000};
/// So much of the time dumps may take when they are asked for, and the least time between two.
constexpr int kDumpPart = 20;
constexpr std::chrono::milliseconds kShortestLook{1000};
constexpr std::chrono::milliseconds kReapInterval{10};
/// Overruns within it are told once.
constexpr std::chrono::seconds kTellInterval{10};

/// Of this thread.
std::chrono::nanoseconds processor_time() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace

Collector::Collector(boost::asio::io_context& io, service::MarkLayout mark, Dependencies dependencies)
    : io_(io),
      dependencies_(std::move(dependencies)),
      counter_(mark),
      mark_(mark),
      event_fd_(io),
      resync_timer_(io),
      event_timer_(io),
      rate_timer_(io),
      reap_timer_(io),
      reaper_(dependencies_.conntrack, mark) {}

netlink::Result<void> Collector::start() {
  if (auto read = read_all(); !read) return read;
  sample_rates();
  wait_for_events();
  return {};
}

netlink::Result<void> Collector::read_all() {
  begin_resync();
  if (!dump_) return netlink::failure(0, "dump the conntrack table");
  for (;;) {
    const auto more = step();
    if (!more) return tl::make_unexpected(more.error());
    if (!*more) break;
  }
  finish_resync();
  return {};
}

void Collector::rebook(std::uint32_t former) {
  rebook_ = true;
  former_mask_ |= former;
}

netlink::Result<void> Collector::rebook_now(std::uint32_t former) {
  rebook(former);
  return read_all();
}

void Collector::set_idle_timeout(service::BackendId backend, std::chrono::milliseconds timeout) {
  if (timeout.count() == 0) {
    idle_timeouts_.erase(backend);
  } else {
    idle_timeouts_.insert_or_assign(backend, timeout);
    look_by(dump_ended_ + look_interval(timeout, last_dump_));
  }
}

/// asio hears of every event of a descriptor that it has, also while nobody waits; so it has one only while this waits, a
/// duplicate, since it closes it.
void Collector::wait_for_events() {
  boost::system::error_code failed;
  event_fd_.assign(::fcntl(dependencies_.events->fd(), F_DUPFD_CLOEXEC, 0), failed);
  if (failed) {
    ++stats_.errors;
    log::warning("conntrack-events-failed", "error=\"{}\"", failed.message());
    return read_later(kRetryDelay);
  }
  event_fd_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    boost::system::error_code ignored;
    event_fd_.close(ignored);
    on_events();
  });
}

void Collector::read_later(std::chrono::milliseconds delay) {
  event_timer_.expires_after(delay);
  event_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) on_events();
  });
}

netlink::Result<netlink::conntrack::Drained> Collector::drain(std::size_t budget) {
  const auto now = steady_clock::now();
  auto* const observer = dependencies_.observer;
  auto drained = dependencies_.events->drain(budget, [this, now, observer](const netlink::conntrack::Event& event) {
    if (event.kind == netlink::conntrack::EventKind::kDestroy) {
      forget(event.flow);
    } else {
      const bool ours = counter_.see(event.flow);
      reaper_.offer(event.flow, now);
      if (ours && observer != nullptr) observer->seen(event.flow);
    }
  });
  if (observer != nullptr) observer->flush();
  return drained;
}

void Collector::forget(const netlink::conntrack::Flow& flow) {
  if (counter_.forget(flow) && dependencies_.observer != nullptr) dependencies_.observer->ended(flow);
}

netlink::Result<void> Collector::catch_up() {
  for (;;) {
    const auto drained = drain(kEventBudget);
    if (!drained) return tl::make_unexpected(drained.error());
    if (drained->overrun) on_overrun();
    if (!drained->more) break;
  }
  tell_counts();
  return {};
}

void Collector::on_events() {
  const auto drained = drain(kEventBudget);
  if (!drained) {
    ++stats_.errors;
    log::warning("conntrack-events-failed", "error=\"{}\"", drained.error().message());
    schedule_resync(kRetryDelay);
    return read_later(kRetryDelay);  // a broken socket stays readable
  }
  if (drained->overrun) on_overrun();
  tell_counts();
  wait_to_reap();
  if (drained->events == 0 && !drained->overrun) return wait_for_events();
  told_ = true;
  if (!drained->more && std::exchange(look_for_unseen_, false)) look_for_unseen();
  read_later(drained->more ? std::chrono::milliseconds(0) : kEventPause);
}

void Collector::on_overrun() {
  ++stats_.overruns;
  const auto now = steady_clock::now();
  if (now >= overrun_told_ + kTellInterval) {
    overrun_told_ = now;
    dependencies_.on_overrun();
  }
  // What was lost while a dump runs may concern entries that it has passed already.
  if (dump_) {
    resync_again_ = true;
  } else {
    schedule_resync(until_next_dump());
  }
}

void Collector::listen(bool on) {
  if (on == listening_) return;
  if (const auto set = dependencies_.events->listen(on); !set) {
    ++stats_.errors;
    log::warning("conntrack-events-failed", "error=\"{}\"", set.error().message());
    return;
  }
  listening_ = on;
  if (on) look_soon();
}

/// Before its event, where that is heard: the event of a flow that is known does not make it begin.
void Collector::put(const netlink::conntrack::Flow& flow) { counter_.see_copy(flow); }

void Collector::erased(const netlink::conntrack::Flow& flow) {
  if (!listening_) counter_.forget(flow);
}

/// Where events are lost all the time, dumps take no more than half of it.
std::chrono::milliseconds Collector::until_next_dump() const {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(dump_ended_ + last_dump_.processor - steady_clock::now());
  return std::max(left, std::chrono::milliseconds(0));
}

void Collector::tell_counts() {
  const auto changed = counter_.take_changed();
  if (!changed.empty()) dependencies_.on_counts(changed);
}

void Collector::schedule_resync(std::chrono::milliseconds delay) {
  if (dump_) return;
  const auto now = steady_clock::now();
  if (resync_at_ > now && resync_at_ <= now + delay) return;
  resync_at_ = now + delay;
  resync_timer_.expires_at(resync_at_);
  resync_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    // A wait that has ended is not cancelled by the next one, which may have come before this had its turn. A dump that runs has
    // begun after both: nothing is waited for meanwhile.
    if (cancelled || dump_ || steady_clock::now() < resync_at_) return;
    begin_resync();
    if (dump_) continue_resync();
  });
}

void Collector::begin_resync() {
  assert(!dump_);
  auto dump = dependencies_.conntrack.dump({});
  if (!dump) {
    ++stats_.errors;
    log::warning("conntrack-dump-failed", "error=\"{}\"", dump.error().message());
    schedule_resync(kRetryDelay);
    return;
  }
  dump_ = std::move(*dump);
  dump_began_ = steady_clock::now();
  dump_cost_ = {};
  foreign_ = 0;
  dump_failed_ = false;
  rebooking_ = std::exchange(rebook_, false);
  counter_.begin_resync();
  if (dependencies_.observer != nullptr) dependencies_.observer->dump_began();
}

netlink::Result<bool> Collector::step() {
  idle_.clear();
  due_.clear();
  const auto now = steady_clock::now();  // under load a dump takes seconds
  timeouts_.seen(dependencies_.established_timeout(), now);
  const auto begun = processor_time();
  auto more = dump_->step([this, now](const netlink::conntrack::Flow& flow) {
    const auto mark = rebooking_ ? right_mark(flow) : flow.mark;
    if (mark == flow.mark) return look_at(flow, now);
    misbooked_.push_back(flow);
    misbooked_.back().mark = mark;
    look_at(misbooked_.back(), now);
  });
  set_right_marks();
  dump_cost_ += processor_time() - begun;
  set_due_timers();
  end_idle();
  if (dependencies_.observer != nullptr) dependencies_.observer->flush();
  wait_to_reap();
  return more;
}

void Collector::look_at(const netlink::conntrack::Flow& flow, steady_clock::time_point now) {
  const auto id = mark_.to_id(flow.mark);
  if (id == 0) ++foreign_;
  if (!counter_.see_in_dump(flow)) return;
  if (dependencies_.observer != nullptr) dependencies_.observer->dumped(flow);
  reaper_.offer(flow, now);
  judge_timer(flow, id, now);
}

/// Marks of a former layout tell nothing, and where nobody is known at its place a flow is nobody's.
std::uint32_t Collector::right_mark(const netlink::conntrack::Flow& flow) const {
  const auto id = mark_.to_id(flow.mark);
  if (id == 0 && (flow.mark & former_mask_) == 0) return flow.mark;
  const auto number = dependencies_.numbers->find(place_of(flow));
  if (!number && former_mask_ == 0) return flow.mark;
  const auto others = flow.mark & ~(mark_.backend_mask() | former_mask_);
  return others | (number ? mark_.to_mark(*number) : 0);
}

void Collector::set_right_marks() {
  if (misbooked_.empty()) return;
  const auto set = dependencies_.conntrack.set_marks(misbooked_, mark_.backend_mask() | former_mask_);
  if (!set) {
    failed("marks-not-set", set.error());
    rebook_ = true;
  }
  misbooked_.clear();
}

void Collector::judge_timer(const netlink::conntrack::Flow& flow, service::BackendId id, steady_clock::time_point now) {
  if (timers_ == Timers::kLeave || phase_of(flow, mark_) != FlowPhase::kEstablished) return;
  const bool held = is_untouched_copy(flow);
  if (timers_ == Timers::kHold ? !held : held || is_unexplained(flow, timeouts_, now)) return due_.push_back(flow);
  if (timers_ == Timers::kHold) return;
  const auto timeout = idle_timeouts_.find(id);
  if (timeout != idle_timeouts_.end() && is_idle(flow, timeouts_, timeout->second, now)) idle_.push_back(flow);
}

void Collector::continue_resync() {
  const auto more = step();
  if (!more) {
    ++stats_.errors;
    log::warning("conntrack-dump-failed", "error=\"{}\"", more.error().message());
    dump_.reset();
    rebook_ = rebook_ || rebooking_;
    tell_end(false);
    schedule_resync(kRetryDelay);
    return;
  }
  if (!*more) {
    finish_resync();
    return;
  }
  boost::asio::post(io_, [this] { continue_resync(); });
}

/// At once: where nothing is heard no event flushes it, and with the next dump it comes too late.
void Collector::tell_end(bool whole) const {
  if (dependencies_.observer == nullptr) return;
  dependencies_.observer->dump_ended(whole);
  dependencies_.observer->flush();
}

void Collector::finish_resync() {
  dump_.reset();
  ++stats_.resyncs;
  dump_ended_ = steady_clock::now();
  last_dump_ = {std::chrono::ceil<std::chrono::milliseconds>(dump_cost_),
                std::chrono::ceil<std::chrono::milliseconds>(dump_ended_ - dump_began_)};
  if (std::exchange(rebooking_, false) && !rebook_) former_mask_ = 0;
  tell_end(true);
  const auto forgotten = counter_.end_resync();
  tell_counts();
  log::debug("flows-counted", "flows={} forgotten={} ms={}", counter_.size(), forgotten, last_dump_.processor.count());
  std::chrono::milliseconds shortest{0};
  for (const auto& [id, timeout] : idle_timeouts_) {
    if (shortest.count() == 0 || timeout < shortest) shortest = timeout;
  }
  schedule_resync(std::exchange(resync_again_, false) ? until_next_dump() : look_interval(shortest, last_dump_));
  if (std::exchange(look_again_, false)) look_soon();
}

/// Where a timer is started, its service's idle policy begins now. Where one had to be held, the network may bring more
/// packets for a moment: another look follows.
void Collector::set_due_timers() {
  if (due_.empty()) return;
  const bool holds = timers_ == Timers::kHold;
  const auto established = holds ? kCopyTimeout : dependencies_.established_timeout();
  const auto of_udp = holds ? kCopyTimeout : kUdpStreamTimeout;
  for (auto& flow : due_) flow.timeout = flow.original.protocol == netlink::Protocol::kTcp ? established : of_udp;
  if (const auto set = dependencies_.conntrack.set_timeouts(due_); !set) {
    failed("timers-not-set", set.error());
  } else if (holds) {
    look_again_ = look_again_ || std::ranges::count(*set, 0) != 0;
  }
}

/// A step of a dump's thousands: one of them is logged.
void Collector::failed(const char* what, const netlink::Error& error) {
  ++stats_.errors;
  if (!std::exchange(dump_failed_, true)) log::warning(what, "error=\"{}\"", error.message());
}

void Collector::end_idle() {
  const auto ended = dependencies_.ender.end(idle_, FlowEnder::Tell::kBothEnds);
  if (!ended) return failed("idle-flows-not-ended", ended.error());
  stats_.idle_ended += *ended;
  for (const auto& flow : idle_) forget(flow);
}

void Collector::look_soon() {
  if (dump_) {  // it has passed what may be meant
    look_again_ = true;
    return;
  }
  look_by(dump_ended_ + std::max(kShortestLook, kDumpPart * last_dump_.processor));
}

/// Where a look was to come later.
void Collector::look_by(steady_clock::time_point at) {
  const auto now = steady_clock::now();
  at = std::max(at, now);
  if (at < resync_at_) schedule_resync(std::chrono::duration_cast<std::chrono::milliseconds>(at - now));
}

/// An error counts for no entries.
void Collector::look_for_unseen() {
  const auto entries = dependencies_.conntrack.count().value_or(0), known = counter_.size() + foreign_;
  if (entries > known && entries - known >= unseen_limit_) look_soon();
}

void Collector::set_tight(Reaper::Backends backends) {
  const bool more = std::ranges::any_of(backends, [this](auto backend) { return !reaper_.backends().contains(backend); });
  reaper_.set_backends(std::move(backends));
  if (more) look_soon();  // those that close already
}

void Collector::wait_to_reap() {
  const auto due = reaper_.due();
  if (!due || std::exchange(reaping_, true)) return;
  reap_timer_.expires_at(std::max(*due, steady_clock::now() + kReapInterval));
  reap_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) reap();
  });
}

void Collector::reap() {
  reaping_ = false;
  const auto gone = reaper_.step(steady_clock::now());
  if (!gone) {
    ++stats_.errors;
    log::warning("closed-flows-not-removed", "error=\"{}\"", gone.error().message());
  } else {
    stats_.reaped += gone->size();
    for (const auto& flow : *gone) forget(flow);
    if (dependencies_.observer != nullptr) dependencies_.observer->flush();
  }
  tell_counts();
  wait_to_reap();
}

/// What is counted lags behind the kernel until all events have been read; so best then.
void Collector::sample_rates() {
  if (std::exchange(told_, false)) {
    look_for_unseen_ = true;
  } else {
    look_for_unseen();
  }
  auto& sample = started_samples_.emplace_back();
  for (const auto id : counter_.seen_backends()) sample[id] = counter_.backend(id).started;
  if (started_samples_.size() > kRateSamples) started_samples_.pop_front();
  rate_timer_.expires_after(kRateInterval);
  rate_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) sample_rates();
  });
}

double Collector::rate(service::BackendId id) const {
  if (started_samples_.size() < 2) return 0;
  const auto at = [id](const auto& sample) {
    const auto place = sample.find(id);
    return place == sample.end() ? std::uint64_t{0} : place->second;
  };
  const auto newest = at(started_samples_.back());
  const auto oldest = at(started_samples_.front());
  if (newest <= oldest) return 0;
  return static_cast<double>(newest - oldest) / static_cast<double>(started_samples_.size() - 1);
}

}  // namespace wsl4::flows
