// Connections: from greeting to end, what comes in and what goes out. session_flows.cpp has flows and roles.
#include "sync/session.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "sync/configuration.h"

namespace wsl4::sync {
namespace {

/// A clock that went back begins anew.
bool passed(Time now, Time& since, Time interval) {
  if (now < since) since = now;
  if (now - since < interval) return false;
  since = now;
  return true;
}

std::string range(const Versions& versions) { return std::to_string(versions.lowest) + " to " + std::to_string(versions.highest); }

}  // namespace

Session::Session(Options options)
    : options_(std::move(options)), feed_(store_, store_.dictionary()), sender_(store_, options_.window), receiver_(store_, feed_) {
  options_.configuration = fit(std::move(options_.configuration));
}

void Session::connected(Time now) {
  disconnected();
  phase_ = Phase::kHello;
  last_heard_ = last_heartbeat_ = now;
  outbox_.hello =
      Hello{options_.versions, options_.incarnation, receiver_.copy_of(), role_, options_.priority, store_.size(), options_.node};
  outbox_.configuration = Configuration{options_.configuration};
}

void Session::disconnected() {
  phase_ = Phase::kDisconnected;
  reader_ = {};
  outbox_.reset();
  sender_.disconnected();
  receiver_.disconnected();
  note_state();
}

void Session::end(Error error, bool by_peer) {
  if (phase_ == Phase::kDisconnected || phase_ == Phase::kEnded) return;
  const bool disagrees = error.reason == Reason::kVersion || error.reason == Reason::kConfiguration;
  const auto role = disagrees && phase_ != Phase::kHello ? std::optional(peer_.role) : std::nullopt;
  phase_ = Phase::kEnded;
  if (!by_peer) outbox_.bye = Bye{error};
  events_.emplace_back(event::Ended{std::move(error), by_peer, role});
  note_state();
}

void Session::leave() { end({Reason::kLeaving, options_.node + " stops"}, false); }

void Session::receive(std::span<const std::uint8_t> bytes, Time now) {
  if (phase_ == Phase::kDisconnected || phase_ == Phase::kEnded) return;
  last_heard_ = now;
  reader_.feed(bytes);
  while (phase_ != Phase::kEnded) {
    const auto frame = reader_.next();
    if (!frame) return end(frame.error(), false);
    if (!*frame) break;
    if (auto handled = handle(**frame, now); !handled) return end(std::move(handled.error()), false);
  }
  note_state();
}

Result<void> Session::handle(const Frame& frame, Time now) {
  const auto type = static_cast<FrameType>(frame.type);
  if (type == FrameType::kBye) return decode_to<Bye>(frame.payload, [this](const Bye& bye) { return on(bye); });
  if (phase_ != Phase::kEstablished) return greet(frame);
  switch (type) {
    case FrameType::kConfiguration:
      return decode_to<Configuration>(frame.payload, [this](Configuration message) { return on(std::move(message)); });
    case FrameType::kHeartbeat:
      return decode_to<Heartbeat>(frame.payload, [this](const Heartbeat& message) { return on(message); });
    case FrameType::kEcho:
      return decode_to<Echo>(frame.payload, [&](const Echo& message) { return on(message, now); });
    case FrameType::kSharedState:
      return decode_to<SharedState>(frame.payload, [this](SharedState state) -> Result<void> {
        events_.emplace_back(std::move(state));
        return {};
      });
    default:
      return handle_flows(frame, now);
  }
}

Result<void> Session::greet(const Frame& frame) {
  const auto expected = phase_ == Phase::kHello ? FrameType::kHello : FrameType::kConfiguration;
  if (static_cast<FrameType>(frame.type) != expected) return failure(Reason::kProtocol, "not a node of wsl4: it does not greet");
  if (phase_ == Phase::kHello) return decode_to<Hello>(frame.payload, [this](const Hello& hello) { return on(hello); });
  return decode_to<Configuration>(frame.payload, [this](Configuration message) { return on(std::move(message)); });
}

Result<void> Session::on(const Hello& hello) {
  peer_ = hello;
  phase_ = Phase::kConfiguration;
  if (!common_version(options_.versions, hello.versions)) {
    return failure(Reason::kVersion, options_.node + " speaks versions " + range(options_.versions) + " of the wire format, " +
                                         hello.node + " speaks " + range(hello.versions));
  }
  if (hello.incarnation == options_.incarnation) return failure(Reason::kItself, "the peer's address is this node's own");
  return {};
}

Result<void> Session::on(Configuration configuration) {
  peer_configuration_ = std::move(configuration.keys);
  if (auto compared = compare_configurations(); !compared) return compared;
  if (phase_ == Phase::kConfiguration) establish();
  return {};
}

Result<void> Session::compare_configurations() {
  auto differences = compare(options_.configuration, peer_configuration_);
  const auto required = join(differences.required);
  events_.emplace_back(event::ConfigurationDiffers{std::move(differences.keys)});
  if (required.empty()) return {};
  return failure(Reason::kConfiguration, "these settings must be the same on both nodes: " + required);
}

Result<void> Session::on(const Bye& bye) {
  end(bye.error, true);
  return {};
}

Result<void> Session::on(const Echo& echo, Time now) {
  const auto sent = static_cast<std::int64_t>(echo.token);
  answered_ = Time{std::clamp<std::int64_t>(sent, 0, std::max<std::int64_t>(0, now.count()))};
  round_trip_ = std::max(Time{0}, now - answered_);
  return {};
}

void Session::set_configuration(std::vector<KeyDigest> configuration) {
  options_.configuration = fit(std::move(configuration));
  if (phase_ == Phase::kDisconnected || phase_ == Phase::kEnded) return;
  outbox_.configuration = Configuration{options_.configuration};
  if (phase_ != Phase::kEstablished) return;
  if (auto compared = compare_configurations(); !compared) end(std::move(compared.error()), false);
}

void Session::pull(std::vector<std::uint8_t>& out, std::size_t limit, Time now) {
  if (phase_ == Phase::kDisconnected) return;
  const auto end = out.size() + limit;
  const bool established = phase_ == Phase::kEstablished;
  if (established && std::exchange(heartbeat_due_, false)) {
    const auto lag = std::clamp<std::int64_t>(status(now).lag.count(), 0, std::numeric_limits<std::uint32_t>::max());
    outbox_.heartbeat = Heartbeat{role_, options_.priority, store_.size(), static_cast<std::uint32_t>(lag),
                                  static_cast<std::uint64_t>(now.count())};
  }
  if (established) outbox_.ack = receiver_.take_ack();
  outbox_.write(out, end, established);
  if (established && out.size() < end) sender_.write(out, end - out.size());
}

void Session::tick(Time now) {
  if (passed(now, last_retry_, options_.refused_retry)) feed_.retry(receiver_.next_stamp());
  if (phase_ == Phase::kDisconnected || phase_ == Phase::kEnded) return;
  if (passed(now, last_heartbeat_, options_.heartbeat_interval)) heartbeat_due_ = true;
  auto heard = last_heard_;
  const bool silent = passed(now, heard, options_.silence);
  if (heard < last_heard_) last_heard_ = heard;
  if (silent) end({Reason::kSilence, "nothing heard for " + std::to_string(options_.silence.count() / 1000) + " ms"}, false);
  note_state();
}

std::vector<Event> Session::take_events() { return std::exchange(events_, {}); }

}  // namespace wsl4::sync
