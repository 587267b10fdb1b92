#include "daemon/http/server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/http/session.h"
#include "daemon/http/tls.h"
#include "daemon/http/unix_socket.h"
#include "daemon/util/to_asio.h"

namespace wsl4::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr int kBacklog = 128;
constexpr std::chrono::milliseconds kAcceptPause{100};  // after a failed accept (no descriptors left), so that it does not spin

void share_port(int socket, bool share) {
  const int value = share ? 1 : 0;
  (void)::setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &value, sizeof value);
}

/// Ends a session that is not being answered, if there is one: of the host that has most, so that it keeps no other one out, and of
/// these the one whose client has kept it waiting longest.
void make_room(const Listening& listening) {
  std::map<std::string_view, std::size_t> of_host;
  for (const Session* session : listening.sessions) of_host[session->host()] += session->is_served() ? 1 : 0;
  const auto rank = [&of_host](const Session& session) {
    return std::pair(of_host.at(session.host()), Session::Clock::now() - *session.owes_nothing_since());
  };
  Session* first = nullptr;
  for (Session* session : listening.sessions) {
    if (!session->is_served() || !session->owes_nothing_since()) continue;
    if (first == nullptr || rank(*session) > rank(*first)) first = session;
  }
  if (first != nullptr) first->give_way();
}

asio::awaitable<void> run_session(std::shared_ptr<Session> session) { co_await session->run(); }

}  // namespace

/// One listening socket: accepts until it is stopped.
class Listener {
 public:
  virtual ~Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  virtual void stop() = 0;
  [[nodiscard]] virtual bool busy() const = 0;
  virtual asio::awaitable<void> accept() = 0;
  /// Whether another socket may be bound to its port meanwhile, if it may itself (socket(7), SO_REUSEPORT).
  virtual void share_port(bool share) = 0;
  /// Of a listener under TLS.
  virtual void set_tls(const std::shared_ptr<asio::ssl::context>& tls) = 0;

 protected:
  Listener() = default;
};

namespace {

template <class Protocol>
class ProtocolListener final : public Listener {
 public:
  ProtocolListener(typename Protocol::acceptor acceptor, std::shared_ptr<Listening> listening, std::optional<UnixSocket> file)
      : acceptor_(std::move(acceptor)),
        pause_(acceptor_.get_executor()),
        listening_(std::move(listening)),
        file_(std::move(file)) {}

  void stop() override {
    if (!acceptor_.is_open()) return;
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    if (file_) remove_socket_file(*file_);
    for (Session* session : listening_->sessions) session->finish();
  }

  [[nodiscard]] bool busy() const override { return !listening_->sessions.empty(); }

  asio::awaitable<void> accept() override {
    while (acceptor_.is_open()) {
      Session::Protocol::socket socket(acceptor_.get_executor());
      error_code error;
      auto token = asio::redirect_error(asio::use_awaitable, error);
      co_await acceptor_.async_accept(socket, token);
      if (!error) {
        admit(std::move(socket));
      } else if (acceptor_.is_open()) {
        pause_.expires_after(kAcceptPause);
        co_await pause_.async_wait(token);
      }
    }
  }

  void share_port(bool share) override { http::share_port(acceptor_.native_handle(), share); }

  void set_tls(const std::shared_ptr<asio::ssl::context>& tls) override {
    if (listening_->tls) listening_->tls = tls;
  }

 private:
  void admit(Session::Protocol::socket socket) {
    ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
    const std::size_t limit = listening_->limits.max_connections;
    if (listening_->sessions.size() >= 2 * limit) return;  // not even an answer: closed
    if (listening_->served >= limit && listening_->limits.make_room) make_room(*listening_);
    const auto kind = listening_->served < limit ? Session::Kind::kServed : Session::Kind::kRefused;
    auto session = std::make_shared<Session>(std::move(socket), listening_, kind);
    asio::co_spawn(acceptor_.get_executor(), run_session(std::move(session)), asio::detached);
  }

