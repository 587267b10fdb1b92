#include "sync/outbox.h"

#include <utility>

namespace wsl4::sync {
namespace {

template <class Message>
void write_due(std::vector<std::uint8_t>& out, std::optional<Message>& message) {
  if (message) encode(out, *message);
  message.reset();
}

}  // namespace

bool Outbox::publish(std::uint16_t topic, std::vector<std::uint8_t> bytes) {
  if (bytes.size() > kMaxSharedState) return false;
  if (!topics_.contains(topic) && topics_.size() == kMaxTopics) return false;
  topics_[topic] = std::move(bytes);
  topics_due_.insert(topic);
  return true;
}

void Outbox::reset() {
  hello.reset();
  configuration.reset();
  heartbeat.reset();
  echo.reset();
  request.reset();
  ack.reset();
  bye.reset();
  for (const auto& [topic, bytes] : topics_) topics_due_.insert(topic);
}

void Outbox::write(std::vector<std::uint8_t>& out, std::size_t end, bool agreed) {
  write_due(out, hello);
  write_due(out, configuration);
  write_due(out, heartbeat);
  write_due(out, echo);
  write_due(out, request);
  write_due(out, ack);
  while (agreed && !topics_due_.empty() && out.size() < end) {
    const auto topic = *topics_due_.begin();
    encode(out, SharedState{topic, topics_[topic]});
    topics_due_.erase(topic);
  }
  write_due(out, bye);
}

}  // namespace wsl4::sync
