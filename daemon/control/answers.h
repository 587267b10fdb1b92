// The answers that the routes of both listeners give.
#pragma once

#include <string>

#include <boost/json/object.hpp>

#include "daemon/control/node.h"
#include "daemon/http/message.h"

namespace wsl4::control {

[[nodiscard]] http::Response json_response(const boost::json::object& object, unsigned status = 200);
[[nodiscard]] http::Response text_response(std::string content_type, std::string body);

/// 400: what is wrong with the query.
[[nodiscard]] http::Response bad_query(const std::string& error);
[[nodiscard]] http::Response refused(const Refusal& refusal);

}  // namespace wsl4::control
