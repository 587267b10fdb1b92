#include "tests/support/fake_conntrack.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>

namespace wsl4::test {

using namespace netlink;
using namespace netlink::conntrack;

namespace {

bool matches(const Flow& flow, MarkFilter filter) { return (flow.mark & filter.mask) == filter.value || filter.mask == 0; }

/// What the kernel makes of an inserted flow: the NAT bits follow from the tuples, both NAT decisions count as done.
Flow as_kernel_keeps(Flow flow) {
  constexpr std::uint32_t kSourceNatDone = 1U << 7, kDestinationNatDone = 1U << 8;  // enum ip_conntrack_status
  constexpr std::uint8_t kBeLiberal = 0x08, kLocalKnowledge = 0x30;                 // linux/netfilter/nf_conntrack_tcp.h
  flow.status = status::kSeenReply | status::kAssured | status::kConfirmed | kSourceNatDone | kDestinationNatDone;
  if (flow.reply.source != flow.original.destination) flow.status |= status::kDestinationNat;
  if (flow.reply.destination != flow.original.source) flow.status |= status::kSourceNat;
  const bool tcp = flow.original.protocol == Protocol::kTcp;
  if (tcp && flow.tcp_state == TcpState::kNone) flow.tcp_state = TcpState::kEstablished;
  for (std::uint8_t* flags : {&flow.tcp_flags_original, &flow.tcp_flags_reply}) {
    *flags = tcp ? static_cast<std::uint8_t>((*flags & ~kLocalKnowledge) | kBeLiberal) : std::uint8_t{0};
  }
  return flow;
}

class FakeDump final : public Dump {
 public:
  FakeDump(std::vector<Flow> flows, std::size_t at_once) : flows_(std::move(flows)), at_once_(at_once) {}

  Result<bool> step(const FlowSink& sink) override {
    const std::size_t end = std::min(flows_.size(), next_ + at_once_);
    for (; next_ < end; ++next_) sink(flows_[next_]);
    return next_ < flows_.size();
  }

