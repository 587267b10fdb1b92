#include "daemon/control/register_server.h"

#include <utility>

#include "daemon/control/register_routes.h"
#include "daemon/http/tls.h"
#include "daemon/util/file.h"

namespace wsl4::control {

using config::Findings;

namespace {

/// A node has one request and comes back in seconds or minutes; connections that are kept meanwhile would shut others out.
constexpr http::Limits kLimits{.idle_timeout = std::chrono::seconds(5), .keep_alive = false, .make_room = true};

}  // namespace

Findings inspect_register(const config::Config& config) {
  const auto& control = config.control;
  Findings findings;
  if (!control.register_listen) return findings;
  if (const auto tokens = Tokens::load(control.token_file); !tokens)
    for (const auto& problem : tokens.error()) findings.push_back({{"control", "token_file"}, problem});
  const auto certificate = util::read_file(control.tls_certificate), key = util::read_file(control.tls_key);
  if (!certificate) findings.push_back({{"control", "tls_certificate"}, certificate.error()});
  if (!key) findings.push_back({{"control", "tls_key"}, key.error()});
  if (!certificate || !key) return findings;
  const auto tls = http::make_tls_server(control.tls_certificate, control.tls_key);
  if (tls) return findings;
  const bool is_key = tls.error().starts_with(control.tls_key);
  findings.push_back({{"control", is_key ? "tls_key" : "tls_certificate"}, tls.error()});
  return findings;
}

RegisterServer::RegisterServer(boost::asio::io_context& io, Joiner& joiner)
    : io_(io), router_(std::make_shared<http::Router>(make_register_routes(joiner))) {}

tl::expected<RegisterServer::Next, std::vector<std::string>> RegisterServer::prepare(const config::Control& settings) {
  Next next;
  if (!settings.register_listen) return next;
  auto tokens = Tokens::load(settings.token_file);
  if (!tokens) return tl::make_unexpected(std::move(tokens.error()));
  auto tls = http::make_tls_server(settings.tls_certificate, settings.tls_key);
  if (!tls) return tl::make_unexpected(std::vector{std::move(tls.error())});
  next.tokens = std::move(*tokens);
  next.tls = std::move(*tls);
  next.endpoint = settings.register_listen;
  if (next.endpoint == endpoint_) return next;
  next.server = std::make_unique<http::Server>(io_, kLimits);
  // The answer holds the router, so that a request in progress may outlive this server.
  const auto answer = [router = router_](const http::Request& request) {
    return router->answer(request, http::Router::Access::kEverything);
  };
  const auto port = next.server->listen_tls(*next.endpoint, settings.tls_certificate, settings.tls_key, answer, server_.get());
  if (!port) return tl::make_unexpected(std::vector{port.error()});
  return next;
}

void RegisterServer::go_over(Next next) {
  if (next.server || !next.endpoint) server_ = std::move(next.server);
  if (server_) server_->set_tls(next.tls);
  tokens_ = std::move(next.tokens);
  endpoint_ = next.endpoint;
}

void RegisterServer::stop() {
  if (server_) server_->stop();
}

}  // namespace wsl4::control
