#include "daemon/control/answers.h"

#include <utility>

#include "daemon/http/json.h"
#include "daemon/http/problem.h"

namespace wsl4::control {

http::Response json_response(const boost::json::object& object, unsigned status) {
  auto response = text_response("application/json", http::to_text(object) + "\n");
  response.status = status;
  return response;
}

http::Response text_response(std::string content_type, std::string body) {
  http::Response response;
  response.content_type = std::move(content_type);
  response.body = std::move(body);
  return response;
}

http::Response bad_query(const std::string& error) { return http::problem(400, "Bad request", {error}); }

http::Response refused(const Refusal& refusal) {
  return http::problem(static_cast<unsigned>(refusal.http_status), refusal.title, refusal.details);
}

}  // namespace wsl4::control
