#include "daemon/http/request.h"

#include <string>
#include <utility>

#include <fmt/format.h>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>

#include "daemon/http/problem.h"

namespace wsl4::http {
namespace {
namespace beast_http = boost::beast::http;
constexpr unsigned kHttp11 = 11;  // Beast's way of writing the version
}  // namespace

void apply_limits(Parser& parser, const Limits& limits) {
  parser.header_limit(static_cast<std::uint32_t>(limits.max_header));
  parser.body_limit(limits.max_body);
}

tl::expected<Request, Response> to_request(Parser::value_type message) {
  // RFC 9112 3.2: a request of version 1.1 without Host is a bad one.
  if (message.version() >= kHttp11 && message.count(beast_http::field::host) != 1) {
    return tl::make_unexpected(problem(400, "Bad request", {"an HTTP/1.1 request needs one Host header"}));
  }
  auto target = parse_target(std::string_view(message.target().data(), message.target().size()));
  if (!target) return tl::make_unexpected(problem(400, "Bad request", {target.error()}));
  Request request;
  request.method = std::string(message.method_string());
  request.target = std::move(*target);
  if (message.count(beast_http::field::authorization) == 1) {
    request.authorization = std::string(message[beast_http::field::authorization]);
  }
  request.body = std::move(message.body());
  return request;
}

std::optional<Response> answer_to_broken(const boost::system::error_code& error, const Limits& limits) {
  if (error == beast_http::error::header_limit || error == beast_http::error::buffer_overflow) {
    return problem(431, "Request header fields too large",
                   {fmt::format("at most {} bytes of headers are taken", limits.max_header)});
  }
  if (error == beast_http::error::body_limit) {
    return problem(413, "Content too large", {fmt::format("at most {} bytes of body are taken", limits.max_body)});
  }
  const bool gone = error == beast_http::error::end_of_stream || error == beast_http::error::partial_message;
  if (gone || error.category() != beast_http::make_error_code(beast_http::error::bad_method).category()) return std::nullopt;
  return problem(400, "Bad request", {error.message()});
}

}  // namespace wsl4::http
