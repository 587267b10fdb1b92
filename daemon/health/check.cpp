#include "daemon/health/check.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cctype>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

#include "daemon/health/tls.h"
#include "daemon/health/websocket.h"
#include "daemon/util/to_asio.h"
#include "netlink/handle.h"

namespace wsl4::health {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using config::HealthType;

constexpr std::size_t kMaxHeader = 16'384;
constexpr std::size_t kReadSize = 4'096;
constexpr std::size_t kMaxDrain = 65'536;         // bytes of a body that are taken from the socket, so that closing does not reset
constexpr std::chrono::milliseconds kLinger{50};  // for the backend to close its side

bool is_websocket(HealthType type) { return type == HealthType::kWebSocket || type == HealthType::kWebSockets; }

std::pair<unsigned, unsigned> expected(const config::Health& health) {
  if (health.expect_min != 0) return {health.expect_min, health.expect_max};
  return is_websocket(health.type) ? std::pair(101U, 101U) : std::pair(200U, 399U);
}

std::string lower_first(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

/// Errors of this machine, which say nothing of the backend.
bool is_ours(const error_code& error) {
  return error == asio::error::address_in_use || error == boost::system::errc::address_not_available ||
         error == asio::error::no_buffer_space || error == asio::error::no_memory || error == asio::error::operation_aborted;
}

}  // namespace

void Check::cancel() {
  cancelled_ = true;
  stream_.close();
}

asio::awaitable<CheckResult> Check::run() {
  started_ = std::chrono::steady_clock::now();
  stream_.expires_after(spec_.health.timeout);
  std::string problem = cancelled_ ? "cancelled" : open();
  if (!problem.empty()) co_return CheckResult{Outcome::kNoVerdict, std::move(problem)};
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  const auto backend = util::to_asio(spec_.backend);
  co_await stream_.async_connect(backend, token);
  if (error) co_return connect_failure(error);

  CheckResult result;
  if (spec_.health.type == HealthType::kTcp) {
    result = {Outcome::kOk, fmt::format("connected in {:.1f} ms", elapsed_ms())};
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
    co_await drain(stream_);
  } else if (tls_) {
    result = co_await ask_over_tls();
  } else {
    result = co_await ask(stream_);
  }
  stream_.close();
  co_return result;
}

std::string Check::open() {
  const auto family = spec_.backend.address.family();
  netlink::Fd fd(::socket(netlink::to_af(family), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fmt::format("open socket: {}", lower_first(std::strerror(errno)));
  if (!spec_.source.is_unspecified()) {
    // Without it the kernel would choose a port that is free for every backend, and soon find none.
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    const auto source = util::to_asio({spec_.source, 0});
    if (::bind(fd.get(), source.data(), static_cast<socklen_t>(source.size())) != 0)
      return fmt::format("bind {}: {}", spec_.source.to_string(), lower_first(std::strerror(errno)));
  }
  error_code error;
  stream_.socket().assign(util::to_asio(spec_.backend).protocol(), fd.get(), error);
  if (error) return error.message();
  static_cast<void>(fd.release());
  return {};
}

asio::awaitable<CheckResult> Check::ask_over_tls() {
  asio::ssl::stream<beast::tcp_stream&> stream(stream_, *tls_);
  const std::string peer = spec_.health.host.empty() ? spec_.backend.address.to_string() : spec_.health.host;
  if (!expect_peer(stream.native_handle(), peer, spec_.health.tls_verify))
    co_return CheckResult{Outcome::kNoVerdict, fmt::format("TLS: {} cannot be a server's name", peer)};
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  co_await stream.async_handshake(asio::ssl::stream_base::client, token);
  if (error == beast::error::timeout) co_return answer_failure(error);
  if (error) co_return CheckResult{Outcome::kWrongAnswer, "TLS: " + handshake_failure(stream.native_handle(), error)};
  auto result = co_await ask(stream);
  co_await stream.async_shutdown(token);
  co_return result;
}

template <class Stream>
asio::awaitable<CheckResult> Check::ask(Stream& stream) {
  const std::string key = is_websocket(spec_.health.type) ? make_websocket_key() : "";
  const std::string text = request(key);
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  const auto bytes = asio::buffer(text);
  co_await asio::async_write(stream, bytes, token);
  if (error) co_return answer_failure(error);

  beast::flat_buffer buffer(kMaxHeader + kReadSize);
  beast::http::response_parser<beast::http::empty_body> parser;
  parser.header_limit(kMaxHeader);
  parser.body_limit(boost::none);
  co_await beast::http::async_read_header(stream, buffer, parser, token);
  if (error) co_return answer_failure(error);
  auto result = judge(parser.get(), key);

  const auto close_frame = asio::buffer(kCloseFrame);
  if (!key.empty() && parser.get().result_int() == 101) co_await asio::async_write(stream, close_frame, token);
  co_await drain(stream);
  co_return result;
}

template <class Stream>
asio::awaitable<void> Check::drain(Stream& stream) {
  stream_.expires_after(kLinger);
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  std::array<char, kReadSize> scratch{};
  const auto space = asio::buffer(scratch);
  for (std::size_t total = 0; !error && total < kMaxDrain;) {
    const std::size_t size = co_await stream.async_read_some(space, token);
    total += size;
  }
}

std::string Check::request(const std::string& websocket_key) const {
  const auto& health = spec_.health;
  const std::string connection =
      websocket_key.empty()
          ? "Connection: close\r\n"
          : fmt::format("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n",
                        websocket_key);
  return fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: wsl4d/" WSL4_VERSION "\r\n{}\r\n", health.path,
                     health.host.empty() ? spec_.backend.to_string() : health.host, connection);
}

template <class Headers>
CheckResult Check::judge(const Headers& answer, const std::string& websocket_key) const {
  const auto [least, most] = expected(spec_.health);
  const unsigned status = answer.result_int();
  if (status < least || status > most) {
    const auto range = least == most ? fmt::format("{}", least) : fmt::format("{}-{}", least, most);
    return {Outcome::kWrongAnswer, fmt::format("expected {}, got {}", range, status)};
  }
  if (!websocket_key.empty() && status == 101) {
    const auto problem = handshake_problem(answer, websocket_key);
    if (!problem.empty()) return {Outcome::kWrongAnswer, fmt::format("101 with {}", problem)};
  }
  return {Outcome::kOk, fmt::format("{} in {:.1f} ms", status, elapsed_ms())};
}

CheckResult Check::connect_failure(const error_code& error) const {
  if (error == beast::error::timeout)
    return {Outcome::kConnectFailed, fmt::format("no connection within {} ms", spec_.health.timeout.count())};
  return {is_ours(error) ? Outcome::kNoVerdict : Outcome::kConnectFailed, lower_first(error.message())};
}

CheckResult Check::answer_failure(const error_code& error) const {
  using HttpError = beast::http::error;
  const auto result = [](std::string detail) { return CheckResult{Outcome::kWrongAnswer, std::move(detail)}; };
  if (error == beast::error::timeout) return result(fmt::format("no answer within {} ms", spec_.health.timeout.count()));
  if (error == HttpError::end_of_stream || error == HttpError::partial_message || error == asio::error::eof)
    return result("closed before the answer was complete");
  if (error == HttpError::header_limit || error == HttpError::buffer_overflow)
    return result(fmt::format("headers over {} KiB", kMaxHeader / 1024));
  static const auto& http_category = error_code(make_error_code(HttpError::bad_version)).category();
  return result(error.category() == http_category ? "not HTTP: " + error.message() : lower_first(error.message()));
}

double Check::elapsed_ms() const {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started_).count();
}

}  // namespace wsl4::health
