// Which handler answers which method and path. Routes are data; what is not in them is a 404, or a 405 with Allow.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "daemon/http/message.h"

namespace wsl4::http {

/// The values of a pattern's {names}.
using PathValues = std::map<std::string, std::string, std::less<>>;

/// May be a coroutine: both arguments live until it has answered.
using Handler = std::function<boost::asio::awaitable<Response>(const Request&, const PathValues&)>;

/// Of a route: changes nothing, and so may be served to anybody who may look; or not.
inline constexpr bool kReads = true, kChanges = false;

struct Route {
  std::string_view method;   // "GET" (which serves HEAD too), "POST", …
  std::string_view pattern;  // "/v1/services/{name}": a {name} takes one segment that is not empty
  bool reads_only = false;   // kReads or kChanges
  Handler handler;
};

class Router {
 public:
  enum class Access : unsigned char { kEverything, kReadsOnly };

  explicit Router(std::vector<Route> routes);

  /// With kReadsOnly a route that changes something is a 403. `request` and the router live until the answer is there.
  [[nodiscard]] boost::asio::awaitable<Response> answer(const Request& request, Access access) const;

 private:
  struct Entry {
    Route route;
    std::vector<std::string> segments;
  };
  std::vector<Entry> entries_;
};

}  // namespace wsl4::http
