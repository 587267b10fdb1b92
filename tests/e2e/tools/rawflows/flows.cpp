#include "tests/e2e/tools/rawflows/flows.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace rawflows {

namespace {

constexpr std::uint32_t kClientStart = 1000, kServerStart = 500'000;  // sequence numbers
constexpr std::uint16_t kFirstClientPort = 1024;
constexpr std::uint32_t kClientPorts = 65535 - kFirstClientPort;
constexpr std::chrono::seconds kRetryAfter{1};
constexpr int kTries = 4;
constexpr std::uint64_t kAtOnce = 64;  // new ones before both ends are served

double since(Flows::Clock::time_point start) { return std::chrono::duration<double>(Flows::Clock::now() - start).count(); }

}  // namespace

std::string Report::json(std::uint64_t open, const std::vector<Backend>& backends) const {
  std::string each;
  for (const auto& [address, now, begun, ended_for_it] : backends)
    each += fmt::format(R"({}"{}": {{"open": {}, "opened": {}, "reset": {}}})", each.empty() ? "" : ", ", to_string(address), now,
                        begun, ended_for_it);
  return fmt::format(
      R"({{"asked": {}, "opened": {}, "opened_late": {}, "refused": {}, "retried": {}, "lost": {}, "reset": {}, "ended": {}, "open": {}, )"
      R"("open_at_first_refusal": {}, "open_at_first_retry": {}, "seconds": {:.3f}, "resets_took": {:.4f}, "backends": {{{}}}}})",
      asked, opened, opened_late, refused, retried, lost, reset, ended, open, open_at_first_refusal, open_at_first_retry, seconds,
      std::chrono::duration<double>(last_reset - first_reset).count(), each);
}

Flows::Flows(Wire& front, Wire& back, Tuples tuples) : front_(front), back_(back), tuples_(tuples) {}

Segment Flows::segment(std::uint32_t flow, std::uint8_t flags) const {
  const auto rest = flow / tuples_.sources;
  const auto port = tuples_.first_port + rest % tuples_.ports;
  return {tuples_.source + flow % tuples_.sources,
          tuples_.vip,
          static_cast<std::uint16_t>(kFirstClientPort + rest / tuples_.ports),
          static_cast<std::uint16_t>(port),
          flags,
          kClientStart + flow,
          0};
}

/// Of a segment that comes to a client; negative: none of ours.
std::int64_t Flows::flow_of(const Segment& segment) const {
  const std::int64_t source = std::int64_t{segment.to} - tuples_.source, port = segment.from_port - tuples_.first_port;
  if (segment.from != tuples_.vip || source < 0 || source >= tuples_.sources || port < 0 || port >= tuples_.ports) return -1;
  const auto flow = (std::int64_t{segment.to_port - kFirstClientPort} * tuples_.ports + port) * tuples_.sources + source;
  return flow < static_cast<std::int64_t>(states_.size()) ? flow : -1;
}

void Flows::begin_one() {
  const auto flow = static_cast<std::uint32_t>(states_.size());
  if (flow / tuples_.sources / tuples_.ports >= kClientPorts) throw std::runtime_error("no more client ports");
  states_.push_back(State::kWaiting);
  served_by_.push_back(0);
  ++waiting_;
  ++report_.asked;
  front_.send(segment(flow, kSynBit));
  retries_.push_back({Clock::now() + kRetryAfter, flow, 1});
}

void Flows::no_longer_open(std::uint32_t flow, State state) {
  states_[flow] = state;
  --open_;
  --backends_[served_by_[flow]].open;
}

void Flows::end_one(End how, const Backend* backend) {
  if ((backend != nullptr ? backend->open : open_) == 0) return;
  std::uint32_t flow = 0;
  const auto fits = [&] {
    return states_[flow] == State::kOpen && (backend == nullptr || &backends_[served_by_[flow]] == backend);
  };
  do { flow = static_cast<std::uint32_t>(random_() % states_.size()); } while (!fits());
  if (how == End::kBoth) how = report_.ended % 2 == 0 ? End::kFin : End::kReset;
  auto last = segment(flow, how == End::kFin ? kFinBit | kAckBit : kRstBit | kAckBit);
  last.sequence += 1;
  last.acknowledged = kServerStart + 1;
  front_.send(last);
  ++report_.ended;
  no_longer_open(flow, how == End::kFin ? State::kClosing : State::kGone);
  closing_ += how == End::kFin ? 1 : 0;
}

void Flows::on_reset(std::uint32_t flow) {
  if (waits(flow)) {
    if (report_.refused++ == 0) report_.open_at_first_refusal = static_cast<std::int64_t>(open_);
    --waiting_;
    states_[flow] = State::kGone;
  } else if (states_[flow] == State::kOpen) {
    report_.last_reset = Clock::now();
    if (report_.reset++ == 0) report_.first_reset = report_.last_reset;
    ++backends_[served_by_[flow]].reset;
    no_longer_open(flow, State::kGone);
  }
}

