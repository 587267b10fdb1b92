#include "daemon/election/vrrp.h"

#include <algorithm>

namespace wsl4::election {

void Vrrp::start(TimePoint now) {
  active_interval_ = settings_.interval;
  wait_as_backup(now);
}

void Vrrp::stop() {
  if (state_ == State::kActive) outputs_.push_back(Output::kResign);
  state_ = State::kInit;
  expired_ = false;
}

void Vrrp::receive(const Advert& advert, const IpAddress& source, TimePoint now) {
  if (state_ == State::kBackup) receive_as_backup(advert, now);
  if (state_ == State::kActive) receive_as_active(advert, source, now);
}

void Vrrp::receive_as_backup(const Advert& advert, TimePoint now) {
  if (advert.priority == 0) {
    wait(skew(), now);
  } else if (!settings_.preempt || advert.priority >= settings_.priority) {
    active_interval_ = advert.interval;
    wait(down_interval(), now);
  } else {
    silent_at_ = now + down_interval();
  }
}

void Vrrp::receive_as_active(const Advert& advert, const IpAddress& source, TimePoint now) {
  if (advert.priority == 0) {
    advertise(now);
  } else if (yields_to(advert, source)) {
    active_interval_ = advert.interval;
    wait_as_backup(now);
    outputs_.push_back(Output::kBecameBackup);
  } else {
    silent_at_ = now + down_interval();
    outputs_.push_back(Output::kHeardLower);
    advertise(now);  // RFC 9568 6.4.3: also to teach bridges where the active is
  }
}

bool Vrrp::yields_to(const Advert& advert, const IpAddress& source) const {
  if (advert.priority != settings_.priority) return advert.priority > settings_.priority;
  return source.family() == settings_.address.family() && source > settings_.address;
}

void Vrrp::tick(TimePoint now) {
  if (state_ == State::kBackup && now >= down_at_) expired_ = true;
  if (state_ == State::kBackup && expired_ && permitted_) become_active(now);
  if (state_ == State::kActive && now >= advert_at_) advertise(now);
}

void Vrrp::take(TimePoint now) {
  if (state_ == State::kBackup) become_active(now);
}

void Vrrp::yield(TimePoint now) {
  if (state_ == State::kActive) wait_as_backup(now);
}

void Vrrp::hasten(TimePoint now) {
  if (state_ != State::kBackup) return;
  silent_at_ = down_at_ = now;
  expired_ = true;
}

void Vrrp::set_preempt(bool preempt) {
  if (settings_.preempt == preempt) return;
  settings_.preempt = preempt;
  if (state_ != State::kBackup || preempt) return;
  // What ran out while the adverts of a lower active were ignored has not run out for one who respects them.
  if (down_at_ < silent_at_) expired_ = false;
  down_at_ = std::max(down_at_, silent_at_);
}

std::optional<TimePoint> Vrrp::due() const {
  if (state_ == State::kActive) return advert_at_;
  if (state_ == State::kInit || (expired_ && !permitted_)) return {};
  return down_at_;
}

void Vrrp::wait(Duration down, TimePoint now) {
  down_at_ = silent_at_ = now + down;
  expired_ = false;
}

void Vrrp::wait_as_backup(TimePoint now) {
  state_ = State::kBackup;
  wait(down_interval(), now);
}

void Vrrp::become_active(TimePoint now) {
  state_ = State::kActive;
  silent_at_ = now;
  expired_ = false;
  outputs_.push_back(Output::kBecameActive);
  advertise(now);
}

void Vrrp::advertise(TimePoint now) {
  advert_at_ = now + settings_.interval;
  outputs_.push_back(Output::kAdvertise);
}

}  // namespace wsl4::election
