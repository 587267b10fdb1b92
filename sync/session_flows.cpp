// Flows and roles of a session.
#include <algorithm>
#include <string>

#include "sync/session.h"

namespace wsl4::sync {

Result<void> Session::handle_flows(const Frame& frame, Time now) {
  switch (static_cast<FrameType>(frame.type)) {
    case FrameType::kFlows:
      return receiver_.on_flows(frame.payload);
    case FrameType::kBucket:
      return receiver_.on_bucket(frame.payload);
    case FrameType::kDigests:
      return decode_to<Digests>(frame.payload, [this](const Digests& digests) -> Result<void> {
        outbox_.request = receiver_.on_digests(digests);
        return {};
      });
    case FrameType::kRequest:
      return decode_to<Request>(frame.payload, [this](const Request& request) -> Result<void> {
        sender_.on_request(request);
        return {};
      });
    case FrameType::kComplete:
      return decode_to<Complete>(frame.payload, [this](const Complete& complete) { return receiver_.on_complete(complete); });
    case FrameType::kAck:
      return decode_to<Ack>(frame.payload, [&](const Ack& ack) -> Result<void> {
        sender_.on_ack(ack, now);
        return {};
      });
    default:
      break;
  }
  if (frame.type >= kFirstOptionalType) return {};
  return failure(Reason::kProtocol, "an unexpected frame of type " + std::to_string(frame.type));
}

bool Session::peer_is_active() const { return phase_ == Phase::kEstablished && peer_.role == Role::kActive; }

void Session::establish() {
  phase_ = Phase::kEstablished;
  receiver_.connected(peer_.incarnation);
  heartbeat_due_ = true;
  events_.emplace_back(event::Connected{peer_});
  if (role_ != Role::kActive) return;
  if (!peer_is_active()) store_.own_all();
  sender_.begin_round(peer_.copy_of == options_.incarnation);
}

Result<void> Session::on(const Heartbeat& heartbeat) {
  const bool was_active = peer_is_active();
  const bool changed = heartbeat.role != peer_.role;
  peer_.role = heartbeat.role;
  peer_.priority = heartbeat.priority;
  peer_.flows = heartbeat.flows;
  peer_lag_ = Time{heartbeat.lag_us};
  outbox_.echo = Echo{heartbeat.token};
  if (!changed) return {};
  events_.emplace_back(event::PeerRole{peer_.role});
  if (role_ != Role::kActive || was_active == peer_is_active()) return {};
  // The peer's copies are its own now, or its own are copies now, with its own idea of flows that both had.
  if (was_active) {
    store_.own_all();
    receiver_.mixed();
  }
  sender_.begin_round(true);
  return {};
}

void Session::set_role(Role role) {
  if (role == role_) return;
  const bool was_active = role_ == Role::kActive;
  role_ = role;
  heartbeat_due_ = true;
  if (role == Role::kActive) {
    store_.own_all();
    receiver_.mixed();
    if (phase_ == Phase::kEstablished) sender_.begin_round(false);
  } else if (was_active) {
    sender_.stop();
    store_.own_nothing();
    receiver_.mixed();
  }
  note_state();
}

void Session::set_priority(std::uint8_t priority) {
  heartbeat_due_ = heartbeat_due_ || priority != options_.priority;
  options_.priority = priority;
}

bool Session::learn(const Flow& flow, Time now) {
  if (role_ != Role::kActive && peer_is_active()) return true;
  const auto record = acquire(store_.dictionary(), flow);
  if (!record) return false;
  if (role_ != Role::kActive) {
    store_.put_copy(*record);
  } else if (store_.put_own(*record)) {
    sender_.changed(record->key, now);
  }
  release(store_.dictionary(), *record);
  return true;
}

void Session::forget(const Flow& flow, Time now) {
  if (role_ != Role::kActive && peer_is_active()) return;
  const auto key = find_key(store_.dictionary(), flow);
  if (!key) return;
  // Marked before the table lets go of the VIP.
  if (store_.own().contains(*key)) sender_.changed(*key, now);
  if (!store_.erase_own(*key)) store_.erase_copy(*key);
}

void Session::repair(const Flow& flow) {
  const auto key = acquire_key(store_.dictionary(), flow);
  if (!key) return;
  feed_.repair(*key, receiver_.next_stamp());
  store_.dictionary().release(key->vip);
}

void Session::operations_done(std::uint64_t number, std::span<const Flow> refused, std::size_t unasked) {
  feed_.done(number, refused, unasked);
  note_state();
}

std::optional<Flow> Session::find(const Flow& flow) const {
  const auto key = find_key(store_.dictionary(), flow);
  const auto* value = key ? store_.find(*key) : nullptr;
  if (value == nullptr) return {};
  return expand(store_.dictionary(), {*key, *value});
}

State Session::state() const {
  if (phase_ != Phase::kEstablished) return State::kDisconnected;
  const bool sends = role_ == Role::kActive;
  const bool receives = !sends || peer_is_active();
  const bool synced = (!sends || sender_.synced()) && (!receives || receiver_.synced());
  return synced ? State::kSynced : State::kBulk;
}

void Session::note_state() {
  const auto now = state();
  if (now == noted_state_) return;
  noted_state_ = now;
  events_.emplace_back(event::StateChanged{now});
}

Status Session::status(Time now) const {
  const bool sends = role_ == Role::kActive;
  return {.state = state(),
          .peer = {peer_.node, peer_.role, peer_.priority, peer_.flows, round_trip_, answered_},
          .flows = store_.size(),
          .pending = sends ? sender_.pending() : feed_.pending(),
          .drained = phase_ == Phase::kEstablished && (!sends || (sender_.synced() && sender_.pending() == 0)),
          .unapplied = feed_.pending(),
          .lag = sends ? sender_.lag(now) : peer_lag_,
          .sent = sender_.sent(),
          .received = receiver_.received(),
          .resyncs = sender_.resyncs() + receiver_.resyncs(),
          .repairs = feed_.repairs(),
          .refusals = feed_.refusals()};
}

}  // namespace wsl4::sync