  typename Protocol::acceptor acceptor_;
  asio::steady_timer pause_;
  std::shared_ptr<Listening> listening_;
  std::optional<UnixSocket> file_;
};

asio::awaitable<void> run_listener(std::shared_ptr<Listener> listener) { co_await listener->accept(); }

template <class Protocol>
std::shared_ptr<Listener> start_listener(asio::io_context& io, typename Protocol::acceptor acceptor, Listening parts,
                                         std::optional<UnixSocket> file = std::nullopt) {
  auto listening = std::make_shared<Listening>(std::move(parts));
  auto listener = std::make_shared<ProtocolListener<Protocol>>(std::move(acceptor), std::move(listening), std::move(file));
  asio::co_spawn(io, run_listener(listener), asio::detached);
  return listener;
}

tl::expected<asio::ip::tcp::acceptor, std::string> bind_tcp(asio::io_context& io, const netlink::Endpoint& endpoint,
                                                            const char* setting, bool share = false) {
  using Protocol = asio::ip::tcp;
  const auto address = util::to_asio(endpoint);
  Protocol::acceptor acceptor(io);
  error_code error;
  acceptor.open(address.protocol(), error);
  if (!error) {
    constexpr int kOn = 1;
    ::fcntl(acceptor.native_handle(), F_SETFD, FD_CLOEXEC);
    // A VIP comes and goes with the role. Holds for IPv6 too.
    (void)::setsockopt(acceptor.native_handle(), IPPROTO_IP, IP_FREEBIND, &kOn, sizeof kOn);
    acceptor.set_option(Protocol::acceptor::reuse_address(true), error);
  }
  if (!error && address.address().is_v6()) acceptor.set_option(asio::ip::v6_only(true), error);
  if (!error) share_port(acceptor.native_handle(), share);
  if (!error) acceptor.bind(address, error);
  if (!error) acceptor.listen(kBacklog, error);
  if (!error) share_port(acceptor.native_handle(), false);
  if (error) return tl::make_unexpected(fmt::format("{} {}: {}", setting, endpoint.to_string(), error.message()));
  return acceptor;
}

}  // namespace

tl::expected<void, std::string> Server::listen_unix(const std::string& path, Answer answer) {
  auto socket = listen_unix_socket(path, kBacklog);
  if (!socket) return tl::make_unexpected(std::move(socket.error()));
  using Protocol = asio::local::stream_protocol;
  Protocol::acceptor acceptor(io_);
  error_code error;
  acceptor.assign(Protocol(), socket->descriptor, error);
  if (error) {
    ::close(socket->descriptor);
    remove_socket_file(*socket);
    return tl::make_unexpected(fmt::format("control socket {}: {}", path, error.message()));
  }
  Listening parts{limits_, std::move(answer), nullptr};
  listeners_.push_back(start_listener<Protocol>(io_, std::move(acceptor), std::move(parts), std::move(*socket)));
  return {};
}

tl::expected<std::uint16_t, std::string> Server::listen_tcp(const netlink::Endpoint& endpoint, Answer answer) {
  auto acceptor = bind_tcp(io_, endpoint, "control.listen");
  if (!acceptor) return tl::make_unexpected(std::move(acceptor.error()));
  error_code ignored;
  const auto port = acceptor->local_endpoint(ignored).port();
  Listening parts{limits_, std::move(answer), nullptr};
  listeners_.push_back(start_listener<asio::ip::tcp>(io_, std::move(*acceptor), std::move(parts)));
  return port;
}

tl::expected<std::uint16_t, std::string> Server::listen_tls(const netlink::Endpoint& endpoint, const std::string& certificate_file,
                                                            const std::string& key_file, Answer answer, Server* old) {
  auto tls = make_tls_server(certificate_file, key_file);
  if (!tls) return tl::make_unexpected(fmt::format("control.register: {}", tls.error()));
  if (old != nullptr) old->share_ports(true);
  auto acceptor = bind_tcp(io_, endpoint, "control.register", old != nullptr);
  if (old != nullptr) old->share_ports(false);
  if (!acceptor) return tl::make_unexpected(std::move(acceptor.error()));
  error_code ignored;
  const auto port = acceptor->local_endpoint(ignored).port();
  Listening parts{limits_, std::move(answer), std::move(*tls)};
  listeners_.push_back(start_listener<asio::ip::tcp>(io_, std::move(*acceptor), std::move(parts)));
  return port;
}

void Server::set_tls(const std::shared_ptr<asio::ssl::context>& tls) {
  for (const auto& listener : listeners_) listener->set_tls(tls);
}

void Server::share_ports(bool share) {
  for (const auto& listener : listeners_) listener->share_port(share);
}

void Server::stop() {
  for (const auto& listener : listeners_) listener->stop();
}

bool Server::busy() const {
  return std::ranges::any_of(listeners_, [](const auto& listener) { return listener->busy(); });
}

}  // namespace wsl4::http