 private:
  std::vector<Flow> flows_;
  std::size_t at_once_, next_ = 0;
};

}  // namespace

FakeConntrack::Key FakeConntrack::key_of(const Tuple& tuple) { return {tuple.protocol, tuple.source, tuple.destination}; }

bool FakeConntrack::is_taken(const Tuple& tuple) const {
  return entries_.contains(key_of(tuple)) || originals_.contains(key_of(tuple));
}

void FakeConntrack::add(Flow flow) {
  if (is_taken(flow.original) || is_taken(flow.reply)) throw std::logic_error("FakeConntrack: the tuple is taken");
  if (flow.id == 0) flow.id = next_id_++;
  originals_.emplace(key_of(flow.reply), key_of(flow.original));
  entries_.emplace(key_of(flow.original), flow);
}

std::optional<Flow> FakeConntrack::find(const Tuple& original) const {
  const auto place = entries_.find(key_of(original));
  return place == entries_.end() ? std::nullopt : std::optional(place->second);
}

void FakeConntrack::remove(std::map<Key, Flow>::iterator place) {
  originals_.erase(key_of(place->second.reply));
  entries_.erase(place);
}

Result<std::unique_ptr<Dump>> FakeConntrack::dump(MarkFilter filter) {
  if (auto error = take_error()) return tl::make_unexpected(*std::move(error));
  std::vector<Flow> flows;
  for (const auto& [key, flow] : entries_) {
    if (matches(flow, filter)) flows.push_back(flow);
  }
  return std::make_unique<FakeDump>(std::move(flows), dump_step_);
}

Result<std::uint64_t> FakeConntrack::count() {
  if (auto error = take_error()) return tl::make_unexpected(*std::move(error));
  return entries_.size();
}

Result<std::vector<std::optional<Flow>>> FakeConntrack::find(std::span<const Flow> flows) {
  if (auto error = take_error()) return tl::make_unexpected(*std::move(error));
  std::vector<std::optional<Flow>> found;
  for (const Flow& flow : flows) {
    auto& entry = found.emplace_back(find(flow.original));
    if (entry && flow.id != 0 && flow.id != entry->id) entry.reset();
  }
  return found;
}

Result<std::size_t> FakeConntrack::erase(std::span<const Flow> flows) {
  if (auto error = take_error()) return tl::make_unexpected(*std::move(error));
  std::size_t erased = 0;
  for (const Flow& flow : flows) {
    const auto place = entries_.find(key_of(flow.original));
    if (place == entries_.end() || (flow.id != 0 && flow.id != place->second.id)) continue;
    remove(place);
    ++erased;
  }
  return erased;
}

Result<std::size_t> FakeConntrack::erase_by_reply(std::span<const Flow> flows) {
  if (auto error = take_error()) return tl::make_unexpected(*std::move(error));
  std::size_t erased = 0;
  for (const Flow& flow : flows) {
    const auto original = originals_.find(key_of(flow.reply));
    if (original == originals_.end()) continue;
    remove(entries_.find(original->second));
    ++erased;
  }
  return erased;
}

Result<std::vector<int>> FakeConntrack::insert(std::span<const Flow> flows) {
  if (auto error = take_error()) return tl::make_unexpected(*std::move(error));
  std::vector<int> outcomes;
  for (const Flow& flow : flows) {
    const bool taken = is_taken(flow.original) || is_taken(flow.reply);
    outcomes.push_back(taken ? EEXIST : entries_.size() >= limit_ ? ENOMEM : 0);
    if (outcomes.back() != 0) continue;
    Flow kept = as_kernel_keeps(flow);
    kept.id = 0;
    add(kept);
  }
  return outcomes;
}

Result<std::vector<int>> FakeConntrack::set_timeouts(std::span<const Flow> flows) {
  if (auto error = take_error()) return tl::make_unexpected(*std::move(error));
  std::vector<int> outcomes;
  for (const Flow& flow : flows) {
    const auto place = entries_.find(key_of(flow.original));
    outcomes.push_back(place == entries_.end() ? ENOENT : 0);
    if (place != entries_.end()) place->second.timeout = flow.timeout;
  }
  return outcomes;
}

Result<std::vector<int>> FakeConntrack::set_closed(std::span<const Flow> flows, std::uint32_t mark_bits) {
  auto outcomes = set_timeouts(flows);
  if (!outcomes) return outcomes;
  for (const Flow& flow : flows) {
    const auto place = entries_.find(key_of(flow.original));
    if (place == entries_.end()) continue;
    place->second.mark |= mark_bits;
    if (flow.original.protocol == Protocol::kTcp) place->second.tcp_state = TcpState::kTimeWait;
  }
  return outcomes;
}

Result<std::vector<int>> FakeConntrack::set_marks(std::span<const Flow> flows, std::uint32_t mask) {
  if (auto error = take_error()) return tl::make_unexpected(*std::move(error));
  std::vector<int> outcomes;
  for (const Flow& flow : flows) {
    const auto place = entries_.find(key_of(flow.original));
    outcomes.push_back(place == entries_.end() ? ENOENT : 0);
    if (place != entries_.end()) place->second.mark = (place->second.mark & ~mask) | (flow.mark & mask);
  }
  return outcomes;
}

// ---- events ---------------------------------------------------------------------------------------------------

FakeEventSource::FakeEventSource() : readable_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!readable_) throw std::runtime_error("eventfd");
}

void FakeEventSource::push(EventKind kind, const Flow& flow) {
  if (!listening_) return;
  events_.push_back({kind, flow});
  show_readable();
}

void FakeEventSource::push_overrun() {
  overrun_ = true;
  show_readable();
}

void FakeEventSource::show_readable() {
  eventfd_t count = 0;
  (void)::eventfd_read(readable_.get(), &count);
  if (overrun_ || !events_.empty()) (void)::eventfd_write(readable_.get(), 1);
}

Result<void> FakeEventSource::listen(bool on) {
  listening_ = on;
  return {};
}

Result<Drained> FakeEventSource::drain(std::size_t budget, const EventSink& sink) {
  if (auto error = std::exchange(next_error_, std::nullopt)) return tl::make_unexpected(*std::move(error));
  Drained drained;
  drained.overrun = std::exchange(overrun_, false);
  for (; drained.events < budget && !events_.empty(); ++drained.events) {
    const Event event = events_.front();
    events_.pop_front();
    sink(event);
  }
  drained.more = drained.events == budget;
  show_readable();
  return drained;
}

}  // namespace wsl4::test
