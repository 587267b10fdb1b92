#include "daemon/http/session.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "daemon/http/problem.h"

namespace wsl4::http {
namespace {

namespace asio = boost::asio;
namespace beast_http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t kReadSize = 4096;                     // bytes asked for at once while a connection is idle
constexpr std::size_t kLingerBytes = std::size_t{4} << 20;  // thrown away while the client is still sending
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::string host_of(const Session::Protocol::socket& socket) {
  constexpr std::size_t kNetwork = 8;  // of an IPv6 address
  error_code error;
  const auto client = socket.remote_endpoint(error);
  if (error) return {};
  if (client.protocol().family() == AF_INET) {
    sockaddr_in address{};
    std::memcpy(&address, client.data(), std::min(sizeof address, client.size()));
    return {reinterpret_cast<const char*>(&address.sin_addr), sizeof address.sin_addr};
  }
  if (client.protocol().family() == AF_INET6) {
    sockaddr_in6 address{};
    std::memcpy(&address, client.data(), std::min(sizeof address, client.size()));
    return {reinterpret_cast<const char*>(&address.sin6_addr), kNetwork};
  }
  return {};
}

template <class Body>
beast_http::response<Body> make_header(const Response& response, unsigned version, bool keep_alive) {
  beast_http::response<Body> message(static_cast<beast_http::status>(response.status), version);
  message.set(beast_http::field::server, "wsl4d/" WSL4_VERSION);
  message.set(beast_http::field::cache_control, "no-store");
  message.set("X-Content-Type-Options", "nosniff");
  if (!response.content_type.empty()) message.set(beast_http::field::content_type, response.content_type);
  for (const auto& [name, value] : response.headers) message.set(name, value);
  message.keep_alive(keep_alive);
  message.content_length(response.body.size());
  return message;
}

}  // namespace

Session::Session(Protocol::socket socket, std::shared_ptr<Listening> listening, Kind kind)
    : host_(host_of(socket)),
      stream_(std::move(socket), listening->tls.get()),
      buffer_(listening->limits.max_header + kReadSize),
      listening_(std::move(listening)),
      kind_(kind) {
  listening_->sessions.insert(this);
  if (kind_ == Kind::kServed) ++listening_->served;
}

Session::~Session() {
  listening_->sessions.erase(this);
  if (kind_ == Kind::kServed) --listening_->served;
}

void Session::finish() {
  finishing_ = true;
  if (idle_) stream_.socket().cancel();
}

void Session::give_way() {
  finishing_ = true;
  kind_ = Kind::kRefused;
  --listening_->served;
  stream_.socket().close();
}

asio::awaitable<void> Session::run() {
  bool goes_on = co_await open();
  while (goes_on && !finishing_) goes_on = co_await serve_one();
  co_await linger();
}

asio::awaitable<bool> Session::open() {
  stream_.socket().expires_after(listening_->limits.handshake_timeout);
  idle_ = true;
  const bool opened = co_await stream_.open();
  idle_ = false;
  co_return opened;
}

asio::awaitable<bool> Session::serve_one() {
  const bool begun = co_await wait_for_first_byte();
  if (!begun) co_return false;
  stream_.socket().expires_after(listening_->limits.read_timeout);
  auto message = co_await read_message();
  if (!message && !message.error()) co_return false;

  owes_nothing_since_.reset();
  bool head = false;
  bool keep_alive = false;
  unsigned version = 11;
  Response response;
  if (!message) {
    response = std::move(*message.error());
  } else {
    head = message->method() == beast_http::verb::head;
    keep_alive = message->keep_alive() && kind_ == Kind::kServed && listening_->limits.keep_alive;
    version = message->version();
    stream_.socket().expires_never();
    response = co_await respond(std::move(*message));
  }
  const bool open = co_await write(std::move(response), head, version, keep_alive && !finishing_);
  owes_nothing_since_ = Clock::now();
  co_return open;
}

asio::awaitable<bool> Session::wait_for_first_byte() {
  if (buffer_.size() > 0) co_return true;  // the next request came along with the last one
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  const auto space = buffer_.prepare(kReadSize);
  stream_.socket().expires_after(listening_->limits.idle_timeout);
  idle_ = true;
  const std::size_t size = co_await stream_.async_read_some(space, token);
  idle_ = false;
  buffer_.commit(size);
  co_return !error;
}

asio::awaitable<tl::expected<Parser::value_type, std::optional<Response>>> Session::read_message() {
  Parser parser;
  apply_limits(parser, listening_->limits);
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  co_await beast_http::async_read_header(stream_, buffer_, parser, token);
  if (!error) {
    const bool gone = co_await gone_at_continue(parser);
    if (gone) co_return tl::make_unexpected(std::optional<Response>());
    co_await beast_http::async_read(stream_, buffer_, parser, token);
  }
  if (error) co_return tl::make_unexpected(answer_to_broken(error, listening_->limits));
  co_return parser.release();
}

asio::awaitable<bool> Session::gone_at_continue(const Parser& parser) {
  if (parser.is_done() || !boost::beast::iequals(parser.get()[beast_http::field::expect], "100-continue")) co_return false;
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  const auto bytes = asio::buffer(kContinue);
  co_await asio::async_write(stream_, bytes, token);
  co_return error.failed();
}

asio::awaitable<Response> Session::respond(Parser::value_type message) {
  if (kind_ == Kind::kRefused) {
    co_return problem(503, "Too many connections",
                      {fmt::format("at most {} connections are served at once; try again", listening_->limits.max_connections)});
  }
  auto request = to_request(std::move(message));
  if (!request) co_return std::move(request.error());
  std::string failure;
  try {
    auto pending = listening_->answer(*request);
    Response response = co_await std::move(pending);
    co_return response;
  } catch (const std::exception& error) { failure = error.what(); }
  co_return problem(500, "Internal error", {failure});
}

asio::awaitable<bool> Session::write(Response response, bool head, unsigned version, bool keep_alive) {
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  stream_.socket().expires_after(listening_->limits.write_timeout);
  if (head) {
    auto message = make_header<beast_http::empty_body>(response, version, keep_alive);
    co_await beast_http::async_write(stream_, message, token);
  } else {
    auto message = make_header<beast_http::string_body>(response, version, keep_alive);
    message.body() = std::move(response.body);
    co_await beast_http::async_write(stream_, message, token);
  }
  co_return !error && keep_alive;
}

// Closing a socket with unread data resets the connection, and a reset may overtake the response: so the client closes first,
// within bounds.
asio::awaitable<void> Session::linger() {
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  std::array<char, kReadSize> scratch{};
  const auto space = asio::buffer(scratch);
  stream_.socket().expires_after(listening_->limits.linger_timeout);
  co_await stream_.end_sending();
  for (std::size_t total = 0; !error && total < kLingerBytes;) {
    const std::size_t size = co_await stream_.socket().async_read_some(space, token);
    total += size;
  }
}

}  // namespace wsl4::http
