// A request as it comes from the wire, in two pieces, through parser, target and query parameters.
#include <cstdint>
#include <cstdlib>
#include <string>

#include <boost/asio/buffer.hpp>

#include "daemon/control/query.h"
#include "daemon/http/request.h"

namespace {

namespace control = wsl4::control;
namespace http = wsl4::http;

void check(bool holds) {
  if (!holds) std::abort();
}

void check_target(const http::Target& target) {
  std::string text;
  for (const auto& segment : target.path) text += "/" + http::percent_encode(segment);
  if (text.empty()) text = "/";
  char separator = '?';
  for (const auto& [name, value] : target.query) {
    text += separator + http::percent_encode(name) + "=" + http::percent_encode(value);
    separator = '&';
  }
  const auto again = http::parse_target(text);
  check(again.has_value());
  check(*again == target);
}

void check_queries(const control::QueryParameters& parameters) {
  if (const auto flows = control::parse_flow_query(parameters)) check(flows->limit >= 1 && flows->limit <= control::kMaxFlows);
  if (const auto events = control::parse_event_query(parameters)) check(events->wait <= control::kMaxEventWait);
  (void)control::parse_reload_query(parameters);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const http::Limits limits;
  http::Parser parser;
  http::apply_limits(parser, limits);
  parser.eager(true);
  boost::system::error_code error;
  // As a socket would: first half of the bytes, then what was not taken and the rest.
  std::size_t taken = parser.put(boost::asio::buffer(data, size / 2), error);
  if (error == boost::beast::http::error::need_more) error = {};
  while (!error && !parser.is_done() && taken < size) {
    const std::size_t more = parser.put(boost::asio::buffer(data + taken, size - taken), error);
    if (more == 0) break;
    taken += more;
  }
  if (error) {
    const auto answer = http::answer_to_broken(error, limits);
    check(!answer || answer->status == 400 || answer->status == 413 || answer->status == 431);
    return 0;
  }
  if (!parser.is_done()) return 0;
  const auto request = http::to_request(parser.release());
  if (!request) {
    check(request.error().status == 400);
    return 0;
  }
  check(request->body.size() <= limits.max_body);
  check_target(request->target);
  check_queries(request->target.query);
  return 0;
}
