// The link of a pair: one TLS connection to the other node, found and kept. Both nodes listen and connect at once; where two
// connections come about one is kept (standing.h). It is made again whenever it is lost.
//
// Lives on one thread, that of its io_context; every call belongs there, or before it runs. Memory: a few buffers of 64 KiB,
// however slow or hostile the other end.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <tl/expected.hpp>

#include "daemon/peer/connection.h"
#include "daemon/peer/key_file.h"
#include "daemon/peer/refusal.h"
#include "daemon/peer/session.h"
#include "netlink/ip.h"

namespace wsl4::peer {

struct LinkOptions {
  netlink::Endpoint listen;  // ha.listen: connections come to it, and leave from its address
  netlink::Endpoint peer;    // ha.peer: connections go to it, and are taken from its address only
  /// Connections that have not shown the key yet. One more ends the oldest, so that the peer's own, which takes some milliseconds,
  /// comes through among many that say nothing.
  std::size_t half_open = 8;
  std::chrono::milliseconds proof_time{3000};  // for TCP's and TLS's handshake together
  std::chrono::milliseconds first_retry{100}, last_retry{1000};
  std::uint64_t records_per_key = Connection::kRecordsPerKey;
  /// Told of what somebody should look at, of each reason at most once a minute. May be none.
  std::function<void(Refusal why)> on_refused = {};
};

struct LinkStats {
  bool connected = false;
  /// Why there was no connection last, or why the last one ended, for people; empty before any such thing. What strangers do does
  /// not count.
  std::string error;
  std::uint64_t connections = 0;       // that a session spoke over
  std::uint64_t connect_failures = 0;  // TCP: nobody listens there, or nothing is heard
  std::array<std::uint64_t, kRefusals> refusals{};
  Connection::Traffic traffic;
  [[nodiscard]] std::uint64_t refused(Refusal why) const { return refusals.at(static_cast<std::size_t>(why)); }
};

class Link {
 public:
  /// Listens from now on. `session` outlives the link. The error says what could not be bound.
  [[nodiscard]] static tl::expected<std::unique_ptr<Link>, std::string> start(boost::asio::io_context& io, LinkOptions options,
                                                                              Keys keys, Session& session);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// The session has something to send. May be called inside the session's calls, as may `finish`.
  void wake();
  /// Sends what the session still has, then ends this connection; another one is made after a while.
  void finish(std::string reason);
  /// Makes and takes no connection any more; the one that stands goes on until it ends.
  void retire();
  /// For connections from now on.
  tl::expected<void, std::string> set_keys(Keys keys);
  /// Ends everything at once; the session is told. Not inside the session's calls.
  void stop();

  [[nodiscard]] LinkStats stats() const;

 private:
  class State;  // shared with what is under way
  explicit Link(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace wsl4::peer
