#include "daemon/service/stored_document.h"

#include <utility>

#include <fmt/format.h>
#include <boost/json/parse.hpp>

namespace wsl4::service {

namespace json = boost::json;

tl::expected<json::object, std::string> read_versioned(std::string_view text, int version) {
  boost::system::error_code error;
  auto document = json::parse(text, error);
  if (error) return tl::make_unexpected("not JSON: " + error.message());
  auto* object = document.if_object();
  const auto* found = object == nullptr ? nullptr : object->if_contains("version");
  if (found == nullptr || *found != version) return tl::make_unexpected(fmt::format("not of version {}", version));
  return std::move(*object);
}

}  // namespace wsl4::service
