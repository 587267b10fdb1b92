// What a session has to send besides flows. Each kind stands here at most once, the latest, so that nothing piles up before a
// transport that takes nothing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "sync/encoder.h"

namespace wsl4::sync {

class Outbox {
 public:
  static constexpr std::size_t kMaxTopics = 64;

  std::optional<Hello> hello;
  std::optional<Configuration> configuration;
  std::optional<Heartbeat> heartbeat;
  std::optional<Echo> echo;
  std::optional<Request> request;
  std::optional<Ack> ack;
  std::optional<Bye> bye;

  /// False: too large, or more than kMaxTopics.
  bool publish(std::uint16_t topic, std::vector<std::uint8_t> bytes);

  /// All topics are sent again, everything else is dropped: there is another connection.
  void reset();
  /// Appends what is due. Topics only if both sides have agreed, and until `out` has `end` bytes; the rest stays due.
  void write(std::vector<std::uint8_t>& out, std::size_t end, bool agreed);

 private:
  std::map<std::uint16_t, std::vector<std::uint8_t>> topics_;
  std::set<std::uint16_t> topics_due_;
};

}  // namespace wsl4::sync
