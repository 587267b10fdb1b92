// What the register listener asks of the running daemon. All on the control thread.
#pragma once

#include <string>

#include <boost/asio/awaitable.hpp>

#include "daemon/control/node.h"
#include "daemon/control/tokens.h"
#include "daemon/service/registration.h"

namespace wsl4::control {

struct Joined {
  bool is_new = false;            // else it was renewed
  WallClock::time_point expires;  // without another renewal
};

class Joiner {
 public:
  virtual ~Joiner() = default;
  /// Those in force; a reload may put others in their place.
  [[nodiscard]] virtual const Tokens& tokens() const = 0;
  /// Name and values have been checked, the service may not exist. Refusals: those below, and what else keeps it out.
  virtual boost::asio::awaitable<Outcome<Joined>> join(std::string service, std::string backend,
                                                       service::Registration registration) = 0;
  /// The backend drains. Only what has joined can leave.
  virtual boost::asio::awaitable<Outcome<void>> leave(std::string service, std::string backend) = 0;
};

[[nodiscard]] Refusal no_such_service(const std::string& service);                                  // 404
[[nodiscard]] Refusal not_joined(const std::string& service, const std::string& backend);           // 404
[[nodiscard]] Refusal belongs_to_file(const std::string& service, const std::string& backend);      // 409
[[nodiscard]] Refusal added_at_run_time(const std::string& service, const std::string& backend);    // 409
[[nodiscard]] Refusal address_taken(const std::string& service, const netlink::Endpoint& address);  // 409
[[nodiscard]] Refusal too_many_leases();                                                            // 503

}  // namespace wsl4::control
