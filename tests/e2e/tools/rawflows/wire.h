// TCP segments over IPv4, sent and received as Ethernet frames on one card: no socket of the kernel takes part.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace rawflows {

using Mac = std::array<std::uint8_t, 6>;
Mac parse_mac(const std::string& text);
std::uint32_t parse_address(const std::string& text);  // host order
std::string to_string(std::uint32_t address);

inline constexpr std::uint8_t kFinBit = 0x01, kSynBit = 0x02, kRstBit = 0x04, kAckBit = 0x10;

struct Segment {
  std::uint32_t from = 0, to = 0;  // addresses and ports in host order
  std::uint16_t from_port = 0, to_port = 0;
  std::uint8_t flags = 0;
  std::uint32_t sequence = 0, acknowledged = 0;
};

class Wire {
 public:
  /// In the thread's network namespace; frames go to `peer`. Throws std::system_error.
  Wire(const std::string& card, const Mac& peer);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void send(const Segment& segment);
  /// Sends what is left of a batch.
  void flush();
  /// Hands over what has come in for this host, at most a batch; returns how much.
  std::size_t receive(const std::function<void(const Segment&)>& take);
  [[nodiscard]] int fd() const { return fd_; }

 private:
  static constexpr std::size_t kBatch = 128, kFrame = 54, kRoom = 128;

  int fd_;
  Mac own_{}, peer_;
  std::vector<std::array<std::uint8_t, kFrame>> out_;
  std::vector<std::array<std::uint8_t, kRoom>> in_{kBatch};
};

}  // namespace rawflows
