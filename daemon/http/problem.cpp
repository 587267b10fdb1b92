#include "daemon/http/problem.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "daemon/http/json.h"

namespace wsl4::http {

Response problem(unsigned status, const std::string& title, const std::vector<std::string>& details) {
  boost::json::object document;
  document["type"] = "about:blank";
  document["title"] = title;
  document["status"] = status;
  if (!details.empty()) document["detail"] = fmt::format("{}", fmt::join(details, "\n"));
  if (details.size() > 1) document["problems"] = boost::json::array(details.begin(), details.end());

  Response response;
  response.status = status;
  response.content_type = "application/problem+json";
  response.body = to_text(document) + "\n";
  return response;
}

}  // namespace wsl4::http
