#include "daemon/election/takeover.h"

#include <algorithm>
#include <array>

namespace wsl4::election {

namespace {

std::vector<Step> steps_of(Plan plan) {
  switch (plan) {
    case Plan::kTake:
      return {Step::kGuardDrop, Step::kAddAddresses, Step::kAnnounce, Step::kAwaitEntries, Step::kGuardReject};
    case Plan::kMeet:
      return {Step::kGuardDrop, Step::kAnnounce, Step::kAwaitEntries, Step::kGuardReject};
    case Plan::kHandOver:
    case Plan::kForcedHandOver:
    case Plan::kStepDown:
      return {Step::kDrain, Step::kGuardStandby, Step::kRemoveAddresses};
    case Plan::kWithdraw:
      return {Step::kGuardStandby, Step::kRemoveAddresses};
  }
  return {};
}

bool only_waits(Step step) { return step == Step::kDrain || step == Step::kAwaitEntries; }

}  // namespace

std::string_view to_string(Step step) {
  constexpr std::array<std::string_view, 8> kNames{"guard-drop", "guard-reject",     "guard-standby", "add-addresses",
                                                   "announce",   "remove-addresses", "await-entries", "drain"};
  return kNames.at(static_cast<std::size_t>(step));
}

Takeover::Takeover(Plan plan, TimePoint now, std::optional<Step> outstanding)
    : plan_(plan), steps_(steps_of(plan)), inherited_(outstanding.has_value()), begun_at_(now) {
  if (!outstanding) return;
  steps_.insert(steps_.begin(), *outstanding);
  begun_ = true;
}

std::optional<Step> Takeover::next(TimePoint now) {
  if (begun_ && now >= limit()) end_step(false, now);
  if (announce_at_ && now >= *announce_at_) {
    announce_at_ = now + kAnnounceInterval;
    if (*announce_at_ > announce_until_) announce_at_.reset();
    return Step::kAnnounce;
  }
  if (begun_ || complete() || failed_) return {};
  begun_ = true;
  begun_at_ = now;
  return steps_[at_];
}

void Takeover::finished(Step step, TimePoint now) {
  if (begun_ && steps_[at_] == step) end_step(true, now);
}

void Takeover::end_step(bool done, TimePoint now) {
  const Step step = steps_[at_];
  begun_ = false;
  if (inherited_) {
    inherited_ = false;
    steps_.erase(steps_.begin());
    return;
  }
  phases_.push_back({step, now - begun_at_, done});
  failed_ = !done && plan_ == Plan::kHandOver && step == Step::kDrain;
  if (failed_) return;
  ++at_;
  if (step != Step::kAnnounce) return;
  announce_at_ = begun_at_ + kAnnounceInterval;
  announce_until_ = begun_at_ + kAnnounceFor;
}

std::optional<TimePoint> Takeover::due() const {
  std::optional<TimePoint> due = announce_at_;
  const auto sooner = [&](TimePoint at) { due = due ? std::min(*due, at) : at; };
  if (begun_) {
    sooner(limit());
  } else if (!complete() && !failed_) {
    sooner(begun_at_);
  }
  return due;
}

TimePoint Takeover::limit() const {
  if (steps_[at_] == Step::kAwaitEntries) return begun_at_ + kEntriesLimit;
  return begun_at_ + (steps_[at_] == Step::kRemoveAddresses ? kRemoveLimit : kStepLimit);
}

std::optional<Step> Takeover::outstanding() const {
  if (!begun_ || only_waits(steps_[at_])) return {};
  return steps_[at_];
}

}  // namespace wsl4::election
