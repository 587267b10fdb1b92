#include "daemon/flows/collector.h"

#include <boost/asio/post.hpp>

#include "daemon/util/log.h"

namespace wsl4::flows {

namespace {

using std::chrono::steady_clock;

/// Events handled per wake-up: about 2 ms of work, so that commits and requests have their turn.
constexpr std::size_t kEventBudget = 2048;
constexpr std::size_t kRateSamples = 11;  // 10 s between the first and the last
constexpr std::chrono::seconds kRateInterval{1};
constexpr std::chrono::milliseconds kRetryDelay{1000};

}  // namespace

Collector::Collector(boost::asio::io_context& io, service::MarkLayout mark, Dependencies dependencies)
    : io_(io),
      dependencies_(std::move(dependencies)),
      counter_(mark),
      mark_(mark),
      event_fd_(io),
      resync_timer_(io),
      rate_timer_(io) {}

void Collector::look_at_timeout() { timeouts_.seen(dependencies_.established_timeout(), steady_clock::now()); }

netlink::Result<void> Collector::start() {
  // The event source keeps the descriptor; asio gets a duplicate to close.
  boost::system::error_code failed;
  event_fd_.assign(::dup(dependencies_.events->fd()), failed);
  if (failed) return netlink::failure(failed.value(), "watch conntrack events");

  begin_resync();
  if (!dump_) return netlink::failure(0, "dump the conntrack table");
  for (;;) {
    const auto more = step();
    if (!more) return tl::make_unexpected(more.error());
    if (!*more) break;
  }
  finish_resync();
  sample_rates();
  wait_for_events();
  return {};
}

void Collector::set_idle_timeout(service::BackendId backend, std::chrono::milliseconds timeout) {
  if (timeout.count() == 0) {
    idle_timeouts_.erase(backend);
  } else {
    idle_timeouts_.insert_or_assign(backend, timeout);
  }
}

void Collector::wait_for_events() {
  event_fd_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& failed) {
    if (!failed) on_events();
  });
}

void Collector::on_events() {
  const auto drained = dependencies_.events->drain(kEventBudget, [this](const netlink::conntrack::Event& event) {
    if (event.kind == netlink::conntrack::EventKind::kDestroy) {
      counter_.forget(event.flow);
    } else {
      counter_.see(event.flow);
    }
  });
  if (!drained) {
    ++stats_.errors;
    log::warning("conntrack-events-failed", "error=\"{}\"", drained.error().message());
    schedule_resync(kRetryDelay);
  } else if (drained->overrun) {
    ++stats_.overruns;
    dependencies_.on_overrun();
    // What was lost while a dump runs may concern entries that it has passed already.
    if (dump_) {
      resync_again_ = true;
    } else {
      schedule_resync(std::chrono::milliseconds(0));
    }
  }
  tell_counts();
  wait_for_events();
}

void Collector::tell_counts() {
  const auto changed = counter_.take_changed();
  if (!changed.empty()) dependencies_.on_counts(changed);
}

void Collector::schedule_resync(std::chrono::milliseconds delay) {
  if (dump_) return;
  resync_timer_.expires_after(delay);
  resync_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    begin_resync();
    if (dump_) continue_resync();
  });
}

void Collector::begin_resync() {
  auto dump = dependencies_.conntrack.dump({});
  if (!dump) {
    ++stats_.errors;
    log::warning("conntrack-dump-failed", "error=\"{}\"", dump.error().message());
    schedule_resync(kRetryDelay);
    return;
  }
  dump_ = std::move(*dump);
  dump_started_ = steady_clock::now();
  look_at_timeout();
  counter_.begin_resync();
}

netlink::Result<bool> Collector::step() {
  idle_.clear();
  auto more = dump_->step([this](const netlink::conntrack::Flow& flow) {
    counter_.see(flow);
    const auto timeout = idle_timeouts_.find(mark_.to_id(flow.mark));
    if (timeout != idle_timeouts_.end() && is_idle(flow, timeouts_, timeout->second, dump_started_)) idle_.push_back(flow);
  });
  end_idle();
  return more;
}

void Collector::continue_resync() {
  const auto more = step();
  if (!more) {
    ++stats_.errors;
    log::warning("conntrack-dump-failed", "error=\"{}\"", more.error().message());
    dump_.reset();
    schedule_resync(kRetryDelay);
    return;
  }
  if (!*more) {
    finish_resync();
    return;
  }
  boost::asio::post(io_, [this] { continue_resync(); });
}

void Collector::finish_resync() {
  dump_.reset();
  ++stats_.resyncs;
  last_dump_ = std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - dump_started_);
  const auto forgotten = counter_.end_resync();
  tell_counts();
  log::debug("flows-counted", "flows={} forgotten={} ms={}", counter_.size(), forgotten, last_dump_.count());
  std::chrono::milliseconds shortest{0};
  for (const auto& [id, timeout] : idle_timeouts_) {
    if (shortest.count() == 0 || timeout < shortest) shortest = timeout;
  }
  schedule_resync(std::exchange(resync_again_, false) ? std::chrono::milliseconds(0) : look_interval(shortest, last_dump_));
}

void Collector::end_idle() {
  const auto ended = dependencies_.ender.end(idle_, FlowEnder::Tell::kBothEnds);
  if (!ended) {
    ++stats_.errors;
    log::warning("idle-flows-not-ended", "error=\"{}\"", ended.error().message());
    return;
  }
  stats_.idle_ended += *ended;
  for (const auto& flow : idle_) counter_.forget(flow);
}

void Collector::sample_rates() {
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
