// What speaks over the link: bytes that came, bytes that are to go. All calls are made on the link's thread, never one inside
// another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace wsl4::peer {

class Session {
 public:
  virtual ~Session() = default;
  /// There is a connection, and the other end has shown that it has the key. At most one at a time.
  virtual void on_connected() = 0;
  /// In order, as they came; not empty, at most 32 KiB.
  virtual void on_bytes(std::span<const std::uint8_t> bytes) = 0;
  /// Appends what is to be sent now, about `budget` bytes, or nothing. Asked after the other calls, after Link::wake, and when the
  /// socket can take more: what it does not ask for has to wait in the session.
  virtual void next_bytes(std::vector<std::uint8_t>& out, std::size_t budget) = 0;
  /// The connection is over. `reason` is for people.
  virtual void on_disconnected(const std::string& reason) = 0;
};

}  // namespace wsl4::peer
