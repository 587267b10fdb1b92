// The register listener as the configuration wants it: goes over to other settings, or the same with other files, as a whole or not
// at all. On the control thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <tl/expected.hpp>

#include "daemon/config/load.h"
#include "daemon/control/joiner.h"
#include "daemon/http/router.h"
#include "daemon/http/server.h"

namespace wsl4::control {

/// What is wrong with the files of control.register. Needs no daemon.
[[nodiscard]] config::Findings inspect_register(const config::Config& config);

class RegisterServer {
 public:
  /// `joiner` outlives the server.
  RegisterServer(boost::asio::io_context& io, Joiner& joiner);

  /// Other settings, ready to be gone over to. One that is given up closes what it has opened.
  struct Next {
    Tokens tokens;
    std::shared_ptr<boost::asio::ssl::context> tls;
    std::optional<netlink::Endpoint> endpoint;
    std::unique_ptr<http::Server> server;  // if it is another endpoint
  };
  /// Reads the files, and binds an endpoint that is not bound already. The error has every problem.
  [[nodiscard]] tl::expected<Next, std::vector<std::string>> prepare(const config::Control& settings);
  void go_over(Next next);

  [[nodiscard]] const Tokens& tokens() const { return tokens_; }
  void stop();

 private:
  boost::asio::io_context& io_;
  std::shared_ptr<http::Router> router_;
  Tokens tokens_;
  std::optional<netlink::Endpoint> endpoint_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace wsl4::control
