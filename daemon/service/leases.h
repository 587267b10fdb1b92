// Backends that joined by themselves, each until its time is up. Pure: no clock, no file. Leases lapse by the steady clock, so that
// one that is set does not end them; stored they are by the wall clock's time, so that a lease that runs out while the daemon does
// not run has run out when it starts again.
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <map>
#include <string>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <tl/expected.hpp>

#include "daemon/service/registration.h"
#include "netlink/ip.h"

namespace wsl4::service {

class Leases {
 public:
  using Time = std::chrono::system_clock::time_point;
  using Steady = std::chrono::steady_clock::time_point;
  /// One moment by both clocks.
  struct Moment {
    Time wall;
    Steady steady;
  };

  static constexpr std::size_t kMax = 4096;  // of all services together
  /// After a start no lease lapses earlier, so that nodes which could not reach the daemon meanwhile can renew.
  static constexpr std::chrono::seconds kGrace{10};

  struct Key {
    std::string service, backend;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Lease {
    Registration registration;
    Time expires;   // as the node was told
    Steady lapses;  // the same, as it counts here
    friend bool operator==(const Lease&, const Lease&) = default;
  };
  enum class Renewal : unsigned char {
    kNew,
    kRenewed,       // what the node says of itself may have changed
    kAddressTaken,  // by another lease of the service; nothing is changed
    kFull,          // nothing is changed
  };

  [[nodiscard]] Renewal renew(const Key& key, Registration registration, Moment now);
  /// False if there is none.
  bool end(const Key& key);
  /// Each runs for the whole of its time from `now` on: nobody could renew it before, or by another node's clock.
  void begin_anew(Moment now);
  /// Ends and returns what is over at `now`.
  std::map<Key, Lease> lapse(Steady now);

  [[nodiscard]] const std::map<Key, Lease>& all() const { return leases_; }

  /// For the state directory: an array.
  [[nodiscard]] boost::json::array to_json() const;
  /// At the start of the daemon, `now`. A clock that was set back does not prolong a lease by more than its ttl. The error says
  /// what is wrong with the document.
  [[nodiscard]] static tl::expected<Leases, std::string> from_json(const boost::json::value& document, Moment now);

 private:
  [[nodiscard]] bool is_taken(const Key& key, const netlink::Endpoint& address) const;

  std::map<Key, Lease> leases_;
};

}  // namespace wsl4::service
