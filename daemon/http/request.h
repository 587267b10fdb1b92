// Between Beast's messages and ours: the limits of a parser, and which answer a broken request gets.
#pragma once

#include <optional>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/system/error_code.hpp>
#include <tl/expected.hpp>

#include "daemon/http/message.h"

namespace wsl4::http {

using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

void apply_limits(Parser& parser, const Limits& limits);

/// A whole message as a Request; the error is the 400 that it earned (a broken target, no Host).
[[nodiscard]] tl::expected<Request, Response> to_request(Parser::value_type message);

/// What to answer when reading failed with `error`; nothing if there is nobody to answer (the client went away or was too slow).
[[nodiscard]] std::optional<Response> answer_to_broken(const boost::system::error_code& error, const Limits& limits);

}  // namespace wsl4::http
