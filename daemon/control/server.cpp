#include "daemon/control/server.h"

#include <utility>

#include "daemon/control/routes.h"
#include "daemon/http/router.h"
#include "daemon/http/server.h"

namespace wsl4::control {
namespace {

using http::Router;

class HttpServer final : public Server {
 public:
  HttpServer(boost::asio::io_context& io, Node& node) : node_(node), server_(io, {}) {}

  tl::expected<void, std::string> listen(const ServerOptions& options) {
    if (auto bound = server_.listen_unix(options.socket, answer_with(Router::Access::kEverything, kMaxFlows)); !bound) return bound;
    if (!options.listen) return {};
    const auto port = server_.listen_tcp(*options.listen, answer_with(Router::Access::kReadsOnly, kMaxFlowsForAnybody));
    if (!port) return tl::make_unexpected(port.error());
    return {};
  }

  void stop() override { server_.stop(); }
  [[nodiscard]] bool busy() const override { return server_.busy(); }

 private:
  // Each answer holds its router, so that a request in progress may outlive this server.
  http::Answer answer_with(Router::Access access, std::size_t max_flows) {
    return [router = std::make_shared<Router>(make_routes(node_, max_flows)), access](const http::Request& request) {
      return router->answer(request, access);
    };
  }

  Node& node_;
  http::Server server_;
};

}  // namespace

tl::expected<std::unique_ptr<Server>, std::string> start_server(boost::asio::io_context& io, const ServerOptions& options,
                                                                Node& node) {
  auto server = std::make_unique<HttpServer>(io, node);
  if (auto bound = server->listen(options); !bound) return tl::make_unexpected(std::move(bound.error()));
  return server;
}

}  // namespace wsl4::control
