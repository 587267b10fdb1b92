// The HTTP API: everything on the control socket, only what reads on `control.listen`. Runs on the control thread's io_context.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <tl/expected.hpp>

#include "daemon/control/node.h"
#include "netlink/ip.h"

namespace wsl4::control {

struct ServerOptions {
  std::string socket;  // Unix socket path, mode 0660; a stale file of a dead daemon is replaced, a live one is an error
  std::optional<netlink::Endpoint> listen;
};

class Server {
 public:
  virtual ~Server() = default;
  /// Stops accepting, lets requests in progress end, removes the socket file.
  virtual void stop() = 0;
  /// A connection is open still.
  [[nodiscard]] virtual bool busy() const = 0;
};

/// The error says what could not be bound and why. `node` outlives the server.
tl::expected<std::unique_ptr<Server>, std::string> start_server(boost::asio::io_context& io, const ServerOptions& options,
                                                                Node& node);

}  // namespace wsl4::control
