// Stands between two links, or a link and a client: passes bytes on, and tampers with those of the side that connects.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "netlink/handle.h"
#include "netlink/ip.h"

namespace wsl4::test {

class TamperingProxy {
 public:
  enum class Way { kPassOn, kRepeat, kFlipABit, kCutShort };

  /// Listens at `listen`; for each connection there, one is opened from `from` to `to`.
  TamperingProxy(const netlink::Endpoint& listen, netlink::IpAddress from, netlink::Endpoint to);
  ~TamperingProxy();
  TamperingProxy(const TamperingProxy&) = delete;
  TamperingProxy& operator=(const TamperingProxy&) = delete;

  /// What is done with the next bytes; whatever is done once, then they are passed on again. kCutShort: half of them, then the end.
  std::atomic<Way> way{Way::kPassOn};
  std::atomic<std::size_t> tampered{0};
  /// All that the connecting side sent over the first connection.
  [[nodiscard]] std::string recording() const;

 private:
  void accept();
  void serve(netlink::Fd near, bool record);
  bool pass_on(std::string bytes, int to, bool record);

  netlink::Fd listener_;
  netlink::IpAddress from_;
  netlink::Endpoint to_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::string recording_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace wsl4::test