void Flows::on_client(const Segment& in) {
  const auto found = flow_of(in);
  if (found < 0) return;
  const auto flow = static_cast<std::uint32_t>(found);
  auto& state = states_[flow];
  auto answer = segment(flow, kAckBit);
  answer.sequence = in.acknowledged;
  answer.acknowledged = in.sequence + 1;
  if ((in.flags & kRstBit) != 0) {
    on_reset(flow);
  } else if ((in.flags & kSynBit) != 0 && waits(flow)) {
    report_.opened_late += state == State::kWaitingLonger ? 1 : 0;
    state = State::kOpen;
    --waiting_;
    ++open_;
    ++report_.opened;
    auto& backend = backends_[served_by_[flow]];
    ++backend.open;
    ++backend.opened;
    front_.send(answer);
  } else if ((in.flags & kFinBit) != 0 && state == State::kClosing) {
    state = State::kGone;
    --closing_;
    front_.send(answer);
  } else if (in.flags == kAckBit && state == State::kOpen) {  // no server sends one: what is out of order is answered (RFC 5961)
    answer.sequence = kClientStart + flow + 1;
    answer.acknowledged = kServerStart + 1;
    front_.send(answer);
  }
}

std::uint8_t Flows::backend_at(std::uint32_t address) {
  const auto found = std::ranges::find(backends_, address, &Backend::address);
  const auto place = found - backends_.begin();
  if (found == backends_.end()) backends_.push_back({address});
  return static_cast<std::uint8_t>(place);
}

void Flows::on_server(const Segment& in) {
  const bool first = (in.flags & kSynBit) != 0, last = (in.flags & kFinBit) != 0;
  if (mute_ || (in.flags & kRstBit) != 0 || (!first && !last)) return;
  const auto flow = in.sequence - kClientStart;
  if (first && flow < served_by_.size()) served_by_[flow] = backend_at(in.to);
  Segment answer{in.to,
                 in.from,
                 in.to_port,
                 in.from_port,
                 static_cast<std::uint8_t>((first ? kSynBit : kFinBit) | kAckBit),
                 first ? kServerStart : in.acknowledged,
                 in.sequence + 1};
  back_.send(answer);
}

void Flows::retry(Clock::time_point now) {
  while (!retries_.empty() && retries_.front().at <= now) {
    auto one = retries_.front();
    retries_.pop_front();
    auto& state = states_[one.flow];
    if (!waits(one.flow)) continue;
    state = State::kWaitingLonger;
    if (one.tries == kTries) {
      state = State::kGone;
      --waiting_;
      ++report_.lost;
      continue;
    }
    if (report_.retried++ == 0) report_.open_at_first_retry = static_cast<std::int64_t>(open_);
    front_.send(segment(one.flow, kSynBit));
    retries_.push_back({now + kRetryAfter, one.flow, one.tries + 1});
  }
}

void Flows::turn() {
  front_.flush();
  bool more = true;
  for (int rounds = 0; more && rounds < 16; ++rounds) {
    const auto got = back_.receive([this](const Segment& in) { on_server(in); });
    back_.flush();
    more = got + front_.receive([this](const Segment& in) { on_client(in); }) > 0;
    front_.flush();
  }
  retry(Clock::now());
  front_.flush();
  if (more) return;
  pollfd fds[] = {{front_.fd(), POLLIN, 0}, {back_.fd(), POLLIN, 0}};
  ::poll(fds, 2, 1);
}

void Flows::settle() {
  const auto start = Clock::now();
  while (waiting_ > 0 || (closing_ > 0 && since(start) < 2)) turn();
  closing_ = 0;
}

void Flows::open(std::uint64_t count, double rate, bool stop) {
  const auto start = Clock::now();
  for (std::uint64_t begun = 0; begun < count && !(stop && report_.refused > 0);) {
    const auto due = std::min(count, static_cast<std::uint64_t>(since(start) * rate));
    for (std::uint64_t now = 0; begun < due && now < kAtOnce; ++now, ++begun) begin_one();
    turn();
  }
  settle();
  report_.seconds += since(start);
}

void Flows::end(std::uint64_t count, double rate, End how) {
  const auto start = Clock::now();
  for (std::uint64_t ended = 0; ended < count;) {
    const auto due = std::min(count, static_cast<std::uint64_t>(since(start) * rate));
    for (std::uint64_t now = 0; ended < due && now < kAtOnce; ++now, ++ended) end_one(how);
    turn();
  }
  settle();
  report_.seconds += since(start);
}

void Flows::churn(double seconds, double opening, double ending, End how, bool each) {
  const auto start = Clock::now();
  const auto due = [&](double rate) { return static_cast<std::uint64_t>(since(start) * rate); };
  for (std::uint64_t begun = 0, ended = 0; since(start) < seconds;) {
    for (std::uint64_t now = 0; begun < due(opening) && now < kAtOnce; ++now, ++begun) begin_one();
    for (std::uint64_t now = 0; ended < due(ending) && now < kAtOnce; ++now, ++ended) {
      if (!each) end_one(how);
      if (each) std::ranges::for_each(backends_, [&](const Backend& backend) { end_one(how, &backend); });
    }
    turn();
  }
  settle();
  report_.seconds += since(start);
}

void Flows::wait(double seconds, std::uint64_t resets) {
  const auto start = Clock::now();
  while (since(start) < seconds && report_.reset < resets) turn();
  report_.seconds += since(start);
}

std::string Flows::take_report() {
  auto text = report_.json(open_, backends_);
  report_ = {};
  for (auto& backend : backends_) backend.opened = backend.reset = 0;
  return text;
}

}  // namespace rawflows
