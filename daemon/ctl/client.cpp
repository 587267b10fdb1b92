#include "daemon/ctl/client.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

namespace wsl4::ctl {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace beast_http = boost::beast::http;
using boost::system::error_code;
using Protocol = asio::local::stream_protocol;

constexpr std::chrono::milliseconds kConnectPause{20};
constexpr std::uint64_t kMaxBody = std::uint64_t{256} << 20;

Unreachable explain(const std::string& socket, const error_code& error, std::chrono::seconds timeout) {
  using Kind = Unreachable::Kind;
  namespace errc = boost::system::errc;
  if (error == errc::no_such_file_or_directory || error == errc::not_a_directory) {
    return {
        Kind::kNoSocket,
        fmt::format("no control socket at {}: start the daemon (systemctl start wsl4d), or name its socket with --socket", socket)};
  }
  if (error == errc::permission_denied || error == errc::operation_not_permitted) {
    return {Kind::kPermission, fmt::format("permission denied on {}: run this as root or as a member of group wsl4", socket)};
  }
  if (error == errc::connection_refused) {
    return {Kind::kRefused, fmt::format("nobody listens on {}: the daemon has ended (journalctl -u wsl4d says why); "
                                        "start it again (systemctl start wsl4d)",
                                        socket)};
  }
  if (error == beast::error::timeout) {
    return {Kind::kTimeout, fmt::format("no answer on {} within {} s: the daemon hangs or is overloaded (journalctl -u wsl4d)",
                                        socket, timeout.count())};
  }
  return {Kind::kOther,
          fmt::format("no answer on {}: {}; is it the daemon's control socket? (journalctl -u wsl4d)", socket, error.message())};
}

class Connection {
 public:
  Connection(const std::string& socket, std::chrono::seconds timeout) : stream_(io_) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    stream_.expires_at(deadline);
    error_ = connect(socket, deadline);
  }

  [[nodiscard]] const error_code& error() const { return error_; }

  std::optional<Reply> exchange(const Call& call) {
    beast_http::request<beast_http::string_body> request(beast_http::string_to_verb(call.method), call.target, 11, call.body);
    request.set(beast_http::field::host, "wsl4d");
    request.set(beast_http::field::user_agent, "wsl4ctl/" WSL4_VERSION);
    request.set(beast_http::field::connection, "close");
    if (!call.body.empty()) request.set(beast_http::field::content_type, "application/json");
    request.prepare_payload();
    // A daemon that refuses may answer and close before it has read the request: its answer counts, not the broken pipe.
    wait([&](auto done) { beast_http::async_write(stream_, request, done); });
    beast::flat_buffer buffer;
    beast_http::response_parser<beast_http::string_body> parser;
    parser.body_limit(kMaxBody);
    error_ = wait([&](auto done) { beast_http::async_read(stream_, buffer, parser, done); });
    if (error_) return std::nullopt;
    Reply reply;
    reply.status = parser.get().result_int();
    reply.body = std::move(parser.get().body());
    return reply;
  }

 private:
  // A Unix socket connects at once or not at all, also while the daemon's queue of connections is full (EAGAIN, unix(7)); a
  // blocking one would wait for a daemon that hangs.
  error_code connect(const std::string& socket, std::chrono::steady_clock::time_point deadline) {
    if (socket.empty() || socket.size() >= sizeof(sockaddr_un{}.sun_path)) return asio::error::name_too_long;
    error_code error;
    stream_.socket().open(Protocol(), error);
    if (!error) stream_.socket().native_non_blocking(true, error);
    const Protocol::endpoint endpoint(socket);
    asio::steady_timer pause(io_);
    while (!error) {
      const auto size = static_cast<socklen_t>(endpoint.size());
      if (::connect(stream_.socket().native_handle(), endpoint.data(), size) == 0) return error;
      if (errno != EAGAIN) return {errno, boost::system::system_category()};
      if (std::chrono::steady_clock::now() >= deadline) return beast::error::timeout;
      pause.expires_after(kConnectPause);
      pause.wait();
    }
    return error;
  }

  template <class Start>
  error_code wait(Start start) {
    error_code result;
    start([&result](const error_code& error, std::size_t /*size*/) { result = error; });
    io_.restart();
    io_.run();
    return result;
  }

  asio::io_context io_;
  beast::basic_stream<Protocol> stream_;
  error_code error_;
};

}  // namespace

tl::expected<Reply, Unreachable> call(const Call& call) {
  Connection connection(call.socket, call.timeout);
  if (connection.error()) return tl::make_unexpected(explain(call.socket, connection.error(), call.timeout));
  auto reply = connection.exchange(call);
  if (!reply) return tl::make_unexpected(explain(call.socket, connection.error(), call.timeout));
  return std::move(*reply);
}

tl::expected<void, Unreachable> probe(const std::string& socket) {
  const Connection connection(socket, std::chrono::seconds(1));
  if (connection.error()) return tl::make_unexpected(explain(socket, connection.error(), std::chrono::seconds(1)));
  return {};
}

}  // namespace wsl4::ctl
