// DNS answers as they come from the wire (RFC 1035 4.1), read into values. Pure.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "netlink/ip.h"

namespace wsl4::discovery {

enum class RecordType : std::uint16_t { kA = 1, kAaaa = 28, kSrv = 33 };  // RFC 1035, 3596, 2782
[[nodiscard]] std::string_view to_string(RecordType type);

struct Question {
  std::string name;  // as plain_name writes it
  RecordType type = RecordType::kA;
  friend auto operator<=>(const Question&, const Question&) = default;
};

struct SrvRecord {
  std::uint16_t priority = 0, weight = 0, port = 0;
  std::string target;  // as plain_name writes it; empty: "decidedly not available" (RFC 2782)
  friend auto operator<=>(const SrvRecord&, const SrvRecord&) = default;
};

/// The records of the type asked for; none when the name has none or does not exist.
struct Answer {
  std::vector<netlink::IpAddress> addresses;  // of questions for A and AAAA
  std::vector<SrvRecord> services;            // of questions for SRV
  std::chrono::seconds ttl{0};                // the lowest of these records and of the aliases that led to them
  [[nodiscard]] bool empty() const { return addresses.empty() && services.empty(); }
  friend bool operator==(const Answer&, const Answer&) = default;
};

/// What the answer section of `message` says to `question`, aliases (CNAME) followed. Everything else in it is left alone: who
/// sent it, its code and its question are the client's matter. The error says what is broken. Names become as plain_name writes
/// them, with a question mark for each byte that no host name has.
[[nodiscard]] tl::expected<Answer, std::string> parse_answer(std::span<const std::uint8_t> message, const Question& question);

}  // namespace wsl4::discovery
